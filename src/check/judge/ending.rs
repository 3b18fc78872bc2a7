//! What is left when a run is over: lost writes and why, replicas that differ, hints that wait, leaks.

use super::Judge;
use super::ghost::{Write, covers, session_of};
use super::widening::Widenings;
use crate::check::linear::online::KeyVerdict;
use crate::check::properties::Property;
use crate::history::Ending;
use crate::kernel::ids::{KeyId, NodeId, OpId};
use crate::kernel::time::{SimTime, Span};
use crate::measure::metrics::LossCause;
use crate::node::Node;
use crate::node::commons::Directory;
use crate::node::membership::Placement;
use crate::node::stats::Stats;
use crate::store::merkle::entry_hash;
use crate::version::siblings::same_versions;
use crate::version::{Dot, Scheme, Version};

/// A suspicion that has lasted so long in peace is never taken back.
const STUBBORN: Span = Span::from_secs(10);

impl Judge<'_> {
    /// Looks at the nodes as the run has left them.
    pub(super) fn at_the_end(&mut self, now: SimTime, ending: &Ending<'_>) {
        let Ending { nodes, up, keys, .. } = *ending;
        self.look_at_messages(ending);
        self.look_at_hints(nodes);
        self.look_at_trees(nodes, keys);
        if let Some(placement) = ending.placement {
            self.look_at_members(now, nodes, up, placement);
            self.look_at_replicas(now, ending, placement);
            self.look_for_newest(nodes, keys, placement);
        }
        self.look_for_lost_writes(nodes, up);
        self.count_copies_at_the_end(nodes, keys);
        self.end_vulnerable(now);
        self.measure_convergence(now, self.world.last_change);
    }

    /// What takes its time.
    pub(super) fn last_words(&mut self) {
        self.numbers.widening = self.widenings.take().map(Widenings::finish);
        if let Some(linear) = self.linear.take() {
            let verdicts = linear.finish();
            let of = |wanted: fn(&KeyVerdict) -> bool| verdicts.iter().filter(|(_, verdict)| wanted(verdict)).count();
            let undecided = of(|verdict| matches!(verdict, KeyVerdict::Undecided)) as u64;
            let illegal = of(|verdict| matches!(verdict, KeyVerdict::Illegal { .. })) as u64;
            self.numbers.linearizable = Some([illegal, undecided]);
            self.found.undecided = undecided;
            for (key, verdict) in verdicts {
                let KeyVerdict::Illegal { witness, .. } = verdict else { continue };
                let (name, op) = (self.key_name(key), OpId(witness));
                let session = self.session_name(op.session());
                self.found.add(Property::Linearizable, || {
                    format!("operation {} of {session} on {name} fits into no order", op.number())
                });
            }
        }
    }

    fn look_at_messages(&mut self, ending: &Ending<'_>) {
        let traffic = ending.network.all();
        let (arrived, under_way) = (ending.arrived, ending.under_way);
        if traffic.messages + traffic.duplicated != arrived + traffic.lost() + under_way {
            self.found.add(Property::MessagesConserved, || {
                let sent = traffic.messages + traffic.duplicated;
                format!("{sent} were sent; {arrived} arrived, {} were lost, {under_way} are under way", traffic.lost())
            });
        }
    }

    fn look_at_hints(&mut self, nodes: &[Node]) {
        let mut sums = Stats::default();
        nodes.iter().for_each(|node| sums.add(&node.stats));
        let pending: u64 = nodes.iter().map(|node| node.hints().len()).sum();
        let gone = sums.hints_delivered + sums.hints_expired + sums.hints_lost + sums.hints_replaced;
        if sums.hints_created != gone + pending {
            self.found.add(Property::HintsConserved, || {
                format!("{} were created; {gone} are gone in known ways and {pending} wait", sums.hints_created)
            });
        }
    }

    /// The sums that were kept up to date are those of what is there.
    fn look_at_trees(&mut self, nodes: &[Node], keys: &Directory) {
        for node in nodes {
            let mut roots = std::collections::BTreeMap::new();
            for key in node.table().keys_sorted() {
                let hash = crate::version::siblings::versions_hash(node.versions(key));
                let root: &mut u64 = roots.entry(keys.segment(key)).or_default();
                *root = root.wrapping_add(entry_hash(key, hash));
            }
            let wrong =
                keys.segments().find(|segment| node.roots().root(*segment) != roots.get(segment).copied().unwrap_or(0));
            if let Some(segment) = wrong {
                let name = self.node_name(node.id());
                self.found.add(Property::TreesAgree, || {
                    format!("the tree of {name} for range {} is not that of its keys", segment.0)
                });
            }
        }
    }

    /// Leaks, and suspicions that nobody takes back.
    fn look_at_members(&mut self, now: SimTime, nodes: &[Node], up: &[bool], placement: &Placement) {
        // Who is no member hears of changes late or never.
        let members = nodes.iter().filter(|node| up[node.id().index()] && placement.ring.is_member(node.id()));
        let mut views: Vec<u128> = members.map(|node| node.view().hash()).collect();
        views.sort_unstable();
        views.dedup();
        if views.len() > 1 {
            self.found.add(Property::ViewsConverge, || {
                format!("in the end the members that run hold {} different views", views.len())
            });
        }
        let is_calm = !self.world.has_faults();
        let quiet_for = now.since(self.world.last_heal.unwrap_or(SimTime::ZERO));
        for node in nodes.iter().filter(|node| up[node.id().index()]) {
            let (requests, exchanges) = (node.requests_open(), node.exchanges_open());
            if requests > 0 || exchanges > nodes.len() {
                let name = self.node_name(node.id());
                self.found.add(Property::NothingLeaks, || {
                    format!("in the end {name} has {requests} requests and {exchanges} exchanges open")
                });
            }
            if !is_calm || !placement.ring.is_member(node.id()) {
                continue;
            }
            for suspect in node.suspects() {
                let since = self.world.suspected.get(&(node.id(), suspect)).copied().unwrap_or(SimTime::ZERO);
                let age = now.since(since).min(quiet_for);
                if self.world.is_up(suspect) && placement.ring.is_member(suspect) && age >= STUBBORN {
                    let (node, suspect) = (self.node_name(node.id()), self.node_name(suspect));
                    self.found.add(Property::DetectorIsSound, || {
                        format!("in the end {node} suspects {suspect}, which has run in peace for {age}")
                    });
                }
            }
        }
    }

    /// All replicas of a key are equal, and none has what had been replaced.
    fn look_at_replicas(&mut self, now: SimTime, ending: &Ending<'_>, placement: &Placement) {
        let Ending { nodes, up, keys, .. } = *ending;
        let n = placement.ring.replicas();
        for key in (0..keys.len()).map(KeyId) {
            let owners = placement.ring.replicas_of(keys.segment(key), n);
            let mut live = owners.iter().filter(|owner| up[owner.index()]);
            let Some(first) = live.next() else { continue };
            let held = nodes[first.index()].versions(key);
            if let Some(other) = live.find(|other| !same_versions(held, nodes[other.index()].versions(key))) {
                let is_first = self.found.of(Property::Convergence).is_none();
                let why = is_first.then(|| self.why_different(now, key, [*first, *other], nodes));
                self.found.add(Property::Convergence, || why.unwrap_or_default());
                continue;
            }
            let Some(ghost) = self.ghost.key(key) else { continue };
            let back = held.iter().find_map(|version| {
                let event = ghost.find(version)?.event;
                ghost.all().find(|newer| newer.is_acked() && newer.past.has(event)).map(|newer| (version, newer))
            });
            if let Some((old, newer)) = back {
                let property =
                    if newer.is_tombstone() { Property::NoResurrectedDeletes } else { Property::NoResurrectedSiblings };
                let (key, old, newer) = (self.key_name(key), self.dot_name(old), self.dot_name(&newer.version));
                self.found.add(property, || format!("in the end {key} holds {old}, which {newer} had replaced"));
            }
        }
    }

    /// Why two replicas of a key differ.
    fn why_different(&self, now: SimTime, key: KeyId, pair: [NodeId; 2], nodes: &[Node]) -> String {
        let dots = |node: NodeId| -> Vec<String> {
            let held = nodes[node.index()].versions(key);
            held.iter().map(|version| self.dot_name(version)).collect()
        };
        let [one, other] = pair.map(|node| format!("{} has [{}]", self.node_name(node), dots(node).join(", ")));
        let waiting = nodes.iter().flat_map(|node| {
            node.hints()
                .owners()
                .into_iter()
                .map(move |owner| (node, owner, node.hints().batch(owner, None, u32::MAX).len()))
        });
        let mut hints: Vec<String> = waiting
            .map(|(node, owner, count)| {
                format!("{count} hints wait {}→{}", self.node_name(node.id()), self.node_name(owner))
            })
            .collect();
        if self.world.has_faults() {
            hints.push("a fault is still on".into());
        }
        let hints = if hints.is_empty() { String::new() } else { format!("; {}", hints.join(", ")) };
        format!("at {now} key {}: {one}, {other}{hints}", self.key_name(key))
    }

    pub(super) fn dot_name(&self, version: &Version) -> String {
        let dot = version.dot();
        format!("{}:{}", self.node_name(dot.actor.node()), dot.counter)
    }

    /// Acknowledged writes that no live replica has, nor anything that had seen them.
    fn look_for_lost_writes(&mut self, nodes: &[Node], up: &[bool]) {
        let mut lost = Vec::new();
        for (key, ghost) in self.ghost.keys() {
            // What nobody holds the effect of any more; counted with the first that stood for it.
            let live = || nodes.iter().filter(|node| up[node.id().index()]);
            let left = || live().flat_map(|node| node.versions(key).iter().chain(node.hints().of_key(key)));
            let mut gone = None;
            for write in ghost.all().filter(|write| write.stands() && write.op.is_some()) {
                let has = |held: &[Version]| held.iter().any(|version| ghost.includes(version, write.event));
                let live = nodes.iter().filter(|node| up[node.id().index()]);
                let mut live = live.map(|node| (node.versions(key), node.hints()));
                let is_there = live.any(|(table, hints)| {
                    has(table)
                        || (hints.has_key(key) && hints.of_key(key).any(|version| has(std::slice::from_ref(version))))
                });
                if is_there || (write.is_tombstone() && self.tombstones_go) {
                    continue;
                }
                // With it went what it had replaced: nobody holds the effect of that any more either.
                let gone = gone.get_or_insert_with(|| ghost.gone(left())).take(write);
                lost.push((key, write.clone(), gone, self.why_lost(key, write, nodes, up)));
            }
            // What failed but is there in the end has happened.
            for write in ghost.all().filter(|write| !write.is_acked() && write.op.is_some()) {
                let holds = |node: &Node| node.versions(key).iter().any(|held| held.same(&write.version));
                if !write.appeared && nodes.iter().any(holds) {
                    self.numbers.phantoms += 1;
                }
            }
        }
        for (key, write, gone, cause) in lost {
            self.numbers.lost[cause as usize] += gone;
            let session = session_of(&write).map_or_else(String::new, |session| self.session_name(session));
            let (key, dot) = (self.key_name(key), self.dot_name(&write.version));
            let example =
                || format!("{dot} of {key}, acknowledged to {session}, is on no live replica ({})", cause.word());
            self.found.add(Property::NoLostAcknowledgedWrites, example);
            if cause == LossCause::Truncation {
                self.found.add(Property::PruningIsSafe, example);
            }
            if write.recreates && cause == LossCause::Tombstone {
                self.found.add(Property::RecreatedKeysSurvive, example);
            }
        }
    }

    /// Why a write is lost.
    fn why_lost(&self, key: KeyId, write: &Write, nodes: &[Node], up: &[bool]) -> LossCause {
        let live = nodes.iter().filter(|node| up[node.id().index()]);
        let coverer = live.flat_map(|node| node.versions(key)).find(|held| covers(held, &write.version, self.scheme));
        let mishaps = write.mishaps;
        if let Some(coverer) = coverer {
            return if matches!(self.scheme, Scheme::LastWriteWins) {
                LossCause::LastWriteWins
            } else if matches!(coverer.value(), crate::version::Value::Tombstone) {
                LossCause::Tombstone
            } else if !counts(coverer, write.version.dot()) {
                // The clock does not count the write, and counts as newer all the same: an entry is missing in the other.
                LossCause::Truncation
            } else {
                LossCause::ClockCollision
            };
        }
        if mishaps.hint_lost {
            LossCause::StandInCrash
        } else if mishaps.hint_expired {
            LossCause::HintExpired
        } else if mishaps.disk_lost {
            LossCause::DiskLoss
        } else if mishaps.unflushed {
            LossCause::Unflushed
        } else {
            LossCause::Unexplained
        }
    }

    /// Under last write wins the greatest version that any replica has ever stored is at all owners.
    fn look_for_newest(&mut self, nodes: &[Node], keys: &Directory, placement: &Placement) {
        let newest: Vec<(usize, Version)> =
            self.world.newest.iter().enumerate().filter_map(|(key, v)| Some((key, v.clone()?))).collect();
        for (key, newest) in newest {
            let key = KeyId(key as u32);
            let owners = placement.ring.replicas_of(keys.segment(key), placement.ring.replicas());
            let lacks = |owner: &&NodeId| !nodes[owner.index()].versions(key).iter().any(|held| held.same(&newest));
            if let Some(owner) = owners.iter().find(lacks).copied()
                && !self.tombstones_go
            {
                let (owner, key, dot) = (self.node_name(owner), self.key_name(key), self.dot_name(&newest));
                self.found.add(Property::NewestWriteWins, || {
                    format!("in the end {owner} has not the newest write of {key}, {dot}")
                });
            }
        }
    }
}

/// Whether a version's clock, with what did not fit into it, counts an event.
fn counts(version: &Version, dot: Dot) -> bool {
    let evicted = version.evicted().iter().any(|entry| entry.actor == dot.actor && entry.counter >= dot.counter);
    evicted || version.dot() == dot || version.has_seen(dot)
}
