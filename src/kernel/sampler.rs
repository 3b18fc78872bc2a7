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
            Inner::Uniform { min, count_less_1 } => {
                (*min + below_or_at(bits, *count_less_1)).min(VALUE_MAX)
            }
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
        Dist::Shifted { by, of } => carried(simple(of), |value| value.saturating_add(*by), &|value| value + *by as f64, &|of| {
            Dist::Shifted { by: *by, of: Box::new(of) }
        }),
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
