//! A deterministic discrete-event simulator of a Dynamo-style key-value cluster.
pub mod kernel;
pub mod version;
pub mod ring;
pub mod scenario;
