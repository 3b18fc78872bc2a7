//! A run event by event, a line each: an observer that says what it hears, for people or for programs.
//!
//! Lines come out while the run goes on. What it remembers does not grow with the run: the latest operations, one view
//! of the membership a node, and messages that wait at paused nodes.

mod filter;
mod line;
mod names;
mod recent;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use smallvec::SmallVec;

pub use filter::{Asked, Kind};
pub use line::{Lines, Style};

use crate::cluster::config::{Action, Fault, FirstValue, RunConfig};
use crate::cluster::outcome::RunEnd;
use crate::history::staleness::Staleness;
use crate::history::{Finished, Interest, Observation, Observer, OpKind, Way, WayEnd};
use crate::kernel::ids::{KeyId, NodeId, OpId, SessionId};
use crate::kernel::time::SimTime;
use crate::network::{Class, Fate, Leg};
use crate::node::Node;
use crate::node::anti_entropy::ExchangeMessage;
use crate::node::membership::View;
use crate::node::message::{Message, Outcome};
use crate::node::outputs::{Admin, AppliedBy, Note};
use crate::node::transfer::TransferMessage;
use crate::version::{Version, WriteId};
use filter::{About, Filter};
use line::{Columns, Line};
use recent::Recent;
use words::{Words, cause, instant, length, outcome, things};

/// Says what happens in a run.
#[derive(Debug)]
pub struct Trace<'a> {
    config: &'a RunConfig,
    words: Words<'a>,
    filter: Filter,
    style: Style,
    columns: Columns,
    lines: Lines,
    judge: Staleness,
    recent: Recent,
    /// The step that a scripted client's next operation is.
    next_step: BTreeMap<SessionId, u32>,
    /// A put or a get that has just begun: its request says the same and more.
    held: Option<(OpId, Line)>,
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

/// Names one message on its way.
type Waiting = (u32, u32, OpId, u16, Leg, SimTime);

fn waiting(way: Way, sent_at: SimTime) -> Waiting {
    (way.to.0, way.from.0, way.op, way.attempt, way.leg, sent_at)
}

/// The kind of line that a message makes.
fn kind_of(leg: Leg) -> Kind {
    match leg.class() {
        Class::Foreground => Kind::Messages,
        Class::Hint => Kind::Hints,
        Class::ReadRepair => Kind::Repair,
        Class::AntiEntropy | Class::Gossip | Class::Transfer => Kind::Background,
    }
}

/// The keys that a message names.
fn keys_of(message: &Message) -> SmallVec<[KeyId; 2]> {
    match message {
        Message::Get { key, .. }
        | Message::Put { key, .. }
        | Message::Read { key, .. }
        | Message::Write { key, .. }
        | Message::Repair { key, .. } => SmallVec::from_slice(&[*key]),
        Message::Hints { hints, .. } => hints.iter().map(|hint| hint.key).collect(),
        Message::Exchange(exchange) => match &**exchange {
            ExchangeMessage::Keys { items, .. } => items.iter().map(|(key, _)| *key).collect(),
            ExchangeMessage::Leaves { leaves, .. } => {
                leaves.iter().flat_map(|leaf| leaf.entries.iter().map(|entry| entry.key)).collect()
            }
            ExchangeMessage::Want(keys) => SmallVec::from_slice(keys),
            _ => SmallVec::new(),
        },
        Message::Transfer(transfer) => match &**transfer {
            TransferMessage::Batch { keys, .. } => keys.iter().map(|(key, _)| *key).collect(),
            _ => SmallVec::new(),
        },
        _ => SmallVec::new(),
    }
}

/// The operation that made a version; none for what was there before the run.
fn op_of(write: WriteId) -> Option<OpId> {
    let is_first = write.0 >> 63 == 1;
    (!is_first).then_some(OpId(write.0 & !(0xff << 54)))
}

