//! The nodes, the ring, and what is kept where (the format's section 3, first half).

use super::super::containers::{Map, OneOrMany, OrUnlimited};
use super::super::decode::{Decode, Definitions, choice, object, words};
use super::super::errors::Errors;
use super::super::json::{Node, Value};
use super::super::names::Name;
use super::super::scalars::Position;
use super::mechanisms::*;
use crate::kernel::time::Span;
use crate::scenario::containers::Mechanism;

object! {
    /// The cluster: with defaults, the numbers of the Dynamo paper.
    pub struct Cluster {
        /// A count makes `n1 … nS`; a list has names, or objects.
        nodes: Nodes,
        /// Nodes that run but are not members, named on from the members; `join` adds them.
        spares: u32 = 0,
        /// Names of the regions.
        regions: Vec<Name> = ["local"],
        /// Racks `r1 …`; rack j lies in region j mod regions, node i in rack i mod racks. Default: number of regions.
        racks: Option<u32>,
        /// How the key space is dealt out.
        ring: Ring = "equal_partitions",
        /// Which nodes a key's list has.
        placement: Placement = {},
        /// How many copies, and how many answers are waited for.
        replication: Replication = {},
        /// How versions of a key are told apart.
        versioning: Versioning = "vector_clock",
        /// Who leads a request, and how long it waits.
        coordination: Coordination = {},
        /// Hinted handoff (Dynamo §4.6).
        hints: Mechanism<Hints> = "on",
        /// Stale replicas are written to after a read (Dynamo §5).
        read_repair: Mechanism<ReadRepair> = "on",
        /// Merkle trees compared between replicas (Dynamo §4.7).
        anti_entropy: Mechanism<AntiEntropy> = "on",
        /// Gossip of the members (Dynamo §4.8).
        membership: Membership = {},
        /// Who is believed to be down.
        detector: Detector = "local",
        /// How ranges are handed over (Dynamo §4.9).
        transfer: Transfer = {},
        /// What a delete leaves behind.
        deletes: Deletes = {"tombstone": {"keep": "forever"}},
        /// What reading and writing costs a node.
        storage: Storage = {},
    }
}

/// The nodes: a count, or a list of names and objects.
#[derive(Clone, Debug, PartialEq)]
pub enum Nodes {
    /// `n1 … nS`.
    Count(u32),
    /// One by one.
    List(Vec<NodeEntry>),
}

impl Decode for Nodes {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match &node.value {
            Value::Number(_) => u32::decode(node, cx).map(Nodes::Count),
            Value::List(_) => Vec::decode(node, cx).map(Nodes::List),
            _ => {
                super::super::decode::wrong(node, cx, "not nodes", "a count ≥ 1, or a list of names and objects");
                None
            }
        }
    }
    fn schema(defs: &mut Definitions) -> serde_json::Value {
        serde_json::json!({ "oneOf": [{ "type": "integer", "minimum": 1 }, Vec::<NodeEntry>::schema(defs)] })
    }
}

/// A node of the list: its name, or an object.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeEntry(pub NodeSpec);

impl Decode for NodeEntry {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match &node.value {
            Value::Text(_) => Name::decode(node, cx).map(|name| {
                NodeEntry(NodeSpec { name, count: 1, region: None, rack: None, capacity: 1.0, member: true })
            }),
            _ => NodeSpec::decode(node, cx).map(NodeEntry),
        }
    }
    fn schema(defs: &mut Definitions) -> serde_json::Value {
        serde_json::json!({ "oneOf": [Name::schema(defs), NodeSpec::schema(defs)] })
    }
}

object! {
    /// A node, or several alike.
    pub struct NodeSpec {
        /// Its name.
        name: Name,
        /// More than 1 makes `name1 …`.
        count: u32 = 1,
        /// Its region.
        region: Option<Name>,
        /// Its rack; a rack is in one region.
        rack: Option<Name>,
        /// 0: holds no data, only coordinates; service times are divided by it.
        capacity: f64 = 1,
        /// Whether it is a member from the start.
        member: bool = true,
    }
}

choice! {
    /// How the key space is dealt out (Dynamo §6.2).
    pub enum Ring {
        /// Strategy 1: random tokens, ranges by token.
        random_tokens => RandomTokens(RandomTokens),
        /// Strategy 2: random tokens, equal partitions.
        random_tokens_over_partitions => RandomTokensOverPartitions(RandomTokensOverPartitions),
        /// Strategy 3: Q/S partitions a node; join steals, leave returns.
        equal_partitions => EqualPartitions(EqualPartitions),
        /// Strategy 1 with these tokens.
        tokens => Tokens(Map<Vec<Position>>),
        /// Strategy 3: as many equal partitions, with these owners in this order.
        owners => Owners(Vec<Name>),
        /// Hash mod S, the baseline that reshuffles.
        modulo => Modulo,
    }
}

object! {
    /// Strategy 1.
    pub struct RandomTokens {
        /// Tokens of a node.
        per_node: u32 = 128,
    }
}

object! {
    /// Strategy 2.
    pub struct RandomTokensOverPartitions {
        /// Tokens of a node.
        per_node: u32 = 64,
        /// Equal partitions.
        partitions: u32 = 1024,
    }
}

