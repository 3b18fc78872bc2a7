//! Pages of results: they hold what the files say and nothing else, and a browser without a network shows it.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::disallowed_types,
    reason = "tests look for a browser, start programs, say what they left out, and share one sweep"
)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// A text that would do something if it became markup.
const EVIL: &str = "</script><script>alert(1)</script><!--<b>";

/// Six settings of N, R and W with a node down for a while, and combinations that cannot be.
const SWEEP: &str = r#"{
  "version": 1, "name": "choice", "about": ABOUT,
  "duration": "3s", "settle": "1s",
  "cluster": { "nodes": 5, "replication": { "quorum": "strict" } },
  "network": { "within_region": { "lognormal": { "median": "500us", "p99": "9ms" } } },
  "clients": [ { "name": "users", "count": 10, "arrival": { "open": { "rate": "600/s" } }, "keys": { "uniform": { "count": 20 } }, "mix": { "get": 0.6, "update": 0.4 } } ],
  "script": [ { "name": "down", "at": "1s", "for": "1s", "crash": { "nodes": "1 of all" } } ],
  "expect": [ { "property": "regular" }, { "metric": "stale.reads", "where": { "n": 3, "r": 3 }, "equals": 0 } ],
  "sweep": { "seeds": 2, "axes": [
    { "name": "n", "path": "cluster.replication.n", "values": [2, 3] },
    { "name": "r", "path": "cluster.replication.r", "values": [1, 3] },
    { "name": "w", "path": "cluster.replication.w", "values": [1, 2] }
  ] }
}"#;

/// One run of the same.
fn single() -> String {
    let mut scenario: Json =
        serde_json::from_str(&SWEEP.replace("ABOUT", &json!(EVIL).to_string())).expect("it is JSON");
    let scenario = scenario.as_object_mut().expect("an object");
    scenario.remove("sweep");
    scenario.remove("expect");
    json!(scenario).to_string()
}

fn dynamo_sim(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dynamo-sim"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it prints text")
}

/// Results of a scenario, in a folder of their own.
fn results(scenario: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder for results");
    fs::write(folder.path().join("choice.json"), scenario).expect("it can be written");
    let run = dynamo_sim(folder.path(), &["run", "choice.json", "--quiet"]);
    assert_ne!(run.status.code(), Some(2), "{}", text(&run.stderr));
    folder
}

/// Results of the sweep: a copy, since all tests want them.
fn sweep() -> TempDir {
    static PLAYED: OnceLock<TempDir> = OnceLock::new();
    let played = PLAYED.get_or_init(played_sweep).path();
    let folder = tempfile::tempdir().expect("a folder for results");
    let files =
        |below: &str| fs::read_dir(played.join(below)).expect("it is there").map(|entry| entry.expect("an entry"));
    fs::create_dir_all(folder.path().join("results/choice/sweep")).expect("it can be made");
    for file in files("").chain(files("results/choice/sweep")).map(|entry| entry.path()).filter(|path| path.is_file()) {
        let below = file.strip_prefix(played).expect("it lies below");
        fs::copy(&file, folder.path().join(below)).expect("it can be copied");
    }
    folder
}

fn played_sweep() -> TempDir {
    results(&SWEEP.replace("ABOUT", &json!(EVIL).to_string()))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The page of what lies in the folder.
fn page(folder: &Path) -> (PathBuf, String) {
    let report = dynamo_sim(folder, &["report", "results/choice"]);
    assert_eq!(report.status.code(), Some(0), "{}", text(&report.stderr));
    let path = folder.join(text(&report.stdout).trim());
    let html = read(&path);
    (path, html)
}

/// The data that a page holds.
fn data(html: &str) -> Json {
    const BEGIN: &str = "<script type=\"application/json\" id=\"data\">";
    let begin = html.find(BEGIN).expect("a page has data") + BEGIN.len();
    let end = begin + html[begin..].find("</script>").expect("the data end");
    serde_json::from_str(&html[begin..end]).expect("they are JSON")
}

/// Rows of a CSV file under their names.
fn csv(path: &Path) -> Vec<Vec<(String, String)>> {
    let mut reader = csv::Reader::from_path(path).expect("it is there");
    let header: Vec<String> = reader.headers().expect("a header").iter().map(String::from).collect();
    let rows = reader.records().map(|row| row.expect("a row"));
    rows.map(|row| header.iter().cloned().zip(row.iter().map(String::from)).collect()).collect()
}

fn cell<'a>(row: &'a [(String, String)], column: &str) -> &'a str {
    row.iter().find(|(name, _)| name == column).map_or("", |(_, value)| value)
}

