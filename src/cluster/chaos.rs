//! Faults drawn from the seed, as steps of a script.
//!
//! Each class of faults (crashes, cuts, …) has a stream of its own: one class more leaves the draws of the
//! others as they were. The steps are drawn before the run and say times and nodes, so that a run with
//! chaos can be written down as a script, and shrunk. This file does not know how a fault is carried out.

use std::collections::BTreeMap;

use crate::kernel::dist::{Dist, VALUE_MAX};
use crate::kernel::ids::{GroupId, NodeId};
use crate::kernel::rng::{Purpose, Stream};
use crate::kernel::time::{SimTime, Span};
use crate::network::{CutSpec, Degrade, EndSet};
use crate::node::outputs::Admin;
use crate::node::replica::DiskFate;
use crate::workload::mix::last_positions;

use super::config::{Action, Fault, Step, When, WipeWhat};
pub use super::cut_shapes::Shape;
use super::cut_shapes::specs;

/// A kind of fault. The numbers name the streams: they are never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u32)]
pub enum Class {
    /// Processes die.
    Crash = 1,
    /// Processes stop for a while.
    Pause = 2,
    /// Data is lost from running nodes.
    Wipe = 3,
    /// Nodes are slower.
    Slow = 4,
    /// Nothing passes.
    Cut = 5,
    /// Links are worse.
    Link = 6,
    /// Clocks are wrong.
    Skew = 7,
    /// Nodes become members.
    Join = 8,
    /// Members leave.
    Leave = 9,
}

impl Class {
    /// Its name, as scenarios write it.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Crash => "crash",
            Class::Pause => "pause",
            Class::Wipe => "wipe",
            Class::Slow => "slow",
            Class::Cut => "cut",
            Class::Link => "link",
            Class::Skew => "skew",
            Class::Join => "join",
            Class::Leave => "leave",
        }
    }
}

/// How often, for how long, and whom.
#[derive(Clone, PartialEq, Debug)]
pub struct Occurrence {
    /// From one beginning to the next, in nanoseconds.
    pub every: Dist,
    /// Duration in nanoseconds. A wiped node counts as down for so long; joins and leaves have none.
    pub lasts: Dist,
    /// Which nodes; `None`: all members.
    pub among: Option<Vec<NodeId>>,
    /// Groups of clients among them, where they can be met: each gets onto a side of a cut, and sees a bad link.
    pub clients: Vec<GroupId>,
}

impl Default for Occurrence {
    /// Every 10 s for 3 s, both exponential, among all.
    fn default() -> Occurrence {
        Occurrence {
            every: Dist::Exponential { mean: 10e9 },
            lasts: Dist::Exponential { mean: 3e9 },
            among: None,
            clients: Vec::new(),
        }
    }
}

/// Crashes.
#[derive(Clone, PartialEq, Debug)]
pub struct Crash {
    /// When and whom.
    pub occurs: Occurrence,
    /// Fates of the disk and their weights.
    pub disk: Vec<(DiskFate, f64)>,
}

impl Default for Crash {
    /// All disks are kept.
    fn default() -> Crash {
        Crash { occurs: Occurrence::default(), disk: vec![(DiskFate::Kept, 1.0)] }
    }
}

/// Nodes that are slower.
#[derive(Clone, PartialEq, Debug)]
pub struct Slow {
    /// When and whom.
    pub occurs: Occurrence,
    /// Times slower.
    pub storage: f64,
    /// Times slower.
    pub network: f64,
}

impl Default for Slow {
    /// Ten times slower.
    fn default() -> Slow {
        Slow { occurs: Occurrence::default(), storage: 10.0, network: 10.0 }
    }
}

/// Cuts.
#[derive(Clone, PartialEq, Debug)]
pub struct Cut {
    /// When and whom.
    pub occurs: Occurrence,
    /// Shapes and their weights. Those that take more nodes than there are do not come up.
    pub shapes: Vec<(Shape, f64)>,
}

