//! Whom a client's request goes to: a load balancer's choice, a replica that a ring-aware client knows, or
//! the coordinator that a client-driven group carries within itself (Dynamo §5, §6.4).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kernel::ids::{Endpoint, GroupId, KeyId, NodeId, OpId, SessionId};
use crate::kernel::rng::{Purpose, tag};
use crate::kernel::time::SimTime;
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::config::{ProfileId, WriteCoordinator};
use crate::node::membership::{Placement, View};
use crate::version::Scheme;
use crate::workload::config::{Pick, Routing};
use crate::workload::session::scale;

use super::config::RunConfig;
use super::reach::Process;
use super::simulation::Simulation;

/// What a group of clients knows of the ring.
struct Known {
    placement: Arc<Placement>,
    view: View,
    polled_at: SimTime,
}

/// The clients' knowledge.
pub(super) struct Router {
    known: Vec<Option<Known>>,
    /// Hidden coordinators by group, and the first session of each.
    coordinators: Vec<Option<(NodeId, SessionId)>>,
    turns: Vec<u64>,
    /// Nodes that a load balancer has for (group, region), as of now.
    available: BTreeMap<(GroupId, u32), Vec<NodeId>>,
    /// Requests sent to a node that does not own the key, and refreshes of a ring that was found stale.
    pub misrouted: u64,
    pub redirects: u64,
}

impl Router {
    pub fn new(config: &RunConfig, commons: &Commons, nodes: &mut Vec<Node>, view: &View) -> Router {
        let coordinators = config
            .groups
            .iter()
            .map(|group| {
                matches!(group.routing, Routing::ClientDriven { .. }).then(|| {
                    let id = NodeId(nodes.len() as u32);
                    nodes.push(Node::new(commons, id, view.clone()));
                    (id, group.first_session)
                })
            })
            .collect();
        Router {
            known: config.groups.iter().map(|_| None).collect(),
            coordinators,
            turns: vec![0; config.groups.len() + config.scripted.len()],
            available: BTreeMap::new(),
            misrouted: 0,
            redirects: 0,
        }
    }

    /// Who reaches whom has changed.
    pub fn connections_changed(&mut self) {
        self.available.clear();
    }

    /// The hidden coordinator of a group.
    pub fn coordinator_of(&self, group: GroupId) -> Option<NodeId> {
        self.coordinators.get(group.index()).copied().flatten().map(|(node, _)| node)
    }

    /// The session on whose behalf a hidden coordinator does what belongs to no operation.
    pub fn first_session(&self, node: NodeId) -> SessionId {
        let found = self.coordinators.iter().flatten().find(|(coordinator, _)| *coordinator == node);
        found.expect("only hidden coordinators ask").1
    }
}

