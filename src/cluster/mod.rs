//! The one place where protocol and world meet: the event loop, clients, faults, scripts.
pub mod chaos;
mod clients;
pub mod config;
mod cut_shapes;
mod event;
mod faults;
mod inspect;
mod keys;
pub mod outcome;
mod reach;
mod routing;
mod script;
mod simulation;
mod views;
mod windows;

pub use simulation::{Simulation, run};