#[test]
fn the_page_of_a_sweep_holds_its_files_word_by_word() {
    let folder = sweep();
    let (path, html) = page(folder.path());
    assert_eq!(path, folder.path().join("results/choice/report.html"));
    let data = data(&html);
    let of = folder.path().join("results/choice/sweep");
    let json = |name: &str| serde_json::from_str::<Json>(&read(&of.join(name))).expect("it is JSON");
    assert_eq!((&data["kind"], &data["name"], &data["about"]), (&json!("sweep"), &json!("choice"), &json!(EVIL)));
    assert_eq!(data["summary"], json("summary.json"));
    assert_eq!(data["manifest"], json("manifest.json"));
    assert_eq!(data["scenario"], read(&folder.path().join("choice.json")));
    let tables =
        [("settings", "summary"), ("windows", "windows"), ("staleness", "staleness"), ("differences", "differences")];
    for (table, file) in tables {
        let rows = csv(&of.join(format!("{file}.csv")));
        assert!(!rows.is_empty(), "{file}.csv has rows");
        let shown: Vec<Vec<&str>> =
            rows.iter().map(|row| row.iter().map(|(_, cell)| cell.as_str()).collect()).collect();
        assert_eq!(data["tables"][table]["rows"], json!(shown), "{table}");
        let names: Vec<&str> = rows[0].iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(data["tables"][table]["header"], json!(names), "{table}");
    }
    assert_eq!(data["runs"], csv(&of.join("runs.csv")).len());
    assert!(data["figures"].as_array().is_some_and(|figures| figures.len() > 2));
}

#[test]
fn a_page_is_whole_in_itself_and_no_text_becomes_markup() {
    for folder in [sweep(), results(&single())] {
        let (_, html) = page(folder.path());
        assert_eq!(data(&html)["about"], EVIL);
        assert_eq!(html.matches("<script").count(), 2, "its data and its own");
        assert_eq!(html.matches("</script").count(), 2);
        assert_eq!(html.matches("<!--").count(), 0);
        assert!(html.contains("default-src 'none'"), "a page may load nothing");
        assert!(!html.contains("alert(1)</"), "the text stands in JSON only");
        assert_eq!(html.matches("http").count() - html.matches("http-equiv").count(), 1, "the name of SVG");
        let here = folder.path().to_str().expect("a path is text");
        assert!(!html.contains(here), "where it was made is not said");
    }
}

#[test]
fn a_page_is_the_same_bytes_each_time_and_anywhere() {
    let (first, second) = (played_sweep(), played_sweep());
    let (path, html) = page(first.path());
    assert_eq!(html, page(first.path()).1);
    assert_eq!(html, page(second.path()).1);
    let other = dynamo_sim(first.path(), &["report", "results/choice/sweep", "-o", "other.html"]);
    assert_eq!((other.status.code(), text(&other.stdout)), (Some(0), "other.html\n"));
    assert_eq!(read(&first.path().join("other.html")), html);
    let names = fs::read_dir(path.parent().expect("a folder")).expect("it is there");
    assert!(
        names
            .map(|entry| entry.expect("an entry").file_name())
            .all(|name| !name.to_string_lossy().ends_with(".partial"))
    );
}

