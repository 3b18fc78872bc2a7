//! Ground truth: which write had seen which, told by the contexts that clients sent and not by clocks.
//!
//! Each write is an event, named by who led it and how many writes of the key it had led before. A write has seen the
//! events of the versions in its context and all that those had seen; nothing else. The clocks of the versions are
//! judged against this. What is kept is bounded: a write that nothing in the world refers to any more is forgotten,
//! unless it was acknowledged and nothing acknowledged has replaced it.

use smallvec::SmallVec;

use crate::kernel::ids::{ActorId, KeyId, NodeId, OpId, SessionId};
use crate::kernel::time::SimTime;
use crate::node::config::ProfileId;
use crate::version::{Dot, Order, Scheme, Siblings, Value, Version, order};

/// A write: who led it, and which of its writes of the key it is.
pub(super) type Event = (u32, u32);

/// The events that a write had seen: all up to a count for each leader, and some beyond.
#[derive(Clone, Default, Debug)]
pub(super) struct Past {
    upto: SmallVec<[Event; 4]>,
    /// Sorted. Long where many writes were replaced before anybody saw them.
    beyond: SmallVec<[Event; 2]>,
}

impl Past {
    pub fn has(&self, event: Event) -> bool {
        self.upto.iter().any(|&(leader, count)| leader == event.0 && count >= event.1)
            || self.beyond.binary_search(&event).is_ok()
    }

    /// Adds an event and all that it had seen.
    fn see(&mut self, event: Event, past: &Past) {
        for &(leader, count) in &past.upto {
            match self.upto.iter_mut().find(|mine| mine.0 == leader) {
                Some(mine) => mine.1 = mine.1.max(count),
                None => self.upto.push((leader, count)),
            }
        }
        self.beyond.extend(past.beyond.iter().copied());
        self.beyond.push(event);
        self.close_gaps();
    }

    fn close_gaps(&mut self) {
        // Not the unstable sort: it takes no advantage of parts that are sorted.
        self.beyond.sort();
        let upto = &mut self.upto;
        let mut last = None;
        self.beyond.retain(|&mut (leader, count)| {
            if last.replace((leader, count)) == Some((leader, count)) {
                return false;
            }
            match upto.iter_mut().find(|mine| mine.0 == leader) {
                Some(mine) if mine.1 + 1 == count => mine.1 = count,
                Some(mine) if mine.1 >= count => {}
                None if count == 1 => upto.push((leader, 1)),
                _ => return true,
            }
            false
        });
    }
}

/// What its client has heard of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// Nothing yet.
    Open,
    /// That it is done.
    Acked(SimTime),
    /// Nothing certain: it may have happened.
    Unknown,
    /// That it did not happen.
    Refused,
}

/// What befell copies of a write.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Mishaps {
    pub hint_lost: bool,
    pub hint_expired: bool,
    pub disk_lost: bool,
    pub unflushed: bool,
}

/// One write.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub version: Version,
    pub event: Event,
    pub past: Past,
    /// The client's operation; nothing for what existed before the run.
    pub op: Option<OpId>,
    pub attempt: u16,
    pub profile: Option<ProfileId>,
    pub fate: Fate,
    /// An acknowledged write has seen it.
    pub superseded: bool,
    /// Some write has seen it.
    pub seen: bool,
    /// A write that had not seen it counts as newer by its clock.
    pub dominated: bool,
    /// It replaced or followed a tombstone.
    pub recreates: bool,
    /// A failed write that has appeared.
    pub appeared: bool,
    /// Applied somewhere without what its session had written, or read, before.
    pub out_of_order: [bool; 2],
    /// The session's last acknowledged write of the key before, and what it had read of it last.
    pub before: SmallVec<[Event; 1]>,
    pub read_before: SmallVec<[Event; 2]>,
    /// Nodes that have ever held it durably, as owners and as stand-ins.
    pub stored_by: SmallVec<[NodeId; 4]>,
    pub hinted_by: SmallVec<[(NodeId, NodeId); 2]>,
    pub mishaps: Mishaps,
    /// Fewest copies since the acknowledgement; nothing before it.
    pub fewest_copies: Option<u32>,
}

impl Write {
    pub fn is_acked(&self) -> bool {
        matches!(self.fate, Fate::Acked(_))
    }

    pub fn is_tombstone(&self) -> bool {
        matches!(self.version.value(), Value::Tombstone)
    }

