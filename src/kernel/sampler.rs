//! Drawing from a distribution: 64 fair bits in, a whole number out.
//!
//! The bits are a position between 0 and 1 and the sampler is the inverse distribution function, in
//! integers: a table of 4 096 cells, linear within a cell, and the exact function in the cells
//! where a line is too coarse, always in the upper tail. A draw costs a few nanoseconds and
//! the tail is as exact as the formula. It knows nothing of where the bits come from (see `rng`).

use super::dist::{Dist, VALUE_MAX, interpolate, total_weight};
use std::sync::Arc;

const CELL_BITS: u32 = 12;
const CELLS: usize = 1 << CELL_BITS;
/// So many cells of the upper tail are exact whatever their shape: the last 1/64 of all draws.
const TAIL_CELLS: usize = 64;
/// A cell is replaced by the exact function where a line errs by more than this share of the value.
const LINE_ERROR: f64 = 1e-4;
/// But not more than so many cells at either end: there the error is harmless and speed counts.
const EXACT_CELLS_MAX: usize = CELLS / 8;

/// Draws from one distribution. Cloning is cheap: tables are shared.
#[derive(Clone, Debug)]
pub struct Sampler(Inner);

#[derive(Clone, Debug)]
enum Inner {
    Constant(u64),
    Uniform { min: u64, count_less_1: u64 },
    Table(Arc<Table>),
    Points(Arc<[(f64, f64)]>),
    Pick(Arc<[u64]>),
    Mixture(Arc<[Part]>),
}

#[derive(Debug)]
struct Table {
    /// The quantiles at the edges of the cells.
    edges: [u64; CELLS + 1],
    /// Bits below this, or at least that, go to the exact function.
    exact_below: u64,
    exact_from: u64,
    dist: Dist,
}

#[derive(Debug)]
struct Part {
    /// The positions from `first` to `last`, both included, choose this part.
    first: u64,
    last: u64,
    /// 2^128 / (number of positions that choose this part), rounded down: stretches them to 64 bits.
    stretch: u128,
    sampler: Sampler,
}

impl Sampler {
    pub(super) fn new(dist: &Dist) -> Sampler {
        Sampler::of_simple(&simple(dist))
    }

    fn of_simple(dist: &Dist) -> Sampler {
        Sampler(match dist {
            Dist::Constant(value) => Inner::Constant((*value).min(VALUE_MAX)),
            Dist::Uniform { min, max } if min == max => Inner::Constant((*min).min(VALUE_MAX)),
            Dist::Uniform { min, max } => Inner::Uniform { min: *min, count_less_1: max - min },
            Dist::Mixture(parts) => return mixture(parts),
            Dist::Quantiles(points) => Inner::Points(points.as_slice().into()),
            Dist::Samples(values) => {
                let mut values: Vec<u64> = values.iter().map(|&value| value.min(VALUE_MAX)).collect();
                values.sort_unstable();
                if values[0] == values[values.len() - 1] {
                    Inner::Constant(values[0])
                } else {
                    Inner::Pick(values.into())
                }
            }
            _ => Inner::Table(Arc::new(Table::new(dist))),
        })
    }

    /// The value at this position between 0 and 2^64: nanoseconds or bytes, at most `i64::MAX`.
    /// Equal bits give equal values, and fair bits give the distribution.
    #[inline]
    pub fn sample(&self, bits: u64) -> u64 {
        match &self.0 {
            Inner::Table(table) => table.sample(bits),
            Inner::Constant(value) => *value,
            Inner::Mixture(parts) => {
                let index = parts.iter().position(|part| bits <= part.last);
                let part = &parts[index.expect("the parts of a mixture cover all bits")];
                part.sampler.sample(part.stretch(bits))
            }
            Inner::Uniform { min, count_less_1 } => (*min + below_or_at(bits, *count_less_1)).min(VALUE_MAX),
            Inner::Points(points) => whole(interpolate(points, position(bits).0)),
            Inner::Pick(values) => values[below_or_at(bits, values.len() as u64 - 1) as usize],
        }
    }

