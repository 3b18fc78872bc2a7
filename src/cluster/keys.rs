//! The keys of a run: their names, places and first values.

use crate::kernel::ids::{ActorId, KeyId, NodeId};
use crate::kernel::rng::{Keyed, Purpose, tag};
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::membership::View;
use crate::version::{Clock, Dot, Entry, MergeRule, Parts, Scheme, SetValue, Value, Version, WriteId};
use crate::workload::config::Data;

use super::config::{FirstValue, KeyConfig, Literal, Place, RunConfig};

/// First values of the keys.
pub(super) struct KeyBook {
    /// What a key held at the start: known to every client.
    first: Vec<Option<Version>>,
}

impl KeyBook {
    /// Places the keys of the scenario and puts their first values on all their replicas.
    pub fn new(config: &RunConfig, commons: &mut Commons, view: &View, nodes: &mut [Node]) -> KeyBook {
        let placement = commons.placement(view);
        let n = u32::from(config.node.n);
        let mut book = KeyBook { first: Vec::new() };
        for key_config in &config.keys {
            let position = match key_config.place {
                Place::Hash => commons.layout.position(key_config.name.as_bytes()),
                Place::At(position) => position,
                Place::First(node) => commons
                    .layout
                    .position_owned_by(&placement.ring, node)
                    .expect("the scenario names a node that owns a range"),
            };
            let key = commons.keys.add(&commons.layout, position);
            let replicas = placement.ring.replicas_of(commons.keys.segment(key), n);
            let first = key_config.first.as_ref().map(|first| {
                let writer = replicas.first().copied().unwrap_or(NodeId(0));
                first_version(config, key, key_config, first, writer)
            });
            if let Some(version) = &first {
                for node in replicas {
                    nodes[node.index()].preload(commons, key, version);
                }
            }
            book.first.push(first);
        }
        book
    }

    /// A key that nobody has touched before.
    pub fn new_key(&mut self, commons: &mut Commons) -> KeyId {
        // Its name is its number: nobody else refers to it.
        let number = commons.keys.len();
        let mut name = *b"new-00000000";
        let hex = b"0123456789abcdef";
        for (place, digit) in name[4..].iter_mut().enumerate() {
            *digit = hex[(number >> (28 - 4 * place) & 0xf) as usize];
        }
        let position = commons.layout.position(&name);
        commons.keys.add(&commons.layout, position)
    }

    /// What the key held at the start.
    pub fn first(&self, key: KeyId) -> Option<&Version> {
        self.first.get(key.index()).and_then(Option::as_ref)
    }
}

/// The version a key holds at the start, as if written through this node.
fn first_version(
    config: &RunConfig,
    key: KeyId,
    key_config: &KeyConfig,
    first: &FirstValue,
    writer: NodeId,
) -> Version {
    let write = WriteId(1 << 63 | u64::from(key.0));
    let (value, size) = match first {
        FirstValue::Literal(literal) => {
            let value = literal_value(literal, write.0, MergeRule::SetUnion);
            let size = literal_size(config, literal);
            (value, size)
        }
        FirstValue::OfGroup(group) => {
            let group = &config.groups[group.index()];
            let bits = Keyed::new(config.seed).bits(Purpose::ValueSize, write.0, tag(0, 0, 0));
            let drawn = group.value_size.compile().sample(bits) as u32;
            let value = match group.data {
                Data::Blob(_) => Value::Blob(write.0),
                // A cart begins empty, a counter at 0.
                Data::Set(rule) => Value::Set(SetValue::from_items(&[], write.0, rule).into()),
                Data::Counter(_) => Value::Tombstone.with_amount(write.0, 0),
            };
            let size = drawn.max(value.bytes().unwrap_or(0));
            (value, size)
        }
    };
    debug_assert!(!key_config.name.is_empty(), "a key has a name");
    let actor = ActorId::new(writer, 0);
    let clock = match config.node.versioning.scheme {
        Scheme::VectorClock { .. } => Clock::from_entries([Entry { actor, counter: 1, at_ms: 0 }]),
        Scheme::Dotted | Scheme::LastWriteWins => Clock::new(),
    };
    Version::new(
        config.node.versioning.scheme,
        Parts {
            clock,
            dot: Dot { actor, counter: 1 },
            evicted: Default::default(),
            scattered: Box::default(),
            kept: Box::default(),
            stamp: 0,
            value,
            size,
            write,
        },
    )
}

/// A script's value as clients write it.
pub(super) fn literal_value(literal: &Literal, tag: u64, rule: MergeRule) -> Value {
    match literal {
        Literal::Text(text) => Value::Text(*text),
        Literal::Set(items) => Value::Set(SetValue::from_items(items, tag, rule).into()),
    }
}

/// Bytes of a script's value.
pub(super) fn literal_size(config: &RunConfig, literal: &Literal) -> u32 {
    let bytes = |text: u32| config.texts[text as usize].len() as u32;
    match literal {
        Literal::Text(text) => bytes(*text),
        Literal::Set(items) => items.iter().map(|&item| bytes(item) + 1).sum(),
    }
}
