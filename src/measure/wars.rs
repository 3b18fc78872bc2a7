//! The WARS model by Monte Carlo: how fresh reads are and how long requests take if nothing counts but the four
//! legs between a coordinator and N replicas (Bailis et al., "Probabilistically Bounded Staleness for Practical
//! Partial Quorums", VLDB 2012, §5.1).
//!
//! A trial is one write and one read of one key. The write reaches replica i after `W[i]` and its ack is back after
//! `A[i]` more; the read's request reaches it after `R[i]` and the response is back after `S[i]` more. The write is
//! over at w_t, when W acks are back, and the read begins t later. It takes the first R responses, and is stale if
//! all of them are: that of replica i is if w_t + t + `R[i]` < `W[i]`. So each trial has one number T, the least
//! `W[i]` - `R[i]` among the first R less w_t, and is fresh at t exactly if t is at least T: a whole curve from one
//! sample, and every R and W from the same draws. This file knows nothing of clusters, faults or files.

use std::collections::BTreeMap;

use crate::kernel::math;
use crate::kernel::rng::{Purpose, Stream};
use crate::network::Line;

/// The legs between a coordinator and a replica.
#[derive(Clone, Debug)]
pub struct Legs {
    /// W: the write to the replica.
    pub write: Line,
    /// A: its ack.
    pub ack: Line,
    /// R: the read's request to the replica.
    pub read: Line,
    /// S: its response.
    pub response: Line,
}

/// Where the coordinator of an operation is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lead {
    /// At one of these spots, each as likely.
    Spots(Vec<u32>),
    /// Beside one of the key's replicas, each as likely; a node's spot has its number.
    BesideReplica,
    /// Beside the first of them.
    BesideFirst,
}

/// A kind of client: where its operations are led from, and how many there are.
#[derive(Clone, PartialEq, Debug)]
pub struct Seat {
    /// Where its writes are led from.
    pub writes_from: Lead,
    /// Where its reads are led from.
    pub reads_from: Lead,
    /// How many of all writes are its own, as a weight.
    pub writes: f64,
    /// How many of all reads that follow nobody's write are its own, as a weight.
    pub reads: f64,
    /// The share of its writes that it reads itself.
    pub follows: f64,
    /// Whether a session keeps to one spot.
    pub is_sticky: bool,
}

/// Where trials take place.
#[derive(Clone, Debug)]
pub struct World {
    /// N: replicas of a key.
    pub n: usize,
    /// The distinct legs that there are.
    pub legs: Vec<Legs>,
    /// By spot of the coordinator and node of the replica, the number of the legs between them.
    pub between: Vec<Vec<u32>>,
    /// The lists of N nodes that keys may have, each with its weight.
    pub lists: Vec<(f64, Vec<u32>)>,
    /// The clients.
    pub seats: Vec<Seat>,
}

impl World {
    /// One coordinator far from all, with these legs to its replicas.
    pub fn of(legs: Vec<Legs>) -> World {
        let n = legs.len();
        let lead = || Lead::Spots(vec![0]);
        let seat =
            Seat { writes_from: lead(), reads_from: lead(), writes: 1.0, reads: 0.0, follows: 1.0, is_sticky: false };
        let nodes: Vec<u32> = (0..n as u32).collect();
        World { n, legs, between: vec![nodes.clone()], lists: vec![(1.0, nodes)], seats: vec![seat] }
    }

    /// Whether all coordinators and replicas are alike, so that nobody needs to be drawn.
    fn is_uniform(&self) -> bool {
        self.legs.len() == 1
    }
}

/// A number and its standard error.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Its standard error; NaN if the sample is too small to tell.
    pub error: f64,
}

/// One number a trial, in nanoseconds, in order.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample(Vec<u64>);

impl Sample {
    fn new(mut values: Vec<u64>) -> Sample {
        values.sort_unstable();
        Sample(values)
    }

