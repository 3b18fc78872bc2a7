//! Our own history files: one JSON object a line, an event each. `docs/histories.md` describes them.
//!
//! A write is an operation of its own for every version that coordinators made for it (an operation that was tried
//! again may have several). The one that its client heard of returned; of the others nobody knows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::{Call, History, Object, Problems, Recorded};
use crate::check::linear::Operation;

/// What the first line says, but for the object.
pub const FORMAT: &str = "dynamo-sim history";
/// The version of the format.
pub const VERSION: u64 = 1;

/// Who wrote what a key held at the beginning.
pub const FIRST: &str = "first value";

/// An operation that has begun.
struct Begun {
    line: u32,
    instant: u64,
    at_ns: Option<u64>,
    client: String,
    key: String,
    kind: Kind,
    /// What it wrote, version by version.
    writes: Vec<Written>,
    returned: Option<Returned>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    Get,
    Put,
    Delete,
    Cas { from: Option<i64>, to: Option<i64> },
    PutText(String),
    Append(String),
}

struct Written {
    id: Option<i64>,
    context: Vec<u64>,
}

struct Returned {
    line: u32,
    instant: u64,
    at_ns: Option<u64>,
    answer: Answer,
}

#[derive(PartialEq, Eq)]
enum Answer {
    Values(Vec<i64>),
    Text(String),
    /// The write that the client heard of, if it was told.
    Wrote(Option<Option<i64>>),
    Mismatch,
    /// It failed.
    Nothing,
}

/// Reads a history.
pub fn parse(text: &str, problems: &mut Problems) -> History {
    let mut reader =
        Reader { object: None, begun: BTreeMap::new(), made: BTreeMap::new(), instant: 0, clock: 0, first: Vec::new() };
    for (number, line) in (1_u32..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<Json>(line) {
            Ok(Json::Object(event)) => {
                if let Err((field, wrong)) = reader.event(number, &event) {
                    problems.add(number, field, wrong);
                }
            }
            Ok(_) => problems.add(number, "", "an event is a JSON object"),
            Err(error) if error.is_eof() => problems.add(number, "", "the line is cut off"),
            Err(error) => problems.add(number, "", format!("is no JSON: {error}")),
        }
    }
    reader.finish(problems)
}

