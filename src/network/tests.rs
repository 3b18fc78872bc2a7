//! The network as its callers meet it.

use super::*;
use crate::kernel::dist::Dist;
use crate::kernel::ids::SessionId;

const MS: u64 = 1_000_000;
const NOBODY: GroupId = GroupId(0);

fn ms(ms: u64) -> SimTime {
    SimTime(ms * MS)
}

fn node(number: u32) -> Endpoint {
    Endpoint::node(NodeId(number))
}

fn session(number: u32) -> Endpoint {
    Endpoint::client(SessionId(number))
}

fn constant(ms: u64) -> Delay {
    Delay::same(Dist::Constant(ms * MS))
}

/// A write request of an operation, between nodes, 1 000 bytes.
fn write(from: u32, to: u32, op: u64) -> Envelope {
    Envelope {
        from: node(from),
        to: node(to),
        group: NOBODY,
        leg: Leg::WriteRequest,
        op,
        replica: to,
        attempt: 0,
        bytes: 1_000,
    }
}

/// A request of a session to a node.
fn request(from: u32, group: u16, to: u32) -> Envelope {
    Envelope { from: session(from), group: GroupId(group), leg: Leg::ClientRequest, ..write(0, to, 1) }
}

/// Nodes in these regions, each in a rack of its own.
fn spread_over(regions: &[u32]) -> Config {
    let place = |(number, region): (usize, &u32)| Place { region: *region, rack: number as u32 };
    Config {
        regions: regions.iter().max().map_or(1, |max| max + 1),
        nodes: regions.iter().enumerate().map(place).collect(),
        ..Config::simple(1, Dist::Constant(MS))
    }
}

fn link(from: EndSet, to: EndSet) -> LinkRule {
    LinkRule { from, to, symmetric: true, ..LinkRule::default() }
}

fn wire(from: u32, to: u32, delay_ms: u64) -> LinkRule {
    LinkRule { delay: Some(constant(delay_ms)), ..link(EndSet::of_regions([from]), EndSet::of_regions([to])) }
}

fn exponential() -> Config {
    Config::simple(5, Dist::Exponential { mean: MS as f64 })
}

/// The delays of the first operations' writes from node 0 to 1 and 2, when each is sent a second after the one before.
fn delays(network: &mut Network) -> Vec<Option<u64>> {
    let mut delays = Vec::new();
    for op in 0..2_000 {
        let now = ms(op * 1_000);
        for to in [1, 2] {
            delays.push(match network.send(now, &write(0, to, op)) {
                Fate::Deliver(at) | Fate::Twice(at, _) => Some((at - now).0),
                Fate::Lost(_) => None,
            });
        }
    }
    delays
}

fn isolate(number: u32, of: u32) -> CutSpec {
    CutSpec::Between(vec![EndSet::of_nodes([number]), EndSet::of_nodes((0..of).filter(|other| *other != number))])
}

fn one_way(from: u32, to: u32) -> CutSpec {
    CutSpec::OneWay { from: EndSet::of_nodes([from]), to: EndSet::of_nodes([to]) }
}

#[test]
fn a_message_arrives_after_its_delay_and_is_counted() {
    let mut network = Network::new(&Config::simple(3, Dist::Constant(2 * MS)), 1);
    assert_eq!(network.send(ms(10), &write(0, 1, 7)), Fate::Deliver(ms(12)));
    assert!(network.passes_at_delivery(ms(12), ms(10), node(0), node(1), NOBODY, Leg::WriteRequest));
    assert_eq!(network.send(ms(10), &write(0, 0, 7)), Fate::Deliver(ms(10)), "a node reaches itself at once");
    let counts = network.totals().leg(Leg::WriteRequest);
    assert_eq!((counts.messages, counts.bytes, counts.to_itself, counts.lost()), (1, 1_000, 1, 0));
    assert_eq!(network.totals().class(Class::Foreground).messages, 1);
    assert_eq!(network.totals().class(Class::Gossip).messages, 0);
}

