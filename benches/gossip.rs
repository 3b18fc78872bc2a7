//! Gossip at scale: virtual seconds for a second of processor time, with one membership change a second.
//!
//! Nodes run as they are; the loop around them has a queue, one delay for all messages, and nothing else.
//! Gates: 1 000 nodes at 500 virtual seconds, 10 000 at 50, in under 200 MB.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]

use dynamo_sim::kernel::dist::Dist;
use dynamo_sim::kernel::ids::{Endpoint, NodeId, OpId};
use dynamo_sim::kernel::queue::Queue;
use dynamo_sim::kernel::rng::{Purpose, Stream};
use dynamo_sim::kernel::time::{SimTime, Span};
use dynamo_sim::node::Node;
use dynamo_sim::node::commons::Commons;
use dynamo_sim::node::config::{
    Background, Config, Conflicts, Coordination, Counting, Deletes, Detector, Flush, GossipMode, Membership, Profile,
    Quorum, Rounds, StampClock, Storage, Transfer, Versioning, WriteCoordinator,
};
use dynamo_sim::node::membership::{View, agreement};
use dynamo_sim::node::message::Message;
use dynamo_sim::node::outputs::{Admin, Input, Output, Outputs, Wake};
use dynamo_sim::ring::{
    Assignment, Boundary, Config as RingConfig, HashKind, Layout, NodeSpec, PartitionCount, RingKind, Spread,
};
use dynamo_sim::version::Scheme;

enum Event {
    Message { from: NodeId, to: NodeId, op: OpId, message: Message },
    Wake { node: NodeId, wake: Wake },
}

fn commons(nodes: u32) -> Commons {
    let members: Vec<NodeId> = (0..nodes).map(NodeId).collect();
    let layout = Layout::new(RingConfig {
        nodes: vec![NodeSpec { capacity: 1.0, rack: 0, region: 0 }; nodes as usize],
        kind: RingKind::EqualPartitions { by: PartitionCount::PerNode(32), assignment: Assignment::Random },
        hash: HashKind::Md5,
        boundary: Boundary::AtOrAfter,
        spread: Spread::Nodes,
        by_capacity: true,
        replicas: 3,
        seed: 1,
        initial_members: members.clone(),
    });
    let config = Config {
        seed: 1,
        n: 3,
        profiles: vec![Profile { n: 3, r: 2, w: 2, quorum: Quorum::Sloppy, timeout: None }],
        stand_in_acks: Counting::Count,
        own_ack: Counting::Count,
        versioning: Versioning { scheme: Scheme::Dotted, new_id_after_wipe: true, stamp: StampClock::Node, tick: 1 },
        coordination: Coordination {
            write_coordinator: WriteCoordinator::AnyOfList,
            peer_timeout: None,
            conflicts: Conflicts::Kept,
        },
        hints: None,
        read_repair: None,
        anti_entropy: None,
        membership: Membership {
            gossip_every: Some(Span::from_secs(1)),
            mode: GossipMode::PushPull,
            fan_out: 1,
            rounds: Rounds::Spread,
            seeds: vec![NodeId(0)],
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
    };
    Commons::new(config, layout, &members)
}

fn memory_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("VmRSS: 0 kB");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// Processor time of this process; the wall clock would measure its neighbours too.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this bench runs on Linux");
    let after_name = stat.rsplit(')').next().expect("a name in parentheses");
    let ticks: f64 =
        after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().expect("ticks")).sum();
    ticks / 100.0
}

fn run(nodes: u32, changes_per_second: u32, seconds: u64) {
    let mut commons = commons(nodes);
    let initial = View::below(nodes);
    let mut all: Vec<Node> = (0..nodes).map(|i| Node::new(&commons, NodeId(i), initial.clone())).collect();
    let mut queue: Queue<Event> = Queue::new();
    let mut luck = Stream::new(1, Purpose::Chaos, 0);
    let (mut sequence, mut events) = (0u64, 0u64);
    let mut out = Outputs::default();
    let mut left: std::collections::VecDeque<NodeId> = Default::default();
    let mut step = |all: &mut Vec<Node>,
                    commons: &mut Commons,
                    queue: &mut Queue<Event>,
                    now: SimTime,
                    node: NodeId,
                    input: Input| {
        all[node.index()].handle(commons, now, input, &mut out);
        for output in out.drain() {
            sequence += 1;
            match output {
                Output::Send { to, op, message, .. } => {
                    let to = to.as_node().expect("there are no clients");
                    queue.push(now + Span::from_ms(1), sequence, Event::Message { from: node, to, op, message });
                }
                Output::Wake { after, wake } => queue.push(now + after, sequence, Event::Wake { node, wake }),
                Output::Timer { .. } | Output::Note(_) => {}
            }
        }
    };
    for i in 0..nodes {
        step(&mut all, &mut commons, &mut queue, SimTime::ZERO, NodeId(i), Input::Start);
    }
    let began = cpu_seconds();
    for second in 0..seconds {
        let start = SimTime::ZERO + Span::from_secs(second);
        for _ in 0..changes_per_second {
            let at = NodeId(luck.below(u64::from(nodes)) as u32);
            // Leaves and joins; who has left comes back when all have heard of it.
            let somebody = NodeId(luck.below(u64::from(nodes)) as u32);
            let admin = if left.len() as u32 > 30 * changes_per_second {
                Admin::Join(left.pop_front().expect("some have left"))
            } else if left.contains(&somebody) {
                continue;
            } else {
                left.push_back(somebody);
                Admin::Leave(somebody)
            };
            step(&mut all, &mut commons, &mut queue, start, at, Input::Admin(admin));
        }
        while queue.peek().is_some_and(|(at, _)| at < start + Span::from_secs(1)) {
            let (at, _, event) = queue.pop().expect("it was there just now");
            events += 1;
            match event {
                Event::Message { from, to, op, message } => {
                    let input = Input::Message { from: Endpoint::node(from), op, attempt: 0, message };
                    step(&mut all, &mut commons, &mut queue, at, to, input);
                }
                Event::Wake { node, wake } => step(&mut all, &mut commons, &mut queue, at, node, Input::Wake(wake)),
            }
        }
    }
    let took = cpu_seconds() - began;
    let mut hashes: Vec<u128> = all.iter().map(|node| node.view().hash()).collect();
    hashes.sort_unstable();
    hashes.dedup();
    println!(
        "{nodes:>6} nodes, {changes_per_second:>2} changes/s: {:>6.0} virtual s per CPU-s, {:>5.0} ns an event, {:>4.0} MB, {} views, agreement {:.3}",
        seconds as f64 / took,
        took * 1e9 / events as f64,
        memory_mb(),
        hashes.len(),
        agreement(all.iter().map(Node::view)),
    );
}

fn main() {
    run(1_000, 0, 500);
    run(1_000, 1, 500);
    run(10_000, 0, 50);
    run(10_000, 1, 100);
    run(10_000, 10, 20);
}
