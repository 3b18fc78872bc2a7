//! What each scheme makes of the published stories: Dynamo's Figure 3, the cases of dvvset.erl and riak_object,
//! the sibling explosion, and the ways in which plain clocks lose a write.

use std::slice::from_ref;

use super::*;
use crate::kernel::ids::ActorId;

const DOTTED: Scheme = Scheme::Dotted;

fn vector(next: NextCounter, max_entries: Option<u32>) -> Scheme {
    Scheme::VectorClock { next, max_entries }
}

/// A replica under test: an actor and what it holds.
#[derive(Clone)]
struct Replica {
    scheme: Scheme,
    actor: u32,
    held: Siblings,
}

impl Replica {
    fn new(scheme: Scheme, actor: u32) -> Replica {
        Replica { scheme, actor, held: Siblings::new() }
    }

    /// Coordinates the write of blob `value` from a context; the stamp is the value.
    fn put(&mut self, context: &[Version], value: u64) -> Version {
        let write = Write {
            actor: ActorId(self.actor),
            now_ms: value as u32,
            stamp: value,
            value: Value::Blob(value),
            size: 1,
            write: WriteId(value),
            issued: 0,
        };
        let version = coordinate(self.scheme, &self.held, context, write);
        self.held.apply(&version, self.scheme, Whole::Write);
        version
    }

    /// A replica of another actor that holds the same.
    fn copy(&self, actor: u32) -> Replica {
        Replica { actor, ..self.clone() }
    }

    fn values(&self) -> Vec<u64> {
        self.held.iter().map(|version| version.write().0).collect()
    }
}

/// What a DVVSet shows: each actor's greatest counter and the values of its events, newest first.
fn summary(held: &Siblings) -> Vec<(u32, u32, Vec<u64>)> {
    let past = held.context(DOTTED);
    assert!(past.scattered().is_empty(), "contexts of whole reads leave no gap");
    let line = |entry: &Entry| {
        let of_actor = held.iter().rev().filter(|version| version.dot().actor == entry.actor);
        (entry.actor.0, entry.counter, of_actor.map(|version| version.write().0).collect())
    };
    past.clock().entries().iter().map(line).collect()
}

// Dynamo, Figure 3.
#[test]
fn the_clocks_of_figure_3() {
    let scheme = vector(NextCounter::LocalMax, Some(10));
    let (x, y, z) = (1, 2, 3);
    let mut sx = Replica::new(scheme, x);
    let d1 = sx.put(&[], 1);
    let d2 = sx.put(from_ref(&d1), 2);
    let (mut sy, mut sz) = (sx.copy(y), sx.copy(z));
    let d3 = sy.put(from_ref(&d2), 3);
    let d4 = sz.put(from_ref(&d2), 4);
    let both = reconcile(scheme, [from_ref(&d3), from_ref(&d4), from_ref(&d2)]);
    let d5 = sx.put(&both, 5);
    let clocks: Vec<String> = [d1, d2, d3, d4].iter().map(|version| version.clock().to_string()).collect();
    assert_eq!(clocks, ["[1:1]", "[1:2]", "[1:2, 2:1]", "[1:2, 3:1]"]);
    assert_eq!(both.context(scheme).clock().to_string(), "[1:2, 2:1, 3:1]");
    assert_eq!(d5.clock().to_string(), "[1:3, 2:1, 3:1]");
    assert!(both.iter().all(|version| order(version, &d5, scheme) == Order::Before));
}

// Two clients with one context write through one coordinator: what each scheme makes of it.
#[test]
fn two_writes_from_one_context_through_one_coordinator() {
    let after_both = |scheme| {
        let mut a = Replica::new(scheme, 1);
        let v1 = a.put(&[], 1);
        let v2 = a.put(from_ref(&v1), 2);
        let v3 = a.put(&[v1], 3);
        (a.values(), order(&v2, &v3, scheme))
    };
    assert_eq!(after_both(vector(NextCounter::LocalMax, None)), (vec![3], Order::Before), "v2 is lost");
    assert_eq!(after_both(vector(NextCounter::Context, None)), (vec![2], Order::Equal), "v3 is taken for v2");
    assert_eq!(after_both(vector(NextCounter::Merged, None)), (vec![2, 3][..].into(), Order::Concurrent));
    assert_eq!(after_both(DOTTED), (vec![2, 3], Order::Concurrent));
    assert_eq!(after_both(Scheme::LastWriteWins), (vec![3], Order::Before));
}

