//! Histories of real runs: written down they say what happened, and the judge that listens and the judge that reads agree.

use std::collections::BTreeMap;

use dynamo_sim::check::linear::Verdict;
use dynamo_sim::check::linear::models::{Siblings, SiblingsCall};
use dynamo_sim::check::linear::online::{Ended, KeyHistories, KeyVerdict, Limits};
use dynamo_sim::cluster;
use dynamo_sim::history::{Interest, Observation, Observer, OpKind};
use dynamo_sim::kernel::time::SimTime;
use dynamo_sim::node::message::Outcome;
use dynamo_sim::node::outputs::Note;
use dynamo_sim::report::histories::export::to_edn;
use dynamo_sim::report::histories::judge::judge;
use dynamo_sim::report::histories::{History, Object, parse};
use dynamo_sim::report::history_log::HistoryLog;
use dynamo_sim::scenario::build::run_config;
use dynamo_sim::scenario::load;
use dynamo_sim::scenario::source::Memory;
use dynamo_sim::version::{Dot, Version};

/// Four sessions on three keys, with messages lost and tried again, and a node that goes away.
const LOAD: &str = r#"{
  "version": 1, "duration": "4s", "cluster": { "nodes": 5, "versioning": "dotted" },
  "network": { "within_region": { "exponential": { "mean": "3ms" } }, "loss": 0.02 },
  "clients": [ { "name": "users", "count": 4, "arrival": { "closed": { "think": "20ms" } },
    "keys": { "uniform": { "count": 3 } }, "mix": { "get": 2, "put": 1, "update": 1 },
    "timeout": "150ms", "retries": 1 } ],
  "script": [ { "at": "1s", "for": "1s", "crash": { "nodes": "n2" } } ]
}"#;

/// The judge that listens.
struct Listener {
    judge: KeyHistories<Siblings>,
    numbers: BTreeMap<(u64, Dot, u64), u64>,
}

impl Listener {
    fn number(&mut self, version: &Version) -> u64 {
        let next = self.numbers.len() as u64 + 1;
        *self.numbers.entry((version.write().0, version.dot(), version.hash())).or_insert(next)
    }

    fn numbers(&mut self, versions: &[Version]) -> Vec<u64> {
        let mut numbers: Vec<u64> = versions.iter().map(|version| self.number(version)).collect();
        numbers.sort_unstable();
        numbers
    }

    fn write(&mut self, version: &Version, context: &[Version]) -> SiblingsCall {
        SiblingsCall::Write { id: self.number(version), replaces: self.numbers(context), deletes: false }
    }
}

impl Observer for Listener {
    fn interest(&self) -> Interest {
        Interest { operations: true, changes: true, ..Interest::default() }
    }

    fn observe(&mut self, _: SimTime, observation: &Observation<'_>) {
        match *observation {
            Observation::FirstValue { key, version } => {
                let first = self.write(version, &[]);
                self.judge.began(key, u64::MAX);
                self.judge.ended(key, u64::MAX, Ended::Ok(first));
            }
            Observation::Started { op, key, kind: OpKind::Get | OpKind::Put, .. } => self.judge.began(key, op.0),
            Observation::Node { note: Note::Coordinated { op, key, version, context }, .. } => {
                let known = self.numbers.len();
                let write = self.write(version, context);
                if self.numbers.len() > known {
                    self.judge.wrote(*key, op.0, write);
                }
            }
            Observation::Finished(finished) if finished.kind != OpKind::Update => {
                let end = match (finished.outcome, finished.kind, finished.written) {
                    (Outcome::Ok, OpKind::Get, _) => Ended::Ok(SiblingsCall::Read(self.numbers(finished.read))),
                    (Outcome::Ok, _, Some(version)) => Ended::Ok(self.write(version, finished.context)),
                    (_, OpKind::Get, _) => Ended::NeverHappened,
                    _ => Ended::Unknown,
                };
                self.judge.ended(finished.key, finished.op.0, end);
            }
            _ => {}
        }
    }
}

