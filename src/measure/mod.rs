//! What a run came to in numbers: latency, staleness, load, repair.
pub mod metrics;
