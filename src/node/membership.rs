//! Membership: the history of changes that administrators have announced, each node's view of it, and
//! the rings that follow (Dynamo §4.8.1, §4.9).
//!
//! A view is a set of changes that only grows, so two views reconcile by union, in any order. What the
//! administrator announces is pending until every node that gains a range has it whole and says so with a
//! change of its own, [`ChangeKind::Ready`]; until then requests go by the old ring, and writes also to
//! those who are gaining. Unreachability never changes a view.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::kernel::ids::{NodeId, SegmentId};
use crate::kernel::time::SimTime;
use crate::ring::{Layout, Ring};

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
    },
}

/// One change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// When it was announced.
    pub issued_at: SimTime,
    /// What it is.
    pub kind: ChangeKind,
}

/// All changes of a run, numbered in the order in which they were announced. The first are the joins of
/// the initial members.
#[derive(Clone, Debug)]
pub struct ChangeLog {
    changes: Vec<Change>,
    initial: u32,
}

impl ChangeLog {
    /// The log at the beginning.
    pub fn new(members: &[NodeId]) -> ChangeLog {
        let changes: Vec<_> =
            members.iter().map(|&node| Change { issued_at: SimTime::ZERO, kind: ChangeKind::Join(node) }).collect();
        ChangeLog { initial: changes.len() as u32, changes }
    }

    /// Announces a change; gives its number.
    pub fn announce(&mut self, at: SimTime, kind: ChangeKind) -> u32 {
        self.changes.push(Change { issued_at: at, kind });
        self.changes.len() as u32 - 1
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
}

/// A node's view: which changes it has heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    words: Arc<Vec<u64>>,
    hash: u128,
}

impl View {
    /// A view that has heard of nothing.
    pub fn empty() -> View {
        View { words: Arc::new(Vec::new()), hash: 0 }
    }

    /// The view of the changes below a number.
    pub fn below(count: u32) -> View {
        let mut view = View::empty();
        for number in 0..count {
            view.insert(number);
        }
        view
    }

    /// A name for the view's content: equal views have equal hashes.
    pub fn hash(&self) -> u128 {
        self.hash
    }

    /// Whether it has heard of the change.
    pub fn contains(&self, number: u32) -> bool {
        self.words.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// Hears of a change. Returns whether it is new.
    pub fn insert(&mut self, number: u32) -> bool {
        if self.contains(number) {
            return false;
        }
        let words = Arc::make_mut(&mut self.words);
        let index = number as usize / 64;
        if words.len() <= index {
            words.resize(index + 1, 0);
        }
        words[index] |= 1 << (number % 64);
        self.hash ^= xxhash_rust::xxh3::xxh3_128(&number.to_le_bytes());
        true
    }

    /// Hears of all that another view has heard of. Returns how many changes are new.
    pub fn merge(&mut self, other: &View) -> u32 {
        let mut news = 0;
        if self.hash != other.hash {
            for number in other.numbers() {
                news += u32::from(self.insert(number));
            }
        }
        news
    }

    /// The changes it has heard of, in order.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(index, &word)| {
            (0..64u32).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index as u32 * 64 + bit)
        })
    }
}

/// The rings that follow from a view.
#[derive(Debug)]
pub struct Placement {
    /// Hash of the view it follows from.
    pub view: u128,
    /// Who serves requests.
    pub ring: Arc<Ring>,
    /// Nodes that are gaining a range by a pending change and get its writes as well.
    pub gaining: BTreeMap<SegmentId, SmallVec<[NodeId; 2]>>,
}

impl Placement {
    /// What follows from a view.
    pub fn of(layout: &Layout, changes: &ChangeLog, view: &View, _n: u32) -> Placement {
        let members: Vec<NodeId> = view
            .numbers()
            .filter_map(|number| match changes.get(number).kind {
                ChangeKind::Join(node) => Some(node),
                _ => None,
            })
            .collect();
        Placement { view: view.hash(), ring: Arc::new(layout.initial_ring(&members)), gaining: BTreeMap::new() }
    }
}

/// What gossip says.
#[derive(Clone, Debug)]
pub enum GossipMessage {
    /// Placeholder.
    Tell(View),
}

impl GossipMessage {
    /// Bytes on the wire.
    pub fn bytes(&self) -> u32 {
        0
    }
}
