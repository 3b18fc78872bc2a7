//! Latencies of the whole protocol against closed forms: a request that waits for k of n answers takes the
//! k-th smallest of n delays (David and Nagaraja, "Order Statistics"), and the client hop, the storage and
//! every other delay are set to nothing. What agrees here is wired right: who counts, who is asked, when the
//! answer leaves.

use dynamo_sim::cluster;
use dynamo_sim::history::{Interest, Observation, Observer, OpKind};
use dynamo_sim::kernel::time::SimTime;
use dynamo_sim::node::message::Outcome;
use dynamo_sim::scenario::build::run_config;
use dynamo_sim::scenario::load;
use dynamo_sim::scenario::source::Memory;

/// Latencies in milliseconds of the operations that succeeded, and how many there were in all.
#[derive(Default)]
struct Latencies {
    ok: Vec<f64>,
    all: u64,
}

impl Observer for Latencies {
    fn interest(&self) -> Interest {
        Interest { operations: true, ..Interest::default() }
    }
    fn observe(&mut self, _now: SimTime, observation: &Observation<'_>) {
        if let Observation::Finished(finished) = observation
            && matches!(finished.kind, OpKind::Get | OpKind::Put)
        {
            self.all += 1;
            if finished.outcome == Outcome::Ok {
                self.ok.push(finished.ended_at.since(finished.intended_at).as_ms());
            }
        }
    }
}

/// Plays `count` operations of one kind through a proxy that holds no data.
fn play(n: u32, k: u32, kind: &str, legs: &str, extra: &str) -> Latencies {
    let text = format!(
        r#"{{
  "version": 1, "duration": "60s", "settle": "2s",
  "cluster": {{
    "nodes": [ {{ "name": "r", "count": {n} }}, {{ "name": "proxy", "capacity": 0 }} ],
    "replication": {{ "n": {n}, "r": {k}, "w": {k}, "quorum": "strict" }}, "versioning": "last_write_wins",
    "coordination": {{ "write_coordinator": "contacted", "timeout": "never", "peer_timeout": "never" }},
    "hints": "off", "read_repair": "off", "anti_entropy": "off", "membership": {{ "gossip_every": "never" }}
  }},
  "network": {{ "within_region": {{ "by_leg": {{ {legs}, "other": "0s" }} }}, "client": "0s" {extra} }},
  "clients": [ {{ "name": "users", "arrival": {{ "open": {{ "rate": "1000/s" }} }}, "mix": {{ "{kind}": 1 }}, "timeout": "1s",
    "routing": {{ "load_balancer": {{ "among": "proxy" }} }} }} ]
}}"#
    );
    let loaded = load(&Memory::new("oracle.json", &text), &[]).unwrap_or_else(|errors| panic!("{errors}"));
    let built = run_config(&loaded.settings[0].spec, 7, &loaded.files).expect("the scenario makes a run");
    let mut latencies = Latencies::default();
    cluster::run(&built.config, &mut [&mut latencies]);
    latencies
}

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let m = values.len() as f64;
    let mean = values.iter().sum::<f64>() / m;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (m - 1.0);
    (mean, (variance / m).sqrt())
}

fn agrees(what: &str, values: &[f64], expected: f64) {
    let (mean, error) = mean_and_error(values);
    assert!(values.len() > 50_000, "{what}: {} samples", values.len());
    assert!((mean - expected).abs() <= 4.5 * error, "{what}: mean {mean} ± {error}, the closed form says {expected}");
}

fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(q * sorted.len() as f64) as usize]
}

/// Mean of the k-th of n exponential delays of mean 1: the sum of 1/i for i from n−k+1 to n.
fn kth_of_n(n: u32, k: u32) -> f64 {
    (n - k + 1..=n).map(|i| 1.0 / f64::from(i)).sum()
}

const REQUEST: &str = r#""write_request": { "exponential": { "mean": "1ms" } }"#;

#[test]
fn a_write_takes_the_kth_smallest_of_n_delays() {
    for (n, k, p99) in [(3, 1, 1.5351), (3, 2, 2.8319), (3, 3, 5.7004), (5, 3, 2.2477), (5, 5, 6.2106)] {
        let latencies = play(n, k, "put", REQUEST, "");
        agrees(&format!("{k} of {n}"), &latencies.ok, kth_of_n(n, k));
        let measured = quantile(&latencies.ok, 0.99);
        assert!((measured / p99 - 1.0).abs() < 0.06, "{k} of {n}: P99 {measured}, exact {p99}");
    }
}

#[test]
fn a_read_takes_the_kth_smallest_of_n_round_trips() {
    // Request and response of mean 1 each: Erlang-2, whose second of three has mean 1.82407 and P99 4.5448.
    let legs = r#""read_request": { "exponential": { "mean": "1ms" } }, "read_response": { "exponential": { "mean": "1ms" } }"#;
    let latencies = play(3, 2, "get", legs, "");
    agrees("2 of 3 round trips", &latencies.ok, 1.82407);
    let p99 = quantile(&latencies.ok, 0.99);
    assert!((p99 / 4.5448 - 1.0).abs() < 0.06, "P99 {p99}");
}

#[test]
fn losses_fail_requests_as_often_as_the_binomial_says() {
    // The client's own two messages are lost too. With s = (1-p)^2 a round trip survives.
    let p: f64 = 0.1;
    let s = (1.0 - p) * (1.0 - p);
    let enough = 3.0 * s * s * (1.0 - s) + s * s * s;
    let expected = s * enough;
    let latencies = play(3, 2, "put", REQUEST, r#", "loss": 0.1"#);
    let share = latencies.ok.len() as f64 / latencies.all as f64;
    let error = (expected * (1.0 - expected) / latencies.all as f64).sqrt();
    assert!((share - expected).abs() < 4.5 * error, "{share} succeeded, the closed form says {expected} ± {error}");
}
