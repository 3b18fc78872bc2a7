//! Configurations that a search has been to: a table that is looked up in and never walked.
//!
//! Of a configuration it keeps a fingerprint of 128 bits, not the thing itself, so that memory is a few words each.
//! Two of a million configurations share a fingerprint with a probability below 10^-26.

use std::hash::{Hash, Hasher};

use xxhash_rust::xxh3::Xxh3;

/// No entry.
const NONE: u32 = u32::MAX;

/// Configurations by fingerprint, and beside each the sets of open operations with which it was reached.
#[derive(Debug)]
pub(super) struct Seen {
    /// Fingerprint and the first set of its list; open addressing, a power of two.
    slots: Vec<(u128, u32)>,
    used: usize,
    /// The next set of the same list.
    next: Vec<u32>,
    /// The sets, `width` words each.
    sets: Vec<u64>,
    width: usize,
}

impl Seen {
    /// Nowhere yet; sets have `width` words.
    pub fn new(width: usize) -> Seen {
        Seen { slots: vec![(0, NONE); 64], used: 0, next: Vec::new(), sets: Vec::new(), width }
    }

    /// Notes a configuration with a set of open operations that have been placed. False if it was there with the
    /// same set or a part of it: who has placed fewer open operations can do all that the other can, since nobody has
    /// to place them.
    pub fn insert(&mut self, fingerprint: u128, open: &[u64]) -> bool {
        if self.used * 2 >= self.slots.len() {
            self.grow();
        }
        let at = find(&self.slots, fingerprint);
        let (key, head) = self.slots[at];
        let mut entry = if key == fingerprint { head } else { NONE };
        if entry == NONE {
            self.used += 1;
        }
        while entry != NONE {
            let start = entry as usize * self.width;
            if self.sets[start..start + self.width].iter().zip(open).all(|(held, new)| held & !new == 0) {
                return false;
            }
            entry = self.next[entry as usize];
        }
        let number = u32::try_from(self.next.len()).expect("a search is cut off long before");
        self.next.push(if key == fingerprint { head } else { NONE });
        self.sets.extend_from_slice(open);
        self.slots[at] = (fingerprint, number);
        true
    }

    fn grow(&mut self) {
        let mut slots = vec![(0, NONE); self.slots.len() * 2];
        for &(key, head) in self.slots.iter().filter(|(_, head)| *head != NONE) {
            let at = find(&slots, key);
            slots[at] = (key, head);
        }
        self.slots = slots;
    }
}

/// Where a fingerprint lies, or would.
fn find(slots: &[(u128, u32)], fingerprint: u128) -> usize {
    let mask = slots.len() - 1;
    let mut at = fingerprint as usize & mask;
    while slots[at].1 != NONE && slots[at].0 != fingerprint {
        at = (at + 1) & mask;
    }
    at
}

/// Hash of a value by a fixed function.
pub(super) fn fingerprint(value: &impl Hash) -> u128 {
    let mut hasher = Fixed(Xxh3::new());
    value.hash(&mut hasher);
    hasher.0.digest128()
}

/// XXH3 as std sees a hasher.
struct Fixed(Xxh3);

impl Hasher for Fixed {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
    fn finish(&self) -> u64 {
        self.0.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_placed_fewer_open_operations_covers_who_has_placed_more() {
        let mut seen = Seen::new(1);
        assert!(seen.insert(7, &[0b110]));
        assert!(!seen.insert(7, &[0b110]) && !seen.insert(7, &[0b111]), "more is no news");
        assert!(seen.insert(7, &[0b001]) && seen.insert(7, &[0b100]), "others and fewer are");
        assert!(seen.insert(8, &[0b110]), "another configuration");
    }

    #[test]
    fn nothing_is_forgotten_when_the_table_grows() {
        let mut seen = Seen::new(0);
        let keys: Vec<u128> = (0..5_000_u64).map(|i| fingerprint(&i)).collect();
        assert!(keys.iter().all(|&key| seen.insert(key, &[])));
        assert!(!keys.iter().any(|&key| seen.insert(key, &[])));
    }
}
