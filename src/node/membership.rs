//! Membership: the history of changes that administrators have announced (Dynamo §4.8.1, §4.9).
//!
//! A change that an administrator announces is pending until every node that gains a range by it has it whole
//! and says so with a change of its own, [`ChangeKind::Ready`]; until then requests go by the old ring.
//! Unreachability never changes the membership. Which changes a node knows is in `view`, which rings follow
//! is in `placement`.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::kernel::ids::NodeId;
use crate::kernel::time::SimTime;

pub use super::gossip::GossipMessage;
pub use super::placement::{Placement, Rings, Step};
pub use super::view::{Difference, View};

/// What has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChangeKind {
    /// A node becomes a member.
    Join(NodeId),
    /// A member leaves.
    Leave(NodeId),
    /// One node takes the place of another.
    Replace {
        /// The one that goes.
        old: NodeId,
        /// The one that comes.
        new: NodeId,
    },
    /// A node that gains ranges by a change has them all.
    Ready {
        /// Number of that change.
        change: u32,
        /// The node.
        by: NodeId,
        /// Names the changes that are in force once this one is: what a node gains depends on them.
        to: u128,
    },
}

/// One change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// When it was announced.
    pub issued_at: SimTime,
    /// What it is.
    pub kind: ChangeKind,
    /// No key existed when it was announced, so that nothing had to move and nobody needs to be ready.
    pub moves_nothing: bool,
}

/// What a view says of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It has never been a member.
    Stranger,
    /// It is, or is about to become one.
    Member,
    /// It has left, or is about to; announced at this time.
    Left(SimTime),
}

/// All changes of a run, numbered in the order in which they were announced. The first are the joins of
/// the initial members.
#[derive(Clone, Debug)]
pub struct ChangeLog {
    changes: Vec<Change>,
    initial: u32,
    /// For each node the changes that make it come or go, in order.
    about: Vec<SmallVec<[u32; 2]>>,
    /// Announcements of readiness by what they are for and by whom.
    ready: BTreeMap<(u128, NodeId), u32>,
    /// Changes beyond the initial joins that are not about readiness, in order.
    structural: Vec<u32>,
}

impl ChangeLog {
    /// The log at the beginning.
    pub fn new(members: &[NodeId]) -> ChangeLog {
        let mut log = ChangeLog {
            changes: Vec::new(),
            initial: 0,
            about: Vec::new(),
            ready: BTreeMap::new(),
            structural: Vec::new(),
        };
        for &node in members {
            log.announce(SimTime::ZERO, ChangeKind::Join(node), true);
        }
        log.initial = members.len() as u32;
        log.structural.clear();
        log
    }

    /// Announces a change; gives its number.
    pub fn announce(&mut self, at: SimTime, kind: ChangeKind, moves_nothing: bool) -> u32 {
        let number = self.changes.len() as u32;
        match kind {
            ChangeKind::Ready { by, to, .. } => {
                self.ready.entry((to, by)).or_insert(number);
            }
            ChangeKind::Join(_) | ChangeKind::Leave(_) | ChangeKind::Replace { .. } => {
                self.structural.push(number);
                for node in kind.nodes() {
                    if self.about.len() <= node.index() {
                        self.about.resize_with(node.index() + 1, SmallVec::new);
                    }
                    self.about[node.index()].push(number);
                }
            }
        }
        self.changes.push(Change { issued_at: at, kind, moves_nothing });
        number
    }

    /// The change of this number.
    pub fn get(&self, number: u32) -> Change {
        self.changes[number as usize]
    }

    /// How many changes the initial members make.
    pub fn initial(&self) -> u32 {
        self.initial
    }

    /// How many changes there are.
    pub fn len(&self) -> u32 {
        self.changes.len() as u32
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The number under which a node announced that it is ready for this.
    pub(super) fn ready(&self, to: u128, by: NodeId) -> Option<u32> {
        self.ready.get(&(to, by)).copied()
    }

    /// Whether anybody has announced to be ready for this.
    pub(super) fn anybody_ready(&self, to: u128) -> bool {
        self.ready.range((to, NodeId(0))..=(to, NodeId(u32::MAX))).next().is_some()
    }

    /// Joins, leaves and replacements after the beginning, in order.
    pub(super) fn structural(&self) -> &[u32] {
        &self.structural
    }

    /// What a view says of a node. Looks at the changes about this node only.
    pub fn standing(&self, view: &View, node: NodeId) -> Standing {
        let about = self.about.get(node.index()).map_or(&[][..], |list| list);
        for &number in about.iter().rev() {
            if view.contains(number) {
                let change = self.get(number);
                return match change.kind {
                    ChangeKind::Join(_) => Standing::Member,
                    ChangeKind::Replace { new, .. } if new == node => Standing::Member,
                    ChangeKind::Leave(_) | ChangeKind::Replace { .. } => Standing::Left(change.issued_at),
                    ChangeKind::Ready { .. } => unreachable!("readiness makes nobody come or go"),
                };
            }
        }
        Standing::Stranger
    }

    /// The members by a view, pending changes included, sorted.
    pub fn members(&self, view: &View) -> Vec<NodeId> {
        let nodes = (0..self.about.len() as u32).map(NodeId);
        nodes.filter(|&node| self.standing(view, node) == Standing::Member).collect()
    }
}

impl ChangeKind {
    /// The nodes that come or go by it.
    pub fn nodes(self) -> SmallVec<[NodeId; 2]> {
        match self {
            ChangeKind::Join(node) | ChangeKind::Leave(node) => SmallVec::from_slice(&[node]),
            ChangeKind::Replace { old, new } => SmallVec::from_slice(&[old, new]),
            ChangeKind::Ready { .. } => SmallVec::new(),
        }
    }
}

/// The share of pairs of nodes whose views are equal; 1 if there are fewer than two nodes.
pub fn agreement<'a>(views: impl IntoIterator<Item = &'a View>) -> f64 {
    let mut groups: BTreeMap<u128, u64> = BTreeMap::new();
    for view in views {
        *groups.entry(view.hash()).or_default() += 1;
    }
    let pairs = |count: u64| count * count.saturating_sub(1) / 2;
    match pairs(groups.values().sum()) {
        0 => 1.0,
        all => groups.values().map(|&count| pairs(count)).sum::<u64>() as f64 / all as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: SimTime = SimTime(5);

    #[test]
    fn a_view_says_who_is_a_member() {
        let mut log = ChangeLog::new(&[NodeId(0), NodeId(1)]);
        let mut view = View::below(log.initial());
        let join = log.announce(AT, ChangeKind::Join(NodeId(3)), true);
        let replace = log.announce(AT, ChangeKind::Replace { old: NodeId(0), new: NodeId(2) }, true);
        assert_eq!(log.members(&view), [NodeId(0), NodeId(1)], "the log has news that the view has not");
        view.insert(replace);
        assert_eq!(log.members(&view), [NodeId(1), NodeId(2)]);
        assert_eq!(log.standing(&view, NodeId(0)), Standing::Left(AT));
        assert_eq!(log.standing(&view, NodeId(3)), Standing::Stranger);
        view.insert(join);
        assert_eq!(log.standing(&view, NodeId(3)), Standing::Member);
        assert_eq!(log.members(&View::empty()), []);
    }

    #[test]
    fn agreement_counts_pairs() {
        let (mine, other) = (View::below(2), View::below(3));
        assert_eq!(agreement([&mine]), 1.0);
        assert_eq!(agreement([&mine, &mine, &other, &mine]), 0.5);
    }
}
