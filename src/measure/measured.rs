//! A run in numbers: the value of every metric of the vocabulary, in any window, of any group or nodes.
//!
//! It is made once, when the run is over, and answers by formula; what only the judge of consistency can say it
//! leaves to that.

use super::detection::Detection;
use super::freshness::Freshness;
use super::judged::{Converged, Judged};
use super::load::{Holdings, all_loads};
use super::metrics::{AntiEntropyCount, HintCount, LoadKind, MessageClass, Metric, OpKind, Stat, VisibilityQuantile};
use super::tally::{KINDS, Small, Spread, Tally};
use super::timeline::Row;
use super::window::{WindowTotals, imbalance};
use crate::cluster::config::RunConfig;
use crate::cluster::outcome::RunEnd;
use crate::kernel::ids::{GroupId, NodeId};
use crate::kernel::time::Span;
use crate::network::Class;
use crate::node::marks::{Mark, Marks};
use crate::node::stats::Stats;
use crate::ring;

/// The value of a metric.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value {
    /// In the metric's unit.
    Number(f64),
    /// A quantile q of fewer than 10/(1−q) samples.
    TooFewSamples,
    /// It did not come about before the run ended: later than any bound.
    Never,
    /// Nobody has judged it.
    NotJudged,
    /// Nothing happened that it could be measured of.
    NothingToMeasure,
}

impl Value {
    /// The number, if there is one.
    pub fn number(self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(number),
            Value::Never => Some(f64::INFINITY),
            Value::TooFewSamples | Value::NotJudged | Value::NothingToMeasure => None,
        }
    }
}

/// What a metric is measured of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Scope {
    /// Number of the window; 0 is `all`.
    pub window: u32,
    /// One group of clients; all if none is named.
    pub client: Option<GroupId>,
    /// Some nodes; all if none are named.
    pub nodes: Option<Vec<NodeId>>,
    /// One fault, by its step.
    pub step: Option<u32>,
}

/// What a recorder has gathered.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Number of client groups, scripted ones included.
    pub groups: usize,
    /// By window, then by group.
    pub tallies: Vec<Tally>,
    /// By window.
    pub windows: Vec<WindowTotals>,
    /// Buckets.
    pub timeline: Vec<Row>,
    /// How long storage tasks waited that had to, by window, then by node.
    pub waits: Vec<Spread<9>>,
    /// What only the judge of consistency can say, if the run had one.
    pub judged: Option<Judged>,
    /// Suspicions.
    pub detection: Detection,
    /// Longest time from an owner's recovery until its hints had drained.
    pub drain_time: Option<Span>,
    /// Least share of pairs of views that agreed.
    pub agreement_min: f64,
}

/// A run in numbers.
#[derive(Clone, Debug)]
pub struct Measured {
    parts: Parts,
    /// Of each window, all groups together.
    all: Vec<Tally>,
    end: RunEnd,
    holdings: Holdings,
    capacity: Vec<f64>,
    load_tolerance: f64,
    has_hints: bool,
    has_read_repair: bool,
    has_anti_entropy: bool,
    has_gossip: bool,
    /// Rare states, if they were counted.
    marks: Option<Marks>,
}

impl Measured {
    /// Of what a recorder has gathered.
    pub fn new(config: &RunConfig, end: &RunEnd, parts: Parts) -> Measured {
        let all = parts.windows.iter().enumerate().map(|(window, _)| {
            let mut all = Tally::default();
            parts.tallies[window * parts.groups..][..parts.groups].iter().for_each(|tally| all.add(tally));
            all
        });
        Measured {
            all: all.collect(),
            end: end.clone(),
            holdings: Holdings::new(&config.ring),
            capacity: config.node.capacity.clone(),
            load_tolerance: config.measure.load_tolerance,
            has_hints: config.node.hints.is_some(),
            has_read_repair: config.node.read_repair.is_some(),
            has_anti_entropy: config.node.anti_entropy.is_some(),
            has_gossip: config.node.membership.gossip_every.is_some(),
            marks: None,
            parts,
        }
    }

    /// With the rare states that were counted.
    pub fn with_marks(self, marks: Option<Marks>) -> Measured {
        Measured { marks, ..self }
    }

    /// How the run ended.
    pub fn end(&self) -> &RunEnd {
        &self.end
    }