    /// The share of trials with at most so much.
    pub fn share_up_to(&self, ns: u64) -> Estimate {
        let count = self.0.len() as f64;
        let share = self.0.partition_point(|value| *value <= ns) as f64 / count;
        Estimate { value: share, error: math::sqrt(share * (1.0 - share) / count) }
    }

    /// The quantile q: the least value that at least so many trials do not exceed. The error is half the distance
    /// between the values one standard error of the rank to either side (Woodruff 1952).
    pub fn quantile(&self, q: f64) -> Estimate {
        let count = self.0.len() as f64;
        let at = |rank: f64| self.0[(rank.ceil().clamp(1.0, count) - 1.0) as usize] as f64;
        let (rank, spread) = (q * count, math::sqrt(count * q * (1.0 - q)));
        // Of a tail of fewer than ten nothing is known.
        let is_known = (1.0 - q).min(q) * count >= 9.5;
        let error = if is_known { 0.5 * (at(rank + spread) - at(rank - spread)) } else { f64::NAN };
        Estimate { value: at(rank), error }
    }
}

/// What came of the trials.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    reads: BTreeMap<usize, Sample>,
    writes: BTreeMap<usize, Sample>,
    waits: BTreeMap<(usize, usize), Sample>,
}

impl Outcome {
    /// How long reads take that wait for `r` responses.
    ///
    /// # Panics
    /// If no pair with that R was asked for.
    pub fn reads(&self, r: usize) -> &Sample {
        &self.reads[&r]
    }

    /// How long writes take that wait for `w` acks.
    ///
    /// # Panics
    /// If no pair with that W was asked for.
    pub fn writes(&self, w: usize) -> &Sample {
        &self.writes[&w]
    }

    /// How long after the last ack a read must begin to be fresh.
    ///
    /// # Panics
    /// If this pair of R and W was not asked for.
    pub fn waits(&self, r: usize, w: usize) -> &Sample {
        &self.waits[&(r, w)]
    }
}

/// Every R and W of an N.
pub fn all_pairs(n: usize) -> Vec<(usize, usize)> {
    (1..=n).flat_map(|r| (1..=n).map(move |w| (r, w))).collect()
}

/// Plays so many trials for these pairs of R and W. The draws of a trial do not depend on the pairs.
///
/// # Panics
/// If there are no trials, or R or W is 0 or more than N.
pub fn play(world: &World, pairs: &[(usize, usize)], trials: usize, seed: u64) -> Outcome {
    let n = world.n;
    assert!(trials > 0, "without trials nothing is known");
    assert!(pairs.iter().all(|&(r, w)| (1..=n).contains(&r) && (1..=n).contains(&w)), "R and W are 1 to N");
    let column = || Vec::with_capacity(trials);
    let mut reads: BTreeMap<usize, Vec<u64>> = pairs.iter().map(|&(r, _)| (r, column())).collect();
    let mut writes: BTreeMap<usize, Vec<u64>> = pairs.iter().map(|&(_, w)| (w, column())).collect();
    let mut waits: BTreeMap<(usize, usize), Vec<u64>> = pairs.iter().map(|&pair| (pair, column())).collect();
    let mut luck = Stream::new(seed, Purpose::Prediction, 0);
    let cast = Cast::of(world);
    let (mut written, mut acks) = (vec![0; n], vec![0; n]);
    // Response time and what the replica lacks when the request is there, by replica; then in the order of responses.
    let mut answers = vec![(0, 0); n];
    for _ in 0..trials {
        let scene = cast.draw(&mut luck);
        for (replica, (written, ack)) in written.iter_mut().zip(&mut acks).enumerate() {
            let legs = scene.write_legs(replica);
            *written = legs.write.sample(luck.bits());
            *ack = *written + legs.ack.sample(luck.bits());
        }
        for (replica, (answer, written)) in answers.iter_mut().zip(&written).enumerate() {
            let legs = scene.read_legs(replica);
            let asked = legs.read.sample(luck.bits());
            *answer = (asked + legs.response.sample(luck.bits()), *written as i64 - asked as i64);
        }
        acks.sort_unstable();
        // Of answers that come at once, the freshest is not the first by right: the sort keeps their order.
        answers.sort_by_key(|answer| answer.0);
        // The least of what the first so many lack.
        let mut least = i64::MAX;
        for answer in &mut answers {
            least = least.min(answer.1);
            answer.1 = least;
        }
        reads.iter_mut().for_each(|(r, column)| column.push(answers[r - 1].0));
        writes.iter_mut().for_each(|(w, column)| column.push(acks[w - 1]));
        waits.iter_mut().for_each(|((r, w), column)| {
            let wait = answers[r - 1].1 - acks[w - 1] as i64;
            column.push(wait.max(0) as u64);
        });
    }
    fn sorted<K: Ord>(columns: BTreeMap<K, Vec<u64>>) -> BTreeMap<K, Sample> {
        columns.into_iter().map(|(key, column)| (key, Sample::new(column))).collect()
    }
    Outcome { reads: sorted(reads), writes: sorted(writes), waits: sorted(waits) }
}

