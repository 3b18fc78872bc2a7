//! Operations that messages may still speak of: their keys and steps, which most messages do not repeat.

use std::collections::{BTreeMap, VecDeque};

use super::names::whole;
use crate::kernel::ids::{KeyId, OpId};

/// How many operations are remembered, so that memory does not grow with the run.
const REMEMBERED: usize = 1 << 16;

/// The latest operations.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    ops: BTreeMap<OpId, (KeyId, Option<u32>)>,
    order: VecDeque<OpId>,
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
        self.ops.insert(op, (key, step));
        self.order.push_back(op);
    }

    pub fn key(&self, op: OpId) -> Option<KeyId> {
        self.ops.get(&whole(op)).map(|(key, _)| *key)
    }

    pub fn step(&self, op: OpId) -> Option<u32> {
        self.ops.get(&whole(op)).and_then(|(_, step)| *step)
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
    }
}
