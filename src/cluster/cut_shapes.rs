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
            let reach = (count / 2 + 1) / 2;
            let far = |i: usize| (reach + 1..count - reach).map(move |away| nodes[(i + away) % count]).collect::<Vec<_>>();
            // Being far is mutual, so that one direction of each node covers both of each pair.
            (0..count).map(|i| CutSpec::OneWay { from: ends(&nodes[i..=i]), to: ends(&far(i)) }).collect()
        }
    }
}

fn ends(nodes: &[NodeId]) -> EndSet {
    EndSet::of_nodes(nodes.iter().map(|node| node.0))
}
