//! Failure detection: which peers a node does without for now (Dynamo §4.8.3).
//!
//! Suspicion never changes the membership. It is raised by requests that stay unanswered, or by heartbeats
//! that stay away ([`crate::node::phi`]), and cleared by any sign of life; a suspect is probed until it
//! answers. Usually it is local; it can be gossiped, and then a node that hears of its own death denies it
//! under a higher number (Das, Gupta, Motivala, "SWIM", 2002, §4.2). This file knows neither messages nor
//! requests: it is told of silence and of signs of life, and says who is suspect.

use std::collections::BTreeMap;

use crate::kernel::ids::NodeId;
use crate::kernel::mutant::{self, Mutant};
use crate::kernel::time::SimTime;
use crate::node::config::Detector as Config;
use crate::node::phi::Arrivals;

/// What is said of a node when suspicion is gossiped. The higher number is the newer; of equal ones
/// suspicion wins, and only the node itself raises its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rumour {
    /// Whom it is about.
    pub node: NodeId,
    /// How often the node had denied suspicion by then.
    pub number: u32,
    /// Whether it is suspected; otherwise it says that it lives.
    pub suspected: bool,
}

impl Rumour {
    /// Bytes of a rumour on the wire.
    pub const BYTES: u32 = 9;
}

/// What a rumour changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// Nothing.
    Old,
    /// Something to pass on that changes no opinion, as a denial of what was not believed.
    Heard,
    /// The node is a suspect now.
    Suspected,
    /// The node is none any more.
    Trusted,
    /// It was about this node, which denies it.
    Denied,
}

/// What is known of one node by rumour.
#[derive(Clone, Copy, Debug)]
struct Hearsay {
    number: u32,
    suspected: bool,
    /// The node has given a sign of life here since it was suspected: the suspicion is not passed on.
    disproved: bool,
}

/// What is remembered of one peer that has given cause.
#[derive(Clone, Copy, Default, Debug)]
struct Record {
    failures: u32,
    suspected_at: Option<SimTime>,
}

/// One node's opinion of its peers. Memory: a crash forgets it.
#[derive(Clone, Debug, Default)]
pub struct Detector {
    records: BTreeMap<NodeId, Record>,
    suspects: u32,
    arrivals: BTreeMap<NodeId, Arrivals>,
    hearsay: BTreeMap<NodeId, Hearsay>,
    /// Whether the next probes are due some time.
    probing: bool,
}

impl Detector {
    /// Whether requests are sent to the peer.
    #[inline]
    pub fn trusts(&self, peer: NodeId) -> bool {
        self.suspects == 0 || self.records.get(&peer).is_none_or(|r| r.suspected_at.is_none())
    }

