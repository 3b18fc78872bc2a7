//! Objects that histories are held against.

use std::collections::BTreeMap;

use super::Model;

/// A register: one value, read, written, or exchanged if it is what was expected. `None` is no value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Register {
    /// What it holds at the beginning.
    pub initial: Option<i64>,
}

/// An operation on a [`Register`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegisterCall {
    /// Returned this.
    Read(Option<i64>),
    /// Wrote this.
    Write(Option<i64>),
    /// Compare and set.
    Cas {
        /// What was expected.
        from: Option<i64>,
        /// What was to be written.
        to: Option<i64>,
        /// Whether it was written. If not, the register held something else: that is an observation, not a failure.
        done: bool,
    },
}

impl Model for Register {
    type State = Option<i64>;
    type Input = RegisterCall;

    fn initial(&self) -> Option<i64> {
        self.initial
    }

    fn step(&self, state: &Option<i64>, input: &RegisterCall) -> Option<Option<i64>> {
        match *input {
            RegisterCall::Read(value) => (value == *state).then_some(*state),
            RegisterCall::Write(value) => Some(value),
            RegisterCall::Cas { from, to, done: true } => (from == *state).then_some(to),
            RegisterCall::Cas { from, done: false, .. } => (from != *state).then_some(*state),
        }
    }

    fn observes(&self, input: &RegisterCall) -> bool {
        matches!(input, RegisterCall::Read(_) | RegisterCall::Cas { done: false, .. })
    }
}

/// A text that grows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text;

/// An operation on a [`Text`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TextCall {
    /// Returned this.
    Get(String),
    /// Replaced it by this.
    Put(String),
    /// Added this at its end.
    Append(String),
}

impl Model for Text {
    type State = String;
    type Input = TextCall;

    fn initial(&self) -> String {
        String::new()
    }

    fn step(&self, state: &String, input: &TextCall) -> Option<String> {
        match input {
            TextCall::Get(text) => (text == state).then(|| state.clone()),
            TextCall::Put(text) => Some(text.clone()),
            TextCall::Append(text) => Some(format!("{state}{text}")),
        }
    }

    fn observes(&self, input: &TextCall) -> bool {
        matches!(input, TextCall::Get(_))
    }
}

/// A register of several values, as Dynamo has it (§4.4): a write replaces what its writer had seen, and stands beside
/// what it had not.
///
/// Only what a reader can see is in the state: a delete replaces and leaves nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Siblings;

/// An operation on [`Siblings`]; writes have numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SiblingsCall {
    /// Returned exactly these writes, sorted, deletes left out.
    Read(Vec<u64>),
    /// Wrote.
    Write {
        /// The write's own number.
        id: u64,
        /// Writes that its writer had seen, sorted.
        replaces: Vec<u64>,
        /// Whether it deleted.
        deletes: bool,
    },
}

impl Model for Siblings {
    type State = Vec<u64>;
    type Input = SiblingsCall;

    fn initial(&self) -> Vec<u64> {
        Vec::new()
    }

    fn step(&self, state: &Vec<u64>, input: &SiblingsCall) -> Option<Vec<u64>> {
        match input {
            SiblingsCall::Read(ids) => (ids == state).then(|| state.clone()),
            SiblingsCall::Write { id, replaces, deletes } => {
                let mut next: Vec<u64> =
                    state.iter().copied().filter(|held| replaces.binary_search(held).is_err()).collect();
                if let (false, Err(at)) = (deletes, next.binary_search(id)) {
                    next.insert(at, *id);
                }
                Some(next)
            }
        }
    }

    fn observes(&self, input: &SiblingsCall) -> bool {
        matches!(input, SiblingsCall::Read(_))
    }
}

/// Many objects of one kind, a key each: what [`super::by_key`] makes needless, and is tested against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keyed<M>(pub M);

impl<M: Model> Model for Keyed<M> {
    type State = BTreeMap<u32, M::State>;
    type Input = (u32, M::Input);

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(&self, state: &Self::State, (key, input): &Self::Input) -> Option<Self::State> {
        let initial = self.0.initial();
        let after = self.0.step(state.get(key).unwrap_or(&initial), input)?;
        let mut next = state.clone();
        // An object in its first state is as if nobody had touched it.
        if after == initial {
            next.remove(key)
        } else {
            next.insert(*key, after)
        };
        Some(next)
    }

    fn observes(&self, (_, input): &Self::Input) -> bool {
        self.0.observes(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_exchange_tells_that_the_register_held_something_else() {
        let register = Register { initial: None };
        let failed = |from| RegisterCall::Cas { from: Some(from), to: Some(9), done: false };
        assert_eq!(register.step(&Some(0), &failed(0)), None);
        assert_eq!(register.step(&Some(0), &failed(1)), Some(Some(0)));
        let done = RegisterCall::Cas { from: Some(0), to: Some(9), done: true };
        assert_eq!((register.step(&Some(0), &done), register.step(&Some(1), &done)), (Some(Some(9)), None));
    }

    #[test]
    fn a_write_replaces_what_its_writer_saw_and_joins_the_rest() {
        let write = |id, replaces: &[u64]| SiblingsCall::Write { id, replaces: replaces.to_vec(), deletes: false };
        let step = |state: &[u64], call: &SiblingsCall| Siblings.step(&state.to_vec(), call);
        assert_eq!(step(&[1], &write(2, &[1])), Some(vec![2]));
        assert_eq!(step(&[2], &write(3, &[1])), Some(vec![2, 3]));
        assert_eq!(step(&[2, 3], &write(4, &[2, 3])), Some(vec![4]));
        let delete = SiblingsCall::Write { id: 5, replaces: vec![2], deletes: true };
        assert_eq!(step(&[2, 3], &delete), Some(vec![3]));
        assert_eq!(step(&[3], &SiblingsCall::Read(vec![2, 3])), None);
        assert_eq!(step(&[3], &SiblingsCall::Read(vec![3])), Some(vec![3]));
    }
}
