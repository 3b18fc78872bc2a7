//! The last part of an exchange: the versions of differing keys travel, both ways (Dynamo §4.7).
//!
//! Keys go in batches, several under way at a time. Reading and storing a batch is one background task for
//! storage, so that load and admission control (Dynamo §6.5) slow it down.

use crate::kernel::ids::{Endpoint, KeyId, NodeId, OpId};
use crate::kernel::time::{SimTime, Span};
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::message::Message;
use crate::node::outputs::{AppliedBy, Outputs, Wake};
use crate::node::storage::{BackgroundOwner, Job, JobWork};
use crate::version::{self, Siblings};

use super::{ExchangeMessage, Last, LeafKeys, Turn, item_bytes};

/// Keys in one batch, and in one task for storage.
const BATCH: usize = 64;
/// Bytes after which a batch is full.
pub(super) const BATCH_BYTES: f64 = 1e6;
/// Batches that are read or under way at a time.
const WINDOW: u32 = 16;

/// Names the draws of receipts apart from those of other messages of the conversation.
pub(super) const TAKEN_ATTEMPTS: u16 = 1 << 15;

/// What storage does for a conversation.
#[derive(Debug)]
pub(super) enum StorageTask {
    /// Reads some keys of differing leaves.
    ReadLeaves {
        /// The conversation.
        number: u32,
    },
    /// Reads a batch to send: keys, and what of them the other has.
    Read {
        /// The conversation.
        number: u32,
        /// The batch.
        keys: Vec<(KeyId, Siblings)>,
    },
    /// Stores a batch that came.
    Store {
        /// From whom.
        from: NodeId,
        /// In which conversation.
        op: OpId,
        /// Number of the batch at its sender.
        batch: u32,
        /// The batch.
        items: Vec<(KeyId, Siblings)>,
    },
}

impl Node {
    fn give_storage(&mut self, commons: &mut Commons, now: SimTime, op: OpId, task: StorageTask, out: &mut Outputs) {
        let place = self.memory.exchanges.next_task;
        self.memory.exchanges.next_task = place.wrapping_add(1);
        let writes = matches!(task, StorageTask::Store { .. });
        self.memory.exchanges.tasks.insert(place, task);
        let work = JobWork::Background { token: BackgroundOwner::AntiEntropy.token(place), writes };
        self.submit(commons, now, Job { from: self.id, op, attempt: place as u16, work }, out);
    }

    /// Reads the keys of the leaves that differ, then sends their list.
    pub(super) fn read_leaves(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        number: u32,
        step: u32,
        leaves: Vec<LeafKeys>,
        out: &mut Outputs,
    ) {
        let keys: usize = leaves.iter().map(|leaf| leaf.entries.len()).sum();
        let reads = keys.div_ceil(BATCH).max(1) as u32;
        let conversation = self.memory.exchanges.conversations.get_mut(&number).expect("the caller found it");
        conversation.trees.clear();
        conversation.turn = Turn::ReadLeaves { reads, step, leaves };
        conversation.jobs += reads;
        let op = conversation.op;
        for _ in 0..reads {
            self.give_storage(commons, now, op, StorageTask::ReadLeaves { number }, out);
        }
    }

    /// Storage has done something for a conversation.
    pub(in crate::node) fn on_exchange_storage(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        place: u32,
        out: &mut Outputs,
    ) {
        let Some(task) = self.memory.exchanges.tasks.remove(&place) else { return };
        match task {
            StorageTask::ReadLeaves { number } => self.on_leaf_read(number, out),
            StorageTask::Read { number, keys } => self.on_batch_read(commons, now, number, keys, out),
            StorageTask::Store { from, op, batch, items } => {
                self.on_batch_stored(commons, now, (from, op), batch, items, out)
            }
        }
    }

    fn on_leaf_read(&mut self, number: u32, out: &mut Outputs) {
        let Some(conversation) = self.memory.exchanges.conversations.get_mut(&number) else { return };
        conversation.jobs -= 1;
        let Turn::ReadLeaves { reads, step, leaves } = &mut conversation.turn else { return };
        *reads -= 1;
        if *reads == 0 {
            let message = ExchangeMessage::Leaves { step: *step, leaves: std::mem::take(leaves) };
            conversation.turn = Turn::Receive { notes_lacking: true };
            self.say_in_exchange(number, message, out);
        }
    }

    /// Sends as many batches as may be under way, and once all are taken what comes last.
    pub(super) fn send_keys(&mut self, commons: &mut Commons, now: SimTime, number: u32, out: &mut Outputs) {
        let throttle = commons.config.anti_entropy.and_then(|config| config.throttle);
        loop {
            let free_at = self.memory.exchanges.free_at;
            let Some(conversation) = self.memory.exchanges.conversations.get_mut(&number) else { return };
            let Turn::Send { last } = conversation.turn else { return };
            let under_way = conversation.jobs + conversation.in_the_air.len() as u32;
            if conversation.outbox.is_empty() {
                if under_way == 0 {
                    self.say_last(number, last, out);
                }
                return;
            }
            if under_way >= WINDOW || conversation.paused_until.is_some() {
                return;
            }
            if throttle.is_some() && free_at > now {
                conversation.paused_until = Some(free_at);
                out.wake(free_at.since(now), Wake::Exchange(number));
                return;
            }
            // Batches of about a second, so that the throttle does not send in bursts.
            let limit = throttle.map_or(BATCH_BYTES, |rate| rate.min(BATCH_BYTES));
            let mut keys = Vec::new();
            let mut bytes = 0u64;
            while keys.len() < BATCH && (bytes as f64) < limit {
                let Some((key, theirs)) = conversation.outbox.pop_front() else { break };
                bytes += u64::from(item_bytes(&Siblings::from(self.disk.table.get(key))));
                keys.push((key, theirs));
            }
            conversation.jobs += 1;
            let op = conversation.op;
            if let Some(rate) = throttle {
                self.memory.exchanges.free_at = now + Span((bytes as f64 / rate * 1e9) as u64);
            }
            self.give_storage(commons, now, op, StorageTask::Read { number, keys }, out);
        }
    }

