//! Judges histories while they grow, key by key, in memory that does not grow with them.
//!
//! Whenever no operation of a key is under way, everything before that moment comes before everything after it, so the
//! part before can be judged by itself. What it leaves behind are the configurations in which it may have ended: the
//! state, and which operations of unknown outcome have taken effect. The next part begins from any of them. That is
//! exact: a history judged in parts gets the verdict of the whole.
//!
//! An operation whose client gave up may leave versions behind that come to light later, after a cut even. They are
//! then held to have been invoked when they came to light, which can only make a history harder to place. A key that
//! is illegal after that is reported as undecided.

use std::collections::BTreeMap;

use super::search::{Configuration, Search};
use super::{Model, Operation, Verdict};
use crate::kernel::ids::KeyId;

/// How a client heard that its operation ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended<I> {
    /// It happened: this was asked and answered.
    Ok(I),
    /// It tells nothing: a read that failed, or a write that was refused before anything was sent.
    NeverHappened,
    /// A write that may have happened, or may happen yet.
    Unknown,
}

/// What bounds the judge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Operations of a key before it is worth to judge a part.
    pub part: usize,
    /// Configurations that judging a part may take; if that is not enough, the part goes on growing.
    pub part_budget: u64,
    /// Operations of a part, beyond which its key is undecided.
    pub part_max: usize,
    /// Configurations that judging the last part may take.
    pub budget: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { part: 64, part_budget: 20_000, part_max: 100_000, budget: 1_000_000 }
    }
}

/// What became of one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyVerdict {
    /// Its operations fit into one order.
    Legal,
    /// They do not.
    Illegal {
        /// The first operation that cannot be placed, by the number that the caller gave it.
        witness: u64,
        /// Operations that have to do with it.
        involved: Vec<u64>,
    },
    /// It was too much work, or a write came to light too late.
    Undecided,
}

/// The judge of all keys of a run.
pub struct KeyHistories<M: Model> {
    model: M,
    limits: Limits,
    keys: BTreeMap<KeyId, Key<M>>,
    /// Counts begins and ends, so that no two share an instant.
    clock: u64,
}

/// One key's history since the last cut.
struct Key<M: Model> {
    starts: Vec<Configuration<M::State>>,
    part: Vec<Operation<M::Input>>,
    /// The caller's number of each operation of `part`.
    names: Vec<u64>,
    /// Operations under way: number, instant.
    under_way: BTreeMap<u64, u64>,
    /// Operations given up on since the last cut, whose writes may come to light yet: number, instant.
    given_up: BTreeMap<u64, u64>,
    /// Operations before a part is tried again.
    next_try: usize,
    came_late: bool,
    verdict: Option<KeyVerdict>,
    operations: u64,
}

