//! Which settings are worth having: those that no other beats in everything that counts.
//!
//! Latency is that before the first fault, if there are any: what fails while nodes are down counts as unavailability,
//! and the timeouts of those operations would hide how fast the others are. Smaller is better throughout. A difference
//! counts only if the 95 % interval of the differences paired by seed lies on one side of zero; with fewer than six seeds
//! that is if they all agree in sign. Everything else is a tie.

use serde_json::{Value as Json, json};

use super::Folded;
use super::statistics::{by_seed, by_seed_in, middle, paired};
use crate::check::expectation::shown;
use crate::measure::Metric;
use crate::measure::metrics::{OpKind, Stat, Unit};
use crate::scenario::Loaded;
use crate::scenario::spec::Axis;

/// What a setting loses by comparison with another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Compared {
    Better,
    Tie,
    Worse,
}

/// A number of every setting, by setting and seed; smaller is better.
pub type Numbers = Vec<Vec<Option<f64>>>;

fn compared(a: &[Option<f64>], b: &[Option<f64>]) -> Compared {
    match paired(a, b) {
        Some(difference) if difference.low > 0.0 => Compared::Worse,
        Some(difference) if difference.high < 0.0 => Compared::Better,
        _ => Compared::Tie,
    }
}

/// For each setting by place, the settings that are nowhere worse and somewhere better.
pub fn dominators(criteria: &[Numbers], settings: usize) -> Vec<Vec<usize>> {
    let dominates = |other: usize, one: usize| {
        let all = || criteria.iter().map(|numbers| compared(&numbers[other], &numbers[one]));
        other != one && all().all(|it| it != Compared::Worse) && all().any(|it| it == Compared::Better)
    };
    (0..settings).map(|one| (0..settings).filter(|other| dominates(*other, one)).collect()).collect()
}

/// The whole of a run.
const ALL: &str = "all";
/// The window before the first fault.
const BEFORE: &str = "before";

/// The window that latency is compared in.
fn calm(folded: &Folded) -> &'static str {
    let has_before = |run: &super::Run| run.windows.iter().any(|(name, _)| name == BEFORE);
    if folded.count() > 0 && folded.runs().all(has_before) { BEFORE } else { ALL }
}

/// What settings are compared by.
#[derive(Clone, PartialEq, Debug)]
struct Criterion {
    /// How files call it.
    name: String,
    unit: Unit,
    numbers: Numbers,
}

/// A setting that another one beats.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dominated {
    /// Its number.
    pub setting: u32,
    /// Numbers of those that beat it.
    pub by: Vec<u32>,
    /// A sentence about it and the first of those, one on the frontier if there is one.
    pub text: String,
}

/// The settings that no other beats.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frontier {
    /// What they are compared by, as files call it.
    pub of: Vec<String>,
    /// Their numbers.
    pub best: Vec<u32>,
    /// The others.
    pub dominated: Vec<Dominated>,
    /// Which are the best, a sentence for each group of settings that are compared with one another.
    pub statements: Vec<String>,
    /// What to know of the comparison.
    pub notes: Vec<String>,
    /// The window that latency is of.
    pub window: &'static str,
}

impl Frontier {
    /// As `summary.json` has it.
    pub fn json(&self) -> Json {
        let dominated = self.dominated.iter();
        let dominated: Vec<Json> =
            dominated.map(|one| json!({ "setting": one.setting, "by": one.by, "text": one.text })).collect();
        json!({ "of": self.of, "window": self.window, "best": self.best, "dominated": dominated })
    }
}

