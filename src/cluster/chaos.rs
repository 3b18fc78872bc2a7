//! Faults drawn from the seed, as steps of a script.
//!
//! Each class of faults (crashes, cuts, …) has a stream of its own: one class more leaves the draws of the
//! others as they were. The steps are drawn before the run and say times and nodes, so that a run with
//! chaos can be written down as a script, and shrunk. This file does not know how a fault is carried out.

use crate::kernel::dist::Dist;
use crate::kernel::ids::NodeId;
use crate::kernel::rng::{Purpose, Stream};
use crate::kernel::time::{SimTime, Span};
use crate::network::{CutSpec, Degrade};
use crate::node::outputs::Admin;
use crate::node::replica::DiskFate;

use super::config::{Action, Fault, Step, WipeWhat};
use super::cut_shapes::{Shape, specs};

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
}

impl Default for Occurrence {
    /// Every 10 s for 3 s, both exponential, among all.
    fn default() -> Occurrence {
        Occurrence { every: Dist::Exponential { mean: 10e9 }, lasts: Dist::Exponential { mean: 3e9 }, among: None }
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
/// together, or hit one that is down, is left out. Leaves yield to what is needed to keep N + 1 members.
///
/// # Panics
/// If a distribution or weight does not pass its check, or faults come at intervals of always 0.
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
            self.each(Class::Slow, &slow.occurs, |_, _, draw| {
                Some(Fault::Slow { nodes: vec![draw.node], storage: slow.storage, network: slow.network })
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
                    Some(Fault::Cut(specs(shapes[weighted(stream, &weights)].0, &order)))
                });
            }
        }
        if let Some(link) = &config.link {
            let among = self.among(&link.occurs);
            if among.len() > 1 {
                self.each(Class::Link, &link.occurs, |_, _, draw| {
                    let others = among.iter().filter(|&&node| node != draw.node).map(|node| node.0);
                    let ends = CutSpec::Between(vec![
                        crate::network::EndSet::of_nodes([draw.node.0]),
                        crate::network::EndSet::of_nodes(others),
                    ]);
                    Some(Fault::Link { ends, degrade: link.degrade })
                });
            }
        }
        if let Some(skew) = &config.skew {
            let sampler = skew.by.compile();
            self.each(Class::Skew, &skew.occurs, |_, stream, draw| {
                let by = sampler.sample(stream.bits()) as i64;
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
                let via = plan.via(draw.at, node)?;
                plan.membership.push((draw.at, node, true));
                Some((Action::Admin { command: Admin::Join(node), via }, None))
            });
        }
        if let Some(occurs) = &config.leave {
            self.each_action(Class::Leave, occurs, |plan, _, draw| {
                let members = plan.members_at(draw.at);
                let enough = members.len() as u64 > u64::from(plan.nodes.n) + 1;
                if !enough || !members.contains(&draw.node) {
                    return None;
                }
                let via = plan.via(draw.at, draw.node)?;
                plan.membership.push((draw.at, draw.node, false));
                Some((Action::Admin { command: Admin::Leave(draw.node), via }, None))
            });
        }
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
        let (every, lasts) = (occurs.every.compile(), occurs.lasts.compile());
        assert!(!every.is_zero(), "faults of a class come at intervals above 0");
        let (mut at, mut count) = (self.config.from, 0u32);
        loop {
            at = SimTime(at.0.saturating_add(every.sample(stream.bits()).max(1)));
            if at >= self.config.to {
                return;
            }
            // A fault of no length would be none.
            let lasts = Span(lasts.sample(stream.bits()).max(1)).min(self.config.to.since(at));
            let node = among[stream.below(among.len() as u64) as usize];
            if let Some((action, lasts)) = action(self, &mut stream, Draw { at, lasts, node }) {
                count += 1;
                let name = Some(format!("{}-{count}", class.name()));
                let when = super::config::When::At(at);
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

    /// The member at which an administrator says something about `about`.
    fn via(&self, at: SimTime, about: NodeId) -> Option<NodeId> {
        let members = self.members_at(at);
        let is_down = |node: NodeId| self.down.iter().any(|&(down, since, until)| down == node && since <= at && at <= until);
        let fits = |node: &&NodeId| **node != about && members.contains(node) && !is_down(**node);
        self.nodes.seeds.iter().chain(&members).find(fits).copied()
    }
}

fn weighted(stream: &mut Stream, weights: &[f64]) -> usize {
    let parts = crate::workload::mix::last_positions(weights.iter().copied());
    let bits = stream.bits();
    parts.iter().find(|part| bits <= part.1).expect("the parts cover all positions").0
}
