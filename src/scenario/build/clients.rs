//! The section `clients`: groups of like sessions.

use super::Builder;
use crate::kernel::dist::Dist;
use crate::kernel::ids::KeyId;
use crate::kernel::rng::{Keyed, Purpose};
use crate::kernel::time::SimTime;
use crate::scenario::files::TraceOp;
use crate::scenario::spec as from;
use crate::version::MergeRule;
use crate::workload::config as to;

impl Builder<'_> {
    /// All groups, in the order of the file.
    pub(super) fn groups(&mut self) -> Vec<to::GroupConfig> {
        let spec = self.spec;
        spec.clients.iter().enumerate().map(|(number, group)| self.group(number, group)).collect()
    }

    fn group(&mut self, number: usize, group: &from::ClientGroup) -> to::GroupConfig {
        let path = format!("clients.{}", group.name);
        let stop = group.stop.or(self.spec.duration).map_or(SimTime::MAX, |stop| SimTime(stop.0));
        let value_size = self.dist(&format!("{path}.value_size"), &group.value_size);
        let arrival = self.arrival(&path, number, group, &value_size);
        to::GroupConfig {
            name: group.name.to_string(),
            sessions: group.count,
            first_session: self.first_sessions[number],
            start: SimTime(group.start.0),
            // A group does not outlive the run.
            stop: stop.min(self.spec.duration.map_or(SimTime::MAX, |duration| SimTime(duration.0))),
            operations: group.operations.0,
            keys: self.key_choice(&arrival, group),
            arrival,
            first_key: self.keys.first_of(&group.key_prefix),
            preload: group.preload,
            mix: mix(&group.mix),
            read_after: self.dist(&format!("{path}.read_after"), &group.read_after),
            data: data(&group.data),
            value_size,
            context: match group.context {
                from::ClientContext::LastSeen => to::ContextRule::LastSeen,
                from::ClientContext::LastRead => to::ContextRule::LastRead,
                from::ClientContext::None => to::ContextRule::None,
            },
            routing: self.routing(&path, &group.routing),
            profile: self.profile(&path, group.n, group.r, group.w, group.quorum),
            timeout: group.timeout.0,
            retries: u32::from(self.byte(&format!("{path}.retries"), group.retries)),
            one_at_a_time: group.one_at_a_time,
        }
    }

    fn arrival(&mut self, path: &str, number: usize, group: &from::ClientGroup, value_size: &Dist) -> to::Arrival {
        match &group.arrival {
            from::Arrival::Open(open) => to::Arrival::Open {
                rate: open.rate.events / open.rate.per.0 as f64,
                spacing: match open.spacing {
                    from::Spacing::Poisson => to::Spacing::Poisson,
                    from::Spacing::Even => to::Spacing::Even,
                },
                phases: open
                    .phases
                    .iter()
                    .map(|phase| to::Phase {
                        from: SimTime(phase.from.0),
                        lasts: Some(phase.for_),
                        every: phase.every,
                        factor: phase.factor,
                    })
                    .collect(),
            },
            from::Arrival::Closed(closed) => {
                to::Arrival::Closed { think: self.dist(&format!("{path}.arrival.closed.think"), &closed.think) }
            }
            from::Arrival::Trace(trace) => {
                let files = self.files;
                let Some(rows) = files.traces.get(&trace.file) else {
                    self.fail(&format!("{path}.arrival.trace.file"), format!("{}: the file was not read", trace.file));
                    return to::Arrival::Trace(Vec::new());
                };
                let sizes = value_size.compile();
                let luck = Keyed::new(self.seed);
                let row = |(at, row): (usize, &crate::scenario::files::TraceRow)| {
                    // A write that says no size has one of `value_size`, by the number of its row.
                    let drawn = || sizes.sample(luck.bits(Purpose::ValueSize, (number as u64) << 32 | at as u64, 2));
                    let size = row.size.map_or_else(drawn, |size| size.0);
                    let writes = !matches!(row.op, TraceOp::Get | TraceOp::Delete);
                    to::TraceRow {
                        at: SimTime(row.at.0),
                        operation: match row.op {
                            TraceOp::Get => to::OperationKind::Get,
                            TraceOp::Put => to::OperationKind::Put,
                            TraceOp::Update => to::OperationKind::Update,
                            TraceOp::Remove => to::OperationKind::Remove,
                            TraceOp::Delete => to::OperationKind::Delete,
                        },
                        key: self.keys.id(&row.key).unwrap_or(KeyId(0)),
                        size: if writes { u32::try_from(size).unwrap_or(u32::MAX) } else { 0 },
                    }
                };
                to::Arrival::Trace(rows.iter().enumerate().map(row).collect())
            }
        }
    }

    fn key_choice(&self, arrival: &to::Arrival, group: &from::ClientGroup) -> to::KeyChoice {
        if let to::Arrival::Trace(rows) = arrival {
            let mut keys: Vec<KeyId> = rows.iter().map(|row| row.key).collect();
            keys.sort_unstable();
            keys.dedup();
            return to::KeyChoice::Only(keys);
        }
        let count = |count: u32| u64::from(count);
        match &group.keys {
            from::KeyChoice::Uniform(keys) => to::KeyChoice::Uniform { count: count(keys.count) },
            from::KeyChoice::Zipf(keys) => to::KeyChoice::Zipf { count: count(keys.count), exponent: keys.exponent },
            from::KeyChoice::Latest(keys) => {
                to::KeyChoice::Latest { count: count(keys.count), exponent: keys.exponent }
            }
            from::KeyChoice::Hot(keys) => {
                to::KeyChoice::Hot { count: count(keys.count), hot: count(keys.hot), share: keys.share.0 }
            }
            from::KeyChoice::Sequential(keys) => to::KeyChoice::Sequential { count: count(keys.count) },
            from::KeyChoice::New => to::KeyChoice::New,
            from::KeyChoice::Only(names) => {
                to::KeyChoice::Only(names.iter().filter_map(|name| self.keys.id(name)).collect())
            }
        }
    }

    fn routing(&mut self, path: &str, routing: &from::Routing) -> to::Routing {
        match routing {
            from::Routing::LoadBalancer(balancer) => to::Routing::LoadBalancer {
                among: match &balancer.among {
                    from::Among::Near => None,
                    from::Among::Of(selector) => {
                        Some(self.nodes(&format!("{path}.routing.load_balancer.among"), selector))
                    }
                },
                pick: match balancer.pick {
                    from::Pick::Random => to::Pick::Random,
                    from::Pick::InTurn => to::Pick::InTurn,
                    from::Pick::Sticky => to::Pick::Sticky,
                },
            },
            from::Routing::RingAware(polling) => to::Routing::RingAware { poll: polling.poll },
            from::Routing::ClientDriven(polling) => to::Routing::ClientDriven { poll: polling.poll },
        }
    }
}

