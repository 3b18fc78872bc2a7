//! Checks without seeds: one function or one small story each. A check says what is wrong, if anything is.

use std::collections::BTreeMap;
use std::slice::from_ref;

use dynamo_sim::check::linear::models::{Register, RegisterCall};
use dynamo_sim::check::linear::search::check;
use dynamo_sim::check::linear::{Operation, Verdict};
use dynamo_sim::kernel::dist::Dist;
use dynamo_sim::kernel::ids::{ActorId, Endpoint, GroupId, KeyId, NodeId, SegmentId};
use dynamo_sim::kernel::mutant::Mutant;
use dynamo_sim::kernel::time::SimTime;
use dynamo_sim::network::faults::{CutSpec, FaultId};
use dynamo_sim::network::{Config as NetworkConfig, EndSet, Envelope, Fate, Leg, Network};
use dynamo_sim::ring::{Assignment, Boundary, Config, HashKind, Layout, NodeSpec, PartitionCount, RingKind, Spread};
use dynamo_sim::store::Table;
use dynamo_sim::version::vector_clock::{Clock, Entry, Order};
use dynamo_sim::version::{NextCounter, Scheme, Siblings, Value, Version, Whole, Write, WriteId, coordinate, order};

/// What a check found.
pub type Checked = Result<(), String>;

/// A check, behind the id of what it checks.
type Check = (&'static str, fn() -> Checked);

/// The checks that must catch this bug, by the ids of what they check.
pub fn checks_of(mutant: Mutant) -> &'static [Check] {
    match mutant {
        Mutant::M06 => &[("C2", comparison_is_an_order)],
        Mutant::M07 => &[("C1", merge_is_a_least_upper_bound)],
        Mutant::M08 => &[("C4", a_put_keeps_what_its_author_had_not_seen)],
        Mutant::M09 => &[("C5", siblings_are_bounded)],
        Mutant::M12 => &[("L1", the_last_write_does_not_depend_on_arrival)],
        Mutant::M13 => &[("R1", lists_are_distinct)],
        Mutant::M14 => &[("R4", every_position_lies_in_its_range)],
        Mutant::M15 => &[("R2", placement_depends_on_members_only)],
        Mutant::M22 => &[("L3", hashes_see_versions)],
        Mutant::M32 => &[("the corpus of histories", what_timed_out_may_have_happened)],
        Mutant::M28 => &[("S3", a_one_way_cut_leaves_the_way_back)],
        _ => &[],
    }
}

/// A write that timed out, and then a read of it: legal.
fn what_timed_out_may_have_happened() -> Checked {
    let history = [Operation::open(1, RegisterCall::Write(Some(7))), Operation::new(2, 3, RegisterCall::Read(Some(7)))];
    let verdict = check(&Register { initial: None }, &history, 1_000);
    ensure(verdict == Verdict::Legal, || format!("a read of a write that timed out is {verdict:?}"))
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(what()) }
}

/// All clocks over two actors with up to two events each.
fn clocks() -> Vec<Clock> {
    let entry = |actor, counter| Entry { actor: ActorId(actor), counter, at_ms: 0 };
    (0..9)
        .map(|i| Clock::from_entries([entry(1, i / 3), entry(2, i % 3)].into_iter().filter(|e| e.counter > 0)))
        .collect()
}

fn comparison_is_an_order() -> Checked {
    for a in &clocks() {
        for b in &clocks() {
            let (forth, back) = (a.compare(b), b.compare(a));
            ensure(back == forth.reversed(), || format!("{a} and {b}: {forth:?}, and {back:?} seen from there"))?;
            ensure((forth == Order::Equal) == (a == b), || format!("{a} and {b} are {forth:?}"))?;
        }
        let mut next = a.clone();
        next.increment(ActorId(2), 0);
        ensure(next.dominates(a), || format!("an event leaves {a} where it was"))?;
    }
    Ok(())
}

fn merge_is_a_least_upper_bound() -> Checked {
    for a in &clocks() {
        for b in &clocks() {
            let both = a.merged(b);
            ensure(both == b.merged(a), || format!("{a} and {b} merge differently from the other side"))?;
            ensure(both.descends(a) && both.descends(b), || format!("{a} and {b} merge to {both}"))?;
        }
    }
    Ok(())
}

/// A coordinator that holds the versions of one key.
struct Replica {
    scheme: Scheme,
    held: Siblings,
    writes: u64,
}

impl Replica {
    fn new(scheme: Scheme) -> Replica {
        Replica { scheme, held: Siblings::new(), writes: 0 }
    }

    fn put(&mut self, context: &[Version]) -> Version {
        self.writes += 1;
        let version = coordinate(self.scheme, &self.held, context, write(1, self.writes, self.writes));
        self.held.apply(&version, self.scheme, Whole::Write);
        version
    }
}

fn write(actor: u32, stamp: u64, number: u64) -> Write {
    let (value, write) = (Value::Blob(number), WriteId(number));
    Write { actor: ActorId(actor), now_ms: number as u32, stamp, value, size: 1, write, issued: 0 }
}

fn a_put_keeps_what_its_author_had_not_seen() -> Checked {
    let mut replica = Replica::new(Scheme::Dotted);
    let first = replica.put(&[]);
    let second = replica.put(&[]);
    let third = replica.put(from_ref(&first));
    ensure(replica.held[..] == [second, third], || format!("held: {:?}", replica.held))
}

