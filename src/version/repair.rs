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
