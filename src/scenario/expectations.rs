//! What must come out, understood: metrics and properties by name, bounds in their units, and the
//! settings of the sweep that each expectation speaks of.

use super::Setting;
use super::Skipped;
use super::containers::OneOrMany;
use super::errors::{Errors, suggestion};
use super::json::Node;
use super::paths;
use super::properties::Standing;
use super::spec::*;
use super::sweep::{AxisValue, describe, points_of};
use crate::check::Property;
use crate::check::expectation::{BoundKind, Within};
use crate::measure::metrics::{Metric, Narrowing, Unit};

/// Bounds with their values: one, or one for each point along the axis (`None` skips).
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedBound {
    /// Which comparison.
    pub kind: BoundKind,
    /// The values, in milliseconds, bytes, or as they are.
    pub values: OneOrMany<Option<f64>>,
}

/// What a metric's path, bounds and nearness come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The metric.
    pub metric: Metric,
    /// With what it is compared, if that is another metric.
    pub versus: Option<Metric>,
    /// The bounds.
    pub bounds: Vec<ResolvedBound>,
    /// How near `close_to` must come.
    pub within: Option<Within>,
}

/// The bounds of an expectation by kind.
fn bounds_of(expectation: &Expectation) -> [(&'static str, BoundKind, &Option<Bounds>); 6] {
    [
        ("at_least", BoundKind::AtLeast, &expectation.at_least),
        ("at_most", BoundKind::AtMost, &expectation.at_most),
        ("above", BoundKind::Above, &expectation.above),
        ("below", BoundKind::Below, &expectation.below),
        ("equals", BoundKind::Equals, &expectation.equals),
        ("close_to", BoundKind::CloseTo, &expectation.close_to),
    ]
}

/// Understands an expectation about a metric; `None` for one about a property.
///
/// # Errors
/// Field and reason of what is wrong.
pub fn resolve(expectation: &Expectation) -> Result<Option<Resolved>, Vec<(String, String)>> {
    let Some(path) = &expectation.metric else { return Ok(None) };
    let mut wrong: Vec<(String, String)> = Vec::new();
    let metric = Metric::parse(path).map_err(|message| vec![("metric".to_string(), message)])?;
    let mut unit = metric.unit();
    let mut other = None;
    if let Some(versus) = &expectation.versus {
        if let Some(path) = &versus.metric {
            match Metric::parse(path) {
                Ok(metric) => other = Some(metric),
                Err(message) => wrong.push(("versus.metric".into(), message)),
            }
        }
        match versus.as_ {
            Comparison::Ratio => unit = Unit::Ratio,
            Comparison::Difference if other.as_ref().is_some_and(|other| other.unit() != unit) => {
                wrong.push(("versus.metric".into(), "a difference needs two metrics of one unit".into()));
            }
            Comparison::Difference => {}
        }
    }
    let mut bounds = Vec::new();
    for (name, kind, bound) in bounds_of(expectation) {
        let Some(bound) = bound else { continue };
        let parse = |value: &Option<Scalar>| value.as_ref().map(|value| unit.parse(value)).transpose();
        let values = match bound {
            OneOrMany::One(value) => parse(value).map(OneOrMany::One),
            OneOrMany::Many(values) => values.iter().map(parse).collect::<Result<_, _>>().map(OneOrMany::Many),
        };
        match values {
            Ok(values) => bounds.push(ResolvedBound { kind, values }),
            Err(message) => wrong.push((name.into(), message)),
        }
    }
    if bounds.is_empty() && wrong.is_empty() {
        let names = bounds_of(expectation).map(|(name, ..)| name).join(", ");
        wrong.push((String::new(), format!("an expectation about a metric needs a bound: one of {names}")));
    }
    let within = expectation
        .within
        .as_ref()
        .and_then(|within| parse_within(within, unit).map_err(|message| wrong.push(("within".into(), message))).ok());
    match (&expectation.close_to, &expectation.within) {
        (Some(_), None) => {
            wrong.push(("close_to".into(), "needs `within`: \"2%\", a value in the metric's unit, or \"4se\"".into()))
        }
        (None, Some(_)) => wrong.push(("within".into(), "goes with `close_to`".into())),
        _ => {}
    }
    if matches!(within, Some(Within::StandardErrors(_))) && expectation.over != Some(Over::Mean) {
        wrong.push(("within".into(), "standard errors need `over`: \"mean\"".into()));
    }
    if wrong.is_empty() { Ok(Some(Resolved { metric, versus: other, bounds, within })) } else { Err(wrong) }
}

fn parse_within(within: &Scalar, unit: Unit) -> Result<Within, String> {
    if let Scalar::Text(text) = within {
        for (suffix, factor) in [("%", 0.01), ("se", 1.0)] {
            if let Some((number, "")) = text.strip_suffix(suffix).and_then(super::decimal::Decimal::split) {
                let number = number.to_f64() * factor;
                return Ok(if suffix == "%" { Within::Relative(number) } else { Within::StandardErrors(number) });
            }
        }
    }
    let value = unit.parse(within)?;
    if value < 0.0 { Err("must not be negative".into()) } else { Ok(Within::Absolute(value)) }
}

/// Whether a setting is one of those that `condition` names.
pub fn matches(values: &[AxisValue], condition: Option<&Where>) -> bool {
    condition.into_iter().flat_map(Map::iter).all(|(axis, wanted)| {
        let value = values.iter().find(|value| value.axis == axis);
        value.is_some_and(|value| wanted.as_slice().iter().any(|wanted| same_label(wanted, &value.value)))
    })
}

/// Whether a value of `where` names a point: the same value, or its label.
fn same_label(wanted: &Scalar, point: &Scalar) -> bool {
    wanted.same_as(point) || matches!((wanted, point), (Scalar::Text(a), Scalar::Text(b)) if a == b)
}

/// The setting that `values` is compared with: the same but for what `versus` names.
pub fn counterpart<'a>(values: &[AxisValue], versus: &Versus, settings: &'a [Setting]) -> Option<&'a Setting> {
    settings.iter().find(|setting| {
        setting.values.iter().zip(values).all(|(there, here)| {
            match versus.where_.as_ref().and_then(|condition| condition.get(&there.axis)) {
                Some(wanted) => wanted.as_slice().iter().any(|wanted| same_label(wanted, &there.value)),
                None => there == here,
            }
        })
    })
}

