//! The closed vocabulary of metrics: one table of paths, with units, in the order of results.
//!
//! Expectations, `summary.json`, CSV columns and plots use these paths. The table knows how a metric is
//! spelled and in which unit it is, and nothing of how it is measured.

mod parts;
mod unit;

use std::fmt;

pub use parts::{
    After, AntiEntropyCount, FailureReason, HintCount, LoadKind, LossCause, MarkName, MessageClass, OpKind,
    SessionGuarantee, Stat, Versions, VisibilityQuantile,
};
pub use unit::Unit;

use parts::{PathPart, match_pattern};

/// What a metric can be narrowed to, besides a window and the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Narrowing {
    /// A group of clients.
    Client,
    /// Some nodes.
    Node,
    /// A fault.
    Step,
    /// Nothing: it is of the whole run.
    Run,
}

macro_rules! metrics {
    ($( $(#[doc = $doc:literal])+ $variant:ident $(($($part:ident: $ty:ty),+))? = $pattern:literal, $unit:ident, $scope:ident; )+) => {
        /// A metric: a path of the vocabulary.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Metric { $( $(#[doc = $doc])+ $variant $(($($ty),+))?, )+ }

        impl Metric {
            /// The metric of a path; `None` if the vocabulary has none.
            pub fn from_path(path: &str) -> Option<Metric> {
                $(
                    if let Some(parts) = match_pattern($pattern, path)
                        && let Some(metric) = metrics!(@parse parts, $variant $(($($part: $ty),+))?)
                    {
                        return Some(metric);
                    }
                )+
                None
            }

            /// The unit.
            pub fn unit(&self) -> Unit {
                match self { $( metrics!(@ignore $variant $(($($part),+))?) => Unit::$unit, )+ }
            }

            /// What it can be narrowed to.
            pub fn narrowing(&self) -> Narrowing {
                match self { $( metrics!(@ignore $variant $(($($part),+))?) => Narrowing::$scope, )+ }
            }

            /// Its place in the order of results, by row of the vocabulary.
            fn fill(&self) -> (&'static str, Vec<String>) {
                match self { $( metrics!(@bind $variant $(($($part),+))?) => ($pattern, vec![$($($part.text()),+)?]), )+ }
            }

            /// All metrics that files hold, in the order of their columns. Marks are not among them:
            /// what runs knows their names.
            pub fn all() -> Vec<Metric> {
                let mut all = Vec::new();
                $( metrics!(@all all, $variant $(($($part: $ty),+))?); )+
                all
            }

            /// The rows of the vocabulary as the reference writes them, with unit and meaning.
            pub fn rows() -> Vec<(String, Unit, &'static str)> {
                vec![$( (
                    metrics!(@row $pattern $(, $($ty),+)?), Unit::$unit, concat!($($doc),+).trim_start(),
                ) ),+]
            }
        }
    };
    (@parse $parts:ident, $variant:ident) => { { let _ = $parts; Some(Metric::$variant) } };
    (@parse $parts:ident, $variant:ident($($part:ident: $ty:ty),+)) => { {
        let mut parts = $parts.into_iter();
        (|| Some(Metric::$variant($(<$ty as PathPart>::parse(parts.next()?)?),+)))()
    } };
    (@ignore $variant:ident) => { Metric::$variant };
    (@ignore $variant:ident($($part:ident),+)) => { Metric::$variant(..) };
    (@bind $variant:ident) => { Metric::$variant };
    (@bind $variant:ident($($part:ident),+)) => { Metric::$variant($($part),+) };
    (@all $all:ident, $variant:ident) => { $all.push(Metric::$variant) };
    (@all $all:ident, $variant:ident($a:ident: $first:ty)) => {
        $all.extend(<$first as PathPart>::in_files().into_iter().map(Metric::$variant))
    };
    (@all $all:ident, $variant:ident($a:ident: $first:ty, $b:ident: $second:ty)) => {
        for $a in <$first as PathPart>::in_files() {
            $all.extend(<$second as PathPart>::in_files().into_iter().map(|$b| Metric::$variant($a.clone(), $b)));
        }
    };
    (@row $pattern:literal) => { $pattern.to_string() };
    (@row $pattern:literal, $($ty:ty),+) => { {
        let mut text = $pattern.to_string();
        $( text = text.replacen("{}", <$ty as PathPart>::PLACE, 1); )+
        text
    } };
}

metrics! {
    /// Started in the window.
    Count(op: OpKind) = "{}.count", Count, Client;
    /// Started in the window, a second.
    Rate(op: OpKind) = "{}.rate", PerSecond, Client;
    /// Answered `ok` of those started.
    Success(op: OpKind) = "{}.success", Fraction, Client;
    /// Of the worst session.
    SuccessWorst(op: OpKind) = "{}.success_worst", Fraction, Client;
    /// Failed for this reason.
    Failures(op: OpKind, reason: FailureReason) = "{}.failures.{}", Count, Client;
    /// `ok` and, for reads, not stale.
    Goodput(op: OpKind) = "{}.goodput", PerSecond, Client;
    /// From the intended start to the answer; a timeout counts as its length.
    Latency(op: OpKind, stat: Stat) = "{}.latency.{}", Ms, Client;
    /// From the moment it was really sent.
    LatencySent(op: OpKind, stat: Stat) = "{}.latency_sent.{}", Ms, Client;
    /// Reads that miss a version acknowledged before they began.
    StaleReads = "stale.reads", Count, Client;
    /// Share of such reads.
    StaleFraction = "stale.fraction", Fraction, Client;
    /// Acknowledged versions newer than the newest returned.
    StaleVersions(stat: Stat) = "stale.versions.{}", Count, Client;
    /// Since the oldest acknowledged write that the read misses.
    StaleAge(stat: Stat) = "stale.age.{}", Ms, Client;
    /// P(a read that begins T after the ack returns it or newer).
    FreshAt(after: After) = "fresh_at({})", Fraction, Client;
    /// Smallest T with `fresh_at(T)` at least q.
    Visibility(quantile: VisibilityQuantile) = "visibility.{}", Ms, Client;
    /// Returned at most K versions old.
    WithinVersions(versions: Versions) = "within_versions({})", Fraction, Client;
    /// Counting only those acknowledged T before.
    WithinVersionsAt(versions: Versions, after: After) = "within_versions({}@{})", Fraction, Client;
    /// Least widening of operations that makes the key's history atomic.
    AtomicityWidening(stat: Stat) = "atomicity.widening.{}", Ms, Client;
    /// Keys whose history is not linearizable.
    LinearizableViolations = "linearizable.violations", Count, Run;
    /// Keys on which the checker gave up.
    LinearizableUndecided = "linearizable.undecided", Count, Run;
    /// Keys whose history is not regular.
    RegularViolations = "regular.violations", Count, Run;
    /// Violations of a session guarantee.
    SessionViolations(guarantee: SessionGuarantee) = "session.{}.violations", Count, Client;
    /// Violations of a million opportunities.
    SessionPerMillion(guarantee: SessionGuarantee) = "session.{}.per_million", Count, Client;
    /// Acknowledged, on no live replica, not superseded knowingly.
    LostWrites = "lost.writes", Count, Run;
    /// Share of acknowledged writes that are lost.
    LostFraction = "lost.fraction", Fraction, Run;
    /// Lost for this cause.
    Lost(cause: LossCause) = "lost.{}", Count, Run;
    /// Failed writes that appear.
    PhantomWrites = "phantom.writes", Count, Run;
    /// Deleted items that return.
    ResurrectedItems = "resurrected.items", Count, Run;
    /// Versions per read.
    Siblings(stat: Stat) = "siblings.{}", Count, Client;
    /// Reads with exactly K versions.
    SiblingsShare(versions: Versions) = "siblings.share({})", Fraction, Client;
    /// Bytes of the versions of a read.
    SiblingsBytes(stat: Stat) = "siblings.bytes.{}", Bytes, Client;
    /// Returned though covered.
    SiblingsFalse = "siblings.false", Count, Client;
    /// Dropped though concurrent.
    SiblingsFalseDominance = "siblings.false_dominance", Count, Client;
    /// Clock entries per version written.
    ClockEntries(stat: Stat) = "clock.entries.{}", Count, Run;
    /// Clock entries evicted.
    ClockTruncated = "clock.truncated", Count, Run;
    /// Last heal (or write) until all live replicas are equal.
    ConvergenceTime = "convergence.time", Ms, Run;
    /// Keys whose replicas differ, at most.
    DivergentKeysMax = "divergent_keys.max", Count, Run;
    /// Keys whose replicas differ, on the mean.
    DivergentKeysMean = "divergent_keys.mean", Count, Run;
    /// Keys whose replicas differ at the end.
    DivergentKeysEnd = "divergent_keys.end", Count, Run;
    /// Replicas that hold an acknowledged write or something newer, at its ack.
    CopiesAtAck(stat: Stat) = "copies.at_ack.{}", Count, Run;
    /// The same at the worst moment.
    CopiesMin = "copies.min", Count, Run;
    /// The same at the end.
    CopiesEndMin = "copies.end_min", Count, Run;
    /// Share of acknowledged writes with fewer than W copies at some moment.
    CopiesBelowW = "copies.below_w", Fraction, Run;
    /// Share of acknowledged writes with fewer than N copies at the end.
    CopiesBelowNEnd = "copies.below_n_end", Fraction, Run;
    /// From ack until N durable copies.
    Vulnerability(stat: Stat) = "vulnerability.{}", Ms, Run;
    /// Mean over maximum of the nodes.
    Efficiency(load: LoadKind) = "{}.efficiency", Fraction, Node;
    /// Maximum over mean of the nodes.
    MaxOverMean(load: LoadKind) = "{}.max_over_mean", Ratio, Node;
    /// Coefficient of variation over the nodes.
    LoadCv(load: LoadKind) = "{}.cv", Ratio, Node;
    /// Jain's index of fairness.
    LoadJain(load: LoadKind) = "{}.jain", Ratio, Node;
    /// Share of the whole of one node; needs `node`.
    LoadShare(load: LoadKind) = "{}.share", Ratio, Node;
    /// Of nodes 15 % or more off the mean, mean over `load_window`s.
    LoadImbalanced(load: LoadKind) = "{}.imbalanced", Fraction, Node;
    /// Lists that could be more spread than they are, or cannot be as asked.
    SpreadViolations = "ring.spread_violations", Count, Run;
    /// What became of hints.
    Hints(what: HintCount) = "hints.{}", Count, Node;
    /// Hints held at once, at most.
    HintsHeldMax = "hints.held_max", Count, Node;
    /// Bytes of hints held at once, at most.
    HintsBytesMax = "hints.bytes_max", Bytes, Node;
    /// The oldest hint.
    HintsAgeMax = "hints.age_max", Ms, Node;
    /// From recovery to none left.
    HintsDrainTime = "hints.drain_time", Ms, Node;
    /// Writes to stale replicas after reads.
    ReadRepairWrites = "read_repair.writes", Count, Run;
    /// The same for each read.
    ReadRepairWritesPerRead = "read_repair.writes_per_read", Ratio, Run;
    /// What anti-entropy did.
    AntiEntropy(what: AntiEntropyCount) = "anti_entropy.{}", Count, Run;
    /// Bytes that anti-entropy sent.
    AntiEntropyBytes = "anti_entropy.bytes", Bytes, Run;
    /// What comparing key by key would take.
    AntiEntropyFullScan = "anti_entropy.full_scan_bytes", Bytes, Run;
    /// Share of keys sent that were equal.
    AntiEntropyWasted = "anti_entropy.wasted", Fraction, Run;
    /// Bytes sent over bytes that differed.
    AntiEntropyAmplification = "anti_entropy.amplification", Ratio, Run;
    /// Replicas moved by joins and leaves.
    MovementKeys = "movement.keys", Count, Run;
    /// Keys read to find what moves.
    MovementScanned = "movement.scanned", Count, Run;
    /// Keys sent that were there.
    MovementDuplicates = "movement.duplicates", Count, Run;
    /// Nodes that sent or received.
    MovementNodesAffected = "movement.nodes_affected", Count, Run;
    /// Of all replicas.
    MovementShare = "movement.share", Fraction, Run;
    /// Moved over had to move.
    MovementRatio = "movement.ratio", Ratio, Run;
    /// Bytes moved.
    MovementBytes = "movement.bytes", Bytes, Run;
    /// Until all copies are in place.
    MovementTime = "movement.time", Ms, Run;
    /// Gossip messages.
    GossipMessages = "gossip.messages", Count, Run;
    /// Bytes of gossip.
    GossipBytes = "gossip.bytes", Bytes, Run;
    /// Rounds from the last change until all views are equal.
    GossipConvergenceRounds = "gossip.convergence.rounds", Count, Run;
    /// Time from the last change until all views are equal.
    GossipConvergenceTime = "gossip.convergence.time", Ms, Run;
    /// Pairs of nodes with equal views, at the worst moment.
    GossipAgreementMin = "gossip.agreement.min", Fraction, Run;
    /// Pairs of nodes with equal views at the end.
    GossipAgreementEnd = "gossip.agreement.end", Fraction, Run;
    /// Groups of nodes with equal views at the end.
    GossipSplitRings = "gossip.split_rings", Count, Run;
    /// Crash to suspicion.
    DetectionLatency(stat: Stat) = "detection.latency.{}", Ms, Node;
    /// Length of false suspicions.
    DetectionMistake(stat: Stat) = "detection.mistake.{}", Ms, Node;
    /// Falsely suspected, of alive node-time.
    DetectionFalsePositive = "detection.false_positive", Fraction, Node;
    /// Falsely suspected, of suspicions.
    DetectionFalseShare = "detection.false_share", Fraction, Node;
    /// Pairs that disagree.
    DetectionDisagreement = "detection.disagreement", Fraction, Node;
    /// Forwarded.
    RoutingExtraHops = "routing.extra_hops", PerOp, Client;
    /// Sent to a wrong owner.
    RoutingMisrouted = "routing.misrouted", Fraction, Client;
    /// Refreshes of a stale ring.
    RoutingRedirects = "routing.redirects", Count, Client;
    /// Messages of a class for each client operation.
    Messages(class: MessageClass) = "messages.{}", PerOp, Run;
    /// Bytes of a class for each client operation.
    Bytes(class: MessageClass) = "bytes.{}", PerOp, Run;
    /// Waiting for the nodes' storage.
    QueueWait(stat: Stat) = "queue.wait.{}", Ms, Node;
    /// Waiting at once, at most.
    QueueLengthMax = "queue.length_max", Count, Node;
    /// Background tasks done a second.
    BackgroundRate = "background.rate", PerSecond, Node;
    /// Mean slices granted.
    BackgroundSlices = "background.slices", Count, Node;
    /// How often faults bit.
    FaultsHits = "faults.hits", Count, Step;
    /// Faults that never bit.
    FaultsUnhit = "faults.unhit", Count, Run;
    /// Rare states reached.
    Marks(mark: MarkName) = "marks.{}", Count, Run;
    /// Events of the run.
    RunEvents = "run.events", Count, Run;
}

impl Metric {
    /// The name of its column in files: the path and its unit.
    pub fn column(&self) -> String {
        let path = self.to_string();
        let suffix = self.unit().suffix();
        // `movement.bytes` says its unit itself.
        if self.unit() == Unit::Bytes && path.ends_with("bytes") {
            return path;
        }
        format!("{path}{suffix}")
    }

    /// Whether only the judge of consistency can say it: it takes the whole history or all replicas.
    pub fn is_judged(&self) -> bool {
        matches!(
            self,
            Metric::AtomicityWidening(_)
                | Metric::LinearizableViolations
                | Metric::LinearizableUndecided
                | Metric::RegularViolations
                | Metric::SessionViolations(_)
                | Metric::SessionPerMillion(_)
                | Metric::LostWrites
                | Metric::LostFraction
                | Metric::Lost(_)
                | Metric::PhantomWrites
                | Metric::ResurrectedItems
                | Metric::SiblingsFalse
                | Metric::SiblingsFalseDominance
                | Metric::ConvergenceTime
                | Metric::DivergentKeysMax
                | Metric::DivergentKeysMean
                | Metric::DivergentKeysEnd
                | Metric::CopiesAtAck(_)
                | Metric::CopiesMin
                | Metric::CopiesEndMin
                | Metric::CopiesBelowW
                | Metric::CopiesBelowNEnd
                | Metric::Vulnerability(_)
        )
    }

    /// Whether it has a value only for one node.
    pub fn needs_node(&self) -> bool {
        matches!(self, Metric::LoadShare(_))
    }

    /// How many samples it needs: a quantile q needs 10/(1−q), everything else one.
    pub fn samples_needed(&self) -> u64 {
        let (_, parts) = self.fill();
        match parts.last().map(String::as_str) {
            Some("p90") => 100,
            Some("p99") => 1_000,
            Some("p999") => 10_000,
            Some("p9999") => 100_000,
            Some("p50") => 20,
            _ => 1,
        }
    }
}

/// The canonical spelling of the path.
impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pattern, parts) = self.fill();
        let mut text = pattern.to_string();
        for part in &parts {
            text = text.replacen("{}", part, 1);
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Span;

    #[test]
    fn a_path_is_a_value_with_unit_and_column() {
        let metric = Metric::from_path("get.latency.p999").expect("it is in the table");
        assert_eq!(metric, Metric::Latency(OpKind::Get, Stat::P999));
        assert_eq!((metric.unit(), metric.column().as_str()), (Unit::Ms, "get.latency.p999_ms"));
        assert_eq!(metric.samples_needed(), 10_000);
        assert_eq!(Metric::from_path("get.rate").expect("a metric").column(), "get.rate_per_s");
    }

    #[test]
    fn every_metric_of_the_files_reads_back_as_itself() {
        let all = Metric::all();
        for metric in &all {
            assert_eq!(Metric::from_path(&metric.to_string()).as_ref(), Some(metric), "{metric}");
        }
        let mut columns: Vec<String> = all.iter().map(Metric::column).collect();
        columns.sort();
        columns.dedup();
        assert_eq!(columns.len(), all.len(), "no two metrics share a column");
    }

    #[test]
    fn free_parts_may_be_anything_of_their_kind() {
        assert_eq!(Metric::from_path("fresh_at(52.15ms)").map(|m| m.to_string()).as_deref(), Some("fresh_at(52.15ms)"));
        assert_eq!(Metric::from_path("fresh_at(0ms)").map(|m| m.to_string()).as_deref(), Some("fresh_at(0s)"));
        let at = Metric::WithinVersionsAt(Versions(3), After(Span::from_ms(10)));
        assert_eq!(Metric::from_path("within_versions(3@10ms)"), Some(at));
        assert_eq!(Metric::from_path("siblings.share(7)"), Some(Metric::SiblingsShare(Versions(7))));
    }
}
