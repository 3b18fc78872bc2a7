//! What a person reads on a terminal when a run or a sweep is over.
//!
//! A text with styles; whoever prints it takes them out where they do not belong. It fits into the columns it is given.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};

use super::expect::Looked;
use super::play::{Campaign, Kept, Played, step_name};
use super::sweep::frontier::Frontier;
use super::tables::SettingRow;
use crate::check::expectation::shown;
use crate::check::{Judgement, Verdict};
use crate::cluster::config::RunConfig;
use crate::measure::metrics::{HintCount, OpKind, Stat, Unit};
use crate::measure::number::plain;
use crate::measure::{Measured, Metric, Scope, Value};

pub(super) const BOLD: &str = "\u{1b}[1m";
pub(super) const DIM: &str = "\u{1b}[2m";
const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";
pub(super) const RESET: &str = "\u{1b}[0m";

/// What stands above the numbers.
#[derive(Clone, Copy, Debug)]
pub struct Title<'a> {
    /// Name of the scenario.
    pub name: &'a str,
    /// One line about it.
    pub about: &'a str,
    /// Things to know.
    pub notices: &'a [String],
    /// Columns of the terminal.
    pub width: usize,
}

/// A number for the eye: three digits that say something, and thousands apart.
pub fn brief(value: f64) -> String {
    let size = value.abs();
    let rounded = match size {
        _ if size >= 100.0 || size == 0.0 => value.round(),
        _ if size >= 10.0 => (value * 10.0).round() / 10.0,
        _ if size >= 1.0 => (value * 100.0).round() / 100.0,
        _ => (value * 10_000.0).round() / 10_000.0,
    };
    if rounded == 0.0 && value != 0.0 {
        return plain(value);
    }
    apart(&plain(rounded))
}

/// Puts commas between the thousands of a number.
fn apart(number: &str) -> String {
    let (whole, rest) = number.find('.').map_or((number, ""), |point| number.split_at(point));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut text = String::from(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}

fn count(number: u64) -> String {
    apart(&number.to_string())
}

/// So many things, in the right number: `1 node`, `1,200 nodes`.
fn things(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A percentage that says 100 only if it is, and 0 only if it is.
fn percent(share: f64) -> String {
    let rounded = (share * 1e4).round() / 1e2;
    match rounded {
        _ if share > 0.0 && rounded == 0.0 => "<0.01%".into(),
        _ if share < 1.0 && rounded == 100.0 => ">99.99%".into(),
        _ => format!("{}%", plain(rounded)),
    }
}

/// Breaks a text into lines of so many columns.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a first");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_string());
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines
}

/// Lines under each other: the first after what begins it, the others as far in.
pub(super) fn paragraph(out: &mut String, begins: &str, indent: usize, text: &str, width: usize, style: &str) {
    for (number, line) in wrapped(text, width.saturating_sub(indent)).iter().enumerate() {
        let left = if number == 0 { begins.to_string() } else { " ".repeat(indent) };
        let (on, off) = if style.is_empty() { ("", "") } else { (style, RESET) };
        let _ = writeln!(out, "{left}{on}{line}{off}");
    }
}

pub(super) fn table(header: &[String]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    table
}

/// The table as text; numbers stand on the right, the first columns on the left.
pub(super) fn align(table: &mut Table, left: usize) -> String {
    for column in table.column_iter_mut().skip(left) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.lines().map(|line| format!(" {}\n", line.trim_end())).collect()
}

/// The settings of a sweep that is planned. A long list is cut.
pub fn plan(header: &[String], rows: &[Vec<String>]) -> String {
    const SHOWN: usize = 40;
    let mut shown = table(header);
    for row in rows.iter().take(SHOWN) {
        shown.add_row(row);
    }
    let more = rows.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("  and {} more\n", things(more as u64, "setting")) } else { String::new() };
    align(&mut shown, header.len()) + &more
}

