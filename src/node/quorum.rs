//! Whom a request goes to: the first N of the preference list, or the first N healthy ones
//! (Dynamo §4.6). Pure decisions; the handlers in `get` and `put` send and wait.

use smallvec::SmallVec;

use crate::kernel::ids::NodeId;
use crate::node::config::{Counting, Quorum};
use crate::node::requests::{Standing, Target};

/// What a plan is made of.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The preference list, longer than N.
    pub list: &'a [NodeId],
    /// How far down the list the operation goes.
    pub n: usize,
    /// Counting answers needed.
    pub need: usize,
    /// Strict or sloppy.
    pub quorum: Quorum,
    /// Whether a stand-in's answer counts.
    pub stand_ins: Counting,
    /// Whether the coordinator's own answer counts.
    pub own: Counting,
    /// The coordinator.
    pub me: NodeId,
    /// Whether suspicion is knowledge (a perfect detector) or only a guess. A guess may be wrong, so
    /// suspects are still tried when nobody better is left.
    pub certain: bool,
}

/// The targets, and where in the list the next stand-in is looked for; or nothing, if fewer can be
/// reached than are needed.
pub fn plan(ask: Ask<'_>, healthy: impl Fn(NodeId) -> bool) -> Option<(SmallVec<[Target; 4]>, u16)> {
    let n = ask.n.min(ask.list.len());
    let mut targets: SmallVec<[Target; 4]> = SmallVec::new();
    let mut owners_down: SmallVec<[NodeId; 4]> = SmallVec::new();
    for &node in &ask.list[..n] {
        if healthy(node) || (ask.quorum == Quorum::Strict && !ask.certain) {
            targets.push(target(ask, node, None));
        } else {
            owners_down.push(node);
        }
    }
    let mut next = n;
    if ask.quorum == Quorum::Sloppy {
        // Each unreachable owner gets the next healthy node outside the top N as its stand-in.
        let mut unserved = owners_down.iter().copied();
        let mut owner = unserved.next();
        while let Some(down) = owner {
            match ask.list[next..].iter().position(|&node| healthy(node)) {
                Some(offset) => {
                    targets.push(target(ask, ask.list[next + offset], Some(down)));
                    next += offset + 1;
                    owner = unserved.next();
                }
                None => {
                    next = ask.list.len();
                    break;
                }
            }
        }
        // Suspicion may be wrong: where stand-ins have run out, the owners themselves are tried.
        if !ask.certain {
            while let Some(down) = owner {
                targets.push(target(ask, down, None));
                owner = unserved.next();
            }
        }
    }
    let counting = targets.iter().filter(|t| t.counts).count();
    (counting >= ask.need).then(|| (targets, u16::try_from(next).expect("a preference list has fewer than 2^16 nodes")))
}

/// The next stand-in down the list for an owner that has not answered, and the place after it.
pub fn next_stand_in(
    ask: Ask<'_>,
    next: u16,
    owner: NodeId,
    healthy: impl Fn(NodeId) -> bool,
) -> Option<(Target, u16)> {
    if ask.quorum == Quorum::Strict {
        return None;
    }
    let from = usize::from(next).min(ask.list.len());
    let offset = ask.list[from..].iter().position(|&node| healthy(node))?;
    let place = from + offset;
    Some((target(ask, ask.list[place], Some(owner)), u16::try_from(place + 1).expect("as above")))
}

/// Who is asked in place of an owner that has not answered, or whose stand-in has not: the next stand-in, or where
/// there is none the owner itself, if it was passed over as a suspect. Suspicion may be wrong, and nobody better is left.
pub fn next_in_place_of(
    ask: Ask<'_>,
    next: u16,
    owner: NodeId,
    tried: bool,
    healthy: impl Fn(NodeId) -> bool,
) -> Option<(Target, u16)> {
    let stand_in = next_stand_in(ask, next, owner, healthy);
    let may_try = ask.quorum == Quorum::Sloppy && !ask.certain && !tried;
    stand_in.or_else(|| may_try.then(|| (target(ask, owner, None), next)))
}

