//! Clients: sessions send requests, wait, time out, try again, merge what they read and write it back.
//!
//! Latency counts from the intended start, so an open group's operation that had to wait (for a lock, for
//! nothing else) is as late as its user felt it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::history::{Finished, Observation, OpKind, Way};
use crate::kernel::ids::{Endpoint, GroupId, KeyId, NodeId, OpId, SessionId};
use crate::kernel::time::{SimTime, Span};
use crate::network::Fate;
use crate::node::commons::Commons;
use crate::node::config::ProfileId;
use crate::node::membership::View;
use crate::node::message::{Message, Outcome, Put, RequestId};
use crate::node::outputs::Input;
use crate::node::{Node, write_id};
use crate::version::value::Part;
use crate::version::{Siblings, Value, Version, merge_values};
use crate::workload::arrivals::{Arrivals, Arriving};
use crate::workload::config::{Arrival, ContextRule, Data, KeyChoice, OperationKind};
use crate::workload::keys::Picked;
use crate::workload::session::{GroupState, Session};
use crate::workload::values::{self, Fresh};

use super::config::{ContextSource, Fates, RunConfig, ScriptedKind, ScriptedOp};
use super::event::{Delivery, Event, RunTimer};
use super::keys::{literal_size, literal_value};
use super::routing::Router;
use super::simulation::{ScriptedFates, Simulation, nothing};

/// One session.
struct ClientSession {
    group: GroupId,
    /// Operations of a scripted client so far.
    scripted: u32,
    /// Operations under way: number, place in the slab.
    open: SmallVec<[(u32, u32); 2]>,
    plan: Session,
}

/// A group of sessions under way.
struct Group {
    arrivals: Arrivals,
    next: Option<Arriving>,
    state: GroupState,
    /// Whether contexts must outlive an operation.
    keeps_contexts: bool,
    /// `one_at_a_time`: whether somebody holds the lock, and who waits for it since when.
    locked: bool,
    waiting: VecDeque<(SessionId, SimTime, Option<u32>)>,
}

/// How long it takes to hear that a connection is refused.
const REFUSAL: Span = Span::from_ms(1);

/// What a session remembers of a key.
#[derive(Clone, Default)]
struct Seen {
    last: Siblings,
    last_read: Option<Siblings>,
    fastest: Option<NodeId>,
}

/// Where an operation stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Reads; nothing follows.
    Get,
    /// Reads; a put follows.
    GetOfUpdate,
    /// Writes what the get's answer became.
    PutOfUpdate,
    /// Writes; nothing follows.
    Put,
    /// Writes; a read follows.
    PutThenRead,
    /// Waits to read back.
    Pause,
    /// Reads back what was written.
    ReadBack,
}

/// One operation under way.
struct ClientOp {
    op: OpId,
    attempt: u16,
    session: SessionId,
    group: GroupId,
    kind: OperationKind,
    stage: Stage,
    key: KeyId,
    profile: ProfileId,
    timeout: Option<Span>,
    retries: u32,
    /// When the whole should have begun.
    intended_at: SimTime,
    /// When this stage should have begun.
    stage_at: SimTime,
    sent_at: SimTime,
    first_sent_at: SimTime,
    windows: u64,
    /// What a write carries, once it is known.
    value: Value,
    size: u32,
    context: Siblings,
    fastest: Option<NodeId>,
    item: u64,
    /// The step of a scripted operation.
    step: Option<u32>,
    via: Option<NodeId>,
    led_by: Option<NodeId>,
    /// Whether the read missed an acknowledged write; only scripts want to know here.
    stale: Option<bool>,
}

/// What a value is made for.
#[derive(Clone, Copy)]
struct Making {
    group: GroupId,
    session: SessionId,
    key: KeyId,
    kind: OperationKind,
    item: u64,
    size: u32,
}

impl ClientOp {
    fn making(&self) -> Making {
        let ClientOp { group, session, key, kind, item, size, .. } = *self;
        Making { group, session, key, kind, item, size }
    }
}

/// All clients.
pub(super) struct Clients {
    sessions: Vec<ClientSession>,
    /// Each session's group, apart from the rest: every message of a client asks for it.
    group_of: Vec<GroupId>,
    groups: Vec<Group>,
    ops: Vec<Option<ClientOp>>,
    free: Vec<u32>,
    seen: BTreeMap<(SessionId, KeyId), Seen>,
    /// What each session has counted on each key, by its own books.
    counted: BTreeMap<(SessionId, KeyId), Part>,
    pub router: Router,
    next_item: u32,
}

