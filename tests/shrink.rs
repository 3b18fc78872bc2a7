//! Shrinking: chance that is written out stays what it was, and what comes out of `shrink` is small and still fails.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::disallowed_types,
    reason = "a test starts the program and looks at its files"
)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use dynamo_sim::cluster;
use dynamo_sim::history::OpKind;
use dynamo_sim::kernel::ids::KeyId;
use dynamo_sim::node::message::Outcome;
use dynamo_sim::scenario::build::{Built, run_config};
use dynamo_sim::scenario::edit::record::{Recorder, Request};
use dynamo_sim::scenario::edit::{faults, layout, list, operations, steps};
use dynamo_sim::scenario::load;
use dynamo_sim::scenario::source::Memory;
use serde_json::{Value as Json, json};

fn build(tree: &Json) -> Built {
    let text = layout::text(tree);
    let loaded = load(&Memory::new("x.json", &text), &[]).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    let spec = &loaded.settings[0].spec;
    run_config(spec, spec.seed.0, &loaded.files).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"))
}

/// Digest and requests of a run.
fn played(built: &Built) -> (u128, Recorder) {
    let mut recorder = Recorder::default();
    let end = cluster::run(&built.config, &mut [&mut recorder]);
    (end.digest, recorder)
}

/// What a client saw of a request: when it left, what it was, its key, where it went, when and how it ended.
type Seen = (u64, OpKind, String, Option<String>, Option<(u64, Outcome)>);

fn seen(built: &Built, request: &Request) -> Seen {
    let config = &built.config;
    let key =
        |KeyId(number)| config.keys.get(number as usize).map_or(format!("new-{number:08x}"), |key| key.name.clone());
    let via = request.via.map(|node| config.node_names[node.index()].clone());
    let ended = request.ended.map(|(at, outcome)| (at.0, outcome));
    (request.began_at.0, request.kind, key(request.key), via, ended)
}

fn all_seen(built: &Built, recorder: &Recorder) -> Vec<Seen> {
    let mut all: Vec<Seen> = recorder.requests.iter().map(|request| seen(built, request)).collect();
    all.sort();
    all
}

const CLASSES: [&str; 9] = ["crash", "pause", "slow", "cut", "link", "skew", "wipe", "join", "leave"];

/// A scenario under faults of these classes.
fn under_chaos(seed: u64, on: &[&str], shape: &str) -> Json {
    let mut chaos = json!({ "from": "1s", "present": 1, "down_at_once": 2 });
    for class in CLASSES {
        let every = json!({ "exponential": { "mean": "1500ms" } });
        let lasts = json!({ "uniform": { "min": "200ms", "max": "2s" } });
        chaos[class] = match class {
            _ if !on.contains(&class) => json!("off"),
            "wipe" => json!({ "every": every, "fraction": 0.5 }),
            "join" | "leave" => json!({ "every": { "exponential": { "mean": "4s" } } }),
            "crash" => json!({ "every": every, "for": lasts, "disk": { "kept": 1, "tail_lost": 1, "lost": 1 } }),
            "cut" => {
                let others = ["halves", "isolate", "one_way", "bridge", "majorities_ring"];
                let weight = |name: &&str| (name.to_string(), json!(u8::from(*name == shape || shape == "any")));
                let mut weights: serde_json::Map<String, Json> = others.iter().map(weight).collect();
                if shape == "any" {
                    weights.insert("majorities_ring".into(), json!(0));
                }
                json!({ "every": every, "for": lasts, "shapes": weights, "among": ["all", "clients"] })
            }
            "link" => {
                json!({ "every": every, "for": lasts, "slower": 2, "extra": { "exponential": { "mean": "1ms" } } })
            }
            _ => json!({ "every": every, "for": lasts }),
        };
    }
    if shape == "majorities_ring" {
        chaos["cut"]["among"] = json!("all");
    }
    json!({
        "version": 1, "seed": seed, "duration": "8s", "settle": "2s",
        "cluster": { "nodes": 6, "spares": 2, "versioning": "dotted", "storage": { "read": "1ms", "write": { "exponential": { "mean": "2ms" } } },
            "anti_entropy": { "every": "2s" }, "hints": { "scan_every": "1s" } },
        "clients": [ { "name": "users", "count": 3, "arrival": { "closed": { "think": { "exponential": { "mean": "50ms" } } } },
            "keys": { "uniform": { "count": 12 } }, "mix": { "get": 0.5, "update": 0.5 } } ],
        "script": [ { "at": "3s", "client": "ann", "get": { "key": "k1" } } ],
        "chaos": chaos
    })
}

