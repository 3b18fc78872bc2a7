//! A sweep: every setting of a scenario with every seed, folded while runs finish.
//!
//! Of a run only its columns, verdicts and the headline numbers of its windows are kept; distributions are added up by
//! setting. Sums of counts do not depend on the order, so neither does any file: whether runs were played in one go, went
//! on after an interruption, or come from shards.

pub mod files;
pub mod frontier;
pub mod journal;
pub mod statistics;

use std::collections::{BTreeMap, BTreeSet};

use super::play::{Campaign, Kept, Played};
use crate::cluster::config::{Action, RunConfig, WindowSpan};
use crate::measure::freshness::Freshness;
use crate::measure::histogram;
use crate::measure::metrics::{HintCount, MessageClass, OpKind, Stat};
use crate::measure::tally::Spread;
use crate::measure::{Measured, Metric, Scope, Value};

/// Outcomes that latencies are told apart by.
pub const OUTCOMES: usize = 2;

/// A distribution of durations in nanoseconds, as the cells of its histogram.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cells {
    /// Greatest value of a cell and how many values it holds, in rising order.
    cells: Vec<(u64, u64)>,
    count: u64,
    max: u64,
}

impl Cells {
    fn of(spread: &Spread) -> Cells {
        let cells = spread.histogram().cells().map(|(_, greatest, count)| (greatest, u64::from(count))).collect();
        Cells { cells, count: spread.count(), max: spread.max() }
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The exact maximum, in nanoseconds; 0 of nothing.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value at or below which this share of all lies, in nanoseconds, as fine as the cells are; 0 of nothing.
    pub fn quantile(&self, q: f64) -> u64 {
        histogram::quantile(self.cells.iter().copied(), q, self.count).min(self.max)
    }

    /// Adds all values of another.
    fn add(&mut self, other: &Cells) {
        let mut sum: Vec<(u64, u64)> = Vec::with_capacity(self.cells.len() + other.cells.len());
        let (mut mine, mut theirs) = (self.cells.iter().peekable(), other.cells.iter().peekable());
        loop {
            let is_mine_next = match (mine.peek(), theirs.peek()) {
                (Some(one), Some(another)) => one.0 <= another.0,
                (one, _) => one.is_some(),
            };
            let Some(&(at, count)) = (if is_mine_next { mine.next() } else { theirs.next() }) else { break };
            match sum.last_mut() {
                Some((last, total)) if *last == at => *total += count,
                _ => sum.push((at, count)),
            }
        }
        self.cells = sum;
        self.count += other.count;
        self.max = self.max.max(other.max);
    }
}

/// Metrics of some scope, in the order of the vocabulary.
pub type Values = Vec<(Metric, Value)>;

/// A run as a sweep keeps it.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// Columns and verdicts.
    pub kept: Kept,
    /// Headline numbers by window, without `all` and `settle`.
    pub windows: Vec<(String, Values)>,
    /// Share of operations that failed in the worst window of a fault; without faults, of all.
    pub unavailability: Option<f64>,
}

/// What is added up by setting.
#[derive(Clone, Debug, Default)]
pub struct Distributions {
    /// Latency from the intended start by kind of operation (its place in the vocabulary) and outcome (0 `ok`, 1 failed).
    pub latency: BTreeMap<(usize, usize), Cells>,
    /// How reads become fresh.
    pub freshness: Freshness,
}

impl Distributions {
    fn add(&mut self, other: &Distributions) {
        for (place, cells) in &other.latency {
            self.latency.entry(*place).or_default().add(cells);
        }
        self.freshness.add(&other.freshness);
    }
}

/// A run that has just finished.
#[derive(Clone, Debug)]
pub struct Record {
    /// What is kept of it.
    pub run: Run,
    /// What goes to its setting.
    pub distributions: Distributions,
}

impl Record {
    /// Of a run that has all its numbers.
    ///
    /// # Panics
    /// If the run kept only its columns.
    pub fn of(config: &RunConfig, played: &Played) -> Record {
        let measured = played.measured.as_ref().expect("a run comes here with all its numbers");
        let tally = measured.tally(0, None);
        let mut latency = BTreeMap::new();
        for kind in 0..OpKind::ALL.len() {
            for outcome in 0..OUTCOMES {
                let spread = tally.latency(kind, Some(outcome), false);
                if spread.count() > 0 {
                    latency.insert((kind, outcome), Cells::of(&spread));
                }
            }
        }
        let headline = headline();
        let windows = config.windows.iter().enumerate();
        let windows = windows.filter(|(number, window)| {
            !matches!(window.span, WindowSpan::All | WindowSpan::Settle) && measured.was_open(*number as u32)
        });
        let values = |number: usize| {
            let scope = Scope { window: number as u32, ..Scope::default() };
            let values = measured.values(&scope);
            values.into_iter().filter(|(metric, _)| headline.contains(metric)).collect()
        };
        Record {
            run: Run {
                kept: played.kept(),
                windows: windows.map(|(number, window)| (window.name.clone(), values(number))).collect(),
                unavailability: unavailability(config, measured),
            },
            distributions: Distributions { latency, freshness: tally.freshness.clone() },
        }
    }
}

