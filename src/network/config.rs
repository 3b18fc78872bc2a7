//! What the network is told before a run: where nodes and clients are, and how long ways take.
//!
//! Plain values; how a scenario spells them is not known here. [`check`] finds what would make the
//! network meaningless, so that the run itself needs no errors.

use crate::kernel::dist::Dist;
use crate::kernel::ids::{GroupId, NodeId};

use super::leg::Leg;
use super::topology::Topology;

/// One-way delay, leg by leg; distributions are over nanoseconds.
#[derive(Clone, PartialEq, Debug)]
pub struct Delay {
    /// One distribution for each leg, at the leg's number.
    pub legs: [Dist; Leg::COUNT],
}

impl Delay {
    /// The same distribution for every leg.
    pub fn same(dist: Dist) -> Delay {
        Delay { legs: std::array::from_fn(|_| dist.clone()) }
    }

    /// This delay, with another distribution for one leg.
    pub fn with(mut self, leg: Leg, dist: Dist) -> Delay {
        self.legs[leg.index()] = dist;
        self
    }
}

/// Where a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Region, from 0.
    pub region: u32,
    /// Rack. Two nodes share a rack if rack and region are equal.
    pub rack: u32,
}

/// Where the sessions of a group of clients are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Site {
    /// All in one region.
    Region(u32),
    /// All in one rack. The client's delay counts, not the rack's: a client is not a member of it.
    Rack(Place),
    /// Outside the map: the client's delay to every node. Scripted clients are here.
    Nowhere,
    /// Dealt over the regions: the session whose id is i is in region i mod regions, whatever its group.
    Spread,
}

/// Ends of links and cuts: the union of what is listed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EndSet {
    /// Nodes one by one.
    pub nodes: Vec<NodeId>,
    /// All sessions of these groups.
    pub groups: Vec<GroupId>,
    /// All nodes of these regions and the client sessions located there.
    pub regions: Vec<u32>,
}

impl EndSet {
    /// These nodes.
    pub fn of_nodes(nodes: impl IntoIterator<Item = u32>) -> EndSet {
        EndSet { nodes: nodes.into_iter().map(NodeId).collect(), ..EndSet::default() }
    }

    /// These groups of clients.
    pub fn of_groups(groups: impl IntoIterator<Item = u16>) -> EndSet {
        EndSet { groups: groups.into_iter().map(GroupId).collect(), ..EndSet::default() }
    }

    /// Everything in these regions.
    pub fn of_regions(regions: impl IntoIterator<Item = u32>) -> EndSet {
        EndSet { regions: regions.into_iter().collect(), ..EndSet::default() }
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.groups.is_empty() && self.regions.is_empty()
    }

    /// Whether the set is made of whole regions only.
    pub(super) fn is_regional(&self) -> bool {
        !self.regions.is_empty() && self.nodes.is_empty() && self.groups.is_empty()
    }
}

/// A link between two sets of ends: whatever it says replaces what holds in general.
///
/// A link whose two ends are whole regions is a wire of the map. Its delay is that of the way between
/// the regions (or within one): routes may lead over it, and a client's own way to its region comes on top.
/// Any other link says all of the way between the ends it names, and wins over wires wherever it
/// stands in the list. Among links of one kind a later one wins, each of its fields for itself.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LinkRule {
    /// Who sends.
    pub from: EndSet,
    /// Who receives.
    pub to: EndSet,
    /// Whether the link is also the way back.
    pub symmetric: bool,
    /// How long a message takes.
    pub delay: Option<Delay>,
    /// Chance that a message is lost, 0 to 1.
    pub loss: Option<f64>,
    /// Chance that a message arrives twice, 0 to 1.
    pub duplicate: Option<f64>,
    /// Bytes per second that fit through the link in one direction, shared by all who send over it. It takes
    /// the place of the senders' own bandwidth; infinite lifts that.
    pub bandwidth: Option<f64>,
    /// Whether messages of one sender to one receiver keep their order.
    pub fifo: Option<bool>,
}