impl Default for Cut {
    /// All shapes alike.
    fn default() -> Cut {
        Cut { occurs: Occurrence::default(), shapes: Shape::ALL.map(|shape| (shape, 1.0)).to_vec() }
    }
}

/// Worse links between one node and all others.
#[derive(Clone, PartialEq, Debug)]
pub struct Link {
    /// When and whom.
    pub occurs: Occurrence,
    /// How.
    pub degrade: Degrade,
}

impl Default for Link {
    /// 5 % lost, 2 % doubled.
    fn default() -> Link {
        let degrade = Degrade { loss: 0.05, duplicate: 0.02, ..Degrade::default() };
        Link { occurs: Occurrence::default(), degrade }
    }
}

/// Wrong clocks.
#[derive(Clone, PartialEq, Debug)]
pub struct Skew {
    /// When and whom.
    pub occurs: Occurrence,
    /// By how many nanoseconds, fast or slow alike.
    pub by: Dist,
}

impl Default for Skew {
    /// Exponential with a mean of 100 ms.
    fn default() -> Skew {
        Skew { occurs: Occurrence::default(), by: Dist::Exponential { mean: 100e6 } }
    }
}

/// Data lost from running nodes.
#[derive(Clone, PartialEq, Debug)]
pub struct Wipe {
    /// When and whom.
    pub occurs: Occurrence,
    /// Which part of a node's keys, 0 to 1.
    pub fraction: f64,
}

impl Default for Wipe {
    /// Everything.
    fn default() -> Wipe {
        Wipe { occurs: Occurrence::default(), fraction: 1.0 }
    }
}

/// What may go wrong. A class that is `None` is off.
#[derive(Clone, PartialEq, Debug)]
pub struct ChaosConfig {
    /// No fault begins before this.
    pub from: SimTime,
    /// None begins from here on, and all have ended.
    pub to: SimTime,
    /// Chance that a class exists in a run.
    pub present: f64,
    /// At most so many nodes are crashed, paused or wiped together.
    pub down_at_once: u32,
    /// Crashes.
    pub crash: Option<Crash>,
    /// Pauses.
    pub pause: Option<Occurrence>,
    /// Slow nodes.
    pub slow: Option<Slow>,
    /// Cuts.
    pub cut: Option<Cut>,
    /// Worse links.
    pub link: Option<Link>,
    /// Wrong clocks.
    pub skew: Option<Skew>,
    /// Lost data.
    pub wipe: Option<Wipe>,
    /// Spares that join.
    pub join: Option<Occurrence>,
    /// Members that leave.
    pub leave: Option<Occurrence>,
}

impl ChaosConfig {
    /// The default profile: crashes, pauses, slow nodes, cuts and worse links.
    pub fn new(from: SimTime, to: SimTime) -> ChaosConfig {
        ChaosConfig {
            from,
            to,
            present: 0.5,
            down_at_once: 1,
            crash: Some(Crash::default()),
            pause: Some(Occurrence::default()),
            slow: Some(Slow::default()),
            cut: Some(Cut::default()),
            link: Some(Link::default()),
            skew: None,
            wipe: None,
            join: None,
            leave: None,
        }
    }
}

/// Who is there to suffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nodes {
    /// Members at the start.
    pub members: Vec<NodeId>,
    /// Nodes that may join, in this order.
    pub spares: Vec<NodeId>,
    /// Where an administrator speaks: the first of these that is a member and up; else any such member.
    pub seeds: Vec<NodeId>,
    /// The greatest N of all profiles: N + 1 members stay.
    pub n: u32,
}

