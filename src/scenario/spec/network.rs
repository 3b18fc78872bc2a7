//! Delays and losses between nodes and clients (the format's section 4, first half).

use super::super::containers::OrUnlimited;
use super::super::decode::object;
use super::super::names::Selector;
use super::super::numbers::Fraction;
use super::super::scalars::Throughput;
use super::distribution::DistSpec;
use crate::kernel::time::Span;

/// One way from one end of a link to the other.
pub type Delay = DistSpec<Span>;

object! {
    /// Delays and losses between nodes and clients.
    pub struct Network {
        /// One way between two nodes of a region.
        within_region: Delay = {"lognormal": {"median": "250us", "sigma": 0.4}},
        /// One way between two nodes of a rack; default: as `within_region`.
        within_rack: Option<Delay>,
        /// One way between two regions; required with several, unless `links` joins them all.
        between_regions: Option<Delay>,
        /// Between a client and the nodes of its region; default: as `within_region`.
        client: Option<Delay>,
        /// Overrides.
        links: Vec<Link> = [],
        /// Chance that a message is lost.
        loss: Fraction = 0,
        /// Chance that a message arrives twice.
        duplicate: Fraction = 0,
        /// Of a node, outgoing.
        bandwidth: OrUnlimited<Throughput> = "unlimited",
        /// Messages of one link may not overtake.
        fifo: bool = false,
    }
}

object! {
    /// An override for the links between some ends.
    pub struct Link {
        /// Two selectors, both ways.
        between: Option<Vec<Selector>>,
        /// One way, from here.
        from: Option<Selector>,
        /// One way, to here.
        to: Option<Selector>,
        /// One way.
        delay: Option<Delay>,
        /// Chance that a message is lost.
        loss: Option<Fraction>,
        /// Chance that a message arrives twice.
        duplicate: Option<Fraction>,
        /// Of the link.
        bandwidth: Option<OrUnlimited<Throughput>>,
        /// Messages may not overtake.
        fifo: Option<bool>,
    }
    exactly_one ["between", "from"];
    check check_link;
}

fn check_link(link: &Link, node: &super::super::json::Node, cx: &mut super::super::errors::Errors) {
    if link.from.is_some() != link.to.is_some() {
        cx.error(&node.origin, "`from` and `to` go together");
    }
    if link.between.as_ref().is_some_and(|ends| ends.len() != 2) {
        let origin = node.get("between").map_or(&node.origin, |between| &between.origin);
        cx.within("between", |cx| cx.error(origin, "two selectors are needed"));
    }
    let says_nothing = link.delay.is_none()
        && link.loss.is_none()
        && link.duplicate.is_none()
        && link.bandwidth.is_none()
        && link.fifo.is_none();
    if says_nothing {
        cx.error(&node.origin, "this link changes nothing (allowed any of delay, loss, duplicate, bandwidth, fifo)");
    }
}
