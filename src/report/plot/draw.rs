//! Draws a figure with a pen: the same strokes for every backend.

use plotters_backend::DrawingBackend;

use super::font::width;
use super::labels::{Rect, Segment, Side, Wanted, placed};
use super::layout::{
    LINE, Layout, MARGIN, Place, SMALL, TEXT, TITLE, WIDTH, end_shown, is_named_at_its_end, name_shown,
};
use super::pen::{Align, Ink, Pen};
use crate::report::figure::{Figure, Mark, PALETTE, Panel, Point, Scale, Series};

const WHITE: Ink = Ink::solid((255, 255, 255));
const BLACK: Ink = Ink::solid((20, 20, 20));
const GRAY: Ink = Ink::solid((95, 95, 95));
const AXIS: Ink = Ink::solid((120, 120, 120));
const GRID: Ink = Ink::solid((225, 225, 225));
const FINE_GRID: Ink = Ink::solid((242, 242, 242));
const SHADE: Ink = Ink::solid((130, 130, 130)).clear(0.16);

/// Dashes of the colours, so that lines are told apart without them.
const DASHES: [&[f64]; 7] =
    [&[], &[9.0, 4.0], &[3.0, 3.0], &[12.0, 3.0, 3.0, 3.0], &[18.0, 4.0], &[6.0, 2.0, 2.0, 2.0, 2.0, 2.0], &[5.0, 5.0]];

/// Half the width of a dot.
const DOT: f64 = 4.6;
/// Lines with no more points than these show them.
const MOST_DOTS_ON_LINE: usize = 26;

/// Draws all of it.
pub fn figure<Backend: DrawingBackend>(figure: &Figure, layout: &Layout, pen: &mut Pen<Backend>) {
    pen.rectangle((0.0, 0.0), layout.size, WHITE);
    let mut y = MARGIN + TITLE * 0.8;
    for line in &layout.title {
        pen.text(line, (MARGIN, y), Align::Left, TITLE, BLACK);
        y += 26.0;
    }
    y -= 4.0;
    for line in &layout.about {
        pen.text(line, (MARGIN, y), Align::Left, TEXT, GRAY);
        y += 19.0;
    }
    for (x, y, panel, number) in &layout.legend {
        let series = &figure.panels[*panel].series[*number];
        match series.mark {
            Mark::Bars => pen.rectangle((*x, y - 4.0), (x + 10.0, y + 6.0), ink(series)),
            _ => dot(pen, (x + 5.0, *y), series),
        }
        pen.text(&end_shown(&series.name), (x + 16.0, y + 4.5), Align::Left, SMALL, BLACK);
    }
    let last = layout.panels.len().saturating_sub(1);
    for (number, (panel, place)) in figure.panels.iter().zip(&layout.panels).enumerate() {
        shades(figure, layout, place, number == 0, pen);
        frame(panel, place, &figure.x.scale, number == last, pen);
        self::panel(panel, place, pen);
    }
    if let Some(place) = layout.panels.last() {
        let middle = place.area.x + place.area.width / 2.0;
        pen.text(&figure.x.label, (middle, layout.x_label), Align::Middle, TEXT, BLACK);
    }
    let (notes, first) = &layout.notes;
    for (number, note) in notes.iter().enumerate() {
        pen.text(note, (MARGIN, first + number as f64 * LINE), Align::Left, SMALL, GRAY);
    }
}

fn color(series: &Series) -> Ink {
    Ink::solid(PALETTE[series.color % PALETTE.len()])
}

/// The colour of a series as it is drawn.
fn ink(series: &Series) -> Ink {
    if series.pale { color(series).pale(0.5) } else { color(series) }
}

fn shades<Backend: DrawingBackend>(
    figure: &Figure,
    layout: &Layout,
    place: &Place,
    is_first: bool,
    pen: &mut Pen<Backend>,
) {
    let top = if is_first { place.label + 9.0 } else { place.area.y };
    for shade in &figure.shades {
        let (from, to) = (place.x.place(shade.from), place.x.place(shade.to));
        // What lasts no time is seen all the same.
        let to = to.max(from + 1.5);
        pen.rectangle((from, top), (to, place.area.y + place.area.height), SHADE);
    }
    if is_first {
        for (number, x, y) in &layout.shades {
            pen.text(&end_shown(&figure.shades[*number].label), (*x, top + y), Align::Left, SMALL, BLACK);
        }
    }
}

