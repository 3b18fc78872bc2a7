//! The map made flat for the run: tables by class of way, never by pair of nodes.
//!
//! A spot is a node, or a group of clients in one region. Spots lie in zones, and a pair of zones (or a rack)
//! is a class of ways: the delays on it, its loss, its pipes. Finding the class of a message is two loads
//! and a multiplication. The map knows nothing of faults, nor of links between single nodes.

use smallvec::SmallVec;

use crate::kernel::dist::{Dist, Sampler, VALUE_MAX};
use crate::kernel::ids::{Endpoint, GroupId};

use super::config::{Config, Delay, EndSet, Site};
use super::leg::Leg;
use super::topology::{CLIENT, Topology, WITHIN_RACK, WITHIN_REGION, Wire};

/// A place a message can come from or go to: a node, or a group of clients in one region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    /// 0.. regions: nodes there; then as many: clients there; last: clients nowhere.
    zone: u32,
    rack: u32,
}

#[derive(Clone, Copy, Debug)]
struct GroupSpots {
    first: u32,
    /// How many spots its sessions are dealt over.
    spread: u32,
}

/// What holds on a class of ways beside the delay.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub loss: f64,
    pub duplicate: f64,
    /// Pipes on the way, by number; empty: the sender's own.
    pub pipes: SmallVec<[u32; 2]>,
    pub fifo: bool,
}

/// The numbers of the delays on a way, in order.
pub(super) type Hops = SmallVec<[u16; 4]>;

/// Stands for a sampler where a way has several delays, or none.
const SEVERAL: u16 = u16::MAX;

/// The map made flat for the run: spots, classes of ways, samplers.
#[derive(Clone, Debug)]
pub(super) struct Map {
    nodes: u32,
    spots: Vec<Spot>,
    groups: Vec<GroupSpots>,
    zones: u32,
    /// By class (zone × zone, then one for each region's racks) and leg, the number of the sampler; or [`SEVERAL`].
    direct: Vec<u16>,
    /// By class.
    hops: Vec<Hops>,
    terms: Vec<Terms>,
    /// By delay and leg, the number of its sampler. Equal distributions share one.
    legs: Vec<[u16; Leg::COUNT]>,
    samplers: Vec<Sampler>,
    /// What each sampler draws from.
    dists: Vec<Dist>,
    /// Bytes per second of each pipe.
    pub pipes: Vec<f64>,
}

impl Map {
    /// # Panics
    /// If two regions have no way between them; `check` says so first.
    pub fn new(config: &Config, topology: &Topology) -> Map {
        let unrouted = topology.unrouted();
        assert!(unrouted.is_empty(), "every region can be reached from every other: {unrouted:?}");
        let regions = config.regions;
        let mut map = Map {
            nodes: config.nodes.len() as u32,
            spots: config.nodes.iter().map(|place| Spot { zone: place.region, rack: place.rack }).collect(),
            groups: Vec::new(),
            zones: 2 * regions + 1,
            direct: Vec::new(),
            hops: Vec::new(),
            terms: Vec::new(),
            legs: Vec::new(),
            samplers: Vec::new(),
            dists: Vec::new(),
            pipes: Vec::new(),
        };
        for site in &config.groups {
            map.add_group(*site, regions);
        }
        for delay in &topology.delays {
            map.add_delay(delay);
        }
        map.add_classes(config, topology);
        map
    }

    fn add_group(&mut self, site: Site, regions: u32) {
        // A client is in no rack: the number is one that no node has in a client's zone.
        let client = |zone| Spot { zone, rack: u32::MAX };
        let first = self.spots.len() as u32;
        let spread = if site == Site::Spread { regions } else { 1 };
        self.groups.push(GroupSpots { first, spread });
        match site {
            Site::Region(region) => self.spots.push(client(regions + region)),
            Site::Rack(place) => self.spots.push(client(regions + place.region)),
            Site::Nowhere => self.spots.push(client(2 * regions)),
            Site::Spread => self.spots.extend((0..regions).map(|region| client(regions + region))),
        }
    }

    /// Takes up one more delay and returns its number.
    pub fn add_delay(&mut self, delay: &Delay) -> u16 {
        let legs: [usize; Leg::COUNT] = std::array::from_fn(|leg| {
            let dist = &delay.legs[leg];
            let known = self.dists.iter().position(|other| other == dist);
            known.unwrap_or_else(|| {
                self.dists.push(dist.clone());
                self.samplers.push(dist.compile());
                self.samplers.len() - 1
            })
        });
        assert!(self.samplers.len() < SEVERAL as usize, "fewer than 65 535 distributions are given");
        let legs = legs.map(|sampler| sampler as u16);
        self.legs.push(legs);
        u16::try_from(self.legs.len() - 1).expect("fewer than 65 536 delays are given")
    }

