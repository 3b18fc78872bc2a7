//! The requests a node is leading: a slab whose ids are never used twice, and the tally of one request.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::kernel::ids::{Endpoint, KeyId, NodeId, OpId};
use crate::kernel::time::SimTime;
use crate::node::config::ProfileId;
use crate::node::marks::Mark;
use crate::node::message::{Put, RequestId};
use crate::node::outputs::Asked;
use crate::version::{Siblings, Version};

/// What is known of one node that a request was sent to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Asked, no answer yet.
    Waiting,
    /// Asked, and the peer timeout has passed. A late answer still counts.
    Silent,
    /// Answered.
    Answered,
    /// Answered that its disk failed.
    Failed,
}

/// One node that a request was sent to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// The node.
    pub node: NodeId,
    /// The owner it stands in for.
    pub owner: Option<NodeId>,
    /// Whether its answer counts towards R or W.
    pub counts: bool,
    /// What is known.
    pub standing: Standing,
}

/// The repairs that a blocking read waits for.
#[derive(Debug)]
pub struct Repairing {
    /// Whose answer is due: the node, and the version that it lacked.
    pub due: Vec<(NodeId, Version)>,
    /// How many answers there were when the read turned to repairing. Who answers later is not repaired before the
    /// reply, and is no part of it.
    pub replies: usize,
}

/// What a request does.
#[derive(Debug)]
pub enum Work {
    /// Reads, and collects the answers: index of the target, what it holds.
    Get {
        /// The answers so far.
        replies: SmallVec<[(u8, Siblings); 3]>,
        /// The node that answered first.
        fastest: NodeId,
        /// What a blocking read waits for, once it has found out that it must.
        repairing: Option<Box<Repairing>>,
        /// Whether this read repairs what it finds stale.
        repairs: bool,
    },
    /// Writes this version. Until the local read that must come first is done, there is none.
    Put {
        /// The version.
        version: Option<Version>,
    },
    /// Has passed the write on and waits to hear that it was taken over.
    Forward {
        /// The write, to pass on again if the other is silent.
        put: Arc<Put>,
        /// To whom it went, the last one last. None gets it twice: it might lead it twice.
        tried: SmallVec<[NodeId; 3]>,
    },
}

/// One request.
#[derive(Debug)]
pub struct Request {
    /// The client's operation.
    pub op: OpId,
    /// Which try of the client's.
    pub attempt: u16,
    /// Who gets the reply.
    pub client: Endpoint,
    /// The key.
    pub key: KeyId,
    /// N, R, W.
    pub profile: ProfileId,
    /// Counting answers needed.
    pub need: u8,
    /// Counting answers so far.
    pub counted: u8,
    /// Whether the client has its reply.
    pub replied: bool,
    /// When it did, for reads that wait for late answers.
    pub replied_at: SimTime,
    /// Where in the preference list the next stand-in is looked for.
    pub next: u16,
    /// When it began.
    pub began_at: SimTime,
    /// Whom it was sent to.
    pub targets: SmallVec<[Target; 4]>,
    /// What it does.
    pub work: Work,
}

impl Request {
    /// Who waits for the answer, and for what.
    pub fn asked(&self) -> Asked {
        Asked { client: self.client, op: self.op, attempt: self.attempt, key: self.key, profile: self.profile }
    }

    /// Takes the answer of a node. Returns the target's index, or `None` if the node was not asked or has answered already.
    pub fn answered(&mut self, from: NodeId, well: bool) -> Option<usize> {
        let index = self
            .targets
            .iter()
            .position(|t| t.node == from && matches!(t.standing, Standing::Waiting | Standing::Silent))?;
        let target = &mut self.targets[index];
        if well {
            target.standing = Standing::Answered;
            self.counted += u8::from(target.counts);
        } else {
            target.standing = Standing::Failed;
        }
        Some(index)
    }

    /// Whether the node was asked, for itself or for another.
    pub fn has_tried(&self, node: NodeId) -> bool {
        self.targets.iter().any(|target| target.node == node)
    }

    /// Whether as many counting answers are in as are needed.
    pub fn enough(&self) -> bool {
        self.counted >= self.need
    }

    /// Whether some node may still answer within its time.
    pub fn waiting(&self) -> bool {
        self.targets.iter().any(|t| t.standing == Standing::Waiting)
    }

    /// Whether as many counting answers can still come as are needed, if no other node is asked.
    pub fn can_succeed(&self) -> bool {
        let open = self
            .targets
            .iter()
            .filter(|t| t.counts && matches!(t.standing, Standing::Waiting | Standing::Silent))
            .count();
        usize::from(self.counted) + open >= usize::from(self.need)
    }
}

/// Requests under way. Memory, not disk: a crash forgets them.
#[derive(Debug)]
pub struct Requests {
    slots: Vec<(u32, Option<Request>)>,
    free: Vec<u32>,
    /// Generation for slots not used before in this life.
    base: u32,
}

