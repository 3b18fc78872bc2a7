//! One run, said as plain data: a function of scenario text, setting and seed.

use crate::kernel::dist::Dist;
use crate::kernel::ids::{GroupId, KeyId, NodeId, OpId, SessionId};
use crate::kernel::time::{SimTime, Span};
use crate::network::{CutSpec, Degrade, Leg};
use crate::node::config::ProfileId;
use crate::node::outputs::{Admin, Task};
use crate::node::replica::{DiskFate, FailingAccess};
use crate::version::MergeRule;
use crate::workload::config::{ContextRule, GroupConfig};
use crate::{network, node, ring};

/// A key that the scenario names or counts.
#[derive(Clone, PartialEq, Debug)]
pub struct KeyConfig {
    /// How results call it; its hash is its place if nothing else is said.
    pub name: String,
    /// A place of its own.
    pub place: Place,
    /// What it holds at the start, at all its replicas, as if written through the first of them.
    pub first: Option<FirstValue>,
}

/// Where a key lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Where its name's hash is.
    Hash,
    /// At this position of the circle.
    At(u128),
    /// In the first range of this node.
    First(NodeId),
}

/// A value as a script says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Literal {
    /// A text, interned in [`RunConfig::texts`].
    Text(u32),
    /// A set of texts.
    Set(Vec<u32>),
}

/// What a key holds at the start.
#[derive(Clone, PartialEq, Debug)]
pub enum FirstValue {
    /// As the scenario says.
    Literal(Literal),
    /// A value of a client group's kind, with a size drawn as its writes' are.
    OfGroup(GroupId),
}

/// When a step happens.
#[derive(Clone, PartialEq, Debug)]
pub enum When {
    /// At this time.
    At(SimTime),
    /// When an earlier step's operation has been answered or has timed out, or its fault has ended.
    After {
        /// Number of that step.
        step: u32,
        /// And so much later, in nanoseconds.
        plus: Dist,
    },
}

/// What a script says of a message's fate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LegFate {
    /// It takes exactly so long.
    Takes(Span),
    /// It is lost.
    Lost,
}

/// Fates of one operation's messages.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fates {
    /// Requests to all other nodes are lost.
    pub reaches: Option<Vec<NodeId>>,
    /// Leg, replica's end of it (all of them if none is named), fate. The last that matches counts.
    pub legs: Vec<(Leg, Option<NodeId>, LegFate)>,
}

/// Which context a scripted write carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContextSource {
    /// As clients do.
    Rule(ContextRule),
    /// That of the answer to this earlier step.
    Step(u32),
}

/// An operation of a scripted client.
#[derive(Clone, PartialEq, Debug)]
pub struct ScriptedOp {
    /// Who.
    pub session: SessionId,
    /// What.
    pub kind: ScriptedKind,
    /// On which key.
    pub key: KeyId,
    /// The node contacted; `None`: a load balancer picks one.
    pub via: Option<NodeId>,
    /// N, R, W.
    pub profile: ProfileId,
    /// The client's own timeout.
    pub timeout: Option<Span>,
    /// Exact fates of its messages.
    pub fates: Fates,
    /// The request whose luck it has, in delays and in all else that is drawn for it; its own if not given.
    pub draws: Option<OpId>,
}

/// What a scripted operation does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ScriptedKind {
    /// Reads.
    Get,
    /// Writes.
    Put {
        /// What.
        value: Literal,
        /// With which context.
        context: ContextSource,
    },
    /// Deletes.
    Delete {
        /// With which context.
        context: ContextSource,
    },
    /// Gets, merges, changes a set, puts.
    Update {
        /// Items to add.
        add: Vec<u32>,
        /// Items to take out.
        remove: Vec<u32>,
        /// How siblings are merged.
        merge: MergeRule,
    },
}

/// What is lost from a running node.
#[derive(Clone, PartialEq, Debug)]
pub enum WipeWhat {
    /// These keys.
    Keys(Vec<KeyId>),
    /// So many of the keys it holds, drawn from the seed.
    Fraction(f64),
    /// Everything.
    All,
}

/// What goes wrong.
#[derive(Clone, PartialEq, Debug)]
pub enum Fault {
    /// Processes die; `for` restarts them.
    Crash {
        /// Which.
        nodes: Vec<NodeId>,
        /// What is left of their disks.
        disk: DiskFate,
    },
    /// Data is lost from running nodes.
    Wipe {
        /// Which.
        nodes: Vec<NodeId>,
        /// What.
        what: WipeWhat,
    },
    /// Processes stop, and go on later.
    Pause {
        /// Which.
        nodes: Vec<NodeId>,
    },
    /// Nodes are slower.
    Slow {
        /// Which.
        nodes: Vec<NodeId>,
        /// Times slower.
        storage: f64,
        /// Times slower.
        network: f64,
    },
    /// Disks fail.
    DiskError {
        /// Which.
        nodes: Vec<NodeId>,
        /// On which accesses.
        on: FailingAccess,
        /// How likely.
        chance: f64,
    },
    /// Clocks are wrong.
    Skew {
        /// Which.
        nodes: Vec<NodeId>,
        /// By so many nanoseconds.
        by: i64,
    },
    /// Nothing passes.
    Cut(Vec<CutSpec>),
    /// Links are worse.
    Link {
        /// Which.
        ends: CutSpec,
        /// How.
        degrade: Degrade,
    },
}

