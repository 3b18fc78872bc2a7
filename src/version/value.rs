//! What is written under a key, and how a client merges siblings (Dynamo §4.4, semantic reconciliation).
//!
//! Blobs have no inside; sets are the shopping carts of the paper; counters are added up. Replicas never look
//! in here: merging is the client's business.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Version;

/// A value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Deleted.
    Tombstone,
    /// Bytes without meaning, told apart by a number.
    Blob(u64),
    /// Text of a scenario, interned by the caller.
    Text(u32),
    /// A set.
    Set(Arc<SetValue>),
    /// A counter.
    Counter(Arc<CounterValue>),
}

impl Value {
    /// Bytes that the value takes, where its content decides: 4 an item, 12 a tag, 20 a counter's part.
    /// `None` for blobs and texts, whose size the workload names.
    pub fn bytes(&self) -> Option<u32> {
        match self {
            Value::Tombstone => Some(0),
            Value::Blob(_) | Value::Text(_) => None,
            Value::Set(set) => Some(set.bytes()),
            Value::Counter(counter) => Some(20 * counter.parts.len() as u32),
        }
    }

    /// The items, if this is a set; none otherwise.
    pub fn items(&self) -> SmallVec<[u32; 8]> {
        match self {
            Value::Set(set) => set.items(),
            _ => SmallVec::new(),
        }
    }

    /// The total, if this is a counter; 0 otherwise.
    pub fn total(&self) -> i64 {
        match self {
            Value::Counter(counter) => counter.total(),
            _ => 0,
        }
    }

    /// This set with one item more. Anything else counts as an empty set. `tag` is unique to the addition
    /// (the write's number, say); only the OR-set looks at it.
    pub fn with_item(&self, item: u32, tag: u64, rule: MergeRule) -> Value {
        let mut set = self.to_set(rule);
        set.add(item, tag);
        Value::Set(Arc::new(set))
    }

    /// This set with one item less.
    pub fn without_item(&self, item: u32, rule: MergeRule) -> Value {
        let mut set = self.to_set(rule);
        set.remove(item);
        Value::Set(Arc::new(set))
    }

    /// This counter with `amount` added by `writer`. Anything else counts as 0.
    pub fn with_amount(&self, writer: u64, amount: i64) -> Value {
        let mut counter = match self {
            Value::Counter(counter) => (**counter).clone(),
            _ => CounterValue::default(),
        };
        counter.add(writer, amount);
        Value::Counter(Arc::new(counter))
    }

    fn to_set(&self, rule: MergeRule) -> SetValue {
        match self {
            Value::Set(set) if rule == MergeRule::SetOrSet => set.tagged(),
            Value::Set(set) => (**set).clone(),
            _ if rule == MergeRule::SetOrSet => SetValue::Tagged(Tags::default()),
            _ => SetValue::Plain(Vec::new()),
        }
    }
}

/// A set of items.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetValue {
    /// The items, sorted.
    Plain(Vec<u32>),
    /// An observed-remove set: additions, each with a tag of its own, and the tags of removed ones.
    Tagged(Tags),
}

/// The inside of an observed-remove set (Shapiro et al. 2011).
///
/// A removal names the additions that it has seen. An addition that it has not seen survives it, and a
/// removed item does not come back by a merge with an older sibling.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tags {
    /// (item, tag), sorted; only those not removed.
    added: Vec<(u32, u64)>,
    /// (item, tag) of removed additions, sorted. They are never forgotten.
    removed: Vec<(u32, u64)>,
}

impl SetValue {
    /// A set of these items, in any order; `tag` of the i-th is `tag + i` where the rule needs one.
    pub fn from_items(items: &[u32], tag: u64, rule: MergeRule) -> SetValue {
        let mut set = Value::Tombstone.to_set(rule);
        for (i, &item) in items.iter().enumerate() {
            set.add(item, tag + i as u64);
        }
        set
    }

    /// The same items with a tag each. Those of a plain set, which a script or a first value brings, all get tag 0: who
    /// removes one on one branch removes it on all.
    fn tagged(&self) -> SetValue {
        match self {
            SetValue::Plain(items) => {
                SetValue::Tagged(Tags { added: items.iter().map(|&item| (item, 0)).collect(), removed: Vec::new() })
            }
            SetValue::Tagged(_) => self.clone(),
        }
    }

