//! A replica's own work: jobs wait for storage, then read or change the table, the hints and the Merkle
//! sums, and answer whoever asked. Crashes and lost disks are here too, since they undo it.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::kernel::ids::{Endpoint, KeyId, NodeId};
use crate::kernel::mutant::{self, Mutant};
use crate::kernel::rng::{Purpose, tag, unit};
use crate::kernel::time::{SimTime, Span};
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::config::{Deletes, Flush};
use crate::node::marks::Mark;
use crate::node::message::Message;
use crate::node::outputs::{AppliedBy, Note, Outputs, Wake};
use crate::node::storage::{Job, JobWork};
use crate::version::{self, Applied, Scheme, Siblings, Value, Version, Whole};

/// Which accesses of a disk fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailingAccess {
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Both.
    Both,
}

/// What a crash leaves of a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskFate {
    /// All that was written, except what only the write buffer held.
    Kept,
    /// All that was flushed.
    TailLost,
    /// Nothing.
    Lost,
}

/// Versions as they were on disk before changes that a crash can still undo.
#[derive(Debug, Default)]
pub(super) struct Tail {
    before: BTreeMap<KeyId, Siblings>,
}

impl Tail {
    pub(super) fn remember(&mut self, key: KeyId, held: &[Version]) {
        self.before.entry(key).or_insert_with(|| Siblings::from(held));
    }

    pub(super) fn forget(&mut self, key: KeyId) {
        self.before.remove(&key);
    }

    pub(super) fn take(&mut self, key: KeyId) -> Option<Siblings> {
        self.before.remove(&key)
    }

    /// The next key behind this one, beginning anew behind the last.
    pub(super) fn next_after(&self, key: Option<KeyId>) -> Option<KeyId> {
        let behind = key.and_then(|key| self.before.range((Bound::Excluded(key), Bound::Unbounded)).next());
        behind.or_else(|| self.before.first_key_value()).map(|(&key, _)| key)
    }

    pub(super) fn clear(&mut self) {
        self.before.clear();
    }

    /// Whether a buffer of `count` objects takes a write of this key: it has it, or has room.
    pub(super) fn takes(&self, key: KeyId, count: u32) -> bool {
        self.before.len() < count as usize || self.contains(key)
    }

    /// The versions before the change, if there was one.
    pub(super) fn get(&self, key: KeyId) -> Option<&[Version]> {
        self.before.get(&key).map(|held| &held[..])
    }

    pub(super) fn contains(&self, key: KeyId) -> bool {
        self.before.contains_key(&key)
    }
}

impl Node {
    /// Gives storage a job. Where storage takes no time it is done at once.
    pub(super) fn submit(&mut self, commons: &mut Commons, now: SimTime, mut job: Job, out: &mut Outputs) {
        if commons.instant_storage || self.is_in_memory(commons, &job) {
            self.perform(commons, now, job, out);
            return;
        }
        if let JobWork::Write { durable, .. } = &mut job.work {
            // What waits for storage is written there, also if the buffer has room again by then.
            *durable = true;
        }
        self.memory.storage.push(now, job);
        self.stats.queue_length_max = self.stats.queue_length_max.max(self.memory.storage.len() as u64);
        self.start_jobs(commons, now, out);
    }

    /// Whether the write buffer takes care of a job: it concerns memory alone and waits for nobody (Dynamo §6.1).
    fn is_in_memory(&mut self, commons: &Commons, job: &Job) -> bool {
        let Some(buffer) = commons.config.storage.buffer else { return false };
        match &job.work {
            JobWork::Read { key, .. } => {
                let held = self.disk.buffered.contains(*key);
                self.stats.cache_hits += u64::from(held);
                held
            }
            JobWork::Write { key, owner, durable, .. } => {
                // A hint goes to the hint store, which is not buffered.
                !durable && owner.is_none_or(|owner| owner == self.id) && self.disk.buffered.takes(*key, buffer.count)
            }
            JobWork::Repair { .. } | JobWork::Hints { .. } | JobWork::Background { .. } => false,
        }
    }

    /// Lets free workers begin what waits.
    pub(super) fn start_jobs(&mut self, commons: &mut Commons, now: SimTime, out: &mut Outputs) {
        let factor = self.storage_factor
            / commons.config.capacity.get(self.id.index()).copied().filter(|&c| c > 0.0).unwrap_or(1.0);
        while let Some((slot, job, since)) = self.memory.storage.start() {
            let waited = now.since(since);
            self.stats.queue_wait += waited.0;
            self.stats.queue_tasks += 1;
            if waited > Span::ZERO && out.waits_wanted {
                out.tell(Note::Waited { waited });
            }
            let service = service_time(commons, self.id, job, &mut self.memory.cache, &mut self.stats);
            let service = if factor == 1.0 { service } else { (service as f64 * factor) as u64 };
            out.wake(Span(service), Wake::Storage(slot));
        }
    }

