//! t-visibility: how likely a read shows the newest acknowledged write, by the time that has passed since
//! (Bailis et al., "Probabilistically Bounded Staleness", §2.2).

use crate::kernel::time::Span;

/// How the chance that a read is fresh grows with the time since the newest acknowledgement: reads by
/// that time, in cells about 3 % wide.
#[derive(Clone, Debug, Default)]
pub struct Freshness {
    /// Reads that showed the newest acknowledged write, and all reads, by cell.
    cells: Vec<[u64; 2]>,
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

    /// Adds another's reads.
    pub fn add(&mut self, other: &Freshness) {
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

    /// All reads.
    pub fn reads(&self) -> u64 {
        self.cells.iter().map(|cell| cell[1]).sum()
    }

    /// Fresh reads and all reads that began about so long after the acknowledgement: the narrowest stretch around
    /// that time with a thousand reads, at most a tenth of it to either side (50 us near zero).
    pub fn around(&self, after: Span) -> [u64; 2] {
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
