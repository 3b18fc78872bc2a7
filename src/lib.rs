//! A deterministic discrete-event simulator of a Dynamo-style key-value cluster.
pub mod check;
pub mod cli;
pub mod cluster;
pub mod history;
pub mod kernel;
pub mod measure;
pub mod network;
pub mod node;
pub mod report;
pub mod ring;
pub mod scenario;
pub mod store;
pub mod version;
pub mod workload;
