//! The network: it sees sender, receiver, size and leg of a message, and answers with a fate.
//!
//! It never opens a message, keeps no queue of them and knows no protocol, no crash and no clock: the caller says
//! what time it is and delivers what it is told to deliver, when it is told to. The delay of a message is a
//! function of the run's seed and of the message's name (operation, leg, replica, attempt), so no fault, no client
//! and no other message changes it. Messages are independent of each other unless order or bandwidth ties
//! them: the conditions of the WARS model (Bailis et al., "Probabilistically Bounded Staleness", §5.1).

pub mod config;
pub mod counts;
pub mod envelope;
pub mod faults;
pub mod leg;
mod links;
mod map;
pub mod topology;
mod way;

pub use config::{Config, Delay, EndSet, LinkRule, Place, Site, check};
pub use counts::{Counts, Totals};
pub use envelope::{Envelope, Fate, LossCause};
pub use faults::{CutSpec, Degrade, FaultId};
pub use leg::{Class, Leg};
pub use topology::Topology;
pub use way::{Line, Way};

use std::collections::BTreeMap;

use crate::kernel::ids::{Endpoint, GroupId, NodeId};
use crate::kernel::rng::{Keyed, Purpose, tag, unit};
use crate::kernel::time::{SimTime, Span};

use faults::Faults;
use links::{Override, Terms, overrides};
use map::{Map, derive};

/// Bytes leave through it one after the other.
#[derive(Clone, Copy, Debug)]
struct Pipe {
    bytes_per_second: f64,
    free_at: SimTime,
}

impl Pipe {
    /// When the last byte has left, of a message that comes at `now`.
    fn pass(&mut self, now: SimTime, bytes: u32) -> SimTime {
        let span = Span((f64::from(bytes) * 1e9 / self.bytes_per_second).round() as u64).min(Span::MAX);
        // What would leave after the longest time there is leaves then, far beyond the end of every run.
        self.free_at = (self.free_at.max(now) + span).min(SimTime(Span::MAX.0));
        self.free_at
    }
}

/// The network of one run.
#[derive(Clone, Debug)]
pub struct Network {
    draws: Keyed,
    map: Map,
    /// Whether a message needs nothing but a delay: no loss, no order, no pipes, no links, no faults.
    is_plain: bool,
    is_plain_when_calm: bool,
    totals: Totals,
    latest_arrival: SimTime,
    overrides: Vec<Override>,
    faults: Faults,
    node_count: usize,
    /// Of each node, if nodes have a bandwidth; then those of links.
    pipes: Vec<Pipe>,
    /// How many of the pipes are nodes'.
    own_pipes: u32,
    /// When the latest copy arrives, by sender and receiver; only of ways that keep the order.
    last_arrivals: BTreeMap<(Endpoint, Endpoint), SimTime>,
}

impl Network {
    /// The network of a run with this seed.
    ///
    /// # Panics
    /// If [`check`] finds anything wrong with the configuration.
    pub fn new(config: &Config, seed: u64) -> Network {
        let wrong = check(config);
        assert!(wrong.is_empty(), "the configuration was checked: {wrong:?}");
        let topology = Topology::new(config);
        let mut map = Map::new(config, &topology);
        let overrides = overrides(config, &mut map);
        let is_plain_when_calm = map.is_plain() && overrides.is_empty() && config.bandwidth.is_none();
        let pipe = |bytes_per_second| Pipe { bytes_per_second, free_at: SimTime::ZERO };
        let own = config.bandwidth.map_or(0, |_| config.nodes.len());
        let own_pipes = config.bandwidth.into_iter().flat_map(|bandwidth| vec![pipe(bandwidth); own]);
        Network {
            draws: Keyed::new(seed),
            is_plain: is_plain_when_calm,
            is_plain_when_calm,
            totals: Totals::default(),
            latest_arrival: SimTime::ZERO,
            overrides,
            faults: Faults::default(),
            node_count: config.nodes.len(),
            pipes: own_pipes.chain(map.pipes.iter().map(|bandwidth| pipe(*bandwidth))).collect(),
            own_pipes: own as u32,
            last_arrivals: BTreeMap::new(),
            map,
        }
    }

