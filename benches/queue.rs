//! What the kernel's hot paths cost: a pop and a push of the event queue, and a draw.
//!
//! Aims for the queue, with exponential delays on an idle machine: 15, 19 and 40 ns at 100, 10 000 and 1 000 000
//! pending. Where others work too, compare with the binary heap measured beside it: 31, 56 and 460.

#![allow(missing_docs, reason = "the macros of criterion make public functions")]

use criterion::{Criterion, criterion_group, criterion_main};
use dynamo_sim::kernel::agenda::{Agenda, Due};
use dynamo_sim::kernel::digest::Digest;
use dynamo_sim::kernel::dist::Dist;
use dynamo_sim::kernel::queue::Queue;
use dynamo_sim::kernel::rng::{Keyed, Purpose, Stream};
use dynamo_sim::kernel::time::{SimTime, Span};
use std::hint::black_box;

/// Delays drawn beforehand, so that only the queue is measured.
fn delays() -> Vec<u64> {
    let sampler = Dist::Exponential { mean: 1e6 }.compile();
    let mut luck = Stream::new(1, Purpose::Delay, 0);
    (0..1 << 16).map(|_| sampler.sample(luck.bits())).collect()
}

fn pop_and_push(c: &mut Criterion) {
    let delays = delays();
    for pending in [100u64, 10_000, 1_000_000] {
        let mut queue = Queue::new();
        for seq in 0..pending {
            queue.push(SimTime(delays[seq as usize & 0xffff]), seq, [seq; 4]);
        }
        let mut seq = pending;
        let mut step = || {
            let (at, _, payload) = queue.pop().expect("events are pending");
            queue.push(SimTime(at.0 + delays[seq as usize & 0xffff]), seq, payload);
            seq += 1;
        };
        // Until the pending events are spread as they stay.
        for _ in 0..2 * pending {
            step();
        }
        c.bench_function(&format!("queue/pop_push/{pending}"), |b| b.iter(&mut step));
        let mut heap = std::collections::BinaryHeap::new();
        for seq in 0..pending {
            heap.push(std::cmp::Reverse((delays[seq as usize & 0xffff], seq, [seq; 4])));
        }
        let mut seq = pending;
        c.bench_function(&format!("std_heap/pop_push/{pending}"), |b| {
            b.iter(|| {
                let std::cmp::Reverse((at, _, payload)) = heap.pop().expect("events are pending");
                heap.push(std::cmp::Reverse((at + delays[seq as usize & 0xffff], seq, payload)));
                seq += 1;
            })
        });
    }
}

fn agenda(c: &mut Criterion) {
    let delays = delays();
    let mut agenda = Agenda::<[u64; 8], u64>::new();
    for i in 0..1_000 {
        agenda.schedule(SimTime(delays[i as usize]), [i; 8]);
    }
    let (mut i, mut live) = (0usize, 0u64);
    c.bench_function("agenda/next_schedule_timer/1000", |b| {
        b.iter(|| {
            let (at, seq, due) = agenda.next().expect("events are pending");
            if let Due::Event(event) = due {
                agenda.schedule(SimTime(at.0 + delays[i & 0xffff]), event);
                // One event in seven sets a timeout, which is soon obsolete.
                if i % 7 == 0 {
                    live = seq.saturating_sub(2_000);
                    agenda.set_timer(at, Span::from_ms(500), seq, |&timer| timer >= live);
                }
                i += 1;
            }
        })
    });
}

fn draws(c: &mut Criterion) {
    let luck = Keyed::new(1);
    let mut op = 0u64;
    c.bench_function("rng/keyed_bits", |b| {
        b.iter(|| {
            op += 1;
            luck.bits(Purpose::Delay, op, 5)
        })
    });
    let mut stream = Stream::new(1, Purpose::Delay, 0);
    let bits: Vec<u64> = (0..1 << 12).map(|_| stream.bits()).collect();
    for (name, dist) in [
        ("exponential", Dist::Exponential { mean: 1e6 }),
        ("lognormal", Dist::Lognormal { median: 1e6, sigma: 1.0 }),
        ("gamma", Dist::Gamma { shape: 4.2, mean: 1e6 }),
        ("lnkd_ssd", Dist::lnkd_ssd()),
        ("quantiles", Dist::Quantiles(vec![(0.0, 1e5), (0.5, 1e6), (0.99, 4e6), (0.999, 9e6), (1.0, 2e7)])),
        ("uniform", Dist::Uniform { min: 5, max: 1_000_000 }),
    ] {
        let sampler = dist.compile();
        let mut i = 0;
        c.bench_function(&format!("sampler/{name}"), |b| {
            b.iter(|| {
                i = (i + 1) & 0xfff;
                black_box(sampler.sample(bits[i]))
            })
        });
    }
}

fn digest(c: &mut Criterion) {
    let mut digest = Digest::new(100_000);
    let mut i = 0;
    c.bench_function("digest/record", |b| {
        b.iter(|| {
            i += 1;
            digest.record([i, i + 1, i + 2, i + 3]);
        })
    });
}

criterion_group!(benches, pop_and_push, agenda, draws, digest);
criterion_main!(benches);
