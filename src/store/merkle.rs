//! Merkle trees over key ranges (Dynamo §4.7).
//!
//! The hash of a node of the tree is the sum, mod 2^64, of the mixed hashes of the keys below it. So it
//! depends neither on the order of insertion nor on how a range is split, a root is kept up to date with one
//! addition a write, and inner hashes are worked out only when two replicas talk. A sum can be forged; there
//! is no forger in a simulation. This file does not know which node holds which range, nor the messages.

use crate::kernel::ids::{KeyId, SegmentId};
use crate::kernel::mutant::{self, Mutant};

/// A key's part in the sums: its id and the hash of its versions, mixed. 0 if there is no version.
pub fn entry_hash(key: KeyId, versions_hash: u64) -> u64 {
    if versions_hash == 0 {
        return 0;
    }
    let versions_hash = if mutant::is(Mutant::M22) { 1 } else { versions_hash };
    // The finalizer of SplitMix64: without it, two keys that swap versions would leave the sum as it was.
    let mut mixed = versions_hash ^ u64::from(key.0).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// The leaf of a key that lies `offset` behind the start of a range of this `length`: the range is cut into
/// 2^depth equal parts. Length 0 stands for the whole circle of 2^128 positions.
///
/// # Panics
/// If `depth` is above 31.
pub fn leaf_of(offset: u128, length: u128, depth: u32) -> u32 {
    assert!(depth <= 31, "a tree has at most 2^31 leaves");
    let part = match (length, depth) {
        (0, 0) => return 0,
        (0, _) => 1 << (128 - depth),
        _ => length.div_ceil(1 << depth),
    };
    ((offset / part) as u32).min((1 << depth) - 1)
}

/// The roots of the ranges that a node holds, kept up to date with every write.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    /// (segment, root), by linear probing; a free slot has no segment.
    slots: Vec<Option<(SegmentId, u64)>>,
    len: u32,
}

impl Roots {
    /// Roots of no range; every range counts as empty.
    pub fn new() -> Roots {
        Roots::default()
    }

    /// Takes in that a key of the range changed its hash from `old` to `new`.
    pub fn change(&mut self, segment: SegmentId, old: u64, new: u64) {
        if old == new {
            return;
        }
        if (u64::from(self.len) + 1) * 4 > self.slots.len() as u64 * 3 {
            self.grow();
        }
        let at = self.find(segment);
        let (_, root) = self.slots[at].get_or_insert_with(|| {
            self.len += 1;
            (segment, 0)
        });
        *root = root.wrapping_add(new).wrapping_sub(old);
    }

    /// The root of a range; 0 if it is empty.
    pub fn root(&self, segment: SegmentId) -> u64 {
        if self.slots.is_empty() {
            return 0;
        }
        self.slots[self.find(segment)].map_or(0, |(_, root)| root)
    }

    /// Forgets everything: a disk that was wiped.
    pub fn clear(&mut self) {
        *self = Roots::default();
    }

    /// The place of the segment, or the free one where it belongs.
    fn find(&self, segment: SegmentId) -> usize {
        let mixed = u64::from(segment.0).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut at = (mixed >> (64 - self.slots.len().trailing_zeros())) as usize;
        while self.slots[at].is_some_and(|(found, _)| found != segment) {
            at = (at + 1) & (self.slots.len() - 1);
        }
        at
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(8);
        for (segment, root) in std::mem::replace(&mut self.slots, vec![None; slots]).into_iter().flatten() {
            let at = self.find(segment);
            self.slots[at] = Some((segment, root));
        }
    }
}

/// One key in a tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LeafEntry {
    /// Which leaf it lies in.
    pub leaf: u32,
    /// The key.
    pub key: KeyId,
    /// The hash of the key with its versions, see [`entry_hash`].
    pub hash: u64,
}

/// The tree of one range at one moment. Level 0 is the root, level `depth` the leaves.
#[derive(Clone, Debug)]
pub struct Tree {
    depth: u32,
    /// Sorted by leaf and key.
    entries: Vec<LeafEntry>,
    /// The sum of the hashes of the first i entries.
    sums: Vec<u64>,
}

