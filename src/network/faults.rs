//! What goes wrong with ways: cuts, degraded links, slow nodes.
//!
//! A cut is a directed set of pairs, so that one-way, partial, bridge and ring-shaped partitions are all the
//! same thing. A message on its way when a cut begins is cut too, also when the cut has healed before the message
//! would have arrived: that is why cuts are remembered until nothing sent before their end can still be under way.
//! Faults may overlap, and each counts how often it bit.

use crate::kernel::dist::Dist;
use crate::kernel::ids::NodeId;
use crate::kernel::mutant::{self, Mutant};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::{SimTime, Span};

use super::config::EndSet;
use super::map::{Map, Spots, derive};

/// A fault, numbered from 0 by whoever injects it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FaultId(pub u32);

/// Which directions a cut or a link fault affects. A node always reaches itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CutSpec {
    /// From each of these groups to each other one. Who is in no group sees all; nobody is in two.
    Between(Vec<EndSet>),
    /// Only from one set to another; the way back is as it was.
    OneWay {
        /// Who sends.
        from: EndSet,
        /// Who receives.
        to: EndSet,
    },
}

/// What a link fault does to each message it meets.
#[derive(Clone, PartialEq, Debug)]
pub struct Degrade {
    /// Chance of loss, beside and independent of the link's own.
    pub loss: f64,
    /// Chance of a second copy, beside and independent of the link's own.
    pub duplicate: f64,
    /// The delay is multiplied by this.
    pub slower: f64,
    /// And this is added, in nanoseconds, drawn for each message.
    pub extra: Dist,
}

impl Default for Degrade {
    /// Nothing is changed.
    fn default() -> Degrade {
        Degrade { loss: 0.0, duplicate: 0.0, slower: 1.0, extra: Dist::Constant(0) }
    }
}

/// A [`CutSpec`] over spots.
#[derive(Clone, Debug)]
enum Directions {
    /// By spot: the number of its group, or 0.
    Between(Vec<u16>),
    OneWay {
        from: Spots,
        to: Spots,
    },
}

impl Directions {
    fn new(map: &Map, spec: &CutSpec) -> Directions {
        match spec {
            CutSpec::OneWay { from, to } => Directions::OneWay { from: map.spots(from), to: map.spots(to) },
            CutSpec::Between(groups) => {
                let mut group_of = vec![0; map.spot_count()];
                for (number, group) in groups.iter().enumerate() {
                    let members = map.spots(group);
                    for spot in (0..group_of.len()).filter(|spot| members.has(*spot as u32)) {
                        assert!(group_of[spot] == 0, "an end is in one group of a cut at most");
                        group_of[spot] = number as u16 + 1;
                    }
                }
                Directions::Between(group_of)
            }
        }
    }

