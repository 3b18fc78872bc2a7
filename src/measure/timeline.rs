//! The run in equal buckets of time: what the curves of a run are drawn from.

use super::tally::Spread;
use super::window::{Traffic, traffic};
use crate::history::Totals;
use crate::kernel::time::SimTime;
use crate::network::Class;

/// One bucket.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// When it began.
    pub at: SimTime,
    /// When it ended.
    pub to: SimTime,
    /// Operations that began, parts of updates apart.
    pub started: u64,
    /// Gets and puts that ended, and of them those answered `ok`.
    pub ended: [[u64; 2]; 2],
    /// The 99th percentile of the latency of gets and of puts that ended, in nanoseconds; `None` with fewer than 1000.
    pub p99: [Option<u64>; 2],
    /// Successful reads that were stale, and all successful reads.
    pub stale: [u64; 2],
    /// Hints held at the end.
    pub hints_pending: u64,
    /// Bytes of each class.
    pub bytes: [u64; Class::COUNT],
    /// Steps whose faults were on at some time in it.
    pub faults: Vec<u32>,
}

/// Fills the buckets.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    rows: Vec<Row>,
    from: SimTime,
    started: u64,
    ended: [[u64; 2]; 2],
    /// Coarser than the whole run's: half a percent is fine for a bucket, and a cache holds it.
    latency: [Spread<9>; 2],
    stale: [u64; 2],
    before: Traffic,
    on: Vec<u32>,
    were_on: Vec<u32>,
}

impl Timeline {
    /// An operation begins.
    #[inline]
    pub fn started(&mut self) {
        self.started += 1;
    }

    /// A get (0) or a put (1) has ended.
    #[inline]
    pub fn ended(&mut self, kind: usize, ok: bool, ns: u64) {
        self.ended[kind][0] += 1;
        self.ended[kind][1] += u64::from(ok);
        self.latency[kind].record(ns);
    }

    /// A read has succeeded.
    #[inline]
    pub fn read(&mut self, stale: bool) {
        self.stale[0] += u64::from(stale);
        self.stale[1] += 1;
    }

    /// A fault begins.
    pub fn fault_begins(&mut self, step: u32) {
        self.on.push(step);
        self.were_on.push(step);
    }

    /// A fault ends.
    pub fn fault_ends(&mut self, step: u32) {
        if let Some(at) = self.on.iter().position(|on| *on == step) {
            self.on.remove(at);
        }
    }

    /// A bucket is over.
    pub fn bucket(&mut self, now: SimTime, totals: &Totals<'_>) {
        let traffic = traffic(totals.network);
        let mut bytes = [0; Class::COUNT];
        for (sum, (now, before)) in bytes.iter_mut().zip(traffic.iter().zip(&self.before)) {
            *sum = now[1] - before[1];
        }
        self.before = traffic;
        let hints_pending = totals.nodes.iter().map(|stats| stats.hints_held).sum();
        self.push(now, hints_pending, bytes);
    }

    /// The run is over. What has come since the last bucket becomes a shorter one if anything has.
    pub fn finish(mut self, now: SimTime, hints_pending: u64) -> Vec<Row> {
        if self.started > 0 || self.ended != [[0; 2]; 2] {
            self.push(now, hints_pending, [0; Class::COUNT]);
        }
        self.rows
    }

    fn push(&mut self, now: SimTime, hints_pending: u64, bytes: [u64; Class::COUNT]) {
        let p99 = |spread: &Spread<9>| (spread.count() >= 1_000).then(|| spread.quantile(0.99));
        let mut faults = std::mem::replace(&mut self.were_on, self.on.clone());
        faults.sort_unstable();
        faults.dedup();
        self.rows.push(Row {
            at: self.from,
            to: now,
            started: self.started,
            ended: self.ended,
            p99: [p99(&self.latency[0]), p99(&self.latency[1])],
            stale: self.stale,
            hints_pending,
            bytes,
            faults,
        });
        self.from = now;
        (self.started, self.ended, self.stale) = (0, [[0; 2]; 2], [0; 2]);
        self.latency.iter_mut().for_each(Spread::clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network;
    use crate::node::stats::Stats;

    #[test]
    fn a_bucket_holds_what_came_in_it() {
        let mut timeline = Timeline::default();
        timeline.started();
        timeline.ended(0, true, 5);
        timeline.fault_begins(4);
        timeline.fault_ends(4);
        let stats = [Stats { hints_held: 2, ..Stats::default() }, Stats { hints_held: 1, ..Stats::default() }];
        let network = network::Totals::default();
        timeline.bucket(SimTime(1_000), &Totals { nodes: &stats, network: &network, agreement: 1.0 });
        timeline.started();
        let rows = timeline.finish(SimTime(1_500), 0);
        assert_eq!((rows.len(), rows[0].started, rows[0].ended[0], rows[0].hints_pending), (2, 1, [1, 1], 3));
        assert_eq!((rows[0].faults.as_slice(), rows[1].faults.as_slice()), (&[4][..], &[][..]));
        assert_eq!((rows[1].at, rows[1].to), (SimTime(1_000), SimTime(1_500)));
        assert_eq!(rows[0].p99[0], None, "one sample is no percentile");
    }
}
