//! Exchanges among a few nodes.

use super::*;
use crate::kernel::dist::Dist;
use crate::kernel::math;
use crate::kernel::rng::Stream;
use crate::node::config::{AntiEntropy, Background, Config, Storage};
use crate::node::message::{HEADER_BYTES, Put};
use crate::node::outputs::{Input, Note, Task};
use crate::node::replica::DiskFate;
use crate::node::stats::Stats;
use crate::node::testing::{Fate, World, config};
use crate::ring::{self, HashKind, Layout, NodeSpec, RingKind, Spread};
use crate::store::merkle::leaf_of;
use crate::version::Value;

const A: u32 = 0;
const B: u32 = 1;

/// Two nodes that own both ranges together and agree on so many keys, all of them in the first.
fn pair(config: Config, keys: u32) -> (World, Vec<KeyId>) {
    let mut world = World::new(config, 2, 2);
    let keys = world.add_keys_where(keys, |segment| segment.0 == 0);
    for &key in &keys {
        let version = world.version(A, &[], Value::Blob(u64::from(key.0)));
        world.preload(A, key, &version);
        world.preload(B, key, &version);
    }
    (world, keys)
}

/// Gives one node a newer version of a key.
fn update(world: &mut World, node: u32, key: KeyId) {
    let held = world.held(node, key);
    let version = world.version(node, &held, Value::Blob(7));
    world.preload(node, key, &version);
}

fn exchange(world: &mut World, from: u32, with: u32) {
    world.give(NodeId(from), Input::Run { task: Task::AntiEntropy, with: Some(NodeId(with)) });
    world.run_for(Span::from_secs(1));
}

fn sums(world: &World) -> Stats {
    let mut sum = Stats::default();
    for node in &world.nodes {
        sum.add(&node.stats);
    }
    sum
}

fn open(world: &World) -> usize {
    world.nodes.iter().map(Node::exchanges_open).sum()
}

#[test]
fn one_differing_key_costs_two_hashes_a_level_and_one_key() {
    let (mut world, keys) = pair(config(2), 500);
    update(&mut world, B, keys[123]);
    assert!(!world.agree(A, B));
    exchange(&mut world, A, B);
    assert!(world.agree(A, B));
    let stats = sums(&world);
    assert_eq!((stats.exchanges, stats.hashes), (1, 20), "depth 10: two children a level, the root not counted");
    // The side that saw both lists cannot tell which version is newer: it sends its own and gets the other.
    assert!(stats.exchange_keys <= 2 && stats.exchange_wasted == 0);
    assert_eq!(stats.full_scan_bytes, 500 * 24);
    assert!(stats.exchange_bytes < stats.full_scan_bytes);
    assert_eq!(open(&world), 0);
}

#[test]
fn equal_trees_exchange_roots_and_nothing_else() {
    let (mut world, _) = pair(config(2), 500);
    exchange(&mut world, A, B);
    let stats = sums(&world);
    assert_eq!((stats.exchanges, stats.hashes, stats.exchange_keys), (1, 0, 0));
    assert_eq!(world.sent, 2, "the roots, and that there is no more to say");
    assert_eq!(world.bytes, u64::from(2 * HEADER_BYTES + 2 * (NUMBER_BYTES + HASH_BYTES)));
    assert_eq!(open(&world), 0);
}

