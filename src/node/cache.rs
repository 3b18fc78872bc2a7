//! The read cache: the least recently used objects leave first.
//!
//! A list through an array, newest first, and a table of places by linear probing: a use costs a few cache
//! lines however many objects there are. It knows keys only; what a hit is worth is the business of `replica`.

use crate::kernel::ids::KeyId;

/// No entry.
const NONE: u32 = u32::MAX;

/// One object, and its neighbours by last use.
#[derive(Clone, Copy, Debug)]
struct Entry {
    key: KeyId,
    newer: u32,
    older: u32,
}

/// Keys by their last use.
#[derive(Clone, Debug)]
pub struct Cache {
    entries: Vec<Entry>,
    /// Place of a key's entry plus 1; 0 is free.
    places: Vec<u32>,
    newest: u32,
    oldest: u32,
}

impl Default for Cache {
    fn default() -> Cache {
        Cache { entries: Vec::new(), places: Vec::new(), newest: NONE, oldest: NONE }
    }
}

impl Cache {
    /// Uses a key. Returns whether it was there; it is now, and the least recently used one has left if there
    /// were `count` already.
    pub fn touch(&mut self, key: KeyId, count: u32) -> bool {
        if count == 0 {
            return false;
        }
        if let Some(slot) = self.slot_of(key) {
            let entry = self.places[slot] - 1;
            if entry != self.newest {
                self.unlink(entry);
                self.link_newest(entry);
            }
            return true;
        }
        let entry = if self.entries.len() < count as usize {
            self.entries.push(Entry { key, newer: NONE, older: NONE });
            if self.entries.len() * 4 > self.places.len() * 3 {
                self.grow();
            } else {
                self.insert_place(self.entries.len() as u32 - 1);
            }
            self.entries.len() as u32 - 1
        } else {
            let oldest = self.oldest;
            let leaving = self.slot_of(self.entries[oldest as usize].key).expect("what is in the list has a place");
            self.free_place(leaving);
            self.unlink(oldest);
            self.entries[oldest as usize].key = key;
            self.insert_place(oldest);
            oldest
        };
        self.link_newest(entry);
        false
    }

    fn home(&self, key: KeyId) -> usize {
        let mixed = u64::from(key.0).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (64 - self.places.len().trailing_zeros())) as usize
    }

    fn slot_of(&self, key: KeyId) -> Option<usize> {
        if self.places.is_empty() {
            return None;
        }
        let mut at = self.home(key);
        while self.places[at] != 0 {
            if self.entries[self.places[at] as usize - 1].key == key {
                return Some(at);
            }
            at = (at + 1) & (self.places.len() - 1);
        }
        None
    }

    fn insert_place(&mut self, entry: u32) {
        let mut at = self.home(self.entries[entry as usize].key);
        while self.places[at] != 0 {
            at = (at + 1) & (self.places.len() - 1);
        }
        self.places[at] = entry + 1;
    }

    fn grow(&mut self) {
        let size = (self.places.len() * 2).max(8);
        self.places = vec![0; size];
        for entry in 0..self.entries.len() as u32 {
            self.insert_place(entry);
        }
    }

    /// Frees a place and moves back those behind it that could not lie at home because of it.
    fn free_place(&mut self, mut gap: usize) {
        let mask = self.places.len() - 1;
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            if self.places[at] == 0 {
                break;
            }
            let home = self.home(self.entries[self.places[at] as usize - 1].key);
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(gap) & mask {
                self.places[gap] = self.places[at];
                gap = at;
            }
        }
        self.places[gap] = 0;
    }

    fn unlink(&mut self, entry: u32) {
        let Entry { newer, older, .. } = self.entries[entry as usize];
        match newer {
            NONE => self.newest = older,
            newer => self.entries[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.entries[older as usize].newer = newer,
        }
    }

    fn link_newest(&mut self, entry: u32) {
        let before = self.newest;
        self.entries[entry as usize].newer = NONE;
        self.entries[entry as usize].older = before;
        match before {
            NONE => self.oldest = entry,
            before => self.entries[before as usize].newer = entry,
        }
        self.newest = entry;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rng::{Purpose, Stream};

    #[test]
    fn the_least_recently_used_key_leaves() {
        let mut cache = Cache::default();
        assert!(!cache.touch(KeyId(1), 2));
        assert!(!cache.touch(KeyId(2), 2));
        assert!(cache.touch(KeyId(1), 2));
        assert!(!cache.touch(KeyId(3), 2), "2 has to go");
        assert!(!cache.touch(KeyId(2), 2), "2 has gone, and now 1");
        assert!(cache.touch(KeyId(3), 2));
    }

    #[test]
    fn it_does_what_a_plain_list_does() {
        for count in [0u32, 1, 2, 7, 100] {
            let mut stream = Stream::new(u64::from(count), Purpose::Key, 0);
            let (mut cache, mut list) = (Cache::default(), Vec::new());
            for _ in 0..5_000 {
                let key = KeyId(stream.below(150) as u32);
                let place = list.iter().position(|&other| other == key);
                if let Some(place) = place {
                    list.remove(place);
                }
                list.insert(0, key);
                list.truncate(count as usize);
                assert_eq!(cache.touch(key, count), place.is_some());
            }
        }
    }
}
