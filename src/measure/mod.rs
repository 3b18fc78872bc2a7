//! What a run came to in numbers: latency, staleness, load, repair, cost (metrics in the sense of Dynamo §6 and of
//! Bailis et al., "Probabilistically Bounded Staleness").
//!
//! A [`Recorder`] watches the run and becomes [`Measured`] when it is over. Nothing here can touch the run.

pub mod detection;
pub mod freshness;
pub mod histogram;
pub mod judged;
pub mod load;
pub mod measured;
pub mod metrics;
pub mod number;
pub mod recorder;
pub mod scene;
pub mod tally;
pub mod timeline;
pub mod trials;
pub mod wars;
pub mod window;

pub use measured::{Measured, Scope, Value};
pub use metrics::Metric;
pub use recorder::Recorder;
