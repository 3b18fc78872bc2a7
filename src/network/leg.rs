//! Legs: what a message is for, as far as the network may know it.
//!
//! The four legs of the WARS model (write request, acknowledgement, read request, response: Bailis et
//! al., "Probabilistically Bounded Staleness", §5.1) are among them. A leg may have a delay of its own
//! and is counted by itself; what the message says stays unknown here.

/// What a message is for. Numbers are written down once: they are part of every keyed draw.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Leg {
    /// From a client to the node it contacts.
    ClientRequest = 0,
    /// The answer to the client.
    ClientResponse = 1,
    /// From the contacted node to the coordinator, and the answer back.
    Forward = 2,
    /// From the coordinator to a replica: W of the WARS model.
    WriteRequest = 3,
    /// The replica's acknowledgement: A.
    WriteAck = 4,
    /// From the coordinator to a replica: R.
    ReadRequest = 5,
    /// The replica's answer: S.
    ReadResponse = 6,
    /// A newer version for a replica that answered with an older one (Dynamo §5).
    ReadRepair = 7,
    /// A hinted write handed to its owner, and its acknowledgement (Dynamo §4.6).
    Hint = 8,
    /// Trees, keys and versions of anti-entropy (Dynamo §4.7).
    AntiEntropy = 9,
    /// Ranges moved by a change of membership (Dynamo §4.9).
    Transfer = 10,
    /// Views of the membership (Dynamo §4.8).
    Gossip = 11,
    /// Heartbeats, and retries of nodes thought unreachable (Dynamo §4.8.3).
    Probe = 12,
}

impl Leg {
    /// How many legs there are.
    pub const COUNT: usize = 13;

    /// All legs, each at its number.
    pub const ALL: [Leg; Leg::COUNT] = [
        Leg::ClientRequest,
        Leg::ClientResponse,
        Leg::Forward,
        Leg::WriteRequest,
        Leg::WriteAck,
        Leg::ReadRequest,
        Leg::ReadResponse,
        Leg::ReadRepair,
        Leg::Hint,
        Leg::AntiEntropy,
        Leg::Transfer,
        Leg::Gossip,
        Leg::Probe,
    ];

    /// The leg as an index into a table of [`Leg::COUNT`] entries.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name by which scenarios and results know the leg.
    pub const fn name(self) -> &'static str {
        match self {
            Leg::ClientRequest => "client_request",
            Leg::ClientResponse => "client_response",
            Leg::Forward => "forward",
            Leg::WriteRequest => "write_request",
            Leg::WriteAck => "write_ack",
            Leg::ReadRequest => "read_request",
            Leg::ReadResponse => "read_response",
            Leg::ReadRepair => "read_repair",
            Leg::Hint => "hint",
            Leg::AntiEntropy => "anti_entropy",
            Leg::Transfer => "transfer",
            Leg::Gossip => "gossip",
            Leg::Probe => "probe",
        }
    }

    /// The leg of that name.
    pub fn named(name: &str) -> Option<Leg> {
        Leg::ALL.into_iter().find(|leg| leg.name() == name)
    }

    /// The class under which the leg's messages and bytes are reported.
    pub const fn class(self) -> Class {
        match self {
            Leg::ClientRequest
            | Leg::ClientResponse
            | Leg::Forward
            | Leg::WriteRequest
            | Leg::WriteAck
            | Leg::ReadRequest
            | Leg::ReadResponse => Class::Foreground,
            Leg::Hint => Class::Hint,
            Leg::ReadRepair => Class::ReadRepair,
            Leg::AntiEntropy => Class::AntiEntropy,
            // Failure detection is part of keeping the membership known, and reported with it.
            Leg::Gossip | Leg::Probe => Class::Gossip,
            Leg::Transfer => Class::Transfer,
        }
    }
}

/// A class of messages: what the traffic is spent on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Class {
    /// Serving clients.
    Foreground = 0,
    /// Hinted handoff.
    Hint = 1,
    /// Read repair.
    ReadRepair = 2,
    /// Anti-entropy.
    AntiEntropy = 3,
    /// Gossip and probes.
    Gossip = 4,
    /// Moving ranges.
    Transfer = 5,
}

impl Class {
    /// How many classes there are.
    pub const COUNT: usize = 6;

    /// All classes, each at its number.
    pub const ALL: [Class; Class::COUNT] =
        [Class::Foreground, Class::Hint, Class::ReadRepair, Class::AntiEntropy, Class::Gossip, Class::Transfer];

    /// The class as an index into a table of [`Class::COUNT`] entries.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name by which results know the class.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Foreground => "foreground",
            Class::Hint => "hint",
            Class::ReadRepair => "read_repair",
            Class::AntiEntropy => "anti_entropy",
            Class::Gossip => "gossip",
            Class::Transfer => "transfer",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leg_stands_at_its_number_and_is_found_by_its_name() {
        for (number, leg) in Leg::ALL.into_iter().enumerate() {
            assert_eq!(leg.index(), number);
            assert_eq!(Leg::named(leg.name()), Some(leg));
        }
        assert_eq!(Leg::named("letter"), None);
    }

    #[test]
    fn every_class_stands_at_its_number_and_has_a_leg() {
        for (number, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), number);
            assert!(Leg::ALL.into_iter().any(|leg| leg.class() == class), "{} has no leg", class.name());
        }
        assert_eq!(Leg::Probe.class(), Class::Gossip);
    }
}
