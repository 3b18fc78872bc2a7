//! Faults that chaos drew, written as steps of a script: the same run without chance.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::steps::duration_text;
use super::{list_mut, remove, set};
use crate::cluster::config::{Action, Fault, RunConfig, Step, When, WipeWhat};
use crate::kernel::dist::Dist;
use crate::kernel::ids::NodeId;
use crate::kernel::time::Span;
use crate::network::{CutSpec, EndSet};
use crate::node::outputs::Admin;
use crate::node::replica::DiskFate;
use crate::scenario::build::Built;

/// The scenario with the faults of this run as steps, and without chaos. The steps have no names, as drawn faults are
/// no windows.
///
/// A ring of majorities takes several cuts that begin and end together. Otherwise the run is the same event by event.
pub fn without_chaos(tree: &Json, built: &Built) -> Json {
    let mut tree = tree.clone();
    let chaos = remove(&mut tree, "chaos").unwrap_or(Json::Null);
    let drawn = &built.config.steps[built.script_steps as usize..];
    let steps: Vec<Json> = drawn.iter().flat_map(|step| written(&built.config, step, &chaos)).collect();
    match list_mut(&mut tree, "script") {
        Some(script) => script.extend(steps),
        None if steps.is_empty() => {}
        None => set(&mut tree, "script", Json::Array(steps)),
    }
    tree
}

/// One drawn fault as steps.
fn written(config: &RunConfig, step: &Step, chaos: &Json) -> Vec<Json> {
    let When::At(at) = step.when else { unreachable!("chaos names its times") };
    let mut head = serde_json::Map::new();
    head.insert("at".into(), json!(duration_text(Span(at.0))));
    // What is lost from a running node is lost at once.
    let lasts = !matches!(step.action, Action::Fault(Fault::Wipe { .. }));
    if let (Some(Dist::Constant(ns)), true) = (&step.lasts, lasts) {
        head.insert("for".into(), json!(duration_text(Span(*ns))));
    }
    let one = |name: &str, fields: Json| {
        let mut step = head.clone();
        step.insert(name.into(), fields);
        vec![Json::Object(step)]
    };
    let nodes = |nodes: &[NodeId]| selector(config, &EndSet { nodes: nodes.to_vec(), ..EndSet::default() });
    let name = |node: NodeId| config.node_names[node.index()].as_str();
    match &step.action {
        Action::Fault(fault) => match fault {
            Fault::Crash { nodes: which, disk } => {
                let mut fields = json!({ "nodes": nodes(which) });
                match disk {
                    DiskFate::Kept => {}
                    DiskFate::TailLost => set(&mut fields, "disk", json!("tail_lost")),
                    DiskFate::Lost => set(&mut fields, "disk", json!("lost")),
                }
                one("crash", fields)
            }
            Fault::Wipe { nodes: which, what } => {
                let mut fields = json!({ "nodes": nodes(which) });
                match what {
                    WipeWhat::All => {}
                    WipeWhat::Fraction(fraction) => set(&mut fields, "fraction", json!(fraction)),
                    WipeWhat::Keys(_) => unreachable!("chaos names no keys"),
                }
                one("wipe", fields)
            }
            Fault::Pause { nodes: which } => one("pause", json!({ "nodes": nodes(which) })),
            Fault::Slow { nodes: which, storage, network } => {
                one("slow", json!({ "nodes": nodes(which), "storage": storage, "network": network }))
            }
            Fault::Skew { nodes: which, by } => {
                let sign = if *by < 0 { "-" } else { "" };
                let by = format!("{sign}{}", duration_text(Span(by.unsigned_abs())));
                one("skew", json!({ "nodes": nodes(which), "by": by }))
            }
            Fault::Cut(specs) => cuts(specs).iter().flat_map(|spec| one("cut", ends(config, spec))).collect(),
            Fault::Link { ends: spec, degrade } => {
                let mut fields = ends(config, spec);
                set(&mut fields, "loss", json!(degrade.loss));
                set(&mut fields, "duplicate", json!(degrade.duplicate));
                if degrade.slower != 1.0 {
                    set(&mut fields, "slower", json!(degrade.slower));
                }
                // Drawn for each message, so it stays as the file says it.
                if let Some(extra) = chaos.get("link").and_then(|link| link.get("extra")) {
                    set(&mut fields, "extra", extra.clone());
                }
                one("link", fields)
            }
            Fault::DiskError { .. } => unreachable!("chaos has no class of them"),
        },
        Action::Admin { command: Admin::Join(node), via } => {
            one("join", json!({ "node": name(*node), "via": name(*via) }))
        }
        Action::Admin { command: Admin::Leave(node), via } => {
            one("leave", json!({ "node": name(*node), "via": name(*via) }))
        }
        other => unreachable!("chaos does no {other:?}"),
    }
}

/// A ring of majorities as few cuts: each node from those of its far nodes that no cut before has parted from it. All
/// others as they are.
fn cuts(specs: &[CutSpec]) -> Vec<CutSpec> {
    let mut far: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
    for spec in specs {
        match spec {
            CutSpec::OneWay { from, to } if specs.len() > 1 && from.groups.is_empty() && to.groups.is_empty() => {
                far.insert(from.nodes[0], to.nodes.clone());
            }
            _ => return specs.to_vec(),
        }
    }
    let mut cuts = Vec::new();
    while let Some((&node, others)) = far.iter().filter(|(_, others)| !others.is_empty()).max_by_key(|(_, o)| o.len()) {
        let others = others.clone();
        let one = |nodes: &[NodeId]| EndSet { nodes: nodes.to_vec(), ..EndSet::default() };
        cuts.push(CutSpec::Between(vec![one(&[node]), one(&others)]));
        far.remove(&node);
        for other in &others {
            if let Some(theirs) = far.get_mut(other) {
                theirs.retain(|far| *far != node);
            }
        }
    }
    cuts
}

fn ends(config: &RunConfig, spec: &CutSpec) -> Json {
    match spec {
        CutSpec::Between(groups) => {
            json!({ "between": groups.iter().map(|group| selector(config, group)).collect::<Vec<_>>() })
        }
        CutSpec::OneWay { from, to } => json!({ "from": selector(config, from), "to": selector(config, to) }),
    }
}

/// A set of nodes and clients by name.
fn selector(config: &RunConfig, ends: &EndSet) -> Json {
    let group = |group: usize| match config.groups.get(group) {
        Some(group) => group.name.as_str(),
        None => config.scripted[group - config.groups.len()].as_str(),
    };
    let nodes = ends.nodes.iter().map(|node| config.node_names[node.index()].clone());
    let groups = ends.groups.iter().map(|id| format!("client:{}", group(id.index())));
    let regions = ends.regions.iter().map(|region| format!("region:{}", config.region_names[*region as usize]));
    let mut names: Vec<String> = nodes.chain(groups).chain(regions).collect();
    if names.len() == 1 { json!(names.remove(0)) } else { json!(names) }
}
