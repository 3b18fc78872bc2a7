//! What clients want: who they are, when they come, which keys they touch, what they do there.
//!
//! Plain data, filled in by `scenario` and checked there.

use crate::kernel::dist::Dist;
use crate::kernel::ids::{KeyId, NodeId, SessionId};
use crate::kernel::time::{SimTime, Span};
use crate::node::config::ProfileId;
use crate::version::MergeRule;

/// Spacing of an open group's arrivals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spacing {
    /// Exponential gaps.
    Poisson,
    /// Equal gaps.
    Even,
}

/// A stretch of time in which the rate is multiplied.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Phase {
    /// When it first begins.
    pub from: SimTime,
    /// How long it lasts; `None`: to the end.
    pub lasts: Option<Span>,
    /// When it begins again.
    pub every: Option<Span>,
    /// What the rate is multiplied by. Phases that overlap multiply.
    pub factor: f64,
}

/// One row of a trace.
#[derive(Clone, PartialEq, Debug)]
pub struct TraceRow {
    /// When.
    pub at: SimTime,
    /// What.
    pub operation: OperationKind,
    /// On which key.
    pub key: KeyId,
    /// Bytes of the value, for writes.
    pub size: u32,
}

/// When operations begin.
#[derive(Clone, PartialEq, Debug)]
pub enum Arrival {
    /// Whatever the answers do: latency counts from the intended start.
    Open {
        /// Operations per nanosecond of the whole group.
        rate: f64,
        /// Gaps.
        spacing: Spacing,
        /// Changes of the rate.
        phases: Vec<Phase>,
    },
    /// Each session waits for its answer, thinks, and goes on.
    Closed {
        /// Thinking time in nanoseconds.
        think: Dist,
    },
    /// As recorded.
    Trace(Vec<TraceRow>),
}

/// Which key an operation is about.
#[derive(Clone, PartialEq, Debug)]
pub enum KeyChoice {
    /// All alike.
    Uniform {
        /// Number of keys.
        count: u64,
    },
    /// The i-th most popular in proportion to 1/i^exponent.
    Zipf {
        /// Number of keys.
        count: u64,
        /// Exponent.
        exponent: f64,
    },
    /// As Zipf, counted back from the key written last.
    Latest {
        /// Number of keys.
        count: u64,
        /// Exponent.
        exponent: f64,
    },
    /// Some keys get a share of the traffic.
    Hot {
        /// Number of keys.
        count: u64,
        /// How many of them are hot.
        hot: u64,
        /// Share of the operations on hot keys.
        share: f64,
    },
    /// One after the other, from the first again after the last.
    Sequential {
        /// Number of keys.
        count: u64,
    },
    /// Every write a new key; reads go to keys of before.
    New,
    /// These.
    Only(Vec<KeyId>),
}

/// What a client does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum OperationKind {
    /// Reads.
    Get,
    /// Gets, merges, changes, puts.
    Update,
    /// An update that takes an item out.
    Remove,
    /// Puts with the context at hand.
    Put,
    /// Deletes with the context at hand.
    Delete,
    /// Puts, and reads some time after the answer.
    WriteThenRead,
}

/// What a value is and how a client merges siblings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Data {
    /// Bytes without an inside.
    Blob(MergeRule),
    /// A set, the shopping cart.
    Set(MergeRule),
    /// A counter.
    Counter(MergeRule),
}

impl Data {
    /// The merge rule.
    pub const fn merge(self) -> MergeRule {
        match self {
            Data::Blob(rule) | Data::Set(rule) | Data::Counter(rule) => rule,
        }
    }
}

/// What a put carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContextRule {
    /// The context of the session's last answer for the key, read or write.
    LastSeen,
    /// The context of its last read.
    LastRead,
    /// Nothing: a blind put.
    None,
}

/// Which node of those a load balancer has it picks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pick {
    /// Any.
    Random,
    /// One after the other.
    InTurn,
    /// Session i keeps to the i-th.
    Sticky,
}

/// Whom a client sends its request to (Dynamo §5, §6.4).
#[derive(Clone, PartialEq, Debug)]
pub enum Routing {
    /// A load balancer that knows which nodes are up, and nothing of the ring.
    LoadBalancer {
        /// The nodes it has; `None`: those of the session's region.
        among: Option<Vec<NodeId>>,
        /// How it picks.
        pick: Pick,
    },
    /// A client that knows the ring, as of its last poll, and goes to a replica.
    RingAware {
        /// Period of the polls.
        poll: Span,
    },
    /// A client that knows the ring and coordinates by itself.
    ClientDriven {
        /// Period of the polls.
        poll: Span,
    },
}

/// A group of like sessions.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupConfig {
    /// Its name.
    pub name: String,
    /// Sessions.
    pub sessions: u32,
    /// Number of the first session; the others follow.
    pub first_session: SessionId,
    /// When it begins.
    pub start: SimTime,
    /// No operation begins at or after this.
    pub stop: SimTime,
    /// Operations of one session; `None`: unlimited.
    pub operations: Option<u64>,
    /// When operations begin.
    pub arrival: Arrival,
    /// Which keys.
    pub keys: KeyChoice,
    /// Number of the first key of `keys` that are counted; key i is `first_key + i`.
    pub first_key: KeyId,
    /// Keys exist at the start.
    pub preload: bool,
    /// Operations and their weights.
    pub mix: Vec<(OperationKind, f64)>,
    /// From the write's answer to the read, in nanoseconds.
    pub read_after: Dist,
    /// What values are.
    pub data: Data,
    /// Bytes of a value.
    pub value_size: Dist,
    /// What a put carries.
    pub context: ContextRule,
    /// Whom requests go to.
    pub routing: Routing,
    /// N, R, W.
    pub profile: ProfileId,
    /// The client's own timeout; `None`: never.
    pub timeout: Option<Span>,
    /// How often a failed operation is tried again.
    pub retries: u32,
    /// A perfect lock: one operation of the group at a time.
    pub one_at_a_time: bool,
}
