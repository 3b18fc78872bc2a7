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

    /// Nodes that everybody knows: those of the file, which may be none; without a word of it the first member.
    fn seeds(&mut self) -> Vec<NodeId> {
        match &self.spec.cluster.membership.seeds {
            Some(seeds) => self.node_ids("cluster.membership.seeds", seeds),
            None => self.members().into_iter().take(1).collect(),
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
