//! Handing ranges over (Dynamo §4.9): what this node offers to those who gain, and the streams of batches to
//! those who have confirmed it. One batch of a stream is on its way at a time; all streams of a node share its
//! throttle. When and for which change is the business of `transfer`.

use std::collections::{BTreeMap, VecDeque};

use crate::kernel::ids::{KeyId, NodeId, SegmentId};
use crate::kernel::time::{SimTime, Span};
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::marks::Mark;
use crate::node::message::{KEY_BYTES, siblings_bytes};
use crate::node::outputs::{Outputs, Wake};
use crate::node::transfer::{Busy, TransferMessage};
use crate::ring::RingKind;
use crate::version::Siblings;

/// A batch that waits for its acknowledgement.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) keys: Vec<(KeyId, Siblings)>,
    pub(super) hashes: Vec<u64>,
    pub(super) done: Vec<SegmentId>,
    pub(super) sent_at: SimTime,
    pub(super) sends: u32,
}

/// Segments on their way from this node to one gainer.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) gainer: NodeId,
    /// The gainer's number of its wish; 0 if it was not asked.
    pub(super) request: u32,
    pub(super) to: u128,
    pub(super) segments: VecDeque<SegmentId>,
    /// Keys of the first segment that are still to be sent, once it was begun.
    pub(super) keys: Option<VecDeque<KeyId>>,
    pub(super) index: u32,
    pub(super) reading: bool,
    pub(super) flight: Option<Flight>,
}

impl Stream {
    pub(super) fn unfinished(&self) -> impl Iterator<Item = SegmentId> + '_ {
        let in_flight = self.flight.iter().flat_map(|flight| &flight.done);
        self.segments.iter().chain(in_flight).copied()
    }
}

impl Node {
    /// What this node can send to whom, for the pending change: segments it holds that somebody gains and is not ready with.
    pub(super) fn offers(&self, commons: &Commons) -> BTreeMap<NodeId, Vec<(SegmentId, bool)>> {
        let mut offers: BTreeMap<NodeId, Vec<(SegmentId, bool)>> = BTreeMap::new();
        let Some(step) = &self.memory.transfers.step else { return offers };
        let Some(before) = &step.before else { return offers };
        if !before.is_member(self.id) {
            return offers;
        }
        let view = &self.disk.view;
        let is_ready =
            |gainer: NodeId| commons.changes.ready(step.to, gainer).is_some_and(|number| view.contains(number));
        let waiting: Vec<NodeId> =
            step.gainers.iter().copied().filter(|&gainer| gainer != self.id && !is_ready(gainer)).collect();
        if waiting.is_empty() {
            return offers;
        }
        for m in &step.moves {
            if before.holds(self.id, m.segment) && !commons.keys.keys_of(m.segment).is_empty() {
                for &gainer in m.gainers.iter().filter(|gainer| waiting.binary_search(gainer).is_ok()) {
                    offers.entry(gainer).or_default().push((m.segment, m.losers.contains(&self.id)));
                }
            }
        }
        offers
    }

    /// Offers what is not on its way.
    pub(super) fn offer(&mut self, commons: &Commons, out: &mut Outputs) {
        let Some(to) = self.memory.transfers.step.as_ref().map(|step| step.to) else { return };
        for (gainer, mut segments) in self.offers(commons) {
            let mut on_the_way: Vec<SegmentId> = self
                .memory
                .transfers
                .outgoing
                .values()
                .filter(|s| s.gainer == gainer)
                .flat_map(Stream::unfinished)
                .collect();
            on_the_way.sort_unstable();
            segments.retain(|(segment, _)| on_the_way.binary_search(segment).is_err());
            if !segments.is_empty() {
                self.say(gainer, TransferMessage::Offer { to, segments }, out);
            }
            if !on_the_way.is_empty() {
                self.say(gainer, TransferMessage::OnTheWay { to, segments: on_the_way }, out);
            }
        }
    }

    /// Begins to send these segments, unless that wish is being met already.
    pub(super) fn begin_stream(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        gainer: NodeId,
        request: u32,
        mut segments: Vec<SegmentId>,
        out: &mut Outputs,
    ) {
        let transfers = &mut self.memory.transfers;
        let Some(step) = &transfers.step else { return };
        let Some(before) = &step.before else { return };
        let to = step.to;
        if transfers.outgoing.values().any(|stream| stream.gainer == gainer && stream.request == request) {
            return;
        }
        segments.retain(|&segment| before.holds(self.id, segment));
        // A new wish for what is on its way: the gainer has lost the beginning.
        transfers.outgoing.retain(|_, stream| {
            stream.gainer != gainer || !stream.unfinished().any(|segment| segments.contains(&segment))
        });
        if segments.is_empty() {
            return;
        }
        // Dynamo §6.2: where ranges follow tokens, handing one over means to scan all that a node holds;
        // a partition is handed over as it is.
        self.stats.scanned_keys += match commons.layout.config().kind {
            RingKind::RandomTokens { .. } | RingKind::Tokens(_) | RingKind::Modulo => u64::from(self.disk.table.len()),
            RingKind::RandomTokensOverPartitions { .. } | RingKind::EqualPartitions { .. } | RingKind::Owners(_) => {
                let keys = segments.iter().flat_map(|&segment| commons.keys.keys_of(segment));
                keys.filter(|&&key| !self.disk.table.get(key).is_empty()).count() as u64
            }
        };
        let number = self.conversation().number();
        let stream = Stream {
            gainer,
            request,
            to,
            segments: segments.into(),
            keys: None,
            index: 0,
            reading: false,
            flight: None,
        };
        self.memory.transfers.outgoing.insert(number, stream);
        self.go_on(commons, now, number, out);
    }

