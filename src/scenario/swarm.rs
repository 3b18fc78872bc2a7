//! What `check` makes of a scenario: faults where it has none, and for each seed a setting of its own.
//!
//! Runs that differ only in their luck find what that one setting can show. So each seed also draws how often and for
//! how long its faults come, and in the built-in profile which of the cluster's mechanisms work how (Groce, Zhang, Eide,
//! Chen, Regehr, "Swarm Testing", 2012). What is drawn is a function of the scenario and the seed. Each field has a
//! stream of its own: one field more leaves the draws of the others as they were. What a file says is never overruled.

use serde_json::{Value as Json, json};

use super::errors::Errors;
use super::json::{Node, Value};
use super::source::{Memory, Source};
use super::spec::{Action, Spec};
use super::{Draft, Loaded, paths};
use crate::kernel::math::pow;
use crate::kernel::rng::{Purpose, Stream};
use crate::kernel::time::Span;

/// How the built-in profile is named where a file is asked for.
pub const BUILT_IN: &str = "@check";

/// How long a file's cluster has to come right unless it says so itself: with the defaults of hints and anti-entropy,
/// ten rounds of the slower of them.
const SETTLE: &str = "10min";

/// The built-in profile.
pub fn built_in() -> Memory {
    Memory::new(BUILT_IN, include_str!("../../scenarios/check.json"))
}

/// How much of its own `check` adds to a scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Additions {
    /// The expectation that all properties hold, if the file expects none.
    Expectation,
    /// That, random faults where there are none, and what each seed draws.
    Chaos,
}

/// A scenario as `check` plays it, read once for all seeds.
#[derive(Clone)]
pub struct Swarm<'a> {
    draft: Draft<'a>,
    additions: Additions,
    is_built_in: bool,
    /// Paths that the command line has set.
    set: Vec<String>,
    /// The time in which faults may begin.
    chaos_for: Span,
    chaos_added: bool,
    own_seed: u64,
}