/// The whole network.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// How many regions there are; at least 1.
    pub regions: u32,
    /// Where each node is, spares included.
    pub nodes: Vec<Place>,
    /// Where each group of clients is; a scripted client is a group of one.
    pub groups: Vec<Site>,
    /// Between two nodes of a region.
    pub within_region: Delay,
    /// Between two nodes of a rack; as `within_region` if absent.
    pub within_rack: Option<Delay>,
    /// Between nodes of different regions; without it, the cheapest chain of links.
    pub between_regions: Option<Delay>,
    /// Between a client and the nodes of its region; as `within_region` if absent.
    pub client: Option<Delay>,
    /// Exceptions.
    pub links: Vec<LinkRule>,
    /// Chance that a message is lost, 0 to 1.
    pub loss: f64,
    /// Chance that a message arrives twice, 0 to 1.
    pub duplicate: f64,
    /// Bytes per second that a node can send; unlimited if absent. Clients are not limited.
    pub bandwidth: Option<f64>,
    /// Whether messages of one sender to one receiver keep their order.
    pub fifo: bool,
}

impl Config {
    /// One region, one rack, `nodes` nodes, no clients, this delay, nothing lost: the simplest network.
    pub fn simple(nodes: u32, delay: Dist) -> Config {
        Config {
            regions: 1,
            nodes: (0..nodes).map(|_| Place { region: 0, rack: 0 }).collect(),
            groups: Vec::new(),
            within_region: Delay::same(delay),
            within_rack: None,
            between_regions: None,
            client: None,
            links: Vec::new(),
            loss: 0.0,
            duplicate: 0.0,
            bandwidth: None,
            fifo: false,
        }
    }
}

/// So many regions at most: tables by pair of regions stay small.
pub const REGIONS_MAX: u32 = 256;

/// What is wrong with a configuration, a sentence each; nothing if it can be run.
pub fn check(config: &Config) -> Vec<String> {
    let mut wrong = Vec::new();
    if config.nodes.is_empty() {
        wrong.push("the network has no nodes".to_string());
    }
    if config.regions == 0 || config.regions > REGIONS_MAX {
        wrong.push(format!("{} regions: there are 1 to {REGIONS_MAX}", config.regions));
        return wrong;
    }
    let mut region = |what: &str, region: u32| {
        if region >= config.regions {
            wrong.push(format!("{what} is in region {region}, but there are only {}", config.regions));
        }
    };
    for (node, place) in config.nodes.iter().enumerate() {
        region(&format!("node {node}"), place.region);
    }
    for (group, site) in config.groups.iter().enumerate() {
        match *site {
            Site::Region(number) => region(&format!("client group {group}"), number),
            Site::Rack(place) => region(&format!("client group {group}"), place.region),
            Site::Nowhere | Site::Spread => {}
        }
    }
    for (number, link) in config.links.iter().enumerate() {
        for (side, ends) in [("from", &link.from), ("to", &link.to)] {
            let place = format!("link {number}, {side}");
            if ends.is_empty() {
                wrong.push(format!("{place}: nothing is selected"));
            }
            wrong.extend(unknown_ends(config, ends).into_iter().map(|what| format!("{place}: {what}")));
        }
        check_terms(&format!("link {number}, "), link.loss, link.duplicate, link.bandwidth, &mut wrong);
    }
    for (place, delay) in given_delays(config) {
        for leg in Leg::ALL {
            if let Err(what) = delay.legs[leg.index()].check() {
                wrong.push(format!("{place}, {}: {what}", leg.name()));
            }
        }
    }
    check_terms("", Some(config.loss), Some(config.duplicate), config.bandwidth, &mut wrong);
    if wrong.is_empty() {
        for (from, to) in Topology::new(config).unrouted() {
            wrong.push(format!(
                "no delay is given from region {from} to region {to}, and no chain of links leads there"
            ));
        }
    }
    wrong
}

fn given_delays(config: &Config) -> impl Iterator<Item = (String, &Delay)> {
    let general = [
        ("within_region", Some(&config.within_region)),
        ("within_rack", config.within_rack.as_ref()),
        ("between_regions", config.between_regions.as_ref()),
        ("client", config.client.as_ref()),
    ];
    let links = config.links.iter().enumerate().map(|(number, link)| (format!("link {number}, delay"), &link.delay));
    let general = general.into_iter().filter_map(|(place, delay)| Some((place.to_string(), delay?)));
    general.chain(links.filter_map(|(place, delay)| Some((place, delay.as_ref()?))))
}