#[test]
fn the_most_specific_delay_wins() {
    let mut config = spread_over(&[0, 0, 0, 1, 1]);
    config.nodes[1].rack = config.nodes[0].rack;
    // The same number in another region is another rack.
    config.nodes[3].rack = config.nodes[0].rack;
    config.within_region = constant(2);
    config.between_regions = Some(constant(50));
    let arrival = |config: &Config, from, to| Network::new(config, 1).send(SimTime::ZERO, &write(from, to, 1));
    assert_eq!(arrival(&config, 0, 1), Fate::Deliver(ms(2)), "without within_rack a rack is like its region");
    config.within_rack = Some(constant(1));
    assert_eq!(arrival(&config, 0, 1), Fate::Deliver(ms(1)));
    assert_eq!(arrival(&config, 0, 2), Fate::Deliver(ms(2)));
    assert_eq!(arrival(&config, 0, 3), Fate::Deliver(ms(50)));
    assert_eq!(arrival(&config, 3, 0), Fate::Deliver(ms(50)));

    config.links = vec![wire(0, 1, 60), wire(0, 0, 3)];
    assert_eq!(arrival(&config, 0, 3), Fate::Deliver(ms(60)), "a link is more specific than between_regions");
    assert_eq!(arrival(&config, 0, 1), Fate::Deliver(ms(3)), "and than within_rack");
    assert_eq!(arrival(&config, 3, 4), Fate::Deliver(ms(2)));

    let one = |delay, from, to| LinkRule {
        delay: Some(constant(delay)),
        symmetric: false,
        ..link(EndSet::of_nodes([from]), EndSet::of_nodes([to]))
    };
    config.links.extend([one(70, 0, 3), one(80, 0, 3), wire(0, 1, 61)]);
    assert_eq!(arrival(&config, 0, 3), Fate::Deliver(ms(80)), "of two links between nodes the later wins");
    assert_eq!(arrival(&config, 3, 0), Fate::Deliver(ms(61)), "the way back is the later wire");
}

#[test]
fn a_field_that_a_later_link_leaves_out_stays_as_the_earlier_said() {
    let mut config = Config::simple(3, Dist::Constant(MS));
    let ends = || link(EndSet::of_nodes([0]), EndSet::of_nodes([1]));
    config.links = vec![LinkRule { delay: Some(constant(9)), ..ends() }, LinkRule { duplicate: Some(1.0), ..ends() }];
    let mut network = Network::new(&config, 1);
    assert_eq!(network.send(SimTime::ZERO, &write(0, 1, 1)), Fate::Twice(ms(9), ms(9)));
    assert_eq!(network.send(SimTime::ZERO, &write(0, 2, 1)), Fate::Deliver(ms(1)));
}

#[test]
fn a_route_over_three_regions_is_the_sum_of_its_links() {
    let mut config = spread_over(&[0, 1, 2]);
    config.links = vec![wire(0, 1, 30), wire(1, 2, 40)];
    config.groups = vec![Site::Region(0)];
    config.client = Some(constant(5));
    let mut network = Network::new(&config, 1);
    assert_eq!(network.send(SimTime::ZERO, &write(0, 2, 1)), Fate::Deliver(ms(70)));
    assert_eq!(network.send(SimTime::ZERO, &write(2, 0, 1)), Fate::Deliver(ms(70)));
    assert_eq!(network.send(SimTime::ZERO, &request(0, 0, 0)), Fate::Deliver(ms(5)));
    assert_eq!(
        network.send(SimTime::ZERO, &request(0, 0, 2)),
        Fate::Deliver(ms(75)),
        "a client's own way comes on top"
    );
}

#[test]
fn the_parts_of_a_route_are_drawn_independently() {
    let mut config = spread_over(&[0, 1, 2]);
    let exponential = || LinkRule { delay: Some(Delay::same(Dist::Exponential { mean: MS as f64 })), ..wire(0, 1, 0) };
    let far = LinkRule { from: EndSet::of_regions([1]), to: EndSet::of_regions([2]), ..exponential() };
    config.links = vec![exponential(), far];
    let network = Network::new(&config, 3);
    let count = 40_000;
    let drawn: Vec<f64> = (0..count).map(|op| network.delay_of(&write(0, 2, op)).as_ms()).collect();
    let mean = drawn.iter().sum::<f64>() / count as f64;
    let variance = drawn.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count as f64;
    // The sum of two exponentials: mean 2, variance 2; were both the same draw, the variance would be 4.
    assert!((mean - 2.0).abs() < 4.5 * (2.0 / count as f64).sqrt(), "mean {mean}");
    assert!((variance - 2.0).abs() < 0.1, "variance {variance}");
}

#[test]
fn each_leg_may_have_a_delay_of_its_own() {
    let mut config = Config::simple(2, Dist::Constant(MS));
    config.within_region = constant(1).with(Leg::WriteRequest, Dist::Constant(20 * MS));
    let mut network = Network::new(&config, 1);
    assert_eq!(network.send(SimTime::ZERO, &write(0, 1, 1)), Fate::Deliver(ms(20)));
    for leg in Leg::ALL.into_iter().filter(|leg| *leg != Leg::WriteRequest) {
        assert_eq!(network.send(SimTime::ZERO, &Envelope { leg, ..write(0, 1, 1) }), Fate::Deliver(ms(1)));
    }
}

