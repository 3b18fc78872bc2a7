//! Failure detection beyond unanswered requests: heartbeats for phi accrual, and rumours where suspicion is
//! gossiped (Dynamo §4.8.3 does without both; "early designs … used a decentralized failure detector").
//!
//! The opinions themselves are formed in `detector`; here they meet messages, periods and observers.

use crate::kernel::ids::{NodeId, OpId};
use crate::kernel::time::SimTime;
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::config::Detector;
use crate::node::detector::{News, Rumour};
use crate::node::gossip::GossipMessage;
use crate::node::marks::Mark;
use crate::node::message::Message;
use crate::node::outputs::{Note, Outputs, Wake};

impl Node {
    /// The first heartbeat of this life is due some time.
    pub(super) fn start_heartbeats(&self, commons: &Commons, out: &mut Outputs) {
        if let Detector::Phi { heartbeat_every, .. } = commons.config.detector {
            out.wake(self.phase(commons, 2, heartbeat_every), Wake::Heartbeat);
        }
    }

    /// A heartbeat has come.
    pub(super) fn on_heartbeat(&mut self, commons: &mut Commons, now: SimTime, peer: NodeId, out: &mut Outputs) {
        if let Detector::Phi { window, .. } = commons.config.detector {
            self.memory.detector.heartbeat(now, peer, window);
            if !self.memory.detector.calm() {
                self.on_sign_of_life(commons, now, peer, out);
            }
        }
    }

    /// Heartbeats go out to all members, and theirs are looked at.
    pub(super) fn on_heartbeat_time(&mut self, commons: &mut Commons, now: SimTime, out: &mut Outputs) {
        let Detector::Phi { heartbeat_every, .. } = commons.config.detector else { return };
        out.wake(heartbeat_every, Wake::Heartbeat);
        let ring = self.placement(commons).ring.clone();
        let me = self.id;
        let others = || ring.members().iter().copied().filter(move |&node| node != me);
        if ring.is_member(me) {
            let op = self.conversation();
            for peer in others() {
                out.send_node(peer, op, Message::Heartbeat);
            }
        }
        for peer in self.memory.detector.look(&commons.config.detector, now, others()) {
            self.stats.suspicions += 1;
            out.note(|| Note::Suspected { peer });
        }
    }

    /// Tells a peer, beside the views, who is suspect; while nobody is, nothing is sent.
    pub(super) fn tell_rumours(&mut self, commons: &Commons, peer: NodeId, out: &mut Outputs) {
        if let Detector::Gossiped { .. } = commons.config.detector {
            let rumours = self.memory.detector.rumours();
            if !rumours.is_empty() {
                let op = self.conversation();
                out.send_node(peer, op, Message::Gossip(Box::new(GossipMessage::Rumours { rumours, answers: false })));
            }
        }
    }