    /// Sends a message and says what becomes of it. A node's message to itself arrives at once, whatever is wrong.
    #[inline]
    pub fn send(&mut self, now: SimTime, envelope: &Envelope) -> Fate {
        if envelope.from == envelope.to {
            self.totals.legs[envelope.leg.index()].to_itself += 1;
            return Fate::Deliver(now);
        }
        self.totals.sent(envelope.leg, envelope.bytes);
        let from = self.map.spot(envelope.from, envelope.group);
        let to = self.map.spot(envelope.to, envelope.group);
        if !self.is_plain {
            return self.send_with_care(now, envelope, from, to);
        }
        let class = self.map.class(from, to);
        let bits = bits(self.draws, Purpose::Delay, envelope);
        let arrival = now + Span(self.map.sample_class(class, envelope.leg, bits));
        self.latest_arrival = self.latest_arrival.max(arrival);
        Fate::Deliver(arrival)
    }

    #[inline(never)]
    fn send_with_care(&mut self, now: SimTime, envelope: &Envelope, from: u32, to: u32) -> Fate {
        let fate = self.decide(now, envelope, from, to);
        self.totals.ended(envelope.leg, fate);
        self.latest_arrival = self.latest_arrival.max(fate.latest_arrival());
        fate
    }

    fn decide(&mut self, now: SimTime, envelope: &Envelope, from: u32, to: u32) -> Fate {
        let leg = envelope.leg;
        let bits = |purpose| bits(self.draws, purpose, envelope);
        let terms = Terms::of(&self.map, &self.overrides, from, to);
        // A message that is lost has left its sender all the same, so bandwidth comes first: a loss or a cut
        // must not change when the others leave.
        let own_pipe = envelope.from.as_node().filter(|_| self.own_pipes > 0);
        let left_at = if terms.pipes.is_empty() {
            own_pipe.map_or(now, |node| self.pipes[node.index()].pass(now, envelope.bytes))
        } else {
            // Pipes in a row are passed one after the other before the delays of the way, as if they all stood at
            // its beginning.
            let pipes = terms.pipes.iter().map(|pipe| (self.own_pipes + pipe) as usize);
            pipes.fold(now, |at, pipe| self.pipes[pipe].pass(at, envelope.bytes))
        };
        if self.faults.stops_at_send(from, to) {
            return Fate::Lost(LossCause::Cut);
        }
        if self.faults.loses(terms.loss, || unit(bits(Purpose::Loss)), from, to) {
            return Fate::Lost(LossCause::Chance);
        }
        let luck = bits(Purpose::Delay);
        let delay = self.map.sample(terms.hops, leg, luck);
        let mut first = left_at + self.faults.strain(from, to, luck).stretch(delay);
        self.faults.count_strain(delay, from, to);
        let mut second = None;
        if self.faults.doubles(terms.duplicate, || unit(bits(Purpose::Duplicate)), from, to) {
            // The copy takes its own time. It is one message to its sender, so it leaves with the original.
            let luck = derive(bits(Purpose::Duplicate), 1);
            let delay = self.map.sample(terms.hops, leg, luck);
            second = Some(left_at + self.faults.strain(from, to, luck).stretch(delay));
        }
        if terms.fifo {
            let last = self.last_arrivals.entry((envelope.from, envelope.to)).or_insert(SimTime::ZERO);
            first = first.max(*last);
            second = second.map(|second| second.max(first));
            *last = second.unwrap_or(first);
        }
        match second {
            None => Fate::Deliver(first),
            Some(second) => Fate::Twice(first, second),
        }
    }

    /// How long the message would take now if nothing is before it, nothing must keep its order and it is not
    /// lost: what [`Network::send`] adds to the time of leaving. Nothing is counted.
    pub fn delay_of(&self, envelope: &Envelope) -> Span {
        if envelope.from == envelope.to {
            return Span::ZERO;
        }
        let (from, to) = self.spots(envelope.from, envelope.to, envelope.group);
        let terms = Terms::of(&self.map, &self.overrides, from, to);
        let luck = bits(self.draws, Purpose::Delay, envelope);
        let delay = self.map.sample(terms.hops, envelope.leg, luck);
        self.faults.strain(from, to, luck).stretch(delay)
    }

    /// Counts a message whose fate the caller has set, as a script may.
    pub fn charge(&mut self, leg: Leg, bytes: u32, fate: Fate) {
        self.totals.sent(leg, bytes);
        self.totals.ended(leg, fate);
        self.latest_arrival = self.latest_arrival.max(fate.latest_arrival());
    }