#[test]
fn clients_are_in_a_region_or_dealt_over_them_or_nowhere() {
    let mut config = spread_over(&[0, 1, 2]);
    config.between_regions = Some(constant(40));
    config.client = Some(constant(3));
    config.groups = vec![Site::Region(1), Site::Spread, Site::Nowhere, Site::Rack(Place { region: 2, rack: 2 })];
    let mut network = Network::new(&config, 1);
    let mut arrivals = |from, group| [0, 1, 2].map(|to| network.send(SimTime::ZERO, &request(from, group, to)));
    let near = |region: usize| {
        let mut fates = [Fate::Deliver(ms(43)); 3];
        fates[region] = Fate::Deliver(ms(3));
        fates
    };
    assert_eq!(arrivals(0, 0), near(1));
    for number in 0..6 {
        assert_eq!(arrivals(number, 1), near(number as usize % 3));
    }
    assert_eq!(arrivals(0, 2), [Fate::Deliver(ms(3)); 3]);
    assert_eq!(arrivals(0, 3), near(2));
    assert_eq!(network.region_of(session(4), GroupId(1)), Some(1));
    assert_eq!(network.region_of(session(4), GroupId(2)), None);
    assert_eq!(network.region_of(node(2), NOBODY), Some(2));
    let answer = Envelope { from: node(0), to: session(1), leg: Leg::ClientResponse, ..request(1, 1, 0) };
    assert_eq!(network.send(SimTime::ZERO, &answer), Fate::Deliver(ms(43)));
}

#[test]
fn links_and_cuts_find_the_clients_they_name() {
    let mut config = spread_over(&[0, 1]);
    config.between_regions = Some(constant(40));
    config.groups = vec![Site::Spread, Site::Nowhere];
    let alice = link(EndSet::of_groups([1]), EndSet::of_nodes([1]));
    config.links = vec![LinkRule { delay: Some(constant(7)), ..alice }];
    let mut network = Network::new(&config, 1);
    assert_eq!(network.send(SimTime::ZERO, &request(9, 1, 1)), Fate::Deliver(ms(7)));
    assert_eq!(network.send(SimTime::ZERO, &request(9, 1, 0)), Fate::Deliver(ms(1)));
    let split = CutSpec::Between(vec![EndSet::of_regions([0]), EndSet::of_regions([1])]);
    network.add_cut(FaultId(0), &split);
    let cut = Fate::Lost(LossCause::Cut);
    assert_eq!(network.send(SimTime::ZERO, &request(2, 0, 1)), cut, "session 2 is in region 0");
    assert_eq!(network.send(SimTime::ZERO, &request(3, 0, 0)), cut, "session 3 is in region 1");
    assert_eq!(network.send(SimTime::ZERO, &request(3, 0, 1)), Fate::Deliver(ms(1)));
    assert_eq!(network.send(SimTime::ZERO, &request(9, 1, 1)), Fate::Deliver(ms(7)), "who is nowhere is in no group");
    assert_eq!(network.hits(FaultId(0)), 2);
}

#[test]
fn a_one_way_cut_stops_one_direction() {
    let mut network = Network::new(&Config::simple(3, Dist::Constant(MS)), 1);
    network.add_cut(FaultId(4), &one_way(0, 1));
    assert_eq!(network.send(ms(1), &write(0, 1, 1)), Fate::Lost(LossCause::Cut));
    assert_eq!(network.send(ms(1), &write(1, 0, 1)), Fate::Deliver(ms(2)));
    assert!(network.cut_between(node(0), node(1), NOBODY) && !network.cut_between(node(1), node(0), NOBODY));
    assert!(!network.reachable(node(0), node(1), NOBODY) && !network.reachable(node(1), node(0), NOBODY));
    assert!(network.reachable(node(0), node(2), NOBODY));
    network.remove_fault(ms(5), FaultId(4));
    assert_eq!(network.send(ms(5), &write(0, 1, 1)), Fate::Deliver(ms(6)), "it heals at the instant");
    assert_eq!(network.hits(FaultId(4)), 1, "the count outlives the fault");
    assert_eq!(network.totals().leg(Leg::WriteRequest).lost_by_cut, 1);
}

