//! `sweep --dry-run`: what would be played, and about how long it would take.

use std::path::Path;

use super::Common;
use super::campaign::Plan;

/// Prints the plan of a sweep.
pub(super) fn dry_run(_: &Plan<'_>, _: &Common, _: &[(usize, u64)], _: Option<(u32, u32)>, _: &Path) -> u8 {
    super::HELD
}
