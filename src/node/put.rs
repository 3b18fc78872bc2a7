//! Leading a write (Dynamo §4.5, §4.6, §5): find who may lead it, make the version, write it here and at
//! the other owners or their stand-ins, reply when W have stored it, look after the rest.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::kernel::ids::{Endpoint, KeyId, NodeId, OpId};
use crate::kernel::mutant::{self, Mutant};
use crate::kernel::rng::{Purpose, tag};
use crate::kernel::time::SimTime;
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::config::{Conflicts, ProfileId, StampClock, WriteCoordinator};
use crate::node::marks::Mark;
use crate::node::message::{Message, Outcome, Put, RequestId};
use crate::node::outputs::{Asked, Note, Outputs, Timer};
use crate::node::placement::Placement;
use crate::node::quorum;
use crate::node::requests::{Request, Standing, Target, Work};
use crate::node::storage::{Job, JobWork};
use crate::version::{self, Applied, Scheme, Siblings, Whole, Write, WriteId};

/// A client's write as it comes in.
pub(super) struct PutArrival {
    pub client: Endpoint,
    pub op: OpId,
    pub attempt: u16,
    pub key: KeyId,
    pub profile: ProfileId,
    pub forwarded: RequestId,
    /// Whether another node may be leading it already.
    pub again: bool,
    pub put: Arc<Put>,
}

/// The name of a write: the client's operation and its try.
pub fn write_id(op: OpId, attempt: u16) -> WriteId {
    assert!(op.session().0 < 1 << 22 && attempt < 1 << 8, "4 million sessions and 256 tries name a write");
    WriteId(op.0 & !(0xff << 54) | u64::from(attempt) << 54)
}

/// Says that a write is not led here: to the client, or to who passed it on.
fn refuse(from: Endpoint, asked: Asked, arrival: &PutArrival, outcome: Outcome, out: &mut Outputs) {
    match from.as_node() {
        None => out.answer(asked, did_not_happen(outcome, arrival.again)),
        Some(_) => {
            let (request, refused) = (arrival.forwarded, Some(outcome));
            out.send(from, asked.op, asked.attempt, Message::ForwardAck { request, refused });
        }
    }
}

/// The answer to a write that is not led here. If another node may be leading it, nobody knows whether it happens.
fn did_not_happen(outcome: Outcome, again: bool) -> Message {
    Message::PutReply { outcome: if again { Outcome::Timeout } else { outcome }, version: None }
}

impl Node {
    pub(super) fn on_put(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        from: Endpoint,
        arrival: PutArrival,
        out: &mut Outputs,
    ) {
        let placement = self.placement(commons);
        if arrival.forwarded != RequestId::NONE || self.may_lead(commons, &placement, arrival.key, arrival.profile) {
            self.lead_put(commons, now, &placement, from, arrival, out);
        } else {
            self.forward(commons, now, &placement, arrival, SmallVec::new(), out);
        }
    }

    /// Whether this node may lead a write of the key.
    fn may_lead(&self, commons: &Commons, placement: &Placement, key: KeyId, profile: ProfileId) -> bool {
        if self.id.index() >= commons.config.capacity.len() {
            // The coordinator that a client carries within itself (Dynamo §6.4) leads what it is given.
            return true;
        }
        let n = usize::from(commons.config.profiles[usize::from(profile.0)].n);
        let list = placement.ring.list(commons.keys.segment(key));
        match commons.config.coordination.write_coordinator {
            WriteCoordinator::Contacted => true,
            WriteCoordinator::First => list.iter().find(|&&node| self.trusts(node)) == Some(&self.id),
            WriteCoordinator::AnyOfList | WriteCoordinator::FastestReader => {
                list.iter().filter(|&&node| self.trusts(node)).take(n).any(|&node| node == self.id)
            }
        }
    }

