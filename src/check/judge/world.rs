//! What the world did: processes, cuts, faults, suspicions. Crashed nodes do nothing, nothing crosses a cut.

use std::collections::{BTreeMap, BTreeSet};

use super::Judge;
use crate::check::properties::Property;
use crate::cluster::config::{Action, Fates, Fault, RunConfig};
use crate::history::{Way, WayEnd};
use crate::kernel::ids::{Endpoint, GroupId, NodeId, OpId, SessionId};
use crate::kernel::time::{SimTime, Span};
use crate::network::config::{EndSet, Site};
use crate::network::{CutSpec, Fate};
use crate::node::Node;
use crate::node::commons::Directory;
use crate::node::outputs::Note;
use crate::version::Version;
use crate::workload::config::GroupConfig;

/// After the last fault nodes may need so long to trust each other again.
const GRACE: Span = Span::from_secs(3);

/// What is known of the world.
pub(super) struct World {
    up: Vec<bool>,
    crashed: Vec<bool>,
    /// Numbers of the steps whose faults are on.
    faults: Vec<u32>,
    last_fault: Option<SimTime>,
    /// Whether messages are never lost by chance outside of faults.
    lossless: bool,
    /// Scripted clients of whose messages the script itself decides.
    directed: BTreeSet<SessionId>,
    /// The last heal, or the last write that was acknowledged.
    pub last_change: SimTime,
    pub last_heal: Option<SimTime>,
    /// By observer and peer: since when it is suspected.
    pub suspected: BTreeMap<(NodeId, NodeId), SimTime>,
    /// Messages that wait for a paused process.
    waiting: BTreeMap<(Endpoint, Endpoint, OpId, u16, usize, SimTime), u32>,
    /// Under last write wins: the greatest version that any replica has stored, by key.
    pub newest: Vec<Option<Version>>,
}

impl World {
    pub fn new(config: &RunConfig) -> World {
        let nodes = config.node_names.len();
        let directed = config.steps.iter().filter_map(|step| match &step.action {
            Action::Operation(operation) if operation.fates != Fates::default() => Some(operation.session),
            _ => None,
        });
        World {
            directed: directed.collect(),
            up: vec![true; nodes],
            crashed: vec![false; nodes],
            faults: Vec::new(),
            last_fault: None,
            lossless: config.network.loss == 0.0 && config.network.links.iter().all(|link| link.loss.is_none()),
            last_change: SimTime::ZERO,
            last_heal: None,
            suspected: BTreeMap::new(),
            waiting: BTreeMap::new(),
            newest: Vec::new(),
        }
    }

    /// Whether nothing has been wrong since some time before.
    pub fn was_quiet_since(&self, began: SimTime) -> bool {
        self.lossless && self.faults.is_empty() && self.last_fault.is_none_or(|last| last + GRACE <= began)
    }

    /// Whether the script decides what becomes of messages of a client.
    pub fn is_directed(&self, session: SessionId) -> bool {
        self.directed.contains(&session)
    }

    /// Whether a fault is on.
    pub fn has_faults(&self) -> bool {
        !self.faults.is_empty()
    }

    pub fn is_up(&self, node: NodeId) -> bool {
        self.up.get(node.index()).copied().unwrap_or(true)
    }
}

