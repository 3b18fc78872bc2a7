//! The WARS model against published values, closed forms and brute force, and `predict` as its users meet it.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::disallowed_types,
    reason = "a test reads reference values and starts the program"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use dynamo_sim::kernel::dist::Dist;
use dynamo_sim::kernel::math::{exp, ln, sqrt};
use dynamo_sim::kernel::rng::{Purpose, Stream};
use dynamo_sim::measure::scene::{asked, questions};
use dynamo_sim::measure::wars::{Estimate, Legs, Outcome, World, all_pairs, play};
use dynamo_sim::network::Line;
use dynamo_sim::scenario::build::run_config;
use dynamo_sim::scenario::load;
use dynamo_sim::scenario::source::{Disk, Memory, Source};
use serde_json::{Value as Json, json};

const TRIALS: usize = 200_000;
/// Where many worlds are looked at.
const FEWER: usize = 100_000;
/// Pairs of R and W of N = 3 that may be stale.
const PARTIAL: [(usize, usize); 3] = [(1, 1), (1, 2), (2, 1)];

/// The legs W, A, R, S.
type Four = [Dist; 4];

fn all_like(write: Dist, other: Dist) -> Four {
    [write, other.clone(), other.clone(), other]
}

fn ssd() -> Four {
    all_like(Dist::lnkd_ssd(), Dist::lnkd_ssd())
}

fn disk() -> Four {
    all_like(Dist::lnkd_disk_write(), Dist::lnkd_ssd())
}

/// Of a rate per millisecond.
fn exponential(rate: f64) -> Dist {
    Dist::Exponential { mean: 1e6 / rate }
}

fn legs(four: &Four) -> Legs {
    let [write, ack, read, response] = four.each_ref().map(Line::of);
    Legs { write, ack, read, response }
}

fn of_three(four: &Four) -> World {
    World::of(vec![legs(four); 3])
}

/// Numbers by name: `1,1 p0`, `1,1 t99` (ms), `r1 p50`, `w2 p999`.
type Numbers = BTreeMap<String, f64>;

fn numbers(outcome: &Outcome) -> Numbers {
    let ms = |estimate: Estimate| estimate.value / 1e6;
    let mut all = Numbers::new();
    for k in 1..=3 {
        for (name, q) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)] {
            all.insert(format!("r{k} {name}"), ms(outcome.reads(k).quantile(q)));
            all.insert(format!("w{k} {name}"), ms(outcome.writes(k).quantile(q)));
        }
    }
    for (r, w) in PARTIAL {
        all.insert(format!("{r},{w} p0"), outcome.waits(r, w).share_up_to(0).value);
        all.insert(format!("{r},{w} t99"), ms(outcome.waits(r, w).quantile(0.99)));
        all.insert(format!("{r},{w} t999"), ms(outcome.waits(r, w).quantile(0.999)));
    }
    all
}

/// What differs by more than four standard errors, or a tick of a nanosecond, from values with the errors of one trial.
fn disagreements(measured: &Numbers, reference: &BTreeMap<String, (f64, f64)>, trials: usize) -> Vec<String> {
    let limit = |se1: f64| 4.0 * se1 / sqrt(trials as f64) + 1e-6;
    let wrong = reference.iter().filter(|(name, (value, se1))| (measured[*name] - value).abs() > limit(*se1));
    wrong.map(|(name, (value, se1))| format!("{name}: {}, not {value} ± {}", measured[name], limit(*se1))).collect()
}

fn reference_file() -> Option<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/pbs-reference.json");
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(serde_json::from_str(&text).expect("reference values are JSON")),
        Err(reason) => {
            eprintln!("SKIPPED: no reference values at {}: {reason}", path.display());
            None
        }
    }
}

/// Exact values of an environment and the standard errors of a single trial.
fn reference(file: &Json, environment: &str) -> BTreeMap<String, (f64, f64)> {
    let number = |value: &Json| value.as_f64().unwrap_or_else(|| panic!("{value} is a number"));
    let of = &file["N3"][environment];
    let mut all = BTreeMap::new();
    for k in 1..=3 {
        for (short, long) in [("r", "Lr"), ("w", "Lw")] {
            let cell = &of[long][k.to_string()];
            for (at, name) in ["p50", "p99", "p999"].into_iter().enumerate() {
                all.insert(format!("{short}{k} {name}"), (number(&cell[name]), number(&cell["se1"][at])));
            }
        }
    }
    for (r, w) in PARTIAL {
        let cell = &of["RW"][format!("{r},{w}")];
        for name in ["p0", "t99", "t999"] {
            all.insert(format!("{r},{w} {name}"), (number(&cell[name]), number(&cell[format!("{name}_se1")])));
        }
    }
    all
}

