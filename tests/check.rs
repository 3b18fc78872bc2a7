//! `check`: the same whatever the number of jobs, every seed can be played again, and what breaks is told with the
//! command that shows it.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "tests start the program and look at what it printed"
)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use dynamo_sim::node::marks::Mark;
use dynamo_sim::scenario::source::Memory;
use dynamo_sim::scenario::swarm::{self, Additions, Swarm};
use serde_json::Value as Json;

/// A file of one's own: no faults, and an expectation that random ones break.
const OWN: &str = r#"{ "version": 1, "duration": "20s", "settle": "5s", "cluster": { "nodes": 5, "versioning": "dotted" },
  "clients": [ { "name": "users", "arrival": { "open": { "rate": "20/s" } }, "keys": { "uniform": { "count": 10 } } } ],
  "expect": [ { "metric": "faults.hits", "equals": 0 } ] }"#;

/// All nodes crash and stay so.
const DEAD: &str = r#"{ "version": 1, "duration": "5s", "settle": "5s", "cluster": { "nodes": 3 },
  "clients": [ { "name": "users", "arrival": { "open": { "rate": "5/s" } } } ],
  "script": [ { "at": "2s", "crash": { "nodes": "all" } } ],
  "expect": [ { "metric": "ops.count", "above": 0 }, { "property": "lists_are_distinct" } ] }"#;

const STEP: &str = r#"{ "version": 1, "cluster": { "nodes": ["A", "B", "C"] },
  "script": [ { "name": "r", "at": "0ms", "client": "z", "get": { "key": "K", "via": "A" }, "expect": { "values": ["v1"] } } ] }"#;

fn run(arguments: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dynamo-sim"));
    command.args(arguments).current_dir(directory).stdin(Stdio::null());
    command.output().expect("the program starts")
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, content) in files {
        std::fs::write(directory.path().join(name), content).expect("it can be written");
    }
    directory
}

fn json(output: &Output) -> Json {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)))
}

#[test]
fn twenty_seeds_of_the_default_profile_hold_whatever_the_number_of_jobs() {
    let directory = folder(&[]);
    let one = run(&["check", "--seeds", "1..20", "-j", "1"], directory.path());
    let two = run(&["check", "--seeds", "1..20", "-j", "2"], directory.path());
    assert!(matches!(status(&one), 0 | 3), "{}{}", text(&one.stdout), text(&one.stderr));
    assert_eq!((status(&one), text(&one.stdout)), (status(&two), text(&two.stdout)));
    let printed = text(&one.stdout);
    assert!(printed.contains("20 seeds, 0 failing; digest "), "{printed}");
    let row = |name: &str| -> Vec<u64> {
        let line =
            printed.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}: {printed}"));
        line.split_whitespace().skip(1).map(|cell| cell.parse().expect("a number")).collect()
    };
    assert_eq!(row("lists_are_distinct"), [20, 20, 0, 0, 0]);
    assert!(row("regular")[0] > 0 && row("regular")[0] < 20, "seeds differ in what they may assert");
    assert!(!printed.contains(" s,"), "no wall clock among the data: {printed}");
    assert_eq!(std::fs::read_dir(directory.path()).expect("it is there").count(), 0, "it writes no file");
}

#[test]
fn what_check_saw_of_a_seed_is_played_again_to_the_last_bit() {
    let directory = folder(&[("own.json", OWN)]);
    for (file, seed) in [(None, 7), (None, 8), (Some("own.json"), 7)] {
        let range = format!("{seed}..{seed}");
        let mut check = vec!["check", "--format", "json", "--seeds", &range];
        check.extend(file);
        let seen = json(&run(&check, directory.path()));
        if let Some(failure) = seen["failing"].get(0) {
            assert!(failure["drawn"].as_object().is_some_and(|drawn| !drawn.is_empty()), "{failure}");
        }
        let seed = seed.to_string();
        let out = format!("out-{}-{seed}", file.unwrap_or("none"));
        let mut again = vec!["run", "--chaos", "--seed", &seed, "--format", "json", "--out", &out];
        again.extend(file);
        let again = json(&run(&again, directory.path()));
        assert_eq!(seen["digest"], again["digest"], "{file:?} {seed}");
        let plain = ["run", "own.json", "--seed", &seed, "--format", "json", "--out", "plain", "--force"];
        assert_ne!(json(&run(&plain, directory.path()))["digest"], again["digest"], "chaos makes a difference");
    }
}