#[test]
fn each_result_of_a_folder_has_its_page() {
    let folder = sweep();
    let run = dynamo_sim(
        folder.path(),
        &["run", "choice.json", "--seed", "7", "-q", "--set", "sweep.axes=[]", "--set", "expect=[]"],
    );
    assert!(matches!(run.status.code(), Some(0 | 3)), "{}", text(&run.stderr));
    let report = dynamo_sim(folder.path(), &["report", "results/choice"]);
    assert_eq!(
        text(&report.stdout),
        "results/choice/run-7.html\nresults/choice/report.html\n",
        "{}",
        text(&report.stderr)
    );
    let run = data(&read(&folder.path().join("results/choice/run-7.html")));
    let summary = read(&folder.path().join("results/choice/run-7/summary.json"));
    assert_eq!((&run["kind"], &run["summary"]), (&json!("run"), &serde_json::from_str(&summary).expect("it is JSON")));
    let one = dynamo_sim(folder.path(), &["report", "results/choice", "-o", "one.html"]);
    assert_eq!(one.status.code(), Some(2));
    assert!(text(&one.stderr).contains("several results"), "{}", text(&one.stderr));
    assert!(!folder.path().join("one.html").exists());
}

#[test]
fn what_cannot_be_read_or_written_is_said_and_leaves_nothing() {
    let folder = sweep();
    let refused = |status: i32, says: &str, arguments: &[&str]| {
        let report = dynamo_sim(folder.path(), &[&["report"], arguments].concat());
        assert_eq!(report.status.code(), Some(status), "{}", text(&report.stderr));
        assert!(text(&report.stderr).contains(says), "{says}: {}", text(&report.stderr));
        assert!(report.stdout.is_empty());
        assert!(!folder.path().join("results/choice/report.html").exists());
    };
    refused(2, "holds no results", &["results"]);
    refused(2, "nowhere", &["nowhere"]);
    refused(4, "no/such/page.html", &["results/choice", "-o", "no/such/page.html"]);
    let damage = |file: &str, from: &str, to: &str, says: &str| {
        let path = folder.path().join("results/choice/sweep").join(file);
        let whole = read(&path);
        assert!(whole.contains(from), "{file} has `{from}`");
        fs::write(&path, whole.replacen(from, to, 1)).expect("it can be written");
        refused(2, says, &["results/choice"]);
        fs::write(&path, whole).expect("it can be written");
    };
    damage("summary.csv", "\n1,", "\none,", "summary.csv:3: setting is no number");
    damage("windows.csv", "\n0,", "\n0,0,", "windows.csv:2:");
    damage("summary.json", "\"settings\"", "\"wettings\"", "summary.json: `settings` must be a list");
    damage("summary.json", "{", "", "summary.json:");
    damage("manifest.json", "dynamo-sim ", "dynamo-sim 9", "manifest.json: results of dynamo-sim 9");
    page(folder.path());
}

// What follows needs a browser.

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|place| place.is_file());
    if found.is_none() {
        // Past the test harness, which shows what tests print only when they fail.
        let _ = std::io::stderr().write_all(
            b"\n*** SKIPPED: there is no chromium in PATH, so nobody has looked at a page (apt-get install chromium)\n\n",
        );
    }
    found
}

/// Written into a copy of the page before everything else: what goes wrong is kept.
const GUARD: &str = r#"<script>
window.wrong = [];
addEventListener("error", (event) => wrong.push(String(event.message)));
addEventListener("unhandledrejection", (event) => wrong.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => wrong.push(`loads ${event.blockedURI}`));
console.error = (...all) => wrong.push(all.join(" "));
console.warn = console.error;
window.alert = () => wrong.push("alert");
</script>"#;

