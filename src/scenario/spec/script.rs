//! Steps: what happens at a set time (the format's section 6).

use serde_json::{Value as Json, json};

use super::super::containers::{Map, OrNever};
use super::super::decode::{Decode, Definitions, object, words, wrong};
use super::super::errors::Errors;
use super::super::json::Node;
use super::super::names::{Name, parse_name};
use super::cluster::{ItemValue, QuorumMode};
use super::distribution::DistSpec;
use super::faults::*;
use super::outcome::{StepExpect, check_expect};
use crate::kernel::time::Span;

object! {
    /// One thing at one time.
    pub struct Step {
        /// To refer to it.
        name: Option<Name>,
        /// When.
        at: Option<Span>,
        /// After this earlier step's operation is answered or has timed out, or its fault ends.
        after: Option<Name>,
        /// So much later, with `after`.
        plus: Option<DistSpec<Span>>,
        /// How long a fault lasts; default: to the end of the run, a crash until `restart`.
        for_ "for": Option<Span>,
        /// A fault again and again.
        repeat: Option<Repeat>,
        /// A scripted client; it exists by being named.
        client: Option<Name>,
        /// The operation whose chance delays it has, `users/2#17`.
        draws: Option<String>,
        /// What must come out.
        expect: Option<StepExpect>,
        /// Reads.
        get: Option<Get>,
        /// Writes.
        put: Option<Put>,
        /// Deletes.
        delete: Option<Delete>,
        /// Gets, merges, puts.
        update: Option<Update>,
        /// Looks inside, changes nothing.
        inspect: Option<Inspect>,
        /// Processes die.
        crash: Option<Crash>,
        /// Crashed processes start again.
        restart: Option<NodesOnly>,
        /// Data is lost.
        wipe: Option<Wipe>,
        /// Processes stop, then go on.
        pause: Option<NodesOnly>,
        /// Nodes are slow.
        slow: Option<Slow>,
        /// Disks answer with errors.
        disk_error: Option<DiskError>,
        /// Clocks are wrong.
        skew: Option<Skew>,
        /// Nothing passes.
        cut: Option<Cut>,
        /// Messages suffer.
        link: Option<LinkFault>,
        /// A node becomes a member.
        join: Option<Admin>,
        /// A node is a member no more.
        leave: Option<Admin>,
        /// A node takes another's place.
        replace: Option<Replace>,
        /// One background round now.
        run: Option<RunTask>,
    }
    exactly_one ["at", "after"];
    exactly_one ["get", "put", "delete", "update", "inspect", "crash", "restart", "wipe", "pause", "slow", "disk_error", "skew", "cut", "link", "join", "leave", "replace", "run"];
    check check_step;
}

