//! The search for an order (Wing and Gong 1993; the memory of configurations is Lowe's, 2017).
//!
//! Operations are placed one after another. One may come next if no other that is still to be placed returned before it
//! was invoked. A configuration is what has been placed and the state that the object is in; none is looked at twice. Three
//! things keep the number of configurations small, and all are exact:
//!
//! - An operation that observes (a read, say) is placed as soon as it may come next and fits, without trying anything
//!   else: in any order that exists it can be moved to the front.
//! - An operation of unknown outcome need not be placed, so who has placed fewer of them covers who has placed more
//!   (see `seen`).
//! - Placed operations are kept as a prefix and a window after it, which is as wide as operations overlap.

use super::seen::{Seen, fingerprint};
use super::{Model, Operation, Verdict};

/// How many operations beside the witness are named.
const INVOLVED: usize = 8;

/// How many configurations a history may end in before it is not worth to go on from them.
const ENDS: usize = 256;

/// Where a search may begin, or has come to: operations of unknown outcome that have been placed, and the state.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Configuration<S> {
    /// Places in the history of the operations of unknown outcome that have been placed, sorted.
    pub placed: Vec<usize>,
    /// The state of the object.
    pub state: S,
}

/// Judges a history, looking at no more than `budget` configurations.
pub fn check<M: Model>(model: &M, history: &[Operation<M::Input>], budget: u64) -> Verdict {
    let start = Configuration { placed: Vec::new(), state: model.initial() };
    Search::new(model, history, budget).verdict(&[start])
}

/// One search.
pub struct Search<'a, M: Model> {
    model: &'a M,
    history: &'a [Operation<M::Input>],
    budget: u64,
    /// Places of operations that returned, by invocation.
    closed: Vec<usize>,
    /// Places of those of unknown outcome, by invocation.
    open: Vec<usize>,
    seen: Seen,
    states: u64,
    now: Current<M::State>,
    /// The return that no order has got past yet, and what the best order looked like there.
    furthest: Option<(u64, usize, Vec<usize>)>,
}

/// The configuration that the search is in.
struct Current<S> {
    /// Which of `closed` are placed, a bit each.
    placed: Vec<u64>,
    /// All of `closed` before this one are placed.
    low: usize,
    /// None of `closed` from this one on is placed.
    high: usize,
    /// Which of `open` are placed, a bit each.
    open: Vec<u64>,
    state: S,
    /// The last operation that changed the state.
    writer: Option<usize>,
}

/// A step that can be taken.
struct Way<S> {
    /// The place in `closed`; for one in `open`, its place there and the length of `closed`.
    number: usize,
    /// What it leads to.
    state: S,
}

/// A step of the order, and how to go back.
struct Frame<S> {
    number: usize,
    low: usize,
    high: usize,
    state: S,
    writer: Option<usize>,
    /// What else could come at this step.
    others: Vec<Way<S>>,
}

/// Why a search stopped.
enum End {
    /// All operations are placed.
    Placed,
    /// Every way was tried.
    Exhausted,
    /// The budget is spent.
    CutOff,
}