    fn affect(&self, from: u32, to: u32) -> bool {
        match self {
            Directions::OneWay { from: senders, to: receivers } => {
                let back = mutant::is(Mutant::M28) && senders.has(to) && receivers.has(from);
                back || senders.has(from) && receivers.has(to)
            }
            Directions::Between(group_of) => {
                let (from, to) = (group_of[from as usize], group_of[to as usize]);
                from != 0 && to != 0 && from != to
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Cut {
    id: FaultId,
    directions: Directions,
    /// When it healed; [`SimTime::MAX`] while it holds.
    ended_at: SimTime,
    /// When the last message arrives that was sent before it healed.
    forgotten_after: SimTime,
}

#[derive(Clone, Debug)]
struct LinkFault {
    id: FaultId,
    directions: Directions,
    degrade: Degrade,
    extra: Sampler,
}

#[derive(Clone, Debug)]
struct Slow {
    id: FaultId,
    /// By node.
    nodes: Vec<bool>,
    factor: f64,
}

/// What the faults of the moment add to the terms of a way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Strain {
    factor: f64,
    extra: Span,
}

impl Strain {
    /// A delay of so many nanoseconds under this strain.
    pub fn stretch(self, delay_ns: u64) -> Span {
        let stretched = if self.factor == 1.0 { delay_ns } else { (delay_ns as f64 * self.factor).round() as u64 };
        Span(stretched.saturating_add(self.extra.0)).min(Span::MAX)
    }
}

/// All faults, and the cuts of the recent past.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    cuts: Vec<Cut>,
    links: Vec<LinkFault>,
    slow: Vec<Slow>,
    hits: Vec<u64>,
}

impl Faults {
    pub fn cut(&mut self, map: &Map, id: FaultId, spec: &CutSpec) {
        let directions = Directions::new(map, spec);
        self.cuts.push(Cut { id, directions, ended_at: SimTime::MAX, forgotten_after: SimTime::MAX });
    }

    pub fn degrade(&mut self, map: &Map, id: FaultId, spec: &CutSpec, degrade: Degrade) {
        assert!(
            (0.0..=1.0).contains(&degrade.loss)
                && (0.0..=1.0).contains(&degrade.duplicate)
                && degrade.slower >= 0.0
                && degrade.slower.is_finite(),
            "a link fault has fractions, a factor and a span: {degrade:?}"
        );
        let extra = degrade.extra.compile();
        self.links.push(LinkFault { id, directions: Directions::new(map, spec), degrade, extra });
    }

    pub fn slow(&mut self, node_count: usize, id: FaultId, nodes: &[NodeId], factor: f64) {
        assert!(factor >= 0.0 && factor.is_finite(), "a slow node's delays are multiplied by a number: {factor}");
        let mut is_slow = vec![false; node_count];
        nodes.iter().for_each(|node| is_slow[node.index()] = true);
        self.slow.push(Slow { id, nodes: is_slow, factor });
    }

    /// Heals a fault. `latest_arrival` is when the last message now under way arrives.
    pub fn remove(&mut self, now: SimTime, id: FaultId, latest_arrival: SimTime) {
        self.links.retain(|fault| fault.id != id);
        self.slow.retain(|fault| fault.id != id);
        for cut in self.cuts.iter_mut().filter(|cut| cut.id == id && cut.ended_at == SimTime::MAX) {
            cut.ended_at = now;
            cut.forgotten_after = latest_arrival;
        }
        self.cuts.retain(|cut| cut.forgotten_after >= now);
    }

    /// Whether nothing is wrong now, and nothing under way can have met a cut.
    pub fn is_calm(&self) -> bool {
        self.cuts.is_empty() && self.links.is_empty() && self.slow.is_empty()
    }

    /// Whether no cut can concern any message.
    #[inline]
    pub fn has_no_cuts(&self) -> bool {
        self.cuts.is_empty()
    }

    pub fn hits(&self, id: FaultId) -> u64 {
        self.hits.get(id.0 as usize).copied().unwrap_or(0)
    }

    pub fn is_cut(&self, from: u32, to: u32) -> bool {
        self.cuts.iter().any(|cut| cut.ended_at == SimTime::MAX && cut.directions.affect(from, to))
    }

    /// Whether a cut stops a message that is sent now; the cuts that do have bitten.
    pub fn stops_at_send(&mut self, from: u32, to: u32) -> bool {
        self.stops(SimTime::MAX, from, to)
    }

    /// Whether a cut stopped a message on its way; the cuts that did have bitten.
    pub fn stops_on_the_way(&mut self, now: SimTime, sent_at: SimTime, from: u32, to: u32) -> bool {
        // A cut that healed at the instant of sending did not stop it, or it would not have been sent.
        let next = SimTime(sent_at.0 + 1);
        let stopped = self.stops(next, from, to);
        self.cuts.retain(|cut| cut.forgotten_after >= now);
        stopped
    }

    /// Counts the cuts that affect this way and did not end before `end`.
    fn stops(&mut self, end: SimTime, from: u32, to: u32) -> bool {
        let mut stopped = false;
        for cut in &self.cuts {
            if cut.ended_at >= end && cut.directions.affect(from, to) {
                bite(&mut self.hits, cut.id);
                stopped = true;
            }
        }
        stopped
    }

    /// Whether a message is lost by chance, given the way's own chance and a fair draw in [0, 1).
    ///
    /// The chances stack: the way's own comes first, each fault takes its share of the rest. A draw that an own chance
    /// or an earlier fault has claimed stays claimed, so more loss loses the same messages and some more.
    pub fn loses(&mut self, own: f64, draw: impl FnOnce() -> f64, from: u32, to: u32) -> bool {
        self.claims(own, draw, from, to, |degrade| degrade.loss)
    }

    /// Whether a message arrives twice; as [`Faults::loses`].
    pub fn doubles(&mut self, own: f64, draw: impl FnOnce() -> f64, from: u32, to: u32) -> bool {
        self.claims(own, draw, from, to, |degrade| degrade.duplicate)
    }

    fn claims(
        &mut self,
        own: f64,
        draw: impl FnOnce() -> f64,
        from: u32,
        to: u32,
        chance: fn(&Degrade) -> f64,
    ) -> bool {
        if own == 0.0 && self.links.is_empty() {
            return false;
        }
        let mut claimed = own;
        let draw = draw();
        if draw < claimed {
            return true;
        }
        for fault in self.links.iter().filter(|fault| fault.directions.affect(from, to)) {
            claimed += (1.0 - claimed) * chance(&fault.degrade);
            if draw < claimed {
                bite(&mut self.hits, fault.id);
                return true;
            }
        }
        false
    }

    /// By how much the delay of a message from `from` to `to` is stretched now. `luck` is the message's own; what faults
    /// add is drawn from numbers derived from it, so that it does not change the delay itself.
    pub fn strain(&self, from: u32, to: u32, luck: u64) -> Strain {
        let mut strain = Strain { factor: 1.0, extra: Span::ZERO };
        for fault in self.links.iter().filter(|fault| fault.directions.affect(from, to)) {
            strain.factor *= fault.degrade.slower;
            if !fault.extra.is_zero() {
                let extra = Span(fault.extra.sample(derive(luck, 2 + u64::from(fault.id.0)))).min(Span::MAX);
                strain.extra = Span(strain.extra.0.saturating_add(extra.0)).min(Span::MAX);
            }
        }
        for slow in &self.slow {
            for end in [from, to] {
                if slow.concerns(end) {
                    strain.factor *= slow.factor;
                }
            }
        }
        strain
    }

    /// The faults that stretch this way have bitten, once for each message. Nothing multiplies a delay of zero.
    pub fn count_strain(&mut self, delay_ns: u64, from: u32, to: u32) {
        for fault in &self.links {
            let stretches = (fault.degrade.slower != 1.0 && delay_ns > 0) || !fault.extra.is_zero();
            if stretches && fault.directions.affect(from, to) {
                bite(&mut self.hits, fault.id);
            }
        }
        for slow in &self.slow {
            if slow.factor != 1.0 && delay_ns > 0 && (slow.concerns(from) || slow.concerns(to)) {
                bite(&mut self.hits, slow.id);
            }
        }
    }
}

impl Slow {
    /// Spots beyond the nodes are clients.
    fn concerns(&self, spot: u32) -> bool {
        self.nodes.get(spot as usize).copied().unwrap_or(false)
    }
}

fn bite(hits: &mut Vec<u64>, id: FaultId) {
    let index = id.0 as usize;
    if hits.len() <= index {
        hits.resize(index + 1, 0);
    }
    hits[index] += 1;
}
