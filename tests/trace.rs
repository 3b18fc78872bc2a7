//! `trace` and `replay` as their users meet them: what a line says, what filters leave, and when two processes differ.
//!
//! `UPDATE_GOLDEN=1 cargo test --test trace` rewrites the golden trace; read it as a story before it is committed.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::disallowed_types,
    reason = "tests start the program, read what it wrote, and say what they rewrote"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use dynamo_sim::cluster;
use dynamo_sim::report::trace::{Asked, Lines, Style, Trace};
use dynamo_sim::scenario::build::run_config;
use dynamo_sim::scenario::load;
use dynamo_sim::scenario::source::{Disk, Memory};
use serde_json::Value as Json;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const CE1: &str = "scenarios/ce-1-new-old-inversion.json";
const CE3: &str = "scenarios/ce-3-sloppy-stale-after-ack.json";

/// Three seconds of it are enough.
const QUICKSTART: &[&str] = &[
    "scenarios/quickstart.json",
    "--set",
    "duration=\"3s\"",
    "--set",
    "warmup=\"1s\"",
    "--set",
    "settle=\"1s\"",
    "--set",
    "script.split.at=\"2s\"",
    "--set",
    "script.split.for=\"500ms\"",
];

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dynamo-sim"));
    command.args(arguments).current_dir(ROOT).stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it is text")
}

/// Runs the program: status, standard output, standard error.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = program(arguments).output().expect("the program starts");
    (status.code().expect("it was not killed"), text(&stdout), text(&stderr))
}

#[track_caller]
fn traced(arguments: &[&str]) -> String {
    let (status, out, said) = run(&[&["trace"], arguments].concat());
    assert_eq!(status, 0, "{said}");
    out
}

#[track_caller]
fn refused(arguments: &[&str], says: &[&str]) {
    let (status, out, said) = run(arguments);
    assert_eq!((status, out.as_str()), (2, ""), "{said}");
    for says in says {
        assert!(said.contains(says), "{said:?} does not say {says:?}");
    }
}

/// Lines that say something of a run apart from its frame: steps, faults, the end.
fn told(trace: &str) -> Vec<&str> {
    trace.lines().filter(|line| !["  fault ", "  script ", "  run "].iter().any(|who| line.contains(who))).collect()
}

#[test]
fn the_third_counterexample_reads_like_a_story() {
    let path = Path::new(ROOT).join("tests/golden/ce-3-trace.txt");
    let now = traced(&[CE3]);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, now).expect("the trace is written");
        eprintln!("rewrote {}", path.display());
        return;
    }
    let golden = std::fs::read_to_string(&path).expect("the golden trace is there");
    assert_eq!(golden, now, "the same story (if it should be another: UPDATE_GOLDEN=1 cargo test --test trace)");
}

#[test]
fn filters_leave_what_was_asked_for() {
    let all = traced(&[CE3]);
    let of_one = traced(&[CE3, "--op", "g1"]);
    assert_eq!(told(&of_one).len(), 5, "a get, a request, its answer, the client's answer, the end:\n{of_one}");
    assert!(told(&of_one).iter().all(|line| line.contains(" g1 ") && all.contains(*line)), "{of_one}");
    assert_eq!(traced(&[CE3, "--op", "bob#0"]), of_one, "the same operation by its client and number");

    let of_node = traced(&[CE3, "--node", "E"]);
    assert!(told(&of_node).len() > 5 && told(&of_node).iter().all(|line| line.contains('E')), "{of_node}");

    let of_time = traced(&[CE3, "--from", "50ms", "--to", "54ms"]);
    assert_eq!(of_time.lines().count(), 5, "{of_time}");
    assert!(of_time.lines().last().is_some_and(|line| line.contains("STALE")), "{of_time}");

    let operations = traced(&[CE3, "--kind", "operations"]);
    assert_eq!(operations.lines().count(), 6, "three begin and three end:\n{operations}");
    assert!(operations.contains("begins: put K"), "{operations}");

    let more = traced(&[CE3, "--all"]);
    assert!(more.contains("(taken)") && !all.contains("(taken)"), "{more}");

    let of_key = traced(&[QUICKSTART, &["--key", "k7", "--format", "json"]].concat());
    let is_frame = |event: &Json| event["kind"] == "faults";
    let about: Vec<Json> = of_key.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    assert!(about.iter().filter(|event| !is_frame(event)).count() > 10, "{of_key}");
    for event in about.iter().filter(|event| !is_frame(event)) {
        let keys = event["keys"].as_array();
        assert!(event["key"] == "k7" || keys.is_some_and(|keys| keys.contains(&"k7".into())), "{event}");
    }
}

