//! Admission control of background tasks (Dynamo §6.5): a controller watches how long foreground reads take
//! at this node and grants background tasks more or fewer slices of storage, so that "the foreground operations'
//! performance is not affected".
//!
//! Every second it looks at a percentile of the read latencies of the last while. Above the target it halves the
//! slices, below it adds one; one is always left, so that the work ends some day. It does not know the tasks.

use std::collections::VecDeque;

use crate::kernel::time::{SimTime, Span};
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::config::Background;
use crate::node::outputs::{Outputs, Wake};

/// How often the controller looks.
pub(super) const LOOK_EVERY: Span = Span::from_secs(1);
/// Latencies below 2^LOWEST ns share the first bucket.
const LOWEST: u32 = 13;
/// Buckets of an octave, as a power of two: a bucket is at most an eighth wide.
const PER_OCTAVE_BITS: u32 = 3;
/// Buckets: 24 octaves, from 8 µs to 137 s.
const BUCKETS: usize = 24 << PER_OCTAVE_BITS;
/// Slots that the watched time is cut into, at most.
const SLOTS_MAX: u64 = 60;

/// Counts of latencies in buckets of equal width within an octave.
#[derive(Clone, Debug)]
struct Counts([u32; BUCKETS]);

impl Counts {
    const EMPTY: Counts = Counts([0; BUCKETS]);

    fn bucket(latency: Span) -> usize {
        let value = latency.0.max(1 << LOWEST);
        let octave = 63 - value.leading_zeros();
        let within = (value >> (octave - PER_OCTAVE_BITS)) & ((1 << PER_OCTAVE_BITS) - 1);
        (((octave - LOWEST) << PER_OCTAVE_BITS) as usize + within as usize).min(BUCKETS - 1)
    }

    /// The least latency of a bucket, in nanoseconds.
    fn edge(bucket: usize) -> u64 {
        let octave = LOWEST + (bucket >> PER_OCTAVE_BITS) as u32;
        let within = (bucket & ((1 << PER_OCTAVE_BITS) - 1)) as u64;
        (1 << octave) + (within << (octave - PER_OCTAVE_BITS))
    }
}

/// A percentile over a sliding time.
#[derive(Clone, Debug)]
pub struct SlidingPercentile {
    slot_length: Span,
    slots_max: u64,
    slots: VecDeque<Counts>,
    slot_began_at: SimTime,
    total: Counts,
    count: u64,
}

impl SlidingPercentile {
    /// Nothing watched yet; looks back so far.
    pub fn new(over: Span) -> SlidingPercentile {
        let slot_length = Span((over.0 / SLOTS_MAX).max(LOOK_EVERY.0));
        SlidingPercentile {
            slot_length,
            slots_max: over.0.div_ceil(slot_length.0).max(1),
            slots: VecDeque::from([Counts::EMPTY]),
            slot_began_at: SimTime::ZERO,
            total: Counts::EMPTY,
            count: 0,
        }
    }

    /// Takes in a latency.
    pub fn record(&mut self, now: SimTime, latency: Span) {
        self.advance(now);
        let bucket = Counts::bucket(latency);
        self.slots.back_mut().expect("there is always a slot").0[bucket] += 1;
        self.total.0[bucket] += 1;
        self.count += 1;
    }

    /// The percentile (0 … 1) of what was taken in lately, within a bucket's width; `None` if nothing was.
    pub fn percentile(&mut self, now: SimTime, percentile: f64) -> Option<Span> {
        self.advance(now);
        if self.count == 0 {
            return None;
        }
        let rank = percentile * self.count as f64;
        let mut below = 0u64;
        for (bucket, &count) in self.total.0.iter().enumerate() {
            let up_to = below + u64::from(count);
            if up_to as f64 >= rank && count > 0 {
                let share = ((rank - below as f64) / f64::from(count)).clamp(0.0, 1.0);
                let (low, high) = (Counts::edge(bucket), Counts::edge(bucket + 1));
                return Some(Span(low + ((high - low) as f64 * share) as u64));
            }
            below = up_to;
        }
        unreachable!("the buckets hold all that was counted")
    }

    /// Begins new slots and forgets old ones.
    fn advance(&mut self, now: SimTime) {
        while now.since(self.slot_began_at) >= self.slot_length {
            let passed = now.since(self.slot_began_at).0 / self.slot_length.0;
            if passed > self.slots_max {
                // All of it is too old.
                self.slots = VecDeque::from([Counts::EMPTY]);
                (self.total, self.count) = (Counts::EMPTY, 0);
                self.slot_began_at += Span(passed * self.slot_length.0);
                continue;
            }
            self.slot_began_at += self.slot_length;
            self.slots.push_back(Counts::EMPTY);
            if self.slots.len() as u64 > self.slots_max {
                let old = self.slots.pop_front().expect("a slot was added just now");
                for (total, count) in self.total.0.iter_mut().zip(old.0) {
                    *total -= count;
                    self.count -= u64::from(count);
                }
            }
        }
    }
}

