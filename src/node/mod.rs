//! A Dynamo node without input and output of its own: `Node::handle` is given the time and one input,
//! changes its own state and appends outputs. It has no queue, no network, no clock and no file.
//!
//! | file | what | Dynamo |
//! |---|---|---|
//! | `get`, `put` | leading a request | §4.5, §4.6, §5 |
//! | `quorum`, `requests` | whom to ask, counting answers | §4.6 |
//! | `replica`, `storage`, `cache` | a replica's own work and its queue | §5, §6.1 |
//! | `buffer`, `admission` | the write buffer, and who gets storage when | §6.1, §6.5 |
//! | `handoff` | hinted handoff | §4.6 |
//! | `anti_entropy` | Merkle trees, compared as a conversation | §4.7 |
//! | `membership`, `view`, `gossip`, `placement` | changes, who knows of which, the rings that follow | §4.8 |
//! | `transfer`, `leftovers` | moving ranges to new owners | §4.9 |
//! | `detector`, `phi`, `heartbeat` | who is not answering | §4.8.3 |
//!
//! What survives a crash is in [`Disk`], what does not is in [`Memory`].

pub mod admission;
pub mod anti_entropy;
mod buffer;
pub mod cache;
pub mod commons;
pub mod config;
pub mod detector;
mod donor;
mod gainer;
mod get;
pub mod gossip;
mod handoff;
mod heartbeat;
mod leftovers;
pub mod marks;
pub mod membership;
pub mod message;
pub mod outputs;
pub mod phi;
pub mod placement;
mod put;
mod quorum;
pub mod replica;
pub mod requests;
pub mod stats;
pub mod storage;
#[cfg(test)]
pub(crate) mod testing;
pub mod transfer;
pub mod view;
#[cfg(test)]
mod world;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::kernel::ids::{ActorId, Endpoint, KeyId, NodeId, OpId, SegmentId};
use crate::kernel::mutant::{self, Mutant};
use crate::kernel::rng::{Purpose, Stream, tag};
use crate::kernel::time::{SimTime, Span};
use crate::store::{Hints, Roots, Table};
use crate::version::{Scheme, Version};

use admission::Controller;
use commons::Commons;
use config::{Background, Deletes, Detector as DetectorConfig, Flush, Profile, Quorum, RecoveredNode};
use detector::Detector;
use marks::Mark;
use membership::{Placement, View};
use message::{Message, RequestId};
use outputs::{Input, Note, Outputs, Task, Timer, Wake};
use put::PutArrival;
use replica::{FailingAccess, Tail};
use requests::{Requests, Standing, Target, Work};
use stats::Stats;
use storage::{BackgroundOwner, Job, JobWork, StorageQueue};

pub use put::write_id;

/// What survives a crash, unless the disk is lost too.
pub struct Disk {
    /// The versions.
    table: Table,
    /// Writes kept for others.
    hints: Hints,
    /// Sums of the Merkle trees' leaves.
    roots: Roots,
    /// Changes that are not flushed yet.
    unflushed: Tail,
    /// Changes that only the write buffer holds.
    buffered: Tail,
    /// Tombstones in the order in which they came.
    tombstones: VecDeque<(SimTime, KeyId)>,
    /// Membership changes heard of (Dynamo §4.8.1: persisted).
    view: View,
    /// Which actor this node writes as.
    epoch: u32,
    /// How often the process has crashed.
    lives: u32,
    /// Background conversations begun.
    conversations: u32,
    /// Greatest Lamport stamp given.
    lamport: u64,
    /// Counters this actor has given keys whose versions it does not store.
    issued: BTreeMap<KeyId, u32>,
}

/// What a crash forgets.
#[derive(Debug)]
pub struct Memory {
    requests: Requests,
    detector: Detector,
    storage: StorageQueue,
    cache: cache::Cache,
    handoff: handoff::Handoff,
    gossip: gossip::Gossip,
    transfers: transfer::Transfers,
    exchanges: anti_entropy::Exchanges,
    buffer_writer: buffer::BufferWriter,
    admission: Option<Controller>,
    placement: Option<Arc<Placement>>,
    waits_for_hints: bool,
}