// The sibling explosion: two clients that take turns, each writing from its own last put.
fn siblings_are_bounded() -> Checked {
    let siblings = |scheme| {
        let mut replica = Replica::new(scheme);
        let mut last = [Siblings::new(), Siblings::new()];
        for round in 0..99 {
            last[round % 2] = Siblings::one(replica.put(&last[round % 2]));
        }
        replica.held.len()
    };
    let dotted = siblings(Scheme::Dotted);
    ensure(dotted == 2, || format!("two writers leave {dotted} siblings"))?;
    let merged = siblings(Scheme::VectorClock { next: NextCounter::Merged, max_entries: None });
    ensure(merged > 10, || format!("plain clocks must explode, or the schemes are one: {merged} siblings"))
}

fn the_last_write_does_not_depend_on_arrival() -> Checked {
    let scheme = Scheme::LastWriteWins;
    let [a, b] = [1, 2].map(|actor| coordinate(scheme, &[], &[], write(actor, 7, u64::from(actor))));
    let winner = |first: &Version, second: &Version| {
        let mut held = Siblings::one(first.clone());
        held.apply(second, scheme, Whole::Write);
        held[0].write()
    };
    ensure(order(&a, &b, scheme) != Order::Equal, || "two writes are one".into())?;
    ensure(winner(&a, &b) == winner(&b, &a), || "of two writes with one stamp the first stays".into())
}

fn ring_config(nodes: u32, kind: RingKind) -> Config {
    Config {
        nodes: vec![NodeSpec { capacity: 1.0, rack: 0, region: 0 }; nodes as usize],
        kind,
        hash: HashKind::Md5,
        boundary: Boundary::AtOrAfter,
        spread: Spread::Nodes,
        by_capacity: true,
        replicas: 3,
        seed: 1,
        initial_members: (0..nodes).map(NodeId).collect(),
    }
}

fn lists_are_distinct() -> Checked {
    for kind in [
        RingKind::RandomTokens { per_node: 8 },
        RingKind::EqualPartitions { by: PartitionCount::PerNode(8), assignment: Assignment::Random },
    ] {
        let layout = Layout::new(ring_config(5, kind));
        let ring = layout.initial_ring(&layout.config().initial_members);
        for segment in (0..ring.segments()).map(SegmentId) {
            let mut list = ring.replicas_of(segment, 3).to_vec();
            list.sort_unstable();
            list.dedup();
            ensure(list.len() == 3, || format!("three replicas of {segment:?} are the nodes {list:?}"))?;
        }
    }
    Ok(())
}

fn every_position_lies_in_its_range() -> Checked {
    for boundary in [Boundary::AtOrAfter, Boundary::After] {
        let tokens =
            BTreeMap::from([(NodeId(0), vec![100, 300]), (NodeId(1), vec![200]), (NodeId(2), vec![u128::MAX - 5])]);
        let layout = Layout::new(Config { boundary, ..ring_config(3, RingKind::Tokens(tokens)) });
        for at in [100u128, 200, 300, u128::MAX - 5, 0, u128::MAX]
            .into_iter()
            .flat_map(|token| [token.wrapping_sub(1), token, token.wrapping_add(1)])
        {
            let segment = layout.segment_of(at);
            let bounds = layout.segment_bounds(segment);
            // Distances clockwise from the start, so that the range over 0 is like any other.
            let (offset, length) = (at.wrapping_sub(bounds.start), bounds.end.wrapping_sub(bounds.start));
            let inside = match boundary {
                Boundary::AtOrAfter => 0 < offset && offset <= length,
                Boundary::After => offset < length,
            };
            ensure(inside, || format!("{at} is given to {segment:?}, which is {bounds:?}"))?;
        }
    }
    Ok(())
}

fn placement_depends_on_members_only() -> Checked {
    let members = [0, 1, 2, 3, 4].map(NodeId);
    let mut config = ring_config(5, RingKind::RandomTokens { per_node: 4 });
    let one = Layout::new(config.clone()).initial_ring(&members);
    config.initial_members.reverse();
    let other = Layout::new(config).initial_ring(&members);
    let lists = |ring: &dynamo_sim::ring::Ring| -> Vec<Vec<NodeId>> {
        (0..ring.segments()).map(|segment| ring.list(SegmentId(segment)).to_vec()).collect()
    };
    ensure(lists(&one) == lists(&other), || "the order of joins moves the tokens".into())
}

fn hashes_see_versions() -> Checked {
    let table = |version: &Version| {
        let mut table = Table::new();
        table.apply(KeyId(5), version, Scheme::Dotted, Whole::Write);
        table.hash(KeyId(5))
    };
    let first = coordinate(Scheme::Dotted, &[], &[], write(1, 1, 1));
    let second = coordinate(Scheme::Dotted, from_ref(&first), from_ref(&first), write(1, 2, 2));
    ensure(table(&first) == table(&first), || "one version has two hashes".into())?;
    ensure(table(&first) != table(&second), || "two versions of a key have one hash".into())
}

fn a_one_way_cut_leaves_the_way_back() -> Checked {
    let mut network = Network::new(&NetworkConfig::simple(3, Dist::Constant(1_000_000)), 1);
    let (from, to) = (EndSet::of_nodes([0]), EndSet::of_nodes([1, 2]));
    network.add_cut(FaultId(0), &CutSpec::OneWay { from, to });
    let mut passes = |from: u32, to: u32| {
        let (from, to) = (Endpoint::node(NodeId(from)), Endpoint::node(NodeId(to)));
        let (group, leg) = (GroupId(0), Leg::WriteRequest);
        let envelope = Envelope { from, to, group, leg, op: 1, replica: 0, attempt: 0, bytes: 10 };
        matches!(network.send(SimTime::ZERO, &envelope), Fate::Deliver(_))
    };
    ensure(!passes(0, 1) && !passes(0, 2), || "a cut lets something through".into())?;
    ensure(passes(1, 0) && passes(2, 0) && passes(1, 2), || "a cut of one direction stops the other".into())
}
