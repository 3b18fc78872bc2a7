//! What the operations of one client group in one window came to.
//!
//! Written to at every operation: arrays and histograms only, nothing is looked up by name and nothing is
//! allocated once the first operation of a kind has come. Quantiles have three digits; means and maxima are exact.

use super::freshness::Freshness;
use super::histogram::Histogram;
use crate::history::OpKind;
use crate::history::staleness::{MISSED_SHOWN, ReadVerdict};
use crate::kernel::time::SimTime;
use crate::node::message::Outcome;

/// Kinds of operations that are told apart.
pub const KINDS: usize = 4;

/// Ways in which an operation can fail.
pub const FAILURES: usize = 4;

/// A kind's place in tables.
pub const fn kind_index(kind: OpKind) -> usize {
    match kind {
        OpKind::Get => 0,
        OpKind::Put => 1,
        OpKind::Update => 2,
        OpKind::Delete => 3,
    }
}

/// An outcome's place among the failures; `None` for success.
pub const fn failure_index(outcome: Outcome) -> Option<usize> {
    match outcome {
        Outcome::Ok => None,
        Outcome::Timeout => Some(0),
        Outcome::TooFewReplicas => Some(1),
        Outcome::NoCoordinator => Some(2),
        Outcome::Refused => Some(3),
    }
}

/// A distribution of durations in nanoseconds, or of other whole numbers. Quantiles are as fine as the cells of
/// [`Histogram`]; mean and maximum are exact.
#[derive(Clone, Debug, Default)]
pub struct Spread<const B: u32 = 11> {
    histogram: Histogram<B>,
    sum: u128,
    max: u64,
    count: u64,
}

impl<const B: u32> Spread<B> {
    /// Adds one value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.sum += u128::from(value);
        self.max = self.max.max(value);
        self.count += 1;
        self.histogram.record(value);
    }

    /// Adds all values of another.
    pub fn add(&mut self, other: &Spread<B>) {
        self.sum += other.sum;
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.histogram.add(&other.histogram);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.histogram.clear();
        (self.sum, self.max, self.count) = (0, 0, 0);
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The exact mean; 0 of nothing.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// The exact maximum; 0 of nothing.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value below or at which this share of all values lies, as fine as the cells are; 0 of nothing.
    pub fn quantile(&self, q: f64) -> u64 {
        self.histogram.quantile(q, self.count).min(self.max)
    }

    /// How many values are at or above this one, as exact as the cells are.
    pub fn count_from(&self, value: u64) -> u64 {
        self.histogram.count_from(value)
    }

    /// The cells, to be written to a file.
    pub fn histogram(&self) -> &Histogram<B> {
        &self.histogram
    }
}

/// A distribution of small whole numbers, exact. Larger ones than [`Small::LARGEST`] count as that, but for mean
/// and maximum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Small {
    counts: Vec<u64>,
    sum: u64,
    max: u64,
    count: u64,
}

impl Small {
    /// The largest number that quantiles tell from larger ones.
    pub const LARGEST: u64 = 1023;

    /// Adds one number.
    #[inline]
    pub fn record(&mut self, value: u64) {
        let at = value.min(Self::LARGEST) as usize;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
        self.sum += value;
        self.max = self.max.max(value);
        self.count += 1;
    }

    /// Adds all numbers of another.
    pub fn add(&mut self, other: &Small) {
        self.counts.resize(self.counts.len().max(other.counts.len()), 0);
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.sum += other.sum;
        self.max = self.max.max(other.max);
        self.count += other.count;
    }

    /// How many numbers.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many are exactly this.
    pub fn count_of(&self, value: u64) -> u64 {
        self.counts.get(value as usize).copied().unwrap_or(0)
    }

    /// How many are this or less.
    pub fn count_up_to(&self, value: u64) -> u64 {
        self.counts.iter().take(value as usize + 1).sum()
    }

    /// The mean; 0 of nothing.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// The maximum; 0 of nothing.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The smallest number at or below which this share of all lies; 0 of nothing.
    pub fn quantile(&self, q: f64) -> u64 {
        let wanted = ((q * self.count as f64).ceil() as u64).max(1);
        let mut below = 0;
        for (value, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= wanted {
                return value as u64;
            }
        }
        self.max
    }
}

