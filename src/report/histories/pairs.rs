//! From events to operations: a process invokes, and some lines later its operation returns.

use std::collections::BTreeMap;

use super::{Call, History, Object, Problems, Recorded};
use crate::check::linear::Operation;

/// How an operation ended, once its format's meaning is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// It happened, and this is the whole of it.
    Ok(Call),
    /// It did not happen, or tells nothing.
    Void,
    /// It may have happened, or may yet.
    Unknown,
}

/// An operation that has begun.
struct Begun {
    key: String,
    line: u32,
    at_ns: Option<u64>,
    place: usize,
    instant: u64,
    given_up: bool,
}

/// Puts operations together from the events of processes, of which each does one thing at a time.
pub struct Pairs {
    under_way: BTreeMap<i64, Begun>,
    /// Operations by their beginning; what came to nothing stays empty.
    operations: Vec<Option<Recorded>>,
    instant: u64,
}

impl Pairs {
    /// No events yet.
    pub fn new() -> Pairs {
        Pairs { under_way: BTreeMap::new(), operations: Vec::new(), instant: 0 }
    }

    /// A process begins an operation. `call` is what it would be if it happened and nobody heard of it; reads have none.
    pub fn begin(
        &mut self,
        line: u32,
        process: i64,
        key: String,
        call: Option<Call>,
        at_ns: Option<u64>,
        problems: &mut Problems,
    ) {
        if let Some(before) = self.under_way.get(&process) {
            let why =
                if before.given_up { ", whose outcome nobody knows: it must go on under a new number" } else { "" };
            let since = format!("process {process} has an operation in flight, invoked in line {}", before.line);
            problems.add(line, "process", format!("{since}{why}"));
            return;
        }
        self.instant += 1;
        let instant = self.instant;
        // Until it returns it is an operation of unknown outcome; the file may end before.
        let recorded = call.map(|call| Recorded {
            key: key.clone(),
            client: process.to_string(),
            lines: (line, None),
            at_ns: at_ns.map(|at| (at, None)),
            operation: Operation::open(instant, call),
        });
        let place = self.operations.len();
        self.operations.push(recorded);
        self.under_way.insert(process, Begun { key, line, at_ns, place, instant, given_up: false });
    }

    /// The operation of a process ends. `end` gets what was invoked, `None` for a read.
    pub fn end(
        &mut self,
        line: u32,
        process: i64,
        at_ns: Option<u64>,
        problems: &mut Problems,
        end: impl FnOnce(Option<&Call>, &mut Problems) -> End,
    ) {
        let begun = match self.under_way.get_mut(&process) {
            Some(begun) if !begun.given_up => begun,
            Some(begun) => {
                let since = format!("the operation of line {} was given up before", begun.line);
                problems.add(line, "process", format!("process {process} returns from nothing: {since}"));
                return;
            }
            None => {
                problems.add(line, "process", format!("process {process} returns from nothing: no line invokes it"));
                return;
            }
        };
        let invoked = self.operations[begun.place].as_ref().map(|recorded| &recorded.operation.input);
        self.instant += 1;
        match end(invoked, problems) {
            End::Ok(call) => {
                let begun = self.under_way.remove(&process).expect("it is under way");
                self.operations[begun.place] = Some(Recorded {
                    key: begun.key,
                    client: process.to_string(),
                    lines: (begun.line, Some(line)),
                    at_ns: begun.at_ns.map(|from| (from, at_ns)),
                    operation: Operation::new(begun.instant, self.instant, call),
                });
            }
            End::Void => {
                let begun = self.under_way.remove(&process).expect("it is under way");
                self.operations[begun.place] = None;
            }
            End::Unknown => begun.given_up = true,
        }
    }

    /// All operations.
    pub fn finish(self, object: Object, notices: Vec<String>) -> History {
        History { object, operations: self.operations.into_iter().flatten().collect(), notices }
    }
}

impl Default for Pairs {
    fn default() -> Pairs {
        Pairs::new()
    }
}
