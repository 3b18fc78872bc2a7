//! A deterministic discrete-event simulator of a Dynamo-style key-value cluster.
//!
//! Real protocol code runs in a made-up world. The protocol half ([`node`]) is handed the time, one input and a place to
//! put its outputs. The world half ([`kernel`], [`network`]) carries envelopes without opening them. Only [`cluster`]
//! knows both. Everything that measures or judges watches from outside and cannot touch the run. A run is a function of
//! scenario text, overrides and seed; it reads no file and no clock.
//!
//! # Layers
//!
//! ```text
//! cli                       arguments, exit status, tables: the only code that prints
//! report                    results on disk, figures and pages from them; the same bytes for the same seed
//! scenario                  JSON → checked configuration → list of runs; the only code that knows the spelling
//! check, measure            what must come out; what came out
//! cluster                   the event loop, clients, faults, scripts
//! workload, history         what clients want; what was seen
//! node | network            the protocol | delays, losses, cuts. They do not know each other
//! version, ring, store      clocks and siblings; placement; tables, hints, Merkle trees
//! kernel                    time, event queue, random draws, distributions, mathematics, digest
//! ```
//!
//! A module imports from its own line and from lines below, never from above; `tests/layers.rs` reads the `use` lines.
//! What follows are mostly absences: `node` has no queue, socket, clock or file; `network` never opens a message;
//! observers get `&Observation`; nothing below `scenario` reads files or arguments; nothing below `cli` prints. A wrong
//! scenario is an error with its place before the first event; a wrong state inside is a bug and an assertion, so the
//! core returns no `Result`.
//!
//! # The path of a run
//!
//! 1. [`scenario::load`] turns text into a checked spec, or into all of its errors, and expands the sweep into settings.
//! 2. [`scenario::build`] turns one setting and one seed into a [`cluster::config::RunConfig`], which is plain data.
//! 3. [`cluster::run`] plays it: pop the earliest event, write it into the digest, give the input to the node, client or
//!    fault it is for ([`node::Node::handle`]), put what comes out into the agenda. [`network::Network`] says when a
//!    message arrives, if it does.
//! 4. A [`measure::Recorder`] and a [`check::judge::Judge`] listen. The recorder becomes [`measure::Measured`], the judge
//!    [`check::judge::Violations`] and the numbers that only it can say ([`measure::judged`]);
//!    [`cluster::outcome::RunEnd`] is what the run itself leaves behind, the digest among it.
//! 5. [`check`] judges expectations over settings and seeds; [`report`] writes `results/`.
//!
//! ```
//! use dynamo_sim::scenario::{build::run_config, load, source::Memory};
//!
//! let text = r#"{ "version": 1, "duration": "1s", "cluster": { "nodes": 3 },
//!   "clients": [ { "name": "users", "arrival": { "open": { "rate": "100/s" } } } ] }"#;
//! let loaded = load(&Memory::new("tiny.json", text), &[]).expect("the scenario is right");
//! let built = run_config(&loaded.settings[0].spec, 7, &loaded.files).expect("it makes a run");
//! let one = dynamo_sim::cluster::run(&built.config, &mut []);
//! let other = dynamo_sim::cluster::run(&built.config, &mut []);
//! assert_eq!(one.digest, other.digest);
//! ```
//!
//! # Where to find what
//!
//! | Dynamo | where |
//! |---|---|
//! | §4.2, §6.2 partitioning, virtual nodes, three strategies | [`ring`]: `layout`, `place`, `walk`, `change` |
//! | §4.3 replication, preference list | `ring::walk`, `node::placement` |
//! | §4.4 versions: vector clocks, dotted version vectors, last write wins | [`version`]; reconciliation by clients in `version::value` |
//! | §4.5 get and put | `node::get`, `node::put`, `node::requests` |
//! | §4.6 sloppy quorum, hinted handoff | `node::quorum`, `node::handoff`, `store::hints` |
//! | §4.7 anti-entropy | `node::anti_entropy`, `store::merkle` |
//! | §4.8 membership, gossip, failure detection | `node::membership`, `view`, `gossip`, `detector`, `phi`, `heartbeat` |
//! | §4.9 joining and leaving | `node::transfer`, `donor`, `gainer`, `leftovers`, `ring::change` |
//! | §5 read repair | `node::get`, `version::repair` |
//! | §6.1 write buffer | `node::buffer` |
//! | §6.4 coordination by clients | `cluster::routing` |
//! | §6.5 background work | `node::admission`, `node::storage` |
//!
//! Faults are in `cluster::faults` and [`network`], random ones in `cluster::chaos`, scripts in `cluster::script`,
//! arrivals and keys in [`workload`], the vocabulary of metrics in `measure::metrics`.
//!
//! | command | where | for people |
//! |---|---|---|
//! | `run` | `cli::run`, [`report::play()`] | `docs/scenarios.md` |
//! | `sweep`, `merge` | `cli::sweep`, [`report::sweep`]: folded runs, journal, statistics, frontier | `docs/sweep.md` |
//! | `plot` | [`report::figures`] builds them from files, [`mod@report::plot`] draws them | `docs/figures.md` |
//! | `report` | [`report::page`] | `docs/report.md` |
//! | `predict` | [`measure::wars`], [`measure::scene`], [`report::predict`] | `docs/predict.md` |
//! | `check` | [`scenario::swarm`] draws, [`report::seeds`] counts; properties in [`check::properties`], what they assume in [`scenario::properties`] | `docs/check.md` |
//! | `trace`, `replay` | [`report::trace`] | `docs/trace.md` |
//! | `shrink` | [`report::shrink`], [`scenario::edit`] | `docs/shrink.md` |
//! | `history` | [`report::histories`], [`check::linear`] | `docs/histories.md` |
//! | all, with `--mutant` | [`kernel::mutant`] | `docs/mutants.md` |
//!
//! # What keeps a run deterministic
//!
//! | rule | enforced by |
//! |---|---|
//! | Time is whole nanoseconds, checked. Simultaneous events fire in the order in which they were scheduled. | [`kernel`]; its tests against a plain heap |
//! | Every draw has a name: a stream for a purpose and an entity, or a keyed draw for a message. | `kernel::rng`; metamorphic tests in `tests/determinism.rs` |
//! | No hash map whose order can leak, no clock, thread, environment, system randomness. | the ban list in `.clippy.toml` |
//! | No transcendental function of std; all come from `libm`. | the ban list; `kernel::math` |
//! | Nothing of the width of a pointer is drawn, hashed or written. | sized types in the interfaces |
//! | Observers cannot perturb, nor does their presence count as events. | `&Observation`; `tests/determinism.rs` |
//! | The same bytes in two processes, with any number of jobs, in debug and release builds. | `tests/determinism.rs`, golden digests |
//!
//! # Where the code departs from the obvious, and why
//!
//! - **Segments.** The ring is cut at the tokens of every node that may join during the run, not only of its members. So
//!   no range ever splits, a key is mapped to its segment once, and a preference list is one table lookup.
//! - **Views are sets of changes.** The paper reconciles membership histories and token maps. Here a view is the set of
//!   announced changes, tokens are a function of the seed and the node, and the ring is a function of the view. Equal
//!   views give equal rings, which are computed once for all nodes ([`node`]'s `commons`). A message still weighs what
//!   a real one would.
//! - **One change at a time.** A join or leave comes into force when every node that gains a range by it has it whole;
//!   of several pending changes the first is worked on. What moves depends on those before it, and no acknowledged
//!   write depends on luck.
//! - **Merkle sums.** The hash of an inner node is the sum of the mixed hashes below it, so a root costs one addition a
//!   write and does not depend on the shape of the tree. A sum can be forged; nobody forges in a simulation.
//! - **Clients that coordinate** are hidden nodes that hold no data, so the same state machine leads their requests.
//! - **Timeouts** lie in one queue per length, first in, first out, and are dropped when obsolete; everything else lies
//!   in a timing wheel. One counter numbers both, so their order is total.
//! - **The network is a graph only at the start.** Routes are worked out once, and a message's way is a table lookup.
//! - **A run is judged while it goes on**, key by key, in memory that does not grow with the number of operations. The
//!   judge knows which write had seen which by the contexts that clients sent, never by clocks, which are among what may
//!   be wrong; and it looks into the nodes, as no client could. Only whether a history is linearizable takes the
//!   operations themselves; a key is judged in parts, whenever nothing is under way, and only where an expectation asks.
//! - **The scenario reader is our own**, not a derived one, because errors need line, column, path and the nearest name,
//!   all at once; the JSON Schema comes from the same declarations.

pub mod check;
pub mod cli;
pub mod cluster;
pub mod history;
pub mod kernel;
pub mod measure;
pub mod network;
pub mod node;
pub mod report;
pub mod ring;
pub mod scenario;
pub mod store;
pub mod version;
pub mod workload;
