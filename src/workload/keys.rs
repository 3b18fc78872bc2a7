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
                let parts = last_positions([share, 1.0 - share].into_iter());
                let hot_last = parts.first().filter(|part| part.0 == 0).map(|part| part.1);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ids::SessionId;
    use crate::kernel::rng::Keyed;

    const DRAWS: u32 = 100_000;

    fn luck(number: u32) -> Luck {
        Luck::new(Keyed::new(5), SessionId(2), number)
    }

    fn key(picked: Picked) -> u32 {
        match picked {
            Picked::Key(key) => key.0,
            Picked::NewKey => panic!("a key that exists was expected"),
        }
    }

    /// Chi-square of reads against these probabilities, as standard deviations off its mean.
    fn off(choice: &KeyChoice, probabilities: &[f64]) -> f64 {
        let mut keys = Keys::new(choice, KeyId(100));
        let mut counts = vec![0u32; probabilities.len()];
        for number in 0..DRAWS {
            counts[key(keys.pick(luck(number), false)) as usize - 100] += 1;
        }
        let terms = counts.iter().zip(probabilities).filter(|(_, p)| **p > 0.0).map(|(&count, p)| {
            let expected = f64::from(DRAWS) * p;
            (f64::from(count) - expected) * (f64::from(count) - expected) / expected
        });
        let never = counts.iter().zip(probabilities).all(|(&count, &p)| p > 0.0 || count == 0);
        assert!(never, "a key without a share is never picked: {counts:?}");
        let freedom = (probabilities.len() - 1) as f64;
        (terms.sum::<f64>() - freedom) / (2.0 * freedom).sqrt()
    }

    #[test]
    fn each_choice_has_its_exact_shares() {
        let uniform = KeyChoice::Uniform { count: 50 };
        assert!(off(&uniform, &[0.02; 50]).abs() < 4.5, "uniform: {}", off(&uniform, &[0.02; 50]));
        let weights: Vec<f64> = (1..=20).map(|i| crate::kernel::math::pow(f64::from(i), -0.99)).collect();
        let total: f64 = weights.iter().sum();
        let mut shares: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
        let zipf = KeyChoice::Zipf { count: 20, exponent: 0.99 };
        assert!(off(&zipf, &shares).abs() < 4.5, "zipf: {}", off(&zipf, &shares));
        shares.reverse();
        let latest = KeyChoice::Latest { count: 20, exponent: 0.99 };
        assert!(off(&latest, &shares).abs() < 4.5, "latest counts back from the end: {}", off(&latest, &shares));
        let hot = KeyChoice::Hot { count: 10, hot: 2, share: 0.8 };
        let shares = [[0.4; 2].as_slice(), &[0.025; 8]].concat();
        assert!(off(&hot, &shares).abs() < 4.5, "hot: {}", off(&hot, &shares));
    }

    #[test]
    fn hot_keys_may_be_none_or_all_or_have_no_traffic() {
        for (hot, share, shares) in [
            (0, 0.9, vec![0.25; 4]),
            (4, 0.1, vec![0.25; 4]),
            (2, 0.0, vec![0.0, 0.0, 0.5, 0.5]),
            (2, 1.0, vec![0.5, 0.5, 0.0, 0.0]),
        ] {
            let choice = KeyChoice::Hot { count: 4, hot, share };
            assert!(off(&choice, &shares).abs() < 4.5, "{hot} hot keys with a share of {share}");
        }
    }

    #[test]
    fn latest_reads_follow_the_writes() {
        let mut keys = Keys::new(&KeyChoice::Latest { count: 100, exponent: 3.0 }, KeyId(0));
        let written: Vec<u32> = (0..40).map(|number| key(keys.pick(luck(number), true))).collect();
        assert_eq!(written, (0..40).collect::<Vec<_>>(), "writes go on from the first after the last");
        let reads: Vec<u32> = (40..1040).map(|number| key(keys.pick(luck(number), false))).collect();
        let newest = reads.iter().filter(|&&key| key == 39).count();
        assert!(newest > 750 && newest < 900, "1 / zeta(3) = 83 % of reads are for the key written last: {newest}");
        assert!(reads.iter().filter(|&&key| key == 38).count() > 60, "the one before it comes next");
    }

    #[test]
    fn sequences_are_shared_and_start_again() {
        let mut keys = Keys::new(&KeyChoice::Sequential { count: 3 }, KeyId(7));
        let picked: Vec<u32> = (0..5).map(|number| key(keys.pick(luck(number), number % 2 == 0))).collect();
        assert_eq!(picked, [7, 8, 9, 7, 8]);
    }

    #[test]
    fn new_keys_are_asked_for_and_then_read() {
        let mut keys = Keys::new(&KeyChoice::New, KeyId(0));
        assert_eq!(keys.pick(luck(0), false), Picked::NewKey, "nothing is there to be read");
        assert_eq!(keys.pick(luck(1), true), Picked::NewKey);
        keys.created(KeyId(31));
        keys.created(KeyId(57));
        assert_eq!(keys.pick(luck(2), true), Picked::NewKey);
        let reads: Vec<u32> = (0..100).map(|number| key(keys.pick(luck(number), false))).collect();
        assert!(reads.iter().all(|key| [31, 57].contains(key)) && reads.contains(&31) && reads.contains(&57));
    }

    #[test]
    fn only_the_listed_keys_are_picked() {
        let mut keys = Keys::new(&KeyChoice::Only(vec![KeyId(4), KeyId(2)]), KeyId(90));
        let picked: Vec<u32> = (0..100).map(|number| key(keys.pick(luck(number), true))).collect();
        assert!(picked.iter().all(|key| [2, 4].contains(key)) && picked.contains(&2) && picked.contains(&4));
    }
}
