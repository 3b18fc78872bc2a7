//! `run` and `validate`: from a file to results.

use super::campaign::{Plan, config_of};
use super::load::{load, load_drawn};
use super::out::{print_data, print_styled, say, terminal_width};
use super::sweep::{self, How};
use super::{BAD_INPUT, Common, Format, HELD, NO_OUTPUT, RunArguments};
use crate::check::{evaluate, exit_status};
use crate::cluster::config::RunConfig;
use crate::report::expect::Looked;
use crate::report::history_log::HistoryLog;
use crate::report::play::{play, play_watched};
use crate::report::run_dir::pretty;
use crate::report::summary::{About, summary};
use crate::report::sweep::files;
use crate::report::tables;
use crate::report::terminal::{self, Title};
use crate::report::{Campaign, Manifest, May, OutputError, Played, RunDir, expect};

/// The history of a run, in its directory.
const HISTORY: &str = "history.jsonl";

/// Checks a scenario up to the first event.
pub(super) fn validate(file: &str, set: &[(String, String)]) -> u8 {
    let Some(loaded) = load(file, set) else { return BAD_INPUT };
    if let Err(reason) = expect::expectations(&loaded) {
        say(&format!("{file}: {reason}"));
        return BAD_INPUT;
    }
    let (first, last) = loaded.base.sweep.seeds.bounds(loaded.base.seed.0);
    for setting in 0..loaded.settings.len() {
        if let Err(reason) = config_of(&loaded, setting, first) {
            say(&format!("{file}: {reason}"));
            return BAD_INPUT;
        }
    }
    for notice in &loaded.notices {
        say(&format!("{file}: note: {notice}"));
    }
    let (settings, seeds) = (loaded.settings.len(), last - first + 1);
    say(&format!("{file}: valid, {settings} setting{}, {seeds} seed{}", plural(settings as u64), plural(seeds)));
    HELD
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Runs a scenario and writes its results.
pub(super) fn run(arguments: &RunArguments) -> u8 {
    let (file, common) = (arguments.file.as_str(), &arguments.common);
    let plan = match arguments.chaos {
        true => load_drawn(file, &common.set, common.seed)
            .and_then(|(loaded, seed)| Plan::of(file, loaded, common, Some(seed))),
        false => Plan::read(file, common),
    };
    let Some(mut plan) = plan else { return BAD_INPUT };
    match plan.is_single() {
        true => single(&mut plan, common, arguments.history),
        false => sweep::play(&mut plan, common, &How::default(), arguments.history),
    }
}

/// Plays the only run and writes what came out.
fn single(plan: &mut Plan<'_>, common: &Common, wants_history: bool) -> u8 {
    plan.wanted = std::mem::take(&mut plan.wanted).with_unasserted(&plan.expectations);
    let path = common.out.clone().unwrap_or_else(|| plan.results(&format!("run-{}", plan.seeds.0)));
    let may = if common.force { May::Overwrite } else { May::Begin };
    let (config, _) = plan.config(0, plan.seeds.0).expect("it was made before");
    let played = RunDir::prepare(&path, &plan.hash(), may).and_then(|mut directory| {
        let run = play_one(plan, &config, &mut directory, wants_history || config.measure.history)?;
        Ok((directory, run))
    });
    let (directory, run) = match played {
        Ok(played) => played,
        Err(error) => {
            say(&error.to_string());
            return NO_OUTPUT;
        }
    };
    let campaign = Campaign::new(vec![run.kept()]);
    let judgements = evaluate(&plan.expectations, &campaign);
    let properties: Vec<Looked> = expect::looked_at(&plan.loaded, &plan.expectations, &run);
    let values = &plan.loaded.settings[0].values;
    let setting: Vec<(String, String)> = values.iter().map(|value| (value.axis.clone(), value.value.label())).collect();
    let about = About {
        scenario: &plan.loaded.name,
        setting: &setting,
        status: campaign.status(&campaign.runs()[0], &judgements),
        judgements: &judgements,
        properties: &properties,
        notices: &plan.notices,
    };
    let summary = pretty(&summary(&about, &config, &run));
    if let Err(error) = write_single(plan, common, directory, &config, &run, &summary) {
        say(&error.to_string());
        return NO_OUTPUT;
    }
    let status = exit_status(&judgements, run.has_broken_step());
    if common.quiet {
        return status;
    }
    let title =
        Title { name: &plan.loaded.name, about: &plan.loaded.about, notices: &plan.notices, width: terminal_width() };
    let printed = match common.format {
        Format::Text => {
            let text = terminal::run(&title, &config, &run, &judgements, &properties);
            print_styled(&format!("{text}results in {}\n", path.display()))
        }
        Format::Json => print_data(summary.as_bytes()),
        Format::Csv => {
            let (axes, settings) = (files::axes(&plan.loaded), files::settings(&plan.loaded));
            print_data(&tables::runs(&axes, &settings, &campaign, &judgements))
        }
    };
    if printed == HELD { status } else { printed }
}

/// Plays the only run; its history, if it is wanted, goes to its directory meanwhile.
fn play_one(
    plan: &Plan<'_>,
    config: &RunConfig,
    directory: &mut RunDir,
    wants_history: bool,
) -> Result<Played, OutputError> {
    let setting = plan.loaded.settings[0].number;
    if !wants_history {
        return Ok(play(config, setting, &plan.wanted, true));
    }
    let mut log = HistoryLog::new(config, directory.begin(HISTORY)?);
    let run = play_watched(config, setting, &plan.wanted, true, Some(&mut log));
    directory.keep(HISTORY, log.finish())?;
    Ok(run)
}

fn write_single(
    plan: &Plan<'_>,
    common: &Common,
    mut directory: RunDir,
    config: &RunConfig,
    run: &Played,
    summary: &str,
) -> Result<(), OutputError> {
    let measured = run.measured.as_ref().expect("a single run keeps all numbers");
    directory.write("summary.json", summary.as_bytes())?;
    directory.write("timeline.csv", &tables::timeline(config, measured))?;
    directory.write("latency.csv", &tables::latency(measured))?;
    directory.write("latency.hlog", &tables::hlog(config, measured))?;
    directory.write("staleness.csv", &tables::staleness(measured))?;
    directory.write("scenario.json", plan.loaded.text.as_bytes())?;
    directory.finish(&Manifest {
        scenario_hash: &plan.hash(),
        set: &common.set,
        shard: None,
        seeds: &[run.seed],
        digests: &[format!("{:032x}", run.end.digest)],
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::report::run_dir::sorted_entries;

    /// A put and a get that are answered, each message in one millisecond.
    const PAIR: &str = r#"{
      "version": 1, "about": "One write, one read.",
      "cluster": { "nodes": ["A", "B", "C"] },
      "network": { "within_region": "1ms", "client": "1ms" },
      "script": [
        { "name": "w", "at": "0ms", "client": "alice", "put": { "key": "K", "value": "v1", "via": "A" } },
        { "name": "r", "at": "20ms", "client": "bob", "get": { "key": "K", "via": "A" }, "expect": { "values": ["v1"] } }
      ],
      "expect": [ EXPECT ]
    }"#;

    const LOAD: &str = r#"{
      "version": 1, "duration": "2s", "cluster": { "nodes": 5 },
      "clients": [ { "name": "users", "count": 4, "arrival": { "open": { "rate": "200/s" } }, "keys": { "uniform": { "count": 20 } } } ],
      "script": [ { "name": "off", "at": "500ms", "for": "400ms", "crash": { "nodes": "n2" } } ],
      "expect": [ { "metric": "get.success", "over": "mean", "at_least": 0.5 } ],
      "sweep": { "seeds": 3, "axes": [ { "name": "r", "path": "cluster.replication.r", "values": [1, 2] } ] }
    }"#;

    fn arguments(directory: &Path, scenario: &str, out: &str, more: fn(&mut RunArguments)) -> RunArguments {
        let file = directory.join("pair.json");
        std::fs::write(&file, scenario).expect("it can be written");
        let mut arguments = RunArguments {
            file: file.to_string_lossy().into_owned(),
            common: Common { out: Some(directory.join(out)), quiet: true, ..Common::default() },
            chaos: false,
            history: false,
        };
        more(&mut arguments);
        arguments
    }

    fn contents(directory: &Path) -> Vec<(String, Vec<u8>)> {
        let names = sorted_entries(directory).expect("it is there");
        names
            .into_iter()
            .map(|name| (name.clone(), std::fs::read(directory.join(name)).expect("it is a file")))
            .collect()
    }

    fn status_of(expect: &str) -> u8 {
        let directory = tempfile::tempdir().expect("a temporary directory");
        run(&arguments(directory.path(), &PAIR.replace("EXPECT", expect), "out", |_| {}))
    }

    #[test]
    fn a_scenario_becomes_numbers_on_disk() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        let scenario = PAIR.replace("EXPECT", r#"{ "metric": "stale.reads", "equals": 0 }"#);
        assert_eq!(run(&arguments(path, &scenario, "a", |_| {})), HELD);
        let names: Vec<String> = contents(&path.join("a")).into_iter().map(|(name, _)| name).collect();
        let wanted = [
            "latency.csv",
            "latency.hlog",
            "manifest.json",
            "scenario.json",
            "staleness.csv",
            "summary.json",
            "timeline.csv",
        ];
        assert_eq!(names, wanted);
        let summary = std::fs::read_to_string(path.join("a/summary.json")).expect("it is there");
        let summary: Json = serde_json::from_str(&summary).expect("it is JSON");
        assert_eq!((&summary["status"], &summary["scenario"]), (&json!("held"), &json!("pair")));
        let metrics = &summary["metrics"];
        // To A, to a replica and back, to the client: four messages of a millisecond.
        assert_eq!((&metrics["get.latency.max_ms"], &metrics["get.count"]), (&json!(4.0), &json!(1)));
        assert_eq!((&metrics["stale.reads"], &metrics["put.success"]), (&json!(0), &json!(1.0)));
        assert_eq!(summary["expect"][0], json!({ "text": "stale.reads equals 0", "value": 0, "held": true }));
        assert_eq!(summary["clients"]["bob"]["get.count"], json!(1));
        // Once more, byte by byte.
        assert_eq!(run(&arguments(path, &scenario, "b", |_| {})), HELD);
        assert_eq!(contents(&path.join("a")), contents(&path.join("b")));
    }

    #[test]
    fn the_history_of_a_run_is_written_and_judged() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        let scenario = PAIR.replace("EXPECT", "");
        assert_eq!(run(&arguments(path, &scenario, "plain", |_| {})), HELD);
        assert_eq!(run(&arguments(path, &scenario, "out", |a| a.history = true)), HELD);
        let text = std::fs::read_to_string(path.join("out").join(HISTORY)).expect("it is there");
        assert_eq!(text, GOLDEN_HISTORY);
        let history = crate::report::histories::parse(&text, None).expect("it is a history");
        let reports = crate::report::histories::judge::judge(&history, None, 1_000);
        assert!(reports.len() == 1 && reports[0].verdict.is_legal(), "{reports:?}");
        // The run is the same, and the manifest names one file more.
        let manifest = |name: &str| -> Json {
            let text = std::fs::read_to_string(path.join(name).join("manifest.json")).expect("it is there");
            serde_json::from_str(&text).expect("it is JSON")
        };
        assert_eq!(manifest("plain")["digests"], manifest("out")["digests"]);
        let hash = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(text.as_bytes()));
        assert_eq!(manifest("out")["files"][HISTORY], json!(hash));
        let field = |a: &mut RunArguments| a.common.set = vec![("measure.history".into(), "true".into())];
        assert_eq!(run(&arguments(path, &scenario, "field", field)), HELD);
        assert_eq!(std::fs::read_to_string(path.join("field").join(HISTORY)).expect("it is there"), text);
    }

    const GOLDEN_HISTORY: &str = r#"{"format":"dynamo-sim history","version":1,"object":"siblings"}
{"at_ns":0,"event":"invoke","op":1,"client":"alice","kind":"put","key":"K"}
{"at_ns":1000000,"event":"write","op":1,"write":1,"context":[]}
{"at_ns":4000000,"event":"return","op":1,"outcome":"ok","write":1}
{"at_ns":20000000,"event":"invoke","op":2,"client":"bob","kind":"get","key":"K"}
{"at_ns":24000000,"event":"return","op":2,"outcome":"ok","values":[1]}
"#;

    #[test]
    fn the_exit_status_tells_how_it_came_out() {
        assert_eq!(status_of(r#"{ "metric": "get.count", "equals": 1 }"#), 0);
        assert_eq!(status_of(r#"{ "metric": "get.count", "above": 1 }"#), 1);
        assert_eq!(status_of(r#"{ "metric": "get.latency.p999", "at_most": "1s" }"#), 3, "one sample is no percentile");
        assert_eq!(status_of(r#"{ "metric": "lost.writes", "equals": 0 }"#), 0);
        assert_eq!(status_of(r#"{ "metric": "no.such.metric", "equals": 0 }"#), 2);
        assert_eq!(status_of(r#"{ "property": "lists_are_distinct" }, { "property": "ranges_cover_ring" }"#), 0);
    }

    #[test]
    fn the_manifest_names_every_file_by_its_hash() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        let single = |a: &mut RunArguments| {
            a.common.seed = Some(3);
            a.common.set = vec![("sweep".into(), "null".into())];
        };
        assert_eq!(run(&arguments(path, LOAD, "out", single)), HELD);
        let files = contents(&path.join("out"));
        let manifest = &files.iter().find(|(name, _)| name == "manifest.json").expect("it is there").1;
        let manifest: Json = serde_json::from_slice(manifest).expect("it is JSON");
        let others: Vec<_> = files.iter().filter(|(name, _)| name != "manifest.json").collect();
        assert_eq!(manifest["files"].as_object().expect("a map").len(), others.len());
        for (name, bytes) in others {
            let hash = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(bytes));
            assert_eq!(manifest["files"][name], json!(hash), "{name}");
        }
        let summary = &files.iter().find(|(name, _)| name == "summary.json").expect("it is there").1;
        let summary: Json = serde_json::from_slice(summary).expect("it is JSON");
        assert_eq!((&manifest["seeds"], &manifest["digests"]), (&json!([3]), &json!([summary["digest"]])));
        let fields: Vec<&String> = summary.as_object().expect("an object").keys().collect();
        let documented = [
            "format",
            "scenario",
            "seed",
            "digest",
            "status",
            "virtual_ms",
            "setting",
            "metrics",
            "windows",
            "clients",
            "nodes",
            "samples",
            "faults",
            "steps",
            "expect",
            "properties",
            "notices",
        ];
        assert_eq!(fields, documented);
    }

    /// What logs write their histograms in.
    fn from_base64(text: &str) -> Vec<u8> {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digit = |byte: u8| DIGITS.iter().position(|&other| other == byte).expect("a digit") as u32;
        let digits: Vec<u32> = text.bytes().filter(|&byte| byte != b'=').map(digit).collect();
        let mut bytes = Vec::new();
        for group in digits.chunks(4) {
            let bits = group.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - group.len()));
            bytes.extend(&bits.to_be_bytes()[1..group.len()]);
        }
        bytes
    }

    #[test]
    fn the_histograms_of_a_run_are_read_back_whole() {
        use hdrhistogram::serialization::Deserializer;
        use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        let single = |a: &mut RunArguments| {
            a.common.seed = Some(3);
            a.common.set = vec![("sweep".into(), "null".into())];
        };
        assert_eq!(run(&arguments(path, LOAD, "out", single)), HELD);
        let log = std::fs::read(path.join("out/latency.hlog")).expect("it is there");
        let csv = std::fs::read_to_string(path.join("out/latency.csv")).expect("it is there");
        let mut read = 0;
        for entry in IntervalLogIterator::new(&log) {
            let LogEntry::Interval(interval) = entry.expect("each line is one of a log") else { continue };
            let bytes = from_base64(interval.encoded_histogram());
            let histogram: hdrhistogram::Histogram<u64> =
                Deserializer::new().deserialize(&mut &bytes[..]).expect("it is a histogram");
            let tag = interval.tag().expect("each has a tag").as_str().replace('.', ",");
            // The median in the table, and the number of samples, are those of the histogram.
            let row = csv.lines().find(|row| row.starts_with(&format!("{tag},0.5,"))).expect("it is in the table");
            let median = crate::measure::number::plain(histogram.value_at_quantile(0.5) as f64 / 1e6);
            assert_eq!(row, format!("{tag},0.5,{median},{}", histogram.len()));
            read += 1;
        }
        assert!(read >= 2, "gets and puts are there");
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_jobs() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        assert_eq!(run(&arguments(path, LOAD, "one", |a| a.common.jobs = Some(1))), HELD);
        assert_eq!(run(&arguments(path, LOAD, "three", |a| a.common.jobs = Some(3))), HELD);
        let one = contents(&path.join("one"));
        assert_eq!(one, contents(&path.join("three")));
        let runs = String::from_utf8(one.iter().find(|(name, _)| name == "runs.csv").expect("it is there").1.clone());
        let runs = runs.expect("it is text");
        assert!(runs.starts_with("setting,r,seed,digest,status,get.count,"), "{runs}");
        assert_eq!(runs.lines().count(), 7, "two settings and three seeds");
        let header: Vec<&str> = runs.lines().next().expect("a header").split(',').skip(5).collect();
        let order: Vec<String> = crate::measure::Metric::all().iter().map(crate::measure::Metric::column).collect();
        let places: Vec<Option<usize>> =
            header.iter().map(|column| order.iter().position(|known| known == column)).collect();
        assert!(
            places.iter().all(Option::is_some) && places.is_sorted(),
            "columns stand as in the reference: {header:?}"
        );
        let p9999 = header.iter().position(|column| *column == "get.latency.p9999_ms").expect("gets were answered");
        let rows = runs.lines().skip(1).map(|row| row.split(',').skip(5).collect::<Vec<_>>());
        for row in rows {
            assert_eq!((row.len(), row[p9999]), (header.len(), ""), "too few samples leave a cell empty");
        }
        let summary = &one.iter().find(|(name, _)| name == "summary.csv").expect("it is there").1;
        let summary = String::from_utf8_lossy(summary);
        assert!(summary.starts_with("setting,r,seeds,broken,get.count,get.count.low,get.count.high,"), "{summary}");
    }

    #[test]
    fn a_fault_shows_in_windows_nodes_and_timeline() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        let single = |a: &mut RunArguments| {
            a.common.seed = Some(7);
            a.common.set = vec![("sweep".into(), "null".into())];
        };
        assert_eq!(run(&arguments(path, LOAD, "out", single)), HELD);
        let summary = std::fs::read_to_string(path.join("out/summary.json")).expect("it is there");
        let summary: Json = serde_json::from_str(&summary).expect("it is JSON");
        let number = |json: &Json| json.as_f64().unwrap_or_else(|| panic!("{json} is no number in {summary}"));
        let [all, off] = [&summary["metrics"], &summary["windows"]["off"]];
        assert!(number(&off["ops.count"]) > 50.0 && number(&off["ops.count"]) < number(&all["ops.count"]) / 2.0);
        assert!(number(&all["hints.created"]) > 0.0, "the crash bit");
        assert_eq!(
            all["hints.created"],
            json!(
                ["n1", "n2", "n3", "n4", "n5"]
                    .iter()
                    .map(|node| { summary["nodes"][node]["hints.created"].as_u64().expect("a count") })
                    .sum::<u64>()
            ),
            "nodes add up to the whole"
        );
        let shares: f64 =
            ["n1", "n2", "n3", "n4", "n5"].iter().map(|node| number(&summary["nodes"][node]["load.share"])).sum();
        assert!((shares - 1.0).abs() < 1e-5, "{shares}");
        assert_eq!((&summary["faults"][0]["kind"], &summary["faults"][0]["to_ms"]), (&json!("crash"), &json!(900.0)));
        assert_eq!(all["ops.count"], summary["clients"]["users"]["ops.count"]);
        let timeline = std::fs::read_to_string(path.join("out/timeline.csv")).expect("it is there");
        let rows: Vec<&str> = timeline.lines().collect();
        assert!(rows[1].ends_with(",off"), "{timeline}");
        assert!(rows[2].ends_with(','), "no fault was on in the second bucket: {timeline}");
    }

    #[test]
    fn output_that_cannot_be_written_is_refused_before_the_run() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        let scenario = PAIR.replace("EXPECT", "");
        std::fs::write(path.join("file"), b"").expect("it can be written");
        assert_eq!(run(&arguments(path, &scenario, "file", |_| {})), NO_OUTPUT);
        std::fs::create_dir(path.join("full")).expect("it can be made");
        std::fs::write(path.join("full/mine.txt"), b"keep").expect("it can be written");
        assert_eq!(run(&arguments(path, &scenario, "full", |_| {})), NO_OUTPUT);
        assert_eq!(contents(&path.join("full")).len(), 1, "nothing was written");
        assert_eq!(run(&arguments(path, &scenario, "full", |a| a.common.force = true)), HELD);
    }

    #[test]
    fn bad_input_is_told_apart() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        assert_eq!(run(&arguments(path, "{", "out", |_| {})), BAD_INPUT);
        assert_eq!(run(&arguments(path, LOAD, "out", |a| a.file = "missing.json".into())), BAD_INPUT);
        assert!(!path.join("out").exists(), "nothing is written for a scenario that cannot run");
        let many = |a: &mut RunArguments| a.common.set = vec![("sweep.seeds".into(), "\"1..9000000000\"".into())];
        assert_eq!(run(&arguments(path, LOAD, "out", many)), BAD_INPUT);
    }

    #[test]
    fn a_person_reads_what_came_out() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let scenario = PAIR
            .replace("EXPECT", r#"{ "metric": "get.count", "above": 1 }, { "metric": "lost.writes", "equals": 0 }"#);
        let arguments = arguments(directory.path(), &scenario, "out", |_| {});
        let plan = Plan::read(&arguments.file, &arguments.common).expect("it is a scenario");
        let (config, _) = plan.config(0, 1).expect("it runs");
        let run = play(&config, 0, &plan.wanted, true);
        let judgements = evaluate(&plan.expectations, &Campaign::new(vec![run.kept()]));
        let title = Title { name: &plan.loaded.name, about: &plan.loaded.about, notices: &[], width: 80 };
        let text = terminal::run(&title, &config, &run, &judgements, &[]);
        let plain = anstream::adapter::strip_str(&text).to_string();
        let lines: Vec<&str> =
            plain.lines().filter(|line| !line.contains("digest") && !line.contains("events")).collect();
        assert_eq!(lines.join("\n"), GOLDEN, "{plain}");
    }

    const GOLDEN: &str = "\
pair
One write, one read.

       count  success  p50 ms  p99 ms  p99.9 ms  max ms
  get      1     100%       –       –         –       4
  put      1     100%       –       –         –       4
  – too few samples: p50 needs 20, p99 1,000, p99.9 10,000

  stale reads  0

  ✓ step r

  ✗ get.count above 1     it is 1
  ✓ lost.writes equals 0  0
";
}
