//! The one place where protocol and world meet: the event loop, clients, faults, scripts.
pub mod chaos;
pub mod config;
pub mod cut_shapes;
pub mod outcome;
