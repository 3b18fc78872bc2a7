//! What a choice of N, R and W buys and costs: latency, staleness and availability of every setting.

use serde_json::Value as Json;

use super::common::{
    MOST_NAMES, MOST_SERIES, Setting, Settings, as_text, axis, distinct, finite, metric_axis, rows_of,
};
use super::common::{metric_words, series, value_label, with_interval};
use crate::report::figure::{Axis, Figure, Form, Mark, Panel, Point, Scale, Series};
use crate::report::results::SweepFiles;

const STALE: &str = "stale.fraction";
/// More labels than these make nothing clearer: then only settings that nothing beats have one.
const MOST_LABELS: usize = 30;

/// P99.9 of gets against stale reads.
pub fn of_gets(sweep: &SweepFiles) -> Option<Figure> {
    trade_off(sweep, "trade-off-get", "get.latency.p999_ms", "gets")
}

/// P99.9 of puts against stale reads.
pub fn of_puts(sweep: &SweepFiles) -> Option<Figure> {
    trade_off(sweep, "trade-off-put", "put.latency.p999_ms", "puts")
}

fn trade_off(sweep: &SweepFiles, name: &str, latency: &str, ops: &str) -> Option<Figure> {
    let settings = Settings::of(sweep);
    let calm = sweep.summary["frontier"]["window"].as_str().filter(|window| *window != "all");
    let mut placed: Vec<(&Setting, Point)> = Vec::new();
    for (setting, whole) in settings.list.iter().zip(sweep.settings.rows()) {
        let row = match calm {
            Some(window) => rows_of(&sweep.windows, setting).find(|row| row.text("window") == window),
            None => Some(whole),
        };
        if let Some(row) = row
            && let (Some((x, x_interval)), Some((y, y_interval))) =
                (with_interval(&row, latency), with_interval(&whole, STALE))
        {
            let label = Some(settings.label(setting));
            placed.push((setting, Point { x, y, x_interval, y_interval, label }));
        }
    }
    if placed.len() < 2 || placed.iter().all(|(_, point)| point.y == 0.0) {
        return None;
    }
    let best = frontier(&placed.iter().map(|(_, point)| (point.x, point.y)).collect::<Vec<_>>());
    let mut notes = Vec::new();
    let beaten: Box<dyn Fn(usize) -> bool> = match dominated(sweep) {
        Some(dominated) => {
            let of = measures(sweep);
            notes.push(format!("Pale: another setting is nowhere worse and somewhere better, seed by seed, in {of}."));
            let placed: Vec<String> = placed.iter().map(|(setting, _)| setting.number.clone()).collect();
            Box::new(move |at| dominated.contains(&placed[at]))
        }
        None => {
            notes.push("Pale: another setting is as good in both and better in one.".into());
            let best = best.clone();
            Box::new(move |at| !best.contains(&at))
        }
    };
    let few = placed.len() <= MOST_LABELS;
    if !few {
        notes.push("Settings that others beat have no label.".into());
    }
    let color_axis = color_axis(&settings);
    let values = distinct(placed.iter().map(|(setting, _)| setting.value(&color_axis)));
    let mut drawn = vec![stairs(&best.iter().map(|at| (placed[*at].1.x, placed[*at].1.y)).collect::<Vec<_>>())];
    for (color, value) in values.iter().enumerate() {
        // With one axis the labels say it all.
        let is_said = settings.axes.len() < 2;
        let title = if is_said { String::new() } else { value_label(&color_axis, value) };
        for pale in [true, false] {
            let own = (0..placed.len())
                .filter(|at| placed[*at].0.value(&color_axis) == value && beaten(*at) == pale)
                .map(|at| {
                    let point = placed[at].1.clone();
                    if few || !pale { point } else { Point { label: None, ..point } }
                });
            let own: Vec<Point> = own.collect();
            if !own.is_empty() {
                drawn.push(Series { pale, ..series(title.clone(), color, Mark::Dots, own) });
            }
        }
    }
    if best.len() > 1 {
        notes.push("Dashed: nothing lies to the left of it and below.".into());
    }
    if placed.iter().any(|(_, point)| point.y == 0.0) {
        notes.push("0% has a place of its own below the logarithmic axis.".into());
    }
    if calm.is_some() {
        notes.push(
            "Latency is that before the first fault; who fails during one is in the figure of availability.".into(),
        );
    }
    let about = settings.about_labelled(&settings.of_medians());
    Some(Figure {
        name: name.into(),
        title: format!("Latency of {ops} against stale reads"),
        about,
        x: metric_axis(latency, Scale::Log),
        panels: vec![Panel { title: String::new(), y: metric_axis(STALE, Scale::Log), series: drawn }],
        shades: Vec::new(),
        notes,
    })
}

/// N if it varies, else the first axis with few enough values; empty if there is none.
fn color_axis(settings: &Settings) -> String {
    let few = |axis: &&String| distinct(settings.list.iter().map(|one| one.value(axis))).len() <= MOST_SERIES;
    let n = settings.axes.iter().find(|axis| *axis == "n").filter(few);
    n.or_else(|| settings.axes.iter().find(few)).cloned().unwrap_or_default()
}

/// Numbers of the settings that another one beats, as the sweep says.
fn dominated(sweep: &SweepFiles) -> Option<Vec<String>> {
    let list = sweep.summary["frontier"]["dominated"].as_array()?;
    Some(list.iter().map(|one| as_text(&one["setting"])).collect())
}

