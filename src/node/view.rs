//! A node's view of the membership: the set of changes that it has heard of (Dynamo §4.8.1).
//!
//! The set only grows, so two views reconcile by union, in any order and any number of times. Thousands of
//! nodes hold nearly equal views, and compare them each second; therefore a view is an immutable list of
//! shared chunks with a hash of each and of all. Equal views are told by their hash, a view that has all the
//! other has is adopted by its handle, and a true merge copies only the chunks that differ. What the changes
//! are is not known here.

use std::sync::Arc;

const WORDS: usize = 16;
/// Changes in one chunk.
const CHUNK: u32 = 64 * WORDS as u32;

#[derive(Clone, Default, Debug)]
struct Chunk {
    hash: u128,
    words: [u64; WORDS],
}

/// Which changes a node has heard of.
#[derive(Clone, Debug)]
pub struct View {
    hash: u128,
    chunks: Arc<[Arc<Chunk>]>,
}

impl PartialEq for View {
    fn eq(&self, other: &View) -> bool {
        self.hash == other.hash
    }
}

impl Eq for View {}

/// How many changes each of two views has that the other has not.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Difference {
    /// Only the first has them.
    pub mine: u32,
    /// Only the second has them.
    pub theirs: u32,
}

/// A change's part in the hash of a view.
pub(super) fn hash_of(number: u32) -> u128 {
    xxhash_rust::xxh3::xxh3_128(&number.to_le_bytes())
}

impl View {
    /// A view that has heard of nothing.
    pub fn empty() -> View {
        View { hash: 0, chunks: Arc::from([]) }
    }

    /// The view of all changes below a number: what the initial members know.
    pub fn below(count: u32) -> View {
        let mut chunks = vec![Chunk::default(); count.div_ceil(CHUNK) as usize];
        let mut hash = 0;
        for number in 0..count {
            let part = hash_of(number);
            chunks[(number / CHUNK) as usize].add(number % CHUNK, part);
            hash ^= part;
        }
        View { hash, chunks: chunks.into_iter().map(Arc::new).collect() }
    }

    /// A name for the view's content: equal views have equal hashes.
    pub fn hash(&self) -> u128 {
        self.hash
    }

    /// Whether it has heard of the change.
    pub fn contains(&self, number: u32) -> bool {
        self.chunks.get((number / CHUNK) as usize).is_some_and(|chunk| chunk.contains(number % CHUNK))
    }

    /// Hears of a change. Returns whether it is new.
    pub fn insert(&mut self, number: u32) -> bool {
        if self.contains(number) {
            return false;
        }
        let index = (number / CHUNK) as usize;
        let mut chunks = self.chunks.to_vec();
        while chunks.len() <= index {
            chunks.push(Arc::default());
        }
        let part = hash_of(number);
        Arc::make_mut(&mut chunks[index]).add(number % CHUNK, part);
        self.hash ^= part;
        self.chunks = chunks.into();
        true
    }

    /// How the two views differ. Costs one comparison of pointers for each chunk that they share.
    pub fn difference(&self, other: &View) -> Difference {
        let mut difference = Difference::default();
        if self.hash == other.hash {
            return difference;
        }
        for index in 0..self.chunks.len().max(other.chunks.len()) {
            match (self.chunks.get(index), other.chunks.get(index)) {
                (Some(mine), Some(theirs)) => {
                    if !Arc::ptr_eq(mine, theirs) && mine.hash != theirs.hash {
                        for (a, b) in mine.words.iter().zip(&theirs.words) {
                            difference.mine += (a & !b).count_ones();
                            difference.theirs += (b & !a).count_ones();
                        }
                    }
                }
                (Some(mine), None) => difference.mine += mine.len(),
                (None, Some(theirs)) => difference.theirs += theirs.len(),
                (None, None) => unreachable!("the index lies inside the longer list"),
            }
        }
        difference
    }

    /// Hears of all that another view has heard of. Returns how many changes are new.
    pub fn merge(&mut self, other: &View) -> u32 {
        let difference = self.difference(other);
        self.merge_known(other, difference);
        difference.theirs
    }

    /// As [`View::merge`], where the difference is known already.
    pub(super) fn merge_known(&mut self, other: &View, difference: Difference) {
        match difference {
            // Equal: one copy of the chunks is enough for both.
            Difference { mine: 0, .. } => {
                if !Arc::ptr_eq(&self.chunks, &other.chunks) {
                    *self = other.clone();
                }
            }
            Difference { theirs: 0, .. } => {}
            Difference { .. } => self.unite(other),
        }
    }

