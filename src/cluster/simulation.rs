//! The event loop: pop the earliest event, tell the digest and the observers, hand the input to the node,
//! client or fault it is for, drain the outputs into the agenda. One thread, one run.

use std::sync::Arc;

use crate::history::staleness::Staleness;
use crate::history::{Ending, Interest, Observation, Observer, Way, WayEnd};
use crate::kernel::agenda::{Agenda, Due};
use crate::kernel::digest::Digest;
use crate::kernel::ids::{Endpoint, GroupId, KeyId, NodeId, OpId};
use crate::kernel::time::SimTime;
use crate::network::{Envelope, Fate, Leg, LossCause, Network};
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::config::Detector;
use crate::node::membership::{Placement, View};
use crate::node::message::Message;
use crate::node::outputs::{Input, Note, Output, Outputs, Timer, Wake};
use crate::node::stats::Stats;
use crate::ring::Layout;
use crate::version::Siblings;

use super::clients::Clients;
use super::config::{LegFate, RunConfig};
use super::event::{Delivery, Event, RunTimer};
use super::faults::Faults;
use super::keys::KeyBook;
use super::outcome::RunEnd;
use super::reach::{Process, Reachability};
use super::script::Script;
use super::views::Views;
use super::windows::Windows;

/// Events between two checkpoints of the digest, at first.
const CHECKPOINT_EVERY: u64 = 1024;

/// One run under way.
pub struct Simulation<'a> {
    pub(super) config: &'a RunConfig,
    pub(super) agenda: Agenda<Event, RunTimer>,
    pub(super) now: SimTime,
    pub(super) digest: Digest,
    pub(super) events: u64,
    pub(super) commons: Commons,
    pub(super) nodes: Vec<Node>,
    /// Hidden nodes in which client-driven groups coordinate; they follow the real ones.
    pub(super) members: usize,
    pub(super) processes: Vec<Process>,
    pub(super) lives: Vec<u32>,
    /// What came to a paused node, in order.
    pub(super) inboxes: Vec<Vec<Event>>,
    /// Nodes that load balancers send to.
    pub(super) serving: Vec<bool>,
    pub(super) network: Network,
    pub(super) reach: Option<Reachability>,
    pub(super) outputs: Outputs,
    pub(super) keys: KeyBook,
    pub(super) clients: Clients,
    pub(super) script: Script,
    pub(super) faults: Faults,
    pub(super) windows: Windows,
    pub(super) views: Views,
    pub(super) notices: Vec<String>,
    /// Judges reads, if the script has any.
    pub(super) judge: Option<Staleness>,
    pub(super) end_at: Option<SimTime>,
    /// Messages to crashed processes and to processes of an earlier life.
    pub(super) lost_at_crashed: u64,
    /// Messages that have come to the end of their way, other than those of a node to itself.
    arrived: u64,
    pub(super) observers: &'a mut [&'a mut dyn Observer],
    pub(super) interest: Interest,
}

/// Plays a run to its end. A function of the configuration alone, whoever watches.
pub fn run<'a>(config: &'a RunConfig, observers: &'a mut [&'a mut dyn Observer]) -> RunEnd {
    let mut simulation = Simulation::new(config, observers);
    simulation.play();
    simulation.finish()
}

