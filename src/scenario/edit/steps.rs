//! Steps of a script as JSON: what they do, when, to whom, and how to take some of them out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::{list, list_mut, remove, retain, set};
use crate::kernel::time::Span;
use crate::scenario::scalars::parse_duration;

const OPERATIONS: [&str; 4] = ["get", "put", "delete", "update"];
const FAULTS: [&str; 8] = ["crash", "wipe", "pause", "slow", "disk_error", "skew", "cut", "link"];
/// What an administrator does counts with the faults: it disturbs a cluster as they do.
const COMMANDS: [&str; 3] = ["join", "leave", "replace"];
const OTHERS: [&str; 3] = ["inspect", "restart", "run"];

/// A duration as a file writes it: exact, in the unit that reads best.
pub fn duration_text(span: Span) -> String {
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns")];
    let (unit, name) = units.into_iter().find(|(unit, _)| span.0 >= *unit).unwrap_or((1_000_000_000, "s"));
    let (whole, rest) = (span.0 / unit, span.0 % unit);
    if rest == 0 {
        return format!("{whole}{name}");
    }
    let digits = unit.ilog10() as usize;
    let fraction = format!("{rest:0digits$}");
    format!("{whole}.{}{name}", fraction.trim_end_matches('0'))
}

/// The duration of a text field.
pub fn duration(value: Option<&Json>) -> Option<Span> {
    parse_duration(value?.as_str()?).ok()
}

/// The name of the step's action.
pub fn action(step: &Json) -> Option<&'static str> {
    let all = OPERATIONS.into_iter().chain(FAULTS).chain(COMMANDS).chain(OTHERS);
    all.into_iter().find(|name| step.get(name).is_some())
}

/// The fields of the step's action.
pub fn fields(step: &Json) -> Option<&Json> {
    step.get(action(step)?)
}

/// The same, to be changed.
pub fn fields_mut(step: &mut Json) -> Option<&mut Json> {
    let action = action(step)?;
    step.get_mut(action)
}

/// Whether a client does it.
pub fn is_operation(step: &Json) -> bool {
    action(step).is_some_and(|name| OPERATIONS.contains(&name))
}

/// Whether it is a fault or an administrator's command.
pub fn is_fault(step: &Json) -> bool {
    action(step).is_some_and(|name| FAULTS.contains(&name) || COMMANDS.contains(&name))
}

/// The step's name.
pub fn name(step: &Json) -> Option<&str> {
    step.get("name")?.as_str()
}

/// When it happens, if that is said and does not depend on another step.
pub fn at(step: &Json) -> Option<Span> {
    duration(step.get("at"))
}

/// How many operations and how many faults the script has.
pub fn counts(tree: &Json) -> (usize, usize) {
    let script = list(tree, "script");
    (script.iter().filter(|step| is_operation(step)).count(), script.iter().filter(|step| is_fault(step)).count())
}

/// The step that this one needs: the one it waits for, or whose answer it replays.
fn needs(step: &Json) -> Option<&str> {
    let context = || fields(step)?.get("context")?.as_str();
    let after = step.get("after").and_then(Json::as_str);
    after.or_else(|| context().filter(|context| !["last_seen", "last_read", "none"].contains(context)))
}

/// The numbers of these steps and of all that need them.
pub fn with_dependents(script: &[Json], numbers: &BTreeSet<usize>) -> BTreeSet<usize> {
    let mut gone = numbers.clone();
    let mut names: BTreeSet<&str> = gone.iter().filter_map(|&number| name(script.get(number)?)).collect();
    // What a step needs stands before it.
    for (number, step) in script.iter().enumerate() {
        if needs(step).is_some_and(|needed| names.contains(needed)) {
            gone.insert(number);
            names.extend(name(step));
        }
    }
    gone
}

/// The scenario without these steps, those that need them, and what was said of clients that exist no more.
pub fn without_steps(tree: &Json, numbers: &BTreeSet<usize>) -> Json {
    let gone = with_dependents(list(tree, "script"), numbers);
    let mut tree = tree.clone();
    let mut number = 0;
    retain(&mut tree, "script", |_| {
        number += 1;
        !gone.contains(&(number - 1))
    });
    without_strangers(&mut tree);
    tree
}

/// Names of scripted clients, in the order of the script.
pub fn scripted_clients(tree: &Json) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in list(tree, "script").iter().filter_map(|step| step.get("client")?.as_str()) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_string());
        }
    }
    names
}