    /// Hears who is suspect, and answers with what the other did not say.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn on_rumours(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        (from, op): (NodeId, OpId),
        rumours: &[Rumour],
        answers: bool,
        out: &mut Outputs,
    ) {
        for &rumour in rumours {
            let peer = rumour.node;
            match self.memory.detector.hear(now, self.id, rumour) {
                News::Old | News::Heard => {}
                News::Denied => out.reach(Mark::RumourDenied),
                News::Suspected => {
                    out.reach(Mark::SuspectedByRumour);
                    self.stats.suspicions += 1;
                    out.note(|| Note::Suspected { peer });
                    self.begin_probing(commons, out);
                }
                News::Trusted => {
                    out.note(|| Note::Trusted { peer });
                    self.on_owner_back(commons, peer, out);
                }
            }
        }
        if !answers {
            let mut mine = self.memory.detector.rumours();
            mine.retain(|rumour| !rumours.contains(rumour));
            if !mine.is_empty() {
                let message = GossipMessage::Rumours { rumours: mine, answers: true };
                out.send_node(from, op, Message::Gossip(Box::new(message)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Span;
    use crate::node::replica::DiskFate;
    use crate::node::testing::{Fate, World, config};

    fn suspects(world: &World, node: u32) -> Vec<u32> {
        world.nodes[node as usize].suspects().map(|peer| peer.0).collect()
    }

    #[test]
    fn a_crashed_node_is_suspected_by_all_within_the_bound_and_nobody_else_is() {
        let mut config = config(3);
        config.detector = Detector::Phi { threshold: 8.0, window: 100, heartbeat_every: Span::from_ms(100) };
        let mut world = World::new(config, 5, 10);
        world.run_for(Span::from_secs(10));
        assert!((0..5).all(|node| suspects(&world, node).is_empty()), "no loss, no false suspicion");
        world.crash(3, DiskFate::Kept);
        world.run_for(Span::from_ms(1_800));
        assert!((0..5).all(|node| suspects(&world, node).is_empty()), "18 intervals are not enough");
        // 18.42 intervals, and one until the next look.
        world.run_for(Span::from_ms(250));
        for node in [0, 1, 2, 4] {
            assert_eq!(suspects(&world, node), [3]);
        }
        world.restart(3);
        world.run_for(Span::from_ms(150));
        assert!((0..5).all(|node| suspects(&world, node).is_empty()), "a heartbeat clears it");
    }

    #[test]
    fn suspicion_spreads_by_gossip_and_the_suspect_denies_it() {
        let mut config = config(3);
        config.detector = Detector::Gossiped { failures: 1, retry_every: Span::from_secs(3_600) };
        config.membership.gossip_every = Some(Span::from_secs(1));
        let mut world = World::new(config, 6, 12);
        world.run_for(Span::from_ms(10));
        // A message of node 0 stays unanswered for no fault of node 4.
        let silence = |world: &mut World| {
            let mut out = Outputs::default();
            out.notes_wanted = true;
            world.nodes[0].on_silence(&world.commons, world.now, NodeId(4), &mut out);
        };
        silence(&mut world);
        assert_eq!(suspects(&world, 0), [4]);
        world.run_for(Span::from_secs(30));
        assert!((0..6).all(|node| suspects(&world, node).is_empty()), "the denial has reached all");
        let told: u64 = world.nodes.iter().map(|node| node.stats.suspicions).sum();
        assert!(told >= 1);

        world.crash(4, DiskFate::Kept);
        silence(&mut world);
        world.run_for(Span::from_secs(30));
        for node in [0, 1, 2, 3, 5] {
            assert_eq!(suspects(&world, node), [4], "it is down, and all have heard");
        }
        world.restart(4);
        world.run_for(Span::from_secs(30));
        assert!((0..6).all(|node| suspects(&world, node).is_empty()), "it has denied it under a higher number");
    }

    #[test]
    fn lost_heartbeats_below_the_threshold_make_no_suspect() {
        let mut config = config(2);
        config.detector = Detector::Phi { threshold: 8.0, window: 100, heartbeat_every: Span::from_ms(100) };
        let mut world = World::new(config, 2, 2);
        world.run_for(Span::from_secs(2));
        let sent = world.sent;
        for message in sent..sent + 30 {
            world.fates.insert(message, Fate::Lost);
        }
        world.run_for(Span::from_secs(4));
        assert_eq!(world.sent, sent + 80);
        let suspected = world.notes.iter().filter(|(_, _, note)| matches!(note, Note::Suspected { .. })).count();
        assert_eq!(suspected, 0);
    }

    #[test]
    fn a_suspect_is_probed_once_a_period_however_often_it_was_suspected() {
        let mut world = World::new(config(2), 2, 2);
        for _ in 0..5 {
            let mut out = Outputs::default();
            let mut silent =
                |world: &mut World| world.nodes[0].on_silence(&world.commons, world.now, NodeId(1), &mut out);
            silent(&mut world);
            world.nodes[0].memory.detector.sign_of_life(world.now, NodeId(1));
            silent(&mut world);
            let probes = out
                .items()
                .iter()
                .filter(|item| matches!(item, crate::node::outputs::Output::Wake { wake: Wake::Probe, .. }))
                .count();
            assert!(probes <= 1);
            world.nodes[0].memory.detector.sign_of_life(world.now, NodeId(1));
        }
    }
}