    /// Passes a write on to a node that may lead it.
    fn forward(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        placement: &Placement,
        arrival: PutArrival,
        mut tried: SmallVec<[NodeId; 3]>,
        out: &mut Outputs,
    ) {
        let PutArrival { client, op, attempt, key, profile, again, put, .. } = arrival;
        let asked = Asked { client, op, attempt, key, profile };
        let n = usize::from(commons.config.profiles[usize::from(profile.0)].n);
        let list = placement.ring.list(commons.keys.segment(key));
        let mut able: SmallVec<[NodeId; 8]> =
            list.iter().copied().filter(|&node| self.trusts(node) && !tried.contains(&node)).take(n).collect();
        if able.is_empty() && !commons.certain {
            able = list.iter().copied().filter(|node| !tried.contains(node)).take(n).collect();
        }
        let to = match commons.config.coordination.write_coordinator {
            _ if able.is_empty() => {
                out.answer(asked, did_not_happen(Outcome::NoCoordinator, again));
                return;
            }
            WriteCoordinator::First => able[0],
            WriteCoordinator::FastestReader if put.preferred.is_some_and(|node| able.contains(&node)) => {
                put.preferred.expect("it was looked at just now")
            }
            WriteCoordinator::AnyOfList | WriteCoordinator::FastestReader | WriteCoordinator::Contacted => {
                let bits = commons.draws.bits(Purpose::Coordinator, commons.luck(op), tag(0, 0, attempt));
                able[((u128::from(bits) * able.len() as u128) >> 64) as usize]
            }
        };
        self.stats.forwarded += 1;
        tried.push(to);
        let id = self.memory.requests.insert(Request {
            op,
            attempt,
            client,
            key,
            profile,
            need: 1,
            counted: 0,
            replied: false,
            replied_at: now,
            next: 0,
            began_at: now,
            targets: SmallVec::new(),
            work: Work::Forward { put: Arc::clone(&put), tried },
        });
        out.send(Endpoint::node(to), op, attempt, Message::Put { key, profile, forwarded: id, again, put });
        if let Some(peer_timeout) = commons.config.coordination.peer_timeout {
            out.set_timer(peer_timeout, Timer::Peer(id));
        }
    }

    /// Who got the write has taken it over, or will not lead it.
    pub(super) fn on_forward_ack(&mut self, request: RequestId, refused: Option<Outcome>, out: &mut Outputs) {
        let Some(request) = self.memory.requests.remove(request) else { return };
        if let (Some(outcome), Work::Forward { tried, .. }) = (refused, &request.work) {
            out.answer(request.asked(), did_not_happen(outcome, tried.len() > 1));
        }
    }

    /// Nobody took the write over: the coordinator chosen is silent, the next one is tried.
    pub(super) fn on_forward_silence(&mut self, commons: &mut Commons, now: SimTime, id: RequestId, out: &mut Outputs) {
        let request = self.memory.requests.remove(id).expect("its timer is live");
        let Work::Forward { put, tried } = request.work else { unreachable!("only a forward is silent like this") };
        let to = *tried.last().expect("it went to somebody");
        out.reach(Mark::ForwardSilent);
        self.on_silence(commons, now, to, out);
        let waited = now.since(request.began_at);
        let timeout = commons.config.profiles[usize::from(request.profile.0)].timeout;
        if timeout.is_some_and(|timeout| waited >= timeout) {
            return;
        }
        let Request { op, attempt, client, key, profile, .. } = request;
        let placement = self.placement(commons);
        let arrival = PutArrival { client, op, attempt, key, profile, forwarded: RequestId::NONE, again: true, put };
        self.forward(commons, now, &placement, arrival, tried, out);
    }