    /// Reads the next batch of a stream, if the throttle lets it.
    pub(super) fn go_on(&mut self, commons: &mut Commons, now: SimTime, number: u32, out: &mut Outputs) {
        let transfers = &mut self.memory.transfers;
        let Some(stream) = transfers.outgoing.get_mut(&number) else { return };
        if stream.reading || stream.flight.is_some() {
            return;
        }
        if now < transfers.free_at {
            out.wake(transfers.free_at - now, Wake::TransferBatch(number));
            return;
        }
        if let Some(throttle) = commons.config.transfer.throttle {
            // Streams share the throttle: the place is taken before the batch is read.
            let bytes = commons.config.transfer.batch as f64;
            transfers.free_at = now + Span((bytes / throttle * 1e9) as u64);
        }
        stream.reading = true;
        self.busy_storage(commons, now, Busy::Reads(number), out);
    }

    pub(super) fn on_transfer_batch_time(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        stream: u32,
        out: &mut Outputs,
    ) {
        self.go_on(commons, now, stream, out);
    }

    pub(super) fn send_batch(&mut self, commons: &mut Commons, now: SimTime, number: u32, out: &mut Outputs) {
        let Some(stream) = self.memory.transfers.outgoing.get_mut(&number) else { return };
        let (mut keys, mut hashes, mut done) = (Vec::new(), Vec::new(), Vec::new());
        let mut bytes = 0u64;
        stream.reading = false;
        while let Some(&segment) = stream.segments.front() {
            let left = stream.keys.get_or_insert_with(|| commons.keys.keys_of(segment).iter().copied().collect());
            while bytes < commons.config.transfer.batch
                && let Some(key) = left.pop_front()
            {
                let held = self.disk.table.get(key);
                if held.is_empty() {
                    continue;
                }
                let held = Siblings::from(held);
                bytes += u64::from(KEY_BYTES + siblings_bytes(&held));
                hashes.push(self.disk.table.hash(key));
                keys.push((key, held));
            }
            if !left.is_empty() {
                break;
            }
            done.push(segment);
            stream.segments.pop_front();
            stream.keys = None;
        }
        stream.flight = Some(Flight { keys, hashes, done, sent_at: now, sends: 0 });
        self.send_flight(commons, now, number, out);
    }

    pub(super) fn send_flight(&mut self, commons: &Commons, now: SimTime, number: u32, out: &mut Outputs) {
        let transfers = &mut self.memory.transfers;
        let Some(stream) = transfers.outgoing.get_mut(&number) else { return };
        let Some(flight) = &mut stream.flight else { return };
        flight.sends += 1;
        if flight.sends > 1 {
            out.reach(Mark::BatchRetried);
        }
        flight.sent_at = now;
        let (to, gainer, index) = (stream.to, stream.gainer, stream.index);
        let message =
            TransferMessage::Batch { to, stream: number, index, keys: flight.keys.clone(), done: flight.done.clone() };
        if let Some(throttle) = commons.config.transfer.throttle {
            let took = Span((f64::from(message.bytes()) / throttle * 1e9) as u64);
            transfers.free_at = now + took;
        }
        self.say(gainer, message, out);
    }

    pub(super) fn on_batch_ack(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        from: NodeId,
        number: u32,
        index: u32,
        out: &mut Outputs,
    ) {
        let transfers = &mut self.memory.transfers;
        let Some(stream) = transfers.outgoing.get_mut(&number).filter(|s| s.gainer == from && s.index == index) else {
            return;
        };
        let Some(flight) = stream.flight.take() else { return };
        stream.index += 1;
        let step = transfers.step.as_ref().expect("streams end with their step");
        for ((key, _), hash) in flight.keys.iter().zip(flight.hashes) {
            let segment = commons.keys.segment(*key);
            if step.after.as_ref().is_some_and(|ring| !ring.holds(self.id, segment)) {
                let slot = transfers.handed_over.entry(segment).or_default().entry(*key).or_insert(hash);
                // Two gainers were given different versions: neither counts.
                if *slot != hash {
                    *slot = 0;
                }
            }
        }
        if stream.segments.is_empty() {
            transfers.outgoing.remove(&number);
        } else {
            self.go_on(commons, now, number, out);
        }
    }
}
