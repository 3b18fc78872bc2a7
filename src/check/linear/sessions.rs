//! What sessions may expect of one register whose writes have different values, without a global order: read your
//! writes, monotonic reads of monotonic writes, writes follow reads, and causal consistency, which implies them.
//!
//! These are the notions of Viotti and Vukolić's survey (2016) as histories of values can show them: a write is known
//! to come after another only if its session wrote or read that one before. Terry's guarantees (1994) speak of what
//! replicas hold; versions with clocks show more of that than values do, and are judged elsewhere.

use super::Operation;
use super::models::RegisterCall;

/// An operation and the session that did it.
pub type Done = (u64, Operation<RegisterCall>);

/// A history of one register, session by session.
#[derive(Debug)]
pub struct Sessions {
    /// Place of the write that each operation wrote or read; `None` for the register's beginning.
    write: Vec<Option<usize>>,
    is_read: Vec<bool>,
    /// Sessions' operations in their order.
    sessions: Vec<Vec<usize>>,
}

impl Sessions {
    /// Sorts a history. `None` if it has exchanges, writes of equal values, or reads of values nobody wrote: then these
    /// notions say nothing.
    pub fn new(initial: Option<i64>, history: &[Done]) -> Option<Sessions> {
        let mut writes: Vec<(Option<i64>, usize)> = Vec::new();
        for (place, (_, operation)) in history.iter().enumerate() {
            match operation.input {
                RegisterCall::Write(value) => writes.push((value, place)),
                RegisterCall::Read(_) => {}
                RegisterCall::Cas { .. } => return None,
            }
        }
        writes.sort_unstable();
        if writes.windows(2).any(|pair| pair[0].0 == pair[1].0) || writes.iter().any(|(value, _)| *value == initial) {
            return None;
        }
        let mut write = Vec::new();
        for (place, (_, operation)) in history.iter().enumerate() {
            write.push(match operation.input {
                RegisterCall::Read(value) if value == initial => None,
                RegisterCall::Read(value) => {
                    Some(writes[writes.binary_search_by_key(&value, |(value, _)| *value).ok()?].1)
                }
                _ => Some(place),
            });
        }
        let is_read = history.iter().map(|(_, done)| matches!(done.input, RegisterCall::Read(_))).collect();
        let mut order: Vec<usize> = (0..history.len()).collect();
        order.sort_by_key(|&place| (history[place].0, history[place].1.invoked));
        let same_session = |a: &usize, b: &usize| history[*a].0 == history[*b].0;
        let sessions = order.chunk_by(same_session).map(<[usize]>::to_vec).collect();
        Some(Sessions { write, is_read, sessions })
    }

    /// Pairs of operations of one session, in order.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.sessions.iter().flat_map(|session| {
            let firsts = session.iter().enumerate();
            firsts.flat_map(|(at, &first)| session[at + 1..].iter().map(move |&second| (first, second)))
        })
    }

    /// Pairs of writes of which the second is known to come later, for what its session did first.
    fn known(&self, first_is_read: bool) -> Vec<(usize, usize)> {
        let pairs =
            self.pairs().filter(|&(first, second)| self.is_read[first] == first_is_read && !self.is_read[second]);
        let mut known: Vec<_> = pairs.filter_map(|(first, second)| Some((self.write[first]?, second))).collect();
        known.sort_unstable();
        known.dedup();
        known
    }

    /// Whether no session read what is known to come before its own last write.
    pub fn read_your_writes(&self) -> bool {
        let known = self.known(false);
        self.pairs()
            .filter(|&(first, second)| !self.is_read[first] && self.is_read[second])
            .all(|(own, read)| self.write[read].is_some_and(|write| known.binary_search(&(write, own)).is_err()))
    }

    /// Whether no session that has read a write then read an older one of the same writer.
    pub fn monotonic(&self) -> bool {
        self.reads_follow(&self.known(false))
    }

    /// Whether no session that has read a write then read one which that write's session had read before it.
    pub fn writes_follow_reads(&self) -> bool {
        self.reads_follow(&self.known(true))
    }

    fn reads_follow(&self, known: &[(usize, usize)]) -> bool {
        self.pairs().filter(|&(first, second)| self.is_read[first] && self.is_read[second]).all(
            |(first, second)| match (self.write[first], self.write[second]) {
                (Some(newer), Some(older)) => known.binary_search(&(older, newer)).is_err(),
                _ => true,
            },
        )
    }

    /// Whether the history is causally consistent: no read returns a write, or the beginning, although another write
    /// lies between in the order that sessions and reads make, and that order has no cycle. Source: the patterns of
    /// Bouajjani, Enea, Guerraoui and Hamza 2017 for their weakest notion, "CC". Takes the cube of the history's length.
    pub fn is_causal(&self) -> bool {
        let count = self.write.len();
        let mut before = vec![vec![false; count]; count];
        for (first, second) in self.pairs() {
            before[first][second] = true;
        }
        for read in (0..count).filter(|&place| self.is_read[place]) {
            if let Some(write) = self.write[read] {
                before[write][read] = true;
            }
        }
        for middle in 0..count {
            let after = before[middle].clone();
            for row in before.iter_mut().filter(|row| row[middle]) {
                row.iter_mut().zip(&after).for_each(|(held, &more)| *held |= more);
            }
        }
        let writes: Vec<usize> = (0..count).filter(|&place| !self.is_read[place]).collect();
        let is_over = |read: usize, between: usize| {
            before[between][read] && self.write[read].is_none_or(|write| before[write][between])
        };
        (0..count).all(|place| !before[place][place])
            && (0..count).filter(|&place| self.is_read[place]).all(|read| !writes.iter().any(|&w| is_over(read, w)))
    }
}