    /// What only the judge of consistency can say, if the run had one.
    pub fn judged(&self) -> Option<&Judged> {
        self.parts.judged.as_ref()
    }

    /// The buckets of the timeline.
    pub fn timeline(&self) -> &[Row] {
        &self.parts.timeline
    }

    /// What the operations came to, of a window and a group or all groups.
    ///
    /// # Panics
    /// If there is no such window or group.
    pub fn tally(&self, window: u32, client: Option<GroupId>) -> &Tally {
        match client {
            None => &self.all[window as usize],
            Some(group) => &self.parts.tallies[window as usize * self.parts.groups + group.index()],
        }
    }

    /// Whether a window ever opened.
    pub fn was_open(&self, window: u32) -> bool {
        self.parts.windows.get(window as usize).is_some_and(|window| window.was_open)
    }

    /// All metrics of the files that there was something to measure of, in the order of the vocabulary.
    pub fn values(&self, scope: &Scope) -> Vec<(Metric, Value)> {
        let all = Metric::all().into_iter().filter(|metric| self.is_in_files(metric, scope));
        let values = all.map(|metric| {
            let value = self.value(&metric, scope);
            (metric, value)
        });
        values.filter(|(_, value)| !matches!(value, Value::NothingToMeasure | Value::NotJudged)).collect()
    }

    /// Files leave out operations of a kind that nobody asked for, shares that need a node, and mechanisms that are off.
    fn is_in_files(&self, metric: &Metric, scope: &Scope) -> bool {
        let kind = match metric {
            Metric::Count(op) | Metric::Rate(op) | Metric::Success(op) | Metric::SuccessWorst(op) => *op,
            Metric::Failures(op, _) | Metric::Goodput(op) | Metric::Latency(op, _) | Metric::LatencySent(op, _) => *op,
            metric if metric.needs_node() => return scope.nodes.is_some(),
            // Expectations may say that a mechanism which is off did nothing; files do not mention it.
            Metric::Hints(_) | Metric::HintsHeldMax | Metric::HintsBytesMax => return self.has_hints,
            Metric::ReadRepairWrites => return self.has_read_repair,
            Metric::AntiEntropy(_) | Metric::AntiEntropyBytes | Metric::AntiEntropyFullScan => {
                return self.has_anti_entropy;
            }
            Metric::MovementKeys | Metric::MovementScanned | Metric::MovementDuplicates => return self.has_moves(),
            Metric::MovementBytes | Metric::MovementNodesAffected => return self.has_moves(),
            _ => return true,
        };
        self.all[0].started_and_ok(place(kind))[0] > 0
            || self.tally(scope.window, scope.client).started_and_ok(place(kind))[0] > 0
    }

    /// How many samples the distributions of a scope have: `get.latency` and the like.
    pub fn samples(&self, scope: &Scope) -> Vec<(String, u64)> {
        let tally = self.tally(scope.window, scope.client);
        let mut samples = Vec::new();
        for op in OpKind::ALL {
            samples.push((format!("{}.latency", op.word()), tally.latency(place(*op), None, false).count()));
        }
        samples.push(("stale.age".into(), tally.stale_age.count()));
        samples.push(("siblings".into(), tally.siblings.count()));
        samples.push(("fresh_at".into(), tally.freshness.reads()));
        samples.retain(|(_, count)| *count > 0);
        samples
    }

    /// The value of a metric.
    ///
    /// # Panics
    /// If the scope names a window or group that the run does not have.
    pub fn value(&self, metric: &Metric, scope: &Scope) -> Value {
        if !self.was_open(scope.window) && scope.window > 0 {
            return Value::NothingToMeasure;
        }
        if metric.is_judged() {
            return self.parts.judged.as_ref().map_or(Value::NotJudged, |judged| of_judged(judged, metric, scope));
        }
        self.operations(metric, scope)
            .or_else(|| self.reads(metric, scope))
            .or_else(|| self.loads(metric, scope))
            .or_else(|| self.mechanisms(metric, scope))
            .unwrap_or_else(|| self.whole_run(metric, scope))
    }

