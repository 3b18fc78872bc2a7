//! Messages as the network sees them, and what it says of them.

use crate::kernel::ids::{Endpoint, GroupId};
use crate::kernel::time::SimTime;

use super::leg::Leg;

/// What the network sees of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// Who sends.
    pub from: Endpoint,
    /// Who receives.
    pub to: Endpoint,
    /// The group of the client end, if one end is a client; otherwise it is not looked at.
    pub group: GroupId,
    /// What for.
    pub leg: Leg,
    /// The operation or conversation under whose name chance is drawn.
    pub op: u64,
    /// The replica's end of the leg, as part of that name.
    pub replica: u32,
    /// Which attempt, as part of that name.
    pub attempt: u16,
    /// How large.
    pub bytes: u32,
}

/// What becomes of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It arrives then, unless a cut begins before: ask [`super::Network::passes_at_delivery`].
    Deliver(SimTime),
    /// It arrives twice, in this order or the other; the first is the original.
    Twice(SimTime, SimTime),
    /// It never arrives.
    Lost(LossCause),
}

impl Fate {
    /// When the last copy arrives; the beginning of the run if none does.
    pub(super) fn latest_arrival(self) -> SimTime {
        match self {
            Fate::Deliver(at) => at,
            Fate::Twice(first, second) => first.max(second),
            Fate::Lost(_) => SimTime::ZERO,
        }
    }
}

/// Why a message is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LossCause {
    /// By the loss of a link.
    Chance,
    /// By a cut.
    Cut,
    /// A script said so. The network itself never does.
    Script,
}
