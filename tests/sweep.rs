//! Sweeps as their users meet them: the same files however they were played, and nothing lost when they are stopped.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test starts the program, stops it and looks at its files"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use dynamo_sim::report::sweep::statistics::{Middle, middle, paired};

/// Three settings (a fourth breaks a rule), twelve seeds, and a run is short.
const SMALL: &str = r#"{
  "version": 1, "duration": "500ms", "settle": "3s", "cluster": { "nodes": 5, "replication": { "quorum": "strict" } },
  "network": { "within_region": { "exponential": { "mean": "1ms" } } },
  "clients": [ { "name": "users", "count": 4, "arrival": { "open": { "rate": "400/s" } },
    "keys": { "uniform": { "count": 20 } }, "mix": { "get": 0.5, "put": 0.5 } } ],
  // A comment stays in the copy of the scenario.
  "script": [ { "name": "off", "at": "200ms", "for": "100ms", "crash": { "nodes": "n2" } } ],
  "expect": [ { "metric": "get.success", "over": "mean", "at_least": 0.5 } ],
  "sweep": { "seeds": 12, "axes": [
    { "name": "n", "path": "cluster.replication.n", "values": [1, 3] },
    { "name": "w", "path": "cluster.replication.w", "values": [1, 2] },
    { "name": "r", "path": "cluster.replication.r", "values": [1] } ] }
}"#;
const RUNS: usize = 36;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().expect("a temporary directory"));
        place.write("small.jsonc", SMALL);
        place
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("it can be written");
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dynamo-sim"));
        command.args(arguments.split_whitespace()).current_dir(self.0.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().expect("the program starts")
    }

    #[track_caller]
    fn ok(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Refused with this status, and this is said about it.
    #[track_caller]
    fn refused(&self, arguments: &str, code: i32, says: &str) {
        let output = self.run(arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments}: {said}");
        assert!(said.contains(says) && !said.contains("panicked"), "{arguments}: {said:?} does not say {says:?}");
        assert!(output.stdout.is_empty(), "{arguments}: data on standard output");
    }

    /// Starts a sweep and waits until some runs are written down.
    fn begun(&self, out: &str) -> Child {
        let arguments = format!("sweep small.jsonc -o {out} -j 1 -q");
        let child = self.command(&arguments).spawn().expect("it starts");
        let since = Instant::now();
        let journal = self.path(out).join("journal.partial");
        while std::fs::read_to_string(&journal).map_or(0, |text| text.lines().count()) < 4 {
            assert!(since.elapsed() < Duration::from_secs(20), "runs are written down as they finish");
            std::thread::sleep(Duration::from_millis(2));
        }
        child
    }

    fn files(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        files(&self.path(name))
    }

    fn table(&self, name: &str) -> Vec<BTreeMap<String, String>> {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        reader.deserialize().map(|row| row.expect("a row as long as the header")).collect()
    }
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(directory) else { return BTreeMap::new() };
    let paths = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
    let name = |path: &Path| path.file_name().expect("a file has a name").to_string_lossy().into_owned();
    paths.map(|path| (name(&path), std::fs::read(&path).expect("it is readable"))).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).expect("it is JSON")
}

#[track_caller]
fn same(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, bytes) in one {
        assert!(bytes == &other[name], "{name} differs");
    }
}

