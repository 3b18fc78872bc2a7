//! The format as a whole: every example loads in every setting, the schema says what the reference
//! says, and nothing that can be written makes the reader panic.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "a test may read folders and speak on stderr")]

use std::path::PathBuf;

use dynamo_sim::scenario::source::{Disk, Memory};
use dynamo_sim::scenario::{Loaded, load, schema};
use proptest::prelude::*;
use serde_json::Value;

/// The examples, or nothing with a loud word when they are not there.
fn examples() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/scenarios");
    let Ok(entries) = std::fs::read_dir(folder) else {
        eprintln!("SKIPPED: {folder} is not there, no example was read");
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
}

fn example(name: &str) -> Option<Loaded> {
    let file = examples().into_iter().find(|file| file.file_stem().is_some_and(|stem| stem == name))?;
    let disk = Disk::open(file.to_str().expect("the path is text")).expect("the example is readable");
    Some(load(&disk, &[]).unwrap_or_else(|errors| panic!("{errors}")))
}

const SMALLEST: &str = r#"{ "version": 1, "duration": "10s", "cluster": { "nodes": 5 },
  "clients": [ { "name": "users", "arrival": { "open": { "rate": "2000/s" } } } ] }"#;

#[test]
fn the_smallest_file_has_the_numbers_of_the_paper() {
    let loaded = load(&Memory::new("small.json", SMALLEST), &[]).unwrap_or_else(|errors| panic!("{errors}"));
    let spec = &loaded.settings[0].spec;
    assert_eq!((spec.cluster.replication.n, spec.cluster.replication.r, spec.cluster.replication.w), (3, 2, 2));
    assert_eq!(loaded.name, "small");
    assert_eq!(loaded.notices, ["storage takes no time"]);
}

#[test]
fn every_example_loads_in_every_setting() {
    let mut wrong = String::new();
    for file in examples() {
        let disk = Disk::open(file.to_str().expect("the path is text")).expect("the example is readable");
        match load(&disk, &[]) {
            Ok(loaded) => {
                assert!(!loaded.settings.is_empty(), "{file:?} has a setting");
                for notice in &loaded.notices {
                    eprintln!("{}: {notice}", loaded.name);
                }
            }
            Err(errors) => wrong.push_str(&errors.to_string()),
        }
    }
    assert_eq!(wrong, "", "the examples are free of errors");
}

#[test]
fn a_sweep_crosses_its_axes_and_the_last_is_fastest() {
    let Some(loaded) = example("nrw-tradeoff") else { return };
    // Of 2 x 3 x 3 combinations those with r or w above n = 2 are skipped.
    assert_eq!(loaded.settings.len(), 4 + 9);
    let setting = &loaded.settings[8];
    let labels: Vec<String> = setting.values.iter().map(|value| value.value.label()).collect();
    assert_eq!((setting.number, labels), (8, vec!["3".into(), "2".into(), "2".into()]));
    assert!(loaded.notices.iter().any(|notice| notice.starts_with("skipped n=2, r=1, w=3: cluster.replication.w: ")));
}

#[test]
fn the_hash_is_of_text_and_overrides() {
    let source = Memory::new("a.json", SMALLEST);
    let hash = |overrides: &[(&str, &str)]| {
        let overrides: Vec<(String, String)> =
            overrides.iter().map(|(path, value)| (path.to_string(), value.to_string())).collect();
        load(&source, &overrides).unwrap_or_else(|errors| panic!("{errors}")).hash
    };
    assert_eq!(hash(&[]), hash(&[]));
    assert_ne!(hash(&[]), hash(&[("cluster.replication.r", "1")]));
    assert_ne!(hash(&[("cluster.replication.r", "1")]), hash(&[("cluster.replication.r", "2")]));
}

#[test]
fn a_setting_from_the_command_line_is_json_or_a_text() {
    let set = |path: &str, value: &str| load(&Memory::new("a.json", SMALLEST), &[(path.into(), value.into())]);
    let loaded = set("clients.users.routing", "client_driven").unwrap_or_else(|errors| panic!("{errors}"));
    assert!(matches!(loaded.base.clients[0].routing, dynamo_sim::scenario::spec::Routing::ClientDriven(_)));
    set("cluster.ring", r#"{"random_tokens": {"per_node": 8}}"#).unwrap_or_else(|errors| panic!("{errors}"));
    let errors = set("cluster.replication.r", "two").expect_err("two is no count");
    assert_eq!(
        errors.to_string(),
        "a.json: --set cluster.replication.r=two: cluster.replication.r: not a count (got \"two\", allowed a whole number 0 … 4294967295)\n"
    );
}

/// Every object of the schema, with a name for messages.
fn objects<'a>(schema: &'a Value, name: &str, found: &mut Vec<(String, &'a Value)>) {
    match schema {
        Value::Object(map) => {
            if map.get("type").and_then(Value::as_str) == Some("object") {
                found.push((name.to_string(), schema));
            }
            for (field, value) in map {
                objects(value, &format!("{name}/{field}"), found);
            }
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, value)| objects(value, &format!("{name}/{at}"), found))
        }
        _ => {}
    }
}

