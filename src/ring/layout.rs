//! What stays fixed during a run: tokens of every node that may ever join, and the segments.
//!
//! Dynamo §6.2 names the three strategies; SOSP'97's consistent hashing is the first of them. Tokens
//! are a function of the seed and of the node, never of the order of joins, and the segments are cut
//! at the tokens of all nodes, so no segment ever splits. It knows nothing of who is a member.

use std::collections::BTreeMap;

use crate::kernel::ids::{NodeId, SegmentId};
use crate::kernel::mutant::{self, Mutant};
use crate::kernel::rng::{Purpose, Stream};

use super::hash::{HashKind, position};

/// What the ring needs to know of a node.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct NodeSpec {
    /// Relative capacity; 0 means that the node holds no data and only coordinates.
    pub capacity: f64,
    /// The rack, numbered over all regions.
    pub rack: u32,
    /// The region.
    pub region: u32,
}

/// Whether a token equal to the key owns the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Boundary {
    /// Yes: a range is (predecessor, token].
    AtOrAfter,
    /// No: "the first node with a position larger than the item's position" (Dynamo §4.2), a range
    /// is [predecessor, token).
    After,
}

/// What a preference list keeps apart where there are enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spread {
    /// Regions, then racks.
    Regions,
    /// Racks.
    Racks,
    /// Physical nodes only.
    Nodes,
}

/// How many equal partitions there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartitionCount {
    /// This many for each data-holding initial member.
    PerNode(u32),
    /// This many in all.
    Partitions(u32),
}

/// Who gets which equal partition at the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assignment {
    /// A balanced random permutation.
    Random,
    /// In turn.
    Striped,
}

/// How keys are placed.
#[derive(Clone, PartialEq, Debug)]
pub enum RingKind {
    /// Dynamo's strategy 1: random tokens, and ranges cut by them.
    RandomTokens {
        /// Tokens of a node of mean capacity.
        per_node: u32,
    },
    /// Dynamo's strategy 2: random tokens decide who holds equal partitions.
    RandomTokensOverPartitions {
        /// Tokens of a node of mean capacity.
        per_node: u32,
        /// Number of partitions.
        partitions: u32,
    },
    /// Dynamo's strategy 3: equal partitions, about as many for each node.
    EqualPartitions {
        /// Number of partitions.
        by: PartitionCount,
        /// Who gets which at the start.
        assignment: Assignment,
    },
    /// Strategy 1 with these tokens. A spare that is not listed draws as many as the listed nodes
    /// have on average.
    Tokens(BTreeMap<NodeId, Vec<u128>>),
    /// Strategy 3 with as many partitions as owners here, owned in this order.
    Owners(Vec<NodeId>),
    /// Hash modulo the number of members: the baseline that reshuffles nearly everything.
    Modulo,
}

/// Everything that placement depends on.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// All nodes of the run, members and spares, by identity.
    pub nodes: Vec<NodeSpec>,
    /// How keys are placed.
    pub kind: RingKind,
    /// The hash of keys.
    pub hash: HashKind,
    /// Who owns a key that equals a token.
    pub boundary: Boundary,
    /// What lists keep apart.
    pub spread: Spread,
    /// Whether tokens and partitions go by capacity; without it every data-holding node counts 1.
    pub by_capacity: bool,
    /// N: how many nodes of a list hold the key.
    pub replicas: u32,
    /// The run's seed.
    pub seed: u64,
    /// Members at the start.
    pub initial_members: Vec<NodeId>,
}

/// A stretch of the circle. Which end belongs to it is the boundary's matter: with
/// [`Boundary::AtOrAfter`] it is (start, end], with [`Boundary::After`] [start, end).
/// Equal ends mean the whole circle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// The end towards smaller positions.
    pub start: u128,
    /// The end towards larger positions, after wrapping.
    pub end: u128,
}

/// How positions become segments.
#[derive(Clone, PartialEq, Debug)]
enum Cut {
    /// Segment i ends at the i-th of these ascending positions and begins at the one before.
    Tokens(Vec<u128>),
    /// So many equal stretches from position 0 on.
    Equal(u32),
    /// Residue classes.
    Residues(u32),
}

/// What stays fixed during a run.
#[derive(Clone, PartialEq, Debug)]
pub struct Layout {
    pub(super) config: Config,
    cut: Cut,
    /// Tokens of all nodes, ascending; empty for rings that have none.
    pub(super) tokens: Vec<(u128, NodeId)>,
}

