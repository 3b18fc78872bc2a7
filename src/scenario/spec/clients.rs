//! Groups of like sessions that work by chance (the format's section 5).

use serde_json::{Value as Json, json};

use super::super::containers::{OrNever, OrUnlimited};
use super::super::decode::{Decode, Definitions, choice, object, words, wrong};
use super::super::errors::Errors;
use super::super::json::Node;
use super::super::names::{Name, Select, Selector, parse_select};
use super::super::numbers::Fraction;
use super::super::scalars::{Rate, Size};
use super::cluster::QuorumMode;
use super::distribution::{DistSpec, FileRef};
use crate::kernel::time::Span;

object! {
    /// A group of like sessions that work by chance.
    pub struct ClientGroup {
        /// Its name; sessions are `users/1 …` in results.
        name: Name,
        /// Sessions.
        count: u32 = 1,
        /// Where they are.
        location: Location = "spread",
        /// When they begin.
        start: Span = "0s",
        /// When they stop; default: `duration`.
        stop: Option<Span>,
        /// Operations per session, then it stops.
        operations: OrUnlimited<u64> = "unlimited",
        /// When operations begin.
        arrival: Arrival,
        /// Which keys they touch; 1000 keys alike unless `arrival` is a trace.
        keys: KeyChoice = {"uniform": {"count": 1000}},
        /// Groups with one prefix share their keys.
        key_prefix: Name = "k",
        /// Keys exist at the start; not for `new`.
        preload: bool = true,
        /// Weights of the operations.
        mix: Mix = {"get": 0.9, "update": 0.1},
        /// `write_then_read`: from the write's answer to the read.
        read_after: DistSpec<Span> = "0s",
        /// What a value is, and how siblings are merged.
        data: Data = "blob",
        /// Size of a value.
        value_size: DistSpec<Size> = "1kB",
        /// What a `put` carries.
        context: ClientContext = "last_seen",
        /// Which node an operation goes to.
        routing: Routing = "load_balancer",
        /// How far down the list operations go; default: the cluster's.
        n: Option<u32>,
        /// Answers a read waits for; default: the cluster's.
        r: Option<u32>,
        /// Acks a write waits for; default: the cluster's.
        w: Option<u32>,
        /// Whether stand-ins take part; default: the cluster's.
        quorum: Option<QuorumMode>,
        /// Until the client gives up.
        timeout: OrNever = "2s",
        /// How often it tries again; a retry is a new write.
        retries: u32 = 0,
        /// A perfect lock: one operation of the group at a time.
        one_at_a_time: bool = false,
    }
    check check_client;
}

fn check_client(client: &ClientGroup, node: &Node, cx: &mut Errors) {
    if !matches!(client.arrival, Arrival::Trace(_)) {
        return;
    }
    for name in ["keys", "mix"] {
        if let Some(field) = node.get(name).filter(|field| field.value != super::Value::Null) {
            cx.within(name, |cx| cx.error(&field.origin, "a trace says keys and operations itself"));
        }
    }
}

/// Where the sessions of a group are.
#[derive(Clone, Debug, PartialEq)]
pub enum Location {
    /// Dealt over the regions.
    Spread,
    /// `client` delay to every node.
    Nowhere,
    /// In a region.
    Region(Name),
    /// In a rack.
    Rack(Name),
}

impl Decode for Location {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        const ALLOWED: &str = "\"spread\", \"nowhere\", region:…, rack:…";
        match node.as_text().map(|text| (text, parse_select(text))) {
            Some(("spread", _)) => Some(Location::Spread),
            Some(("nowhere", _)) => Some(Location::Nowhere),
            Some((_, Ok(Select::Region(name)))) => Some(Location::Region(name)),
            Some((_, Ok(Select::Rack(name)))) => Some(Location::Rack(name)),
            _ => {
                wrong(node, cx, "not a location", ALLOWED);
                None
            }
        }
    }
    fn schema(_: &mut Definitions) -> Json {
        json!({ "oneOf": [{ "enum": ["spread", "nowhere"] }, { "type": "string", "pattern": "^(region|rack):" }] })
    }
}

choice! {
    /// When operations begin.
    pub enum Arrival {
        /// At a rate, whatever becomes of them.
        open => Open(OpenArrival),
        /// Each session after its last answer.
        closed => Closed(ClosedArrival),
        /// As a CSV file says: `at,op,key,size`.
        trace => Trace(FileRef),
    }
}

object! {
    /// At a rate, whatever becomes of the operations.
    pub struct OpenArrival {
        /// Of the group.
        rate: Rate,
        /// How they are spaced.
        spacing: Spacing = "poisson",
        /// Times at which the rate is multiplied; phases that overlap multiply.
        phases: Vec<Phase> = [],
    }
}

words! {
    /// How operations are spaced.
    pub enum Spacing {
        /// By chance, each for itself.
        Poisson = "poisson",
        /// Evenly.
        Even = "even",
    }
}

