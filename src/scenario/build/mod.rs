//! From a scenario to a run: every name becomes a number, every default a value, every selector its nodes.
//!
//! The rules between fields were checked before (`rules`), and files were read (`files`). What is found
//! here all the same (a distribution of mean 0 where none may be, a cut with somebody in two groups) is an
//! error with its path. It does not know how a run works, only what one is told.

mod chaos;
mod clients;
mod cluster;
mod cuts;
mod distributions;
mod expect;
mod keys;
mod network;
mod operations;
mod script;
mod selectors;
mod windows;

use std::collections::BTreeMap;

use super::files::Files;
use super::spec::Spec;
use super::world::World;
use crate::cluster::config::{Literal, Measure, RunConfig};
use crate::kernel::ids::{NodeId, SessionId};
use crate::kernel::time::SimTime;
use crate::node::config::Profile;
use crate::ring::{self, Layout, Ring};

/// One run of one setting, ready to be played.
#[derive(Clone, Debug)]
pub struct Built {
    /// The run.
    pub config: RunConfig,
    /// Who is there, by name: nodes, racks, regions, groups and scripted clients, in the order of their numbers.
    pub world: World,
    /// Steps of the file; those that chaos drew follow them in [`RunConfig::steps`].
    pub script_steps: u32,
    /// What is worth saying although it is not wrong.
    pub notices: Vec<String>,
}

/// The run of a setting with this seed. It takes the seed of the argument, not the file's, and reads no files.
///
/// # Errors
/// What makes no run although no rule forbids it: path and reason, one sentence each.
pub fn run_config(spec: &Spec, seed: u64, files: &Files) -> Result<Built, Vec<String>> {
    let mut builder = Builder::new(spec, seed, files);
    let ring = builder.ring();
    if !builder.wrong.is_empty() {
        return Err(builder.wrong);
    }
    builder.layout.config = Some(ring.clone());
    builder.place_keys();
    builder.set_cluster_profile();
    let mut network = builder.network();
    network.links = builder.links();
    let groups = builder.groups();
    let mut steps = builder.script();
    let script_steps = steps.len() as u32;
    steps.extend(builder.chaos());
    let windows = builder.windows(&steps, script_steps as usize);
    let node = builder.node();
    builder.wrong.extend(crate::network::check(&network));
    if !builder.wrong.is_empty() {
        return Err(builder.wrong);
    }
    let measure = &spec.measure;
    let config = RunConfig {
        seed,
        warmup: SimTime(spec.warmup.0),
        duration: spec.duration.map(|duration| SimTime(duration.0)),
        settle: spec.settle,
        node,
        ring,
        network,
        node_names: builder.world.nodes.iter().map(|node| node.name.clone()).collect(),
        region_names: builder.world.regions.clone(),
        texts: builder.texts.list,
        keys: builder.keys.configs,
        groups,
        scripted: builder.world.scripted.clone(),
        steps,
        windows,
        measure: Measure {
            bucket: measure.bucket,
            load_window: measure.load_window,
            load_tolerance: measure.load_tolerance,
            converged_share: measure.converged_share.0,
            check_budget: measure.check_budget,
            judge: measure.judge,
            history: measure.history,
        },
    };
    Ok(Built { config, world: builder.world, script_steps, notices: builder.notices })
}

/// Texts that scripts write, each with one number.
#[derive(Default)]
struct Texts {
    list: Vec<String>,
    numbers: BTreeMap<String, u32>,
}

impl Texts {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = self.list.len() as u32;
        self.list.push(text.to_string());
        self.numbers.insert(text.to_string(), number);
        number
    }

    fn literal(&mut self, value: &super::spec::ItemValue) -> Literal {
        match value {
            super::spec::OneOrMany::One(text) => Literal::Text(self.number(text)),
            super::spec::OneOrMany::Many(items) => Literal::Set(items.iter().map(|item| self.number(item)).collect()),
        }
    }
}

/// The ring at the start, made when the first selector or key asks for it.
#[derive(Default)]
struct LazyRing {
    config: Option<ring::Config>,
    made: Option<(Layout, Ring)>,
}

impl LazyRing {
    fn get(&mut self) -> &(Layout, Ring) {
        let config = &self.config;
        self.made.get_or_insert_with(|| {
            let config = config.clone().expect("the ring is configured before it is asked for");
            let layout = Layout::new(config);
            let ring = layout.initial_ring(&layout.config().initial_members);
            (layout, ring)
        })
    }
}