impl Memory {
    fn new(commons: &Commons, lives: u32) -> Memory {
        let storage = &commons.config.storage;
        let slices = match storage.background {
            Background::Unlimited => None,
            Background::Slices { count } => Some(count),
            Background::Admission { slices, .. } => Some(slices),
        };
        Memory {
            requests: Requests::new(lives),
            detector: Detector::default(),
            storage: StorageQueue::new(storage.workers, slices),
            cache: cache::Cache::default(),
            handoff: handoff::Handoff::default(),
            gossip: gossip::Gossip::default(),
            transfers: transfer::Transfers::default(),
            exchanges: anti_entropy::Exchanges::default(),
            buffer_writer: buffer::BufferWriter::default(),
            admission: match storage.background {
                Background::Admission { over, slices, .. } => Some(Controller::new(over, slices)),
                Background::Unlimited | Background::Slices { .. } => None,
            },
            placement: None,
            waits_for_hints: lives > 0
                && commons.config.hints.is_some_and(|h| h.recovered_node == RecoveredNode::Waits),
        }
    }
}

/// One node.
pub struct Node {
    id: NodeId,
    disk: Disk,
    memory: Memory,
    /// Draws of gossip peers; made when first needed.
    peers: Option<Box<Stream>>,
    scheme: Scheme,
    /// Running totals.
    pub stats: Stats,
    /// How far this node's clock is ahead, in nanoseconds.
    pub skew: i64,
    /// How many times slower its storage is than it should be.
    pub storage_factor: f64,
    /// Which accesses fail, and with what chance.
    pub disk_error: Option<(FailingAccess, f64)>,
    /// How many accesses have failed.
    pub disk_errors: u64,
}

impl std::fmt::Debug for Node {
    /// Its name; what it holds would fill pages.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Node").field(&self.id).finish()
    }
}

impl Node {
    /// A node that knows this much of the membership and holds nothing.
    pub fn new(commons: &Commons, id: NodeId, view: View) -> Node {
        Node {
            id,
            disk: Disk {
                table: Table::new(),
                hints: Hints::new(commons.config.hints.and_then(|hints| hints.max_per_node)),
                roots: Roots::new(),
                unflushed: Tail::default(),
                buffered: Tail::default(),
                tombstones: VecDeque::new(),
                view,
                epoch: 0,
                lives: 0,
                conversations: 0,
                lamport: 0,
                issued: BTreeMap::new(),
            },
            memory: Memory::new(commons, 0),
            peers: None,
            scheme: commons.config.versioning.scheme,
            stats: Stats::default(),
            skew: 0,
            storage_factor: 1.0,
            disk_error: None,
            disk_errors: 0,
        }
    }

    /// Takes one input and appends what follows from it.
    pub fn handle(&mut self, commons: &mut Commons, now: SimTime, input: Input, out: &mut Outputs) {
        match input {
            Input::Message { from, op, attempt, message } => {
                self.on_message(commons, now, from, (op, attempt), message, out)
            }
            Input::Timer(timer) => self.on_timer(commons, now, timer, out),
            Input::Wake(wake) => self.on_wake(commons, now, wake, out),
            Input::Start => {
                if self.disk.lives > 0 && !self.disk.hints.is_empty() {
                    out.reach(Mark::RestartedWithHints);
                }
                self.on_start(commons, out);
                self.start_gossip(commons, now, out);
                self.start_transfers(commons, now, out);
            }
            Input::Peer { peer, reachable } => self.on_peer(commons, now, peer, reachable, out),
            Input::Admin(admin) => self.on_admin(commons, now, admin, out),
            Input::Run { task, with } => self.on_run(commons, now, task, with, out),
        }
    }

