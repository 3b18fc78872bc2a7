//! The hints that a stand-in keeps on disk for nodes that should have got a write (Dynamo §4.6).
//!
//! Hints lie apart from the node's own versions: they are no answer to reads and are scanned by owner. This
//! file does not know when the scan runs, nor whether an owner is back.

use std::collections::BTreeMap;

use crate::kernel::ids::{KeyId, NodeId};
use crate::kernel::time::{SimTime, Span};
use crate::version::siblings::{Effect, effect};
use crate::version::{Scheme, Version, Whole};

/// A hint's place in the store: by owner, then key, then order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HintKey {
    /// Who should have got the write.
    pub owner: NodeId,
    /// What was written.
    pub key: KeyId,
    /// Number of the hint in its store.
    pub seq: u64,
}

/// A write kept for another node.
#[derive(Clone, Debug)]
pub struct Hint {
    /// The version to hand over.
    pub version: Version,
    /// When it was taken in.
    pub created_at: SimTime,
    /// Bytes on disk and on the wire.
    pub bytes: u64,
}

/// What became of a hint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Added {
    /// It is kept, in place of `replaced` older ones of the key that it covers.
    Stored {
        /// How many hints it made needless.
        replaced: u32,
    },
    /// The same write, or one that covers it, was there for this owner.
    AlreadyThere,
    /// The store is full; the write has one copy less.
    Dropped,
}

/// A node's hints.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    hints: BTreeMap<HintKey, Hint>,
    /// The same hints by arrival, oldest first.
    by_age: BTreeMap<u64, HintKey>,
    /// How many hints there are of each key: reads ask for every key, and most have none.
    by_key: BTreeMap<KeyId, u32>,
    next_seq: u64,
    bytes: u64,
    max: Option<u64>,
}

impl Hints {
    /// An empty store of at most `max` hints; `None` for no limit.
    pub fn new(max: Option<u64>) -> Hints {
        Hints { max, ..Hints::default() }
    }

    /// Keeps a version for its owner.
    pub fn add(&mut self, owner: NodeId, key: KeyId, version: &Version, scheme: Scheme, now: SimTime) -> Added {
        let mut covered: Vec<HintKey> = Vec::new();
        for (&at, hint) in self.hints.range(span_of(owner, key, key)) {
            match effect(&hint.version, version, scheme, Whole::Write) {
                Effect::AlreadyThere | Effect::Obsolete => return Added::AlreadyThere,
                Effect::Replaces => covered.push(at),
                Effect::Joins => {}
            }
        }
        if covered.is_empty() && self.max.is_some_and(|max| self.len() >= max) {
            return Added::Dropped;
        }
        for &at in &covered {
            self.remove(at);
        }
        let at = HintKey { owner, key, seq: self.next_seq };
        self.next_seq += 1;
        let bytes = version.wire_bytes();
        self.bytes += bytes;
        self.by_age.insert(at.seq, at);
        *self.by_key.entry(key).or_insert(0) += 1;
        self.hints.insert(at, Hint { version: version.clone(), created_at: now, bytes });
        Added::Stored { replaced: covered.len() as u32 }
    }

    /// How many hints are kept.
    pub fn len(&self) -> u64 {
        self.hints.len() as u64
    }

    /// Whether no hint is kept.
    pub fn is_empty(&self) -> bool {
        self.hints.is_empty()
    }

    /// Bytes of all hints.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When the oldest hint was taken in.
    pub fn oldest_at(&self) -> Option<SimTime> {
        self.by_age.values().next().map(|at| self.hints[at].created_at)
    }

    /// The owners for whom hints are kept, in order.
    pub fn owners(&self) -> Vec<NodeId> {
        let mut owners = Vec::new();
        let mut from = NodeId(0);
        // Jumps from owner to owner instead of walking their hints.
        while let Some((at, _)) = self.hints.range(HintKey { owner: from, key: KeyId(0), seq: 0 }..).next() {
            owners.push(at.owner);
            from = NodeId(at.owner.0 + 1);
        }
        owners
    }