struct Checker<'a> {
    tree: &'a Node,
    cx: &'a mut Errors,
    number: usize,
}

impl Checker<'_> {
    fn fail(&mut self, field: &str, message: String) {
        let path = format!("expect.{}", self.number);
        let path = if field.is_empty() { path } else { format!("{path}.{field}") };
        let origin = paths::nearest_place(self.tree, &path).clone();
        self.cx.error_at(path, &origin, message);
    }
}

/// Checks all expectations against the vocabulary, the axes and the settings.
pub fn check(base: &Spec, tree: &Node, settings: &[Setting], skipped: &[Skipped], cx: &mut Errors) {
    let all_judged = settings.iter().all(|setting| setting.spec.measure.judge);
    for (number, expectation) in numbered(tree, &base.expect) {
        let mut checker = Checker { tree, cx, number };
        if !all_judged {
            check_needs_no_judge(&mut checker, expectation);
        }
        if let Err(wrong) = resolve(expectation) {
            wrong.into_iter().for_each(|(field, message)| checker.fail(&field, message));
        }
        match &expectation.property {
            Some(name) => check_property(&mut checker, name, expectation, settings),
            None => check_narrowing(&mut checker, expectation),
        }
        check_along(&mut checker, base, expectation);
        let versus = expectation.versus.as_ref();
        let mut known = check_where(&mut checker, base, "where", expectation.where_.as_ref());
        known &= check_where(&mut checker, base, "versus.where", versus.and_then(|versus| versus.where_.as_ref()));
        if known {
            check_settings(&mut checker, expectation, settings, skipped);
        }
    }
}

/// Members of a list with their numbers in the file: a `null` takes a member out of the typed list.
pub fn numbered<'a, T>(tree: &Node, list: &'a [T]) -> Vec<(usize, &'a T)> {
    let numbers: Vec<usize> = match tree.get("expect").map(|node| &node.value) {
        Some(super::json::Value::List(nodes)) => {
            (0..nodes.len()).filter(|at| nodes[*at].value != super::json::Value::Null).collect()
        }
        _ => (0..list.len()).collect(),
    };
    numbers.into_iter().zip(list).collect()
}

/// Without a judge nobody knows what replicas hold and sessions have seen.
fn check_needs_no_judge(checker: &mut Checker<'_>, expectation: &Expectation) {
    let of_judge =
        |path: &Option<String>| path.as_deref().and_then(Metric::from_path).is_some_and(|metric| metric.is_judged());
    let versus = expectation.versus.as_ref().is_some_and(|versus| of_judge(&versus.metric));
    let fields = [
        ("metric", of_judge(&expectation.metric)),
        ("versus.metric", versus),
        ("property", expectation.property.is_some()),
    ];
    for (field, asked) in fields {
        if asked {
            checker.fail(field, "needs a judge, and `measure.judge` is false".into());
        }
    }
}

fn check_narrowing(checker: &mut Checker<'_>, expectation: &Expectation) {
    if expectation.must.is_some() {
        checker.fail("must", "goes with `property`".into());
    }
    let Some(metric) = expectation.metric.as_deref().and_then(Metric::from_path) else { return };
    let narrowed = [
        ("client", expectation.client.is_some(), Narrowing::Client, "operations, staleness, sessions and siblings"),
        ("node", expectation.node.is_some(), Narrowing::Node, "load, hints, queues and detection"),
        ("step", expectation.step.is_some(), Narrowing::Step, "faults.hits"),
    ];
    for (field, given, scope, of) in narrowed {
        // A node also narrows what its own background work did.
        if given && metric.narrowing() != scope {
            checker.fail(field, format!("`{metric}` is not measured by {field} (allowed for {of})"));
        }
    }
    if metric.needs_node() && expectation.node.is_none() {
        checker.fail("metric", format!("`{metric}` needs `node`"));
    }
}

