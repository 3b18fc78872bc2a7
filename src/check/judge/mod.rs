//! The judge: an observer that knows what really happened and holds what clients, replicas and clocks say against it.
//!
//! It hears every write with the context that its client sent, every change of every replica, every answer. From that
//! it keeps the truth about causality (`ghost`), what each session has seen (`operations`), what each replica holds
//! (`replicas`), and what the world did (`world`); at the end it looks at what is left (`ending`). It cannot touch the
//! run, and what it keeps does not grow with the number of operations, histories apart: those it keeps if they are asked for.

mod ending;
mod ghost;
mod items;
mod linear;
mod operations;
mod replicas;
mod violations;
mod widening;
mod world;

use crate::cluster::config::RunConfig;
use crate::history::{Interest, Observation, Observer};
use crate::kernel::ids::{KeyId, NodeId, SessionId};
use crate::kernel::time::SimTime;
use crate::measure::judged::Judged;
use crate::node::config::Deletes;
use crate::node::outputs::Note;
use crate::version::Scheme;

use ghost::Ghost;
use linear::Linear;
use operations::Sessions;
use replicas::Replicas;
pub use violations::Violations;
use widening::Widenings;
use world::World;

/// What costs extra.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wants {
    /// Every message, to say whether cuts held.
    pub messages: bool,
    /// Histories of keys, to say whether they are linearizable.
    pub histories: bool,
    /// Histories of keys, to say by how much operations must be widened to make them atomic.
    pub widening: bool,
}

/// Judges one run.
pub struct Judge<'a> {
    config: &'a RunConfig,
    scheme: Scheme,
    /// Whether tombstones are thrown away some day.
    tombstones_go: bool,
    ghost: Ghost,
    sessions: Sessions,
    replicas: Replicas,
    world: World,
    found: Violations,
    numbers: Judged,
    linear: Option<Linear>,
    widenings: Option<Widenings>,
    hears_messages: bool,
}

impl<'a> Judge<'a> {
    /// A judge of a run that begins.
    pub fn new(config: &'a RunConfig, wants: Wants) -> Judge<'a> {
        let windows = config.windows.len().max(1);
        let groups = config.groups.len() + config.scripted.len();
        Judge {
            config,
            scheme: config.node.versioning.scheme,
            tombstones_go: config.node.deletes != (Deletes::Tombstone { keep: None }),
            ghost: Ghost::default(),
            sessions: Sessions::new(config.node.versioning.scheme),
            replicas: Replicas::new(config),
            world: World::new(config),
            found: Violations::default(),
            numbers: Judged::new(windows, groups),
            linear: wants.histories.then(|| Linear::new(config)),
            widenings: wants.widening.then(Widenings::default),
            hears_messages: wants.messages,
        }
    }

    /// What was found, and the numbers.
    pub fn finish(mut self) -> (Violations, Judged) {
        self.last_words();
        (self.found, self.numbers)
    }

    fn key_name(&self, key: KeyId) -> String {
        self.config.keys.get(key.index()).map_or_else(|| format!("key {}", key.0), |key| key.name.clone())
    }

    fn node_name(&self, node: NodeId) -> String {
        self.config.node_names.get(node.index()).cloned().unwrap_or_else(|| "a client".into())
    }

    fn session_name(&self, session: SessionId) -> String {
        let groups = &self.config.groups;
        if let Some(group) = groups.iter().rev().find(|group| group.first_session <= session)
            && session.0 < group.first_session.0 + group.sessions
        {
            return format!("{}/{}", group.name, session.0 - group.first_session.0 + 1);
        }
        let first = groups.last().map_or(0, |group| group.first_session.0 + group.sessions);
        let name = session.0.checked_sub(first).and_then(|place| self.config.scripted.get(place as usize));
        name.cloned().unwrap_or_else(|| format!("session {}", session.0))
    }
}

impl Observer for Judge<'_> {
    fn interest(&self) -> Interest {
        Interest {
            operations: true,
            notes: true,
            changes: true,
            faults: true,
            totals: true,
            messages: self.hears_messages,
            ..Interest::default()
        }
    }

    fn observe(&mut self, now: SimTime, observation: &Observation<'_>) {
        match *observation {
            Observation::FirstValue { key, version } => self.on_first_value(key, version),
            Observation::Started { op, group, windows, kind, key, part, .. } => {
                self.on_started(now, (op, kind, part), key, group, windows);
            }
            Observation::Finished(finished) => self.on_finished(now, finished),
            Observation::Node { node, note, nodes, keys } => {
                self.on_world_note(now, node, note);
                match note {
                    Note::Coordinated { op, key, version, context } => {
                        self.on_coordinated(now, node, *op, *key, version, context);
                    }
                    Note::Answered { op, attempt, key, outcome, version, profile } => {
                        let put = version.as_ref().map(|version| (*key, version, *profile));
                        self.on_answered(now, node, (*op, *attempt), *outcome, put, nodes, keys);
                    }
                    Note::Applied { key, version, by } => self.on_applied(now, node, *key, version, *by, nodes, keys),
                    Note::Removed { key } => self.on_removed(now, node, *key, nodes, keys),
                    Note::Flushed { key } => self.on_flushed(now, *key, nodes, keys),
                    Note::RepairSent { key, version, .. } => self.on_repair_sent(now, node, *key, version),
                    Note::HintStored { owner, key, version, .. } => self.on_hint_stored(node, *owner, *key, version),
                    Note::HintDropped { owner, key, expired: true } => self.on_hint_expired(node, *owner, *key, nodes),
                    _ => {}
                }
            }
            Observation::Placed { placement, nodes, keys } => self.on_placed(now, placement, nodes, keys),
            Observation::Sent { way, fate, .. } => self.on_sent(now, way, fate),
            Observation::Arrived { way, sent_at, end, .. } => self.on_arrived(now, way, sent_at, end),
            Observation::FaultBegins { step } => self.on_fault(now, step, true),
            Observation::FaultEnds { step } => self.on_fault(now, step, false),
            Observation::Down { node, crashed, nodes, keys } => {
                self.on_process(now, node, (false, crashed), nodes, keys)
            }
            Observation::Up { node, nodes, keys } => self.on_process(now, node, (true, false), nodes, keys),
            Observation::DataLost { node, crash, nodes, keys } => self.on_data_lost(now, node, crash, nodes, keys),
            Observation::Bucket { .. } => self.numbers.divergent_by_bucket.push(self.replicas.divergent()),
            Observation::Over(ending) => self.at_the_end(now, ending),
            Observation::StepBegins { .. }
            | Observation::WindowOpens { .. }
            | Observation::WindowCloses { .. }
            | Observation::LoadWindow { .. } => {}
        }
    }
}
