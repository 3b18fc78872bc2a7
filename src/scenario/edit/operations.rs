//! Groups of clients written out: what their sessions did in one run, as operations of scripted clients.
//!
//! A session becomes a client of the script. Each of its requests goes to the node it went to, at the time it left, with
//! the luck that it had. A scripted client is nowhere, so the way of a located one to another region is written as exact
//! delays, and cuts of places name the clients that were there. What is not kept: the content of a counter, which a
//! script cannot write, the bytes of a value, which only count where bandwidth does, and the lock of a group.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::record::{Recorder, Request};
use super::steps::{duration_text, name as name_of, select};
use super::{list, remove, set};
use crate::cluster::config::{FirstValue, RunConfig};
use crate::history::OpKind;
use crate::kernel::ids::{KeyId, NodeId, OpId, SessionId};
use crate::kernel::time::Span;
use crate::network::Site;
use crate::scenario::build::Built;
use crate::version::Value;
use crate::workload::config::{Data, Routing};

/// The scenario with every request of this run as a step, and without groups of clients. `None` if a group coordinates
/// by itself, which a scripted client cannot.
pub fn without_clients(tree: &Json, built: &Built, recorder: &Recorder) -> Option<Json> {
    let config = &built.config;
    if config.groups.iter().any(|group| matches!(group.routing, Routing::ClientDriven { .. })) {
        return None;
    }
    let names = client_names(tree, config, recorder);
    let writer = Writer { config, groups: list(tree, "clients"), names: &names, pairs: pairs(recorder) };
    let mut tree_out = tree.clone();
    remove(&mut tree_out, "clients");
    let mut script: Vec<Json> = list(tree, "script").to_vec();
    for (number, step) in script.iter_mut().enumerate() {
        // Scripted clients have other numbers now, and keep their luck.
        if let Some(op) = recorder.of_steps.get(&(number as u32))
            && step.get("draws").is_none()
        {
            set(step, "draws", json!(luck(*op)));
        }
    }
    let taken: BTreeSet<String> = script.iter().filter_map(name_of).map(str::to_string).collect();
    let clashes = |name: &str| taken.contains(name);
    script.extend(
        recorder
            .requests
            .iter()
            .filter(|request| !request.op.is_scripted())
            .map(|request| writer.step(request, &clashes)),
    );
    set(&mut tree_out, "script", Json::Array(script));
    keep_first_values(&mut tree_out, config, recorder);
    let located = |place: &str| -> Vec<String> {
        names
            .iter()
            .filter(|(session, _)| is_at(built, **session, place))
            .map(|(_, name)| format!("client:{name}"))
            .collect()
    };
    select(&mut tree_out, &mut |selector| {
        let mut chosen = vec![selector.to_string()];
        if let Some(group) =
            selector.strip_prefix("client:").and_then(|name| config.groups.iter().position(|g| g.name == name))
        {
            let group = &config.groups[group];
            let sessions = group.first_session.0..group.first_session.0 + group.sessions;
            chosen = names
                .range(SessionId(sessions.start)..SessionId(sessions.end))
                .map(|(_, n)| format!("client:{n}"))
                .collect();
        } else if selector.starts_with("region:") || selector.starts_with("rack:") {
            chosen.extend(located(selector));
        }
        chosen
    });
    Some(tree_out)
}

/// What `draws` says of a request.
fn luck(op: OpId) -> String {
    let (session, number) = (op.session().0 + 1, op.number());
    let kind = if op.is_scripted() { "scripted" } else { "session" };
    let second = if number % 2 == 1 { ".2" } else { "" };
    format!("{kind} {session}#{}{second}", number / 2)
}

/// Names for the sessions that did something, none of which anybody has yet.
fn client_names(tree: &Json, config: &RunConfig, recorder: &Recorder) -> BTreeMap<SessionId, String> {
    let known = super::steps::scripted_clients(tree);
    let mut names = BTreeMap::new();
    for request in recorder.requests.iter().filter(|request| !request.op.is_scripted()) {
        names.entry(request.session).or_insert_with(|| {
            let group = &config.groups[request.group.index()];
            let number = request.session.0 - group.first_session.0 + 1;
            let mut name = format!("{}-{number}", group.name);
            while known.contains(&name) {
                name.push('x');
            }
            name
        });
    }
    names
}