#[test]
fn exactly_the_differing_paths_are_compared() {
    let depth = 10;
    for differing in [1u32, 2, 10, 100] {
        let (mut hashes, mut runs) = (0, 0);
        for seed in 0..12 {
            let (mut world, keys) = pair(config(2), 4_000);
            let mut chosen = keys.clone();
            Stream::new(seed, Purpose::Key, 0).shuffle(&mut chosen);
            chosen.truncate(differing as usize);
            for (i, &key) in chosen.iter().enumerate() {
                update(&mut world, i as u32 % 2, key);
            }
            exchange(&mut world, A, B);
            assert!(world.agree(A, B));
            let leaves: Vec<u32> = chosen
                .iter()
                .map(|&key| leaf_of(world.commons.keys.position(key).wrapping_sub(1), 1 << 127, depth))
                .collect();
            let paths: u64 = (0..depth)
                .map(|level| {
                    let mut nodes: Vec<u32> = leaves.iter().map(|leaf| leaf >> (depth - level)).collect();
                    nodes.sort_unstable();
                    nodes.dedup();
                    nodes.len() as u64
                })
                .sum();
            assert_eq!(sums(&world).hashes, 2 * paths);
            hashes += sums(&world).hashes;
            runs += 1;
            let before = sums(&world);
            exchange(&mut world, B, A);
            assert_eq!(sums(&world).since(&before).exchange_keys, 0, "nothing is left for a second exchange");
        }
        // Dynamo's cost in closed form: 2 Σ 2^i (1 − (1 − 2^−i)^d).
        let expected: f64 = (0..depth)
            .map(|level| {
                let width = f64::from(1u32 << level);
                2.0 * width * (1.0 - math::pow(1.0 - 1.0 / width, f64::from(differing)))
            })
            .sum();
        let mean = hashes as f64 / f64::from(runs);
        assert!((mean / expected - 1.0).abs() < 0.05, "{differing}: {mean} hashes, expected {expected}");
    }
}

#[test]
fn siblings_and_tombstones_travel_in_both_directions() {
    for begins in [A, B] {
        let (mut world, keys) = pair(config(2), 100);
        let common = world.held(A, keys[0]);
        let (left, right) = (world.version(A, &common, Value::Blob(1)), world.version(B, &common, Value::Blob(2)));
        world.preload(A, keys[0], &left);
        world.preload(B, keys[0], &right);
        let held = world.held(B, keys[1]);
        let tombstone = world.version(B, &held, Value::Tombstone);
        world.preload(B, keys[1], &tombstone);
        let fresh = world.add_keys_where(2, |_| true);
        let (only_a, only_b) = (world.version(A, &[], Value::Blob(3)), world.version(B, &[], Value::Blob(4)));
        world.preload(A, fresh[0], &only_a);
        world.preload(B, fresh[1], &only_b);
        exchange(&mut world, begins, 1 - begins);
        assert!(world.agree(A, B));
        assert_eq!(world.held(A, keys[0]).len(), 2, "concurrent versions become siblings");
        assert!(matches!(world.held(A, keys[1])[0].value(), Value::Tombstone));
        assert_eq!((world.held(B, fresh[0]).len(), world.held(A, fresh[1]).len()), (1, 1));
        assert_eq!(world.held(A, fresh[1])[0].write(), only_b.write());
        assert_eq!(sums(&world).exchange_wasted, 0);
        assert!(
            sums(&world).exchange_useful_bytes > 0 && sums(&world).exchange_useful_bytes <= sums(&world).exchange_bytes
        );
    }
}

#[test]
fn a_lost_message_at_any_place_leaves_no_stuck_conversation_and_the_next_round_repairs() {
    let prepare = || {
        let (mut world, keys) = pair(config(2), 300);
        for (i, &key) in keys.iter().enumerate().step_by(3) {
            update(&mut world, i as u32 % 2, key);
        }
        world
    };
    let mut whole = prepare();
    exchange(&mut whole, A, B);
    assert!(whole.agree(A, B));
    let messages = whole.sent;
    assert!(messages > 14, "the story has a message for each level and several batches: {messages}");
    for lost in 0..messages {
        let mut world = prepare();
        world.fates.insert(lost, Fate::Lost);
        exchange(&mut world, A, B);
        world.run_for(Span::from_secs(20));
        assert_eq!(open(&world), 0, "message {lost} was lost");
        world.run_for(Span::from_secs(2));
        exchange(&mut world, A, B);
        assert!(world.agree(A, B), "message {lost} was lost");
    }
    for doubled in 0..messages {
        for by in [Span::ZERO, Span::from_ms(3), Span::from_secs(2)] {
            let mut world = prepare();
            world.fates.insert(doubled, Fate::Twice(by));
            exchange(&mut world, A, B);
            assert!(world.agree(A, B), "message {doubled} came twice");
            world.run_for(Span::from_secs(20));
            assert_eq!(open(&world), 0, "message {doubled} came twice");
        }
    }
}

