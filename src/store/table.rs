//! A node's versions by key (Dynamo §5, local persistence engine).
//!
//! Linear probing over 16-byte slots with the single version in the slot: a lookup is one or two cache
//! lines. The order of the slots depends on sizes and history, so it is never shown; a walk over the keys is
//! asked for by name and comes sorted.

use crate::kernel::ids::KeyId;
use crate::store::merkle::entry_hash;
use crate::version::siblings::{Effect, effect, versions_hash};
use crate::version::{Applied, Scheme, Siblings, Version, Whole};

/// One key's place. Free if `key_plus_1` is 0.
#[derive(Clone, Default)]
struct Slot {
    key_plus_1: u32,
    /// Place of two or more versions in `Table::many`, plus 1; 0 if the version is in the slot.
    many_plus_1: u32,
    one: Option<Version>,
}

const _: () = assert!(size_of::<Slot>() == 16);

/// A table from key to siblings.
#[derive(Clone, Default)]
pub struct Table {
    slots: Vec<Slot>,
    /// Side slab for keys of two or more versions; a free place is empty.
    many: Vec<Siblings>,
    many_free: Vec<u32>,
    keys: u32,
    versions: u64,
    bytes: u64,
}

/// What an application to the table did, for whoever sums up hashes of ranges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// What became of the version.
    pub applied: Applied,
    /// Hash of the key with its versions before, 0 if it had none. Equal to `new` if nothing changed.
    pub old: u64,
    /// The same after.
    pub new: u64,
}

impl Table {
    /// An empty table.
    pub fn new() -> Table {
        Table::default()
    }

    /// An empty table with room for so many keys.
    pub fn with_capacity(keys: u32) -> Table {
        let slots = (u64::from(keys) * 4 / 3 + 1).next_power_of_two().max(4);
        Table { slots: vec![Slot::default(); slots as usize], ..Table::default() }
    }

    /// How many keys have a version.
    pub fn len(&self) -> u32 {
        self.keys
    }

    /// Whether no key has a version.
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// How many versions are held.
    pub fn versions(&self) -> u64 {
        self.versions
    }

    /// Bytes of values held, siblings included.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The versions of a key; empty if there is none.
    pub fn get(&self, key: KeyId) -> &[Version] {
        self.find(key).map_or(&[], |at| self.held(at))
    }

    /// Hash of a key with its versions, 0 if it has none: its part in the sum of its range.
    pub fn hash(&self, key: KeyId) -> u64 {
        entry_hash(key, versions_hash(self.get(key)))
    }

    /// Takes in a version of a key.
    pub fn apply(&mut self, key: KeyId, incoming: &Version, scheme: Scheme, whole: Whole) -> Change {
        let at = self.find_or_insert(key);
        let old_hash = versions_hash(self.held(at));
        let slot = &mut self.slots[at];
        let size = u64::from(incoming.size());
        let applied = match (&mut slot.one, slot.many_plus_1) {
            (None, 0) => {
                slot.one = Some(incoming.clone());
                self.keys += 1;
                self.versions += 1;
                self.bytes += size;
                Applied::Stored { dropped: 0 }
            }
            (Some(held), _) => match effect(held, incoming, scheme, whole) {
                Effect::AlreadyThere => Applied::AlreadyThere,
                Effect::Obsolete => Applied::Obsolete,
                Effect::Replaces => {
                    self.bytes = self.bytes + size - u64::from(held.size());
                    *held = incoming.clone();
                    Applied::Stored { dropped: 1 }
                }
                Effect::Joins => {
                    let mut siblings = Siblings::one(held.clone());
                    let applied = siblings.apply(incoming, scheme, whole);
                    self.versions += 1;
                    self.bytes += size;
                    self.set_many(at, siblings);
                    applied
                }
            },
            (None, many) => {
                let siblings = &mut self.many[many as usize - 1];
                let before = bytes_of(siblings);
                let applied = siblings.apply(incoming, scheme, whole);
                if let Applied::Stored { dropped } = applied {
                    self.bytes = self.bytes + bytes_of(siblings) - before;
                    self.versions = self.versions + 1 - u64::from(dropped);
                    if siblings.len() == 1 {
                        let one = siblings[0].clone();
                        self.free_many(at);
                        self.slots[at].one = Some(one);
                    }
                }
                applied
            }
        };
        let old = entry_hash(key, old_hash);
        let new = match applied {
            Applied::Stored { .. } => entry_hash(key, versions_hash(self.held(at))),
            Applied::AlreadyThere | Applied::Obsolete => old,
        };
        Change { applied, old, new }
    }

