//! The script: steps that happen at set times or after one another, and what must come of them.

use std::collections::BTreeMap;

use crate::history::Observation;
use crate::kernel::ids::{NodeId, OpId};
use crate::kernel::rng::{Purpose, Stream};
use crate::kernel::time::{SimTime, Span};
use crate::node::message::Outcome;
use crate::node::outputs::{Admin, Input};
use crate::version::Siblings;

use super::config::{Action, RunConfig, Step, When, WindowSpan};
use super::event::Event;
use super::outcome::{MoveResult, StepResult};
use super::reach::Process;
use super::simulation::{ScriptedFates, Simulation};

/// How far a step has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Progress {
    ToCome,
    UnderWay,
    Over,
}

/// The script of a run.
pub(super) struct Script {
    progress: Vec<Progress>,
    rounds_left: Vec<u32>,
    /// Fates of scripted operations' messages. They outlive the operation: its coordinator goes on after the answer,
    /// to replicas that have not acknowledged and to stand-ins for them.
    pub fates: BTreeMap<OpId, ScriptedFates>,
    /// What the answer to each step's operation was, for those who replay its context.
    pub answers: BTreeMap<u32, Siblings>,
    pub results: Vec<StepResult>,
    pub moves: Vec<MoveResult>,
    /// Membership change announced by a step: its number, the step, the place in `moves`.
    pub changes: BTreeMap<u32, (u32, usize)>,
    names: Vec<String>,
}

impl Script {
    pub fn new(config: &RunConfig) -> Script {
        Script {
            progress: vec![Progress::ToCome; config.steps.len()],
            rounds_left: config.steps.iter().map(|step| step.repeat.map_or(1, |(_, times)| times)).collect(),
            fates: BTreeMap::new(),
            answers: BTreeMap::new(),
            results: Vec::new(),
            moves: Vec::new(),
            changes: BTreeMap::new(),
            names: config.steps.iter().enumerate().map(|(number, step)| step_name(number as u32, step)).collect(),
        }
    }

    /// Whether every step is over, or lasts to the end of the run.
    pub fn all_over(&self) -> bool {
        self.progress.iter().all(|&progress| progress == Progress::Over)
    }

    /// Steps that never came to their end.
    pub fn unfinished(&self) -> Vec<String> {
        (self.progress.iter().zip(&self.names))
            .filter(|(p, _)| **p == Progress::ToCome)
            .map(|(_, name)| name.clone())
            .collect()
    }
}

fn step_name(number: u32, step: &Step) -> String {
    step.name.as_ref().map_or_else(|| format!("step {number}"), |name| format!("step {name}"))
}

/// How long a script without a `duration` may go on after its last timed step.
const PATIENCE: Span = Span::from_secs(3_600);

