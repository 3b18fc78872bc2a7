//! Any metric of a sweep against an axis or another metric.

use serde_json::Value as Json;

use super::common::{MOST_NAMES, MOST_PANELS, MOST_SERIES, Setting, Settings, axes, axis, distinct, listed};
use super::common::{lower, metric_axis, metric_label, series, value_label, with_interval};
use super::trade_off::setting_axis;
use crate::report::figure::{Figure, Form, Mark, Panel, Point, Scale};
use crate::report::results::{Row, SweepFiles};
use crate::scenario::errors::nearest;

/// Figures of single metrics that are made without being asked for.
const MOST_OF_EXPECTATIONS: usize = 6;

/// One metric against an axis, or against another metric. A colour is a value on `by`, or on the last other axis; each
/// combination on the remaining axes has a panel.
///
/// # Errors
/// No such metric or axis, with the nearest there is.
pub fn against(sweep: &SweepFiles, y: &str, x: &str, by: Option<&str>) -> Result<Figure, String> {
    let settings = Settings::of(sweep);
    let all_axes = axes(sweep);
    let metrics = metrics(sweep);
    let find_metric = |name: &str| column(&metrics, name);
    let near = |name: &str, known: &[String]| match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => String::new(),
    };
    let Some(y) = find_metric(y) else {
        return Err(format!("no run has a metric `{y}`{}", near(y, &metrics)));
    };
    let is_axis = all_axes.iter().any(|axis| axis == x);
    let x_metric = if is_axis { None } else { find_metric(x) };
    if !is_axis && x_metric.is_none() {
        let known: Vec<String> = all_axes.iter().chain(&metrics).cloned().collect();
        let hint = near(x, &known);
        let hint = if hint.is_empty() { format!("; the axes are {}", all_axes.join(", ")) } else { hint };
        return Err(format!("the sweep has no axis and no metric `{x}`{hint}"));
    }
    if let Some(by) = by.filter(|by| !all_axes.iter().any(|axis| axis == by)) {
        return Err(format!("the sweep has no axis `{by}`; the axes are {}", all_axes.join(", ")));
    }
    let horizontal = match x_metric {
        Some(metric) => Horizontal::Metric(metric),
        None => Horizontal::of_axis(&settings, x),
    };
    Ok(figure(sweep, &settings, &y, &horizontal, by))
}

/// Where the horizontal places come from.
enum Horizontal {
    Metric(String),
    /// An axis of numbers.
    Numbers(String),
    /// An axis of names.
    Names(String, Vec<String>),
    /// Positions on the ring altogether: nodes times an axis.
    Positions(String),
}

impl Horizontal {
    fn of_axis(settings: &Settings, name: &str) -> Horizontal {
        let values = distinct(settings.list.iter().map(|setting| setting.value(name)));
        if values.iter().all(|value| number(value).is_some()) {
            Horizontal::Numbers(name.to_string())
        } else {
            Horizontal::Names(name.to_string(), values)
        }
    }

    /// The axis of the sweep that is used up.
    fn used(&self) -> &str {
        match self {
            Horizontal::Metric(_) => "",
            Horizontal::Numbers(axis) | Horizontal::Names(axis, _) | Horizontal::Positions(axis) => axis,
        }
    }

    fn place(&self, setting: &Setting, row: &Row<'_>) -> Option<(f64, Option<(f64, f64)>)> {
        match self {
            Horizontal::Metric(column) => with_interval(row, column),
            Horizontal::Numbers(axis) => Some((number(setting.value(axis))?, None)),
            Horizontal::Names(axis, names) => {
                let at = names.iter().position(|name| name == setting.value(axis))?;
                Some((at as f64, None))
            }
            Horizontal::Positions(axis) => Some((number(setting.value(axis))? * setting.nodes? as f64, None)),
        }
    }