pub(super) fn head(out: &mut String, title: &Title<'_>) {
    let _ = writeln!(out, "{BOLD}{}{RESET}", title.name);
    if !title.about.is_empty() {
        paragraph(out, "", 0, title.about, title.width, "");
    }
}

pub(super) fn notices<'a>(out: &mut String, all: impl Iterator<Item = &'a String>, width: usize) {
    for notice in all {
        paragraph(out, &format!("  {YELLOW}note{RESET} "), 7, notice, width, DIM);
    }
}

/// One run.
///
/// # Panics
/// If the run kept only its columns.
pub fn run(
    title: &Title<'_>,
    config: &RunConfig,
    run: &Played,
    judgements: &[Judgement],
    properties: &[Looked],
) -> String {
    let measured = run.measured.as_ref().expect("a run is shown with all its numbers");
    let mut out = String::new();
    head(&mut out, title);
    let sessions: u64 =
        config.groups.iter().map(|group| u64::from(group.sessions)).sum::<u64>() + config.scripted.len() as u64;
    let about = [
        things(config.node_names.len() as u64, "node"),
        things(sessions, "session"),
        format!("{} of virtual time", duration(run.end.ended_at.as_ms())),
        things(run.end.events, "event"),
        format!("seed {}", run.seed),
    ];
    paragraph(&mut out, "", 0, &about.join(", "), title.width, DIM);
    operations(&mut out, measured);
    facts(&mut out, config, run, measured);
    steps(&mut out, config, run, title.width);
    let own: Vec<&Judgement> = judgements.iter().filter(|judgement| judgement.setting == run.setting).collect();
    expectations(&mut out, &own, title.width);
    unasserted(&mut out, properties, title.width);
    let mut notes = title.notices.iter().chain(&run.end.notices).peekable();
    if notes.peek().is_some() {
        out.push('\n');
    }
    notices(&mut out, notes, title.width);
    let _ = writeln!(out, "\n{DIM}digest {:032x}{RESET}", run.end.digest);
    out
}

/// A time in the unit that suits it.
pub fn duration(ms: f64) -> String {
    match ms {
        _ if ms == 0.0 => "0 s".into(),
        _ if ms < 1e3 => format!("{} ms", brief(ms)),
        _ if ms < 600e3 => format!("{} s", brief(ms / 1e3)),
        _ if ms < 36_000e3 => format!("{} min", brief(ms / 60e3)),
        _ => format!("{} h", brief(ms / 3_600e3)),
    }
}

fn value(measured: &Measured, metric: Metric) -> Option<f64> {
    measured.value(&metric, &Scope::default()).number()
}

fn operations(out: &mut String, measured: &Measured) {
    let header = ["", "count", "success", "p50 ms", "p99 ms", "p99.9 ms", "max ms"];
    let mut rows = table(&header.map(String::from));
    let (mut any, mut too_few) = (false, false);
    for op in OpKind::ALL.iter().copied().filter(|op| *op != OpKind::Ops) {
        let Some(begun) = value(measured, Metric::Count(op)).filter(|count| *count > 0.0) else { continue };
        any = true;
        let success = value(measured, Metric::Success(op)).map_or("–".into(), percent);
        let latency = [Stat::P50, Stat::P99, Stat::P999, Stat::Max].map(|stat| {
            let value = measured.value(&Metric::Latency(op, stat), &Scope::default());
            too_few |= value == Value::TooFewSamples;
            value.number().map_or("–".into(), brief)
        });
        let mut cells = vec![op.word().to_string(), count(begun as u64), success];
        cells.extend(latency);
        rows.add_row(cells);
    }
    if any {
        let _ = write!(out, "\n{}", align(&mut rows, 1));
    }
    if too_few {
        let _ = writeln!(out, "  {DIM}– too few samples: p50 needs 20, p99 1,000, p99.9 10,000{RESET}");
    }
}

