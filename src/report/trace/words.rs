//! What values, versions, messages and faults are called in a line.

use super::names::{Names, clean};
use crate::cluster::config::{Action, Fault, RunConfig, WipeWhat};
use crate::kernel::ids::{KeyId, NodeId};
use crate::kernel::time::{SimTime, Span};
use crate::network::{CutSpec, EndSet, LossCause};
use crate::node::anti_entropy::ExchangeMessage;
use crate::node::config::StampClock;
use crate::node::gossip::GossipMessage;
use crate::node::message::{Message, Outcome};
use crate::node::outputs::{Admin, Task};
use crate::node::replica::{DiskFate, FailingAccess};
use crate::node::transfer::TransferMessage;
use crate::version::{Scheme, Value, Version};

/// Things of one kind that are named one by one; of more, the rest is counted.
const NAMED: usize = 6;

/// Words for what happens in one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a> {
    config: &'a RunConfig,
    names: Names<'a>,
}

/// An instant in milliseconds, down to the microsecond.
pub(super) fn instant(at: SimTime) -> String {
    format!("{}.{:03}", at.0 / 1_000_000, at.0 / 1_000 % 1_000)
}

/// A length of time in milliseconds, down to the microsecond.
pub(super) fn length(span: Span) -> String {
    let ns = span.0 % 1_000_000;
    if ns == 0 {
        return format!("{} ms", span.0 / 1_000_000);
    }
    format!("{}.{:03} ms", span.0 / 1_000_000, ns / 1_000)
}

/// So many things, in the right number.
pub(super) fn things(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

fn listed(items: impl ExactSizeIterator<Item = String>, separator: &str) -> String {
    let count = items.len();
    let mut text = items.take(NAMED).collect::<Vec<_>>().join(separator);
    if count > NAMED {
        text.push_str(&format!("{separator}… {} more", count - NAMED));
    }
    text
}

/// How an operation ended.
pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Timeout => "timeout",
        Outcome::TooFewReplicas => "too few replicas",
        Outcome::NoCoordinator => "no coordinator",
        Outcome::Refused => "refused",
    }
}

/// Why a message never arrives.
pub(super) fn cause(cause: LossCause) -> &'static str {
    match cause {
        LossCause::Chance => "chance",
        LossCause::Cut => "cut",
        LossCause::Script => "script",
    }
}

impl<'a> Words<'a> {
    pub fn new(config: &'a RunConfig) -> Words<'a> {
        Words { config, names: Names::new(config) }
    }

    pub fn names(&self) -> &Names<'a> {
        &self.names
    }

    pub fn value(&self, value: &Value) -> String {
        let text = |number: u32| self.config.texts.get(number as usize);
        match value {
            Value::Tombstone => "deleted".into(),
            Value::Blob(number) if number >> 63 == 1 => "first value".into(),
            Value::Blob(number) => format!("#{number}"),
            Value::Text(number) => text(*number).map_or_else(|| format!("#{number}"), |text| clean(text)),
            Value::Set(_) => {
                let items = value.items();
                let name = |item: &u32| text(*item).map_or_else(|| format!("#{item}"), |text| clean(text));
                format!("[{}]", listed(items.iter().map(name), ", "))
            }
            Value::Counter(_) => value.total().to_string(),
        }
    }

    fn clock(&self, version: &Version) -> String {
        let actor = |actor: crate::kernel::ids::ActorId| match actor.epoch() {
            0 => self.names.node(actor.node()),
            epoch => format!("{}'{epoch}", self.names.node(actor.node())),
        };
        let entries = version.clock().entries().iter();
        let clock = entries.map(|entry| format!("{}: {}", actor(entry.actor), entry.counter));
        let dot = version.dot();
        match self.config.node.versioning.scheme {
            Scheme::VectorClock { .. } => format!("{{{}}}", clock.collect::<Vec<_>>().join(", ")),
            Scheme::Dotted => {
                let past = clock.collect::<Vec<_>>().join(", ");
                let past = if past.is_empty() { String::new() } else { format!(" after {{{past}}}") };
                format!("{}:{}{past}", actor(dot.actor), dot.counter)
            }
            Scheme::LastWriteWins => match self.config.node.versioning.stamp {
                StampClock::Lamport => format!("stamped {} by {}", version.stamp(), actor(dot.actor)),
                StampClock::Node | StampClock::Client => {
                    format!("stamped {} by {}", instant(SimTime(version.stamp())), actor(dot.actor))
                }
            },
        }
    }

