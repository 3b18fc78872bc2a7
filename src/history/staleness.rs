//! Whether a read missed a write that its client's cluster had already acknowledged.
//!
//! A simple judge of one key at a time: a write counts from the instant at which its client heard `ok`, and a
//! read must show it, or a version that has seen it, if it was sent after that. Two writes that are
//! acknowledged at once may be seen in either order; whether all reads together could have come from one
//! register is a question for a checker of histories, not for this file.
//!
//! Of each key the newest acknowledgement lies in a dense table; older ones lie in one ring for all keys, which
//! only stale reads and siblings walk. So memory does not grow with the number of operations.

use crate::kernel::ids::KeyId;
use crate::kernel::time::{SimTime, Span};
use crate::version::{Dot, Scheme, Siblings, Value, Version};

/// Acknowledgements that the ring remembers, unless asked for more.
const REMEMBERED: u32 = 1 << 16;

/// No earlier acknowledgement.
const NONE: u32 = 0;

/// One acknowledged write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Ack {
    at: SimTime,
    dot: Dot,
    /// Decides under last write wins only.
    stamp: u64,
    /// Number of the ack before it of the same key.
    previous: u32,
    flags: u32,
}

/// The version replaces all that was acknowledged before it: nothing older needs a look.
const ALONE: u32 = 1;
/// A delete.
const TOMBSTONE: u32 = 2;
/// The key held it before the run began.
const FIRST: u32 = 4;
/// The key has had an ack at all.
const PRESENT: u32 = 8;

const NEVER: Ack = Ack {
    at: SimTime::ZERO,
    dot: Dot { actor: crate::kernel::ids::ActorId(0), counter: 0 },
    stamp: 0,
    previous: NONE,
    flags: ALONE,
};

/// How many of the oldest missed acknowledgements a verdict names.
pub const MISSED_SHOWN: usize = 5;

/// What the judge says of one read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadVerdict {
    /// Acknowledged versions that the read should have shown and did not: k of k-staleness.
    pub missed: u32,
    /// When the oldest of them were acknowledged, oldest first; only so many as were missed.
    pub oldest_missed: [SimTime; MISSED_SHOWN],
    /// When the newest write before the read was acknowledged; nothing for values of the beginning.
    pub newest_ack: Option<SimTime>,
    /// Whether the read shows that write, or one that has seen it.
    pub shows_newest: bool,
    /// Whether more may have been missed than the judge remembers.
    pub is_cut: bool,
}

impl ReadVerdict {
    /// Whether the read missed an acknowledged write.
    pub fn is_stale(&self) -> bool {
        self.missed > 0
    }

    /// How long the oldest missed write had been acknowledged when the read was sent.
    pub fn age(&self, sent_at: SimTime) -> Span {
        if self.missed == 0 { Span::ZERO } else { sent_at.since(self.oldest_missed[0]) }
    }
}

/// The judge of all keys of a run.
#[derive(Clone, Debug)]
pub struct Staleness {
    last_write_wins: bool,
    newest: Vec<Ack>,
    /// Acks that are not the newest of their key; number i lies at `i % capacity`.
    older: Vec<Ack>,
    capacity: u32,
    /// Number of the next that is moved to the ring; numbers begin at 1.
    next: u32,
}

impl Staleness {
    /// A judge that has heard of no write.
    pub fn new(scheme: Scheme) -> Staleness {
        Staleness::remembering(scheme, REMEMBERED)
    }

    /// A judge that remembers so many acknowledgements besides the newest of each key.
    ///
    /// # Panics
    /// If it is to remember none.
    pub fn remembering(scheme: Scheme, acks: u32) -> Staleness {
        assert!(acks > 0, "a judge without memory cannot count");
        Staleness {
            last_write_wins: matches!(scheme, Scheme::LastWriteWins),
            newest: Vec::new(),
            older: Vec::new(),
            capacity: acks,
            next: 1,
        }
    }

    /// What a key holds before the run begins. Reads must show it, but it is no write of the run.
    pub fn first_value(&mut self, key: KeyId, version: &Version) {
        self.note(SimTime::ZERO, key, version, FIRST);
    }

    /// A client has heard that its write is done.
    #[inline]
    pub fn acked(&mut self, now: SimTime, key: KeyId, version: &Version) {
        self.note(now, key, version, 0);
    }

    fn note(&mut self, now: SimTime, key: KeyId, version: &Version, flags: u32) {
        let index = key.index();
        if index >= self.newest.len() {
            self.newest.resize(index + 1, NEVER);
        }
        let before = self.newest[index];
        let previous = if before.flags & PRESENT == 0 { NONE } else { self.remember(before) };
        let mut flags = flags | PRESENT;
        if self.replaces_all(version, before) {
            flags |= ALONE;
        }
        if matches!(version.value(), Value::Tombstone) {
            flags |= TOMBSTONE;
        }
        self.newest[index] = Ack { at: now, dot: version.dot(), stamp: version.stamp(), previous, flags };
    }