    /// Acknowledged, and nothing acknowledged has seen it.
    pub fn stands(&self) -> bool {
        self.is_acked() && !self.superseded
    }
}

/// The writes of one key that still matter.
#[derive(Clone, Default, Debug)]
pub(super) struct KeyGhost {
    writes: Vec<Write>,
    /// Acknowledged writes that a clock has hidden, that are in nobody's hands and in the past of no other: nothing can
    /// replace them any more. They are kept apart because a busy key has many.
    settled: Vec<Write>,
    led: SmallVec<[Event; 4]>,
    /// The greatest counter that each actor has given.
    dots: SmallVec<[(ActorId, u32); 4]>,
    /// Writes that had not seen the last one of their own session: so many versions can at most be concurrent.
    pub chains: u32,
    /// Whether a delete has been acknowledged.
    pub was_deleted: bool,
    /// By leader: which of its writes were acknowledged, a bit each.
    acked: SmallVec<[(u32, Vec<u64>); 3]>,
    swept_at: usize,
}

impl KeyGhost {
    /// All that are remembered.
    pub fn all(&self) -> impl Iterator<Item = &Write> {
        self.settled.iter().chain(&self.writes)
    }

    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Write> {
        self.settled.iter_mut().chain(&mut self.writes)
    }

    /// The versions of an operation that are not acknowledged.
    pub fn open_of(&mut self, op: OpId) -> impl Iterator<Item = &mut Write> {
        self.writes.iter_mut().filter(move |write| write.op == Some(op) && !write.is_acked())
    }

    pub fn find(&self, version: &Version) -> Option<&Write> {
        // Newest first: that is what is looked for.
        self.writes.iter().rev().chain(self.settled.iter().rev()).find(|write| write.version.same(version))
    }

    pub fn find_mut(&mut self, version: &Version) -> Option<&mut Write> {
        let all = self.writes.iter_mut().rev().chain(self.settled.iter_mut().rev());
        all.into_iter().find(|write| write.version.same(version))
    }

    pub fn by_event(&self, event: Event) -> Option<&Write> {
        self.writes.iter().rev().chain(self.settled.iter().rev()).find(|write| write.event == event)
    }

    /// Whether a version is the write, or had seen it.
    pub fn includes(&self, version: &Version, event: Event) -> bool {
        self.find(version).is_some_and(|write| write.event == event || write.past.has(event))
    }

    /// Whether some of these versions are the write, or had seen it. Once a tombstone is thrown away, nothing is what
    /// the delete left.
    pub fn included_in(&self, held: &[Version], event: Event, tombstones_go: bool) -> bool {
        if held.is_empty() && tombstones_go {
            return self.by_event(event).is_none_or(Write::is_tombstone);
        }
        held.iter().any(|version| self.includes(version, event))
    }

    /// Whether the store would say that some of these versions are the write or newer.
    pub fn covered_by(&self, held: &[Version], event: Event, scheme: Scheme, tombstones_go: bool) -> bool {
        let Some(write) = self.by_event(event) else { return true };
        if held.is_empty() && tombstones_go {
            return write.is_tombstone();
        }
        held.iter().any(|held| covers(held, &write.version, scheme))
    }

    /// Remembers that a write was acknowledged.
    fn note_acked(&mut self, (leader, count): Event) {
        let place = self.acked.iter().position(|(known, _)| *known == leader).unwrap_or_else(|| {
            self.acked.push((leader, Vec::new()));
            self.acked.len() - 1
        });
        let bits = &mut self.acked[place].1;
        let word = (count / 64) as usize;
        if word >= bits.len() {
            bits.resize(word + 1, 0);
        }
        bits[word] |= 1 << (count % 64);
    }

