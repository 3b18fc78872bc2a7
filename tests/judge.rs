//! The judge's numbers in small scripts, each worked out by hand, and that it judges the same whoever else watches.
//!
//! Unless a step says otherwise, a message takes 1 ms and a node's message to itself no time. A put that A leads at 0 ms
//! is on A at 1 ms and on B and C at 2 ms; its client hears of it at 4 ms.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "tests start the program and read its files")]

use std::process::{Command, Stdio};

use dynamo_sim::check::Property;
use dynamo_sim::check::expectation::{Narrow, Query};
use dynamo_sim::check::judge::{Judge, Wants};
use dynamo_sim::check::properties::Finding;
use dynamo_sim::cluster;
use dynamo_sim::history::{Interest, Observation, Observer};
use dynamo_sim::kernel::time::SimTime;
use dynamo_sim::measure::{Metric, Recorder};
use dynamo_sim::report::{Played, Wanted, play};
use dynamo_sim::scenario::build::run_config;
use dynamo_sim::scenario::load;
use dynamo_sim::scenario::source::Memory;
use serde_json::Value as Json;

/// Three owners of one key, no repair of any kind, and these steps.
fn script(steps: &str) -> String {
    r#"{ "version": 1, "settle": "1s",
      "cluster": { "nodes": ["A", "B", "C", "D"], "ring": { "owners": ["A", "B", "C", "D"] }, "versioning": "dotted",
        "hints": "off", "read_repair": "off", "anti_entropy": "off" },
      "network": { "within_region": "1ms" },
      "keys": { "K": { "first": "A", "value": "v0" } },
      "script": [ STEPS ] }"#
        .replace("STEPS", steps)
}

/// What a metric is of, after an `@`: `session.monotonic_reads.violations@client:bob`.
fn query(text: &str) -> Query {
    let (path, narrow) = text.split_once('@').unwrap_or((text, ""));
    let mut of = Narrow { window: None, client: None, nodes: None, step: None };
    match narrow.split_once(':') {
        Some(("client", name)) => of.client = Some(name.into()),
        Some(("window", name)) => of.window = Some(name.into()),
        _ => assert!(narrow.is_empty(), "{narrow}"),
    }
    Query { metric: Metric::parse(path).unwrap_or_else(|error| panic!("{path}: {error:?}")), narrow: of }
}

fn played(scenario: &str, set: &[(&str, &str)], asked: &[&str]) -> Played {
    let set: Vec<(String, String)> = set.iter().map(|(path, value)| (path.to_string(), value.to_string())).collect();
    let loaded = load(&Memory::new("x.json", scenario), &set).unwrap_or_else(|errors| panic!("{errors}"));
    let built = run_config(&loaded.settings[0].spec, 1, &loaded.files).unwrap_or_else(|error| panic!("{error:?}"));
    let wanted = Wanted {
        queries: asked.iter().map(|text| query(text)).collect(),
        properties: Property::ALL.iter().copied().collect(),
        marks: false,
    };
    let run = play(&built.config, 0, &wanted, false);
    for step in &run.end.steps {
        assert!(step.broken.as_ref().is_none_or(Vec::is_empty), "step {}: {:?}", step.step, step.broken);
    }
    run
}

/// The run has these numbers; and nothing is ever lost to truncation or for no reason.
fn has(scenario: &str, set: &[(&str, &str)], expected: &[(&str, f64)]) -> Played {
    let mut asked: Vec<&str> = expected.iter().map(|(text, _)| *text).collect();
    asked.extend(["lost.truncation", "lost.unexplained"]);
    let run = played(scenario, set, &asked);
    let value = |text: &str| run.answers[&query(text)].number();
    let mut wrong: Vec<String> = expected
        .iter()
        .filter(|(text, wanted)| value(text) != Some(*wanted))
        .map(|(text, wanted)| format!("{text} is {:?}, not {wanted}", run.answers[&query(text)]))
        .collect();
    // Without an acknowledged write there is nothing to lose.
    let never =
        ["lost.truncation", "lost.unexplained"].into_iter().filter(|text| value(text).is_some_and(|n| n != 0.0));
    wrong.extend(never.map(String::from));
    assert!(wrong.is_empty(), "{}\n{:?}", wrong.join("\n"), run.findings);
    run
}

