//! The descent of an exchange: roots, then children of differing nodes, then keys of differing leaves
//! (Dynamo §4.7). The sides take turns; each message holds the sender's hashes of the children of nodes
//! that the sender found to differ.

use crate::kernel::ids::{NodeId, OpId, SegmentId};
use crate::kernel::time::SimTime;
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::outputs::Outputs;
use crate::ring::{Boundary, Ring};
use crate::store::merkle::{self, Difference, LeafEntry, Tree};
use crate::version::Siblings;

use super::{ANSWERED_MAX, Branches, ExchangeMessage, Last, LeafKeys, RangeRoot, Turn, segments_of};

impl Node {
    /// The root of a range, kept up to date with every write.
    pub(super) fn range_root(&self, ring: &Ring, range: SegmentId) -> RangeRoot {
        let mut found = RangeRoot { range, segments: 0, root: 0 };
        for segment in segments_of(ring, range) {
            found.segments += 1;
            found.root = found.root.wrapping_add(self.disk.roots.root(segment));
        }
        found
    }

    /// The tree of a range as it is now. A real node keeps the inner hashes; here they are worked out when they are asked for.
    fn range_tree(&self, commons: &Commons, ring: &Ring, range: SegmentId, depth: u32) -> Tree {
        let first = segments_of(ring, range).next().expect("a range has a segment");
        let start = commons.layout.segment_bounds(first).start;
        let end = commons.layout.segment_bounds(range).end;
        // Residue classes (a ring by modulus) are no stretches: their keys lie all over the circle.
        let (start, length) =
            if commons.layout.segment_bounds(range).start == end { (0, 0) } else { (start, end.wrapping_sub(start)) };
        let start = match commons.layout.config().boundary {
            Boundary::AtOrAfter => start.wrapping_add(1),
            Boundary::After => start,
        };
        let mut entries = Vec::new();
        for segment in segments_of(ring, range) {
            for &key in commons.keys.keys_of(segment) {
                let hash = self.disk.table.hash(key);
                if hash != 0 {
                    let leaf = merkle::leaf_of(commons.keys.position(key).wrapping_sub(start), length, depth);
                    entries.push(LeafEntry { leaf, key, hash });
                }
            }
        }
        Tree::from_leaves(depth, entries)
    }

    /// Somebody wants to compare these ranges.
    pub(super) fn on_roots(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        from: NodeId,
        op: OpId,
        roots: &[RangeRoot],
        out: &mut Outputs,
    ) {
        let exchanges = &self.memory.exchanges;
        let answered = exchanges.conversations.values().filter(|c| !c.begun_here).count();
        // Two nodes that begin at once would send everything twice: the smaller one's conversation goes on.
        let crossed = exchanges.begun_with(from) && self.id < from;
        let number = self.open_conversation(commons, now, op, from, false, out);
        if answered >= ANSWERED_MAX || crossed {
            self.say_done(number, out);
            return;
        }
        let ring = self.placement(commons).ring.clone();
        let depth = commons.config.anti_entropy.map_or(0, |config| u32::from(config.depth));
        let mut differing = Vec::new();
        for theirs in roots {
            let range = theirs.range;
            let is_range = ring.range_ends().binary_search(&range).is_ok();
            if !is_range || !ring.holds(self.id, range) || !ring.holds(from, range) {
                continue;
            }
            let mine = self.range_root(&ring, range);
            if mine.segments == theirs.segments && mine.root != theirs.root {
                let tree = self.range_tree(commons, &ring, range, depth);
                self.memory
                    .exchanges
                    .conversations
                    .get_mut(&number)
                    .expect("it was opened here")
                    .trees
                    .insert(range, tree);
                differing.push((range, vec![0]));
            }
        }
        self.go_down(commons, now, number, 1, 0, differing, out);
    }

