//! The command line: arguments, exit status, and the only code that prints.
//!
//! Data goes to standard output, everything else to standard error. Exit status: 0 all that was expected came out, 1
//! something did not, 2 bad usage or a bad scenario, 3 something could not be judged, 4 results could not be written, 130
//! somebody stopped the program.

mod campaign;
mod check;
mod dry_run;
mod history;
mod list;
mod load;
mod merge;
mod out;
mod plot;
mod predict;
mod report;
mod run;
mod shrink;
mod stop;
mod sweep;
mod trace;
mod verify;

use std::process::ExitCode;

#[cfg(feature = "mutants")]
use clap::builder::PossibleValue;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

#[cfg(feature = "mutants")]
use crate::kernel::mutant::{self, Mutant};
use crate::scenario;
use out::print_data;
#[cfg(feature = "mutants")]
use out::say;

/// All that was expected came out.
const HELD: u8 = 0;
/// Something did not.
const BROKEN: u8 = 1;
/// Bad usage, a bad scenario, or input that cannot be read.
const BAD_INPUT: u8 = 2;
/// Something could not be judged.
const NOT_JUDGED: u8 = 3;
/// Results could not be written.
const NO_OUTPUT: u8 = 4;
/// Somebody stopped the program.
const INTERRUPTED: i32 = 130;

/// A deterministic discrete-event simulator of a Dynamo-style key-value cluster.
#[derive(Debug, Parser)]
#[command(name = "dynamo-sim", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Plant a seeded bug in the program, to see that a property catches it
    #[cfg(feature = "mutants")]
    #[arg(long, global = true, value_name = "ID", value_parser = mutant_ids(), ignore_case = true, help_heading = "Seeded bugs")]
    mutant: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario: one run, or all points of its sweep over all seeds
    Run(RunArguments),
    /// Play all points of a scenario's sweep over all seeds; it can be interrupted, resumed and split into shards
    Sweep(sweep::SweepArguments),
    /// Join the shards of a sweep into the results that one sweep gives
    Merge(merge::MergeArguments),
    /// Print one run event by event, all of it or what concerns a key, node, operation or time
    Trace(trace::TraceArguments),
    /// Play one run again: print what came out and its digest, or verify that two processes play the same run
    Replay(trace::ReplayArguments),
    /// Predict staleness and latency by the WARS model, and compare with what simulated runs show
    Predict(predict::PredictArguments),
    /// Check properties over many seeds with random faults: of a scenario, or of the built-in profile
    Check(CheckArguments),
    /// Make a failing run the smallest scenario that still breaks the same
    Shrink(shrink::ShrinkArguments),
    /// Draw figures of results, from their files alone
    Plot(plot::PlotArguments),
    /// Check scenario files without running them
    Validate {
        /// Scenario files; `-` is standard input
        #[arg(required = true)]
        files: Vec<String>,
        /// Override one field; may be given several times
        #[arg(long, value_name = "PATH=VALUE", value_parser = assignment)]
        set: Vec<(String, String)>,
    },
    /// Print the JSON Schema of scenario files
    Schema,
    /// List scenarios with one line about each
    List {
        /// Where they lie
        #[arg(default_value = "scenarios")]
        directory: String,
        /// List the rare states that runs count instead
        #[arg(long)]
        marks: bool,
    },
    /// Make an HTML page of a run or a sweep: charts, verdicts, and what N, R and W to choose
    Report(report::ReportArguments),
    /// Judge histories of operations: linearizable or not, and which operation is in the way
    History(history::HistoryArguments),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// As summary.json
    Json,
    /// As runs.csv
    Csv,
}

/// How `check` prints.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum CheckFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Debug, clap::Args)]
struct CheckArguments {
    /// Scenario file; `-` is standard input. Without one, the built-in profile
    file: Option<String>,
    /// Seeds, instead of 1..1000: a count, or `first..last`
    #[arg(long, value_name = "A..B", value_parser = scenario::numbers::parse_seeds)]
    seeds: Option<scenario::numbers::Seeds>,
    /// Runs at a time; results do not depend on it
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Override one field; may be given several times
    #[arg(long, value_name = "PATH=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// Add no faults to the file and draw nothing for it
    #[arg(long, requires = "file")]
    as_is: bool,
    /// What standard output gets
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    format: CheckFormat,
    /// Stop after so many failing seeds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    fail_fast: Option<u32>,
}

