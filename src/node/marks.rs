//! Marks: rare states that random runs should reach at least sometimes. One that is never reached says that the
//! runs are too tame, or that a change has made it unreachable; nothing is wrong with a run that reaches one.
//!
//! Those that only a node can see it tells itself ([`crate::node::outputs::Outputs::reach`]); the others are derived
//! from what is told anyway (`check::marks`). What happens all the time is counted in [`crate::node::stats::Stats`]
//! and becomes a mark at the end.

macro_rules! marks {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $name:literal; )+) => {
        /// A rare state.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Mark { $( $(#[doc = $doc])+ $variant, )+ }

        impl Mark {
            /// All of them, in the order of the list.
            pub const ALL: &'static [Mark] = &[$(Mark::$variant),+];

            /// Its name: `marks.<name>` is how often it was reached.
            pub const fn name(self) -> &'static str {
                match self { $( Mark::$variant => $name, )+ }
            }
            /// What it is, in a sentence.
            pub fn about(self) -> &'static str {
                match self { $( Mark::$variant => concat!($($doc),+).trim_start(), )+ }
            }
            /// The mark of a name.
            pub fn from_name(name: &str) -> Option<Mark> {
                match name { $( $name => Some(Mark::$variant), )+ _ => None }
            }
        }
    };
}

