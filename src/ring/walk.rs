//! The clockwise walk that makes a preference list (Dynamo §4.3, §4.6).
//!
//! A list is the distinct physical nodes in the order the walk meets them, except that its first N
//! are kept apart: each pick takes the first node in walk order from the least used place, so every
//! region, then every rack, is used once before any is used again, also when there are fewer than N.
//! It knows nothing of positions: the circle is a sequence of owners.

use crate::kernel::ids::NodeId;
use crate::kernel::mutant::{self, Mutant};

use super::layout::{NodeSpec, Spread};

/// How much a place is used already: less is better. Whether the region is used, how often the rack
/// is, how often the region is.
type Use = (bool, u32, u32);

/// Writes preference lists of one circle.
pub(super) struct Walk<'a> {
    circle: Vec<NodeId>,
    /// A node that walks pass over, as if it were not there.
    passed: Option<NodeId>,
    /// How many points a walk looks at before it makes do with what it has met.
    sight: usize,
    /// Distinct nodes on the circle.
    distinct: usize,
    /// How many nodes of a list are kept apart.
    apart: usize,
    places: Option<Places<'a>>,
    /// The walk under way: nodes met so far, the walk in which each node was last met, the next point.
    met: Vec<NodeId>,
    met_in: Vec<u32>,
    number: u32,
    start: usize,
    seen: usize,
    picked: Vec<NodeId>,
}

impl<'a> Walk<'a> {
    /// # Panics
    /// If the circle is empty.
    pub(super) fn new(circle: Vec<NodeId>, nodes: &'a [NodeSpec], spread: Spread, apart: u32) -> Walk<'a> {
        let sight = circle.len();
        Walk::passing(None, sight, circle, nodes, spread, apart)
    }

    /// Walks that pass over a node and look no further than `sight` points. Their lists can be
    /// shorter or less spread than those of walks that go all the way.
    ///
    /// # Panics
    /// If the circle is empty.
    pub(super) fn passing(
        passed: Option<NodeId>,
        sight: usize,
        circle: Vec<NodeId>,
        nodes: &'a [NodeSpec],
        spread: Spread,
        apart: u32,
    ) -> Walk<'a> {
        assert!(!circle.is_empty(), "a circle has an owner");
        let mut present = vec![false; nodes.len()];
        for node in circle.iter().filter(|&&node| Some(node) != passed) {
            present[node.index()] = true;
        }
        let present: Vec<&NodeSpec> = nodes.iter().zip(present).filter(|(_, on)| *on).map(|(node, _)| node).collect();
        let places = Places::new(nodes, &present, spread);
        Walk {
            sight: sight.min(circle.len()),
            circle,
            passed,
            distinct: present.len(),
            apart: apart as usize,
            places: Some(places).filter(|places| spread != Spread::Nodes && places.racks > 1),
            met: Vec::new(),
            met_in: vec![0; nodes.len()],
            number: 0,
            start: 0,
            seen: 0,
            picked: Vec::new(),
        }
    }

    /// Distinct nodes on the circle: no list can be longer.
    pub(super) fn distinct(&self) -> usize {
        self.distinct
    }

    /// The circle: who owns which point.
    pub(super) fn circle(&self) -> &[NodeId] {
        &self.circle
    }

    /// Gives a point another owner and returns the one before. The new one should be on the circle
    /// already: a rack or region that is new to the circle is not sought.
    pub(super) fn set_owner(&mut self, point: usize, owner: NodeId) -> NodeId {
        std::mem::replace(&mut self.circle[point], owner)
    }

    /// How many points the last walk looked at.
    pub(super) fn seen(&self) -> usize {
        self.seen
    }

