//! `report`: a page to look at, of each result in a directory.

use std::path::PathBuf;

use super::out::{print_data, say};
use super::{BAD_INPUT, HELD, NO_OUTPUT};
use crate::report::figures;
use crate::report::page::page;
use crate::report::results::Results;
use crate::report::run_dir::write_new;

#[derive(Debug, clap::Args)]
pub(super) struct ReportArguments {
    /// Results of a run or a sweep, or a directory that holds such: results/NAME
    directory: PathBuf,
    /// Where the page goes, instead of beside the results
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes the pages and prints where they are. Either all can be made, or none is written.
pub(super) fn report(arguments: &ReportArguments) -> u8 {
    let pages = match pages(arguments) {
        Ok(pages) => pages,
        Err(error) => {
            say(&error);
            return BAD_INPUT;
        }
    };
    for (path, html) in pages {
        if let Err(error) = write_new(&path, html.as_bytes()) {
            say(&error.to_string());
            return NO_OUTPUT;
        }
        let printed = print_data(format!("{}\n", path.display()).as_bytes());
        if printed != HELD {
            return printed;
        }
    }
    HELD
}

fn pages(arguments: &ReportArguments) -> Result<Vec<(PathBuf, String)>, String> {
    let found = Results::open(&arguments.directory)?;
    if arguments.out.is_some() && found.len() > 1 {
        let names: Vec<String> = found.iter().map(|results| results.path().display().to_string()).collect();
        return Err(format!("--out names one file, and there are several results: {}", names.join(", ")));
    }
    let one = |results: &Results| {
        let html = page(results, &figures::all(results))?;
        Ok((arguments.out.clone().unwrap_or_else(|| beside(results)), html))
    };
    found.iter().map(one).collect()
}

/// Beside the directory of the results and with its name; `report.html` for what lies in `sweep`, where sweeps usually do.
fn beside(results: &Results) -> PathBuf {
    let place = results.path();
    // `.` and `..` have no name of their own.
    let place = match place.file_name() {
        Some(_) => place.to_path_buf(),
        None => place.canonicalize().unwrap_or_else(|_| place.to_path_buf()),
    };
    let name = place.file_name().map_or("results".into(), |name| name.to_string_lossy());
    let name = if name == "sweep" { "report".into() } else { name };
    place.with_file_name(format!("{name}.html"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_page_lies_beside_its_results() {
        let run = |path: &str| {
            beside(&Results::Run(Box::new(crate::report::results::RunFiles {
                path: path.into(),
                manifest: serde_json::Value::Null,
                summary: serde_json::Value::Null,
                timeline: Default::default(),
                latency: Default::default(),
                staleness: Default::default(),
                scenario: String::new(),
            })))
        };
        assert_eq!(run("results/quickstart/run-1"), Path::new("results/quickstart/run-1.html"));
        assert_eq!(run("results/quickstart/run-1/"), Path::new("results/quickstart/run-1.html"));
        assert_eq!(run("results/nrw-tradeoff/sweep"), Path::new("results/nrw-tradeoff/report.html"));
        assert_eq!(run("run-0.5"), Path::new("run-0.5.html"));
        let here = run(".");
        assert!(here.is_absolute() && here.extension().is_some_and(|extension| extension == "html"), "{here:?}");
    }
}
