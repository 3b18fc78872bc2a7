//! The section `cluster`: the protocol's switches and the ring.

use std::collections::BTreeMap;

use super::Builder;
use crate::kernel::ids::NodeId;
use crate::kernel::time::Span;
use crate::node::config as to;
use crate::ring;
use crate::scenario::spec as from;
use crate::version::{NextCounter, Scheme};

impl Builder<'_> {
    /// Profile 0: the cluster's own N, R and W.
    pub(super) fn set_cluster_profile(&mut self) {
        let here = &self.spec.cluster.replication;
        self.profile("cluster.replication", Some(here.n), Some(here.r), Some(here.w), Some(here.quorum));
    }

    /// The profile of these fields, the cluster's where one is missing. Alike ones are one. `r` or `w` that
    /// is the cluster's follows a smaller `n` down.
    pub(super) fn profile(
        &mut self,
        path: &str,
        n: Option<u32>,
        r: Option<u32>,
        w: Option<u32>,
        quorum: Option<from::QuorumMode>,
    ) -> to::ProfileId {
        let cluster = &self.spec.cluster;
        let replication = &cluster.replication;
        let n = n.unwrap_or(replication.n);
        let profile = to::Profile {
            n: self.byte(&format!("{path}.n"), n),
            r: self.byte(&format!("{path}.r"), r.unwrap_or_else(|| replication.r.min(n))),
            w: self.byte(&format!("{path}.w"), w.unwrap_or_else(|| replication.w.min(n))),
            quorum: match quorum.unwrap_or(replication.quorum) {
                from::QuorumMode::Sloppy => to::Quorum::Sloppy,
                from::QuorumMode::Strict => to::Quorum::Strict,
            },
            timeout: cluster.coordination.timeout.0,
        };
        let number = self.profiles.iter().position(|known| *known == profile).unwrap_or_else(|| {
            self.profiles.push(profile);
            self.profiles.len() - 1
        });
        match u16::try_from(number) {
            Ok(number) => to::ProfileId(number),
            Err(_) => {
                self.fail(path, "more than 65 536 different combinations of n, r and w");
                to::ProfileId(0)
            }
        }
    }

    /// What all nodes have in common. To be called last: operations of clients and steps add profiles.
    pub(super) fn node(&mut self) -> to::Config {
        let cluster = &self.spec.cluster;
        let replication = &cluster.replication;
        let counting = |acks| match acks {
            from::Acks::Count => to::Counting::Count,
            from::Acks::Ignore => to::Counting::Ignore,
        };
        to::Config {
            seed: self.seed,
            n: self.byte("cluster.replication.n", replication.n),
            profiles: self.profiles.clone(),
            stand_in_acks: counting(replication.stand_in_acks),
            own_ack: counting(replication.own_ack),
            versioning: versioning(&cluster.versioning),
            coordination: to::Coordination {
                write_coordinator: match cluster.coordination.write_coordinator {
                    from::WriteCoordinator::AnyOfList => to::WriteCoordinator::AnyOfList,
                    from::WriteCoordinator::First => to::WriteCoordinator::First,
                    from::WriteCoordinator::FastestReader => to::WriteCoordinator::FastestReader,
                    from::WriteCoordinator::Contacted => to::WriteCoordinator::Contacted,
                },
                peer_timeout: cluster.coordination.peer_timeout.0,
                conflicts: match cluster.coordination.conflicts {
                    from::Conflicts::Kept => to::Conflicts::Kept,
                    from::Conflicts::Refused => to::Conflicts::Refused,
                },
            },
            hints: cluster.hints.as_on().map(hints),
            read_repair: cluster.read_repair.as_on().map(|repair| to::ReadRepair {
                mode: match repair.mode {
                    from::RepairMode::Async => to::RepairMode::Async,
                    from::RepairMode::Blocking => to::RepairMode::Blocking,
                },
                wait: repair.wait,
                chance: repair.chance.0,
            }),
            anti_entropy: cluster.anti_entropy.as_on().map(|anti_entropy| to::AntiEntropy {
                every: anti_entropy.every.0,
                pairs: match anti_entropy.pairs {
                    from::Pairs::Random => to::Pairs::Random,
                    from::Pairs::InTurn => to::Pairs::InTurn,
                },
                depth: self.byte("cluster.anti_entropy.depth", anti_entropy.depth),
                throttle: throughput(&anti_entropy.throttle),
            }),
            membership: self.membership(),
            detector: detector(&cluster.detector),
            transfer: to::Transfer {
                confirm: cluster.transfer.confirm,
                batch: cluster.transfer.batch.0,
                throttle: throughput(&cluster.transfer.throttle),
            },
            deletes: match &cluster.deletes {
                from::Deletes::Tombstone(tombstone) => to::Deletes::Tombstone { keep: tombstone.keep.0 },
                from::Deletes::Remove => to::Deletes::Remove,
            },
            storage: self.storage(),
            capacity: self.world.nodes.iter().map(|node| node.capacity).collect(),
        }
    }

    fn membership(&mut self) -> to::Membership {
        let membership = &self.spec.cluster.membership;
        to::Membership {
            gossip_every: membership.gossip_every.0,
            mode: match membership.mode {
                from::GossipMode::PushPull => to::GossipMode::PushPull,
                from::GossipMode::Push => to::GossipMode::Push,
                from::GossipMode::Pull => to::GossipMode::Pull,
            },
            fan_out: membership.fan_out,
            rounds: match membership.rounds {
                from::Rounds::Spread => to::Rounds::Spread,
                from::Rounds::Together => to::Rounds::Together,
            },
            seeds: self.seeds(),
        }
    }

    fn storage(&mut self) -> to::Storage {
        let storage = &self.spec.cluster.storage;
        to::Storage {
            read: self.dist("cluster.storage.read", &storage.read),
            write: self.dist("cluster.storage.write", &storage.write),
            workers: storage.workers.0,
            flush: match storage.flush {
                from::Flush::BeforeAck => to::Flush::BeforeAck,
                from::Flush::Every(period) => to::Flush::Every(period),
            },
            buffer: storage.buffer.as_on().map(|buffer| to::Buffer {
                count: buffer.count,
                durable_copies: self.byte("cluster.storage.buffer.durable_copies", buffer.durable_copies),
            }),
            cache: storage
                .cache
                .as_on()
                .map(|cache| to::Cache { count: cache.count, hit: self.dist("cluster.storage.cache.hit", &cache.hit) }),
            background: match &storage.background {
                from::Background::Unlimited => to::Background::Unlimited,
                from::Background::Slices(slices) => to::Background::Slices { count: slices.count },
                from::Background::Admission(admission) => to::Background::Admission {
                    target: admission.target,
                    percentile: admission.percentile.0,
                    over: admission.over,
                    slices: admission.slices,
                },
            },
        }
    }

    /// The ring, with every rule that its making relies on.
    pub(super) fn ring(&mut self) -> ring::Config {
        let cluster = &self.spec.cluster;
        let nodes = self.world.nodes.iter().map(|node| ring::NodeSpec {
            capacity: node.capacity,
            rack: self.rack(&node.rack).unwrap_or(0),
            region: self.region(&node.region).unwrap_or(0),
        });
        let nodes: Vec<ring::NodeSpec> = nodes.collect();
        let initial_members = self.members();
        if self.world.holders() == 0 {
            self.fail("cluster.nodes", "no member holds data");
        }
        ring::Config {
            kind: self.ring_kind(&initial_members),
            nodes,
            hash: match cluster.placement.hash {
                from::Hash::Md5 => ring::HashKind::Md5,
                from::Hash::Murmur3 => ring::HashKind::Murmur3,
                from::Hash::Siphash => ring::HashKind::Siphash,
            },
            boundary: match cluster.placement.boundary {
                from::Boundary::AtOrAfter => ring::Boundary::AtOrAfter,
                from::Boundary::After => ring::Boundary::After,
            },
            spread: match cluster.placement.spread {
                from::Spread::Regions => ring::Spread::Regions,
                from::Spread::Racks => ring::Spread::Racks,
                from::Spread::Nodes => ring::Spread::Nodes,
            },
            by_capacity: cluster.placement.by_capacity,
            replicas: cluster.replication.n,
            seed: self.seed,
            initial_members,
        }
    }

    fn ring_kind(&mut self, members: &[NodeId]) -> ring::RingKind {
        let some = |builder: &mut Self, path: &str, count: u32| {
            if count == 0 {
                builder.fail(path, "must be at least 1");
            }
            count.max(1)
        };
        match &self.spec.cluster.ring {
            from::Ring::RandomTokens(tokens) => ring::RingKind::RandomTokens {
                per_node: some(self, "cluster.ring.random_tokens.per_node", tokens.per_node),
            },
            from::Ring::RandomTokensOverPartitions(tokens) => {
                let path = "cluster.ring.random_tokens_over_partitions";
                ring::RingKind::RandomTokensOverPartitions {
                    per_node: some(self, &format!("{path}.per_node"), tokens.per_node),
                    partitions: some(self, &format!("{path}.partitions"), tokens.partitions),
                }
            }
            from::Ring::EqualPartitions(equal) => {
                let path = "cluster.ring.equal_partitions";
                let by = match (equal.partitions, equal.per_node) {
                    (Some(count), _) => {
                        ring::PartitionCount::Partitions(some(self, &format!("{path}.partitions"), count))
                    }
                    (None, count) => {
                        ring::PartitionCount::PerNode(some(self, &format!("{path}.per_node"), count.unwrap_or(32)))
                    }
                };
                let assignment = match equal.assignment {
                    from::Assignment::Random => ring::Assignment::Random,
                    from::Assignment::Striped => ring::Assignment::Striped,
                };
                ring::RingKind::EqualPartitions { by, assignment }
            }
            from::Ring::Tokens(tokens) => {
                let mut given: BTreeMap<NodeId, Vec<u128>> = BTreeMap::new();
                for (name, positions) in tokens.iter() {
                    let node = self.node_id(&format!("cluster.ring.tokens.{name}"), name);
                    given.insert(node, positions.iter().map(|position| position.0).collect());
                }
                if !members.iter().any(|node| given.get(node).is_some_and(|tokens| !tokens.is_empty())) {
                    self.fail("cluster.ring.tokens", "no member has a token");
                }
                ring::RingKind::Tokens(given)
            }
            from::Ring::Owners(owners) => {
                let path = "cluster.ring.owners";
                let owners = self.node_ids(path, owners);
                if owners.is_empty() {
                    self.fail(path, "there are no owners");
                }
                for owner in &owners {
                    let node = self.world.nodes[owner.index()].clone();
                    if !node.member || node.capacity == 0.0 {
                        self.fail(path, format!("{} is no member that holds data", node.name));
                    }
                }
                ring::RingKind::Owners(owners)
            }
            from::Ring::Modulo => ring::RingKind::Modulo,
        }
    }

    /// The number of a region.
    pub(super) fn region(&self, name: &str) -> Option<u32> {
        self.world.regions.iter().position(|known| known == name).map(|at| at as u32)
    }

    /// The number of a rack, over all regions.
    pub(super) fn rack(&self, name: &str) -> Option<u32> {
        self.world.racks.iter().position(|(known, _)| known == name).map(|at| at as u32)
    }
}

