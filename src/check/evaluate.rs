//! Whether what was expected came out, over settings and seeds.
//!
//! Nothing that could not be judged ever counts as held.

use super::expectation::{Bound, BoundKind, Comparison, Expectation, Over, Query, Subject, Within, shown};
use super::properties::{Finding, Property};
use crate::kernel::math::sqrt;
use crate::measure::Value;
use crate::measure::metrics::Unit;

/// How an expectation came out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// As expected.
    Held,
    /// It could not be judged.
    NotJudged,
    /// Not as expected.
    Broken,
}

/// The runs that are judged.
pub trait Runs {
    /// How many seeds a setting has.
    fn seeds(&self, setting: u32) -> u32;
    /// The number that a query asks for, of a setting's run with the seed in this place.
    fn value(&self, setting: u32, seed: u32, query: &Query) -> Value;
    /// What became of a property there.
    fn finding(&self, setting: u32, seed: u32, property: Property) -> Finding;
}

/// What became of one expectation in one setting.
#[derive(Clone, PartialEq, Debug)]
pub struct Judgement {
    /// Number of the expectation in the file, from 0.
    pub expectation: u32,
    /// Number of the setting.
    pub setting: u32,
    /// The expectation in words.
    pub text: String,
    /// What came out: of the seed that broke it, else of the first; or the mean or median.
    pub value: Option<f64>,
    /// In which unit.
    pub unit: Unit,
    /// How it came out.
    pub verdict: Verdict,
    /// Why it is broken or not judged; empty if it held.
    pub because: String,
    /// Place of the seed that broke it.
    pub broken_by: Option<u32>,
    /// The row of the ledger.
    pub claim: Option<String>,
}

/// Judges all expectations, in their order, each in all its settings.
pub fn evaluate(expectations: &[Expectation], runs: &dyn Runs) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    for (number, expectation) in expectations.iter().enumerate() {
        for place in 0..expectation.settings.len() {
            let one = Case { expectation, number: number as u32, place, runs };
            judgements.extend(one.judge());
        }
    }
    judgements
}

/// The exit status of all judgements, and of steps whose own expectations were broken: 0 all held, 1 one was
/// broken, 3 none was broken but one could not be judged.
pub fn exit_status(judgements: &[Judgement], is_a_step_broken: bool) -> u8 {
    let worst = judgements.iter().map(|judgement| judgement.verdict).max().unwrap_or(Verdict::Held);
    match worst {
        _ if is_a_step_broken => 1,
        Verdict::Broken => 1,
        Verdict::NotJudged => 3,
        Verdict::Held => 0,
    }
}

struct Case<'a> {
    expectation: &'a Expectation,
    number: u32,
    place: usize,
    runs: &'a dyn Runs,
}

/// Of one seed.
enum Outcome {
    Held,
    Broken(String),
    NotJudged(String),
}

