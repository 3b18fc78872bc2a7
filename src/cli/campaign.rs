//! All runs of a scenario, several at a time, in an order that does not depend on how many.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rayon::prelude::*;

use super::load::load;
use super::out::say;
use super::{BAD_INPUT, Common, NO_OUTPUT};
use crate::check::Expectation;
use crate::cluster::config::RunConfig;
use crate::kernel::mutant;
use crate::report::sweep::Record;
use crate::report::sweep::files::Replication;
use crate::report::{OutputError, Played, Wanted, expect, play};
use crate::scenario::Loaded;

/// More runs than anyone means.
pub(super) const MAX_RUNS: u64 = 1_000_000;

/// Said where a history is asked for that would be one of many.
pub(super) const NO_HISTORY: &str = "no history is written of more than one run; --seed picks one";

/// How often somebody looks whether the sweep is to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// A scenario that can run: each setting with each seed.
pub(super) struct Plan<'a> {
    /// How messages speak of it.
    pub file: &'a str,
    /// The scenario.
    pub loaded: Loaded,
    /// What must come out.
    pub expectations: Vec<Expectation>,
    /// What that asks of each run.
    pub wanted: Wanted,
    /// First and last seed.
    pub seeds: (u64, u64),
    /// Things to know.
    pub notices: Vec<String>,
    /// N, R and W by setting.
    pub replication: Vec<Replication>,
}