#[test]
fn a_sweep_is_the_same_however_it_is_played() {
    let place = Place::new();
    place.ok("sweep small.jsonc -o one -j 1 -q");
    let one = place.files("one");
    let names = [
        "differences.csv",
        "latency.csv",
        "manifest.json",
        "runs.csv",
        "scenario.json",
        "staleness.csv",
        "summary.csv",
        "summary.json",
        "windows.csv",
    ];
    assert_eq!(one.keys().collect::<Vec<_>>(), names);
    assert_eq!(text(&one["scenario.json"]), SMALL, "the text as it was given");
    let manifest = json(&one["manifest.json"]);
    for name in names.iter().filter(|name| **name != "manifest.json") {
        let hash = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&one[*name]));
        assert_eq!(manifest["files"][*name], hash, "{name}");
    }
    assert_eq!(manifest["digests"].as_array().map(Vec::len), Some(RUNS));
    let printed = place.ok("sweep small.jsonc -o two -j 2 --format json");
    same(&one, &place.files("two"));
    assert_eq!(printed.as_bytes(), one["summary.json"], "what is printed is the file");
    place.ok("run small.jsonc -o three -q");
    same(&one, &place.files("three"));
    for number in 1..=3 {
        place.ok(&format!("sweep small.jsonc --shard {number}/3 -q"));
    }
    let shards = ["3", "1", "2"].map(|number| format!("results/small/shard-{number}-of-3"));
    place.ok(&format!("merge small.jsonc {} -o merged -q", shards.join(" ")));
    same(&one, &place.files("merged"));
    // A shard is the same with any number of jobs, too.
    place.ok("sweep small.jsonc --shard 2/3 -j 2 -o second -q");
    same(&place.files(&shards[2]), &place.files("second"));

    place.refused(&format!("merge small.jsonc {} {} -o no", shards[0], shards[1]), 2, "shards are missing: 2/3");
    place.refused(&format!("merge small.jsonc {} {0} {} -o no", shards[0], shards[1]), 2, "the same shard as");
    place.refused(&format!("merge small.jsonc {} one -o no", shards[0]), 2, "one: holds no shard");
    place.write("other.jsonc", &SMALL.replace("500ms", "501ms"));
    place.refused(&format!("merge other.jsonc {} -o no", shards.join(" ")), 2, "of another scenario");
    place.refused(&format!("merge small.jsonc {} --set cluster.nodes=6 -o no", shards.join(" ")), 2, "of --set");
    place.ok("sweep small.jsonc --shard 1/2 --seeds 2 -q -o half");
    place.refused(&format!("merge small.jsonc {} half -o no", shards[0]), 2, "of the seeds");
    // Results of another version of the program are not mixed in.
    let journal = place.path(&shards[1]).join("runs.jsonl");
    let whole = std::fs::read_to_string(&journal).expect("it is there");
    std::fs::write(&journal, whole.replacen("dynamo-sim 0.", "dynamo-sim 9.", 1)).expect("it can be written");
    place.refused(&format!("merge small.jsonc {} -o no", shards.join(" ")), 2, "runs.jsonl: it is of dynamo-sim 9.");
    let cut: String = whole.lines().take(3).map(|line| format!("{line}\n")).collect();
    std::fs::write(&journal, cut).expect("it can be written");
    place.refused(&format!("merge small.jsonc {} -o no", shards.join(" ")), 2, "runs are missing");
    std::fs::write(&journal, whole.replacen("\"seed\":", "\"sead\":", 1)).expect("it can be written");
    place.refused(&format!("merge small.jsonc {} -o no", shards.join(" ")), 2, "runs.jsonl:2: the line is damaged");
    assert!(!place.path("no").exists(), "nothing is written");
}

#[cfg(unix)]
#[test]
fn an_interrupted_sweep_goes_on_where_it_stopped() {
    let place = Place::new();
    place.ok("sweep small.jsonc -o whole -q");
    let whole = place.files("whole");
    for signal in ["-INT", "-TERM"] {
        let mut child = place.begun("out");
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill is there");
        assert!(sent.success());
        let since = Instant::now();
        let status = child.wait().expect("it ends");
        assert!(since.elapsed() < Duration::from_secs(1), "it stops within a second");
        assert_eq!(status.code(), Some(130), "{signal}");
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().expect("it was asked for"), &mut said).expect("text");
        assert!(said.contains("--resume"), "{said}");
        let left = place.files("out");
        assert_eq!(
            left.keys().collect::<Vec<_>>(),
            ["journal.partial", "report.partial"],
            "nothing looks like results"
        );
        let report = json(&left["report.partial"]);
        let done = report["runs_done"].as_u64().expect("a number") as usize;
        assert_eq!((&report["complete"], &report["runs"]), (&false.into(), &(RUNS as u64).into()));
        assert!((3..RUNS).contains(&done), "{done}");
        // Runs are begun seed by seed: the first is done in all settings, and its numbers are those of the whole.
        assert_eq!(report["seeds_done"][0], 1);
        let seeds = report["settings"][0]["seeds_done"].as_array().expect("a list");
        let counts: Vec<f64> = place
            .table("whole/runs.csv")
            .iter()
            .filter(|row| row["setting"] == "0")
            .take(seeds.len())
            .map(|row| row["get.count"].parse().expect("a number"))
            .collect();
        let Middle { median, low, high, .. } = middle(&counts).expect("there is one");
        let numbers = &report["settings"][0]["metrics"]["get.count"];
        let shown = ["median", "low", "high"].map(|name| numbers[name].as_f64());
        assert_eq!(shown, [Some(median), Some(low), Some(high)]);

        place.refused("sweep small.jsonc -o out", 4, "--resume");
        place.refused("run small.jsonc -o out", 4, "--resume");
        place.refused("sweep small.jsonc -o out --resume --seeds 3", 2, "of the seeds 1..12");
        place.refused("sweep small.jsonc -o out --resume --set cluster.nodes=6", 2, "of --set");
        place.refused("sweep small.jsonc -o out --resume --shard 1/2", 2, "not of shard 1/2");
        same(&left, &place.files("out"));
        place.ok("sweep small.jsonc -o out --resume -q -j 2");
        same(&whole, &place.files("out"));
        std::fs::remove_dir_all(place.path("out")).expect("it can go");
    }
    place.refused("sweep small.jsonc -o whole --resume", 2, "nothing to resume");
    place.refused("sweep small.jsonc -o nowhere --resume", 2, "nothing to resume");
    assert!(!place.path("nowhere").exists());
}

