//! `replay --verify`: the same run in this process and in another, compared event by event as both go on.
//!
//! The other process streams a line an event: its number, the digest so far, and what a trace says of it. A pipe that
//! is full makes it wait; a reader that is gone ends it.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::out::{print_data, say, written};
use super::{BROKEN, HELD, NO_OUTPUT};
use crate::cluster::Simulation;
use crate::cluster::config::RunConfig;
use crate::history::Observer;
use crate::report::trace::{Asked, Lines, Style, Trace};

/// Stands between the lines of one event: no line has it.
const BETWEEN: char = '\u{1e}';

/// What the other process is to play.
pub(super) struct Twin<'a> {
    /// Whether the run is as `check` draws it.
    pub chaos: bool,
    pub file: &'a str,
    /// The scenario, which standard input gives only once.
    pub text: &'a str,
    pub seed: u64,
    pub setting: u32,
    pub set: &'a [(String, String)],
}

/// Why a run was not played to its end.
enum Stop {
    /// Its lines cannot be written or read.
    Broken(io::Error),
    /// The other run is not the same.
    Differs(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Broken(error)
    }
}

/// Plays a run and hands on a line an event. Gives the number of events and the digest.
fn play(config: &RunConfig, mut each: impl FnMut(&str) -> Result<(), Stop>) -> Result<(u64, u128), Stop> {
    let lines = Lines::default();
    let asked = Asked { all: true, ..Asked::default() };
    let mut trace = Trace::new(config, &asked, Style::Text, &lines).expect("it asks for no name");
    let mut observers: [&mut dyn Observer; 1] = [&mut trace];
    let mut simulation = Simulation::new(config, &mut observers);
    let mut events = None;
    loop {
        let mut text = String::new();
        while let Some(line) = lines.take() {
            if !text.is_empty() {
                text.push(BETWEEN);
            }
            text.push_str(line.trim_start());
        }
        // What changes nothing, like a timeout that nobody waits for any more, is no event.
        if events != Some(simulation.events()) || !text.is_empty() {
            events = Some(simulation.events());
            if text.is_empty() {
                text = format!("{:.3} ms  work inside a node", simulation.now().as_ms());
            }
            each(&format!("{}\t{:032x}\t{text}", simulation.events(), simulation.digest()))?;
        }
        if !simulation.step() {
            break;
        }
    }
    let end = simulation.finish();
    each(&format!("{}\t{:032x}\tthe run ends", end.events, end.digest))?;
    Ok((end.events, end.digest))
}

/// The other process: prints a line an event.
pub(super) fn stream(config: &RunConfig) -> u8 {
    let mut out = BufWriter::new(io::stdout().lock());
    let played = play(config, |line| Ok(writeln!(out, "{line}")?));
    match played {
        Ok(_) => written(out.flush()),
        Err(Stop::Broken(error)) => written(Err(error)),
        Err(Stop::Differs(_)) => unreachable!("there is nothing to differ from"),
    }
}

/// A process that ends when its owner lets go of it.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Twin<'_> {
    fn start(&self) -> io::Result<(Other, BufReader<ChildStdout>)> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["replay", "--stream", "--seed", &self.seed.to_string(), "--setting", &self.setting.to_string()]);
        if self.chaos {
            command.arg("--chaos");
        }
        for (path, value) in self.set {
            command.arg(format!("--set={path}={value}"));
        }
        command.arg("--").arg(self.file);
        let is_piped = self.file == "-";
        command.stdin(if is_piped { Stdio::piped() } else { Stdio::null() }).stdout(Stdio::piped());
        let mut other = Other(command.spawn()?);
        if let Some(mut input) = other.0.stdin.take() {
            // It reads all of it before it says anything.
            input.write_all(self.text.as_bytes())?;
        }
        let output = other.0.stdout.take().expect("it was asked for");
        Ok((other, BufReader::new(output)))
    }
}

/// Plays a run beside its twin. Gives the exit status, and the digest if both are the same.
pub(super) fn verify(config: &RunConfig, twin: &Twin<'_>) -> (u8, Option<u128>) {
    let (mut other, mut output) = match twin.start() {
        Ok(started) => started,
        Err(error) => {
            say(&format!("the second process: {error}"));
            return (NO_OUTPUT, None);
        }
    };
    let mut theirs = String::new();
    let compared = play(config, |mine| {
        theirs.clear();
        output.read_line(&mut theirs)?;
        let theirs = theirs.trim_end_matches('\n');
        if theirs == mine { Ok(()) } else { Err(Stop::Differs(difference(mine, theirs))) }
    });
    match compared {
        Ok((events, digest)) => {
            // Its last line is read, so it ends.
            if let Err(error) = other.0.wait() {
                say(&format!("the second process: {error}"));
            }
            let text = format!("two processes, {events} events, the same run: digest {digest:032x}\n");
            (print_data(text.as_bytes()), Some(digest))
        }
        Err(Stop::Differs(text)) => {
            let printed = print_data(text.as_bytes());
            (if printed == HELD { BROKEN } else { printed }, None)
        }
        Err(Stop::Broken(error)) => {
            say(&format!("the second process: {error}"));
            (NO_OUTPUT, None)
        }
    }
}

/// Names the first event that is not the same, and of what it brought the first that is not.
fn difference(mine: &str, theirs: &str) -> String {
    fn parts(line: &str) -> Option<(&str, &str, Vec<&str>)> {
        let mut parts = line.splitn(3, '\t');
        Some((parts.next()?, parts.next()?, parts.next()?.split(BETWEEN).collect()))
    }
    let event = mine.split('\t').next().unwrap_or_default();
    let (mine, theirs) = (parts(mine), parts(theirs));
    let lines = |side: &Option<(&str, &str, Vec<&str>)>| side.as_ref().map_or(0, |(.., lines)| lines.len());
    let line = |side: &Option<(&str, &str, Vec<&str>)>, at: usize| {
        side.as_ref().and_then(|(.., lines)| lines.get(at).map(|line| line.to_string()))
    };
    let most = lines(&mine).max(lines(&theirs));
    // Where all words are the same the digests are not.
    let at = (0..most).find(|at| line(&mine, *at) != line(&theirs, *at)).unwrap_or(0);
    let side = |side: &Option<(&str, &str, Vec<&str>)>| match side {
        Some((event, digest, _)) => {
            let text = line(side, at).unwrap_or_else(|| "nothing more at this event".into());
            format!("event {event}, digest {digest}\n    {text}")
        }
        None => "the run is cut short".into(),
    };
    format!("the runs differ first at event {event}\n  here:  {}\n  there: {}\n", side(&mine), side(&theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_is_not_the_same() {
        let text = difference("7\tab\tone\u{1e}two\u{1e}three", "7\tcd\tone\u{1e}other");
        assert_eq!(
            text,
            "the runs differ first at event 7\n  here:  event 7, digest ab\n    two\n  there: event 7, digest cd\n    other\n"
        );
        let text = difference("7\tab\tone", "7\tcd\tone");
        assert!(text.contains("digest ab\n    one") && text.contains("digest cd\n    one"), "{text}");
        let text = difference("8\tab\tone\u{1e}two", "8\tab\tone");
        assert!(text.contains("nothing more at this event"), "{text}");
        assert!(difference("8\tab\tone", "").contains("there: the run is cut short"));
    }
}