#[test]
fn published_environments_come_out_at_every_r_and_w() {
    let Some(file) = reference_file() else { return };
    for (name, four) in [("LNKD-SSD", ssd()), ("LNKD-DISK", disk())] {
        let outcome = play(&of_three(&four), &all_pairs(3), TRIALS, 1);
        let wrong = disagreements(&numbers(&outcome), &reference(&file, name), TRIALS);
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }
}

/// What may be wired wrong, all of it plausible.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Wiring {
    Right,
    /// A read asks only R replicas, drawn anew.
    AsksOnlyR,
    /// The value is read when the response is back.
    JudgedAtReply,
    /// The coordinators are two of the replicas, and their own legs take no time.
    OwnLegsAreFree,
    /// The direction of the test as the paper prints it: fresh if w_t + t + R <= W.
    AsPrinted,
    /// The delay of a response is drawn as a write's.
    ResponseAsWrite,
}

/// Trials without anything that `wars` does: each R and W and each time is looked at by itself.
fn brute_force(four: &Four, wiring: Wiring, trials: usize) -> Numbers {
    let [write, ack, read, response] = four.each_ref().map(Dist::compile);
    let mut luck = Stream::new(5, Purpose::Prediction, 99);
    let mut columns: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for _ in 0..trials {
        let (leads_write, leads_read) = (luck.below(3) as usize, luck.below(3) as usize);
        let mut draw = |sampler: &dynamo_sim::kernel::dist::Sampler, at: usize, lead: usize| {
            let ms = sampler.sample(luck.bits()) as f64 / 1e6;
            if wiring == Wiring::OwnLegsAreFree && at == lead { 0.0 } else { ms }
        };
        let w: Vec<f64> = (0..3).map(|at| draw(&write, at, leads_write)).collect();
        let a: Vec<f64> = (0..3).map(|at| draw(&ack, at, leads_write)).collect();
        let r: Vec<f64> = (0..3).map(|at| draw(&read, at, leads_read)).collect();
        let back = if wiring == Wiring::ResponseAsWrite { &write } else { &response };
        let s: Vec<f64> = (0..3).map(|at| draw(back, at, leads_read)).collect();
        let mut acks: Vec<f64> = (0..3).map(|at| w[at] + a[at]).collect();
        acks.sort_by(f64::total_cmp);
        for k in 1..=3 {
            columns.entry(format!("w{k}")).or_default().push(acks[k - 1]);
        }
        let mut order: Vec<usize> = (0..3).collect();
        luck.shuffle(&mut order);
        for k in 1..=3 {
            let mut asked = if wiring == Wiring::AsksOnlyR { order[..k].to_vec() } else { order.clone() };
            asked.sort_by(|x, y| (r[*x] + s[*x]).total_cmp(&(r[*y] + s[*y])));
            columns.entry(format!("r{k}")).or_default().push(r[asked[k - 1]] + s[asked[k - 1]]);
            for w_count in 1..=3 - k.min(2) {
                let lacks = asked[..k].iter().map(|&at| {
                    let seen_at = if wiring == Wiring::JudgedAtReply { r[at] + s[at] } else { r[at] };
                    match wiring {
                        Wiring::AsPrinted => seen_at - w[at] + acks[w_count - 1],
                        _ => w[at] - seen_at - acks[w_count - 1],
                    }
                });
                let wait = lacks.fold(f64::INFINITY, f64::min).max(0.0);
                columns.entry(format!("{k},{w_count}")).or_default().push(wait);
            }
        }
    }
    let mut all = Numbers::new();
    for (name, mut column) in columns {
        column.sort_by(f64::total_cmp);
        let at = |q: f64| column[((q * trials as f64).ceil() - 1.0) as usize];
        if name.contains(',') {
            let fresh = column.partition_point(|wait| *wait <= 0.0) as f64 / trials as f64;
            let tail = [("p0", fresh), ("t99", at(0.99)), ("t999", at(0.999))];
            all.extend(tail.map(|(what, value)| (format!("{name} {what}"), value)));
        } else {
            let tail = [("p50", at(0.5)), ("p99", at(0.99)), ("p999", at(0.999))];
            all.extend(tail.map(|(what, value)| (format!("{name} {what}"), value)));
        }
    }
    all
}

