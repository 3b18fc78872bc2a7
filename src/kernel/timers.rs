//! Timeouts: one queue per length, first in, first out.
//!
//! Timeouts of one length fall due in the order in which they were set, so they need no sorting; and
//! nearly all of them are obsolete long before they are due, so the obsolete ones at the head of a lane
//! are dropped whenever the lane is used. Leaving them in a general queue costs half of the speed
//! of a run. A length drawn at random belongs in the event queue instead: here it would open a lane.

use super::time::{SimTime, Span};
use std::collections::VecDeque;

/// A lane: all timeouts of one length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LaneId(u32);

#[derive(Clone, Debug)]
struct Entry<T> {
    at: SimTime,
    seq: u64,
    payload: T,
}

#[derive(Clone, Debug)]
struct Lane<T> {
    after: Span,
    waiting: VecDeque<Entry<T>>,
}

impl<T> Lane<T> {
    fn head(&self) -> Option<(SimTime, u64)> {
        self.waiting.front().map(|entry| (entry.at, entry.seq))
    }
}

/// Timeouts in exact (time, number) order.
#[derive(Clone, Debug)]
pub struct Timers<T> {
    lanes: Vec<Lane<T>>,
    /// The lanes by length.
    by_length: Vec<(Span, LaneId)>,
    /// The least head of all lanes, and whose it is.
    least: Option<((SimTime, u64), LaneId)>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Timers<T> {
    /// No timers.
    pub fn new() -> Timers<T> {
        Timers { lanes: Vec::new(), by_length: Vec::new(), least: None }
    }

    /// The lane of this length, opened if need be. A lane keeps its id for good.
    pub fn lane(&mut self, after: Span) -> LaneId {
        match self.by_length.binary_search_by_key(&after, |&(length, _)| length) {
            Ok(found) => self.by_length[found].1,
            Err(place) => {
                let id = LaneId(u32::try_from(self.lanes.len()).expect("there are fewer than 2^32 lanes"));
                self.lanes.push(Lane { after, waiting: VecDeque::new() });
                self.by_length.insert(place, (after, id));
                id
            }
        }
    }

    /// Sets a timer for `now + after`. The timers at the head of its lane that `is_live` denies are
    /// dropped and will never be due; `seq` decides between timers of one instant.
    ///
    /// # Panics
    /// If `now` goes backwards.
    #[inline]
    pub fn set(&mut self, now: SimTime, after: Span, seq: u64, payload: T, is_live: impl Fn(&T) -> bool) {
        let lane = self.lane(after);
        self.set_in(lane, now, seq, payload, is_live);
    }

    /// As [`Timers::set`], for a lane that the caller already knows.
    ///
    /// # Panics
    /// If `now` goes backwards.
    #[inline]
    pub fn set_in(&mut self, id: LaneId, now: SimTime, seq: u64, payload: T, is_live: impl Fn(&T) -> bool) {
        let lane = &mut self.lanes[id.0 as usize];
        let at = now + lane.after;
        let before = lane.head();
        while lane.waiting.front().is_some_and(|entry| !is_live(&entry.payload)) {
            lane.waiting.pop_front();
        }
        assert!(
            lane.waiting.back().is_none_or(|last| (last.at, last.seq) < (at, seq)),
            "timers of one length are set in the order of time"
        );
        lane.waiting.push_back(Entry { at, seq, payload });
        let head = lane.head();
        if head != before {
            self.head_changed(id, head);
        }
    }

    /// Time and number of the earliest timer.
    #[inline]
    pub fn peek(&self) -> Option<(SimTime, u64)> {
        self.least.map(|(key, _)| key)
    }

    /// Takes the earliest timer out. It may have become obsolete since it was set.
    #[inline]
    pub fn pop(&mut self) -> Option<(SimTime, u64, T)> {
        let (_, id) = self.least?;
        let lane = &mut self.lanes[id.0 as usize];
        let entry = lane.waiting.pop_front().expect("the lane with the least head has a head");
        let head = lane.head();
        self.head_changed(id, head);
        Some((entry.at, entry.seq, entry.payload))
    }

    /// How many timers are held, obsolete ones included.
    pub fn len(&self) -> usize {
        self.lanes.iter().map(|lane| lane.waiting.len()).sum()
    }

    /// Whether no timer is held.
    pub fn is_empty(&self) -> bool {
        self.least.is_none()
    }

    #[inline]
    fn head_changed(&mut self, id: LaneId, head: Option<(SimTime, u64)>) {
        match self.least {
            Some((_, least)) if least == id => self.find_least(),
            Some((key, _)) if head.is_none_or(|head| head > key) => {}
            _ => self.least = head.map(|head| (head, id)),
        }
    }

    fn find_least(&mut self) {
        self.least = None;
        for (index, lane) in self.lanes.iter().enumerate() {
            if let Some(head) = lane.head()
                && self.least.is_none_or(|(key, _)| head < key)
            {
                self.least = Some((head, LaneId(index as u32)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rng::{Purpose, Stream};
    use std::collections::BTreeMap;

    const LIVE: fn(&u64) -> bool = |_| true;

    #[test]
    fn timers_fall_due_in_the_order_of_time() {
        let mut timers = Timers::new();
        timers.set(SimTime(0), Span(100), 0, 7, LIVE);
        timers.set(SimTime(10), Span(20), 1, 8, LIVE);
        timers.set(SimTime(80), Span(20), 2, 9, LIVE);
        assert_eq!(timers.peek(), Some((SimTime(30), 1)));
        let order: Vec<_> = std::iter::from_fn(|| timers.pop()).collect();
        assert_eq!(order, [(SimTime(30), 1, 8), (SimTime(100), 0, 7), (SimTime(100), 2, 9)]);
    }

    #[test]
    fn obsolete_timers_at_the_head_are_dropped_at_the_next_set() {
        let mut timers = Timers::new();
        for seq in 0..1_000 {
            // Each timer is obsolete by the time that the next is set.
            timers.set(SimTime(seq), Span(1_000_000), seq, seq, |&payload| payload + 1 > seq);
        }
        assert_eq!(timers.len(), 1, "only the newest is live");
        assert_eq!(timers.peek(), Some((SimTime(1_000_999), 999)));
    }

    #[test]
    fn the_order_is_that_of_a_plain_sorted_map() {
        for seed in 0..20 {
            let mut luck = Stream::new(seed, Purpose::Chaos, 1);
            let mut timers = Timers::new();
            let mut plain = BTreeMap::new();
            let mut now = SimTime(0);
            for seq in 0..3_000 {
                now += Span(luck.below(50));
                while timers.peek().is_some_and(|(at, _)| at <= now) {
                    let (at, seq, payload) = timers.pop().expect("what was peeked can be popped");
                    assert_eq!(plain.pop_first(), Some(((at, seq), payload)), "seed {seed}");
                }
                let after = Span([10, 1_000, 1_000, 5_000, 0][luck.below(5) as usize]);
                timers.set(now, after, seq, seq, LIVE);
                plain.insert((now + after, seq), seq);
                assert_eq!(timers.peek(), plain.first_key_value().map(|(&key, _)| key), "seed {seed}");
            }
            assert_eq!(timers.len(), plain.len());
        }
    }

    #[test]
    fn live_timers_are_never_lost_whatever_is_dropped() {
        for seed in 0..20 {
            let mut luck = Stream::new(seed, Purpose::Chaos, 6);
            let mut timers = Timers::new();
            let mut live = BTreeMap::new();
            let (mut now, mut dropped) = (SimTime(0), 0);
            for seq in 0..3_000u64 {
                now += Span(luck.below(50));
                while timers.peek().is_some_and(|(at, _)| at <= now) {
                    let (at, seq, _) = timers.pop().expect("what was peeked can be popped");
                    if live.first_key_value() == Some((&(at, seq), &seq)) {
                        live.pop_first();
                    } else {
                        assert!(!live.contains_key(&(at, seq)), "nothing overtakes a live timer (seed {seed})");
                    }
                }
                assert!(live.first_key_value().is_none_or(|(key, _)| key.0 > now), "nothing live is overdue");
                // Most timers become obsolete before they are due.
                if luck.chance(0.9) && !live.is_empty() {
                    let nth = luck.below(live.len() as u64) as usize;
                    let key = *live.keys().nth(nth).expect("there are so many");
                    live.remove(&key);
                }
                let after = Span([10, 1_000, 5_000][luck.below(3) as usize]);
                let held = timers.len();
                timers.set(now, after, seq, seq, |timer| live.values().any(|seq| seq == timer));
                dropped += held + 1 - timers.len();
                live.insert((now + after, seq), seq);
            }
            assert!(dropped > 500, "obsolete timers were dropped, {dropped} of them");
        }
    }
}
