//! The versions that one replica holds under a key, or that one read returns (Dynamo §4.4, §5.2).
//!
//! None of them replaces another. Nearly always there is one, and nearly always all replicas hold the same
//! object, so the pointer is compared first.

use std::ops::Deref;

use super::vector_clock::Order;
use super::{Past, Scheme, Version, order};

/// A set of versions of one key, none of which replaces another, sorted by dot.
#[derive(Clone, Default)]
pub struct Siblings(Repr);

#[derive(Clone, Default)]
enum Repr {
    #[default]
    None,
    One(Version),
    /// Two or more.
    #[expect(clippy::box_collection, reason = "a boxed slice would make every handle 24 bytes for this rare case")]
    Many(Box<Vec<Version>>),
}

/// How much of an incoming version's clock counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whole {
    /// A write from its coordinator, or its hint: it replaces all that its whole clock covers, the entries
    /// that truncation dropped included. Otherwise every write after the limit would be its own
    /// predecessor's sibling.
    Write,
    /// A stored version (read repair, transfer, anti-entropy): only what was stored counts.
    Stored,
}

/// What became of an incoming version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Applied {
    /// It is held now, and replaced `dropped` others.
    Stored {
        /// How many versions it replaced.
        dropped: u32,
    },
    /// It, or one that cannot be told from it, was there.
    AlreadyThere,
    /// A version that replaces it was there.
    Obsolete,
}

/// What an incoming version does to one that is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    Replaces,
    Joins,
    AlreadyThere,
    Obsolete,
}

/// What `incoming` does to `held`.
pub(crate) fn effect(held: &Version, incoming: &Version, scheme: Scheme, whole: Whole) -> Effect {
    match order(held, incoming, scheme) {
        Order::Equal => Effect::AlreadyThere,
        Order::After => Effect::Obsolete,
        Order::Before => Effect::Replaces,
        Order::Concurrent => {
            let truncated = whole == Whole::Write && !incoming.evicted().is_empty();
            let covered = truncated && !incoming.keeps(held) && incoming.whole_clock_covers(held.clock());
            if covered { Effect::Replaces } else { Effect::Joins }
        }
    }
}

impl Siblings {
    /// No version: the key does not exist.
    pub fn new() -> Siblings {
        Siblings::default()
    }

    /// One version.
    pub fn one(version: Version) -> Siblings {
        Siblings(Repr::One(version))
    }

    /// The versions, sorted by dot.
    pub fn versions(&self) -> &[Version] {
        match &self.0 {
            Repr::None => &[],
            Repr::One(version) => std::slice::from_ref(version),
            Repr::Many(versions) => versions,
        }
    }

    /// Takes in a version: it replaces what it covers, unless what is held covers it.
    pub fn apply(&mut self, incoming: &Version, scheme: Scheme, whole: Whole) -> Applied {
        match &mut self.0 {
            Repr::None => {
                self.0 = Repr::One(incoming.clone());
                Applied::Stored { dropped: 0 }
            }
            Repr::One(held) => match effect(held, incoming, scheme, whole) {
                Effect::AlreadyThere => Applied::AlreadyThere,
                Effect::Obsolete => Applied::Obsolete,
                Effect::Replaces => {
                    *held = incoming.clone();
                    Applied::Stored { dropped: 1 }
                }
                Effect::Joins => {
                    *self = Siblings::from_sorted(sorted(vec![held.clone(), incoming.clone()]));
                    Applied::Stored { dropped: 0 }
                }
            },
            Repr::Many(held) => {
                let mut effects = Vec::with_capacity(held.len());
                for version in held.iter() {
                    match effect(version, incoming, scheme, whole) {
                        Effect::AlreadyThere => return Applied::AlreadyThere,
                        Effect::Obsolete => return Applied::Obsolete,
                        effect => effects.push(effect),
                    }
                }
                let before = held.len();
                let mut at = 0;
                held.retain(|_| {
                    at += 1;
                    effects[at - 1] == Effect::Joins
                });
                let dropped = (before - held.len()) as u32;
                held.push(incoming.clone());
                *self = Siblings::from_sorted(sorted(std::mem::take(held)));
                Applied::Stored { dropped }
            }
        }
    }

