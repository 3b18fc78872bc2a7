//! When a read would have been fresh: the threshold of every pair of a write and a read of a new key
//! (Bailis et al., "Probabilistically Bounded Staleness", §5.1).
//!
//! How long a replica's answer is under way does not depend on when the read is sent. So one pair tells for every delay
//! after the acknowledgement whether its read would have shown the write, and not only for the delay it had: a replica
//! that answered so long before it had the write would have had it, had the read been sent so much later. That holds where
//! nothing but the delays of messages decides; elsewhere there are no pairs, and freshness is told by when reads began.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::freshness::Threshold;
use crate::cluster::config::RunConfig;
use crate::history::{Finished, OpKind};
use crate::kernel::ids::{KeyId, NodeId, OpId};
use crate::kernel::time::{SimTime, Span};
use crate::node::config::Config;
use crate::node::message::Outcome;
use crate::workload::config::{GroupConfig, KeyChoice, OperationKind};

type Times = SmallVec<[(NodeId, SimTime); 4]>;

/// One pair under way.
#[derive(Clone, Debug)]
struct Trial {
    write: OpId,
    group: u16,
    windows: u64,
    /// When the writer heard that its write is done.
    acked_at: Option<SimTime>,
    /// From the acknowledgement to the sending of the read, once the read has its answer.
    read_after: Option<Span>,
    /// When replicas got the write.
    stored: Times,
    /// When replicas answered the read.
    served: Times,
    /// Whose answers counted.
    counted: SmallVec<[NodeId; 4]>,
}

fn time_of(times: &Times, node: NodeId) -> Option<SimTime> {
    times.iter().find(|(other, _)| *other == node).map(|(_, at)| *at)
}

fn note_first(times: &mut Times, node: NodeId, at: SimTime) {
    if time_of(times, node).is_none() {
        times.push((node, at));
    }
}

impl Trial {
    /// Whether nothing that is still to come can change the threshold.
    fn is_decided(&self) -> bool {
        let all_have_it = || self.counted.iter().all(|node| time_of(&self.stored, *node).is_some());
        self.threshold() == Some(Threshold::From(Span::ZERO)) || (self.read_after.is_some() && all_have_it())
    }

    /// The least delay after the acknowledgement from which on the read shows the write; `None` if the read has had no answer.
    fn threshold(&self) -> Option<Threshold> {
        let after = self.read_after?;
        let of_replica = |node: &NodeId| {
            let (stored, served) = (time_of(&self.stored, *node)?, time_of(&self.served, *node)?);
            // Had the read left so much later or earlier, the replica would have answered so much later or earlier.
            Some(if stored >= served {
                after + stored.since(served)
            } else {
                Span(after.0.saturating_sub(served.since(stored).0))
            })
        };
        Some(match self.counted.iter().filter_map(of_replica).min() {
            Some(after) => Threshold::From(after),
            None => Threshold::Never,
        })
    }
}

/// A pair whose threshold is known.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Decided {
    /// Which group.
    pub group: usize,
    /// Windows that were open when the read began.
    pub windows: u64,
    /// From when on the read shows the write.
    pub threshold: Threshold,
}

/// The pairs of all groups that write new keys and read them back.
#[derive(Clone, Debug)]
pub struct Trials {
    groups: Vec<bool>,
    open: BTreeMap<KeyId, Trial>,
}

impl Trials {
    /// Nothing yet; `None` if no group makes pairs whose thresholds the delays of messages alone decide: repairs bring
    /// writes that reads asked for, stand-ins answer from hints, and queues make one wait for the other.
    pub fn new(config: &RunConfig) -> Option<Trials> {
        let Config { read_repair, hints, storage, .. } = &config.node;
        let is_instant = storage.read.compile().is_zero() && storage.write.compile().is_zero();
        if read_repair.is_some()
            || hints.is_some()
            || !is_instant
            || storage.cache.is_some()
            || storage.buffer.is_some()
        {
            return None;
        }
        let makes_pairs = |group: &GroupConfig| {
            let mut kinds = group.mix.iter().filter(|(_, weight)| *weight > 0.0).map(|(kind, _)| *kind);
            let only = kinds.clone().all(|kind| matches!(kind, OperationKind::WriteThenRead | OperationKind::Get));
            only && kinds.any(|kind| kind == OperationKind::WriteThenRead)
                && matches!(group.keys, KeyChoice::New)
                && group.retries == 0
        };
        let groups: Vec<bool> = config.groups.iter().map(makes_pairs).collect();
        groups.contains(&true).then(|| Trials { groups, open: BTreeMap::new() })
    }

