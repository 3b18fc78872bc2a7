//! Virtual time: whole nanoseconds since the run began, checked.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub};

/// A length of virtual time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Span(pub u64);

/// An instant: nanoseconds since the run began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SimTime(pub u64);

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);
    /// The longest span that a scenario may name: 292 years.
    pub const MAX: Span = Span(i64::MAX as u64);

    /// Whole microseconds.
    pub const fn from_us(us: u64) -> Span {
        Span(us * 1_000)
    }
    /// Whole milliseconds.
    pub const fn from_ms(ms: u64) -> Span {
        Span(ms * 1_000_000)
    }
    /// Whole seconds.
    pub const fn from_secs(s: u64) -> Span {
        Span(s * 1_000_000_000)
    }
    /// In milliseconds, as results are written.
    pub fn as_ms(self) -> f64 {
        self.0 as f64 / 1e6
    }
    /// In seconds.
    pub fn as_secs(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl SimTime {
    /// The beginning of the run.
    pub const ZERO: SimTime = SimTime(0);
    /// Never: later than every event.
    pub const MAX: SimTime = SimTime(u64::MAX);

    /// The span from `earlier` to this instant; zero if `earlier` is later.
    pub const fn since(self, earlier: SimTime) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
    /// In milliseconds, as results are written.
    pub fn as_ms(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl Add<Span> for SimTime {
    type Output = SimTime;
    fn add(self, span: Span) -> SimTime {
        SimTime(self.0.checked_add(span.0).expect("virtual time stays below 2^64 ns"))
    }
}
impl AddAssign<Span> for SimTime {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}
impl Sub<SimTime> for SimTime {
    type Output = Span;
    fn sub(self, earlier: SimTime) -> Span {
        Span(self.0.checked_sub(earlier.0).expect("an instant is not before the one it is compared with"))
    }
}
impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.checked_add(other.0).expect("a span stays below 2^64 ns"))
    }
}
impl Sub for Span {
    type Output = Span;
    fn sub(self, other: Span) -> Span {
        Span(self.0.checked_sub(other.0).expect("a span is not shorter than what is taken from it"))
    }
}
impl Mul<u64> for Span {
    type Output = Span;
    fn mul(self, times: u64) -> Span {
        Span(self.0.checked_mul(times).expect("a span stays below 2^64 ns"))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0 {
            0 => return write!(f, "0s"),
            n if n < 1_000 => (n as f64, "ns"),
            n if n < 1_000_000 => (n as f64 / 1e3, "us"),
            n if n < 1_000_000_000 => (n as f64 / 1e6, "ms"),
            n => (n as f64 / 1e9, "s"),
        };
        write!(f, "{value}{unit}")
    }
}
impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}ms", self.as_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_spans_add_up() {
        let begun = SimTime::ZERO + Span::from_ms(2);
        let ended = begun + Span::from_us(500) * 3;
        assert_eq!(ended - begun, Span(1_500_000));
        assert_eq!(ended.since(begun), Span::from_ms(2) - Span::from_us(500));
        assert_eq!(begun.since(ended), Span::ZERO, "since does not go below zero");
        assert_eq!(ended.to_string(), "3.500000ms");
    }

    #[test]
    fn spans_are_shown_in_the_unit_that_fits() {
        let shown = [0, 7, 1_500, 2_000_000, 1_500_000_000].map(|ns| Span(ns).to_string());
        assert_eq!(shown, ["0s", "7ns", "1.5us", "2ms", "1.5s"]);
    }

    #[test]
    #[should_panic(expected = "virtual time stays below 2^64 ns")]
    fn time_does_not_wrap() {
        let _ = SimTime::MAX + Span(1);
    }
}