#[test]
fn every_object_of_the_schema_refuses_unknown_fields_and_explains_the_others() {
    let schema = schema();
    let mut found = Vec::new();
    objects(&schema, "", &mut found);
    assert!(found.len() > 80, "the schema has {} objects", found.len());
    for (name, object) in found {
        let additional = object.get("additionalProperties");
        assert!(additional.is_some_and(|value| *value == Value::Bool(false) || value.is_object()), "{name} is closed");
    }
    for (title, definition) in schema["$defs"].as_object().expect("definitions") {
        for (field, description) in definition["properties"].as_object().into_iter().flatten() {
            assert!(description.get("description").is_some(), "{title}.{field} has a meaning");
        }
    }
    let text = schema.to_string();
    for reference in text.split("\"#/$defs/").skip(1) {
        let name = reference.split('"').next().expect("a name");
        assert!(schema["$defs"].get(name).is_some(), "{name} is defined");
    }
}

/// The first cells of a table of the reference: the fields it documents.
fn documented(section: &str) -> Option<Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/SCENARIOS.md");
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("SKIPPED: {path} is not there, no table was compared");
        return None;
    };
    let section = text.split(section).nth(1).expect("the section is there");
    let table = section.split_once("|---|").expect("the section has a table").1;
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let cells = rows.flat_map(|row| {
        row.split('|').nth(1).unwrap_or("").split([',', ' ']).map(str::trim).map(String::from).collect::<Vec<_>>()
    });
    Some(cells.filter_map(|cell| Some(cell.strip_prefix('`')?.strip_suffix('`')?.to_string())).collect())
}

#[test]
fn the_fields_of_the_schema_are_those_of_the_reference() {
    let tables = [
        ("## 2. The file", "Spec"),
        ("## 3. `cluster`", "Cluster"),
        ("## 4. `network` and distributions", "Network"),
        ("## 5. `keys` and `clients`", "ClientGroup"),
        ("## 9. `sweep`", "Sweep"),
    ];
    let schema = schema();
    for (section, title) in tables {
        let Some(mut expected) = documented(section) else { return };
        let fields = schema["$defs"][title]["properties"].as_object().expect("an object of the schema");
        let mut fields: Vec<String> = fields.keys().cloned().collect();
        fields.sort();
        expected.sort();
        assert_eq!(fields, expected, "{section} is {title}");
    }
    let Some(mut step) = documented("## 6. `script`") else { return };
    let actions = [
        "get",
        "put",
        "delete",
        "update",
        "inspect",
        "crash",
        "restart",
        "wipe",
        "pause",
        "slow",
        "disk_error",
        "skew",
        "cut",
        "link",
        "join",
        "leave",
        "replace",
        "run",
    ];
    step.extend(actions.map(String::from));
    step.sort();
    let mut fields: Vec<String> =
        schema["$defs"]["Step"]["properties"].as_object().expect("a step").keys().cloned().collect();
    fields.sort();
    assert_eq!(fields, step);
}

#[test]
fn metrics_are_those_of_the_reference() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/SCENARIOS.md");
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("SKIPPED: {path} is not there, no metric was compared");
        return;
    };
    let section =
        text.split("## 10. Metrics").nth(1).and_then(|rest| rest.split("## 11.").next()).expect("the section is there");
    let rows: Vec<String> = dynamo_sim::measure::Metric::rows().into_iter().map(|(row, ..)| row).collect();
    let mut documented = Vec::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cell = line.split('|').nth(1).expect("a first cell");
        let mut first: Option<String> = None;
        for path in cell.split('`').skip(1).step_by(2) {
            let whole = match (&first, path.strip_prefix('.')) {
                // `.max` after `a.b` is `a.max`.
                (Some(first), Some(rest)) => format!("{}.{rest}", first.rsplit_once('.').expect("a path has a dot").0),
                _ => path.to_string(),
            };
            first.get_or_insert(whole.clone());
            documented.push(whole);
        }
    }
    let missing: Vec<&String> = documented.iter().filter(|path| !rows.contains(path)).collect();
    assert!(missing.is_empty(), "the table lacks {missing:?}");
    let extra: Vec<&String> = rows.iter().filter(|row| !documented.contains(row)).collect();
    // These two stand in the text of another row's meaning.
    assert_eq!(extra, ["<op>.success_worst", "regular.violations"], "the reference lacks them");
}