    /// Appends the list of up to `width` nodes that begins at a point of the circle.
    pub(super) fn list_from(&mut self, start: usize, width: usize, rows: &mut Vec<NodeId>) {
        self.met.clear();
        self.number += 1;
        (self.start, self.seen) = (start, 0);
        self.picked.clear();
        if let Some(mut places) = self.places.take() {
            for _ in 0..self.apart.min(width) {
                let Some(pick) = self.pick(&places) else { break };
                places.take(pick);
                self.picked.push(pick);
            }
            for &node in &self.picked {
                places.give_back(node);
            }
            self.places = Some(places);
        }
        rows.extend_from_slice(&self.picked);
        let mut missing = width - self.picked.len();
        let mut k = 0;
        while missing > 0
            && let Some(node) = self.met(k)
        {
            k += 1;
            if !self.picked.contains(&node) {
                rows.push(node);
                missing -= 1;
            }
        }
    }

    /// The first node in walk order from the least used place.
    fn pick(&mut self, places: &Places<'_>) -> Option<NodeId> {
        let least = places.least_use();
        let mut best: Option<(Use, NodeId)> = None;
        let mut k = 0;
        // As soon as a node from the least used place is met, nothing better can follow.
        while best.is_none_or(|(used, _)| Some(used) > least)
            && let Some(node) = self.met(k)
        {
            k += 1;
            let used = places.use_of(node);
            if !self.picked.contains(&node) && best.is_none_or(|(least_yet, _)| used < least_yet) {
                best = Some((used, node));
            }
        }
        best.map(|(_, node)| node)
    }

    /// The k-th distinct node of this walk, if it gets so far.
    fn met(&mut self, k: usize) -> Option<NodeId> {
        while self.met.len() <= k {
            let met_all = self.met.len() == self.distinct && !mutant::is(Mutant::M13);
            if self.seen == self.sight || met_all {
                return None;
            }
            let point = self.start + self.seen;
            let node = self.circle[if point < self.circle.len() { point } else { point - self.circle.len() }];
            self.seen += 1;
            let is_new = self.met_in[node.index()] != self.number || mutant::is(Mutant::M13);
            if is_new && Some(node) != self.passed {
                self.met_in[node.index()] = self.number;
                self.met.push(node);
            }
        }
        Some(self.met[k])
    }
}

/// Which racks and regions there are, and how often the list under way uses each.
struct Places<'a> {
    nodes: &'a [NodeSpec],
    by_region: bool,
    /// Racks and regions that have a node on the circle.
    racks: usize,
    regions: usize,
    /// By rack: nodes on the circle, nodes picked, region.
    rack_size: Vec<u32>,
    rack_used: Vec<u32>,
    rack_region: Vec<u32>,
    /// By region: racks on the circle, racks used, nodes picked.
    region_racks: Vec<u32>,
    region_racks_used: Vec<u32>,
    region_used: Vec<u32>,
    racks_in_use: usize,
    regions_in_use: usize,
}