    fn operations(&self, metric: &Metric, scope: &Scope) -> Option<Value> {
        let tally = self.tally(scope.window, scope.client);
        let seconds = self.window(scope).length.as_secs();
        let needed = metric.samples_needed();
        Some(match *metric {
            Metric::Count(op) => Value::Number(tally.started_and_ok(place(op))[0] as f64),
            Metric::Rate(op) => ratio(tally.started_and_ok(place(op))[0] as f64, seconds),
            Metric::Success(op) => {
                let [ended, ok] = tally.ended_and_ok(place(op));
                ratio(ok as f64, ended as f64)
            }
            Metric::SuccessWorst(op) => option(tally.worst_session(place(op))),
            Metric::Failures(op, reason) => {
                let kinds = tally.kinds.iter().enumerate().filter(|(kind, _)| op == OpKind::Ops || place(op) == *kind);
                // The parts of an update are inside it, so `ops` has them once.
                let inside =
                    |kind: usize| if op == OpKind::Ops { tally.part_failures[kind][reason as usize] } else { 0 };
                let failed = kinds.map(|(kind, all)| all.failed[reason as usize] - inside(kind));
                Value::Number(failed.sum::<u64>() as f64)
            }
            Metric::Goodput(op) => {
                let ok = tally.started_and_ok(place(op))[1];
                let reads = matches!(op, OpKind::Get | OpKind::Ops);
                ratio(ok.saturating_sub(if reads { tally.stale } else { 0 }) as f64, seconds)
            }
            Metric::Latency(op, stat) => of_spread(&tally.latency(place(op), None, false), stat, needed, 1e-6),
            Metric::LatencySent(op, stat) => of_spread(&tally.latency(place(op), None, true), stat, needed, 1e-6),
            _ => return None,
        })
    }

    fn reads(&self, metric: &Metric, scope: &Scope) -> Option<Value> {
        let tally = self.tally(scope.window, scope.client);
        let needed = metric.samples_needed();
        let reads = tally.missed.count() as f64;
        Some(match *metric {
            Metric::StaleReads if reads == 0.0 => Value::NothingToMeasure,
            Metric::StaleReads => Value::Number(tally.stale as f64),
            Metric::StaleFraction => ratio(tally.stale as f64, reads),
            Metric::StaleVersions(stat) => of_small(&tally.missed, stat, needed),
            Metric::StaleAge(stat) => of_spread(&tally.stale_age, stat, needed, 1e-6),
            Metric::FreshAt(after) => {
                let [fresh, reads] = tally.freshness.around(after.0);
                ratio(fresh as f64, reads as f64)
            }
            Metric::Visibility(quantile) => visibility(&tally.freshness, quantile),
            Metric::WithinVersions(versions) => ratio(tally.missed.count_up_to(u64::from(versions.0)) as f64, reads),
            Metric::WithinVersionsAt(versions, after) => match tally.missed_age.get(versions.0 as usize) {
                // The read misses more than K if the one after the K oldest had been acknowledged long enough.
                Some(ages) => ratio(reads - ages.count_from(after.0.0) as f64, reads),
                None => Value::NotJudged,
            },
            Metric::Siblings(stat) => of_small(&tally.siblings, stat, needed),
            Metric::SiblingsShare(versions) => {
                ratio(tally.siblings.count_of(u64::from(versions.0)) as f64, tally.siblings.count() as f64)
            }
            Metric::SiblingsBytes(stat) => of_spread(&tally.sibling_bytes, stat, needed, 1.0),
            Metric::ClockEntries(stat) => of_small(&tally.clock_entries, stat, needed),
            _ => return None,
        })
    }

