//! The write buffer (Dynamo §6.1): "each write operation is stored in the buffer and gets periodically written to
//! storage by a writer thread".
//!
//! A write of a buffered object, or one for which there is room, takes no time. The writer takes the dirty
//! objects round and round in the order of their keys, one at a time, each as a background task for storage.
//! A crash loses what is not written yet (`replica`); a full buffer lets writes go to storage directly.

use crate::kernel::ids::KeyId;
use crate::kernel::time::{SimTime, Span};
use crate::node::Node;
use crate::node::commons::Commons;
use crate::node::config::Flush;
use crate::node::outputs::{Note, Outputs, Wake};
use crate::node::storage::{BackgroundOwner, Job, JobWork};
use crate::version::Siblings;

/// The writer. Memory: a crash forgets it, and the buffer with it.
#[derive(Debug, Default)]
pub(super) struct BufferWriter {
    /// Whether it is awake: its next step is scheduled, or storage is writing for it.
    awake: bool,
    /// What storage is writing, as it was when it began.
    writing: Option<(KeyId, Siblings)>,
    /// The key that was written last.
    last: Option<KeyId>,
}

impl Node {
    /// There is something to write.
    pub(super) fn wake_buffer_writer(&mut self, out: &mut Outputs) {
        if !self.memory.buffer_writer.awake {
            self.memory.buffer_writer.awake = true;
            out.wake(Span::ZERO, Wake::BufferWriter);
        }
    }

    /// The writer takes the next dirty object, if there is one.
    pub(super) fn on_buffer_writer(&mut self, commons: &mut Commons, now: SimTime, out: &mut Outputs) {
        let last = self.memory.buffer_writer.last;
        let Some(key) = self.disk.buffered.next_after(last) else {
            self.memory.buffer_writer.awake = false;
            return;
        };
        self.memory.buffer_writer.last = Some(key);
        self.memory.buffer_writer.writing = Some((key, Siblings::from(self.disk.table.get(key))));
        let op = self.conversation();
        let work = JobWork::Background { token: BackgroundOwner::BufferWriter.token(key.0), writes: true };
        self.submit(commons, now, Job { from: self.id, op, attempt: 0, work }, out);
    }