type Wrong = (&'static str, String);

struct Reader {
    object: Option<Object>,
    begun: BTreeMap<u64, Begun>,
    /// First values: line, key, write.
    first: Vec<(u32, String, i64, u64)>,
    /// Numbers of siblings and the lines that made them.
    made: BTreeMap<u64, u32>,
    instant: u64,
    clock: u64,
}

impl Reader {
    fn event(&mut self, line: u32, event: &Map<String, Json>) -> Result<(), Wrong> {
        if event.contains_key("format") {
            return self.header(event);
        }
        let Some(object) = self.object else {
            let header = format!("{{\"format\":\"{FORMAT}\",\"version\":{VERSION},\"object\":\"siblings\"}}");
            // Said once: what follows is read as the most common object.
            self.object = Some(Object::Siblings);
            return Err(("format", format!("the first line must be like {header}")));
        };
        self.instant += 1;
        let at_ns = match event.get("at_ns") {
            None => None,
            Some(at) => Some(at.as_u64().ok_or(("at_ns", format!("`{at}` is no number of nanoseconds")))?),
        };
        if let Some(at) = at_ns {
            if at < self.clock {
                return Err(("at_ns", format!("{at} is before {} of an earlier line", self.clock)));
            }
            self.clock = at;
        }
        match text(event, "event")? {
            "first" => {
                if object == Object::Text {
                    return Err(("event", "a text has no first value: it begins empty".into()));
                }
                let write = integer(event, "write")?.ok_or(("write", "must be a number".to_string()))?;
                self.number_made(line, write, object)?;
                self.first.push((line, text(event, "key")?.to_string(), write, self.instant));
                Ok(())
            }
            "invoke" => self.invoke(line, event, object, at_ns),
            "write" => {
                let id = integer(event, "write")?;
                let context = match event.get("context").filter(|_| object == Object::Siblings) {
                    Some(list) => numbers(integers(list, "context")?, "context")?,
                    None => Vec::new(),
                };
                let begun = self.operation(event)?;
                if !matches!(begun.kind, Kind::Put | Kind::Delete) {
                    return Err(("op", format!("the operation of line {} is no put or delete", begun.line)));
                }
                match id {
                    Some(id) => self.number_made(line, id, object)?,
                    None if object == Object::Siblings => return Err(("write", "a sibling has a number".into())),
                    None => {}
                }
                let begun = self.operation(event)?;
                begun.writes.push(Written { id, context });
                Ok(())
            }
            "return" => self.ends(line, event, object, at_ns),
            other => Err(("event", format!("`{other}` is none of first, invoke, write, return"))),
        }
    }

    fn header(&mut self, event: &Map<String, Json>) -> Result<(), Wrong> {
        if event["format"] != FORMAT {
            return Err(("format", format!("is not `{FORMAT}`")));
        }
        if event.get("version").and_then(Json::as_u64) != Some(VERSION) {
            return Err(("version", format!("this program reads version {VERSION}")));
        }
        let object = Object::from_name(text(event, "object")?);
        self.object = Some(object.ok_or(("object", "is none of register, text, siblings".to_string()))?);
        Ok(())
    }

    /// Notes the number of a sibling that was made. Values of registers may be written twice.
    fn number_made(&mut self, line: u32, id: i64, object: Object) -> Result<(), Wrong> {
        if object != Object::Siblings {
            return Ok(());
        }
        let id = numbers(vec![id], "write")?[0];
        match self.made.insert(id, line) {
            None => Ok(()),
            Some(before) => Err(("write", format!("{id} was made in line {before} already"))),
        }
    }

    fn operation(&mut self, event: &Map<String, Json>) -> Result<&mut Begun, Wrong> {
        let number = unsigned(event, "op")?;
        self.begun.get_mut(&number).ok_or(("op", format!("no line invokes operation {number}")))
    }

    fn invoke(
        &mut self,
        line: u32,
        event: &Map<String, Json>,
        object: Object,
        at_ns: Option<u64>,
    ) -> Result<(), Wrong> {
        let number = unsigned(event, "op")?;
        let kind = match (text(event, "kind")?, object) {
            ("get", _) => Kind::Get,
            ("put", Object::Text) => Kind::PutText(text(event, "text")?.to_string()),
            ("append", Object::Text) => Kind::Append(text(event, "text")?.to_string()),
            ("put", _) => Kind::Put,
            ("delete", Object::Register | Object::Siblings) => Kind::Delete,
            ("cas", Object::Register) => Kind::Cas { from: integer(event, "from")?, to: integer(event, "to")? },
            (other, _) => return Err(("kind", format!("`{other}` is nothing that a {} can do", object.name()))),
        };
        let key = text(event, "key")?.to_string();
        let client = event.get("client").and_then(Json::as_str).unwrap_or("").to_string();
        if let Some(before) = self.begun.get(&number) {
            return Err(("op", format!("operation {number} was invoked in line {} already", before.line)));
        }
        let instant = self.instant;
        let begun = Begun { line, instant, at_ns, client, key, kind, writes: Vec::new(), returned: None };
        self.begun.insert(number, begun);
        Ok(())
    }

    fn ends(&mut self, line: u32, event: &Map<String, Json>, object: Object, at_ns: Option<u64>) -> Result<(), Wrong> {
        let instant = self.instant;
        let outcome = text(event, "outcome")?.to_string();
        let begun = self.operation(event)?;
        if let Some(before) = &begun.returned {
            return Err(("op", format!("it returned in line {} already", before.line)));
        }
        let answer = match (outcome.as_str(), &begun.kind) {
            ("ok", Kind::Get) if object == Object::Text => Answer::Text(text(event, "text")?.to_string()),
            ("ok", Kind::Get) => {
                let values = event.get("values").ok_or(("values", "a get that went well returns some".to_string()))?;
                let values = integers(values, "values")?;
                if object == Object::Siblings {
                    numbers(values.clone(), "values")?;
                }
                Answer::Values(values)
            }
            ("ok", Kind::Put | Kind::Delete) if event.contains_key("write") => {
                let write = integer(event, "write")?;
                if !begun.writes.iter().any(|held| held.id == write) {
                    return Err(("write", "no `write` event of the operation names it".into()));
                }
                Answer::Wrote(Some(write))
            }
            ("ok", _) => Answer::Wrote(None),
            ("mismatch", Kind::Cas { .. }) => Answer::Mismatch,
            ("timeout" | "too_few_replicas" | "no_coordinator" | "refused", _) => Answer::Nothing,
            _ => return Err(("outcome", format!("`{outcome}` is no outcome of this operation"))),
        };
        begun.returned = Some(Returned { line, instant, at_ns, answer });
        Ok(())
    }

    fn finish(self, problems: &mut Problems) -> History {
        let object = self.object.unwrap_or(Object::Siblings);
        // A reader of deleted keys sees nothing, whether the marks of the deletes are still there or not.
        let deletes = self.begun.values().filter(|begun| begun.kind == Kind::Delete);
        let deleted: BTreeSet<i64> =
            deletes.flat_map(|begun| begun.writes.iter().filter_map(|write| write.id)).collect();
        let mut operations = Vec::new();
        for (line, key, write, instant) in self.first {
            let call = match object {
                Object::Siblings => Call::WriteSibling { id: write as u64, replaces: Vec::new(), deletes: false },
                _ => Call::Write(Some(write)),
            };
            operations.push(Recorded {
                key,
                client: FIRST.into(),
                lines: (line, Some(line)),
                at_ns: Some((0, Some(0))),
                operation: Operation::new(instant, instant, call),
            });
        }
        for begun in self.begun.into_values() {
            begun.become_operations(object, &deleted, &mut operations, problems);
        }
        operations.sort_by_key(|recorded| recorded.operation.invoked);
        History { object, operations, notices: Vec::new() }
    }
}

impl Begun {
    fn become_operations(
        self,
        object: Object,
        deleted: &BTreeSet<i64>,
        operations: &mut Vec<Recorded>,
        problems: &mut Problems,
    ) {
        let Begun { line, instant, at_ns, client, key, kind, writes, returned } = self;
        let mut push = |call: Call, returned: Option<&Returned>| {
            operations.push(Recorded {
                key: key.clone(),
                client: client.clone(),
                lines: (line, returned.map(|r| r.line)),
                at_ns: at_ns.map(|at| (at, returned.and_then(|r| r.at_ns))),
                operation: Operation { invoked: instant, returned: returned.map(|r| r.instant), input: call },
            });
        };
        let answer = returned.as_ref().map(|returned| &returned.answer);
        match (kind, answer) {
            (Kind::Get, Some(Answer::Values(values))) => {
                let mut seen: Vec<i64> = values.iter().copied().filter(|id| !deleted.contains(id)).collect();
                seen.sort_unstable();
                seen.dedup();
                match object {
                    Object::Siblings => {
                        push(Call::ReadSiblings(seen.into_iter().map(|id| id as u64).collect()), returned.as_ref());
                    }
                    _ if seen.len() > 1 => {
                        let at = returned.as_ref().map_or(line, |returned| returned.line);
                        problems.add(at, "values", "a register holds one value at most");
                    }
                    _ => push(Call::Read(seen.first().copied()), returned.as_ref()),
                }
            }
            (Kind::Get, Some(Answer::Text(text))) => push(Call::GetText(text.clone()), returned.as_ref()),
            (Kind::Get, _) => {}
            (Kind::Cas { from, to }, Some(Answer::Mismatch)) => {
                push(Call::Cas { from, to, done: false }, returned.as_ref())
            }
            (Kind::Cas { from, to }, answer) => {
                let is_ok = matches!(answer, Some(Answer::Wrote(_)));
                push(Call::Cas { from, to, done: true }, returned.as_ref().filter(|_| is_ok));
            }
            (Kind::PutText(text), answer) => {
                let is_ok = matches!(answer, Some(Answer::Wrote(_)));
                push(Call::PutText(text), returned.as_ref().filter(|_| is_ok));
            }
            (Kind::Append(text), answer) => {
                let is_ok = matches!(answer, Some(Answer::Wrote(_)));
                push(Call::Append(text), returned.as_ref().filter(|_| is_ok));
            }
            (kind @ (Kind::Put | Kind::Delete), answer) => {
                let deletes = kind == Kind::Delete;
                for write in &writes {
                    let call = match (object, write.id) {
                        (Object::Siblings, Some(id)) => {
                            let mut replaces = write.context.clone();
                            replaces.sort_unstable();
                            Call::WriteSibling { id: id as u64, replaces, deletes }
                        }
                        (_, id) => Call::Write(id.filter(|_| !deletes)),
                    };
                    let is_told = matches!(answer, Some(Answer::Wrote(Some(told))) if *told == write.id);
                    push(call, returned.as_ref().filter(|_| is_told));
                }
            }
        }
    }
}

fn text<'a>(event: &'a Map<String, Json>, field: &'static str) -> Result<&'a str, Wrong> {
    match event.get(field) {
        Some(Json::String(text)) => Ok(text),
        Some(other) => Err((field, format!("`{other}` is no text"))),
        None => Err((field, "is missing".into())),
    }
}

fn unsigned(event: &Map<String, Json>, field: &'static str) -> Result<u64, Wrong> {
    let value = event.get(field).ok_or((field, "is missing".to_string()))?;
    value.as_u64().ok_or((field, format!("`{value}` is no whole number from 0 on")))
}

/// A whole number, or `None` for null.
fn integer(event: &Map<String, Json>, field: &'static str) -> Result<Option<i64>, Wrong> {
    match event.get(field) {
        None => Err((field, "is missing".into())),
        Some(Json::Null) => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or((field, format!("`{value}` is no whole number"))),
    }
}

fn integers(list: &Json, field: &'static str) -> Result<Vec<i64>, Wrong> {
    let wrong = || (field, format!("`{list}` is no list of whole numbers"));
    let list = list.as_array().ok_or_else(wrong)?;
    list.iter().map(Json::as_i64).collect::<Option<_>>().ok_or_else(wrong)
}

/// Numbers of writes, which count from 0.
fn numbers(list: Vec<i64>, field: &'static str) -> Result<Vec<u64>, Wrong> {
    let number = |id: i64| u64::try_from(id).map_err(|_| (field, format!("{id} numbers no write")));
    list.into_iter().map(number).collect()
}
