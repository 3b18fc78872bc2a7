//! The trials of a run: from its configuration to the legs, places and coordinators of the WARS model.
//!
//! What the model leaves out stays out here: a coordinator is where the node is that a client contacts, and all its
//! legs cost time even if that node is a replica itself.

use std::collections::{BTreeMap, BTreeSet};

use super::wars::{Lead, Legs, Seat, World};
use crate::cluster::config::RunConfig;
use crate::kernel::ids::{Endpoint, GroupId, NodeId, SegmentId, SessionId};
use crate::network::{Leg, Network, Site};
use crate::node::config::WriteCoordinator;
use crate::ring::Layout;
use crate::version::Scheme;
use crate::workload::config::{Arrival, GroupConfig, OperationKind, Pick, Routing};

/// Pairs of a coordinator's place and a node that are looked at.
const PAIRS_MAX: usize = 4_000_000;

/// What the trials of a group, or of all, are about.
#[derive(Clone, PartialEq, Debug)]
pub struct Question {
    /// The group that reads; `None`: all groups have one N, R and W.
    pub client: Option<GroupId>,
    /// Replicas of a key.
    pub n: u8,
    /// Responses that a read waits for.
    pub r: u8,
    /// Acks that a write waits for.
    pub w: u8,
}

/// The trials of a question.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Where they take place.
    pub world: World,
    /// The greatest chance that a message of the four legs is lost: the model loses none.
    pub loss: f64,
}

/// One question if all groups have the same N, R and W, else one for each group that reads. A group that does not
/// write reads what the first group that does has written, with that one's W.
pub fn questions(config: &RunConfig) -> Vec<Question> {
    let profile = |group: &GroupConfig| config.node.profiles[usize::from(group.profile.0)];
    let Some(first) = config.groups.first().map(profile) else { return Vec::new() };
    let alike = |group: &GroupConfig| {
        let own = profile(group);
        (own.n, own.r, own.w) == (first.n, first.r, first.w)
    };
    if config.groups.iter().all(alike) {
        return vec![Question { client: None, n: first.n, r: first.r, w: first.w }];
    }
    let writer = config.groups.iter().find(|group| writes(group)).map_or(first, profile);
    let groups = config.groups.iter().enumerate().filter(|(_, group)| reads(group));
    groups
        .map(|(number, group)| {
            let own = profile(group);
            let w = if writes(group) { own.w } else { writer.w.min(own.n) };
            Question { client: Some(GroupId(number as u16)), n: own.n, r: own.r, w }
        })
        .collect()
}

fn kinds(group: &GroupConfig) -> Vec<OperationKind> {
    match &group.arrival {
        Arrival::Trace(rows) => rows.iter().map(|row| row.operation).collect(),
        _ => group.mix.iter().map(|(kind, _)| *kind).collect(),
    }
}

fn writes(group: &GroupConfig) -> bool {
    kinds(group).iter().any(|kind| *kind != OperationKind::Get)
}

fn reads(group: &GroupConfig) -> bool {
    kinds(group).iter().any(|kind| !matches!(kind, OperationKind::Put | OperationKind::Delete))
}

/// The trials of a question.
///
/// # Errors
/// Why there are none.
pub fn asked(config: &RunConfig, question: &Question) -> Result<Asked, String> {
    let network = Network::new(&config.network, config.seed);
    let mut places = Places { network: &network, config, spots: Vec::new(), numbers: BTreeMap::new() };
    // A node's spot has its number.
    for node in 0..config.node_names.len() as u32 {
        places.spot(Endpoint::node(NodeId(node)), GroupId(0));
    }
    let seats = seats(&mut places, question);
    if seats.iter().all(|seat| seat.writes == 0.0) {
        return Err("nobody writes".into());
    }
    if seats.iter().all(|seat| seat.reads == 0.0 && seat.follows == 0.0) {
        return Err("nobody reads".into());
    }
    let layout = Layout::new(config.ring.clone());
    let ring = layout.initial_ring(&config.ring.initial_members);
    let mut lists: BTreeMap<Vec<u32>, f64> = BTreeMap::new();
    for segment in (0..layout.segments()).map(SegmentId) {
        let list = ring.replicas_of(segment, u32::from(question.n)).iter().map(|node| node.0).collect();
        *lists.entry(list).or_default() += layout.share_of(segment);
    }
    let lists: Vec<(f64, Vec<u32>)> = lists.into_iter().map(|(list, share)| (share, list)).collect();
    let n = usize::from(question.n);
    if lists.iter().any(|(_, list)| list.len() < n) {
        return Err(format!("lists have fewer than n = {n} nodes"));
    }
    let spots = places.spots;
    if spots.len() * config.node_names.len() > PAIRS_MAX {
        return Err(format!("{} places of coordinators and nodes are too many", spots.len()));
    }
    let (legs, between) = legs(&network, config, &spots);
    if legs.iter().all(|legs| [&legs.write, &legs.ack, &legs.read, &legs.response].iter().all(|leg| leg.is_zero())) {
        return Err("the network takes no time between coordinators and replicas – give `network` a delay".into());
    }
    let (least, loss) = losses(&network, &spots, &seats, &lists);
    if least >= 1.0 {
        return Err("all messages between coordinators and replicas are lost".into());
    }
    Ok(Asked { world: World { n, legs, between, lists, seats }, loss })
}

