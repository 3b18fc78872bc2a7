//! Scenario files: the only code that knows how an experiment is spelled.
//!
//! Text becomes a tree with places (`json`), the tree becomes typed values (`decode`, `spec`), and
//! rules between fields are checked (`rules`), all before the first event. This layer does not know
//! how a run works.

pub mod containers;
pub mod decimal;
pub mod decode;
pub mod errors;
pub mod json;
pub mod names;
pub mod scalars;
pub mod spec;