/// What a step looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inspect {
    /// All copies of a key.
    Key(KeyId),
    /// What a node believes.
    Node(NodeId),
}

/// What a step does.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// An operation.
    Operation(ScriptedOp),
    /// A look inside.
    Inspect(Inspect),
    /// A fault.
    Fault(Fault),
    /// Crashed nodes start again.
    Restart(Vec<NodeId>),
    /// An administrator's command, said at a node.
    Admin {
        /// What.
        command: Admin,
        /// Where.
        via: NodeId,
    },
    /// A background round, now.
    Run {
        /// Which.
        task: Task,
        /// At which node.
        node: NodeId,
        /// With whom.
        with: Option<NodeId>,
    },
}

/// A version as a script expects it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpectedVersion {
    /// Its value.
    pub value: Literal,
    /// Its clock: node, counter.
    pub clock: Option<Vec<(NodeId, u32)>>,
    /// Its dot: node, counter.
    pub dot: Option<(NodeId, u32)>,
}

/// What a step must come to.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct StepExpect {
    /// How the operation ends.
    pub outcome: Option<node::message::Outcome>,
    /// Exactly these values, in any order.
    pub values: Option<Vec<Literal>>,
    /// Exactly these versions, in any order.
    pub versions: Option<Vec<ExpectedVersion>>,
    /// The clock that comes back: node, counter.
    pub context: Option<Vec<(NodeId, u32)>>,
    /// Least and greatest latency.
    pub latency: Option<(Span, Span)>,
    /// Who led the operation.
    pub coordinator: Option<NodeId>,
    /// What the judge says of the read.
    pub stale: Option<bool>,
    /// Value, number of replicas that hold it, stand-ins apart.
    pub copies: Option<Vec<(Literal, u32)>>,
    /// Node, values it holds.
    pub holders: Option<Vec<(NodeId, Vec<Literal>)>>,
    /// Stand-in, owners it holds a hint for; complete.
    pub hints: Option<Vec<(NodeId, Vec<NodeId>)>>,
    /// How the preference list begins.
    pub list: Option<Vec<NodeId>>,
    /// Members in its view; complete.
    pub members: Option<Vec<NodeId>>,
    /// Its suspects; complete.
    pub suspects: Option<Vec<NodeId>>,
}

/// One thing at one time.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// When.
    pub when: When,
    /// How long a fault lasts; `None`: to the end of the run.
    pub lasts: Option<Dist>,
    /// A fault that comes again: how often in all, and after how long.
    pub repeat: Option<(Span, u32)>,
    /// What.
    pub action: Action,
    /// What must come of it.
    pub expect: Option<StepExpect>,
}

/// A named stretch of time, to measure in.
#[derive(Clone, PartialEq, Debug)]
pub struct Window {
    /// Its name.
    pub name: String,
    /// What it covers.
    pub span: WindowSpan,
}

/// What a window covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WindowSpan {
    /// From one time to another.
    Fixed(SimTime, SimTime),
    /// From `warmup` until clients stop, or the last step is over.
    All,
    /// From then on to the end of the run.
    Settle,
    /// From `warmup` to the first fault's beginning.
    Before,
    /// From the first fault's beginning to the last one's end.
    During,
    /// From the last fault's end to `duration`.
    After,
    /// While this step lasts: a fault with an end; a join, leave or replace until all copies are in place.
    Step(u32),
}

/// What is measured and how.
#[derive(Clone, PartialEq, Debug)]
pub struct Measure {
    /// Bucket of the timeline.
    pub bucket: Span,
    /// Window of `imbalanced`.
    pub load_window: Span,
    /// How far off the mean counts as out of balance.
    pub load_tolerance: f64,
    /// Share of keys that must be equal for the cluster to count as converged.
    pub converged_share: f64,
    /// States a key that a checker may look at.
    pub check_budget: u64,
    /// Whether the run is judged: properties, lost writes, divergence.
    pub judge: bool,
    /// Whether the history is kept.
    pub history: bool,
}

/// One run.
#[derive(Clone, PartialEq, Debug)]
pub struct RunConfig {
    /// Seed of everything.
    pub seed: u64,
    /// The default window starts here.
    pub warmup: SimTime,
    /// Clients stop here. `None`: when the last step is over.
    pub duration: Option<SimTime>,
    /// The cluster runs on so long.
    pub settle: Span,
    /// The protocol.
    pub node: node::config::Config,
    /// The ring.
    pub ring: ring::Config,
    /// The network.
    pub network: network::Config,
    /// Names of the nodes.
    pub node_names: Vec<String>,
    /// Names of the regions.
    pub region_names: Vec<String>,
    /// Texts that scripts write.
    pub texts: Vec<String>,
    /// Keys known at the start, in the order of their numbers.
    pub keys: Vec<KeyConfig>,
    /// Client groups; scripted clients follow them in [`network::Config::groups`], one group each.
    pub groups: Vec<GroupConfig>,
    /// Names of scripted clients; their sessions follow those of the groups.
    pub scripted: Vec<String>,
    /// Steps of the script, then those that chaos drew.
    pub steps: Vec<Step>,
    /// Windows, `all` first, then `settle`.
    pub windows: Vec<Window>,
    /// What is measured.
    pub measure: Measure,
}