/// What the script comes to, run at the end of a copy of the page in a browser without a network.
fn seen(browser: &Path, html: &str, script: &str, options: &[&str]) -> Json {
    let folder = tempfile::tempdir().expect("a folder for the copy");
    let script = format!(
        "<script>let outcome; try {{ outcome = (() => {{ {script} }})(); }} catch (error) {{ wrong.push(String(error.stack)); }}\n\
         document.body.replaceChildren(Object.assign(document.createElement('pre'), \
         {{ id: 'outcome', textContent: JSON.stringify({{ wrong, outcome }}) }}));</script></body>"
    );
    let html = html.replacen("<meta name=\"viewport\"", &format!("{GUARD}<meta name=\"viewport\""), 1);
    let (before, after) = html.rsplit_once("</body>").expect("a page has a body");
    let copy = folder.path().join("copy.html");
    fs::write(&copy, format!("{before}{script}{after}")).expect("it can be written");
    let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
    let dump = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--proxy-server=127.0.0.1:9"])
        .args(["--window-size=1200,900", "--virtual-time-budget=3000", profile.as_str()])
        .args(options)
        .arg("--dump-dom")
        .arg(format!("file://{}", copy.display()))
        .output()
        .expect("the browser starts");
    let dom = String::from_utf8_lossy(&dump.stdout);
    let begin =
        dom.find("<pre id=\"outcome\">").unwrap_or_else(|| panic!("{dom}\n{}", String::from_utf8_lossy(&dump.stderr)));
    let outcome = &dom[begin + "<pre id=\"outcome\">".len()..];
    let outcome = outcome.split("</pre>").next().expect("it ends");
    let outcome = outcome.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let outcome: Json = serde_json::from_str(&outcome).expect("it is JSON");
    assert_eq!(outcome["wrong"], json!([]), "nothing goes wrong");
    outcome["outcome"].clone()
}

/// The numbers that the chooser shows for each setting, reached by its buttons.
const CHOOSE: &str = r##"
  const pick = (axis, value) => {
    const input = document.querySelector(`input[data-axis="${axis}"][value="${value}"]`);
    if (!input.checked) input.click();
    return input.disabled;
  };
  const all = [];
  for (const setting of JSON.parse(document.getElementById("data").textContent).summary.settings) {
    // By way of what every N has.
    pick("w", 1); pick("r", 1);
    pick("n", setting.n); pick("r", setting.r); pick("w", setting.w);
    const rows = [...document.querySelectorAll(".meets tr[data-metric]")].map((row) => {
      const number = (place) => { const data = row.querySelector(`${place} data`); return data && Number(data.value); };
      return [row.dataset.metric, { now: number(".now-cell"), difference: number(".difference"), text: row.querySelector(".now-cell").textContent }];
    });
    all.push({ setting: setting.setting, chosen: Number(document.getElementById("chosen").value), guarantee: document.getElementById("guarantee").textContent, rows: Object.fromEntries(rows) });
  }
  pick("r", 1); pick("n", 3); pick("w", 1); pick("w", 2);
  const neighbour = document.querySelector('tr[data-metric="put.latency.p50_ms"] .difference');
  const paired = { value: Number(neighbour.querySelector("data").value), text: neighbour.textContent };
  document.getElementById("pin").click();
  pick("r", 3);
  const pinned = document.querySelector(".pins .link").textContent;
  document.getElementById("unpin").click();
  pick("w", 1); pick("r", 1); pick("n", 2);
  const isDisabled = document.querySelector('input[data-axis="r"][value="3"]').disabled;
  const reasons = document.querySelector(".reasons").textContent;
  const slider = document.getElementById("after");
  slider.value = slider.max;
  slider.dispatchEvent(new Event("input"));
  const last = document.querySelector('tr[data-metric="fresh.after"]');
  return { all, paired, pinned, isDisabled, reasons, last: { label: last.querySelector("th").textContent, value: last.querySelector(".now-cell data") && Number(last.querySelector(".now-cell data").value) } };
"##;