#[test]
fn equal_clocks_of_different_writes_hash_alike() {
    let scheme = vector(NextCounter::Context, None);
    let mut a = Replica::new(scheme, 1);
    let v1 = a.put(&[], 1);
    let mut other = a.clone();
    let (v2, v3) = (a.put(from_ref(&v1), 2), other.put(&[v1], 3));
    assert_ne!(v2, v3);
    assert!(a.held.same(&other.held), "no comparison of replicas can find the divergence");
}

// The README example of dotted version vectors: v1 and v2 blind, v3 from v1, all on one server.
#[test]
fn the_three_write_example() {
    let after = |scheme| {
        let mut a = Replica::new(scheme, 1);
        let v1 = a.put(&[], 1);
        a.put(&[], 2);
        a.put(&[v1], 3);
        a.values()
    };
    assert_eq!(after(DOTTED), [2, 3]);
    assert_eq!(after(vector(NextCounter::LocalMax, None)), [3]);
    assert_eq!(after(vector(NextCounter::Merged, None)), [1, 2, 3]);
}

// The update cases of dvvset.erl, a = 1, b = 2.
#[test]
fn dvvset_updates() {
    let mut a = Replica::new(DOTTED, 1);
    a.put(&[], 1);
    let a0 = a.clone();
    assert_eq!(summary(&a0.held), [(1, 1, vec![1])]);
    a.put(&a0.held, 2);
    let a1 = a.clone();
    assert_eq!(summary(&a1.held), [(1, 2, vec![2])]);
    let mut a2 = a1.copy(2);
    a2.put(&a1.held, 3);
    assert_eq!(summary(&a2.held), [(1, 2, vec![]), (2, 1, vec![3])]);
    let mut a3 = a1.copy(2);
    a3.put(&a0.held, 4);
    assert_eq!(summary(&a3.held), [(1, 2, vec![2]), (2, 1, vec![4])], "a stale context keeps v2");
    let mut a4 = a1.clone();
    a4.put(&a0.held, 5);
    assert_eq!(summary(&a4.held), [(1, 3, vec![5, 2])], "a sibling, not lost");
}

// The sync and event cases of dvvset.erl that have versions on both sides.
#[test]
fn dvvset_syncs_and_events() {
    let mut a = Replica::new(DOTTED, 1);
    let v1 = a.put(&[], 1);
    let (mut blind_a, mut blind_b) = (a.clone(), a.copy(2));
    blind_a.put(&[], 2);
    assert_eq!(summary(&blind_a.held), [(1, 2, vec![2, 1])]);
    blind_b.put(&[], 2);
    assert_eq!(summary(&blind_b.held), [(1, 1, vec![1]), (2, 1, vec![2])]);
    let mut discarded = blind_a.held.clone();
    assert_eq!(discarded.discard(&a.held.context(DOTTED)), 1);
    assert_eq!(discarded.iter().map(|version| version.write().0).collect::<Vec<_>>(), [2]);

    a.put(&[v1], 2);
    let (mut b, mut c) = (a.copy(2), a.copy(3));
    b.put(&a.held, 3);
    c.put(&a.held, 4);
    for (x, y) in [(&b, &c), (&c, &b)] {
        let synced = reconcile(DOTTED, [&x.held[..], &y.held]);
        assert_eq!(summary(&synced), [(1, 2, vec![]), (2, 1, vec![3]), (3, 1, vec![4])]);
    }
    let (mut x, mut y) = (Replica::new(DOTTED, 1), Replica::new(DOTTED, 2));
    x.put(&[], 1);
    y.put(&[], 2);
    assert_eq!(summary(&reconcile(DOTTED, [&x.held[..], &y.held])), [(1, 1, vec![1]), (2, 1, vec![2])]);
}