    fn unite(&mut self, other: &View) {
        let mut chunks = Vec::with_capacity(self.chunks.len().max(other.chunks.len()));
        let mut hash = 0;
        for index in 0..chunks.capacity() {
            let chunk = match (self.chunks.get(index), other.chunks.get(index)) {
                (Some(mine), Some(theirs)) if mine.hash != theirs.hash => mine.united(theirs, index as u32 * CHUNK),
                (Some(chunk), _) | (None, Some(chunk)) => Arc::clone(chunk),
                (None, None) => break,
            };
            hash ^= chunk.hash;
            chunks.push(chunk);
        }
        *self = View { hash, chunks: chunks.into() };
    }

    /// The changes it has heard of, in order.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        let words = self.chunks.iter().flat_map(|chunk| chunk.words.iter());
        words.enumerate().flat_map(|(index, &word)| bits(word).map(move |bit| index as u32 * 64 + bit))
    }
}

impl Chunk {
    fn contains(&self, bit: u32) -> bool {
        self.words[(bit / 64) as usize] >> (bit % 64) & 1 == 1
    }

    fn add(&mut self, bit: u32, part: u128) {
        self.words[(bit / 64) as usize] |= 1 << (bit % 64);
        self.hash ^= part;
    }

    fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// The union of two different chunks, shared with the one that has it all if there is one.
    fn united(self: &Arc<Chunk>, other: &Arc<Chunk>, first: u32) -> Arc<Chunk> {
        let mut both = Chunk::clone(self);
        for (index, &theirs) in other.words.iter().enumerate() {
            for bit in bits(theirs & !self.words[index]) {
                let bit = index as u32 * 64 + bit;
                both.add(bit, hash_of(first + bit));
            }
        }
        match both.hash {
            hash if hash == self.hash => Arc::clone(self),
            hash if hash == other.hash => Arc::clone(other),
            _ => Arc::new(both),
        }
    }
}

fn bits(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros();
        word &= word.wrapping_sub(1);
        (bit < 64).then_some(bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn view(numbers: &BTreeSet<u32>) -> View {
        let mut view = View::empty();
        for &number in numbers {
            view.insert(number);
        }
        view
    }

    #[test]
    fn views_reconcile_by_union() {
        let (mut mine, mut theirs) = (View::below(3), View::below(3));
        mine.insert(3);
        theirs.insert(2_000);
        assert_eq!(mine.difference(&theirs), Difference { mine: 1, theirs: 1 });
        assert_eq!(mine.merge(&theirs), 1);
        assert_eq!(theirs.merge(&mine), 1);
        assert_eq!(mine, theirs);
        assert_eq!(mine.numbers().collect::<Vec<_>>(), [0, 1, 2, 3, 2_000]);
    }

    #[test]
    fn a_view_that_has_it_all_is_adopted_without_a_copy() {
        let old = View::below(5_000);
        let mut newer = old.clone();
        newer.insert(5_000);
        let mut mine = old.clone();
        assert_eq!(mine.merge(&newer), 1);
        assert!(Arc::ptr_eq(&mine.chunks, &newer.chunks));
        assert!(Arc::ptr_eq(&mine.chunks[0], &old.chunks[0]), "untouched chunks stay shared");
        assert_eq!(mine.merge(&old), 0);
        assert!(Arc::ptr_eq(&mine.chunks, &newer.chunks));
    }

    proptest! {
        #[test]
        fn merging_is_union_in_any_order(
            a in prop::collection::btree_set(0u32..2_500, 0..40),
            b in prop::collection::btree_set(0u32..2_500, 0..40),
            c in prop::collection::btree_set(0u32..2_500, 0..40),
        ) {
            let union: BTreeSet<u32> = a.iter().chain(&b).chain(&c).copied().collect();
            let (va, vb, vc) = (view(&a), view(&b), view(&c));
            let mut left = va.clone();
            let news = left.merge(&vb);
            prop_assert_eq!(news as usize, b.difference(&a).count());
            left.merge(&vc);
            let mut right = vc.clone();
            right.merge(&vb);
            right.merge(&va);
            prop_assert_eq!(&left, &right);
            prop_assert_eq!(left.hash(), view(&union).hash());
            prop_assert_eq!(left.numbers().collect::<Vec<_>>(), union.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(left.merge(&right), 0);
        }
    }
}
