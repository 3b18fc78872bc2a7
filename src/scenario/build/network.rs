//! The section `network`: places, delays, links.

use super::Builder;
use super::cluster::throughput;
use crate::network::{Config, LinkRule, Place, Site};
use crate::scenario::spec::Location;

impl Builder<'_> {
    /// Places and delays; `links` are filled in by [`Builder::links`].
    pub(super) fn network(&mut self) -> Config {
        let network = &self.spec.network;
        let place = |builder: &Self, region: &str, rack: &str| Place {
            region: builder.region(region).unwrap_or(0),
            rack: builder.rack(rack).unwrap_or(0),
        };
        let nodes = self.world.nodes.iter().map(|node| place(self, &node.region, &node.rack)).collect();
        let mut groups: Vec<Site> = Vec::new();
        for group in &self.spec.clients {
            let path = format!("clients.{}.location", group.name);
            groups.push(match &group.location {
                Location::Spread => Site::Spread,
                Location::Nowhere => Site::Nowhere,
                Location::Region(name) => match self.region(name) {
                    Some(region) => Site::Region(region),
                    None => {
                        self.fail(&path, format!("unknown region {:?}", name.0));
                        Site::Nowhere
                    }
                },
                Location::Rack(name) => {
                    let known = self.world.racks.iter().find(|(known, _)| *known == name.0).cloned();
                    match known {
                        Some((rack, region)) => Site::Rack(place(self, &region, &rack)),
                        None => {
                            self.fail(&path, format!("unknown rack {:?}", name.0));
                            Site::Nowhere
                        }
                    }
                }
            });
        }
        groups.extend(self.world.scripted.iter().map(|_| Site::Nowhere));
        if groups.len() > usize::from(u16::MAX) {
            self.fail("clients", format!("{} groups and scripted clients (allowed at most 65 535)", groups.len()));
        }
        let mut optional =
            |name: &str, delay: &Option<_>| delay.as_ref().map(|delay| self.delay(&format!("network.{name}"), delay));
        let within_rack = optional("within_rack", &network.within_rack);
        let between_regions = optional("between_regions", &network.between_regions);
        let client = optional("client", &network.client);
        Config {
            regions: self.world.regions.len() as u32,
            nodes,
            groups,
            within_region: self.delay("network.within_region", &network.within_region),
            within_rack,
            between_regions,
            client,
            links: Vec::new(),
            loss: network.loss.0,
            duplicate: network.duplicate.0,
            bandwidth: throughput(&network.bandwidth),
            fifo: network.fifo,
        }
    }

    /// Exceptions for the links between some ends, in the order of the file.
    pub(super) fn links(&mut self) -> Vec<LinkRule> {
        let mut rules = Vec::new();
        for (number, link) in self.spec.network.links.iter().enumerate() {
            let path = format!("network.links.{number}");
            let (from, to, symmetric) = match (&link.between, &link.from, &link.to) {
                (Some(ends), ..) if ends.len() == 2 => {
                    let from = self.ends(&format!("{path}.between.0"), &ends[0]);
                    (from, self.ends(&format!("{path}.between.1"), &ends[1]), true)
                }
                (None, Some(from), Some(to)) => {
                    let from = self.ends(&format!("{path}.from"), from);
                    (from, self.ends(&format!("{path}.to"), to), false)
                }
                _ => {
                    self.fail(&path, "two ends are needed");
                    continue;
                }
            };
            rules.push(LinkRule {
                from,
                to,
                symmetric,
                delay: link.delay.as_ref().map(|delay| self.delay(&format!("{path}.delay"), delay)),
                loss: link.loss.map(|loss| loss.0),
                duplicate: link.duplicate.map(|duplicate| duplicate.0),
                // Said of a link, "unlimited" lifts the limit of its senders.
                bandwidth: link.bandwidth.as_ref().map(|bandwidth| throughput(bandwidth).unwrap_or(f64::INFINITY)),
                fifo: link.fifo,
            });
        }
        rules
    }
}
