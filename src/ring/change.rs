//! Joins, leaves and replacements: a new ring from an old one (Dynamo §4.8.1, §4.9, §6.2).
//!
//! With tokens a change of membership is a change of whose tokens count. With equal partitions a
//! joining node steals its fair part from those that have most and a leaving node returns its own
//! to those that have least, so each node stays within one of its fair part. Each is a pure
//! function of the layout, the old ring and the node.

use crate::kernel::ids::NodeId;
use crate::kernel::rng::{Purpose, Stream};

use super::layout::{Assignment, Layout, RingKind};
use super::place::Ring;

/// The stream of the whole ring and those of steals lie beyond those of the nodes' tokens.
const WHOLE_RING: u64 = 1 << 33;
const STEALS: u64 = 1 << 32;

impl Layout {
    /// The ring after a node joins.
    ///
    /// # Panics
    /// If the node is a member already.
    pub fn after_join(&self, ring: &Ring, node: NodeId) -> Ring {
        assert!(!ring.is_member(node), "a member does not join");
        let mut members = ring.members.clone();
        members.push(node);
        members.sort_unstable();
        let owners = if self.has_partitions() && self.holds_data(node) { self.steal(ring, &members, node) } else { ring.owners.clone() };
        self.ring(members, ring.seat.clone(), owners)
    }

    /// The ring after a node leaves.
    ///
    /// # Panics
    /// If the node is no member, or the last one that holds data.
    pub fn after_leave(&self, ring: &Ring, node: NodeId) -> Ring {
        assert!(ring.is_member(node), "only a member leaves");
        let mut members = ring.members.clone();
        members.retain(|&member| member != node);
        let owners = if self.has_partitions() { self.give_back(ring, &members, node) } else { ring.owners.clone() };
        self.ring(members, ring.seat.clone(), owners)
    }

    /// The ring after `new` has taken over exactly the tokens or partitions of `old`.
    ///
    /// # Panics
    /// If `old` is no member or `new` is one.
    pub fn after_replace(&self, ring: &Ring, old: NodeId, new: NodeId) -> Ring {
        assert!(ring.is_member(old) && !ring.is_member(new), "a new node replaces a member");
        let substitute = |list: &[NodeId]| list.iter().map(|&node| if node == old { new } else { node }).collect::<Vec<_>>();
        let mut members = substitute(&ring.members);
        members.sort_unstable();
        let mut seat = ring.seat.clone();
        // Swapped, not copied: should `old` join again, it finds tokens that nobody uses.
        seat.swap(old.index(), new.index());
        self.ring(members, seat, substitute(&ring.owners))
    }

    fn has_partitions(&self) -> bool {
        matches!(self.config.kind, RingKind::EqualPartitions { .. } | RingKind::Owners(_))
    }

    fn steal(&self, ring: &Ring, members: &[NodeId], node: NodeId) -> Vec<NodeId> {
        let mut owners = ring.owners.clone();
        let mut stream = Stream::new(self.config.seed, Purpose::Placement, STEALS | u64::from(node.0));
        let fair = self.fair_parts(members, owners.len());
        let mut held = partitions_of(&owners, fair.len());
        // Each donor gives its partitions in a random order.
        for list in &mut held {
            stream.shuffle(list);
        }
        let mut stolen = 0.0;
        loop {
            let excess = |n: NodeId| held[n.index()].len() as f64 - fair[n.index()];
            let others = || members.iter().copied().filter(|&n| n != node && !held[n.index()].is_empty());
            let Some(most) = others().map(excess).max_by(f64::total_cmp) else { break };
            let wanted = fair[node.index()];
            if stolen + 1.0 > wanted && (most < 1.0 || stolen >= wanted) {
                break;
            }
            let donors: Vec<NodeId> = others().filter(|&n| excess(n) == most).collect();
            let donor = donors[stream.below(donors.len() as u64) as usize];
            let list = &mut held[donor.index()];
            let choice = list.iter().position(|&p| !self.near(&owners, p, node)).unwrap_or(0);
            owners[list.remove(choice) as usize] = node;
            stolen += 1.0;
        }
        owners
    }

