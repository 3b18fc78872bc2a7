//! What went over the network, leg by leg.

use super::envelope::{Fate, LossCause};
use super::leg::{Class, Leg};

/// Messages of one leg, or of several together.
///
/// Every copy has one end: `messages + duplicated` is what was delivered to a node or client, running or not,
/// plus [`Counts::lost`], plus what is still on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Messages sent to somebody else.
    pub messages: u64,
    /// Their bytes, each message once.
    pub bytes: u64,
    /// Second copies that the network made.
    pub duplicated: u64,
    /// Lost by chance.
    pub lost_by_chance: u64,
    /// Lost to a cut: at once, or on the way (then each copy counts).
    pub lost_by_cut: u64,
    /// Lost because a script said so.
    pub lost_by_script: u64,
    /// Messages of a node to itself. They use no network and are part of no other number.
    pub to_itself: u64,
}

impl Counts {
    /// Copies that never arrived.
    pub const fn lost(&self) -> u64 {
        self.lost_by_chance + self.lost_by_cut + self.lost_by_script
    }

    /// Adds what another leg has.
    pub fn add(&mut self, other: &Counts) {
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.duplicated += other.duplicated;
        self.lost_by_chance += other.lost_by_chance;
        self.lost_by_cut += other.lost_by_cut;
        self.lost_by_script += other.lost_by_script;
        self.to_itself += other.to_itself;
    }

    pub(super) fn lose(&mut self, cause: LossCause) {
        match cause {
            LossCause::Chance => self.lost_by_chance += 1,
            LossCause::Cut => self.lost_by_cut += 1,
            LossCause::Script => self.lost_by_script += 1,
        }
    }
}

/// The numbers of all legs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// One entry for each leg, at the leg's number.
    pub legs: [Counts; Leg::COUNT],
    /// Of those that cuts stopped, how many had left before.
    pub cut_on_the_way: u64,
}

impl Totals {
    /// One leg's.
    pub const fn leg(&self, leg: Leg) -> &Counts {
        &self.legs[leg.index()]
    }

    /// All legs of a class together.
    pub fn class(&self, class: Class) -> Counts {
        self.sum(|leg| leg.class() == class)
    }

    /// All legs together.
    pub fn all(&self) -> Counts {
        self.sum(|_| true)
    }

    fn sum(&self, which: impl Fn(Leg) -> bool) -> Counts {
        let mut sum = Counts::default();
        Leg::ALL.into_iter().filter(|leg| which(*leg)).for_each(|leg| sum.add(self.leg(leg)));
        sum
    }

    #[inline]
    pub(super) fn sent(&mut self, leg: Leg, bytes: u32) {
        let counts = &mut self.legs[leg.index()];
        counts.messages += 1;
        counts.bytes += u64::from(bytes);
    }

    pub(super) fn ended(&mut self, leg: Leg, fate: Fate) {
        let counts = &mut self.legs[leg.index()];
        match fate {
            Fate::Deliver(_) => {}
            Fate::Twice(..) => counts.duplicated += 1,
            Fate::Lost(cause) => counts.lose(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::SimTime;

    #[test]
    fn a_class_is_the_sum_of_its_legs() {
        let mut totals = Totals::default();
        totals.sent(Leg::Gossip, 100);
        totals.ended(Leg::Gossip, Fate::Lost(LossCause::Cut));
        totals.sent(Leg::Probe, 10);
        totals.ended(Leg::Probe, Fate::Twice(SimTime(1), SimTime(2)));
        totals.sent(Leg::Hint, 1);
        let gossip = totals.class(Class::Gossip);
        assert_eq!((gossip.messages, gossip.bytes, gossip.lost(), gossip.duplicated), (2, 110, 1, 1));
        assert_eq!(totals.all().messages, 3);
        assert_eq!(totals.class(Class::Transfer), Counts::default());
    }
}
