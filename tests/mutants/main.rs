//! Every seeded bug is caught by what must catch it, and nothing is caught where none is planted.
//!
//! `cargo test --features mutants --test mutants -- --nocapture` prints a line for each bug; a name like `m17` behind
//! the `--` runs one. The bug that is planted is the process's, so that one test runs at a time; seeds run side by side.

#![allow(clippy::disallowed_types, clippy::disallowed_macros, reason = "a test reports, and takes turns with others")]

mod checks;

use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use dynamo_sim::check::{Finding, Property};
use dynamo_sim::cluster::config::RunConfig;
use dynamo_sim::kernel::mutant::{self, CaughtBy, Mutant};
use dynamo_sim::report::{Wanted, play};
use dynamo_sim::scenario::build::run_config;
use dynamo_sim::scenario::load;
use dynamo_sim::scenario::source::Memory;

use checks::checks_of;

/// The default chaos profile: six nodes, N = 3, R = W = 2, 20 keys, 200 operations a client in about 60 s.
const PROFILE: &str = r#"{
  "version": 1, "duration": "60s", "settle": "40s",
  "cluster": { "nodes": 6, "versioning": "dotted", "anti_entropy": { "every": "2s" }, "hints": { "scan_every": "1s" } },
  "clients": [ { "name": "users", "count": 6, "operations": 200, "keys": { "uniform": { "count": 20 } },
    "arrival": { "closed": { "think": { "exponential": { "mean": "300ms" } } } },
    "mix": { "get": 0.4, "update": 0.3, "put": 0.3 } } ],
  "script": [],
  "chaos": {}
}"#;

/// Fields of the profile with other values.
type Changes = &'static [(&'static str, &'static str)];

const STRICT: (&str, &str) = ("cluster.replication.quorum", "strict");
const NO_READ_REPAIR: (&str, &str) = ("cluster.read_repair", "off");
const NO_ANTI_ENTROPY: (&str, &str) = ("cluster.anti_entropy", "off");

