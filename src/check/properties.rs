//! The properties by name, and the verdict on those that a run's configuration and end decide.
//!
//! Whether clients saw what they should is not decided here: that takes the history of the run.

use crate::check::judge::Violations;
use crate::cluster::config::{Action, RunConfig};
use crate::kernel::ids::{NodeId, SegmentId};
use crate::node::outputs::Admin;
use crate::ring::{Layout, Ring, movement};

/// What a property is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What clients see.
    Safety,
    /// Versions of a key.
    Versions,
    /// Repair and membership.
    Repair,
    /// The ring and the simulated world.
    World,
}

macro_rules! properties {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $name:literal, $id:literal, $group:ident; )+) => {
        /// A property, named in an expectation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Property { $( $(#[doc = $doc])+ $variant, )+ }

        impl Property {
            /// All of them, in the order of the reference.
            pub const ALL: &'static [Property] = &[$(Property::$variant),+];

            /// The name in a file.
            pub const fn name(self) -> &'static str {
                match self { $( Property::$variant => $name, )+ }
            }
            /// Its id among the project's properties: `P1`.
            pub const fn id(self) -> &'static str {
                match self { $( Property::$variant => $id, )+ }
            }
            /// What it is about.
            pub const fn group(self) -> Group {
                match self { $( Property::$variant => Group::$group, )+ }
            }
            /// What it says.
            pub const fn about(self) -> &'static str {
                match self { $( Property::$variant => concat!($($doc),+), )+ }
            }
            /// The property of a name.
            pub fn from_name(name: &str) -> Option<Property> {
                match name { $( $name => Some(Property::$variant), )+ _ => None }
            }
        }
    };
}

properties! {
    /// In the end every acknowledged write, or one that replaced it knowingly, is on a live replica.
    NoLostAcknowledgedWrites = "no_lost_acknowledged_writes", "P1", Safety;
    /// In the end the write with the newest timestamp is there.
    NewestWriteWins = "newest_write_wins", "P1b", Safety;
    /// A read returns every write acknowledged before it began, or newer.
    Regular = "regular", "P2", Safety;
    /// All operations fit into one order that respects time.
    Linearizable = "linearizable", "P3", Safety;
    /// A session reads what it wrote.
    ReadYourWrites = "read_your_writes", "P4", Safety;
    /// A session never reads older than it has read.
    MonotonicReads = "monotonic_reads", "P4", Safety;
    /// A session's writes take effect in its order.
    MonotonicWrites = "monotonic_writes", "P4", Safety;
    /// A write comes after what its session has read.
    WritesFollowReads = "writes_follow_reads", "P4", Safety;
    /// A write that was refused never appears.
    RefusedWritesNeverAppear = "refused_writes_never_appear", "P5", Safety;
    /// At an ack, W nodes hold the write durably.
    AcksAreHonest = "acks_are_honest", "P6", Safety;
    /// A request gets one answer at most.
    OneReplyPerRequest = "one_reply_per_request", "P7", Safety;
    /// Every value that is read was written.
    NoInventedValues = "no_invented_values", "P8", Safety;
    /// An operation succeeds if enough nodes are reachable.
    AvailableWhenReachable = "available_when_reachable", "P9", Safety;
    /// A replica's versions of a key never go back.
    ReplicasNeverGoBack = "replicas_never_go_back", "P10", Safety;
    /// Clocks order versions as causality does.
    CausalityTracked = "causality_tracked", "C3", Versions;
    /// As many siblings as there are writers, at most.
    SiblingsBounded = "siblings_bounded", "C5", Versions;
    /// No dot is given to two values.
    DotsUnique = "dots_unique", "C6", Versions;
    /// Truncation makes siblings, and loses nothing.
    PruningIsSafe = "pruning_is_safe", "C7", Versions;
    /// A version that was replaced never comes back.
    NoResurrectedSiblings = "no_resurrected_siblings", "D1", Versions;
    /// A tombstone covers what its writer had seen.
    TombstonesWin = "tombstones_win", "D2", Versions;
    /// A deleted key does not come back.
    NoResurrectedDeletes = "no_resurrected_deletes", "D3", Versions;
    /// A key that is written again after its delete stays.
    RecreatedKeysSurvive = "recreated_keys_survive", "D4", Versions;
    /// In the end all replicas of a key are equal.
    Convergence = "convergence", "L1", Repair;
    /// Every hint is delivered, expired, dropped, lost or pending.
    HintsConserved = "hints_conserved", "L2", Repair;
    /// Trees are equal if and only if the keys are.
    TreesAgree = "trees_agree", "L3", Repair;
    /// Read repair writes only to stale replicas, and nothing new.
    ReadRepairIsSound = "read_repair_is_sound", "L4", Repair;
    /// In the end all live nodes have one view of the members.
    ViewsConverge = "views_converge", "L5", Repair;
    /// Crashed nodes are suspected, others are not.
    DetectorIsSound = "detector_is_sound", "L6", Repair;
    /// At rest nothing is left over.
    NothingLeaks = "nothing_leaks", "L7", Repair;
    /// A preference list has no node twice, and enough of them.
    ListsAreDistinct = "lists_are_distinct", "R1", World;
    /// A join or leave moves no more than it must.
    MinimalMovement = "minimal_movement", "R3", World;
    /// The ranges are the whole ring, without gap or overlap.
    RangesCoverRing = "ranges_cover_ring", "R4", World;
    /// While ranges move, as many nodes hold the data as before.
    OwnershipKept = "ownership_kept", "R6", World;
    /// Every message is delivered, lost, cut or under way.
    MessagesConserved = "messages_conserved", "S2", World;
    /// Nothing crosses a cut.
    CutsHold = "cuts_hold", "S3", World;
    /// A crashed node does nothing.
    CrashesHold = "crashes_hold", "S4", World;
}