/// Share of operations that failed in the worst window of a fault, else while there were faults, else in all.
fn unavailability(config: &RunConfig, measured: &Measured) -> Option<f64> {
    let failed = |number: usize| {
        let scope = Scope { window: number as u32, ..Scope::default() };
        measured.value(&Metric::Success(OpKind::Ops), &scope).number().map(|success| 1.0 - success)
    };
    let worst = |wanted: &dyn Fn(WindowSpan) -> bool| {
        let windows = config.windows.iter().enumerate().filter(|(_, window)| wanted(window.span));
        windows.filter_map(|(number, _)| failed(number)).max_by(f64::total_cmp)
    };
    let is_of_a_fault = |span: WindowSpan| match span {
        WindowSpan::Step(step) => matches!(config.steps[step as usize].action, Action::Fault(_)),
        _ => false,
    };
    worst(&is_of_a_fault).or_else(|| worst(&|span| span == WindowSpan::During)).or_else(|| failed(0))
}

/// The metrics that windows and differences are told in.
pub fn headline() -> Vec<Metric> {
    let is_headline = |metric: &Metric| {
        matches!(
            metric,
            Metric::Success(_)
                | Metric::Latency(
                    OpKind::Get | OpKind::Put | OpKind::Update | OpKind::Delete,
                    Stat::P50 | Stat::P99 | Stat::P999
                )
                | Metric::StaleFraction
                | Metric::Hints(HintCount::Created | HintCount::Delivered)
                | Metric::Messages(MessageClass::All)
        )
    };
    Metric::all().into_iter().filter(is_headline).collect()
}

/// All runs so far.
#[derive(Clone, Debug, Default)]
pub struct Folded {
    runs: BTreeMap<(u32, u64), Run>,
    settings: BTreeMap<u32, Distributions>,
}

impl Folded {
    /// Adds a run. Returns whether it was new; one that is there already changes nothing.
    pub fn add(&mut self, record: Record) -> bool {
        let key = (record.run.kept.setting, record.run.kept.seed);
        if self.runs.contains_key(&key) {
            return false;
        }
        self.settings.entry(key.0).or_default().add(&record.distributions);
        self.runs.insert(key, record.run);
        true
    }

    /// Whether a run is there: number of its setting, and seed.
    pub fn has(&self, setting: u32, seed: u64) -> bool {
        self.runs.contains_key(&(setting, seed))
    }

    /// How many runs.
    pub fn count(&self) -> usize {
        self.runs.len()
    }

    /// The runs in the order of settings, then of seeds.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values()
    }

    /// The runs of a setting by seed.
    pub fn of(&self, setting: u32) -> impl Iterator<Item = &Run> {
        self.runs.range((setting, 0)..=(setting, u64::MAX)).map(|(_, run)| run)
    }

    /// The run of a setting with a seed.
    pub fn run(&self, setting: u32, seed: u64) -> Option<&Run> {
        self.runs.get(&(setting, seed))
    }

    /// What was added up of a setting.
    pub fn distributions(&self, setting: u32) -> Option<&Distributions> {
        self.settings.get(&setting)
    }

    /// Seeds that any setting was played with.
    pub fn seeds(&self) -> BTreeSet<u64> {
        self.runs.keys().map(|(_, seed)| *seed).collect()
    }

    /// What expectations are judged by.
    pub fn campaign(&self) -> Campaign {
        Campaign::new(self.runs.values().map(|run| run.kept.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(values: &[u64]) -> Cells {
        let mut spread = Spread::<11>::default();
        values.iter().for_each(|value| spread.record(*value));
        Cells::of(&spread)
    }

    #[test]
    fn merged_cells_are_those_of_all_values_together() {
        let (one, two) = ([5u64, 9_000, 70_000, 70_000], [5u64, 8, 80_000_000]);
        let mut merged = cells(&one);
        merged.add(&cells(&two));
        let all: Vec<u64> = one.iter().chain(&two).copied().collect();
        assert_eq!(merged, cells(&all));
        let mut other_way = cells(&two);
        other_way.add(&cells(&one));
        assert_eq!(other_way, merged, "the order does not matter");
        assert_eq!((merged.count(), merged.max(), merged.quantile(0.5)), (7, 80_000_000, 9_007));
    }
}
