//! Units of metrics: how columns show them.

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
}