/// Latencies of one kind of operation with one kind of outcome.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    /// Sent when intended: both latencies are one.
    both: Spread,
    /// From the intended start, where the request was sent later.
    intended: Spread,
    /// From the sending, where it was later than intended.
    sent: Spread,
}

impl Latencies {
    #[inline]
    fn record(&mut self, intended_at: SimTime, sent_at: SimTime, ended_at: SimTime) {
        if intended_at == sent_at {
            self.both.record(ended_at.since(sent_at).0);
        } else {
            self.intended.record(ended_at.since(intended_at).0);
            self.sent.record(ended_at.since(sent_at).0);
        }
    }

    fn add(&mut self, other: &Latencies) {
        self.both.add(&other.both);
        self.intended.add(&other.intended);
        self.sent.add(&other.sent);
    }

    /// From the intended start to the answer.
    pub fn from_intended(&self) -> Spread {
        let mut all = self.both.clone();
        all.add(&self.intended);
        all
    }

    /// From the real sending to the answer.
    pub fn from_sent(&self) -> Spread {
        let mut all = self.both.clone();
        all.add(&self.sent);
        all
    }
}

/// What one kind of operation came to.
#[derive(Clone, Debug, Default)]
pub struct Operations {
    /// Begun.
    pub started: u64,
    /// Answered `ok`.
    pub ok: u64,
    /// Failed, by reason.
    pub failed: [u64; FAILURES],
    /// How long successes took, and failures; first those that stand for themselves, then parts of updates.
    pub latency: [[Latencies; 2]; 2],
}

impl Operations {
    /// Those that failed.
    pub fn failures(&self) -> u64 {
        self.failed.iter().sum()
    }

    fn add(&mut self, other: &Operations) {
        self.started += other.started;
        self.ok += other.ok;
        self.failed.iter_mut().zip(&other.failed).for_each(|(mine, theirs)| *mine += theirs);
        let latencies = self.latency.iter_mut().flatten().zip(other.latency.iter().flatten());
        latencies.for_each(|(mine, theirs)| mine.add(theirs));
    }
}

/// One operation as a tally takes it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Place of its kind.
    pub kind: usize,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether an update is reported for it.
    pub part: bool,
    /// When it should have begun.
    pub intended_at: SimTime,
    /// When it was sent.
    pub sent_at: SimTime,
    /// When it ended.
    pub ended_at: SimTime,
    /// Number of its session within the run.
    pub session: usize,
}

/// What one successful read showed.
#[derive(Clone, Copy, Debug)]
pub struct ReadEntry {
    /// When it was sent.
    pub sent_at: SimTime,
    /// The judge's word.
    pub verdict: ReadVerdict,
    /// Versions that came back.
    pub siblings: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What the operations of a group in a window came to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By kind.
    pub kinds: [Operations; KINDS],
    /// Operations that are parts of an update, by kind: begun, and answered `ok`. They are in `kinds` as well.
    pub parts: [[u64; 2]; KINDS],
    /// Failures among those, by kind and reason.
    pub part_failures: [[u64; FAILURES]; KINDS],
    /// Ended and answered `ok`, by session and kind; the last column is `ops`.
    pub sessions: Vec<[[u32; 2]; KINDS + 1]>,
    /// Successful reads that missed an acknowledged write.
    pub stale: u64,
    /// Of those, reads of which more may have been missed than is known.
    pub stale_cut: u64,
    /// Versions missed, of all successful reads.
    pub missed: Small,
    /// Since when the oldest missed write was acknowledged, of stale reads, in nanoseconds.
    pub stale_age: Spread,
    /// Since when the write was acknowledged that was the K-th oldest missed, K from 1, in nanoseconds.
    pub missed_age: [Spread; MISSED_SHOWN],
    /// Versions a successful read.
    pub siblings: Small,
    /// Bytes of them.
    pub sibling_bytes: Spread,
    /// Clock entries of the versions written.
    pub clock_entries: Small,
    /// How reads become fresh.
    pub freshness: Freshness,
}

