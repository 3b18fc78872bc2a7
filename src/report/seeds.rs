//! What many seeds came to: which properties held in how many runs, who broke what, which marks were never reached.
//!
//! A seed is judged by itself and only what is needed of it is kept, so that memory does not grow with the runs. Seeds
//! are added in their order: the result does not depend on how many were played at a time.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value as Json, json};

use super::play::{Campaign, Played, step_name};
use crate::check::expectation::{Expectation, Over, Query, Subject};
use crate::check::{Finding, Judgement, Property, Runs, Verdict, evaluate};
use crate::cluster::config::{Action, Fault, RunConfig};
use crate::cluster::outcome::RunEnd;
use crate::kernel::ids::NodeId;
use crate::kernel::time::Span;
use crate::measure::Value;
use crate::node::marks::{Mark, Marks};
use crate::scenario::Loaded;
use crate::scenario::sweep::describe;

/// Why liveness is not judged where nobody is left to be live.
const NO_CORE: &str = "liveness not assertable: no healed core";

/// Something that did not come out as expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// What: a property, an expectation or a step.
    pub what: String,
    /// What was seen, for example.
    pub example: String,
    /// How often it was seen, where that is known.
    pub violations: Option<u64>,
}

/// One run, judged.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its seed.
    pub seed: u64,
    /// Its setting in words; empty if there is one only.
    pub setting: String,
    /// The name of the run.
    pub digest: u128,
    /// How many events it had.
    pub events: u64,
    /// How long it lasted in the simulated world.
    pub lasted: Span,
    /// What it broke.
    pub broken: Vec<Broken>,
    number: u32,
    properties: Vec<(Property, bool, Finding)>,
    unjudged: Vec<(String, String)>,
    marks: Option<Marks>,
    /// What expectations over several seeds ask.
    answers: BTreeMap<Query, Value>,
    findings: BTreeMap<Property, Finding>,
}

/// Whether an expectation is judged over several seeds together.
fn is_over_seeds(expectation: &Expectation) -> bool {
    let must_break = matches!(expectation.subject, Subject::Property { must_break: true, .. });
    !matches!(expectation.over, None | Some(Over::Each)) || (must_break && expectation.over.is_none())
}

/// Judges the runs of one seed, one a setting.
pub fn judge_seed(loaded: &Loaded, expectations: &[Expectation], runs: Vec<(RunConfig, Played)>) -> Vec<Seen> {
    let (configs, runs): (Vec<RunConfig>, Vec<Played>) = runs.into_iter().unzip();
    let campaign = Campaign::new(runs.iter().map(Played::kept).collect());
    let is_alone = |expectation: &&Expectation| !is_over_seeds(expectation);
    let of_metrics: Vec<Expectation> = expectations
        .iter()
        .filter(is_alone)
        .filter(|expectation| matches!(expectation.subject, Subject::Metric { .. }))
        .cloned()
        .collect();
    let judgements = evaluate(&of_metrics, &campaign);
    let all = configs.iter().zip(&runs).zip(&loaded.settings);
    all.map(|((config, run), setting)| {
        let mut seen = Seen {
            seed: run.seed,
            setting: describe(&setting.values),
            digest: run.end.digest,
            events: run.end.events,
            lasted: run.end.ended_at.since(crate::kernel::time::SimTime::ZERO),
            broken: Vec::new(),
            number: run.setting,
            properties: Vec::new(),
            unjudged: Vec::new(),
            marks: run.marks.clone(),
            answers: BTreeMap::new(),
            findings: BTreeMap::new(),
        };
        seen.judge_properties(config, run, expectations);
        for judgement in judgements.iter().filter(|judgement| judgement.setting == run.setting) {
            match judgement.verdict {
                Verdict::Held => {}
                Verdict::NotJudged => seen.unjudged.push((judgement.text.clone(), judgement.because.clone())),
                Verdict::Broken => seen.broken.push(Broken {
                    what: judgement.text.clone(),
                    example: judgement.because.clone(),
                    violations: None,
                }),
            }
        }
        for step in &run.end.steps {
            if let Some(broken) = step.broken.as_ref().filter(|broken| !broken.is_empty()) {
                seen.broken.push(Broken {
                    what: format!("step {}", step_name(config, step.step)),
                    example: broken.join("; "),
                    violations: None,
                });
            }
        }
        seen.keep(run, expectations);
        seen
    })
    .collect()
}

