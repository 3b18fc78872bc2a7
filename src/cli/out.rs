//! Printing: styles only where a terminal shows them, and no complaint when a reader has had enough.

use std::io::{IsTerminal, Write};

use super::{HELD, NO_OUTPUT};

/// Prints data as it is.
pub(super) fn print_data(bytes: &[u8]) -> u8 {
    written(std::io::stdout().lock().write_all(bytes))
}

/// Prints a text with styles, which are taken out unless a terminal shows them.
pub(super) fn print_styled(text: &str) -> u8 {
    written(anstream::stdout().lock().write_all(text.as_bytes()))
}

/// The exit status after printing.
pub(super) fn written(result: std::io::Result<()>) -> u8 {
    match result {
        Ok(()) => HELD,
        // Whoever reads has seen enough: `dynamo-sim … | head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => HELD,
        Err(error) => {
            say(&format!("standard output: {error}"));
            NO_OUTPUT
        }
    }
}

/// Says something to the person at the terminal. If nobody hears it, nothing can be done about it.
pub(super) fn say(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{}", text.trim_end());
}

/// Says something in place of what was said so last; nothing takes the line away.
pub(super) fn say_again(text: &str) {
    let mut stream = anstream::stderr().lock();
    let _ = write!(stream, "\r\x1b[K{text}");
    let _ = stream.flush();
}

/// Columns of the terminal; 100 where there is none, so that files and pipes always get the same text.
pub(super) fn terminal_width() -> usize {
    let width = if std::io::stdout().is_terminal() { comfy_table::Table::new().width() } else { None };
    width.map_or(100, usize::from).max(40)
}

/// Whether a person reads standard error.
pub(super) fn is_heard_by_a_person() -> bool {
    std::io::stderr().is_terminal()
}
