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
