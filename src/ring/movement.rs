//! What a change of membership moves: which segments gain and lose which nodes, and which key
//! ranges get new boundaries and so need their Merkle trees built anew (Dynamo §6.2, §4.7).

use smallvec::SmallVec;

use crate::kernel::ids::{NodeId, SegmentId};

use super::layout::Layout;
use super::place::Ring;

/// A few nodes.
pub type Owners = SmallVec<[NodeId; 4]>;

/// A segment whose set of owners changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    /// The segment.
    pub segment: SegmentId,
    /// Nodes that hold it now and did not before, in list order.
    pub gainers: Owners,
    /// Nodes that held it before and do not any more, in list order.
    pub losers: Owners,
}

/// The segments whose first `n` nodes are another set in `new` than in `old`, ascending.
///
/// # Panics
/// If the rings are of different layouts.
pub fn movement(old: &Ring, new: &Ring, n: u32) -> Vec<Move> {
    assert_eq!(old.segments(), new.segments(), "rings of one layout have the same segments");
    let without = |list: &[NodeId], other: &[NodeId]| {
        list.iter().copied().filter(|node| !other.contains(node)).collect::<Owners>()
    };
    let mut moves = Vec::new();
    for segment in (0..old.segments()).map(SegmentId) {
        let (before, after) = (old.replicas_of(segment, n), new.replicas_of(segment, n));
        if before == after {
            continue;
        }
        let (gainers, losers) = (without(after, before), without(before, after));
        if !gainers.is_empty() || !losers.is_empty() {
            moves.push(Move { segment, gainers, losers });
        }
    }
    moves
}

/// How many of the key ranges that `node` holds in `new` as one of the first `n` have other
/// boundaries than any range of `old`. With fixed partitions (strategies 2 and 3) it is 0.
pub fn trees_rebuilt(layout: &Layout, old: &Ring, new: &Ring, node: NodeId, n: u32) -> u32 {
    if !layout.ranges_follow_tokens() {
        return 0;
    }
    let ends = new.range_ends();
    let mut rebuilt = 0;
    for (i, &end) in ends.iter().enumerate() {
        let before = ends[(i + ends.len() - 1) % ends.len()];
        if new.replicas_of(end, n).contains(&node) && !is_range(old, before, end) {
            rebuilt += 1;
        }
    }
    rebuilt
}

/// Whether a range of this ring begins after the segment `before` and ends with `end`.
fn is_range(ring: &Ring, before: SegmentId, end: SegmentId) -> bool {
    let ends = ring.range_ends();
    ends.binary_search(&end).is_ok_and(|i| ends[(i + ends.len() - 1) % ends.len()] == before)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::layout::RingKind;
    use super::super::layout::tests::config;
    use super::*;

    /// Nodes 0 to 3 with one token each at 10, 20, 30 and 40; node 3 joins.
    fn join() -> (Layout, Ring, Ring) {
        let tokens: BTreeMap<NodeId, Vec<u128>> = (0..4).map(|n| (NodeId(n), vec![u128::from(n + 1) * 10])).collect();
        let mut config = config(4, RingKind::Tokens(tokens));
        config.initial_members.pop();
        let layout = Layout::new(config);
        let ring = layout.initial_ring(&layout.config().initial_members);
        let joined = layout.after_join(&ring, NodeId(3));
        (layout, ring, joined)
    }

    #[test]
    fn a_join_moves_the_ranges_up_to_the_nth_predecessor() {
        let (_, old, new) = join();
        // Two copies: node 3 takes (20, 30] from node 0, which had it as the second, and (30, 40]
        // from node 1, which had it after node 0.
        let moves = movement(&old, &new, 2);
        let told: Vec<(u32, u32, u32)> = moves.iter().map(|m| (m.segment.0, m.gainers[0].0, m.losers[0].0)).collect();
        assert_eq!(told, [(2, 3, 0), (3, 3, 1)]);
        assert!(movement(&new, &new, 2).is_empty());
    }

    #[test]
    fn a_split_range_needs_a_new_tree_at_each_of_its_holders() {
        let (layout, old, new) = join();
        // (30, 10] became (30, 40] and (40, 10]. The first is held by nodes 3 and 0, the second by
        // nodes 0 and 1.
        let rebuilt = [0, 1, 2, 3].map(|node| trees_rebuilt(&layout, &old, &new, NodeId(node), 2));
        assert_eq!(rebuilt, [2, 1, 0, 1]);
    }
}
