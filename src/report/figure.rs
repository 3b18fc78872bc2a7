//! A figure as data: what a reader is shown, before anything is drawn.
//!
//! The pictures of `plot` and the charts of `report` are drawn from the same values.

use serde_json::{Value as Json, json};

/// One figure: panels below each other that share the horizontal axis.
#[derive(Clone, PartialEq, Debug)]
pub struct Figure {
    /// Stem of its files, like `trade-off`.
    pub name: String,
    /// What it shows, as a heading.
    pub title: String,
    /// One line below: of what, how many seeds, what the bars are.
    pub about: String,
    /// The horizontal axis of all panels.
    pub x: Axis,
    /// From top to bottom; at least one.
    pub panels: Vec<Panel>,
    /// Stretches of the horizontal axis that are shaded: faults.
    pub shades: Vec<Shade>,
    /// What a reader must know: what was left out, and why.
    pub notes: Vec<String>,
}

/// Series over one vertical axis.
#[derive(Clone, PartialEq, Debug)]
pub struct Panel {
    /// Written above it; empty where the figure has one panel only.
    pub title: String,
    /// The vertical axis.
    pub y: Axis,
    /// Drawn in order, the last on top.
    pub series: Vec<Series>,
}

/// An axis.
#[derive(Clone, PartialEq, Debug)]
pub struct Axis {
    /// What it counts, with the unit: `P99.9 of gets (ms)`.
    pub label: String,
    /// How values become places.
    pub scale: Scale,
    /// How values are written.
    pub form: Form,
    /// Where it begins, if not at the least value.
    pub least: Option<f64>,
    /// Where it ends, if not at the greatest value.
    pub most: Option<f64>,
}

/// How values become places.
#[derive(Clone, PartialEq, Debug)]
pub enum Scale {
    /// Equal steps.
    Linear,
    /// Equal factors. Zeros have a place of their own, written `0`, before the least value, after a break of the axis.
    Log,
    /// Values 0, 1, 2 … are these names, from the left or from the top.
    Names(Vec<String>),
}

/// How values of an axis are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// As a number.
    Plain,
    /// A fraction as a percentage.
    Percent,
}

/// Points that belong together.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// Written beside it. Series of one colour may share a name: it is written once.
    pub name: String,
    /// Number in the palette (Okabe and Ito 2008), modulo its length. The shape of dots and the dashes of lines follow
    /// it, for readers without colours.
    pub color: usize,
    /// Drawn paler than others: what something else beats.
    pub pale: bool,
    /// How it is drawn.
    pub mark: Mark,
    /// In the order of drawing.
    pub points: Vec<Point>,
}

/// How a series is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// A line through the points; a band if they have intervals.
    Line,
    /// Stairs: a value holds until the next.
    Step,
    /// A dot for each, with bars for intervals.
    Dots,
    /// A bar from zero for each; lies down where the vertical axis has names.
    Bars,
    /// A dashed line behind the others: a frontier, a bound, a published curve.
    Dashed,
}

/// One point.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Point {
    /// Along the horizontal axis.
    pub x: f64,
    /// Along the vertical axis; NaN interrupts a line.
    pub y: f64,
    /// Interval along the horizontal axis.
    pub x_interval: Option<(f64, f64)>,
    /// Interval along the vertical axis.
    pub y_interval: Option<(f64, f64)>,
    /// Written beside it.
    pub label: Option<String>,
}

/// A shaded stretch of the horizontal axis.
#[derive(Clone, PartialEq, Debug)]
pub struct Shade {
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Written into it.
    pub label: String,
}

/// The palette of Okabe and Ito (2008), which people with any kind of colour vision tell apart. Its
/// yellow is left out: it is too light for lines on white.
pub const PALETTE: [(u8, u8, u8); 7] =
    [(0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (0, 0, 0)];

impl Figure {
    /// The same as JSON: fields by their names, `scale` as `"linear"`, `"log"` or a list of names, a missing value as null.
    pub fn to_json(&self) -> Json {
        json!({
            "name": self.name,
            "title": self.title,
            "about": self.about,
            "x": self.x.to_json(),
            "panels": self.panels.iter().map(Panel::to_json).collect::<Vec<_>>(),
            "shades": self.shades.iter()
                .map(|shade| json!({ "from": shade.from, "to": shade.to, "label": shade.label }))
                .collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

impl Panel {
    fn to_json(&self) -> Json {
        json!({ "title": self.title, "y": self.y.to_json(), "series": self.series.iter().map(Series::to_json).collect::<Vec<_>>() })
    }
}

impl Axis {
    fn to_json(&self) -> Json {
        let scale = match &self.scale {
            Scale::Linear => json!("linear"),
            Scale::Log => json!("log"),
            Scale::Names(names) => json!(names),
        };
        let form = match self.form {
            Form::Plain => "plain",
            Form::Percent => "percent",
        };
        json!({ "label": self.label, "scale": scale, "form": form, "least": self.least, "most": self.most })
    }
}

impl Series {
    fn to_json(&self) -> Json {
        let mark = match self.mark {
            Mark::Line => "line",
            Mark::Step => "step",
            Mark::Dots => "dots",
            Mark::Bars => "bars",
            Mark::Dashed => "dashed",
        };
        let points = self.points.iter().map(|point| {
            json!({
                "x": point.x, "y": point.y,
                "x_interval": point.x_interval.map(|(low, high)| [low, high]),
                "y_interval": point.y_interval.map(|(low, high)| [low, high]),
                "label": point.label,
            })
        });
        let points = points.collect::<Vec<_>>();
        json!({ "name": self.name, "color": self.color, "pale": self.pale, "mark": mark, "points": points })
    }
}
