//! Data that a node holds and no longer owns (Dynamo §4.9: nodes "no longer have to store some of their keys").
//!
//! Nothing acknowledged may be lost, so a copy is dropped only when it is known to be elsewhere. What this
//! node handed over itself and has not changed since is dropped as soon as the change is in force. Of all
//! else, written here late, or held by a node that was down when its ranges moved, the owners are shown the
//! hashes, take what they lack, and only then is it dropped. For a while after a segment was lost this node
//! watches it, since writes by an old ring may still arrive.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::kernel::ids::{KeyId, NodeId, OpId, SegmentId};
use crate::kernel::time::{SimTime, Span};
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::marks::Mark;
use crate::node::message::{KEY_BYTES, Message};
use crate::node::outputs::{Note, Outputs};
use crate::node::placement::Placement;
use crate::node::transfer::{Busy, TransferMessage, keys_bytes};
use crate::version::Siblings;

/// How long a segment that holds nothing any more is watched after it was lost.
const WATCH: Span = Span::from_secs(60);
/// The first wait for an owner's answer; it doubles up to the last.
const RETRY_FIRST: Span = Span::from_ms(1_900);
const RETRY_LAST: Span = Span::from_secs(30);

/// What is said of leftovers.
#[derive(Clone, Debug)]
pub enum LeftoverMessage {
    /// The sender holds these keys and does not own them.
    Show {
        /// Their segment.
        segment: SegmentId,
        /// Number of this try at the sender.
        round: u32,
        /// The keys and the hashes of their versions.
        keys: Vec<(KeyId, u64)>,
    },
    /// The receiver of that lacks these, or others of their versions; none: nothing.
    Want {
        /// Their segment.
        segment: SegmentId,
        /// Number of the try.
        round: u32,
        /// The keys.
        keys: Vec<KeyId>,
    },
    /// The keys that were wanted.
    Give {
        /// Their segment.
        segment: SegmentId,
        /// Number of the try.
        round: u32,
        /// The keys with all their versions.
        keys: Vec<(KeyId, Siblings)>,
    },
}

impl LeftoverMessage {
    /// Bytes on the wire.
    pub fn bytes(&self) -> u32 {
        8 + match self {
            LeftoverMessage::Show { keys, .. } => (KEY_BYTES + 8) * keys.len() as u32,
            LeftoverMessage::Want { keys, .. } => KEY_BYTES * keys.len() as u32,
            LeftoverMessage::Give { keys, .. } => keys_bytes(keys),
        }
    }
}

/// A segment that was lost.
#[derive(Debug)]
struct Leftover {
    lost_at: SimTime,
    round: u32,
    retry: Span,
    retry_at: SimTime,
    /// What the owners were shown.
    shown: Vec<(KeyId, u64)>,
    /// Owners that have all of it.
    have: SmallVec<[NodeId; 4]>,
}

/// The segments that were lost and are looked after.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    segments: BTreeMap<SegmentId, Leftover>,
}

impl Leftovers {
    pub(super) fn add(&mut self, segment: SegmentId, now: SimTime) {
        self.segments.entry(segment).or_insert_with(|| Leftover {
            lost_at: now,
            round: 0,
            retry: RETRY_FIRST,
            retry_at: now,
            shown: Vec::new(),
            have: SmallVec::new(),
        });
    }

    pub(super) fn remove(&mut self, segment: SegmentId) {
        self.segments.remove(&segment);
    }

    pub(super) fn contains(&self, segment: SegmentId) -> bool {
        self.segments.contains_key(&segment)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }
}

impl Node {
    /// Drops what is safe elsewhere and shows the owners the rest.
    pub(super) fn tend_leftovers(&mut self, commons: &mut Commons, now: SimTime, out: &mut Outputs) {
        if self.memory.transfers.leftovers.is_empty() {
            return;
        }
        let placement = self.placement(commons);
        // Most of them hold nothing, and a ring by residues has tens of thousands: those are passed over.
        let roots = &self.disk.roots;
        let worth_a_look = |(segment, leftover): (&SegmentId, &Leftover)| {
            (roots.root(*segment) != 0 || now.since(leftover.lost_at) > WATCH).then_some(*segment)
        };
        let segments: Vec<SegmentId> =
            self.memory.transfers.leftovers.segments.iter().filter_map(worth_a_look).collect();
        for segment in segments {
            self.tend_leftover(commons, now, &placement, segment, out);
        }
    }

