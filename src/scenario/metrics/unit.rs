//! Units of metrics, and bounds in them.

use super::super::scalars::{parse_duration, parse_rate, parse_size};
use super::super::spec::Scalar;

/// The unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// From 0 to 1.
    Fraction,
    /// Milliseconds; bounds are durations.
    Ms,
    /// Bytes; bounds are sizes.
    Bytes,
    /// A second; bounds are rates.
    PerSecond,
    /// For each client operation.
    PerOp,
    /// One number over another.
    Ratio,
}

impl Unit {
    /// What follows the path as a file's column.
    pub fn suffix(self) -> &'static str {
        match self {
            Unit::Ms => "_ms",
            Unit::Bytes => "_bytes",
            Unit::PerSecond => "_per_s",
            Unit::Count | Unit::Fraction | Unit::PerOp | Unit::Ratio => "",
        }
    }

    /// How a bound is written.
    pub fn allowed(self) -> &'static str {
        match self {
            Unit::Count => "a number",
            Unit::Fraction => "a fraction like 0.99",
            Unit::Ms => "a duration like \"5ms\"",
            Unit::Bytes => "a size like \"4kB\"",
            Unit::PerSecond => "a rate like \"10/s\"",
            Unit::PerOp => "a number for each operation",
            Unit::Ratio => "a ratio like 1.5",
        }
    }

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
