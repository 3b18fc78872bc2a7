//! Shrinking: from a failing run to the smallest scenario found that still breaks the same.
//!
//! First chance is written out: drawn faults and the requests of clients become steps. Then steps, clients, keys, nodes
//! and times are taken away as long as it fails. It works on the scenario's JSON, reads each candidate as any scenario is
//! read, and opens no file.

pub mod case;
pub mod passes;
pub mod search;

use serde_json::{Value as Json, json};

use crate::check::Verdict as Judged;
use crate::cluster;
use crate::kernel::time::Span;
use crate::node::message::Outcome;
use crate::scenario::edit::record::Recorder;
use crate::scenario::edit::{faults, list, list_mut, operations, remove, set, steps};
use crate::scenario::source::Source;

pub use case::{Case, Target};
pub use search::{Judge, Search, Verdict};

/// More requests than are written out: a script of them is read anew for each candidate.
const MOST_REQUESTS: usize = 2_000;

/// Runs of the budget that are kept for what makes the result fit to be read.
const LAST_RUNS: u64 = 8;

/// How large a scenario is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Size {
    /// Nodes, spares included.
    pub nodes: usize,
    /// Requests of clients: an update is two.
    pub operations: usize,
    /// Faults and changes of the members.
    pub faults: usize,
    /// How long clients and faults go on.
    pub duration: Span,
}

/// What came out.
#[derive(Clone, PartialEq, Debug)]
pub struct Shrunk {
    /// The scenario, with the failure as its expectation.
    pub tree: Json,
    /// What it breaks, in words.
    pub broken: String,
    /// How that looks in its run.
    pub example: String,
    /// How large it was.
    pub before: Size,
    /// How large it is.
    pub after: Size,
    /// Runs that it took.
    pub runs: u64,
    /// Whether there was no smaller candidate left to try; else the budget was spent.
    pub is_smallest: bool,
}

/// Shrinks a failing scenario, which stands for itself as [`Case::new`] wants it, within a budget of runs.
///
/// # Errors
/// If what came out cannot be written as a scenario that holds: why.
pub fn shrink(
    case: &Case<'_>,
    start: &Json,
    budget: u64,
    judge: &mut Judge<'_>,
    progress: &mut dyn FnMut(u64, &Json),
) -> Result<Shrunk, String> {
    let before = size(case, start);
    let mut search = Search::new(start.clone(), budget.saturating_sub(LAST_RUNS), judge, progress);
    if case.is_seen_on_the_way() {
        passes::shorter_settle(&mut search);
    }
    write_faults_out(&mut search, case);
    passes::shorten_run(&mut search);
    write_clients_out(&mut search, case);
    let mut is_smallest = false;
    while !search.is_spent() && !is_smallest {
        let last = search.best.clone();
        passes::shorten_run(&mut search);
        passes::fewer_keys(&mut search);
        passes::fewer_faults(&mut search);
        passes::fewer_clients(&mut search);
        passes::fewer_operations(&mut search);
        passes::smaller_groups(&mut search);
        write_clients_out(&mut search, case);
        tidy(&mut search);
        passes::fewer_nodes(&mut search, case);
        passes::plain_network(&mut search);
        passes::plainer_steps(&mut search, case);
        passes::plainer_config(&mut search, case);
        passes::smaller_faults(&mut search);
        passes::shorter_gaps(&mut search);
        passes::rounder_times(&mut search);
        is_smallest = search.best == last;
    }
    search.allow(LAST_RUNS.min(budget));
    passes::shorter_settle(&mut search);
    tidy(&mut search);
    search.take(steps::sorted(&search.best));
    search.take(steps::renamed(&search.best));
    let (tree, runs) = (search.best.clone(), search.runs);
    let ran = case.ran(&tree).ok_or("what is left is no scenario")?;
    let (broken, example) = case.words(&ran);
    let tree = with_failure(case, &tree, &ran, &broken, &example)?;
    let after = size(case, &tree);
    Ok(Shrunk { tree, broken, example, before, after, runs, is_smallest })
}

/// How large a scenario is, by its run.
fn size(case: &Case<'_>, tree: &Json) -> Size {
    let Some(ready) = case.ready(tree) else { return Size::default() };
    let mut recorder = Recorder::default();
    let config = &ready.built.config;
    let end = cluster::run(config, &mut [&mut recorder]);
    let settled = end.ended_at.0.saturating_sub(config.settle.0);
    let is_fault = |step: &&cluster::config::Step| {
        matches!(step.action, cluster::config::Action::Fault(_) | cluster::config::Action::Admin { .. })
    };
    Size {
        nodes: config.node_names.len(),
        operations: recorder.requests.len(),
        faults: config.steps.iter().filter(is_fault).count(),
        duration: Span(settled),
    }
}

