//! Lines about the news of nodes: what they store, whom they trust, what they hear of the membership.

use serde_json::json;

use super::filter::{About, Kind};
use super::line::Line;
use super::words::{outcome, things};
use super::{Gathered, Trace};
use crate::kernel::ids::{KeyId, NodeId, OpId};
use crate::kernel::time::SimTime;
use crate::node::Node;
use crate::node::outputs::{AppliedBy, Note};
use crate::version::{Version, WriteId};

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

impl Trace<'_> {
    pub(super) fn on_note(&mut self, now: SimTime, node: NodeId, note: &Note, nodes: &[Node]) {
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
                if let Some(op) = op_of(version.write()) {
                    self.recent.stored(op, node);
                }
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
            Note::Suspected { peer } => self.on_detector(now, node, *peer, true),
            Note::Trusted { peer } => self.on_detector(now, node, *peer, false),
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
                self.say_of(now, About::new(Kind::Membership, "range_arrived").detail(true), node, |_| {
                    let text = format!("has a range whole: {}, {bytes} bytes", things(*keys as usize, "key"));
                    (text, vec![("keys_moved", json!(keys)), ("bytes", json!(bytes))])
                });
            }
            // It does not ask for them.
            Note::Waited { .. } | Note::Reached(_) | Note::Served { .. } | Note::Gathered { .. } => {}
        }
    }

    fn on_detector(&mut self, now: SimTime, node: NodeId, peer: NodeId, suspects: bool) {
        let event = if suspects { "suspected" } else { "trusted" };
        let about = About::new(Kind::Detector, event).node(node).node(peer);
        if !self.wants(now, &about) {
            return;
        }
        let (who, peer) = (self.node(node), self.node(peer));
        let text = if suspects { format!("suspects {peer}") } else { format!("trusts {peer} again") };
        let fields = vec![("node", json!(who)), ("peer", json!(peer))];
        if !self.gathers {
            self.say_as(now, &about, who, None, text, fields);
            return;
        }
        let is_same = |gathered: &Gathered| {
            (gathered.line.at, gathered.node, gathered.suspects) == (now, node, suspects) && self.held.is_none()
        };
        if !self.gathered.as_ref().is_some_and(is_same) {
            self.flush();
            let line = Line { at: now, kind: about.kind, event, who, op: None, text, fields };
            self.gathered = Some(Gathered { node, suspects, line, peers: Vec::new() });
        }
        if let Some(gathered) = &mut self.gathered {
            gathered.peers.push(peer);
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
        if let Some(op) = op_of(version.write()) {
            self.recent.stored(op, node);
        }
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
            news.insert(0, things(members, "member"));
        }
        self.say_of(now, About::new(Kind::Membership, "view_changed"), node, |_| {
            let word = if announces { "announces" } else { "hears" };
            (format!("{word}: {}", news.join("; ")), vec![("news", json!(news))])
        });
    }
}