impl<'a, M: Model> Search<'a, M> {
    /// A search that has not begun.
    pub fn new(model: &'a M, history: &'a [Operation<M::Input>], budget: u64) -> Search<'a, M> {
        let mut closed: Vec<usize> = (0..history.len()).filter(|&i| history[i].returned.is_some()).collect();
        let mut open: Vec<usize> = (0..history.len()).filter(|&i| history[i].returned.is_none()).collect();
        closed.sort_by_key(|&i| (history[i].invoked, i));
        open.sort_by_key(|&i| (history[i].invoked, i));
        let now = Current {
            placed: vec![0; closed.len().div_ceil(64)],
            low: 0,
            high: 0,
            open: vec![0; open.len().div_ceil(64)],
            state: model.initial(),
            writer: None,
        };
        let seen = Seen::new(now.open.len());
        Search { model, history, budget, closed, open, seen, states: 0, now, furthest: None }
    }

    /// Whether an order exists from one of these beginnings.
    pub fn verdict(mut self, starts: &[Configuration<M::State>]) -> Verdict {
        for start in starts {
            match self.run(start, &mut |_| true) {
                End::Placed => return Verdict::Legal,
                End::CutOff => return Verdict::Undecided { states: self.states },
                End::Exhausted => {}
            }
        }
        let (_, witness, involved) = self.furthest.expect("what cannot be placed returned");
        Verdict::Illegal { witness, involved }
    }

    /// All configurations in which every operation that returned is placed, from any of these beginnings; none that
    /// another covers. `None` if the budget is not enough, or there are too many. Empty if there is no order.
    pub fn ends(mut self, starts: &[Configuration<M::State>]) -> Option<Vec<Configuration<M::State>>> {
        let mut ends = Vec::new();
        for start in starts {
            let end = self.run(start, &mut |end| {
                ends.push(end);
                ends.len() > ENDS
            });
            if !matches!(end, End::Exhausted) {
                return None;
            }
        }
        ends.sort();
        let covered = |one: &Configuration<M::State>, other: &Configuration<M::State>| {
            one != other
                && one.state == other.state
                && other.placed.iter().all(|place| one.placed.binary_search(place).is_ok())
        };
        let keep: Vec<bool> = ends.iter().map(|one| !ends.iter().any(|other| covered(one, other))).collect();
        let mut keep = keep.into_iter();
        ends.retain(|_| keep.next().expect("one for each"));
        ends.dedup();
        Some(ends)
    }

    fn run(&mut self, start: &Configuration<M::State>, found: &mut dyn FnMut(Configuration<M::State>) -> bool) -> End {
        self.now.placed.fill(0);
        (self.now.low, self.now.high, self.now.writer) = (0, 0, None);
        self.now.open.fill(0);
        self.now.state = start.state.clone();
        for (number, place) in self.open.iter().enumerate() {
            if start.placed.binary_search(place).is_ok() {
                set(&mut self.now.open, number);
            }
        }
        let mut stack: Vec<Frame<M::State>> = Vec::new();
        if !self.enter() {
            return End::Exhausted;
        }
        loop {
            let mut ways = Vec::new();
            if self.now.low < self.closed.len() {
                ways = self.ways();
            } else if found(self.configuration()) {
                return End::Placed;
            }
            // The next way from here, or from the nearest step behind that has another.
            loop {
                let Some(way) = ways.pop() else {
                    let Some(frame) = stack.pop() else { return End::Exhausted };
                    ways = self.take_back(frame);
                    continue;
                };
                let frame = self.place(way, ways);
                if self.states == self.budget {
                    return End::CutOff;
                }
                if self.enter() {
                    stack.push(frame);
                    break;
                }
                ways = self.take_back(frame);
            }
        }
    }

    /// Notes the present configuration; false if it need not be looked at.
    fn enter(&mut self) -> bool {
        self.states += 1;
        let now = &self.now;
        // What is placed is all before `low` and some before `high`; with the state it is the whole configuration.
        let window = if now.high > now.low { &now.placed[now.low / 64..now.high.div_ceil(64)] } else { &[] };
        self.seen.insert(fingerprint(&(now.low as u64, window, &now.state)), &now.open)
    }

    /// What may come next, and what state it leads to; the last is to be tried first.
    fn ways(&mut self) -> Vec<Way<M::State>> {
        let (first, list) = self.candidates();
        self.note_furthest(first, &list);
        let mut ways = Vec::with_capacity(list.len());
        for &number in &list {
            let place = self.place_of(number);
            let Some(state) = self.model.step(&self.now.state, &self.history[place].input) else { continue };
            let is_open = number >= self.closed.len();
            if !is_open && self.model.observes(&self.history[place].input) {
                // It fits and changes nothing anywhere: no other way needs to be tried.
                return vec![Way { number, state }];
            }
            // Nobody has to place an open operation, so one that does nothing here is left for later.
            if !is_open || state != self.now.state {
                ways.push(Way { number, state });
            }
        }
        ways
    }

    /// The operation that returns first of those not placed, and all that may be placed next: who is first among them
    /// must come before anybody who was invoked after its return.
    fn candidates(&self) -> (usize, Vec<usize>) {
        let now = &self.now;
        let (mut first_return, mut first) = (u64::MAX, now.low);
        let mut list: Vec<usize> = Vec::new();
        for number in now.low..self.closed.len() {
            let operation = &self.history[self.closed[number]];
            if operation.invoked > first_return {
                break;
            }
            if !is_set(&now.placed, number) {
                list.push(number);
                let returned = operation.returned.expect("it is closed");
                if returned < first_return {
                    (first_return, first) = (returned, number);
                }
            }
        }
        let open = self.open.iter().take_while(|&&place| self.history[place].invoked <= first_return);
        let open = open.enumerate().filter(|(number, _)| !is_set(&now.open, *number));
        list.extend(open.map(|(number, _)| self.closed.len() + number));
        list.reverse();
        (first, list)
    }

    /// Remembers the latest return that some order comes up to, and what was in its way there.
    fn note_furthest(&mut self, first: usize, list: &[usize]) {
        let first = self.closed[first];
        let first_return = self.history[first].returned.expect("it is closed");
        if self.furthest.as_ref().is_some_and(|(furthest, ..)| first_return <= *furthest) {
            return;
        }
        let mut involved: Vec<usize> = self.now.writer.into_iter().collect();
        let beside = list.iter().rev().map(|&number| self.place_of(number)).filter(|&place| place != first);
        involved.extend(beside.take(INVOLVED - involved.len()));
        self.furthest = Some((first_return, first, involved));
    }

    /// The place in the history of a number in `closed`, or beyond it in `open`.
    fn place_of(&self, number: usize) -> usize {
        self.closed.get(number).copied().unwrap_or_else(|| self.open[number - self.closed.len()])
    }

    /// Places an operation.
    fn place(&mut self, way: Way<M::State>, others: Vec<Way<M::State>>) -> Frame<M::State> {
        let place = self.place_of(way.number);
        let (now, closed) = (&mut self.now, self.closed.len());
        let writer = if way.state == now.state { now.writer } else { Some(place) };
        let frame = Frame {
            number: way.number,
            low: now.low,
            high: now.high,
            state: std::mem::replace(&mut now.state, way.state),
            writer: std::mem::replace(&mut now.writer, writer),
            others,
        };
        if way.number >= closed {
            set(&mut now.open, way.number - closed);
        } else {
            set(&mut now.placed, way.number);
            now.high = now.high.max(way.number + 1);
            while now.low < closed && is_set(&now.placed, now.low) {
                now.low += 1;
            }
        }
        frame
    }

    /// Goes back before a step; returns what else could come there.
    fn take_back(&mut self, frame: Frame<M::State>) -> Vec<Way<M::State>> {
        let now = &mut self.now;
        if frame.number >= self.closed.len() {
            clear(&mut now.open, frame.number - self.closed.len());
        } else {
            clear(&mut now.placed, frame.number);
        }
        (now.low, now.high, now.state, now.writer) = (frame.low, frame.high, frame.state, frame.writer);
        frame.others
    }

    fn configuration(&self) -> Configuration<M::State> {
        let placed = self.open.iter().enumerate().filter(|(number, _)| is_set(&self.now.open, *number));
        let mut placed: Vec<usize> = placed.map(|(_, &place)| place).collect();
        placed.sort_unstable();
        Configuration { placed, state: self.now.state.clone() }
    }
}

fn set(bits: &mut [u64], number: usize) {
    bits[number / 64] |= 1 << (number % 64);
}

fn clear(bits: &mut [u64], number: usize) {
    bits[number / 64] &= !(1 << (number % 64));
}

fn is_set(bits: &[u64], number: usize) -> bool {
    bits[number / 64] >> (number % 64) & 1 == 1
}