/// The history of a run, and by key whether the judge that listened found it linearizable.
fn play(scenario: &str, set: &[(&str, &str)], seed: u64) -> (History, Vec<Option<bool>>) {
    let set: Vec<(String, String)> = set.iter().map(|(path, value)| (path.to_string(), value.to_string())).collect();
    let loaded = load(&Memory::new("x.json", scenario), &set).unwrap_or_else(|errors| panic!("{errors}"));
    let config = run_config(&loaded.settings[0].spec, seed, &loaded.files).expect("it makes a run").config;
    let limits = Limits { part: 16, ..Limits::default() };
    let mut listener = Listener { judge: KeyHistories::new(Siblings, limits), numbers: BTreeMap::new() };
    let mut log = HistoryLog::new(&config, Vec::new());
    let watched = cluster::run(&config, &mut [&mut listener, &mut log]);
    assert_eq!(watched.digest, cluster::run(&config, &mut []).digest, "who listens changes nothing");
    let text = String::from_utf8(log.finish().expect("memory can be written")).expect("it is text");
    let history = parse(&text, None).unwrap_or_else(|problems| panic!("{}", problems.text("history")));
    let verdicts = listener.judge.finish().into_iter().map(|(_, verdict)| match verdict {
        KeyVerdict::Legal => Some(true),
        KeyVerdict::Illegal { .. } => Some(false),
        KeyVerdict::Undecided => None,
    });
    (history, verdicts.collect())
}

fn verdicts(history: &History) -> Vec<bool> {
    let reports = judge(history, None, 1_000_000);
    assert!(reports.iter().all(|report| !matches!(report.verdict, Verdict::Undecided { .. })), "the budget is enough");
    reports.iter().map(|report| report.verdict.is_legal()).collect()
}

const STRICT: [(&str, &str); 2] = [("cluster.replication.quorum", "\"strict\""), ("cluster.replication.w", "3")];
const WEAK: [(&str, &str); 2] = [("cluster.replication.r", "1"), ("cluster.replication.w", "1")];

#[test]
fn the_judge_that_listens_agrees_with_the_one_that_reads() {
    let (mut legal, mut illegal, mut undecided) = (0, 0, 0);
    for seed in 1..=12 {
        let set = if seed % 2 == 0 { &STRICT } else { &WEAK };
        let (history, mut heard) = play(LOAD, set, seed);
        assert_eq!(history.object, Object::Siblings);
        assert!(history.operations.len() > 100 && history.operations.iter().any(|o| o.operation.returned.is_none()));
        let mut read = verdicts(&history);
        assert_eq!(verdicts(&parse(&to_edn(&history), None).expect("it is EDN")), read, "EDN keeps the verdict");
        // Keys come in the order of their names here and of their numbers there.
        let late = heard.iter().filter(|verdict| verdict.is_none()).count();
        undecided += late;
        if late == 0 {
            let mut heard: Vec<bool> = heard.drain(..).flatten().collect();
            heard.sort_unstable();
            read.sort_unstable();
            assert_eq!(heard, read, "seed {seed}");
        }
        legal += read.iter().filter(|legal| **legal).count();
        illegal += read.iter().filter(|legal| !**legal).count();
    }
    assert!(legal > 0 && illegal > 0, "both verdicts occur: {legal} legal, {illegal} illegal");
    assert!(undecided < 6, "{undecided} keys undecided");
}

/// P3: a cluster without quorums that overlap is not linearizable, and some seed shows it.
#[test]
fn reads_and_writes_of_one_replica_are_found_not_to_be_linearizable() {
    let found = (1..=20).find(|&seed| !verdicts(&play(LOAD, &WEAK, seed).0).iter().all(|legal| *legal));
    assert!(found.is_some(), "twenty seeds show nothing: the checker or the cluster is too tame");
}

#[test]
fn under_last_write_wins_the_object_is_a_register() {
    let set = [("cluster.versioning", r#"{ "last_write_wins": {} }"#)];
    let (history, _) = play(LOAD, &set, 3);
    assert_eq!(history.object, Object::Register);
    let reports = judge(&history, None, 1_000_000);
    assert!(reports.iter().all(|report| report.regular.is_some() && report.widening_ns.is_some()), "{reports:?}");
    for report in &reports {
        assert_eq!(report.verdict.is_legal(), report.widening_ns == Some(0), "{report:?}");
    }
}
