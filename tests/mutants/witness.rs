//! What a run did wrong, seen from outside: by the names of writes and what their authors had read, never by
//! clocks, since clocks are among what may be wrong.

use std::collections::{BTreeMap, BTreeSet};

use dynamo_sim::cluster::Simulation;
use dynamo_sim::cluster::config::RunConfig;
use dynamo_sim::history::{Interest, Observation, Observer, OpKind};
use dynamo_sim::kernel::ids::{KeyId, NodeId, SegmentId};
use dynamo_sim::kernel::time::SimTime;
use dynamo_sim::node::Node;
use dynamo_sim::node::config::Quorum;
use dynamo_sim::node::message::Outcome;
use dynamo_sim::node::outputs::Note;
use dynamo_sim::node::stats::Stats;
use dynamo_sim::version::vector_clock::Dot;
use dynamo_sim::version::{Version, WriteId};

/// A run that is over.
pub struct Seen {
    /// Its name.
    pub digest: u128,
    /// Ids of properties that did not hold, each with an example.
    pub wrong: BTreeMap<&'static str, String>,
}

struct Witness<'a> {
    config: &'a RunConfig,
    /// Of each key, the nodes that should hold it.
    owners: Vec<Vec<NodeId>>,
    /// Of each write, all that its author knew.
    known: BTreeMap<WriteId, BTreeSet<WriteId>>,
    dots: BTreeMap<(KeyId, Dot), WriteId>,
    acked: BTreeMap<KeyId, Vec<(SimTime, WriteId)>>,
    wrong: BTreeMap<&'static str, String>,
}

impl Witness<'_> {
    fn blame(&mut self, property: &'static str, example: impl FnOnce() -> String) {
        self.wrong.entry(property).or_insert_with(example);
    }

    /// Whether one of these writes is the one asked for, or was written by somebody who knew it.
    fn covers(&self, mut held: impl Iterator<Item = WriteId>, write: WriteId) -> bool {
        held.any(|by| by == write || self.known.get(&by).is_some_and(|known| known.contains(&write)))
    }

    /// P6: whether as many nodes as were asked for have the write for good.
    fn weigh_ack(&mut self, now: SimTime, key: KeyId, write: WriteId, (w, quorum): (u8, Quorum), nodes: &[Node]) {
        let has = |node: &Node| {
            let own = node.is_flushed(key) && self.covers(node.versions(key).iter().map(Version::write), write);
            let is_owner = self.owners[key.index()].contains(&node.id());
            match quorum {
                Quorum::Strict => is_owner && own,
                Quorum::Sloppy => own || self.covers(node.hints().of_key(key).map(Version::write), write),
            }
        };
        let copies = nodes.iter().filter(|node| has(node)).count();
        if copies < usize::from(w) {
            self.blame("P6", || format!("{now:?}: {write:?} of {key:?} is acknowledged with {copies} copies"));
        }
    }

    /// P1 and L1, by the writes that the owners of each key hold at the end.
    fn weigh_end(&mut self, held: &[Vec<Vec<WriteId>>]) {
        for (key, copies) in held.iter().enumerate() {
            let key = KeyId(key as u32);
            if copies.iter().any(|copy| *copy != copies[0]) {
                self.blame("L1", || format!("{key:?}: replicas differ: {copies:?}"));
            }
            for (_, write) in self.acked.get(&key).cloned().unwrap_or_default() {
                if !self.covers(copies.iter().flatten().copied(), write) {
                    self.blame("P1", || format!("{key:?}: the acknowledged {write:?} is gone"));
                }
            }
        }
    }
}

/// L2, L3 and L6: what is wrong with the nodes as they are at the end.
fn wrong_at_rest(simulation: &mut Simulation<'_>) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    let keys = &simulation.commons().keys;
    let segments: Vec<SegmentId> = (0..keys.len()).map(|key| keys.segment(KeyId(key))).collect();
    let mut sums = Stats::default();
    simulation.nodes().iter().for_each(|node| sums.add(&node.stats));
    let pending: u64 = simulation.nodes().iter().map(|node| node.hints().len()).sum();
    let gone = sums.hints_delivered + sums.hints_expired + sums.hints_lost + sums.hints_replaced;
    if sums.hints_created != gone + pending {
        wrong.push(("L2", format!("{} hints, {gone} gone, {pending} pending", sums.hints_created)));
    }
    for node in simulation.nodes() {
        let mut roots: BTreeMap<SegmentId, u64> = BTreeMap::new();
        for (key, &segment) in segments.iter().enumerate() {
            let root = roots.entry(segment).or_default();
            *root = root.wrapping_add(node.table().hash(KeyId(key as u32)));
        }
        if let Some((segment, _)) = roots.into_iter().find(|&(segment, root)| node.root(segment) != root) {
            wrong.push(("L3", format!("{:?}: the sum of {segment:?} is not that of its keys", node.id())));
        }
        if let Some(suspect) = node.suspects().next() {
            wrong.push(("L6", format!("{:?} suspects {suspect:?} in peace", node.id())));
        }
    }
    wrong
}

