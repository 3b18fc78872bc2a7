//! `plot`: figures of results on disk.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::out::{print_data, say};
use super::{BAD_INPUT, NO_OUTPUT};
use crate::report::OutputError;
use crate::report::figure::Figure;
use crate::report::figures;
use crate::report::plot;
use crate::report::results::Results;
use crate::report::run_dir::write_new;
use crate::scenario::errors::nearest;

/// In which form figures are drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Form {
    /// Scalable
    Svg,
    /// Pixels, two for each of the SVG
    Png,
    /// One file of each
    Both,
}

#[derive(Debug, clap::Args)]
pub(super) struct PlotArguments {
    /// Directories of results: of a run, of a sweep, or one that holds such
    #[arg(required = true, value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// Where figures go, instead of `figures` beside the results
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Files of which form
    #[arg(long, value_enum, default_value_t = Form::Both)]
    format: Form,
    /// Only these figures
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',', conflicts_with = "y")]
    figure: Vec<String>,
    /// One figure instead: this metric of a sweep …
    #[arg(long, value_name = "METRIC", requires = "x")]
    y: Option<String>,
    /// … against this axis or metric
    #[arg(long, value_name = "AXIS|METRIC", requires = "y")]
    x: Option<String>,
    /// … with a line for each value on this axis
    #[arg(long, value_name = "AXIS", requires = "y")]
    by: Option<String>,
}

/// Draws figures, writes them and says which.
pub(super) fn plot(arguments: &PlotArguments) -> u8 {
    let mut found = Vec::new();
    for directory in &arguments.directories {
        match Results::open(directory) {
            Ok(results) => found.extend(results),
            Err(reason) => {
                say(&reason);
                return BAD_INPUT;
            }
        }
    }
    // Everything is looked at before anything is written.
    let mut jobs = Vec::new();
    for results in &found {
        match chosen(arguments, results) {
            Ok(figures) => jobs.push((results, figures)),
            Err(reason) => {
                say(&format!("{}: {reason}", results.path().display()));
                return BAD_INPUT;
            }
        }
    }
    let is_fine = each_figure_is_somewhere(arguments, &jobs).and_then(|()| each_has_its_file(arguments, &jobs));
    if let Err(reason) = is_fine {
        say(&reason);
        return BAD_INPUT;
    }
    let mut written = String::new();
    for (results, figures) in &jobs {
        for figure in figures {
            match write(arguments, results, figure) {
                Ok(paths) => written.extend(paths.iter().map(|path| format!("{}\n", path.display()))),
                Err(error) => {
                    say(&error.to_string());
                    return NO_OUTPUT;
                }
            }
        }
        if arguments.figure.is_empty() && arguments.y.is_none() {
            say_absent(results, figures);
        }
    }
    print_data(written.as_bytes())
}

/// The figures that are asked for, of those that the results have.
fn chosen(arguments: &PlotArguments, results: &Results) -> Result<Vec<Figure>, String> {
    if let (Some(y), Some(x)) = (&arguments.y, &arguments.x) {
        return match results {
            Results::Sweep(sweep) => Ok(vec![figures::against(sweep, y, x, arguments.by.as_deref())?]),
            Results::Run(_) => Ok(Vec::new()),
        };
    }
    let mut all = figures::all(results);
    if !arguments.figure.is_empty() {
        all.retain(|figure| arguments.figure.contains(&figure.name));
    }
    Ok(all)
}

/// A figure that is asked for and drawn of none of the results is an error.
fn each_figure_is_somewhere(arguments: &PlotArguments, jobs: &[(&Results, Vec<Figure>)]) -> Result<(), String> {
    if arguments.y.is_some() && jobs.iter().all(|(_, figures)| figures.is_empty()) {
        return Err("--y and --x need results of a sweep; these are of one run".into());
    }
    for name in &arguments.figure {
        if jobs.iter().any(|(_, figures)| figures.iter().any(|figure| figure.name == *name)) {
            continue;
        }
        let mut known: Vec<String> = Vec::new();
        for (results, _) in jobs {
            known.extend(figures::all(results).into_iter().map(|figure| figure.name));
        }
        known.dedup();
        let hint = match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        return Err(format!("no figure `{name}` of these results; {hint}"));
    }
    Ok(())
}

/// Figures of two results must not become one file.
fn each_has_its_file(arguments: &PlotArguments, jobs: &[(&Results, Vec<Figure>)]) -> Result<(), String> {
    let mut taken: Vec<((PathBuf, String), &Path)> = Vec::new();
    for (results, figures) in jobs {
        for figure in figures {
            let place = place(arguments, results, figure);
            if let Some((_, other)) = taken.iter().find(|(known, _)| *known == place) {
                let (one, other, file) = (results.path().display(), other.display(), place.0.join(&place.1));
                return Err(format!("figures of {other} and {one} would both be {}", file.display()));
            }
            taken.push((place, results.path()));
        }
    }
    Ok(())
}

fn say_absent(results: &Results, figures: &[Figure]) {
    let is_absent = |name: &&str| !figures.iter().any(|figure| figure.name == *name);
    let absent: Vec<&str> = figures::names(results).into_iter().filter(is_absent).collect();
    if !absent.is_empty() {
        say(&format!("{}: nothing to show for {}", results.path().display(), absent.join(", ")));
    }
}

/// Writes a figure in the forms that are asked for; says where.
fn write(arguments: &PlotArguments, results: &Results, figure: &Figure) -> Result<Vec<PathBuf>, OutputError> {
    let (directory, stem) = place(arguments, results, figure);
    fs::create_dir_all(&directory)
        .map_err(|error| OutputError { path: directory.clone(), reason: error.to_string() })?;
    let mut paths = Vec::new();
    let mut keep = |extension: &str, bytes: &[u8]| {
        let path = directory.join(format!("{stem}.{extension}"));
        paths.push(path.clone());
        write_new(&path, bytes)
    };
    if arguments.format != Form::Png {
        keep("svg", &plot::svg(figure))?;
    }
    if arguments.format != Form::Svg {
        keep("png", &plot::png(figure))?;
    }
    Ok(paths)
}

/// The directory and the stem of the files of a figure.
fn place(arguments: &PlotArguments, results: &Results, figure: &Figure) -> (PathBuf, String) {
    let path = results.path();
    let beside = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory = arguments.out.clone().unwrap_or_else(|| beside.join("figures"));
    let stem = match results {
        Results::Run(run) => format!("run-{}-{}", run.summary["seed"], figure.name),
        Results::Sweep(_) => figure.name.clone(),
    };
    (directory, stem)
}