#[test]
fn the_chooser_shows_the_numbers_of_the_files() {
    let Some(browser) = browser() else { return };
    let folder = sweep();
    let (_, html) = page(folder.path());
    let seen = seen(&browser, &html, CHOOSE, &[]);
    let of = folder.path().join("results/choice/sweep");
    let number = |text: &str| text.parse::<f64>().map_or(Json::Null, |value| json!(value));
    let value = |json: &Json| json.as_f64().map_or(Json::Null, |value| json!(value));
    let rows = csv(&of.join("summary.csv"));
    assert_eq!(seen["all"].as_array().map(Vec::len), Some(rows.len()));
    assert_eq!(rows.len(), 6);
    let mut differences = 0;
    for (row, shown) in rows.iter().zip(seen["all"].as_array().expect("a list")) {
        assert_eq!((number(cell(row, "setting")), &shown["setting"]), (value(&shown["chosen"]), &shown["chosen"]));
        for metric in ["stale.fraction", "get.latency.p50_ms", "update.latency.p99_ms", "put.latency.p50_ms"] {
            assert_eq!(value(&shown["rows"][metric]["now"]), number(cell(row, metric)), "{metric}");
        }
        let setting = cell(row, "setting");
        let fresh = csv(&of.join("staleness.csv"));
        let fresh = fresh.iter().find(|row| cell(row, "setting") == setting && cell(row, "after_ms") == "0");
        if let Some(fresh) = fresh {
            assert_eq!(value(&shown["rows"]["fresh.0"]["now"]), number(cell(fresh, "fresh")));
        }
        let windows = csv(&of.join("windows.csv"));
        let down = windows.iter().find(|row| cell(row, "setting") == setting && cell(row, "window") == "down");
        let down = cell(down.expect("the fault has a window"), "update.success");
        assert_eq!(value(&shown["rows"]["worst.update"]["now"]), number(down));
        let said = shown["rows"]["worst.update"]["text"].as_str().expect("a text");
        assert!(said.ends_with("in down"), "{said}");
        let [n, r, w] = ["n", "r", "w"].map(|axis| cell(row, axis).parse::<u32>().expect("a number"));
        let guarantee = shown["guarantee"].as_str().expect("a text");
        assert_eq!(guarantee.contains("regular"), r + w > n, "{guarantee}");
        differences += usize::from(!shown["rows"]["get.latency.p50_ms"]["difference"].is_null());
    }
    assert_eq!(differences, rows.len() - 1, "each but the first is compared with the one before");
    let differences = csv(&of.join("differences.csv"));
    let is_pair = |row: &&Vec<(String, String)>| {
        let expected = [("setting", "3"), ("versus", "2"), ("axis", "w"), ("metric", "put.latency.p50_ms")];
        expected.iter().all(|(column, value)| cell(row, column) == *value)
    };
    let pair = differences.iter().find(is_pair).expect("they differ in w only");
    assert_eq!(value(&seen["paired"]["value"]), number(cell(pair, "difference")));
    let said = seen["paired"]["text"].as_str().expect("a text");
    assert!(said.starts_with('+') && said.ends_with(']') && said.contains(" ms ["), "{said}");
    assert_eq!(seen["pinned"], "n=3 r=1 w=2");
    assert_eq!(seen["isDisabled"], true);
    assert!(
        seen["reasons"].as_str().is_some_and(|text| text.contains("R = 3: skipped: cluster.replication.r")),
        "{}",
        seen["reasons"]
    );
    let fresh = csv(&of.join("staleness.csv"));
    let time = |row: &Vec<(String, String)>| cell(row, "after_ms").parse::<f64>().expect("a time");
    let latest = fresh.iter().map(time).fold(0.0, f64::max);
    let last = fresh.iter().find(|row| cell(row, "setting") == "0" && time(row) == latest);
    assert_eq!(
        value(&seen["last"]["value"]),
        last.map_or(Json::Null, |row| number(cell(row, "fresh"))),
        "{}",
        seen["last"]
    );
}

