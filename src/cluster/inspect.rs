//! Looks inside, and what a step's expectations say of what was seen.

use std::collections::BTreeMap;

use crate::kernel::ids::{KeyId, NodeId};
use crate::kernel::time::Span;
use crate::node::message::Outcome;
use crate::version::{Scheme, Siblings, Value, Version};

use super::config::{ExpectedVersion, Inspect, Literal, RunConfig, StepExpect};
use super::outcome::StepResult;
use super::simulation::Simulation;

/// A value as a script writes it.
fn text_of(config: &RunConfig, value: &Value) -> String {
    match value {
        Value::Tombstone => "deleted".into(),
        Value::Blob(number) => format!("#{number}"),
        Value::Text(text) => config.texts[*text as usize].clone(),
        Value::Set(_) => {
            let name = |item: u32| config.texts.get(item as usize).cloned().unwrap_or_else(|| format!("#{item}"));
            let mut items: Vec<String> = value.items().iter().map(|&item| name(item)).collect();
            items.sort();
            format!("[{}]", items.join(", "))
        }
        Value::Counter(_) => value.total().to_string(),
    }
}

fn literal_text(config: &RunConfig, literal: &Literal) -> String {
    match literal {
        Literal::Text(text) => config.texts[*text as usize].clone(),
        Literal::Set(items) => {
            let mut items: Vec<&str> = items.iter().map(|&item| config.texts[item as usize].as_str()).collect();
            items.sort_unstable();
            format!("[{}]", items.join(", "))
        }
    }
}

/// The texts of what a key's versions hold, without deletes, sorted.
fn texts(config: &RunConfig, versions: &[Version]) -> Vec<String> {
    let mut texts: Vec<String> = versions
        .iter()
        .filter(|version| *version.value() != Value::Tombstone)
        .map(|version| text_of(config, version.value()))
        .collect();
    texts.sort();
    texts
}

/// A clock as scripts write it: counters by node, epochs added up under the node's name.
fn clock_of(version: &Version, scheme: Scheme) -> BTreeMap<NodeId, u32> {
    let mut clock = BTreeMap::new();
    for entry in version.clock().entries() {
        let counter = clock.entry(entry.actor.node()).or_insert(0);
        *counter = entry.counter.max(*counter);
    }
    if scheme == Scheme::Dotted {
        // The dot is one more event on top of the past.
        let counter = clock.entry(version.dot().actor.node()).or_insert(0);
        *counter = version.dot().counter.max(*counter);
    }
    clock
}

fn merged_clock(versions: &[Version], scheme: Scheme) -> BTreeMap<NodeId, u32> {
    let mut merged = BTreeMap::new();
    for version in versions {
        for (node, counter) in clock_of(version, scheme) {
            let known = merged.entry(node).or_insert(0);
            *known = counter.max(*known);
        }
    }
    merged
}

fn names(config: &RunConfig, nodes: &[NodeId]) -> String {
    let names: Vec<&str> = nodes.iter().map(|node| config.node_names[node.index()].as_str()).collect();
    format!("[{}]", names.join(", "))
}

fn clock_text(config: &RunConfig, clock: &BTreeMap<NodeId, u32>) -> String {
    let entries: Vec<String> =
        clock.iter().map(|(node, counter)| format!("{}: {counter}", config.node_names[node.index()])).collect();
    format!("{{{}}}", entries.join(", "))
}

fn differs<T: PartialEq>(broken: &mut Vec<String>, what: &str, expected: &T, seen: &T, show: impl Fn(&T) -> String) {
    if expected != seen {
        broken.push(format!("{what}: expected {}, was {}", show(expected), show(seen)));
    }
}