impl<'a> Places<'a> {
    fn new(nodes: &'a [NodeSpec], present: &[&NodeSpec], spread: Spread) -> Places<'a> {
        let racks = nodes.iter().map(|node| node.rack + 1).max().unwrap_or(0) as usize;
        let regions = nodes.iter().map(|node| node.region + 1).max().unwrap_or(0) as usize;
        let (mut rack_size, mut rack_region, mut region_racks) = (vec![0; racks], vec![0; racks], vec![0; regions]);
        for node in present {
            let rack = node.rack as usize;
            if rack_size[rack] == 0 {
                region_racks[node.region as usize] += 1;
            }
            rack_size[rack] += 1;
            rack_region[rack] = node.region;
        }
        Places {
            nodes,
            by_region: spread == Spread::Regions,
            racks: rack_size.iter().filter(|&&size| size > 0).count(),
            regions: region_racks.iter().filter(|&&count| count > 0).count(),
            rack_size,
            rack_used: vec![0; racks],
            rack_region,
            region_racks,
            region_racks_used: vec![0; regions],
            region_used: vec![0; regions],
            racks_in_use: 0,
            regions_in_use: 0,
        }
    }

    fn use_of(&self, node: NodeId) -> Use {
        let spec = self.nodes[node.index()];
        let region = if self.by_region { self.region_used[spec.region as usize] } else { 0 };
        (region > 0, self.rack_used[spec.rack as usize], region)
    }

    /// The use of the least used place that still has a node to give; None if none has.
    fn least_use(&self) -> Option<Use> {
        if self.by_region && self.regions_in_use < self.regions {
            return Some((false, 0, 0));
        }
        if self.racks_in_use < self.racks {
            let regions = 0..self.region_racks.len();
            let region = regions
                .filter(|&r| self.region_racks_used[r] < self.region_racks[r])
                .map(|r| self.region_used[r])
                .min();
            return if self.by_region { region.map(|used| (true, 0, used)) } else { Some((false, 0, 0)) };
        }
        let racks = 0..self.rack_size.len();
        racks
            .filter(|&rack| self.rack_used[rack] < self.rack_size[rack])
            .map(|rack| {
                let region = if self.by_region { self.region_used[self.rack_region[rack] as usize] } else { 0 };
                (region > 0, self.rack_used[rack], region)
            })
            .min()
    }

    fn take(&mut self, node: NodeId) {
        let NodeSpec { rack, region, .. } = self.nodes[node.index()];
        let (rack, region) = (rack as usize, region as usize);
        if self.rack_used[rack] == 0 {
            self.racks_in_use += 1;
            self.region_racks_used[region] += 1;
        }
        if self.region_used[region] == 0 {
            self.regions_in_use += 1;
        }
        self.rack_used[rack] += 1;
        self.region_used[region] += 1;
    }

    /// Forgets a pick. All picks of a list are given back together.
    fn give_back(&mut self, node: NodeId) {
        let NodeSpec { rack, region, .. } = self.nodes[node.index()];
        self.rack_used[rack as usize] = 0;
        self.region_used[region as usize] = 0;
        self.region_racks_used[region as usize] = 0;
        self.racks_in_use = 0;
        self.regions_in_use = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes given as (rack, region), in the order in which the walk meets them.
    fn list(places: &[(u32, u32)], spread: Spread, n: u32) -> Vec<u32> {
        let nodes: Vec<NodeSpec> =
            places.iter().map(|&(rack, region)| NodeSpec { capacity: 1.0, rack, region }).collect();
        let circle: Vec<NodeId> = (0..nodes.len() as u32).map(NodeId).collect();
        let mut rows = Vec::new();
        Walk::new(circle, &nodes, spread, n).list_from(0, nodes.len(), &mut rows);
        rows.iter().map(|node| node.0).collect()
    }

    #[test]
    fn first_n_are_on_distinct_racks_and_the_rest_follows_in_walk_order() {
        let places = [(0, 0), (0, 0), (1, 0), (1, 0), (2, 0), (0, 0)];
        assert_eq!(list(&places, Spread::Racks, 3), [0, 2, 4, 1, 3, 5]);
        assert_eq!(list(&places, Spread::Nodes, 3), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn with_too_few_racks_each_is_used_once_before_any_is_used_again() {
        let places = [(0, 0), (0, 0), (0, 0), (1, 0), (1, 0)];
        assert_eq!(list(&places, Spread::Racks, 3), [0, 3, 1, 2, 4]);
        assert_eq!(list(&places, Spread::Racks, 4), [0, 3, 1, 4, 2]);
    }

    #[test]
    fn a_rack_that_runs_out_of_nodes_leaves_the_rest_to_the_others() {
        assert_eq!(list(&[(0, 0), (0, 0), (1, 0), (0, 0)], Spread::Racks, 4), [0, 2, 1, 3]);
    }

    #[test]
    fn regions_come_first_then_racks() {
        let places = [(0, 0), (1, 0), (2, 0), (3, 1), (3, 1), (4, 1)];
        assert_eq!(list(&places, Spread::Regions, 3), [0, 3, 1, 2, 4, 5]);
        // The fourth goes to the region that has fewer, as long as it has an unused rack.
        assert_eq!(list(&places, Spread::Regions, 4), [0, 3, 1, 5, 2, 4]);
        // One region has a single rack: distinct racks go before even regions.
        assert_eq!(list(&[(0, 0), (1, 0), (2, 0), (3, 1), (3, 1)], Spread::Regions, 4), [0, 3, 1, 2, 4]);
    }
}
