//! Rules between fields: everything that must be right before the first event.
//!
//! Each rule names the fields or steps that do not fit together. What is merely worth knowing is a
//! notice. The order of the rules is the order of the file.

mod cluster;
mod operations;
mod references;
mod timeline;

use super::errors::{Errors, suggestion};
use super::json::{Node, Value};
use super::names::{Select, Selector};
use super::paths;
use super::spec::Spec;
use super::world::World;

/// Checks one setting: errors and notices go to `cx`.
pub fn check(spec: &Spec, tree: &Node, cx: &mut Errors) {
    let world = World::of(spec);
    let steps = step_paths(tree, spec.script.len());
    let mut rules = Rules { spec, tree, world: &world, cx, steps };
    cluster::check(&mut rules);
    references::check(&mut rules);
    operations::check(&mut rules);
    timeline::check(&mut rules);
}

/// Paths of the steps, by name or by number in the file; a `null` has taken some of them out.
fn step_paths(tree: &Node, count: usize) -> Vec<String> {
    let Some(Value::List(list)) = tree.get("script").map(|node| &node.value) else {
        return (0..count).map(|number| format!("script.{number}")).collect();
    };
    let present = list.iter().enumerate().filter(|(_, node)| node.value != Value::Null);
    present.map(|(number, node)| format!("script.{}", super::containers::member_name(number, node))).collect()
}

/// What the rules are checked on, and where they complain.
struct Rules<'a> {
    spec: &'a Spec,
    tree: &'a Node,
    world: &'a World,
    cx: &'a mut Errors,
    steps: Vec<String>,
}

impl Rules<'_> {
    /// Complains of the value at a path.
    fn fail(&mut self, path: impl Into<String>, message: impl Into<String>) {
        let path = path.into();
        let origin = paths::nearest_place(self.tree, &path);
        self.cx.error_at(path, origin, message);
    }

    /// Says something that is worth knowing.
    fn notice(&mut self, path: &str, message: impl AsRef<str>) {
        self.cx.notice(format!("{path}: {}", message.as_ref()));
    }

    /// Complains of a node's name that is unknown.
    fn node(&mut self, path: &str, name: &str) -> Option<usize> {
        let node = self.world.node(name);
        if node.is_none() {
            let hint = suggestion(name, self.world.node_names());
            self.fail(path, format!("unknown node {name:?}{hint}"));
        }
        node
    }

    /// Complains of a node's name that is unknown, when nothing more is asked of the node.
    fn known(&mut self, path: &str, name: &str) {
        let _ = self.node(path, name);
    }

    /// Complains of names that are unknown in a selector, and of one that selects nothing.
    fn selector(&mut self, path: &str, selector: &Selector, clients_too: bool) {
        let problems = self.cx.problems().len();
        for (number, part) in selector.0.iter().enumerate() {
            let path = if selector.0.len() > 1 { format!("{path}.{number}") } else { path.to_string() };
            self.select(&path, part, clients_too);
        }
        let nodes = self.world.nodes_of(selector);
        let clients = !self.world.clients_of(selector).is_empty();
        if self.cx.problems().len() == problems && nodes.is_some_and(|nodes| nodes.is_empty()) && !clients {
            self.fail(path, "selects nothing");
        }
    }

    fn select(&mut self, path: &str, part: &Select, clients_too: bool) {
        let world = self.world;
        match part {
            Select::All | Select::Replicas(_) => {}
            Select::Node(name) => {
                self.node(path, name);
            }
            Select::Rack(name) if !world.racks.iter().any(|(rack, _)| *rack == name.0) => {
                let hint = suggestion(name, world.racks.iter().map(|(rack, _)| rack.as_str()));
                self.fail(path, format!("unknown rack \"{name}\"{hint}"));
            }
            Select::Region(name) if !world.regions.contains(&name.0) => {
                let hint = suggestion(name, world.regions.iter().map(String::as_str));
                self.fail(path, format!("unknown region \"{name}\"{hint}"));
            }
            Select::Rack(_) | Select::Region(_) => {}
            Select::Client(_) | Select::Clients if !clients_too => {
                self.fail(path, format!("{part} selects clients (allowed only in cuts and links)"));
            }
            Select::Client(name) => {
                let known = || world.groups.iter().chain(&world.scripted).map(String::as_str);
                if !known().any(|known| known == name.0) {
                    let hint = suggestion(name, known().collect::<Vec<_>>());
                    self.fail(path, format!("unknown client \"{name}\"{hint}"));
                }
            }
            Select::Clients => {}
            Select::Some(count, of) => {
                self.select(path, of, false);
                let there = world.nodes_of(&Selector(vec![(**of).clone()])).map(|nodes| nodes.len());
                if there.is_some_and(|there| there < *count as usize) {
                    self.fail(path, format!("{part} selects more than the {} there are", there.unwrap_or(0)));
                }
            }
        }
    }
}