/// Draws the faults of the run with this seed, in order of time. Steps are named `crash-1`, `crash-2`, `cut-1` …
///
/// Crashes, pauses and wipes yield to one another in this order: one that would put too many nodes down
/// together, or hit one that is down, is left out. So is one that would slow a slow node. Leaves yield to what is needed to keep N + 1 members.
///
/// # Panics
/// If faults come at intervals of always 0, the weights of disks are none, or the last member would change. What the
/// distributions say is checked by the scenario.
pub fn draw(config: &ChaosConfig, seed: u64, nodes: &Nodes) -> Vec<Step> {
    let mut plan = Plan { config, seed, nodes, down: Vec::new(), membership: Vec::new(), steps: Vec::new() };
    plan.draw_downs();
    plan.draw_others();
    plan.draw_membership();
    let mut steps = plan.steps;
    // Stable: at one time, classes keep their order.
    steps.sort_by_key(|&(at, _)| at);
    steps.into_iter().map(|(_, step)| step).collect()
}

struct Plan<'a> {
    config: &'a ChaosConfig,
    seed: u64,
    nodes: &'a Nodes,
    /// Node, from when, until when it is crashed, paused or wiped.
    down: Vec<(NodeId, SimTime, SimTime)>,
    /// When a node becomes a member (true) or is none any more.
    membership: Vec<(SimTime, NodeId, bool)>,
    steps: Vec<(SimTime, Step)>,
}

/// One fault of a class: from when, how long, and where its node is on the list of candidates.
struct Draw {
    at: SimTime,
    lasts: Span,
    node: NodeId,
}