    fn give_back(&self, ring: &Ring, members: &[NodeId], node: NodeId) -> Vec<NodeId> {
        let mut owners = ring.owners.clone();
        let mut stream = Stream::new(self.config.seed, Purpose::Placement, STEALS | u64::from(node.0));
        let fair = self.fair_parts(members, owners.len());
        let held = partitions_of(&owners, fair.len());
        let mut counts: Vec<f64> = held.iter().map(|list| list.len() as f64).collect();
        for &partition in &held[node.index()] {
            let excess = |n: NodeId| counts[n.index()] - fair[n.index()];
            let others = || members.iter().copied().filter(|&n| self.holds_data(n));
            let least = others().map(excess).min_by(f64::total_cmp).expect("a member that holds data remains");
            let equal: Vec<NodeId> = others().filter(|&n| excess(n) == least).collect();
            let apart: Vec<NodeId> = equal.iter().copied().filter(|&n| !self.near(&owners, partition, n)).collect();
            let heirs = if apart.is_empty() { equal } else { apart };
            let heir = heirs[stream.below(heirs.len() as u64) as usize];
            owners[partition as usize] = heir;
            counts[heir.index()] += 1.0;
        }
        owners
    }

    /// Whether a node owns a partition fewer than N steps from this one. Neighbours with one owner
    /// make the walk step over it, which moves more than the one copy.
    fn near(&self, owners: &[NodeId], partition: u32, node: NodeId) -> bool {
        let reach = (self.config.replicas as usize).saturating_sub(1).min(owners.len() / 2);
        let at = partition as usize + owners.len();
        (at - reach..=at + reach).any(|p| owners[p % owners.len()] == node)
    }

    /// By node, the exact fair part of the partitions; 0 for those that get none.
    fn fair_parts(&self, members: &[NodeId], partitions: usize) -> Vec<f64> {
        let total: f64 = members.iter().map(|&member| self.weight(member)).sum();
        let mut fair = vec![0.0; self.config.nodes.len()];
        for &member in members {
            fair[member.index()] = partitions as f64 * self.weight(member) / total;
        }
        fair
    }
}

/// Owners of the partitions at the start: each node has its fair part, rounded so that the sum is
/// right, the largest remainders up.
pub(super) fn assign(layout: &Layout, members: &[NodeId], assignment: Assignment) -> Vec<NodeId> {
    let partitions = layout.segments();
    let fair = layout.fair_parts(members, partitions as usize);
    let mut counts: Vec<u32> = fair.iter().map(|&part| part as u32).collect();
    let mut by_rest: Vec<NodeId> = members.iter().copied().filter(|&member| layout.holds_data(member)).collect();
    by_rest.sort_by(|a, b| fair[b.index()].fract().total_cmp(&fair[a.index()].fract()));
    let missing = partitions - counts.iter().sum::<u32>();
    for node in by_rest.iter().cycle().take(missing as usize) {
        counts[node.index()] += 1;
    }
    // The j-th of a node's c partitions belongs at (j + 1/2)/c of the circle. Equal counts make turns.
    let mut wishes: Vec<(u64, u64, NodeId)> = Vec::new();
    for &member in members {
        let count = u64::from(counts[member.index()]);
        wishes.extend((0..count).map(|j| (2 * j + 1, count, member)));
    }
    wishes.sort_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1)).then(a.2.cmp(&b.2)));
    let mut owners: Vec<NodeId> = wishes.into_iter().map(|(_, _, member)| member).collect();
    if assignment == Assignment::Random {
        Stream::new(layout.config.seed, Purpose::Placement, WHOLE_RING).shuffle(&mut owners);
    }
    owners
}

/// By node, the partitions it owns, ascending.
fn partitions_of(owners: &[NodeId], nodes: usize) -> Vec<Vec<u32>> {
    let mut held = vec![Vec::new(); nodes];
    for (partition, owner) in owners.iter().enumerate() {
        held[owner.index()].push(partition as u32);
    }
    held
}
