//! When operations begin.
//!
//! An open group draws units of expected arrivals and inverts the integral of its rate, so that the same
//! draws serve every setting of rate and phases: a doubled rate brings the same arrivals in half the time.
//! Closed groups think, traces say it themselves. It does not know what the operations are.

use crate::kernel::ids::{GroupId, SessionId};
use crate::kernel::math;
use crate::kernel::rng::{Keyed, Purpose, Stream};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::{SimTime, Span};

use super::config::{Arrival, GroupConfig, Phase, Spacing};
use super::session::{Luck, scale};

/// An operation begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arriving {
    /// When.
    pub at: SimTime,
    /// In which session: its place in the group, from 0.
    pub session_index: u32,
    /// The row that says what it does, if it comes from a trace.
    pub trace_row: Option<u32>,
}

/// The beginnings of a group's operations. Open groups and traces are iterated over; closed ones are asked
/// by [`Arrivals::first_start`] and [`Arrivals::next_start`].
#[derive(Clone, Debug)]
pub struct Arrivals {
    source: Source,
    quota: Quota,
    start: SimTime,
    stop: SimTime,
}

#[derive(Clone, Debug)]
enum Source {
    Open(Box<Open>),
    Closed(Closed),
    Trace { rows: Vec<(SimTime, u32)>, next: usize, turn: u32 },
}

#[derive(Clone, Debug)]
struct Open {
    spacing: Spacing,
    gaps: Stream,
    sessions: Stream,
    /// Expected arrivals since the start, up to the next one.
    units: f64,
    rate: Rate,
}

#[derive(Clone, Debug)]
struct Closed {
    keyed: Keyed,
    first_session: SessionId,
    think: Sampler,
    /// By session, think times drawn.
    drawn: Vec<u32>,
}

/// How many operations are left to each session.
#[derive(Clone, Debug)]
struct Quota {
    sessions: u32,
    limit: Option<u64>,
    /// By session; empty without a limit.
    begun: Vec<u64>,
    /// Sessions that have any left.
    open: u32,
}

impl Arrivals {
    /// The beginnings of a group's operations in the run with this seed.
    ///
    /// # Panics
    /// If the group has no session, or its rate or a factor is negative or not finite.
    pub fn new(config: &GroupConfig, group: GroupId, seed: u64) -> Arrivals {
        assert!(config.sessions > 0, "a group has sessions");
        let entity = u64::from(group.0);
        let source = match &config.arrival {
            Arrival::Open { rate, spacing, phases } => Source::Open(Box::new(Open {
                spacing: *spacing,
                gaps: Stream::new(seed, Purpose::Arrival, entity),
                sessions: Stream::new(seed, Purpose::Session, entity),
                units: 0.0,
                rate: Rate::new(*rate, phases.clone(), config.start),
            })),
            Arrival::Closed { think } => Source::Closed(Closed {
                keyed: Keyed::new(seed),
                first_session: config.first_session,
                think: think.compile(),
                drawn: vec![0; config.sessions as usize],
            }),
            Arrival::Trace(rows) => {
                let mut rows: Vec<_> = rows.iter().enumerate().map(|(number, row)| (row.at, number as u32)).collect();
                rows.sort_unstable();
                rows.retain(|&(at, _)| at >= config.start);
                Source::Trace { rows, next: 0, turn: 0 }
            }
        };
        let quota = Quota::new(config.sessions, config.operations);
        let mut arrivals = Arrivals { source, quota, start: config.start, stop: config.stop };
        if let Source::Open(open) = &mut arrivals.source
            && open.spacing == Spacing::Poisson
        {
            open.units = open.exponential();
        }
        arrivals
    }

    /// Closed groups: when a session's first operation begins; `None` if it has none.
    ///
    /// It is some part of a think time after the start, so that like sessions do not march in step.
    ///
    /// # Panics
    /// If the group is not closed.
    pub fn first_start(&mut self, session_index: u32) -> Option<SimTime> {
        let start = self.start;
        if self.quota.sessions == 1 {
            // A session on its own begins exactly when the scenario says.
            return self.begin(session_index, start);
        }
        let closed = self.closed();
        let part = closed.luck(session_index).bits(Purpose::Think, 2);
        let think = closed.think(session_index);
        self.begin(session_index, start + Span(scale(part, think.0 + 1)))
    }

    /// Closed groups: when the next operation of a session begins whose last one was over at `over_at`; `None`
    /// if it was the last of all.
    ///
    /// # Panics
    /// If the group is not closed.
    pub fn next_start(&mut self, session_index: u32, over_at: SimTime) -> Option<SimTime> {
        let think = self.closed().think(session_index);
        self.begin(session_index, over_at + think)
    }