impl Layout {
    /// Draws all tokens and cuts the circle.
    ///
    /// # Panics
    /// If no initial member holds data, or no partition or token is asked for.
    pub fn new(config: Config) -> Layout {
        let holders = config.initial_members.iter().filter(|&&m| config.nodes[m.index()].capacity > 0.0).count() as u32;
        assert!(holders > 0, "a ring needs a member that holds data");
        let tokens = draw_tokens(&config);
        let cut = match &config.kind {
            RingKind::RandomTokens { .. } | RingKind::Tokens(_) => {
                let mut ends: Vec<u128> = tokens.iter().map(|&(at, _)| at).collect();
                ends.dedup();
                assert!(!ends.is_empty(), "a ring of tokens has a token");
                Cut::Tokens(ends)
            }
            RingKind::RandomTokensOverPartitions { partitions, .. } => Cut::Equal(*partitions),
            RingKind::EqualPartitions { by: PartitionCount::PerNode(count), .. } => Cut::Equal(count * holders),
            RingKind::EqualPartitions { by: PartitionCount::Partitions(count), .. } => Cut::Equal(*count),
            RingKind::Owners(owners) => Cut::Equal(owners.len() as u32),
            RingKind::Modulo => {
                Cut::Residues(modulus(holders, config.nodes.iter().filter(|n| n.capacity > 0.0).count() as u32))
            }
        };
        let layout = Layout { config, cut, tokens };
        assert!(layout.segments() > 0, "a ring has at least one segment");
        layout
    }

    /// What the layout was built from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The number of segments.
    pub fn segments(&self) -> u32 {
        match &self.cut {
            Cut::Tokens(ends) => ends.len() as u32,
            Cut::Equal(count) | Cut::Residues(count) => *count,
        }
    }

    /// The position of a key.
    pub fn position(&self, key: &[u8]) -> u128 {
        position(self.config.hash, key)
    }

    /// The segment that a position lies in.
    pub fn segment_of(&self, position: u128) -> SegmentId {
        let segment = match (&self.cut, self.config.boundary) {
            (Cut::Tokens(ends), _) if mutant::is(Mutant::M14) && ends.last().is_some_and(|&last| position > last) => {
                ends.len() - 1
            }
            (Cut::Tokens(ends), Boundary::AtOrAfter) => ends.partition_point(|&end| end < position) % ends.len(),
            (Cut::Tokens(ends), Boundary::After) => ends.partition_point(|&end| end <= position) % ends.len(),
            // (start, end] holds a position exactly if [start, end) holds the one before.
            (Cut::Equal(count), Boundary::AtOrAfter) => times_over_circle(position.wrapping_sub(1), *count) as usize,
            (Cut::Equal(count), Boundary::After) => times_over_circle(position, *count) as usize,
            (Cut::Residues(count), _) => (position % u128::from(*count)) as usize,
        };
        SegmentId(segment as u32)
    }

    /// The ends of a segment. For [`RingKind::Modulo`], whose segments are no stretches, both are
    /// the segment's smallest position.
    pub fn segment_bounds(&self, segment: SegmentId) -> Bounds {
        let i = segment.index();
        match &self.cut {
            Cut::Tokens(ends) => Bounds { start: ends[(i + ends.len() - 1) % ends.len()], end: ends[i] },
            Cut::Equal(count) => {
                Bounds { start: equal_start(segment.0, *count), end: equal_start((segment.0 + 1) % count, *count) }
            }
            Cut::Residues(_) => Bounds { start: u128::from(segment.0), end: u128::from(segment.0) },
        }
    }

    /// A position in the middle of a segment.
    pub fn middle_of(&self, segment: SegmentId) -> u128 {
        let Bounds { start, end } = self.segment_bounds(segment);
        if let Cut::Residues(_) = self.cut {
            return start;
        }
        let length = end.wrapping_sub(start);
        let half = match (length, self.config.boundary) {
            (0, _) => 1 << 127,
            (_, Boundary::AtOrAfter) => length - length / 2,
            (_, Boundary::After) => length / 2,
        };
        start.wrapping_add(half)
    }

    /// The number of positions in a segment, except that the whole circle, 2^128, is written 0.
    /// For [`RingKind::Modulo`] it is exact to one position in each 2^128/segments.
    pub(super) fn length_of(&self, segment: SegmentId) -> u128 {
        match self.cut {
            Cut::Residues(count) => {
                equal_start((segment.0 + 1) % count, count).wrapping_sub(equal_start(segment.0, count))
            }
            Cut::Tokens(_) | Cut::Equal(_) => {
                let Bounds { start, end } = self.segment_bounds(segment);
                end.wrapping_sub(start)
            }
        }
    }

