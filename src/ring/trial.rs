//! Partitions changing hands one by one, each choice weighed by what it does to the lists around it.
//!
//! A stolen partition can push nodes into lists that neither join nor leave: copies would move for
//! nothing. It knows the ring before the change and the owners so far; who must give how many is
//! decided elsewhere.

use crate::kernel::ids::{NodeId, SegmentId};

use super::layout::Layout;
use super::place::Ring;
use super::walk::Walk;

/// How far a choice is looked into, in partitions. Lists that come from further are rare, and a
/// choice made without them is still a right one.
const SIGHT: usize = 256;
const REACH: usize = 64;

/// What a partition's new owner would mean for the lists whose walk comes by.
pub(super) struct Effect {
    /// Nodes that would come into lists in which they were not before, beyond the one that should.
    pub(super) strangers: usize,
    /// In how many more lists the new owner would be.
    pub(super) lists: f64,
}

/// Owners under change.
pub(super) struct Trial<'a> {
    layout: &'a Layout,
    before: &'a Ring,
    leaving: Option<NodeId>,
    walk: Walk<'a>,
    now: Vec<NodeId>,
    then: Vec<NodeId>,
}

impl<'a> Trial<'a> {
    /// Begins with the owners of `before`. While a node is `leaving`, walks pass over it and any one
    /// node may come into each list that it was in; else only the new owners may come in.
    pub(super) fn new(layout: &'a Layout, before: &'a Ring, leaving: Option<NodeId>) -> Trial<'a> {
        let walk = walk(layout, before.owners.clone(), leaving);
        Trial { layout, before, leaving, walk, now: Vec::new(), then: Vec::new() }
    }

    /// Gives a partition to a node for good.
    pub(super) fn give(&mut self, partition: u32, node: NodeId) {
        let newcomer = !self.walk.circle().contains(&node);
        self.walk.set_owner(partition as usize, node);
        if newcomer {
            // The walk must learn of racks that come with the node.
            self.walk = walk(self.layout, self.walk.circle().to_vec(), self.leaving);
        }
    }

    /// Lets two partitions change owners.
    pub(super) fn swap(&mut self, a: u32, b: u32) {
        let owner = self.walk.circle()[a as usize];
        let owner = self.walk.set_owner(b as usize, owner);
        self.walk.set_owner(a as usize, owner);
    }

    /// The owners after all changes.
    pub(super) fn into_owners(self) -> Vec<NodeId> {
        self.walk.circle().to_vec()
    }

    /// The effect of giving `partition` to `node`.
    pub(super) fn effect(&mut self, partition: u32, node: NodeId) -> Effect {
        let copies = self.before.replicas();
        let at = partition as usize;
        let count = self.walk.circle().len();
        let (mut strangers, mut lists) = (0, 0.0);
        for back in 0..count.min(REACH) {
            let start = (at + count - back) % count;
            self.now.clear();
            self.walk.list_from(start, copies as usize, &mut self.now);
            // Walks from further back end even earlier.
            if self.walk.seen() <= back {
                break;
            }
            let owner = self.walk.set_owner(at, node);
            self.then.clear();
            self.walk.list_from(start, copies as usize, &mut self.then);
            self.walk.set_owner(at, owner);
            let before = self.before.replicas_of(SegmentId(start as u32), copies);
            let new = self.then.iter().filter(|n| !before.contains(n));
            strangers += match self.leaving {
                // One comes in for the one that goes.
                Some(leaving) => new.count().saturating_sub(usize::from(before.contains(&leaving))),
                None => new.filter(|&&n| n != node).count(),
            };
            lists += f64::from(u8::from(self.then.contains(&node))) - f64::from(u8::from(self.now.contains(&node)));
        }
        Effect { strangers, lists }
    }

    /// How many too many come into the lists by a partition that already has its new owner.
    pub(super) fn strangers_at(&mut self, partition: u32) -> usize {
        self.effect(partition, self.walk.circle()[partition as usize]).strangers
    }
}

fn walk(layout: &Layout, owners: Vec<NodeId>, leaving: Option<NodeId>) -> Walk<'_> {
    let config = layout.config();
    Walk::passing(leaving, SIGHT, owners, &config.nodes, config.spread, config.replicas)
}
