//! Ways to make a failing scenario smaller. Each tries its candidates and keeps what still fails.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::case::Case;
use super::search::Search;
use crate::kernel::time::Span;
use crate::scenario::edit::nodes::{self, Orphans};
use crate::scenario::edit::steps::{self, duration, duration_text};
use crate::scenario::edit::{list, list_mut, remove, retain, set};

/// Ends the run earlier: at eighths of its duration, as long as one will do.
pub fn shorten_run(search: &mut Search<'_>) {
    while let Some(end) = duration(search.best.get("duration")) {
        let ends = (1..8).map(|eighths| Span(end.0 / 8 * eighths)).filter(|end| end.0 > 0);
        let best = search.best.clone();
        if search.take_first(ends.map(|end| healed_until(&best, end))).is_none() {
            break;
        }
    }
    // A run without clients ends with its script.
    if list(&search.best, "clients").is_empty() {
        let mut candidate = search.best.clone();
        remove(&mut candidate, "duration");
        search.take(candidate);
    }
}

/// The scenario cut off at a time, at which all its faults are over.
fn healed_until(tree: &Json, end: Span) -> Json {
    let mut tree = steps::until(tree, end);
    for step in list_mut(&mut tree, "script").into_iter().flatten() {
        if let (Some(at), Some(lasts)) = (steps::at(step), duration(step.get("for")))
            && at.0.saturating_add(lasts.0) > end.0
        {
            set(step, "for", json!(duration_text(end_of(at, end))));
        }
    }
    tree
}

fn end_of(at: Span, end: Span) -> Span {
    Span(end.0.saturating_sub(at.0).max(1))
}

/// Fewer keys: operations go together with all others on their key.
pub fn fewer_keys(search: &mut Search<'_>) {
    let keys = steps::keys(&search.best);
    if keys.len() < 2 {
        return;
    }
    search.take_away(keys.len(), |whole, gone| {
        let numbers = gone.iter().flat_map(|key| keys[*key].1.iter().copied()).collect();
        steps::without_steps(whole, &numbers)
    });
}

/// Groups that try once and leave coordination to the nodes: only they can be written out as they are.
pub fn plain_clients(search: &mut Search<'_>) {
    let without = |tree: &Json, name: &str, instead: Option<Json>| {
        let mut tree = tree.clone();
        for group in list_mut(&mut tree, "clients").into_iter().flatten().filter(|group| group.get(name).is_some()) {
            match &instead {
                Some(value) => set(group, name, value.clone()),
                None => _ = remove(group, name),
            }
        }
        tree
    };
    search.take(without(&search.best, "retries", None));
    if search.best.to_string().contains("\"client_driven\"") {
        let best = search.best.clone();
        search.take_first([without(&best, "routing", Some(json!("ring_aware"))), without(&best, "routing", None)]);
    }
}

/// Fewer clients: groups, and scripted clients with all they do.
pub fn fewer_clients(search: &mut Search<'_>) {
    let groups = list(&search.best, "clients").len();
    if groups > 0 {
        search.take_away(groups, |whole, gone| {
            let mut tree = whole.clone();
            let mut number = 0;
            retain(&mut tree, "clients", |_| {
                number += 1;
                !gone.contains(&(number - 1))
            });
            steps::without_strangers(&mut tree);
            tree
        });
    }
    let clients = steps::scripted_clients(&search.best);
    if clients.len() < 2 {
        return;
    }
    search.take_away(clients.len(), |whole, gone| {
        let names: BTreeSet<&str> = gone.iter().map(|client| clients[*client].as_str()).collect();
        let theirs = |step: &Json| step.get("client").and_then(Json::as_str).is_some_and(|name| names.contains(name));
        steps::without_steps(whole, &numbers_of(whole, theirs))
    });
}

fn numbers_of(tree: &Json, test: impl Fn(&Json) -> bool) -> BTreeSet<usize> {
    list(tree, "script").iter().enumerate().filter(|(_, step)| test(step)).map(|(number, _)| number).collect()
}

/// Fewer faults. A restart goes with its crash.
pub fn fewer_faults(search: &mut Search<'_>) {
    fewer_steps(search, steps::is_fault);
}

