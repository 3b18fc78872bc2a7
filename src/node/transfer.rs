//! Range transfer between old and new owners (Dynamo §4.9).

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