impl Seen {
    fn judge_properties(&mut self, config: &RunConfig, run: &Played, expectations: &[Expectation]) {
        let asserted = |property: Property| {
            expectations.iter().filter(|expectation| !is_over_seeds(expectation)).any(|expectation| {
                let place = expectation.settings.iter().position(|setting| *setting == run.setting);
                match (&expectation.subject, place) {
                    (Subject::Property { properties, must_break: false, .. }, Some(place)) => {
                        properties[place].contains(&property)
                    }
                    _ => false,
                }
            })
        };
        let has_core = has_healed_core(config, &run.end);
        if !has_core {
            self.unjudged.push(("liveness".into(), NO_CORE.into()));
        }
        for (&property, finding) in &run.findings {
            let finding = match finding {
                _ if !has_core && is_liveness(property) => Finding::NotJudged(NO_CORE),
                other => other.clone(),
            };
            let is_asserted = asserted(property) && has_a_subject(property, config);
            match &finding {
                Finding::Violated { violations, example } if is_asserted => self.broken.push(Broken {
                    what: property.name().into(),
                    example: example.clone(),
                    violations: Some(*violations),
                }),
                Finding::NotJudged(because) if is_asserted => {
                    self.unjudged.push((property.name().into(), because.to_string()));
                }
                _ => {}
            }
            self.properties.push((property, is_asserted, finding));
        }
    }

    /// Keeps what is judged when all seeds are there.
    fn keep(&mut self, run: &Played, expectations: &[Expectation]) {
        for expectation in expectations.iter().filter(|expectation| is_over_seeds(expectation)) {
            match &expectation.subject {
                Subject::Metric { query, versus, .. } => {
                    let queries = [Some(query), versus.as_ref().map(|versus| &versus.query)];
                    for query in queries.into_iter().flatten() {
                        if let Some(value) = run.answers.get(query) {
                            self.answers.insert(query.clone(), *value);
                        }
                    }
                }
                Subject::Property { properties, .. } => {
                    for property in properties.iter().flatten() {
                        if let Some(finding) = run.findings.get(property) {
                            self.findings.insert(*property, finding.clone());
                        }
                    }
                }
            }
        }
    }
}

/// Properties that say what comes about in the end.
fn is_liveness(property: Property) -> bool {
    matches!(
        property,
        Property::Convergence | Property::ViewsConverge | Property::NothingLeaks | Property::DetectorIsSound
    )
}

/// Whether a run has what the property is about. Where it has not, nothing is left open.
fn has_a_subject(property: Property, config: &RunConfig) -> bool {
    property != Property::MinimalMovement || config.steps.iter().any(|step| matches!(step.action, Action::Admin { .. }))
}

/// Whether at the end enough nodes run for a read and a write.
fn has_healed_core(config: &RunConfig, end: &RunEnd) -> bool {
    let mut stopped: Vec<NodeId> = Vec::new();
    for fault in end.faults.iter().filter(|fault| fault.to.is_none()) {
        if let Action::Fault(Fault::Crash { nodes, .. } | Fault::Pause { nodes }) =
            &config.steps[fault.step as usize].action
        {
            stopped.extend(nodes);
        }
    }
    stopped.sort_unstable();
    stopped.dedup();
    let needed = config.node.profiles.iter().map(|profile| profile.r.max(profile.w)).max().unwrap_or(1);
    let members = &config.ring.initial_members;
    members.is_empty() || members.iter().filter(|node| !stopped.contains(node)).count() >= usize::from(needed)
}

/// What became of a property over the seeds, in runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Row {
    /// Where it was asserted.
    pub asserted: u64,
    /// Asserted, and held.
    pub held: u64,
    /// Asserted, and violated.
    pub violated: u64,
    /// Asserted, and not judged.
    pub unjudged: u64,
    /// Violated where nothing guarantees it.
    pub measured: u64,
}