    /// Closed groups: the next think time of a session.
    ///
    /// # Panics
    /// If the group is not closed.
    pub fn think(&mut self, session_index: u32) -> Span {
        self.closed().think(session_index)
    }

    fn closed(&mut self) -> &mut Closed {
        match &mut self.source {
            Source::Closed(closed) => closed,
            Source::Open(_) | Source::Trace { .. } => panic!("only the sessions of closed groups think"),
        }
    }

    fn begin(&mut self, session_index: u32, at: SimTime) -> Option<SimTime> {
        (at < self.stop && self.quota.take(session_index)).then_some(at)
    }
}

impl Iterator for Arrivals {
    type Item = Arriving;

    /// The next operation of an open group or a trace; `None` when there is none before the group's stop, and
    /// always for closed groups.
    fn next(&mut self) -> Option<Arriving> {
        if self.quota.open == 0 {
            return None;
        }
        let (at, session_index, trace_row) = match &mut self.source {
            Source::Closed(_) => return None,
            Source::Open(open) => {
                let at = open.rate.time_of(open.units, self.stop)?;
                open.units += match open.spacing {
                    Spacing::Poisson => open.exponential(),
                    Spacing::Even => 1.0,
                };
                // Sessions that are done are passed over: those that are left get what they had got anyway.
                let sessions = u64::from(self.quota.sessions);
                let session = loop {
                    let session = open.sessions.below(sessions) as u32;
                    if self.quota.take(session) {
                        break session;
                    }
                };
                (at, session, None)
            }
            Source::Trace { rows, next, turn } => {
                let &(at, row) = rows.get(*next).filter(|&&(at, _)| at < self.stop)?;
                *next += 1;
                let session = loop {
                    let session = *turn;
                    *turn = (session + 1) % self.quota.sessions;
                    if self.quota.take(session) {
                        break session;
                    }
                };
                (at, session, Some(row))
            }
        };
        Some(Arriving { at, session_index, trace_row })
    }
}

impl Open {
    fn exponential(&mut self) -> f64 {
        // `unit` may be 0 but not 1, so the logarithm is finite.
        0.0 - math::ln_1p(-self.gaps.unit())
    }
}

impl Closed {
    fn luck(&self, session_index: u32) -> Luck {
        let session = SessionId(self.first_session.0 + session_index);
        Luck::new(self.keyed, session, self.drawn[session_index as usize])
    }

    fn think(&mut self, session_index: u32) -> Span {
        let bits = self.luck(session_index).bits(Purpose::Think, 0);
        self.drawn[session_index as usize] += 1;
        Span(self.think.sample(bits))
    }
}

impl Quota {
    fn new(sessions: u32, limit: Option<u64>) -> Quota {
        let begun = if limit.is_some() { vec![0; sessions as usize] } else { Vec::new() };
        Quota { sessions, limit, begun, open: if limit == Some(0) { 0 } else { sessions } }
    }

    /// Takes one operation of a session, if it has one left.
    fn take(&mut self, session: u32) -> bool {
        assert!(session < self.sessions, "session {session} is one of the group's {}", self.sessions);
        let Some(limit) = self.limit else { return true };
        let begun = &mut self.begun[session as usize];
        if *begun >= limit {
            return false;
        }
        *begun += 1;
        if *begun == limit {
            self.open -= 1;
        }
        true
    }
}

/// How many operations a group is expected to begin before a time, without retries; `None` if that depends on how soon
/// it is answered.
pub fn expected(config: &GroupConfig, until: SimTime) -> Option<f64> {
    let limit = config.operations.map_or(f64::INFINITY, |each| each as f64 * f64::from(config.sessions));
    let stop = config.stop.min(until);
    let all = match &config.arrival {
        Arrival::Closed { .. } => return None,
        Arrival::Trace(rows) => rows.iter().filter(|row| row.at < stop).count() as f64,
        Arrival::Open { .. } if stop <= config.start => 0.0,
        Arrival::Open { rate, phases, .. } => Rate::new(*rate, phases.clone(), config.start).integral(stop),
    };
    Some(all.min(limit))
}

/// A rate that changes in steps, and how far its integral has been followed.
#[derive(Clone, Debug)]
struct Rate {
    base: f64,
    phases: Vec<Phase>,
    /// The stretch of constant rate that is looked at: from when, to when, arrivals per nanosecond.
    from: SimTime,
    to: SimTime,
    now: f64,
    /// The integral from the start to `from`.
    before: f64,
}