#[test]
fn a_bridge_sees_both_sides_and_a_ring_sees_its_neighbours() {
    let mut network = Network::new(&Config::simple(5, Dist::Constant(MS)), 1);
    let sides = CutSpec::Between(vec![EndSet::of_nodes([0, 1]), EndSet::of_nodes([3, 4])]);
    network.add_cut(FaultId(0), &sides);
    let reached = |network: &Network, from: u32| -> Vec<u32> {
        (0..5).filter(|to| network.reachable(node(from), node(*to), NOBODY)).collect()
    };
    assert_eq!(reached(&network, 0), [0, 1, 2]);
    assert_eq!(reached(&network, 2), [0, 1, 2, 3, 4]);
    assert_eq!(reached(&network, 4), [2, 3, 4]);
    network.remove_fault(ms(1), FaultId(0));
    for number in 0..5 {
        let far = EndSet::of_nodes([(number + 2) % 5, (number + 3) % 5]);
        network.add_cut(FaultId(1), &CutSpec::OneWay { from: EndSet::of_nodes([number]), to: far });
    }
    for number in 0..5 {
        let mut majority = [(number + 4) % 5, number, (number + 1) % 5];
        majority.sort();
        assert_eq!(reached(&network, number), majority, "each sees a majority, no two the same");
    }
    network.remove_fault(ms(2), FaultId(1));
    assert_eq!(reached(&network, 0).len(), 5, "all parts of a fault end together");
}

#[test]
fn a_message_on_its_way_is_cut_too_even_if_the_cut_heals_before_it_arrives() {
    let mut network = Network::new(&Config::simple(3, Dist::Constant(10 * MS)), 1);
    let passes = |network: &mut Network, now, sent_at, from, to| {
        network.passes_at_delivery(ms(now), ms(sent_at), node(from), node(to), NOBODY, Leg::WriteRequest)
    };
    for (sent_at, to) in [(0, 1), (2, 1), (2, 2)] {
        assert_eq!(network.send(ms(sent_at), &write(0, to, sent_at)), Fate::Deliver(ms(sent_at + 10)));
    }
    network.add_cut(FaultId(0), &one_way(0, 1));
    assert!(!passes(&mut network, 10, 0, 0, 1), "the cut holds");
    network.remove_fault(ms(11), FaultId(0));
    assert!(!network.cut_between(node(0), node(1), NOBODY), "what is remembered does not hold any more");
    assert!(!passes(&mut network, 12, 2, 0, 1), "the cut has healed, and bit all the same");
    assert!(passes(&mut network, 12, 2, 0, 2) && passes(&mut network, 12, 2, 1, 0));
    assert!(passes(&mut network, 21, 11, 0, 1), "sent at the instant of healing");
    assert_eq!(network.hits(FaultId(0)), 2);
    assert_eq!(network.totals().all().lost_by_cut, 2);
    assert!(network.faults.has_no_cuts(), "a cut is forgotten when nothing can have met it");
    assert!(network.is_plain);
}

#[test]
fn a_cut_is_remembered_for_the_longest_message_also_one_of_a_script() {
    let mut network = Network::new(&Config::simple(2, Dist::Constant(MS)), 1);
    network.charge(Leg::WriteRequest, 100, Fate::Deliver(ms(500)));
    network.add_cut(FaultId(0), &one_way(0, 1));
    network.remove_fault(ms(10), FaultId(0));
    for (now, sent_at, passed) in [(100, 20, true), (499, 20, true), (500, 0, false), (501, 400, true)] {
        let passes = network.passes_at_delivery(ms(now), ms(sent_at), node(0), node(1), NOBODY, Leg::WriteRequest);
        assert_eq!(passes, passed, "sent at {sent_at} ms, arrives at {now} ms");
        assert_eq!(network.faults.has_no_cuts(), now == 501, "the cut is remembered until 500 ms");
    }
}

#[test]
fn loss_and_duplicates_come_at_their_rates() {
    let mut config = Config::simple(2, Dist::Constant(MS));
    (config.loss, config.duplicate) = (0.1, 0.02);
    let mut network = Network::new(&config, 5);
    let sent = 100_000;
    (0..sent).for_each(|op| {
        network.send(SimTime::ZERO, &write(0, 1, op));
    });
    let counts = network.totals().all();
    let (lost, twice) = (counts.lost_by_chance as f64, counts.duplicated as f64);
    // Within 4.5 standard deviations of the binomial.
    assert!((lost - 10_000.0).abs() < 4.5 * 9_000f64.sqrt(), "{lost} lost");
    assert!((twice - 1_800.0).abs() < 4.5 * 1_764f64.sqrt(), "{twice} arrived twice");
}

