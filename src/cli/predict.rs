//! `predict`: the WARS model for a scenario's own network, beside what its runs show.

use clap::ValueEnum;

use super::campaign::{MAX_RUNS, config_of, play_each};
use super::load::{open, or_say};
use super::out::{print_data, print_styled, say, terminal_width};
use super::{BAD_INPUT, assignment};
use crate::cluster::config::RunConfig;
use crate::kernel::time::Span;
use crate::measure::scene::questions;
use crate::report::predict::{self, Row, Wish};
use crate::report::run_dir::pretty;
use crate::report::terminal::Title;
use crate::report::{Played, Wanted};
use crate::scenario::edit::rungs::{Rung, below};
use crate::scenario::edit::single::single;
use crate::scenario::scalars::parse_duration;
use crate::scenario::source::{Edited, Source};
use crate::scenario::world::World;
use crate::scenario::{self, Draft, Loaded, Setting, numbers};

/// More trials than memory is meant for.
const TRIALS_MAX: u64 = 20_000_000;

/// How a prediction is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum PredictFormat {
    /// For people
    Text,
    /// One object
    Json,
    /// A number a line
    Csv,
}

#[derive(Debug, clap::Args)]
pub(super) struct PredictArguments {
    /// Scenario file; `-` is standard input
    file: String,
    /// Trials of the model
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=TRIALS_MAX))]
    trials: u64,
    /// Seed of the trials; runs have the scenario's
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = numbers::parse_seed)]
    seed: u64,
    /// Times after the ack at which the chance of a fresh read is told, beside 0
    #[arg(long, value_name = "DURATION", value_delimiter = ',', default_value = "1ms,10ms,100ms", value_parser = time)]
    after: Vec<Span>,
    /// Predict every R and W of the N
    #[arg(long)]
    all: bool,
    /// Add what the model leaves out one by one, and simulate after each: as many runs more
    #[arg(long, conflicts_with = "no_simulation")]
    ladder: bool,
    /// Only predict
    #[arg(long)]
    no_simulation: bool,
    /// Seeds of the runs: a count, or `first..last`
    #[arg(long, value_name = "A..B", value_parser = numbers::parse_seeds)]
    seeds: Option<numbers::Seeds>,
    /// Runs at a time; results do not depend on it
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// What standard output gets
    #[arg(long, value_enum, default_value_t = PredictFormat::Text)]
    format: PredictFormat,
    /// Override one field; may be given several times
    #[arg(long, value_name = "PATH=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

fn time(text: &str) -> Result<Span, String> {
    parse_duration(text)
}

/// Predicts, plays, compares and prints.
pub(super) fn predict(arguments: &PredictArguments) -> u8 {
    let Some(source) = open(&arguments.file) else { return BAD_INPUT };
    let Some(draft) = or_say(Draft::read(&*source, &arguments.set)) else { return BAD_INPUT };
    let Some(loaded) = or_say(draft.understand()) else { return BAD_INPUT };
    match told(arguments, &*source, &draft, &loaded) {
        Ok(text) if arguments.format == PredictFormat::Text => print_styled(&text),
        Ok(text) => print_data(text.as_bytes()),
        Err(reason) => {
            say(&format!("{}: {reason}", arguments.file));
            BAD_INPUT
        }
    }
}

