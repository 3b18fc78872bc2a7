//! Scenarios as JSON that is changed: one setting of a sweep, chance written out as steps, things taken away.
//!
//! All functions go from a JSON value to a JSON value and keep the order of fields. None promises that what comes out
//! is a scenario: that is for the ordinary reading and its rules to say. Why something is changed is not known here.

pub mod faults;
pub mod layout;
pub mod nodes;
pub mod operations;
pub mod record;
pub mod rungs;
pub mod single;
pub mod steps;

use serde_json::Value as Json;

/// The elements of a list in an object; none if there is no such list.
pub fn list<'a>(tree: &'a Json, name: &str) -> &'a [Json] {
    tree.get(name).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// The same, to be changed.
pub fn list_mut<'a>(tree: &'a mut Json, name: &str) -> Option<&'a mut Vec<Json>> {
    tree.get_mut(name).and_then(Json::as_array_mut)
}

/// Takes a field out of an object; the other fields keep their order.
pub fn remove(tree: &mut Json, name: &str) -> Option<Json> {
    tree.as_object_mut()?.shift_remove(name)
}

/// Sets a field of an object.
///
/// # Panics
/// If it is no object.
pub fn set(tree: &mut Json, name: &str, value: Json) {
    tree.as_object_mut().expect("a scenario and its sections are objects").insert(name.to_string(), value);
}

/// Keeps the elements of a list that pass, and takes out a list that becomes empty.
pub fn retain(tree: &mut Json, name: &str, test: impl FnMut(&Json) -> bool) {
    if let Some(list) = list_mut(tree, name) {
        list.retain(test);
        if list.is_empty() {
            remove(tree, name);
        }
    }
}
