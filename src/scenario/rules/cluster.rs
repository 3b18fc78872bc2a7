//! Rules about nodes, ring, quorums, network and distributions.

use super::Rules;
use crate::kernel::time::Span;
use crate::scenario::errors::suggestion;
use crate::scenario::spec::*;
use crate::scenario::visit::{DistAt, distributions, outermost};
use crate::scenario::world::MAX_NODES;

pub(super) fn check(rules: &mut Rules<'_>) {
    nodes(rules);
    ring(rules);
    replication(rules);
    mechanisms(rules);
    network(rules);
    delays(rules);
}

fn nodes(rules: &mut Rules<'_>) {
    let (spec, world) = (rules.spec, rules.world);
    let (count, any_member) = match &spec.cluster.nodes {
        Nodes::Count(count) => (u64::from(*count), *count > 0),
        Nodes::List(list) => (
            list.iter().map(|entry| u64::from(entry.0.count)).sum(),
            list.iter().any(|entry| entry.0.member && entry.0.count > 0),
        ),
    };
    if count == 0 {
        rules.fail("cluster.nodes", "there are no nodes (got 0, allowed ≥ 1)");
    } else if count > MAX_NODES {
        rules.fail("cluster.nodes", format!("{count} nodes (allowed at most {MAX_NODES})"));
    } else if count + u64::from(spec.cluster.spares) > MAX_NODES {
        rules.fail(
            "cluster.spares",
            format!("{count} nodes and {} spares (allowed at most {MAX_NODES})", spec.cluster.spares),
        );
    } else if !any_member {
        rules.fail("cluster.nodes", "no node is a member");
    }
    if let Nodes::List(list) = &spec.cluster.nodes {
        for entry in list.iter().filter(|entry| entry.0.count == 0) {
            rules.fail(format!("cluster.nodes.{}.count", entry.0.name), "must be ≥ 1 (got 0)");
        }
    }
    let mut names: Vec<&str> = world.node_names().collect();
    names.sort_unstable();
    for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
        rules.fail("cluster.nodes", format!("two nodes have the name {:?}", pair[0]));
    }
    for name in names.iter().filter(|name| matches!(**name, "all" | "clients" | "near")) {
        rules.fail("cluster.nodes", format!("a node cannot have the name {name:?}: it is a selector"));
    }
    let regions = &spec.cluster.regions;
    for (at, region) in regions.iter().enumerate() {
        if regions[..at].contains(region) {
            rules.fail("cluster.regions", format!("two regions have the name \"{region}\""));
        }
    }
    if regions.is_empty() {
        rules.fail("cluster.regions", "there are no regions");
    }
    if let Some(racks) = spec.cluster.racks.filter(|racks| (*racks as usize) < regions.len()) {
        rules.fail(
            "cluster.racks",
            format!("{racks} racks for {} regions (allowed at least one for each)", regions.len()),
        );
    }
    if let Some(racks) = spec.cluster.racks.filter(|racks| u64::from(*racks) > MAX_NODES) {
        rules.fail("cluster.racks", format!("{racks} racks (allowed at most {MAX_NODES})"));
    }
    for (path, message) in world.conflicts.clone() {
        rules.fail(path, message);
    }
}

fn ring(rules: &mut Rules<'_>) {
    let (spec, world) = (rules.spec, rules.world);
    let members = world.holders() as u64;
    let partitions = match &spec.cluster.ring {
        Ring::RandomTokens(tokens) => {
            positive(rules, "cluster.ring.random_tokens.per_node", tokens.per_node);
            None
        }
        Ring::RandomTokensOverPartitions(ring) => {
            positive(rules, "cluster.ring.random_tokens_over_partitions.per_node", ring.per_node);
            Some(("random_tokens_over_partitions.partitions", u64::from(ring.partitions)))
        }
        Ring::EqualPartitions(ring) => {
            if let Some(per_node) = ring.per_node {
                positive(rules, "cluster.ring.equal_partitions.per_node", per_node);
            }
            ring.partitions.map(|partitions| ("equal_partitions.partitions", u64::from(partitions)))
        }
        Ring::Tokens(tokens) => {
            explicit_tokens(rules, tokens);
            None
        }
        Ring::Owners(owners) => {
            for (number, owner) in owners.iter().enumerate() {
                let path = format!("cluster.ring.owners.{number}");
                owner_is_member(rules, &path, owner);
            }
            Some(("owners", owners.len() as u64))
        }
        Ring::Modulo => None,
    };
    if let Some((field, partitions)) = partitions.filter(|(_, partitions)| *partitions < members) {
        rules.fail(
            format!("cluster.ring.{field}"),
            format!("{partitions} partitions for {members} members (allowed at least one for each)"),
        );
    }
}