#[derive(Debug, clap::Args)]
struct RunArguments {
    /// Scenario file; `-` is standard input. With --chaos and without a file: the built-in profile of `check`
    #[arg(
        required_unless_present = "chaos",
        default_value_if("chaos", "true", scenario::swarm::BUILT_IN),
        default_value = "",
        hide_default_value = true
    )]
    file: String,
    #[command(flatten)]
    common: Common,
    /// With the faults and the setting that `check` draws for this seed
    #[arg(long, conflicts_with = "seeds")]
    chaos: bool,
    /// Write history.jsonl, as measure.history does; single runs only
    #[arg(long)]
    history: bool,
}

/// What is asked of one run and of many.
#[derive(Debug, Default, clap::Args)]
struct Common {
    /// One seed, instead of those the scenario names
    #[arg(long, value_name = "N", value_parser = scenario::numbers::parse_seed, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Several seeds: a count, or `first..last`
    #[arg(long, value_name = "A..B", value_parser = scenario::numbers::parse_seeds)]
    seeds: Option<scenario::numbers::Seeds>,
    /// Runs at a time; results do not depend on it
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Where results go, instead of results/NAME/…
    #[arg(short, long, value_name = "DIR")]
    out: Option<std::path::PathBuf>,
    /// What standard output gets
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Override one field; may be given several times
    #[arg(long, value_name = "PATH=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// Overwrite other results
    #[arg(long)]
    force: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

/// `path=value` of `--set`.
fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((path, value)) if !path.is_empty() => Ok((path.to_string(), value.to_string())),
        _ => Err("needs the form path=value, like cluster.replication.r=3".into()),
    }
}

/// The ids of seeded bugs, each with what is wrong.
#[cfg(feature = "mutants")]
fn mutant_ids() -> clap::builder::PossibleValuesParser {
    Mutant::ALL
        .iter()
        .map(|bug| PossibleValue::new(bug.id()).help(format!("{}: {}", bug.place(), bug.what())))
        .collect::<Vec<_>>()
        .into()
}

/// The whole program.
pub fn main() -> ExitCode {
    stop::on_signals();
    let arguments = Arguments::parse();
    #[cfg(feature = "mutants")]
    if let Some(bug) = arguments.mutant.as_deref().and_then(Mutant::from_id) {
        mutant::plant(Some(bug));
        say(&mutant::notice(bug));
    }
    ExitCode::from(dispatch(arguments.command))
}

fn dispatch(command: Command) -> u8 {
    match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Sweep(arguments) => sweep::sweep(&arguments),
        Command::Merge(arguments) => merge::merge(&arguments),
        Command::Trace(arguments) => trace::trace(&arguments),
        Command::Replay(arguments) => trace::replay(&arguments),
        Command::Predict(arguments) => predict::predict(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Shrink(arguments) => shrink::shrink(&arguments),
        Command::Plot(arguments) => plot::plot(&arguments),
        Command::Validate { files, set } => {
            let results = files.iter().map(|file| run::validate(file, &set));
            results.max().unwrap_or(HELD)
        }
        Command::Schema => print_data(crate::report::run_dir::pretty(&scenario::schema()).as_bytes()),
        Command::List { marks: true, .. } => list::marks(),
        Command::List { directory, marks: false } => list::list(&directory),
        Command::Report(arguments) => report::report(&arguments),
        Command::History(arguments) => history::history(&arguments),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "dynamo-sim", &mut text);
            print_data(&text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_run_is_asked_for_in_one_line() {
        let arguments =
            ["dynamo-sim", "run", "a.json", "--seeds", "3..5", "-j", "2", "--set", "cluster.nodes=7", "--force"];
        let Command::Run(run) = Arguments::parse_from(arguments).command else { panic!("it is a run") };
        let common = run.common;
        assert_eq!(common.seeds.map(|seeds| seeds.bounds(1)), Some((3, 5)));
        assert_eq!(common.set, [("cluster.nodes".to_string(), "7".to_string())]);
        assert!(common.force && !common.quiet);
    }

    #[test]
    fn a_bug_can_be_planted_only_where_bugs_are_built_in() {
        let parsed = |id| Arguments::try_parse_from(["dynamo-sim", "run", "a.json", "--mutant", id]);
        assert_eq!(parsed("m07").is_ok(), cfg!(feature = "mutants"));
        assert!(parsed("M99").is_err());
    }

    #[test]
    fn seed_and_seeds_exclude_each_other() {
        assert!(Arguments::try_parse_from(["dynamo-sim", "run", "a.json", "--seed", "1", "--seeds", "1..3"]).is_err());
        assert!(Arguments::try_parse_from(["dynamo-sim", "run", "a.json", "--seeds", "5..3"]).is_err());
        assert!(Arguments::try_parse_from(["dynamo-sim", "run", "a.json", "-j", "0"]).is_err());
        assert!(Arguments::try_parse_from(["dynamo-sim", "run", "a.json", "--set", "=1"]).is_err());
    }
}
