//! Vector clocks: lists of (actor, counter) pairs and their algebra (Dynamo §4.4).
//!
//! Each entry also says when its counter was last raised, because Dynamo drops the oldest entry of
//! a clock that has grown too long. Comparison never looks at these times. This file does not know
//! what a version is, nor who increments a clock and when.

use std::fmt;

use smallvec::SmallVec;

use crate::kernel::ids::ActorId;

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
                if (mine.counter, mine.at_ms) < (entry.counter, entry.at_ms) {
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
        while i < a.len() && j < b.len() {
            let (x, y) = (&a[i], &b[j]);
            if x.actor == y.actor {
                ahead |= x.counter > y.counter;
                behind |= x.counter < y.counter;
                i += 1;
                j += 1;
            } else if x.actor < y.actor {
                ahead = true;
                i += 1;
            } else {
                behind = true;
                j += 1;
            }
        }
        ahead |= i < a.len();
        behind |= j < b.len();
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