    #[inline(always)]
    fn on_message(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        from: Endpoint,
        (op, attempt): (OpId, u16),
        message: Message,
        out: &mut Outputs,
    ) {
        let Some(sender) = from.as_node() else {
            match message {
                Message::Get { key, profile } => self.on_get(commons, now, (from, op, attempt), key, profile, out),
                Message::Put { key, profile, forwarded, again, put } => {
                    self.on_put(
                        commons,
                        now,
                        from,
                        PutArrival { client: from, op, attempt, key, profile, forwarded, again, put },
                        out,
                    );
                }
                _ => unreachable!("a client sends requests only"),
            }
            return;
        };
        // A heartbeat is weighed before it clears a suspicion.
        if !self.memory.detector.calm() && !matches!(message, Message::Heartbeat) {
            self.on_sign_of_life(commons, now, sender, out);
        }
        match message {
            Message::Get { .. } | Message::GetReply { .. } | Message::PutReply { .. } => {
                unreachable!("reads are led where they arrive, and replies go to clients")
            }
            Message::Put { key, profile, forwarded, again, put } => {
                let client = Endpoint::client(op.session());
                self.on_put(
                    commons,
                    now,
                    from,
                    PutArrival { client, op, attempt, key, profile, forwarded, again, put },
                    out,
                );
            }
            Message::ForwardAck { request, refused } => self.on_forward_ack(request, refused, out),
            Message::Read { request, key } if commons.instant_storage && self.disk_error.is_none() => {
                // The common case without the detour over storage's queue.
                self.stats.reads += 1;
                if self.memory.waits_for_hints {
                    out.reach(Mark::ReadWhileRecovering);
                }
                let siblings = (!self.memory.waits_for_hints).then(|| self.held(key));
                out.note_read(|| Note::Served { op, key });
                out.send(from, op, attempt, Message::ReadReply { request, siblings });
            }
            Message::Write { request, key, owner, durable, version }
                if commons.instant_storage && self.disk_error.is_none() =>
            {
                let stored = self.store_write(commons, now, key, owner, durable, &version, out);
                out.send(from, op, attempt, Message::WriteAck { request, stored });
            }
            Message::Read { request, key } => {
                self.submit(commons, now, Job { from: sender, op, attempt, work: JobWork::Read { request, key } }, out);
            }
            Message::ReadReply { request, siblings } => {
                self.on_read_reply(commons, now, sender, request, siblings, out)
            }
            Message::Write { request, key, owner, durable, version } => {
                let work = JobWork::Write { request, key, owner, durable, version };
                self.submit(commons, now, Job { from: sender, op, attempt, work }, out);
            }
            Message::WriteAck { request, stored } => self.on_write_ack(commons, now, sender, request, stored, out),
            Message::Repair { request, key, version } => {
                self.submit(
                    commons,
                    now,
                    Job { from: sender, op, attempt, work: JobWork::Repair { request, key, version } },
                    out,
                );
            }
            Message::RepairAck { request, version } => {
                self.on_repair_ack(commons, now, sender, request, &version, out);
            }
            Message::Hints { batch, hints } => {
                self.submit(
                    commons,
                    now,
                    Job { from: sender, op, attempt, work: JobWork::Hints { batch, hints } },
                    out,
                );
            }
            Message::HintsAck { batch } => self.on_hints_ack(commons, batch, out),
            Message::Transfer(transfer) => self.on_transfer(commons, now, sender, op, *transfer, out),
            Message::Gossip(gossip) => self.on_gossip(commons, now, sender, op, *gossip, out),
            Message::Exchange(exchange) => self.on_exchange(commons, now, sender, op, *exchange, out),
            Message::Probe { .. } => out.send(from, op, attempt, Message::ProbeAck),
            Message::ProbeAck => {}
            Message::Heartbeat => self.on_heartbeat(commons, now, sender, out),
        }
    }

    fn on_timer(&mut self, commons: &mut Commons, now: SimTime, timer: Timer, out: &mut Outputs) {
        let id = timer.request();
        let Some(request) = self.memory.requests.get_mut(id) else { return };
        match (timer, &request.work) {
            (Timer::Peer(_), Work::Get { .. }) => self.on_get_silence(commons, now, id, out),
            (Timer::Peer(_), Work::Put { .. }) => self.on_put_silence(commons, now, id, out),
            (Timer::Peer(_), Work::Forward { .. }) => self.on_forward_silence(commons, now, id, out),
            (Timer::Deadline(_), Work::Get { .. }) => self.on_get_deadline(commons, id, out),
            (Timer::Deadline(_), Work::Put { .. }) => self.on_put_deadline(id, out),
            (Timer::Late(_), Work::Get { .. }) => self.on_get_late(commons, id, out),
            (Timer::Deadline(_) | Timer::Late(_), Work::Forward { .. }) | (Timer::Late(_), Work::Put { .. }) => {
                unreachable!("no such timer is set")
            }
        }
    }

