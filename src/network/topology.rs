//! The map: regions, racks, nodes and client sites, the ways between them, and the cheapest routes.
//!
//! Built once, as a petgraph graph. A node is a member of its rack, a rack of its region; regions are
//! joined by wires that carry delays. A message between regions takes the cheapest chain of wires by mean
//! delay, so a WAN is a few edges and not a matrix. It knows nothing of faults.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use petgraph::Direction::Incoming;
use petgraph::graph::{Graph, NodeIndex};
use petgraph::visit::EdgeRef;

use crate::kernel::dist::Dist;

use super::config::{Config, Delay, EndSet, LinkRule, Site};
use super::leg::Leg;

/// A vertex of the map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Vertex {
    /// A region, by number.
    Region(u32),
    /// A rack of a region.
    Rack {
        /// The region's number.
        region: u32,
        /// The rack's number.
        rack: u32,
    },
    /// A node, by number.
    Node(u32),
    /// A group of clients, by number.
    Site(u16),
}

/// An edge of the map.
#[derive(Clone, PartialEq, Debug)]
pub enum Way {
    /// From a part to the whole: node to rack, rack to region, client site to region. Takes no time.
    Member,
    /// From a region to another.
    Wire {
        /// Number in [`Topology::delays`].
        delay: usize,
        /// Mean over all legs, in nanoseconds: what makes a route cheap.
        mean_ns: u64,
    },
}

/// What the scenario says of the way from one region to another, or within one.
#[derive(Clone, Debug, Default)]
pub(super) struct Wire {
    /// Number of the delay; none if there is no direct way.
    pub delay: Option<usize>,
    /// Whether a link gave that delay.
    pub linked: bool,
    pub loss: Option<f64>,
    pub duplicate: Option<f64>,
    pub bandwidth: Option<f64>,
    pub fifo: Option<bool>,
}

/// The graph, the delays on its edges and the routes over it.
#[derive(Clone, Debug)]
pub struct Topology {
    /// The map itself. Wires join regions only.
    pub graph: Graph<Vertex, Way>,
    /// Delays by number.
    pub delays: Vec<Delay>,
    regions: usize,
    wires: Vec<Wire>,
    /// For each ordered pair of regions, the regions on the way, both ends included; empty if there is no way.
    routes: Vec<Vec<u32>>,
}

/// Numbers of the general delays in [`Topology::delays`].
pub(super) const WITHIN_REGION: usize = 0;
pub(super) const WITHIN_RACK: usize = 1;
pub(super) const CLIENT: usize = 2;

impl Topology {
    /// Draws the map of a configuration and finds the cheapest routes.
    ///
    /// # Panics
    /// If a number in the configuration names nothing; `check` says so first.
    pub fn new(config: &Config) -> Topology {
        let mut delays = vec![
            config.within_region.clone(),
            config.within_rack.clone().unwrap_or_else(|| config.within_region.clone()),
            config.client.clone().unwrap_or_else(|| config.within_region.clone()),
        ];
        let regions = config.regions as usize;
        let wires = wires(config, &mut delays);
        let means: Vec<u64> = delays.iter().map(mean_ns).collect();

        let mut graph = Graph::new();
        // Regions first, so that a region's vertex has the region's number.
        for region in 0..config.regions {
            graph.add_node(Vertex::Region(region));
        }
        add_members(config, &mut graph);
        for from in 0..regions {
            for to in 0..regions {
                if from != to
                    && let Some(delay) = wires[from * regions + to].delay
                {
                    let way = Way::Wire { delay, mean_ns: means[delay] };
                    graph.add_edge(NodeIndex::new(from), NodeIndex::new(to), way);
                }
            }
        }
        let mut topology = Topology { graph, delays, regions, wires, routes: Vec::new() };
        topology.find_routes(config.between_regions.is_some());
        topology
    }