impl Case<'_> {
    fn setting(&self) -> u32 {
        self.expectation.settings[self.place]
    }

    fn judge(&self) -> Option<Judgement> {
        match &self.expectation.subject {
            Subject::Metric { query, versus, bounds, within } => {
                // What would be compared with itself, or with a combination that was skipped, is passed over.
                if let Some(versus) = versus
                    && versus.settings[self.place].is_none_or(|other| other == self.setting() && versus.query == *query)
                {
                    return None;
                }
                // Along an axis a bound may skip this point.
                let here: Vec<(BoundKind, f64)> = bounds
                    .iter()
                    .filter_map(|bound: &Bound| {
                        self.expectation.bound_at(bound, self.place).map(|value| (bound.kind, value))
                    })
                    .collect();
                if here.is_empty() {
                    return None;
                }
                Some(self.metric(&here, *within))
            }
            Subject::Property { properties, must_break, .. } => self.property(&properties[self.place], *must_break),
        }
    }

    fn judgement(
        &self,
        value: Option<f64>,
        unit: Unit,
        verdict: Verdict,
        because: String,
        broken_by: Option<u32>,
    ) -> Judgement {
        Judgement {
            expectation: self.number,
            setting: self.setting(),
            text: self.expectation.text(self.place),
            value,
            unit,
            verdict,
            because,
            broken_by,
            claim: self.expectation.claim.clone(),
        }
    }

    fn unit(&self) -> Unit {
        match &self.expectation.subject {
            Subject::Metric { versus: Some(versus), .. } if versus.comparison == Comparison::Ratio => Unit::Ratio,
            Subject::Metric { query, .. } => query.metric.unit(),
            Subject::Property { .. } => Unit::Count,
        }
    }

    /// The number of one seed, or why there is none.
    fn number(&self, seed: u32) -> Result<f64, String> {
        let Subject::Metric { query, versus, .. } = &self.expectation.subject else {
            unreachable!("properties have no number")
        };
        let this = known(self.runs.value(self.setting(), seed, query), query)?;
        let Some(versus) = versus else { return Ok(this) };
        let Some(setting) = versus.settings[self.place] else {
            return Err("there is no setting to compare it with".into());
        };
        let that = known(self.runs.value(setting, seed, &versus.query), &versus.query)?;
        match versus.comparison {
            Comparison::Difference => Ok(this - that),
            Comparison::Ratio if that == 0.0 => Err("the other is 0".into()),
            Comparison::Ratio => Ok(this / that),
        }
    }

    fn metric(&self, bounds: &[(BoundKind, f64)], within: Option<Within>) -> Judgement {
        let unit = self.unit();
        let seeds = self.runs.seeds(self.setting());
        let numbers: Vec<Result<f64, String>> = (0..seeds).map(|seed| self.number(seed)).collect();
        match self.expectation.over.unwrap_or(Over::Each) {
            Over::Mean | Over::Median => {
                let all: Result<Vec<f64>, String> = numbers.into_iter().collect();
                let middle = all.and_then(|all| self.middle(&all));
                let (value, error) = match middle {
                    Ok(found) => found,
                    Err(because) => return self.judgement(None, unit, Verdict::NotJudged, because, None),
                };
                match holds(value, bounds, within, error, unit) {
                    Outcome::Held => self.judgement(Some(value), unit, Verdict::Held, String::new(), None),
                    Outcome::Broken(because) => self.judgement(Some(value), unit, Verdict::Broken, because, None),
                    Outcome::NotJudged(because) => self.judgement(Some(value), unit, Verdict::NotJudged, because, None),
                }
            }
            over => {
                let outcomes: Vec<Outcome> = numbers
                    .iter()
                    .map(|number| match number {
                        Ok(value) => holds(*value, bounds, within, None, unit),
                        Err(because) => Outcome::NotJudged(because.clone()),
                    })
                    .collect();
                let (verdict, because, by) = over_seeds(&outcomes, over);
                let first = numbers.iter().find_map(|number| number.as_ref().ok().copied());
                let value = by.and_then(|by| numbers[by as usize].as_ref().ok().copied()).or(first);
                self.judgement(value, unit, verdict, because, by)
            }
        }
    }

    /// Mean or median of the seeds, and the standard error of the mean.
    fn middle(&self, all: &[f64]) -> Result<(f64, Option<f64>), String> {
        if all.is_empty() {
            return Err("no run".into());
        }
        if self.expectation.over == Some(Over::Median) {
            return Ok((median(all), None));
        }
        let count = all.len() as f64;
        let mean = all.iter().sum::<f64>() / count;
        let squares = all.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
        let error = (all.len() > 1).then(|| sqrt(squares / (count - 1.0) / count));
        Ok((mean, error))
    }

    fn property(&self, properties: &[Property], must_break: bool) -> Option<Judgement> {
        if properties.is_empty() {
            return None;
        }
        let seeds = self.runs.seeds(self.setting());
        let outcomes: Vec<Outcome> = (0..seeds)
            .map(|seed| {
                let findings =
                    properties.iter().map(|property| (property, self.runs.finding(self.setting(), seed, *property)));
                of_findings(findings.collect(), must_break)
            })
            .collect();
        let over = self.expectation.over.unwrap_or(if must_break { Over::Some } else { Over::Each });
        let (verdict, because, by) = over_seeds(&outcomes, over);
        Some(self.judgement(None, Unit::Count, verdict, because, by))
    }
}

