//! All runs of a scenario, several at a time, in an order that does not depend on how many.

use rayon::prelude::*;

use crate::cluster::config::RunConfig;
use crate::history::Observer;
use crate::kernel::mutant;
use crate::report::play::play_watched;
use crate::report::{Campaign, Played, Wanted, play};
use crate::scenario::Loaded;

/// The runs of a scenario: each setting with each seed.
pub(super) struct Plan<'a> {
    /// The scenario.
    pub loaded: &'a Loaded,
    /// First and last seed.
    pub seeds: (u64, u64),
    /// What its expectations ask.
    pub wanted: Wanted,
}

impl Plan<'_> {
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

    /// The configuration of one run, and what is worth saying of it.
    ///
    /// # Errors
    /// What makes no run although no rule forbids it.
    pub fn config(&self, setting: usize, seed: u64) -> Result<(RunConfig, Vec<String>), String> {
        config_of(self.loaded, setting, seed)
    }

    /// Plays the only run, while somebody watches.
    pub fn play_single(&self, config: &RunConfig, watcher: &mut dyn Observer) -> Campaign {
        let setting = self.loaded.settings[0].number;
        Campaign { runs: vec![play_watched(config, setting, &self.wanted, true, Some(watcher))] }
    }

    /// Plays them all.
    ///
    /// # Errors
    /// Of the first run that cannot be, why.
    pub fn play(&self, jobs: Option<u16>) -> Result<Campaign, String> {
        let keeps_all = self.is_single();
        let one = |(setting, seed): (usize, u64)| -> Result<Played, String> {
            let (config, _) = self.config(setting, seed)?;
            Ok(play(&config, self.loaded.settings[setting].number, &self.wanted, keeps_all))
        };
        let list = self.jobs();
        if list.len() == 1 {
            let runs = list.into_iter().map(one).collect::<Result<_, _>>()?;
            return Ok(Campaign { runs });
        }
        let threads = jobs.map_or(0, usize::from);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| error.to_string())?;
        let runs: Vec<Result<Played, String>> = pool.install(|| list.into_par_iter().map(one).collect());
        Ok(Campaign { runs: runs.into_iter().collect::<Result<_, _>>()? })
    }
}

/// Plays runs that are no settings of one scenario, in the order of the list.
///
/// # Errors
/// No threads can be had.
pub(super) fn play_each(configs: &[RunConfig], wanted: &Wanted, jobs: Option<u16>) -> Result<Vec<Played>, String> {
    let threads = jobs.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| error.to_string())?;
    Ok(pool.install(|| configs.par_iter().map(|config| play(config, 0, wanted, false)).collect()))
}

/// From a setting of a scenario to a run of the cluster.
pub(super) fn config_of(loaded: &Loaded, setting: usize, seed: u64) -> Result<(RunConfig, Vec<String>), String> {
    let built = crate::scenario::build::run_config(&loaded.settings[setting].spec, seed, &loaded.files);
    let mut built = built.map_err(|wrong| wrong.join("\n"))?;
    built.notices.extend(mutant::planted().map(mutant::notice));
    Ok((built.config, built.notices))
}
