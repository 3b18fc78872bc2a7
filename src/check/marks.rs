//! The observer that counts which rare states a run reaches: what nodes tell of themselves, and what follows from
//! operations, notes, faults and totals. It never touches the run.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::config::{Action, Fault, RunConfig};
use crate::cluster::outcome::RunEnd;
use crate::history::{Finished, Interest, Observation, Observer};
use crate::kernel::ids::{KeyId, NodeId};
use crate::kernel::time::SimTime;
use crate::network::CutSpec;
use crate::node::Node;
use crate::node::marks::{Mark, Marks};
use crate::node::message::Outcome;
use crate::node::outputs::{AppliedBy, Note};
use crate::version::{Value, Version};

/// Counts marks.
#[derive(Debug)]
pub struct Marker<'a> {
    config: &'a RunConfig,
    marks: Marks,
    down: BTreeSet<NodeId>,
    /// Who suspects whom without reason.
    mistaken: BTreeSet<(NodeId, NodeId)>,
    /// Nodes that have lost all their data and got nothing back yet.
    emptied: BTreeSet<NodeId>,
    /// Cuts that hold, by number of their step, and which side has written each key meanwhile.
    cuts: BTreeMap<u32, BTreeMap<KeyId, usize>>,
    cut_on_the_way: u64,
    duplicated: u64,
}

impl<'a> Marker<'a> {
    /// For a run.
    pub fn new(config: &'a RunConfig) -> Marker<'a> {
        Marker {
            config,
            marks: Marks::default(),
            down: BTreeSet::new(),
            mistaken: BTreeSet::new(),
            emptied: BTreeSet::new(),
            cuts: BTreeMap::new(),
            cut_on_the_way: 0,
            duplicated: 0,
        }
    }

    /// The run is over.
    pub fn finish(mut self, end: &RunEnd) -> Marks {
        for stats in &end.nodes {
            let totals = [
                (Mark::HintReplaced, stats.hints_replaced),
                (Mark::HintDuplicate, stats.hints_duplicated),
                (Mark::HintsLost, stats.hints_lost),
                (Mark::WriteForwarded, stats.forwarded),
                (Mark::LeaderCrashed, stats.requests_cut_short),
                (Mark::WriteRefused, stats.refused),
                (Mark::Misrouted, stats.misrouted),
                (Mark::ClockTruncated, stats.clock_truncated),
                (Mark::UnflushedLost, stats.keys_undone),
                (Mark::ExchangeFoundDifferences, stats.exchange_keys),
                (Mark::ExchangeSentEqual, stats.exchange_wasted),
                (Mark::ExchangeCutShort, stats.exchanges_cut_short),
            ];
            totals.into_iter().for_each(|(mark, times)| self.marks.add(mark, times));
        }
        self.marks.add(Mark::RingRefreshed, end.redirects);
        self.marks.add(Mark::CutOnTheWay, self.cut_on_the_way);
        self.marks.add(Mark::ArrivedTwice, self.duplicated);
        self.marks
    }

    fn reach(&mut self, mark: Mark) {
        self.marks.add(mark, 1);
    }

    fn on_finished(&mut self, finished: &Finished<'_>) {
        match finished.outcome {
            Outcome::TooFewReplicas => self.reach(Mark::TooFewReplicas),
            Outcome::NoCoordinator => self.reach(Mark::NoCoordinator),
            Outcome::Ok if finished.written.is_some() && finished.context.len() > 1 => {
                self.reach(Mark::SiblingsMerged);
            }
            _ => {}
        }
        if finished.read.len() > 1 {
            self.reach(Mark::SiblingsRead);
        }
        if finished.read.len() > 2 {
            self.reach(Mark::ThreeSiblingsRead);
        }
    }

    fn on_note(&mut self, node: NodeId, note: &Note, nodes: &[Node]) {
        match note {
            Note::Reached(mark) => self.reach(*mark),
            Note::HintStored { .. } => self.reach(Mark::HintStored),
            Note::HintDelivered { .. } => self.reach(Mark::HintDelivered),
            Note::HintDropped { expired: true, .. } => self.reach(Mark::HintExpired),
            Note::HintDropped { expired: false, .. } => self.reach(Mark::HintDropped),
            Note::Suspected { peer } if self.down.contains(peer) => self.reach(Mark::TrueSuspicion),
            Note::Suspected { peer } => {
                self.reach(Mark::FalseSuspicion);
                self.mistaken.insert((node, *peer));
            }
            Note::Trusted { peer } => {
                if self.mistaken.remove(&(node, *peer)) && !self.down.contains(peer) {
                    self.reach(Mark::FalseSuspicionWithdrawn);
                }
            }
            Note::RangeArrived { .. } => self.reach(Mark::RangeArrived),
            Note::Answered { attempt, .. } if *attempt > 0 => self.reach(Mark::SecondTryAnswered),
            Note::Coordinated { key, version, context, .. } => self.on_write(node, *key, version, context),
            Note::Applied { key, by, .. } => {
                if *by != AppliedBy::Write && self.emptied.remove(&node) {
                    self.reach(Mark::LostDataRepaired);
                }
                let held = nodes.get(node.index()).map_or(&[][..], |node| node.versions(*key));
                if held.iter().any(is_tombstone) && !held.iter().all(is_tombstone) {
                    self.reach(Mark::DeleteBesideWrite);
                }
            }
            Note::Answered { .. }
            | Note::Waited { .. }
            | Note::Removed { .. }
            | Note::Flushed { .. }
            | Note::Served { .. }
            | Note::Gathered { .. }
            | Note::RepairSent { .. }
            | Note::ViewChanged
            | Note::ChangeInPlace { .. } => {}
        }
    }

    /// A coordinator has made a version.
    fn on_write(&mut self, node: NodeId, key: KeyId, version: &Version, context: &[Version]) {
        if !is_tombstone(version) && context.iter().any(is_tombstone) {
            self.reach(Mark::KeyRecreated);
        }
        let mut met = 0;
        for (&step, sides) in &mut self.cuts {
            let Some(side) = side_of(self.config, step, node) else { continue };
            met += u64::from(*sides.entry(key).or_insert(side) != side);
        }
        self.marks.add(Mark::BothSidesWrote, met);
    }
}

fn is_tombstone(version: &Version) -> bool {
    matches!(version.value(), Value::Tombstone)
}

/// On which side of a cut a node is; none if it sees both, or if there are no two sides.
fn side_of(config: &RunConfig, step: u32, node: NodeId) -> Option<usize> {
    let Action::Fault(Fault::Cut(cuts)) = &config.steps.get(step as usize)?.action else { return None };
    let [CutSpec::Between(groups)] = cuts.as_slice() else { return None };
    groups.iter().position(|group| group.nodes.contains(&node))
}

impl Observer for Marker<'_> {
    fn interest(&self) -> Interest {
        Interest {
            operations: true,
            notes: true,
            changes: true,
            faults: true,
            totals: true,
            marks: true,
            ..Interest::default()
        }
    }

