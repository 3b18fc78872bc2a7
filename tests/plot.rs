//! Figures from files: what is drawn where, the same bytes each time, and what is refused.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test starts the program and looks at its files"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use dynamo_sim::report::figure::{Figure, Form, Mark, Point, Scale, Series};
use dynamo_sim::report::results::Results;
use dynamo_sim::report::{figures, plot};
use serde_json::json;

fn write(directory: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(directory).expect("it can be made");
    for (name, text) in files {
        fs::write(directory.join(name), text).expect("it can be written");
    }
}

fn program_name() -> String {
    format!("dynamo-sim {}", env!("CARGO_PKG_VERSION"))
}

/// Three settings of N, R and W: the first is fast and stale, the second slower and fresh, the third is beaten.
fn sweep(directory: &Path) {
    let setting = |number: u64, [n, r, w]: [u64; 3]| json!({ "setting": number, "n": n, "r": r, "w": w, "nodes": 5 });
    let summary = json!({
        "format": 1, "scenario": "small",
        "axes": [{ "name": "n" }, { "name": "r" }, { "name": "w" }],
        "settings": [setting(0, [3, 1, 1]), setting(1, [3, 2, 2]), setting(2, [3, 3, 3])],
        "expect": [{ "text": "ops.rate above 1" }],
        "frontier": { "of": ["get.latency.p999_ms"], "best": [0, 1], "dominated": [{ "setting": 2, "by": [1] }] },
    });
    let manifest = json!({ "program": program_name(), "seeds": [1, 2, 3, 4, 5, 6], "files": { "runs.csv": "0" } });
    let metrics = ["get.latency.p999_ms", "put.latency.p999_ms", "stale.fraction", "convergence.time_ms"];
    let columns: Vec<String> =
        metrics.iter().flat_map(|m| [m.to_string(), format!("{m}.low"), format!("{m}.high")]).collect();
    let table = format!(
        "setting,n,r,w,seeds,broken,{}\n\
         0,3,1,1,6,0,10,9,12,20,20,20,0.01,0.008,0.02,500,400,inf\n\
         1,3,2,2,6,0,30,30,30,50,50,50,0,0,0.001,inf,inf,inf\n\
         2,3,3,3,6,0,90,90,90,80,80,80,0,0,0,,,\n",
        columns.join(",")
    );
    write(
        directory,
        &[
            ("manifest.json", &manifest.to_string()),
            ("summary.json", &summary.to_string()),
            ("scenario.json", "{}"),
            ("runs.csv", "setting,n,r,w,seed,digest,status\n0,3,1,1,1,00ff,held\n"),
            ("summary.csv", &table),
            (
                "windows.csv",
                "setting,n,r,w,window,seeds,get.success,get.success.low,get.success.high\n\
                 0,3,1,1,before,6,0.1,0.1,0.1\n0,3,1,1,cut,6,0.9,0.8,0.95\n0,3,1,1,crash,6,0.7,0.7,0.7\n\
                 1,3,2,2,cut,6,0.5,0.4,0.6\n1,3,2,2,crash,6,,,\n",
            ),
            (
                "latency.csv",
                "setting,n,r,w,op,outcome,quantile,latency_ms,samples\n\
                 0,3,1,1,get,ok,0.5,2,100\n0,3,1,1,get,ok,0.9,8,100\n0,3,1,1,get,ok,0.999,,100\n\
                 0,3,1,1,get,ok,1,50,100\n0,3,1,1,get,failed,0.5,900,100\n1,3,2,2,get,ok,0.5,4,100\n",
            ),
            (
                "staleness.csv",
                "setting,n,r,w,after_ms,fresh,low,high,reads\n\
                 0,3,1,1,0,0.5,0.4,0.6,100\n0,3,1,1,10,1,0.9,1,100\n1,3,2,2,0,1,0.9,1,100\n",
            ),
            ("differences.csv", "setting,versus,axis,metric,difference,low,high,seeds\n"),
        ],
    );
}