impl<'a> Simulation<'a> {
    /// A run at its beginning.
    pub fn new(config: &'a RunConfig, observers: &'a mut [&'a mut dyn Observer]) -> Simulation<'a> {
        let mut interest = Interest::default();
        for observer in observers.iter() {
            let wants = observer.interest();
            interest.operations |= wants.operations;
            interest.notes |= wants.notes;
            interest.changes |= wants.changes;
            interest.waits |= wants.waits;
            interest.faults |= wants.faults;
            interest.totals |= wants.totals;
            interest.messages |= wants.messages;
            interest.marks |= wants.marks;
            interest.reads |= wants.reads;
        }
        let layout = Layout::new(config.ring.clone());
        let initial = config.ring.initial_members.clone();
        let mut commons = Commons::new(config.node.clone(), layout, &initial);
        let full_view = View::below(initial.len() as u32);
        let real = config.node_names.len();
        let mut nodes: Vec<Node> = (0..real as u32)
            .map(|id| {
                let view = if initial.contains(&NodeId(id)) { full_view.clone() } else { View::empty() };
                Node::new(&commons, NodeId(id), view)
            })
            .collect();
        let keys = KeyBook::new(config, &mut commons, &full_view, &mut nodes);
        let judge = (!config.scripted.is_empty()).then(|| {
            let mut judge = Staleness::new(config.node.versioning.scheme);
            for key in 0..config.keys.len() as u32 {
                if let Some(version) = keys.first(KeyId(key)) {
                    judge.first_value(KeyId(key), version);
                }
            }
            judge
        });
        let clients = Clients::new(config, &commons, &mut nodes, &full_view);
        let mut serving = vec![false; real];
        for node in &initial {
            serving[node.index()] = true;
        }
        let mut simulation = Simulation {
            agenda: Agenda::new(),
            now: SimTime::ZERO,
            digest: Digest::new(CHECKPOINT_EVERY),
            events: 0,
            members: real,
            processes: vec![Process::Up; real],
            lives: vec![0; nodes.len()],
            inboxes: Vec::new(),
            serving,
            network: Network::new(&config.network, config.seed),
            reach: (config.node.detector == Detector::Perfect).then(|| Reachability::new(real)),
            outputs: Outputs::heard(interest.notes, interest.changes, interest.waits),
            keys,
            clients,
            script: Script::new(config),
            faults: Faults::default(),
            windows: Windows::new(config),
            views: Views::new(&nodes[..real], &initial),
            notices: Vec::new(),
            judge,
            end_at: config.duration.map(|duration| duration + config.settle),
            lost_at_crashed: 0,
            arrived: 0,
            commons,
            nodes,
            observers,
            interest,
            config,
        };
        simulation.inboxes.resize_with(real, Vec::new);
        simulation.outputs.marks_wanted = interest.marks;
        simulation.outputs.reads_wanted = interest.reads;
        simulation.begin();
        simulation
    }

    /// Everything that is known from the start goes into the agenda, and the nodes start.
    fn begin(&mut self) {
        if self.interest.operations {
            for key in 0..self.config.keys.len() as u32 {
                if let Some(version) = self.keys.first(KeyId(key)).cloned() {
                    self.observe(&Observation::FirstValue { key: KeyId(key), version: &version });
                }
            }
        }
        if self.interest.changes
            && let Some(&member) = self.config.ring.initial_members.first()
        {
            self.tell_placed(member);
        }
        self.begin_windows();
        for id in 0..self.members {
            self.give(NodeId(id as u32), Input::Start);
        }
        self.begin_script();
        self.begin_clients();
        if self.end_at.is_none() && self.script.all_over() {
            self.end_at = Some(SimTime::ZERO + self.config.settle);
        }
    }

    /// Runs to the end.
    pub fn play(&mut self) {
        let latest = self.latest_end();
        while self.step_until(latest) {}
    }

    /// Plays the next thing that falls due. Returns whether there was one; if not, the run is over.
    pub fn step(&mut self) -> bool {
        let latest = if self.end_at.is_some() { SimTime::ZERO } else { self.latest_end() };
        self.step_until(latest)
    }

    /// `latest` counts as long as the end is not known.
    #[inline(always)]
    fn step_until(&mut self, latest: SimTime) -> bool {
        let Some((at, _, due)) = self.agenda.next_until(self.end_at.unwrap_or(latest)) else {
            if let Some(end) = self.end_at {
                self.now = self.now.max(end);
            }
            return false;
        };
        self.now = at;
        match due {
            Due::Event(event) => self.on_event(event),
            Due::Timer(timer) => self.on_timer(timer),
        }
        true
    }

    /// The instant that the run has come to.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// How many events there were so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The name of all that has happened so far.
    pub fn digest(&self) -> u128 {
        self.digest.finish()
    }

    pub(super) fn on_event(&mut self, event: Event) {
        // What only the observers hear is no event of the run: it is the same whoever watches.
        let is_heard_only =
            matches!(event, Event::WindowOpens(_) | Event::WindowCloses(_) | Event::Bucket | Event::LoadWindow);
        self.events += u64::from(!is_heard_only);
        match event {
            Event::Deliver(delivery) => self.deliver(delivery),
            Event::Wake { node, life, wake } => self.wake(node, life, wake),
            Event::Arrival(group) => self.on_arrival(group),
            Event::Session(session) => self.on_session(session),
            Event::ReadBack(op) => self.on_read_back(op),
            Event::NoCoordinator(op, attempt) => self.on_no_coordinator(op, attempt),
            Event::Step { step, round } => self.on_step(step, round),
            Event::FaultEnds { fault } => self.end_fault(fault),
            Event::WindowOpens(window) => self.open_window(window),
            Event::WindowCloses(window) => self.close_window(window),
            Event::Bucket => self.on_bucket(),
            Event::LoadWindow => self.on_load_window(),
        }
    }

    fn on_timer(&mut self, timer: RunTimer) {
        match timer {
            RunTimer::Node(node, timer) => {
                // Timers of requests that are over do nothing, and are no events.
                if !self.nodes[node.index()].timer_is_live(timer) {
                    return;
                }
                self.events += 1;
                self.record(u64::from(node.0), timer.request().0, 1 << 56 | u64::from(timer_code(timer)));
                if node.index() < self.members && self.processes[node.index()] == Process::Paused {
                    self.inboxes[node.index()].push(Event::Wake { node, life: u32::MAX, wake: Wake::Storage(0) });
                    let last = self.inboxes[node.index()].len() - 1;
                    self.faults.paused_timers.push((node, last, timer));
                    return;
                }
                self.give(node, Input::Timer(timer));
            }
            RunTimer::Client(op, attempt) => {
                if self.clients.is_waiting(op, attempt) {
                    self.events += 1;
                    self.record(op.0, u64::from(attempt), 2 << 56);
                    self.on_client_timeout(op, attempt);
                }
            }
        }
    }

    /// Writes an event into the digest.
    #[inline]
    pub(super) fn record(&mut self, who: u64, what: u64, how: u64) {
        self.digest.record([self.now.0, who, what, how]);
    }

    fn wake(&mut self, node: NodeId, life: u32, wake: Wake) {
        let index = node.index();
        if index < self.members {
            match self.processes[index] {
                Process::Up => {}
                Process::Down => return,
                Process::Paused => {
                    self.inboxes[index].push(Event::Wake { node, life, wake });
                    return;
                }
            }
        }
        if self.lives[index] != life {
            return;
        }
        self.record(u64::from(node.0), wake_code(wake), 3 << 56);
        self.give(node, Input::Wake(wake));
    }

    #[inline(always)]
    fn deliver(&mut self, delivery: Delivery) {
        let Delivery { from, to, sent_at, leg, .. } = delivery;
        if !self.network.never_cut() {
            let group = self.group_of(from, to);
            if !self.network.passes_at_delivery(self.now, sent_at, from, to, group, leg) {
                if self.interest.messages {
                    self.tell_arrived(&delivery, WayEnd::Stopped);
                }
                return;
            }
        }
        self.arrived += u64::from(from != to);
        self.hand_over(delivery);
    }

    /// Gives a message that has arrived to whom it is for.
    pub(super) fn hand_over(&mut self, delivery: Delivery) {
        let Delivery { from, to, op, attempt, leg, .. } = delivery;
        let ends = u64::from(from.0) << 32 | u64::from(to.0);
        let how = 4 << 56 | (leg.index() as u64) << 48 | u64::from(attempt) << 32;
        self.record(ends, op.0, how ^ content_hash(&delivery.message) >> 16);
        if self.interest.messages {
            let end = match to.as_node().map(|node| self.processes[node.index()]) {
                None | Some(Process::Up) => WayEnd::Taken,
                Some(Process::Down) => WayEnd::ReceiverDown,
                Some(Process::Paused) => WayEnd::ReceiverPaused,
            };
            self.tell_arrived(&delivery, end);
        }
        match to.as_node() {
            Some(node) => match self.processes[node.index()] {
                Process::Up => {
                    let from = self.speaker(from, &delivery.message);
                    self.give(node, Input::Message { from, op, attempt, message: delivery.message });
                }
                Process::Down => {
                    self.lost_at_crashed += 1;
                    self.faults.bites_node(node);
                }
                Process::Paused => {
                    self.faults.bites_node(node);
                    self.inboxes[node.index()].push(Event::Deliver(delivery));
                }
            },
            None => self.deliver_to_client(delivery),
        }
    }

    /// Who speaks: a client that coordinates by itself speaks to replicas as the coordinator that it carries.
    fn speaker(&self, from: Endpoint, message: &Message) -> Endpoint {
        match (from.as_client(), message) {
            (None, _) | (Some(_), Message::Get { .. } | Message::Put { .. }) => from,
            (Some(session), _) => {
                let coordinator = self.clients.router.coordinator_of(self.clients.group(session));
                Endpoint::node(coordinator.expect("only clients that coordinate speak to replicas"))
            }
        }
    }

    /// Gives a node its input and takes its outputs.
    pub(super) fn give(&mut self, node: NodeId, input: Input) {
        let mut outputs = std::mem::take(&mut self.outputs);
        self.nodes[node.index()].handle(&mut self.commons, self.now, input, &mut outputs);
        self.drain(node, &mut outputs);
        self.outputs = outputs;
    }

    fn drain(&mut self, node: NodeId, outputs: &mut Outputs) {
        for output in outputs.drain() {
            match output {
                Output::Send { to, op, attempt, message } => {
                    if node.index() < self.members {
                        self.send(Endpoint::node(node), to, op, attempt, message);
                    } else {
                        self.send_as_client(node, to, op, attempt, message);
                    }
                }
                Output::Timer { after, timer } => {
                    let nodes = &self.nodes;
                    let clients = &self.clients;
                    self.agenda.set_timer(self.now, after, RunTimer::Node(node, timer), |timer| match *timer {
                        RunTimer::Node(node, timer) => nodes[node.index()].timer_is_live(timer),
                        RunTimer::Client(op, attempt) => clients.is_waiting(op, attempt),
                    });
                }
                Output::Wake { after, wake } => {
                    let life = self.lives[node.index()];
                    self.agenda.schedule(self.now + after, Event::Wake { node, life, wake });
                }
                Output::Note(note) => self.on_note(node, &note),
            }
        }
    }

    fn on_note(&mut self, node: NodeId, note: &Note) {
        match note {
            Note::ViewChanged => {
                let hash = self.nodes[node.index()].view().hash();
                self.views.changed(self.now, node, hash);
            }
            Note::ChangeInPlace { change } => self.on_change_in_place(node, *change),
            Note::Coordinated { op, .. } if op.is_scripted() => self.clients.led_by(*op, node),
            _ => {}
        }
        if self.interest.notes || self.interest.changes || self.interest.waits || self.interest.marks {
            let nodes = &self.nodes[..self.members];
            let keys = &self.commons.keys;
            for observer in self.observers.iter_mut() {
                observer.observe(self.now, &Observation::Node { node, note, nodes, keys });
            }
        }
        if self.interest.changes && matches!(note, Note::ViewChanged | Note::ChangeInPlace { .. }) {
            self.tell_placed(node);
        }
    }

    /// Tells the observers which rings follow from what a node knows.
    fn tell_placed(&mut self, node: NodeId) {
        let view = self.nodes[node.index()].view().clone();
        let placement = self.commons.placement(&view);
        let (nodes, keys) = (&self.nodes[..self.members], &self.commons.keys);
        for observer in self.observers.iter_mut() {
            observer.observe(self.now, &Observation::Placed { placement: &placement, nodes, keys });
        }
    }

    /// Tells the observers.
    pub(super) fn observe(&mut self, observation: &Observation<'_>) {
        for observer in self.observers.iter_mut() {
            observer.observe(self.now, observation);
        }
    }

    /// The group of the client end of a way, if there is one.
    #[inline]
    pub(super) fn group_of(&self, from: Endpoint, to: Endpoint) -> GroupId {
        match (from.as_client(), to.as_client()) {
            (Some(session), _) | (None, Some(session)) => self.clients.group(session),
            (None, None) => GroupId(0),
        }
    }

    /// Puts a message on its way.
    pub(super) fn send(&mut self, from: Endpoint, to: Endpoint, op: OpId, attempt: u16, message: Message) {
        let to = match to.as_node() {
            Some(node) if node.index() >= self.members => {
                let session = if op.is_background() { self.clients.router.first_session(node) } else { op.session() };
                Endpoint::client(session)
            }
            _ => to,
        };
        let leg = leg_of(from, &message);
        let replica = replica_end(leg, from, to);
        let group = self.group_of(from, to);
        let bytes = message.bytes();
        let scripted = if op.is_scripted() { self.script.fates.get(&op) } else { None };
        let key = self.commons.luck(op);
        let envelope = Envelope { from, to, group, leg, op: key, replica, attempt, bytes };
        // A repair and its answer travel the same leg; the replica that a script names sends the second.
        let named = if matches!(message, Message::RepairAck { .. }) { from.0 } else { replica };
        let fate = match scripted.and_then(|fates| fates.fate(leg, named)) {
            None => self.network.send(self.now, &envelope),
            Some(fate) => {
                let fate = match fate {
                    _ if self.network.cut_between(from, to, group) => Fate::Lost(LossCause::Cut),
                    LegFate::Takes(span) => Fate::Deliver(self.now + span),
                    LegFate::Lost => Fate::Lost(LossCause::Script),
                };
                self.network.charge(leg, bytes, fate);
                fate
            }
        };
        if self.interest.messages {
            self.tell_sent(Way { from, to, op, attempt, leg }, &message, fate);
        }
        self.dispatch(fate, from, to, op, attempt, leg, message);
    }

    /// Tells the observers of a message that leaves.
    #[cold]
    pub(super) fn tell_sent(&mut self, way: Way, message: &Message, fate: Fate) {
        let fate = match fate {
            Fate::Twice(first, _) if is_taken_once(message) => Fate::Deliver(first),
            fate => fate,
        };
        self.observe(&Observation::Sent { way, message, fate });
    }

    /// Tells the observers of a message that has come to the end of its way.
    #[cold]
    pub(super) fn tell_arrived(&mut self, delivery: &Delivery, end: WayEnd) {
        let Delivery { from, to, op, sent_at, attempt, leg, ref message } = *delivery;
        self.observe(&Observation::Arrived { way: Way { from, to, op, attempt, leg }, sent_at, message, end });
    }

    // Inlined, with what it calls and what calls it: a message would be copied at each step.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn dispatch(
        &mut self,
        fate: Fate,
        from: Endpoint,
        to: Endpoint,
        op: OpId,
        attempt: u16,
        leg: Leg,
        message: Message,
    ) {
        let sent_at = self.now;
        match fate {
            Fate::Deliver(at) => {
                self.agenda.schedule(at, Event::Deliver(Delivery { from, to, op, sent_at, attempt, leg, message }));
            }
            Fate::Twice(first, _) if is_taken_once(&message) => {
                self.arrived += 1;
                self.agenda.schedule(first, Event::Deliver(Delivery { from, to, op, sent_at, attempt, leg, message }));
            }
            Fate::Twice(first, second) => {
                let copy = Delivery { from, to, op, sent_at, attempt, leg, message: message.clone() };
                self.agenda.schedule(first, Event::Deliver(Delivery { from, to, op, sent_at, attempt, leg, message }));
                self.agenda.schedule(second, Event::Deliver(copy));
            }
            Fate::Lost(_) => {}
        }
    }

    /// Totals of the real nodes, copied for the observers.
    pub(super) fn stats(&self) -> Vec<Stats> {
        self.nodes[..self.members].iter().map(|node| node.stats).collect()
    }

    /// The nodes of the scenario, as they are now.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes[..self.members]
    }