impl Plan<'_> {
    fn draw_downs(&mut self) {
        let config = self.config;
        if let Some(crash) = &config.crash {
            let weights: Vec<f64> = crash.disk.iter().map(|&(_, weight)| weight).collect();
            self.each(Class::Crash, &crash.occurs, |plan, stream, draw| {
                let disk = crash.disk[weighted(stream, &weights)].0;
                plan.goes_down(&draw).then(|| Fault::Crash { nodes: vec![draw.node], disk })
            });
        }
        if let Some(occurs) = &config.pause {
            self.each(Class::Pause, occurs, |plan, _, draw| {
                plan.goes_down(&draw).then(|| Fault::Pause { nodes: vec![draw.node] })
            });
        }
        if let Some(wipe) = &config.wipe {
            let what = || if wipe.fraction >= 1.0 { WipeWhat::All } else { WipeWhat::Fraction(wipe.fraction) };
            self.each(Class::Wipe, &wipe.occurs, |plan, _, draw| {
                plan.goes_down(&draw).then(|| Fault::Wipe { nodes: vec![draw.node], what: what() })
            });
        }
    }

    fn draw_others(&mut self) {
        let config = self.config;
        if let Some(slow) = &config.slow {
            // Factors multiply: a node that is slow already would come to a stand, and its messages with it.
            let mut until: BTreeMap<NodeId, SimTime> = BTreeMap::new();
            self.each(Class::Slow, &slow.occurs, |_, _, draw| {
                let until = until.entry(draw.node).or_insert(SimTime::ZERO);
                let is_slow = draw.at < *until;
                *until = (*until).max(if is_slow { *until } else { draw.at + draw.lasts });
                let fault = Fault::Slow { nodes: vec![draw.node], storage: slow.storage, network: slow.network };
                (!is_slow).then_some(fault)
            });
        }
        if let Some(cut) = &config.cut {
            let among = self.among(&cut.occurs);
            let shapes: Vec<(Shape, f64)> =
                cut.shapes.iter().copied().filter(|(shape, weight)| shape.fits(among.len()) && *weight > 0.0).collect();
            let weights: Vec<f64> = shapes.iter().map(|&(_, weight)| weight).collect();
            if !shapes.is_empty() {
                self.each(Class::Cut, &cut.occurs, |_, stream, _| {
                    let mut order = among.clone();
                    stream.shuffle(&mut order);
                    let mut specs = specs(shapes[weighted(stream, &weights)].0, &order);
                    for &group in &cut.occurs.clients {
                        let spec = stream.below(specs.len() as u64) as usize;
                        let side = match &mut specs[spec] {
                            CutSpec::Between(groups) => {
                                let side = stream.below(groups.len() as u64) as usize;
                                &mut groups[side]
                            }
                            CutSpec::OneWay { from, to } => {
                                if stream.chance(0.5) {
                                    from
                                } else {
                                    to
                                }
                            }
                        };
                        side.groups.push(group);
                    }
                    Some(Fault::Cut(specs))
                });
            }
        }
        if let Some(link) = &config.link {
            let among = self.among(&link.occurs);
            if among.len() > 1 {
                self.each(Class::Link, &link.occurs, |_, _, draw| {
                    let others = among.iter().filter(|&&node| node != draw.node).map(|node| node.0);
                    let mut others = EndSet::of_nodes(others);
                    others.groups.extend(&link.occurs.clients);
                    let ends = CutSpec::Between(vec![EndSet::of_nodes([draw.node.0]), others]);
                    Some(Fault::Link { ends, degrade: link.degrade.clone() })
                });
            }
        }
        if let Some(skew) = &config.skew {
            self.each(Class::Skew, &skew.occurs, |_, stream, draw| {
                let by = sample(&skew.by, stream) as i64;
                let by = if stream.chance(0.5) { by } else { -by };
                Some(Fault::Skew { nodes: vec![draw.node], by })
            });
        }
    }

    fn draw_membership(&mut self) {
        let config = self.config;
        if let Some(occurs) = &config.join {
            let mut spares = self.nodes.spares.iter();
            self.each_action(Class::Join, occurs, |plan, _, draw| {
                let &node = spares.next()?;
                plan.membership.push((draw.at, node, true));
                Some((Action::Admin { command: Admin::Join(node), via: node }, None))
            });
        }
        if let Some(occurs) = &config.leave {
            self.each_action(Class::Leave, occurs, |plan, _, draw| {
                let members = plan.members_at(draw.at);
                let enough = members.len() as u64 > u64::from(plan.nodes.n) + 1;
                if !enough || !members.contains(&draw.node) {
                    return None;
                }
                plan.membership.push((draw.at, draw.node, false));
                Some((Action::Admin { command: Admin::Leave(draw.node), via: draw.node }, None))
            });
        }
        // Who is a member at the time of a join is known only when all leaves are.
        let mut steps = std::mem::take(&mut self.steps);
        for (at, step) in &mut steps {
            if let Action::Admin { via, .. } = &mut step.action {
                *via = self.via(*at, *via);
            }
        }
        self.steps = steps;
    }

    fn each(
        &mut self,
        class: Class,
        occurs: &Occurrence,
        mut fault: impl FnMut(&mut Self, &mut Stream, Draw) -> Option<Fault>,
    ) {
        self.each_action(class, occurs, |plan, stream, draw| {
            let lasts = draw.lasts;
            fault(plan, stream, draw).map(|fault| (Action::Fault(fault), Some(Dist::Constant(lasts.0))))
        });
    }

    /// Walks through the draws of a class, if this run has it.
    fn each_action(
        &mut self,
        class: Class,
        occurs: &Occurrence,
        mut action: impl FnMut(&mut Self, &mut Stream, Draw) -> Option<(Action, Option<Dist>)>,
    ) {
        let mut stream = Stream::new(self.seed, Purpose::Chaos, u64::from(class as u32));
        let among = self.among(occurs);
        if !stream.chance(self.config.present) || among.is_empty() {
            return;
        }
        assert!(occurs.every.mean() > 0.0, "faults of a class come at intervals above 0");
        let (mut at, mut count) = (self.config.from, 0u32);
        loop {
            at = SimTime(at.0.saturating_add(sample(&occurs.every, &mut stream).max(1)));
            if at >= self.config.to {
                return;
            }
            // A fault of no length would be none.
            let lasts = Span(sample(&occurs.lasts, &mut stream).max(1)).min(self.config.to.since(at));
            let node = among[stream.below(among.len() as u64) as usize];
            if let Some((action, lasts)) = action(self, &mut stream, Draw { at, lasts, node }) {
                count += 1;
                let name = Some(format!("{}-{count}", class.name()));
                let when = When::At(at);
                self.steps.push((at, Step { name, when, lasts, repeat: None, action, expect: None }));
            }
        }
    }

    fn among(&self, occurs: &Occurrence) -> Vec<NodeId> {
        occurs.among.clone().unwrap_or_else(|| self.nodes.members.clone())
    }

    /// Notes that a node is down, unless too many would be, or it is already.
    fn goes_down(&mut self, draw: &Draw) -> bool {
        let (from, to) = (draw.at, draw.at + draw.lasts);
        // Ends count as well: a node that comes up at the same instant is not up yet.
        let meets = |since: SimTime, until: SimTime| since <= to && from <= until;
        let met: Vec<_> = self.down.iter().copied().filter(|&(_, since, until)| meets(since, until)).collect();
        if met.iter().any(|&(node, ..)| node == draw.node) {
            return false;
        }
        // Most are down together at the beginning of one of them.
        let at_once = |at: SimTime| met.iter().filter(|&&(_, since, until)| since <= at && at <= until).count() as u64;
        let beginnings = met.iter().map(|&(_, since, _)| since.max(from)).chain([from]);
        let most = beginnings.map(at_once).max().unwrap_or(0);
        if most + 1 > u64::from(self.config.down_at_once) {
            return false;
        }
        self.down.push((draw.node, from, to));
        true
    }

    fn members_at(&self, at: SimTime) -> Vec<NodeId> {
        let mut members = self.nodes.members.clone();
        let mut changes: Vec<_> = self.membership.iter().filter(|&&(when, ..)| when <= at).collect();
        changes.sort_by_key(|&&(when, ..)| when);
        for &&(_, node, joins) in &changes {
            if joins {
                members.push(node);
            } else {
                members.retain(|&member| member != node);
            }
        }
        members
    }

    /// The member at which an administrator says something about `about`: one that is up, if there is any.
    fn via(&self, at: SimTime, about: NodeId) -> NodeId {
        let members = self.members_at(at);
        let is_down =
            |node: NodeId| self.down.iter().any(|&(down, since, until)| down == node && since <= at && at <= until);
        let others =
            || self.nodes.seeds.iter().chain(&members).filter(|&&node| node != about && members.contains(&node));
        let up = others().find(|&&node| !is_down(node));
        *up.or_else(|| others().next()).expect("a cluster that changes has another member")
    }
}

