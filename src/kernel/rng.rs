//! Random draws that do not disturb each other.
//!
//! Two kinds, both functions of the run's seed and of a name. A [`Stream`] is sequential and belongs
//! to one purpose and one entity: arrivals of a group, gossip peers of a node. A [`Keyed`] draw
//! belongs to one message: the same operation's same leg to the same replica meets the same delay
//! whatever else the scenario says, so two settings of R and W are compared on the same luck.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What a draw is for. Numbers are written down once and never reused: they are part of every digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Purpose {
    /// Tokens and assignments of the ring; entity: node, or 0 for the whole ring.
    Placement = 1,
    /// When a group's operations arrive; entity: group.
    Arrival = 2,
    /// Which session of a group an open arrival goes to; entity: group.
    Session = 3,
    /// Which key an operation is about; entity: session.
    Key = 4,
    /// Which kind of operation; entity: session.
    Mix = 5,
    /// Sizes of values; entity: session.
    ValueSize = 6,
    /// Which node a load balancer picks; entity: session.
    Routing = 7,
    /// Think times, and the pause of `write_then_read`; entity: session.
    Think = 8,
    /// Gossip peers and phases; entity: node.
    Gossip = 9,
    /// Anti-entropy peers, ranges and phases; entity: node.
    AntiEntropy = 10,
    /// `2 of rack:r1`; entity: number of the selector.
    Selector = 11,
    /// Random faults; entity: class.
    Chaos = 12,
    /// Keyed: the delay of a message.
    Delay = 13,
    /// Keyed: whether a message is lost.
    Loss = 14,
    /// Keyed: whether a message is duplicated.
    Duplicate = 15,
    /// Keyed: how long storage takes.
    Service = 16,
    /// Keyed: whether a read repairs.
    ReadRepair = 17,
    /// Keyed: whether a disk fails.
    DiskError = 18,
    /// Which member of a list coordinates a write; entity: node.
    Coordinator = 19,
    /// Keys wiped by fraction; entity: number of the fault.
    Wipe = 20,
    /// Which item a `remove` takes out; entity: session.
    Item = 21,
    /// Phases of periodic tasks other than gossip and anti-entropy; entity: node.
    Phase = 22,
    /// `plus` of a script step; entity: step.
    Script = 23,
    /// The setting that `check` draws for a seed; entity: hash of the field's name.
    Swarm = 24,
    /// Trials of a prediction; entity: 0.
    Prediction = 25,
}

/// A sequential generator for one purpose and entity: ChaCha with 8 rounds.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of `purpose` and `entity` in the run with this seed.
    pub fn new(seed: u64, purpose: Purpose, entity: u64) -> Stream {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..12].copy_from_slice(&(purpose as u32).to_le_bytes());
        key[16..24].copy_from_slice(&entity.to_le_bytes());
        Stream(ChaCha8Rng::from_seed(key))
    }

    /// 64 fair bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in [0, 1) with 53 fair bits.
    pub fn unit(&mut self) -> f64 {
        unit(self.bits())
    }

    /// A whole number in [0, bound), without bias.
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a draw below 0 has no answer");
        // Lemire's multiply with rejection.
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let wide = u128::from(self.bits()) * u128::from(bound);
            if wide as u64 >= threshold {
                return (wide >> 64) as u64;
            }
        }
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Puts a list into a fair random order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            let j = self.below(i as u64 + 1) as usize;
            list.swap(i, j);
        }
    }
}

/// Draws that are a function of a name: no state, so nothing can shift them.
#[derive(Clone, Copy, Debug)]
pub struct Keyed {
    seed: u64,
}

impl Keyed {
    /// The keyed draws of the run with this seed.
    pub const fn new(seed: u64) -> Keyed {
        Keyed { seed }
    }

    /// 64 fair bits for (`purpose`, `op`, `tag`); see [`tag`].
    pub fn bits(self, purpose: Purpose, op: u64, tag: u64) -> u64 {
        let mut name = [0u8; 16];
        name[..8].copy_from_slice(&op.to_le_bytes());
        name[8..].copy_from_slice(&tag.to_le_bytes());
        xxh3_64_with_seed(&name, self.seed ^ (u64::from(purpose as u32) << 56))
    }
}

