//! The journal of a sweep: a line a finished run, so that an interrupted sweep goes on and shards can be joined.
//!
//! The first line says of what it is: scenario, program, seeds, shard. A line that was cut by a crash has no end and is
//! dropped. Floats are written as texts in the fewest digits that read back as the same bits, so files made from a
//! journal are those that the runs would have made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json, json};

use super::{Cells, Distributions, OUTCOMES, Record, Run, Values};
use crate::check::{Finding, Property};
use crate::kernel::time::Span;
use crate::measure::freshness::{Freshness, Threshold};
use crate::measure::metrics::OpKind;
use crate::measure::{Metric, Value};
use crate::report::play::{Kept, Wanted};
use crate::report::run_dir::{OutputError, program};

/// The name while the sweep goes on: no result is called so.
pub const NAME: &str = "journal.partial";

/// The name in the directory of a shard that is complete.
pub const COMPLETE: &str = "runs.jsonl";

/// Version of the format.
const FORMAT: u64 = 1;

/// Of what a journal is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// Hash of the scenario and of what was set, as 32 hexadecimal digits.
    pub scenario_hash: String,
    /// Program and version.
    pub program: String,
    /// First and last seed.
    pub seeds: (u64, u64),
    /// Number of the shard from 1, and of how many; `None`: all runs.
    pub shard: Option<(u32, u32)>,
}

impl Header {
    /// Of runs of this program.
    pub fn new(scenario_hash: String, seeds: (u64, u64), shard: Option<(u32, u32)>) -> Header {
        Header { scenario_hash, program: program(), seeds, shard }
    }

    fn line(&self) -> String {
        let json = json!({
            "journal": FORMAT,
            "scenario_hash": self.scenario_hash,
            "program": self.program,
            "seeds": [self.seeds.0, self.seeds.1],
            "shard": self.shard.map(|(number, of)| [number, of]),
        });
        format!("{json}\n")
    }

    fn parse(line: &[u8]) -> Option<Header> {
        let json: Json = serde_json::from_slice(line).ok()?;
        if json["journal"] != FORMAT {
            return None;
        }
        let pair = |json: &Json| Some((json.get(0)?.as_u64()?, json.get(1)?.as_u64()?));
        let shard = match &json["shard"] {
            Json::Null => None,
            shard => {
                let (number, of) = pair(shard)?;
                Some((u32::try_from(number).ok()?, u32::try_from(of).ok()?))
            }
        };
        Some(Header {
            scenario_hash: json["scenario_hash"].as_str()?.to_string(),
            program: json["program"].as_str()?.to_string(),
            seeds: pair(&json["seeds"])?,
            shard,
        })
    }

    /// Why runs of `self` cannot be joined with runs of another, apart from their shards.
    pub fn differs(&self, other: &Header) -> Option<String> {
        if self.program != other.program {
            return Some(format!("it is of {}, and this is {}", self.program, other.program));
        }
        if self.scenario_hash != other.scenario_hash {
            return Some("it is of another scenario, or of other values of --set".into());
        }
        let seeds = |header: &Header| format!("{}..{}", header.seeds.0, header.seeds.1);
        (self.seeds != other.seeds).then(|| format!("it is of the seeds {}, and not {}", seeds(self), seeds(other)))
    }
}

/// What a journal is read with.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// What was asked of each run.
    pub wanted: &'a Wanted,
    /// How many settings there are.
    pub settings: usize,
    /// First and last seed.
    pub seeds: (u64, u64),
}

/// A journal that was read: of what it is, and where each line stands.
#[derive(Clone, Debug)]
pub struct Lines {
    /// Its first line.
    pub header: Header,
    /// Setting, seed, and the place and length of the line in bytes, in the order in which the runs finished.
    pub runs: Vec<(u32, u64, u64, usize)>,
    /// Where the last whole line ends.
    whole: u64,
}

/// Of what a journal is.
///
/// # Errors
/// Why it cannot be read.
pub fn header(path: &Path) -> Result<Header, String> {
    let (_, first) = open(path)?;
    let (header, _) = first.ok_or_else(|| format!("{}: is no journal of a sweep", path.display()))?;
    Ok(header)
}