    /// Whether every draw is 0.
    pub fn is_zero(&self) -> bool {
        self.constant() == Some(0)
    }

    /// The value of every draw, if they are all the same.
    #[inline]
    pub fn constant(&self) -> Option<u64> {
        match self.0 {
            Inner::Constant(value) => Some(value),
            _ => None,
        }
    }
}

impl Table {
    fn new(dist: &Dist) -> Table {
        let at = |p: f64| dist.quantile_between(p, 1.0 - p);
        let mut edges = [0; CELLS + 1];
        for (i, edge) in edges.iter_mut().enumerate() {
            *edge = whole(at(i as f64 / CELLS as f64));
        }
        let is_line = |cell: usize| {
            let middle = at((cell as f64 + 0.5) / CELLS as f64);
            let line = 0.5 * (edges[cell] as f64 + edges[cell + 1] as f64);
            (line - middle).abs() <= LINE_ERROR * middle + 1.0
        };
        let low = (0..EXACT_CELLS_MAX).find(|&cell| is_line(cell)).unwrap_or(EXACT_CELLS_MAX);
        let high = (TAIL_CELLS..EXACT_CELLS_MAX).find(|&cells| is_line(CELLS - cells - 1)).unwrap_or(EXACT_CELLS_MAX);
        let edge_bits = |cell: usize| (cell as u64) << (64 - CELL_BITS);
        Table { edges, exact_below: edge_bits(low), exact_from: edge_bits(CELLS - high), dist: dist.clone() }
    }

    #[inline]
    fn sample(&self, bits: u64) -> u64 {
        if bits < self.exact_below || bits >= self.exact_from {
            return self.exact(bits);
        }
        let cell = (bits >> (64 - CELL_BITS)) as usize;
        let (low, high) = (self.edges[cell], self.edges[cell + 1]);
        let within = bits << CELL_BITS;
        low + below_or_at(within, high - low)
    }

    #[cold]
    fn exact(&self, bits: u64) -> u64 {
        let (p, q) = position(bits);
        whole(self.dist.quantile_between(p, q))
    }
}

impl Part {
    /// Spreads the positions that choose this part over all 64 bits, as evenly as whole numbers can be.
    #[inline]
    fn stretch(&self, bits: u64) -> u64 {
        let within = bits - self.first;
        // Below 2^128, because `within` is less than the number of positions.
        (u128::from(within).wrapping_mul(self.stretch) >> 64) as u64
    }
}

fn mixture(parts: &[(f64, Dist)]) -> Sampler {
    const ALL: u128 = 1 << 64;
    let total = total_weight(parts);
    let chosen: Vec<_> = parts.iter().filter(|(weight, _)| *weight > 0.0).collect();
    if let [(_, only)] = chosen.as_slice() {
        return Sampler::of_simple(only);
    }
    let (mut table, mut sum, mut first) = (Vec::new(), 0.0, 0u128);
    for (index, (weight, dist)) in chosen.iter().enumerate() {
        sum += weight / total;
        // The last part ends where the positions end, whatever the roundings before it.
        let end = if index + 1 == chosen.len() { ALL } else { ((sum * ALL as f64) as u128).min(ALL) };
        // A weight too small for a single position is never drawn.
        if end > first {
            table.push(Part {
                first: first as u64,
                last: (end - 1) as u64,
                stretch: two_to_128_over(end - first),
                sampler: Sampler::of_simple(dist),
            });
            first = end;
        }
    }
    Sampler(Inner::Mixture(table.into()))
}

/// 2^128 / count, rounded down; 0 for a count of 1, where nothing is stretched.
fn two_to_128_over(count: u128) -> u128 {
    if count == 1 {
        return 0;
    }
    let (quotient, rest) = (u128::MAX / count, u128::MAX % count);
    quotient + u128::from(rest + 1 == count)
}

