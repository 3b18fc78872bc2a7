//! Merkle anti-entropy as a conversation of messages (Dynamo §4.7).
//!
//! One conversation compares all ranges that two nodes share: first the roots, then level by level the
//! children of what differs (`descent`), then the key lists of differing leaves, and at last the versions of
//! differing keys, both ways (`keys`). Each message names the conversation by its operation. What is lost
//! ends the conversation after a while without news, and the next round takes up what is left; what comes
//! twice or too late is not listened to, except that keys are stored whenever they come.
//!
//! This file chooses peers and keeps the conversations. It does not know how versions are merged, nor how
//! long storage takes.

mod descent;
mod keys;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::kernel::ids::{Endpoint, KeyId, NodeId, OpId, SegmentId};
use crate::kernel::rng::{Purpose, tag};
use crate::kernel::time::{SimTime, Span};
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::config::Pairs;
use crate::node::marks::Mark;
use crate::node::message::{KEY_BYTES, Message, siblings_bytes};
use crate::node::outputs::{Outputs, Wake};
use crate::node::placement::Placement;
use crate::ring::Ring;
use crate::store::Tree;
use crate::store::merkle::LeafEntry;
use crate::version::Siblings;

/// Bytes of a hash on the wire.
pub const HASH_BYTES: u32 = 8;
/// Bytes of a range's or tree node's number on the wire.
const NUMBER_BYTES: u32 = 4;
/// How long a conversation stays without news before it is given up.
const PATIENCE: Span = Span::from_secs(5);
/// Conversations of its own that one node's rounds keep going.
const BEGUN_MAX: usize = 4;
/// Conversations that one node answers at a time; what is begun beyond that is turned down.
const ANSWERED_MAX: usize = 8;

/// The root of one range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RangeRoot {
    /// The range, by the segment that ends it.
    pub range: SegmentId,
    /// How many segments it has, so that two rings which cut differently are noticed.
    pub segments: u32,
    /// Its hash.
    pub root: u64,
}

/// Nodes of one range's tree that differ, with the sender's hashes of their children.
#[derive(Clone, Debug)]
pub struct Branches {
    /// The range.
    pub range: SegmentId,
    /// The differing nodes of the message's level.
    pub nodes: Vec<u32>,
    /// Two hashes for each.
    pub hashes: Vec<u64>,
}

/// The keys of one differing leaf.
#[derive(Clone, Debug)]
pub struct LeafKeys {
    /// The range.
    pub range: SegmentId,
    /// The leaf.
    pub leaf: u32,
    /// The sender's keys in it with their hashes, by key.
    pub entries: Vec<LeafEntry>,
}

/// What is said in an exchange.
#[derive(Clone, Debug)]
pub enum ExchangeMessage {
    /// Opens: the roots of all shared ranges.
    Roots(Vec<RangeRoot>),
    /// These nodes of one level differ, here are my hashes of their children.
    Children {
        /// Place in the alternating descent.
        step: u32,
        /// The level of the nodes.
        level: u32,
        /// Range by range.
        branches: Vec<Branches>,
    },
    /// These leaves differ, here are my keys in them.
    Leaves {
        /// Place in the alternating descent.
        step: u32,
        /// Leaf by leaf.
        leaves: Vec<LeafKeys>,
    },
    /// A batch of keys with the versions that you lack.
    Keys {
        /// Number of the batch at its sender.
        batch: u32,
        /// The keys.
        items: Vec<(KeyId, Siblings)>,
    },
    /// The batch is stored.
    Taken {
        /// Its number.
        batch: u32,
    },
    /// You have all that I could send; now send me these, and what else you saw that I lack.
    Want(Vec<KeyId>),
    /// Nothing (more) to say.
    Done,
}

impl ExchangeMessage {
    /// Bytes on the wire.
    pub fn bytes(&self) -> u32 {
        let sum = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        match self {
            ExchangeMessage::Roots(roots) => sum(roots.len()) * (NUMBER_BYTES + HASH_BYTES),
            ExchangeMessage::Children { branches, .. } => branches
                .iter()
                .map(|b| NUMBER_BYTES + NUMBER_BYTES * sum(b.nodes.len()) + HASH_BYTES * sum(b.hashes.len()))
                .sum(),
            ExchangeMessage::Leaves { leaves, .. } => {
                leaves.iter().map(|l| 2 * NUMBER_BYTES + (KEY_BYTES + HASH_BYTES) * sum(l.entries.len())).sum()
            }
            ExchangeMessage::Keys { items, .. } => items.iter().map(|(_, siblings)| item_bytes(siblings)).sum(),
            ExchangeMessage::Want(keys) => KEY_BYTES * sum(keys.len()),
            ExchangeMessage::Taken { .. } => NUMBER_BYTES,
            ExchangeMessage::Done => 0,
        }
    }
}