/// Who may take part, with weights added up.
struct Cast<'a> {
    world: &'a World,
    lists: Vec<f64>,
    writers: Vec<f64>,
    readers: Vec<f64>,
}

/// Who takes part in a trial.
struct Scene<'a> {
    world: &'a World,
    list: &'a [u32],
    writer: &'a [u32],
    reader: &'a [u32],
}

impl<'a> Cast<'a> {
    fn of(world: &'a World) -> Cast<'a> {
        let sums = |weights: &mut dyn Iterator<Item = f64>| {
            weights
                .scan(0.0, |sum, weight| {
                    *sum += weight;
                    Some(*sum)
                })
                .collect()
        };
        Cast {
            world,
            lists: sums(&mut world.lists.iter().map(|list| list.0)),
            writers: sums(&mut world.seats.iter().map(|seat| seat.writes)),
            readers: sums(&mut world.seats.iter().map(|seat| seat.reads)),
        }
    }

    fn draw(&self, luck: &mut Stream) -> Scene<'a> {
        let world = self.world;
        if world.is_uniform() {
            let list = &world.lists[0].1;
            return Scene { world, list, writer: &world.between[0], reader: &world.between[0] };
        }
        let list = &world.lists[pick(&self.lists, luck)].1;
        let writer = &world.seats[pick(&self.writers, luck)];
        let follows = luck.chance(writer.follows);
        let reader = if follows { writer } else { &world.seats[pick(&self.readers, luck)] };
        let writes_from = spot(&writer.writes_from, list, luck);
        let reads_from = match follows && writer.is_sticky && writer.reads_from == writer.writes_from {
            true => writes_from,
            false => spot(&reader.reads_from, list, luck),
        };
        Scene { world, list, writer: &world.between[writes_from], reader: &world.between[reads_from] }
    }
}

impl Scene<'_> {
    fn write_legs(&self, replica: usize) -> &Legs {
        &self.world.legs[self.writer[self.list[replica] as usize] as usize]
    }

    fn read_legs(&self, replica: usize) -> &Legs {
        &self.world.legs[self.reader[self.list[replica] as usize] as usize]
    }
}

fn spot(lead: &Lead, list: &[u32], luck: &mut Stream) -> usize {
    let any = |spots: &[u32], luck: &mut Stream| spots[luck.below(spots.len() as u64) as usize] as usize;
    match lead {
        Lead::Spots(spots) => any(spots, luck),
        Lead::BesideReplica => any(list, luck),
        Lead::BesideFirst => list[0] as usize,
    }
}