/// What else there is to say, a line each: a word, and numbers.
fn facts(out: &mut String, config: &RunConfig, run: &Played, measured: &Measured) {
    let mut facts: Vec<(String, String)> = Vec::new();
    if let (Some(stale), Some(share)) = (value(measured, Metric::StaleReads), value(measured, Metric::StaleFraction)) {
        let share = if stale > 0.0 { format!(" ({})", percent(share)) } else { String::new() };
        facts.push(("stale reads".into(), format!("{}{share}", brief(stale))));
    }
    if let (Some(mean), Some(max)) =
        (value(measured, Metric::Siblings(Stat::Mean)), value(measured, Metric::Siblings(Stat::Max)))
        && max > 1.0
    {
        facts.push(("versions".into(), format!("{} a read, at most {}", brief(mean), brief(max))));
    }
    let hint = |what: HintCount| value(measured, Metric::Hints(what)).unwrap_or(0.0) as u64;
    if hint(HintCount::Created) > 0 {
        let mut parts = vec![format!("{} stored", count(hint(HintCount::Created)))];
        for what in [HintCount::Delivered, HintCount::Expired, HintCount::Dropped, HintCount::Lost, HintCount::Pending]
        {
            if hint(what) > 0 {
                parts.push(format!("{} {}", count(hint(what)), what.word()));
            }
        }
        if run.end.nodes.iter().map(|stats| stats.hints_delivered).sum::<u64>() < hint(HintCount::Created) {
            parts[0].push_str(" (newer ones replace older)");
        }
        facts.push(("hints".into(), parts.join(", ")));
    }
    if let Some(repairs) = value(measured, Metric::ReadRepairWrites).filter(|repairs| *repairs > 0.0) {
        facts.push(("read repairs".into(), brief(repairs)));
    }
    if let Some(moved) = value(measured, Metric::MovementKeys).filter(|moved| *moved > 0.0) {
        let took = value(measured, Metric::MovementTime).map_or(String::new(), |ms| format!(" in {}", duration(ms)));
        facts.push(("moved".into(), format!("{} copies{took}", brief(moved))));
    }
    for fault in &run.end.faults {
        let to = fault.to.map_or("the end".into(), |to| duration(to.as_ms()));
        let hits = match fault.hits {
            0 => format!("{YELLOW}never bit{RESET}"),
            hits => format!("bit {}", things(hits, "time")),
        };
        let from = duration(fault.from.as_ms());
        facts.push((format!("fault {}", step_name(config, fault.step)), format!("{from} to {to}, {hits}")));
    }
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    if width > 0 {
        out.push('\n');
    }
    for (name, text) in facts {
        let _ = writeln!(out, "  {name:<width$}  {text}");
    }
}

fn steps(out: &mut String, config: &RunConfig, run: &Played, width: usize) {
    let judged = run.end.steps.iter().filter_map(|step| step.broken.as_ref().map(|broken| (step.step, broken)));
    let judged: Vec<_> = judged.collect();
    if judged.is_empty() {
        return;
    }
    out.push('\n');
    let held = judged.iter().filter(|(_, broken)| broken.is_empty());
    let held: Vec<String> = held.map(|(step, _)| step_name(config, *step)).collect();
    if !held.is_empty() {
        let word = if held.len() == 1 { "step" } else { "steps" };
        paragraph(out, &format!("  {GREEN}✓{RESET} "), 4, &format!("{word} {}", held.join(", ")), width, "");
    }
    for (step, broken) in judged.iter().filter(|(_, broken)| !broken.is_empty()) {
        let text = format!("step {}: {}", step_name(config, *step), broken.join("; "));
        paragraph(out, &format!("  {RED}✗{RESET} "), 4, &text, width, "");
    }
}

fn sign(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Held => (GREEN, "✓"),
        Verdict::Broken => (RED, "✗"),
        Verdict::NotJudged => (YELLOW, "?"),
    }
}

