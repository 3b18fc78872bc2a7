//! What a run leaves behind, apart from what its observers saw.

use crate::kernel::ids::NodeId;
use crate::kernel::time::{SimTime, Span};
use crate::node::message::Outcome;
use crate::node::stats::Stats;

/// What became of a step that expected something, or that did an operation.
#[derive(Clone, PartialEq, Debug)]
pub struct StepResult {
    /// Number of the step.
    pub step: u32,
    /// How the operation ended; nothing for inspections.
    pub outcome: Option<Outcome>,
    /// What was read: each version's value as text.
    pub values: Vec<String>,
    /// How long it took.
    pub latency: Option<Span>,
    /// Who led it.
    pub coordinator: Option<NodeId>,
    /// Whether the read missed an acknowledged write.
    pub stale: Option<bool>,
    /// What was not as expected, in sentences; empty if all was. `None`: nothing was expected.
    pub broken: Option<Vec<String>>,
}

/// One fault as it happened.
#[derive(Clone, PartialEq, Debug)]
pub struct FaultResult {
    /// Number of the step.
    pub step: u32,
    /// When it began.
    pub from: SimTime,
    /// When it ended, if it did before the run.
    pub to: Option<SimTime>,
    /// How often it bit.
    pub hits: u64,
}

/// A membership change as it happened.
#[derive(Clone, PartialEq, Debug)]
pub struct MoveResult {
    /// Number of the step.
    pub step: u32,
    /// When it was announced.
    pub from: SimTime,
    /// When all copies were in place.
    pub to: Option<SimTime>,
    /// Copies (keys times replicas) that had to move.
    pub had_to_move: u64,
    /// All copies there are (keys times N).
    pub copies: u64,
    /// Nodes that gave or took.
    pub nodes_affected: u64,
}

/// A run that is over.
#[derive(Clone, PartialEq, Debug)]
pub struct RunEnd {
    /// The name of the whole run: a hash of every event.
    pub digest: u128,
    /// Events so far and the digest there, every so often.
    pub checkpoints: Vec<(u64, u128)>,
    /// How many events there were.
    pub events: u64,
    /// When it ended.
    pub ended_at: SimTime,
    /// Steps, in the order of the script.
    pub steps: Vec<StepResult>,
    /// Faults, in the order in which they began.
    pub faults: Vec<FaultResult>,
    /// Membership changes of the script.
    pub moves: Vec<MoveResult>,
    /// Totals of each node.
    pub nodes: Vec<Stats>,
    /// How often clients that follow the ring found theirs stale and asked anew.
    pub redirects: u64,
    /// Keys each node holds at the end.
    pub stored_keys: Vec<u64>,
    /// Hints not delivered at the end.
    pub hints_pending: u64,
    /// Groups of running members whose views agree, at the end.
    pub split_rings: u64,
    /// Share of pairs of running members whose views agree, at the end.
    pub agreement_end: f64,
    /// Rounds of gossip from the last change until all views were equal, and how long it took; if they ever were.
    pub gossip_convergence: Option<(u64, Span)>,
    /// Things to know about the run.
    pub notices: Vec<String>,
}