impl Tree {
    /// The tree of these keys, in any order.
    ///
    /// # Panics
    /// If `depth` is above 31 or a leaf is not below 2^depth.
    pub fn from_leaves(depth: u32, entries: impl IntoIterator<Item = LeafEntry>) -> Tree {
        assert!(depth <= 31, "a tree has at most 2^31 leaves");
        let mut entries: Vec<LeafEntry> = entries.into_iter().collect();
        entries.sort_unstable();
        assert!(entries.last().is_none_or(|last| last.leaf < 1 << depth), "a leaf lies inside the tree");
        let mut sums = Vec::with_capacity(entries.len() + 1);
        let mut sum = 0u64;
        sums.push(sum);
        for entry in &entries {
            sum = sum.wrapping_add(entry.hash);
            sums.push(sum);
        }
        Tree { depth, entries, sums }
    }

    /// Levels below the root.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The hash of the root, equal to the range's in [`Roots`].
    pub fn root(&self) -> u64 {
        self.hash(0, 0)
    }

    /// The hash of the `index`-th node of a level; 0 if no key lies below it.
    pub fn hash(&self, level: u32, index: u32) -> u64 {
        let below = self.below(level, index);
        self.sums[below.end].wrapping_sub(self.sums[below.start])
    }

    /// The hashes of the two children of a node.
    pub fn children(&self, level: u32, index: u32) -> [u64; 2] {
        [self.hash(level + 1, 2 * index), self.hash(level + 1, 2 * index + 1)]
    }

    /// The hashes of the children of these nodes, two each: what one side sends in answer to a list of
    /// differing nodes.
    pub fn children_of(&self, level: u32, indexes: &[u32]) -> Vec<u64> {
        indexes.iter().flat_map(|&index| self.children(level, index)).collect()
    }

    /// The keys of a leaf with their hashes, sorted by key.
    pub fn leaf_keys(&self, leaf: u32) -> &[LeafEntry] {
        &self.entries[self.below(self.depth, leaf)]
    }

    fn below(&self, level: u32, index: u32) -> std::ops::Range<usize> {
        assert!(level <= self.depth, "a level lies inside the tree");
        let shift = self.depth - level;
        let first = u64::from(index) << shift;
        let end = (u64::from(index) + 1) << shift;
        let start = self.entries.partition_point(|entry| u64::from(entry.leaf) < first);
        let len = self.entries[start..].partition_point(|entry| u64::from(entry.leaf) < end);
        start..start + len
    }
}

/// One step down: of the nodes `indexes` of `level`, known to differ, the children that differ. `theirs` are
/// the other side's hashes of the children, two a node, in order; each costs one comparison.
///
/// # Panics
/// If `theirs` is not twice as long as `indexes`.
pub fn differing_children(mine: &Tree, theirs: &[u64], level: u32, indexes: &[u32]) -> Vec<u32> {
    assert!(theirs.len() == 2 * indexes.len(), "every differing node has two children");
    let mut differing = Vec::new();
    for (&index, theirs) in indexes.iter().zip(theirs.chunks_exact(2)) {
        let mine = mine.children(level, index);
        for side in 0..2 {
            if mine[side] != theirs[side] {
                differing.push(2 * index + side as u32);
            }
        }
    }
    differing
}

/// How two replicas differ in one key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Difference {
    /// We do not have it.
    Missing(KeyId),
    /// They do not have it.
    RemoteMissing(KeyId),
    /// Both have it, in different versions.
    Different(KeyId),
}

impl Difference {
    /// The key.
    pub const fn key(self) -> KeyId {
        match self {
            Difference::Missing(key) | Difference::RemoteMissing(key) | Difference::Different(key) => key,
        }
    }
}