    /// A version: its value and what it has seen.
    pub fn version(&self, version: &Version) -> String {
        format!("{} {}", self.value(version.value()), self.clock(version))
    }

    pub fn versions(&self, versions: &[Version]) -> String {
        if versions.is_empty() {
            return "nothing".into();
        }
        listed(versions.iter().map(|version| self.version(version)), " | ")
    }

    /// What a client had seen when it wrote; nothing is said where it does not count, or if there is nothing.
    pub fn context(&self, context: &[Version], begins: &str) -> String {
        match (self.config.node.versioning.scheme, context) {
            (Scheme::LastWriteWins, _) => String::new(),
            (_, []) => String::new(),
            _ => {
                let clocks = context.iter().map(|version| self.clock(version));
                format!(", {begins} {}", listed(clocks, " | "))
            }
        }
    }

    fn keys(&self, keys: impl ExactSizeIterator<Item = KeyId>) -> String {
        listed(keys.map(|key| self.names.key(key)), ", ")
    }

    fn is_version(&self, key: KeyId, version: &Version) -> String {
        format!("{} = {}", self.names.key(key), self.version(version))
    }

    /// What a message says. `key` is that of its operation, for answers that do not repeat it.
    pub fn message(&self, message: &Message, key: Option<KeyId>) -> String {
        let name = |key: KeyId| self.names.key(key);
        let of = key.map_or(String::new(), |key| format!(" {}", name(key)));
        match message {
            Message::Get { key, .. } => format!("get {}", name(*key)),
            Message::Put { key, put, forwarded, .. } => {
                let what = match &put.value {
                    Value::Tombstone => format!("delete {}", name(*key)),
                    value => format!("put {} = {}", name(*key), self.value(value)),
                };
                let passes = if *forwarded == crate::node::message::RequestId::NONE { "" } else { "passes on: " };
                format!("{passes}{what}{}", self.context(&put.context, "context"))
            }
            Message::ForwardAck { .. } => "takes the write over".into(),
            Message::GetReply { outcome: Outcome::Ok, siblings, .. } => {
                format!("answer: {}", self.versions(siblings))
            }
            Message::PutReply { outcome: Outcome::Ok, version } => {
                let version = version.as_ref().map_or(String::new(), |version| format!(", {}", self.version(version)));
                format!("answer: ok{version}")
            }
            Message::GetReply { outcome: how, .. } | Message::PutReply { outcome: how, .. } => {
                format!("answer: {}", outcome(*how))
            }
            Message::Read { key, .. } => format!("read request {}", name(*key)),
            Message::ReadReply { siblings: Some(siblings), .. } => {
                format!("read response{of}: {}", self.versions(siblings))
            }
            Message::ReadReply { siblings: None, .. } => format!("read response{of}: the disk failed"),
            Message::Write { key, owner, durable, version, .. } => {
                let owner = owner.map_or(String::new(), |owner| format!(", as a hint for {}", self.names.node(owner)));
                let durable = if *durable { ", to disk at once" } else { "" };
                format!("write request {}{owner}{durable}", self.is_version(*key, version))
            }
            Message::WriteAck { stored: true, .. } => format!("write ack{of}"),
            Message::WriteAck { stored: false, .. } => format!("write ack{of}: not stored, the disk failed"),
            Message::Repair { key, version, .. } => format!("read repair {}", self.is_version(*key, version)),
            Message::RepairAck { .. } => format!("read repair{of}: taken"),
            Message::Hints { hints, .. } => {
                let each = hints.iter().map(|hint| self.is_version(hint.key, &hint.version));
                format!("hands over {}: {}", things(hints.len(), "hint"), listed(each, ", "))
            }
            Message::HintsAck { .. } => "has stored the hints".into(),
            Message::Exchange(exchange) => format!("anti-entropy: {}", self.exchange(exchange)),
            Message::Transfer(transfer) => format!("transfer: {}", self.transfer(transfer)),
            Message::Gossip(gossip) => format!("gossip: {}", self.gossip(gossip)),
            Message::Probe { .. } => "probe: are you there?".into(),
            Message::ProbeAck => "probe: I am".into(),
            Message::Heartbeat => "heartbeat".into(),
        }
    }