fn check_property(checker: &mut Checker<'_>, name: &str, expectation: &Expectation, settings: &[Setting]) {
    for (field, _, bound) in bounds_of(expectation) {
        if bound.is_some() {
            checker.fail(field, "a property has no bounds".into());
        }
    }
    let foreign = [
        ("within", expectation.within.is_some()),
        ("versus", expectation.versus.is_some()),
        ("along", expectation.along.is_some()),
        ("node", expectation.node.is_some()),
        ("step", expectation.step.is_some()),
    ];
    for (field, given) in foreign {
        if given {
            checker.fail(field, "goes with `metric`".into());
        }
    }
    if name == "all" {
        if expectation.must == Some(Must::Break) {
            checker.fail("must", "\"all\" cannot be asked to break – name the property".into());
        }
        return;
    }
    let Some(property) = Property::from_name(name) else {
        let hint = suggestion(name, Property::ALL.iter().map(|property| property.name()).chain(["all"]));
        checker.fail("property", format!("unknown property {name:?}{hint}"));
        return;
    };
    if expectation.must == Some(Must::Break) {
        return;
    }
    let named: Vec<&Setting> =
        settings.iter().filter(|setting| matches(&setting.values, expectation.where_.as_ref())).collect();
    let mut reasons = Vec::new();
    for setting in &named {
        match property.standing(&setting.spec) {
            Standing::CannotHold(reason) => reasons.push(reason),
            Standing::NotGuaranteed(reason) => {
                checker.cx.notice(format!("property {name} is asserted, but nothing guarantees it: {reason}"));
            }
            Standing::Guaranteed => {}
        }
    }
    // In a sweep the settings where it cannot hold are passed over, as long as some are left.
    if let Some(reason) = reasons.first().filter(|_| reasons.len() == named.len()) {
        checker.fail("property", format!("`{name}` cannot hold: {reason} – take it out, or say `must`: \"break\""));
    }
}

fn check_along(checker: &mut Checker<'_>, base: &Spec, expectation: &Expectation) {
    let axes = &base.sweep.axes;
    let axis = expectation.along.as_ref().and_then(|along| axes.iter().find(|axis| axis.name == *along));
    if let (Some(along), None) = (&expectation.along, axis) {
        let hint = suggestion(along, axes.iter().map(|axis| axis.name.0.as_str()));
        checker.fail("along", format!("unknown axis \"{along}\"{hint}"));
        return;
    }
    for (field, _, bound) in bounds_of(expectation) {
        let Some(OneOrMany::Many(values)) = bound else { continue };
        match axis {
            None => checker.fail(field, "a list of bounds needs `along`".into()),
            Some(axis) if points_of(axis).len() != values.len() => {
                let points = points_of(axis).len();
                checker.fail(field, format!("{} bounds for {points} points of axis \"{}\"", values.len(), axis.name));
            }
            Some(_) => {}
        }
    }
}

fn check_where(checker: &mut Checker<'_>, base: &Spec, field: &str, condition: Option<&Where>) -> bool {
    let mut known = true;
    for (name, wanted) in condition.into_iter().flat_map(Map::iter) {
        let Some(axis) = base.sweep.axes.iter().find(|axis| axis.name.0 == name) else {
            let hint = suggestion(name, base.sweep.axes.iter().map(|axis| axis.name.0.as_str()));
            checker.fail(&format!("{field}.{name}"), format!("unknown axis {name:?}{hint}"));
            known = false;
            continue;
        };
        let points = points_of(axis);
        for wanted in wanted.as_slice() {
            if !points.iter().any(|point| same_label(wanted, point)) {
                let labels: Vec<String> = points.iter().map(Scalar::label).collect();
                let hint = suggestion(&wanted.label(), labels.iter().map(String::as_str));
                checker
                    .fail(&format!("{field}.{name}"), format!("axis {name:?} has no point {:?}{hint}", wanted.label()));
                known = false;
            }
        }
    }
    known
}

/// An expectation must be about a setting that is left, and have one to be compared with.
fn check_settings(checker: &mut Checker<'_>, expectation: &Expectation, settings: &[Setting], skipped: &[Skipped]) {
    let condition = expectation.where_.as_ref();
    let named: Vec<&Setting> = settings.iter().filter(|setting| matches(&setting.values, condition)).collect();
    if named.is_empty() {
        let message = match skipped.iter().map(|one| &one.values).find(|values| matches(values, condition)) {
            Some(values) => {
                format!("is only about combinations that break a rule and are skipped ({})", describe(values))
            }
            None => "is about no combination of the sweep".into(),
        };
        checker.fail("where", message);
        return;
    }
    if let Some(versus) = &expectation.versus
        && !named.iter().any(|setting| counterpart(&setting.values, versus, settings).is_some())
    {
        checker.fail(
            "versus",
            format!("nothing to compare {} with: the other combination is skipped", describe(&named[0].values)),
        );
    }
}
