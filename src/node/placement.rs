//! The rings that follow from a view (Dynamo §4.8.1, §4.9): the changes in force make the ring that serves
//! requests, and the next pending one says who is gaining what.
//!
//! Which changes are in force is a function of the view alone, so nodes with equal views agree. Beginning
//! with the joins of the initial members, a change comes into force when all who gain a range by it are
//! ready: for exactly this step, from these changes in force to those with the new one. So readiness that was
//! announced without knowing of an earlier change does not count for more than it says, and a change that was
//! completed by nodes who had not heard of an earlier one stays in force when they hear of it. Only the first
//! pending change is worked on: what moves depends on those before it.
//!
//! A ring is computed when somebody asks for it, once for all nodes, from the ring before it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::kernel::ids::{NodeId, SegmentId};
use crate::ring::{Layout, Move, Ring, RingKind, movement};

use super::commons::Directory;
use super::membership::{ChangeKind, ChangeLog};
use super::view::{View, hash_of};

/// Entries of rings that are kept: 64 MB.
const RING_ENTRIES_MAX: usize = 1 << 24;
/// Rings that are kept at least, and at most.
const RINGS: std::ops::RangeInclusive<usize> = 3..=64;
const STEPS_MAX: usize = 128;
const PLACEMENTS_MAX: usize = 64;

/// What one change moves, from the changes in force before it.
#[derive(Debug)]
pub struct Step {
    /// Number of the change.
    pub change: u32,
    /// Names the changes in force with this one.
    pub to: u128,
    /// The ring before; none if nobody was a member.
    pub before: Option<Arc<Ring>>,
    /// The ring after; none if nobody is a member.
    pub after: Option<Arc<Ring>>,
    /// Segments that change hands, ascending.
    pub moves: Vec<Move>,
    /// Who gains, ascending.
    pub gainers: Vec<NodeId>,
    /// Who loses, ascending.
    pub losers: Vec<NodeId>,
    /// Copies of keys that this change has to move: keys of each segment times its gainers, when the change was first looked at.
    pub copies: u64,
}

impl Step {
    /// Nodes that gain or lose a range.
    pub fn nodes_affected(&self) -> usize {
        self.gainers.len() + self.losers.iter().filter(|node| self.gainers.binary_search(node).is_err()).count()
    }

    /// How a segment moves, if it does.
    pub fn move_of(&self, segment: SegmentId) -> Option<&Move> {
        self.moves.binary_search_by_key(&segment, |m| m.segment).ok().map(|place| &self.moves[place])
    }

    /// Whether a node gives a segment up.
    pub fn gives_up(&self, node: NodeId, segment: SegmentId) -> bool {
        self.move_of(segment).is_some_and(|m| m.losers.contains(&node))
    }

    /// Copies that this change has to move by what is known of the keys now.
    pub fn copies_of(&self, keys: &Directory) -> u64 {
        self.moves.iter().map(|m| (keys.keys_of(m.segment).len() * m.gainers.len()) as u64).sum()
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
    /// Changes in force beyond the joins of the initial members, ascending.
    pub in_force: Vec<u32>,
    /// Names the changes in force.
    pub name: u128,
    /// The pending change that is worked on.
    pub step: Option<Arc<Step>>,
    /// All pending changes, in order.
    pub pending: Vec<u32>,
}

impl Placement {
    /// Whether a change is in force.
    pub fn is_in_force(&self, change: u32) -> bool {
        self.in_force.binary_search(&change).is_ok()
    }
}

/// The rings of a run, each computed once as long as there is room.
#[derive(Debug, Default)]
pub struct Rings {
    rings: VecDeque<(u128, Option<Arc<Ring>>)>,
    steps: VecDeque<((u128, u32), Arc<Step>)>,
    placements: VecDeque<(u128, Arc<Placement>)>,
    /// The latest step of each change, for measurement.
    by_change: BTreeMap<u32, StepSize>,
}

/// How much a change had to move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StepSize {
    /// Copies of keys, see [`Step::copies`].
    pub copies: u64,
    /// See [`Step::nodes_affected`].
    pub nodes_affected: u32,
}

