//! The coordinator's new version of a write (Dynamo §4.4, §5.3).
//!
//! Given what the coordinator stores under the key and what the client had seen, it finds the clock or dot of
//! the new version. It does not know who coordinates, nor where the version is sent.

use smallvec::SmallVec;

use super::vector_clock::{Clock, Dot, Entry};
use super::{NextCounter, Parts, Past, Scheme, Value, Version, WriteId};
use crate::kernel::ids::ActorId;
use crate::kernel::mutant::{self, Mutant};

/// What is written, and by whom.
#[derive(Clone, Debug)]
pub struct Write {
    /// The coordinator.
    pub actor: ActorId,
    /// Its clock, in milliseconds; the time of its entry.
    pub now_ms: u32,
    /// Time stamp for last write wins and for `newest` merges, in the unit of the scenario's clock.
    pub stamp: u64,
    /// The value.
    pub value: Value,
    /// Size of the value in bytes.
    pub size: u32,
    /// The write's name.
    pub write: WriteId,
    /// The last counter that this actor is known to have given the key, stored here or not.
    pub issued: u32,
}

/// The last counter of an actor that these versions know of.
pub fn last_counter(versions: &[Version], actor: ActorId) -> u32 {
    versions.iter().map(|version| own_event(version, actor).max(own_counter(version, actor))).max().unwrap_or(0)
}

/// The greatest stamp among versions stored and seen; a Lamport clock stamps one more.
pub fn newest_stamp(local: &[Version], context: &[Version]) -> u64 {
    local.iter().chain(context).map(Version::stamp).max().unwrap_or(0)
}

/// Makes the version of a write. `local` is what the coordinator stores under the key, `context` what the
/// client had seen when it wrote; empty for a blind write.
///
/// Once a clock has been truncated, the coordinator's own entry may be missing or an old one that came back,
/// so the next counter is then above its clock's milliseconds too: a counter issued twice would make a new
/// write look like an old one and lose it.
pub fn coordinate(scheme: Scheme, local: &[Version], context: &[Version], write: Write) -> Version {
    let Write { actor, now_ms, stamp, value, size, write, issued } = write;
    let mut evicted = SmallVec::new();
    let mut scattered: Box<[Dot]> = Box::default();
    let mut kept: Box<[Dot]> = Box::default();
    let mut truncated = false;
    let clock;
    let dot;
    match scheme {
        Scheme::VectorClock { next, max_entries } => {
            let mut new = join(context);
            match next {
                NextCounter::Context => {}
                NextCounter::LocalMax => {
                    let mine = local.iter().map(|version| own_counter(version, actor)).max().unwrap_or(0).max(issued);
                    if mine > new.get(actor) {
                        new.set(Entry { actor, counter: mine, at_ms: now_ms });
                    }
                }
                NextCounter::Merged => {
                    let stored = join(local);
                    if !new.descends(&stored) {
                        kept = kept_beside(local);
                    }
                    new.merge(&stored);
                    if issued > new.get(actor) {
                        new.set(Entry { actor, counter: issued, at_ms: now_ms });
                    }
                }
            }
            truncated = local.iter().chain(context).any(|version| version.0.truncated);
            if truncated && next != NextCounter::Context && new.get(actor) < now_ms {
                new.raise(Entry { actor, counter: now_ms, at_ms: now_ms });
            }
            dot = new.increment(actor, now_ms);
            if let Some(max_entries) = max_entries {
                evicted = new.truncate(max_entries, actor);
            }
            clock = new;
        }
        Scheme::Dotted => {
            let mut past = Past::of(context, scheme);
            let mine = local.iter().map(|version| own_event(version, actor)).max().unwrap_or(0);
            let counter = next_counter(mine.max(past.greatest(actor)).max(issued));
            dot = Dot { actor, counter };
            if mutant::is(Mutant::M08) {
                local.iter().for_each(|version| past.see(version, scheme));
            }
            if mutant::is(Mutant::M09) {
                past = Past::default();
            }
            (clock, scattered) = past.into_parts();
        }
        Scheme::LastWriteWins => {
            let mine = local.iter().chain(context).map(|version| own_event(version, actor)).max().unwrap_or(0);
            dot = Dot { actor, counter: next_counter(mine.max(issued)) };
            clock = Clock::new();
        }
    }
    let parts = Parts { clock, dot, evicted, scattered, kept, stamp, value, size, write };
    Version::with_lineage(scheme, parts, truncated)
}

fn next_counter(counter: u32) -> u32 {
    counter.checked_add(1).expect("an actor writes a key less than 2^32 times")
}

fn join(versions: &[Version]) -> Clock {
    let mut clock = Clock::new();
    for version in versions {
        clock.merge(version.clock());
    }
    clock
}

/// The actor's counter in a stored version, dropped or not.
fn own_counter(version: &Version, actor: ActorId) -> u32 {
    let evicted = version.evicted().iter().filter(|entry| entry.actor == actor).map(|entry| entry.counter).max();
    evicted.unwrap_or(0).max(version.clock().get(actor))
}

/// The actor's last event that a stored dotted version knows of.
fn own_event(version: &Version, actor: ActorId) -> u32 {
    let beyond = version.scattered().iter().chain([&version.0.dot]).filter(|dot| dot.actor == actor);
    beyond.map(|dot| dot.counter).max().unwrap_or(0).max(version.clock().get(actor))
}

/// The events that a write from a stale context leaves standing: those stored, and those they left standing.
fn kept_beside(local: &[Version]) -> Box<[Dot]> {
    let mut dots: Vec<Dot> = local.iter().map(Version::dot).collect();
    for version in local {
        dots.extend_from_slice(version.kept());
    }
    dots.sort_unstable();
    dots.dedup();
    dots.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::{Order, order};

    #[test]
    fn a_write_descends_from_its_context_and_counts_on_from_what_is_stored() {
        let scheme = Scheme::VectorClock { next: NextCounter::LocalMax, max_entries: Some(10) };
        let write = |number| Write {
            actor: ActorId(1),
            now_ms: number,
            stamp: u64::from(number),
            value: Value::Blob(u64::from(number)),
            size: 1,
            write: WriteId(u64::from(number)),
            issued: 0,
        };
        let first = coordinate(scheme, &[], &[], write(1));
        let context = std::slice::from_ref(&first);
        let second = coordinate(scheme, context, context, write(2));
        assert_eq!(second.clock().to_string(), "[1:2]");
        assert_eq!(order(&first, &second, scheme), Order::Before);
        let blind = coordinate(scheme, std::slice::from_ref(&second), &[], write(3));
        assert_eq!(blind.clock().to_string(), "[1:3]");
        assert_eq!(newest_stamp(context, &[second]), 2);
    }
}