fn owner_is_member(rules: &mut Rules<'_>, path: &str, name: &str) {
    if let Some(node) = rules.node(path, name) {
        let node = &rules.world.nodes[node];
        if !node.member || node.capacity <= 0.0 {
            let why = if node.member { "has capacity 0" } else { "is not a member" };
            rules.fail(path, format!("node {name:?} {why} and can own nothing"));
        }
    }
}

fn explicit_tokens(rules: &mut Rules<'_>, tokens: &Map<Vec<Position>>) {
    let mut all: Vec<(Position, &str)> = Vec::new();
    for (name, positions) in tokens.iter() {
        let path = format!("cluster.ring.tokens.{name}");
        owner_is_member(rules, &path, name);
        all.extend(positions.iter().map(|position| (*position, name)));
    }
    all.sort_unstable();
    for pair in all.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        rules.fail(
            format!("cluster.ring.tokens.{}", pair[1].1),
            format!("{:?} has a token at the same position", pair[0].1),
        );
    }
    if all.is_empty() {
        rules.fail("cluster.ring.tokens", "there are no tokens");
    }
}

fn positive(rules: &mut Rules<'_>, path: &str, value: u32) {
    if value == 0 {
        rules.fail(path, "must be ≥ 1 (got 0)");
    }
}

fn replication(rules: &mut Rules<'_>) {
    let spec = rules.spec;
    let Replication { n, r, w, .. } = spec.cluster.replication;
    quorum(rules, "cluster.replication", n, r, w);
    let holders = rules.world.holders();
    if n as usize > holders {
        let members = rules.world.nodes.iter().filter(|node| node.member).count();
        let what =
            if members == holders { format!("{members} members") } else { format!("{holders} members that hold data") };
        rules.fail("cluster.replication.n", format!("{n} is more than the {what}"));
    }
    if r > 0 && w > 0 && r + w <= n {
        rules.notice(
            "cluster.replication",
            format!(
                "partial quorum (r {r} + w {w} ≤ n {n}): reads may be stale, regular and linearizable are not asserted"
            ),
        );
    }
    if w > 0 && w <= n / 2 {
        rules.notice(
            "cluster.replication.w",
            format!("{w} is not more than half of n {n}: two writes may meet no common replica"),
        );
    }
}

/// `r` and `w` from 1 to `n`.
pub(super) fn quorum(rules: &mut Rules<'_>, path: &str, n: u32, r: u32, w: u32) {
    positive(rules, &format!("{path}.n"), n);
    for (field, value) in [("r", r), ("w", w)] {
        if value == 0 {
            rules.fail(format!("{path}.{field}"), "must be ≥ 1 (got 0)");
        } else if n > 0 && value > n {
            rules.fail(format!("{path}.{field}"), format!("{value} exceeds {path}.n {n}"));
        }
    }
}

