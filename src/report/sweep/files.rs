//! The files of a sweep, all made from what was folded.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::frontier::Frontier;
use super::statistics::{by_seed, neighbours, paired};
use super::{Folded, Run, headline};
use crate::check::{Judgement, Verdict};
use crate::cluster::config::RunConfig;
use crate::measure::Metric;
use crate::measure::metrics::{OpKind, Unit};
use crate::measure::number::plain;
use crate::node::config::Quorum;
use crate::report::play::Campaign;
use crate::report::run_dir::pretty;
use crate::report::summary::number;
use crate::report::tables::{self, SettingRow, begin, csv, texts};
use crate::scenario::Loaded;
use crate::scenario::sweep::{AxisValue, points_of};

/// Quantiles of `latency.csv`: finer than those of a run, as many runs have more samples.
const QUANTILES: [f64; 20] = [
    0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 1.0,
];

/// N, R and W of a setting as its runs have them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replication {
    /// Owners.
    pub n: u8,
    /// Answers that a read waits for.
    pub r: u8,
    /// Answers that a write waits for.
    pub w: u8,
    /// Who may answer.
    pub quorum: Quorum,
    /// Members at the start.
    pub nodes: usize,
}

impl Replication {
    /// Of the operations that have no values of their own.
    pub fn of(config: &RunConfig) -> Replication {
        let profile = &config.node.profiles[0];
        let nodes = config.ring.initial_members.len();
        Replication { n: profile.n, r: profile.r, w: profile.w, quorum: profile.quorum, nodes }
    }
}

/// A sweep that is over.
#[derive(Clone, Copy)]
pub struct Sweep<'a> {
    /// The scenario.
    pub loaded: &'a Loaded,
    /// First and last seed.
    pub seeds: (u64, u64),
    /// Its runs.
    pub folded: &'a Folded,
    /// What expectations were judged by.
    pub campaign: &'a Campaign,
    /// What became of them.
    pub judgements: &'a [Judgement],
    /// Which settings no other beats.
    pub frontier: Option<&'a Frontier>,
    /// N, R and W by setting.
    pub replication: &'a [Replication],
    /// `held`, `broken` or `inconclusive`.
    pub status: &'a str,
    /// Things to know.
    pub notices: &'a [String],
}

fn by_axis(values: &[AxisValue]) -> Json {
    values.iter().map(|value| (value.axis.clone(), json!(value.value.label()))).collect::<Map<_, _>>().into()
}

/// Names of the axes, in order.
pub fn axes(loaded: &Loaded) -> Vec<String> {
    loaded.base.sweep.axes.iter().map(|axis| axis.name.to_string()).collect()
}

/// The settings as tables name them.
pub fn settings(loaded: &Loaded) -> Vec<SettingRow> {
    let labels = |values: &[AxisValue]| values.iter().map(|value| value.value.label()).collect();
    loaded
        .settings
        .iter()
        .map(|setting| SettingRow { number: setting.number, labels: labels(&setting.values) })
        .collect()
}