/// A run of three nodes and four seconds with one cut.
fn run(directory: &Path) {
    let share = |share: f64| json!({ "load.share": share, "coordinator.share": 0, "stored.share": share });
    let summary = json!({
        "scenario": "small", "seed": 7, "virtual_ms": 4000.0, "setting": {},
        "nodes": { "A": share(0.5), "B": share(0.25), "C": share(0.25) },
        "faults": [
            { "step": "split", "kind": "cut", "from_ms": 1000.0, "to_ms": 2500.0, "hits": 3 },
            { "step": "dead", "kind": "crash", "from_ms": 3000.0, "to_ms": null, "hits": 1 },
        ],
    });
    let manifest = json!({ "program": program_name(), "seeds": [7], "files": { "timeline.csv": "0" } });
    write(
        directory,
        &[
            ("manifest.json", &manifest.to_string()),
            ("summary.json", &summary.to_string()),
            ("scenario.json", "{}"),
            (
                "timeline.csv",
                "at_ms,ops.rate_per_s,get.success,put.success,get.latency.p99_ms,put.latency.p99_ms,stale.fraction,\
                 hints.pending,divergent_keys,faults\n\
                 0,10,1,1,5,,0,0,,\n1000,20,0.5,1,,,0.25,0,,split\n2000,10,1,,6,,0,0,,split\n3000,10,1,1,7,,0,0,,dead\n",
            ),
            ("latency.csv", "op,outcome,quantile,latency_ms,samples\nget,ok,0.5,2,100\nget,ok,0.9,8,100\n"),
            ("staleness.csv", "after_ms,fresh,low,high,reads\n"),
        ],
    );
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn of(make: fn(&Path)) -> (Results, Vec<Figure>) {
    let directory = folder();
    make(directory.path());
    let results = Results::read(directory.path()).expect("it is whole");
    let figures = figures::all(&results);
    (results, figures)
}

fn named<'a>(figures: &'a [Figure], name: &str) -> &'a Figure {
    figures
        .iter()
        .find(|figure| figure.name == name)
        .unwrap_or_else(|| panic!("no {name} in {:?}", figures.iter().map(|figure| &figure.name).collect::<Vec<_>>()))
}

fn places(series: &Series) -> Vec<(f64, f64)> {
    series.points.iter().map(|point| (point.x, point.y)).collect()
}

#[test]
fn a_sweep_has_the_figures_it_has_data_for() {
    let (results, figures) = of(sweep);
    let names: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
    assert_eq!(
        names,
        ["trade-off-get", "trade-off-put", "availability", "latency-get", "visibility", "convergence"],
        "no puts, no updates, no ring"
    );
    assert!(names.iter().all(|name| figures::names(&results).contains(name)));
}

#[test]
fn the_trade_off_has_a_point_a_setting_with_its_intervals() {
    let (_, figures) = of(sweep);
    let figure = named(&figures, "trade-off-get");
    assert_eq!(figure.x.label, "P99.9 of gets (ms)");
    assert_eq!((&figure.x.scale, &figure.panels[0].y.scale), (&Scale::Log, &Scale::Log));
    assert_eq!(figure.panels[0].y.form, Form::Percent);
    assert!(figure.about.contains("small: 3 settings, seeds 1–6") && figure.about.ends_with("Labels are N/R/W."));
    // N does not vary: R has the colours.
    let [stairs, first, second, third] = &figure.panels[0].series[..] else { panic!("{:?}", figure.panels[0].series) };
    assert_eq!((stairs.mark, places(stairs)), (Mark::Dashed, vec![(10.0, 0.01), (30.0, 0.01), (30.0, 0.0)]));
    let drawn = |series: &Series| (series.name.clone(), series.color, series.pale, series.points.clone());
    let point = |x, y, x_interval, y_interval, label: &str| Point {
        x,
        y,
        x_interval,
        y_interval,
        label: Some(label.to_string()),
    };
    let fast = point(10.0, 0.01, Some((9.0, 12.0)), Some((0.008, 0.02)), "3/1/1");
    assert_eq!(drawn(first), ("r=1".into(), 0, false, vec![fast]));
    assert_eq!(drawn(second), ("r=2".into(), 1, false, vec![point(30.0, 0.0, None, Some((0.0, 0.001)), "3/2/2")]));
    assert_eq!(drawn(third), ("r=3".into(), 2, true, vec![point(90.0, 0.0, None, None, "3/3/3")]), "it is beaten");
}

