//! `history`: verdicts on recorded histories, or the same histories in another format.

use std::io::Read;

use clap::ValueEnum;

use super::out::{print_data, say};
use super::{BAD_INPUT, BROKEN, HELD, NOT_JUDGED};
use crate::check::linear::Verdict;
use crate::report::histories::export::{to_edn, to_jsonl};
use crate::report::histories::judge::{KeyReport, judge};
use crate::report::histories::{self, Format, History, show};
use crate::report::run_dir::pretty;

/// How a file is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Written {
    /// Lines of Porcupine's etcd corpus
    Etcd,
    /// Maps, as Jepsen, Knossos and Porcupine's key-value corpus have them
    #[value(aliases = ["jepsen", "knossos", "porcupine"])]
    Edn,
    /// Our own: a JSON object a line
    Jsonl,
}

/// What a history can be turned into.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Target {
    /// Our own format
    Jsonl,
    /// Maps for Jepsen's tools
    Edn,
}

/// How verdicts are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Shown {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct HistoryArguments {
    /// History files; `-` is standard input
    #[arg(required = true)]
    files: Vec<String>,
    /// How they are written, instead of what they look like
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    written: Option<Written>,
    /// Print the history in another format, instead of a verdict
    #[arg(long, value_enum, conflicts_with_all = ["budget", "format"])]
    to: Option<Target>,
    /// States that a key may take before it is undecided
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    budget: u64,
    /// What registers hold at the beginning, instead of nothing
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    initial: Option<i64>,
    /// How verdicts are printed
    #[arg(long, value_enum, default_value_t = Shown::Text)]
    format: Shown,
}

/// Judges histories, or turns one into another format.
pub(super) fn history(arguments: &HistoryArguments) -> u8 {
    if arguments.to.is_some() && arguments.files.len() > 1 {
        say("--to turns one file at a time");
        return BAD_INPUT;
    }
    let mut statuses = Vec::new();
    let mut judged = Vec::new();
    for file in &arguments.files {
        let Some(history) = load(file, arguments.written) else {
            statuses.push(BAD_INPUT);
            continue;
        };
        for notice in &history.notices {
            say(&format!("{file}: note: {notice}"));
        }
        match arguments.to {
            Some(Target::Jsonl) => return print_data(to_jsonl(&history).as_bytes()),
            Some(Target::Edn) => return print_data(to_edn(&history).as_bytes()),
            None => {}
        }
        let reports = judge(&history, arguments.initial, arguments.budget);
        if history.operations.is_empty() {
            say(&format!("{file}: note: there is nothing to judge"));
        }
        statuses.push(status(&reports));
        match arguments.format {
            Shown::Json => judged.push(show::json(file, &history, &reports)),
            Shown::Text => {
                let printed = print_data(show::text(file, &history, &reports).as_bytes());
                if printed != HELD {
                    return printed;
                }
            }
        }
    }
    if arguments.format == Shown::Json {
        let printed = print_data(pretty(&judged.into()).as_bytes());
        if printed != HELD {
            return printed;
        }
    }
    // What cannot be read weighs most, then what is wrong, then what is not known.
    [BAD_INPUT, BROKEN, NOT_JUDGED].into_iter().find(|status| statuses.contains(status)).unwrap_or(HELD)
}

fn load(file: &str, written: Option<Written>) -> Option<History> {
    let mut bytes = Vec::new();
    let result = match file {
        "-" => std::io::stdin().lock().read_to_end(&mut bytes).map(|_| ()),
        _ => std::fs::read(file).map(|read| bytes = read),
    };
    if let Err(error) = result {
        say(&format!("{file}: {error}"));
        return None;
    }
    let Ok(text) = String::from_utf8(bytes) else {
        say(&format!("{file}: is no text in UTF-8"));
        return None;
    };
    let format = written.map(|written| match written {
        Written::Etcd => Format::Etcd,
        Written::Edn => Format::Edn,
        Written::Jsonl => Format::Jsonl,
    });
    match histories::parse(&text, format) {
        Ok(history) => Some(history),
        Err(problems) => {
            say(&problems.text(file));
            None
        }
    }
}

fn status(reports: &[KeyReport]) -> u8 {
    if reports.iter().any(|report| matches!(report.verdict, Verdict::Illegal { .. })) {
        BROKEN
    } else if reports.is_empty() || reports.iter().any(|report| !report.verdict.is_legal()) {
        NOT_JUDGED
    } else {
        HELD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_of(text: &str, budget: u64) -> u8 {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("history");
        std::fs::write(&file, text).expect("it can be written");
        let files = vec![file.to_string_lossy().into_owned()];
        history(&HistoryArguments { files, written: None, to: None, budget, initial: None, format: Shown::Json })
    }

    const LOG: &str = "{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :ok, :f :write}\n\
        {:process 0, :type :invoke, :f :read}\n{:process 0, :type :ok, :f :read, :value 1}\n";

    #[test]
    fn the_exit_status_tells_the_verdict() {
        assert_eq!(status_of(LOG, 100), HELD);
        assert_eq!(status_of(&LOG.replace("read, :value 1", "read, :value 2"), 100), BROKEN);
        assert_eq!(status_of(LOG, 1), NOT_JUDGED);
        assert_eq!(status_of("", 100), NOT_JUDGED);
        assert_eq!(status_of("what is this?", 100), BAD_INPUT);
        assert_eq!(
            status_of(&LOG.replace(":process 0, :type :ok, :f :read", ":process 1, :type :ok, :f :read"), 9),
            BAD_INPUT
        );
    }

    #[test]
    fn a_person_is_shown_the_operation_that_cannot_be_placed() {
        let text = LOG.replace("read, :value 1", "read, :value 2");
        let history = histories::parse(&text, None).expect("it is a history");
        let shown = show::text("h", &history, &judge(&history, None, 100));
        assert_eq!(
            shown,
            "h: register, 2 operations on 1 key\n  not linearizable, not regular\n    \
             cannot be placed: line 3, returned in 4: process 0 read 2\n    \
             beside it:        line 1, returned in 2: process 0 wrote 1\n"
        );
    }
}