impl Judge<'_> {
    /// A node's news: a process that is gone has none.
    pub(super) fn on_world_note(&mut self, now: SimTime, node: NodeId, note: &Note) {
        if self.world.crashed.get(node.index()).copied().unwrap_or(false) {
            let node = self.node_name(node);
            self.found.add(Property::CrashesHold, || format!("at {now} {node} acts though it has crashed: {note:?}"));
        }
        match note {
            Note::Suspected { peer } => {
                self.world.suspected.entry((node, *peer)).or_insert(now);
            }
            Note::Trusted { peer } => {
                self.world.suspected.remove(&(node, *peer));
            }
            Note::ViewChanged => self.world.last_change = now,
            _ => {}
        }
    }

    pub(super) fn on_fault(&mut self, now: SimTime, step: u32, begins: bool) {
        if begins {
            self.world.faults.push(step);
        } else if let Some(place) = self.world.faults.iter().position(|&on| on == step) {
            self.world.faults.swap_remove(place);
            self.world.last_heal = Some(now);
            self.world.last_change = now;
        }
        self.world.last_fault = Some(now);
    }

    pub(super) fn on_process(
        &mut self,
        now: SimTime,
        node: NodeId,
        (up, crashed): (bool, bool),
        nodes: &[Node],
        keys: &Directory,
    ) {
        self.world.up[node.index()] = up;
        self.world.crashed[node.index()] = crashed;
        if !up && crashed {
            // What it suspected it has forgotten.
            self.world.suspected.retain(|(observer, _), _| *observer != node);
        }
        self.on_live(now, node, crashed, nodes, keys);
    }

    /// A message leaves: its sender runs, and no cut lies before it.
    pub(super) fn on_sent(&mut self, now: SimTime, way: Way, fate: Fate) {
        if !matches!(fate, Fate::Lost(_)) {
            self.crosses_no_cut(now, way);
        }
        if let Some(node) = way.from.as_node()
            && self.world.crashed.get(node.index()).copied().unwrap_or(false)
        {
            let node = self.node_name(node);
            self.found.add(Property::CrashesHold, || format!("at {now} {node} sends though it has crashed"));
        }
    }

    /// A message has arrived: was there a cut between its ends?
    pub(super) fn on_arrived(&mut self, now: SimTime, way: Way, sent_at: SimTime, end: WayEnd) {
        if way.from == way.to || !matches!(end, WayEnd::Taken | WayEnd::ReceiverPaused) {
            return;
        }
        // What waits for a paused process has arrived already.
        let name = (way.from, way.to, way.op, way.attempt, way.leg.index(), sent_at);
        if end == WayEnd::ReceiverPaused {
            *self.world.waiting.entry(name).or_insert(0u32) += 1;
        } else if let Some(waiting) = self.world.waiting.get_mut(&name) {
            *waiting -= 1;
            if *waiting == 0 {
                self.world.waiting.remove(&name);
            }
            return;
        }
        self.crosses_no_cut(now, way);
    }

    fn crosses_no_cut(&mut self, now: SimTime, way: Way) {
        let config = self.config;
        if way.from == way.to {
            return;
        }
        let crosses = |cut: &CutSpec| match cut {
            CutSpec::OneWay { from, to } => is_in(config, from, way.from) && is_in(config, to, way.to),
            CutSpec::Between(sides) => {
                let side = |end| sides.iter().position(|side| is_in(config, side, end));
                matches!((side(way.from), side(way.to)), (Some(from), Some(to)) if from != to)
            }
        };
        let cut = self.world.faults.iter().find(|&&step| {
            matches!(&config.steps[step as usize].action, Action::Fault(Fault::Cut(cuts)) if cuts.iter().any(crosses))
        });
        if let Some(&step) = cut {
            let name = config.steps[step as usize].name.clone().unwrap_or_else(|| format!("step {step}"));
            self.found.add(Property::CutsHold, || format!("at {now} a message crossed the cut {name}: {way:?}"));
        }
    }
}

/// Whether a node or client is in a set.
fn is_in(config: &RunConfig, set: &EndSet, end: Endpoint) -> bool {
    let network = &config.network;
    match (end.as_node(), end.as_client()) {
        (Some(node), _) => set.nodes.contains(&node) || set.regions.contains(&network.nodes[node.index()].region),
        (None, Some(session)) => {
            let group = group_of(config, session);
            let region = match network.groups.get(group.index()) {
                Some(Site::Region(region)) => Some(*region),
                Some(Site::Rack(place)) => Some(place.region),
                Some(Site::Spread) => Some(session.0 % network.regions),
                Some(Site::Nowhere) | None => None,
            };
            set.groups.contains(&group) || region.is_some_and(|region| set.regions.contains(&region))
        }
        (None, None) => false,
    }
}

/// The group of a session; scripted clients follow the others, one group each.
fn group_of(config: &RunConfig, session: SessionId) -> GroupId {
    let sessions = |group: &GroupConfig| group.first_session.0..group.first_session.0 + group.sessions;
    let of_group = config.groups.iter().position(|group| sessions(group).contains(&session.0));
    let first = config.groups.last().map_or(0, |group| group.first_session.0 + group.sessions);
    GroupId(of_group.unwrap_or_else(|| config.groups.len() + session.0.saturating_sub(first) as usize) as u16)
}