#[test]
fn messages_that_overtake_each_other_do_no_harm() {
    for seed in 0..40 {
        let (mut world, keys) = pair(config(2), 1_500);
        let mut stream = Stream::new(seed, Purpose::Chaos, 0);
        for &key in &keys {
            if stream.chance(0.7) {
                update(&mut world, stream.below(2) as u32, key);
            }
        }
        for message in 0..200 {
            match stream.below(6) {
                0 => drop(world.fates.insert(message, Fate::Late(Span::from_ms(stream.below(30))))),
                1 => drop(world.fates.insert(message, Fate::Twice(Span::from_ms(stream.below(30))))),
                _ => {}
            }
        }
        exchange(&mut world, A, B);
        world.run_for(Span::from_secs(20));
        assert!(world.agree(A, B), "seed {seed}");
        assert_eq!(open(&world), 0, "seed {seed}");
    }
}

#[test]
fn writes_during_a_conversation_are_never_lost() {
    for seed in 0..20 {
        let (mut world, keys) = pair(config(2), 400);
        for (i, &key) in keys.iter().enumerate().step_by(2) {
            update(&mut world, i as u32 % 2, key);
        }
        world.give(NodeId(A), Input::Run { task: Task::AntiEntropy, with: Some(NodeId(B)) });
        let mut stream = Stream::new(seed, Purpose::Key, 0);
        let mut written: Vec<(u32, KeyId, crate::version::Version)> = Vec::new();
        for _ in 0..60 {
            world.run_for(Span::from_us(400));
            let (node, key) = (stream.below(2) as u32, keys[stream.below(400) as usize]);
            let held = world.held(node, key);
            let version = world.version(node, &held, Value::Blob(9));
            world.preload(node, key, &version);
            written.push((node, key, version));
        }
        world.run_for(Span::from_secs(1));
        let scheme = world.commons.config.versioning.scheme;
        for (node, key, version) in &written {
            assert!(
                world.held(*node, *key).covers(std::slice::from_ref(version), scheme),
                "seed {seed}: {key} lost {version:?}"
            );
        }
        exchange(&mut world, B, A);
        assert!(world.agree(A, B), "seed {seed}");
        for (_, key, version) in &written {
            assert!(world.held(A, *key).covers(std::slice::from_ref(version), scheme));
        }
    }
}

#[test]
fn a_crash_forgets_conversations_and_the_other_side_gives_up() {
    for after in 0..30 {
        let (mut world, keys) = pair(config(2), 300);
        for &key in keys.iter().step_by(2) {
            update(&mut world, B, key);
        }
        world.give(NodeId(A), Input::Run { task: Task::AntiEntropy, with: Some(NodeId(B)) });
        world.run_for(Span::from_us(500 + after * 1_000));
        world.crash(B, DiskFate::Kept);
        world.run_for(Span::from_ms(200));
        world.restart(B);
        world.run_for(Span::from_secs(20));
        assert_eq!(open(&world), 0, "crash after {after} ms");
        exchange(&mut world, B, A);
        assert!(world.agree(A, B), "crash after {after} ms");
    }
}