fn target(ask: Ask<'_>, node: NodeId, owner: Option<NodeId>) -> Target {
    let counts =
        (owner.is_none() || ask.stand_ins == Counting::Count) && (node != ask.me || ask.own == Counting::Count);
    Target { node, owner, counts, standing: Standing::Waiting }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: [NodeId; 5] = [NodeId(0), NodeId(1), NodeId(2), NodeId(3), NodeId(4)];

    fn ask(quorum: Quorum) -> Ask<'static> {
        Ask {
            list: &LIST,
            n: 3,
            need: 2,
            quorum,
            stand_ins: Counting::Count,
            own: Counting::Count,
            me: NodeId(0),
            certain: true,
        }
    }

    fn nodes(plan: &Option<(SmallVec<[Target; 4]>, u16)>) -> Vec<(u32, Option<u32>)> {
        plan.as_ref().unwrap().0.iter().map(|t| (t.node.0, t.owner.map(|o| o.0))).collect()
    }

    #[test]
    fn a_healthy_cluster_uses_the_top_n() {
        assert_eq!(nodes(&plan(ask(Quorum::Sloppy), |_| true)), [(0, None), (1, None), (2, None)]);
    }

    #[test]
    fn stand_ins_are_outside_the_top_n_and_know_their_owner() {
        let plan = plan(ask(Quorum::Sloppy), |node| node.0 == 0 || node.0 > 2);
        assert_eq!(nodes(&plan), [(0, None), (3, Some(1)), (4, Some(2))]);
    }

    #[test]
    fn a_strict_quorum_has_no_stand_ins() {
        assert_eq!(nodes(&plan(ask(Quorum::Strict), |node| node.0 != 1)), [(0, None), (2, None)]);
        assert!(plan(ask(Quorum::Strict), |node| node.0 == 0).is_none(), "one of three is not two");
    }

    #[test]
    fn stand_ins_that_do_not_count_cannot_make_a_quorum() {
        let ask = Ask { need: 3, stand_ins: Counting::Ignore, ..ask(Quorum::Sloppy) };
        assert!(plan(ask, |node| node.0 != 0).is_none());
    }

    #[test]
    fn suspects_are_tried_when_nobody_else_is_left() {
        let ask = Ask { certain: false, ..ask(Quorum::Sloppy) };
        assert_eq!(nodes(&plan(ask, |node| node.0 == 0)), [(0, None), (1, None), (2, None)]);
    }

    #[test]
    fn every_pattern_of_health_gives_distinct_nodes_and_enough_or_nothing() {
        for pattern in 0..32u32 {
            let healthy = |node: NodeId| pattern >> node.0 & 1 == 1;
            for quorum in [Quorum::Sloppy, Quorum::Strict] {
                let alive = (0..if quorum == Quorum::Strict { 3 } else { 5 }).filter(|&n| healthy(NodeId(n))).count();
                let plan = plan(ask(quorum), healthy);
                assert_eq!(plan.is_some(), alive >= 2, "{pattern:05b} {quorum:?}");
                if let Some((targets, _)) = plan {
                    let mut nodes: Vec<_> = targets.iter().map(|t| t.node).collect();
                    nodes.sort();
                    nodes.dedup();
                    assert_eq!(nodes.len(), targets.len(), "{pattern:05b}: a node is asked once");
                    assert!(nodes.iter().all(|&n| healthy(n)));
                    assert_eq!(targets.len(), alive.min(3));
                }
            }
        }
    }

    #[test]
    fn a_suspect_is_tried_when_its_stand_ins_are_silent_too() {
        let guess = Ask { certain: false, ..ask(Quorum::Sloppy) };
        let nobody = |_| false;
        let found = |ask, tried| {
            next_in_place_of(ask, 5, NodeId(1), tried, nobody).map(|(target, place)| (target.node, target.owner, place))
        };
        assert_eq!(found(guess, false), Some((NodeId(1), None, 5)));
        assert_eq!(found(guess, true), None, "it has had its chance");
        assert_eq!(found(Ask { certain: true, ..guess }, false), None, "it is known to be down");
        assert_eq!(found(Ask { quorum: Quorum::Strict, ..guess }, false), None, "strict quorums pass over nobody");
        let stand_in = next_in_place_of(guess, 3, NodeId(1), false, |node| node == NodeId(4));
        assert_eq!(
            stand_in.map(|(target, place)| (target.node, target.owner, place)),
            Some((NodeId(4), Some(NodeId(1)), 5))
        );
    }
}