/// Grid, axes, ticks and names.
fn frame<Backend: DrawingBackend>(
    panel: &Panel,
    place: &Place,
    x_scale: &Scale,
    is_last: bool,
    pen: &mut Pen<Backend>,
) {
    let Rect { x: left, y: top, width: wide, height: high } = place.area;
    let (right, bottom) = (left + wide, top + high);
    let x_names = matches!(x_scale, Scale::Names(_));
    let widest_name = match x_scale {
        Scale::Names(names) => names.iter().map(|name| width(&name_shown(name), SMALL)).fold(0.0, f64::max) + 14.0,
        _ => 78.0,
    };
    let x_ticks = place.x.ticks(widest_name);
    if !x_names {
        for tick in &x_ticks {
            let ink = if tick.text.is_empty() { FINE_GRID } else { GRID };
            pen.line(&[(tick.at, top), (tick.at, bottom)], ink, 1.0);
        }
    }
    for tick in &place.y_ticks {
        let ink = if tick.text.is_empty() { FINE_GRID } else { GRID };
        pen.line(&[(left, tick.at), (right, tick.at)], ink, 1.0);
    }
    // The break between zeros and the rest of a logarithmic axis.
    if let Some(at) = place.x.gap() {
        pen.dashes(&[(at, top), (at, bottom)], AXIS, 1.0, &[2.0, 3.0]);
    }
    if let Some(at) = place.y.gap() {
        pen.dashes(&[(left, at), (right, at)], AXIS, 1.0, &[2.0, 3.0]);
    }
    pen.line(&[(left, top), (left, bottom), (right, bottom)], AXIS, 1.0);
    for tick in place.y_ticks.iter().filter(|tick| !tick.text.is_empty()) {
        pen.line(&[(left - 4.0, tick.at), (left, tick.at)], AXIS, 1.0);
        pen.text(&name_shown(&tick.text), (left - 7.0, tick.at + SMALL * 0.36), Align::Right, SMALL, GRAY);
    }
    for tick in x_ticks.iter().filter(|tick| !tick.text.is_empty()) {
        pen.line(&[(tick.at, bottom), (tick.at, bottom + 4.0)], AXIS, 1.0);
        if is_last {
            let text = name_shown(&tick.text);
            let half = width(&text, SMALL) / 2.0;
            let middle = tick.at.min(WIDTH - 4.0 - half).max(4.0 + half);
            pen.text(&text, (middle, bottom + 18.0), Align::Middle, SMALL, GRAY);
        }
    }
    let label = match (panel.title.is_empty(), panel.y.label.is_empty()) {
        (true, _) => panel.y.label.clone(),
        (false, true) => panel.title.clone(),
        (false, false) => format!("{}: {}", panel.title, panel.y.label),
    };
    pen.text(&label, (MARGIN, place.label), Align::Left, TEXT, BLACK);
}

/// The series of a panel and their labels.
fn panel<Backend: DrawingBackend>(panel: &Panel, place: &Place, pen: &mut Pen<Backend>) {
    let dodges = dodges(panel, place);
    let at = |number: usize, point: &Point| {
        let (x, y) = dodges[number];
        (place.x.place(point.x) + x, place.y.place(point.y) + y)
    };
    let mut sight = Sight::default();
    for behind in [true, false] {
        for (number, series) in panel.series.iter().enumerate() {
            let is_behind = matches!(series.mark, Mark::Dashed | Mark::Bars);
            if is_behind == behind {
                let points: Vec<(f64, f64)> = series.points.iter().map(|point| at(number, point)).collect();
                draw(series, &points, dodges[number], place, pen, &mut sight);
            }
        }
    }
    labels(panel, place, &at, &sight, pen);
}