/// Drawn faults become steps, and a crash that a restart ends says how long it lasts.
fn write_faults_out(search: &mut Search<'_>, case: &Case<'_>) {
    if search.best.get("chaos").is_some()
        && let Some(ready) = case.ready(&search.best)
    {
        search.take(faults::without_chaos(&search.best, &ready.built));
    }
    search.take(without_restarts(&search.best));
}

/// A crash at a set time with one restart of the same nodes lasts until then.
fn without_restarts(tree: &Json) -> Json {
    let mut tree = tree.clone();
    let script = list(&tree, "script").to_vec();
    let mut gone = std::collections::BTreeSet::new();
    for (number, crash) in
        script.iter().enumerate().filter(|(_, step)| step.get("crash").is_some() && step.get("for").is_none())
    {
        let nodes = &crash["crash"]["nodes"];
        let restart = script.iter().enumerate().find(|(other, step)| {
            !gone.contains(other)
                && step.get("restart").is_some_and(|restart| restart["nodes"] == *nodes)
                && steps::at(step) > steps::at(crash)
        });
        if let (Some(from), Some((place, restart))) = (steps::at(crash), restart)
            && let Some(to) = steps::at(restart)
        {
            gone.insert(place);
            set(&mut tree["script"][number], "for", json!(steps::duration_text(Span(to.0 - from.0))));
            // What the step does reads best at its end.
            if let Some(crash) = remove(&mut tree["script"][number], "crash") {
                set(&mut tree["script"][number], "crash", crash);
            }
        }
    }
    if gone.is_empty() { tree } else { steps::without_steps(&tree, &gone) }
}

/// Requests of clients become steps. If there are too many, the run is made shorter and smaller first.
fn write_clients_out(search: &mut Search<'_>, case: &Case<'_>) {
    passes::plain_clients(search);
    while !list(&search.best, "clients").is_empty() && !search.is_spent() {
        let Some(ready) = case.ready(&search.best) else { return };
        let mut recorder = Recorder::default();
        cluster::run(&ready.built.config, &mut [&mut recorder]);
        if recorder.requests.len() <= MOST_REQUESTS {
            if let Some(tree) = operations::without_clients(&search.best, &ready.built, &recorder) {
                search.take(tree);
            }
            return;
        }
        let last = search.best.clone();
        passes::fewer_clients(search);
        passes::smaller_groups(search);
        passes::shorten_run(search);
        if search.best == last {
            return;
        }
    }
}

/// Takes out what nothing needs any more: keys that no step names, names that no step asks for.
fn tidy(search: &mut Search<'_>) {
    let mut tree = search.best.clone();
    steps::without_unused_keys(&mut tree);
    search.take(tree);
}

/// The scenario as it is written: it says what it breaks, and expects it.
fn with_failure(case: &Case<'_>, tree: &Json, ran: &case::Ran, broken: &str, example: &str) -> Result<Json, String> {
    let mut tree = tree.clone();
    let about = if example.is_empty() { format!("Broken: {broken}.") } else { format!("Broken: {broken}: {example}") };
    let mut written = json!({});
    for (name, value) in tree.as_object().into_iter().flatten() {
        if name != "about" {
            set(&mut written, name, value.clone());
        }
        if name == "version" {
            set(&mut written, "about", json!(one_line(&about)));
            set(&mut written, "seed", tree["seed"].clone());
        }
    }
    tree = written;
    match &case.target {
        Target::Property(_) => {}
        Target::Metric => {
            let judgement = ran.judgements.first().filter(|judgement| judgement.verdict == Judged::Broken);
            let seen = judgement.and_then(|judgement| judgement.value).ok_or("the metric has no number")?;
            let mut expect = list(&tree, "expect").first().cloned().ok_or("the expectation is gone")?;
            for bound in ["at_least", "at_most", "above", "below", "equals", "close_to", "within"] {
                remove(&mut expect, bound);
            }
            set(&mut expect, "equals", number(seen));
            set(&mut tree, "expect", json!([expect]));
        }
        Target::Step(name) => {
            let result = case::broken_step(ran, name).ok_or("the step is gone")?;
            let outcome = result.outcome.ok_or("a look inside cannot be expected to differ")?;
            let mut expect = json!({ "outcome": outcome.word() });
            let script = list_mut(&mut tree, "script").ok_or("the script is gone")?;
            let step = script.iter_mut().find(|step| steps::name(step) == Some(name)).ok_or("the step is gone")?;
            let old = remove(step, "expect").unwrap_or(Json::Null);
            if let (Some(_), Some(latency)) = (old.get("latency"), result.latency) {
                set(&mut expect, "latency", json!(steps::duration_text(latency)));
            }
            if let (Some(_), Some(stale)) = (old.get("stale"), result.stale) {
                set(&mut expect, "stale", json!(stale));
            }
            if let (Some(_), Some(node)) = (old.get("coordinator"), result.coordinator) {
                set(&mut expect, "coordinator", json!(ran.ready.built.config.node_names[node.index()]));
            }
            if step.get("get").is_some() && outcome == Outcome::Ok {
                set(&mut expect, "values", Json::Array(result.values.iter().map(|text| value(text)).collect()));
            }
            set(step, "expect", expect);
        }
    }
    Ok(tree)
}

