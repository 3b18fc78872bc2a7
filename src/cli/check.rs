//! `check`: properties over many seeds with random faults.
//!
//! Seeds are played several at a time and judged in their order, so that what is printed does not depend on how many.

use std::io::Write;

use rayon::prelude::*;

use super::campaign::{MAX_RUNS, config_of};
use super::load::{open, or_say};
use super::out::{is_heard_by_a_person, print_data, say};
use super::{BAD_INPUT, CheckArguments, CheckFormat, HELD};
use crate::check::{Expectation, Property};
use crate::report::run_dir::pretty;
use crate::report::seeds::{Seeds, Seen, judge_seed};
use crate::report::{Wanted, expect, play};
use crate::scenario::swarm::{Additions, BUILT_IN, Swarm};

/// Seeds unless somebody says otherwise.
const SEEDS: (u64, u64) = (1, 1_000);
/// So many seeds of the built-in profile reach every mark.
const SEEDS_FOR_MARKS: u64 = 1_000;
/// Seeds that are played before the next are begun: enough to keep the processors busy, few enough to keep in mind.
const BATCH: u64 = 64;

/// Checks a scenario, or the built-in profile.
pub(super) fn check(arguments: &CheckArguments) -> u8 {
    let file = arguments.file.as_deref().unwrap_or(BUILT_IN);
    let Some(source) = open(file) else { return BAD_INPUT };
    let additions = if arguments.as_is { Additions::Expectation } else { Additions::Chaos };
    let Some(swarm) = or_say(Swarm::read(&*source, &arguments.set, additions)) else { return BAD_INPUT };
    let (first, last) = arguments.seeds.map_or(SEEDS, |seeds| seeds.bounds(swarm.own_seed()));
    let Some(loaded) = or_say(swarm.loaded(first)) else { return BAD_INPUT };
    let runs = (last - first).saturating_add(1).saturating_mul(loaded.settings.len() as u64);
    if runs > MAX_RUNS {
        say(&format!("{file}: {runs} runs are more than {MAX_RUNS}"));
        return BAD_INPUT;
    }
    // What is worth saying of the setting that the first seed draws is not worth it here.
    let mut notices = if file == BUILT_IN { Vec::new() } else { loaded.notices.clone() };
    if swarm.has_added_chaos() {
        notices.push("it has no faults, so random ones are added; --as-is plays it as it is".into());
    }
    notices.iter().for_each(|notice| say(&format!("{file}: note: {notice}")));
    // What the first seed expects stands for all where seeds are judged together.
    let expectations = match expect::expectations(&loaded) {
        Ok(expectations) => expectations,
        Err(reason) => return bad(file, &reason),
    };
    let judge = Judge { file, arguments, swarm: &swarm };
    let clock = Clock::start();
    let mut seeds = Seeds::default();
    let pool = match rayon::ThreadPoolBuilder::new().num_threads(arguments.jobs.map_or(0, usize::from)).build() {
        Ok(pool) => pool,
        Err(error) => return bad(file, &error.to_string()),
    };
    let mut next = first;
    let enough = arguments.fail_fast.map_or(u64::MAX, u64::from);
    'all: loop {
        let to = last.min(next.saturating_add(BATCH - 1));
        let batch: Vec<u64> = (next..=to).collect();
        let seen: Vec<Result<Vec<Seen>, String>> =
            pool.install(|| batch.into_par_iter().map(|seed| judge.seed(seed)).collect());
        for runs in seen {
            let runs = match runs {
                Ok(runs) => runs,
                Err(reason) => return bad(file, &reason),
            };
            let seed = runs.first().map_or(first, |run| run.seed);
            if seeds.add(runs) && arguments.format == CheckFormat::Text {
                let printed = print_data(seeds.lines_of_last(&judge.replay(seed)).as_bytes());
                if printed != HELD {
                    return printed;
                }
            }
            if seeds.failing() >= enough {
                break 'all;
            }
        }
        progress(&seeds, last - first + 1);
        if to == last {
            break;
        }
        next = to + 1;
    }
    let marks_needed = file == BUILT_IN && seeds.count() >= SEEDS_FOR_MARKS;
    let outcome = seeds.finish(&expectations, marks_needed);
    let text = match arguments.format {
        CheckFormat::Text => seeds.text(&outcome),
        CheckFormat::Json => {
            let about = |seed| (judge.replay(seed), swarm.drawn(seed));
            pretty(&seeds.json(&loaded.name, &outcome, &notices, about))
        }
    };
    let printed = print_data(text.as_bytes());
    clock.say_speed(&seeds);
    for mark in outcome.marks_broken() {
        say(&format!("mark {} was never reached: {}", mark.name(), mark.about()));
    }
    if printed == HELD { outcome.status } else { printed }
}

