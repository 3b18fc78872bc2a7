//! What clients wrote, heard and read: session guarantees (Terry et al. 1994), regularity, honest answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use smallvec::SmallVec;

use super::Judge;
use super::ghost::{Event, Fate, Made, covers};
use super::items::Items;
use crate::check::properties::Property;
use crate::history::staleness::Staleness;
use crate::history::{Finished, OpKind};
use crate::kernel::ids::{GroupId, KeyId, NodeId, OpId, SessionId};
use crate::kernel::time::SimTime;
use crate::measure::metrics::SessionGuarantee;
use crate::node::Node;
use crate::node::commons::Directory;
use crate::node::config::{Counting, ProfileId, Quorum};
use crate::node::message::Outcome;
use crate::version::{Scheme, Siblings, Value, Version};

/// Keys of sessions that are remembered at a time; the longest unused are forgotten.
const REMEMBERED: usize = 1 << 16;

/// Operations that were refused and are remembered, in case they appear after all.
const REFUSALS: usize = 1 << 12;

/// What a session knows of a key.
#[derive(Default)]
struct Known {
    /// Its last write, whatever became of it.
    last: Option<Event>,
    /// Its last acknowledged write.
    acked: Option<Version>,
    acked_at: SimTime,
    read: Siblings,
    read_at: SimTime,
    touched: u64,
}

/// An operation under way.
#[derive(Clone, Copy)]
struct Open {
    group: GroupId,
    windows: u64,
    began: SimTime,
    /// Whether it is the write of an update, which builds on what that has read.
    part: bool,
}

/// Everything about clients.
pub(super) struct Sessions {
    known: BTreeMap<(SessionId, KeyId), Known>,
    touches: u64,
    open: BTreeMap<OpId, Open>,
    /// Tries that a coordinator has refused.
    refused: BTreeSet<(OpId, u16)>,
    refused_in_order: VecDeque<(OpId, u16)>,
    /// Answers given, by coordinator: operations of the last while.
    answered: [BTreeSet<(NodeId, OpId, u16)>; 2],
    staleness: Staleness,
    irregular: BTreeSet<KeyId>,
    items: Items,
}

impl Sessions {
    pub fn new(scheme: Scheme) -> Sessions {
        Sessions {
            known: BTreeMap::new(),
            touches: 0,
            open: BTreeMap::new(),
            refused: BTreeSet::new(),
            refused_in_order: VecDeque::new(),
            answered: Default::default(),
            staleness: Staleness::new(scheme),
            irregular: BTreeSet::new(),
            items: Items::default(),
        }
    }

    fn known(&mut self, session: SessionId, key: KeyId) -> &mut Known {
        self.touches += 1;
        if self.known.len() > REMEMBERED {
            let mut touched: Vec<u64> = self.known.values().map(|known| known.touched).collect();
            let middle = touched.len() / 2;
            let oldest_kept = *touched.select_nth_unstable(middle).1;
            self.known.retain(|_, known| known.touched >= oldest_kept);
        }
        let known = self.known.entry((session, key)).or_default();
        known.touched = self.touches;
        known
    }

    fn refuse(&mut self, op: OpId, attempt: u16) {
        if self.refused.insert((op, attempt)) {
            self.refused_in_order.push_back((op, attempt));
            if self.refused_in_order.len() > REFUSALS
                && let Some(oldest) = self.refused_in_order.pop_front()
            {
                self.refused.remove(&oldest);
            }
        }
    }
}

fn is_definite(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::TooFewReplicas | Outcome::NoCoordinator | Outcome::Refused)
}

