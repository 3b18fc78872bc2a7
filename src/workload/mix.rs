//! Which kind of operation comes next: a choice by weights. It knows nothing of keys.

use super::config::OperationKind;

/// Kinds of operations with their weights, ready to be drawn from.
#[derive(Clone, Debug)]
pub struct Mix {
    /// A kind, and the greatest position between 0 and 2^64 that chooses it or one before it.
    kinds: Vec<(OperationKind, u64)>,
}

impl Mix {
    /// Compiles the weights, which need not sum to 1. Without any, all operations are reads: such is the
    /// group of a trace, whose rows say their operation themselves.
    ///
    /// # Panics
    /// If a weight is negative or not finite, or if all of them are 0.
    pub fn new(weights: &[(OperationKind, f64)]) -> Mix {
        if weights.is_empty() {
            return Mix { kinds: vec![(OperationKind::Get, u64::MAX)] };
        }
        let lasts = last_positions(weights.iter().map(|&(_, weight)| weight));
        let kinds = lasts.into_iter().map(|(index, last)| (weights[index].0, last)).collect();
        Mix { kinds }
    }

    /// The kind at this position between 0 and 2^64.
    #[inline]
    pub fn choose(&self, bits: u64) -> OperationKind {
        let chosen = self.kinds.iter().find(|&&(_, last)| bits <= last);
        chosen.expect("the kinds cover all positions").0
    }
}

/// Divides the positions from 0 to 2^64 in proportion to the weights: the index of each part that has any
/// positions, and the last of them, in order.
///
/// # Panics
/// If a weight is negative or not finite, or if all of them are 0.
pub fn last_positions(weights: impl Iterator<Item = f64> + Clone) -> Vec<(usize, u64)> {
    const ALL: f64 = (1u128 << 64) as f64;
    let fair = weights.clone().all(|weight| weight >= 0.0 && weight.is_finite());
    assert!(fair, "weights are finite and not negative");
    let total: f64 = weights.clone().sum();
    assert!(total > 0.0 && total.is_finite(), "some weight is above 0 and their sum is finite");
    let (mut parts, mut sum, mut first) = (Vec::new(), 0.0, 0u128);
    for (index, weight) in weights.enumerate().filter(|&(_, weight)| weight > 0.0) {
        sum += weight;
        let end = (sum / total * ALL) as u128;
        // A weight too small for a single position is never drawn.
        if end > first {
            parts.push((index, (end - 1).min(u128::from(u64::MAX)) as u64));
            first = end;
        }
    }
    // The last part ends where the positions end, whatever the roundings before it.
    parts.last_mut().expect("the parts cover all positions").1 = u64::MAX;
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rng::Stream;

    #[test]
    fn kinds_come_in_proportion_to_their_weights() {
        let mix = Mix::new(&[(OperationKind::Get, 6.0), (OperationKind::Delete, 0.0), (OperationKind::Put, 2.0)]);
        let mut stream = Stream::new(7, crate::kernel::rng::Purpose::Mix, 0);
        let draws = 40_000;
        let puts = (0..draws).filter(|_| mix.choose(stream.bits()) == OperationKind::Put).count() as f64;
        let (mean, sd) = (draws as f64 * 0.25, (draws as f64 * 0.25 * 0.75).sqrt());
        assert!((puts - mean).abs() < 4.5 * sd, "a quarter of {draws} draws are puts: {puts}");
        assert_eq!((mix.choose(0), mix.choose(u64::MAX)), (OperationKind::Get, OperationKind::Put));
    }

    #[test]
    fn the_edge_between_two_kinds_is_exact() {
        let mix = Mix::new(&[(OperationKind::Get, 1.0), (OperationKind::Put, 1.0)]);
        assert_eq!(mix.choose((1 << 63) - 1), OperationKind::Get);
        assert_eq!(mix.choose(1 << 63), OperationKind::Put);
    }

    #[test]
    fn a_kind_of_weight_0_is_never_drawn_even_at_the_ends() {
        let mix = Mix::new(&[(OperationKind::Delete, 0.0), (OperationKind::Put, 1.0), (OperationKind::Get, 0.0)]);
        assert_eq!((mix.choose(0), mix.choose(u64::MAX)), (OperationKind::Put, OperationKind::Put));
    }

    #[test]
    #[should_panic(expected = "some weight is above 0")]
    fn weights_of_0_alone_are_refused() {
        Mix::new(&[(OperationKind::Get, 0.0)]);
    }
}