#[test]
fn the_second_copy_takes_its_own_time() {
    let mut network = Network::new(&Config { duplicate: 1.0, ..exponential() }, 5);
    let count = 10_000;
    let mut product = 0.0;
    for op in 0..count {
        let Fate::Twice(first, second) = network.send(SimTime::ZERO, &write(0, 1, op)) else {
            unreachable!("every message arrives twice here")
        };
        product += (first.as_ms() - 1.0) * (second.as_ms() - 1.0) / count as f64;
    }
    assert!(product.abs() < 4.5 / (count as f64).sqrt(), "correlation {product}");
}

#[test]
fn no_copy_is_unaccounted_for() {
    let mut config = exponential();
    (config.loss, config.duplicate) = (0.05, 0.05);
    let mut network = Network::new(&config, 5);
    network.add_link_fault(
        FaultId(1),
        &CutSpec::OneWay { from: EndSet::of_nodes([0]), to: EndSet::of_regions([0]) },
        Degrade { loss: 0.1, duplicate: 0.1, ..Degrade::default() },
    );
    let mut arrivals = Vec::new();
    for op in 0..10_000u64 {
        let now = SimTime(op * 10_000);
        if op == 3_000 || op == 6_000 {
            network.add_cut(FaultId(0), &isolate(0, 5));
        }
        if op == 4_000 || op == 7_000 {
            network.remove_fault(now, FaultId(0));
        }
        let envelope = write(op as u32 % 5, (op / 5) as u32 % 5, op);
        match network.send(now, &envelope) {
            Fate::Deliver(at) if envelope.from != envelope.to => arrivals.push((at, now, envelope)),
            Fate::Twice(first, second) => arrivals.extend([(first, now, envelope), (second, now, envelope)]),
            _ => {}
        }
    }
    let mut delivered = 0;
    network.remove_fault(ms(100), FaultId(0));
    arrivals.sort_by_key(|(at, ..)| *at);
    let copies = arrivals.len() as u64;
    for (at, sent_at, envelope) in arrivals {
        let Envelope { from, to, leg, .. } = envelope;
        delivered += u64::from(network.passes_at_delivery(at, sent_at, from, to, NOBODY, leg));
    }
    let counts = network.totals().all();
    assert_eq!(counts.messages + counts.to_itself, 10_000);
    assert_eq!(counts.messages + counts.duplicated, delivered + counts.lost());
    assert!(delivered <= copies && counts.lost_by_cut > 0 && counts.lost_by_chance > 0 && counts.duplicated > 0);
    assert!(network.hits(FaultId(0)) == counts.lost_by_cut && network.hits(FaultId(1)) > 0);
}

#[test]
fn what_a_script_decides_is_counted_like_the_rest() {
    let mut network = Network::new(&Config::simple(2, Dist::Constant(MS)), 1);
    network.charge(Leg::ReadRequest, 50, Fate::Deliver(ms(3)));
    network.charge(Leg::ReadRequest, 50, Fate::Lost(LossCause::Script));
    let counts = network.totals().leg(Leg::ReadRequest);
    assert_eq!((counts.messages, counts.bytes, counts.lost_by_script, counts.lost()), (2, 100, 1, 1));
}

#[test]
fn a_node_sends_one_byte_after_the_other() {
    let mut config = Config::simple(3, Dist::Constant(MS));
    config.groups = vec![Site::Nowhere];
    config.bandwidth = Some(1_000_000.0);
    let mut network = Network::new(&config, 1);
    // 1 000 bytes at 1 MB/s take 1 ms, whoever they are for.
    assert_eq!(network.send(ms(0), &write(0, 1, 1)), Fate::Deliver(ms(2)));
    assert_eq!(network.send(ms(0), &write(0, 2, 1)), Fate::Deliver(ms(3)));
    assert_eq!(network.send(ms(0), &write(1, 2, 1)), Fate::Deliver(ms(2)), "another node has another pipe");
    assert_eq!(network.send(ms(0), &request(0, 0, 1)), Fate::Deliver(ms(1)), "clients are not limited");
    assert_eq!(network.send(ms(10), &write(0, 1, 1)), Fate::Deliver(ms(12)), "the pipe was idle");
    network.add_cut(FaultId(0), &one_way(0, 1));
    assert_eq!(network.send(ms(20), &write(0, 1, 1)), Fate::Lost(LossCause::Cut));
    assert_eq!(network.send(ms(20), &write(0, 2, 1)), Fate::Deliver(ms(23)), "what is cut has been sent all the same");
}

