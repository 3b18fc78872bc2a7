//! Nodes by name, a ring in their order, and a cluster with fewer of them.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::steps::{fields_mut, is_operation, select, without_steps};
use super::{list, list_mut, remove, set};
use crate::cluster::config::{Place, RunConfig};
use crate::kernel::ids::NodeId;
use crate::ring::Layout;
use crate::scenario::world::World;

/// The scenario with each node in a list, by the names they have anyway. Racks and regions are said where there are
/// several.
pub fn listed(tree: &Json, world: &World) -> Json {
    let nodes = world.nodes.iter().map(|node| {
        let mut entry = json!({ "name": node.name });
        if world.racks.len() > 1 {
            set(&mut entry, "rack", json!(node.rack));
        }
        if world.regions.len() > 1 {
            set(&mut entry, "region", json!(node.region));
        }
        if node.capacity != 1.0 {
            set(&mut entry, "capacity", json!(node.capacity));
        }
        if !node.member {
            set(&mut entry, "member", json!(false));
        }
        if entry.as_object().is_some_and(|fields| fields.len() == 1) { json!(node.name) } else { entry }
    });
    let nodes: Vec<Json> = nodes.collect();
    let mut tree = tree.clone();
    let cluster = tree.get_mut("cluster").expect("a scenario has a cluster");
    set(cluster, "nodes", json!(nodes));
    remove(cluster, "spares");
    tree
}

/// Names of the listed nodes; none if they are only counted.
pub fn names(tree: &Json) -> Vec<String> {
    let nodes = tree.get("cluster").map_or(&[][..], |cluster| list(cluster, "nodes"));
    nodes.iter().filter_map(|node| Some(node_name(node)?.to_string())).collect()
}

fn node_name(node: &Json) -> Option<&str> {
    node.as_str().or_else(|| node.get("name")?.as_str())
}

/// A ring in which the preference list of `key` is what it is in this run, and other keys of `keys` begin where they
/// begin. There nodes can be taken away without moving the key.
pub fn with_owners(tree: &Json, config: &RunConfig, key: &str, keys: &[String]) -> Option<Json> {
    let layout = Layout::new(config.ring.clone());
    let ring = layout.initial_ring(&config.ring.initial_members);
    let list_of = |key: &str| {
        let known = config.keys.iter().find(|known| known.name == key)?;
        let position = match known.place {
            Place::Hash => layout.position(key.as_bytes()),
            Place::At(position) => position,
            Place::First(node) => layout.position_owned_by(&ring, node)?,
        };
        Some(ring.list(layout.segment_of(position)).to_vec())
    };
    let owners = list_of(key)?;
    let name = |node: NodeId| config.node_names[node.index()].as_str();
    let mut tree = tree.clone();
    let cluster = tree.get_mut("cluster").expect("a scenario has a cluster");
    set(cluster, "ring", json!({ "owners": owners.iter().map(|node| name(*node)).collect::<Vec<_>>() }));
    if tree.get("keys").is_none() {
        set(&mut tree, "keys", json!({}));
    }
    let section = tree.get_mut("keys").expect("it was set just now");
    for key in keys {
        let first = *list_of(key)?.first()?;
        if section.get(key).is_none() {
            set(section, key, json!({}));
        }
        let key = section.get_mut(key).expect("it was set just now");
        remove(key, "at");
        set(key, "first", json!(name(first)));
    }
    Some(tree)
}

/// What becomes of operations that went to a node that is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Orphans {
    /// They go too.
    Dropped,
    /// A load balancer finds them another node.
    Anywhere,
    /// They go to the so-manieth node that is left.
    To(usize),
}

