//! The observer that measures a run while it goes on.
//!
//! It hears operations, totals, faults and the nodes' rare news: suspicions, hints, tasks that had to wait. What
//! comes with every write it does not ask for.
//! It never touches the run, and what it keeps does not grow with the number of operations.

use super::detection::{Detection, Draining};
use super::judged::Judged;
use super::measured::Measured;
use super::tally::{Entry, KINDS, ReadEntry, Spread, Tally, kind_index};
use super::timeline::Timeline;
use super::trials::{Decided, Trials};
use super::window::{Traffic, WindowTotals, imbalance, traffic};
use crate::cluster::config::RunConfig;
use crate::cluster::outcome::RunEnd;
use crate::history::staleness::Staleness;
use crate::history::{Finished, Interest, Observation, Observer, OpKind, Totals};
use crate::kernel::ids::NodeId;
use crate::kernel::time::SimTime;
use crate::node::message::Outcome;
use crate::node::outputs::Note;
use crate::node::stats::Stats;

/// Measures one run.
#[derive(Clone, Debug)]
pub struct Recorder {
    groups: usize,
    nodes: usize,
    load_tolerance: f64,
    capacity: Vec<f64>,
    judge: Staleness,
    /// By window, then by group.
    tallies: Vec<Tally>,
    windows: Vec<WindowTotals>,
    /// How long storage tasks waited that had to, by window, then by node.
    waits: Vec<Spread<9>>,
    timeline: Timeline,
    detection: Detection,
    draining: Draining,
    agreement_min: f64,
    last_traffic: Traffic,
    load_before: Vec<Stats>,
    trials: Option<Trials>,
}

impl Recorder {
    /// A recorder of a run.
    pub fn new(config: &RunConfig) -> Recorder {
        let groups = config.groups.len() + config.scripted.len();
        let windows = config.windows.len().max(1);
        let nodes = config.node_names.len() as u32;
        Recorder {
            groups,
            nodes: nodes as usize,
            load_tolerance: config.measure.load_tolerance,
            capacity: config.node.capacity.clone(),
            judge: Staleness::new(config.node.versioning.scheme),
            tallies: vec![Tally::default(); windows * groups],
            windows: vec![WindowTotals::default(); windows],
            waits: vec![Spread::default(); windows * nodes as usize],
            timeline: Timeline::default(),
            detection: Detection::new(nodes),
            draining: Draining::new(nodes),
            agreement_min: 1.0,
            last_traffic: Traffic::default(),
            load_before: Vec::new(),
            trials: Trials::new(config),
        }
    }

    /// The run is over; `judged` is what its judge says, if it had one.
    pub fn finish(mut self, config: &RunConfig, end: &RunEnd, judged: Option<Judged>) -> Measured {
        for window in &mut self.windows {
            window.closes(end.ended_at, &end.nodes, &self.last_traffic);
        }
        self.detection.finish(end.ended_at);
        if let Some(trials) = self.trials.take() {
            trials.finish().for_each(|decided| self.on_decided(&decided));
        }
        let pending = end.hints_pending;
        Measured::new(
            config,
            end,
            super::measured::Parts {
                groups: self.groups,
                tallies: self.tallies,
                windows: self.windows,
                timeline: self.timeline.finish(end.ended_at, pending),
                judged,
                waits: self.waits,
                detection: self.detection,
                drain_time: self.draining.longest,
                agreement_min: self.agreement_min.min(end.agreement_end),
            },
        )
    }

    #[inline]
    fn each_open(&mut self, windows: u64, group: usize, mut visit: impl FnMut(&mut Tally)) {
        let mut rest = windows;
        while rest != 0 {
            let window = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            visit(&mut self.tallies[window * self.groups + group]);
        }
    }

    fn on_decided(&mut self, decided: &Decided) {
        self.each_open(decided.windows, decided.group, |tally| tally.freshness.tried(decided.threshold, 1));
    }

    #[inline]
    fn on_finished(&mut self, now: SimTime, finished: &Finished<'_>) {
        let kind = kind_index(finished.kind);
        let group = finished.group.index();
        let ok = finished.outcome == Outcome::Ok;
        let entry = Entry {
            kind,
            outcome: finished.outcome,
            part: finished.part,
            intended_at: finished.intended_at,
            sent_at: finished.sent_at,
            ended_at: finished.ended_at,
            session: finished.session.index(),
        };
        self.each_open(finished.windows, group, |tally| tally.ended(&entry));
        if kind < 2 {
            self.timeline.ended(kind, ok, finished.ended_at.since(finished.intended_at).0);
        }
        if !ok {
            return;
        }
        match finished.kind {
            OpKind::Get => {
                let verdict = self.judge.read(finished.key, finished.sent_at, finished.read);
                self.timeline.read(verdict.is_stale());
                let read = ReadEntry {
                    sent_at: finished.sent_at,
                    verdict,
                    siblings: finished.read.len() as u64,
                    bytes: finished.read.iter().map(|version| u64::from(version.size())).sum(),
                };
                self.each_open(finished.windows, group, |tally| tally.read(&read));
            }
            OpKind::Put | OpKind::Delete => {
                if let Some(version) = finished.written {
                    self.judge.acked(now, finished.key, version);
                    let entries = version.clock().len() as u64;
                    self.each_open(finished.windows, group, |tally| tally.clock_entries.record(entries));
                }
            }
            // Its get and its put are reported apart.
            OpKind::Update => {}
        }
    }