    /// The other's hashes of the children of nodes that differ.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn on_children(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        number: u32,
        step: u32,
        level: u32,
        branches: &[Branches],
        out: &mut Outputs,
    ) {
        if !self.is_step(number, step) {
            return;
        }
        self.build_trees(commons, number, branches.iter().map(|b| b.range));
        let mut differing = Vec::new();
        let conversation = &self.memory.exchanges.conversations[&number];
        for theirs in branches {
            if let Some(tree) = conversation.trees.get(&theirs.range) {
                self.stats.hashes += theirs.hashes.len() as u64;
                let nodes = merkle::differing_children(tree, &theirs.hashes, level, &theirs.nodes);
                if !nodes.is_empty() {
                    differing.push((theirs.range, nodes));
                }
            }
        }
        self.go_down(commons, now, number, step + 1, level + 1, differing, out);
    }

    /// Whether this is the step of the descent that is waited for.
    fn is_step(&self, number: u32, step: u32) -> bool {
        matches!(self.memory.exchanges.conversations[&number].turn, Turn::Descend { step: awaited } if awaited == step)
    }

    /// The side that began has no trees before it hears which ranges differ.
    fn build_trees(&mut self, commons: &mut Commons, number: u32, ranges: impl Iterator<Item = SegmentId>) {
        let ring = self.placement(commons).ring.clone();
        let depth = commons.config.anti_entropy.map_or(0, |config| u32::from(config.depth));
        for range in ranges {
            let built = self.memory.exchanges.conversations[&number].trees.contains_key(&range);
            // The ring may have changed since the roots were sent.
            if !built && ring.range_ends().binary_search(&range).is_ok() {
                let tree = self.range_tree(commons, &ring, range, depth);
                self.memory
                    .exchanges
                    .conversations
                    .get_mut(&number)
                    .expect("the caller found it")
                    .trees
                    .insert(range, tree);
            }
        }
    }

    /// These nodes of a level differ: sends what lies below them.
    #[allow(clippy::too_many_arguments)]
    fn go_down(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        number: u32,
        step: u32,
        level: u32,
        differing: Vec<(SegmentId, Vec<u32>)>,
        out: &mut Outputs,
    ) {
        if differing.is_empty() {
            self.say_done(number, out);
            return;
        }
        let depth = commons.config.anti_entropy.map_or(0, |config| u32::from(config.depth));
        let conversation = self.memory.exchanges.conversations.get_mut(&number).expect("the caller found it");
        if level == depth {
            let mut leaves = Vec::new();
            for (range, nodes) in differing {
                let tree = &conversation.trees[&range];
                leaves.extend(nodes.into_iter().map(|leaf| LeafKeys {
                    range,
                    leaf,
                    entries: tree.leaf_keys(leaf).to_vec(),
                }));
            }
            self.read_leaves(commons, now, number, step, leaves, out);
        } else {
            conversation.turn = Turn::Descend { step: step + 1 };
            let branches = differing
                .into_iter()
                .map(|(range, nodes)| Branches {
                    range,
                    hashes: conversation.trees[&range].children_of(level, &nodes),
                    nodes,
                })
                .collect();
            self.say_in_exchange(number, ExchangeMessage::Children { step, level, branches }, out);
        }
    }

    /// The other's keys in the leaves that differ: now it is clear which keys do.
    pub(super) fn on_leaves(
        &mut self,
        commons: &mut Commons,
        now: SimTime,
        number: u32,
        step: u32,
        leaves: &[LeafKeys],
        out: &mut Outputs,
    ) {
        if !self.is_step(number, step) {
            return;
        }
        self.build_trees(commons, number, leaves.iter().map(|l| l.range));
        let conversation =
            self.memory.exchanges.conversations.get_mut(&number).expect("its step was looked at just now");
        for theirs in leaves {
            let Some(tree) = conversation.trees.get(&theirs.range) else { continue };
            for difference in merkle::differing_keys(tree.leaf_keys(theirs.leaf), &theirs.entries) {
                match difference {
                    Difference::Missing(key) => conversation.wanted.push(key),
                    // Which of two differing sets is newer the hashes do not tell. The other side sends back what it
                    // turns out to have beyond ours.
                    Difference::RemoteMissing(key) | Difference::Different(key) => {
                        conversation.outbox.push_back((key, Siblings::new()));
                    }
                }
            }
        }
        conversation.trees.clear();
        conversation.turn = Turn::Send { last: Last::Want };
        self.send_keys(commons, now, number, out);
    }
}
