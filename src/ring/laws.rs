//! Laws of placement, over random clusters and random joins, leaves and replacements.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::kernel::ids::{NodeId, SegmentId};

use super::*;

fn kinds() -> impl Strategy<Value = RingKind> {
    prop_oneof![
        (1u32..8).prop_map(|per_node| RingKind::RandomTokens { per_node }),
        (1u32..8, 1u32..40)
            .prop_map(|(per_node, partitions)| RingKind::RandomTokensOverPartitions { per_node, partitions }),
        (1u32..8, any::<bool>()).prop_map(|(count, random)| RingKind::EqualPartitions {
            by: PartitionCount::PerNode(count),
            assignment: if random { Assignment::Random } else { Assignment::Striped },
        }),
        // Tokens next to each other, also across the end of the circle.
        (1u128..4, prop_oneof![Just(0), Just(1), Just(u128::MAX - 20), any::<u128>()]).prop_map(|(per_node, start)| {
            let tokens = |node: u128| (0..per_node).map(|i| start.wrapping_add(i * 12 + node)).collect();
            RingKind::Tokens((0..12).map(|node| (NodeId(node), tokens(node.into()))).collect())
        }),
        Just(RingKind::Modulo),
    ]
}

fn configs() -> impl Strategy<Value = Config> {
    let node = (prop_oneof![3 => Just(1.0), 1 => Just(2.0), 1 => Just(0.5), 1 => Just(0.0)], 0u32..5)
        // Racks 0, 2 and 4 lie in region 0, the others in region 1.
        .prop_map(|(capacity, rack)| NodeSpec { capacity, rack, region: rack % 2 });
    let spread = prop_oneof![Just(Spread::Nodes), Just(Spread::Racks), Just(Spread::Regions)];
    let boundary = prop_oneof![Just(Boundary::AtOrAfter), Just(Boundary::After)];
    (prop::collection::vec(node, 3..12), kinds(), boundary, spread, any::<bool>(), 1u32..5, any::<u64>()).prop_map(
        |(mut nodes, mut kind, boundary, spread, by_capacity, replicas, seed)| {
            // Node 0 never leaves, so that some member always holds data.
            nodes[0].capacity = 1.0;
            if let RingKind::Tokens(given) = &mut kind {
                given.retain(|node, _| node.index() < nodes.len());
            }
            let initial_members = (0..nodes.len().div_ceil(2) as u32).map(NodeId).collect();
            Config { nodes, kind, hash: HashKind::Md5, boundary, spread, by_capacity, replicas, seed, initial_members }
        },
    )
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Change {
    Join(NodeId),
    Leave(NodeId),
    Replace(NodeId, NodeId),
}

/// Turns two drawn numbers into a change that is possible, if they name one. Node 0 stays.
fn change(ring: &Ring, nodes: usize, a: usize, b: usize) -> Option<Change> {
    let (a, b) = (NodeId((1 + a % (nodes - 1)) as u32), NodeId((1 + b % (nodes - 1)) as u32));
    match (ring.is_member(a), ring.is_member(b)) {
        (false, _) => Some(Change::Join(a)),
        (true, true) => Some(Change::Leave(a)),
        (true, false) => Some(Change::Replace(a, b)),
    }
}

fn apply(layout: &Layout, ring: &Ring, change: Change) -> Ring {
    match change {
        Change::Join(node) => layout.after_join(ring, node),
        Change::Leave(node) => layout.after_leave(ring, node),
        Change::Replace(old, new) => layout.after_replace(ring, old, new),
    }
}

fn segments(ring: &Ring) -> impl Iterator<Item = SegmentId> + use<> {
    (0..ring.segments()).map(SegmentId)
}

/// Whether a ring places by tokens.
fn by_tokens(layout: &Layout) -> bool {
    matches!(
        layout.config().kind,
        RingKind::RandomTokens { .. } | RingKind::RandomTokensOverPartitions { .. } | RingKind::Tokens(_)
    )
}

fn has_partitions(layout: &Layout) -> bool {
    matches!(layout.config().kind, RingKind::EqualPartitions { .. })
}

fn places(layout: &Layout, list: &[NodeId], place: fn(&NodeSpec) -> u32) -> usize {
    list.iter().map(|node| place(&layout.config().nodes[node.index()])).collect::<BTreeSet<u32>>().len()
}

/// R1: lists are as long as there are nodes for them, distinct, and spread as far as racks go.
fn lists_are_distinct(layout: &Layout, ring: &Ring) {
    let n = layout.config().replicas;
    let data: Vec<NodeId> = ring.members().iter().copied().filter(|&m| layout.holds_data(m)).collect();
    if !has_partitions(layout) || data.len() <= ring.segments() as usize {
        assert_eq!(ring.holders(), data, "every member that holds data owns a part of the circle");
    }
    for segment in segments(ring) {
        let list = ring.list(segment);
        assert_eq!(list.len(), ring.holders().len().min(16), "lists of up to 16");
        assert_eq!(list.iter().collect::<BTreeSet<_>>().len(), list.len(), "a list names no node twice: {list:?}");
        assert!(list.iter().all(|node| ring.holders().contains(node)));
        let first = ring.replicas_of(segment, n);
        let spread = layout.config().spread;
        if spread != Spread::Nodes {
            let racks = places(layout, ring.holders(), |node| node.rack);
            assert_eq!(
                places(layout, first, |node| node.rack),
                racks.min(n as usize).min(list.len()),
                "racks of {first:?}"
            );
        }
        if spread == Spread::Regions {
            let regions = places(layout, ring.holders(), |node| node.region);
            assert_eq!(places(layout, first, |node| node.region), regions.min(n as usize), "regions of {first:?}");
        }
    }
}

/// R2: where tokens decide, the ring is a function of who is a member, not of how they came.
fn history_does_not_matter(layout: &Layout, ring: &Ring) {
    if !has_partitions(layout) {
        assert!(*ring == layout.initial_ring(ring.members()), "the same members, the same ring");
    }
}

/// R3: a change moves what it must and nothing else.
fn movement_is_minimal(layout: &Layout, old: &Ring, new: &Ring, change: Change) {
    if layout.config().kind == RingKind::Modulo {
        return;
    }
    let plain = layout.config().spread == Spread::Nodes && by_tokens(layout);
    for segment in segments(old) {
        let (was, is) = (old.primary(segment), new.primary(segment));
        match change {
            Change::Join(node) => assert!(was == is || is == node, "only the new node takes first places"),
            Change::Leave(node) => {
                assert!(was == is || was == node, "only the old node's first places change")
            }
            Change::Replace(gone, node) if layout.holds_data(node) && layout.holds_data(gone) => {
                assert_eq!(is, if was == gone { node } else { was }, "the new node has the old one's places")
            }
            Change::Replace(..) => {}
        }
    }
    for Move { gainers, losers, segment } in movement(old, new, layout.config().replicas) {
        match change {
            Change::Join(node) if plain => {
                assert_eq!(gainers[..], [node], "only the new node gains {segment}");
                assert!(losers.len() <= 1, "one joins, at most one is pushed out");
            }
            Change::Leave(node) if plain => {
                assert_eq!(losers[..], [node], "only lists with the old node change");
                assert!(gainers.len() <= 1, "one leaves, at most one comes in");
            }
            Change::Replace(gone, node) if plain && layout.holds_data(node) && layout.holds_data(gone) => {
                assert_eq!((&gainers[..], &losers[..]), (&[node][..], &[gone][..]));
            }
            _ => {}
        }
    }
}

/// R4: segments and shares cover the circle once, and ends belong where the boundary says.
fn ranges_cover_the_circle(layout: &Layout, ring: &Ring) {
    let config = layout.config();
    if config.kind != RingKind::Modulo {
        let mut total = 0u128;
        for segment in segments(ring) {
            let Bounds { start, end } = layout.segment_bounds(segment);
            total = total.wrapping_add(end.wrapping_sub(start));
            let next = SegmentId((segment.0 + 1) % ring.segments());
            assert_eq!(layout.segment_bounds(next).start, end, "segments follow each other");
            let (first, last) = match config.boundary {
                Boundary::AtOrAfter => (start.wrapping_add(1), end),
                Boundary::After => (start, end.wrapping_sub(1)),
            };
            for inside in [first, last, layout.middle_of(segment)] {
                assert_eq!(layout.segment_of(inside), segment, "{inside} lies in its segment");
            }
            assert_eq!(layout.segment_of(last.wrapping_add(1)), next, "the next position lies in the next segment");
        }
        assert_eq!(total, 0, "lengths add up to 2^128");
    }
    let expected = config.replicas.min(ring.holders().len() as u32);
    let sum: f64 = shares_any(layout, ring, config.replicas).iter().sum();
    assert!((sum - f64::from(expected)).abs() < 1e-9, "shares add up to the number of copies, not {sum}");
    // Segments of one range have one list.
    for segment in segments(ring) {
        assert_eq!(ring.list(segment), ring.list(ring.range_of(segment)));
    }
}

/// Strategy 3: everyone within one of the fair part.
fn partitions_are_fair(layout: &Layout, ring: &Ring) {
    if !has_partitions(layout) {
        return;
    }
    let total: f64 = ring.members().iter().map(|&m| layout.weight(m)).sum();
    for &member in ring.members() {
        let fair = f64::from(ring.segments()) * layout.weight(member) / total;
        let held = segments(ring).filter(|&s| ring.primary(s) == member).count() as f64;
        // Moving no more than a change must leaves unequal nodes up to two off after many changes.
        let off = if layout.config().by_capacity { 2.0 } else { 1.0 };
        assert!((held - fair).abs() < off, "{member} owns {held} partitions where {fair} are fair");
    }
}

/// The list at a position by the plainest of means: sort all tokens by their distance.
fn brute_force_list(layout: &Layout, ring: &Ring, position: u128) -> Vec<NodeId> {
    let mut tokens: Vec<(u128, NodeId)> = Vec::new();
    for &member in ring.members().iter().filter(|&&m| layout.holds_data(m)) {
        let seat = ring.seat[member.index()];
        tokens.extend(layout.tokens.iter().filter(|&&(_, node)| node == seat).map(|&(at, _)| {
            let distance = match layout.config().boundary {
                Boundary::AtOrAfter => at.wrapping_sub(position),
                Boundary::After => at.wrapping_sub(position).wrapping_sub(1),
            };
            (distance, member)
        }));
    }
    tokens.sort_unstable();
    let mut list = Vec::new();
    for (_, node) in tokens {
        if !list.contains(&node) && list.len() < 16 {
            list.push(node);
        }
    }
    list
}

fn lists_are_those_of_a_walk(layout: &Layout, ring: &Ring) {
    if layout.config().spread != Spread::Nodes || !layout.ranges_follow_tokens() {
        return;
    }
    let ends = layout.tokens.iter().flat_map(|&(at, _)| [at.wrapping_sub(1), at, at.wrapping_add(1)]);
    for position in ends.chain([0, 1, u128::MAX]) {
        let list = ring.list(layout.segment_of(position));
        assert_eq!(list, brute_force_list(layout, ring, position), "list at {position}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn laws_hold_after_every_change(
        config in configs(),
        draws in prop::collection::vec((any::<usize>(), any::<usize>()), 0..8),
    ) {
        let layout = Layout::new(config);
        let nodes = layout.config().nodes.len();
        let mut ring = layout.initial_ring(&layout.config().initial_members);
        let mut replaced = false;
        lists_are_distinct(&layout, &ring);
        ranges_cover_the_circle(&layout, &ring);
        partitions_are_fair(&layout, &ring);
        lists_are_those_of_a_walk(&layout, &ring);
        for (a, b) in draws {
            let Some(change) = change(&ring, nodes, a, b) else { continue };
            let next = apply(&layout, &ring, change);
            prop_assert!(next == apply(&layout, &ring, change), "a change is a function");
            if let Change::Replace(..) = change {
                replaced = true;
            }
            lists_are_distinct(&layout, &next);
            movement_is_minimal(&layout, &ring, &next, change);
            ranges_cover_the_circle(&layout, &next);
            lists_are_those_of_a_walk(&layout, &next);
            if !replaced {
                history_does_not_matter(&layout, &next);
                partitions_are_fair(&layout, &next);
            }
            ring = next;
        }
    }
}

#[test]
fn a_replaced_node_that_joins_again_finds_tokens_nobody_uses() {
    let nodes = vec![NodeSpec { capacity: 1.0, rack: 0, region: 0 }; 4];
    let layout = Layout::new(Config {
        nodes,
        kind: RingKind::RandomTokens { per_node: 4 },
        hash: HashKind::Md5,
        boundary: Boundary::AtOrAfter,
        spread: Spread::Nodes,
        by_capacity: true,
        replicas: 3,
        seed: 7,
        initial_members: vec![NodeId(0), NodeId(1), NodeId(2)],
    });
    let ring = layout.initial_ring(&layout.config().initial_members);
    let replaced = layout.after_replace(&ring, NodeId(1), NodeId(3));
    let again = layout.after_join(&replaced, NodeId(1));
    assert_eq!(again.members().len(), 4);
    assert_eq!(again.range_ends().len(), 16, "all four sets of tokens are in use");
    lists_are_distinct(&layout, &again);
}
