//! Rules about clients and their operations: quorums, weights, keys, and how many there will be.

use super::Rules;
use super::cluster::quorum;
use crate::kernel::time::Span;
use crate::scenario::spec::*;

/// More operations than a session can number.
const MAX_OPERATIONS: f64 = 4_294_967_296.0;

pub(super) fn check(rules: &mut Rules<'_>) {
    let spec = rules.spec;
    for group in &spec.clients {
        client(rules, group);
    }
    for number in 0..spec.script.len() {
        step_quorum(rules, number);
    }
    if let Some(chaos) = &spec.chaos {
        self::chaos(rules, chaos);
    }
    estimate(rules);
}

fn client(rules: &mut Rules<'_>, group: &ClientGroup) {
    let path = format!("clients.{}", group.name);
    if group.count == 0 {
        rules.fail(format!("{path}.count"), "must be ≥ 1 (got 0)");
    }
    if group.operations.0 == Some(0) {
        rules.fail(format!("{path}.operations"), "must be ≥ 1 (got 0)");
    }
    own_quorum(rules, &path, group.n, group.r, group.w);
    let Mix { get, update, remove, put, delete, write_then_read } = group.mix;
    if !matches!(group.arrival, Arrival::Trace(_)) && get + update + remove + put + delete + write_then_read <= 0.0 {
        rules.fail(format!("{path}.mix"), "all weights are 0");
    }
    match &group.keys {
        KeyChoice::Uniform(keys) | KeyChoice::Sequential(keys) => key_count(rules, &path, keys.count),
        KeyChoice::Zipf(keys) | KeyChoice::Latest(keys) => key_count(rules, &path, keys.count),
        KeyChoice::Hot(keys) => {
            key_count(rules, &path, keys.count);
            if keys.hot > keys.count || keys.hot == 0 {
                rules.fail(
                    format!("{path}.keys.hot.hot"),
                    format!("{} hot keys of {} (allowed 1 to all)", keys.hot, keys.count),
                );
            }
        }
        KeyChoice::New | KeyChoice::Only(_) => {}
    }
    match &group.arrival {
        Arrival::Open(open) => {
            if open.rate.events <= 0.0 {
                rules.fail(format!("{path}.arrival.open.rate"), "must be more than 0");
            }
            for (number, phase) in open.phases.iter().enumerate() {
                let path = format!("{path}.arrival.open.phases.{number}");
                if phase.for_ == Span::ZERO {
                    rules.fail(format!("{path}.for"), "must be longer than 0s");
                }
                if phase.every.is_some_and(|every| every == Span::ZERO) {
                    rules.fail(format!("{path}.every"), "must be longer than 0s");
                }
            }
        }
        Arrival::Closed(_) | Arrival::Trace(_) => {}
    }
    if let Some(stop) = group.stop
        && stop <= group.start
    {
        rules.fail(format!("{path}.stop"), format!("{stop} is not after `start` {}", group.start));
    }
}

fn key_count(rules: &mut Rules<'_>, path: &str, count: u32) {
    if count == 0 {
        rules.fail(format!("{path}.keys"), "there are no keys (got 0, allowed ≥ 1)");
    }
}

/// A quorum of a group or an operation, where what it does not say is the cluster's.
fn own_quorum(rules: &mut Rules<'_>, path: &str, n: Option<u32>, r: Option<u32>, w: Option<u32>) {
    if n.is_none() && r.is_none() && w.is_none() {
        return;
    }
    let base = rules.spec.cluster.replication.clone();
    let longest = n.unwrap_or(base.n);
    if longest > base.n && longest as usize > rules.world.holders() {
        rules.fail(format!("{path}.n"), format!("{longest} is more than the {} members", rules.world.holders()));
    }
    let (r, w) = (r.unwrap_or(base.r.min(longest)), w.unwrap_or(base.w.min(longest)));
    let before = rules.cx.problems().len();
    quorum(rules, path, longest, r, w);
    if rules.cx.problems().len() == before && r + w <= longest && base.r + base.w > base.n {
        rules.notice(path, format!("partial quorum (r {r} + w {w} ≤ n {longest}): reads may be stale"));
    }
}