    /// Drops what is safe elsewhere of one segment and shows its owners the rest.
    fn tend_leftover(
        &mut self,
        commons: &Commons,
        now: SimTime,
        placement: &Placement,
        segment: SegmentId,
        out: &mut Outputs,
    ) {
        // What it is about to gain back it keeps.
        if placement.gaining.get(&segment).is_some_and(|gaining| gaining.contains(&self.id)) {
            return;
        }
        let left = self.drop_handed_over(commons, segment, out);
        let leftovers = &mut self.memory.transfers.leftovers;
        let leftover = leftovers.segments.get_mut(&segment).expect("its segment was listed just now");
        if left.is_empty() {
            if now.since(leftover.lost_at) > WATCH {
                leftovers.segments.remove(&segment);
                self.memory.transfers.handed_over.remove(&segment);
            }
            return;
        }
        if left != leftover.shown {
            // Unique also over crashes: an answer to an earlier life's question must not count.
            self.disk.conversations += 1;
            leftover.round = self.disk.conversations;
            leftover.shown = left;
            leftover.have.clear();
            leftover.retry = RETRY_FIRST;
        } else if now < leftover.retry_at {
            return;
        } else {
            leftover.retry = Span((leftover.retry.0 * 2).min(RETRY_LAST.0));
        }
        leftover.retry_at = now + leftover.retry;
        let (round, keys) = (leftover.round, leftover.shown.clone());
        let owners = placement.ring.replicas_of(segment, placement.ring.replicas());
        let asked: SmallVec<[NodeId; 4]> =
            owners.iter().copied().filter(|owner| !leftover.have.contains(owner)).collect();
        for owner in asked {
            let message = LeftoverMessage::Show { segment, round, keys: keys.clone() };
            self.say(owner, TransferMessage::Leftover(message), out);
        }
    }

    /// Drops the keys of a segment that a gainer has just so. Returns the others.
    fn drop_handed_over(&mut self, commons: &Commons, segment: SegmentId, out: &mut Outputs) -> Vec<(KeyId, u64)> {
        let mut left = Vec::new();
        if self.disk.roots.root(segment) == 0 {
            return left;
        }
        for &key in commons.keys.keys_of(segment) {
            let hash = self.disk.table.hash(key);
            if hash == 0 {
                continue;
            }
            let handed_over = self.memory.transfers.handed_over.get(&segment).and_then(|keys| keys.get(&key));
            if handed_over == Some(&hash) {
                self.drop_key(commons, key);
                out.note_change(|| Note::Removed { key });
            } else {
                left.push((key, hash));
            }
        }
        left
    }

    pub(super) fn on_leftover(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        from: NodeId,
        op: OpId,
        message: LeftoverMessage,
        out: &mut Outputs,
    ) {
        match message {
            LeftoverMessage::Show { segment, round, keys } => {
                let lacking = keys.iter().filter(|(key, hash)| self.disk.table.hash(*key) != *hash);
                let keys = lacking.map(|&(key, _)| key).collect();
                let message = LeftoverMessage::Want { segment, round, keys };
                out.send_node(from, op, Message::Transfer(Box::new(TransferMessage::Leftover(message))));
            }
            LeftoverMessage::Want { segment, round, keys } if keys.is_empty() => {
                self.on_owner_has(commons, now, from, segment, round, out)
            }
            LeftoverMessage::Want { segment, round, keys } => {
                let held = |key: KeyId| (key, Siblings::from(self.disk.table.get(key)));
                let keys: Vec<(KeyId, Siblings)> =
                    keys.into_iter().map(held).filter(|(_, held)| !held.is_empty()).collect();
                out.reach(Mark::LeftoverHandedOver);
                self.say(from, TransferMessage::Leftover(LeftoverMessage::Give { segment, round, keys }), out);
            }
            LeftoverMessage::Give { segment, round, keys } => {
                self.busy_storage(commons, now, Busy::StoresLeftovers { from, op, segment, round, keys }, out);
            }
        }
    }

    /// An owner has all that it was shown.
    #[allow(clippy::too_many_arguments)]
    fn on_owner_has(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        owner: NodeId,
        segment: SegmentId,
        round: u32,
        out: &mut Outputs,
    ) {
        let Some(leftover) = self.memory.transfers.leftovers.segments.get_mut(&segment).filter(|l| l.round == round)
        else {
            return;
        };
        if !leftover.have.contains(&owner) {
            leftover.have.push(owner);
        }
        let have = leftover.have.clone();
        let placement = self.placement(commons);
        let owners = placement.ring.replicas_of(segment, placement.ring.replicas());
        if placement.ring.holds(self.id, segment) || !owners.iter().all(|owner| have.contains(owner)) {
            return;
        }
        let leftover = self.memory.transfers.leftovers.segments.get_mut(&segment).expect("it was found just now");
        // What has changed since is shown again.
        for (key, hash) in std::mem::take(&mut leftover.shown) {
            if self.disk.table.hash(key) == hash {
                self.drop_key(commons, key);
                out.note_change(|| Note::Removed { key });
            }
        }
        self.tend_leftover(commons, now, &placement, segment, out);
    }
}