/// The same distribution with shifts and factors carried into mixtures and lists, so that each part
/// keeps the sampler that fits it.
fn simple(dist: &Dist) -> Dist {
    match dist {
        Dist::Mixture(parts) => Dist::Mixture(parts.iter().map(|(weight, part)| (*weight, simple(part))).collect()),
        Dist::Scaled { by: 0.0, .. } => Dist::Constant(0),
        Dist::Shifted { by, of } => {
            carried(simple(of), |value| value.saturating_add(*by), &|value| value + *by as f64, &|of| Dist::Shifted {
                by: *by,
                of: Box::new(of),
            })
        }
        Dist::Scaled { by, of } => carried(simple(of), |value| whole(value as f64 * by), &|value| value * by, &|of| {
            Dist::Scaled { by: *by, of: Box::new(of) }
        }),
        _ => dist.clone(),
    }
}

/// Carries one shift or factor into `of`: `count` moves a whole number, `real` any number, `wrap` a
/// distribution that has no parts to carry it into.
fn carried(of: Dist, count: impl Fn(u64) -> u64, real: &dyn Fn(f64) -> f64, wrap: &dyn Fn(Dist) -> Dist) -> Dist {
    match of {
        Dist::Constant(value) => Dist::Constant(count(value)),
        Dist::Samples(values) => Dist::Samples(values.into_iter().map(count).collect()),
        Dist::Uniform { min, max } if count(max).saturating_sub(count(min)) == max - min => {
            Dist::Uniform { min: count(min), max: count(max) }
        }
        // A line would blur the steps of a short range.
        Dist::Uniform { min, max } if max - min < CELLS as u64 => Dist::Samples((min..=max).map(count).collect()),
        Dist::Quantiles(points) => Dist::Quantiles(points.into_iter().map(|(p, value)| (p, real(value))).collect()),
        Dist::Mixture(parts) => {
            Dist::Mixture(parts.into_iter().map(|(weight, part)| (weight, simple(&wrap(part)))).collect())
        }
        other => wrap(other),
    }
}

/// A position as a fraction and its complement, each with its own digits, neither of them 0.
fn position(bits: u64) -> (f64, f64) {
    const SCALE: f64 = 1.0 / (1u128 << 64) as f64;
    ((bits as f64 + 0.5) * SCALE, (!bits as f64 + 0.5) * SCALE)
}

/// A whole number from 0 to `most`, both included, that rises with the position.
#[inline]
fn below_or_at(bits: u64, most: u64) -> u64 {
    ((u128::from(bits) * (u128::from(most) + 1)) >> 64) as u64
}