    pub(super) fn on_storage_done(&mut self, commons: &mut Commons, now: SimTime, slot: u32, out: &mut Outputs) {
        let (job, since) = self.memory.storage.finish(slot);
        if let (Some(controller), JobWork::Read { .. }) = (&mut self.memory.admission, &job.work) {
            controller.record(now, now.since(since));
        }
        self.stats.background_done += u64::from(job.work.is_background());
        self.perform(commons, now, job, out);
        self.start_jobs(commons, now, out);
    }

    /// Does a job whose time in storage is over, and answers.
    fn perform(&mut self, commons: &mut Commons, now: SimTime, job: Job, out: &mut Outputs) {
        let Job { from, op, attempt, work } = job;
        let writes = work.writes();
        let fails = self.disk_error.is_some_and(|(on, chance)| {
            let hit = matches!(
                (on, writes),
                (FailingAccess::Both, _) | (FailingAccess::Read, false) | (FailingAccess::Write, true)
            );
            hit && unit(commons.draws.bits(
                Purpose::DiskError,
                commons.luck(op),
                tag(u8::from(writes), self.id.0, attempt),
            )) < chance
        });
        self.disk_errors += u64::from(fails);
        match work {
            JobWork::Read { request, key } => {
                self.stats.reads += 1;
                if self.memory.waits_for_hints {
                    out.reach(Mark::ReadWhileRecovering);
                }
                let siblings = (!fails && !self.memory.waits_for_hints).then(|| self.held(key));
                out.note_read(|| Note::Served { op, key });
                if from == self.id {
                    self.on_read_reply(commons, now, from, request, siblings, out);
                } else {
                    out.send(Endpoint::node(from), op, attempt, Message::ReadReply { request, siblings });
                }
            }
            JobWork::Write { request, key, owner, durable, version } => {
                let stored = !fails && self.store_write(commons, now, key, owner, durable, &version, out);
                if from == self.id {
                    self.on_write_ack(commons, now, from, request, stored, out);
                } else {
                    out.send(Endpoint::node(from), op, attempt, Message::WriteAck { request, stored });
                }
            }
            JobWork::Repair { request, key, version } => {
                if fails {
                    // Whoever waits for the repair must not believe that it is stored.
                    return;
                }
                let useful = self.apply_by(commons, now, key, &version, AppliedBy::ReadRepair, out);
                self.stats.repairs_useful += u64::from(useful);
                if from == self.id {
                    self.on_repair_ack(commons, now, from, request, &version, out);
                } else {
                    out.send(Endpoint::node(from), op, attempt, Message::RepairAck { request, version });
                }
            }
            JobWork::Hints { batch, hints } => {
                if fails {
                    return;
                }
                for hint in hints.iter() {
                    let useful = self.apply_by(commons, now, hint.key, &hint.version, AppliedBy::Hint, out);
                    self.stats.hints_duplicated += u64::from(!useful);
                }
                out.send(Endpoint::node(from), op, attempt, Message::HintsAck { batch });
            }
            JobWork::Background { token, .. } => self.on_background_done(commons, now, token, out),
        }
    }

    /// What this node would answer to a read: its own copy, and what it holds for others.
    pub(super) fn held(&self, key: KeyId) -> Siblings {
        let mut held = Siblings::from(self.disk.table.get(key));
        if !self.disk.hints.is_empty() && self.disk.hints.has_key(key) {
            for version in self.disk.hints.of_key(key) {
                held.apply(version, self.scheme, Whole::Write);
            }
        }
        held
    }

    /// Takes in a version that came some other way than a coordinator's write. Returns whether it was news.
    pub(super) fn apply_by(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        key: KeyId,
        version: &Version,
        by: AppliedBy,
        out: &mut Outputs,
    ) -> bool {
        // A hint is the coordinator's write, late; all else is what some replica had stored.
        let whole = if by == AppliedBy::Hint { Whole::Write } else { Whole::Stored };
        let by_repair = matches!(by, AppliedBy::Hint | AppliedBy::ReadRepair);
        let sums_before = (mutant::is(Mutant::M20) && by_repair).then(|| self.disk.roots.clone());
        let applied = self.apply(commons, now, key, version, whole, true, out);
        if let Some(sums) = sums_before {
            self.disk.roots = sums;
        }
        let news = matches!(applied, Applied::Stored { .. });
        if news {
            out.note_change(|| Note::Applied { key, version: version.clone(), by });
        }
        news
    }

