//! One scenario and one seed are one run, to the last bit: whoever watches, in whichever process, with any number of
//! jobs, in debug and in release builds. What does not belong together does not disturb each other's luck.
//!
//! `UPDATE_GOLDEN=1 cargo test --test determinism` rewrites the golden digests; read the difference before it is
//! committed, and say in the message why these numbers moved.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "tests start the program, read what it wrote, and say what they rewrote"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use dynamo_sim::cluster;
use dynamo_sim::cluster::config::RunConfig;
use dynamo_sim::cluster::outcome::RunEnd;
use dynamo_sim::history::{Interest, Observation, Observer};
use dynamo_sim::kernel::time::SimTime;
use dynamo_sim::measure::Recorder;
use dynamo_sim::scenario::build::run_config;
use dynamo_sim::scenario::load;
use dynamo_sim::scenario::source::{Disk, Memory};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A scenario, number of the setting, seed, and what is changed so that it takes no time.
type Chosen = (&'static str, usize, u64, &'static [(&'static str, &'static str)]);

/// A run of each kind.
const RUNS: &[Chosen] = &[
    ("scenarios/smallest.json", 0, 1, &[("duration", "2s")]),
    ("scenarios/ce-3-sloppy-stale-after-ack.json", 0, 1, &[]),
    ("scenarios/hint-exercise.json", 1, 1, &[]),
    ("scenarios/seeds-heal-split-ring.json", 1, 2, &[]),
    ("scenarios/chaos.json", 0, 3, &[]),
    ("scenarios/join-under-load.json", 1, 1, &[("clients.users.arrival.open.rate", "50/s"), ("settle", "1s")]),
    (
        "benches/everything.json",
        0,
        1,
        &[("duration", "300ms"), ("script.down.at", "100ms"), ("script.down.for", "100ms")],
    ),
];

fn config(file: &str, setting: usize, seed: u64, changes: &[(&str, &str)]) -> RunConfig {
    let path = Path::new(ROOT).join(file);
    let disk = Disk::open(path.to_str().expect("the path is text")).expect("the scenario is there");
    let changes: Vec<(String, String)> =
        changes.iter().map(|(path, value)| (path.to_string(), value.to_string())).collect();
    let loaded = load(&disk, &changes).unwrap_or_else(|errors| panic!("{errors}"));
    let built = run_config(&loaded.settings[setting].spec, seed, &loaded.files);
    built.unwrap_or_else(|wrong| panic!("{file}: {wrong:?}")).config
}

fn written(text: &str) -> RunConfig {
    let loaded = load(&Memory::new("here.json", text), &[]).unwrap_or_else(|errors| panic!("{errors}"));
    run_config(&loaded.settings[0].spec, 1, &loaded.files).unwrap_or_else(|wrong| panic!("{wrong:?}")).config
}

fn unwatched(config: &RunConfig) -> RunEnd {
    cluster::run(config, &mut [])
}

#[test]
fn a_run_repeats_to_the_last_bit() {
    for (file, setting, seed, changes) in RUNS {
        let config = config(file, *setting, *seed, changes);
        assert_eq!(unwatched(&config), unwatched(&config), "{file}: one process, one seed, one run");
    }
}

/// Hears everything, and keeps a count so that the listening is not for nothing.
#[derive(Default)]
struct Listener {
    heard: u64,
}

impl Observer for Listener {
    fn interest(&self) -> Interest {
        Interest::ALL
    }
    fn observe(&mut self, _: SimTime, _: &Observation<'_>) {
        self.heard += 1;
    }
}

#[test]
fn a_run_is_the_same_whoever_watches() {
    for (file, setting, seed, changes) in RUNS {
        let config = config(file, *setting, *seed, changes);
        let (mut recorder, mut listener) = (Recorder::new(&config), Listener::default());
        let watched = cluster::run(&config, &mut [&mut recorder, &mut listener]);
        assert!(listener.heard > 0, "{file}: there is something to hear");
        let unwatched = unwatched(&config);
        assert_eq!((watched.digest, watched.events), (unwatched.digest, unwatched.events), "{file}: the same events");
        assert_eq!(watched.steps, unwatched.steps, "{file}: what steps come to does not depend on who listens");
        assert!(watched == unwatched, "{file}: observers cannot touch the run");
    }
}