    /// An operation begins.
    pub fn started(&mut self, kind: OpKind, op: OpId, group: usize, key: KeyId, windows: u64) {
        if !self.groups.get(group).is_some_and(|makes_pairs| *makes_pairs) {
            return;
        }
        match kind {
            OpKind::Put => {
                let trial = Trial {
                    write: op,
                    group: group as u16,
                    windows,
                    acked_at: None,
                    read_after: None,
                    stored: Times::new(),
                    served: Times::new(),
                    counted: SmallVec::new(),
                };
                self.open.insert(key, trial);
            }
            OpKind::Get => {
                if let Some(trial) = self.of_read(op, key) {
                    trial.windows = windows;
                }
            }
            OpKind::Update | OpKind::Delete => {}
        }
    }

    /// The trial whose read this is.
    fn of_read(&mut self, op: OpId, key: KeyId) -> Option<&mut Trial> {
        self.open.get_mut(&key).filter(|trial| trial.write.0 + 1 == op.0)
    }

    /// A replica has got a version of a key.
    pub fn stored(&mut self, now: SimTime, node: NodeId, key: KeyId) -> Option<Decided> {
        note_first(&mut self.open.get_mut(&key)?.stored, node, now);
        self.close_if_decided(key)
    }

    /// A node has lost what it held: of one key, or of all.
    pub fn lost(&mut self, node: NodeId, key: Option<KeyId>) {
        let forget = |trial: &mut Trial| trial.stored.retain(|(other, _)| *other != node);
        match key {
            Some(key) => self.open.get_mut(&key).into_iter().for_each(forget),
            None => self.open.values_mut().for_each(forget),
        }
    }

    /// A replica answers a read.
    pub fn served(&mut self, now: SimTime, node: NodeId, op: OpId, key: KeyId) {
        if let Some(trial) = self.of_read(op, key) {
            note_first(&mut trial.served, node, now);
        }
    }

    /// These replicas' answers are what a read shows.
    pub fn gathered(&mut self, op: OpId, key: KeyId, from: &[NodeId]) {
        if let Some(trial) = self.of_read(op, key) {
            trial.counted = from.into();
        }
    }

    /// An operation is over.
    pub fn finished(&mut self, finished: &Finished<'_>) -> Option<Decided> {
        let key = finished.key;
        let trial = self.open.get_mut(&key)?;
        let ok = finished.outcome == Outcome::Ok;
        match finished.kind {
            OpKind::Put if trial.write == finished.op && ok => trial.acked_at = Some(finished.ended_at),
            OpKind::Get if trial.write.0 + 1 == finished.op.0 && ok => {
                trial.read_after = trial.acked_at.map(|acked| finished.sent_at.since(acked));
                return self.close_if_decided(key);
            }
            OpKind::Get if trial.write.0 + 1 != finished.op.0 => {}
            // Without both there is no pair.
            _ => drop(self.open.remove(&key)),
        }
        None
    }

    fn close_if_decided(&mut self, key: KeyId) -> Option<Decided> {
        if !self.open.get(&key)?.is_decided() {
            return None;
        }
        decided(&self.open.remove(&key)?)
    }

    /// The run is over. A replica that has not got the write by now counts as one that never does.
    pub fn finish(self) -> impl Iterator<Item = Decided> {
        self.open.into_values().filter_map(|trial| decided(&trial))
    }
}