/// A failing run.
#[derive(Clone, Debug)]
struct Failure {
    seed: u64,
    setting: String,
    digest: u128,
    broken: Vec<Broken>,
}

/// All seeds so far.
#[derive(Clone, Default)]
pub struct Seeds {
    rows: BTreeMap<Property, Row>,
    failures: Vec<Failure>,
    failing_seeds: u64,
    seeds: u64,
    first_seed: Option<u64>,
    last_seed: u64,
    runs: u64,
    events: u64,
    /// In milliseconds.
    lasted_ms: f64,
    /// What was not judged: how often, and why at first.
    unjudged: BTreeMap<String, (u64, String)>,
    /// Runs that reached a mark, and how often it was reached.
    marks: BTreeMap<Mark, (u64, u64)>,
    hasher: xxhash_rust::xxh3::Xxh3Default,
    one_digest: u128,
    /// By setting, then by seed: what expectations over several seeds ask.
    kept: BTreeMap<u32, Vec<Kept>>,
}

/// What expectations over several seeds ask of one run.
type Kept = (BTreeMap<Query, Value>, BTreeMap<Property, Finding>);

/// What all of them came to.
#[derive(Debug)]
pub struct Outcome {
    /// Exit status: 0 nothing was broken, 1 something was, 3 something could not be judged.
    pub status: u8,
    /// Expectations over several seeds.
    judgements: Vec<Judgement>,
    /// Marks that no run reached.
    missing: Vec<Mark>,
    /// Whether each mark has to be reached.
    marks_needed: bool,
}

impl Seeds {
    /// Adds the runs of the next seed. Returns whether one of them is broken.
    pub fn add(&mut self, runs: Vec<Seen>) -> bool {
        let Some(seed) = runs.first().map(|run| run.seed) else { return false };
        self.seeds += 1;
        self.first_seed.get_or_insert(seed);
        self.last_seed = seed;
        let mut is_broken = false;
        for run in runs {
            self.runs += 1;
            self.events += run.events;
            self.lasted_ms += run.lasted.as_ms();
            self.one_digest = run.digest;
            self.hasher.update(&run.digest.to_le_bytes());
            for (property, is_asserted, finding) in &run.properties {
                let row = self.rows.entry(*property).or_default();
                row.asserted += u64::from(*is_asserted);
                let column = match (is_asserted, finding) {
                    (true, Finding::Held) => &mut row.held,
                    (true, Finding::Violated { .. }) => &mut row.violated,
                    (true, Finding::NotJudged(_)) => &mut row.unjudged,
                    (false, Finding::Violated { .. }) => &mut row.measured,
                    (false, Finding::Held | Finding::NotJudged(_)) => continue,
                };
                *column += 1;
            }
            for (what, because) in run.unjudged {
                self.unjudged.entry(what).or_insert((0, because)).0 += 1;
            }
            if let Some(marks) = &run.marks {
                for &mark in Mark::ALL {
                    let (runs, times) = self.marks.entry(mark).or_default();
                    *runs += u64::from(marks.count(mark) > 0);
                    *times += marks.count(mark);
                }
            }
            self.kept.entry(run.number).or_default().push((run.answers, run.findings));
            if !run.broken.is_empty() {
                is_broken = true;
                let Seen { seed, setting, digest, broken, .. } = run;
                self.failures.push(Failure { seed, setting, digest, broken });
            }
        }
        self.failing_seeds += u64::from(is_broken);
        is_broken
    }

    /// How many seeds broke something.
    pub fn failing(&self) -> u64 {
        self.failing_seeds
    }

    /// How many seeds there are.
    pub fn count(&self) -> u64 {
        self.seeds
    }

    /// Events of all runs, and their simulated time in milliseconds.
    pub fn work(&self) -> (u64, f64) {
        (self.events, self.lasted_ms)
    }

    /// The name of all runs together; of one run, its own.
    fn digest(&self) -> String {
        format!("{:032x}", if self.runs == 1 { self.one_digest } else { self.hasher.digest128() })
    }