    /// The regions from `from` to `to`, both included; empty if no chain of wires leads there.
    pub fn route(&self, from: u32, to: u32) -> &[u32] {
        &self.routes[from as usize * self.regions + to as usize]
    }

    /// The ordered pairs of regions between which there is no way.
    pub fn unrouted(&self) -> Vec<(u32, u32)> {
        let all = (0..self.regions as u32).flat_map(|from| (0..self.regions as u32).map(move |to| (from, to)));
        all.filter(|&(from, to)| self.route(from, to).is_empty()).collect()
    }

    pub(super) fn wire(&self, from: u32, to: u32) -> &Wire {
        &self.wires[from as usize * self.regions + to as usize]
    }

    /// Where `between_regions` is given, links are exceptions to it, and a pair that a link joins has exactly that
    /// link's delay: a slow link is not bypassed. Where it is not, links are the map and the cheapest chain counts.
    fn find_routes(&mut self, links_are_exceptions: bool) {
        let regions = self.regions as u32;
        let mut routes = vec![Vec::new(); self.regions * self.regions];
        // With one delay between all regions there is nothing to search for.
        let is_uniform = links_are_exceptions && self.wires.iter().all(|wire| !wire.linked);
        for to in 0..regions {
            let costs = if is_uniform { Vec::new() } else { self.costs_to(to) };
            for from in 0..regions {
                routes[(from * regions + to) as usize] = if from == to {
                    vec![from]
                } else if is_uniform || links_are_exceptions && self.wire(from, to).linked {
                    vec![from, to]
                } else {
                    self.cheapest(from, to, &costs)
                };
            }
        }
        self.routes = routes;
    }

    /// By region, what the cheapest chain to `goal` costs: mean nanoseconds, then the number of wires. Dijkstra's
    /// algorithm, against the direction of the wires; petgraph's own answers with a hash map.
    fn costs_to(&self, goal: u32) -> Vec<Option<u128>> {
        let mut costs = vec![None; self.regions];
        let mut reached = BinaryHeap::from([Reverse((0, goal))]);
        while let Some(Reverse((cost, region))) = reached.pop() {
            if costs[region as usize].is_some() {
                continue;
            }
            costs[region as usize] = Some(cost);
            for edge in self.graph.edges_directed(NodeIndex::new(region as usize), Incoming) {
                if let Way::Wire { mean_ns, .. } = *edge.weight() {
                    reached.push(Reverse((cost + price(mean_ns), edge.source().index() as u32)));
                }
            }
        }
        costs
    }

    /// The cheapest chain; among equals the one with the fewest wires, then the lowest numbers of regions.
    fn cheapest(&self, from: u32, to: u32, costs: &[Option<u128>]) -> Vec<u32> {
        let Some(mut cost) = costs[from as usize] else {
            return Vec::new();
        };
        let mut route = vec![from];
        let mut at = from;
        while at != to {
            let wires = self.graph.edges(NodeIndex::new(at as usize));
            let next = wires.filter_map(|edge| {
                let Way::Wire { mean_ns, .. } = *edge.weight() else { return None };
                let next = edge.target().index();
                let rest = costs[next]?;
                (rest + price(mean_ns) == cost).then_some((next as u32, rest))
            });
            (at, cost) = next.min().expect("a region with a cost has a wire on a cheapest chain");
            route.push(at);
        }
        route
    }
}

/// Means add up first, wires are counted below them.
fn price(mean_ns: u64) -> u128 {
    u128::from(mean_ns) << 32 | 1
}

/// The mean over all legs, in nanoseconds. A distribution without a mean counts as the longest delay there is.
fn mean_ns(delay: &Delay) -> u64 {
    let mean = delay.legs.iter().map(Dist::mean).sum::<f64>() / Leg::COUNT as f64;
    const LONGEST: f64 = (1u64 << 62) as f64;
    if mean < LONGEST { mean as u64 } else { 1 << 62 }
}

