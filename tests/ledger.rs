//! The page of the ledger, `results/reference/ledger.md`: every claim of `docs/claims.json` with what the runs of its scenarios
//! say. `scripts/reference.sh ledger` writes it anew; what needs no run is held together by `tests/claims.rs`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;

use serde_json::Value as Json;

const PAGE: &str = "results/reference/ledger.md";

/// Letters of the claims, and what they are about.
const SECTIONS: [(&str, &str); 8] = [
    ("A", "Interface, requirements, goals"),
    ("B", "Ring, partitions, placement"),
    ("C", "Coordinators and routing"),
    ("Q", "Quorums, latency, settings"),
    ("V", "Versions and conflicts"),
    ("H", "Hints, anti-entropy, read repair"),
    ("G", "Membership, gossip, failure detection"),
    ("M", "The system as a whole"),
];

/// One claim.
struct Row {
    id: String,
    claim: String,
    place: String,
    verdict: String,
    because: String,
    by: Vec<String>,
}

fn ledger() -> Vec<Row> {
    let ledger: Json = serde_json::from_str(include_str!("../docs/claims.json")).expect("it is JSON");
    let text = |row: &Json, field: &str| row[field].as_str().expect("a text").to_string();
    let rows = ledger.as_array().expect("a list of claims").iter();
    rows.map(|row| Row {
        id: text(row, "id"),
        claim: text(row, "claim"),
        place: text(row, "where"),
        verdict: text(row, "verdict"),
        because: text(row, "because"),
        by: row["by"].as_array().into_iter().flatten().map(|by| by.as_str().expect("a path").to_string()).collect(),
    })
    .collect()
}

/// What playing a scenario came to.
struct Played {
    status: Option<i32>,
    expect: Vec<Json>,
    /// Settings of a sweep.
    settings: Vec<Json>,
    /// Steps of the script that came out as it says.
    steps: usize,
}

fn play(path: &str) -> Played {
    let out = tempfile::tempdir().expect("a temporary directory");
    let run = Command::new(env!("CARGO_BIN_EXE_dynamo-sim"))
        .args(["run", path, "--format", "json", "--out"])
        .arg(out.path().join("results"))
        .output()
        .expect("the program can be started");
    let said = String::from_utf8_lossy(&run.stderr);
    let printed: Json = serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("{path}: {error}: {said}"));
    let list = |name: &str| printed[name].as_array().cloned().unwrap_or_default();
    Played {
        status: run.status.code(),
        expect: list("expect"),
        settings: list("settings"),
        steps: list("steps").iter().filter(|step| step["held"] == true).count(),
    }
}

/// A number for the eye.
fn shown(value: &Json) -> String {
    match value.as_f64() {
        None => String::new(),
        Some(value) if value == value.trunc() && value.abs() < 1e15 => format!("{value}"),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 1.0 => format!("{value:.2}"),
        Some(value) if value.abs() >= 0.001 => format!("{value:.4}"),
        Some(value) => format!("{value:.1e}"),
    }
}

/// What a setting of a sweep is: `w=2`. Nothing for a run.
fn described(played: &Played, number: &Json) -> String {
    let setting = played.settings.iter().find(|setting| setting["setting"] == *number);
    let values = setting.and_then(|setting| setting["values"].as_object()).into_iter().flatten();
    values.map(|(axis, value)| format!("{axis}={}", value.as_str().unwrap_or_default())).collect::<Vec<_>>().join(" ")
}

