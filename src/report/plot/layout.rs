//! Where everything of a figure is, in pixels from the upper left corner.

use super::axis::{Room, Ruler, Tick};
use super::font::{fitting, width, wrapped};
use super::labels::Rect;
use super::pen::UNITS;
use crate::report::figure::{Axis, Figure, Mark, Panel, Point, Scale, Series};

/// Width of every figure.
pub const WIDTH: f64 = 960.0;
/// Free on all sides.
pub const MARGIN: f64 = 24.0;
/// Size of the title.
pub const TITLE: f64 = 20.0;
/// Size of the line below it and of the names of axes.
pub const TEXT: f64 = 13.0;
/// Size of ticks, labels and notes.
pub const SMALL: f64 = 12.0;
/// From one line of small text to the next.
pub const LINE: f64 = 17.0;
/// Names of settings are shortened to this.
const NAME_WIDTH: f64 = 260.0;
/// Names of lines are shortened to this.
const END_WIDTH: f64 = 190.0;
/// Height of a name's row on a vertical axis.
const ROW: f64 = 28.0;
/// Rows of names of faults.
const SHADE_ROWS: usize = 3;

/// Where everything is.
pub struct Layout {
    /// Size of the picture.
    pub size: (f64, f64),
    /// Lines of the title.
    pub title: Vec<String>,
    /// Lines below it.
    pub about: Vec<String>,
    /// Series that are named above the panels, and where: the mark's middle; the base line is that of the text.
    pub legend: Vec<(f64, f64, usize, usize)>,
    /// The panels, from the top.
    pub panels: Vec<Place>,
    /// Names of shades: which and where its text begins.
    pub shades: Vec<(usize, f64, f64)>,
    /// Base line of the horizontal axis' name.
    pub x_label: f64,
    /// Lines of the notes and the base line of the first.
    pub notes: (Vec<String>, f64),
}

/// Where a panel is.
pub struct Place {
    /// The area of the data.
    pub area: Rect,
    /// Base line of the name of the vertical axis.
    pub label: f64,
    /// The horizontal axis.
    pub x: Ruler,
    /// The vertical axis.
    pub y: Ruler,
    /// Ticks of the vertical axis.
    pub y_ticks: Vec<Tick>,
}

/// Whether a series is named beside its end rather than above the panels.
pub fn is_named_at_its_end(series: &Series) -> bool {
    matches!(series.mark, Mark::Line | Mark::Step | Mark::Dashed)
}

/// A value of a point and its interval.
type Valued = (f64, Option<(f64, f64)>);

/// What the values on an axis are: those of points, and the ends of intervals.
fn values<'a>(points: impl Iterator<Item = &'a Point>, of: fn(&Point) -> Valued) -> Vec<f64> {
    points
        .flat_map(|point| {
            let (value, interval) = of(point);
            let (low, high) = interval.unwrap_or((value, value));
            [value, low, high]
        })
        .collect()
}

/// The points of a panel.
fn points(panel: &Panel) -> impl Iterator<Item = &Point> {
    panel.series.iter().flat_map(|series| &series.points)
}

/// The values on the vertical axis of a panel. Panels of one axis are drawn to one scale, so that they can be compared.
fn y_values(figure: &Figure, panel: &Panel) -> Vec<f64> {
    let of_one_axis = figure.panels.iter().filter(|other| other.y == panel.y);
    values(of_one_axis.flat_map(points), |point| (point.y, point.y_interval))
}

/// What a bar begins at belongs to the axis.
fn y_axis(panel: &Panel) -> Axis {
    let has_bars = panel.series.iter().any(|series| series.mark == Mark::Bars);
    let least = if has_bars && panel.y.scale == Scale::Linear { panel.y.least.or(Some(0.0)) } else { panel.y.least };
    Axis { least, ..panel.y.clone() }
}

impl Layout {
    /// Of a figure.
    pub fn of(figure: &Figure) -> Layout {
        let inner = WIDTH - 2.0 * MARGIN;
        let title = wrapped(&figure.title, TITLE, inner);
        let about = wrapped(&figure.about, TEXT, inner);
        let mut y = MARGIN + TITLE;
        y += (title.len().max(1) - 1) as f64 * 26.0 + about.len() as f64 * 19.0 + 16.0;
        let left = MARGIN + left_width(figure);
        let right = WIDTH - MARGIN - right_width(figure);
        let (legend, y) = legend(figure, left, y);
        let x_values = values(figure.panels.iter().flat_map(points), |point| (point.x, point.x_interval));
        let x = Ruler::new(&figure.x, &x_values, left, right, x_room(&figure.x));
        let (shades, rows) = shades(figure, &x, right);
        let (mut panels, mut top) = (Vec::new(), y);
        for (number, panel) in figure.panels.iter().enumerate() {
            let label = top + TEXT;
            let above = if number == 0 { rows as f64 * LINE } else { 0.0 };
            let area = Rect { x: left, y: label + 9.0 + above, width: right - left, height: height(figure, panel) };
            let axis = y_axis(panel);
            let before = if axis.least == Some(0.0) { 0.0 } else { 7.0 };
            let room = Room { before, after: 7.0, zeros: (area.height * 0.22).max(28.0) };
            let y_values = y_values(figure, panel);
            let (from, to) = (area.y + area.height, area.y);
            let y = match axis.scale {
                // Names go down.
                Scale::Names(_) => Ruler::new(&axis, &y_values, to, from, Room { before: 4.0, after: 4.0, zeros: 0.0 }),
                _ => Ruler::new(&axis, &y_values, from, to, room),
            };
            let y_ticks = y.ticks(y_apart(&axis, area.height));
            top = area.y + area.height + 16.0;
            panels.push(Place { area, label, x: x.clone(), y, y_ticks });
        }
        let x_label = top - 16.0 + 20.0 + 22.0;
        let notes: Vec<String> = figure.notes.iter().flat_map(|note| wrapped(note, SMALL, inner)).collect();
        let first_note = x_label + 26.0;
        let end = if notes.is_empty() { x_label } else { first_note + (notes.len() - 1) as f64 * LINE };
        let height = (end + MARGIN * 0.75).ceil();
        Layout { size: (WIDTH, height), title, about, legend, panels, shades, x_label, notes: (notes, first_note) }
    }

