//! A prediction beside what was simulated: numbers, differences, and the ladder between them, as text, JSON and CSV.
//!
//! The prediction is that of the WARS model (`measure::wars`). What runs showed is asked for by the metrics that
//! every expectation may use, and nothing is known here of how they were played.

use std::fmt::Write;

use serde_json::{Map, Value as Json, json};

use super::play::{Played, group_names};
use super::terminal::{self, DIM, RESET, Title, align, paragraph, table};
use crate::check::expectation::{Narrow, Query};
use crate::cluster::config::RunConfig;
use crate::kernel::math;
use crate::kernel::time::Span;
use crate::measure::Metric;
use crate::measure::metrics::{After, OpKind, Stat, Unit, VisibilityQuantile};
use crate::measure::number::plain;
use crate::measure::scene::{Question, asked};
use crate::measure::wars::{Estimate, Outcome, all_pairs, play};
use crate::node::config::Quorum;

/// What is predicted and compared.
#[derive(Clone, PartialEq, Debug)]
pub struct Wish {
    /// Trials of the model.
    pub trials: usize,
    /// Their seed.
    pub seed: u64,
    /// The numbers, in order.
    pub metrics: Vec<Metric>,
    /// Whether every R and W of the N are predicted.
    pub all: bool,
}

/// The metrics that a prediction is about, with `fresh_at` at these times beside 0.
pub fn metrics(after: &[Span]) -> Vec<Metric> {
    let mut times = vec![Span::ZERO];
    times.extend(after.iter().copied().filter(|after| *after != Span::ZERO));
    let fresh = times.into_iter().map(|after| Metric::FreshAt(After(after)));
    let visible = [VisibilityQuantile::P90, VisibilityQuantile::P99, VisibilityQuantile::P999].map(Metric::Visibility);
    let latency = |op| [Stat::P50, Stat::P99, Stat::P999].map(|stat| Metric::Latency(op, stat));
    fresh.chain(visible).chain(latency(OpKind::Get)).chain(latency(OpKind::Put)).collect()
}

/// The four numbers that the ladder shows.
fn headlines() -> [Metric; 4] {
    let p999 = |op| Metric::Latency(op, Stat::P999);
    [
        Metric::FreshAt(After(Span::ZERO)),
        Metric::Visibility(VisibilityQuantile::P99),
        p999(OpKind::Get),
        p999(OpKind::Put),
    ]
}

/// Numbers in the order of [`Wish::metrics`], in the metrics' units; `None`: nothing is known.
pub type Numbers = Vec<Option<Estimate>>;

/// A setting, or a group of clients in it, and all that is known of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Number of the setting.
    pub setting: u32,
    /// Axes and their values.
    pub values: Vec<(String, String)>,
    /// The group that reads, if groups differ in N, R or W.
    pub client: Option<String>,
    /// N, R and W.
    pub question: Question,
    /// What the model says; nothing if it cannot be applied.
    pub predicted: Option<Numbers>,
    /// What it says for every R and W, if that was asked.
    pub all: Vec<(usize, usize, Numbers)>,
    /// What runs showed, if any were played.
    pub simulated: Option<Numbers>,
    /// From the model to the scenario: what a step brings, and what runs then show.
    pub ladder: Vec<(String, Numbers)>,
    /// Things to know.
    pub notes: Vec<String>,
}

impl Row {
    /// The prediction of a question about a setting.
    pub fn predict(
        setting: u32,
        values: Vec<(String, String)>,
        config: &RunConfig,
        asks: &Question,
        wish: &Wish,
    ) -> Row {
        let client = asks.client.and_then(|client| group_names(config).nth(client.index()).map(String::from));
        let mut row = Row {
            setting,
            values,
            client,
            question: asks.clone(),
            predicted: None,
            all: Vec::new(),
            simulated: None,
            ladder: Vec::new(),
            notes: Vec::new(),
        };
        match asked(config, asks) {
            Err(reason) => row.notes.push(format!("no prediction: {reason}")),
            Ok(asked) => {
                let own = (usize::from(asks.r), usize::from(asks.w));
                let pairs = if wish.all { all_pairs(asked.world.n) } else { vec![own] };
                let outcome = play(&asked.world, &pairs, wish.trials, wish.seed);
                // A quantile needs as many trials as it would need operations.
                let has_enough = |metric: &Metric| wish.trials as u64 >= metric.samples_needed();
                let number = |r, w, metric| has_enough(metric).then(|| predicted(&outcome, r, w, metric)).flatten();
                let numbers = |(r, w)| wish.metrics.iter().map(|metric| number(r, w, metric)).collect();
                row.predicted = Some(numbers(own));
                if wish.all {
                    row.all = pairs.iter().map(|&(r, w)| (r, w, numbers((r, w)))).collect();
                }
                if asked.loss > 0.0 {
                    row.notes.push(format!("the model loses no messages; here up to {} are lost", plain(asked.loss)));
                }
            }
        }
        let sloppy = |config: &RunConfig| config.node.profiles.iter().any(|profile| profile.quorum == Quorum::Sloppy);
        if asks.r + asks.w > asks.n && sloppy(config) && row.predicted.is_some() {
            row.notes
                .push("r + w > n is always fresh in the model, which has no stand-ins; the quorum is sloppy".into());
        }
        row
    }

