//! Selectors: which nodes and clients a text means in this run.
//!
//! `2 of rack:r1` draws from a stream whose entity is the number of the drawing selector: links, clients,
//! script and chaos in this order, each in the order of the file. So no other use of chance moves it.

use std::collections::BTreeSet;

use super::Builder;
use crate::cluster::config::Place;
use crate::kernel::ids::{GroupId, NodeId};
use crate::kernel::rng::{Purpose, Stream};
use crate::network::EndSet;
use crate::scenario::names::{Select, Selector};
use crate::scenario::spec::Location;

/// A node or a group of clients.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum End {
    Node(NodeId),
    Group(GroupId),
}

impl Builder<'_> {
    /// The nodes of a selector, each once, in the order in which they are named.
    pub(super) fn nodes(&mut self, path: &str, selector: &Selector) -> Vec<NodeId> {
        self.nodes_and_clients(path, selector).0
    }

    /// The same, and the groups of clients that are named.
    pub(super) fn nodes_and_clients(&mut self, path: &str, selector: &Selector) -> (Vec<NodeId>, Vec<GroupId>) {
        let (mut nodes, mut groups) = (Vec::new(), Vec::new());
        for part in &selector.0 {
            for end in self.select(path, part, &BTreeSet::new()) {
                match end {
                    End::Node(node) if !nodes.contains(&node) => nodes.push(node),
                    End::Group(group) if !groups.contains(&group) => groups.push(group),
                    End::Node(_) | End::Group(_) => {}
                }
            }
        }
        if nodes.is_empty() {
            self.fail(path, "no node is selected");
        }
        (nodes, groups)
    }

    /// The ends of a selector: nodes and clients.
    pub(super) fn ends(&mut self, path: &str, selector: &Selector) -> EndSet {
        self.ends_without(path, selector, &BTreeSet::new())
    }

    /// The same; what it draws is none of `taken`.
    pub(super) fn ends_without(&mut self, path: &str, selector: &Selector, taken: &BTreeSet<End>) -> EndSet {
        let mut ends = EndSet::default();
        let mut known = BTreeSet::new();
        for part in &selector.0 {
            if let Select::Region(name) = part {
                // Whole regions have with them the sessions that are dealt there.
                match self.region(name) {
                    Some(region) => ends.regions.push(region),
                    None => self.fail(path, format!("unknown region {:?}", name.0)),
                }
                continue;
            }
            for end in self.select(path, part, taken) {
                if known.insert(end) {
                    match end {
                        End::Node(node) => ends.nodes.push(node),
                        End::Group(group) => ends.groups.push(group),
                    }
                }
            }
            if let Select::Rack(name) = part {
                for group in self.groups_in_rack(name) {
                    if known.insert(End::Group(group)) {
                        ends.groups.push(group);
                    }
                }
            }
        }
        if ends.is_empty() {
            self.fail(path, "nothing is selected");
        }
        ends
    }

    /// What a selector surely selects, whatever is drawn.
    pub(super) fn certain(&mut self, path: &str, selector: &Selector) -> BTreeSet<End> {
        let mut certain = BTreeSet::new();
        for part in selector.0.iter().filter(|part| !matches!(part, Select::Some(..))) {
            certain.extend(self.select(path, part, &BTreeSet::new()));
        }
        certain
    }

    fn select(&mut self, path: &str, part: &Select, taken: &BTreeSet<End>) -> Vec<End> {
        let nodes = |nodes: Vec<NodeId>| nodes.into_iter().map(End::Node).collect();
        match part {
            Select::Node(name) => vec![End::Node(self.node_id(path, name))],
            Select::All => nodes((0..self.world.nodes.len() as u32).map(NodeId).collect()),
            Select::Rack(name) => nodes(self.nodes_where(|node| node.rack == name.0)),
            Select::Region(name) => nodes(self.nodes_where(|node| node.region == name.0)),
            Select::Replicas(key) => nodes(self.replicas(path, key)),
            Select::Client(name) => match self.group_id(name) {
                Some(group) => vec![End::Group(group)],
                None => {
                    self.fail(path, format!("unknown client {:?}", name.0));
                    Vec::new()
                }
            },
            Select::Clients => {
                let groups = self.world.groups.len() + self.world.scripted.len();
                (0..groups as u16).map(|group| End::Group(GroupId(group))).collect()
            }
            Select::Some(count, of) => {
                let number = self.draws;
                self.draws += 1;
                let mut among = self.select(path, of, taken);
                among.retain(|end| !taken.contains(end));
                among.sort_unstable();
                if among.len() < *count as usize {
                    self.fail(path, format!("{count} of {} are needed (there are {})", of, among.len()));
                }
                Stream::new(self.seed, Purpose::Selector, number).shuffle(&mut among);
                among.truncate(*count as usize);
                among.sort_unstable();
                among
            }
        }
    }

    fn nodes_where(&self, test: impl Fn(&crate::scenario::world::NodeInfo) -> bool) -> Vec<NodeId> {
        let nodes = self.world.nodes.iter().enumerate().filter(|(_, node)| test(node));
        nodes.map(|(at, _)| NodeId(at as u32)).collect()
    }

    /// The number of a group or a scripted client.
    pub(super) fn group_id(&self, name: &str) -> Option<GroupId> {
        let mut names = self.world.groups.iter().chain(&self.world.scripted);
        names.position(|known| known == name).map(|at| GroupId(at as u16))
    }

    /// Groups of clients located in a rack.
    pub(super) fn groups_in_rack(&self, rack: &str) -> Vec<GroupId> {
        let groups = self.spec.clients.iter().enumerate();
        let there = groups.filter(|(_, group)| matches!(&group.location, Location::Rack(name) if name.0 == rack));
        there.map(|(at, _)| GroupId(at as u16)).collect()
    }

    /// The first N of a key's list at the start.
    fn replicas(&mut self, path: &str, key: &str) -> Vec<NodeId> {
        let place = self.keys.place(key);
        let n = self.spec.cluster.replication.n;
        let (layout, ring) = self.layout.get();
        let position = match place {
            Place::Hash => layout.position(key.as_bytes()),
            Place::At(position) => position,
            Place::First(node) => match layout.position_owned_by(ring, node) {
                Some(position) => position,
                None => {
                    self.fail(path, format!("the place of the key {key:?} is nowhere"));
                    return Vec::new();
                }
            },
        };
        ring.replicas_of(layout.segment_of(position), n).to_vec()
    }
}