impl Simulation<'_> {
    /// Judges the answer to a scripted operation.
    pub(super) fn judge_step(
        &self,
        step: u32,
        outcome: Outcome,
        latency: Span,
        coordinator: Option<NodeId>,
        answer: &Siblings,
        stale: Option<bool>,
    ) -> StepResult {
        let config = self.config;
        let values = texts(config, answer);
        let broken = config.steps[step as usize].expect.as_ref().map(|expect| {
            let mut broken = Vec::new();
            let show = |outcome: &Outcome| outcome.word().to_string();
            differs(&mut broken, "outcome", &expect.outcome.unwrap_or(Outcome::Ok), &outcome, show);
            if let Some(expected) = &expect.values {
                let mut expected: Vec<String> = expected.iter().map(|value| literal_text(config, value)).collect();
                expected.sort();
                differs(&mut broken, "values", &expected, &values, |values| format!("{values:?}"));
            }
            if let Some(expected) = &expect.versions {
                self.judge_versions(&mut broken, expected, answer);
            }
            if let Some(expected) = &expect.context {
                let expected: BTreeMap<NodeId, u32> = expected.iter().copied().collect();
                let seen = merged_clock(answer, config.node.versioning.scheme);
                differs(&mut broken, "context", &expected, &seen, |clock| clock_text(config, clock));
            }
            if let Some((least, most)) = expect.latency
                && !(least..=most).contains(&latency)
            {
                let expected = if least == most { format!("{least}") } else { format!("{least} to {most}") };
                broken.push(format!("latency: expected {expected}, was {latency}"));
            }
            if let Some(expected) = expect.coordinator {
                differs(&mut broken, "coordinator", &Some(expected), &coordinator, |node| {
                    node.map_or("nobody".into(), |node| config.node_names[node.index()].clone())
                });
            }
            if let Some(expected) = expect.stale {
                differs(&mut broken, "stale", &Some(expected), &stale, |stale| {
                    stale.map_or("not judged".into(), |stale| stale.to_string())
                });
            }
            broken
        });
        StepResult { step, outcome: Some(outcome), values, latency: Some(latency), coordinator, stale, broken }
    }

    fn judge_versions(&self, broken: &mut Vec<String>, expected: &[ExpectedVersion], answer: &Siblings) {
        let config = self.config;
        let scheme = config.node.versioning.scheme;
        let fits = |expected: &ExpectedVersion, version: &Version| {
            literal_text(config, &expected.value) == text_of(config, version.value())
                && expected.clock.as_ref().is_none_or(|clock| {
                    let clock: BTreeMap<NodeId, u32> = clock.iter().copied().collect();
                    clock == clock_of(version, scheme)
                })
                && expected.dot.is_none_or(|(node, counter)| {
                    version.dot().actor.node() == node && version.dot().counter == counter
                })
        };
        let mut left: Vec<&Version> = answer.iter().collect();
        let mut missing = 0;
        for version in expected {
            match left.iter().position(|seen| fits(version, seen)) {
                Some(place) => {
                    left.remove(place);
                }
                None => missing += 1,
            }
        }
        if missing > 0 || !left.is_empty() {
            let seen: Vec<String> = answer
                .iter()
                .map(|version| {
                    let dot = version.dot();
                    let name = &config.node_names[dot.actor.node().index()];
                    let clock = clock_text(config, &clock_of(version, scheme));
                    format!("{} {clock} dot {name}:{}", text_of(config, version.value()), dot.counter)
                })
                .collect();
            broken.push(format!(
                "versions: {missing} of {} expected are missing; there are: {}",
                expected.len(),
                seen.join("; ")
            ));
        }
    }

    /// A look inside.
    pub(super) fn inspect(&mut self, step: u32, what: Inspect) {
        let config = self.config;
        let Some(expect) = &config.steps[step as usize].expect else { return };
        let mut broken = Vec::new();
        match what {
            Inspect::Key(key) => self.inspect_key(&mut broken, key, expect),
            Inspect::Node(node) => self.inspect_node(&mut broken, node, expect),
        }
        self.script.results.push(StepResult {
            step,
            outcome: None,
            values: Vec::new(),
            latency: None,
            coordinator: None,
            stale: None,
            broken: Some(broken),
        });
    }

    fn inspect_key(&mut self, broken: &mut Vec<String>, key: KeyId, expect: &StepExpect) {
        let config = self.config;
        let real = &self.nodes[..self.members];
        if let Some(expected) = &expect.copies {
            for (value, copies) in expected {
                let wanted = literal_text(config, value);
                let running =
                    real.iter().filter(|node| self.processes[node.id().index()] != super::reach::Process::Down);
                let seen = running.filter(|node| texts(config, node.versions(key)).contains(&wanted)).count() as u32;
                differs(broken, &format!("copies of {wanted}"), copies, &seen, u32::to_string);
            }
        }
        if let Some(expected) = &expect.holders {
            for (node, values) in expected {
                let mut expected: Vec<String> = values.iter().map(|value| literal_text(config, value)).collect();
                expected.sort();
                let seen = texts(config, real[node.index()].versions(key));
                let what = format!("held by {}", config.node_names[node.index()]);
                differs(broken, &what, &expected, &seen, |values| format!("{values:?}"));
            }
        }
        if let Some(expected) = &expect.hints {
            let mut seen: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
            for node in real {
                for (at, _) in node.hints().iter().filter(|(at, _)| at.key == key) {
                    seen.entry(node.id()).or_default().push(at.owner);
                }
            }
            seen.values_mut().for_each(|owners| owners.dedup());
            let expected: BTreeMap<NodeId, Vec<NodeId>> = expected
                .iter()
                .map(|(node, owners)| {
                    let mut owners = owners.clone();
                    owners.sort();
                    (*node, owners)
                })
                .collect();
            differs(broken, "hints", &expected, &seen, |hints| {
                let each: Vec<String> = hints
                    .iter()
                    .map(|(node, owners)| format!("{}: {}", config.node_names[node.index()], names(config, owners)))
                    .collect();
                format!("{{{}}}", each.join(", "))
            });
        }
        if let Some(expected) = &expect.list {
            let segment = self.commons.keys.segment(key);
            let looker =
                self.nodes[..self.members].iter().position(|node| self.serving[node.id().index()]).unwrap_or(0);
            let view = self.nodes[looker].view().clone();
            let placement = self.commons.placement(&view);
            let list = placement.ring.list(segment);
            let seen = list[..expected.len().min(list.len())].to_vec();
            differs(broken, "list", expected, &seen, |nodes| names(config, nodes));
        }
    }

    fn inspect_node(&mut self, broken: &mut Vec<String>, node: NodeId, expect: &StepExpect) {
        let config = self.config;
        if let Some(expected) = &expect.members {
            let mut expected = expected.clone();
            expected.sort();
            let view = self.nodes[node.index()].view().clone();
            let seen = self.commons.placement(&view).ring.members().to_vec();
            differs(broken, "members", &expected, &seen, |nodes| names(config, nodes));
        }
        if let Some(expected) = &expect.suspects {
            let mut expected = expected.clone();
            expected.sort();
            let seen: Vec<NodeId> = self.nodes[node.index()].suspects().collect();
            differs(broken, "suspects", &expected, &seen, |nodes| names(config, nodes));
        }
    }
}
