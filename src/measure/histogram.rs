//! A histogram that is written to at every operation: an array of 32-bit counts, no search and no allocation after
//! the first value.
//!
//! Its cells are those of an HDR histogram with values from 1 on: exact below 2^B, then 2^(B-1) cells to each
//! doubling. With B = 11 that is three digits.

/// Longer times than this count as this: a little more than an hour, in nanoseconds.
pub const LARGEST: u64 = 4_000_000_000_000;

/// Counts by cell. Half the sub-buckets of an HDR histogram's cells are enough above the first: B is their number's
/// logarithm.
#[derive(Clone, Debug, Default)]
pub struct Histogram<const B: u32> {
    counts: Vec<u32>,
    /// First and last cell that may hold a count.
    touched: Option<(u32, u32)>,
}

impl<const B: u32> Histogram<B> {
    const HALF: u64 = 1 << (B - 1);
    const CELLS: usize = Self::cell(LARGEST) + 1;

    #[inline]
    const fn cell(value: u64) -> usize {
        // Zero leading bits beyond those of the exact range; values of the exact range have none to give away.
        let octave = (u64::BITS - (value | (Self::HALF * 2 - 1)).leading_zeros()) - B;
        ((octave as usize) << (B - 1)) + (value >> octave) as usize
    }

    /// The least value of a cell.
    fn least(cell: usize) -> u64 {
        let cell = cell as u64;
        let octave = (cell >> (B - 1)).saturating_sub(1);
        (cell - (octave << (B - 1))) << octave
    }

    /// Adds one value; larger ones than [`LARGEST`] count as that.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Adds so many equal values.
    #[inline]
    pub fn record_n(&mut self, value: u64, count: u32) {
        let cell = Self::cell(value.min(LARGEST));
        if self.counts.is_empty() {
            self.counts = vec![0; Self::CELLS];
        }
        self.counts[cell] += count;
        let cell = cell as u32;
        let (first, last) = self.touched.unwrap_or((cell, cell));
        self.touched = Some((first.min(cell), last.max(cell)));
    }

    /// Adds all values of another. A cell holds four billion at most.
    pub fn add(&mut self, other: &Histogram<B>) {
        let Some((first, last)) = other.touched else { return };
        if self.counts.is_empty() {
            self.counts = vec![0; Self::CELLS];
        }
        let cells = first as usize..=last as usize;
        self.counts[cells.clone()]
            .iter_mut()
            .zip(&other.counts[cells])
            .for_each(|(mine, theirs)| *mine = mine.saturating_add(*theirs));
        let (mine_first, mine_last) = self.touched.unwrap_or((first, last));
        self.touched = Some((first.min(mine_first), last.max(mine_last)));
    }

    /// Forgets everything, and keeps the memory.
    pub fn clear(&mut self) {
        if let Some((first, last)) = self.touched.take() {
            self.counts[first as usize..=last as usize].fill(0);
        }
    }

    /// Cells that hold something: their least and greatest value, and how many values.
    pub fn cells(&self) -> impl Iterator<Item = (u64, u64, u32)> {
        let range = self.touched.map_or(0..0, |(first, last)| first as usize..last as usize + 1);
        let cells = range.map(|cell| (Self::least(cell), Self::least(cell + 1) - 1, self.counts[cell]));
        cells.filter(|(.., count)| *count > 0)
    }

    /// The greatest value that the cell holds at or below which this share of all `count` values lies; 0 of nothing.
    pub fn quantile(&self, q: f64, count: u64) -> u64 {
        quantile(self.cells().map(|(_, greatest, here)| (greatest, u64::from(here))), q, count)
    }

    /// How many values lie at or above this one, as exact as the cells are.
    pub fn count_from(&self, value: u64) -> u64 {
        self.cells().filter(|(_, greatest, _)| *greatest >= value).map(|(.., count)| u64::from(count)).sum()
    }
}

/// The quantile of `count` values in cells, given by their greatest value in rising order, with how many each holds.
pub fn quantile(cells: impl Iterator<Item = (u64, u64)>, q: f64, count: u64) -> u64 {
    // A share like 0.999 is a little less or more than it says; so little is no value more.
    let wanted = ((q * count as f64 * (1.0 - 1e-12)).ceil() as u64).clamp(1, count.max(1));
    let mut below = 0;
    for (greatest, here) in cells {
        below += here;
        if below >= wanted {
            return greatest;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_have_three_digits() {
        let mut histogram = Histogram::<11>::default();
        (1..=100_000u64).for_each(|us| histogram.record(us * 1_000));
        for (q, us) in [(0.5, 50_000.0), (0.99, 99_000.0), (0.999, 99_900.0), (1.0, 100_000.0)] {
            let found = histogram.quantile(q, 100_000) as f64 / 1e3;
            assert!(found >= us && found / us < 1.001, "{found} for {us}");
        }
    }

    #[test]
    fn cells_are_those_of_an_hdr_histogram() {
        let mut ours = Histogram::<11>::default();
        let mut theirs = hdrhistogram::Histogram::<u64>::new_with_bounds(1, LARGEST, 3).expect("a valid range");
        let mut value: u64 = 1;
        for step in 0..3_000u64 {
            value = (value * 21 / 20 + step) % LARGEST;
            ours.record(value);
            theirs.record(value).expect("it is in range");
        }
        for permille in 1..=1_000 {
            // Between two values, so that no rounding of the share decides which of them is meant.
            let q = (f64::from(permille) - 0.5) / 1e3;
            assert_eq!(ours.quantile(q, 3_000), theirs.value_at_quantile(q), "at {q}");
        }
    }

    #[test]
    fn cells_tile_the_numbers_and_clearing_empties_them() {
        let mut histogram = Histogram::<8>::default();
        for value in (0..70_000).chain([LARGEST - 1, LARGEST, u64::MAX]) {
            histogram.clear();
            histogram.record(value);
            let cells: Vec<_> = histogram.cells().collect();
            assert_eq!(cells.len(), 1);
            let value = value.min(LARGEST);
            assert!((cells[0].0..=cells[0].1).contains(&value), "{value} is in {cells:?}");
            assert!(cells[0].1 - cells[0].0 <= value / 128, "{value}: {cells:?}");
        }
    }
}
