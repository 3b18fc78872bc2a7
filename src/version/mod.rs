//! Versions of values: what a replica stores under a key and how two of them compare (Dynamo §4.4).
//!
//! A version is made once, by the coordinator of its write, and shared by handle from then on: by the
//! replicas, by messages, by clients as the context of their next write. One API, [`Siblings`], serves
//! three schemes: vector clocks, dotted version vectors and last write wins. This module knows nothing of
//! nodes, messages, keys or quorums.

#[cfg(test)]
mod laws;
pub mod past;
pub mod repair;
pub mod siblings;
#[cfg(test)]
mod stories;
pub mod value;
pub mod vector_clock;
pub mod write;

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

use crate::kernel::mutant::{self, Mutant};

pub use past::Past;
pub use repair::{missing, read_repair_plan};
pub use siblings::{Applied, Siblings, Whole, reconcile};
pub use value::{CounterValue, MergeRule, SetValue, Value, merge_values};
pub use vector_clock::{Clock, Dot, Entry, Order};
pub use write::{Write, coordinate, last_counter, newest_stamp};

/// The name of one write within a run; no two writes share one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WriteId(pub u64);

/// How versions are told apart and ordered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// Dynamo's vector clocks over the ids of coordinators.
    ///
    /// Two writes of one coordinator from one context are not told apart as concurrent: with
    /// [`NextCounter::LocalMax`] the later one dominates, with [`NextCounter::Context`] both get one clock.
    VectorClock {
        /// How the coordinator finds its next counter.
        next: NextCounter,
        /// How many entries of a clock are stored; `None` for all.
        max_entries: Option<u32>,
    },
    /// Dotted version vectors: each version is one event (a dot) and the exact set of events before it.
    ///
    /// Source: Preguiça, Baquero, Almeida, Fonte, Gonçalves, "Dotted Version Vectors", 2010.
    Dotted,
    /// One version a key: the greatest by (stamp, actor, counter, write).
    LastWriteWins,
}

/// How a coordinator with vector clocks finds the counter of its next write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NextCounter {
    /// One more than the greater of its own counters in its stored versions and in the context.
    LocalMax,
    /// One more than its counter in the context. Two clients with one context get one clock for two values.
    Context,
    /// One more on top of the merge of stored versions and context. If the context has not seen all that is
    /// stored, the stored versions are kept beside the new one under its clock (Riak without dotted vectors),
    /// so that writers who take turns pile up siblings.
    Merged,
}

/// What makes up a version. Reached through the accessors of [`Version`].
///
/// In this order, so that what every message looks at lies in one cache line with the counts of the handle.
#[derive(Debug)]
#[repr(C)]
struct Body {
    hash: u64,
    dot: Dot,
    wire: u32,
    size: u32,
    stamp: u64,
    write: WriteId,
    clock: Clock,
    value: Value,
    evicted: SmallVec<[Entry; 1]>,
    scattered: Box<[Dot]>,
    kept: Box<[Dot]>,
    /// Whether this clock or one that it grew from lost an entry to truncation.
    truncated: bool,
}

/// The parts of a version, for who makes one: write coordinators, first values, tests.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Vector clock: the stored clock, own event included. Dotted: the contiguous past. Last write wins: empty.
    pub clock: Clock,
    /// The write event itself.
    pub dot: Dot,
    /// Vector clock: entries that truncation dropped. The write still replaces what they cover.
    pub evicted: SmallVec<[Entry; 1]>,
    /// Dotted: events of the past that lie beyond a gap of `clock`, sorted.
    pub scattered: Box<[Dot]>,
    /// [`NextCounter::Merged`]: events of siblings that this write left standing, sorted.
    pub kept: Box<[Dot]>,
    /// Time stamp in the unit of the scheme's clock; orders versions under last write wins and `newest` merges.
    pub stamp: u64,
    /// What was written.
    pub value: Value,
    /// Size of the value in bytes.
    pub size: u32,
    /// The write's name.
    pub write: WriteId,
}

/// An immutable version of one key's value, shared by handle.
#[derive(Clone)]
pub struct Version(Arc<Body>);

impl Version {
    /// Makes a version. The scheme decides what its identity is, see [`Version::hash`].
    pub fn new(scheme: Scheme, parts: Parts) -> Version {
        Version::with_lineage(scheme, parts, false)
    }

    /// Makes a version whose context or predecessors at the coordinator may have lost entries to truncation.
    fn with_lineage(scheme: Scheme, parts: Parts, truncated: bool) -> Version {
        let truncated = truncated || !parts.evicted.is_empty();
        let Parts { clock, dot, evicted, scattered, kept, stamp, value, size, write } = parts;
        let hash = identity_hash(scheme, &clock, dot, stamp, write);
        let dots = 1 + scattered.len() + kept.len();
        let wire = size.saturating_add((12 * (clock.len() + evicted.len()) + 8 * dots) as u32);
        let body = Body { hash, dot, wire, size, stamp, write, clock, value, evicted, scattered, kept, truncated };
        Version(Arc::new(body))
    }

    /// The stored clock: with vector clocks the version's own event included, dotted only the contiguous
    /// part of its past, empty with last write wins.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The write event that made the version.
    pub fn dot(&self) -> Dot {
        self.0.dot
    }

    /// Entries that truncation dropped from the clock.
    pub fn evicted(&self) -> &[Entry] {
        &self.0.evicted
    }

