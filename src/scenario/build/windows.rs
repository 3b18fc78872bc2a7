//! Windows: named stretches of time to measure in (the format's section 8).

use super::Builder;
use crate::cluster::config::{Action, Fault, Step, Window, WindowSpan};
use crate::kernel::time::SimTime;

/// A run measures in so many windows at most: an operation notes them in 64 bits.
const WINDOWS_MAX: usize = 64;

impl Builder<'_> {
    /// `all` and `settle` first, those of faults if there are any, those of the file, those of the first
    /// `script_steps` steps that have a name and last.
    pub(super) fn windows(&mut self, steps: &[Step], script_steps: usize) -> Vec<Window> {
        let window = |name: &str, span| Window { name: name.to_string(), span };
        let mut windows = vec![window("all", WindowSpan::All), window("settle", WindowSpan::Settle)];
        if steps.iter().any(|step| matches!(step.action, Action::Fault(_))) {
            windows.push(window("before", WindowSpan::Before));
            windows.push(window("during", WindowSpan::During));
            windows.push(window("after", WindowSpan::After));
        }
        for (name, stretch) in self.spec.windows.iter() {
            windows.push(window(name, WindowSpan::Fixed(SimTime(stretch.from.0), SimTime(stretch.to.0))));
        }
        if windows.len() > WINDOWS_MAX {
            self.fail(
                "windows",
                format!("{} windows (allowed at most {WINDOWS_MAX}, `all` and its kin included)", windows.len()),
            );
        }
        for (number, step) in steps[..script_steps].iter().enumerate() {
            let Some(name) = &step.name else { continue };
            if !lasts(number, steps) {
                continue;
            }
            if windows.len() >= WINDOWS_MAX {
                self.notices.push(format!("more than {WINDOWS_MAX} windows: step {name} and those after it have none"));
                break;
            }
            windows.push(window(name, WindowSpan::Step(number as u32)));
        }
        windows
    }
}

/// Whether a step lasts: a fault with an end, also if a later restart ends it; a change of the members.
fn lasts(number: usize, steps: &[Step]) -> bool {
    let step = &steps[number];
    match &step.action {
        Action::Admin { .. } => true,
        Action::Fault(Fault::Crash { nodes, .. }) => {
            // One restart may bring back some of the nodes, and another the rest.
            let all_back = nodes.iter().all(|node| {
                steps[number + 1..]
                    .iter()
                    .any(|later| matches!(&later.action, Action::Restart(back) if back.contains(node)))
            });
            step.lasts.is_some() || all_back
        }
        Action::Fault(_) => step.lasts.is_some(),
        Action::Operation(_) | Action::Inspect(_) | Action::Restart(_) | Action::Run { .. } => false,
    }
}