#[test]
fn mary_and_peter() {
    let mut a = Replica::new(DOTTED, 1);
    let first = a.put(&[], 1);
    a.put(&[], 2);
    assert_eq!(summary(&a.held), [(1, 2, vec![2, 1])], "Mary wrote blindly");
    a.put(&[first], 3);
    assert_eq!(summary(&a.held), [(1, 3, vec![3, 2])], "Peter had seen v1: it is gone, v2 is kept");
}

// riak_object's dotted_values_reconcile: an update each on three actors.
#[test]
fn riak_dotted_values_reconcile() {
    let replica = |actor: u32| {
        let mut replica = Replica::new(DOTTED, actor);
        let first = replica.put(&[], u64::from(actor) * 10);
        replica.put(&[first], u64::from(actor) * 10 + 1);
        replica.held
    };
    let [a, c, z] = [1, 3, 26].map(replica);
    let all = reconcile(DOTTED, [&a[..], &c, &z]);
    assert_eq!(summary(&all), [(1, 2, vec![11]), (3, 2, vec![31]), (26, 2, vec![261])]);
    assert_eq!(all.iter().map(|version| version.dot().counter).collect::<Vec<_>>(), [2, 2, 2]);
}

/// 100 writes of two clients who take turns, each from the context of its own last write.
fn interleaved(scheme: Scheme) -> (usize, u32) {
    let mut a = Replica::new(scheme, 1);
    let mut last: [Vec<Version>; 2] = Default::default();
    let mut most = 0;
    for round in 0..100 {
        let client = &mut last[round % 2];
        *client = vec![a.put(&client.clone(), round as u64 + 1)];
        most = most.max(a.held.len() as u32);
    }
    (a.held.len(), most)
}

#[test]
fn interleaved_stale_writers_pile_up_siblings_only_under_merged_clocks() {
    assert_eq!(interleaved(DOTTED), (2, 2));
    assert_eq!(interleaved(vector(NextCounter::Merged, None)).0, 100);
    assert_eq!(interleaved(vector(NextCounter::LocalMax, None)), (1, 1), "and half of them are lost");
}

#[test]
fn a_read_of_everything_ends_the_pile_of_siblings() {
    let mut a = Replica::new(vector(NextCounter::Merged, None), 1);
    for value in 1..=5 {
        a.put(&[], value);
    }
    assert_eq!(a.values(), [1, 2, 3, 4, 5]);
    let read = a.held.clone();
    a.put(&read, 6);
    assert_eq!(a.values(), [6]);
}