#[test]
fn models_that_are_wired_wrong_are_told_apart() {
    let Some(file) = reference_file() else { return };
    let wirings =
        [Wiring::AsksOnlyR, Wiring::JudgedAtReply, Wiring::OwnLegsAreFree, Wiring::AsPrinted, Wiring::ResponseAsWrite];
    let right = brute_force(&disk(), Wiring::Right, TRIALS);
    let exact = reference(&file, "LNKD-DISK");
    assert_eq!(disagreements(&right, &exact, TRIALS), [""; 0], "brute force is right itself");
    for wiring in wirings {
        let wrong = brute_force(&disk(), wiring, TRIALS);
        let found = disagreements(&wrong, &exact, TRIALS);
        assert!(!found.is_empty(), "{wiring:?} passes for the model");
        let sees_staleness = found.iter().any(|one| one.contains("p0"));
        assert!(
            sees_staleness || wiring == Wiring::ResponseAsWrite,
            "{wiring:?} changes the share of fresh reads: {found:?}"
        );
    }
    // A model that asks only R replicas is known by its slow reads, whatever is written.
    let found = disagreements(&brute_force(&ssd(), Wiring::AsksOnlyR, TRIALS), &reference(&file, "LNKD-SSD"), TRIALS);
    assert!(found.iter().any(|one| one.starts_with("r1 p999")), "{found:?}");
}

/// P(stale at 0) for N = 3 with W ~ Exp(rate) and A = R = S ~ Exp(1), rates per millisecond: (R, W, value, rate of
/// its decay).
fn closed_forms(rate: f64) -> [(usize, usize, f64, f64); 3] {
    let i = |a: f64| 1.0 / a + 2.0 / (a * a) + 2.0 / (a * a * a);
    let first_reader = 3.0 / rate * (i(3.0) - i(3.0 + rate));
    let least_of_two = if rate == 1.0 {
        1.0 - i(3.0)
    } else {
        let parts = 1.0 / (3.0 * rate) - 2.0 * rate / (2.0 * rate + 1.0) + rate * rate / (rate + 2.0);
        1.0 - rate / ((1.0 - rate) * (1.0 - rate)) * parts
    };
    let second = {
        let g = |x: f64| (1.0 - exp(-x) - (1.0 - exp(-(1.0 + rate) * x)) / (1.0 + rate)) / rate;
        let f = |x: f64| 3.0 * x * exp(-x) * g(x) * g(x);
        // Simpson's rule over all that counts.
        let (steps, to) = (20_000, 60.0);
        let h = to / f64::from(steps);
        let weight = |at: u32| if at == 0 || at == steps { 1.0 } else { f64::from(2 + at % 2 * 2) };
        (0..=steps).map(|at| weight(at) * f(f64::from(at) * h)).sum::<f64>() * h / 3.0
    };
    [
        (1, 1, least_of_two * first_reader, rate),
        (1, 2, (1.0 / (1.0 + rate) - least_of_two) * first_reader, rate),
        (2, 1, second / 3.0 / (1.0 + 2.0 * rate), 2.0 * rate),
    ]
}