    fn on_wake(&mut self, commons: &mut Commons, now: SimTime, wake: Wake, out: &mut Outputs) {
        match wake {
            Wake::Storage(slot) => self.on_storage_done(commons, now, slot, out),
            Wake::Flush => self.on_flush(commons, out),
            Wake::HintScan => self.on_hint_scan(commons, now, out),
            Wake::HintBatch => self.on_hint_batch(commons, out),
            Wake::HintRetry(batch) => self.on_hint_retry(commons, now, batch, out),
            Wake::Probe => self.on_probe_time(commons, now, out),
            Wake::Reap => self.on_reap(commons, now, out),
            Wake::Late(request) => self.on_get_late(commons, request, out),
            Wake::Recovered => self.memory.waits_for_hints = false,
            Wake::Gossip => self.on_gossip_time(commons, now, out),
            Wake::Transfer => self.on_transfer_time(commons, now, out),
            Wake::TransferBatch(stream) => self.on_transfer_batch_time(commons, now, stream, out),
            Wake::AntiEntropy => self.on_anti_entropy_time(commons, now, out),
            Wake::Exchange(number) => self.on_exchange_time(commons, now, number, out),
            Wake::Heartbeat => self.on_heartbeat_time(commons, now, out),
            Wake::BufferWriter => self.on_buffer_writer(commons, now, out),
            Wake::Admission => self.on_admission_time(commons, now, out),
        }
    }

    /// The process starts: periodic tasks begin, each at a phase of its own.
    fn on_start(&mut self, commons: &mut Commons, out: &mut Outputs) {
        let config = &commons.config;
        if let Some(period) = config.hints.and_then(|hints| hints.scan_every) {
            out.wake(self.phase(commons, 1, period), Wake::HintScan);
        }
        if let Flush::Every(period) = config.storage.flush {
            out.wake(period, Wake::Flush);
        }
        if let Deletes::Tombstone { keep: Some(keep) } = config.deletes {
            out.wake(replica::reap_period(keep), Wake::Reap);
        }
        self.start_anti_entropy(commons, out);
        if let Background::Admission { .. } = config.storage.background {
            out.wake(admission::LOOK_EVERY, Wake::Admission);
        }
        self.start_heartbeats(commons, out);
        if self.memory.waits_for_hints {
            let wait = config.hints.and_then(|hints| hints.scan_every).unwrap_or(Span::from_secs(10));
            out.wake(wait + Span::from_secs(1), Wake::Recovered);
        }
    }

    /// A place within a period, drawn for this node, this life and this task, never 0.
    fn phase(&self, commons: &Commons, task: u8, period: Span) -> Span {
        let bits = commons.draws.bits(Purpose::Phase, u64::from(self.id.0), tag(task, self.disk.lives, 0));
        Span(((u128::from(bits) * u128::from(period.0)) >> 64) as u64 + 1)
    }

    fn on_run(&mut self, commons: &mut Commons, now: SimTime, task: Task, with: Option<NodeId>, out: &mut Outputs) {
        match task {
            Task::Hints => self.scan_hints(commons, now, out),
            Task::Gossip => self.run_gossip(commons, now, with, out),
            Task::AntiEntropy => self.run_anti_entropy(commons, now, with, out),
        }
    }

    /// The perfect detector's news.
    fn on_peer(&mut self, commons: &mut Commons, now: SimTime, peer: NodeId, reachable: bool, out: &mut Outputs) {
        if !reachable {
            if self.memory.detector.suspect(now, peer) {
                out.note(|| Note::Suspected { peer });
            }
        } else if self.memory.detector.sign_of_life(now, peer) {
            out.note(|| Note::Trusted { peer });
            self.on_owner_back(commons, peer, out);
        }
    }

    fn on_sign_of_life(&mut self, commons: &mut Commons, now: SimTime, peer: NodeId, out: &mut Outputs) {
        if commons.certain {
            return;
        }
        if self.memory.detector.sign_of_life(now, peer) {
            out.note(|| Note::Trusted { peer });
            self.on_owner_back(commons, peer, out);
        }
    }

    /// A request to a peer has stayed unanswered.
    fn on_silence(&mut self, commons: &Commons, now: SimTime, peer: NodeId, out: &mut Outputs) {
        if peer == self.id {
            return;
        }
        if self.memory.detector.silence(&commons.config.detector, now, peer) {
            self.stats.suspicions += 1;
            out.note(|| Note::Suspected { peer });
            self.begin_probing(commons, out);
        }
    }

    /// Sets the first probes of a suspect, unless probes are due anyway.
    fn begin_probing(&mut self, commons: &Commons, out: &mut Outputs) {
        if let Some(period) = probe_period(&commons.config.detector)
            && self.memory.detector.begin_probing()
        {
            out.wake(period, Wake::Probe);
        }
    }

    /// Suspects are asked whether they are back.
    fn on_probe_time(&mut self, commons: &Commons, now: SimTime, out: &mut Outputs) {
        let suspects: Vec<NodeId> = self.memory.detector.suspects().collect();
        for &peer in &suspects {
            let op = self.conversation();
            out.send_node(peer, op, Message::Probe { sent_at: now });
        }
        self.memory.detector.end_probing();
        if !suspects.is_empty() {
            self.begin_probing(commons, out);
        }
    }

