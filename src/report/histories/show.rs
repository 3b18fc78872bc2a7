//! Verdicts as people and programs read them.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::judge::KeyReport;
use super::{Call, History, Recorded};
use crate::check::linear::Verdict;

/// Keys that are told one by one even if all is well with them.
const KEYS_SHOWN: usize = 20;

/// What an operation did, in a few words.
pub fn describe(call: &Call) -> String {
    let value = |value: Option<i64>| value.map_or("nothing".into(), |value| value.to_string());
    let list = |ids: &[u64]| match ids {
        [] => "nothing".to_string(),
        ids => ids.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
    };
    match call {
        Call::Read(read) => format!("read {}", value(*read)),
        Call::Write(written) => format!("wrote {}", value(*written)),
        Call::Cas { from, to, done: true } => format!("set {} to {}", value(*from), value(*to)),
        Call::Cas { from, done: false, .. } => format!("found it was not {}", value(*from)),
        Call::GetText(text) => format!("read {}", shortened(text)),
        Call::PutText(text) => format!("wrote {}", shortened(text)),
        Call::Append(text) => format!("appended {}", shortened(text)),
        Call::ReadSiblings(ids) => format!("read {}", list(ids)),
        Call::WriteSibling { id, replaces, deletes: false } => format!("wrote {id} over {}", list(replaces)),
        Call::WriteSibling { replaces, .. } => format!("deleted {}", list(replaces)),
    }
}

/// A long text by its end, where appends differ.
fn shortened(text: &str) -> String {
    const KEPT: usize = 40;
    let count = text.chars().count();
    if count <= KEPT {
        return format!("{text:?}");
    }
    let end: String = text.chars().skip(count - KEPT).collect();
    format!("…{end:?}")
}

fn sentence(recorded: &Recorded) -> String {
    let end = recorded.lines.1.map_or("never returned".into(), |end| format!("returned in {end}"));
    let client = &recorded.client;
    let who = if client.parse::<i64>().is_ok() { format!("process {client}") } else { client.clone() };
    format!("line {}, {end}: {who} {}", recorded.lines.0, describe(&recorded.operation.input))
}

/// The verdicts on a file, for a person.
pub fn text(file: &str, history: &History, reports: &[KeyReport]) -> String {
    let count = history.operations.len();
    if count == 0 {
        return format!("{file}: valid, 0 operations\n");
    }
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let (keys, object) = (reports.len(), history.object.name());
    let mut out = format!("{file}: {object}, {count} operation{} on {keys} key{}\n", plural(count), plural(keys));
    let mut well = 0;
    for report in reports {
        if report.verdict.is_legal() && reports.len() > KEYS_SHOWN {
            well += 1;
            continue;
        }
        let key = if report.key.is_empty() { String::new() } else { format!("{}: ", report.key) };
        let regular = match report.regular {
            Some(true) => ", regular",
            Some(false) => ", not regular",
            None => "",
        };
        let verdict = match &report.verdict {
            Verdict::Legal => "linearizable".to_string(),
            Verdict::Illegal { .. } => "not linearizable".to_string(),
            Verdict::Undecided { states } => format!("undecided after {states} states"),
        };
        let _ = write!(out, "  {key}{verdict}{regular}");
        if let Some(ns) = report.widening_ns.filter(|&ns| ns > 0) {
            let _ = write!(out, ", atomic if reads begin {} ms earlier", ns as f64 / 1e6);
        }
        out.push('\n');
        if let Verdict::Illegal { witness, involved } = &report.verdict {
            let _ = writeln!(out, "    cannot be placed: {}", sentence(&history.operations[*witness]));
            for place in involved {
                let _ = writeln!(out, "    beside it:        {}", sentence(&history.operations[*place]));
            }
        }
    }
    if well > 0 {
        let _ = writeln!(out, "  {well} keys linearizable");
    }
    out
}

/// The verdicts on a file, for a program.
pub fn json(file: &str, history: &History, reports: &[KeyReport]) -> Json {
    let operation = |&place: &usize| {
        let recorded = &history.operations[place];
        json!({
            "line": recorded.lines.0, "returned_line": recorded.lines.1, "client": recorded.client,
            "did": describe(&recorded.operation.input),
        })
    };
    let key = |report: &KeyReport| {
        let mut key = json!({ "key": report.key, "operations": report.operations });
        match &report.verdict {
            Verdict::Legal => key["verdict"] = json!("linearizable"),
            Verdict::Illegal { witness, involved } => {
                key["verdict"] = json!("not_linearizable");
                key["witness"] = operation(witness);
                key["beside"] = json!(involved.iter().map(operation).collect::<Vec<_>>());
            }
            Verdict::Undecided { states } => {
                key["verdict"] = json!("undecided");
                key["states"] = json!(states);
            }
        }
        key["regular"] = json!(report.regular);
        key["widening_ns"] = json!(report.widening_ns);
        key
    };
    json!({
        "file": file,
        "object": history.object.name(),
        "operations": history.operations.len(),
        "keys": reports.iter().map(key).collect::<Vec<_>>(),
        "notices": history.notices,
    })
}
