//! Checkers of histories against histories whose verdicts are known, and against other checkers.
//!
//! The corpora lie beside the project (`../shared/data`, or where `HISTORIES_DIR` says) and are not part of it: the tests
//! that read them say so loudly when they are missing.
//!
//! What is wrong with a checker, and which test finds it (each tried, a line changed):
//!
//! | mistake | found by |
//! |---|---|
//! | an operation may be placed after its return (`search`: `candidates`) | etcd logs, failed exchange, both tries of a put |
//! | operations of unknown outcome are dropped (`pairs`: `End::Unknown`) | etcd logs, what failed at once |
//! | they are closed at once instead of staying open to the end | etcd logs |
//! | the state is no part of a configuration (`search`: `enter`) | etcd logs, key-value logs, small histories |
//! | a failed exchange tells nothing (`etcd`: `outcome`) | failed exchange only: the etcd logs do not notice |
//! | what failed may have happened (`jepsen`: `ended`) | what failed at once |
//! | keys are mixed up (`judge`: `by_key`) | key-value logs |
//! | whatever leaves the state as it is is placed at once (`Model::observes`) | small histories |

use std::fs;
use std::path::PathBuf;

use dynamo_sim::check::linear::models::{Keyed, Register, RegisterCall, Siblings, SiblingsCall, Text};
use dynamo_sim::check::linear::regular::is_regular;
use dynamo_sim::check::linear::sequential::is_sequential;
use dynamo_sim::check::linear::sessions::Sessions;
use dynamo_sim::check::linear::{Model, Operation, Verdict, check};
use dynamo_sim::report::histories::export::{to_edn, to_jsonl};
use dynamo_sim::report::histories::judge::{self, KeyReport, judge};
use dynamo_sim::report::histories::{Format, History, Object, parse};
use serde_json::Value as Json;

const BUDGET: u64 = 1_000_000;

/// The folder of the corpora.
#[expect(clippy::disallowed_methods, reason = "a test may be told where its data lies")]
fn corpora() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/histories");
    let folder = std::env::var("HISTORIES_DIR").map_or_else(|_| beside(), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    skipped(&format!("{} is not there; HISTORIES_DIR names another folder", folder.display()));
    None
}

#[expect(clippy::disallowed_macros, reason = "a test that does not test must not be quiet about it")]
fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

fn read(text: &str) -> History {
    parse(text, None).unwrap_or_else(|problems| panic!("{}", problems.text("history")))
}

fn is_legal(history: &History) -> bool {
    let reports = judge(history, None, BUDGET);
    assert!(reports.iter().all(|report| !matches!(report.verdict, Verdict::Undecided { .. })), "the budget is enough");
    reports.iter().all(|report| report.verdict.is_legal())
}

#[test]
fn etcd_logs_have_their_known_verdicts() {
    let Some(folder) = corpora() else { return };
    let verdicts = fs::read_to_string(folder.join("etcd-verdicts.csv")).unwrap();
    let mut judged = 0;
    for row in verdicts.lines().skip(1) {
        let (log, linearizable) = row.split_once(',').unwrap();
        let history = read(&fs::read_to_string(folder.join(log)).unwrap());
        assert!(history.operations.len() > 40, "{log} has operations");
        assert_eq!(is_legal(&history), linearizable == "true", "{log}");
        judged += 1;
    }
    assert!(judged >= 50, "{judged} logs judged");
}

#[test]
fn key_value_logs_have_their_known_verdicts_with_and_without_keys_apart() {
    let Some(folder) = corpora() else { return };
    for (name, bad) in [("c01-ok", ""), ("c01-bad", "7"), ("c10-ok", ""), ("c10-bad", "01235679")] {
        let history = read(&fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap());
        assert_eq!(history.object, Object::Text);
        let reports = judge(&history, None, BUDGET);
        let found: String = reports.iter().filter(|r| !r.verdict.is_legal()).map(|r| r.key.as_str()).collect();
        assert_eq!(found, bad, "keys of {name} that are not linearizable");
        let whole: Vec<_> = history
            .operations
            .iter()
            .map(|recorded| Operation {
                invoked: recorded.operation.invoked,
                returned: recorded.operation.returned,
                input: (recorded.key.parse().unwrap(), judge::text(&recorded.operation.input).unwrap()),
            })
            .collect();
        let verdict = check(&Keyed(Text), &whole, BUDGET);
        assert!(!matches!(verdict, Verdict::Undecided { .. }), "{name} as a whole");
        assert_eq!(verdict.is_legal(), bad.is_empty(), "{name} as a whole");
    }
}