fn versioning(versioning: &from::Versioning) -> to::Versioning {
    let plain =
        to::Versioning { scheme: Scheme::Dotted, new_id_after_wipe: true, stamp: to::StampClock::Node, tick: 1 };
    match versioning {
        from::Versioning::VectorClock(clock) => to::Versioning {
            scheme: Scheme::VectorClock {
                next: match clock.next {
                    from::NextCount::LocalMax => NextCounter::LocalMax,
                    from::NextCount::Context => NextCounter::Context,
                    from::NextCount::Merged => NextCounter::Merged,
                },
                max_entries: clock.max_entries.0,
            },
            new_id_after_wipe: clock.new_id_after_wipe,
            ..plain
        },
        from::Versioning::Dotted(dotted) => to::Versioning { new_id_after_wipe: dotted.new_id_after_wipe, ..plain },
        from::Versioning::LastWriteWins(last) => to::Versioning {
            scheme: Scheme::LastWriteWins,
            stamp: match last.clock {
                from::ClockSource::Node => to::StampClock::Node,
                from::ClockSource::Client => to::StampClock::Client,
                from::ClockSource::Lamport => to::StampClock::Lamport,
            },
            // A clock without resolution would divide by 0.
            tick: last.tick.0.max(1),
            ..plain
        },
    }
}

