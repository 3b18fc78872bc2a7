//! Files that a scenario names: quantiles, samples and traces, as CSV.
//!
//! An error names the file, its line and the column. Every file's hash goes into the manifest.

use std::collections::BTreeMap;

use super::errors::{Errors, suggestion};
use super::json::Node;
use super::numbers::Fraction;
use super::paths;
use super::scalars::{Size, parse_duration, parse_size};
use super::source::Source;
use super::spec::{Arrival, DistSpec, QuantilePoint, Quantity, Spec, check_points};
use super::visit::{DistAt, distributions};
use crate::kernel::time::Span;

/// What the files of a scenario say, by name.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Files {
    /// Quantiles of durations.
    pub duration_quantiles: BTreeMap<String, Vec<QuantilePoint<Span>>>,
    /// Quantiles of sizes.
    pub size_quantiles: BTreeMap<String, Vec<QuantilePoint<Size>>>,
    /// Samples of durations.
    pub duration_samples: BTreeMap<String, Vec<Span>>,
    /// Samples of sizes.
    pub size_samples: BTreeMap<String, Vec<Size>>,
    /// Traces of operations.
    pub traces: BTreeMap<String, Vec<TraceRow>>,
    /// xxh3 of each file's bytes, for the manifest.
    pub hashes: BTreeMap<String, u128>,
}

/// One operation of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceRow {
    /// When it begins.
    pub at: Span,
    /// What it is.
    pub op: TraceOp,
    /// Of which key.
    pub key: String,
    /// Size of the value; of a read, nothing.
    pub size: Option<Size>,
}

super::decode::words! {
    /// An operation of a trace.
    pub enum TraceOp {
        /// A read.
        Get = "get",
        /// A write.
        Put = "put",
        /// Get, merge, change, put.
        Update = "update",
        /// An update that takes an item out.
        Remove = "remove",
        /// A delete.
        Delete = "delete",
    }
}

impl Files {
    /// Reads the files that `spec` names and that are not read yet.
    pub fn read(&mut self, spec: &Spec, tree: &Node, source: &dyn Source, cx: &mut Errors) {
        for (path, dist) in distributions(spec) {
            match dist {
                DistAt::Duration(DistSpec::Quantiles(quantiles)) => {
                    if let Some(file) = &quantiles.file {
                        read_once(
                            file,
                            &path,
                            tree,
                            source,
                            &mut self.duration_quantiles,
                            &mut self.hashes,
                            cx,
                            read_quantiles,
                        );
                    }
                }
                DistAt::Size(DistSpec::Quantiles(quantiles)) => {
                    if let Some(file) = &quantiles.file {
                        read_once(
                            file,
                            &path,
                            tree,
                            source,
                            &mut self.size_quantiles,
                            &mut self.hashes,
                            cx,
                            read_quantiles,
                        );
                    }
                }
                DistAt::Duration(DistSpec::Samples(samples)) => {
                    read_once(
                        &samples.file,
                        &path,
                        tree,
                        source,
                        &mut self.duration_samples,
                        &mut self.hashes,
                        cx,
                        read_samples,
                    );
                }
                DistAt::Size(DistSpec::Samples(samples)) => {
                    read_once(
                        &samples.file,
                        &path,
                        tree,
                        source,
                        &mut self.size_samples,
                        &mut self.hashes,
                        cx,
                        read_samples,
                    );
                }
                _ => {}
            }
        }
        for group in &spec.clients {
            if let Arrival::Trace(trace) = &group.arrival {
                let path = format!("clients.{}.arrival.trace", group.name);
                read_once(&trace.file, &path, tree, source, &mut self.traces, &mut self.hashes, cx, read_trace);
            }
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "where from, where to, and how")]
fn read_once<T>(
    file: &str,
    path: &str,
    tree: &Node,
    source: &dyn Source,
    known: &mut BTreeMap<String, T>,
    hashes: &mut BTreeMap<String, u128>,
    cx: &mut Errors,
    read: fn(&[u8]) -> Result<T, String>,
) {
    if known.contains_key(file) {
        return;
    }
    let path = format!("{path}.file");
    let origin = paths::nearest_place(tree, &path);
    match source.file(file) {
        Err(reason) => cx.error_at(path, origin, format!("{file}: {reason}")),
        Ok(bytes) => {
            hashes.insert(file.to_string(), xxhash_rust::xxh3::xxh3_128(&bytes));
            match read(&bytes) {
                Ok(rows) => {
                    known.insert(file.to_string(), rows);
                }
                Err(reason) => cx.error_at(path, origin, format!("{file}{reason}")),
            }
        }
    }
}

/// The rows of a CSV file with their lines; `columns` is its header, or else there is none.
fn rows(bytes: &[u8], columns: &[&str], header: bool) -> Result<Vec<(u64, Vec<String>)>, String> {
    // Quotes would let a row span lines, and then a line number would mean nothing.
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).quoting(false).from_reader(bytes);
    let mut rows = Vec::new();
    let mut expect_header = header;
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            format!(":{line}: not a line of UTF-8 text")
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut cells: Vec<String> = record.iter().map(|cell| cell.trim().to_string()).collect();
        if rows.is_empty()
            && let Some(first) = cells.first_mut()
            && let Some(bare) = first.strip_prefix('\u{feff}')
        {
            *first = bare.to_string();
        }
        if std::mem::take(&mut expect_header) {
            check_header(line, &cells, columns)?;
            continue;
        }
        if cells.len() != columns.len() {
            let what = if cells.len() < columns.len() {
                format!("column `{}` is missing", columns[cells.len()])
            } else {
                "too many columns".into()
            };
            return Err(format!(":{line}: {what} (got {}, allowed {})", cells.len(), columns.join(",")));
        }
        if let Some(quoted) = cells.iter().position(|cell| cell.contains('"')) {
            return Err(format!(":{line}: {}: quotes are not allowed", columns[quoted]));
        }
        rows.push((line, cells));
    }
    if rows.is_empty() {
        return Err(": the file has no rows".into());
    }
    Ok(rows)
}

