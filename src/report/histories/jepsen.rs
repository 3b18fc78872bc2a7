//! Histories as maps: `{:process 3, :type :invoke, :f :cas, :value [4 1]}`, as Jepsen, Knossos and Porcupine's key-value
//! corpus have them.
//!
//! `:fail` means that the operation did not happen; `:info` that it may have, at any later time. A failed `cas` is an
//! observation only if it says so: `:error :mismatch`. The object follows from the operations: `:append`, `:get` and
//! `:put` are of a text; reads of a vector and writes of a map are of siblings; anything else is a register.

use super::edn::{Edn, Node, read};
use super::pairs::{End, Pairs};
use super::{Call, History, Object, Problems};

/// Reads a history.
pub fn parse(text: &str, problems: &mut Problems) -> History {
    let nodes = read(text, problems);
    let object = object_of(&nodes);
    let mut pairs = Pairs::new();
    let mut others = 0;
    for Node { line, value } in &nodes {
        let line = *line;
        if !matches!(value, Edn::Map(_)) {
            problems.add(line, "", "an event is a map: `{:process 0, :type :invoke, :f :read, :value nil}`");
            continue;
        }
        let process = match value.get("process").map(|node| &node.value) {
            Some(Edn::Int(process)) => *process,
            // The nemesis and its like do nothing to the object.
            Some(Edn::Keyword(_)) => {
                others += 1;
                continue;
            }
            _ => {
                problems.add(line, ":process", "is missing or no number");
                continue;
            }
        };
        let at_ns = match value.get("time").map(|node| &node.value) {
            Some(Edn::Int(at)) if *at >= 0 => Some(*at as u64),
            None => None,
            Some(_) => {
                problems.add(line, ":time", "is no number of nanoseconds");
                None
            }
        };
        let key = match value.get("key").map(|node| &node.value) {
            None | Some(Edn::Nil) => String::new(),
            Some(Edn::Text(key) | Edn::Word(key) | Edn::Keyword(key)) => key.clone(),
            Some(Edn::Int(key)) => key.to_string(),
            Some(_) => {
                problems.add(line, ":key", "is neither a text nor a number");
                continue;
            }
        };
        let (Some(kind), Some(f)) = (keyword(value, "type"), keyword(value, "f")) else {
            let missing = if keyword(value, "type").is_none() { ":type" } else { ":f" };
            problems.add(line, missing, "is missing or no keyword");
            continue;
        };
        let nil = Edn::Nil;
        let argument = value.get("value").map_or(&nil, |node| &node.value);
        match kind {
            "invoke" => match call(object, f, argument) {
                Ok(call) => {
                    let call = (!call.is_read()).then_some(call);
                    pairs.begin(line, process, key, call, at_ns, problems);
                }
                Err((field, wrong)) => problems.add(line, field, wrong),
            },
            "ok" | "fail" | "info" => {
                let is_mismatch = keyword(value, "error") == Some("mismatch");
                pairs.end(line, process, at_ns, problems, |invoked, problems| {
                    ended(object, kind, f, argument, is_mismatch, invoked).unwrap_or_else(|(field, wrong)| {
                        problems.add(line, field, wrong);
                        End::Void
                    })
                });
            }
            _ => problems.add(line, ":type", format!("`:{kind}` is none of :invoke, :ok, :fail, :info")),
        }
    }
    let notices = if others > 0 { vec![format!("{others} events of no client passed over")] } else { Vec::new() };
    pairs.finish(object, notices)
}

fn keyword<'a>(value: &'a Edn, name: &str) -> Option<&'a str> {
    match value.get(name).map(|node| &node.value) {
        Some(Edn::Keyword(word)) => Some(word),
        _ => None,
    }
}

