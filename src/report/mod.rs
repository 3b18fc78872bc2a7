//! What runs came to, on disk and on a terminal: JSON, CSV and HDR files, the same bytes for the same seed.
//!
//! No time of day, host or path is in any of them. Nothing here prints.

pub mod expect;
pub mod figure;
pub mod figures;
pub mod histories;
pub mod history_log;
pub mod page;
pub mod play;
pub mod plot;
pub mod predict;
pub mod results;
pub mod run_dir;
pub mod seeds;
pub mod shrink;
pub mod summary;
pub mod sweep;
pub mod tables;
pub mod terminal;
pub mod trace;

pub use play::{Campaign, Kept, Played, Wanted, play};
pub use run_dir::{Manifest, May, OutputError, RunDir};
