//! The name of a whole run: a running 128-bit hash of everything that happened, with checkpoints, so
//! that two runs that differ can be told where they part.
//!
//! Words are gathered in a block of 4 KiB; a full block is hashed (XXH3, 128 bits) together with the
//! hash of all blocks before it. It knows nothing of what the words mean; who records decides what
//! belongs to the name.

use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

const CHAIN: usize = 16;
const BLOCK: usize = 4096;
const CHECKPOINTS_MAX: usize = 4096;

/// A running hash of records.
#[derive(Clone)]
pub struct Digest {
    /// The hash of all full blocks so far, then the block being filled.
    buffer: Box<[u8; CHAIN + BLOCK]>,
    used: usize,
    records: u64,
    every: u64,
    next_checkpoint: u64,
    checkpoints: Vec<(u64, u128)>,
}

impl Digest {
    /// An empty digest that leaves a checkpoint every so many records; 0 for none.
    pub fn new(checkpoint_every_events: u64) -> Digest {
        Digest {
            buffer: Box::new([0; CHAIN + BLOCK]),
            used: CHAIN,
            records: 0,
            every: checkpoint_every_events,
            next_checkpoint: if checkpoint_every_events == 0 { u64::MAX } else { checkpoint_every_events },
            checkpoints: Vec::new(),
        }
    }

    /// Adds a record: one event.
    #[inline]
    pub fn record(&mut self, words: [u64; 4]) {
        if let Some(room) = self.buffer.get_mut(self.used..self.used + 32) {
            for (place, word) in room.chunks_exact_mut(8).zip(words) {
                place.copy_from_slice(&word.to_le_bytes());
            }
            self.used += 32;
            if self.used == CHAIN + BLOCK {
                self.close_block();
            }
        } else {
            for word in words {
                self.extra(word);
            }
        }
        self.records += 1;
        if self.records == self.next_checkpoint {
            self.leave_checkpoint();
        }
    }

    /// Adds one more word to what the last record told.
    #[inline]
    pub fn extra(&mut self, word: u64) {
        self.buffer[self.used..self.used + 8].copy_from_slice(&word.to_le_bytes());
        self.used += 8;
        if self.used == CHAIN + BLOCK {
            self.close_block();
        }
    }

    /// How many records were added.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The hash of everything so far. May be asked at any time and changes nothing.
    pub fn finish(&self) -> u128 {
        xxh3_128_with_seed(&self.buffer[..self.used], self.records)
    }

    /// (number of records, hash after them), in order, at equal distances. At most 4 096: when there
    /// would be more, every second one is forgotten and the distance doubles.
    pub fn checkpoints(&self) -> &[(u64, u128)] {
        &self.checkpoints
    }

    fn close_block(&mut self) {
        let chain = xxh3_128(&self.buffer[..]);
        self.buffer[..CHAIN].copy_from_slice(&chain.to_le_bytes());
        self.used = CHAIN;
    }

    #[cold]
    fn leave_checkpoint(&mut self) {
        if self.checkpoints.len() == CHECKPOINTS_MAX {
            self.every = self.every.saturating_mul(2);
            let every = self.every;
            self.checkpoints.retain(|(records, _)| records % every == 0);
        }
        // After a doubling, this record may no longer be one at which to stop.
        if self.records.is_multiple_of(self.every) {
            self.checkpoints.push((self.records, self.finish()));
        }
        self.next_checkpoint = (self.records / self.every + 1).saturating_mul(self.every);
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest({:032x} after {} records)", self.finish(), self.records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(i: u64) -> [u64; 4] {
        [i * 1_000, i, i % 7, i ^ 0xff]
    }

    #[test]
    fn equal_records_give_equal_digests_and_any_change_shows() {
        let run = |changed: u64| {
            let mut digest = Digest::new(100);
            for i in 0..1_000 {
                digest.record(record(if i == changed { 5_000 } else { i }));
            }
            digest
        };
        let (plain, again, other) = (run(u64::MAX), run(u64::MAX), run(617));
        assert_eq!(plain.finish(), again.finish());
        assert_ne!(plain.finish(), other.finish());
        let parted = plain.checkpoints().iter().zip(other.checkpoints()).position(|(a, b)| a != b);
        assert_eq!(parted, Some(6), "record 617 is between the checkpoints at 600 and at 700");
        assert_eq!(plain.checkpoints()[6].0, 700);
    }

    #[test]
    fn asking_does_not_disturb() {
        let (mut asked, mut left_alone) = (Digest::new(0), Digest::new(0));
        for i in 0..500 {
            asked.record(record(i));
            asked.finish();
            left_alone.record(record(i));
        }
        assert_eq!(asked.finish(), left_alone.finish());
        assert_eq!(asked.checkpoints(), []);
    }

    #[test]
    fn extras_count_and_may_straddle_blocks() {
        let mut seen = std::collections::BTreeSet::new();
        for extras in 0..1_100 {
            let mut digest = Digest::new(0);
            digest.record(record(1));
            for _ in 0..extras {
                digest.extra(0);
            }
            digest.record(record(2));
            assert!(seen.insert(digest.finish()), "each number of extra words gives its own digest");
        }
    }

    #[test]
    fn checkpoints_are_thinned_and_stay_where_a_coarser_digest_has_them() {
        let (mut fine, mut coarse) = (Digest::new(1), Digest::new(4));
        for i in 0..10_000 {
            fine.record(record(i));
            coarse.record(record(i));
            assert!(fine.checkpoints().len() <= CHECKPOINTS_MAX);
        }
        assert_eq!(fine.checkpoints(), coarse.checkpoints());
        assert_eq!(fine.checkpoints().len(), 2_500);
    }

    /// A change here gives every run another name.
    #[test]
    fn digests_are_as_they_have_always_been() {
        let mut digest = Digest::new(100);
        assert_eq!(format!("{:032x}", digest.finish()), "e5189a9599e3f86205ea23ef06e28b2d");
        digest.record([1, 2, 3, 4]);
        assert_eq!(format!("{:032x}", digest.finish()), "d15d11ac166646f0409c6dfb2d5bca40");
        digest.extra(5);
        assert_eq!(format!("{:032x}", digest.finish()), "d669a9572b0d5878680e3ddc333d6de1");
        for i in 0..1_000 {
            digest.record(record(i));
        }
        assert_eq!(format!("{:032x}", digest.finish()), "ce469c757b1ac7c5ffe349d0679d58b3");
        assert_eq!(digest.records(), 1_001);
    }
}