    /// The items, sorted.
    pub fn items(&self) -> SmallVec<[u32; 8]> {
        match self {
            SetValue::Plain(items) => SmallVec::from_slice(items),
            SetValue::Tagged(tags) => {
                let mut items: SmallVec<[u32; 8]> = tags.added.iter().map(|&(item, _)| item).collect();
                items.dedup();
                items
            }
        }
    }

    /// Whether the item is in the set.
    pub fn contains(&self, item: u32) -> bool {
        match self {
            SetValue::Plain(items) => items.binary_search(&item).is_ok(),
            SetValue::Tagged(tags) => tags.added.iter().any(|&(added, _)| added == item),
        }
    }

    /// Adds an item under a tag that no other addition has.
    pub fn add(&mut self, item: u32, tag: u64) {
        match self {
            SetValue::Plain(items) => insert_sorted(items, item),
            SetValue::Tagged(tags) => insert_sorted(&mut tags.added, (item, tag)),
        }
    }

    /// Removes an item: all additions of it that this set has seen.
    pub fn remove(&mut self, item: u32) {
        match self {
            SetValue::Plain(items) => items.retain(|&held| held != item),
            SetValue::Tagged(tags) => {
                let gone = tags.added.iter().filter(|&&(held, _)| held == item);
                let gone: SmallVec<[(u32, u64); 4]> = gone.copied().collect();
                tags.added.retain(|&(held, _)| held != item);
                for pair in gone {
                    insert_sorted(&mut tags.removed, pair);
                }
            }
        }
    }

    /// Takes in another set: the union; for observed-remove sets, less what either has seen removed.
    pub fn merge(&mut self, other: &SetValue) {
        match (self, other) {
            (SetValue::Tagged(mine), SetValue::Tagged(theirs)) => {
                for &pair in &theirs.removed {
                    insert_sorted(&mut mine.removed, pair);
                }
                for &pair in &theirs.added {
                    insert_sorted(&mut mine.added, pair);
                }
                let removed = &mine.removed;
                mine.added.retain(|pair| removed.binary_search(pair).is_err());
            }
            (mine, theirs) => {
                let mut items = mine.items().into_vec();
                for item in theirs.items() {
                    insert_sorted(&mut items, item);
                }
                *mine = SetValue::Plain(items);
            }
        }
    }

    fn bytes(&self) -> u32 {
        match self {
            SetValue::Plain(items) => 4 * items.len() as u32,
            SetValue::Tagged(tags) => 12 * (tags.added.len() + tags.removed.len()) as u32,
        }
    }
}

/// A counter: what each writer has added and taken off in all.
///
/// Merging takes each writer's greater totals, so a sum over siblings counts nothing twice. It is exact if
/// every writer goes on from its own last totals, see [`CounterValue::set_part`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CounterValue {
    parts: SmallVec<[Part; 2]>,
}

/// One writer's totals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// Who counts.
    pub writer: u64,
    /// All that it added.
    pub added: u64,
    /// All that it took off.
    pub taken: u64,
}

impl CounterValue {
    /// A counter of one part.
    pub fn starting_at(writer: u64, amount: i64) -> CounterValue {
        let mut counter = CounterValue::default();
        counter.add(writer, amount);
        counter
    }

    /// The parts, sorted by writer.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The value: all added less all taken.
    pub fn total(&self) -> i64 {
        self.parts
            .iter()
            .fold(0i64, |sum, part| sum.wrapping_add_unsigned(part.added).wrapping_sub_unsigned(part.taken))
    }

    /// Adds to the writer's part as it stands here. If this is a stale value that lacks the writer's last
    /// addition, the two merge into one: a writer that may read stale values keeps its totals itself.
    pub fn add(&mut self, writer: u64, amount: i64) {
        let part = self.part(writer);
        match amount {
            0.. => part.added += amount.unsigned_abs(),
            _ => part.taken += amount.unsigned_abs(),
        }
    }

    /// Sets the writer's part to totals that the writer has kept itself; a smaller total changes nothing.
    pub fn set_part(&mut self, totals: Part) {
        let part = self.part(totals.writer);
        part.added = part.added.max(totals.added);
        part.taken = part.taken.max(totals.taken);
    }

