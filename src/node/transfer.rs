//! Range transfer between old and new owners (Dynamo §4.9): "nodes … offer to and upon confirmation from X
//! transfer the appropriate set of keys. By adding a confirmation round between the source and the
//! destination, it is made sure that the destination node does not receive any duplicate transfers".
//!
//! All owners of a moving segment before the change are its possible donors. The gainer confirms one, rather
//! one that loses the segment: what is handed over by who gives it up is all that has to be handed over. The
//! donor streams the keys in batches, one on its way at a time; the gainer stores a batch before it
//! acknowledges it, and says that it is ready when every segment has come. A periodic review repeats offers,
//! sends lost batches again and finds another donor for one that has fallen silent, so nothing here has to
//! survive a crash: a node that is back reads from its view what is still to be done.
//!
//! This file has the messages, what is under way, and the review; the two ends are in `donor` and `gainer`.
//! What becomes of data that a node no longer owns is in `leftovers`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kernel::ids::{KeyId, NodeId, OpId, SegmentId};
use crate::kernel::time::{SimTime, Span};
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::donor::Stream;
use crate::node::gainer::Incoming;
use crate::node::leftovers::{LeftoverMessage, Leftovers};
use crate::node::membership::{Step, View};
use crate::node::message::{KEY_BYTES, Message, siblings_bytes};
use crate::node::outputs::{Note, Outputs, Wake};
use crate::node::storage::{Job, JobWork};
use crate::ring::{Ring, trees_rebuilt};
use crate::version::Siblings;

/// The top byte of the tokens of background jobs that are transfers'.
pub(super) const TOKEN_OWNER: u64 = 1;
/// Period of the review of what is still to be done.
const REVIEW: Span = Span::from_secs(1);
/// A batch that was not acknowledged for so long is sent again.
const RESEND: Span = Span::from_ms(1_900);
/// Times that a batch is sent before the stream is given up.
const SENDS_MAX: u32 = 30;

/// What a transfer says. `to` names the changes that are in force once the change is that the transfer is for.
#[derive(Clone, Debug)]
pub enum TransferMessage {
    /// The sender holds these segments and can send them; with each, whether it gives it up.
    Offer {
        /// For which change.
        to: u128,
        /// The segments.
        segments: Vec<(SegmentId, bool)>,
    },
    /// The sender gains these segments and wants them from the receiver.
    Confirm {
        /// For which change.
        to: u128,
        /// The gainer's number of this wish: said twice it is the same.
        request: u32,
        /// The segments.
        segments: Vec<SegmentId>,
    },
    /// The sender is sending these segments, and it takes its time.
    OnTheWay {
        /// For which change.
        to: u128,
        /// The segments.
        segments: Vec<SegmentId>,
    },
    /// Keys of the segments.
    Batch {
        /// For which change.
        to: u128,
        /// The donor's number of the stream.
        stream: u32,
        /// The batch's number in its stream, from 0.
        index: u32,
        /// The keys with all their versions.
        keys: Vec<(KeyId, Siblings)>,
        /// Segments that are complete with this batch.
        done: Vec<SegmentId>,
    },
    /// The batch is stored.
    Ack {
        /// The donor's number of the stream.
        stream: u32,
        /// The batch's number.
        index: u32,
    },
    /// About data that its holder no longer owns.
    Leftover(LeftoverMessage),
}

/// Bytes of keys with their versions on the wire.
pub(super) fn keys_bytes(keys: &[(KeyId, Siblings)]) -> u32 {
    keys.iter().map(|(_, held)| KEY_BYTES + siblings_bytes(held)).sum()
}

impl TransferMessage {
    /// Bytes on the wire.
    pub fn bytes(&self) -> u32 {
        match self {
            TransferMessage::Offer { segments, .. } => 16 + 5 * segments.len() as u32,
            TransferMessage::Confirm { segments, .. } | TransferMessage::OnTheWay { segments, .. } => {
                16 + 4 * segments.len() as u32
            }
            TransferMessage::Batch { keys, done, .. } => 24 + 4 * done.len() as u32 + keys_bytes(keys),
            TransferMessage::Ack { .. } => 8,
            TransferMessage::Leftover(message) => message.bytes(),
        }
    }
}

