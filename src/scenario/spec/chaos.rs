//! Faults drawn from the seed (the format's section 7).

use super::super::containers::Mechanism;
use super::super::decode::object;
use super::super::names::Selector;
use super::super::numbers::Fraction;
use super::distribution::DistSpec;
use crate::kernel::time::Span;

object! {
    /// Faults drawn from the seed.
    pub struct Chaos {
        /// When faults may begin; default: `warmup`.
        from: Option<Span>,
        /// When all are healed; default: `duration`.
        to: Option<Span>,
        /// Chance that a class exists in a run.
        present: Fraction = 0.5,
        /// At most so many nodes crashed, paused or wiped together.
        down_at_once: u32 = 1,
        /// Processes die and are restarted.
        crash: Mechanism<ChaosCrash> = {},
        /// Processes stop, then go on.
        pause: Mechanism<ChaosPause> = {},
        /// Nodes are slow.
        slow: Mechanism<ChaosSlow> = {},
        /// Nothing passes.
        cut: Mechanism<ChaosCut> = {},
        /// Messages suffer.
        link: Mechanism<ChaosLink> = {},
        /// Clocks are wrong.
        skew: Mechanism<ChaosSkew> = "off",
        /// Data is lost.
        wipe: Mechanism<ChaosWipe> = "off",
        /// Nodes become members.
        join: Mechanism<ChaosAdmin> = "off",
        /// Nodes are members no more.
        leave: Mechanism<ChaosAdmin> = "off",
    }
}

object! {
    /// Processes die and are restarted.
    pub struct ChaosCrash {
        /// From one to the next.
        every: DistSpec<Span> = {"exponential": {"mean": "10s"}},
        /// How long it lasts.
        for_ "for": DistSpec<Span> = {"exponential": {"mean": "3s"}},
        /// Whom it may meet.
        among: Selector = "all",
        /// What is left on disk, by weight.
        disk: DiskWeights = {"kept": 1},
    }
}

object! {
    /// Weights of what a crash leaves on disk.
    pub struct DiskWeights {
        /// Everything.
        kept: f64 = 0,
        /// All but what was not flushed.
        tail_lost: f64 = 0,
        /// Nothing.
        lost: f64 = 0,
    }
}

object! {
    /// Processes stop, then go on.
    pub struct ChaosPause {
        /// From one to the next.
        every: DistSpec<Span> = {"exponential": {"mean": "10s"}},
        /// How long it lasts.
        for_ "for": DistSpec<Span> = {"exponential": {"mean": "3s"}},
        /// Whom it may meet.
        among: Selector = "all",
    }
}

object! {
    /// Nodes are slow.
    pub struct ChaosSlow {
        /// From one to the next.
        every: DistSpec<Span> = {"exponential": {"mean": "10s"}},
        /// How long it lasts.
        for_ "for": DistSpec<Span> = {"exponential": {"mean": "3s"}},
        /// Whom it may meet.
        among: Selector = "all",
        /// Times slower: the storage.
        storage: f64 = 10,
        /// Times slower: the messages.
        network: f64 = 10,
    }
}

object! {
    /// Nothing passes.
    pub struct ChaosCut {
        /// From one to the next.
        every: DistSpec<Span> = {"exponential": {"mean": "10s"}},
        /// How long it lasts.
        for_ "for": DistSpec<Span> = {"exponential": {"mean": "3s"}},
        /// Whom it may meet.
        among: Selector = "all",
        /// What it looks like, by weight.
        shapes: ShapeWeights = {},
    }
}

object! {
    /// Weights of the shapes of a cut.
    pub struct ShapeWeights {
        /// One half from the other.
        halves: f64 = 1,
        /// One node from the others.
        isolate: f64 = 1,
        /// One direction only.
        one_way: f64 = 1,
        /// Two halves that only one node sees both of.
        bridge: f64 = 1,
        /// Every node sees a majority, no two the same.
        majorities_ring: f64 = 1,
    }
}

object! {
    /// Messages suffer.
    pub struct ChaosLink {
        /// From one to the next.
        every: DistSpec<Span> = {"exponential": {"mean": "10s"}},
        /// How long it lasts.
        for_ "for": DistSpec<Span> = {"exponential": {"mean": "3s"}},
        /// Whom it may meet.
        among: Selector = "all",
        /// Chance that a message is lost.
        loss: Fraction = 0.05,
        /// Chance that a message arrives twice.
        duplicate: Fraction = 0.02,
        /// Times slower.
        slower: Option<f64>,
        /// Delay added.
        extra: Option<DistSpec<Span>>,
    }
}

object! {
    /// Clocks are wrong.
    pub struct ChaosSkew {
        /// From one to the next.
        every: DistSpec<Span> = {"exponential": {"mean": "10s"}},
        /// How long it lasts.
        for_ "for": DistSpec<Span> = {"exponential": {"mean": "3s"}},
        /// Whom it may meet.
        among: Selector = "all",
        /// By how much, ahead or behind.
        by: DistSpec<Span> = {"exponential": {"mean": "100ms"}},
    }
}

object! {
    /// Data is lost.
    pub struct ChaosWipe {
        /// From one to the next.
        every: DistSpec<Span> = {"exponential": {"mean": "10s"}},
        /// Whom it may meet.
        among: Selector = "all",
        /// How much of it.
        fraction: Fraction = 1,
    }
}

object! {
    /// Nodes join or leave.
    pub struct ChaosAdmin {
        /// From one to the next.
        every: DistSpec<Span> = {"exponential": {"mean": "10s"}},
        /// Whom it may meet.
        among: Selector = "all",
    }
}
