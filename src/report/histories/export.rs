//! Histories as text: our own JSON lines, and EDN as Jepsen has it.

use serde_json::json;

use super::edn::quoted;
use super::jsonl::{FORMAT, VERSION};
use super::{Call, History, Object, Recorded};

/// Beginnings and ends in their order: place of the operation, whether it ends.
fn events(history: &History) -> Vec<(usize, bool)> {
    let mut events: Vec<(u64, bool, usize)> = Vec::new();
    for (place, recorded) in history.operations.iter().enumerate() {
        events.push((recorded.operation.invoked, false, place));
        events.extend(recorded.operation.returned.map(|at| (at, true, place)));
    }
    // Of one instant beginnings come first: operations that touch overlap.
    events.sort_unstable();
    events.into_iter().map(|(_, ends, place)| (place, ends)).collect()
}

/// The first line of our own format.
pub fn header(object: Object) -> String {
    format!("{}\n", json!({ "format": FORMAT, "version": VERSION, "object": object.name() }))
}

/// Our own format.
pub fn to_jsonl(history: &History) -> String {
    let mut text = header(history.object);
    for (place, ends) in events(history) {
        let recorded = &history.operations[place];
        let op = place as u64 + 1;
        let mut line = |mut event: serde_json::Value| {
            let at = recorded.at_ns.and_then(|(from, to)| if ends { to } else { Some(from) });
            if let (Some(at), Some(event)) = (at, event.as_object_mut()) {
                event.shift_insert(0, "at_ns".into(), json!(at));
            }
            text.push_str(&format!("{event}\n"));
        };
        if ends {
            line(answer(op, &recorded.operation.input));
            continue;
        }
        let call = &recorded.operation.input;
        let mut invoke =
            json!({ "event": "invoke", "op": op, "client": recorded.client, "kind": kind(call), "key": recorded.key });
        match call {
            Call::Cas { from, to, .. } => {
                invoke["from"] = json!(from);
                invoke["to"] = json!(to);
            }
            Call::PutText(text) | Call::Append(text) => invoke["text"] = json!(text),
            _ => {}
        }
        line(invoke);
        match call {
            Call::Write(value) => line(json!({ "event": "write", "op": op, "write": value })),
            Call::WriteSibling { id, replaces, .. } => {
                line(json!({ "event": "write", "op": op, "write": id, "context": replaces }));
            }
            _ => {}
        }
    }
    text
}

fn kind(call: &Call) -> &'static str {
    match call {
        Call::Read(_) | Call::GetText(_) | Call::ReadSiblings(_) => "get",
        Call::Write(_) | Call::PutText(_) | Call::WriteSibling { deletes: false, .. } => "put",
        Call::WriteSibling { deletes: true, .. } => "delete",
        Call::Cas { .. } => "cas",
        Call::Append(_) => "append",
    }
}

fn answer(op: u64, call: &Call) -> serde_json::Value {
    let mut answer = json!({ "event": "return", "op": op, "outcome": "ok" });
    match call {
        Call::Read(value) => answer["values"] = json!(value.iter().collect::<Vec<_>>()),
        Call::ReadSiblings(ids) => answer["values"] = json!(ids),
        Call::GetText(text) => answer["text"] = json!(text),
        Call::Write(value) => answer["write"] = json!(value),
        Call::WriteSibling { id, .. } => answer["write"] = json!(id),
        Call::Cas { done: false, .. } => answer["outcome"] = json!("mismatch"),
        Call::Cas { .. } | Call::PutText(_) | Call::Append(_) => {}
    }
    answer
}

/// EDN. A process does one thing at a time, so an operation gets the first process that is free, for good if it never
/// returned; its client stands beside it.
pub fn to_edn(history: &History) -> String {
    let mut busy: Vec<bool> = Vec::new();
    let mut process: Vec<usize> = vec![0; history.operations.len()];
    let mut text = String::new();
    for (place, ends) in events(history) {
        let recorded = &history.operations[place];
        if ends {
            busy[process[place]] = false;
        } else {
            let free = busy.iter().position(|busy| !busy).unwrap_or(busy.len());
            if free == busy.len() {
                busy.push(true);
            }
            busy[free] = true;
            process[place] = free;
        }
        text.push_str(&edn_event(recorded, process[place], ends));
    }
    text
}

fn edn_event(recorded: &Recorded, process: usize, ends: bool) -> String {
    let call = &recorded.operation.input;
    let value = |value: Option<i64>| value.map_or("nil".into(), |value| value.to_string());
    let list = |ids: &[u64]| ids.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
    let (f, argument) = match call {
        _ if call.is_read() && !ends => (if matches!(call, Call::GetText(_)) { "get" } else { "read" }, "nil".into()),
        Call::Read(read) => ("read", value(*read)),
        Call::Write(written) => ("write", value(*written)),
        Call::Cas { from, to, .. } => ("cas", format!("[{} {}]", value(*from), value(*to))),
        Call::GetText(text) => ("get", quoted(text)),
        Call::PutText(text) => ("put", quoted(text)),
        Call::Append(text) => ("append", quoted(text)),
        Call::ReadSiblings(ids) => ("read", format!("[{}]", list(ids))),
        Call::WriteSibling { id, replaces, deletes } => {
            let deletes = if *deletes { ", :deletes true" } else { "" };
            ("write", format!("{{:id {id}, :replaces [{}]{deletes}}}", list(replaces)))
        }
    };
    let is_mismatch = matches!(call, Call::Cas { done: false, .. });
    let (kind, error) = match (ends, is_mismatch) {
        (false, _) => ("invoke", ""),
        (true, false) => ("ok", ""),
        (true, true) => ("fail", ", :error :mismatch"),
    };
    let key = if recorded.key.is_empty() { String::new() } else { format!(", :key {}", quoted(&recorded.key)) };
    let at = recorded.at_ns.and_then(|(from, to)| if ends { to } else { Some(from) });
    let time = at.map_or(String::new(), |at| format!(", :time {at}"));
    let client = quoted(&recorded.client);
    format!("{{:process {process}, :type :{kind}, :f :{f}{key}, :value {argument}{error}{time}, :client {client}}}\n")
}
