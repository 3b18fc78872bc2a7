//! Identities inside a run: small integers, so that tables are arrays and events are small.
//!
//! Names live at the edges only, in `scenario` and `report`.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub $inner);

        impl $name {
            /// The identity as an index into a table.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

id!(
    /// A physical node, members and spares alike, numbered from 0 in the order of the scenario.
    NodeId(u32)
);
id!(
    /// A key, numbered from 0 in the order in which the run first meets it.
    KeyId(u32)
);
id!(
    /// A range of the ring: the smallest stretch whose owners can differ (see `ring`).
    SegmentId(u32)
);
id!(
    /// A client session: one of a group's sessions, or a scripted client.
    SessionId(u32)
);
id!(
    /// A group of like sessions (`users`), or one scripted client.
    GroupId(u16)
);

/// Who wrote: a node in one of its lives. A node that has lost its disk takes a new actor, so that
/// it never issues one of its old counters for a second value (the amnesia of Riak's issue 679).
///
/// The low 20 bits are the node, the high 12 its epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ActorId(pub u32);

impl ActorId {
    /// The actor of `node` in its `epoch`-th life, counted from 0.
    pub const fn new(node: NodeId, epoch: u32) -> Self {
        assert!(node.0 < 1 << 20 && epoch < 1 << 12, "at most 2^20 nodes and 4 096 epochs");
        ActorId(epoch << 20 | node.0)
    }

    /// The node behind the actor.
    pub const fn node(self) -> NodeId {
        NodeId(self.0 & 0xf_ffff)
    }

    /// Which of the node's lives, from 0.
    pub const fn epoch(self) -> u32 {
        self.0 >> 20
    }
}

/// One operation of one client, or one background conversation of one node: the name under which
/// all chance delays of its messages are drawn.
///
/// Layout: bit 63 background, bit 62 scripted, bits 32..62 session (or node), bits 0..32 number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OpId(pub u64);

impl OpId {
    const BACKGROUND: u64 = 1 << 63;
    const SCRIPTED: u64 = 1 << 62;

    /// The `number`-th operation of a session.
    pub const fn of_session(session: SessionId, number: u32) -> Self {
        OpId((session.0 as u64) << 32 | number as u64)
    }

    /// The `number`-th operation of a session whose messages may have fates set by a script.
    pub const fn scripted(session: SessionId, number: u32) -> Self {
        OpId(Self::SCRIPTED | (session.0 as u64) << 32 | number as u64)
    }

    /// The `number`-th background conversation of a node.
    pub const fn background(node: NodeId, number: u32) -> Self {
        OpId(Self::BACKGROUND | (node.0 as u64) << 32 | number as u64)
    }

    /// Whether a script may have set fates for this operation's messages.
    pub const fn is_scripted(self) -> bool {
        self.0 & (Self::BACKGROUND | Self::SCRIPTED) == Self::SCRIPTED
    }

    /// Whether this is a background conversation.
    pub const fn is_background(self) -> bool {
        self.0 & Self::BACKGROUND != 0
    }

    /// The session, for a client's operation.
    pub const fn session(self) -> SessionId {
        SessionId((self.0 >> 32) as u32 & 0x3fff_ffff)
    }

    /// The number within its session or node.
    pub const fn number(self) -> u32 {
        self.0 as u32
    }
}

/// One end of a message: a node or a client session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Endpoint(pub u32);

impl Endpoint {
    const CLIENT: u32 = 1 << 31;

    /// A node's end.
    pub const fn node(node: NodeId) -> Self {
        Endpoint(node.0)
    }

    /// A client session's end.
    pub const fn client(session: SessionId) -> Self {
        Endpoint(session.0 | Self::CLIENT)
    }

    /// The node, unless this is a client.
    pub const fn as_node(self) -> Option<NodeId> {
        if self.0 & Self::CLIENT == 0 { Some(NodeId(self.0)) } else { None }
    }

    /// The session, unless this is a node.
    pub const fn as_client(self) -> Option<SessionId> {
        if self.0 & Self::CLIENT != 0 { Some(SessionId(self.0 & !Self::CLIENT)) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_tells_its_node_and_epoch() {
        let actor = ActorId::new(NodeId(99), 3);
        assert_eq!((actor.node(), actor.epoch()), (NodeId(99), 3));
        let last = ActorId::new(NodeId((1 << 20) - 1), (1 << 12) - 1);
        assert_eq!((last.node(), last.epoch()), (NodeId((1 << 20) - 1), (1 << 12) - 1));
    }

    #[test]
    fn kinds_of_operations_do_not_share_names() {
        let session = OpId::of_session(SessionId(5), 8);
        let scripted = OpId::scripted(SessionId(5), 8);
        let background = OpId::background(NodeId(5), 8);
        assert!(session != scripted && scripted != background && background != session);
        for op in [session, scripted] {
            assert_eq!((op.session(), op.number(), op.is_background()), (SessionId(5), 8, false));
        }
        assert_eq!([session, scripted, background].map(OpId::is_scripted), [false, true, false]);
        assert!(background.is_background());
    }

    #[test]
    fn an_end_is_a_node_or_a_client() {
        assert_eq!(Endpoint::node(NodeId(4)).as_node(), Some(NodeId(4)));
        assert_eq!(Endpoint::node(NodeId(4)).as_client(), None);
        assert_eq!(Endpoint::client(SessionId(4)).as_client(), Some(SessionId(4)));
        assert_eq!(Endpoint::client(SessionId(4)).as_node(), None);
    }
}
