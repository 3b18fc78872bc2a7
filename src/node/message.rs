//! What nodes and clients say to each other, as plain values.
//!
//! A message is small (at most 40 bytes): versions travel as shared handles, batches behind one box.
//! Sizes on the wire are computed here, from what a message would weigh, and never stored.

use std::sync::Arc;

use crate::kernel::ids::{KeyId, NodeId};
use crate::kernel::time::SimTime;
use crate::node::anti_entropy::ExchangeMessage;
use crate::node::config::ProfileId;
use crate::node::membership::GossipMessage;
use crate::node::transfer::TransferMessage;
use crate::version::{Siblings, Value, Version};

/// A request under way at one node: generation in the high half, slot in the low half. Generations
/// are never reused, also across crashes, so a late answer cannot meet a stranger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RequestId(pub u64);

impl RequestId {
    /// No request.
    pub const NONE: RequestId = RequestId(u64::MAX);
}

/// How an operation ended, as the client hears it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Outcome {
    /// Enough replicas answered.
    Ok,
    /// Not enough answered in time. A write may have happened.
    Timeout,
    /// Fewer replicas could be reached than are needed. Nothing was sent.
    TooFewReplicas,
    /// No node could be found that may lead the operation.
    NoCoordinator,
    /// The write would have left siblings and the cluster refuses those.
    Refused,
}

impl Outcome {
    /// How scenarios and results write it.
    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Timeout => "timeout",
            Outcome::TooFewReplicas => "too_few_replicas",
            Outcome::NoCoordinator => "no_coordinator",
            Outcome::Refused => "refused",
        }
    }
}

/// A client's write.
#[derive(Clone, Debug)]
pub struct Put {
    /// The new value; [`Value::Tombstone`] deletes.
    pub value: Value,
    /// Bytes of the value.
    pub size: u32,
    /// What the client had seen: the versions that this write replaces.
    pub context: Siblings,
    /// The client's clock, in nanoseconds, for stamps by the client.
    pub client_stamp: u64,
    /// The node that answered the preceding read fastest, if the client knows one.
    pub preferred: Option<NodeId>,
}

/// A hint on its way to its owner.
#[derive(Clone, Debug)]
pub struct HintDelivery {
    /// The key.
    pub key: KeyId,
    /// What the owner missed.
    pub version: Version,
}