#[test]
fn a_failed_exchange_is_an_observation() {
    let log = |cas: &str| {
        let lines = [
            "0\t:invoke\t:write\t0",
            "0\t:ok\t:write\t0",
            &format!("1\t:invoke\t:cas\t{cas}"),
            &format!("1\t:fail\t:cas\t{cas}"),
        ];
        lines.map(|line| format!("INFO  jepsen.util - {line}\n")).concat()
    };
    assert!(!is_legal(&read(&log("[0 1]"))), "the register held what was expected");
    assert!(is_legal(&read(&log("[1 2]"))));
}

/// In Knossos' histories `:fail` did not happen.
#[test]
fn what_failed_at_once_is_never_read() {
    let history = |outcome: &str| {
        format!(
            "{{:process 0, :type :invoke, :f :write, :value 1}}
             {{:process 0, :type :ok, :f :write, :value 1}}
             {{:process 1, :type :invoke, :f :write, :value 3}}
             {{:process 1, :type :{outcome}, :f :write, :value 3}}
             {{:process 2, :type :invoke, :f :read, :value nil}}
             {{:process 2, :type :ok, :f :read, :value 3}}"
        )
    };
    assert!(!is_legal(&read(&history("fail"))));
    assert!(is_legal(&read(&history("info"))));
    let reports = judge(&read(&history("fail")), None, BUDGET);
    // The write that failed is no operation, so the read is the second one.
    assert!(matches!(&reports[..], [KeyReport { verdict: Verdict::Illegal { witness: 1, .. }, .. }]), "{reports:?}");
}

#[test]
fn sessions_of_conver_have_their_known_verdicts() {
    let file = corpora().map(|folder| folder.join("../conver-vectors.json")).filter(|file| file.is_file());
    let Some(file) = file else { return skipped("conver-vectors.json is not there") };
    let vectors: Json = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert_eq!(vectors.len(), 10);
    for (number, vector) in vectors.iter().enumerate() {
        let done = |op: &Json| {
            let input = match op["op"].as_str() {
                Some("write") => RegisterCall::Write(op["value"].as_i64()),
                _ => RegisterCall::Read(op["value"].as_i64()),
            };
            let at = |field: &str| op[field].as_u64().unwrap();
            let client = u64::from(op["client"].as_str().unwrap().as_bytes()[0]);
            (client, Operation::new(at("call"), at("ret"), input))
        };
        let history: Vec<_> = vector["ops"].as_array().unwrap().iter().map(done).collect();
        let plain: Vec<_> = history.iter().map(|(_, operation)| operation.clone()).collect();
        let sessions = Sessions::new(None, &history).unwrap();
        let found = [
            ("LIN", check(&Register::default(), &plain, BUDGET).is_legal()),
            ("REG", is_regular(None, &plain).unwrap()),
            ("SEQ", is_sequential(&Register::default(), &history, BUDGET).unwrap()),
            ("CAU", sessions.is_causal()),
            ("MRW", sessions.monotonic()),
            ("WFR", sessions.writes_follow_reads()),
            ("RYW", sessions.read_your_writes()),
        ];
        for (column, verdict) in found {
            assert_eq!(Some(verdict), vector["verdicts"][column].as_bool(), "{column} of vector {}", number + 1);
        }
    }
}

#[test]
fn exported_histories_keep_their_verdicts() {
    let Some(folder) = corpora() else { return };
    for name in ["c01-ok.txt", "c10-bad.txt", "etcd_000.log", "etcd_002.log", "etcd_005.log", "etcd_010.log"] {
        let history = read(&fs::read_to_string(folder.join(name)).unwrap());
        let verdicts = |history: &History| -> Vec<(String, Verdict)> {
            judge(history, None, BUDGET).into_iter().map(|report| (report.key, report.verdict)).collect()
        };
        for (text, format) in [(to_edn(&history), Format::Edn), (to_jsonl(&history), Format::Jsonl)] {
            let again = parse(&text, None).unwrap_or_else(|problems| panic!("{name}: {}", problems.text("again")));
            assert_eq!(dynamo_sim::report::histories::detect(&text), Some(format));
            assert_eq!(verdicts(&again), verdicts(&history), "{name}");
        }
    }
}