    /// The silent targets of a request give cause for suspicion.
    fn note_silence(&mut self, commons: &Commons, now: SimTime, id: RequestId, out: &mut Outputs) {
        let Some(request) = self.memory.requests.get_mut(id) else { return };
        let mut silent: smallvec::SmallVec<[NodeId; 4]> = smallvec::SmallVec::new();
        for target in &mut request.targets {
            if target.standing == Standing::Waiting {
                target.standing = Standing::Silent;
                silent.push(target.node);
            }
        }
        for peer in silent {
            self.on_silence(commons, now, peer, out);
        }
    }

    /// Adds a stand-in to a request for each target of this standing that has none yet, as far as there are any.
    /// Returns them; the caller sends.
    fn call_stand_ins(
        &mut self,
        commons: &mut Commons,
        id: RequestId,
        standing: Standing,
        out: &mut Outputs,
    ) -> smallvec::SmallVec<[Target; 4]> {
        let mut added = smallvec::SmallVec::new();
        let placement = self.placement(commons);
        let Some(request) = self.memory.requests.get_mut(id) else { return added };
        let profile = commons.config.profiles[usize::from(request.profile.0)];
        if profile.quorum == Quorum::Strict {
            return added;
        }
        let (key, mut next) = (request.key, request.next);
        let gone: smallvec::SmallVec<[(NodeId, bool); 4]> = request
            .targets
            .iter()
            .enumerate()
            .filter(|(_, t)| t.standing == standing)
            .map(|(index, t)| (index, t.owner.unwrap_or(t.node)))
            .filter(|&(index, owner)| !request.targets[index + 1..].iter().any(|t| t.owner == Some(owner)))
            .map(|(_, owner)| (owner, request.has_tried(owner)))
            .collect();
        let ask = self.ask(commons, placement.ring.list(commons.keys.segment(key)), profile, 0);
        for (owner, tried) in gone {
            if let Some((target, place)) = quorum::next_in_place_of(ask, next, owner, tried, |node| self.trusts(node)) {
                out.reach(if target.owner.is_some() { Mark::StandInCalled } else { Mark::SuspectTriedAfterAll });
                next = place;
                added.push(target);
            }
        }
        let request = self.memory.requests.get_mut(id).expect("nothing has ended it");
        request.next = next;
        request.targets.extend(added.iter().copied());
        added
    }

    /// After the peer timeout: the next round of it if others were asked, and at its first firing the request's own timeout.
    fn after_silence(&mut self, commons: &Commons, now: SimTime, id: RequestId, sent: usize, out: &mut Outputs) {
        let Some(request) = self.memory.requests.get_mut(id) else { return };
        let Some(peer_timeout) = commons.config.coordination.peer_timeout else { return };
        let waited = now.since(request.began_at);
        if sent > 0 {
            out.set_timer(peer_timeout, Timer::Peer(id));
        }
        // A node that was paused hears its first timer late, and must not forget the request's own timeout: it is set
        // again when nobody is left to be asked. Of two such timers the second finds the request gone.
        if (waited == peer_timeout || sent == 0)
            && let Some(timeout) = commons.config.profiles[usize::from(request.profile.0)].timeout
        {
            out.set_timer(Span(timeout.0 - peer_timeout.0), Timer::Deadline(id));
        }
    }

    /// The first timeout of a request: the peers', which sets the request's own when it fires, or that itself.
    fn set_request_timers(&self, commons: &Commons, id: RequestId, timeout: Option<Span>, out: &mut Outputs) {
        match (commons.config.coordination.peer_timeout, timeout) {
            (Some(peer), None) => out.set_timer(peer, Timer::Peer(id)),
            (Some(peer), Some(timeout)) if peer < timeout => out.set_timer(peer, Timer::Peer(id)),
            (_, Some(timeout)) => out.set_timer(timeout, Timer::Deadline(id)),
            (None, None) => {}
        }
    }