#[test]
fn ten_kilobytes_are_read_at_once() {
    let step = |number: u32| {
        format!(r#"{{ "name": "s{number}", "at": "{number}ms", "client": "ann", "get": {{ "key": "K" }} }}"#)
    };
    let steps: Vec<String> = (0..150).map(step).collect();
    let text = format!(r#"{{ "version": 1, "cluster": {{ "nodes": 5 }}, "script": [{}] }}"#, steps.join(",\n"));
    assert!(text.len() > 10_000, "{} bytes", text.len());
    let loaded = load(&Memory::new("a.json", &text), &[]).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.base.script.len(), 150);
}

/// The texts that are mutated: the examples, or the smallest file alone.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = examples().iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect();
    // Without the sweep over many settings a mutation is read in a moment.
    texts.retain(|text| text.len() < 2_000);
    texts.push(SMALLEST.to_string());
    texts
}

/// Reads whatever it is; what is wrong must be said in lines that begin with the file's name.
fn survives(text: &str) {
    for name in ["x.json", "x.jsonc"] {
        if let Err(errors) = load(&Memory::new(name, text), &[]) {
            assert!(!errors.is_empty(), "a refusal has a reason");
            assert!(errors.to_string().lines().all(|line| line.starts_with(name)), "{errors}");
            let _ = errors.render();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_truncated_or_garbled_file_never_panics(which in 0usize..100, cut in 0usize..4000, at in 0usize..4000, byte in any::<u8>()) {
        let texts = texts();
        let text = &texts[which % texts.len()];
        let end = cut % (text.len() + 1);
        survives(&String::from_utf8_lossy(&text.as_bytes()[..end]));
        let mut bytes = text.as_bytes().to_vec();
        let length = bytes.len();
        bytes[at % length] = byte;
        survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_value_in_a_wrong_place_never_panics(which in 0usize..100, from in 0usize..400, to in 0usize..400, kind in 0u8..6) {
        let texts = texts();
        let tree: Value = serde_json::from_str(&texts[which % texts.len()]).expect("an example is JSON");
        let mut pointers = Vec::new();
        collect(&tree, String::new(), &mut pointers);
        let mut changed = tree.clone();
        let replacement = match kind {
            0 => Value::Null,
            1 => serde_json::json!(-1.5),
            2 => serde_json::json!("0.000000000000000000000000000000000000000000000001h"),
            3 => serde_json::json!({}),
            _ => tree.pointer(&pointers[from % pointers.len()]).expect("the pointer is of this tree").clone(),
        };
        *changed.pointer_mut(&pointers[to % pointers.len()]).expect("the pointer is of this tree") = replacement;
        survives(&changed.to_string());
    }

    #[test]
    fn a_path_that_is_made_up_never_panics(path in "[a-z*0-9.]{0,40}", value in "[\\[{\"a-z0-9}\\]]{0,10}") {
        let _ = load(&Memory::new("a.json", SMALLEST), &[(path, value)]);
    }
}

fn collect(value: &Value, pointer: String, all: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| {
            collect(value, format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), all)
        }),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, value)| collect(value, format!("{pointer}/{at}"), all))
        }
        _ => {}
    }
    all.push(pointer);
}

#[test]
fn properties_are_those_of_the_reference() {
    use dynamo_sim::check::Property;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/SCENARIOS.md");
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("SKIPPED: {path} is not there, no property was compared");
        return;
    };
    let table = text
        .split("| properties | |")
        .nth(1)
        .and_then(|rest| rest.split("Each property").next())
        .expect("the table is there");
    let documented: Vec<&str> = table.split('`').skip(1).step_by(2).collect();
    let known: Vec<&str> = Property::ALL.iter().map(|property| property.name()).collect();
    assert_eq!(known, documented);
    let ids: Vec<&str> = table.split('(').skip(1).map(|rest| rest.split(')').next().expect("an id ends")).collect();
    let mut known_ids: Vec<&str> = Property::ALL.iter().map(|property| property.id()).collect();
    known_ids.dedup();
    assert_eq!(known_ids, ids);
}
