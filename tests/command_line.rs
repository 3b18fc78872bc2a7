//! The program as its users meet it: exit status, what goes to which stream, what is written and what is not.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::disallowed_types,
    reason = "a test starts the program, waits for it and looks at its files"
)]

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PAIR: &str = r#"{ "version": 1, "cluster": { "nodes": ["A", "B", "C"] },
  "script": [ { "at": "0ms", "client": "z", "put": { "key": "K", "value": "v1", "via": "A" } } ] }"#;

/// Takes long enough to be interrupted.
const LONG: &str = r#"{ "version": 1, "duration": "2000s", "cluster": { "nodes": 5 },
  "clients": [ { "name": "users", "arrival": { "open": { "rate": "3000/s" } } } ], "sweep": { "seeds": 40 } }"#;

fn program(arguments: &[&str], directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dynamo-sim"));
    command.args(arguments).current_dir(directory).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str], directory: &Path) -> Output {
    program(arguments, directory).output().expect("the program starts")
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

/// Refused: this status, nothing on standard output, no panic, and this said about it.
#[track_caller]
fn refused(output: &Output, code: i32, says: &str) {
    let said = text(&output.stderr);
    assert_eq!(status(output), code, "{said}");
    assert!(output.stdout.is_empty(), "data on standard output: {}", text(&output.stdout));
    assert!(said.contains(says), "{said:?} does not say {says:?}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn help_and_version_are_always_there() {
    let directory = folder(&[("bad.json", "{")]);
    for arguments in
        [&["--help"][..], &["--version"], &["run", "--help"], &["run", "bad.json", "--help"], &["help", "run"]]
    {
        let output = run(arguments, directory.path());
        assert_eq!(status(&output), 0, "{arguments:?}: {}", text(&output.stderr));
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn bad_usage_is_told_with_a_hint() {
    let directory = folder(&[("a.json", PAIR)]);
    let say = |arguments: &[&str], says: &str| refused(&run(arguments, directory.path()), 2, says);
    say(&["run", "a.json", "--forse"], "--force");
    say(&["run"], "FILE");
    say(&["rum", "a.json"], "run");
    say(&[], "Usage");
    say(&["run", "a.json", "--seed", "1", "--seeds", "2"], "cannot be used with");
    say(&["run", "a.json", "--seeds", "1..0"], "1..0");
    say(&["run", "a.json", "--seeds", "1..1000000000000"], "more than");
    say(&["run", "a.json", "--seed", "-1"], "");
    say(&["run", "a.json", "--seed", "18446744073709551616"], "seed");
    say(&["run", "a.json", "--seed", "random"], "seed");
    say(&["run", "a.json", "-j", "0"], "");
    say(&["run", "a.json", "--set", "cluster.replicaton.r=3"], "cluster.replicaton");
    say(&["run", "a.json", "--set", "cluster.replication.r=7"], "cluster.replication.r");
    say(&["run", "a.json", "--set", "cluster"], "path=value");
    assert!(!directory.path().join("results").exists(), "nothing is written");
    let hex = run(&["run", "a.json", "--seed", "0xFF", "--quiet"], directory.path());
    assert_eq!(status(&hex), 0, "{}", text(&hex.stderr));
    assert!(directory.path().join("results/a/run-255/summary.json").exists());
}

#[test]
fn input_that_cannot_be_read_is_named() {
    let directory =
        folder(&[("empty.json", ""), ("bom.json", "\u{feff}"), ("typo.json", &PAIR.replace("cluster", "claster"))]);
    let say = |file: &str, says: &str| {
        refused(&run(&["run", file], directory.path()), 2, says);
        refused(&run(&["validate", file], directory.path()), 2, says);
    };
    say("missing.json", "missing.json");
    say(".", "directory");
    say("empty.json", "empty");
    say("bom.json", "empty");
    say("typo.json", "typo.json:1:");
    say("typo.json", "did you mean");
    std::fs::write(directory.path().join("binary.json"), [0xff, 0xfe, 0, 1]).expect("it can be written");
    say("binary.json", "UTF-8");
    assert!(!directory.path().join("results").exists(), "nothing is written");
}

#[test]
fn a_scenario_may_come_from_standard_input() {
    let directory = folder(&[]);
    let mut child =
        program(&["run", "-", "-o", "out"], directory.path()).stdin(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("it was asked for").write_all(PAIR.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(status(&output), 0, "{}", text(&output.stderr));
    assert!(directory.path().join("out/manifest.json").exists());
}

#[test]
fn results_go_where_they_may() {
    let directory = folder(&[("a.json", PAIR), ("b.json", &PAIR.replace("v1", "v2")), ("file", "")]);
    let path = directory.path();
    let code = |arguments: &[&str]| status(&run(arguments, path));
    assert_eq!(code(&["run", "a.json", "-o", "deep/er/out"]), 0, "a missing directory is made");
    assert_eq!(code(&["run", "a.json", "-o", "deep/er/out"]), 0, "the same results may be written again");
    refused(&run(&["run", "b.json", "-o", "deep/er/out"], path), 4, "--force");
    assert_eq!(code(&["run", "b.json", "-o", "deep/er/out", "--force"]), 0);
    refused(&run(&["run", "a.json", "-o", "file"], path), 4, "is a file");
    refused(&run(&["run", "a.json", "-o", "file/below"], path), 4, "file/below");
    if Path::new("/proc/version").exists() {
        refused(&run(&["run", "a.json", "-o", "/proc/out"], path), 4, "/proc/out");
    }
}

#[test]
fn a_full_disk_is_told_and_a_closed_pipe_is_not() {
    let directory = folder(&[("a.json", PAIR)]);
    if let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") {
        let output = program(&["schema"], directory.path()).stdout(full).output().expect("it starts");
        assert_eq!(status(&output), 4, "{}", text(&output.stderr));
    }
    for arguments in [&["schema"][..], &["run", "a.json", "--format", "json"], &["completions", "bash"]] {
        let mut child = program(arguments, directory.path()).spawn().expect("it starts");
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().expect("it was asked for").read_to_string(&mut said).expect("it is text");
        let code = child.wait().expect("it ends").code();
        assert!(code == Some(0) && !said.contains("panicked"), "{arguments:?}: {code:?} {said}");
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill is there");
    assert!(sent.success());
}

fn ends(child: &mut Child) -> std::process::ExitStatus {
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is ours") {
            return status;
        }
        assert!(since.elapsed() < Duration::from_secs(5), "it ends soon after a signal");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn whole_files(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let names = entries.map(|entry| entry.expect("it is there").file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.ends_with(".partial")).collect()
}

#[cfg(unix)]
#[test]
fn who_stops_it_gets_130_and_no_results() {
    for name in ["-INT", "-TERM"] {
        let directory = folder(&[("long.json", LONG)]);
        let mut child =
            program(&["run", "long.json", "-o", "out", "-j", "1"], directory.path()).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(700));
        signal(&child, name);
        assert_eq!(ends(&mut child).code(), Some(130), "{name}");
        assert_eq!(whole_files(&directory.path().join("out")), [""; 0], "nothing looks like results");
    }
}

#[cfg(unix)]
#[test]
fn after_a_kill_the_next_run_gives_the_same_files() {
    let scenario = LONG.replace("2000s", "3s").replace("\"seeds\": 40", "\"seeds\": 2");
    let directory = folder(&[("a.json", &scenario)]);
    let path = directory.path();
    for milliseconds in [5, 40, 120] {
        let mut child = program(&["run", "a.json", "-o", "out", "-j", "1"], path).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(milliseconds));
        let _ = child.kill();
        child.wait().expect("it ends");
        for name in whole_files(&path.join("out")) {
            let bytes = std::fs::read(path.join("out").join(&name)).expect("it is there");
            // The scenario lies there as it was given; everything else ends with a line.
            let is_whole = if name == "scenario.json" { bytes == scenario.as_bytes() } else { bytes.ends_with(b"\n") };
            assert!(is_whole, "{name} is whole");
        }
    }
    // What was done by then may have been written down, and is given up.
    let code = |out: &str| status(&run(&["run", "a.json", "-o", out, "-q", "-j", "1", "--force"], path));
    assert_eq!((code("out"), code("fresh")), (0, 0));
    for name in whole_files(&path.join("fresh")) {
        let [one, two] = ["out", "fresh"].map(|out| std::fs::read(path.join(out).join(&name)).expect("it is there"));
        assert_eq!(one, two, "{name}");
    }
}

/// A generator of its own, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }
}

/// Small, and with a bit of everything.
const RICH: &str = r#"{ "version": 1, "duration": "200ms", "settle": "100ms", "warmup": "10ms",
  "cluster": { "nodes": 5, "spares": 1, "racks": 2, "ring": { "equal_partitions": { "per_node": 4 } }, "replication": { "n": 3, "r": 2, "w": 2 },
    "versioning": { "vector_clock": { "max_entries": 3 } }, "hints": { "scan_every": "20ms", "ttl": "1s", "throttle": "10kB/s" },
    "detector": { "phi": { "window": 10 } }, "membership": { "gossip_every": "10ms", "fan_out": 2 },
    "anti_entropy": { "every": "50ms", "depth": 4 }, "deletes": { "tombstone": { "keep": "50ms" } },
    "storage": { "read": { "exponential": { "mean": "1ms" } }, "write": "1ms", "flush": "20ms", "buffer": { "count": 10 }, "cache": "on" } },
  "network": { "within_region": { "lognormal": { "median": "250us", "sigma": 0.4 } }, "loss": 0.05, "duplicate": 0.05, "bandwidth": "10MB/s" },
  "clients": [ { "name": "users", "count": 3, "arrival": { "open": { "rate": "300/s", "phases": [ { "from": "50ms", "for": "20ms", "every": "60ms", "factor": 2 } ] } },
    "keys": { "zipf": { "count": 10, "exponent": 0.9 } }, "mix": { "get": 1, "update": 1, "put": 1, "delete": 1, "remove": 1, "write_then_read": 1 },
    "data": { "set": {} }, "value_size": { "pareto": { "scale": "1kB", "shape": 2 } }, "retries": 1, "timeout": "100ms" } ],
  "script": [ { "name": "c", "at": "20ms", "for": "30ms", "crash": { "nodes": "n2", "disk": "tail_lost" } },
    { "at": "30ms", "for": "30ms", "slow": { "nodes": "n3", "storage": 3, "network": 4 } },
    { "at": "40ms", "skew": { "nodes": "n1", "by": "-5ms" } }, { "at": "60ms", "join": { "node": "n6" } },
    { "at": "70ms", "for": "20ms", "link": { "between": [ "n1", "n4" ], "loss": 0.5, "extra": "1ms" }, "repeat": { "every": "30ms", "times": 2 } } ],
  "chaos": { "from": "10ms", "crash": { "every": "50ms", "for": "20ms" }, "cut": { "every": "50ms", "for": "20ms" } },
  "sweep": { "axes": [ { "name": "r", "path": "cluster.replication.r", "values": [1, 2] } ] } }"#;

fn mutant(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = RICH.as_bytes().to_vec();
    let numbers = [
        "0",
        "-1",
        "1e999",
        "-0.0",
        "1e308",
        "18446744073709551616",
        "4294967296",
        "0.5",
        "90",
        "NaN",
        "null",
        "\"\"",
        "[]",
        "{}",
        "\"0s\"",
        "\"292y\"",
        "\"1ns\"",
        "\"106751d\"",
        "\"all\"",
        "true",
        "1000000",
    ];
    // Half of them get one wrong value only, which is more often still a scenario.
    let gently = dice.roll(2) == 0;
    for _ in 0..=if gently { 0 } else { dice.roll(3) } {
        let at = dice.roll(bytes.len());
        match if gently { 2 } else { dice.roll(5) } {
            0 => bytes[at] = dice.roll(256) as u8,
            1 => drop(bytes.drain(at..(at + dice.roll(30)).min(bytes.len()))),
            2 => {
                // A value in place of a number or a text.
                let from = (at..bytes.len()).find(|&i| bytes[i] == b':').map_or(at, |i| i + 1);
                let to = (from..bytes.len()).find(|&i| matches!(bytes[i], b',' | b'}' | b']')).unwrap_or(bytes.len());
                bytes.splice(from..to, numbers[dice.roll(numbers.len())].bytes());
            }
            3 => {
                let deep = "[".repeat(dice.roll(3000));
                bytes.splice(at..at, deep.bytes());
            }
            _ => {
                let part = bytes[at..(at + dice.roll(200)).min(bytes.len())].to_vec();
                let to = dice.roll(bytes.len());
                bytes.splice(to..to, part);
            }
        }
    }
    bytes
}

#[test]
fn spoilt_scenarios_are_refused_and_never_crash_it() {
    let directory = folder(&[]);
    let file = directory.path().join("m.json");
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut valid = 0;
    for round in 0..300 {
        let bytes = if round == 0 { RICH.as_bytes().to_vec() } else { mutant(&mut dice) };
        std::fs::write(&file, &bytes).expect("it can be written");
        let since = Instant::now();
        let output = run(&["validate", "m.json"], directory.path());
        let said = text(&output.stderr);
        let shown = || format!("round {round}: {said}\n{}", text(&bytes));
        assert!(matches!(output.status.code(), Some(0 | 2)) && !said.contains("panicked"), "{}", shown());
        assert!(since.elapsed() < Duration::from_secs(4), "{}", shown());
        if output.status.code() == Some(0) {
            valid += 1;
            // A mutant may ask for much; what is small enough must run.
            let big = bytes.windows(7).any(|part| part == b"1000000") || bytes.windows(6).any(|part| part == b"106751");
            if big {
                continue;
            }
            let mut child =
                program(&["run", "m.json", "-q", "--force", "-o", "out"], directory.path()).spawn().expect("it starts");
            let began = Instant::now();
            let code = loop {
                if let Some(status) = child.try_wait().expect("it is ours") {
                    break status.code();
                }
                assert!(began.elapsed() < Duration::from_secs(20), "it hangs: {}", shown());
                std::thread::sleep(Duration::from_millis(2));
            };
            let mut said = String::new();
            child.stderr.take().expect("it was asked for").read_to_string(&mut said).expect("it is text");
            assert!(matches!(code, Some(0..=3)) && !said.contains("panicked"), "{code:?} {said}: {}", shown());
        }
    }
    assert!(valid >= 5, "some mutants are still scenarios ({valid})");
}

#[test]
fn a_run_writes_its_history_and_the_program_judges_it() {
    let directory =
        folder(&[("pair.json", PAIR), ("empty.log", ""), ("bad.log", "INFO  jepsen.util - 0\t:ok\t:read\t1\n")]);
    let path = directory.path();
    assert_eq!(status(&run(&["run", "pair.json", "--history", "--out", "out", "--quiet"], path)), 0);
    let judged = run(&["history", "out/history.jsonl"], path);
    let said = "out/history.jsonl: siblings, 1 operation on 1 key\n  K: linearizable\n";
    assert_eq!((status(&judged), text(&judged.stdout)), (0, said.to_string()));
    let edn = run(&["history", "out/history.jsonl", "--to", "edn"], path);
    assert!(
        text(&edn.stdout).starts_with("{:process 0, :type :invoke, :f :write, :key \"K\", :value {:id 1"),
        "{edn:?}"
    );
    assert_eq!(text(&run(&["history", "empty.log"], path).stdout), "empty.log: valid, 0 operations\n");
    refused(&run(&["history", "bad.log"], path), 2, "bad.log:1: process: process 0 returns from nothing");
    refused(&run(&["history", "missing"], path), 2, "missing: ");
    refused(&run(&["history", "a", "b", "--to", "edn"], path), 2, "one file at a time");
}
