//! What was seen: finished operations and other observations, as the observers get them.
//!
//! Observers read and cannot touch. Whatever they do, the run is the same to the last bit.

pub mod staleness;

use std::sync::Arc;

use crate::kernel::ids::{Endpoint, GroupId, KeyId, NodeId, OpId, SessionId};
use crate::kernel::time::SimTime;
use crate::network::{self, Fate, Leg};
use crate::node::Node;
use crate::node::commons::Directory;
use crate::node::membership::Placement;
use crate::node::message::{Message, Outcome};
use crate::node::outputs::Note;
use crate::node::replica::DiskFate;
use crate::node::stats::Stats;
use crate::version::{Siblings, Version};

/// What was asked for, as it is counted. An update is one `Update`, and the get and the put that it is
/// made of are reported as such too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum OpKind {
    /// A read.
    Get,
    /// A write.
    Put,
    /// A delete.
    Delete,
    /// A get, a merge, a change and a put.
    Update,
}

/// One finished operation.
#[derive(Clone, Copy, Debug)]
pub struct Finished<'a> {
    /// Its name.
    pub op: OpId,
    /// Who.
    pub group: GroupId,
    /// Which session.
    pub session: SessionId,
    /// What.
    pub kind: OpKind,
    /// Whether it is a part of an update, whose whole is reported apart.
    pub part: bool,
    /// The key.
    pub key: KeyId,
    /// When it should have begun: latency counts from here.
    pub intended_at: SimTime,
    /// When the request was really sent.
    pub sent_at: SimTime,
    /// When the answer came, or the client gave up.
    pub ended_at: SimTime,
    /// How it ended.
    pub outcome: Outcome,
    /// Windows that were open when it began, a bit each.
    pub windows: u64,
    /// What was read; nothing for writes and failures.
    pub read: &'a Siblings,
    /// What was written, if the client was told.
    pub written: Option<&'a Version>,
    /// What the client knew when it wrote.
    pub context: &'a Siblings,
    /// All nodes, as they are now.
    pub nodes: &'a [Node],
    /// Where the keys lie.
    pub keys: &'a Directory,
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Observation<'a> {
    /// What a key holds when the run begins, at all its replicas.
    FirstValue {
        /// The key.
        key: KeyId,
        /// The version.
        version: &'a Version,
    },
    /// An operation has begun; the request leaves now.
    Started {
        /// Its name.
        op: OpId,
        /// What.
        kind: OpKind,
        /// Who.
        group: GroupId,
        /// Which session.
        session: SessionId,
        /// The key.
        key: KeyId,
        /// When it should have begun.
        intended_at: SimTime,
        /// Windows that are open.
        windows: u64,
        /// Whether it is a part of an update.
        part: bool,
    },
    /// An operation has ended.
    Finished(&'a Finished<'a>),
    /// A node's news.
    Node {
        /// Which.
        node: NodeId,
        /// What.
        note: &'a Note,
        /// All nodes, as they are after the step that gave the news.
        nodes: &'a [Node],
        /// Where the keys lie.
        keys: &'a Directory,
    },
    /// A node knows of a change of the membership; also told once at the beginning.
    Placed {
        /// The rings that follow from what it knows.
        placement: &'a Arc<Placement>,
        /// All nodes, as they are now.
        nodes: &'a [Node],
        /// Where the keys lie.
        keys: &'a Directory,
    },
    /// A message leaves its sender.
    Sent {
        /// From whom, to whom, for what.
        way: Way,
        /// What it says.
        message: &'a Message,
        /// What the network has in store for it.
        fate: Fate,
    },
    /// A message has come to the end of its way.
    Arrived {
        /// From whom, to whom, for what.
        way: Way,
        /// When it left.
        sent_at: SimTime,
        /// What it says.
        message: &'a Message,
        /// Who gets it.
        end: WayEnd,
    },
    /// A step of the script begins.
    StepBegins {
        /// Its number.
        step: u32,
    },
    /// A fault begins.
    FaultBegins {
        /// Number of its step.
        step: u32,
    },
    /// A fault ends.
    FaultEnds {
        /// Number of its step.
        step: u32,
    },
    /// A node stops working: crashed or paused.
    Down {
        /// Which.
        node: NodeId,
        /// Whether its process is gone; otherwise it goes on later.
        crashed: bool,
        /// All nodes, as they are now.
        nodes: &'a [Node],
        /// Where the keys lie.
        keys: &'a Directory,
    },
    /// It works again.
    Up {
        /// Which.
        node: NodeId,
        /// All nodes, as they are now.
        nodes: &'a [Node],
        /// Where the keys lie.
        keys: &'a Directory,
    },
    /// A crash or a wipe may have taken data of a node.
    DataLost {
        /// Which.
        node: NodeId,
        /// What the crash left of the disk; nothing for a wipe of a running node.
        crash: Option<DiskFate>,
        /// All nodes, as they are after the loss.
        nodes: &'a [Node],
        /// Where the keys lie.
        keys: &'a Directory,
    },
    /// The run is over; this is how it has left everything.
    Over(&'a Ending<'a>),
    /// A window opens.
    WindowOpens {
        /// Number of the window.
        window: u32,
        /// The totals so far.
        totals: &'a Totals<'a>,
    },
    /// A window closes.
    WindowCloses {
        /// Number of the window.
        window: u32,
        /// The totals so far.
        totals: &'a Totals<'a>,
    },
    /// A bucket of the timeline is over.
    Bucket {
        /// The totals so far.
        totals: &'a Totals<'a>,
    },
    /// A window of the load's balance is over.
    LoadWindow {
        /// The totals so far.
        totals: &'a Totals<'a>,
    },
}