/// The controller. Memory: a crash forgets what it saw.
#[derive(Clone, Debug)]
pub struct Controller {
    latencies: SlidingPercentile,
    slices: u32,
}

impl Controller {
    /// A controller that has seen nothing and grants all `slices`.
    pub fn new(over: Span, slices: u32) -> Controller {
        Controller { latencies: SlidingPercentile::new(over), slices: slices.max(1) }
    }

    /// A foreground read has taken so long, its wait included.
    pub fn record(&mut self, now: SimTime, latency: Span) {
        self.latencies.record(now, latency);
    }

    /// Looks, and says how many slices are granted from now on: between one and `most`.
    pub fn look(&mut self, now: SimTime, target: Span, percentile: f64, most: u32) -> u32 {
        let slow = self.latencies.percentile(now, percentile).is_some_and(|latency| latency > target);
        self.slices = if slow { self.slices / 2 } else { self.slices + 1 }.clamp(1, most.max(1));
        self.slices
    }
}

impl Node {
    /// The controller's second.
    pub(super) fn on_admission_time(&mut self, commons: &mut Commons, now: SimTime, out: &mut Outputs) {
        let Background::Admission { target, percentile, slices, .. } = commons.config.storage.background else {
            return;
        };
        out.wake(LOOK_EVERY, Wake::Admission);
        let Some(controller) = &mut self.memory.admission else { return };
        let granted = controller.look(now, target, percentile, slices);
        self.stats.slices_granted += u64::from(granted);
        self.stats.slice_samples += 1;
        self.memory.storage.slices = Some(granted);
        self.start_jobs(commons, now, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + Span::from_secs(seconds)
    }

    #[test]
    fn slices_fall_while_reads_are_slow_and_come_back_one_by_one() {
        let mut controller = Controller::new(Span::from_secs(10), 16);
        let look = |controller: &mut Controller, second| controller.look(at(second), Span::from_ms(50), 0.99, 16);
        let mut granted = Vec::new();
        for second in 0..40 {
            for _ in 0..100 {
                controller
                    .record(at(second), if (5..10).contains(&second) { Span::from_ms(80) } else { Span::from_ms(4) });
            }
            granted.push(look(&mut controller, second));
        }
        assert_eq!(granted[..10], [16, 16, 16, 16, 16, 8, 4, 2, 1, 1]);
        assert!(
            granted[10..18].iter().all(|&slices| slices == 1),
            "the slow reads are still among the last ten seconds"
        );
        assert_eq!(granted[39], 16);
        assert!(granted[19..].windows(2).all(|pair| pair[1] <= pair[0] + 1 && pair[1] >= pair[0]));
    }

    #[test]
    fn a_percentile_is_right_within_an_eighth() {
        for (percentile, expected) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0)] {
            let mut sliding = SlidingPercentile::new(Span::from_secs(60));
            for us in 1..=1_000u64 {
                sliding.record(at(1), Span::from_us(us));
            }
            let found = sliding.percentile(at(2), percentile).unwrap().0 as f64 / 1e3;
            assert!((found / expected - 1.0).abs() < 0.125, "{percentile}: {found}");
        }
    }

    #[test]
    fn what_is_old_is_forgotten_also_after_a_long_pause() {
        let mut sliding = SlidingPercentile::new(Span::from_secs(5));
        sliding.record(at(1), Span::from_ms(100));
        assert!(sliding.percentile(at(5), 0.5).is_some());
        assert_eq!(sliding.percentile(at(6), 0.5), None);
        sliding.record(at(7), Span::from_ms(100));
        assert_eq!(sliding.percentile(at(1_000_000), 0.5), None);
    }

    #[test]
    fn every_latency_lies_between_the_edges_of_its_bucket() {
        for shift in 0..45 {
            for latency in [1u64 << shift, (1 << shift) + (1 << shift) / 3, (1 << (shift + 1)) - 1] {
                let bucket = Counts::bucket(Span(latency));
                assert!(bucket == 0 || Counts::edge(bucket) <= latency, "{latency}");
                assert!(bucket == BUCKETS - 1 || latency < Counts::edge(bucket + 1), "{latency}");
            }
        }
    }
}
