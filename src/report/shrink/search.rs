//! Looking for the smallest: delta debugging over candidates (Zeller and Hildebrandt 2002), within a budget of runs.
//!
//! It knows nothing of scenarios but that they are JSON, and nothing of runs but how one was judged. The candidates are
//! asked for in a fixed order, and the first that fails is taken: what comes out does not depend on how many are judged
//! together.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use xxhash_rust::xxh3::xxh3_128;

/// How a candidate was judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It still breaks what the first one broke.
    Fails,
    /// It does not.
    Holds,
    /// It is no scenario; no run was made.
    NoScenario,
}

/// Judges candidates in their order, at least up to the first that fails.
pub type Judge<'a> = dyn FnMut(&[Json]) -> Vec<Verdict> + 'a;

/// Candidates that are handed over for judgement together.
const BATCH: usize = 8;

/// The smallest so far, and what it took.
pub struct Search<'a> {
    /// The smallest scenario known to fail.
    pub best: Json,
    /// Runs so far.
    pub runs: u64,
    budget: u64,
    /// Hashes of all that did not fail.
    known: BTreeSet<u128>,
    judge: &'a mut Judge<'a>,
    progress: &'a mut dyn FnMut(u64, &Json),
}

impl<'a> Search<'a> {
    /// A search that begins at a scenario known to fail. `progress` hears the number of runs and the best so far.
    pub fn new(
        start: Json,
        budget: u64,
        judge: &'a mut Judge<'a>,
        progress: &'a mut dyn FnMut(u64, &Json),
    ) -> Search<'a> {
        Search { best: start, runs: 0, budget, known: BTreeSet::new(), judge, progress }
    }

    /// Whether no more runs may be made.
    pub fn is_spent(&self) -> bool {
        self.runs >= self.budget
    }

    /// Allows so many more runs from now on, and no others.
    pub fn allow(&mut self, runs: u64) {
        self.budget = self.runs + runs;
    }

    /// Takes the first candidate that fails, and returns its place among them.
    pub fn take_first(&mut self, candidates: impl IntoIterator<Item = Json>) -> Option<usize> {
        let mut candidates = candidates.into_iter().enumerate().peekable();
        while candidates.peek().is_some() && !self.is_spent() {
            let room = (self.budget - self.runs).min(BATCH as u64) as usize;
            let mut batch: Vec<(usize, u128, Json)> = Vec::with_capacity(room);
            while batch.len() < room
                && let Some((place, candidate)) = candidates.next()
            {
                let hash = xxh3_128(candidate.to_string().as_bytes());
                let is_new = candidate != self.best && !self.known.contains(&hash);
                if is_new && !batch.iter().any(|(_, other, _)| *other == hash) {
                    batch.push((place, hash, candidate));
                }
            }
            let trees: Vec<Json> = batch.iter().map(|(.., tree)| tree.clone()).collect();
            let verdicts = (self.judge)(&trees);
            for ((place, hash, tree), verdict) in batch.into_iter().zip(verdicts) {
                self.runs += u64::from(verdict != Verdict::NoScenario);
                if verdict == Verdict::Fails {
                    self.best = tree;
                    (self.progress)(self.runs, &self.best);
                    return Some(place);
                }
                self.known.insert(hash);
            }
            (self.progress)(self.runs, &self.best);
        }
        None
    }

    /// Takes a candidate if it fails.
    pub fn take(&mut self, candidate: Json) -> bool {
        self.take_first([candidate]).is_some()
    }

    /// Takes away as many of `count` things as can go: all, then halves, then quarters, down to single ones, and these
    /// until none can go. `without` makes the scenario that lacks some of them from the one that has all.
    pub fn take_away(&mut self, count: usize, without: impl Fn(&Json, &BTreeSet<usize>) -> Json) -> bool {
        let whole = self.best.clone();
        let mut left: Vec<usize> = (0..count).collect();
        let mut size = count;
        while size > 0 && !left.is_empty() && !self.is_spent() {
            let before = left.len();
            let mut from = 0;
            while from < left.len() && !self.is_spent() {
                let gone = |start: usize| -> BTreeSet<usize> {
                    let kept = |thing: &usize| {
                        let place = left.binary_search(thing);
                        place.is_ok_and(|place| place < start || place >= start + size)
                    };
                    (0..count).filter(|thing| !kept(thing)).collect()
                };
                let starts: Vec<usize> = (from..left.len()).step_by(size).collect();
                let candidates = starts.iter().map(|start| without(&whole, &gone(*start)));
                let Some(place) = self.take_first(candidates) else { break };
                let start = starts[place];
                left.drain(start..(start + size).min(left.len()));
                from = start;
            }
            if size > 1 {
                size = size.div_ceil(2);
            } else if left.len() == before {
                break;
            }
        }
        left.len() < count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn numbers(tree: &Json) -> Vec<u64> {
        tree.as_array().into_iter().flatten().filter_map(Json::as_u64).collect()
    }

    /// Shrinks the list 0 … count − 1 under a predicate; returns what is left, and how many runs it took.
    fn shrunk(count: u64, budget: u64, fails: impl Fn(&[u64]) -> bool) -> (Vec<u64>, u64) {
        let mut judge = |candidates: &[Json]| -> Vec<Verdict> {
            let verdict = |tree| if fails(&numbers(tree)) { Verdict::Fails } else { Verdict::Holds };
            candidates.iter().map(verdict).collect()
        };
        let mut silent = |_, _: &Json| {};
        let mut search = Search::new(json!((0..count).collect::<Vec<u64>>()), budget, &mut judge, &mut silent);
        search.take_away(count as usize, |whole, gone| {
            json!(numbers(whole).into_iter().filter(|n| !gone.contains(&(*n as usize))).collect::<Vec<u64>>())
        });
        (numbers(&search.best), search.runs)
    }

    #[test]
    fn what_fails_alone_is_found_in_a_long_list() {
        let (left, runs) = shrunk(1000, 10_000, |list| list.contains(&3) && list.contains(&777));
        assert_eq!(left, [3, 777]);
        assert!(runs < 100, "halving finds two of a thousand: {runs} runs");
        assert_eq!(shrunk(1000, 10_000, |list| list.contains(&500)).0, [500]);
        assert!(shrunk(10, 10_000, |_| true).0.is_empty(), "nothing is needed");
    }

    #[test]
    fn what_is_left_can_spare_nothing() {
        for seed in 0..50u64 {
            // Any three of some numbers.
            let needed: Vec<u64> = (0..40).filter(|n| (n * 7 + seed) % 5 == 0).collect();
            let fails = |list: &[u64]| list.iter().filter(|n| needed.contains(n)).count() >= 3;
            let (left, _) = shrunk(40, 10_000, fails);
            assert_eq!(left.len(), 3, "seed {seed}: {left:?}");
        }
    }

    #[test]
    fn the_budget_is_kept_and_the_best_so_far_still_fails() {
        let fails = |list: &[u64]| list.iter().filter(|n| *n % 3 == 0).count() >= 20;
        for budget in [0, 1, 7, 30] {
            let (left, runs) = shrunk(100, budget, fails);
            assert!(runs <= budget && fails(&left), "{runs} of {budget} runs, left {left:?}");
        }
    }

    #[test]
    fn it_does_not_matter_how_many_are_judged_together() {
        let fails = |list: &[u64]| list.contains(&11) && list.iter().sum::<u64>() > 60;
        let results: Vec<_> = [1, 3, 100]
            .map(|together: usize| {
                let mut judge = |candidates: &[Json]| -> Vec<Verdict> {
                    let mut verdicts = Vec::new();
                    for chunk in candidates.chunks(together) {
                        let verdict = |tree| if fails(&numbers(tree)) { Verdict::Fails } else { Verdict::Holds };
                        verdicts.extend(chunk.iter().map(verdict));
                        if verdicts.contains(&Verdict::Fails) {
                            break;
                        }
                    }
                    verdicts
                };
                let mut silent = |_, _: &Json| {};
                let start = json!((0..50).collect::<Vec<u64>>());
                let mut search = Search::new(start, 1000, &mut judge, &mut silent);
                search.take_away(50, |whole, gone| {
                    json!(numbers(whole).into_iter().filter(|n| !gone.contains(&(*n as usize))).collect::<Vec<u64>>())
                });
                (search.best.clone(), search.runs)
            })
            .to_vec();
        assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
    }
}
