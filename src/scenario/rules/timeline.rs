//! Rules about time: what happens when, and to whom it can happen then.

use super::Rules;
use crate::kernel::time::Span;
use crate::scenario::spec::*;

pub(super) fn check(rules: &mut Rules<'_>) {
    durations(rules);
    steps(rules);
    lives(rules);
}

fn durations(rules: &mut Rules<'_>) {
    let spec = rules.spec;
    let Some(duration) = spec.duration else {
        if !spec.clients.is_empty() || spec.chaos.is_some() {
            let what = if spec.clients.is_empty() { "chaos" } else { "clients" };
            rules.fail("", format!("field `duration` is missing: it is required with `{what}`"));
        }
        return;
    };
    if duration == Span::ZERO {
        rules.fail("duration", "must be longer than 0s");
        return;
    }
    if spec.warmup >= duration {
        rules.fail("warmup", format!("{} is not before the end of `duration` {duration}", spec.warmup));
    }
    if duration.0.checked_add(spec.settle.0).is_none_or(|end| end > Span::MAX.0) {
        rules.fail("settle", "`duration` + `settle` is too long (allowed at most 292 years)");
    }
    for group in spec.clients.iter().filter(|group| group.start >= duration) {
        rules.fail(
            format!("clients.{}.start", group.name),
            format!("{} is not before the end of `duration` {duration}", group.start),
        );
    }
    for group in &spec.clients {
        if let Some(stop) = group.stop.filter(|stop| *stop > duration) {
            rules.fail(
                format!("clients.{}.stop", group.name),
                format!("{stop} is after the end of `duration` {duration}"),
            );
        }
    }
    if let Some(chaos) = &spec.chaos
        && let Some(to) = chaos.to.filter(|to| *to > duration)
    {
        rules.fail("chaos.to", format!("{to} is after the end of `duration` {duration}"));
    }
    for (name, window) in spec.windows.iter() {
        if window.to.0 > duration.0.saturating_add(spec.settle.0) {
            rules.fail(format!("windows.{name}.to"), format!("{} is after the end of the run", window.to));
        }
    }
}

/// Steps lie within the run.
fn steps(rules: &mut Rules<'_>) {
    let spec = rules.spec;
    for (number, step) in spec.script.iter().enumerate() {
        let path = rules.steps[number].clone();
        if step.for_ == Some(Span::ZERO) {
            rules.fail(format!("{path}.for"), "must be longer than 0s");
        }
        if let Some(repeat) = &step.repeat {
            if repeat.times == 0 {
                rules.fail(format!("{path}.repeat.times"), "must be ≥ 1 (got 0)");
            }
            if repeat.every == Span::ZERO {
                rules.fail(format!("{path}.repeat.every"), "must be longer than 0s");
            }
            if repeat.times > 1 && step.for_.is_some_and(|length| length > repeat.every) {
                rules.fail(format!("{path}.repeat.every"), "the fault begins again before it has ended");
            }
        }
        let (Some(at), Some(duration)) = (step.at, spec.duration) else { continue };
        let inspect = matches!(step.action(), Action::Inspect(_));
        let settled = Span(duration.0.saturating_add(spec.settle.0));
        if inspect && at > settled {
            rules.fail(format!("{path}.at"), format!("{at} is after the end of the run, {settled}"));
        } else if !inspect && at >= duration {
            rules.fail(format!("{path}.at"), format!("{at} is not before the end of `duration` {duration}"));
        }
        let last = step.repeat.as_ref().map(|repeat| {
            at.0.saturating_add(repeat.every.0.saturating_mul(u64::from(repeat.times.saturating_sub(1))))
        });
        if last.is_some_and(|last| last >= duration.0 && at < duration) {
            rules.fail(
                format!("{path}.repeat"),
                format!("the last time is not before the end of `duration` {duration}"),
            );
        }
    }
}

/// What is known of a node at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Life {
    /// Since which step it is down, and until when.
    down: Option<(usize, Option<Span>)>,
    member: bool,
    /// The step that made it a member, or took it out.
    changed_by: Option<usize>,
    /// Chance or an unknown time decides about it.
    uncertain: bool,
}

