//! What figures of all kinds need: settings and their labels, the line below the title, labels of metrics.

use serde_json::Value as Json;

use crate::measure::number::plain;
use crate::report::figure::{Axis, Form, Mark, Point, Scale, Series};
use crate::report::results::{Row, RunFiles, SweepFiles, Table};

/// Series that are told apart in one panel: as many as the palette has colours.
pub const MOST_SERIES: usize = 7;
/// Panels that fit below each other.
pub const MOST_PANELS: usize = 6;
/// Settings that fit below each other as names.
pub const MOST_NAMES: usize = 60;

/// One setting of a sweep: where it lies on the axes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// Its number, as tables write it.
    pub number: String,
    /// Name and value on each axis.
    pub values: Vec<(String, String)>,
    /// N, R and W as they took effect, where the file says so.
    pub quorum: Option<[u64; 3]>,
    /// How many nodes, where the file says so.
    pub nodes: Option<u64>,
}

impl Setting {
    /// The value on an axis; empty if there is no such axis.
    pub fn value(&self, axis: &str) -> &str {
        self.values.iter().find(|(name, _)| name == axis).map_or("", |(_, value)| value)
    }
}

/// The settings of a sweep and how they are named.
pub struct Settings {
    /// In the order of the files.
    pub list: Vec<Setting>,
    /// Axes with more than one value.
    pub axes: Vec<String>,
    /// How many seeds each ran, at most.
    pub seeds: u64,
    /// Which seeds, as a text.
    seed_text: String,
    scenario: String,
}

impl Settings {
    /// Of a sweep.
    pub fn of(sweep: &SweepFiles) -> Settings {
        let axes = axes(sweep);
        let described = sweep.summary["settings"].as_array().map_or(&[][..], Vec::as_slice);
        let list: Vec<Setting> = sweep
            .settings
            .rows()
            .map(|row| {
                let number = row.text("setting").to_string();
                let about = described.iter().find(|one| as_text(&one["setting"]) == number).unwrap_or(&Json::Null);
                let quorum = [&about["n"], &about["r"], &about["w"]].map(Json::as_u64);
                Setting {
                    values: axes.iter().map(|axis| (axis.clone(), row.text(axis).to_string())).collect(),
                    quorum: if let [Some(n), Some(r), Some(w)] = quorum { Some([n, r, w]) } else { None },
                    nodes: about["nodes"].as_u64(),
                    number,
                }
            })
            .collect();
        let several = |axis: &String| list.iter().any(|setting| setting.value(axis) != list[0].value(axis));
        let axes = axes.iter().filter(|axis| several(axis)).cloned().collect();
        let seeds = sweep.settings.rows().filter_map(|row| row.number("seeds")).fold(0.0, f64::max);
        Settings {
            list,
            axes,
            seeds: seeds as u64,
            seed_text: seeds_text(&sweep.manifest["seeds"]),
            scenario: as_text(&sweep.summary["scenario"]),
        }
    }

    /// Whether the axes are N, R and W and nothing else: then labels are like `3/1/2`.
    pub fn are_quorums(&self) -> bool {
        let only = !self.axes.is_empty() && self.axes.iter().all(|axis| ["n", "r", "w"].contains(&axis.as_str()));
        only && self.list.iter().all(|setting| setting.quorum.is_some())
    }

    /// What a setting is called: `3/1/2`, or the values on the axes that vary.
    pub fn label(&self, setting: &Setting) -> String {
        if let (true, Some([n, r, w])) = (self.are_quorums(), setting.quorum) {
            return format!("{n}/{r}/{w}");
        }
        self.label_on(setting, &self.axes)
    }

    /// The values on some axes.
    pub fn label_on(&self, setting: &Setting, axes: &[String]) -> String {
        let parts: Vec<String> = axes.iter().map(|axis| value_label(axis, setting.value(axis))).collect();
        if parts.is_empty() { format!("setting {}", setting.number) } else { parts.join(", ") }
    }

