//! Vector clocks: lists of (actor, counter) pairs and their algebra (Dynamo §4.4).
//!
//! Each entry also says when its counter was last raised, because Dynamo drops the oldest entry of
//! a clock that has grown too long. Comparison never looks at these times. This file does not know
//! what a version is, nor who increments a clock and when.

use std::fmt;

use smallvec::SmallVec;

use crate::kernel::ids::ActorId;
use crate::kernel::mutant::{self, Mutant};

/// One actor's entry in a clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Entry {
    /// Who counted.
    pub actor: ActorId,
    /// How far it had counted, from 1; an actor without an entry has counted to 0.
    pub counter: u32,
    /// When the counter was last raised, in milliseconds of the writer's clock. Only truncation reads it.
    pub at_ms: u32,
}

/// One write event: the `counter`-th of `actor` for one key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Dot {
    /// Who counted.
    pub actor: ActorId,
    /// Which of its events, from 1.
    pub counter: u32,
}

/// How two clocks or two versions stand to each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Order {
    /// The same.
    Equal,
    /// The first is an ancestor of the second.
    Before,
    /// The first descends from the second.
    After,
    /// Neither has seen the other.
    Concurrent,
}

impl Order {
    /// The order seen from the other side.
    pub const fn reversed(self) -> Order {
        match self {
            Order::Before => Order::After,
            Order::After => Order::Before,
            Order::Equal | Order::Concurrent => self,
        }
    }
}

/// A vector clock: entries sorted by actor, one an actor, no counter 0.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Clock(SmallVec<[Entry; 4]>);

impl Clock {
    /// The clock that has seen nothing.
    pub fn new() -> Clock {
        Clock::default()
    }

    /// A clock of these entries, in any order; for an actor named twice the larger counter stays.
    pub fn from_entries(entries: impl IntoIterator<Item = Entry>) -> Clock {
        let mut clock = Clock::new();
        for entry in entries {
            clock.raise(entry);
        }
        clock
    }

    /// The entries in actor order.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// How many actors have an entry.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the clock has seen nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The actor's entry, if it has one.
    pub fn entry(&self, actor: ActorId) -> Option<&Entry> {
        self.place(actor).ok().map(|at| &self.0[at])
    }

    /// How far the actor had counted; 0 without an entry.
    pub fn get(&self, actor: ActorId) -> u32 {
        self.entry(actor).map_or(0, |entry| entry.counter)
    }

    /// Whether the clock has seen the event.
    pub fn covers(&self, dot: Dot) -> bool {
        dot.counter <= self.get(dot.actor)
    }

    /// Takes in one entry: the larger counter stays, and of equal counters the later time.
    pub fn raise(&mut self, entry: Entry) {
        if entry.counter == 0 {
            return;
        }
        match self.place(entry.actor) {
            Ok(at) => {
                let mine = &mut self.0[at];
                if (mine.counter, mine.at_ms) < (entry.counter, entry.at_ms) || mutant::is(Mutant::M07) {
                    *mine = entry;
                }
            }
            Err(at) => self.0.insert(at, entry),
        }
    }

    /// Takes in all that `other` has seen: the least clock that descends from both.
    pub fn merge(&mut self, other: &Clock) {
        if self.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        for &entry in &other.0 {
            self.raise(entry);
        }
    }

    /// The least clock that descends from both.
    pub fn merged(&self, other: &Clock) -> Clock {
        let mut clock = self.clone();
        clock.merge(other);
        clock
    }

    /// Counts one more event of the actor, at `at_ms`, and names it.
    ///
    /// # Panics
    /// If the actor has counted to 2^32 - 1.
    pub fn increment(&mut self, actor: ActorId, at_ms: u32) -> Dot {
        let counter = self.get(actor).checked_add(1).expect("an actor writes a key less than 2^32 times");
        self.set(Entry { actor, counter, at_ms });
        Dot { actor, counter }
    }

    /// Sets the actor's entry, whatever it was.
    pub fn set(&mut self, entry: Entry) {
        match self.place(entry.actor) {
            Ok(at) => self.0[at] = entry,
            Err(at) => self.0.insert(at, entry),
        }
    }

