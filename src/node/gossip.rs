//! Gossip of the membership (Dynamo §4.8.1, §4.8.2): "each node contacts a peer chosen at random every second
//! and the two nodes efficiently reconcile their persisted membership change histories".
//!
//! A message carries the handle of a view and weighs what a real one would: a digest, and the entries that
//! the other lacks. As the sender cannot know those, they are weighed in the answer; two nodes whose views
//! are equal need none. Seeds are always among the peers that may be chosen, so rings that know nothing of
//! each other meet there. Rings and data are not known here.

use std::collections::VecDeque;

use crate::kernel::ids::{NodeId, OpId};
use crate::kernel::mutant::{self, Mutant};
use crate::kernel::rng::{Purpose, Stream};
use crate::kernel::time::{SimTime, Span};
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::config::{GossipMode, Membership, Rounds};
use crate::node::detector::Rumour;
use crate::node::marks::Mark;
use crate::node::membership::{ChangeKind, Standing};
use crate::node::message::Message;
use crate::node::outputs::{Admin, Note, Outputs, Wake};
use crate::node::view::{Difference, View};

/// Bytes of the digest of a view: its hash, its length, the hashes of its newest chunks.
const DIGEST_BYTES: u32 = 96;
/// Bytes of one change: its time of issue, its kind, a node or two.
const ENTRY_BYTES: u32 = 24;
/// A push tells what was heard in the last so many rounds. All of 10 000 nodes know a thing after 25.
const PUSH_ROUNDS: usize = 32;
/// A node that has left is still a peer for so many periods, else it would not hear of it.
const FAREWELL_PERIODS: u64 = 64;
/// Nodes drawn before all are looked at.
const DRAWS_MAX: u32 = 64;

/// What gossip says.
#[derive(Clone, Debug)]
pub enum GossipMessage {
    /// What the sender knows.
    Tell {
        /// Its view.
        view: View,
        /// How many entries the message weighs.
        entries: u32,
        /// It wants to hear in return.
        both_ways: bool,
        /// Part of a round that all nodes begin together.
        together: bool,
    },
    /// The sender wants to hear and tells nothing: of its view only the digest counts.
    Ask {
        /// Its view.
        view: View,
        /// Part of a round that all nodes begin together.
        together: bool,
    },
    /// What the asker lacked.
    Answer {
        /// The answerer's view.
        view: View,
        /// How many entries the exchange weighs, those of the message that is answered included.
        entries: u32,
    },
    /// Who is suspect, where suspicion is gossiped.
    Rumours {
        /// What the sender has heard.
        rumours: Vec<Rumour>,
        /// It answers rumours and wants no answer itself.
        answers: bool,
    },
}

impl GossipMessage {
    /// Bytes on the wire.
    pub fn bytes(&self) -> u32 {
        match self {
            GossipMessage::Ask { .. } => DIGEST_BYTES,
            GossipMessage::Tell { entries, .. } | GossipMessage::Answer { entries, .. } => {
                DIGEST_BYTES + ENTRY_BYTES * entries
            }
            GossipMessage::Rumours { rumours, .. } => Rumour::BYTES * rumours.len() as u32,
        }
    }
}

/// Gossip's part of a node's memory.
#[derive(Debug, Default)]
pub(super) struct Gossip {
    /// Whether a round is due some time.
    running: bool,
    /// The view at the beginning of a round that all began together: news of this round wait for the next.
    snapshot: Option<View>,
    /// Changes heard of in each of the last rounds, the newest last. Kept where gossip pushes.
    heard: VecDeque<u32>,
}

impl Node {
    /// An administrator's command at this node: "An administrator … issues the membership change" (Dynamo §4.8.1).
    /// What is so already is not announced again.
    pub(super) fn on_admin(&mut self, commons: &mut Commons, now: SimTime, admin: Admin, out: &mut Outputs) {
        let is_member = |node| matches!(commons.changes.standing(&self.disk.view, node), Standing::Member);
        let (kind, comes) = match admin {
            Admin::Join(node) if !is_member(node) => (ChangeKind::Join(node), Some(node)),
            Admin::Leave(node) if is_member(node) => (ChangeKind::Leave(node), None),
            Admin::Replace { old, new } if is_member(old) && !is_member(new) => {
                (ChangeKind::Replace { old, new }, Some(new))
            }
            Admin::Join(_) | Admin::Leave(_) | Admin::Replace { .. } => return,
        };
        self.announce(commons, now, kind, out);
        if let Some(node) = comes
            && node != self.id
        {
            let message =
                GossipMessage::Tell { view: self.disk.view.clone(), entries: 1, both_ways: true, together: false };
            self.gossip_to(node, message, out);
        }
        self.on_view_changed(commons, now, out);
    }

