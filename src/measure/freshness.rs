//! t-visibility: how likely a read shows the newest acknowledged write, by the time that has passed since
//! (Bailis et al., "Probabilistically Bounded Staleness", §2.2).

use super::histogram::Histogram;
use crate::kernel::time::Span;

/// From when on after the acknowledgement a read shows the write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Threshold {
    /// If it is sent so long after it, or later.
    From(Span),
    /// However late: no replica that answers has got the write.
    Never,
}

/// How the chance that a read is fresh grows with the time since the newest acknowledgement: reads by
/// that time, in cells about 3 % wide. Where pairs of a write and a read tell for every time whether they would have
/// been fresh, they alone are asked: their thresholds are exact to three digits.
#[derive(Clone, Debug, Default)]
pub struct Freshness {
    /// Reads that showed the newest acknowledged write, and all reads, by cell.
    cells: Vec<[u64; 2]>,
    /// Thresholds of pairs, in nanoseconds.
    thresholds: Histogram<11>,
    /// Pairs that have one.
    some_day: u64,
    /// Pairs that would never have been fresh.
    never: u64,
}

impl Freshness {
    const SUB: u32 = 5;

    /// Cell of a time: exact below 32 ns, then 32 cells to each doubling.
    fn cell(ns: u64) -> usize {
        if ns < 1 << Self::SUB {
            return ns as usize;
        }
        let octave = 63 - ns.leading_zeros() - Self::SUB;
        (((octave + 1) as usize) << Self::SUB) + ((ns >> octave) as usize & ((1 << Self::SUB) - 1))
    }

    /// The least time that falls into a cell.
    fn from(cell: usize) -> u64 {
        let octave = (cell >> Self::SUB) as u32;
        let rest = (cell & ((1 << Self::SUB) - 1)) as u64;
        if octave == 0 { rest } else { ((1 << Self::SUB) + rest) << (octave - 1) }
    }

    /// A read that began so long after the newest acknowledgement of its key.
    #[inline]
    pub fn record(&mut self, after: Span, fresh: bool) {
        let cell = Self::cell(after.0);
        if cell >= self.cells.len() {
            self.cells.resize(cell + 1, [0; 2]);
        }
        self.cells[cell][0] += u64::from(fresh);
        self.cells[cell][1] += 1;
    }

    /// So many pairs of a write and a read with the same threshold.
    #[inline]
    pub fn tried(&mut self, threshold: Threshold, pairs: u32) {
        match threshold {
            Threshold::From(after) => {
                self.thresholds.record_n(after.0, pairs);
                self.some_day += u64::from(pairs);
            }
            Threshold::Never => self.never += u64::from(pairs),
        }
    }

    /// Thresholds, to three digits, and how many pairs have them. With [`Freshness::tried`] they make the same again.
    pub fn thresholds(&self) -> impl Iterator<Item = (Threshold, u32)> {
        let some_day = self.thresholds.cells().map(|(least, _, pairs)| (Threshold::From(Span(least)), pairs));
        let never = u32::try_from(self.never).unwrap_or(u32::MAX);
        some_day.chain((never > 0).then_some((Threshold::Never, never)))
    }

    /// Pairs of a write and a read.
    pub fn pairs(&self) -> u64 {
        self.some_day + self.never
    }

    /// Adds another's reads.
    pub fn add(&mut self, other: &Freshness) {
        self.thresholds.add(&other.thresholds);
        self.some_day += other.some_day;
        self.never += other.never;
        self.cells.resize(self.cells.len().max(other.cells.len()), [0; 2]);
        for (mine, theirs) in self.cells.iter_mut().zip(&other.cells) {
            mine[0] += theirs[0];
            mine[1] += theirs[1];
        }
    }

    /// Cells that hold reads: place, fresh reads, all reads. With [`Freshness::add_cell`] it makes the same again.
    pub fn cells(&self) -> impl Iterator<Item = (usize, [u64; 2])> {
        self.cells.iter().copied().enumerate().filter(|(_, cell)| cell[1] > 0)
    }

    /// Adds reads to a cell: fresh ones, and all.
    pub fn add_cell(&mut self, cell: usize, reads: [u64; 2]) {
        self.cells.resize(self.cells.len().max(cell + 1), [0; 2]);
        self.cells[cell][0] += reads[0];
        self.cells[cell][1] += reads[1];
    }

    /// The largest place of a cell.
    pub fn last_cell() -> usize {
        Self::cell(u64::MAX)
    }

    /// All reads that the answers below are of.
    pub fn reads(&self) -> u64 {
        if self.pairs() > 0 {
            return self.pairs();
        }
        self.cells.iter().map(|cell| cell[1]).sum()
    }