/// Compares the settings of a sweep. `None` if there is nothing to compare.
pub fn frontier(loaded: &Loaded, folded: &Folded, seeds: (u64, u64)) -> Option<Frontier> {
    let groups = groups(loaded);
    if groups.iter().all(|(_, members)| members.len() < 2) {
        return None;
    }
    let window = calm(folded);
    let (criteria, mut notes) = criteria(loaded, folded, seeds, window);
    if criteria.is_empty() {
        return None;
    }
    let mut found = Frontier {
        of: criteria.iter().map(|criterion| criterion.name.clone()).collect(),
        best: Vec::new(),
        dominated: Vec::new(),
        statements: Vec::new(),
        notes: Vec::new(),
        window,
    };
    for (name, members) in &groups {
        if members.len() < 2 {
            continue;
        }
        let own: Vec<Criterion> = criteria
            .iter()
            .map(|criterion| Criterion {
                numbers: members.iter().map(|place| criterion.numbers[*place].clone()).collect(),
                ..criterion.clone()
            })
            .collect();
        let numbers: Vec<Numbers> = own.iter().map(|criterion| criterion.numbers.clone()).collect();
        let dominators = dominators(&numbers, members.len());
        let described: Vec<String> = members.iter().map(|place| described(loaded, *place)).collect();
        let is_best = |place: &usize| dominators[*place].is_empty();
        let best: Vec<&str> = (0..members.len()).filter(is_best).map(|place| described[place].as_str()).collect();
        let of = if name.is_empty() { String::new() } else { format!(" ({name})") };
        found.statements.push(match best.as_slice() {
            [] => format!("On the frontier{of}: none, each is beaten by another"),
            all if all.len() == members.len() => format!("On the frontier{of}: all of them, none beats another"),
            some => format!("On the frontier{of}: {}", some.join(", ")),
        });
        for (place, by) in dominators.iter().enumerate() {
            let number = |place: &usize| loaded.settings[members[*place]].number;
            let Some(first) = by.iter().find(|other| is_best(other)).or(by.first()) else {
                found.best.push(number(&place));
                continue;
            };
            let why = reasons(&own, place, *first);
            let text = format!("{} is dominated by {}: {why}", described[place], described[*first]);
            found.dominated.push(Dominated { setting: number(&place), by: by.iter().map(number).collect(), text });
        }
    }
    found.best.sort_unstable();
    found.dominated.sort_by_key(|one| one.setting);
    let count = folded.seeds().len();
    notes.push(match count {
        1 => "compared by one seed: differences may be chance".into(),
        2..=5 => format!("compared over {count} seeds: a difference counts if it has one sign with all of them"),
        _ => format!(
            "compared over {count} seeds: a difference counts if its 95 % interval, paired by seed, is off zero"
        ),
    });
    found.notes = notes;
    Some(found)
}

/// In which numbers `other` is better than `one`, and how far the rest ties.
fn reasons(criteria: &[Criterion], one: usize, other: usize) -> String {
    let mut better = Vec::new();
    let mut ties = Vec::new();
    for criterion in criteria {
        let numbers = [one, other].map(|place| {
            let known: Vec<f64> = criterion.numbers[place].iter().copied().flatten().collect();
            middle(&known).map_or("–".into(), |middle| shown(brief(middle.median), criterion.unit))
        });
        match compared(&criterion.numbers[other], &criterion.numbers[one]) {
            Compared::Better => better.push(format!("{} {} against {}", criterion.name, numbers[0], numbers[1])),
            Compared::Tie | Compared::Worse => ties.push(criterion.name.as_str()),
        }
    }
    let ties = if ties.is_empty() { String::new() } else { format!("; no clear difference in {}", ties.join(", ")) };
    format!("{}{ties}", better.join(", "))
}

/// Three digits that say something.
fn brief(value: f64) -> f64 {
    let scale = match value.abs() {
        size if size >= 100.0 => 1.0,
        size if size >= 10.0 => 10.0,
        size if size >= 1.0 => 100.0,
        size if size >= 0.001 => 10_000.0,
        _ => return value,
    };
    (value * scale).round() / scale
}

/// `n=3 r=1 w=2`.
fn described(loaded: &Loaded, place: usize) -> String {
    let values = loaded.settings[place].values.iter();
    values.map(|value| format!("{}={}", value.axis, value.value.label())).collect::<Vec<_>>().join(" ")
}

/// Whether an axis sets N, R or W.
fn is_of_replication(axis: &Axis) -> bool {
    let is = |path: &str| {
        ["replication", "replication.n", "replication.r", "replication.w"].iter().any(|end| path.ends_with(end))
    };
    let points = axis.points.iter().flatten();
    axis.path.as_deref().is_some_and(is) || points.flat_map(|point| point.set.names()).any(is)
}

/// Settings that are compared with one another, by place: those that agree in all axes other than N, R and W, if there
/// are such axes; else all. Each with what its members have in common.
fn groups(loaded: &Loaded) -> Vec<(String, Vec<usize>)> {
    let is_free: Vec<bool> = loaded.base.sweep.axes.iter().map(is_of_replication).collect();
    let all_free = !is_free.contains(&true);
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    for (place, setting) in loaded.settings.iter().enumerate() {
        let fixed = setting.values.iter().zip(&is_free).filter(|(_, is_free)| !all_free && !**is_free);
        let name: Vec<String> = fixed.map(|(value, _)| format!("{}={}", value.axis, value.value.label())).collect();
        let name = name.join(" ");
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, members)) => members.push(place),
            None => groups.push((name, vec![place])),
        }
    }
    groups
}

