//! Lines about the script: its steps, its faults, and the nodes that these stop.

use serde_json::json;

use super::Trace;
use super::filter::{About, Kind};
use super::words::things;
use crate::cluster::config::{Action, Fault};
use crate::kernel::ids::NodeId;
use crate::kernel::time::SimTime;
use crate::node::Node;

impl Trace<'_> {
    pub(super) fn on_step(&mut self, now: SimTime, step: u32) {
        let action = &self.config.steps[step as usize].action;
        match action {
            Action::Operation(operation) => {
                self.next_step.insert(operation.session, step);
                return;
            }
            // Its beginning is told by itself.
            Action::Fault(_) => return,
            Action::Admin { command, via } => self.command = Some((now, *via, *command)),
            Action::Inspect(_) | Action::Restart(_) | Action::Run { .. } => {}
        }
        let about = About::new(Kind::Faults, "step").frame().detail(matches!(action, Action::Inspect(_)));
        let text = self.words.action(action).unwrap_or_default();
        self.say_step(now, &about, step, "script", text);
    }

    fn say_step(&mut self, now: SimTime, about: &About, step: u32, who: &str, text: String) {
        let name = self.words.names().step(step);
        // A name that the scenario did not give says nothing to a reader.
        let shown = self.config.steps[step as usize].name.clone();
        self.say_as(now, about, who.into(), shown, text, vec![("step", json!(name))]);
    }

    pub(super) fn on_fault(&mut self, now: SimTime, step: u32, begins: bool) {
        let text = self.words.action(&self.config.steps[step as usize].action).unwrap_or_default();
        let (event, text) = if begins {
            self.fault = Some(step);
            ("fault_begins", format!("begins: {text}"))
        } else {
            ("fault_ends", format!("ends: {text}"))
        };
        self.say_step(now, &About::new(Kind::Faults, event).frame(), step, "fault", text);
    }

    pub(super) fn on_down(&mut self, now: SimTime, node: NodeId) {
        let fault = self.fault.map(|step| &self.config.steps[step as usize].action);
        let is_paused = matches!(fault, Some(Action::Fault(Fault::Pause { .. })));
        self.paused[node.index()] = is_paused;
        self.say_of(now, About::new(Kind::Faults, "down").frame(), node, |_| {
            let (text, how) = if is_paused { ("stops: paused", "paused") } else { ("CRASHES", "crashed") };
            (text.into(), vec![("how", json!(how))])
        });
    }

    pub(super) fn on_up(&mut self, now: SimTime, node: NodeId) {
        let was_paused = self.paused[node.index()];
        self.say_of(now, About::new(Kind::Faults, "up").frame(), node, |_| {
            (if was_paused { "goes on".into() } else { "is up again".into() }, Vec::new())
        });
    }

    pub(super) fn on_data_lost(&mut self, now: SimTime, node: NodeId, nodes: &[Node]) {
        let Some(state) = nodes.get(node.index()) else { return };
        self.views[node.index()] = state.view().clone();
        self.say_of(now, About::new(Kind::Faults, "data_lost").frame(), node, |_| {
            let (keys, hints) = (state.table().len(), state.hints().len());
            let text = format!("has {} and {} left", things(keys as usize, "key"), things(hints as usize, "hint"));
            (text, vec![("keys_left", json!(keys)), ("hints_left", json!(hints))])
        });
    }
}