impl Rings {
    /// What follows from a view.
    pub fn placement(&mut self, layout: &Layout, changes: &ChangeLog, keys: &Directory, view: &View) -> Arc<Placement> {
        if let Some((_, found)) = self.placements.iter().rev().find(|(hash, _)| *hash == view.hash()) {
            return Arc::clone(found);
        }
        let placement = Arc::new(self.resolve(layout, changes, keys, view));
        if self.placements.len() == PLACEMENTS_MAX {
            self.placements.pop_front();
        }
        self.placements.push_back((view.hash(), Arc::clone(&placement)));
        placement
    }

    /// How much a change had to move, if its movement was ever looked at: its step as it was looked at last.
    pub fn size_of(&self, change: u32) -> Option<StepSize> {
        self.by_change.get(&change).copied()
    }

    fn resolve(&mut self, layout: &Layout, changes: &ChangeLog, keys: &Directory, view: &View) -> Placement {
        let mut force = Force::new(layout, changes, view);
        let mut pending: Vec<u32> =
            changes.structural().iter().copied().filter(|&number| view.contains(number)).collect();
        let mut worked_on = None;
        let mut at = 0;
        while at < pending.len() {
            let number = pending[at];
            let kind = changes.get(number).kind;
            if pending[..at]
                .iter()
                .any(|&earlier| kind.nodes().iter().any(|n| changes.get(earlier).kind.nodes().contains(n)))
            {
                at += 1;
                continue;
            }
            if !force.is_possible(kind) {
                // Somebody announced what was so already, or a leave that would leave nobody.
                pending.remove(at);
                continue;
            }
            let to = force.name ^ hash_of(number);
            let completed = if changes.get(number).moves_nothing {
                true
            } else if worked_on.is_none() || changes.anybody_ready(to) {
                let step = self.step(layout, changes, keys, &force, number);
                let ready = |&node: &NodeId| changes.ready(to, node).is_some_and(|ready| view.contains(ready));
                let completed = step.gainers.iter().all(ready);
                if !completed {
                    worked_on.get_or_insert(step);
                }
                completed
            } else {
                false
            };
            if completed {
                force.add(changes, number);
                pending.remove(at);
                worked_on = None;
                at = 0;
            } else if let Some(leave) = is_withdrawn(changes, &pending[at..], kind) {
                // Who is told to leave before its join is in place never had anything.
                pending.remove(at + leave);
                pending.remove(at);
                worked_on = None;
                at = 0;
            } else {
                at += 1;
            }
        }
        // A node that knows of no member with data still has to answer somehow: by the ring it was installed with.
        let ring = self
            .ring(layout, changes, &force)
            .unwrap_or_else(|| Arc::new(layout.initial_ring(&layout.config().initial_members)));
        let mut gaining: BTreeMap<SegmentId, SmallVec<[NodeId; 2]>> = BTreeMap::new();
        for m in worked_on.iter().flat_map(|step| &step.moves) {
            if !m.gainers.is_empty() {
                gaining.insert(m.segment, m.gainers.iter().copied().collect());
            }
        }
        Placement {
            view: view.hash(),
            ring,
            gaining,
            in_force: force.numbers,
            name: force.name,
            step: worked_on,
            pending,
        }
    }