impl Rate {
    fn new(base: f64, phases: Vec<Phase>, start: SimTime) -> Rate {
        let fair = phases.iter().map(|phase| phase.factor).chain([base]).all(|x| x >= 0.0 && x.is_finite());
        assert!(fair, "rates and factors are finite and not negative");
        let never_zero = phases.iter().all(|phase| phase.every != Some(Span::ZERO));
        assert!(never_zero, "a phase that comes again does so after some time");
        let mut rate = Rate { base, phases, from: start, to: start, now: 0.0, before: 0.0 };
        rate.enter(start);
        rate
    }

    /// When the integral reaches `units`, which never fall from call to call; `None` if not before `stop`.
    fn time_of(&mut self, units: f64, stop: SimTime) -> Option<SimTime> {
        loop {
            let within = self.now * self.to.since(self.from).0 as f64;
            // The end of a stretch belongs to the next one.
            if self.now > 0.0 && units - self.before < within {
                let at = self.from.0.saturating_add(((units - self.before) / self.now) as u64);
                let at = SimTime(at.min(self.to.0 - 1));
                return (at < stop).then_some(at);
            }
            if self.to >= stop {
                return None;
            }
            self.before += within;
            self.enter(self.to);
        }
    }

    /// The integral from the start to a time that is not before it.
    fn integral(mut self, stop: SimTime) -> f64 {
        while self.to < stop {
            self.before += self.now * self.to.since(self.from).0 as f64;
            self.enter(self.to);
        }
        self.before + self.now * stop.since(self.from).0 as f64
    }

    fn enter(&mut self, at: SimTime) {
        self.from = at;
        self.to = SimTime::MAX;
        self.now = self.base;
        for phase in &self.phases {
            let (active, until) = phase_at(phase, at);
            self.to = self.to.min(until);
            if active {
                self.now *= phase.factor;
            }
        }
        if self.base == 0.0 {
            self.to = SimTime::MAX;
        }
    }
}