    fn say_last(&mut self, number: u32, last: Last, out: &mut Outputs) {
        match last {
            Last::Want => {
                let conversation = self.memory.exchanges.conversations.get_mut(&number).expect("the caller found it");
                conversation.turn = Turn::Receive { notes_lacking: false };
                let wanted = std::mem::take(&mut conversation.wanted);
                self.say_in_exchange(number, ExchangeMessage::Want(wanted), out);
            }
            Last::Done => self.say_done(number, out),
        }
    }

    /// A batch is read: what is held now is sent, not what was when the trees were compared.
    fn on_batch_read(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        number: u32,
        keys: Vec<(KeyId, Siblings)>,
        out: &mut Outputs,
    ) {
        let Some(conversation) = self.memory.exchanges.conversations.get_mut(&number) else { return };
        conversation.jobs -= 1;
        let mut items = Vec::with_capacity(keys.len());
        for (key, theirs) in keys {
            let lacking = version::missing(self.disk.table.get(key), &theirs);
            if !lacking.is_empty() {
                self.stats.exchange_keys += 1;
                self.stats.exchange_bytes += u64::from(item_bytes(&lacking));
                items.push((key, lacking));
            }
        }
        if items.is_empty() {
            self.send_keys(commons, now, number, out);
            return;
        }
        let batch = conversation.next_batch;
        conversation.next_batch += 1;
        conversation.in_the_air.insert(batch);
        self.say_in_exchange(number, ExchangeMessage::Keys { batch, items }, out);
    }

    /// Keys have come. They are stored even if the conversation is forgotten here: their journey need not be in vain.
    pub(super) fn on_keys(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        (from, op, number): (NodeId, OpId, Option<u32>),
        batch: u32,
        items: Vec<(KeyId, Siblings)>,
        out: &mut Outputs,
    ) {
        if let Some(conversation) = number.and_then(|number| self.memory.exchanges.conversations.get_mut(&number)) {
            if !conversation.batches_seen.insert(batch) {
                return;
            }
            conversation.jobs += 1;
        }
        self.give_storage(commons, now, op, StorageTask::Store { from, op, batch, items }, out);
    }

    fn on_batch_stored(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        (from, op): (NodeId, OpId),
        batch: u32,
        items: Vec<(KeyId, Siblings)>,
        out: &mut Outputs,
    ) {
        let number = self.memory.exchanges.find(from, op);
        for (key, theirs) in items {
            let bytes = u64::from(item_bytes(&theirs));
            self.stats.exchange_wasted += u64::from(theirs.same(self.disk.table.get(key)));
            let mut useful = false;
            for version in theirs.iter() {
                useful |= self.apply_by(commons, now, key, version, AppliedBy::AntiEntropy, out);
            }
            self.stats.exchange_useful_bytes += u64::from(useful) * bytes;
            if let Some(conversation) = number.and_then(|number| self.memory.exchanges.conversations.get_mut(&number))
                && let Turn::Receive { notes_lacking: true } = conversation.turn
                && !version::missing(self.disk.table.get(key), &theirs).is_empty()
            {
                conversation.outbox.push_back((key, theirs));
            }
        }
        if let Some(conversation) = number.and_then(|number| self.memory.exchanges.conversations.get_mut(&number)) {
            conversation.jobs = conversation.jobs.saturating_sub(1);
        }
        // Also for a conversation that is forgotten here: the sender may go on with what is left.
        out.send(
            Endpoint::node(from),
            op,
            TAKEN_ATTEMPTS | batch as u16,
            Message::Exchange(Box::new(ExchangeMessage::Taken { batch })),
        );
    }

    /// The other has stored a batch.
    pub(super) fn on_taken(&mut self, commons: &mut Commons, now: SimTime, number: u32, batch: u32, out: &mut Outputs) {
        let conversation = self.memory.exchanges.conversations.get_mut(&number).expect("the caller found it");
        if conversation.in_the_air.remove(&batch) {
            self.send_keys(commons, now, number, out);
        }
    }

    /// The other has sent all that it could, and lacks these keys.
    pub(super) fn on_want(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        number: u32,
        keys: Vec<KeyId>,
        out: &mut Outputs,
    ) {
        let conversation = self.memory.exchanges.conversations.get_mut(&number).expect("the caller found it");
        if let Turn::Receive { notes_lacking: true } = conversation.turn {
            conversation.outbox.extend(keys.into_iter().map(|key| (key, Siblings::new())));
            conversation.turn = Turn::Send { last: Last::Done };
            self.send_keys(commons, now, number, out);
        }
    }
}