#[test]
fn only_ranges_that_both_own_are_compared_and_all_of_them() {
    let mut world = World::new(config(3), 5, 20);
    let keys = world.add_keys(1_000);
    let placement = world.commons.placement(&world.nodes[0].view().clone());
    let ring = &placement.ring;
    for &key in &keys {
        let version = world.version(A, &[], Value::Blob(1));
        let owners = ring.replicas_of(world.commons.keys.segment(key), 3).to_vec();
        world.preload(owners[0].0, key, &version);
        // Somebody else has it too, who should not.
        world.preload((0..5).find(|node| !owners.contains(&NodeId(*node))).unwrap(), key, &version);
    }
    let before: Vec<u32> = world.nodes.iter().map(|node| node.table().len()).collect();
    exchange(&mut world, A, B);
    for &key in &keys {
        let owners = ring.replicas_of(world.commons.keys.segment(key), 3);
        if owners.contains(&NodeId(A)) && owners.contains(&NodeId(B)) {
            assert!(world.held(A, key).same(&world.held(B, key)), "{key}");
        }
    }
    for (node, before) in world.nodes.iter().zip(before).skip(2) {
        assert_eq!(node.table().len(), before);
    }
    for a in 0..5 {
        for b in a + 1..5 {
            exchange(&mut world, a, b);
        }
    }
    exchange(&mut world, A, B);
    for &key in &keys {
        for owner in ring.replicas_of(world.commons.keys.segment(key), 3) {
            assert_eq!(world.held(owner.0, key).len(), 1, "{key} at {owner}");
        }
    }
}

#[test]
fn ranges_of_random_tokens_span_the_tokens_of_spares() {
    let members: Vec<NodeId> = (0..4).map(NodeId).collect();
    let layout = Layout::new(ring::Config {
        nodes: vec![NodeSpec { capacity: 1.0, rack: 0, region: 0 }; 7],
        kind: RingKind::RandomTokens { per_node: 8 },
        hash: HashKind::Md5,
        boundary: ring::Boundary::After,
        spread: Spread::Nodes,
        by_capacity: true,
        replicas: 2,
        seed: 3,
        initial_members: members.clone(),
    });
    let mut world = World::with_layout(config(2), layout, &members);
    let placement = world.commons.placement(&world.nodes[0].view().clone());
    let mut seen = Vec::new();
    for &range in placement.ring.range_ends() {
        for segment in segments_of(&placement.ring, range) {
            assert_eq!(placement.ring.range_of(segment), range);
            seen.push(segment);
        }
    }
    seen.sort_unstable();
    assert!(seen.iter().map(|s| s.0).eq(0..placement.ring.segments()), "ranges hold every segment once");
    let keys = world.add_keys(2_000);
    for &key in &keys {
        let version = world.version(A, &[], Value::Blob(1));
        let primary = placement.ring.primary(world.commons.keys.segment(key));
        world.preload(primary.0, key, &version);
    }
    for a in 0..4 {
        for b in a + 1..4 {
            exchange(&mut world, a, b);
        }
    }
    for &key in &keys {
        for owner in placement.ring.replicas_of(world.commons.keys.segment(key), 2) {
            assert_eq!(world.held(owner.0, key).len(), 1);
        }
    }
}

#[test]
fn rounds_repair_a_lost_disk_with_random_pairs_and_in_turn() {
    for pairs in [Pairs::Random, Pairs::InTurn] {
        let mut config = config(3);
        config.anti_entropy = Some(AntiEntropy { every: Some(Span::from_secs(10)), pairs, depth: 6, throttle: None });
        let mut world = World::new(config, 6, 24);
        let keys = world.add_keys(600);
        let ring = world.commons.placement(&world.nodes[0].view().clone()).ring.clone();
        for &key in &keys {
            let version = world.version(A, &[], Value::Blob(1));
            for owner in ring.replicas_of(world.commons.keys.segment(key), 3) {
                world.preload(owner.0, key, &version);
            }
        }
        world.nodes[2].wipe(&mut world.commons);
        world.run_for(Span::from_secs(60));
        for &key in &keys {
            for owner in ring.replicas_of(world.commons.keys.segment(key), 3) {
                assert_eq!(world.held(owner.0, key).len(), 1, "{pairs:?}: {key} at {owner}");
            }
        }
        let rounds = sums(&world).exchanges;
        assert!((33..=36).contains(&rounds), "six nodes, six rounds each: {rounds}");
        world.run_for(Span::from_secs(9));
        assert_eq!(open(&world), 0);
    }
}