/// Small histories of one register, from a generator that is the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ bits >> 31) % limit
    }

    /// Up to seven operations, no two events at one instant; values are unique if wanted.
    fn history(&mut self, unique: bool) -> Vec<Operation<RegisterCall>> {
        let count = 2 + self.below(6);
        let mut events: Vec<u64> = (0..count).flat_map(|op| [op, op]).collect();
        for at in (1..events.len()).rev() {
            events.swap(at, self.below(at as u64 + 1) as usize);
        }
        // Mostly short operations: events move towards their partner.
        if self.below(3) > 0 {
            events.chunks_mut(6).for_each(<[u64]>::sort_unstable);
        }
        (0..count)
            .map(|op| {
                let at: Vec<u64> = (0..).zip(&events).filter(|(_, owner)| **owner == op).map(|(at, _)| at).collect();
                let writes = self.below(2) == 0;
                let value =
                    if unique && writes { op as i64 + 1 } else { self.below(if unique { count } else { 3 }) as i64 };
                let input = if writes { RegisterCall::Write(Some(value)) } else { RegisterCall::Read(Some(value)) };
                let open = writes && self.below(6) == 0;
                if open { Operation::open(at[0], input) } else { Operation::new(at[0], at[1], input) }
            })
            .collect()
    }
}

const ZERO: Register = Register { initial: Some(0) };

/// Tries every order.
fn by_permutation<M: Model>(model: &M, history: &[Operation<M::Input>]) -> bool {
    fn goes_on<M: Model>(model: &M, history: &[Operation<M::Input>], placed: u32, state: &M::State) -> bool {
        let rest = || (0..history.len()).filter(|at| placed >> at & 1 == 0);
        rest().all(|at| history[at].returned.is_none())
            || rest().any(|at| {
                let may_come = rest().all(|other| !history[other].is_before(&history[at]));
                let after = model.step(state, &history[at].input).filter(|_| may_come);
                after.is_some_and(|after| goes_on(model, history, placed | 1 << at, &after))
            })
    }
    goes_on(model, history, 0, &model.initial())
}

fn by_stateright(history: &[Operation<RegisterCall>]) -> bool {
    use stateright::semantics::register::{Register, RegisterOp, RegisterRet};
    use stateright::semantics::{ConsistencyTester, LinearizabilityTester};
    let mut tester = LinearizabilityTester::new(Register(0));
    for (owner, ends) in in_order(history) {
        match (history[owner].input, ends) {
            (RegisterCall::Write(Some(value)), false) => tester.on_invoke(owner, RegisterOp::Write(value)).unwrap(),
            (RegisterCall::Write(_), _) => tester.on_return(owner, RegisterRet::WriteOk).unwrap(),
            (RegisterCall::Read(Some(value)), true) => tester.on_return(owner, RegisterRet::ReadOk(value)).unwrap(),
            _ => tester.on_invoke(owner, RegisterOp::Read).unwrap(),
        };
    }
    tester.is_consistent()
}

fn by_todc(history: &[Operation<RegisterCall>]) -> bool {
    use todc_utils::specifications::register::{RegisterOperation, RegisterSpecification};
    use todc_utils::{Action, History, WGLChecker};
    let action = |(owner, ends): (usize, bool)| {
        let operation = match (history[owner].input, ends) {
            (RegisterCall::Write(Some(value)), _) => RegisterOperation::Write(value),
            (RegisterCall::Read(value), true) => RegisterOperation::Read(value),
            _ => RegisterOperation::Read(None),
        };
        (owner, if ends { Action::Response(operation) } else { Action::Call(operation) })
    };
    let actions: Vec<_> = in_order(history).into_iter().map(action).collect();
    WGLChecker::<RegisterSpecification<i64>>::is_linearizable(History::from_actions(actions))
}

