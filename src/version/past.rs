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
