//! What a failure is, and whether a candidate still has it.

use serde_json::{Value as Json, json};

use super::search::Verdict;
use crate::check::expectation::{Expectation, Subject};
use crate::check::properties::{Finding, Group, Property};
use crate::check::{Judgement, Verdict as Judged, evaluate};
use crate::cluster::config::{Action, When};
use crate::cluster::outcome::StepResult;
use crate::kernel::dist::Dist;
use crate::kernel::ids::SessionId;
use crate::kernel::time::{SimTime, Span};
use crate::report::{Campaign, Played, Wanted, expect, play};
use crate::scenario::build::{Built, run_config};
use crate::scenario::edit::{list, steps};
use crate::scenario::properties::Standing;
use crate::scenario::source::{Edited, Source};
use crate::scenario::{Loaded, load};
use crate::workload::config::Arrival;

/// What is broken.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// A property.
    Property(Property),
    /// The one expectation of the scenario, about a metric.
    Metric,
    /// What this step expects.
    Step(String),
}

/// A candidate that is a scenario.
pub struct Ready {
    /// As it was read.
    pub loaded: Loaded,
    /// Its run.
    pub built: Built,
}

/// A candidate that was run.
pub struct Ran {
    /// The candidate.
    pub ready: Ready,
    /// Its run.
    pub played: Played,
    /// How its expectations came out.
    pub judgements: Vec<Judgement>,
}

/// Reads a candidate; `None` if it is no scenario, or makes no run.
pub fn ready(files: &dyn Source, tree: &Json) -> Option<Ready> {
    let text = tree.to_string();
    let loaded = load(&Edited { name: "shrunk.json", text: &text, of: files }, &[]).ok()?;
    let spec = &loaded.settings.first()?.spec;
    let built = run_config(spec, spec.seed.0, &loaded.files).ok()?;
    Some(Ready { loaded, built })
}

/// Reads and plays a candidate.
pub fn ran(files: &dyn Source, tree: &Json) -> Option<Ran> {
    run(ready(files, tree)?)
}

fn run(ready: Ready) -> Option<Ran> {
    let expectations = expect::expectations(&ready.loaded).ok()?;
    let played = play(&ready.built.config, 0, &Wanted::of(&expectations), false);
    let judgements = evaluate(&expectations, &Campaign::new(vec![played.kept()]));
    Some(Ran { ready, played, judgements })
}

/// The expectation that stands for a property while it is looked for.
pub fn must_break(property: Property) -> Json {
    json!([{ "property": property.name(), "must": "break" }])
}

/// The expectation about a metric without what speaks of other settings and seeds, with the bounds of this setting.
/// `None` if it compares settings.
pub fn metric_alone(written: &Json, expectation: &Expectation, setting: u32) -> Option<Json> {
    let Subject::Metric { bounds, .. } = &expectation.subject else { return None };
    let place = expectation.settings.iter().position(|other| *other == setting)?;
    let mut alone = serde_json::Map::new();
    for (name, value) in written.as_object()? {
        let bound = bounds.iter().find(|bound| bound.kind.word() == name);
        match (name.as_str(), bound) {
            ("where" | "along" | "over" | "claim", _) => {}
            ("versus", _) if value.get("where").is_some() => return None,
            (_, Some(bound)) => _ = alone.insert(name.clone(), json!(expectation.bound_at(bound, place)?)),
            _ => _ = alone.insert(name.clone(), value.clone()),
        }
    }
    Some(Json::Object(alone))
}

/// What a failure is, and what must not change on the way to a smaller one: a scenario that breaks a promise which it
/// does not make is no smaller failure of the same kind.
pub struct Case<'a> {
    files: &'a dyn Source,
    /// What is broken.
    pub target: Target,
    standing: Option<Standing>,
    heals: bool,
    /// Whether every client waits for an answer before it asks again.
    waits: bool,
    /// Sections of the cluster that decide what is promised.
    promises: Json,
}