/// Bytes of a key with these versions on the wire.
fn item_bytes(siblings: &Siblings) -> u32 {
    KEY_BYTES + siblings_bytes(siblings)
}

/// What a side does next once it has sent all its keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Last {
    /// Ask for the keys that it lacks.
    Want,
    /// End the conversation.
    Done,
}

/// Whose turn it is, as one side sees it.
#[derive(Clone, Debug)]
enum Turn {
    /// Waits for the other's hashes or leaves of this step.
    Descend {
        /// The step.
        step: u32,
    },
    /// Reads the keys of differing leaves from storage, to send them.
    ReadLeaves {
        /// Reads that are not done.
        reads: u32,
        /// The step to send them at.
        step: u32,
        /// What to send.
        leaves: Vec<LeafKeys>,
    },
    /// Sends keys.
    Send {
        /// What comes after them.
        last: Last,
    },
    /// Takes keys.
    Receive {
        /// Whether it notes what the sender turns out to lack, because its own turn to send will come.
        notes_lacking: bool,
    },
}

/// One side of a conversation.
#[derive(Debug)]
struct Conversation {
    op: OpId,
    peer: NodeId,
    /// Whether it was begun here.
    begun_here: bool,
    /// Whether the other has said anything.
    answered: bool,
    turn: Turn,
    /// The trees that differ, as they were when the other's hashes first came.
    trees: BTreeMap<SegmentId, Tree>,
    /// Keys to send, with what of them the other is known to have.
    outbox: VecDeque<(KeyId, Siblings)>,
    /// Keys that the other has and this side does not.
    wanted: Vec<KeyId>,
    /// Tasks that storage has not done.
    jobs: u32,
    /// Batches sent and not yet taken.
    in_the_air: BTreeSet<u32>,
    next_batch: u32,
    /// Batches that came, to know them when they come twice.
    batches_seen: BTreeSet<u32>,
    /// When the throttle lets the next batch go.
    paused_until: Option<SimTime>,
    /// When it began or the other was last heard.
    news_at: SimTime,
    /// When to look whether it is still alive.
    check_at: SimTime,
    /// Messages sent: names their draws.
    sent: u16,
}

/// Conversations under way. Memory: a crash forgets them.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    conversations: BTreeMap<u32, Conversation>,
    next: u32,
    /// What storage is doing for them.
    tasks: BTreeMap<u32, keys::StorageTask>,
    next_task: u32,
    /// Rounds begun in this life.
    rounds: u32,
    /// When the throttle lets the next batch of any conversation go.
    free_at: SimTime,
}

/// Which ranges each node owns under the rings that are in use, worked out once for all nodes.
#[derive(Debug, Default)]
pub struct OwnedRanges {
    /// Newest last: the view that a ring follows from, and each node's ranges, ascending.
    known: VecDeque<(u128, Arc<Vec<Vec<SegmentId>>>)>,
}

impl OwnedRanges {
    /// Views for which the ranges are kept.
    const KNOWN_MAX: usize = 4;

    /// Each node's ranges under this placement.
    fn of(&mut self, placement: &Placement, nodes: usize) -> Arc<Vec<Vec<SegmentId>>> {
        if let Some((_, owned)) = self.known.iter().find(|(view, _)| *view == placement.view) {
            return Arc::clone(owned);
        }
        let ring = &placement.ring;
        let mut owned = vec![Vec::new(); nodes];
        for &range in ring.range_ends() {
            for owner in ring.replicas_of(range, ring.replicas()) {
                owned[owner.index()].push(range);
            }
        }
        let owned = Arc::new(owned);
        if self.known.len() == Self::KNOWN_MAX {
            self.known.pop_front();
        }
        self.known.push_back((placement.view, Arc::clone(&owned)));
        owned
    }
}

impl Exchanges {
    /// How many conversations are under way.
    pub(super) fn open(&self) -> usize {
        self.conversations.len()
    }

    fn find(&self, peer: NodeId, op: OpId) -> Option<u32> {
        self.conversations.iter().find(|(_, c)| c.peer == peer && c.op == op).map(|(&number, _)| number)
    }

    fn begun_with(&self, peer: NodeId) -> bool {
        self.conversations.values().any(|c| c.begun_here && c.peer == peer)
    }
}

/// The segments of the range that ends with this one.
fn segments_of(ring: &Ring, range: SegmentId) -> impl Iterator<Item = SegmentId> {
    let ends = ring.range_ends();
    let place = ends.partition_point(|&end| end < range);
    let before = ends[(place + ends.len() - 1) % ends.len()];
    let all = ring.segments();
    let count = (range.0 + all - before.0 - 1) % all + 1;
    (1..=count).map(move |i| SegmentId((before.0 + i) % all))
}

