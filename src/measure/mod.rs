//! What a run came to in numbers: latency, staleness, load, repair.
pub mod detection;
pub mod freshness;
pub mod metrics;
pub mod tally;
pub mod timeline;
pub mod window;