    fn on_note(&mut self, now: SimTime, node: NodeId, note: &Note) {
        if let (Some(trials), Note::Gathered { op, key, from }) = (&mut self.trials, note) {
            trials.gathered(*op, *key, from);
        }
        // The coordinators that clients carry in themselves are no nodes of the cluster.
        if node.index() >= self.nodes {
            return;
        }
        if let Some(trials) = &mut self.trials {
            let decided = match note {
                Note::Applied { key, .. } => trials.stored(now, node, *key),
                Note::Removed { key } => {
                    trials.lost(node, Some(*key));
                    None
                }
                Note::Served { op, key } => {
                    trials.served(now, node, *op, *key);
                    None
                }
                _ => None,
            };
            decided.iter().for_each(|decided| self.on_decided(decided));
        }
        match note {
            Note::Suspected { peer } => self.detection.suspects(now, node, *peer),
            Note::Trusted { peer } => self.detection.trusts(now, node, *peer),
            Note::HintStored { owner, replaced, .. } => self.draining.stored(*owner, *replaced),
            Note::HintDelivered { owner, .. } | Note::HintDropped { owner, expired: true, .. } => {
                self.draining.gone(now, *owner);
            }
            // The store was full, so it was never held.
            Note::HintDropped { expired: false, .. } => {}
            Note::Waited { waited } => {
                let open = self.windows.iter().enumerate().filter(|(_, window)| window.is_open());
                for (window, _) in open {
                    self.waits[window * self.nodes + node.index()].record(waited.0);
                }
            }
            Note::Applied { .. }
            | Note::Coordinated { .. }
            | Note::ViewChanged
            | Note::ChangeInPlace { .. }
            | Note::RangeArrived { .. }
            | Note::Answered { .. }
            | Note::Removed { .. }
            | Note::Flushed { .. }
            | Note::RepairSent { .. }
            | Note::Served { .. }
            | Note::Gathered { .. }
            | Note::Reached(_) => {}
        }
    }

    fn on_load_window(&mut self, totals: &Totals<'_>) {
        let before = std::mem::replace(&mut self.load_before, totals.nodes.to_vec());
        let change = |node: usize| totals.nodes[node].since(&before.get(node).copied().unwrap_or_default());
        let changes: Vec<Stats> = (0..totals.nodes.len()).map(change).collect();
        let loads =
            [0, 1, 2].map(|load| imbalance(&super::load::loads(load, &changes, &self.capacity), self.load_tolerance));
        for window in self.windows.iter_mut().filter(|window| window.is_open()) {
            for (sum, share) in window.imbalance.iter_mut().zip(loads) {
                sum.0 += share;
                sum.1 += 1;
            }
        }
    }

    fn sees(&mut self, totals: &Totals<'_>) {
        self.agreement_min = self.agreement_min.min(totals.agreement);
        self.last_traffic = traffic(totals.network);
    }
}

impl Observer for Recorder {
    fn interest(&self) -> Interest {
        let pairs = self.trials.is_some();
        Interest {
            operations: true,
            notes: true,
            waits: true,
            faults: true,
            totals: true,
            changes: pairs,
            reads: pairs,
            ..Interest::default()
        }
    }

    fn observe(&mut self, now: SimTime, observation: &Observation<'_>) {
        match observation {
            Observation::FirstValue { key, version } => self.judge.first_value(*key, version),
            Observation::Started { op, kind, group, key, windows, part, .. } => {
                if let Some(trials) = &mut self.trials {
                    trials.started(*kind, *op, group.index(), *key, *windows);
                }
                let kind = kind_index(*kind);
                self.each_open(*windows, group.index(), |tally| tally.started(kind, *part));
                if !part {
                    self.timeline.started();
                }
            }
            Observation::Finished(finished) => {
                self.on_finished(now, finished);
                let decided = self.trials.as_mut().and_then(|trials| trials.finished(finished));
                decided.iter().for_each(|decided| self.on_decided(decided));
            }
            Observation::Node { node, note, .. } => self.on_note(now, *node, note),
            Observation::FaultBegins { step } => self.timeline.fault_begins(*step),
            Observation::FaultEnds { step } => {
                self.timeline.fault_ends(*step);
                self.draining.heals(now);
            }
            Observation::Down { node, .. } => self.detection.down(now, *node),
            Observation::Up { node, .. } => {
                self.detection.up(now, *node);
                self.draining.up(now, *node);
            }
            // It does not ask for messages.
            Observation::DataLost { node, .. } => {
                if let Some(trials) = &mut self.trials {
                    trials.lost(*node, None);
                }
            }
            Observation::Over(_)
            | Observation::StepBegins { .. }
            | Observation::Placed { .. }
            | Observation::Sent { .. }
            | Observation::Arrived { .. } => {}
            Observation::WindowOpens { window, totals } => {
                self.sees(totals);
                self.windows[*window as usize].opens(now, totals);
            }
            Observation::WindowCloses { window, totals } => {
                self.sees(totals);
                let traffic = self.last_traffic;
                self.windows[*window as usize].closes(now, totals.nodes, &traffic);
            }
            Observation::Bucket { totals } => {
                self.sees(totals);
                self.timeline.bucket(now, totals);
            }
            Observation::LoadWindow { totals } => {
                self.sees(totals);
                self.on_load_window(totals);
            }
        }
    }
}

const _: () = assert!(KINDS == 4, "the timeline takes gets and puts, which come first");