/// One message.
#[derive(Clone, Debug)]
pub enum Message {
    /// A client reads.
    Get {
        /// The key.
        key: KeyId,
        /// N, R, W.
        profile: ProfileId,
    },
    /// A client writes; also when one node passes it on to another.
    Put {
        /// The key.
        key: KeyId,
        /// N, R, W.
        profile: ProfileId,
        /// The request at the node that passed the write on, or [`RequestId::NONE`].
        forwarded: RequestId,
        /// Whether another node may be leading it already: then nobody can say that it did not happen.
        again: bool,
        /// The rest.
        put: Arc<Put>,
    },
    /// The node that got a forwarded write has taken it over.
    ForwardAck {
        /// At the node that passed it on.
        request: RequestId,
        /// Why it does not happen, if it does not: the node that passed it on knows whether another may be leading it.
        refused: Option<Outcome>,
    },
    /// Answer to a client's read.
    GetReply {
        /// How it ended.
        outcome: Outcome,
        /// The node whose answer came first.
        fastest: NodeId,
        /// What was read.
        siblings: Siblings,
    },
    /// Answer to a client's write.
    PutReply {
        /// How it ended.
        outcome: Outcome,
        /// The version written; the context to go on with.
        version: Option<Version>,
    },
    /// A coordinator reads one replica.
    Read {
        /// At the coordinator.
        request: RequestId,
        /// The key.
        key: KeyId,
    },
    /// A replica's answer.
    ReadReply {
        /// At the coordinator.
        request: RequestId,
        /// What it holds; `None` if its disk failed.
        siblings: Option<Siblings>,
    },
    /// A coordinator writes one replica.
    Write {
        /// At the coordinator.
        request: RequestId,
        /// The key.
        key: KeyId,
        /// The owner this copy is meant for, if the receiver stands in for it.
        owner: Option<NodeId>,
        /// Written through to disk although the receiver buffers (Dynamo §6.1).
        durable: bool,
        /// The version.
        version: Version,
    },
    /// A replica's answer.
    WriteAck {
        /// At the coordinator.
        request: RequestId,
        /// False if its disk failed.
        stored: bool,
    },
    /// Read repair of one replica.
    Repair {
        /// At the coordinator; answered only if the read is waiting.
        request: RequestId,
        /// The key.
        key: KeyId,
        /// What it lacks.
        version: Version,
    },
    /// A replica has taken a repair.
    RepairAck {
        /// At the coordinator.
        request: RequestId,
        /// What it lacked. On the wire the name of a version in the header would do.
        version: Version,
    },
    /// Hinted handoff: one batch for the owner.
    Hints {
        /// Number of the batch at the stand-in.
        batch: u32,
        /// The hints.
        hints: Box<Vec<HintDelivery>>,
    },
    /// The owner has stored the batch.
    HintsAck {
        /// Number of the batch at the stand-in.
        batch: u32,
    },
    /// Merkle anti-entropy.
    Exchange(Box<ExchangeMessage>),
    /// Range transfer.
    Transfer(Box<TransferMessage>),
    /// Membership.
    Gossip(Box<GossipMessage>),
    /// Are you there?
    Probe {
        /// When it was asked.
        sent_at: SimTime,
    },
    /// I am.
    ProbeAck,
    /// Phi accrual's heartbeat.
    Heartbeat,
}

/// Bytes of headers that every message carries: addresses, ids, lengths.
pub const HEADER_BYTES: u32 = 48;
/// Bytes of a key on the wire.
pub const KEY_BYTES: u32 = 16;

/// Bytes of a version on the wire.
#[inline]
pub fn version_bytes(version: &Version) -> u32 {
    version.wire_bytes() as u32
}

/// Bytes of a version's clock alone, as a context carries it.
#[inline]
fn clock_bytes(version: &Version) -> u32 {
    version_bytes(version) - version.size()
}

/// Bytes of all of a key's versions on the wire.
pub fn siblings_bytes(siblings: &Siblings) -> u32 {
    siblings.iter().map(version_bytes).sum()
}

impl Message {
    /// Bytes on the wire.
    pub fn bytes(&self) -> u32 {
        HEADER_BYTES
            + match self {
                Message::Get { .. } | Message::Read { .. } => KEY_BYTES,
                Message::Put { put, .. } => KEY_BYTES + put.size + put.context.iter().map(clock_bytes).sum::<u32>(),
                Message::GetReply { siblings, .. } => siblings_bytes(siblings),
                Message::PutReply { version, .. } => version.as_ref().map_or(0, clock_bytes),
                Message::ReadReply { siblings, .. } => siblings.as_ref().map_or(0, siblings_bytes),
                Message::Write { version, .. } | Message::Repair { version, .. } => KEY_BYTES + version_bytes(version),
                Message::Hints { hints, .. } => hints.iter().map(|h| KEY_BYTES + version_bytes(&h.version)).sum(),
                Message::Exchange(exchange) => exchange.bytes(),
                Message::Transfer(transfer) => transfer.bytes(),
                Message::Gossip(gossip) => gossip.bytes(),
                Message::ForwardAck { .. }
                | Message::WriteAck { .. }
                | Message::RepairAck { .. }
                | Message::HintsAck { .. }
                | Message::Probe { .. }
                | Message::ProbeAck
                | Message::Heartbeat => 0,
            }
    }
}

const _: () = assert!(size_of::<Message>() <= 40, "a message fits an event of 72 bytes");