fn by(by: AppliedBy) -> (&'static str, &'static str) {
    match by {
        AppliedBy::Write => ("write", ""),
        AppliedBy::ReadRepair => ("read_repair", ", by read repair"),
        AppliedBy::Hint => ("hint", ", handed over"),
        AppliedBy::AntiEntropy => ("anti_entropy", ", by anti-entropy"),
        AppliedBy::Transfer => ("transfer", ", by range transfer"),
    }
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
            columns: Columns { who: (client.max(node) + node + 4).clamp(6, 32), op: op.min(20) },
            lines: lines.clone(),
            judge: Staleness::new(config.node.versioning.scheme),
            recent: Recent::default(),
            next_step: BTreeMap::new(),
            held: None,
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
    pub fn finish(mut self, end: &RunEnd) {
        self.flush();
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
        if let Some((_, line)) = self.held.take() {
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
        let is_said_again = self.style == Style::Text && kind != OpKind::Update && self.filter.shows(Kind::Messages);
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

    /// What a line about a message is about.
    fn about_message(&self, event: &'static str, way: Way, message: &Message) -> About {
        let op = (!way.op.is_background()).then_some(way.op);
        let mut about = About::new(kind_of(way.leg), event).op(op);
        about.keys.extend(keys_of(message));
        about.nodes.extend([way.from, way.to].into_iter().filter_map(|end| end.as_node()));
        about
    }

    fn message_fields(&self, about: &About, way: Way) -> (String, Vec<(&'static str, Json)>) {
        let names = self.words.names();
        let (from, to) = (names.end(way.from), names.end(way.to));
        let who = format!("{from} -> {to}");
        let mut fields = vec![("from", json!(from)), ("to", json!(to)), ("leg", json!(way.leg.name()))];
        match about.keys.as_slice() {
            [] => fields.extend(about.op.and_then(|op| self.recent.key(op)).map(|key| ("key", json!(self.key(key))))),
            [key] => fields.push(("key", json!(self.key(*key)))),
            keys => fields.push(("keys", json!(keys.iter().map(|key| self.key(*key)).collect::<Vec<_>>()))),
        }
        if way.attempt > 0 {
            fields.push(("attempt", json!(way.attempt)));
        }
        (who, fields)
    }

    fn message_text(&self, way: Way, message: &Message) -> String {
        let key = if way.op.is_background() { None } else { self.recent.key(way.op) };
        let again = match (way.leg, way.attempt) {
            (Leg::ClientRequest, 1..) => format!(", try {}", way.attempt + 1),
            _ => String::new(),
        };
        self.words.message(message, key) + &again
    }

    fn on_sent(&mut self, now: SimTime, way: Way, message: &Message, fate: Fate) {
        // What a node says to itself goes over no wire.
        let about = self.about_message("sent", way, message).detail(way.from == way.to);
        if !self.wants(now, &about) {
            return;
        }
        if way.leg == Leg::ClientRequest && self.held.as_ref().is_some_and(|(op, _)| *op == way.op) {
            self.held = None;
        }
        let (who, mut fields) = self.message_fields(&about, way);
        let what = self.message_text(way, message);
        let fate = match fate {
            Fate::Deliver(at) => {
                fields.push(("arrives_ms", json!(at.as_ms())));
                format!("arrives {}", instant(at))
            }
            Fate::Twice(first, second) => {
                fields.push(("arrives_ms", json!(first.as_ms())));
                fields.push(("arrives_again_ms", json!(second.as_ms())));
                format!("arrives {} and again {}", instant(first), instant(second))
            }
            Fate::Lost(why) => {
                fields.push(("lost", json!(cause(why))));
                format!("LOST: {}", cause(why))
            }
        };
        let op = self.op_name(&about);
        self.say_as(now, &about, who, op, format!("{what}  ({fate})"), fields);
    }

    fn on_arrived(&mut self, now: SimTime, way: Way, sent_at: SimTime, message: &Message, end: WayEnd) {
        let has_waited = match end {
            WayEnd::ReceiverPaused => {
                self.waiting.insert(waiting(way, sent_at));
                false
            }
            WayEnd::Taken | WayEnd::ReceiverDown => {
                !self.waiting.is_empty() && self.waiting.remove(&waiting(way, sent_at))
            }
            WayEnd::Stopped => false,
        };
        let about = self.about_message("arrived", way, message).detail(end == WayEnd::Taken && !has_waited);
        if !self.wants(now, &about) {
            return;
        }
        let (who, mut fields) = self.message_fields(&about, way);
        let to = self.words.names().end(way.to);
        let (word, what) = match end {
            WayEnd::Taken if has_waited => ("taken", format!("{to} goes on and takes")),
            WayEnd::Taken => ("taken", format!("{to} takes")),
            WayEnd::Stopped => ("stopped", "LOST on its way: cut".to_string()),
            WayEnd::ReceiverDown => ("receiver_down", format!("LOST: {to} is down")),
            WayEnd::ReceiverPaused => ("receiver_paused", format!("waits, {to} is paused")),
        };
        fields.extend([("end", json!(word)), ("sent_ms", json!(sent_at.as_ms()))]);
        let text = format!("{what}: {}", self.message_text(way, message));
        let op = self.op_name(&about);
        self.say_as(now, &about, who, op, text, fields);
    }

    fn on_note(&mut self, now: SimTime, node: NodeId, note: &Note, nodes: &[Node]) {
        match note {
            Note::Applied { key, version, by: way } => self.on_applied(now, node, *key, version, *way, nodes),
            Note::Coordinated { op, key, version, context } => {
                let about = About::new(Kind::Storage, "coordinated").key(*key).op(Some(*op));
                self.say_of(now, about, node, |trace| {
                    let (name, is) = (trace.key(*key), trace.words.version(version));
                    let replaces = trace.words.context(context, "replaces");
                    (format!("leads the write: {name} = {is}{replaces}"), vec![("version", json!(is))])
                });
            }
            Note::HintStored { owner, key, version, replaced } => {
                let about = About::new(Kind::Hints, "hint_stored").key(*key).op(op_of(version.write())).node(*owner);
                self.say_of(now, about, node, |trace| {
                    let (name, is, owner) = (trace.key(*key), trace.words.version(version), trace.node(*owner));
                    let older = match replaced {
                        0 => String::new(),
                        replaced => format!(", in place of {}", things(*replaced as usize, "older one")),
                    };
                    let fields = vec![("owner", json!(owner)), ("version", json!(is)), ("replaced", json!(replaced))];
                    (format!("keeps a hint for {owner}: {name} = {is}{older}"), fields)
                });
            }
            Note::HintDelivered { owner, key } => {
                let about = About::new(Kind::Hints, "hint_delivered").key(*key).node(*owner);
                self.say_of(now, about, node, |trace| {
                    let (name, owner) = (trace.key(*key), trace.node(*owner));
                    (format!("forgets its hint for {owner}, who has it: {name}"), vec![("owner", json!(owner))])
                });
            }
            Note::HintDropped { owner, key, expired } => {
                let about = About::new(Kind::Hints, "hint_dropped").key(*key).node(*owner);
                self.say_of(now, about, node, |trace| {
                    let (name, owner) = (trace.key(*key), trace.node(*owner));
                    let (why, word) = if *expired { ("it is too old", "expired") } else { ("no room", "full") };
                    let fields = vec![("owner", json!(owner)), ("why", json!(word))];
                    (format!("DROPS a hint for {owner}, {why}: {name}"), fields)
                });
            }
            Note::Suspected { peer } | Note::Trusted { peer } => {
                let (event, begins, ends) = match note {
                    Note::Suspected { .. } => ("suspected", "suspects ", ""),
                    _ => ("trusted", "trusts ", " again"),
                };
                let about = About::new(Kind::Detector, event).node(*peer);
                self.say_of(now, about, node, |trace| {
                    let peer = trace.node(*peer);
                    (format!("{begins}{peer}{ends}"), vec![("peer", json!(peer))])
                });
            }
            Note::Answered { op, key, outcome: how, .. } => {
                let about = About::new(Kind::Operations, "answered").detail(true).key(*key).op(Some(*op));
                self.say_of(now, about, node, |_| {
                    let how = outcome(*how);
                    (format!("answers the client: {how}"), vec![("outcome", json!(how.replace(' ', "_")))])
                });
            }
            Note::Removed { key } => {
                let about = About::new(Kind::Storage, "removed").key(*key);
                self.say_of(now, about, node, |trace| (format!("removes {}", trace.key(*key)), Vec::new()));
            }
            Note::Flushed { key } => {
                let mut about = About::new(Kind::Storage, "flushed").detail(true);
                about.keys.extend(*key);
                self.say_of(now, about, node, |trace| {
                    let what = key.map_or("all it holds".into(), |key| trace.key(key));
                    (format!("has {what} on disk"), Vec::new())
                });
            }
            Note::RepairSent { to, key, version } => {
                // To another it is a message, with a line of its own.
                let about = About::new(Kind::Repair, "repair_sent").detail(*to != node).key(*key).node(*to);
                let about = about.op(op_of(version.write()));
                self.say_of(now, about, node, |trace| {
                    let (name, is, to) = (trace.key(*key), trace.words.version(version), trace.node(*to));
                    (format!("repairs {to}: {name} = {is}"), vec![("to", json!(to)), ("version", json!(is))])
                });
            }
            Note::ViewChanged => self.on_view(now, node, nodes),
            Note::ChangeInPlace { change } => {
                self.say_of(now, About::new(Kind::Membership, "change_in_place"), node, |trace| {
                    let what = trace.changes.get(change).cloned().unwrap_or_else(|| format!("change {change}"));
                    (format!("sees it in place: {what}"), vec![("change", json!(change))])
                });
            }
            Note::RangeArrived { keys, bytes } => {
                self.say_of(now, About::new(Kind::Membership, "range_arrived"), node, |_| {
                    let text = format!("has a range whole: {}, {bytes} bytes", things(*keys as usize, "key"));
                    (text, vec![("keys_moved", json!(keys)), ("bytes", json!(bytes))])
                });
            }
            // It does not ask for them.
            Note::Waited { .. } | Note::Reached(_) => {}
        }
    }

    fn on_applied(
        &mut self,
        now: SimTime,
        node: NodeId,
        key: KeyId,
        version: &Version,
        way: AppliedBy,
        nodes: &[Node],
    ) {
        let about = About::new(Kind::Storage, "applied").key(key).op(op_of(version.write()));
        self.say_of(now, about, node, |trace| {
            let (name, is) = (trace.key(key), trace.words.version(version));
            let held = nodes.get(node.index()).map_or(&[][..], |node| node.versions(key));
            let beside: Vec<Version> = held.iter().filter(|held| **held != *version).cloned().collect();
            let (word, how) = by(way);
            let mut text = format!("stores {name} = {is}{how}");
            let mut fields = vec![("by", json!(word)), ("version", json!(is))];
            if !beside.is_empty() {
                let others = trace.words.versions(&beside);
                text.push_str(&format!(", BESIDE {others}"));
                fields.push(("beside", json!(beside.iter().map(|held| trace.words.version(held)).collect::<Vec<_>>())));
            }
            (text, fields)
        });
    }

    fn on_view(&mut self, now: SimTime, node: NodeId, nodes: &[Node]) {
        let Some(view) = nodes.get(node.index()).map(Node::view) else { return };
        let old = std::mem::replace(&mut self.views[node.index()], view.clone());
        if old.difference(view).theirs == 0 {
            return;
        }
        let initial = self.config.ring.initial_members.len() as u32;
        let (mut news, mut announces, mut members) = (Vec::new(), false, 0);
        for number in view.numbers().filter(|number| !old.contains(*number)) {
            if number < initial {
                members += 1;
                continue;
            }
            if !self.changes.contains_key(&number) {
                // Nobody has heard of it before, so this node says it first: what it is told, or that it is ready.
                let command = self.command.take_if(|(at, via, _)| (*at, *via) == (now, node));
                let what = match command {
                    Some((.., command)) => self.words.command(command),
                    None => format!("{} has all that it gains", self.node(node)),
                };
                self.changes.insert(number, what);
                announces = true;
            }
            news.push(self.changes[&number].clone());
        }
        if members > 0 {
            news.insert(0, format!("of {}", things(members, "member")));
        }
        self.say_of(now, About::new(Kind::Membership, "view_changed"), node, |_| {
            let word = if announces { "announces" } else { "hears" };
            (format!("{word}: {}", news.join("; ")), vec![("news", json!(news))])
        });
    }

    fn on_step(&mut self, now: SimTime, step: u32) {
        let action = &self.config.steps[step as usize].action;
        match action {
            Action::Operation(operation) => {
                self.next_step.insert(operation.session, step);
                return;
            }
            // Its beginning is told by itself.
            Action::Fault(_) => return,
            Action::Admin { command, via } => self.command = Some((now, *via, *command)),
            Action::Inspect(_) | Action::Restart(_) | Action::Run { .. } => {}
        }
        let about = About::new(Kind::Faults, "step").frame().detail(matches!(action, Action::Inspect(_)));
        let text = self.words.action(action).unwrap_or_default();
        self.say_step(now, &about, step, "script", text);
    }

    fn say_step(&mut self, now: SimTime, about: &About, step: u32, who: &str, text: String) {
        let name = self.words.names().step(step);
        // A name that the scenario did not give says nothing to a reader.
        let shown = self.config.steps[step as usize].name.clone();
        self.say_as(now, about, who.into(), shown, text, vec![("step", json!(name))]);
    }

    fn on_fault(&mut self, now: SimTime, step: u32, begins: bool) {
        let text = self.words.action(&self.config.steps[step as usize].action).unwrap_or_default();
        let (event, text) = if begins {
            self.fault = Some(step);
            ("fault_begins", format!("begins: {text}"))
        } else {
            ("fault_ends", format!("ends: {text}"))
        };
        self.say_step(now, &About::new(Kind::Faults, event).frame(), step, "fault", text);
    }

    fn on_down(&mut self, now: SimTime, node: NodeId) {
        let fault = self.fault.map(|step| &self.config.steps[step as usize].action);
        let is_paused = matches!(fault, Some(Action::Fault(Fault::Pause { .. })));
        self.paused[node.index()] = is_paused;
        self.say_of(now, About::new(Kind::Faults, "down").frame(), node, |_| {
            let (text, how) = if is_paused { ("stops: paused", "paused") } else { ("CRASHES", "crashed") };
            (text.into(), vec![("how", json!(how))])
        });
    }

    fn on_up(&mut self, now: SimTime, node: NodeId) {
        let was_paused = self.paused[node.index()];
        self.say_of(now, About::new(Kind::Faults, "up").frame(), node, |_| {
            (if was_paused { "goes on".into() } else { "is up again".into() }, Vec::new())
        });
    }

    fn on_data_lost(&mut self, now: SimTime, node: NodeId, nodes: &[Node]) {
        let Some(state) = nodes.get(node.index()) else { return };
        self.views[node.index()] = state.view().clone();
        self.say_of(now, About::new(Kind::Faults, "data_lost").frame(), node, |_| {
            let (keys, hints) = (state.table().len(), state.hints().len());
            let text = format!("has {} and {} left", things(keys as usize, "key"), things(hints as usize, "hint"));
            (text, vec![("keys_left", json!(keys)), ("hints_left", json!(hints))])
        });
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