    fn exchange(&self, exchange: &ExchangeMessage) -> String {
        match exchange {
            ExchangeMessage::Roots(roots) => format!("roots of {}", things(roots.len(), "range")),
            ExchangeMessage::Children { level, branches, .. } => {
                let nodes: usize = branches.iter().map(|branch| branch.nodes.len()).sum();
                format!("{} of level {level} differ", things(nodes, "tree node"))
            }
            ExchangeMessage::Leaves { leaves, .. } => format!("{} differ", things(leaves.len(), "leaf range")),
            ExchangeMessage::Keys { items, .. } => {
                let each = items
                    .iter()
                    .map(|(key, versions)| format!("{} = {}", self.names.key(*key), self.versions(versions)));
                format!("sends {}: {}", things(items.len(), "key"), listed(each, ", "))
            }
            ExchangeMessage::Taken { .. } => "has stored them".into(),
            ExchangeMessage::Want(keys) if keys.is_empty() => "wants what else there is".into(),
            ExchangeMessage::Want(keys) => format!("wants {}", self.keys(keys.iter().copied())),
            ExchangeMessage::Done => "done".into(),
        }
    }

    fn transfer(&self, transfer: &TransferMessage) -> String {
        match transfer {
            TransferMessage::Offer { segments, .. } => format!("offers {}", things(segments.len(), "range")),
            TransferMessage::Confirm { segments, .. } => format!("wants {}", things(segments.len(), "range")),
            TransferMessage::OnTheWay { segments, .. } => {
                format!("{} on the way", things(segments.len(), "range"))
            }
            TransferMessage::Batch { keys, done, .. } => {
                let whole = if done.is_empty() {
                    String::new()
                } else {
                    format!(", {} whole with it", things(done.len(), "range"))
                };
                format!("sends {}{whole}", things(keys.len(), "key"))
            }
            TransferMessage::Ack { .. } => "has stored them".into(),
            TransferMessage::Leftover(_) => "about data left over".into(),
        }
    }

    fn gossip(&self, gossip: &GossipMessage) -> String {
        match gossip {
            GossipMessage::Tell { both_ways: true, .. } => "tells its view, and asks".into(),
            GossipMessage::Tell { .. } => "tells its view".into(),
            GossipMessage::Ask { .. } => "asks for news".into(),
            GossipMessage::Answer { .. } => "answers with its view".into(),
            GossipMessage::Rumours { rumours, .. } => format!("tells {}", things(rumours.len(), "rumour")),
        }
    }

    /// An administrator's command.
    pub fn command(&self, command: Admin) -> String {
        match command {
            Admin::Join(node) => format!("{} joins", self.names.node(node)),
            Admin::Leave(node) => format!("{} leaves", self.names.node(node)),
            Admin::Replace { old, new } => {
                format!("{} takes the place of {}", self.names.node(new), self.names.node(old))
            }
        }
    }