/// Pointing, switching off, zooming, with pointer and keyboard.
const CHARTS: &str = r##"
  const charts = [...document.querySelectorAll("figure.chart")];
  const drawn = charts.map((chart) => [chart.dataset.figure, chart.querySelectorAll("svg .series path, svg .series rect").length]);
  const chart = charts.find((one) => one.dataset.figure === FIGURE);
  const root = () => chart.querySelector(".plot > svg");
  const ticks = () => [...root().querySelectorAll('.tick[data-axis="x"]')].map((tick) => tick.textContent).join(" ");
  const at = (type, x, y) => root().dispatchEvent(new PointerEvent(type, { bubbles: true, button: 0, clientX: x, clientY: y }));
  const tip = chart.querySelector(".tip");
  const mark = root().querySelector(".series .mark").getBoundingClientRect();
  const before = tip.hidden;
  at("pointermove", mark.left + mark.width / 2, mark.top + mark.height / 2);
  const hover = { before, hidden: tip.hidden, text: tip.textContent, inside: tip.getBoundingClientRect().left >= 0, cross: root().querySelectorAll(".cross path").length };
  at("pointerleave", 0, 0);
  const left = tip.hidden;
  root().focus();
  root().dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true, cancelable: true }));
  const keyed = { hidden: tip.hidden, said: document.getElementById("said").textContent };
  const entry = chart.querySelector(".entry");
  const name = entry.dataset.series;
  const count = () => [...root().querySelectorAll(".series")].filter((series) => series.dataset.series === name).length;
  const series = [count()];
  entry.click(); series.push(count());
  const pressed = entry.getAttribute("aria-pressed");
  entry.click(); series.push(count());
  const axis = [ticks()];
  const box = root().getBoundingClientRect();
  const middle = box.top + box.height / 2;
  at("pointerdown", box.left + box.width * 0.4, middle);
  at("pointermove", box.left + box.width * 0.6, middle);
  at("pointerup", box.left + box.width * 0.6, middle);
  axis.push(ticks());
  root().dispatchEvent(new MouseEvent("dblclick", { bubbles: true })); axis.push(ticks());
  chart.querySelector(".tools button").click(); axis.push(ticks());
  chart.querySelector(".tools button:last-child").click(); axis.push(ticks());
  const sizes = { page: document.documentElement.scrollWidth, window: innerWidth };
  const dark = getComputedStyle(document.body).backgroundColor;
  const ink = getComputedStyle(document.body).color;
  return { drawn, hover, left, keyed, name, series, pressed, axis, sizes, dark, ink };
"##;

fn look_at_charts(html: &str, figure: &str, browser: &Path, options: &[&str]) -> Json {
    let seen = seen(browser, html, &CHARTS.replace("FIGURE", &json!(figure).to_string()), options);
    let figures = data(html)["figures"].as_array().map(Vec::len);
    let drawn = seen["drawn"].as_array().expect("a list");
    assert_eq!(Some(drawn.len()), figures);
    assert!(drawn.iter().all(|chart| chart[1].as_u64().is_some_and(|marks| marks > 0)), "{drawn:?}");
    assert_eq!(
        (&seen["hover"]["before"], &seen["hover"]["hidden"], &seen["left"]),
        (&json!(true), &json!(false), &json!(true))
    );
    assert_eq!(seen["hover"]["cross"], 1, "{seen}");
    assert_eq!(seen["keyed"]["hidden"], false);
    assert!(seen["keyed"]["said"].as_str().is_some_and(|said| said.contains("ms")), "{seen}");
    let series: Vec<u64> = seen["series"].as_array().into_iter().flatten().filter_map(Json::as_u64).collect();
    assert!(series[0] > 0 && series[1] == 0 && series[2] == series[0], "{seen}");
    assert_eq!(seen["pressed"], "false");
    let axis = seen["axis"].as_array().expect("a list");
    assert!(axis[1] != axis[0] && axis[2] == axis[0] && axis[3] != axis[0] && axis[4] == axis[0], "{axis:?}");
    assert!(
        seen["sizes"]["page"].as_u64() <= seen["sizes"]["window"].as_u64(),
        "nothing stands out: {}",
        seen["sizes"]
    );
    seen
}

