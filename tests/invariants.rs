//! What holds at the end of every run, whatever went wrong in it: messages and hints are conserved, nothing stays open,
//! replicas agree, acknowledged writes are there, no dot names two writes.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "a test collects what it finds")]

use std::collections::BTreeMap;

use dynamo_sim::cluster::Simulation;
use dynamo_sim::cluster::config::RunConfig;
use dynamo_sim::history::{Interest, Observation, Observer};
use dynamo_sim::kernel::ids::{KeyId, NodeId};
use dynamo_sim::kernel::time::SimTime;
use dynamo_sim::node::message::Outcome;
use dynamo_sim::node::outputs::Note;
use dynamo_sim::scenario::build::run_config;
use dynamo_sim::scenario::load;
use dynamo_sim::scenario::source::Memory;
use dynamo_sim::version::siblings::same_versions;
use dynamo_sim::version::vector_clock::Dot;
use dynamo_sim::version::{Scheme, Siblings, Version, Whole, WriteId};

/// Remembers what was promised and what was seen.
#[derive(Default)]
struct Ghost {
    scheme: Option<Scheme>,
    acked: Vec<(KeyId, Version)>,
    applied: BTreeMap<(NodeId, KeyId), Siblings>,
    dots: BTreeMap<(KeyId, Dot), WriteId>,
    wrong: Vec<String>,
    writes: u64,
}

impl Observer for Ghost {
    fn interest(&self) -> Interest {
        Interest { operations: true, notes: true, changes: true, ..Interest::default() }
    }

    fn observe(&mut self, now: SimTime, observation: &Observation<'_>) {
        let scheme = self.scheme.expect("it is set before the run");
        match observation {
            Observation::Finished(finished) if finished.outcome == Outcome::Ok => {
                if let Some(version) = finished.written {
                    self.acked.push((finished.key, version.clone()));
                }
            }
            Observation::Node { note: Note::Coordinated { key, version, .. }, node, .. } => {
                self.writes += 1;
                let known = *self.dots.entry((*key, version.dot())).or_insert(version.write());
                if known != version.write() {
                    self.wrong.push(format!("{now:?}: {node:?} gives {key:?} the dot {:?} again", version.dot()));
                }
            }
            Observation::Node { note: Note::Applied { key, version, .. }, node, .. } => {
                self.applied.entry((*node, *key)).or_default().apply(version, scheme, Whole::Stored);
            }
            _ => {}
        }
    }
}

/// What a kind of run promises beyond what all do.
#[derive(Clone, Copy)]
struct Promises {
    /// No acknowledged write is lost, and no replica forgets: no disk loses anything.
    durable: bool,
    /// No dot is given to two writes.
    dots: bool,
}

const ALL: Promises = Promises { durable: true, dots: true };
const DISKS_FAIL: Promises = Promises { durable: false, dots: true };
const CLOCKS: Promises = Promises { durable: false, dots: false };

fn build(text: &str, set: &[(&str, &str)], seed: u64) -> RunConfig {
    let set: Vec<(String, String)> = set.iter().map(|(path, value)| (path.to_string(), value.to_string())).collect();
    let loaded = load(&Memory::new("x.json", text), &set).unwrap_or_else(|errors| panic!("{errors}"));
    run_config(&loaded.settings[0].spec, seed, &loaded.files).unwrap_or_else(|errors| panic!("{errors:?}")).config
}