    /// Announces a change and hears of it first. Whoever calls sees to what follows from a changed view.
    pub(super) fn announce(&mut self, commons: &mut Commons, now: SimTime, kind: ChangeKind, out: &mut Outputs) {
        let moves_nothing = commons.keys.is_empty();
        let number = commons.changes.announce(now, kind, moves_nothing);
        self.disk.view.insert(number);
        self.remember_heard(commons, 1);
        out.tell(Note::ViewChanged);
        if moves_nothing {
            out.tell(Note::ChangeInPlace { change: number });
        }
    }

    /// Begins rounds if this node takes part and has not begun.
    pub(super) fn start_gossip(&mut self, commons: &Commons, now: SimTime, out: &mut Outputs) {
        let config = &commons.config.membership;
        let Some(period) = config.gossip_every else { return };
        if self.memory.gossip.running || !self.gossips(commons, now) {
            return;
        }
        self.memory.gossip.running = true;
        let wait = match config.rounds {
            Rounds::Spread => self.phase(commons, 3, period),
            Rounds::Together => Span(period.0 - now.0 % period.0),
        };
        out.wake(wait, Wake::Gossip);
    }

    /// Members gossip, and who has left does until it has heard and handed over all.
    fn gossips(&self, commons: &Commons, now: SimTime) -> bool {
        match commons.changes.standing(&self.disk.view, self.id) {
            Standing::Member => true,
            Standing::Left(at) => is_farewell(&commons.config.membership, now, at) || !self.disk.table.is_empty(),
            Standing::Stranger => false,
        }
    }

    /// A round.
    pub(super) fn on_gossip_time(&mut self, commons: &mut Commons, now: SimTime, out: &mut Outputs) {
        let config = &commons.config.membership;
        let Some(period) = config.gossip_every else { return };
        if !self.gossips(commons, now) {
            self.memory.gossip.running = false;
            return;
        }
        out.wake(period, Wake::Gossip);
        let together = config.rounds == Rounds::Together;
        if together {
            self.memory.gossip.snapshot = Some(self.disk.view.clone());
        }
        if config.mode == GossipMode::Push {
            if self.memory.gossip.heard.len() == PUSH_ROUNDS {
                self.memory.gossip.heard.pop_front();
            }
            self.memory.gossip.heard.push_back(0);
        }
        let mut chosen: smallvec::SmallVec<[NodeId; 4]> = smallvec::SmallVec::new();
        for _ in 0..config.fan_out {
            let Some(peer) = self.draw_peer(commons, now, &chosen) else { break };
            chosen.push(peer);
        }
        for peer in chosen {
            self.exchange_views(commons, peer, together, out);
        }
    }

    /// One exchange now: with this peer, or with one that is drawn.
    pub(super) fn run_gossip(&mut self, commons: &mut Commons, now: SimTime, with: Option<NodeId>, out: &mut Outputs) {
        if let Some(peer) = with.or_else(|| self.draw_peer(commons, now, &[])) {
            self.exchange_views(commons, peer, false, out);
        }
    }

    fn exchange_views(&mut self, commons: &Commons, peer: NodeId, together: bool, out: &mut Outputs) {
        self.stats.gossip_rounds += 1;
        let view = self.disk.view.clone();
        let message = match commons.config.membership.mode {
            GossipMode::PushPull => GossipMessage::Tell { view, entries: 0, both_ways: true, together },
            GossipMode::Push => {
                let entries = self.memory.gossip.heard.iter().sum();
                GossipMessage::Tell { view, entries, both_ways: false, together }
            }
            GossipMode::Pull => GossipMessage::Ask { view, together },
        };
        self.gossip_to(peer, message, out);
        self.tell_rumours(commons, peer, out);
    }

    fn gossip_to(&mut self, peer: NodeId, message: GossipMessage, out: &mut Outputs) {
        let op = self.conversation();
        out.send_node(peer, op, Message::Gossip(Box::new(message)));
    }

    /// A peer, uniform over all that this node knows and that are not excluded: members, seeds, and who has just left.
    fn draw_peer(&mut self, commons: &Commons, now: SimTime, excluded: &[NodeId]) -> Option<NodeId> {
        let nodes = commons.layout.config().nodes.len() as u32;
        let mut stream = self
            .peers
            .take()
            .unwrap_or_else(|| Box::new(Stream::new(commons.config.seed, Purpose::Gossip, u64::from(self.id.0))));
        let known = |node: NodeId| node != self.id && self.knows(commons, now, node) && !excluded.contains(&node);
        let stray = || mutant::in_no_order((0..nodes).map(NodeId)).find(|&node| known(node));
        let drawn = if mutant::is(Mutant::M30) { stray() } else { None };
        let drawn = drawn.or_else(|| {
            (0..DRAWS_MAX).map(|_| NodeId(stream.below(u64::from(nodes)) as u32)).find(|&node| known(node))
        });
        let peer = drawn.or_else(|| {
            // Few of the run's nodes are known here; a list of them is worth its price.
            let peers: Vec<NodeId> = (0..nodes).map(NodeId).filter(|&node| known(node)).collect();
            (!peers.is_empty()).then(|| peers[stream.below(peers.len() as u64) as usize])
        });
        self.peers = Some(stream);
        peer
    }

