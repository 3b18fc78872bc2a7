//! What happens next: the event queue, the timeouts, and the one counter that numbers both.
//!
//! Simultaneous things happen in the order in which they were scheduled, whether event or timer; that is
//! a promise to everything above. The agenda holds the present and moves it; it knows nothing of what its
//! events mean.

use super::queue::Queue;
use super::time::{SimTime, Span};
use super::timers::{LaneId, Timers};

/// Something that has fallen due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due<E, T> {
    /// An event.
    Event(E),
    /// A timer, which may have become obsolete.
    Timer(T),
}

/// Events and timers in the order of (time, number).
#[derive(Clone, Debug)]
pub struct Agenda<E, T> {
    events: Queue<E>,
    timers: Timers<T>,
    next_seq: u64,
    now: SimTime,
}

impl<E, T> Default for Agenda<E, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E, T> Agenda<E, T> {
    /// An empty agenda at the beginning of time.
    pub fn new() -> Agenda<E, T> {
        Agenda { events: Queue::new(), timers: Timers::new(), next_seq: 0, now: SimTime::ZERO }
    }

    /// The present: the time of what fell due last.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// Schedules an event; gives its number.
    ///
    /// # Panics
    /// If `at` is in the past.
    #[inline(always)]
    pub fn schedule(&mut self, at: SimTime, event: E) -> u64 {
        assert!(at >= self.now, "nothing is scheduled in the past");
        let seq = self.number();
        self.events.push(at, seq, event);
        seq
    }

    /// Sets a timer for `now + after`; gives its number. Timers of the same length for which `is_live`
    /// is false may be dropped unseen. Lengths should be few: see [`Timers`].
    ///
    /// # Panics
    /// If `now` is in the past.
    #[inline]
    pub fn set_timer(&mut self, now: SimTime, after: Span, timer: T, is_live: impl Fn(&T) -> bool) -> u64 {
        let lane = self.timers.lane(after);
        self.set_timer_in(lane, now, timer, is_live)
    }

    /// As [`Agenda::set_timer`], for a lane that the caller already knows.
    ///
    /// # Panics
    /// If `now` is in the past.
    #[inline]
    pub fn set_timer_in(&mut self, lane: LaneId, now: SimTime, timer: T, is_live: impl Fn(&T) -> bool) -> u64 {
        assert!(now >= self.now, "no timer is set in the past");
        let seq = self.number();
        self.timers.set_in(lane, now, seq, timer, is_live);
        seq
    }

    /// The lane of timers of this length.
    pub fn lane(&mut self, after: Span) -> LaneId {
        self.timers.lane(after)
    }

    /// When the next thing falls due.
    #[inline]
    pub fn peek_time(&mut self) -> Option<SimTime> {
        let event = self.events.peek().map(|(at, _)| at);
        let timer = self.timers.peek().map(|(at, _)| at);
        match (event, timer) {
            (Some(event), Some(timer)) => Some(event.min(timer)),
            (event, timer) => event.or(timer),
        }
    }

    /// Takes out what falls due next, with its time and number, and moves the present there.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "the agenda grows while it is read, so it is no iterator")]
    pub fn next(&mut self) -> Option<(SimTime, u64, Due<E, T>)> {
        let timer_first = match (self.events.peek(), self.timers.peek()) {
            (Some(event), Some(timer)) => timer < event,
            (event, _) => event.is_none(),
        };
        let (at, seq, due) = if timer_first {
            let (at, seq, timer) = self.timers.pop()?;
            (at, seq, Due::Timer(timer))
        } else {
            let (at, seq, event) = self.events.pop()?;
            (at, seq, Due::Event(event))
        };
        debug_assert!(at >= self.now, "time does not go backwards");
        self.now = at;
        Some((at, seq, due))
    }

    /// As [`Agenda::next`], unless that would be later than `limit`.
    #[inline]
    pub fn next_until(&mut self, limit: SimTime) -> Option<(SimTime, u64, Due<E, T>)> {
        if self.peek_time()? > limit {
            return None;
        }
        self.next()
    }

    /// How many events are pending.
    pub fn event_count(&self) -> usize {
        self.events.len()
    }

    /// How many timers are held, obsolete ones included.
    pub fn timer_count(&self) -> usize {
        self.timers.len()
    }

    #[inline]
    fn number(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rng::{Purpose, Stream};
    use std::collections::BTreeMap;

    #[test]
    fn events_and_timers_share_one_order() {
        let mut agenda = Agenda::new();
        agenda.schedule(SimTime(100), "message");
        agenda.set_timer(SimTime(0), Span(100), "timeout", |_| true);
        agenda.schedule(SimTime(100), "late message");
        agenda.schedule(SimTime(50), "early message");
        assert_eq!(agenda.peek_time(), Some(SimTime(50)));
        assert_eq!(agenda.next_until(SimTime(49)), None);
        let order: Vec<_> = std::iter::from_fn(|| agenda.next()).collect();
        assert_eq!(
            order,
            [
                (SimTime(50), 3, Due::Event("early message")),
                (SimTime(100), 0, Due::Event("message")),
                (SimTime(100), 1, Due::Timer("timeout")),
                (SimTime(100), 2, Due::Event("late message")),
            ]
        );
        assert_eq!(agenda.now(), SimTime(100));
    }

    #[test]
    #[should_panic(expected = "nothing is scheduled in the past")]
    fn the_past_is_closed() {
        let mut agenda = Agenda::<(), ()>::new();
        agenda.schedule(SimTime(10), ());
        agenda.next();
        agenda.schedule(SimTime(9), ());
    }

    #[test]
    fn a_busy_agenda_agrees_with_a_sorted_map() {
        for seed in 0..20 {
            let mut luck = Stream::new(seed, Purpose::Chaos, 2);
            let mut agenda = Agenda::new();
            let mut plain = BTreeMap::new();
            agenda.schedule(SimTime(0), 0u64);
            plain.insert((SimTime(0), 0), Due::Event(0u64));
            let mut stop_at = 5_000;
            while let Some((at, seq, due)) = agenda.next() {
                assert_eq!(plain.pop_first(), Some(((at, seq), due)), "seed {seed}");
                if stop_at == 0 {
                    continue;
                }
                stop_at -= 1;
                for _ in 0..luck.below(3) + u64::from(plain.is_empty()) {
                    let name = luck.bits();
                    if luck.chance(0.5) {
                        let after = Span([0, 3_000, 1_000_000][luck.below(3) as usize]);
                        let seq = agenda.set_timer(at, after, name, |_| true);
                        plain.insert((at + after, seq), Due::Timer(name));
                    } else {
                        let reach = luck.below(24);
                        let when = at + Span(luck.below(1 << reach));
                        let seq = agenda.schedule(when, name);
                        plain.insert((when, seq), Due::Event(name));
                    }
                }
                if luck.chance(0.5) {
                    assert_eq!(agenda.peek_time(), plain.first_key_value().map(|(key, _)| key.0), "seed {seed}");
                }
            }
            assert!(plain.is_empty(), "nothing was forgotten (seed {seed})");
        }
    }
}
