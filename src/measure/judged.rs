//! The numbers that only the judge of consistency can say: plain data, filled by it.

use super::metrics::{LossCause, SessionGuarantee};
use super::tally::{Small, Spread};
use crate::kernel::ids::GroupId;
use crate::kernel::time::Span;

/// Of one group of clients in one window.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct JudgedTally {
    /// Opportunities and violations of each session guarantee.
    pub guarantees: [[u64; 2]; SessionGuarantee::ALL.len()],
    /// Pairs of returned versions of which one had seen the other.
    pub false_siblings: u64,
    /// Writes whose clock covers a write that they had not seen.
    pub false_dominance: u64,
}

/// When all live replicas were equal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Converged {
    /// Nothing was written.
    #[default]
    Nothing,
    /// So long after the last heal or write.
    After(Span),
    /// Not before the run ended.
    Never,
}

/// Of a whole run.
#[derive(Clone, Default, Debug)]
pub struct Judged {
    groups: usize,
    /// By window, then by group.
    tallies: Vec<JudgedTally>,
    /// Writes acknowledged to clients.
    pub acked: u64,
    /// Of these, lost, by cause.
    pub lost: [u64; LossCause::ALL.len()],
    /// Failed writes that appeared.
    pub phantoms: u64,
    /// Deleted items that returned.
    pub resurrected: u64,
    /// Keys of which a read was not regular.
    pub irregular_keys: u64,
    /// Keys whose history is not linearizable, and keys on which the checker gave up; nothing if it was not asked.
    pub linearizable: Option<[u64; 2]>,
    /// When all live replicas were equal.
    pub converged: Converged,
    /// Keys whose live replicas differ: at most.
    pub divergent_max: u64,
    /// The same on the mean over time.
    pub divergent_mean: f64,
    /// The same at the end.
    pub divergent_end: u64,
    /// The same when each bucket of the timeline ended, and at the end.
    pub divergent_by_bucket: Vec<u64>,
    /// Replicas that held an acknowledged write or something newer at its ack.
    pub copies_at_ack: Small,
    /// The fewest such copies of any acknowledged write at any moment, until something acknowledged replaced it.
    pub copies_min: Option<u64>,
    /// The fewest at the end, of writes that nothing acknowledged has replaced.
    pub copies_end_min: Option<u64>,
    /// Acknowledged writes that had fewer copies than W at some moment.
    pub below_w: u64,
    /// Acknowledged writes that nothing acknowledged has replaced, and how many of them have fewer copies than N in
    /// the end.
    pub standing_and_below_n: [u64; 2],
    /// From ack until N durable copies, in nanoseconds.
    pub vulnerability: Spread<9>,
    /// Least widening that makes each key's history atomic, in nanoseconds; nothing if it was not asked.
    pub widening: Option<Spread<9>>,
}

impl Judged {
    /// Nothing yet, of so many windows and groups.
    pub fn new(windows: usize, groups: usize) -> Judged {
        Judged { groups, tallies: vec![JudgedTally::default(); windows * groups.max(1)], ..Judged::default() }
    }

    /// Visits the tally of a group in each window of a mask.
    pub fn each_open(&mut self, windows: u64, group: GroupId, mut visit: impl FnMut(&mut JudgedTally)) {
        let mut rest = windows;
        while rest != 0 {
            let window = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            visit(&mut self.tallies[window * self.groups + group.index()]);
        }
    }

    /// Of one group or all, in one window.
    pub fn tally(&self, window: u32, client: Option<GroupId>) -> JudgedTally {
        let of_window = &self.tallies[window as usize * self.groups..][..self.groups];
        if let Some(group) = client {
            return of_window[group.index()].clone();
        }
        let mut sum = JudgedTally::default();
        for tally in of_window {
            for (mine, theirs) in sum.guarantees.iter_mut().zip(&tally.guarantees) {
                mine[0] += theirs[0];
                mine[1] += theirs[1];
            }
            sum.false_siblings += tally.false_siblings;
            sum.false_dominance += tally.false_dominance;
        }
        sum
    }
}