    /// Moves an ack to the ring and returns its number.
    fn remember(&mut self, ack: Ack) -> u32 {
        let number = self.next;
        let at = (number % self.capacity) as usize;
        if at >= self.older.len() {
            self.older.resize(at + 1, NEVER);
        }
        self.older[at] = ack;
        self.next = number.checked_add(1).expect("fewer than 2^32 operations");
        number
    }

    fn remembered(&self, number: u32) -> Option<Ack> {
        (self.next - number <= self.capacity).then(|| self.older[(number % self.capacity) as usize])
    }

    /// The ack before another of its key. `Err` if it is forgotten.
    #[inline]
    fn before(&self, ack: Ack) -> Result<Option<Ack>, ()> {
        if ack.previous == NONE {
            return Ok(None);
        }
        self.remembered(ack.previous).map(Some).ok_or(())
    }

    fn replaces_all(&self, version: &Version, newest: Ack) -> bool {
        let mut ack = newest;
        loop {
            if ack.flags & PRESENT != 0 && !self.has_seen(version, ack) {
                return false;
            }
            if ack.flags & ALONE != 0 {
                return true;
            }
            match self.before(ack) {
                Ok(Some(older)) => ack = older,
                Ok(None) | Err(()) => return true,
            }
        }
    }

    /// Whether a version is the acknowledged one, or replaces it.
    #[inline]
    fn has_seen(&self, version: &Version, ack: Ack) -> bool {
        if self.last_write_wins {
            return (version.stamp(), version.dot()) >= (ack.stamp, ack.dot);
        }
        if version.dot() == ack.dot {
            return true;
        }
        // A truncated version still stands for the entries that did not fit into it.
        let evicted = || version.evicted().iter().any(|e| e.actor == ack.dot.actor && e.counter >= ack.dot.counter);
        (version.has_seen(ack.dot) || evicted()) && !version.kept().contains(&ack.dot)
    }

    #[inline]
    fn shows(&self, read: &Siblings, ack: Ack) -> bool {
        // Once a tombstone is thrown away, nothing is what the delete left.
        read.iter().any(|version| self.has_seen(version, ack)) || (read.is_empty() && ack.flags & TOMBSTONE != 0)
    }