/// Fewer operations, looks inside and rounds of background work.
pub fn fewer_operations(search: &mut Search<'_>) {
    fewer_steps(search, |step| !steps::is_fault(step));
}

fn fewer_steps(search: &mut Search<'_>, test: impl Fn(&Json) -> bool) {
    let numbers: Vec<usize> = numbers_of(&search.best, test).into_iter().collect();
    if numbers.is_empty() {
        return;
    }
    search.take_away(numbers.len(), |whole, gone| {
        let mut gone: BTreeSet<usize> = gone.iter().map(|place| numbers[*place]).collect();
        let script = list(whole, "script");
        let crashed: Vec<&Json> = gone.iter().filter_map(|number| script[*number].get("crash")?.get("nodes")).collect();
        let restarts = |step: &Json| step.get("restart").is_some_and(|restart| crashed.contains(&&restart["nodes"]));
        gone.extend(numbers_of(whole, restarts));
        steps::without_steps(whole, &gone)
    });
}

/// Smaller groups of clients: fewer sessions, operations and keys, a lower rate.
pub fn smaller_groups(search: &mut Search<'_>) {
    for group in 0..list(&search.best, "clients").len() {
        let keys = ["uniform", "zipf", "latest", "hot", "sequential"];
        let counts = keys.map(|form| format!("/clients/{group}/keys/{form}/count"));
        for path in [format!("/clients/{group}/count"), format!("/clients/{group}/operations")].iter().chain(&counts) {
            while let Some(number) = search.best.pointer(path).and_then(Json::as_u64).filter(|number| *number > 1) {
                let smaller = [1, 2, number / 4, number / 2, number - 1];
                if !take_numbers(search, path, smaller.into_iter().filter(|n| *n > 0 && *n < number).map(|n| json!(n)))
                {
                    break;
                }
            }
        }
        // Without a limit a group goes on to the end; a limit may do.
        if search.best.pointer(&format!("/clients/{group}/operations")).is_none_or(|v| !v.is_u64()) {
            let best = search.best.clone();
            search.take_first([1, 2, 5, 10, 20, 50, 100, 200].map(|count| {
                let mut tree = best.clone();
                if let Some(group) = tree.pointer_mut(&format!("/clients/{group}")) {
                    set(group, "operations", json!(count));
                }
                tree
            }));
        }
    }
}

fn take_numbers(search: &mut Search<'_>, path: &str, values: impl Iterator<Item = Json>) -> bool {
    let best = search.best.clone();
    let with = |value: Json| {
        let mut tree = best.clone();
        if let Some(place) = tree.pointer_mut(path) {
            *place = value;
        }
        tree
    };
    search.take_first(values.map(with)).is_some()
}

/// Fewer nodes: on the ring as it is, then on one in which the busiest key keeps its list.
pub fn fewer_nodes(search: &mut Search<'_>, case: &Case<'_>) {
    let is_listed = |tree: &Json| {
        let nodes = list(&tree["cluster"], "nodes");
        !nodes.is_empty()
            && tree["cluster"].get("spares").is_none()
            && nodes.iter().all(|node| node.get("count").is_none())
    };
    if !is_listed(&search.best) {
        let Some(ready) = case.ready(&search.best) else { return };
        search.take(nodes::listed(&search.best, &ready.built.world));
    }
    if !is_listed(&search.best) {
        return;
    }
    one_rack(search);
    drop_nodes(search);
    if search.best["cluster"]["ring"].get("owners").is_some() {
        return;
    }
    let mut keys = steps::keys(&search.best);
    keys.sort_by_key(|(_, numbers)| std::cmp::Reverse(numbers.len()));
    let names: Vec<String> = keys.iter().map(|(key, _)| key.clone()).collect();
    let Some(ready) = case.ready(&search.best) else { return };
    let best = search.best.clone();
    let rings = names.iter().take(4).flat_map(|main| {
        let all = nodes::with_owners(&best, &ready.built.config, main, &names);
        let one = nodes::with_owners(&best, &ready.built.config, main, std::slice::from_ref(main));
        all.into_iter().chain(one)
    });
    if search.take_first(rings.collect::<Vec<Json>>()).is_some() {
        one_rack(search);
        drop_nodes(search);
    }
}