fn hints(hints: &from::Hints) -> to::Hints {
    to::Hints {
        scan_every: (hints.scan_every > Span::ZERO).then_some(hints.scan_every),
        deliver: match hints.deliver {
            from::Delivery::Scan => to::Deliver::Scan,
            from::Delivery::Recovery => to::Deliver::Recovery,
        },
        ttl: hints.ttl.0,
        max_per_node: hints.max_per_node.0.map(u64::from),
        throttle: throughput(&hints.throttle),
        recovered_node: match hints.recovered_node {
            from::RecoveredNode::Serves => to::RecoveredNode::Serves,
            from::RecoveredNode::Waits => to::RecoveredNode::Waits,
        },
    }
}

fn detector(detector: &from::Detector) -> to::Detector {
    match detector {
        from::Detector::Local(local) => {
            to::Detector::Local { failures: local.failures, retry_every: local.retry_every }
        }
        from::Detector::Phi(phi) => {
            to::Detector::Phi { threshold: phi.threshold, window: phi.window, heartbeat_every: phi.heartbeat_every }
        }
        from::Detector::Gossiped(local) => {
            to::Detector::Gossiped { failures: local.failures, retry_every: local.retry_every }
        }
        from::Detector::Perfect => to::Detector::Perfect,
    }
}

/// Bytes a second; nothing if there is no limit.
pub(super) fn throughput(throughput: &from::OrUnlimited<from::Throughput>) -> Option<f64> {
    throughput.0.map(|throughput| throughput.0 as f64)
}
