//! A run event by event, a line each: an observer that says what it hears, for people or for programs.
//!
//! Lines come out while the run goes on. What it remembers does not grow with the run: the latest operations, one view
//! of the membership a node, and messages that wait at paused nodes.

mod filter;
mod line;
mod messages;
mod names;
mod notes;
mod recent;
mod steps;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

pub use filter::{Asked, Kind};
pub use line::{Lines, Style};

use crate::cluster::config::{FirstValue, RunConfig};
use crate::cluster::outcome::RunEnd;
use crate::history::staleness::Staleness;
use crate::history::{Finished, Interest, Observation, Observer, OpKind};
use crate::kernel::ids::{KeyId, NodeId, OpId, SessionId};
use crate::kernel::time::SimTime;
use crate::node::membership::View;
use crate::node::message::Outcome;
use crate::node::outputs::Admin;
use crate::version::Version;
use filter::{About, Filter};
use line::{Columns, Line};
use messages::Waiting;
use recent::Recent;
use words::{Words, length, outcome, things};

/// Says what happens in a run.
#[derive(Debug)]
pub struct Trace<'a> {
    config: &'a RunConfig,
    words: Words<'a>,
    filter: Filter,
    style: Style,
    /// Whether lines that say the same for a reader become one. Whoever wants to see all gets each event by itself.
    gathers: bool,
    columns: Columns,
    lines: Lines,
    judge: Staleness,
    recent: Recent,
    /// The step that a scripted client's next operation is.
    next_step: BTreeMap<SessionId, u32>,
    /// A put or a get that has just begun: its request says the same and more.
    held: Option<(OpId, Line)>,
    /// Peers that one node suspects or trusts, one after the other: a line for all of them.
    gathered: Option<Gathered>,
    /// Messages that wait at paused nodes.
    waiting: BTreeSet<Waiting>,
    /// The fault that began last: who stops now stops by it.
    fault: Option<u32>,
    paused: Vec<bool>,
    /// What each node has heard of the membership.
    views: Vec<View>,
    /// What changes of the membership are, by number.
    changes: BTreeMap<u32, String>,
    /// The command that is said right now, and where.
    command: Option<(SimTime, NodeId, Admin)>,
}

/// Peers of which a node has changed its mind.
#[derive(Debug)]
struct Gathered {
    node: NodeId,
    suspects: bool,
    line: Line,
    peers: Vec<String>,
}

fn verb(kind: OpKind) -> &'static str {
    match kind {
        OpKind::Get => "get",
        OpKind::Put => "put",
        OpKind::Delete => "delete",
        OpKind::Update => "update",
    }
}