    /// Removes the versions whose event `past` has seen, and counts them. For dotted versions.
    pub fn discard(&mut self, past: &Past) -> u32 {
        let kept: Vec<Version> = self.iter().filter(|version| !past.covers(version.dot())).cloned().collect();
        let dropped = (self.len() - kept.len()) as u32;
        if dropped > 0 {
            *self = Siblings::from_sorted(kept);
        }
        dropped
    }

    /// What one who has read these versions has seen.
    pub fn context(&self, scheme: Scheme) -> Past {
        Past::of(self, scheme)
    }

    /// Whether each of `others` is held, or replaced by one that is.
    pub fn covers(&self, others: &[Version], scheme: Scheme) -> bool {
        others
            .iter()
            .all(|other| self.iter().any(|held| matches!(order(held, other, scheme), Order::Equal | Order::After)))
    }

    /// Whether both hold the same versions, as far as the scheme can tell.
    pub fn same(&self, other: &[Version]) -> bool {
        same_versions(self, other)
    }

    /// Sum of the hashes of the versions, mod 2^64; 0 for none.
    pub fn hash(&self) -> u64 {
        versions_hash(self)
    }

    fn from_sorted(mut versions: Vec<Version>) -> Siblings {
        Siblings(match versions.len() {
            0 => Repr::None,
            1 => Repr::One(versions.remove(0)),
            _ => Repr::Many(Box::new(versions)),
        })
    }
}

impl Deref for Siblings {
    type Target = [Version];
    fn deref(&self) -> &[Version] {
        self.versions()
    }
}

impl std::fmt::Debug for Siblings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Equal if they hold the same writes.
impl PartialEq for Siblings {
    fn eq(&self, other: &Siblings) -> bool {
        self[..] == other[..]
    }
}

impl Eq for Siblings {}

impl From<&[Version]> for Siblings {
    /// Versions of which none replaces another, in any order.
    fn from(versions: &[Version]) -> Siblings {
        match versions {
            [] => Siblings::new(),
            [one] => Siblings::one(one.clone()),
            many => Siblings::from_sorted(sorted(many.to_vec())),
        }
    }
}

/// The versions of several replies that none of the others replaces (syntactic reconciliation).
pub fn reconcile<'a>(scheme: Scheme, replies: impl IntoIterator<Item = &'a [Version]>) -> Siblings {
    let mut replies = replies.into_iter();
    let mut all = Siblings::from(replies.next().unwrap_or(&[]));
    for reply in replies {
        if all.len() == reply.len() && all.iter().zip(reply).all(|(mine, theirs)| mine.same(theirs)) {
            continue;
        }
        for version in reply {
            all.apply(version, scheme, Whole::Stored);
        }
    }
    all
}

/// Whether two sets hold the same versions, as far as the scheme can tell.
pub fn same_versions(a: &[Version], b: &[Version]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.same(y) || x.hash() == y.hash())
}

/// Sum of the hashes of versions, mod 2^64; 0 for none.
pub fn versions_hash(versions: &[Version]) -> u64 {
    versions.iter().fold(0, |sum, version| sum.wrapping_add(version.hash()))
}

