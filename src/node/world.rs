//! A small world for tests: a handful of nodes, one delay for all messages, losses and crashes on demand.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::dist::Dist;
use crate::kernel::ids::{ActorId, Endpoint, KeyId, NodeId, OpId, SessionId};
use crate::kernel::time::{SimTime, Span};
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::config::{
    Background, Config, Conflicts, Coordination, Counting, Deletes, Detector, Flush, GossipMode, Membership, Profile,
    ProfileId, Quorum, Rounds, StampClock, Storage, Transfer, Versioning, WriteCoordinator,
};
use crate::node::membership::View;
use crate::node::message::{Message, Put};
use crate::node::outputs::{Admin, Input, Note, Output, Outputs, Wake};
use crate::node::replica::DiskFate;
use crate::ring::{
    Assignment, Boundary, Config as RingConfig, HashKind, Layout, NodeSpec, PartitionCount, RingKind, Spread,
};
use crate::version::{Clock, Dot, Entry, Parts, Scheme, Siblings, Value, Version, WriteId};

/// What a test says of its world.
pub(super) struct Plan {
    pub members: u32,
    pub spares: u32,
    pub kind: RingKind,
    pub membership: Membership,
    pub transfer: Transfer,
    pub seed: u64,
    pub service: u64,
}

impl Plan {
    pub fn new(members: u32, spares: u32) -> Plan {
        Plan {
            members,
            spares,
            kind: RingKind::EqualPartitions { by: PartitionCount::PerNode(8), assignment: Assignment::Random },
            membership: Membership {
                gossip_every: Some(Span::from_secs(1)),
                mode: GossipMode::PushPull,
                fan_out: 1,
                rounds: Rounds::Spread,
                seeds: vec![NodeId(0)],
            },
            transfer: Transfer { confirm: true, batch: 2_000, throttle: None },
            seed: 1,
            service: 0,
        }
    }
}

enum Event {
    Message { from: NodeId, to: NodeId, op: OpId, message: Message },
    Wake { node: NodeId, life: u32, wake: Wake },
}

/// Whether a message is lost.
type Loss = Box<dyn FnMut(SimTime, NodeId, NodeId, &Message) -> bool>;

pub(super) struct World {
    pub commons: Commons,
    pub nodes: Vec<Node>,
    pub now: SimTime,
    pub notes: Vec<(SimTime, NodeId, Note)>,
    /// What clients were told.
    pub replies: Vec<(OpId, Message)>,
    pub lost: Loss,
    pub down: BTreeSet<NodeId>,
    /// Fails if a key has fewer holders.
    pub holders_min: usize,
    lives: Vec<u32>,
    queue: BTreeMap<(SimTime, u64), Event>,
    sequence: u64,
    out: Outputs,
    delay: Span,
}

pub(super) const N: u8 = 3;

impl World {
    pub fn new(plan: Plan) -> World {
        let all = plan.members + plan.spares;
        let members: Vec<NodeId> = (0..plan.members).map(NodeId).collect();
        let layout = Layout::new(RingConfig {
            nodes: vec![NodeSpec { capacity: 1.0, rack: 0, region: 0 }; all as usize],
            kind: plan.kind,
            hash: HashKind::Md5,
            boundary: Boundary::AtOrAfter,
            spread: Spread::Nodes,
            by_capacity: true,
            replicas: u32::from(N),
            seed: plan.seed,
            initial_members: members.clone(),
        });
        let config = Config {
            seed: plan.seed,
            n: N,
            profiles: vec![Profile { n: N, r: 2, w: 2, quorum: Quorum::Sloppy, timeout: None }],
            stand_in_acks: Counting::Count,
            own_ack: Counting::Count,
            versioning: Versioning {
                scheme: Scheme::Dotted,
                new_id_after_wipe: true,
                stamp: StampClock::Node,
                tick: 1,
            },
            coordination: Coordination {
                write_coordinator: WriteCoordinator::AnyOfList,
                peer_timeout: None,
                conflicts: Conflicts::Kept,
            },
            hints: None,
            read_repair: None,
            anti_entropy: None,
            membership: plan.membership,
            detector: Detector::Perfect,
            transfer: plan.transfer,
            deletes: Deletes::Tombstone { keep: None },
            storage: Storage {
                read: Dist::Constant(plan.service),
                write: Dist::Constant(plan.service),
                workers: Some(1),
                flush: Flush::BeforeAck,
                buffer: None,
                cache: None,
                background: Background::Unlimited,
            },
            capacity: Vec::new(),
        };
        let commons = Commons::new(config, layout, &members);
        let initial = View::below(commons.changes.initial());
        let nodes: Vec<Node> = (0..all)
            .map(|i| Node::new(&commons, NodeId(i), if i < plan.members { initial.clone() } else { View::empty() }))
            .collect();
        let mut world = World {
            commons,
            lives: vec![0; nodes.len()],
            nodes,
            now: SimTime::ZERO,
            notes: Vec::new(),
            replies: Vec::new(),
            lost: Box::new(|_, _, _, _| false),
            down: BTreeSet::new(),
            holders_min: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            out: Outputs::default(),
            delay: Span::from_ms(1),
        };
        world.out.notes_wanted = true;
        world.out.changes_wanted = true;
        for i in 0..all {
            world.input(NodeId(i), Input::Start);
        }
        world
    }

