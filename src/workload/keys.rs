//! Which key an operation is about.
//!
//! What is shared by the sessions of a group is here: the place of a sequence, the key written last, the
//! keys that exist. What is chance comes from the operation's own draws. It does not know the ring.

use crate::kernel::ids::KeyId;
use crate::kernel::rng::Purpose;

use super::config::KeyChoice;
use super::mix::last_positions;
use super::session::Luck;
use super::zipf::Zipf;

/// The key of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Picked {
    /// This one.
    Key(KeyId),
    /// One that did not exist: the caller numbers it and reports the number to [`Keys::created`].
    NewKey,
}

/// The keys of a group.
#[derive(Clone, Debug)]
pub struct Keys {
    first: KeyId,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Uniform { count: u64 },
    Zipf(Zipf),
    Latest { law: Zipf, count: u64, written: u64 },
    Hot { hot: u64, cold: u64, hot_last: Option<u64> },
    Sequential { count: u64, next: u64 },
    New { created: Vec<KeyId> },
    Only(Vec<KeyId>),
}

impl Keys {
    /// The keys of a group at its start; key i of a counted choice is `first + i`.
    ///
    /// # Panics
    /// If there is no key to choose from, more keys are hot than exist, or a share or exponent is none.
    pub fn new(choice: &KeyChoice, first: KeyId) -> Keys {
        let count = match choice {
            KeyChoice::Uniform { count }
            | KeyChoice::Zipf { count, .. }
            | KeyChoice::Latest { count, .. }
            | KeyChoice::Hot { count, .. }
            | KeyChoice::Sequential { count } => *count,
            KeyChoice::New => 1,
            KeyChoice::Only(keys) => keys.len() as u64,
        };
        assert!(count > 0, "a group has keys to choose from");
        assert!(u64::from(first.0) + count <= 1 << 32, "keys are numbered below 2^32");
        let kind = match choice {
            KeyChoice::Uniform { count } => Kind::Uniform { count: *count },
            KeyChoice::Zipf { count, exponent } => Kind::Zipf(Zipf::new(*count, *exponent)),
            // As if all keys had been written in order before the start.
            KeyChoice::Latest { count, exponent } => {
                Kind::Latest { law: Zipf::new(*count, *exponent), count: *count, written: count - 1 }
            }
            KeyChoice::Hot { count, hot, share } => {
                assert!(hot <= count, "hot keys are some of the keys: {hot} of {count}");
                assert!((0.0..=1.0).contains(share), "a share is a fraction: {share}");
                let share = match hot {
                    0 => 0.0,
                    hot if hot == count => 1.0,
                    _ => *share,
                };
                let hot_last = last_positions([share, 1.0 - share].into_iter()).first().filter(|part| part.0 == 0).map(|part| part.1);
                Kind::Hot { hot: *hot, cold: count - hot, hot_last }
            }
            KeyChoice::Sequential { count } => Kind::Sequential { count: *count, next: 0 },
            KeyChoice::New => Kind::New { created: Vec::new() },
            KeyChoice::Only(keys) => Kind::Only(keys.clone()),
        };
        Keys { first, kind }
    }

    /// The key of the operation with these draws; `write` if it writes.
    ///
    /// With `latest` a write goes to the key after the one written last, round and round, so that reads,
    /// which count back from there, prefer what was written a short time ago. With `new` a write makes a
    /// key and a read goes to any made before; a read before the first write asks for a new key, too.
    #[inline]
    pub fn pick(&mut self, luck: Luck, write: bool) -> Picked {
        let bits = |turn| luck.bits(Purpose::Key, turn);
        let below = |turn, bound| luck.below(Purpose::Key, turn, bound);
        let index = match &mut self.kind {
            Kind::Uniform { count } => below(0, *count),
            Kind::Zipf(law) => law.sample(bits),
            Kind::Latest { count, written, .. } if write => {
                *written = (*written + 1) % *count;
                *written
            }
            Kind::Latest { law, count, written } => (*written + *count - law.sample(bits)) % *count,
            Kind::Hot { hot, cold, hot_last } => {
                if hot_last.is_some_and(|last| bits(0) <= last) {
                    below(1, *hot)
                } else {
                    *hot + below(1, *cold)
                }
            }
            Kind::Sequential { count, next } => {
                let index = *next;
                *next = (index + 1) % *count;
                index
            }
            Kind::New { created } => {
                if write || created.is_empty() {
                    return Picked::NewKey;
                }
                return Picked::Key(created[below(0, created.len() as u64) as usize]);
            }
            Kind::Only(keys) => return Picked::Key(keys[below(0, keys.len() as u64) as usize]),
        };
        Picked::Key(KeyId(self.first.0 + index as u32))
    }

    /// A key asked for by [`Picked::NewKey`] now exists under this number.
    pub fn created(&mut self, key: KeyId) {
        if let Kind::New { created } = &mut self.kind {
            created.push(key);
        }
    }
}