/// What storage is busy with.
#[derive(Debug)]
pub(super) enum Busy {
    /// A donor reads the next batch of this stream.
    Reads(u32),
    /// A gainer writes a batch.
    Stores {
        from: NodeId,
        op: OpId,
        to: u128,
        stream: u32,
        index: u32,
        keys: Vec<(KeyId, Siblings)>,
        done: Vec<SegmentId>,
    },
    /// An owner writes leftovers.
    StoresLeftovers { from: NodeId, op: OpId, segment: SegmentId, round: u32, keys: Vec<(KeyId, Siblings)> },
}

/// Transfers under way. Memory: a crash forgets them.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    /// The ring in force when last looked at.
    pub(super) ring: Option<Arc<Ring>>,
    pub(super) name: Option<u128>,
    pub(super) in_force: Vec<u32>,
    pub(super) step: Option<Arc<Step>>,
    pub(super) since: SimTime,
    pub(super) incoming: BTreeMap<SegmentId, Incoming>,
    pub(super) missing: u32,
    pub(super) outgoing: BTreeMap<u32, Stream>,
    /// By segment that this node gives up: the hash of each key when a gainer acknowledged it.
    pub(super) handed_over: BTreeMap<SegmentId, BTreeMap<KeyId, u64>>,
    /// The index that is expected next, by donor and stream.
    pub(super) expected: BTreeMap<(NodeId, u32), u32>,
    pub(super) busy: BTreeMap<u32, Busy>,
    pub(super) jobs: u32,
    /// When the throttle lets the next batch go.
    pub(super) free_at: SimTime,
    /// Whether a review is due some time.
    pub(super) armed: bool,
    pub(super) leftovers: Leftovers,
}

impl Node {
    /// The process starts. After a crash much may have changed, and what was under way is forgotten.
    pub(super) fn start_transfers(&mut self, commons: &mut Commons, now: SimTime, out: &mut Outputs) {
        if self.disk.lives > 0 && !commons.keys.is_empty() {
            self.review_ranges(commons, now, out);
        }
    }

    /// Looks at what the view says of rings and ranges, and does what follows.
    pub(super) fn review_ranges(&mut self, commons: &mut Commons, now: SimTime, out: &mut Outputs) {
        let placement = self.placement(commons);
        if self.memory.transfers.name != Some(placement.name) {
            self.on_new_ring(commons, now, &placement.ring, out);
            self.note_in_place(commons, &placement.in_force, out);
            self.memory.transfers.name = Some(placement.name);
            self.tend_leftovers(commons, now, out);
        }
        let known = self.memory.transfers.step.as_ref().map(|step| step.to);
        if known != placement.step.as_ref().map(|step| step.to) {
            self.begin_step(commons, now, placement.step.clone(), out);
        }
        self.arm_review(out);
    }

    fn arm_review(&mut self, out: &mut Outputs) {
        let transfers = &mut self.memory.transfers;
        let donates = transfers
            .step
            .as_ref()
            .is_some_and(|step| step.before.as_ref().is_some_and(|ring| ring.is_member(self.id)));
        let due = donates || transfers.missing > 0 || !transfers.outgoing.is_empty() || !transfers.leftovers.is_empty();
        if due && !transfers.armed {
            transfers.armed = true;
            out.wake(REVIEW, Wake::Transfer);
        }
    }