/// What became of a property in one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// No violation was found.
    Held,
    /// So many violations were found, for example this one.
    Violated {
        /// How many.
        violations: u64,
        /// One of them.
        example: String,
    },
    /// Nobody can say, for this reason.
    NotJudged(&'static str),
}

/// Judges one property of a run that is over, by what the run's judge has found; without one only the rings can be
/// judged.
pub fn judge(property: Property, config: &RunConfig, violations: Option<&Violations>) -> Finding {
    match property {
        Property::ListsAreDistinct => return over_rings(config, lists_are_distinct),
        Property::RangesCoverRing => return over_rings(config, ranges_cover_ring),
        Property::MinimalMovement => return minimal_movement(config),
        _ => {}
    }
    let Some(violations) = violations else {
        return Finding::NotJudged("the run has no clients");
    };
    if property == Property::Linearizable && violations.undecided() > 0 && violations.of(property).is_none() {
        return Finding::NotJudged("the checker of histories gave up on a key: measure.check_budget");
    }
    match violations.of(property) {
        Some((violations, example)) => Finding::Violated { violations, example: example.to_string() },
        None => Finding::Held,
    }
}

/// A ring, and the command that made it; none made that of the start.
type RingAfter = (Option<Admin>, Ring);

/// One ring after the other: that of the start, and after each command of an administrator, in the order of the script.
fn rings(config: &RunConfig) -> Option<(Layout, Vec<RingAfter>)> {
    if config.ring.initial_members.is_empty() {
        return None;
    }
    let layout = Layout::new(config.ring.clone());
    let mut rings = vec![(None, layout.initial_ring(&config.ring.initial_members))];
    for step in &config.steps {
        let Action::Admin { command, .. } = &step.action else { continue };
        let before = &rings.last().expect("the first is there").1;
        let after = match *command {
            Admin::Join(node) => layout.after_join(before, node),
            Admin::Leave(node) => layout.after_leave(before, node),
            Admin::Replace { old, new } => layout.after_replace(before, old, new),
        };
        rings.push((Some(*command), after));
    }
    Some((layout, rings))
}

fn over_rings(config: &RunConfig, wrong: fn(&Layout, &Ring, u32) -> Vec<String>) -> Finding {
    let Some((layout, rings)) = rings(config) else { return Finding::NotJudged("no node is a member") };
    let wrong: Vec<String> = rings.iter().flat_map(|(_, ring)| wrong(&layout, ring, config.ring.replicas)).collect();
    found(wrong)
}

fn found(wrong: Vec<String>) -> Finding {
    match wrong.first() {
        None => Finding::Held,
        Some(example) => Finding::Violated { violations: wrong.len() as u64, example: example.clone() },
    }
}

fn lists_are_distinct(_: &Layout, ring: &Ring, n: u32) -> Vec<String> {
    let wanted = (n as usize).min(ring.holders().len());
    let ends = ring.range_ends().iter().filter_map(|&end| {
        let list = ring.replicas_of(end, n);
        let mut nodes = list.to_vec();
        nodes.sort_unstable();
        nodes.dedup();
        let (distinct, length) = (nodes.len(), list.len());
        (distinct != length || length < wanted).then(|| {
            format!("the list of segment {end} has {distinct} distinct nodes among {length}; {wanted} were asked for")
        })
    });
    ends.collect()
}

fn ranges_cover_ring(layout: &Layout, ring: &Ring, _: u32) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut next = None;
    for segment in (0..ring.segments()).map(SegmentId) {
        if ring.replicas_of(segment, 1).is_empty() {
            wrong.push(format!("segment {segment} has no owner"));
        }
        // Each segment must begin where the one before ends; the first follows the last.
        let bounds = layout.segment_bounds(segment);
        if next.is_some_and(|next| next != bounds.start) {
            wrong.push(format!("there is a gap or an overlap before segment {segment}"));
        }
        next = Some(bounds.end);
    }
    if ring.segments() > 0 && next != Some(layout.segment_bounds(SegmentId(0)).start) {
        wrong.push("the last segment does not meet the first".to_string());
    }
    wrong
}

/// Who joins is the only one that gains, who leaves the only one that loses.
fn minimal_movement(config: &RunConfig) -> Finding {
    let Some((_, rings)) = rings(config) else { return Finding::NotJudged("no node is a member") };
    if rings.len() < 2 {
        return Finding::NotJudged("no node joins or leaves");
    }
    let mut wrong = Vec::new();
    for pair in rings.windows(2) {
        let [(_, before), (Some(command), after)] = pair else { continue };
        for change in movement(before, after, config.ring.replicas) {
            let only = |nodes: &[NodeId], node: NodeId| nodes.iter().all(|other| *other == node);
            let minimal = match *command {
                Admin::Join(node) => only(&change.gainers, node),
                Admin::Leave(node) => only(&change.losers, node),
                Admin::Replace { old, new } => only(&change.gainers, new) && only(&change.losers, old),
            };
            if !minimal {
                let (gainers, losers) = (&change.gainers, &change.losers);
                wrong.push(format!("{command:?}: segment {} goes from {losers:?} to {gainers:?}", change.segment));
            }
        }
    }
    found(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_is_known_by_its_name() {
        assert_eq!(Property::from_name("minimal_movement"), Some(Property::MinimalMovement));
        assert_eq!(Property::MinimalMovement.id(), "R3");
        for property in Property::ALL {
            assert_eq!(Property::from_name(property.name()), Some(*property));
            assert!(!property.id().is_empty() && property.about().ends_with('.'), "{}", property.name());
        }
    }
}
