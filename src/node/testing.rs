//! A world for tests of a few nodes: it ferries their messages with one delay, fires their timers, and loses or
//! doubles the messages that a test names. No chance, no clients but a test's own.

use std::collections::BTreeMap;

use crate::kernel::dist::Dist;
use crate::kernel::ids::{ActorId, Endpoint, KeyId, NodeId, OpId, SegmentId, SessionId};
use crate::kernel::time::{SimTime, Span};
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::config::*;
use crate::node::message::Message;
use crate::node::outputs::{Input, Note, Output, Outputs, Timer, Wake};
use crate::node::replica::DiskFate;
use crate::node::view::View;
use crate::ring::{self, Boundary, HashKind, Layout, NodeSpec, PartitionCount, RingKind, Spread};
use crate::version::{self, NextCounter, Scheme, Siblings, Value, Version, Write, WriteId};

/// How long every message is under way.
pub const DELAY: Span = Span::from_ms(1);

/// Dynamo's defaults without anything periodic.
pub fn config(n: u8) -> Config {
    Config {
        seed: 1,
        n,
        profiles: vec![Profile {
            n,
            r: n.min(2),
            w: n.min(2),
            quorum: Quorum::Sloppy,
            timeout: Some(Span::from_secs(1)),
        }],
        stand_in_acks: Counting::Count,
        own_ack: Counting::Count,
        versioning: Versioning {
            scheme: Scheme::VectorClock { next: NextCounter::LocalMax, max_entries: None },
            new_id_after_wipe: true,
            stamp: StampClock::Node,
            tick: 1,
        },
        coordination: Coordination {
            write_coordinator: WriteCoordinator::AnyOfList,
            peer_timeout: Some(Span::from_ms(100)),
            conflicts: Conflicts::Kept,
        },
        hints: None,
        read_repair: None,
        anti_entropy: Some(AntiEntropy { every: None, pairs: Pairs::Random, depth: 10, throttle: None }),
        membership: Membership {
            gossip_every: None,
            mode: GossipMode::PushPull,
            fan_out: 1,
            rounds: Rounds::Spread,
            seeds: Vec::new(),
        },
        detector: Detector::Local { failures: 1, retry_every: Span::from_secs(1) },
        transfer: Transfer { confirm: true, batch: 1_000_000, throttle: None },
        deletes: Deletes::Tombstone { keep: None },
        storage: Storage {
            read: Dist::Constant(0),
            write: Dist::Constant(0),
            workers: Some(1),
            flush: Flush::BeforeAck,
            buffer: None,
            cache: None,
            background: Background::Unlimited,
        },
        capacity: Vec::new(),
    }
}

#[derive(Debug)]
enum Event {
    Message { to: NodeId, from: Endpoint, op: OpId, attempt: u16, message: Message },
    Timer(NodeId, u32, Timer),
    Wake(NodeId, u32, Wake),
}

/// What becomes of a message besides its delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is lost.
    Lost,
    /// It comes, and once more so much later.
    Twice(Span),
    /// It comes so much later.
    Late(Span),
}

/// A few nodes and what is between them.
pub struct World {
    pub commons: Commons,
    pub nodes: Vec<Node>,
    pub now: SimTime,
    /// Fates by number of the message; others just come.
    pub fates: BTreeMap<u64, Fate>,
    /// Messages sent between nodes.
    pub sent: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// What was said to clients, with when.
    pub replies: Vec<(SimTime, OpId, Message)>,
    pub notes: Vec<(SimTime, NodeId, Note)>,
    pub down: Vec<bool>,
    lives: Vec<u32>,
    events: BTreeMap<(SimTime, u64), Event>,
    next_event: u64,
    next_op: u32,
    writes: u64,
    next_name: u32,
}

impl World {
    /// So many nodes, all of them members, with so many equal partitions.
    pub fn new(config: Config, nodes: u32, partitions: u32) -> World {
        let members: Vec<NodeId> = (0..nodes).map(NodeId).collect();
        let layout = Layout::new(ring::Config {
            nodes: vec![NodeSpec { capacity: 1.0, rack: 0, region: 0 }; nodes as usize],
            kind: RingKind::EqualPartitions {
                by: PartitionCount::Partitions(partitions),
                assignment: ring::Assignment::Striped,
            },
            hash: HashKind::Md5,
            boundary: Boundary::AtOrAfter,
            spread: Spread::Nodes,
            by_capacity: true,
            replicas: u32::from(config.n),
            seed: config.seed,
            initial_members: members.clone(),
        });
        World::with_layout(config, layout, &members)
    }

    /// On a ring of the test's own.
    pub fn with_layout(config: Config, layout: Layout, members: &[NodeId]) -> World {
        let all = layout.config().nodes.len() as u32;
        let commons = Commons::new(config, layout, members);
        let view = View::below(commons.changes.len());
        let nodes = (0..all).map(|id| Node::new(&commons, NodeId(id), view.clone())).collect();
        let mut world = World {
            commons,
            nodes,
            now: SimTime::ZERO,
            fates: BTreeMap::new(),
            sent: 0,
            bytes: 0,
            replies: Vec::new(),
            notes: Vec::new(),
            down: vec![false; all as usize],
            lives: vec![0; all as usize],
            events: BTreeMap::new(),
            next_event: 0,
            next_op: 0,
            writes: 0,
            next_name: 0,
        };
        for id in 0..all {
            world.give(NodeId(id), Input::Start);
        }
        world
    }

