//! Range transfer between old and new owners (Dynamo §4.9).

use crate::kernel::ids::{NodeId, OpId};
use crate::kernel::time::SimTime;
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::outputs::Outputs;

/// The top byte of the tokens of background jobs that are transfers'.
pub(super) const TOKEN_OWNER: u64 = 1;

/// What a transfer says.
#[derive(Clone, Debug)]
pub enum TransferMessage {
    /// Placeholder.
    Offer,
}

impl TransferMessage {
    /// Bytes on the wire.
    pub fn bytes(&self) -> u32 {
        0
    }
}

/// Transfers under way. Memory: a crash forgets them.
#[derive(Debug, Default)]
pub(super) struct Transfers {}

impl Node {
    pub(super) fn start_transfers(&mut self, _commons: &mut Commons, _now: SimTime, _out: &mut Outputs) {}
    pub(super) fn review_ranges(&mut self, _commons: &mut Commons, _now: SimTime, _out: &mut Outputs) {}
    pub(super) fn on_transfer(&mut self, _: &mut Commons, _: SimTime, _: NodeId, _: OpId, _: TransferMessage, _: &mut Outputs) {}
    pub(super) fn on_transfer_time(&mut self, _commons: &mut Commons, _now: SimTime, _out: &mut Outputs) {}
    pub(super) fn on_transfer_batch_time(&mut self, _: &mut Commons, _: SimTime, _: u32, _: &mut Outputs) {}
    pub(super) fn on_transfer_stored(&mut self, _: &mut Commons, _: SimTime, _: u32, _: &mut Outputs) {}
}