object! {
    /// Strategy 3. Without either count, 32 partitions a node.
    pub struct EqualPartitions {
        /// Partitions of a node; 32 unless `partitions` is given.
        per_node: Option<u32>,
        /// Partitions of the ring.
        partitions: Option<u32>,
        /// Who gets which partition at the start.
        assignment: Assignment = "random",
    }
    at_most_one ["per_node", "partitions"];
}

words! {
    /// Who gets which partition at the start.
    pub enum Assignment {
        /// By chance.
        Random = "random",
        /// In turn.
        Striped = "striped",
    }
}

object! {
    /// Which nodes a key's list has.
    pub struct Placement {
        /// The hash that places a key.
        hash: Hash = "md5",
        /// Whether a token equal to the key owns it.
        boundary: Boundary = "at_or_after",
        /// What a list keeps apart where there are enough.
        spread: Spread = "regions",
        /// Tokens in proportion to capacity.
        by_capacity: bool = true,
    }
}

words! {
    /// The hash that places a key.
    pub enum Hash {
        /// Dynamo's.
        Md5 = "md5",
        /// Cassandra's.
        Murmur3 = "murmur3",
        /// SipHash.
        Siphash = "siphash",
    }
}

words! {
    /// Whether a token equal to the key owns it.
    pub enum Boundary {
        /// It does.
        AtOrAfter = "at_or_after",
        /// The next one does.
        After = "after",
    }
}

words! {
    /// What a preference list keeps apart where there are enough.
    pub enum Spread {
        /// Regions, then racks.
        Regions = "regions",
        /// Racks.
        Racks = "racks",
        /// Nodes only.
        Nodes = "nodes",
    }
}

object! {
    /// How many copies, and how many answers are waited for.
    pub struct Replication {
        /// Copies of a key.
        n: u32 = 3,
        /// Answers a read waits for.
        r: u32 = 2,
        /// Acks a write waits for.
        w: u32 = 2,
        /// Whether stand-ins take part.
        quorum: QuorumMode = "sloppy",
        /// Whether a stand-in's ack counts.
        stand_in_acks: Acks = "count",
        /// Whether the coordinator's own copy counts.
        own_ack: Acks = "count",
    }
}

words! {
    /// Whether stand-ins take part in a quorum.
    pub enum QuorumMode {
        /// The first N healthy nodes.
        Sloppy = "sloppy",
        /// The first N nodes.
        Strict = "strict",
    }
}

words! {
    /// Whether an ack counts.
    pub enum Acks {
        /// It does.
        Count = "count",
        /// It does not.
        Ignore = "ignore",
    }
}

choice! {
    /// How versions of a key are told apart (Dynamo §4.4).
    pub enum Versioning {
        /// Dynamo's vector clocks.
        vector_clock => VectorClock(VectorClock),
        /// Dotted version vectors.
        dotted => Dotted(Dotted),
        /// The newest timestamp wins.
        last_write_wins => LastWriteWins(LastWriteWins),
    }
}

object! {
    /// Dynamo's vector clocks.
    pub struct VectorClock {
        /// What a coordinator's next count follows.
        next: NextCount = "local_max",
        /// Entries kept; the oldest is not stored.
        max_entries: OrUnlimited<u32> = 10,
        /// A node that lost its disk counts under a new identity.
        new_id_after_wipe: bool = true,
    }
}

words! {
    /// What a coordinator's next count follows, plus one.
    pub enum NextCount {
        /// The largest count the coordinator has stored for the key.
        LocalMax = "local_max",
        /// The count in the request's context.
        Context = "context",
        /// All stored clocks merged.
        Merged = "merged",
    }
}

object! {
    /// Dotted version vectors.
    pub struct Dotted {
        /// A node that lost its disk counts under a new identity.
        new_id_after_wipe: bool = true,
    }
}

object! {
    /// Last write wins.
    pub struct LastWriteWins {
        /// Whose clock stamps a write.
        clock: ClockSource = "node",
        /// The clock's resolution.
        tick: Span = "1ns",
    }
}

words! {
    /// Whose clock stamps a write.
    pub enum ClockSource {
        /// The coordinator's, which can be skewed.
        Node = "node",
        /// The client's.
        Client = "client",
        /// A Lamport clock.
        Lamport = "lamport",
    }
}

choice! {
    /// What a delete leaves behind.
    pub enum Deletes {
        /// A mark, kept for a while.
        tombstone => Tombstone(Tombstone),
        /// Nothing.
        remove => Remove,
    }
}

object! {
    /// A mark that a key was deleted.
    pub struct Tombstone {
        /// For how long.
        keep: crate::scenario::containers::OrForever = "forever",
    }
}

object! {
    /// A key that matters by itself.
    pub struct KeySpec {
        /// It lies in the first range of this node, so its list starts there.
        first: Option<Name>,
        /// It lies at this position.
        at: Option<Position>,
        /// What all replicas hold at the start; left out: the key does not exist yet.
        value: Option<ItemValue>,
    }
    at_most_one ["first", "at"];
}

/// A value: one text, or the items of a set.
pub type ItemValue = OneOrMany<String>;