    fn ask<'a>(&self, commons: &Commons, list: &'a [NodeId], profile: Profile, need: u8) -> quorum::Ask<'a> {
        quorum::Ask {
            list,
            n: usize::from(profile.n),
            need: usize::from(need),
            quorum: if mutant::is(Mutant::M03) { Quorum::Sloppy } else { profile.quorum },
            stand_ins: commons.config.stand_in_acks,
            own: commons.config.own_ack,
            me: self.id,
            certain: commons.certain,
        }
    }

    /// The rings that follow from this node's view.
    fn placement(&mut self, commons: &mut Commons) -> Arc<Placement> {
        match &self.memory.placement {
            Some(placement) if placement.view == self.disk.view.hash() => Arc::clone(placement),
            _ => {
                let placement = commons.placement(&self.disk.view);
                self.memory.placement = Some(Arc::clone(&placement));
                placement
            }
        }
    }

    /// Storage has done a conversation's work. The top byte of the token names whose it is.
    fn on_background_done(&mut self, commons: &mut Commons, now: SimTime, token: u64, out: &mut Outputs) {
        let number = token as u32;
        match BackgroundOwner::of(token) {
            BackgroundOwner::Transfer => self.on_transfer_stored(commons, now, number, out),
            BackgroundOwner::AntiEntropy => self.on_exchange_storage(commons, now, number, out),
            BackgroundOwner::BufferWriter => self.on_buffer_written(commons, now, out),
        }
    }

    /// Counts the first `n` of a list that a request led here passes over.
    fn count_passed_over(&self, commons: &mut Commons, list: &[NodeId], n: u8) {
        if !self.memory.detector.calm() {
            list.iter()
                .take(usize::from(n))
                .filter(|&&node| !self.trusts(node))
                .for_each(|&node| commons.passes_over(node));
        }
    }

    fn trusts(&self, peer: NodeId) -> bool {
        peer == self.id || self.memory.detector.trusts(peer)
    }

    fn actor(&self) -> ActorId {
        ActorId::new(self.id, self.disk.epoch)
    }

    /// What this node's clock shows, in nanoseconds.
    fn clock_reading(&self, now: SimTime) -> u64 {
        now.0.saturating_add_signed(self.skew)
    }

    /// A new name for a background conversation.
    fn conversation(&mut self) -> OpId {
        self.disk.conversations += 1;
        OpId::background(self.id, self.disk.conversations)
    }

    /// Whether a request's timer can still do anything.
    pub fn timer_is_live(&self, timer: Timer) -> bool {
        self.memory.requests.contains(timer.request())
    }

    /// This node.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The versions it holds of a key, as an owner.
    pub fn versions(&self, key: KeyId) -> &[Version] {
        self.disk.table.get(key)
    }

    /// The versions that a crash leaves it of a key, if its disk is kept: what neither waits in the write buffer nor
    /// for a flush.
    pub fn durable_versions(&self, key: KeyId) -> &[Version] {
        let undone = self.disk.unflushed.get(key).or_else(|| self.disk.buffered.get(key));
        undone.unwrap_or_else(|| self.disk.table.get(key))
    }

    /// Sums of the Merkle trees' leaves, as they were kept up to date.
    pub fn roots(&self) -> &Roots {
        &self.disk.roots
    }

    /// Whether what it holds of a key is on disk for good: no crash that keeps the disk can undo it.
    pub fn is_flushed(&self, key: KeyId) -> bool {
        !self.disk.unflushed.contains(key) && !self.disk.buffered.contains(key)
    }

    /// The sum of a segment's keys as its Merkle trees have it.
    pub fn root(&self, segment: SegmentId) -> u64 {
        self.disk.roots.root(segment)
    }

    /// The hints it keeps.
    pub fn hints(&self) -> &Hints {
        &self.disk.hints
    }

    /// Its table.
    pub fn table(&self) -> &Table {
        &self.disk.table
    }

    /// Its view of the membership.
    pub fn view(&self) -> &View {
        &self.disk.view
    }

    /// Takes over a view of the membership, as a client does that polls.
    pub fn set_view(&mut self, view: View) {
        self.disk.view = view;
    }

    /// Whom it does not trust, in order.
    pub fn suspects(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.memory.detector.suspects()
    }

    /// Anti-entropy conversations under way.
    pub fn exchanges_open(&self) -> usize {
        self.memory.exchanges.open()
    }

    /// Requests it is leading.
    pub fn requests_open(&self) -> usize {
        self.memory.requests.len()
    }
}

fn probe_period(config: &DetectorConfig) -> Option<Span> {
    match config {
        DetectorConfig::Local { retry_every, .. } | DetectorConfig::Gossiped { retry_every, .. } => Some(*retry_every),
        DetectorConfig::Phi { .. } | DetectorConfig::Perfect => None,
    }
}
