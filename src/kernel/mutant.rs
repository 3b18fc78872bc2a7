//! Seeded bugs: wrong lines planted in the real code, to see that the properties catch them.
//!
//! Without the cargo feature `mutants`, [`is`] is a constant `false` and no branch is left in the program. With
//! it, one bug at a time is planted in the whole process, before any run begins. This file holds the table; what a bug
//! does stands where it is planted, and `tests/mutants.rs` shows that each is caught.

#[cfg(feature = "mutants")]
use std::sync::atomic::{AtomicU8, Ordering};

/// How a bug is caught.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CaughtBy {
    /// By a check of one function or one small story: no seed is searched.
    Check(&'static str),
    /// By this property, named by its id, in at least one of so many seeds of a chaos profile.
    Seeds(&'static str, u32),
}

macro_rules! mutants {
    ($( $(#[doc = $doc:literal])+ $name:ident = $place:literal, $what:literal, $caught_by:expr; )+) => {
        /// A seeded bug.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Mutant { $( $(#[doc = $doc])+ $name, )+ }

        impl Mutant {
            /// All of them.
            pub const ALL: &'static [Mutant] = &[$(Mutant::$name),+];

            /// Its name: `M07`.
            pub const fn id(self) -> &'static str {
                match self { $( Mutant::$name => stringify!($name), )+ }
            }

            /// The part of the program that is wrong.
            pub const fn place(self) -> &'static str {
                match self { $( Mutant::$name => $place, )+ }
            }

            /// What is wrong.
            pub const fn what(self) -> &'static str {
                match self { $( Mutant::$name => $what, )+ }
            }

            /// What must catch it.
            pub const fn caught_by(self) -> CaughtBy {
                match self { $( Mutant::$name => $caught_by, )+ }
            }
        }
    };
}

use CaughtBy::{Check, Seeds};

mutants! {
    /// Two of three writes are answered when one node has them.
    M01 = "coordinator", "counts its own copy twice towards W", Seeds("P6", 5);
    /// The answer comes with the messages to the replicas instead of after theirs.
    M02 = "coordinator", "acknowledges when W copies are sent, not stored", Seeds("P6", 5);
    /// A strict quorum silently is a sloppy one. Reads and writes share the plan, so it is wrong for both.
    M03 = "coordinator", "lets stand-ins count under a strict quorum", Seeds("P6", 20);
    /// A sibling that is not returned is not in the context of the next write either, so nothing is lost for good:
    /// reads miss it.
    M04 = "read", "returns the first value of the first answer instead of merging", Seeds("P2", 20);
    /// Two clocks that differ only in who is named are taken for equal. Dotted versions are not compared by clock:
    /// it takes vector clocks, and one writer, since several lose writes without any bug.
    M06 = "vector clock", "compares a missing actor as equal instead of as 0", Seeds("P1", 10);
    /// Merging depends on who comes last.
    M07 = "vector clock", "merges an actor that both have by taking the last counter, not the larger", Check("C1");
    /// What a plain clock of servers does.
    M08 = "dotted versions", "drops siblings that the writer had not seen", Seeds("P1", 10);
    /// Nothing is ever replaced.
    M09 = "dotted versions", "keeps siblings that the writer had seen", Check("C5");
    /// The identity of a node outlives its data (riak_kv issue 679).
    M10 = "replica", "counts from 1 again under its old identity after it has lost its disk", Seeds("C6", 100);
    /// Replicas that heard in different orders differ for ever. It takes a clock so coarse that stamps are equal.
    M12 = "last write wins", "keeps of two versions with one stamp the one that came first", Seeds("L1", 20);
    /// A list of three vnodes may be one machine.
    M13 = "ring", "walks over vnodes without skipping a node that it has met", Check("R1");
    /// Of the two ways to get the wrap-around wrong this one is not an index out of bounds.
    M14 = "ring", "gives positions behind the last token to its owner instead of the first's", Check("R4");
    /// Tokens are drawn before anybody joins; here they depend on the order in which the first members are named.
    M15 = "ring", "derives tokens from the order of joins", Check("R2");
    /// A batch that is lost on its way is gone.
    M17 = "hinted handoff", "deletes hints when they are sent, before the owner has acknowledged them", Seeds("L2", 50);
    /// Ranges that differ look alike.
    M20 = "Merkle trees", "leaves the sums as they were on writes by hints and read repair", Seeds("L3", 50);
    /// Sums cannot see that versions differ.
    M22 = "Merkle trees", "hashes a leaf's keys without their versions", Seeds("L1", 20);
    /// Repair makes new siblings, and the next repair more of them.
    M23 = "read repair", "writes back under a new dot", Seeds("L4", 20);
    /// Here any message is a sign of life too, so that as well is not believed.
    M25 = "failure detector", "never refutes a suspicion", Seeds("L6", 50);
    /// Nothing is flushed: a crash that loses the tail loses all since the process began.
    M27 = "crash", "acknowledges writes that are not flushed although the scenario says so", Seeds("P6", 30);
    /// Both directions are cut.
    M28 = "network", "cuts both directions where one was to be cut", Check("S3");
    /// Peers for gossip are chosen by the order of a hash set, which differs per process and per set.
    M30 = "engine", "chooses peers for gossip in the order of a hash set", Seeds("determinism", 3);
    /// Planted in the search for a linear order (`check::linear`), where an operation of unknown outcome may take
    /// effect at any time after its call or never: wrong is to leave it out.
    M32 = "checker", "treats a write that timed out as failed", Check("the corpus of histories");
}

impl Mutant {
    /// The bug of this id, in upper or lower case.
    pub fn from_id(id: &str) -> Option<Mutant> {
        Mutant::ALL.iter().copied().find(|mutant| mutant.id().eq_ignore_ascii_case(id))
    }
}

/// Whether this bug is planted.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn is(_: Mutant) -> bool {
    false
}

/// One more than the place in [`Mutant::ALL`] of the bug that is planted; 0 for none.
#[cfg(feature = "mutants")]
static PLANTED: AtomicU8 = AtomicU8::new(0);

/// Whether this bug is planted.
#[cfg(feature = "mutants")]
#[inline]
pub fn is(mutant: Mutant) -> bool {
    PLANTED.load(Ordering::Relaxed) == mutant as u8 + 1
}

/// Plants a bug in the whole process, in place of any other; `None` makes it whole. Runs under way must be over.
#[cfg(feature = "mutants")]
pub fn plant(mutant: Option<Mutant>) {
    PLANTED.store(mutant.map_or(0, |mutant| mutant as u8 + 1), Ordering::Relaxed);
}

/// The bug that is planted, if one is.
pub fn planted() -> Option<Mutant> {
    Mutant::ALL.iter().copied().find(|&mutant| is(mutant))
}

/// What has to be said of a run with this bug.
pub fn notice(mutant: Mutant) -> String {
    format!("planted bug {} ({}): {}", mutant.id(), mutant.place(), mutant.what())
}

/// The items in an order that no two calls share: what [`Mutant::M30`] needs, and nothing else.
#[expect(clippy::disallowed_types, reason = "the bug is that its order varies")]
pub fn in_no_order<T: std::hash::Hash + Eq>(items: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    items.collect::<std::collections::HashSet<T>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinct_and_sorted() {
        assert!(Mutant::ALL.windows(2).all(|pair| pair[0].id() < pair[1].id()));
        for &mutant in Mutant::ALL {
            assert_eq!(Mutant::from_id(&mutant.id().to_lowercase()), Some(mutant));
            assert!(!is(mutant), "nothing is planted unless it is asked for");
        }
        assert_eq!(Mutant::from_id("M99"), None);
    }
}
