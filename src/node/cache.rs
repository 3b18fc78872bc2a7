//! The read cache: the least recently used objects leave first.

use std::collections::BTreeMap;

use crate::kernel::ids::KeyId;

/// Keys by their last use.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    last_use: BTreeMap<KeyId, u64>,
    by_use: BTreeMap<u64, KeyId>,
    uses: u64,
}

impl Cache {
    /// Uses a key. Returns whether it was there; it is now, and the least recently used one has left if there were more than `count`.
    pub fn touch(&mut self, key: KeyId, count: u32) -> bool {
        self.uses += 1;
        let before = self.last_use.insert(key, self.uses);
        if let Some(use_number) = before {
            self.by_use.remove(&use_number);
        }
        self.by_use.insert(self.uses, key);
        if self.last_use.len() > count as usize
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.last_use.remove(&oldest);
        }
        before.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
