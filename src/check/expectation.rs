//! What must come out of a set of runs, as plain values: names of settings and axes are numbers here.

use crate::measure::metrics::{Metric, Unit};
use crate::measure::number::plain;

use super::properties::Property;

/// A comparison with a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BoundKind {
    /// This or more.
    AtLeast,
    /// This or less.
    AtMost,
    /// More than this.
    Above,
    /// Less than this.
    Below,
    /// Exactly this.
    Equals,
    /// Near this, by `within`.
    CloseTo,
}

impl BoundKind {
    /// How a file writes it.
    pub const fn word(self) -> &'static str {
        match self {
            BoundKind::AtLeast => "at_least",
            BoundKind::AtMost => "at_most",
            BoundKind::Above => "above",
            BoundKind::Below => "below",
            BoundKind::Equals => "equals",
            BoundKind::CloseTo => "close_to",
        }
    }
}

/// One bound, in the unit of what is compared.
#[derive(Clone, PartialEq, Debug)]
pub struct Bound {
    /// Which comparison.
    pub kind: BoundKind,
    /// One value for all settings, or one for each point along an axis; `None` skips the point.
    pub values: Vec<Option<f64>>,
}

/// How near `close_to` must come.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Within {
    /// So far in the metric's unit.
    Absolute(f64),
    /// So far as a share of the bound.
    Relative(f64),
    /// So many standard errors of the mean over the seeds.
    StandardErrors(f64),
}

/// Which of the seeds.
#[derive(Clone, Copy, PartialEq, Debug)]
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
    Share(f64),
}

/// How two values become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// This divided by that.
    Ratio,
    /// This less that.
    Difference,
}

/// What a metric is narrowed to, by the names that results know.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Narrow {
    /// A window; `all` if none.
    pub window: Option<String>,
    /// A group of clients.
    pub client: Option<String>,
    /// Nodes; all if none are named.
    pub nodes: Option<Vec<String>>,
    /// A fault.
    pub step: Option<String>,
}

/// One number of one run.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Query {
    /// Which metric.
    pub metric: Metric,
    /// Of what.
    pub narrow: Narrow,
}

/// What a value is compared with.
#[derive(Clone, PartialEq, Debug)]
pub struct Versus {
    /// The other number.
    pub query: Query,
    /// For each of [`Expectation::settings`] the setting it is compared with, if that one is there.
    pub settings: Vec<Option<u32>>,
    /// How.
    pub comparison: Comparison,
}

/// What an expectation is about.
#[derive(Clone, PartialEq, Debug)]
pub enum Subject {
    /// A number.
    Metric {
        /// Which.
        query: Query,
        /// With what it is compared.
        versus: Option<Box<Versus>>,
        /// Its bounds; all of them must hold.
        bounds: Vec<Bound>,
        /// How near `close_to` must come.
        within: Option<Within>,
    },
    /// A property.
    Property {
        /// For each of [`Expectation::settings`], the properties that are asserted there.
        properties: Vec<Vec<Property>>,
        /// Whether it was named `all`.
        is_all: bool,
        /// A violation must be found.
        must_break: bool,
    },
}

/// What must come out.
#[derive(Clone, PartialEq, Debug)]
pub struct Expectation {
    /// About what.
    pub subject: Subject,
    /// The settings that it is about, by number.
    pub settings: Vec<u32>,
    /// For each of them the point along the axis, if bounds are lists; else empty.
    pub points: Vec<u32>,
    /// Of the seeds. `None` is each of them, and one of them where a property must break.
    pub over: Option<Over>,
    /// The row of the ledger that gets the number.
    pub claim: Option<String>,
}

impl Expectation {
    /// The expectation in words, for the setting in this place of [`Expectation::settings`]: `stale.reads equals 1`.
    pub fn text(&self, place: usize) -> String {
        match &self.subject {
            Subject::Property { properties, is_all, must_break } => {
                let name = match (is_all, properties.get(place).and_then(|list| list.first())) {
                    (false, Some(property)) => property.name(),
                    _ => "all properties",
                };
                format!("{name} {}", if *must_break { "breaks" } else { "holds" })
            }
            Subject::Metric { query, versus, bounds, within } => {
                let mut text = query.metric.to_string();
                push_narrow(&mut text, &query.narrow);
                let mut unit = query.metric.unit();
                if let Some(versus) = versus {
                    let word = match versus.comparison {
                        Comparison::Ratio => "over",
                        Comparison::Difference => "less",
                    };
                    if versus.comparison == Comparison::Ratio {
                        unit = Unit::Ratio;
                    }
                    let same = versus.query == *query;
                    let other =
                        if same { "that of the other setting".to_string() } else { versus.query.metric.to_string() };
                    text.push_str(&format!(" {word} {other}"));
                    if !same {
                        push_narrow(&mut text, &versus.query.narrow);
                    }
                }
                let bounds = bounds.iter().filter_map(|bound| {
                    let value = self.bound_at(bound, place)?;
                    let near = match (bound.kind, within) {
                        (BoundKind::CloseTo, Some(Within::Absolute(far))) => format!(" within {}", shown(*far, unit)),
                        (BoundKind::CloseTo, Some(Within::Relative(far))) => format!(" within {}%", plain(far * 100.0)),
                        (BoundKind::CloseTo, Some(Within::StandardErrors(far))) => format!(" within {}se", plain(*far)),
                        _ => String::new(),
                    };
                    Some(format!(" {} {}{near}", bound.kind.word(), shown(value, unit)))
                });
                text.push_str(&bounds.collect::<Vec<_>>().join(" and"));
                match self.over {
                    None | Some(Over::Each) => {}
                    Some(Over::Mean) => text.push_str(", mean over seeds"),
                    Some(Over::Median) => text.push_str(", median over seeds"),
                    Some(Over::Some) => text.push_str(", in some seed"),
                    Some(Over::Share(share)) => text.push_str(&format!(", in {}% of the seeds", plain(share * 100.0))),
                }
                text
            }
        }
    }

    /// A bound's value for the setting in this place.
    pub fn bound_at(&self, bound: &Bound, place: usize) -> Option<f64> {
        match bound.values.as_slice() {
            [one] => *one,
            many => many.get(*self.points.get(place)? as usize).copied().flatten(),
        }
    }
}

fn push_narrow(text: &mut String, narrow: &Narrow) {
    if let Some(window) = &narrow.window {
        text.push_str(&format!(" in {window}"));
    }
    if let Some(client) = &narrow.client {
        text.push_str(&format!(" of {client}"));
    }
    if let Some(nodes) = &narrow.nodes {
        text.push_str(&format!(" at {}", nodes.join(" ")));
    }
    if let Some(step) = &narrow.step {
        text.push_str(&format!(" of {step}"));
    }
}

/// A number with its unit, as people write it.
pub fn shown(value: f64, unit: Unit) -> String {
    // From a second on in seconds.
    if unit == Unit::Ms && value.abs() >= 1_000.0 {
        return format!("{}s", plain(value / 1_000.0));
    }
    let suffix = match unit {
        Unit::Ms => "ms",
        Unit::Bytes => "B",
        Unit::PerSecond => "/s",
        Unit::Count | Unit::Fraction | Unit::PerOp | Unit::Ratio => "",
    };
    format!("{}{suffix}", plain(value))
}