impl Simulation<'_> {
    pub(super) fn begin_script(&mut self) {
        let config = self.config;
        for (number, step) in config.steps.iter().enumerate() {
            if let Action::Fault(_) = step.action {
                self.faults.to_come += u64::from(step.repeat.map_or(1, |(_, times)| times));
            }
            if let When::At(at) = step.when {
                self.agenda.schedule(at, Event::Step { step: number as u32, round: 0 });
            }
        }
    }

    pub(super) fn on_step(&mut self, number: u32, round: u32) {
        let config = self.config;
        let step = &config.steps[number as usize];
        self.record(u64::from(number), u64::from(round), 6 << 56);
        self.script.progress[number as usize] = Progress::UnderWay;
        if self.interest.faults {
            self.observe(&Observation::StepBegins { step: number });
        }
        if let Some((every, times)) = step.repeat
            && round + 1 < times
        {
            self.agenda.schedule(self.now + every, Event::Step { step: number, round: round + 1 });
        }
        match &step.action {
            Action::Operation(operation) => self.begin_scripted(number, operation),
            Action::Inspect(what) => {
                self.inspect(number, *what);
                self.step_over(number);
            }
            Action::Fault(fault) => {
                let lasts = step.lasts.as_ref().map(|lasts| self.draw_for_step(number, round, lasts));
                self.begin_fault(number, fault, lasts);
                if lasts.is_none() && step.repeat.is_none_or(|(_, times)| round + 1 >= times) {
                    // It lasts to the end of the run, or until somebody restarts the nodes.
                    self.lasting_fault(number);
                }
            }
            Action::Restart(nodes) => {
                self.restart(nodes);
                self.step_over(number);
            }
            Action::Admin { command, via } => self.administer(number, *command, *via),
            Action::Run { task, node, with } => {
                if self.processes[node.index()] == Process::Up {
                    self.give(*node, Input::Run { task: *task, with: *with });
                }
                self.step_over(number);
            }
        }
    }

    fn draw_for_step(&self, number: u32, round: u32, dist: &crate::kernel::dist::Dist) -> Span {
        let mut stream = Stream::new(self.config.seed, Purpose::Script, u64::from(round) << 32 | u64::from(number));
        Span(dist.compile().sample(stream.bits()))
    }

    /// A fault without an end does not keep a script from being over.
    fn lasting_fault(&mut self, number: u32) {
        if self.script.progress[number as usize] != Progress::Over {
            self.script.progress[number as usize] = Progress::Over;
            self.look_for_end();
        }
    }

    /// A step is over: those that wait for it are scheduled, and the run may be over too.
    pub(super) fn step_over(&mut self, number: u32) {
        let rounds = &mut self.script.rounds_left[number as usize];
        *rounds = rounds.saturating_sub(1);
        if *rounds > 0 {
            return;
        }
        self.script.progress[number as usize] = Progress::Over;
        let config = self.config;
        for (later, step) in config.steps.iter().enumerate() {
            if let When::After { step: awaited, plus } = &step.when
                && *awaited == number
                && self.script.progress[later] == Progress::ToCome
            {
                let plus = self.draw_for_step(later as u32, u32::MAX, plus);
                self.script.progress[later] = Progress::UnderWay;
                self.agenda.schedule(self.now + plus, Event::Step { step: later as u32, round: 0 });
            }
        }
        self.look_for_end();
    }

    fn look_for_end(&mut self) {
        if self.config.duration.is_none() && self.end_at.is_none() && self.script.all_over() {
            self.end_at = Some(self.now + self.config.settle);
            self.turn_windows(|span| matches!(span, WindowSpan::All | WindowSpan::Before | WindowSpan::After), false);
            self.turn_windows(|span| span == WindowSpan::Settle, true);
        }
    }

    /// An administrator's command at a node.
    fn administer(&mut self, number: u32, command: Admin, via: NodeId) {
        if self.processes[via.index()] != Process::Up {
            self.notices.push(format!(
                "{}: {} is down, the command was not heard",
                self.script.names[number as usize],
                self.config.node_names[via.index()]
            ));
            self.step_over(number);
            return;
        }
        self.turn_windows(|span| span == WindowSpan::Step(number), true);
        self.views.announced(self.now);
        let change = self.commons.changes.len();
        self.script.moves.push(MoveResult {
            step: number,
            from: self.now,
            to: None,
            had_to_move: 0,
            copies: u64::from(self.commons.keys.len()) * u64::from(self.config.node.n),
            nodes_affected: 0,
        });
        self.script.changes.insert(change, (number, self.script.moves.len() - 1));
        self.give(via, Input::Admin(command));
        if self.commons.changes.len() == change {
            // Nothing to announce: who is to join is a member already, as this node sees it.
            let (step, _) = self.script.changes.remove(&change).expect("it was put there just now");
            self.notices.push(format!(
                "{}: {} saw nothing to change",
                self.script.names[step as usize],
                self.config.node_names[via.index()]
            ));
            self.turn_windows(|span| span == WindowSpan::Step(step), false);
            self.step_over(step);
        }
    }

    /// A node sees that a change is in place. The first to see it ends the step.
    pub(super) fn on_change_in_place(&mut self, _node: NodeId, change: u32) {
        let Some((step, place)) = self.script.changes.remove(&change) else { return };
        self.script.moves[place].to = Some(self.now);
        if let Some(size) = self.commons.rings.size_of(change) {
            self.script.moves[place].had_to_move = size.copies;
            self.script.moves[place].nodes_affected = u64::from(size.nodes_affected);
        }
        let Action::Admin { command, .. } = self.config.steps[step as usize].action else {
            unreachable!("a change comes from a command")
        };
        match command {
            Admin::Join(node) => self.serving[node.index()] = true,
            Admin::Leave(node) => self.serving[node.index()] = false,
            Admin::Replace { old, new } => {
                self.serving[old.index()] = false;
                self.serving[new.index()] = true;
            }
        }
        self.clients.connections_changed();
        self.turn_windows(|span| span == WindowSpan::Step(step), false);
        self.step_over(step);
    }

    /// Where the run ends at the latest if a script never comes to its end by itself.
    pub(super) fn latest_end(&self) -> SimTime {
        let timed = self.config.steps.iter().map(|step| match step.when {
            When::At(at) => at,
            When::After { .. } => SimTime::ZERO,
        });
        timed.max().unwrap_or(SimTime::ZERO) + PATIENCE
    }

    /// What became of a scripted operation.
    pub(super) fn scripted_over(
        &mut self,
        number: u32,
        outcome: Outcome,
        latency: Span,
        coordinator: Option<NodeId>,
        answer: &Siblings,
        stale: Option<bool>,
    ) {
        self.script.answers.insert(number, answer.clone());
        let result = self.judge_step(number, outcome, latency, coordinator, answer, stale);
        self.script.results.push(result);
        self.step_over(number);
    }
}