/// Dots of several series in one row stand beside each other.
fn dodges(panel: &Panel, place: &Place) -> Vec<(f64, f64)> {
    let is_dodged = |series: &Series| matches!(series.mark, Mark::Dots | Mark::Bars);
    let count = panel.series.iter().filter(|series| is_dodged(series)).count();
    let mut number = 0.0;
    let mut dodge = |series: &Series| {
        if count < 2 || !is_dodged(series) {
            return (0.0, 0.0);
        }
        let place_in_row = number - (count - 1) as f64 / 2.0;
        number += 1.0;
        let step = |row: f64| (row * 0.8 / count as f64).min(9.0) * place_in_row;
        match (place.x.name_width(), place.y.name_width()) {
            (_, Some(row)) => (0.0, step(row)),
            (Some(column), _) => (step(column), 0.0),
            _ => (0.0, 0.0),
        }
    };
    panel.series.iter().map(&mut dodge).collect()
}

/// What labels should not lie on.
#[derive(Default)]
struct Sight {
    marks: Vec<Rect>,
    lines: Vec<Segment>,
}

fn draw<Backend: DrawingBackend>(
    series: &Series,
    points: &[(f64, f64)],
    dodge: (f64, f64),
    place: &Place,
    pen: &mut Pen<Backend>,
    sight: &mut Sight,
) {
    let ink = ink(series);
    let drawn = || series.points.iter().zip(points).filter(|(point, _)| is_finite(point)).map(|(_, at)| at);
    match series.mark {
        Mark::Line | Mark::Step | Mark::Dashed => {
            for stretch in stretches(&series.points) {
                let own = &points[stretch.clone()];
                let mut line = if series.mark == Mark::Step { stairs(own) } else { own.to_vec() };
                if let (Mark::Step, Some(next), Some(last)) = (series.mark, points.get(stretch.end), own.last()) {
                    line.push((next.0, last.1));
                }
                band(&series.points[stretch], own, place, ink, pen);
                sight.lines.extend(line.windows(2).map(|pair| (pair[0], pair[1])));
                let is_dashed = series.mark == Mark::Dashed;
                let pattern = if is_dashed { &[6.0, 4.0][..] } else { DASHES[series.color % DASHES.len()] };
                pen.dashes(&line, ink, if is_dashed { 1.3 } else { 2.0 }, pattern);
                let is_sparse = own.len() <= MOST_DOTS_ON_LINE && series.mark == Mark::Line;
                if is_sparse || line.len() == 1 {
                    for at in own {
                        small_dot(pen, *at, series);
                    }
                }
            }
        }
        Mark::Bars => {
            let half = place.x.name_width().or(place.y.name_width()).map_or(6.0, |wide| wide * 0.4);
            for at in drawn() {
                if place.y.name_width().is_some() {
                    pen.rectangle((place.x.place(0.0), at.1 - half), (at.0, at.1 + half), ink);
                } else {
                    pen.rectangle((at.0 - half, at.1), (at.0 + half, place.y.place(0.0)), ink);
                }
            }
        }
        Mark::Dots => {
            for (point, at) in series.points.iter().zip(points).filter(|(point, _)| is_finite(point)) {
                intervals(point, *at, dodge, place, ink, pen, sight);
            }
            for at in drawn() {
                dot(pen, *at, series);
                sight.marks.push(Rect::around(*at, 2.0 * DOT + 2.0, 2.0 * DOT + 2.0));
            }
        }
    }
}

/// Whether a point has a place.
fn is_finite(point: &Point) -> bool {
    point.x.is_finite() && point.y.is_finite()
}

/// Stretches of points between those that have no value.
fn stretches(points: &[Point]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut from = None;
    for (at, point) in points.iter().enumerate() {
        match (is_finite(point), from) {
            (true, None) => from = Some(at),
            (false, Some(start)) => {
                found.push(start..at);
                from = None;
            }
            _ => {}
        }
    }
    found.extend(from.map(|start| start..points.len()));
    found
}

/// A value holds until the next.
fn stairs(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut line = Vec::new();
    for pair in points.windows(2) {
        line.extend([pair[0], (pair[1].0, pair[0].1)]);
    }
    line.extend(points.last());
    line
}