    /// What this row asks of runs.
    pub fn queries(&self, wish: &Wish) -> Vec<Query> {
        let narrow = Narrow { client: self.client.clone(), ..Narrow::default() };
        wish.metrics.iter().map(|metric| Query { metric: metric.clone(), narrow: narrow.clone() }).collect()
    }

    /// Takes up what the runs of its setting showed.
    pub fn compare(&mut self, runs: &[&Played], wish: &Wish) {
        self.simulated = Some(shown(runs, &self.queries(wish)));
    }

    /// Takes up a rung of its ladder.
    pub fn climb(&mut self, brings: &str, runs: &[&Played], wish: &Wish) {
        self.ladder.push((brings.to_string(), shown(runs, &self.queries(wish))));
    }

    /// `n=3 r=1 w=2`, and which setting and group.
    fn name(&self) -> String {
        let mut parts: Vec<String> = self.values.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
        parts.extend(self.client.iter().map(|client| format!("client {client}")));
        let Question { n, r, w, .. } = self.question;
        // An axis that is R says it already.
        for (name, value) in [("n", n), ("r", r), ("w", w)] {
            let part = format!("{name}={value}");
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        parts.join("  ")
    }
}

/// What runs showed: means over the seeds, with their standard errors where there are several.
fn shown(runs: &[&Played], queries: &[Query]) -> Numbers {
    let one = |query: &Query| {
        let values: Option<Vec<f64>> = runs.iter().map(|run| run.answers.get(query)?.number()).collect();
        let values = values.filter(|values| !values.is_empty())?;
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        Some(Estimate { value: mean, error: math::sqrt(squares / (count - 1.0) / count) })
    };
    queries.iter().map(one).collect()
}

/// What the trials say of a metric, in its unit.
fn predicted(outcome: &Outcome, r: usize, w: usize, metric: &Metric) -> Option<Estimate> {
    let ms = |ns: Estimate| Estimate { value: ns.value / 1e6, error: ns.error / 1e6 };
    Some(match metric {
        Metric::FreshAt(After(after)) => outcome.waits(r, w).share_up_to(after.0),
        Metric::Visibility(quantile) => {
            let q = match quantile {
                VisibilityQuantile::P90 => 0.9,
                VisibilityQuantile::P99 => 0.99,
                VisibilityQuantile::P999 => 0.999,
            };
            ms(outcome.waits(r, w).quantile(q))
        }
        Metric::Latency(op, stat) => {
            let sample = match op {
                OpKind::Get => outcome.reads(r),
                OpKind::Put => outcome.writes(w),
                _ => return None,
            };
            let q = match stat {
                Stat::P50 => 0.5,
                Stat::P99 => 0.99,
                Stat::P999 => 0.999,
                _ => return None,
            };
            ms(sample.quantile(q))
        }
        _ => return None,
    })
}

/// How a person calls a metric.
fn said(metric: &Metric) -> String {
    let quantile = |stat: &str| format!("P{}", stat.strip_prefix('p').map_or(stat.into(), with_point));
    match metric {
        Metric::FreshAt(After(after)) => {
            format!("fresh at {}", if after.0 == 0 { "once".into() } else { after.to_string() })
        }
        Metric::Visibility(q) => format!("{} % fresh after, ms", with_point(&q.word()[1..])),
        Metric::Latency(op, stat) => format!("{} {}, ms", op.word(), quantile(stat.word())),
        other => other.to_string(),
    }
}

/// `999` is 99.9.
fn with_point(digits: &str) -> String {
    if digits.len() > 2 { format!("{}.{}", &digits[..2], &digits[2..]) } else { digits.to_string() }
}

/// A number with as many digits as a reader needs.
fn digits(value: f64, unit: Unit) -> String {
    let places = match (unit, value.abs()) {
        _ if !value.is_finite() => return if value.is_nan() { "–".into() } else { "never".into() },
        (Unit::Fraction, _) => 5,
        (_, size) if size < 10.0 => 3,
        (_, size) if size < 100.0 => 2,
        _ => 1,
    };
    format!("{value:.places$}")
}

fn value(estimate: Option<Estimate>, unit: Unit) -> String {
    estimate.map_or("–".into(), |estimate| digits(estimate.value, unit))
}

/// Two digits that say something.
fn error(estimate: Option<Estimate>) -> String {
    let Some(error) = estimate.map(|estimate| estimate.error).filter(|error| error.is_finite()) else {
        return String::new();
    };
    let places = [10.0, 1.0, 0.1, 0.01, 0.001, 0.0001].iter().position(|least| error >= *least).unwrap_or(6);
    plain(format!("{error:.places$}").parse().unwrap_or(error))
}

fn difference(from: Option<Estimate>, to: Option<Estimate>, unit: Unit) -> String {
    match from.zip(to) {
        // `inf - inf`, and what has no number.
        Some((from, to)) if (to.value - from.value).is_finite() => {
            let text = digits(to.value - from.value, unit);
            let is_nothing = text.chars().all(|c| matches!(c, '0' | '.' | '-'));
            match text.strip_prefix('-') {
                _ if is_nothing => "0".into(),
                Some(_) => text,
                None => format!("+{text}"),
            }
        }
        _ => "–".into(),
    }
}

/// What a person reads.
pub fn text(title: &Title<'_>, rows: &[Row], wish: &Wish) -> String {
    let mut out = String::new();
    terminal::head(&mut out, title);
    let about =
        format!("WARS by {} trials, seed {}; ± is one standard error", terminal::brief(wish.trials as f64), wish.seed);
    paragraph(&mut out, "", 0, &about, title.width, DIM);
    for (number, row) in rows.iter().enumerate() {
        let _ = writeln!(out, "\n{}{}{RESET}", terminal::BOLD, row.name());
        numbers(&mut out, row, wish);
        // Settings that differ in R and W only have the same table.
        if !row.all.is_empty() && !rows[..number].iter().any(|other| other.all == row.all) {
            every_pair(&mut out, row, wish);
        }
        ladder(&mut out, row, wish);
        terminal::notices(&mut out, row.notes.iter(), title.width);
    }
    if !title.notices.is_empty() {
        out.push('\n');
    }
    terminal::notices(&mut out, title.notices.iter(), title.width);
    out
}

fn numbers(out: &mut String, row: &Row, wish: &Wish) {
    if row.predicted.is_none() && row.simulated.is_none() {
        return;
    }
    let has_errors = row.simulated.iter().flatten().flatten().any(|estimate| estimate.error.is_finite());
    let mut header = vec!["", "predicted", "±"];
    if row.simulated.is_some() {
        header.push("simulated");
        header.extend(has_errors.then_some("±"));
        header.push("difference");
    }
    let mut rows = table(&header.iter().map(ToString::to_string).collect::<Vec<_>>());
    for (at, metric) in wish.metrics.iter().enumerate() {
        let unit = metric.unit();
        let predicted = row.predicted.as_ref().and_then(|numbers| numbers[at]);
        let mut cells = vec![said(metric), value(predicted, unit), error(predicted)];
        if let Some(simulated) = &row.simulated {
            let simulated = simulated[at];
            cells.push(value(simulated, unit));
            cells.extend(has_errors.then(|| error(simulated)));
            cells.push(difference(predicted, simulated, unit));
        }
        rows.add_row(cells);
    }
    out.push_str(&align(&mut rows, 1));
}

fn every_pair(out: &mut String, row: &Row, wish: &Wish) {
    let columns: Vec<usize> = (0..wish.metrics.len())
        .filter(|&at| {
            matches!(
                wish.metrics[at],
                Metric::FreshAt(After(Span::ZERO))
                    | Metric::Visibility(VisibilityQuantile::P99 | VisibilityQuantile::P999)
                    | Metric::Latency(_, Stat::P50 | Stat::P999)
            )
        })
        .collect();
    let _ = writeln!(out, "\n  {DIM}every R and W of N = {}, from the same trials{RESET}", row.question.n);
    let names = columns.iter().map(|&at| match &wish.metrics[at] {
        Metric::Visibility(q) => format!("{} % after", with_point(&q.word()[1..])),
        metric => said(metric).trim_end_matches(", ms").to_string(),
    });
    let header: Vec<String> = ["r".to_string(), "w".to_string()].into_iter().chain(names).collect();
    let mut rows = table(&header);
    for (r, w, numbers) in &row.all {
        let cells = columns.iter().map(|&at| value(numbers[at], wish.metrics[at].unit()));
        rows.add_row([r.to_string(), w.to_string()].into_iter().chain(cells).collect::<Vec<_>>());
    }
    out.push_str(&align(&mut rows, 0));
}

fn ladder(out: &mut String, row: &Row, wish: &Wish) {
    let (Some(model), Some(top)) = (&row.predicted, row.ladder.last()) else { return };
    let columns: Vec<usize> =
        headlines().iter().filter_map(|metric| wish.metrics.iter().position(|other| other == metric)).collect();
    let header = ["", "fresh", "", "99 %", "", "get P99.9", "", "put P99.9", ""];
    let mut rows = table(&header.map(String::from));
    let mut line = |name: &str, numbers: &Numbers, before: Option<&Numbers>| {
        let mut cells = vec![name.to_string()];
        for &at in &columns {
            let unit = wish.metrics[at].unit();
            cells.push(value(numbers[at], unit));
            cells.push(before.map_or(String::new(), |before| difference(before[at], numbers[at], unit)));
        }
        rows.add_row(cells);
    };
    line("the model", model, None);
    let mut before = model;
    for (brings, numbers) in &row.ladder {
        line(brings, numbers, Some(before));
        before = numbers;
    }
    line("in all", &top.1, Some(model));
    let _ = writeln!(
        out,
        "\n  {DIM}from the model to the scenario, a thing a line: fresh at once, 99 % fresh after, latencies; ms{RESET}"
    );
    out.push_str(&align(&mut rows, 1));
}

/// One object.
pub fn json(name: &str, rows: &[Row], wish: &Wish, notices: &[String]) -> Json {
    let numbers = |numbers: &Numbers| -> Json {
        let pairs = wish.metrics.iter().zip(numbers).filter_map(|(metric, estimate)| {
            let estimate = (*estimate)?;
            Some((metric.column(), json!({ "value": rounded(estimate.value), "error": rounded(estimate.error) })))
        });
        Json::Object(pairs.collect())
    };
    let settings = rows.iter().map(|row| {
        let values: Map<String, Json> = row.values.iter().map(|(axis, value)| (axis.clone(), json!(value))).collect();
        let Question { n, r, w, .. } = row.question;
        let all = row.all.iter().map(|(r, w, own)| json!({ "r": r, "w": w, "predicted": numbers(own) }));
        let ladder = row.ladder.iter().map(|(brings, own)| json!({ "adds": brings, "simulated": numbers(own) }));
        json!({
            "setting": row.setting, "values": values, "client": row.client, "n": n, "r": r, "w": w,
            "predicted": row.predicted.as_ref().map(numbers), "simulated": row.simulated.as_ref().map(numbers),
            "all": all.collect::<Vec<_>>(), "ladder": ladder.collect::<Vec<_>>(), "notes": row.notes,
        })
    });
    json!({
        "format": 1, "scenario": name, "trials": wish.trials, "seed": wish.seed,
        "settings": settings.collect::<Vec<_>>(), "notices": notices,
    })
}

/// As files have it; what is no number is `null`.
fn rounded(value: f64) -> Json {
    let text = plain(value);
    text.parse::<f64>().ok().filter(|value| value.is_finite()).map_or(Json::Null, |value| json!(value))
}

/// A line a number.
pub fn csv(axes: &[String], rows: &[Row], wish: &Wish) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = ["client", "n", "r", "w", "source", "metric", "value", "error"];
    let header = ["setting"].into_iter().chain(axes.iter().map(String::as_str)).chain(head);
    writer.write_record(header).expect("memory takes every record");
    for row in rows {
        let Question { n, r, w, .. } = row.question;
        let mut write = |r: usize, w: usize, source: &str, numbers: &Numbers| {
            for (metric, estimate) in wish.metrics.iter().zip(numbers) {
                let Some(estimate) = estimate else { continue };
                let mut record = vec![row.setting.to_string()];
                record.extend(row.values.iter().map(|(_, value)| value.clone()));
                record.push(row.client.clone().unwrap_or_default());
                record.extend([usize::from(n), r, w].map(|number| number.to_string()));
                record.extend([source.to_string(), metric.column()]);
                record.extend([plain(estimate.value), plain(estimate.error)]);
                writer.write_record(&record).expect("memory takes every record");
            }
        };
        let own = (usize::from(r), usize::from(w));
        if let Some(numbers) = &row.predicted {
            write(own.0, own.1, "predicted", numbers);
        }
        for (r, w, numbers) in row.all.iter().filter(|(r, w, _)| (*r, *w) != own) {
            write(*r, *w, "predicted", numbers);
        }
        if let Some(numbers) = &row.simulated {
            write(own.0, own.1, "simulated", numbers);
        }
        for (brings, numbers) in &row.ladder {
            write(own.0, own.1, brings, numbers);
        }
    }
    writer.into_inner().expect("memory is never full")
}
