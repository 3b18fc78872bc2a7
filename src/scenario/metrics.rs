//! Metrics as a scenario names them: paths with a hint where they are unknown, and bounds in a metric's unit.
//!
//! The vocabulary itself is [`crate::measure::metrics`].

use super::errors::{nearest, suggestion};
use super::scalars::{parse_duration, parse_rate, parse_size};
use super::spec::Scalar;
use crate::measure::metrics::{Metric, Unit};
use crate::node::marks::Mark;

impl Metric {
    /// The metric of a path.
    ///
    /// # Errors
    /// That it is unknown, with the nearest path.
    pub fn parse(path: &str) -> Result<Metric, String> {
        match Metric::from_path(path) {
            Some(Metric::Marks(name)) if Mark::from_name(&name.0).is_none() => {
                let hint = suggestion(&name.0, Mark::ALL.iter().map(|mark| mark.name()));
                return Err(format!("unknown mark {:?}{hint}", name.0));
            }
            Some(metric) => return Ok(metric),
            None => {}
        }
        let known: Vec<String> = Metric::all().iter().map(Metric::to_string).collect();
        Err(match nearest(path, known.iter().map(String::as_str)) {
            Some(near) => format!("unknown metric {path:?}; did you mean `{near}`?"),
            None => format!("unknown metric {path:?}; the reference lists them"),
        })
    }
}

impl Unit {
    /// A bound as a number in this unit.
    ///
    /// # Errors
    /// Why the value is in another unit.
    pub fn parse(self, bound: &Scalar) -> Result<f64, String> {
        let other = || format!("not in the metric's unit (got {}, allowed {})", shown(bound), self.allowed());
        match (self, bound) {
            (Unit::Ms, Scalar::Text(text)) => {
                let (sign, text) = text.strip_prefix('-').map_or((1.0, text.as_str()), |rest| (-1.0, rest));
                parse_duration(text).map(|span| sign * span.as_ms()).map_err(|_| other())
            }
            (Unit::Bytes, Scalar::Text(text)) => parse_size(text).map(|size| size.0 as f64).map_err(|_| other()),
            (Unit::PerSecond, Scalar::Text(text)) => {
                parse_rate(text).map(|rate| rate.per_second()).map_err(|_| other())
            }
            (Unit::Ms | Unit::Bytes | Unit::PerSecond, _) => Err(other()),
            (_, Scalar::Number(text)) => match text.parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(value),
                _ => Err(other()),
            },
            _ => Err(other()),
        }
    }
}

fn shown(bound: &Scalar) -> String {
    match bound {
        Scalar::Text(text) => format!("{text:?}"),
        other => other.label(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_in_the_metrics_unit() {
        assert_eq!(Unit::Ms.parse(&Scalar::Text("5ms".into())), Ok(5.0));
        assert_eq!(Unit::PerSecond.parse(&Scalar::Text("60/min".into())), Ok(1.0));
        assert!(Unit::Ms.parse(&Scalar::Number("5".into())).is_err());
        assert!(Unit::Fraction.parse(&Scalar::Text("5ms".into())).is_err());
    }

    #[test]
    fn an_unknown_path_gets_the_nearest() {
        let message = Metric::parse("get.latency.p99_9").expect_err("there is no such metric");
        assert!(message.contains("did you mean `get.latency.p99"), "{message}");
        assert_eq!(
            Metric::parse("marks.hint_store").expect_err("there is no such mark"),
            "unknown mark \"hint_store\"; did you mean `hint_stored`?"
        );
        assert!(Metric::parse("marks.hint_stored").is_ok());
        assert!(Metric::parse("fresh_at(x)").is_err() && Metric::parse("").is_err());
    }
}
