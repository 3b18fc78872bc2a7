//! The one place where protocol and world meet: the event loop, clients, faults, scripts.
pub mod config;
pub mod outcome;
