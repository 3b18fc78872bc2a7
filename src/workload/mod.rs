//! What clients want (arrivals, keys, mix of operations), as plain values drawn from streams.
pub mod config;