marks! {
    /// A stand-in keeps a write for its owner.
    HintStored = "hint_stored";
    /// A newer write of the same key takes a hint's place.
    HintReplaced = "hint_replaced";
    /// An owner has acknowledged a hint.
    HintDelivered = "hint_delivered";
    /// A hint goes to a new owner, because the old one has left the ring.
    HintRedirected = "hint_redirected";
    /// An owner gets a hint that it has already.
    HintDuplicate = "hint_duplicate";
    /// A hint is thrown away because its time is over.
    HintExpired = "hint_expired";
    /// A hint is not stored because the store is full.
    HintDropped = "hint_dropped";
    /// Hints are lost with a disk.
    HintsLost = "hints_lost";
    /// A batch of hints is not acknowledged in time.
    HintsRetried = "hints_retried";
    /// A node starts again with hints on its disk.
    RestartedWithHints = "restarted_with_hints";

    /// A stand-in answers a read with something.
    ReadByStandIn = "read_by_stand_in";
    /// Three replicas answer a read, and no two alike.
    ThreeAnswersDiffer = "three_answers_differ";
    /// One read repairs several replicas.
    SeveralRepaired = "several_repaired";
    /// A stand-in's answer is stale, and its owner's hint is left to see to that.
    StandInNotRepaired = "stand_in_not_repaired";
    /// A read waits for its repairs before it is answered.
    BlockingRepairWaited = "blocking_repair_waited";
    /// A read times out at its coordinator.
    ReadTimedOut = "read_timed_out";
    /// A node that waits for its hints does not answer a read.
    ReadWhileRecovering = "read_while_recovering";

    /// A node passes a write on to one that may lead it.
    WriteForwarded = "write_forwarded";
    /// Nobody takes over a write that was passed on, and it goes to another.
    ForwardSilent = "forward_silent";
    /// A stand-in is called while a request is under way.
    StandInCalled = "stand_in_called";
    /// A suspect is asked after all, because nobody better is left.
    SuspectTriedAfterAll = "suspect_tried_after_all";
    /// A write is acknowledged with the help of a stand-in.
    AckedWithStandIn = "acked_with_stand_in";
    /// A write times out although some replica has stored it.
    TimedOutThoughStored = "timed_out_though_stored";
    /// An answer comes when its request is over.
    AnswerAfterEnd = "answer_after_end";
    /// An answer comes to a node that has crashed since it asked.
    AnswerToEarlierLife = "answer_to_earlier_life";
    /// A coordinator crashes with requests under way.
    LeaderCrashed = "leader_crashed";
    /// A write is refused because it would leave siblings.
    WriteRefused = "write_refused";
    /// An operation is refused because too few replicas can be reached.
    TooFewReplicas = "too_few_replicas";
    /// An operation finds nobody to coordinate it.
    NoCoordinator = "no_coordinator";
    /// A client's second try is answered.
    SecondTryAnswered = "second_try_answered";
    /// A request reaches a node that does not own the key by its own ring.
    Misrouted = "misrouted";
    /// A client finds its ring stale and asks anew.
    RingRefreshed = "ring_refreshed";

    /// A read returns siblings.
    SiblingsRead = "siblings_read";
    /// A read returns three siblings or more.
    ThreeSiblingsRead = "three_siblings_read";
    /// A write replaces siblings that its client has merged.
    SiblingsMerged = "siblings_merged";
    /// A clock loses entries to truncation.
    ClockTruncated = "clock_truncated";
    /// A coordinator counts on from a number that nothing it stores shows.
    DotBeyondStored = "dot_beyond_stored";
    /// A write comes to a replica that holds a newer one.
    ObsoleteWrite = "obsolete_write";
    /// A coordinator's clock gives a write an older stamp than what it should replace.
    StampBehind = "stamp_behind";

    /// A tombstone replaces a value.
    TombstoneCovers = "tombstone_covers";
    /// A tombstone is removed because it is old enough.
    TombstoneReaped = "tombstone_reaped";
    /// A tombstone is old enough, but its key was written again.
    TombstoneOutlived = "tombstone_outlived";
    /// A tombstone and a concurrent write stand side by side.
    DeleteBesideWrite = "delete_beside_write";
    /// A deleted key is written again by a client that knows of its delete.
    KeyRecreated = "key_recreated";

    /// A crashed or paused node is suspected.
    TrueSuspicion = "true_suspicion";
    /// A running node is suspected.
    FalseSuspicion = "false_suspicion";
    /// A running node that was suspected is trusted again.
    FalseSuspicionWithdrawn = "false_suspicion_withdrawn";
    /// A node is suspected on hearsay.
    SuspectedByRumour = "suspected_by_rumour";
    /// A node hears that it is suspected, and denies it.
    RumourDenied = "rumour_denied";

    /// A cut stops a message that was on its way.
    CutOnTheWay = "cut_on_the_way";
    /// A message arrives twice.
    ArrivedTwice = "arrived_twice";
    /// Coordinators on both sides of a cut write one key.
    BothSidesWrote = "both_sides_wrote";
    /// A crash takes back what was not yet safe.
    UnflushedLost = "unflushed_lost";
    /// A node loses all its data.
    AllDataLost = "all_data_lost";
    /// A node that lost all its data gets some back from others.
    LostDataRepaired = "lost_data_repaired";

    /// Anti-entropy finds keys that differ.
    ExchangeFoundDifferences = "exchange_found_differences";
    /// Anti-entropy sends a key that the other has got meanwhile.
    ExchangeSentEqual = "exchange_sent_equal";
    /// The other side of an exchange falls silent.
    ExchangeSilent = "exchange_silent";
    /// A crash ends an exchange.
    ExchangeCutShort = "exchange_cut_short";

    /// A write goes also to a node that is about to own its key.
    WriteToFutureOwner = "write_to_future_owner";
    /// A range has come whole to its new owner.
    RangeArrived = "range_arrived";
    /// A batch of a transfer is sent again.
    BatchRetried = "batch_retried";
    /// A donor that has fallen silent is given up.
    DonorGivenUp = "donor_given_up";
    /// A node gives an owner what it holds and no longer owns.
    LeftoverHandedOver = "leftover_handed_over";
    /// Two nodes meet that each know a membership change the other has not heard of.
    ViewsMerged = "views_merged";
}

/// How often each mark was reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Marks([u64; Mark::ALL.len()]);

impl Default for Marks {
    /// None was.
    fn default() -> Marks {
        Marks([0; Mark::ALL.len()])
    }
}

impl Marks {
    /// A mark is reached so many times more.
    pub fn add(&mut self, mark: Mark, times: u64) {
        self.0[mark as usize] += times;
    }

    /// How often a mark was reached.
    pub fn count(&self, mark: Mark) -> u64 {
        self.0[mark as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_mark_is_known_by_its_name_and_says_what_it_is() {
        let names: BTreeSet<&str> = Mark::ALL.iter().map(|mark| mark.name()).collect();
        assert_eq!(names.len(), Mark::ALL.len(), "no two marks have one name");
        for (place, mark) in Mark::ALL.iter().enumerate() {
            assert_eq!((*mark as usize, Mark::from_name(mark.name())), (place, Some(*mark)));
            let name = mark.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(name && mark.about().ends_with('.'), "{}", mark.name());
        }
        assert_eq!(Mark::from_name("hint_store"), None);
    }
}