    fn loads(&self, metric: &Metric, scope: &Scope) -> Option<Value> {
        let kind = match *metric {
            Metric::Efficiency(kind) | Metric::MaxOverMean(kind) | Metric::LoadCv(kind) => kind,
            Metric::LoadJain(kind) | Metric::LoadShare(kind) | Metric::LoadImbalanced(kind) => kind,
            _ => return None,
        };
        let window = self.window(scope);
        let loads = all_loads(kind, &window.nodes, &self.capacity, &self.end.stored_keys, &self.holdings);
        let total: f64 = loads.iter().map(|(_, load)| load).sum();
        if total == 0.0 {
            return Some(Value::NothingToMeasure);
        }
        let of = |node: &NodeId| scope.nodes.as_ref().is_none_or(|nodes| nodes.contains(node));
        let chosen: Vec<f64> = loads.iter().filter(|(node, _)| of(node)).map(|(_, load)| *load).collect();
        let ended = match kind {
            LoadKind::Load => window.imbalance[0],
            LoadKind::LoadPerCapacity => window.imbalance[1],
            LoadKind::Coordinator => window.imbalance[2],
            LoadKind::Stored | LoadKind::Ring | LoadKind::Primary => (0.0, 0),
        };
        Some(match *metric {
            Metric::LoadShare(_) if scope.nodes.is_none() => Value::NothingToMeasure,
            Metric::LoadShare(_) => Value::Number(chosen.iter().sum::<f64>() / total),
            _ if chosen.is_empty() => Value::NothingToMeasure,
            Metric::Efficiency(_) => Value::Number(ring::efficiency(&chosen)),
            Metric::MaxOverMean(_) => Value::Number(ring::max_over_mean(&chosen)),
            Metric::LoadCv(_) => Value::Number(ring::cv(&chosen)),
            Metric::LoadJain(_) => Value::Number(ring::jain(&chosen)),
            Metric::LoadImbalanced(_) if ended.1 > 0 && scope.nodes.is_none() => {
                Value::Number(ended.0 / ended.1 as f64)
            }
            // No window of the balance ended in this one, so it is taken as one.
            _ => Value::Number(imbalance(&chosen, self.load_tolerance)),
        })
    }

    fn mechanisms(&self, metric: &Metric, scope: &Scope) -> Option<Value> {
        let window = self.window(scope);
        let stats = self.stats(scope);
        let seconds = window.length.as_secs();
        let traffic = |class: Class| window.traffic[class.index()];
        let count = |number: u64| Value::Number(number as f64);
        let when = |is_on: bool, value: Value| if is_on { value } else { Value::NothingToMeasure };
        let ops = self.all[scope.window as usize].started_and_ok(KINDS)[0] as f64;
        Some(match *metric {
            Metric::ClockTruncated => count(stats.clock_truncated),
            Metric::Hints(what) => count(match what {
                HintCount::Created => stats.hints_created,
                HintCount::Delivered => stats.hints_delivered,
                HintCount::Expired => stats.hints_expired,
                HintCount::Dropped => stats.hints_dropped,
                HintCount::Lost => stats.hints_lost,
                HintCount::Duplicated => stats.hints_duplicated,
                HintCount::Pending => stats.hints_held,
            }),
            Metric::HintsHeldMax => count(stats.hints_held_max),
            Metric::HintsBytesMax => count(stats.hints_bytes_max),
            Metric::HintsAgeMax => {
                when(self.has_hints && stats.hints_age_max > 0, Value::Number(stats.hints_age_max as f64 / 1e6))
            }
            Metric::HintsDrainTime => option(self.parts.drain_time.map(Span::as_ms)),
            Metric::ReadRepairWrites => count(stats.repairs_sent),
            Metric::ReadRepairWritesPerRead => {
                let reads = self.all[scope.window as usize].kinds[0].ok;
                when(self.has_read_repair, ratio(stats.repairs_sent as f64, reads as f64))
            }
            Metric::AntiEntropy(what) => count(match what {
                AntiEntropyCount::Rounds => stats.exchanges,
                AntiEntropyCount::Hashes => stats.hashes,
                AntiEntropyCount::Keys => stats.exchange_keys,
                AntiEntropyCount::TreesRebuilt => stats.trees_rebuilt,
            }),
            Metric::AntiEntropyBytes => count(traffic(Class::AntiEntropy)[1]),
            Metric::AntiEntropyFullScan => count(stats.full_scan_bytes),
            Metric::AntiEntropyWasted => ratio(stats.exchange_wasted as f64, stats.exchange_keys as f64),
            Metric::AntiEntropyAmplification => {
                ratio(traffic(Class::AntiEntropy)[1] as f64, stats.exchange_useful_bytes as f64)
            }
            Metric::MovementKeys => count(stats.moved_keys),
            Metric::MovementScanned => count(stats.scanned_keys),
            Metric::MovementDuplicates => count(stats.duplicate_keys),
            Metric::MovementBytes => count(stats.moved_bytes),
            Metric::GossipMessages => when(self.has_gossip, count(traffic(Class::Gossip)[0])),
            Metric::GossipBytes => when(self.has_gossip, count(traffic(Class::Gossip)[1])),
            Metric::RoutingExtraHops | Metric::RoutingMisrouted if scope.client.is_some() => Value::NotJudged,
            Metric::RoutingExtraHops => ratio(stats.forwarded as f64, ops),
            Metric::RoutingMisrouted => ratio(stats.misrouted as f64, ops),
            // Clients do not say when they asked anew, and which.
            Metric::RoutingRedirects if scope.window > 0 || scope.client.is_some() => Value::NotJudged,
            Metric::RoutingRedirects => count(self.end.redirects),
            Metric::Messages(class) => ratio(per_class(window, class, 0) as f64, ops),
            Metric::Bytes(class) => ratio(per_class(window, class, 1) as f64, ops),
            Metric::QueueWait(stat) => self.queue_wait(&stats, stat, metric.samples_needed(), scope),
            Metric::QueueLengthMax => when(stats.queue_tasks > 0, count(stats.queue_length_max)),
            Metric::BackgroundRate => ratio(stats.background_done as f64, seconds),
            Metric::BackgroundSlices => ratio(stats.slices_granted as f64, stats.slice_samples as f64),
            _ => return None,
        })
    }

