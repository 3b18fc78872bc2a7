//! Distributions of a scenario as the kernel draws them, in nanoseconds or bytes.
//!
//! A delay has one distribution a leg: `published` and `by_leg` know their legs wherever they stand, and
//! what is around them (`shifted`, `scaled`, `mixture`) is done to each leg alike. Source of the published
//! fits: Bailis et al., "Probabilistically Bounded Staleness", VLDB 2012, table 3.

use crate::kernel::dist::Dist;
use crate::kernel::time::Span;
use crate::network::{Delay, Leg};
use crate::scenario::files::Files;
use crate::scenario::scalars::Size;
use crate::scenario::spec::{DistSpec, Fit, QuantilePoint, Quantity};

use super::Builder;

/// A quantity that files can be of.
pub(super) trait InFiles: Quantity {
    /// Points of a file that was read.
    fn points<'f>(files: &'f Files, name: &str) -> Option<&'f [QuantilePoint<Self>]>;
    /// Samples of a file that was read.
    fn samples<'f>(files: &'f Files, name: &str) -> Option<&'f [Self]>;
}

impl InFiles for Span {
    fn points<'f>(files: &'f Files, name: &str) -> Option<&'f [QuantilePoint<Span>]> {
        files.duration_quantiles.get(name).map(Vec::as_slice)
    }
    fn samples<'f>(files: &'f Files, name: &str) -> Option<&'f [Span]> {
        files.duration_samples.get(name).map(Vec::as_slice)
    }
}

impl InFiles for Size {
    fn points<'f>(files: &'f Files, name: &str) -> Option<&'f [QuantilePoint<Size>]> {
        files.size_quantiles.get(name).map(Vec::as_slice)
    }
    fn samples<'f>(files: &'f Files, name: &str) -> Option<&'f [Size]> {
        files.size_samples.get(name).map(Vec::as_slice)
    }
}

/// The distribution of a leg, or of what has no legs.
fn dist<T: InFiles>(spec: &DistSpec<T>, leg: Option<Leg>, files: &Files) -> Result<Dist, String> {
    let float = |value: T| value.amount() as f64;
    let constant = |value: T| Dist::Constant(value.amount());
    // What has no width is a constant: samplers ask for widths above 0.
    Ok(match spec {
        DistSpec::Constant(value) => constant(*value),
        DistSpec::Uniform(uniform) => Dist::Uniform { min: uniform.min.amount(), max: uniform.max.amount() },
        DistSpec::Exponential(exponential) => match (&exponential.mean, &exponential.rate) {
            (Some(mean), _) if mean.amount() == 0 => Dist::Constant(0),
            (Some(mean), _) => Dist::Exponential { mean: float(*mean) },
            (None, Some(rate)) => Dist::Exponential { mean: rate.per.0 as f64 / rate.events },
            (None, None) => return Err("`mean` or `rate` is missing".into()),
        },
        DistSpec::Normal(normal) if normal.sd.amount() == 0 => constant(normal.mean),
        DistSpec::Normal(normal) => Dist::Normal { mean: float(normal.mean), sd: float(normal.sd) },
        DistSpec::Lognormal(lognormal) => match (lognormal.sigma, lognormal.p99) {
            (Some(0.0), _) => constant(lognormal.median),
            (Some(sigma), _) => Dist::Lognormal { median: float(lognormal.median), sigma },
            (None, Some(p99)) if p99 == lognormal.median => constant(lognormal.median),
            (None, Some(p99)) => Dist::lognormal_by_p99(float(lognormal.median), float(p99)),
            (None, None) => return Err("`sigma` or `p99` is missing".into()),
        },
        DistSpec::Pareto(pareto) => Dist::Pareto { scale: float(pareto.scale), shape: pareto.shape },
        DistSpec::Weibull(weibull) => Dist::Weibull { scale: float(weibull.scale), shape: weibull.shape },
        DistSpec::Gamma(gamma) if gamma.mean.amount() == 0 => Dist::Constant(0),
        DistSpec::Gamma(gamma) => Dist::Gamma { shape: gamma.shape, mean: float(gamma.mean) },
        DistSpec::Mixture(parts) => {
            let part = |part: &crate::scenario::spec::Part<T>| Ok((part.weight, dist(&part.of, leg, files)?));
            Dist::Mixture(parts.iter().map(part).collect::<Result<_, String>>()?)
        }
        DistSpec::Quantiles(quantiles) => {
            let points = match (&quantiles.points, &quantiles.file) {
                (Some(points), _) => points.as_slice(),
                (None, Some(file)) => T::points(files, file).ok_or_else(|| format!("{file}: the file was not read"))?,
                (None, None) => return Err("`points` or `file` is missing".into()),
            };
            Dist::Quantiles(points.iter().map(|point| (point.at.0, float(point.value))).collect())
        }
        DistSpec::Samples(samples) => {
            let file = &samples.file;
            let values = T::samples(files, file).ok_or_else(|| format!("{file}: the file was not read"))?;
            Dist::Samples(values.iter().map(|value| value.amount()).collect())
        }
        DistSpec::Shifted(shifted) => {
            Dist::Shifted { by: shifted.by.amount(), of: Box::new(dist(&shifted.of, leg, files)?) }
        }
        DistSpec::Scaled(scaled) => Dist::Scaled { by: scaled.by, of: Box::new(dist(&scaled.of, leg, files)?) },
        DistSpec::Published(published) => match leg {
            Some(leg) => fit(published.fit, leg),
            None => return Err("`published` is for delays only".into()),
        },
        DistSpec::ByLeg(legs) => {
            let Some(leg) = leg else { return Err("`by_leg` is for delays only".into()) };
            let of_leg = legs.get(leg.name()).or_else(|| legs.get("other"));
            let of_leg = of_leg.ok_or_else(|| format!("no delay for the leg {} – give it or `other`", leg.name()))?;
            dist(of_leg, Some(leg), files)?
        }
    })
}

