//! The log lines of Porcupine's etcd corpus: `INFO  jepsen.util - 3<tab>:invoke<tab>:cas<tab>[4 1]`.
//!
//! One register that begins as nil. A `:fail` of `cas` says that the register held something else, which is an
//! observation; a `:fail` of a read that timed out says nothing; `:info` may still happen at any later time.

use super::pairs::{End, Pairs};
use super::{Call, History, Object, Problems};

/// Reads a log.
pub fn parse(text: &str, problems: &mut Problems) -> History {
    let mut pairs = Pairs::new();
    for (number, line) in (1_u32..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let Some((_, event)) = line.split_once("jepsen.util - ") else {
            problems.add(number, "", "a line begins with `INFO  jepsen.util - `");
            continue;
        };
        // The nemesis does nothing to the register.
        if event.starts_with(":nemesis") {
            continue;
        }
        let fields: Vec<&str> = event.split('\t').map(str::trim).collect();
        let [process, kind, call, value] = fields[..] else {
            let wanted = "process, :invoke or an outcome, :read or :write or :cas, value, with tabs between";
            problems.add(number, "", format!("{} fields instead of four: {wanted}", fields.len()));
            continue;
        };
        let Ok(process) = process.parse::<i64>() else {
            problems.add(number, "process", format!("`{process}` is no number"));
            continue;
        };
        if !matches!(call, ":read" | ":write" | ":cas") {
            problems.add(number, "operation", format!("`{call}` is none of :read, :write, :cas"));
            continue;
        }
        match kind {
            ":invoke" => match invocation(call, value) {
                Ok(call) => pairs.begin(number, process, String::new(), call, None, problems),
                Err(wrong) => problems.add(number, "value", wrong),
            },
            ":ok" | ":fail" | ":info" => {
                pairs.end(number, process, None, problems, |invoked, problems| {
                    outcome(kind, call, value, invoked).unwrap_or_else(|wrong| {
                        problems.add(number, "value", wrong);
                        End::Void
                    })
                });
            }
            _ => problems.add(number, "type", format!("`{kind}` is none of :invoke, :ok, :fail, :info")),
        }
    }
    pairs.finish(Object::Register, Vec::new())
}

fn number(text: &str) -> Result<Option<i64>, String> {
    if text == "nil" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| format!("`{text}` is neither a number nor nil"))
}

fn invocation(call: &str, value: &str) -> Result<Option<Call>, String> {
    match call {
        ":read" => Ok(None),
        ":write" => Ok(Some(Call::Write(number(value)?))),
        _ => {
            let inner = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let pair = inner.and_then(|inner| inner.split_once(' ')).ok_or("a cas has the form [from to]")?;
            Ok(Some(Call::Cas { from: number(pair.0)?, to: number(pair.1)?, done: true }))
        }
    }
}

fn outcome(kind: &str, call: &str, value: &str, invoked: Option<&Call>) -> Result<End, String> {
    let is_read = call == ":read";
    if is_read != invoked.is_none() {
        return Err(format!("{call} ends what was invoked as something else"));
    }
    match (kind, invoked) {
        (":ok", None) => Ok(End::Ok(Call::Read(number(value)?))),
        (_, None) => Ok(End::Void),
        (":fail", Some(&Call::Cas { from, to, .. })) => Ok(End::Ok(Call::Cas { from, to, done: false })),
        // A write that failed may have happened: in this log only a timeout makes it fail.
        (":info" | ":fail", Some(_)) => Ok(End::Unknown),
        (_, Some(invoked)) => match invocation(call, value)? {
            Some(returned) if returned == *invoked => Ok(End::Ok(returned)),
            _ => Err(format!("`{value}` is not what was invoked")),
        },
    }
}
