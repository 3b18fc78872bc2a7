//! Taking ranges over (Dynamo §4.9): whom this node confirms as the donor of each segment it gains, how it
//! stores what comes, and when it says that it is ready. When and for which change is the business of `transfer`.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::kernel::ids::{KeyId, NodeId, SegmentId};
use crate::kernel::time::{SimTime, Span};
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::marks::Mark;
use crate::node::membership::ChangeKind;
use crate::node::message::{Message, siblings_bytes};
use crate::node::outputs::{AppliedBy, Note, Outputs};
use crate::node::transfer::{Busy, TransferMessage, keys_bytes};
use crate::version::Siblings;

/// How long a gainer waits for an offer by a node that loses the segment.
const BEST_DONOR_WAIT: Span = Span::from_ms(1_500);
/// A donor that is silent for so long is replaced.
const DONOR_SILENCE: Span = Span::from_secs(4);

/// A segment that this node gains.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    pub(super) arrived: bool,
    /// Who was confirmed.
    pub(super) donor: Option<NodeId>,
    /// Under which number.
    pub(super) request: u32,
    /// When something of it was last seen.
    pub(super) seen_at: SimTime,
    /// Who has offered it, and whether it gives it up.
    pub(super) offers: SmallVec<[(NodeId, bool); 3]>,
    pub(super) keys: u32,
    pub(super) bytes: u64,
}

impl Incoming {
    pub(super) fn add_offer(&mut self, from: NodeId, gives_up: bool) {
        if !self.offers.iter().any(|&(node, _)| node == from) {
            self.offers.push((from, gives_up));
        }
    }
}

impl Node {
    pub(super) fn on_offer(
        &mut self,
        now: SimTime,
        from: NodeId,
        to: u128,
        segments: &[(SegmentId, bool)],
        out: &mut Outputs,
    ) {
        let transfers = &mut self.memory.transfers;
        // Who has not heard of the change yet will be offered again.
        if transfers.step.as_ref().is_none_or(|step| step.to != to) {
            return;
        }
        let mut unheard: BTreeMap<u32, Vec<SegmentId>> = BTreeMap::new();
        for &(segment, gives_up) in segments {
            let Some(incoming) = transfers.incoming.get_mut(&segment).filter(|incoming| !incoming.arrived) else {
                continue;
            };
            if incoming.donor == Some(from) {
                // It has not heard that it was confirmed, or it has been down since.
                unheard.entry(incoming.request).or_default().push(segment);
            }
            incoming.add_offer(from, gives_up);
        }
        for (request, segments) in unheard {
            self.say(from, TransferMessage::Confirm { to, request, segments }, out);
        }
        self.confirm(now, out);
    }

    pub(super) fn on_the_way(
        &mut self,
        now: SimTime,
        from: NodeId,
        to: u128,
        segments: &[SegmentId],
        out: &mut Outputs,
    ) {
        let transfers = &mut self.memory.transfers;
        let Some(step) = transfers.step.as_ref().filter(|step| step.to == to) else { return };
        for &segment in segments {
            let Some(incoming) = transfers.incoming.get_mut(&segment).filter(|incoming| !incoming.arrived) else {
                continue;
            };
            match incoming.donor {
                Some(donor) if donor == from => incoming.seen_at = now,
                Some(_) => {}
                // Sent to an earlier life of this node.
                None => incoming.add_offer(from, step.gives_up(from, segment)),
            }
        }
        self.confirm(now, out);
    }

    /// Confirms a donor for each segment that has none and whose best offer is good enough.
    pub(super) fn confirm(&mut self, now: SimTime, out: &mut Outputs) {
        let transfers = &mut self.memory.transfers;
        let Some(step) = &transfers.step else { return };
        let in_a_hurry = now.since(transfers.since) >= BEST_DONOR_WAIT;
        let request = self.disk.conversations + 1;
        let mut chosen: BTreeMap<NodeId, Vec<SegmentId>> = BTreeMap::new();
        for (&segment, incoming) in
            transfers.incoming.iter_mut().filter(|(_, incoming)| !incoming.arrived && incoming.donor.is_none())
        {
            let best = incoming.offers.iter().find(|(_, gives_up)| *gives_up);
            let nobody_gives_up = || step.move_of(segment).is_none_or(|m| m.losers.is_empty());
            let donor = match best {
                Some(&(donor, _)) => donor,
                None if !incoming.offers.is_empty() && (in_a_hurry || nobody_gives_up()) => incoming.offers[0].0,
                None => continue,
            };
            incoming.donor = Some(donor);
            incoming.request = request;
            incoming.seen_at = now;
            chosen.entry(donor).or_default().push(segment);
        }
        let to = step.to;
        for (donor, segments) in chosen {
            self.say(donor, TransferMessage::Confirm { to, request, segments }, out);
        }
    }

