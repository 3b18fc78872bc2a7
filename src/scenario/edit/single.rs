//! One setting of a sweep and one seed as a scenario of its own.

use serde_json::{Value as Json, json};

use super::{remove, set};
use crate::scenario::errors::Errors;
use crate::scenario::json::Node;
use crate::scenario::schema;
use crate::scenario::spec::Spec;
use crate::scenario::sweep::{self, AxisValue};

/// The scenario of this setting and seed: no axes, no `null`, nothing that speaks of other settings or of the file's
/// name. `base` and `values` are of the scenario that `tree` was understood as.
///
/// # Panics
/// If the setting is none of them.
pub fn single(tree: &Node, base: &Spec, values: &[AxisValue], seed: u64) -> Json {
    let mut cx = Errors::default();
    let schema = schema();
    let axes = &base.sweep;
    let mut combinations = (0..sweep::size(axes)).filter_map(|n| sweep::combination(n, axes, tree, &schema, &mut cx));
    let found = combinations.find(|combination| combination.values == values).expect("the setting is one of them");
    let mut tree = without_nulls(found.tree.to_json());
    for field in ["sweep", "name", "claims"] {
        remove(&mut tree, field);
    }
    set(&mut tree, "seed", json!(seed));
    tree
}

/// `null` means "as if left out", except in a list of bounds.
fn without_nulls(value: Json) -> Json {
    match value {
        Json::Object(fields) => {
            Json::Object(fields.into_iter().filter(|(_, v)| !v.is_null()).map(|(n, v)| (n, without_nulls(v))).collect())
        }
        Json::Array(list) if list.iter().any(Json::is_object) => {
            Json::Array(list.into_iter().filter(|item| !item.is_null()).map(without_nulls).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Draft;
    use crate::scenario::source::Memory;

    #[test]
    fn a_setting_becomes_a_file_of_its_own() {
        let text = r#"{ "version": 1, "name": "x", "cluster": { "nodes": 5, "hints": null },
            "script": [ { "name": "a", "at": "1s", "inspect": { "node": "n1" } }, null ],
            "sweep": { "seeds": 3, "axes": [ { "name": "r", "path": "cluster.replication.r", "values": [1, 9, 2] } ] } }"#;
        let source = Memory::new("x.json", text);
        let overrides = vec![("script.a.at".to_string(), "2s".to_string())];
        let draft = Draft::read(&source, &overrides).expect("it is JSON");
        let loaded = draft.understand().expect("it is a scenario");
        // r = 9 is skipped, so the second setting is the third combination.
        let tree = single(draft.tree(), &loaded.base, &loaded.settings[1].values, 7);
        let expected = json!({ "version": 1, "cluster": { "nodes": 5, "replication": { "r": 2 } },
            "script": [ { "name": "a", "at": "2s", "inspect": { "node": "n1" } } ], "seed": 7 });
        assert_eq!(tree, expected);
    }
}
