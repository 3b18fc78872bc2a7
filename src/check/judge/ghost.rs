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
    beyond: SmallVec<[Event; 2]>,
}

impl Past {
    pub fn has(&self, event: Event) -> bool {
        self.upto.iter().any(|&(leader, count)| leader == event.0 && count >= event.1) || self.beyond.contains(&event)
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
        self.beyond.sort_unstable();
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
    pub writes: Vec<Write>,
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
    pub fn find(&self, version: &Version) -> Option<&Write> {
        // Newest first: that is what is looked for.
        self.writes.iter().rev().find(|write| write.version.same(version))
    }

    pub fn find_mut(&mut self, version: &Version) -> Option<&mut Write> {
        self.writes.iter_mut().rev().find(|write| write.version.same(version))
    }

    pub fn by_event(&self, event: Event) -> Option<&Write> {
        self.writes.iter().rev().find(|write| write.event == event)
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

    /// Acknowledged writes that a version stood for, itself included, and that none of those `left` is or had seen.
    pub fn gone_with<'a>(&self, write: &Write, left: impl Iterator<Item = &'a Version>) -> Vec<Event> {
        let mut there = Past::default();
        for version in left {
            if let Some(write) = self.find(version) {
                there.see(write.event, &write.past);
            }
        }
        let events = self.acked.iter().flat_map(|(leader, bits)| {
            let counts =
                (0..64 * bits.len() as u32).filter(|count| bits[(count / 64) as usize] >> (count % 64) & 1 == 1);
            counts.map(|count| (*leader, count))
        });
        events.filter(|&event| (event == write.event || write.past.has(event)) && !there.has(event)).collect()
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
    fn sweep(&mut self) {
        if self.writes.len() < 16.max(2 * self.swept_at) {
            return;
        }
        self.writes.retain(|write| write.version.handles() > 1 || write.stands());
        self.swept_at = self.writes.len();
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
}

/// What was wrong with a write from its beginning.
#[derive(Default)]
pub(super) struct Flaws {
    /// Its dot had been given before.
    pub reused_dot: bool,
    /// Its clock says something else than the truth about this one.
    pub misordered: Option<Version>,
    /// Writes that its clock covers although it had not seen them.
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
        ghost.sweep();
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
        let mut flaws = Flaws { event, ..Flaws::default() };
        let version = made.version;
        flaws.reused_dot = ghost.take_dot(version.dot());
        let is_lww = matches!(scheme, Scheme::LastWriteWins);
        for write in &mut ghost.writes {
            let is_seen = past.has(write.event);
            if !is_lww {
                let order = order(version, &write.version, scheme);
                let is_right = if is_seen { order == Order::After } else { order == Order::Concurrent };
                if !is_right && flaws.misordered.is_none() {
                    flaws.misordered = Some(write.version.clone());
                }
                flaws.dominated += u32::from(!is_seen && order != Order::Concurrent && !write.seen);
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
