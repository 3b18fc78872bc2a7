//! The settings of a sweep: all points of all axes crossed, the last axis fastest.

use std::sync::Arc;

use serde_json::Value as Json;

use super::errors::Errors;
use super::json::{Node, Origin, Value};
use super::paths;
use super::spec::{Axis, Scalar, Spec, Sweep};

/// More settings than anyone means.
pub const MAX_SETTINGS: u64 = 10_000;

/// The value or label of one axis in a setting.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisValue {
    /// The axis.
    pub axis: String,
    /// The point's value, or its label as a text.
    pub value: Scalar,
}

/// One combination of points.
#[derive(Clone, Debug, PartialEq)]
pub struct Combination {
    /// One value an axis, in the order of the axes.
    pub values: Vec<AxisValue>,
    /// The scenario with all of them set.
    pub tree: Node,
}

/// How a combination is spoken of: `n=3, r=2`.
pub fn describe(values: &[AxisValue]) -> String {
    values.iter().map(|value| format!("{}={}", value.axis, value.value.label())).collect::<Vec<_>>().join(", ")
}

/// The values or labels of an axis, in order.
pub fn points_of(axis: &Axis) -> Vec<Scalar> {
    match (&axis.values, &axis.points) {
        (Some(values), _) => values.clone(),
        (None, Some(points)) => points.iter().map(|point| Scalar::Text(point.label.clone())).collect(),
        (None, None) => Vec::new(),
    }
}

/// How many combinations a sweep has.
pub fn size(sweep: &Sweep) -> u64 {
    sweep.axes.iter().fold(1u64, |size, axis| size.saturating_mul(points_of(axis).len() as u64))
}

/// Checks the axes themselves: names, and points that differ.
pub fn check_axes(spec: &Spec, tree: &Node, cx: &mut Errors) {
    let axes = &spec.sweep.axes;
    for (number, axis) in axes.iter().enumerate() {
        let path = format!("sweep.axes.{}", axis.name);
        let origin = paths::nearest_place(tree, &path);
        if axes[..number].iter().any(|earlier| earlier.name == axis.name) {
            cx.error_at(path.clone(), origin, format!("two axes have the name {:?}", axis.name.0));
        }
        let points = points_of(axis);
        for (at, point) in points.iter().enumerate() {
            if points[..at].iter().any(|earlier| earlier.same_as(point)) {
                cx.error_at(path.clone(), origin, format!("two points are called {:?}", point.label()));
            }
        }
    }
    let size = size(&spec.sweep);
    if size > MAX_SETTINGS {
        let origin = paths::nearest_place(tree, "sweep.axes");
        cx.error_at("sweep.axes".into(), origin, format!("{size} combinations (allowed at most {MAX_SETTINGS})"));
    }
    let runs = size.saturating_mul(spec.sweep.seeds.count());
    if runs > 1 << 32 {
        let origin = paths::nearest_place(tree, "sweep.seeds");
        cx.error_at("sweep.seeds".into(), origin, format!("{runs} runs (allowed at most 2^32)"));
    }
    let base = spec.seed.0;
    if let super::spec::Seeds::Count(count) = spec.sweep.seeds
        && base.checked_add(count - 1).is_none()
    {
        let origin = paths::nearest_place(tree, "sweep.seeds");
        cx.error_at("sweep.seeds".into(), origin, format!("{count} seeds from {base} on go beyond 2^64−1"));
    }
}

/// Number `number` of the combinations. `None` if a path leads nowhere, which is said to `cx`.
pub fn combination(number: u64, sweep: &Sweep, tree: &Node, schema: &Json, cx: &mut Errors) -> Option<Combination> {
    let mut tree = tree.clone();
    let mut values = Vec::with_capacity(sweep.axes.len());
    let mut complete = true;
    let mut stride = size(sweep);
    for axis in &sweep.axes {
        let points = points_of(axis);
        stride /= points.len().max(1) as u64;
        let at = (number / stride.max(1)) as usize % points.len().max(1);
        let value = points.get(at)?.clone();
        let shown = match &value {
            Scalar::Text(text) => format!("{text:?}"),
            other => other.label(),
        };
        let origin = Origin::Point { axis: Arc::from(axis.name.0.as_str()), point: shown.into() };
        for (path, node) in settings_of(axis, at, &value, &origin) {
            if let Err(message) = paths::set(&mut tree, path, node, schema) {
                cx.error_at(path.to_string(), &origin, message);
                complete = false;
            }
        }
        values.push(AxisValue { axis: axis.name.to_string(), value });
    }
    complete.then_some(Combination { values, tree })
}

/// What a point sets.
fn settings_of<'a>(axis: &'a Axis, at: usize, value: &Scalar, origin: &Origin) -> Vec<(&'a str, Node)> {
    if let (Some(path), Some(_)) = (&axis.path, &axis.values) {
        let node = match value {
            Scalar::Number(text) => Value::Number(text.clone()),
            Scalar::Text(text) => Value::Text(text.clone()),
            Scalar::Bool(value) => Value::Bool(*value),
        };
        return vec![(path.as_str(), Node::new(node, origin.clone()))];
    }
    let point = axis.points.as_ref().and_then(|points| points.get(at));
    point.into_iter().flat_map(|point| point.set.iter()).map(|(path, node)| (path, node.moved_to(origin))).collect()
}