    /// Whether no cut can stop anything now: none is there, and none was while a message was on its way.
    #[inline]
    pub fn never_cut(&self) -> bool {
        self.faults.has_no_cuts()
    }

    /// Whether a message that was sent at `sent_at` and arrives now has met no cut. Ask for each copy, when
    /// it arrives; a copy that does not pass is counted as lost. A cut that begins at the instant of arrival
    /// stops the message if it was added before this question.
    #[inline]
    pub fn passes_at_delivery(
        &mut self,
        now: SimTime,
        sent_at: SimTime,
        from: Endpoint,
        to: Endpoint,
        group: GroupId,
        leg: Leg,
    ) -> bool {
        if self.faults.has_no_cuts() {
            return true;
        }
        self.passes_cuts(now, sent_at, from, to, group, leg)
    }

    #[inline(never)]
    fn passes_cuts(
        &mut self,
        now: SimTime,
        sent_at: SimTime,
        from: Endpoint,
        to: Endpoint,
        group: GroupId,
        leg: Leg,
    ) -> bool {
        if from == to {
            return true;
        }
        let (from, to) = self.spots(from, to, group);
        let stopped = self.faults.stops_on_the_way(now, sent_at, from, to);
        if stopped {
            self.totals.legs[leg.index()].lose(LossCause::Cut);
            self.totals.cut_on_the_way += 1;
        }
        self.is_plain = self.is_plain_when_calm && self.faults.is_calm();
        !stopped
    }

    /// Begins a cut. One fault may have several cuts, as a ring-shaped partition does.
    ///
    /// # Panics
    /// If the cut names an end that does not exist, or one end in two of its groups.
    pub fn add_cut(&mut self, fault: FaultId, spec: &CutSpec) {
        self.faults.cut(&self.map, fault, spec);
        self.is_plain = false;
    }

    /// Begins to degrade links.
    ///
    /// # Panics
    /// As [`Network::add_cut`], and if a chance is not a fraction.
    pub fn add_link_fault(&mut self, fault: FaultId, spec: &CutSpec, degrade: Degrade) {
        self.faults.degrade(&self.map, fault, spec, degrade);
        self.is_plain = false;
    }

    /// Begins to multiply the delays of all that these nodes send and receive. Between two slow nodes it counts twice.
    ///
    /// # Panics
    /// If a node does not exist.
    pub fn set_slow(&mut self, fault: FaultId, nodes: &[NodeId], factor: f64) {
        self.faults.slow(self.node_count, fault, nodes, factor);
        self.is_plain = false;
    }

    /// Ends a fault of any kind, with all its parts. One that is not there is none to end.
    pub fn remove_fault(&mut self, now: SimTime, fault: FaultId) {
        self.faults.remove(now, fault, self.latest_arrival);
        self.is_plain = self.is_plain_when_calm && self.faults.is_calm();
    }

    /// How often a fault bit, also after its end: messages cut, lost, doubled or delayed because of it.
    pub fn hits(&self, fault: FaultId) -> u64 {
        self.faults.hits(fault)
    }

    /// Whether a cut stops now what is sent from one end to another.
    pub fn cut_between(&self, from: Endpoint, to: Endpoint, group: GroupId) -> bool {
        let (a, b) = self.spots(from, to, group);
        from != to && self.faults.is_cut(a, b)
    }

    /// Whether messages pass both ways now.
    pub fn reachable(&self, a: Endpoint, b: Endpoint, group: GroupId) -> bool {
        !self.cut_between(a, b, group) && !self.cut_between(b, a, group)
    }

    /// The region in which an end is; none for a client that is nowhere.
    pub fn region_of(&self, end: Endpoint, group: GroupId) -> Option<u32> {
        self.map.region(self.map.spot(end, group))
    }

    /// What went over the network so far.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    fn spots(&self, from: Endpoint, to: Endpoint, group: GroupId) -> (u32, u32) {
        (self.map.spot(from, group), self.map.spot(to, group))
    }
}

/// Fair bits under the message's name.
#[inline]
fn bits(draws: Keyed, purpose: Purpose, envelope: &Envelope) -> u64 {
    draws.bits(purpose, envelope.op, tag(envelope.leg as u8, envelope.replica, envelope.attempt))
}

#[cfg(test)]
mod tests;