impl Tally {
    /// An operation has begun.
    #[inline]
    pub fn started(&mut self, kind: usize, part: bool) {
        self.kinds[kind].started += 1;
        self.parts[kind][0] += u64::from(part);
    }

    /// An operation has ended.
    #[inline]
    pub fn ended(&mut self, entry: &Entry) {
        if entry.session >= self.sessions.len() {
            self.sessions.resize(entry.session + 1, [[0; 2]; KINDS + 1]);
        }
        let session = &mut self.sessions[entry.session];
        session[entry.kind][0] += 1;
        session[KINDS][0] += u32::from(!entry.part);
        let operations = &mut self.kinds[entry.kind];
        let failed = failure_index(entry.outcome);
        match failed {
            None => {
                operations.ok += 1;
                self.parts[entry.kind][1] += u64::from(entry.part);
                session[entry.kind][1] += 1;
                session[KINDS][1] += u32::from(!entry.part);
            }
            Some(reason) => {
                operations.failed[reason] += 1;
                self.part_failures[entry.kind][reason] += u64::from(entry.part);
            }
        }
        let outcome = usize::from(failed.is_some());
        let latency = &mut operations.latency[usize::from(entry.part)][outcome];
        latency.record(entry.intended_at, entry.sent_at, entry.ended_at);
    }

    /// A read has succeeded.
    #[inline]
    pub fn read(&mut self, entry: &ReadEntry) {
        let verdict = &entry.verdict;
        if let Some(acked_at) = verdict.newest_ack {
            self.freshness.record(entry.sent_at.since(acked_at), verdict.shows_newest);
        }
        self.missed.record(u64::from(verdict.missed));
        self.siblings.record(entry.siblings);
        self.sibling_bytes.record(entry.bytes);
        if verdict.is_stale() {
            self.stale += 1;
            self.stale_cut += u64::from(verdict.is_cut);
            self.stale_age.record(verdict.age(entry.sent_at).0);
            let known = (verdict.missed as usize).min(MISSED_SHOWN);
            for (at, spread) in verdict.oldest_missed[..known].iter().zip(&mut self.missed_age) {
                spread.record(entry.sent_at.since(*at).0);
            }
        }
    }

    /// Adds another tally. Sessions are those of the whole run, so they are joined one by one.
    pub fn add(&mut self, other: &Tally) {
        self.kinds.iter_mut().zip(&other.kinds).for_each(|(mine, theirs)| mine.add(theirs));
        for (mine, theirs) in self.parts.iter_mut().flatten().zip(other.parts.iter().flatten()) {
            *mine += theirs;
        }
        for (mine, theirs) in self.part_failures.iter_mut().flatten().zip(other.part_failures.iter().flatten()) {
            *mine += theirs;
        }
        self.sessions.resize(self.sessions.len().max(other.sessions.len()), [[0; 2]; KINDS + 1]);
        for (mine, theirs) in self.sessions.iter_mut().zip(&other.sessions) {
            mine.iter_mut().flatten().zip(theirs.iter().flatten()).for_each(|(mine, theirs)| *mine += theirs);
        }
        self.stale += other.stale;
        self.stale_cut += other.stale_cut;
        self.missed.add(&other.missed);
        self.stale_age.add(&other.stale_age);
        self.missed_age.iter_mut().zip(&other.missed_age).for_each(|(mine, theirs)| mine.add(theirs));
        self.siblings.add(&other.siblings);
        self.sibling_bytes.add(&other.sibling_bytes);
        self.clock_entries.add(&other.clock_entries);
        self.freshness.add(&other.freshness);
    }

    /// Latencies of one kind, or of `ops` for [`KINDS`]: all kinds without the parts of updates, which
    /// are inside them. Outcome 0 is success, 1 failure, `None` both.
    pub fn latency(&self, kind: usize, outcome: Option<usize>, from_sent: bool) -> Spread {
        let mut all = Spread::default();
        for (number, operations) in self.kinds.iter().enumerate() {
            let parts = match kind {
                KINDS => &operations.latency[..1],
                kind if kind == number => &operations.latency[..],
                _ => continue,
            };
            for (number, latency) in parts.iter().flat_map(|outcomes| outcomes.iter().enumerate()) {
                if outcome.is_none_or(|wanted| wanted == number) {
                    all.add(&if from_sent { latency.from_sent() } else { latency.from_intended() });
                }
            }
        }
        all
    }