/// What a bug needs besides the profile to be seen.
fn changes(mutant: Mutant) -> Changes {
    match mutant {
        Mutant::M03 | Mutant::M04 => &[STRICT],
        Mutant::M06 => &[
            ("cluster.versioning", r#""vector_clock""#),
            // A stale read would let the one writer write from an old context, and plain clocks lose by that.
            STRICT,
            ("clients.users.count", "1"),
        ],
        Mutant::M10 => &[("chaos.crash.disk", r#"{"kept": 1, "lost": 1}"#), ("chaos.wipe", "{}")],
        Mutant::M12 => {
            &[("cluster.versioning", r#"{"last_write_wins": {"tick": "1s"}}"#), ("clients.users.keys.*.count", "5")]
        }
        Mutant::M17 => &[NO_ANTI_ENTROPY],
        Mutant::M20 => &[NO_READ_REPAIR],
        Mutant::M22 => &[NO_READ_REPAIR, ("cluster.hints", "off")],
        Mutant::M25 => &[("cluster.detector", "gossiped"), ("chaos.pause", r#"{"every": "5s", "for": "3s"}"#)],
        Mutant::M27 => &[("chaos.crash.disk", r#"{"kept": 1, "tail_lost": 2}"#)],
        _ => &[],
    }
}

fn configs(changes: Changes, seeds: u32) -> Vec<RunConfig> {
    let set: Vec<(String, String)> =
        changes.iter().map(|(path, value)| (path.to_string(), value.to_string())).collect();
    let loaded = load(&Memory::new("profile.json", PROFILE), &set).unwrap_or_else(|errors| panic!("{errors}"));
    let config =
        |seed| run_config(&loaded.settings[0].spec, seed, &loaded.files).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    (1..=u64::from(seeds)).map(|seed| config(seed).config).collect()
}

/// The turn of one bug: it is planted as long as this lives.
struct Planted {
    _turn: MutexGuard<'static, ()>,
}

impl Planted {
    fn nothing() -> Planted {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        mutant::plant(None);
        Planted { _turn: turn }
    }

    fn plant(&self, mutant: Mutant) {
        mutant::plant(Some(mutant));
    }
}

impl Drop for Planted {
    fn drop(&mut self) {
        mutant::plant(None);
    }
}

fn property_of(id: &str) -> Option<Property> {
    Property::ALL.iter().copied().find(|property| property.id() == id)
}

fn judge(config: &RunConfig, property: Property) -> Finding {
    let wanted = Wanted { properties: [property].into(), ..Wanted::default() };
    play(config, 0, &wanted, false).findings.remove(&property).expect("it was asked for")
}

/// Clean runs break nothing of what the bug breaks; with the bug some seed within the budget does.
fn search(turn: &Planted, mutant: Mutant, id: &'static str, seeds: u32) {
    let property = property_of(id).unwrap_or_else(|| panic!("{mutant:?}: there is no property {id}"));
    let configs = configs(changes(mutant), seeds);
    let is_violated = |finding: &Finding| matches!(finding, Finding::Violated { .. });
    let judged = |config: &RunConfig| (config.seed, judge(config, property));
    let false_alarm = configs.par_iter().map(judged).find_any(|(_, finding)| is_violated(finding));
    assert_eq!(false_alarm, None, "{mutant:?} is not planted");

    turn.plant(mutant);
    let found: Vec<(u64, Finding)> = configs.par_iter().map(judged).collect();
    let broken: Vec<&(u64, Finding)> = found.iter().filter(|(_, finding)| is_violated(finding)).collect();
    let (count, name) = (broken.len(), property.name());
    let Some((seed, Finding::Violated { example, .. })) = broken.first() else {
        panic!("{mutant:?} is not caught by {name} in {seeds} seeds");
    };
    eprintln!("{} {id:>3} {name} broken in {count:>3} of {seeds:>3} seeds, first in {seed}: {example}", mutant.id());
}

/// Two runs of one configuration in one process have one name, unless the bug is planted.
fn search_for_disorder(turn: &Planted, mutant: Mutant, seeds: u32) {
    let configs = configs(changes(mutant), seeds);
    let digest = |config: &RunConfig| dynamo_sim::cluster::run(config, &mut []).digest;
    let differ = |config: &RunConfig| digest(config) != digest(config);
    let clean = configs.iter().find(|config| differ(config)).map(|config| config.seed);
    assert_eq!(clean, None, "{mutant:?} is not planted, and a run is not a function of its seed");
    turn.plant(mutant);
    let first = configs.iter().find(|config| differ(config)).map(|config| config.seed);
    eprintln!("{} two runs of a seed differ, budget {seeds}: {first:?}", mutant.id());
    assert!(first.is_some(), "{mutant:?}: two runs are equal with each of {seeds} seeds");
}

fn is_caught(mutant: Mutant) {
    let turn = Planted::nothing();
    for (id, check) in checks_of(mutant) {
        assert_eq!(check(), Ok(()), "{mutant:?} is not planted, and {id} does not hold");
        turn.plant(mutant);
        let wrong = check().expect_err(&format!("{mutant:?} is not caught by the check of {id}"));
        eprintln!("{} {id:>3} by a check: {wrong}", mutant.id());
        mutant::plant(None);
    }
    match mutant.caught_by() {
        CaughtBy::Check(id) => {
            assert!(checks_of(mutant).iter().any(|(of, _)| *of == id), "{mutant:?}: who checks {id}?")
        }
        CaughtBy::Seeds("determinism", seeds) => search_for_disorder(&turn, mutant, seeds),
        CaughtBy::Seeds(id, seeds) => search(&turn, mutant, id, seeds),
    }
}

macro_rules! each {
    ($( $test:ident = $mutant:ident; )+) => {
        $(
            #[test]
            fn $test() {
                is_caught(Mutant::$mutant);
            }
        )+

        #[test]
        fn every_bug_has_a_test() {
            assert_eq!([$(Mutant::$mutant),+], Mutant::ALL);
        }
    };
}

each! {
    m01 = M01; m02 = M02; m03 = M03; m04 = M04; m06 = M06; m07 = M07; m08 = M08; m09 = M09; m10 = M10; m12 = M12; m13 = M13;
    m14 = M14; m15 = M15; m17 = M17; m20 = M20; m22 = M22; m23 = M23; m25 = M25; m27 = M27; m28 = M28; m30 = M30; m32 = M32;
}

/// A bug that any judge must see, through the whole of the library: scenario, run, finding.
#[test]
fn the_canary_sings() {
    let turn = Planted::nothing();
    // Racks would keep the first N apart all the same.
    let config = || configs(&[("cluster.ring", r#"{"random_tokens": {"per_node": 8}}"#)], 1).remove(0);
    assert_eq!(judge(&config(), Property::ListsAreDistinct), Finding::Held);
    turn.plant(Mutant::M13);
    let found = judge(&config(), Property::ListsAreDistinct);
    assert!(matches!(found, Finding::Violated { violations: 1.., .. }), "{found:?}");
}
