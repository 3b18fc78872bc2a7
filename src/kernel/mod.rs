//! The kernel: virtual time, the event queue, random draws, distributions, mathematics, the digest.
//!
//! It knows nothing of nodes, messages or networks. Everything above is deterministic because
//! everything here is: integer time, a total order of events, randomness that is a function of the
//! run's seed and of a name, and transcendental functions from one portable library.

pub mod agenda;
pub mod digest;
pub mod dist;
pub mod ids;
pub mod math;
pub mod mutant;
pub mod queue;
pub mod rng;
pub mod sampler;
pub mod time;
pub mod timers;
