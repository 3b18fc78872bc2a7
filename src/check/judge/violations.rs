//! What a judge has found wrong, by property.

use std::collections::BTreeMap;

use crate::check::properties::Property;

/// How often each property was violated, and the first time in words.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Violations {
    found: BTreeMap<Property, (u64, String)>,
    pub(super) undecided: u64,
}

impl Violations {
    /// One more violation; the first of a property is told.
    pub(super) fn add(&mut self, property: Property, example: impl FnOnce() -> String) {
        self.found.entry(property).or_insert_with(|| (0, example())).0 += 1;
    }

    /// Keys on which the checker of histories gave up.
    pub fn undecided(&self) -> u64 {
        self.undecided
    }

    /// How often a property was violated and how it was the first time; nothing if it held.
    pub fn of(&self, property: Property) -> Option<(u64, &str)> {
        self.found.get(&property).map(|(count, example)| (*count, example.as_str()))
    }
}