#[test]
fn what_a_killed_sweep_leaves_is_taken_up() {
    let place = Place::new();
    place.ok("sweep small.jsonc -o out -q");
    let whole = place.files("out");
    // It begins anew over old results, which stay until the new ones are there.
    let mut child = place.begun("out");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let journal = place.path("out/journal.partial");
    let mut left = place.files("out");
    let lines = left.remove("journal.partial").expect("it is there");
    same(&whole, &left);
    // Of the last line only a part reached the disk.
    let cut = &lines[..lines.len() - 100];
    std::fs::write(&journal, cut).expect("it can be written");
    place.ok("sweep small.jsonc -o out --resume -q");
    same(&whole, &place.files("out"));
    // Not even the first line did.
    std::fs::write(&journal, &lines[..20]).expect("it can be written");
    place.ok("sweep small.jsonc -o out --resume -q");
    same(&whole, &place.files("out"));
    // A line in the middle is damaged, or it is of another program.
    let damaged = text(&lines).replacen("\"seed\":", "\"sead\":", 1);
    std::fs::write(&journal, damaged).expect("it can be written");
    place.refused("sweep small.jsonc -o out --resume", 2, "journal.partial:2: the line is damaged");
    std::fs::write(&journal, text(&lines).replacen("dynamo-sim 0.", "dynamo-sim 9.", 1)).expect("it can be written");
    place.refused("sweep small.jsonc -o out --resume", 2, "it is of dynamo-sim 9.");
    std::fs::write(&journal, "no journal\n").expect("it can be written");
    place.refused("sweep small.jsonc -o out --resume", 2, "journal.partial:1: is no journal");
    // A killed writing of the files themselves: the journal has all runs, and some files are there.
    std::fs::write(&journal, &lines).expect("it can be written");
    std::fs::remove_file(place.path("out/manifest.json")).expect("it is there");
    place.ok("sweep small.jsonc -o out --resume -q");
    same(&whole, &place.files("out"));
}

#[test]
fn numbers_are_those_of_the_runs() {
    let place = Place::new();
    place.ok("sweep small.jsonc -o out -q");
    let runs = place.table("out/runs.csv");
    let of = |setting: &str, metric: &str| -> Vec<Option<f64>> {
        let own = runs.iter().filter(|row| row["setting"] == setting);
        own.map(|row| row[metric].parse().ok()).collect()
    };
    let rows = place.table("out/differences.csv");
    // The settings are n=1 w=1, n=3 w=1, n=3 w=2: two pairs of neighbours.
    let pairs = |row: &BTreeMap<String, String>| (row["setting"].clone(), row["versus"].clone(), row["axis"].clone());
    let mut found: Vec<_> = rows.iter().map(pairs).collect();
    found.dedup();
    let pair = |a: &str, b: &str, axis: &str| (a.to_string(), b.to_string(), axis.to_string());
    assert_eq!(found, [pair("1", "0", "n"), pair("2", "1", "w")]);
    for row in &rows {
        let wanted = paired(&of(&row["setting"], &row["metric"]), &of(&row["versus"], &row["metric"]));
        let wanted = wanted.expect("both settings have the metric");
        let number = |name: &str| row[name].parse::<f64>().expect("a number");
        for (name, value) in [("difference", wanted.median), ("low", wanted.low), ("high", wanted.high)] {
            assert!((number(name) - value).abs() < 2e-6, "{name} of {row:?} is {value}");
        }
        assert_eq!(row["seeds"], wanted.seeds.to_string());
    }
    // A put that waits for two answers takes longer than one that waits for the first, and never the other way round.
    let put =
        rows.iter().find(|row| row["setting"] == "2" && row["metric"] == "put.latency.p50_ms").expect("it is there");
    let number = |name: &str| put[name].parse::<f64>().expect("a number");
    assert!(number("low") > 0.0 && number("difference") > 0.2, "{put:?}");
    // Both settings have met the same arrivals and the same delays: the difference is known better than its parts.
    let [two, one] = ["2", "1"].map(|setting| {
        let values: Vec<f64> = of(setting, "put.latency.p50_ms").into_iter().flatten().collect();
        middle(&values).expect("there are values")
    });
    let unpaired = (two.high - one.low) - (two.low - one.high);
    let width = number("high") - number("low");
    assert!(width < 0.7 * unpaired, "{width} against {unpaired}");

    let latency = place.table("out/latency.csv");
    let cell = |quantile: &str| {
        let is = |row: &&BTreeMap<String, String>| {
            row["setting"] == "0" && row["op"] == "get" && row["outcome"] == "ok" && row["quantile"] == quantile
        };
        latency.iter().find(is).map(|row| row["latency_ms"].clone()).expect("it is there")
    };
    assert!(!cell("0.99").is_empty(), "1,200 gets are enough for P99 although the hundred of a run are not");
    assert_eq!((cell("0.999"), cell("0.9999")), (String::new(), String::new()), "and too few for P99.9");
    assert!(of("0", "get.latency.p99_ms").iter().all(Option::is_none));

    let windows = place.table("out/windows.csv");
    let names: Vec<&str> =
        windows.iter().filter(|row| row["setting"] == "1").map(|row| row["window"].as_str()).collect();
    assert_eq!(names, ["before", "during", "after", "off"]);
    let off = windows.iter().find(|row| row["setting"] == "0" && row["window"] == "off").expect("it is there");
    let (median, low) = (off["ops.success"].parse::<f64>(), off["ops.success.low"].parse::<f64>());
    assert!(
        median.expect("a number") < 1.0 && low.expect("a number") < 1.0,
        "the only copy of some keys is away: {off:?}"
    );
    let fresh = place.table("out/staleness.csv");
    assert!(fresh.iter().any(|row| row["setting"] == "2" && row["after_ms"] == "50"), "{fresh:?}");
}