    /// The line below a title of a figure whose labels are those of settings.
    pub fn about_labelled(&self, points: &str) -> String {
        let key = if self.are_quorums() { " Labels are N/R/W." } else { "" };
        format!("{}{key}", self.about(points))
    }

    /// The line below a title, ending in what points and intervals are.
    pub fn about(&self, points: &str) -> String {
        let settings = match self.list.len() {
            1 => "one setting".to_string(),
            count => format!("{count} settings"),
        };
        format!("{}: {settings}, {}. {points}", self.scenario, self.seed_text)
    }

    /// What points and intervals of medians over seeds are.
    pub fn of_medians(&self) -> String {
        match self.seeds {
            0 | 1 => "One run a setting, so no intervals.".into(),
            2..6 => format!("Points: medians over {} seeds; intervals: least and greatest.", self.seeds),
            _ => format!("Points: medians over {} seeds; intervals: 95 % of the median.", self.seeds),
        }
    }
}

/// Names of the axes: as the summary says; else the columns between the setting's number and its seeds.
pub fn axes(sweep: &SweepFiles) -> Vec<String> {
    if let Some(axes) = sweep.summary["axes"].as_array() {
        return axes.iter().map(|axis| as_text(&axis["name"])).collect();
    }
    sweep.settings.header().iter().skip(1).take_while(|name| *name != "seeds").cloned().collect()
}

