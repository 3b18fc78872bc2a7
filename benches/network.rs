//! How long the network takes to decide a message's fate.
//!
//! Under the release profile on a quiet 2-core machine, in ns: the draw alone 5.7, a send in a simple cluster 13.7,
//! with loss, a link, a cut or a bandwidth 25 to 28. Compare figures of one invocation only: under load, or without
//! link-time optimisation, all of them are two to three times as large.

#![allow(missing_docs)] // The macros of criterion make public functions without any.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use dynamo_sim::kernel::dist::Dist;
use dynamo_sim::kernel::ids::{Endpoint, GroupId, NodeId};
use dynamo_sim::kernel::rng::{Keyed, Purpose, tag};
use dynamo_sim::kernel::time::SimTime;
use dynamo_sim::network::{Config, CutSpec, EndSet, Envelope, FaultId, Leg, LinkRule, Network};

const NODES: u32 = 100;

fn send(criterion: &mut Criterion, name: &str, mut network: Network) {
    let mut op = 0u64;
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            op += 1;
            let from = op as u32 % NODES;
            let envelope = Envelope {
                from: Endpoint::node(NodeId(from)),
                to: Endpoint::node(NodeId((from + 1 + op as u32 * 7 % (NODES - 1)) % NODES)),
                group: GroupId(0),
                leg: Leg::ALL[op as usize % Leg::COUNT],
                op,
                replica: 2,
                attempt: 0,
                bytes: 1_000,
            };
            black_box(network.send(SimTime(op * 1_000), &envelope))
        });
    });
}

/// What a send cannot do without: one keyed draw through one table.
fn draw(criterion: &mut Criterion) {
    let (draws, sampler) = (Keyed::new(1), Dist::Exponential { mean: 1e6 }.compile());
    let mut op = 0u64;
    criterion.bench_function("draw", |bencher| {
        bencher.iter(|| {
            op += 1;
            black_box(sampler.sample(draws.bits(Purpose::Delay, op, tag((op % 13) as u8, 2, 0))))
        });
    });
}

fn sends(criterion: &mut Criterion) {
    draw(criterion);
    let simple = || Config::simple(NODES, Dist::Exponential { mean: 1e6 });
    send(criterion, "send/simple", Network::new(&simple(), 1));
    send(criterion, "send/lossy", Network::new(&Config { loss: 0.01, ..simple() }, 1));
    let one =
        LinkRule { from: EndSet::of_nodes([0]), to: EndSet::of_nodes([1]), fifo: Some(true), ..LinkRule::default() };
    send(criterion, "send/one_link", Network::new(&Config { links: vec![one], ..simple() }, 1));
    let mut network = Network::new(&simple(), 1);
    network.add_cut(FaultId(0), &CutSpec::Between(vec![EndSet::of_nodes([0]), EndSet::of_nodes(1..NODES)]));
    send(criterion, "send/one_cut", network);
    send(criterion, "send/bandwidth", Network::new(&Config { bandwidth: Some(1e8), ..simple() }, 1));
}

criterion_group!(benches, sends);
criterion_main!(benches);
