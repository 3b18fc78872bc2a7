//! The keys of a run: those that the file names, and those that groups of clients count.
//!
//! The keys of a prefix are numbered in one stretch, as many as the group that counts most: groups with one
//! prefix share them. They are called `k1 …`, as nodes are `n1 …`; a key of that name in `keys` is one of them.

use std::collections::BTreeMap;

use super::Builder;
use crate::cluster::config::{FirstValue, KeyConfig, Place};
use crate::kernel::ids::{GroupId, KeyId};
use crate::scenario::spec::{Action, Arrival, ClientGroup, KeyChoice};

/// Keys by name.
#[derive(Default)]
pub(super) struct Keys {
    pub configs: Vec<KeyConfig>,
    /// Keys that are named one by one.
    named: BTreeMap<String, KeyId>,
    /// Prefix, number of the first key, how many.
    stretches: Vec<(String, u32, u32)>,
}

impl Keys {
    /// The number of a key.
    pub fn id(&self, name: &str) -> Option<KeyId> {
        let counted = self.stretches.iter().find_map(|(prefix, first, count)| {
            let number = counted(prefix, *count, name)?;
            Some(KeyId(first + number - 1))
        });
        counted.or_else(|| self.named.get(name).copied())
    }

    /// Where a key lies.
    pub fn place(&self, name: &str) -> Place {
        self.id(name).map_or(Place::Hash, |key| self.configs[key.index()].place)
    }

    /// The first key of a prefix.
    pub fn first_of(&self, prefix: &str) -> KeyId {
        let stretch = self.stretches.iter().find(|(known, ..)| known == prefix);
        KeyId(stretch.map_or(0, |(_, first, _)| *first))
    }

    /// The number of a key by name, which may be new.
    fn enter(&mut self, name: &str) -> KeyId {
        if let Some(key) = self.id(name) {
            return key;
        }
        let key = KeyId(self.configs.len() as u32);
        self.configs.push(KeyConfig { name: name.to_string(), place: Place::Hash, first: None });
        self.named.insert(name.to_string(), key);
        key
    }
}

/// Which of `count` keys of a prefix has this name, from 1.
fn counted(prefix: &str, count: u32, name: &str) -> Option<u32> {
    let digits = name.strip_prefix(prefix)?;
    let number = digits.parse::<u32>().ok()?;
    let plain = !digits.starts_with(['0', '+']);
    (plain && number >= 1 && number <= count).then_some(number)
}

/// How many keys a group counts; nothing if it names them or makes them.
fn key_count(group: &ClientGroup) -> Option<u32> {
    if matches!(group.arrival, Arrival::Trace(_)) {
        return None;
    }
    match &group.keys {
        KeyChoice::Uniform(keys) | KeyChoice::Sequential(keys) => Some(keys.count),
        KeyChoice::Zipf(keys) | KeyChoice::Latest(keys) => Some(keys.count),
        KeyChoice::Hot(keys) => Some(keys.count),
        KeyChoice::New | KeyChoice::Only(_) => None,
    }
}

impl Builder<'_> {
    /// Numbers all keys and says where they lie and what they hold at the start.
    pub(super) fn place_keys(&mut self) {
        self.count_keys();
        let (spec, files) = (self.spec, self.files);
        for (name, key) in spec.keys.iter() {
            let id = self.keys.enter(name).index();
            let path = format!("keys.{name}");
            self.keys.configs[id].place = match (&key.first, &key.at) {
                (Some(first), _) => {
                    let node = self.node_id(&format!("{path}.first"), first);
                    let (layout, ring) = self.layout.get();
                    if layout.position_owned_by(ring, node).is_none() {
                        self.fail(&format!("{path}.first"), format!("{first} has no range of its own"));
                    }
                    Place::First(node)
                }
                (None, Some(at)) => Place::At(at.0),
                (None, None) => Place::Hash,
            };
            if let Some(value) = &key.value {
                let literal = self.texts.literal(value);
                self.keys.configs[id].first = Some(FirstValue::Literal(literal));
            }
        }
        for (number, group) in spec.clients.iter().enumerate() {
            let by = FirstValue::OfGroup(GroupId(number as u16));
            let keys: Vec<KeyId> = match (&group.arrival, &group.keys) {
                (Arrival::Trace(trace), _) => {
                    let rows = files.traces.get(&trace.file).map_or(&[][..], Vec::as_slice);
                    rows.iter().map(|row| self.keys.enter(&row.key)).collect()
                }
                (_, KeyChoice::Only(names)) => names.iter().map(|name| self.keys.enter(name)).collect(),
                _ => {
                    let first = self.keys.first_of(&group.key_prefix).0;
                    (first..first + key_count(group).unwrap_or(0)).map(KeyId).collect()
                }
            };
            if group.preload {
                // What the file says of a key goes first, then the first group that has it.
                for key in keys {
                    self.keys.configs[key.index()].first.get_or_insert_with(|| by.clone());
                }
            }
        }
        // A key that only the script knows exists from its first write on.
        for step in &spec.script {
            match step.action() {
                Action::Get(get) => _ = self.keys.enter(&get.key),
                Action::Put(put) => _ = self.keys.enter(&put.key),
                Action::Delete(delete) => _ = self.keys.enter(&delete.key),
                Action::Update(update) => _ = self.keys.enter(&update.key),
                Action::Inspect(inspect) => inspect.key.iter().for_each(|key| _ = self.keys.enter(key)),
                Action::Wipe(wipe) => wipe.keys.iter().flatten().for_each(|key| _ = self.keys.enter(key)),
                _ => {}
            }
        }
    }

    /// A stretch of keys for each prefix.
    fn count_keys(&mut self) {
        let mut prefixes: Vec<(String, u32)> = Vec::new();
        for group in &self.spec.clients {
            let Some(count) = key_count(group) else { continue };
            match prefixes.iter_mut().find(|(prefix, _)| *prefix == group.key_prefix.0) {
                Some((_, most)) => *most = count.max(*most),
                None => prefixes.push((group.key_prefix.0.clone(), count)),
            }
        }
        let total: u64 = prefixes.iter().map(|(_, count)| u64::from(*count)).sum();
        if total >= 1 << 31 {
            self.fail("clients", format!("{total} keys (allowed fewer than 2^31)"));
            return;
        }
        for (at, (prefix, count)) in prefixes.iter().enumerate() {
            // `k1` counts `k11`, which `k` may count, too.
            let clash = prefixes[..at].iter().find(|(other, most)| {
                counted(other, *most, &format!("{prefix}1")).is_some()
                    || counted(prefix, *count, &format!("{other}1")).is_some()
            });
            if let Some((other, _)) = clash {
                self.fail("clients", format!("the prefixes {other:?} and {prefix:?} give one name to two keys"));
            }
        }
        for (prefix, count) in prefixes {
            let first = self.keys.configs.len() as u32;
            let key = |number: u32| KeyConfig { name: format!("{prefix}{number}"), place: Place::Hash, first: None };
            self.keys.configs.extend((1..=count).map(key));
            self.keys.stretches.push((prefix, first, count));
        }
    }
}