type Opened = (BufReader<File>, Option<(Header, u64)>);

/// Opens a journal: its first line and how long that is; `None` if it is not whole.
fn open(path: &Path) -> Result<Opened, String> {
    /// A first line is short: what has none is no journal, however long it is.
    const LONGEST: u64 = 4_096;
    let fail = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut reader = BufReader::new(File::open(path).map_err(fail)?);
    let mut line = Vec::new();
    reader.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(fail)?;
    if (line.len() as u64) < LONGEST && !line.ends_with(b"\n") {
        return Ok((reader, None));
    }
    let header = Header::parse(&line).ok_or_else(|| format!("{}:1: is no journal of a sweep", path.display()))?;
    Ok((reader, Some((header, line.len() as u64))))
}

/// Reads a journal and hands out its runs. `None` if not even the first line is whole.
///
/// # Errors
/// Why it cannot be read, or which line is damaged.
pub fn read(
    path: &Path,
    check: impl FnOnce(&Header) -> Result<(), String>,
    plan: Plan<'_>,
    mut each: impl FnMut(Record) -> bool,
) -> Result<Option<Lines>, String> {
    let place = path.display();
    let fail = |error: std::io::Error| format!("{place}: {error}");
    let (mut reader, Some((header, begins))) = open(path)? else { return Ok(None) };
    check(&header).map_err(|why| format!("{place}: {why}"))?;
    let mut lines = Lines { header: header.clone(), runs: Vec::new(), whole: begins };
    let mut line = Vec::new();
    let mut reasons = BTreeSet::new();
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line).map_err(fail)?;
        if !line.ends_with(b"\n") {
            return Ok(Some(lines));
        }
        let damaged = || format!("{place}:{}: the line is damaged", lines.runs.len() + 2);
        let record = record_of(&line, plan, &mut reasons).ok_or_else(damaged)?;
        let (setting, seed) = (record.run.kept.setting, record.run.kept.seed);
        if !each(record) {
            return Err(format!("{place}:{}: the run is there already", lines.runs.len() + 2));
        }
        lines.runs.push((setting, seed, lines.whole, length));
        lines.whole += length as u64;
    }
}

/// Whether there is a journal that has runs, or what may be one: nothing of that is overwritten unasked.
pub fn has_runs(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return path.exists() };
    if !file.metadata().is_ok_and(|of| of.is_file()) {
        return true;
    }
    // A second line has at least begun.
    let (mut reader, mut line) = (BufReader::new(file), Vec::new());
    let first = reader.by_ref().take(4_096).read_until(b'\n', &mut line);
    !matches!((first, reader.fill_buf()), (Ok(_), Ok([])))
}

/// A journal that is written to.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Begins an empty one.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn begin(path: &Path, header: &Header) -> Result<Journal, OutputError> {
        let mut journal = Journal::opened(path, OpenOptions::new().write(true).create(true).truncate(true))?;
        journal.write(header.line().as_bytes())?;
        Ok(journal)
    }

    /// Goes on with one that was read, behind its last whole line.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn go_on(path: &Path, lines: &Lines) -> Result<Journal, OutputError> {
        let mut journal = Journal::opened(path, OpenOptions::new().write(true))?;
        let cut = journal.file.set_len(lines.whole).and_then(|()| journal.file.seek(SeekFrom::End(0)));
        cut.map_err(|error| journal.failed(error))?;
        Ok(journal)
    }

    fn opened(path: &Path, how: &OpenOptions) -> Result<Journal, OutputError> {
        let opened = how.open(path);
        let file = opened.map_err(|error| OutputError { path: path.to_path_buf(), reason: error.to_string() })?;
        Ok(Journal { path: path.to_path_buf(), file })
    }

    fn failed(&self, error: std::io::Error) -> OutputError {
        OutputError { path: self.path.clone(), reason: error.to_string() }
    }

    /// One write a line, so that a process which is killed leaves whole lines and at most one that is cut.
    fn write(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        self.file.write_all(bytes).map_err(|error| self.failed(error))
    }

    /// Adds a run.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn add(&mut self, record: &Record) -> Result<(), OutputError> {
        self.write(line_of(record).as_bytes())
    }
}

