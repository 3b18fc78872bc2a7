//! The ledger of claims, `docs/claims.json`: each row has a verdict, the scenarios and tests that it names exist and say
//! the same, and the scripts among them come out as they say. What takes longer is run by `scripts/scenarios.sh`.

#![allow(clippy::disallowed_methods, reason = "tests read the ledger and start the program")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use dynamo_sim::report::run_dir::sorted_entries;
use serde_json::Value as Json;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// How many claims there are by letter.
const CLAIMS: [(&str, usize); 8] =
    [("A", 16), ("B", 18), ("C", 10), ("Q", 22), ("V", 14), ("H", 13), ("G", 10), ("M", 6)];

/// Claims that no run decides: a matter of words.
const WITHOUT_A_RUN: [&str; 1] = ["G8"];

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

fn play(path: &str, more: &[&str], out: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dynamo-sim"));
    command.args(["run", path, "--force", "-j", "1"]).args(more).arg("--out").arg(out).current_dir(ROOT);
    command.output().expect("the program starts")
}

fn said(run: &Output) -> String {
    [&run.stdout, &run.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
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
        let run = play(&path, &[], out.path());
        assert_eq!(run.status.code(), Some(0), "{path}:\n{}", said(&run));
        played += 1;
    }
    assert!(played >= 40, "only {played} scripts were played");
}

/// A change to a script that makes its claim untrue, or true where it is not.
const OTHERWISE: [(&str, &str); 30] = [
    ("a1-a2-list-and-context", "script.blind.put.context=with-context"),
    ("a5-q22-when-writes-fail", "cluster.replication.stand_in_acks=ignore"),
    ("b1-place-of-cart-123", "cluster.placement.hash=murmur3"),
    ("b5-two-tokens-one-copy", "keys.K.at=95deg"),
    ("b7-figure-2-ranges", "cluster.placement.boundary=after"),
    ("b15-too-few-racks", "cluster.placement.spread=nodes"),
    ("c4-who-may-lead", "script.p4.put.via=A"),
    ("c7-states-of-a-request", "cluster.read_repair=off"),
    ("c8-c9-all-are-asked", r#"cluster.replication={"n":2,"r":1,"w":1}"#),
    ("c10-walk-through-of-a-write", "script.put.put.via=A"),
    ("g3-g7-who-hears-of-a-death", "cluster.detector=perfect"),
    ("g9-one-round-drawn", "script.N2-N4.at=12500ms"),
    ("h2-then-b-and-c", r#"script.put.put={"key":"K","value":"v1","via":"B","w":1,"reaches":["B"]}"#),
    ("h3-the-hint-goes-outside", "cluster.replication.quorum=strict"),
    ("h4-stand-in-dies-first", "script.disk-C.crash.disk=kept"),
    ("h5-life-of-a-hint", "script.answers-lost.link.loss=0"),
    ("h10-repair-before-or-after", "cluster.read_repair.wait=1ms"),
    ("h11-only-what-is-read", "script.get.get.key=never-read"),
    ("m3-from-hash-to-repair", "cluster.versioning=last_write_wins"),
    ("q1-quorums-that-meet", r#"script.write.put.legs={"write_request":{"B":"60ms"}}"#),
    ("q2-quorums-that-miss", "cluster.replication.w=3"),
    ("q7-read-during-write-all", "cluster.replication.r=3"),
    ("q8-three-of-five", r#"script.write.put={"key":"K","value":"new","via":"coordinator","w":2,"reaches":["A","B"]}"#),
    ("q10-q11-smallest-to-largest", "script.write.put.legs.write_request.C=41ms"),
    ("v1-figure-3-clocks", "script.D4.put.via=Sy"),
    ("v2-newer-or-beside", "cluster.versioning=last_write_wins"),
    ("v3-three-answers", "script.v3.put.context=v2"),
    ("v4-equal-newer-beside", "cluster.read_repair=off"),
    ("v8-conflicts-refused", "script.ben.put.context=ann"),
    ("v14-old-is-not-beside", "script.v1.put.w=3"),
];

#[test]
fn scripts_break_where_their_claims_are_made_untrue() {
    let out = tempfile::tempdir().expect("a folder for results");
    for (name, change) in OTHERWISE {
        let path = format!("scenarios/claims/{name}.json");
        let run = play(&path, &["--set", change], out.path());
        assert_eq!(run.status.code(), Some(1), "{name} with {change}:\n{}", said(&run));
    }
}