    /// What a step does, unless it is an operation: those speak for themselves.
    pub fn action(&self, action: &Action) -> Option<String> {
        Some(match action {
            Action::Operation(_) => return None,
            Action::Inspect(_) => "looks inside".into(),
            Action::Fault(fault) => self.fault(fault),
            Action::Restart(nodes) => format!("starts {} again", self.names.nodes(nodes)),
            Action::Admin { command, via } => {
                format!("{}, as {} is told", self.command(*command), self.names.node(*via))
            }
            Action::Run { task, node, with } => {
                let task = match task {
                    Task::Gossip => "gossips",
                    Task::AntiEntropy => "begins anti-entropy",
                    Task::Hints => "looks through its hints",
                };
                let with = with.map_or(String::new(), |with| format!(" with {}", self.names.node(with)));
                format!("{} {task}{with}", self.names.node(*node))
            }
        })
    }

    fn fault(&self, fault: &Fault) -> String {
        let all = |nodes: &[NodeId]| listed(nodes.iter().map(|node| self.names.node(*node)), ", ");
        match fault {
            Fault::Crash { nodes, disk } => {
                let disk = match disk {
                    DiskFate::Kept => "",
                    DiskFate::TailLost => ", what was not flushed is lost",
                    DiskFate::Lost => ", disk lost",
                };
                format!("crash of {}{disk}", all(nodes))
            }
            Fault::Wipe { nodes, what } => {
                let what = match what {
                    WipeWhat::Keys(keys) => self.keys(keys.iter().copied()),
                    WipeWhat::Fraction(share) => format!("{}% of the keys", share * 100.0),
                    WipeWhat::All => "everything".into(),
                };
                format!("{} loses {what}", all(nodes))
            }
            Fault::Pause { nodes } => format!("pause of {}", all(nodes)),
            Fault::Slow { nodes, storage, network } => {
                let times = |what: &str, times: f64| match times {
                    1.0 => String::new(),
                    times => format!(", {what} {times} times slower"),
                };
                format!("{} slow{}{}", all(nodes), times("storage", *storage), times("network", *network))
            }
            Fault::DiskError { nodes, on, chance } => {
                let on = match on {
                    FailingAccess::Read => "reads",
                    FailingAccess::Write => "writes",
                    FailingAccess::Both => "reads and writes",
                };
                format!("disk of {} fails {}% of {on}", all(nodes), chance * 100.0)
            }
            Fault::Skew { nodes, by } => {
                let ahead = if *by < 0 { "behind" } else { "ahead" };
                format!("clock of {} {} {ahead}", all(nodes), length(Span(by.unsigned_abs())))
            }
            Fault::Cut(cuts) => {
                let each = cuts.iter().map(|cut| format!("cut {}", self.ends(cut)));
                listed(each, " and ")
            }
            Fault::Link { ends, degrade } => {
                let mut how = Vec::new();
                if degrade.loss > 0.0 {
                    how.push(format!("loses {}%", degrade.loss * 100.0));
                }
                if degrade.duplicate > 0.0 {
                    how.push(format!("doubles {}%", degrade.duplicate * 100.0));
                }
                if degrade.slower != 1.0 {
                    how.push(format!("{} times slower", degrade.slower));
                }
                if how.is_empty() {
                    how.push("slower".into());
                }
                format!("link {}: {}", self.ends(ends), how.join(", "))
            }
        }
    }

    fn ends(&self, cut: &CutSpec) -> String {
        match cut {
            CutSpec::Between(sets) => {
                let sets = sets.iter().map(|set| self.set(set)).collect::<Vec<_>>();
                format!("between {}", sets.join(" | "))
            }
            CutSpec::OneWay { from, to } => format!("from {} to {}", self.set(from), self.set(to)),
        }
    }

    fn set(&self, set: &EndSet) -> String {
        let groups: Vec<&str> = crate::report::play::group_names(self.config).collect();
        let regions = set.regions.iter().filter_map(|at| self.config.region_names.get(*at as usize).cloned());
        let clients = set.groups.iter().filter_map(|group| groups.get(group.index()).map(|name| name.to_string()));
        let nodes = set.nodes.iter().map(|node| self.names.node(*node));
        let all: Vec<String> = regions.chain(nodes).chain(clients).collect();
        listed(all.into_iter(), ", ")
    }
}