/// The complete journal with its lines in the order of settings and seeds: the same bytes in whatever order the runs
/// finished.
///
/// # Errors
/// What the operating system says.
pub fn sorted(path: &Path, lines: &Lines, out: &mut dyn Write) -> std::io::Result<()> {
    let mut runs = lines.runs.clone();
    runs.sort_unstable();
    let mut file = File::open(path)?;
    out.write_all(lines.header.line().as_bytes())?;
    let mut line = Vec::new();
    for (_, _, at, length) in runs {
        line.resize(length, 0);
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut line)?;
        out.write_all(&line)?;
    }
    out.flush()
}

fn text_of(value: Value) -> String {
    match value {
        // The fewest digits that read back as the same float.
        Value::Number(number) => format!("{number:?}"),
        Value::TooFewSamples => "few".into(),
        Value::Never => "never".into(),
        Value::NotJudged => "unjudged".into(),
        Value::NothingToMeasure => "nothing".into(),
    }
}

fn value_of(json: &Json) -> Option<Value> {
    Some(match json.as_str()? {
        "few" => Value::TooFewSamples,
        "never" => Value::Never,
        "unjudged" => Value::NotJudged,
        "nothing" => Value::NothingToMeasure,
        number => Value::Number(number.parse().ok()?),
    })
}

fn values_json(values: &Values) -> Json {
    values.iter().map(|(metric, value)| (metric.to_string(), json!(text_of(*value)))).collect::<Map<_, _>>().into()
}

fn values_of(json: &Json) -> Option<Values> {
    json.as_object()?.iter().map(|(path, value)| Some((Metric::from_path(path)?, value_of(value)?))).collect()
}

fn line_of(record: &Record) -> String {
    let Run { kept, windows, unavailability } = &record.run;
    let finding = |finding: &Finding| match finding {
        Finding::Held => json!("held"),
        Finding::Violated { violations, example } => json!({ "violations": violations, "example": example }),
        Finding::NotJudged(because) => json!({ "open": because }),
    };
    let latency = record.distributions.latency.iter().map(|((kind, outcome), spread)| {
        let cells: Vec<u64> = spread.cells.iter().flat_map(|(at, count)| [*at, *count]).collect();
        json!({ "kind": kind, "outcome": outcome, "max": spread.max, "cells": cells })
    });
    let fresh: Vec<u64> =
        record.distributions.freshness.cells().flat_map(|(cell, [fresh, all])| [cell as u64, fresh, all]).collect();
    let (mut pairs, mut never) = (Vec::new(), 0);
    for (threshold, count) in record.distributions.freshness.thresholds() {
        match threshold {
            Threshold::From(after) => pairs.extend([after.0, u64::from(count)]),
            Threshold::Never => never += count,
        }
    }
    let json = json!({
        "setting": kept.setting,
        "seed": kept.seed,
        "digest": format!("{:032x}", kept.digest),
        "broken_step": kept.has_broken_step,
        "unavailability": unavailability.map(|share| text_of(Value::Number(share))),
        "columns": values_json(&kept.columns),
        "answers": kept.answers.values().map(|value| text_of(*value)).collect::<Vec<_>>(),
        "findings": kept.findings.values().map(finding).collect::<Vec<_>>(),
        "windows": windows.iter().map(|(name, values)| json!([name, values_json(values)])).collect::<Vec<_>>(),
        "latency": latency.collect::<Vec<_>>(),
        "fresh": fresh,
        "pairs": pairs,
        "never": never,
    });
    format!("{json}\n")
}