impl Judge<'_> {
    /// Group and windows of an operation under way.
    pub(super) fn window_of(&self, op: OpId) -> Option<(GroupId, u64)> {
        self.sessions.open.get(&op).map(|open| (open.group, open.windows))
    }

    pub(super) fn on_first_value(&mut self, key: KeyId, version: &Version) {
        if let Some(linear) = &mut self.linear {
            linear.first_value(key, version);
        }
        if let Some(widenings) = &mut self.widenings {
            widenings.first_value(key, version);
        }
        self.ghost.first_value(key, version);
        self.sessions.staleness.first_value(key, version);
    }

    pub(super) fn on_started(
        &mut self,
        now: SimTime,
        (op, kind, part): (OpId, OpKind, bool),
        key: KeyId,
        group: GroupId,
        windows: u64,
    ) {
        if kind != OpKind::Update {
            if let Some(linear) = &mut self.linear {
                linear.began(key, op);
            }
            if let Some(widenings) = &mut self.widenings {
                widenings.began(now, op);
            }
            self.sessions.open.insert(op, Open { group, windows, began: now, part });
        }
    }

    /// A coordinator has made a version.
    pub(super) fn on_coordinated(
        &mut self,
        now: SimTime,
        leader: NodeId,
        op: OpId,
        key: KeyId,
        version: &Version,
        context: &Siblings,
    ) {
        if let Some(linear) = &mut self.linear {
            linear.wrote(key, op, version, context);
        }
        if let Some(widenings) = &mut self.widenings {
            widenings.wrote(now, key, op, version);
        }
        let session = op.session();
        let attempt = (version.write().0 >> 54 & 0xff) as u16;
        let open = self.sessions.open.get(&op).copied();
        let fate = match open {
            _ if self.sessions.refused.contains(&(op, attempt)) => Fate::Refused,
            Some(_) => Fate::Open,
            // Its client has given up meanwhile.
            None => Fate::Unknown,
        };
        let known = self.sessions.known(session, key);
        let last = known.last;
        // What comes late does not follow what its session did meanwhile.
        let (acked, read) = match open {
            Some(_) => (known.acked.clone(), known.read.clone()),
            None => (None, Siblings::new()),
        };
        let ghost = self.ghost.key_mut(key);
        let before: SmallVec<[Event; 1]> =
            acked.iter().filter_map(|version| ghost.find(version)).map(|write| write.event).collect();
        let read_before: SmallVec<[Event; 2]> =
            read.iter().filter_map(|version| ghost.find(version)).map(|write| write.event).collect();
        for (guarantee, earlier) in [
            (SessionGuarantee::MonotonicWrites, before.len()),
            (SessionGuarantee::WritesFollowReads, read_before.len()),
        ] {
            if let Some(open) = open
                && earlier > 0
            {
                self.numbers.each_open(open.windows, open.group, |tally| tally.guarantees[guarantee as usize][0] += 1);
            }
        }
        let overwrites = matches!(self.scheme, Scheme::LastWriteWins) && open.is_some_and(|open| !open.part);
        let made = Made { leader, op, version, context, fate, last, before, read_before, overwrites };
        let flaws = self.ghost.made(key, made, self.scheme);
        self.sessions.known(session, key).last = Some(flaws.event);
        self.sessions.items.made(key, flaws.event, version, context);
        if flaws.reused_dot {
            let (node, key, dot) = (self.node_name(leader), self.key_name(key), self.dot_name(version));
            self.found.add(Property::DotsUnique, || format!("at {now} {node} gave {key} the dot {dot} again"));
        }
        if let Some(other) = flaws.misordered {
            let (name, one, other) = (self.key_name(key), self.dot_name(version), self.dot_name(&other));
            self.found.add(Property::CausalityTracked, || {
                format!("at {now} {name}: the clocks of {one} and {other} say other than their contexts")
            });
        }
        if flaws.dominated > 0
            && let Some(open) = open
        {
            self.numbers
                .each_open(open.windows, open.group, |tally| tally.false_dominance += u64::from(flaws.dominated));
        }
        self.staleness_of_refused(now, key, version);
    }

    /// A version that came of a refused try is already a fault once somebody could read it; here it is remembered.
    fn staleness_of_refused(&mut self, now: SimTime, key: KeyId, version: &Version) {
        if self.ghost.key(key).and_then(|ghost| ghost.find(version)).is_some_and(|write| write.fate == Fate::Refused) {
            let name = self.key_name(key);
            self.found.add(Property::RefusedWritesNeverAppear, || {
                format!("at {now} {name}: a write whose client was told that it did not happen was led after all")
            });
        }
    }

    /// A coordinator answers.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn on_answered(
        &mut self,
        now: SimTime,
        leader: NodeId,
        (op, attempt): (OpId, u16),
        outcome: Outcome,
        put: Option<(KeyId, &Version, ProfileId)>,
        nodes: &[Node],
        keys: &Directory,
    ) {
        if is_definite(outcome) {
            self.sessions.refuse(op, attempt);
        }
        if outcome == Outcome::Ok
            && let Some((key, version, profile)) = put
        {
            if let Some(write) = self.ghost.key_mut(key).find_mut(version) {
                write.profile = Some(profile);
            }
            self.answers_once(now, leader, op, attempt);
            self.is_honest(now, leader, key, version, profile, nodes, keys);
        }
    }

    /// A coordinator answers a write once. Reads may come to it twice over a link that doubles messages.
    fn answers_once(&mut self, now: SimTime, leader: NodeId, op: OpId, attempt: u16) {
        let answered = &mut self.sessions.answered;
        let name = (leader, op, attempt);
        if answered.iter().any(|set| set.contains(&name)) {
            let node = self.node_name(leader);
            self.found
                .add(Property::OneReplyPerRequest, || format!("at {now} {node} answered one request a second time"));
        } else {
            if answered[0].len() > REMEMBERED {
                answered.swap(0, 1);
                answered[0].clear();
            }
            answered[0].insert(name);
        }
    }

    /// At an ack, W distinct nodes hold the write durably; in a strict quorum as owners.
    #[allow(clippy::too_many_arguments)]
    fn is_honest(
        &mut self,
        now: SimTime,
        leader: NodeId,
        key: KeyId,
        version: &Version,
        profile: ProfileId,
        nodes: &[Node],
        keys: &Directory,
    ) {
        let profile = self.config.node.profiles[usize::from(profile.0)];
        let strict = profile.quorum == Quorum::Strict || self.config.node.stand_in_acks == Counting::Ignore;
        let Some(write) = self.ghost.key(key).and_then(|ghost| ghost.find(version)) else { return };
        let owners = self.replicas.owners(key, keys);
        let only_owners = strict && self.replicas.is_static();
        let stores = |node: &Node| {
            let id = node.id();
            if only_owners && !owners.contains(&id) {
                return false;
            }
            let in_table = || node.durable_versions(key).iter().any(|held| covers(held, version, self.scheme));
            let as_hint = || node.hints().of_key(key).any(|held| covers(held, version, self.scheme));
            write.stored_by.contains(&id)
                || in_table()
                || (!strict && (write.hinted_by.iter().any(|(holder, _)| *holder == id) || as_hint()))
        };
        if self.tombstones_go && matches!(version.value(), Value::Tombstone) {
            // Whoever had only this has nothing left.
            return;
        }
        // Nearly always those that were heard of are enough, and nobody else has to be asked.
        let counts = |holder: &&NodeId| !only_owners || owners.contains(holder);
        if write.stored_by.iter().filter(counts).count() >= usize::from(profile.w) {
            return;
        }
        let holders = nodes.iter().filter(|node| stores(node)).count();
        if holders < usize::from(profile.w) {
            let (node, key) = (self.node_name(leader), self.key_name(key));
            self.found.add(Property::AcksAreHonest, || {
                format!("at {now} {node} acknowledged a write of {key} with W = {}; {holders} nodes hold it", profile.w)
            });
        }
    }

    pub(super) fn on_finished(&mut self, now: SimTime, finished: &Finished<'_>) {
        if finished.kind == OpKind::Update {
            return;
        }
        let began = self.sessions.open.remove(&finished.op);
        if began.is_none() {
            let name = self.session_name(finished.session);
            self.found.add(Property::OneReplyPerRequest, || format!("at {now} an operation of {name} ended twice"));
        }
        if let Some(linear) = &mut self.linear {
            linear.ended(finished);
        }
        if let Some(widenings) = &mut self.widenings {
            widenings.ended(now, finished);
        }
        // A timeout may be the load's fault.
        if matches!(finished.outcome, Outcome::TooFewReplicas | Outcome::NoCoordinator)
            && !self.world.is_directed(finished.session)
            && self.world.was_quiet_since(began.map_or(now, |open| open.began))
        {
            let (name, key) = (self.session_name(finished.session), self.key_name(finished.key));
            self.found.add(Property::AvailableWhenReachable, || {
                format!(
                    "at {now} an operation of {name} on {key} failed ({:?}) though nothing was wrong",
                    finished.outcome
                )
            });
        }
        match finished.kind {
            OpKind::Get if finished.outcome == Outcome::Ok => self.on_read(now, finished),
            OpKind::Get => {}
            OpKind::Put | OpKind::Delete => self.on_written(now, finished),
            OpKind::Update => {}
        }
    }

    /// A write has ended for its client.
    fn on_written(&mut self, now: SimTime, finished: &Finished<'_>) {
        let key = finished.key;
        let definite = is_definite(finished.outcome);
        let refused = &self.sessions.refused;
        let mut refused_led = false;
        for write in self.ghost.key_mut(key).open_of(finished.op) {
            write.fate = if definite && refused.contains(&(finished.op, write.attempt)) {
                refused_led = true;
                Fate::Refused
            } else {
                Fate::Unknown
            };
        }
        if refused_led {
            let (name, key) = (self.session_name(finished.session), self.key_name(key));
            self.found.add(Property::RefusedWritesNeverAppear, || {
                format!("at {now} {name} was told that its write of {key} did not happen; it had been led")
            });
        }
        if finished.outcome != Outcome::Ok {
            return;
        }
        let Some(version) = finished.written else { return };
        self.numbers.acked += 1;
        self.world.last_change = now;
        self.ghost.acked(key, version, now);
        if let Some(write) = self.ghost.key_mut(key).find(version) {
            self.sessions.items.acked(now, key, write.event);
        }
        self.sessions.staleness.acked(now, key, version);
        let known = self.sessions.known(finished.session, key);
        known.acked = Some(version.clone());
        known.acked_at = now;
        self.count_copies_at_ack(now, key, version, finished.nodes, finished.keys);
    }

    /// A read has ended well.
    fn on_read(&mut self, now: SimTime, finished: &Finished<'_>) {
        let (key, read) = (finished.key, finished.read);
        let (windows, group) = (finished.windows, finished.group);
        let verdict = self.sessions.staleness.read(key, finished.sent_at, read);
        if verdict.is_stale() {
            if self.sessions.irregular.insert(key) {
                self.numbers.irregular_keys += 1;
            }
            let (name, key) = (self.session_name(finished.session), self.key_name(key));
            self.found.add(Property::Regular, || {
                let age = verdict.age(finished.sent_at);
                let missed = verdict.missed;
                format!("at {now} {name} read {key} and missed {missed} acknowledged writes, the oldest for {age}")
            });
        }
        self.are_real(now, finished);
        let known = self.sessions.known(finished.session, key);
        // What the session heard while it read does not bind the read.
        let own = known.acked.clone().filter(|_| known.acked_at <= finished.sent_at);
        let before = std::mem::replace(&mut known.read, read.clone());
        let before = if known.read_at <= finished.sent_at { before } else { Siblings::new() };
        known.read_at = now;
        let tombstones_go = self.tombstones_go;
        let ghost = self.ghost.key_mut(key);
        let is_lww = matches!(self.scheme, Scheme::LastWriteWins);
        let missing = |version: &&Version| {
            let Some(event) = ghost.find(version).map(|write| write.event) else { return false };
            if is_lww {
                !ghost.covered_by(read, event, self.scheme, tombstones_go)
            } else {
                !ghost.included_in(read, event, tombstones_go)
            }
        };
        let own_missing = own.as_ref().filter(missing).cloned();
        let read_missing = before.iter().find(missing).cloned();
        let false_siblings = if read.len() > 1 {
            let pairs = read.iter().flat_map(|one| read.iter().map(move |other| (one, other)));
            pairs
                .filter(|(one, other)| {
                    !one.same(other) && ghost.find(other).is_some_and(|write| ghost.includes(one, write.event))
                })
                .count() as u64
        } else {
            0
        };
        let opportunities = [own.is_some(), !before.is_empty()];
        self.numbers.each_open(windows, group, |tally| {
            for (guarantee, opportunity, violated) in [
                (SessionGuarantee::ReadYourWrites, opportunities[0], own_missing.is_some()),
                (SessionGuarantee::MonotonicReads, opportunities[1], read_missing.is_some()),
            ] {
                tally.guarantees[guarantee as usize][0] += u64::from(opportunity);
                tally.guarantees[guarantee as usize][1] += u64::from(violated);
            }
            tally.false_siblings += false_siblings;
        });
        for (property, missing, what) in [
            (Property::ReadYourWrites, own_missing, "its own acknowledged write"),
            (Property::MonotonicReads, read_missing, "what it had read before"),
        ] {
            if let Some(missing) = missing {
                let (name, key) = (self.session_name(finished.session), self.key_name(key));
                let dot = self.dot_name(&missing);
                self.found.add(property, || format!("at {now} {name} read {key} without {what}, {dot}"));
            }
        }
        self.numbers.resurrected += self.sessions.items.returned(key, finished.sent_at, read);
        self.deletes_return(now, finished);
    }

    /// All that is read was written, and what failed is noted when it appears.
    fn are_real(&mut self, now: SimTime, finished: &Finished<'_>) {
        for version in finished.read.iter() {
            let name = || (self.session_name(finished.session), self.key_name(finished.key));
            let Some(write) = self.ghost.key(finished.key).and_then(|ghost| ghost.find(version)) else {
                let (name, key) = name();
                self.found
                    .add(Property::NoInventedValues, || format!("at {now} {name} read of {key} what nobody wrote"));
                continue;
            };
            if write.fate == Fate::Refused {
                let (name, key) = name();
                self.found.add(Property::RefusedWritesNeverAppear, || {
                    format!("at {now} {name} read of {key} a write that was refused")
                });
            }
            let appears = matches!(write.fate, Fate::Unknown | Fate::Refused) && !write.appeared;
            if appears {
                self.numbers.phantoms += 1;
                if let Some(write) = self.ghost.key_mut(finished.key).find_mut(version) {
                    write.appeared = true;
                }
            }
        }
    }

    /// A value that an acknowledged delete had seen is read although no replica holds the tombstone any more.
    fn deletes_return(&mut self, now: SimTime, finished: &Finished<'_>) {
        let (key, read, sent_at) = (finished.key, finished.read, finished.sent_at);
        let Some(ghost) = self.ghost.key(key).filter(|ghost| ghost.was_deleted) else { return };
        let returned = ghost.all().position(|delete| {
            delete.is_tombstone()
                && !delete.appeared
                && matches!(delete.fate, Fate::Acked(at) if at <= sent_at)
                && read.iter().any(|version| ghost.find(version).is_some_and(|write| delete.past.has(write.event)))
                && !finished.nodes.iter().any(|node| {
                    let mut held = node.versions(key).iter().chain(node.hints().of_key(key));
                    held.any(|version| ghost.includes(version, delete.event))
                })
        });
        if let Some(place) = returned {
            if let Some(delete) = self.ghost.key_mut(key).all_mut().nth(place) {
                delete.appeared = true;
            }
            self.numbers.resurrected += 1;
            let (name, key) = (self.session_name(finished.session), self.key_name(key));
            self.found
                .add(Property::NoResurrectedDeletes, || format!("at {now} {name} read {key}, which had been deleted"));
        }
    }
}
