//! What bad input gets: each row of the list with the exact words.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "a test may read folders and speak on stderr")]

use dynamo_sim::scenario::load;
use dynamo_sim::scenario::source::{Disk, Memory};

/// A scenario that is right, with places to spoil it.
fn scenario(cluster: &str, rest: &str) -> String {
    format!("{{\n\"version\": 1,\n\"cluster\": {{ {cluster} }}{}{rest}\n}}", if rest.is_empty() { "" } else { ",\n" })
}

/// All errors, one a line.
fn errors(text: &str) -> String {
    match load(&Memory::new("x.json", text), &[]) {
        Ok(_) => String::new(),
        Err(errors) => errors.to_string(),
    }
}

fn notices(text: &str) -> Vec<String> {
    load(&Memory::new("x.json", text), &[]).unwrap_or_else(|errors| panic!("{errors}")).notices
}

/// The errors of a scenario with five nodes and the given script.
fn script(steps: &str) -> String {
    errors(&scenario(r#""nodes": 5"#, &format!("\"script\": [\n{steps}\n]")))
}

fn clients(fields: &str) -> String {
    let group = format!(r#"{{ "name": "users", "arrival": {{ "open": {{ "rate": "10/s" }} }}{fields} }}"#);
    errors(&scenario(r#""nodes": 5"#, &format!("\"duration\": \"10s\",\n\"clients\": [\n{group}\n]")))
}

#[track_caller]
fn says(got: String, expected: &str) {
    assert_eq!(got.trim_end(), expected);
}

#[test]
fn row_1_more_answers_than_copies() {
    says(
        errors(&scenario(r#""nodes": 5, "replication": { "w": 4, "r": 5 }"#, "")),
        "x.json:3:56: cluster.replication.r: 5 exceeds cluster.replication.n 3\n\
         x.json:3:48: cluster.replication.w: 4 exceeds cluster.replication.n 3",
    );
}

#[test]
fn row_2_no_answers() {
    says(
        errors(&scenario(r#""nodes": 5, "replication": { "w": 0 }"#, "")),
        "x.json:3:48: cluster.replication.w: must be ≥ 1 (got 0)",
    );
}

#[test]
fn row_3_more_copies_than_members() {
    says(errors(&scenario(r#""nodes": 2"#, "")), "x.json:3:12: cluster.replication.n: 3 is more than the 2 members");
    says(
        errors(&scenario(
            r#""nodes": 4"#,
            "\"script\": [\n{ \"name\": \"a\", \"at\": \"1s\", \"leave\": { \"node\": \"n1\" } },\n{ \"at\": \"2s\", \"leave\": { \"node\": \"n2\" } }\n]",
        )),
        "x.json:6:24: script.1.leave: steps a, 1: 2 members are left, fewer than cluster.replication.n 3",
    );
}

#[test]
fn row_4_a_partial_quorum_is_a_notice() {
    let notices = notices(&scenario(r#""nodes": 5, "replication": { "r": 1, "w": 1 }"#, ""));
    assert_eq!(
        notices,
        [
            "cluster.replication: partial quorum (r 1 + w 1 ≤ n 3): reads may be stale, regular and linearizable are not asserted",
            "cluster.replication.w: 1 is not more than half of n 3: two writes may meet no common replica",
        ]
    );
}

#[test]
fn row_5_nothing_there() {
    says(
        errors(&scenario(r#""nodes": 0"#, "")).lines().next().unwrap_or("").into(),
        "x.json:3:23: cluster.nodes: there are no nodes (got 0, allowed ≥ 1)",
    );
    says(clients(r#", "count": 0"#), "x.json:6:72: clients.users.count: must be ≥ 1 (got 0)");
    says(
        clients(r#", "keys": { "uniform": { "count": 0 } }"#),
        "x.json:6:71: clients.users.keys: there are no keys (got 0, allowed ≥ 1)",
    );
    says(errors(&scenario(r#""nodes": 5"#, r#""duration": "0s""#)), "x.json:4:13: duration: must be longer than 0s");
    says(
        errors(&scenario(r#""nodes": 5, "replication": { "n": 0 }"#, "")).lines().next().unwrap_or("").into(),
        "x.json:3:48: cluster.replication.n: must be ≥ 1 (got 0)",
    );
}

#[test]
fn row_6_unknown_names() {
    says(
        script(r#"{ "at": "0s", "cut": { "between": [["n1"], ["n9", "n2"]] } }"#),
        "x.json:5:45: script.0.cut.between.1.0: unknown node \"n9\"; did you mean `n1`?",
    );
    says(
        script(r#"{ "at": "0s", "crash": { "nodes": "zebra" } }"#),
        "x.json:5:35: script.0.crash.nodes: unknown node \"zebra\"; known: n1, n2, n3, n4, n5",
    );
    says(
        script(r#"{ "at": "0s", "cut": { "between": ["n1", "client:bob"] } }"#),
        "x.json:5:42: script.0.cut.between.1: unknown client \"bob\"; none are known",
    );
    says(
        script(r#"{ "at": "0s", "crash": { "nodes": "rack:r7" } }"#),
        "x.json:5:35: script.0.crash.nodes: unknown rack \"r7\"; did you mean `r1`?",
    );
    says(script(r#"{ "at": "0s", "crash": { "nodes": [] } }"#), "x.json:5:35: script.0.crash.nodes: selects nothing");
}

#[test]
fn row_7_groups_of_a_cut() {
    says(
        script(r#"{ "name": "c", "at": "0s", "cut": { "between": ["n1", ["n2", "n1"]] } }"#),
        "x.json:5:55: script.c.cut.between.1: node \"n1\" is also in script.c.cut.between.0",
    );
    let text = scenario(r#""nodes": 5"#, r#""script": [{ "at": "0s", "cut": { "between": ["n1", "n2"] } }]"#);
    assert!(notices(&text).contains(&"script.0.cut: n3, n4, n5 in no group: sees everyone".to_string()));
}

#[test]
fn row_9_signs_and_infinities() {
    says(
        errors(&scenario(r#""nodes": 5"#, r#""network": { "within_region": "-5ms" }"#)),
        "x.json:4:31: network.within_region: a duration has no sign (got \"-5ms\", allowed a decimal and a unit ns us ms s min h d, like \"5ms\")",
    );
    for (value, message) in [
        ("-0.5", "no sign is allowed (got -0.5, allowed 0 to 1)"),
        ("-0.0", "no sign is allowed (got -0.0, allowed 0 to 1)"),
        ("1e999", "too large (got 1e999, allowed 0 to 1)"),
        ("\"NaN\"", "not a number (got \"NaN\", allowed 0 to 1)"),
    ] {
        says(
            errors(&scenario(r#""nodes": 5"#, &format!(r#""network": {{ "loss": {value} }}"#))),
            &format!("x.json:4:22: network.loss: {message}"),
        );
    }
    says(
        errors(r#"{ "version": 1, "network": { "loss": .nan } }"#).split(':').take(3).collect::<Vec<_>>().join(":"),
        "x.json:1:38",
    );
    says(
        clients(r#", "mix": { "get": -1 }"#),
        "x.json:6:79: clients.users.mix.get: no sign is allowed (got -1, allowed a number ≥ 0)",
    );
}

#[test]
fn row_10_percent() {
    says(
        errors(&scenario(r#""nodes": 5"#, r#""network": { "loss": 50 }"#)),
        "x.json:4:22: network.loss: not a fraction (got 50, allowed 0 to 1) – did you mean 0.5?",
    );
    says(
        errors(&scenario(r#""nodes": 5"#, r#""network": { "loss": 1.5 }"#)),
        "x.json:4:22: network.loss: not a fraction (got 1.5, allowed 0 to 1)",
    );
}

#[test]
fn row_11_distributions_that_are_none() {
    let delay =
        |dist: &str| errors(&scenario(r#""nodes": 5"#, &format!(r#""network": {{ "within_region": {dist} }}"#)));
    says(
        delay(r#"{ "uniform": { "min": "5ms", "max": "1ms" } }"#),
        "x.json:4:44: network.within_region.uniform: `min` is more than `max`",
    );
    says(
        delay(r#"{ "uniform": { "min": "0s", "max": "0s" } }"#),
        "x.json:4:44: network.within_region.uniform: `max` must be more than 0",
    );
    says(
        delay(r#"{ "pareto": { "scale": "1ms", "shape": 0 } }"#),
        "x.json:4:70: network.within_region.pareto.shape: must be more than 0 (got 0)",
    );
    says(
        delay(r#"{ "normal": { "mean": "1ms", "sd": "-1ms" } }"#),
        "x.json:4:66: network.within_region.normal.sd: a duration has no sign (got \"-1ms\", allowed a decimal and a unit ns us ms s min h d, like \"5ms\")",
    );
    says(
        delay(r#"{ "mixture": [{ "weight": 0, "of": "1ms" }] }"#),
        "x.json:4:44: network.within_region.mixture: all weights are 0",
    );
    let text =
        scenario(r#""nodes": 5"#, r#""network": { "within_region": { "pareto": { "scale": "1ms", "shape": 1 } } }"#);
    assert!(notices(&text).contains(&"network.within_region.pareto: shape 1 ≤ 1: infinite mean".to_string()));
}

#[test]
fn row_12_durations_need_a_unit() {
    says(
        errors(&scenario(r#""nodes": 5"#, r#""warmup": 5"#)),
        "x.json:4:11: warmup: a duration needs a unit (got 5, allowed a decimal and a unit ns us ms s min h d, like \"5ms\")",
    );
    says(
        errors(&scenario(r#""nodes": 5"#, r#""warmup": "5m""#)),
        "x.json:4:11: warmup: `m` is not a unit (got \"5m\") – `5ms` or `5min`?",
    );
    says(
        errors(&scenario(r#""nodes": 5"#, r#""warmup": "0.5ns""#)),
        "x.json:4:11: warmup: not a whole number of nanoseconds (got \"0.5ns\")",
    );
}

#[test]
fn row_13_times_that_overflow() {
    says(
        errors(&scenario(r#""nodes": 5"#, r#""duration": "110000d""#)),
        "x.json:4:13: duration: too long (got \"110000d\", allowed at most 292 years)",
    );
    let rate = r#""duration": "100d", "clients": [{ "name": "users", "arrival": { "open": { "rate": "1/us" } } }]"#;
    says(
        errors(&scenario(r#""nodes": 5"#, rate)),
        "x.json:4:83: clients.users.arrival.open.rate: `duration` 8640000s at this rate is about 8.640e12 operations (allowed at most 2^32)",
    );
}

#[test]
fn row_14_misspelt_fields() {
    says(
        errors(&scenario(r#""nodes": 5, "replicaton": {}"#, "")),
        "x.json:3:26: cluster.replicaton: unknown field; did you mean `replication`?",
    );
    says(errors(&scenario(r#""nodes": 5, "nodes": 5"#, "")), "x.json:3:26: cluster.nodes: this field is given twice");
    says(
        errors(&scenario(r#""nodes": 5, "ring": "random_token""#, "")),
        "x.json:3:34: cluster.ring: unknown form \"random_token\"; did you mean `random_tokens`?",
    );
    says(
        errors(&scenario(r#""nodes": 5, "hints": { "deliver": "recover" }"#, "")),
        "x.json:3:48: cluster.hints.deliver: unknown value (got \"recover\", allowed \"scan\", \"recovery\"); did you mean \"recovery\"?",
    );
}

#[test]
fn row_16_wrong_types() {
    says(
        errors(&scenario(r#""nodes": "5""#, "")),
        "x.json:3:23: cluster.nodes: not nodes (got \"5\", allowed a count ≥ 1, or a list of names and objects)",
    );
    says(
        errors(&scenario(r#""nodes": 5, "ring": []"#, "")),
        "x.json:3:34: cluster.ring: not a choice (got [], allowed one of random_tokens, random_tokens_over_partitions, equal_partitions, tokens, owners, modulo)",
    );
    says(
        errors(&scenario(r#""nodes": 5"#, r#""network": { "fifo": "yes" }"#)),
        "x.json:4:22: network.fifo: not a bool (got \"yes\", allowed true or false, without quotes)",
    );
    says(
        errors(&scenario(r#""nodes": 5"#, r#""script": {}"#)),
        "x.json:4:11: script: not a list (got {}, allowed a list in brackets)",
    );
    says(errors("[]"), "x.json:1:1: not an object (got [], allowed an object in braces)");
}

#[test]
fn row_17_too_late() {
    let late = |step: &str| {
        errors(&scenario(
            r#""nodes": 5"#,
            &format!("\"duration\": \"10s\", \"settle\": \"5s\", \"script\": [\n{step}\n]"),
        ))
    };
    says(
        late(r#"{ "at": "10s", "crash": { "nodes": "n1" } }"#),
        "x.json:5:9: script.0.at: 10s is not before the end of `duration` 10s",
    );
    says(late(r#"{ "at": "15s", "inspect": { "key": "K" } }"#), "");
    says(
        late(r#"{ "at": "16s", "inspect": { "key": "K" } }"#),
        "x.json:5:9: script.0.at: 16s is after the end of the run, 15s",
    );
}

#[test]
fn row_18_contradictions() {
    says(
        script(r#"{ "at": "1s", "restart": { "nodes": "n1" } }"#),
        "x.json:5:37: script.0.restart.nodes: node \"n1\" is running",
    );
    says(
        script(
            "{ \"name\": \"a\", \"at\": \"1s\", \"crash\": { \"nodes\": \"n1\" } },\n{ \"name\": \"b\", \"at\": \"2s\", \"crash\": { \"nodes\": \"n1\" } }",
        ),
        "x.json:6:48: script.b.crash.nodes: node \"n1\" is down already, since step a",
    );
    // A crash that has ended may happen again, and `for` ends it.
    says(
        script(
            "{ \"at\": \"1s\", \"for\": \"1s\", \"crash\": { \"nodes\": \"n1\" } },\n{ \"at\": \"2s\", \"crash\": { \"nodes\": \"n1\" } }",
        ),
        "",
    );
    says(
        script(r#"{ "at": "1s", "join": { "node": "n1" } }"#),
        "x.json:5:33: script.0.join.node: node \"n1\" is a member already",
    );
    says(
        script(
            "{ \"at\": \"1s\", \"leave\": { \"node\": \"n1\" } },\n{ \"at\": \"2s\", \"leave\": { \"node\": \"n1\" } }",
        ),
        "x.json:6:34: script.1.leave.node: node \"n1\" is not a member, since step 0",
    );
    says(
        script(r#"{ "name": "a", "after": "a", "crash": { "nodes": "n1" } }"#),
        "x.json:5:25: script.a.after: step \"a\" cannot wait for itself",
    );
    says(
        script(
            "{ \"name\": \"a\", \"after\": \"b\", \"crash\": { \"nodes\": \"n1\" } },\n{ \"name\": \"b\", \"at\": \"1s\", \"crash\": { \"nodes\": \"n2\" } }",
        ),
        "x.json:5:25: script.a.after: step \"b\" comes later in the list (allowed an earlier one)",
    );
}

#[test]
fn row_19_the_order_of_the_file_does_not_matter() {
    says(
        script(
            "{ \"at\": \"2s\", \"restart\": { \"nodes\": \"n1\" } },\n{ \"at\": \"1s\", \"crash\": { \"nodes\": \"n1\" } }",
        ),
        "",
    );
}

#[test]
fn row_20_nothing_at_all() {
    for text in ["", " \n\t", "\u{feff}", "// nothing"] {
        says(errors(text), "x.json: empty scenario");
    }
}

#[test]
fn row_24_too_large() {
    let text = " ".repeat((64 << 20) + 1);
    says(errors(&text), "x.json: the file is 67 MB, the limit is 64 MiB");
}

#[test]
fn row_26_seeds() {
    let seed = |seed: &str| errors(&scenario(r#""nodes": 5"#, &format!(r#""seed": {seed}"#)));
    says(seed("\"0xFF\""), "");
    says(seed("18446744073709551615"), "");
    for wrong in ["-1", "18446744073709551616", "1.5"] {
        says(seed(wrong), &format!("x.json:4:9: seed: not a seed (got {wrong:?}, allowed a whole number 0 … 2^64−1)"));
    }
    says(seed("\"random\""), "x.json:4:9: seed: not a seed (got \"random\", allowed a whole number 0 … 2^64−1)");
    let seeds = |seeds: &str| errors(&scenario(r#""nodes": 5"#, &format!(r#""sweep": {{ "seeds": {seeds} }}"#)));
    says(seeds("\"1..20\""), "");
    says(
        seeds("\"10..5\""),
        "x.json:4:21: sweep.seeds: the range is reversed (got \"10..5\") – did you mean \"5..10\"?",
    );
    says(seeds("\"1..1000000000000\""), "x.json:4:21: sweep.seeds: 1000000000000 runs (allowed at most 2^32)");
    says(seeds("0"), "x.json:4:21: sweep.seeds: at least one seed is needed (got 0)");
}

#[test]
fn row_27_versions() {
    says(errors(r#"{ "cluster": { "nodes": 5 } }"#), "x.json:1:1: field `version` is missing");
    says(
        errors(r#"{ "version": 3, "cluster": { "nodes": 5 } }"#),
        "x.json:1:14: version: scenario version 3, this build supports 1",
    );
}

#[test]
fn row_29_files_that_cannot_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a text").to_string();
    let missing = Disk::open(&path("none.json")).expect_err("it is not there");
    assert!(missing.ends_with("none.json: No such file or directory (os error 2)"), "{missing}");
    let directory = Disk::open(folder.path().to_str().expect("a text")).expect_err("it is a directory");
    assert!(directory.ends_with(": is a directory"), "{directory}");
    std::fs::write(path("latin.json"), b"{ \"about\": \"\xe9\" }").expect("it is written");
    assert!(
        Disk::open(&path("latin.json")).expect_err("it is not UTF-8").ends_with("latin.json: not UTF-8 at byte 12")
    );
    std::fs::write(path("good.json"), scenario(r#""nodes": 3"#, "")).expect("it is written");
    let disk = Disk::open(&path("good.json")).expect("it is there");
    assert_eq!(load(&disk, &[]).unwrap_or_else(|errors| panic!("{errors}")).name, "good");
}

#[test]
fn row_35_files_that_a_scenario_names() {
    let text = scenario(
        r#""nodes": 3"#,
        "\"duration\": \"1s\", \"clients\": [\n{ \"name\": \"u\", \"arrival\": { \"trace\": { \"file\": \"ops.csv\" } } }\n]",
    );
    let mut memory = Memory::new("x.json", &text);
    let read = |memory: &Memory| load(memory, &[]).map(|loaded| loaded.files).map_err(|errors| errors.to_string());
    assert_eq!(
        read(&memory).expect_err("no file"),
        "x.json:5:48: clients.u.arrival.trace.file: ops.csv: no such file\n"
    );
    memory.files.insert("ops.csv".into(), b"at,op,key,size\n1s,gett,a,\n".to_vec());
    assert_eq!(
        read(&memory).expect_err("a wrong word"),
        "x.json:5:48: clients.u.arrival.trace.file: ops.csv:2: op: unknown operation \"gett\"; did you mean `get`?\n"
    );
    memory.files.insert("ops.csv".into(), b"at,op,key,size\n1s,get,a,\n".to_vec());
    let files = read(&memory).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((files.traces["ops.csv"].len(), files.hashes.len()), (1, 1));
}

#[test]
fn row_42_properties_that_cannot_hold() {
    let expect = |cluster: &str, expect: &str| errors(&scenario(cluster, &format!("\"expect\": [\n{expect}\n]")));
    says(
        expect(r#""nodes": 5, "replication": { "r": 1, "w": 1 }"#, r#"{ "property": "linearizable" }"#),
        "x.json:5:15: expect.0.property: `linearizable` cannot hold: R + W is not more than N – take it out, or say `must`: \"break\"",
    );
    says(
        expect(r#""nodes": 5, "versioning": "last_write_wins""#, r#"{ "property": "no_lost_acknowledged_writes" }"#),
        "x.json:5:15: expect.0.property: `no_lost_acknowledged_writes` cannot hold: the last write wins, and the other is thrown away – take it out, or say `must`: \"break\"",
    );
    says(
        expect(
            r#""nodes": 5, "replication": { "r": 1, "w": 1 }"#,
            r#"{ "property": "linearizable", "must": "break" }"#,
        ),
        "",
    );
}

#[test]
fn expectations_speak_of_what_there_is() {
    let expect = |expect: &str| {
        let sweep =
            r#""sweep": { "axes": [{ "name": "w", "path": "cluster.replication.w", "values": [1, 2, 3, 4] }] }"#;
        errors(&scenario(r#""nodes": 5"#, &format!("\"expect\": [\n{expect}\n],\n{sweep}")))
    };
    says(expect(r#"{ "metric": "get.latency.p99", "at_most": "5ms" }"#), "");
    says(
        expect(r#"{ "metric": "get.latency.p99", "at_most": 5 }"#),
        "x.json:5:43: expect.0.at_most: not in the metric's unit (got 5, allowed a duration like \"5ms\")",
    );
    says(
        expect(r#"{ "metric": "get.latency.p98", "at_most": "5ms" }"#).replace("mean`", "p99`"),
        "x.json:5:13: expect.0.metric: unknown metric \"get.latency.p98\"; did you mean `get.latency.p90`?",
    );
    says(
        expect(r#"{ "metric": "stale.reads", "equals": 0, "where": { "w": 4 } }"#),
        "x.json:5:50: expect.0.where: is only about combinations that break a rule and are skipped (w=4)",
    );
    says(
        expect(r#"{ "metric": "stale.reads", "equals": 0, "where": { "v": 4 } }"#),
        "x.json:5:57: expect.0.where.v: unknown axis \"v\"; did you mean `w`?",
    );
    says(
        expect(r#"{ "metric": "stale.reads", "equals": 0, "where": { "w": 7 } }"#),
        "x.json:5:57: expect.0.where.w: axis \"w\" has no point \"7\"; did you mean `1`?",
    );
    says(
        expect(r#"{ "metric": "stale.reads", "equals": [0, 1], "along": "w" }"#),
        "x.json:5:38: expect.0.equals: 2 bounds for 4 points of axis \"w\"",
    );
    says(
        expect(r#"{ "metric": "stale.reads", "equals": 0, "window": "spilt" }"#),
        "x.json:5:51: expect.0.window: unknown window \"spilt\"; known: all, before, during, after, settle",
    );
    says(
        expect(r#"{ "metric": "stale.reads" }"#),
        "x.json:5:1: expect.0: an expectation about a metric needs a bound: one of at_least, at_most, above, below, equals, close_to",
    );
    says(
        expect(r#"{ "metric": "primary.share", "equals": 0.5 }"#),
        "x.json:5:13: expect.0.metric: `primary.share` needs `node`",
    );
}

#[test]
fn an_error_in_a_sweep_names_axis_and_point() {
    let sweep = |values: &str| {
        errors(&scenario(
            r#""nodes": 5"#,
            &format!(
                r#""sweep": {{ "axes": [{{ "name": "w", "path": "cluster.replication.w", "values": {values} }}] }}"#
            ),
        ))
    };
    says(
        sweep(r#"[1, "two"]"#),
        "x.json: axis \"w\", point \"two\": cluster.replication.w: not a count (got \"two\", allowed a whole number 0 … 4294967295)",
    );
    // If every combination is skipped, the reasons are errors.
    says(
        sweep("[4, 5]"),
        "x.json: axis \"w\", point 4: cluster.replication.w: 4 exceeds cluster.replication.n 3\n\
         x.json: axis \"w\", point 5: cluster.replication.w: 5 exceeds cluster.replication.n 3",
    );
}

#[test]
fn all_errors_are_told_at_once_and_at_most_twenty() {
    let steps: Vec<String> = (0..30).map(|number| format!("{{ \"at\": {number} }}")).collect();
    let lines = script(&steps.join(",\n"));
    assert_eq!(lines.lines().count(), 21);
    assert!(lines.ends_with("x.json: and 40 more\n"), "{lines}");
}

#[test]
fn numbers_that_would_fill_the_memory_are_refused() {
    says(
        errors(&scenario(r#""nodes": 4294967295"#, "")),
        "x.json:3:23: cluster.nodes: 4294967295 nodes (allowed at most 100000)",
    );
    says(
        errors(&scenario(r#""nodes": 5, "spares": 4294967295"#, "")),
        "x.json:3:36: cluster.spares: 5 nodes and 4294967295 spares (allowed at most 100000)",
    );
    says(
        errors(&scenario(r#""nodes": 5, "racks": 4294967295"#, "")),
        "x.json:3:35: cluster.racks: 4294967295 racks (allowed at most 100000)",
    );
    let values = (0..200).map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
    let axis = |name: &str| format!(r#"{{ "name": "{name}", "path": "seed", "values": [{values}] }}"#);
    let sweep = format!(r#""sweep": {{ "axes": [{}, {}] }}"#, axis("a"), axis("b"));
    says(
        errors(&scenario(r#""nodes": 5"#, &sweep)),
        "x.json:4:20: sweep.axes: 40000 combinations (allowed at most 10000)",
    );
}

#[test]
fn a_terminal_sees_the_line_that_is_wrong() {
    let text = scenario(r#""nodes": 5, "replicaton": {}"#, "");
    let errors = load(&Memory::new("x.json", &text), &[]).expect_err("the field is misspelt");
    assert_eq!(
        errors.render(),
        "error: cluster.replicaton: unknown field; did you mean `replication`?\n \
         --> x.json:3:26\n  |\n3 | \"cluster\": { \"nodes\": 5, \"replicaton\": {} }\n  |                          ^^^^^^^^^^^^\n"
    );
}