    /// Tasks that began at once have waited 0 and are counted only.
    fn queue_wait(&self, stats: &Stats, stat: Stat, needed: u64, scope: &Scope) -> Value {
        let tasks = stats.queue_tasks;
        let Some(q) = quantile(stat) else {
            return match stat {
                Stat::Mean => ratio(stats.queue_wait as f64 / 1e6, tasks as f64),
                _ => when_any(tasks, self.waits(scope).max() as f64 / 1e6),
            };
        };
        if tasks > 0 && tasks < needed {
            return Value::TooFewSamples;
        }
        let waits = self.waits(scope);
        let at_once = tasks.saturating_sub(waits.count()) as f64;
        let above = q * tasks as f64 - at_once;
        when_any(tasks, if above <= 0.0 { 0.0 } else { waits.quantile(above / waits.count() as f64) as f64 / 1e6 })
    }

    fn waits(&self, scope: &Scope) -> Spread<9> {
        let nodes = self.end.nodes.len();
        let mut all = Spread::default();
        for (node, waits) in self.parts.waits[scope.window as usize * nodes..][..nodes].iter().enumerate() {
            if scope.nodes.as_ref().is_none_or(|nodes| nodes.contains(&NodeId(node as u32))) {
                all.add(waits);
            }
        }
        all
    }

    fn whole_run(&self, metric: &Metric, scope: &Scope) -> Value {
        let end = &self.end;
        let moves =
            |number: fn(&crate::cluster::outcome::MoveResult) -> u64| end.moves.iter().map(number).sum::<u64>() as f64;
        let moved = self.end.nodes.iter().map(|stats| stats.moved_keys).sum::<u64>() as f64;
        let detection = &self.parts.detection;
        let needed = metric.samples_needed();
        match *metric {
            Metric::SpreadViolations => Value::Number(self.holdings.spread_violations as f64),
            Metric::MovementNodesAffected => Value::Number(moves(|m| m.nodes_affected)),
            // Each change moves copies of its own; all of them together are measured by all copies once.
            Metric::MovementShare if self.has_moves() => {
                ratio(moved, end.moves.iter().map(|m| m.copies).max().unwrap_or(0) as f64)
            }
            Metric::MovementRatio if self.has_moves() => ratio(moved, moves(|m| m.had_to_move)),
            Metric::MovementTime => {
                let took = end.moves.iter().filter_map(|m| m.to.map(|to| to.since(m.from).as_ms()));
                option(took.reduce(f64::max))
            }
            Metric::GossipConvergenceRounds => option(end.gossip_convergence.map(|(rounds, _)| rounds as f64)),
            Metric::GossipConvergenceTime => option(end.gossip_convergence.map(|(_, took)| took.as_ms())),
            Metric::GossipAgreementMin if self.has_views() => Value::Number(self.parts.agreement_min),
            Metric::GossipAgreementEnd if self.has_views() => Value::Number(end.agreement_end),
            Metric::GossipSplitRings if self.has_views() => Value::Number(end.split_rings as f64),
            // What was detected is known of all nodes together.
            Metric::DetectionLatency(_)
            | Metric::DetectionMistake(_)
            | Metric::DetectionFalsePositive
            | Metric::DetectionFalseShare
            | Metric::DetectionDisagreement
                if scope.nodes.is_some() =>
            {
                Value::NotJudged
            }
            Metric::DetectionLatency(stat) => of_spread(&detection.latency, stat, needed, 1e-6),
            Metric::DetectionMistake(stat) => of_spread(&detection.mistake, stat, needed, 1e-6),
            Metric::DetectionFalsePositive => option(detection.false_positive()),
            Metric::DetectionFalseShare => option(detection.false_share()),
            Metric::DetectionDisagreement => option(detection.disagreement()),
            Metric::FaultsHits => {
                let faults = end.faults.iter().filter(|fault| scope.step.is_none_or(|step| step == fault.step));
                let hits: Vec<u64> = faults.map(|fault| fault.hits).collect();
                if hits.is_empty() { Value::NothingToMeasure } else { Value::Number(hits.iter().sum::<u64>() as f64) }
            }
            Metric::FaultsUnhit if end.faults.is_empty() => Value::NothingToMeasure,
            Metric::FaultsUnhit => Value::Number(end.faults.iter().filter(|fault| fault.hits == 0).count() as f64),
            Metric::Marks(ref name) => match (&self.marks, Mark::from_name(&name.0)) {
                (Some(marks), Some(mark)) => Value::Number(marks.count(mark) as f64),
                _ => Value::NotJudged,
            },
            Metric::RunEvents => Value::Number(end.events as f64),
            _ => Value::NothingToMeasure,
        }
    }

