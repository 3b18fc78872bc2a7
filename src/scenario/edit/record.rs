//! What clients asked for in a run, request by request: as much as it takes to ask for it again.

use std::collections::BTreeMap;

use crate::history::{Interest, Observation, Observer, OpKind};
use crate::kernel::ids::{GroupId, KeyId, NodeId, OpId, SessionId};
use crate::kernel::time::{SimTime, Span};
use crate::network::{Fate, Leg};
use crate::node::message::{Message, Outcome};
use crate::version::Value;

/// One request of a client. An update is two, and so is a write that is read back.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// Its name.
    pub op: OpId,
    /// Who.
    pub group: GroupId,
    /// Which session.
    pub session: SessionId,
    /// A get, a put or a delete.
    pub kind: OpKind,
    /// The key.
    pub key: KeyId,
    /// When it left.
    pub began_at: SimTime,
    /// When its answer came, and how it ended.
    pub ended: Option<(SimTime, Outcome)>,
    /// The node contacted; nobody took the request if there is none.
    pub via: Option<NodeId>,
    /// The ways of the request and of its answer, as far as they were not lost: the node at the end, and how long it took.
    pub ways: [Option<(NodeId, Span)>; 2],
    /// What was written.
    pub value: Option<Value>,
}

impl Request {
    /// Whether it is the second request of an operation.
    pub fn is_second(&self) -> bool {
        self.op.number() % 2 == 1
    }
}

/// Watches a run and remembers all requests, in the order in which they began.
#[derive(Default)]
pub struct Recorder {
    /// All requests.
    pub requests: Vec<Request>,
    /// The operation that each step of the script began.
    pub of_steps: BTreeMap<u32, OpId>,
    places: BTreeMap<OpId, usize>,
    step: Option<u32>,
}

impl Recorder {
    fn request(&mut self, op: OpId) -> Option<&mut Request> {
        self.requests.get_mut(*self.places.get(&op)?)
    }
}

impl Observer for Recorder {
    fn interest(&self) -> Interest {
        Interest { operations: true, messages: true, faults: true, ..Interest::default() }
    }

    fn observe(&mut self, now: SimTime, observation: &Observation<'_>) {
        match observation {
            Observation::StepBegins { step } => self.step = Some(*step),
            Observation::Started { op, kind, group, session, key, .. } => {
                if op.is_scripted()
                    && let Some(step) = self.step.take()
                {
                    self.of_steps.insert(step, *op);
                }
                if *kind == OpKind::Update {
                    return;
                }
                self.places.insert(*op, self.requests.len());
                self.requests.push(Request {
                    op: *op,
                    group: *group,
                    session: *session,
                    kind: *kind,
                    key: *key,
                    began_at: now,
                    ended: None,
                    via: None,
                    ways: [None, None],
                    value: None,
                });
            }
            Observation::Sent { way, message, fate } if matches!(way.leg, Leg::ClientRequest | Leg::ClientResponse) => {
                let Some(request) = self.request(way.op) else { return };
                let took = match fate {
                    Fate::Deliver(at) | Fate::Twice(at, _) => Some(at.since(now)),
                    Fate::Lost(_) => None,
                };
                let end = way.to.as_node().or(way.from.as_node());
                let taken = end.zip(took);
                if way.leg == Leg::ClientResponse {
                    request.ways[1] = taken;
                    return;
                }
                request.via = end;
                request.ways[0] = taken;
                if let Message::Put { put, .. } = message {
                    request.value = Some(put.value.clone());
                }
            }
            Observation::Finished(finished) if finished.kind != OpKind::Update => {
                if let Some(request) = self.request(finished.op) {
                    request.ended = Some((now, finished.outcome));
                }
            }
            _ => {}
        }
    }
}
