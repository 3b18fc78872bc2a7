//! Failure detection: which peers a node does without for now (Dynamo §4.8.3).
//!
//! Suspicion is local and never changes the membership. It is raised by requests that stay unanswered
//! and cleared by any sign of life; a suspect is probed until it answers. This file knows neither
//! messages nor requests: it is told of silence and of signs of life, and says who is suspect.

use std::collections::BTreeMap;

use crate::kernel::ids::NodeId;
use crate::kernel::time::SimTime;
use crate::node::config::Detector as Config;

/// What is remembered of one peer that has given cause.
#[derive(Clone, Copy, Default, Debug)]
struct Record {
    failures: u32,
    suspected_at: Option<SimTime>,
}

/// One node's opinion of its peers. Memory: a crash forgets it.
#[derive(Clone, Debug, Default)]
pub struct Detector {
    records: BTreeMap<NodeId, Record>,
    suspects: u32,
}

impl Detector {
    /// Whether requests are sent to the peer.
    #[inline]
    pub fn trusts(&self, peer: NodeId) -> bool {
        self.suspects == 0 || self.records.get(&peer).is_none_or(|r| r.suspected_at.is_none())
    }

    /// Whether no peer has given any cause: then a sign of life is no news.
    #[inline]
    pub fn calm(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether somebody is suspect.
    pub fn suspects_any(&self) -> bool {
        self.suspects > 0
    }

    /// The suspects, in order.
    pub fn suspects(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.records.iter().filter(|(_, r)| r.suspected_at.is_some()).map(|(&node, _)| node)
    }

    /// A request to the peer has stayed unanswered. Returns whether it becomes a suspect now.
    pub fn silence(&mut self, config: &Config, now: SimTime, peer: NodeId) -> bool {
        let limit = match config {
            Config::Local { failures, .. } | Config::Gossiped { failures, .. } => *failures,
            Config::Phi { .. } | Config::Perfect => return false,
        };
        let record = self.records.entry(peer).or_default();
        record.failures += 1;
        if record.failures >= limit && record.suspected_at.is_none() {
            record.suspected_at = Some(now);
            self.suspects += 1;
            return true;
        }
        false
    }

    /// The peer is suspect for another reason than silence. Returns whether that is new.
    pub fn suspect(&mut self, now: SimTime, peer: NodeId) -> bool {
        let record = self.records.entry(peer).or_default();
        if record.suspected_at.is_none() {
            record.suspected_at = Some(now);
            self.suspects += 1;
            return true;
        }
        false
    }

    /// The peer has given a sign of life. Returns whether it was a suspect.
    pub fn sign_of_life(&mut self, peer: NodeId) -> bool {
        match self.records.remove(&peer) {
            Some(Record { suspected_at: Some(_), .. }) => {
                self.suspects -= 1;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Span;

    const PEER: NodeId = NodeId(7);

    #[test]
    fn enough_failures_in_a_row_make_a_suspect_and_a_sign_of_life_clears_it() {
        let config = Config::Local { failures: 2, retry_every: Span::from_secs(1) };
        let mut detector = Detector::default();
        assert!(!detector.silence(&config, SimTime(1), PEER));
        assert!(detector.trusts(PEER));
        assert!(detector.silence(&config, SimTime(2), PEER));
        assert!(!detector.trusts(PEER));
        assert!(!detector.silence(&config, SimTime(3), PEER), "it is a suspect already");
        assert!(detector.sign_of_life(PEER));
        assert!(detector.trusts(PEER) && detector.calm());
    }

    #[test]
    fn failures_must_be_in_a_row() {
        let config = Config::Local { failures: 2, retry_every: Span::from_secs(1) };
        let mut detector = Detector::default();
        detector.silence(&config, SimTime(1), PEER);
        assert!(!detector.sign_of_life(PEER));
        assert!(!detector.silence(&config, SimTime(2), PEER));
    }

    #[test]
    fn silence_is_nothing_to_a_perfect_detector() {
        let mut detector = Detector::default();
        for at in 0..10 {
            assert!(!detector.silence(&Config::Perfect, SimTime(at), PEER));
        }
        assert!(detector.suspect(SimTime(11), PEER) && !detector.trusts(PEER));
    }
}
