//! Histories of operations as files hold them, ours and others': text in, operations out. Nothing here opens a file.
//!
//! `docs/histories.md` describes the formats and what each says of operations that failed.

pub mod edn;
pub mod etcd;
pub mod export;
pub mod jepsen;
pub mod jsonl;
pub mod judge;
pub mod pairs;
pub mod show;

use std::fmt;

use crate::check::linear::Operation;

/// How a file is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// The log lines that Porcupine's etcd corpus has.
    Etcd,
    /// Maps in EDN: Jepsen, Knossos, and Porcupine's key-value corpus.
    Edn,
    /// Our own: a JSON object a line.
    Jsonl,
}

/// What object a history is of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Object {
    /// One value a key.
    Register,
    /// A text a key, which is appended to.
    Text,
    /// Several values a key, as Dynamo has them.
    Siblings,
}

impl Object {
    /// The name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Object::Register => "register",
            Object::Text => "text",
            Object::Siblings => "siblings",
        }
    }

    /// The object of a name.
    pub fn from_name(name: &str) -> Option<Object> {
        [Object::Register, Object::Text, Object::Siblings].into_iter().find(|object| object.name() == name)
    }
}

/// What an operation asked and got, whatever the object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Call {
    /// A register was read.
    Read(Option<i64>),
    /// A register was written.
    Write(Option<i64>),
    /// A register was compared and set.
    Cas {
        /// What was expected.
        from: Option<i64>,
        /// What was to be written.
        to: Option<i64>,
        /// Whether it was.
        done: bool,
    },
    /// A text was read.
    GetText(String),
    /// A text was replaced.
    PutText(String),
    /// A text was added to.
    Append(String),
    /// Siblings were read: numbers of writes, sorted, deletes left out.
    ReadSiblings(Vec<u64>),
    /// A sibling was written.
    WriteSibling {
        /// The write's number.
        id: u64,
        /// Numbers of the writes that it replaces, sorted.
        replaces: Vec<u64>,
        /// Whether it deletes.
        deletes: bool,
    },
}

impl Call {
    /// The object that takes it.
    pub fn object(&self) -> Object {
        match self {
            Call::Read(_) | Call::Write(_) | Call::Cas { .. } => Object::Register,
            Call::GetText(_) | Call::PutText(_) | Call::Append(_) => Object::Text,
            Call::ReadSiblings(_) | Call::WriteSibling { .. } => Object::Siblings,
        }
    }

    /// Whether it changes nothing, so that one of unknown outcome tells nothing.
    pub fn is_read(&self) -> bool {
        matches!(self, Call::Read(_) | Call::GetText(_) | Call::ReadSiblings(_))
    }
}

/// One operation of a history, by the key it is on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recorded {
    /// Its key; empty where there is one object only.
    pub key: String,
    /// Who did it.
    pub client: String,
    /// Lines of its beginning and its end in the file.
    pub lines: (u32, Option<u32>),
    /// Nanoseconds of its beginning and its end, if the file has times.
    pub at_ns: Option<(u64, Option<u64>)>,
    /// What it did, and when: places in the order of events.
    pub operation: Operation<Call>,
}

/// A history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History {
    /// What it is of.
    pub object: Object,
    /// What was done, in the order of invocation.
    pub operations: Vec<Recorded>,
    /// What is worth saying of the file.
    pub notices: Vec<String>,
}

/// One thing that is wrong with a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Line, from 1.
    pub line: u32,
    /// Which field; empty for the whole line.
    pub field: &'static str,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Most problems that are told one by one.
const SHOWN_AT_MOST: usize = 20;

/// Everything that is wrong with a file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Problems {
    list: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// Notes one.
    pub fn add(&mut self, line: u32, field: &'static str, message: impl Into<String>) {
        if self.list.len() < SHOWN_AT_MOST {
            self.list.push(Problem { line, field, message: message.into() });
        } else {
            self.more += 1;
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Those told one by one.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// One line each, with the file's name.
    pub fn text(&self, file: &str) -> String {
        let mut text: String = self.list.iter().map(|problem| format!("{file}:{problem}\n")).collect();
        if self.more > 0 {
            text.push_str(&format!("{file}: and {} more\n", self.more));
        }
        text
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { line, field, message } = self;
        if field.is_empty() { write!(f, "{line}: {message}") } else { write!(f, "{line}: {field}: {message}") }
    }
}

/// The format of a text; `None` if it looks like none. An empty text is an empty log.
pub fn detect(text: &str) -> Option<Format> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with(';'));
    let Some(line) = line else { return Some(Format::Etcd) };
    let rest = line.trim_start_matches(['[', '(', '{', ' ']);
    if line.starts_with('{') && (rest.starts_with('"') || rest.starts_with('}')) {
        Some(Format::Jsonl)
    } else if line.starts_with(['{', '[', '(', '#']) {
        Some(Format::Edn)
    } else if line.contains("jepsen.util") {
        Some(Format::Etcd)
    } else {
        None
    }
}

/// Reads a history.
///
/// # Errors
/// All that is wrong with it, up to twenty places.
pub fn parse(text: &str, format: Option<Format>) -> Result<History, Problems> {
    let mut problems = Problems::default();
    let history = match format.or_else(|| detect(text)) {
        Some(Format::Etcd) => etcd::parse(text, &mut problems),
        Some(Format::Edn) => jepsen::parse(text, &mut problems),
        Some(Format::Jsonl) => jsonl::parse(text, &mut problems),
        None => {
            let known = "an etcd log (`INFO  jepsen.util - …`), EDN maps or JSON lines; --as names the format";
            problems.add(1, "", format!("this is no history that is known: {known}"));
            return Err(problems);
        }
    };
    if problems.is_empty() { Ok(history) } else { Err(problems) }
}