impl<'a> Case<'a> {
    /// The failure of this scenario; `None` if it is no scenario, or has none.
    pub fn new(files: &'a dyn Source, target: Target, tree: &Json) -> Option<Case<'a>> {
        let ran = ran(files, tree)?;
        let standing = standing(&target, &ran.ready);
        let waits = groups_wait(&ran.ready) && !overlaps(&ran);
        let case = Case { files, target, standing, heals: heals(tree), waits, promises: promises(tree) };
        case.is_broken(&ran).then_some(case)
    }

    /// Reads a candidate.
    pub fn ready(&self, tree: &Json) -> Option<Ready> {
        ready(self.files, tree)
    }

    /// Reads and plays a candidate.
    pub fn ran(&self, tree: &Json) -> Option<Ran> {
        ran(self.files, tree)
    }

    /// Whether a candidate fails as the first one did.
    pub fn verdict(&self, tree: &Json) -> Verdict {
        if self.heals && !heals(tree) {
            return Verdict::NoScenario;
        }
        let Some(ready) = self.ready(tree) else { return Verdict::NoScenario };
        if !self.promises_the_same(&ready, tree) {
            return Verdict::NoScenario;
        }
        match run(ready) {
            Some(ran) if self.is_broken(&ran) && !(self.waits && overlaps(&ran)) => Verdict::Fails,
            _ => Verdict::Holds,
        }
    }

    /// Whether what is broken is seen on the way, so that the peace at the end adds nothing but time.
    pub fn is_seen_on_the_way(&self) -> bool {
        use Property::*;
        matches!(
            self.target,
            Target::Property(
                Regular
                    | Linearizable
                    | ReadYourWrites
                    | MonotonicReads
                    | MonotonicWrites
                    | WritesFollowReads
                    | AcksAreHonest
                    | OneReplyPerRequest
                    | NoInventedValues
                    | AvailableWhenReachable
                    | ReplicasNeverGoBack
                    | DotsUnique
                    | SiblingsBounded
            )
        )
    }

    /// Whether the switches of the mechanisms may change: only where the standing of a property tells when it is no longer
    /// promised. What must come out in the end depends on the time that the mechanisms are given, and that no standing tells.
    pub fn may_change_mechanisms(&self) -> bool {
        matches!(self.target, Target::Property(property) if property.group() != Group::Repair)
    }

    fn promises_the_same(&self, ready: &Ready, tree: &Json) -> bool {
        match (self.standing, standing(&self.target, ready)) {
            (None, _) | (_, None) | (_, Some(Standing::Guaranteed)) | (Some(Standing::CannotHold(_)), _) => true,
            (Some(Standing::Guaranteed), _) | (_, Some(Standing::CannotHold(_))) => false,
            (Some(before), Some(now)) => before == now || promises(tree) == self.promises,
        }
    }

    fn is_broken(&self, ran: &Ran) -> bool {
        match &self.target {
            Target::Property(property) => {
                matches!(ran.played.findings.get(property), Some(Finding::Violated { .. }))
            }
            Target::Metric => ran.judgements.iter().any(|judgement| judgement.verdict == Judged::Broken),
            Target::Step(name) => broken_step(ran, name).is_some_and(|result| !broken(result).is_empty()),
        }
    }

    /// What is broken, in words: the target, and how it looks in this run.
    pub fn words(&self, ran: &Ran) -> (String, String) {
        match &self.target {
            Target::Property(property) => {
                let example = match ran.played.findings.get(property) {
                    Some(Finding::Violated { example, .. }) => example.clone(),
                    _ => String::new(),
                };
                (property.name().to_string(), example)
            }
            Target::Metric => {
                let judgement = ran.judgements.first();
                judgement.map_or_else(Default::default, |judgement| (judgement.text.clone(), judgement.because.clone()))
            }
            Target::Step(name) => {
                let result = broken_step(ran, name);
                (format!("step {name}"), result.map_or_else(String::new, |result| broken(result).join("; ")))
            }
        }
    }

    /// A short name of what is broken, for a file's name.
    pub fn short(&self, tree: &Json) -> String {
        match &self.target {
            Target::Property(property) => property.name().to_string(),
            Target::Metric => {
                let metric = list(tree, "expect").first().and_then(|expect| expect.get("metric")?.as_str());
                let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '-' };
                metric.unwrap_or("metric").chars().map(plain).collect()
            }
            Target::Step(name) => name.clone(),
        }
    }
}

