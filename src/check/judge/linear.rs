//! Whether the operations of each key fit into one order: feeds the checker of histories while the run goes on.

use crate::check::linear::Model;
use crate::check::linear::models::{Siblings, SiblingsCall};
use crate::check::linear::online::{Ended, KeyHistories, KeyVerdict, Limits};
use crate::cluster::config::RunConfig;
use crate::history::{Finished, OpKind};
use crate::kernel::ids::{KeyId, OpId};
use crate::node::message::Outcome;
use crate::version::{Scheme, Value, Version};

/// The number of what a key holds before the run; no client's operation has it.
const FIRST: u64 = u64::MAX;

/// A key as its store means it: siblings, or one version that every write replaces.
struct Key {
    last_write_wins: bool,
}

impl Model for Key {
    type State = Vec<u64>;
    type Input = SiblingsCall;

    fn initial(&self) -> Vec<u64> {
        Siblings.initial()
    }

    fn step(&self, state: &Vec<u64>, input: &SiblingsCall) -> Option<Vec<u64>> {
        match input {
            SiblingsCall::Write { id, deletes, .. } if self.last_write_wins => {
                Some(if *deletes { Vec::new() } else { vec![*id] })
            }
            _ => Siblings.step(state, input),
        }
    }

    fn observes(&self, input: &SiblingsCall) -> bool {
        Siblings.observes(input)
    }
}

/// The histories of a run's keys.
pub(super) struct Linear {
    histories: KeyHistories<Key>,
}

fn numbers(versions: &[Version], with_tombstones: bool) -> Vec<u64> {
    let shown = versions.iter().filter(|version| with_tombstones || !matches!(version.value(), Value::Tombstone));
    let mut numbers: Vec<u64> = shown.map(|version| version.write().0).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn call(version: &Version, context: &[Version]) -> SiblingsCall {
    let deletes = matches!(version.value(), Value::Tombstone);
    SiblingsCall::Write { id: version.write().0, replaces: numbers(context, true), deletes }
}

impl Linear {
    pub fn new(config: &RunConfig) -> Linear {
        let limits = Limits { budget: config.measure.check_budget, ..Limits::default() };
        let last_write_wins = matches!(config.node.versioning.scheme, Scheme::LastWriteWins);
        Linear { histories: KeyHistories::new(Key { last_write_wins }, limits) }
    }

    pub fn first_value(&mut self, key: KeyId, version: &Version) {
        self.histories.began(key, FIRST);
        self.histories.ended(key, FIRST, Ended::Ok(call(version, &[])));
    }

    pub fn began(&mut self, key: KeyId, op: OpId) {
        self.histories.began(key, op.0);
    }

    pub fn wrote(&mut self, key: KeyId, op: OpId, version: &Version, context: &[Version]) {
        self.histories.wrote(key, op.0, call(version, context));
    }

    pub fn ended(&mut self, finished: &Finished<'_>) {
        let reads = finished.kind == OpKind::Get;
        let end = match (finished.outcome, finished.written) {
            (Outcome::Ok, _) if reads => Ended::Ok(SiblingsCall::Read(numbers(finished.read, false))),
            (Outcome::Ok, Some(version)) => Ended::Ok(call(version, finished.context)),
            _ if reads => Ended::NeverHappened,
            // Whatever was led of it has been heard of, and stays of unknown outcome.
            _ => Ended::Unknown,
        };
        self.histories.ended(finished.key, finished.op.0, end);
    }

    pub fn finish(self) -> Vec<(KeyId, KeyVerdict)> {
        self.histories.finish()
    }
}
