//! Placement: which nodes hold which keys (Dynamo §4.2, §4.3 and §6.2).
//!
//! A [`Layout`] is what stays fixed during a run: the positions of all tokens that any node of the
//! run could bring, and the cut of the circle into segments, the smallest stretches whose owners can
//! differ. A [`Ring`] is the placement under one membership: a preference list per segment. Joins,
//! leaves and replacements make a new ring from an old one and never change the segments, so a key
//! is mapped to its segment once. Nothing here knows of time, messages or failures.

mod balance;
mod change;
mod hash;
#[cfg(test)]
mod laws;
mod layout;
mod movement;
mod place;
mod trial;
mod walk;

pub use balance::{cv, efficiency, jain, max_over_mean, shares_any, shares_primary, spread_violations};
pub use hash::{HashKind, position, position_from_degrees};
pub use layout::{Assignment, Boundary, Bounds, Config, Layout, NodeSpec, PartitionCount, RingKind, Spread};
pub use movement::{Move, Owners, movement, trees_rebuilt};
pub use place::Ring;