/// To the nearest whole number, cut at the largest value.
fn whole(value: f64) -> u64 {
    // The conversion saturates, and infinity goes to the largest value.
    (value.round() as u64).min(VALUE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::math;
    use crate::kernel::rng::{Keyed, Purpose, Stream};

    #[test]
    fn draws_follow_the_distribution() {
        let sampler = Dist::Exponential { mean: 1e6 }.compile();
        let luck = Keyed::new(7);
        let draws = 100_000;
        let sum: u64 = (0..draws).map(|op| sampler.sample(luck.bits(Purpose::Delay, op, 0))).sum();
        let mean = sum as f64 / draws as f64;
        assert!((mean - 1e6).abs() < 4.5 * 1e6 / math::sqrt(draws as f64), "the mean is 1 ms, not {mean} ns");
    }

    /// Continuous kinds, and the ranges of positions where the table, its ends and its seams are.
    fn continuous() -> Vec<Dist> {
        let exponential = Dist::Exponential { mean: 1e6 };
        vec![
            exponential.clone(),
            Dist::Normal { mean: 1e6, sd: 2e5 },
            Dist::Normal { mean: 1e6, sd: 2e6 },
            Dist::Lognormal { median: 1e6, sigma: 1.0 },
            Dist::Pareto { scale: 235_000.0, shape: 10.0 },
            Dist::Pareto { scale: 1_050_000.0, shape: 1.51 },
            Dist::Pareto { scale: 1e5, shape: 0.5 },
            Dist::Weibull { scale: 1e6, shape: 0.5 },
            Dist::Weibull { scale: 1e6, shape: 3.0 },
            Dist::Gamma { shape: 0.5, mean: 1e6 },
            Dist::Gamma { shape: 4.2, mean: 1e6 },
            Dist::Quantiles(vec![(0.0, 1e5), (0.5, 1e6), (0.99, 4e6), (0.999, 9e6), (1.0, 2e7)]),
            Dist::Shifted { by: 75_000_000, of: Box::new(exponential.clone()) },
            Dist::Scaled { by: 0.25, of: Box::new(Dist::Shifted { by: 100, of: Box::new(exponential) }) },
        ]
    }

    #[test]
    fn every_position_gives_the_quantile_there() {
        let mut luck = Stream::new(1, Purpose::Chaos, 3);
        for dist in continuous() {
            let sampler = dist.compile();
            for step in 0..20_000 {
                let shift = luck.below(50);
                let bits = match step % 4 {
                    0 => luck.bits(),
                    1 => luck.bits() >> shift,
                    2 => !(luck.bits() >> shift),
                    _ => (luck.below(CELLS as u64) << (64 - CELL_BITS)).wrapping_sub(luck.below(3)),
                };
                let (p, q) = position(bits);
                let want = dist.quantile_between(p, q).min(VALUE_MAX as f64);
                let got = sampler.sample(bits) as f64;
                assert!((got - want).abs() <= 2.0 * LINE_ERROR * want + 2.0, "{dist:?} at {p}: {got}, not {want}");
            }
        }
    }

    #[test]
    fn draws_rise_with_the_position() {
        for dist in continuous() {
            let sampler = dist.compile();
            let mut before = 0;
            for i in 0..200_000u64 {
                let value = sampler.sample(i * (u64::MAX / 200_000));
                // At the seam a line may end a little above where the exact function begins.
                assert!(value as f64 >= before as f64 * (1.0 - 2.0 * LINE_ERROR), "{dist:?} falls at {i}");
                before = value;
            }
        }
    }

    /// Draws, and compares the shares beyond P50 … P99.99 with the distribution function.
    fn tails_agree(dist: &Dist, draws: u64) {
        let sampler = dist.compile();
        let mut luck = Stream::new(11, Purpose::Chaos, 4);
        let mut values: Vec<u64> = (0..draws).map(|_| sampler.sample(luck.bits())).collect();
        values.sort_unstable();
        for beyond in [0.5, 0.1, 0.01, 0.001, 0.0001] {
            let mark = dist.upper_quantile(beyond).round();
            let want = dist.cdf_both(mark).1;
            let count = draws - values.partition_point(|&value| value as f64 <= mark) as u64;
            let share = count as f64 / draws as f64;
            // Rounding to whole numbers is far below the sampling error.
            let tolerance = 4.5 * math::sqrt(beyond / draws as f64);
            assert!((share - want).abs() <= tolerance, "{dist:?}: {share} lies beyond {mark}, not {want}");
        }
    }

    #[test]
    fn shares_beyond_the_percentiles_agree_with_the_closed_form() {
        for dist in continuous() {
            tails_agree(&dist, 300_000);
        }
        for dist in [
            Dist::lnkd_ssd(),
            Dist::lnkd_disk_write(),
            Dist::ymmr_write(3.5),
            Dist::ymmr_other(),
            Dist::Shifted { by: 75_000_000, of: Box::new(Dist::lnkd_disk_write()) },
            Dist::Uniform { min: 5, max: 1_000_000 },
        ] {
            tails_agree(&dist, 300_000);
        }
    }

    #[test]
    fn the_fits_have_the_published_means() {
        // Share × scale × shape / (shape - 1) + share / rate, by hand, in milliseconds.
        for (dist, mean) in [
            (Dist::lnkd_ssd(), 0.291_077),
            (Dist::lnkd_disk_write(), 4.569_316),
            (Dist::ymmr_write(3.5), 25.729_514),
            (Dist::ymmr_other(), 2.828_571),
        ] {
            assert!((dist.mean() / 1e6 - mean).abs() < 2e-5, "{dist:?} has mean {}", dist.mean() / 1e6);
        }
    }

    #[test]
    fn shapes_agree_with_another_library() {
        use rand_distr::Distribution;
        let mut rng = <rand_chacha::ChaCha8Rng as rand_chacha::rand_core::SeedableRng>::seed_from_u64(5);
        let mut compare = |dist: Dist, other: &dyn Fn(&mut rand_chacha::ChaCha8Rng) -> f64| {
            const DRAWS: usize = 50_000;
            let mut values: Vec<f64> = (0..DRAWS).map(|_| other(&mut rng)).collect();
            values.sort_by(f64::total_cmp);
            let distance = values.iter().enumerate().map(|(i, &x)| (dist.cdf(x) - i as f64 / DRAWS as f64).abs());
            let distance = distance.fold(0.0, f64::max) * math::sqrt(DRAWS as f64);
            // Kolmogorov and Smirnov: 2.3 is exceeded once in 20 000 times.
            assert!(distance < 2.3, "{dist:?} is {distance} away");
        };
        let exponential = rand_distr::Exp::new(1e-6).expect("a rate");
        compare(Dist::Exponential { mean: 1e6 }, &|rng| exponential.sample(rng));
        let gamma = rand_distr::Gamma::new(4.2, 1e6 / 4.2).expect("a gamma");
        compare(Dist::Gamma { shape: 4.2, mean: 1e6 }, &|rng| gamma.sample(rng));
        let small_gamma = rand_distr::Gamma::new(0.5, 2e6).expect("a gamma");
        compare(Dist::Gamma { shape: 0.5, mean: 1e6 }, &|rng| small_gamma.sample(rng));
        let weibull = rand_distr::Weibull::new(1e6, 0.5).expect("a Weibull");
        compare(Dist::Weibull { scale: 1e6, shape: 0.5 }, &|rng| weibull.sample(rng));
        let pareto = rand_distr::Pareto::new(1e6, 1.51).expect("a Pareto");
        compare(Dist::Pareto { scale: 1e6, shape: 1.51 }, &|rng| pareto.sample(rng));
        let lognormal = rand_distr::LogNormal::new(math::ln(1e6), 1.0).expect("a lognormal");
        compare(Dist::Lognormal { median: 1e6, sigma: 1.0 }, &|rng| lognormal.sample(rng));
        let normal = rand_distr::Normal::new(1e6, 1e6).expect("a normal");
        compare(Dist::Normal { mean: 1e6, sd: 1e6 }, &|rng| {
            loop {
                let x = normal.sample(rng);
                if x >= 0.0 {
                    return x;
                }
            }
        });
    }

    #[test]
    fn short_ranges_and_lists_are_fair() {
        let count = |dist: Dist, value: u64| {
            let sampler = dist.compile();
            let mut luck = Stream::new(3, Purpose::Chaos, 5);
            (0..60_000).filter(|_| sampler.sample(luck.bits()) == value).count() as f64
        };
        // 4.5 standard deviations of 60 000 draws at a sixth are 411, at a half 551.
        for face in 1..=6 {
            assert!((count(Dist::Uniform { min: 1, max: 6 }, face) - 1e4).abs() < 411.0);
            let dice = Dist::Scaled { by: 10.0, of: Box::new(Dist::Uniform { min: 1, max: 6 }) };
            assert!((count(dice, face * 10) - 1e4).abs() < 411.0);
        }
        assert!((count(Dist::Samples(vec![9, 4, 9, 5]), 9) - 3e4).abs() < 551.0);
    }

    #[test]
    fn every_part_of_a_mixture_gets_the_whole_of_its_range() {
        let part = |min| Dist::Uniform { min, max: min + 999 };
        let weights = [(0.7, part(0)), (0.0, part(5_000)), (0.299, part(1_000)), (0.001, part(2_000))];
        let sampler = Dist::Mixture(weights.to_vec()).compile();
        let Inner::Mixture(parts) = &sampler.0 else { panic!("three parts make a mixture") };
        assert_eq!(parts.len(), 3, "a weight of 0 is never drawn");
        for part in parts.iter() {
            assert_eq!(part.stretch(part.first), 0);
            let count = u128::from(part.last - part.first) + 1;
            let step = ((1u128 << 64) / count) as u64;
            assert!(part.stretch(part.last) >= u64::MAX - step - 1, "the last position is at the top");
        }
        assert_eq!(sampler.sample(0), 0);
        assert_eq!(sampler.sample(parts[0].last), 999);
        assert_eq!(sampler.sample(parts[1].first), 1_000);
        assert_eq!(sampler.sample(u64::MAX), 2_999);
    }

    #[test]
    fn constants_are_known_as_such_and_large_values_are_cut() {
        assert_eq!(Dist::Constant(5).compile().constant(), Some(5));
        let nothing = Dist::Scaled { by: 0.0, of: Box::new(Dist::Exponential { mean: 1.0 }) };
        assert!(nothing.compile().is_zero());
        let moved = Dist::Scaled { by: 2.0, of: Box::new(Dist::Shifted { by: 5, of: Box::new(Dist::Constant(1)) }) };
        assert_eq!(moved.compile().constant(), Some(12));
        assert_eq!(Dist::Exponential { mean: 1.0 }.compile().constant(), None);
        assert_eq!(Dist::Pareto { scale: 1e9, shape: 0.1 }.compile().sample(u64::MAX), VALUE_MAX);
        assert_eq!(Dist::Uniform { min: 0, max: u64::MAX }.compile().sample(u64::MAX), VALUE_MAX);
        let far = Dist::Shifted { by: u64::MAX, of: Box::new(Dist::Constant(1)) };
        assert_eq!(far.compile().constant(), Some(VALUE_MAX));
    }

    /// Every delay of every run rests on these: a change here changes all results.
    #[test]
    fn draws_are_as_they_have_always_been() {
        let golden: Vec<[u64; 4]> = vec![
            [0, 73_766, 1_112_036, 16_635_532],
            [7_310, 706_487, 1_088_597, 2_058_941],
            [0, 270_817, 2_494_779, 11_723_460],
            [5_018, 230_486, 1_557_347, 199_278_648],
            [235_000, 236_739, 262_642, 1_240_337],
            [1_050_000, 1_102_568, 2_192_927, 63_939_908_671],
            [100_000, 115_897, 924_489, 9_223_372_036_854_775_807],
            [0, 5_441, 1_236_622, 276_740_936],
            [3_906, 419_391, 1_036_032, 2_552_773],
            [0, 7_964, 953_268, 29_376_218],
            [10_483, 397_174, 1_143_624, 5_957_331],
            [100_000, 228_000, 2_047_619, 19_999_344],
            [75_000_000, 75_073_766, 76_112_036, 91_635_532],
            [25, 18_466, 278_034, 4_158_908],
            [1_050_000, 1_204_425, 3_464_477, 88_292_331],
        ];
        let kinds = continuous().into_iter().chain([Dist::lnkd_disk_write()]);
        let drawn: Vec<[u64; 4]> = kinds
            .map(|dist| {
                let sampler = dist.compile();
                [1 << 40, 0x1234_5678_9abc_def0, 0xabcd_ef01_2345_6789, !(1 << 40)].map(|bits| sampler.sample(bits))
            })
            .collect();
        assert_eq!(drawn, golden);
    }
}
