//! How nodes coordinate, repair, gossip and store (the format's section 3, second half).

use super::super::containers::{Mechanism, OrNever, OrUnlimited};
use super::super::decode::{Decode, Definitions, choice, object, words};
use super::super::errors::Errors;
use super::super::json::Node;
use super::super::names::Name;
use super::super::numbers::Fraction;
use super::super::scalars::{Size, Throughput};
use super::distribution::DistSpec;
use crate::kernel::time::Span;

object! {
    /// Who leads a request, and how long it waits.
    pub struct Coordination {
        /// Who leads a write.
        write_coordinator: WriteCoordinator = "any_of_list",
        /// Until a request has failed.
        timeout: OrNever = "1s",
        /// Until the next node of the list is tried.
        peer_timeout: OrNever = "100ms",
        /// What becomes of a write that conflicts with what is stored.
        conflicts: Conflicts = "kept",
    }
}

words! {
    /// Who leads a write.
    pub enum WriteCoordinator {
        /// Any of the first N of the list.
        AnyOfList = "any_of_list",
        /// The first of the list.
        First = "first",
        /// The node that answered the preceding read fastest (Dynamo §5).
        FastestReader = "fastest_reader",
        /// The node that the client contacted, also outside the list.
        Contacted = "contacted",
    }
}

words! {
    /// What becomes of a write that conflicts with what is stored.
    pub enum Conflicts {
        /// Both versions are kept.
        Kept = "kept",
        /// The write is refused.
        Refused = "refused",
    }
}

object! {
    /// Hinted handoff.
    pub struct Hints {
        /// How often a stand-in looks for hints to deliver.
        scan_every: Span = "10s",
        /// When hints are delivered.
        deliver: Delivery = "scan",
        /// A hint is dropped after this long.
        ttl: OrNever = "never",
        /// Hints that a node holds at most.
        max_per_node: OrUnlimited<u32> = "unlimited",
        /// How fast hints are sent.
        throttle: OrUnlimited<Throughput> = "unlimited",
        /// Whether a node that is back serves before its hints have come.
        recovered_node: RecoveredNode = "serves",
    }
}

words! {
    /// When hints are delivered.
    pub enum Delivery {
        /// At a scan.
        Scan = "scan",
        /// Also when the owner is seen again.
        Recovery = "recovery",
    }
}

words! {
    /// Whether a node that is back serves before its hints have come.
    pub enum RecoveredNode {
        /// It serves at once.
        Serves = "serves",
        /// It waits for its hints.
        Waits = "waits",
    }
}

object! {
    /// Stale replicas are written to after a read.
    pub struct ReadRepair {
        /// Whether the client waits for it.
        mode: RepairMode = "async",
        /// How long late answers are waited for.
        wait: Span = "100ms",
        /// The chance that a read repairs.
        chance: Fraction = 1.0,
    }
}

words! {
    /// Whether the client waits for read repair.
    pub enum RepairMode {
        /// After the reply.
        Async = "async",
        /// Before the reply.
        Blocking = "blocking",
    }
}

object! {
    /// Replicas compare Merkle trees.
    pub struct AntiEntropy {
        /// How often, per node.
        every: OrNever = "1min",
        /// With whom.
        pairs: Pairs = "random",
        /// Levels below the root of a range's tree.
        depth: u32 = 10,
        /// How fast keys are sent.
        throttle: OrUnlimited<Throughput> = "unlimited",
    }
}

words! {
    /// With whom a node compares its trees.
    pub enum Pairs {
        /// Another replica by chance.
        Random = "random",
        /// The others in turn.
        InTurn = "in_turn",
    }
}

object! {
    /// Gossip of the members.
    pub struct Membership {
        /// How often, per node.
        gossip_every: OrNever = "1s",
        /// Who learns from whom.
        mode: GossipMode = "push_pull",
        /// How many others are told at once.
        fan_out: u32 = 1,
        /// Whether the nodes gossip at one moment.
        rounds: Rounds = "spread",
        /// Nodes that every node knows; default: the first.
        seeds: Option<Vec<Name>>,
    }
}

