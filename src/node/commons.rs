//! What every node knows or could compute for itself, kept once: the switches, the keys' places, the
//! log of membership changes and the ring that follows from each view of it.
//!
//! A real node would hold a copy. Here the copies are equal by construction, so they are one.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kernel::dist::Dist;
use crate::kernel::ids::{KeyId, NodeId, OpId, SegmentId};
use crate::kernel::rng::Keyed;
use crate::kernel::sampler::Sampler;
use crate::node::anti_entropy::OwnedRanges;
use crate::node::config::{Config, Detector};
use crate::node::membership::{ChangeLog, Placement, Rings, View};
use crate::ring::Layout;

/// Where the keys lie.
#[derive(Debug, Default)]
pub struct Directory {
    segments: Vec<SegmentId>,
    positions: Vec<u128>,
    /// Keys of each segment in the order of their positions, then of their numbers.
    by_segment: Vec<Vec<KeyId>>,
}

impl Directory {
    /// Adds the next key at a position of the ring.
    pub fn add(&mut self, layout: &Layout, position: u128) -> KeyId {
        let key = KeyId(u32::try_from(self.segments.len()).expect("fewer than 2^32 keys"));
        let segment = layout.segment_of(position);
        self.segments.push(segment);
        self.positions.push(position);
        if self.by_segment.len() <= segment.index() {
            self.by_segment.resize_with(layout.segments() as usize, Vec::new);
        }
        let keys = &mut self.by_segment[segment.index()];
        let positions = &self.positions;
        let place = keys.partition_point(|&other| positions[other.index()] <= position);
        keys.insert(place, key);
        key
    }

    /// The range that the key lies in.
    #[inline]
    pub fn segment(&self, key: KeyId) -> SegmentId {
        self.segments[key.index()]
    }

    /// The key's position on the circle.
    pub fn position(&self, key: KeyId) -> u128 {
        self.positions[key.index()]
    }

    /// The keys of a range, in the order of their positions.
    pub fn keys_of(&self, segment: SegmentId) -> &[KeyId] {
        self.by_segment.get(segment.index()).map_or(&[], Vec::as_slice)
    }

    /// The ranges that have ever had keys, and those between them.
    pub fn segments(&self) -> impl Iterator<Item = SegmentId> {
        (0..self.by_segment.len() as u32).map(SegmentId)
    }

    /// How many keys there are.
    pub fn len(&self) -> u32 {
        self.segments.len() as u32
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }
}

/// Shared knowledge of the nodes of one run.
#[derive(Debug)]
pub struct Commons {
    /// The switches.
    pub config: Config,
    /// The ring's fixed part.
    pub layout: Layout,
    /// Where the keys lie.
    pub keys: Directory,
    /// All membership changes ever announced.
    pub changes: ChangeLog,
    /// Keyed draws of the run.
    pub draws: Keyed,
    /// Scripted operations that have the luck of another one, and whose.
    pub borrowed_luck: BTreeMap<OpId, OpId>,
    /// Service time of a read.
    pub read_time: Sampler,
    /// Service time of a write.
    pub write_time: Sampler,
    /// Service time of a read that finds its object in the cache.
    pub hit_time: Sampler,
    /// Storage takes no time at all: no queue, no cache, no buffer.
    pub instant_storage: bool,
    /// Suspicion is knowledge.
    pub certain: bool,
    /// By node: requests that passed it over because their coordinator did not trust it.
    pub passed_over: Vec<u64>,
    /// The rings that follow from views of the membership.
    pub rings: Rings,
    /// Which ranges each node owns under them.
    pub owned: OwnedRanges,
}

impl Commons {
    /// Shared knowledge at the beginning, with these members.
    pub fn new(config: Config, layout: Layout, members: &[NodeId]) -> Commons {
        let read_time = config.storage.read.compile();
        let write_time = config.storage.write.compile();
        let hit_time = config.storage.cache.as_ref().map_or(Dist::Constant(0), |cache| cache.hit.clone()).compile();
        let instant_storage = read_time.is_zero()
            && write_time.is_zero()
            && config.storage.cache.is_none()
            && config.storage.buffer.is_none();
        Commons {
            draws: Keyed::new(config.seed),
            borrowed_luck: BTreeMap::new(),
            certain: config.detector == Detector::Perfect,
            changes: ChangeLog::new(members),
            layout,
            keys: Directory::default(),
            read_time,
            write_time,
            hit_time,
            instant_storage,
            passed_over: Vec::new(),
            rings: Rings::default(),
            owned: OwnedRanges::default(),
            config,
        }
    }

    /// The name under which an operation's chances are drawn: its own unless it has borrowed another's.
    #[inline]
    pub fn luck(&self, op: OpId) -> u64 {
        if op.is_scripted() { self.borrowed_luck.get(&op).map_or(op.0, |other| other.0) } else { op.0 }
    }

    /// A request passes a node over that it should have gone to.
    pub fn passes_over(&mut self, node: NodeId) {
        if self.passed_over.len() <= node.index() {
            self.passed_over.resize(node.index() + 1, 0);
        }
        self.passed_over[node.index()] += 1;
    }

    /// The rings that follow from a view. Computed once for each view that is asked about.
    pub fn placement(&mut self, view: &View) -> Arc<Placement> {
        self.rings.placement(&self.layout, &self.changes, &self.keys, view)
    }
}
