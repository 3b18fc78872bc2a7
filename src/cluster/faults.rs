//! What goes wrong: faults begin and end on the timeline of the script, and each counts how often it bit.

use crate::history::{Observation, WayEnd};
use crate::kernel::ids::NodeId;
use crate::kernel::rng::{Purpose, Stream};
use crate::kernel::time::{SimTime, Span};
use crate::network::{FaultId, Network};
use crate::node::Node;
use crate::node::outputs::{Input, Timer};
use crate::node::replica::DiskFate;

use super::config::{Action, Fault, WindowSpan, WipeWhat};
use super::event::Event;
use super::outcome::FaultResult;
use super::reach::Process;
use super::simulation::Simulation;

/// One fault that has begun.
#[derive(Debug)]
struct Begun {
    step: u32,
    from: SimTime,
    to: Option<SimTime>,
    /// Hits that are not the network's.
    hits: u64,
    /// Whether only failures of disks count, not accesses.
    is_disk_error: bool,
    /// Nodes' counters at the beginning, to tell from their growth how often it bit.
    counters: Vec<(NodeId, u64)>,
    /// How often requests had passed over each node that this fault has stopped.
    passed_over: Vec<(NodeId, u64)>,
}

/// All faults of a run.
#[derive(Default)]
pub(super) struct Faults {
    begun: Vec<Begun>,
    /// Fault steps that have not happened yet, repetitions included.
    pub to_come: u64,
    active: u64,
    /// Number of the fault that keeps each node down or paused.
    stops: Vec<(NodeId, u32)>,
    /// Timers that fell due at a paused node: node, place in its inbox, timer.
    pub paused_timers: Vec<(NodeId, usize, Timer)>,
}

impl Faults {
    /// A message or a timer met a node that does not work.
    pub fn bites_node(&mut self, node: NodeId) {
        if let Some(&(_, fault)) = self.stops.iter().rev().find(|(stopped, _)| *stopped == node) {
            self.begun[fault as usize].hits += 1;
        }
    }

    /// What became of all of them.
    pub fn results(&self, _now: SimTime, network: &Network, nodes: &[Node]) -> Vec<FaultResult> {
        self.begun
            .iter()
            .enumerate()
            .map(|(number, fault)| {
                let grown = fault.counters.iter().map(|&(node, before)| {
                    let node = &nodes[node.index()];
                    if fault.is_disk_error { node.disk_errors - before } else { counter(node) - before }
                });
                let grown: u64 = grown.sum();
                let open = if fault.to.is_none() { grown } else { 0 };
                let hits = fault.hits + open + network.hits(FaultId(number as u32));
                FaultResult { step: fault.step, from: fault.from, to: fault.to, hits }
            })
            .collect()
    }
}

/// Grows with all that a slow or failing disk or a wrong clock can touch.
fn counter(node: &Node) -> u64 {
    node.stats.reads + node.stats.writes + node.stats.puts_led + node.disk_errors
}

