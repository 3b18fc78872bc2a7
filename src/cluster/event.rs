//! What lies in the agenda: small values, so that a million of them stay in few cache lines.

use crate::kernel::ids::{Endpoint, GroupId, NodeId, OpId, SessionId};
use crate::kernel::time::SimTime;
use crate::network::Leg;
use crate::node::message::Message;
use crate::node::outputs::{Timer, Wake};

/// Something that falls due.
#[derive(Debug)]
pub(super) enum Event {
    /// A message arrives.
    Deliver(Delivery),
    /// Work that a node set itself; void if the process has crashed since.
    Wake {
        node: NodeId,
        life: u32,
        wake: Wake,
    },
    /// The next arrival of an open group or a trace.
    Arrival(GroupId),
    /// A closed session goes on.
    Session(SessionId),
    /// The read of a `write_then_read`.
    ReadBack(OpId),
    /// A client hears that nobody takes this try of its operation.
    NoCoordinator(OpId, u16),
    /// A step of the script, for the so-manieth time.
    Step {
        step: u32,
        round: u32,
    },
    /// A fault ends.
    FaultEnds {
        fault: u32,
    },
    /// A window opens or closes.
    WindowOpens(u32),
    WindowCloses(u32),
    /// A bucket of the timeline is over.
    Bucket,
    /// A window of the load's balance is over.
    LoadWindow,
}

/// A message on its way.
#[derive(Debug)]
pub(super) struct Delivery {
    pub from: Endpoint,
    pub to: Endpoint,
    pub op: OpId,
    pub sent_at: SimTime,
    pub attempt: u16,
    pub leg: Leg,
    pub message: Message,
}

const _: () = assert!(size_of::<Event>() <= 72, "an event fits 72 bytes");

/// A timeout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RunTimer {
    /// Of a request at a node.
    Node(NodeId, Timer),
    /// Of a client: the operation and its try.
    Client(OpId, u16),
}
