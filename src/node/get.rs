//! Leading a read (Dynamo §4.5, §5): ask the first N, wait for R, reconcile, reply; wait a little for the
//! late answers and repair who was stale.

use smallvec::SmallVec;

use crate::kernel::ids::{Endpoint, KeyId, NodeId, OpId};
use crate::kernel::mutant::{self, Mutant};
use crate::kernel::rng::{Purpose, tag, unit};
use crate::kernel::time::{SimTime, Span};
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::config::{ProfileId, RepairMode};
use crate::node::marks::Mark;
use crate::node::message::{Message, Outcome, Put, RequestId};
use crate::node::outputs::{Asked, Note, Outputs, Timer, Wake};
use crate::node::quorum;
use crate::node::requests::{Repairing, Request, Standing, Target, Work};
use crate::node::storage::{Job, JobWork};
use crate::version::{self, Scheme, Siblings, Version};

/// Who lacks what. A stand-in's answer helps to know what is newest; it is its owner that lacks it, and the hint sees
/// to that.
fn plan_repairs(
    scheme: Scheme,
    targets: &[Target],
    held: &[(NodeId, Siblings)],
    out: &mut Outputs,
) -> Vec<(NodeId, Siblings)> {
    let mut plan = version::read_repair_plan(scheme, held);
    let stale = plan.len();
    plan.retain(|(node, _)| targets.iter().any(|t| t.node == *node && t.owner.is_none()));
    if plan.len() < stale {
        out.reach(Mark::StandInNotRepaired);
    }
    plan
}