fn object_of(nodes: &[Node]) -> Object {
    for Node { value, .. } in nodes {
        let argument = value.get("value").map(|node| &node.value);
        match (keyword(value, "f"), argument) {
            (Some("append" | "get" | "put"), _) => return Object::Text,
            (Some("read"), Some(Edn::List(_))) | (Some("write"), Some(Edn::Map(_))) => return Object::Siblings,
            _ => {}
        }
    }
    Object::Register
}

type Wrong = (&'static str, String);

fn wrong_value<T>(wanted: &str) -> Result<T, Wrong> {
    Err((":value", format!("is not {wanted}")))
}

fn number(value: &Edn) -> Result<Option<i64>, Wrong> {
    match value {
        Edn::Nil => Ok(None),
        Edn::Int(number) => Ok(Some(*number)),
        _ => wrong_value("a number or nil"),
    }
}

fn numbers(value: Option<&Edn>) -> Result<Vec<u64>, Wrong> {
    let Some(Edn::List(nodes)) = value else { return wrong_value("a vector of write numbers") };
    let number = |node: &Node| match node.value {
        Edn::Int(number) if number >= 0 => Ok(number as u64),
        _ => wrong_value("a vector of write numbers"),
    };
    let mut numbers: Vec<u64> = nodes.iter().map(number).collect::<Result<_, _>>()?;
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// What an event's `:f` and `:value` say. A read's value counts only in its end.
fn call(object: Object, f: &str, value: &Edn) -> Result<Call, Wrong> {
    let text = || match value {
        Edn::Text(text) => Ok(text.clone()),
        Edn::Nil => Ok(String::new()),
        _ => wrong_value("a text"),
    };
    match (object, f) {
        (Object::Text, "get") => Ok(Call::GetText(text()?)),
        (Object::Text, "put") => Ok(Call::PutText(text()?)),
        (Object::Text, "append") => Ok(Call::Append(text()?)),
        (Object::Siblings, "read") if *value == Edn::Nil => Ok(Call::ReadSiblings(Vec::new())),
        (Object::Siblings, "read") => Ok(Call::ReadSiblings(numbers(Some(value))?)),
        (Object::Siblings, "write") => {
            let Some(Edn::Int(id @ 0..)) = value.get("id").map(|node| &node.value) else {
                return wrong_value("a map with the write's :id");
            };
            let replaces = numbers(value.get("replaces").map(|node| &node.value))?;
            let deletes = matches!(value.get("deletes").map(|node| &node.value), Some(Edn::Bool(true)));
            Ok(Call::WriteSibling { id: *id as u64, replaces, deletes })
        }
        (Object::Register, "read") => Ok(Call::Read(number(value)?)),
        (Object::Register, "write") => Ok(Call::Write(number(value)?)),
        (Object::Register, "cas") => match value {
            Edn::List(pair) if pair.len() == 2 => {
                Ok(Call::Cas { from: number(&pair[0].value)?, to: number(&pair[1].value)?, done: true })
            }
            _ => wrong_value("a vector of two, [from to]"),
        },
        _ => Err((":f", format!("`:{f}` is nothing that a {} can do", object.name()))),
    }
}

fn ended(
    object: Object,
    kind: &str,
    f: &str,
    value: &Edn,
    is_mismatch: bool,
    invoked: Option<&Call>,
) -> Result<End, Wrong> {
    match (kind, invoked) {
        ("info", _) => Ok(End::Unknown),
        ("fail", Some(&Call::Cas { from, to, .. })) if is_mismatch => Ok(End::Ok(Call::Cas { from, to, done: false })),
        ("fail", _) => Ok(End::Void),
        (_, invoked) => {
            let returned = call(object, f, value)?;
            match invoked {
                None if returned.is_read() => Ok(End::Ok(returned)),
                Some(invoked) if *invoked == returned => Ok(End::Ok(returned)),
                // Many writers of logs leave the value out of an answer.
                Some(invoked) if *value == Edn::Nil => Ok(End::Ok(invoked.clone())),
                _ => Err((":value", "is not what was invoked".into())),
            }
        }
    }
}
