//! Who agrees with whom on the membership, kept up to date as views change.

use std::collections::BTreeMap;

use crate::kernel::ids::NodeId;
use crate::kernel::time::{SimTime, Span};
use crate::node::Node;

/// How many running members hold each view.
pub(super) struct Views {
    view_of: Vec<u128>,
    /// Whether the node counts: it is or was a member, and runs.
    counts: Vec<bool>,
    holders: BTreeMap<u128, u64>,
    members: u64,
    /// Sum of the squares of the holders: pairs that agree, both ways and with themselves.
    squares: u64,
    last_change: Option<SimTime>,
    agreed_at: Option<SimTime>,
    /// Least agreement since the run began.
    pub agreement_min: f64,
}

impl Views {
    pub fn new(nodes: &[Node], members: &[NodeId]) -> Views {
        let mut views = Views {
            view_of: nodes.iter().map(|node| node.view().hash()).collect(),
            counts: vec![false; nodes.len()],
            holders: BTreeMap::new(),
            members: 0,
            squares: 0,
            last_change: None,
            agreed_at: None,
            agreement_min: 1.0,
        };
        for &node in members {
            views.add(node);
        }
        views
    }

    fn add(&mut self, node: NodeId) {
        let holders = self.holders.entry(self.view_of[node.index()]).or_insert(0);
        self.squares += 2 * *holders + 1;
        *holders += 1;
        self.members += 1;
        self.counts[node.index()] = true;
    }

    fn remove(&mut self, node: NodeId) {
        let view = self.view_of[node.index()];
        let holders = self.holders.get_mut(&view).expect("its view is counted");
        self.squares -= 2 * *holders - 1;
        *holders -= 1;
        if *holders == 0 {
            self.holders.remove(&view);
        }
        self.members -= 1;
        self.counts[node.index()] = false;
    }

    /// A change has been announced: agreement is counted anew from here.
    pub fn announced(&mut self, now: SimTime) {
        self.last_change = Some(now);
        self.agreed_at = None;
    }

    /// A node's view has changed. A spare counts from its first view on.
    pub fn changed(&mut self, now: SimTime, node: NodeId, view: u128) {
        if self.counts[node.index()] {
            self.remove(node);
        }
        self.view_of[node.index()] = view;
        self.add(node);
        self.look(now);
    }

    /// A node has stopped or started.
    pub fn runs(&mut self, now: SimTime, node: NodeId, runs: bool, member: bool) {
        if runs && member && !self.counts[node.index()] {
            self.add(node);
        } else if !runs && self.counts[node.index()] {
            self.remove(node);
        }
        self.look(now);
    }

    fn look(&mut self, now: SimTime) {
        let agreement = self.agreement();
        self.agreement_min = self.agreement_min.min(agreement);
        if self.holders.len() == 1 && self.last_change.is_some() {
            self.agreed_at.get_or_insert(now);
        } else {
            self.agreed_at = None;
        }
    }

    /// Share of pairs of running members that hold the same view; 1 if there are no pairs.
    pub fn agreement(&self) -> f64 {
        if self.members < 2 {
            return 1.0;
        }
        (self.squares - self.members) as f64 / (self.members * (self.members - 1)) as f64
    }

    /// Groups of running members that agree among themselves.
    pub fn groups(&self) -> u64 {
        self.holders.len() as u64
    }

    /// Rounds of gossip and time from the last change to agreement.
    pub fn convergence(&self, period: Option<Span>) -> Option<(u64, Span)> {
        let (from, to) = (self.last_change?, self.agreed_at?);
        let took = to.since(from);
        let rounds = period.map_or(0, |period| to.0 / period.0 - from.0 / period.0);
        Some((rounds, took))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views(members: u32) -> Views {
        let mut views = Views {
            view_of: vec![7; 5],
            counts: vec![false; 5],
            holders: BTreeMap::new(),
            members: 0,
            squares: 0,
            last_change: None,
            agreed_at: None,
            agreement_min: 1.0,
        };
        (0..members).for_each(|node| views.add(NodeId(node)));
        views
    }

    #[test]
    fn agreement_is_the_share_of_pairs_with_equal_views() {
        let mut views = views(4);
        assert_eq!(views.agreement(), 1.0);
        views.announced(SimTime(500));
        views.changed(SimTime(500), NodeId(0), 8);
        assert_eq!(views.agreement(), 3.0 / 6.0);
        views.changed(SimTime(900), NodeId(1), 8);
        assert_eq!(views.agreement(), 2.0 / 6.0);
        views.changed(SimTime(1_100), NodeId(2), 8);
        views.changed(SimTime(2_100), NodeId(3), 8);
        assert_eq!((views.agreement(), views.groups()), (1.0, 1));
        assert_eq!(views.convergence(Some(Span(1_000))), Some((2, Span(1_600))), "rounds at 1000 and 2000");
        assert_eq!(views.agreement_min, 2.0 / 6.0);
    }

    #[test]
    fn a_stopped_node_is_not_asked() {
        let mut views = views(3);
        views.changed(SimTime(1), NodeId(2), 9);
        assert!(views.agreement() < 1.0);
        views.runs(SimTime(2), NodeId(2), false, true);
        assert_eq!(views.agreement(), 1.0);
        views.runs(SimTime(3), NodeId(2), true, true);
        assert!(views.agreement() < 1.0);
    }
}