#[test]
fn suspects_are_not_chosen_and_silence_makes_one() {
    let mut config = config(2);
    config.anti_entropy =
        Some(AntiEntropy { every: Some(Span::from_secs(10)), pairs: Pairs::Random, depth: 6, throttle: None });
    let mut world = World::new(config, 2, 2);
    world.add_keys(1);
    world.crash(B, DiskFate::Kept);
    world.run_for(Span::from_secs(60));
    assert_eq!(world.nodes[A as usize].stats.exchanges, 1, "its silence made a suspect of the other");
    assert!(world.notes.iter().any(|(_, _, note)| matches!(note, Note::Suspected { peer: NodeId(B) })));
}

#[test]
fn the_throttle_paces_keys() {
    let mut config = config(2);
    config.anti_entropy = Some(AntiEntropy { every: None, pairs: Pairs::Random, depth: 10, throttle: Some(10_000.0) });
    let mut world = World::new(config, 2, 2);
    for key in world.add_keys(1_000) {
        let version = world.version(A, &[], Value::Blob(1));
        world.preload(A, key, &version);
    }
    world.give(NodeId(A), Input::Run { task: Task::AntiEntropy, with: Some(NodeId(B)) });
    // 1 000 keys of 140 bytes at 10 kB/s take 14 s.
    world.run_for(Span::from_secs(7));
    let half = world.nodes[B as usize].table().len();
    assert!((450..=580).contains(&half), "{half} of 1000 keys at half time");
    world.run_for(Span::from_secs(8));
    assert!(world.agree(A, B));
}

#[test]
fn storage_works_for_an_exchange_in_batches_of_64_and_slices_slow_it() {
    let run = |background| {
        let mut config = config(2);
        config.storage =
            Storage { read: Dist::Constant(1_000_000), write: Dist::Constant(2_000_000), background, ..config.storage };
        let mut world = World::new(config, 2, 2);
        for key in world.add_keys(640) {
            let version = world.version(A, &[], Value::Blob(1));
            world.preload(A, key, &version);
        }
        world.give(NodeId(A), Input::Run { task: Task::AntiEntropy, with: Some(NodeId(B)) });
        world.run_for(Span::from_secs(2));
        assert!(world.agree(A, B));
        (sums(&world).background_done, world.nodes.iter().map(|n| n.stats.background_done).collect::<Vec<_>>())
    };
    let (unlimited, each) = run(Background::Unlimited);
    assert_eq!(run(Background::Slices { count: 1 }).0, unlimited);
    // One task to read leaves, ten to read batches at A, ten to store them at B.
    assert!(each[1] >= 10 && each[0] >= 10 && (21..=31).contains(&unlimited), "{each:?}");
}

#[test]
fn exercise_h1_a_recovered_owner_gets_what_it_missed() {
    let mut world = World::new(config(3), 5, 5);
    let key = world.add_keys(1)[0];
    let ring = world.commons.placement(&world.nodes[0].view().clone()).ring.clone();
    let list = ring.list(world.commons.keys.segment(key)).to_vec();
    let first = world.version(list[0].0, &[], Value::Blob(0));
    for owner in &list[..3] {
        world.preload(owner.0, key, &first);
    }
    world.crash(list[0].0, DiskFate::Kept);
    let put = Put { value: Value::Blob(1), size: 10, context: Siblings::one(first), client_stamp: 0, preferred: None };
    world.ask(
        list[1].0,
        Message::Put {
            key,
            profile: crate::node::config::ProfileId(0),
            forwarded: crate::node::message::RequestId::NONE,
            again: false,
            put: put.into(),
        },
    );
    world.run_for(Span::from_ms(300));
    world.restart(list[0].0);
    world.run_until(SimTime::ZERO + Span::from_ms(600));
    assert!(matches!(world.held(list[0].0, key)[0].value(), Value::Blob(0)));
    world.give(list[0], Input::Run { task: Task::AntiEntropy, with: Some(list[1]) });
    world.run_until(SimTime::ZERO + Span::from_ms(700));
    assert!(matches!(world.held(list[0].0, key)[0].value(), Value::Blob(1)));
    assert_eq!(sums(&world).hashes, 20);
}