fn check_header(line: u64, cells: &[String], columns: &[&str]) -> Result<(), String> {
    if cells == columns {
        return Ok(());
    }
    if let Some(unknown) = cells.iter().find(|cell| !columns.contains(&cell.as_str())) {
        let hint = suggestion(unknown, columns.iter().copied());
        return Err(format!(":{line}: unknown column {unknown:?}{hint}"));
    }
    Err(format!(":{line}: the header must be {} (got {})", columns.join(","), cells.join(",")))
}

/// Complains of blank lines, which the CSV reader would pass over.
fn no_blank_lines(bytes: &[u8]) -> Result<(), String> {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    match body.split(|byte| *byte == b'\n').position(|line| line.trim_ascii().is_empty()) {
        Some(_) if body.is_empty() => Err(": the file has no rows".into()),
        Some(at) => Err(format!(":{}: this line is blank", at + 1)),
        None => Ok(()),
    }
}

/// Reads `fraction,value` lines; a header `fraction,value` may stand above them.
fn read_quantiles<T: Quantity>(bytes: &[u8]) -> Result<Vec<QuantilePoint<T>>, String> {
    no_blank_lines(bytes)?;
    let columns = ["fraction", "value"];
    let header = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).first().is_some_and(u8::is_ascii_alphabetic);
    let mut points = Vec::new();
    let mut last_line = 0;
    for (line, cells) in rows(bytes, &columns, header)? {
        let at = cells[0].parse::<f64>().ok().filter(|at| (0.0..=1.0).contains(at));
        let Some(at) = at else {
            return Err(format!(":{line}: fraction: not a fraction (got {:?}, allowed 0 to 1)", cells[0]));
        };
        let value = T::parse(&cells[1]).map_err(|message| format!(":{line}: value: {message}"))?;
        points.push(QuantilePoint { at: Fraction(at), value });
        last_line = line;
    }
    check_points(&points).map_err(|message| format!(":{last_line}: {message}"))?;
    Ok(points)
}

/// Reads one value with its unit a line; a header `value` may stand above them.
fn read_samples<T: Quantity>(bytes: &[u8]) -> Result<Vec<T>, String> {
    no_blank_lines(bytes)?;
    let header = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).first().is_some_and(u8::is_ascii_alphabetic);
    rows(bytes, &["value"], header)?
        .into_iter()
        .map(|(line, cells)| T::parse(&cells[0]).map_err(|message| format!(":{line}: value: {message}")))
        .collect()
}

