//! Who is there: the nodes, racks, regions, clients and keys of a scenario, by name.

use std::collections::BTreeSet;

use super::names::{Name, Select, Selector};
use super::spec::{Action, NodeSpec, Nodes, Spec};

/// A node of the scenario, member or spare.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeInfo {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its rack.
    pub rack: String,
    /// Its capacity; 0: it only coordinates.
    pub capacity: f64,
    /// Whether it is a member from the start.
    pub member: bool,
}

/// Everybody and everything that a name can mean.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Nodes in the order of their numbers.
    pub nodes: Vec<NodeInfo>,
    /// Regions.
    pub regions: Vec<String>,
    /// Racks, each with its region.
    pub racks: Vec<(String, String)>,
    /// Groups of clients.
    pub groups: Vec<String>,
    /// Scripted clients.
    pub scripted: Vec<String>,
    /// What does not fit together: path and reason.
    pub conflicts: Vec<(String, String)>,
}

/// More nodes than a run is built for.
pub const MAX_NODES: u64 = 100_000;

impl World {
    /// Names everybody in a scenario.
    pub fn of(spec: &Spec) -> World {
        let cluster = &spec.cluster;
        let mut world = World::default();
        let entries: Vec<(String, NodeSpec)> = match &cluster.nodes {
            Nodes::Count(count) => (1..=(*count).min(MAX_NODES as u32))
                .map(|number| (String::new(), plain(format!("n{number}"), true)))
                .collect(),
            Nodes::List(list) => list.iter().flat_map(|entry| expand(&entry.0)).take(MAX_NODES as usize).collect(),
        };
        let members = entries.len();
        let spares = (0..cluster.spares.min(MAX_NODES as u32))
            .map(|number| (String::new(), plain(format!("n{}", members + 1 + number as usize), false)));
        let entries: Vec<(String, NodeSpec)> = entries.into_iter().chain(spares).collect();

        world.regions = cluster.regions.iter().map(|name| name.to_string()).collect();
        let named: Vec<&Name> = entries.iter().filter_map(|(_, node)| node.region.as_ref()).collect();
        // A file that names regions at its nodes need not list them as well.
        if world.regions == ["local"] && !named.is_empty() {
            if entries.iter().all(|(_, node)| node.region.is_some()) {
                world.regions.clear();
            }
            for name in &named {
                if !world.regions.contains(&name.0) {
                    world.regions.push(name.to_string());
                }
            }
        }
        let region_count = world.regions.len().max(1);
        let rack_count = cluster.racks.map_or(region_count, |racks| racks.min(MAX_NODES as u32) as usize);
        world.racks = (0..rack_count)
            .filter_map(|rack| Some((format!("r{}", rack + 1), world.regions.get(rack % region_count)?.clone())))
            .collect();
        let mut in_region = vec![0usize; region_count];
        for (number, (path, node)) in entries.iter().enumerate() {
            let (region, rack) = world.place(number, path, node, &mut in_region);
            world.nodes.push(NodeInfo {
                name: node.name.to_string(),
                region,
                rack,
                capacity: node.capacity,
                member: node.member,
            });
        }
        world.groups = spec.clients.iter().map(|group| group.name.to_string()).collect();
        let scripted: BTreeSet<String> =
            spec.script.iter().filter_map(|step| Some(step.client.as_ref()?.to_string())).collect();
        world.scripted = scripted.into_iter().collect();
        world
    }

    /// Region and rack of a node: as it says, else dealt out in turn.
    fn place(&mut self, number: usize, path: &str, node: &NodeSpec, in_region: &mut [usize]) -> (String, String) {
        let dealt = |world: &World| world.racks.get(number % world.racks.len().max(1)).cloned().unwrap_or_default();
        match (&node.rack, &node.region) {
            (None, None) => {
                let (rack, region) = dealt(self);
                (region, rack)
            }
            (None, Some(region)) => {
                let Some(at) = self.regions.iter().position(|known| *known == region.0) else {
                    let hint = super::errors::suggestion(region, self.regions.iter().map(String::as_str));
                    self.conflicts.push((format!("{path}.region"), format!("unknown region \"{region}\"{hint}")));
                    return (region.to_string(), String::new());
                };
                let there: Vec<&String> =
                    self.racks.iter().filter(|(_, of)| *of == region.0).map(|(rack, _)| rack).collect();
                let rack =
                    there.get(in_region[at] % there.len().max(1)).map(|rack| rack.to_string()).unwrap_or_default();
                in_region[at] += 1;
                (region.to_string(), rack)
            }
            (Some(rack), region) => {
                let known = self.racks.iter().find(|(name, _)| *name == rack.0).map(|(_, of)| of.clone());
                let region = region.as_ref().map(|region| region.to_string());
                match (known, region) {
                    (Some(known), Some(region)) if known != region => {
                        let message = format!("rack \"{rack}\" is in region \"{known}\", not in \"{region}\"");
                        self.conflicts.push((format!("{path}.rack"), message));
                        (known, rack.to_string())
                    }
                    (Some(known), _) => (known, rack.to_string()),
                    (None, region) => {
                        let region = region.unwrap_or_else(|| dealt(self).1);
                        self.racks.push((rack.to_string(), region.clone()));
                        (region, rack.to_string())
                    }
                }
            }
        }
    }