    /// Whether any hint is kept for this owner.
    pub fn has_any_for(&self, owner: NodeId) -> bool {
        self.hints.range(span_of(owner, KeyId(0), KeyId(u32::MAX))).next().is_some()
    }

    /// Whether a hint for this owner's key is kept.
    pub fn has(&self, owner: NodeId, key: KeyId) -> bool {
        self.hints.range(span_of(owner, key, key)).next().is_some()
    }

    /// Whether anything is kept for any owner's copy of a key.
    pub fn has_key(&self, key: KeyId) -> bool {
        self.by_key.contains_key(&key)
    }

    /// The versions kept for any owner's copy of a key, by owner, then arrival.
    pub fn of_key(&self, key: KeyId) -> impl Iterator<Item = &Version> + '_ {
        self.owners()
            .into_iter()
            .flat_map(move |owner| self.hints.range(span_of(owner, key, key)).map(|(_, hint)| &hint.version))
    }

    /// The hints in order of owner, key and arrival.
    pub fn iter(&self) -> impl Iterator<Item = (&HintKey, &Hint)> + '_ {
        self.hints.iter()
    }

    /// Up to `max` hints of an owner in key order, behind `after`. They stay until [`Hints::remove`]: handing
    /// over a write twice is harmless, losing it is not.
    pub fn batch(&self, owner: NodeId, after: Option<HintKey>, max: u32) -> Vec<(HintKey, Version)> {
        let all = self.hints.range(span_of(owner, KeyId(0), KeyId(u32::MAX)));
        let next = all.filter(|(at, _)| after.is_none_or(|after| **at > after));
        next.take(max as usize).map(|(at, hint)| (*at, hint.version.clone())).collect()
    }

    /// The hint at a place, if it is still kept.
    pub fn get(&self, at: HintKey) -> Option<&Hint> {
        self.hints.get(&at)
    }

    /// Deletes a hint that its owner has acknowledged. False if it was gone, replaced or expired meanwhile.
    pub fn remove(&mut self, at: HintKey) -> bool {
        let Some(hint) = self.hints.remove(&at) else { return false };
        self.by_age.remove(&at.seq);
        let of_key = self.by_key.get_mut(&at.key).expect("a hint's key is counted");
        *of_key -= 1;
        if *of_key == 0 {
            self.by_key.remove(&at.key);
        }
        self.bytes -= hint.bytes;
        true
    }

    /// Deletes the hints that are older than `ttl` and returns their places and versions, oldest first.
    pub fn expire(&mut self, now: SimTime, ttl: Span) -> Vec<(HintKey, Version)> {
        let mut expired = Vec::new();
        while let Some(&at) = self.by_age.values().next() {
            let hint = &self.hints[&at];
            if now.since(hint.created_at) <= ttl {
                break;
            }
            expired.push((at, hint.version.clone()));
            self.remove(at);
        }
        expired
    }

    /// Deletes everything: a disk that was wiped.
    pub fn clear(&mut self) {
        *self = Hints { max: self.max, next_seq: self.next_seq, ..Hints::default() };
    }
}

