//! An observer that writes down what clients asked and got, as `docs/histories.md` describes: the history of a run, to be
//! judged later or by others.
//!
//! Versions and operations get numbers in the order in which they are first heard of, so that a file is easy to read by
//! eye and equal for equal runs. What it keeps in memory grows with the run: the numbers of its versions.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value as Json, json};

use super::histories::Object;
use super::histories::export::header;
use super::play::group_names;
use crate::cluster::config::RunConfig;
use crate::history::{Finished, Interest, Observation, Observer, OpKind};
use crate::kernel::ids::{GroupId, KeyId, OpId, SessionId};
use crate::kernel::time::SimTime;
use crate::node::message::Outcome;
use crate::node::outputs::Note;
use crate::version::{Dot, Scheme, Version};

/// Writes the history of one run.
pub struct HistoryLog<'a, W> {
    out: W,
    /// The first thing that went wrong; nothing is written after it.
    failed: Option<io::Error>,
    config: &'a RunConfig,
    groups: Vec<&'a str>,
    /// A write's name alone is not enough: one try may be led twice, and each leader makes a version of it.
    versions: BTreeMap<(u64, Dot, u64), u64>,
    operations: BTreeMap<OpId, u64>,
}

impl<'a, W: Write> HistoryLog<'a, W> {
    /// Begins the history of a run of this configuration.
    pub fn new(config: &'a RunConfig, out: W) -> HistoryLog<'a, W> {
        let object = match config.node.versioning.scheme {
            Scheme::LastWriteWins => Object::Register,
            Scheme::VectorClock { .. } | Scheme::Dotted => Object::Siblings,
        };
        let groups = group_names(config).collect();
        let mut log =
            HistoryLog { out, failed: None, config, groups, versions: BTreeMap::new(), operations: BTreeMap::new() };
        log.put(&header(object));
        log
    }

    /// The run is over.
    ///
    /// # Errors
    /// The first that writing met.
    pub fn finish(mut self) -> io::Result<W> {
        match self.failed {
            Some(error) => Err(error),
            None => self.out.flush().map(|()| self.out),
        }
    }

    fn put(&mut self, text: &str) {
        if self.failed.is_none() {
            self.failed = self.out.write_all(text.as_bytes()).err();
        }
    }

    fn line(&mut self, event: &Json) {
        self.put(&format!("{event}\n"));
    }

    fn version(&mut self, version: &Version) -> u64 {
        let next = self.versions.len() as u64 + 1;
        *self.versions.entry((version.write().0, version.dot(), version.hash())).or_insert(next)
    }

    fn versions(&mut self, versions: &[Version]) -> Vec<u64> {
        versions.iter().map(|version| self.version(version)).collect()
    }

    fn operation(&mut self, op: OpId) -> u64 {
        let next = self.operations.len() as u64 + 1;
        *self.operations.entry(op).or_insert(next)
    }

    /// Keys that a run makes are named as the run names them.
    fn key(&self, key: KeyId) -> String {
        self.config.keys.get(key.index()).map_or_else(|| format!("new-{:08x}", key.0), |known| known.name.clone())
    }

    fn client(&self, group: GroupId, session: SessionId) -> String {
        let name = self.groups[group.index()];
        match self.config.groups.get(group.index()) {
            Some(config) => format!("{name}/{}", session.0 - config.first_session.0),
            None => name.to_string(),
        }
    }

    fn started(&mut self, now: SimTime, op: OpId, kind: OpKind, group: GroupId, session: SessionId, key: KeyId) {
        let op = self.operation(op);
        let kind = match kind {
            OpKind::Get => "get",
            OpKind::Put => "put",
            OpKind::Delete => "delete",
            // It is told as its get and its put.
            OpKind::Update => return,
        };
        self.line(&json!({
            "at_ns": now.0, "event": "invoke", "op": op, "client": self.client(group, session), "kind": kind,
            "key": self.key(key),
        }));
    }

    fn finished(&mut self, finished: &Finished<'_>) {
        if finished.kind == OpKind::Update {
            return;
        }
        let op = self.operation(finished.op);
        let outcome = finished.outcome.word();
        let mut event = json!({ "at_ns": finished.ended_at.0, "event": "return", "op": op, "outcome": outcome });
        if finished.outcome == Outcome::Ok {
            match (finished.kind, finished.written) {
                (OpKind::Get, _) => event["values"] = json!(self.versions(finished.read)),
                (_, Some(version)) => event["write"] = json!(self.version(version)),
                (_, None) => {}
            }
        }
        self.line(&event);
    }
}

impl<W: Write> Observer for HistoryLog<'_, W> {
    fn interest(&self) -> Interest {
        Interest { operations: true, changes: true, ..Interest::default() }
    }

    fn observe(&mut self, now: SimTime, observation: &Observation<'_>) {
        match *observation {
            Observation::FirstValue { key, version } => {
                let write = self.version(version);
                self.line(&json!({ "at_ns": now.0, "event": "first", "key": self.key(key), "write": write }));
            }
            Observation::Started { op, kind, group, session, key, .. } => {
                self.started(now, op, kind, group, session, key);
            }
            Observation::Node { note: Note::Coordinated { op, version, context, .. }, .. } => {
                let (op, context) = (self.operation(*op), self.versions(context));
                let known = self.versions.len();
                let write = self.version(version);
                if self.versions.len() == known {
                    // The same version was made twice. Nobody can tell, so it is one write.
                    return;
                }
                self.line(&json!({ "at_ns": now.0, "event": "write", "op": op, "write": write, "context": context }));
            }
            Observation::Finished(finished) => self.finished(finished),
            _ => {}
        }
    }
}
