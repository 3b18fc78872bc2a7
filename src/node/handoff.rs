//! Hinted handoff (Dynamo §4.6): a stand-in keeps a write on disk for its owner, apart from its own data,
//! and hands it over when the owner is back. A hint is deleted only after the owner has acknowledged it.

use std::collections::BTreeMap;

use crate::kernel::ids::{Endpoint, KeyId, NodeId};
use crate::kernel::mutant::{self, Mutant};
use crate::kernel::time::{SimTime, Span};
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::config::Deliver;
use crate::node::marks::Mark;
use crate::node::message::{HintDelivery, Message};
use crate::node::outputs::{Note, Outputs, Wake};
use crate::store::{Added, HintKey};
use crate::version::Version;

/// Hints in one message.
const BATCH: u32 = 64;
/// How long a batch may stay without its ack before the next scan takes the hints up again.
const ACK_WAIT: Span = Span::from_secs(1);

/// A batch on its way to the owner.
#[derive(Debug)]
struct Batch {
    owner: NodeId,
    hints: Vec<HintKey>,
    last: HintKey,
}

/// Deliveries under way. Memory: a crash forgets them, the hints themselves stay.
#[derive(Debug, Default)]
pub(super) struct Handoff {
    batches: BTreeMap<u32, Batch>,
    /// Owners whose next batch waits for the throttle, and what it starts behind.
    paused: BTreeMap<NodeId, HintKey>,
}

impl Handoff {
    fn busy_with(&self, owner: NodeId) -> bool {
        self.paused.contains_key(&owner) || self.batches.values().any(|batch| batch.owner == owner)
    }
}

impl Node {
    /// Keeps a write for its owner. Returns whether it is safe here.
    pub(super) fn store_hint(
        &mut self,
        now: SimTime,
        owner: NodeId,
        key: KeyId,
        version: &Version,
        out: &mut Outputs,
    ) -> bool {
        let stored = match self.disk.hints.add(owner, key, version, self.scheme, now) {
            Added::Stored { replaced } => {
                self.stats.hints_created += 1;
                self.stats.hints_replaced += u64::from(replaced);
                out.note(|| Note::HintStored { owner, key, version: version.clone(), replaced });
                true
            }
            Added::AlreadyThere => true,
            Added::Dropped => {
                self.stats.hints_dropped += 1;
                out.note(|| Note::HintDropped { owner, key, expired: false });
                false
            }
        };
        self.gauge_hints();
        stored
    }

    fn gauge_hints(&mut self) {
        self.stats.hints_held = self.disk.hints.len();
        self.stats.hints_bytes = self.disk.hints.bytes();
        self.stats.hints_held_max = self.stats.hints_held_max.max(self.stats.hints_held);
        self.stats.hints_bytes_max = self.stats.hints_bytes_max.max(self.stats.hints_bytes);
    }

    /// The periodic scan: old hints are thrown away, the others go to whoever is back.
    pub(super) fn on_hint_scan(&mut self, commons: &mut Commons, now: SimTime, out: &mut Outputs) {
        self.scan_hints(commons, now, out);
        if let Some(period) = commons.config.hints.and_then(|hints| hints.scan_every) {
            out.wake(period, Wake::HintScan);
        }
    }

    /// One scan.
    pub(super) fn scan_hints(&mut self, commons: &mut Commons, now: SimTime, out: &mut Outputs) {
        let Some(config) = commons.config.hints else { return };
        if let Some(ttl) = config.ttl {
            for (at, _) in self.disk.hints.expire(now, ttl) {
                self.stats.hints_expired += 1;
                out.note(|| Note::HintDropped { owner: at.owner, key: at.key, expired: true });
            }
            self.gauge_hints();
        }
        if let Some(oldest) = self.disk.hints.oldest_at() {
            self.stats.hints_age_max = self.stats.hints_age_max.max(now.since(oldest).0);
        }
        for owner in self.disk.hints.owners() {
            if self.trusts(owner) {
                self.deliver_hints(commons, owner, None, out);
            }
        }
    }

