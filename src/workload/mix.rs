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
