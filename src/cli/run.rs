//! `run` and `validate`: from a file to results.

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::campaign::{Plan, config_of};
use super::out::{is_heard_by_a_person, print_data, print_styled, say};
use super::{BAD_INPUT, Format, HELD, NO_OUTPUT, RunArguments};
use crate::check::{Judgement, evaluate, exit_status};
use crate::cluster::config::RunConfig;
use crate::report::run_dir::pretty;
use crate::report::summary::{About, number, summary};
use crate::report::tables::{self, SettingRow};
use crate::report::terminal::{self, Title};
use crate::report::{Campaign, OutputError, RunDir, Wanted, expect};
use crate::scenario::source::Disk;
use crate::scenario::{self, Loaded};

/// Reads a scenario, or says what is wrong with it.
fn load(file: &str, set: &[(String, String)]) -> Option<Loaded> {
    let source = match Disk::open(file) {
        Ok(source) => source,
        Err(reason) => {
            say(&reason);
            return None;
        }
    };
    match scenario::load(&source, set) {
        Ok(loaded) => Some(loaded),
        Err(errors) => {
            say(&if is_heard_by_a_person() { errors.render() } else { errors.to_string() });
            None
        }
    }
}

/// Checks a scenario up to the first event.
pub(super) fn validate(file: &str, set: &[(String, String)]) -> u8 {
    let Some(loaded) = load(file, set) else { return BAD_INPUT };
    if let Err(reason) = expect::expectations(&loaded) {
        say(&format!("{file}: {reason}"));
        return BAD_INPUT;
    }
    let (first, last) = loaded.base.sweep.seeds.bounds(loaded.base.seed.0);
    for setting in 0..loaded.settings.len() {
        if let Err(reason) = config_of(&loaded, setting, first) {
            say(&format!("{file}: {reason}"));
            return BAD_INPUT;
        }
    }
    for notice in &loaded.notices {
        say(&format!("{file}: note: {notice}"));
    }
    let (settings, seeds) = (loaded.settings.len(), last - first + 1);
    say(&format!("{file}: valid, {settings} setting{}, {seeds} seed{}", plural(settings as u64), plural(seeds)));
    HELD
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Runs a scenario and writes its results.
pub(super) fn run(arguments: &RunArguments) -> u8 {
    let Some(loaded) = load(&arguments.file, &arguments.set) else { return BAD_INPUT };
    let expectations = match expect::expectations(&loaded) {
        Ok(expectations) => expectations,
        Err(reason) => {
            say(&format!("{}: {reason}", arguments.file));
            return BAD_INPUT;
        }
    };
    let base = loaded.base.seed.0;
    let seeds = match (arguments.seed, arguments.seeds) {
        (Some(seed), _) => (seed, seed),
        (None, Some(seeds)) => seeds.bounds(base),
        (None, None) => loaded.base.sweep.seeds.bounds(base),
    };
    let plan = Plan { loaded: &loaded, seeds, wanted: Wanted::of(&expectations) };
    // What cannot run is an error before anything is written or simulated.
    let mut notices = loaded.notices.clone();
    for setting in 0..loaded.settings.len() {
        match plan.config(setting, seeds.0) {
            Ok((_, more)) => notices.extend(more),
            Err(reason) => {
                say(&format!("{}: {reason}", arguments.file));
                return BAD_INPUT;
            }
        }
    }
    let mut seen = Vec::new();
    notices.retain(|notice| {
        let is_new = !seen.contains(notice);
        seen.push(notice.clone());
        is_new
    });
    let hash = format!("{:032x}", loaded.hash);
    let results = PathBuf::from("results").join(&loaded.name);
    let default = if plan.is_single() { results.join(format!("run-{}", seeds.0)) } else { results.join("sweep") };
    let path = arguments.out.clone().unwrap_or(default);
    let directory = match RunDir::prepare(&path, &hash, arguments.force) {
        Ok(directory) => directory,
        Err(error) => {
            say(&error.to_string());
            return NO_OUTPUT;
        }
    };
    let campaign = match plan.play(arguments.jobs) {
        Ok(campaign) => campaign,
        Err(reason) => {
            say(&format!("{}: {reason}", arguments.file));
            return BAD_INPUT;
        }
    };
    let judgements = evaluate(&expectations, &campaign);
    let status = exit_status(&judgements, campaign.runs.iter().any(|run| run.has_broken_step()));
    let over = Over { arguments, plan: &plan, campaign: &campaign, judgements: &judgements, notices: &notices, hash };
    let (texts, written) = if plan.is_single() { over.single(directory) } else { over.sweep(directory) };
    if let Err(error) = written {
        say(&error.to_string());
        return NO_OUTPUT;
    }
    if arguments.quiet {
        return status;
    }
    let printed = match arguments.format {
        Format::Text => print_styled(&format!("{} results in {}\n", texts, path.display())),
        Format::Json | Format::Csv => print_data(texts.as_bytes()),
    };
    if printed == HELD { status } else { printed }
}

/// Runs that are over.
struct Over<'a> {
    arguments: &'a RunArguments,
    plan: &'a Plan<'a>,
    campaign: &'a Campaign,
    judgements: &'a [Judgement],
    notices: &'a [String],
    hash: String,
}