impl Sweep<'_> {
    /// All files but the manifest, by name.
    pub fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        let (axes, rows) = (axes(self.loaded), settings(self.loaded));
        vec![
            ("runs.csv", self.runs()),
            ("summary.csv", tables::summary(&axes, &rows, self.campaign, self.judgements)),
            ("summary.json", self.summary().into_bytes()),
            ("latency.csv", self.latency()),
            ("staleness.csv", self.staleness()),
            ("windows.csv", self.windows()),
            ("differences.csv", self.differences()),
        ]
    }

    /// `runs.csv`.
    pub fn runs(&self) -> Vec<u8> {
        tables::runs(&axes(self.loaded), &settings(self.loaded), self.campaign, self.judgements)
    }

    /// `summary.json`.
    pub fn summary(&self) -> String {
        let axes = self.loaded.base.sweep.axes.iter().map(|axis| {
            let points: Vec<String> = points_of(axis).iter().map(|point| point.label()).collect();
            json!({ "name": axis.name.to_string(), "values": points })
        });
        let settings = self.loaded.settings.iter().zip(self.replication).map(|(setting, of)| {
            let quorum = match of.quorum {
                Quorum::Strict => "strict",
                Quorum::Sloppy => "sloppy",
            };
            json!({
                "setting": setting.number, "values": by_axis(&setting.values),
                "n": of.n, "r": of.r, "w": of.w, "quorum": quorum, "nodes": of.nodes,
            })
        });
        let skipped = self.loaded.skipped.iter();
        let skipped = skipped.map(|one| json!({ "values": by_axis(&one.values), "because": one.because }));
        let mut json = json!({
            "format": 1,
            "scenario": self.loaded.name,
            "about": self.loaded.about,
            "status": self.status,
            "seeds": (self.seeds.0..=self.seeds.1).collect::<Vec<u64>>(),
            "axes": axes.collect::<Vec<_>>(),
            "settings": settings.collect::<Vec<_>>(),
            "skipped": skipped.collect::<Vec<_>>(),
            "expect": self.judgements.iter().map(expectation).collect::<Vec<_>>(),
        });
        let mut statements: Vec<&String> = Vec::new();
        if let Some(frontier) = self.frontier {
            json["frontier"] = frontier.json();
            statements.extend(&frontier.statements);
            statements.extend(frontier.dominated.iter().map(|one| &one.text));
            statements.extend(&frontier.notes);
        }
        json["statements"] = json!(statements);
        json["notices"] = json!(self.notices);
        pretty(&json)
    }

    /// The columns of a row that say of which setting it is.
    fn of_setting(&self, setting: &SettingRow) -> Vec<String> {
        std::iter::once(setting.number.to_string()).chain(setting.labels.iter().cloned()).collect()
    }

    /// `latency.csv`: the samples of all seeds together.
    fn latency(&self) -> Vec<u8> {
        let mut rows = vec![begin(&axes(self.loaded))];
        rows[0].extend(texts(&["op", "outcome", "quantile", "latency_ms", "samples"]));
        for setting in settings(self.loaded) {
            let latency = self.folded.distributions(setting.number).map(|all| &all.latency);
            for ((kind, outcome), spread) in latency.into_iter().flatten() {
                let shares = tables::quantiles(&QUANTILES, spread.count(), spread.max(), |q| spread.quantile(q));
                for cells in shares {
                    let of = texts(&[OpKind::ALL[*kind].word(), tables::OUTCOMES[*outcome]]);
                    rows.push([self.of_setting(&setting), of, cells.to_vec()].concat());
                }
            }
        }
        csv(rows)
    }

    /// `staleness.csv`: the reads of all seeds together.
    fn staleness(&self) -> Vec<u8> {
        let mut rows = vec![begin(&axes(self.loaded))];
        rows[0].extend(texts(&tables::STALENESS));
        for setting in settings(self.loaded) {
            let Some(all) = self.folded.distributions(setting.number) else { continue };
            let of = tables::freshness_rows(&all.freshness);
            rows.extend(of.into_iter().map(|cells| [self.of_setting(&setting), cells].concat()));
        }
        csv(rows)
    }

    /// `windows.csv`: a row a setting and window, in the order in which runs have them.
    fn windows(&self) -> Vec<u8> {
        let windows = self.folded.runs().flat_map(|run| &run.windows);
        let known: BTreeSet<&Metric> = windows.flat_map(|(_, values)| values).map(|(metric, _)| metric).collect();
        let columns: Vec<Metric> = headline().into_iter().filter(|metric| known.contains(metric)).collect();
        let mut rows = vec![begin(&axes(self.loaded))];
        rows[0].extend(texts(&["window", "seeds"]));
        rows[0].extend(columns.iter().flat_map(tables::middle_columns));
        for setting in settings(self.loaded) {
            let mut windows: Vec<&str> = Vec::new();
            let mut numbers: BTreeMap<(&str, &Metric), Vec<f64>> = BTreeMap::new();
            let mut seeds: BTreeMap<&str, u64> = BTreeMap::new();
            for (window, values) in self.folded.of(setting.number).flat_map(|run| &run.windows) {
                if !windows.contains(&window.as_str()) {
                    windows.push(window);
                }
                *seeds.entry(window).or_default() += 1;
                for (metric, value) in values {
                    numbers.entry((window, metric)).or_default().extend(value.number());
                }
            }
            for window in windows {
                let mut row = self.of_setting(&setting);
                row.extend([window.to_string(), seeds[window].to_string()]);
                let of = |metric| numbers.get(&(window, metric)).map_or(&[][..], Vec::as_slice);
                row.extend(columns.iter().flat_map(|metric| tables::middle_cells(of(metric))));
                rows.push(row);
            }
        }
        csv(rows)
    }

    /// `differences.csv`: a row a pair of neighbours and headline metric.
    fn differences(&self) -> Vec<u8> {
        let axes = axes(self.loaded);
        let mut rows = vec![texts(&["setting", "versus", "axis", "metric", "difference", "low", "high", "seeds"])];
        let headline = headline();
        for (setting, versus, axis) in neighbours(self.loaded) {
            for metric in &headline {
                let [one, other] = [setting, versus].map(|number| by_seed(self.folded, number, self.seeds, metric));
                let Some(found) = paired(&one, &other) else { continue };
                let mut row = vec![setting.to_string(), versus.to_string(), axes[axis].clone(), metric.column()];
                row.extend([found.median, found.low, found.high].map(plain));
                row.push(found.seeds.to_string());
                rows.push(row);
            }
        }
        csv(rows)
    }
}

