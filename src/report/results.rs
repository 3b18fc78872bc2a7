//! Results on disk, read back: what figures, pages and merged sweeps are made from.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::run_dir::{program, sorted_entries};
use super::sweep::journal::COMPLETE;

/// Rows of a CSV file under their names.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    /// The line of the file that each row begins at.
    lines: Vec<u64>,
}

impl Table {
    /// Reads a CSV text; `name` is said where it is wrong.
    ///
    /// # Errors
    /// File, line and what is wrong.
    pub fn parse(name: &str, text: &[u8]) -> Result<Table, String> {
        let mut reader = csv::ReaderBuilder::new().from_reader(text);
        let header = reader.headers().map_err(|error| format!("{name}:1: {error}"))?;
        let header = header.iter().map(String::from).collect();
        let (mut rows, mut lines) = (Vec::new(), Vec::new());
        for record in reader.records() {
            let record = record.map_err(|error| {
                let line = error.position().map_or(0, csv::Position::line);
                format!("{name}:{line}: {error}")
            })?;
            lines.push(record.position().map_or(0, csv::Position::line));
            rows.push(record.iter().map(String::from).collect());
        }
        Ok(Table { header, rows, lines })
    }

    /// The same, if all cells are numbers or empty except in columns of texts.
    ///
    /// # Errors
    /// File, line, column and what is there instead of a number.
    pub fn with_numbers(self, name: &str, is_text: impl Fn(&str) -> bool) -> Result<Table, String> {
        for (row, line) in self.rows.iter().zip(&self.lines) {
            for (column, cell) in self.header.iter().zip(row) {
                if !cell.is_empty() && cell.parse::<f64>().is_err() && !is_text(column) {
                    let shown: String = cell.chars().take(40).collect();
                    return Err(format!("{name}:{line}: {column} is no number (got {shown:?})"));
                }
            }
        }
        Ok(self)
    }

    /// Names of the columns, in order.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The rows, in order.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| Row { table: self, cells })
    }

    /// Whether it has a column.
    pub fn has(&self, column: &str) -> bool {
        self.header.iter().any(|name| name == column)
    }
}

/// One row of a table.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    table: &'a Table,
    cells: &'a [String],
}

impl<'a> Row<'a> {
    /// The text of a cell; empty if there is no such column.
    pub fn text(&self, column: &str) -> &'a str {
        let at = self.table.header.iter().position(|name| name == column);
        at.and_then(|at| self.cells.get(at)).map_or("", String::as_str)
    }

    /// The number of a cell, if it holds one.
    pub fn number(&self, column: &str) -> Option<f64> {
        self.text(column).parse().ok()
    }
}

/// One run: `results/<name>/run-<seed>`.
#[derive(Clone, PartialEq, Debug)]
pub struct RunFiles {
    /// Where it lies.
    pub path: PathBuf,
    /// What was run, by what.
    pub manifest: Json,
    /// `summary.json`.
    pub summary: Json,
    /// `timeline.csv`.
    pub timeline: Table,
    /// `latency.csv`.
    pub latency: Table,
    /// `staleness.csv`.
    pub staleness: Table,
    /// The scenario's text.
    pub scenario: String,
}

/// A sweep: `results/<name>/sweep`.
#[derive(Clone, PartialEq, Debug)]
pub struct SweepFiles {
    /// Where it lies.
    pub path: PathBuf,
    /// What was run, by what.
    pub manifest: Json,
    /// `summary.json`: axes, settings, verdicts, frontier.
    pub summary: Json,
    /// `runs.csv`: a row a run.
    pub runs: Table,
    /// `summary.csv`: a row a setting.
    pub settings: Table,
    /// `windows.csv`: a row a setting and window.
    pub windows: Table,
    /// `latency.csv`: quantiles by setting.
    pub latency: Table,
    /// `staleness.csv`: freshness by setting.
    pub staleness: Table,
    /// `differences.csv`: neighbouring settings, paired by seed.
    pub differences: Table,
    /// The scenario's text.
    pub scenario: String,
}