impl Clients {
    pub fn new(config: &RunConfig, commons: &Commons, nodes: &mut Vec<Node>, view: &View) -> Clients {
        let mut sessions = Vec::new();
        let mut groups = Vec::new();
        for (number, group) in config.groups.iter().enumerate() {
            let id = GroupId(number as u16);
            for _ in 0..group.sessions {
                let session = SessionId(sessions.len() as u32);
                sessions.push(ClientSession {
                    group: id,
                    scripted: 0,
                    open: SmallVec::new(),
                    plan: Session::new(config.seed, session),
                });
            }
            let writes_alone = |kind: &OperationKind| {
                matches!(kind, OperationKind::Put | OperationKind::Delete | OperationKind::WriteThenRead)
            };
            groups.push(Group {
                arrivals: Arrivals::new(group, id, config.seed),
                next: None,
                state: GroupState::new(group),
                keeps_contexts: group.mix.iter().any(|(kind, _)| writes_alone(kind))
                    && group.keys != KeyChoice::New
                    && group.context != ContextRule::None,
                locked: false,
                waiting: VecDeque::new(),
            });
        }
        for number in 0..config.scripted.len() {
            let session = SessionId(sessions.len() as u32);
            sessions.push(ClientSession {
                group: GroupId((config.groups.len() + number) as u16),
                scripted: 0,
                open: SmallVec::new(),
                plan: Session::new(config.seed, session),
            });
        }
        let router = Router::new(config, commons, nodes, view);
        Clients {
            group_of: sessions.iter().map(|session: &ClientSession| session.group).collect(),
            sessions,
            groups,
            ops: Vec::new(),
            free: Vec::new(),
            seen: BTreeMap::new(),
            counted: BTreeMap::new(),
            router,
            next_item: config.texts.len() as u32,
        }
    }

    /// The group of a session.
    #[inline]
    pub fn group(&self, session: SessionId) -> GroupId {
        self.group_of[session.index()]
    }

    /// Who reaches whom has changed.
    pub fn connections_changed(&mut self) {
        self.router.connections_changed();
    }

    fn place(&self, op: OpId) -> Option<u32> {
        let session = self.sessions.get(op.session().index())?;
        session.open.iter().find(|(number, _)| *number == op.number()).map(|&(_, place)| place)
    }

    /// Whether a try of an operation still waits for its answer.
    pub fn is_waiting(&self, op: OpId, attempt: u16) -> bool {
        self.place(op).is_some_and(|place| {
            let op = self.ops[place as usize].as_ref().expect("an open operation is in the slab");
            op.attempt == attempt && op.stage != Stage::Pause
        })
    }

    /// A node has begun to lead an operation's write.
    pub fn led_by(&mut self, op: OpId, node: NodeId) {
        if let Some(place) = self.place(op)
            && let Some(op) = &mut self.ops[place as usize]
        {
            op.led_by = Some(node);
        }
    }

    fn insert(&mut self, op: ClientOp) -> u32 {
        let (session, number) = (op.session, op.op.number());
        let place = self.free.pop().unwrap_or_else(|| {
            self.ops.push(None);
            self.ops.len() as u32 - 1
        });
        self.ops[place as usize] = Some(op);
        self.sessions[session.index()].open.push((number, place));
        place
    }

    fn remove(&mut self, place: u32) -> ClientOp {
        let op = self.ops[place as usize].take().expect("an operation ends once");
        let open = &mut self.sessions[op.session.index()].open;
        let at = open.iter().position(|&(_, p)| p == place).expect("its session has it open");
        open.swap_remove(at);
        self.free.push(place);
        op
    }

    /// Gives an operation under way its next number.
    fn rename(&mut self, place: u32, op: OpId) {
        let state = self.ops[place as usize].as_mut().expect("it is under way");
        state.op = op;
        let open = &mut self.sessions[state.session.index()].open;
        let entry = open.iter_mut().find(|(_, p)| *p == place).expect("its session has it open");
        entry.0 = op.number();
    }
}