    fn knows(&self, commons: &Commons, now: SimTime, node: NodeId) -> bool {
        let config = &commons.config.membership;
        match commons.changes.standing(&self.disk.view, node) {
            Standing::Member => true,
            Standing::Left(at) => is_farewell(config, now, at) || config.seeds.contains(&node),
            Standing::Stranger => config.seeds.contains(&node),
        }
    }

    pub(super) fn on_gossip(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        from: NodeId,
        op: OpId,
        message: GossipMessage,
        out: &mut Outputs,
    ) {
        match message {
            GossipMessage::Tell { view, both_ways, together, .. } => {
                let news = self.disk.view.difference(&view);
                if both_ways {
                    let mine = self.view_to_tell(together);
                    let difference = if mine == self.disk.view { news } else { mine.difference(&view) };
                    let entries = difference.mine + difference.theirs;
                    if entries > 0 {
                        out.send_node(
                            from,
                            op,
                            Message::Gossip(Box::new(GossipMessage::Answer { view: mine, entries })),
                        );
                    }
                }
                self.hear_difference(commons, now, &view, news, out);
            }
            GossipMessage::Ask { view, together } => {
                let mine = self.view_to_tell(together);
                let entries = mine.difference(&view).mine;
                if entries > 0 {
                    out.send_node(from, op, Message::Gossip(Box::new(GossipMessage::Answer { view: mine, entries })));
                }
            }
            GossipMessage::Answer { view, .. } => self.hear(commons, now, &view, out),
            GossipMessage::Rumours { rumours, answers } => {
                self.on_rumours(commons, now, (from, op), &rumours, answers, out)
            }
        }
    }

    /// What may be passed on: in rounds that all begin together, what was known when this one began.
    fn view_to_tell(&self, together: bool) -> View {
        match &self.memory.gossip.snapshot {
            Some(snapshot) if together => snapshot.clone(),
            _ => self.disk.view.clone(),
        }
    }

    /// Takes in another's view.
    fn hear(&mut self, commons: &mut Commons, now: SimTime, view: &View, out: &mut Outputs) {
        let difference = self.disk.view.difference(view);
        self.hear_difference(commons, now, view, difference, out);
    }

    fn hear_difference(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        view: &View,
        difference: Difference,
        out: &mut Outputs,
    ) {
        if difference.theirs > 0 && difference.mine > 0 {
            out.reach(Mark::ViewsMerged);
        }
        self.disk.view.merge_known(view, difference);
        if difference.theirs > 0 {
            self.remember_heard(commons, difference.theirs);
            out.tell(Note::ViewChanged);
            self.on_view_changed(commons, now, out);
        }
    }

    fn remember_heard(&mut self, commons: &Commons, news: u32) {
        if commons.config.membership.mode == GossipMode::Push {
            match self.memory.gossip.heard.back_mut() {
                Some(count) => *count += news,
                None => self.memory.gossip.heard.push_back(news),
            }
        }
    }

    /// What follows from a changed view.
    pub(super) fn on_view_changed(&mut self, commons: &mut Commons, now: SimTime, out: &mut Outputs) {
        if !self.memory.gossip.running {
            self.start_gossip(commons, now, out);
        }
        // Without a key in the run nothing can have to move, and no ring is worth its price.
        if !commons.keys.is_empty() {
            self.review_ranges(commons, now, out);
        }
    }
}

