//! From the expectations of a scenario to those that `check` judges: names of axes become numbers of settings.

use super::play::Played;
use crate::check::expectation::{Bound, Comparison, Expectation, Narrow, Over, Query, Subject, Versus};
use crate::check::properties::{Finding, Property};
use crate::scenario::expectations::{self as written, Resolved, counterpart, matches};
use crate::scenario::names::Selector;
use crate::scenario::properties::Standing;
use crate::scenario::spec;
use crate::scenario::sweep::points_of;
use crate::scenario::world::World;
use crate::scenario::{Loaded, Setting};

/// All expectations of a scenario that was read without errors, in their order.
///
/// # Errors
/// Which expectation this build cannot ask, and why.
pub fn expectations(loaded: &Loaded) -> Result<Vec<Expectation>, String> {
    let numbered = loaded.base.expect.iter().enumerate();
    numbered
        .map(|(number, expectation)| one(loaded, expectation).map_err(|why| format!("expect.{number}: {why}")))
        .collect()
}

fn one(loaded: &Loaded, expectation: &spec::Expectation) -> Result<Expectation, String> {
    let settings: Vec<&Setting> =
        loaded.settings.iter().filter(|setting| matches(&setting.values, expectation.where_.as_ref())).collect();
    let axes = &loaded.base.sweep.axes;
    let axis = expectation.along.as_ref().and_then(|along| axes.iter().find(|axis| axis.name == *along));
    let points = axis.map_or_else(Vec::new, |axis| {
        let all = points_of(axis);
        let value = |setting: &&Setting| {
            let value = setting.values.iter().find(|value| value.axis == axis.name.0)?;
            all.iter().position(|point| point.same_as(&value.value)).map(|point| point as u32)
        };
        settings.iter().map(|setting| value(setting).expect("each setting is at a point of each axis")).collect()
    });
    let subject = match &expectation.property {
        Some(name) => property(name, expectation, &settings),
        None => metric(loaded, expectation, &settings)?,
    };
    let over = expectation.over.map(|over| match over {
        spec::Over::Each => Over::Each,
        spec::Over::Mean => Over::Mean,
        spec::Over::Median => Over::Median,
        spec::Over::Some => Over::Some,
        spec::Over::Share(share) => Over::Share(share.0),
    });
    let numbers = settings.iter().map(|setting| setting.number).collect();
    Ok(Expectation { subject, settings: numbers, points, over, claim: expectation.claim.clone() })
}

/// `all` asserts what the configuration guarantees; one that is named is asserted wherever it can hold.
fn property(name: &str, expectation: &spec::Expectation, settings: &[&Setting]) -> Subject {
    let must_break = expectation.must == Some(spec::Must::Break);
    let is_all = name == "all";
    let asserted = |setting: &&Setting| {
        let here = Property::ALL.iter().filter(|property| match property.standing(&setting.spec) {
            _ if !is_all && property.name() != name => false,
            Standing::Guaranteed => true,
            Standing::NotGuaranteed(_) => !is_all,
            Standing::CannotHold(_) => must_break,
        });
        here.copied().collect()
    };
    Subject::Property { properties: settings.iter().map(asserted).collect(), is_all, must_break }
}

/// A property that a run was looked at for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Looked {
    /// Which.
    pub property: Property,
    /// What became of it.
    pub finding: Finding,
    /// Why it is not asserted, if it is not.
    pub not_asserted: Option<&'static str>,
}

impl Looked {
    /// Whether it was violated although, or because, nobody asserted it.
    pub fn is_violated_unasserted(&self) -> bool {
        self.not_asserted.is_some() && matches!(self.finding, Finding::Violated { .. })
    }
}

/// The properties that a run was looked at for, in the order of the reference: which of them are asserted, and why the
/// others are not.
pub fn looked_at(loaded: &Loaded, expectations: &[Expectation], run: &Played) -> Vec<Looked> {
    let is_asserted = |property: &Property| {
        expectations.iter().any(|expectation| {
            let place = expectation.settings.iter().position(|setting| *setting == run.setting);
            match (&expectation.subject, place) {
                (Subject::Property { properties, must_break: false, .. }, Some(place)) => {
                    properties[place].contains(property)
                }
                _ => false,
            }
        })
    };
    let setting = loaded.settings.iter().find(|setting| setting.number == run.setting);
    let why_not = |property: &Property| match setting.map(|setting| property.standing(&setting.spec)) {
        Some(Standing::NotGuaranteed(reason) | Standing::CannotHold(reason)) => reason,
        Some(Standing::Guaranteed) | None => "no expectation asserts it here",
    };
    let looked = |(property, finding): (&Property, &Finding)| Looked {
        property: *property,
        finding: finding.clone(),
        not_asserted: (!is_asserted(property)).then(|| why_not(property)),
    };
    run.findings.iter().map(looked).collect()
}

fn metric(loaded: &Loaded, expectation: &spec::Expectation, settings: &[&Setting]) -> Result<Subject, String> {
    let resolved = written::resolve(expectation).map_err(|wrong| format!("{wrong:?}"))?;
    let Resolved { metric, versus: other, bounds, within } = resolved.ok_or("neither a metric nor a property")?;
    let narrow = Narrow {
        window: expectation.window.as_ref().map(ToString::to_string),
        client: expectation.client.as_ref().map(ToString::to_string),
        nodes: nodes(loaded, expectation.node.as_ref())?,
        step: expectation.step.as_ref().map(ToString::to_string),
    };
    let query = Query { metric, narrow };
    let versus = match &expectation.versus {
        None => None,
        Some(versus) => {
            let mut narrow = query.narrow.clone();
            if let Some(window) = &versus.window {
                narrow.window = Some(window.to_string());
            }
            if let Some(client) = &versus.client {
                narrow.client = Some(client.to_string());
            }
            if versus.node.is_some() {
                narrow.nodes = nodes(loaded, versus.node.as_ref())?;
            }
            let metric = match other {
                Some(other) => other,
                None => query.metric.clone(),
            };
            let there =
                |setting: &&Setting| counterpart(&setting.values, versus, &loaded.settings).map(|other| other.number);
            Some(Box::new(Versus {
                query: Query { metric, narrow },
                settings: settings.iter().map(there).collect(),
                comparison: match versus.as_ {
                    spec::Comparison::Ratio => Comparison::Ratio,
                    spec::Comparison::Difference => Comparison::Difference,
                },
            }))
        }
    };
    let bounds = bounds.into_iter().map(|bound| Bound { kind: bound.kind, values: bound.values.as_slice().to_vec() });
    Ok(Subject::Metric { query, versus, bounds: bounds.collect(), within })
}

/// Names of the nodes that a selector selects.
fn nodes(loaded: &Loaded, selector: Option<&Selector>) -> Result<Option<Vec<String>>, String> {
    let Some(selector) = selector else { return Ok(None) };
    let mut names: Vec<String> = Vec::new();
    // Settings may have other nodes: a name that a run does not know selects nothing there.
    for setting in &loaded.settings {
        let world = World::of(&setting.spec);
        let chosen = world.nodes_of(selector).ok_or("`node` is decided by chance or by the ring")?;
        let known = chosen.into_iter().map(|node| world.nodes[node].name.clone()).filter(|name| !names.contains(name));
        let known: Vec<String> = known.collect();
        names.extend(known);
    }
    Ok(Some(names))
}