/// Whether a phase is on, and until when that stays so. One that comes again before it is over just goes on.
fn phase_at(phase: &Phase, at: SimTime) -> (bool, SimTime) {
    if at < phase.from {
        return (false, phase.from);
    }
    let later = |span: u64| SimTime(at.0.saturating_add(span));
    let since = at.since(phase.from).0;
    match (phase.lasts, phase.every) {
        (None, _) => (true, SimTime::MAX),
        (Some(lasts), None) if since < lasts.0 => (true, later(lasts.0 - since)),
        (Some(_), None) => (false, SimTime::MAX),
        (Some(lasts), Some(every)) if lasts >= every => (true, SimTime::MAX),
        (Some(lasts), Some(every)) => {
            let within = since % every.0;
            if within < lasts.0 { (true, later(lasts.0 - within)) } else { (false, later(every.0 - within)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::{OperationKind, TraceRow};
    use super::super::session::tests::group;
    use super::*;
    use crate::kernel::dist::Dist;
    use crate::kernel::ids::KeyId;

    const SECOND: u64 = 1_000_000_000;

    /// A hundred sessions, 1000 operations a second.
    fn open(spacing: Spacing, phases: Vec<Phase>) -> GroupConfig {
        GroupConfig { sessions: 100, arrival: Arrival::Open { rate: 1e-6, spacing, phases }, ..group() }
    }

    fn all(config: &GroupConfig) -> Vec<Arriving> {
        Arrivals::new(config, GroupId(0), 1).collect()
    }

    fn times(config: &GroupConfig) -> Vec<u64> {
        all(config).into_iter().map(|arriving| arriving.at.0).collect()
    }

    #[test]
    fn poisson_arrivals_have_their_rate_and_even_ones_their_gap() {
        let poisson = times(&open(Spacing::Poisson, vec![]));
        assert!((poisson.len() as f64 - 10_000.0).abs() < 450.0, "10 s of 1000 a second: {}", poisson.len());
        assert!(poisson.is_sorted() && *poisson.last().unwrap() < 10 * SECOND);
        let even = times(&open(Spacing::Even, vec![]));
        assert_eq!(even, (0..10_000).map(|n| n * SECOND / 1000).collect::<Vec<_>>());
    }

    #[test]
    fn poisson_gaps_are_exponential() {
        let times = times(&open(Spacing::Poisson, vec![]));
        let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        // Ten cells of one chance each.
        let law = Dist::Exponential { mean: 1e6 };
        let mut counts = [0u32; 10];
        gaps.iter().for_each(|&gap| counts[(law.cdf(gap) * 10.0) as usize] += 1);
        let expected = gaps.len() as f64 / 10.0;
        let sum: f64 = counts.iter().map(|&n| (f64::from(n) - expected) * (f64::from(n) - expected) / expected).sum();
        assert!((sum - 9.0) / 18f64.sqrt() < 4.5, "chi-square with 9 degrees of freedom: {sum}");
    }

    #[test]
    fn sessions_are_alike_in_an_open_group() {
        let mut counts = [0u32; 100];
        let arriving = all(&open(Spacing::Even, vec![]));
        arriving.iter().for_each(|arriving| counts[arriving.session_index as usize] += 1);
        let sum: f64 = counts.iter().map(|&n| (f64::from(n) - 100.0) * (f64::from(n) - 100.0) / 100.0).sum();
        assert!(((sum - 99.0) / 198f64.sqrt()).abs() < 4.5, "chi-square with 99 degrees of freedom: {sum}");
    }

    #[test]
    fn a_doubled_rate_brings_the_same_arrivals_in_half_the_time() {
        let mut twice = open(Spacing::Poisson, vec![]);
        twice.arrival = Arrival::Open { rate: 2e-6, spacing: Spacing::Poisson, phases: vec![] };
        let (once, twice) = (all(&open(Spacing::Poisson, vec![])), all(&twice));
        let same = once
            .iter()
            .zip(&twice)
            .all(|(a, b)| a.session_index == b.session_index && a.at.0.abs_diff(2 * b.at.0) <= 3);
        assert!(same && twice.len() > once.len());
    }

    #[test]
    fn phases_stretch_time_and_leave_what_was_before_them() {
        let burst = Phase { from: SimTime(2 * SECOND), lasts: Some(Span(SECOND)), every: None, factor: 3.0 };
        let (plain, phased) = (times(&open(Spacing::Poisson, vec![])), times(&open(Spacing::Poisson, vec![burst])));
        let before = plain.iter().filter(|&&at| at < 2 * SECOND).count();
        assert_eq!(plain[..before], phased[..before]);
        // What comes in the burst's one second is what would have come in three.
        let in_burst = phased.iter().filter(|&&at| (2 * SECOND..3 * SECOND).contains(&at)).count();
        assert_eq!(in_burst, plain.iter().filter(|&&at| (2 * SECOND..5 * SECOND).contains(&at)).count());
        // And what comes later comes 2 s earlier than it would have.
        assert!(
            plain[before + in_burst..]
                .iter()
                .zip(&phased[before + in_burst..])
                .all(|(a, b)| a.abs_diff(b + 2 * SECOND) <= 3)
        );
    }

    #[test]
    fn phases_that_overlap_multiply_and_come_again() {
        let every_other =
            Phase { from: SimTime(SECOND), lasts: Some(Span(SECOND)), every: Some(Span(2 * SECOND)), factor: 0.5 };
        let late = Phase { from: SimTime(7 * SECOND), lasts: None, every: None, factor: 0.0 };
        let times = times(&open(Spacing::Even, vec![every_other, late]));
        let by_second: Vec<usize> = (0..10).map(|s| times.iter().filter(|&&at| at / SECOND == s).count()).collect();
        assert_eq!(by_second, [1000, 500, 1000, 500, 1000, 500, 1000, 0, 0, 0]);
    }

    #[test]
    fn what_is_expected_is_the_integral_of_the_rate() {
        let ms = |ms: u64| SimTime(ms * 1_000_000);
        let phase = |factor| Phase { from: ms(10), lasts: Some(Span(20_000_000)), every: None, factor };
        // One in a millisecond, but ten times that for 20 of the 100 ms.
        let config = open(Spacing::Even, vec![phase(10.0)]);
        let config = GroupConfig { start: SimTime::ZERO, stop: ms(100), operations: None, ..config };
        let close = |until, wanted: f64| (expected(&config, ms(until)).expect("it is open") - wanted).abs() < 1e-6;
        assert!(close(10, 10.0) && close(20, 110.0) && close(100, 280.0) && close(500, 280.0));
        assert_eq!(times(&config).len(), 280, "so many come");
        let limited = GroupConfig { operations: Some(2), ..config };
        assert_eq!(expected(&limited, ms(100)), Some(200.0), "two for each of a hundred sessions");
    }

    #[test]
    fn a_rate_of_0_brings_nothing_even_without_an_end() {
        let pause = Phase { from: SimTime(5), lasts: Some(Span(1)), every: Some(Span(2)), factor: 7.0 };
        let mut config = open(Spacing::Even, vec![pause]);
        config.stop = SimTime::MAX;
        config.arrival = Arrival::Open { rate: 0.0, spacing: Spacing::Even, phases: vec![pause] };
        assert!(times(&config).is_empty());
    }

    #[test]
    fn start_and_stop_frame_a_group() {
        let config =
            GroupConfig { start: SimTime(3 * SECOND), stop: SimTime(4 * SECOND), ..open(Spacing::Even, vec![]) };
        let times = times(&config);
        assert_eq!((times.len(), times[0], times[999]), (1000, 3 * SECOND, 3 * SECOND + 999 * SECOND / 1000));
    }

    #[test]
    fn sessions_that_are_done_are_passed_over() {
        let config = GroupConfig { operations: Some(3), ..open(Spacing::Poisson, vec![]) };
        let mut counts = [0u32; 100];
        let limited = all(&config);
        limited.iter().for_each(|arriving| counts[arriving.session_index as usize] += 1);
        assert_eq!(counts, [3; 100]);
        let unlimited = all(&open(Spacing::Poisson, vec![]));
        assert!(limited.iter().zip(&unlimited).all(|(a, b)| a.at == b.at), "the times are not moved by it");
        assert!(all(&GroupConfig { operations: Some(0), ..config }).is_empty());
    }

    #[test]
    fn a_trace_is_dealt_to_the_sessions_in_turn() {
        let row = |at| TraceRow { at: SimTime(at), operation: OperationKind::Get, key: KeyId(0), size: 0 };
        let rows = vec![row(1), row(10), row(30), row(20), row(40), row(99)];
        let config =
            GroupConfig { sessions: 2, start: SimTime(5), stop: SimTime(50), arrival: Arrival::Trace(rows), ..group() };
        let dealt = |config: &GroupConfig| {
            all(config).iter().map(|a| (a.at.0, a.session_index, a.trace_row.unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(dealt(&config), [(10, 0, 1), (20, 1, 3), (30, 0, 2), (40, 1, 4)]);
        assert_eq!(dealt(&GroupConfig { operations: Some(1), ..config }), [(10, 0, 1), (20, 1, 3)]);
    }

    #[test]
    fn closed_sessions_start_within_a_think_time_and_think_between() {
        let config = GroupConfig {
            sessions: 1000,
            start: SimTime(SECOND),
            operations: Some(2),
            arrival: Arrival::Closed { think: Dist::Constant(1000) },
            ..group()
        };
        let mut arrivals = Arrivals::new(&config, GroupId(0), 1);
        let firsts: Vec<u64> = (0..1000).map(|session| arrivals.first_start(session).unwrap().0 - SECOND).collect();
        let mean = firsts.iter().sum::<u64>() as f64 / 1000.0;
        assert!(firsts.iter().all(|&at| at <= 1000) && (mean - 500.0).abs() < 4.5 * 289.0 / 31.6, "{mean}");
        assert_eq!(arrivals.next_start(3, SimTime(2 * SECOND)), Some(SimTime(2 * SECOND + 1000)));
        assert_eq!(arrivals.next_start(3, SimTime(3 * SECOND)), None, "it has done its two");
        assert_eq!(arrivals.next_start(4, SimTime(10 * SECOND - 1000)), None, "none begins at the stop");
        assert_eq!(arrivals.next(), None);
    }

    #[test]
    fn think_times_of_a_session_are_its_own() {
        let config = GroupConfig { arrival: Arrival::Closed { think: Dist::Exponential { mean: 1e6 } }, ..group() };
        let new = || Arrivals::new(&config, GroupId(0), 1);
        let (mut alone, mut among) = (new(), new());
        let expected: Vec<Span> = (0..50).map(|_| alone.think(2)).collect();
        let thought: Vec<Span> = (0..50)
            .map(|_| {
                among.think(1);
                among.think(2)
            })
            .collect();
        assert_eq!(thought, expected);
        let sum: f64 = (0..10_000).map(|_| among.think(0).0 as f64).sum();
        assert!((sum / 1e4 - 1e6).abs() < 4.5 * 1e6 / 100.0, "the mean is 1 ms: {}", sum / 1e4);
    }

    #[test]
    fn other_groups_have_other_arrivals() {
        let config = open(Spacing::Poisson, vec![]);
        let other: Vec<Arriving> = Arrivals::new(&config, GroupId(1), 1).collect();
        assert_ne!(all(&config), other);
    }
}