/// Reads the operations of a trace: a header, then rows in the order of time.
fn read_trace(bytes: &[u8]) -> Result<Vec<TraceRow>, String> {
    no_blank_lines(bytes)?;
    if !bytes.ends_with(b"\n") {
        let line = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
        return Err(format!(":{line}: the last line is cut off: it does not end"));
    }
    let mut trace: Vec<TraceRow> = Vec::new();
    for (line, cells) in rows(bytes, &["at", "op", "key", "size"], true)? {
        let at = parse_duration(&cells[0]).map_err(|message| format!(":{line}: at: {message}"))?;
        if trace.last().is_some_and(|last| last.at > at) {
            return Err(format!(":{line}: at: the rows are not in the order of time (got {:?})", cells[0]));
        }
        let Some(op) = TraceOp::from_word(&cells[1]) else {
            let hint = suggestion(&cells[1], TraceOp::ALL.iter().map(|op| op.word()));
            return Err(format!(":{line}: op: unknown operation {:?}{hint}", cells[1]));
        };
        if cells[2].is_empty() {
            return Err(format!(":{line}: key: is empty"));
        }
        let size = match cells[3].as_str() {
            "" => None,
            text => Some(parse_size(text).map_err(|message| format!(":{line}: size: {message}"))?),
        };
        trace.push(TraceRow { at, op, key: cells[2].clone(), size });
    }
    Ok(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_rows_in_the_order_of_time() {
        let trace = read_trace(b"at,op,key,size\n0s,get,a,\n5ms,put,b,2kB\n").expect("a trace");
        assert_eq!(
            trace[1],
            TraceRow { at: Span::from_ms(5), op: TraceOp::Put, key: "b".into(), size: Some(Size(2_000)) }
        );
    }

    #[test]
    fn what_is_wrong_with_a_trace_names_line_and_column() {
        let wrong = |text: &str| read_trace(text.as_bytes()).expect_err(text);
        assert_eq!(wrong("at,opp,key,size\n"), ":1: unknown column \"opp\"; did you mean `op`?");
        assert_eq!(wrong("0s,get,a,\n"), ":1: unknown column \"0s\"; known: at, op, key, size");
        assert_eq!(wrong("op,at,key,size\n"), ":1: the header must be at,op,key,size (got op,at,key,size)");
        assert_eq!(wrong("at,op,key,size\n1s,get,a\n"), ":2: column `size` is missing (got 3, allowed at,op,key,size)");
        assert_eq!(wrong("at,op,key,size\n1s,get,a,,\n"), ":2: too many columns (got 5, allowed at,op,key,size)");
        assert!(wrong("at,op,key,size\n5,get,a,\n").starts_with(":2: at: a duration needs a unit"));
        assert!(wrong("at,op,key,size\n-5ms,get,a,\n").starts_with(":2: at: a duration has no sign"));
        assert_eq!(
            wrong("at,op,key,size\n2s,get,a,\n1s,get,a,\n"),
            ":3: at: the rows are not in the order of time (got \"1s\")"
        );
        assert_eq!(wrong("at,op,key,size\n1s,gett,a,\n"), ":2: op: unknown operation \"gett\"; did you mean `get`?");
        assert!(wrong("at,op,key,size\n1s,put,a,2\n").starts_with(":2: size: a size needs a unit"));
        assert_eq!(wrong("at,op,key,size\n\n1s,get,a,\n"), ":2: this line is blank");
        assert_eq!(wrong("at,op,key,size\n1s,get,a"), ":2: the last line is cut off: it does not end");
        assert_eq!(wrong("at,op,key,size\n1s,get,\"a,\n"), ":2: key: quotes are not allowed");
        assert_eq!(wrong("at,op,key,size\n"), ": the file has no rows");
    }

    #[test]
    fn quantiles_and_samples_have_units() {
        let points = read_quantiles::<Span>(b"0,1ms\n0.5,2ms\n1,10ms\n").expect("points");
        assert_eq!(points[1].value, Span::from_ms(2));
        assert!(read_quantiles::<Span>(b"0,1ms\n0.5,2ms\n").is_err(), "the points must reach 1");
        assert!(read_quantiles::<Span>(b"0,1ms\n1.5,2ms\n").expect_err("no fraction").starts_with(":2: fraction"));
        assert_eq!(read_samples::<Size>(b"value\n1kB\n2B\n"), Ok(vec![Size(1_000), Size(2)]));
        assert!(
            read_samples::<Span>(b"1ms\n2\n").expect_err("no unit").starts_with(":2: value: a duration needs a unit")
        );
    }
}