    fn has_moves(&self) -> bool {
        !self.end.moves.is_empty()
    }

    /// Whether views are worth comparing: nodes gossip, or do not although members came or went.
    fn has_views(&self) -> bool {
        self.has_gossip || self.has_moves()
    }

    fn window(&self, scope: &Scope) -> &WindowTotals {
        &self.parts.windows[scope.window as usize]
    }

    /// The totals of the nodes in question, in the window.
    fn stats(&self, scope: &Scope) -> Stats {
        let mut sum = Stats::default();
        for (number, stats) in self.window(scope).nodes.iter().enumerate() {
            if scope.nodes.as_ref().is_none_or(|nodes| nodes.contains(&NodeId(number as u32))) {
                sum.add(stats);
            }
        }
        sum
    }
}

/// Of a kind among the tallies; `ops` comes last.
fn place(op: OpKind) -> usize {
    match op {
        OpKind::Get => 0,
        OpKind::Put => 1,
        OpKind::Update => 2,
        OpKind::Delete => 3,
        OpKind::Ops => KINDS,
    }
}

fn per_class(window: &WindowTotals, class: MessageClass, what: usize) -> u64 {
    let of = |class: Class| window.traffic[class.index()][what];
    match class {
        MessageClass::Foreground => of(Class::Foreground),
        MessageClass::Hint => of(Class::Hint),
        MessageClass::ReadRepair => of(Class::ReadRepair),
        MessageClass::AntiEntropy => of(Class::AntiEntropy),
        MessageClass::Gossip => of(Class::Gossip),
        MessageClass::Transfer => of(Class::Transfer),
        MessageClass::All => Class::ALL.into_iter().map(of).sum(),
    }
}

