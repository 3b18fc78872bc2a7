//! Laws that hold over every history of writes, deliveries and transfers between replicas.
//!
//! A history is a list of small numbers, so that a failing one shrinks. Beside the system a list is kept of
//! what every write's author had really seen; the schemes are judged by it.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::kernel::ids::ActorId;

/// A version and the writes that its author had seen, itself included.
struct Known {
    version: Version,
    seen: BTreeSet<WriteId>,
}

/// Which contexts clients write from.
#[derive(Clone, Copy, PartialEq)]
enum Contexts {
    /// Any part of what any replica held at any time.
    Any,
    /// All that the coordinator holds now, and what some replica held at some time.
    CoverLocal,
}

struct World {
    scheme: Scheme,
    contexts: Contexts,
    replicas: Vec<Siblings>,
    past_reads: Vec<Siblings>,
    known: Vec<Known>,
}

/// One step: what to do, where, from where, and a choice.
type Step = (u8, u8, u8, u8);

impl World {
    fn play(scheme: Scheme, contexts: Contexts, steps: &[Step]) -> World {
        let replicas = vec![Siblings::new(); 5];
        let mut world = World { scheme, contexts, replicas, past_reads: vec![Siblings::new()], known: Vec::new() };
        for (i, &step) in steps.iter().enumerate() {
            world.step(i as u32, step);
        }
        world
    }

    fn step(&mut self, number: u32, (action, at, from, choice): Step) {
        let (at, from) = (at as usize % 5, from as usize % 5);
        match action % 4 {
            0 | 1 => self.write(number, at, from, choice),
            2 => {
                for version in self.replicas[from].clone().iter() {
                    self.deliver(at, version, Whole::Stored);
                }
            }
            _ => {
                if let Some(known) = self.known.get(choice as usize % self.known.len().max(1)) {
                    let late = known.version.clone();
                    self.deliver(at, &late, Whole::Write);
                }
            }
        }
        self.past_reads.push(self.replicas[at].clone());
    }

    fn write(&mut self, number: u32, at: usize, from: usize, choice: u8) {
        let read = &self.past_reads[choice as usize % self.past_reads.len()];
        let context: Vec<Version> = match self.contexts {
            Contexts::Any => read
                .iter()
                .enumerate()
                .filter(|(i, _)| choice as usize >> (i % 8) & 1 == 0)
                .map(|(_, v)| v.clone())
                .collect(),
            Contexts::CoverLocal => reconcile(self.scheme, [&self.replicas[at][..], read]).to_vec(),
        };
        let id = WriteId(u64::from(number));
        let mut seen: BTreeSet<WriteId> =
            context.iter().flat_map(|version| self.seen_by(version).iter().copied()).collect();
        seen.insert(id);
        let write = Write {
            actor: ActorId(at as u32),
            // The nodes' clocks differ, so that a writer's entry may be the oldest.
            now_ms: number * 10 + at as u32 * 1_000,
            stamp: u64::from(number),
            value: Value::Blob(id.0),
            size: 1,
            write: id,
            issued: 0,
        };
        let local = &self.replicas[at];
        let version = coordinate(self.scheme, local, &context, write);
        if self.scheme == Scheme::Dotted {
            let unseen = local.iter().map(Version::write).filter(|held| !seen.contains(held));
            let mut expected: BTreeSet<WriteId> = unseen.collect();
            expected.insert(id);
            let mut after = local.clone();
            after.apply(&version, self.scheme, Whole::Write);
            let after: BTreeSet<WriteId> = after.iter().map(Version::write).collect();
            assert_eq!(after, expected, "a put leaves itself and the siblings that its author had not seen");
        }
        self.known.push(Known { version: version.clone(), seen });
        self.deliver(at, &version, Whole::Write);
        self.deliver(from, &version, Whole::Write);
    }

    /// Applies a version, and checks that a version goes only for one whose author had seen it.
    fn deliver(&mut self, at: usize, version: &Version, whole: Whole) {
        let before = self.replicas[at].clone();
        let mut after = before.clone();
        let applied = after.apply(version, self.scheme, whole);
        let gone = before.iter().filter(|held| !after.contains(held));
        for held in gone {
            assert!(self.seen_by(version).contains(&held.write()), "{held:?} went for {version:?}, unseen");
        }
        match applied {
            Applied::Stored { dropped } => assert_eq!(before.len() + 1 - dropped as usize, after.len()),
            Applied::AlreadyThere => assert!(before.contains(version), "{version:?} is taken for another write"),
            Applied::Obsolete => {
                let newer = before.iter().any(|held| self.seen_by(held).contains(&version.write()));
                assert!(newer, "{version:?} was refused by {before:?}, unseen");
            }
        }
        self.replicas[at] = after;
    }

