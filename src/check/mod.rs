//! What must come out: expectations and properties, judged over settings and seeds.
//!
//! It reads the numbers of runs and cannot touch them. How an expectation is spelled in a file it does not know.

pub mod evaluate;
pub mod expectation;
pub mod judge;
pub mod linear;
pub mod marks;
pub mod properties;

pub use evaluate::{Judgement, Runs, Verdict, evaluate, exit_status};
pub use expectation::Expectation;
pub use marks::Marker;
pub use properties::{Finding, Property};
