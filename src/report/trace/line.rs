//! One line of a trace, for people or for programs.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use serde_json::{Map, Value as Json, json};

use super::filter::Kind;
use super::words::instant;
use crate::kernel::time::SimTime;

/// Lines that wait to be printed: the trace puts them in while a run goes on, and whoever plays it takes them out.
#[derive(Clone, Debug, Default)]
pub struct Lines(Rc<RefCell<VecDeque<String>>>);

impl Lines {
    /// The oldest line that waits.
    pub fn take(&self) -> Option<String> {
        self.0.borrow_mut().pop_front()
    }

    pub(super) fn put(&self, line: String) {
        self.0.borrow_mut().push_back(line);
    }
}

/// How lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// Time, who, operation, what.
    Text,
    /// An object a line.
    Json,
}

/// One line before it is written.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub at: SimTime,
    pub kind: Kind,
    pub event: &'static str,
    /// Who, as a person reads it.
    pub who: String,
    /// The operation, if it belongs to one.
    pub op: Option<String>,
    pub text: String,
    /// What else programs get.
    pub fields: Vec<(&'static str, Json)>,
}

/// Columns for who and operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    pub who: usize,
    pub op: usize,
}

impl Line {
    pub fn write(self, style: Style, columns: Columns) -> String {
        match style {
            Style::Text => {
                let Columns { who, op } = columns;
                let name = self.op.unwrap_or_default();
                let line = format!("{:>11} ms  {:<who$}  {name:<op$}  {}", instant(self.at), self.who, self.text);
                line.trim_end().to_string()
            }
            Style::Json => {
                let mut object = Map::new();
                object.insert("at_ms".into(), json!(self.at.as_ms()));
                object.insert("kind".into(), json!(self.kind.name()));
                object.insert("event".into(), json!(self.event));
                for (name, value) in self.fields {
                    object.insert(name.into(), value);
                }
                // What a fault shows there is its step, which has a field of its own.
                if let Some(op) = self.op.filter(|_| self.kind != Kind::Faults) {
                    object.insert("op".into(), json!(op));
                }
                object.insert("text".into(), json!(self.text));
                Json::Object(object).to_string()
            }
        }
    }
}