fn expectation(judgement: &Judgement) -> Json {
    let held = match judgement.verdict {
        Verdict::Held => json!(true),
        Verdict::Broken => json!(false),
        Verdict::NotJudged => Json::Null,
    };
    let value = judgement.value.map(|value| number(value, judgement.unit));
    json!({
        "text": judgement.text, "setting": judgement.setting, "value": value, "held": held,
        "because": judgement.because, "claim": judgement.claim,
    })
}

/// The report of a sweep that was interrupted: which runs are done, and the medians of the settings so far.
pub fn unfinished(loaded: &Loaded, seeds: (u64, u64), runs: usize, folded: &Folded) -> String {
    let all = loaded.settings.iter();
    let is_done = |seed: &u64| all.clone().all(|setting| folded.has(setting.number, *seed));
    let settings = loaded.settings.iter().map(|setting| {
        let own: Vec<&Run> = folded.of(setting.number).collect();
        let seeds: Vec<u64> = own.iter().map(|run| run.kept.seed).collect();
        let known = |metric: &Metric| own.iter().any(|run| run.kept.columns.iter().any(|(known, _)| known == metric));
        let middle = |metric: &Metric| {
            let values: Vec<f64> = own.iter().filter_map(|run| run.kept.number(metric)).collect();
            let of = |value: f64| number(value, Unit::Fraction);
            let cells = super::statistics::middle(&values)
                .map(|middle| json!({ "median": of(middle.median), "low": of(middle.low), "high": of(middle.high) }));
            (metric.column(), cells.unwrap_or(Json::Null))
        };
        let metrics: Map<String, Json> = Metric::all().iter().filter(|metric| known(metric)).map(middle).collect();
        json!({ "setting": setting.number, "values": by_axis(&setting.values), "seeds_done": seeds, "metrics": metrics })
    });
    pretty(&json!({
        "complete": false,
        "scenario": loaded.name,
        "runs_done": folded.count(),
        "runs": runs,
        "seeds_done": folded.seeds().into_iter().filter(is_done).collect::<Vec<u64>>(),
        "seeds": [seeds.0, seeds.1],
        "settings": settings.collect::<Vec<_>>(),
    }))
}
