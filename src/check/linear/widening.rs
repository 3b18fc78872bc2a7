//! How far a register's history is from being atomic, in time: the least span by which its reads would have to begin
//! earlier. It is 0 for an atomic history, and otherwise a bound on how stale a read was.
//!
//! Source: Golab, Li and Shah, "Analyzing Consistency Properties for Fun and Profit" (2011): Delta-atomicity, computed as
//! the greatest of a cost of pairs of zones after Gibbons and Korach (1997). A zone is all there is of one value: the
//! write and its reads. With `first` the earliest end in it and `last` the latest beginning, zone A must come before zone
//! B if `A.first < B.last`; the history is atomic if and only if no two zones must each come before the other.

use super::Operation;
use super::models::RegisterCall;

/// One value's write and its reads.
#[derive(Clone, Copy, Debug)]
struct Zone {
    /// When the write began; −1 for the beginning.
    written: i128,
    /// Earliest end.
    first: i128,
    /// Latest beginning.
    last: i128,
}

impl Zone {
    /// By how much this zone's reads must begin earlier for all of it to begin before the other's first end.
    fn cost_before(&self, other: &Zone) -> Option<i128> {
        (self.written <= other.first).then(|| self.last - other.first)
    }
}

/// What became of a history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Widening {
    /// So much is enough, in the unit of the history's instants.
    Enough(u64),
    /// None is: a read returned what nobody had begun to write.
    Never,
    /// Writes of equal values, or exchanges: values do not tell which write a read saw.
    CannotTell,
}

/// The least widening that makes a history of one register atomic.
pub fn least_widening(initial: Option<i64>, history: &[Operation<RegisterCall>]) -> Widening {
    const NEVER: i128 = i128::MAX;
    let mut zones = vec![(initial, Zone { written: -1, first: -1, last: -1 })];
    for operation in history {
        match operation.input {
            RegisterCall::Write(value) => {
                let began = i128::from(operation.invoked);
                let ended = operation.returned.map_or(NEVER, i128::from);
                zones.push((value, Zone { written: began, first: ended, last: began }));
            }
            RegisterCall::Read(_) => {}
            RegisterCall::Cas { .. } => return Widening::CannotTell,
        }
    }
    zones.sort_by_key(|(value, _)| *value);
    if zones.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Widening::CannotTell;
    }
    for operation in history {
        if let (RegisterCall::Read(value), Some(returned)) = (operation.input, operation.returned) {
            let Ok(at) = zones.binary_search_by_key(&value, |(value, _)| *value) else { return Widening::Never };
            let zone = &mut zones[at].1;
            if i128::from(returned) < zone.written {
                return Widening::Never;
            }
            zone.first = zone.first.min(i128::from(returned));
            zone.last = zone.last.max(i128::from(operation.invoked));
        }
    }
    // Only zones that overlap can be in each other's way: sweep over where they begin.
    let mut zones: Vec<Zone> = zones.into_iter().map(|(_, zone)| zone).collect();
    zones.sort_by_key(|zone| zone.first.min(zone.last));
    let mut under_way: Vec<Zone> = Vec::new();
    let mut least = 0;
    for zone in zones {
        under_way.retain(|other| other.first.max(other.last) >= zone.first.min(zone.last));
        for other in &under_way {
            if zone.first < other.last && other.first < zone.last {
                let costs = [zone.cost_before(other), other.cost_before(&zone)];
                // If neither can go first, a read ended before its write began, which was seen above.
                least = least.max(costs.into_iter().flatten().min().expect("one of two writes began first"));
            }
        }
        under_way.push(zone);
    }
    Widening::Enough(u64::try_from(least).expect("a difference of two instants"))
}

#[cfg(test)]
mod tests {
    use super::super::models::Register;
    use super::super::{Verdict, check};
    use super::*;
    use proptest::prelude::*;

    fn read(from: u64, to: u64, value: i64) -> Operation<RegisterCall> {
        Operation::new(from, to, RegisterCall::Read(Some(value)))
    }

    fn write(from: u64, to: u64, value: i64) -> Operation<RegisterCall> {
        Operation::new(from, to, RegisterCall::Write(Some(value)))
    }

    #[test]
    fn a_stale_read_must_begin_before_the_write_that_it_missed_was_over() {
        let history = [write(0, 10, 1), write(20, 30, 2), read(47, 50, 1)];
        assert_eq!(least_widening(None, &history), Widening::Enough(17));
        assert_eq!(least_widening(None, &history[..2]), Widening::Enough(0));
        assert_eq!(least_widening(None, &[read(0, 10, 1), write(11, 12, 1)]), Widening::Never);
        assert_eq!(
            least_widening(None, &[write(5, 6, 1), Operation::new(9, 12, RegisterCall::Read(None))]),
            Widening::Enough(3)
        );
    }

    /// The same history, its reads beginning earlier.
    fn widened(history: &[Operation<RegisterCall>], by: u64) -> Vec<Operation<RegisterCall>> {
        let mut wider = history.to_vec();
        for operation in wider.iter_mut().filter(|operation| matches!(operation.input, RegisterCall::Read(_))) {
            operation.invoked = operation.invoked.saturating_sub(by);
        }
        wider
    }

    /// Up to eight operations on one register; each value is written once.
    fn histories() -> impl Strategy<Value = Vec<Operation<RegisterCall>>> {
        let one = (any::<bool>(), 0_u64..40, 1_u64..12, 0_i64..4, 0_u8..8);
        prop::collection::vec(one, 1..9).prop_map(|list| {
            let mut written = 0;
            let build = |(reads, from, lasts, value, fate): (bool, u64, u64, i64, u8)| {
                if reads {
                    return Operation::new(from, from + lasts, RegisterCall::Read((value > 0).then_some(value)));
                }
                written += 1;
                let input = RegisterCall::Write(Some(written));
                if fate == 0 { Operation::open(from, input) } else { Operation::new(from, from + lasts, input) }
            };
            list.into_iter().map(build).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn the_least_widening_is_what_the_search_finds(history in histories()) {
            let legal = |by| check(&Register::default(), &widened(&history, by), u64::MAX) == Verdict::Legal;
            match least_widening(None, &history) {
                Widening::Enough(by) => {
                    prop_assert!(legal(by), "{by} is not enough");
                    prop_assert!(by == 0 || !legal(by - 1), "{} would do", by - 1);
                }
                Widening::Never => prop_assert!(!legal(1_000)),
                Widening::CannotTell => prop_assert!(false, "all values differ"),
            }
        }
    }
}