    /// The share of the circle that a segment is; the shares of all segments add up to 1.
    pub fn share_of(&self, segment: SegmentId) -> f64 {
        match self.length_of(segment) {
            0 => 1.0,
            length => length as f64 / 2.0 / (1u128 << 127) as f64,
        }
    }

    /// The weight by which a node gets tokens or partitions; 0 if it holds no data.
    pub(super) fn weight(&self, node: NodeId) -> f64 {
        let capacity = self.config.nodes[node.index()].capacity;
        if self.config.by_capacity || capacity == 0.0 { capacity } else { 1.0 }
    }

    /// Whether a node holds data when it is a member.
    pub(super) fn holds_data(&self, node: NodeId) -> bool {
        self.config.nodes[node.index()].capacity > 0.0
    }

    /// Whether the ranges of this ring are cut by the tokens of its members (strategy 1).
    pub(super) fn ranges_follow_tokens(&self) -> bool {
        matches!(self.cut, Cut::Tokens(_))
    }
}

fn draw_tokens(config: &Config) -> Vec<(u128, NodeId)> {
    let nodes = || (0..config.nodes.len() as u32).map(NodeId);
    let mut tokens = Vec::new();
    let mut draw = |node: NodeId, count: u32| {
        let mut name = node.0;
        if mutant::is(Mutant::M15) {
            let place = config.initial_members.iter().position(|&member| member == node);
            name = place.map_or(name, |place| place as u32);
        }
        let mut stream = Stream::new(config.seed, Purpose::Placement, u64::from(name));
        for _ in 0..count {
            let high = u128::from(stream.bits());
            tokens.push((high << 64 | u128::from(stream.bits()), node));
        }
    };
    match &config.kind {
        RingKind::RandomTokens { per_node } | RingKind::RandomTokensOverPartitions { per_node, .. } => {
            let mean = mean_capacity(config);
            for node in nodes() {
                let capacity = config.nodes[node.index()].capacity;
                let count = match config.by_capacity {
                    _ if capacity == 0.0 => 0,
                    true => ((f64::from(*per_node) * capacity / mean).round() as u32).max(1),
                    false => *per_node,
                };
                draw(node, count);
            }
        }
        RingKind::Tokens(given) => {
            let listed: usize = given.values().map(Vec::len).sum();
            let average = (listed / given.len().max(1)).max(1) as u32;
            for node in nodes() {
                let spare = !given.contains_key(&node) && !config.initial_members.contains(&node);
                if spare && config.nodes[node.index()].capacity > 0.0 {
                    draw(node, average);
                }
            }
            for (&node, positions) in given {
                tokens.extend(positions.iter().map(|&at| (at, node)));
            }
        }
        RingKind::EqualPartitions { .. } | RingKind::Owners(_) | RingKind::Modulo => {}
    }
    tokens.sort_unstable();
    tokens
}

/// Mean capacity of the initial members that hold data.
fn mean_capacity(config: &Config) -> f64 {
    let capacities: Vec<f64> =
        config.initial_members.iter().map(|m| config.nodes[m.index()].capacity).filter(|&c| c > 0.0).collect();
    capacities.iter().sum::<f64>() / capacities.len() as f64
}

/// How many residue classes keep apart what `hash mod S` keeps apart, for every S from the members
/// at the start to all nodes, and for smaller S while the number stays small.
fn modulus(members: u32, all: u32) -> u32 {
    const MOST: u64 = 1 << 20;
    const MODEST: u64 = 1 << 16;
    let mut classes = 1u64;
    for size in u64::from(members)..=u64::from(all) {
        classes = lcm(classes, size);
        if classes > MOST {
            // Classes of the low 20 bits are a hash of their own: as uneven as one part in 2^20 / S.
            return MOST as u32;
        }
    }
    for size in (1..u64::from(members)).rev() {
        let finer = lcm(classes, size);
        if finer <= MODEST {
            classes = finer;
        }
    }
    classes as u32
}

