//! Client operations per CPU-second of the two reference cases, the whole protocol and all measures on.
//!
//! `cargo bench --bench throughput` prints the median of five runs of each. With `--once CASE SECONDS` it plays
//! one case once for so many virtual seconds and prints its operations: what `scripts/bench.sh` counts the
//! instructions of. A get and a put count as one operation each, an update is both.

#![expect(clippy::disallowed_macros, reason = "a bench prints what it measured")]

use dynamo_sim::cluster::config::RunConfig;
use dynamo_sim::cluster::outcome::RunEnd;
use dynamo_sim::measure::Recorder;
use dynamo_sim::scenario::build::run_config;
use dynamo_sim::scenario::load;
use dynamo_sim::scenario::source::Memory;

const CASES: [(&str, &str); 2] =
    [("reference", include_str!("reference.json")), ("everything", include_str!("everything.json"))];

fn config(case: &str, text: &str, seconds: Option<&str>) -> RunConfig {
    let overrides: Vec<(String, String)> =
        seconds.map(|seconds| vec![("duration".to_string(), format!("{seconds}s"))]).into_iter().flatten().collect();
    let loaded = load(&Memory::new(&format!("{case}.json"), text), &overrides).expect("the case is a scenario");
    run_config(&loaded.settings[0].spec, 1, &loaded.files).expect("the case makes a run").config
}

fn play(config: &RunConfig, watched: bool) -> RunEnd {
    let mut recorder = Recorder::new(config);
    if watched {
        dynamo_sim::cluster::run(config, &mut [&mut recorder])
    } else {
        dynamo_sim::cluster::run(config, &mut [])
    }
}

fn operations(end: &RunEnd) -> u64 {
    end.nodes.iter().map(|node| node.gets_led + node.puts_led).sum()
}

/// Nanoseconds this process has spent on a processor.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("a Linux kernel counts CPU time");
    text.split_whitespace().next().and_then(|first| first.parse().ok()).expect("its first word is a number")
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [once, case, seconds] = &arguments[..]
        && once == "--once"
    {
        let (case, text) = CASES.iter().find(|(name, _)| name == case).expect("a case of this bench");
        let end = play(&config(case, text, Some(seconds)), true);
        println!("{}", operations(&end));
        return;
    }
    println!(
        "{:<12} {:<9} {:>9} {:>12} {:>9} {:>10}  digest",
        "case", "observers", "ops", "ops/CPU-s", "ns/event", "events/op"
    );
    for (case, text) in CASES {
        let config = config(case, text, None);
        for watched in [true, false] {
            let mut runs: Vec<(u64, RunEnd)> = (0..5)
                .map(|_| {
                    let before = cpu_ns();
                    let end = play(&config, watched);
                    (cpu_ns() - before, end)
                })
                .collect();
            runs.sort_by_key(|(ns, _)| *ns);
            let (ns, end) = &runs[2];
            let operations = operations(end);
            println!(
                "{case:<12} {:<9} {operations:>9} {:>12.0} {:>9.1} {:>10.2}  {:032x}",
                if watched { "on" } else { "off" },
                operations as f64 * 1e9 / *ns as f64,
                *ns as f64 / end.events as f64,
                end.events as f64 / operations as f64,
                end.digest
            );
        }
    }
}