/// One value. Too few are drawn here to pay for the tables of a compiled distribution.
fn sample(dist: &Dist, stream: &mut Stream) -> u64 {
    // The conversion saturates.
    (dist.quantile(stream.unit()).round() as u64).min(VALUE_MAX)
}

fn weighted(stream: &mut Stream, weights: &[f64]) -> usize {
    let parts = last_positions(weights.iter().copied());
    let bits = stream.bits();
    parts.iter().find(|part| bits <= part.1).expect("the parts cover all positions").0
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: SimTime = SimTime(60_000_000_000);

    fn nodes() -> Nodes {
        Nodes {
            members: (0..7).map(NodeId).collect(),
            spares: vec![NodeId(8), NodeId(7)],
            seeds: vec![NodeId(1)],
            n: 3,
        }
    }

    /// Everything on, and always there.
    fn everything() -> ChaosConfig {
        ChaosConfig {
            present: 1.0,
            skew: Some(Skew::default()),
            wipe: Some(Wipe { fraction: 0.5, ..Wipe::default() }),
            join: Some(Occurrence::default()),
            leave: Some(Occurrence::default()),
            ..ChaosConfig::new(SimTime(5_000_000_000), MINUTE)
        }
    }

    fn at(step: &Step) -> u64 {
        match step.when {
            When::At(at) => at.0,
            When::After { .. } => panic!("chaos names its times"),
        }
    }

    fn lasts(step: &Step) -> u64 {
        match &step.lasts {
            Some(Dist::Constant(lasts)) => *lasts,
            other => panic!("a fault of chaos lasts a time that is known: {other:?}"),
        }
    }

    fn of<'a>(steps: &'a [Step], class: &'a str) -> impl Iterator<Item = &'a Step> {
        steps.iter().filter(move |step| step.name.as_ref().unwrap().rsplit_once('-').unwrap().0 == class)
    }

    /// Node, from when, until when it is down.
    fn downs(steps: &[Step]) -> Vec<(NodeId, u64, u64)> {
        let down = |step: &Step| match &step.action {
            Action::Fault(Fault::Crash { nodes, .. } | Fault::Pause { nodes } | Fault::Wipe { nodes, .. }) => {
                Some((nodes[0], at(step), at(step) + lasts(step)))
            }
            _ => None,
        };
        steps.iter().filter_map(down).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_steps_in_order_of_time() {
        let steps = draw(&everything(), 1, &nodes());
        assert_eq!(steps, draw(&everything(), 1, &nodes()));
        assert_ne!(steps, draw(&everything(), 2, &nodes()));
        assert!(steps.is_sorted_by_key(at));
        for class in ["crash", "pause", "wipe", "slow", "cut", "link", "skew", "join", "leave"] {
            let seen = (0..20).any(|seed| of(&draw(&everything(), seed, &nodes()), class).next().is_some());
            assert!(seen, "{class} comes up");
        }
        let names: std::collections::BTreeSet<_> = steps.iter().map(|step| step.name.clone()).collect();
        assert_eq!(names.len(), steps.len(), "names are unique");
        assert_eq!(of(&steps, "cut").next().unwrap().name.as_deref(), Some("cut-1"));
    }

    #[test]
    fn everything_begins_after_from_and_ends_by_to() {
        let mut cut_short = 0;
        for seed in 0..50 {
            for step in draw(&everything(), seed, &nodes()) {
                assert!(at(&step) > 5_000_000_000 && at(&step) < MINUTE.0);
                if matches!(step.action, Action::Fault(_)) {
                    assert!(lasts(&step) > 0 && at(&step) + lasts(&step) <= MINUTE.0, "seed {seed}: {step:?}");
                    cut_short += u32::from(at(&step) + lasts(&step) == MINUTE.0);
                }
            }
        }
        assert!(cut_short > 20, "some faults would have lasted beyond the end: {cut_short}");
    }

    #[test]
    fn not_too_many_nodes_are_down_together() {
        for (limit, must_reach) in [(0, 0), (1, 1), (2, 2), (3, 3)] {
            let mut reached = 0;
            for seed in 0..60 {
                let often = Occurrence { every: Dist::Exponential { mean: 3e9 }, ..Occurrence::default() };
                let config = ChaosConfig {
                    down_at_once: limit,
                    crash: Some(Crash { occurs: often.clone(), ..Crash::default() }),
                    pause: Some(often),
                    ..everything()
                };
                let downs = downs(&draw(&config, seed, &nodes()));
                for &(_, from, _) in &downs {
                    let together: Vec<NodeId> = downs
                        .iter()
                        .filter(|&&(_, since, until)| since <= from && from <= until)
                        .map(|down| down.0)
                        .collect();
                    let mut apart = together.clone();
                    apart.sort_unstable();
                    apart.dedup();
                    assert_eq!(apart.len(), together.len(), "seed {seed}: no node goes down that is down");
                    reached = reached.max(together.len() as u32);
                }
            }
            assert_eq!(reached, must_reach, "at most {limit} are down, and at times so many are");
        }
    }

    #[test]
    fn a_class_more_leaves_the_others_as_they_were() {
        for seed in 0..20 {
            let full = draw(&everything(), seed, &nodes());
            let without = |config| draw(&config, seed, &nodes());
            let no_cuts = without(ChaosConfig { cut: None, ..everything() });
            let rest: Vec<Step> =
                full.iter().filter(|step| of(std::slice::from_ref(step), "cut").next().is_none()).cloned().collect();
            assert_eq!(no_cuts, rest, "seed {seed}");
            let no_pauses = without(ChaosConfig { pause: None, wipe: None, leave: None, ..everything() });
            for class in ["crash", "slow", "cut", "link", "skew"] {
                assert!(of(&no_pauses, class).eq(of(&full, class)), "seed {seed}: {class}");
            }
        }
    }

    #[test]
    fn a_class_is_there_by_chance() {
        let config = ChaosConfig::new(SimTime::ZERO, SimTime(600_000_000_000));
        let count = (0..1000).filter(|&seed| of(&draw(&config, seed, &nodes()), "cut").next().is_some()).count() as f64;
        assert!((count - 500.0).abs() < 4.5 * 15.9, "half of the runs have cuts: {count}");
        assert!(draw(&ChaosConfig { present: 0.0, ..everything() }, 1, &nodes()).is_empty());
    }

    #[test]
    fn faults_come_as_often_and_for_as_long_as_the_profile_says() {
        let to = SimTime(100_000_000_000_000);
        let config = ChaosConfig { present: 1.0, crash: None, pause: None, ..ChaosConfig::new(SimTime::ZERO, to) };
        let steps = draw(&config, 1, &nodes());
        let links: Vec<&Step> = of(&steps, "link").collect();
        assert!((links.len() as f64 - 1e4).abs() < 450.0, "one in 10 s: {}", links.len());
        let mean = links.iter().map(|step| lasts(step) as f64).sum::<f64>() / links.len() as f64;
        assert!((mean - 3e9).abs() < 4.5 * 3e9 / 100.0, "3 s in the mean: {mean}");
    }

    #[test]
    fn shapes_and_disks_come_by_their_weights() {
        let to = SimTime(20_000_000_000_000);
        let mut config = ChaosConfig { present: 1.0, pause: None, ..ChaosConfig::new(SimTime::ZERO, to) };
        config.crash = Some(Crash {
            disk: vec![(DiskFate::Kept, 0.0), (DiskFate::Lost, 3.0), (DiskFate::TailLost, 1.0)],
            ..Crash::default()
        });
        let steps = draw(&config, 1, &nodes());
        let lost = |step: &&Step| matches!(step.action, Action::Fault(Fault::Crash { disk: DiskFate::Lost, .. }));
        let kept = |step: &Step| matches!(step.action, Action::Fault(Fault::Crash { disk: DiskFate::Kept, .. }));
        let (all, lost) = (of(&steps, "crash").count() as f64, of(&steps, "crash").filter(lost).count() as f64);
        assert!((lost - 0.75 * all).abs() < 4.5 * (all * 0.1875).sqrt() && !steps.iter().any(kept), "{lost} of {all}");
        // The sizes of the groups tell the shapes apart, and a ring has one part for each node.
        let mut counts = [0u32; 5];
        for step in of(&steps, "cut") {
            let Action::Fault(Fault::Cut(specs)) = &step.action else { panic!("a cut cuts") };
            counts[match specs.as_slice() {
                [CutSpec::OneWay { .. }] => 0,
                [CutSpec::Between(groups)] => match (groups[0].nodes.len(), groups[1].nodes.len()) {
                    (1, 6) => 1,
                    (3, 4) => 2,
                    (3, 3) => 3,
                    other => panic!("no shape has {other:?}"),
                },
                ring => {
                    assert_eq!(ring.len(), 7);
                    4
                }
            }] += 1;
        }
        let (total, p) = (f64::from(counts.iter().sum::<u32>()), 0.2);
        let sd = (total * p * (1.0 - p)).sqrt();
        assert!(counts.iter().all(|&n| (f64::from(n) - total * p).abs() < 4.5 * sd), "{counts:?}");
    }

    #[test]
    fn spares_join_in_order_and_enough_members_stay() {
        let often = Occurrence { every: Dist::Exponential { mean: 1e9 }, ..Occurrence::default() };
        let mut fewest = usize::MAX;
        for seed in 0..30 {
            let config = ChaosConfig { leave: Some(often.clone()), ..everything() };
            let (mut joined, mut members) = (vec![], nodes().members);
            let steps = draw(&config, seed, &nodes());
            let downs = downs(&steps);
            for step in &steps {
                let Action::Admin { command, via } = &step.action else { continue };
                assert!(members.contains(via), "seed {seed}: commands are said at a member");
                let is_down = downs.iter().any(|&(node, from, to)| node == *via && from <= at(step) && at(step) <= to);
                assert!(!is_down, "seed {seed}: which is up");
                match command {
                    Admin::Join(node) => {
                        joined.push(*node);
                        members.push(*node);
                    }
                    Admin::Leave(node) => {
                        assert!(members.contains(node) && node != via, "seed {seed}: only another member leaves");
                        members.retain(|member| member != node);
                    }
                    Admin::Replace { .. } => panic!("chaos replaces nothing"),
                }
                assert!(members.len() >= 4, "seed {seed}: N + 1 members stay");
            }
            assert!(nodes().spares.starts_with(&joined), "seed {seed}: {joined:?}");
            fewest = fewest.min(members.len());
        }
        assert_eq!(fewest, 4, "with so many leaves, at times no more than that stay");
    }

    #[test]
    fn among_names_who_suffers_and_clients_are_left_alone() {
        let pair = || Some(vec![NodeId(2), NodeId(5)]);
        let some = Occurrence { among: pair(), ..Occurrence::default() };
        let config = ChaosConfig {
            crash: Some(Crash { occurs: some.clone(), ..Crash::default() }),
            cut: Some(Cut { occurs: some.clone(), ..Cut::default() }),
            link: Some(Link { occurs: some, ..Link::default() }),
            ..everything()
        };
        let mut cuts = 0;
        for step in (0..20).flat_map(|seed| draw(&config, seed, &nodes())) {
            let specs = match &step.action {
                Action::Fault(Fault::Crash { nodes, .. }) => {
                    assert!(nodes == &[NodeId(2)] || nodes == &[NodeId(5)]);
                    continue;
                }
                Action::Fault(Fault::Cut(specs)) => specs.clone(),
                Action::Fault(Fault::Link { ends, .. }) => vec![ends.clone()],
                _ => continue,
            };
            cuts += 1;
            for spec in specs {
                let sets = match spec {
                    CutSpec::Between(groups) => groups,
                    CutSpec::OneWay { from, to } => vec![from, to],
                };
                let mut ends: Vec<NodeId> = sets.iter().flat_map(|set| set.nodes.clone()).collect();
                ends.sort_unstable();
                assert_eq!(Some(ends), pair());
                assert!(sets.iter().all(|set| set.groups.is_empty() && set.regions.is_empty()));
            }
        }
        assert!(cuts > 50, "there were cuts and worse links: {cuts}");
    }

    #[test]
    fn clocks_go_wrong_both_ways() {
        let steps: Vec<Step> = (0..20).flat_map(|seed| draw(&everything(), seed, &nodes())).collect();
        let by = |step: &Step| match step.action {
            Action::Fault(Fault::Skew { by, .. }) => by,
            _ => panic!("a skew is a skew"),
        };
        assert!(of(&steps, "skew").any(|step| by(step) > 0) && of(&steps, "skew").any(|step| by(step) < 0));
    }
}