    /// The size in units of a backend.
    pub fn units(&self) -> (u32, u32) {
        (self.size.0 as u32 * UNITS, self.size.1 as u32 * UNITS)
    }
}

/// Height of a panel's area.
fn height(figure: &Figure, panel: &Panel) -> f64 {
    if let Scale::Names(names) = &panel.y.scale {
        return (names.len() as f64 * ROW + 8.0).max(80.0);
    }
    match figure.panels.len() {
        1 => 420.0,
        2 => 260.0,
        3 => 210.0,
        _ => 120.0,
    }
}

/// Ticks of a vertical axis are about so far from each other.
fn y_apart(axis: &Axis, height: f64) -> f64 {
    match axis.scale {
        Scale::Names(_) => 1.0,
        _ if height < 150.0 => 26.0,
        _ => 36.0,
    }
}

/// Free at both ends of the horizontal axis.
fn x_room(axis: &Axis) -> Room {
    match axis.scale {
        Scale::Names(_) => Room::default(),
        _ => Room {
            before: if axis.least == Some(0.0) { 0.0 } else { 10.0 },
            after: if axis.most.is_some() { 2.0 } else { 10.0 },
            zeros: 34.0,
        },
    }
}

/// Name of a setting, as it is written.
pub fn name_shown(name: &str) -> String {
    fitting(name, SMALL, NAME_WIDTH)
}

/// Name of a line, as it is written.
pub fn end_shown(name: &str) -> String {
    fitting(name, SMALL, END_WIDTH)
}

/// What ticks of vertical axes need.
fn left_width(figure: &Figure) -> f64 {
    let of_panel = |panel: &Panel| {
        let y_values = y_values(figure, panel);
        let (axis, high) = (y_axis(panel), height(figure, panel));
        let ticks = Ruler::new(&axis, &y_values, high, 0.0, Room::default()).ticks(y_apart(&axis, high));
        let texts: Vec<String> = match &panel.y.scale {
            Scale::Names(names) => names.iter().map(|name| name_shown(name)).collect(),
            _ => ticks.into_iter().map(|tick| tick.text).collect(),
        };
        texts.iter().map(|text| width(text, SMALL)).fold(0.0, f64::max)
    };
    figure.panels.iter().map(of_panel).fold(0.0, f64::max) + 10.0
}

/// What names at the ends of lines need.
fn right_width(figure: &Figure) -> f64 {
    let series = figure.panels.iter().flat_map(|panel| &panel.series);
    let named = series.filter(|series| is_named_at_its_end(series) && !series.name.is_empty());
    let widest = named.map(|series| width(&end_shown(&series.name), SMALL)).fold(0.0, f64::max);
    if widest > 0.0 { widest + 12.0 } else { 12.0 }
}

/// Series that have no end to be named at, once each: where, and which of which panel. And what is below.
fn legend(figure: &Figure, left: f64, top: f64) -> (Vec<(f64, f64, usize, usize)>, f64) {
    let mut items = Vec::new();
    let mut seen: Vec<(&str, usize)> = Vec::new();
    let (mut x, mut y) = (left, top + 8.0);
    for (panel_number, panel) in figure.panels.iter().enumerate() {
        // A series that is not pale stands for one of its name that is.
        let mut order: Vec<usize> = (0..panel.series.len()).collect();
        order.sort_by_key(|number| (panel.series[*number].color, panel.series[*number].pale));
        for number in order {
            let series = &panel.series[number];
            let key = (series.name.as_str(), series.color);
            if is_named_at_its_end(series) || series.name.is_empty() || seen.contains(&key) {
                continue;
            }
            seen.push(key);
            let wide = width(&end_shown(&series.name), SMALL) + 22.0;
            if x + wide > WIDTH - MARGIN && x > left {
                (x, y) = (left, y + LINE);
            }
            items.push((x, y, panel_number, number));
            x += wide + 22.0;
        }
    }
    if items.len() < 2 { (Vec::new(), top) } else { (items, y + LINE) }
}

/// Names of shades in rows where they do not overlap, relative to the top of the first panel; and how many rows.
fn shades(figure: &Figure, x: &Ruler, right: f64) -> (Vec<(usize, f64, f64)>, usize) {
    let mut ends: Vec<f64> = Vec::new();
    let mut places = Vec::new();
    for (number, shade) in figure.shades.iter().enumerate() {
        let wide = width(&end_shown(&shade.label), SMALL);
        let from = (x.place(shade.from) + 3.0).min(right - wide);
        let free = (0..SHADE_ROWS).find(|row| ends.get(*row).is_none_or(|end| *end + 6.0 <= from));
        // A name that has no row is not written; the shade is there.
        let Some(row) = free else { continue };
        if row == ends.len() {
            ends.push(0.0);
        }
        ends[row] = from + wide;
        places.push((number, from, row as f64 * LINE + SMALL));
    }
    (places, ends.len())
}
