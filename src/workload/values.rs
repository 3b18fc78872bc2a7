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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ids::{ActorId, NodeId};
    use crate::version::{Clock, Dot, Parts, Scheme, WriteId};

    const CART: Data = Data::Set(MergeRule::SetUnion);
    const TALLY: Data = Data::Counter(MergeRule::CounterSum);

    fn fresh(number: u32, writer: u64) -> Fresh {
        Fresh { number, counted: Part { writer, added: 0, taken: 0 }, item: 0, size: 10 }
    }

    fn version(write: u32, value: &Value) -> Version {
        let dot = Dot { actor: ActorId::new(NodeId(write), 0), counter: 1 };
        Version::new(
            Scheme::Dotted,
            Parts {
                clock: Clock::new(),
                dot,
                evicted: Default::default(),
                scattered: Box::default(),
                kept: Box::default(),
                stamp: u64::from(write),
                value: value.clone(),
                size: 10,
                write: WriteId(u64::from(write)),
            },
        )
    }

    fn cart(items: &[u32]) -> Value {
        Value::Set(Arc::new(SetValue::from_items(items, u64::from(items[0]), MergeRule::SetUnion)))
    }

    #[test]
    fn an_update_of_a_cart_merges_siblings_and_adds_its_item() {
        let siblings = [version(1, &cart(&[1, 2])), version(2, &cart(&[2, 3]))];
        let made = make(CART, OperationKind::Update, &siblings, fresh(9, 0));
        assert_eq!(made.value.items().as_slice(), [1, 2, 3, 9]);
        assert_eq!((made.added, made.removed, made.size), (Some(9), None, 16), "4 items of 4 bytes are more than 10");
    }

    #[test]
    fn a_removal_takes_any_item_out() {
        let siblings = [version(1, &cart(&[1, 2, 3, 4]))];
        let mut counts = [0u32; 4];
        for number in 0..4_000u64 {
            let luck = crate::kernel::rng::Keyed::new(1).bits(crate::kernel::rng::Purpose::Item, number, 0);
            let made = make(CART, OperationKind::Remove, &siblings, Fresh { item: luck, ..fresh(9, 0) });
            let removed = made.removed.expect("there is something to take out");
            assert!(made.value.items().len() == 3 && !made.value.items().contains(&removed));
            counts[removed as usize - 1] += 1;
        }
        let sd = (4_000.0f64 * 0.25 * 0.75).sqrt();
        assert!(counts.iter().all(|&count| (f64::from(count) - 1000.0).abs() < 4.5 * sd), "{counts:?}");
    }

    #[test]
    fn nothing_is_taken_out_of_what_is_empty_or_deleted() {
        for seen in [vec![], vec![version(1, &Value::Tombstone)]] {
            let made = make(CART, OperationKind::Remove, &seen, fresh(9, 0));
            assert_eq!((made.removed, made.value.items().len()), (None, 0));
            assert!(matches!(made.value, Value::Set(_)), "what is written is an empty cart");
        }
    }

    #[test]
    fn a_put_looks_at_nothing_and_a_delete_leaves_nothing() {
        let seen = [version(1, &cart(&[1, 2]))];
        for operation in [OperationKind::Put, OperationKind::WriteThenRead] {
            assert_eq!(make(CART, operation, &seen, fresh(9, 0)).value.items().as_slice(), [9]);
            assert_eq!(make(TALLY, operation, &seen, fresh(9, 4)).value.total(), 1);
            let blob = make(Data::Blob(MergeRule::BlobNewest), operation, &seen, fresh(9, 0));
            assert_eq!((blob.value, blob.size), (Value::Blob(9), 10));
        }
        let deleted = make(CART, OperationKind::Delete, &seen, fresh(9, 0));
        assert_eq!((deleted.value, deleted.size), (Value::Tombstone, 0));
    }

    #[test]
    fn counters_of_siblings_add_up_and_go_up_and_down() {
        let value = |writer| Value::Counter(Arc::new(CounterValue::starting_at(writer, 5)));
        let siblings = [version(1, &value(1)), version(2, &value(2))];
        assert_eq!(make(TALLY, OperationKind::Update, &siblings, fresh(9, 1)).value.total(), 11);
        assert_eq!(make(TALLY, OperationKind::Remove, &siblings, fresh(9, 3)).value.total(), 9);
    }

    #[test]
    fn a_writers_own_books_make_up_for_a_stale_read() {
        let first = make(TALLY, OperationKind::Update, &[], fresh(1, 7)).value;
        let books = Part { writer: 7, added: 1, taken: 0 };
        let second = make(TALLY, OperationKind::Update, &[], Fresh { counted: books, ..fresh(2, 7) }).value;
        let merged = merge_values(MergeRule::CounterSum, &[version(1, &first), version(2, &second)]);
        assert_eq!(merged.total(), 2, "two increments are two, although the second did not see the first");
    }

    #[test]
    fn an_item_removed_from_an_observed_remove_set_does_not_come_back() {
        let data = Data::Set(MergeRule::SetOrSet);
        let full = make(data, OperationKind::Put, &[], fresh(5, 0)).value;
        let emptied = make(data, OperationKind::Remove, &[version(1, &full)], fresh(6, 0)).value;
        let siblings = [version(1, &full), version(2, &emptied)];
        assert_eq!(make(data, OperationKind::Update, &siblings, fresh(7, 0)).value.items().as_slice(), [7]);
        let union: Vec<u32> = {
            let emptied = make(CART, OperationKind::Remove, &[version(1, &cart(&[5]))], fresh(6, 0)).value;
            let siblings = [version(1, &cart(&[5])), version(2, &emptied)];
            make(CART, OperationKind::Update, &siblings, fresh(7, 0)).value.items().to_vec()
        };
        assert_eq!(union, [5, 7], "in a plain union it does (Dynamo §4.4)");
    }
}