fn step_quorum(rules: &mut Rules<'_>, number: usize) {
    let step = &rules.spec.script[number];
    let action = step.action();
    let path = format!("{}.{}", rules.steps[number], action.name());
    let (n, r, w) = match action {
        Action::Get(get) => (get.n, get.r, None),
        Action::Put(put) => (put.n, None, put.w),
        Action::Delete(delete) => (delete.n, None, delete.w),
        Action::Update(update) => (None, update.r, update.w),
        _ => return,
    };
    let base = &rules.spec.cluster.replication;
    let longest = n.unwrap_or(base.n);
    if n == Some(0) {
        rules.fail(format!("{path}.n"), "must be ≥ 1 (got 0)");
    } else if longest > base.n && longest as usize > rules.world.holders() {
        rules.fail(format!("{path}.n"), format!("{longest} is more than the {} members", rules.world.holders()));
    }
    for (field, value) in [("r", r), ("w", w)] {
        match value {
            Some(0) => rules.fail(format!("{path}.{field}"), "must be ≥ 1 (got 0)"),
            Some(value) if value > longest => {
                rules.fail(format!("{path}.{field}"), format!("{value} exceeds n {longest}"))
            }
            _ => {}
        }
    }
}

fn chaos(rules: &mut Rules<'_>, chaos: &Chaos) {
    if let Some(crash) = chaos.crash.as_on()
        && crash.disk.kept + crash.disk.tail_lost + crash.disk.lost <= 0.0
    {
        rules.fail("chaos.crash.disk", "all weights are 0");
    }
    if let Some(cut) = chaos.cut.as_on() {
        let ShapeWeights { halves, isolate, one_way, bridge, majorities_ring } = cut.shapes;
        if halves + isolate + one_way + bridge + majorities_ring <= 0.0 {
            rules.fail("chaos.cut.shapes", "all weights are 0");
        }
    }
    let from = chaos.from.unwrap_or(rules.spec.warmup);
    if let Some(to) = chaos.to.or(rules.spec.duration).filter(|to| *to <= from) {
        rules.fail(
            if chaos.to.is_some() { "chaos.to" } else { "chaos.from" },
            format!("chaos ends at {to} and begins at {from}"),
        );
    }
}

/// `duration` × rates, with phases, must stay below 2^32 operations.
fn estimate(rules: &mut Rules<'_>) {
    let Some(duration) = rules.spec.duration else { return };
    let mut total = 0.0;
    let mut largest: Option<(f64, String)> = None;
    for group in &rules.spec.clients {
        let Arrival::Open(open) = &group.arrival else { continue };
        let stop = group.stop.unwrap_or(duration).min(duration);
        let active = stop.0.saturating_sub(group.start.0) as f64 / 1e9;
        // Phases that overlap multiply; the mean factor of each is an estimate that is good enough.
        let factor: f64 = open.phases.iter().map(|phase| mean_factor(phase, stop)).product();
        let mut operations = open.rate.per_second() * active * factor;
        if let Some(limit) = group.operations.0 {
            operations = operations.min(limit as f64 * f64::from(group.count));
        }
        total += operations;
        if largest.as_ref().is_none_or(|(most, _)| operations > *most) {
            largest = Some((operations, format!("clients.{}.arrival.open.rate", group.name)));
        }
    }
    if let Some((_, path)) = largest.filter(|_| total > MAX_OPERATIONS) {
        rules.fail(
            path,
            format!("`duration` {duration} at this rate is about {total:.3e} operations (allowed at most 2^32)"),
        );
    }
}

fn mean_factor(phase: &Phase, stop: Span) -> f64 {
    let rest = stop.0.saturating_sub(phase.from.0) as f64;
    let covered = match phase.every {
        Some(every) => rest * (phase.for_.0 as f64 / every.0.max(1) as f64).min(1.0),
        None => rest.min(phase.for_.0 as f64),
    };
    1.0 + (phase.factor - 1.0) * covered / (stop.0.max(1) as f64)
}