/// A published fit: the write to a replica has a distribution of its own where that was slower, and all
/// others (acknowledgement, read, response; the legs that the model does not have, too) share one.
fn fit(fit: Fit, leg: Leg) -> Dist {
    match (fit, leg) {
        (Fit::LnkdDisk, Leg::WriteRequest) => Dist::lnkd_disk_write(),
        (Fit::LnkdSsd | Fit::LnkdDisk, _) => Dist::lnkd_ssd(),
        (Fit::Ymmr, Leg::WriteRequest) => Dist::ymmr_write(3.5),
        (Fit::YmmrAsPrinted, Leg::WriteRequest) => Dist::ymmr_write(3.35),
        (Fit::Ymmr | Fit::YmmrAsPrinted, _) => Dist::ymmr_other(),
    }
}

impl Builder<'_> {
    /// A distribution without legs, or an error and a constant.
    pub(super) fn dist<T: InFiles>(&mut self, path: &str, spec: &DistSpec<T>) -> Dist {
        self.checked(path, dist(spec, None, self.files))
    }

    /// A delay, leg by leg.
    pub(super) fn delay(&mut self, path: &str, spec: &DistSpec<Span>) -> Delay {
        Delay { legs: Leg::ALL.map(|leg| self.checked(path, dist(spec, Some(leg), self.files))) }
    }

    fn checked(&mut self, path: &str, dist: Result<Dist, String>) -> Dist {
        match dist.and_then(|dist| dist.check().map(|()| dist)) {
            Ok(dist) => dist,
            Err(reason) => {
                let reason = format!("{path}: {reason}");
                // The legs of a delay share most of what is wrong with it.
                if !self.wrong.contains(&reason) {
                    self.wrong.push(reason);
                }
                Dist::Constant(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::decode::Decode;
    use crate::scenario::errors::Errors;

    fn delay(text: &str, leg: Leg) -> Result<Dist, String> {
        let mut cx = Errors::new("test", text);
        let node = crate::scenario::json::parse(text, false, &mut cx).expect("the text is JSON");
        let spec = DistSpec::<Span>::decode(&node, &mut cx).unwrap_or_else(|| panic!("{cx}"));
        dist(&spec, Some(leg), &Files::default())
    }

    #[test]
    fn a_published_fit_knows_its_legs_also_inside_of_another() {
        let text = r#"{"shifted": {"by": "75ms", "of": {"published": {"fit": "lnkd_disk"}}}}"#;
        let shifted = |of: Dist| Dist::Shifted { by: 75_000_000, of: Box::new(of) };
        assert_eq!(delay(text, Leg::WriteRequest), Ok(shifted(Dist::lnkd_disk_write())));
        for leg in Leg::ALL.into_iter().filter(|&leg| leg != Leg::WriteRequest) {
            assert_eq!(delay(text, leg), Ok(shifted(Dist::lnkd_ssd())));
        }
    }

    #[test]
    fn a_leg_without_a_delay_takes_that_of_the_others() {
        let text = r#"{"by_leg": {"write_ack": "2ms", "other": "1ms"}}"#;
        assert_eq!(delay(text, Leg::WriteAck), Ok(Dist::Constant(2_000_000)));
        assert_eq!(delay(text, Leg::Gossip), Ok(Dist::Constant(1_000_000)));
        assert!(delay(r#"{"by_leg": {"write_ack": "2ms"}}"#, Leg::Gossip).is_err());
    }

    #[test]
    fn a_rate_is_one_over_the_mean() {
        assert_eq!(delay(r#"{"exponential": {"rate": "0.5/ms"}}"#, Leg::Hint), Ok(Dist::Exponential { mean: 2e6 }));
    }

    #[test]
    fn no_width_is_a_constant() {
        assert_eq!(delay(r#"{"normal": {"mean": "5ms", "sd": "0s"}}"#, Leg::Hint), Ok(Dist::Constant(5_000_000)));
        assert_eq!(delay(r#"{"lognormal": {"median": "5ms", "sigma": 0}}"#, Leg::Hint), Ok(Dist::Constant(5_000_000)));
    }
}
