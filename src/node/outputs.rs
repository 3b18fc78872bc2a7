//! What goes into a node and what comes out of it: values, to be printed and compared.

use smallvec::SmallVec;

use crate::kernel::ids::{Endpoint, KeyId, NodeId, OpId};
use crate::kernel::time::Span;
use crate::node::config::ProfileId;
use crate::node::marks::Mark;
use crate::node::message::{Message, Outcome, RequestId};
use crate::version::{Siblings, Version};

/// A timeout of a request. Those that share a length fire in the order in which they were set, and
/// most are stale by then; see [`crate::node::Node::timer_is_live`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// A peer has had time to answer.
    Peer(RequestId),
    /// The client has waited long enough.
    Deadline(RequestId),
    /// Late answers have had time to come.
    Late(RequestId),
}

impl Timer {
    /// The request it belongs to.
    pub const fn request(self) -> RequestId {
        match self {
            Timer::Peer(request) | Timer::Deadline(request) | Timer::Late(request) => request,
        }
    }
}

/// Work that a node set itself for later: service times and periodic tasks. A crash forgets it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wake {
    /// Storage has finished the task in this slot.
    Storage(u32),
    /// The periodic flush of the disk.
    Flush,
    /// The write buffer's writer.
    BufferWriter,
    /// A gossip round.
    Gossip,
    /// An anti-entropy round.
    AntiEntropy,
    /// The scan of the hint store.
    HintScan,
    /// The next batch of hints, after the throttle.
    HintBatch,
    /// A batch of hints has not been acknowledged in time.
    HintRetry(u32),
    /// Probes of suspects.
    Probe,
    /// Phi accrual's heartbeats.
    Heartbeat,
    /// Offers of ranges that have to move, and leftovers.
    Transfer,
    /// The next batch of a transfer, after the throttle.
    TransferBatch(u32),
    /// The next part of an exchange, after the throttle, or its timeout.
    Exchange(u32),
    /// The admission controller looks at its percentile.
    Admission,
    /// Tombstones that are old enough are removed.
    Reap,
    /// Late answers of a read have had their time.
    Late(RequestId),
    /// A recovered node stops waiting for its hints.
    Recovered,
}

/// What a node is given.
#[derive(Debug)]
pub enum Input {
    /// A message.
    Message {
        /// From whom.
        from: Endpoint,
        /// The operation it belongs to.
        op: OpId,
        /// Which try of the client's it is.
        attempt: u16,
        /// What it says.
        message: Message,
    },
    /// A request's timeout.
    Timer(Timer),
    /// Work set for now.
    Wake(Wake),
    /// The process has started: at the beginning, or after a crash.
    Start,
    /// The perfect detector has seen a peer go or come back.
    Peer {
        /// The peer.
        peer: NodeId,
        /// Whether it can be reached.
        reachable: bool,
    },
    /// An administrator's command.
    Admin(Admin),
    /// One background round now.
    Run {
        /// Which.
        task: Task,
        /// With whom.
        with: Option<NodeId>,
    },
}

/// An administrator's command, given at this node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admin {
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
}

/// A background task that a script can call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Task {
    /// One gossip exchange.
    Gossip,
    /// Anti-entropy of all ranges shared with the peer.
    AntiEntropy,
    /// One scan of the hint store.
    Hints,
}

/// Something worth telling the observers. Numbers that only add up are counted in
/// [`crate::node::stats::Stats`] instead.
#[derive(Clone, Debug)]
pub enum Note {
    /// A replica's copy of a key has changed.
    Applied {
        /// The key.
        key: KeyId,
        /// What was stored.
        version: Version,
        /// Which way it came.
        by: AppliedBy,
    },
    /// A stand-in holds a hint.
    HintStored {
        /// For whom.
        owner: NodeId,
        /// The key.
        key: KeyId,
        /// What.
        version: Version,
        /// How many hints for the same owner it made needless.
        replaced: u32,
    },
    /// The owner acknowledged a hint.
    HintDelivered {
        /// Who.
        owner: NodeId,
        /// The key.
        key: KeyId,
    },
    /// A hint was thrown away.
    HintDropped {
        /// For whom it was.
        owner: NodeId,
        /// The key.
        key: KeyId,
        /// Its time was over; otherwise the store was full.
        expired: bool,
    },
    /// A peer is no longer trusted.
    Suspected {
        /// Who.
        peer: NodeId,
    },
    /// A peer is trusted again.
    Trusted {
        /// Who.
        peer: NodeId,
    },
    /// A storage task had to wait for its turn, and does so no longer. Those that began at once are not told.
    Waited {
        /// For how long.
        waited: Span,
    },
    /// A coordinator made a version.
    Coordinated {
        /// The client's operation.
        op: OpId,
        /// The key.
        key: KeyId,
        /// The version.
        version: Version,
        /// What the client had seen when it wrote.
        context: Siblings,
    },
    /// A coordinator answers a client.
    Answered {
        /// The client's operation.
        op: OpId,
        /// Which try of it.
        attempt: u16,
        /// The key.
        key: KeyId,
        /// How it ended.
        outcome: Outcome,
        /// The version that a write made; nothing for reads.
        version: Option<Version>,
        /// The N, R and W that were asked for.
        profile: ProfileId,
    },
    /// A key has gone from this node's table: its tombstone was old enough, or others hold it now.
    Removed {
        /// The key.
        key: KeyId,
    },
    /// What the table holds is on disk now: of this key, or of all.
    Flushed {
        /// Which.
        key: Option<KeyId>,
    },
    /// A replica's answer to a read is fixed.
    Served {
        /// The client's operation.
        op: OpId,
        /// The key.
        key: KeyId,
    },
    /// A coordinator has enough answers to a read.
    Gathered {
        /// The client's operation.
        op: OpId,
        /// The key.
        key: KeyId,
        /// Whose answers count.
        from: SmallVec<[NodeId; 4]>,
    },
    /// Read repair sends a version to a replica whose answer lacked it.
    RepairSent {
        /// To whom.
        to: NodeId,
        /// The key.
        key: KeyId,
        /// What.
        version: Version,
    },
    /// This node's view of the membership has changed.
    ViewChanged,
    /// A membership change is in place: all copies are where they belong, as this node sees it.
    ChangeInPlace {
        /// Number of the change.
        change: u32,
    },
    /// One range has arrived whole at its new owner.
    RangeArrived {
        /// Keys that came.
        keys: u32,
        /// Bytes that came.
        bytes: u64,
    },
    /// A rare state is reached.
    Reached(Mark),
}