#[test]
fn a_broken_expectation_is_told_with_the_command_that_shows_it() {
    let directory = folder(&[("own.json", OWN), ("step.json", STEP)]);
    let path = directory.path();
    let broken = run(&["check", "own.json", "--seeds", "1..8", "--set", "cluster.nodes=4"], path);
    let printed = text(&broken.stdout);
    assert_eq!(status(&broken), 1, "{printed}{}", text(&broken.stderr));
    let line = printed.lines().find(|line| line.starts_with("seed ")).expect("a line for a failing seed");
    assert!(line.contains("faults.hits equals 0: it is "), "{line}");
    let (_, command) = line.split_once("; dynamo-sim ").expect("it ends with the command");
    assert!(command.starts_with("run own.json --chaos --seed ") && command.ends_with(" --set cluster.nodes=4"));
    let mut again: Vec<&str> = command.split(' ').collect();
    again.extend(["--out", "again"]);
    assert_eq!(status(&run(&again, path)), 1, "the command breaks it again: {command}");

    // As it is, nothing goes wrong in it.
    let held = run(
        &["check", "own.json", "--seeds", "1..3", "--as-is", "--set", "expect.0.metric=ops.failures.timeout"],
        path,
    );
    assert!(matches!(status(&held), 0 | 3), "{}{}", text(&held.stdout), text(&held.stderr));

    // Of all seeds together.
    let mean = r#"expect=[{ "metric": "ops.count", "above": 100000, "over": "mean" }]"#;
    let broken = run(&["check", "own.json", "--seeds", "1..2", "--set", mean], path);
    let printed = text(&broken.stdout);
    assert_eq!(status(&broken), 1, "{printed}{}", text(&broken.stderr));
    assert!(printed.contains("ops.count above 100000, mean over seeds broken: it is "), "{printed}");

    let step = run(&["check", "step.json", "--seeds", "1..2", "--fail-fast", "1"], path);
    let printed = text(&step.stdout);
    assert_eq!(status(&step), 1, "{printed}");
    assert!(printed.starts_with("seed 1: step r: ") && printed.contains("1 seed, 1 failing"), "{printed}");
}

#[test]
fn marks_can_be_expected_like_other_numbers() {
    let marks = r#"{ "metric": "marks.hint_stored", "above": 0 }, { "metric": "marks.hint_delivered", "above": 0 },
      { "metric": "marks.true_suspicion", "above": 0 }, { "metric": "marks.hint_expired", "equals": 0 }"#;
    let crash = r#""script": [ { "at": "5s", "for": "5s", "crash": { "nodes": "n1" } } ], "expect""#;
    let own = OWN.replace(r#"{ "metric": "faults.hits", "equals": 0 }"#, marks).replace(r#""expect""#, crash);
    let own = own.replace(r#""get""#, r#""put""#).replace(r#""settle": "5s""#, r#""settle": "15s""#);
    let directory = folder(&[("own.json", &own)]);
    let output = run(&["run", "own.json", "--set", "clients.users.mix.update=1"], directory.path());
    assert_eq!(status(&output), 0, "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn where_everybody_is_dead_for_ever_liveness_is_not_judged() {
    let directory = folder(&[("dead.json", DEAD)]);
    let output = run(&["check", "dead.json", "--seeds", "1..2"], directory.path());
    let printed = text(&output.stdout);
    assert_eq!(status(&output), 3, "{printed}{}", text(&output.stderr));
    assert!(printed.contains("not judged: liveness: liveness not assertable: no healed core"), "{printed}");
}

#[test]
fn bad_usage_is_refused() {
    let directory = folder(&[
        ("own.json", OWN),
        ("mark.json", &OWN.replace("faults.hits", "marks.hint_store")),
        (
            "never.json",
            &OWN.replace(r#"{ "metric": "faults.hits", "equals": 0 }"#, r#"{ "property": "newest_write_wins" }"#),
        ),
    ]);
    let refused = |arguments: &[&str], says: &str| {
        let output = run(arguments, directory.path());
        let said = text(&output.stderr);
        assert_eq!(status(&output), 2, "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {}", text(&output.stdout));
        assert!(said.contains(says) && !said.contains("panicked"), "{arguments:?}: {said:?} does not say {says:?}");
    };
    refused(&["check", "--seeds", "5..3"], "reversed");
    refused(&["check", "--seeds=-1"], "--seeds");
    refused(&["check", "--seeds", "0"], "at least one seed");
    refused(&["check", "--seeds", "1..1000000000000"], "1000000000000 runs are more than");
    refused(&["check", "--as-is"], "FILE");
    refused(&["check", "missing.json"], "missing.json");
    refused(&["check", "--set", "cluster.nodes=many"], "cluster.nodes");
    refused(&["check", "mark.json"], "did you mean `hint_stored`?");
    refused(&["check", "never.json"], "cannot hold");
    refused(&["check", "--fail-fast", "0"], "--fail-fast");
    refused(&["check", "--format", "csv"], "csv");
    refused(&["run"], "FILE");
    refused(&["run", "own.json", "--chaos", "--seeds", "1..3"], "--chaos");
}

#[test]
fn the_built_in_profile_is_the_file_and_draws_every_class_of_faults() {
    let file =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/check.json")).expect("it is there");
    let source = swarm::built_in();
    assert_eq!(source.text, file);
    let swarm = Swarm::read(&source, &[], Additions::Chaos).unwrap_or_else(|errors| panic!("{errors}"));
    let drawn: Vec<_> = (1..=60).flat_map(|seed| swarm.drawn(seed)).collect();
    for class in ["crash", "pause", "slow", "cut", "link", "skew", "wipe", "join", "leave"] {
        let every = format!("chaos.{class}.every");
        assert!(drawn.iter().any(|(path, _)| *path == every), "no seed of 60 has {class}");
    }
    let plain = Memory::new("check.json", &file);
    let swarm = Swarm::read(&plain, &[], Additions::Chaos).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(swarm.drawn(1).iter().all(|(path, _)| path.starts_with("chaos.")), "a file keeps its own cluster");
}

#[test]
fn the_list_of_marks_says_what_each_is() {
    let directory = folder(&[]);
    let printed = text(&run(&["list", "--marks"], directory.path()).stdout);
    assert_eq!(printed.lines().count(), Mark::ALL.len());
    assert!(Mark::ALL.len() >= 40 && printed.contains("A stand-in keeps a write for its owner."), "{printed}");
}