impl Node {
    /// When the first round of this life comes.
    pub(super) fn start_anti_entropy(&mut self, commons: &Commons, out: &mut Outputs) {
        if let Some(period) = commons.config.anti_entropy.and_then(|config| config.every) {
            let bits = commons.draws.bits(Purpose::AntiEntropy, u64::from(self.id.0), tag(0, self.disk.lives, 0));
            out.wake(Span(((u128::from(bits) * u128::from(period.0)) >> 64) as u64 + 1), Wake::AntiEntropy);
        }
    }

    /// The periodic round.
    pub(super) fn on_anti_entropy_time(&mut self, commons: &mut Commons, now: SimTime, out: &mut Outputs) {
        self.anti_entropy_round(commons, now, out);
        if let Some(period) = commons.config.anti_entropy.and_then(|config| config.every) {
            out.wake(period, Wake::AntiEntropy);
        }
    }

    /// One round: all ranges shared with one peer are compared with it.
    fn anti_entropy_round(&mut self, commons: &mut Commons, now: SimTime, out: &mut Outputs) {
        let Some(config) = commons.config.anti_entropy else { return };
        // Without a key in the run nothing can differ, and no ring is worth its price.
        if commons.keys.is_empty() {
            return;
        }
        let begun = self.memory.exchanges.conversations.values().filter(|c| c.begun_here).count();
        if begun >= BEGUN_MAX {
            return;
        }
        let round = self.memory.exchanges.rounds;
        self.memory.exchanges.rounds += 1;
        let placement = self.placement(commons);
        let ring = &placement.ring;
        let owned = self.ranges_owned(commons, &placement);
        let owned = &owned[self.id.index()];
        let able = |node: NodeId| node != self.id && self.trusts(node) && !self.memory.exchanges.begun_with(node);
        let owners =
            |range: SegmentId| ring.replicas_of(range, ring.replicas()).iter().copied().filter(|&node| able(node));
        let peer = match config.pairs {
            Pairs::Random if owned.is_empty() => None,
            Pairs::Random => {
                let draw = |what: u8, bound: usize| {
                    let tag = tag(what, round, self.disk.lives as u16);
                    let bits = commons.draws.bits(Purpose::AntiEntropy, u64::from(self.id.0), tag);
                    ((u128::from(bits) * bound as u128) >> 64) as usize
                };
                let range = owned[draw(1, owned.len())];
                let others = owners(range).count();
                if others == 0 { None } else { owners(range).nth(draw(2, others)) }
            }
            Pairs::InTurn => {
                // A round with a peer covers all that is shared with it, so it is peers that take turns, in the
                // order in which the ranges meet them.
                let mut peers: Vec<NodeId> = Vec::new();
                for &range in owned {
                    for node in owners(range) {
                        if !peers.contains(&node) {
                            peers.push(node);
                        }
                    }
                }
                if peers.is_empty() { None } else { Some(peers[round as usize % peers.len()]) }
            }
        };
        if let Some(peer) = peer {
            self.begin_exchange(commons, now, peer, out);
        }
    }

    /// A script's round: with this peer, or with one of its own choice.
    pub(super) fn run_anti_entropy(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        with: Option<NodeId>,
        out: &mut Outputs,
    ) {
        match with {
            Some(peer) => self.begin_exchange(commons, now, peer, out),
            None => self.anti_entropy_round(commons, now, out),
        }
    }

    fn ranges_owned(&self, commons: &mut Commons, placement: &Placement) -> Arc<Vec<Vec<SegmentId>>> {
        let nodes = commons.layout.config().nodes.len();
        commons.owned.of(placement, nodes)
    }

    fn begin_exchange(&mut self, commons: &mut Commons, now: SimTime, peer: NodeId, out: &mut Outputs) {
        if commons.config.anti_entropy.is_none() || peer == self.id {
            return;
        }
        let placement = self.placement(commons);
        let ring = &placement.ring;
        let shared: Vec<SegmentId> = self.ranges_owned(commons, &placement)[self.id.index()]
            .iter()
            .copied()
            .filter(|&range| ring.holds(peer, range))
            .collect();
        if shared.is_empty() {
            return;
        }
        let mut roots = Vec::with_capacity(shared.len());
        let mut keys = 0;
        for &range in &shared {
            keys += segments_of(ring, range).map(|segment| commons.keys.keys_of(segment).len() as u64).sum::<u64>();
            roots.push(self.range_root(ring, range));
        }
        self.stats.exchanges += 1;
        // What comparing key by key would take: each key's name and the hash of its versions.
        self.stats.full_scan_bytes += keys * u64::from(KEY_BYTES + HASH_BYTES);
        let op = self.conversation();
        let number = self.open_conversation(commons, now, op, peer, true, out);
        self.say_in_exchange(number, ExchangeMessage::Roots(roots), out);
    }