/// Second requests, each with the first of its operation.
fn pairs(recorder: &Recorder) -> BTreeMap<OpId, &Request> {
    let first = |op: OpId| OpId::of_session(op.session(), op.number() - 1);
    let by_name: BTreeMap<OpId, &Request> = recorder.requests.iter().map(|request| (request.op, request)).collect();
    let seconds = recorder.requests.iter().filter(|request| request.is_second() && !request.op.is_scripted());
    seconds.filter_map(|request| Some((request.op, *by_name.get(&first(request.op))?))).collect()
}

struct Writer<'a> {
    config: &'a RunConfig,
    groups: &'a [Json],
    names: &'a BTreeMap<SessionId, String>,
    pairs: BTreeMap<OpId, &'a Request>,
}

impl Writer<'_> {
    fn step(&self, request: &Request, clashes: &dyn Fn(&str) -> bool) -> Json {
        let client = &self.names[&request.session];
        let name = |request: &Request| {
            let mut name = format!("{client}-{}", request.op.number() / 2);
            while clashes(&name) {
                name.push('x');
            }
            name
        };
        let mut step = serde_json::Map::new();
        let first = self.pairs.get(&request.op);
        let is_first_of_two = self.has_second(request);
        if is_first_of_two {
            step.insert("name".into(), json!(name(request)));
        }
        match first {
            Some(first) => {
                step.insert("after".into(), json!(name(first)));
                let ended_at = first.ended.map_or(first.began_at, |(at, _)| at);
                let pause = request.began_at.since(ended_at);
                if pause > Span::ZERO {
                    step.insert("plus".into(), json!(duration_text(pause)));
                }
            }
            None => _ = step.insert("at".into(), json!(duration_text(Span(request.began_at.0)))),
        }
        step.insert("client".into(), json!(client));
        let (action, mut fields) = self.action(request);
        if let (Some(first), "put" | "delete") = (first, action) {
            set(&mut fields, "context", json!(name(first)));
        }
        step.insert(action.into(), fields);
        step.insert("draws".into(), json!(luck(request.op)));
        Json::Object(step)
    }

    fn action(&self, request: &Request) -> (&'static str, Json) {
        let group = &self.groups[request.group.index()];
        let mut fields = json!({ "key": key_name(self.config, request.key) });
        let (action, quorum) = match (request.kind, &request.value) {
            (OpKind::Get | OpKind::Update, _) => ("get", "r"),
            (OpKind::Delete, _) | (OpKind::Put, Some(Value::Tombstone)) => ("delete", "w"),
            (OpKind::Put, value) => {
                set(&mut fields, "value", value.as_ref().map_or(json!("v"), |value| written(self.config, value)));
                ("put", "w")
            }
        };
        if let Some(via) = request.via {
            set(&mut fields, "via", json!(self.config.node_names[via.index()]));
        }
        let context = if action == "get" { None } else { Some("context") };
        for name in [quorum, "n", "quorum", "timeout"].into_iter().chain(context) {
            if let Some(value) = group.get(name) {
                set(&mut fields, name, value.clone());
            }
        }
        // What was lost or never came is up to the faults, as it was. The answer may come from another node than asked.
        let mut legs = json!({});
        for (leg, way) in ["client_request", "client_response"].into_iter().zip(request.ways) {
            if let Some((node, took)) = way.filter(|(node, _)| self.is_far(request, *node)) {
                set(&mut legs, leg, json!({ self.config.node_names[node.index()].as_str(): duration_text(took) }));
            }
        }
        if legs.as_object().is_some_and(|legs| !legs.is_empty()) {
            set(&mut fields, "legs", legs);
        }
        (action, fields)
    }

    fn has_second(&self, request: &Request) -> bool {
        !request.is_second() && self.pairs.contains_key(&OpId::of_session(request.session, request.op.number() + 1))
    }

    /// Whether a node is in another region than the request's client.
    fn is_far(&self, request: &Request, node: NodeId) -> bool {
        let network = &self.config.network;
        let there = network.nodes.get(node.index()).map(|place| place.region);
        region_of(self.config, request.session).is_some_and(|here| there != Some(here))
    }
}