/// Takes clients that do not exist out of selectors; a cut that has nobody on a side any more goes as well.
pub fn without_strangers(tree: &mut Json) {
    let groups = list(tree, "clients").iter().filter_map(|group| group.get("name")?.as_str());
    let mut known: BTreeSet<String> = groups.map(str::to_string).collect();
    known.extend(scripted_clients(tree));
    let nobody = known.is_empty();
    select(tree, &mut |selector| match selector.strip_prefix("client:") {
        Some(client) if !known.contains(client) => Vec::new(),
        None if selector == "clients" && nobody => Vec::new(),
        _ => vec![selector.to_string()],
    });
}

/// Replaces every selector of cuts, links and faults by others, or by nothing. What then selects nothing goes.
pub fn select(tree: &mut Json, replace: &mut dyn FnMut(&str) -> Vec<String>) {
    retain_mut(tree, "script", &mut |step| match action(step) {
        Some("cut" | "link") => select_ends(fields_mut(step).expect("it has an action"), replace),
        Some(_) => {
            let fields = fields_mut(step).expect("it has an action");
            match fields.get_mut("nodes") {
                Some(nodes) => select_one(nodes, replace),
                None => true,
            }
        }
        None => true,
    });
    if let Some(network) = tree.get_mut("network") {
        retain_mut(network, "links", &mut |link| select_ends(link, replace));
    }
}

fn retain_mut(tree: &mut Json, name: &str, test: &mut dyn FnMut(&mut Json) -> bool) {
    if let Some(list) = list_mut(tree, name) {
        list.retain_mut(test);
        if list.is_empty() {
            remove(tree, name);
        }
    }
}

fn select_ends(fields: &mut Json, replace: &mut dyn FnMut(&str) -> Vec<String>) -> bool {
    if let Some(groups) = list_mut(fields, "between") {
        groups.retain_mut(|group| select_one(group, replace));
        return groups.len() >= 2;
    }
    ["from", "to"].into_iter().all(|end| fields.get_mut(end).is_none_or(|end| select_one(end, replace)))
}

/// Returns whether anything is left of it.
fn select_one(selector: &mut Json, replace: &mut dyn FnMut(&str) -> Vec<String>) -> bool {
    let parts: Vec<&str> = match &*selector {
        Json::String(one) => vec![one],
        Json::Array(many) => many.iter().filter_map(Json::as_str).collect(),
        _ => return true,
    };
    let mut chosen: Vec<String> = Vec::new();
    for part in parts.into_iter().flat_map(replace) {
        if !chosen.contains(&part) {
            chosen.push(part);
        }
    }
    *selector = match chosen.as_slice() {
        [] => return false,
        [one] => json!(one),
        many => json!(many),
    };
    true
}

/// Keys that operations name, with the numbers of their steps, in the order of the script.
pub fn keys(tree: &Json) -> Vec<(String, BTreeSet<usize>)> {
    let mut keys: Vec<(String, BTreeSet<usize>)> = Vec::new();
    for (number, step) in list(tree, "script").iter().enumerate().filter(|(_, step)| is_operation(step)) {
        let Some(key) = fields(step).and_then(|fields| fields.get("key")?.as_str()) else { continue };
        match keys.iter_mut().find(|(known, _)| known == key) {
            Some((_, numbers)) => _ = numbers.insert(number),
            None => keys.push((key.to_string(), BTreeSet::from([number]))),
        }
    }
    keys
}

/// Takes keys that no step names out of the section `keys`.
pub fn without_unused_keys(tree: &mut Json) {
    let mut used: BTreeSet<String> = BTreeSet::new();
    for step in list(tree, "script") {
        let Some(fields) = fields(step) else { continue };
        used.extend(fields.get("key").and_then(Json::as_str).map(str::to_string));
        used.extend(list(fields, "keys").iter().filter_map(Json::as_str).map(str::to_string));
        let selects = step.to_string();
        // `replicas:K` names a key as well.
        let parts = selects.split("replicas:").skip(1).filter_map(|rest| rest.split('"').next());
        used.extend(parts.map(str::to_string));
    }
    if list(tree, "clients").is_empty()
        && let Some(keys) = tree.get_mut("keys").and_then(Json::as_object_mut)
    {
        keys.retain(|key, _| used.contains(key));
        if keys.is_empty() {
            remove(tree, "keys");
        }
    }
}

/// The scenario cut off at a time: steps from then on are gone, and clients stop there.
pub fn until(tree: &Json, end: Span) -> Json {
    let late = list(tree, "script").iter().enumerate().filter(|(_, step)| at(step).is_some_and(|at| at >= end));
    let mut tree = without_steps(tree, &late.map(|(number, _)| number).collect());
    set(&mut tree, "duration", json!(duration_text(end)));
    for group in list_mut(&mut tree, "clients").into_iter().flatten() {
        if duration(group.get("stop")).is_some_and(|stop| stop > end) {
            remove(group, "stop");
        }
    }
    tree
}

