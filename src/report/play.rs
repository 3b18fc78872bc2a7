//! One run from its configuration to its numbers: a function of plain data, without files.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::expectation::{Expectation, Narrow, Query, Subject};
use crate::check::judge::{Judge, Wants};
use crate::check::properties::{self, Finding, Property};
use crate::check::{Judgement, Marker, Runs};
use crate::cluster;
use crate::cluster::Simulation;
use crate::cluster::config::RunConfig;
use crate::cluster::outcome::RunEnd;
use crate::history::Observer;
use crate::kernel::ids::{GroupId, NodeId};
use crate::kernel::time::SimTime;
use crate::measure::{Measured, Metric, Recorder, Scope, Value};
use crate::node::marks::Marks;

/// What expectations ask of each run.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Wanted {
    /// Numbers.
    pub queries: BTreeSet<Query>,
    /// Properties.
    pub properties: BTreeSet<Property>,
    /// Whether rare states are counted.
    pub marks: bool,
}

impl Wanted {
    /// What these expectations ask.
    pub fn of(expectations: &[Expectation]) -> Wanted {
        let mut wanted = Wanted::default();
        for expectation in expectations {
            match &expectation.subject {
                Subject::Metric { query, versus, .. } => {
                    let of_marks = |query: &Query| matches!(query.metric, Metric::Marks(_));
                    wanted.marks |= of_marks(query) || versus.as_ref().is_some_and(|versus| of_marks(&versus.query));
                    wanted.queries.insert(query.clone());
                    wanted.queries.extend(versus.as_ref().map(|versus| versus.query.clone()));
                }
                Subject::Property { properties, .. } => wanted.properties.extend(properties.iter().flatten()),
            }
        }
        wanted
    }

    /// The same, and what `all` does not assert is looked at too.
    pub fn with_unasserted(mut self, expectations: &[Expectation]) -> Wanted {
        if expectations.iter().any(|one| matches!(one.subject, Subject::Property { is_all: true, .. })) {
            self.properties.extend(Property::ALL);
        }
        self
    }
}

/// A run that is over and measured.
#[derive(Clone, Debug)]
pub struct Played {
    /// Number of its setting.
    pub setting: u32,
    /// Its seed.
    pub seed: u64,
    /// How it ended.
    pub end: RunEnd,
    /// The columns of files, in the order of the vocabulary.
    pub columns: Vec<(Metric, Value)>,
    /// What expectations asked.
    pub answers: BTreeMap<Query, Value>,
    /// What became of properties.
    pub findings: BTreeMap<Property, Finding>,
    /// Rare states, if they were to be counted.
    pub marks: Option<Marks>,
    /// All numbers, if they were to be kept: a sweep keeps the columns only.
    pub measured: Option<Measured>,
}

/// What is kept of a run where there are many.
#[derive(Clone, PartialEq, Debug)]
pub struct Kept {
    /// Number of its setting.
    pub setting: u32,
    /// Its seed.
    pub seed: u64,
    /// Its name.
    pub digest: u128,
    /// Whether a step's own expectations were broken.
    pub has_broken_step: bool,
    /// The columns of files, in the order of the vocabulary.
    pub columns: Vec<(Metric, Value)>,
    /// What expectations asked.
    pub answers: BTreeMap<Query, Value>,
    /// What became of properties.
    pub findings: BTreeMap<Property, Finding>,
}

impl Kept {
    /// The number in a column, if there is one.
    pub fn number(&self, metric: &Metric) -> Option<f64> {
        self.columns.iter().find(|(known, _)| known == metric).and_then(|(_, value)| value.number())
    }
}

impl Played {
    /// What is kept of it where there are many.
    pub fn kept(&self) -> Kept {
        Kept {
            setting: self.setting,
            seed: self.seed,
            digest: self.end.digest,
            has_broken_step: self.has_broken_step(),
            columns: self.columns.clone(),
            answers: self.answers.clone(),
            findings: self.findings.clone(),
        }
    }