#[test]
fn a_session_of_a_group_can_be_followed() {
    let followed = traced(&[QUICKSTART, &["--op", "shoppers/2#3"]].concat());
    assert!(told(&followed).len() >= 4, "{followed}");
    assert!(told(&followed).iter().all(|line| line.contains("shoppers/2#3")), "{followed}");
    let split = traced(&[QUICKSTART, &["--kind", "messages"]].concat());
    for says in ["LOST: cut", "LOST, cut on its way", "passes on: put"] {
        assert!(split.contains(says), "nobody says {says:?}");
    }
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    refused(&["trace", CE3, "--node", "AA"], &["unknown node", "`A`"]);
    refused(&["trace", CE3, "--key", "k"], &["unknown key", "K"]);
    refused(&["trace", CE3, "--op", "g3"], &["unknown operation", "g"]);
    refused(&["trace", CE3, "--op", "split"], &["unknown operation", "p1"]);
    refused(&["trace", CE3, "--op", "bab#0"], &["unknown client", "`bob`"]);
    refused(&["trace", CE3, "--from", "5s", "--to", "1s"], &["--from", "is after --to"]);
    refused(&["trace", CE3, "--kind", "message"], &["`messages`"]);
    refused(&["trace", CE3, "--from", "5"], &["needs a unit"]);
    refused(&[&["trace"], QUICKSTART, &["--op", "shoppers/61#0"]].concat(), &["no such session", "1 to 60"]);
    refused(&["replay", CE3, "--expect-digest", "12"], &["hexadecimal"]);
}

#[test]
fn of_several_settings_one_is_chosen() {
    refused(&["trace", CE1], &["2 settings", "--setting 1", "w=three"]);
    refused(&["trace", CE1, "--setting", "2"], &["no setting 2", "0 to 1"]);
    refused(&["replay", CE1, "--where", "v=three"], &["unknown axis", "`w`"]);
    refused(&["replay", CE1, "--where", "w=tree"], &["`three`"]);
    let by_number = traced(&[CE1, "--setting", "1"]);
    assert_eq!(traced(&[CE1, "--where", "w=three"]), by_number);
    assert_ne!(traced(&[CE1, "--where", "w=two"]), by_number);
    assert!(by_number.contains("(LOST: script)"), "{by_number}");
}

#[test]
fn where_nothing_happens_it_is_said() {
    let (status, out, said) = run(&["trace", "scenarios/ring-example.json", "--setting", "0"]);
    assert_eq!((status, out.as_str()), (0, ""));
    assert!(said.contains("nothing to play"), "{said}");
    let (status, out, said) = run(&["trace", CE3, "--kind", "repair"]);
    assert_eq!((status, out.as_str()), (0, ""));
    assert!(said.contains("nothing of that kind"), "{said}");
}

#[test]
fn every_line_of_json_is_an_object_with_the_same_names() {
    for arguments in [&[CE3, "--all"][..], &[CE1, "--setting", "0"], QUICKSTART] {
        let out = traced(&[arguments, &["--format", "json"]].concat());
        let mut last = 0.0;
        for line in out.lines() {
            let event: Json = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let at = event["at_ms"].as_f64().unwrap_or_else(|| panic!("no time: {line}"));
            assert!(at >= last, "time goes on: {line}");
            last = at;
            for name in ["kind", "event", "text"] {
                assert!(event[name].is_string(), "no {name}: {line}");
            }
            let is_message = event["event"] == "sent" || event["event"] == "arrived";
            for name in ["from", "leg"] {
                assert_eq!(event[name].is_string(), is_message, "{line}");
            }
            assert!(event["to"].is_string() || !is_message, "{line}");
        }
        assert!(out.lines().count() > 10);
    }
    let out = traced(&[CE3, "--format", "json", "--op", "g1", "--kind", "operations"]);
    let events: Vec<Json> = out.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    assert_eq!((&events[0]["event"], &events[0]["client"]), (&Json::from("started"), &Json::from("bob")));
    let end = &events[1];
    assert_eq!((&end["missed"], &end["latency_ms"], &end["values"][0]), (&1.into(), &4.0.into(), &"v0".into()));
}

#[test]
fn a_trace_changes_nothing() {
    for (file, setting) in [(CE3, 0), (CE1, 1), ("scenarios/chaos.json", 0), ("scenarios/hint-exercise.json", 0)] {
        let path = Path::new(ROOT).join(file);
        let loaded = load(&Disk::open(path.to_str().expect("a text")).expect("it is there"), &[]).expect("it is valid");
        let config = run_config(&loaded.settings[setting].spec, 3, &loaded.files).expect("it makes a run").config;
        for all in [false, true] {
            let lines = Lines::default();
            let asked = Asked { all, ..Asked::default() };
            let mut trace = Trace::new(&config, &asked, Style::Text, &lines).expect("it asks for no name");
            let watched = cluster::run(&config, &mut [&mut trace]);
            assert!(lines.take().is_some(), "{file}: there is something to tell");
            assert!(watched == cluster::run(&config, &mut []), "{file}: a trace cannot touch the run");
        }
    }
}