impl<'a> Trace<'a> {
    /// A trace of a run that puts its lines into `lines`.
    ///
    /// # Errors
    /// If somebody asks for a key, node or operation that the run does not have.
    pub fn new(config: &'a RunConfig, asked: &Asked, style: Style, lines: &Lines) -> Result<Trace<'a>, String> {
        let words = Words::new(config);
        let [client, node, op] = words.names().widths();
        let initial = &config.ring.initial_members;
        let first_view = View::below(initial.len() as u32);
        let nodes = config.node_names.len() as u32;
        Ok(Trace {
            config,
            words,
            filter: Filter::new(asked, config)?,
            style,
            gathers: style == Style::Text && !asked.all,
            columns: Columns { who: (client.max(node) + node + 4).clamp(6, 32), op: op.min(20) },
            lines: lines.clone(),
            judge: Staleness::new(config.node.versioning.scheme),
            recent: Recent::default(),
            next_step: BTreeMap::new(),
            held: None,
            gathered: None,
            waiting: BTreeSet::new(),
            fault: None,
            paused: vec![false; nodes as usize],
            views: (0..nodes)
                .map(|node| if initial.contains(&NodeId(node)) { first_view.clone() } else { View::empty() })
                .collect(),
            changes: BTreeMap::new(),
            command: None,
        })
    }

    /// The run is over: says which of the script's steps came out otherwise than expected, and the name of the run.
    /// One that somebody cut short has neither.
    pub fn finish(mut self, end: Option<&RunEnd>) {
        self.flush();
        let Some(end) = end else { return };
        for step in &end.steps {
            for broken in step.broken.iter().flatten() {
                let about = About::new(Kind::Faults, "step_broken").frame();
                let name = self.words.names().step(step.step);
                let fields = vec![("step", json!(name))];
                self.say_as(
                    end.ended_at,
                    &about,
                    "script".into(),
                    Some(name),
                    format!("not as expected: {broken}"),
                    fields,
                );
            }
        }
        let about = About::new(Kind::Faults, "end").frame();
        let digest = format!("{:032x}", end.digest);
        let text = format!("ends after {}, digest {digest}", things(end.events as usize, "event"));
        let fields = vec![("events", json!(end.events)), ("digest", json!(digest))];
        self.say_as(end.ended_at, &about, "run".into(), None, text, fields);
    }

    fn flush(&mut self) {
        let gathered = self.gathered.take().map(|gathered| {
            let peers = gathered.peers.join(", ");
            let text = if gathered.suspects { format!("suspects {peers}") } else { format!("trusts {peers} again") };
            Line { text, ..gathered.line }
        });
        for line in gathered.into_iter().chain(self.held.take().map(|(_, line)| line)) {
            self.lines.put(line.write(self.style, self.columns));
        }
    }

    fn node(&self, node: NodeId) -> String {
        self.words.names().node(node)
    }

    fn key(&self, key: KeyId) -> String {
        self.words.names().key(key)
    }

    fn op_name(&self, about: &About) -> Option<String> {
        about.op.map(|op| self.words.names().op(op, self.recent.step(op)))
    }

    fn wants(&self, now: SimTime, about: &About) -> bool {
        self.filter.wants(now, about, &self.recent)
    }

    fn say_as(
        &mut self,
        now: SimTime,
        about: &About,
        who: String,
        op: Option<String>,
        text: String,
        fields: Vec<(&'static str, Json)>,
    ) {
        if self.wants(now, about) {
            self.flush();
            let line = Line { at: now, kind: about.kind, event: about.event, who, op, text, fields };
            self.lines.put(line.write(self.style, self.columns));
        }
    }

    /// Something that a node does or that is done to it. `fields` follow its name in JSON.
    fn say_of(
        &mut self,
        now: SimTime,
        about: About,
        node: NodeId,
        text: impl FnOnce(&Self) -> (String, Vec<(&'static str, Json)>),
    ) {
        let about = about.node(node);
        if !self.wants(now, &about) {
            return;
        }
        let who = self.node(node);
        let mut fields = vec![("node", json!(who))];
        if let [key] = about.keys.as_slice() {
            fields.push(("key", json!(self.key(*key))));
        }
        let (text, more) = text(self);
        fields.extend(more);
        let op = self.op_name(&about);
        self.say_as(now, &about, who, op, text, fields);
    }

    fn on_first_value(&mut self, now: SimTime, key: KeyId, version: &Version) {
        self.judge.first_value(key, version);
        // Those that a script names are worth a line; thousands that clients count are not.
        let first = self.config.keys.get(key.index()).and_then(|key| key.first.as_ref());
        let is_named = matches!(first, Some(FirstValue::Literal(_)));
        let about = About::new(Kind::Storage, "first_value").detail(!is_named).key(key);
        if self.wants(now, &about) {
            let (key, version) = (self.key(key), self.words.version(version));
            let text = format!("{key} = {version} at all its replicas");
            let fields = vec![("key", json!(key)), ("version", json!(version))];
            self.say_as(now, &about, "start".into(), None, text, fields);
        }
    }

    fn on_started(&mut self, now: SimTime, op: OpId, kind: OpKind, session: SessionId, key: KeyId, part: bool) {
        let step = self.next_step.remove(&session);
        self.recent.begins(op, key, step);
        let about = About::new(Kind::Operations, "started").detail(part).key(key).op(Some(op));
        if !self.wants(now, &about) {
            return;
        }
        self.flush();
        let who = self.words.names().session(session);
        let text = format!("begins: {} {}", verb(kind), self.key(key));
        let fields = vec![
            ("client", json!(who)),
            ("key", json!(self.key(key))),
            ("operation", json!(verb(kind))),
            ("part", json!(part)),
        ];
        let op_name = self.op_name(&about);
        let line = Line { at: now, kind: about.kind, event: about.event, who, op: op_name, text, fields };
        let is_said_again = self.gathers && kind != OpKind::Update && self.filter.shows(Kind::Messages);
        if is_said_again {
            self.held = Some((op, line));
        } else {
            self.lines.put(line.write(self.style, self.columns));
        }
    }

    fn on_finished(&mut self, now: SimTime, finished: &Finished<'_>) {
        let ok = finished.outcome == Outcome::Ok;
        let reads = finished.kind == OpKind::Get;
        let verdict = (ok && reads).then(|| self.judge.read(finished.key, finished.sent_at, finished.read));
        if ok
            && matches!(finished.kind, OpKind::Put | OpKind::Delete)
            && let Some(version) = finished.written
        {
            self.judge.acked(now, finished.key, version);
        }
        // Of an update the whole is told, and what was read.
        let detail = finished.part && !(ok && reads);
        let about = About::new(Kind::Operations, "finished").detail(detail).key(finished.key).op(Some(finished.op));
        if !self.wants(now, &about) {
            return;
        }
        let latency = finished.ended_at.since(finished.intended_at);
        let (who, key) = (self.words.names().session(finished.session), self.key(finished.key));
        let mut text = format!("{} {key}: ", verb(finished.kind));
        let mut fields = vec![
            ("client", json!(who)),
            ("key", json!(key)),
            ("operation", json!(verb(finished.kind))),
            ("part", json!(finished.part)),
            ("outcome", json!(outcome(finished.outcome).replace(' ', "_"))),
            ("latency_ms", json!(latency.as_ms())),
        ];
        match (ok, reads) {
            (true, true) => {
                text.push_str(&self.words.versions(finished.read));
                let versions: Vec<String> = finished.read.iter().map(|version| self.words.version(version)).collect();
                fields.push(("values", json!(self.values(finished.read))));
                fields.push(("versions", json!(versions)));
            }
            _ => text.push_str(outcome(finished.outcome)),
        }
        text.push_str(&format!(", after {}", length(latency)));
        if let Some(verdict) = verdict {
            fields.push(("missed", json!(verdict.missed)));
            if verdict.is_stale() {
                let acked = length(verdict.age(finished.sent_at));
                let writes = things(verdict.missed as usize, "acknowledged write");
                let oldest = if verdict.missed == 1 { "done" } else { "the oldest done" };
                text.push_str(&format!("  STALE: misses {writes}, {oldest} {acked} before"));
            }
        }
        let op = self.op_name(&about);
        self.say_as(now, &about, who, op, text, fields);
    }

    fn values(&self, versions: &[Version]) -> Vec<String> {
        versions.iter().map(|version| self.words.value(version.value())).collect()
    }
}

impl Observer for Trace<'_> {
    fn interest(&self) -> Interest {
        Interest { operations: true, notes: true, changes: true, messages: true, faults: true, ..Interest::default() }
    }

    fn observe(&mut self, now: SimTime, observation: &Observation<'_>) {
        match observation {
            Observation::FirstValue { key, version } => self.on_first_value(now, *key, version),
            Observation::Started { op, kind, session, key, part, .. } => {
                self.on_started(now, *op, *kind, *session, *key, *part);
            }
            Observation::Finished(finished) => self.on_finished(now, finished),
            Observation::Node { node, note, nodes, .. } => self.on_note(now, *node, note, nodes),
            Observation::Sent { way, message, fate } => self.on_sent(now, *way, message, *fate),
            Observation::Arrived { way, sent_at, message, end } => {
                self.on_arrived(now, *way, *sent_at, message, *end);
            }
            Observation::StepBegins { step } => self.on_step(now, *step),
            Observation::FaultBegins { step } => self.on_fault(now, *step, true),
            Observation::FaultEnds { step } => self.on_fault(now, *step, false),
            Observation::Down { node, .. } => self.on_down(now, *node),
            Observation::Up { node, .. } => self.on_up(now, *node),
            Observation::DataLost { node, nodes, .. } => self.on_data_lost(now, *node, nodes),
            // Not events of the run.
            Observation::Placed { .. }
            | Observation::Over(_)
            | Observation::WindowOpens { .. }
            | Observation::WindowCloses { .. }
            | Observation::Bucket { .. }
            | Observation::LoadWindow { .. } => {}
        }
    }
}