/// The intervals of a line as a band.
fn band<Backend: DrawingBackend>(points: &[Point], at: &[(f64, f64)], place: &Place, ink: Ink, pen: &mut Pen<Backend>) {
    if points.len() < 2 || points.iter().all(|point| point.y_interval.is_none()) {
        return;
    }
    let end = |point: &Point, high: bool| {
        let (low_end, high_end) = point.y_interval.unwrap_or((point.y, point.y));
        place.y.place(if high { high_end } else { low_end })
    };
    let over = points.iter().zip(at).map(|(point, at)| (at.0, end(point, true)));
    let under = points.iter().zip(at).rev().map(|(point, at)| (at.0, end(point, false)));
    pen.polygon(&over.chain(under).collect::<Vec<_>>(), ink.clear(0.16));
}

/// Intervals of a dot as bars with ends.
fn intervals<Backend: DrawingBackend>(
    point: &Point,
    at: (f64, f64),
    (dodge_x, dodge_y): (f64, f64),
    place: &Place,
    ink: Ink,
    pen: &mut Pen<Backend>,
    sight: &mut Sight,
) {
    const CAP: f64 = 3.0;
    let mut bar = |from: (f64, f64), to: (f64, f64), cap: (f64, f64)| {
        // One that the dot covers would only blur it.
        if (from.0 - to.0).abs() + (from.1 - to.1).abs() < 2.0 * DOT + 4.0 {
            return;
        }
        pen.line(&[from, to], ink, 1.4);
        for end in [from, to] {
            pen.line(&[(end.0 - cap.0, end.1 - cap.1), (end.0 + cap.0, end.1 + cap.1)], ink, 1.4);
        }
        sight.lines.push((from, to));
    };
    if let Some((low, high)) = point.x_interval {
        bar((place.x.place(low) + dodge_x, at.1), (place.x.place(high) + dodge_x, at.1), (0.0, CAP));
    }
    if let Some((low, high)) = point.y_interval {
        bar((at.0, place.y.place(low) + dodge_y), (at.0, place.y.place(high) + dodge_y), (CAP, 0.0));
    }
}

