//! Figures of results: built from the files of a run or a sweep, without drawing anything.
//!
//! A figure that the results have no data for is not built.

mod common;
mod latency;
mod load;
mod metric;
mod timeline;
mod trade_off;
mod visibility;

use super::figure::Figure;
use super::results::{Results, RunFiles, SweepFiles};

pub use metric::against;

type Maker<Files> = (&'static str, fn(&Files) -> Option<Figure>);

const OF_RUNS: &[Maker<RunFiles>] = &[
    ("timeline", timeline::timeline),
    ("latency", latency::of_run),
    ("visibility", visibility::of_run),
    ("load", load::load),
];

const OF_SWEEPS: &[Maker<SweepFiles>] = &[
    ("trade-off-get", trade_off::of_gets),
    ("trade-off-put", trade_off::of_puts),
    ("availability", trade_off::availability),
    ("latency-get", latency::of_gets),
    ("latency-put", latency::of_puts),
    ("latency-update", latency::of_updates),
    ("visibility", visibility::of_sweep),
    ("convergence", metric::convergence),
    ("balance", metric::balance),
];

/// All figures that the results have data for, in the order in which a reader wants them.
pub fn all(results: &Results) -> Vec<Figure> {
    match results {
        Results::Run(run) => OF_RUNS.iter().filter_map(|(_, make)| make(run)).collect(),
        Results::Sweep(sweep) => {
            let mut figures: Vec<Figure> = OF_SWEEPS.iter().filter_map(|(_, make)| make(sweep)).collect();
            figures.extend(metric::of_expectations(sweep, &figures));
            figures
        }
    }
}

/// Names of the figures that results of this kind may have, besides those of single metrics.
pub fn names(results: &Results) -> Vec<&'static str> {
    match results {
        Results::Run(_) => OF_RUNS.iter().map(|(name, _)| *name).collect(),
        Results::Sweep(_) => OF_SWEEPS.iter().map(|(name, _)| *name).collect(),
    }
}
