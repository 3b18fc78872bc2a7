//! How a trace calls nodes, clients, keys and operations, and what a name that somebody gives means.

use crate::cluster::config::{Action, RunConfig};
use crate::kernel::ids::{Endpoint, KeyId, NodeId, OpId, SessionId};
use crate::scenario::errors::suggestion;
use crate::workload::config::Routing;

/// Names of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    config: &'a RunConfig,
}

/// An operation as somebody asks for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OpOf {
    /// By the step that does it.
    Step(u32),
    /// By its client and number.
    Op(OpId),
}

/// The operation that a request belongs to: an update's get and put have two names of their own.
pub(super) fn whole(op: OpId) -> OpId {
    OpId(op.0 & !1)
}

/// A text as one line shows it: nothing in it moves the cursor or ends the line.
pub(super) fn clean(text: &str) -> String {
    if !text.is_empty() && !text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return text.to_string();
    }
    format!("{text:?}")
}

impl<'a> Names<'a> {
    pub fn new(config: &'a RunConfig) -> Names<'a> {
        Names { config }
    }

    /// A node; a coordinator that clients carry in themselves has their group's name.
    pub fn node(&self, node: NodeId) -> String {
        if let Some(name) = self.config.node_names.get(node.index()) {
            return name.clone();
        }
        let carries = |routing: &Routing| matches!(routing, Routing::ClientDriven { .. });
        let mut hidden = self.config.groups.iter().filter(|group| carries(&group.routing));
        hidden.nth(node.index() - self.config.node_names.len()).map_or(node.to_string(), |group| group.name.clone())
    }

    pub fn nodes(&self, nodes: &[NodeId]) -> String {
        nodes.iter().map(|node| self.node(*node)).collect::<Vec<_>>().join(", ")
    }

    /// `users/2`: the second session of a group. A scripted client has but one.
    pub fn session(&self, session: SessionId) -> String {
        let groups = &self.config.groups;
        let after = groups.partition_point(|group| group.first_session <= session);
        if let Some(group) = after.checked_sub(1).map(|at| &groups[at])
            && session.0 < group.first_session.0 + group.sessions
        {
            return format!("{}/{}", group.name, session.0 - group.first_session.0 + 1);
        }
        let scripted = session.0 - self.first_scripted();
        self.config.scripted.get(scripted as usize).map_or(session.to_string(), |name| name.clone())
    }

    fn first_scripted(&self) -> u32 {
        self.config.groups.last().map_or(0, |group| group.first_session.0 + group.sessions)
    }

    pub fn end(&self, end: Endpoint) -> String {
        match (end.as_node(), end.as_client()) {
            (Some(node), _) => self.node(node),
            (None, Some(session)) => self.session(session),
            (None, None) => unreachable!("an end is a node or a client"),
        }
    }

    pub fn key(&self, key: KeyId) -> String {
        // Keys that clients make on the way are called by their number.
        self.config.keys.get(key.index()).map_or_else(|| format!("new-{:08x}", key.0), |key| clean(&key.name))
    }

    pub fn step(&self, step: u32) -> String {
        crate::report::play::step_name(self.config, step)
    }

    /// An operation: `users/2#17`. The name of the step is given, if it is a step's.
    pub fn op(&self, op: OpId, step: Option<u32>) -> String {
        match step {
            Some(step) => self.step(step),
            None => format!("{}#{}", self.session(op.session()), op.number() / 2),
        }
    }

    /// Columns that the longest name of a client, of a node and of an operation take.
    pub fn widths(&self) -> [usize; 3] {
        let config = self.config;
        let longest = |names: &mut dyn Iterator<Item = usize>| names.max().unwrap_or(0);
        let sessions = config.groups.iter().map(|group| group.name.chars().count() + 1 + digits(group.sessions));
        let scripted = config.scripted.iter().map(|name| name.chars().count());
        let steps = (0..config.steps.len() as u32).map(|step| self.step(step).chars().count());
        [
            longest(&mut sessions.clone().chain(scripted)),
            longest(&mut config.node_names.iter().map(|name| name.chars().count())),
            longest(&mut sessions.map(|width| width + 4).chain(steps)),
        ]
    }

    pub fn key_named(&self, name: &str) -> Result<KeyId, String> {
        let keys = &self.config.keys;
        if let Some(at) = keys.iter().position(|key| key.name == name) {
            return Ok(KeyId(at as u32));
        }
        let made = name.strip_prefix("new-").and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match made {
            Some(number) if number as usize >= keys.len() => Ok(KeyId(number)),
            _ => Err(unknown("key", name, keys.iter().map(|key| key.name.as_str()))),
        }
    }

    pub fn node_named(&self, name: &str) -> Result<NodeId, String> {
        let names = &self.config.node_names;
        let at = names.iter().position(|node| node == name);
        at.map(|at| NodeId(at as u32)).ok_or_else(|| unknown("node", name, names.iter().map(String::as_str)))
    }

    /// A step's name, or a client, its session and a number.
    pub fn op_named(&self, name: &str) -> Result<OpOf, String> {
        let config = self.config;
        let is_operation = |step: u32| matches!(config.steps[step as usize].action, Action::Operation(_));
        let operations: Vec<String> =
            (0..config.steps.len() as u32).filter(|step| is_operation(*step)).map(|step| self.step(step)).collect();
        if let Some((client, number)) = name.split_once('#') {
            let number: u32 = number
                .parse()
                .ok()
                .filter(|number| *number < 1 << 31)
                .ok_or_else(|| format!("not an operation (got {name:?}, allowed like \"users/2#17\")"))?;
            let (client, session) = match client.split_once('/') {
                Some((client, session)) => (client, session.parse::<u32>().ok()),
                None => (client, Some(1)),
            };
            if let Some(group) = config.groups.iter().find(|group| group.name == client) {
                let session = session
                    .filter(|session| (1..=group.sessions).contains(session))
                    .ok_or_else(|| format!("no such session in {name:?}: {client} has 1 to {}", group.sessions))?;
                return Ok(OpOf::Op(OpId::of_session(SessionId(group.first_session.0 + session - 1), 2 * number)));
            }
            if let Some(at) = config.scripted.iter().position(|scripted| scripted == client) {
                return Ok(OpOf::Op(OpId::scripted(SessionId(self.first_scripted() + at as u32), 2 * number)));
            }
            let clients = config.groups.iter().map(|group| &group.name).chain(&config.scripted).map(String::as_str);
            return Err(unknown("client", client, clients));
        }
        let step = (0..config.steps.len() as u32).find(|step| is_operation(*step) && self.step(*step) == name);
        step.map(OpOf::Step).ok_or_else(|| {
            if operations.is_empty() {
                return format!("not an operation (got {name:?}, allowed like \"users/2#17\")");
            }
            unknown("operation", name, operations.iter().map(String::as_str))
        })
    }
}

fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str> + Clone) -> String {
    format!("unknown {what} {name:?}{}", suggestion(name, known))
}

fn digits(number: u32) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}
