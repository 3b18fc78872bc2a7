//! Signals: the program stops at once, unless a sweep is under way and writes down first how far it has come.

use std::sync::atomic::{AtomicU8, Ordering};

use super::INTERRUPTED;
use super::out::say;

/// Nobody listens: a signal stops the program at once.
const AT_ONCE: u8 = 0;
/// A sweep is under way and wants to know.
const HEARD: u8 = 1;
/// A signal has come.
const ASKED: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(AT_ONCE);

/// Says what happens on Ctrl-C and SIGTERM. A file stands under its name only when it is whole, and the manifest comes
/// last: to stop at once leaves nothing that looks like results. Where no handler can be set the system stops the
/// program by itself.
pub(super) fn on_signals() {
    let _ = ctrlc::set_handler(|| {
        // A second signal does not find HEARD any more.
        if STATE.compare_exchange(HEARD, ASKED, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            say("interrupted");
            std::process::exit(INTERRUPTED);
        }
    });
}

/// While it is there, the first signal is only noted.
pub(super) struct Listening(());

impl Listening {
    pub(super) fn begin() -> Listening {
        STATE.store(HEARD, Ordering::SeqCst);
        Listening(())
    }

    /// Whether somebody wants to stop.
    pub(super) fn is_asked(&self) -> bool {
        STATE.load(Ordering::SeqCst) == ASKED
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        STATE.store(AT_ONCE, Ordering::SeqCst);
    }
}
