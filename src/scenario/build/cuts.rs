//! Groups of cuts and links: nobody is in two of them, neither by name nor by chance.

use std::collections::BTreeSet;

use super::Builder;
use super::selectors::End;
use crate::kernel::ids::GroupId;
use crate::network::{CutSpec, EndSet};
use crate::scenario::names::Selector;
use crate::scenario::spec::Location;

impl Builder<'_> {
    /// The directions of a cut or of a link that suffers.
    pub(super) fn cut(
        &mut self,
        path: &str,
        between: Option<&[Selector]>,
        from: Option<&Selector>,
        to: Option<&Selector>,
    ) -> CutSpec {
        match (between, from, to) {
            (Some(groups), ..) => CutSpec::Between(self.groups_apart(path, groups)),
            (None, Some(from), Some(to)) => CutSpec::OneWay {
                from: self.ends(&format!("{path}.from"), from),
                to: self.ends(&format!("{path}.to"), to),
            },
            (None, ..) => {
                self.fail(path, "`from` and `to` go together");
                CutSpec::Between(Vec::new())
            }
        }
    }

    /// Groups of which no two share anybody: those that draw do so among the rest.
    fn groups_apart(&mut self, path: &str, groups: &[Selector]) -> Vec<EndSet> {
        let mut taken: BTreeSet<End> = BTreeSet::new();
        for (number, group) in groups.iter().enumerate() {
            taken.extend(self.certain(&format!("{path}.between.{number}"), group));
        }
        let mut sets: Vec<EndSet> = Vec::new();
        for (number, group) in groups.iter().enumerate() {
            let here = format!("{path}.between.{number}");
            let set = self.ends_without(&here, group, &taken);
            taken.extend(set.nodes.iter().map(|&node| End::Node(node)));
            taken.extend(set.groups.iter().map(|&group| End::Group(group)));
            if let Some((first, who)) =
                sets.iter().enumerate().find_map(|(first, other)| Some((first, self.shared(&set, other)?)))
            {
                self.fail(&here, format!("{who} is also in {path}.between.{first}"));
            }
            sets.push(set);
        }
        sets
    }

    /// Somebody who is in both sets, by name.
    fn shared(&self, one: &EndSet, other: &EndSet) -> Option<String> {
        let region_of = |node: usize| self.region(&self.world.nodes[node].region);
        let has_node = |set: &EndSet, node: usize| {
            set.nodes.iter().any(|known| known.index() == node)
                || region_of(node).is_some_and(|region| set.regions.contains(&region))
        };
        if let Some(node) = (0..self.world.nodes.len()).find(|&node| has_node(one, node) && has_node(other, node)) {
            return Some(self.world.nodes[node].name.clone());
        }
        if let Some(region) = one.regions.iter().find(|region| other.regions.contains(region)) {
            return Some(self.world.regions[*region as usize].clone());
        }
        let some_of = |set: &EndSet, group: GroupId| {
            let Some(spec) = self.spec.clients.get(group.index()) else { return false };
            let at = |region: &str| self.region(region).is_some_and(|region| set.regions.contains(&region));
            match &spec.location {
                Location::Spread => !set.regions.is_empty(),
                Location::Nowhere => false,
                Location::Region(name) => at(name),
                Location::Rack(name) => self.world.racks.iter().any(|(rack, region)| *rack == name.0 && at(region)),
            }
        };
        let groups = self.world.groups.iter().chain(&self.world.scripted).enumerate();
        groups.map(|(at, name)| (GroupId(at as u16), name)).find_map(|(group, name)| {
            let (in_one, in_other) = (one.groups.contains(&group), other.groups.contains(&group));
            let in_both = match (in_one, in_other) {
                (true, true) => true,
                (true, false) => some_of(other, group),
                (false, true) => some_of(one, group),
                (false, false) => false,
            };
            in_both.then(|| name.clone())
        })
    }
}
