//! What the page is given: the files of a run or a sweep as one JSON value.
//!
//! The script trusts its shape, so what it relies on is looked at here, where an error can name file and line.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::report::figure::Figure;
use crate::report::results::{Results, Row, RunFiles, SweepFiles, Table};
use crate::scenario::{errors::Errors, json};

/// The data of a page.
///
/// # Errors
/// What is missing, in which file.
pub(super) fn of(results: &Results, figures: &[Figure]) -> Result<Json, String> {
    let mut data = match results {
        Results::Run(run) => of_run(run)?,
        Results::Sweep(sweep) => of_sweep(sweep)?,
    };
    data["figures"] = figures.iter().map(Figure::to_json).collect();
    Ok(data)
}

fn of_run(run: &RunFiles) -> Result<Json, String> {
    let place = run.path.join("summary.json");
    let summary = &run.summary;
    require(&place, summary, &["scenario", "status", "digest"], Json::is_string, "a text")?;
    require(&place, summary, &["seed", "virtual_ms"], Json::is_number, "a number")?;
    require(&place, summary, &["metrics", "windows", "clients", "nodes"], Json::is_object, "an object")?;
    require(&place, summary, &["expect", "notices"], Json::is_array, "a list")?;
    Ok(json!({
        "kind": "run",
        "name": summary["scenario"],
        "title": format!("run of seed {}", summary["seed"]),
        "about": about(&run.scenario),
        "summary": summary,
        "manifest": run.manifest,
        "scenario": run.scenario,
    }))
}

fn of_sweep(sweep: &SweepFiles) -> Result<Json, String> {
    let place = sweep.path.join("summary.json");
    let summary = &sweep.summary;
    require(&place, summary, &["scenario", "status"], Json::is_string, "a text")?;
    let lists = ["seeds", "axes", "settings", "skipped", "expect", "statements", "notices"];
    require(&place, summary, &lists, Json::is_array, "a list")?;
    for setting in summary["settings"].as_array().into_iter().flatten() {
        require(&place, setting, &["setting"], Json::is_u64, "a number")?;
        require(&place, setting, &["values"], Json::is_object, "an object")?;
    }
    for axis in summary["axes"].as_array().into_iter().flatten() {
        require(&place, axis, &["name"], Json::is_string, "a text")?;
        require(&place, axis, &["values"], Json::is_array, "a list")?;
    }
    if let Some(frontier) = summary.get("frontier") {
        require(&place, frontier, &["of", "best", "dominated"], Json::is_array, "a list")?;
    }
    let table = |name: &str, table: &Table| rows(&sweep.path.join(name), table);
    Ok(json!({
        "kind": "sweep",
        "name": summary["scenario"],
        "title": "sweep",
        "about": summary["about"].as_str().map(String::from).or_else(|| about(&sweep.scenario)),
        "summary": summary,
        "manifest": sweep.manifest,
        "scenario": sweep.scenario,
        "runs": sweep.runs.rows().count(),
        "tables": {
            "settings": table("summary.csv", &sweep.settings)?,
            "windows": table("windows.csv", &sweep.windows)?,
            "staleness": table("staleness.csv", &sweep.staleness)?,
            "differences": table("differences.csv", &sweep.differences)?,
        },
    }))
}

/// Fields that must be there and of one kind.
fn require(place: &Path, json: &Json, fields: &[&str], is: fn(&Json) -> bool, what: &str) -> Result<(), String> {
    match fields.iter().find(|field| !json.get(field).is_some_and(is)) {
        Some(field) => Err(format!("{}: `{field}` must be {what}; run the scenario again", place.display())),
        None => Ok(()),
    }
}

/// A table as header and rows. Cells stay texts, so that what a reader sees is what the file says.
fn rows(place: &Path, table: &Table) -> Result<Json, String> {
    if !table.has("setting") {
        return Err(format!("{}:1: there is no column `setting`; run the scenario again", place.display()));
    }
    let cells = |row: Row<'_>| table.header().iter().map(|column| row.text(column).to_string()).collect::<Vec<_>>();
    Ok(json!({ "header": table.header(), "rows": table.rows().map(cells).collect::<Vec<_>>() }))
}

/// What the scenario says of itself. A file that a run was made from can be read; if it cannot, nothing is said.
fn about(scenario: &str) -> Option<String> {
    let tree = json::parse(scenario, true, &mut Errors::new("scenario.json", scenario))?;
    tree.get("about")?.as_text().map(String::from)
}
