//! What each property assumes of a configuration. Their names are in [`crate::check::properties`].
//!
//! `all` asserts those whose assumptions are met and measures the rest; one that is named is asserted
//! also where nothing guarantees it, and is an error where it cannot hold.

use super::containers::{Mechanism, OrForever, OrNever, OrUnlimited};
use super::spec::*;
use super::world::{World, any_action};
use crate::check::properties::Property;

/// What a configuration says of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its assumptions are met.
    Guaranteed,
    /// It may hold, but nothing guarantees it, for this reason.
    NotGuaranteed(&'static str),
    /// It cannot be asked, for this reason.
    CannotHold(&'static str),
}

/// Rounds of anti-entropy with random peers after which two replicas have met, but once in millions.
const ROUNDS: u64 = 20;

/// What of a configuration the properties ask for.
struct Facts {
    vector_clock: bool,
    last_write_wins: bool,
    strict: bool,
    intersects: bool,
    /// What a read returns is on so many replicas by then that the next read meets one of them.
    write_back: bool,
    several_writers: bool,
    /// Something goes wrong.
    faults: bool,
    no_hints: bool,
    /// Writes may carry no context.
    blind: bool,
    /// Writes may carry a context without what their session has written since it read.
    reads_only: bool,
    /// Clocks lose entries.
    pruned: bool,
    /// Stale contexts leave merged clocks behind.
    merged: bool,
    /// Rounds of anti-entropy of each node after everything has healed; nothing if there are none.
    repair_rounds: Option<u64>,
    data_lost: bool,
    unflushed: bool,
    tombstones: Tombstones,
    moves: bool,
    leaves: bool,
    lossy: bool,
    unhealed: bool,
}

#[derive(PartialEq)]
enum Tombstones {
    Forever,
    ForAWhile,
    None,
}

/// R, W and N of the operations that a scenario has: its least R and W, its largest N, and whether
/// all of them are strict.
pub fn weakest_quorum(spec: &Spec) -> (u32, u32, u32, bool) {
    let base = &spec.cluster.replication;
    type Set = (Option<u32>, Option<u32>, Option<u32>, Option<QuorumMode>);
    let mut sets: Vec<Set> = Vec::new();
    sets.extend(spec.clients.iter().map(|group| (group.r, group.w, group.n, group.quorum)));
    for step in &spec.script {
        match step.action() {
            Action::Get(get) => sets.push((Some(get.r.unwrap_or(base.r)), None, get.n, get.quorum)),
            Action::Put(put) => sets.push((None, Some(put.w.unwrap_or(base.w)), put.n, put.quorum)),
            Action::Delete(delete) => sets.push((None, Some(delete.w.unwrap_or(base.w)), delete.n, delete.quorum)),
            Action::Update(update) => {
                sets.push((Some(update.r.unwrap_or(base.r)), Some(update.w.unwrap_or(base.w)), None, None))
            }
            _ => {}
        }
    }
    for set in sets.iter_mut().take(spec.clients.len()) {
        set.0.get_or_insert(base.r);
        set.1.get_or_insert(base.w);
    }
    let r = sets.iter().filter_map(|set| set.0).min().unwrap_or(base.r);
    let w = sets.iter().filter_map(|set| set.1).min().unwrap_or(base.w);
    let n = sets.iter().map(|set| set.2.unwrap_or(base.n)).max().unwrap_or(base.n);
    let modes = sets.iter().map(|set| set.3.unwrap_or(base.quorum));
    let strict = if sets.is_empty() {
        base.quorum == QuorumMode::Strict
    } else {
        modes.into_iter().all(|mode| mode == QuorumMode::Strict)
    };
    (r, w, n, strict)
}

/// What the writes of a scenario carry. An update carries what it has just read.
fn contexts(spec: &Spec) -> Vec<ClientContext> {
    let puts = |group: &&ClientGroup| {
        let mix = &group.mix;
        [mix.put, mix.delete, mix.write_then_read].iter().any(|weight| *weight > 0.0)
    };
    let mut contexts: Vec<ClientContext> = spec.clients.iter().filter(puts).map(|group| group.context).collect();
    for step in &spec.script {
        let context = match step.action() {
            Action::Put(put) => &put.context,
            Action::Delete(delete) => &delete.context,
            _ => continue,
        };
        contexts.push(match context {
            PutContext::LastSeen => ClientContext::LastSeen,
            PutContext::LastRead | PutContext::Step(_) => ClientContext::LastRead,
            PutContext::None => ClientContext::None,
        });
    }
    contexts
}

impl Facts {
    fn of(spec: &Spec) -> Facts {
        let cluster = &spec.cluster;
        let (r, w, n, strict) = weakest_quorum(spec);
        let contexts = contexts(spec);
        let max_entries = match &cluster.versioning {
            Versioning::VectorClock(clock) => clock.max_entries.0,
            _ => None,
        };
        let own = spec.clients.iter().filter(|group| matches!(group.routing, Routing::ClientDriven(_))).count();
        let actors = World::of(spec).node_names().count() + own;
        let chaos = spec.chaos.as_ref();
        let on = |test: fn(&Chaos) -> bool| chaos.is_some_and(test);
        let crashes =
            any_action(spec, |action| matches!(action, Action::Crash(_))) || on(|chaos| chaos.crash.as_on().is_some());
        let scripted_writers = spec
            .script
            .iter()
            .filter(|step| matches!(step.action(), Action::Put(_) | Action::Delete(_) | Action::Update(_)));
        let mut writers: Vec<&str> = scripted_writers.filter_map(|step| step.client.as_deref()).collect();
        writers.sort_unstable();
        writers.dedup();
        let sessions: u64 = spec.clients.iter().map(|group| u64::from(group.count)).sum();
        let unsafe_write = cluster.storage.flush != Flush::BeforeAck || cluster.storage.buffer.as_on().is_some();
        let heals_late = spec.script.iter().any(|step| {
            let action = step.action();
            let restarted =
                matches!(action, Action::Crash(_)) && any_action(spec, |other| matches!(other, Action::Restart(_)));
            action.may_last() && !matches!(action, Action::Skew(_)) && step.for_.is_none() && !restarted
        });
        let data_lost = any_action(spec, |action| match action {
            Action::Wipe(_) => true,
            Action::Crash(crash) => crash.disk == DiskFate::Lost,
            _ => false,
        }) || on(|chaos| {
            chaos.wipe.as_on().is_some() || chaos.crash.as_on().is_some_and(|crash| crash.disk.lost > 0.0)
        });
        // A node that has lost data goes on under a new name.
        let renamed = data_lost || (unsafe_write && crashes);
        Facts {
            vector_clock: matches!(cluster.versioning, Versioning::VectorClock(_)),
            last_write_wins: matches!(cluster.versioning, Versioning::LastWriteWins(_)),
            strict,
            intersects: r + w > n,
            write_back: matches!(&cluster.read_repair, Mechanism::On(repair) if repair.mode == RepairMode::Blocking && repair.chance.0 >= 1.0)
                && 2 * r > n,
            several_writers: sessions + writers.len() as u64 > 1,
            faults: chaos.is_some() || spec.network.loss.0 > 0.0 || any_action(spec, |action| action.may_last()),
            no_hints: cluster.hints.as_on().is_none(),
            blind: contexts.contains(&ClientContext::None),
            reads_only: contexts.contains(&ClientContext::LastRead),
            pruned: max_entries.is_some_and(|max| renamed || actors > max as usize),
            merged: matches!(&cluster.versioning, Versioning::VectorClock(clock) if clock.next == NextCount::Merged),
            repair_rounds: match &cluster.anti_entropy {
                Mechanism::On(repair) => repair.every.0.map(|every| spec.settle.0 / every.0.max(1)),
                Mechanism::Off => None,
            },
            data_lost,
            unflushed: unsafe_write && crashes,
            tombstones: match &cluster.deletes {
                Deletes::Tombstone(Tombstone { keep: OrForever(None) }) => Tombstones::Forever,
                Deletes::Tombstone(_) => Tombstones::ForAWhile,
                Deletes::Remove => Tombstones::None,
            },
            moves: any_action(spec, |action| matches!(action, Action::Join(_) | Action::Leave(_) | Action::Replace(_)))
                || on(|chaos| chaos.join.as_on().is_some() || chaos.leave.as_on().is_some()),
            leaves: any_action(spec, |action| matches!(action, Action::Leave(_)))
                || on(|chaos| chaos.leave.as_on().is_some()),
            lossy: spec.network.loss.0 > 0.0
                || spec.network.links.iter().any(|link| link.loss.is_some_and(|loss| loss.0 > 0.0))
                || any_action(spec, |action| {
                    matches!(action, Action::Link(_) | Action::DiskError(_) | Action::Slow(_))
                })
                || on(|chaos| chaos.link.as_on().is_some() || chaos.slow.as_on().is_some()),
            unhealed: heals_late,
        }
    }
}

impl Property {
    /// Whether the property holds, may hold, or cannot hold under a configuration.
    pub fn standing(self, spec: &Spec) -> Standing {
        use Standing::{CannotHold, Guaranteed, NotGuaranteed};
        let facts = Facts::of(spec);
        let unless = |found: bool, reason: &'static str| if found { NotGuaranteed(reason) } else { Guaranteed };
        // The first reason that applies is the one that is told.
        let first = |reasons: &[(bool, &'static str)]| match reasons.iter().find(|(found, _)| *found) {
            Some((_, reason)) => NotGuaranteed(reason),
            None => Guaranteed,
        };
        let lost = (facts.data_lost, "disks lose data");
        let unflushed = (facts.unflushed, "writes are acknowledged before they are safe, and nodes crash");
        let partial = (!facts.intersects, "R + W is not more than N");
        let sloppy = (!facts.strict, "quorum is sloppy");
        let moves = (facts.moves, "nodes join or leave");
        let unrepaired = [
            (facts.unhealed, "a fault never heals"),
            (facts.repair_rounds.is_none(), "anti-entropy is off"),
            (
                facts.repair_rounds.is_some_and(|rounds| rounds < ROUNDS),
                "`settle` is shorter than 20 rounds of anti-entropy",
            ),
        ];
        let tombstones_go = (facts.tombstones != Tombstones::Forever, "tombstones are not kept for ever");
        let strays = (!facts.strict && facts.no_hints, "without hints stand-ins keep what they are given");
        let limited = (
            matches!(&spec.cluster.hints, Mechanism::On(hints) if hints.ttl != OrNever(None) || hints.max_per_node != OrUnlimited(None)),
            "hints are limited",
        );
        let pruned = (facts.pruned, "clocks are truncated");
        let merged = (facts.merged, "merged clocks keep what is stored beside them");
        let blind = (facts.blind, "writes may carry no context");
        let clocks_decide = (facts.last_write_wins, "clocks decide which write is the newest");
        // Clocks of server ids hide a write from one that had not seen it, if both have one coordinator.
        let alike = [
            (facts.vector_clock && facts.several_writers, "vector clocks with several writers"),
            (facts.vector_clock && facts.faults, "vector clocks and writes that may be led late"),
            (
                facts.vector_clock && (facts.blind || facts.reads_only),
                "vector clocks and writes that do not carry what their session has written",
            ),
            (
                facts.vector_clock && (!facts.strict || !facts.intersects || facts.moves),
                "vector clocks and reads that may be stale",
            ),
        ];
        let alike = alike.into_iter().find(|(found, _)| *found).unwrap_or((false, ""));
        match self {
            Property::NoLostAcknowledgedWrites if facts.last_write_wins => {
                CannotHold("the last write wins, and the other is thrown away")
            }
            Property::NoLostAcknowledgedWrites => first(&[alike, lost, unflushed, limited, strays, tombstones_go]),
            Property::NewestWriteWins if !facts.last_write_wins => CannotHold("it is about last_write_wins"),
            Property::NewestWriteWins => {
                first(&[lost, unflushed, unrepaired[0], unrepaired[1], unrepaired[2], tombstones_go, strays])
            }
            Property::Regular | Property::Linearizable if !facts.intersects => CannotHold("R + W is not more than N"),
            Property::Regular => first(&[sloppy, lost, unflushed, moves, clocks_decide, tombstones_go, pruned]),
            Property::Linearizable => first(&[
                sloppy,
                lost,
                unflushed,
                moves,
                (!facts.write_back, "reads do not write back"),
                (facts.several_writers, "several writers"),
                clocks_decide,
                tombstones_go,
                pruned,
                blind,
                alike,
            ]),
            Property::ReadYourWrites
            | Property::MonotonicReads
            | Property::MonotonicWrites
            | Property::WritesFollowReads => {
                let reads = matches!(self, Property::MonotonicReads | Property::WritesFollowReads);
                let writes = matches!(self, Property::MonotonicWrites | Property::WritesFollowReads);
                first(&[
                    sloppy,
                    partial,
                    lost,
                    unflushed,
                    moves,
                    clocks_decide,
                    alike,
                    tombstones_go,
                    pruned,
                    (reads && !facts.write_back, "reads do not write back"),
                    (writes && facts.blind, "writes may carry no context"),
                    (
                        self == Property::MonotonicWrites && facts.reads_only,
                        "writes do not carry what their session has written",
                    ),
                ])
            }
            Property::RefusedWritesNeverAppear | Property::OneReplyPerRequest | Property::NoInventedValues => {
                Guaranteed
            }
            Property::AcksAreHonest => {
                let late =
                    spec.cluster.storage.flush != Flush::BeforeAck || spec.cluster.storage.buffer.as_on().is_some();
                // Who has stored a write may have given the range away before the others have.
                first(&[(late, "writes are acknowledged before they are safe"), lost, moves])
            }
            Property::AvailableWhenReachable => first(&[
                (facts.lossy, "messages or nodes suffer"),
                (!matches!(spec.cluster.detector, Detector::Perfect), "nodes do not know who is reachable"),
                (spec.cluster.coordination.conflicts == Conflicts::Refused, "writes that conflict are refused"),
            ]),
            Property::ReplicasNeverGoBack => first(&[lost, unflushed, moves, tombstones_go]),
            Property::CausalityTracked if facts.last_write_wins => CannotHold("timestamps do not track causality"),
            Property::CausalityTracked => first(&[
                (facts.vector_clock, "clocks of server ids do not tell concurrent writes apart"),
                lost,
                unflushed,
            ]),
            Property::SiblingsBounded => unless(facts.vector_clock, "vector clocks make false siblings"),
            Property::DotsUnique if facts.last_write_wins => CannotHold("last_write_wins has no dots"),
            Property::DotsUnique => {
                let old_id = match &spec.cluster.versioning {
                    Versioning::VectorClock(clock) => !clock.new_id_after_wipe,
                    Versioning::Dotted(dotted) => !dotted.new_id_after_wipe,
                    Versioning::LastWriteWins(_) => false,
                };
                first(&[(old_id && facts.data_lost, "nodes count on under their old identity"), unflushed])
            }
            Property::PruningIsSafe => Guaranteed,
            // What has replaced a value must not be lost itself.
            Property::NoResurrectedSiblings | Property::NoResurrectedDeletes => {
                first(&[pruned, merged, lost, unflushed, tombstones_go, clocks_decide, limited, strays, alike])
            }
            Property::TombstonesWin if facts.tombstones == Tombstones::None => CannotHold("deletes leave no tombstone"),
            Property::TombstonesWin => first(&[lost, unflushed, pruned, merged, tombstones_go, clocks_decide]),
            Property::RecreatedKeysSurvive => first(&[tombstones_go, lost, unflushed, alike, strays, clocks_decide]),
            Property::Convergence => first(&[
                unrepaired[0],
                unrepaired[1],
                unrepaired[2],
                // One replica has dropped a tombstone and gets it, or what it had seen, back from another that has not.
                (facts.tombstones != Tombstones::Forever, "tombstones are dropped at different times"),
            ]),
            Property::HintsConserved | Property::TreesAgree | Property::ReadRepairIsSound => Guaranteed,
            Property::ViewsConverge => {
                let no_seed = spec.cluster.membership.seeds.as_ref().is_some_and(Vec::is_empty);
                first(&[
                    (facts.unhealed, "a fault never heals"),
                    (spec.cluster.membership.gossip_every == OrNever(None), "nodes do not gossip"),
                    (no_seed && facts.moves, "without seeds two rings can live side by side"),
                    (facts.moves && spec.settle == crate::kernel::time::Span::ZERO, "`settle` is 0s"),
                ])
            }
            Property::DetectorIsSound => {
                unless(!matches!(spec.cluster.detector, Detector::Perfect), "delays have no bound")
            }
            Property::NothingLeaks => first(&[
                (facts.unhealed, "a fault never heals"),
                (spec.settle == crate::kernel::time::Span::ZERO, "`settle` is 0s"),
            ]),
            Property::MinimalMovement if matches!(spec.cluster.ring, Ring::Modulo) => {
                CannotHold("hash mod S reshuffles")
            }
            // What one node had goes to several: where two of its partitions lie near each other, two come onto the lists
            // there at once, and one that stays is pushed off.
            Property::MinimalMovement => unless(
                facts.leaves && matches!(spec.cluster.ring, Ring::EqualPartitions(_) | Ring::Owners(_)),
                "a leaver's partitions go to several nodes",
            ),
            Property::OwnershipKept => first(&[
                lost,
                unflushed,
                (matches!(spec.cluster.ring, Ring::Modulo) && facts.moves, "hash mod S reshuffles"),
            ]),
            Property::ListsAreDistinct => {
                unless(World::of(spec).holders() < spec.cluster.replication.n as usize, "there are fewer nodes than N")
            }
            Property::RangesCoverRing | Property::MessagesConserved | Property::CutsHold | Property::CrashesHold => {
                Guaranteed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::super::source::Memory;
    use super::*;

    fn standing(property: Property, cluster: &str) -> Standing {
        let text = format!(
            r#"{{ "version": 1, "duration": "1s", "settle": "1s", "cluster": {{ "nodes": 5, {cluster} }},
               "clients": [{{ "name": "u", "count": 2, "arrival": "closed" }}] }}"#
        );
        property.standing(&load(&Memory::new("x.json", &text), &[]).unwrap_or_else(|errors| panic!("{errors}")).base)
    }

    #[test]
    fn a_property_knows_what_it_assumes() {
        use Standing::{CannotHold, Guaranteed, NotGuaranteed};
        let regular =
            |replication: &str| standing(Property::Regular, &format!(r#""replication": {{ {replication} }}"#));
        assert_eq!(regular(r#""quorum": "strict""#), Guaranteed);
        assert_eq!(regular(r#""quorum": "sloppy""#), NotGuaranteed("quorum is sloppy"));
        assert_eq!(regular(r#""r": 1"#), CannotHold("R + W is not more than N"));
        let kept = |versioning: &str| {
            standing(Property::NoLostAcknowledgedWrites, &format!(r#""versioning": "{versioning}""#))
        };
        assert_eq!(kept("dotted"), Guaranteed);
        assert_eq!(kept("vector_clock"), NotGuaranteed("vector clocks with several writers"));
        assert!(matches!(kept("last_write_wins"), CannotHold(_)));
    }
}