fn mechanisms(rules: &mut Rules<'_>) {
    let cluster = &rules.spec.cluster;
    for (path, count) in [
        ("cluster.membership.fan_out", Some(cluster.membership.fan_out)),
        ("cluster.storage.workers", cluster.storage.workers.0),
        ("cluster.storage.buffer.count", cluster.storage.buffer.as_on().map(|buffer| buffer.count)),
        ("cluster.storage.cache.count", cluster.storage.cache.as_on().map(|cache| cache.count)),
    ] {
        count.into_iter().for_each(|count| positive(rules, path, count));
    }
    match &cluster.storage.background {
        Background::Slices(slices) => positive(rules, "cluster.storage.background.slices.count", slices.count),
        Background::Admission(admission) => {
            positive(rules, "cluster.storage.background.admission.slices", admission.slices);
            lasting(rules, "cluster.storage.background.admission.over", admission.over);
        }
        Background::Unlimited => {}
    }
    match &cluster.versioning {
        Versioning::VectorClock(clock) if clock.max_entries.0 == Some(0) => {
            positive(rules, "cluster.versioning.vector_clock.max_entries", 0)
        }
        Versioning::LastWriteWins(clock) => lasting(rules, "cluster.versioning.last_write_wins.tick", clock.tick),
        _ => {}
    }
    match &cluster.detector {
        Detector::Local(local) | Detector::Gossiped(local) => {
            let form = if matches!(cluster.detector, Detector::Local(_)) { "local" } else { "gossiped" };
            positive(rules, &format!("cluster.detector.{form}.failures"), local.failures);
            lasting(rules, &format!("cluster.detector.{form}.retry_every"), local.retry_every);
        }
        Detector::Phi(phi) => {
            positive(rules, "cluster.detector.phi.window", phi.window);
            lasting(rules, "cluster.detector.phi.heartbeat_every", phi.heartbeat_every);
        }
        Detector::Perfect => {}
    }
    let periods = [
        ("cluster.hints.scan_every", cluster.hints.as_on().map(|hints| hints.scan_every)),
        ("cluster.anti_entropy.every", cluster.anti_entropy.as_on().and_then(|repair| repair.every.0)),
        ("cluster.membership.gossip_every", cluster.membership.gossip_every.0),
        (
            "cluster.storage.flush",
            match cluster.storage.flush {
                Flush::Every(every) => Some(every),
                Flush::BeforeAck => None,
            },
        ),
        ("measure.bucket", Some(rules.spec.measure.bucket)),
        ("measure.load_window", Some(rules.spec.measure.load_window)),
    ];
    for (path, period) in periods {
        period.into_iter().for_each(|period| lasting(rules, path, period));
    }
    if cluster.anti_entropy.as_on().is_some_and(|repair| repair.depth > 24) {
        rules.fail("cluster.anti_entropy.depth", "too deep (allowed at most 24)");
    }
    for (number, seed) in cluster.membership.seeds.iter().flatten().enumerate() {
        rules.node(&format!("cluster.membership.seeds.{number}"), seed);
    }
    let still = DistSpec::Constant(Span::ZERO);
    if cluster.storage.read == still && cluster.storage.write == still && has_time(rules.spec) {
        rules.cx.notice("storage takes no time");
    }
}

/// Whether anything happens in the scenario.
fn has_time(spec: &Spec) -> bool {
    !spec.clients.is_empty() || !spec.script.is_empty()
}

/// A period must not be 0: the run would never end.
fn lasting(rules: &mut Rules<'_>, path: &str, span: Span) {
    if span == Span::ZERO {
        rules.fail(path, "must be longer than 0s");
    }
}

fn network(rules: &mut Rules<'_>) {
    let (spec, world) = (rules.spec, rules.world);
    for (number, link) in spec.network.links.iter().enumerate() {
        let path = format!("network.links.{number}");
        for (at, end) in link.between.iter().flatten().enumerate() {
            rules.selector(&format!("{path}.between.{at}"), end, true);
        }
        for (field, end) in [("from", &link.from), ("to", &link.to)] {
            if let Some(end) = end {
                rules.selector(&format!("{path}.{field}"), end, true);
            }
        }
    }
    if spec.network.between_regions.is_some() || world.regions.len() < 2 {
        return;
    }
    let mut joined: Vec<usize> = (0..world.regions.len()).collect();
    for link in spec.network.links.iter().filter(|link| link.delay.is_some()) {
        let ends: Vec<&Selector> = link.between.iter().flatten().chain(&link.from).chain(&link.to).collect();
        let regions_of = |selector: &Selector| -> Vec<usize> {
            let nodes = world.nodes_of(selector).unwrap_or_default();
            let regions = nodes
                .into_iter()
                .filter_map(|node| world.regions.iter().position(|region| *region == world.nodes[node].region));
            regions.collect()
        };
        let [first, second] = ends.as_slice() else { continue };
        for a in regions_of(first) {
            for b in regions_of(second) {
                let (old, new) = (joined[a], joined[b]);
                joined.iter_mut().filter(|group| **group == old).for_each(|group| *group = new);
            }
        }
    }
    if let Some(apart) = (1..joined.len()).find(|at| joined[*at] != joined[0]) {
        let (a, b) = (&world.regions[0], &world.regions[apart]);
        rules
            .fail("network.between_regions", format!("missing: there is no delay between the regions {a:?} and {b:?}"));
    }
}

