//! A node's storage as a server: jobs take time, queue for workers, and background work makes way.
//!
//! It knows how long jobs wait and which is next; what a job does is the business of `replica`.

use std::collections::VecDeque;

use crate::kernel::ids::{KeyId, NodeId, OpId};
use crate::kernel::time::SimTime;
use crate::node::message::{HintDelivery, RequestId};
use crate::version::Version;

/// One task for storage.
#[derive(Debug)]
pub struct Job {
    /// Who wants the answer: another node, or this one.
    pub from: NodeId,
    /// The operation it belongs to; names its draws.
    pub op: OpId,
    /// Which try of the client's.
    pub attempt: u16,
    /// What to do.
    pub work: JobWork,
}

/// What a task does.
#[derive(Debug)]
pub enum JobWork {
    /// Reads a key for a coordinator.
    Read {
        /// At the coordinator.
        request: RequestId,
        /// The key.
        key: KeyId,
    },
    /// Writes a version for a coordinator.
    Write {
        /// At the coordinator.
        request: RequestId,
        /// The key.
        key: KeyId,
        /// The owner it is meant for, if this node stands in.
        owner: Option<NodeId>,
        /// Written through although this node buffers.
        durable: bool,
        /// The version.
        version: Version,
    },
    /// Writes what a read found this replica to lack.
    Repair {
        /// At the coordinator.
        request: RequestId,
        /// The key.
        key: KeyId,
        /// The version.
        version: Version,
    },
    /// Writes a batch of hints that came home.
    Hints {
        /// Number of the batch at the stand-in.
        batch: u32,
        /// The hints.
        hints: Box<Vec<HintDelivery>>,
    },
    /// Work of a conversation: reads or writes so many objects, then goes on with what is kept elsewhere.
    Background {
        /// Which conversation; given back when done.
        token: u64,
        /// Whether it writes.
        writes: bool,
    },
}

/// Whose background task it is: the top byte of a task's token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BackgroundOwner {
    /// Range transfer.
    Transfer = 1,
    /// Anti-entropy.
    AntiEntropy = 2,
    /// The write buffer's writer.
    BufferWriter = 3,
}

impl BackgroundOwner {
    /// The token of this owner's task of this number.
    pub const fn token(self, number: u32) -> u64 {
        (self as u64) << 56 | number as u64
    }

    /// The owner named in a token.
    pub fn of(token: u64) -> BackgroundOwner {
        match token >> 56 {
            1 => BackgroundOwner::Transfer,
            2 => BackgroundOwner::AntiEntropy,
            3 => BackgroundOwner::BufferWriter,
            other => unreachable!("no background task has the owner {other}"),
        }
    }
}

impl JobWork {
    /// Whether it makes way for requests under admission control.
    pub fn is_background(&self) -> bool {
        matches!(self, JobWork::Hints { .. } | JobWork::Background { .. })
    }

    /// Whether it writes.
    pub fn writes(&self) -> bool {
        match self {
            JobWork::Read { .. } => false,
            JobWork::Write { .. } | JobWork::Repair { .. } | JobWork::Hints { .. } => true,
            JobWork::Background { writes, .. } => *writes,
        }
    }
}

/// The queue before the workers. Memory: a crash forgets it.
#[derive(Debug)]
pub struct StorageQueue {
    /// What is served, and since when it had waited.
    slots: Vec<Option<(Job, SimTime)>>,
    free: Vec<u32>,
    busy: u32,
    background_busy: u32,
    workers: u32,
    /// Background tasks served at a time; as many as there are workers unless something limits them.
    pub slices: Option<u32>,
    waiting: VecDeque<(Job, SimTime)>,
    waiting_background: VecDeque<(Job, SimTime)>,
}

impl StorageQueue {
    /// An idle storage with so many workers; `None`: any number.
    pub fn new(workers: Option<u32>, slices: Option<u32>) -> StorageQueue {
        StorageQueue {
            slots: Vec::new(),
            free: Vec::new(),
            busy: 0,
            background_busy: 0,
            workers: workers.unwrap_or(u32::MAX),
            slices,
            waiting: VecDeque::new(),
            waiting_background: VecDeque::new(),
        }
    }

    /// Puts a job at the end of its queue.
    pub fn push(&mut self, now: SimTime, job: Job) {
        if self.slices.is_some() && job.work.is_background() {
            self.waiting_background.push_back((job, now));
        } else {
            self.waiting.push_back((job, now));
        }
    }

    /// Takes the next job that a worker is free for, with the time since which it waited, and gives it a slot.
    pub fn start(&mut self) -> Option<(u32, &Job, SimTime)> {
        if self.busy >= self.workers {
            return None;
        }
        let (job, since) = match self.waiting.pop_front() {
            Some(next) => next,
            None if self.background_busy < self.slices.unwrap_or(0) => self.waiting_background.pop_front()?,
            None => return None,
        };
        self.busy += 1;
        self.background_busy += u32::from(job.work.is_background());
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        let place = &mut self.slots[slot as usize];
        let (job, since) = place.insert((job, since));
        Some((slot, job, *since))
    }