fn sorted(mut versions: Vec<Version>) -> Vec<Version> {
    versions.sort_by_key(|version| (version.dot(), version.hash()));
    versions
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::kernel::ids::ActorId;
    use crate::version::{NextCounter, Value, Write, WriteId, coordinate};

    const VECTOR: Scheme = Scheme::VectorClock { next: NextCounter::LocalMax, max_entries: Some(10) };
    const SCHEMES: [Scheme; 3] = [VECTOR, Scheme::Dotted, Scheme::LastWriteWins];

    /// The version that actor `actor`, holding nothing, writes from a context; the number is its stamp and name.
    fn write(scheme: Scheme, actor: u32, context: &[Version], number: u64) -> Version {
        let (actor, now_ms, stamp) = (ActorId(actor), number as u32, number);
        let (value, size, write) = (Value::Blob(number), 1, WriteId(number));
        coordinate(scheme, &[], context, Write { actor, now_ms, stamp, value, size, write, issued: 0 })
    }

    #[test]
    fn a_descendant_replaces_and_a_stranger_joins() {
        for scheme in SCHEMES {
            let v1 = write(scheme, 1, &[], 1);
            let v2 = write(scheme, 2, from_ref(&v1), 2);
            let v3 = write(scheme, 3, from_ref(&v1), 3);
            let mut held = Siblings::new();
            assert_eq!(held.apply(&v1, scheme, Whole::Write), Applied::Stored { dropped: 0 });
            assert_eq!(held.apply(&v1, scheme, Whole::Write), Applied::AlreadyThere);
            assert_eq!(held.apply(&v2, scheme, Whole::Write), Applied::Stored { dropped: 1 });
            assert_eq!(held.apply(&v1, scheme, Whole::Write), Applied::Obsolete);
            let last_wins = scheme == Scheme::LastWriteWins;
            let dropped = u32::from(last_wins);
            assert_eq!(held.apply(&v3, scheme, Whole::Write), Applied::Stored { dropped });
            assert_eq!(held.len(), if last_wins { 1 } else { 2 });
            let all = held.clone();
            let v4 = write(scheme, 1, &all, 4);
            assert_eq!(held.apply(&v4, scheme, Whole::Write), Applied::Stored { dropped: all.len() as u32 });
            assert_eq!(held, Siblings::one(v4));
            assert!(held.covers(&all, scheme) && !all.covers(&held, scheme));
        }
    }

    #[test]
    fn a_read_returns_no_ancestor_and_one_context() {
        let [a, b, c] = [1, 2, 3];
        let v0 = write(VECTOR, a, &[], 1);
        let v1 = write(VECTOR, a, &[v0], 2);
        let v2 = write(VECTOR, b, from_ref(&v1), 3);
        let v3 = write(VECTOR, c, from_ref(&v1), 4);
        let read = reconcile(VECTOR, [from_ref(&v1), from_ref(&v2), from_ref(&v3)]);
        assert_eq!(read[..], [v2, v3], "the two conflict and replace the first");
        assert_eq!(read.context(VECTOR).clock().to_string(), "[1:2, 2:1, 3:1]");
    }

    #[test]
    fn siblings_lie_in_one_order_however_they_came() {
        for scheme in [VECTOR, Scheme::Dotted] {
            let versions = [1, 2, 3].map(|actor| write(scheme, actor, &[], u64::from(actor)));
            let forward = reconcile(scheme, versions.iter().map(from_ref));
            let backward = reconcile(scheme, versions.iter().rev().map(from_ref));
            assert_eq!(forward[..], backward[..]);
            assert!(forward.same(&backward) && forward.hash() == backward.hash());
            assert_eq!(reconcile(scheme, [&forward[..], &forward[..1]]), forward);
        }
    }

    #[test]
    fn last_write_wins_keeps_one_version_of_every_set() {
        let scheme = Scheme::LastWriteWins;
        let versions = [(1, 5), (2, 7), (3, 7), (1, 6)].map(|(actor, stamp)| write(scheme, actor, &[], stamp));
        let held = reconcile(scheme, versions.iter().map(from_ref));
        assert_eq!(held[..], [versions[2].clone()], "of one stamp the greater actor wins");
    }

    #[test]
    fn handles_are_small() {
        assert_eq!((size_of::<Version>(), size_of::<Siblings>()), (8, 16));
        assert_eq!(size_of::<Option<Version>>(), 8);
    }
}