/// What the settings of this sweep can be compared by, and what to know of it.
fn criteria(loaded: &Loaded, folded: &Folded, seeds: (u64, u64), window: &str) -> (Vec<Criterion>, Vec<String>) {
    let numbers = |metric: &Metric| -> Numbers {
        let settings = loaded.settings.iter();
        settings.map(|setting| by_seed_in(folded, setting.number, seeds, metric, window)).collect()
    };
    let has_any = |numbers: &Numbers| numbers.iter().flatten().any(Option::is_some);
    let has_all = |numbers: &Numbers| {
        let runs = |place: usize| folded.of(loaded.settings[place].number).count();
        numbers.iter().enumerate().all(|(place, own)| own.iter().flatten().count() == runs(place))
    };
    let mut found = Vec::new();
    let mut notes = Vec::new();
    if window != ALL {
        notes.push(
            "latency is compared before the first fault, staleness in all of the run, failures in the worst fault"
                .into(),
        );
    }
    let count = |op: OpKind| has_any(&numbers(&Metric::Success(op)));
    let writes = if count(OpKind::Put) { OpKind::Put } else { OpKind::Update };
    for op in [OpKind::Get, writes].into_iter().filter(|op| count(*op)) {
        let stats = [(Stat::P999, "P99.9"), (Stat::P99, "P99"), (Stat::P50, "the median")];
        let usable = stats.iter().map(|(stat, name)| (Metric::Latency(op, *stat), name));
        let mut usable = usable.map(|(metric, name)| (numbers(&metric), metric, name));
        match usable.find(|(numbers, ..)| has_all(numbers)) {
            Some((numbers, metric, name)) => {
                if *name != "P99.9" {
                    notes.push(format!(
                        "{name} of {}s stands for their P99.9, as some runs have too few of them",
                        op.word()
                    ));
                }
                found.push(Criterion { name: metric.column(), unit: metric.unit(), numbers });
            }
            None => notes.push(format!("too few {}s in some runs to compare their latency", op.word())),
        }
    }
    let settings = loaded.settings.iter();
    let stale: Numbers =
        settings.map(|setting| by_seed(folded, setting.number, seeds, &Metric::StaleFraction)).collect();
    if has_any(&stale) {
        let metric = Metric::StaleFraction;
        found.push(Criterion { name: metric.column(), unit: metric.unit(), numbers: stale });
    }
    let unavailability: Numbers = loaded
        .settings
        .iter()
        .map(|setting| {
            let of = |seed| folded.run(setting.number, seed).and_then(|run| run.unavailability);
            (seeds.0..=seeds.1).map(of).collect()
        })
        .collect();
    if has_any(&unavailability) {
        found.push(Criterion { name: "unavailability".into(), unit: Unit::Fraction, numbers: unavailability });
    }
    (found, notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_seed(values: &[f64]) -> Numbers {
        values.iter().map(|value| vec![Some(*value)]).collect()
    }

    #[test]
    fn a_setting_that_is_nowhere_better_and_somewhere_worse_is_dominated() {
        // Fast and stale, slow and fresh, in between, and as fast as the first but more stale.
        let latency = one_seed(&[1.0, 9.0, 5.0, 1.0]);
        let stale = one_seed(&[0.5, 0.0, 0.1, 0.6]);
        assert_eq!(dominators(&[latency.clone(), stale.clone()], 4), [vec![], vec![], vec![], vec![0]]);
        // A third number in which the last is best saves it.
        let failed = one_seed(&[0.2, 0.2, 0.2, 0.1]);
        assert_eq!(dominators(&[latency, stale, failed], 4), vec![Vec::<usize>::new(); 4]);
    }

    #[test]
    fn what_does_not_agree_over_the_seeds_is_a_tie() {
        let seeds = |values: &[f64]| values.iter().map(|value| Some(*value)).collect::<Vec<_>>();
        // The second is faster with all three seeds, and more stale with one and less with two.
        let latency = vec![seeds(&[5.0, 6.0, 7.0]), seeds(&[4.0, 5.9, 6.0])];
        let stale = vec![seeds(&[0.1, 0.2, 0.3]), seeds(&[0.2, 0.1, 0.2])];
        assert_eq!(dominators(&[latency.clone(), stale], 2), [vec![1], vec![]]);
        // Faster with two of three seeds is a tie as well: nobody is beaten.
        let other = vec![seeds(&[5.0, 6.0, 7.0]), seeds(&[4.0, 6.1, 6.0])];
        assert_eq!(dominators(&[other], 2), vec![Vec::<usize>::new(); 2]);
        // With ten seeds the least and the greatest of the differences say nothing.
        let zeros = seeds(&[0.0; 10]);
        let mut mostly = seeds(&[-1.0; 10]);
        mostly[3] = Some(5.0);
        assert_eq!(dominators(&[vec![zeros.clone(), mostly.clone()]], 2), [vec![1], vec![]]);
        mostly[4] = Some(5.0);
        assert_eq!(dominators(&[vec![zeros, mostly]], 2), vec![Vec::<usize>::new(); 2]);
    }

    #[test]
    fn equal_settings_do_not_beat_each_other() {
        assert_eq!(dominators(&[one_seed(&[1.0, 1.0])], 2), vec![Vec::<usize>::new(); 2]);
        assert_eq!(dominators(&[vec![vec![Some(1.0)], vec![None]]], 2), vec![Vec::<usize>::new(); 2]);
    }
}
