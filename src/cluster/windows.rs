//! Windows: named stretches of time to measure in. Some are known from the start, others open and close
//! with faults and steps. An operation belongs to those that are open when it begins.

use crate::history::{Observation, Totals};
use crate::kernel::time::SimTime;

use super::config::{RunConfig, WindowSpan};
use super::event::Event;
use super::simulation::Simulation;

/// Which windows are open.
pub(super) struct Windows {
    /// A bit for each open window.
    pub open: u64,
    /// A bit for each that has been open: none opens twice.
    opened: u64,
}

impl Windows {
    pub fn new(config: &RunConfig) -> Windows {
        assert!(config.windows.len() <= 64, "a scenario has at most 64 windows");
        Windows { open: 0, opened: 0 }
    }
}

impl Simulation<'_> {
    /// Schedules what is known from the start.
    pub(super) fn begin_windows(&mut self) {
        let config = self.config;
        for (number, window) in config.windows.iter().enumerate() {
            let number = number as u32;
            let (from, to) = match window.span {
                WindowSpan::Fixed(from, to) => (Some(from), Some(to)),
                WindowSpan::All => (Some(config.warmup), config.duration),
                WindowSpan::Settle => (config.duration, None),
                WindowSpan::Before => (Some(config.warmup), None),
                WindowSpan::During | WindowSpan::After | WindowSpan::Step(_) => (None, None),
            };
            if let Some(from) = from {
                self.agenda.schedule(from, Event::WindowOpens(number));
            }
            if let Some(to) = to {
                self.agenda.schedule(to, Event::WindowCloses(number));
            }
        }
        if self.interest.totals && (!config.groups.is_empty() || config.duration.is_some()) {
            self.agenda.schedule(SimTime::ZERO + config.measure.bucket, Event::Bucket);
            self.agenda.schedule(SimTime::ZERO + config.measure.load_window, Event::LoadWindow);
        }
    }

    pub(super) fn open_window(&mut self, window: u32) {
        if self.windows.opened >> window & 1 == 1 {
            return;
        }
        self.windows.open |= 1 << window;
        self.windows.opened |= 1 << window;
        self.with_totals(|totals| Observation::WindowOpens { window, totals });
    }

    pub(super) fn close_window(&mut self, window: u32) {
        if self.windows.open >> window & 1 == 0 {
            return;
        }
        self.windows.open &= !(1 << window);
        self.with_totals(|totals| Observation::WindowCloses { window, totals });
    }

    /// Opens or closes all windows of a kind.
    pub(super) fn turn_windows(&mut self, which: impl Fn(WindowSpan) -> bool, open: bool) {
        let config = self.config;
        for (number, window) in config.windows.iter().enumerate() {
            if which(window.span) {
                if open { self.open_window(number as u32) } else { self.close_window(number as u32) }
            }
        }
    }

    pub(super) fn on_bucket(&mut self) {
        self.with_totals(|totals| Observation::Bucket { totals });
        self.agenda.schedule(self.now + self.config.measure.bucket, Event::Bucket);
    }

    pub(super) fn on_load_window(&mut self) {
        self.with_totals(|totals| Observation::LoadWindow { totals });
        self.agenda.schedule(self.now + self.config.measure.load_window, Event::LoadWindow);
    }

    /// Closes what is still open at the end of the run.
    pub(super) fn end_windows(&mut self) {
        for window in 0..self.config.windows.len() as u32 {
            self.close_window(window);
        }
    }

    fn with_totals(&mut self, build: impl for<'t> Fn(&'t Totals<'t>) -> Observation<'t>) {
        if !self.interest.totals {
            return;
        }
        let nodes = self.stats();
        let network = self.network.totals().clone();
        let totals = Totals { nodes: &nodes, network: &network, agreement: self.views.agreement() };
        self.observe(&build(&totals));
    }
}