/// What the findings of one run come to: one violation breaks them all, and what is not judged is not held.
fn of_findings(findings: Vec<(&Property, Finding)>, must_break: bool) -> Outcome {
    let mut unknown: Vec<&str> = Vec::new();
    let mut reason = "";
    for (property, finding) in &findings {
        match finding {
            Finding::Violated { .. } if must_break => return Outcome::Held,
            Finding::Violated { violations, example } => {
                return Outcome::Broken(format!("{} was violated {violations} times: {example}", property.name()));
            }
            Finding::NotJudged(because) => {
                unknown.push(property.name());
                reason = because;
            }
            Finding::Held => {}
        }
    }
    match (unknown.as_slice(), must_break) {
        ([], true) => Outcome::Broken("no violation was found".into()),
        ([], false) => Outcome::Held,
        // The expectation has said its name.
        ([_], _) if findings.len() == 1 => Outcome::NotJudged(reason.to_string()),
        ([one], _) => Outcome::NotJudged(format!("{one}: {reason}")),
        (many, _) => Outcome::NotJudged(format!(
            "{} of {} properties, {} among them: {reason}",
            many.len(),
            findings.len(),
            many[0]
        )),
    }
}

/// Folds the outcomes of all seeds: verdict, reason, and the seed that broke it.
fn over_seeds(outcomes: &[Outcome], over: Over) -> (Verdict, String, Option<u32>) {
    let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| wanted(outcome)).count();
    let held = count(|outcome| matches!(outcome, Outcome::Held));
    let unknown = count(|outcome| matches!(outcome, Outcome::NotJudged(_)));
    let broken = outcomes.iter().enumerate().find_map(|(seed, outcome)| match outcome {
        Outcome::Broken(because) => Some((seed as u32, because.clone())),
        _ => None,
    });
    let because = outcomes.iter().find_map(|outcome| match outcome {
        Outcome::NotJudged(because) => Some(because.clone()),
        _ => None,
    });
    let needed = match over {
        Over::Each | Over::Mean | Over::Median => outcomes.len(),
        Over::Some => 1,
        Over::Share(share) => (share * outcomes.len() as f64 - 1e-9).ceil().max(0.0) as usize,
    };
    if outcomes.is_empty() {
        return (Verdict::NotJudged, "no run".into(), None);
    }
    if held >= needed {
        return (Verdict::Held, String::new(), None);
    }
    if held + unknown >= needed {
        return (Verdict::NotJudged, because.unwrap_or_default(), None);
    }
    let (by, because) = broken.expect("too few held, and too few are unknown");
    let of = if outcomes.len() > 1 { format!(" (held in {held} of {} seeds)", outcomes.len()) } else { String::new() };
    (Verdict::Broken, format!("{because}{of}"), Some(by))
}

fn known(value: Value, query: &Query) -> Result<f64, String> {
    match value {
        Value::Number(number) => Ok(number),
        Value::TooFewSamples => Err(format!("too few samples: it needs {}", query.metric.samples_needed())),
        Value::Never => Ok(f64::INFINITY),
        Value::NotJudged => Err("nobody has judged it".into()),
        Value::NothingToMeasure => Err("there was nothing to measure it of".into()),
    }
}

fn holds(value: f64, bounds: &[(BoundKind, f64)], within: Option<Within>, error: Option<f64>, unit: Unit) -> Outcome {
    // Sums of decimals differ from what a file says in the last digits; six decimals are what results show.
    const SLACK: f64 = 1e-9;
    for &(kind, bound) in bounds {
        let slack = SLACK * bound.abs().max(1.0);
        let ok = match kind {
            BoundKind::AtLeast => value >= bound - slack,
            BoundKind::AtMost => value <= bound + slack,
            BoundKind::Above => value > bound,
            BoundKind::Below => value < bound,
            BoundKind::Equals => (value - bound).abs() <= slack,
            BoundKind::CloseTo => {
                let reach = match (within, error) {
                    (Some(Within::Absolute(far)), _) => far,
                    (Some(Within::Relative(share)), _) => share * bound.abs(),
                    (Some(Within::StandardErrors(times)), Some(error)) => times * error,
                    (Some(Within::StandardErrors(_)), None) => {
                        return Outcome::NotJudged("a standard error needs two seeds or more".into());
                    }
                    (None, _) => 0.0,
                };
                (value - bound).abs() <= reach + slack
            }
        };
        if !ok {
            return Outcome::Broken(format!("it is {}", shown(value, unit)));
        }
    }
    Outcome::Held
}