/// How a run has left everything.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// All nodes.
    pub nodes: &'a [Node],
    /// Which of them run.
    pub up: &'a [bool],
    /// Where the keys lie.
    pub keys: &'a Directory,
    /// The ring that most changes of the membership have led to; nothing if no node is a member.
    pub placement: Option<&'a Placement>,
    /// Totals of the network.
    pub network: &'a network::Totals,
    /// Messages that have come to the end of their way, other than those of a node to itself.
    pub arrived: u64,
    /// Messages still on their way.
    pub under_way: u64,
}

/// A message's way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    /// Who sent it.
    pub from: Endpoint,
    /// Who is to get it.
    pub to: Endpoint,
    /// The operation or conversation it belongs to.
    pub op: OpId,
    /// Which try of the client's it is.
    pub attempt: u16,
    /// Which leg it travels.
    pub leg: Leg,
}

/// What meets a message at the end of its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WayEnd {
    /// Its receiver takes it.
    Taken,
    /// A cut or a lossy link caught it.
    Stopped,
    /// Its receiver has crashed.
    ReceiverDown,
    /// Its receiver is paused, and takes it when it goes on.
    ReceiverPaused,
}

/// Running totals at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Totals<'a> {
    /// Of each node, in order.
    pub nodes: &'a [Stats],
    /// Of the network.
    pub network: &'a network::Totals,
    /// Distinct views of the membership among running members, and the share of pairs of them that agree.
    pub agreement: f64,
}

/// What an observer wants to hear. The union is kept in front, so that what nobody wants is never built.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Interest {
    /// Operations.
    pub operations: bool,
    /// Nodes' notes that come now and then: hints, suspicions, membership.
    pub notes: bool,
    /// Nodes' notes that come with every write: what coordinators make and replicas store.
    pub changes: bool,
    /// Nodes' notes of storage tasks that had to wait.
    pub waits: bool,
    /// Every message, as it leaves and as it arrives.
    pub messages: bool,
    /// Steps of the script, faults, and nodes going down and up.
    pub faults: bool,
    /// Windows and buckets, with the totals.
    pub totals: bool,
    /// Nodes' notes of rare states.
    pub marks: bool,
    /// Nodes' notes of whose answers reads are made of.
    pub reads: bool,
}

impl Interest {
    /// All of it.
    pub const ALL: Interest = Interest {
        operations: true,
        notes: true,
        changes: true,
        waits: true,
        messages: true,
        faults: true,
        totals: true,
        marks: true,
        reads: true,
    };
}

/// Somebody who watches.
pub trait Observer {
    /// What it wants to hear.
    fn interest(&self) -> Interest;
    /// Hears it.
    fn observe(&mut self, now: SimTime, observation: &Observation<'_>);
}