/// One of several by their weights, which are given added up.
fn pick(sums: &[f64], luck: &mut Stream) -> usize {
    let at = luck.unit() * sums.last().expect("there is somebody to pick");
    sums.partition_point(|sum| *sum <= at).min(sums.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::dist::Dist;

    fn constant(write: u64, ack: u64, read: u64, response: u64) -> Legs {
        let line = |ns| Line::of(&Dist::Constant(ns));
        Legs { write: line(write), ack: line(ack), read: line(read), response: line(response) }
    }

    #[test]
    fn a_trial_by_hand() {
        // The first replica acks at 3. The read asks it at once and is answered by the others first: the second
        // lacks the write, which comes there at 50, until 50 - 3 - 1 = 46 after the ack.
        let legs = vec![constant(1, 2, 9, 9), constant(50, 1, 1, 1), constant(80, 1, 2, 1)];
        let outcome = play(&World::of(legs), &all_pairs(3), 4, 1);
        let exact = |sample: &Sample| (sample.0[0], sample.0[3]);
        assert_eq!([1, 2, 3].map(|w| exact(outcome.writes(w)).0), [3, 51, 81]);
        assert_eq!([1, 2, 3].map(|r| exact(outcome.reads(r)).0), [2, 3, 18]);
        assert_eq!(exact(outcome.waits(1, 1)), (46, 46));
        assert_eq!(exact(outcome.waits(2, 1)), (46, 46), "the third lacks it longer");
        assert_eq!(exact(outcome.waits(3, 1)), (0, 0), "the first has it");
        assert_eq!(exact(outcome.waits(1, 2)), (0, 0), "W is over after it came to the second");
        assert_eq!(outcome.waits(1, 1).share_up_to(45).value, 0.0);
        assert_eq!(outcome.waits(1, 1).share_up_to(46).value, 1.0, "a tie is fresh");
    }

    #[test]
    fn of_answers_that_come_at_once_the_freshest_is_not_the_first() {
        // Reads take no time: whoever answers first has the write at its ack with a chance of one in three.
        let write = Line::of(&Dist::Exponential { mean: 1e7 });
        let legs = (0..3).map(|_| Legs { write: write.clone(), ..constant(0, 0, 0, 0) }).collect();
        let fresh = play(&World::of(legs), &all_pairs(3), 30_000, 1).waits(1, 1).share_up_to(0);
        assert!((fresh.value - 1.0 / 3.0).abs() < 4.0 * fresh.error, "{fresh:?}");
    }

    #[test]
    fn a_quantile_is_the_value_at_its_rank_and_its_error_that_of_the_rank() {
        let sample = Sample::new((1..=10_000).rev().collect());
        let median = sample.quantile(0.5);
        assert_eq!(median, Estimate { value: 5_000.0, error: 50.0 }, "√(10 000 · ½ · ½) ranks");
        assert_eq!(sample.quantile(0.999).value, 9_990.0);
        assert!(sample.quantile(0.9999).error.is_nan(), "one trial lies beyond");
        assert_eq!(sample.share_up_to(2_500).value, 0.25);
    }

    #[test]
    fn people_are_drawn_by_their_weights() {
        // Two spots: from the first the write takes 1, from the second 2; one seat is at each, the second three times
        // as busy. Lists of one node.
        let legs = vec![constant(1, 0, 0, 0), constant(2, 0, 0, 0)];
        let seat = |spot, writes| Seat {
            writes_from: Lead::Spots(vec![spot]),
            reads_from: Lead::BesideFirst,
            writes,
            reads: 1.0,
            follows: 0.0,
            is_sticky: false,
        };
        let world = World {
            n: 1,
            legs,
            between: vec![vec![0], vec![1]],
            lists: vec![(1.0, vec![0])],
            seats: vec![seat(0, 1.0), seat(1, 3.0)],
        };
        let outcome = play(&world, &[(1, 1)], 100_000, 3);
        let share = outcome.writes(1).share_up_to(1);
        assert!((share.value - 0.25).abs() < 4.0 * share.error, "{share:?}");
    }
}