#[test]
fn availability_is_that_of_the_worst_fault() {
    let (_, figures) = of(sweep);
    let panel = &named(&figures, "availability").panels[0];
    let Scale::Names(names) = &panel.y.scale else { panic!("{:?}", panel.y) };
    assert_eq!(names, &["3/1/1", "3/2/2", "3/3/3"]);
    let points = &panel.series[0].points;
    assert_eq!(places(&panel.series[0]), [(0.7, 0.0), (0.5, 1.0)], "not the window before");
    assert_eq!(points.iter().map(|point| point.label.as_deref()).collect::<Vec<_>>(), [Some("crash"), Some("cut")]);
    assert_eq!(points[1].x_interval, Some((0.4, 0.6)));
}

#[test]
fn latency_is_the_share_that_is_slower() {
    let (_, figures) = of(sweep);
    let series = &named(&figures, "latency-get").panels[0].series;
    let names: Vec<&str> = series.iter().map(|series| series.name.as_str()).collect();
    assert_eq!(names, ["3/1/1", "3/2/2"]);
    let rounded: Vec<(f64, f64)> = places(&series[0]).iter().map(|(x, y)| (*x, (y * 1e9).round() / 1e9)).collect();
    assert_eq!(rounded, [(2.0, 0.5), (8.0, 0.1)], "without empty cells, the slowest, and what failed");
}

#[test]
fn visibility_leaves_out_what_is_always_fresh_and_says_so() {
    let (_, figures) = of(sweep);
    let figure = named(&figures, "visibility");
    assert_eq!(places(&figure.panels[0].series[0]), [(0.0, 0.5), (10.0, 1.0)]);
    assert_eq!(figure.panels[0].series[0].points[0].y_interval, Some((0.4, 0.6)));
    assert_eq!(figure.notes, ["Every read was fresh with 3/2/2."]);
}

#[test]
fn what_never_converged_is_said_not_drawn() {
    let (_, figures) = of(sweep);
    let figure = named(&figures, "convergence");
    assert_eq!(places(&figure.panels[0].series[0]), [(500.0, 0.0)]);
    assert_eq!(figure.panels[0].series[0].points[0].x_interval, None, "its end is infinite");
    assert_eq!(figure.notes, ["Not by the end of the run with 3/2/2."]);
}

#[test]
fn any_metric_is_drawn_against_any_axis_or_metric() {
    let (results, _) = of(sweep);
    let Results::Sweep(sweep) = &results else { panic!("it is a sweep") };
    let figure = figures::against(sweep, "get.latency.p999", "r", None).expect("both are there");
    assert_eq!(figure.name, "get-latency-p999-ms-against-r");
    assert_eq!(figure.panels.len(), 1, "n does not vary");
    let series = &figure.panels[0].series;
    assert_eq!(series.iter().map(|series| series.name.as_str()).collect::<Vec<_>>(), ["w=1", "w=2", "w=3"]);
    assert_eq!(series.iter().map(places).collect::<Vec<_>>(), [[(1.0, 10.0)], [(2.0, 30.0)], [(3.0, 90.0)]]);
    let figure = figures::against(sweep, "stale.fraction", "put.latency.p999_ms", Some("n")).expect("both are there");
    let panels: Vec<&str> = figure.panels.iter().map(|panel| panel.title.as_str()).collect();
    assert_eq!(panels, ["r=1, w=1", "r=2, w=2", "r=3, w=3"]);
    let wrong = |y, x, by| figures::against(sweep, y, x, by).expect_err("it is wrong");
    assert_eq!(
        wrong("stale.fracton", "r", None),
        "no run has a metric `stale.fracton`; did you mean `stale.fraction`?"
    );
    assert!(wrong("stale.fraction", "zzz", None).contains("the axes are n, r, w"));
    assert!(wrong("stale.fraction", "r", Some("q")).contains("the axes are n, r, w"));
}

#[test]
fn the_timeline_has_gaps_where_there_is_no_value_and_shades_where_there_is_a_fault() {
    let (_, figures) = of(run);
    let names: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
    assert_eq!(names, ["timeline", "latency", "load"]);
    let figure = named(&figures, "timeline");
    let labels: Vec<&str> = figure.panels.iter().map(|panel| panel.y.label.as_str()).collect();
    assert_eq!(labels, ["Operations per second", "P99 (ms)", "Success", "Stale reads"], "no hints, nobody compared");
    assert_eq!(figure.about, "small, seed 7. One value a bucket of time.");
    let latency = &figure.panels[1].series;
    assert_eq!(latency.len(), 1, "no put has a P99");
    assert_eq!(latency[0].points.iter().map(|point| point.x).collect::<Vec<_>>(), [0.5, 1.5, 2.5, 3.5]);
    assert!(latency[0].points[1].y.is_nan());
    assert_eq!(places(&figure.panels[3].series[0]), [(0.0, 0.0), (1.0, 0.25), (2.0, 0.0), (3.0, 0.0), (4.0, 0.0)]);
    let shades: Vec<(f64, f64, &str)> = figure.shades.iter().map(|s| (s.from, s.to, s.label.as_str())).collect();
    assert_eq!(shades, [(1.0, 2.5, "split"), (3.0, 4.0, "dead")], "what does not end lasts until the end");
}