fn is_violated(run: &Played, property: Property) -> bool {
    matches!(run.findings[&property], Finding::Violated { .. })
}

fn of_folder(name: &str) -> String {
    std::fs::read_to_string(format!("{}/scenarios/{name}.json", env!("CARGO_MANIFEST_DIR"))).expect("it is there")
}

#[test]
fn copies_and_convergence_to_the_millisecond() {
    // On A at 1 ms, on B at 20 ms, acknowledged at 22 ms, on C at 41 ms: 40 ms divergent, 19 ms vulnerable.
    let slow = script(
        r#"{ "name": "w", "at": "0ms", "client": "ann", "put": { "key": "K", "value": "v1", "via": "A",
               "legs": { "write_request": { "B": "19ms", "C": "40ms" } } }, "expect": { "latency": "22ms" } }"#,
    );
    let run = has(
        &slow,
        &[],
        &[
            ("copies.at_ack.mean", 2.0),
            ("copies.at_ack.max", 2.0),
            ("copies.min", 2.0),
            ("copies.end_min", 3.0),
            ("copies.below_w", 0.0),
            ("copies.below_n_end", 0.0),
            ("vulnerability.mean", 19.0),
            ("vulnerability.max", 19.0),
            ("convergence.time", 19.0),
            ("divergent_keys.max", 1.0),
            ("divergent_keys.end", 0.0),
            ("lost.writes", 0.0),
            ("lost.fraction", 0.0),
            ("phantom.writes", 0.0),
            ("resurrected.items", 0.0),
        ],
    );
    let length = run.end.ended_at.as_ms();
    assert!(length > 1_000.0, "it settles for a second after its last step: {length}");
    has(&slow, &[], &[("divergent_keys.mean", 40.0 / length)]);
    // All have it before the client hears of it.
    let quick = script(r#"{ "at": "0ms", "client": "ann", "put": { "key": "K", "value": "v1", "via": "A" } }"#);
    has(&quick, &[], &[("copies.at_ack.mean", 3.0), ("vulnerability.max", 0.0), ("convergence.time", 0.0)]);
}

/// C never gets the write, and B loses it.
const ONE_LEFT: &str = r#"
  { "name": "w", "at": "0ms", "client": "ann", "put": { "key": "K", "value": "v1", "via": "A", "reaches": ["A", "B"] } },
  { "name": "off", "at": "100ms", "wipe": { "nodes": "B", "keys": ["K"] } }"#;

#[test]
fn copies_that_get_fewer_than_w() {
    let run = has(
        &script(ONE_LEFT),
        &[],
        &[
            ("copies.at_ack.mean", 2.0),
            ("copies.min", 1.0),
            ("copies.end_min", 1.0),
            ("copies.below_w", 1.0),
            ("copies.below_n_end", 1.0),
            ("lost.writes", 0.0),
            ("divergent_keys.end", 1.0),
            ("convergence.time", f64::INFINITY),
        ],
    );
    assert!(is_violated(&run, Property::Convergence));
    // From the ack, at 4 ms, to the end.
    has(&script(ONE_LEFT), &[], &[("vulnerability.max", run.end.ended_at.as_ms() - 4.0)]);
}