    /// Steps whose own expectations were broken.
    pub fn has_broken_step(&self) -> bool {
        self.end.steps.iter().any(|step| step.broken.as_ref().is_some_and(|broken| !broken.is_empty()))
    }
}

/// Plays a run and measures it.
pub fn play(config: &RunConfig, setting: u32, wanted: &Wanted, keeps_all: bool) -> Played {
    play_watched(config, setting, wanted, keeps_all, None)
}

/// Plays a run and measures it, while somebody else watches too.
pub fn play_watched(
    config: &RunConfig,
    setting: u32,
    wanted: &Wanted,
    keeps_all: bool,
    watcher: Option<&mut dyn Observer>,
) -> Played {
    let mut watchers = Watchers::new(config, wanted);
    let mut end = {
        let mut observers = watchers.all();
        if let Some(watcher) = watcher {
            observers.push(watcher);
        }
        cluster::run(config, &mut observers)
    };
    let Watchers { recorder, judge, marker } = watchers;
    end.notices.extend(unhit(config, &end));
    let (violations, judged) = judge.map(Judge::finish).unzip();
    let marks = marker.map(|marker| marker.finish(&end));
    let measured = recorder.finish(config, &end, judged).with_marks(marks.clone());
    let answer = |query: &Query| match scope(config, &query.narrow) {
        Some(scope) => measured.value(&query.metric, &scope),
        None => Value::NothingToMeasure,
    };
    Played {
        setting,
        seed: config.seed,
        columns: measured.values(&Scope::default()),
        answers: wanted.queries.iter().map(|query| (query.clone(), answer(query))).collect(),
        findings: wanted
            .properties
            .iter()
            .map(|property| (*property, properties::judge(*property, config, violations.as_ref())))
            .collect(),
        marks,
        measured: keeps_all.then_some(measured),
        end,
    }
}

/// Plays the beginning of a run as [`play`] would, until somebody has seen enough; they are asked every thousand events
/// or so. Returns how far it came.
pub fn rehearse(config: &RunConfig, wanted: &Wanted, mut enough: impl FnMut(SimTime) -> bool) -> SimTime {
    let mut watchers = Watchers::new(config, wanted);
    let mut observers = watchers.all();
    let mut simulation = Simulation::new(config, &mut observers);
    while simulation.step() {
        if simulation.events().is_multiple_of(1_024) && enough(simulation.now()) {
            break;
        }
    }
    simulation.now()
}

/// Those who watch a run to measure and judge it.
struct Watchers<'a> {
    recorder: Recorder,
    judge: Option<Judge<'a>>,
    marker: Option<Marker<'a>>,
}

impl<'a> Watchers<'a> {
    fn new(config: &'a RunConfig, wanted: &Wanted) -> Watchers<'a> {
        let asks = |properties: &[Property]| properties.iter().any(|one| wanted.properties.contains(one));
        let asks_of_histories =
            |query: &Query| matches!(query.metric, Metric::LinearizableViolations | Metric::LinearizableUndecided);
        let wants = Wants {
            messages: asks(&[Property::CutsHold, Property::CrashesHold]),
            histories: asks(&[Property::Linearizable]) || wanted.queries.iter().any(asks_of_histories),
            widening: wanted.queries.iter().any(|query| matches!(query.metric, Metric::AtomicityWidening(_))),
        };
        Watchers {
            recorder: Recorder::new(config),
            judge: is_judged(config).then(|| Judge::new(config, wants)),
            marker: wanted.marks.then(|| Marker::new(config)),
        }
    }

    fn all<'w>(&'w mut self) -> Vec<&'w mut (dyn Observer + 'w)> {
        let mut all: Vec<&mut dyn Observer> = vec![&mut self.recorder];
        all.extend(self.judge.as_mut().map(|judge| judge as &mut dyn Observer));
        all.extend(self.marker.as_mut().map(|marker| marker as &mut dyn Observer));
        all
    }
}

/// A notice about faults that never bit: what they were to test has not been tested.
fn unhit(config: &RunConfig, end: &RunEnd) -> Option<String> {
    const SHOWN: usize = 5;
    let mut names: Vec<String> =
        end.faults.iter().filter(|fault| fault.hits == 0).map(|fault| step_name(config, fault.step)).collect();
    names.dedup();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("faults that never bit: {}{more}", names.join(", ")))
}

