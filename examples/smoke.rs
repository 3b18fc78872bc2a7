use dynamo_sim::cluster::config::*;
use dynamo_sim::kernel::dist::Dist;
use dynamo_sim::kernel::ids::*;
use dynamo_sim::kernel::time::*;
use dynamo_sim::node::config::*;
use dynamo_sim::workload::config as wl;
use dynamo_sim::{network, ring, version};
fn main() {
    let nodes: u32 = 100;
    let keys = 10_000u64;
    let secs: u64 = std::env::args().nth(1).map_or(10, |a| a.parse().unwrap());
    let everything = std::env::args().nth(2).is_some();
    let end = SimTime(secs * 1_000_000_000);
    let profile = Profile { n: 3, r: 2, w: 2, quorum: Quorum::Sloppy, timeout: Some(Span::from_secs(1)) };
    let config = RunConfig {
        seed: 1,
        warmup: SimTime::ZERO,
        duration: Some(end),
        settle: Span::ZERO,
        node: Config {
            seed: 1, n: 3, profiles: vec![profile], stand_in_acks: Counting::Count, own_ack: Counting::Count,
            versioning: Versioning { scheme: version::Scheme::VectorClock { next: version::NextCounter::LocalMax, max_entries: Some(10) }, new_id_after_wipe: true, stamp: StampClock::Node, tick: 1 },
            coordination: Coordination { write_coordinator: WriteCoordinator::AnyOfList, peer_timeout: Some(Span::from_ms(100)), conflicts: Conflicts::Kept },
            hints: Some(Hints { scan_every: Some(Span::from_secs(10)), deliver: Deliver::Scan, ttl: None, max_per_node: None, throttle: None, recovered_node: RecoveredNode::Serves }),
            read_repair: Some(ReadRepair { mode: RepairMode::Async, wait: Span::from_ms(100), chance: 1.0 }),
            anti_entropy: Some(AntiEntropy { every: Some(Span::from_secs(60)), pairs: Pairs::Random, depth: 10, throttle: None }),
            membership: Membership { gossip_every: Some(Span::from_secs(1)), mode: GossipMode::PushPull, fan_out: 1, rounds: Rounds::Spread, seeds: vec![NodeId(0)] },
            detector: Detector::Local { failures: 1, retry_every: Span::from_secs(1) },
            transfer: Transfer { confirm: true, batch: 1_000_000, throttle: None },
            deletes: Deletes::Tombstone { keep: None },
            storage: Storage { read: Dist::Constant(0), write: Dist::Constant(0), workers: Some(1), flush: Flush::BeforeAck, buffer: None, cache: None, background: Background::Unlimited },
            capacity: vec![1.0; nodes as usize],
        },
        ring: ring::Config { nodes: (0..nodes).map(|_| ring::NodeSpec { capacity: 1.0, rack: 0, region: 0 }).collect(), kind: ring::RingKind::EqualPartitions { by: ring::PartitionCount::PerNode(32), assignment: ring::Assignment::Random }, hash: ring::HashKind::Md5, boundary: ring::Boundary::AtOrAfter, spread: ring::Spread::Regions, by_capacity: true, replicas: 3, seed: 1, initial_members: (0..nodes).map(NodeId).collect() },
        network: network::Config { groups: vec![network::Site::Spread], ..network::Config::simple(nodes, Dist::Exponential { mean: 1e6 }) },
        node_names: (0..nodes).map(|n| format!("n{}", n + 1)).collect(),
        region_names: vec!["local".into()],
        texts: vec![],
        keys: (0..keys).map(|k| KeyConfig { name: format!("k{k}"), place: Place::Hash, first: Some(FirstValue::OfGroup(GroupId(0))) }).collect(),
        groups: vec![wl::GroupConfig {
            name: "users".into(), sessions: 200, first_session: SessionId(0), start: SimTime::ZERO, stop: end, operations: None,
            arrival: wl::Arrival::Closed { think: Dist::Constant(0) }, keys: wl::KeyChoice::Uniform { count: keys }, first_key: KeyId(0), preload: true,
            mix: vec![(wl::OperationKind::Update, 1.0)], read_after: Dist::Constant(0), data: wl::Data::Blob(version::MergeRule::BlobNewest), value_size: Dist::Constant(1000),
            context: wl::ContextRule::LastSeen, routing: wl::Routing::LoadBalancer { among: None, pick: wl::Pick::Random }, profile: ProfileId(0), timeout: Some(Span::from_secs(2)), retries: 0, one_at_a_time: false }],
        scripted: vec![], steps: vec![], windows: vec![Window { name: "all".into(), span: WindowSpan::All }, Window { name: "settle".into(), span: WindowSpan::Settle }],
        measure: Measure { bucket: Span::from_secs(1), load_window: Span::from_secs(1800), load_tolerance: 0.15, converged_share: 1.0, check_budget: 1, history: false },
    };
    let mut config = config;
    if everything {
        config.node.storage.read = Dist::Exponential { mean: 100e3 };
        config.node.storage.write = Dist::Exponential { mean: 200e3 };
        config.node.storage.workers = Some(4);
        config.network.loss = 0.001;
        for n in [3, 40, 77] {
        config.steps.push(Step { name: None, when: When::At(SimTime(end.0 / 4)), lasts: Some(Dist::Constant(end.0 / 2)), repeat: None, expect: None, action: Action::Fault(Fault::Crash { nodes: vec![NodeId(n)], disk: dynamo_sim::node::replica::DiskFate::Kept }) });
        }
    }
    let t = std::time::Instant::now();
    let result = dynamo_sim::cluster::run(&config, &mut []);
    let s = t.elapsed().as_secs_f64();
    let ops: u64 = result.nodes.iter().map(|n| n.gets_led + n.puts_led).sum();
    let fwd: u64 = result.nodes.iter().map(|n| n.forwarded).sum();
    println!("{:032x} events {} ops {} fwd {} -> {:.0} ops/s, {:.1} ns/event, {:.2} ev/op, {:?}", result.digest, result.events, ops, fwd, ops as f64 / s, s * 1e9 / result.events as f64, result.events as f64 / ops as f64, result.notices);
    println!("{:?}", result.faults);
    let mut total = dynamo_sim::node::stats::Stats::default(); for n in &result.nodes { total.add(n); } println!("{total:?}");
}