words! {
    /// Who learns from whom.
    pub enum GossipMode {
        /// Both.
        PushPull = "push_pull",
        /// The one that is called.
        Push = "push",
        /// The one that calls.
        Pull = "pull",
    }
}

words! {
    /// Whether the nodes gossip at one moment.
    pub enum Rounds {
        /// Spread over the period.
        Spread = "spread",
        /// All together.
        Together = "together",
    }
}

choice! {
    /// Who is believed to be down.
    pub enum Detector {
        /// By unanswered requests, each node for itself (Dynamo §4.8.3).
        local => Local(LocalDetector),
        /// Phi accrual over heartbeats.
        phi => Phi(PhiDetector),
        /// As `local`; suspicion is gossiped.
        gossiped => Gossiped(LocalDetector),
        /// Knows at once; for exact scripts and as a baseline.
        perfect => Perfect,
    }
}

object! {
    /// By unanswered requests.
    pub struct LocalDetector {
        /// Unanswered requests in a row.
        failures: u32 = 1,
        /// How often a suspect is tried again.
        retry_every: Span = "1s",
    }
}

object! {
    /// Phi accrual.
    pub struct PhiDetector {
        /// Suspicion above this.
        threshold: f64 = 8,
        /// Heartbeats remembered.
        window: u32 = 1000,
        /// How often a node is heard of.
        heartbeat_every: Span = "1s",
    }
}

object! {
    /// How ranges are handed over.
    pub struct Transfer {
        /// Ask before a range is sent.
        confirm: bool = true,
        /// How much is sent at once.
        batch: Size = "1MB",
        /// How fast.
        throttle: OrUnlimited<Throughput> = "unlimited",
    }
}

object! {
    /// What reading and writing costs a node.
    pub struct Storage {
        /// Time of a read.
        read: DistSpec<Span> = "0s",
        /// Time of a write.
        write: DistSpec<Span> = "0s",
        /// Requests served at once.
        workers: OrUnlimited<u32> = 1,
        /// When a write is safe from a crash.
        flush: Flush = "before_ack",
        /// Objects in memory before they are written (Dynamo §6.1).
        buffer: Mechanism<Buffer> = "off",
        /// Objects in memory to be read again.
        cache: Mechanism<Cache> = "off",
        /// What background work may take (Dynamo §6.5).
        background: Background = "unlimited",
    }
}

/// When a write is safe from a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Before it is acknowledged.
    BeforeAck,
    /// At the next multiple of this period.
    Every(Span),
}

impl Decode for Flush {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match node.as_text() {
            Some("before_ack") => Some(Flush::BeforeAck),
            Some(text) if text.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                cx.error(
                    &node.origin,
                    format!("unknown value (got {text:?}, allowed \"before_ack\" or a period like \"1s\")"),
                );
                None
            }
            _ => Span::decode(node, cx).map(Flush::Every),
        }
    }
    fn schema(defs: &mut Definitions) -> serde_json::Value {
        serde_json::json!({ "oneOf": [{ "const": "before_ack" }, Span::schema(defs)] })
    }
}

object! {
    /// Objects in memory before they are written.
    pub struct Buffer {
        /// How many.
        count: u32 = 1000,
        /// Copies of a write that are written through.
        durable_copies: u32 = 0,
    }
}

object! {
    /// Objects in memory to be read again.
    pub struct Cache {
        /// How many.
        count: u32 = 1000,
        /// Time of a read that finds its object there.
        hit: DistSpec<Span> = "50us",
    }
}

choice! {
    /// What background work may take.
    pub enum Background {
        /// As much as there is.
        unlimited => Unlimited,
        /// So many at once.
        slices => Slices(Slices),
        /// The paper's controller (Dynamo §6.5).
        admission => Admission(Admission),
    }
}

object! {
    /// A fixed number of background tasks at once.
    pub struct Slices {
        /// How many.
        count: u32 = 4,
    }
}

object! {
    /// As many background tasks as foreground latency allows.
    pub struct Admission {
        /// The latency to stay below.
        target: Span = "50ms",
        /// Of this quantile.
        percentile: Fraction = 0.99,
        /// Measured over this long.
        over: Span = "60s",
        /// At most so many at once.
        slices: u32 = 16,
    }
}