impl Simulation<'_> {
    /// A fault begins.
    pub(super) fn begin_fault(&mut self, step: u32, fault: &Fault, lasts: Option<Span>) {
        let number = self.faults.begun.len() as u32;
        let id = FaultId(number);
        let first = self.faults.begun.is_empty();
        self.faults.begun.push(Begun {
            step,
            from: self.now,
            to: None,
            hits: 0,
            is_disk_error: matches!(fault, Fault::DiskError { .. }),
            counters: Vec::new(),
            passed_over: Vec::new(),
        });
        self.faults.to_come -= 1;
        self.faults.active += 1;
        if first {
            self.turn_windows(|span| span == WindowSpan::Before, false);
            self.turn_windows(|span| span == WindowSpan::During, true);
        }
        self.turn_windows(|span| span == WindowSpan::Step(step), true);
        if self.interest.faults {
            self.observe(&Observation::FaultBegins { step });
        }
        let mut over_at_once = false;
        match fault {
            Fault::Crash { nodes, disk } => {
                for &node in nodes {
                    self.crash(node, *disk, number);
                }
            }
            Fault::Wipe { nodes, what } => {
                let mut lost = 0;
                for &node in nodes {
                    lost += self.wipe(node, what, number);
                }
                self.faults.begun[number as usize].hits += lost;
                over_at_once = true;
            }
            Fault::Pause { nodes } => {
                for &node in nodes {
                    // There is no process to stop where it has crashed.
                    if self.processes[node.index()] != Process::Down {
                        self.stop(node, Process::Paused, number);
                    }
                }
            }
            Fault::Slow { nodes, storage, network } => {
                for &node in nodes {
                    self.nodes[node.index()].storage_factor *= storage;
                }
                self.network.set_slow(id, nodes, *network);
                if *storage != 1.0 && !self.commons.instant_storage {
                    self.watch_counters(number, nodes);
                }
            }
            Fault::DiskError { nodes, on, chance } => {
                for &node in nodes {
                    let node = &mut self.nodes[node.index()];
                    self.faults.begun[number as usize].counters.push((node.id(), counter(node)));
                    node.disk_error = Some((*on, *chance));
                }
                // Only failures count, not accesses.
                for (node, before) in &mut self.faults.begun[number as usize].counters {
                    *before = self.nodes[node.index()].disk_errors;
                }
            }
            Fault::Skew { nodes, by } => {
                for &node in nodes {
                    self.nodes[node.index()].skew += by;
                }
                self.watch_counters(number, nodes);
            }
            Fault::Cut(cuts) => {
                for cut in cuts {
                    self.network.add_cut(id, cut);
                }
            }
            Fault::Link { ends, degrade } => self.network.add_link_fault(id, ends, degrade.clone()),
        }
        self.connections_changed();
        if over_at_once {
            self.end_fault(number);
        } else if let Some(lasts) = lasts {
            self.agenda.schedule(self.now + lasts, Event::FaultEnds { fault: number });
        }
    }

    fn watch_counters(&mut self, number: u32, nodes: &[NodeId]) {
        let counters = nodes.iter().map(|&node| (node, counter(&self.nodes[node.index()]))).collect();
        self.faults.begun[number as usize].counters = counters;
    }

    /// A fault ends.
    pub(super) fn end_fault(&mut self, number: u32) {
        let config = self.config;
        let fault = &mut self.faults.begun[number as usize];
        if fault.to.is_some() {
            return;
        }
        fault.to = Some(self.now);
        let (step, counters) = (fault.step, std::mem::take(&mut fault.counters));
        self.record(u64::from(number), u64::from(step), 5 << 56);
        let Action::Fault(what) = &config.steps[step as usize].action else {
            unreachable!("a fault comes from a fault's step")
        };
        // First the cause, then what follows from it.
        if self.interest.faults {
            self.observe(&Observation::FaultEnds { step });
        }
        let is_disk_error = matches!(what, Fault::DiskError { .. });
        let grown: u64 = counters
            .iter()
            .map(|&(node, before)| {
                let node = &self.nodes[node.index()];
                if is_disk_error { node.disk_errors - before } else { counter(node) - before }
            })
            .sum();
        self.faults.begun[number as usize].hits += grown;
        match what {
            Fault::Crash { nodes, .. } => {
                for &node in nodes {
                    self.restart_if_stopped_by(node, Some(number));
                }
            }
            Fault::Pause { nodes } => {
                for &node in nodes {
                    self.resume(node, number);
                }
            }
            Fault::Slow { nodes, .. } => {
                for &node in nodes {
                    // Made anew from what still holds: dividing would not give 1 back.
                    let others = self.faults.begun.iter().filter(|other| other.to.is_none());
                    let factors = others.filter_map(|other| match &config.steps[other.step as usize].action {
                        Action::Fault(Fault::Slow { nodes, storage, .. }) if nodes.contains(&node) => Some(*storage),
                        _ => None,
                    });
                    self.nodes[node.index()].storage_factor = factors.product();
                }
                self.network.remove_fault(self.now, FaultId(number));
            }
            Fault::DiskError { nodes, .. } => {
                for &node in nodes {
                    // Another fault may still have this disk.
                    let others = self.faults.begun.iter().rev().filter(|other| other.to.is_none());
                    let other = others.filter_map(|other| match &config.steps[other.step as usize].action {
                        Action::Fault(Fault::DiskError { nodes, on, chance }) if nodes.contains(&node) => {
                            Some((*on, *chance))
                        }
                        _ => None,
                    });
                    self.nodes[node.index()].disk_error = other.into_iter().next();
                }
            }
            Fault::Skew { nodes, by } => {
                for &node in nodes {
                    self.nodes[node.index()].skew -= by;
                }
            }
            Fault::Cut(_) | Fault::Link { .. } => self.network.remove_fault(self.now, FaultId(number)),
            Fault::Wipe { .. } => {}
        }
        self.connections_changed();
        self.faults.active -= 1;
        self.turn_windows(|span| span == WindowSpan::Step(step), false);
        if self.faults.active == 0 && self.faults.to_come == 0 {
            self.turn_windows(|span| span == WindowSpan::During, false);
            self.turn_windows(|span| span == WindowSpan::After, true);
        }
        self.step_over(step);
    }

    fn crash(&mut self, node: NodeId, fate: DiskFate, fault: u32) {
        if self.processes[node.index()] == Process::Down {
            return;
        }
        let inbox = std::mem::take(&mut self.inboxes[node.index()]);
        if self.interest.messages {
            for event in &inbox {
                if let Event::Deliver(delivery) = event {
                    self.tell_arrived(delivery, WayEnd::ReceiverDown);
                }
            }
        }
        self.faults.paused_timers.retain(|(paused, ..)| *paused != node);
        // A pause ends with the process that it stopped: the next one runs.
        self.faults.stops.retain(|(stopped, _)| *stopped != node);
        self.nodes[node.index()].crash(&mut self.commons, fate);
        self.lives[node.index()] += 1;
        self.stop(node, Process::Down, fault);
        self.tell_data_lost(node, Some(fate));
    }

    fn passed_over(&self, node: NodeId) -> u64 {
        self.commons.passed_over.get(node.index()).copied().unwrap_or(0)
    }

    /// A node that a fault has stopped is back: what passed it over meanwhile did so because of the fault.
    fn count_passed_over(&mut self, node: NodeId, fault: u32) {
        let now = self.passed_over(node);
        let begun = &mut self.faults.begun[fault as usize];
        if let Some(place) = begun.passed_over.iter().position(|(stopped, _)| *stopped == node) {
            let (_, before) = begun.passed_over.swap_remove(place);
            begun.hits += now - before;
        }
    }

    /// The same for all that are still stopped at the end of the run.
    pub(super) fn count_all_passed_over(&mut self) {
        for (node, fault) in self.faults.stops.clone() {
            self.count_passed_over(node, fault);
        }
    }

    fn stop(&mut self, node: NodeId, how: Process, fault: u32) {
        let before = self.passed_over(node);
        self.faults.begun[fault as usize].passed_over.push((node, before));
        self.processes[node.index()] = how;
        self.faults.stops.push((node, fault));
        self.views.runs(self.now, node, false, true);
        self.tell_of_process(node);
    }

    /// An administrator starts these nodes again.
    pub(super) fn restart(&mut self, nodes: &[NodeId]) {
        for &node in nodes {
            let by = self.faults.stops.iter().rev().find(|(stopped, _)| *stopped == node).map(|&(_, fault)| fault);
            self.restart_if_stopped_by(node, by);
            // The crash is over when all its nodes are back.
            if let Some(fault) = by
                && !self.faults.stops.iter().any(|&(_, f)| f == fault)
            {
                self.end_fault(fault);
            }
        }
        self.connections_changed();
    }

    fn restart_if_stopped_by(&mut self, node: NodeId, fault: Option<u32>) {
        let Some(fault) = fault else { return };
        let stopped = self.faults.stops.iter().position(|&(stopped, by)| stopped == node && by == fault);
        let Some(place) = stopped else { return };
        if self.processes[node.index()] == Process::Paused {
            // A paused process is not started again; it goes on when its pause ends.
            return;
        }
        self.faults.stops.remove(place);
        self.count_passed_over(node, fault);
        if self.processes[node.index()] != Process::Down
            || self.faults.stops.iter().any(|(stopped, _)| *stopped == node)
        {
            return;
        }
        self.processes[node.index()] = Process::Up;
        if let Some(reach) = &mut self.reach {
            reach.forget(node);
        }
        let member = self.serving[node.index()];
        self.views.runs(self.now, node, true, member);
        self.tell_of_process(node);
        self.give(node, Input::Start);
    }

    fn resume(&mut self, node: NodeId, fault: u32) {
        let Some(place) = self.faults.stops.iter().position(|&(stopped, by)| stopped == node && by == fault) else {
            return;
        };
        self.faults.stops.remove(place);
        self.count_passed_over(node, fault);
        if self.processes[node.index()] != Process::Paused
            || self.faults.stops.iter().any(|(stopped, _)| *stopped == node)
        {
            return;
        }
        self.processes[node.index()] = Process::Up;
        let member = self.serving[node.index()];
        self.views.runs(self.now, node, true, member);
        self.tell_of_process(node);
        // It finds all that came meanwhile, in order.
        let inbox = std::mem::take(&mut self.inboxes[node.index()]);
        let timers: Vec<_> = self.faults.paused_timers.iter().filter(|(paused, ..)| *paused == node).copied().collect();
        self.faults.paused_timers.retain(|(paused, ..)| *paused != node);
        for (place, event) in inbox.into_iter().enumerate() {
            match (event, timers.iter().find(|(_, at, _)| *at == place)) {
                (_, Some(&(node, _, timer))) => {
                    if self.nodes[node.index()].timer_is_live(timer) {
                        self.give(node, Input::Timer(timer));
                    }
                }
                (Event::Deliver(delivery), None) => self.hand_over(delivery),
                (event, None) => self.on_event(event),
            }
        }
    }

    /// Loses data of a running node; returns how many keys.
    fn wipe(&mut self, node: NodeId, what: &WipeWhat, fault: u32) -> u64 {
        let lost = self.wiped(node, what, fault);
        self.tell_data_lost(node, None);
        lost
    }

    /// Tells the observers whether a node works.
    fn tell_of_process(&mut self, node: NodeId) {
        if self.interest.faults {
            let (nodes, keys) = (&self.nodes[..self.members], &self.commons.keys);
            let observation = match self.processes[node.index()] {
                Process::Up => Observation::Up { node, nodes, keys },
                how => Observation::Down { node, crashed: how == Process::Down, nodes, keys },
            };
            for observer in self.observers.iter_mut() {
                observer.observe(self.now, &observation);
            }
        }
    }

    fn tell_data_lost(&mut self, node: NodeId, crash: Option<DiskFate>) {
        if self.interest.faults {
            let (nodes, keys) = (&self.nodes[..self.members], &self.commons.keys);
            for observer in self.observers.iter_mut() {
                observer.observe(self.now, &Observation::DataLost { node, crash, nodes, keys });
            }
        }
    }

    fn wiped(&mut self, node: NodeId, what: &WipeWhat, fault: u32) -> u64 {
        let holder = &mut self.nodes[node.index()];
        let keys = match what {
            WipeWhat::All => {
                let lost = u64::from(holder.table().len());
                holder.wipe(&mut self.commons);
                return lost;
            }
            WipeWhat::Keys(keys) => keys.iter().copied().filter(|&key| !holder.versions(key).is_empty()).collect(),
            WipeWhat::Fraction(fraction) => {
                let mut stream =
                    Stream::new(self.config.seed, Purpose::Wipe, u64::from(fault) << 32 | u64::from(node.0));
                let mut keys = holder.table().keys_sorted();
                keys.retain(|_| stream.chance(*fraction));
                keys
            }
        };
        holder.wipe_keys(&mut self.commons, &keys);
        keys.len() as u64
    }

    /// Something that decides who reaches whom has changed.
    fn connections_changed(&mut self) {
        self.clients.connections_changed();
        let Some(reach) = &mut self.reach else { return };
        for (node, peer, reachable) in reach.update(&self.network, &self.processes) {
            self.give(node, Input::Peer { peer, reachable });
        }
    }
}