    /// How the two stand to each other. An absent entry counts as 0; times do not matter.
    pub fn compare(&self, other: &Clock) -> Order {
        let (a, b) = (&self.0[..], &other.0[..]);
        let (mut i, mut j) = (0, 0);
        let (mut ahead, mut behind) = (false, false);
        let absent_is_0 = !mutant::is(Mutant::M06);
        while i < a.len() && j < b.len() {
            let (x, y) = (&a[i], &b[j]);
            if x.actor == y.actor {
                ahead |= x.counter > y.counter;
                behind |= x.counter < y.counter;
                i += 1;
                j += 1;
            } else if x.actor < y.actor {
                ahead |= absent_is_0;
                i += 1;
            } else {
                behind |= absent_is_0;
                j += 1;
            }
        }
        ahead |= absent_is_0 && i < a.len();
        behind |= absent_is_0 && j < b.len();
        match (ahead, behind) {
            (false, false) => Order::Equal,
            (false, true) => Order::Before,
            (true, false) => Order::After,
            (true, true) => Order::Concurrent,
        }
    }

    /// Whether this clock has seen all that `other` has, itself included.
    pub fn descends(&self, other: &Clock) -> bool {
        matches!(self.compare(other), Order::Equal | Order::After)
    }

    /// Whether this clock has seen all that `other` has, and more.
    pub fn dominates(&self, other: &Clock) -> bool {
        self.compare(other) == Order::After
    }

    /// Drops the oldest entries, by (time, actor), until at most `max_entries` are left, and returns them in
    /// actor order. The entry of `keep` stays: an actor that forgot its own counter would issue it again.
    ///
    /// Source: Dynamo §4.4, clock truncation.
    pub fn truncate(&mut self, max_entries: u32, keep: ActorId) -> SmallVec<[Entry; 1]> {
        let mut evicted = SmallVec::new();
        while self.0.len() > (max_entries as usize).max(1) {
            let oldest = (0..self.0.len())
                .filter(|&at| self.0[at].actor != keep)
                .min_by_key(|&at| (self.0[at].at_ms, self.0[at].actor))
                .expect("a clock of two entries has one that is not the writer's");
            evicted.push(self.0.remove(oldest));
        }
        evicted.sort_unstable();
        evicted
    }

    fn place(&self, actor: ActorId) -> Result<usize, usize> {
        // Clocks have a few entries: walking them beats a binary search.
        for (at, entry) in self.0.iter().enumerate() {
            if entry.actor >= actor {
                return if entry.actor == actor { Ok(at) } else { Err(at) };
            }
        }
        Err(self.0.len())
    }
}

