//! Shapes of network partitions over a list of nodes.
//!
//! Clients are in none of them and see all nodes. Who is chosen is up to the order of the list.

use crate::kernel::ids::NodeId;
use crate::network::{CutSpec, EndSet};

/// Who still hears whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Two halves that do not hear each other.
    Halves,
    /// One node alone.
    Isolate,
    /// One half does not hear the other, but is heard.
    OneWay,
    /// Two halves that do not hear each other, and one node that both hear.
    Bridge,
    /// Every node hears a majority, its neighbours on a ring, and no two the same one.
    MajoritiesRing,
}

impl Shape {
    /// All shapes.
    pub const ALL: [Shape; 5] = [Shape::Halves, Shape::Isolate, Shape::OneWay, Shape::Bridge, Shape::MajoritiesRing];

    /// Its name, as scenarios write it.
    pub const fn name(self) -> &'static str {
        match self {
            Shape::Halves => "halves",
            Shape::Isolate => "isolate",
            Shape::OneWay => "one_way",
            Shape::Bridge => "bridge",
            Shape::MajoritiesRing => "majorities_ring",
        }
    }

    /// Whether so many nodes are enough for the shape to cut anything.
    pub const fn fits(self, nodes: usize) -> bool {
        match self {
            Shape::Halves | Shape::Isolate | Shape::OneWay => nodes >= 2,
            Shape::Bridge => nodes >= 3,
            Shape::MajoritiesRing => nodes >= 4,
        }
    }
}

/// The shape over these nodes: the first are the first half, the lonely one, the bridge; the ring is in their order.
///
/// # Panics
/// If there are too few of them, see [`Shape::fits`].
pub fn specs(shape: Shape, nodes: &[NodeId]) -> Vec<CutSpec> {
    assert!(shape.fits(nodes.len()), "{} nodes are enough for {shape:?}", nodes.len());
    let halves = |nodes: &[NodeId]| {
        let (one, other) = nodes.split_at(nodes.len() / 2);
        (ends(one), ends(other))
    };
    match shape {
        Shape::Halves => {
            let (one, other) = halves(nodes);
            vec![CutSpec::Between(vec![one, other])]
        }
        Shape::Isolate => vec![CutSpec::Between(vec![ends(&nodes[..1]), ends(&nodes[1..])])],
        Shape::OneWay => {
            let (from, to) = halves(nodes);
            vec![CutSpec::OneWay { from, to }]
        }
        Shape::Bridge => {
            let (one, other) = halves(&nodes[1..]);
            vec![CutSpec::Between(vec![one, other])]
        }
        Shape::MajoritiesRing => {
            let count = nodes.len();
            // So many neighbours on either side that they are a majority together with the node itself.
            let reach = (count / 2).div_ceil(2);
            let far =
                |i: usize| (reach + 1..count - reach).map(move |away| nodes[(i + away) % count]).collect::<Vec<_>>();
            // Being far is mutual, so that one direction of each node covers both of each pair.
            (0..count).map(|i| CutSpec::OneWay { from: ends(&nodes[i..=i]), to: ends(&far(i)) }).collect()
        }
    }
}

fn ends(nodes: &[NodeId]) -> EndSet {
    EndSet::of_nodes(nodes.iter().map(|node| node.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether messages pass, by sender and receiver.
    fn passes(shape: Shape, count: u32) -> Vec<Vec<bool>> {
        let nodes: Vec<NodeId> = (0..count).map(NodeId).collect();
        let specs = specs(shape, &nodes);
        let cut = |from: NodeId, to: NodeId| {
            specs.iter().any(|spec| match spec {
                CutSpec::OneWay { from: senders, to: receivers } => {
                    senders.nodes.contains(&from) && receivers.nodes.contains(&to)
                }
                CutSpec::Between(groups) => {
                    let group_of = |node| groups.iter().position(|group| group.nodes.contains(&node));
                    matches!((group_of(from), group_of(to)), (Some(a), Some(b)) if a != b)
                }
            })
        };
        nodes.iter().map(|&from| nodes.iter().map(|&to| !cut(from, to)).collect()).collect()
    }

    fn heard_by(passes: &[Vec<bool>], to: usize) -> Vec<usize> {
        (0..passes.len()).filter(|&from| passes[from][to]).collect()
    }

    #[test]
    fn halves_hear_themselves_only() {
        let passes = passes(Shape::Halves, 5);
        assert_eq!(heard_by(&passes, 0), [0, 1]);
        assert_eq!(heard_by(&passes, 4), [2, 3, 4]);
    }

    #[test]
    fn an_isolated_node_hears_nobody_and_is_heard_by_nobody() {
        let passes = passes(Shape::Isolate, 4);
        assert_eq!(heard_by(&passes, 0), [0]);
        assert_eq!(heard_by(&passes, 2), [1, 2, 3]);
    }

    #[test]
    fn one_way_one_half_still_hears_the_other() {
        let passes = passes(Shape::OneWay, 4);
        assert_eq!(heard_by(&passes, 0), [0, 1, 2, 3]);
        assert_eq!(heard_by(&passes, 2), [2, 3]);
    }

    #[test]
    fn a_bridge_hears_both_sides() {
        let passes = passes(Shape::Bridge, 5);
        assert_eq!(heard_by(&passes, 0), [0, 1, 2, 3, 4]);
        assert_eq!(heard_by(&passes, 1), [0, 1, 2]);
        assert_eq!(heard_by(&passes, 4), [0, 3, 4]);
    }

    #[test]
    fn on_a_ring_of_majorities_all_hear_a_majority_and_no_two_the_same() {
        for count in 4..40 {
            let passes = passes(Shape::MajoritiesRing, count);
            let mut heard: Vec<Vec<usize>> = (0..count as usize).map(|to| heard_by(&passes, to)).collect();
            assert!(
                heard.iter().all(|heard| heard.len() > count as usize / 2 && heard.len() < count as usize),
                "{count}: {heard:?}"
            );
            let mutual = (0..count as usize).all(|a| (0..count as usize).all(|b| passes[a][b] == passes[b][a]));
            assert!(mutual, "{count}: who hears is heard");
            heard.sort_unstable();
            heard.dedup();
            assert_eq!(heard.len(), count as usize, "no two hear the same majority");
        }
    }

    #[test]
    fn every_shape_that_fits_cuts_something() {
        for shape in Shape::ALL {
            for count in (0..9).filter(|&count| shape.fits(count)) {
                assert!(passes(shape, count as u32).iter().flatten().any(|&pass| !pass), "{shape:?} over {count}");
            }
        }
    }
}
