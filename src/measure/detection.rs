//! How soon and how rightly nodes suspect each other (Dynamo §4.8.3), and how soon hints drain.
//!
//! Only what the nodes say counts: their suspicions, and when they really were down.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::tally::Spread;
use crate::kernel::ids::NodeId;
use crate::kernel::time::{SimTime, Span};

/// One suspicion that is held now.
#[derive(Clone, Copy, Debug)]
struct Suspicion {
    /// Since when the peer is suspected while it is alive; `None` while it is down.
    false_since: Option<SimTime>,
}

/// Follows all suspicions of a run.
#[derive(Clone, Debug)]
pub struct Detection {
    node_count: u64,
    down_since: Vec<Option<SimTime>>,
    /// Observer and peer.
    held: BTreeMap<(NodeId, NodeId), Suspicion>,
    /// How many alive observers suspect each node.
    suspecting: Vec<u64>,
    alive_time: u128,
    disagreement_time: u128,
    advanced_to: SimTime,
    /// Crash to suspicion, in nanoseconds.
    pub latency: Spread,
    /// Length of false suspicions, in nanoseconds.
    pub mistake: Spread,
    /// Time for which living nodes were suspected by living ones, in nanoseconds.
    false_time: u128,
    /// Suspicions, and false ones among them.
    pub suspicions: [u64; 2],
}

impl Detection {
    /// Of a run of so many nodes.
    pub fn new(node_count: u32) -> Detection {
        Detection {
            node_count: u64::from(node_count),
            down_since: vec![None; node_count as usize],
            held: BTreeMap::new(),
            suspecting: vec![0; node_count as usize],
            alive_time: 0,
            disagreement_time: 0,
            advanced_to: SimTime::ZERO,
            latency: Spread::default(),
            mistake: Spread::default(),
            false_time: 0,
            suspicions: [0; 2],
        }
    }

    fn alive(&self) -> u64 {
        self.down_since.iter().filter(|down| down.is_none()).count() as u64
    }

    fn advance(&mut self, now: SimTime) {
        let span = u128::from(now.since(self.advanced_to).0);
        self.advanced_to = now;
        let alive = self.alive();
        self.alive_time += span * u128::from(alive);
        let apart = self.suspecting.iter().map(|suspecting| suspecting * alive.saturating_sub(*suspecting));
        self.disagreement_time += span * u128::from(apart.sum::<u64>());
    }

    /// A node suspects a peer.
    pub fn suspects(&mut self, now: SimTime, node: NodeId, peer: NodeId) {
        self.advance(now);
        let down_since = self.down_since[peer.index()];
        let suspicion = Suspicion { false_since: down_since.is_none().then_some(now) };
        // What is suspected already goes on as it began.
        let Entry::Vacant(place) = self.held.entry((node, peer)) else { return };
        place.insert(suspicion);
        self.suspecting[peer.index()] += 1;
        self.suspicions[0] += 1;
        match down_since {
            Some(since) => self.latency.record(now.since(since).0),
            None => self.suspicions[1] += 1,
        }
    }

    /// A node trusts a peer again.
    pub fn trusts(&mut self, now: SimTime, node: NodeId, peer: NodeId) {
        self.advance(now);
        self.end(now, node, peer);
    }

    fn end(&mut self, now: SimTime, node: NodeId, peer: NodeId) {
        let Some(suspicion) = self.held.remove(&(node, peer)) else { return };
        self.suspecting[peer.index()] -= 1;
        if let Some(since) = suspicion.false_since {
            self.mistake.record(now.since(since).0);
            self.false_time += u128::from(now.since(since).0);
        }
    }

    /// A node stops working. What it suspected is forgotten; whoever suspected it is right from now on.
    pub fn down(&mut self, now: SimTime, node: NodeId) {
        self.advance(now);
        if self.down_since[node.index()].is_some() {
            return;
        }
        let own: Vec<NodeId> =
            self.held.range((node, NodeId(0))..=(node, NodeId(u32::MAX))).map(|((_, peer), _)| *peer).collect();
        for peer in own {
            self.end(now, node, peer);
        }
        self.down_since[node.index()] = Some(now);
        for ((_, peer), suspicion) in &mut self.held {
            if *peer == node
                && let Some(since) = suspicion.false_since.take()
            {
                self.mistake.record(now.since(since).0);
                self.false_time += u128::from(now.since(since).0);
            }
        }
    }