fn lcm(a: u64, b: u64) -> u64 {
    let (mut x, mut y) = (a, b);
    while y > 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

/// `floor(position × count / 2^128)`.
fn times_over_circle(position: u128, count: u32) -> u32 {
    let count = u128::from(count);
    let (high, low) = (position >> 64, position & u128::from(u64::MAX));
    ((high * count + ((low * count) >> 64)) >> 64) as u32
}

/// `ceil(index × 2^128 / count)`: the first position whose [`times_over_circle`] is `index`.
fn equal_start(index: u32, count: u32) -> u128 {
    let (index, count) = (u128::from(index), u128::from(count));
    let high = (index << 64) / count;
    let rest = ((index << 64) % count) << 64;
    (high << 64) + rest.div_ceil(count)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A plain configuration: all nodes are members, alike, in one rack.
    pub(in super::super) fn config(nodes: u32, kind: RingKind) -> Config {
        Config {
            nodes: vec![NodeSpec { capacity: 1.0, rack: 0, region: 0 }; nodes as usize],
            kind,
            hash: HashKind::Md5,
            boundary: Boundary::AtOrAfter,
            spread: Spread::Regions,
            by_capacity: true,
            replicas: 3,
            seed: 1,
            initial_members: (0..nodes).map(NodeId).collect(),
        }
    }

    fn equal(by: PartitionCount) -> RingKind {
        RingKind::EqualPartitions { by, assignment: Assignment::Random }
    }

    #[test]
    fn a_key_has_a_position_and_a_position_a_segment() {
        let layout = Layout::new(config(4, equal(PartitionCount::PerNode(8))));
        assert_eq!(layout.segments(), 32);
        let at = layout.position(b"cart_123");
        let segment = layout.segment_of(at);
        assert_eq!(segment, SegmentId((at >> 123) as u32), "one of 32 equal partitions is the high five bits");
        let Bounds { start, end } = layout.segment_bounds(segment);
        assert!(start < at && at <= end);
    }

    #[test]
    fn partitions_of_a_number_that_does_not_divide_the_circle_still_cover_it() {
        for boundary in [Boundary::AtOrAfter, Boundary::After] {
            for count in [1, 2, 3, 7, 18, 1000] {
                let layout = Layout::new(Config { boundary, ..config(1, equal(PartitionCount::Partitions(count))) });
                for segment in (0..count).map(SegmentId) {
                    let Bounds { start, end } = layout.segment_bounds(segment);
                    let (first, last) = match boundary {
                        Boundary::AtOrAfter => (start.wrapping_add(1), end),
                        Boundary::After => (start, end.wrapping_sub(1)),
                    };
                    assert_eq!((layout.segment_of(first), layout.segment_of(last)), (segment, segment));
                    assert!((layout.share_of(segment) * f64::from(count) - 1.0).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn tokens_of_a_node_do_not_depend_on_the_other_nodes() {
        let tokens = |nodes| {
            let layout = Layout::new(config(nodes, RingKind::RandomTokens { per_node: 16 }));
            layout.tokens.iter().filter(|(_, node)| *node == NodeId(1)).map(|&(at, _)| at).collect::<Vec<_>>()
        };
        assert_eq!(tokens(2).len(), 16);
        assert_eq!(tokens(2), tokens(20));
    }

    #[test]
    fn tokens_go_by_capacity_over_the_mean_and_are_at_least_one() {
        let mut config = config(4, RingKind::RandomTokens { per_node: 10 });
        for (spec, capacity) in config.nodes.iter_mut().zip([1.0, 2.95, 0.05, 0.0]) {
            spec.capacity = capacity;
        }
        let layout = Layout::new(config);
        let counts = [0, 1, 2, 3].map(|n| layout.tokens.iter().filter(|(_, node)| *node == NodeId(n)).count());
        assert_eq!(counts, [8, 22, 1, 0], "the mean is 4/3");
    }

    #[test]
    fn a_spare_without_given_tokens_draws_as_many_as_the_others_have() {
        let given = BTreeMap::from([(NodeId(0), vec![10, 20, 30]), (NodeId(1), vec![15])]);
        let mut config = config(3, RingKind::Tokens(given));
        config.initial_members.pop();
        let layout = Layout::new(config);
        assert_eq!(layout.segments(), 6);
        assert_eq!(layout.segment_bounds(SegmentId(1)), Bounds { start: 10, end: 15 });
    }

    #[test]
    fn residue_classes_keep_apart_what_every_size_keeps_apart() {
        assert_eq!(modulus(3, 4), lcm_of(1..=4));
        assert_eq!(modulus(10, 11), lcm_of(1..=11));
        assert_eq!(modulus(50, 100), 1 << 20, "capped");
        assert_eq!(modulus(1, 1), 1);
    }

    fn lcm_of(range: std::ops::RangeInclusive<u64>) -> u32 {
        range.fold(1, lcm) as u32
    }
}