/// The tag of a message of an operation: which leg, to or from which replica, which attempt.
pub const fn tag(leg: u8, replica: u32, attempt: u16) -> u64 {
    (leg as u64) << 56 | (attempt as u64) << 32 | replica as u64
}

/// Maps 64 fair bits to [0, 1).
pub fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ids::{OpId, SessionId};
    use crate::kernel::math;

    #[test]
    fn a_name_gives_one_answer_and_another_name_another() {
        let luck = Keyed::new(1);
        let op = OpId::of_session(SessionId(3), 7).0;
        assert_eq!(luck.bits(Purpose::Delay, op, tag(1, 2, 0)), luck.bits(Purpose::Delay, op, tag(1, 2, 0)));
        assert_ne!(luck.bits(Purpose::Delay, op, tag(1, 2, 0)), luck.bits(Purpose::Delay, op, tag(1, 2, 1)));
        assert_ne!(luck.bits(Purpose::Delay, op, tag(1, 2, 0)), luck.bits(Purpose::Loss, op, tag(1, 2, 0)));
    }

    #[test]
    fn streams_do_not_disturb_each_other() {
        let mut alone = Stream::new(9, Purpose::Arrival, 0);
        let (mut one, mut other) = (Stream::new(9, Purpose::Arrival, 0), Stream::new(9, Purpose::Arrival, 1));
        for _ in 0..100 {
            let bits = alone.bits();
            assert_ne!(other.bits(), bits);
            assert_eq!(one.bits(), bits);
        }
    }

    /// Limit in standard deviations.
    const LIMIT: f64 = 4.5;
    const DRAWS: u64 = 200_000;

    /// Correlation of two draws, as a number of standard deviations from none. The draws are exponential,
    /// because it is in their tails that delays of one operation would conspire.
    fn correlation(pair: impl Fn(u64) -> (u64, u64)) -> f64 {
        let exponential = |bits| -math::ln((bits as f64 + 0.5) / (1u128 << 64) as f64) - 1.0;
        let sum: f64 = (0..DRAWS)
            .map(|i| {
                let (a, b) = pair(i);
                exponential(a) * exponential(b)
            })
            .sum();
        sum / math::sqrt(DRAWS as f64)
    }

    /// Chi squared of the top five bits of two draws over a lattice of 32 by 32, as a number of standard
    /// deviations from its mean.
    fn lattice(pair: impl Fn(u64) -> (u64, u64)) -> f64 {
        let mut cells = vec![0u32; 1024];
        for i in 0..DRAWS {
            let (a, b) = pair(i);
            cells[(a >> 59 << 5 | b >> 59) as usize] += 1;
        }
        let expected = DRAWS as f64 / 1024.0;
        let chi: f64 = cells.iter().map(|&n| (f64::from(n) - expected) * (f64::from(n) - expected) / expected).sum();
        (chi - 1023.0) / math::sqrt(2.0 * 1023.0)
    }

    /// The ways in which the names of two draws of one run are neighbours.
    fn neighbours(bits: &dyn Fn(u64, Purpose, u64, u64) -> u64) -> Vec<(&'static str, f64)> {
        let op = |session: u64, number: u64| session << 32 | number;
        // 200 sessions take turns.
        let name = |i: u64| op(i % 200, i / 200);
        let base = |i: u64| bits(1, Purpose::Delay, name(i), tag(1, 5, 0));
        let kinds: [(&'static str, &dyn Fn(u64) -> u64); 7] = [
            ("legs", &|i| bits(1, Purpose::Delay, name(i), tag(2, 5, 0))),
            ("replicas", &|i| bits(1, Purpose::Delay, name(i), tag(1, 6, 0))),
            ("attempts", &|i| bits(1, Purpose::Delay, name(i), tag(1, 5, 1))),
            ("next operations", &|i| bits(1, Purpose::Delay, name(i) + 1, tag(1, 5, 0))),
            ("sessions", &|i| bits(1, Purpose::Delay, name(i) + (1 << 32), tag(1, 5, 0))),
            ("seeds", &|i| bits(2, Purpose::Delay, name(i), tag(1, 5, 0))),
            ("purposes", &|i| bits(1, Purpose::Loss, name(i), tag(1, 5, 0))),
        ];
        let mut results = Vec::new();
        for (what, other) in kinds {
            results.push((what, correlation(|i| (base(i), other(i)))));
            results.push((what, lattice(|i| (base(i), other(i)))));
        }
        results
    }

    #[test]
    fn keyed_draws_with_neighbouring_names_are_independent() {
        for (what, z) in neighbours(&|seed, purpose, op, tag| Keyed::new(seed).bits(purpose, op, tag)) {
            assert!(z.abs() < LIMIT, "draws of neighbouring {what} are independent: {z} standard deviations");
        }
    }

    #[test]
    fn the_test_of_independence_would_notice_a_poor_hash() {
        // One multiplication passes every test of a single draw.
        let poor = |seed: u64, purpose: Purpose, op: u64, tag: u64| {
            (op ^ tag.rotate_left(13) ^ seed ^ (purpose as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        let worst = neighbours(&poor).into_iter().map(|(_, z)| z.abs()).fold(0.0, f64::max);
        assert!(worst > 100.0, "one multiplication is not a hash, yet the worst is {worst}");
    }

    #[test]
    fn a_draw_below_a_bound_is_fair() {
        let mut luck = Stream::new(4, Purpose::Chaos, 0);
        for bound in [1, 2, 3, 7, 100] {
            let mut counts = vec![0u32; bound as usize];
            for _ in 0..DRAWS {
                counts[luck.below(bound) as usize] += 1;
            }
            let share = 1.0 / bound as f64;
            let sd = math::sqrt(DRAWS as f64 * share * (1.0 - share));
            for count in counts {
                assert!((f64::from(count) - DRAWS as f64 * share).abs() <= LIMIT * sd, "{count} below {bound}");
            }
        }
        // Without rejection, half of the draws below 3/4 of 2^64 would fall on the multiples of three.
        let bound = 3 << 62;
        let low = (0..DRAWS).filter(|_| luck.below(bound).is_multiple_of(3)).count() as f64;
        assert!((low - DRAWS as f64 / 3.0).abs() < LIMIT * math::sqrt(DRAWS as f64 * 2.0 / 9.0), "{low} draws");
    }

    #[test]
    fn a_shuffle_reaches_every_order_alike() {
        let mut luck = Stream::new(5, Purpose::Chaos, 0);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..24_000 {
            let mut list = [0, 1, 2, 3];
            luck.shuffle(&mut list);
            *counts.entry(list).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 24, "four things have 24 orders");
        // The standard deviation of a count is 31.
        assert!(counts.values().all(|count| count.abs_diff(1_000) < 140), "{counts:?}");
    }

    /// Every digest of every run rests on these: a change here changes all results.
    #[test]
    fn first_draws_are_as_they_have_always_been() {
        let mut stream = Stream::new(42, Purpose::Arrival, 7);
        let first: Vec<String> = (0..4).map(|_| format!("{:016x}", stream.bits())).collect();
        assert_eq!(first, ["cf54a56cfc693655", "026900753f2aba4d", "ce6e9b9b0d54e809", "264e0cb51c9a2feb"]);
        let mut stream = Stream::new(42, Purpose::Key, 7);
        let first: Vec<u64> = (0..8).map(|_| stream.below(1_000)).collect();
        assert_eq!(first, [94, 538, 791, 279, 274, 850, 584, 2]);
        let op = OpId::of_session(SessionId(3), 9).0;
        let luck = Keyed::new(42);
        let draw = |replica| luck.bits(Purpose::Delay, op, tag(1, replica, 0));
        let first: Vec<String> = (0..4).map(|replica| format!("{:016x}", draw(replica))).collect();
        assert_eq!(first, ["d88183d82d330e8e", "55484b5e42bd6e18", "7c9a9d88d13d0e2b", "1b294dd7d095f0d0"]);
        assert_eq!(luck.bits(Purpose::Loss, op, tag(255, u32::MAX, u16::MAX)), 0x8f11_a4fe_e4c5_f421);
        assert_eq!(Keyed::new(u64::MAX).bits(Purpose::DiskError, u64::MAX, 0), 0xa726_b32d_8b7e_dba0);
        assert_eq!(unit(u64::MAX), 1.0 - f64::EPSILON / 2.0, "a draw is below 1");
    }
}