#[test]
fn distributions_hold_the_samples_of_all_seeds() {
    let place = Place::new();
    place.ok("sweep small.jsonc --set sweep.axes=[] --seeds 2 -q -o both");
    for seed in [1, 2] {
        place.ok(&format!("run small.jsonc --set sweep.axes=[] --seed {seed} -q -o {seed}"));
    }
    let mut compared = 0;
    for row in place.table("both/latency.csv").iter().filter(|row| row["quantile"] == "1") {
        let is_same = |other: &BTreeMap<String, String>| {
            ["op", "outcome", "quantile"].iter().all(|name| other[*name] == row[*name])
        };
        let of = |seed: &str| place.table(&format!("{seed}/latency.csv")).into_iter().find(is_same);
        let seeds: Vec<_> = ["1", "2"].into_iter().filter_map(of).collect();
        let number = |row: &BTreeMap<String, String>, name: &str| row[name].parse::<f64>().expect("a number");
        assert_eq!(number(row, "samples"), seeds.iter().map(|it| number(it, "samples")).sum::<f64>(), "{row:?}");
        let greatest = seeds.iter().map(|it| number(it, "latency_ms")).fold(0.0, f64::max);
        assert_eq!(number(row, "latency_ms"), greatest, "{row:?}");
        compared += 1;
    }
    assert!(compared >= 2, "gets and puts");
}

