//! Merkle trees over key ranges (Dynamo §4.7).
//!
//! The hash of a node of the tree is the sum, mod 2^64, of the mixed hashes of the keys below it. So it
//! depends neither on the order of insertion nor on how a range is split, a root is kept up to date with one
//! addition a write, and inner hashes are worked out only when two replicas talk. A sum can be forged; there
//! is no forger in a simulation. This file does not know which node holds which range, nor the messages.

use crate::kernel::ids::{KeyId, SegmentId};

/// A key's part in the sums: its id and the hash of its versions, mixed. 0 if there is no version.
pub fn entry_hash(key: KeyId, versions_hash: u64) -> u64 {
    if versions_hash == 0 {
        return 0;
    }
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
