//! `summary.json` of a run: its numbers, flat where it can be.

use serde_json::{Map, Number, Value as Json, json};

use super::expect::Looked;
use super::play::{Played, group_names, step_name};
use crate::check::{Finding, Judgement, Verdict};
use crate::cluster::config::{Action, Fault, RunConfig};
use crate::kernel::ids::{GroupId, NodeId};
use crate::measure::metrics::{Narrowing, Unit};
use crate::measure::number::plain;
use crate::measure::{Measured, Metric, Scope, Value};

/// What a summary says besides the numbers.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Name of the scenario.
    pub scenario: &'a str,
    /// Axes and labels of the setting.
    pub setting: &'a [(String, String)],
    /// `held`, `broken` or `inconclusive`.
    pub status: &'a str,
    /// What became of the expectations.
    pub judgements: &'a [Judgement],
    /// The properties that it was looked at for.
    pub properties: &'a [Looked],
    /// Things to know.
    pub notices: &'a [String],
}

/// A number of a file: a whole one for counts and bytes, with decimals otherwise.
pub fn number(value: f64, unit: Unit) -> Json {
    let text = plain(value);
    if matches!(unit, Unit::Count | Unit::Bytes)
        && let Ok(whole) = text.parse::<i64>()
    {
        return json!(whole);
    }
    text.parse::<f64>().ok().and_then(Number::from_f64).map_or(Json::Null, Json::Number)
}

/// A scope's metrics: what has too few samples is `null`, what was not there is missing.
fn metrics(measured: &Measured, scope: &Scope, wanted: impl Fn(&Metric) -> bool) -> Map<String, Json> {
    let values = measured.values(scope).into_iter().filter(|(metric, _)| wanted(metric));
    values.map(|(metric, value)| (metric.column(), json_value(&metric, value))).collect()
}

fn json_value(metric: &Metric, value: Value) -> Json {
    value.number().map_or(Json::Null, |value| number(value, metric.unit()))
}

/// Metrics that are the same in every window.
fn is_of_the_whole_run(metric: &Metric) -> bool {
    use crate::measure::metrics::LoadKind::{Primary, Ring, Stored};
    match metric {
        Metric::Efficiency(load) | Metric::MaxOverMean(load) | Metric::LoadCv(load) => {
            matches!(load, Primary | Ring | Stored)
        }
        Metric::LoadJain(load) | Metric::LoadImbalanced(load) => matches!(load, Primary | Ring | Stored),
        Metric::SpreadViolations
        | Metric::HintsHeldMax
        | Metric::HintsBytesMax
        | Metric::HintsAgeMax
        | Metric::HintsDrainTime
        | Metric::MovementNodesAffected
        | Metric::MovementShare
        | Metric::MovementRatio
        | Metric::MovementTime
        | Metric::GossipConvergenceRounds
        | Metric::GossipConvergenceTime
        | Metric::GossipAgreementMin
        | Metric::GossipAgreementEnd
        | Metric::GossipSplitRings
        | Metric::DetectionLatency(_)
        | Metric::DetectionMistake(_)
        | Metric::DetectionFalsePositive
        | Metric::DetectionFalseShare
        | Metric::DetectionDisagreement
        | Metric::QueueLengthMax
        | Metric::FaultsHits
        | Metric::FaultsUnhit
        | Metric::RunEvents => true,
        _ => false,
    }
}

fn is_of_a_client(metric: &Metric) -> bool {
    let of_all = matches!(metric, Metric::RoutingExtraHops | Metric::RoutingMisrouted | Metric::RoutingRedirects);
    metric.narrowing() == Narrowing::Client && !of_all
}

fn is_of_a_node(metric: &Metric) -> bool {
    let of_several = matches!(
        metric,
        Metric::Efficiency(_)
            | Metric::MaxOverMean(_)
            | Metric::LoadCv(_)
            | Metric::LoadJain(_)
            | Metric::LoadImbalanced(_)
    );
    let of_all = matches!(
        metric,
        Metric::HintsDrainTime
            | Metric::DetectionLatency(_)
            | Metric::DetectionMistake(_)
            | Metric::DetectionFalsePositive
            | Metric::DetectionFalseShare
            | Metric::DetectionDisagreement
    );
    metric.narrowing() == Narrowing::Node && !of_several && !of_all
}

/// The summary of a run.
///
/// # Panics
/// If the run kept only its columns.
pub fn summary(about: &About<'_>, config: &RunConfig, run: &Played) -> Json {
    let measured = run.measured.as_ref().expect("a summary is made of runs that kept all numbers");
    let all = Scope::default();
    let windows = config.windows.iter().enumerate().skip(1).filter(|(number, _)| measured.was_open(*number as u32));
    let windows: Map<String, Json> = windows
        .map(|(number, window)| {
            let scope = Scope { window: number as u32, ..Scope::default() };
            (window.name.clone(), Json::Object(metrics(measured, &scope, |metric| !is_of_the_whole_run(metric))))
        })
        .collect();
    let clients: Map<String, Json> = group_names(config)
        .enumerate()
        .map(|(number, name)| {
            let scope = Scope { client: Some(GroupId(number as u16)), ..Scope::default() };
            (name.to_string(), Json::Object(metrics(measured, &scope, is_of_a_client)))
        })
        .collect();
    let nodes: Map<String, Json> = config
        .node_names
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let scope = Scope { nodes: Some(vec![NodeId(number as u32)]), ..Scope::default() };
            (name.clone(), Json::Object(metrics(measured, &scope, is_of_a_node)))
        })
        .collect();
    let samples: Map<String, Json> =
        measured.samples(&all).into_iter().map(|(name, count)| (name, json!(count))).collect();
    let setting: Map<String, Json> = about.setting.iter().map(|(axis, label)| (axis.clone(), json!(label))).collect();
    let notices: Vec<&String> = about.notices.iter().chain(&run.end.notices).collect();
    json!({
        "format": 1,
        "scenario": about.scenario,
        "seed": run.seed,
        "digest": format!("{:032x}", run.end.digest),
        "status": about.status,
        "virtual_ms": number(run.end.ended_at.as_ms(), Unit::Ms),
        "setting": setting,
        "metrics": metrics(measured, &all, |_| true),
        "windows": windows,
        "clients": clients,
        "nodes": nodes,
        "samples": samples,
        "faults": faults(config, run),
        "steps": steps(config, run),
        "expect": expect(about, run),
        "properties": properties(about.properties),
        "notices": notices,
    })
}