    /// Makes the versions of a key exactly these, none included, and returns those that it had: for a disk
    /// that loses its unflushed tail, for a range that is handed over.
    pub fn replace(&mut self, key: KeyId, siblings: Siblings) -> Siblings {
        let before = self.remove(key);
        if !siblings.is_empty() {
            let at = self.find_or_insert(key);
            self.keys += 1;
            self.versions += siblings.len() as u64;
            self.bytes += bytes_of(&siblings);
            match &siblings[..] {
                [one] => self.slots[at].one = Some(one.clone()),
                _ => self.set_many(at, siblings),
            }
        }
        before
    }

    /// Removes a key and returns its versions, none if it had none.
    pub fn remove(&mut self, key: KeyId) -> Siblings {
        let Some(at) = self.find(key) else { return Siblings::new() };
        let removed = Siblings::from(self.held(at));
        if self.slots[at].many_plus_1 != 0 {
            self.free_many(at);
        }
        self.keys -= 1;
        self.versions -= removed.len() as u64;
        self.bytes -= bytes_of(&removed);
        self.close_gap(at);
        removed
    }

    /// Removes everything: a disk that was wiped.
    pub fn clear(&mut self) {
        *self = Table::default();
    }

    /// All keys that have a version, sorted. Walks the whole table.
    pub fn keys_sorted(&self) -> Vec<KeyId> {
        let taken = self.slots.iter().filter(|slot| slot.key_plus_1 != 0);
        let mut keys: Vec<KeyId> = taken.map(|slot| KeyId(slot.key_plus_1 - 1)).collect();
        keys.sort_unstable();
        keys
    }

    fn held(&self, at: usize) -> &[Version] {
        let slot = &self.slots[at];
        match slot.many_plus_1 {
            0 => slot.one.as_slice(),
            many => &self.many[many as usize - 1],
        }
    }

    fn set_many(&mut self, at: usize, siblings: Siblings) {
        let place = self.many_free.pop().unwrap_or_else(|| {
            self.many.push(Siblings::new());
            self.many.len() as u32 - 1
        });
        self.many[place as usize] = siblings;
        self.slots[at].one = None;
        self.slots[at].many_plus_1 = place + 1;
    }

    fn free_many(&mut self, at: usize) {
        let place = self.slots[at].many_plus_1 - 1;
        self.slots[at].many_plus_1 = 0;
        self.many[place as usize] = Siblings::new();
        self.many_free.push(place);
    }

    fn home(&self, key_plus_1: u32) -> usize {
        // Fibonacci hashing: the top bits of a product with 2^64 divided by the golden ratio.
        let mixed = u64::from(key_plus_1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (64 - self.slots.len().trailing_zeros())) as usize
    }

    fn find(&self, key: KeyId) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let wanted = key_plus_1(key);
        let mut at = self.home(wanted);
        loop {
            match self.slots[at].key_plus_1 {
                0 => return None,
                found if found == wanted => return Some(at),
                _ => at = (at + 1) & (self.slots.len() - 1),
            }
        }
    }

    /// The key's slot; a fresh one is marked with the key and holds nothing yet.
    fn find_or_insert(&mut self, key: KeyId) -> usize {
        if let Some(at) = self.find(key) {
            return at;
        }
        if (u64::from(self.keys) + 1) * 4 > self.slots.len() as u64 * 3 {
            self.grow();
        }
        let wanted = key_plus_1(key);
        let at = self.free_from(wanted);
        self.slots[at].key_plus_1 = wanted;
        at
    }

    fn free_from(&self, wanted: u32) -> usize {
        let mut at = self.home(wanted);
        while self.slots[at].key_plus_1 != 0 {
            at = (at + 1) & (self.slots.len() - 1);
        }
        at
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(4);
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); slots]);
        for slot in old {
            if slot.key_plus_1 != 0 {
                let at = self.free_from(slot.key_plus_1);
                self.slots[at] = slot;
            }
        }
    }

    /// Empties a slot and moves back those behind it that could not lie at home because of it.
    fn close_gap(&mut self, mut gap: usize) {
        let mask = self.slots.len() - 1;
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let key_plus_1 = self.slots[at].key_plus_1;
            if key_plus_1 == 0 {
                break;
            }
            let from_home = at.wrapping_sub(self.home(key_plus_1)) & mask;
            if from_home >= (at.wrapping_sub(gap) & mask) {
                self.slots[gap] = std::mem::take(&mut self.slots[at]);
                gap = at;
            }
        }
        self.slots[gap] = Slot::default();
    }
}

fn key_plus_1(key: KeyId) -> u32 {
    key.0.checked_add(1).expect("a run has less than 2^32 - 1 keys")
}

