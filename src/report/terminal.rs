//! What a person reads on a terminal when a run or a sweep is over.
//!
//! A text with styles; whoever prints it takes them out where they do not belong.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};

use super::play::{Campaign, Played};
use super::tables::SettingRow;
use crate::check::expectation::shown;
use crate::check::{Judgement, Verdict};
use crate::cluster::config::RunConfig;
use crate::measure::metrics::{HintCount, OpKind, Stat};
use crate::measure::number::plain;
use crate::measure::{Measured, Metric, Scope};

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";
const RESET: &str = "\u{1b}[0m";

/// What stands above the numbers.
#[derive(Clone, Copy, Debug)]
pub struct Title<'a> {
    /// Name of the scenario.
    pub name: &'a str,
    /// One line about it.
    pub about: &'a str,
    /// Things to know.
    pub notices: &'a [String],
}

/// A number for the eye: as many digits as say something.
fn brief(value: f64) -> String {
    let size = value.abs();
    let rounded = match size {
        _ if size >= 1_000.0 || size == 0.0 => (value).round(),
        _ if size >= 10.0 => (value * 10.0).round() / 10.0,
        _ if size >= 1.0 => (value * 100.0).round() / 100.0,
        _ => (value * 10_000.0).round() / 10_000.0,
    };
    plain(rounded)
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header.to_vec());
    table
}

fn align(table: &mut Table) -> String {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.lines().map(|line| format!(" {}\n", line.trim_end())).collect()
}

fn head(out: &mut String, title: &Title<'_>) {
    let _ = writeln!(out, "{BOLD}{}{RESET}", title.name);
    if !title.about.is_empty() {
        let _ = writeln!(out, "{}", title.about);
    }
}

/// One run.
///
/// # Panics
/// If the run kept only its columns.
pub fn run(title: &Title<'_>, config: &RunConfig, run: &Played, judgements: &[Judgement]) -> String {
    let measured = run.measured.as_ref().expect("a run is shown with all its numbers");
    let mut out = String::new();
    head(&mut out, title);
    let sessions: u64 =
        config.groups.iter().map(|group| u64::from(group.sessions)).sum::<u64>() + config.scripted.len() as u64;
    let _ = writeln!(
        out,
        "{DIM}{} nodes, {sessions} sessions, {} s of virtual time, {} events, seed {}{RESET}\n",
        config.node_names.len(),
        brief(run.end.ended_at.as_ms() / 1e3),
        run.end.events,
        run.seed
    );
    operations(&mut out, measured);
    facts(&mut out, measured);
    faults(&mut out, config, run);
    steps(&mut out, config, run);
    expectations(&mut out, judgements.iter().filter(|judgement| judgement.setting == run.setting), false);
    for notice in title.notices.iter().chain(&run.end.notices) {
        let _ = writeln!(out, " {DIM}note: {notice}{RESET}");
    }
    let _ = writeln!(out, " {DIM}digest {:032x}{RESET}", run.end.digest);
    out
}

fn value(measured: &Measured, metric: Metric) -> Option<f64> {
    measured.value(&metric, &Scope::default()).number()
}

fn operations(out: &mut String, measured: &Measured) {
    let mut rows = table(&["", "count", "success", "p50 ms", "p99 ms", "p99.9 ms", "max ms"]);
    let mut any = false;
    for op in OpKind::ALL.iter().copied().filter(|op| *op != OpKind::Ops) {
        let Some(count) = value(measured, Metric::Count(op)).filter(|count| *count > 0.0) else { continue };
        any = true;
        let success =
            value(measured, Metric::Success(op)).map_or(String::new(), |share| format!("{}%", percent(share)));
        let latency = [Stat::P50, Stat::P99, Stat::P999, Stat::Max]
            .map(|stat| value(measured, Metric::Latency(op, stat)).map_or("–".into(), brief));
        let mut cells = vec![op.word().to_string(), plain(count), success];
        cells.extend(latency);
        rows.add_row(cells);
    }
    if any {
        out.push_str(&align(&mut rows));
        out.push('\n');
    }
}

/// A percentage that says 100 only if it is.
fn percent(share: f64) -> String {
    let text = plain((share * 1e5).round() / 1e3);
    if text == "100" && share < 1.0 { "99.999".into() } else { text }
}

fn facts(out: &mut String, measured: &Measured) {
    let mut facts: Vec<String> = Vec::new();
    if let (Some(stale), Some(share)) = (value(measured, Metric::StaleReads), value(measured, Metric::StaleFraction)) {
        facts.push(format!("stale reads {} ({}%)", plain(stale), percent(share)));
    }
    if let (Some(mean), Some(max)) =
        (value(measured, Metric::Siblings(Stat::Mean)), value(measured, Metric::Siblings(Stat::Max)))
    {
        facts.push(format!("versions a read {} (max {})", brief(mean), plain(max)));
    }
    let hint = |what: HintCount| value(measured, Metric::Hints(what)).unwrap_or(0.0);
    if hint(HintCount::Created) > 0.0 {
        let (created, delivered, pending) =
            (hint(HintCount::Created), hint(HintCount::Delivered), hint(HintCount::Pending));
        facts.push(format!(
            "hints {} stored, {} delivered, {} pending",
            plain(created),
            plain(delivered),
            plain(pending)
        ));
    }
    if let Some(repairs) = value(measured, Metric::ReadRepairWrites).filter(|repairs| *repairs > 0.0) {
        facts.push(format!("read repairs {}", plain(repairs)));
    }
    for fact in facts {
        let _ = writeln!(out, " {fact}");
    }
}

