//! The switches of the protocol. Each changes results, so each is explicit and has one meaning.
//!
//! Plain data: `scenario` fills it in and has checked every rule between fields before a run begins.

use crate::kernel::dist::Dist;
use crate::kernel::ids::NodeId;
use crate::kernel::time::Span;
use crate::version::Scheme;

/// Strict or sloppy (Dynamo §4.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quorum {
    /// The first N healthy nodes of the preference list; stand-ins hold hints.
    Sloppy,
    /// The first N nodes and no others.
    Strict,
}

/// Whether a kind of answer counts towards R or W.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counting {
    /// It counts.
    Count,
    /// It does not.
    Ignore,
}

/// N, R and W of a class of operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Profile {
    /// How far down the preference list the operation goes.
    pub n: u8,
    /// Answers a get waits for.
    pub r: u8,
    /// Acknowledgements a put waits for.
    pub w: u8,
    /// Strict or sloppy.
    pub quorum: Quorum,
    /// The coordinator gives up after this; `None`: never.
    pub timeout: Option<Span>,
}

/// Index into [`Config::profiles`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProfileId(pub u16);

/// Which clock stamps a write under last write wins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StampClock {
    /// The coordinator's clock, which a fault can skew.
    Node,
    /// The client's clock, which is never skewed.
    Client,
    /// A Lamport counter.
    Lamport,
}

/// How versions are told apart (Dynamo §4.4).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Versioning {
    /// The clocks.
    pub scheme: Scheme,
    /// A node that has lost its disk takes a new actor id.
    pub new_id_after_wipe: bool,
    /// Who stamps, under last write wins.
    pub stamp: StampClock,
    /// Resolution of stamps, in nanoseconds, at least 1.
    pub tick: u64,
}

/// Who coordinates a write (Dynamo §6.4 and §5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteCoordinator {
    /// Any of the top N of the preference list.
    AnyOfList,
    /// The first healthy node of the list.
    First,
    /// The node that answered the preceding read fastest.
    FastestReader,
    /// Whichever node the client contacted, also outside the list.
    Contacted,
}

/// What a coordinator does with a write that would leave siblings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conflicts {
    /// Both versions are kept (Dynamo).
    Kept,
    /// The write is refused.
    Refused,
}

/// Coordination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Coordination {
    /// Who coordinates a write.
    pub write_coordinator: WriteCoordinator,
    /// After this without an answer the next node of the list is tried; `None`: never.
    pub peer_timeout: Option<Span>,
    /// Writes that would leave siblings.
    pub conflicts: Conflicts,
}

/// When a stand-in delivers its hints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deliver {
    /// At the periodic scan only.
    Scan,
    /// Also as soon as the owner is seen again.
    Recovery,
}

/// What a node does when it is back after a crash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecoveredNode {
    /// Serves at once, stale as it may be.
    Serves,
    /// Serves reads only once the hints for it have come, or the scan period has passed.
    Waits,
}

/// Hinted handoff (Dynamo §4.6).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Hints {
    /// Period of the scan; `None`: never.
    pub scan_every: Option<Span>,
    /// When else they are delivered.
    pub deliver: Deliver,
    /// After this a hint is thrown away; `None`: never.
    pub ttl: Option<Span>,
    /// Hints one node may hold.
    pub max_per_node: Option<u64>,
    /// Bytes per second one node may hand off.
    pub throttle: Option<f64>,
    /// Reads at a node that has just come back.
    pub recovered_node: RecoveredNode,
}

/// Whether the reader waits for the repair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RepairMode {
    /// After the reply (Dynamo §5).
    Async,
    /// The reply waits until the repaired replicas have acknowledged.
    Blocking,
}

/// Read repair (Dynamo §5).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ReadRepair {
    /// Before or after the reply.
    pub mode: RepairMode,
    /// How long late answers are waited for after the reply.
    pub wait: Span,
    /// Share of reads that repair.
    pub chance: f64,
}

/// Whom a node compares trees with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pairs {
    /// A random range and a random other owner of it.
    Random,
    /// Ranges and owners in turn.
    InTurn,
}

/// Merkle anti-entropy (Dynamo §4.7).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AntiEntropy {
    /// Period of a node's rounds; `None`: only when a script says so.
    pub every: Option<Span>,
    /// Choice of range and peer.
    pub pairs: Pairs,
    /// Levels below the root of a range's tree.
    pub depth: u8,
    /// Bytes per second one node may send.
    pub throttle: Option<f64>,
}

/// Direction of a gossip exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GossipMode {
    /// Both ways.
    PushPull,
    /// The caller tells.
    Push,
    /// The caller asks.
    Pull,
}

