//! Reading scenarios: from a file, from standard input, or the profile that is built in.

use super::out::{is_heard_by_a_person, say};
use crate::scenario::errors::Errors;
use crate::scenario::source::{Disk, Source};
use crate::scenario::swarm::{self, Additions, Swarm};
use crate::scenario::{self, Loaded};

/// Opens a scenario, or says why it cannot be read.
pub(super) fn open(file: &str) -> Option<Box<dyn Source>> {
    if file == swarm::BUILT_IN {
        return Some(Box::new(swarm::built_in()));
    }
    match Disk::open(file) {
        Ok(source) => Some(Box::new(source)),
        Err(reason) => {
            say(&reason);
            None
        }
    }
}

/// What was read, or nothing when it has been said what is wrong with it.
pub(super) fn or_say<T>(read: Result<T, Errors>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(errors) => {
            say(&if is_heard_by_a_person() { errors.render() } else { errors.to_string() });
            None
        }
    }
}

/// Reads a scenario, or says what is wrong with it.
pub(super) fn load(file: &str, set: &[(String, String)]) -> Option<Loaded> {
    from(&*open(file)?, set)
}

/// Understands a scenario that has been opened.
pub(super) fn from(source: &dyn Source, set: &[(String, String)]) -> Option<Loaded> {
    or_say(scenario::load(source, set))
}

/// Reads a scenario with what `check` adds to it and draws for this seed; without one, for the scenario's own.
pub(super) fn load_drawn(file: &str, set: &[(String, String)], seed: Option<u64>) -> Option<(Loaded, u64)> {
    drawn_from(&*open(file)?, set, seed)
}

/// The same of a scenario that has been opened.
pub(super) fn drawn_from(source: &dyn Source, set: &[(String, String)], seed: Option<u64>) -> Option<(Loaded, u64)> {
    let swarm = or_say(Swarm::read(source, set, Additions::Chaos))?;
    let seed = seed.unwrap_or(swarm.own_seed());
    Some((or_say(swarm.loaded(seed))?, seed))
}