/// Forms that only a delay may have, mixtures without weight, and tails without a mean.
fn delays(rules: &mut Rules<'_>) {
    for (path, dist, is_delay) in outermost(rules.spec) {
        let path = step_path(rules, &path);
        if let DistAt::Duration(dist) = dist {
            legs(rules, &path, dist, is_delay, is_delay);
        } else if let DistAt::Size(dist) = dist {
            legs(rules, &path, dist, false, false);
        }
    }
    for (path, dist) in distributions(rules.spec) {
        let path = step_path(rules, &path);
        match dist {
            DistAt::Duration(dist) => shape(rules, &path, dist),
            DistAt::Size(dist) => shape(rules, &path, dist),
        }
    }
}

/// The path of a step by its number in the file or its name.
fn step_path(rules: &Rules<'_>, path: &str) -> String {
    let numbered = path.strip_prefix("script.").and_then(|rest| rest.split_once('.'));
    let named =
        numbered.and_then(|(number, rest)| Some(format!("{}.{rest}", rules.steps.get(number.parse::<usize>().ok()?)?)));
    named.unwrap_or_else(|| path.to_string())
}

fn shape<T: Quantity>(rules: &mut Rules<'_>, path: &str, dist: &DistSpec<T>) {
    match dist {
        DistSpec::Mixture(parts) if parts.iter().all(|part| part.weight == 0.0) => {
            rules.fail(path, "all weights are 0");
        }
        DistSpec::Pareto(pareto) if pareto.shape <= 1.0 => {
            rules.notice(path, format!("shape {} ≤ 1: infinite mean", pareto.shape));
        }
        _ => {}
    }
}

fn legs<T: Quantity>(rules: &mut Rules<'_>, path: &str, dist: &DistSpec<T>, is_delay: bool, outside: bool) {
    match dist {
        DistSpec::Published(_) if !is_delay => rules.fail(format!("{path}.published"), "only a delay has legs"),
        DistSpec::ByLeg(_) if !is_delay => rules.fail(format!("{path}.by_leg"), "only a delay has legs"),
        DistSpec::ByLeg(_) if !outside => {
            rules.fail(format!("{path}.by_leg"), "stands outermost, or inside `shifted` and `scaled`");
        }
        DistSpec::ByLeg(by_leg) => {
            for (leg, dist) in by_leg.iter() {
                if leg != "other" && Leg::from_word(leg).is_none() {
                    let hint = suggestion(leg, Leg::ALL.iter().map(|leg| leg.word()).chain(["other"]));
                    rules.fail(format!("{path}.by_leg.{leg}"), format!("unknown leg{hint}"));
                }
                legs(rules, &format!("{path}.by_leg.{leg}"), dist, is_delay, false);
            }
            let missing: Vec<&str> =
                Leg::ALL.iter().map(|leg| leg.word()).filter(|leg| by_leg.get(leg).is_none()).collect();
            if by_leg.get("other").is_none() && !missing.is_empty() {
                rules.fail(format!("{path}.by_leg"), format!("`other` is missing, and with it {}", missing.join(", ")));
            }
        }
        DistSpec::Mixture(parts) => {
            for (number, part) in parts.iter().enumerate() {
                legs(rules, &format!("{path}.mixture.{number}.of"), &part.of, is_delay, false);
            }
        }
        DistSpec::Shifted(shifted) => legs(rules, &format!("{path}.shifted.of"), &shifted.of, is_delay, outside),
        DistSpec::Scaled(scaled) => legs(rules, &format!("{path}.scaled.of"), &scaled.of, is_delay, outside),
        _ => {}
    }
}