fn faults(config: &RunConfig, run: &Played) -> Vec<Json> {
    run.end
        .faults
        .iter()
        .map(|fault| {
            let kind = config.steps.get(fault.step as usize).map_or("fault", |step| kind(&step.action));
            let to = fault.to.map(|to| number(to.as_ms(), Unit::Ms));
            json!({
                "step": step_name(config, fault.step),
                "kind": kind,
                "from_ms": number(fault.from.as_ms(), Unit::Ms),
                "to_ms": to,
                "hits": fault.hits,
            })
        })
        .collect()
}

/// How a file writes the action.
fn kind(action: &Action) -> &'static str {
    match action {
        Action::Operation(_) => "operation",
        Action::Inspect(_) => "inspect",
        Action::Fault(Fault::Crash { .. }) => "crash",
        Action::Fault(Fault::Wipe { .. }) => "wipe",
        Action::Fault(Fault::Pause { .. }) => "pause",
        Action::Fault(Fault::Slow { .. }) => "slow",
        Action::Fault(Fault::DiskError { .. }) => "disk_error",
        Action::Fault(Fault::Skew { .. }) => "skew",
        Action::Fault(Fault::Cut(_)) => "cut",
        Action::Fault(Fault::Link { .. }) => "link",
        Action::Restart(_) => "restart",
        Action::Admin { .. } => "membership",
        Action::Run { .. } => "run",
    }
}

fn steps(config: &RunConfig, run: &Played) -> Vec<Json> {
    run.end
        .steps
        .iter()
        .map(|step| {
            let mut json = Map::new();
            json.insert("step".into(), json!(step_name(config, step.step)));
            if let Some(outcome) = step.outcome {
                json.insert("outcome".into(), json!(outcome.word()));
            }
            let is_read = matches!(
                config.steps.get(step.step as usize).map(|step| &step.action),
                Some(Action::Operation(operation)) if operation.kind == crate::cluster::config::ScriptedKind::Get
            );
            if is_read || !step.values.is_empty() {
                json.insert("values".into(), json!(step.values));
            }
            if let Some(latency) = step.latency {
                json.insert("latency_ms".into(), number(latency.as_ms(), Unit::Ms));
            }
            if let Some(node) = step.coordinator.and_then(|node| config.node_names.get(node.index())) {
                json.insert("coordinator".into(), json!(node));
            }
            if let Some(stale) = step.stale {
                json.insert("stale".into(), json!(stale));
            }
            if let Some(broken) = &step.broken {
                json.insert("held".into(), json!(broken.is_empty()));
                if !broken.is_empty() {
                    json.insert("broken".into(), json!(broken));
                }
            }
            Json::Object(json)
        })
        .collect()
}

fn expect(about: &About<'_>, run: &Played) -> Vec<Json> {
    let own = about.judgements.iter().filter(|judgement| judgement.setting == run.setting);
    own.map(|judgement| {
        let held = match judgement.verdict {
            Verdict::Held => json!(true),
            Verdict::Broken => json!(false),
            Verdict::NotJudged => Json::Null,
        };
        let mut json = Map::new();
        json.insert("text".into(), json!(judgement.text));
        if let Some(value) = judgement.value {
            json.insert("value".into(), number(value, judgement.unit));
        }
        json.insert("held".into(), held);
        if !judgement.because.is_empty() {
            json.insert("because".into(), json!(judgement.because));
        }
        if let Some(claim) = &judgement.claim {
            json.insert("claim".into(), json!(claim));
        }
        Json::Object(json)
    })
    .collect()
}

/// Properties that were looked at. `because` says why one is not asserted, else what was seen.
fn properties(looked: &[Looked]) -> Vec<Json> {
    let one = |looked: &Looked| {
        let (violations, seen) = match &looked.finding {
            Finding::Held => (json!(0), None),
            Finding::Violated { violations, example } => (json!(violations), Some(example.as_str())),
            Finding::NotJudged(because) => (Json::Null, Some(*because)),
        };
        let mut json = Map::new();
        json.insert("name".into(), json!(looked.property.name()));
        json.insert("asserted".into(), json!(looked.not_asserted.is_none()));
        json.insert("violations".into(), violations);
        if let Some(because) = looked.not_asserted.or(seen) {
            json.insert("because".into(), json!(because));
        }
        Json::Object(json)
    };
    looked.iter().map(one).collect()
}
