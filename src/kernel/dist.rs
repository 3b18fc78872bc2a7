//! Distributions: what a delay, a service time or a size may be drawn from.
//!
//! Each has its mean, distribution function and quantile function in closed form (or by bisection for a
//! mixture). The unit is whatever the caller means: nanoseconds or bytes. Drawing is the work of the
//! [`Sampler`] that [`Dist::compile`] makes. This file knows nothing of where chance comes from.

use super::math;
pub use super::sampler::Sampler;

/// Values beyond this are cut to it: 292 years as nanoseconds.
pub const VALUE_MAX: u64 = i64::MAX as u64;

/// A distribution over values of at least 0.
#[derive(Clone, Debug, PartialEq)]
pub enum Dist {
    /// Always this value.
    Constant(u64),
    /// Whole numbers from `min` to `max`, both included.
    Uniform {
        /// The least value.
        min: u64,
        /// The greatest value.
        max: u64,
    },
    /// Exponential.
    Exponential {
        /// The mean.
        mean: f64,
    },
    /// Normal, given that it is not negative: truncated at 0 and renormalised, so the true mean is a
    /// little above `mean`.
    Normal {
        /// Mean before the cut.
        mean: f64,
        /// Standard deviation before the cut.
        sd: f64,
    },
    /// exp of a normal with mean ln(median) and standard deviation sigma.
    Lognormal {
        /// The median.
        median: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Pareto: beyond x lies (scale / x)^shape.
    Pareto {
        /// The least value.
        scale: f64,
        /// The exponent of the tail; the mean is infinite if it is 1 or less.
        shape: f64,
    },
    /// Weibull: beyond x lies exp(-(x / scale)^shape).
    Weibull {
        /// The value beyond which 1/e lies.
        scale: f64,
        /// Below 1: a heavier tail than the exponential.
        shape: f64,
    },
    /// Gamma.
    Gamma {
        /// The shape: 1 is exponential, more is narrower.
        shape: f64,
        /// The mean.
        mean: f64,
    },
    /// One of several, chosen with these weights (which need not sum to 1).
    Mixture(Vec<(f64, Dist)>),
    /// (fraction, value) with both ascending, linear between. What lies below the first fraction takes
    /// the first value, what lies above the last takes the last.
    Quantiles(Vec<(f64, f64)>),
    /// One of these values, each as likely.
    Samples(Vec<u64>),
    /// A fixed amount more than a draw of another.
    Shifted {
        /// How much more.
        by: u64,
        /// The other.
        of: Box<Dist>,
    },
    /// A multiple of a draw of another.
    Scaled {
        /// The factor.
        by: f64,
        /// The other.
        of: Box<Dist>,
    },
}

/// The standard normal quantile of 0.99.
const Z99: f64 = 2.326_347_874_040_841;

impl Dist {
    /// The lognormal with this median and 99th percentile.
    ///
    /// # Panics
    /// Never; but unless 0 < median < p99 the result does not pass [`Dist::check`].
    pub fn lognormal_by_p99(median: f64, p99: f64) -> Dist {
        Dist::Lognormal { median, sigma: math::ln(p99 / median) / Z99 }
    }

    /// Says what is wrong with the parameters, if anything is: which one and what it must be.
    pub fn check(&self) -> Result<(), String> {
        let positive = |name: &str, value: f64| {
            let is_right = value > 0.0 && value.is_finite();
            if is_right { Ok(()) } else { Err(format!("{name} is {value}, not a number above 0")) }
        };
        match self {
            Dist::Constant(_) => Ok(()),
            Dist::Uniform { min, max } if min > max => Err(format!("min is {min}, above max, which is {max}")),
            Dist::Uniform { .. } => Ok(()),
            Dist::Exponential { mean } => positive("mean", *mean),
            Dist::Normal { mean, sd } => {
                if !(*mean >= 0.0 && mean.is_finite()) {
                    return Err(format!("mean is {mean}, not a number of at least 0"));
                }
                positive("sd", *sd)
            }
            Dist::Lognormal { median, sigma } => positive("median", *median).and(positive("sigma", *sigma)),
            Dist::Pareto { scale, shape } | Dist::Weibull { scale, shape } => {
                positive("scale", *scale).and(positive("shape", *shape))
            }
            Dist::Gamma { shape, mean } => positive("shape", *shape).and(positive("mean", *mean)),
            Dist::Mixture(parts) => {
                for (weight, part) in parts {
                    if !(*weight >= 0.0 && weight.is_finite()) {
                        return Err(format!("a weight is {weight}, not a number of at least 0"));
                    }
                    part.check()?;
                }
                positive("the sum of the weights", total_weight(parts))
            }
            Dist::Quantiles(points) => check_quantiles(points),
            Dist::Samples(values) if values.is_empty() => Err("there are no samples".to_string()),
            Dist::Samples(_) => Ok(()),
            Dist::Shifted { of, .. } => of.check(),
            Dist::Scaled { by, of } => {
                if !(*by >= 0.0 && by.is_finite()) {
                    return Err(format!("the factor is {by}, not a number of at least 0"));
                }
                of.check()
            }
        }
    }