fn is_farewell(config: &Membership, now: SimTime, left_at: SimTime) -> bool {
    config.gossip_every.is_some_and(|period| now.since(left_at).0 / FAREWELL_PERIODS < period.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::membership::agreement;
    use crate::node::world::{Plan, World};

    #[test]
    fn a_join_is_known_to_all_after_a_few_rounds() {
        let mut world = World::new(Plan::new(30, 1));
        world.run_for(Span::from_secs(3));
        world.admin(7, Admin::Join(NodeId(30)));
        assert!(agreement(world.nodes.iter().map(|node| node.view())) < 1.0);
        world.run_for(Span::from_secs(12));
        assert_eq!(agreement(world.nodes.iter().map(|node| node.view())), 1.0);
        assert_eq!(world.commons.changes.members(world.nodes[3].view()).len(), 31);
        assert!(world.placement_of(3).is_in_force(30), "no key, nothing to move");
    }

    #[test]
    fn equal_views_cost_one_message_an_exchange() {
        let mut world = World::new(Plan::new(10, 2));
        let sent = std::rc::Rc::new(std::cell::Cell::new((0u32, 0u32)));
        let count = std::rc::Rc::clone(&sent);
        world.lost = Box::new(move |_, _, _, message| {
            count.set((count.get().0 + 1, message.bytes()));
            false
        });
        world.run_for(Span::from_secs(10));
        assert_eq!(sent.get(), (100, 48 + 96), "ten members, ten rounds, digests only; spares are silent");
    }

    fn rounds_to_inform(nodes: u32, mode: GossipMode, seed: u64) -> u32 {
        let mut plan = Plan::new(nodes, 0);
        plan.seed = seed;
        plan.membership.mode = mode;
        plan.membership.rounds = Rounds::Together;
        let mut world = World::new(plan);
        world.run_for(Span::from_ms(500));
        world.admin(0, Admin::Leave(NodeId(nodes - 1)));
        for round in 1..60 {
            world.run_for(Span::from_secs(1));
            if world.nodes.iter().all(|node| node.view().contains(nodes)) {
                return round;
            }
        }
        panic!("the news has not reached all in 60 rounds");
    }

    /// Rounds until all know, synchronous, each node calling one peer a round: means over 300 runs of an
    /// independent program. Pittel 1987 (push), Karp et al. 2000 (push-pull).
    #[test]
    fn rounds_that_begin_together_agree_with_the_synchronous_model() {
        for (nodes, runs, table) in
            [(16, 60, [7.38, 6.23, 4.04]), (64, 30, [11.10, 8.95, 6.07]), (256, 12, [14.71, 11.47, 7.64])]
        {
            for (mode, expected) in [GossipMode::Push, GossipMode::Pull, GossipMode::PushPull].into_iter().zip(table) {
                let rounds: Vec<f64> = (1..=runs).map(|seed| f64::from(rounds_to_inform(nodes, mode, seed))).collect();
                let count = rounds.len() as f64;
                let mean = rounds.iter().sum::<f64>() / count;
                let variance = (rounds.iter().map(|r| (r - mean) * (r - mean)).sum::<f64>() / (count - 1.0)).max(0.25);
                let error = (variance / count + variance / 300.0).sqrt();
                assert!(
                    (mean - expected).abs() < 4.5 * error,
                    "{nodes} nodes, {mode:?}: {mean} rounds, not {expected}"
                );
            }
        }
    }

    #[test]
    fn two_rings_stay_apart_without_a_seed_and_meet_at_one() {
        for seeds in [vec![], vec![NodeId(0)]] {
            let healed = !seeds.is_empty();
            let mut plan = Plan::new(3, 3);
            plan.membership.seeds = seeds;
            let mut world = World::new(plan);
            world.fill(200);
            world.run_for(Span::from_secs(1));
            for node in [3, 4, 5] {
                world.admin(3, Admin::Join(NodeId(node)));
                world.run_for(Span::from_secs(1));
            }
            world.run_for(Span::from_secs(60));
            let members = |world: &World, node: usize| world.commons.changes.members(world.nodes[node].view());
            let all: Vec<NodeId> = (0..6).map(NodeId).collect();
            assert_eq!(members(&world, 0), if healed { &all[..] } else { &all[..3] });
            assert_eq!(members(&world, 4), if healed { &all[..] } else { &all[3..] });
            for (node, ring) in [(0, &all[..3]), (4, &all[3..])] {
                let placement = world.placement_of(node);
                assert_eq!(placement.ring.members(), if healed { &all[..] } else { ring });
                assert!(placement.pending.is_empty());
            }
            if healed {
                world.assert_in_place(NodeId(0));
            }
        }
    }

    #[test]
    fn one_exchange_can_be_called_for() {
        let mut plan = Plan::new(4, 0);
        plan.membership.gossip_every = None;
        let mut world = World::new(plan);
        world.admin(0, Admin::Leave(NodeId(3)));
        let input =
            crate::node::outputs::Input::Run { task: crate::node::outputs::Task::Gossip, with: Some(NodeId(2)) };
        world.input(NodeId(0), input);
        world.run_for(Span::from_secs(5));
        let know: Vec<bool> = world.nodes.iter().map(|node| node.view().contains(4)).collect();
        assert_eq!(know, [true, false, true, false]);
    }

    #[test]
    fn a_view_survives_a_crash() {
        let mut world = World::new(Plan::new(5, 1));
        world.admin(1, Admin::Join(NodeId(5)));
        world.crash(1, crate::node::replica::DiskFate::Kept);
        world.restart(1);
        assert!(world.nodes[1].view().contains(5));
        world.run_for(Span::from_secs(15));
        assert!(world.nodes.iter().all(|node| node.view().contains(5)));
    }
}