/// What a judgement says at the end of its line.
fn outcome(judgement: &Judgement) -> String {
    match judgement.verdict {
        Verdict::Held => judgement.value.map_or(String::new(), |value| seen(value, judgement.unit)),
        Verdict::Broken | Verdict::NotJudged => judgement.because.clone(),
    }
}

fn seen(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Ms => duration(value),
        Unit::Count => brief(value),
        _ => shown(value, unit),
    }
}

/// One line an expectation: sign, text, and what came out, under each other where they fit.
fn expectations(out: &mut String, judgements: &[&Judgement], width: usize) {
    if judgements.is_empty() {
        return;
    }
    out.push('\n');
    let length = |judgement: &&Judgement| judgement.text.chars().count();
    // Where the longest text leaves no room for what came out, that goes to a line of its own.
    let column = judgements.iter().map(length).filter(|length| *length <= width / 2 + 4).max().unwrap_or(0);
    for judgement in judgements {
        let (color, sign) = sign(judgement.verdict);
        let (text, outcome) = (&judgement.text, outcome(judgement));
        let fits = length(judgement) <= column && 4 + column + 2 + outcome.chars().count() <= width;
        let begins = format!("  {color}{sign}{RESET} ");
        if fits {
            let line = format!("{begins}{text:<column$}  {outcome}");
            let _ = writeln!(out, "{}", line.trim_end());
        } else {
            paragraph(out, &begins, 4, text, width, "");
            if !outcome.is_empty() {
                paragraph(out, &" ".repeat(6), 6, &outcome, width, "");
            }
        }
    }
}

/// How many properties that nobody asserts were violated, by name.
fn unasserted(out: &mut String, properties: &[Looked], width: usize) {
    let all = properties.iter().filter(|looked| looked.not_asserted.is_some()).count();
    let violated: Vec<&str> = properties
        .iter()
        .filter(|looked| looked.is_violated_unasserted())
        .map(|looked| looked.property.name())
        .collect();
    if !violated.is_empty() {
        let text =
            format!("{} of {all} properties not asserted were violated: {}", violated.len(), violated.join(", "));
        paragraph(out, &format!("  {DIM}·{RESET} "), 4, &text, width, DIM);
    }
}

/// A sweep: a line a setting with medians over the seeds of what was asked for, then the expectations.
pub fn sweep(
    title: &Title<'_>,
    axes: &[String],
    settings: &[SettingRow],
    campaign: &Campaign,
    judgements: &[Judgement],
    asked: &[Metric],
    frontier: Option<&Frontier>,
) -> String {
    let mut out = String::new();
    head(&mut out, title);
    let seeds = settings.first().map_or(0, |setting| campaign.of(setting.number).len() as u64);
    let about = format!(
        "{}, {} each, {}",
        things(settings.len() as u64, "setting"),
        things(seeds, "seed"),
        things(campaign.runs().len() as u64, "run")
    );
    paragraph(&mut out, "", 0, &about, title.width, DIM);
    out.push('\n');
    medians(&mut out, title, axes, settings, campaign, asked);
    let broken: Vec<&Kept> = campaign.runs().iter().filter(|run| run.has_broken_step).collect();
    for run in &broken {
        let _ = writeln!(
            out,
            "  {RED}✗{RESET} a step of setting {}, seed {} did not come out as expected",
            run.setting, run.seed
        );
    }
    grouped(&mut out, settings, judgements, title.width);
    if let Some(frontier) = frontier {
        compared(&mut out, frontier, title.width);
    }
    if !title.notices.is_empty() {
        out.push('\n');
    }
    notices(&mut out, title.notices.iter(), title.width);
    out
}