    /// The mean; infinite for a Pareto of shape 1 or less.
    pub fn mean(&self) -> f64 {
        match self {
            Dist::Constant(value) => *value as f64,
            Dist::Uniform { min, max } => 0.5 * (*min as f64 + *max as f64),
            Dist::Exponential { mean } | Dist::Gamma { mean, .. } => *mean,
            Dist::Normal { mean, sd } => {
                let z = mean / sd;
                mean + sd * math::normal_density(z) / math::normal_cdf(z)
            }
            Dist::Lognormal { median, sigma } => median * math::exp(0.5 * sigma * sigma),
            Dist::Pareto { shape, .. } if *shape <= 1.0 => f64::INFINITY,
            Dist::Pareto { scale, shape } => scale * shape / (shape - 1.0),
            Dist::Weibull { scale, shape } => scale * math::gamma(1.0 + 1.0 / shape),
            Dist::Mixture(parts) => {
                let sum: f64 = parts.iter().filter(|(weight, _)| *weight > 0.0).map(|(w, part)| w * part.mean()).sum();
                sum / total_weight(parts)
            }
            Dist::Quantiles(points) => {
                let (first, last) = (points[0], points[points.len() - 1]);
                let between: f64 = points.windows(2).map(|w| (w[1].0 - w[0].0) * 0.5 * (w[0].1 + w[1].1)).sum();
                first.0 * first.1 + between + (1.0 - last.0) * last.1
            }
            Dist::Samples(values) => values.iter().map(|&v| v as f64).sum::<f64>() / values.len() as f64,
            Dist::Shifted { by, of } => *by as f64 + of.mean(),
            Dist::Scaled { by, .. } if *by == 0.0 => 0.0,
            Dist::Scaled { by, of } => by * of.mean(),
        }
    }

    /// The value below which the fraction `p` lies.
    pub fn quantile(&self, p: f64) -> f64 {
        self.quantile_between(p, 1.0 - p)
    }

    /// The value beyond which the fraction `q` lies: exact where 1 - q would round to 1.
    pub fn upper_quantile(&self, q: f64) -> f64 {
        self.quantile_between(1.0 - q, q)
    }

    /// The quantile, where both p and q = 1 - p are given, so that neither tail loses digits.
    pub(super) fn quantile_between(&self, p: f64, q: f64) -> f64 {
        match self {
            Dist::Constant(value) => *value as f64,
            Dist::Uniform { min, max } => {
                let count = (max - min) as f64 + 1.0;
                *min as f64 + (p * count).floor().clamp(0.0, count - 1.0)
            }
            Dist::Exponential { mean } => mean * minus_ln(p, q),
            Dist::Normal { mean, sd } => {
                let (above, below) = (math::normal_cdf(mean / sd), math::normal_cdf(-mean / sd));
                let z =
                    if p < 0.5 { math::normal_quantile(below + p * above) } else { -math::normal_quantile(q * above) };
                (mean + sd * z).max(0.0)
            }
            Dist::Lognormal { median, sigma } => {
                let z = if p < 0.5 { math::normal_quantile(p) } else { -math::normal_quantile(q) };
                median * math::exp(sigma * z)
            }
            Dist::Pareto { scale, shape } => scale * math::exp(minus_ln(p, q) / shape),
            Dist::Weibull { scale, shape } => scale * math::pow(minus_ln(p, q), 1.0 / shape),
            Dist::Gamma { shape, mean } => mean / shape * math::gamma_p_inverse(*shape, p, q),
            Dist::Mixture(parts) => mixture_quantile(self, parts, p, q),
            Dist::Quantiles(points) => interpolate(points, p),
            Dist::Samples(values) => {
                let mut values = values.clone();
                values.sort_unstable();
                let rank = (p * values.len() as f64).ceil() as usize;
                values[rank.clamp(1, values.len()) - 1] as f64
            }
            Dist::Shifted { by, of } => *by as f64 + of.quantile_between(p, q),
            Dist::Scaled { by, .. } if *by == 0.0 => 0.0,
            Dist::Scaled { by, of } => by * of.quantile_between(p, q),
        }
    }

