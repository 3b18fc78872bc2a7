//! How soon a write is seen: the share of reads that are fresh, against the time since the acknowledgement.

use super::common::{MOST_PANELS, MOST_SERIES, Setting, Settings, about_run, axis, distinct, finite, listed, series};
use super::common::{rows_of, value_label};
use crate::report::figure::{Axis, Figure, Form, Mark, Panel, Point, Scale};
use crate::report::results::{Row, RunFiles, SweepFiles};

fn points<'a>(rows: impl Iterator<Item = Row<'a>>) -> Vec<Point> {
    let point = |row: Row<'_>| {
        let interval = Option::zip(finite(&row, "low"), finite(&row, "high"));
        Some(Point {
            x: finite(&row, "after_ms")?,
            y: finite(&row, "fresh")?,
            y_interval: interval,
            ..Point::default()
        })
    };
    rows.filter_map(point).collect()
}

fn figure(about: String, panels: Vec<Panel>, notes: Vec<String>) -> Figure {
    Figure {
        name: "visibility".into(),
        title: "How soon a write is seen".into(),
        about,
        x: axis("Time from the acknowledgement to the read (ms)", Scale::Log, Form::Plain),
        panels,
        shades: Vec::new(),
        notes,
    }
}

fn y() -> Axis {
    Axis { most: Some(1.0), ..axis("Reads that see it", Scale::Linear, Form::Percent) }
}

/// Of one run.
pub fn of_run(run: &RunFiles) -> Option<Figure> {
    let points = points(run.staleness.rows());
    if points.len() < 2 {
        return None;
    }
    let panel = Panel { title: String::new(), y: y(), series: vec![series("", 0, Mark::Line, points)] };
    Some(figure(about_run(run, "Band: 95 % (Wilson)."), vec![panel], Vec::new()))
}

/// A curve a setting, where reads can be stale.
pub fn of_sweep(sweep: &SweepFiles) -> Option<Figure> {
    let settings = Settings::of(sweep);
    let (mut curves, mut always_fresh): (Vec<(&Setting, Vec<Point>)>, Vec<String>) = (Vec::new(), Vec::new());
    for setting in &settings.list {
        let points = points(rows_of(&sweep.staleness, setting));
        if points.is_empty() {
            continue;
        }
        if points.iter().all(|point| point.y == 1.0) {
            always_fresh.push(settings.label(setting));
        } else {
            curves.push((setting, points));
        }
    }
    // One time makes no curve.
    if curves.iter().all(|(_, points)| points.len() < 2) {
        return None;
    }
    let mut notes = Vec::new();
    if !always_fresh.is_empty() {
        notes.push(format!("Every read was fresh with {}.", listed(&always_fresh)));
    }
    let mut panels = Vec::new();
    let split = if curves.len() > MOST_SERIES { settings.axes.first().cloned() } else { None };
    let groups = match &split {
        Some(axis) => distinct(curves.iter().map(|(setting, _)| setting.value(axis))),
        None => vec![String::new()],
    };
    for group in groups.iter().take(MOST_PANELS) {
        let axis = split.as_deref().unwrap_or("");
        let mut own: Vec<&(&Setting, Vec<Point>)> =
            curves.iter().filter(|(setting, _)| split.is_none() || setting.value(axis) == group).collect();
        if own.len() > MOST_SERIES {
            // Those that are furthest from fresh tell most.
            let least = |points: &[Point]| points.iter().map(|point| point.y).fold(f64::INFINITY, f64::min);
            own.sort_by(|a, b| least(&a.1).total_cmp(&least(&b.1)));
            let left: Vec<String> = own.split_off(MOST_SERIES).iter().map(|(one, _)| settings.label(one)).collect();
            notes.push(format!("Not drawn, because more often fresh: {}.", listed(&left)));
        }
        let lines = own.iter().enumerate();
        let lines =
            lines.map(|(color, (setting, points))| series(settings.label(setting), color, Mark::Line, points.clone()));
        let title = if split.is_some() { value_label(axis, group) } else { String::new() };
        panels.push(Panel { title, y: y(), series: lines.collect() });
    }
    if groups.len() > MOST_PANELS {
        notes.push(format!("Not drawn: {}.", listed(&groups[MOST_PANELS..])));
    }
    let about = settings.about_labelled("Reads of all seeds together; band: 95 % (Wilson).");
    Some(figure(about, panels, notes))
}