#[test]
fn a_link_with_a_bandwidth_is_shared_by_all_who_send_over_it() {
    let mut config = spread_over(&[0, 0, 1, 2]);
    config.links = vec![LinkRule { bandwidth: Some(1_000_000.0), ..wire(0, 1, 10) }, wire(1, 2, 20)];
    let mut network = Network::new(&config, 1);
    assert_eq!(network.send(ms(0), &write(0, 2, 1)), Fate::Deliver(ms(11)));
    assert_eq!(network.send(ms(0), &write(1, 2, 1)), Fate::Deliver(ms(12)), "after the bytes of node 0");
    assert_eq!(network.send(ms(0), &write(0, 3, 1)), Fate::Deliver(ms(33)), "a route leads over the link");
    assert_eq!(network.send(ms(0), &write(2, 0, 1)), Fate::Deliver(ms(11)), "the way back is another pipe");
    assert_eq!(network.send(ms(0), &write(0, 1, 1)), Fate::Deliver(ms(1)), "within the region it is not used");

    let mut config = Config::simple(3, Dist::Constant(MS));
    let thin = link(EndSet::of_nodes([0, 1]), EndSet::of_nodes([2]));
    config.links = vec![LinkRule { bandwidth: Some(500_000.0), ..thin }];
    let mut network = Network::new(&config, 1);
    assert_eq!(network.send(ms(0), &write(0, 2, 1)), Fate::Deliver(ms(3)));
    assert_eq!(network.send(ms(0), &write(1, 2, 1)), Fate::Deliver(ms(5)));
    assert_eq!(network.send(ms(0), &write(0, 1, 1)), Fate::Deliver(ms(1)));

    config.bandwidth = Some(1_000_000.0);
    config.links[0].bandwidth = Some(f64::INFINITY);
    let mut network = Network::new(&config, 1);
    for _ in 0..2 {
        assert_eq!(network.send(ms(0), &write(0, 2, 1)), Fate::Deliver(ms(1)), "a link may be unlimited");
    }
    assert_eq!(network.send(ms(0), &write(0, 1, 1)), Fate::Deliver(ms(2)));
}

#[test]
fn wires_lose_independently_along_a_route() {
    let mut config = spread_over(&[0, 1, 2]);
    let lossy = |from, to| LinkRule { loss: Some(0.5), ..wire(from, to, 10) };
    config.links = vec![lossy(0, 1), lossy(1, 2)];
    let mut network = Network::new(&config, 2);
    let mut lost =
        |to| (0..10_000).filter(|op| network.send(ms(0), &write(0, to, *op)) == Fate::Lost(LossCause::Chance)).count();
    let (near, far) = (lost(1), lost(2));
    assert!(near.abs_diff(5_000) < 225, "{near} of 10 000 are lost on one wire");
    assert!(far.abs_diff(7_500) < 195, "{far} of 10 000 are lost on two wires");
}

#[test]
fn messages_overtake_each_other_unless_the_link_keeps_their_order() {
    let overtakes = |fifo, (from, to): (u32, u32)| {
        let mut config = exponential();
        config.fifo = fifo;
        config.duplicate = 0.1;
        let mut network = Network::new(&config, 1);
        let mut last = SimTime::ZERO;
        let mut overtaken = 0;
        for op in 0..1_000 {
            let (first, latest) = match network.send(SimTime(op * 1_000), &write(from, to, op)) {
                Fate::Deliver(at) => (at, at),
                Fate::Twice(first, second) => (first, first.max(second)),
                Fate::Lost(_) => unreachable!("nothing is lost here"),
            };
            overtaken += u32::from(first < last);
            last = last.max(latest);
        }
        overtaken
    };
    assert!(overtakes(false, (0, 1)) > 900);
    assert_eq!(overtakes(true, (0, 1)), 0);
    // Order is kept on each way for itself.
    let mut config = exponential();
    config.links = vec![LinkRule { fifo: Some(true), ..link(EndSet::of_nodes([0]), EndSet::of_nodes([1])) }];
    let mut free = Network::new(&exponential(), 1);
    let mut ordered = Network::new(&config, 1);
    let mut later = 0;
    for op in 0..100 {
        assert_eq!(free.send(SimTime(op), &write(0, 2, op)), ordered.send(SimTime(op), &write(0, 2, op)));
        later += u32::from(free.send(SimTime(op), &write(0, 1, op)) != ordered.send(SimTime(op), &write(0, 1, op)));
    }
    assert!(later > 50, "{later} of 100 had to wait");
}

