//! Merkle anti-entropy as a conversation of messages (Dynamo §4.7).

/// What an exchange says.
#[derive(Clone, Debug)]
pub enum ExchangeMessage {
    /// Placeholder.
    Begin,
}

impl ExchangeMessage {
    /// Bytes on the wire.
    pub fn bytes(&self) -> u32 {
        0
    }
}
