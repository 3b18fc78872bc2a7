//! What a reader has seen of one key: a clock, and events beyond its gaps (the context of Dynamo §4.4).
//!
//! A client that has seen the second event of an actor but not the first has a past with a gap. Rounding it
//! up to a plain clock would make its next write replace a value that it never saw, so the gap is kept.

use super::vector_clock::{Clock, Dot, Entry};
use super::{Scheme, Version};
use crate::kernel::ids::ActorId;

/// A set of events: all up to the counters of a clock, and some beyond.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Past {
    clock: Clock,
    scattered: Vec<Dot>,
}

impl Past {
    /// The past of one who has seen these versions.
    pub fn of(versions: &[Version], scheme: Scheme) -> Past {
        let mut past = Past::default();
        for version in versions {
            past.see(version, scheme);
        }
        past
    }

    /// The events without a gap before them.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The events beyond a gap, sorted; empty but with dotted versions.
    pub fn scattered(&self) -> &[Dot] {
        &self.scattered
    }

    /// Whether the event has been seen.
    pub fn covers(&self, dot: Dot) -> bool {
        self.clock.covers(dot) || self.scattered.binary_search(&dot).is_ok()
    }

    /// The greatest counter seen of an actor, beyond gaps too.
    pub fn greatest(&self, actor: ActorId) -> u32 {
        let beyond = self.scattered.iter().filter(|dot| dot.actor == actor).map(|dot| dot.counter).max();
        beyond.unwrap_or(0).max(self.clock.get(actor))
    }

    /// Bytes of the context in a message: 12 a clock entry, 8 an event beyond a gap.
    pub fn wire_bytes(&self) -> u64 {
        12 * self.clock.len() as u64 + 8 * self.scattered.len() as u64
    }

    /// Adds a version and all that it has seen.
    pub fn see(&mut self, version: &Version, scheme: Scheme) {
        self.clock.merge(version.clock());
        if let Scheme::Dotted = scheme {
            let Dot { actor, counter } = version.dot();
            if self.scattered.is_empty() && version.scattered().is_empty() && counter == self.clock.get(actor) + 1 {
                self.clock.set(Entry { actor, counter, at_ms: 0 });
                return;
            }
            self.scattered.extend_from_slice(version.scattered());
            self.scattered.push(version.dot());
            self.close_gaps();
        }
    }

    fn close_gaps(&mut self) {
        self.scattered.sort_unstable();
        self.scattered.dedup();
        let clock = &mut self.clock;
        self.scattered.retain(|&Dot { actor, counter }| {
            let seen = clock.get(actor);
            if counter == seen + 1 {
                clock.set(Entry { actor, counter, at_ms: 0 });
            }
            counter > seen + 1
        });
    }

    /// The parts: clock and events beyond its gaps.
    pub fn into_parts(self) -> (Clock, Box<[Dot]>) {
        (self.clock, self.scattered.into_boxed_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::{Parts, Value, WriteId};

    /// A dotted version: its event and the events before it without a gap.
    fn version(actor: u32, counter: u32, clock: &[(u32, u32)]) -> Version {
        let entry = |&(actor, counter): &(u32, u32)| Entry { actor: ActorId(actor), counter, at_ms: 0 };
        let clock = Clock::from_entries(clock.iter().map(entry));
        let dot = Dot { actor: ActorId(actor), counter };
        let (evicted, scattered, kept) = Default::default();
        let (value, write) = (Value::Blob(0), WriteId(u64::from(counter)));
        let parts = Parts { clock, dot, evicted, scattered, kept, stamp: 0, value, size: 1, write };
        Version::new(Scheme::Dotted, parts)
    }

    #[test]
    fn a_gap_stays_until_it_is_filled() {
        let (first, second, third) = (version(1, 1, &[]), version(1, 2, &[]), version(1, 3, &[]));
        let mut past = Past::of(&[third.clone(), second.clone()], Scheme::Dotted);
        assert_eq!((past.clock().len(), past.scattered()), (0, &[second.dot(), third.dot()][..]));
        assert!(past.covers(third.dot()) && !past.covers(first.dot()));
        assert_eq!((past.greatest(ActorId(1)), past.wire_bytes()), (3, 16));
        past.see(&first, Scheme::Dotted);
        assert_eq!((past.clock().to_string(), past.scattered()), ("[1:3]".into(), &[][..]));
        assert_eq!(past.wire_bytes(), 12);
    }

    #[test]
    fn gaps_of_several_actors_do_not_mix() {
        let past = Past::of(&[version(1, 2, &[]), version(2, 1, &[]), version(3, 5, &[(3, 3)])], Scheme::Dotted);
        let [a, b, c] = [(1, 2), (2, 1), (3, 5)].map(|(actor, counter)| Dot { actor: ActorId(actor), counter });
        assert_eq!(past.clock().to_string(), "[2:1, 3:3]");
        assert_eq!(past.scattered(), [a, c]);
        assert!([a, b, c].into_iter().all(|dot| past.covers(dot)));
        assert!(!past.covers(Dot { actor: ActorId(3), counter: 4 }));
    }
}