#[test]
fn every_way_to_lose_a_write_has_its_name() {
    let one = |cause: &'static str| vec![(cause, 1.0), ("lost.writes", 1.0)];
    has(&of_folder("ce-5-skewed-clock"), &[], &one("lost.last_write_wins"));
    has(&of_folder("ce-5-skewed-clock"), &[], &[("lost.fraction", 0.5)]);
    let collision = of_folder("ce-6-same-coordinator");
    has(&collision, &[], &one("lost.clock_collision"));
    has(&collision, &[], &[("siblings.false_dominance", 1.0), ("lost.fraction", 0.5)]);
    // A write after it, which knows what hid the lost one, hides nothing itself.
    let after = r#"{ "name": "p3", "at": "30ms", "client": "c2", "put": { "key": "K", "value": "v4", "via": "A" } },
    { "name": "final""#;
    let longer = collision.replacen(r#"{ "name": "final""#, after, 1);
    let changed = [("script.final.expect", "null")];
    has(&longer, &changed, &[("siblings.false_dominance", 1.0), ("lost.clock_collision", 1.0)]);
    has(&of_folder("buffer-lost"), &[], &one("lost.unflushed"));

    // All owners are away: D takes the write for them, and dies, or forgets it.
    let stand_in = script(
        r#"{ "at": "0ms", "for": "10s", "crash": { "nodes": ["A", "B", "C"] } },
           { "name": "w", "at": "1s", "client": "ann", "put": { "key": "K", "value": "v1", "via": "D", "w": 1 }, "expect": { "outcome": "ok" } },
           LATER"#,
    );
    let sets = [
        ("cluster.hints", r#"{ "scan_every": "1h" }"#),
        ("cluster.detector", r#""perfect""#),
        ("cluster.coordination.write_coordinator", r#""contacted""#),
    ];
    let dies = stand_in.replace("LATER", r#"{ "at": "5s", "for": "1s", "crash": { "nodes": "D", "disk": "lost" } }"#);
    has(&dies, &sets, &one("lost.stand_in_crash"));
    let forgets = stand_in.replace(",\n           LATER", "");
    let short = [("cluster.hints", r#"{ "scan_every": "1s", "ttl": "3s" }"#), sets[1], sets[2]];
    has(&forgets, &short, &one("lost.hint_expired"));

    // The only copy goes with its disk.
    let only = |then: &str| {
        script(&format!(
            r#"{{ "at": "0ms", "client": "ann", "put": {{ "key": "K", "value": "v1", "via": "A", "w": 1, "reaches": ["A"] }} }}, {then}"#
        ))
    };
    has(&only(r#"{ "at": "1s", "wipe": { "nodes": "A" } }"#), &[], &one("lost.disk_loss"));
    let crash = only(r#"{ "at": "1s", "for": "1s", "crash": { "nodes": "A", "disk": "lost" } }"#);
    has(&crash, &[], &one("lost.disk_loss"));

    // A delete through the same coordinator, from a context without the write.
    let tombstone = script(
        r#"{ "name": "g1", "at": "0ms", "client": "c1", "get": { "key": "K", "via": "A" } },
           { "name": "g2", "at": "0ms", "client": "c2", "get": { "key": "K", "via": "A" } },
           { "at": "10ms", "client": "c1", "put": { "key": "K", "value": "v2", "via": "A", "context": "g1" } },
           { "at": "20ms", "client": "c2", "delete": { "key": "K", "via": "A", "context": "g2" } }"#,
    );
    has(&tombstone, &[("cluster.versioning", r#""vector_clock""#)], &one("lost.tombstone"));
    has(&tombstone, &[], &[("lost.writes", 0.0)]);
}

/// Each guarantee: a script in which the session has two chances and takes one, and nobody else has any.
#[test]
fn each_session_guarantee_is_counted_with_its_chances() {
    let guarantees = ["read_your_writes", "monotonic_reads", "monotonic_writes", "writes_follow_reads"];
    let all =
        [Property::ReadYourWrites, Property::MonotonicReads, Property::MonotonicWrites, Property::WritesFollowReads];
    let read_your_writes = r#"
      { "at": "0ms", "client": "ann", "put": { "key": "K", "value": "v1", "via": "A", "reaches": ["A", "B"] } },
      { "at": "10ms", "client": "ann", "get": { "key": "K", "via": "C", "r": 1, "reaches": ["C"] }, "expect": { "values": ["v0"] } },
      { "at": "20ms", "client": "ann", "get": { "key": "K", "via": "A", "r": 1, "reaches": ["A"] }, "expect": { "values": ["v1"] } }"#;
    let monotonic_reads = r#"
      { "at": "0ms", "client": "bob", "put": { "key": "K", "value": "v1", "via": "A", "reaches": ["A", "B"] } },
      { "at": "10ms", "client": "ann", "get": { "key": "K", "via": "A", "r": 1, "reaches": ["A"] }, "expect": { "values": ["v1"] } },
      { "at": "20ms", "client": "ann", "get": { "key": "K", "via": "A", "r": 1, "reaches": ["A"] }, "expect": { "values": ["v1"] } },
      { "at": "30ms", "client": "ann", "get": { "key": "K", "via": "C", "r": 1, "reaches": ["C"] }, "expect": { "values": ["v0"] } }"#;
    let monotonic_writes = r#"
      { "at": "0ms", "client": "ann", "put": { "key": "K", "value": "v1", "via": "A", "reaches": ["A", "B"] } },
      { "at": "10ms", "client": "ann", "put": { "key": "K", "value": "v2", "via": "C", "context": "none" } },
      { "at": "20ms", "client": "ann", "put": { "key": "K", "value": "v3", "via": "C", "context": "last_seen" } }"#;
    let writes_follow_reads = r#"
      { "at": "0ms", "client": "bob", "put": { "key": "K", "value": "v1", "via": "A", "reaches": ["A", "B"] } },
      { "name": "g", "at": "10ms", "client": "ann", "get": { "key": "K", "via": "A", "r": 1, "reaches": ["A"] }, "expect": { "values": ["v1"] } },
      { "at": "20ms", "client": "ann", "put": { "key": "K", "value": "v2", "via": "C", "context": "none", "w": 3 } },
      { "at": "30ms", "client": "ann", "put": { "key": "K", "value": "v3", "via": "C", "context": "g" } }"#;
    let scripts = [read_your_writes, monotonic_reads, monotonic_writes, writes_follow_reads];
    for ((name, property), steps) in guarantees.iter().zip(all).zip(scripts) {
        let [violations, per_million] = ["violations", "per_million"].map(|of| format!("session.{name}.{of}"));
        let (of_ann, of_bob) = (format!("{violations}@client:ann"), format!("{violations}@client:bob"));
        let run = played(&script(steps), &[], &[&violations, &per_million, &of_ann]);
        let value = |text: &str| run.answers[&query(text)].number();
        let seen = [value(&violations), value(&per_million), value(&of_ann)];
        assert_eq!(seen, [Some(1.0), Some(500_000.0), Some(1.0)], "{name}: {:?}", run.findings);
        assert!(is_violated(&run, property), "{name}");
        if steps.contains("bob") {
            let run = played(&script(steps), &[], &[&of_bob]);
            assert_eq!(run.answers[&query(&of_bob)].number(), None, "{name}: bob never had a chance");
        }
    }
}

#[test]
fn a_guarantee_is_counted_in_the_window_in_which_the_operation_began() {
    let steps = r#"
      { "at": "0ms", "client": "ann", "put": { "key": "K", "value": "v1", "via": "A", "reaches": ["A", "B"] } },
      { "at": "10ms", "client": "ann", "get": { "key": "K", "via": "C", "r": 1, "reaches": ["C"] } },
      { "at": "30ms", "client": "ann", "get": { "key": "K", "via": "A", "r": 1, "reaches": ["A"] } }"#;
    let windows =
        [("windows", r#"{ "early": { "from": "0ms", "to": "20ms" }, "late": { "from": "20ms", "to": "40ms" } }"#)];
    has(
        &script(steps),
        &windows,
        &[
            ("session.read_your_writes.violations@window:early", 1.0),
            ("session.read_your_writes.per_million@window:early", 1e6),
            ("session.read_your_writes.violations@window:late", 0.0),
            ("session.read_your_writes.per_million", 5e5),
        ],
    );
}

#[test]
fn what_failed_appears_and_what_was_taken_out_returns() {
    let run = has(
        &of_folder("ce-2-failed-write-visible"),
        &[],
        &[
            ("phantom.writes", 1.0),
            ("linearizable.violations", 1.0),
            ("linearizable.undecided", 0.0),
            ("regular.violations", 0.0),
        ],
    );
    assert!(is_violated(&run, Property::Linearizable) && !is_violated(&run, Property::Regular));
    assert!(!is_violated(&run, Property::AvailableWhenReachable), "the script itself lost the messages");
    // Ann takes the dvd out; ben, who has not heard of it, adds a cd. Both versions together show the dvd, twice read.
    let cart = script(
        r#"{ "at": "0ms", "client": "ann", "put": { "key": "K", "value": ["book"], "via": "A", "reaches": ["A", "B"] } },
           { "at": "10ms", "client": "ben", "put": { "key": "K", "value": ["book", "cd", "dvd"], "via": "C", "w": 1, "reaches": ["C"] } },
           { "at": "20ms", "client": "eve", "get": { "key": "K", "via": "A", "r": 1, "reaches": ["A"] } },
           { "at": "30ms", "client": "eve", "get": { "key": "K", "via": "A", "r": 3 } },
           { "at": "40ms", "client": "eve", "get": { "key": "K", "via": "A", "r": 3 } }"#,
    );
    let value = [("keys.K.value", r#"["book", "dvd"]"#)];
    has(&cart, &value, &[("resurrected.items", 1.0), ("siblings.false", 0.0), ("siblings.max", 2.0)]);
    let forgotten = of_folder("tombstone-forgotten");
    let run = has(&forgotten, &[], &[("resurrected.items", 1.0)]);
    assert!(is_violated(&run, Property::NoResurrectedDeletes));
}

#[test]
fn versions_that_clocks_keep_though_they_were_replaced() {
    has(&of_folder("ce-8-truncated-clock"), &[], &[("siblings.false", 1.0), ("siblings.false_dominance", 0.0)]);
}

#[test]
fn atomic_regular_and_neither() {
    // v1 is read from 2 to 4 ms, v0 from 5 to 7 ms: had the second read begun a millisecond sooner, it could have come
    // first. The write lasts from 0 to 22 ms and is in nobody's way.
    let inversion = of_folder("ce-1-new-old-inversion");
    has(
        &inversion,
        &[],
        &[
            ("atomicity.widening.max", 1.0),
            ("atomicity.widening.mean", 1.0),
            ("linearizable.violations", 1.0),
            ("regular.violations", 0.0),
            ("stale.reads", 0.0),
        ],
    );
    // v1 is acknowledged at 4 ms; v0 is read from 50 to 52 ms: 46 ms too late.
    let stale = |steps: &str| {
        script(&format!(
            r#"{{ "at": "0ms", "client": "ann", "put": {{ "key": "K", "value": "v1", "via": "A", "reaches": ["A", "B"] }} }},
               {{ "at": "50ms", "client": "bob", "get": {{ "key": "K", "via": "C", "r": 1, "reaches": ["C"] }} }}{steps}"#
        ))
    };
    let broken = [("atomicity.widening.max", 46.0), ("linearizable.violations", 1.0), ("regular.violations", 1.0)];
    has(&stale(""), &[], &broken);
    // A key that is deleted is no register.
    let deleted = stale(r#", { "at": "90ms", "client": "ann", "delete": { "key": "K", "via": "A" } }"#);
    let run = played(&deleted, &[], &["atomicity.widening.max"]);
    assert_eq!(run.answers[&query("atomicity.widening.max")].number(), None);
    // A write of which nobody knows may come at any time.
    let open = script(
        r#"{ "at": "0ms", "client": "ann", "put": { "key": "K", "value": "v1", "via": "A", "reaches": ["A"] }, "expect": { "outcome": "timeout" } },
           { "at": "5s", "client": "bob", "get": { "key": "K", "via": "B", "r": 1, "reaches": ["B"] }, "expect": { "values": ["v0"] } },
           { "at": "6s", "client": "bob", "get": { "key": "K", "via": "A", "r": 1, "reaches": ["A"] }, "expect": { "values": ["v1"] } }"#,
    );
    has(&open, &[], &[("atomicity.widening.max", 0.0), ("linearizable.violations", 0.0), ("regular.violations", 0.0)]);
}

#[test]
fn what_nothing_guarantees_is_noted_and_what_cannot_hold_is_an_error() {
    let read = |property: &str, r: u32, must: &str| {
        let scenario = script(r#"{ "at": "0ms", "client": "ann", "get": { "key": "K", "via": "A" } }"#);
        let expect = format!(r#"[ {{ "property": "{property}"{must} }} ]"#);
        let set = [("expect".to_string(), expect), ("cluster.replication.r".to_string(), r.to_string())];
        load(&Memory::new("x.json", &scenario), &set).map(|loaded| loaded.notices).map_err(|errors| errors.to_string())
    };
    let notices = read("regular", 2, "").expect("it may hold");
    let noted = notices.iter().filter(|notice| notice.contains("nothing guarantees it: quorum is sloppy")).count();
    assert_eq!(noted, 1, "{notices:?}");
    let error = read("regular", 1, "").expect_err("R + W = N");
    assert!(error.contains("cannot hold: R + W is not more than N"), "{error}");
    let notices = read("regular", 1, r#", "must": "break""#).expect("it may be asked to break");
    assert!(notices.iter().all(|notice| !notice.contains("guarantees")), "{notices:?}");
}

/// The files of a run: what never came about, the properties, the curve of divergence, the faults that never bit.
#[test]
fn files_tell_it_all() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path();
    let steps =
        format!(r#"{ONE_LEFT}, {{ "name": "idle", "at": "150ms", "for": "1ms", "cut": {{ "between": ["C", "D"] }} }}"#);
    let expect =
        r#""expect": [ { "property": "all" }, { "property": "convergence" } ], "measure": { "bucket": "50ms" },"#;
    let scenario = script(&steps).replacen(
        r#""settle": "1s","#,
        &format!(r#""duration": "200ms", "settle": "20ms", {expect}"#),
        1,
    );
    std::fs::write(path.join("left.json"), scenario).expect("it can be written");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dynamo-sim"));
        let output = command.args(arguments).current_dir(path).stdin(Stdio::null()).output().expect("it starts");
        String::from_utf8(output.stdout).expect("it is text") + &String::from_utf8_lossy(&output.stderr)
    };
    let shown = run(&["run", "left.json", "--out", "one"]);
    let read = |name: &str| {
        std::fs::read_to_string(path.join(name)).unwrap_or_else(|error| panic!("{name}: {error}: {shown}"))
    };
    let summary: Json = serde_json::from_str(&read("one/summary.json")).expect("it is JSON");
    let metrics = summary["metrics"].as_object().expect("numbers");
    assert_eq!(metrics.get("convergence.time_ms"), Some(&Json::Null));
    assert_eq!(metrics["copies.below_w"], 1.0);

    let properties = summary["properties"].as_array().expect("a list");
    assert_eq!(properties.len(), Property::ALL.len(), "`all` looks at each");
    let of = |name: &str| properties.iter().find(|one| one["name"] == name).expect("it is there");
    let held = of("dots_unique");
    assert_eq!((&held["asserted"], &held["violations"], held.get("because")), (&true.into(), &0.into(), None));
    let named = of("convergence");
    assert_eq!((&named["asserted"], &named["violations"]), (&true.into(), &1.into()));
    assert!(named["because"].as_str().is_some_and(|because| because.contains("key K")), "{named}");
    let measured = of("replicas_never_go_back");
    assert_eq!((&measured["asserted"], &measured["because"]), (&false.into(), &"disks lose data".into()));

    let notices = summary["notices"].to_string();
    assert!(notices.contains("faults that never bit: idle"), "{notices}");
    assert!(notices.contains("property convergence is asserted, but nothing guarantees it"), "{notices}");
    assert!(!shown.contains("✗ replicas_never_go_back"), "{shown}");

    // On A from 1 ms on; B loses it at 100 ms; nothing changes after that.
    let mut timeline = csv::Reader::from_reader(read("one/timeline.csv").into_bytes().leak() as &[u8]);
    let column = timeline.headers().expect("a header").iter().position(|name| name == "divergent_keys").expect("it");
    let cells: Vec<String> = timeline.records().map(|row| row.expect("a row")[column].to_string()).collect();
    assert!(cells.len() >= 3 && cells.iter().all(|cell| cell == "1"), "{cells:?}");

    run(&["run", "left.json", "--seeds", "1..2", "--out", "two"]);
    let mut runs = csv::Reader::from_reader(read("two/runs.csv").into_bytes().leak() as &[u8]);
    let names: Vec<String> = runs.headers().expect("a header").iter().map(String::from).collect();
    let place =
        |wanted: &str| names.iter().position(|name| name == wanted).unwrap_or_else(|| panic!("no {wanted}: {names:?}"));
    let in_order = ["put.success", "lost.writes", "convergence.time_ms", "divergent_keys.max", "copies.min"];
    let order = in_order.map(&place);
    assert!(order.is_sorted(), "the order of the vocabulary: {order:?}");
    let first = runs.records().next().expect("a row").expect("it is read");
    assert_eq!(&first[place("convergence.time_ms")], "inf");
    assert!(read("two/summary.csv").contains(",inf,inf,inf,"));
}

/// Listens to everything and does nothing.
struct Ears;

impl Observer for Ears {
    fn interest(&self) -> Interest {
        Interest {
            operations: true,
            notes: true,
            changes: true,
            faults: true,
            totals: true,
            messages: true,
            ..Interest::default()
        }
    }
    fn observe(&mut self, _: SimTime, _: &Observation<'_>) {}
}

const CHAOS: &str = r#"{ "version": 1, "duration": "4s", "settle": "1s",
  "cluster": { "nodes": 5, "hints": { "scan_every": "300ms" }, "anti_entropy": { "every": "500ms" } },
  "clients": [ { "name": "users", "count": 4, "arrival": { "open": { "rate": "40/s" } }, "keys": { "uniform": { "count": 6 } },
    "mix": { "get": 0.5, "update": 0.2, "put": 0.25, "delete": 0.05 }, "timeout": "300ms" } ],
  "chaos": { "crash": { "every": "1s", "for": "500ms", "disk": { "kept": 1, "lost": 1 } }, "cut": { "every": "1s", "for": "300ms" } } }"#;

#[test]
fn it_judges_the_same_whoever_else_watches_and_changes_nothing() {
    let loaded = load(&Memory::new("x.json", CHAOS), &[]).unwrap_or_else(|errors| panic!("{errors}"));
    let wants = Wants { messages: true, histories: true, widening: true };
    let mut violated = 0;
    for seed in 1..=30 {
        let config = run_config(&loaded.settings[0].spec, seed, &loaded.files).expect("it makes a run").config;
        let alone = cluster::run(&config, &mut []);
        let mut judge = Judge::new(&config, wants);
        let judged = cluster::run(&config, &mut [&mut judge]);
        let (mut other, mut recorder, mut ears) = (Judge::new(&config, wants), Recorder::new(&config), Ears);
        let crowd = cluster::run(&config, &mut [&mut ears, &mut other, &mut recorder]);
        assert_eq!((alone.digest, alone.digest), (judged.digest, crowd.digest), "seed {seed}");
        let ((found, numbers), (found_too, numbers_too)) = (judge.finish(), other.finish());
        assert_eq!(found, found_too, "seed {seed}");
        assert_eq!(format!("{numbers:?}"), format!("{numbers_too:?}"), "seed {seed}");
        assert_eq!(numbers.lost[dynamo_sim::measure::metrics::LossCause::Unexplained as usize], 0, "seed {seed}");
        violated += Property::ALL.iter().filter(|property| found.of(**property).is_some()).count();
    }
    assert!(violated > 30, "crashes that lose disks break something: {violated}");
}