/// Plays one run and says what did not hold.
fn broken(config: &RunConfig, promises: Promises) -> Vec<String> {
    let scheme = config.node.versioning.scheme;
    let mut ghost = Ghost { scheme: Some(scheme), ..Ghost::default() };
    let mut wrong = Vec::new();
    let mut observers: [&mut dyn Observer; 1] = [&mut ghost];
    let mut simulation = Simulation::new(config, &mut observers);
    simulation.play();
    let traffic = simulation.traffic().all();
    let (arrived, under_way) = simulation.arrived_and_under_way();
    if traffic.messages + traffic.duplicated != arrived + traffic.lost() + under_way {
        wrong.push(format!("messages: {traffic:?}, {arrived} arrived, {under_way} under way"));
    }
    // Hints.
    let mut sums = dynamo_sim::node::stats::Stats::default();
    simulation.nodes().iter().for_each(|node| sums.add(&node.stats));
    let pending: u64 = simulation.nodes().iter().map(|node| node.hints().len()).sum();
    let gone = sums.hints_delivered + sums.hints_expired + sums.hints_lost + sums.hints_replaced;
    if sums.hints_created != gone + pending || sums.hints_held != pending {
        wrong.push(format!(
            "hints: {pending} pending, {} held, {} created: {sums:?}",
            sums.hints_held, sums.hints_created
        ));
    }
    // Leaks.
    for node in simulation.nodes() {
        if node.requests_open() > 0 || node.exchanges_open() > 1 {
            let (requests, exchanges) = (node.requests_open(), node.exchanges_open());
            wrong.push(format!("{:?} has {requests} requests and {exchanges} exchanges open", node.id()));
        }
        if !simulation.is_up(node.id()) {
            wrong.push(format!("{:?} is not up", node.id()));
        }
    }
    // One view, and equal replicas under it.
    let views: Vec<_> = simulation.nodes().iter().map(|node| node.view().clone()).collect();
    let placement = simulation.commons().placement(&views[0]);
    let is_member = |node: usize| placement.ring.is_member(NodeId(node as u32));
    if (0..views.len()).any(|node| is_member(node) && views[node].hash() != views[0].hash()) {
        wrong.push("the views of members differ".into());
    }
    // Nobody sends heartbeats to a node that is no member.
    for node in simulation.nodes().iter().filter(|node| placement.ring.is_member(node.id())) {
        if let Some(suspect) = node.suspects().find(|&suspect| placement.ring.is_member(suspect)) {
            wrong.push(format!("{:?} suspects {suspect:?} in peace", node.id()));
        }
    }
    let n = usize::from(config.node.n);
    let mut at_replicas: BTreeMap<KeyId, Siblings> = BTreeMap::new();
    let mut replica_lists: BTreeMap<KeyId, Vec<NodeId>> = BTreeMap::new();
    for key in (0..simulation.commons().keys.len()).map(KeyId) {
        let segment = simulation.commons().keys.segment(key);
        let replicas: Vec<NodeId> = placement.ring.list(segment).iter().copied().take(n).collect();
        let versions = |node: NodeId| simulation.nodes()[node.index()].versions(key);
        let first = versions(replicas[0]);
        if let Some(other) = replicas.iter().find(|&&other| !same_versions(first, versions(other))) {
            let [one, two] = [first, versions(*other)].map(|held| held.iter().map(|v| v.dot()).collect::<Vec<_>>());
            wrong.push(format!("{key:?}: {:?} has {one:?}, {other:?} has {two:?}", replicas[0]));
        }
        at_replicas.insert(key, Siblings::from(first));
        replica_lists.insert(key, replicas);
    }
    drop(simulation);
    if promises.dots {
        wrong.append(&mut ghost.wrong);
    }
    if promises.durable {
        for (key, version) in &ghost.acked {
            if !at_replicas[key].covers(std::slice::from_ref(version), scheme) {
                wrong.push(format!("{key:?}: the acknowledged {:?} is on no replica", version.dot()));
            }
        }
        for ((node, key), seen) in &ghost.applied {
            if replica_lists[key].contains(node) && !at_replicas[key].covers(seen.versions(), scheme) {
                wrong.push(format!("{key:?}: {node:?} has gone back"));
            }
        }
    }
    if ghost.writes == 0 {
        wrong.push("nothing was written".into());
    }
    wrong
}

const BASE: &str = r#"{
  "version": 1, "duration": "12s", "settle": "40s",
  "cluster": { "nodes": 6, "spares": 2, "racks": 3, "versioning": "dotted", "ring": { "equal_partitions": { "per_node": 4 } },
    "anti_entropy": { "every": "2s" }, "hints": { "scan_every": "1s" }, "membership": { "gossip_every": "200ms" } },
  "clients": [ { "name": "users", "count": 6, "arrival": { "closed": { "think": { "exponential": { "mean": "60ms" } } } },
    "keys": { "uniform": { "count": 12 } }, "mix": { "get": 0.3, "update": 0.3, "put": 0.35, "delete": 0.05 } } ],
  "script": [],
  "chaos": { "from": "1s", "to": "11s", "present": 0.7, "down_at_once": 2,
    "crash": { "every": "2500ms", "for": { "exponential": { "mean": "1s" } } },
    "pause": { "every": "3s", "for": { "exponential": { "mean": "700ms" } } },
    "slow": "off",
    "cut": { "every": "3s", "for": { "exponential": { "mean": "1s" } } },
    "link": { "every": "3s", "for": "2s", "loss": 0.15, "duplicate": 0.1, "slower": 3, "extra": { "exponential": { "mean": "5ms" } } } }
}"#;