    fn step(&mut self, layout: &Layout, changes: &ChangeLog, keys: &Directory, from: &Force, number: u32) -> Arc<Step> {
        if let Some((_, step)) = self.steps.iter().rev().find(|(at, _)| *at == (from.name, number)) {
            return Arc::clone(step);
        }
        let mut with = from.clone();
        with.add(changes, number);
        let (before, after) = (self.ring(layout, changes, from), self.ring(layout, changes, &with));
        let moves = match (&before, &after) {
            (Some(before), Some(after)) => movement(before, after, before.replicas()),
            _ => Vec::new(),
        };
        let sorted = |nodes: &mut dyn Iterator<Item = NodeId>| {
            let mut nodes: Vec<NodeId> = nodes.collect();
            nodes.sort_unstable();
            nodes.dedup();
            nodes
        };
        let mut step = Step {
            change: number,
            to: with.name,
            before,
            after,
            gainers: sorted(&mut moves.iter().flat_map(|m| m.gainers.iter().copied())),
            losers: sorted(&mut moves.iter().flat_map(|m| m.losers.iter().copied())),
            moves,
            copies: 0,
        };
        step.copies = step.copies_of(keys);
        let size = StepSize { copies: step.copies, nodes_affected: step.nodes_affected() as u32 };
        self.by_change.insert(number, size);
        let step = Arc::new(step);
        if self.steps.len() == STEPS_MAX {
            self.steps.pop_front();
        }
        self.steps.push_back(((from.name, number), Arc::clone(&step)));
        step
    }

    /// The ring of these changes: from the longest known beginning of them, change by change.
    fn ring(&mut self, layout: &Layout, changes: &ChangeLog, force: &Force) -> Option<Arc<Ring>> {
        let mut name = force.name;
        let mut from = force.numbers.len();
        let mut ring = loop {
            if let Some((_, ring)) = self.rings.iter().rev().find(|(of, _)| *of == name) {
                break ring.clone();
            }
            if from == 0 {
                let ring = (!force.initial.is_empty()).then(|| Arc::new(layout.initial_ring(&force.initial)));
                self.keep(name, &ring);
                break ring;
            }
            from -= 1;
            name ^= hash_of(force.numbers[from]);
        };
        if force.numbers.len() - from > 1
            && let Some(direct) = force.tokens_of_members(layout, changes)
        {
            let direct = Some(Arc::new(direct));
            self.keep(force.name, &direct);
            return direct;
        }
        for &number in &force.numbers[from..] {
            ring = apply(layout, ring, changes.get(number).kind);
            name ^= hash_of(number);
            self.keep(name, &ring);
        }
        ring
    }

    fn keep(&mut self, name: u128, ring: &Option<Arc<Ring>>) {
        let entries = ring.as_ref().map_or(1, |ring| ring.segments() as usize * ring.list(SegmentId(0)).len());
        let room = (RING_ENTRIES_MAX / entries.max(1)).clamp(*RINGS.start(), *RINGS.end());
        while self.rings.len() >= room {
            self.rings.pop_front();
        }
        self.rings.push_back((name, ring.clone()));
    }
}

/// The position, counted from the change itself, of a leave that withdraws a pending join.
fn is_withdrawn(changes: &ChangeLog, pending: &[u32], kind: ChangeKind) -> Option<usize> {
    let ChangeKind::Join(node) = kind else { return None };
    let next = (1..pending.len()).find(|&i| changes.get(pending[i]).kind.nodes().contains(&node))?;
    (changes.get(pending[next]).kind == ChangeKind::Leave(node)).then_some(next)
}

fn holds_data(layout: &Layout, node: NodeId) -> bool {
    layout.config().nodes[node.index()].capacity > 0.0
}

fn apply(layout: &Layout, ring: Option<Arc<Ring>>, kind: ChangeKind) -> Option<Arc<Ring>> {
    let Some(ring) = ring else {
        // The first node of a ring that knows nothing of the initial members owns all of it.
        return match kind {
            ChangeKind::Join(node) if holds_data(layout, node) => Some(Arc::new(layout.initial_ring(&[node]))),
            _ => None,
        };
    };
    match kind {
        ChangeKind::Join(node) if !ring.is_member(node) => Some(Arc::new(layout.after_join(&ring, node))),
        ChangeKind::Leave(node)
            if ring.is_member(node) && ring.members().iter().any(|&m| m != node && holds_data(layout, m)) =>
        {
            Some(Arc::new(layout.after_leave(&ring, node)))
        }
        ChangeKind::Replace { old, new } if ring.is_member(old) && !ring.is_member(new) => {
            Some(Arc::new(layout.after_replace(&ring, old, new)))
        }
        ChangeKind::Join(_) | ChangeKind::Leave(_) | ChangeKind::Replace { .. } | ChangeKind::Ready { .. } => {
            Some(ring)
        }
    }
}