fn decided(trial: &Trial) -> Option<Decided> {
    let threshold = trial.threshold()?;
    Some(Decided { group: usize::from(trial.group), windows: trial.windows, threshold })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: OpId = OpId(4);
    const READ: OpId = OpId(5);
    const KEY: KeyId = KeyId(9);

    fn ms(ms: u64) -> SimTime {
        SimTime(ms * 1_000_000)
    }

    /// A pair whose write is acknowledged at 10 ms and whose read is sent at 12 ms; replicas 0 and 1 answer it at 15 and 16 ms.
    fn pair(stored: [Option<u64>; 2]) -> Trial {
        let times = stored.iter().enumerate().filter_map(|(node, at)| Some((NodeId(node as u32), ms((*at)?))));
        Trial {
            write: WRITE,
            group: 0,
            windows: 1,
            acked_at: Some(ms(10)),
            read_after: Some(Span::from_ms(2)),
            stored: times.collect(),
            served: [(NodeId(0), ms(15)), (NodeId(1), ms(16))].into_iter().collect(),
            counted: [NodeId(0), NodeId(1)].into_iter().collect(),
        }
    }

    #[test]
    fn the_replica_that_gets_the_write_first_decides() {
        let after = |ms| Some(Threshold::From(Span::from_ms(ms)));
        // Replica 0 answered at 15 ms what it got at 40 ms: 25 ms later the read would have been fresh.
        assert_eq!(pair([Some(40), Some(90)]).threshold(), after(27));
        assert_eq!(pair([Some(90), Some(40)]).threshold(), after(26));
        // It had it a millisecond before, and could have been asked a millisecond earlier.
        assert_eq!(pair([Some(14), Some(90)]).threshold(), after(1));
        // It had it long before the acknowledgement: at once.
        assert_eq!(pair([Some(1), None]).threshold(), after(0));
        assert_eq!(pair([None, Some(16)]).threshold(), after(2));
        assert_eq!(pair([None, None]).threshold(), Some(Threshold::Never));
    }

    #[test]
    fn a_pair_waits_until_all_who_count_have_the_write() {
        let mut trials = Trials { groups: vec![true], open: BTreeMap::new() };
        trials.open.insert(KEY, pair([Some(40), None]));
        assert_eq!(trials.stored(ms(80), NodeId(2), KEY), None, "its answer did not count");
        let decided = trials.stored(ms(90), NodeId(1), KEY).expect("all who count have it");
        assert_eq!(decided, Decided { group: 0, windows: 1, threshold: Threshold::From(Span::from_ms(27)) });
        assert!(trials.open.is_empty());
        trials.open.insert(KEY, pair([None, None]));
        assert_eq!(trials.finish().map(|one| one.threshold).collect::<Vec<_>>(), [Threshold::Never]);
    }

    #[test]
    fn what_a_node_has_lost_it_does_not_have() {
        let mut trials = Trials { groups: vec![true], open: BTreeMap::new() };
        trials.open.insert(KEY, pair([Some(14), None]));
        trials.lost(NodeId(0), Some(KeyId(1)));
        assert_eq!(trials.open[&KEY].threshold(), Some(Threshold::From(Span::from_ms(1))));
        trials.lost(NodeId(0), None);
        assert_eq!(trials.open[&KEY].threshold(), Some(Threshold::Never));
    }

    #[test]
    fn only_the_read_of_its_own_write_counts() {
        let mut trials = Trials { groups: vec![true, false], open: BTreeMap::new() };
        trials.started(OpKind::Put, WRITE, 0, KEY, 1);
        trials.started(OpKind::Put, OpId(8), 1, KeyId(10), 1);
        assert_eq!(trials.open.len(), 1, "the other group makes no pairs");
        trials.gathered(OpId(7), KEY, &[NodeId(2)]);
        assert!(trials.open[&KEY].counted.is_empty());
        trials.gathered(READ, KEY, &[NodeId(2)]);
        assert_eq!(trials.open[&KEY].counted.as_slice(), [NodeId(2)]);
    }
}