    /// Acknowledged writes that none of those `left` is or had seen.
    pub fn gone<'a>(&self, left: impl Iterator<Item = &'a Version>) -> Gone {
        let mut there = Past::default();
        for version in left {
            if let Some(write) = self.find(version) {
                there.see(write.event, &write.past);
            }
        }
        let mut gone = Gone { acked: self.acked.clone() };
        for &(leader, count) in &there.upto {
            gone.take_upto(leader, count);
        }
        for &event in &there.beyond {
            gone.take_one(event);
        }
        gone
    }

    /// Takes a dot. Returns whether its actor had given it or a later one before.
    fn take_dot(&mut self, dot: Dot) -> bool {
        match self.dots.iter_mut().find(|(actor, _)| *actor == dot.actor) {
            Some((_, last)) if *last >= dot.counter => true,
            Some((_, last)) => {
                *last = dot.counter;
                false
            }
            None => {
                self.dots.push((dot.actor, dot.counter));
                false
            }
        }
    }

    /// Forgets what nobody can ask about any more.
    fn sweep(&mut self, scheme: Scheme) {
        if self.writes.len() < 8.max(2 * self.swept_at) {
            return;
        }
        self.writes.retain(|write| write.version.handles() > 1 || write.stands());
        self.settle(scheme);
        self.swept_at = self.writes.len();
    }
}

impl KeyGhost {
    /// Sets apart what nothing can befall any more. Whoever would write over it has to have seen it, and so to hold it
    /// or a write that had seen it. Who had seen a write that is not acknowledged yet replaces it when it is.
    fn settle(&mut self, scheme: Scheme) {
        let is_settled: Vec<bool> = self
            .writes
            .iter()
            .map(|write| {
                let is_hidden = write.dominated || matches!(scheme, Scheme::LastWriteWins);
                let is_free = is_hidden && write.stands() && write.version.handles() == 1 && write.op.is_some();
                let touches =
                    |other: &Write| other.past.has(write.event) || (!other.is_acked() && write.past.has(other.event));
                is_free && !self.writes.iter().any(touches)
            })
            .collect();
        let mut place = 0;
        let settled = self.writes.extract_if(.., |_| {
            place += 1;
            is_settled[place - 1]
        });
        self.settled.extend(settled);
    }
}

/// Acknowledged writes of a key that are gone, a bit each, by leader.
pub(super) struct Gone {
    acked: SmallVec<[(u32, Vec<u64>); 3]>,
}

impl Gone {
    /// Takes out those that a version stood for, itself included, and counts them.
    pub fn take(&mut self, write: &Write) -> u64 {
        let mut count = self.take_one(write.event);
        for &(leader, upto) in &write.past.upto {
            count += self.take_upto(leader, upto);
        }
        for &event in &write.past.beyond {
            count += self.take_one(event);
        }
        count
    }

    fn bits(&mut self, leader: u32) -> &mut [u64] {
        self.acked.iter_mut().find(|(known, _)| *known == leader).map_or(&mut [], |(_, bits)| bits)
    }

    fn take_one(&mut self, (leader, count): Event) -> u64 {
        self.take_masked(leader, (count / 64) as usize, 1 << (count % 64))
    }

    fn take_upto(&mut self, leader: u32, count: u32) -> u64 {
        let (last, words) = ((count / 64) as usize, self.bits(leader).len());
        let whole: u64 = (0..last.min(words)).map(|word| self.take_masked(leader, word, u64::MAX)).sum();
        whole + self.take_masked(leader, last, u64::MAX >> (63 - count % 64))
    }

    fn take_masked(&mut self, leader: u32, word: usize, mask: u64) -> u64 {
        let Some(bits) = self.bits(leader).get_mut(word) else { return 0 };
        let taken = (*bits & mask).count_ones();
        *bits &= !mask;
        u64::from(taken)
    }
}

/// Whether one version is another or replaces it, by the order of the store. A truncated one still stands for the
/// entries that did not fit into it.
pub(super) fn covers(newer: &Version, older: &Version, scheme: Scheme) -> bool {
    matches!(order(newer, older, scheme), Order::Equal | Order::After)
        || (!newer.evicted().is_empty() && newer.whole_clock_covers(older.clock()) && !newer.keeps(older))
}

/// What the judge must know of a write that a coordinator has just made.
pub(super) struct Made<'a> {
    pub leader: NodeId,
    pub op: OpId,
    pub version: &'a Version,
    pub context: &'a Siblings,
    pub fate: Fate,
    /// The session's last write of the key, acknowledged or not.
    pub last: Option<Event>,
    pub before: SmallVec<[Event; 1]>,
    pub read_before: SmallVec<[Event; 2]>,
    /// It means to replace whatever is there, seen or not: a put where the last write wins.
    pub overwrites: bool,
}

/// What was wrong with a write from its beginning.
#[derive(Default)]
pub(super) struct Flaws {
    /// Its dot had been given before.
    pub reused_dot: bool,
    /// Its clock says something else than the truth about this one.
    pub misordered: Option<Version>,
    /// Writes that its clock covers although it had not seen them; each counts with the first that covers it.
    pub dominated: u32,
    pub event: Event,
}

