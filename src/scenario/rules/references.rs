//! Rules about names: each thing that is named exists, and no two of a kind share a name.

use std::collections::BTreeMap;

use super::Rules;
use crate::scenario::errors::suggestion;
use crate::scenario::spec::*;

pub(super) fn check(rules: &mut Rules<'_>) {
    keys(rules);
    clients(rules);
    for number in 0..rules.spec.script.len() {
        step(rules, number);
    }
    unique_steps(rules);
    chaos(rules);
    windows(rules);
    expectations(rules);
}

fn keys(rules: &mut Rules<'_>) {
    for (key, spec) in rules.spec.keys.iter() {
        if let Some(first) = &spec.first {
            rules.node(&format!("keys.{key}.first"), first);
        }
    }
}

fn clients(rules: &mut Rules<'_>) {
    let groups = &rules.spec.clients;
    for (number, group) in groups.iter().enumerate() {
        let path = format!("clients.{}", group.name);
        if groups[..number].iter().any(|earlier| earlier.name == group.name) {
            rules.fail(format!("clients.{number}.name"), format!("two groups have the name \"{}\"", group.name));
        }
        if rules.world.scripted.contains(&group.name.0) {
            rules.fail(format!("{path}.name"), format!("\"{}\" is also a scripted client", group.name));
        }
        let location = match &group.location {
            Location::Region(name) => Some(Select::Region(name.clone())),
            Location::Rack(name) => Some(Select::Rack(name.clone())),
            Location::Spread | Location::Nowhere => None,
        };
        if let Some(location) = location {
            rules.select(&format!("{path}.location"), &location, false);
        }
        if let Routing::LoadBalancer(LoadBalancer { among: Among::Of(selector), .. }) = &group.routing {
            rules.selector(&format!("{path}.routing.load_balancer.among"), selector, false);
        }
        if let KeyChoice::Only(keys) = &group.keys
            && keys.is_empty()
        {
            rules.fail(format!("{path}.keys.only"), "there are no keys");
        }
    }
}

/// Nodes and selectors that a step names, and steps that it refers to.
fn step(rules: &mut Rules<'_>, number: usize) {
    let spec = rules.spec;
    let step = &spec.script[number];
    let path = rules.steps[number].clone();
    let action = step.action();
    let here = format!("{path}.{}", action.name());
    match action {
        Action::Get(get) => operation(rules, &here, get.via.as_ref(), get.reaches.as_deref(), get.legs.as_ref()),
        Action::Put(put) => {
            operation(rules, &here, put.via.as_ref(), put.reaches.as_deref(), put.legs.as_ref());
            context(rules, &here, &put.context, number);
        }
        Action::Delete(delete) => {
            operation(rules, &here, delete.via.as_ref(), delete.reaches.as_deref(), delete.legs.as_ref());
            context(rules, &here, &delete.context, number);
        }
        Action::Update(update) => operation(rules, &here, update.via.as_ref(), None, None),
        Action::Inspect(inspect) => {
            inspect.node.iter().for_each(|node| rules.known(&format!("{here}.node"), node));
        }
        Action::Crash(Crash { nodes, .. })
        | Action::Restart(NodesOnly { nodes })
        | Action::Wipe(Wipe { nodes, .. })
        | Action::Pause(NodesOnly { nodes })
        | Action::Slow(Slow { nodes, .. })
        | Action::DiskError(DiskError { nodes, .. })
        | Action::Skew(Skew { nodes, .. }) => rules.selector(&format!("{here}.nodes"), nodes, false),
        Action::Cut(cut) => groups(rules, &here, cut.between.as_deref(), cut.from.as_ref(), cut.to.as_ref(), true),
        Action::Link(link) => {
            groups(rules, &here, link.between.as_deref(), link.from.as_ref(), link.to.as_ref(), false)
        }
        Action::Join(admin) | Action::Leave(admin) => {
            rules.node(&format!("{here}.node"), &admin.node);
            admin.via.iter().for_each(|via| rules.known(&format!("{here}.via"), via));
        }
        Action::Replace(replace) => {
            rules.node(&format!("{here}.node"), &replace.node);
            rules.node(&format!("{here}.with"), &replace.with);
            replace.via.iter().for_each(|via| rules.known(&format!("{here}.via"), via));
        }
        Action::Run(run) => {
            rules.node(&format!("{here}.node"), &run.node);
            run.with.iter().for_each(|with| rules.known(&format!("{here}.with"), with));
        }
    }
    if let Some(after) = &step.after {
        earlier_step(rules, &format!("{path}.after"), after, number);
    }
    if let Some(expect) = &step.expect {
        expected_nodes(rules, &format!("{path}.expect"), expect);
    }
}

