//! `shrink`: from a failing run to the smallest scenario file that still breaks the same.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::Value as Json;

use super::load::or_say;
use super::out::{is_heard_by_a_person, say, say_again};
use super::trace::{Chosen, Which};
use super::{BAD_INPUT, HELD, NO_OUTPUT};
use crate::check::properties::Property;
use crate::report::run_dir::write_new;
use crate::report::shrink::{self, Case, Shrunk, Size, Verdict};
use crate::scenario::Draft;
use crate::scenario::edit::single::single;
use crate::scenario::edit::{layout, steps};
use crate::scenario::swarm::{Additions, Swarm};

/// Arguments of `shrink`.
#[derive(Debug, clap::Args)]
pub(super) struct ShrinkArguments {
    #[command(flatten)]
    which: Which,
    /// The property that is broken, instead of the first broken expectation
    #[arg(long, value_name = "NAME", value_parser = property)]
    property: Option<Property>,
    /// Runs to spend at most
    #[arg(long, value_name = "N", default_value_t = 3_000)]
    budget: u64,
    /// Runs at a time; the result does not depend on it
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Where the scenario goes, instead of NAME-SEED-PROPERTY.json
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Overwrite a file that is there
    #[arg(long)]
    force: bool,
}

fn property(name: &str) -> Result<Property, String> {
    Property::from_name(name).ok_or_else(|| {
        let hint = crate::scenario::errors::suggestion(name, Property::ALL.iter().map(|property| property.name()));
        format!("no such property{hint}")
    })
}

/// Shrinks a failing run and writes the scenario.
pub(super) fn shrink(arguments: &ShrinkArguments) -> u8 {
    let Some(Chosen { source, loaded, at, seed, .. }) = arguments.which.choose() else { return BAD_INPUT };
    let source = &*source;
    let set = &arguments.which.set;
    let draft = match arguments.which.chaos {
        true => Swarm::read(source, set, Additions::Chaos).and_then(|swarm| swarm.draft(seed)),
        false => Draft::read(source, set),
    };
    let Some(draft) = or_say(draft) else { return BAD_INPUT };
    let start = single(draft.tree(), &loaded.base, &loaded.settings[at].values, seed);
    let complain = |reason: &str| say(&format!("{}: seed {seed}: {reason}", source.name()));
    let (target, start) = match shrink::find(source, &start, arguments.property) {
        Ok(found) => found,
        Err(reason) => {
            complain(&reason);
            return BAD_INPUT;
        }
    };
    let case = Case::new(source, target, &start).expect("it was found broken");
    let name = format!("{}-{seed}-{}.json", loaded.name, case.short(&start));
    let path = arguments.out.clone().unwrap_or_else(|| PathBuf::from(name));
    if path.exists() && !arguments.force {
        say(&format!("{}: is there already; --force overwrites it", path.display()));
        return NO_OUTPUT;
    }
    // What cannot be written is refused before the search, not after it.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if path.is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
        let why = if path.is_dir() { "is a directory" } else { "there is no such directory" };
        say(&format!("{}: {why}", path.display()));
        return NO_OUTPUT;
    }
    let threads = arguments.jobs.map_or(0, usize::from);
    let pool = match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
        Ok(pool) => pool,
        Err(error) => {
            say(&error.to_string());
            return BAD_INPUT;
        }
    };
    let mut judge = |candidates: &[Json]| -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(candidates.len());
        for together in candidates.chunks(pool.current_num_threads()) {
            let some: Vec<Verdict> =
                pool.install(|| together.par_iter().map(|candidate| case.verdict(candidate)).collect());
            let is_found = some.contains(&Verdict::Fails);
            verdicts.extend(some);
            if is_found {
                break;
            }
        }
        verdicts
    };
    let heard = is_heard_by_a_person();
    let mut progress = |runs: u64, best: &Json| {
        if heard {
            let (operations, faults) = steps::counts(best);
            say_again(&format!("{runs} runs, {operations} operations and {faults} faults written out"));
        }
    };
    let result = shrink::shrink(&case, &start, arguments.budget, &mut judge, &mut progress);
    if heard {
        say_again("");
    }
    let shrunk = match result {
        Ok(shrunk) => shrunk,
        Err(reason) => {
            complain(&reason);
            return BAD_INPUT;
        }
    };
    let text = layout::text(&with_files_from(&shrunk.tree, source.name(), &path));
    if let Err(error) = write_new(&path, text.as_bytes()) {
        say(&error.to_string());
        return NO_OUTPUT;
    }
    say(&summary(&shrunk, &path));
    HELD
}

/// Files are named relative to the scenario that names them: where that moves, so do the names.
fn with_files_from(tree: &Json, from: &str, to: &Path) -> Json {
    let parent = |path: &Path| std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_path_buf));
    let (Some(from), Some(to)) = (parent(Path::new(from)), parent(to)) else { return tree.clone() };
    if from == to {
        return tree.clone();
    }
    fn moved(value: &Json, from: &Path) -> Json {
        match value {
            Json::Object(fields) => {
                let one = |(name, value): (&String, &Json)| {
                    let value = match value.as_str() {
                        Some(file) if name == "file" => Json::from(from.join(file).to_string_lossy().into_owned()),
                        _ => moved(value, from),
                    };
                    (name.clone(), value)
                };
                Json::Object(fields.iter().map(one).collect())
            }
            Json::Array(list) => Json::Array(list.iter().map(|value| moved(value, from)).collect()),
            other => other.clone(),
        }
    }
    moved(tree, &from)
}

fn summary(shrunk: &Shrunk, path: &Path) -> String {
    let Shrunk { broken, example, before, after, runs, is_smallest, .. } = shrunk;
    let row =
        |what: &str, number: fn(&Size) -> String| format!("  {what:<11}{:>10} -> {}\n", number(before), number(after));
    let mut text = format!("{broken} still breaks: {example}\n");
    text.push_str(&row("nodes", |size| size.nodes.to_string()));
    text.push_str(&row("operations", |size| size.operations.to_string()));
    text.push_str(&row("faults", |size| size.faults.to_string()));
    text.push_str(&row("duration", |size| steps::duration_text(size.duration)));
    let end = if *is_smallest { "nothing more could go" } else { "the budget is spent" };
    text.push_str(&format!("{runs} runs, {end}; written to {}", path.display()));
    text
}