/// All keys.
#[derive(Clone, Default, Debug)]
pub(super) struct Ghost {
    keys: Vec<KeyGhost>,
}

/// Leads what existed before the run.
const BEFORE: u32 = u32::MAX;

impl Ghost {
    pub fn key(&self, key: KeyId) -> Option<&KeyGhost> {
        self.keys.get(key.index())
    }

    pub fn key_mut(&mut self, key: KeyId) -> &mut KeyGhost {
        if key.index() >= self.keys.len() {
            self.keys.resize_with(key.index() + 1, KeyGhost::default);
        }
        &mut self.keys[key.index()]
    }

    pub fn keys(&self) -> impl Iterator<Item = (KeyId, &KeyGhost)> {
        self.keys.iter().enumerate().map(|(key, ghost)| (KeyId(key as u32), ghost))
    }

    pub fn keys_mut(&mut self) -> impl Iterator<Item = (KeyId, &mut KeyGhost)> {
        self.keys.iter_mut().enumerate().map(|(key, ghost)| (KeyId(key as u32), ghost))
    }

    /// What a key holds before the run begins; as good as acknowledged.
    pub fn first_value(&mut self, key: KeyId, version: &Version) {
        let ghost = self.key_mut(key);
        ghost.take_dot(version.dot());
        ghost.chains += 1;
        ghost.writes.push(Write {
            version: version.clone(),
            event: (BEFORE, 1),
            past: Past::default(),
            op: None,
            attempt: 0,
            profile: None,
            fate: Fate::Acked(SimTime::ZERO),
            superseded: false,
            seen: false,
            dominated: false,
            recreates: false,
            appeared: false,
            out_of_order: [false; 2],
            before: SmallVec::new(),
            read_before: SmallVec::new(),
            stored_by: SmallVec::new(),
            hinted_by: SmallVec::new(),
            mishaps: Mishaps::default(),
            fewest_copies: None,
        });
    }

    /// A coordinator has made a version.
    pub fn made(&mut self, key: KeyId, made: Made<'_>, scheme: Scheme) -> Flaws {
        let ghost = self.key_mut(key);
        ghost.sweep(scheme);
        let leader = made.leader.0;
        let event = match ghost.led.iter_mut().find(|(node, _)| *node == leader) {
            Some((_, count)) => {
                *count += 1;
                (leader, *count)
            }
            None => {
                ghost.led.push((leader, 1));
                (leader, 1)
            }
        };
        let mut past = Past::default();
        for version in made.context.iter() {
            if let Some(write) = ghost.find(version) {
                past.see(write.event, &write.past);
            }
        }
        if made.overwrites {
            for write in ghost.writes.iter().filter(|write| write.is_acked()) {
                past.see(write.event, &write.past);
            }
        }
        let mut flaws = Flaws { event, ..Flaws::default() };
        let version = made.version;
        flaws.reused_dot = ghost.take_dot(version.dot());
        let is_lww = matches!(scheme, Scheme::LastWriteWins);
        for write in &mut ghost.writes {
            let is_seen = past.has(write.event);
            // Whatever comes after what a clock has hidden hides it too: that is the same mistake.
            if !is_lww && (is_seen || !write.dominated) {
                let order = order(version, &write.version, scheme);
                let is_right = if is_seen { order == Order::After } else { order == Order::Concurrent };
                if !is_right && flaws.misordered.is_none() {
                    flaws.misordered = Some(write.version.clone());
                }
                let is_hidden = !is_seen && order != Order::Concurrent;
                flaws.dominated += u32::from(is_hidden && !write.seen);
                write.dominated |= is_hidden;
            }
            write.seen |= is_seen;
        }
        if made.last.is_none_or(|last| !past.has(last)) {
            ghost.chains += 1;
        }
        let recreates = ghost.was_deleted || made.context.iter().any(|v| matches!(v.value(), Value::Tombstone));
        ghost.writes.push(Write {
            version: version.clone(),
            event,
            past,
            op: Some(made.op),
            attempt: (version.write().0 >> 54 & 0xff) as u16,
            profile: None,
            fate: made.fate,
            superseded: false,
            seen: false,
            dominated: false,
            recreates,
            appeared: false,
            out_of_order: [false; 2],
            before: made.before,
            read_before: made.read_before,
            stored_by: SmallVec::new(),
            hinted_by: SmallVec::new(),
            mishaps: Mishaps::default(),
            fewest_copies: None,
        });
        flaws
    }