/// How a version came to a replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppliedBy {
    /// A coordinator's write.
    Write,
    /// Read repair.
    ReadRepair,
    /// Hinted handoff.
    Hint,
    /// Anti-entropy.
    AntiEntropy,
    /// Range transfer.
    Transfer,
}

/// One output.
#[derive(Debug)]
pub enum Output {
    /// A message.
    Send {
        /// To whom.
        to: Endpoint,
        /// The operation it belongs to.
        op: OpId,
        /// Which try of the client's it is.
        attempt: u16,
        /// What it says.
        message: Message,
    },
    /// A request's timeout.
    Timer {
        /// After how long.
        after: Span,
        /// Which.
        timer: Timer,
    },
    /// Work for later.
    Wake {
        /// After how long.
        after: Span,
        /// Which.
        wake: Wake,
    },
    /// News for the observers.
    Note(Note),
}

/// What a client asked for, as far as its answer needs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Who.
    pub client: Endpoint,
    /// Its operation.
    pub op: OpId,
    /// Which try of it.
    pub attempt: u16,
    /// The key.
    pub key: KeyId,
    /// N, R and W.
    pub profile: ProfileId,
}

/// Where a node puts its outputs: one list, reused for every step.
#[derive(Default, Debug)]
pub struct Outputs {
    items: Vec<Output>,
    /// Whether anybody listens to notes that come now and then; unheard ones are never built.
    pub notes_wanted: bool,
    /// Whether anybody listens to those that come with every write.
    pub changes_wanted: bool,
    /// Whether anybody asks how long storage tasks wait.
    pub waits_wanted: bool,
    /// Whether anybody asks which rare states are reached.
    pub marks_wanted: bool,
    /// Whether anybody asks whose answers reads are made of.
    pub reads_wanted: bool,
}

impl Outputs {
    /// An empty list; notes are built only if somebody hears them.
    pub fn heard(notes_wanted: bool, changes_wanted: bool, waits_wanted: bool) -> Outputs {
        Outputs { notes_wanted, changes_wanted, waits_wanted, ..Outputs::default() }
    }
    /// Sends a message.
    pub fn send(&mut self, to: Endpoint, op: OpId, attempt: u16, message: Message) {
        self.items.push(Output::Send { to, op, attempt, message });
    }
    /// Answers a client, and tells the observers.
    pub fn answer(&mut self, asked: Asked, reply: Message) {
        let Asked { client, op, attempt, key, profile } = asked;
        self.note_change(|| {
            let (outcome, version) = match &reply {
                Message::GetReply { outcome, .. } => (*outcome, None),
                Message::PutReply { outcome, version } => (*outcome, version.clone()),
                other => unreachable!("{other:?} is no answer to a client"),
            };
            Note::Answered { op, attempt, key, outcome, version, profile }
        });
        self.send(client, op, attempt, reply);
    }
    /// Sends a message to a node.
    pub fn send_node(&mut self, to: NodeId, op: OpId, message: Message) {
        self.send(Endpoint::node(to), op, 0, message);
    }
    /// Sets a request's timeout.
    pub fn set_timer(&mut self, after: Span, timer: Timer) {
        self.items.push(Output::Timer { after, timer });
    }
    /// Sets work for later.
    pub fn wake(&mut self, after: Span, wake: Wake) {
        self.items.push(Output::Wake { after, wake });
    }
    /// Tells the observers, if there are any.
    pub fn note(&mut self, note: impl FnOnce() -> Note) {
        if self.notes_wanted {
            self.items.push(Output::Note(note()));
        }
    }
    /// Tells the observers what happens at every write, if they want to hear that much.
    pub fn note_change(&mut self, note: impl FnOnce() -> Note) {
        if self.changes_wanted {
            self.items.push(Output::Note(note()));
        }
    }
    /// Tells whose answers reads are made of, if somebody asks.
    #[inline]
    pub fn note_read(&mut self, note: impl FnOnce() -> Note) {
        if self.reads_wanted {
            self.items.push(Output::Note(note()));
        }
    }
    /// Tells that a rare state is reached, if somebody asks.
    #[inline]
    pub fn reach(&mut self, mark: Mark) {
        if self.marks_wanted {
            self.items.push(Output::Note(Note::Reached(mark)));
        }
    }
    /// Tells what the world itself has to know, whoever listens.
    pub fn tell(&mut self, note: Note) {
        self.items.push(Output::Note(note));
    }
    /// Takes all outputs out, in order, keeping the memory.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Output> {
        self.items.drain(..)
    }
    /// What has been put in so far.
    pub fn items(&self) -> &[Output] {
        &self.items
    }
    /// Whether nothing has been put in.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}