#[test]
fn siblings_kept_at_one_replica_are_kept_at_all() {
    let scheme = vector(NextCounter::Merged, None);
    let mut a = Replica::new(scheme, 1);
    a.put(&[], 1);
    a.put(&[], 2);
    let third = a.put(&[], 3);
    // The other replica missed the first two and knows of them only through the third.
    let mut b = Replica { held: Siblings::one(third), ..Replica::new(scheme, 2) };
    let fourth = b.put(&[], 4);
    assert_eq!(fourth.kept().len(), 3);
    let all = reconcile(scheme, [&b.held[..], &a.held[..]]);
    assert_eq!(all.iter().map(|version| version.write().0).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn a_context_with_a_gap_replaces_only_what_was_seen() {
    let mut a = Replica::new(DOTTED, 1);
    let v1 = a.put(&[], 1);
    let v2 = a.put(&[], 2);
    let v3 = a.put(from_ref(&v2), 3);
    assert_eq!(a.values(), [1, 3], "who saw the second event has not seen the first");
    assert_eq!(v3.scattered(), [v2.dot()]);
    let v4 = a.put(&[v1, v3], 4);
    assert_eq!((a.values(), v4.scattered()), (vec![4], &[][..]));
}

// A clock of ten entries takes an eleventh writer.
#[test]
fn truncation_brings_back_a_dead_version_as_a_sibling() {
    let scheme = vector(NextCounter::LocalMax, Some(10));
    let mut main = Replica::new(scheme, 1);
    let mut versions = vec![main.put(&[], 1)];
    for actor in 2..=11 {
        main = main.copy(actor);
        let before = main.held.clone();
        versions.push(main.put(&before, u64::from(actor)));
        assert_eq!(main.held.len(), 1, "a write replaces all that its whole clock covers");
    }
    let (v1, v10, v11) = (&versions[0], &versions[9], &versions[10]);
    assert_eq!(v11.clock().to_string(), "[2:1, 3:1, 4:1, 5:1, 6:1, 7:1, 8:1, 9:1, 10:1, 11:1]");
    assert_eq!(v11.evicted().iter().map(|entry| entry.actor.0).collect::<Vec<_>>(), [1]);
    assert_eq!(order(v1, v11, scheme), Order::Concurrent);
    assert_eq!(order(v10, v11, scheme), Order::Concurrent);
    assert_eq!(reconcile(scheme, [from_ref(v1), &main.held[..]]).len(), 2, "the false sibling");
    // The stored clock alone does not replace the predecessor, the write does.
    let mut stale = Siblings::one(v10.clone());
    stale.apply(v11, scheme, Whole::Stored);
    assert_eq!(stale.len(), 2);
    let mut stale = Siblings::one(v10.clone());
    stale.apply(v11, scheme, Whole::Write);
    assert_eq!(stale.len(), 1);
}

#[test]
fn a_truncated_clock_never_issues_a_counter_twice() {
    let scheme = vector(NextCounter::LocalMax, Some(2));
    let mut replica = Replica::new(scheme, 1);
    let v1 = replica.put(&[], 1);
    for actor in 2..=5 {
        replica = replica.copy(actor);
        let before = replica.held.clone();
        replica.put(&before, u64::from(actor) * 10);
    }
    let again = replica.copy(1).put(&[], 100);
    assert_eq!(again.clock().len(), 1);
    assert_eq!(order(&v1, &again, scheme), Order::Before, "a later counter of the same actor");
    assert_ne!(v1.dot(), again.dot());
}

#[test]
fn a_skewed_clock_loses_a_later_write_under_last_write_wins() {
    let mut b = Replica::new(Scheme::LastWriteWins, 2);
    let v1 = b.put(&[], 5_000);
    let mut a = Replica::new(Scheme::LastWriteWins, 1);
    let v2 = a.put(from_ref(&v1), 1_000);
    assert_eq!(b.held.apply(&v2, Scheme::LastWriteWins, Whole::Write), crate::version::Applied::Obsolete);
    assert_eq!(b.values(), [5_000]);
    assert_eq!(newest_stamp(&b.held, &[v2]), 5_000);
    assert_eq!(merge_values(MergeRule::BlobNewest, &b.held), Value::Blob(5_000));
}

#[test]
fn large_counters_go_on() {
    for start in [1 << 16, 1u32 << 31, u32::MAX - 2] {
        for scheme in [DOTTED, vector(NextCounter::LocalMax, Some(10))] {
            let entry = Entry { actor: ActorId(1), counter: start, at_ms: 0 };
            let (evicted, kept, scattered) = Default::default();
            let clock = Clock::from_entries([entry]);
            let dot = Dot { actor: ActorId(1), counter: start };
            let (value, size, write) = (Value::Blob(0), 1, WriteId(0));
            let old =
                Version::new(scheme, Parts { clock, dot, evicted, scattered, kept, stamp: 0, value, size, write });
            let mut a = Replica { scheme, actor: 1, held: Siblings::one(old.clone()) };
            let new = a.put(from_ref(&old), 1);
            assert_eq!((new.dot().counter, order(&old, &new, scheme)), (start + 1, Order::Before));
        }
    }
}