    fn label(&self) -> String {
        match self {
            Horizontal::Metric(column) => metric_label(column),
            Horizontal::Numbers(axis) | Horizontal::Names(axis, _) => axis.clone(),
            Horizontal::Positions(axis) => format!("Size of the metadata: nodes × {axis}"),
        }
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Numbers over more than a decade have a logarithmic axis.
fn scale_of(values: impl Iterator<Item = f64> + Clone) -> Scale {
    let least = values.clone().fold(f64::INFINITY, f64::min);
    let most = values.fold(0.0, f64::max);
    if least > 0.0 && most / least >= 10.0 { Scale::Log } else { Scale::Linear }
}

fn figure(sweep: &SweepFiles, settings: &Settings, y: &str, x: &Horizontal, by: Option<&str>) -> Figure {
    let others: Vec<String> = settings.axes.iter().filter(|axis| *axis != x.used()).cloned().collect();
    let few = |axis: &&String| distinct(settings.list.iter().map(|one| one.value(axis))).len() <= MOST_SERIES;
    let by = by.map(String::from).or_else(|| others.iter().rev().find(few).cloned()).unwrap_or_default();
    let rest: Vec<String> = others.into_iter().filter(|axis| *axis != by).collect();
    let is_panel_label =
        |setting: &Setting| if rest.is_empty() { String::new() } else { settings.label_on(setting, &rest) };
    let groups: Vec<String> = settings.list.iter().map(is_panel_label).collect();
    let groups = distinct(groups.iter().map(String::as_str));
    let colors = distinct(settings.list.iter().map(|setting| setting.value(&by)));
    let mut notes = Vec::new();
    let mut never = Vec::new();
    let mut panels = Vec::new();
    let is_line = !matches!(x, Horizontal::Metric(_) | Horizontal::Names(..));
    for group in groups.iter().take(MOST_PANELS) {
        let mut drawn = Vec::new();
        for (color, value) in colors.iter().take(MOST_SERIES).enumerate() {
            let mut points = Vec::new();
            for (setting, row) in settings.list.iter().zip(sweep.settings.rows()) {
                if is_panel_label(setting) != *group || setting.value(&by) != value {
                    continue;
                }
                if row.number(y) == Some(f64::INFINITY) {
                    never.push(settings.label(setting));
                }
                if let (Some((x, x_interval)), Some((y, y_interval))) = (x.place(setting, &row), with_interval(&row, y))
                {
                    points.push(Point { x, y, x_interval, y_interval, label: None });
                }
            }
            if points.is_empty() {
                continue;
            }
            if is_line {
                points.sort_by(|a, b| a.x.total_cmp(&b.x));
            }
            let name = if by.is_empty() { String::new() } else { value_label(&by, value) };
            drawn.push(series(name, color, if is_line { Mark::Line } else { Mark::Dots }, points));
        }
        let title = if groups.len() > 1 { group.clone() } else { String::new() };
        panels.push(Panel { title, y: metric_axis(y, Scale::Linear), series: drawn });
    }
    if groups.len() > MOST_PANELS {
        notes.push(format!("Not drawn: {}.", listed(&groups[MOST_PANELS..])));
    }
    if colors.len() > MOST_SERIES {
        notes.push(format!("Not drawn: {by} {}.", listed(&colors[MOST_SERIES..])));
    }
    if !never.is_empty() {
        notes.push(format!("Not by the end of the run with {}.", listed(&never)));
    }
    let all = || panels.iter().flat_map(|panel| &panel.series).flat_map(|series| &series.points);
    let y_scale = if y.ends_with("_ms") { scale_of(all().map(|point| point.y)) } else { Scale::Linear };
    let form = metric_axis(y, Scale::Linear).form;
    let x_axis = match x {
        Horizontal::Metric(column) => metric_axis(column, scale_of(all().map(|point| point.x))),
        Horizontal::Names(_, names) => axis(x.label(), Scale::Names(names.clone()), Form::Plain),
        _ => axis(x.label(), scale_of(all().map(|point| point.x)), Form::Plain),
    };
    for panel in &mut panels {
        panel.y.scale = y_scale.clone();
        // Balance is read against 1, the best there is.
        if y.ends_with(".efficiency") && form == Form::Plain {
            panel.y.most = Some(1.0);
        }
    }
    let lines = if by.is_empty() { String::new() } else { format!(" Colours: {by}.") };
    let place = match x {
        Horizontal::Metric(column) => column.as_str(),
        _ => x.used(),
    };
    Figure {
        name: file_name(&format!("{y}-against-{place}")),
        title: format!("{} against {}", metric_label(y), lower(&x.label())),
        about: settings.about(&(settings.of_medians() + &lines)),
        x: x_axis,
        panels,
        shades: Vec::new(),
        notes,
    }
}

/// A name that any file system takes.
fn file_name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = text.chars().map(plain).collect();
    name.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// The metrics of a sweep: columns with a `.low` beside them.
fn metrics(sweep: &SweepFiles) -> Vec<String> {
    let header = sweep.settings.header();
    header.iter().filter(|name| sweep.settings.has(&format!("{name}.low"))).cloned().collect()
}

/// The column of a metric, whose name need not have its unit.
fn column(metrics: &[String], name: &str) -> Option<String> {
    let names = ["", "_ms", "_bytes", "_per_s"].map(|unit| format!("{name}{unit}"));
    names.into_iter().find(|name| metrics.contains(name))
}

/// A metric of every setting, a row each.
fn by_setting(sweep: &SweepFiles, settings: &Settings, metric: &str) -> Option<Figure> {
    if settings.list.len() < 2 || settings.list.len() > MOST_NAMES {
        return None;
    }
    let mut points = Vec::new();
    let mut never = Vec::new();
    for (at, (setting, row)) in settings.list.iter().zip(sweep.settings.rows()).enumerate() {
        if row.number(metric) == Some(f64::INFINITY) {
            never.push(settings.label(setting));
        }
        if let Some((x, x_interval)) = with_interval(&row, metric) {
            points.push(Point { x, y: at as f64, x_interval, y_interval: None, label: None });
        }
    }
    if points.is_empty() {
        return None;
    }
    let notes =
        if never.is_empty() { Vec::new() } else { vec![format!("Not by the end of the run with {}.", listed(&never))] };
    let names = settings.list.iter().map(|setting| settings.label(setting)).collect();
    let scale = scale_of(points.iter().map(|point| point.x));
    let y = axis(setting_axis(settings), Scale::Names(names), Form::Plain);
    Some(Figure {
        name: file_name(metric),
        title: format!("{} by {}", metric_label(metric), setting_axis(settings)),
        about: settings.about_labelled(&settings.of_medians()),
        x: metric_axis(metric, scale),
        panels: vec![Panel { title: String::new(), y, series: vec![series("", 0, Mark::Dots, points)] }],
        shades: Vec::new(),
        notes,
    })
}

/// Time from the end of the last fault until all replicas agree, by setting.
pub fn convergence(sweep: &SweepFiles) -> Option<Figure> {
    const TIME: &str = "convergence.time_ms";
    let settings = Settings::of(sweep);
    // In a run without writes after a fault there is nothing to agree on.
    let is_some = |row: Row<'_>| row.number(TIME).is_some_and(|time| time > 0.0);
    if !sweep.settings.rows().any(is_some) {
        return None;
    }
    by_setting(sweep, &settings, TIME).map(|figure| Figure {
        name: "convergence".into(),
        title: "Time until all replicas agree".into(),
        ..figure
    })
}

/// Balance of the ring against the size of its metadata (Dynamo, Figure 8).
pub fn balance(sweep: &SweepFiles) -> Option<Figure> {
    const BALANCE: &str = "ring.efficiency";
    const AXIS: &str = "per_node";
    let settings = Settings::of(sweep);
    let is_there = settings.axes.iter().any(|axis| axis == AXIS) && sweep.settings.has(BALANCE);
    let is_numeric = |setting: &Setting| number(setting.value(AXIS)).is_some() && setting.nodes.is_some();
    if !is_there || !settings.list.iter().all(is_numeric) {
        return None;
    }
    let figure = figure(sweep, &settings, BALANCE, &Horizontal::Positions(AXIS.into()), None);
    let title = "Balance of the ring against the size of its metadata (Dynamo, Figure 8)".into();
    Some(Figure { name: "balance".into(), title, ..figure })
}

/// The metrics that the scenario expects something of: against the longest axis of numbers, or by setting if there is
/// none. What another figure shows already is left out.
pub fn of_expectations(sweep: &SweepFiles, others: &[Figure]) -> Vec<Figure> {
    let settings = Settings::of(sweep);
    let metrics = metrics(sweep);
    let expectations = sweep.summary["expect"].as_array().map_or(&[][..], Vec::as_slice);
    let words = expectations.iter().filter_map(|one| Json::as_str(&one["text"])?.split_whitespace().next());
    let is_shown = |metric: &str| {
        let is_drawn = |name: &str| others.iter().any(|figure| figure.name.starts_with(name));
        (is_drawn("trade-off") && (metric.starts_with("stale.") || metric.contains("latency.p999")))
            || (is_drawn("availability") && metric.ends_with(".success"))
            || (is_drawn("balance") && metric == "ring.efficiency")
            || (is_drawn("convergence") && metric == "convergence.time_ms")
    };
    let columns: Vec<String> = words.filter_map(|word| column(&metrics, word)).collect();
    let columns = distinct(columns.iter().map(String::as_str).filter(|column| !is_shown(column)));
    let longest = settings
        .axes
        .iter()
        .map(|axis| (axis, distinct(settings.list.iter().map(|setting| setting.value(axis)))))
        .filter(|(axis, values)| {
            values.len() >= 3 && !["n", "r", "w"].contains(&axis.as_str()) && values.iter().all(|v| number(v).is_some())
        })
        .max_by_key(|(_, values)| values.len());
    let make = |metric: &String| match &longest {
        Some((axis, _)) => {
            let figure = figure(sweep, &settings, metric, &Horizontal::Numbers(axis.to_string()), None);
            figure.panels.iter().any(|panel| !panel.series.is_empty()).then_some(figure)
        }
        None => by_setting(sweep, &settings, metric),
    };
    columns.iter().filter_map(make).take(MOST_OF_EXPECTATIONS).collect()
}