fn add_members(config: &Config, graph: &mut Graph<Vertex, Way>) {
    let mut racks = BTreeMap::new();
    for (node, place) in config.nodes.iter().enumerate() {
        let region = NodeIndex::new(place.region as usize);
        let rack = *racks.entry((place.region, place.rack)).or_insert_with(|| {
            let rack = graph.add_node(Vertex::Rack { region: place.region, rack: place.rack });
            graph.add_edge(rack, region, Way::Member);
            rack
        });
        let node = graph.add_node(Vertex::Node(node as u32));
        graph.add_edge(node, rack, Way::Member);
    }
    for (group, site) in config.groups.iter().enumerate() {
        let vertex = graph.add_node(Vertex::Site(group as u16));
        let regions = match *site {
            Site::Region(region) => region..region + 1,
            Site::Rack(place) => place.region..place.region + 1,
            Site::Spread | Site::Nowhere => 0..config.regions,
        };
        for region in regions {
            graph.add_edge(vertex, NodeIndex::new(region as usize), Way::Member);
        }
    }
}

/// The table of wires: what holds in general, then the links between whole regions in their order.
fn wires(config: &Config, delays: &mut Vec<Delay>) -> Vec<Wire> {
    let regions = config.regions as usize;
    let between = config.between_regions.as_ref().map(|delay| add(delays, delay));
    let mut wires = vec![Wire { delay: between, ..Wire::default() }; regions * regions];
    for region in 0..regions {
        wires[region * regions + region].delay = None;
    }
    for rule in config.links.iter().filter(|rule| is_wire(rule)) {
        let delay = rule.delay.as_ref().map(|delay| add(delays, delay));
        let mut lay = |from: &EndSet, to: &EndSet| {
            for &from in &from.regions {
                for &to in &to.regions {
                    let wire = &mut wires[from as usize * regions + to as usize];
                    wire.linked |= delay.is_some();
                    wire.delay = delay.or(wire.delay);
                    wire.loss = rule.loss.or(wire.loss);
                    wire.duplicate = rule.duplicate.or(wire.duplicate);
                    wire.bandwidth = rule.bandwidth.or(wire.bandwidth);
                    wire.fifo = rule.fifo.or(wire.fifo);
                }
            }
        };
        lay(&rule.from, &rule.to);
        if rule.symmetric {
            lay(&rule.to, &rule.from);
        }
    }
    wires
}

/// Whether a link is a wire of the map: both its ends are whole regions.
pub(super) fn is_wire(rule: &LinkRule) -> bool {
    rule.from.is_regional() && rule.to.is_regional()
}

