//! Who can be reached by whom: the perfect detector's knowledge, and a load balancer's.

use crate::kernel::ids::{Endpoint, GroupId, NodeId};
use crate::network::Network;

/// State of each node's process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Process {
    /// Works.
    Up,
    /// Has crashed.
    Down,
    /// Stands still; what comes waits.
    Paused,
}

/// What the perfect detector knows: for each node, whom it can talk with both ways.
pub(super) struct Reachability {
    nodes: usize,
    reachable: Vec<bool>,
}

impl Reachability {
    pub fn new(nodes: usize) -> Reachability {
        Reachability { nodes, reachable: vec![true; nodes * nodes] }
    }

    /// What has changed: (who learns, of whom, whether it can be reached), in order.
    pub fn update(&mut self, network: &Network, processes: &[Process]) -> Vec<(NodeId, NodeId, bool)> {
        let mut news = Vec::new();
        for a in 0..self.nodes {
            for b in 0..self.nodes {
                if a == b || processes[a] != Process::Up {
                    continue;
                }
                let (from, to) = (NodeId(a as u32), NodeId(b as u32));
                let now = processes[b] == Process::Up
                    && network.reachable(Endpoint::node(from), Endpoint::node(to), GroupId(0));
                let known = &mut self.reachable[a * self.nodes + b];
                if *known != now {
                    *known = now;
                    news.push((from, to, now));
                }
            }
        }
        news
    }

    /// A node that has crashed knows nothing when it is back: everybody is reachable until told otherwise.
    pub fn forget(&mut self, node: NodeId) {
        let row = node.index() * self.nodes;
        self.reachable[row..row + self.nodes].fill(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::dist::Dist;
    use crate::kernel::time::SimTime;
    use crate::network::{Config, CutSpec, EndSet, FaultId};

    #[test]
    fn a_cut_is_news_to_both_sides_once_and_its_end_too() {
        let mut network = Network::new(&Config::simple(3, Dist::Constant(1)), 1);
        let mut reach = Reachability::new(3);
        let up = [Process::Up; 3];
        assert!(reach.update(&network, &up).is_empty());
        network.add_cut(FaultId(0), &CutSpec::OneWay { from: EndSet::of_nodes([0]), to: EndSet::of_nodes([1]) });
        let (a, b) = (NodeId(0), NodeId(1));
        assert_eq!(reach.update(&network, &up), [(a, b, false), (b, a, false)], "one way is enough to part two nodes");
        assert!(reach.update(&network, &up).is_empty());
        network.remove_fault(SimTime(5), FaultId(0));
        assert_eq!(reach.update(&network, &up), [(a, b, true), (b, a, true)]);
    }

    #[test]
    fn a_crashed_node_is_unreachable_and_learns_nothing() {
        let network = Network::new(&Config::simple(2, Dist::Constant(1)), 1);
        let mut reach = Reachability::new(2);
        let processes = [Process::Up, Process::Down];
        assert_eq!(reach.update(&network, &processes), [(NodeId(0), NodeId(1), false)]);
    }
}