#[test]
fn exponential_legs_agree_with_their_closed_forms() {
    // P(fresh at 0) for 1,1; then 1,2; then 2,1, and t99.9 for the same.
    let table = [
        (4.0, [0.942947, 0.991034, 0.997554], [1.0110, 0.5483, 0.1118]),
        (2.0, [0.866548, 0.966637, 0.988720], [2.4469, 1.7537, 0.6058]),
        (1.0, [0.751800, 0.913130, 0.961944], [5.5142, 4.4644, 1.8195]),
        (0.5, [0.624792, 0.839197, 0.908798], [11.8550, 10.1604, 4.5131]),
        (0.2, [0.486905, 0.753320, 0.816781], [31.2023, 27.5405, 13.0267]),
        (0.1, [0.419559, 0.713221, 0.757302], [63.6379, 56.5871, 27.4591]),
    ];
    for (rate, fresh, after) in table {
        let world = of_three(&all_like(exponential(rate), exponential(1.0)));
        let outcome = play(&world, &PARTIAL, FEWER, 1);
        for (at, (r, w, stale, decay)) in closed_forms(rate).into_iter().enumerate() {
            let name = format!("rate {rate}, r {r}, w {w}");
            assert!((1.0 - stale - fresh[at]).abs() < 1.5e-6, "{name}: the closed form gives {}", 1.0 - stale);
            let waits = outcome.waits(r, w);
            for t in [0.0, 0.5, 2.0, 10.0] {
                let expected = 1.0 - stale * exp(-decay * t);
                let share = waits.share_up_to((t * 1e6) as u64).value;
                let limit = 4.0 * sqrt(expected * (1.0 - expected) / FEWER as f64) + 1e-5;
                assert!((share - expected).abs() < limit, "{name}: {share} at {t} ms, not {expected} ± {limit}");
            }
            for q in [0.99, 0.999] {
                let expected = (ln(stale / (1.0 - q)) / decay).max(0.0);
                // The density there is decay · (1 - q).
                let limit = 4.0 * sqrt(q / (1.0 - q) / FEWER as f64) / decay + 1e-5;
                let found = waits.quantile(q).value / 1e6;
                assert!((found - expected).abs() < limit, "{name}: {found} ms at {q}, not {expected} ± {limit}");
                assert!(q < 0.999 || (expected - after[at]).abs() < 1e-4, "{name}: the closed form gives {expected}");
            }
        }
    }
}

#[test]
fn quorums_that_overlap_are_always_fresh() {
    for four in [ssd(), disk(), all_like(exponential(0.1), exponential(1.0))] {
        let outcome = play(&of_three(&four), &all_pairs(3), 50_000, 2);
        for (r, w) in all_pairs(3) {
            let share = outcome.waits(r, w).share_up_to(0).value;
            assert_eq!(share == 1.0, r + w > 3, "r {r}, w {w}: {share}");
        }
    }
}

#[test]
fn only_ratios_of_delays_count() {
    let play_at = |scale: f64| {
        let world = of_three(&all_like(exponential(0.5 / scale), exponential(1.0 / scale)));
        play(&world, &PARTIAL, 50_000, 3)
    };
    let (one, seven) = (play_at(1.0), play_at(7.0));
    for (r, w) in PARTIAL {
        let (a, b) = (one.waits(r, w), seven.waits(r, w));
        assert!((a.share_up_to(0).value - b.share_up_to(0).value).abs() < 1e-4);
        let ratio = b.quantile(0.99).value / a.quantile(0.99).value;
        assert!((ratio - 7.0).abs() < 0.01, "r {r}, w {w}: {ratio}");
    }
}

#[test]
fn replicas_may_differ() {
    let Some(file) = reference_file() else { return };
    let ms = |w: f64| all_like(exponential(w), exponential(1.0));
    let cases = [
        ("EXP one W=.1", [ms(0.1), ms(1.0), ms(1.0)]),
        ("EXP two W=.1", [ms(0.1), ms(0.1), ms(1.0)]),
        ("EXP one W=.5", [ms(0.5), ms(1.0), ms(1.0)]),
        ("1 DISK+2 SSD", [disk(), ssd(), ssd()]),
        ("2 DISK+1 SSD", [disk(), disk(), ssd()]),
        ("EXP one replica all-legs .1", [all_like(exponential(0.1), exponential(0.1)), ms(1.0), ms(1.0)]),
    ];
    for (name, replicas) in cases {
        let outcome = play(&World::of(replicas.iter().map(legs).collect()), &PARTIAL, FEWER, 1);
        for (r, w) in PARTIAL {
            let expected = file["heterogeneous_replicas_mc"][name][format!("{r},{w}")]["p0"].as_f64().expect("a share");
            let found = outcome.waits(r, w).share_up_to(0).value;
            // The reference has errors of its own, of five million trials.
            let limit = 4.0 * sqrt(expected * (1.0 - expected) * (1.0 / FEWER as f64 + 1.0 / 5e6));
            assert!((found - expected).abs() < limit, "{name}, r {r}, w {w}: {found}, not {expected} ± {limit}");
        }
    }
}

/// The trials of a scenario's first setting.
fn of_scenario(source: &dyn Source, set: &[(String, String)]) -> World {
    let loaded = load(source, set).unwrap_or_else(|errors| panic!("{errors}"));
    let built = run_config(&loaded.settings[0].spec, 1, &loaded.files).expect("it is a run");
    asked(&built.config, &questions(&built.config)[0]).expect("it can be predicted").world
}