#[test]
fn a_run_with_chaos_is_the_run_with_its_steps() {
    let mut steps_seen = 0;
    let mut compare = |tree: &Json, what: &str| {
        let built = build(tree);
        let written = faults::without_chaos(tree, &built);
        assert!(written.get("chaos").is_none());
        let rebuilt = build(&written);
        assert_eq!(rebuilt.config.windows, built.config.windows, "{what}: drawn faults are no windows");
        assert_eq!(played(&built).0, played(&rebuilt).0, "{what}: {}", layout::text(&written));
        steps_seen += rebuilt.config.steps.len() - 1;
    };
    for seed in 1..=2 {
        for class in CLASSES {
            compare(&under_chaos(seed, &[class], "any"), &format!("{class}, seed {seed}"));
        }
        compare(&under_chaos(seed, &CLASSES, "any"), &format!("all classes, seed {seed}"));
    }
    for shape in ["halves", "isolate", "one_way", "bridge"] {
        compare(&under_chaos(1, &["cut", "crash", "wipe"], shape), shape);
    }
    assert!(steps_seen > 100, "{steps_seen} faults were written");
}

#[test]
fn a_ring_of_majorities_takes_several_cuts_and_clients_see_the_same() {
    for seed in 1..=3 {
        let tree = under_chaos(seed, &["cut", "crash", "slow"], "majorities_ring");
        let built = build(&tree);
        let written = faults::without_chaos(&tree, &built);
        let rebuilt = build(&written);
        assert!(rebuilt.config.steps.len() > built.config.steps.len(), "one cut became several");
        assert_eq!(all_seen(&built, &played(&built).1), all_seen(&rebuilt, &played(&rebuilt).1), "seed {seed}");
    }
}

/// A scenario with these fields of its one group, under a crash and a lossy link.
fn with_group(group: &Json) -> Json {
    let mut users = json!({ "name": "users", "count": 3, "keys": { "uniform": { "count": 10 } } });
    for (name, value) in group.as_object().expect("it has fields") {
        users[name] = value.clone();
    }
    json!({
        "version": 1, "seed": 5, "duration": "5s", "settle": "1s",
        "cluster": { "nodes": 6, "storage": { "read": { "exponential": { "mean": "1ms" } }, "write": { "exponential": { "mean": "3ms" } } },
            "read_repair": { "chance": 0.5 } },
        "network": { "loss": 0.01 },
        "clients": [ users ],
        "script": [
            { "at": "1s", "for": "1s", "crash": { "nodes": "n2" } },
            { "at": "2s", "for": "1s", "link": { "between": ["n3", ["n1", "n4"]], "loss": 0.3, "slower": 5 } },
            { "at": "2500ms", "client": "ann", "update": { "key": "k3", "add": "x" } },
            { "at": "3s", "for": "500ms", "cut": { "between": ["n5", "client:users"] } }
        ]
    })
}

/// The same operations, asked for by a script, come out the same.
fn compare_written_clients(tree: &Json, what: &str) -> Vec<Seen> {
    let built = build(tree);
    let (_, recorder) = played(&built);
    let written = operations::without_clients(tree, &built, &recorder).expect("the clients can be written");
    assert!(list(&written, "clients").is_empty());
    let rebuilt = build(&written);
    let (one, other) = (all_seen(&built, &recorder), all_seen(&rebuilt, &played(&rebuilt).1));
    assert!(one.len() > 50, "{what}: {} requests", one.len());
    assert_eq!(one.len(), other.len(), "{what}");
    for (one, other) in one.iter().zip(&other) {
        assert_eq!(one, other, "{what}");
    }
    one
}