#[test]
fn nothing_shifts_the_luck_of_another_message() {
    let calm = delays(&mut Network::new(&exponential(), 9));
    assert!(calm.iter().all(Option::is_some));
    assert_ne!(calm, delays(&mut Network::new(&exponential(), 10)), "another seed is other luck");

    let mut lossy = exponential();
    (lossy.loss, lossy.duplicate) = (0.3, 0.3);
    let with_loss = delays(&mut Network::new(&lossy, 9));
    lossy.loss = 0.6;
    let with_more = delays(&mut Network::new(&lossy, 9));
    assert!(with_loss.contains(&None));
    for ((calm, some), more) in calm.iter().zip(&with_loss).zip(&with_more) {
        assert!(some.is_none() || some == calm, "loss does not change a delay");
        assert!(more.is_none() || more == some, "more loss loses the same messages and more");
    }

    let mut busy = Network::new(&exponential(), 9);
    for op in 0..1_000 {
        busy.send(SimTime::ZERO, &write(3, 4, op));
    }
    busy.add_cut(FaultId(0), &one_way(3, 4));
    busy.set_slow(FaultId(1), &[NodeId(3)], 10.0);
    busy.add_link_fault(FaultId(2), &one_way(0, 1), Degrade::default());
    assert_eq!(delays(&mut busy), calm);
    assert_eq!([0, 1, 2].map(|fault| busy.hits(FaultId(fault))), [0; 3], "none of these faults bit");
    busy.remove_fault(ms(0), FaultId(0));
    assert_eq!(delays(&mut busy), calm);

    let mut longer = exponential();
    longer.nodes.extend([Place { region: 0, rack: 0 }; 3]);
    longer.groups = vec![Site::Spread; 4];
    assert_eq!(delays(&mut Network::new(&longer, 9)), calm, "nor do more nodes and clients");
}

#[test]
fn delays_follow_their_distribution_on_every_leg_and_do_not_depend_on_each_other() {
    let network = Network::new(&exponential(), 3);
    let count = 20_000;
    let drawn = |leg, replica, attempt| -> Vec<f64> {
        let envelope = |op| Envelope { leg, replica, attempt, ..write(0, 1, op) };
        (0..count).map(|op| network.delay_of(&envelope(op)).as_ms()).collect()
    };
    let first = drawn(Leg::WriteRequest, 1, 0);
    for leg in Leg::ALL {
        let mut sorted = drawn(leg, 1, 0);
        sorted.sort_by(f64::total_cmp);
        // The statistic of Kolmogorov and Smirnov; 1.95 is exceeded by chance once in a thousand.
        let distance = sorted.iter().enumerate().map(|(rank, delay)| {
            let below = 1.0 - crate::kernel::math::exp(-delay);
            (below - rank as f64 / count as f64).abs().max((below - (rank + 1) as f64 / count as f64).abs())
        });
        let distance = distance.fold(0.0, f64::max) * (count as f64).sqrt();
        assert!(distance < 1.95, "{}: {distance}", leg.name());
    }
    for other in [drawn(Leg::WriteAck, 1, 0), drawn(Leg::WriteRequest, 2, 0), drawn(Leg::WriteRequest, 1, 1)] {
        // Mean and variance of an exponential are 1, so this is the correlation.
        let products = first.iter().zip(&other).map(|(a, b)| (a - 1.0) * (b - 1.0));
        let correlation = products.sum::<f64>() / count as f64;
        assert!(correlation.abs() < 4.5 / (count as f64).sqrt(), "correlation {correlation}");
    }
}

#[test]
fn slow_nodes_and_links_multiply_and_count() {
    let mut network = Network::new(&Config::simple(4, Dist::Constant(2 * MS)), 1);
    network.set_slow(FaultId(0), &[NodeId(0), NodeId(1)], 10.0);
    assert_eq!(network.send(ms(0), &write(0, 2, 1)), Fate::Deliver(ms(20)));
    assert_eq!(network.send(ms(0), &write(2, 0, 1)), Fate::Deliver(ms(20)));
    assert_eq!(network.send(ms(0), &write(0, 1, 1)), Fate::Deliver(ms(200)), "both ends are slow");
    assert_eq!(network.send(ms(0), &write(2, 3, 1)), Fate::Deliver(ms(2)));
    assert_eq!(network.hits(FaultId(0)), 3);
    let worse = Degrade { slower: 3.0, extra: Dist::Constant(5 * MS), ..Degrade::default() };
    network.add_link_fault(FaultId(7), &one_way(0, 2), worse);
    assert_eq!(
        network.send(ms(0), &write(0, 2, 1)),
        Fate::Deliver(ms(65)),
        "factors multiply, then the extra is added"
    );
    assert_eq!(network.delay_of(&write(0, 2, 1)), Span::from_ms(65));
    assert_eq!(network.send(ms(0), &write(2, 0, 1)), Fate::Deliver(ms(20)), "the other direction is as it was");
    assert_eq!(network.hits(FaultId(7)), 1, "asking for a delay is no hit");
    network.remove_fault(ms(0), FaultId(0));
    network.remove_fault(ms(0), FaultId(7));
    assert_eq!(network.send(ms(0), &write(0, 2, 1)), Fate::Deliver(ms(2)));
    assert!(network.is_plain);
}