fn one_region(fit: &str) -> Memory {
    let text = format!(
        r#"{{ "version": 1, "duration": "1s", "cluster": {{ "nodes": 9, "racks": 3, "replication": {{ "r": 1, "w": 1 }} }},
        "network": {{ "within_region": {{ "published": {{ "fit": "{fit}" }} }} }},
        "clients": [ {{ "name": "users", "arrival": {{ "open": {{ "rate": "10/s" }} }} }} ] }}"#
    );
    Memory::new("one.json", &text)
}

#[test]
fn yammer_has_two_exponents_and_each_its_own_values() {
    // P(fresh at 0) and P99.9 of writes at R = W = 1: what was computed with 3.5, and what the printed 3.35 gives.
    for (fit, fresh, write) in [("ymmr", 0.8930, 10.77), ("ymmr_as_printed", 0.8872, 11.12)] {
        let world = of_scenario(&one_region(fit), &[]);
        assert_eq!(world.legs.len(), 1, "racks without a delay of their own make no difference");
        let outcome = play(&world, &[(1, 1)], TRIALS, 1);
        let share = outcome.waits(1, 1).share_up_to(0);
        assert!((share.value - fresh).abs() < 4.0 * share.error + 5e-5, "{fit}: {share:?}, not {fresh}");
        let p999 = outcome.writes(1).quantile(0.999);
        let (found, error) = (p999.value / 1e6, p999.error / 1e6);
        assert!((found - write).abs() < 4.0 * error + 5e-3, "{fit}: {found} ± {error} ms, not {write}");
        assert!(4.0 * share.error < 0.0029, "the two are told apart");
    }
}

#[test]
fn in_the_wide_area_writer_and_reader_are_at_independent_places() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/pbs-wan.json");
    let source = Disk::open(&path.to_string_lossy()).expect("it is there");
    let world = of_scenario(&source, &[]);
    let found = numbers(&play(&world, &all_pairs(3), TRIALS, 1));
    // By brute force: a replica a place, 75 ms more on each leg that leaves it.
    let mut luck = Stream::new(8, Purpose::Prediction, 7);
    let (write, other) = (Dist::lnkd_disk_write().compile(), Dist::lnkd_ssd().compile());
    let mut fresh = [0u32; 3];
    let mut latencies = [const { Vec::new() }; 6];
    for _ in 0..TRIALS {
        let (writer, reader) = (luck.below(3), luck.below(3));
        let far = |at: u64, place: u64| if at == place { 0 } else { 75_000_000 };
        let mut trial: Vec<[u64; 4]> = Vec::new();
        for at in 0..3 {
            let mut draw =
                |sampler: &dynamo_sim::kernel::dist::Sampler, place| sampler.sample(luck.bits()) + far(at, place);
            trial.push([draw(&write, writer), draw(&other, writer), draw(&other, reader), draw(&other, reader)]);
        }
        let mut acks: Vec<u64> = trial.iter().map(|legs| legs[0] + legs[1]).collect();
        acks.sort_unstable();
        trial.sort_by_key(|legs| legs[2] + legs[3]);
        for (at, (r, w)) in PARTIAL.into_iter().enumerate() {
            fresh[at] += u32::from(trial[..r].iter().any(|legs| acks[w - 1] + legs[2] >= legs[0]));
        }
        for k in 0..3 {
            latencies[k].push(acks[k]);
            latencies[3 + k].push(trial[k][2] + trial[k][3]);
        }
    }
    for (at, (r, w)) in PARTIAL.into_iter().enumerate() {
        let (mine, theirs) = (found[&format!("{r},{w} p0")], f64::from(fresh[at]) / TRIALS as f64);
        let limit = 4.0 * sqrt(2.0 * theirs * (1.0 - theirs) / TRIALS as f64);
        assert!((mine - theirs).abs() < limit, "r {r}, w {w}: {mine}, not {theirs} ± {limit}");
    }
    for (name, column) in ["w1 p50", "w2 p50", "w3 p50", "r1 p50", "r2 p50", "r3 p50"].iter().zip(&mut latencies) {
        column.sort_unstable();
        let median = column[TRIALS / 2] as f64 / 1e6;
        assert!((found[*name] - median).abs() < 0.01 * median, "{name}: {}, not {median}", found[*name]);
    }
    // Bailis et al., table 4: 55 to 56 ms; their error at 50 000 trials is 6 %.
    assert!((found["w1 p999"] - 55.5).abs() < 0.15 * 55.5, "{}", found["w1 p999"]);
}

