//! Links between ends that are not whole regions: exceptions for single nodes and clients.
//!
//! They are few, so they are a list that is looked through, and only where there are any. Links between
//! whole regions are wires of the map and known to `topology` alone.

use std::slice;

use super::config::Config;
use super::map::{Map, Spots};
use super::topology::is_wire;

/// One direction of a link.
#[derive(Clone, Debug)]
pub(super) struct Override {
    from: Spots,
    to: Spots,
    delay: Option<u16>,
    loss: Option<f64>,
    duplicate: Option<f64>,
    pipe: Option<u32>,
    fifo: Option<bool>,
}

/// Compiles the links of a configuration that are no wires, in their order.
pub(super) fn overrides(config: &Config, map: &mut Map) -> Vec<Override> {
    let mut overrides = Vec::new();
    for rule in config.links.iter().filter(|rule| !is_wire(rule)) {
        let delay = rule.delay.as_ref().map(|delay| map.add_delay(delay));
        let mut lay = |from, to| {
            let pipe = rule.bandwidth.map(|bandwidth| {
                map.pipes.push(bandwidth);
                map.pipes.len() as u32 - 1
            });
            overrides.push(Override {
                from: map.spots(from),
                to: map.spots(to),
                delay,
                loss: rule.loss,
                duplicate: rule.duplicate,
                pipe,
                fifo: rule.fifo,
            });
        };
        lay(&rule.from, &rule.to);
        if rule.symmetric {
            lay(&rule.to, &rule.from);
        }
    }
    overrides
}

/// All that holds between two spots, faults apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    pub hops: &'a [u16],
    pub loss: f64,
    pub duplicate: f64,
    /// Pipes on the way; empty: the sender's own.
    pub pipes: &'a [u32],
    pub fifo: bool,
}

impl<'a> Terms<'a> {
    pub fn of(map: &'a Map, overrides: &'a [Override], from: u32, to: u32) -> Terms<'a> {
        let class = map.class(from, to);
        let general = map.terms(class);
        let mut terms = Terms {
            hops: map.hops(class),
            loss: general.loss,
            duplicate: general.duplicate,
            pipes: &general.pipes,
            fifo: general.fifo,
        };
        for link in overrides.iter().filter(|link| link.from.has(from) && link.to.has(to)) {
            terms.hops = link.delay.as_ref().map_or(terms.hops, slice::from_ref);
            terms.pipes = link.pipe.as_ref().map_or(terms.pipes, slice::from_ref);
            terms.loss = link.loss.unwrap_or(terms.loss);
            terms.duplicate = link.duplicate.unwrap_or(terms.duplicate);
            terms.fifo = link.fifo.unwrap_or(terms.fifo);
        }
        terms
    }
}
