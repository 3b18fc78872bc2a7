//! What replicas hold: whether they agree, never go back, and how many copies each acknowledged write has.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Judge;
use super::ghost::{Event, covers};
use crate::check::properties::Property;
use crate::cluster::config::{Action, RunConfig};
use crate::kernel::ids::{KeyId, NodeId};
use crate::kernel::time::{SimTime, Span};
use crate::measure::metrics::SessionGuarantee;
use crate::node::Node;
use crate::node::commons::Directory;
use crate::node::membership::Placement;
use crate::node::outputs::AppliedBy;
use crate::node::replica::DiskFate;
use crate::version::siblings::same_versions;
use crate::version::{Scheme, Siblings, Value, Version};

/// What one replica was last known to hold of a key.
type Held = (NodeId, Siblings);

/// What all replicas hold.
pub(super) struct Replicas {
    placement: Option<Arc<Placement>>,
    /// Whether no node joins or leaves.
    is_static: bool,
    /// By key: who holds what.
    held: Vec<SmallVec<[Held; 3]>>,
    crashed: Vec<bool>,
    /// By key: whether its live replicas differ.
    differs: Vec<bool>,
    divergent: u64,
    divergent_since: SimTime,
    /// Divergent keys times nanoseconds.
    divergent_sum: u128,
    /// Since when at most the tolerated share of keys differs.
    pub converged_since: Option<SimTime>,
    /// By key: acknowledged writes with fewer than N durable copies, and since when.
    vulnerable: Vec<Vec<(Event, SimTime)>>,
}

impl Replicas {
    pub fn new(config: &RunConfig) -> Replicas {
        Replicas {
            placement: None,
            is_static: !config.steps.iter().any(|step| matches!(step.action, Action::Admin { .. })),
            held: Vec::new(),
            crashed: vec![false; config.node_names.len()],
            differs: Vec::new(),
            divergent: 0,
            divergent_since: SimTime::ZERO,
            divergent_sum: 0,
            converged_since: Some(SimTime::ZERO),
            vulnerable: Vec::new(),
        }
    }

    /// Whether the membership never changes.
    pub fn is_static(&self) -> bool {
        self.is_static
    }

    /// Keys whose live replicas differ.
    pub fn divergent(&self) -> u64 {
        self.divergent
    }

    /// Divergent keys times nanoseconds, until now.
    pub fn divergent_sum(&self, now: SimTime) -> u128 {
        self.divergent_sum + u128::from(self.divergent) * u128::from(now.since(self.divergent_since).0)
    }

    /// The first N of the preference list.
    pub fn owners(&self, key: KeyId, keys: &Directory) -> SmallVec<[NodeId; 4]> {
        let Some(placement) = &self.placement else { return SmallVec::new() };
        let ring = &placement.ring;
        ring.replicas_of(keys.segment(key), ring.replicas()).iter().copied().collect()
    }

    pub fn held_by(&self, key: KeyId, node: NodeId) -> &[Version] {
        let held = self.held.get(key.index()).and_then(|held| held.iter().find(|(holder, _)| *holder == node));
        held.map_or(&[], |(_, held)| held.versions())
    }

    /// Remembers what a replica holds now, and returns what it held.
    fn set(&mut self, key: KeyId, node: NodeId, now: Siblings) -> Siblings {
        if key.index() >= self.held.len() {
            self.held.resize_with(key.index() + 1, SmallVec::new);
        }
        let held = &mut self.held[key.index()];
        match held.iter().position(|(holder, _)| *holder == node) {
            Some(place) if now.is_empty() => held.swap_remove(place).1,
            Some(place) => std::mem::replace(&mut held[place].1, now),
            None => {
                if !now.is_empty() {
                    held.push((node, now));
                }
                Siblings::new()
            }
        }
    }

    /// Compares the live replicas of a key anew.
    fn compare(&mut self, now: SimTime, key: KeyId, nodes: &[Node], keys: &Directory, tolerated: u64) {
        let owners = self.owners(key, keys);
        let mut live = owners.iter().filter(|owner| !self.crashed[owner.index()]).map(|owner| &nodes[owner.index()]);
        let differs = live.next().is_some_and(|first| {
            let first = first.versions(key);
            live.any(|other| !same_versions(first, other.versions(key)))
        });
        if key.index() >= self.differs.len() {
            self.differs.resize(key.index() + 1, false);
        }
        if self.differs[key.index()] != differs {
            self.divergent_sum = self.divergent_sum(now);
            self.divergent_since = now;
            self.differs[key.index()] = differs;
            self.divergent = if differs { self.divergent + 1 } else { self.divergent - 1 };
        }
        if self.divergent > tolerated {
            self.converged_since = None;
        } else if self.converged_since.is_none() {
            self.converged_since = Some(now);
        }
    }