/// Nobody is in another rack or region.
fn one_rack(search: &mut Search<'_>) {
    for field in ["rack", "region"] {
        let mut tree = search.best.clone();
        let cluster = tree.get_mut("cluster").expect("a scenario has a cluster");
        remove(cluster, &format!("{field}s"));
        for node in list_mut(cluster, "nodes").into_iter().flatten() {
            if node.is_object() {
                remove(node, field);
            }
            if let (Some(name), 1) = (node.get("name").cloned(), node.as_object().map_or(0, serde_json::Map::len)) {
                *node = name;
            }
        }
        search.take(tree);
    }
}

fn drop_nodes(search: &mut Search<'_>) {
    for orphans in [Orphans::Dropped, Orphans::To(0), Orphans::To(1), Orphans::To(2), Orphans::Anywhere] {
        let names = nodes::names(&search.best);
        search.take_away(names.len(), |whole, gone| {
            let gone = gone.iter().map(|node| names[*node].clone()).collect();
            nodes::without(whole, &gone, orphans)
        });
    }
}

/// Faults that last less, and cuts of fewer nodes.
pub fn smaller_faults(search: &mut Search<'_>) {
    for number in numbers_of(&search.best, steps::is_fault) {
        while let Some(lasts) =
            duration(list(&search.best, "script")[number].get("for")).filter(|lasts| lasts.0 > 1_000)
        {
            let shorter = [lasts.0 / 16, lasts.0 / 4, lasts.0 / 2, lasts.0 / 4 * 3];
            let best = search.best.clone();
            let candidates = shorter.map(|ns| {
                let mut tree = best.clone();
                set(&mut tree["script"][number], "for", json!(duration_text(Span(ns.max(1)))));
                tree
            });
            if search.take_first(candidates).is_none() {
                break;
            }
        }
    }
    for number in numbers_of(&search.best, |step| step.get("cut").is_some() || step.get("link").is_some()) {
        let places = members(&list(&search.best, "script")[number]);
        search.take_away(places.len(), |whole, gone| {
            let mut tree = whole.clone();
            // From the last on, so that places before stay what they are.
            for place in gone.iter().rev() {
                take_member(&mut tree["script"][number], &places[*place]);
            }
            tree
        });
    }
}

/// Where the members of a cut's lists are: the path of the list, and the place in it.
fn members(step: &Json) -> Vec<(String, usize)> {
    let action = steps::action(step).unwrap_or("cut");
    let groups = list(&step[action], "between").len();
    let paths = (0..groups)
        .map(|group| format!("/{action}/between/{group}"))
        .chain(["from", "to"].map(|end| format!("/{action}/{end}")));
    let places = paths.filter_map(|path| {
        let count = step.pointer(&path)?.as_array()?.len();
        Some((0..count).map(move |place| (path.clone(), place)))
    });
    places.flatten().collect()
}

fn take_member(step: &mut Json, (path, place): &(String, usize)) {
    let Some(selector) = step.pointer_mut(path) else { return };
    if let Some(members) = selector.as_array_mut()
        && *place < members.len()
    {
        members.remove(*place);
        if let [one] = members.as_slice() {
            *selector = one.clone();
        }
    }
}

/// Delays that do not vary, and nobody's luck but one's own.
pub fn plain_network(search: &mut Search<'_>) {
    let best = search.best.clone();
    let constant = ["1ms", "5ms", "250us"].map(|delay| {
        let mut tree = best.clone();
        let mut network = tree.get("network").cloned().unwrap_or_else(|| json!({}));
        for name in ["within_rack", "between_regions", "client"] {
            if network.get(name).is_some() {
                set(&mut network, name, json!(delay));
            }
        }
        set(&mut network, "within_region", json!(delay));
        set_before(&mut tree, "network", network, &["keys", "clients", "script", "expect"]);
        tree
    });
    let is_constant = best.pointer("/network/within_region").is_some_and(Json::is_string);
    if !is_constant {
        let lucky = constant.clone().map(|tree| without_luck(&tree));
        search.take_first(lucky.into_iter().chain(constant));
    }
    search.take(without_luck(&search.best));
}