fn operation(rules: &mut Rules<'_>, here: &str, via: Option<&Name>, reaches: Option<&[Name]>, legs: Option<&Legs>) {
    via.into_iter().for_each(|via| rules.known(&format!("{here}.via"), via));
    for (number, node) in reaches.into_iter().flatten().enumerate() {
        rules.node(&format!("{here}.reaches.{number}"), node);
    }
    for (leg, fate) in legs.into_iter().flat_map(Map::iter) {
        if let LegFate::ByNode(nodes) = fate {
            nodes.names().for_each(|node| rules.known(&format!("{here}.legs.{leg}.{node}"), node));
        }
    }
}

/// A step that is referred to must stand earlier in the list.
fn earlier_step(rules: &mut Rules<'_>, path: &str, name: &str, number: usize) -> Option<usize> {
    let script = &rules.spec.script;
    let named = |step: &Step| step.name.as_ref().is_some_and(|known| known.0 == name);
    if let Some(found) = script[..number].iter().position(named) {
        return Some(found);
    }
    let message = match script[number..].iter().position(named) {
        Some(0) => format!("step {name:?} cannot wait for itself"),
        Some(_) => format!("step {name:?} comes later in the list (allowed an earlier one)"),
        None => {
            let known: Vec<&str> = script[..number].iter().filter_map(|step| step.name.as_deref()).collect();
            format!("unknown step {name:?}{}", suggestion(name, known))
        }
    };
    rules.fail(path, message);
    None
}

fn context(rules: &mut Rules<'_>, here: &str, context: &PutContext, number: usize) {
    let PutContext::Step(name) = context else { return };
    let path = format!("{here}.context");
    if let Some(found) = earlier_step(rules, &path, name, number)
        && !rules.spec.script[found].action().is_operation()
    {
        rules.fail(path, format!("step {:?} is no operation and has no answer", name.0));
    }
}

/// Groups of a cut or link: known, and no node in two of them.
fn groups(
    rules: &mut Rules<'_>,
    here: &str,
    between: Option<&[Selector]>,
    from: Option<&Selector>,
    to: Option<&Selector>,
    cut: bool,
) {
    let world = rules.world;
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    let mut certain = true;
    for (number, group) in between.into_iter().flatten().enumerate() {
        let path = format!("{here}.between.{number}");
        rules.selector(&path, group, true);
        let nodes = world.nodes_of(group);
        certain &= nodes.is_some();
        let nodes = nodes.unwrap_or_default().into_iter().map(|node| format!("node {:?}", world.nodes[node].name));
        let clients = world.clients_of(group).into_iter().map(|client| format!("client {client:?}"));
        for who in nodes.chain(clients).collect::<Vec<_>>() {
            if let Some(first) = places.insert(who.clone(), path.clone()) {
                rules.fail(path.clone(), format!("{who} is also in {first}"));
            }
        }
    }
    for (field, end) in [("from", from), ("to", to)] {
        if let Some(end) = end {
            rules.selector(&format!("{here}.{field}"), end, true);
        }
    }
    if cut && between.is_some() && certain && rules.cx.is_empty() {
        let seen_by_all: Vec<&str> =
            world.node_names().filter(|name| !places.contains_key(&format!("node {name:?}"))).collect();
        if !seen_by_all.is_empty() {
            let shown = seen_by_all.iter().take(8).copied().collect::<Vec<_>>().join(", ");
            let more = if seen_by_all.len() > 8 { " …" } else { "" };
            rules.notice(here, format!("{shown}{more} in no group: sees everyone"));
        }
    }
}

fn expected_nodes(rules: &mut Rules<'_>, path: &str, expect: &StepExpect) {
    let lists = [("list", &expect.list), ("members", &expect.members), ("suspects", &expect.suspects)];
    for (field, list) in lists {
        for (number, node) in list.iter().flatten().enumerate() {
            rules.node(&format!("{path}.{field}.{number}"), node);
        }
    }
    expect.coordinator.iter().for_each(|node| rules.known(&format!("{path}.coordinator"), node));
    for (field, names) in [
        ("context", expect.context.as_ref().map(|map| map.names().collect::<Vec<_>>())),
        ("holders", expect.holders.as_ref().map(|map| map.names().collect())),
        ("hints", expect.hints.as_ref().map(|map| map.names().collect())),
    ] {
        names.into_iter().flatten().for_each(|node| rules.known(&format!("{path}.{field}.{node}"), node));
    }
    for (stand_in, owners) in expect.hints.iter().flat_map(Map::iter) {
        for (number, owner) in owners.iter().enumerate() {
            rules.node(&format!("{path}.hints.{stand_in}.{number}"), owner);
        }
    }
    for (number, version) in expect.versions.iter().flatten().enumerate() {
        let clock = version.clock.iter().flat_map(Map::names);
        clock.for_each(|node| rules.known(&format!("{path}.versions.{number}.clock.{node}"), node));
        if let Some((node, _)) = version.dot.as_deref().and_then(|dot| dot.split_once(':')) {
            rules.node(&format!("{path}.versions.{number}.dot"), node);
        }
    }
}

