//! Phi accrual: how unlikely a peer's silence is, from the intervals between its heartbeats.
//!
//! Source: Hayashibara, Défago, Yared, Katayama, "The φ accrual failure detector", 2004, with exponential
//! intervals as in Cassandra: φ = −log10 P(no heartbeat for t) = t / mean × log10 e. So a threshold of 8
//! convicts after 18.42 mean intervals, wrongly once in 10^8 heartbeats if intervals are exponential.
//! This file does not know who sends heartbeats, nor what suspicion does.

use std::collections::VecDeque;

use crate::kernel::time::{SimTime, Span};

/// Intervals are kept in these many nanoseconds, so that one takes four bytes.
const UNIT: u64 = 1_000;

/// The last intervals between one peer's heartbeats.
#[derive(Clone, Debug)]
pub struct Arrivals {
    /// In units of [`UNIT`].
    intervals: VecDeque<u32>,
    sum: u64,
    last_at: SimTime,
    /// Whether a heartbeat has come at all: it takes two to make an interval.
    heard: bool,
}

impl Arrivals {
    /// Nothing has come yet; silence counts from now.
    pub fn since(now: SimTime) -> Arrivals {
        Arrivals { intervals: VecDeque::new(), sum: 0, last_at: now, heard: false }
    }

    /// A heartbeat has come. Of the intervals the last `window` are kept.
    pub fn record(&mut self, now: SimTime, window: u32) {
        if !self.heard {
            self.heard = true;
            self.last_at = now;
            return;
        }
        let interval = u32::try_from(now.since(self.last_at).0 / UNIT).unwrap_or(u32::MAX);
        while self.intervals.len() >= window.max(1) as usize {
            self.sum -= u64::from(self.intervals.pop_front().expect("it has at least one interval"));
        }
        self.intervals.push_back(interval);
        self.sum += u64::from(interval);
        self.last_at = now;
    }

    /// The peer lives, but this was no regular heartbeat: silence counts from now, no interval is kept.
    pub fn seen(&mut self, now: SimTime) {
        self.last_at = self.last_at.max(now);
    }

    /// The level of suspicion. While no interval is known, `period` stands for the mean.
    pub fn phi(&self, now: SimTime, period: Span) -> f64 {
        let mean = match self.intervals.len() {
            0 => period.0 as f64,
            count => (self.sum * UNIT) as f64 / count as f64,
        };
        now.since(self.last_at).0 as f64 / mean.max(1.0) * std::f64::consts::LOG10_E
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::math;
    use crate::kernel::rng::{Purpose, Stream};

    fn ms(ms: u64) -> SimTime {
        SimTime::ZERO + Span::from_ms(ms)
    }

    #[test]
    fn phi_is_that_of_cassandras_arrival_window() {
        let mut arrivals = Arrivals::since(SimTime::ZERO);
        for at in [111, 222, 333, 444, 555] {
            arrivals.record(ms(at), 4);
        }
        assert_eq!(arrivals.intervals.len(), 4);
        assert!((arrivals.phi(ms(666), Span::from_secs(1)) - std::f64::consts::LOG10_E).abs() < 0.01);
        assert!((arrivals.phi(ms(3000), Span::from_secs(1)) - 9.566).abs() < 0.01);
    }

    #[test]
    fn threshold_8_convicts_after_18_42_mean_intervals() {
        let mut arrivals = Arrivals::since(SimTime::ZERO);
        for at in 1..=10 {
            arrivals.record(ms(at * 100), 5);
        }
        assert!(arrivals.phi(ms(1_000 + 1_842), Span::from_secs(1)) < 8.0);
        assert!(arrivals.phi(ms(1_000 + 1_843), Span::from_secs(1)) > 8.0);
    }

    #[test]
    fn the_mean_is_the_period_before_an_interval_is_known_and_the_windows_after() {
        let mut arrivals = Arrivals::since(ms(50));
        let after = |arrivals: &Arrivals, span: u64| {
            arrivals.phi(SimTime(arrivals.last_at.0 + Span::from_ms(span).0), Span::from_ms(10))
        };
        assert!((after(&arrivals, 10) - std::f64::consts::LOG10_E).abs() < 1e-12);
        for at in [50, 150, 250, 260, 270] {
            arrivals.record(ms(at), 2);
        }
        assert!(
            (after(&arrivals, 10) - std::f64::consts::LOG10_E).abs() < 1e-12,
            "the long intervals have left the window"
        );
    }

    #[test]
    fn a_threshold_is_wrong_as_often_as_it_says() {
        // Exponential intervals of a known mean: P(φ > 1 before the next heartbeat) = 10^-1.
        let mut stream = Stream::new(7, Purpose::Phase, 0);
        let mut arrivals = Arrivals::since(SimTime::ZERO);
        let (mut now, mut wrong, heartbeats) = (0u64, 0u32, 40_000);
        for _ in 0..heartbeats {
            now += (-math::ln(1.0 - stream.unit()) * 1e9) as u64;
            wrong += u32::from(arrivals.phi(SimTime(now), Span::from_secs(1)) > 1.0);
            arrivals.record(SimTime(now), 1000);
        }
        let share = f64::from(wrong) / f64::from(heartbeats);
        // 4.5 standard errors, and 1 % for the window's own error.
        assert!((share - 0.1).abs() < 4.5 * (0.09f64 / f64::from(heartbeats)).sqrt() + 0.001, "{share}");
    }
}