/// The scenario without these nodes. Faults of them alone are gone, and so is all that an administrator did to them.
pub fn without(tree: &Json, gone: &BTreeSet<String>, orphans: Orphans) -> Json {
    let is_gone = |value: &Json| value.as_str().is_some_and(|name| gone.contains(name));
    let left: Vec<String> = names(tree).into_iter().filter(|name| !gone.contains(name)).collect();
    let mut tree = tree.clone();
    let cluster = tree.get_mut("cluster").expect("a scenario has a cluster");
    if let Some(nodes) = list_mut(cluster, "nodes") {
        nodes.retain(|node| !node_name(node).is_some_and(|name| gone.contains(name)));
    }
    let mut successor = None;
    if let Some(ring) = cluster.get_mut("ring") {
        if let Some(owners) = list_mut(ring, "owners") {
            owners.retain(|owner| !is_gone(owner));
            successor = owners.first().cloned();
        }
        if let Some(tokens) = ring.get_mut("tokens").and_then(Json::as_object_mut) {
            tokens.retain(|name, _| !gone.contains(name));
        }
    }
    if let Some(membership) = cluster.get_mut("membership") {
        super::retain(membership, "seeds", |node| !is_gone(node));
    }
    for key in tree.get_mut("keys").and_then(Json::as_object_mut).into_iter().flat_map(|keys| keys.values_mut()) {
        if key.get("first").is_some_and(is_gone) {
            match successor.clone().or_else(|| left.first().map(|name| json!(name))) {
                Some(first) => set(key, "first", first),
                None => _ = remove(key, "first"),
            }
        }
    }
    select(&mut tree, &mut |selector| if gone.contains(selector) { Vec::new() } else { vec![selector.to_string()] });
    for group in list_mut(&mut tree, "clients").into_iter().flatten() {
        if let Some(balancer) = group.get_mut("routing").and_then(|routing| routing.get_mut("load_balancer")) {
            super::retain(balancer, "among", |node| !is_gone(node));
        }
    }
    let mut dropped = BTreeSet::new();
    for (number, step) in list_mut(&mut tree, "script").into_iter().flatten().enumerate() {
        let operation = is_operation(step);
        let Some(fields) = fields_mut(step) else { continue };
        super::retain(fields, "reaches", |node| !is_gone(node));
        for fates in fields.get_mut("legs").and_then(Json::as_object_mut).into_iter().flat_map(|legs| legs.values_mut())
        {
            if let Some(fates) = fates.as_object_mut() {
                fates.retain(|node, _| !gone.contains(node));
            }
        }
        if fields.get("via").is_some_and(is_gone) {
            match (orphans, operation) {
                (Orphans::Dropped, true) => _ = dropped.insert(number),
                (Orphans::To(place), true) if place < left.len() => set(fields, "via", json!(left[place])),
                _ => _ = remove(fields, "via"),
            }
        }
        if ["node", "with"].into_iter().any(|name| fields.get(name).is_some_and(is_gone)) {
            dropped.insert(number);
        }
    }
    without_steps(&tree, &dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_goes_with_all_that_is_about_it_alone() {
        let tree = json!({
            "cluster": { "nodes": ["a", "b", { "name": "c", "rack": "r2" }], "ring": { "owners": ["c", "a", "b"] } },
            "keys": { "K": { "first": "c" } },
            "script": [
                { "at": "1s", "client": "z", "get": { "key": "K", "via": "c" } },
                { "at": "2s", "crash": { "nodes": "c" } },
                { "at": "2s", "cut": { "between": ["a", ["b", "c"]] } },
                { "at": "2s", "cut": { "between": ["a", "c"] } },
            ],
        });
        let gone = BTreeSet::from(["c".to_string()]);
        let left = without(&tree, &gone, Orphans::To(1));
        let expected = json!({
            "cluster": { "nodes": ["a", "b"], "ring": { "owners": ["a", "b"] } },
            "keys": { "K": { "first": "a" } },
            "script": [
                { "at": "1s", "client": "z", "get": { "key": "K", "via": "b" } },
                { "at": "2s", "cut": { "between": ["a", "b"] } },
            ],
        });
        assert_eq!(left, expected);
        assert_eq!(list(&without(&tree, &gone, Orphans::Dropped), "script").len(), 1);
        assert_eq!(names(&tree), ["a", "b", "c"]);
    }
}