    /// Gives the first versions of so many keys to their owners.
    pub fn fill(&mut self, keys: u32) {
        for i in 0..keys {
            let position = self.commons.layout.position(&i.to_le_bytes());
            let key = self.commons.keys.add(&self.commons.layout, position);
            let version = version(i, 1);
            for node in self.owners(NodeId(0), key) {
                self.nodes[node.index()].preload(&self.commons, key, &version);
            }
        }
    }

    /// The owners of a key, as a node sees it.
    pub fn owners(&mut self, of: NodeId, key: KeyId) -> Vec<NodeId> {
        let view = self.nodes[of.index()].view().clone();
        let placement = self.commons.placement(&view);
        placement.ring.replicas_of(self.commons.keys.segment(key), u32::from(N)).to_vec()
    }

    pub fn holders(&self, key: KeyId) -> Vec<NodeId> {
        self.nodes.iter().filter(|node| !node.versions(key).is_empty()).map(Node::id).collect()
    }

    /// Each key lies at its owners and nowhere else, as this node sees it.
    pub fn assert_in_place(&mut self, of: NodeId) {
        for key in (0..self.commons.keys.len()).map(KeyId) {
            let mut owners = self.owners(of, key);
            owners.sort_unstable();
            assert_eq!(self.holders(key), owners, "key {key} lies at its owners only");
        }
    }

    pub fn admin(&mut self, at: u32, admin: Admin) {
        self.input(NodeId(at), Input::Admin(admin));
    }

    pub fn crash(&mut self, node: u32, fate: DiskFate) {
        self.down.insert(NodeId(node));
        self.lives[node as usize] += 1;
        self.nodes[node as usize].crash(&mut self.commons, fate);
    }

    pub fn restart(&mut self, node: u32) {
        self.down.remove(&NodeId(node));
        self.input(NodeId(node), Input::Start);
    }

    pub fn input(&mut self, node: NodeId, input: Input) {
        let before = self.nodes[node.index()].table().len();
        self.nodes[node.index()].handle(&mut self.commons, self.now, input, &mut self.out);
        let outputs: Vec<Output> = self.out.drain().collect();
        for output in outputs {
            self.sequence += 1;
            match output {
                Output::Send { to, op, message, .. } => {
                    let Some(to) = to.as_node() else {
                        self.replies.push((op, message));
                        continue;
                    };
                    if !(self.lost)(self.now, node, to, &message) {
                        self.queue.insert(
                            (self.now + self.delay, self.sequence),
                            Event::Message { from: node, to, op, message },
                        );
                    }
                }
                Output::Wake { after, wake } => {
                    let life = self.lives[node.index()];
                    self.queue.insert((self.now + after, self.sequence), Event::Wake { node, life, wake });
                }
                Output::Note(note) => self.notes.push((self.now, node, note)),
                Output::Timer { .. } => {}
            }
        }
        if self.holders_min > 0 && self.nodes[node.index()].table().len() < before {
            for key in (0..self.commons.keys.len()).map(KeyId) {
                let holders = self.holders(key);
                assert!(
                    holders.len() >= self.holders_min,
                    "at {} key {key} has only the holders {holders:?}",
                    self.now
                );
            }
        }
    }

    pub fn run_until(&mut self, end: SimTime) {
        while let Some(entry) = self.queue.first_entry()
            && entry.key().0 <= end
        {
            let ((at, _), event) = entry.remove_entry();
            self.now = at;
            match event {
                Event::Message { from, to, op, message } => {
                    if !self.down.contains(&to) {
                        self.input(to, Input::Message { from: Endpoint::node(from), op, attempt: 0, message });
                    }
                }
                Event::Wake { node, life, wake } => {
                    if self.lives[node.index()] == life {
                        self.input(node, Input::Wake(wake));
                    }
                }
            }
        }
        self.now = end;
    }

    /// A client writes blindly at a node.
    pub fn put(&mut self, number: u32, key: KeyId, via: NodeId) {
        let session = SessionId(0);
        let put = Put {
            value: Value::Blob(u64::from(number)),
            size: 100,
            context: Siblings::new(),
            client_stamp: 0,
            preferred: None,
        };
        let message = Message::Put {
            key,
            profile: ProfileId(0),
            forwarded: crate::node::message::RequestId::NONE,
            again: false,
            put: put.into(),
        };
        let op = OpId::of_session(session, number);
        self.input(via, Input::Message { from: Endpoint::client(session), op, attempt: 0, message });
    }

    pub fn run_for(&mut self, span: Span) {
        self.run_until(self.now + span);
    }

    /// Sum over all nodes.
    pub fn total(&self, of: impl Fn(&crate::node::stats::Stats) -> u64) -> u64 {
        self.nodes.iter().map(|node| of(&node.stats)).sum()
    }

    pub fn placement_of(&mut self, node: u32) -> std::sync::Arc<crate::node::membership::Placement> {
        let view = self.nodes[node as usize].view().clone();
        self.commons.placement(&view)
    }
}

/// The `counter`-th version of a key, on top of those before.
pub(super) fn version(key: u32, counter: u32) -> Version {
    // An actor of its own, so that no write of a test takes one of these dots.
    let actor = ActorId::new(NodeId(0), 7);
    let entries = (counter > 1).then_some(Entry { actor, counter: counter - 1, at_ms: 0 });
    let parts = Parts {
        clock: Clock::from_entries(entries),
        dot: Dot { actor, counter },
        evicted: Default::default(),
        scattered: Box::default(),
        kept: Box::default(),
        stamp: 0,
        value: Value::Blob(u64::from(key)),
        size: 100,
        write: WriteId(u64::from(key) << 8 | u64::from(counter)),
    };
    Version::new(Scheme::Dotted, parts)
}