/// What the expectations that name a claim came to: each text once, with the values of its settings.
fn numbers(id: &str, played: &Played) -> Vec<String> {
    const SHOWN: usize = 8;
    let mut texts: Vec<(String, Vec<String>)> = Vec::new();
    for one in played.expect.iter().filter(|one| one["claim"] == id) {
        let text = one["text"].as_str().unwrap_or_default().to_string();
        let (value, setting) = (shown(&one["value"]), described(played, &one["setting"]));
        let value = if value.is_empty() || setting.is_empty() { value } else { format!("{value} ({setting})") };
        match texts.iter_mut().find(|(known, _)| *known == text) {
            Some((_, values)) => values.push(value),
            None => texts.push((text, vec![value])),
        }
    }
    let line = |(text, mut values): (String, Vec<String>)| {
        values.retain(|value| !value.is_empty());
        let more = values.len().saturating_sub(SHOWN);
        values.truncate(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        if values.is_empty() { text } else { format!("{text}: {}{more}", values.join(", ")) }
    };
    texts.into_iter().map(line).collect()
}

const PREFACE: &str = "\
# The ledger of claims

Five texts describe Amazon's Dynamo: an overview of the architecture, a tutorial on consistency settings with exercises, an interview
guide, an article on get and put, and a summary of the paper. They disagree with each other, and with the paper itself (DeCandia et
al., SOSP 2007), in places. Here each of their claims is put to the test: a scenario plays it with the whole protocol, or a
test computes it where it is arithmetic, and the row says what came out. One (G8) is a matter of words.

- **holds**: it was so in every run.
- **holds if**: it is so under a condition, which stands below; most runs show it with the condition and without.
- **fails**: it is not so, and the run is the counterexample.

Under each table stand, claim by claim, the reason, the scenario, and what was expected there with the value that was measured
(milliseconds, bytes, fractions of 1, counts). To bring the numbers back: `cargo run --release -- run` and the path. To see a
script happen message by message: `trace` instead of `run`.

This page is written by `scripts/reference.sh ledger` from runs. A claim whose scenario does not come out as it says stops it.
";

#[test]
#[ignore = "plays every scenario of the ledger: minutes, and only with all optimisation; see scripts/reference.sh"]
fn the_ledger_is_what_runs_show() {
    let rows = ledger();
    let is_scenario = |by: &&String| by.ends_with(".json");
    let mut played: BTreeMap<&str, Played> = BTreeMap::new();
    for by in rows.iter().flat_map(|row| &row.by).filter(is_scenario) {
        played.entry(by).or_insert_with(|| play(by));
    }
    // Some scenarios there show more than a claim asks for.
    let folder = std::path::Path::new("scenarios/claims");
    let names = dynamo_sim::report::run_dir::sorted_entries(folder).expect("it is part of the repository");
    let all: Vec<String> = names.iter().map(|name| format!("scenarios/claims/{name}")).collect();
    for path in &all {
        played.entry(path).or_insert_with(|| play(path));
    }
    let broken = played.iter().filter(|(_, run)| run.status != Some(0));
    let broken: Vec<String> = broken.map(|(path, run)| format!("{path}: exit status {:?}", run.status)).collect();
    assert!(broken.is_empty(), "the ledger does not hold:\n{}", broken.join("\n"));
    let page = page(&rows, &played);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all("results/reference").expect("it can be made");
        std::fs::write(PAGE, page).expect("it can be written");
        return;
    }
    let committed = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(committed == page, "{PAGE} is not what runs show: scripts/reference.sh ledger writes it anew\n{page}");
}

fn page(rows: &[Row], played: &BTreeMap<&str, Played>) -> String {
    let mut page = String::from(PREFACE);
    let count = |verdict: &str| rows.iter().filter(|row| row.verdict == verdict).count();
    let [holds, holds_if, fails] = ["holds", "holds if", "fails"].map(count);
    let all = rows.len();
    let _ = write!(page, "\n{all} claims: {holds} hold, {holds_if} hold under a condition, {fails} fail.\n\n");
    for (letter, title) in SECTIONS {
        let _ = writeln!(page, "- [{letter}: {title}](#{})", anchor(letter, title));
    }
    for (letter, title) in SECTIONS {
        let own: Vec<&Row> = rows.iter().filter(|row| row.id.starts_with(letter)).collect();
        let _ = write!(page, "\n## {letter}: {title}\n\n| | claim | where | verdict |\n|---|---|---|---|\n");
        for row in &own {
            let _ = writeln!(page, "| {} | {} | {} | **{}** |", row.id, row.claim, row.place, row.verdict);
        }
        for row in own {
            let _ = write!(page, "\n### {} {}\n\n{}\n", row.id, row.verdict, row.because);
            if !row.by.is_empty() {
                page.push('\n');
            }
            for by in &row.by {
                let Some(run) = played.get(by.as_str()) else {
                    let (file, test) = by.split_once("::").unwrap_or((by, ""));
                    let _ = writeln!(page, "- test `{test}` in `{file}`");
                    continue;
                };
                let _ = writeln!(page, "- `{by}`");
                if run.steps > 0 {
                    let steps = if run.steps == 1 { "step" } else { "steps" };
                    let _ = writeln!(page, "  - {} {steps} of the script came out as it says", run.steps);
                }
                for number in numbers(&row.id, run) {
                    let _ = writeln!(page, "  - {number}");
                }
            }
        }
    }
    page
}

/// The anchor of a heading.
fn anchor(letter: &str, title: &str) -> String {
    let heading = format!("{letter} {title}").to_lowercase();
    let kept: String = heading.chars().filter(|c| c.is_alphanumeric() || " -".contains(*c)).collect();
    kept.replace(' ', "-")
}