    /// Whether a node's process runs.
    pub fn is_up(&self, node: NodeId) -> bool {
        self.processes[node.index()] == Process::Up
    }

    /// What all nodes share: where the keys lie and which ring follows from a view.
    pub fn commons(&mut self) -> &mut Commons {
        &mut self.commons
    }

    /// How many messages have arrived at somebody else, running or not, and how many are still on their way. To be asked
    /// at the end: it takes out what has not happened yet.
    pub fn arrived_and_under_way(&mut self) -> (u64, u64) {
        let mut under_way = 0;
        while let Some((_, _, due)) = self.agenda.next() {
            let sent = matches!(&due, Due::Event(Event::Deliver(delivery)) if delivery.from != delivery.to);
            under_way += u64::from(sent);
        }
        (self.arrived, under_way)
    }

    /// What went over the network so far.
    pub fn traffic(&self) -> &crate::network::Totals {
        self.network.totals()
    }

    /// Tells the observers how everything was left.
    fn tell_over(&mut self) {
        if !self.interest.changes {
            return;
        }
        let (arrived, under_way) = self.arrived_and_under_way();
        let up: Vec<bool> = self.processes.iter().map(|process| *process == Process::Up).collect();
        // Of the members, whoever runs and knows most.
        let members = self.config.ring.initial_members.clone();
        let views = members.iter().map(|member| self.nodes[member.index()].view().clone());
        let views: Vec<View> = views.chain(self.nodes().iter().map(|node| node.view().clone())).collect();
        let placements = if members.is_empty() { Vec::new() } else { views };
        let placements = placements.iter().map(|view| self.commons.placement(view)).collect::<Vec<_>>();
        let rank = |placement: &Arc<Placement>| (placement.in_force.len(), placement.pending.len());
        let placement = placements.iter().max_by_key(|placement| rank(placement));
        let ending = Ending {
            nodes: &self.nodes[..self.members],
            up: &up,
            keys: &self.commons.keys,
            placement: placement.map(|placement| &**placement),
            network: self.network.totals(),
            arrived,
            under_way,
        };
        for observer in self.observers.iter_mut() {
            observer.observe(self.now, &Observation::Over(&ending));
        }
    }

