//! Latencies as the share of operations that are slower: the tail is what is seen.

use super::common::{MOST_PANELS, MOST_SERIES, Setting, Settings, about_run, axis, distinct, finite, listed, series};
use super::common::{rows_of, value_label};
use crate::report::figure::{Figure, Form, Mark, Panel, Point, Scale};
use crate::report::results::{Row, RunFiles, SweepFiles};

const OPERATIONS: [(&str, &str); 3] = [("get", "gets"), ("put", "puts"), ("update", "updates")];

/// The quantiles of one kind of operation that succeeded; those without enough samples are left out.
fn points<'a>(rows: impl Iterator<Item = Row<'a>>, op: &str) -> Vec<Point> {
    let own = rows.filter(|row| row.text("op") == op && row.text("outcome") == "ok");
    let point = |row: Row<'_>| {
        let slower = 1.0 - finite(&row, "quantile")?;
        let x = finite(&row, "latency_ms")?;
        // Nothing is slower than the slowest: it has no place on this axis.
        (slower > 1e-9).then_some(Point { x, y: slower, ..Point::default() })
    };
    own.filter_map(point).collect()
}

fn figure(name: &str, title: String, about: String, panels: Vec<Panel>, notes: Vec<String>) -> Figure {
    Figure {
        name: name.into(),
        title,
        about,
        x: axis("Latency (ms)", Scale::Log, Form::Plain),
        panels,
        shades: Vec::new(),
        notes,
    }
}

/// All kinds of operations of one run.
pub fn of_run(run: &RunFiles) -> Option<Figure> {
    let lines = OPERATIONS.iter().enumerate().filter_map(|(color, (op, name))| {
        let points = points(run.latency.rows(), op);
        (!points.is_empty()).then(|| series(*name, color, Mark::Line, points))
    });
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        return None;
    }
    let y = axis("Operations that are slower", Scale::Log, Form::Percent);
    let panel = Panel { title: String::new(), y, series: lines };
    let about = about_run(run, "Operations that succeeded; a line ends where fewer than ten are slower.");
    Some(figure("latency", "Latency, and how many operations take longer".into(), about, vec![panel], Vec::new()))
}

/// Gets by setting.
pub fn of_gets(sweep: &SweepFiles) -> Option<Figure> {
    of_sweep(sweep, 0, "r")
}

/// Puts by setting.
pub fn of_puts(sweep: &SweepFiles) -> Option<Figure> {
    of_sweep(sweep, 1, "w")
}

/// Updates by setting.
pub fn of_updates(sweep: &SweepFiles) -> Option<Figure> {
    of_sweep(sweep, 2, "w")
}

/// Up to seven settings have a line each. Of more, a panel has those of one value on one axis, and lines of one value on
/// another have one colour: `by` if it is an axis.
fn of_sweep(sweep: &SweepFiles, kind: usize, by: &str) -> Option<Figure> {
    let (op, name) = OPERATIONS[kind];
    let settings = Settings::of(sweep);
    let curves: Vec<(&Setting, Vec<Point>)> = settings
        .list
        .iter()
        .map(|setting| (setting, points(rows_of(&sweep.latency, setting), op)))
        .filter(|(_, points)| !points.is_empty())
        .collect();
    if curves.is_empty() {
        return None;
    }
    let y = || axis(format!("{} that are slower", capital(name)), Scale::Log, Form::Percent);
    let mut notes = Vec::new();
    let mut panels = Vec::new();
    const ABOUT: &str = "Operations of all seeds together that succeeded.";
    let about = if curves.len() <= MOST_SERIES { settings.about_labelled(ABOUT) } else { settings.about(ABOUT) };
    if curves.len() <= MOST_SERIES {
        let lines = curves.into_iter().enumerate();
        let lines = lines.map(|(color, (setting, points))| series(settings.label(setting), color, Mark::Line, points));
        panels.push(Panel { title: String::new(), y: y(), series: lines.collect() });
    } else {
        let is_axis = |axis: &str| settings.axes.iter().any(|known| known == axis);
        let last = settings.axes.last().map_or("", String::as_str);
        let by = if is_axis(by) { by } else { last };
        let rest = settings.axes.iter().find(|axis| *axis != by).map_or("", String::as_str);
        let panel_axis = if by != "n" && is_axis("n") { "n" } else { rest };
        let groups = distinct(curves.iter().map(|(setting, _)| setting.value(panel_axis)));
        let colors = thinned(distinct(curves.iter().map(|(setting, _)| setting.value(by))), &mut notes);
        for group in groups.iter().take(MOST_PANELS) {
            let mut lines = Vec::new();
            for (color, value) in colors.iter().enumerate() {
                let own = |setting: &Setting| setting.value(panel_axis) == group && setting.value(by) == value;
                let own = curves.iter().filter(|(setting, _)| own(setting));
                lines.extend(own.map(|(_, points)| series(value_label(by, value), color, Mark::Line, points.clone())));
            }
            let title = if panel_axis.is_empty() { String::new() } else { value_label(panel_axis, group) };
            panels.push(Panel { title, y: y(), series: lines });
        }
        if groups.len() > MOST_PANELS {
            notes.push(format!("Not drawn: {}.", listed(&groups[MOST_PANELS..])));
        }
        if settings.axes.len() > 2 {
            notes.push(format!("Lines of one colour are settings that differ in other axes than {by}."));
        }
    }
    let title = format!("Latency of {name}, and how many take longer");
    Some(figure(&format!("latency-{op}"), title, about, panels, notes))
}

/// As many of the values as there are colours, evenly spread with both ends.
fn thinned(values: Vec<String>, notes: &mut Vec<String>) -> Vec<String> {
    if values.len() <= MOST_SERIES {
        return values;
    }
    let last = values.len() - 1;
    let kept: Vec<String> = (0..MOST_SERIES).map(|at| values[at * last / (MOST_SERIES - 1)].clone()).collect();
    let left: Vec<String> = values.into_iter().filter(|value| !kept.contains(value)).collect();
    notes.push(format!("Not drawn: {}.", listed(&left)));
    kept
}

fn capital(text: &str) -> String {
    text.get(..1).map_or(String::new(), |first| first.to_uppercase() + &text[1..])
}
