//! Every switch of a scenario does something: small runs with it and without it differ as it says.
//!
//! A switch that is read and then forgotten makes its pair of runs alike, and its test red.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "a test collects what it finds")]

use dynamo_sim::cluster;
use dynamo_sim::cluster::outcome::RunEnd;
use dynamo_sim::history::{Finished, Interest, Observation, Observer};
use dynamo_sim::kernel::time::SimTime;
use dynamo_sim::measure::{Measured, Metric, Recorder, Scope};
use dynamo_sim::node::stats::Stats;
use dynamo_sim::scenario::build::run_config;
use dynamo_sim::scenario::load;
use dynamo_sim::scenario::source::Memory;

struct Played {
    end: RunEnd,
    measured: Measured,
}

impl Played {
    fn sum(&self, which: fn(&Stats) -> u64) -> f64 {
        self.end.nodes.iter().map(which).sum::<u64>() as f64
    }
    fn metric(&self, path: &str) -> f64 {
        let metric = Metric::parse(path).expect("it is a metric");
        self.measured.value(&metric, &Scope::default()).number().unwrap_or(0.0)
    }
    fn latency_ms(&self, step: usize) -> f64 {
        self.end.steps[step].latency.map_or(0.0, |latency| latency.0 as f64 / 1e6)
    }
    fn values(&self, step: usize) -> Vec<String> {
        self.end.steps[step].values.clone()
    }
}

type Set<'a> = &'a [(&'a str, &'a str)];

fn play(scenario: &str, set: Set<'_>) -> Played {
    let set: Vec<(String, String)> = set.iter().map(|(path, value)| (path.to_string(), value.to_string())).collect();
    let loaded = load(&Memory::new("x.json", scenario), &set).unwrap_or_else(|errors| panic!("{set:?}: {errors}"));
    let built = run_config(&loaded.settings[0].spec, 5, &loaded.files).unwrap_or_else(|e| panic!("{set:?}: {e:?}"));
    let mut recorder = Recorder::new(&built.config);
    let mut observers: [&mut dyn Observer; 1] = [&mut recorder];
    let end = cluster::run(&built.config, &mut observers);
    let measured = recorder.finish(&built.config, &end, None);
    Played { end, measured }
}

/// A switch: its name, the scenario, the two settings, and what the second has more of.
type Case<'a> = (&'a str, &'a str, Set<'a>, Set<'a>, fn(&Played) -> f64);