#[test]
fn a_link_of_one_node_is_its_own_leg() {
    let text = r#"{ "version": 1, "duration": "1s", "cluster": { "nodes": ["a", "b", "c", { "name": "x", "capacity": 0 }] },
        "network": { "within_region": "1ms", "links": [ { "from": "x", "to": "b", "delay": "9ms" } ] },
        "clients": [ { "name": "users", "arrival": { "open": { "rate": "10/s" } }, "routing": { "load_balancer": { "among": "x" } } } ] }"#;
    let outcome = play(&of_scenario(&Memory::new("link.json", text), &[]), &all_pairs(3), 1_000, 1);
    let exact = |k: usize| (outcome.writes(k).quantile(0.001).value, outcome.writes(k).quantile(0.999).value);
    assert_eq!([exact(1), exact(2), exact(3)], [(2e6, 2e6), (2e6, 2e6), (10e6, 10e6)], "there 9 ms, back 1 ms");
}

#[test]
fn groups_with_other_quorums_are_asked_about_one_by_one() {
    let text = r#"{ "version": 1, "duration": "1s", "cluster": { "nodes": 5, "regions": ["e", "w"] },
        "network": { "within_region": "1ms", "between_regions": "20ms" },
        "clients": [
          { "name": "looks", "location": "region:e", "r": 1, "mix": { "get": 1 }, "arrival": { "open": { "rate": "10/s" } } },
          { "name": "fills", "location": "region:w", "w": 3, "mix": { "put": 1 }, "arrival": { "open": { "rate": "10/s" } } },
          { "name": "both", "location": "region:w", "r": 3, "w": 1, "mix": { "update": 1 }, "arrival": { "open": { "rate": "10/s" } } } ] }"#;
    let loaded = load(&Memory::new("groups.json", text), &[]).unwrap_or_else(|errors| panic!("{errors}"));
    let config = run_config(&loaded.settings[0].spec, 1, &loaded.files).expect("it is a run").config;
    let all = questions(&config);
    let said: Vec<_> = all.iter().map(|one| (one.client.map(|client| client.0), one.n, one.r, one.w)).collect();
    assert_eq!(said, [(Some(0), 3, 1, 3), (Some(2), 3, 3, 1)], "who only writes is not asked");
    // A place of two regions has copies in both: one way between regions is 20 ms, and back, but a client near reads near.
    let median = |at: usize, r: usize| {
        let outcome = play(&asked(&config, &all[at]).expect("it can be predicted").world, &[(r, 1)], 1_000, 1);
        (outcome.reads(r).quantile(0.5).value, outcome.writes(1).quantile(0.5).value)
    };
    assert_eq!(median(0, 1), (2e6, 2e6), "each has a copy in its own region");
    assert_eq!(median(1, 3), (40e6, 2e6), "the third is far");
}

fn program(arguments: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dynamo-sim"));
    command.args(arguments).current_dir(directory).output().expect("the program starts")
}

/// Writes the scenario and predicts it; standard output, or status and standard error.
fn predict(scenario: &str, arguments: &[&str]) -> Result<String, (i32, String)> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join("s.json"), scenario).expect("it can be written");
    let output = program(&[&["predict", "s.json"], arguments].concat(), directory.path());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.code() {
        Some(0) => Ok(text(&output.stdout)),
        code => Err((code.expect("it was not killed"), text(&output.stderr))),
    }
}

const SMALL: &str = r#"{ "version": 1, "duration": "4s",
  "cluster": { "nodes": 5, "replication": { "r": 1, "w": 1 }, "storage": { "write": { "exponential": { "mean": "200us" } } } },
  "network": { "within_region": { "exponential": { "mean": "1ms" } } },
  "clients": [ { "name": "users", "count": 5, "arrival": { "open": { "rate": "500/s" } }, "keys": { "uniform": { "count": 20 } },
    "mix": { "get": 0.5, "put": 0.5 } } ],
  "script": [ { "name": "down", "at": "1s", "for": "1s", "crash": { "nodes": "n1" } } ],
  "sweep": { "seeds": 2, "axes": [ { "name": "w", "path": "cluster.replication.w", "values": [1, 3] } ] } }"#;

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let with = |more: &[&str]| {
        let arguments = [&["--trials", "20000", "--format", "csv"], more].concat();
        predict(SMALL, &arguments).expect("it can be predicted")
    };
    let one = with(&["-j", "1"]);
    assert_eq!(one, with(&["-j", "2"]));
    assert_ne!(one, with(&["--seed", "2"]));
    assert!(
        one.starts_with("setting,w,client,n,r,w,source,metric,value,error\n0,1,,3,1,1,predicted,fresh_at(0s),0."),
        "{one}"
    );
}