impl Simulation<'_> {
    /// First arrivals and first starts.
    pub(super) fn begin_clients(&mut self) {
        let config = self.config;
        for (number, group) in config.groups.iter().enumerate() {
            let id = GroupId(number as u16);
            match group.arrival {
                Arrival::Closed { .. } => {
                    for index in 0..group.sessions {
                        if let Some(at) = self.clients.groups[number].arrivals.first_start(index) {
                            self.agenda.schedule(at, Event::Session(SessionId(group.first_session.0 + index)));
                        }
                    }
                }
                Arrival::Open { .. } | Arrival::Trace(_) => self.schedule_arrival(id),
            }
        }
    }

    fn schedule_arrival(&mut self, id: GroupId) {
        let group = &mut self.clients.groups[id.index()];
        group.next = group.arrivals.next();
        if let Some(arriving) = &group.next {
            self.agenda.schedule(arriving.at, Event::Arrival(id));
        }
    }

    pub(super) fn on_arrival(&mut self, id: GroupId) {
        let arriving = self.clients.groups[id.index()].next.take().expect("an arrival is known before it comes");
        let session = SessionId(self.config.groups[id.index()].first_session.0 + arriving.session_index);
        self.record(u64::from(session.0), 0, 7 << 56);
        self.schedule_arrival(id);
        self.want(session, self.now, arriving.trace_row);
    }

    /// A closed session begins its next operation.
    pub(super) fn on_session(&mut self, session: SessionId) {
        self.record(u64::from(session.0), 1, 7 << 56);
        self.want(session, self.now, None);
    }

    /// A session wants to do its next operation, and does it unless the group's lock is held.
    fn want(&mut self, session: SessionId, intended_at: SimTime, trace_row: Option<u32>) {
        let id = self.clients.group(session);
        if self.config.groups[id.index()].one_at_a_time {
            let group = &mut self.clients.groups[id.index()];
            if group.locked {
                group.waiting.push_back((session, intended_at, trace_row));
                return;
            }
            group.locked = true;
        }
        self.begin_operation(session, intended_at, trace_row);
    }

    fn begin_operation(&mut self, session: SessionId, intended_at: SimTime, trace_row: Option<u32>) {
        let id = self.clients.group(session);
        let config = &self.config.groups[id.index()];
        let clients = &mut self.clients;
        let planned = match (&config.arrival, trace_row) {
            (Arrival::Trace(rows), Some(row)) => {
                clients.sessions[session.index()].plan.traced_operation(&rows[row as usize])
            }
            _ => clients.sessions[session.index()].plan.next_operation(&mut clients.groups[id.index()].state),
        };
        let key = match planned.key {
            Picked::Key(key) => key,
            Picked::NewKey => {
                let key = self.keys.new_key(&mut self.commons);
                self.clients.groups[id.index()].state.keys.created(key);
                key
            }
        };
        let stage = match planned.kind {
            OperationKind::Get => Stage::Get,
            OperationKind::Update | OperationKind::Remove => Stage::GetOfUpdate,
            OperationKind::Put | OperationKind::Delete => Stage::Put,
            OperationKind::WriteThenRead => Stage::PutThenRead,
        };
        // An operation may have two parts with messages of their own, so it takes two numbers.
        let mut op = ClientOp {
            op: OpId::of_session(session, 2 * planned.number),
            attempt: 0,
            session,
            group: id,
            kind: planned.kind,
            stage,
            key,
            profile: config.profile,
            timeout: config.timeout,
            retries: config.retries,
            intended_at,
            stage_at: intended_at,
            sent_at: self.now,
            first_sent_at: self.now,
            windows: self.windows.open,
            value: Value::Tombstone,
            size: planned.size,
            context: nothing(),
            fastest: None,
            item: planned.item,
            step: None,
            via: None,
            led_by: None,
            stale: None,
        };
        if matches!(stage, Stage::Put | Stage::PutThenRead) {
            let seen = self.clients.seen.get(&(session, key));
            op.fastest = seen.and_then(|seen| seen.fastest);
            op.context = self.context(session, key, config.context);
            (op.value, op.size) = self.make_value(op.making(), &[]);
        }
        let place = self.clients.insert(op);
        self.start_stage(place, true);
    }

    /// The value of a group's write, from what it has read.
    fn make_value(&mut self, op: Making, seen: &[Version]) -> (Value, u32) {
        let data = self.config.groups[op.group.index()].data;
        let clients = &mut self.clients;
        clients.next_item = clients.next_item.wrapping_add(1);
        let start = Part { writer: u64::from(op.session.0), added: 0, taken: 0 };
        let counts = matches!(data, Data::Counter(_));
        let counted = if counts { clients.counted.get(&(op.session, op.key)).copied().unwrap_or(start) } else { start };
        let fresh = Fresh { number: clients.next_item, counted, item: op.item, size: op.size };
        let made = values::make(data, op.kind, seen, fresh);
        if counts {
            let takes = op.kind == OperationKind::Remove;
            let now =
                Part { added: counted.added + u64::from(!takes), taken: counted.taken + u64::from(takes), ..counted };
            clients.counted.insert((op.session, op.key), now);
        }
        (made.value, made.size)
    }

    /// What a session's write carries.
    fn context(&self, session: SessionId, key: KeyId, rule: ContextRule) -> Siblings {
        let first = || self.keys.first(key).map_or_else(nothing, |version| Siblings::one(version.clone()));
        let seen = self.clients.seen.get(&(session, key));
        match rule {
            ContextRule::None => nothing(),
            ContextRule::LastSeen => seen.map_or_else(first, |seen| seen.last.clone()),
            ContextRule::LastRead => seen.and_then(|seen| seen.last_read.clone()).unwrap_or_else(first),
        }
    }

    /// Tells of the stage's beginning and sends its request.
    fn start_stage(&mut self, place: u32, whole_begins: bool) {
        let op = self.clients.ops[place as usize].as_ref().expect("it has just begun");
        if self.interest.operations {
            let (kind, part) = stage_kind(op);
            let (name, group, session, key, windows) = (op.op, op.group, op.session, op.key, op.windows);
            let (intended_at, stage_at) = (op.intended_at, op.stage_at);
            if whole_begins && matches!(op.stage, Stage::GetOfUpdate) {
                self.observe(&Observation::Started {
                    op: name,
                    kind: OpKind::Update,
                    group,
                    session,
                    key,
                    intended_at,
                    windows,
                    part: false,
                });
            }
            self.observe(&Observation::Started {
                op: name,
                kind,
                group,
                session,
                key,
                intended_at: stage_at,
                windows,
                part,
            });
        }
        self.send_request(place);
    }

    /// Sends the request of the stage, by whatever way the client has.
    fn send_request(&mut self, place: u32) {
        let now = self.now;
        let op = self.clients.ops[place as usize].as_mut().expect("it is under way");
        op.sent_at = now;
        let (name, attempt, session, group, key, profile, via) =
            (op.op, op.attempt, op.session, op.group, op.key, op.profile, op.via);
        let reads = matches!(op.stage, Stage::Get | Stage::GetOfUpdate | Stage::ReadBack);
        let fastest = op.fastest;
        let message = if reads {
            Message::Get { key, profile }
        } else {
            let put = Put {
                value: op.value.clone(),
                size: op.size,
                context: op.context.clone(),
                client_stamp: now.0,
                preferred: op.fastest,
            };
            Message::Put { key, profile, forwarded: RequestId::NONE, again: false, put: Arc::new(put) }
        };
        let timeout = op.timeout;
        let Some(to) = self.route(name, attempt, group, session, key, profile, reads, via, fastest) else {
            // Nobody takes the connection. Hearing so takes a moment: a client that tries again at once must not
            // stop time.
            self.agenda.schedule(now + REFUSAL, Event::NoCoordinator(name, attempt));
            return;
        };
        if reads && let Some(op) = &mut self.clients.ops[place as usize] {
            op.led_by = Some(to);
        }
        if let Some(timeout) = timeout {
            let nodes = &self.nodes;
            let clients = &self.clients;
            self.agenda.set_timer(now, timeout, RunTimer::Client(name, attempt), |timer| match *timer {
                RunTimer::Node(node, timer) => nodes[node.index()].timer_is_live(timer),
                RunTimer::Client(op, attempt) => clients.is_waiting(op, attempt),
            });
        }
        let from = Endpoint::client(session);
        if to.index() < self.members {
            self.send(from, Endpoint::node(to), name, attempt, message);
        } else {
            // The client coordinates by itself.
            self.give(to, Input::Message { from, op: name, attempt, message });
        }
    }

    /// What a hidden coordinator of a client-driven group sends, its client sends.
    pub(super) fn send_as_client(&mut self, node: NodeId, to: Endpoint, op: OpId, attempt: u16, message: Message) {
        let session = if op.is_background() { self.clients.router.first_session(node) } else { op.session() };
        let from = Endpoint::client(session);
        if to.as_client().is_some() {
            let leg = crate::network::Leg::ClientResponse;
            if self.interest.messages {
                self.tell_sent(Way { from, to, op, attempt, leg }, &message, Fate::Deliver(self.now));
            }
            let delivery = Delivery { from, to, op, sent_at: self.now, attempt, leg, message };
            self.agenda.schedule(self.now, Event::Deliver(delivery));
        } else {
            self.send(from, to, op, attempt, message);
        }
    }

    pub(super) fn deliver_to_client(&mut self, delivery: Delivery) {
        let Delivery { from, to, op, attempt, message, .. } = delivery;
        match message {
            Message::GetReply { outcome, fastest, siblings } => {
                if self.clients.is_waiting(op, attempt) {
                    let place = self.clients.place(op).expect("it is waiting");
                    self.stage_over(place, outcome, siblings, None, Some(fastest));
                }
            }
            Message::PutReply { outcome, version } => {
                if self.clients.is_waiting(op, attempt) {
                    let place = self.clients.place(op).expect("it is waiting");
                    self.stage_over(place, outcome, nothing(), version, None);
                }
            }
            message => {
                let session = to.as_client().expect("it came to a client");
                if let Some(coordinator) = self.clients.router.coordinator_of(self.clients.group(session)) {
                    self.give(coordinator, Input::Message { from, op, attempt, message });
                }
            }
        }
    }

    /// A client has heard that nobody takes its request.
    pub(super) fn on_no_coordinator(&mut self, op: OpId, attempt: u16) {
        if self.clients.is_waiting(op, attempt) {
            self.record(op.0, u64::from(attempt), 8 << 56);
            let place = self.clients.place(op).expect("it is waiting");
            self.stage_over(place, Outcome::NoCoordinator, nothing(), None, None);
        }
    }

    pub(super) fn on_client_timeout(&mut self, op: OpId, _attempt: u16) {
        let place = self.clients.place(op).expect("it is waiting");
        self.stage_over(place, Outcome::Timeout, nothing(), None, None);
    }

    /// A stage's answer has come, or its time is over.
    fn stage_over(
        &mut self,
        place: u32,
        outcome: Outcome,
        read: Siblings,
        written: Option<Version>,
        fastest: Option<NodeId>,
    ) {
        let op = self.clients.ops[place as usize].as_mut().expect("it is under way");
        if outcome != Outcome::Ok && outcome != Outcome::Refused && u32::from(op.attempt) < op.retries {
            op.attempt += 1;
            self.send_request(place);
            return;
        }
        if fastest.is_some() {
            op.fastest = fastest;
        }
        if outcome == Outcome::Ok {
            if let Some(judge) = &mut self.judge {
                match &written {
                    Some(version) => judge.acked(self.now, op.key, version),
                    None => op.stale = Some(judge.read(op.key, op.first_sent_at, &read).is_stale()),
                }
            }
            self.remember(place, &read, written.as_ref());
        }
        self.tell_finished(place, outcome, &read, written.as_ref());
        let op = self.clients.ops[place as usize].as_mut().expect("it is under way");
        let ok = outcome == Outcome::Ok;
        match op.stage {
            Stage::GetOfUpdate if ok => self.put_of_update(place, read),
            Stage::PutThenRead if ok => {
                op.stage = Stage::Pause;
                let (name, group, session) = (op.op, op.group, op.session);
                let plan = &self.clients.sessions[session.index()].plan;
                let wait = plan.read_after(name.number() / 2, &self.clients.groups[group.index()].state);
                if wait == Span::ZERO {
                    self.on_read_back(name);
                } else {
                    self.agenda.schedule(self.now + wait, Event::ReadBack(name));
                }
            }
            _ => self.operation_over(place, outcome, read, written),
        }
    }

    /// The answer of an update's get has come: merge, change, put.
    fn put_of_update(&mut self, place: u32, read: Siblings) {
        let now = self.now;
        let op = self.clients.ops[place as usize].as_ref().expect("it is under way");
        let name = next_number(op.op);
        let (value, size) = match op.step {
            None => {
                let making = op.making();
                self.make_value(making, &read)
            }
            Some(step) => self.scripted_change(step, &read, write_id(name, 0).0),
        };
        self.clients.rename(place, name);
        let op = self.clients.ops[place as usize].as_mut().expect("it is under way");
        op.stage = Stage::PutOfUpdate;
        op.stage_at = now;
        op.first_sent_at = now;
        op.attempt = 0;
        op.value = value;
        op.size = size;
        op.context = read;
        self.start_stage(place, false);
    }

    fn scripted_change(&self, step: u32, read: &Siblings, write: u64) -> (Value, u32) {
        let super::config::Action::Operation(ScriptedOp { kind: ScriptedKind::Update { add, remove, merge }, .. }) =
            &self.config.steps[step as usize].action
        else {
            unreachable!("only an update goes on to a put")
        };
        let mut value = merge_values(*merge, read);
        for &item in remove {
            value = value.without_item(item, *merge);
        }
        for (place, &item) in add.iter().enumerate() {
            value = value.with_item(item, write.wrapping_add(place as u64) | 1 << 62, *merge);
        }
        let size = value.bytes().unwrap_or(0);
        (value, size)
    }

    /// The read of a `write_then_read`.
    pub(super) fn on_read_back(&mut self, name: OpId) {
        let now = self.now;
        let place = self.clients.place(name).expect("it pauses until it reads");
        let next = next_number(name);
        self.clients.rename(place, next);
        let op = self.clients.ops[place as usize].as_mut().expect("it is under way");
        op.stage = Stage::ReadBack;
        op.stage_at = now;
        op.first_sent_at = now;
        op.attempt = 0;
        self.start_stage(place, false);
    }

    /// The session remembers what it has seen of the key.
    fn remember(&mut self, place: u32, read: &Siblings, written: Option<&Version>) {
        let op = self.clients.ops[place as usize].as_ref().expect("it is under way");
        let keeps =
            op.step.is_some() || self.clients.groups.get(op.group.index()).is_some_and(|group| group.keeps_contexts);
        if !keeps {
            return;
        }
        let (fastest, reads) = (op.fastest, matches!(op.stage, Stage::Get | Stage::GetOfUpdate | Stage::ReadBack));
        let seen = self.clients.seen.entry((op.session, op.key)).or_default();
        seen.fastest = fastest.or(seen.fastest);
        if reads {
            seen.last = read.clone();
            seen.last_read = Some(read.clone());
        } else if let Some(version) = written {
            seen.last = Siblings::one(version.clone());
        }
    }

    fn tell_finished(&mut self, place: u32, outcome: Outcome, read: &Siblings, written: Option<&Version>) {
        if !self.interest.operations {
            return;
        }
        let op = self.clients.ops[place as usize].as_ref().expect("it is under way");
        let (kind, part) = stage_kind(op);
        let context = std::mem::take(&mut self.clients.ops[place as usize].as_mut().expect("it is under way").context);
        let op = self.clients.ops[place as usize].as_ref().expect("it is under way");
        let finished = Finished {
            op: op.op,
            group: op.group,
            session: op.session,
            kind,
            part,
            key: op.key,
            intended_at: op.stage_at,
            sent_at: op.first_sent_at,
            ended_at: self.now,
            outcome,
            windows: op.windows,
            read,
            written,
            context: &context,
            nodes: &self.nodes[..self.members],
            keys: &self.commons.keys,
        };
        let whole_ends = op.stage == Stage::PutOfUpdate || (op.stage == Stage::GetOfUpdate && outcome != Outcome::Ok);
        let whole = Finished { kind: OpKind::Update, part: false, intended_at: op.intended_at, ..finished };
        for observer in self.observers.iter_mut() {
            observer.observe(self.now, &Observation::Finished(&finished));
        }
        if whole_ends {
            for observer in self.observers.iter_mut() {
                observer.observe(self.now, &Observation::Finished(&whole));
            }
        }
    }

    /// The whole operation is over.
    fn operation_over(&mut self, place: u32, outcome: Outcome, read: Siblings, written: Option<Version>) {
        let op = self.clients.remove(place);
        if let Some(step) = op.step {
            let answer = match written {
                Some(version) => Siblings::one(version),
                None => read,
            };
            let latency = self.now.since(op.intended_at);
            self.scripted_over(step, outcome, latency, op.led_by, &answer, op.stale);
            return;
        }
        let config = &self.config.groups[op.group.index()];
        if config.one_at_a_time {
            let group = &mut self.clients.groups[op.group.index()];
            match group.waiting.pop_front() {
                Some((session, intended_at, trace_row)) => self.begin_operation(session, intended_at, trace_row),
                None => group.locked = false,
            }
        }
        if let Arrival::Closed { .. } = config.arrival {
            let index = op.session.0 - config.first_session.0;
            if let Some(at) = self.clients.groups[op.group.index()].arrivals.next_start(index, self.now) {
                self.agenda.schedule(at, Event::Session(op.session));
            }
        }
    }

    /// A scripted client begins its operation.
    pub(super) fn begin_scripted(&mut self, step: u32, scripted: &ScriptedOp) {
        let session = scripted.session;
        let state = &mut self.clients.sessions[session.index()];
        let number = state.scripted;
        state.scripted += 2;
        let id = state.group;
        let name = OpId::scripted(session, number);
        for part in 0..2 {
            let own = OpId::scripted(session, number + part);
            if let Some(other) = scripted.draws {
                self.commons.borrowed_luck.insert(own, (0..part).fold(other, |op, _| next_number(op)));
            }
            let Fates { reaches, legs } = scripted.fates.clone();
            self.script.fates.insert(own, ScriptedFates { reaches, legs });
        }
        let (kind, stage) = match scripted.kind {
            ScriptedKind::Get => (OperationKind::Get, Stage::Get),
            ScriptedKind::Put { .. } => (OperationKind::Put, Stage::Put),
            ScriptedKind::Delete { .. } => (OperationKind::Delete, Stage::Put),
            ScriptedKind::Update { .. } => (OperationKind::Update, Stage::GetOfUpdate),
        };
        let mut op = ClientOp {
            op: name,
            attempt: 0,
            session,
            group: id,
            kind,
            stage,
            key: scripted.key,
            profile: scripted.profile,
            timeout: scripted.timeout,
            retries: 0,
            intended_at: self.now,
            stage_at: self.now,
            sent_at: self.now,
            first_sent_at: self.now,
            windows: self.windows.open,
            value: Value::Tombstone,
            size: 0,
            context: nothing(),
            fastest: self.clients.seen.get(&(session, scripted.key)).and_then(|seen| seen.fastest),
            item: 0,
            step: Some(step),
            via: scripted.via,
            led_by: None,
            stale: None,
        };
        if let ScriptedKind::Put { context, .. } | ScriptedKind::Delete { context } = &scripted.kind {
            op.context = match context {
                ContextSource::Rule(rule) => self.context(session, scripted.key, *rule),
                ContextSource::Step(step) => self.script.answers.get(step).cloned().unwrap_or_else(nothing),
            };
        }
        if let ScriptedKind::Put { value, .. } = &scripted.kind {
            op.value = literal_value(value, write_id(name, 0).0, crate::version::MergeRule::SetUnion);
            op.size = literal_size(self.config, value);
        }
        let place = self.clients.insert(op);
        self.start_stage(place, true);
    }
}

/// The name of an operation's second part.
fn next_number(op: OpId) -> OpId {
    if op.is_scripted() {
        OpId::scripted(op.session(), op.number() + 1)
    } else {
        OpId::of_session(op.session(), op.number() + 1)
    }
}

/// How a stage is counted, and whether it is part of an update.
fn stage_kind(op: &ClientOp) -> (OpKind, bool) {
    match op.stage {
        Stage::Get | Stage::ReadBack => (OpKind::Get, false),
        Stage::GetOfUpdate => (OpKind::Get, true),
        Stage::PutOfUpdate => (OpKind::Put, true),
        Stage::Put if op.kind == OperationKind::Delete => (OpKind::Delete, false),
        Stage::Put | Stage::PutThenRead | Stage::Pause => (OpKind::Put, false),
    }
}
