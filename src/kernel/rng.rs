//! Random draws that do not disturb each other.
//!
//! Two kinds, both functions of the run's seed and of a name. A [`Stream`] is sequential and belongs
//! to one purpose and one entity: arrivals of a group, gossip peers of a node. A [`Keyed`] draw
//! belongs to one message: the same operation's same leg to the same replica meets the same delay
//! whatever else the scenario says, so two settings of R and W are compared on the same luck.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
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