    /// Dotted: events of the past beyond a gap of the clock.
    pub fn scattered(&self) -> &[Dot] {
        &self.0.scattered
    }

    /// Siblings that the write left standing although its merged clock covers them.
    pub fn kept(&self) -> &[Dot] {
        &self.0.kept
    }

    /// The time stamp.
    pub fn stamp(&self) -> u64 {
        self.0.stamp
    }

    /// What was written.
    pub fn value(&self) -> &Value {
        &self.0.value
    }

    /// Whether the write deleted the key.
    pub fn is_tombstone(&self) -> bool {
        self.0.value == Value::Tombstone
    }

    /// Size of the value in bytes.
    pub fn size(&self) -> u32 {
        self.0.size
    }

    /// The write's name.
    pub fn write(&self) -> WriteId {
        self.0.write
    }

    /// Hash of all by which the scheme tells versions apart: the counters of a vector clock, a dot, or stamp
    /// and writer. Two vector clock versions with equal clocks have equal hashes even if their values differ,
    /// because nothing in the system can see that difference.
    pub fn hash(&self) -> u64 {
        self.0.hash
    }

    /// Whether two handles are of one version object.
    pub fn same(&self, other: &Version) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How many handles of the version there are: what only an observer still knows is gone from the world.
    pub fn handles(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Whether its clock, or one that it grew from, lost an entry to truncation.
    pub fn is_truncated(&self) -> bool {
        self.0.truncated
    }

    /// Bytes of the version in a message or on disk: the value, 12 for each clock entry and 8 for each dot.
    pub fn wire_bytes(&self) -> u64 {
        u64::from(self.0.wire)
    }

    /// Whether the write left `other` standing although its merged clock covers it.
    pub fn keeps(&self, other: &Version) -> bool {
        self.0.kept.binary_search(&other.0.dot).is_ok()
    }

    /// Dotted: whether the version's past contains the event.
    pub fn has_seen(&self, dot: Dot) -> bool {
        self.0.clock.covers(dot) || self.0.scattered.binary_search(&dot).is_ok()
    }

    /// Whether the clock with its evicted entries covers all of `other`'s stored clock.
    pub fn whole_clock_covers(&self, other: &Clock) -> bool {
        other.entries().iter().all(|entry| {
            let evicted = self.0.evicted.iter().find(|mine| mine.actor == entry.actor);
            evicted.map_or(0, |mine| mine.counter).max(self.0.clock.get(entry.actor)) >= entry.counter
        })
    }
}

/// Equal if they are of one write. Handles of one version are compared by pointer.
impl PartialEq for Version {
    fn eq(&self, other: &Version) -> bool {
        self.same(other) || self.0.write == other.0.write && self.0.hash == other.0.hash
    }
}

impl Eq for Version {}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} {:?}", self.0.dot, self.0.clock, self.0.value)
    }
}

/// How two versions of one key stand to each other under a scheme.
///
/// Vector clocks: entry by entry, an absent entry counting as 0, times ignored. Equal clocks are
/// [`Order::Equal`] even for different writes, and a replica keeps the one it has; compare
/// [`Version::write`] to find out. Dotted: `a` comes before `b` if `b`'s past contains `a`'s event.
/// Last write wins: a total order.
pub fn order(a: &Version, b: &Version, scheme: Scheme) -> Order {
    if a.same(b) {
        return Order::Equal;
    }
    match scheme {
        Scheme::VectorClock { .. } => match a.0.clock.compare(&b.0.clock) {
            Order::Before if b.keeps(a) => Order::Concurrent,
            Order::After if a.keeps(b) => Order::Concurrent,
            order => order,
        },
        Scheme::Dotted if a.0.dot == b.0.dot => Order::Equal,
        Scheme::Dotted => match (b.has_seen(a.0.dot), a.has_seen(b.0.dot)) {
            (true, false) => Order::Before,
            (false, true) => Order::After,
            (false, false) => Order::Concurrent,
            // Only a reissued event can do this (a node that lost its disk and kept its name).
            (true, true) => Order::Equal,
        },
        Scheme::LastWriteWins => {
            let rank = |v: &Version| (v.0.stamp, v.0.dot, v.0.write);
            if mutant::is(Mutant::M12) && a.0.stamp == b.0.stamp {
                return Order::Equal;
            }
            match rank(a).cmp(&rank(b)) {
                std::cmp::Ordering::Less => Order::Before,
                std::cmp::Ordering::Equal => Order::Equal,
                std::cmp::Ordering::Greater => Order::After,
            }
        }
    }
}

fn identity_hash(scheme: Scheme, clock: &Clock, dot: Dot, stamp: u64, write: WriteId) -> u64 {
    let pair = |actor: u32, counter: u32| u64::from(actor) << 32 | u64::from(counter);
    let mut words: SmallVec<[u64; 8]> = SmallVec::new();
    match scheme {
        Scheme::VectorClock { .. } => {
            words.extend(clock.entries().iter().map(|entry| pair(entry.actor.0, entry.counter)));
        }
        Scheme::Dotted => words.push(pair(dot.actor.0, dot.counter)),
        Scheme::LastWriteWins => words.extend([stamp, pair(dot.actor.0, dot.counter), write.0]),
    }
    let mut bytes: SmallVec<[u8; 64]> = SmallVec::new();
    for word in words {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    xxh3_64(&bytes)
}

const _: () = assert!(size_of::<Version>() == 8 && size_of::<Entry>() == 12 && size_of::<Siblings>() <= 24);