/// The changes in force.
#[derive(Clone)]
struct Force {
    /// Initial members that the view knows of.
    initial: Vec<NodeId>,
    name: u128,
    numbers: Vec<u32>,
    members: Vec<bool>,
    holders: u32,
    capacity: Vec<bool>,
    replaced: bool,
}

impl Force {
    fn new(layout: &Layout, changes: &ChangeLog, view: &View) -> Force {
        let capacity: Vec<bool> = layout.config().nodes.iter().map(|node| node.capacity > 0.0).collect();
        let mut force = Force {
            initial: Vec::new(),
            name: 0,
            numbers: Vec::new(),
            members: vec![false; capacity.len()],
            holders: 0,
            capacity,
            replaced: false,
        };
        for number in (0..changes.initial()).filter(|&number| view.contains(number)) {
            let ChangeKind::Join(node) = changes.get(number).kind else {
                unreachable!("the initial changes are joins")
            };
            force.initial.push(node);
            force.name ^= hash_of(number);
            force.set(node, true);
        }
        if force.holders == 0 {
            force.initial.clear();
        }
        force
    }

    fn set(&mut self, node: NodeId, member: bool) {
        let holds = u32::from(self.capacity[node.index()]);
        match (self.members[node.index()], member) {
            (false, true) => self.holders += holds,
            (true, false) => self.holders -= holds,
            (true, true) | (false, false) => {}
        }
        self.members[node.index()] = member;
    }

    fn is_possible(&self, kind: ChangeKind) -> bool {
        let is_member = |node: NodeId| self.members[node.index()];
        let others = |node: NodeId| self.holders > u32::from(is_member(node) && self.capacity[node.index()]);
        match kind {
            ChangeKind::Join(node) => !is_member(node),
            ChangeKind::Leave(node) => is_member(node) && others(node),
            ChangeKind::Replace { old, new } => {
                is_member(old) && !is_member(new) && (others(old) || self.capacity[new.index()])
            }
            ChangeKind::Ready { .. } => false,
        }
    }

    fn add(&mut self, changes: &ChangeLog, number: u32) {
        match changes.get(number).kind {
            ChangeKind::Join(node) => self.set(node, true),
            ChangeKind::Leave(node) => self.set(node, false),
            ChangeKind::Replace { old, new } => {
                self.set(new, true);
                self.set(old, false);
                self.replaced = true;
            }
            ChangeKind::Ready { .. } => unreachable!("readiness is not a step"),
        }
        self.name ^= hash_of(number);
        let at = self.numbers.partition_point(|&other| other < number);
        self.numbers.insert(at, number);
    }

