//! What must come out of a step (the format's section 6, the table of `expect`).

use serde_json::{Value as Json, json};

use super::super::containers::Map;
use super::super::decode::{Decode, Definitions, object, words, wrong};
use super::super::errors::Errors;
use super::super::json::{Node, Value};
use super::super::names::{Name, parse_name};
use super::cluster::ItemValue;
use super::script::Action;
use crate::kernel::time::Span;

object! {
    /// What must come out of a step.
    pub struct StepExpect {
        /// How an operation ends; default: `ok`.
        outcome: Option<OutcomeWord>,
        /// Exactly these, in any order; `[]`: not found.
        values: Option<Vec<ItemValue>>,
        /// Exactly these versions.
        versions: Option<Vec<VersionSpec>>,
        /// The clock that came back.
        context: Option<Map<u64>>,
        /// How long it took.
        latency: Option<LatencyBound>,
        /// Who led it.
        coordinator: Option<Name>,
        /// What the judge says of the read.
        stale: Option<bool>,
        /// Value → number of replicas that hold it, stand-ins apart.
        copies: Option<Map<u32>>,
        /// Node → values it holds.
        holders: Option<Map<Vec<ItemValue>>>,
        /// Stand-in → owners it holds a hint for.
        hints: Option<Map<Vec<Name>>>,
        /// How the preference list begins.
        list: Option<Vec<Name>>,
        /// The members in a node's view.
        members: Option<Vec<Name>>,
        /// Whom a node believes to be down.
        suspects: Option<Vec<Name>>,
    }
}

words! {
    /// How an operation ends.
    pub enum OutcomeWord {
        /// It was done.
        Ok = "ok",
        /// It may have happened.
        Timeout = "timeout",
        /// It did not happen: too few replicas.
        TooFewReplicas = "too_few_replicas",
        /// It did not happen: nobody to lead it.
        NoCoordinator = "no_coordinator",
        /// It did not happen: it conflicts.
        Refused = "refused",
    }
}

object! {
    /// A version that is expected.
    pub struct VersionSpec {
        /// Its value.
        value: ItemValue,
        /// Its clock: node → count.
        clock: Option<Map<u64>>,
        /// Its dot, `A:2`.
        dot: Option<String>,
    }
    check check_version;
}

fn check_version(version: &VersionSpec, node: &Node, cx: &mut Errors) {
    let Some(dot) = &version.dot else { return };
    let parts = dot.split_once(':');
    if parts.is_none_or(|(name, count)| parse_name(name).is_err() || count.parse::<u64>().is_err()) {
        let place = node.get("dot").unwrap_or(node);
        cx.within("dot", |cx| wrong(place, cx, "not a dot", "a node and a count like \"A:2\""));
    }
}

/// How long an operation takes: exactly, or within bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatencyBound {
    /// At least so long.
    pub at_least: Option<Span>,
    /// At most so long.
    pub at_most: Option<Span>,
}

object! {
    /// Bounds of a latency.
    pub struct LatencyBounds {
        /// At least so long.
        at_least: Option<Span>,
        /// At most so long.
        at_most: Option<Span>,
    }
}

impl Decode for LatencyBound {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match node.value {
            Value::Map(_) => LatencyBounds::decode(node, cx)
                .map(|bounds| LatencyBound { at_least: bounds.at_least, at_most: bounds.at_most }),
            _ => Span::decode(node, cx).map(|exact| LatencyBound { at_least: Some(exact), at_most: Some(exact) }),
        }
    }
    fn schema(defs: &mut Definitions) -> Json {
        json!({ "oneOf": [Span::schema(defs), LatencyBounds::schema(defs)] })
    }
}

/// Complains of what cannot be expected of an action.
pub(super) fn check_expect(expect: &StepExpect, action: Action<'_>, node: &Node, cx: &mut Errors) {
    let operation = action.is_operation();
    let get = matches!(action, Action::Get(_));
    let of_key = matches!(action, Action::Inspect(inspect) if inspect.key.is_some());
    let of_node = matches!(action, Action::Inspect(inspect) if inspect.node.is_some());
    let table = [
        ("outcome", expect.outcome.is_some(), operation, "operations"),
        ("values", expect.values.is_some(), get, "`get`"),
        ("versions", expect.versions.is_some(), get, "`get`"),
        ("context", expect.context.is_some(), operation, "operations"),
        ("latency", expect.latency.is_some(), operation, "operations"),
        ("coordinator", expect.coordinator.is_some(), operation, "operations"),
        ("stale", expect.stale.is_some(), operation, "operations"),
        ("copies", expect.copies.is_some(), of_key, "`inspect` of a key"),
        ("holders", expect.holders.is_some(), of_key, "`inspect` of a key"),
        ("hints", expect.hints.is_some(), of_key, "`inspect` of a key"),
        ("list", expect.list.is_some(), of_key, "`inspect` of a key"),
        ("members", expect.members.is_some(), of_node, "`inspect` of a node"),
        ("suspects", expect.suspects.is_some(), of_node, "`inspect` of a node"),
    ];
    for (name, given, allowed, of) in table {
        if given && !allowed {
            let place = node.get("expect").and_then(|expect| expect.get(name)).unwrap_or(node);
            cx.within("expect", |cx| {
                cx.within(name, |cx| {
                    cx.error(&place.origin, format!("is for {of} (the action is `{}`)", action.name()))
                })
            });
        }
    }
}