/// Where coordinators may be: nodes, then clients that coordinate by themselves.
struct Places<'a> {
    network: &'a Network,
    config: &'a RunConfig,
    spots: Vec<(Endpoint, GroupId)>,
    numbers: BTreeMap<(Endpoint, GroupId), u32>,
}

impl Places<'_> {
    fn spot(&mut self, end: Endpoint, group: GroupId) -> u32 {
        let next = self.spots.len() as u32;
        let number = *self.numbers.entry((end, group)).or_insert(next);
        if number == next {
            self.spots.push((end, group));
        }
        number
    }

    /// The nodes that a load balancer has for a session, all of them up.
    fn balanced(&self, among: Option<&[NodeId]>, session: SessionId, group: GroupId) -> Vec<u32> {
        if let Some(nodes) = among {
            return nodes.iter().map(|node| node.0).collect();
        }
        let region = self.network.region_of(Endpoint::client(session), group);
        let is_near =
            |node: &&NodeId| region.is_none() || self.network.region_of(Endpoint::node(**node), group) == region;
        self.config.ring.initial_members.iter().filter(is_near).map(|node| node.0).collect()
    }
}

/// The clients that a question is about: each group, in each region where it has sessions.
fn seats(places: &mut Places<'_>, question: &Question) -> Vec<Seat> {
    let config = places.config;
    let is_open = config.groups.iter().all(|group| matches!(group.arrival, Arrival::Open { .. }));
    let mut seats = Vec::new();
    for (number, group) in config.groups.iter().enumerate() {
        let id = GroupId(number as u16);
        let total: f64 = group.mix.iter().map(|(_, weight)| weight).sum();
        let share = |kinds: &[OperationKind]| {
            let of_kinds = group.mix.iter().filter(|(kind, _)| kinds.contains(kind));
            of_kinds.map(|(_, weight)| weight).sum::<f64>() / total.max(f64::MIN_POSITIVE)
        };
        // How busy a group is: its rate, or its sessions where some group has none.
        let busy = match &group.arrival {
            Arrival::Open { rate, .. } if is_open => *rate,
            _ => f64::from(group.sessions),
        };
        use OperationKind::{Delete, Get, Put, Remove, Update, WriteThenRead};
        let (mut writes, mut reads, mut follows) = match &group.arrival {
            Arrival::Trace(rows) => {
                let is_read = |kind| matches!(kind, Get | Update | Remove);
                let is_write = |kind| kind != Get;
                let count = |test: &dyn Fn(OperationKind) -> bool| {
                    rows.iter().filter(|row| test(row.operation)).count() as f64 / rows.len().max(1) as f64
                };
                (count(&is_write), count(&is_read), 0.0)
            }
            _ => (
                share(&[Put, Update, Remove, Delete, WriteThenRead]),
                share(&[Get, Update, Remove]),
                share(&[WriteThenRead]),
            ),
        };
        follows = if writes > 0.0 { follows / writes } else { 0.0 };
        let is_other = question.client.is_some_and(|client| client != id);
        if is_other {
            // Another group's own reads are not what is asked about.
            (reads, follows) = (0.0, 0.0);
        }
        writes *= busy;
        reads *= busy;
        for (session, part) in sessions_by_place(config, number, group) {
            let (writes_from, reads_from, is_sticky) = leads(places, group, id, session);
            seats.push(Seat {
                writes_from,
                reads_from,
                writes: writes * part,
                reads: reads * part,
                follows,
                is_sticky,
            });
        }
    }
    // Who writes itself is asked about its own writes: others have another W.
    let own = question.client.map(|client| usize::from(client.0));
    if own.is_some_and(|own| writes(&config.groups[own])) {
        let is_own = |seat: &Seat| seat.reads > 0.0 || seat.follows > 0.0;
        if seats.iter().any(|seat| is_own(seat) && seat.writes > 0.0) {
            seats.retain(is_own);
        }
    }
    let reads: f64 = seats.iter().map(|seat| seat.reads).sum();
    if reads == 0.0 {
        // Only those who follow their own writes read.
        for seat in &mut seats {
            seat.writes *= seat.follows;
            seat.follows = if seat.writes > 0.0 { 1.0 } else { 0.0 };
        }
    }
    seats
}