/// A whole number without a point.
fn number(value: f64) -> Json {
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}

/// A value as results show it: a text, or the items of a set in brackets.
fn value(text: &str) -> Json {
    match text.strip_prefix('[').and_then(|items| items.strip_suffix(']')) {
        Some("") => json!([]),
        Some(items) => json!(items.split(", ").collect::<Vec<_>>()),
        None => json!(text),
    }
}

/// `about` is one line of a list.
fn one_line(text: &str) -> String {
    const LENGTH: usize = 300;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LENGTH) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// The scenario of a failure before it is shrunk: it expects what is broken, and nothing else.
///
/// # Errors
/// If nothing is broken, or what is broken cannot be shrunk: why.
pub fn find(
    files: &dyn Source,
    single: &Json,
    wanted: Option<crate::check::properties::Property>,
) -> Result<(Target, Json), String> {
    let mut tree = single.clone();
    // A step is known by its name.
    for (number, step) in list_mut(&mut tree, "script").into_iter().flatten().enumerate() {
        if step.get("expect").is_some() && steps::name(step).is_none() {
            set(step, "name", json!(format!("step-{number}")));
        }
    }
    let single = &tree.clone();
    if let Some(property) = wanted {
        set(&mut tree, "expect", case::must_break(property));
        return broken_as(files, Target::Property(property), tree)
            .ok_or_else(|| format!("{} is not broken in this run", property.name()));
    }
    let mut reasons = Vec::new();
    let ran = case::ran(files, single).ok_or("this setting makes no run")?;
    let expectations = crate::report::expect::expectations(&ran.ready.loaded)?;
    for judgement in ran.judgements.iter().filter(|judgement| judgement.verdict == Judged::Broken) {
        let expectation = &expectations[judgement.expectation as usize];
        let candidates: Vec<(Target, Json)> = match &expectation.subject {
            crate::check::expectation::Subject::Property { properties, must_break: false, .. } => {
                properties.iter().flatten().map(|p| (Target::Property(*p), case::must_break(*p))).collect()
            }
            crate::check::expectation::Subject::Metric { .. } => {
                let written = &list(single, "expect")[judgement.expectation as usize];
                let alone = case::metric_alone(written, expectation, judgement.setting);
                alone.into_iter().map(|alone| (Target::Metric, json!([alone]))).collect()
            }
            crate::check::expectation::Subject::Property { .. } => {
                reasons.push(format!("{}: that something holds cannot be shrunk", judgement.text));
                continue;
            }
        };
        for (target, expect) in candidates {
            set(&mut tree, "expect", expect);
            if let Some(found) = broken_as(files, target, tree.clone()) {
                return Ok(found);
            }
        }
        reasons.push(format!("{}: it compares settings or seeds", judgement.text));
    }
    remove(&mut tree, "expect");
    let names: Vec<String> = list(&tree, "script")
        .iter()
        .filter_map(|step| step.get("expect").and(steps::name(step)))
        .map(str::to_string)
        .collect();
    for name in names {
        if let Some(result) = case::broken_step(&ran, &name).filter(|result| !case::broken(result).is_empty()) {
            if result.outcome.is_none() {
                reasons.push(format!("step {name}: only what an operation expects can be shrunk"));
                continue;
            }
            if let Some(found) = broken_as(files, Target::Step(name), tree.clone()) {
                return Ok(found);
            }
        }
    }
    Err(match reasons.as_slice() {
        [] => "nothing is broken in this run".to_string(),
        reasons => format!("what is broken cannot be shrunk:\n{}", reasons.join("\n")),
    })
}

fn broken_as(files: &dyn Source, target: Target, tree: Json) -> Option<(Target, Json)> {
    Case::new(files, target.clone(), &tree).map(|_| (target, tree))
}