    /// What is left of the run: its results.
    pub fn finish(mut self) -> RunEnd {
        self.tell_over();
        self.end_windows();
        self.count_all_passed_over();
        let real = self.members;
        let faults = self.faults.results(self.now, &self.network, &self.nodes);
        let steps = std::mem::take(&mut self.script.results);
        for step in self.script.unfinished() {
            self.notices.push(format!("{step} did not come to its end within the run"));
        }
        RunEnd {
            digest: self.digest.finish(),
            checkpoints: self.digest.checkpoints().to_vec(),
            events: self.events,
            ended_at: self.now,
            steps,
            faults,
            moves: std::mem::take(&mut self.script.moves),
            nodes: self.stats(),
            redirects: self.clients.router.redirects,
            stored_keys: self.nodes[..real].iter().map(|node| u64::from(node.table().len())).collect(),
            hints_pending: self.nodes[..real].iter().map(|node| node.hints().len()).sum(),
            split_rings: self.views.groups(),
            agreement_end: self.views.agreement(),
            gossip_convergence: self.views.convergence(self.config.node.membership.gossip_every),
            notices: self.notices,
        }
    }
}

/// Fates that a script gives one operation's messages.
#[derive(Debug)]
pub(super) struct ScriptedFates {
    pub reaches: Option<Vec<NodeId>>,
    pub legs: Vec<(Leg, Option<NodeId>, LegFate)>,
}