/// Beginnings and ends: whose, and whether it is an end.
fn in_order(history: &[Operation<RegisterCall>]) -> Vec<(usize, bool)> {
    let mut events: Vec<(u64, usize, bool)> = Vec::new();
    for (owner, operation) in history.iter().enumerate() {
        events.push((operation.invoked, owner, false));
        events.extend(operation.returned.map(|at| (at, owner, true)));
    }
    events.sort_unstable();
    events.into_iter().map(|(_, owner, ends)| (owner, ends)).collect()
}

#[test]
fn ten_thousand_small_histories_are_judged_as_others_judge_them() {
    let mut random = Random(1);
    let mut legal = 0;
    for number in 0..10_000 {
        let history = random.history(false);
        let verdict = check(&ZERO, &history, BUDGET);
        let ours = verdict.is_legal();
        assert_eq!(ours, by_permutation(&ZERO, &history), "by permutation, history {number}: {history:?}");
        assert_eq!(ours, by_stateright(&history), "by stateright, history {number}: {history:?}");
        if history.iter().all(|operation| operation.returned.is_some()) {
            assert_eq!(ours, by_todc(&history), "by todc-utils, history {number}: {history:?}");
        }
        if let Verdict::Illegal { witness, .. } = verdict {
            // Up to its return the history is legal, with it it is not.
            let end = history[witness].returned.unwrap();
            let cut = |keeps_witness: bool| {
                let known = |o: &&Operation<RegisterCall>| {
                    o.invoked < end
                        && (o.returned.is_some_and(|at| at < end) || matches!(o.input, RegisterCall::Write(_)))
                };
                let mut cut: Vec<_> = history.iter().filter(known).cloned().collect();
                for operation in cut.iter_mut().filter(|o| o.returned.is_some_and(|at| at >= end)) {
                    operation.returned = None;
                }
                cut.retain(|operation| operation.invoked != history[witness].invoked);
                let mut own = history[witness].clone();
                if !keeps_witness && matches!(own.input, RegisterCall::Write(_)) {
                    own.returned = None;
                }
                if keeps_witness || own.returned.is_none() {
                    cut.push(own);
                }
                by_permutation(&ZERO, &cut)
            };
            assert!(cut(false) && !cut(true), "witness {witness} of history {number}: {history:?}");
        }
        legal += u32::from(ours);
    }
    assert!((1_000..9_000).contains(&legal), "both verdicts occur: {legal} of 10 000 are legal");
}

#[test]
fn small_histories_of_siblings_are_judged_as_trying_every_order_does() {
    let mut random = Random(3);
    let mut legal = 0;
    for number in 0..5_000 {
        let mut history = Vec::new();
        for operation in random.history(true) {
            let mut some = |of: u64| (1..=of).filter(|_| random.below(3) == 0).collect::<Vec<u64>>();
            let input = match operation.input {
                RegisterCall::Write(id) => SiblingsCall::Write {
                    id: id.expect("it has a number") as u64,
                    replaces: some(7),
                    deletes: history.len() % 5 == 4,
                },
                _ => SiblingsCall::Read(some(4)),
            };
            history.push(Operation { invoked: operation.invoked, returned: operation.returned, input });
        }
        let ours = check(&Siblings, &history, BUDGET).is_legal();
        assert_eq!(ours, by_permutation(&Siblings, &history), "history {number}: {history:?}");
        legal += u32::from(ours);
    }
    assert!((200..4_800).contains(&legal), "both verdicts occur: {legal}");
}

/// Tries every order of the writes and asks each read by itself.
fn regular_by_permutation(history: &[Operation<RegisterCall>]) -> bool {
    fn orders(writes: &[&Operation<RegisterCall>], order: &mut Vec<usize>, fits: &dyn Fn(&[usize]) -> bool) -> bool {
        if order.len() == writes.len() {
            return fits(order);
        }
        (0..writes.len()).any(|at| {
            let rest = (0..writes.len()).filter(|other| !order.contains(other));
            if order.contains(&at) || rest.clone().any(|other| writes[other].is_before(writes[at])) {
                return false;
            }
            order.push(at);
            let found = orders(writes, order, fits);
            order.pop();
            found
        })
    }
    let is_write = |o: &&Operation<RegisterCall>| matches!(o.input, RegisterCall::Write(_));
    let writes: Vec<&Operation<RegisterCall>> = history.iter().filter(is_write).collect();
    let fits = |order: &[usize]| {
        history.iter().filter(|o| !is_write(o)).all(|read| {
            let RegisterCall::Read(value) = read.input else { unreachable!("the others are writes") };
            // The read comes after so many writes.
            (0..=order.len()).any(|count| {
                let last = order[..count].last().map(|&at| writes[at]);
                let is_over = order[count..].iter().all(|&at| !writes[at].is_before(read));
                let has_begun = last.is_none_or(|write| !read.is_before(write));
                let seen = last.map_or(RegisterCall::Write(Some(0)), |write| write.input);
                has_begun && is_over && seen == RegisterCall::Write(value)
            })
        })
    };
    orders(&writes, &mut Vec::new(), &fits)
}