    fn seen_by(&self, version: &Version) -> &BTreeSet<WriteId> {
        &self.known.iter().find(|known| known.version.same(version)).expect("every version was written here").seen
    }
}

fn histories() -> impl Strategy<Value = Vec<Step>> {
    vec((any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>()), 0..60)
}

fn truncating(max_entries: u32) -> Scheme {
    Scheme::VectorClock { next: NextCounter::LocalMax, max_entries: Some(max_entries) }
}

proptest! {
    // A failing history is printed whole; nothing is written beside the sources.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Dotted versions are ordered exactly as their authors had seen them.
    #[test]
    fn dotted_order_is_what_authors_had_seen(steps in histories()) {
        let world = World::play(Scheme::Dotted, Contexts::Any, &steps);
        for a in &world.known {
            for b in &world.known {
                let expected = match (b.seen.contains(&a.version.write()), a.seen.contains(&b.version.write())) {
                    (true, true) => Order::Equal,
                    (true, false) => Order::Before,
                    (false, true) => Order::After,
                    (false, false) => Order::Concurrent,
                };
                prop_assert_eq!(order(&a.version, &b.version, Scheme::Dotted), expected);
            }
        }
    }

    /// No event is issued twice while disks last.
    #[test]
    fn no_dot_is_issued_twice(steps in histories()) {
        let any = [
            (Scheme::Dotted, Contexts::Any),
            (truncating(2), Contexts::CoverLocal),
            (Scheme::VectorClock { next: NextCounter::Merged, max_entries: None }, Contexts::CoverLocal),
        ];
        for (scheme, contexts) in any {
            let world = World::play(scheme, contexts, &steps);
            let dots: BTreeSet<Dot> = world.known.iter().map(|known| known.version.dot()).collect();
            prop_assert_eq!(dots.len(), world.known.len());
        }
    }

    /// Truncation makes conflicts out of descent, never descent out of conflicts.
    #[test]
    fn truncation_only_turns_before_into_concurrent(steps in histories(), max_entries in 1u32..4) {
        let scheme = truncating(max_entries);
        let world = World::play(scheme, Contexts::CoverLocal, &steps);
        for a in &world.known {
            for b in &world.known {
                match order(&a.version, &b.version, scheme) {
                    Order::Equal => prop_assert!(a.version.same(&b.version)),
                    Order::Before => prop_assert!(b.seen.contains(&a.version.write())),
                    Order::After => prop_assert!(a.seen.contains(&b.version.write())),
                    Order::Concurrent => {}
                }
            }
        }
    }

    /// Reconciliation depends on neither order nor repetition of the replies.
    #[test]
    fn reconciliation_is_commutative_associative_and_idempotent(steps in histories()) {
        for scheme in [Scheme::Dotted, Scheme::VectorClock { next: NextCounter::Merged, max_entries: None }] {
            let world = World::play(scheme, Contexts::CoverLocal, &steps);
            let [a, b, c] = [0, 1, 2].map(|at| &world.replicas[at][..]);
            let join = |x: &[Version], y: &[Version]| reconcile(scheme, [x, y]);
            prop_assert_eq!(join(a, b), join(b, a));
            prop_assert_eq!(join(&join(a, b), c), join(a, &join(b, c)));
            prop_assert_eq!(&join(a, a)[..], a);
            prop_assert!(join(a, b).covers(a, scheme) && join(a, b).covers(b, scheme));
        }
    }
}

#[test]
fn truncation_does_make_false_conflicts() {
    // Five actors write in turn, each having read all; clocks keep two entries.
    let scheme = truncating(2);
    let steps: Vec<Step> = (0..5).map(|at| (0, at, (at + 1) % 5, 0)).collect();
    let world = World::play(scheme, Contexts::CoverLocal, &steps);
    let (first, last) = (&world.known[0], &world.known[4]);
    assert!(last.seen.contains(&first.version.write()), "the last author had seen the first write");
    assert_eq!(order(&first.version, &last.version, scheme), Order::Concurrent);
}