    fn add_classes(&mut self, config: &Config, topology: &Topology) {
        let regions = config.regions;
        // One pipe for each direction of each wire with a bandwidth.
        let mut pipes = vec![None; (regions * regions) as usize];
        for from in 0..regions {
            for to in 0..regions {
                if let Some(bandwidth) = topology.wire(from, to).bandwidth {
                    pipes[(from * regions + to) as usize] = Some(self.pipes.len() as u32);
                    self.pipes.push(bandwidth);
                }
            }
        }
        let pipe = |from: u32, to: u32| pipes[(from * regions + to) as usize];
        for from in 0..self.zones {
            for to in 0..self.zones {
                let (hops, terms) = way(config, topology, &pipe, from, to);
                self.hops.push(hops);
                self.terms.push(terms);
            }
        }
        for region in 0..regions {
            let (mut hops, terms) = way(config, topology, &pipe, region, region);
            if !topology.wire(region, region).linked {
                hops = Hops::from_slice(&[WITHIN_RACK as u16]);
            }
            self.hops.push(hops);
            self.terms.push(terms);
        }
        for hops in &self.hops {
            let several = [SEVERAL; Leg::COUNT];
            self.direct.extend(if let [hop] = hops[..] { &self.legs[hop as usize] } else { &several });
        }
    }

    /// The spot of an end of a message; `group` is the client end's.
    #[inline]
    pub fn spot(&self, end: Endpoint, group: GroupId) -> u32 {
        match (end.as_node(), end.as_client()) {
            (Some(node), _) => {
                debug_assert!(node.0 < self.nodes, "a message has an end that is a node of the network");
                node.0
            }
            (_, Some(session)) => {
                let group = self.groups[group.index()];
                if group.spread == 1 { group.first } else { group.first + session.0 % group.spread }
            }
            (None, None) => unreachable!("an end is a node or a client"),
        }
    }

    /// The region of a spot, unless it is nowhere.
    pub fn region(&self, spot: u32) -> Option<u32> {
        let regions = (self.zones - 1) / 2;
        let zone = self.spots[spot as usize].zone;
        (zone < 2 * regions).then_some(zone % regions)
    }

    /// The class of the way from one spot to another.
    #[inline]
    pub fn class(&self, from: u32, to: u32) -> usize {
        let (from, to) = (self.spots[from as usize], self.spots[to as usize]);
        if from.zone == to.zone && from.rack == to.rack {
            (self.zones * self.zones + from.zone) as usize
        } else {
            (from.zone * self.zones + to.zone) as usize
        }
    }

    #[inline]
    pub fn hops(&self, class: usize) -> &[u16] {
        &self.hops[class]
    }

    pub fn terms(&self, class: usize) -> &Terms {
        &self.terms[class]
    }

    /// Whether every way has these terms: no loss, no duplicates, no pipes, no order kept.
    pub fn is_plain(&self) -> bool {
        self.terms
            .iter()
            .all(|terms| terms.loss == 0.0 && terms.duplicate == 0.0 && terms.pipes.is_empty() && !terms.fifo)
    }

    /// Nanoseconds over a way of this class; as [`Map::sample`] over its hops.
    #[inline]
    pub fn sample_class(&self, class: usize, leg: Leg, bits: u64) -> u64 {
        match self.direct[class * Leg::COUNT + leg.index()] {
            SEVERAL => self.sample(&self.hops[class], leg, bits),
            sampler => self.samplers[sampler as usize].sample(bits),
        }
    }

    /// Nanoseconds over these delays. The first takes `bits`, each further one bits derived from them.
    pub fn sample(&self, hops: &[u16], leg: Leg, bits: u64) -> u64 {
        debug_assert!(!hops.is_empty(), "a message goes between two nodes, or a client and a node");
        in_a_row(self.samplers(hops, leg), bits)
    }

    /// The first delay that is equal to this one.
    pub fn first_like(&self, hop: u16) -> u16 {
        let legs = &self.legs[hop as usize];
        let first = self.legs.iter().position(|other| other == legs);
        first.map_or(hop, |first| first as u16)
    }

    /// The samplers of a leg over these delays, in order.
    pub fn samplers(&self, hops: &[u16], leg: Leg) -> impl Iterator<Item = &Sampler> {
        hops.iter().map(move |&hop| &self.samplers[self.legs[hop as usize][leg.index()] as usize])
    }