#[test]
fn a_lossy_link_fault_counts_what_it_and_not_the_link_itself_lost() {
    let mut config = Config::simple(3, Dist::Constant(MS));
    config.loss = 0.2;
    let mut alone = Network::new(&config, 4);
    let mut faulty = Network::new(&config, 4);
    let half = Degrade { loss: 0.5, ..Degrade::default() };
    faulty.add_link_fault(FaultId(0), &one_way(0, 1), half.clone());
    faulty.add_link_fault(FaultId(1), &one_way(0, 1), half.clone());
    faulty.add_link_fault(FaultId(2), &one_way(1, 0), half);
    for op in 0..20_000 {
        alone.send(ms(0), &write(0, 1, op));
        faulty.send(ms(0), &write(0, 1, op));
    }
    let (own, all) = (alone.totals().all().lost_by_chance, faulty.totals().all().lost_by_chance);
    let hits = [0, 1, 2].map(|fault| faulty.hits(FaultId(fault)));
    assert_eq!(own + hits[0] + hits[1], all);
    // Of what is left over, each fault takes half: 0.4 and 0.2 of all.
    assert!(hits[0].abs_diff(8_000) < 315 && hits[1].abs_diff(4_000) < 255 && hits[2] == 0, "{hits:?}");
}

#[test]
fn a_cut_never_parts_a_node_from_itself() {
    let mut network = Network::new(&Config::simple(2, Dist::Constant(MS)), 1);
    let all = || EndSet::of_regions([0]);
    network.add_cut(FaultId(0), &CutSpec::OneWay { from: all(), to: all() });
    assert_eq!(network.send(ms(1), &write(0, 0, 1)), Fate::Deliver(ms(1)));
    assert!(network.passes_at_delivery(ms(1), ms(1), node(0), node(0), NOBODY, Leg::WriteRequest));
    assert!(network.reachable(node(0), node(0), NOBODY) && !network.reachable(node(0), node(1), NOBODY));
    assert_eq!(network.hits(FaultId(0)), 0);
}

#[test]
fn delays_beyond_the_longest_span_are_cut_to_it() {
    let mut config = spread_over(&[0, 1, 2]);
    config.links = vec![wire(0, 1, Span::MAX.0 / MS), wire(1, 2, Span::MAX.0 / MS)];
    config.bandwidth = Some(1e-300);
    let mut network = Network::new(&config, 1);
    network.set_slow(FaultId(0), &[NodeId(0)], 1e300);
    let Fate::Deliver(at) = network.send(ms(1), &write(0, 2, 1)) else { unreachable!("nothing is lost here") };
    assert!(at.0 > Span::MAX.0);
}

#[test]
fn cuts_stop_exactly_the_messages_whose_way_they_overlap() {
    // Every message of a small world against every cut of it, by the definition: a cut from `begin` to `end`
    // stops what is on its way at any instant of it.
    let flight = 3;
    for (begin, end) in (0..8).flat_map(|begin| (begin + 1..9).map(move |end| (begin, end))) {
        let mut network = Network::new(&Config::simple(2, Dist::Constant(flight * MS)), 1);
        let mut stopped = 0;
        for now in 0..15u64 {
            if now == begin {
                network.add_cut(FaultId(0), &one_way(0, 1));
            }
            if now == end {
                network.remove_fault(ms(now), FaultId(0));
            }
            let overlaps = |sent_at: u64, until: u64| begin <= until && sent_at < end;
            let was_sent = |sent_at: u64| !(begin..end).contains(&sent_at);
            if let Some(sent_at) = now.checked_sub(flight).filter(|sent_at| was_sent(*sent_at)) {
                let passed =
                    network.passes_at_delivery(ms(now), ms(sent_at), node(0), node(1), NOBODY, Leg::WriteRequest);
                assert_eq!(passed, !overlaps(sent_at, now), "sent at {sent_at}, cut from {begin} to {end}");
                stopped += u64::from(!passed);
            }
            let fate = network.send(ms(now), &write(0, 1, now));
            assert_eq!(fate == Fate::Lost(LossCause::Cut), !was_sent(now), "sent at {now}, cut from {begin} to {end}");
            stopped += u64::from(!was_sent(now));
        }
        assert_eq!(network.hits(FaultId(0)), stopped);
        assert_eq!(network.totals().all().lost_by_cut, stopped);
    }
}