/// The middle one, or the mean of the middle two.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => (sorted[even / 2 - 1] + sorted[even / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::expectation::{Narrow, Versus};
    use crate::measure::Metric;

    struct Table(Vec<Vec<Value>>, Finding);

    impl Runs for Table {
        fn seeds(&self, setting: u32) -> u32 {
            self.0[setting as usize].len() as u32
        }
        fn value(&self, setting: u32, seed: u32, _: &Query) -> Value {
            self.0[setting as usize][seed as usize]
        }
        fn finding(&self, _: u32, _: u32, _: Property) -> Finding {
            self.1.clone()
        }
    }

    fn query(path: &str) -> Query {
        Query { metric: Metric::from_path(path).expect("a metric"), narrow: Narrow::default() }
    }

    fn expect(path: &str, kind: BoundKind, values: Vec<Option<f64>>, settings: usize) -> Expectation {
        Expectation {
            subject: Subject::Metric {
                query: query(path),
                versus: None,
                bounds: vec![Bound { kind, values }],
                within: None,
            },
            settings: (0..settings as u32).collect(),
            points: (0..settings as u32).collect(),
            over: None,
            claim: None,
        }
    }

    fn numbers(values: &[f64]) -> Vec<Value> {
        values.iter().map(|value| Value::Number(*value)).collect()
    }

    fn judge(expectation: Expectation, rows: Vec<Vec<Value>>) -> Vec<(Verdict, Option<f64>)> {
        let table = Table(rows, Finding::Held);
        evaluate(&[expectation], &table).into_iter().map(|j| (j.verdict, j.value)).collect()
    }

    #[test]
    fn an_expectation_holds_in_each_seed_or_is_broken_by_one() {
        let expectation = expect("stale.reads", BoundKind::Equals, vec![Some(1.0)], 1);
        let table = Table(vec![numbers(&[1.0, 1.0])], Finding::Held);
        let judged = evaluate(std::slice::from_ref(&expectation), &table);
        assert_eq!((judged[0].text.as_str(), judged[0].verdict), ("stale.reads equals 1", Verdict::Held));
        assert_eq!(exit_status(&judged, false), 0);
        let judged = evaluate(&[expectation], &Table(vec![numbers(&[1.0, 3.0, 1.0])], Finding::Held));
        assert_eq!((judged[0].verdict, judged[0].broken_by), (Verdict::Broken, Some(1)));
        assert_eq!(judged[0].because, "it is 3 (held in 2 of 3 seeds)");
        assert_eq!(exit_status(&judged, false), 1);
    }

    #[test]
    fn what_cannot_be_judged_is_never_held() {
        let row = |value| vec![vec![Value::Number(0.0), value]];
        for value in [Value::TooFewSamples, Value::NotJudged, Value::NothingToMeasure] {
            let expectation = expect("lost.writes", BoundKind::AtMost, vec![Some(0.0)], 1);
            let judged = evaluate(&[expectation], &Table(row(value), Finding::Held));
            assert_eq!(judged[0].verdict, Verdict::NotJudged);
            assert_eq!(exit_status(&judged, false), 3);
            assert_eq!(exit_status(&judged, true), 1, "a broken step weighs more");
        }
        // A seed that breaks it breaks it, whatever is unknown of others.
        let expectation = expect("lost.writes", BoundKind::AtLeast, vec![Some(1.0)], 1);
        assert_eq!(judge(expectation, row(Value::NotJudged))[0].0, Verdict::Broken);
    }

    #[test]
    fn seeds_are_weighed_as_asked() {
        let over = |over: Over, values: &[f64]| {
            let expectation =
                Expectation { over: Some(over), ..expect("stale.reads", BoundKind::AtLeast, vec![Some(2.0)], 1) };
            judge(expectation, vec![numbers(values)])[0].0
        };
        assert_eq!(over(Over::Each, &[1.0, 3.0]), Verdict::Broken);
        assert_eq!(over(Over::Mean, &[1.0, 3.0]), Verdict::Held);
        assert_eq!(over(Over::Median, &[0.0, 1.0, 30.0]), Verdict::Broken);
        assert_eq!(over(Over::Some, &[1.0, 3.0]), Verdict::Held);
        assert_eq!(over(Over::Share(0.5), &[1.0, 3.0]), Verdict::Held);
        assert_eq!(over(Over::Share(0.6), &[1.0, 3.0]), Verdict::Broken);
    }

    #[test]
    fn close_to_reaches_as_far_as_within_says() {
        let close = |within: Within, values: &[f64]| {
            let mut expectation = expect("get.latency.mean", BoundKind::CloseTo, vec![Some(10.0)], 1);
            let Subject::Metric { within: field, .. } = &mut expectation.subject else { unreachable!() };
            *field = Some(within);
            expectation.over = Some(Over::Mean);
            judge(expectation, vec![numbers(values)])[0].0
        };
        assert_eq!(close(Within::Relative(0.02), &[10.2]), Verdict::Held);
        assert_eq!(close(Within::Relative(0.02), &[10.3]), Verdict::Broken);
        assert_eq!(close(Within::Absolute(0.5), &[9.5]), Verdict::Held);
        // Mean 10.4, standard error 0.1.
        assert_eq!(close(Within::StandardErrors(4.0), &[10.3, 10.5]), Verdict::Held);
        assert_eq!(close(Within::StandardErrors(3.0), &[10.3, 10.5]), Verdict::Broken);
        assert_eq!(close(Within::StandardErrors(4.0), &[10.0]), Verdict::NotJudged);
    }

    #[test]
    fn bounds_along_an_axis_go_point_by_point_and_null_skips() {
        let expectation = expect("stale.reads", BoundKind::AtMost, vec![Some(1.0), None, Some(3.0)], 3);
        let judged = judge(expectation, vec![numbers(&[1.0]), numbers(&[9.0]), numbers(&[4.0])]);
        assert_eq!(judged, [(Verdict::Held, Some(1.0)), (Verdict::Broken, Some(4.0))]);
    }

    #[test]
    fn seeds_are_compared_in_pairs() {
        let mut expectation = expect("get.latency.mean", BoundKind::AtLeast, vec![Some(1.5)], 1);
        let Subject::Metric { versus, .. } = &mut expectation.subject else { unreachable!() };
        let other = Versus { query: query("get.latency.mean"), settings: vec![Some(1)], comparison: Comparison::Ratio };
        *versus = Some(Box::new(other));
        let judged = judge(expectation.clone(), vec![numbers(&[3.0, 30.0]), numbers(&[2.0, 10.0])]);
        assert_eq!(judged, [(Verdict::Held, Some(1.5))]);
        // Nothing is compared with itself.
        let Subject::Metric { versus: Some(versus), .. } = &mut expectation.subject else { unreachable!() };
        versus.settings = vec![Some(0)];
        assert_eq!(judge(expectation, vec![numbers(&[3.0])]), []);
    }

    #[test]
    fn a_property_that_must_break_needs_a_violation() {
        let expectation = |must_break| Expectation {
            subject: Subject::Property { properties: vec![vec![Property::MinimalMovement]], is_all: false, must_break },
            ..expect("stale.reads", BoundKind::AtMost, vec![], 1)
        };
        let verdict = |must_break, finding: Finding| {
            evaluate(&[expectation(must_break)], &Table(vec![numbers(&[0.0])], finding))[0].verdict
        };
        let violated = Finding::Violated { violations: 2, example: "n1".into() };
        assert_eq!(verdict(false, Finding::Held), Verdict::Held);
        assert_eq!(verdict(true, Finding::Held), Verdict::Broken);
        assert_eq!(verdict(false, violated.clone()), Verdict::Broken);
        assert_eq!(verdict(true, violated), Verdict::Held);
        assert_eq!(verdict(true, Finding::NotJudged("no judge")), Verdict::NotJudged);
    }
}
