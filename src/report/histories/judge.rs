//! The verdict on a history read from a file: key by key, since an object is what lies under one key.

use super::{Call, History, Object};
use crate::check::linear::models::{Register, RegisterCall, Siblings, SiblingsCall, Text, TextCall};
use crate::check::linear::regular::is_regular;
use crate::check::linear::widening::{Widening, least_widening};
use crate::check::linear::{Operation, Verdict, by_key, check};

/// What is said of one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyReport {
    /// The key.
    pub key: String,
    /// Operations on it that tell something.
    pub operations: usize,
    /// Whether it is linearizable; places are those in [`History::operations`].
    pub verdict: Verdict,
    /// Whether it is regular. `None` if values do not tell, or the object is no register.
    pub regular: Option<bool>,
    /// By how many nanoseconds reads would have to begin earlier for it to be atomic. `None` if the file has no times
    /// or values do not tell.
    pub widening_ns: Option<u64>,
}

/// Judges each key of a history, the register beginning with `initial`, and no key taking more than `budget`
/// configurations.
pub fn judge(history: &History, initial: Option<i64>, budget: u64) -> Vec<KeyReport> {
    let all: Vec<Operation<&str>> = history.operations.iter().map(|one| with(&one.operation, &*one.key)).collect();
    let places = |part: Vec<(usize, _)>| part.into_iter().map(|(place, _)| place).collect();
    let parts = by_key(&all, |key| key.to_string()).into_iter();
    parts.map(|(key, part)| judge_key(history, key, places(part), initial, budget)).collect()
}

fn judge_key(history: &History, key: String, places: Vec<usize>, initial: Option<i64>, budget: u64) -> KeyReport {
    let operations = places.iter().map(|&place| &history.operations[place].operation);
    let calls: Vec<Operation<&Call>> = operations.map(|operation| with(operation, &operation.input)).collect();
    let verdict = match history.object {
        Object::Register => check(&Register { initial }, &each(&calls, register), budget),
        Object::Text => check(&Text, &each(&calls, text), budget),
        Object::Siblings => check(&Siblings, &each(&calls, siblings), budget),
    };
    let verdict = match verdict {
        Verdict::Illegal { witness, involved } => Verdict::Illegal {
            witness: places[witness],
            involved: involved.into_iter().map(|place| places[place]).collect(),
        },
        verdict => verdict,
    };
    let is_register = history.object == Object::Register;
    let regular = is_register.then(|| is_regular(initial, &each(&calls, register))).flatten();
    let widening_ns = is_register.then(|| widening(history, &places, initial)).flatten();
    KeyReport { key, operations: places.len(), verdict, regular, widening_ns }
}

fn with<I, J>(operation: &Operation<I>, input: J) -> Operation<J> {
    Operation { invoked: operation.invoked, returned: operation.returned, input }
}

fn each<J>(calls: &[Operation<&Call>], convert: impl Fn(&Call) -> Option<J>) -> Vec<Operation<J>> {
    let convert = |o: &Operation<&Call>| with(o, convert(o.input).expect("a history is of one object"));
    calls.iter().map(convert).collect()
}

fn widening(history: &History, places: &[usize], initial: Option<i64>) -> Option<u64> {
    let timed = |&place: &usize| {
        let recorded = &history.operations[place];
        let (invoked, returned) = recorded.at_ns?;
        // One that returned in a line without a time has no place on the scale.
        let returned = if recorded.operation.returned.is_some() { Some(returned?) } else { None };
        Some(Operation { invoked, returned, input: register(&recorded.operation.input)? })
    };
    let timed: Vec<_> = places.iter().map(timed).collect::<Option<_>>()?;
    match least_widening(initial, &timed) {
        Widening::Enough(ns) => Some(ns),
        Widening::Never | Widening::CannotTell => None,
    }
}

/// A register's operation.
pub fn register(call: &Call) -> Option<RegisterCall> {
    match *call {
        Call::Read(value) => Some(RegisterCall::Read(value)),
        Call::Write(value) => Some(RegisterCall::Write(value)),
        Call::Cas { from, to, done } => Some(RegisterCall::Cas { from, to, done }),
        _ => None,
    }
}

/// A text's operation.
pub fn text(call: &Call) -> Option<TextCall> {
    match call {
        Call::GetText(text) => Some(TextCall::Get(text.clone())),
        Call::PutText(text) => Some(TextCall::Put(text.clone())),
        Call::Append(text) => Some(TextCall::Append(text.clone())),
        _ => None,
    }
}

/// An operation on siblings.
pub fn siblings(call: &Call) -> Option<SiblingsCall> {
    match call {
        Call::ReadSiblings(ids) => Some(SiblingsCall::Read(ids.clone())),
        Call::WriteSibling { id, replaces, deletes } => {
            Some(SiblingsCall::Write { id: *id, replaces: replaces.clone(), deletes: *deletes })
        }
        _ => None,
    }
}