    /// Operations of one kind that ended, and of them those answered `ok`; of `ops` for [`KINDS`]. What the end of the
    /// run has cut off is neither a success nor a failure.
    pub fn ended_and_ok(&self, kind: usize) -> [u64; 2] {
        if kind < KINDS {
            return [self.kinds[kind].ok + self.kinds[kind].failures(), self.kinds[kind].ok];
        }
        (0..KINDS).fold([0; 2], |[ended, ok], kind| {
            let inside = self.parts[kind][1] + self.part_failures[kind].iter().sum::<u64>();
            let [all, all_ok] = self.ended_and_ok(kind);
            [ended + all - inside, ok + all_ok - self.parts[kind][1]]
        })
    }

    /// Operations of one kind that began, and those answered `ok`; of `ops` for [`KINDS`].
    pub fn started_and_ok(&self, kind: usize) -> [u64; 2] {
        if kind < KINDS {
            return [self.kinds[kind].started, self.kinds[kind].ok];
        }
        let kinds = self.kinds.iter().zip(&self.parts);
        kinds.fold([0; 2], |[started, ok], (all, parts)| [started + all.started - parts[0], ok + all.ok - parts[1]])
    }

    /// The share of `ok` of the session that has the smallest, among those that began one; `None` if none did.
    /// Kind [`KINDS`] is `ops`.
    pub fn worst_session(&self, kind: usize) -> Option<f64> {
        let shares = self.sessions.iter().map(|kinds| kinds[kind]).filter(|[started, _]| *started > 0);
        shares.map(|[started, ok]| f64::from(ok) / f64::from(started)).reduce(f64::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::histogram::LARGEST;

    fn entry(kind: OpKind, outcome: Outcome, part: bool, ms: u64) -> Entry {
        Entry {
            kind: kind_index(kind),
            outcome,
            part,
            intended_at: SimTime(0),
            sent_at: SimTime(0),
            ended_at: SimTime(ms * 1_000_000),
            session: 0,
        }
    }

    #[test]
    fn a_tally_counts_by_kind_reason_and_session() {
        let mut tally = Tally::default();
        for (outcome, ms) in [(Outcome::Ok, 2), (Outcome::Ok, 4), (Outcome::Timeout, 1_000)] {
            tally.started(0, false);
            tally.ended(&entry(OpKind::Get, outcome, false, ms));
        }
        let gets = &tally.kinds[0];
        assert_eq!((gets.started, gets.ok, gets.failed), (3, 2, [1, 0, 0, 0]));
        tally.started(0, false);
        assert_eq!(tally.ended_and_ok(0), [3, 2], "the fourth is under way");
        let latency = tally.latency(0, None, false);
        assert_eq!((latency.count(), latency.max()), (3, 1_000_000_000));
        assert!((latency.mean() - 1.006e9 / 3.0).abs() < 1.0, "the mean is exact");
        let median = latency.quantile(0.5) as f64;
        assert!((median / 4e6 - 1.0).abs() < 1e-3, "{median}");
        assert_eq!(tally.worst_session(0), Some(2.0 / 3.0));
        assert_eq!(tally.worst_session(1), None);
    }

    #[test]
    fn a_late_sending_tells_the_two_latencies_apart() {
        let mut tally = Tally::default();
        tally.ended(&Entry {
            sent_at: SimTime(600),
            ended_at: SimTime(1_000),
            ..entry(OpKind::Put, Outcome::Ok, false, 0)
        });
        assert_eq!((tally.latency(1, None, false).max(), tally.latency(1, Some(0), true).max()), (1_000, 400));
    }

    #[test]
    fn times_beyond_the_range_saturate_in_quantiles_only() {
        let mut spread = Spread::<11>::default();
        spread.record(3 * LARGEST);
        assert_eq!((spread.count(), spread.max()), (1, 3 * LARGEST));
        assert!(spread.quantile(0.5) >= LARGEST);
    }
}