impl Requests {
    /// No requests. `life` is how often the process has started: ids of different lives differ.
    pub fn new(life: u32) -> Requests {
        // 2^22 uses of one slot in one life, 1 024 lives; both far beyond any run, and checked.
        assert!(life < 1 << 10, "a node restarts fewer than 1 024 times");
        Requests { slots: Vec::new(), free: Vec::new(), base: life << 22 }
    }

    /// Adds a request.
    pub fn insert(&mut self, request: Request) -> RequestId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push((self.base, None));
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 requests at a time")
        });
        let entry = &mut self.slots[slot as usize];
        entry.1 = Some(request);
        RequestId(u64::from(entry.0) << 32 | u64::from(slot))
    }

    /// The request, if it is still under way.
    pub fn get_mut(&mut self, id: RequestId) -> Option<&mut Request> {
        let (generation, request) = self.slots.get_mut(id.0 as u32 as usize)?;
        if u64::from(*generation) == id.0 >> 32 { request.as_mut() } else { None }
    }

    /// Whether the request is still under way.
    pub fn contains(&self, id: RequestId) -> bool {
        self.slots
            .get(id.0 as u32 as usize)
            .is_some_and(|(generation, request)| u64::from(*generation) == id.0 >> 32 && request.is_some())
    }

    /// What it means that an answer comes to a request that is not there.
    pub fn mark_of_stray(&self, id: RequestId) -> Mark {
        if (id.0 >> 32) >> 22 < u64::from(self.base >> 22) { Mark::AnswerToEarlierLife } else { Mark::AnswerAfterEnd }
    }

    /// Ends a request.
    pub fn remove(&mut self, id: RequestId) -> Option<Request> {
        let slot = id.0 as u32;
        let (generation, request) = self.slots.get_mut(slot as usize)?;
        if u64::from(*generation) != id.0 >> 32 {
            return None;
        }
        let request = request.take()?;
        // A slot that has used up this life's generations is retired.
        if (*generation + 1) >> 22 == self.base >> 22 {
            *generation += 1;
            self.free.push(slot);
        }
        Some(request)
    }

    /// Ends a request that nobody needs any more, where it lies.
    pub fn end(&mut self, id: RequestId) {
        let slot = id.0 as u32;
        let Some((generation, request)) = self.slots.get_mut(slot as usize) else { return };
        if u64::from(*generation) != id.0 >> 32 || request.is_none() {
            return;
        }
        *request = None;
        if (*generation + 1) >> 22 == self.base >> 22 {
            *generation += 1;
            self.free.push(slot);
        }
    }

    /// Requests under way.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ids::SessionId;

    fn request() -> Request {
        Request {
            op: OpId::of_session(SessionId(0), 0),
            attempt: 0,
            client: Endpoint::client(SessionId(0)),
            key: KeyId(0),
            profile: ProfileId(0),
            need: 2,
            counted: 0,
            replied: false,
            replied_at: SimTime::ZERO,
            next: 3,
            began_at: SimTime::ZERO,
            targets: (0..3)
                .map(|n| Target { node: NodeId(n), owner: None, counts: true, standing: Standing::Waiting })
                .collect(),
            work: Work::Put { version: None },
        }
    }

    #[test]
    fn second_of_two_answers_is_enough() {
        let mut request = request();
        assert_eq!(request.answered(NodeId(2), true), Some(2));
        assert!(!request.enough());
        assert_eq!(request.answered(NodeId(0), true), Some(0));
        assert!(request.enough());
    }

    #[test]
    fn the_same_node_is_counted_once() {
        let mut request = request();
        request.answered(NodeId(2), true);
        assert_eq!(request.answered(NodeId(2), true), None);
        assert_eq!(request.counted, 1);
    }

    #[test]
    fn late_answer_of_a_silent_node_counts() {
        let mut request = request();
        for target in &mut request.targets {
            target.standing = Standing::Silent;
        }
        assert!(!request.waiting() && request.can_succeed());
        request.answered(NodeId(0), true);
        request.answered(NodeId(1), true);
        assert!(request.enough());
    }

    #[test]
    fn every_order_of_three_answers_is_enough_at_the_second_that_counts() {
        for (a, b, c) in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)] {
            let mut request = request();
            request.targets[2].counts = false;
            let mut counted = 0;
            for node in [a, b, c] {
                request.answered(NodeId(node), true);
                counted += u32::from(node != 2);
                assert_eq!(request.enough(), counted >= 2, "order {a}{b}{c} after {node}");
            }
        }
    }

    #[test]
    fn an_id_is_never_used_twice() {
        let mut requests = Requests::new(3);
        let first = requests.insert(request());
        assert!(requests.remove(first).is_some());
        let second = requests.insert(request());
        assert_ne!(first, second);
        assert!(requests.get_mut(first).is_none() && requests.get_mut(second).is_some());
        let mut next_life = Requests::new(4);
        let third = next_life.insert(request());
        assert!(third != first && third != second && !requests.contains(third));
    }
}