/// A value as a label: a number says of what it is.
pub fn value_label(axis: &str, value: &str) -> String {
    const LENGTH: usize = 28;
    let text = if value.parse::<f64>().is_ok() || ["true", "false", "on", "off"].contains(&value) {
        format!("{axis}={value}")
    } else {
        value.to_string()
    };
    match text.char_indices().nth(LENGTH) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// Text of a JSON text or number.
pub fn as_text(json: &Json) -> String {
    json.as_str().map_or_else(|| if json.is_null() { String::new() } else { json.to_string() }, String::from)
}

/// `seed 1`, `seeds 1–5` or how many.
fn seeds_text(seeds: &Json) -> String {
    let seeds: Vec<u64> = seeds.as_array().map_or(&[][..], Vec::as_slice).iter().filter_map(Json::as_u64).collect();
    match seeds[..] {
        [] => "no seed".into(),
        [one] => format!("seed {one}"),
        [first, .., last] if last - first + 1 == seeds.len() as u64 => format!("seeds {first}–{last}"),
        _ => format!("{} seeds", seeds.len()),
    }
}

/// The line below the title of a run's figure.
pub fn about_run(run: &RunFiles, points: &str) -> String {
    let setting = run.summary["setting"].as_object();
    let values = setting.into_iter().flatten().map(|(axis, value)| format!(", {axis}={}", as_text(value)));
    let values: String = values.collect();
    format!("{}{values}, seed {}. {points}", as_text(&run.summary["scenario"]), as_text(&run.summary["seed"]))
        .trim_end()
        .to_string()
}

/// A cell that is a number one can draw.
pub fn finite(row: &Row<'_>, column: &str) -> Option<f64> {
    row.number(column).filter(|value| value.is_finite())
}

/// A median and its interval; the interval is missing where both ends are the median or one is not finite.
pub fn with_interval(row: &Row<'_>, column: &str) -> Option<(f64, Option<(f64, f64)>)> {
    let value = finite(row, column)?;
    let ends = (finite(row, &format!("{column}.low")), finite(row, &format!("{column}.high")));
    let interval = match ends {
        (Some(low), Some(high)) if low < high => Some((low, high)),
        _ => None,
    };
    Some((value, interval))
}

/// Rows of a setting.
pub fn rows_of<'a>(table: &'a Table, setting: &'a Setting) -> impl Iterator<Item = Row<'a>> {
    table.rows().filter(|row| row.text("setting") == setting.number)
}

/// An axis over what is there.
pub fn axis(label: impl Into<String>, scale: Scale, form: Form) -> Axis {
    Axis { label: label.into(), scale, form, least: None, most: None }
}

/// A series.
pub fn series(name: impl Into<String>, color: usize, mark: Mark, points: Vec<Point>) -> Series {
    Series { name: name.into(), color, pale: false, mark, points }
}

/// The axis of a metric, by the name of its column.
pub fn metric_axis(column: &str, scale: Scale) -> Axis {
    axis(metric_label(column), scale, metric_form(column))
}

/// Whether a metric is written as a percentage.
fn metric_form(column: &str) -> Form {
    let is_share = column.ends_with(".success")
        || column.ends_with(".success_worst")
        || column.ends_with(".fraction")
        || column.ends_with("load.share")
        || column.starts_with("fresh_at");
    if is_share { Form::Percent } else { Form::Plain }
}

/// A metric in words where there are short ones, with its unit.
pub fn metric_label(column: &str) -> String {
    let (name, unit) = split_unit(column);
    let ops = |word: &str| match word {
        "get" => "gets".to_string(),
        "put" => "puts".to_string(),
        "update" => "updates".to_string(),
        "ops" => "all operations".to_string(),
        other => other.to_string(),
    };
    let words = match name.split('.').collect::<Vec<_>>()[..] {
        [op, "latency", quantile] => match quantile.strip_prefix('p').and_then(|digits| digits.parse::<u64>().ok()) {
            Some(digits) => format!("P{} of {}", quantile_text(digits), ops(op)),
            None => format!("{quantile} latency of {}", ops(op)),
        },
        [op, "success"] => format!("{} that succeed", ops(op)),
        ["stale", "fraction"] => "reads that are stale".to_string(),
        ["convergence", "time"] => "time until all replicas agree".to_string(),
        ["gossip", "convergence", "rounds"] => "gossip rounds until every node knows".to_string(),
        ["ring", "efficiency"] => "ring balance: mean load over greatest".to_string(),
        _ => name.to_string(),
    };
    let mut words = words;
    if let Some(first) = words.get(..1) {
        // Names of metrics stay as they are written elsewhere.
        if words != name {
            words = first.to_uppercase() + &words[1..];
        }
    }
    if unit.is_empty() { words } else { format!("{words} ({unit})") }
}

/// A metric within a sentence, without its unit.
pub fn metric_words(column: &str) -> String {
    let label = metric_label(column);
    lower(label.split(" (").next().unwrap_or(&label))
}

/// Words begin small within a sentence; names like `P99` do not.
pub fn lower(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().to_string() + &text[first.len_utf8()..]
        }
        _ => text.to_string(),
    }
}

/// 50 is P50, 999 is P99.9, 9999 is P99.99.
fn quantile_text(digits: u64) -> String {
    let text = digits.to_string();
    match text.len() {
        0..=2 => text,
        _ => format!("{}.{}", &text[..2], &text[2..]),
    }
}

fn split_unit(column: &str) -> (&str, &'static str) {
    for (suffix, unit) in [("_ms", "ms"), ("_bytes", "bytes"), ("_per_s", "per second")] {
        if let Some(name) = column.strip_suffix(suffix) {
            return (name, unit);
        }
    }
    (column, "")
}

/// Words joined as in a sentence that lists them, shortened if there are many.
pub fn listed(items: &[String]) -> String {
    const SHOWN: usize = 8;
    let more = items.len().saturating_sub(SHOWN);
    let separator = if items.iter().any(|item| item.contains(',')) { "; " } else { ", " };
    let shown = items.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(separator);
    if more == 0 { shown } else { format!("{shown} and {} more", plain(more as f64)) }
}

/// Distinct values in the order they come.
pub fn distinct<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for value in values {
        if !found.iter().any(|known| known == value) {
            found.push(value.to_string());
        }
    }
    found
}
