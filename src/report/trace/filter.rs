//! What a trace shows of all that it hears.

use smallvec::SmallVec;

use super::names::{Names, OpOf, whole};
use super::recent::Recent;
use crate::cluster::config::RunConfig;
use crate::kernel::ids::{KeyId, NodeId, OpId};
use crate::kernel::time::SimTime;

/// What a line is about, in one word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Operations of clients: begun, finished.
    Operations,
    /// Messages that serve clients.
    Messages,
    /// What coordinators make and replicas store.
    Storage,
    /// Hinted handoff.
    Hints,
    /// Read repair.
    Repair,
    /// Who suspects and trusts whom.
    Detector,
    /// Who joins and leaves, who has heard of it, what has moved.
    Membership,
    /// Steps of the script, faults, and nodes going down and up.
    Faults,
    /// Gossip, probes, anti-entropy and range transfer on the wire.
    Background,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 9] = [
        Kind::Operations,
        Kind::Messages,
        Kind::Storage,
        Kind::Hints,
        Kind::Repair,
        Kind::Detector,
        Kind::Membership,
        Kind::Faults,
        Kind::Background,
    ];

    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Operations => "operations",
            Kind::Messages => "messages",
            Kind::Storage => "storage",
            Kind::Hints => "hints",
            Kind::Repair => "repair",
            Kind::Detector => "detector",
            Kind::Membership => "membership",
            Kind::Faults => "faults",
            Kind::Background => "background",
        }
    }
}

/// What somebody asks to see, in the names of the scenario. What is empty filters nothing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Asked {
    /// Keys.
    pub keys: Vec<String>,
    /// Nodes.
    pub nodes: Vec<String>,
    /// Operations: names of steps, or like `users/2#17`.
    pub ops: Vec<String>,
    /// Kinds of lines.
    pub kinds: Vec<Kind>,
    /// From then on.
    pub from: Option<SimTime>,
    /// Up to then.
    pub to: Option<SimTime>,
    /// Also the background and the details.
    pub all: bool,
}

/// The same, in the numbers of a run.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    keys: Vec<KeyId>,
    nodes: Vec<NodeId>,
    ops: Vec<OpOf>,
    kinds: Vec<Kind>,
    from: SimTime,
    to: SimTime,
    all: bool,
}

/// What a line is about.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub kind: Kind,
    /// The word for it in JSON.
    pub event: &'static str,
    /// Only shown to who wants to see all.
    pub detail: bool,
    /// Shown whichever key and operation is asked for: what happens to all.
    pub frame: bool,
    /// Keys that it names; the key of its operation goes without saying.
    pub keys: SmallVec<[KeyId; 2]>,
    pub nodes: SmallVec<[NodeId; 3]>,
    pub op: Option<OpId>,
}

impl About {
    pub fn new(kind: Kind, event: &'static str) -> About {
        About { kind, event, detail: false, frame: false, keys: SmallVec::new(), nodes: SmallVec::new(), op: None }
    }

    pub fn detail(self, detail: bool) -> About {
        About { detail, ..self }
    }

    pub fn frame(self) -> About {
        About { frame: true, ..self }
    }

    pub fn node(mut self, node: NodeId) -> About {
        self.nodes.push(node);
        self
    }

    pub fn key(mut self, key: KeyId) -> About {
        self.keys.push(key);
        self
    }

    pub fn op(self, op: Option<OpId>) -> About {
        About { op: op.map(whole), ..self }
    }
}

impl Filter {
    pub fn new(asked: &Asked, config: &RunConfig) -> Result<Filter, String> {
        let names = Names::new(config);
        Ok(Filter {
            keys: asked.keys.iter().map(|name| names.key_named(name)).collect::<Result<_, _>>()?,
            nodes: asked.nodes.iter().map(|name| names.node_named(name)).collect::<Result<_, _>>()?,
            ops: asked.ops.iter().map(|name| names.op_named(name)).collect::<Result<_, _>>()?,
            kinds: asked.kinds.clone(),
            from: asked.from.unwrap_or(SimTime::ZERO),
            to: asked.to.unwrap_or(SimTime::MAX),
            all: asked.all,
        })
    }

    /// Whether a line is shown.
    pub fn wants(&self, now: SimTime, about: &About, recent: &Recent) -> bool {
        now >= self.from
            && now <= self.to
            && self.wants_kind(about)
            && (self.nodes.is_empty()
                || (about.frame && about.nodes.is_empty())
                || about.nodes.iter().any(|node| self.nodes.contains(node)))
            && (self.keys.is_empty() || about.frame || self.wants_keys(about, recent))
            && (self.ops.is_empty() || about.frame || about.op.is_some_and(|op| self.wants_op(op, recent)))
    }

    fn wants_kind(&self, about: &About) -> bool {
        let asked = match self.kinds.as_slice() {
            [] => self.all || about.kind != Kind::Background,
            kinds => kinds.contains(&about.kind),
        };
        asked && (self.all || !about.detail)
    }

    /// Whether this kind of line is shown at all.
    pub fn shows(&self, kind: Kind) -> bool {
        self.wants_kind(&About::new(kind, ""))
    }

    fn wants_keys(&self, about: &About, recent: &Recent) -> bool {
        about.keys.iter().any(|key| self.keys.contains(key))
            || about.op.and_then(|op| recent.key(op)).is_some_and(|key| self.keys.contains(&key))
    }

    fn wants_op(&self, op: OpId, recent: &Recent) -> bool {
        self.ops.iter().any(|wanted| match wanted {
            OpOf::Op(wanted) => whole(*wanted) == op,
            OpOf::Step(step) => recent.step(op) == Some(*step),
        })
    }
}