    /// Takes out a job that is done, with the time at which it was pushed.
    pub fn finish(&mut self, slot: u32) -> (Job, SimTime) {
        let (job, since) = self.slots[slot as usize].take().expect("a worker finishes the job it began");
        self.free.push(slot);
        self.busy -= 1;
        self.background_busy -= u32::from(job.work.is_background());
        (job, since)
    }

    /// Jobs that wait.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.waiting_background.len()
    }

    /// Whether no job waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Background jobs that wait.
    pub fn background_waiting(&self) -> usize {
        self.waiting_background.len()
    }

    /// Jobs that are served now.
    pub fn busy(&self) -> u32 {
        self.busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::dist::Dist;
    use crate::kernel::math;
    use crate::kernel::rng::{Purpose, Stream};
    use crate::kernel::time::Span;

    fn read(number: u32) -> Job {
        Job {
            from: NodeId(0),
            op: OpId(u64::from(number)),
            attempt: 0,
            work: JobWork::Read { request: RequestId(0), key: KeyId(0) },
        }
    }

    fn background(number: u32) -> Job {
        let work = JobWork::Background { token: BackgroundOwner::AntiEntropy.token(number), writes: false };
        Job { from: NodeId(0), op: OpId(u64::from(number)), attempt: 0, work }
    }

    fn started(queue: &mut StorageQueue) -> Vec<u64> {
        let mut ops = Vec::new();
        while let Some((_, job, _)) = queue.start() {
            ops.push(job.op.0);
        }
        ops
    }

    #[test]
    fn workers_take_jobs_in_order() {
        let mut queue = StorageQueue::new(Some(2), None);
        for number in 0..4 {
            queue.push(SimTime(u64::from(number)), read(number));
        }
        assert_eq!(started(&mut queue), [0, 1]);
        assert_eq!(queue.len(), 2);
        let (job, since) = queue.finish(1);
        assert_eq!((job.op.0, since), (1, SimTime(1)));
        assert_eq!(started(&mut queue), [2]);
    }

    #[test]
    fn without_slices_background_tasks_stand_in_the_one_queue() {
        let mut queue = StorageQueue::new(Some(1), None);
        for job in [background(0), read(1), background(2)] {
            queue.push(SimTime::ZERO, job);
        }
        assert_eq!(queue.background_waiting(), 0);
        for expected in 0..3 {
            assert_eq!(started(&mut queue), [expected]);
            queue.finish(0);
        }
    }

    #[test]
    fn with_slices_requests_go_first_and_so_many_background_tasks_at_a_time() {
        let mut queue = StorageQueue::new(Some(4), Some(2));
        for number in 0..5 {
            queue.push(SimTime::ZERO, background(number));
        }
        queue.push(SimTime::ZERO, read(9));
        assert_eq!(started(&mut queue), [9, 0, 1], "a worker stays free for requests");
        queue.slices = Some(1);
        queue.finish(1);
        assert!(started(&mut queue).is_empty(), "one slice, and one is busy");
        queue.finish(2);
        assert_eq!(started(&mut queue), [2]);
    }

    #[test]
    fn the_token_names_its_owner() {
        for owner in [BackgroundOwner::Transfer, BackgroundOwner::AntiEntropy, BackgroundOwner::BufferWriter] {
            assert_eq!(BackgroundOwner::of(owner.token(u32::MAX)), owner);
            assert_eq!(owner.token(77) as u32, 77);
        }
    }

    /// Mean time from arrival to departure in units of the mean service time, of Poisson arrivals at one worker.
    fn mean_sojourn(load: f64, service: &Dist, seed: u64) -> f64 {
        const SERVICE: f64 = 1e6;
        let sampler = service.compile();
        let (mut arrivals, mut services) =
            (Stream::new(seed, Purpose::Arrival, 0), Stream::new(seed, Purpose::Service, 0));
        let mut queue = StorageQueue::new(Some(1), None);
        let (mut next_arrival, mut done): (u64, Option<(u64, u32)>) = (0, None);
        let (mut total, mut served, mut number) = (0u64, 0u64, 0);
        while served < 400_000 {
            let now = match done {
                Some((at, slot)) if at <= next_arrival => {
                    let (_, since) = queue.finish(slot);
                    total += at - since.0;
                    served += 1;
                    done = None;
                    at
                }
                _ => {
                    let now = next_arrival;
                    queue.push(SimTime(now), read(number));
                    number += 1;
                    next_arrival = now + (-math::ln(1.0 - arrivals.unit()) * SERVICE / load) as u64;
                    now
                }
            };
            if let Some((slot, _, _)) = queue.start() {
                done = Some((now + sampler.sample(services.bits()), slot));
            }
        }
        Span(total / served).0 as f64 / SERVICE
    }

    #[test]
    fn sojourn_times_are_those_of_queueing_theory() {
        for load in [0.5, 0.8] {
            // M/M/1: 1 / (μ − λ). M/D/1: 1 + ρ / (2 (1 − ρ)), in units of the service time.
            for (service, expected) in [
                (Dist::Exponential { mean: 1e6 }, 1.0 / (1.0 - load)),
                (Dist::Constant(1_000_000), 1.0 + load / (2.0 * (1.0 - load))),
            ] {
                let mean = mean_sojourn(load, &service, 1);
                assert!((mean / expected - 1.0).abs() < 0.05, "{service:?} at {load}: {mean}, expected {expected}");
            }
        }
    }
}