/// All times that the file says as plain durations: `change` gets each and returns what stands there instead.
pub fn map_times(tree: &mut Json, change: &mut dyn FnMut(Span) -> Span) {
    let mut field = |object: &mut Json, name: &str| {
        if let Some(span) = duration(object.get(name)) {
            let changed = change(span);
            if changed != span {
                set(object, name, json!(duration_text(changed)));
            }
        }
    };
    for name in ["warmup", "duration", "settle"] {
        field(tree, name);
    }
    for step in list_mut(tree, "script").into_iter().flatten() {
        for name in ["at", "for", "plus"] {
            field(step, name);
        }
    }
}

/// The steps in the order of their times; those that wait for others come right after them.
pub fn sorted(tree: &Json) -> Json {
    let script = list(tree, "script");
    let mut places: BTreeMap<&str, Span> = BTreeMap::new();
    let mut order: Vec<(Span, usize)> = Vec::new();
    for (number, step) in script.iter().enumerate() {
        let after = step.get("after").and_then(Json::as_str).and_then(|name| places.get(name)).copied();
        let place = at(step).or(after).unwrap_or(Span::ZERO);
        places.extend(name(step).map(|name| (name, place)));
        order.push((place, number));
    }
    order.sort();
    let steps: Vec<Json> = order.into_iter().map(|(_, number)| script[number].clone()).collect();
    let mut tree = tree.clone();
    if !steps.is_empty() {
        set(&mut tree, "script", Json::Array(steps));
    }
    tree
}

/// Names where they serve: a fault has one, an operation only if another step or its own expectation speaks of it.
pub fn renamed(tree: &Json) -> Json {
    let mut tree = tree.clone();
    let script = list(&tree, "script");
    let needed: BTreeSet<String> = script.iter().filter_map(needs).map(str::to_string).collect();
    let mut taken: BTreeSet<String> = script.iter().filter_map(name).map(str::to_string).collect();
    for step in list_mut(&mut tree, "script").into_iter().flatten() {
        match (name(step), action(step)) {
            (Some(name), _) if is_operation(step) && !needed.contains(name) && step.get("expect").is_none() => {
                remove(step, "name");
            }
            (None, Some(action)) if is_fault(step) => {
                let names = (1..).map(|number| format!("{action}-{number}").replace('_', "-"));
                let name = names.into_iter().find(|name| !taken.contains(name)).expect("there are numbers enough");
                let fields = step.as_object_mut().expect("a step is an object");
                fields.shift_insert(0, "name".into(), json!(name));
                taken.insert(name);
            }
            _ => {}
        }
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_exactly_and_short() {
        for (ns, text) in [(0, "0s"), (1, "1ns"), (1_500, "1.5us"), (20_000_001, "20.000001ms"), (3_000_000_000, "3s")]
        {
            assert_eq!(duration_text(Span(ns)), text);
            assert_eq!(parse_duration(text), Ok(Span(ns)));
        }
        assert_eq!(parse_duration(&duration_text(Span(u64::MAX >> 1))), Ok(Span(u64::MAX >> 1)));
    }

    #[test]
    fn a_step_takes_those_with_it_that_need_it() {
        let tree = json!({ "script": [
            { "name": "g", "at": "1s", "client": "a", "get": { "key": "K" } },
            { "name": "p", "at": "2s", "client": "a", "put": { "key": "K", "value": "x", "context": "g" } },
            { "after": "p", "client": "b", "get": { "key": "K" } },
            { "at": "3s", "client": "c", "get": { "key": "L" } },
            { "at": "4s", "cut": { "between": ["n1", ["client:a", "client:b"]] } },
            { "at": "5s", "cut": { "between": ["n1", ["client:a", "n2"]] } },
        ] });
        let left = without_steps(&tree, &BTreeSet::from([0]));
        let expected = json!({ "script": [
            { "at": "3s", "client": "c", "get": { "key": "L" } },
            { "at": "5s", "cut": { "between": ["n1", "n2"] } },
        ] });
        assert_eq!(left, expected, "a cut of clients that exist no more is gone too");
        assert_eq!(keys(&tree), [("K".into(), BTreeSet::from([0, 1, 2])), ("L".into(), BTreeSet::from([3]))]);
    }

    #[test]
    fn what_comes_later_is_cut_off() {
        let tree = json!({ "duration": "9s", "script": [
            { "at": "1s", "client": "a", "get": { "key": "K" } }, { "at": "2s", "restart": { "nodes": "n1" } } ] });
        let left = until(&tree, Span::from_secs(2));
        assert_eq!(left["duration"], "2s");
        assert_eq!(list(&left, "script").len(), 1);
    }
}