impl Node {
    pub(super) fn on_get(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        (client, op, attempt): (Endpoint, OpId, u16),
        key: KeyId,
        profile_id: ProfileId,
        out: &mut Outputs,
    ) {
        let profile = commons.config.profiles[usize::from(profile_id.0)];
        let placement = self.placement(commons);
        let list = placement.ring.list(commons.keys.segment(key));
        self.count_passed_over(commons, list, profile.n);
        let Some((targets, next)) = quorum::plan(self.ask(commons, list, profile, profile.r), |node| self.trusts(node))
        else {
            let reply =
                Message::GetReply { outcome: Outcome::TooFewReplicas, fastest: self.id, siblings: Siblings::new() };
            out.answer(Asked { client, op, attempt, key, profile: profile_id }, reply);
            return;
        };
        self.stats.gets_led += 1;
        let repairs = commons.config.read_repair.is_some_and(|repair| {
            repair.chance >= 1.0
                || unit(commons.draws.bits(Purpose::ReadRepair, commons.luck(op), tag(0, 0, attempt))) < repair.chance
        });
        let count = targets.len();
        let id = self.memory.requests.insert(Request {
            op,
            attempt,
            client,
            key,
            profile: profile_id,
            need: profile.r,
            counted: 0,
            replied: false,
            replied_at: now,
            next,
            began_at: now,
            targets,
            work: Work::Get { replies: SmallVec::new(), fastest: self.id, repairing: None, repairs },
        });
        self.set_request_timers(commons, id, profile.timeout, out);
        for index in 0..count {
            // This node's own answer may come at once, and be all that was waited for.
            let Some(request) = self.memory.requests.get_mut(id) else { break };
            let target = request.targets[index];
            self.send_read(commons, now, id, (op, attempt), key, &target, out);
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn send_read(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        request: RequestId,
        (op, attempt): (OpId, u16),
        key: KeyId,
        target: &Target,
        out: &mut Outputs,
    ) {
        if target.node == self.id {
            self.submit(commons, now, Job { from: self.id, op, attempt, work: JobWork::Read { request, key } }, out);
        } else {
            out.send(Endpoint::node(target.node), op, attempt, Message::Read { request, key });
        }
    }

    /// A replica's answer to a read led here; nothing if its disk failed.
    pub(super) fn on_read_reply(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        from: NodeId,
        id: RequestId,
        siblings: Option<Siblings>,
        out: &mut Outputs,
    ) {
        let Some(request) = self.memory.requests.get_mut(id) else {
            out.reach(self.memory.requests.mark_of_stray(id));
            return;
        };
        let Some(index) = request.answered(from, siblings.is_some()) else { return };
        if request.targets[index].owner.is_some() && siblings.as_ref().is_some_and(|held| !held.is_empty()) {
            out.reach(Mark::ReadByStandIn);
        }
        let Work::Get { replies, fastest, repairing, .. } = &mut request.work else { return };
        // A read that blocks on its repair has enough already; who answers meanwhile is looked at when it is over.
        let is_repairing = repairing.is_some();
        match siblings {
            Some(siblings) => {
                if replies.is_empty() {
                    *fastest = from;
                }
                replies.push((index as u8, siblings));
                if !request.replied && !is_repairing && request.enough() {
                    self.answer_get(commons, now, id, out);
                } else {
                    self.close_get(commons, id, out);
                }
            }
            None => {
                self.read_elsewhere(commons, now, id, Standing::Failed, out);
                self.give_up_early(id, out);
            }
        }
    }

    /// Enough answers are in: reconcile and reply, or first repair if the read blocks on that.
    fn answer_get(&mut self, commons: &mut Commons, now: SimTime, id: RequestId, out: &mut Outputs) {
        let scheme = commons.config.versioning.scheme;
        let request = self.memory.requests.get_mut(id).expect("the caller found it");
        let Work::Get { replies, repairing, repairs, .. } = &mut request.work else { return };
        let blocking = *repairs && commons.config.read_repair.is_some_and(|repair| repair.mode == RepairMode::Blocking);
        let all_same = replies.windows(2).all(|pair| pair[0].1.same(&pair[1].1));
        let count = replies.len();
        if blocking && !all_same {
            let held: Vec<(NodeId, Siblings)> =
                replies.iter().map(|(index, held)| (request.targets[usize::from(*index)].node, held.clone())).collect();
            let plan = plan_repairs(scheme, &request.targets, &held, out);
            if !plan.is_empty() {
                *repairing = Some(Box::new(Repairing { due: Vec::new(), replies: count }));
                let (op, attempt, key) = (request.op, request.attempt, request.key);
                out.reach(Mark::BlockingRepairWaited);
                self.send_repairs(commons, now, id, (op, attempt), key, plan, out);
                return;
            }
        }
        self.reply_to_get(commons, now, id, count, out);
    }

    /// Replies with what the first so many answers hold.
    fn reply_to_get(&mut self, commons: &mut Commons, now: SimTime, id: RequestId, count: usize, out: &mut Outputs) {
        let scheme = commons.config.versioning.scheme;
        let request = self.memory.requests.get_mut(id).expect("the caller found it");
        let Work::Get { replies, fastest, repairs, .. } = &request.work else { return };
        let replies = &replies[..count];
        let siblings = if mutant::is(Mutant::M04) {
            let first = replies.iter().find_map(|(_, held)| held.first());
            first.cloned().map_or_else(Siblings::new, Siblings::one)
        } else if replies.windows(2).all(|pair| pair[0].1.same(&pair[1].1)) {
            replies[0].1.clone()
        } else {
            version::reconcile(scheme, replies.iter().map(|(_, held)| held.versions()))
        };
        let (fastest, repairs) = (*fastest, *repairs);
        request.replied = true;
        out.note_read(|| {
            let from = replies.iter().map(|(index, _)| request.targets[usize::from(*index)].node);
            Note::Gathered { op: request.op, key: request.key, from: from.collect() }
        });
        out.answer(request.asked(), Message::GetReply { outcome: Outcome::Ok, fastest, siblings });
        let late = request.waiting() && repairs;
        let began_at = request.began_at;
        let timeout = commons.config.profiles[usize::from(request.profile.0)].timeout;
        // The peers' timeout comes first as a rule, and sees to the rest of the wait; see `on_get_silence`.
        let peers_first = commons.config.coordination.peer_timeout.is_some_and(|peer| {
            let wait = commons.config.read_repair.map_or(Span::ZERO, |repair| repair.wait);
            timeout.is_none_or(|timeout| peer < timeout) && began_at + peer > now && began_at + peer <= now + wait
        });
        if late && peers_first {
            let request = self.memory.requests.get_mut(id).expect("it has just been answered");
            request.replied_at = now;
        } else if late {
            let wait = commons.config.read_repair.map_or(Span::ZERO, |repair| repair.wait);
            out.set_timer(wait, Timer::Late(id));
        }
        self.close_get(commons, id, out);
    }

    /// A replica has taken a repair, and perhaps the read was waiting for it.
    pub(super) fn on_repair_ack(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        from: NodeId,
        id: RequestId,
        version: &Version,
        out: &mut Outputs,
    ) {
        let Some(request) = self.memory.requests.get_mut(id).filter(|request| !request.replied) else { return };
        let Work::Get { replies, repairing: Some(repairing), .. } = &mut request.work else { return };
        // An answer that comes twice finds nothing due.
        let Some(at) = repairing.due.iter().position(|(node, due)| *node == from && due == version) else { return };
        repairing.due.swap_remove(at);
        if !repairing.due.is_empty() {
            return;
        }
        // All replicas that had answered by then hold the same now: the reply may go. Who has answered since may hold
        // something newer or older; that is repaired after the reply, as any late answer is.
        let scheme = commons.config.versioning.scheme;
        let repaired = repairing.replies;
        let merged = version::reconcile(scheme, replies[..repaired].iter().map(|(_, held)| held.versions()));
        for (_, held) in &mut replies[..repaired] {
            *held = merged.clone();
        }
        self.reply_to_get(commons, now, id, repaired, out);
    }

    /// Ends a read that has been answered once nobody is waited for, and repairs who was stale.
    fn close_get(&mut self, commons: &mut Commons, id: RequestId, out: &mut Outputs) {
        if self.memory.requests.get_mut(id).is_some_and(|request| request.replied && !request.waiting()) {
            self.finish_get(commons, id, out);
        }
    }

    /// Late answers have had their time.
    pub(super) fn on_get_late(&mut self, commons: &mut Commons, id: RequestId, out: &mut Outputs) {
        self.finish_get(commons, id, out);
    }

    fn finish_get(&mut self, commons: &mut Commons, id: RequestId, out: &mut Outputs) {
        let Some(request) = self.memory.requests.get_mut(id) else { return };
        let Work::Get { replies, repairs, .. } = &request.work else { return };
        if !*repairs || replies.windows(2).all(|pair| pair[0].1.same(&pair[1].1)) {
            self.memory.requests.end(id);
            return;
        }
        let request = self.memory.requests.remove(id).expect("it was there just now");
        let Work::Get { replies, .. } = request.work else { return };
        let held: Vec<(NodeId, Siblings)> =
            replies.into_iter().map(|(index, held)| (request.targets[usize::from(index)].node, held)).collect();
        if let [(_, one), (_, two), (_, three), ..] = held.as_slice()
            && !one.same(two)
            && !two.same(three)
            && !one.same(three)
        {
            out.reach(Mark::ThreeAnswersDiffer);
        }
        let plan = plan_repairs(commons.config.versioning.scheme, &request.targets, &held, out);
        self.send_repairs(commons, request.began_at, id, (request.op, request.attempt), request.key, plan, out);
    }

    #[allow(clippy::too_many_arguments)]
    fn send_repairs(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        request: RequestId,
        (op, attempt): (OpId, u16),
        key: KeyId,
        plan: Vec<(NodeId, Siblings)>,
        out: &mut Outputs,
    ) {
        if plan.len() > 1 {
            out.reach(Mark::SeveralRepaired);
        }
        let plan =
            if mutant::is(Mutant::M23) { self.under_new_dots(commons, now, key, plan, (op, attempt)) } else { plan };
        if let Some(request) = self.memory.requests.get_mut(request)
            && let Work::Get { repairing: Some(repairing), .. } = &mut request.work
        {
            let each = plan.iter().flat_map(|(node, lacking)| lacking.iter().map(|version| (*node, version.clone())));
            repairing.due = each.collect();
        }
        for (node, lacking) in plan {
            for version in lacking.iter() {
                self.stats.repairs_sent += 1;
                out.note_change(|| Note::RepairSent { to: node, key, version: version.clone() });
                if node == self.id {
                    let work = JobWork::Repair { request, key, version: version.clone() };
                    self.submit(commons, now, Job { from: self.id, op, attempt, work }, out);
                } else {
                    out.send(
                        Endpoint::node(node),
                        op,
                        attempt,
                        Message::Repair { request, key, version: version.clone() },
                    );
                }
            }
        }
    }

    /// A plan of repairs in which every version has become a new write led here.
    fn under_new_dots(
        &mut self,
        commons: &Commons,
        now: SimTime,
        key: KeyId,
        mut plan: Vec<(NodeId, Siblings)>,
        (op, attempt): (OpId, u16),
    ) -> Vec<(NodeId, Siblings)> {
        let mut again: Vec<(Version, Version)> = Vec::new();
        for (_, lacking) in &mut plan {
            for version in lacking.clone().iter() {
                if !again.iter().any(|(old, _)| old == version) {
                    let (value, context) = (version.value().clone(), Siblings::one(version.clone()));
                    let put =
                        Put { value, size: version.size(), context, client_stamp: version.stamp(), preferred: None };
                    let new = self.new_version(commons, now, key, &self.held(key), &put, super::write_id(op, attempt));
                    self.disk.issued.insert(key, new.dot().counter);
                    again.push((version.clone(), new));
                }
            }
            let new: Vec<Version> =
                again.iter().filter(|(old, _)| lacking.contains(old)).map(|(_, new)| new.clone()).collect();
            *lacking = Siblings::from(&new[..]);
        }
        plan
    }

    /// The peer timeout of a read: who has not answered is silent, the next node of the list is asked.
    pub(super) fn on_get_silence(&mut self, commons: &mut Commons, now: SimTime, id: RequestId, out: &mut Outputs) {
        self.note_silence(commons, now, id, out);
        if let Some(request) = self.memory.requests.get_mut(id)
            && request.replied
        {
            let wait = commons.config.read_repair.map_or(Span::ZERO, |repair| repair.wait);
            let until = request.replied_at + wait;
            if until > now {
                out.wake(until.since(now), Wake::Late(id));
            } else {
                self.finish_get(commons, id, out);
            }
            return;
        }
        let sent = self.read_elsewhere(commons, now, id, Standing::Silent, out);
        self.after_silence(commons, now, id, sent, out);
    }

    /// Asks a stand-in for each target of this standing that has none yet. Returns how many were found.
    fn read_elsewhere(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        id: RequestId,
        standing: Standing,
        out: &mut Outputs,
    ) -> usize {
        let Some(request) = self.memory.requests.get_mut(id).filter(|request| !request.replied) else { return 0 };
        let (op, attempt, key) = (request.op, request.attempt, request.key);
        let added = self.call_stand_ins(commons, id, standing, out);
        for target in &added {
            self.send_read(commons, now, id, (op, attempt), key, target, out);
        }
        added.len()
    }

    /// A read that cannot succeed any more says so at once. It changed nothing, so that is the whole truth.
    fn give_up_early(&mut self, id: RequestId, out: &mut Outputs) {
        let Some(request) = self.memory.requests.get_mut(id) else { return };
        if !request.replied && !request.can_succeed() {
            let reply =
                Message::GetReply { outcome: Outcome::TooFewReplicas, fastest: self.id, siblings: Siblings::new() };
            out.answer(request.asked(), reply);
            self.memory.requests.remove(id);
        }
    }

    /// The read's own timeout.
    pub(super) fn on_get_deadline(&mut self, commons: &mut Commons, id: RequestId, out: &mut Outputs) {
        let Some(request) = self.memory.requests.get_mut(id) else { return };
        if request.replied {
            // The client has its answer; what it found stale is repaired all the same.
            self.finish_get(commons, id, out);
            return;
        }
        out.reach(Mark::ReadTimedOut);
        let reply = Message::GetReply { outcome: Outcome::Timeout, fastest: self.id, siblings: Siblings::new() };
        out.answer(request.asked(), reply);
        self.memory.requests.end(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::config::ReadRepair;
    use crate::node::testing::{Fate, World, config};
    use crate::version::Value;

    /// Four nodes whose reads wait for what they repair, a key, its owners, and the node that does not own it.
    fn world() -> (World, KeyId, Vec<u32>, u32) {
        let mut config = config(3);
        config.read_repair = Some(ReadRepair { mode: RepairMode::Blocking, wait: Span::from_ms(500), chance: 1.0 });
        let mut world = World::new(config, 4, 16);
        let key = world.add_keys(1)[0];
        let placement = world.commons.placement(&world.nodes[0].view().clone());
        let owners = placement.ring.replicas_of(world.commons.keys.segment(key), 3);
        let owners: Vec<u32> = owners.iter().map(|node| node.0).collect();
        let other = (0..4).find(|node| !owners.contains(node)).expect("there are four nodes");
        (world, key, owners, other)
    }

    fn read(world: &mut World, at: u32, key: KeyId) {
        world.ask(at, Message::Get { key, profile: ProfileId(0) });
    }

    /// What the one reply said, and when.
    fn reply(world: &World) -> (SimTime, Vec<Version>) {
        let [(at, _, Message::GetReply { outcome: Outcome::Ok, siblings, .. })] = &world.replies[..] else {
            panic!("one good reply, not {:?}", world.replies)
        };
        (*at, siblings.iter().cloned().collect())
    }

    #[test]
    fn an_answer_that_comes_during_a_repair_is_not_taken_for_repaired() {
        for newer in [true, false] {
            let (mut world, key, owners, other) = world();
            let first = world.version(owners[0], &[], Value::Blob(1));
            let second = world.version(owners[1], std::slice::from_ref(&first), Value::Blob(2));
            let third = world.version(owners[2], std::slice::from_ref(&second), Value::Blob(3));
            world.preload(owners[0], key, &first);
            world.preload(owners[1], key, &second);
            world.preload(owners[2], key, if newer { &third } else { &first });
            // The answers of the first two are enough; the third comes while the first is repaired.
            read(&mut world, other, key);
            world.run_for(Span::from_ms(20));
            // Two replicas hold the second version by then; the third version may be on one only.
            assert_eq!(reply(&world), (SimTime::ZERO + Span::from_ms(4), vec![second.clone()]), "newer: {newer}");
            let newest = if newer { third } else { second };
            for owner in owners {
                assert_eq!(world.held(owner, key).iter().collect::<Vec<_>>(), [&newest], "newer: {newer}");
            }
        }
    }

    #[test]
    fn a_repair_that_is_acknowledged_twice_stands_for_no_other() {
        let (mut world, key, owners, other) = world();
        let one = world.version(owners[0], &[], Value::Blob(1));
        let two = world.version(owners[1], &[], Value::Blob(2));
        world.preload(owners[0], key, &one);
        world.preload(owners[1], key, &two);
        // Three questions, three answers, two repairs: the second is slow, and what the first is answered comes twice.
        world.fates = [(5, Fate::Lost), (7, Fate::Late(Span::from_ms(50))), (8, Fate::Twice(Span::from_ms(5)))].into();
        read(&mut world, other, key);
        world.run_for(Span::from_ms(40));
        assert!(world.replies.is_empty(), "one replica has not been repaired yet");
        world.run_for(Span::from_ms(40));
        let (at, mut siblings) = reply(&world);
        assert_eq!(at, SimTime::ZERO + Span::from_ms(54));
        siblings.sort_by_key(Version::write);
        assert_eq!(siblings, [one, two]);
    }
}