fn bad(file: &str, reason: &str) -> u8 {
    say(&format!("{file}: {reason}"));
    BAD_INPUT
}

/// Plays and judges seeds.
struct Judge<'a> {
    file: &'a str,
    arguments: &'a CheckArguments,
    swarm: &'a Swarm<'a>,
}

impl Judge<'_> {
    fn seed(&self, seed: u64) -> Result<Vec<Seen>, String> {
        let of_seed = |reason: String| format!("seed {seed}: {reason}");
        let loaded = self.swarm.loaded(seed).map_err(|errors| of_seed(errors.to_string()))?;
        let expectations: Vec<Expectation> = expect::expectations(&loaded).map_err(of_seed)?;
        let mut wanted = Wanted::of(&expectations);
        // Those that nobody asserts are measured all the same.
        wanted.properties.extend(Property::ALL);
        wanted.marks = true;
        let mut runs = Vec::with_capacity(loaded.settings.len());
        for (place, setting) in loaded.settings.iter().enumerate() {
            let (config, _) = config_of(&loaded, place, seed).map_err(of_seed)?;
            let played = play(&config, setting.number, &wanted, false);
            runs.push((config, played));
        }
        Ok(judge_seed(&loaded, &expectations, runs))
    }

    /// The command that plays a seed again, to the last bit.
    fn replay(&self, seed: u64) -> String {
        let file = if self.file == BUILT_IN { String::new() } else { format!(" {}", quoted(self.file)) };
        let mut command = match self.arguments.as_is {
            true => format!("dynamo-sim check{file} --as-is --seeds {seed}..{seed}"),
            false => format!("dynamo-sim run{file} --chaos --seed {seed}"),
        };
        for (path, value) in &self.arguments.set {
            command.push_str(&format!(" --set {}", quoted(&format!("{path}={value}"))));
        }
        command
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Says how far it is, if a person watches.
fn progress(seeds: &Seeds, all: u64) {
    if is_heard_by_a_person() {
        let (done, failing) = (seeds.count(), seeds.failing());
        let end = if done == all { "\r\u{1b}[K" } else { "" };
        let _ = write!(std::io::stderr().lock(), "\r{done} of {all} seeds, {failing} failing{end}");
    }
}

/// How long it takes; no result says so.
#[expect(clippy::disallowed_types, reason = "people want to know how fast it is")]
struct Clock(std::time::Instant);

impl Clock {
    #[expect(clippy::disallowed_types, reason = "people want to know how fast it is")]
    fn start() -> Clock {
        Clock(std::time::Instant::now())
    }

    fn say_speed(&self, seeds: &Seeds) {
        let seconds = self.0.elapsed().as_secs_f64();
        let (events, lasted_ms) = seeds.work();
        let count = seeds.count();
        let speed = count as f64 / seconds.max(1e-9);
        let lasted = lasted_ms / 3_600_000.0;
        let seeds = if count == 1 { "seed" } else { "seeds" };
        say(&format!(
            "{count} {seeds} in {seconds:.1} s, {speed:.0} a second: {events} events, {lasted:.1} h simulated"
        ));
    }
}