    /// The node of a name.
    pub fn node(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// Names of all nodes.
    pub fn node_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.nodes.iter().map(|node| node.name.as_str())
    }

    /// How many members hold data at the start.
    pub fn holders(&self) -> usize {
        self.nodes.iter().filter(|node| node.member && node.capacity > 0.0).count()
    }

    /// The nodes that a selector surely selects; `None` if chance or the ring decides.
    pub fn nodes_of(&self, selector: &Selector) -> Option<BTreeSet<usize>> {
        let mut selected = BTreeSet::new();
        for part in &selector.0 {
            let there = |test: &dyn Fn(&NodeInfo) -> bool| {
                (0..self.nodes.len()).filter(|at| test(&self.nodes[*at])).collect::<Vec<_>>()
            };
            selected.extend(match part {
                Select::Node(name) => self.node(name).into_iter().collect(),
                Select::All => (0..self.nodes.len()).collect(),
                Select::Rack(name) => there(&|node| node.rack == name.0),
                Select::Region(name) => there(&|node| node.region == name.0),
                Select::Client(_) | Select::Clients => Vec::new(),
                Select::Replicas(_) | Select::Some(..) => return None,
            });
        }
        Some(selected)
    }

    /// The clients that a selector names: groups and scripted clients.
    pub fn clients_of<'a>(&'a self, selector: &'a Selector) -> BTreeSet<&'a str> {
        let mut selected = BTreeSet::new();
        for part in &selector.0 {
            match part {
                Select::Client(name) => {
                    selected.insert(name.0.as_str());
                }
                Select::Clients => selected.extend(self.groups.iter().chain(&self.scripted).map(String::as_str)),
                _ => {}
            }
        }
        selected
    }
}

fn plain(name: String, member: bool) -> NodeSpec {
    NodeSpec { name: Name(name), count: 1, region: None, rack: None, capacity: 1.0, member }
}

/// The nodes of one entry, each with the path of the entry.
fn expand(node: &NodeSpec) -> Vec<(String, NodeSpec)> {
    let path = format!("cluster.nodes.{}", node.name);
    match node.count {
        1 => vec![(path, node.clone())],
        count => (1..=count.min(MAX_NODES as u32))
            .map(|number| {
                (path.clone(), NodeSpec { name: Name(format!("{}{number}", node.name)), count: 1, ..node.clone() })
            })
            .collect(),
    }
}

/// Whether some step of the script does `test`.
pub fn any_action(spec: &Spec, test: impl Fn(Action<'_>) -> bool) -> bool {
    spec.script.iter().any(|step| test(step.action()))
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::super::source::Memory;
    use super::*;

    fn world(cluster: &str) -> World {
        let text =
            format!(r#"{{ "version": 1, "cluster": {{ {cluster} }}, "network": {{ "between_regions": "9ms" }} }}"#);
        World::of(&load(&Memory::new("x.json", &text), &[]).unwrap_or_else(|errors| panic!("{errors}")).base)
    }

    #[test]
    fn nodes_are_dealt_over_racks_and_racks_over_regions() {
        let world = world(r#""nodes": 4, "spares": 1, "racks": 3, "regions": ["east", "west"]"#);
        let nodes: Vec<(&str, &str, &str)> =
            world.nodes.iter().map(|node| (node.name.as_str(), node.rack.as_str(), node.region.as_str())).collect();
        assert_eq!(
            nodes,
            [
                ("n1", "r1", "east"),
                ("n2", "r2", "west"),
                ("n3", "r3", "east"),
                ("n4", "r1", "east"),
                ("n5", "r2", "west")
            ]
        );
        assert_eq!((world.holders(), world.nodes[4].member), (4, false));
    }

    #[test]
    fn a_selector_is_the_union_of_its_parts() {
        let world = world(r#""nodes": ["A", "B", { "name": "C", "count": 2, "rack": "cold" }]"#);
        let nodes = |parts: &[&str]| {
            let parts = parts.iter().map(|part| super::super::names::parse_select(part).expect("a selector")).collect();
            world
                .nodes_of(&Selector(parts))
                .map(|nodes| nodes.into_iter().map(|at| world.nodes[at].name.as_str()).collect::<Vec<_>>())
        };
        assert_eq!(nodes(&["rack:cold", "A", "C1"]), Some(vec!["A", "C1", "C2"]));
        assert_eq!(nodes(&["1 of all"]), None, "chance decides");
        assert_eq!(nodes(&["clients"]), Some(vec![]));
    }

    #[test]
    fn regions_may_be_named_at_the_nodes_alone() {
        let world = world(
            r#""nodes": [{ "name": "a", "region": "one" }, { "name": "b", "region": "two" }, { "name": "c", "region": "one" }]"#,
        );
        assert_eq!(world.regions, ["one", "two"]);
        assert_eq!(world.nodes[2].rack, "r1");
    }
}