    /// The spots of a set of ends.
    pub fn spots(&self, ends: &EndSet) -> Spots {
        let mut spots = Spots(vec![0; self.spots.len().div_ceil(64)]);
        for node in &ends.nodes {
            assert!(node.0 < self.nodes, "a fault or link names nodes of the network");
            spots.add(node.0);
        }
        for group in &ends.groups {
            let group = self.groups[group.index()];
            (group.first..group.first + group.spread).for_each(|spot| spots.add(spot));
        }
        if !ends.regions.is_empty() {
            for spot in 0..self.spots.len() as u32 {
                if self.region(spot).is_some_and(|region| ends.regions.contains(&region)) {
                    spots.add(spot);
                }
            }
        }
        spots
    }

    pub fn spot_count(&self) -> usize {
        self.spots.len()
    }
}

/// The sum of a draw from each. The first takes `bits`, each further one bits derived from them.
#[inline]
pub(super) fn in_a_row<'a>(samplers: impl Iterator<Item = &'a Sampler>, bits: u64) -> u64 {
    let mut total = 0;
    for (number, sampler) in samplers.enumerate() {
        let bits = if number == 0 { bits } else { derive(bits, number as u64) };
        // Each is at most half of what fits, and so is what comes out.
        total = (total + sampler.sample(bits)).min(VALUE_MAX);
    }
    total
}

/// Further fair bits from the bits of one draw: the finaliser of splitmix64 (Steele, Lea and Flood 2014).
pub(super) fn derive(bits: u64, number: u64) -> u64 {
    let mut z = bits.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A set of spots, one bit each.
#[derive(Clone, Debug)]
pub(super) struct Spots(Vec<u64>);

impl Spots {
    fn add(&mut self, spot: u32) {
        self.0[spot as usize / 64] |= 1 << (spot % 64);
    }

    #[inline]
    pub fn has(&self, spot: u32) -> bool {
        self.0[spot as usize / 64] >> (spot % 64) & 1 == 1
    }
}

/// Hops and terms of the way from a zone to another.
fn way(
    config: &Config,
    topology: &Topology,
    pipe: &impl Fn(u32, u32) -> Option<u32>,
    from: u32,
    to: u32,
) -> (Hops, Terms) {
    let regions = config.regions;
    let general = Terms { loss: config.loss, duplicate: config.duplicate, pipes: SmallVec::new(), fifo: config.fifo };
    let (nowhere, client) = (2 * regions, regions..2 * regions + 1);
    let clients = u32::from(client.contains(&from)) + u32::from(client.contains(&to));
    if clients == 2 {
        // Two clients never talk to each other.
        return (Hops::new(), general);
    }
    if from == nowhere || to == nowhere {
        return (Hops::from_slice(&[CLIENT as u16]), general);
    }
    let (from, to) = (from % regions, to % regions);
    let mut hops = Hops::new();
    if clients == 1 {
        hops.push(CLIENT as u16);
    } else if from == to {
        hops.push(topology.wire(from, to).delay.unwrap_or(WITHIN_REGION) as u16);
    }
    let route = topology.route(from, to);
    let mut taken: SmallVec<[(u32, u32); 4]> = route.windows(2).map(|pair| (pair[0], pair[1])).collect();
    for &(from, to) in &taken {
        hops.push(topology.wire(from, to).delay.expect("a route leads over wires") as u16);
    }
    // What a link says of this very pair holds also where the route is another or no wire is needed.
    let direct = topology.wire(from, to);
    if taken.is_empty() {
        taken.push((from, to));
    }
    let on_the_way = |term: fn(&Wire) -> Option<f64>| {
        // Wires lose independently of each other.
        let given = taken.iter().filter_map(|&(from, to)| term(topology.wire(from, to)));
        let passed = given.fold(None, |passed: Option<f64>, chance| Some(passed.unwrap_or(1.0) * (1.0 - chance)));
        term(direct).or(if taken.len() == 1 { None } else { passed.map(|passed| 1.0 - passed) })
    };
    let terms = Terms {
        loss: on_the_way(|wire| wire.loss).unwrap_or(general.loss),
        duplicate: on_the_way(|wire| wire.duplicate).unwrap_or(general.duplicate),
        pipes: taken.iter().filter_map(|&(from, to)| pipe(from, to)).collect(),
        fifo: direct
            .fifo
            .or_else(|| taken.iter().filter_map(|&(from, to)| topology.wire(from, to).fifo).reduce(|a, b| a && b))
            .unwrap_or(general.fifo),
    };
    (hops, terms)
}
