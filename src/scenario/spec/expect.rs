//! Expectations, measuring, and the axes of a sweep (the format's sections 8 and 9).

use serde_json::{Value as Json, json};

use super::super::containers::{Map, OneOrMany};
use super::super::decode::{Decode, Definitions, object, words, wrong};
use super::super::errors::Errors;
use super::super::json::{Node, Value};
use super::super::names::{Name, Selector};
use super::super::numbers::{Fraction, Seeds};
use crate::kernel::time::Span;

object! {
    /// How results are measured.
    pub struct Measure {
        /// Of the timeline.
        bucket: Span = "1s",
        /// A window of `imbalanced`.
        load_window: Span = "30min",
        /// How far off the mean a node is imbalanced.
        load_tolerance: f64 = 0.15,
        /// Of the keys, until convergence has come.
        converged_share: Fraction = 1.0,
        /// States of a key that a checker may visit.
        check_budget: u64 = 1000000,
        /// Watch replicas and sessions for what properties and some metrics need.
        judge: bool = true,
        /// Write the history of all operations.
        history: bool = false,
    }
}

object! {
    /// What must come out: about a metric or a property.
    pub struct Expectation {
        /// A metric's path.
        metric: Option<String>,
        /// This or more.
        at_least: Option<Bounds>,
        /// This or less.
        at_most: Option<Bounds>,
        /// More than this.
        above: Option<Bounds>,
        /// Less than this.
        below: Option<Bounds>,
        /// Exactly this.
        equals: Option<Bounds>,
        /// Near this, by `within`.
        close_to: Option<Bounds>,
        /// How near: `"2%"`, a value in the metric's unit, or `"4se"`.
        within: Option<Scalar>,
        /// In which window; default: `all`.
        window: Option<Name>,
        /// Of which group.
        client: Option<Name>,
        /// Of which nodes.
        node: Option<Selector>,
        /// Of which fault.
        step: Option<Name>,
        /// Only these settings of the sweep.
        where_ "where": Option<Where>,
        /// Compared with what.
        versus: Option<Versus>,
        /// An axis; bounds may be lists, one value a point.
        along: Option<Name>,
        /// Of the seeds.
        over: Option<Over>,
        /// A property's name, or `all`.
        property: Option<String>,
        /// Whether the property holds.
        must: Option<Must>,
        /// The ledger's row that gets this number.
        claim: Option<String>,
    }
    exactly_one ["metric", "property"];
}

/// Values of a bound: one, or one for each point along an axis (`None` skips).
pub type Bounds = OneOrMany<Option<Scalar>>;

/// Which settings: an axis's value or label, or several of them.
pub type Where = Map<OneOrMany<Scalar>>;

/// A number, a text or a bool.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A number as it was written.
    Number(String),
    /// A text.
    Text(String),
    /// A bool.
    Bool(bool),
}

impl Scalar {
    /// How results and messages write it.
    pub fn label(&self) -> String {
        match self {
            Scalar::Number(text) | Scalar::Text(text) => text.clone(),
            Scalar::Bool(value) => value.to_string(),
        }
    }

    /// Whether both are the same value: numbers by value, so that `1.0` is `1`.
    pub fn same_as(&self, other: &Scalar) -> bool {
        match (self, other) {
            (Scalar::Number(a), Scalar::Number(b)) => {
                a == b || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
            }
            _ => self == other,
        }
    }
}

impl Decode for Scalar {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match &node.value {
            Value::Number(text) => Some(Scalar::Number(text.clone())),
            Value::Text(text) => Some(Scalar::Text(text.clone())),
            Value::Bool(value) => Some(Scalar::Bool(*value)),
            _ => {
                wrong(node, cx, "not a value", "a number, a text, true or false");
                None
            }
        }
    }
    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": ["number", "string", "boolean"] })
    }
}

object! {
    /// What an expectation compares with; what is left out is the same.
    pub struct Versus {
        /// Another metric.
        metric: Option<String>,
        /// Another window.
        window: Option<Name>,
        /// Another group.
        client: Option<Name>,
        /// Other nodes.
        node: Option<Selector>,
        /// Other settings.
        where_ "where": Option<Where>,
        /// How they are compared.
        as_ "as": Comparison = "ratio",
    }
}

words! {
    /// How two values are compared.
    pub enum Comparison {
        /// This divided by that.
        Ratio = "ratio",
        /// This less that.
        Difference = "difference",
    }
}

words! {
    /// Whether a property holds.
    pub enum Must {
        /// No seed may violate it.
        Hold = "hold",
        /// A violation must be found.
        Break = "break",
    }
}

/// Over which seeds an expectation must hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Over {
    /// In each of them.
    Each,
    /// In their mean.
    Mean,
    /// In their median.
    Median,
    /// In at least one.
    Some,
    /// In this share of them.
    Share(Fraction),
}

object! {
    /// A share of the seeds.
    pub struct OverShare {
        /// Which share.
        share: Fraction,
    }
}

impl Decode for Over {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match &node.value {
            Value::Map(_) => OverShare::decode(node, cx).map(|over| Over::Share(over.share)),
            _ => {
                let word = super::super::decode::decode_word(node, &["each", "mean", "median", "some"], cx)?;
                Some(match word {
                    "each" => Over::Each,
                    "mean" => Over::Mean,
                    "median" => Over::Median,
                    _ => Over::Some,
                })
            }
        }
    }
    fn schema(defs: &mut Definitions) -> Json {
        json!({ "oneOf": [{ "enum": ["each", "mean", "median", "some"] }, OverShare::schema(defs)] })
    }
}

object! {
    /// Fields that take several values, and seeds.
    pub struct Sweep {
        /// A count, from `seed` on; or `"1..20"`.
        seeds: Seeds = 1,
        /// All points of all axes are crossed, the last axis fastest.
        axes: Vec<Axis> = [],
    }
}

object! {
    /// Fields that take several values.
    pub struct Axis {
        /// How expectations, columns and plots call it.
        name: Name,
        /// The one field.
        path: Option<String>,
        /// Its values.
        values: Option<Vec<Scalar>>,
        /// Fields that move together.
        points: Option<Vec<Point>>,
    }
    exactly_one ["path", "points"];
    check check_axis;
}

fn check_axis(axis: &Axis, node: &Node, cx: &mut Errors) {
    if axis.path.is_some() != axis.values.is_some() {
        cx.error(&node.origin, "`path` and `values` go together");
    }
    let points = axis.values.as_ref().map(Vec::len).or(axis.points.as_ref().map(Vec::len));
    if points == Some(0) {
        cx.error(&node.origin, "an axis needs at least one point");
    }
}

object! {
    /// A point of an axis.
    pub struct Point {
        /// How it is called.
        label: String,
        /// What it sets: path → value.
        set: Map<Node>,
    }
}
