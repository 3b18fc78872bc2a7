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
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
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
    /// 64 fair bits that choose the item a `remove` takes out; 0 for others.
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
        Planned { number, kind, key, size, item: item(kind, luck) }
    }

    /// The next operation, as a row of a trace says it.
    pub fn traced_operation(&mut self, row: &TraceRow) -> Planned {
        let (number, luck) = self.next_luck();
        Planned {
            number,
            kind: row.operation,
            key: Picked::Key(row.key),
            size: row.size,
            item: item(row.operation, luck),
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

fn item(kind: OperationKind, luck: Luck) -> u64 {
    if kind == OperationKind::Remove { luck.bits(Purpose::Item, 0) } else { 0 }
}

fn bytes(size: u64) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::kernel::dist::Dist;
    use crate::kernel::time::SimTime;
    use crate::node::config::ProfileId;
    use crate::version::MergeRule;
    use crate::workload::config::{Arrival, ContextRule, Data, KeyChoice, Pick, Routing};

    /// A closed group of four sessions without thinking.
    pub(in crate::workload) fn group() -> GroupConfig {
        GroupConfig {
            name: "users".to_string(),
            sessions: 4,
            first_session: SessionId(10),
            start: SimTime::ZERO,
            stop: SimTime(10_000_000_000),
            operations: None,
            arrival: Arrival::Closed { think: Dist::Constant(0) },
            keys: KeyChoice::Zipf { count: 1000, exponent: 0.99 },
            first_key: KeyId(0),
            preload: true,
            mix: vec![(OperationKind::Get, 0.9), (OperationKind::Update, 0.1)],
            read_after: Dist::Constant(0),
            data: Data::Set(MergeRule::SetUnion),
            value_size: Dist::Uniform { min: 10, max: 1000 },
            context: ContextRule::LastSeen,
            routing: Routing::LoadBalancer { among: None, pick: Pick::Random },
            profile: ProfileId(0),
            timeout: None,
            retries: 0,
            one_at_a_time: false,
        }
    }

    fn plan(config: &GroupConfig, seed: u64, session: u32, count: usize) -> Vec<Planned> {
        let (mut group, mut session) = (GroupState::new(config), Session::new(seed, SessionId(session)));
        (0..count).map(|_| session.next_operation(&mut group)).collect()
    }

    #[test]
    fn a_session_plans_numbered_operations_the_same_for_the_same_seed() {
        let planned = plan(&group(), 1, 10, 2000);
        assert!(planned.iter().enumerate().all(|(n, planned)| planned.number == n as u32));
        let reads = planned.iter().filter(|planned| planned.kind == OperationKind::Get).count() as f64;
        assert!((reads - 1800.0).abs() < 4.5 * (2000.0f64 * 0.09).sqrt(), "nine of ten are reads: {reads}");
        assert!(planned.iter().all(|planned| (planned.size == 0) == (planned.kind == OperationKind::Get)));
        assert_eq!(planned, plan(&group(), 1, 10, 2000));
        assert_ne!(planned, plan(&group(), 2, 10, 2000), "another seed is other luck");
        assert_ne!(planned, plan(&group(), 1, 11, 2000), "another session, too");
    }

    #[test]
    fn mix_keys_and_sizes_do_not_disturb_each_other() {
        let planned = plan(&group(), 1, 10, 500);
        let all_writes = plan(&GroupConfig { mix: vec![(OperationKind::Put, 1.0)], ..group() }, 1, 10, 500);
        assert!(planned.iter().zip(&all_writes).all(|(a, b)| a.key == b.key));
        assert!(planned.iter().zip(&all_writes).all(|(a, b)| a.size == 0 || a.size == b.size), "sizes stay as well");
        let other_keys = plan(&GroupConfig { keys: KeyChoice::Uniform { count: 5 }, ..group() }, 1, 10, 500);
        assert!(planned.iter().zip(&other_keys).all(|(a, b)| (a.kind, a.size) == (b.kind, b.size)));
        let other_sizes = plan(&GroupConfig { value_size: Dist::Constant(1), ..group() }, 1, 10, 500);
        assert!(planned.iter().zip(&other_sizes).all(|(a, b)| (a.kind, a.key) == (b.kind, b.key)));
    }

    #[test]
    fn sessions_do_not_disturb_each_other() {
        let config = group();
        let (mut together, mut a, mut b) =
            (GroupState::new(&config), Session::new(1, SessionId(10)), Session::new(1, SessionId(11)));
        let mixed: Vec<Planned> = (0..100)
            .map(|_| {
                b.next_operation(&mut together);
                a.next_operation(&mut together)
            })
            .collect();
        assert_eq!(mixed, plan(&config, 1, 10, 100));
    }

    #[test]
    fn a_row_of_a_trace_is_planned_as_it_stands() {
        let mut session = Session::new(1, SessionId(0));
        let row = TraceRow { at: SimTime(5), operation: OperationKind::Put, key: KeyId(8), size: 77 };
        let planned = session.traced_operation(&row);
        assert_eq!(
            (planned.number, planned.kind, planned.key, planned.size),
            (0, OperationKind::Put, Picked::Key(KeyId(8)), 77)
        );
        assert_eq!(session.planned(), 1);
    }

    #[test]
    fn a_load_balancer_picks_all_nodes_alike_and_another_for_another_try() {
        let session = Session::new(1, SessionId(0));
        let mut counts = [0u32; 5];
        (0..50_000).for_each(|operation| counts[session.pick_index(operation, 0, 5) as usize] += 1);
        let sd = (50_000.0f64 * 0.2 * 0.8).sqrt();
        assert!(counts.iter().all(|&count| (f64::from(count) - 10_000.0).abs() < 4.5 * sd), "{counts:?}");
        assert!((0..100).any(|operation| session.pick_index(operation, 0, 5) != session.pick_index(operation, 1, 5)));
        let mut group = GroupState::new(&group());
        assert_eq!([0; 4].map(|_| group.next_in_turn(3)), [0, 1, 2, 0]);
    }

    #[test]
    fn the_pause_before_the_read_has_its_distribution() {
        let config = GroupConfig { read_after: Dist::Exponential { mean: 1e6 }, ..group() };
        let (group, session) = (GroupState::new(&config), Session::new(1, SessionId(0)));
        let sum: f64 = (0..10_000).map(|operation| session.read_after(operation, &group).0 as f64).sum();
        assert!((sum / 1e4 - 1e6).abs() < 4.5 * 1e6 / 100.0, "the mean is 1 ms: {}", sum / 1e4);
    }
}