fn standing(target: &Target, ready: &Ready) -> Option<Standing> {
    match target {
        Target::Property(property) => Some(property.standing(&ready.loaded.settings[0].spec)),
        Target::Metric | Target::Step(_) => None,
    }
}

/// The result of a step of this name.
pub fn broken_step<'a>(ran: &'a Ran, name: &str) -> Option<&'a StepResult> {
    let steps = &ran.ready.built.config.steps;
    let number = steps.iter().position(|step| step.name.as_deref() == Some(name))? as u32;
    ran.played.end.steps.iter().find(|result| result.step == number)
}

/// What was not as a step expected.
pub fn broken(result: &StepResult) -> &[String] {
    result.broken.as_deref().unwrap_or(&[])
}

/// Whether no group of clients asks again before it has its answer.
fn groups_wait(ready: &Ready) -> bool {
    let groups = &ready.built.config.groups;
    groups.iter().all(|group| group.one_at_a_time || matches!(group.arrival, Arrival::Closed { .. }))
}

/// Whether a scripted client asks for something before it has the answer to what it asked before.
fn overlaps(ran: &Ran) -> bool {
    let steps = &ran.ready.built.config.steps;
    let mut ends: Vec<Option<SimTime>> = vec![None; steps.len()];
    let mut asked: Vec<(SessionId, SimTime, SimTime)> = Vec::new();
    let mut latencies: Vec<Option<Span>> = vec![None; steps.len()];
    for result in &ran.played.end.steps {
        latencies[result.step as usize] = result.latency;
    }
    for (number, step) in steps.iter().enumerate() {
        let Action::Operation(operation) = &step.action else { continue };
        let began = match &step.when {
            When::At(at) => Some(*at),
            When::After { step, plus: Dist::Constant(plus) } => ends[*step as usize].map(|end| end + Span(*plus)),
            When::After { .. } => None,
        };
        // What never began, or has no answer, is in nobody's way.
        if let (Some(began), Some(latency)) = (began, latencies[number]) {
            ends[number] = Some(began + latency);
            asked.push((operation.session, began, began + latency));
        }
    }
    asked.sort_unstable();
    asked.windows(2).any(|pair| pair[0].0 == pair[1].0 && pair[1].1 < pair[0].2)
}

fn promises(tree: &Json) -> Json {
    let cluster = &tree["cluster"];
    let sections = ["replication", "versioning", "deletes", "hints", "read_repair", "anti_entropy", "storage"];
    json!(sections.map(|name| cluster.get(name).unwrap_or(&Json::Null)))
}

/// Whether every fault ends while clients are there, as far as the file says so plainly.
fn heals(tree: &Json) -> bool {
    let end = steps::duration(tree.get("duration")).unwrap_or(Span::MAX);
    let script = list(tree, "script");
    script.iter().all(|step| match (steps::action(step), steps::duration(step.get("for"))) {
        (Some("wipe" | "skew" | "join" | "leave" | "replace"), _) => true,
        (Some(_), Some(lasts)) => steps::at(step).is_none_or(|at| at.0.saturating_add(lasts.0) <= end.0),
        (Some("crash"), None) => {
            let nodes = &step["crash"]["nodes"];
            script.iter().any(|other| other.get("restart").is_some_and(|restart| restart["nodes"] == *nodes))
        }
        (Some(_), None) => !steps::is_fault(step),
        (None, _) => true,
    })
}
