//! The placement under one membership: a preference list for every segment (Dynamo §4.6).
//!
//! A ring is immutable and shared; changes of membership make a new one. It knows the nodes that are
//! members and nothing of whether they are up.

use crate::kernel::ids::{NodeId, SegmentId};

use super::change;
use super::layout::{Layout, RingKind};
use super::walk::Walk;

/// Lists go at least so far, members permitting, so that stand-ins can be found.
const LIST_LENGTH: u32 = 16;

/// Placement under one membership.
#[derive(Clone, PartialEq, Debug)]
pub struct Ring {
    pub(super) members: Vec<NodeId>,
    /// Members that hold data and own a part of the circle, ascending.
    holders: Vec<NodeId>,
    /// Whose tokens or place in the order a node uses: its own, unless it has replaced another.
    /// A permutation of all nodes of the run.
    pub(super) seat: Vec<NodeId>,
    /// Owners of the equal partitions; empty for other rings.
    pub(super) owners: Vec<NodeId>,
    replicas: u32,
    width: u32,
    rows: Vec<NodeId>,
    /// Segments that end a range: where a member's token lies (strategy 1), else all.
    range_ends: Vec<SegmentId>,
}

impl Layout {
    /// The ring of the initial members, before any change.
    ///
    /// # Panics
    /// If none of `members` holds data or owns a part of the circle, or [`RingKind::Owners`] names a
    /// node that is none of them or holds no data.
    pub fn initial_ring(&self, members: &[NodeId]) -> Ring {
        let mut members = members.to_vec();
        members.sort_unstable();
        members.dedup();
        let owners = match &self.config.kind {
            RingKind::Owners(owners) => owners.clone(),
            RingKind::EqualPartitions { assignment, .. } => change::assign(self, &members, *assignment),
            RingKind::RandomTokens { .. }
            | RingKind::RandomTokensOverPartitions { .. }
            | RingKind::Tokens(_)
            | RingKind::Modulo => Vec::new(),
        };
        let may_own = |owner: &NodeId| members.binary_search(owner).is_ok() && self.holds_data(*owner);
        assert!(owners.iter().all(may_own), "owners of partitions are members that hold data");
        let seat = (0..self.config.nodes.len() as u32).map(NodeId).collect();
        self.ring(members, seat, owners)
    }

    /// A position whose list begins with this node: the middle of the node's first range. None if
    /// the node comes first nowhere.
    pub fn position_owned_by(&self, ring: &Ring, node: NodeId) -> Option<u128> {
        (0..self.segments()).map(SegmentId).find(|&s| ring.primary(s) == node).map(|s| self.middle_of(s))
    }

    /// Walks the circle for every segment.
    pub(super) fn ring(&self, members: Vec<NodeId>, seat: Vec<NodeId>, owners: Vec<NodeId>) -> Ring {
        let circle = Circle::of(self, &members, &seat, &owners);
        let mut walk = Walk::new(circle.owners.clone(), &self.config.nodes, self.config.spread, self.config.replicas);
        let width = walk.distinct().min(LIST_LENGTH.max(self.config.replicas + 8) as usize);
        let segments = self.segments();
        let mut rows = Vec::with_capacity(segments as usize * width);
        let mut last = None;
        for start in circle.starts(self) {
            if last == Some(start) {
                rows.extend_from_within(rows.len() - width..);
            } else {
                walk.list_from(start as usize, width, &mut rows);
            }
            last = Some(start);
        }
        assert_eq!(rows.len(), segments as usize * width, "a walk all the way round meets every node");
        let range_ends = match self.ranges_follow_tokens() {
            true => circle.range_ends(self),
            false => (0..segments).map(SegmentId).collect(),
        };
        let mut holders = circle.owners;
        holders.sort_unstable();
        holders.dedup();
        Ring { members, holders, seat, owners, replicas: self.config.replicas, width: width as u32, rows, range_ends }
    }
}

impl Ring {
    /// The preference list of a segment: distinct physical nodes that hold data, the first N kept
    /// apart as asked, then the rest of the walk. It is longer than N where there are more members.
    pub fn list(&self, segment: SegmentId) -> &[NodeId] {
        let width = self.width as usize;
        &self.rows[segment.index() * width..][..width]
    }

    /// The first `n` of the list: the nodes that hold the segment.
    pub fn replicas_of(&self, segment: SegmentId, n: u32) -> &[NodeId] {
        &self.list(segment)[..n.min(self.width) as usize]
    }

    /// The first of the list: the owner of the token or partition.
    pub fn primary(&self, segment: SegmentId) -> NodeId {
        self.rows[segment.index() * self.width as usize]
    }

    /// All members, ascending.
    pub fn members(&self) -> &[NodeId] {
        &self.members
    }

    /// The members that hold data and own a part of the circle, ascending.
    pub fn holders(&self) -> &[NodeId] {
        &self.holders
    }

    /// Whether a node is a member.
    pub fn is_member(&self, node: NodeId) -> bool {
        self.members.binary_search(&node).is_ok()
    }

    /// The number of segments, the same for all rings of a layout.
    pub fn segments(&self) -> u32 {
        self.rows.len() as u32 / self.width
    }

    /// N, as the layout was told.
    pub fn replicas(&self) -> u32 {
        self.replicas
    }

    /// Whether a node is one of the first N of a segment's list.
    pub fn holds(&self, node: NodeId, segment: SegmentId) -> bool {
        self.replicas_of(segment, self.replicas).contains(&node)
    }

    /// The segments that a node holds as one of the first N, ascending. Computed on each call.
    pub fn held(&self, node: NodeId) -> Vec<SegmentId> {
        (0..self.segments()).map(SegmentId).filter(|&segment| self.holds(node, segment)).collect()
    }

