//! Ways of messages for those who reckon instead of sending: what [`super::Network::send`] would draw with no fault on.

use smallvec::SmallVec;

use super::Network;
use super::leg::Leg;
use super::links::Terms;
use super::map::in_a_row;
use crate::kernel::dist::{Dist, Sampler};
use crate::kernel::ids::{Endpoint, GroupId};

/// The way from one end to another. Equal ways have equal delays.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Way {
    hops: SmallVec<[u16; 4]>,
}

/// Draws how long one leg takes on a way.
#[derive(Clone, Debug)]
pub struct Line(SmallVec<[Sampler; 1]>);

impl Line {
    /// A line whose delay, in nanoseconds, is of this distribution.
    ///
    /// # Panics
    /// If the distribution does not pass its check.
    pub fn of(dist: &Dist) -> Line {
        Line([dist.compile()].into_iter().collect())
    }

    /// Nanoseconds, from 64 fair bits.
    #[inline]
    pub fn sample(&self, bits: u64) -> u64 {
        in_a_row(self.0.iter(), bits)
    }

    /// Whether it never takes any time.
    pub fn is_zero(&self) -> bool {
        self.0.iter().all(Sampler::is_zero)
    }
}

impl Network {
    /// The way from one end to another with no fault on; `group` is the client end's. The way of a node to itself is
    /// that to another node beside it.
    pub fn way(&self, from: Endpoint, to: Endpoint, group: GroupId) -> Way {
        Way { hops: self.terms_of(from, to, group).hops.iter().map(|&hop| self.map.first_like(hop)).collect() }
    }

    /// The chance that a message on the way is lost with no fault on.
    pub fn loss(&self, from: Endpoint, to: Endpoint, group: GroupId) -> f64 {
        self.terms_of(from, to, group).loss
    }

    /// What one leg draws on a way of this network.
    pub fn line(&self, way: &Way, leg: Leg) -> Line {
        Line(self.map.samplers(&way.hops, leg).cloned().collect())
    }

    fn terms_of(&self, from: Endpoint, to: Endpoint, group: GroupId) -> Terms<'_> {
        let (from, to) = self.spots(from, to, group);
        Terms::of(&self.map, &self.overrides, from, to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ids::NodeId;
    use crate::kernel::rng::{Keyed, Purpose, tag};
    use crate::kernel::time::SimTime;
    use crate::network::{Config, Delay, EndSet, Envelope, Fate, LinkRule, Place};

    #[test]
    fn a_line_draws_what_a_message_takes() {
        let delay = |mean| Delay::same(Dist::Exponential { mean });
        let link = |from, to| LinkRule {
            from: EndSet::of_regions([from]),
            to: EndSet::of_regions([to]),
            symmetric: true,
            delay: Some(delay(5e6)),
            ..LinkRule::default()
        };
        let slow = LinkRule {
            from: EndSet::of_nodes([0]),
            to: EndSet::of_nodes([1]),
            delay: Some(delay(9e6)),
            loss: Some(0.25),
            ..LinkRule::default()
        };
        let config = Config {
            regions: 3,
            nodes: [0, 0, 1, 2].map(|region| Place { region, rack: 0 }).to_vec(),
            links: vec![link(0, 1), link(1, 2), slow],
            ..Config::simple(4, Dist::Exponential { mean: 1e6 })
        };
        let mut network = Network::new(&config, 7);
        let group = GroupId(0);
        let end = |node| Endpoint::node(NodeId(node));
        assert_eq!((network.loss(end(0), end(1), group), network.loss(end(1), end(0), group)), (0.25, 0.0));
        for (from, to) in [(0, 1), (1, 0), (0, 2), (3, 0)] {
            let line = network.line(&network.way(end(from), end(to), group), Leg::WriteRequest);
            for op in 0..50 {
                let envelope = Envelope {
                    from: end(from),
                    to: end(to),
                    group,
                    leg: Leg::WriteRequest,
                    op,
                    replica: 3,
                    attempt: 0,
                    bytes: 0,
                };
                let bits = Keyed::new(7).bits(Purpose::Delay, op, tag(Leg::WriteRequest as u8, 3, 0));
                if let Fate::Deliver(at) = network.send(SimTime::ZERO, &envelope) {
                    assert_eq!(at, SimTime(line.sample(bits)), "{from} to {to}");
                }
            }
        }
    }
}