/// Whether all nodes gossip at the same instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rounds {
    /// Each at its own phase of the period.
    Spread,
    /// All together, to be compared with the synchronous model.
    Together,
}

/// Gossip (Dynamo §4.8).
#[derive(Clone, PartialEq, Debug)]
pub struct Membership {
    /// Period; `None`: never.
    pub gossip_every: Option<Span>,
    /// Direction.
    pub mode: GossipMode,
    /// Peers a round.
    pub fan_out: u32,
    /// Phases.
    pub rounds: Rounds,
    /// Nodes that everybody knows.
    pub seeds: Vec<NodeId>,
}

/// Failure detection (Dynamo §4.8.3).
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Detector {
    /// Unanswered requests make a suspect; probes clear it.
    Local {
        /// Unanswered requests in a row.
        failures: u32,
        /// Period of the probes of a suspect.
        retry_every: Span,
    },
    /// Phi accrual over heartbeats (Hayashibara et al.; exponential intervals, as in Cassandra).
    Phi {
        /// Suspicion level.
        threshold: f64,
        /// Intervals remembered for each peer.
        window: u32,
        /// Period of heartbeats.
        heartbeat_every: Span,
    },
    /// As `Local`, and suspicion is gossiped.
    Gossiped {
        /// Unanswered requests in a row.
        failures: u32,
        /// Period of the probes of a suspect.
        retry_every: Span,
    },
    /// Told by the world at once.
    Perfect,
}

/// Moving ranges to new owners (Dynamo §4.9).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Transfer {
    /// Ask before a range is sent.
    pub confirm: bool,
    /// Bytes in one message.
    pub batch: u64,
    /// Bytes per second one node may send.
    pub throttle: Option<f64>,
}

/// What a delete leaves behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deletes {
    /// A tombstone, kept so long; `None`: for ever.
    Tombstone {
        /// How long.
        keep: Option<Span>,
    },
    /// Nothing.
    Remove,
}

/// When a write is safe from the loss of a disk's tail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flush {
    /// Before it is acknowledged.
    BeforeAck,
    /// At the next periodic flush.
    Every(Span),
}

/// Objects kept in memory and written later (Dynamo §6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Buffer {
    /// Objects it holds.
    pub count: u32,
    /// Copies of each write that are written through.
    pub durable_copies: u8,
}

/// Objects whose reads are short.
#[derive(Clone, PartialEq, Debug)]
pub struct Cache {
    /// Objects it holds.
    pub count: u32,
    /// How long a hit takes, in nanoseconds.
    pub hit: Dist,
}

/// How background work shares storage with requests (Dynamo §6.5).
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Background {
    /// In one queue with them.
    Unlimited,
    /// So many tasks at a time.
    Slices {
        /// Tasks at a time.
        count: u32,
    },
    /// As many as a controller grants from the latency that requests meet.
    Admission {
        /// What the percentile of foreground latency should stay below.
        target: Span,
        /// Which percentile, 0 … 1.
        percentile: f64,
        /// Over how long it is taken.
        over: Span,
        /// Slices at most.
        slices: u32,
    },
}

/// Storage and its service times.
#[derive(Clone, PartialEq, Debug)]
pub struct Storage {
    /// Service time of a read, in nanoseconds.
    pub read: Dist,
    /// Service time of a write, in nanoseconds.
    pub write: Dist,
    /// Tasks served at a time; `None`: any number.
    pub workers: Option<u32>,
    /// When writes are durable.
    pub flush: Flush,
    /// Write buffer.
    pub buffer: Option<Buffer>,
    /// Read cache.
    pub cache: Option<Cache>,
    /// Background work.
    pub background: Background,
}

/// Everything that all nodes have in common.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Seed of the run, for streams and keyed draws.
    pub seed: u64,
    /// N of the cluster: owners of a key.
    pub n: u8,
    /// N, R, W of each class of operations; 0 is the cluster's.
    pub profiles: Vec<Profile>,
    /// Acknowledgements of stand-ins.
    pub stand_in_acks: Counting,
    /// The coordinator's own copy.
    pub own_ack: Counting,
    /// Versions.
    pub versioning: Versioning,
    /// Coordination.
    pub coordination: Coordination,
    /// Hinted handoff.
    pub hints: Option<Hints>,
    /// Read repair.
    pub read_repair: Option<ReadRepair>,
    /// Anti-entropy.
    pub anti_entropy: Option<AntiEntropy>,
    /// Gossip.
    pub membership: Membership,
    /// Failure detection.
    pub detector: Detector,
    /// Range transfer.
    pub transfer: Transfer,
    /// Deletes.
    pub deletes: Deletes,
    /// Storage.
    pub storage: Storage,
    /// Capacity of each node; service times are divided by it (0 counts as 1).
    pub capacity: Vec<f64>,
}