    pub(super) fn on_batch(&mut self, commons: &mut Commons, now: SimTime, batch: Busy, out: &mut Outputs) {
        let Busy::Stores { from, op, to, stream, index, .. } = batch else { unreachable!("a batch is stored") };
        let transfers = &mut self.memory.transfers;
        let known = transfers.name == Some(to) || transfers.step.as_ref().is_some_and(|step| step.to == to);
        let expected = transfers.expected.get(&(from, stream)).copied().unwrap_or(0);
        // Not yet heard of the change, or the beginning of the stream was met in an earlier life: it is sent
        // again, or another stream is asked for.
        if !known || index > expected {
            return;
        }
        if index < expected {
            let in_storage = |busy: &Busy| matches!(*busy, Busy::Stores { from: f, stream: s, index: i, .. } if (f, s, i) == (from, stream, index));
            if !transfers.busy.values().any(in_storage) {
                out.send_node(from, op, Message::Transfer(Box::new(TransferMessage::Ack { stream, index })));
            }
            return;
        }
        transfers.expected.insert((from, stream), index + 1);
        let confirm = commons.config.transfer.confirm;
        for incoming in transfers.incoming.values_mut().filter(|incoming| !confirm || incoming.donor == Some(from)) {
            incoming.seen_at = now;
        }
        self.busy_storage(commons, now, batch, out);
    }

    /// Stores keys that were sent here.
    pub(super) fn take_in(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        keys: &[(KeyId, Siblings)],
        out: &mut Outputs,
    ) {
        for (key, held) in keys {
            let mut news = false;
            for version in held.iter() {
                news |= self.apply_by(commons, now, *key, version, AppliedBy::Transfer, out);
            }
            self.stats.moved_keys += 1;
            self.stats.duplicate_keys += u64::from(!news);
        }
        self.stats.moved_bytes += u64::from(keys_bytes(keys));
    }

    /// A batch is stored here.
    pub(super) fn on_arrival(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        to: u128,
        keys: &[(KeyId, Siblings)],
        done: &[SegmentId],
        out: &mut Outputs,
    ) {
        let transfers = &mut self.memory.transfers;
        if transfers.step.as_ref().is_none_or(|step| step.to != to) {
            return;
        }
        for (key, held) in keys {
            if let Some(incoming) = transfers.incoming.get_mut(&commons.keys.segment(*key)) {
                incoming.keys += 1;
                incoming.bytes += u64::from(siblings_bytes(held));
            }
        }
        let mut whole = false;
        for segment in done {
            let Some(incoming) = transfers.incoming.get_mut(segment).filter(|incoming| !incoming.arrived) else {
                continue;
            };
            incoming.arrived = true;
            transfers.missing -= 1;
            whole = transfers.missing == 0;
            let (keys, bytes) = (incoming.keys, incoming.bytes);
            out.note(|| Note::RangeArrived { keys, bytes });
        }
        if whole {
            self.declare_ready(commons, now, out);
        }
    }

    /// Says that all that this node gains by the pending change is here.
    pub(super) fn declare_ready(&mut self, commons: &mut Commons, now: SimTime, out: &mut Outputs) {
        let Some(step) = self.memory.transfers.step.clone() else { return };
        let kind = ChangeKind::Ready { change: step.change, by: self.id, to: step.to };
        match commons.changes.ready(step.to, self.id) {
            // Said in an earlier life: once is enough.
            Some(number) => {
                if self.disk.view.insert(number) {
                    out.tell(Note::ViewChanged);
                }
            }
            None => self.announce(commons, now, kind, out),
        }
        self.on_view_changed(commons, now, out);
    }

    /// Gives up on donors that have fallen silent, and asks others.
    pub(super) fn look_for_donors(&mut self, commons: &Commons, now: SimTime, out: &mut Outputs) {
        let me = self.id;
        let config = commons.config.transfer;
        let batch_time = config.throttle.map_or(0, |throttle| (config.batch as f64 / throttle * 1e9) as u64);
        let patience = Span(DONOR_SILENCE.0 + 4 * batch_time);
        let transfers = &mut self.memory.transfers;
        let Some(step) = &transfers.step else { return };
        for (&segment, incoming) in &mut transfers.incoming {
            if incoming.arrived || now.since(incoming.seen_at) < patience {
                continue;
            }
            let silent = incoming.donor.take();
            if silent.is_some() {
                out.reach(Mark::DonorGivenUp);
            }
            incoming.offers.retain(|(node, _)| Some(*node) != silent);
            if !config.confirm
                && let Some(before) = &step.before
            {
                // Nobody asked, and what was sent unasked was lost: from now on this node asks, its old owners in turn.
                let owners = before.replicas_of(segment, before.replicas());
                let after = owners.iter().position(|&node| Some(node) == silent).map_or(0, |place| place + 1);
                let next = (0..owners.len()).map(|i| owners[(after + i) % owners.len()]).find(|&node| node != me);
                incoming.offers = next.map(|node| (node, true)).into_iter().collect();
                incoming.seen_at = now;
            }
        }
        self.confirm(now, out);
    }
}