/// A run of a line; `None` if it is none of this plan.
fn record_of(line: &[u8], plan: Plan<'_>, reasons: &mut BTreeSet<&'static str>) -> Option<Record> {
    let json: Json = serde_json::from_slice(line).ok()?;
    let setting =
        u32::try_from(json["setting"].as_u64()?).ok().filter(|setting| (*setting as usize) < plan.settings)?;
    let seed = json["seed"].as_u64().filter(|seed| (plan.seeds.0..=plan.seeds.1).contains(seed))?;
    let answers = json["answers"].as_array().filter(|answers| answers.len() == plan.wanted.queries.len())?;
    let answers: Option<BTreeMap<_, _>> =
        plan.wanted.queries.iter().zip(answers).map(|(query, json)| Some((query.clone(), value_of(json)?))).collect();
    let findings = json["findings"].as_array().filter(|found| found.len() == plan.wanted.properties.len())?;
    let findings: Option<BTreeMap<Property, Finding>> = plan
        .wanted
        .properties
        .iter()
        .zip(findings)
        .map(|(property, json)| Some((*property, finding_of(json, reasons)?)))
        .collect();
    let windows: Option<Vec<_>> = json["windows"]
        .as_array()?
        .iter()
        .map(|window| Some((window[0].as_str()?.to_string(), values_of(&window[1])?)))
        .collect();
    let unavailability = match &json["unavailability"] {
        Json::Null => None,
        share => value_of(share)?.number(),
    };
    let kept = Kept {
        setting,
        seed,
        digest: u128::from_str_radix(json["digest"].as_str()?, 16).ok()?,
        has_broken_step: json["broken_step"].as_bool()?,
        columns: values_of(&json["columns"])?,
        answers: answers?,
        findings: findings?,
    };
    let distributions = Distributions { latency: latency_of(&json["latency"])?, freshness: fresh_of(&json)? };
    Some(Record { run: Run { kept, windows: windows?, unavailability }, distributions })
}

/// Reasons are texts of the program: there are few, and each is kept once.
fn finding_of(json: &Json, reasons: &mut BTreeSet<&'static str>) -> Option<Finding> {
    if json == "held" {
        return Some(Finding::Held);
    }
    if let Some(because) = json["open"].as_str() {
        let known = reasons.get(because).copied().unwrap_or_else(|| String::from(because).leak());
        reasons.insert(known);
        return Some(Finding::NotJudged(known));
    }
    Some(Finding::Violated { violations: json["violations"].as_u64()?, example: json["example"].as_str()?.to_string() })
}

fn numbers(json: &Json) -> Option<Vec<u64>> {
    json.as_array()?.iter().map(Json::as_u64).collect()
}

/// Counts of a list of cells that a run can have: all of them together are the operations of one run.
fn counts(counts: impl Iterator<Item = u64>) -> Option<u64> {
    let mut all = 0;
    for count in counts {
        all += u64::from(u32::try_from(count).ok()?);
    }
    u32::try_from(all).ok().map(u64::from)
}

fn latency_of(json: &Json) -> Option<BTreeMap<(usize, usize), Cells>> {
    let one = |json: &Json| {
        let (kind, outcome) = (json["kind"].as_u64()? as usize, json["outcome"].as_u64()? as usize);
        let numbers = numbers(&json["cells"])?;
        let pair = |pair: &[u64]| Some((*pair.first()?, *pair.get(1)?));
        let cells: Vec<(u64, u64)> = numbers.chunks(2).map(pair).collect::<Option<_>>()?;
        let count = counts(cells.iter().map(|(_, count)| *count))?;
        let is_sound = kind < OpKind::ALL.len() && outcome < OUTCOMES && cells.is_sorted_by(|a, b| a.0 < b.0);
        is_sound.then_some(((kind, outcome), Cells { cells, count, max: json["max"].as_u64()? }))
    };
    json.as_array()?.iter().map(one).collect()
}