#[test]
fn clients_written_as_steps_see_what_they_saw() {
    let closed = json!({ "closed": { "think": { "exponential": { "mean": "60ms" } } } });
    let open = json!({ "open": { "rate": "60/s" } });
    let everything = json!({ "get": 1, "update": 1, "put": 1, "delete": 0.5, "write_then_read": 0.5 });
    for arrival in [&closed, &open] {
        for data in [json!("blob"), json!({ "set": { "merge": "union" } }), json!("counter")] {
            let group = json!({ "arrival": arrival, "data": data, "mix": everything, "read_after": { "uniform": { "min": "1ms", "max": "9ms" } } });
            let seen = compare_written_clients(&with_group(&group), &group.to_string());
            assert!(
                seen.iter().any(|(.., ended)| ended.is_some_and(|(_, outcome)| outcome != Outcome::Ok)),
                "faults bit"
            );
        }
    }
    let group = json!({ "arrival": open, "r": 1, "w": 3, "quorum": "strict", "timeout": "80ms", "context": "none",
        "routing": { "ring_aware": {} }, "mix": { "get": 1, "put": 1, "remove": 1 }, "data": { "set": { "merge": "or_set" } } });
    compare_written_clients(&with_group(&group), "a quorum and a timeout of their own");
}

#[test]
fn clients_in_regions_keep_their_ways_and_their_cuts() {
    let tree = json!({
        "version": 1, "seed": 2, "duration": "4s",
        "cluster": { "nodes": 6, "regions": ["east", "west"] },
        "network": { "between_regions": { "normal": { "mean": "40ms", "sd": "5ms" } } },
        "clients": [
            { "name": "near", "count": 4, "arrival": { "closed": { "think": "50ms" } } },
            { "name": "far", "location": "region:west", "arrival": { "closed": { "think": "50ms" } },
              "routing": { "load_balancer": { "among": "region:east" } } }
        ],
        "script": [ { "at": "1s", "for": "1s", "cut": { "between": ["region:east", "region:west"] } } ]
    });
    compare_written_clients(&tree, "two regions");
}

#[test]
fn clients_that_coordinate_by_themselves_stay_clients() {
    let tree =
        with_group(&json!({ "arrival": { "closed": {} }, "operations": 20, "routing": { "client_driven": {} } }));
    let built = build(&tree);
    assert!(operations::without_clients(&tree, &built, &played(&built).1).is_none());
}

fn program(arguments: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dynamo-sim"));
    command.args(arguments).current_dir(directory).stdin(Stdio::null()).output().expect("the program starts")
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn folder(name: &str, tree: &Json) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join(name), layout::text(tree)).expect("it can be written");
    directory
}

fn read(path: &Path) -> Json {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("it is JSON")
}

/// Reads go stale under a sloppy quorum when replicas are cut off, among much else that happens.
fn stale() -> Json {
    json!({
        "version": 1, "duration": "12s", "settle": "2s",
        "cluster": { "nodes": 7, "racks": 3, "versioning": "dotted", "hints": { "scan_every": "2s" } },
        "clients": [ { "name": "users", "count": 3, "operations": 60, "arrival": { "closed": { "think": { "exponential": { "mean": "100ms" } } } },
            "keys": { "uniform": { "count": 8 } }, "data": "set", "mix": { "get": 0.5, "update": 0.5 } } ],
        "chaos": { "from": "1s", "to": "11s", "present": 1, "down_at_once": 2, "cut": { "every": { "exponential": { "mean": "2s" } } } },
        "expect": [ { "metric": "get.count", "at_least": 1 }, { "metric": "stale.reads", "at_most": 0, "window": "all" } ],
        "sweep": { "axes": [ { "name": "r", "path": "cluster.replication.r", "values": [1, 2] } ] }
    })
}