impl ScriptedFates {
    fn fate(&self, leg: Leg, replica: u32) -> Option<LegFate> {
        if let Some(reaches) = &self.reaches
            && matches!(leg, Leg::WriteRequest | Leg::ReadRequest | Leg::ReadRepair)
            && !reaches.contains(&NodeId(replica))
        {
            return Some(LegFate::Lost);
        }
        let named = self.legs.iter().rev().find(|(l, node, _)| *l == leg && *node == Some(NodeId(replica)));
        named
            .or_else(|| self.legs.iter().rev().find(|(l, node, _)| *l == leg && node.is_none()))
            .map(|(_, _, fate)| *fate)
    }
}

/// A write travels a connection, which drops what comes twice: leading it twice would make two versions.
fn is_taken_once(message: &Message) -> bool {
    matches!(message, Message::Put { .. })
}

/// Which leg a message travels.
fn leg_of(from: Endpoint, message: &Message) -> Leg {
    match message {
        Message::Get { .. } => Leg::ClientRequest,
        Message::Put { .. } if from.as_client().is_some() => Leg::ClientRequest,
        Message::Put { .. } | Message::ForwardAck { .. } => Leg::Forward,
        Message::GetReply { .. } | Message::PutReply { .. } => Leg::ClientResponse,
        Message::Read { .. } => Leg::ReadRequest,
        Message::ReadReply { .. } => Leg::ReadResponse,
        Message::Write { .. } => Leg::WriteRequest,
        Message::WriteAck { .. } => Leg::WriteAck,
        Message::Repair { .. } | Message::RepairAck { .. } => Leg::ReadRepair,
        Message::Hints { .. } | Message::HintsAck { .. } => Leg::Hint,
        Message::Exchange(_) => Leg::AntiEntropy,
        Message::Transfer(_) => Leg::Transfer,
        Message::Gossip(_) => Leg::Gossip,
        Message::Probe { .. } | Message::ProbeAck | Message::Heartbeat => Leg::Probe,
    }
}