impl<'a> Swarm<'a> {
    /// Reads a scenario, changed by `overrides` (path and value, as of `--set`).
    ///
    /// # Errors
    /// Everything that is wrong with it before anything is drawn.
    pub fn read(
        source: &'a dyn Source,
        overrides: &[(String, String)],
        additions: Additions,
    ) -> Result<Swarm<'a>, Errors> {
        let mut draft = Draft::read(source, overrides)?;
        let base = draft.understand()?.base;
        if base.expect.iter().all(|expectation| expectation.property.is_none()) {
            draft.append("expect", &json!({ "property": "all" }));
        }
        let chaos_added = additions == Additions::Chaos && wants_chaos(&base);
        if chaos_added {
            draft.set("chaos", &json!({}), "added")?;
            if base.settle == Span::ZERO {
                draft.set("settle", &json!(SETTLE), "added")?;
            }
        }
        let chaos = base.chaos.as_ref();
        let from = chaos.and_then(|chaos| chaos.from).unwrap_or(base.warmup);
        let to = chaos.and_then(|chaos| chaos.to).or(base.duration).unwrap_or(from);
        Ok(Swarm {
            draft,
            additions,
            is_built_in: source.name() == BUILT_IN,
            set: overrides.iter().map(|(path, _)| path.clone()).collect(),
            chaos_for: Span(to.0.saturating_sub(from.0)),
            chaos_added,
            own_seed: base.seed.0,
        })
    }

    /// The seed that the scenario names.
    pub fn own_seed(&self) -> u64 {
        self.own_seed
    }

    /// Whether the file had no faults, and got random ones.
    pub fn has_added_chaos(&self) -> bool {
        self.chaos_added
    }

    /// What this seed draws: path and value, as `--set` would set them.
    pub fn drawn(&self, seed: u64) -> Vec<(String, Json)> {
        let mut draws = Draws { seed, drawn: Vec::new() };
        if self.additions == Additions::Chaos {
            if self.is_built_in {
                draw_cluster(&mut draws);
                draw_clients(&mut draws);
                draw_classes(&mut draws);
                draws.drawn.retain(|(path, _)| !self.is_set(path));
            }
            self.draw_chaos(&mut draws);
        }
        draws.drawn
    }

    /// The scenario with what this seed draws.
    ///
    /// # Errors
    /// What in it breaks a rule.
    pub fn loaded(&self, seed: u64) -> Result<Loaded, Errors> {
        self.draft(seed)?.understand()
    }

    /// The same, before it is understood.
    ///
    /// # Errors
    /// A path that leads nowhere.
    pub fn draft(&self, seed: u64) -> Result<Draft<'a>, Errors> {
        let mut draft = self.draft.clone();
        for (path, value) in self.drawn(seed) {
            draft.set(&path, &value, &format!("seed {seed}"))?;
        }
        Ok(draft)
    }

    /// Whether the command line has set this path, one above it or one below it.
    fn is_set(&self, path: &str) -> bool {
        let above = |one: &str, other: &str| other.strip_prefix(one).is_some_and(|rest| rest.starts_with('.'));
        self.set.iter().any(|set| set == path || above(set, path) || above(path, set))
    }

    /// How often faults come, for how long, and how bad they are: around the defaults, for what the file leaves open.
    fn draw_chaos(&self, draws: &mut Draws) {
        let Some(chaos) = self.draft.tree().get("chaos") else { return };
        if !matches!(chaos.value, Value::Map(_)) {
            return;
        }
        // A run that is short by the default rates has its faults sooner and shorter.
        let every = (self.chaos_for.as_ms() / 3.0).min(10_000.0);
        let lasts = (self.chaos_for.as_ms() / 10.0).min(3_000.0);
        let mut fields: Vec<(String, Json)> = Vec::new();
        for class in ["crash", "pause", "slow", "cut", "link", "skew", "wipe", "join", "leave"] {
            let drawn = draws.drawn.iter().find(|(path, _)| *path == format!("chaos.{class}"));
            let is_on = match (drawn, chaos.get(class)) {
                (Some((_, value)), _) => *value != json!("off"),
                (None, Some(node)) if node.value != Value::Null => node.as_text() != Some("off"),
                (None, _) => matches!(class, "crash" | "pause" | "slow" | "cut" | "link"),
            };
            if !is_on {
                continue;
            }
            let mut field = |name: &str, value: Json| fields.push((format!("chaos.{class}.{name}"), value));
            field("every", draws.around(class, "every", every));
            if matches!(class, "crash" | "pause" | "slow" | "cut" | "link" | "skew") {
                field("for", draws.around(class, "for", lasts));
            }
            match class {
                "slow" => {
                    field("storage", json!(draws.between("slow.storage", 2, 30)));
                    field("network", json!(draws.between("slow.network", 2, 30)));
                }
                "link" => {
                    field("loss", json!(draws.between("link.loss", 1, 30) as f64 / 100.0));
                    field("duplicate", json!(draws.between("link.duplicate", 0, 10) as f64 / 100.0));
                }
                "cut" => {
                    let mut weights: Vec<(&str, u64)> = ["halves", "isolate", "one_way", "bridge", "majorities_ring"]
                        .into_iter()
                        .map(|shape| (shape, [0, 1, 3][draws.stream(&format!("cut.{shape}")).below(3) as usize]))
                        .collect();
                    if weights.iter().all(|(_, weight)| *weight == 0) {
                        weights[0].1 = 1;
                    }
                    let weights: serde_json::Map<String, Json> =
                        weights.into_iter().map(|(shape, weight)| (shape.to_string(), json!(weight))).collect();
                    field("shapes", Json::Object(weights));
                }
                _ => {}
            }
        }
        fields.push(("chaos.down_at_once".into(), json!(draws.between("down_at_once", 1, 2))));
        fields.retain(|(path, _)| draws.drawn.iter().all(|(drawn, _)| drawn != path));
        fields.retain(|(path, _)| !self.is_set(path) && paths::get(self.draft.tree(), path).is_none_or(is_nothing));
        draws.drawn.extend(fields);
    }
}

fn is_nothing(node: &Node) -> bool {
    node.value == Value::Null
}

/// The scenario with what `check` adds to it and draws for this seed: what `check` plays.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_drawn(source: &dyn Source, overrides: &[(String, String)], seed: u64) -> Result<Loaded, Errors> {
    Swarm::read(source, overrides, Additions::Chaos)?.loaded(seed)
}