fn each_has_more_in_its_second_run(cases: &[Case<'_>]) {
    let mut wrong = Vec::new();
    for (name, scenario, less, more, measure) in cases {
        let (less, more) = (measure(&play(scenario, less)), measure(&play(scenario, more)));
        if less >= more {
            wrong.push(format!("{name}: {less} in the first run, {more} in the second"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The runs of these settings are all different.
fn each_makes_another_run(cases: &[(&str, &str, &[Set<'_>])]) {
    let mut wrong = Vec::new();
    for (name, scenario, settings) in cases {
        let mut digests: Vec<u128> = settings.iter().map(|set| play(scenario, set).end.digest).collect();
        digests.sort_unstable();
        digests.dedup();
        if digests.len() != settings.len() {
            wrong.push(format!("{name}: {} settings are {} runs", settings.len(), digests.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Some load, one crash, messages of a millisecond.
const LOAD: &str = r#"{
  "version": 1, "duration": "5s", "settle": "4s",
  "cluster": { "nodes": 6, "spares": 1, "versioning": "dotted", "ring": { "equal_partitions": { "per_node": 4 } } },
  "network": { "within_region": "1ms" },
  "clients": [ { "name": "users", "count": 4, "arrival": { "open": { "rate": "150/s" } }, "keys": { "uniform": { "count": 40 } },
    "mix": { "get": 0.5, "update": 0.25, "put": 0.25 } } ],
  "script": [ { "name": "down", "at": "1s", "for": "1500ms", "crash": { "nodes": "n2" } } ]
}"#;

/// Four nodes with a range each, messages of a millisecond, and the steps put in.
fn script(steps: &str) -> String {
    r#"{ "version": 1, "settle": "3s",
      "cluster": { "nodes": ["A", "B", "C", "D"], "versioning": "dotted", "ring": { "owners": ["A", "B", "C", "D"] },
        "anti_entropy": "off", "membership": { "gossip_every": "never" }, "hints": { "scan_every": "500ms" } },
      "network": { "within_region": "1ms" },
      "keys": { "K": { "first": "A", "value": "v0" } },
      "script": [ STEPS ] }"#
        .replace("STEPS", steps)
}

fn fails(played: &Played) -> f64 {
    played.metric("ops.count") - played.metric("ops.count") * played.metric("ops.success")
}

#[test]
fn hints() {
    let scan = ("cluster.hints.scan_every", r#""500ms""#);
    let never = ("cluster.hints.scan_every", r#""1h""#);
    let recovery = ("cluster.hints.deliver", r#""recovery""#);
    each_has_more_in_its_second_run(&[
        ("hints", LOAD, &[("cluster.hints", r#""off""#)], &[], |p| p.sum(|s| s.hints_created)),
        ("scan_every", LOAD, &[never], &[scan], |p| p.sum(|s| s.hints_delivered)),
        ("deliver", LOAD, &[never], &[never, recovery], |p| p.sum(|s| s.hints_delivered)),
        ("ttl", LOAD, &[scan], &[scan, ("cluster.hints.ttl", r#""100ms""#)], |p| p.sum(|s| s.hints_expired)),
        ("max_per_node", LOAD, &[scan], &[scan, ("cluster.hints.max_per_node", "1")], |p| p.sum(|s| s.hints_dropped)),
        ("throttle", LOAD, &[scan], &[scan, ("cluster.hints.throttle", r#""100B/s""#)], |p| p.end.hints_pending as f64),
        (
            "replaced",
            LOAD,
            &[("clients.users.keys.*.count", "40"), scan],
            &[("clients.users.keys.*.count", "2"), scan],
            |p| p.sum(|s| s.hints_replaced),
        ),
    ]);
    let steps = script(
        r#"{ "at": "0s", "crash": { "nodes": "B" } },
           { "at": "10ms", "client": "z", "put": { "key": "K", "value": "v1", "via": "A", "w": 2 } },
           { "at": "300ms", "restart": { "nodes": "B" } },
           { "at": "310ms", "client": "z", "get": { "key": "K", "via": "B", "r": 1 } }"#,
    );
    let off = ("cluster.hints.scan_every", r#""1h""#);
    assert_eq!(play(&steps, &[off]).values(1), ["v0"], "who serves at once serves what it has");
    let waits = ("cluster.hints.recovered_node", r#""waits""#);
    assert_eq!(play(&steps, &[off, waits]).values(1), ["v1"], "who waits for its hints leaves reads to others");
}

#[test]
fn read_repair() {
    let lossy = ("network.loss", "0.1");
    let no_hints = ("cluster.hints", r#""off""#);
    each_has_more_in_its_second_run(&[
        ("read_repair", LOAD, &[lossy, ("cluster.read_repair", r#""off""#)], &[lossy], |p| p.sum(|s| s.repairs_sent)),
        ("chance", LOAD, &[lossy, ("cluster.read_repair.chance", "0.1")], &[lossy], |p| p.sum(|s| s.repairs_sent)),
        ("useful", LOAD, &[no_hints, lossy, ("cluster.read_repair", r#""off""#)], &[no_hints, lossy], |p| {
            p.sum(|s| s.repairs_useful)
        }),
    ]);
    let steps = script(
        r#"{ "at": "0s", "client": "z", "put": { "key": "K", "value": "v1", "via": "A", "w": 1, "reaches": ["A"], "timeout": "5s" } },
           { "at": "20ms", "client": "z", "get": { "key": "K", "via": "A", "r": 2 } }"#,
    );
    let mode = |mode| [("cluster.read_repair.mode", mode)];
    let [eager, patient] = [r#""async""#, r#""blocking""#].map(|m| play(&steps, &mode(m)).latency_ms(1));
    assert_eq!((eager, patient), (4.0, 6.0), "a blocking repair is waited for");
    let one = steps.replace("\"r\": 2", "\"r\": 1");
    let wait = |wait| play(&one, &[("cluster.read_repair.wait", wait)]).sum(|s| s.repairs_sent);
    assert_eq!(wait(r#""100us""#), 0.0, "answers that come later than that are not looked at");
    assert!(wait(r#""100ms""#) > 0.0);
}

#[test]
fn anti_entropy() {
    let every = |period| ("cluster.anti_entropy.every", period);
    let wiped: &str = &LOAD
        .replace(r#"crash": { "nodes": "n2" }"#, r#"pause": { "nodes": "n2" }"#)
        .replace("\"script\": [", r#""script": [ { "at": "4s", "wipe": { "nodes": "n3" } }, "#);
    let fast = every(r#""500ms""#);
    each_has_more_in_its_second_run(&[
        ("anti_entropy", LOAD, &[("cluster.anti_entropy", r#""off""#)], &[every(r#""1s""#)], |p| {
            p.sum(|s| s.exchanges)
        }),
        ("every", LOAD, &[every(r#""3s""#)], &[fast], |p| p.sum(|s| s.exchanges)),
        ("depth", wiped, &[fast, ("cluster.anti_entropy.depth", "1")], &[fast], |p| p.sum(|s| s.hashes)),
        ("throttle", wiped, &[fast, ("cluster.anti_entropy.throttle", r#""100B/s""#)], &[fast], |p| {
            p.sum(|s| s.exchange_keys)
        }),
    ]);
    each_makes_another_run(&[("pairs", LOAD, &[&[fast], &[fast, ("cluster.anti_entropy.pairs", r#""in_turn""#)]])]);
}

#[test]
fn versioning() {
    let blind = script(
        r#"{ "at": "0s", "client": "y", "put": { "key": "K", "value": "v1", "via": "A", "context": "none" } },
           { "at": "20ms", "client": "z", "put": { "key": "K", "value": "v2", "via": "A", "context": "none" } },
           { "at": "40ms", "client": "z", "get": { "key": "K", "via": "B", "r": 3 } }"#,
    );
    let with = |value: &str| play(&blind, &[("cluster.versioning", value)]).values(2);
    assert_eq!(with(r#""dotted""#), ["v0", "v1", "v2"], "blind writes are siblings");
    assert_eq!(with(r#""last_write_wins""#), ["v2"], "the last write wins");
    let next = |next: &str| with(&format!(r#"{{"vector_clock": {{"next": "{next}"}}}}"#));
    assert_eq!(next("local_max"), ["v2"], "the coordinator counts on from what it has");
    assert_ne!(next("context"), ["v2"], "one clock for two values");
    let skewed = format!(r#"{{ "at": "0s", "skew": {{ "nodes": "A", "by": "10s" }} }}, {}"#, "STEPS");
    let skewed = script(&skewed.replace(
        "STEPS",
        r#"{ "at": "1ms", "client": "y", "put": { "key": "K", "value": "v1", "via": "A" } },
           { "at": "20ms", "client": "z", "put": { "key": "K", "value": "v2", "via": "B" } },
           { "at": "40ms", "client": "z", "get": { "key": "K", "via": "B", "r": 3 } }"#,
    ));
    let clock = |clock: &str| {
        play(&skewed, &[("cluster.versioning", &format!(r#"{{"last_write_wins": {{"clock": "{clock}"}}}}"#))]).values(2)
    };
    assert_eq!(
        (clock("node"), clock("client"), clock("lamport")),
        (vec!["v1".into()], vec!["v2".into()], vec!["v2".into()])
    );
    let wiped = script(
        r#"{ "at": "0s", "client": "y", "put": { "key": "K", "value": "v1", "via": "A", "context": "none" } },
           { "at": "20ms", "wipe": { "nodes": "A" } },
           { "at": "30ms", "client": "z", "put": { "key": "K", "value": "v2", "via": "A", "context": "none" } },
           { "at": "60ms", "client": "z", "get": { "key": "K", "via": "B", "r": 2, "reaches": ["B", "C"] } }"#,
    );
    let new_id = |new| {
        play(&wiped, &[("cluster.versioning", &format!(r#"{{"dotted": {{"new_id_after_wipe": {new}}}}}"#))]).values(2)
    };
    assert!(new_id(true).contains(&"v2".to_string()), "a wiped node is a new actor: {:?}", new_id(true));
    assert!(new_id(true).len() > new_id(false).len(), "an old one gives old dots again");
    let many = (r#"{"vector_clock": {"max_entries": 2}}"#, r#""vector_clock""#);
    each_has_more_in_its_second_run(&[(
        "max_entries",
        LOAD,
        &[("cluster.versioning", many.1)],
        &[("cluster.versioning", many.0)],
        |p| p.sum(|s| s.clock_truncated),
    )]);
    let tick = |tick| ("cluster.versioning", tick);
    each_makes_another_run(&[(
        "tick",
        LOAD,
        &[&[tick(r#""last_write_wins""#)], &[tick(r#"{"last_write_wins": {"tick": "1s"}}"#)]],
    )]);
}

#[test]
fn no_dot_is_given_twice_while_a_copy_waits_for_storage() {
    let steps = script(
        r#"{ "at": "0s", "client": "y", "put": { "key": "K", "value": "v1", "via": "A", "context": "none" } },
           { "at": "1ms", "client": "z", "put": { "key": "K", "value": "v2", "via": "A", "context": "none" } },
           { "at": "90ms", "client": "z", "get": { "key": "K", "via": "B", "r": 3 } }"#,
    );
    let slow = ("cluster.storage.write", r#""5ms""#);
    assert_eq!(play(&steps, &[slow]).values(2), ["v0", "v1", "v2"], "two writes led at once are two versions");
    let failing = steps
        .replace(
            r#"{ "at": "0s","#,
            r#"{ "at": "0s", "for": "15ms", "disk_error": { "nodes": "A", "on": "write" } }, { "at": "0s","#,
        )
        .replace(r#""at": "1ms""#, r#""at": "20ms""#);
    let values = play(&failing, &[]).values(2);
    assert_eq!(values, ["v0", "v1", "v2"], "a write that its leader could not store has a dot all the same");
}

#[test]
fn coordination() {
    let writer = |writer| ("cluster.coordination.write_coordinator", writer);
    each_has_more_in_its_second_run(&[
        ("contacted", LOAD, &[writer(r#""contacted""#)], &[], |p| p.sum(|s| s.forwarded)),
        ("first", LOAD, &[], &[writer(r#""first""#)], |p| p.sum(|s| s.forwarded)),
    ]);
    each_makes_another_run(&[("fastest_reader", LOAD, &[&[], &[writer(r#""fastest_reader""#)]])]);
    let lost = script(
        r#"{ "at": "0s", "client": "y", "put": { "key": "K", "value": "v1", "via": "A", "w": 3, "timeout": "5s",
             "legs": { "write_request": { "C": "lost" } } } }"#,
    );
    let peer = |peer| play(&lost, &[("cluster.coordination.peer_timeout", peer)]).latency_ms(0);
    assert_eq!((peer(r#""50ms""#), peer(r#""400ms""#)), (54.0, 404.0), "then a stand-in is asked");
    let strict = ("cluster.replication.quorum", r#""strict""#);
    let timeout = |timeout| play(&lost, &[strict, ("cluster.coordination.timeout", timeout)]).latency_ms(0);
    assert_eq!((timeout(r#""200ms""#), timeout(r#""1s""#)), (202.0, 1_002.0), "then the client is told");
    let blind =
        script(r#"{ "at": "0s", "client": "y", "put": { "key": "K", "value": "v1", "via": "A", "context": "none" } }"#);
    let outcome = |conflicts| {
        format!("{:?}", play(&blind, &[("cluster.coordination.conflicts", conflicts)]).end.steps[0].outcome)
    };
    assert_eq!(outcome(r#""kept""#), "Some(Ok)");
    assert_eq!(outcome(r#""refused""#), "Some(Refused)");
}

#[test]
fn quorums() {
    let n = |field, value| [(field, value)];
    let down = script(
        r#"{ "at": "0s", "crash": { "nodes": "C" } },
           { "at": "10ms", "client": "y", "put": { "key": "K", "value": "v1", "via": "A", "w": 3 } },
           { "at": "3s", "client": "y", "put": { "key": "K", "value": "v1", "via": "A", "w": 3, "quorum": "strict" } },
           { "at": "6s", "client": "y", "get": { "key": "K", "via": "A", "r": 1, "n": 1 } }"#,
    );
    let outcomes = |set: Set<'_>| -> Vec<String> {
        play(&down, set)
            .end
            .steps
            .iter()
            .map(|step| format!("{:?}", step.outcome.expect("it is an operation")))
            .collect()
    };
    let all = outcomes(&[]);
    assert_eq!(all[0], "Ok", "a stand-in counts");
    assert_ne!(all[1], "Ok", "a step's own quorum is strict");
    assert_eq!(all[2], "Ok");
    assert_ne!(outcomes(&n("cluster.replication.stand_in_acks", r#""ignore""#))[0], "Ok", "a stand-in does not count");
    let quick = script(
        r#"{ "at": "0s", "client": "y", "put": { "key": "K", "value": "v1", "via": "A", "w": 1 } },
           { "at": "50ms", "client": "y", "get": { "key": "K", "via": "A" } },
           { "at": "90ms", "client": "y", "get": { "key": "K", "via": "D", "n": 1, "r": 1 } }"#,
    );
    let latency = |set: Set<'_>, step| play(&quick, set).latency_ms(step);
    assert_eq!(latency(&[], 0), 2.0);
    assert_eq!(latency(&n("cluster.replication.own_ack", r#""ignore""#), 0), 4.0, "others have to acknowledge");
    assert_eq!(latency(&n("cluster.replication.r", "1"), 1), 2.0);
    assert_eq!(latency(&[], 1), 4.0);
    each_has_more_in_its_second_run(&[
        ("n", LOAD, &n("cluster.replication.n", "2"), &[], |p| p.end.stored_keys.iter().sum::<u64>() as f64),
        ("quorum", LOAD, &n("cluster.replication.quorum", r#""strict""#), &[], |p| p.sum(|s| s.hints_created)),
        ("group r", LOAD, &n("clients.users.r", "1"), &n("clients.users.r", "3"), |p| p.metric("get.latency.mean")),
        ("group w", LOAD, &n("clients.users.w", "1"), &n("clients.users.w", "3"), |p| p.metric("put.latency.mean")),
        ("group n", LOAD, &[("clients.users.n", "2")], &[("clients.users.n", "3")], |p| p.sum(|s| s.writes)),
        ("group quorum", LOAD, &n("clients.users.quorum", r#""strict""#), &[], |p| p.sum(|s| s.hints_created)),
    ]);
}

#[test]
fn membership_and_transfer() {
    let join: &str = &LOAD.replace(
        r#"{ "name": "down", "at": "1s", "for": "1500ms", "crash": { "nodes": "n2" } }"#,
        r#"{ "name": "join", "at": "1s", "join": { "node": "n7" } }"#,
    );
    let set = |path, value| [("cluster.membership.gossip_every", r#""200ms""#), (path, value)];
    let took = |p: &Played| p.end.moves[0].to.map_or(1e12, |to| to.since(p.end.moves[0].from).0 as f64);
    let gossip = |p: &Played| p.metric("gossip.messages");
    let transfers = |p: &Played| p.metric("messages.transfer");
    each_has_more_in_its_second_run(&[
        (
            "gossip_every",
            join,
            &[("cluster.membership.gossip_every", r#""2s""#)],
            &[("cluster.membership.gossip_every", r#""200ms""#)],
            gossip,
        ),
        ("fan_out", join, &[("cluster.membership.fan_out", "1")], &[("cluster.membership.fan_out", "3")], gossip),
        ("confirm", join, &[("cluster.transfer.confirm", "false")], &[("cluster.transfer.confirm", "true")], transfers),
        (
            "batch",
            join,
            &set("cluster.transfer.batch", r#""1MB""#),
            &set("cluster.transfer.batch", r#""1kB""#),
            transfers,
        ),
        (
            "throttle",
            join,
            &set("cluster.transfer.batch", r#""1kB""#),
            &[
                ("cluster.membership.gossip_every", r#""200ms""#),
                ("cluster.transfer.batch", r#""1kB""#),
                ("cluster.transfer.throttle", r#""5kB/s""#),
            ],
            took,
        ),
    ]);
    each_makes_another_run(&[
        (
            "mode",
            join,
            &[
                &set("cluster.membership.mode", r#""push_pull""#),
                &set("cluster.membership.mode", r#""push""#),
                &set("cluster.membership.mode", r#""pull""#),
            ],
        ),
        (
            "rounds",
            join,
            &[&set("cluster.membership.rounds", r#""spread""#), &set("cluster.membership.rounds", r#""together""#)],
        ),
        (
            "seeds",
            join,
            &[&set("cluster.membership.seeds", r#"["n1"]"#), &set("cluster.membership.seeds", r#"["n3", "n4"]"#)],
        ),
        ("via", join, &[&[], &[("script.join.join.via", r#""n4""#)], &[("script.join.join.via", r#""n7""#)]]),
    ]);
    let replace: &str = &join.replace(r#""join": { "node": "n7" }"#, r#""replace": { "node": "n2", "with": "n7" }"#);
    let replaced = play(replace, &set("cluster.membership.fan_out", "1"));
    assert!(replaced.end.moves[0].to.is_some() && replaced.end.stored_keys[6] > 0, "{:?}", replaced.end.moves);
}

#[test]
fn detectors() {
    let detector = |detector| [("cluster.detector", detector)];
    let probes = |p: &Played| p.metric("messages.gossip");
    each_has_more_in_its_second_run(&[
        ("failures", LOAD, &detector(r#"{"local": {"failures": 40}}"#), &[], |p| p.sum(|s| s.suspicions)),
        (
            "retry_every",
            LOAD,
            &detector(r#"{"local": {"retry_every": "5s"}}"#),
            &detector(r#"{"local": {"retry_every": "50ms"}}"#),
            |p| p.end.events as f64,
        ),
        (
            "heartbeat_every",
            LOAD,
            &detector(r#"{"phi": {}}"#),
            &detector(r#"{"phi": {"heartbeat_every": "100ms"}}"#),
            probes,
        ),
        ("perfect", LOAD, &detector(r#""perfect""#), &[], |p| p.sum(|s| s.suspicions)),
    ]);
    each_makes_another_run(&[
        (
            "threshold",
            LOAD,
            &[
                &detector(r#"{"phi": {"heartbeat_every": "100ms"}}"#),
                &detector(r#"{"phi": {"heartbeat_every": "100ms", "threshold": 2}}"#),
            ],
        ),
        ("gossiped", LOAD, &[&detector(r#""local""#), &detector(r#""gossiped""#)]),
    ]);
    // One coordinator meets the crashed node; who else knows of it must have been told.
    let told = script(
        r#"{ "at": "0s", "crash": { "nodes": "C" } },
           { "at": "10ms", "client": "y", "put": { "key": "K", "value": "v1", "via": "A" } },
           { "at": "2s", "inspect": { "node": "B" }, "expect": { "suspects": ["C"] } }"#,
    );
    let knows = |detector| {
        let gossip = ("cluster.membership.gossip_every", r#""100ms""#);
        let end = play(&told, &[gossip, ("cluster.detector", detector)]).end;
        end.steps.iter().all(|step| step.broken.as_ref().is_none_or(Vec::is_empty))
    };
    assert!(knows(r#""gossiped""#), "suspicion is gossiped");
    assert!(!knows(r#""local""#), "suspicion stays where it arose");
    let hits = |detector| play(LOAD, &[("cluster.detector", detector)]).end.faults[0].hits;
    assert!(hits(r#""local""#) > 0 && hits(r#""perfect""#) > 0, "a crash that forces stand-ins has bitten");
}

#[test]
fn deletes() {
    let steps = script(
        r#"{ "at": "0s", "client": "y", "delete": { "key": "K", "via": "A", "w": 3 } },
           { "at": "20ms", "client": "z", "get": { "key": "K", "via": "B", "r": 3 } }"#,
    );
    let kept = |deletes| play(&steps, &[("cluster.deletes", deletes)]).end.stored_keys.iter().sum::<u64>();
    assert_eq!(kept(r#"{"tombstone": {"keep": "forever"}}"#), 3);
    assert_eq!(kept(r#"{"tombstone": {"keep": "500ms"}}"#), 0, "old tombstones are reaped");
    assert_eq!(kept(r#""remove""#), 0);
}

#[test]
fn storage() {
    let s = |value| [("cluster.storage", value)];
    let get = |p: &Played| p.metric("get.latency.mean");
    let put = |p: &Played| p.metric("put.latency.mean");
    let slow = r#"{"read": "3ms", "write": "3ms"}"#;
    each_has_more_in_its_second_run(&[
        ("read", LOAD, &[], &s(r#"{"read": "5ms"}"#), get),
        ("write", LOAD, &[], &s(r#"{"write": "5ms"}"#), put),
        ("workers", LOAD, &s(r#"{"read": "3ms", "write": "3ms", "workers": 8}"#), &s(slow), |p| {
            p.sum(|s| s.queue_wait)
        }),
        ("buffer", LOAD, &s(slow), &s(r#"{"read": "3ms", "write": "3ms", "buffer": "on"}"#), |p| {
            p.sum(|s| s.buffered_writes)
        }),
        ("buffer latency", LOAD, &s(r#"{"read": "3ms", "write": "3ms", "buffer": "on"}"#), &s(slow), put),
        (
            "durable_copies",
            LOAD,
            &s(r#"{"write": "9ms", "workers": 9, "buffer": {"durable_copies": 1}}"#),
            &s(r#"{"write": "9ms", "workers": 9, "buffer": {"durable_copies": 3}}"#),
            put,
        ),
        ("cache", LOAD, &s(slow), &s(r#"{"read": "3ms", "write": "3ms", "cache": "on"}"#), |p| p.sum(|s| s.cache_hits)),
        (
            "cache.count",
            LOAD,
            &s(r#"{"read": "3ms", "write": "3ms", "cache": {"count": 2}}"#),
            &s(r#"{"read": "3ms", "write": "3ms", "cache": {"count": 100}}"#),
            |p| p.sum(|s| s.cache_hits),
        ),
        (
            "cache.hit",
            LOAD,
            &s(r#"{"read": "3ms", "cache": {"hit": "0s"}}"#),
            &s(r#"{"read": "3ms", "cache": {"hit": {"uniform": {"min": "1ms", "max": "3ms"}}}}"#),
            get,
        ),
    ]);
    let entropy = ("cluster.anti_entropy.every", r#""300ms""#);
    let behind: &str = &LOAD.replace("\"script\": [", r#""script": [ { "at": "3s", "wipe": { "nodes": "n3" } }, "#);
    let background = |value| [entropy, ("cluster.storage.background", value), ("cluster.storage.read", r#""5ms""#)];
    each_makes_another_run(&[(
        "background",
        behind,
        &[&background(r#""unlimited""#), &background(r#"{"slices": {"count": 1}}"#)],
    )]);
    each_has_more_in_its_second_run(&[
        ("admission", LOAD, &background(r#""unlimited""#), &background(r#""admission""#), |p| {
            p.sum(|s| s.slice_samples)
        }),
        (
            "admission.target",
            LOAD,
            &background(r#"{"admission": {"target": "1ms", "over": "1s"}}"#),
            &background(r#"{"admission": {"target": "1s", "over": "1s"}}"#),
            |p| p.sum(|s| s.slices_granted),
        ),
    ]);
    let tail = script(
        r#"{ "at": "0s", "client": "y", "put": { "key": "K", "value": "v1", "via": "A", "w": 3 } },
           { "at": "30ms", "for": "10ms", "crash": { "nodes": "all", "disk": "tail_lost" } },
           { "at": "90ms", "client": "z", "get": { "key": "K", "via": "B", "r": 1 } }"#,
    );
    let flushed = |flush| play(&tail, &[("cluster.storage.flush", flush)]).values(1);
    assert_eq!((flushed(r#""before_ack""#), flushed(r#""1s""#)), (vec!["v1".into()], vec!["v0".into()]));
    let disk = |disk| play(&tail, &[("script.1.crash.disk", disk)]).values(1);
    assert_eq!((disk(r#""kept""#), disk(r#""lost""#)), (vec!["v1".to_string()], vec![]));
}

#[test]
fn placement() {
    each_makes_another_run(&[
        (
            "hash",
            LOAD,
            &[&[], &[("cluster.placement.hash", r#""murmur3""#)], &[("cluster.placement.hash", r#""siphash""#)]],
        ),
        (
            "ring",
            LOAD,
            &[
                &[],
                &[("cluster.ring", r#""random_tokens""#)],
                &[("cluster.ring", r#""random_tokens_over_partitions""#)],
                &[("cluster.ring", r#""modulo""#)],
                &[("cluster.ring", r#"{"equal_partitions": {"partitions": 96}}"#)],
                &[("cluster.ring", r#"{"equal_partitions": {"per_node": 4, "assignment": "striped"}}"#)],
            ],
        ),
        (
            "spread",
            LOAD,
            &[&[("cluster.racks", "2")], &[("cluster.racks", "2"), ("cluster.placement.spread", r#""nodes""#)]],
        ),
    ]);
    let big = [
        ("cluster.nodes", r#"[{"name": "n1", "capacity": 4}, "n2", "n3", "n4", "n5", "n6"]"#),
        ("cluster.ring", r#""random_tokens""#),
    ];
    let even = [big[0], big[1], ("cluster.placement.by_capacity", "false")];
    each_has_more_in_its_second_run(&[("by_capacity", LOAD, &even, &big, |p| p.end.stored_keys[0] as f64)]);
    let boundary = r#"{ "version": 1, "cluster": { "nodes": ["A", "B", "C"], "replication": { "n": 1, "r": 1, "w": 1 },
        "ring": { "tokens": { "A": ["0deg"], "B": ["90deg"], "C": ["180deg"] } } },
      "keys": { "K": { "at": "90deg", "value": "v" } } , "script": [ { "at": "0s", "client": "z", "get": { "key": "K", "via": "B" } } ] }"#;
    let holder = |boundary_value| {
        let stored = play(boundary, &[("cluster.placement.boundary", boundary_value)]).end.stored_keys;
        stored.iter().position(|&keys| keys > 0)
    };
    assert_eq!((holder(r#""at_or_after""#), holder(r#""after""#)), (Some(1), Some(2)));
}

#[test]
fn the_network() {
    let get = |p: &Played| p.metric("get.latency.mean");
    let link = |fields: &str| format!(r#"[ {{ "between": ["n1", "all"], {fields} }} ]"#);
    let [delay, loss, duplicate, narrow] =
        [r#""delay": "20ms""#, r#""loss": 0.3"#, r#""duplicate": 0.5"#, r#""bandwidth": "20kB/s""#].map(link);
    let jitter = ("network.within_region", r#"{"exponential": {"mean": "5ms"}}"#);
    let fifo = link(r#""fifo": true"#);
    each_has_more_in_its_second_run(&[
        ("within_region", LOAD, &[], &[("network.within_region", r#""3ms""#)], get),
        ("client", LOAD, &[], &[("network.client", r#""9ms""#)], get),
        ("loss", LOAD, &[], &[("network.loss", "0.2")], get),
        ("duplicate", LOAD, &[], &[("network.duplicate", "0.5")], |p| p.end.events as f64),
        ("bandwidth", LOAD, &[], &[("network.bandwidth", r#""50kB/s""#)], get),
        ("link delay", LOAD, &[], &[("network.links", &delay)], get),
        ("link loss", LOAD, &[], &[("network.links", &loss)], get),
        ("link duplicate", LOAD, &[], &[("network.links", &duplicate)], |p| p.end.events as f64),
        ("link bandwidth", LOAD, &[], &[("network.links", &narrow)], get),
    ]);
    each_makes_another_run(&[
        ("fifo", LOAD, &[&[jitter], &[jitter, ("network.fifo", "true")]]),
        ("link fifo", LOAD, &[&[jitter], &[jitter, ("network.links", &fifo)]]),
        (
            "within_rack",
            LOAD,
            &[&[("cluster.racks", "2")], &[("cluster.racks", "2"), ("network.within_rack", r#""100us""#)]],
        ),
    ]);
}

#[test]
fn clients() {
    let u = |field: &'static str, value| [(field, value)];
    let count = |p: &Played| p.metric("ops.count");
    let closed = ("clients.users.arrival", r#"{"closed": {"think": "20ms"}}"#);
    let mix = |mix| ("clients.users.mix", mix);
    let siblings = |p: &Played| p.metric("siblings.mean");
    let puts = mix(r#"{"get": 0.5, "put": 0.5}"#);
    let few = ("clients.users.keys.*.count", "2");
    each_has_more_in_its_second_run(&[
        ("start", LOAD, &u("clients.users.start", r#""3s""#), &[], count),
        ("stop", LOAD, &u("clients.users.stop", r#""1s""#), &[], count),
        ("operations", LOAD, &u("clients.users.operations", "10"), &[], count),
        ("rate", LOAD, &[], &u("clients.users.arrival.open.rate", r#""300/s""#), count),
        (
            "phases",
            LOAD,
            &[],
            &u("clients.users.arrival.open.phases", r#"[{"from": "1s", "for": "500ms", "every": "1s", "factor": 3}]"#),
            count,
        ),
        ("think", LOAD, &[("clients.users.arrival", r#"{"closed": {"think": "90ms"}}"#)], &[closed], count),
        ("count", LOAD, &[closed], &[closed, ("clients.users.count", "9")], count),
        ("one_at_a_time", LOAD, &[], &u("clients.users.one_at_a_time", "true"), |p| p.metric("ops.latency.mean")),
        (
            "timeout",
            LOAD,
            &[("network.loss", "0.3")],
            &[("network.loss", "0.3"), ("clients.users.timeout", r#""5ms""#)],
            fails,
        ),
        (
            "retries",
            LOAD,
            &[("network.loss", "0.2"), ("clients.users.retries", "3")],
            &[("network.loss", "0.2")],
            fails,
        ),
        ("context", LOAD, &[puts, few], &[puts, few, ("clients.users.context", r#""none""#)], siblings),
        ("value_size", LOAD, &[], &u("clients.users.value_size", r#""50kB""#), |p| p.metric("bytes.foreground")),
        ("preload", LOAD, &[mix(r#"{"get": 1}"#), ("clients.users.preload", "false")], &[], |p| {
            p.end.stored_keys.iter().sum::<u64>() as f64
        }),
        ("mix", LOAD, &[mix(r#"{"get": 1}"#)], &[mix(r#"{"get": 1, "delete": 1}"#)], |p| p.metric("delete.count")),
        (
            "read_after",
            LOAD,
            &[mix(r#"{"write_then_read": 1}"#), closed, ("clients.users.read_after", r#""500ms""#)],
            &[mix(r#"{"write_then_read": 1}"#), closed],
            count,
        ),
    ]);
    let routing = |value| [("clients.users.routing", value)];
    let hops = |p: &Played| p.sum(|s| s.forwarded);
    each_has_more_in_its_second_run(&[
        ("ring_aware", LOAD, &routing(r#""ring_aware""#), &[], hops),
        ("client_driven", LOAD, &routing(r#""client_driven""#), &[], hops),
        ("among", LOAD, &[], &routing(r#"{"load_balancer": {"among": "n1"}}"#), |p| p.end.nodes[0].gets_led as f64),
    ]);
    let leave: &str = &LOAD.replace(
        r#"{ "name": "down", "at": "1s", "for": "1500ms", "crash": { "nodes": "n2" } }"#,
        r#"{ "at": "1s", "join": { "node": "n7" } }"#,
    );
    let gossip = ("cluster.membership.gossip_every", r#""100ms""#);
    each_makes_another_run(&[
        (
            "pick",
            LOAD,
            &[
                &[],
                &routing(r#"{"load_balancer": {"pick": "in_turn"}}"#),
                &routing(r#"{"load_balancer": {"pick": "sticky"}}"#),
            ],
        ),
        (
            "poll",
            leave,
            &[
                &[gossip, ("clients.users.routing", r#"{"client_driven": {"poll": "10s"}}"#)],
                &[gossip, ("clients.users.routing", r#"{"client_driven": {"poll": "200ms"}}"#)],
            ],
        ),
        ("spacing", LOAD, &[&[], &[("clients.users.arrival.open.spacing", r#""even""#)]]),
        (
            "keys",
            LOAD,
            &[
                &[],
                &[("clients.users.keys", r#"{"zipf": {"count": 40}}"#)],
                &[("clients.users.keys", r#"{"zipf": {"count": 40, "exponent": 0.5}}"#)],
                &[("clients.users.keys", r#"{"latest": {"count": 40}}"#)],
                &[("clients.users.keys", r#"{"hot": {"count": 40, "hot": 2, "share": 0.9}}"#)],
                &[("clients.users.keys", r#"{"sequential": {"count": 40}}"#)],
                &[("clients.users.keys", r#""new""#)],
                &[("clients.users.keys", r#"{"only": ["a", "b"]}"#)],
                &[("clients.users.key_prefix", r#""other""#)],
            ],
        ),
    ]);
}

/// What clients wrote.
#[derive(Default)]
struct Written(std::collections::BTreeSet<String>);

impl Observer for Written {
    fn interest(&self) -> Interest {
        Interest { operations: true, ..Interest::default() }
    }
    fn observe(&mut self, _now: SimTime, observation: &Observation<'_>) {
        if let Observation::Finished(Finished { written: Some(version), .. }) = observation {
            self.0.insert(format!("{:?}", version.value()));
        }
    }
}

#[test]
fn data_and_how_it_is_merged() {
    let mut seen = std::collections::BTreeSet::new();
    let kinds = [
        r#"{"set": {"merge": "union"}}"#,
        r#"{"set": {"merge": "or_set"}}"#,
        r#"{"set": {"merge": "newest"}}"#,
        r#"{"counter": {"merge": "sum"}}"#,
        r#"{"counter": {"merge": "newest"}}"#,
        r#""blob""#,
    ];
    for data in kinds {
        let set =
            [("clients.users.data", data), ("clients.users.keys.*.count", "1"), ("clients.users.context", r#""none""#)];
        let set: Vec<(String, String)> = set.iter().map(|(p, v)| (p.to_string(), v.to_string())).collect();
        let loaded = load(&Memory::new("x.json", LOAD), &set).expect("it is a scenario");
        let config = run_config(&loaded.settings[0].spec, 5, &loaded.files).expect("it is a run").config;
        let mut written = Written::default();
        cluster::run(&config, &mut [&mut written]);
        assert!(written.0.len() > 10 && seen.insert(written.0), "{data} is written like another");
    }
}

#[test]
fn faults() {
    let faulty = |fault: &str| {
        LOAD.replace(r#""crash": { "nodes": "n2" }"#, fault).replace(r#""name": "down", "#, r#""name": "f", "#)
    };
    let get = |p: &Played| p.metric("get.latency.mean");
    let hits = |p: &Played| p.end.faults[0].hits as f64;
    let slow = faulty(r#""slow": { "nodes": "all" }"#);
    let link = faulty(r#""link": { "between": ["n1", ["n2", "n3", "n4", "n5", "n6"]], "slower": 1 }"#);
    let error = faulty(r#""disk_error": { "nodes": "n2", "on": "read", "chance": 0.1 }"#);
    let disk = ("cluster.storage", r#"{"read": "1ms", "write": "1ms", "workers": 8}"#);
    let pause = faulty(r#""pause": { "nodes": "n2" }"#);
    let cut = faulty(r#""cut": { "between": ["n2", ["n1", "n3", "n4", "n5", "n6"]] }"#);
    let one_way = faulty(r#""cut": { "from": "n2", "to": "all" }"#);
    each_has_more_in_its_second_run(&[
        ("slow.storage", &slow, &[disk], &[disk, ("script.f.slow.storage", "5")], get),
        ("slow.network", &slow, &[], &[("script.f.slow.network", "5")], get),
        ("link.slower", &link, &[], &[("script.f.link.slower", "20")], get),
        ("link.extra", &link, &[], &[("script.f.link.extra", r#"{"exponential": {"mean": "20ms"}}"#)], get),
        ("link.loss", &link, &[], &[("script.f.link.loss", "0.5")], hits),
        ("link.duplicate", &link, &[], &[("script.f.link.duplicate", "0.5")], hits),
        ("disk_error.chance", &error, &[], &[("script.f.disk_error.chance", "1")], hits),
        ("disk_error.on", &error, &[], &[("script.f.disk_error.on", r#""both""#)], hits),
        ("pause", &pause, &[("script.f", "null")], &[], |p| p.metric("get.latency.max")),
    ]);
    assert!(hits(&play(&cut, &[])) > hits(&play(&one_way, &[])) / 4.0 && hits(&play(&one_way, &[])) > 0.0);
    let wipe =
        LOAD.replace(r#""for": "1500ms", "crash": { "nodes": "n2" }"#, r#""wipe": { "nodes": "n2", "fraction": 0.3 }"#);
    each_has_more_in_its_second_run(&[("wipe.fraction", &wipe, &[], &[("script.down.wipe.fraction", "1")], hits)]);
    let repeated = [("script.down.repeat", r#"{"every": "1700ms", "times": 2}"#), ("script.down.for", r#""300ms""#)];
    assert_eq!((play(LOAD, &[]).end.faults.len(), play(LOAD, &repeated).end.faults.len()), (1, 2));
}

#[test]
fn a_pause_ends_with_its_process_and_a_crashed_one_is_not_paused() {
    let both = |first: &str, second: &str| {
        LOAD.replace(
            r#"{ "name": "down", "at": "1s", "for": "1500ms", "crash": { "nodes": "n2" } }"#,
            &format!(
                r#"{{ "at": "500ms", "for": "2s", "{first}": {{ "nodes": "n2" }} }},
                   {{ "at": "1s", "for": "500ms", "{second}": {{ "nodes": "n2" }} }}"#
            ),
        )
    };
    for (first, second) in [("pause", "crash"), ("crash", "pause")] {
        let steps = both(first, second);
        let alive = steps.replace(
            "\"script\": [",
            r#""script": [ { "at": "4s", "client": "z", "get": { "key": "k1", "via": "n2" } }, "#,
        );
        let end = play(&alive, &[]).end;
        let outcome = format!("{:?}", end.steps[0].outcome);
        assert_eq!(outcome, "Some(Ok)", "a {second} during a {first} is over, and the node answers");
    }
}

#[test]
fn steps() {
    let steps = script(
        r#"{ "name": "p", "at": "0s", "client": "y", "put": { "key": "K", "value": "v1", "via": "A", "w": 1, "reaches": ["A"] } },
           { "name": "g", "after": "p", "plus": "10ms", "client": "z", "get": { "key": "K", "via": "B", "r": 1 } }"#,
    );
    assert_eq!(play(&steps, &[]).values(1), ["v0"], "the write reached its coordinator alone");
    assert_eq!(play(&steps, &[("script.p.put.reaches", "null")]).values(1), ["v1"]);
    assert_eq!(play(&steps, &[("script.g.get.legs", r#"{"client_response": "30ms"}"#)]).latency_ms(1), 31.0);
    let plus = |plus| play(&steps, &[("script.g.plus", plus)]).end.ended_at.0;
    assert!(plus(r#"{"uniform": {"min": "1s", "max": "2s"}}"#) >= plus(r#""10ms""#) + 990_000_000);
    // One round of each background task, and what it does.
    let task = |task: &str, switch: (&str, &str)| {
        let steps = script(&format!(
            r#"{{ "at": "0s", "for": "100ms", "crash": {{ "nodes": "B" }} }},
               {{ "at": "10ms", "client": "y", "put": {{ "key": "K", "value": "v1", "via": "A" }} }},
               {{ "at": "400ms", "run": {{ "task": "{task}", "node": "{}", "with": "B" }} }},
               {{ "at": "600ms", "inspect": {{ "key": "K" }}, "expect": {{ "holders": {{ "B": ["v1"] }} }} }}"#,
            if task == "hints" { "D" } else { "A" }
        ));
        let steps = if task == "hints" { steps.replace(r#", "with": "B""#, "") } else { steps };
        let end =
            play(&steps, &[switch, ("cluster.hints.scan_every", r#""1h""#), ("cluster.detector", r#""perfect""#)]).end;
        end.steps.iter().all(|step| step.broken.as_ref().is_none_or(Vec::is_empty))
    };
    let entropy = ("cluster.anti_entropy", r#"{"every": "never"}"#);
    let off = ("cluster.anti_entropy", r#""off""#);
    assert!(task("hints", off), "a scan delivers the hint");
    assert!(task("anti_entropy", entropy), "a comparison finds the key");
    assert!(!task("gossip", off), "gossip does not");
    // A step keeps the luck of the operation whose draws it has.
    let luck = script(
        r#"{ "at": "0s", "client": "a", "get": { "key": "K", "via": "A" } },
           { "name": "b", "at": "1s", "client": "b", "get": { "key": "K", "via": "A" } }"#,
    );
    let jitter = ("network.within_region", r#"{"exponential": {"mean": "5ms"}}"#);
    let [own, given] = [play(&luck, &[jitter]), play(&luck, &[jitter, ("script.b.draws", r#""a/1#0""#)])];
    assert_ne!(own.latency_ms(0), own.latency_ms(1));
    assert_eq!(given.latency_ms(0), given.latency_ms(1), "the scripted client's luck is lent");
}

#[test]
fn chaos() {
    let quiet = r#"{"crash": "off", "pause": "off", "slow": "off", "cut": "off", "link": "off", "present": 1"#;
    let classes = ["crash", "pause", "slow", "cut", "link", "wipe", "skew", "join", "leave"];
    for class in classes {
        let profile =
            format!(r#"{quiet}, "{class}": {{"every": "500ms"}}}}"#).replacen(&format!(r#""{class}": "off", "#), "", 1);
        let profile = profile
            .replacen(&format!(r#""{class}": "off""#), r#""present": 1"#, 1)
            .replace(r#""present": 1, "present": 1"#, r#""present": 1"#);
        let scenario =
            LOAD.replace(r#"{ "name": "down", "at": "1s", "for": "1500ms", "crash": { "nodes": "n2" } }"#, "");
        let [without, with] =
            [play(&scenario, &[]), play(&scenario, &[("chaos", &profile)])].map(|played| played.end.digest);
        assert_ne!(without, with, "chaos of class {class} changes the run");
    }
}

#[test]
fn clients_can_be_cut_off_by_chaos() {
    let profile = |class: &str, among: &str| {
        let others: Vec<String> = ["crash", "pause", "slow", "cut", "link"]
            .iter()
            .filter(|other| **other != class)
            .map(|other| format!(r#""{other}": "off""#))
            .collect();
        format!(r#"{{"present": 1, "{class}": {{"every": "500ms", "among": {among}}}, {}}}"#, others.join(", "))
    };
    for class in ["cut", "link"] {
        let nodes = r#"["n1", "n2", "n3", "n4"]"#;
        let with_clients = r#"["n1", "n2", "n3", "n4", "clients"]"#;
        let [nodes, clients] = [nodes, with_clients].map(|among| play(LOAD, &[("chaos", &profile(class, among))]));
        assert_ne!(nodes.end.digest, clients.end.digest, "{class}");
    }
}

#[test]
fn what_is_watched_changes_nothing() {
    let set = vec![("measure.bucket".to_string(), r#""100ms""#.to_string())];
    let loaded = load(&Memory::new("x.json", LOAD), &set).expect("it is a scenario");
    let config = run_config(&loaded.settings[0].spec, 5, &loaded.files).expect("it is a run").config;
    let alone = cluster::run(&config, &mut []);
    let watched = play(LOAD, &[("measure.bucket", r#""100ms""#)]).end;
    assert_eq!(alone, watched, "observers change nothing, not even the count of events");
}