#[test]
fn the_summary_says_which_settings_are_worth_having() {
    let place = Place::new();
    let printed = place.ok("sweep small.jsonc -o out -j 2");
    let summary = json(&place.files("out")["summary.json"]);
    assert_eq!(summary["settings"][2], json(br#"{ "setting": 2, "values": { "n": "3", "w": "2", "r": "1" }, "n": 3, "r": 1, "w": 2, "quorum": "strict", "nodes": 5 }"#));
    assert_eq!(summary["axes"][1], json(br#"{ "name": "w", "values": ["1", "2"] }"#));
    let skipped = json(br#"{ "values": { "n": "1", "w": "2", "r": "1" }, "because": "cluster.replication.w: 2 exceeds cluster.replication.n 1" }"#);
    assert_eq!(summary["skipped"], serde_json::Value::Array(vec![skipped]));
    assert_eq!((&summary["status"], summary["expect"].as_array().map(Vec::len)), (&"held".into(), Some(3)));
    // One copy is never stale but away with its node; two acks cost time against one.
    let frontier = &summary["frontier"];
    assert_eq!(frontier["of"].as_array().map(Vec::len), Some(4), "{frontier}");
    assert_eq!((&frontier["best"][0], &frontier["best"][1]), (&0.into(), &1.into()), "{frontier}");
    assert!(
        summary["statements"][0].as_str().expect("a sentence").starts_with("On the frontier: n=1 w=1 r=1, n=3 w=1 r=1")
    );
    for text in ["On the frontier: n=1 w=1 r=1", "skipped n=1, w=2, r=1", "medians over the seeds"] {
        assert!(printed.contains(text), "{printed}");
    }
}

#[test]
fn a_plan_costs_nothing_and_writes_nothing() {
    let place = Place::new();
    let plan = place.ok("sweep small.jsonc --dry-run -j 2");
    for text in [
        "runs        36 (3 settings, seeds 1 to 12)",
        "operations  about 7,200",
        "skipped n=1, w=2, r=1: cluster.replication.w: 2 exceeds",
        "an estimate",
        "with 2 at a time",
        "results     results/small/sweep",
    ] {
        assert!(plan.contains(text), "{plan}");
    }
    let plan = place.ok("sweep small.jsonc --dry-run --shard 2/5 --format json -o there");
    let plan = json(plan.as_bytes());
    assert_eq!((&plan["runs"], &plan["operations"], &plan["out"]), (&7.into(), &1400.0.into(), &"there".into()));
    assert_eq!(std::fs::read_dir(place.0.path()).expect("it is there").count(), 1, "the scenario is alone");
}

#[test]
fn bad_input_is_told_before_anything_is_played() {
    let place = Place::new();
    for shard in ["0/3", "4/3", "x", "1/0", "1", "-1/3", "1/3/5"] {
        place.refused(&format!("sweep small.jsonc --shard={shard}"), 2, "--shard");
    }
    place.refused("sweep small.jsonc --shard 4/3", 2, "shards of 3 have the numbers 1 to 3");
    place.refused("sweep small.jsonc --resume --force", 2, "cannot be used with");
    place.write(
        "typo.json",
        &SMALL
            .replace("  // A comment stays in the copy of the scenario.\n", "")
            .replace("cluster.replication.w", "cluster.replicaton.w"),
    );
    place.refused("sweep typo.json", 2, "typo.json:");
    place.refused("sweep typo.json --dry-run", 2, "did you mean");
    place.write("file", "");
    place.refused("sweep small.jsonc -o file", 4, "is a file");
    place.refused("merge small.jsonc nowhere", 2, "nowhere: holds no shard");
    place.refused("sweep small.jsonc --seeds 1000000", 2, "more than");
    assert!(!place.path("results").exists());
    if Path::new("/proc/version").exists() {
        place.refused("sweep small.jsonc -o /proc/out", 4, "/proc/out");
    }
    #[cfg(unix)]
    if Path::new("/dev/full").exists() {
        std::fs::create_dir(place.path("full")).expect("it can be made");
        std::os::unix::fs::symlink("/dev/full", place.path("full/journal.partial")).expect("a link");
        place.refused("sweep small.jsonc -o full", 4, "--force");
        place.refused("sweep small.jsonc -o full --force", 4, "journal.partial: No space left");
    }
}

/// The text between a fence of this language and its end.
fn fenced<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("\n```{language}\n");
    let (mut found, mut rest) = (Vec::new(), page);
    while let Some(at) = rest.find(&fence) {
        let text = &rest[at + fence.len()..];
        let end = text.find("\n```").expect("a fence ends");
        found.push(&text[..end]);
        rest = &text[end..];
    }
    found
}

#[test]
fn the_page_shows_what_the_program_prints() {
    let page = include_str!("../docs/sweep.md");
    let place = Place::new();
    place.write("trade.json", fenced(page, "json")[0]);
    let sessions = fenced(page, "console");
    assert_eq!(sessions.len(), 2, "a plan and a sweep");
    for session in sessions {
        let (command, shown) = session.split_once('\n').expect("a command and what it prints");
        let printed = place.ok(command.strip_prefix("$ dynamo-sim ").expect("it is a command"));
        let (shown, printed): (Vec<&str>, Vec<&str>) = (shown.lines().collect(), printed.lines().collect());
        let is_shown = |(shown, printed): (&&str, &&str)| match shown.strip_suffix('…') {
            Some(begins) => printed.starts_with(begins),
            None => shown == printed,
        };
        let same = shown.len() == printed.len() && shown.iter().zip(&printed).all(is_shown);
        assert!(same, "{command} prints\n{}", printed.join("\n"));
    }
    let differences = place.files("results/trade/sweep").remove("differences.csv").expect("it is there");
    for row in page.lines().filter(|line| line.starts_with("1,0,w,")) {
        assert!(text(&differences).lines().any(|line| line == row), "{row} is in differences.csv");
    }
}