/// Whether a file has somebody to suffer and nothing that goes wrong.
fn wants_chaos(base: &Spec) -> bool {
    let goes_wrong = base.script.iter().any(|step| {
        matches!(
            step.action(),
            Action::Crash(_)
                | Action::Wipe(_)
                | Action::Pause(_)
                | Action::Slow(_)
                | Action::DiskError(_)
                | Action::Skew(_)
                | Action::Cut(_)
                | Action::Link(_)
        )
    });
    !base.clients.is_empty() && base.chaos.is_none() && !goes_wrong
}

/// The draws of one seed.
struct Draws {
    seed: u64,
    drawn: Vec<(String, Json)>,
}

impl Draws {
    /// The stream of a field.
    fn stream(&self, field: &str) -> Stream {
        Stream::new(self.seed, Purpose::Swarm, xxhash_rust::xxh3::xxh3_64(field.as_bytes()))
    }

    /// Whether a class of faults was not drawn as off.
    fn is_on(&self, class: &str) -> bool {
        self.drawn.iter().any(|(path, value)| path == class && *value != json!("off"))
    }

    /// A whole number from `least` to `most`.
    fn between(&self, field: &str, least: u64, most: u64) -> u64 {
        least + self.stream(field).below(most - least + 1)
    }

    /// An exponential distribution whose mean is 0.3 to 3 times this, in milliseconds.
    fn around(&self, class: &str, field: &str, mean_ms: f64) -> Json {
        let factor = 0.3 * pow(10.0, self.stream(&format!("{class}.{field}")).unit());
        json!({ "exponential": { "mean": format!("{}ms", (mean_ms * factor) as u64 + 1) } })
    }

    /// One of these values, by weight.
    fn choose(&self, field: &str, choices: &[(u64, Json)]) -> Json {
        let mut left = self.stream(field).below(choices.iter().map(|(weight, _)| weight).sum());
        for (weight, value) in choices {
            if left < *weight {
                return value.clone();
            }
            left -= weight;
        }
        unreachable!("a draw is below the sum of the weights")
    }

    /// Sets a path to one of these values, by weight.
    fn pick(&mut self, path: &str, choices: &[(u64, Json)]) {
        self.drawn.push((path.to_string(), self.choose(path, choices)));
    }
}

fn draw_cluster(draws: &mut Draws) {
    draws.pick("cluster.nodes", &[(1, json!(5)), (1, json!(6)), (1, json!(7))]);
    draws.pick(
        "cluster.ring",
        &[
            (4, json!({ "equal_partitions": { "per_node": 8 } })),
            (2, json!({ "random_tokens": { "per_node": 8 } })),
            (1, json!({ "random_tokens_over_partitions": { "per_node": 4, "partitions": 64 } })),
        ],
    );
    draws.pick("cluster.replication.quorum", &[(1, json!("sloppy")), (1, json!("strict"))]);
    let quorums = [(6, (2, 2)), (1, (1, 3)), (1, (3, 1)), (2, (2, 3))];
    let quorums = quorums.map(|(weight, (r, w))| (weight, json!([r, w])));
    let quorum = draws.choose("quorum", &quorums);
    draws.drawn.push(("cluster.replication.r".into(), quorum[0].clone()));
    draws.drawn.push(("cluster.replication.w".into(), quorum[1].clone()));
    draws.pick(
        "cluster.versioning",
        &[
            (12, json!("dotted")),
            (3, json!({ "vector_clock": { "max_entries": "unlimited" } })),
            (2, json!({ "vector_clock": { "max_entries": 2 } })),
            (1, json!({ "vector_clock": { "next": "merged", "max_entries": "unlimited" } })),
            (4, json!({ "last_write_wins": { "clock": "node" } })),
            (1, json!({ "last_write_wins": { "clock": "client" } })),
            (1, json!({ "last_write_wins": { "clock": "lamport" } })),
        ],
    );
    draws.pick(
        "cluster.coordination",
        &[
            (8, json!({})),
            (3, json!({ "write_coordinator": "first" })),
            (3, json!({ "write_coordinator": "contacted" })),
            (4, json!({ "write_coordinator": "fastest_reader" })),
            (1, json!({ "conflicts": "refused" })),
        ],
    );
    draws.pick(
        "cluster.hints",
        &[
            (6, json!({ "scan_every": "2s" })),
            (6, json!({ "scan_every": "5s", "deliver": "recovery" })),
            (2, json!({ "scan_every": "2s", "ttl": "2s" })),
            (1, json!({ "scan_every": "5s", "max_per_node": 3 })),
            (3, json!({ "scan_every": "3s", "recovered_node": "waits" })),
            (1, json!("off")),
        ],
    );
    draws.pick(
        "cluster.read_repair",
        &[(6, json!({})), (4, json!({ "mode": "blocking" })), (1, json!({ "chance": 0.3 })), (1, json!("off"))],
    );
    draws.pick(
        "cluster.anti_entropy",
        &[
            (5, json!({ "every": "3s", "depth": 4 })),
            (5, json!({ "every": "6s", "depth": 2 })),
            (4, json!({ "every": "5s", "depth": 4, "pairs": "in_turn" })),
            (1, json!("off")),
        ],
    );
    draws.pick(
        "cluster.detector",
        &[
            (6, json!({ "local": { "failures": 1 } })),
            (2, json!({ "local": { "failures": 3 } })),
            (3, json!({ "gossiped": { "failures": 1 } })),
            (3, json!({ "phi": { "threshold": 4 } })),
            (4, json!("perfect")),
        ],
    );
    draws.pick("cluster.membership", &[(4, json!({})), (1, json!({ "mode": "push" })), (1, json!({ "mode": "pull" }))]);
    draws.pick(
        "cluster.deletes",
        &[
            (7, json!({ "tombstone": { "keep": "forever" } })),
            (2, json!({ "tombstone": { "keep": "10s" } })),
            (1, json!("remove")),
        ],
    );
    draws.pick(
        "cluster.storage",
        &[
            (10, json!({})),
            (3, json!({ "read": { "exponential": { "mean": "1ms" } }, "write": { "exponential": { "mean": "2ms" } } })),
            (3, json!({ "flush": "500ms" })),
            (1, json!({ "write": "2ms", "buffer": { "count": 10 } })),
        ],
    );
    draws.pick("cluster.transfer", &[(2, json!({})), (1, json!({ "confirm": false }))]);
}

