//! A run over time, with its faults shaded.

use super::common::{about_run, axis, finite, series};
use crate::report::figure::{Axis, Figure, Form, Mark, Panel, Point, Scale, Shade};
use crate::report::results::RunFiles;

/// A panel: what its axis says, the columns and the names of the lines.
struct Strip {
    axis: Axis,
    mark: Mark,
    columns: &'static [(&'static str, &'static str)],
}

fn strips() -> Vec<Strip> {
    let percent = |label: &str, least, most| Axis { least, most, ..axis(label, Scale::Linear, Form::Percent) };
    let count = |label: &str| Axis { least: Some(0.0), ..axis(label, Scale::Linear, Form::Plain) };
    let strip = |axis, mark, columns| Strip { axis, mark, columns };
    vec![
        strip(count("Operations per second"), Mark::Step, &[("ops.rate_per_s", "")]),
        strip(
            axis("P99 (ms)", Scale::Log, Form::Plain),
            Mark::Line,
            &[("get.latency.p99_ms", "get"), ("put.latency.p99_ms", "put")],
        ),
        strip(percent("Success", None, Some(1.0)), Mark::Step, &[("get.success", "get"), ("put.success", "put")]),
        strip(percent("Stale reads", Some(0.0), None), Mark::Step, &[("stale.fraction", "")]),
        strip(count("Hints pending"), Mark::Step, &[("hints.pending", "")]),
        strip(count("Keys whose replicas differ"), Mark::Step, &[("divergent_keys", "")]),
    ]
}

/// Latency, success, staleness, hints and divergence by bucket of time.
pub fn timeline(run: &RunFiles) -> Option<Figure> {
    let end = run.summary["virtual_ms"].as_f64().filter(|end| end.is_finite()).map(|ms| ms / 1e3);
    let mut panels = Vec::new();
    let mut notes = Vec::new();
    for strip in strips() {
        let mut drawn = Vec::new();
        for (color, (column, name)) in strip.columns.iter().enumerate() {
            let mut points: Vec<Point> = run
                .timeline
                .rows()
                .filter_map(|row| {
                    let x = finite(&row, "at_ms")? / 1e3;
                    Some(Point { x, y: finite(&row, column).unwrap_or(f64::NAN), ..Point::default() })
                })
                .collect();
            if points.iter().all(|point| point.y.is_nan()) {
                continue;
            }
            if strip.mark == Mark::Line {
                to_the_middle(&mut points);
            }
            // The last bucket lasts until the end.
            if let (Mark::Step, Some(last), Some(end)) = (strip.mark, points.last().cloned(), end)
                && end > last.x
            {
                points.push(Point { x: end, ..last });
            }
            drawn.push(series(*name, color, strip.mark, points));
        }
        let is_count = strip.axis.least == Some(0.0);
        let all_zero = !drawn.iter().flat_map(|series| &series.points).any(|point| point.y > 0.0);
        if drawn.is_empty() {
            notes.push(format!("No panel {:?}: no bucket has a value.", strip.axis.label));
        } else if is_count && all_zero {
            notes.push(format!("No panel {:?}: always 0.", strip.axis.label));
        } else {
            panels.push(Panel { title: String::new(), y: strip.axis, series: drawn });
        }
    }
    if panels.is_empty() {
        return None;
    }
    if panels.iter().any(|panel| panel.y.label == "P99 (ms)") {
        notes.push("P99 is missing where a bucket has too few operations.".into());
    }
    let x = axis("Virtual time (s)", Scale::Linear, Form::Plain);
    Some(Figure {
        name: "timeline".into(),
        title: "The run over time, faults shaded".into(),
        about: about_run(run, "One value a bucket of time."),
        x: Axis { least: Some(0.0), most: end, ..x },
        panels,
        shades: shades(run, end),
        notes,
    })
}

/// A value of a bucket stands in its middle; points stand at its beginning.
fn to_the_middle(points: &mut [Point]) {
    let begins: Vec<f64> = points.iter().map(|point| point.x).collect();
    let mut half = 0.0;
    for (at, point) in points.iter_mut().enumerate() {
        half = begins.get(at + 1).map_or(half, |next| (next - begins[at]) / 2.0);
        point.x += half;
    }
}

fn shades(run: &RunFiles, end: Option<f64>) -> Vec<Shade> {
    let faults = run.summary["faults"].as_array().map_or(&[][..], Vec::as_slice);
    let one = |fault: &serde_json::Value| {
        let from = fault["from_ms"].as_f64()? / 1e3;
        let to = fault["to_ms"].as_f64().map(|ms| ms / 1e3).or(end).unwrap_or(from);
        Some(Shade { from, to, label: fault["step"].as_str().unwrap_or("fault").to_string() })
    };
    faults.iter().filter_map(one).collect()
}