fn add(delays: &mut Vec<Delay>, delay: &Delay) -> usize {
    delays.push(delay.clone());
    delays.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::config::{Place, check};

    fn world(regions: u32, links: &[(u32, u32, u64)]) -> Config {
        let constant = |ns| Delay::same(Dist::Constant(ns));
        let link = |&(from, to, ns): &(u32, u32, u64)| LinkRule {
            from: EndSet::of_regions([from]),
            to: EndSet::of_regions([to]),
            symmetric: true,
            delay: Some(constant(ns)),
            ..LinkRule::default()
        };
        Config {
            regions,
            nodes: (0..regions).map(|region| Place { region, rack: 0 }).collect(),
            links: links.iter().map(link).collect(),
            ..Config::simple(1, Dist::Constant(1))
        }
    }

    #[test]
    fn a_route_is_the_cheapest_chain_of_links() {
        let map = Topology::new(&world(4, &[(0, 1, 30), (1, 2, 30), (0, 2, 100), (2, 3, 5)]));
        assert_eq!(map.route(0, 2), [0, 1, 2], "two short links are cheaper than the long one");
        assert_eq!(map.route(3, 0), [3, 2, 1, 0]);
        assert_eq!(map.route(1, 1), [1]);
        assert!(map.unrouted().is_empty());
    }

    #[test]
    fn equally_cheap_routes_are_told_apart_by_wires_and_then_by_numbers() {
        let map = Topology::new(&world(4, &[(0, 2, 10), (2, 3, 10), (0, 1, 10), (1, 3, 10)]));
        assert_eq!(map.route(0, 3), [0, 1, 3]);
        assert_eq!(map.route(3, 0), [3, 1, 0]);
        let map = Topology::new(&world(3, &[(0, 1, 10), (1, 2, 10), (0, 2, 20)]));
        assert_eq!(map.route(0, 2), [0, 2], "fewer wires");
    }

    #[test]
    fn where_a_delay_between_regions_is_given_a_slow_link_is_not_bypassed() {
        let mut config = world(3, &[(0, 1, 200)]);
        config.between_regions = Some(Delay::same(Dist::Constant(50)));
        assert_eq!(Topology::new(&config).route(0, 1), [0, 1]);
        config.links = world(3, &[(0, 1, 10), (1, 2, 10)]).links;
        assert_eq!(Topology::new(&config).route(0, 2), [0, 1, 2], "a chain of fast links is taken");
    }

    #[test]
    fn regions_without_a_way_between_them_are_found() {
        let mut config = world(3, &[(0, 1, 30)]);
        assert_eq!(Topology::new(&config).unrouted(), [(0, 2), (1, 2), (2, 0), (2, 1)]);
        assert_eq!(check(&config).len(), 4);
        config.links = world(3, &[(0, 1, 30), (1, 2, 30)]).links;
        config.links[1].symmetric = false;
        assert_eq!(Topology::new(&config).unrouted(), [(2, 0), (2, 1)], "one way is not two");
    }

    #[test]
    fn routes_agree_with_trying_every_chain() {
        // Every graph over four regions with links of two lengths or none, against exhaustive search.
        let pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];
        for choice in 0..3u32.pow(6) {
            let length = |index: usize| [None, Some(10), Some(25)][(choice / 3u32.pow(index as u32) % 3) as usize];
            let links: Vec<_> =
                pairs.iter().enumerate().filter_map(|(i, &(from, to))| Some((from, to, length(i)?))).collect();
            let map = Topology::new(&world(4, &links));
            let hop = |a: u32, b: u32| {
                links.iter().find(|(from, to, _)| (*from, *to) == (a, b) || (*to, *from) == (a, b)).map(|link| link.2)
            };
            let total = |route: &[u32]| route.windows(2).map(|pair| hop(pair[0], pair[1])).sum::<Option<u64>>();
            for (from, to) in pairs {
                let others: Vec<u32> = (0..4).filter(|other| ![from, to].contains(other)).collect();
                let (a, b) = (others[0], others[1]);
                let chains: [&[u32]; 5] =
                    [&[from, to], &[from, a, to], &[from, b, to], &[from, a, b, to], &[from, b, a, to]];
                let best = chains.iter().filter_map(|chain| total(chain)).min();
                let route = map.route(from, to);
                assert_eq!(if route.is_empty() { None } else { total(route) }, best, "{links:?}: {from} to {to}");
            }
        }
    }

    #[test]
    fn the_map_has_a_vertex_for_everything_that_has_a_place() {
        let mut config = world(2, &[(0, 1, 30)]);
        config.groups = vec![Site::Spread, Site::Region(1)];
        let map = Topology::new(&config);
        let count = |which: fn(&Vertex) -> bool| map.graph.node_weights().filter(|vertex| which(vertex)).count();
        assert_eq!(count(|vertex| matches!(vertex, Vertex::Region(_))), 2);
        assert_eq!(count(|vertex| matches!(vertex, Vertex::Rack { .. })), 2, "rack 0 of two regions is two racks");
        assert_eq!(count(|vertex| matches!(vertex, Vertex::Node(_))), 2);
        assert_eq!(count(|vertex| matches!(vertex, Vertex::Site(_))), 2);
    }
}
