//! Zipf's law: the i-th most popular of `count` things in proportion to 1 / i^exponent.
//!
//! Exact for every exponent of at least 0, in constant time. The first ranks are found in a table of their
//! cumulated shares with a guide to it; the ranks behind are drawn from the integral of the law and thinned
//! to its steps (Hörmann and Derflinger 1996, rejection-inversion), which hardly ever rejects out there.
//! It knows nothing of keys.

use std::sync::Arc;

use crate::kernel::math;
use crate::kernel::rng::unit;

/// So many of the most popular ranks have a place in the table.
const HEAD_MAX: u64 = 1 << 16;

/// A Zipf distribution over ranks from 0. Cloning is cheap: the table is shared.
#[derive(Clone, Debug)]
pub struct Zipf {
    head: Arc<Head>,
    tail: Option<Tail>,
}

#[derive(Debug)]
struct Head {
    /// By rank, the last position between 0 and 2^64 that chooses it or one before it.
    last: Vec<u64>,
    /// By the first bits of a position, the first rank that it can be.
    guide: Vec<u32>,
    guide_shift: u32,
}

#[derive(Clone, Debug)]
struct Tail {
    exponent: f64,
    count: u64,
    /// The integral of the law where the tail begins and ends.
    begin: f64,
    end: f64,
}

impl Zipf {
    /// The law over `count` ranks.
    ///
    /// # Panics
    /// If `count` is 0, or the exponent is negative or not finite.
    pub fn new(count: u64, exponent: f64) -> Zipf {
        assert!(count > 0, "a law needs something to choose from");
        assert!(exponent >= 0.0 && exponent.is_finite(), "a Zipf exponent is a number of at least 0");
        const ALL: f64 = (1u128 << 64) as f64;
        let head = count.min(HEAD_MAX);
        let weight = |rank: u64| math::pow((rank + 1) as f64, -exponent);
        let mut sums: Vec<f64> = Vec::with_capacity(head as usize);
        let mut sum = 0.0;
        for rank in 0..head {
            sum += weight(rank);
            sums.push(sum);
        }
        let tail = (head < count).then(|| Tail {
            exponent,
            count,
            begin: integral(exponent, head as f64 + 0.5),
            end: integral(exponent, count as f64 + 0.5),
        });
        let total = sum + if head < count { sum_between(exponent, head + 1, count) } else { 0.0 };
        let mut last: Vec<u64> = sums.iter().map(|sum| ((sum / total * ALL) as u128).saturating_sub(1)).map(cut).collect();
        if head == count {
            *last.last_mut().expect("there is a rank") = u64::MAX;
        }
        let guide_bits = head.next_power_of_two().trailing_zeros().max(1);
        let mut rank = 0;
        let guide = (0..1u64 << guide_bits).map(|cell| {
            let first = cell << (64 - guide_bits);
            while rank < last.len() && last[rank] < first {
                rank += 1;
            }
            rank as u32
        });
        let guide = guide.collect();
        Zipf { head: Arc::new(Head { last, guide, guide_shift: 64 - guide_bits }), tail }
    }

    /// A rank from 0. `bits` gives 64 fair bits for each number it is called with, the same for the same.
    #[inline]
    pub fn sample(&self, bits: impl Fn(u64) -> u64) -> u64 {
        let position = bits(0);
        let head = &*self.head;
        let mut rank = head.guide[(position >> head.guide_shift) as usize] as usize;
        while rank < head.last.len() {
            if position <= head.last[rank] {
                return rank as u64;
            }
            rank += 1;
        }
        self.tail.as_ref().expect("without a tail the head covers all positions").sample(bits)
    }
}

impl Tail {
    #[cold]
    fn sample(&self, bits: impl Fn(u64) -> u64) -> u64 {
        // The first draw has chosen the tail; it is not used again.
        for turn in 1.. {
            let at = self.begin + (self.end - self.begin) * unit(bits(turn));
            let rank = (integral_inverse(self.exponent, at) + 0.5) as u64;
            let rank = rank.clamp(HEAD_MAX + 1, self.count);
            // A convex law has at least as much integral around a rank as it gives the rank itself.
            let above = integral(self.exponent, rank as f64 + 0.5) - at;
            if above <= math::pow(rank as f64, -self.exponent) {
                return rank - 1;
            }
        }
        unreachable!("a draw is accepted after 2^64 attempts")
    }
}

/// The integral of x^-s from 1.
fn integral(s: f64, x: f64) -> f64 {
    let ln = math::ln(x);
    // exp_m1 keeps the digits where s is close to 1.
    if s == 1.0 { ln } else { math::exp_m1((1.0 - s) * ln) / (1.0 - s) }
}

fn integral_inverse(s: f64, y: f64) -> f64 {
    if s == 1.0 { math::exp(y) } else { math::exp(math::ln_1p((1.0 - s) * y) / (1.0 - s)) }
}

/// The sum of i^-s from `first` to `last`, both included, by Euler and Maclaurin: exact to the digits of
/// a number from `first` = 1000 on.
fn sum_between(s: f64, first: u64, last: u64) -> f64 {
    let (a, b) = (first as f64, last as f64);
    let f = |x: f64| math::pow(x, -s);
    let slope = |x: f64| -s * math::pow(x, -s - 1.0);
    let ends = 0.5 * (f(a) + f(b)) + (slope(b) - slope(a)) / 12.0;
    integral(s, b) - integral(s, a) + ends
}

fn cut(position: u128) -> u64 {
    position.min(u128::from(u64::MAX)) as u64
}