/// What the judge says.
fn of_judged(judged: &Judged, metric: &Metric, scope: &Scope) -> Value {
    let count = |number: u64| Value::Number(number as f64);
    let tally = || judged.tally(scope.window, scope.client);
    let needed = metric.samples_needed();
    let acked = |value: u64| if judged.acked > 0 { Value::Number(value as f64) } else { Value::NothingToMeasure };
    match *metric {
        Metric::SessionViolations(guarantee) => {
            let [opportunities, violations] = tally().guarantees[guarantee as usize];
            when_any(opportunities, violations as f64)
        }
        Metric::SessionPerMillion(guarantee) => {
            let [opportunities, violations] = tally().guarantees[guarantee as usize];
            ratio(1e6 * violations as f64, opportunities as f64)
        }
        Metric::SiblingsFalse => count(tally().false_siblings),
        Metric::SiblingsFalseDominance => count(tally().false_dominance),
        Metric::RegularViolations => count(judged.irregular_keys),
        Metric::LinearizableViolations => {
            judged.linearizable.map_or(Value::NotJudged, |[violations, _]| count(violations))
        }
        Metric::LinearizableUndecided => {
            judged.linearizable.map_or(Value::NotJudged, |[_, undecided]| count(undecided))
        }
        Metric::AtomicityWidening(stat) => match &judged.widening {
            None => Value::NotJudged,
            Some(widening) => of_spread(widening, stat, needed, 1e-6),
        },
        Metric::LostWrites => acked(judged.lost.iter().sum()),
        Metric::LostFraction => ratio(judged.lost.iter().sum::<u64>() as f64, judged.acked as f64),
        Metric::Lost(cause) => acked(judged.lost[cause as usize]),
        Metric::PhantomWrites => count(judged.phantoms),
        Metric::ResurrectedItems => count(judged.resurrected),
        Metric::ConvergenceTime => match judged.converged {
            Converged::Nothing => Value::NothingToMeasure,
            Converged::After(span) => Value::Number(span.as_ms()),
            Converged::Never => Value::Never,
        },
        Metric::DivergentKeysMax => count(judged.divergent_max),
        Metric::DivergentKeysMean => Value::Number(judged.divergent_mean),
        Metric::DivergentKeysEnd => count(judged.divergent_end),
        Metric::CopiesAtAck(stat) => of_small(&judged.copies_at_ack, stat, needed),
        Metric::CopiesMin => option(judged.copies_min.map(|copies| copies as f64)),
        Metric::CopiesEndMin => option(judged.copies_end_min.map(|copies| copies as f64)),
        Metric::CopiesBelowW => ratio(judged.below_w as f64, judged.acked as f64),
        Metric::CopiesBelowNEnd => {
            let [standing, below] = judged.standing_and_below_n;
            ratio(below as f64, standing as f64)
        }
        Metric::Vulnerability(stat) => of_spread(&judged.vulnerability, stat, needed, 1e-6),
        _ => Value::NotJudged,
    }
}

fn option(value: Option<f64>) -> Value {
    value.map_or(Value::NothingToMeasure, Value::Number)
}

fn when_any(count: u64, value: f64) -> Value {
    if count > 0 { Value::Number(value) } else { Value::NothingToMeasure }
}

fn ratio(part: f64, whole: f64) -> Value {
    if whole > 0.0 { Value::Number(part / whole) } else { Value::NothingToMeasure }
}

/// The share that a statistic is the quantile of; none for mean and maximum.
fn quantile(stat: Stat) -> Option<f64> {
    match stat {
        Stat::Mean | Stat::Max => None,
        Stat::P50 => Some(0.5),
        Stat::P90 => Some(0.9),
        Stat::P99 => Some(0.99),
        Stat::P999 => Some(0.999),
        Stat::P9999 => Some(0.9999),
    }
}

fn of_spread<const B: u32>(spread: &Spread<B>, stat: Stat, needed: u64, scale: f64) -> Value {
    if spread.count() == 0 {
        return Value::NothingToMeasure;
    }
    match (stat, quantile(stat)) {
        (_, Some(_)) if spread.count() < needed => Value::TooFewSamples,
        (_, Some(q)) => Value::Number(spread.quantile(q) as f64 * scale),
        (Stat::Mean, None) => Value::Number(spread.mean() * scale),
        (_, None) => Value::Number(spread.max() as f64 * scale),
    }
}

fn of_small(small: &Small, stat: Stat, needed: u64) -> Value {
    if small.count() == 0 {
        return Value::NothingToMeasure;
    }
    match (stat, quantile(stat)) {
        (_, Some(_)) if small.count() < needed => Value::TooFewSamples,
        (_, Some(q)) => Value::Number(small.quantile(q) as f64),
        (Stat::Mean, None) => Value::Number(small.mean()),
        (_, None) => Value::Number(small.max() as f64),
    }
}

fn visibility(freshness: &Freshness, quantile: VisibilityQuantile) -> Value {
    let (chance, needed) = match quantile {
        VisibilityQuantile::P90 => (0.9, 100),
        VisibilityQuantile::P99 => (0.99, 1_000),
        VisibilityQuantile::P999 => (0.999, 10_000),
    };
    match freshness.reads() {
        0 => Value::NothingToMeasure,
        reads if reads < needed => Value::TooFewSamples,
        _ => freshness.visibility(chance).map_or(Value::Never, |ns| Value::Number(ns / 1e6)),
    }
}
