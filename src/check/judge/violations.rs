//! What a judge has found wrong, by property.

use std::collections::BTreeMap;

use crate::check::properties::Property;

/// How often each property was violated, and the first time in words.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Violations(BTreeMap<Property, (u64, String)>);

impl Violations {
    /// One more violation; the first of a property is told.
    pub(super) fn add(&mut self, property: Property, example: impl FnOnce() -> String) {
        self.0.entry(property).or_insert_with(|| (0, example())).0 += 1;
    }

    /// How often a property was violated and how it was the first time; nothing if it held.
    pub fn of(&self, property: Property) -> Option<(u64, &str)> {
        self.0.get(&property).map(|(count, example)| (*count, example.as_str()))
    }
}