    /// It works again. Whoever still suspects it is wrong from now on.
    pub fn up(&mut self, now: SimTime, node: NodeId) {
        self.advance(now);
        self.down_since[node.index()] = None;
        for ((_, peer), suspicion) in &mut self.held {
            if *peer == node {
                suspicion.false_since = Some(now);
            }
        }
    }

    /// The run is over.
    pub fn finish(&mut self, now: SimTime) {
        self.advance(now);
        let held: Vec<(NodeId, NodeId)> = self.held.keys().copied().collect();
        for (node, peer) in held {
            self.end(now, node, peer);
        }
    }

    /// Time in which living nodes were suspected, of all time of living nodes, an observer on average.
    pub fn false_positive(&self) -> Option<f64> {
        let pairs = self.alive_time * u128::from(self.node_count.saturating_sub(1));
        (pairs > 0).then(|| self.false_time as f64 / pairs as f64)
    }

    /// False suspicions of all; `None` if there was none.
    pub fn false_share(&self) -> Option<f64> {
        let [all, wrong] = self.suspicions;
        (all > 0).then(|| wrong as f64 / all as f64)
    }

    /// Share of pairs of living nodes that disagree about a third, mean over nodes and time.
    pub fn disagreement(&self) -> Option<f64> {
        let pairs = self.node_count * self.node_count.saturating_sub(1) / 2;
        let all = u128::from(self.advanced_to.0) * u128::from(pairs) * u128::from(self.node_count);
        (all > 0).then(|| self.disagreement_time as f64 / all as f64)
    }
}

/// Follows how long hints lie after their owner is back.
#[derive(Clone, Debug)]
pub struct Draining {
    pending: Vec<u64>,
    back_since: Vec<Option<SimTime>>,
    /// The longest time from an owner's recovery until no hint was left for it.
    pub longest: Option<Span>,
}

impl Draining {
    /// Of a run of so many nodes.
    pub fn new(node_count: u32) -> Draining {
        Draining { pending: vec![0; node_count as usize], back_since: vec![None; node_count as usize], longest: None }
    }

    /// A hint is held for this owner, in place of so many others.
    pub fn stored(&mut self, owner: NodeId, replaced: u32) {
        let pending = &mut self.pending[owner.index()];
        *pending = (*pending + 1).saturating_sub(u64::from(replaced));
    }

    /// A hint for this owner was delivered, or thrown away.
    pub fn gone(&mut self, now: SimTime, owner: NodeId) {
        let pending = &mut self.pending[owner.index()];
        *pending = pending.saturating_sub(1);
        if *pending == 0
            && let Some(since) = self.back_since[owner.index()].take()
        {
            let took = now.since(since);
            self.longest = Some(self.longest.map_or(took, |longest| longest.max(took)));
        }
    }

    /// A fault has ended: every owner may be reached from now on, unless another fault keeps it away.
    pub fn heals(&mut self, now: SimTime) {
        for (pending, back_since) in self.pending.iter().zip(&mut self.back_since) {
            if *pending > 0 {
                *back_since = Some(now);
            }
        }
    }

    /// The owner works again.
    pub fn up(&mut self, now: SimTime, owner: NodeId) {
        if self.pending[owner.index()] > 0 {
            self.back_since[owner.index()] = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    #[test]
    fn a_crash_is_found_and_a_mistake_is_timed() {
        let mut detection = Detection::new(2);
        detection.suspects(SimTime(100), A, B);
        detection.suspects(SimTime(120), A, B);
        detection.trusts(SimTime(140), A, B);
        detection.down(SimTime(200), B);
        detection.suspects(SimTime(230), A, B);
        detection.up(SimTime(300), B);
        detection.trusts(SimTime(310), A, B);
        detection.finish(SimTime(1_000));
        assert_eq!((detection.latency.count(), detection.latency.max()), (1, 30));
        assert_eq!(
            (detection.mistake.count(), detection.mistake.max()),
            (2, 40),
            "the second lasted 10 after the recovery"
        );
        assert_eq!(detection.false_share(), Some(0.5));
        assert_eq!(detection.false_positive(), Some(50.0 / 1_900.0));
    }

    #[test]
    fn hints_drain_from_the_recovery_to_the_last_delivery() {
        let mut draining = Draining::new(2);
        draining.stored(B, 0);
        draining.stored(B, 0);
        draining.stored(B, 1);
        draining.up(SimTime(50), B);
        draining.gone(SimTime(60), B);
        assert_eq!(draining.longest, None);
        draining.gone(SimTime(75), B);
        assert_eq!(draining.longest, Some(Span(25)));
    }
}