#[test]
fn regularity_is_what_trying_every_order_finds() {
    let mut random = Random(2);
    let mut regular = 0;
    for number in 0..3_000 {
        let history = random.history(true);
        let ours = is_regular(Some(0), &history).expect("values are unique");
        assert_eq!(ours, regular_by_permutation(&history), "history {number}: {history:?}");
        assert!(ours || !check(&ZERO, &history, BUDGET).is_legal(), "what is linearizable is regular");
        regular += u32::from(ours);
    }
    assert!((300..2_700).contains(&regular), "both verdicts occur: {regular}");
}

/// A history that is too much ends in "undecided", not in a search without end; one that is only long does not.
#[test]
fn a_search_ends_with_its_budget() {
    let mut history = Vec::new();
    for value in 0..40 {
        history.push(Operation::new(value, 1_000, RegisterCall::Write(Some(value as i64))));
    }
    history.push(Operation::new(2_000, 2_001, RegisterCall::Read(Some(77))));
    assert_eq!(check(&ZERO, &history, 5_000), Verdict::Undecided { states: 5_000 });
    let many = |at: u64| Operation::new(2 * at, 2 * at + 1, RegisterCall::Write(Some(at as i64)));
    let long: Vec<_> = (0..50_000).map(many).collect();
    assert_eq!(check(&ZERO, &long, 20_000), Verdict::Undecided { states: 20_000 });
    assert_eq!(check(&ZERO, &long, BUDGET), Verdict::Legal);
}

fn problems(text: &str) -> String {
    parse(text, None)
        .map_or_else(|problems| problems.text("h"), |history| format!("{} operations", history.operations.len()))
}

#[test]
fn bad_histories_are_refused_with_their_lines() {
    assert_eq!(problems(""), "0 operations");
    let etcd = |lines: &[&str]| {
        problems(&lines.iter().map(|line| format!("INFO  jepsen.util - {line}\n")).collect::<String>())
    };
    let in_flight = etcd(&["4\t:invoke\t:write\t1", "4\t:info\t:write\t:timed-out", "4\t:invoke\t:read\tnil"]);
    assert!(
        in_flight.starts_with("h:3: process: process 4 has an operation in flight, invoked in line 1"),
        "{in_flight}"
    );
    let two = etcd(&["4\t:invoke\t:write\t1", "4\t:invoke\t:read\tnil"]);
    assert!(two.starts_with("h:2: process: process 4 has an operation in flight, invoked in line 1"), "{two}");
    let nothing = etcd(&["4\t:ok\t:write\t1"]);
    assert_eq!(nothing, "h:1: process: process 4 returns from nothing: no line invokes it\n");
    assert!(etcd(&["4\t:invoke\t:write\tx"]).contains("h:1: value: `x` is neither a number nor nil"));
    assert!(etcd(&["4\t:invoke\t:cas\t3"]).contains("h:1: value: a cas has the form [from to]"));
    assert!(etcd(&["4\t:invoke\t:wri"]).contains("h:1: 3 fields instead of four"));
    let other = etcd(&["4\t:invoke\t:write\t1", "4\t:ok\t:write\t2"]);
    assert_eq!(other, "h:2: value: `2` is not what was invoked\n");
    assert!(
        problems("{:process 1, :type :invoke, :f :read}\n{:process 1, :type :o").contains("h:2: the file ends inside")
    );
    assert!(problems("{:process 1, :type :maybe, :f :read}").contains("h:1: :type: `:maybe` is none of"));
    assert!(problems("[1 2]").contains("an event is a map"));
    assert!(problems("time,op\n1,2\n").contains("this is no history that is known"));
    let twenty = etcd(&["x\t:ok\t:read\t1"; 25]);
    assert_eq!(twenty.lines().count(), 21);
    assert!(twenty.ends_with("h: and 5 more\n"), "{twenty}");
}