/// Which settings no other beats, and what beats the first of the others.
fn compared(out: &mut String, frontier: &Frontier, width: usize) {
    const SHOWN: usize = 3;
    out.push('\n');
    for statement in &frontier.statements {
        paragraph(out, &format!("  {GREEN}▸{RESET} "), 4, statement, width, "");
    }
    for dominated in frontier.dominated.iter().take(SHOWN) {
        paragraph(out, &format!("  {DIM}·{RESET} "), 4, &dominated.text, width, "");
    }
    let more = frontier.dominated.len().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(out, "  {DIM}· {} more in summary.json{RESET}", things(more as u64, "dominated setting"));
    }
    paragraph(out, "    ", 4, &frontier.notes.join("; "), width, DIM);
}

/// A metric's column: its path above its last part and unit.
fn heading(metric: &Metric) -> String {
    let path = metric.to_string();
    let unit = match metric.unit() {
        Unit::Ms => " ms",
        Unit::Bytes => " B",
        Unit::PerSecond => " /s",
        Unit::Count | Unit::Fraction | Unit::PerOp | Unit::Ratio => "",
    };
    match path.rfind('.').filter(|_| !path.contains('(')) {
        Some(dot) => format!("{}\n{}{unit}", &path[..dot], &path[dot + 1..]),
        None => format!("{path}{unit}"),
    }
}