    /// The last segments of the ranges, ascending. A range is what one token of a member ends
    /// (strategy 1), or a partition: its segments have one list and one Merkle tree.
    pub fn range_ends(&self) -> &[SegmentId] {
        &self.range_ends
    }

    /// The last segment of the range that a segment lies in.
    pub fn range_of(&self, segment: SegmentId) -> SegmentId {
        let i = self.range_ends.partition_point(|&end| end < segment);
        self.range_ends[if i == self.range_ends.len() { 0 } else { i }]
    }
}

/// The owners of points in clockwise order, and where the points lie if they are tokens.
struct Circle {
    owners: Vec<NodeId>,
    tokens: Vec<u128>,
}

impl Circle {
    fn of(layout: &Layout, members: &[NodeId], seat: &[NodeId], partitions: &[NodeId]) -> Circle {
        let mut by_seat: Vec<Option<NodeId>> = vec![None; seat.len()];
        for &member in members.iter().filter(|&&member| layout.holds_data(member)) {
            by_seat[seat[member.index()].index()] = Some(member);
        }
        let circle = match &layout.config.kind {
            RingKind::Modulo => Circle { owners: by_seat.into_iter().flatten().collect(), tokens: Vec::new() },
            RingKind::EqualPartitions { .. } | RingKind::Owners(_) => {
                Circle { owners: partitions.to_vec(), tokens: Vec::new() }
            }
            RingKind::RandomTokens { .. } | RingKind::RandomTokensOverPartitions { .. } | RingKind::Tokens(_) => {
                let (mut owners, mut tokens) = (Vec::new(), Vec::new());
                for &(at, drawn_for) in &layout.tokens {
                    if let Some(owner) = by_seat[drawn_for.index()] {
                        owners.push(owner);
                        tokens.push(at);
                    }
                }
                Circle { owners, tokens }
            }
        };
        assert!(!circle.owners.is_empty(), "some member that holds data owns a part of the circle");
        circle
    }

    /// For each segment, the point where its walk starts.
    fn starts<'a>(&'a self, layout: &'a Layout) -> impl Iterator<Item = u32> + 'a {
        let points = self.owners.len() as u32;
        (0..layout.segments()).map(move |segment| match &layout.config.kind {
            RingKind::Modulo => segment % points,
            RingKind::EqualPartitions { .. } | RingKind::Owners(_) => segment,
            // "Walking the consistent hashing ring clockwise from the end of the partition" (Dynamo
            // §6.2). An end of 0 closes the circle: every token lies before it.
            RingKind::RandomTokensOverPartitions { .. } if segment + 1 == layout.segments() => 0,
            RingKind::RandomTokens { .. } | RingKind::RandomTokensOverPartitions { .. } | RingKind::Tokens(_) => {
                let end = layout.segment_bounds(SegmentId(segment)).end;
                self.tokens.partition_point(|&token| token < end) as u32 % points
            }
        })
    }

    fn range_ends(&self, layout: &Layout) -> Vec<SegmentId> {
        let segments = (0..layout.segments()).map(SegmentId);
        segments.filter(|&segment| self.tokens.binary_search(&layout.segment_bounds(segment).end).is_ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::tests::config;
    use super::*;

    #[test]
    fn a_ring_names_the_nodes_of_every_segment() {
        let layout = Layout::new(config(4, RingKind::Owners([0, 1, 2, 3].map(NodeId).to_vec())));
        let ring = layout.initial_ring(&layout.config().initial_members);
        let segment = layout.segment_of(1 << 126);
        assert_eq!(ring.list(segment), [0, 1, 2, 3].map(NodeId), "a position at a quarter ends the first partition");
        assert_eq!(ring.replicas_of(segment, 3), [0, 1, 2].map(NodeId));
        assert_eq!(ring.primary(segment), NodeId(0));
        assert_eq!(ring.held(NodeId(0)), [0, 2, 3].map(SegmentId), "its own and those of the two before it");
        assert!(ring.is_member(NodeId(3)) && !ring.is_member(NodeId(4)));
    }

    #[test]
    fn lists_are_longer_than_the_copies_but_not_endless() {
        let layout = Layout::new(config(40, RingKind::RandomTokens { per_node: 2 }));
        let ring = layout.initial_ring(&layout.config().initial_members);
        assert_eq!(ring.list(SegmentId(0)).len(), 16);
        let layout = Layout::new(super::super::Config { replicas: 10, ..config(40, RingKind::Modulo) });
        let ring = layout.initial_ring(&layout.config().initial_members);
        assert_eq!(ring.list(SegmentId(0)).len(), 18);
    }

    #[test]
    fn a_range_is_made_of_the_segments_that_tokens_of_spares_cut() {
        let mut config = config(3, RingKind::RandomTokens { per_node: 8 });
        config.initial_members.pop();
        let layout = Layout::new(config);
        let ring = layout.initial_ring(&layout.config().initial_members);
        assert_eq!((layout.segments(), ring.range_ends().len()), (24, 16));
        let last = *ring.range_ends().last().expect("there are ranges");
        let wrapped = SegmentId((last.0 + 1) % 24);
        assert!(ring.range_of(wrapped) != last, "the range after the last begins anew");
        assert_eq!(ring.range_of(last), last);
    }

    #[test]
    #[should_panic(expected = "owners of partitions are members")]
    fn an_owner_that_is_no_member_is_a_bug() {
        let layout = Layout::new(config(2, RingKind::Owners([0, 1].map(NodeId).to_vec())));
        layout.initial_ring(&[NodeId(0)]);
    }
}
