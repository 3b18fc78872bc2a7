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
use crate::node::outputs::{Outputs, Wake};
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
        }
        self.on_buffer_writer(commons, now, out);
    }
}