object! {
    /// A time at which the rate is multiplied.
    pub struct Phase {
        /// Its beginning.
        from: Span,
        /// How long it lasts.
        for_ "for": Span,
        /// And again so often.
        every: Option<Span>,
        /// By how much.
        factor: f64,
    }
}

object! {
    /// Each session after its last answer.
    pub struct ClosedArrival {
        /// Time between an answer and the next operation.
        think: DistSpec<Span> = "0s",
    }
}

choice! {
    /// Which keys a group touches.
    pub enum KeyChoice {
        /// All alike.
        uniform => Uniform(KeyCount),
        /// The first most, by a power law.
        zipf => Zipf(Zipf),
        /// The newest most, by a power law.
        latest => Latest(Zipf),
        /// Some much, the others little.
        hot => Hot(HotKeys),
        /// One after the other.
        sequential => Sequential(KeyCount),
        /// Every write a new key.
        new => New,
        /// These.
        only => Only(Vec<String>),
    }
}

object! {
    /// How many keys.
    pub struct KeyCount {
        /// How many.
        count: u32,
    }
}

object! {
    /// Keys by a power law.
    pub struct Zipf {
        /// How many.
        count: u32,
        /// Of the power law.
        exponent: f64 = 0.99,
    }
}

object! {
    /// Some keys are touched much.
    pub struct HotKeys {
        /// All keys.
        count: u32,
        /// How many of them are hot.
        hot: u32,
        /// The hot keys' share of the traffic.
        share: Fraction,
    }
}

object! {
    /// Weights of operations.
    pub struct Mix {
        /// A read.
        get: f64 = 0,
        /// Get, merge, change, put.
        update: f64 = 0,
        /// An update that takes an item out.
        remove: f64 = 0,
        /// A write with the context at hand.
        put: f64 = 0,
        /// A delete.
        delete: f64 = 0,
        /// A write, and then a read of it.
        write_then_read: f64 = 0,
    }
}

choice! {
    /// What a value is, and how a client merges siblings.
    pub enum Data {
        /// Bytes that mean nothing.
        blob => Blob(Blob),
        /// A set of items: the cart.
        set => Set(SetData),
        /// A number.
        counter => Counter(CounterData),
    }
}

object! {
    /// Bytes that mean nothing.
    pub struct Blob {
        /// Which sibling stays.
        merge: BlobMerge = "newest",
    }
}

object! {
    /// A set of items.
    pub struct SetData {
        /// How siblings become one.
        merge: SetMerge = "union",
    }
}

object! {
    /// A number.
    pub struct CounterData {
        /// How siblings become one.
        merge: CounterMerge = "sum",
    }
}

words! {
    /// Which sibling of a blob stays.
    pub enum BlobMerge {
        /// The newest.
        Newest = "newest",
        /// The first.
        First = "first",
    }
}

words! {
    /// How siblings of a set become one.
    pub enum SetMerge {
        /// All items.
        Union = "union",
        /// All items but those that were removed knowingly.
        OrSet = "or_set",
        /// The newest sibling.
        Newest = "newest",
    }
}

words! {
    /// How siblings of a counter become one.
    pub enum CounterMerge {
        /// What each added.
        Sum = "sum",
        /// The newest sibling.
        Newest = "newest",
    }
}

words! {
    /// What a `put` of a group carries.
    pub enum ClientContext {
        /// The context of the session's last answer for the key.
        LastSeen = "last_seen",
        /// The context of the session's last read of the key.
        LastRead = "last_read",
        /// Nothing: a blind put.
        None = "none",
    }
}

choice! {
    /// Which node an operation goes to.
    pub enum Routing {
        /// Any, forwards where it must.
        load_balancer => LoadBalancer(LoadBalancer),
        /// A replica.
        ring_aware => RingAware(Polling),
        /// The client coordinates by itself (Dynamo §6.4).
        client_driven => ClientDriven(Polling),
    }
}

object! {
    /// Any node, forwards where it must.
    pub struct LoadBalancer {
        /// Among these.
        among: Among = "near",
        /// Which of them.
        pick: Pick = "random",
    }
}

/// Among which nodes a load balancer picks.
#[derive(Clone, Debug, PartialEq)]
pub enum Among {
    /// Those of the session's region; all for a session that is nowhere.
    Near,
    /// These.
    Of(Selector),
}

impl Decode for Among {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match node.as_text() {
            Some("near") => Some(Among::Near),
            _ => Selector::decode(node, cx).map(Among::Of),
        }
    }
    fn schema(defs: &mut Definitions) -> Json {
        Selector::schema(defs)
    }
}

words! {
    /// Which node a load balancer picks.
    pub enum Pick {
        /// By chance.
        Random = "random",
        /// One after the other.
        InTurn = "in_turn",
        /// Session i keeps to the i-th.
        Sticky = "sticky",
    }
}

object! {
    /// A client that knows the ring.
    pub struct Polling {
        /// How often it asks for the ring.
        poll: Span = "10s",
    }
}