#[test]
fn another_seed_is_another_run() {
    // A script without chance is the same with every seed; all others are not.
    let without_chance = ["scenarios/ce-3-sloppy-stale-after-ack.json"];
    for (file, setting, seed, changes) in RUNS.iter().filter(|(file, ..)| !without_chance.contains(file)) {
        let [one, other] = [*seed, seed + 1].map(|seed| unwatched(&config(file, *setting, seed, changes)).digest);
        assert_ne!(one, other, "{file}: a seed is named in every draw");
    }
}

#[test]
fn golden_digests_have_not_moved() {
    let path = Path::new(ROOT).join("tests/golden/digests.txt");
    let lines = RUNS.iter().map(|(file, setting, seed, changes)| {
        let end = unwatched(&config(file, *setting, *seed, changes));
        format!("{:032x} {:>8} events  {file} setting {setting} seed {seed}\n", end.digest, end.events)
    });
    let now: String = lines.collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, now).expect("the digests are written");
        eprintln!("rewrote {}", path.display());
        return;
    }
    let golden = std::fs::read_to_string(&path).expect("the golden digests are there");
    assert_eq!(
        golden, now,
        "the same events as ever (if they should move: UPDATE_GOLDEN=1 cargo test --test determinism)"
    );
}

/// Runs the program and returns its status; results go to `out`.
fn program(arguments: &[&str], out: &Path) -> i32 {
    let run = Command::new(env!("CARGO_BIN_EXE_dynamo-sim"))
        .args(["run"])
        .args(arguments)
        .arg("--quiet")
        .arg("--out")
        .arg(out)
        .current_dir(ROOT)
        .output()
        .expect("the program starts");
    let status = run.status.code().expect("the program ends by itself");
    assert!(matches!(status, 0 | 3), "{arguments:?}: {status}: {}", String::from_utf8_lossy(&run.stderr));
    status
}

/// All files of a directory.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(directory).expect("results are there") {
        let path = entry.expect("an entry").path();
        assert!(path.is_file(), "results are a flat directory: {}", path.display());
        let name = path.file_name().expect("a file has a name").into();
        files.insert(name, std::fs::read(&path).expect("the file is readable"));
    }
    files
}

fn assert_equal_files(one: &Path, other: &Path) {
    let (one, other) = (contents(one), contents(other));
    assert!(one.len() > 2, "there are results to compare: {:?}", one.keys());
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>(), "the same files");
    for (name, bytes) in &one {
        assert!(*bytes == other[name], "{} is the same, byte for byte", name.display());
    }
}

#[test]
fn results_of_two_processes_are_equal_byte_for_byte() {
    let folder = tempfile::tempdir().expect("a folder for results");
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    let run = [
        "benches/everything.json",
        "--set",
        "duration=300ms",
        "--set",
        "script.down.at=100ms",
        "--set",
        "script.down.for=100ms",
    ];
    assert_eq!(program(&run, &one), program(&run, &other));
    assert_equal_files(&one, &other);
}

#[test]
fn results_do_not_depend_on_the_number_of_jobs() {
    let folder = tempfile::tempdir().expect("a folder for results");
    for (name, run) in [
        ("seeds", &["scenarios/chaos.json", "--seeds", "1..5"][..]),
        ("settings", &["scenarios/lww-skew.json", "--seeds", "7..20"][..]),
    ] {
        let [one, three] = ["1", "3"].map(|jobs| {
            let out = folder.path().join(format!("{name}-{jobs}"));
            let mut arguments = run.to_vec();
            arguments.extend(["--jobs", jobs]);
            // Few seeds may leave an expectation over all of them open or broken; here only the files matter.
            let run = Command::new(env!("CARGO_BIN_EXE_dynamo-sim"))
                .arg("run")
                .args(arguments)
                .arg("--quiet")
                .arg("--out")
                .arg(&out)
                .current_dir(ROOT)
                .output()
                .expect("the program starts");
            assert!(matches!(run.status.code(), Some(0 | 1 | 3)), "{}", String::from_utf8_lossy(&run.stderr));
            out
        });
        assert_equal_files(&one, &three);
    }
}

