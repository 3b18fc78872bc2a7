//! Items that were taken out of sets, and whether they come back.

use std::collections::{BTreeMap, BTreeSet};

use super::ghost::Event;
use crate::kernel::ids::KeyId;
use crate::kernel::time::SimTime;
use crate::version::{MergeRule, Siblings, Value, Version, merge_values};

/// Removals that are remembered.
const REMEMBERED: usize = 1 << 16;

/// Items taken out, by key.
#[derive(Default)]
pub(super) struct Items {
    /// By write that is not acknowledged yet: what it takes out.
    pending: BTreeMap<(KeyId, Event), Vec<u32>>,
    /// When the removal was acknowledged.
    removed: BTreeMap<(KeyId, u32), SimTime>,
}

/// What a client finds in these siblings: all items, less those that an observed-remove set has seen removed.
fn items_of(versions: &[Version]) -> BTreeSet<u32> {
    merge_values(MergeRule::SetUnion, versions).items().into_iter().collect()
}

impl Items {
    /// A write was made from a context: what it adds is in the set again, what it lacks it takes out.
    pub fn made(&mut self, key: KeyId, event: Event, version: &Version, context: &Siblings) {
        if !matches!(version.value(), Value::Set(_)) {
            return;
        }
        let (before, after) = (items_of(context), items_of(std::slice::from_ref(version)));
        for &added in after.difference(&before) {
            self.removed.remove(&(key, added));
        }
        let taken_out: Vec<u32> = before.difference(&after).copied().collect();
        if !taken_out.is_empty() && self.pending.len() < REMEMBERED {
            self.pending.insert((key, event), taken_out);
        }
    }

    /// The write was acknowledged.
    pub fn acked(&mut self, now: SimTime, key: KeyId, event: Event) {
        for item in self.pending.remove(&(key, event)).unwrap_or_default() {
            if self.removed.len() < REMEMBERED {
                self.removed.insert((key, item), now);
            }
        }
    }

    /// How many items a read shows that had been taken out before it was sent. Each return counts once.
    pub fn returned(&mut self, key: KeyId, sent_at: SimTime, read: &Siblings) -> u64 {
        if self.removed.is_empty() || !read.iter().any(|version| matches!(version.value(), Value::Set(_))) {
            return 0;
        }
        let shown = items_of(read);
        let before = self.removed.len();
        self.removed.retain(|&(of, item), &mut at| !(of == key && at <= sent_at && shown.contains(&item)));
        (before - self.removed.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ids::ActorId;
    use crate::version::{Scheme, SetValue, Write, WriteId, coordinate, reconcile};

    const KEY: KeyId = KeyId(3);

    fn set(number: u64, items: &[u32]) -> Version {
        let write = Write {
            actor: ActorId(0),
            now_ms: 0,
            stamp: number,
            value: Value::Set(SetValue::from_items(items, 0, MergeRule::SetUnion).into()),
            size: 1,
            write: WriteId(number),
            issued: number as u32,
        };
        coordinate(Scheme::Dotted, &[], &[], write)
    }

    #[test]
    fn an_item_returns_once_and_only_to_reads_sent_after_its_removal_was_acknowledged() {
        let (full, less) = (Siblings::one(set(1, &[1, 2])), set(2, &[1]));
        let mut items = Items::default();
        items.made(KEY, (0, 1), &less, &full);
        assert_eq!(items.returned(KEY, SimTime(90), &full), 0, "nobody has acknowledged the removal");
        items.acked(SimTime(50), KEY, (0, 1));
        assert_eq!(items.returned(KEY, SimTime(49), &full), 0, "the read was sent before");
        assert_eq!(items.returned(KEY, SimTime(50), &Siblings::one(less)), 0, "it is not there");
        assert_eq!(items.returned(KeyId(4), SimTime(50), &full), 0, "another key's");
        assert_eq!(items.returned(KEY, SimTime(50), &full), 1);
        assert_eq!(items.returned(KEY, SimTime(60), &full), 0, "one return counts once");
    }

    #[test]
    fn an_item_that_a_sibling_knows_to_be_removed_is_not_shown() {
        let version = |number, set| {
            let write = Write {
                actor: ActorId(number as u32),
                now_ms: 0,
                stamp: number,
                value: set,
                size: 1,
                write: WriteId(number),
                issued: 1,
            };
            coordinate(Scheme::Dotted, &[], &[], write)
        };
        let rule = MergeRule::SetOrSet;
        let full = Value::Set(SetValue::from_items(&[1], 0, rule).into());
        let (more, less) = (version(2, full.with_item(2, 9, rule)), version(3, full.without_item(1, rule)));
        let mut items = Items::default();
        items.made(KEY, (0, 1), &less, &Siblings::one(version(1, full)));
        items.acked(SimTime(50), KEY, (0, 1));
        let both = reconcile(Scheme::Dotted, [&[more.clone()][..], &[less][..]]);
        assert_eq!(items.returned(KEY, SimTime(60), &both), 0, "one of the two says that it is removed");
        assert_eq!(items.returned(KEY, SimTime(60), &Siblings::one(more)), 1, "alone the other shows it");
    }

    #[test]
    fn an_item_that_is_added_again_has_not_returned() {
        let (full, less) = (Siblings::one(set(1, &[1, 2])), set(2, &[1]));
        let mut items = Items::default();
        items.made(KEY, (0, 1), &less, &full);
        items.acked(SimTime(50), KEY, (0, 1));
        items.made(KEY, (0, 2), &set(3, &[1, 2]), &Siblings::one(less));
        assert_eq!(items.returned(KEY, SimTime(60), &full), 0);
    }
}
