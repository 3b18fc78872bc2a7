//! What clients want (arrivals, keys, mix of operations), as plain values drawn from streams.
pub mod arrivals;
pub mod config;
pub mod keys;
pub mod mix;
pub mod session;
pub mod values;
pub mod zipf;
