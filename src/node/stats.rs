//! Running totals of one node: what it did, as plain numbers that only grow (but for the gauges).
//!
//! They are part of no decision. Windows of the results are differences of two snapshots.

/// Totals of one node since the run began, over all its lives.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Stats {
    /// Replica reads served.
    pub reads: u64,
    /// Replica writes served, stand-in copies included.
    pub writes: u64,
    /// Gets led.
    pub gets_led: u64,
    /// Puts led.
    pub puts_led: u64,
    /// Requests passed on to a node that may lead them.
    pub forwarded: u64,
    /// Requests that reached a node which, by its own ring, does not own the key though the sender thought so.
    pub misrouted: u64,
    /// Hints stored.
    pub hints_created: u64,
    /// Hints acknowledged by their owner.
    pub hints_delivered: u64,
    /// Hints thrown away because their time was over.
    pub hints_expired: u64,
    /// Hints not stored because the store was full.
    pub hints_dropped: u64,
    /// Hints lost with a disk.
    pub hints_lost: u64,
    /// Hints that a newer write of the same owner and key made needless.
    pub hints_replaced: u64,
    /// Hints delivered that the owner had already.
    pub hints_duplicated: u64,
    /// Gauge: hints held now.
    pub hints_held: u64,
    /// Most hints held at a time.
    pub hints_held_max: u64,
    /// Gauge: bytes of hints held now.
    pub hints_bytes: u64,
    /// Most bytes of hints held at a time.
    pub hints_bytes_max: u64,
    /// Oldest hint seen at a scan, in nanoseconds.
    pub hints_age_max: u64,
    /// Read repairs sent.
    pub repairs_sent: u64,
    /// Read repairs that changed the replica that got them.
    pub repairs_useful: u64,
    /// Anti-entropy conversations begun.
    pub exchanges: u64,
    /// Hashes compared.
    pub hashes: u64,
    /// Keys sent by anti-entropy.
    pub exchange_keys: u64,
    /// Keys sent by anti-entropy that were equal at the receiver.
    pub exchange_wasted: u64,
    /// Bytes of keys sent by anti-entropy.
    pub exchange_bytes: u64,
    /// Bytes of keys sent by anti-entropy that changed the receiver.
    pub exchange_useful_bytes: u64,
    /// Bytes that comparing key by key would have taken.
    pub full_scan_bytes: u64,
    /// Merkle trees built anew because their range changed.
    pub trees_rebuilt: u64,
    /// Keys received through transfers.
    pub moved_keys: u64,
    /// Bytes received through transfers.
    pub moved_bytes: u64,
    /// Keys read through while collecting what to transfer.
    pub scanned_keys: u64,
    /// Keys received through transfers that were there already.
    pub duplicate_keys: u64,
    /// Gossip exchanges begun.
    pub gossip_rounds: u64,
    /// Suspicions raised.
    pub suspicions: u64,
    /// Background tasks done by storage.
    pub background_done: u64,
    /// Sum of the slices that the admission controllers granted, look by look.
    pub slices_granted: u64,
    /// How often they looked; the mean of granted slices is the one over the other.
    pub slice_samples: u64,
    /// Time storage tasks have waited, in nanoseconds.
    pub queue_wait: u64,
    /// Storage tasks that waited in that time.
    pub queue_tasks: u64,
    /// Longest storage queue.
    pub queue_length_max: u64,
    /// Entries cut off clocks.
    pub clock_truncated: u64,
    /// Requests refused because they would have left siblings.
    pub refused: u64,
    /// Reads answered from the cache or the write buffer.
    pub cache_hits: u64,
    /// Writes taken by the write buffer.
    pub buffered_writes: u64,
    /// Keys that crashes took back to what was safe of them.
    pub keys_undone: u64,
    /// Requests that ended because the process that led them died.
    pub requests_cut_short: u64,
    /// Anti-entropy conversations that ended because a process died.
    pub exchanges_cut_short: u64,
}

/// Applies a macro to each total that adds up over nodes, so that sums and differences cannot forget one.
macro_rules! sums {
    ($with:ident) => {
        $with!(
            reads,
            writes,
            gets_led,
            puts_led,
            forwarded,
            misrouted,
            hints_created,
            hints_delivered,
            hints_expired,
            hints_dropped,
            hints_lost,
            hints_replaced,
            hints_duplicated,
            hints_held,
            hints_bytes,
            repairs_sent,
            repairs_useful,
            exchanges,
            hashes,
            exchange_keys,
            exchange_wasted,
            exchange_bytes,
            exchange_useful_bytes,
            full_scan_bytes,
            trees_rebuilt,
            moved_keys,
            moved_bytes,
            scanned_keys,
            duplicate_keys,
            gossip_rounds,
            suspicions,
            background_done,
            queue_wait,
            queue_tasks,
            clock_truncated,
            refused,
            cache_hits,
            buffered_writes,
            slices_granted,
            slice_samples,
            keys_undone,
            requests_cut_short,
            exchanges_cut_short
        )
    };
}

impl Stats {
    /// Adds another node's totals; of maxima the larger stays.
    pub fn add(&mut self, other: &Stats) {
        macro_rules! add { ($($field:ident),* $(,)?) => { $( self.$field += other.$field; )* } }
        sums!(add);
        self.hints_held_max = self.hints_held_max.max(other.hints_held_max);
        self.hints_bytes_max = self.hints_bytes_max.max(other.hints_bytes_max);
        self.hints_age_max = self.hints_age_max.max(other.hints_age_max);
        self.queue_length_max = self.queue_length_max.max(other.queue_length_max);
    }

    /// What has been added since an earlier snapshot; gauges and maxima are those of now.
    pub fn since(&self, earlier: &Stats) -> Stats {
        let mut change = *self;
        macro_rules! sub { ($($field:ident),* $(,)?) => { $( change.$field = self.$field.wrapping_sub(earlier.$field); )* } }
        sums!(sub);
        change.hints_held = self.hints_held;
        change.hints_bytes = self.hints_bytes;
        change
    }

    /// Requests served: the load of Dynamo §6.2.
    pub fn load(&self) -> u64 {
        self.reads + self.writes
    }
}