/// The replica's end of a way: the receiver of a request, the sender of an answer. With it a draw has the same
/// name whoever coordinates.
fn replica_end(leg: Leg, from: Endpoint, to: Endpoint) -> u32 {
    match leg {
        Leg::WriteAck | Leg::ReadResponse | Leg::ClientResponse => from.0,
        _ => to.0,
    }
}

fn timer_code(timer: Timer) -> u8 {
    match timer {
        Timer::Peer(_) => 0,
        Timer::Deadline(_) => 1,
        Timer::Late(_) => 2,
    }
}

fn wake_code(wake: Wake) -> u64 {
    match wake {
        Wake::Storage(slot) => u64::from(slot),
        Wake::Flush => 1 << 32,
        Wake::BufferWriter => 2 << 32,
        Wake::Gossip => 3 << 32,
        Wake::AntiEntropy => 4 << 32,
        Wake::HintScan => 5 << 32,
        Wake::HintBatch => 6 << 32,
        Wake::HintRetry(batch) => 7 << 32 | u64::from(batch),
        Wake::Probe => 8 << 32,
        Wake::Heartbeat => 9 << 32,
        Wake::Transfer => 10 << 32,
        Wake::TransferBatch(number) => 11 << 32 | u64::from(number),
        Wake::Exchange(number) => 12 << 32 | u64::from(number),
        Wake::Admission => 13 << 32,
        Wake::Reap => 14 << 32,
        Wake::Recovered => 15 << 32,
        Wake::Late(request) => 16 << 32 ^ request.0,
    }
}

/// What a message carries, as a number for the digest.
#[inline]
fn content_hash(message: &Message) -> u64 {
    match message {
        Message::Write { version, .. } | Message::Repair { version, .. } => version.hash(),
        Message::ReadReply { siblings: Some(siblings), .. } | Message::GetReply { siblings, .. } => siblings.hash(),
        Message::PutReply { version: Some(version), .. } => version.hash(),
        _ => 0,
    }
}

/// Nothing read.
pub(super) fn nothing() -> Siblings {
    Siblings::new()
}