/// What standard output gets, or why there is nothing.
fn told(
    arguments: &PredictArguments,
    source: &dyn Source,
    draft: &Draft<'_>,
    loaded: &Loaded,
) -> Result<String, String> {
    let wish = Wish {
        trials: arguments.trials as usize,
        seed: arguments.seed,
        metrics: predict::metrics(&arguments.after),
        all: arguments.all,
    };
    let base = loaded.base.seed.0;
    let seeds = arguments.seeds.as_ref().unwrap_or(&loaded.base.sweep.seeds).bounds(base);
    let runs = (seeds.1 - seeds.0).saturating_add(1).saturating_mul(loaded.settings.len() as u64);
    if runs > MAX_RUNS {
        return Err(format!("{runs} runs are more than {MAX_RUNS}"));
    }
    let mut rows = Vec::new();
    for (place, setting) in loaded.settings.iter().enumerate() {
        let (config, _) = config_of(loaded, place, seeds.0)?;
        let values: Vec<(String, String)> =
            setting.values.iter().map(|value| (value.axis.clone(), value.value.label())).collect();
        for question in questions(&config) {
            rows.push(Row::predict(setting.number, values.clone(), &config, &question, &wish));
        }
    }
    if rows.is_empty() {
        return Err("there are no `clients`, so nobody writes or reads: nothing to predict".into());
    }
    if let Some(reason) = rows[0].notes.first().filter(|_| rows.iter().all(|row| row.predicted.is_none())) {
        return Err(reason.clone());
    }
    if !arguments.no_simulation {
        let wanted = Wanted { queries: rows.iter().flat_map(|row| row.queries(&wish)).collect(), ..Wanted::default() };
        let mut configs = Vec::new();
        for (place, setting) in loaded.settings.iter().enumerate() {
            for seed in seeds.0..=seeds.1 {
                configs.push((setting.number, config_of(loaded, place, seed)?.0));
            }
        }
        let played = play_each(&configs, &wanted, arguments.jobs)?;
        for row in &mut rows {
            row.compare(&of(&played, row.setting), &wish);
        }
        if arguments.ladder {
            let ladder = Ladder { source, draft, loaded, seeds, wanted, played: &played, jobs: arguments.jobs };
            for setting in &loaded.settings {
                ladder.climb(setting, &mut rows, &wish)?;
            }
        }
    }
    let axes: Vec<String> = loaded.base.sweep.axes.iter().map(|axis| axis.name.to_string()).collect();
    Ok(match arguments.format {
        PredictFormat::Text => {
            let notices = &loaded.notices;
            let title = Title { name: &loaded.name, about: &loaded.about, notices, width: terminal_width() };
            predict::text(&title, &rows, &wish)
        }
        PredictFormat::Json => pretty(&predict::json(&loaded.name, &rows, &wish, &loaded.notices)),
        PredictFormat::Csv => String::from_utf8(predict::csv(&axes, &rows, &wish)).expect("tables are text"),
    })
}

/// The runs of a setting.
fn of(played: &[Played], setting: u32) -> Vec<&Played> {
    played.iter().filter(|run| run.setting == setting).collect()
}

/// What is needed to play a scenario without some of what it has.
struct Ladder<'a> {
    source: &'a dyn Source,
    draft: &'a Draft<'a>,
    loaded: &'a Loaded,
    seeds: (u64, u64),
    wanted: Wanted,
    /// The runs of the scenario as it is.
    played: &'a [Played],
    jobs: Option<u16>,
}

impl Ladder<'_> {
    /// Plays the rungs of a setting that differ from each other.
    fn climb(&self, setting: &Setting, rows: &mut [Row], wish: &Wish) -> Result<(), String> {
        let mut own = rows.iter_mut().filter(|row| row.setting == setting.number);
        let Some(row) = own.next() else { return Ok(()) };
        if own.next().is_some() {
            row.notes.push("no ladder: groups of clients differ in N, R or W".into());
            return Ok(());
        }
        let loaded = self.loaded;
        let (first, last) = self.seeds;
        let tree = single(self.draft.tree(), &loaded.base, &setting.values, first);
        let world = World::of(&setting.spec);
        let mut before: Option<RunConfig> = None;
        for missing in 0..=Rung::ALL.len() {
            let brings = match missing.checked_sub(1) {
                None => "its conditions".to_string(),
                Some(rung) => format!("+ {}", Rung::ALL[rung].brings()),
            };
            let text = below(&tree, &world, missing).to_string();
            let configs = match self.configs(&text, first, last) {
                Ok(configs) => configs,
                Err(reason) => {
                    row.notes.push(format!("no rung \"{brings}\": {}", reason.trim()));
                    continue;
                }
            };
            let (_, first_config) = &configs[0];
            if before.as_ref() == Some(first_config) {
                continue;
            }
            let whole = crate::scenario::build::run_config(&setting.spec, first, &loaded.files);
            if whole.is_ok_and(|whole| whole.config == *first_config) {
                row.climb(&brings, &of(self.played, setting.number), wish);
            } else {
                let played = play_each(&configs, &self.wanted, self.jobs)?;
                row.climb(&brings, &played.iter().collect::<Vec<_>>(), wish);
            }
            before = configs.into_iter().next().map(|(_, config)| config);
        }
        Ok(())
    }

    /// The runs of a text that was made from the scenario, a seed each.
    fn configs(&self, text: &str, first: u64, last: u64) -> Result<Vec<(u32, RunConfig)>, String> {
        let edited = Edited { name: self.source.name(), text, of: self.source };
        let loaded = scenario::load(&edited, &[]).map_err(|errors| errors.to_string())?;
        (first..=last).map(|seed| config_of(&loaded, 0, seed).map(|(config, _)| (0, config))).collect()
    }
}
