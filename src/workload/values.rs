//! How a client makes the value that it writes, from the siblings that it has seen (Dynamo §4.4).
//!
//! Pure functions: what is unique in a run is handed in.

use std::sync::Arc;

use crate::version::{CounterValue, MergeRule, SetValue, Value, Version, merge_values};

use super::config::{Data, OperationKind};
use super::session::scale;

pub use crate::version::value::Part;

/// What tells one write from all others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fresh {
    /// Unique to the write within the run: the item it adds, the blob it writes.
    pub number: u32,
    /// What the writer (its session, say) has counted up and down on this key so far, by its own books:
    /// a read may be stale and not show all of it.
    pub counted: Part,
    /// 64 fair bits that choose the item a removal takes out, see [`super::session::Planned::item`].
    pub item: u64,
    /// Bytes drawn for the value; it may have more inside.
    pub size: u32,
}

/// A value ready to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Made {
    /// The value.
    pub value: Value,
    /// Its bytes.
    pub size: u32,
    /// The item that a set has more than what was read.
    pub added: Option<u32>,
    /// The item that it has less.
    pub removed: Option<u32>,
}

/// Makes the value of a write. Only `Update` and `Remove` look at what was read.
///
/// An update adds the write's own item to a set, or one to a counter. A removal takes any item out of a set,
/// if it has one, or one off a counter. Blobs have no inside: both write a new one.
///
/// # Panics
/// If the operation is a read.
pub fn make(data: Data, operation: OperationKind, seen: &[Version], fresh: Fresh) -> Made {
    let (number, rule) = (fresh.number, data.merge());
    let (mut added, mut removed) = (None, None);
    let value = match (operation, data) {
        (OperationKind::Get, _) => panic!("a read writes nothing"),
        (OperationKind::Delete, _) => Value::Tombstone,
        (_, Data::Blob(_)) => Value::Blob(u64::from(number)),
        (OperationKind::Put | OperationKind::WriteThenRead, Data::Set(_)) => {
            added = Some(number);
            Value::Set(Arc::new(SetValue::from_items(&[number], u64::from(number), rule)))
        }
        (OperationKind::Update, Data::Set(_)) => {
            added = Some(number);
            merge_values(rule, seen).with_item(number, u64::from(number), rule)
        }
        (OperationKind::Remove, Data::Set(_)) => {
            let merged = merge_values(rule, seen);
            removed = any_item(&merged, fresh.item);
            match removed {
                Some(item) => merged.without_item(item, rule),
                None => empty_if_deleted(merged, rule),
            }
        }
        (OperationKind::Put | OperationKind::WriteThenRead, Data::Counter(_)) => {
            Value::Counter(Arc::new(CounterValue::starting_at(fresh.counted.writer, 1)))
        }
        (OperationKind::Update, Data::Counter(_)) => counted(&merge_values(rule, seen), fresh.counted, 1),
        (OperationKind::Remove, Data::Counter(_)) => counted(&merge_values(rule, seen), fresh.counted, -1),
    };
    let size = match operation {
        OperationKind::Delete => 0,
        _ => fresh.size.max(value.bytes().unwrap_or(0)),
    };
    Made { value, size, added, removed }
}

/// Any item of a set, chosen by fair bits.
fn any_item(value: &Value, bits: u64) -> Option<u32> {
    let items = value.items();
    items.get(scale(bits, items.len() as u64) as usize).copied()
}

/// The set itself; what is none becomes an empty one.
fn empty_if_deleted(value: Value, rule: MergeRule) -> Value {
    match value {
        Value::Set(_) => value,
        _ => Value::Set(Arc::new(SetValue::from_items(&[], 0, rule))),
    }
}

/// A counter with one step more of a writer who has counted so far already.
fn counted(read: &Value, so_far: Part, step: i64) -> Value {
    let mut counter = match read {
        Value::Counter(counter) => (**counter).clone(),
        _ => CounterValue::default(),
    };
    counter.set_part(so_far);
    counter.add(so_far.writer, step);
    Value::Counter(Arc::new(counter))
}