fn widest(cell: &str) -> usize {
    cell.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

fn medians(
    out: &mut String,
    title: &Title<'_>,
    axes: &[String],
    settings: &[SettingRow],
    campaign: &Campaign,
    asked: &[Metric],
) {
    let usual =
        ["ops.success", "get.latency.p99", "put.latency.p99", "get.latency.p999", "put.latency.p999", "stale.fraction"];
    let usual = usual.iter().filter_map(|path| Metric::from_path(path)).filter(|metric| !asked.contains(metric));
    let wanted: Vec<Metric> = asked.iter().cloned().chain(usual).collect();
    let median = |setting: u32, metric: &Metric| {
        let values: Vec<f64> = campaign.of(setting).iter().filter_map(|run| run.number(metric)).collect();
        (!values.is_empty()).then(|| crate::check::evaluate::median(&values))
    };
    let mut header: Vec<String> = vec!["#".into()];
    header.extend(axes.iter().cloned());
    let mut rows: Vec<Vec<String>> = settings
        .iter()
        .map(|setting| {
            let mut row = vec![setting.number.to_string()];
            row.extend(setting.labels.iter().cloned());
            row
        })
        .collect();
    // Two blanks between columns, and one before the first.
    let wide =
        |header: &str, cells: &[String]| cells.iter().map(|cell| widest(cell)).fold(widest(header), usize::max) + 2;
    let column = |place: usize, rows: &[Vec<String>]| rows.iter().map(|row| row[place].clone()).collect::<Vec<_>>();
    let mut used: usize = 1 + (0..header.len()).map(|place| wide(&header[place], &column(place, &rows))).sum::<usize>();
    let mut hidden: u64 = 0;
    for metric in &wanted {
        let values: Vec<Option<f64>> = settings.iter().map(|setting| median(setting.number, metric)).collect();
        if values.iter().all(Option::is_none) {
            continue;
        }
        let cells: Vec<String> = values.iter().map(|value| value.map_or("–".into(), brief)).collect();
        let (name, width) = (heading(metric), wide(&heading(metric), &cells));
        if used + width > title.width {
            hidden += 1;
            continue;
        }
        used += width;
        header.push(name);
        rows.iter_mut().zip(cells).for_each(|(row, cell)| row.push(cell));
    }
    let mut table = table(&header);
    rows.into_iter().for_each(|row| {
        table.add_row(row);
    });
    out.push_str(&align(&mut table, 1 + axes.len()));
    let mut notes: Vec<String> = Vec::new();
    if campaign.runs().len() > settings.len() {
        notes.push("medians over the seeds".into());
    }
    if hidden > 0 {
        notes.push(format!("{} more in summary.csv", things(hidden, "column")));
    }
    if !notes.is_empty() {
        let _ = writeln!(out, "  {DIM}{}{RESET}", notes.join("; "));
    }
}

/// The expectations of a sweep: each once, with how many of its settings came out how, then each setting that did not.
fn grouped(out: &mut String, settings: &[SettingRow], judgements: &[Judgement], width: usize) {
    if judgements.is_empty() {
        return;
    }
    out.push('\n');
    let mut at = 0;
    while let Some(first) = judgements.get(at) {
        let group = judgements[at..].iter().take_while(|judgement| judgement.expectation == first.expectation);
        let group: Vec<&Judgement> = group.collect();
        at += group.len();
        let worst = group.iter().map(|judgement| judgement.verdict).max().expect("a group has a first");
        let of = |verdict: Verdict| group.iter().filter(|judgement| judgement.verdict == verdict).count();
        let (color, mark) = sign(worst);
        let same_text = group.iter().all(|judgement| judgement.text == first.text);
        let counts = match (group.len(), of(Verdict::Held)) {
            (1, _) if same_text => String::new(),
            (all, held) if all == held => format!(": in all {all} settings"),
            (all, held) => format!(": in {held} of {all} settings"),
        };
        let text = if same_text { first.text.clone() } else { format!("{} …", common(&group)) };
        paragraph(out, &format!("  {color}{mark}{RESET} "), 4, &format!("{text}{counts}"), width, "");
        let failed: Vec<&&Judgement> = group.iter().filter(|judgement| judgement.verdict != Verdict::Held).collect();
        // Not judged in all settings for one reason is said once.
        if let Some(one) = failed.first()
            && failed.len() == group.len()
            && failed.iter().all(|judgement| judgement.because == one.because)
        {
            paragraph(out, &" ".repeat(6), 6, &one.because, width, DIM);
            continue;
        }
        const SHOWN: usize = 10;
        for judgement in failed.iter().take(SHOWN) {
            let labels = settings.iter().find(|setting| setting.number == judgement.setting);
            let labels = labels.map_or(String::new(), |setting| setting.labels.join(" "));
            let own = if same_text { String::new() } else { format!("{}: ", judgement.text) };
            let (color, mark) = sign(judgement.verdict);
            let text = format!("#{} {labels}: {own}{}", judgement.setting, judgement.because);
            paragraph(out, &format!("      {color}{mark}{RESET} "), 8, &text, width, "");
        }
        if failed.len() > SHOWN {
            let _ = writeln!(out, "      {DIM}and {} settings more, in summary.csv{RESET}", failed.len() - SHOWN);
        }
    }
}

/// The words with which all texts of a group begin.
fn common(group: &[&Judgement]) -> String {
    let mut words: Vec<&str> = group.first().map_or_else(Vec::new, |first| first.text.split(' ').collect());
    for judgement in group {
        let same = words.iter().zip(judgement.text.split(' ')).take_while(|(mine, theirs)| **mine == *theirs).count();
        words.truncate(same);
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_brief() {
        let numbers = [1.713204, 12.34, 0.00449, 123_456.7, 0.0, -1_234.0, 0.000_004];
        assert_eq!(numbers.map(brief), ["1.71", "12.3", "0.0045", "123,457", "0", "-1,234", "0.000004"]);
        assert_eq!(
            [1.0, 0.999_999_9, 0.995, 0.000_001, 0.0].map(percent),
            ["100%", ">99.99%", "99.5%", "<0.01%", "0%"]
        );
        assert_eq!([0.0, 1.5, 10_000.0, 90_000.0, 1_800e3].map(duration), ["0 s", "1.5 ms", "10 s", "90 s", "30 min"]);
    }

    #[test]
    fn long_texts_are_broken_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        let mut out = String::new();
        paragraph(&mut out, "- ", 2, "one two three", 9, "");
        assert_eq!(out, "- one two\n  three\n");
    }
}