    /// Storage has written an object out.
    pub(super) fn on_buffer_written(&mut self, commons: &mut Commons, now: SimTime, out: &mut Outputs) {
        let Some((key, written)) = self.memory.buffer_writer.writing.take() else { return };
        if let Some(before) = self.disk.buffered.take(key) {
            if let Flush::Every(_) = commons.config.storage.flush {
                // On disk now, but not flushed: the disk's tail can still lose it.
                self.disk.unflushed.remember(key, &before);
            }
            if !written.same(self.disk.table.get(key)) {
                // It was written again meanwhile, and only what was there at the beginning is safe.
                self.disk.buffered.remember(key, &written);
            }
            out.note_change(|| Note::Flushed { key: Some(key) });
        }
        self.on_buffer_writer(commons, now, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::dist::Dist;
    use crate::node::config::{Buffer, Config, ProfileId, Storage};
    use crate::node::message::{Message, Put};
    use crate::node::replica::DiskFate;
    use crate::node::testing::{World, config};
    use crate::version::Value;

    fn buffered(count: u32, durable_copies: u8, flush: Flush) -> Config {
        let mut config = config(1);
        config.storage = Storage {
            write: Dist::Constant(10_000_000),
            buffer: Some(Buffer { count, durable_copies }),
            flush,
            ..config.storage
        };
        config
    }

    fn put(world: &mut World, key: KeyId, value: u64) {
        let node = (0..world.nodes.len() as u32).find(|&node| {
            let placement = world.commons.placement(&world.nodes[0].view().clone());
            placement.ring.primary(world.commons.keys.segment(key)).0 == node
        });
        let context = world.held(node.unwrap(), key);
        let put = Put { value: Value::Blob(value), size: 10, context, client_stamp: 0, preferred: None };
        world.ask(
            node.unwrap(),
            Message::Put {
                key,
                profile: ProfileId(0),
                forwarded: crate::node::message::RequestId::NONE,
                again: false,
                put: put.into(),
            },
        );
    }

    fn value(world: &World, key: KeyId) -> Option<u64> {
        world.held(0, key).first().map(|version| match version.value() {
            Value::Blob(value) => *value,
            other => panic!("a blob was written, not {other:?}"),
        })
    }

    /// One node, and keys that all are its own.
    fn world(config: Config, keys: u32) -> (World, Vec<KeyId>) {
        let mut world = World::new(config, 1, 1);
        let keys = world.add_keys(keys);
        (world, keys)
    }

    #[test]
    fn buffered_writes_take_no_time_and_are_lost_until_the_writer_comes_to_them() {
        for (after_ms, safe) in [(5, 0), (15, 1), (25, 2), (35, 3)] {
            let (mut world, keys) = world(buffered(10, 0, Flush::BeforeAck), 3);
            for &key in &keys {
                put(&mut world, key, 1);
            }
            world.run_for(Span::ZERO);
            assert_eq!(world.replies.len(), 3, "all have been answered at once");
            world.run_for(Span::from_ms(after_ms));
            world.crash(0, DiskFate::Kept);
            assert_eq!(world.nodes[0].table().len(), safe, "after {after_ms} ms");
        }
    }

    #[test]
    fn a_full_buffer_makes_writes_wait_for_storage() {
        let (mut world, keys) = world(buffered(2, 0, Flush::BeforeAck), 4);
        for &key in &keys {
            put(&mut world, key, 1);
            world.run_for(Span::from_us(1));
        }
        assert_eq!(world.replies.len(), 2, "a full buffer takes no third object");
        put(&mut world, keys[1], 2);
        assert_eq!(world.replies.len(), 3, "but another write of one that it holds");
        world.run_for(Span::from_ms(80));
        assert_eq!(world.replies.len(), 5);
        assert!(world.replies[3].0 >= SimTime(20_000_000), "the writer was before it in the queue");
        world.crash(0, DiskFate::Kept);
        assert_eq!(world.nodes[0].table().len(), 4, "the writer has written the others too");
    }

    #[test]
    fn reads_of_buffered_objects_do_not_wait_for_storage() {
        let mut config = buffered(10, 0, Flush::BeforeAck);
        config.storage.read = Dist::Constant(5_000_000);
        let (mut world, keys) = world(config, 2);
        put(&mut world, keys[0], 1);
        world.ask(0, Message::Get { key: keys[0], profile: ProfileId(0) });
        assert_eq!((world.replies.len(), world.nodes[0].stats.cache_hits), (2, 1));
        world.ask(0, Message::Get { key: keys[1], profile: ProfileId(0) });
        assert_eq!(world.replies.len(), 2);
    }

    #[test]
    fn a_durable_copy_survives_the_crash_and_takes_its_time() {
        let (mut world, keys) = world(buffered(10, 1, Flush::BeforeAck), 1);
        put(&mut world, keys[0], 1);
        world.run_for(Span::from_ms(9));
        assert!(world.replies.is_empty());
        world.run_for(Span::from_ms(1));
        assert_eq!(world.replies.len(), 1);
        world.crash(0, DiskFate::Kept);
        assert_eq!(value(&world, keys[0]), Some(1));
    }

    #[test]
    fn what_is_written_again_while_the_writer_is_at_it_is_safe_only_as_it_was() {
        let (mut world, keys) = world(buffered(10, 0, Flush::BeforeAck), 1);
        put(&mut world, keys[0], 1);
        world.run_for(Span::from_ms(5));
        put(&mut world, keys[0], 2);
        world.run_for(Span::from_ms(7));
        assert_eq!(value(&world, keys[0]), Some(2));
        world.crash(0, DiskFate::Kept);
        assert_eq!(value(&world, keys[0]), Some(1), "that is what the writer had begun with");
    }

    #[test]
    fn an_object_that_left_the_buffer_for_an_unflushed_disk_goes_with_the_disks_tail() {
        for (fate, expected) in [(DiskFate::Kept, Some(2)), (DiskFate::TailLost, Some(1))] {
            let (mut world, keys) = world(buffered(10, 0, Flush::Every(Span::from_ms(100))), 1);
            put(&mut world, keys[0], 1);
            world.run_for(Span::from_ms(105));
            // The flush at 100 ms has made 1 safe; 2 is on disk from 115 ms on, and flushed at 200.
            put(&mut world, keys[0], 2);
            world.run_for(Span::from_ms(40));
            world.crash(0, fate);
            assert_eq!(value(&world, keys[0]), expected, "{fate:?}");
        }
        // A flush does not reach what is still in the buffer.
        let (mut world, keys) = world(buffered(10, 0, Flush::Every(Span::from_ms(8))), 1);
        put(&mut world, keys[0], 1);
        world.run_for(Span::from_ms(9));
        world.crash(0, DiskFate::Kept);
        assert_eq!(value(&world, keys[0]), None);
    }

    #[test]
    fn the_writer_sleeps_when_all_is_written() {
        let (mut world, keys) = world(buffered(10, 0, Flush::BeforeAck), 5);
        for &key in &keys {
            put(&mut world, key, 1);
        }
        world.run_for(Span::from_ms(100));
        assert_eq!(world.nodes[0].stats.background_done, 5);
        put(&mut world, keys[0], 2);
        world.run_for(Span::from_ms(100));
        assert_eq!(world.nodes[0].stats.background_done, 6);
        world.crash(0, DiskFate::Kept);
        assert_eq!(value(&world, keys[0]), Some(2));
    }

    #[test]
    fn a_clock_that_a_crash_took_back_is_not_given_to_another_value() {
        let mut config = buffered(10, 0, Flush::BeforeAck);
        (config.n, config.profiles) = (2, vec![crate::node::config::Profile { n: 2, ..config.profiles[0] }]);
        let mut world = World::new(config, 2, 2);
        let key = world.add_keys(1)[0];
        let write = |world: &mut World, value| {
            let put = Put {
                value: Value::Blob(value),
                size: 10,
                context: Default::default(),
                client_stamp: 0,
                preferred: None,
            };
            world.ask(
                0,
                Message::Put {
                    key,
                    profile: ProfileId(0),
                    forwarded: crate::node::message::RequestId::NONE,
                    again: false,
                    put: put.into(),
                },
            );
        };
        write(&mut world, 1);
        world.run_for(Span::from_ms(3));
        world.crash(0, DiskFate::Kept);
        assert!(world.held(0, key).is_empty() && world.held(1, key).len() == 1);
        world.restart(0);
        write(&mut world, 2);
        world.run_for(Span::from_ms(50));
        let values: Vec<&Value> =
            Vec::from_iter(world.nodes[1].versions(key).iter().map(crate::version::Version::value));
        assert_eq!(values, [&Value::Blob(1), &Value::Blob(2)], "both are there, as siblings");
    }
}