fn measures(sweep: &SweepFiles) -> String {
    let of = sweep.summary["frontier"]["of"].as_array().map_or(&[][..], Vec::as_slice);
    let names: Vec<&str> = of.iter().filter_map(Json::as_str).collect();
    names.iter().map(|name| metric_words(name)).collect::<Vec<_>>().join(", ")
}

/// Which points nothing beats: no other is as small in both and smaller in one. By growing x, then y; of equal ones the
/// first.
pub fn frontier(points: &[(f64, f64)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (points[*a], points[*b]);
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let mut least = f64::INFINITY;
    let is_new_least = |at: &usize| {
        let is_less = points[*at].1 < least;
        least = least.min(points[*at].1);
        is_less
    };
    order.into_iter().filter(is_new_least).collect()
}

/// The frontier as stairs: to the right at the same height, then down.
fn stairs(best: &[(f64, f64)]) -> Series {
    let mut points = Vec::new();
    for (at, (x, y)) in best.iter().enumerate() {
        if at > 0 {
            points.push(Point { x: *x, y: best[at - 1].1, ..Point::default() });
        }
        points.push(Point { x: *x, y: *y, ..Point::default() });
    }
    series("", MOST_SERIES - 1, Mark::Dashed, points)
}

/// Windows that are no fault's and no phase's.
const OTHER_WINDOWS: [&str; 6] = ["all", "before", "after", "settle", "during", "warmup"];

/// Success of every setting in the window where it is worst.
pub fn availability(sweep: &SweepFiles) -> Option<Figure> {
    let settings = Settings::of(sweep);
    if settings.list.len() < 2 || settings.list.len() > MOST_NAMES {
        return None;
    }
    let ops = [("get", "gets"), ("put", "puts"), ("update", "updates")];
    let is_fault = |window: &str| !OTHER_WINDOWS.contains(&window);
    let windows = distinct(sweep.windows.rows().map(|row| row.text("window")).filter(|window| is_fault(window)));
    let mut drawn: Vec<Series> = Vec::new();
    for (color, (op, name)) in ops.iter().enumerate() {
        let column = format!("{op}.success");
        let mut points = Vec::new();
        for (at, setting) in settings.list.iter().enumerate() {
            let rows = rows_of(&sweep.windows, setting).filter(|row| is_fault(row.text("window")));
            let with_value = rows.filter_map(|row| Some((finite(&row, &column)?, row)));
            let Some((_, row)) = with_value.min_by(|a, b| a.0.total_cmp(&b.0)) else { continue };
            let Some((x, x_interval)) = with_interval(&row, &column) else { continue };
            let place = (x, at as f64);
            let window = row.text("window");
            // Where nearly all succeed it does not matter when the others were.
            let is_worth_it = windows.len() > 1 && x < 0.999 && !is_said(&drawn, place, window);
            let label = is_worth_it.then(|| window.to_string());
            points.push(Point { x, y: at as f64, x_interval, y_interval: None, label });
        }
        if points.is_empty() {
            continue;
        }
        // An update is a put with a get before it: the same points would be drawn twice.
        let is_seen = drawn.iter().any(|series| places(&series.points) == places(&points));
        if !is_seen {
            drawn.push(series(*name, color, Mark::Dots, points));
        }
    }
    if drawn.is_empty() {
        return None;
    }
    let names = settings.list.iter().map(|setting| settings.label(setting)).collect();
    let title = match &windows[..] {
        [one] => format!("Operations that succeed in window {one:?}"),
        _ => "Operations that succeed, in the worst window".to_string(),
    };
    let x = axis("Operations that succeed", Scale::Linear, Form::Percent);
    Some(Figure {
        name: "availability".into(),
        title,
        about: settings.about_labelled(&settings.of_medians()),
        x: Axis { most: Some(1.0), ..x },
        panels: vec![Panel {
            title: String::new(),
            y: axis(setting_axis(&settings), Scale::Names(names), Form::Plain),
            series: drawn,
        }],
        shades: Vec::new(),
        notes: Vec::new(),
    })
}

/// Whether a dot nearby has this label: gets and puts often fail together.
fn is_said(drawn: &[Series], place: (f64, f64), label: &str) -> bool {
    let near = |point: &&Point| point.y == place.1 && (point.x - place.0).abs() < 0.02;
    let points = drawn.iter().flat_map(|series| &series.points);
    points.filter(near).any(|point| point.label.as_deref() == Some(label))
}

fn places(points: &[Point]) -> Vec<(f64, f64)> {
    points.iter().map(|point| (point.x, point.y)).collect()
}

/// What an axis of settings is called.
pub fn setting_axis(settings: &Settings) -> String {
    if settings.are_quorums() { "N/R/W".into() } else { settings.axes.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frontier_is_what_nothing_beats() {
        let points = [(3.0, 1.0), (1.0, 3.0), (2.0, 2.0), (2.0, 3.0), (4.0, 1.0), (1.0, 3.0)];
        assert_eq!(frontier(&points), [1, 2, 0], "(2, 3), (4, 1) and the second (1, 3) are beaten or equal");
        let brute = |at: usize| !points.iter().any(|p| p.0 <= points[at].0 && p.1 <= points[at].1 && *p != points[at]);
        let mut expected: Vec<usize> = (0..points.len()).filter(|at| brute(*at)).collect();
        expected.retain(|at| *at != 5);
        let mut found = frontier(&points);
        found.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn stairs_go_right_then_down() {
        let points = places(&stairs(&[(1.0, 3.0), (2.0, 2.0), (3.0, 0.0)]).points);
        assert_eq!(points, [(1.0, 3.0), (2.0, 3.0), (2.0, 2.0), (3.0, 2.0), (3.0, 0.0)]);
    }
}