    /// The ring in force is another one.
    fn on_new_ring(&mut self, commons: &mut Commons, now: SimTime, ring: &Arc<Ring>, _out: &mut Outputs) {
        let before = match self.memory.transfers.ring.take() {
            None if self.disk.lives == 0 && self.disk.view.contains(0) && commons.changes.initial() > 0 => {
                let initial = View::below(commons.changes.initial());
                Some(Arc::clone(&commons.placement(&initial).ring))
            }
            known => known,
        };
        match before {
            Some(before) => {
                if Arc::ptr_eq(&before, ring) {
                    self.memory.transfers.ring = Some(before);
                    return;
                }
                let rebuilt = trees_rebuilt(&commons.layout, &before, ring, self.id, ring.replicas());
                self.stats.trees_rebuilt += u64::from(rebuilt);
                for segment in (0..ring.segments()).map(SegmentId) {
                    match (before.holds(self.id, segment), ring.holds(self.id, segment)) {
                        (true, false) => self.memory.transfers.leftovers.add(segment, now),
                        (false, true) => self.memory.transfers.leftovers.remove(segment),
                        // It was about to gain the segment when another change took it away again, or got a write
                        // for it by somebody's older ring.
                        (false, false) if self.disk.roots.root(segment) != 0 => {
                            self.memory.transfers.leftovers.add(segment, now);
                        }
                        (true, true) | (false, false) => {}
                    }
                }
            }
            // After a crash this node does not know by which ring it came to hold what it holds.
            None if !self.disk.table.is_empty() => {
                for key in self.disk.table.keys_sorted() {
                    let segment = commons.keys.segment(key);
                    if !ring.holds(self.id, segment) {
                        self.memory.transfers.leftovers.add(segment, now);
                    }
                }
            }
            None => {}
        }
        self.memory.transfers.ring = Some(Arc::clone(ring));
    }

    fn note_in_place(&mut self, commons: &Commons, in_force: &[u32], out: &mut Outputs) {
        let first_look = self.memory.transfers.name.is_none() && self.disk.lives > 0;
        let before = std::mem::replace(&mut self.memory.transfers.in_force, in_force.to_vec());
        if first_look {
            return;
        }
        for &change in in_force {
            if before.binary_search(&change).is_err() && !commons.changes.get(change).moves_nothing {
                out.tell(Note::ChangeInPlace { change });
            }
        }
    }

    /// Another change, or none, is the one to work on.
    fn begin_step(&mut self, commons: &mut Commons, now: SimTime, step: Option<Arc<Step>>, out: &mut Outputs) {
        let me = self.id;
        let transfers = &mut self.memory.transfers;
        // What came for a change that is not in force after all is nobody's business but the owners'.
        for &segment in transfers.incoming.keys() {
            if transfers.ring.as_ref().is_some_and(|ring| !ring.holds(me, segment)) {
                transfers.leftovers.add(segment, now);
            }
        }
        transfers.incoming.clear();
        transfers.missing = 0;
        transfers.outgoing.clear();
        let Transfers { handed_over, leftovers, .. } = transfers;
        handed_over.retain(|&segment, _| leftovers.contains(segment));
        transfers.since = now;
        transfers.step = step.clone();
        let Some(step) = step else { return };
        let declared = commons.changes.ready(step.to, me).is_some_and(|number| self.disk.view.contains(number));
        if step.gainers.binary_search(&me).is_ok() && !declared {
            for m in step.moves.iter().filter(|m| m.gainers.contains(&me)) {
                // Of a key that nobody has ever named there is nothing to send.
                let arrived = commons.keys.keys_of(m.segment).is_empty();
                transfers.missing += u32::from(!arrived);
                transfers.incoming.insert(m.segment, Incoming { arrived, seen_at: now, ..Incoming::default() });
            }
            if self.memory.transfers.missing == 0 {
                self.declare_ready(commons, now, out);
                return;
            }
        }
        if commons.config.transfer.confirm {
            self.offer(commons, out);
        } else {
            for (gainer, segments) in self.offers(commons) {
                let segments = segments.into_iter().map(|(segment, _)| segment).collect();
                self.begin_stream(commons, now, gainer, 0, segments, out);
            }
        }
    }

    pub(super) fn say(&mut self, to: NodeId, message: TransferMessage, out: &mut Outputs) {
        let op = self.conversation();
        out.send_node(to, op, Message::Transfer(Box::new(message)));
    }