fn draw_clients(draws: &mut Draws) {
    draws.pick(
        "clients.users.data",
        &[
            (4, json!({ "set": { "merge": "union" } })),
            (2, json!({ "set": { "merge": "or_set" } })),
            (3, json!({ "blob": { "merge": "newest" } })),
            (1, json!({ "counter": { "merge": "sum" } })),
        ],
    );
    draws.pick("clients.users.context", &[(6, json!("last_seen")), (2, json!("last_read")), (2, json!("none"))]);
    draws.pick(
        "clients.users.routing",
        &[
            (5, json!("load_balancer")),
            (2, json!({ "load_balancer": { "pick": "sticky" } })),
            (1, json!({ "load_balancer": { "among": "n1" } })),
            (2, json!({ "ring_aware": { "poll": "5s" } })),
            (2, json!({ "client_driven": { "poll": "5s" } })),
        ],
    );
    // One writer alone is what linearizable reads need.
    draws.pick("clients.users.count", &[(6, json!(5)), (2, json!(3)), (2, json!(1))]);
    draws.pick("clients.users.retries", &[(2, json!(0)), (1, json!(2))]);
}

/// Which classes of faults there are, and what crashes do to disks. Their presence is drawn here and not left to the
/// run, so that a property is asserted wherever what it cannot bear is absent.
fn draw_classes(draws: &mut Draws) {
    draws.drawn.push(("chaos.present".into(), json!(1)));
    for class in ["crash", "pause", "slow", "cut", "link"] {
        draws.pick(&format!("chaos.{class}"), &[(1, json!({})), (1, json!("off"))]);
    }
    if draws.is_on("chaos.cut") {
        draws.pick("chaos.cut.among", &[(3, json!("all")), (1, json!(["all", "clients"]))]);
    }
    draws.pick("chaos.skew", &[(1, json!({})), (3, json!("off"))]);
    // Lost data and changing members excuse much: most runs have neither.
    let loses_data = draws.stream("loses_data").chance(0.25);
    if loses_data {
        draws.pick("chaos.wipe", &[(1, json!({})), (1, json!("off"))]);
    }
    let moves = draws.stream("moves").chance(0.25);
    if moves {
        draws.drawn.push(("cluster.spares".into(), json!(2)));
        draws.drawn.push(("chaos.join".into(), json!({})));
        draws.drawn.push(("chaos.leave".into(), json!({})));
    }
    if draws.is_on("chaos.crash") {
        if loses_data {
            let disk = [(2, json!({ "kept": 2, "tail_lost": 2, "lost": 1 })), (1, json!({ "kept": 1, "lost": 1 }))];
            draws.pick("chaos.crash.disk", &disk);
        } else {
            draws.pick("chaos.crash.disk", &[(2, json!({ "kept": 1 })), (1, json!({ "kept": 1, "tail_lost": 1 }))]);
        }
        // A process that is back at once finds the answers to its predecessor's questions under way.
        if draws.stream("crash.brief").chance(0.2) {
            draws.drawn.push(("chaos.crash.for".into(), json!({ "exponential": { "mean": "5ms" } })));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::containers::Mechanism;
    use super::*;

    const FILE: &str = r#"{ "version": 1, "duration": "10s", "cluster": { "nodes": 5 },
      "clients": [ { "name": "users", "arrival": "closed" } ] CHAOS }"#;

    fn swarm_of(source: &Memory) -> Swarm<'_> {
        Swarm::read(source, &[], Additions::Chaos).unwrap_or_else(|errors| panic!("{errors}"))
    }

    #[test]
    fn a_file_without_faults_gets_random_ones_and_time_to_come_right() {
        let source = Memory::new("x.json", &FILE.replace("CHAOS", ""));
        let swarm = swarm_of(&source);
        assert!(swarm.has_added_chaos());
        let loaded = swarm.loaded(3).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(loaded.base.chaos.is_some() && loaded.base.settle == Span::from_secs(600));
        assert_eq!(loaded.base.expect.len(), 1);
        let as_is = Swarm::read(&source, &[], Additions::Expectation).unwrap_or_else(|errors| panic!("{errors}"));
        let loaded = as_is.loaded(3).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(loaded.base.chaos.is_none() && loaded.base.settle == Span::ZERO && loaded.base.expect.len() == 1);
    }

    #[test]
    fn what_a_file_says_stands_and_what_it_leaves_open_is_drawn() {
        let chaos = r#", "settle": "9s", "chaos": { "crash": { "every": "5s" }, "cut": "off", "wipe": "on" }"#;
        let source = Memory::new("x.json", &FILE.replace("CHAOS", chaos));
        let swarm = swarm_of(&source);
        assert!(!swarm.has_added_chaos());
        let (one, other) = (swarm.drawn(1), swarm.drawn(2));
        assert_eq!(one, swarm.drawn(1), "a seed draws one thing");
        assert_ne!(one, other);
        let paths: Vec<&str> = one.iter().map(|(path, _)| path.as_str()).collect();
        assert!(paths.contains(&"chaos.crash.for") && paths.contains(&"chaos.wipe.every"), "{paths:?}");
        assert!(!paths.contains(&"chaos.crash.every"), "the file says that");
        assert!(paths.iter().all(|path| !path.starts_with("chaos.cut") && path.starts_with("chaos.")), "{paths:?}");
        let loaded = swarm.loaded(1).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(loaded.base.settle, Span::from_secs(9));
        assert!(matches!(loaded.base.chaos.expect("it has chaos").crash, Mechanism::On(_)));
    }

    #[test]
    fn the_built_in_profile_is_a_scenario_with_each_seed_and_yields_to_the_command_line() {
        let source = built_in();
        let swarm = swarm_of(&source);
        for seed in 1..=50 {
            let loaded = swarm.loaded(seed).unwrap_or_else(|errors| panic!("seed {seed}: {errors}"));
            let built = super::super::build::run_config(&loaded.settings[0].spec, seed, &loaded.files);
            built.unwrap_or_else(|wrong| panic!("seed {seed}: {wrong:?}"));
        }
        let set = [("cluster.replication.quorum", "strict"), ("chaos.crash", "off"), ("cluster.nodes", "9")];
        let set = set.map(|(path, value)| (path.to_string(), value.to_string()));
        let swarm = Swarm::read(&source, &set, Additions::Chaos).unwrap_or_else(|errors| panic!("{errors}"));
        let drawn = swarm.drawn(1);
        let is_theirs = |path: &str| set.iter().any(|(set, _)| path.starts_with(set.as_str()) || set.starts_with(path));
        assert!(drawn.iter().all(|(path, _)| !is_theirs(path)), "{drawn:?}");
        let base = swarm.loaded(1).unwrap_or_else(|errors| panic!("{errors}")).base;
        assert_eq!(super::super::world::World::of(&base).holders(), 9);
    }
}