/// When the operations of the first group should have begun, and on which keys, in the order of their beginning.
#[derive(Default)]
struct Arrivals {
    of_first: Vec<(u64, u32)>,
}

impl Observer for Arrivals {
    fn interest(&self) -> Interest {
        Interest { operations: true, ..Interest::default() }
    }
    fn observe(&mut self, _: SimTime, observation: &Observation<'_>) {
        // Of an update the whole arrives; its get and put follow from it.
        if let Observation::Started { group, key, intended_at, part: false, .. } = observation
            && group.index() == 0
        {
            self.of_first.push((intended_at.0, key.0));
        }
    }
}

fn arrivals(config: &RunConfig) -> Vec<(u64, u32)> {
    let mut arrivals = Arrivals::default();
    cluster::run(config, &mut [&mut arrivals]);
    arrivals.of_first
}

/// A small cluster with the group that is watched, and what else there is.
fn with(cluster: &str, more_clients: &str, more: &str) -> RunConfig {
    written(&format!(
        r#"{{
          "version": 1, "duration": "5s",
          "cluster": {{ "nodes": 6{cluster} }},
          "clients": [
            {{ "name": "users", "count": 20, "arrival": {{ "open": {{ "rate": "300/s" }} }},
              "keys": {{ "zipf": {{ "count": 500 }} }} }}{more_clients}
          ]{more}
        }}"#
    ))
}

#[test]
fn what_is_added_leaves_the_arrivals_of_others_as_they_were() {
    let plain = arrivals(&with("", "", ""));
    assert!(plain.len() > 1000, "300 arrivals a second for five seconds: {}", plain.len());
    let others = r#", { "name": "others", "count": 7, "key_prefix": "o", "arrival": { "open": { "rate": "100/s" } } }"#;
    let closed = r#", { "name": "more", "count": 3, "arrival": { "closed": { "think": { "exponential": { "mean": "5ms" } } } } }"#;
    let crash = r#", "script": [ { "name": "down", "at": "1s", "for": "2s", "crash": { "nodes": "n2" } } ]"#;
    let cut =
        r#", "script": [ { "name": "split", "at": "1s", "for": "2s", "cut": { "between": ["n1", ["n2", "n3"]] } } ]"#;
    let chaos = r#", "chaos": {}"#;
    let scripted = r#", "script": [ { "name": "look", "at": "1s", "client": "ann", "get": { "key": "k1" } } ]"#;
    let buckets = r#", "measure": { "bucket": "100ms" }"#;
    for (what, config) in [
        ("a group with keys of its own", with("", others, "")),
        ("a group with the same keys", with("", closed, "")),
        ("a crash", with("", "", crash)),
        ("a cut", with("", "", cut)),
        ("random faults", with("", "", chaos)),
        ("a scripted client", with("", "", scripted)),
        ("another bucket", with("", "", buckets)),
        ("a larger W", with(r#", "replication": { "w": 3 }"#, "", "")),
        ("no hints", with(r#", "hints": "off""#, "", "")),
    ] {
        assert_eq!(arrivals(&config), plain, "{what} is none of this group's luck");
    }
}

#[test]
fn another_bucket_of_the_timeline_is_the_same_run() {
    let [one, other] = ["", r#", "measure": { "bucket": "70ms", "load_window": "1s" }"#].map(|more| {
        let config = with("", "", more);
        let mut recorder = Recorder::new(&config);
        cluster::run(&config, &mut [&mut recorder])
    });
    assert_eq!(one, other, "what is measured is not what happens");
}