type Written = Result<PathBuf, OutputError>;

impl Over<'_> {
    fn title(&self) -> Title<'_> {
        Title { name: &self.plan.loaded.name, about: &self.plan.loaded.about, notices: self.notices }
    }

    fn axes(&self) -> Vec<String> {
        self.plan.loaded.base.sweep.axes.iter().map(|axis| axis.name.to_string()).collect()
    }

    fn settings(&self) -> Vec<SettingRow> {
        let settings = self.plan.loaded.settings.iter();
        settings.map(|setting| SettingRow {
            number: setting.number,
            labels: setting.values.iter().map(|value| value.value.label()).collect(),
        }).collect()
    }

    fn runs_csv(&self) -> Vec<u8> {
        tables::runs(&self.axes(), &self.settings(), self.campaign, self.judgements)
    }

    fn seeds_and_digests(&self) -> (Vec<u64>, Vec<String>) {
        let runs = self.campaign.runs.iter();
        let seeds = (self.plan.seeds.0..=self.plan.seeds.1).collect();
        (seeds, runs.map(|run| format!("{:032x}", run.end.digest)).collect())
    }

    /// What standard output gets, and where the files are.
    fn single(&self, directory: RunDir) -> (String, Written) {
        let run = &self.campaign.runs[0];
        let (config, _) = self.plan.config(0, run.seed).expect("it was made before");
        let values = &self.plan.loaded.settings[0].values;
        let setting: Vec<(String, String)> = values.iter().map(|value| (value.axis.clone(), value.value.label())).collect();
        let about = About {
            scenario: &self.plan.loaded.name,
            setting: &setting,
            status: self.campaign.status(run, self.judgements),
            judgements: self.judgements,
            notices: self.notices,
        };
        let summary = pretty(&summary(&about, &config, run));
        let written = self.write_single(directory, &config, &summary);
        let text = match self.arguments.format {
            Format::Text => terminal::run(&self.title(), &config, run, self.judgements),
            Format::Json => summary,
            Format::Csv => String::from_utf8(self.runs_csv()).expect("tables are text"),
        };
        (text, written)
    }

    fn write_single(&self, mut directory: RunDir, config: &RunConfig, summary: &str) -> Written {
        let run = &self.campaign.runs[0];
        let measured = run.measured.as_ref().expect("a single run keeps all numbers");
        directory.write("summary.json", summary.as_bytes())?;
        directory.write("timeline.csv", &tables::timeline(config, measured))?;
        directory.write("latency.csv", &tables::latency(measured))?;
        directory.write("latency.hlog", &tables::hlog(config, measured))?;
        directory.write("staleness.csv", &tables::staleness(measured))?;
        let (seeds, digests) = self.seeds_and_digests();
        directory.finish(&self.hash, &seeds, &digests)
    }

    fn sweep(&self, mut directory: RunDir) -> (String, Written) {
        let (axes, settings) = (self.axes(), self.settings());
        let runs = self.runs_csv();
        let (seeds, digests) = self.seeds_and_digests();
        let written = directory
            .write("runs.csv", &runs)
            .and_then(|()| {
                directory.write("summary.csv", &tables::summary(&axes, &settings, self.campaign, self.judgements))
            })
            .and_then(|()| directory.finish(&self.hash, &seeds, &digests));
        let text = match self.arguments.format {
            Format::Text => terminal::sweep(&self.title(), &axes, &settings, self.campaign, self.judgements),
            Format::Json => pretty(&self.sweep_json(&axes, &settings)),
            Format::Csv => String::from_utf8(runs).expect("tables are text"),
        };
        (text, written)
    }

    fn sweep_json(&self, axes: &[String], settings: &[SettingRow]) -> Json {
        let runs = self.campaign.runs.iter().map(|run| {
            let labels = settings.iter().find(|setting| setting.number == run.setting).map(|setting| &setting.labels);
            let setting: serde_json::Map<String, Json> =
                axes.iter().zip(labels.into_iter().flatten()).map(|(axis, label)| (axis.clone(), json!(label))).collect();
            let metrics: serde_json::Map<String, Json> = run.columns.iter().map(|(metric, value)| {
                (metric.column(), value.number().map_or(Json::Null, |value| number(value, metric.unit())))
            }).collect();
            json!({
                "setting": setting,
                "seed": run.seed,
                "digest": format!("{:032x}", run.end.digest),
                "status": self.campaign.status(run, self.judgements),
                "metrics": metrics,
            })
        });
        let expect = self.judgements.iter().map(|judgement| {
            let held = match judgement.verdict {
                crate::check::Verdict::Held => json!(true),
                crate::check::Verdict::Broken => json!(false),
                crate::check::Verdict::NotJudged => Json::Null,
            };
            let value = judgement.value.map(|value| number(value, judgement.unit));
            json!({
                "text": judgement.text, "setting": judgement.setting, "value": value, "held": held,
                "because": judgement.because, "claim": judgement.claim,
            })
        });
        json!({
            "format": 1,
            "scenario": self.plan.loaded.name,
            "runs": runs.collect::<Vec<_>>(),
            "expect": expect.collect::<Vec<_>>(),
            "notices": self.notices,
        })
    }
}
