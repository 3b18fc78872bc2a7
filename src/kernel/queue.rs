//! The event queue: a hierarchical timing wheel that yields events in exact (time, number) order.
//!
//! Nine levels of 64 slots; a slot of the lowest level is a granule of 2^12 ns, a slot of the next is
//! 64 of those, and so on past the end of time. A push finds its slot from the highest bit in which its
//! granule differs from the current one, and a pop takes the last of the current granule, which is kept
//! sorted. Payloads lie in a slab whose free cells are reused last in, first out, so that they stay in
//! the nearest cache. It knows nothing of what an event is, nor who numbers them (see `agenda`).

use super::time::SimTime;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const GRANULE_BITS: u32 = 12;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const LEVELS: usize = (64 - GRANULE_BITS).div_ceil(SLOT_BITS) as usize;

const SEQ_BITS: u32 = 40;
const CELL_BITS: u32 = 24;

/// Time (64 bits), number (40) and cell of the slab (24), so that one comparison settles the order.
type Key = u128;

fn key(at: SimTime, seq: u64, cell: u32) -> Key {
    u128::from(at.0) << 64 | u128::from(seq << CELL_BITS | u64::from(cell))
}
fn time_of(key: Key) -> SimTime {
    SimTime((key >> 64) as u64)
}
fn seq_of(key: Key) -> u64 {
    key as u64 >> CELL_BITS
}
fn cell_of(key: Key) -> usize {
    (key as u64 & ((1 << CELL_BITS) - 1)) as usize
}
fn granule_of(key: Key) -> u64 {
    (key >> (64 + GRANULE_BITS)) as u64
}

#[derive(Clone, Debug)]
enum Cell<T> {
    Full(T),
    /// Free, and which cell was freed before this one.
    Free(u32),
}

/// No cell: the end of the free list.
const NONE: u32 = u32::MAX;