    /// Judges what is about several seeds. `marks_needed`: that a mark is never reached breaks the whole.
    pub fn finish(&self, expectations: &[Expectation], marks_needed: bool) -> Outcome {
        let over_seeds: Vec<Expectation> = expectations.iter().filter(|one| is_over_seeds(one)).cloned().collect();
        let judgements = evaluate(&over_seeds, self);
        let missing: Vec<Mark> = self.marks.iter().filter(|(_, (runs, _))| *runs == 0).map(|(mark, _)| *mark).collect();
        let verdict = |wanted: Verdict| judgements.iter().any(|judgement| judgement.verdict == wanted);
        let status = if self.failing_seeds > 0 || verdict(Verdict::Broken) || (marks_needed && !missing.is_empty()) {
            1
        } else if !self.unjudged.is_empty() || verdict(Verdict::NotJudged) {
            3
        } else {
            0
        };
        Outcome { status, judgements, missing, marks_needed }
    }

    /// The line of each run that this seed has just added and that is broken; `replay` is the command that shows it.
    pub fn lines_of_last(&self, replay: &str) -> String {
        let mut out = String::new();
        for failure in self.failures.iter().rev().take_while(|failure| failure.seed == self.last_seed) {
            let setting = if failure.setting.is_empty() { String::new() } else { format!(" ({})", failure.setting) };
            let first = &failure.broken[0];
            let times = first.violations.map_or(String::new(), |times| match times {
                1 => " violated".into(),
                times => format!(" violated {times} times"),
            });
            let more = match failure.broken.len() {
                1 => String::new(),
                many => format!(" (and {} more)", many - 1),
            };
            let example = short(&first.example);
            let line = format!("seed {}{setting}: {}{times}: {example}{more}; {replay}\n", failure.seed, first.what);
            out.insert_str(0, &line);
        }
        out
    }

    /// The table of properties, and what else there is to say.
    pub fn text(&self, outcome: &Outcome) -> String {
        let mut out = String::new();
        let asserted: Vec<(&Property, &Row)> = self.rows.iter().filter(|(_, row)| **row != Row::default()).collect();
        if !asserted.is_empty() {
            let header = ["property", "asserted", "held", "violated", "not judged", "violated where not guaranteed"];
            let mut table: Vec<[String; 6]> = vec![header.map(String::from)];
            table.extend(asserted.iter().map(|(property, row)| {
                let numbers = [row.asserted, row.held, row.violated, row.unjudged, row.measured];
                let [a, b, c, d, e] = numbers.map(|number| number.to_string());
                [property.name().to_string(), a, b, c, d, e]
            }));
            let widths: [usize; 6] =
                std::array::from_fn(|column| table.iter().map(|row| row[column].len()).max().unwrap_or(0));
            out.push('\n');
            for row in &table {
                let _ = write!(out, "{:1$}", row[0], widths[0]);
                for (cell, width) in row.iter().zip(widths).skip(1) {
                    let _ = write!(out, "  {cell:>width$}");
                }
                out.push('\n');
            }
        }
        for judgement in &outcome.judgements {
            let verdict = match judgement.verdict {
                Verdict::Held => "held",
                Verdict::Broken => "broken",
                Verdict::NotJudged => "not judged",
            };
            let because = if judgement.because.is_empty() { "" } else { ": " };
            let _ = write!(out, "\n{} {verdict}{because}{}", judgement.text, judgement.because);
        }
        if !outcome.judgements.is_empty() {
            out.push('\n');
        }
        if !self.unjudged.is_empty() {
            let (what, (_, because)) = self.unjudged.iter().next().expect("it is not empty");
            let _ = match self.unjudged.len() {
                1 => writeln!(out, "\nnot judged: {what}: {because}"),
                many => writeln!(out, "\nnot judged: {many} expectations, {what} among them: {because}"),
            };
        }
        if !self.marks.is_empty() {
            let reached = self.marks.len() - outcome.missing.len();
            let _ = write!(out, "\n{reached} of {} marks reached", self.marks.len());
            if !outcome.missing.is_empty() {
                let names: Vec<&str> = outcome.missing.iter().map(|mark| mark.name()).collect();
                let _ = write!(out, "; never: {}", names.join(", "));
            }
            out.push('\n');
        }
        let (seeds, failing) = (self.seeds, self.failing_seeds);
        let word = if seeds == 1 { "seed" } else { "seeds" };
        let _ = writeln!(out, "{seeds} {word}, {failing} failing; digest {}", self.digest());
        out
    }