    /// The owner has been seen again.
    pub(super) fn on_owner_back(&mut self, commons: &mut Commons, owner: NodeId, out: &mut Outputs) {
        if commons.config.hints.is_some_and(|hints| hints.deliver == Deliver::Recovery)
            && self.disk.hints.has_any_for(owner)
        {
            self.deliver_hints(commons, owner, None, out);
        }
    }

    /// Sends the next batch of an owner's hints, one batch at a time.
    fn deliver_hints(&mut self, commons: &Commons, owner: NodeId, after: Option<HintKey>, out: &mut Outputs) {
        if self.memory.handoff.busy_with(owner) {
            return;
        }
        let mut hints = self.disk.hints.batch(owner, after, BATCH);
        if let Some(rate) = commons.config.hints.and_then(|hints| hints.throttle) {
            // No more at once than the throttle lets pass in a second, and at least one.
            let mut bytes = 0.0;
            let fits = hints.iter().take_while(|(_, version)| {
                bytes += version.wire_bytes() as f64;
                bytes <= rate
            });
            let fits = fits.count().max(1);
            hints.truncate(fits);
        }
        let Some((last, _)) = hints.last() else { return };
        let last = *last;
        // If the owner has left the ring its keys have new owners; the first of them takes the hint.
        let ring = self.memory.placement.as_ref().map(|placement| &placement.ring);
        let mut to = owner;
        if let Some(ring) = ring
            && !ring.is_member(owner)
        {
            to = ring.list(commons.keys.segment(last.key)).first().copied().unwrap_or(owner);
        }
        let mut batch: Vec<(HintKey, Version)> = hints;
        if to != owner {
            out.reach(Mark::HintRedirected);
            let segment = commons.keys.segment(last.key);
            batch.retain(|(at, _)| commons.keys.segment(at.key) == segment);
        }
        let op = self.conversation();
        // Unique also over crashes: an ack for an earlier life's batch must not delete another's hints.
        let number = self.disk.conversations;
        let deliveries =
            batch.iter().map(|(at, version)| HintDelivery { key: at.key, version: version.clone() }).collect();
        if mutant::is(Mutant::M17) {
            batch.iter().for_each(|(at, _)| _ = self.disk.hints.remove(*at));
            self.gauge_hints();
        }
        self.memory
            .handoff
            .batches
            .insert(number, Batch { owner, hints: batch.into_iter().map(|(at, _)| at).collect(), last });
        out.send(Endpoint::node(to), op, 0, Message::Hints { batch: number, hints: Box::new(deliveries) });
        out.wake(ACK_WAIT, Wake::HintRetry(number));
    }

    /// The owner has stored a batch.
    pub(super) fn on_hints_ack(&mut self, commons: &mut Commons, number: u32, out: &mut Outputs) {
        let Some(batch) = self.memory.handoff.batches.remove(&number) else { return };
        let mut bytes = 0;
        for at in batch.hints {
            bytes += self.disk.hints.get(at).map_or(0, |hint| hint.bytes);
            if self.disk.hints.remove(at) {
                self.stats.hints_delivered += 1;
                out.note(|| Note::HintDelivered { owner: at.owner, key: at.key });
            }
        }
        self.gauge_hints();
        let wait =
            commons.config.hints.and_then(|hints| hints.throttle).map_or(0, |rate| (bytes as f64 / rate * 1e9) as u64);
        if wait == 0 {
            self.deliver_hints(commons, batch.owner, Some(batch.last), out);
        } else {
            self.memory.handoff.paused.insert(batch.owner, batch.last);
            out.wake(Span(wait), Wake::HintBatch);
        }
    }

    /// The throttle lets the next batches go.
    pub(super) fn on_hint_batch(&mut self, commons: &mut Commons, out: &mut Outputs) {
        for (owner, after) in std::mem::take(&mut self.memory.handoff.paused) {
            self.deliver_hints(commons, owner, Some(after), out);
        }
    }

    /// A batch was not acknowledged: its hints wait for the next scan.
    pub(super) fn on_hint_retry(&mut self, commons: &mut Commons, now: SimTime, number: u32, out: &mut Outputs) {
        if let Some(batch) = self.memory.handoff.batches.remove(&number) {
            out.reach(Mark::HintsRetried);
            self.on_silence(commons, now, batch.owner, out);
        }
    }
}