    /// The fraction of values that are at most `x`.
    pub fn cdf(&self, x: f64) -> f64 {
        self.cdf_both(x).0
    }

    /// The fractions (at most `x`, beyond `x`), each with its own digits.
    pub fn cdf_both(&self, x: f64) -> (f64, f64) {
        let step = |yes: bool| if yes { (1.0, 0.0) } else { (0.0, 1.0) };
        match self {
            Dist::Constant(value) => step(x >= *value as f64),
            Dist::Uniform { min, max } => {
                let count = (max - min) as f64 + 1.0;
                let at_most = (x.floor() - *min as f64 + 1.0).clamp(0.0, count);
                (at_most / count, (count - at_most) / count)
            }
            Dist::Shifted { by, of } => of.cdf_both(x - *by as f64),
            Dist::Scaled { by, .. } if *by == 0.0 => step(x >= 0.0),
            Dist::Scaled { by, of } => of.cdf_both(x / by),
            Dist::Mixture(parts) => {
                let total = total_weight(parts);
                parts.iter().fold((0.0, 0.0), |sum, (weight, part)| {
                    let (p, q) = part.cdf_both(x);
                    (sum.0 + weight / total * p, sum.1 + weight / total * q)
                })
            }
            Dist::Samples(values) => {
                let at_most = values.iter().filter(|&&value| value as f64 <= x).count() as f64;
                let all = values.len() as f64;
                (at_most / all, (all - at_most) / all)
            }
            Dist::Quantiles(points) => {
                let p = fraction_below(points, x);
                (p, 1.0 - p)
            }
            _ if x < 0.0 => (0.0, 1.0),
            Dist::Exponential { mean } => from_exponent(x / mean),
            Dist::Normal { mean, sd } => {
                let above = math::normal_cdf(mean / sd);
                let q = math::normal_cdf((mean - x) / sd) / above;
                let p = (math::normal_cdf((x - mean) / sd) - math::normal_cdf(-mean / sd)) / above;
                (p.max(0.0), q)
            }
            Dist::Lognormal { median, sigma } => {
                let z = math::ln(x / median) / sigma;
                (math::normal_cdf(z), math::normal_cdf(-z))
            }
            Dist::Pareto { scale, .. } if x < *scale => (0.0, 1.0),
            Dist::Pareto { scale, shape } => from_exponent(shape * math::ln(x / scale)),
            Dist::Weibull { scale, shape } => from_exponent(math::pow(x / scale, *shape)),
            Dist::Gamma { shape, mean } => math::gamma_p_q(*shape, x * shape / mean),
        }
    }

    /// Makes the sampler that draws from this distribution.
    ///
    /// # Panics
    /// If the parameters do not pass [`Dist::check`].
    pub fn compile(&self) -> Sampler {
        if let Err(error) = self.check() {
            panic!("a distribution is checked before it is compiled: {error}");
        }
        Sampler::new(self)
    }
}

/// Published fits of one-way delays at LinkedIn and Yammer, in nanoseconds.
///
/// Source: Bailis et al., "Probabilistically Bounded Staleness for Practical Partial Quorums",
/// VLDB 2012, table 3.
impl Dist {
    /// LinkedIn on SSD, every leg; also the legs other than the write of LinkedIn on disk.
    pub fn lnkd_ssd() -> Dist {
        body_and_tail(0.9122, 0.235, 10.0, 1.66)
    }

    /// LinkedIn on disk, the write leg.
    pub fn lnkd_disk_write() -> Dist {
        body_and_tail(0.38, 1.05, 1.51, 0.183)
    }

    /// Yammer's Riak, the write leg. The paper prints the exponent `alpha` as 3.35, but its results
    /// were computed with 3.5.
    pub fn ymmr_write(alpha: f64) -> Dist {
        body_and_tail(0.939, 3.0, alpha, 0.0028)
    }