    /// Judges a read that was sent at `sent_at` and returned these versions. Ask when the answer comes: what has
    /// been acknowledged since it was sent is not held against it.
    #[inline]
    pub fn read(&self, key: KeyId, sent_at: SimTime, read: &Siblings) -> ReadVerdict {
        let mut verdict = ReadVerdict {
            missed: 0,
            oldest_missed: [SimTime::ZERO; MISSED_SHOWN],
            newest_ack: None,
            shows_newest: true,
            is_cut: false,
        };
        let Some(&newest) = self.newest.get(key.index()) else { return verdict };
        let mut ack = newest;
        let mut is_newest = true;
        loop {
            if ack.flags & PRESENT != 0 && ack.at <= sent_at {
                let shown = self.shows(read, ack);
                if is_newest {
                    verdict.newest_ack = (ack.flags & FIRST == 0).then_some(ack.at);
                    verdict.shows_newest = shown;
                    is_newest = false;
                }
                if !shown {
                    verdict.oldest_missed.copy_within(0..MISSED_SHOWN - 1, 1);
                    verdict.oldest_missed[0] = ack.at;
                    verdict.missed += 1;
                } else if ack.flags & ALONE != 0 {
                    return verdict;
                }
            }
            match self.before(ack) {
                Ok(Some(older)) => ack = older,
                Ok(None) => return verdict,
                Err(()) => {
                    verdict.is_cut = true;
                    return verdict;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ids::{ActorId, NodeId};
    use crate::version::{Write, WriteId, coordinate};

    const K: KeyId = KeyId(3);

    fn at(ms: u64) -> SimTime {
        SimTime(ms * 1_000_000)
    }

    fn write(scheme: Scheme, node: u32, stamp: u64, local: &[Version], context: &[Version]) -> Version {
        let write = Write {
            actor: ActorId::new(NodeId(node), 0),
            now_ms: 0,
            stamp,
            value: Value::Blob(1),
            size: 1,
            write: WriteId(stamp),
            issued: 0,
        };
        coordinate(scheme, local, context, write)
    }

    #[test]
    fn a_read_that_misses_two_acknowledged_writes_is_two_versions_old() {
        let mut judge = Staleness::new(Scheme::Dotted);
        let v1 = write(Scheme::Dotted, 0, 1, &[], &[]);
        let v2 = write(Scheme::Dotted, 0, 2, std::slice::from_ref(&v1), std::slice::from_ref(&v1));
        let v3 = write(Scheme::Dotted, 1, 3, std::slice::from_ref(&v2), std::slice::from_ref(&v2));
        judge.acked(at(1), K, &v1);
        judge.acked(at(5), K, &v2);
        judge.acked(at(9), K, &v3);

        let old = judge.read(K, at(10), &Siblings::one(v1.clone()));
        assert_eq!((old.missed, old.age(at(10)), old.newest_ack), (2, Span::from_ms(5), Some(at(9))));
        assert!(!old.shows_newest && old.is_stale());
        // What was acknowledged after the read was sent is not held against it.
        assert_eq!(judge.read(K, at(8), &Siblings::one(v1.clone())).missed, 1);
        assert!(!judge.read(K, at(4), &Siblings::one(v1)).is_stale());
        assert!(!judge.read(K, at(10), &Siblings::one(v3)).is_stale());
        assert!(judge.read(K, at(10), &Siblings::new()).missed == 3);
    }

    #[test]
    fn both_siblings_must_be_seen() {
        let mut judge = Staleness::new(Scheme::Dotted);
        let a = write(Scheme::Dotted, 0, 1, &[], &[]);
        let b = write(Scheme::Dotted, 1, 2, &[], &[]);
        judge.acked(at(1), K, &a);
        judge.acked(at(2), K, &b);
        assert_eq!(judge.read(K, at(3), &Siblings::one(b.clone())).missed, 1, "the older of two siblings counts too");
        assert!(judge.read(K, at(3), &Siblings::one(b.clone())).shows_newest);
        let both = Siblings::from(&[a.clone(), b.clone()][..]);
        assert!(!judge.read(K, at(3), &both).is_stale());
        // A version that merges them shows both.
        let merged = write(Scheme::Dotted, 0, 3, &both, &both);
        assert!(!judge.read(K, at(3), &Siblings::one(merged)).is_stale());
    }

    #[test]
    fn a_newer_write_in_flight_counts_as_fresh() {
        let mut judge = Staleness::new(Scheme::Dotted);
        let v1 = write(Scheme::Dotted, 0, 1, &[], &[]);
        let v2 = write(Scheme::Dotted, 0, 2, std::slice::from_ref(&v1), std::slice::from_ref(&v1));
        judge.acked(at(1), K, &v1);
        assert!(!judge.read(K, at(2), &Siblings::one(v2)).is_stale());
    }

    #[test]
    fn an_ack_that_comes_late_does_not_make_its_successor_stale() {
        let mut judge = Staleness::new(Scheme::Dotted);
        let v1 = write(Scheme::Dotted, 0, 1, &[], &[]);
        let v2 = write(Scheme::Dotted, 0, 2, std::slice::from_ref(&v1), std::slice::from_ref(&v1));
        judge.acked(at(1), K, &v2);
        judge.acked(at(2), K, &v1);
        assert!(!judge.read(K, at(3), &Siblings::one(v2)).is_stale());
        assert_eq!(judge.read(K, at(3), &Siblings::one(v1)).missed, 1);
    }

    #[test]
    fn under_last_write_wins_the_larger_stamp_covers() {
        let scheme = Scheme::LastWriteWins;
        let mut judge = Staleness::new(scheme);
        let early = write(scheme, 0, 10, &[], &[]);
        let late = write(scheme, 1, 20, &[], &[]);
        judge.acked(at(1), K, &late);
        judge.acked(at(2), K, &early);
        assert!(!judge.read(K, at(3), &Siblings::one(late)).is_stale());
        assert!(judge.read(K, at(3), &Siblings::one(early)).is_stale());
    }

    #[test]
    fn first_values_must_be_shown_but_are_no_writes_of_the_run() {
        let mut judge = Staleness::new(Scheme::Dotted);
        let v0 = write(Scheme::Dotted, 0, 1, &[], &[]);
        judge.first_value(K, &v0);
        let verdict = judge.read(K, at(5), &Siblings::one(v0));
        assert_eq!((verdict.missed, verdict.newest_ack), (0, None));
        assert!(judge.read(K, at(5), &Siblings::new()).is_stale());
        assert!(!judge.read(KeyId(900), at(5), &Siblings::new()).is_stale(), "nobody has written that key");
    }

    #[test]
    fn the_judge_says_when_it_has_forgotten() {
        let mut judge = Staleness::remembering(Scheme::Dotted, 4);
        let mut history = vec![write(Scheme::Dotted, 0, 0, &[], &[])];
        for stamp in 1..20 {
            let last = history.last().expect("one was written").clone();
            judge.acked(at(stamp), K, &last);
            history.push(write(Scheme::Dotted, 0, stamp, std::slice::from_ref(&last), std::slice::from_ref(&last)));
        }
        let verdict = judge.read(K, at(100), &Siblings::one(history[0].clone()));
        assert_eq!((verdict.missed, verdict.is_cut), (5, true), "the newest and four remembered ones");
        assert!(judge.older.len() <= 4, "the memory is bounded");
        assert!(!judge.read(K, at(100), &Siblings::one(history[18].clone())).is_cut);
    }
}