fn unknown_ends(config: &Config, ends: &EndSet) -> Vec<String> {
    let nodes = ends.nodes.iter().filter(|node| node.index() >= config.nodes.len());
    let groups = ends.groups.iter().filter(|group| group.index() >= config.groups.len());
    let regions = ends.regions.iter().filter(|region| **region >= config.regions);
    nodes
        .map(|node| format!("there is no node {node}"))
        .chain(groups.map(|group| format!("there is no client group {group}")))
        .chain(regions.map(|region| format!("there is no region {region}")))
        .collect()
}

fn check_terms(
    place: &str,
    loss: Option<f64>,
    duplicate: Option<f64>,
    bandwidth: Option<f64>,
    wrong: &mut Vec<String>,
) {
    for (what, chance) in [("loss", loss), ("duplicate", duplicate)] {
        if let Some(chance) = chance
            && !(0.0..=1.0).contains(&chance)
        {
            wrong.push(format!("{place}{what}: {chance} is not a fraction from 0 to 1"));
        }
    }
    if let Some(bandwidth) = bandwidth
        && (bandwidth.is_nan() || bandwidth <= 0.0)
    {
        wrong.push(format!("{place}bandwidth: {bandwidth} bytes per second is not a throughput"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simple_network_is_in_order() {
        assert_eq!(check(&Config::simple(3, Dist::Constant(1_000_000))), Vec::<String>::new());
    }

    #[test]
    fn each_mistake_is_named() {
        let good = Config::simple(3, Dist::Constant(1));
        let link = LinkRule { from: EndSet::of_nodes([0]), to: EndSet::of_nodes([1]), ..LinkRule::default() };
        let linked = |link: LinkRule| Config { links: vec![link], ..good.clone() };
        let backwards = Dist::Uniform { min: 2, max: 1 };
        let cases = [
            (Config { nodes: Vec::new(), ..good.clone() }, "the network has no nodes"),
            (Config { regions: 0, ..good.clone() }, "0 regions: there are 1 to 256"),
            (
                Config { nodes: vec![Place { region: 1, rack: 0 }], ..good.clone() },
                "node 0 is in region 1, but there are only 1",
            ),
            (
                Config { groups: vec![Site::Region(3)], ..good.clone() },
                "client group 0 is in region 3, but there are only 1",
            ),
            (Config { loss: 1.5, ..good.clone() }, "loss: 1.5 is not a fraction from 0 to 1"),
            (Config { duplicate: f64::NAN, ..good.clone() }, "duplicate: NaN is not a fraction from 0 to 1"),
            (Config { bandwidth: Some(0.0), ..good.clone() }, "bandwidth: 0 bytes per second is not a throughput"),
            (
                Config { regions: 2, ..good.clone() },
                "no delay is given from region 0 to region 1, and no chain of links leads there",
            ),
            (linked(LinkRule { to: EndSet::default(), ..link.clone() }), "link 0, to: nothing is selected"),
            (linked(LinkRule { to: EndSet::of_nodes([7]), ..link.clone() }), "link 0, to: there is no node 7"),
            (
                linked(LinkRule { from: EndSet::of_groups([0]), ..link.clone() }),
                "link 0, from: there is no client group 0",
            ),
            (linked(LinkRule { from: EndSet::of_regions([1]), ..link.clone() }), "link 0, from: there is no region 1"),
            (linked(LinkRule { loss: Some(-0.1), ..link.clone() }), "link 0, loss: -0.1 is not a fraction from 0 to 1"),
            (
                Config { client: Some(Delay::same(Dist::Constant(1)).with(Leg::Hint, backwards)), ..good.clone() },
                "client, hint: min is 2, above max, which is 1",
            ),
        ];
        for (config, sentence) in cases {
            assert_eq!(check(&config).first().map(String::as_str), Some(sentence));
        }
    }
}