/// Entries in actor order as `[3:2, 5:1]`, the form of Dynamo's Figure 3; a later life of a node is `3'1:2`.
impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (at, entry) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{}", Dot { actor: entry.actor, counter: entry.counter })?;
        }
        f.write_str("]")
    }
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.actor.node())?;
        if self.actor.epoch() > 0 {
            write!(f, "'{}", self.actor.epoch())?;
        }
        write!(f, ":{}", self.counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock of (actor, counter) pairs, all at time 0.
    fn clock(pairs: &[(u32, u32)]) -> Clock {
        Clock::from_entries(pairs.iter().map(|&(actor, counter)| Entry { actor: ActorId(actor), counter, at_ms: 0 }))
    }

    /// A clock of actor -> (counter, time).
    fn timed(entries: &[(u32, u32, u32)]) -> Clock {
        let entry = |&(actor, counter, at_ms): &(u32, u32, u32)| Entry { actor: ActorId(actor), counter, at_ms };
        Clock::from_entries(entries.iter().map(entry))
    }

    /// A clock made by one increment for each actor named.
    fn events(actors: &[u32]) -> Clock {
        let mut clock = Clock::new();
        for &actor in actors {
            clock.increment(ActorId(actor), 0);
        }
        clock
    }

    #[test]
    fn an_event_makes_a_descendant_and_two_actors_make_a_conflict() {
        let first = events(&[1]);
        let second = events(&[1, 1]);
        let aside = events(&[1, 2]);
        assert_eq!(first.compare(&second), Order::Before);
        assert_eq!(second.compare(&aside), Order::Concurrent);
        assert_eq!(second.merged(&aside), clock(&[(1, 2), (2, 1)]));
        assert_eq!(aside.to_string(), "[1:1, 2:1]");
    }

    // The cases of riak_core's vclock tests.
    #[test]
    fn riak_descent() {
        let (a, b, c) = (1, 2, 3);
        for x in [clock(&[]), clock(&[(a, 1)]), clock(&[(a, 2), (b, 1)])] {
            assert!(x.descends(&Clock::new()) && x.descends(&x));
        }
        let (a1, b1, a2) = (clock(&[(a, 1)]), clock(&[(b, 1)]), clock(&[(a, 2)]));
        assert!(!a1.descends(&b1));
        let mut c1 = a2.merged(&b1);
        assert_eq!(c1, clock(&[(a, 2), (b, 1)]));
        c1.increment(ActorId(c), 0);
        assert_eq!(c1, clock(&[(a, 2), (b, 1), (c, 1)]));
        assert!(c1.descends(&a2) && c1.descends(&b1) && !b1.descends(&c1) && !b1.descends(&a1));
    }

    #[test]
    fn riak_dominance() {
        let (a3, b4, b5) = (clock(&[(1, 2), (2, 1)]), clock(&[(1, 2), (2, 2)]), clock(&[(2, 2), (1, 2)]));
        assert!(b4.dominates(&a3) && !a3.dominates(&b4));
        assert_eq!(b4.compare(&b5), Order::Equal);
        assert!(!b4.dominates(&b5) && !b5.dominates(&b4));
    }

    #[test]
    fn riak_merges() {
        let merge = |x: &[(u32, u32, u32)], y: &[(u32, u32, u32)], expected: &[(u32, u32, u32)]| {
            assert_eq!(timed(x).merged(&timed(y)), timed(expected));
            assert_eq!(timed(y).merged(&timed(x)), timed(expected));
        };
        merge(
            &[(1, 1, 1), (2, 2, 2), (4, 4, 4)],
            &[(3, 3, 3), (4, 3, 3)],
            &[(1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4)],
        );
        merge(&[(5, 5, 5)], &[(6, 6, 6), (7, 7, 7)], &[(5, 5, 5), (6, 6, 6), (7, 7, 7)]);
        // Of equal counters the later time stays.
        merge(&[(1, 1, 2), (2, 1, 4)], &[(1, 1, 3), (3, 1, 5)], &[(1, 1, 3), (2, 1, 4), (3, 1, 5)]);
    }

    #[test]
    fn riak_accessors() {
        let x = timed(&[(1, 1, 7), (2, 2, 9)]);
        assert_eq!((x.get(ActorId(2)), x.get(ActorId(5))), (2, 0));
        assert_eq!(x.entry(ActorId(1)).map(|entry| entry.at_ms), Some(7));
        assert_eq!(x.entry(ActorId(5)), None);
        assert_eq!(x.entries().iter().map(|entry| entry.actor.0).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn same_counters_at_different_times_are_equal() {
        assert_eq!(timed(&[(1, 1, 7)]).compare(&timed(&[(1, 1, 8)])), Order::Equal);
    }

    #[test]
    fn truncation_drops_the_oldest_and_breaks_ties_by_actor() {
        let mut x = timed(&[(1, 1, 30), (2, 1, 10), (3, 1, 20)]);
        assert_eq!(x.truncate(3, ActorId(9)).len(), 0);
        let evicted = x.truncate(1, ActorId(9));
        assert_eq!(evicted.iter().map(|entry| entry.actor.0).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(x, timed(&[(1, 1, 30)]));
        // Riak's prune_order: of two entries of one time the same survives, however they came in.
        for order in [[(1, 1, 5), (2, 1, 5)], [(2, 1, 5), (1, 1, 5)]] {
            let mut x = timed(&order);
            x.truncate(1, ActorId(9));
            assert_eq!(x, timed(&[(2, 1, 5)]));
        }
    }

    #[test]
    fn truncation_never_drops_the_writer() {
        let mut x = timed(&[(1, 1, 0), (2, 1, 10), (3, 1, 20)]);
        let evicted = x.truncate(1, ActorId(1));
        assert_eq!(x, timed(&[(1, 1, 0)]));
        assert_eq!(evicted.len(), 2);
    }

    // The cases of Voldemort's VectorClockTest.
    #[test]
    fn voldemort_comparisons() {
        let cases: [(&[u32], &[u32], Order); 9] = [
            (&[], &[], Order::Equal),
            (&[1, 1, 2], &[1, 1, 2], Order::Equal),
            (&[1, 1, 2], &[1, 1, 2, 3], Order::Before),
            (&[1], &[2], Order::Concurrent),
            (&[1, 1, 2], &[1, 1, 3], Order::Concurrent),
            (&[1, 2, 3, 3], &[1, 1, 2, 3], Order::Concurrent),
            (&[2, 2], &[1, 2, 2, 3], Order::Before),
            (&[1, 2, 2, 3], &[2, 2], Order::After),
            (&[], &[1], Order::Before),
        ];
        for (x, y, expected) in cases {
            assert_eq!(events(x).compare(&events(y)), expected, "{x:?} and {y:?}");
            assert_eq!(events(y).compare(&events(x)), expected.reversed(), "{y:?} and {x:?}");
        }
    }

    #[test]
    fn voldemort_merges() {
        let cases: [(&[u32], &[u32], &[u32]); 4] = [
            (&[1], &[2], &[1, 2]),
            (&[1], &[1, 2], &[1, 2]),
            (&[1, 1, 1, 2, 3, 5], &[1, 2, 2, 4], &[1, 1, 1, 2, 2, 3, 4, 5]),
            (&[2, 3, 5], &[1, 2, 2, 4, 7], &[1, 2, 2, 3, 4, 5, 7]),
        ];
        for (x, y, expected) in cases {
            assert_eq!(events(x).merged(&events(y)), events(expected), "{x:?} and {y:?}");
        }
    }

    #[test]
    fn voldemort_counts_beyond_sixteen_and_thirty_one_bits() {
        for large in [32_768, 65_536, 1 << 31, u32::MAX - 1] {
            let mut merged = clock(&[(1, 1)]).merged(&clock(&[(1, large)]));
            assert_eq!(merged.get(ActorId(1)), large);
            assert_eq!(merged.increment(ActorId(1), 0).counter, large + 1);
            assert_eq!(clock(&[(1, large)]).compare(&merged), Order::Before);
        }
        let mut x = Clock::new();
        for _ in 0..3_001 {
            x.increment(ActorId(7), 0);
        }
        assert_eq!(x.get(ActorId(7)), 3_001);
    }

    #[test]
    fn voldemort_order_of_increments_does_not_matter() {
        assert_eq!(events(&[3, 1, 2, 1, 3, 3]), events(&[1, 1, 2, 3, 3, 3]));
        assert_eq!(clock(&[(9, 1), (2, 4)]), clock(&[(2, 4), (9, 1)]));
    }

    /// All clocks over two actors with up to three events each.
    fn tiny_world() -> Vec<Clock> {
        (0..=3).flat_map(|a| (0..=3).map(move |b| clock(&[(1, a), (2, b)]))).collect()
    }

    #[test]
    fn comparison_is_a_partial_order_over_every_case_of_a_tiny_world() {
        let world = tiny_world();
        for a in &world {
            for b in &world {
                let order = a.compare(b);
                assert_eq!(order == Order::Equal, a == b);
                assert_eq!(b.compare(a), order.reversed());
                for c in &world {
                    if a.descends(b) && b.descends(c) {
                        assert!(a.descends(c), "descent is transitive: {a} {b} {c}");
                    }
                }
            }
            for actor in [1, 2, 3] {
                let mut next = a.clone();
                next.increment(ActorId(actor), 0);
                assert!(next.dominates(a), "an event leaves its past behind");
            }
        }
    }

    #[test]
    fn merge_is_the_least_upper_bound_over_every_case_of_a_tiny_world() {
        let world = tiny_world();
        for a in &world {
            assert_eq!(&a.merged(a), a);
            assert_eq!(&a.merged(&Clock::new()), a);
            for b in &world {
                let both = a.merged(b);
                assert_eq!(both, b.merged(a));
                assert!(both.descends(a) && both.descends(b));
                for c in &world {
                    assert_eq!(both.merged(c), a.merged(&b.merged(c)));
                    if c.descends(a) && c.descends(b) {
                        assert!(c.descends(&both), "no upper bound is below the merge: {a} {b} {c}");
                    }
                }
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]
        #[test]
        fn laws_hold_for_large_clocks_with_times(
            a in proptest::collection::vec((0u32..6, 0u32..4, 0u32..4), 0..8),
            b in proptest::collection::vec((0u32..6, 0u32..4, 0u32..4), 0..8),
            c in proptest::collection::vec((0u32..6, 0u32..4, 0u32..4), 0..8),
        ) {
            let (a, b, c) = (timed(&a), timed(&b), timed(&c));
            assert_eq!(a.merged(&b), b.merged(&a));
            assert_eq!(a.merged(&b).merged(&c), a.merged(&b.merged(&c)));
            assert_eq!(a.merged(&a), a);
            assert!(a.merged(&b).descends(&a));
            assert_eq!(a.compare(&b), b.compare(&a).reversed());
            assert_eq!(a.descends(&b), a.merged(&b).compare(&a) == Order::Equal);
            let mut short = a.clone();
            let evicted = short.truncate(2, ActorId(0));
            assert!(a.descends(&short), "truncation only takes away");
            let mut whole = short.clone();
            evicted.iter().for_each(|&entry| whole.raise(entry));
            assert_eq!(whole, a, "what was evicted is what is missing");
        }
    }
}