/// The keys in which two lists of one leaf's keys differ, sorted by key. Both lists are sorted by key.
pub fn differing_keys(mine: &[LeafEntry], theirs: &[LeafEntry]) -> Vec<Difference> {
    let mut differences = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < mine.len() || j < theirs.len() {
        match (mine.get(i), theirs.get(j)) {
            (Some(x), Some(y)) if x.key == y.key => {
                if x.hash != y.hash {
                    differences.push(Difference::Different(x.key));
                }
                i += 1;
                j += 1;
            }
            (Some(x), y) if y.is_none_or(|y| x.key < y.key) => {
                differences.push(Difference::RemoteMissing(x.key));
                i += 1;
            }
            (_, Some(y)) => {
                differences.push(Difference::Missing(y.key));
                j += 1;
            }
            (_, None) => unreachable!("one of the lists has a key left"),
        }
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rng::{Purpose, Stream};

    fn entry(leaf: u32, key: u32, hash: u64) -> LeafEntry {
        LeafEntry { leaf, key: KeyId(key), hash }
    }

    /// Walks two trees down from the root as two replicas would. Returns how many child hashes were compared
    /// and which leaves differ.
    fn compare(mine: &Tree, theirs: &Tree) -> (u64, Vec<u32>) {
        if mine.root() == theirs.root() {
            return (0, Vec::new());
        }
        let mut indexes = vec![0];
        let mut compared = 0;
        for level in 0..mine.depth() {
            let hashes = theirs.children_of(level, &indexes);
            compared += hashes.len() as u64;
            indexes = differing_children(mine, &hashes, level, &indexes);
        }
        (compared, indexes)
    }

    #[test]
    fn only_the_differing_keys_are_found() {
        let common = [entry(0, 1, 11), entry(2, 2, 22), entry(3, 3, 33)];
        let mine = Tree::from_leaves(2, common.into_iter().chain([entry(2, 4, 44), entry(3, 6, 66)]));
        let theirs = Tree::from_leaves(2, common.into_iter().chain([entry(2, 5, 55), entry(3, 6, 67)]));
        let (compared, leaves) = compare(&mine, &theirs);
        assert_eq!((compared, &leaves[..]), (4, &[2, 3][..]));
        let differences = leaves.iter().flat_map(|&leaf| differing_keys(mine.leaf_keys(leaf), theirs.leaf_keys(leaf)));
        let expected =
            [Difference::RemoteMissing(KeyId(4)), Difference::Missing(KeyId(5)), Difference::Different(KeyId(6))];
        assert_eq!(differences.collect::<Vec<_>>(), expected);
    }

    // The cases of Riak's hashtree tests.
    #[test]
    fn riak_differences() {
        let one = |key: u32, hash: u64| [entry(0, key, hash)];
        assert_eq!(differing_keys(&one(10, 42), &one(10, 52)), [Difference::Different(KeyId(10))]);
        let (missing, remote) = (Difference::Missing, Difference::RemoteMissing);
        assert_eq!(differing_keys(&one(1, 1), &one(2, 2)), [remote(KeyId(1)), missing(KeyId(2))]);
        assert_eq!(differing_keys(&one(2, 2), &one(1, 1)), [missing(KeyId(1)), remote(KeyId(2))]);
        assert_eq!(differing_keys(&one(1, 1), &one(1, 1)), []);
        assert_eq!(differing_keys(&[], &one(1, 1)), [missing(KeyId(1))]);
    }

    #[test]
    fn roots_kept_with_every_write_equal_those_of_trees() {
        let mut roots = Roots::new();
        let mut chance = Stream::new(1, Purpose::Placement, 0);
        let mut hashes = vec![[0u64; 50]; 40];
        for _ in 0..5_000 {
            let (segment, key) = (chance.below(40) as usize, chance.below(50) as usize);
            let new = if chance.chance(0.2) { 0 } else { entry_hash(KeyId(key as u32), chance.bits() | 1) };
            roots.change(SegmentId(segment as u32), hashes[segment][key], new);
            hashes[segment][key] = new;
        }
        for (segment, keys) in hashes.iter().enumerate() {
            let held = keys.iter().enumerate().filter(|(_, hash)| **hash != 0);
            let entries = held.map(|(key, &hash)| entry(key as u32 % 16, key as u32, hash));
            let tree = Tree::from_leaves(4, entries);
            assert_eq!(roots.root(SegmentId(segment as u32)), tree.root());
        }
        assert_eq!(roots.root(SegmentId(99)), 0);
    }

    #[test]
    fn every_inner_hash_is_the_sum_of_its_children_and_the_depth_leaves_the_root() {
        let mut chance = Stream::new(2, Purpose::Placement, 0);
        let entries: Vec<LeafEntry> =
            (0..500).map(|key| entry(chance.below(1 << 6) as u32, key, chance.bits())).collect();
        let tree = Tree::from_leaves(6, entries.iter().copied());
        for level in 0..6 {
            for index in 0..1 << level {
                let [left, right] = tree.children(level, index);
                assert_eq!(tree.hash(level, index), left.wrapping_add(right));
            }
        }
        // Cassandra: two trees with different splits over the same keys have one root.
        let shallow = Tree::from_leaves(2, entries.iter().rev().map(|&e| LeafEntry { leaf: e.leaf >> 4, ..e }));
        assert_eq!(shallow.root(), tree.root());
        assert_eq!(shallow.hash(2, 3), tree.hash(2, 3));
    }

    #[test]
    fn one_differing_leaf_of_65536_costs_32_comparisons_and_244_keys() {
        let empty = Tree::from_leaves(16, []);
        for leaf in [0, 1, 40_000, 65_535] {
            let other = Tree::from_leaves(16, [entry(leaf, 1, 77)]);
            assert_eq!(compare(&empty, &other), (32, vec![leaf]));
        }
        assert_eq!(compare(&empty, &empty.clone()), (0, vec![]), "equal trees compare their roots only");
        // 16 million keys; with the 32 hashes this moves 276 things in place of 16 million.
        let keys_a_leaf = 16e6 / f64::from(1u32 << 16);
        assert_eq!(keys_a_leaf, 244.140625);
        assert!((1.0 - (32.0 + 244.0) / 16e6 - 0.999_982_8_f64).abs() < 1e-7);
    }

    /// 2^-level as a power without the platform's library.
    fn share(level: u32) -> f64 {
        1.0 / f64::from(1u32 << level)
    }

    /// (1 - 2^-level)^d, by multiplication.
    fn all_elsewhere(level: u32, d: u32) -> f64 {
        (0..d).fold(1.0, |product, _| product * (1.0 - share(level)))
    }

    #[test]
    fn comparisons_follow_the_closed_form() {
        // Depth 16, d random differing keys: published means of comparisons and of differing leaves.
        let cases = [(1, 32.0, 1.0), (2, 60.0, 2.0), (10, 255.2, 10.0), (100, 1893.0, 99.9), (1_000, 12_318.0, 992.0)];
        let mut chance = Stream::new(3, Purpose::Placement, 0);
        for (d, comparisons, leaves) in cases {
            let exact: f64 = 2.0 * (0..16).map(|level| (1.0 - all_elsewhere(level, d)) / share(level)).sum::<f64>();
            assert!((exact - comparisons).abs() < 0.5 + comparisons * 1e-4, "d = {d}: {exact}");
            let runs = if d > 100 { 30 } else { 300 };
            let (mut sum, mut squares, mut leaf_sum) = (0.0, 0.0, 0.0);
            for _ in 0..runs {
                let keys = (0..d).map(|key| entry(chance.below(1 << 16) as u32, key, chance.bits() | 1));
                let (compared, differing) = compare(&Tree::from_leaves(16, []), &Tree::from_leaves(16, keys));
                sum += compared as f64;
                squares += (compared * compared) as f64;
                leaf_sum += differing.len() as f64;
            }
            let runs = f64::from(runs);
            let mean = sum / runs;
            let standard_error = ((squares / runs - mean * mean).max(0.0) / runs).sqrt();
            assert!(
                (mean - exact).abs() <= 4.5 * standard_error + 1e-9,
                "d = {d}: mean {mean} ± {standard_error}, not {exact}"
            );
            assert!((leaf_sum / runs - leaves).abs() < 0.1 + 0.005 * leaves, "d = {d}");
        }
    }

    #[test]
    fn visited_nodes_follow_the_closed_form() {
        for (depth, d, expected) in [(10, 1, 11.0), (10, 10, 77.66), (10, 100, 451.1), (15, 1, 16.0), (15, 100, 946.5)]
        {
            let exact: f64 = (0..=depth).map(|level| (1.0 - all_elsewhere(level, d)) / share(level)).sum();
            assert!((exact - expected).abs() < 0.06, "depth {depth}, d = {d}: {exact}");
        }
    }

    #[test]
    fn leaves_cut_a_range_into_equal_parts() {
        assert_eq!([0, 24, 25, 50, 99].map(|offset| leaf_of(offset, 100, 2)), [0, 0, 1, 2, 3]);
        assert_eq!([0, 1, 2].map(|offset| leaf_of(offset, 3, 10)), [0, 1, 2], "shorter than the tree is wide");
        assert_eq!([0, u128::MAX / 2, u128::MAX].map(|offset| leaf_of(offset, 0, 16)), [0, 32_767, 65_535]);
        assert_eq!(leaf_of(u128::MAX, 0, 0), 0);
        assert_eq!(leaf_of((1 << 120) - 1, 1 << 120, 31), (1 << 31) - 1);
        let leaves: Vec<u32> = (0..1_000).map(|offset| leaf_of(offset, 1_000, 3)).collect();
        assert!(leaves.is_sorted() && leaves[999] == 7);
    }
}