#[test]
fn what_waits_at_a_paused_node_is_told_and_what_a_crash_takes_too() {
    let nap = |fault: &str| {
        let text = format!(
            r#"{{ "version": 1, "settle": "100ms", "cluster": {{ "nodes": ["A", "B", "C"], "ring": {{ "owners": ["A", "B", "C"] }} }},
              "network": {{ "within_region": "1ms" }}, "keys": {{ "K": {{ "first": "A" }} }},
              "script": [ {{ "name": "nap", "at": "0ms", "for": "20ms", "pause": {{ "nodes": "B" }} }}, {fault}
                {{ "name": "w", "at": "1ms", "client": "z", "put": {{ "key": "K", "value": "v", "via": "A" }} }} ] }}"#
        );
        let loaded = load(&Memory::new("nap.json", &text), &[]).unwrap_or_else(|errors| panic!("{errors}"));
        let config = run_config(&loaded.settings[0].spec, 1, &loaded.files).expect("it makes a run").config;
        let lines = Lines::default();
        let mut trace = Trace::new(&config, &Asked::default(), Style::Text, &lines).expect("it asks for no name");
        cluster::run(&config, &mut [&mut trace]);
        std::iter::from_fn(|| lines.take()).collect::<Vec<String>>().join("\n")
    };
    let paused = nap("");
    let at = |says: &str| paused.find(says).unwrap_or_else(|| panic!("nobody says {says:?}:\n{paused}"));
    let waits = at("3.000 ms  A -> B  w    write request K = v {A: 1}  (waits, B is paused)");
    assert!(waits < at("20.000 ms  A -> B  w    write request K = v {A: 1}  (taken, B goes on)"));
    let crashed = nap(r#"{ "name": "dies", "at": "10ms", "crash": { "nodes": "B" } },"#);
    assert!(crashed.contains("10.000 ms  A -> B  w     write request K = v {A: 1}  (LOST, B is down)"), "{crashed}");
}

#[test]
fn a_run_is_replayed_and_its_digest_compared() {
    let (status, out, said) = run(&["replay", CE3]);
    assert!(out.contains("✓") && out.contains("stale reads"), "{out}{said}");
    let digest = out.lines().find_map(|line| line.strip_prefix("digest ")).expect("it names the run").to_string();
    assert!(matches!(status, 0 | 3), "as a run of it: {said}");
    let (status, ..) = run(&["replay", CE3, "--expect-digest", &digest]);
    assert_eq!(status, 0);
    let (status, _, said) = run(&["replay", CE3, "--expect-digest", &"0".repeat(32)]);
    assert_eq!(status, 1);
    assert!(said.contains(&digest), "{said}");
    assert!(!Path::new(ROOT).join("results/ce-3").join("replay").exists());
    assert!(traced(&[CE3]).contains(&digest), "a trace ends with the name of the run");
}

#[test]
fn two_processes_play_the_same_run() {
    let chaos = ["replay", "scenarios/chaos.json", "--seed", "3", "--verify"];
    for arguments in [&["replay", CE1, "--where", "w=three", "--verify"][..], &chaos] {
        let (status, out, said) = run(arguments);
        assert_eq!(status, 0, "{out}{said}");
        assert!(out.contains("the same run: digest ") && said.is_empty(), "{out}{said}");
    }
    let (status, _, said) = run(&["replay", CE3, "--verify", "--expect-digest", &"0".repeat(32)]);
    assert_eq!(status, 1, "{said}");
}

#[test]
fn the_first_event_that_differs_is_named() {
    let arguments = [&["replay"], QUICKSTART, &["--verify", "--other-seed", "2"]].concat();
    let (status, out, said) = run(&arguments);
    assert_eq!((status, said.as_str()), (1, ""), "{out}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 5, "{out}");
    assert!(lines[0].starts_with("the runs differ first at event "), "{out}");
    assert!(lines[1].starts_with("  here:  event ") && lines[3].starts_with("  there: event "), "{out}");
    assert_ne!(lines[2], lines[4], "both say what they saw");
}

#[test]
fn both_processes_get_a_scenario_from_standard_input() {
    let scenario = std::fs::read(Path::new(ROOT).join(CE3)).expect("it is there");
    let mut child = program(&["replay", "-", "--verify"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("it was asked for").write_all(&scenario).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("the same run"));
}

#[test]
fn a_reader_who_has_seen_enough_ends_it_quietly() {
    for command in [&["trace"][..], &["replay", "--stream"]] {
        // Long enough that a run which went on would be noticed.
        let arguments = [command, &["scenarios/quickstart.json", "--set", "duration=\"3000s\""]].concat();
        let mut child = program(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut reader = BufReader::new(child.stdout.take().expect("it was asked for"));
        let mut line = String::new();
        reader.read_line(&mut line).expect("it says something");
        assert!(!line.is_empty());
        drop(reader);
        let begun = Instant::now();
        let output = child.wait_with_output().expect("it ends");
        assert!(begun.elapsed() < Duration::from_secs(30), "it goes on for nobody");
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    }
}