/// The one action of a step.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "each is the field of the same name")]
pub enum Action<'a> {
    Get(&'a Get),
    Put(&'a Put),
    Delete(&'a Delete),
    Update(&'a Update),
    Inspect(&'a Inspect),
    Crash(&'a Crash),
    Restart(&'a NodesOnly),
    Wipe(&'a Wipe),
    Pause(&'a NodesOnly),
    Slow(&'a Slow),
    DiskError(&'a DiskError),
    Skew(&'a Skew),
    Cut(&'a Cut),
    Link(&'a LinkFault),
    Join(&'a Admin),
    Leave(&'a Admin),
    Replace(&'a Replace),
    Run(&'a RunTask),
}

impl Step {
    /// The step's action: exactly one is there in a step that was decoded.
    pub fn action(&self) -> Action<'_> {
        let actions = [
            self.get.as_ref().map(Action::Get),
            self.put.as_ref().map(Action::Put),
            self.delete.as_ref().map(Action::Delete),
            self.update.as_ref().map(Action::Update),
            self.inspect.as_ref().map(Action::Inspect),
            self.crash.as_ref().map(Action::Crash),
            self.restart.as_ref().map(Action::Restart),
            self.wipe.as_ref().map(Action::Wipe),
            self.pause.as_ref().map(Action::Pause),
            self.slow.as_ref().map(Action::Slow),
            self.disk_error.as_ref().map(Action::DiskError),
            self.skew.as_ref().map(Action::Skew),
            self.cut.as_ref().map(Action::Cut),
            self.link.as_ref().map(Action::Link),
            self.join.as_ref().map(Action::Join),
            self.leave.as_ref().map(Action::Leave),
            self.replace.as_ref().map(Action::Replace),
            self.run.as_ref().map(Action::Run),
        ];
        actions.into_iter().flatten().next().expect("a decoded step has one action")
    }
}

impl Action<'_> {
    /// The field's name.
    pub fn name(self) -> &'static str {
        match self {
            Action::Get(_) => "get",
            Action::Put(_) => "put",
            Action::Delete(_) => "delete",
            Action::Update(_) => "update",
            Action::Inspect(_) => "inspect",
            Action::Crash(_) => "crash",
            Action::Restart(_) => "restart",
            Action::Wipe(_) => "wipe",
            Action::Pause(_) => "pause",
            Action::Slow(_) => "slow",
            Action::DiskError(_) => "disk_error",
            Action::Skew(_) => "skew",
            Action::Cut(_) => "cut",
            Action::Link(_) => "link",
            Action::Join(_) => "join",
            Action::Leave(_) => "leave",
            Action::Replace(_) => "replace",
            Action::Run(_) => "run",
        }
    }

    /// Whether a client does it.
    pub fn is_operation(self) -> bool {
        matches!(self, Action::Get(_) | Action::Put(_) | Action::Delete(_) | Action::Update(_))
    }

    /// Whether it is something that goes wrong.
    pub fn is_fault(self) -> bool {
        use Action::*;
        matches!(self, Crash(_) | Wipe(_) | Pause(_) | Slow(_) | DiskError(_) | Skew(_) | Cut(_) | Link(_))
    }

    /// Whether it may last: a fault that has an end.
    pub fn may_last(self) -> bool {
        self.is_fault() && !matches!(self, Action::Wipe(_))
    }
}

fn check_step(step: &Step, node: &Node, cx: &mut Errors) {
    let action = step.action();
    let origin = |name: &str| node.get(name).map_or(&node.origin, |field| &field.origin);
    let mut misplaced = |name: &str, given: bool, reason: &str| {
        if given {
            cx.within(name, |cx| cx.error(origin(name), format!("{reason} (the action is `{}`)", action.name())));
        }
    };
    misplaced("for", step.for_.is_some() && !action.may_last(), "only a fault that lasts has an end");
    misplaced("repeat", step.repeat.is_some() && !action.is_fault(), "only a fault is repeated");
    misplaced("client", step.client.is_some() && !action.is_operation(), "only an operation has a client");
    misplaced("draws", step.draws.is_some() && !action.is_operation(), "only an operation has draws");
    let may_expect = action.is_operation() || matches!(action, Action::Inspect(_));
    misplaced("expect", step.expect.is_some() && !may_expect, "only an operation or an inspect has an answer");
    if step.plus.is_some() && step.after.is_none() {
        cx.within("plus", |cx| cx.error(origin("plus"), "goes with `after`"));
    }
    if action.is_operation() && step.client.is_none() {
        cx.error(&node.origin, format!("field `client` is missing: `{}` is an operation", action.name()));
    }
    if let Some(expect) = &step.expect {
        check_expect(expect, action, node, cx);
    }
}

object! {
    /// A fault again and again.
    pub struct Repeat {
        /// From one beginning to the next.
        every: Span,
        /// How often in all.
        times: u32,
    }
}

object! {
    /// A read.
    pub struct Get {
        /// Of which key.
        key: String,
        /// The node that the client contacts.
        via: Option<Name>,
        /// Answers it waits for.
        r: Option<u32>,
        /// How far down the list it goes.
        n: Option<u32>,
        /// Whether stand-ins take part.
        quorum: Option<QuorumMode>,
        /// Until the client gives up.
        timeout: Option<OrNever>,
        /// Requests to all other nodes are lost.
        reaches: Option<Vec<Name>>,
        /// Exact fates of its messages.
        legs: Option<Legs>,
    }
    check check_get_legs;
}

object! {
    /// A write.
    pub struct Put {
        /// Of which key.
        key: String,
        /// What is written.
        value: ItemValue,
        /// The node that the client contacts.
        via: Option<Name>,
        /// Acks it waits for.
        w: Option<u32>,
        /// How far down the list it goes.
        n: Option<u32>,
        /// Whether stand-ins take part.
        quorum: Option<QuorumMode>,
        /// Until the client gives up.
        timeout: Option<OrNever>,
        /// Requests to all other nodes are lost.
        reaches: Option<Vec<Name>>,
        /// Exact fates of its messages.
        legs: Option<Legs>,
        /// What it carries; default: what the client saw last.
        context: PutContext = "last_seen",
    }
    check check_put_legs;
}

object! {
    /// A delete.
    pub struct Delete {
        /// Of which key.
        key: String,
        /// The node that the client contacts.
        via: Option<Name>,
        /// Acks it waits for.
        w: Option<u32>,
        /// How far down the list it goes.
        n: Option<u32>,
        /// Whether stand-ins take part.
        quorum: Option<QuorumMode>,
        /// Until the client gives up.
        timeout: Option<OrNever>,
        /// Requests to all other nodes are lost.
        reaches: Option<Vec<Name>>,
        /// Exact fates of its messages.
        legs: Option<Legs>,
        /// What it carries; default: what the client saw last.
        context: PutContext = "last_seen",
    }
    check check_delete_legs;
}

fn check_get_legs(get: &Get, node: &Node, cx: &mut Errors) {
    check_legs(get.legs.as_ref(), node, cx);
}
fn check_put_legs(put: &Put, node: &Node, cx: &mut Errors) {
    check_legs(put.legs.as_ref(), node, cx);
}
fn check_delete_legs(delete: &Delete, node: &Node, cx: &mut Errors) {
    check_legs(delete.legs.as_ref(), node, cx);
}

fn check_legs(legs: Option<&Legs>, node: &Node, cx: &mut Errors) {
    for name in legs.into_iter().flat_map(Map::names) {
        if super::Leg::from_word(name).is_none() {
            let place = node.get("legs").unwrap_or(node);
            let hint = super::super::errors::suggestion(name, super::Leg::ALL.iter().map(|leg| leg.word()));
            cx.within("legs", |cx| cx.within(name, |cx| cx.error(&place.origin, format!("unknown leg{hint}"))));
        }
    }
}

object! {
    /// Get, merge, put.
    pub struct Update {
        /// Of which key.
        key: String,
        /// Items that come into the set.
        add: Option<ItemValue>,
        /// Items that go out of the set.
        remove: Option<ItemValue>,
        /// How siblings become one.
        merge: Option<UpdateMerge>,
        /// The node that the client contacts.
        via: Option<Name>,
        /// Answers its get waits for.
        r: Option<u32>,
        /// Acks its put waits for.
        w: Option<u32>,
        /// Until the client gives up.
        timeout: Option<OrNever>,
    }
    exactly_one ["add", "remove"];
}

words! {
    /// How siblings become one in an update.
    pub enum UpdateMerge {
        /// All items.
        Union = "union",
        /// All items but those that were removed knowingly.
        OrSet = "or_set",
        /// The newest sibling.
        Newest = "newest",
        /// The first sibling.
        First = "first",
        /// What each added.
        Sum = "sum",
    }
}

/// What a scripted write carries.
#[derive(Clone, Debug, PartialEq)]
pub enum PutContext {
    /// The context of the client's last answer for the key.
    LastSeen,
    /// The context of the client's last read of the key.
    LastRead,
    /// Nothing: a blind put.
    None,
    /// The context that came back with this step's answer.
    Step(Name),
}

impl Decode for PutContext {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match node.as_text() {
            Some("last_seen") => Some(PutContext::LastSeen),
            Some("last_read") => Some(PutContext::LastRead),
            Some("none") => Some(PutContext::None),
            Some(text) => match parse_name(text) {
                Ok(name) => Some(PutContext::Step(name)),
                Err(message) => {
                    cx.error(&node.origin, message);
                    None
                }
            },
            None => {
                wrong(node, cx, "not a context", "\"last_seen\", \"last_read\", \"none\" or the name of a step");
                None
            }
        }
    }
    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string" })
    }
}

object! {
    /// A look inside.
    pub struct Inspect {
        /// At a key.
        key: Option<String>,
        /// At a node.
        node: Option<Name>,
    }
    exactly_one ["key", "node"];
}