/// The shape of a colour around the origin: circle, square, triangles, diamond, cross and hexagon.
fn shape(color: usize) -> Vec<(f64, f64)> {
    match color % PALETTE.len() {
        0 => vec![
            (1.0, 0.0),
            (0.924, 0.383),
            (0.707, 0.707),
            (0.383, 0.924),
            (0.0, 1.0),
            (-0.383, 0.924),
            (-0.707, 0.707),
            (-0.924, 0.383),
            (-1.0, 0.0),
            (-0.924, -0.383),
            (-0.707, -0.707),
            (-0.383, -0.924),
            (0.0, -1.0),
            (0.383, -0.924),
            (0.707, -0.707),
            (0.924, -0.383),
        ],
        1 => vec![(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
        2 => vec![(0.0, -1.15), (1.05, 0.8), (-1.05, 0.8)],
        3 => vec![(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
        4 => vec![(0.0, 1.15), (-1.05, -0.8), (1.05, -0.8)],
        5 => {
            let (arm, thin) = (1.15, 0.38);
            vec![
                (-thin, -arm),
                (thin, -arm),
                (thin, -thin),
                (arm, -thin),
                (arm, thin),
                (thin, thin),
                (thin, arm),
                (-thin, arm),
                (-thin, thin),
                (-arm, thin),
                (-arm, -thin),
                (-thin, -thin),
            ]
        }
        _ => vec![(-1.1, 0.0), (-0.55, -0.95), (0.55, -0.95), (1.1, 0.0), (0.55, 0.95), (-0.55, 0.95)],
    }
}

/// A dot; a pale one is hollow.
fn dot<Backend: DrawingBackend>(pen: &mut Pen<Backend>, at: (f64, f64), series: &Series) {
    let scaled = |size: f64| -> Vec<(f64, f64)> {
        shape(series.color).into_iter().map(|(x, y)| (at.0 + x * size, at.1 + y * size)).collect()
    };
    pen.polygon(&scaled(DOT + 1.3), WHITE);
    pen.polygon(&scaled(DOT), ink(series));
    if series.pale {
        pen.polygon(&scaled(DOT - 1.7), WHITE);
    }
}

fn small_dot<Backend: DrawingBackend>(pen: &mut Pen<Backend>, at: (f64, f64), series: &Series) {
    let points: Vec<(f64, f64)> =
        shape(series.color).into_iter().map(|(x, y)| (at.0 + x * 3.2, at.1 + y * 3.2)).collect();
    pen.polygon(&points, ink(series));
}

/// Names at the ends of lines, and labels of points.
fn labels<Backend: DrawingBackend>(
    panel: &Panel,
    place: &Place,
    at: &dyn Fn(usize, &Point) -> (f64, f64),
    sight: &Sight,
    pen: &mut Pen<Backend>,
) {
    let mut texts: Vec<(String, Ink)> = Vec::new();
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut add = |text: String, ink: Ink, at: (f64, f64), side: Side| {
        // Points in one place share a label.
        let is_near = |one: &Wanted| (one.at.0 - at.0).abs() < 2.5 && (one.at.1 - at.1).abs() < 2.5;
        let mate = wanted.iter().zip(&texts).position(|(one, text)| side == one.side && is_near(one) && text.1 == ink);
        let (number, text) = match mate.filter(|_| side == Side::Around) {
            Some(number) => (number, format!("{}, {text}", texts[number].0)),
            None => {
                wanted.push(Wanted { at, size: (0.0, 0.0), side });
                texts.push((String::new(), ink));
                (texts.len() - 1, text)
            }
        };
        wanted[number].size = (width(&text, SMALL) + 2.0, SMALL + 2.0);
        texts[number].0 = text;
    };
    let mut named: Vec<(&str, usize)> = Vec::new();
    for (number, series) in panel.series.iter().enumerate() {
        let key = (series.name.as_str(), series.color);
        if is_named_at_its_end(series) && !series.name.is_empty() && !named.contains(&key) {
            // Of lines that share a name, the one that ends furthest to the right.
            let same = (number..panel.series.len()).filter(|other| {
                let other = &panel.series[*other];
                (other.name.as_str(), other.color) == key
            });
            let ends = same.filter_map(|other| {
                let last = panel.series[other].points.iter().rev().find(|point| is_finite(point))?;
                Some(at(other, last))
            });
            if let Some(end) = ends.max_by(|a, b| a.0.total_cmp(&b.0)) {
                named.push(key);
                add(end_shown(&series.name), color(series), end, Side::Right);
            }
        }
        for point in series.points.iter().filter(|point| is_finite(point)) {
            if let Some(label) = &point.label {
                let ink = if series.pale { GRAY } else { BLACK };
                add(end_shown(label), ink, at(number, point), Side::Around);
            }
        }
    }
    // Names may stand beside the area, but not on the axes or the texts above it.
    let Rect { x, y, width: wide, height } = place.area;
    let bounds = Rect { x: x + 2.0, y: y - 4.0, width: wide + 210.0, height: height + 2.0 };
    let bounds = Rect { width: bounds.width.min(WIDTH - 6.0 - bounds.x), ..bounds };
    // From the top down, so that those that are nudged keep their order.
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (wanted[*a].at, wanted[*b].at);
        a.1.total_cmp(&b.1).then(a.0.total_cmp(&b.0))
    });
    let wanted: Vec<Wanted> = order.iter().map(|number| wanted[*number]).collect();
    let texts: Vec<(String, Ink)> = order.iter().map(|number| texts[*number].clone()).collect();
    let places = placed(&wanted, &sight.marks, &sight.lines, bounds);
    for (rect, wanted) in places.iter().zip(&wanted) {
        let Some(rect) = rect else { continue };
        let near = rect.nearest(wanted.at);
        let (dx, dy) = (near.0 - wanted.at.0, near.1 - wanted.at.1);
        if dx * dx + dy * dy > 11.0 * 11.0 {
            pen.line(&[wanted.at, near], AXIS, 0.8);
        }
    }
    for (rect, (text, ink)) in places.iter().zip(&texts) {
        let Some(rect) = rect else { continue };
        pen.rectangle((rect.x, rect.y + 1.0), (rect.x + rect.width, rect.y + rect.height - 1.0), WHITE.clear(0.75));
        pen.text(text, (rect.x + 1.0, rect.y + SMALL * 0.95), Align::Left, SMALL, *ink);
    }
}