fn bytes_of(versions: &[Version]) -> u64 {
    versions.iter().map(|version| u64::from(version.size())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use crate::kernel::ids::ActorId;
    use crate::version::{Value, Write, WriteId, coordinate};

    const DOTTED: Scheme = Scheme::Dotted;

    fn write(actor: u32, local: &[Version], context: &[Version], number: u64) -> Version {
        let (actor, now_ms, stamp) = (ActorId(actor), 0, number);
        let (value, size, write) = (Value::Blob(number), 10, WriteId(number));
        coordinate(DOTTED, local, context, Write { actor, now_ms, stamp, value, size, write, issued: 0 })
    }

    #[test]
    fn a_key_has_one_version_then_two_then_one_again() {
        let mut table = Table::new();
        let key = KeyId(7);
        assert!(table.get(key).is_empty());
        let (v1, v2) = (write(1, &[], &[], 1), write(2, &[], &[], 2));
        let first = table.apply(key, &v1, DOTTED, Whole::Write);
        assert_eq!((first.old, first.new), (0, table.hash(key)));
        let second = table.apply(key, &v2, DOTTED, Whole::Write);
        assert_eq!(second.old, first.new);
        assert_eq!(table.get(key), [v1.clone(), v2.clone()]);
        assert_eq!((table.len(), table.versions(), table.bytes()), (1, 2, 20));
        let again = table.apply(key, &v1, DOTTED, Whole::Write);
        assert_eq!((again.applied, again.old), (Applied::AlreadyThere, again.new));
        let v3 = write(1, table.get(key), &[v1, v2], 3);
        let third = table.apply(key, &v3, DOTTED, Whole::Write);
        assert_eq!(third.applied, Applied::Stored { dropped: 2 });
        assert_eq!(table.get(key), [v3]);
        assert_eq!((table.len(), table.versions(), table.bytes()), (1, 1, 10));
        assert_eq!(third.new, table.hash(key));
    }

    #[test]
    fn the_hash_of_a_key_depends_on_the_key() {
        let mut table = Table::new();
        let version = write(1, &[], &[], 1);
        let [a, b] = [1, 2].map(|key| table.apply(KeyId(key), &version, DOTTED, Whole::Write).new);
        assert_ne!(a, b);
    }

    /// Plays the same steps on the table and on a plain map.
    #[test]
    fn the_table_does_what_a_map_does() {
        let mut table = Table::new();
        let mut map: BTreeMap<KeyId, Siblings> = BTreeMap::new();
        let mut chance = 1u64;
        for number in 0..20_000u64 {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let draw = chance >> 33;
            // A few keys a thousand apart, and some neighbours, so that runs of slots form and break.
            let key = KeyId((draw % 300) as u32 * if draw & 512 == 0 { 1 } else { 1_000 });
            let held = map.get(&key).cloned().unwrap_or_default();
            assert_eq!(table.get(key), &held[..]);
            match draw >> 10 & 7 {
                0 | 1 => {
                    assert_eq!(table.remove(key), held);
                    map.remove(&key);
                }
                2 => {
                    let one = Siblings::one(write(9, &held, &held, number));
                    assert_eq!(table.replace(key, one.clone()), held);
                    map.insert(key, one);
                }
                choice => {
                    let context = if choice & 1 == 0 { &held[..] } else { &[] };
                    let version = write(choice as u32, &held, context, number);
                    let before = table.hash(key);
                    let change = table.apply(key, &version, DOTTED, Whole::Write);
                    let applied = map.entry(key).or_default().apply(&version, DOTTED, Whole::Write);
                    assert_eq!((change.applied, change.old, change.new), (applied, before, table.hash(key)));
                }
            }
        }
        assert_eq!(table.keys_sorted(), map.keys().copied().collect::<Vec<_>>());
        assert_eq!(u64::from(table.len()), map.len() as u64);
        assert_eq!(table.versions(), map.values().map(|held| held.len() as u64).sum::<u64>());
        assert_eq!(table.bytes(), table.versions() * 10);
        assert!(map.values().any(|held| held.len() > 2), "the side slab was used");
        for (key, held) in &map {
            assert_eq!(table.remove(*key), *held);
        }
        assert_eq!((table.is_empty(), table.bytes(), table.versions()), (true, 0, 0));
    }

    #[test]
    fn small_and_wiped_tables_work() {
        for capacity in [0, 1, 3, 1_000] {
            let mut table = Table::with_capacity(capacity);
            for key in 0..10 {
                table.apply(KeyId(key), &write(1, &[], &[], 1), DOTTED, Whole::Write);
            }
            assert_eq!(table.keys_sorted().len(), 10);
            table.clear();
            assert!(table.is_empty() && table.get(KeyId(0)).is_empty());
        }
    }
}