    fn lead_put(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        placement: &Placement,
        from: Endpoint,
        arrival: PutArrival,
        out: &mut Outputs,
    ) {
        let PutArrival { client, op, attempt, key, profile: profile_id, ref put, .. } = arrival;
        let asked = Asked { client, op, attempt, key, profile: profile_id };
        let profile = commons.config.profiles[usize::from(profile_id.0)];
        let segment = commons.keys.segment(key);
        let list = placement.ring.list(segment);
        self.count_passed_over(commons, list, profile.n);
        let planned = quorum::plan(self.ask(commons, list, profile, profile.w), |node| self.trusts(node));
        let Some((targets, next)) = planned else {
            refuse(from, asked, &arrival, Outcome::TooFewReplicas, out);
            return;
        };
        let local = self.held(key);
        if commons.config.coordination.conflicts == Conflicts::Refused && self.would_fork(commons, &local, &put.context)
        {
            self.stats.refused += 1;
            refuse(from, asked, &arrival, Outcome::Refused, out);
            return;
        }
        if let Some(sender) = from.as_node() {
            // Taken over from a node that may not lead it; it waits to hear so.
            let request = arrival.forwarded;
            out.send(Endpoint::node(sender), op, attempt, Message::ForwardAck { request, refused: None });
        }
        self.stats.puts_led += 1;
        let version = self.new_version(commons, now, key, &local, put, write_id(op, attempt));
        match self.scheme {
            _ if !out.marks_wanted => {}
            Scheme::LastWriteWins if version.stamp() < version::newest_stamp(&local, &put.context) => {
                out.reach(Mark::StampBehind);
            }
            Scheme::LastWriteWins => {}
            Scheme::VectorClock { .. } | Scheme::Dotted => {
                let shown = version::last_counter(&local, self.actor());
                if self.disk.issued.get(&key).is_some_and(|&issued| issued > shown) {
                    out.reach(Mark::DotBeyondStored);
                }
            }
        }
        let is_stored_now = commons.instant_storage && self.disk_error.is_none();
        let is_owner = targets.iter().any(|t| t.node == self.id && t.owner.is_none());
        if self.scheme != Scheme::LastWriteWins && !(is_owner && is_stored_now) {
            // The table does not tell which counters are used up: this copy is not stored here for good, or waits for
            // storage and may be overtaken by the next write, by a crash or by a failing disk.
            self.disk.issued.insert(key, version.dot().counter);
        }
        if op.is_scripted() {
            // Scripts ask who led, whoever listens.
            out.tell(Note::Coordinated { op, key, version: version.clone(), context: put.context.clone() });
        } else {
            out.note_change(|| Note::Coordinated { op, key, version: version.clone(), context: put.context.clone() });
        }

        let count = targets.len();
        let gaining = placement.gaining.get(&segment).map(|gaining| {
            let extra = gaining.iter().copied().filter(|&node| !targets.iter().any(|t| t.node == node));
            extra.collect::<SmallVec<[NodeId; 2]>>()
        });
        let id = self.memory.requests.insert(Request {
            op,
            attempt,
            client,
            key,
            profile: profile_id,
            need: profile.w,
            counted: 0,
            replied: false,
            replied_at: now,
            next,
            began_at: now,
            targets,
            work: Work::Put { version: Some(version.clone()) },
        });
        // Dynamo §6.1: of the copies in write buffers, so many are written through all the same.
        let mut durable_due = commons.config.storage.buffer.map_or(0, |buffer| buffer.durable_copies);
        for index in 0..count {
            // This node's own copy may be stored at once, and be all that was waited for.
            let Some(request) = self.memory.requests.get_mut(id) else { break };
            let target = request.targets[index];
            let durable = durable_due > 0;
            durable_due = durable_due.saturating_sub(1);
            self.send_write(commons, now, id, (op, attempt), key, &target, durable, &version, out);
        }
        for node in gaining.into_iter().flatten() {
            out.reach(Mark::WriteToFutureOwner);
            let extra = Target { node, owner: None, counts: false, standing: Standing::Waiting };
            self.send_write(commons, now, id, (op, attempt), key, &extra, false, &version, out);
        }
        if mutant::is(Mutant::M02)
            && let Some(request) = self.memory.requests.get_mut(id)
            && !std::mem::replace(&mut request.replied, true)
        {
            out.answer(asked, Message::PutReply { outcome: Outcome::Ok, version: Some(version.clone()) });
        }
        self.set_request_timers(commons, id, profile.timeout, out);
    }

    fn would_fork(&self, commons: &Commons, local: &Siblings, context: &Siblings) -> bool {
        !context.covers(local, commons.config.versioning.scheme)
    }

    /// Makes the version of a write led here.
    pub(super) fn new_version(
        &mut self,
        commons: &Commons,
        now: SimTime,
        key: KeyId,
        local: &Siblings,
        put: &Put,
        write: WriteId,
    ) -> version::Version {
        let versioning = commons.config.versioning;
        let clock = self.clock_reading(now);
        let stamp = match versioning.stamp {
            StampClock::Node => clock / versioning.tick * versioning.tick,
            StampClock::Client => put.client_stamp / versioning.tick * versioning.tick,
            StampClock::Lamport => {
                let newest = version::newest_stamp(local, &put.context).max(self.disk.lamport);
                self.disk.lamport = newest + 1;
                newest + 1
            }
        };
        let made = version::coordinate(
            versioning.scheme,
            local,
            &put.context,
            Write {
                actor: self.actor(),
                now_ms: (clock / 1_000_000) as u32,
                stamp,
                value: put.value.clone(),
                size: put.size,
                write,
                issued: self.disk.issued.get(&key).copied().unwrap_or(0),
            },
        );
        self.stats.clock_truncated += made.evicted().len() as u64;
        made
    }

