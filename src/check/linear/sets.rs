//! What became of the elements that were added to one set: the question behind "was an acknowledged write lost?".
//!
//! Source: the checker `set-full` of Jepsen. An element is known from the end of its add, or from the end of the first
//! read that has it, whichever comes first. It is lost if the last read that has it began before the last read that lacks
//! it, and that one began after the element was known.

use std::collections::BTreeMap;

use super::Operation;

/// An operation on a set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetCall {
    /// Added one element.
    Add(u64),
    /// Returned these, sorted.
    Read(Vec<u64>),
}

/// What became of an element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// From `absent_until` on every read has it. Above 0 the element was stale so long after it was known.
    Stable {
        /// How long after it was known the last read that lacks it began.
        stale_for: u64,
    },
    /// It was known, and later reads lack it.
    Lost,
    /// Not known for certain, or no read tells.
    NeverRead,
}

/// What became of each element that somebody added.
pub fn fates(history: &[Operation<SetCall>]) -> BTreeMap<u64, Fate> {
    let adds = history.iter().filter_map(|add| match &add.input {
        SetCall::Add(element) => Some((*element, add.returned)),
        SetCall::Read(_) => None,
    });
    let mut known: BTreeMap<u64, Option<u64>> = BTreeMap::new();
    for (element, returned) in adds {
        let at = known.entry(element).or_default();
        *at = [*at, returned].into_iter().flatten().min();
    }
    known.into_iter().map(|(element, added)| (element, fate(element, added, history))).collect()
}

fn fate(element: u64, added: Option<u64>, history: &[Operation<SetCall>]) -> Fate {
    let reads = || {
        history.iter().filter_map(move |read| match &read.input {
            SetCall::Read(elements) => Some((read, elements.binary_search(&element).is_ok())),
            SetCall::Add(_) => None,
        })
    };
    let first_read = reads().filter(|(_, has)| *has).filter_map(|(read, _)| read.returned).min();
    let Some(known) = [added, first_read].into_iter().flatten().min() else { return Fate::NeverRead };
    let last = |wanted: bool| reads().filter(|(_, has)| *has == wanted).map(|(read, _)| read.invoked).max();
    match (last(true), last(false)) {
        // A read that was under way when the element came to be known may or may not have it.
        (present, Some(absent)) if present.is_none_or(|present| present < absent) && absent > known => Fate::Lost,
        (Some(_), absent) => Fate::Stable { stale_for: absent.map_or(0, |absent| absent.saturating_sub(known)) },
        (None, _) => Fate::NeverRead,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A story of one element: `a` and `A` are an add's two ends, `r` begins a read that `+` ends with it and `-` without.
    fn story(text: &str) -> Fate {
        let at = |c: char| text.find(c).map(|at| at as u64);
        let mut history =
            vec![Operation { invoked: at('a').expect("it is added"), returned: at('A'), input: SetCall::Add(0) }];
        if let Some(begun) = at('r') {
            let (end, elements) = at('+').map_or((at('-'), vec![]), |end| (Some(end), vec![0]));
            history.push(Operation { invoked: begun, returned: end, input: SetCall::Read(elements) });
        }
        fates(&history)[&0]
    }

    #[test]
    fn the_stories_of_jepsens_checker() {
        for unknown in ["aA", "ar-", "ra-A", "raA-", "ar-A", "arA-"] {
            assert_eq!(story(unknown), Fate::NeverRead, "{unknown}");
        }
        for stable in ["ra+A", "raA+", "ar+A", "arA+", "aAr+"] {
            assert_eq!(story(stable), Fate::Stable { stale_for: 0 }, "{stable}");
        }
        assert_eq!(story("aAr-"), Fate::Lost);
    }

    #[test]
    fn one_element_flutters_and_the_other_is_lost() {
        // a0 a0' a1 r2 r2'1 a1' r2 r3 r3'1 r2'0, a millisecond apart.
        let read = |from, to, element| Operation::new(from, to, SetCall::Read(vec![element]));
        let history = [
            Operation::new(0, 1, SetCall::Add(0)),
            Operation::new(2, 5, SetCall::Add(1)),
            read(3, 4, 1),
            read(6, 9, 0),
            read(7, 8, 1),
        ];
        let fates = fates(&history);
        assert_eq!(fates[&0], Fate::Lost);
        assert_eq!(fates[&1], Fate::Stable { stale_for: 2 });
    }
}
