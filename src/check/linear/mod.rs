//! Whether a history of operations could have come from one object: linearizability, and weaker notions beside it.
//!
//! A history is a list of operations with the instants at which they were invoked and returned. A checker knows nothing
//! of clusters, keys and files; who calls it splits a history by key, since linearizability is local: a history is
//! linearizable if and only if each key's part is (Herlihy and Wing 1990).

pub mod models;
pub mod online;
pub mod regular;
pub mod search;
mod seen;
pub mod sequential;
pub mod sessions;
pub mod sets;
pub mod widening;

use std::collections::BTreeMap;
use std::hash::Hash;

pub use search::{Configuration, Search, check};

/// One operation as its client saw it. Instants are whole numbers of any unit: nanoseconds, or places in a log.
///
/// One operation comes before another if it returned at a smaller instant than the other was invoked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation<I> {
    /// When it was invoked.
    pub invoked: u64,
    /// When it returned. `None` if nobody knows whether it happened: it may take effect at any time from `invoked` on,
    /// or never.
    pub returned: Option<u64>,
    /// What was asked, and what came back.
    pub input: I,
}

impl<I> Operation<I> {
    /// An operation that returned.
    pub fn new(invoked: u64, returned: u64, input: I) -> Operation<I> {
        Operation { invoked, returned: Some(returned), input }
    }

    /// An operation of unknown outcome.
    pub fn open(invoked: u64, input: I) -> Operation<I> {
        Operation { invoked, returned: None, input }
    }

    /// Whether this one was over before the other began.
    pub fn is_before(&self, other: &Operation<I>) -> bool {
        self.returned.is_some_and(|returned| returned < other.invoked)
    }
}

/// What an object does when operations come one after another.
pub trait Model {
    /// All that the object remembers.
    type State: Clone + Ord + Hash;
    /// One operation with its answer.
    type Input;
    /// How the object begins.
    fn initial(&self) -> Self::State;
    /// The state after an operation; `None` if the object would not have given that answer.
    fn step(&self, state: &Self::State, input: &Self::Input) -> Option<Self::State>;
    /// Whether the operation changes no state whatever, as a read does. A write of the value that is there is no such
    /// thing: placed elsewhere it would change something.
    fn observes(&self, input: &Self::Input) -> bool;
}

/// What a search found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The operations fit into one order.
    Legal,
    /// They do not.
    Illegal {
        /// Place in the history of the first operation that cannot be placed: up to just before its return the
        /// history is legal, with its return it is not.
        witness: usize,
        /// Places of operations that have to do with it: the last one placed that changed the state, and those that
        /// were under way and could not be placed either.
        involved: Vec<usize>,
    },
    /// The search was cut off.
    Undecided {
        /// Configurations looked at.
        states: u64,
    },
}

impl Verdict {
    /// Whether the operations fit into one order.
    pub fn is_legal(&self) -> bool {
        *self == Verdict::Legal
    }
}

/// Splits a history by key, the order of operations kept; each with its place in the whole.
pub fn by_key<K: Ord, I: Clone>(
    history: &[Operation<I>],
    key: impl Fn(&I) -> K,
) -> BTreeMap<K, Vec<(usize, Operation<I>)>> {
    let mut parts: BTreeMap<K, Vec<(usize, Operation<I>)>> = BTreeMap::new();
    for (place, operation) in history.iter().enumerate() {
        parts.entry(key(&operation.input)).or_default().push((place, operation.clone()));
    }
    parts
}