    fn observe(&mut self, _now: SimTime, observation: &Observation<'_>) {
        match observation {
            Observation::Finished(finished) => self.on_finished(finished),
            Observation::Node { node, note, nodes, .. } => self.on_note(*node, note, nodes),
            Observation::FaultBegins { step } => {
                if matches!(self.config.steps[*step as usize].action, Action::Fault(Fault::Cut(_))) {
                    self.cuts.insert(*step, BTreeMap::new());
                }
            }
            Observation::FaultEnds { step } => {
                self.cuts.remove(step);
            }
            Observation::Down { node, .. } => {
                self.down.insert(*node);
            }
            Observation::Up { node, .. } => {
                self.down.remove(node);
                self.mistaken.retain(|(by, _)| by != node);
            }
            Observation::DataLost { node, nodes, .. } => {
                if nodes.get(node.index()).is_some_and(|node| node.table().is_empty()) {
                    self.reach(Mark::AllDataLost);
                    self.emptied.insert(*node);
                }
            }
            Observation::WindowCloses { totals, .. } => {
                self.cut_on_the_way = totals.network.cut_on_the_way;
                self.duplicated = totals.network.all().duplicated;
            }
            Observation::FirstValue { .. }
            | Observation::Started { .. }
            | Observation::Sent { .. }
            | Observation::StepBegins { .. }
            | Observation::Placed { .. }
            | Observation::Over(_)
            | Observation::Arrived { .. }
            | Observation::WindowOpens { .. }
            | Observation::Bucket { .. }
            | Observation::LoadWindow { .. } => {}
        }
    }
}