    pub(super) fn on_transfer(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        from: NodeId,
        op: OpId,
        message: TransferMessage,
        out: &mut Outputs,
    ) {
        match message {
            TransferMessage::Offer { to, segments } => self.on_offer(now, from, to, &segments, out),
            TransferMessage::Confirm { to, request, segments } => {
                if self.memory.transfers.step.as_ref().is_some_and(|step| step.to == to) {
                    self.begin_stream(commons, now, from, request, segments, out);
                }
            }
            TransferMessage::OnTheWay { to, segments } => self.on_the_way(now, from, to, &segments, out),
            TransferMessage::Batch { to, stream, index, keys, done } => {
                self.on_batch(commons, now, Busy::Stores { from, op, to, stream, index, keys, done }, out);
            }
            TransferMessage::Ack { stream, index } => self.on_batch_ack(commons, now, from, stream, index, out),
            TransferMessage::Leftover(message) => self.on_leftover(commons, now, from, op, message, out),
        }
    }

    pub(super) fn busy_storage(&mut self, commons: &mut Commons, now: SimTime, busy: Busy, out: &mut Outputs) {
        let writes = !matches!(busy, Busy::Reads(_));
        let transfers = &mut self.memory.transfers;
        transfers.jobs += 1;
        let token = TOKEN_OWNER << 56 | u64::from(transfers.jobs);
        transfers.busy.insert(transfers.jobs, busy);
        let op = self.conversation();
        self.submit(
            commons,
            now,
            Job { from: self.id, op, attempt: 0, work: JobWork::Background { token, writes } },
            out,
        );
    }

    /// Storage has done what it was busy with.
    pub(super) fn on_transfer_stored(&mut self, commons: &mut Commons, now: SimTime, job: u32, out: &mut Outputs) {
        match self.memory.transfers.busy.remove(&job) {
            Some(Busy::Reads(stream)) => self.send_batch(commons, now, stream, out),
            Some(Busy::Stores { from, op, to, stream, index, keys, done }) => {
                self.take_in(commons, now, &keys, out);
                out.send_node(from, op, Message::Transfer(Box::new(TransferMessage::Ack { stream, index })));
                self.on_arrival(commons, now, to, &keys, &done, out);
            }
            Some(Busy::StoresLeftovers { from, op, segment, round, keys }) => {
                self.take_in(commons, now, &keys, out);
                let message = LeftoverMessage::Want { segment, round, keys: Vec::new() };
                out.send_node(from, op, Message::Transfer(Box::new(TransferMessage::Leftover(message))));
            }
            None => unreachable!("a job is done once"),
        }
    }