/// Follows the nodes through the script: restart of a running one, crash of a crashed one, join of a
/// member, a leave that leaves too few. Steps after others have no known time and make the nodes
/// they touch uncertain, as does a choice by chance.
fn lives(rules: &mut Rules<'_>) {
    let (spec, world) = (rules.spec, rules.world);
    let mut lives: Vec<Life> = world
        .nodes
        .iter()
        .map(|node| Life { down: None, member: node.member, changed_by: None, uncertain: false })
        .collect();
    let mut order: Vec<(Span, usize)> = Vec::new();
    for (number, step) in spec.script.iter().enumerate() {
        match step.at {
            Some(at) if step.repeat.is_none() => order.push((at, number)),
            _ => touched(rules, step).into_iter().for_each(|node| lives[node].uncertain = true),
        }
    }
    order.sort_by_key(|(at, _)| *at);
    let mut leaves: Vec<usize> = Vec::new();
    for (at, number) in order {
        for life in &mut lives {
            if matches!(life.down, Some((_, Some(until))) if until <= at) {
                life.down = None;
            }
        }
        let step = &spec.script[number];
        let path = rules.steps[number].clone();
        let named = |rules: &Rules<'_>, number: usize| rules.steps[number].trim_start_matches("script.").to_string();
        match step.action() {
            Action::Crash(Crash { nodes, .. }) => {
                let Some(nodes) = world.nodes_of(nodes) else {
                    touched(rules, step).into_iter().for_each(|node| lives[node].uncertain = true);
                    continue;
                };
                let until = step.for_.map(|length| Span(at.0.saturating_add(length.0)));
                for node in nodes {
                    if let (Some((earlier, _)), false) = (lives[node].down, lives[node].uncertain) {
                        let name = &world.nodes[node].name;
                        rules.fail(
                            format!("{path}.crash.nodes"),
                            format!("node {name:?} is down already, since step {}", named(rules, earlier)),
                        );
                    }
                    lives[node].down = Some((number, until));
                }
            }
            Action::Restart(NodesOnly { nodes }) => {
                let Some(nodes) = world.nodes_of(nodes) else {
                    touched(rules, step).into_iter().for_each(|node| lives[node].uncertain = true);
                    continue;
                };
                for node in nodes {
                    if lives[node].down.is_none() && !lives[node].uncertain && spec.chaos.is_none() {
                        rules.fail(
                            format!("{path}.restart.nodes"),
                            format!("node {:?} is running", world.nodes[node].name),
                        );
                    }
                    lives[node].down = None;
                }
            }
            Action::Join(admin) => joins(rules, &format!("{path}.join.node"), &admin.node, number, &mut lives),
            Action::Leave(admin) => {
                leaving(rules, &format!("{path}.leave.node"), &admin.node, number, &mut lives);
                leaves.push(number);
                enough_left(rules, &format!("{path}.leave"), &leaves, &lives);
            }
            Action::Replace(replace) => {
                leaving(rules, &format!("{path}.replace.node"), &replace.node, number, &mut lives);
                joins(rules, &format!("{path}.replace.with"), &replace.with, number, &mut lives);
            }
            _ => {}
        }
    }
}

/// The nodes that a step may change.
fn touched(rules: &Rules<'_>, step: &Step) -> Vec<usize> {
    let world = rules.world;
    let everyone = || (0..world.nodes.len()).collect::<Vec<_>>();
    match step.action() {
        Action::Crash(Crash { nodes, .. }) | Action::Restart(NodesOnly { nodes }) => match world.nodes_of(nodes) {
            Some(nodes) => nodes.into_iter().collect(),
            None => everyone(),
        },
        Action::Join(admin) | Action::Leave(admin) => world.node(&admin.node).into_iter().collect(),
        Action::Replace(replace) => world.node(&replace.node).into_iter().chain(world.node(&replace.with)).collect(),
        _ => Vec::new(),
    }
}

fn joins(rules: &mut Rules<'_>, path: &str, name: &str, number: usize, lives: &mut [Life]) {
    let Some(node) = rules.world.node(name) else { return };
    let life = &mut lives[node];
    if life.member && !life.uncertain {
        let since = match life.changed_by {
            Some(earlier) => format!(", since step {}", rules.steps[earlier].trim_start_matches("script.")),
            None => String::new(),
        };
        rules.fail(path, format!("node {name:?} is a member already{since}"));
    }
    life.member = true;
    life.changed_by = Some(number);
}

fn leaving(rules: &mut Rules<'_>, path: &str, name: &str, number: usize, lives: &mut [Life]) {
    let Some(node) = rules.world.node(name) else { return };
    let life = &mut lives[node];
    if !life.member && !life.uncertain {
        let since = match life.changed_by {
            Some(earlier) => format!(", since step {}", rules.steps[earlier].trim_start_matches("script.")),
            None => String::new(),
        };
        rules.fail(path, format!("node {name:?} is not a member{since}"));
    }
    life.member = false;
    life.changed_by = Some(number);
}

fn enough_left(rules: &mut Rules<'_>, path: &str, leaves: &[usize], lives: &[Life]) {
    let left = lives.iter().zip(&rules.world.nodes).filter(|(life, node)| life.member && node.capacity > 0.0).count();
    let n = rules.spec.cluster.replication.n;
    // A cluster that never had enough members is told so already.
    if left >= n as usize || rules.world.holders() < n as usize {
        return;
    }
    let names: Vec<&str> = leaves.iter().map(|number| rules.steps[*number].trim_start_matches("script.")).collect();
    let steps = if names.len() == 1 { format!("step {}", names[0]) } else { format!("steps {}", names.join(", ")) };
    let message = format!("{steps}: {left} members are left, fewer than cluster.replication.n {n}");
    rules.fail(path, message);
}