#[test]
fn a_failing_run_becomes_a_small_file_that_proves_it() {
    let directory = folder("stale.json", &stale());
    let path = directory.path();
    let shrink = |jobs: &str, out: &str| {
        program(
            &["shrink", "stale.json", "--seed", "3", "--setting", "1", "-j", jobs, "-o", out, "--budget", "600"],
            path,
        )
    };
    let one = shrink("1", "one.json");
    assert_eq!(status(&one), 0, "{}", said(&one));
    assert!(said(&one).contains("stale.reads") && said(&one).contains("still breaks"), "{}", said(&one));
    let tree = read(&path.join("one.json"));
    let (operations, faults) = steps::counts(&tree);
    let built = build(&tree);
    let nodes = built.config.node_names.len();
    let text = std::fs::read_to_string(path.join("one.json")).expect("it is there");
    assert!(
        nodes <= 5 && operations <= 10 && faults <= 4,
        "{nodes} nodes, {operations} operations, {faults} faults\n{text}"
    );
    assert!(list(&tree, "clients").is_empty() && tree.get("chaos").is_none() && tree.get("sweep").is_none(), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    // The file alone proves the failure, with its own seed.
    let run = program(&["run", "one.json", "-q"], path);
    assert_eq!(status(&run), 0, "{}\n{text}", said(&run));
    let validate = program(&["validate", "one.json"], path);
    assert_eq!(status(&validate), 0, "{}", said(&validate));
    // How many are tried together does not matter.
    let three = shrink("3", "three.json");
    assert_eq!(status(&three), 0, "{}", said(&three));
    assert_eq!(text, std::fs::read_to_string(path.join("three.json")).expect("it is there"));
    assert_eq!(said(&one).replace("one.json", "x"), said(&three).replace("three.json", "x"));
    // A file that is there stays as it is.
    let again = shrink("1", "one.json");
    assert_eq!(status(&again), 4, "{}", said(&again));
    assert!(said(&again).contains("--force"), "{}", said(&again));
    assert_eq!(text, std::fs::read_to_string(path.join("one.json")).expect("it is there"));
    let left: Vec<_> =
        std::fs::read_dir(path).expect("it can be read").map(|entry| entry.expect("an entry").file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".partial")), "{left:?}");
}

#[test]
fn a_property_that_is_broken_stays_the_one_that_is_broken() {
    let directory = folder("stale.json", &stale());
    let path = directory.path();
    let arguments =
        ["shrink", "stale.json", "--seed", "3", "--where", "r=2", "--property", "regular", "--budget", "300"];
    let output = program(&arguments, path);
    assert_eq!(status(&output), 0, "{}", said(&output));
    let tree = read(&path.join("stale-3-regular.json"));
    let text = layout::text(&tree);
    assert_eq!(tree["expect"], json!([{ "property": "regular", "must": "break" }]), "{text}");
    assert!(tree["about"].as_str().is_some_and(|about| about.starts_with("Broken: regular: ")), "{text}");
    let nodes = build(&tree).config.node_names.len();
    let (operations, faults) = steps::counts(&tree);
    assert!(nodes <= 5 && operations <= 10 && faults <= 4, "{text}");
    let run = program(&["run", "stale-3-regular.json", "-q"], path);
    assert_eq!(status(&run), 0, "{}\n{text}", said(&run));
    // With what would mend it the file says that it is mended.
    let mended = ["run", "stale-3-regular.json", "-q", "-o", "mended", "--set", "script=[]", "--set", "duration=1s"];
    assert_eq!(status(&program(&mended, path)), 3, "without operations nothing can be judged");
}