    fn open_conversation(
        &mut self,
        commons: &Commons,
        now: SimTime,
        op: OpId,
        peer: NodeId,
        begun_here: bool,
        out: &mut Outputs,
    ) -> u32 {
        let number = self.memory.exchanges.next;
        self.memory.exchanges.next += 1;
        let patience = patience(commons);
        out.wake(patience, Wake::Exchange(number));
        let conversation = Conversation {
            op,
            peer,
            begun_here,
            answered: false,
            turn: Turn::Descend { step: if begun_here { 1 } else { 2 } },
            trees: BTreeMap::new(),
            outbox: VecDeque::new(),
            wanted: Vec::new(),
            jobs: 0,
            in_the_air: BTreeSet::new(),
            next_batch: 0,
            batches_seen: BTreeSet::new(),
            paused_until: None,
            news_at: now,
            check_at: now + patience,
            sent: 0,
        };
        self.memory.exchanges.conversations.insert(number, conversation);
        number
    }

    /// Says something in a conversation.
    fn say_in_exchange(&mut self, number: u32, message: ExchangeMessage, out: &mut Outputs) {
        let Some(conversation) = self.memory.exchanges.conversations.get_mut(&number) else { return };
        // Even numbers from the one side, odd ones from the other, so that no two messages share a draw.
        let attempt = (conversation.sent.wrapping_mul(2) % keys::TAKEN_ATTEMPTS) | u16::from(conversation.begun_here);
        conversation.sent = conversation.sent.wrapping_add(1);
        out.send(Endpoint::node(conversation.peer), conversation.op, attempt, Message::Exchange(Box::new(message)));
    }

    /// Says that there is no more to say, and forgets the conversation.
    fn say_done(&mut self, number: u32, out: &mut Outputs) {
        self.say_in_exchange(number, ExchangeMessage::Done, out);
        self.memory.exchanges.conversations.remove(&number);
    }

    /// The other side has said something.
    pub(super) fn on_exchange(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        from: NodeId,
        op: OpId,
        message: ExchangeMessage,
        out: &mut Outputs,
    ) {
        let found = self.memory.exchanges.find(from, op);
        if let Some(conversation) = found.and_then(|number| self.memory.exchanges.conversations.get_mut(&number)) {
            conversation.news_at = now;
            conversation.answered = true;
        }
        match (message, found) {
            (ExchangeMessage::Roots(roots), None) => self.on_roots(commons, now, from, op, &roots, out),
            (ExchangeMessage::Keys { batch, items }, number) => {
                self.on_keys(commons, now, (from, op, number), batch, items, out)
            }
            (ExchangeMessage::Roots(_), Some(_)) | (_, None) => {}
            (ExchangeMessage::Children { step, level, branches }, Some(number)) => {
                self.on_children(commons, now, number, step, level, &branches, out);
            }
            (ExchangeMessage::Leaves { step, leaves }, Some(number)) => {
                self.on_leaves(commons, now, number, step, &leaves, out)
            }
            (ExchangeMessage::Taken { batch }, Some(number)) => self.on_taken(commons, now, number, batch, out),
            (ExchangeMessage::Want(keys), Some(number)) => self.on_want(commons, now, number, keys, out),
            (ExchangeMessage::Done, Some(number)) => {
                self.memory.exchanges.conversations.remove(&number);
            }
        }
    }

    /// The throttle lets the next batch go, or it is time to see whether the other is still there.
    pub(super) fn on_exchange_time(&mut self, commons: &mut Commons, now: SimTime, number: u32, out: &mut Outputs) {
        let Some(conversation) = self.memory.exchanges.conversations.get_mut(&number) else { return };
        if conversation.paused_until.is_some_and(|until| until <= now) {
            conversation.paused_until = None;
            self.send_keys(commons, now, number, out);
        }
        let Some(conversation) = self.memory.exchanges.conversations.get_mut(&number) else { return };
        if now < conversation.check_at {
            return;
        }
        let patience = patience(commons);
        // Waiting for one's own storage or throttle is no reason to give the other up.
        let busy = conversation.jobs > 0 || conversation.paused_until.is_some();
        let next = if busy { now + patience } else { conversation.news_at + patience };
        if next > now {
            conversation.check_at = next;
            out.wake(next.since(now), Wake::Exchange(number));
            return;
        }
        let (peer, silent) = (conversation.peer, conversation.begun_here && !conversation.answered);
        self.memory.exchanges.conversations.remove(&number);
        out.reach(Mark::ExchangeSilent);
        if silent {
            self.on_silence(commons, now, peer, out);
        }
    }
}

/// How long to wait for news. A throttle makes the other slow without being gone.
fn patience(commons: &Commons) -> Span {
    let throttle = commons.config.anti_entropy.and_then(|config| config.throttle);
    throttle.map_or(PATIENCE, |rate| PATIENCE + Span((keys::BATCH_BYTES / rate * 1e9) as u64))
}