fn fresh_of(json: &Json) -> Option<Freshness> {
    let mut freshness = Freshness::default();
    let (fresh, pairs) = (numbers(&json["fresh"])?, numbers(&json["pairs"])?);
    counts(fresh.iter().skip(2).step_by(3).copied())?;
    for cell in fresh.chunks(3) {
        let &[place, fresh, all] = cell else { return None };
        if place > Freshness::last_cell() as u64 || fresh > all {
            return None;
        }
        freshness.add_cell(place as usize, [fresh, all]);
    }
    counts(pairs.iter().skip(1).step_by(2).copied())?;
    for pair in pairs.chunks(2) {
        let &[after, count] = pair else { return None };
        freshness.tried(Threshold::From(Span(after)), u32::try_from(count).ok()?);
    }
    let never = u32::try_from(json["never"].as_u64()?).ok()?;
    if never > 0 {
        freshness.tried(Threshold::Never, never);
    }
    Some(freshness)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::expectation::{Narrow, Query};
    use crate::measure::tally::Spread;

    #[test]
    fn a_run_reads_back_to_the_last_bit() {
        let metric = |path: &str| Metric::from_path(path).expect("a metric");
        let query = |path: &str| Query { metric: metric(path), narrow: Narrow::default() };
        let numbers =
            [0.1 + 0.2, 1.0 / 3.0, 5e-324, f64::MAX, -0.0, 1e21, 123_456_789.123_456_79, std::f64::consts::SQRT_2];
        let paths = Metric::all();
        let columns: Values = paths.into_iter().zip(numbers.iter().map(|number| Value::Number(*number))).collect();
        let answers = [
            ("get.count", Value::TooFewSamples),
            ("convergence.time", Value::Never),
            ("fresh_at(52.15ms)", Value::NotJudged),
            ("lost.writes", Value::NothingToMeasure),
        ];
        let answers: BTreeMap<Query, Value> = answers.map(|(path, value)| (query(path), value)).into();
        let findings: BTreeMap<Property, Finding> = [
            (Property::Regular, Finding::Violated { violations: 7, example: "\"quoted\"\nand broken".into() }),
            (Property::Convergence, Finding::NotJudged("because")),
            (Property::Linearizable, Finding::Held),
        ]
        .into();
        let wanted = Wanted {
            queries: answers.keys().cloned().collect(),
            properties: findings.keys().copied().collect(),
            marks: false,
        };
        let kept =
            Kept { setting: 2, seed: 5, digest: u128::MAX - 3, has_broken_step: true, columns, answers, findings };
        let windows = vec![("down".to_string(), vec![(metric("ops.success"), Value::Number(0.1))])];
        let mut spread = Spread::<11>::default();
        [1, 2_000, 5_000_000_000, u64::MAX].into_iter().for_each(|ns| spread.record(ns));
        let mut freshness = Freshness::default();
        freshness.record(Span(70), true);
        freshness.record(Span(u64::MAX), false);
        freshness.tried(Threshold::From(Span(1_234_567)), 3);
        freshness.tried(Threshold::Never, 2);
        let distributions = Distributions { latency: [((1, 0), Cells::of(&spread))].into(), freshness };
        let record = Record { run: Run { kept, windows, unavailability: Some(0.1) }, distributions };

        let line = line_of(&record);
        let plan = Plan { wanted: &wanted, settings: 3, seeds: (5, 5) };
        let read = |line: &str, plan| record_of(line.as_bytes(), plan, &mut BTreeSet::new());
        let again = read(&line, plan).expect("it is a run of this plan");
        assert_eq!(again.run, record.run);
        let bits = |record: &Record| -> Vec<Option<u64>> {
            record.run.kept.columns.iter().map(|(_, value)| value.number().map(f64::to_bits)).collect()
        };
        assert_eq!(bits(&again), bits(&record), "zero keeps its sign, too");
        assert_eq!(again.distributions.latency, record.distributions.latency);
        assert_eq!(line_of(&again), line);
        // Runs that are none of the plan: another setting, another seed, other questions.
        assert!(read(&line, Plan { settings: 2, ..plan }).is_none());
        assert!(read(&line, Plan { seeds: (1, 4), ..plan }).is_none());
        let other = Wanted::default();
        assert!(read(&line, Plan { wanted: &other, ..plan }).is_none());
        // Half a line, or a line of something else.
        assert!(read(&line[..line.len() / 2], plan).is_none() && read("{}\n", plan).is_none());
        // Damaged cells are told, and nothing is indexed by them.
        for (whole, damaged) in
            [("\"fresh\":[", "\"fresh\":[1,"), ("\"cells\":[", "\"cells\":[1,"), ("\"pairs\":[", "\"pairs\":[1,")]
        {
            assert!(read(&line.replacen(whole, damaged, 1), plan).is_none(), "{damaged}");
        }
    }
}