/// The region of a session, unless it is nowhere.
fn region_of(config: &RunConfig, session: SessionId) -> Option<u32> {
    let group = config.groups.iter().position(|group| session.0 < group.first_session.0 + group.sessions)?;
    match config.network.groups[group] {
        Site::Region(region) => Some(region),
        Site::Rack(place) => Some(place.region),
        Site::Nowhere => None,
        // As the network deals them out.
        Site::Spread => Some(session.0 % config.network.regions),
    }
}

/// Whether a session is in the place that a selector of a cut or link means.
fn is_at(built: &Built, session: SessionId, place: &str) -> bool {
    let config = &built.config;
    let racks = &built.world.racks;
    if let Some(region) = place.strip_prefix("region:") {
        let here = region_of(config, session);
        return here.is_some_and(|here| config.region_names[here as usize] == region);
    }
    let group = config.groups.iter().position(|group| session.0 < group.first_session.0 + group.sessions);
    match group.map(|group| config.network.groups[group]) {
        Some(Site::Rack(at)) => {
            place.strip_prefix("rack:") == racks.get(at.rack as usize).map(|(name, _)| name.as_str())
        }
        _ => false,
    }
}

/// A key's name; one that was new in the run has that under which it was placed.
fn key_name(config: &RunConfig, key: KeyId) -> String {
    config.keys.get(key.index()).map_or_else(|| format!("new-{:08x}", key.0), |key| key.name.clone())
}

/// A value as a script writes it.
fn written(config: &RunConfig, value: &Value) -> Json {
    let item = |item: u32| config.texts.get(item as usize).cloned().unwrap_or_else(|| format!("i{item}"));
    match value {
        Value::Tombstone => json!("deleted"),
        Value::Blob(number) => json!(format!("v{number}")),
        Value::Text(text) => json!(config.texts[*text as usize]),
        Value::Set(_) => json!(value.items().iter().map(|number| item(*number)).collect::<Vec<_>>()),
        Value::Counter(_) => json!(value.total().to_string()),
    }
}

/// Keys that groups had at the start, as far as a step names them.
fn keep_first_values(tree: &mut Json, config: &RunConfig, recorder: &Recorder) {
    let mut used: BTreeSet<KeyId> = recorder.requests.iter().map(|request| request.key).collect();
    let numbers: BTreeMap<&str, KeyId> =
        config.keys.iter().enumerate().map(|(number, key)| (key.name.as_str(), KeyId(number as u32))).collect();
    for step in list(tree, "script") {
        let Some(fields) = super::steps::fields(step) else { continue };
        let names = list(fields, "keys").iter().chain(fields.get("key")).filter_map(Json::as_str);
        used.extend(names.filter_map(|name| numbers.get(name)));
    }
    for key in used {
        let Some(known) = config.keys.get(key.index()) else { continue };
        let Some(FirstValue::OfGroup(group)) = known.first else { continue };
        let value = match config.groups[group.index()].data {
            Data::Blob(_) => json!("v0"),
            Data::Set(_) => json!([]),
            Data::Counter(_) => json!("0"),
        };
        if tree.get("keys").is_none() {
            set(tree, "keys", json!({}));
        }
        let keys = tree.get_mut("keys").expect("it was set just now");
        match keys.get_mut(&known.name) {
            Some(key) => set(key, "value", value),
            None => set(keys, &known.name, json!({ "value": value })),
        }
    }
    // The field was added at the end, and the script reads better after it.
    for section in ["keys", "script", "expect"] {
        if let Some(value) = remove(tree, section) {
            set(tree, section, value);
        }
    }
}