    /// Whether no peer has given any cause: then a sign of life is no news.
    #[inline]
    pub fn calm(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether somebody is suspect.
    pub fn suspects_any(&self) -> bool {
        self.suspects > 0
    }

    /// Suspects have to be probed. Returns whether that has to be begun.
    pub fn begin_probing(&mut self) -> bool {
        !std::mem::replace(&mut self.probing, true)
    }

    /// Nobody has to be probed any more.
    pub fn end_probing(&mut self) {
        self.probing = false;
    }

    /// The suspects, in order.
    pub fn suspects(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.records.iter().filter(|(_, r)| r.suspected_at.is_some()).map(|(&node, _)| node)
    }

    /// A request to the peer has stayed unanswered. Returns whether it becomes a suspect now.
    pub fn silence(&mut self, config: &Config, now: SimTime, peer: NodeId) -> bool {
        let limit = match config {
            Config::Local { failures, .. } | Config::Gossiped { failures, .. } => *failures,
            Config::Phi { .. } => return self.overdue(config, now, peer) && self.suspect(now, peer),
            Config::Perfect => return false,
        };
        let record = self.records.entry(peer).or_default();
        record.failures += 1;
        if record.failures >= limit && record.suspected_at.is_none() {
            record.suspected_at = Some(now);
            self.suspects += 1;
            if let Config::Gossiped { .. } = config {
                let said = self.hearsay.entry(peer).or_insert(Hearsay { number: 0, suspected: true, disproved: false });
                (said.suspected, said.disproved) = (true, false);
            }
            return true;
        }
        false
    }

    /// A heartbeat has come from the peer. Call before [`Detector::sign_of_life`].
    pub fn heartbeat(&mut self, now: SimTime, peer: NodeId, window: u32) {
        let suspect = !self.trusts(peer);
        let arrivals = self.arrivals.entry(peer).or_insert_with(|| Arrivals::since(now));
        // The silence of a dead process is no interval of a live one: it would blunt the detector for long.
        if suspect { arrivals.seen(now) } else { arrivals.record(now, window) }
    }

    /// Whether the peer's heartbeats have stayed away for too long.
    fn overdue(&self, config: &Config, now: SimTime, peer: NodeId) -> bool {
        let Config::Phi { threshold, heartbeat_every, .. } = config else { return false };
        self.arrivals.get(&peer).is_some_and(|arrivals| arrivals.phi(now, *heartbeat_every) > *threshold)
    }

    /// Looks at the heartbeats of all `peers`, and returns those that become suspects now. Of a peer that was
    /// never heard, silence counts from the first look.
    pub fn look(&mut self, config: &Config, now: SimTime, peers: impl Iterator<Item = NodeId>) -> Vec<NodeId> {
        let mut fresh = Vec::new();
        for peer in peers {
            self.arrivals.entry(peer).or_insert_with(|| Arrivals::since(now));
            if self.overdue(config, now, peer) && self.suspect(now, peer) {
                fresh.push(peer);
            }
        }
        fresh
    }

    /// All that is to be passed on when suspicion is gossiped, by node.
    pub fn rumours(&self) -> Vec<Rumour> {
        let told = self.hearsay.iter().filter(|(_, said)| !said.disproved);
        told.map(|(&node, said)| Rumour { node, number: said.number, suspected: said.suspected }).collect()
    }

    /// Hears a rumour, as node `me`.
    pub fn hear(&mut self, now: SimTime, me: NodeId, rumour: Rumour) -> News {
        let Rumour { node, number, suspected } = rumour;
        let known = self.hearsay.get(&node).copied();
        if node == me {
            let mine = known.map_or(0, |said| said.number);
            if !suspected || number < mine {
                return News::Old;
            }
            let number = if mutant::is(Mutant::M25) { number } else { number + 1 };
            self.hearsay.insert(me, Hearsay { number, suspected: false, disproved: false });
            return News::Denied;
        }
        let newer = known.is_none_or(|said| (number, suspected) > (said.number, said.suspected));
        // Without any rumour a node counts as alive under number 0.
        if !newer || (known.is_none() && number == 0 && !suspected) {
            return News::Old;
        }
        self.hearsay.insert(node, Hearsay { number, suspected, disproved: false });
        if suspected {
            if self.suspect(now, node) { News::Suspected } else { News::Heard }
        } else if self.clear(node) {
            News::Trusted
        } else {
            News::Heard
        }
    }

    /// The peer is suspect for another reason than silence. Returns whether that is new.
    pub fn suspect(&mut self, now: SimTime, peer: NodeId) -> bool {
        let record = self.records.entry(peer).or_default();
        if record.suspected_at.is_none() {
            record.suspected_at = Some(now);
            self.suspects += 1;
            return true;
        }
        false
    }

    /// The peer has given a sign of life. Returns whether it was a suspect.
    pub fn sign_of_life(&mut self, now: SimTime, peer: NodeId) -> bool {
        if mutant::is(Mutant::M25) && !self.trusts(peer) {
            return false;
        }
        if let Some(arrivals) = self.arrivals.get_mut(&peer) {
            arrivals.seen(now);
        }
        if let Some(said) = self.hearsay.get_mut(&peer) {
            said.disproved |= said.suspected;
        }
        self.clear(peer)
    }

    fn clear(&mut self, peer: NodeId) -> bool {
        match self.records.remove(&peer) {
            Some(Record { suspected_at: Some(_), .. }) => {
                self.suspects -= 1;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Span;

    const PEER: NodeId = NodeId(7);

    #[test]
    fn enough_failures_in_a_row_make_a_suspect_and_a_sign_of_life_clears_it() {
        let config = Config::Local { failures: 2, retry_every: Span::from_secs(1) };
        let mut detector = Detector::default();
        assert!(!detector.silence(&config, SimTime(1), PEER));
        assert!(detector.trusts(PEER));
        assert!(detector.silence(&config, SimTime(2), PEER));
        assert!(!detector.trusts(PEER));
        assert!(!detector.silence(&config, SimTime(3), PEER), "it is a suspect already");
        assert!(detector.sign_of_life(SimTime(9), PEER));
        assert!(detector.trusts(PEER) && detector.calm());
    }

    #[test]
    fn failures_must_be_in_a_row() {
        let config = Config::Local { failures: 2, retry_every: Span::from_secs(1) };
        let mut detector = Detector::default();
        detector.silence(&config, SimTime(1), PEER);
        assert!(!detector.sign_of_life(SimTime(9), PEER));
        assert!(!detector.silence(&config, SimTime(2), PEER));
    }

    #[test]
    fn silence_is_nothing_to_a_perfect_detector() {
        let mut detector = Detector::default();
        for at in 0..10 {
            assert!(!detector.silence(&Config::Perfect, SimTime(at), PEER));
        }
        assert!(detector.suspect(SimTime(11), PEER) && !detector.trusts(PEER));
    }

    #[test]
    fn a_peer_whose_heartbeats_stay_away_is_suspected_and_a_heartbeat_clears_it() {
        let period = Span::from_secs(1);
        let config = Config::Phi { threshold: 8.0, window: 10, heartbeat_every: period };
        let at = |s: u64| SimTime::ZERO + Span::from_secs(s);
        let mut detector = Detector::default();
        assert!(detector.look(&config, at(0), [PEER].into_iter()).is_empty());
        for second in 1..=20 {
            detector.heartbeat(at(second), PEER, 10);
            assert!(detector.look(&config, at(second), [PEER].into_iter()).is_empty());
        }
        assert!(detector.look(&config, at(38), [PEER].into_iter()).is_empty(), "18 periods are not enough for 8");
        assert_eq!(detector.look(&config, at(39), [PEER].into_iter()), [PEER]);
        assert!(!detector.silence(&config, at(39), PEER), "it is a suspect already");
        detector.heartbeat(at(60), PEER, 10);
        assert!(detector.sign_of_life(at(60), PEER) && detector.trusts(PEER));
        assert_eq!(detector.look(&config, at(79), [PEER].into_iter()), [PEER], "the long silence did not blunt it");
    }

    #[test]
    fn a_peer_that_never_sent_a_heartbeat_is_suspected_too() {
        let config = Config::Phi { threshold: 8.0, window: 10, heartbeat_every: Span::from_secs(1) };
        let mut detector = Detector::default();
        let mut suspected = None;
        for second in 0..40 {
            if !detector.look(&config, SimTime::ZERO + Span::from_secs(second), [PEER].into_iter()).is_empty() {
                suspected = Some(second);
            }
        }
        assert_eq!(suspected, Some(19), "the mean is taken to be the period");
    }

    #[test]
    fn a_node_that_hears_of_its_death_denies_it_and_the_denial_wins_everywhere() {
        const ME: NodeId = NodeId(0);
        let config = Config::Gossiped { failures: 1, retry_every: Span::from_secs(1) };
        let (mut one, mut other, mut peer) = (Detector::default(), Detector::default(), Detector::default());
        assert!(one.silence(&config, SimTime(1), PEER));
        let told = one.rumours();
        assert_eq!(told, [Rumour { node: PEER, number: 0, suspected: true }]);
        assert_eq!(other.hear(SimTime(2), ME, told[0]), News::Suspected);
        assert_eq!(other.hear(SimTime(3), ME, told[0]), News::Old);
        assert_eq!(peer.hear(SimTime(4), PEER, told[0]), News::Denied);
        assert_eq!(peer.hear(SimTime(4), PEER, told[0]), News::Old, "it is denied already");
        let denial = peer.rumours()[0];
        assert_eq!(denial, Rumour { node: PEER, number: 1, suspected: false });
        for detector in [&mut one, &mut other] {
            assert_eq!(detector.hear(SimTime(5), ME, denial), News::Trusted);
            assert_eq!(detector.hear(SimTime(6), ME, told[0]), News::Old, "the old suspicion does not come back");
            assert!(detector.trusts(PEER));
        }
        assert!(one.silence(&config, SimTime(7), PEER));
        assert_eq!(peer.hear(SimTime(8), PEER, one.rumours()[0]), News::Denied);
        assert_eq!(peer.rumours()[0].number, 2);
    }

    #[test]
    fn what_was_disproved_here_is_not_passed_on_nor_believed_again() {
        let config = Config::Gossiped { failures: 1, retry_every: Span::from_secs(1) };
        let mut detector = Detector::default();
        detector.silence(&config, SimTime(1), PEER);
        assert!(detector.sign_of_life(SimTime(2), PEER));
        assert!(detector.rumours().is_empty());
        assert_eq!(detector.hear(SimTime(3), NodeId(0), Rumour { node: PEER, number: 0, suspected: true }), News::Old);
        assert!(detector.trusts(PEER));
    }
}