    /// Yammer's Riak, the legs other than the write.
    pub fn ymmr_other() -> Dist {
        body_and_tail(0.982, 1.5, 3.8, 0.0217)
    }
}

/// `share` of a Pareto from `scale_ms`, and for the rest an exponential of `rate` per millisecond.
fn body_and_tail(share: f64, scale_ms: f64, shape: f64, rate: f64) -> Dist {
    const MS: f64 = 1e6;
    Dist::Mixture(vec![
        (share, Dist::Pareto { scale: scale_ms * MS, shape }),
        (1.0 - share, Dist::Exponential { mean: MS / rate }),
    ])
}

/// -ln(q) for q = 1 - p, by whichever of the two has the digits.
fn minus_ln(p: f64, q: f64) -> f64 {
    // Adding 0 turns the -0 of an empty tail into 0.
    0.0 - if p < 0.5 { math::ln_1p(-p) } else { math::ln(q) }
}

/// (1 - exp(-x), exp(-x)).
fn from_exponent(x: f64) -> (f64, f64) {
    (-math::exp_m1(-x), math::exp(-x))
}

pub(super) fn total_weight(parts: &[(f64, Dist)]) -> f64 {
    // Not `sum`, whose empty sum is -0.
    parts.iter().fold(0.0, |sum, (weight, _)| sum + weight)
}

/// By bisection between the least and the greatest quantile of the parts.
fn mixture_quantile(whole: &Dist, parts: &[(f64, Dist)], p: f64, q: f64) -> f64 {
    let of_parts = || parts.iter().filter(|(weight, _)| *weight > 0.0).map(|(_, part)| part.quantile_between(p, q));
    let (mut low, mut high) = (of_parts().fold(f64::INFINITY, f64::min), of_parts().fold(0.0, f64::max));
    if !high.is_finite() {
        return high;
    }
    // 200 halvings exhaust the digits of any pair of numbers.
    for _ in 0..200 {
        let middle = low + 0.5 * (high - low);
        if middle <= low || middle >= high {
            break;
        }
        let (below, beyond) = whole.cdf_both(middle);
        let enough = if p < 0.5 { below >= p } else { beyond <= q };
        if enough { high = middle } else { low = middle }
    }
    // `low` is enough itself only where all the parts agree.
    let (below, beyond) = whole.cdf_both(low);
    if if p < 0.5 { below >= p } else { beyond <= q } { low } else { high }
}

fn check_quantiles(points: &[(f64, f64)]) -> Result<(), String> {
    if points.is_empty() {
        return Err("there are no quantiles".to_string());
    }
    for &(fraction, value) in points {
        if !(0.0..=1.0).contains(&fraction) {
            return Err(format!("a fraction is {fraction}, not between 0 and 1"));
        }
        if !(value >= 0.0 && value.is_finite()) {
            return Err(format!("a value is {value}, not a number of at least 0"));
        }
    }
    for pair in points.windows(2) {
        if pair[0].0 >= pair[1].0 {
            return Err(format!("fraction {} does not come before {}", pair[0].0, pair[1].0));
        }
        if pair[0].1 > pair[1].1 {
            return Err(format!("the value at {} is above the value at {}", pair[0].0, pair[1].0));
        }
    }
    Ok(())
}

pub(super) fn interpolate(points: &[(f64, f64)], p: f64) -> f64 {
    let above = points.partition_point(|&(fraction, _)| fraction <= p);
    if above == 0 {
        return points[0].1;
    }
    if above == points.len() {
        return points[above - 1].1;
    }
    let ((p0, v0), (p1, v1)) = (points[above - 1], points[above]);
    v0 + (v1 - v0) * ((p - p0) / (p1 - p0))
}

fn fraction_below(points: &[(f64, f64)], x: f64) -> f64 {
    let above = points.partition_point(|&(_, value)| value <= x);
    if above == 0 {
        return 0.0;
    }
    if above == points.len() {
        return 1.0;
    }
    let ((p0, v0), (p1, v1)) = (points[above - 1], points[above]);
    p0 + (p1 - p0) * ((x - v0) / (v1 - v0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of every kind, with parameters as delays in nanoseconds have them.
    fn one_of_every_kind() -> Vec<Dist> {
        let exponential = Dist::Exponential { mean: 1e6 };
        vec![
            Dist::Constant(1_000_000),
            Dist::Uniform { min: 500_000, max: 2_000_000 },
            exponential.clone(),
            Dist::Normal { mean: 1e6, sd: 2e5 },
            Dist::Normal { mean: 1e6, sd: 2e6 },
            Dist::Normal { mean: 0.0, sd: 1e6 },
            Dist::Lognormal { median: 1e6, sigma: 1.0 },
            Dist::lognormal_by_p99(1e6, 5e6),
            Dist::Pareto { scale: 235_000.0, shape: 10.0 },
            Dist::Pareto { scale: 1_050_000.0, shape: 1.51 },
            Dist::Pareto { scale: 1e5, shape: 2.5 },
            Dist::Weibull { scale: 1e6, shape: 0.5 },
            Dist::Weibull { scale: 1e6, shape: 3.0 },
            Dist::Gamma { shape: 0.5, mean: 1e6 },
            Dist::Gamma { shape: 4.2, mean: 1e6 },
            Dist::Mixture(vec![(3.0, exponential.clone()), (1.0, Dist::Uniform { min: 5_000_000, max: 6_000_000 })]),
            Dist::Quantiles(vec![(0.0, 1e5), (0.5, 1e6), (0.99, 4e6), (0.999, 9e6), (1.0, 2e7)]),
            Dist::Samples(vec![3_000_000, 1_000_000, 2_000_000, 1_000_000]),
            Dist::Shifted { by: 75_000_000, of: Box::new(exponential.clone()) },
            Dist::Scaled { by: 0.25, of: Box::new(Dist::Gamma { shape: 2.0, mean: 4e6 }) },
            Dist::lnkd_ssd(),
            Dist::lnkd_disk_write(),
            Dist::ymmr_write(3.5),
            Dist::ymmr_other(),
            Dist::Shifted { by: 75_000_000, of: Box::new(Dist::lnkd_disk_write()) },
        ]
    }

    #[track_caller]
    fn close(got: f64, want: f64, relative: f64) {
        assert!((got - want).abs() <= relative * want.abs(), "{got} should be {want} within {relative}");
    }

    #[test]
    fn an_exponential_has_the_quantiles_of_the_textbook() {
        let dist = Dist::Exponential { mean: 1e6 };
        close(dist.quantile(0.5), 693_147.180_56, 1e-10);
        close(dist.quantile(0.999), 6_907_755.278_98, 1e-10);
        close(dist.upper_quantile(1e-18), 41_446_531.673_9, 1e-10);
        close(dist.cdf(1e6), 0.632_120_558_83, 1e-10);
    }

    #[test]
    fn the_median_and_the_99th_percentile_make_a_lognormal() {
        let dist = Dist::lognormal_by_p99(1e6, 5e6);
        close(dist.quantile(0.5), 1e6, 1e-12);
        close(dist.quantile(0.99), 5e6, 1e-12);
    }

    #[test]
    fn distribution_and_quantile_functions_undo_each_other() {
        for dist in one_of_every_kind() {
            for tail in [1e-7, 1e-4, 0.001, 0.01, 0.1, 0.2, 0.3, 0.45] {
                let (p, q) = (dist.cdf(dist.quantile(tail)), dist.cdf_both(dist.upper_quantile(tail)).1);
                // Where there are steps, a quantile is the first value that is enough.
                match dist {
                    Dist::Constant(_) | Dist::Samples(_) => {
                        assert!(p >= tail && q <= tail, "{dist:?} at {tail}: {p}, {q}");
                    }
                    // A whole number of a million is a step of one in a million.
                    Dist::Uniform { .. } | Dist::Mixture(_) => {
                        assert!((p - tail).abs() < 1e-6 && (q - tail).abs() < 1e-6, "{dist:?} at {tail}: {p}, {q}");
                    }
                    _ => {
                        assert!((p - tail).abs() < 1e-6 * tail.max(1e-4), "{dist:?} at {tail}: {p}");
                        assert!((q - tail).abs() < 1e-6 * tail.max(1e-4), "{dist:?} beyond {tail}: {q}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_mean_is_the_integral_of_the_quantile_function() {
        for dist in one_of_every_kind() {
            let mut sum = 0.0;
            // The middle of cells whose width halves towards the upper tail, down to 2^-60.
            let mut width = 1.0;
            for _ in 0..60 {
                width *= 0.5;
                const CELLS: u32 = 400;
                for i in 0..CELLS {
                    let q = 2.0 * width - width * (f64::from(i) + 0.5) / f64::from(CELLS);
                    sum += dist.upper_quantile(q) * width / f64::from(CELLS);
                }
            }
            close(sum, dist.mean(), 5e-4);
        }
        assert_eq!(Dist::Pareto { scale: 1.0, shape: 1.0 }.mean(), f64::INFINITY);
    }

    #[test]
    fn wrong_parameters_are_named() {
        let wrong = |dist: Dist| dist.check().expect_err("the parameters are wrong");
        assert_eq!(wrong(Dist::Exponential { mean: 0.0 }), "mean is 0, not a number above 0");
        assert_eq!(wrong(Dist::Uniform { min: 2, max: 1 }), "min is 2, above max, which is 1");
        assert_eq!(wrong(Dist::Samples(vec![])), "there are no samples");
        assert_eq!(wrong(Dist::Mixture(vec![])), "the sum of the weights is 0, not a number above 0");
        assert_eq!(wrong(Dist::Quantiles(vec![(0.5, 3.0), (0.9, 2.0)])), "the value at 0.5 is above the value at 0.9");
        assert!(Dist::Gamma { shape: f64::NAN, mean: 1.0 }.check().is_err(), "not a number is no shape");
        for dist in one_of_every_kind() {
            assert_eq!(dist.check(), Ok(()));
        }
    }
}
