//! What a node keeps on its disk: its table of versions, its Merkle sums and its hints (Dynamo §4.6, §4.7, §5).
//!
//! Plain data structures. They know nothing of messages, owners, time limits of requests or service times.

pub mod hints;
pub mod merkle;
pub mod table;

pub use hints::{Added, Hint, HintKey, Hints};
pub use merkle::{Difference, Roots, Tree};
pub use table::{Change, Table};