/// Columns that hold texts, besides those of axes.
const TEXTS: [&str; 10] =
    ["digest", "status", "faults", "op", "outcome", "window", "axis", "metric", "quorum", "versus"];

/// What a directory of results holds.
#[derive(Clone, PartialEq, Debug)]
pub enum Results {
    /// One run.
    Run(Box<RunFiles>),
    /// All runs of a sweep.
    Sweep(Box<SweepFiles>),
}

impl Results {
    /// Where they lie.
    pub fn path(&self) -> &Path {
        match self {
            Results::Run(run) => &run.path,
            Results::Sweep(sweep) => &sweep.path,
        }
    }

    /// Reads one directory: of a run or of a sweep.
    ///
    /// # Errors
    /// What is missing, damaged or of another version of the program, and in which file.
    pub fn read(path: &Path) -> Result<Results, String> {
        let text = |name: &str| {
            let path = path.join(name);
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let json = |name: &str| -> Result<Json, String> {
            serde_json::from_str(&text(name)?).map_err(|error| format!("{}: {error}", path.join(name).display()))
        };
        let table = |name: &str, texts: &[String]| {
            let place = path.join(name).display().to_string();
            let is_text = |column: &str| TEXTS.contains(&column) || texts.iter().any(|text| text == column);
            Table::parse(&place, text(name)?.as_bytes())?.with_numbers(&place, is_text)
        };
        let manifest = json("manifest.json")?;
        let of = manifest["program"].as_str().unwrap_or("an unknown program");
        if of != program() {
            let place = path.join("manifest.json");
            return Err(format!(
                "{}: results of {of}; this is {} – run the scenario again",
                place.display(),
                program()
            ));
        }
        if !manifest["shard"].is_null() {
            return Err(format!("{}: is a shard of a sweep; `merge` joins it with the others", path.display()));
        }
        let is_sweep = manifest["files"].get("runs.csv").is_some();
        if !is_sweep {
            return Ok(Results::Run(Box::new(RunFiles {
                summary: json("summary.json")?,
                timeline: table("timeline.csv", &[])?,
                latency: table("latency.csv", &[])?,
                staleness: table("staleness.csv", &[])?,
                scenario: text("scenario.json")?,
                path: path.to_path_buf(),
                manifest,
            })));
        }
        let summary = json("summary.json")?;
        let axes = summary["axes"].as_array().map_or(&[][..], Vec::as_slice);
        let axes: Vec<String> = axes.iter().filter_map(|axis| axis["name"].as_str().map(String::from)).collect();
        Ok(Results::Sweep(Box::new(SweepFiles {
            summary,
            runs: table("runs.csv", &axes)?,
            settings: table("summary.csv", &axes)?,
            windows: table("windows.csv", &axes)?,
            latency: table("latency.csv", &axes)?,
            staleness: table("staleness.csv", &axes)?,
            differences: table("differences.csv", &axes)?,
            scenario: text("scenario.json")?,
            path: path.to_path_buf(),
            manifest,
        })))
    }

    /// The results below a directory: itself if it is one of a run or a sweep, else all such in it, sorted by name.
    /// Shards are passed over.
    ///
    /// # Errors
    /// There are none, or one of them cannot be read.
    pub fn open(path: &Path) -> Result<Vec<Results>, String> {
        if path.join("manifest.json").is_file() {
            return Ok(vec![Results::read(path)?]);
        }
        let names = sorted_entries(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let places = names.iter().map(|name| path.join(name)).filter(|place| place.join("manifest.json").is_file());
        // Shards lie beside what they were joined to.
        let places = places.filter(|place| !place.join(COMPLETE).is_file());
        let found: Vec<Results> = places.map(|place| Results::read(&place)).collect::<Result<_, _>>()?;
        if found.is_empty() {
            return Err(format!("{}: holds no results of a run or a sweep", path.display()));
        }
        Ok(found)
    }
}