    /// Changes the table, and with it the Merkle sums, the tail that a crash may undo, and the tombstones to reap.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn apply(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        key: KeyId,
        version: &Version,
        whole: Whole,
        durable: bool,
        out: &mut Outputs,
    ) -> Applied {
        let storage = &commons.config.storage;
        let flushes_later = matches!(storage.flush, Flush::Every(_)) || mutant::is(Mutant::M27);
        if !durable && storage.buffer.is_some_and(|buffer| self.disk.buffered.takes(key, buffer.count)) {
            self.disk.buffered.remember(key, self.disk.table.get(key));
            self.stats.buffered_writes += 1;
            self.wake_buffer_writer(out);
        } else {
            // The whole object is written, and with it what the buffer held of it.
            let before = self.disk.buffered.take(key);
            if flushes_later {
                self.disk.unflushed.remember(key, before.as_deref().unwrap_or(self.disk.table.get(key)));
            }
        }
        self.remember_own_counter(key, version);
        let change = self.disk.table.apply(key, version, self.scheme, whole);
        if change.old != change.new {
            self.disk.roots.change(commons.keys.segment(key), change.old, change.new);
        }
        if let Applied::Stored { dropped } = change.applied
            && matches!(version.value(), Value::Tombstone)
        {
            if dropped > 0 {
                out.reach(Mark::TombstoneCovers);
            }
            match commons.config.deletes {
                Deletes::Remove => {
                    self.remove_if_dead(commons, key, out);
                }
                Deletes::Tombstone { keep: Some(_) } => self.disk.tombstones.push_back((now, key)),
                Deletes::Tombstone { keep: None } => {}
            }
        }
        change.applied
    }

    /// A clock that was truncated somewhere may replace versions that show this node's last counter without showing it
    /// itself. The counter outlives them, or the next write led here would reuse a dot.
    fn remember_own_counter(&mut self, key: KeyId, incoming: &Version) {
        let Scheme::VectorClock { max_entries: Some(_), .. } = self.scheme else { return };
        let me = self.actor();
        if incoming.clock().get(me) > 0 {
            return;
        }
        let counter = version::last_counter(self.disk.table.get(key), me);
        if counter > 0 {
            let issued = self.disk.issued.entry(key).or_insert(0);
            *issued = counter.max(*issued);
        }
    }

    /// Removes a key of which only tombstones are left. Returns whether it was one.
    fn remove_if_dead(&mut self, commons: &Commons, key: KeyId, out: &mut Outputs) -> bool {
        let held = self.disk.table.get(key);
        let dead = !held.is_empty() && held.iter().all(|version| matches!(version.value(), Value::Tombstone));
        if dead {
            self.drop_key(commons, key);
            out.note_change(|| Note::Removed { key });
        }
        dead
    }

    /// Removes a key from the table and from the sums.
    pub(super) fn drop_key(&mut self, commons: &Commons, key: KeyId) -> Siblings {
        let old = self.disk.table.hash(key);
        let before = self.disk.table.remove(key);
        // Counters outlive the versions that show them, or the next write led here would reuse a dot.
        let counter = version::last_counter(&before, self.actor());
        if counter > 0 && self.scheme != Scheme::LastWriteWins && commons.config.versioning.new_id_after_wipe {
            // It may have led later writes that it did not store.
            let issued = self.disk.issued.entry(key).or_insert(0);
            *issued = counter.max(*issued);
        }
        if old != 0 {
            self.disk.roots.change(commons.keys.segment(key), old, 0);
        }
        before
    }

    /// Makes the versions of a key exactly these.
    fn set_key(&mut self, commons: &Commons, key: KeyId, versions: Siblings) {
        let old = self.disk.table.hash(key);
        self.disk.table.replace(key, versions);
        let new = self.disk.table.hash(key);
        if old != new {
            self.disk.roots.change(commons.keys.segment(key), old, new);
        }
    }

    /// Puts a version there without any event: what existed before the run began.
    pub fn preload(&mut self, commons: &Commons, key: KeyId, version: &Version) {
        let change = self.disk.table.apply(key, version, self.scheme, Whole::Write);
        self.disk.roots.change(commons.keys.segment(key), change.old, change.new);
    }

    /// Tombstones that are old enough are removed, if nothing has come since.
    pub(super) fn on_reap(&mut self, commons: &Commons, now: SimTime, out: &mut Outputs) {
        let Deletes::Tombstone { keep: Some(keep) } = commons.config.deletes else { return };
        while let Some(&(since, key)) = self.disk.tombstones.front() {
            if now.since(since) < keep {
                break;
            }
            self.disk.tombstones.pop_front();
            if self.remove_if_dead(commons, key, out) {
                out.reach(Mark::TombstoneReaped);
            } else if !self.disk.table.get(key).is_empty() {
                out.reach(Mark::TombstoneOutlived);
            }
        }
        out.wake(reap_period(keep), Wake::Reap);
    }

    pub(super) fn on_flush(&mut self, commons: &Commons, out: &mut Outputs) {
        self.disk.unflushed.clear();
        out.note_change(|| Note::Flushed { key: None });
        if let Flush::Every(period) = commons.config.storage.flush {
            out.wake(period, Wake::Flush);
        }
    }

    /// The process dies. What is in memory is gone, and of the disk what its fate says.
    /// Returns how many hints were lost with it.
    pub fn crash(&mut self, commons: &mut Commons, fate: DiskFate) -> u64 {
        // The buffer's objects were in memory, whatever the disk does.
        self.stats.requests_cut_short += self.memory.requests.len() as u64;
        self.stats.exchanges_cut_short += self.memory.exchanges.open() as u64;
        let mut undone = self.undo(commons, |disk| std::mem::take(&mut disk.buffered));
        let mut hints_lost = 0;
        match fate {
            DiskFate::Kept => {}
            DiskFate::TailLost => undone |= self.undo(commons, |disk| std::mem::take(&mut disk.unflushed)),
            DiskFate::Lost => {
                hints_lost = self.wipe(commons);
                undone = false;
            }
        }
        if undone {
            // Others may hold writes that this node led and no longer knows. Counting on from what it has left, it
            // would give their clocks to other values, which nobody could tell from them.
            self.new_actor(commons);
        }
        self.disk.unflushed.clear();
        self.disk.lives += 1;
        self.memory = super::Memory::new(commons, self.disk.lives);
        hints_lost
    }

    /// Undoes changes. Returns whether there were any.
    fn undo(&mut self, commons: &Commons, take: impl FnOnce(&mut super::Disk) -> Tail) -> bool {
        let tail = take(&mut self.disk);
        let any = !tail.before.is_empty();
        self.stats.keys_undone += tail.before.len() as u64;
        for (key, before) in tail.before {
            self.set_key(commons, key, before);
        }
        any
    }

    /// All data is lost. Returns how many hints were.
    pub fn wipe(&mut self, commons: &mut Commons) -> u64 {
        let hints = self.disk.hints.len();
        self.stats.hints_lost += hints;
        self.stats.hints_held = 0;
        self.stats.hints_bytes = 0;
        self.disk.table.clear();
        self.disk.hints.clear();
        self.disk.roots.clear();
        self.disk.unflushed.clear();
        self.disk.buffered.clear();
        self.disk.tombstones.clear();
        self.disk.issued.clear();
        self.new_actor(commons);
        hints
    }

    /// These keys are lost; a node that has lost data must not count on from what it no longer knows.
    pub fn wipe_keys(&mut self, commons: &mut Commons, keys: &[KeyId]) {
        for &key in keys {
            self.drop_key(commons, key);
            self.disk.unflushed.forget(key);
            self.disk.buffered.forget(key);
        }
        self.new_actor(commons);
    }

    fn new_actor(&mut self, commons: &Commons) {
        if commons.config.versioning.new_id_after_wipe && !mutant::is(Mutant::M10) {
            self.disk.epoch += 1;
        }
    }
}