    /// Fresh reads and all reads that began about so long after the acknowledgement: the narrowest stretch around
    /// that time with a thousand reads, at most a tenth of it to either side (50 us near zero).
    pub fn around(&self, after: Span) -> [u64; 2] {
        if self.pairs() > 0 {
            let later = self.thresholds.count_from(after.0.saturating_add(1));
            return [self.some_day - later, self.pairs()];
        }
        let reach = (after.0 / 10).max(50_000);
        let middle = Self::cell(after.0);
        let (low, high) = (Self::cell(after.0.saturating_sub(reach)), Self::cell(after.0.saturating_add(reach)));
        let at = |cell: usize| self.cells.get(cell).copied().unwrap_or_default();
        let mut sum = at(middle);
        // Reads sent at the very instant of the acknowledgement are what `fresh_at(0s)` is about, if there are any.
        if after == Span::ZERO && sum[1] >= 10 {
            return sum;
        }
        let (mut below, mut above) = (middle, middle);
        while sum[1] < 1_000 && (below > low || above < high) {
            let sides = [(below > low).then(|| below - 1), (above < high).then_some(above + 1)];
            below = sides[0].unwrap_or(below);
            above = sides[1].unwrap_or(above);
            for cell in sides.into_iter().flatten() {
                sum[0] += at(cell)[0];
                sum[1] += at(cell)[1];
            }
        }
        sum
    }

    /// The smallest time from which on reads are fresh with at least this chance, in nanoseconds, under the
    /// one assumption that waiting never hurts (pool-adjacent-violators). `None` if they never are.
    pub fn visibility(&self, chance: f64) -> Option<f64> {
        if self.pairs() > 0 {
            let share = chance * self.pairs() as f64 / self.some_day.max(1) as f64;
            return (share <= 1.0 && self.some_day > 0).then(|| self.thresholds.quantile(share, self.some_day) as f64);
        }
        let mut pools: Vec<(usize, u64, u64)> = Vec::new();
        for (cell, [fresh, reads]) in self.cells.iter().enumerate().filter(|(_, cell)| cell[1] > 0) {
            pools.push((cell, *fresh, *reads));
            while let [.., (_, f1, n1), (_, f2, n2)] = pools[..]
                && u128::from(f1) * u128::from(n2) >= u128::from(f2) * u128::from(n1)
            {
                pools.pop();
                let last = pools.last_mut().expect("two were there");
                (last.1, last.2) = (f1 + f2, n1 + n2);
            }
        }
        let found = pools.iter().find(|(_, fresh, reads)| *fresh as f64 >= chance * *reads as f64);
        found.map(|(cell, ..)| Self::from(*cell) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_tile_the_time() {
        let mut last = Freshness::cell(0);
        for ns in 0..100_000u64 {
            let cell = Freshness::cell(ns);
            assert!(cell == last || cell == last + 1, "cell {cell} after {last} at {ns}");
            assert!(Freshness::from(cell) <= ns && ns < Freshness::from(cell + 1));
            last = cell;
        }
    }

    #[test]
    fn reads_at_the_instant_of_the_ack_stand_for_themselves() {
        let mut freshness = Freshness::default();
        (0..40).for_each(|read| freshness.record(Span::ZERO, read % 4 != 0));
        (0..400).for_each(|read| freshness.record(Span(100 * read + 1), true));
        assert_eq!(freshness.around(Span::ZERO), [30, 40]);
    }

    #[test]
    fn pairs_tell_for_every_time_whether_they_would_have_been_fresh() {
        let mut freshness = Freshness::default();
        freshness.record(Span::ZERO, false);
        freshness.tried(Threshold::From(Span::ZERO), 60);
        freshness.tried(Threshold::From(Span::from_ms(5)), 39);
        freshness.tried(Threshold::Never, 1);
        assert_eq!((freshness.reads(), freshness.around(Span::ZERO)), (100, [60, 100]));
        assert_eq!(freshness.around(Span::from_ms(4)), [60, 100]);
        assert_eq!(freshness.around(Span::from_ms(6)), [99, 100]);
        assert_eq!(freshness.visibility(0.6), Some(0.0));
        let at = freshness.visibility(0.99).expect("99 of 100 are fresh some day");
        assert!((5e6..5.01e6).contains(&at), "{at}");
        assert_eq!(freshness.visibility(0.999), None);
        let mut again = Freshness::default();
        freshness.thresholds().for_each(|(threshold, pairs)| again.tried(threshold, pairs));
        assert!(freshness.thresholds().eq(again.thresholds()) && again.pairs() == 100);
        again.add(&freshness);
        assert_eq!(again.around(Span::from_ms(6)), [198, 200]);
    }

    #[test]
    fn visibility_is_where_reads_become_fresh() {
        let mut freshness = Freshness::default();
        for ms in 0..200u64 {
            for read in 0..100 {
                // Half of the reads are fresh before 100 ms, all of them after.
                freshness.record(Span::from_ms(ms), ms >= 100 || read % 2 == 0);
            }
        }
        let at = freshness.visibility(0.99).expect("they become fresh") / 1e6;
        assert!((at - 100.0).abs() < 5.0, "{at}");
        let [fresh, reads] = freshness.around(Span::from_ms(50));
        assert_eq!(fresh * 2, reads);
        assert!(reads >= 1_000);
        assert_eq!(freshness.visibility(0.4), Some(0.0));
    }
}
