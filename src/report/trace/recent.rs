//! Operations that messages may still speak of: their keys and steps, which most messages do not repeat.

use std::collections::{BTreeMap, VecDeque};

use smallvec::SmallVec;

use super::names::whole;
use crate::kernel::ids::{KeyId, NodeId, OpId};

/// How many operations are remembered, so that memory does not grow with the run.
const REMEMBERED: usize = 1 << 16;

/// The latest operations.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    ops: BTreeMap<OpId, Op>,
    order: VecDeque<OpId>,
}

/// One of them.
#[derive(Clone, Debug)]
struct Op {
    key: KeyId,
    /// The step that it is.
    step: Option<u32>,
    /// Who has stored what it wrote, or keeps it as a hint.
    stored_at: SmallVec<[NodeId; 4]>,
}

impl Recent {
    /// An operation has begun, by this step if it is a script's.
    pub fn begins(&mut self, op: OpId, key: KeyId, step: Option<u32>) {
        let op = whole(op);
        if self.ops.contains_key(&op) {
            return;
        }
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ops.remove(&oldest);
        }
        self.ops.insert(op, Op { key, step, stored_at: SmallVec::new() });
        self.order.push_back(op);
    }

    pub fn key(&self, op: OpId) -> Option<KeyId> {
        self.ops.get(&whole(op)).map(|op| op.key)
    }

    pub fn step(&self, op: OpId) -> Option<u32> {
        self.ops.get(&whole(op)).and_then(|op| op.step)
    }

    /// A node has stored what the operation wrote.
    pub fn stored(&mut self, op: OpId, node: NodeId) {
        if let Some(op) = self.ops.get_mut(&whole(op))
            && !op.stored_at.contains(&node)
        {
            op.stored_at.push(node);
        }
    }

    /// Whether a node has stored what the operation wrote, as far as that is remembered.
    pub fn may_be_stored(&self, op: OpId, node: NodeId) -> bool {
        self.ops.get(&whole(op)).is_none_or(|op| op.stored_at.contains(&node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ids::SessionId;

    #[test]
    fn the_oldest_operations_are_forgotten() {
        let op = |number: u32| OpId::of_session(SessionId(0), 2 * number);
        let mut recent = Recent::default();
        for number in 0..REMEMBERED as u32 + 1 {
            recent.begins(op(number), KeyId(number), (number == 1).then_some(7));
            recent.begins(op(number), KeyId(0), None);
        }
        assert_eq!((recent.key(op(0)), recent.key(op(1)), recent.step(op(1))), (None, Some(KeyId(1)), Some(7)));
        assert_eq!(recent.key(OpId(op(1).0 + 1)), Some(KeyId(1)), "both parts of an operation have its key");
        assert_eq!(recent.ops.len(), REMEMBERED);
        recent.stored(op(2), NodeId(1));
        assert_eq!([0, 1].map(|node| recent.may_be_stored(op(2), NodeId(node))), [false, true]);
        assert!(recent.may_be_stored(op(0), NodeId(1)), "who knows");
    }
}