/// Events in the order of their time, and of their number where times are equal.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    /// The granule that `current` holds; the wheel holds later ones only.
    granule: u64,
    /// The events of the current granule, latest first.
    current: Vec<Key>,
    /// Events pushed for before the current granule: a peek had already turned the wheel past them.
    early: BinaryHeap<Reverse<Key>>,
    slots: Vec<Vec<Key>>,
    /// Per level, which slots hold events.
    occupied: [u64; LEVELS],
    cells: Vec<Cell<T>>,
    free: u32,
    len: usize,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Queue<T> {
    /// An empty queue.
    pub fn new() -> Queue<T> {
        Queue {
            granule: 0,
            current: Vec::new(),
            early: BinaryHeap::new(),
            slots: (0..LEVELS * SLOTS).map(|_| Vec::new()).collect(),
            occupied: [0; LEVELS],
            cells: Vec::new(),
            free: NONE,
            len: 0,
        }
    }

    /// Adds an event. `seq` decides between events of one instant; no two events may share both.
    ///
    /// # Panics
    /// If `seq` is 2^40 or more, or 2^24 events are pending.
    #[inline]
    pub fn push(&mut self, at: SimTime, seq: u64, payload: T) {
        assert!(seq < 1 << SEQ_BITS, "a run schedules fewer than 2^40 events");
        let cell = self.store(payload);
        self.len += 1;
        self.place(key(at, seq, cell));
    }

    /// Time and number of the earliest event.
    #[inline]
    pub fn peek(&mut self) -> Option<(SimTime, u64)> {
        self.least().map(|key| (time_of(key), seq_of(key)))
    }

    /// Takes the earliest event out.
    #[inline]
    pub fn pop(&mut self) -> Option<(SimTime, u64, T)> {
        let key = if self.early.is_empty() {
            if self.current.is_empty() {
                self.turn();
            }
            self.current.pop()?
        } else {
            self.early.pop()?.0
        };
        self.len -= 1;
        let cell = cell_of(key);
        let Cell::Full(payload) = std::mem::replace(&mut self.cells[cell], Cell::Free(self.free)) else {
            panic!("the payload of a pending event is in its cell");
        };
        self.free = cell as u32;
        Some((time_of(key), seq_of(key), payload))
    }

    /// How many events are pending.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no event is pending.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    fn store(&mut self, payload: T) -> u32 {
        let cell = self.free;
        if cell == NONE {
            assert!(self.cells.len() < 1 << CELL_BITS, "fewer than 2^24 events are pending at once");
            self.cells.push(Cell::Full(payload));
            return self.cells.len() as u32 - 1;
        }
        let Cell::Free(next) = std::mem::replace(&mut self.cells[cell as usize], Cell::Full(payload)) else {
            panic!("a cell on the free list is free");
        };
        self.free = next;
        cell
    }

    #[inline]
    fn place(&mut self, key: Key) {
        let granule = granule_of(key);
        if granule > self.granule {
            let level = ((granule ^ self.granule).ilog2() / SLOT_BITS) as usize;
            let slot = (granule >> (level as u32 * SLOT_BITS)) as usize % SLOTS;
            self.occupied[level] |= 1 << slot;
            self.slots[level * SLOTS + slot].push(key);
        } else if granule == self.granule {
            // Latest first: what happens next is at the end, where an insertion moves little.
            let at = self.current.partition_point(|&other| other > key);
            self.current.insert(at, key);
        } else {
            self.early.push(Reverse(key));
        }
    }

    /// The least key. Turns the wheel to the next granule with events if the current one has none.
    #[inline]
    fn least(&mut self) -> Option<Key> {
        if let Some(&Reverse(key)) = self.early.peek() {
            // Everything early is in a granule before the current one.
            return Some(key);
        }
        if self.current.is_empty() {
            self.turn();
        }
        self.current.last().copied()
    }

    /// Makes the next granule with events the current one; does nothing if there is none.
    fn turn(&mut self) {
        while self.current.is_empty() {
            // A lower level holds what is nearer: its slots share all higher bits with the present.
            let Some(level) = self.occupied.iter().position(|&slots| slots != 0) else { return };
            let slot = self.occupied[level].trailing_zeros() as usize;
            self.occupied[level] &= self.occupied[level] - 1;
            let shift = level as u32 * SLOT_BITS;
            let upper = self.granule >> (shift + SLOT_BITS);
            self.granule = (upper << SLOT_BITS | slot as u64) << shift;
            if level == 0 {
                std::mem::swap(&mut self.current, &mut self.slots[slot]);
                if self.current.len() > 1 {
                    self.current.sort_unstable_by(|a, b| b.cmp(a));
                }
                return;
            }
            let mut moving = std::mem::take(&mut self.slots[level * SLOTS + slot]);
            for key in moving.drain(..) {
                self.place(key);
            }
            // Give the slot its buffer back: it will be filled again.
            self.slots[level * SLOTS + slot] = moving;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rng::{Purpose, Stream};

    #[test]
    fn events_come_out_by_time_then_by_number() {
        let mut queue = Queue::new();
        queue.push(SimTime(20), 0, "third");
        queue.push(SimTime(10), 1, "first");
        queue.push(SimTime(10), 2, "second");
        assert_eq!(queue.peek(), Some((SimTime(10), 1)));
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|(_, _, name)| name).collect();
        assert_eq!(order, ["first", "second", "third"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn an_event_pushed_before_a_peeked_one_comes_first() {
        let mut queue = Queue::new();
        queue.push(SimTime(u64::MAX), 0, 'z');
        assert_eq!(queue.peek(), Some((SimTime(u64::MAX), 0)));
        queue.push(SimTime(5), 1, 'a');
        queue.push(SimTime(1 << 40), 2, 'b');
        queue.push(SimTime(5), 3, 'c');
        assert_eq!(queue.len(), 4);
        let order: String = std::iter::from_fn(|| queue.pop()).map(|(_, _, name)| name).collect();
        assert_eq!(order, "acbz");
    }

    /// Drives the wheel and a plain heap alike, with horizons from now to the end of time.
    fn compare_with_heap(seed: u64, steps: u32, pending_aim: u64) {
        let mut luck = Stream::new(seed, Purpose::Chaos, 0);
        let mut queue = Queue::new();
        let mut heap = BinaryHeap::new();
        let (mut now, mut seq) = (0u64, 0u64);
        for _ in 0..steps {
            let pending = queue.len() as u64;
            if luck.below(2 * pending_aim) >= pending {
                let ahead = match luck.below(20) {
                    0 => 0,
                    1..=4 => luck.below(1 << 14),
                    5..=12 => luck.below(1 << 21),
                    13..=17 => luck.below(1 << 30),
                    18 => luck.bits() >> luck.below(40),
                    _ => u64::MAX,
                };
                let at = now.saturating_add(ahead);
                queue.push(SimTime(at), seq, seq);
                heap.push(Reverse((at, seq)));
                seq += 1;
            } else {
                let want = heap.pop().map(|Reverse((at, seq))| (SimTime(at), seq, seq));
                let got = queue.pop();
                assert_eq!(got, want, "the wheel agrees with a heap (seed {seed})");
                now = got.map_or(now, |(at, _, _)| at.0);
                // The end of time was reached: begin again with an empty world.
                if now > 1 << 62 {
                    while let Some(Reverse((at, seq))) = heap.pop() {
                        assert_eq!(queue.pop(), Some((SimTime(at), seq, seq)));
                    }
                    assert_eq!(queue.pop(), None, "both are empty together");
                    (now, queue) = (0, Queue::new());
                }
            }
            if luck.below(3) == 0 {
                let want = heap.peek().map(|&Reverse((at, seq))| (SimTime(at), seq));
                assert_eq!(queue.peek(), want, "a peek shows what a pop would give (seed {seed})");
            }
            assert_eq!(queue.len(), heap.len());
        }
    }

    #[test]
    fn the_order_is_that_of_a_plain_heap() {
        for seed in 0..40 {
            compare_with_heap(seed, 4_000, [1, 3, 30, 600][seed as usize % 4]);
        }
    }

    #[test]
    fn payloads_are_dropped_once_and_cells_are_reused() {
        use std::rc::Rc;
        let token = Rc::new(());
        let mut queue = Queue::new();
        for round in 0..100 {
            queue.push(SimTime(round), round, Rc::clone(&token));
            queue.push(SimTime(round), round + 1_000, Rc::clone(&token));
            queue.pop();
            queue.pop();
        }
        assert_eq!(queue.cells.len(), 2, "two cells are enough for two pending events");
        assert_eq!(Rc::strong_count(&token), 1, "a popped payload is gone from the slab");
    }
}