#[test]
fn what_a_step_expects_is_shrunk_too() {
    let mut script = vec![
        json!({ "name": "p1", "at": "1s", "client": "ann", "put": { "key": "K", "value": "v1", "via": "A", "reaches": ["A", "B"] } }),
        json!({ "name": "loss", "at": "2s", "wipe": { "nodes": "B", "keys": ["K"] } }),
        json!({ "at": "4s", "client": "ben", "get": { "key": "K", "via": "B", "reaches": ["B", "C"] }, "expect": { "values": ["v1"] } }),
    ];
    for number in 0..20 {
        let (key, at) = (format!("other{}", number % 4), format!("{}ms", 1100 + 100 * number));
        script.push(json!({ "at": at, "client": "zoe", "put": { "key": key, "value": "x" } }));
    }
    script.push(json!({ "name": "down", "at": "1500ms", "crash": { "nodes": "E" } }));
    script.push(json!({ "name": "up", "at": "1700ms", "restart": { "nodes": "E" } }));
    let tree = json!({
        "version": 1,
        "cluster": { "nodes": ["A", "B", "C", "D", "E"], "ring": { "owners": ["A", "B", "C", "D", "E"] },
            "replication": { "quorum": "strict" }, "read_repair": "off", "anti_entropy": "off" },
        "network": { "within_region": "1ms" },
        "keys": { "K": { "first": "A", "value": "v0" } },
        "script": script
    });
    let directory = folder("lost.json", &tree);
    let path = directory.path();
    let output = program(&["shrink", "lost.json"], path);
    assert_eq!(status(&output), 0, "{}", said(&output));
    // A step without a name is known by its number.
    let shrunk = read(&path.join("lost-1-step-2.json"));
    let nodes = shrunk["cluster"]["nodes"].as_array().map(Vec::len);
    let left = layout::text(&shrunk);
    assert!(nodes == Some(3) && steps::counts(&shrunk).0 <= 2 && steps::counts(&shrunk).1 <= 1, "{left}");
    let run = program(&["run", "lost-1-step-2.json", "-q"], path);
    assert_eq!(status(&run), 0, "{}\n{left}", said(&run));
}

#[test]
fn clients_that_cannot_be_written_out_are_shrunk_as_clients() {
    let tree = json!({
        "version": 1, "duration": "10s",
        "cluster": { "nodes": 5, "replication": { "quorum": "strict" }, "coordination": { "timeout": "300ms" } },
        "clients": [
            { "name": "own", "count": 4, "arrival": { "open": { "rate": "40/s" } }, "routing": { "client_driven": {} } },
            { "name": "others", "arrival": { "closed": { "think": "100ms" } } }
        ],
        "script": [ { "at": "2s", "for": "6s", "crash": { "nodes": ["n1", "n2", "n3"] } }, { "at": "3s", "for": "1s", "pause": { "nodes": "n4" } } ],
        "expect": [ { "metric": "ops.success", "at_least": 1 } ]
    });
    let directory = folder("own.json", &tree);
    let path = directory.path();
    let output = program(&["shrink", "own.json", "-o", "out.json", "--budget", "300"], path);
    assert_eq!(status(&output), 0, "{}", said(&output));
    let shrunk = read(&path.join("out.json"));
    let run = program(&["run", "out.json", "-q"], path);
    assert_eq!(status(&run), 0, "{}\n{}", said(&run), layout::text(&shrunk));
    assert!(steps::counts(&shrunk).1 <= 1, "{}", layout::text(&shrunk));
}

#[test]
fn bad_usage_is_refused() {
    let held = json!({ "version": 1, "cluster": { "nodes": 3 },
        "script": [ { "at": "0s", "client": "ann", "get": { "key": "K" }, "expect": { "outcome": "ok" } } ],
        "expect": [ { "metric": "get.count", "equals": 1 }, { "property": "minimal_movement", "must": "break" } ] });
    let directory = folder("held.json", &held);
    let refused = |arguments: &[&str], says: &str| {
        let output = program(arguments, directory.path());
        assert_eq!(status(&output), 2, "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(says), "{arguments:?}: {}", said(&output));
        assert!(output.stdout.is_empty());
    };
    refused(&["shrink", "held.json"], "nothing is broken in this run");
    refused(
        &["shrink", "held.json", "--property", "lists_are_distinct"],
        "lists_are_distinct is not broken in this run",
    );
    refused(&["shrink", "held.json", "--property", "convergense"], "did you mean `convergence`?");
    refused(&["shrink", "held.json", "--setting", "1"], "no setting 1");
    refused(&["shrink", "missing.json"], "missing.json");
    refused(&["shrink", "held.json", "--set", "cluster.nodes=0"], "no nodes");
    let left = std::fs::read_dir(directory.path()).expect("it can be read").count();
    assert_eq!(left, 1, "nothing was written");
}