    /// Takes in another counter: each writer's greater totals.
    pub fn merge(&mut self, other: &CounterValue) {
        for &part in &other.parts {
            self.set_part(part);
        }
    }

    fn part(&mut self, writer: u64) -> &mut Part {
        let at = match self.parts.binary_search_by_key(&writer, |part| part.writer) {
            Ok(at) => at,
            Err(at) => {
                self.parts.insert(at, Part { writer, added: 0, taken: 0 });
                at
            }
        };
        &mut self.parts[at]
    }
}

/// How a client merges siblings into one value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MergeRule {
    /// The last written blob.
    BlobNewest,
    /// The first written blob.
    BlobFirst,
    /// All items of all siblings: no addition is lost, deleted items can come back (Dynamo §4.4).
    SetUnion,
    /// The union of additions less the removals that had seen them.
    SetOrSet,
    /// The last written set.
    SetNewest,
    /// The sum of what every writer added.
    CounterSum,
    /// The last written counter.
    CounterNewest,
}

/// Merges what a read returned into one value. Nothing, or tombstones only, gives a tombstone.
///
/// Last and first go by (stamp, write id). A tombstone adds nothing to a union or a sum.
pub fn merge_values(rule: MergeRule, versions: &[Version]) -> Value {
    if let [one] = versions {
        return one.value().clone();
    }
    let age = |version: &&Version| (version.stamp(), version.write());
    match rule {
        MergeRule::BlobNewest | MergeRule::SetNewest | MergeRule::CounterNewest => {
            versions.iter().max_by_key(age).map_or(Value::Tombstone, |version| version.value().clone())
        }
        MergeRule::BlobFirst => {
            versions.iter().min_by_key(age).map_or(Value::Tombstone, |version| version.value().clone())
        }
        MergeRule::SetUnion | MergeRule::SetOrSet => {
            let sets = versions.iter().filter_map(|version| match version.value() {
                Value::Set(_) => Some(version.value().to_set(rule)),
                _ => None,
            });
            let merged = sets.reduce(|mut all, set| {
                all.merge(&set);
                all
            });
            merged.map_or(Value::Tombstone, |set| Value::Set(Arc::new(set)))
        }
        MergeRule::CounterSum => {
            let counters = versions.iter().filter_map(|version| match version.value() {
                Value::Counter(counter) => Some((**counter).clone()),
                _ => None,
            });
            let merged = counters.reduce(|mut all, counter| {
                all.merge(&counter);
                all
            });
            merged.map_or(Value::Tombstone, |counter| Value::Counter(Arc::new(counter)))
        }
    }
}

