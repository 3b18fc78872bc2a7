//! Faults and administrators' commands (the format's section 6, second half of the actions).

use super::super::containers::Map;
use super::super::decode::{object, words};
use super::super::errors::Errors;
use super::super::json::Node;
use super::super::names::{Name, Selector};
use super::super::numbers::Fraction;
use super::super::scalars::SignedSpan;
use crate::kernel::time::Span;

words! {
    /// What a crash leaves on disk.
    pub enum DiskFate {
        /// Everything.
        Kept = "kept",
        /// All but what was not flushed.
        TailLost = "tail_lost",
        /// Nothing.
        Lost = "lost",
    }
}

object! {
    /// The processes die; with `for` they are restarted.
    pub struct Crash {
        /// Which.
        nodes: Selector,
        /// What is left on disk.
        disk: DiskFate = "kept",
    }
}

object! {
    /// Nodes to do something with.
    pub struct NodesOnly {
        /// Which.
        nodes: Selector,
    }
}

object! {
    /// Data lost from a running node; without either field, all of it.
    pub struct Wipe {
        /// Which.
        nodes: Selector,
        /// These keys.
        keys: Option<Vec<String>>,
        /// So much.
        fraction: Option<Fraction>,
    }
    at_most_one ["keys", "fraction"];
}

object! {
    /// Times slower.
    pub struct Slow {
        /// Which.
        nodes: Selector,
        /// Its storage.
        storage: f64 = 1,
        /// Its messages.
        network: f64 = 1,
    }
}

object! {
    /// The disk answers with errors.
    pub struct DiskError {
        /// Which.
        nodes: Selector,
        /// Of what.
        on: DiskErrorOn,
        /// How often.
        chance: Fraction = 1,
    }
}

words! {
    /// Which accesses fail.
    pub enum DiskErrorOn {
        /// Reads.
        Read = "read",
        /// Writes.
        Write = "write",
        /// All.
        Both = "both",
    }
}

object! {
    /// A clock is wrong.
    pub struct Skew {
        /// Whose.
        nodes: Selector,
        /// By how much; may have a minus sign.
        by: SignedSpan,
    }
}

object! {
    /// Nothing passes from one group to another; whoever is in no group sees all.
    pub struct Cut {
        /// Groups.
        between: Option<Vec<Selector>>,
        /// One way, from here.
        from: Option<Selector>,
        /// One way, to here.
        to: Option<Selector>,
    }
    exactly_one ["between", "from"];
    check check_cut;
}

fn check_cut(cut: &Cut, node: &Node, cx: &mut Errors) {
    check_ends(cut.between.as_deref(), cut.from.is_some() == cut.to.is_some(), node, cx);
}

fn check_ends(between: Option<&[Selector]>, both: bool, node: &Node, cx: &mut Errors) {
    if !both {
        cx.error(&node.origin, "`from` and `to` go together");
    }
    if between.is_some_and(|groups| groups.len() < 2) {
        let origin = node.get("between").map_or(&node.origin, |between| &between.origin);
        cx.within("between", |cx| cx.error(origin, "at least two groups are needed"));
    }
}

object! {
    /// Messages between groups suffer.
    pub struct LinkFault {
        /// Groups.
        between: Option<Vec<Selector>>,
        /// One way, from here.
        from: Option<Selector>,
        /// One way, to here.
        to: Option<Selector>,
        /// Chance that a message is lost.
        loss: Option<Fraction>,
        /// Chance that a message arrives twice.
        duplicate: Option<Fraction>,
        /// Times slower.
        slower: Option<f64>,
        /// Delay added.
        extra: Option<super::distribution::DistSpec<Span>>,
    }
    exactly_one ["between", "from"];
    check check_link_fault;
}

fn check_link_fault(link: &LinkFault, node: &Node, cx: &mut Errors) {
    check_ends(link.between.as_deref(), link.from.is_some() == link.to.is_some(), node, cx);
    if link.loss.is_none() && link.duplicate.is_none() && link.slower.is_none() && link.extra.is_none() {
        cx.error(&node.origin, "this fault does nothing (allowed any of loss, duplicate, slower, extra)");
    }
}

object! {
    /// A node joins or leaves by an administrator's command.
    pub struct Admin {
        /// Which.
        node: Name,
        /// Where the administrator says so; default: a seed.
        via: Option<Name>,
    }
}

object! {
    /// A node takes another's place.
    pub struct Replace {
        /// The one that goes.
        node: Name,
        /// The one that comes.
        with: Name,
        /// Where the administrator says so; default: a seed.
        via: Option<Name>,
    }
}

object! {
    /// One background round now.
    pub struct RunTask {
        /// Of what.
        task: Task,
        /// At whom.
        node: Name,
        /// With whom; default: as the task chooses.
        with: Option<Name>,
    }
}

words! {
    /// A background task.
    pub enum Task {
        /// A gossip round.
        Gossip = "gossip",
        /// A comparison of trees.
        AntiEntropy = "anti_entropy",
        /// A scan for hints to deliver.
        Hints = "hints",
    }
}

/// What becomes of a message in `legs`, per leg: one fate, or one per node at the replica's end.
pub type Legs = Map<LegFate>;

/// The fate of the messages of one leg.
#[derive(Clone, Debug, PartialEq)]
pub enum LegFate {
    /// Of all of them.
    All(Fate),
    /// By the node at the replica's end.
    ByNode(Map<Fate>),
}

/// The fate of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives after so long.
    After(Span),
    /// It is lost.
    Lost,
}

use super::super::decode::{Decode, Definitions};
use serde_json::{Value as Json, json};

impl Decode for Fate {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match node.as_text() {
            Some("lost") => Some(Fate::Lost),
            _ => Span::decode(node, cx).map(Fate::After),
        }
    }
    fn schema(defs: &mut Definitions) -> Json {
        json!({ "oneOf": [{ "const": "lost" }, Span::schema(defs)] })
    }
}

impl Decode for LegFate {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match node.value {
            super::Value::Map(_) => Map::decode(node, cx).map(LegFate::ByNode),
            _ => Fate::decode(node, cx).map(LegFate::All),
        }
    }
    fn schema(defs: &mut Definitions) -> Json {
        let fate = Fate::schema(defs);
        json!({ "oneOf": [fate, { "type": "object", "additionalProperties": fate }] })
    }
}
