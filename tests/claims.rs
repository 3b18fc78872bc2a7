//! The ledger of claims, `docs/claims.json`: each row has a verdict, the scenarios and tests that it names exist and say
//! the same, and the scripts among them come out as they say. What takes longer is run by `scripts/scenarios.sh`.

#![allow(clippy::disallowed_methods, reason = "tests read the ledger and start the program")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use dynamo_sim::report::run_dir::sorted_entries;
use serde_json::Value as Json;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// How many claims there are by letter.
const CLAIMS: [(&str, usize); 8] =
    [("A", 16), ("B", 18), ("C", 10), ("Q", 22), ("V", 14), ("H", 13), ("G", 10), ("M", 6)];

/// Claims that no run decides: another protocol, words, and a command of its own.
const WITHOUT_A_RUN: [&str; 3] = ["A15", "G8", "M4"];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(path: &str) -> Json {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn text<'j>(row: &'j Json, field: &str) -> &'j str {
    row[field].as_str().unwrap_or_else(|| panic!("{field} of {row} is text"))
}

fn list(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn ledger() -> Vec<Json> {
    list(&json("docs/claims.json")).to_vec()
}

/// All scenarios, with their paths from the root.
fn scenarios() -> Vec<(String, Json)> {
    let folders = ["scenarios", "scenarios/claims"];
    let names = folders.iter().flat_map(|folder| {
        let entries = sorted_entries(&Path::new(ROOT).join(folder)).expect("the folder is there");
        entries.into_iter().filter(|name| name.ends_with(".json")).map(move |name| format!("{folder}/{name}"))
    });
    names.map(|path| (path.clone(), json(&path))).collect()
}

#[test]
fn every_claim_has_its_row_in_order() {
    let expected: Vec<String> =
        CLAIMS.iter().flat_map(|(letter, count)| (1..=*count).map(move |number| format!("{letter}{number}"))).collect();
    let ledger = ledger();
    let ids: Vec<&str> = ledger.iter().map(|row| text(row, "id")).collect();
    assert_eq!(ids, expected);
    for row in &ledger {
        for field in ["claim", "where", "because"] {
            assert!(!text(row, field).is_empty(), "{field} of {} says something", text(row, "id"));
        }
        let is_shown = !list(&row["by"]).is_empty();
        assert_eq!(is_shown, !WITHOUT_A_RUN.contains(&text(row, "id")), "{row}");
    }
}

#[test]
fn ledger_and_scenarios_give_the_same_verdicts() {
    let mut of_scenarios: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (path, scenario) in scenarios() {
        let decided: BTreeSet<&str> = list(&scenario["expect"]).iter().filter_map(|e| e["claim"].as_str()).collect();
        let claimed = scenario["claims"].as_object().cloned().unwrap_or_default();
        for (id, verdict) in &claimed {
            assert!(decided.contains(id.as_str()), "an expectation of {path} decides {id}");
            let verdict = verdict.as_str().expect("a verdict is a word").replace('_', " ");
            of_scenarios.entry(id.clone()).or_default().insert(path.clone(), verdict);
        }
    }
    for row in ledger() {
        let (id, verdict) = (text(&row, "id"), text(&row, "verdict"));
        assert!(["holds", "holds if", "fails"].contains(&verdict), "{id}: {verdict}");
        let mut named = BTreeMap::new();
        for by in list(&row["by"]).iter().map(|by| by.as_str().expect("a path is text")) {
            match by.split_once("::") {
                Some((file, test)) => assert!(read(file).contains(&format!("fn {test}(")), "{id}: {by} is a test"),
                None => drop(named.insert(by.to_string(), verdict.to_string())),
            }
        }
        assert_eq!(named, of_scenarios.remove(id).unwrap_or_default(), "{id}: ledger, then scenarios");
    }
    assert!(of_scenarios.is_empty(), "claims without a row: {of_scenarios:?}");
}

#[test]
fn numbers_of_the_ledger_are_expected_by_its_scenarios() {
    for row in ledger() {
        let paths = list(&row["by"]).iter().filter_map(Json::as_str).filter(|by| !by.contains("::"));
        let mut metrics = BTreeSet::new();
        for expectation in paths.flat_map(|path| list(&json(path)["expect"]).to_vec()) {
            metrics.extend(
                [&expectation["metric"], &expectation["versus"]["metric"]].map(|m| m.as_str().map(String::from)),
            );
        }
        for number in list(&row["numbers"]).iter().map(|number| number.as_str().expect("a metric is text")) {
            assert!(metrics.contains(&Some(number.to_string())), "{}: {number}", text(&row, "id"));
        }
    }
}

#[test]
fn scripts_of_the_ledger_come_out_as_they_say() {
    let out = tempfile::tempdir().expect("a folder for results");
    let mut played = 0;
    for (path, scenario) in scenarios() {
        let is_script = scenario.get("clients").is_none() && scenario.get("script").is_some();
        let is_short = scenario["sweep"].get("seeds").is_none();
        if scenario.get("claims").is_none() || !is_script || !is_short {
            continue;
        }
        let run = Command::new(env!("CARGO_BIN_EXE_dynamo-sim"))
            .args(["run", &path, "--force", "-j", "1", "--out"])
            .arg(out.path())
            .current_dir(ROOT)
            .output()
            .expect("the program starts");
        let said = String::from_utf8_lossy(&run.stdout);
        assert_eq!(run.status.code(), Some(0), "{path}:\n{said}{}", String::from_utf8_lossy(&run.stderr));
        played += 1;
    }
    assert!(played >= 40, "only {played} scripts were played");
}