#[test]
fn charts_answer_to_pointer_and_keyboard() {
    let Some(browser) = browser() else { return };
    let folder = sweep();
    let (_, html) = page(folder.path());
    let seen = look_at_charts(&html, "latency-get", &browser, &[]);
    let figures = data(&html)["figures"].as_array().expect("a list").clone();
    let figure = figures.iter().find(|figure| figure["name"] == "latency-get").expect("gets have latencies");
    let tip = seen["hover"]["text"].as_str().expect("a text");
    let names = figure["panels"][0]["series"].as_array().expect("a list");
    assert!(names.iter().any(|series| tip.contains(series["name"].as_str().expect("a name"))), "{tip}");
    assert!(tip.contains(figure["x"]["label"].as_str().expect("a label")), "{tip}");
    assert_eq!((&seen["dark"], &seen["ink"]), (&json!("rgb(255, 255, 255)"), &json!("rgb(26, 29, 33)")));
}

#[test]
fn a_run_is_shown_in_the_dark_and_on_a_telephone() {
    let Some(browser) = browser() else { return };
    let folder = results(&single());
    let (path, html) = page(folder.path());
    assert_eq!(path, folder.path().join("results/choice/run-1.html"));
    // 500 is the least width of a window that this browser makes.
    let options = ["--blink-settings=preferredColorScheme=0", "--window-size=500,800"];
    let seen = look_at_charts(&html, "latency", &browser, &options);
    assert_eq!((&seen["dark"], &seen["ink"]), (&json!("rgb(20, 23, 26)"), &json!("rgb(232, 234, 237)")));
}

/// Texts of the page, the tables of a run, sorting, and the scenario as it was given.
const TEXTS: &str = r##"
  const number = (metric, place) => Number(document.querySelectorAll(`#numbers details tr[data-metric="${metric}"] td`)[place].querySelector("data").value);
  const header = [...document.querySelectorAll("#numbers thead")][0];
  const first = () => document.querySelector("#numbers tbody tr").dataset.metric;
  const order = [first()];
  header.querySelector("th:nth-child(1) button").click(); order.push(first());
  header.querySelector("th:nth-child(1) button").click(); order.push(first());
  const filter = document.getElementById("windows-filter");
  filter.value = "stale.reads"; filter.dispatchEvent(new Event("input"));
  const left = [...document.querySelectorAll("#numbers details:first-of-type tbody tr")].filter((row) => !row.hidden).map((row) => row.dataset.metric);
  return {
    lead: document.querySelector(".lead").textContent, title: document.title, bold: document.querySelectorAll("b:not(.tip b)").length,
    scenario: document.querySelector("#scenario pre").textContent, gets: number("get.count", 0), order, left,
    names: [...header.querySelectorAll("th")].map((th) => th.textContent), ids: [...document.querySelectorAll("[id]")].map((one) => one.id),
  };
"##;

#[test]
fn texts_are_texts_and_tables_are_sorted_and_searched() {
    let Some(browser) = browser() else { return };
    let folder = results(&single());
    let (_, html) = page(folder.path());
    let seen = seen(&browser, &html, TEXTS, &[]);
    assert_eq!((&seen["lead"], &seen["bold"]), (&json!(EVIL), &json!(0)));
    assert_eq!(seen["scenario"], read(&folder.path().join("choice.json")));
    let summary: Json =
        serde_json::from_str(&read(&folder.path().join("results/choice/run-1/summary.json"))).expect("JSON");
    assert_eq!(seen["gets"].as_f64(), summary["metrics"]["get.count"].as_f64());
    let mut metrics: Vec<&String> = summary["metrics"].as_object().expect("an object").keys().collect();
    metrics.sort();
    assert_eq!(seen["order"][1], *metrics[0]);
    assert!(seen["order"][2].as_str() > seen["order"][1].as_str());
    assert_eq!(seen["left"], json!(["stale.reads"]));
    assert!(seen["names"].as_array().is_some_and(|names| names.iter().any(|name| name == "down")), "{}", seen["names"]);
    let mut ids: Vec<&str> = seen["ids"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id is there once");
}