/// A session of the group for each region in which it has any, and its share of them.
fn sessions_by_place(config: &RunConfig, number: usize, group: &GroupConfig) -> Vec<(SessionId, f64)> {
    let regions = if config.network.groups[number] == Site::Spread { config.network.regions } else { 1 };
    let mut places: BTreeMap<u32, (SessionId, u32)> = BTreeMap::new();
    for session in group.first_session.0..group.first_session.0 + group.sessions {
        places.entry(session % regions).or_insert((SessionId(session), 0)).1 += 1;
    }
    places.into_values().map(|(session, count)| (session, f64::from(count) / f64::from(group.sessions))).collect()
}

/// Where a group's writes and reads are led from, and whether a session keeps to one place.
fn leads(places: &mut Places<'_>, group: &GroupConfig, id: GroupId, session: SessionId) -> (Lead, Lead, bool) {
    let config = places.config;
    match &group.routing {
        Routing::LoadBalancer { among, pick } => {
            let lead = Lead::Spots(places.balanced(among.as_deref(), session, id));
            (lead.clone(), lead, *pick == Pick::Sticky)
        }
        Routing::RingAware { .. } => (beside(config), Lead::BesideReplica, false),
        Routing::ClientDriven { .. } => {
            let own = Lead::Spots(vec![places.spot(Endpoint::client(session), id)]);
            let leads_writes = config.node.versioning.scheme == Scheme::LastWriteWins;
            (if leads_writes { own.clone() } else { beside(config) }, own, false)
        }
    }
}

fn beside(config: &RunConfig) -> Lead {
    match config.node.coordination.write_coordinator {
        WriteCoordinator::First => Lead::BesideFirst,
        WriteCoordinator::AnyOfList | WriteCoordinator::FastestReader | WriteCoordinator::Contacted => {
            Lead::BesideReplica
        }
    }
}

/// The least and the greatest chance that a message between a coordinator and a replica is lost.
fn losses(network: &Network, spots: &[(Endpoint, GroupId)], seats: &[Seat], lists: &[(f64, Vec<u32>)]) -> (f64, f64) {
    let replicas: BTreeSet<u32> = lists.iter().flat_map(|(_, list)| list.iter().copied()).collect();
    let leads = seats.iter().flat_map(|seat| [&seat.writes_from, &seat.reads_from]);
    let coordinators: BTreeSet<u32> = leads
        .flat_map(|lead| match lead {
            Lead::Spots(spots) => spots.clone(),
            Lead::BesideReplica | Lead::BesideFirst => replicas.iter().copied().collect(),
        })
        .collect();
    let mut extremes = (1.0f64, 0.0f64);
    for &spot in &coordinators {
        let (spot, group) = spots[spot as usize];
        for node in replicas.iter().map(|&node| Endpoint::node(NodeId(node))) {
            for loss in [network.loss(spot, node, group), network.loss(node, spot, group)] {
                extremes = (extremes.0.min(loss), extremes.1.max(loss));
            }
        }
    }
    extremes
}

/// The distinct legs, and their numbers by spot and node.
fn legs(network: &Network, config: &RunConfig, spots: &[(Endpoint, GroupId)]) -> (Vec<Legs>, Vec<Vec<u32>>) {
    let (mut all, mut known) = (Vec::new(), BTreeMap::new());
    let mut number = |spot: Endpoint, node: Endpoint, group: GroupId| {
        let (there, back) = (network.way(spot, node, group), network.way(node, spot, group));
        let next = all.len() as u32;
        let number = *known.entry((there.clone(), back.clone())).or_insert(next);
        if number == next {
            all.push(Legs {
                write: network.line(&there, Leg::WriteRequest),
                ack: network.line(&back, Leg::WriteAck),
                read: network.line(&there, Leg::ReadRequest),
                response: network.line(&back, Leg::ReadResponse),
            });
        }
        number
    };
    let nodes = || (0..config.node_names.len() as u32).map(|node| Endpoint::node(NodeId(node)));
    let between = spots.iter().map(|&(spot, group)| nodes().map(|node| number(spot, node, group)).collect()).collect();
    (all, between)
}