    #[allow(clippy::too_many_arguments)]
    fn send_write(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        request: RequestId,
        (op, attempt): (OpId, u16),
        key: KeyId,
        target: &Target,
        durable: bool,
        version: &version::Version,
        out: &mut Outputs,
    ) {
        let version = version.clone();
        if target.node == self.id {
            let work = JobWork::Write { request, key, owner: target.owner, durable, version };
            self.submit(commons, now, Job { from: self.id, op, attempt, work }, out);
        } else {
            let message = Message::Write { request, key, owner: target.owner, durable, version };
            out.send(Endpoint::node(target.node), op, attempt, message);
        }
    }

    /// A replica's answer to a write led here.
    pub(super) fn on_write_ack(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        from: NodeId,
        id: RequestId,
        stored: bool,
        out: &mut Outputs,
    ) {
        let Some(request) = self.memory.requests.get_mut(id) else {
            out.reach(self.memory.requests.mark_of_stray(id));
            return;
        };
        if request.answered(from, stored).is_none() {
            return;
        }
        if mutant::is(Mutant::M01) && stored && from == self.id {
            request.counted += 1;
        }
        if !request.replied && request.enough() {
            request.replied = true;
            if out.marks_wanted && request.targets.iter().any(|t| t.owner.is_some() && t.standing == Standing::Answered)
            {
                out.reach(Mark::AckedWithStandIn);
            }
            let Work::Put { version } = &request.work else { return };
            let reply = Message::PutReply { outcome: Outcome::Ok, version: version.clone() };
            out.answer(request.asked(), reply);
        }
        if !stored {
            self.replace_silent(commons, now, id, Standing::Failed, out);
        }
        self.close_put(id);
    }

    /// Ends a write that has been answered and waits for nobody.
    fn close_put(&mut self, id: RequestId) {
        if self.memory.requests.get_mut(id).is_some_and(|request| request.replied && !request.waiting()) {
            self.memory.requests.end(id);
        }
    }

    /// The peer timeout of a write: who has not answered is silent, a stand-in takes its copy.
    pub(super) fn on_put_silence(&mut self, commons: &mut Commons, now: SimTime, id: RequestId, out: &mut Outputs) {
        self.note_silence(commons, now, id, out);
        let sent = self.replace_silent(commons, now, id, Standing::Silent, out);
        self.after_silence(commons, now, id, sent, out);
        self.close_put(id);
    }

    /// Sends the write to a stand-in for each target of this standing that has none yet. Returns how many were found.
    fn replace_silent(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        id: RequestId,
        standing: Standing,
        out: &mut Outputs,
    ) -> usize {
        let Some(request) = self.memory.requests.get_mut(id) else { return 0 };
        let Work::Put { version: Some(version) } = &request.work else { return 0 };
        let (version, key, op, attempt) = (version.clone(), request.key, request.op, request.attempt);
        let added = self.call_stand_ins(commons, id, standing, out);
        for target in &added {
            self.send_write(commons, now, id, (op, attempt), key, target, false, &version, out);
        }
        added.len()
    }

    /// The write's own timeout: the client is told that it may or may not have happened.
    pub(super) fn on_put_deadline(&mut self, id: RequestId, out: &mut Outputs) {
        let Some(request) = self.memory.requests.remove(id) else { return };
        if !request.replied {
            if request.targets.iter().any(|t| t.standing == Standing::Answered) {
                out.reach(Mark::TimedOutThoughStored);
            }
            let reply = Message::PutReply { outcome: Outcome::Timeout, version: None };
            out.answer(request.asked(), reply);
        }
    }

    #[allow(clippy::too_many_arguments)]
    /// Stores what a coordinator sent, here or as a hint, and says whether it did.
    pub(super) fn store_write(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        key: KeyId,
        owner: Option<NodeId>,
        durable: bool,
        version: &version::Version,
        out: &mut Outputs,
    ) -> bool {
        self.stats.writes += 1;
        match owner {
            Some(owner) if owner != self.id && commons.config.hints.is_some() => {
                self.store_hint(now, owner, key, version, out)
            }
            _ => {
                let applied = self.apply(commons, now, key, version, Whole::Write, durable, out);
                if applied == Applied::Obsolete {
                    out.reach(Mark::ObsoleteWrite);
                }
                if matches!(applied, Applied::Stored { .. }) {
                    out.note_change(|| Note::Applied {
                        key,
                        version: version.clone(),
                        by: crate::node::outputs::AppliedBy::Write,
                    });
                }
                true
            }
        }
    }
}