fn without_luck(tree: &Json) -> Json {
    let mut tree = tree.clone();
    for step in list_mut(&mut tree, "script").into_iter().flatten() {
        remove(step, "draws");
    }
    tree
}

/// Sets a section where files have it: before these others.
fn set_before(tree: &mut Json, name: &str, value: Json, others: &[&str]) {
    if tree.get(name).is_some() {
        set(tree, name, value);
        return;
    }
    set(tree, name, value);
    for other in others {
        if let Some(section) = remove(tree, other) {
            set(tree, other, section);
        }
    }
}

/// Steps that say less: whatever can be left out of them.
pub fn plainer_steps(search: &mut Search<'_>, case: &Case<'_>) {
    let mut items: Vec<(usize, Option<&'static str>, String)> = Vec::new();
    let quorums = ["r", "w", "n", "quorum"];
    for (number, step) in list(&search.best, "script").iter().enumerate() {
        for name in ["draws", "repeat", "plus", "expect"] {
            if step.get(name).is_some() {
                items.push((number, None, name.to_string()));
            }
        }
        let Some(action) = steps::action(step) else { continue };
        for name in step[action].as_object().into_iter().flat_map(serde_json::Map::keys) {
            let is_needed = ["key", "value", "via", "node", "nodes", "between", "from", "to", "by", "with", "task"]
                .contains(&name.as_str());
            let is_promise = quorums.contains(&name.as_str()) && !case.may_change_mechanisms();
            if !is_needed && !is_promise {
                items.push((number, Some(action), name.clone()));
            }
        }
    }
    search.take_away(items.len(), |whole, gone| {
        let mut tree = whole.clone();
        for (number, action, name) in gone.iter().map(|item| &items[*item]) {
            let step = &mut tree["script"][*number];
            let fields = match action {
                Some(action) => &mut step[*action],
                None => step,
            };
            remove(fields, name);
        }
        tree
    });
}

/// A configuration that says less: fields left out, mechanisms off.
pub fn plainer_config(search: &mut Search<'_>, case: &Case<'_>) {
    let mut paths = Vec::new();
    let mut sections = vec!["network", "measure", "windows", "keys", "clients"];
    if case.may_change_mechanisms() {
        sections.push("cluster");
    }
    for section in sections {
        if let Some(value) = search.best.get(section) {
            collect(value, &format!("/{section}"), &mut paths);
        }
    }
    for name in ["warmup", "measure", "windows", "network"] {
        if search.best.get(name).is_some() {
            paths.push(format!("/{name}"));
        }
    }
    // What a group asks for, and how often, would only grow.
    let is_of_group = |path: &str| {
        let fields = ["/arrival", "/keys", "/operations", "/count", "/mix", "/stop"];
        path.starts_with("/clients/") && fields.iter().any(|field| path.contains(field))
    };
    let is_needed = |path: &str| {
        path.starts_with("/cluster/nodes")
            || path.starts_with("/cluster/ring")
            || path == "/network/within_region"
            || is_of_group(path)
    };
    paths.retain(|path| !is_needed(path));
    // Outer ones first: with them the inner ones go.
    paths.sort_by_key(|path| path.matches('/').count());
    search.take_away(paths.len(), |whole, gone| {
        let mut tree = whole.clone();
        for path in gone.iter().map(|path| &paths[*path]) {
            let (above, name) = path.rsplit_once('/').expect("a path begins with a slash");
            if let Some(above) = if above.is_empty() { Some(&mut tree) } else { tree.pointer_mut(above) } {
                remove(above, name);
            }
        }
        tree
    });
    if !case.may_change_mechanisms() {
        return;
    }
    for name in ["hints", "read_repair", "anti_entropy"] {
        let mut tree = search.best.clone();
        if tree["cluster"].get(name).and_then(Json::as_str) != Some("off") {
            set(&mut tree["cluster"], name, json!("off"));
            search.take(tree);
        }
    }
}

/// Paths of all fields of objects below a value.
fn collect(value: &Json, path: &str, paths: &mut Vec<String>) {
    match value {
        Json::Object(fields) => {
            for (name, value) in fields.iter().filter(|(name, _)| !name.contains(['/', '~'])) {
                let path = format!("{path}/{name}");
                collect(value, &path, paths);
                paths.push(path);
            }
        }
        Json::Array(list) => {
            for (number, value) in list.iter().enumerate().filter(|(_, value)| value.is_object()) {
                collect(value, &format!("{path}/{number}"), paths);
            }
        }
        _ => {}
    }
}

const ROUND: [u64; 7] = [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000];

fn nearest(span: Span, unit: u64) -> Span {
    Span(span.0.saturating_add(unit / 2) / unit * unit)
}

/// Times in coarser units: all together, then step by step.
pub fn rounder_times(search: &mut Search<'_>) {
    let best = search.best.clone();
    search.take_first(ROUND.map(|unit| rounded(&best, unit, None)));
    for number in 0..list(&search.best, "script").len() {
        let best = search.best.clone();
        search.take_first(ROUND.map(|unit| rounded(&best, unit, Some(number))));
    }
}

/// All times, or those of one step, as multiples of a unit.
fn rounded(tree: &Json, unit: u64, only: Option<usize>) -> Json {
    let mut tree = tree.clone();
    let mut end = Span::ZERO;
    for (number, step) in list_mut(&mut tree, "script").into_iter().flatten().enumerate() {
        for name in ["at", "for", "plus"] {
            if let Some(span) = duration(step.get(name)).filter(|_| only.is_none_or(|only| only == number)) {
                let least = if name == "for" { unit } else { 0 };
                set(step, name, json!(duration_text(Span(nearest(span, unit).0.max(least)))));
            }
        }
        // A step begins before the end, and its fault is over by then.
        let lasts = duration(step.get("for")).unwrap_or(Span(1));
        end = end.max(Span(steps::at(step).unwrap_or_default().0.saturating_add(lasts.0)));
    }
    if let Some(length) = duration(tree.get("duration"))
        && (only.is_none() || end > length)
    {
        set(&mut tree, "duration", json!(duration_text(Span(length.max(end).0.div_ceil(unit) * unit))));
    }
    tree
}

/// Less waiting: what comes after a gap comes earlier.
pub fn shorter_gaps(search: &mut Search<'_>) {
    let mut times: Vec<Span> = list(&search.best, "script").iter().filter_map(steps::at).collect();
    times.sort();
    times.dedup();
    let mut earlier = 0;
    let mut last = Span::ZERO;
    for time in times {
        let now = Span(time.0 - earlier);
        let gap = now.0 - last.0;
        let smaller = [0, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, gap / 2];
        let smaller: Vec<u64> = smaller.into_iter().filter(|left| *left < gap && gap - left >= 1_000_000).collect();
        let best = search.best.clone();
        let taken = search.take_first(smaller.iter().map(|left| {
            let by = gap - left;
            let mut tree = best.clone();
            for step in list_mut(&mut tree, "script").into_iter().flatten() {
                if let Some(at) = steps::at(step).filter(|at| *at >= now) {
                    set(step, "at", json!(duration_text(Span(at.0 - by))));
                }
            }
            if let Some(length) = duration(tree.get("duration")).filter(|length| length.0 > by) {
                set(&mut tree, "duration", json!(duration_text(Span(length.0 - by))));
            }
            tree
        }));
        if let Some(place) = taken {
            earlier += gap - smaller[place];
        }
        last = Span(time.0 - earlier);
    }
}

/// Less peace at the end. It comes last: that it also fails with all of the time that there was is known by then, and so
/// it is not the early end that breaks it.
pub fn shorter_settle(search: &mut Search<'_>) {
    let Some(settle) = duration(search.best.get("settle")) else { return };
    let best = search.best.clone();
    let with = |settle: Span| {
        let mut tree = best.clone();
        if settle == Span::ZERO {
            remove(&mut tree, "settle");
        } else {
            set(&mut tree, "settle", json!(duration_text(settle)));
        }
        tree
    };
    search.take_first([Span::ZERO, Span(settle.0 / 16), Span(settle.0 / 4), Span(settle.0 / 2)].map(with));
}