/// How often tombstones are looked through.
pub(super) fn reap_period(keep: Span) -> Span {
    Span((keep.0 / 4).max(1_000_000))
}

/// How long a job takes a worker, in nanoseconds.
fn service_time(
    commons: &Commons,
    me: NodeId,
    job: &Job,
    cache: &mut super::cache::Cache,
    stats: &mut super::stats::Stats,
) -> u64 {
    let writes = job.work.writes();
    let storage = &commons.config.storage;
    match &job.work {
        JobWork::Read { key, .. } => {
            if let Some(config) = &storage.cache
                && cache.touch(*key, config.count)
            {
                stats.cache_hits += 1;
                let bits = commons.draws.bits(Purpose::Service, commons.luck(job.op), tag(2, me.0, job.attempt));
                return commons.hit_time.sample(bits);
            }
        }
        JobWork::Write { key, .. } => {
            if let Some(config) = &storage.cache {
                cache.touch(*key, config.count);
            }
        }
        JobWork::Repair { .. } | JobWork::Hints { .. } | JobWork::Background { .. } => {}
    }
    let sampler = if writes { &commons.write_time } else { &commons.read_time };
    sampler.sample(commons.draws.bits(Purpose::Service, commons.luck(job.op), tag(u8::from(writes), me.0, job.attempt)))
}
