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
use super::trial::Trial;

/// The stream of the whole ring and those of steals lie beyond those of the nodes' tokens.
const WHOLE_RING: u64 = 1 << 33;
const STEALS: u64 = 1 << 32;
/// How many choices are weighed for each partition that changes hands.
const CANDIDATES: usize = 32;

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
        let owners = if self.has_partitions() && self.holds_data(node) {
            self.steal(ring, &members, node)
        } else {
            ring.owners.clone()
        };
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

    /// The ring after `new` has taken over exactly the tokens or partitions of `old`. If only one of
    /// the two holds data there is nothing to take over: `new` joins and `old` leaves.
    ///
    /// # Panics
    /// If `old` is no member or `new` is one.
    pub fn after_replace(&self, ring: &Ring, old: NodeId, new: NodeId) -> Ring {
        assert!(ring.is_member(old) && !ring.is_member(new), "a new node replaces a member");
        if self.holds_data(old) != self.holds_data(new) {
            return self.after_leave(&self.after_join(ring, new), old);
        }
        let substitute =
            |list: &[NodeId]| list.iter().map(|&node| if node == old { new } else { node }).collect::<Vec<_>>();
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
        let mut stream = Stream::new(self.config.seed, Purpose::Placement, STEALS | u64::from(node.0));
        let fair = self.fair_parts(members, ring.owners.len());
        let mut held = partitions_of(&ring.owners, fair.len());
        let mut left: Vec<u32> = held.iter().map(|list| list.len() as u32).collect();
        // First how many each donor gives, always one of those with most above their fair part.
        let mut givers = Vec::new();
        loop {
            let excess = |n: NodeId| f64::from(left[n.index()]) - fair[n.index()];
            // Nobody gives its last partition, and nobody joins for nothing if it can be helped.
            let others = || members.iter().copied().filter(|&n| n != node && left[n.index()] > 1);
            let Some(most) = others().map(excess).max_by(f64::total_cmp) else { break };
            let (stolen, wanted) = (givers.len() as f64, fair[node.index()].max(1.0));
            if stolen + 1.0 > wanted && (most < 1.0 || stolen >= wanted) {
                break;
            }
            let giver = one_of(&mut stream, others().filter(|&n| excess(n) == most));
            left[giver.index()] -= 1;
            givers.push(giver);
        }
        // Then which: what moves no copies between old members, and gives the new one its fair share
        // of the lists, no more.
        for list in &mut held {
            stream.shuffle(list);
        }
        let lists_per_partition = f64::from(self.config.replicas) * fair[node.index()] / givers.len().max(1) as f64;
        let mut trial = Trial::new(self, ring, None);
        let mut lists = 0.0;
        for (i, giver) in givers.iter().enumerate() {
            let due = (i + 1) as f64 * lists_per_partition;
            let offered = &mut held[giver.index()];
            let mut rank = |&at: &usize| {
                let effect = trial.effect(offered[at], node);
                (effect.strangers, (lists + effect.lists - due).abs())
            };
            let ranked = (0..offered.len().min(CANDIDATES)).map(|at| (rank(&at), at));
            let (_, best) = ranked
                .min_by(|(a, _), (b, _)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))
                .expect("a giver has a partition left");
            let partition = offered.swap_remove(best);
            lists += trial.effect(partition, node).lists;
            trial.give(partition, node);
        }
        trial.into_owners()
    }

    fn give_back(&self, ring: &Ring, members: &[NodeId], node: NodeId) -> Vec<NodeId> {
        let mut stream = Stream::new(self.config.seed, Purpose::Placement, STEALS | u64::from(node.0));
        let fair = self.fair_parts(members, ring.owners.len());
        let held = partitions_of(&ring.owners, fair.len());
        let mut counts: Vec<u32> = held.iter().map(|list| list.len() as u32).collect();
        // First how many each heir gets, always one of those with least of their fair part.
        let mut heirs = Vec::new();
        for _ in &held[node.index()] {
            // Whoever has nothing comes first: it joined when there were not enough partitions.
            let excess = |n: NodeId| match counts[n.index()] {
                0 => f64::NEG_INFINITY,
                count => f64::from(count) - fair[n.index()],
            };
            let others = || members.iter().copied().filter(|&n| self.holds_data(n));
            let least = others().map(excess).min_by(f64::total_cmp).expect("a member that holds data remains");
            let heir = one_of(&mut stream, others().filter(|&n| excess(n) == least));
            counts[heir.index()] += 1;
            heirs.push(heir);
        }
        // Then which: where the one lost copy is made anew and no other.
        stream.shuffle(&mut heirs);
        let mut trial = Trial::new(self, ring, Some(node));
        for &partition in &held[node.index()] {
            let mut rank = |at: usize| trial.effect(partition, heirs[at]).strangers;
            let best =
                (0..heirs.len().min(CANDIDATES)).min_by_key(|&at| rank(at)).expect("as many heirs as partitions");
            trial.give(partition, heirs.swap_remove(best));
        }
        // The last few had little choice: let them change places with others where that is better.
        for &partition in &held[node.index()] {
            for &other in &held[node.index()] {
                let strangers = trial.strangers_at(partition);
                if strangers == 0 {
                    break;
                }
                let together = strangers + trial.strangers_at(other);
                trial.swap(partition, other);
                if trial.strangers_at(partition) + trial.strangers_at(other) >= together {
                    trial.swap(partition, other);
                }
            }
        }
        trial.into_owners()
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

fn one_of(stream: &mut Stream, nodes: impl Iterator<Item = NodeId>) -> NodeId {
    let nodes: Vec<NodeId> = nodes.collect();
    nodes[stream.below(nodes.len() as u64) as usize]
}

/// Owners of the partitions at the start: each node has its fair part, rounded so that the sum is
/// right, and at least one if there are enough.
pub(super) fn assign(layout: &Layout, members: &[NodeId], assignment: Assignment) -> Vec<NodeId> {
    let partitions = layout.segments();
    let fair = layout.fair_parts(members, partitions as usize);
    let holders: Vec<NodeId> = members.iter().copied().filter(|&member| layout.holds_data(member)).collect();
    let least = u32::from(holders.len() <= partitions as usize);
    let mut counts = vec![0; fair.len()];
    for holder in &holders {
        counts[holder.index()] = (fair[holder.index()] as u32).max(least);
    }
    loop {
        let excess = |n: &NodeId| f64::from(counts[n.index()]) - fair[n.index()];
        let by_excess = |a: &NodeId, b: &NodeId| excess(a).total_cmp(&excess(b)).then(a.cmp(b));
        let total: u32 = counts.iter().sum();
        if total < partitions {
            let poorest = *holders.iter().min_by(|a, b| by_excess(a, b)).expect("a ring has a holder");
            counts[poorest.index()] += 1;
        } else if total > partitions {
            let can_give = holders.iter().filter(|n| counts[n.index()] > least);
            let richest = *can_give.max_by(|a, b| by_excess(a, b)).expect("more partitions than each holder's one");
            counts[richest.index()] -= 1;
        } else {
            break;
        }
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

#[cfg(test)]
mod tests {
    use super::super::layout::tests::config;
    use super::super::layout::{Config, PartitionCount};
    use super::*;

    fn striped(partitions: u32) -> RingKind {
        RingKind::EqualPartitions { by: PartitionCount::Partitions(partitions), assignment: Assignment::Striped }
    }

    /// How many partitions each node of the run owns.
    fn counts(layout: &Layout, ring: &Ring) -> Vec<usize> {
        partitions_of(&ring.owners, layout.config().nodes.len()).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_join_steals_evenly_and_a_leave_returns_evenly() {
        let mut config = config(5, striped(32));
        config.initial_members.pop();
        let layout = Layout::new(config);
        let ring = layout.initial_ring(&layout.config().initial_members);
        assert_eq!(counts(&layout, &ring), [8, 8, 8, 8, 0]);
        let joined = layout.after_join(&ring, NodeId(4));
        assert_eq!(counts(&layout, &joined)[4], 6, "32 / 5, rounded down");
        assert!(counts(&layout, &joined).iter().all(|count| (6..=7).contains(count)));
        let left = layout.after_leave(&joined, NodeId(0));
        assert_eq!(counts(&layout, &left), [0, 8, 8, 8, 8]);
    }

    #[test]
    fn a_strong_node_steals_more() {
        let mut config = config(3, striped(40));
        config.nodes[2].capacity = 2.0;
        config.initial_members.pop();
        let layout = Layout::new(config.clone());
        let ring = layout.initial_ring(&[NodeId(0), NodeId(1)]);
        assert_eq!(counts(&layout, &layout.after_join(&ring, NodeId(2))), [10, 10, 20]);
        let layout = Layout::new(Config { by_capacity: false, ..config });
        let joined = layout.after_join(&layout.initial_ring(&[NodeId(0), NodeId(1)]), NodeId(2));
        assert_eq!(counts(&layout, &joined)[2], 13, "without regard to capacity a third, rounded down");
    }

    #[test]
    fn a_replacement_takes_exactly_the_places_of_the_old_node() {
        for kind in [striped(12), RingKind::RandomTokens { per_node: 5 }, RingKind::Modulo] {
            let mut config = config(5, kind);
            config.initial_members.pop();
            let layout = Layout::new(config);
            let ring = layout.initial_ring(&layout.config().initial_members);
            let replaced = layout.after_replace(&ring, NodeId(1), NodeId(4));
            for segment in (0..ring.segments()).map(crate::kernel::ids::SegmentId) {
                let expected: Vec<NodeId> =
                    ring.list(segment).iter().map(|&node| if node == NodeId(1) { NodeId(4) } else { node }).collect();
                assert_eq!(replaced.list(segment), expected);
            }
        }
    }

    #[test]
    fn a_node_that_only_coordinates_moves_nothing() {
        let mut config = config(4, striped(12));
        config.nodes[3].capacity = 0.0;
        config.initial_members.pop();
        let layout = Layout::new(config);
        let ring = layout.initial_ring(&layout.config().initial_members);
        let joined = layout.after_join(&ring, NodeId(3));
        assert!(joined.is_member(NodeId(3)));
        assert!(super::super::movement(&ring, &joined, 3).is_empty());
        assert_eq!(layout.after_leave(&joined, NodeId(3)), ring);
    }

    #[test]
    fn changes_are_functions_of_the_seed() {
        let random = RingKind::EqualPartitions { by: PartitionCount::PerNode(16), assignment: Assignment::Random };
        let after = |seed| {
            let mut config = Config { seed, ..config(6, random.clone()) };
            config.initial_members.pop();
            let layout = Layout::new(config);
            layout.after_join(&layout.initial_ring(&layout.config().initial_members), NodeId(5))
        };
        assert_eq!(after(1), after(1));
        assert_ne!(after(1), after(2));
    }
}
