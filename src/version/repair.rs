//! Which replica lacks what after a read (Dynamo §5, read repair).
//!
//! Pure: it does not know when repairs are sent, nor whether.

use super::{Scheme, Siblings, Version, reconcile};
use crate::kernel::ids::NodeId;

/// The versions of `reconciled` that a replica holding `held` lacks.
pub fn missing(reconciled: &[Version], held: &[Version]) -> Siblings {
    let has = |version: &Version| held.iter().any(|mine| mine.same(version) || mine.hash() == version.hash());
    if reconciled.iter().all(has) {
        return Siblings::new();
    }
    let lacking: Vec<Version> = reconciled.iter().filter(|version| !has(version)).cloned().collect();
    Siblings::from(&lacking[..])
}

/// For each replica that answered and lacks some version of the reconciled set, which ones; in the order of the replies.
pub fn read_repair_plan(scheme: Scheme, replies: &[(NodeId, Siblings)]) -> Vec<(NodeId, Siblings)> {
    let reconciled = reconcile(scheme, replies.iter().map(|(_, held)| held.versions()));
    let plan = replies.iter().map(|(node, held)| (*node, missing(&reconciled, held)));
    plan.filter(|(_, lacking)| !lacking.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ids::ActorId;
    use crate::version::{Clock, NextCounter, Parts, Value, WriteId};

    const VECTOR: Scheme = Scheme::VectorClock { next: NextCounter::LocalMax, max_entries: None };

    /// A version whose clock has one event for each actor named; the last named wrote it.
    fn version(actors: &[u32]) -> Version {
        let mut clock = Clock::new();
        let mut dot = clock.increment(ActorId(actors[0]), 0);
        for &actor in &actors[1..] {
            dot = clock.increment(ActorId(actor), 0);
        }
        let write = WriteId(actors.iter().fold(0, |sum, &actor| sum * 10 + u64::from(actor)));
        let (evicted, scattered, kept) = Default::default();
        let parts = Parts { clock, dot, evicted, scattered, kept, stamp: 0, value: Value::Blob(0), size: 1, write };
        Version::new(VECTOR, parts)
    }

    /// Who holds which clock, and who then gets which.
    fn check(replies: &[(u32, &[&[u32]])], expected: &[(u32, &[&[u32]])]) {
        let siblings = |clocks: &[&[u32]]| {
            let versions: Vec<Version> = clocks.iter().map(|actors| version(actors)).collect();
            Siblings::from(&versions[..])
        };
        let replies: Vec<_> = replies.iter().map(|&(node, clocks)| (NodeId(node), siblings(clocks))).collect();
        let plan = read_repair_plan(VECTOR, &replies);
        let expected: Vec<_> = expected.iter().map(|&(node, clocks)| (NodeId(node), siblings(clocks))).collect();
        assert_eq!(plan, expected, "of {replies:?}");
    }

    #[test]
    fn the_one_replica_that_is_behind_is_repaired_once() {
        check(&[(1, &[&[1, 2]]), (2, &[&[1, 2]]), (3, &[&[1]])], &[(3, &[&[1, 2]])]);
    }

    // The other cases of Voldemort's ReadRepairerTest.
    #[test]
    fn voldemort_plans() {
        check(&[], &[]);
        check(&[(1, &[&[1]])], &[]);
        check(&[(1, &[&[1]]), (2, &[&[1]]), (3, &[&[1]])], &[]);
        check(&[(1, &[&[1]]), (2, &[&[1, 1]])], &[(1, &[&[1, 1]])]);
        check(
            &[(1, &[&[1]]), (2, &[&[2]]), (3, &[&[3]])],
            &[(1, &[&[2], &[3]]), (2, &[&[1], &[3]]), (3, &[&[1], &[2]])],
        );
        let late: &[u32] = &[1, 1, 2, 2];
        check(&[(1, &[late]), (2, &[&[1]]), (3, &[&[2]])], &[(2, &[late]), (3, &[late])]);
    }

    #[test]
    fn a_replica_without_the_key_is_behind() {
        check(&[(0, &[]), (1, &[&[1]])], &[(0, &[&[1]])]);
    }

    #[test]
    fn repairs_make_all_replicas_alike() {
        let mut replies = [(NodeId(1), vec![version(&[1, 1]), version(&[2])]), (NodeId(2), vec![version(&[1])])]
            .map(|(node, versions)| (node, Siblings::from(&versions[..])));
        for (node, lacking) in read_repair_plan(VECTOR, &replies) {
            for version in lacking.iter() {
                replies[node.index() - 1].1.apply(version, VECTOR, crate::version::Whole::Stored);
            }
        }
        assert_eq!(replies[0].1, replies[1].1);
        assert!(read_repair_plan(VECTOR, &replies).is_empty());
    }
}