/// Whether there is a judge and anything for it: without clients nobody reads or writes.
fn is_judged(config: &RunConfig) -> bool {
    config.measure.judge && (!config.groups.is_empty() || !config.scripted.is_empty())
}

/// What names mean in a run; `None` if it has no such thing, as a setting of a sweep may.
pub fn scope(config: &RunConfig, narrow: &Narrow) -> Option<Scope> {
    let window = match narrow.window.as_deref() {
        None => 0,
        Some(name) => config.windows.iter().position(|window| window.name == name)?,
    };
    let client = match narrow.client.as_deref() {
        None => None,
        Some(name) => Some(GroupId(group_names(config).position(|group| group == name)? as u16)),
    };
    let node = |name: &String| config.node_names.iter().position(|node| node == name).map(|node| NodeId(node as u32));
    let nodes = narrow.nodes.as_ref().map(|names| names.iter().filter_map(node).collect());
    let step = match narrow.step.as_deref() {
        None => None,
        Some(name) => Some(config.steps.iter().position(|step| step.name.as_deref() == Some(name))? as u32),
    };
    Some(Scope { window: window as u32, client, nodes, step })
}

/// Names of all client groups, scripted clients after the others.
pub fn group_names(config: &RunConfig) -> impl Iterator<Item = &str> {
    config.groups.iter().map(|group| group.name.as_str()).chain(config.scripted.iter().map(String::as_str))
}

/// How a step is called in results: by its name, else by what it is and its number.
pub fn step_name(config: &RunConfig, step: u32) -> String {
    let named = config.steps.get(step as usize).and_then(|step| step.name.clone());
    named.unwrap_or_else(|| format!("step-{step}"))
}

/// The runs of one campaign, setting by setting and seed by seed.
#[derive(Clone, Debug, Default)]
pub struct Campaign {
    runs: Vec<Kept>,
}

impl Campaign {
    /// Of these runs, in any order.
    pub fn new(mut runs: Vec<Kept>) -> Campaign {
        runs.sort_by_key(|run| (run.setting, run.seed));
        Campaign { runs }
    }

    /// In the order of settings, then of seeds.
    pub fn runs(&self) -> &[Kept] {
        &self.runs
    }

    /// The runs of a setting, in the order of seeds.
    pub fn of(&self, setting: u32) -> &[Kept] {
        let from = self.runs.partition_point(|run| run.setting < setting);
        let to = self.runs.partition_point(|run| run.setting <= setting);
        &self.runs[from..to]
    }

    /// How a run stands: 0 nothing was broken in it, 1 something was, 3 something could not be judged.
    pub fn status(&self, run: &Kept, judgements: &[Judgement]) -> &'static str {
        let place = self.of(run.setting).binary_search_by_key(&run.seed, |other| other.seed);
        let place = place.ok().map(|place| place as u32);
        let own = judgements.iter().filter(|judgement| judgement.setting == run.setting);
        let mut status = "held";
        for judgement in own {
            match judgement.verdict {
                crate::check::Verdict::Broken if judgement.broken_by.is_none() || judgement.broken_by == place => {
                    return "broken";
                }
                crate::check::Verdict::NotJudged => status = "inconclusive",
                _ => {}
            }
        }
        if run.has_broken_step { "broken" } else { status }
    }
}

impl Runs for Campaign {
    fn seeds(&self, setting: u32) -> u32 {
        self.of(setting).len() as u32
    }

    fn value(&self, setting: u32, seed: u32, query: &Query) -> Value {
        let run = self.of(setting).get(seed as usize);
        run.and_then(|run| run.answers.get(query)).copied().unwrap_or(Value::NothingToMeasure)
    }

    fn finding(&self, setting: u32, seed: u32, property: Property) -> Finding {
        let run = self.of(setting).get(seed as usize);
        run.and_then(|run| run.findings.get(&property)).cloned().unwrap_or(Finding::NotJudged("no run"))
    }
}
