//! Numbers of settings over their seeds: the middle of each, and differences paired by seed.
//!
//! All settings meet the same luck with one seed, so a difference within a seed is that of the settings. Its spread is
//! much smaller than that of the values themselves.

use super::Folded;
use crate::check::evaluate::median;
use crate::measure::Metric;
use crate::report::tables::median_interval;
use crate::scenario::Loaded;

/// A median over seeds with its 95 % interval; of fewer than six values that is the least and the greatest.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Middle {
    /// The median.
    pub median: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// How many seeds have a value.
    pub seeds: usize,
}

/// The middle of some values; `None` of nothing.
pub fn middle(values: &[f64]) -> Option<Middle> {
    if values.is_empty() {
        return None;
    }
    let (low, high) = median_interval(values);
    Some(Middle { median: median(values), low, high, seeds: values.len() })
}

/// The middle of `a - b` over the seeds that have both. What never came about in both differs by nothing.
pub fn paired(a: &[Option<f64>], b: &[Option<f64>]) -> Option<Middle> {
    let pairs = a.iter().zip(b).filter_map(|(a, b)| Some(((*a)?, (*b)?)));
    let differences: Vec<f64> = pairs.map(|(a, b)| if a == b { 0.0 } else { a - b }).collect();
    middle(&differences)
}

/// A metric of a setting by seed, as its columns have it.
pub fn by_seed(folded: &Folded, setting: u32, seeds: (u64, u64), metric: &Metric) -> Vec<Option<f64>> {
    let number = |seed| folded.run(setting, seed).and_then(|run| run.kept.number(metric));
    (seeds.0..=seeds.1).map(number).collect()
}

/// A metric of a setting by seed in a window that is not `all`, as the window's headline numbers have it.
pub fn by_seed_in(folded: &Folded, setting: u32, seeds: (u64, u64), metric: &Metric, window: &str) -> Vec<Option<f64>> {
    let number = |seed| {
        let run = folded.run(setting, seed)?;
        let Some((_, values)) = run.windows.iter().find(|(name, _)| name == window) else {
            return run.kept.number(metric);
        };
        values.iter().find(|(known, _)| known == metric).and_then(|(_, value)| value.number())
    };
    (seeds.0..=seeds.1).map(number).collect()
}

/// Pairs of settings that differ in one axis only, by numbers: setting, the neighbour before it on the axis (skipped
/// combinations are passed over), number of the axis.
pub fn neighbours(loaded: &Loaded) -> Vec<(u32, u32, usize)> {
    let labels: Vec<Vec<String>> = loaded
        .settings
        .iter()
        .map(|setting| setting.values.iter().map(|value| value.value.label()).collect())
        .collect();
    let mut pairs = Vec::new();
    for (at, setting) in loaded.settings.iter().enumerate() {
        for axis in 0..labels[at].len() {
            let is_other = |before: &usize| {
                (0..labels[at].len()).all(|other| (labels[*before][other] == labels[at][other]) == (other != axis))
            };
            // Settings stand in the order of the points, so the last one before is the nearest.
            if let Some(before) = (0..at).rev().find(is_other) {
                pairs.push((setting.number, loaded.settings[before].number, axis));
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paired_differences_are_those_of_each_seed() {
        let a = [Some(10.0), Some(21.0), Some(32.0), None, Some(5.0)];
        let b = [Some(9.0), Some(19.0), Some(29.0), Some(1.0), None];
        assert_eq!(paired(&a, &b), Some(Middle { median: 2.0, low: 1.0, high: 3.0, seeds: 3 }));
        assert_eq!(paired(&b, &a), Some(Middle { median: -2.0, low: -3.0, high: -1.0, seeds: 3 }), "the sign turns");
        let never = [Some(f64::INFINITY)];
        assert_eq!(paired(&never, &never).map(|middle| middle.median), Some(0.0));
        assert_eq!(paired(&a[3..4], &b[3..4]), None);
    }

    #[test]
    fn ten_seeds_leave_out_the_least_and_the_greatest() {
        // Values spread over 0 … 900, differences 1 … 10: ranks 2 and 9 of ten are the 95 % interval.
        let b: Vec<Option<f64>> = (0..10).map(|seed| Some(f64::from(seed) * 100.0)).collect();
        let a: Vec<Option<f64>> = (0..10).map(|seed| Some(f64::from(seed) * 101.0 + 1.0)).collect();
        assert_eq!(paired(&a, &b), Some(Middle { median: 5.5, low: 2.0, high: 9.0, seeds: 10 }));
    }
}