    /// The same as JSON. `about` gives for a seed the command that plays it again, and what it drew.
    pub fn json(
        &self,
        scenario: &str,
        outcome: &Outcome,
        notices: &[String],
        about: impl Fn(u64) -> (String, Vec<(String, Json)>),
    ) -> Json {
        let failing = self.failures.iter().map(|failure| {
            let broken = failure.broken.iter().map(
                |broken| json!({ "what": broken.what, "violations": broken.violations, "example": broken.example }),
            );
            let (replay, drawn) = about(failure.seed);
            json!({
                "seed": failure.seed,
                "setting": failure.setting,
                "digest": format!("{:032x}", failure.digest),
                "broken": broken.collect::<Vec<_>>(),
                "replay": replay,
                "drawn": Json::Object(drawn.into_iter().collect()),
            })
        });
        let properties = self.rows.iter().map(|(property, row)| {
            json!({
                "name": property.name(), "asserted": row.asserted, "held": row.held, "violated": row.violated,
                "not_judged": row.unjudged, "violated_where_not_guaranteed": row.measured,
            })
        });
        let marks: Map<String, Json> = self
            .marks
            .iter()
            .map(|(mark, (runs, times))| (mark.name().to_string(), json!({ "runs": runs, "times": times })))
            .collect();
        let expect = outcome.judgements.iter().map(|judgement| {
            let held = match judgement.verdict {
                Verdict::Held => json!(true),
                Verdict::Broken => json!(false),
                Verdict::NotJudged => Json::Null,
            };
            json!({ "text": judgement.text, "held": held, "because": judgement.because })
        });
        let unjudged = self
            .unjudged
            .iter()
            .map(|(what, (runs, because))| json!({ "what": what, "runs": runs, "because": because }));
        let status = match outcome.status {
            0 => "held",
            1 => "broken",
            _ => "inconclusive",
        };
        json!({
            "format": 1,
            "scenario": scenario,
            "status": status,
            "seeds": { "first": self.first_seed, "last": self.last_seed, "count": self.seeds, "failing": self.failing_seeds },
            "digest": self.digest(),
            "failing": failing.collect::<Vec<_>>(),
            "properties": properties.collect::<Vec<_>>(),
            "expect": expect.collect::<Vec<_>>(),
            "not_judged": unjudged.collect::<Vec<_>>(),
            "marks": marks,
            "marks_missing": outcome.missing.iter().map(|mark| mark.name()).collect::<Vec<_>>(),
            "notices": notices,
        })
    }
}

impl Outcome {
    /// Marks that had to be reached and were not.
    pub fn marks_broken(&self) -> &[Mark] {
        if self.marks_needed { &self.missing } else { &[] }
    }
}

impl Runs for Seeds {
    fn seeds(&self, setting: u32) -> u32 {
        self.kept.get(&setting).map_or(0, |runs| runs.len() as u32)
    }

    fn value(&self, setting: u32, seed: u32, query: &Query) -> Value {
        let run = self.kept.get(&setting).and_then(|runs| runs.get(seed as usize));
        run.and_then(|(answers, _)| answers.get(query)).copied().unwrap_or(Value::NothingToMeasure)
    }

    fn finding(&self, setting: u32, seed: u32, property: Property) -> Finding {
        let run = self.kept.get(&setting).and_then(|runs| runs.get(seed as usize));
        run.and_then(|(_, findings)| findings.get(&property)).cloned().unwrap_or(Finding::NotJudged("no run"))
    }
}

/// The beginning of an example, for one line.
fn short(text: &str) -> String {
    const LENGTH: usize = 120;
    let line = text.lines().next().unwrap_or("");
    match line.char_indices().nth(LENGTH) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_string(),
    }
}