fn unique_steps(rules: &mut Rules<'_>) {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, step) in rules.spec.script.iter().enumerate() {
        let Some(name) = step.name.as_deref() else { continue };
        if let Some(first) = known.insert(name, number) {
            rules.fail(rules.steps[number].clone(), format!("steps {first} and {number} have the name {name:?}"));
        }
        if RESERVED_WINDOWS.contains(&name) && step.action().may_last() {
            rules.fail(format!("{}.name", rules.steps[number]), format!("{name:?} is a window already"));
        }
    }
}

const RESERVED_WINDOWS: [&str; 5] = ["all", "before", "during", "after", "settle"];

fn chaos(rules: &mut Rules<'_>) {
    let Some(chaos) = &rules.spec.chaos else { return };
    let among = [
        ("crash", chaos.crash.as_on().map(|class| &class.among)),
        ("pause", chaos.pause.as_on().map(|class| &class.among)),
        ("slow", chaos.slow.as_on().map(|class| &class.among)),
        ("cut", chaos.cut.as_on().map(|class| &class.among)),
        ("link", chaos.link.as_on().map(|class| &class.among)),
        ("skew", chaos.skew.as_on().map(|class| &class.among)),
        ("wipe", chaos.wipe.as_on().map(|class| &class.among)),
        ("join", chaos.join.as_on().map(|class| &class.among)),
        ("leave", chaos.leave.as_on().map(|class| &class.among)),
    ];
    for (class, among) in among {
        if let Some(among) = among {
            rules.selector(&format!("chaos.{class}.among"), among, matches!(class, "cut" | "link"));
        }
    }
}

fn windows(rules: &mut Rules<'_>) {
    for (name, window) in rules.spec.windows.iter() {
        let path = format!("windows.{name}");
        if let Err(message) = crate::scenario::names::parse_name(name) {
            rules.fail(path.clone(), message);
        }
        if RESERVED_WINDOWS.contains(&name) {
            rules.fail(path.clone(), "this window exists already");
        }
        let lasting = |step: &&Step| step.name.as_ref().is_some_and(|step| step.0 == name) && lasts(step);
        if rules.spec.script.iter().any(|step| lasting(&step)) {
            rules.fail(path.clone(), "a step of this name is a window already");
        }
        if window.from >= window.to {
            rules.fail(path, format!("ends at {} and begins at {}", window.to, window.from));
        }
    }
}

/// Whether a named step is a window: a fault with an end, or a change of the members.
fn lasts(step: &Step) -> bool {
    match step.action() {
        Action::Join(_) | Action::Leave(_) | Action::Replace(_) => true,
        // A crash without `for` ends with its restart.
        Action::Crash(_) => true,
        action => action.may_last() && step.for_.is_some(),
    }
}

/// Windows, clients, nodes and steps that expectations name.
fn expectations(rules: &mut Rules<'_>) {
    let spec = rules.spec;
    let numbered = crate::scenario::expectations::numbered(rules.tree, &spec.expect);
    for (number, expectation) in numbered {
        let path = format!("expect.{number}");
        let versus = expectation.versus.as_ref();
        let here = [
            (path.clone(), expectation.window.as_ref(), expectation.client.as_ref(), expectation.node.as_ref()),
            (
                format!("{path}.versus"),
                versus.and_then(|versus| versus.window.as_ref()),
                versus.and_then(|versus| versus.client.as_ref()),
                versus.and_then(|versus| versus.node.as_ref()),
            ),
        ];
        for (path, window, client, node) in here {
            window.into_iter().for_each(|window| known_window(rules, &format!("{path}.window"), window));
            client
                .into_iter()
                .for_each(|client| rules.select(&format!("{path}.client"), &Select::Client(client.clone()), true));
            node.into_iter().for_each(|node| rules.selector(&format!("{path}.node"), node, false));
        }
        if let Some(name) = &expectation.step {
            known_fault(rules, &format!("{path}.step"), name);
        }
    }
}

fn known_window(rules: &mut Rules<'_>, path: &str, name: &str) {
    let spec = rules.spec;
    let steps = spec.script.iter().filter(|step| lasts(step)).filter_map(|step| step.name.as_deref());
    let known: Vec<&str> = RESERVED_WINDOWS.into_iter().chain(steps).chain(spec.windows.names()).collect();
    if known.contains(&name) {
        return;
    }
    let endless = spec.script.iter().any(|step| step.name.as_deref() == Some(name));
    let message = match endless {
        true => format!("step {name:?} has no end, so it is no window – give it `for`"),
        false => format!("unknown window {name:?}{}", suggestion(name, known)),
    };
    rules.fail(path, message);
}

fn known_fault(rules: &mut Rules<'_>, path: &str, name: &str) {
    let faults = rules.spec.script.iter().filter(|step| step.action().is_fault());
    let known: Vec<&str> = faults.filter_map(|step| step.name.as_deref()).collect();
    if !known.contains(&name) {
        rules.fail(path, format!("unknown fault {name:?}{}", suggestion(name, known)));
    }
}