    /// A client has heard that its write is done: it stands, and what it had seen does not any more.
    pub fn acked(&mut self, key: KeyId, version: &Version, now: SimTime) {
        let ghost = self.key_mut(key);
        let Some(place) = ghost.writes.iter().rposition(|write| write.version.same(version)) else { return };
        ghost.writes[place].fate = Fate::Acked(now);
        ghost.note_acked(ghost.writes[place].event);
        ghost.was_deleted |= ghost.writes[place].is_tombstone();
        let (event, past) = (ghost.writes[place].event, ghost.writes[place].past.clone());
        let mut is_superseded = false;
        for write in &mut ghost.writes {
            write.superseded |= past.has(write.event);
            is_superseded |= write.is_acked() && write.past.has(event);
        }
        ghost.writes[place].superseded |= is_superseded;
    }
}

/// Who wrote a version, if a session did.
pub(super) fn session_of(write: &Write) -> Option<SessionId> {
    write.op.map(OpId::session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ids::SessionId;
    use crate::version::{Write as Coordinated, WriteId, coordinate};

    const KEY: KeyId = KeyId(0);
    const SCHEME: Scheme = Scheme::Dotted;

    /// The truth about one key, and the counter of each of its nodes.
    #[derive(Default)]
    struct Story {
        /// Dotted if none.
        scheme: Option<Scheme>,
        ghost: Ghost,
        issued: [u32; 3],
        writes: u32,
    }

    impl Story {
        /// A node leads a write from a context.
        fn made(&mut self, leader: u32, context: &[&Version]) -> (Version, Flaws) {
            let context: Vec<Version> = context.iter().map(|version| (*version).clone()).collect();
            let number = u64::from(self.writes);
            let op = OpId::of_session(SessionId(0), self.writes);
            self.writes += 1;
            let issued = &mut self.issued[leader as usize];
            let made = Coordinated {
                actor: ActorId(leader),
                now_ms: 0,
                stamp: number,
                value: Value::Blob(number),
                size: 1,
                write: WriteId(number),
                issued: *issued,
            };
            let scheme = self.scheme.unwrap_or(SCHEME);
            let version = coordinate(scheme, &[], &context, made);
            *issued = version.dot().counter;
            let mut seen = Siblings::new();
            for version in &context {
                seen.apply(version, scheme, crate::version::siblings::Whole::Stored);
            }
            let made = Made {
                leader: NodeId(leader),
                op,
                version: &version,
                context: &seen,
                overwrites: false,
                fate: Fate::Open,
                last: None,
                before: SmallVec::new(),
                read_before: SmallVec::new(),
            };
            let flaws = self.ghost.made(KEY, made, scheme);
            (version, flaws)
        }

        fn acked(&mut self, leader: u32, context: &[&Version]) -> Version {
            let (version, _) = self.made(leader, context);
            self.ghost.acked(KEY, &version, SimTime(1));
            version
        }

        fn key(&self) -> &KeyGhost {
            self.ghost.key(KEY).expect("it was written")
        }

        fn event(&self, version: &Version) -> Event {
            self.key().find(version).expect("it is kept").event
        }

        fn stands(&self, version: &Version) -> bool {
            self.key().find(version).is_some_and(Write::stands)
        }
    }

    #[test]
    fn a_past_closes_its_gaps_when_what_was_missing_comes() {
        let nothing = Past::default();
        let mut past = Past::default();
        past.see((7, 3), &nothing);
        past.see((7, 1), &nothing);
        assert_eq!([1, 2, 3, 4].map(|count| past.has((7, count))), [true, false, true, false]);
        assert!(!past.has((8, 1)), "another leader's");
        past.see((7, 3), &nothing);
        assert_eq!((past.upto.as_slice(), past.beyond.as_slice()), (&[(7, 1)][..], &[(7, 3)][..]), "once is enough");
        past.see((7, 2), &nothing);
        assert_eq!((past.upto.as_slice(), past.beyond.len()), (&[(7, 3)][..], 0));
        let mut other = Past::default();
        other.see((8, 2), &past);
        assert!(other.has((7, 3)) && other.has((8, 2)) && !other.has((8, 1)));
        other.see((8, 1), &nothing);
        assert_eq!((other.upto.len(), other.beyond.len()), (2, 0));
    }

    #[test]
    fn an_acknowledged_write_supersedes_what_it_had_seen_and_no_more() {
        let mut story = Story::default();
        let first = story.acked(0, &[]);
        let sibling = story.acked(1, &[]);
        assert!(story.stands(&first) && story.stands(&sibling), "neither has seen the other");
        let (newer, flaws) = story.made(0, &[&first]);
        assert!(story.stands(&first), "its client has not heard of the newer one");
        assert!(!flaws.reused_dot && flaws.misordered.is_none() && flaws.dominated == 0);
        assert!(
            story.key().includes(&newer, story.event(&first)) && !story.key().includes(&newer, story.event(&sibling))
        );
        story.ghost.acked(KEY, &newer, SimTime(2));
        assert_eq!([&first, &sibling, &newer].map(|version| story.stands(version)), [false, true, true]);
    }

    #[test]
    fn a_write_whose_ack_comes_after_that_of_its_successor_does_not_stand() {
        let mut story = Story::default();
        let (first, _) = story.made(0, &[]);
        let newer = story.acked(1, &[&first]);
        story.ghost.acked(KEY, &first, SimTime(2));
        assert_eq!([&first, &newer].map(|version| story.stands(version)), [false, true]);
    }

    #[test]
    fn sweeping_keeps_what_stands_and_what_somebody_holds() {
        let mut story = Story::default();
        let stands = story.acked(1, &[]);
        let held = story.made(2, &[]).0;
        let mut last = story.acked(0, &[]);
        for _ in 0..200 {
            last = story.acked(0, &[&last]);
        }
        let kept = story.key().writes.len();
        assert!(kept <= 32, "a chain of writes does not pile up: {kept}");
        assert!(story.stands(&stands) && story.stands(&last) && story.key().find(&held).is_some());
        // What is forgotten is in the past of what is left all the same.
        assert!((1..=201).all(|count| story.key().includes(&last, (0, count))));
        assert!(!story.key().includes(&last, story.event(&stands)));
    }

    #[test]
    fn with_a_version_goes_all_that_only_it_had_seen() {
        let mut story = Story::default();
        let first = story.acked(0, &[]);
        let sibling = story.acked(1, &[]);
        let failed = story.made(2, &[]).0;
        let merged = story.acked(0, &[&first, &sibling, &failed]);
        let write = |version: &Version| story.key().find(version).expect("it is kept").clone();
        let gone = |left: &[Version]| story.key().gone(left.iter()).take(&write(&merged));
        assert_eq!(gone(&[]), 3, "the write that was not acknowledged does not count");
        assert_eq!(gone(std::slice::from_ref(&sibling)), 2);
        assert_eq!(gone(&[first.clone(), sibling.clone()]), 1);
        assert_eq!(gone(std::slice::from_ref(&merged)), 0);
        let mut all = story.key().gone([].iter());
        assert_eq!([&first, &merged, &sibling].map(|version| all.take(&write(version))), [1, 2, 0], "each counts once");
    }

    #[test]
    fn many_are_taken_word_by_word() {
        let mut gone = Gone { acked: SmallVec::from_iter([(7, vec![!1, u64::MAX, 0b111])]) };
        assert_eq!(gone.take_one((7, 64)), 1);
        assert_eq!(gone.take_upto(7, 127), 63 + 63, "from 1 to 127 without 64");
        assert_eq!(gone.take_upto(7, 129), 2);
        assert_eq!((gone.take_upto(7, 1_000), gone.take_upto(8, 5), gone.take_one((7, 5))), (1, 0, 0));
    }

    #[test]
    fn what_nothing_can_replace_any_more_is_set_apart_and_still_known() {
        let mut story = Story { scheme: Some(Scheme::LastWriteWins), ..Story::default() };
        let mut events = Vec::new();
        for number in 0..200 {
            let version = story.acked(number % 3, &[]);
            events.push(story.event(&version));
        }
        assert!(story.key().writes.len() <= 32, "{}", story.key().writes.len());
        assert_eq!(story.key().all().filter(|write| write.stands()).count(), 200);
        assert!(events.iter().all(|&event| story.key().by_event(event).is_some()));
    }
}