fn holds(name: &str, set: &[(&str, &str)], promises: Promises, seeds: u64) {
    let mut wrong = Vec::new();
    for seed in 1..=seeds {
        let config = build(BASE, set, seed);
        let found = broken(&config, promises);
        wrong.extend(found.into_iter().take(4).map(|what| format!("{name}, seed {seed}: {what}")));
    }
    assert!(wrong.is_empty(), "{} violations:\n{}", wrong.len(), wrong.join("\n"));
}

const TAIL: (&str, &str) = ("chaos.crash.disk", r#"{"kept": 1, "tail_lost": 2}"#);
const LOST: (&str, &str) = ("chaos.crash.disk", r#"{"kept": 1, "tail_lost": 1, "lost": 1}"#);
const WIPE: (&str, &str) = ("chaos.wipe", r#"{"every": "3s"}"#);
const SLOW_DISKS: (&str, &str) =
    ("cluster.storage", r#"{"read": {"exponential": {"mean": "2ms"}}, "write": {"exponential": {"mean": "8ms"}}}"#);
const JOIN: (&str, &str) = ("chaos.join", r#"{"every": "3s"}"#);
const LEAVE: (&str, &str) = ("chaos.leave", r#"{"every": "4s"}"#);

#[test]
fn crashes_cuts_pauses_loss_and_duplicates_lose_nothing() {
    holds("plain", &[], ALL, 30);
}

#[test]
fn storage_that_takes_time_loses_nothing() {
    holds("slow disks", &[SLOW_DISKS], ALL, 20);
}

#[test]
fn members_come_and_go_and_nothing_is_lost() {
    // These gave a dot twice while a key that was dropped forgot later counters.
    for seed in [1025, 1040, 1048, 1226, 1263, 1318] {
        assert_eq!(broken(&build(BASE, &[JOIN, LEAVE], seed), ALL), [""; 0], "seed {seed}");
    }
    holds("membership", &[JOIN, LEAVE], ALL, 25);
}

#[test]
fn members_come_and_go_on_random_tokens() {
    holds("tokens", &[JOIN, LEAVE, ("cluster.ring", r#"{"random_tokens": {"per_node": 4}}"#)], ALL, 15);
}

#[test]
fn a_lost_tail_gives_no_dot_twice() {
    let flush = ("cluster.storage", r#"{"flush": "400ms"}"#);
    holds("tail", &[TAIL, flush], DISKS_FAIL, 20);
    holds("tail, slow disks", &[TAIL, SLOW_DISKS], DISKS_FAIL, 10);
}

#[test]
fn lost_disks_are_filled_again() {
    holds("lost", &[LOST, WIPE], DISKS_FAIL, 20);
    holds("lost under change", &[LOST, WIPE, JOIN, LEAVE], DISKS_FAIL, 10);
}

#[test]
fn detectors_of_all_kinds_come_to_trust() {
    for detector in [r#"{"phi": {"heartbeat_every": "200ms"}}"#, r#""gossiped""#, r#""perfect""#] {
        holds(detector, &[("cluster.detector", detector)], ALL, 8);
    }
}

#[test]
fn vector_clocks_and_time_stamps_converge() {
    holds("vector clocks", &[("cluster.versioning", r#""vector_clock""#)], CLOCKS, 10);
    let skew = ("chaos.skew", "{}");
    holds("last write", &[("cluster.versioning", r#""last_write_wins""#), skew], CLOCKS, 10);
}

#[test]
fn a_write_buffer_gives_no_dot_twice() {
    let storage = (
        "cluster.storage",
        r#"{"read": "1ms", "write": "4ms", "buffer": {"count": 50, "durable_copies": 1}, "background": {"slices": {"count": 2}}}"#,
    );
    holds("buffer", &[storage], DISKS_FAIL, 10);
}

#[test]
fn strict_quorums_and_other_coordinators_lose_nothing() {
    holds("strict", &[("cluster.replication", r#"{"quorum": "strict"}"#)], ALL, 8);
    for coordinator in [r#""first""#, r#""contacted""#, r#""fastest_reader""#] {
        holds(coordinator, &[("cluster.coordination.write_coordinator", coordinator)], ALL, 6);
    }
}

#[test]
fn a_replacement_under_chaos_loses_nothing() {
    let steps = r#"[ { "at": "3s", "replace": { "node": "n2", "with": "n7" } },
        { "at": "5s", "for": "2s", "cut": { "from": "n1", "to": ["n3", "n4"] } } ]"#;
    holds("replace", &[("script", steps), ("chaos.crash", r#""off""#), ("chaos.pause", r#""off""#)], ALL, 12);
}
