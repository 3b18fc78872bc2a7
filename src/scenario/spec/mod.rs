//! The typed model of a scenario: the format field by field, as plain structs and enums.
//!
//! It mirrors what a file says and nothing else: names are names, files are not read, and rules
//! between fields are elsewhere (`rules`). Each declaration is also the documentation of its fields.

pub mod chaos;
pub mod clients;
pub mod cluster;
pub mod distribution;
pub mod expect;
pub mod faults;
pub mod mechanisms;
pub mod network;
pub mod outcome;
pub mod script;

pub use chaos::*;
pub use clients::*;
pub use cluster::*;
pub use distribution::*;
pub use expect::*;
pub use faults::*;
pub use mechanisms::*;
pub use network::*;
pub use outcome::*;
pub use script::*;

pub use super::containers::{Map, Mechanism, OneOrMany, OrForever, OrNever, OrUnlimited};
use super::decode::{Decode, Definitions, object, words};
use super::errors::Errors;
use super::json::{Node, Value};
pub use super::names::{Name, Select, Selector};
pub use super::numbers::{Fraction, Seed, Seeds};
pub use super::scalars::{Position, Rate, SignedSpan, Size, Throughput};
use crate::kernel::time::Span;

object! {
    /// A scenario: everything about an experiment.
    pub struct Spec {
        /// The JSON Schema, for editors; ignored.
        schema "$schema": Option<String>,
        /// Of this format.
        version: Version,
        /// Names the results; default: the file's stem.
        name: Option<Name>,
        /// One line; `list` shows it.
        about: String = "",
        /// Rows of the claims ledger that this file decides.
        claims: Map<Claim> = {},
        /// The seed of all chance.
        seed: Seed = 1,
        /// The default window starts here.
        warmup: Span = "0s",
        /// Clients start at 0 and stop here; chaos heals everything it did. Required with `clients` or `chaos`.
        duration: Option<Span>,
        /// The cluster runs on without new operations; convergence is judged at its end.
        settle: Span = "0s",
        /// The nodes and how they work together.
        cluster: Cluster,
        /// Delays and losses between them.
        network: Network = {},
        /// Keys with a chosen place or a first value.
        keys: Map<KeySpec> = {},
        /// Groups of like sessions that work by chance.
        clients: Vec<ClientGroup> = [],
        /// What happens at a set time.
        script: Vec<Step> = [],
        /// Faults drawn from the seed; default: none.
        chaos: Option<Chaos>,
        /// Named stretches of time, to measure in.
        windows: Map<Window> = {},
        /// How results are measured.
        measure: Measure = {},
        /// What must come out.
        expect: Vec<Expectation> = [],
        /// Fields that take several values, and seeds; default: one run.
        sweep: Sweep = {},
    }
}

/// The version of the format: always 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version;

impl Decode for Version {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match &node.value {
            Value::Number(text) if text == "1" => Some(Version),
            _ => {
                cx.error(&node.origin, format!("scenario version {}, this build supports 1", node.brief()));
                None
            }
        }
    }
    fn schema(_: &mut Definitions) -> serde_json::Value {
        serde_json::json!({ "const": 1 })
    }
}

words! {
    /// What a claim of the ledger is expected to do.
    pub enum Claim {
        /// It holds.
        Holds = "holds",
        /// It holds under a condition.
        HoldsIf = "holds_if",
        /// It does not hold.
        Fails = "fails",
    }
}

object! {
    /// A named stretch of time.
    pub struct Window {
        /// Its beginning.
        from: Span,
        /// Its end.
        to: Span,
    }
}