impl Observer for Witness<'_> {
    fn interest(&self) -> Interest {
        Interest { operations: true, notes: true, changes: true, ..Interest::default() }
    }

    fn observe(&mut self, now: SimTime, observation: &Observation<'_>) {
        match observation {
            Observation::FirstValue { key, version } => {
                self.dots.insert((*key, version.dot()), version.write());
            }
            Observation::Node { note: Note::Coordinated { key, version, context, .. }, .. } => {
                let write = version.write();
                let mut known: BTreeSet<WriteId> = context.iter().map(Version::write).collect();
                known.extend(context.iter().filter_map(|read| self.known.get(&read.write())).flatten());
                self.known.insert(write, known);
                let first = *self.dots.entry((*key, version.dot())).or_insert(write);
                if first != write {
                    self.blame("C6", || format!("{now:?}: {key:?}: {} names {first:?} and {write:?}", version.dot()));
                }
            }
            Observation::Node { note: Note::RepairSent { key, version, .. }, .. }
                if !self.dots.contains_key(&(*key, version.dot())) =>
            {
                self.blame("L4", || format!("{now:?}: {key:?}: nobody wrote {}", version.dot()));
            }
            Observation::Node {
                note: Note::Answered { key, outcome: Outcome::Ok, version: Some(version), profile, .. },
                nodes,
                ..
            } => {
                let profile = self.config.node.profiles[usize::from(profile.0)];
                self.weigh_ack(now, *key, version.write(), (profile.w, profile.quorum), nodes);
            }
            Observation::Finished(finished) if finished.outcome == Outcome::Ok => {
                if let Some(version) = finished.written {
                    self.acked.entry(finished.key).or_default().push((now, version.write()));
                }
                if finished.kind == OpKind::Get {
                    let before = self.acked.get(&finished.key).into_iter().flatten();
                    let mut before = before.filter(|(at, _)| *at < finished.sent_at);
                    let read = || finished.read.iter().map(Version::write);
                    if let Some((_, write)) = before.find(|(_, write)| !self.covers(read(), *write)) {
                        let write = *write;
                        self.blame("P2", || format!("{now:?}: a read of {:?} misses {write:?}", finished.key));
                    }
                }
            }
            _ => {}
        }
    }
}

/// Plays a run and looks what was wrong in it.
pub fn watch(config: &RunConfig) -> Seen {
    let mut nobody: [&mut dyn Observer; 0] = [];
    let mut probe = Simulation::new(config, &mut nobody);
    let view = probe.nodes()[0].view().clone();
    let placement = probe.commons().placement(&view);
    let n = usize::from(config.node.n);
    let keys = &probe.commons().keys;
    let owners = (0..keys.len()).map(|key| placement.ring.list(keys.segment(KeyId(key)))[..n].to_vec()).collect();
    drop(probe);

    let mut witness = Witness {
        config,
        owners,
        known: BTreeMap::new(),
        dots: BTreeMap::new(),
        acked: BTreeMap::new(),
        wrong: BTreeMap::new(),
    };
    let owners = witness.owners.clone();
    let mut observers: [&mut dyn Observer; 1] = [&mut witness];
    let mut simulation = Simulation::new(config, &mut observers);
    simulation.play();
    let wrong = wrong_at_rest(&mut simulation);
    let copy = |node: NodeId, key: usize| {
        let held = simulation.nodes()[node.index()].versions(KeyId(key as u32));
        let mut writes: Vec<WriteId> = held.iter().map(Version::write).collect();
        writes.sort_unstable();
        writes
    };
    let copies = |(key, owners): (usize, &Vec<NodeId>)| owners.iter().map(|&node| copy(node, key)).collect();
    let held: Vec<Vec<Vec<WriteId>>> = owners.iter().enumerate().map(copies).collect();
    let digest = simulation.finish().digest;
    witness.weigh_end(&held);
    wrong.into_iter().for_each(|(property, example)| witness.blame(property, || example));
    Seen { digest, wrong: witness.wrong }
}