const OURS: &str = r#"{"format":"dynamo-sim history","version":1,"object":"siblings"}
{"at_ns":0,"event":"first","key":"K","write":1}
{"at_ns":5,"event":"invoke","op":1,"client":"a/0","kind":"put","key":"K"}
{"at_ns":6,"event":"write","op":1,"write":2,"context":[1]}
{"at_ns":9,"event":"invoke","op":2,"client":"a/1","kind":"get","key":"K"}
{"at_ns":12,"event":"write","op":1,"write":3,"context":[1]}
{"at_ns":14,"event":"return","op":1,"outcome":"ok","write":3}
{"at_ns":15,"event":"return","op":2,"outcome":"ok","values":[2]}
{"at_ns":20,"event":"invoke","op":3,"client":"a/1","kind":"get","key":"K"}
{"at_ns":25,"event":"return","op":3,"outcome":"ok","values":[2,3]}
"#;

/// A put that was tried twice made two versions. The client heard of the second; the first may stand beside it.
#[test]
fn both_tries_of_a_put_may_be_read() {
    let history = read(OURS);
    assert_eq!((history.object, history.operations.len()), (Object::Siblings, 5));
    assert!(is_legal(&history));
    assert!(is_legal(&read(&OURS.replace("[2,3]}", "[3]}").replace("[2]}", "[1]}"))), "the first try never happened");
    assert!(!is_legal(&read(&OURS.replace("[2,3]}", "[2]}"))), "the second one did");
    assert!(!is_legal(&read(&OURS.replace("[2,3]}", "[1,3]}"))), "it replaced the first value");
    assert!(!is_legal(&read(&OURS.replace("[2,3]}", "[3,4]}"))), "nobody wrote that");
    let edn = to_edn(&history);
    assert!(is_legal(&read(&edn)), "{edn}");
    assert!(!is_legal(&read(&to_edn(&read(&OURS.replace("[2,3]}", "[2]}"))))));
}

#[test]
fn our_own_files_are_refused_with_line_and_field() {
    let with = |from: &str, to: &str| problems(&OURS.replacen(from, to, 1));
    assert!(problems(&OURS[OURS.find('\n').unwrap() + 1..]).starts_with("h:1: format: the first line must be like"));
    assert!(with("\"version\":1", "\"version\":2").starts_with("h:1: version: this program reads version 1"));
    assert!(
        with("\"op\":2,\"client\"", "\"op\":1,\"client\"").starts_with("h:5: op: operation 1 was invoked in line 3")
    );
    assert!(with("\"at_ns\":15", "\"at_ns\":13").starts_with("h:8: at_ns: 13 is before 14"));
    assert!(with("\"op\":3,\"outcome\"", "\"op\":9,\"outcome\"").starts_with("h:10: op: no line invokes operation 9"));
    assert!(
        with("\"outcome\":\"ok\",\"write\":3", "\"outcome\":\"ok\",\"write\":7")
            .contains("h:7: write: no `write` event")
    );
    assert!(with("\"outcome\":\"ok\"", "\"outcome\":\"fine\"").contains("h:7: outcome: `fine` is no outcome"));
    assert!(
        with("\"kind\":\"put\"", "\"kind\":\"cas\"").contains("h:3: kind: `cas` is nothing that a siblings can do")
    );
    assert!(with("\"write\":3,\"context\"", "\"write\":2,\"context\"").contains("h:6: write: 2 was made in line 4"));
    assert!(with("\"context\":[1]", "\"context\":[-1]").contains("h:4: context: -1 numbers no write"));
    assert!(with("siblings", "text").contains("h:2: event: a text has no first value"));
    assert!(with("[2,3]}\n", "[2,").contains("h:10: the line is cut off"));
    assert!(with("\"values\":[2]", "\"values\":[2.5]").contains("h:8: values: `[2.5]` is no list"));
}