#[test]
fn the_ladder_leads_from_the_model_to_what_the_runs_show() {
    let told =
        predict(SMALL, &["--trials", "20000", "--ladder", "--all", "--format", "json"]).expect("it can be predicted");
    let told: Json = serde_json::from_str(&told).expect("it is JSON");
    for (setting, w) in [(0, 1), (1, 3)] {
        let row = &told["settings"][setting];
        assert_eq!((&row["n"], &row["r"], &row["w"]), (&json!(3), &json!(1), &json!(w)));
        assert_eq!(row["all"].as_array().map(Vec::len), Some(9));
        let rungs = row["ladder"].as_array().expect("a ladder");
        let names: Vec<&str> = rungs.iter().filter_map(|rung| rung["adds"].as_str()).collect();
        assert_eq!(
            names,
            [
                "its conditions",
                "+ client hop",
                "+ replicas coordinate",
                "+ storage",
                "+ workload",
                "+ timeouts, stand-ins",
                "+ faults, gossip",
                "+ hints",
                "+ read repair",
                "+ anti-entropy"
            ],
            "what the file does not have is no rung"
        );
        assert_eq!(rungs.last().expect("a top")["simulated"], row["simulated"], "the top is the scenario");
        let number = |of: &Json, metric: &str| of[metric]["value"].as_f64().expect("a number");
        // Under the model's conditions the simulator is the model: 2 · 2 000 trials.
        let (model, low) = (&row["predicted"], &rungs[0]["simulated"]);
        for metric in ["fresh_at(0s)", "get.latency.p50_ms", "put.latency.p50_ms"] {
            let (model, low) = (number(model, metric), number(low, metric));
            assert!((model - low).abs() < 0.05 * model, "{metric}: {low}, not {model}");
        }
        // Two more legs of 1 ms each, and then a write that a replica leads.
        let put = |rung: usize| number(&rungs[rung]["simulated"], "put.latency.p50_ms");
        assert!(put(1) > put(0) + 1.0, "the client hop takes its time: {} and {}", put(0), put(1));
    }
    assert_eq!(told["settings"][0]["all"], told["settings"][1]["all"], "settings share their trials");
}

#[test]
fn what_cannot_be_predicted_is_said() {
    let cases = [
        (
            r#""cluster": { "nodes": 3 }, "script": [ { "at": "0s", "client": "z", "get": { "key": "K" } } ]"#,
            "no `clients`",
        ),
        (
            r#""duration": "1s", "cluster": { "nodes": 3 }, "network": { "within_region": "0s" },
               "clients": [ { "name": "users", "arrival": { "closed": { "think": "1ms" } } } ]"#,
            "the network takes no time between coordinators and replicas",
        ),
        (
            r#""duration": "1s", "cluster": { "nodes": 3 },
               "clients": [ { "name": "users", "mix": { "get": 1 }, "arrival": { "closed": { "think": "1ms" } } } ]"#,
            "nobody writes",
        ),
        (
            r#""duration": "1s", "cluster": { "nodes": 3 }, "network": { "loss": 1 },
               "clients": [ { "name": "users", "arrival": { "closed": { "think": "1ms" } } } ]"#,
            "all messages between coordinators and replicas are lost",
        ),
    ];
    for (rest, said) in cases {
        let (status, message) = predict(&format!(r#"{{ "version": 1, {rest} }}"#), &[]).expect_err("it cannot be");
        assert!(status == 2 && message.contains(said), "{status}: {message}");
    }
    let (status, message) = predict(SMALL, &["--after", "5"]).expect_err("a time has a unit");
    assert!(status == 2 && message.contains("--after"), "{message}");
}

#[test]
fn lines_fit_into_a_hundred_columns() {
    let told = predict(SMALL, &["--trials", "20000", "--ladder", "--all"]).expect("it can be predicted");
    let long: Vec<&str> = told.lines().filter(|line| line.chars().count() > 100).collect();
    assert!(long.is_empty(), "{long:#?}");
    assert!(told.contains("\nw=1  n=3  r=1\n"), "{told}");
}