/// What all parts of a run share while it is built.
struct Builder<'a> {
    spec: &'a Spec,
    seed: u64,
    files: &'a Files,
    world: World,
    numbers: BTreeMap<String, NodeId>,
    layout: LazyRing,
    texts: Texts,
    keys: keys::Keys,
    profiles: Vec<Profile>,
    /// First session of each group, and after them that of the first scripted client.
    first_sessions: Vec<SessionId>,
    /// Selectors so far that draw.
    draws: u64,
    wrong: Vec<String>,
    notices: Vec<String>,
}

impl<'a> Builder<'a> {
    fn new(spec: &'a Spec, seed: u64, files: &'a Files) -> Builder<'a> {
        let world = World::of(spec);
        let numbers = world.nodes.iter().enumerate().map(|(at, node)| (node.name.clone(), NodeId(at as u32))).collect();
        let mut sessions = 0u64;
        let mut first_sessions = Vec::new();
        for group in &spec.clients {
            first_sessions.push(SessionId(sessions.min(u64::from(u32::MAX)) as u32));
            sessions += u64::from(group.count);
        }
        first_sessions.push(SessionId(sessions.min(u64::from(u32::MAX)) as u32));
        let mut wrong: Vec<String> = world.conflicts.iter().map(|(path, reason)| format!("{path}: {reason}")).collect();
        if sessions + world.scripted.len() as u64 >= 1 << 30 {
            wrong.push(format!("clients: {sessions} sessions (allowed fewer than 2^30)"));
        }
        Builder {
            spec,
            seed,
            files,
            world,
            numbers,
            layout: LazyRing::default(),
            texts: Texts::default(),
            keys: keys::Keys::default(),
            profiles: Vec::new(),
            first_sessions,
            draws: 0,
            wrong,
            notices: Vec::new(),
        }
    }

    fn fail(&mut self, path: &str, reason: impl std::fmt::Display) {
        self.wrong.push(format!("{path}: {reason}"));
    }

    /// The node of a name.
    fn node_id(&mut self, path: &str, name: &str) -> NodeId {
        if let Some(&node) = self.numbers.get(name) {
            return node;
        }
        self.fail(path, format!("unknown node {name:?}"));
        NodeId(0)
    }

    fn node_ids(&mut self, path: &str, names: &[super::names::Name]) -> Vec<NodeId> {
        names.iter().map(|name| self.node_id(path, name)).collect()
    }

    /// Members at the start.
    fn members(&self) -> Vec<NodeId> {
        (0..self.world.nodes.len() as u32).map(NodeId).filter(|node| self.world.nodes[node.index()].member).collect()
    }

    /// Nodes that everybody knows: those of the file, else the first member.
    fn seeds(&mut self) -> Vec<NodeId> {
        match &self.spec.cluster.membership.seeds {
            Some(seeds) => self.node_ids("cluster.membership.seeds", seeds),
            _ => self.members().into_iter().take(1).collect(),
        }
    }

    /// A count that fits into a byte.
    fn byte(&mut self, path: &str, value: u32) -> u8 {
        u8::try_from(value).unwrap_or_else(|_| {
            self.fail(path, format!("too large (got {value}, allowed at most 255)"));
            u8::MAX
        })
    }

    /// A count that fits into 32 bits.
    fn count(&mut self, path: &str, value: u64) -> u32 {
        u32::try_from(value).unwrap_or_else(|_| {
            self.fail(path, format!("too large (got {value}, allowed below 2^32)"));
            u32::MAX
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::config::{Action, Fault, Place, When};
    use crate::kernel::ids::{GroupId, KeyId, OpId};
    use crate::kernel::time::Span;
    use crate::network::Site;
    use crate::scenario::source::Memory;

    /// The run of a scenario's only setting.
    pub(super) fn built(text: &str, seed: u64) -> Result<Built, Vec<String>> {
        let loaded =
            crate::scenario::load(&Memory::new("test.json", text), &[]).unwrap_or_else(|errors| panic!("{errors}"));
        run_config(&loaded.settings[0].spec, seed, &loaded.files)
    }

    #[test]
    fn six_lines_are_a_run_with_the_numbers_of_the_paper() {
        let text = r#"{ "version": 1, "duration": "10s", "cluster": { "nodes": 5 },
            "clients": [ { "name": "users", "arrival": { "open": { "rate": "2000/s" } } } ] }"#;
        let config = built(text, 7).expect("it is a run").config;
        assert_eq!((config.seed, config.node.seed, config.ring.seed), (7, 7, 7));
        assert_eq!(config.node_names, ["n1", "n2", "n3", "n4", "n5"]);
        let profile = config.node.profiles[0];
        assert_eq!((profile.n, profile.r, profile.w, profile.timeout), (3, 2, 2, Some(Span::from_secs(1))));
        let group = &config.groups[0];
        assert_eq!((group.stop, group.timeout), (SimTime(10_000_000_000), Some(Span::from_secs(2))));
        assert_eq!((config.keys.len(), config.keys[0].name.as_str()), (1000, "k1"));
        assert_eq!(config.network.groups, [Site::Spread]);
        assert_eq!(config.windows.iter().map(|window| window.name.as_str()).collect::<Vec<_>>(), ["all", "settle"]);
        assert_eq!(config.node.membership.seeds, [NodeId(0)]);
    }

    #[test]
    fn names_of_a_script_become_numbers() {
        let text = r#"{ "version": 1, "duration": "9s", "cluster": { "nodes": ["A", "B", "C"], "ring": { "owners": ["A", "B", "C"] } },
            "keys": { "K": { "first": "B", "value": ["x", "y"] } },
            "clients": [ { "name": "users", "count": 3, "arrival": { "closed": {} } } ],
            "script": [
              { "name": "down", "at": "1s", "crash": { "nodes": "replicas:K" } },
              { "name": "w", "after": "down", "plus": "2ms", "client": "zoe", "draws": "users/2#17",
                "put": { "key": "K", "value": ["y", "z"], "w": 1, "legs": { "write_ack": { "C": "lost" } } } },
              { "at": "2s", "client": "amy", "get": { "key": "k2" }, "expect": {} },
              { "at": "3s", "restart": { "nodes": "all" } } ] }"#;
        let config = built(text, 1).expect("it is a run").config;
        assert_eq!(config.texts, ["x", "y", "z"]);
        assert_eq!(config.scripted, ["amy", "zoe"]);
        assert_eq!(config.keys[1000].place, Place::First(NodeId(1)), "named keys follow those that are counted");
        let Action::Fault(Fault::Crash { nodes, .. }) = &config.steps[0].action else { panic!("a crash") };
        assert_eq!(*nodes, [NodeId(1), NodeId(2), NodeId(0)], "the list of a key begins at its first node");
        let Action::Operation(put) = &config.steps[1].action else { panic!("a put") };
        assert_eq!(
            (put.session, put.key, put.draws),
            (SessionId(4), KeyId(1000), Some(OpId::of_session(SessionId(1), 34)))
        );
        assert_eq!(config.node.profiles[usize::from(put.profile.0)].w, 1);
        assert!(matches!(config.steps[1].when, When::After { step: 0, .. }));
        let Action::Operation(get) = &config.steps[2].action else { panic!("a get") };
        assert_eq!((get.session, get.key, get.profile.0), (SessionId(3), KeyId(1), 0));
        assert!(
            config.steps[2].expect.as_ref().is_some_and(|expect| expect.outcome.is_some()),
            "an empty expectation is ok"
        );
        let names: Vec<&str> = config.windows.iter().map(|window| window.name.as_str()).collect();
        assert_eq!(names, ["all", "settle", "before", "during", "after", "down"], "the restart ends the crash");
    }

    #[test]
    fn a_selector_that_draws_follows_the_seed_alone() {
        let text = |steps: &str| {
            format!(
                r#"{{ "version": 1, "duration": "9s", "cluster": {{ "nodes": 9, "racks": 3 }}, "script": [ {steps} ] }}"#
            )
        };
        let drawn = |text: &str, seed: u64, step: usize| match &built(text, seed).expect("it is a run").config.steps
            [step]
            .action
        {
            Action::Fault(Fault::Pause { nodes }) => nodes.clone(),
            other => panic!("a pause: {other:?}"),
        };
        let alone = text(r#"{ "at": "1s", "for": "1s", "pause": { "nodes": "2 of rack:r2" } }"#);
        let beside = text(
            r#"{ "at": "1s", "for": "1s", "slow": { "nodes": "rack:r1", "network": 2 } },
               { "at": "1s", "for": "1s", "pause": { "nodes": "2 of rack:r2" } }"#,
        );
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let nodes = drawn(&alone, seed, 0);
            assert_eq!(nodes, drawn(&beside, seed, 1), "a selector that draws nothing moves nothing");
            assert!(nodes.len() == 2 && nodes.iter().all(|node| node.0 % 3 == 1), "two of the second rack: {nodes:?}");
            seen.insert(nodes);
        }
        assert_eq!(seen.len(), 3, "all pairs come up");
    }

    #[test]
    fn groups_of_a_cut_share_nobody_whatever_is_drawn() {
        let text = r#"{ "version": 1, "duration": "9s", "cluster": { "nodes": 5 },
            "script": [ { "at": "1s", "for": "1s", "cut": { "between": ["2 of all", "1 of all", "n3"] } } ] }"#;
        for seed in 0..30 {
            let config = built(text, seed).expect("no draw puts a node into two groups").config;
            let Action::Fault(Fault::Cut(cuts)) = &config.steps[0].action else { panic!("a cut") };
            let crate::network::CutSpec::Between(groups) = &cuts[0] else { panic!("between groups") };
            assert_eq!(groups.iter().map(|group| group.nodes.len()).collect::<Vec<_>>(), [2, 1, 1]);
        }
        let text = r#"{ "version": 1, "duration": "9s", "cluster": { "nodes": 4, "regions": ["e", "w"] }, "network": { "between_regions": "1ms" },
            "clients": [ { "name": "users", "arrival": { "closed": {} } } ],
            "script": [ { "at": "1s", "for": "1s", "cut": { "between": ["region:e", "clients"] } } ] }"#;
        let wrong = built(text, 1).expect_err("some sessions of users are in the region");
        assert_eq!(wrong, ["script.0.cut.between.1: users is also in script.0.cut.between.0"]);
    }

    #[test]
    fn groups_with_one_prefix_share_their_keys() {
        let text = r#"{ "version": 1, "duration": "9s", "cluster": { "nodes": 5 }, "keys": { "b2": { "at": "90deg" } },
            "clients": [
              { "name": "one", "arrival": { "closed": {} }, "keys": { "uniform": { "count": 3 } }, "key_prefix": "b", "preload": false },
              { "name": "two", "arrival": { "closed": {} }, "keys": { "zipf": { "count": 2 } }, "key_prefix": "b" },
              { "name": "three", "arrival": { "closed": {} }, "keys": { "only": ["b3", "other"] }, "preload": false } ] }"#;
        let config = built(text, 1).expect("it is a run").config;
        let keys: Vec<(&str, bool)> = config.keys.iter().map(|key| (key.name.as_str(), key.first.is_some())).collect();
        assert_eq!(keys, [("b1", true), ("b2", true), ("b3", false), ("other", false)]);
        assert_eq!(config.keys[0].first, Some(crate::cluster::config::FirstValue::OfGroup(GroupId(1))));
        assert_eq!(config.keys[1].place, Place::At(1 << 126));
        let only = crate::workload::config::KeyChoice::Only(vec![KeyId(2), KeyId(3)]);
        assert_eq!((config.groups[1].first_key, &config.groups[2].keys), (KeyId(0), &only));
    }

    #[test]
    fn chaos_follows_the_script_and_the_seed() {
        let text = r#"{ "version": 1, "duration": "60s", "cluster": { "nodes": 5 }, "chaos": { "present": 1, "crash": "off" },
            "script": [ { "at": "1s", "inspect": { "node": "n1" } } ] }"#;
        let runs: Vec<Built> = (1..=2).map(|seed| built(text, seed).expect("it is a run")).collect();
        for built in &runs {
            assert_eq!(built.script_steps, 1);
            let faults = &built.config.steps[1..];
            assert!(faults.len() > 5 && faults.iter().all(|step| matches!(step.action, Action::Fault(_))));
            assert!(
                !faults.iter().any(|step| matches!(step.action, Action::Fault(Fault::Crash { .. }))),
                "crashes are off"
            );
            assert_eq!(built.config.windows.len(), 5, "faults by chance have no windows of their own");
        }
        assert_ne!(runs[0].config.steps, runs[1].config.steps);
    }
}