#[test]
fn the_load_of_nodes_has_a_bar_each_and_the_mean() {
    let (_, figures) = of(run);
    let figure = named(&figures, "load");
    assert_eq!(figure.x.scale, Scale::Names(vec!["A".into(), "B".into(), "C".into()]));
    assert_eq!(figure.panels.len(), 2, "nobody coordinated");
    let [bars, mean] = &figure.panels[0].series[..] else { panic!("two series") };
    assert_eq!((bars.mark, places(bars)), (Mark::Bars, vec![(0.0, 0.5), (1.0, 0.25), (2.0, 0.25)]));
    assert_eq!(mean.mark, Mark::Dashed);
    assert!(mean.points.iter().all(|point| (point.y - 1.0 / 3.0).abs() < 1e-12));
}

#[test]
fn a_figure_has_the_same_bytes_each_time() {
    for make in [sweep, run] {
        for figure in of(make).1 {
            let svg = plot::svg(&figure);
            assert_eq!(svg, plot::svg(&figure), "{}", figure.name);
            let text = String::from_utf8(svg).expect("it is text");
            assert!(
                text.starts_with("<svg ") && text.ends_with("</svg>\n") && !text.contains("NaN"),
                "{}",
                figure.name
            );
        }
    }
    let (_, figures) = of(run);
    let figure = named(&figures, "latency");
    let png = plot::png(figure);
    assert_eq!(png, plot::png(figure));
    // The signature and the size: two pixels for each of the SVG. No chunk says when or by what it was made.
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((&png[1..4], number(16)), (&b"PNG"[..], 1920));
    let height: u32 = String::from_utf8(plot::svg(figure))
        .expect("it is text")
        .split("height=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next().map(str::to_string))
        .and_then(|text| text.parse().ok())
        .expect("it has a height");
    assert_eq!(number(20), 2 * height);
    for chunk in [&b"tEXt"[..], b"tIME", b"iTXt", b"zTXt"] {
        assert!(!png.windows(4).any(|bytes| bytes == chunk), "{chunk:?}");
    }
}

#[test]
fn odd_numbers_are_drawn_without_panic() {
    let (_, figures) = of(run);
    let plain = named(&figures, "latency");
    let odd = [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, 1e-300, 5.0];
    for scale in [Scale::Linear, Scale::Log, Scale::Names(vec!["a".into(), "b".into()]), Scale::Names(Vec::new())] {
        for mark in [Mark::Line, Mark::Step, Mark::Dots, Mark::Bars, Mark::Dashed] {
            for count in 0..odd.len() {
                let mut figure = plain.clone();
                figure.x.scale = scale.clone();
                figure.panels[0].y.scale = if mark == Mark::Bars { Scale::Linear } else { scale.clone() };
                let point = |at: usize| Point {
                    x: odd[(at + count) % odd.len()],
                    y: odd[at],
                    x_interval: Some((odd[at], 1.0)),
                    y_interval: Some((f64::NEG_INFINITY, f64::NAN)),
                    label: Some("a label that is rather long for such a small point".into()),
                };
                figure.panels[0].series[0].mark = mark;
                figure.panels[0].series[0].points = (0..count).map(point).collect();
                let text = String::from_utf8(plot::svg(&figure)).expect("it is text");
                assert!(!text.contains("NaN") && !text.contains("inf\""), "{scale:?} {mark:?} {count}");
            }
        }
    }
}

fn start(arguments: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dynamo-sim"));
    command.args(arguments).current_dir(directory).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn figures_go_beside_the_results_and_are_named() {
    let directory = folder();
    run(&directory.path().join("small/run-7"));
    sweep(&directory.path().join("small/sweep"));
    let output = start(&["plot", "small", "--format", "svg"], directory.path());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let listed = text(&output.stdout);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 9);
    assert_eq!(lines[0], "small/figures/run-7-timeline.svg");
    assert_eq!(lines[3], "small/figures/trade-off-get.svg");
    assert!(lines.iter().all(|line| directory.path().join(line).is_file()));
    let said = text(&output.stderr);
    assert!(said.contains("small/sweep: nothing to show for latency-put, latency-update, balance"), "{said}");
    let again = start(&["plot", "small/sweep", "--figure", "visibility", "-o", "out"], directory.path());
    assert_eq!(text(&again.stdout), "out/visibility.svg\nout/visibility.png\n");
    let read = |path: &str| fs::read(directory.path().join(path)).expect("it is there");
    assert_eq!(read("out/visibility.svg"), read("small/figures/visibility.svg"), "another process, the same bytes");
    let one = start(&["plot", "small/sweep", "--y", "stale.fraction", "--x", "r", "--format", "svg"], directory.path());
    assert_eq!(text(&one.stdout), "small/figures/stale-fraction-against-r.svg\n", "{}", text(&one.stderr));
}

#[test]
fn bad_results_are_refused_with_their_place() {
    type Change = fn(&Path);
    let cases: [(&str, Change, &[&str], i32, &str); 12] = [
        ("nothing", |_| {}, &["empty"], 2, "empty: "),
        (
            "no results",
            |at| fs::create_dir(at.join("empty")).unwrap(),
            &["empty"],
            2,
            "holds no results of a run or a sweep",
        ),
        (
            "ragged",
            |at| write(&at.join("r"), &[("timeline.csv", "at_ms,faults\n0,\n1\n")]),
            &["r"],
            2,
            "timeline.csv:3: ",
        ),
        (
            "no number",
            |at| write(&at.join("r"), &[("staleness.csv", "after_ms,fresh\n0,1\n1,x1\n")]),
            &["r"],
            2,
            "staleness.csv:3: fresh is no number (got \"x1\")",
        ),
        ("no JSON", |at| write(&at.join("r"), &[("summary.json", "{")]), &["r"], 2, "summary.json: "),
        ("missing", |at| fs::remove_file(at.join("r/latency.csv")).unwrap(), &["r"], 2, "latency.csv: "),
        (
            "other version",
            |at| write(&at.join("r"), &[("manifest.json", r#"{ "program": "dynamo-sim 0.0.0" }"#)]),
            &["r"],
            2,
            "results of dynamo-sim 0.0.0",
        ),
        ("no figure", |_| {}, &["r", "--figure", "timelin"], 2, "did you mean `timeline`?"),
        ("no metric", |_| {}, &["s", "--y", "stale.fraktion", "--x", "r"], 2, "did you mean `stale.fraction`?"),
        ("no sweep", |_| {}, &["r", "--y", "stale.fraction", "--x", "r"], 2, "need results of a sweep"),
        ("two of a name", |at| sweep(&at.join("t")), &["s", "t", "-o", "out"], 2, "would both be"),
        ("no place", |at| fs::write(at.join("out"), "").unwrap(), &["r", "-o", "out"], 4, "out"),
    ];
    for (name, change, arguments, code, says) in cases {
        let directory = folder();
        run(&directory.path().join("r"));
        sweep(&directory.path().join("s"));
        change(directory.path());
        let output = start(&[&["plot"], arguments].concat(), directory.path());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        assert!(said.contains(says) && !said.contains("panicked"), "{name}: {said}");
        assert!(output.stdout.is_empty(), "{name}");
        assert!(!directory.path().join("figures").exists(), "{name}: nothing is written");
    }
}

#[test]
fn a_real_run_has_figures() {
    let directory = folder();
    let scenario = r#"{ "version": 1, "duration": "3s", "settle": "1s", "cluster": { "nodes": 5 },
      "clients": [ { "name": "users", "arrival": { "open": { "rate": "100/s" } }, "mix": { "get": 0.5, "put": 0.5 } } ],
      "script": [ { "name": "down", "at": "1s", "for": "1s", "crash": { "nodes": "n1" } } ] }"#;
    fs::write(directory.path().join("small.json"), scenario).expect("it can be written");
    let played = start(&["run", "small.json", "-q"], directory.path());
    assert_eq!(played.status.code(), Some(0), "{}", text(&played.stderr));
    let output = start(&["plot", "results/small"], directory.path());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("results/small/figures/run-1-timeline.svg\n"), "{}", text(&output.stdout));
}