    /// The periodic review.
    pub(super) fn on_transfer_time(&mut self, commons: &mut Commons, now: SimTime, out: &mut Outputs) {
        self.memory.transfers.armed = false;
        self.review_ranges(commons, now, out);
        self.tend_leftovers(commons, now, out);
        let confirm = commons.config.transfer.confirm;
        // Offers are repeated: to whoever did not hear them, and as a sign of life of a slow stream.
        if confirm {
            self.offer(commons, out);
        }
        let transfers = &mut self.memory.transfers;
        let mut late = Vec::new();
        transfers.outgoing.retain(|&number, stream| match &stream.flight {
            Some(flight) if now.since(flight.sent_at) >= RESEND => {
                late.push(number);
                flight.sends < SENDS_MAX
            }
            _ => true,
        });
        for number in late {
            self.send_flight(commons, now, number, out);
        }
        self.look_for_donors(commons, now, out);
        self.arm_review(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::outputs::Admin;
    use crate::node::replica::DiskFate;
    use crate::node::world::{N, Plan, World, version};
    use crate::ring::RingKind;

    const KEYS: u32 = 2_000;

    fn filled(plan: Plan) -> World {
        let mut world = World::new(plan);
        world.fill(KEYS);
        world.holders_min = usize::from(N);
        world.run_for(Span::from_ms(1_500));
        world
    }

    /// The copies that a change had to move.
    fn copies(world: &World, change: u32) -> u64 {
        world.commons.rings.size_of(change).expect("the change has been looked at").copies
    }

    fn assert_views_agree(world: &World) {
        for node in world.nodes.iter().filter(|node| !world.down.contains(&node.id())) {
            assert_eq!(node.view(), world.nodes[0].view(), "node {} has heard of everything", node.id());
        }
    }

    #[test]
    fn a_join_moves_exactly_what_has_to_move_and_no_key_is_ever_short_of_a_holder() {
        let mut world = filled(Plan::new(10, 1));
        world.admin(1, Admin::Join(NodeId(10)));
        world.run_for(Span::from_secs(20));
        let change = world.commons.changes.initial();
        assert!(world.placement_of(0).is_in_force(change));
        world.assert_in_place(NodeId(0));
        assert!(copies(&world, change) > 400, "about one copy of eleven moves");
        assert_eq!(world.total(|stats| stats.moved_keys), copies(&world, change));
        assert_eq!(world.total(|stats| stats.duplicate_keys), 0);
        assert_eq!(world.total(|stats| stats.scanned_keys), copies(&world, change), "partitions are sent as they are");
        let seen =
            world.notes.iter().filter(|(_, _, note)| matches!(note, Note::ChangeInPlace { change: c } if *c == change));
        assert_eq!(seen.count(), 11, "each node sees the change come into force once");
        assert!(world.placement_of(0).pending.is_empty());
    }

    #[test]
    fn a_leaver_hands_over_all_it_has() {
        let mut world = filled(Plan::new(8, 0));
        world.admin(1, Admin::Leave(NodeId(5)));
        world.run_for(Span::from_secs(30));
        let change = world.commons.changes.initial();
        assert!(!world.placement_of(0).ring.is_member(NodeId(5)));
        world.assert_in_place(NodeId(0));
        assert!(world.nodes[5].table().is_empty());
        assert_eq!(world.total(|stats| stats.moved_keys), copies(&world, change));
    }

    #[test]
    fn a_substitute_takes_over_exactly_what_the_old_node_had() {
        let mut world = filled(Plan::new(8, 1));
        let had = world.nodes[5].table().keys_sorted();
        world.admin(5, Admin::Replace { old: NodeId(5), new: NodeId(8) });
        world.run_for(Span::from_secs(20));
        assert_eq!(world.nodes[8].table().keys_sorted(), had);
        assert_eq!(world.total(|stats| stats.moved_keys), had.len() as u64);
        world.assert_in_place(NodeId(0));
    }

    #[test]
    fn where_ranges_follow_tokens_donors_scan_all_they_hold() {
        let plan = Plan { kind: RingKind::RandomTokens { per_node: 8 }, ..Plan::new(6, 1) };
        let mut world = filled(plan);
        world.admin(0, Admin::Join(NodeId(6)));
        world.run_for(Span::from_secs(20));
        world.assert_in_place(NodeId(0));
        let moved = world.total(|stats| stats.moved_keys);
        assert_eq!(moved, copies(&world, world.commons.changes.initial()));
        assert!(world.total(|stats| stats.scanned_keys) > 2 * moved);
        assert!(world.total(|stats| stats.trees_rebuilt) > 0);
    }

    #[test]
    fn without_asking_first_each_old_owner_sends_a_copy() {
        let plan = Plan {
            transfer: crate::node::config::Transfer { confirm: false, batch: 2_000, throttle: None },
            ..Plan::new(8, 1)
        };
        let mut world = filled(plan);
        world.admin(0, Admin::Join(NodeId(8)));
        world.run_for(Span::from_secs(20));
        world.assert_in_place(NodeId(0));
        let wanted = copies(&world, world.commons.changes.initial());
        assert!(world.total(|stats| stats.duplicate_keys) > wanted / 2);
        assert_eq!(world.total(|stats| stats.moved_keys - stats.duplicate_keys), wanted);
    }

    #[test]
    fn a_throttle_spreads_a_transfer_over_time() {
        let plan = Plan {
            transfer: crate::node::config::Transfer { confirm: true, batch: 2_000, throttle: Some(1_000.0) },
            ..Plan::new(8, 1)
        };
        let mut world = filled(plan);
        world.admin(0, Admin::Join(NodeId(8)));
        world.run_for(Span::from_secs(4));
        let (early, wanted) = (world.total(|stats| stats.moved_keys), copies(&world, world.commons.changes.initial()));
        assert!(early > 0 && early < wanted * 3 / 4, "{early} of {wanted} have moved");
        world.run_for(Span::from_secs(120));
        world.assert_in_place(NodeId(0));
        assert_eq!(world.total(|stats| stats.duplicate_keys), 0);
    }

    #[test]
    fn storage_takes_its_time_over_batches() {
        let mut world = filled(Plan { service: 3_000_000, ..Plan::new(6, 1) });
        world.admin(0, Admin::Join(NodeId(6)));
        world.run_for(Span::from_secs(30));
        world.assert_in_place(NodeId(0));
        assert!(world.total(|stats| stats.background_done) > 20);
    }

    #[test]
    fn a_donor_that_crashes_half_way_is_replaced() {
        let plan = Plan {
            transfer: crate::node::config::Transfer { confirm: true, batch: 2_000, throttle: Some(4_000.0) },
            ..Plan::new(6, 1)
        };
        let mut world = filled(plan);
        world.admin(0, Admin::Join(NodeId(6)));
        world.run_for(Span::from_secs(3));
        assert!(!world.placement_of(0).is_in_force(6) && world.total(|stats| stats.moved_keys) > 0, "half way");
        let step = world.placement_of(0).step.clone().expect("the join is pending");
        let donates = |node: &NodeId| {
            world.nodes[6].memory.transfers.incoming.values().any(|i| !i.arrived && i.donor == Some(*node))
        };
        let donor =
            step.losers.iter().copied().find(|node| donates(node) && !step.gainers.contains(node) && node.0 > 0);
        let donor = donor.expect("a donor that gains nothing itself").0;
        world.crash(donor, DiskFate::Kept);
        world.run_for(Span::from_secs(60));
        assert!(world.placement_of(0).is_in_force(6));
        world.restart(donor);
        world.run_for(Span::from_secs(70));
        assert_views_agree(&world);
        world.assert_in_place(NodeId(0));
    }

    #[test]
    fn a_gainer_that_crashes_half_way_begins_again() {
        for (fate, confirm) in [(DiskFate::Kept, true), (DiskFate::Lost, true), (DiskFate::Lost, false)] {
            let plan = Plan {
                transfer: crate::node::config::Transfer { confirm, batch: 2_000, throttle: Some(4_000.0) },
                ..Plan::new(6, 1)
            };
            let mut world = filled(plan);
            world.admin(0, Admin::Join(NodeId(6)));
            world.run_for(Span::from_secs(3));
            assert!(!world.placement_of(0).is_in_force(6) && world.total(|stats| stats.moved_keys) > 0, "half way");
            world.crash(6, fate);
            world.run_for(Span::from_secs(5));
            world.restart(6);
            world.run_for(Span::from_secs(120));
            assert!(world.placement_of(0).is_in_force(6));
            assert_views_agree(&world);
            world.assert_in_place(NodeId(0));
        }
    }

    #[test]
    fn the_ranges_of_a_dead_leaver_come_from_its_fellow_owners() {
        let mut world = filled(Plan::new(7, 0));
        world.holders_min = 0;
        world.crash(4, DiskFate::Lost);
        world.admin(1, Admin::Leave(NodeId(4)));
        world.run_for(Span::from_secs(40));
        assert!(!world.placement_of(0).ring.is_member(NodeId(4)));
        world.assert_in_place(NodeId(0));
    }

    #[test]
    fn joins_at_different_nodes_at_once_give_the_same_rings_everywhere() {
        let mut world = filled(Plan::new(8, 3));
        world.admin(1, Admin::Join(NodeId(8)));
        world.admin(2, Admin::Join(NodeId(9)));
        world.admin(3, Admin::Leave(NodeId(7)));
        world.run_for(Span::from_ms(300));
        world.admin(4, Admin::Join(NodeId(10)));
        world.run_for(Span::from_secs(90));
        assert_views_agree(&world);
        let placement = world.placement_of(0);
        assert!(placement.pending.is_empty());
        assert_eq!(placement.ring.members(), [0, 1, 2, 3, 4, 5, 6, 8, 9, 10].map(NodeId));
        world.assert_in_place(NodeId(0));
    }

    #[test]
    fn lost_messages_delay_a_transfer_and_lose_nothing() {
        let mut world = filled(Plan::new(6, 2));
        let mut luck = crate::kernel::rng::Stream::new(7, crate::kernel::rng::Purpose::Loss, 0);
        world.lost = Box::new(move |_, _, _, message| matches!(message, Message::Transfer(_)) && luck.chance(0.3));
        world.admin(1, Admin::Join(NodeId(6)));
        world.run_for(Span::from_secs(5));
        world.admin(2, Admin::Replace { old: NodeId(3), new: NodeId(7) });
        world.run_for(Span::from_secs(300));
        assert_views_agree(&world);
        assert!(world.placement_of(0).pending.is_empty());
        world.assert_in_place(NodeId(0));
    }

    /// Each key is written once: a coordinator that does not hold a key cannot count its own writes of it.
    #[test]
    fn writes_during_changes_reach_all_owners() {
        for (seed, kind) in [
            (1, RingKind::RandomTokens { per_node: 8 }),
            (2, RingKind::RandomTokensOverPartitions { per_node: 8, partitions: 64 }),
            (3, Plan::new(7, 2).kind),
            (4, Plan::new(7, 2).kind),
        ] {
            let transfer = crate::node::config::Transfer { confirm: seed != 4, batch: 2_000, throttle: Some(20_000.0) };
            let mut world = filled(Plan { kind, transfer, seed, service: 100_000, ..Plan::new(7, 2) });
            let mut luck = crate::kernel::rng::Stream::new(seed, crate::kernel::rng::Purpose::Key, 0);
            let mut keys: Vec<KeyId> = (0..KEYS).map(KeyId).collect();
            luck.shuffle(&mut keys);
            for (number, &key) in (0..).zip(&keys) {
                match number {
                    100 => world.admin(1, Admin::Join(NodeId(7))),
                    900 => world.admin(2, Admin::Replace { old: NodeId(3), new: NodeId(8) }),
                    950 => world.admin(0, Admin::Leave(NodeId(5))),
                    _ => {}
                }
                world.put(number, key, NodeId([0, 1, 2, 4, 6][luck.below(5) as usize]));
                world.run_for(Span::from_ms(10));
            }
            world.run_for(Span::from_secs(120));
            assert_eq!(world.replies.len(), KEYS as usize);
            assert_eq!(world.placement_of(0).ring.members(), [0, 1, 2, 4, 6, 7, 8].map(NodeId));
            assert_views_agree(&world);
            world.assert_in_place(NodeId(0));
            for (op, reply) in std::mem::take(&mut world.replies) {
                let Message::PutReply { version: Some(version), .. } = reply else {
                    panic!("write {op:?} has failed: {reply:?}")
                };
                let key = keys[op.number() as usize];
                for owner in world.owners(NodeId(0), key) {
                    let held = world.nodes[owner.index()].versions(key);
                    assert!(
                        held.iter().any(|v| v.write() == version.write()),
                        "seed {seed}: node {owner} lacks the write of key {key}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_write_that_reaches_only_who_loses_the_range_survives() {
        let mut world = filled(Plan::new(8, 1));
        world.admin(0, Admin::Join(NodeId(8)));
        world.run_for(Span::from_secs(20));
        // Someone with an old ring writes to a node that has lost the key.
        let initial = View::below(world.commons.changes.initial());
        let old = world.commons.placement(&initial);
        let new = world.placement_of(0);
        let segment_of = |world: &World, key| world.commons.keys.segment(key);
        let (key, loser) = (0..KEYS)
            .map(KeyId)
            .find_map(|key| {
                let segment = segment_of(&world, key);
                let loser = old.ring.replicas_of(segment, 3).iter().find(|&&node| !new.ring.holds(node, segment))?;
                Some((key, *loser))
            })
            .expect("some key has moved");
        let newer = version(key.0, 2);
        world.nodes[loser.index()].preload(&world.commons, key, &newer);
        world.run_for(Span::from_secs(10));
        world.assert_in_place(NodeId(0));
        for owner in world.owners(NodeId(0), key) {
            assert_eq!(world.nodes[owner.index()].versions(key)[0].write(), newer.write());
        }
    }
}
