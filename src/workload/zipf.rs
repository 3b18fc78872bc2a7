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
    /// Where the tail begins. Ranks are measured in it, or the integral would lose its digits behind a
    /// steep head.
    begin: f64,
    /// The integral over the tail.
    whole: f64,
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
        let tail = (head < count).then(|| {
            let begin = head as f64 + 0.5;
            Tail { exponent, count, begin, whole: integral(exponent, (count as f64 + 0.5) / begin) }
        });
        let total = sum + if head < count { sum_between(exponent, head + 1, count) } else { 0.0 };
        let mut last: Vec<u64> =
            sums.iter().map(|sum| ((sum / total * ALL) as u128).saturating_sub(1)).map(cut).collect();
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
            let at = self.whole * unit(bits(turn));
            let place = integral_inverse(self.exponent, at) * self.begin;
            let rank = ((place + 0.5) as u64).clamp(HEAD_MAX + 1, self.count);
            // What is thinned out lies within s(s + 1) / 24 rank^2 of a rank's lower edge: nothing farther
            // off needs the exact comparison, up to exponents whose tail has no share to be drawn by.
            if rank as f64 - place < 0.49 {
                return rank - 1;
            }
            // A convex law has at least as much integral around a rank as it gives the rank itself.
            let above = integral(self.exponent, (rank as f64 + 0.5) / self.begin) - at;
            if above <= math::pow(rank as f64 / self.begin, -self.exponent) / self.begin {
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
    math::pow(a, 1.0 - s) * integral(s, b / a) + ends
}

fn cut(position: u128) -> u64 {
    position.min(u128::from(u64::MAX)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rng::{Keyed, Purpose};

    fn draws(law: &Zipf, count: u64) -> impl Iterator<Item = u64> {
        let keyed = Keyed::new(11);
        (0..count).map(move |n| law.sample(|turn| keyed.bits(Purpose::Key, n, turn)))
    }

    /// Chi-square of the counts against these probabilities, as standard deviations off its mean.
    fn off(counts: &[u64], probabilities: &[f64]) -> f64 {
        let total = counts.iter().sum::<u64>() as f64;
        let terms = counts.iter().zip(probabilities).map(|(&count, p)| {
            let expected = total * p;
            assert!(expected > 20.0, "a cell has enough draws for a normal law: {expected}");
            (count as f64 - expected) * (count as f64 - expected) / expected
        });
        let freedom = (counts.len() - 1) as f64;
        (terms.sum::<f64>() - freedom) / (2.0 * freedom).sqrt()
    }

    #[test]
    fn ranks_come_in_proportion_to_their_power() {
        for exponent in [0.0, 0.5, 0.99, 1.0, 1.5] {
            let law = Zipf::new(40, exponent);
            let mut counts = [0; 40];
            draws(&law, 200_000).for_each(|rank| counts[rank as usize] += 1);
            let weights: Vec<f64> = (1..=40).map(|i| math::pow(f64::from(i), -exponent)).collect();
            let total: f64 = weights.iter().sum();
            let probabilities: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
            assert!(off(&counts, &probabilities).abs() < 4.5, "exponent {exponent}: {}", off(&counts, &probabilities));
        }
    }

    #[test]
    fn ranks_behind_the_table_come_in_proportion_too() {
        // Cells: the table in 4 parts, what is behind it in 4, by the sums of the exact weights.
        let count = 300_000u64;
        for exponent in [0.0, 0.99, 1.0, 1.2] {
            let law = Zipf::new(count, exponent);
            let edges = [16, 256, 4_096, HEAD_MAX, HEAD_MAX + 7_000, 100_000, 200_000, count];
            let cell = |rank: u64| edges.iter().position(|&edge| rank < edge).expect("a rank is below the count");
            let (mut counts, mut sums) = (vec![0; edges.len()], vec![0.0; edges.len()]);
            draws(&law, 400_000).for_each(|rank| counts[cell(rank)] += 1);
            (0..count).for_each(|rank| sums[cell(rank)] += math::pow((rank + 1) as f64, -exponent));
            let total: f64 = sums.iter().sum();
            // Cells with next to no expectation are joined with the last one.
            let (mut joined_counts, mut probabilities) = (vec![0u64], vec![0.0]);
            for (&n, sum) in counts.iter().zip(&sums) {
                if *probabilities.last().unwrap() * 4e5 > 20.0 {
                    joined_counts.push(0);
                    probabilities.push(0.0);
                }
                *joined_counts.last_mut().unwrap() += n;
                *probabilities.last_mut().unwrap() += sum / total;
            }
            assert!(
                off(&joined_counts, &probabilities).abs() < 4.5,
                "exponent {exponent}: {joined_counts:?} for {probabilities:?}"
            );
        }
    }

    #[test]
    fn single_ranks_behind_the_table_are_alike() {
        // The thinning to steps: neighbours far out have equal shares, at the edges of the tail as well.
        let law = Zipf::new(HEAD_MAX + 4, 0.99);
        let mut counts = [0u64; 4];
        let tail = law.tail.as_ref().expect("there is a tail");
        let keyed = Keyed::new(3);
        (0..40_000)
            .for_each(|n| counts[(tail.sample(|turn| keyed.bits(Purpose::Key, n, turn)) - HEAD_MAX) as usize] += 1);
        assert!(off(&counts, &[0.25; 4]).abs() < 4.5, "{counts:?}");
    }

    #[test]
    fn sums_behind_the_table_agree_with_adding_up() {
        for exponent in [0.0, 0.3, 0.99, 1.0, 1.0 + 1e-9, 2.5] {
            let added: f64 = (65_537..=90_000u32).rev().map(|i| math::pow(f64::from(i), -exponent)).sum();
            let sum = sum_between(exponent, 65_537, 90_000);
            assert!((sum / added - 1.0).abs() < 1e-11, "exponent {exponent}: {sum} and {added}");
        }
    }

    #[test]
    fn one_rank_is_always_drawn_and_the_greatest_count_is_reached() {
        assert!(draws(&Zipf::new(1, 0.99), 100).all(|rank| rank == 0));
        let law = Zipf::new(1 << 32, 0.0);
        let greatest = draws(&law, 10_000).max().expect("there are draws");
        assert!(greatest < 1 << 32 && greatest > (1 << 32) / 1000 * 995, "ranks reach the end: {greatest}");
    }
}