fn insert_sorted<T: Ord>(list: &mut Vec<T>, item: T) {
    if let Err(at) = list.binary_search(&item) {
        list.insert(at, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ids::ActorId;
    use crate::version::{Clock, Dot, Parts, Scheme, WriteId};

    /// A sibling with a value; its stamp is its number.
    fn sibling(number: u64, value: Value) -> Version {
        let dot = Dot { actor: ActorId(number as u32), counter: 1 };
        let (evicted, scattered, kept) = Default::default();
        let (clock, stamp, size, write) = (Clock::new(), number, 1, WriteId(number));
        Version::new(Scheme::Dotted, Parts { clock, dot, evicted, scattered, kept, stamp, value, size, write })
    }

    fn set(items: &[u32], tag: u64, rule: MergeRule) -> Value {
        Value::Set(Arc::new(SetValue::from_items(items, tag, rule)))
    }

    const BOOK: u32 = 1;
    const DVD: u32 = 2;

    #[test]
    fn a_cart_merged_by_union_loses_nothing_and_brings_back_the_removed() {
        let rule = MergeRule::SetUnion;
        let cart = set(&[BOOK], 0, rule);
        let ann = cart.with_item(DVD, 10, rule);
        let ben = cart.without_item(BOOK, rule);
        let merged = merge_values(rule, &[sibling(1, ann), sibling(2, ben)]);
        assert_eq!(merged.items()[..], [BOOK, DVD], "the book is back");
    }

    #[test]
    fn an_observed_remove_set_forgets_what_was_seen_removed() {
        let rule = MergeRule::SetOrSet;
        let cart = set(&[BOOK], 0, rule);
        let ann = cart.with_item(DVD, 10, rule);
        let ben = cart.without_item(BOOK, rule);
        let merged = merge_values(rule, &[sibling(1, ann), sibling(2, ben.clone())]);
        assert_eq!(merged.items()[..], [DVD]);
        // The old cart turns up once more: the book stays removed.
        let again = merge_values(rule, &[sibling(3, merged), sibling(4, cart.clone())]);
        assert_eq!(again.items()[..], [DVD]);
        // A book added without knowledge of the removal wins.
        let eve = cart.with_item(BOOK, 20, rule);
        assert_eq!(merge_values(rule, &[sibling(5, ben), sibling(6, eve)]).items()[..], [BOOK]);
    }

    #[test]
    fn a_plain_set_becomes_one_of_tags_alike_on_every_branch() {
        let rule = MergeRule::SetOrSet;
        let cart = set(&[BOOK], 7, MergeRule::SetUnion);
        let ann = cart.with_item(DVD, 10, rule);
        let ben = cart.without_item(BOOK, rule);
        assert_eq!(merge_values(rule, &[sibling(1, ann), sibling(2, ben)]).items()[..], [DVD]);
    }

    #[test]
    fn set_merges_do_not_depend_on_order() {
        for rule in [MergeRule::SetUnion, MergeRule::SetOrSet] {
            let a = set(&[3, 1], 0, rule).without_item(3, rule);
            let b = set(&[2, 3], 10, rule);
            let c = set(&[3, 1], 0, rule).with_item(5, 30, rule);
            let all = [sibling(1, a), sibling(2, b), sibling(3, c)];
            let expected = merge_values(rule, &all);
            for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                let shuffled = order.map(|at| all[at].clone());
                assert_eq!(merge_values(rule, &shuffled).items(), expected.items(), "{rule:?} {order:?}");
            }
        }
    }

    #[test]
    fn the_newest_set_loses_the_other() {
        let rule = MergeRule::SetNewest;
        let siblings = [sibling(2, set(&[BOOK], 0, rule)), sibling(1, set(&[DVD], 0, rule))];
        assert_eq!(merge_values(rule, &siblings).items()[..], [BOOK]);
    }

    #[test]
    fn counters_add_up_what_each_writer_counted() {
        let start = Value::Counter(Arc::new(CounterValue::starting_at(0, 100)));
        let ann = start.with_amount(1, 5);
        let ben = start.with_amount(2, -3);
        let siblings = [sibling(1, ann), sibling(2, ben)];
        assert_eq!(merge_values(MergeRule::CounterSum, &siblings).total(), 102);
        assert_eq!(merge_values(MergeRule::CounterNewest, &siblings).total(), 97, "Ann's five are lost");
    }

    #[test]
    fn a_writer_that_keeps_its_totals_survives_a_stale_read() {
        let stale = CounterValue::default();
        let mut first = stale.clone();
        first.set_part(Part { writer: 1, added: 1, taken: 0 });
        let mut second = stale;
        second.set_part(Part { writer: 1, added: 2, taken: 0 });
        second.merge(&first);
        assert_eq!(second.total(), 2);
    }

    #[test]
    fn blobs_are_chosen_by_age_and_tombstones_take_part() {
        let siblings = [sibling(2, Value::Blob(2)), sibling(1, Value::Blob(1))];
        assert_eq!(merge_values(MergeRule::BlobNewest, &siblings), Value::Blob(2));
        assert_eq!(merge_values(MergeRule::BlobFirst, &siblings), Value::Blob(1));
        let deleted = [sibling(1, Value::Blob(1)), sibling(3, Value::Tombstone)];
        assert_eq!(merge_values(MergeRule::BlobNewest, &deleted), Value::Tombstone);
        assert_eq!(merge_values(MergeRule::SetUnion, &[]), Value::Tombstone);
    }

    #[test]
    fn sizes_follow_the_content() {
        let rule = MergeRule::SetOrSet;
        let tagged = set(&[1, 2], 0, rule).without_item(1, rule);
        assert_eq!(tagged.bytes(), Some(24), "a removed item still costs its tag");
        assert_eq!(set(&[1, 2], 0, MergeRule::SetUnion).bytes(), Some(8));
        assert_eq!(Value::Counter(Arc::new(CounterValue::starting_at(7, 1))).bytes(), Some(20));
        assert_eq!(Value::Blob(1).bytes(), None);
    }
}