fn span_of(owner: NodeId, first: KeyId, last: KeyId) -> std::ops::RangeInclusive<HintKey> {
    HintKey { owner, key: first, seq: 0 }..=HintKey { owner, key: last, seq: u64::MAX }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::kernel::ids::ActorId;
    use crate::version::{Value, Write, WriteId, coordinate};

    const DOTTED: Scheme = Scheme::Dotted;
    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    fn write(actor: u32, context: &[Version], number: u64) -> Version {
        let (actor, now_ms, stamp) = (ActorId(actor), 0, number);
        let (value, size, write) = (Value::Blob(number), 100, WriteId(number));
        coordinate(DOTTED, &[], context, Write { actor, now_ms, stamp, value, size, write, issued: 0 })
    }

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + Span::from_secs(seconds)
    }

    #[test]
    fn a_hint_stays_until_its_owner_has_acknowledged_it() {
        let mut hints = Hints::new(None);
        let version = write(1, &[], 1);
        assert_eq!(hints.add(A, KeyId(5), &version, DOTTED, at(1)), Added::Stored { replaced: 0 });
        assert_eq!(hints.add(A, KeyId(5), &version, DOTTED, at(2)), Added::AlreadyThere);
        assert_eq!((hints.owners(), hints.bytes(), hints.oldest_at()), (vec![A], version.wire_bytes(), Some(at(1))));
        let batch = hints.batch(A, None, 10);
        assert_eq!((batch.len(), hints.len()), (1, 1), "handing over does not delete");
        assert!(hints.remove(batch[0].0));
        assert!(!hints.remove(batch[0].0));
        assert_eq!((hints.is_empty(), hints.bytes(), hints.oldest_at()), (true, 0, None));
    }

    #[test]
    fn a_newer_version_replaces_the_hint_that_it_covers_and_a_sibling_joins() {
        let mut hints = Hints::new(Some(2));
        let v1 = write(1, &[], 1);
        let v2 = write(2, from_ref(&v1), 2);
        let v3 = write(3, from_ref(&v1), 3);
        hints.add(A, KeyId(5), &v1, DOTTED, at(1));
        let old = hints.batch(A, None, 1)[0].0;
        assert_eq!(hints.add(A, KeyId(5), &v2, DOTTED, at(2)), Added::Stored { replaced: 1 });
        assert!(!hints.remove(old), "a late acknowledgement of the old hint does not delete the new one");
        assert_eq!(hints.add(A, KeyId(5), &v1, DOTTED, at(3)), Added::AlreadyThere);
        assert_eq!(hints.add(A, KeyId(5), &v3, DOTTED, at(3)), Added::Stored { replaced: 0 });
        assert_eq!(hints.oldest_at(), Some(at(2)));
        // The store is full now: only a hint that takes another's place still fits.
        assert_eq!(hints.add(B, KeyId(5), &v1, DOTTED, at(4)), Added::Dropped);
        let v4 = write(4, &[v2, v3], 4);
        assert_eq!(hints.add(A, KeyId(5), &v4, DOTTED, at(4)), Added::Stored { replaced: 2 });
        assert_eq!((hints.len(), hints.bytes()), (1, v4.wire_bytes()));
    }

    #[test]
    fn batches_go_through_one_owner_in_key_order() {
        let mut hints = Hints::new(None);
        for key in [9, 3, 7, 1] {
            hints.add(B, KeyId(key), &write(1, &[], u64::from(key)), DOTTED, at(1));
        }
        hints.add(NodeId(7), KeyId(2), &write(1, &[], 2), DOTTED, at(1));
        assert_eq!(hints.owners(), [B, NodeId(7)]);
        assert!(hints.has_any_for(B) && hints.has(B, KeyId(9)) && !hints.has(B, KeyId(2)) && !hints.has_any_for(A));
        let keys = |batch: &[(HintKey, Version)]| batch.iter().map(|(at, _)| at.key.0).collect::<Vec<_>>();
        let first = hints.batch(B, None, 3);
        assert_eq!(keys(&first), [1, 3, 7]);
        assert_eq!(keys(&hints.batch(B, Some(first[2].0), 3)), [9]);
        assert_eq!(keys(&hints.batch(A, None, 3)), [0; 0]);
    }

    #[test]
    fn old_hints_expire_in_order_of_age() {
        let mut hints = Hints::new(None);
        for (key, second) in [(3, 1), (1, 2), (2, 3)] {
            hints.add(A, KeyId(key), &write(1, &[], u64::from(key)), DOTTED, at(second));
        }
        assert!(hints.expire(at(4), Span::from_secs(3)).is_empty(), "a hint lives as long as its limit says");
        let expired = hints.expire(at(6), Span::from_secs(3));
        assert_eq!(expired.iter().map(|(at, _)| at.key.0).collect::<Vec<_>>(), [3, 1]);
        assert_eq!((hints.len(), hints.oldest_at()), (1, Some(at(3))));
        hints.clear();
        assert!(hints.is_empty() && hints.owners().is_empty());
    }
}