/// Operations that have a weight.
fn mix(mix: &from::Mix) -> Vec<(to::OperationKind, f64)> {
    let all = [
        (to::OperationKind::Get, mix.get),
        (to::OperationKind::Update, mix.update),
        (to::OperationKind::Remove, mix.remove),
        (to::OperationKind::Put, mix.put),
        (to::OperationKind::Delete, mix.delete),
        (to::OperationKind::WriteThenRead, mix.write_then_read),
    ];
    all.into_iter().filter(|(_, weight)| *weight > 0.0).collect()
}

fn data(data: &from::Data) -> to::Data {
    match data {
        from::Data::Blob(blob) => to::Data::Blob(match blob.merge {
            from::BlobMerge::Newest => MergeRule::BlobNewest,
            from::BlobMerge::First => MergeRule::BlobFirst,
        }),
        from::Data::Set(set) => to::Data::Set(match set.merge {
            from::SetMerge::Union => MergeRule::SetUnion,
            from::SetMerge::OrSet => MergeRule::SetOrSet,
            from::SetMerge::Newest => MergeRule::SetNewest,
        }),
        from::Data::Counter(counter) => to::Data::Counter(match counter.merge {
            from::CounterMerge::Sum => MergeRule::CounterSum,
            from::CounterMerge::Newest => MergeRule::CounterNewest,
        }),
    }
}