impl<'a> Plan<'a> {
    /// Reads a scenario, or says what is wrong with it.
    pub fn read(file: &'a str, common: &Common) -> Option<Plan<'a>> {
        Plan::of(file, load(file, &common.set)?, common, None)
    }

    /// Of a scenario that was read; `drawn` is the one seed that it was drawn for. What cannot run is said, before
    /// anything is written or simulated.
    pub fn of(file: &'a str, loaded: Loaded, common: &Common, drawn: Option<u64>) -> Option<Plan<'a>> {
        match Plan::try_of(file, loaded, common, drawn) {
            Ok(plan) => Some(plan),
            Err(reason) => {
                say(&format!("{file}: {reason}"));
                None
            }
        }
    }

    fn try_of(file: &'a str, loaded: Loaded, common: &Common, drawn: Option<u64>) -> Result<Plan<'a>, String> {
        let expectations = expect::expectations(&loaded)?;
        let base = loaded.base.seed.0;
        let seeds = match (drawn.or(common.seed), common.seeds) {
            (Some(seed), _) => (seed, seed),
            (None, Some(seeds)) => seeds.bounds(base),
            (None, None) => loaded.base.sweep.seeds.bounds(base),
        };
        let runs = (seeds.1 - seeds.0).saturating_add(1).saturating_mul(loaded.settings.len() as u64);
        if runs > MAX_RUNS {
            return Err(format!("{runs} runs are more than {MAX_RUNS}"));
        }
        let mut notices = loaded.notices.clone();
        let mut replication = Vec::new();
        for setting in 0..loaded.settings.len() {
            let (config, more) = config_of(&loaded, setting, seeds.0)?;
            replication.push(Replication::of(&config));
            notices.extend(more);
        }
        if runs > 1 && loaded.base.measure.history {
            notices.push(NO_HISTORY.into());
        }
        let mut seen = std::collections::BTreeSet::new();
        notices.retain(|notice| seen.insert(notice.clone()));
        let wanted = Wanted::of(&expectations);
        Ok(Plan { file, loaded, expectations, wanted, seeds, notices, replication })
    }

    /// Setting (as a place in the list) and seed of each run, in order.
    pub fn jobs(&self) -> Vec<(usize, u64)> {
        let (first, last) = self.seeds;
        let settings = 0..self.loaded.settings.len();
        settings.flat_map(|setting| (first..=last).map(move |seed| (setting, seed))).collect()
    }

    /// Whether there is one run only.
    pub fn is_single(&self) -> bool {
        self.loaded.settings.len() == 1 && self.seeds.0 == self.seeds.1
    }

    /// The hash of the scenario and of what was set.
    pub fn hash(&self) -> String {
        format!("{:032x}", self.loaded.hash)
    }

    /// Where results go unless somebody says otherwise.
    pub fn results(&self, name: &str) -> PathBuf {
        PathBuf::from("results").join(&self.loaded.name).join(name)
    }

    /// The configuration of one run, and what is worth saying of it.
    ///
    /// # Errors
    /// What makes no run although no rule forbids it.
    pub fn config(&self, setting: usize, seed: u64) -> Result<(RunConfig, Vec<String>), String> {
        config_of(&self.loaded, setting, seed)
    }

    fn play_one(&self, setting: usize, seed: u64) -> Result<Record, String> {
        let (config, _) = self.config(setting, seed)?;
        let played = play(&config, self.loaded.settings[setting].number, &self.wanted, true);
        Ok(Record::of(&config, &played))
    }

    /// Plays some runs, each as soon as a thread is free, and hands them out in the order in which they finish. They are
    /// begun seed by seed, so that a sweep which is stopped has something of all settings.
    ///
    /// # Errors
    /// A run cannot be, or the one who follows them cannot go on.
    pub fn play(
        &self,
        mut jobs: Vec<(usize, u64)>,
        threads: Option<u16>,
        follower: &mut dyn Follower,
    ) -> Result<(), Stop> {
        jobs.sort_by_key(|(setting, seed)| (*seed, *setting));
        let pool = pool(threads).map_err(Stop::BadInput)?;
        let is_over = AtomicBool::new(false);
        let (sender, receiver) = channel();
        // This thread is none of the pool's: it writes down what the others have played.
        pool.in_place_scope(|scope| {
            for (setting, seed) in jobs {
                let (sender, is_over) = (sender.clone(), &is_over);
                scope.spawn(move |_| {
                    if !is_over.load(Ordering::Relaxed) {
                        // Nobody listens any more when the sweep has failed.
                        let _ = sender.send(self.play_one(setting, seed));
                    }
                });
            }
            drop(sender);
            let ended = loop {
                match receiver.recv_timeout(GLANCE) {
                    Ok(Ok(record)) => match follower.finished(record) {
                        Ok(()) => follower.glance(),
                        Err(error) => break Err(Stop::NoOutput(error)),
                    },
                    Ok(Err(reason)) => break Err(Stop::BadInput(reason)),
                    Err(RecvTimeoutError::Timeout) => follower.glance(),
                    Err(RecvTimeoutError::Disconnected) => break Ok(()),
                }
            };
            is_over.store(true, Ordering::Relaxed);
            ended
        })
    }
}

/// Whoever follows a sweep.
pub(super) trait Follower {
    /// A run has finished.
    fn finished(&mut self, record: Record) -> Result<(), OutputError>;
    /// Some time has passed.
    fn glance(&mut self);
}

/// Why a sweep does not go on.
pub(super) enum Stop {
    /// It makes no sense.
    BadInput(String),
    /// It cannot be written down.
    NoOutput(OutputError),
}

impl Stop {
    /// Says why; returns the exit status.
    pub fn say(&self, file: &str) -> u8 {
        match self {
            Stop::BadInput(reason) => {
                say(&format!("{file}: {reason}"));
                BAD_INPUT
            }
            Stop::NoOutput(error) => {
                say(&error.to_string());
                NO_OUTPUT
            }
        }
    }
}

/// So many threads, or one a core.
fn pool(threads: Option<u16>) -> Result<rayon::ThreadPool, String> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.map_or(0, usize::from));
    pool.build().map_err(|error| error.to_string())
}

/// Plays runs, each under the number of a setting, and hands them out in the order of the list.
///
/// # Errors
/// No threads can be had.
pub(super) fn play_each(
    configs: &[(u32, RunConfig)],
    wanted: &Wanted,
    threads: Option<u16>,
) -> Result<Vec<Played>, String> {
    let one = |(setting, config): &(u32, RunConfig)| play(config, *setting, wanted, false);
    Ok(pool(threads)?.install(|| configs.par_iter().map(one).collect()))
}

/// From a setting of a scenario to a run of the cluster.
pub(super) fn config_of(loaded: &Loaded, setting: usize, seed: u64) -> Result<(RunConfig, Vec<String>), String> {
    let built = crate::scenario::build::run_config(&loaded.settings[setting].spec, seed, &loaded.files);
    let mut built = built.map_err(|wrong| wrong.join("\n"))?;
    built.notices.extend(mutant::planted().map(mutant::notice));
    Ok((built.config, built.notices))
}