impl Simulation<'_> {
    /// The node to contact, or nobody.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn route(
        &mut self,
        op: OpId,
        attempt: u16,
        group: GroupId,
        session: SessionId,
        key: KeyId,
        profile: ProfileId,
        reads: bool,
        via: Option<NodeId>,
        fastest: Option<NodeId>,
    ) -> Option<NodeId> {
        if let Some(via) = via {
            // A process that is down refuses the connection.
            return (self.processes[via.index()] != Process::Down).then_some(via);
        }
        let bits = self.commons.draws.bits(Purpose::Routing, self.commons.luck(op), tag(0, 0, attempt));
        match self.config.groups.get(group.index()).map(|group| &group.routing) {
            None => self.balance(group, session, None, Pick::Random, bits),
            Some(Routing::LoadBalancer { among, pick }) => self.balance(group, session, among.as_deref(), *pick, bits),
            Some(Routing::RingAware { poll }) => {
                self.poll(group, session, poll.0, bits);
                self.replica(group, session, key, profile, reads, fastest, bits)
            }
            Some(Routing::ClientDriven { poll }) => {
                self.poll(group, session, poll.0, bits);
                // Dynamo §6.4: without vector clocks the client may lead writes too; with them a replica must.
                if reads || self.config.node.versioning.scheme == Scheme::LastWriteWins {
                    self.clients.router.coordinator_of(group)
                } else {
                    self.replica(group, session, key, profile, reads, fastest, bits)
                }
            }
        }
    }

    /// A load balancer's choice among the nodes that are up and in reach.
    fn balance(
        &mut self,
        group: GroupId,
        session: SessionId,
        among: Option<&[NodeId]>,
        pick: Pick,
        bits: u64,
    ) -> Option<NodeId> {
        let end = Endpoint::client(session);
        let region = self.network.region_of(end, group);
        let place = (group, region.unwrap_or(u32::MAX));
        if !self.clients.router.available.contains_key(&place) {
            let mut nodes: Vec<NodeId> = match among {
                Some(nodes) => nodes.to_vec(),
                None => (0..self.members as u32)
                    .map(NodeId)
                    .filter(|node| self.serving[node.index()])
                    .filter(|&node| region.is_none() || self.network.region_of(Endpoint::node(node), group) == region)
                    .collect(),
            };
            nodes.retain(|&node| self.in_reach(end, node, group));
            self.clients.router.available.insert(place, nodes);
        }
        let nodes = &self.clients.router.available[&place];
        if nodes.is_empty() {
            return None;
        }
        let index = match pick {
            Pick::Random => scale(bits, nodes.len() as u64) as usize,
            Pick::InTurn => {
                let turn = &mut self.clients.router.turns[group.index()];
                *turn += 1;
                ((*turn - 1) % nodes.len() as u64) as usize
            }
            Pick::Sticky => {
                let first = self.config.groups.get(group.index()).map_or(session, |config| config.first_session);
                let number = (session.0 - first.0) as usize;
                // It keeps to its own node as long as that is in reach.
                if let Some(among) = among {
                    let own = among[number % among.len()];
                    if nodes.contains(&own) {
                        return Some(own);
                    }
                }
                number % nodes.len()
            }
        };
        Some(nodes[index])
    }

    fn in_reach(&self, end: Endpoint, node: NodeId, group: GroupId) -> bool {
        self.processes[node.index()] != Process::Down && self.network.reachable(end, Endpoint::node(node), group)
    }

    /// A ring-aware client looks whether it is time to ask a node for the ring again (Dynamo §6.4: every 10 s).
    fn poll(&mut self, group: GroupId, session: SessionId, period: u64, bits: u64) {
        let due = match &self.clients.router.known[group.index()] {
            Some(known) => self.now.since(known.polled_at).0 >= period,
            None => true,
        };
        if due {
            self.refresh(group, session, bits);
        }
    }

    /// Asks any node for its view.
    fn refresh(&mut self, group: GroupId, session: SessionId, bits: u64) {
        let Some(node) = self.balance(group, session, None, Pick::Random, bits.rotate_left(32)) else { return };
        let view = self.nodes[node.index()].view().clone();
        let placement = self.commons.placement(&view);
        if let Some(coordinator) = self.clients.router.coordinator_of(group) {
            self.nodes[coordinator.index()].set_view(view.clone());
        }
        self.clients.router.known[group.index()] = Some(Known { placement, view, polled_at: self.now });
    }

    /// A replica of the key, as far as the client knows the ring.
    #[allow(clippy::too_many_arguments)]
    fn replica(
        &mut self,
        group: GroupId,
        session: SessionId,
        key: KeyId,
        profile: ProfileId,
        reads: bool,
        fastest: Option<NodeId>,
        bits: u64,
    ) -> Option<NodeId> {
        let n = usize::from(self.config.node.profiles[usize::from(profile.0)].n);
        let segment = self.commons.keys.segment(key);
        for second_look in [false, true] {
            let known = self.clients.router.known[group.index()].as_ref()?;
            let view = known.view.hash();
            let ring = Arc::clone(&known.placement.ring);
            let end = Endpoint::client(session);
            let able: smallvec::SmallVec<[NodeId; 8]> =
                ring.list(segment).iter().copied().filter(|&node| self.in_reach(end, node, group)).take(n).collect();
            if able.is_empty() {
                return None;
            }
            let any = able[scale(bits, able.len() as u64) as usize];
            let node = match self.config.node.coordination.write_coordinator {
                _ if reads => any,
                WriteCoordinator::First => able[0],
                WriteCoordinator::FastestReader => fastest.filter(|node| able.contains(node)).unwrap_or(any),
                WriteCoordinator::AnyOfList | WriteCoordinator::Contacted => any,
            };
            // The node sees by its own ring that the client is wrong and says so; the client asks anew at once.
            let its_view = self.nodes[node.index()].view().clone();
            let owns = view == its_view.hash() || {
                let placement = self.commons.placement(&its_view);
                placement.ring.list(segment).iter().take(n).any(|&owner| owner == node)
            };
            if owns || second_look {
                return Some(node);
            }
            self.clients.router.misrouted += 1;
            self.clients.router.redirects += 1;
            self.nodes[node.index()].stats.misrouted += 1;
            self.refresh(group, session, bits);
        }
        unreachable!("the second look always answers")
    }
}