    /// The ring at once, where it depends on who is a member and not on the way there.
    fn tokens_of_members(&self, layout: &Layout, _changes: &ChangeLog) -> Option<Ring> {
        let by_members = match layout.config().kind {
            RingKind::RandomTokens { .. }
            | RingKind::RandomTokensOverPartitions { .. }
            | RingKind::Tokens(_)
            | RingKind::Modulo => true,
            RingKind::EqualPartitions { .. } | RingKind::Owners(_) => false,
        };
        if !by_members || self.replaced || self.holders == 0 {
            return None;
        }
        let members: Vec<NodeId> =
            (0..self.members.len() as u32).map(NodeId).filter(|node| self.members[node.index()]).collect();
        Some(layout.initial_ring(&members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::SimTime;
    use crate::node::world::{Plan, World};

    fn announce(world: &mut World, kind: ChangeKind) -> u32 {
        world.commons.changes.announce(SimTime(1), kind, false)
    }

    /// Everybody who gains by the pending change of this view says that it is ready.
    fn complete(world: &mut World, view: &mut View) {
        let step = world.commons.placement(view).step.clone().expect("a change is pending");
        for &by in &step.gainers {
            view.insert(announce(world, ChangeKind::Ready { change: step.change, by, to: step.to }));
        }
    }

    #[test]
    fn a_change_is_in_force_when_all_who_gain_are_ready() {
        let mut world = World::new(Plan::new(5, 1));
        world.fill(100);
        let mut view = world.nodes[0].view().clone();
        let join = announce(&mut world, ChangeKind::Join(NodeId(5)));
        view.insert(join);
        let pending = world.commons.placement(&view);
        let step = pending.step.clone().expect("the join is pending");
        assert!(!pending.is_in_force(join) && !pending.ring.is_member(NodeId(5)));
        assert!(step.moves.iter().all(|m| pending.gaining[&m.segment].iter().eq(m.gainers.iter())));
        let stranger = announce(&mut world, ChangeKind::Ready { change: join, by: NodeId(5), to: step.to + 1 });
        view.insert(stranger);
        assert!(!world.commons.placement(&view).is_in_force(join), "ready for another step does not count");
        complete(&mut world, &mut view);
        let done = world.commons.placement(&view);
        assert!(done.is_in_force(join) && done.ring.is_member(NodeId(5)) && done.gaining.is_empty());
    }

    #[test]
    fn a_change_heard_of_late_does_not_undo_one_in_force() {
        let mut world = World::new(Plan::new(5, 2));
        world.fill(100);
        let mut view = world.nodes[0].view().clone();
        let early = announce(&mut world, ChangeKind::Join(NodeId(5)));
        let late = announce(&mut world, ChangeKind::Join(NodeId(6)));
        view.insert(late);
        complete(&mut world, &mut view);
        assert!(world.commons.placement(&view).is_in_force(late));
        view.insert(early);
        let placement = world.commons.placement(&view);
        assert!(placement.is_in_force(late));
        assert_eq!(placement.pending, [early]);
        complete(&mut world, &mut view);
        assert_eq!(world.commons.placement(&view).in_force, [early, late]);
    }

    #[test]
    fn a_leave_withdraws_a_join_that_is_not_in_place() {
        let mut world = World::new(Plan::new(5, 1));
        world.fill(100);
        let mut view = world.nodes[0].view().clone();
        let before = world.commons.placement(&view);
        view.insert(announce(&mut world, ChangeKind::Join(NodeId(5))));
        view.insert(announce(&mut world, ChangeKind::Leave(NodeId(5))));
        let after = world.commons.placement(&view);
        assert!(after.pending.is_empty() && after.step.is_none());
        assert_eq!(after.ring, before.ring);
    }

    #[test]
    fn the_ring_of_tokens_does_not_depend_on_the_way_there() {
        let mut world = World::new(Plan { kind: RingKind::RandomTokens { per_node: 4 }, ..Plan::new(5, 2) });
        let mut view = world.nodes[0].view().clone();
        for kind in [ChangeKind::Join(NodeId(5)), ChangeKind::Leave(NodeId(2)), ChangeKind::Join(NodeId(6))] {
            view.insert(world.commons.changes.announce(SimTime(1), kind, true));
        }
        let at_once = world.commons.placement(&view);
        let mut step_by_step = Rings::default();
        let World { commons, .. } = &mut world;
        for count in 6..=8 {
            let placement =
                step_by_step.placement(&commons.layout, &commons.changes, &commons.keys, &View::below(count));
            assert_eq!(placement.in_force.len() as u32, count - 5);
        }
        let last = step_by_step.placement(&commons.layout, &commons.changes, &commons.keys, &view);
        assert_eq!(last.ring, at_once.ring);
        assert_eq!(last.ring.members(), [0, 1, 3, 4, 5, 6].map(NodeId));
    }

    #[test]
    fn a_view_of_nobody_falls_back_on_the_ring_of_the_installation() {
        let mut world = World::new(Plan::new(5, 1));
        let placement = world.commons.placement(&View::empty());
        assert_eq!(placement.ring.members().len(), 5);
        let mut alone = View::empty();
        alone.insert(world.commons.changes.announce(SimTime(1), ChangeKind::Join(NodeId(5)), false));
        assert_eq!(world.commons.placement(&alone).ring.members(), [NodeId(5)]);
    }
}
