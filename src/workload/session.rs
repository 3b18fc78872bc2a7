//! A client session: what it does next.
//!
//! Every draw is a function of (seed, purpose, session, number of the operation), so a session carries no
//! generator and is 16 bytes: another mix leaves its keys as they were, other keys leave its sizes as they
//! were, and nothing that the cluster answers changes what it wants. It does not know when its operations
//! begin (see `arrivals`), nor what they come to.

use crate::kernel::ids::{KeyId, SessionId};
use crate::kernel::rng::{Keyed, Purpose};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::Span;

use super::config::{GroupConfig, OperationKind, TraceRow};
use super::keys::{Keys, Picked};
use super::mix::Mix;

/// The draws of one operation of one session.
#[derive(Clone, Copy, Debug)]
pub struct Luck {
    keyed: Keyed,
    operation: u64,
}

impl Luck {
    /// The draws of the `number`-th operation of a session.
    pub const fn new(keyed: Keyed, session: SessionId, number: u32) -> Luck {
        Luck { keyed, operation: (session.0 as u64) << 32 | number as u64 }
    }

    /// 64 fair bits; `turn` tells several draws for one purpose apart.
    #[inline]
    pub fn bits(self, purpose: Purpose, turn: u64) -> u64 {
        self.keyed.bits(purpose, self.operation, turn)
    }

    /// A whole number in [0, bound). Its bias is below bound / 2^64.
    #[inline]
    pub fn below(self, purpose: Purpose, turn: u64, bound: u64) -> u64 {
        scale(self.bits(purpose, turn), bound)
    }
}

/// Maps 64 fair bits to a whole number in [0, bound), rising with the bits.
#[inline]
pub fn scale(bits: u64, bound: u64) -> u64 {
    (u128::from(bits) * u128::from(bound) >> 64) as u64
}

/// What the sessions of a group share.
#[derive(Clone, Debug)]
pub struct GroupState {
    /// Which keys; also the place where new keys are reported, see [`Keys::created`].
    pub keys: Keys,
    mix: Mix,
    value_size: Sampler,
    read_after: Sampler,
    turn: u64,
}

impl GroupState {
    /// The state of a group at its start.
    ///
    /// # Panics
    /// If a distribution does not pass its check, or no operation has a weight.
    pub fn new(config: &GroupConfig) -> GroupState {
        GroupState {
            keys: Keys::new(&config.keys, config.first_key),
            mix: Mix::new(&config.mix),
            value_size: config.value_size.compile(),
            read_after: config.read_after.compile(),
            turn: 0,
        }
    }

    /// The next index below `n` of a load balancer that picks in turn.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn next_in_turn(&mut self, n: u32) -> u32 {
        assert!(n > 0, "a load balancer picks among at least one node");
        let index = (self.turn % u64::from(n)) as u32;
        self.turn += 1;
        index
    }
}

/// What a session does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Planned {
    /// Number of the operation within its session, from 0.
    pub number: u32,
    /// What.
    pub kind: OperationKind,
    /// On which key.
    pub key: Picked,
    /// Bytes that a written value has at least; 0 for reads and deletes.
    pub size: u32,
    /// 64 fair bits that choose the item a `remove` takes out.
    pub item: u64,
}

/// One session.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    keyed: Keyed,
    id: SessionId,
    planned: u32,
}

impl Session {
    /// The session with this number in the run with this seed.
    pub const fn new(seed: u64, id: SessionId) -> Session {
        Session { keyed: Keyed::new(seed), id, planned: 0 }
    }

    /// Its number.
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// How many operations it has planned.
    pub const fn planned(&self) -> u32 {
        self.planned
    }

    /// The next operation.
    pub fn next_operation(&mut self, group: &mut GroupState) -> Planned {
        let (number, luck) = self.next_luck();
        let kind = group.mix.choose(luck.bits(Purpose::Mix, 0));
        let key = group.keys.pick(luck, kind != OperationKind::Get);
        let size = match kind {
            OperationKind::Get | OperationKind::Delete => 0,
            OperationKind::Update | OperationKind::Remove | OperationKind::Put | OperationKind::WriteThenRead => {
                bytes(group.value_size.sample(luck.bits(Purpose::ValueSize, 0)))
            }
        };
        Planned { number, kind, key, size, item: luck.bits(Purpose::Item, 0) }
    }

    /// The next operation, as a row of a trace says it.
    pub fn traced_operation(&mut self, row: &TraceRow) -> Planned {
        let (number, luck) = self.next_luck();
        Planned {
            number,
            kind: row.operation,
            key: Picked::Key(row.key),
            size: row.size,
            item: luck.bits(Purpose::Item, 0),
        }
    }

    /// Which of `n` nodes a random load balancer gives the `attempt`-th try of an operation to.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn pick_index(&self, operation: u32, attempt: u32, n: u32) -> u32 {
        assert!(n > 0, "a load balancer picks among at least one node");
        self.luck(operation).below(Purpose::Routing, u64::from(attempt), u64::from(n)) as u32
    }

    /// From the answer to the write of this `write_then_read` to its read.
    pub fn read_after(&self, operation: u32, group: &GroupState) -> Span {
        // Think times are turn 0 of the same purpose.
        Span(group.read_after.sample(self.luck(operation).bits(Purpose::Think, 1)))
    }

    /// Bytes of the first value of a key, drawn as those of writes are.
    pub fn first_size(seed: u64, key: KeyId, group: &GroupState) -> u32 {
        bytes(group.value_size.sample(Keyed::new(seed).bits(Purpose::ValueSize, u64::from(key.0), 1)))
    }

    fn next_luck(&mut self) -> (u32, Luck) {
        let number = self.planned;
        self.planned = number.checked_add(1).expect("a session begins less than 2^32 operations");
        (number, self.luck(number))
    }

    fn luck(&self, operation: u32) -> Luck {
        Luck::new(self.keyed, self.id, operation)
    }
}

fn bytes(size: u64) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
