//! Lines about messages: as they leave, and where they end if that says something new.

use serde_json::{Value as Json, json};
use smallvec::SmallVec;

use super::Trace;
use super::filter::{About, Kind};
use super::words::{cause, instant};
use crate::history::{Way, WayEnd};
use crate::kernel::ids::{KeyId, OpId};
use crate::kernel::time::SimTime;
use crate::network::{Class, Fate, Leg};
use crate::node::anti_entropy::ExchangeMessage;
use crate::node::message::Message;
use crate::node::transfer::TransferMessage;

/// Names one message on its way.
pub(super) type Waiting = (u32, u32, OpId, u16, Leg, SimTime);

fn waiting(way: Way, sent_at: SimTime) -> Waiting {
    (way.to.0, way.from.0, way.op, way.attempt, way.leg, sent_at)
}

/// The kind of line that a message makes.
fn kind_of(leg: Leg) -> Kind {
    match leg.class() {
        Class::Foreground => Kind::Messages,
        Class::Hint => Kind::Hints,
        Class::ReadRepair => Kind::Repair,
        Class::AntiEntropy | Class::Gossip | Class::Transfer => Kind::Background,
    }
}

/// The keys that a message names.
fn keys_of(message: &Message) -> SmallVec<[KeyId; 2]> {
    match message {
        Message::Get { key, .. }
        | Message::Put { key, .. }
        | Message::Read { key, .. }
        | Message::Write { key, .. }
        | Message::Repair { key, .. } => SmallVec::from_slice(&[*key]),
        Message::Hints { hints, .. } => hints.iter().map(|hint| hint.key).collect(),
        Message::Exchange(exchange) => match &**exchange {
            ExchangeMessage::Keys { items, .. } => items.iter().map(|(key, _)| *key).collect(),
            ExchangeMessage::Leaves { leaves, .. } => {
                leaves.iter().flat_map(|leaf| leaf.entries.iter().map(|entry| entry.key)).collect()
            }
            ExchangeMessage::Want(keys) => SmallVec::from_slice(keys),
            _ => SmallVec::new(),
        },
        Message::Transfer(transfer) => match &**transfer {
            TransferMessage::Batch { keys, .. } => keys.iter().map(|(key, _)| *key).collect(),
            _ => SmallVec::new(),
        },
        _ => SmallVec::new(),
    }
}

impl Trace<'_> {
    /// What a line about a message is about.
    fn about_message(&self, event: &'static str, way: Way, message: &Message) -> About {
        let op = (!way.op.is_background()).then_some(way.op);
        let mut about = About::new(kind_of(way.leg), event).op(op);
        about.keys.extend(keys_of(message));
        about.nodes.extend([way.from, way.to].into_iter().filter_map(|end| end.as_node()));
        about
    }

    fn message_fields(&self, about: &About, way: Way) -> (String, Vec<(&'static str, Json)>) {
        let names = self.words.names();
        let (from, to) = (names.end(way.from), names.end(way.to));
        let who = format!("{from} -> {to}");
        let mut fields = vec![("from", json!(from)), ("to", json!(to)), ("leg", json!(way.leg.name()))];
        match about.keys.as_slice() {
            [] => fields.extend(about.op.and_then(|op| self.recent.key(op)).map(|key| ("key", json!(self.key(key))))),
            [key] => fields.push(("key", json!(self.key(*key)))),
            keys => fields.push(("keys", json!(keys.iter().map(|key| self.key(*key)).collect::<Vec<_>>()))),
        }
        if way.attempt > 0 {
            fields.push(("attempt", json!(way.attempt)));
        }
        (who, fields)
    }

    fn message_text(&self, way: Way, message: &Message) -> String {
        let key = if way.op.is_background() { None } else { self.recent.key(way.op) };
        let again = match (way.leg, way.attempt) {
            (Leg::ClientRequest, 1..) => format!(", try {}", way.attempt + 1),
            _ => String::new(),
        };
        let had_it = match (message, way.from.as_node()) {
            (Message::WriteAck { stored: true, .. }, Some(node)) if !self.recent.may_be_stored(way.op, node) => {
                ", nothing new to it"
            }
            _ => "",
        };
        self.words.message(message, key) + &again + had_it
    }

    pub(super) fn on_sent(&mut self, now: SimTime, way: Way, message: &Message, fate: Fate) {
        // What a node says to itself goes over no wire.
        let about = self.about_message("sent", way, message).detail(way.from == way.to);
        if !self.wants(now, &about) {
            return;
        }
        if way.leg == Leg::ClientRequest && self.held.as_ref().is_some_and(|(op, _)| *op == way.op) {
            self.held = None;
        }
        let (who, mut fields) = self.message_fields(&about, way);
        let what = self.message_text(way, message);
        let fate = match fate {
            Fate::Deliver(at) => {
                fields.push(("arrives_ms", json!(at.as_ms())));
                format!("arrives {}", instant(at))
            }
            Fate::Twice(first, second) => {
                fields.push(("arrives_ms", json!(first.as_ms())));
                fields.push(("arrives_again_ms", json!(second.as_ms())));
                format!("arrives {} and again {}", instant(first), instant(second))
            }
            Fate::Lost(why) => {
                fields.push(("lost", json!(cause(why))));
                format!("LOST: {}", cause(why))
            }
        };
        let op = self.op_name(&about);
        self.say_as(now, &about, who, op, format!("{what}  ({fate})"), fields);
    }

    pub(super) fn on_arrived(&mut self, now: SimTime, way: Way, sent_at: SimTime, message: &Message, end: WayEnd) {
        let has_waited = match end {
            WayEnd::ReceiverPaused => {
                self.waiting.insert(waiting(way, sent_at));
                false
            }
            WayEnd::Taken | WayEnd::ReceiverDown => {
                !self.waiting.is_empty() && self.waiting.remove(&waiting(way, sent_at))
            }
            WayEnd::Stopped => false,
        };
        let about = self.about_message("arrived", way, message).detail(end == WayEnd::Taken && !has_waited);
        if !self.wants(now, &about) {
            return;
        }
        let (who, mut fields) = self.message_fields(&about, way);
        let to = self.words.names().end(way.to);
        let (word, what) = match end {
            WayEnd::Taken if has_waited => ("taken", format!("taken, {to} goes on")),
            WayEnd::Taken => ("taken", "taken".to_string()),
            WayEnd::Stopped => ("stopped", "LOST, cut on its way".to_string()),
            WayEnd::ReceiverDown => ("receiver_down", format!("LOST, {to} is down")),
            WayEnd::ReceiverPaused => ("receiver_paused", format!("waits, {to} is paused")),
        };
        fields.extend([("end", json!(word)), ("sent_ms", json!(sent_at.as_ms()))]);
        let text = format!("{}  ({what})", self.message_text(way, message));
        let op = self.op_name(&about);
        self.say_as(now, &about, who, op, text, fields);
    }
}
