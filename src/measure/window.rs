//! What nodes and network did within a window: differences of their running totals.

use crate::history::Totals;
use crate::kernel::time::{SimTime, Span};
use crate::network::{self, Class};
use crate::node::stats::Stats;

/// Messages and bytes, by class.
pub type Traffic = [[u64; 2]; Class::COUNT];

/// Messages and bytes of each class so far.
pub fn traffic(totals: &network::Totals) -> Traffic {
    Class::ALL.map(|class| {
        let counts = totals.class(class);
        [counts.messages, counts.bytes]
    })
}

/// A window's share of the totals. A window that opens again goes on where it was.
#[derive(Clone, Debug, Default)]
pub struct WindowTotals {
    open: Option<(SimTime, Vec<Stats>, Traffic)>,
    /// How long it was open.
    pub length: Span,
    /// What each node did meanwhile.
    pub nodes: Vec<Stats>,
    /// What went over the network meanwhile.
    pub traffic: Traffic,
    /// Whether it ever opened.
    pub was_open: bool,
    /// Imbalance in each window of the load's balance that ended in it: their sum and number, for the loads of
    /// requests, requests by capacity, and operations led.
    pub imbalance: [(f64, u64); 3],
}

impl WindowTotals {
    /// It opens.
    pub fn opens(&mut self, now: SimTime, totals: &Totals<'_>) {
        self.was_open = true;
        self.open = Some((now, totals.nodes.to_vec(), traffic(totals.network)));
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// It closes. What never opened stays closed.
    pub fn closes(&mut self, now: SimTime, nodes: &[Stats], traffic: &Traffic) {
        let Some((opened_at, before, traffic_before)) = self.open.take() else { return };
        self.length = self.length + now.since(opened_at);
        self.nodes.resize(self.nodes.len().max(nodes.len()), Stats::default());
        for (number, (sum, stats)) in self.nodes.iter_mut().zip(nodes).enumerate() {
            let change = stats.since(&before.get(number).copied().unwrap_or_default());
            (sum.hints_held, sum.hints_bytes) = (0, 0);
            sum.add(&change);
        }
        for (sum, (after, before)) in self.traffic.iter_mut().zip(traffic.iter().zip(&traffic_before)) {
            sum[0] += after[0] - before[0];
            sum[1] += after[1] - before[1];
        }
    }
}

/// The share of these loads that are off their mean by the tolerance or more (Dynamo §6.2); 0 where there is
/// no load.
pub fn imbalance(loads: &[f64], tolerance: f64) -> f64 {
    let mean = loads.iter().sum::<f64>() / loads.len().max(1) as f64;
    if mean == 0.0 {
        return 0.0;
    }
    let off = loads.iter().filter(|load| (*load - mean).abs() >= tolerance * mean).count();
    off as f64 / loads.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_the_difference_of_two_totals() {
        let network = network::Totals::default();
        let stats = |reads, held| Stats { reads, hints_held: held, ..Stats::default() };
        let mut window = WindowTotals::default();
        let first = [stats(10, 1)];
        window.opens(SimTime(100), &Totals { nodes: &first, network: &network, agreement: 1.0 });
        window.closes(SimTime(150), &[stats(17, 3)], &traffic(&network));
        // It opens again, with a node more.
        let second = [stats(20, 3)];
        window.opens(SimTime(200), &Totals { nodes: &second, network: &network, agreement: 1.0 });
        window.closes(SimTime(210), &[stats(21, 2), stats(5, 0)], &traffic(&network));
        assert_eq!(window.length, Span(60));
        assert_eq!((window.nodes[0].reads, window.nodes[1].reads), (8, 5));
        assert_eq!(window.nodes[0].hints_held, 2, "a gauge is that of the end");
    }

    #[test]
    fn imbalance_counts_nodes_off_the_mean() {
        assert_eq!(imbalance(&[100.0, 100.0, 120.0, 80.0], 0.15), 0.5);
        assert_eq!(imbalance(&[0.0, 0.0], 0.15), 0.0);
        assert_eq!(imbalance(&[], 0.15), 0.0);
    }
}
