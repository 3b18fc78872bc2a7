//! How evenly work and data lie on the nodes (Dynamo §6.2).

use crate::kernel::ids::NodeId;
use crate::node::stats::Stats;
use crate::ring;

use super::metrics::LoadKind;

/// Loads of nodes of one kind: 0 requests served, 1 the same by capacity, 2 operations led. Nodes that hold no data
/// and did nothing are not asked to share: routers and spares.
pub fn loads(kind: usize, stats: &[Stats], capacity: &[f64]) -> Vec<f64> {
    let raw: Vec<f64> = (0..stats.len()).map(|node| load(kind, &stats[node], capacity_of(capacity, node))).collect();
    let shares = |node: usize| capacity_of(capacity, node) > 0.0 && stats[node] != Stats::default() || raw[node] > 0.0;
    (0..stats.len()).filter(|node| shares(*node)).map(|node| raw[node]).collect()
}

fn capacity_of(capacity: &[f64], node: usize) -> f64 {
    capacity.get(node).copied().unwrap_or(1.0)
}

fn load(kind: usize, stats: &Stats, capacity: f64) -> f64 {
    match kind {
        0 => stats.load() as f64,
        1 if capacity > 0.0 => stats.load() as f64 / capacity,
        1 => 0.0,
        _ => (stats.gets_led + stats.puts_led) as f64,
    }
}

/// Loads that do not change with what clients do.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Holdings {
    /// Exact share of the key space as any of N, of each node that holds data at the start; 0 for the others.
    pub ring: Vec<f64>,
    /// Exact share as the first.
    pub primary: Vec<f64>,
    /// Whether a node holds data at the start.
    pub holds: Vec<bool>,
    /// Lists less spread than they could be.
    pub spread_violations: u64,
    /// Number of ranges.
    pub ranges: u64,
}

impl Holdings {
    /// Of the ring at the start of a run.
    pub fn new(config: &ring::Config) -> Holdings {
        if config.initial_members.is_empty() || config.nodes.is_empty() {
            return Holdings::default();
        }
        let layout = ring::Layout::new(config.clone());
        let ring = layout.initial_ring(&config.initial_members);
        let nodes = config.nodes.len();
        let mut holdings = Holdings {
            ring: vec![0.0; nodes],
            primary: vec![0.0; nodes],
            holds: vec![false; nodes],
            ..Holdings::default()
        };
        let any = ring::shares_any(&layout, &ring, config.replicas);
        let first = ring::shares_primary(&layout, &ring);
        for ((node, any), first) in ring.holders().iter().zip(any).zip(first) {
            holdings.ring[node.index()] = any;
            holdings.primary[node.index()] = first;
            holdings.holds[node.index()] = true;
        }
        holdings.spread_violations = u64::from(ring::spread_violations(&layout, &ring, config.replicas));
        holdings.ranges = ring.range_ends().len() as u64;
        holdings
    }
}

/// The loads of one kind over all nodes, and which of them share it.
pub fn all_loads(
    kind: LoadKind,
    stats: &[Stats],
    capacity: &[f64],
    stored: &[u64],
    holdings: &Holdings,
) -> Vec<(NodeId, f64)> {
    let holds = |node: usize| holdings.holds.get(node).copied().unwrap_or(false);
    let value = |node: usize| match kind {
        LoadKind::Load => stats.get(node).map_or(0.0, |stats| load(0, stats, capacity_of(capacity, node))),
        LoadKind::LoadPerCapacity => stats.get(node).map_or(0.0, |stats| load(1, stats, capacity_of(capacity, node))),
        LoadKind::Coordinator => stats.get(node).map_or(0.0, |stats| load(2, stats, capacity_of(capacity, node))),
        LoadKind::Stored => stored.get(node).map_or(0.0, |keys| *keys as f64),
        LoadKind::Ring => holdings.ring.get(node).copied().unwrap_or(0.0),
        LoadKind::Primary => holdings.primary.get(node).copied().unwrap_or(0.0),
    };
    let count = stats.len().max(stored.len()).max(holdings.holds.len());
    let loads = (0..count).map(|node| (node, value(node)));
    // Routers and spares are not asked to share, unless they did.
    loads.filter(|(node, load)| holds(*node) || *load > 0.0).map(|(node, load)| (NodeId(node as u32), load)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routers_and_spares_do_not_count_unless_they_work() {
        let stats = [
            Stats { reads: 10, gets_led: 4, ..Stats::default() },
            Stats { reads: 20, ..Stats::default() },
            Stats { forwarded: 9, ..Stats::default() },
            Stats::default(),
        ];
        let capacity = [1.0, 2.0, 0.0, 1.0];
        assert_eq!(loads(0, &stats, &capacity), [10.0, 20.0]);
        assert_eq!(loads(1, &stats, &capacity), [10.0, 10.0]);
        assert_eq!(loads(2, &stats, &capacity), [4.0, 0.0]);
        let holdings = Holdings { holds: vec![true, true, false, false], ..Holdings::default() };
        let all = all_loads(LoadKind::Coordinator, &stats, &capacity, &[], &holdings);
        assert_eq!(all, [(NodeId(0), 4.0), (NodeId(1), 0.0)]);
    }
}