fn faults(out: &mut String, config: &RunConfig, run: &Played) {
    for fault in &run.end.faults {
        let to = fault.to.map_or("the end".into(), |to| format!("{} s", brief(to.as_ms() / 1e3)));
        let hits =
            if fault.hits == 0 { format!("{YELLOW}never bit{RESET}") } else { format!("bit {} times", fault.hits) };
        let name = super::play::step_name(config, fault.step);
        let _ = writeln!(out, " fault {name}, {} s to {to}: {hits}", brief(fault.from.as_ms() / 1e3));
    }
}

fn steps(out: &mut String, config: &RunConfig, run: &Played) {
    for step in &run.end.steps {
        let Some(broken) = &step.broken else { continue };
        let name = super::play::step_name(config, step.step);
        match broken.as_slice() {
            [] => {
                let _ = writeln!(out, " {GREEN}✓{RESET} step {name}");
            }
            reasons => {
                let _ = writeln!(out, " {RED}✗{RESET} step {name}: {}", reasons.join("; "));
            }
        }
    }
}

/// One line an expectation; in a sweep those that held are counted together.
fn expectations<'a>(out: &mut String, judgements: impl Iterator<Item = &'a Judgement>, is_sweep: bool) {
    let mut held = 0;
    for judgement in judgements {
        let of = if is_sweep { format!(" {DIM}[setting {}]{RESET}", judgement.setting) } else { String::new() };
        let value = judgement.value.map_or(String::new(), |value| format!(" ({})", shown(value, judgement.unit)));
        let text = &judgement.text;
        let _ = match judgement.verdict {
            Verdict::Held if is_sweep => {
                held += 1;
                continue;
            }
            Verdict::Held => writeln!(out, " {GREEN}✓{RESET} {text}{value}"),
            Verdict::Broken => writeln!(out, " {RED}✗{RESET} {text}: {}{of}", judgement.because),
            Verdict::NotJudged => writeln!(out, " {YELLOW}?{RESET} {text}: {}{of}", judgement.because),
        };
    }
    if held > 0 {
        let _ = writeln!(out, " {GREEN}✓{RESET} {held} expectations held");
    }
}

/// A sweep: a line a setting with medians over the seeds of what was asked for, then what did not come out.
pub fn sweep(
    title: &Title<'_>,
    axes: &[String],
    settings: &[SettingRow],
    campaign: &Campaign,
    judgements: &[Judgement],
    asked: &[Metric],
) -> String {
    let mut out = String::new();
    head(&mut out, title);
    let _ = writeln!(out, "{DIM}{} settings, {} runs{RESET}\n", settings.len(), campaign.runs.len());
    let usual =
        ["ops.success", "get.latency.p99", "put.latency.p99", "get.latency.p999", "put.latency.p999", "stale.fraction"];
    let usual = usual.iter().filter_map(|path| Metric::from_path(path)).filter(|metric| !asked.contains(metric));
    let wanted: Vec<Metric> = asked.iter().cloned().chain(usual).collect();
    let median = |setting: u32, metric: &Metric| {
        let values = campaign.of(setting).filter_map(|run| {
            run.columns.iter().find(|(known, _)| known == metric).and_then(|(_, value)| value.number())
        });
        let values: Vec<f64> = values.collect();
        (!values.is_empty()).then(|| crate::check::evaluate::median(&values))
    };
    let there = |metric: &&Metric| settings.iter().any(|setting| median(setting.number, metric).is_some());
    // More columns than these no terminal holds side by side.
    let wanted: Vec<&Metric> = wanted.iter().filter(there).take(6).collect();
    let mut header = vec!["setting".to_string()];
    header.extend(axes.iter().cloned());
    header.push("seeds".into());
    header.extend(wanted.iter().map(|metric| metric.column()));
    let mut rows = table(&header.iter().map(String::as_str).collect::<Vec<_>>());
    for setting in settings {
        let mut cells = vec![setting.number.to_string()];
        cells.extend(setting.labels.iter().cloned());
        cells.push(campaign.of(setting.number).count().to_string());
        cells.extend(wanted.iter().map(|metric| median(setting.number, metric).map_or("–".into(), brief)));
        rows.add_row(cells);
    }
    out.push_str(&align(&mut rows));
    out.push('\n');
    for run in campaign.runs.iter().filter(|run| run.has_broken_step()) {
        let _ = writeln!(
            out,
            " {RED}✗{RESET} a step of setting {}, seed {} did not come out as expected",
            run.setting, run.seed
        );
    }
    expectations(&mut out, judgements.iter(), true);
    for notice in title.notices {
        let _ = writeln!(out, " {DIM}note: {notice}{RESET}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_brief() {
        assert_eq!([1.713204, 12.34, 0.00449, 123_456.7, 0.0].map(brief), ["1.71", "12.3", "0.0045", "123457", "0"]);
        assert_eq!([1.0, 0.999_999_9, 0.995, 0.0].map(percent), ["100", "99.999", "99.5", "0"]);
    }
}
