//! How far each key is from a single register, in time: the history of its reads and writes, for the least widening.

use std::collections::BTreeMap;

use crate::check::linear::Operation;
use crate::check::linear::models::RegisterCall;
use crate::check::linear::widening::{Widening, least_widening};
use crate::history::{Finished, OpKind};
use crate::kernel::ids::{KeyId, OpId};
use crate::kernel::time::SimTime;
use crate::measure::tally::Spread;
use crate::node::message::Outcome;
use crate::version::{Siblings, Value, Version, WriteId};

/// One key: its writes are numbered in the order in which coordinators made them; 0 is what it held before the run.
#[derive(Default)]
struct Key {
    holds_first: bool,
    was_deleted: bool,
    numbers: BTreeMap<WriteId, i64>,
    /// Instants in nanoseconds.
    history: Vec<Operation<RegisterCall>>,
    /// Where in the history each write of the run stands, by its number less one.
    places: Vec<usize>,
}

/// The histories of all keys, as registers of write numbers.
///
/// A read of several siblings counts as a read of the newest of them, in the order in which coordinators made them.
/// Every try of a write is a write of its own, from the moment at which its client first asked; one of unknown outcome
/// is open to the end. A key that was ever deleted is left out: a register has no deletes.
#[derive(Default)]
pub(super) struct Widenings {
    keys: BTreeMap<KeyId, Key>,
    /// When operations began: reads until they end, writes for good, since a try may be led late.
    began: BTreeMap<OpId, SimTime>,
}

impl Widenings {
    pub fn first_value(&mut self, key: KeyId, version: &Version) {
        let key = self.keys.entry(key).or_default();
        key.holds_first = true;
        key.numbers.insert(version.write(), 0);
    }

    pub fn began(&mut self, now: SimTime, op: OpId) {
        self.began.insert(op, now);
    }

    /// A coordinator has made a version.
    pub fn wrote(&mut self, now: SimTime, key: KeyId, op: OpId, version: &Version) {
        let began = self.began.get(&op).copied().unwrap_or(now);
        let key = self.keys.entry(key).or_default();
        key.was_deleted |= matches!(version.value(), Value::Tombstone);
        if key.was_deleted {
            *key = Key { was_deleted: true, ..Key::default() };
            return;
        }
        key.places.push(key.history.len());
        let number = key.places.len() as i64;
        key.numbers.insert(version.write(), number);
        key.history.push(Operation::open(began.0, RegisterCall::Write(Some(number))));
    }

    pub fn ended(&mut self, now: SimTime, finished: &Finished<'_>) {
        let is_read = finished.kind == OpKind::Get;
        let began = if is_read { self.began.remove(&finished.op) } else { None };
        if finished.outcome != Outcome::Ok {
            return;
        }
        let key = self.keys.entry(finished.key).or_default();
        if key.was_deleted {
            return;
        }
        if is_read {
            let began = began.unwrap_or(finished.sent_at);
            let call = RegisterCall::Read(key.newest(finished.read));
            key.history.push(Operation::new(began.0, now.0, call));
        } else if let Some(number) = finished.written.and_then(|version| key.numbers.get(&version.write()))
            && let Some(&place) = key.places.get((number - 1) as usize)
        {
            key.history[place].returned = Some(now.0);
        }
    }

    /// One least widening for each key that was read or written, in nanoseconds. A key of which somebody read what
    /// nobody had written has none: another property tells.
    pub fn finish(self) -> Spread<9> {
        let mut all = Spread::default();
        for key in self.keys.into_values().filter(|key| !key.history.is_empty()) {
            if let Widening::Enough(least) = least_widening(key.holds_first.then_some(0), &key.history) {
                all.record(least);
            }
        }
        all
    }
}

impl Key {
    /// The number of the newest of the versions that were read; nothing if none was.
    fn newest(&self, read: &Siblings) -> Option<i64> {
        read.iter().map(|version| self.numbers.get(&version.write()).copied().unwrap_or(i64::MAX)).max()
    }
}