    /// How many owners hold a write or something newer.
    fn copies(&self, key: KeyId, version: &Version, scheme: Scheme, nodes: &[Node], keys: &Directory) -> u32 {
        let owners = self.owners(key, keys);
        let holds =
            |owner: &&NodeId| nodes[owner.index()].versions(key).iter().any(|held| covers(held, version, scheme));
        owners.iter().filter(holds).count() as u32
    }

    /// How many owners hold a write or something newer on disk.
    fn durable_copies(&self, key: KeyId, version: &Version, scheme: Scheme, nodes: &[Node], keys: &Directory) -> usize {
        let owners = self.owners(key, keys);
        let holds = |owner: &&NodeId| {
            let held = nodes[owner.index()].durable_versions(key);
            held.iter().any(|held| covers(held, version, scheme))
        };
        owners.iter().filter(holds).count()
    }
}

impl Judge<'_> {
    /// So many keys may differ in a cluster that counts as converged.
    fn tolerated(&self, keys: &Directory) -> u64 {
        ((1.0 - self.config.measure.converged_share) * f64::from(keys.len())) as u64
    }

    fn compare(&mut self, now: SimTime, key: KeyId, nodes: &[Node], keys: &Directory) {
        let tolerated = self.tolerated(keys);
        self.replicas.compare(now, key, nodes, keys, tolerated);
        self.numbers.divergent_max = self.numbers.divergent_max.max(self.replicas.divergent());
    }

    fn compare_all(&mut self, now: SimTime, nodes: &[Node], keys: &Directory) {
        for key in (0..keys.len()).map(KeyId) {
            self.compare(now, key, nodes, keys);
        }
    }

    /// A node knows of a change. The ring of whoever knows most counts.
    pub(super) fn on_placed(&mut self, now: SimTime, placement: &Arc<Placement>, nodes: &[Node], keys: &Directory) {
        let is_newer = self.replicas.placement.as_ref().is_none_or(|known| {
            let rank = |placement: &Placement| (placement.in_force.len(), placement.pending.len());
            rank(placement) >= rank(known)
        });
        if !is_newer {
            return;
        }
        let is_first = self.replicas.placement.is_none();
        self.replicas.placement = Some(Arc::clone(placement));
        if is_first {
            // What replicas hold from the beginning.
            for key in (0..keys.len()).map(KeyId) {
                for node in nodes {
                    if !node.versions(key).is_empty() {
                        self.replicas.set(key, node.id(), Siblings::from(node.versions(key)));
                    }
                }
            }
        } else {
            self.compare_all(now, nodes, keys);
        }
    }

    /// A replica's copy has changed.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn on_applied(
        &mut self,
        now: SimTime,
        node: NodeId,
        key: KeyId,
        version: &Version,
        by: AppliedBy,
        nodes: &[Node],
        keys: &Directory,
    ) {
        let held = nodes[node.index()].versions(key);
        let before = self.replicas.set(key, node, Siblings::from(held));
        let scheme = self.scheme;
        if let Some(lost) = before.iter().find(|old| !held.iter().any(|new| covers(new, old, scheme)))
            && !(held.is_empty() && self.tombstones_go)
        {
            let (node, key, lost) = (self.node_name(node), self.key_name(key), self.dot_name(lost));
            self.found.add(Property::ReplicasNeverGoBack, || {
                format!("at {now} {node} has no longer {lost} of {key}, nor anything newer")
            });
        }
        self.is_known(now, node, key, version, by);
        let durable = nodes[node.index()].durable_versions(key).iter().any(|held| covers(held, version, scheme));
        let ghost = self.ghost.key_mut(key);
        if let Some(write) = ghost.find_mut(version)
            && durable
            && !write.stored_by.contains(&node)
        {
            write.stored_by.push(node);
        }
        self.follows(now, node, key, version, held);
        if held.len() > 1 {
            self.are_siblings(now, node, key, held);
        }
        self.note_newest(key, version);
        self.settle_vulnerable(now, key, nodes, keys);
        self.compare(now, key, nodes, keys);
    }

    /// Whatever a replica gets, a coordinator had made it.
    fn is_known(&mut self, now: SimTime, node: NodeId, key: KeyId, version: &Version, by: AppliedBy) {
        if self.ghost.key(key).and_then(|ghost| ghost.find(version)).is_some() {
            return;
        }
        let (node, key) = (self.node_name(node), self.key_name(key));
        let property =
            if by == AppliedBy::ReadRepair { Property::ReadRepairIsSound } else { Property::NoInventedValues };
        self.found.add(property, || format!("at {now} {node} stored of {key} what no coordinator had made"));
    }

    /// Read repair sends what exists, and makes nothing new.
    pub(super) fn on_repair_sent(&mut self, now: SimTime, node: NodeId, key: KeyId, version: &Version) {
        if self.ghost.key(key).and_then(|ghost| ghost.find(version)).is_none() {
            let (node, key) = (self.node_name(node), self.key_name(key));
            self.found.add(Property::ReadRepairIsSound, || {
                format!("at {now} {node} repairs {key} with a version of its own")
            });
        }
    }

    /// A replica that has a session's write has, or has had, what the session had written and read before it.
    fn follows(&mut self, now: SimTime, node: NodeId, key: KeyId, version: &Version, held: &[Version]) {
        let (scheme, tombstones_go) = (self.scheme, self.tombstones_go);
        let ghost = self.ghost.key_mut(key);
        let Some(write) = ghost.find(version) else { return };
        let missing = |events: &[Event]| {
            let mut events = events.iter();
            events.any(|&event| !write.past.has(event) && !ghost.covered_by(held, event, scheme, tombstones_go))
        };
        let violated =
            [!write.out_of_order[0] && missing(&write.before), !write.out_of_order[1] && missing(&write.read_before)];
        if violated == [false; 2] {
            return;
        }
        let Some(op) = write.op else { return };
        if let Some(write) = ghost.find_mut(version) {
            write.out_of_order[0] |= violated[0];
            write.out_of_order[1] |= violated[1];
        }
        for (violated, property, guarantee, what) in [
            (violated[0], Property::MonotonicWrites, SessionGuarantee::MonotonicWrites, "its write before"),
            (violated[1], Property::WritesFollowReads, SessionGuarantee::WritesFollowReads, "what it had read before"),
        ] {
            if !violated {
                continue;
            }
            if let Some((group, windows)) = self.window_of(op) {
                self.numbers.each_open(windows, group, |tally| tally.guarantees[guarantee as usize][1] += 1);
            }
            let (node, key, session) = (self.node_name(node), self.key_name(key), self.session_name(op.session()));
            self.found.add(property, || format!("at {now} {node} holds a write of {session} to {key} without {what}"));
        }
    }

    /// Siblings are concurrent, and not more than there are writers.
    fn are_siblings(&mut self, now: SimTime, node: NodeId, key: KeyId, held: &[Version]) {
        let Some(ghost) = self.ghost.key(key) else { return };
        let chains = ghost.chains;
        let covered = held.iter().find(|tombstone| {
            matches!(tombstone.value(), Value::Tombstone)
                && ghost.find(tombstone).is_some_and(|delete| {
                    held.iter().any(|other| ghost.find(other).is_some_and(|write| delete.past.has(write.event)))
                })
        });
        let covered = covered.is_some();
        if held.len() as u64 > u64::from(chains) {
            let (node, key, count) = (self.node_name(node), self.key_name(key), held.len());
            self.found.add(Property::SiblingsBounded, || {
                format!("at {now} {node} holds {count} siblings of {key}, of {chains} chains of writes")
            });
        }
        if covered {
            let (node, key) = (self.node_name(node), self.key_name(key));
            self.found
                .add(Property::TombstonesWin, || format!("at {now} {node} holds of {key} what its tombstone had seen"));
        }
    }

    /// A key has gone from a table: somebody else must have what it held.
    pub(super) fn on_removed(&mut self, now: SimTime, node: NodeId, key: KeyId, nodes: &[Node], keys: &Directory) {
        let held = nodes[node.index()].versions(key);
        let before = self.replicas.set(key, node, Siblings::from(held));
        let ghost = self.ghost.key(key);
        let missed = before.iter().find(|version| {
            let event = ghost.and_then(|ghost| ghost.find(version)).map(|write| write.event);
            let has = |held: &Version| {
                covers(held, version, self.scheme)
                    || event.zip(ghost).is_some_and(|(event, ghost)| ghost.includes(held, event))
            };
            // Not how many: on the way to others a copy may meet one that was there.
            !nodes.iter().any(|node| node.versions(key).iter().any(has) || node.hints().of_key(key).any(has))
        });
        if let Some(version) = missed
            && !self.tombstones_go
        {
            let (node, key, dot) = (self.node_name(node), self.key_name(key), self.dot_name(version));
            self.found.add(Property::OwnershipKept, || {
                format!("at {now} {node} gave up {dot} of {key}, and nobody else holds it")
            });
        }
        self.compare(now, key, nodes, keys);
    }

    /// What was in memory only is on disk.
    pub(super) fn on_flushed(&mut self, now: SimTime, key: Option<KeyId>, nodes: &[Node], keys: &Directory) {
        match key {
            Some(key) => self.settle_vulnerable(now, key, nodes, keys),
            None => {
                for key in (0..self.replicas.vulnerable.len() as u32).map(KeyId) {
                    self.settle_vulnerable(now, key, nodes, keys);
                }
            }
        }
    }

    /// A stand-in holds a hint.
    pub(super) fn on_hint_stored(&mut self, node: NodeId, owner: NodeId, key: KeyId, version: &Version) {
        if let Some(write) = self.ghost.key_mut(key).find_mut(version) {
            write.hinted_by.push((node, owner));
        }
    }

    /// A hint's time is over.
    pub(super) fn on_hint_expired(&mut self, node: NodeId, owner: NodeId, key: KeyId, nodes: &[Node]) {
        let holds = |version: &Version| nodes[node.index()].hints().of_key(key).any(|held| held.same(version));
        for write in self.ghost.key_mut(key).all_mut() {
            if write.hinted_by.contains(&(node, owner)) && !holds(&write.version) {
                write.mishaps.hint_expired = true;
            }
        }
    }

    /// The greatest stamp that a replica has stored: under last write wins that write must be there in the end.
    fn note_newest(&mut self, key: KeyId, version: &Version) {
        if matches!(self.scheme, Scheme::LastWriteWins) {
            let newest = &mut self.world.newest;
            if key.index() >= newest.len() {
                newest.resize(key.index() + 1, None);
            }
            let newest = &mut newest[key.index()];
            if newest.as_ref().is_none_or(|newest| !covers(newest, version, self.scheme)) {
                *newest = Some(version.clone());
            }
        }
    }

    /// An acknowledged write: how many copies it has, and whether it is safe already.
    pub(super) fn count_copies_at_ack(
        &mut self,
        now: SimTime,
        key: KeyId,
        version: &Version,
        nodes: &[Node],
        keys: &Directory,
    ) {
        let copies = self.replicas.copies(key, version, self.scheme, nodes, keys);
        self.numbers.copies_at_ack.record(u64::from(copies));
        self.note_copies(key, version, copies);
        let n = self.replicas.owners(key, keys).len();
        if self.replicas.durable_copies(key, version, self.scheme, nodes, keys) >= n {
            self.numbers.vulnerability.record(0);
            return;
        }
        let Some(event) = self.ghost.key(key).and_then(|ghost| ghost.find(version)).map(|write| write.event) else {
            return;
        };
        let vulnerable = &mut self.replicas.vulnerable;
        if key.index() >= vulnerable.len() {
            vulnerable.resize_with(key.index() + 1, Vec::new);
        }
        vulnerable[key.index()].push((event, now));
    }

    /// Counts a write's copies: the fewest it has had, and whether that was ever below its W.
    fn note_copies(&mut self, key: KeyId, version: &Version, copies: u32) {
        let Some(write) = self.ghost.key_mut(key).find_mut(version) else { return };
        let before = write.fewest_copies;
        write.fewest_copies = Some(before.map_or(copies, |before| before.min(copies)));
        let w = write.profile.map(|profile| u32::from(self.config.node.profiles[usize::from(profile.0)].w));
        if let Some(w) = w
            && copies < w
            && before.is_none_or(|before| before >= w)
        {
            self.numbers.below_w += 1;
        }
        let least = self.numbers.copies_min.get_or_insert(u64::MAX);
        *least = (*least).min(u64::from(copies));
    }

    /// Writes of a key that have N durable copies by now are no longer vulnerable.
    fn settle_vulnerable(&mut self, now: SimTime, key: KeyId, nodes: &[Node], keys: &Directory) {
        let Some(waiting) = self.replicas.vulnerable.get_mut(key.index()).filter(|waiting| !waiting.is_empty()) else {
            return;
        };
        let mut waiting = std::mem::take(waiting);
        let n = self.replicas.owners(key, keys).len();
        waiting.retain(|&(event, since)| {
            // Forgotten: something newer is everywhere where it was.
            let write = self.ghost.key(key).and_then(|ghost| ghost.by_event(event));
            let safe = write
                .is_none_or(|write| self.replicas.durable_copies(key, &write.version, self.scheme, nodes, keys) >= n);
            if safe {
                self.numbers.vulnerability.record(now.since(since).0);
            }
            !safe
        });
        self.replicas.vulnerable[key.index()] = waiting;
    }

    /// What never got N durable copies was vulnerable to the end.
    pub(super) fn end_vulnerable(&mut self, now: SimTime) {
        for (_, since) in std::mem::take(&mut self.replicas.vulnerable).into_iter().flatten() {
            self.numbers.vulnerability.record(now.since(since).0);
        }
    }

    /// A crash or a wipe may have taken data.
    pub(super) fn on_data_lost(
        &mut self,
        now: SimTime,
        node: NodeId,
        crash: Option<DiskFate>,
        nodes: &[Node],
        keys: &Directory,
    ) {
        let here = &nodes[node.index()];
        let mut lost_some = Vec::new();
        for key in (0..self.replicas.held.len() as u32).map(KeyId) {
            let held = here.versions(key);
            let before = self.replicas.held_by(key, node);
            if before.is_empty() || same_versions(before, held) {
                continue;
            }
            let before = self.replicas.set(key, node, Siblings::from(held));
            let ghost = self.ghost.key_mut(key);
            for version in before.iter().filter(|old| !held.iter().any(|new| new.same(old))) {
                let Some(event) = ghost.find(version).map(|write| write.event) else { continue };
                let past = ghost.find(version).map(|write| write.past.clone()).unwrap_or_default();
                // With a version goes all that it stood for.
                for write in ghost.all_mut().filter(|write| write.event == event || past.has(write.event)) {
                    match crash {
                        None | Some(DiskFate::Lost) => write.mishaps.disk_lost = true,
                        Some(DiskFate::Kept | DiskFate::TailLost) => write.mishaps.unflushed = true,
                    }
                }
            }
            lost_some.push(key);
        }
        if crash.is_none_or(|fate| fate == DiskFate::Lost) {
            for (key, ghost) in self.ghost.keys_mut() {
                for write in ghost.all_mut() {
                    let had = write.hinted_by.iter().any(|(holder, _)| *holder == node);
                    if had && !here.hints().of_key(key).any(|held| held.same(&write.version)) {
                        write.hinted_by.retain(|(holder, _)| *holder != node);
                        write.mishaps.hint_lost = true;
                    }
                }
            }
        }
        for &key in &lost_some {
            self.recount(key, nodes, keys);
            self.compare(now, key, nodes, keys);
        }
    }

    /// Counts the copies of what stands of a key anew.
    fn recount(&mut self, key: KeyId, nodes: &[Node], keys: &Directory) {
        let Some(ghost) = self.ghost.key(key) else { return };
        let standing: Vec<Version> =
            ghost.all().filter(|write| write.stands() && write.op.is_some()).map(|w| w.version.clone()).collect();
        for version in standing {
            let copies = self.replicas.copies(key, &version, self.scheme, nodes, keys);
            self.note_copies(key, &version, copies);
        }
    }

    /// A node has stopped or works again.
    pub(super) fn on_live(&mut self, now: SimTime, node: NodeId, crashed: bool, nodes: &[Node], keys: &Directory) {
        if self.replicas.crashed[node.index()] != crashed {
            self.replicas.crashed[node.index()] = crashed;
            self.compare_all(now, nodes, keys);
        }
    }

    /// The copies of what stands, at the end.
    pub(super) fn count_copies_at_the_end(&mut self, nodes: &[Node], keys: &Directory) {
        let mut all = [0u64; 2];
        let mut least: Option<u64> = None;
        for (key, ghost) in self.ghost.keys() {
            let n = self.replicas.owners(key, keys).len() as u32;
            for write in ghost.all().filter(|write| write.stands() && write.op.is_some()) {
                if write.is_tombstone() && self.tombstones_go {
                    continue;
                }
                let copies = self.replicas.copies(key, &write.version, self.scheme, nodes, keys);
                all[0] += 1;
                all[1] += u64::from(copies < n);
                least = Some(least.map_or(u64::from(copies), |least| least.min(u64::from(copies))));
            }
        }
        self.numbers.standing_and_below_n = all;
        self.numbers.copies_end_min = least;
    }

    /// How long the cluster took to become equal, and how unequal it was.
    pub(super) fn measure_convergence(&mut self, now: SimTime, quiet_since: SimTime) {
        use crate::measure::judged::Converged;
        self.numbers.divergent_end = self.replicas.divergent();
        self.numbers.divergent_by_bucket.push(self.numbers.divergent_end);
        let length = now.0.max(1);
        self.numbers.divergent_mean = self.replicas.divergent_sum(now) as f64 / length as f64;
        self.numbers.converged = match self.replicas.converged_since {
            _ if self.numbers.acked == 0 => Converged::Nothing,
            Some(since) => Converged::After(Span(since.0.saturating_sub(quiet_since.0))),
            None => Converged::Never,
        };
    }
}