impl<M: Model> KeyHistories<M>
where
    M::Input: Clone + PartialEq,
{
    /// A judge that has heard of nothing.
    pub fn new(model: M, limits: Limits) -> KeyHistories<M> {
        KeyHistories { model, limits, keys: BTreeMap::new(), clock: 0 }
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn key(&mut self, key: KeyId) -> &mut Key<M> {
        let (model, limits) = (&self.model, self.limits);
        self.keys.entry(key).or_insert_with(|| Key {
            starts: vec![Configuration { placed: Vec::new(), state: model.initial() }],
            part: Vec::new(),
            names: Vec::new(),
            under_way: BTreeMap::new(),
            given_up: BTreeMap::new(),
            next_try: limits.part,
            came_late: false,
            verdict: None,
            operations: 0,
        })
    }

    /// An operation has begun. Numbers are unique among the operations of a key.
    pub fn began(&mut self, key: KeyId, operation: u64) {
        let now = self.tick();
        let key = self.key(key);
        key.operations += 1;
        key.under_way.insert(operation, now);
    }

    /// A write of this operation has come into the world: one of its tries, perhaps. Whether it is the one that the
    /// client hears of is told by [`KeyHistories::ended`]; until then, and otherwise, its outcome is unknown.
    pub fn wrote(&mut self, key: KeyId, operation: u64, input: M::Input) {
        let now = self.tick();
        let max = self.limits.part_max;
        let key = self.key(key);
        let invoked = key.under_way.get(&operation).or(key.given_up.get(&operation)).copied();
        key.came_late |= invoked.is_none();
        key.push(operation, Operation::open(invoked.unwrap_or(now), input), max);
    }

    /// An operation has ended, or its client has given up.
    ///
    /// # Panics
    /// If it had not begun.
    pub fn ended(&mut self, key: KeyId, operation: u64, end: Ended<M::Input>) {
        let now = self.tick();
        let (model, limits) = (&self.model, self.limits);
        let key = self.keys.get_mut(&key).expect("an operation begins before it ends");
        let invoked = key.under_way.remove(&operation).expect("an operation begins before it ends");
        match end {
            Ended::Ok(input) => {
                let of_this = |(at, held): &(usize, &Operation<M::Input>)| {
                    key.names[*at] == operation && held.returned.is_none() && held.input == input
                };
                match key.part.iter().enumerate().rev().find(of_this).map(|(at, _)| at) {
                    Some(at) => key.part[at].returned = Some(now),
                    None => key.push(operation, Operation::new(invoked, now, input), limits.part_max),
                }
            }
            Ended::NeverHappened => {}
            Ended::Unknown => {
                key.given_up.insert(operation, invoked);
            }
        }
        if key.under_way.is_empty() && key.part.len() >= key.next_try && key.verdict.is_none() {
            key.cut(model, &limits);
        }
    }

    /// Operations that have begun, over all keys.
    pub fn operations(&self) -> u64 {
        self.keys.values().map(|key| key.operations).sum()
    }

    /// The run is over: the verdict on each key.
    pub fn finish(self) -> Vec<(KeyId, KeyVerdict)> {
        let (model, budget) = (&self.model, self.limits.budget);
        self.keys.into_iter().map(|(id, key)| (id, key.finish(model, budget))).collect()
    }
}

impl<M: Model> Key<M> {
    fn push(&mut self, name: u64, operation: Operation<M::Input>, max: usize) {
        if self.verdict.is_some() {
            return;
        }
        if self.part.len() >= max {
            self.decide(KeyVerdict::Undecided);
            return;
        }
        self.part.push(operation);
        self.names.push(name);
    }

    /// Nothing more has to be kept.
    fn decide(&mut self, verdict: KeyVerdict) {
        self.verdict = Some(verdict);
        (self.part, self.names, self.starts) = (Vec::new(), Vec::new(), Vec::new());
    }

    /// Judges what there is and begins a new part, if that is not too much work.
    fn cut(&mut self, model: &M, limits: &Limits) {
        let Some(ends) = Search::new(model, &self.part, limits.part_budget).ends(&self.starts) else {
            self.next_try = self.part.len() * 2;
            return;
        };
        if ends.is_empty() {
            let verdict = self.judge(model, limits.budget);
            self.decide(verdict);
            return;
        }
        // Operations of unknown outcome that some ending has not placed may take effect later.
        let stays = |at: &usize| {
            self.part[*at].returned.is_none() && ends.iter().any(|end| end.placed.binary_search(at).is_err())
        };
        let left: Vec<usize> = (0..self.part.len()).filter(stays).collect();
        if left.len() > self.part.len() / 2 {
            self.next_try = self.part.len() * 2;
            return;
        }
        let renumber = |end: Configuration<M::State>| {
            let placed = end.placed.iter().filter_map(|at| left.binary_search(at).ok()).collect();
            Configuration { placed, state: end.state }
        };
        self.starts = ends.into_iter().map(renumber).collect();
        let mut at = 0;
        self.part.retain(|_| {
            at += 1;
            left.binary_search(&(at - 1)).is_ok()
        });
        self.names = left.iter().map(|&at| self.names[at]).collect();
        self.given_up.clear();
        self.next_try = self.part.len() + limits.part;
    }

    fn judge(&self, model: &M, budget: u64) -> KeyVerdict {
        match Search::new(model, &self.part, budget).verdict(&self.starts) {
            Verdict::Legal => KeyVerdict::Legal,
            Verdict::Undecided { .. } => KeyVerdict::Undecided,
            Verdict::Illegal { .. } if self.came_late => KeyVerdict::Undecided,
            Verdict::Illegal { witness, involved } => KeyVerdict::Illegal {
                witness: self.names[witness],
                involved: involved.into_iter().map(|at| self.names[at]).collect(),
            },
        }
    }

    fn finish(self, model: &M, budget: u64) -> KeyVerdict {
        match self.verdict {
            Some(verdict) => verdict,
            None => self.judge(model, budget),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::models::{Register, RegisterCall, Siblings, SiblingsCall};
    use super::super::{Verdict, check};
    use super::*;
    use proptest::prelude::*;

    const K: KeyId = KeyId(0);
    const SMALL: Limits = Limits { part: 3, part_budget: 5_000, part_max: 1_000, budget: 1_000_000 };

    fn verdict_of<M: Model>(judge: KeyHistories<M>) -> KeyVerdict
    where
        M::Input: Clone + PartialEq,
    {
        judge.finish().remove(0).1
    }

    #[test]
    fn a_long_history_is_judged_in_parts() {
        let mut judge = KeyHistories::new(Register::default(), SMALL);
        for number in 0..1_000 {
            let value = Some(number as i64 / 2);
            judge.began(K, number);
            let call = if number % 2 == 0 { RegisterCall::Write(value) } else { RegisterCall::Read(value) };
            judge.ended(K, number, Ended::Ok(call));
            assert!(judge.keys[&K].part.len() <= 4, "the memory is bounded");
        }
        judge.began(K, 1_000);
        judge.ended(K, 1_000, Ended::Ok(RegisterCall::Read(Some(3))));
        assert_eq!(judge.operations(), 1_001);
        assert!(matches!(verdict_of(judge), KeyVerdict::Illegal { witness: 1_000, .. }));
    }

    #[test]
    fn a_write_of_unknown_outcome_may_take_effect_after_a_cut() {
        let run = |reads: &[i64]| {
            let mut judge = KeyHistories::new(Register::default(), SMALL);
            judge.began(K, 0);
            judge.wrote(K, 0, RegisterCall::Write(Some(77)));
            judge.ended(K, 0, Ended::Unknown);
            for (number, &value) in (1..).zip(reads) {
                judge.began(K, number);
                let value = (value > 0).then_some(value);
                judge.ended(K, number, Ended::Ok(RegisterCall::Read(value)));
            }
            verdict_of(judge)
        };
        assert_eq!(run(&[0, 0, 0, 0, 0, 0, 77]), KeyVerdict::Legal);
        assert!(matches!(run(&[0, 77, 77, 77, 77, 77, 0]), KeyVerdict::Illegal { witness: 7, .. }));
    }

    #[test]
    fn what_comes_to_light_after_a_cut_is_never_called_illegal() {
        let mut judge = KeyHistories::new(Register::default(), SMALL);
        judge.began(K, 0);
        judge.ended(K, 0, Ended::Unknown);
        for number in 1..6 {
            judge.began(K, number);
            judge.ended(K, number, Ended::Ok(RegisterCall::Write(Some(number as i64))));
        }
        // A read that was under way all the time might have seen it before the writes; the cut forgot that.
        judge.wrote(K, 0, RegisterCall::Write(Some(77)));
        judge.began(K, 7);
        judge.ended(K, 7, Ended::Ok(RegisterCall::Read(Some(78))));
        assert_eq!(verdict_of(judge), KeyVerdict::Undecided);
    }

    #[test]
    fn the_write_that_the_client_heard_of_is_closed_and_its_other_tries_stay_open() {
        let write = |id| SiblingsCall::Write { id, replaces: vec![], deletes: false };
        let run = |read: Vec<u64>| {
            let mut judge = KeyHistories::new(Siblings, SMALL);
            judge.began(K, 0);
            judge.wrote(K, 0, write(1));
            judge.wrote(K, 0, write(2));
            judge.ended(K, 0, Ended::Ok(write(2)));
            judge.began(K, 1);
            judge.ended(K, 1, Ended::Ok(SiblingsCall::Read(read)));
            verdict_of(judge)
        };
        assert_eq!(run(vec![2]), KeyVerdict::Legal);
        assert_eq!(run(vec![1, 2]), KeyVerdict::Legal);
        assert!(matches!(run(vec![1]), KeyVerdict::Illegal { .. }));
    }

    /// One history told to both judges: a list of who does something next, and what.
    #[derive(Clone, Debug)]
    struct Step {
        client: u8,
        call: u8,
        value: i64,
        unknown: bool,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = (0_u8..3, 0_u8..3, 0_i64..3, prop::bool::weighted(0.1));
        let step = step.prop_map(|(client, call, value, unknown)| Step { client, call, value, unknown });
        prop::collection::vec(step, 1..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn parts_are_judged_as_the_whole_is(steps in steps()) {
            let mut judge = KeyHistories::new(Register { initial: Some(0) }, SMALL);
            let mut whole: Vec<Operation<RegisterCall>> = Vec::new();
            let mut under_way: [Option<usize>; 3] = [None; 3];
            // A register that answers as it should most of the time, so that histories are legal now and then.
            let mut truth = Some(0);
            for (at, step) in (1_u64..).zip(&steps) {
                let client = usize::from(step.client);
                match under_way[client].take() {
                    None => {
                        let call = match step.call {
                            0 => RegisterCall::Write(Some(step.value)),
                            1 => RegisterCall::Read(if step.unknown { Some(step.value) } else { truth }),
                            _ => RegisterCall::Cas { from: truth, to: Some(step.value), done: true },
                        };
                        truth = match call { RegisterCall::Write(to) | RegisterCall::Cas { to, .. } => to, _ => truth };
                        under_way[client] = Some(whole.len());
                        judge.began(K, whole.len() as u64);
                        judge.wrote_if_write(whole.len() as u64, call);
                        whole.push(Operation::open(at, call));
                    }
                    Some(place) => {
                        let call = whole[place].input;
                        let unknown = step.unknown && !matches!(call, RegisterCall::Read(_));
                        judge.ended(K, place as u64, if unknown { Ended::Unknown } else { Ended::Ok(call) });
                        if !unknown {
                            whole[place].returned = Some(at);
                        }
                    }
                }
            }
            // A read that never returned says nothing.
            whole.retain(|held| held.returned.is_some() || !matches!(held.input, RegisterCall::Read(_)));
            let expected = check(&Register { initial: Some(0) }, &whole, u64::MAX);
            match judge.finish().remove(0).1 {
                KeyVerdict::Legal => prop_assert_eq!(expected, Verdict::Legal),
                KeyVerdict::Illegal { .. } => prop_assert!(!expected.is_legal()),
                KeyVerdict::Undecided => prop_assert!(false, "there was budget enough"),
            }
        }
    }

    impl KeyHistories<Register> {
        fn wrote_if_write(&mut self, operation: u64, call: RegisterCall) {
            if !matches!(call, RegisterCall::Read(_)) {
                self.wrote(K, operation, call);
            }
        }
    }
}
