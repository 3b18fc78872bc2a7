//! How evenly the ring shares out the key space: exact shares and their measures (Dynamo §6.2,
//! Figure 8), and lists that are less spread than was asked.

use crate::kernel::ids::{NodeId, SegmentId};

use super::layout::{Layout, Spread};
use super::place::Ring;

/// The share of the key space that each of [`Ring::holders`] holds as one of the first `n`, in that
/// order. The sum is `n`, as long as lists are that long.
pub fn shares_any(layout: &Layout, ring: &Ring, n: u32) -> Vec<f64> {
    let mut held = vec![Length::default(); layout.config().nodes.len()];
    for segment in (0..ring.segments()).map(SegmentId) {
        let length = Length::of(layout, segment);
        for node in ring.replicas_of(segment, n) {
            held[node.index()].add(length);
        }
    }
    ring.holders().iter().map(|node| held[node.index()].share()).collect()
}

/// The share of the key space of which each of [`Ring::holders`] is the first owner, in that order.
pub fn shares_primary(layout: &Layout, ring: &Ring) -> Vec<f64> {
    shares_any(layout, ring, 1)
}

/// Mean over maximum: Figure 8's load balancing efficiency. Of nothing, or of zeros, it is 1.
pub fn efficiency(loads: &[f64]) -> f64 {
    let max = loads.iter().copied().fold(0.0, f64::max);
    if max > 0.0 { mean(loads) / max } else { 1.0 }
}

/// Maximum over mean; 1 where there is no load.
pub fn max_over_mean(loads: &[f64]) -> f64 {
    1.0 / efficiency(loads)
}

/// The coefficient of variation: the standard deviation over all loads divided by their mean; 0
/// where there is no load.
pub fn cv(loads: &[f64]) -> f64 {
    let mean = mean(loads);
    if mean == 0.0 {
        return 0.0;
    }
    let variance = loads.iter().map(|load| (load - mean) * (load - mean)).sum::<f64>() / loads.len() as f64;
    variance.sqrt() / mean
}

/// Jain's fairness index, (Σx)² / (n Σx²): 1 is fair, 1/n is all on one; 1 where there is no load.
pub fn jain(loads: &[f64]) -> f64 {
    let (sum, squares) = loads.iter().fold((0.0, 0.0), |(sum, squares), load| (sum + load, squares + load * load));
    if squares > 0.0 { sum * sum / (loads.len() as f64 * squares) } else { 1.0 }
}

fn mean(loads: &[f64]) -> f64 {
    if loads.is_empty() { 0.0 } else { loads.iter().sum::<f64>() / loads.len() as f64 }
}

/// Lists, one per range, whose first `n` could be more spread over racks (and regions, if asked)
/// than they are, or cannot be as spread as asked: `n` distinct racks, or `n` distinct nodes.
/// Where all nodes share one rack there is nothing to keep apart, and nodes are counted.
pub fn spread_violations(layout: &Layout, ring: &Ring, n: u32) -> u32 {
    let nodes = &layout.config().nodes;
    let distinct = |list: &[NodeId], place: fn(&super::NodeSpec) -> u32| {
        let mut places: Vec<u32> = list.iter().map(|node| place(&nodes[node.index()])).collect();
        places.sort_unstable();
        places.dedup();
        places.len() as u32
    };
    let racks = distinct(ring.holders(), |node| node.rack);
    let regions = distinct(ring.holders(), |node| node.region);
    let spread = layout.config().spread;
    let violates = |list: &[NodeId]| {
        if (list.len() as u32) < n {
            return true;
        }
        if racks == 1 || spread == Spread::Nodes {
            return false;
        }
        let too_few_regions = spread == Spread::Regions && distinct(list, |node| node.region) < n.min(regions);
        too_few_regions || distinct(list, |node| node.rack) < n
    };
    ring.range_ends().iter().filter(|&&segment| violates(ring.replicas_of(segment, n))).count() as u32
}

/// A number of positions up to many circles, exact.
#[derive(Clone, Copy, Default)]
struct Length {
    circles: u32,
    rest: u128,
}

impl Length {
    fn of(layout: &Layout, segment: SegmentId) -> Length {
        match layout.length_of(segment) {
            0 => Length { circles: 1, rest: 0 },
            rest => Length { circles: 0, rest },
        }
    }

    fn add(&mut self, other: Length) {
        let (rest, carry) = self.rest.overflowing_add(other.rest);
        self.rest = rest;
        self.circles += other.circles + u32::from(carry);
    }

    fn share(self) -> f64 {
        f64::from(self.circles) + self.rest as f64 / 2.0 / (1u128 << 127) as f64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::hash::position_from_degrees;
    use super::super::layout::RingKind;
    use super::super::layout::tests::config;
    use super::*;

    #[test]
    fn shares_are_exact() {
        let tokens = BTreeMap::from([(NodeId(0), vec![0]), (NodeId(1), vec![position_from_degrees(90, 0)])]);
        let layout = Layout::new(config(2, RingKind::Tokens(tokens)));
        let ring = layout.initial_ring(&layout.config().initial_members);
        assert_eq!(shares_primary(&layout, &ring), [0.75, 0.25]);
        assert_eq!(shares_any(&layout, &ring, 2), [1.0, 1.0], "two copies on two nodes");
    }

    #[test]
    fn measures_of_balance_have_their_textbook_values() {
        let loads = [1.0, 2.0, 3.0];
        assert_eq!(efficiency(&loads), 2.0 / 3.0);
        assert_eq!(max_over_mean(&loads), 1.5);
        assert!((cv(&loads) * cv(&loads) - 1.0 / 6.0).abs() < 1e-15);
        assert_eq!(jain(&loads), 36.0 / 42.0);
        assert_eq!(jain(&[0.0, 0.0, 0.0, 8.0]), 0.25);
        for none in [&[][..], &[0.0, 0.0]] {
            assert_eq!((efficiency(none), max_over_mean(none), cv(none), jain(none)), (1.0, 1.0, 0.0, 1.0));
        }
    }

    #[test]
    fn violations_count_ranges_and_regions_too() {
        let striped = RingKind::Owners([0, 1, 2, 3, 4, 5].map(NodeId).to_vec());
        let mut config = config(6, striped);
        config.replicas = 2;
        for (node, spec) in config.nodes.iter_mut().enumerate() {
            (spec.rack, spec.region) = (node as u32, u32::from(node >= 3));
        }
        let violations = |spread| {
            let layout = Layout::new(super::super::Config { spread, ..config.clone() });
            spread_violations(&layout, &layout.initial_ring(&layout.config().initial_members), 2)
        };
        assert_eq!(violations(Spread::Regions), 0);
        assert_eq!(violations(Spread::Racks), 0, "neighbours are on different racks");
        let layout = Layout::new(config);
        let ring = layout.initial_ring(&layout.config().initial_members);
        assert_eq!(spread_violations(&layout, &ring, 7), 6, "seven copies on six nodes cannot be");
    }
}
