//! What must come of a step.

use super::Builder;
use crate::cluster::config::{ExpectedVersion, Literal, StepExpect};
use crate::kernel::ids::NodeId;
use crate::kernel::time::Span;
use crate::node::message::Outcome;
use crate::scenario::names::Name;
use crate::scenario::spec as from;

impl Builder<'_> {
    /// The expectation of a step. An operation that is expected anything of is expected to be `ok`.
    pub(super) fn expectation(&mut self, path: &str, step: &from::Step, expect: &from::StepExpect) -> StepExpect {
        let outcome = expect.outcome.map(|outcome| match outcome {
            from::OutcomeWord::Ok => Outcome::Ok,
            from::OutcomeWord::Timeout => Outcome::Timeout,
            from::OutcomeWord::TooFewReplicas => Outcome::TooFewReplicas,
            from::OutcomeWord::NoCoordinator => Outcome::NoCoordinator,
            from::OutcomeWord::Refused => Outcome::Refused,
        });
        StepExpect {
            outcome: outcome.or(step.action().is_operation().then_some(Outcome::Ok)),
            values: expect.values.as_ref().map(|values| self.literals(values)),
            versions: expect
                .versions
                .as_ref()
                .map(|versions| versions.iter().map(|version| self.version(path, version)).collect()),
            context: expect.context.as_ref().map(|clock| self.clock(&format!("{path}.context"), clock)),
            latency: expect
                .latency
                .map(|bound| (bound.at_least.unwrap_or(Span::ZERO), bound.at_most.unwrap_or(Span::MAX))),
            coordinator: expect.coordinator.as_ref().map(|node| self.node_id(&format!("{path}.coordinator"), node)),
            stale: expect.stale,
            copies: expect.copies.as_ref().map(|copies| {
                copies.iter().map(|(value, count)| (Literal::Text(self.texts.number(value)), *count)).collect()
            }),
            holders: expect.holders.as_ref().map(|holders| {
                let holder = |(node, values): (&str, &Vec<from::ItemValue>)| {
                    (self.node_id(&format!("{path}.holders"), node), self.literals(values))
                };
                holders.iter().map(holder).collect()
            }),
            hints: expect.hints.as_ref().map(|hints| {
                let path = format!("{path}.hints");
                let hint =
                    |(node, owners): (&str, &Vec<Name>)| (self.node_id(&path, node), self.node_ids(&path, owners));
                hints.iter().map(hint).collect()
            }),
            list: self.named(path, "list", expect.list.as_deref()),
            members: self.named(path, "members", expect.members.as_deref()),
            suspects: self.named(path, "suspects", expect.suspects.as_deref()),
        }
    }

    fn named(&mut self, path: &str, field: &str, names: Option<&[Name]>) -> Option<Vec<NodeId>> {
        names.map(|names| self.node_ids(&format!("{path}.{field}"), names))
    }

    fn literals(&mut self, values: &[from::ItemValue]) -> Vec<Literal> {
        values.iter().map(|value| self.texts.literal(value)).collect()
    }

    fn clock(&mut self, path: &str, clock: &from::Map<u64>) -> Vec<(NodeId, u32)> {
        clock.iter().map(|(node, count)| (self.node_id(path, node), self.count(path, *count))).collect()
    }

    fn version(&mut self, path: &str, version: &from::VersionSpec) -> ExpectedVersion {
        let path = format!("{path}.versions");
        ExpectedVersion {
            value: self.texts.literal(&version.value),
            clock: version.clock.as_ref().map(|clock| self.clock(&path, clock)),
            dot: version.dot.as_ref().map(|dot| {
                let (node, count) = dot.split_once(':').unwrap_or((dot, ""));
                let count = count.parse::<u32>().unwrap_or_else(|_| {
                    self.fail(&path, format!("not a dot (got {dot:?}, allowed a node and a count like \"A:2\")"));
                    0
                });
                (self.node_id(&path, node), count)
            }),
        }
    }
}