    /// Adds so many keys, at the positions of their names.
    pub fn add_keys(&mut self, count: u32) -> Vec<KeyId> {
        self.add_keys_where(count, |_| true)
    }

    /// Adds so many keys, all of them in segments that are wanted.
    pub fn add_keys_where(&mut self, count: u32, wanted: impl Fn(SegmentId) -> bool) -> Vec<KeyId> {
        let mut keys = Vec::new();
        while keys.len() < count as usize {
            self.next_name += 1;
            let position = self.commons.layout.position(format!("key-{}", self.next_name).as_bytes());
            if wanted(self.commons.layout.segment_of(position)) {
                keys.push(self.commons.keys.add(&self.commons.layout, position));
            }
        }
        keys
    }

    /// A new version by this node that replaces `context`.
    pub fn version(&mut self, by: u32, context: &[Version], value: Value) -> Version {
        self.writes += 1;
        let write = Write {
            actor: ActorId::new(NodeId(by), 0),
            now_ms: 0,
            stamp: self.writes,
            value,
            size: 100,
            write: WriteId(self.writes),
            issued: 0,
        };
        version::coordinate(self.commons.config.versioning.scheme, context, context, write)
    }

    /// Puts a version there without any event.
    pub fn preload(&mut self, node: u32, key: KeyId, version: &Version) {
        self.nodes[node as usize].preload(&self.commons, key, version);
    }

    pub fn give(&mut self, to: NodeId, input: Input) {
        if self.down[to.index()] {
            return;
        }
        let mut out = Outputs::default();
        out.notes_wanted = true;
        out.changes_wanted = true;
        self.nodes[to.index()].handle(&mut self.commons, self.now, input, &mut out);
        let life = self.lives[to.index()];
        for output in out.drain() {
            match output {
                Output::Send { to: end, op, attempt, message } => {
                    self.send(Endpoint::node(to), end, op, attempt, message)
                }
                Output::Timer { after, timer } => self.schedule(self.now + after, Event::Timer(to, life, timer)),
                Output::Wake { after, wake } => self.schedule(self.now + after, Event::Wake(to, life, wake)),
                Output::Note(note) => self.notes.push((self.now, to, note)),
            }
        }
    }

    fn send(&mut self, from: Endpoint, to: Endpoint, op: OpId, attempt: u16, message: Message) {
        let Some(to) = to.as_node() else {
            self.replies.push((self.now, op, message));
            return;
        };
        let fate = self.fates.get(&self.sent).copied();
        self.sent += 1;
        self.bytes += u64::from(message.bytes());
        let event = |message| Event::Message { to, from, op, attempt, message };
        let due = self.now + DELAY;
        match fate {
            None => self.schedule(due, event(message)),
            Some(Fate::Lost) => {}
            Some(Fate::Late(by)) => self.schedule(due + by, event(message)),
            Some(Fate::Twice(by)) => {
                self.schedule(due, event(message.clone()));
                self.schedule(due + by, event(message));
            }
        }
    }

    fn schedule(&mut self, at: SimTime, event: Event) {
        self.events.insert((at, self.next_event), event);
        self.next_event += 1;
    }

    /// A client's request, at this node.
    pub fn ask(&mut self, node: u32, message: Message) -> OpId {
        let op = OpId::of_session(SessionId(0), self.next_op);
        self.next_op += 1;
        self.give(NodeId(node), Input::Message { from: Endpoint::client(SessionId(0)), op, attempt: 0, message });
        op
    }

    /// Lets time pass until this instant.
    pub fn run_until(&mut self, end: SimTime) {
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > end {
                break;
            }
            let ((at, _), event) = entry.remove_entry();
            self.now = at;
            match event {
                Event::Message { to, from, op, attempt, message } => {
                    self.give(to, Input::Message { from, op, attempt, message })
                }
                Event::Timer(node, life, timer)
                    if self.lives[node.index()] == life && self.nodes[node.index()].timer_is_live(timer) =>
                {
                    self.give(node, Input::Timer(timer));
                }
                Event::Wake(node, life, wake) if self.lives[node.index()] == life => self.give(node, Input::Wake(wake)),
                Event::Timer(..) | Event::Wake(..) => {}
            }
        }
        self.now = end;
    }

    /// Lets this much time pass.
    pub fn run_for(&mut self, span: Span) {
        self.run_until(self.now + span);
    }

    pub fn crash(&mut self, node: u32, fate: DiskFate) {
        self.nodes[node as usize].crash(&mut self.commons, fate);
        self.lives[node as usize] += 1;
        self.down[node as usize] = true;
    }

    pub fn restart(&mut self, node: u32) {
        self.down[node as usize] = false;
        self.give(NodeId(node), Input::Start);
    }

    /// What a node holds of a key.
    pub fn held(&self, node: u32, key: KeyId) -> Siblings {
        Siblings::from(self.nodes[node as usize].versions(key))
    }

    /// Whether two nodes hold the same versions of all keys.
    pub fn agree(&self, a: u32, b: u32) -> bool {
        (0..self.commons.keys.len()).map(KeyId).all(|key| self.held(a, key).same(self.nodes[b as usize].versions(key)))
    }
}
