//! Durations and sizes by chance (the format's section 4, second half).

use std::fmt::Debug;

use super::super::containers::Map;
use super::super::decode::{Decode, Definitions, choice, object, words, wrong};
use super::super::errors::Errors;
use super::super::json::{Node, Value};
use super::super::numbers::Fraction;
use super::super::scalars::{Rate, Size, parse_duration, parse_size};
use crate::kernel::time::Span;

/// What a distribution is of: durations or sizes.
pub trait Quantity: Decode + Clone + Copy + Debug + PartialEq + PartialOrd {
    /// What the schema calls a distribution of it.
    const TITLE: &'static str;
    /// In nanoseconds or bytes.
    fn amount(self) -> u64;
    /// The quantity that a text spells, or why it spells none.
    fn parse(text: &str) -> Result<Self, String>;
}

impl Quantity for Span {
    const TITLE: &'static str = "OfDuration";
    fn amount(self) -> u64 {
        self.0
    }
    fn parse(text: &str) -> Result<Self, String> {
        parse_duration(text)
    }
}

impl Quantity for Size {
    const TITLE: &'static str = "OfSize";
    fn amount(self) -> u64 {
        self.0
    }
    fn parse(text: &str) -> Result<Self, String> {
        parse_size(text)
    }
}

choice! {
    /// A duration or a size by chance.
    pub enum DistSpec<T: Quantity> {
        plain "Always the same." => Constant(T),
        /// Between two bounds.
        uniform => Uniform(Uniform<T>),
        /// Memoryless.
        exponential => Exponential(Exponential<T>),
        /// The normal distribution, cut at 0.
        normal => Normal(Normal<T>),
        /// Its logarithm is normal.
        lognormal => Lognormal(Lognormal<T>),
        /// A power law.
        pareto => Pareto(ScaleShape<T>),
        /// Weibull.
        weibull => Weibull(ScaleShape<T>),
        /// Gamma.
        gamma => Gamma(Gamma<T>),
        /// One of several, by weight.
        mixture => Mixture(Vec<Part<T>>),
        /// By quantiles, linear between them.
        quantiles => Quantiles(Quantiles<T>),
        /// Values that were measured.
        samples => Samples(FileRef),
        /// Another, and so much more.
        shifted => Shifted(Shifted<T>),
        /// Another, so many times.
        scaled => Scaled(Scaled<T>),
        /// The fits of the paper on probabilistically bounded staleness; only for delays, knows its legs.
        published => Published(Published),
        /// A distribution for each leg; only for delays.
        by_leg => ByLeg(Map<DistSpec<Span>>),
    }
}

object! {
    /// Between two bounds.
    pub struct Uniform<T: Quantity> {
        /// The least.
        min: T,
        /// The most.
        max: T,
    }
    check check_uniform;
}

fn check_uniform<T: Quantity>(value: &Uniform<T>, node: &Node, cx: &mut Errors) {
    if value.min > value.max {
        cx.error(&node.origin, "`min` is more than `max`");
    } else if value.max.amount() == 0 {
        cx.error(&node.origin, "`max` must be more than 0");
    }
}

object! {
    /// Memoryless.
    pub struct Exponential<T: Quantity> {
        /// Its mean.
        mean: Option<T>,
        /// One over its mean; for durations.
        rate: Option<Rate>,
    }
    exactly_one ["mean", "rate"];
    check check_exponential;
}

fn check_exponential<T: Quantity>(value: &Exponential<T>, node: &Node, cx: &mut Errors) {
    if value.rate.is_some() && T::TITLE == Size::TITLE {
        cx.error(&node.origin, "a size has no rate – give its `mean`");
    }
    if value.rate.is_some_and(|rate| rate.events <= 0.0) {
        cx.error(&node.origin, "`rate` must be more than 0");
    }
}

object! {
    /// The normal distribution, cut at 0.
    pub struct Normal<T: Quantity> {
        /// Its mean, before the cut.
        mean: T,
        /// Its standard deviation, before the cut.
        sd: T,
    }
}

object! {
    /// Its logarithm is normal.
    pub struct Lognormal<T: Quantity> {
        /// Its median.
        median: T,
        /// The standard deviation of its logarithm.
        sigma: Option<f64>,
        /// Its 99th percentile.
        p99: Option<T>,
    }
    exactly_one ["sigma", "p99"];
    check check_lognormal;
}

fn check_lognormal<T: Quantity>(value: &Lognormal<T>, node: &Node, cx: &mut Errors) {
    if value.median.amount() == 0 {
        cx.error(&node.origin, "`median` must be more than 0");
    }
    if value.p99.is_some_and(|p99| p99 < value.median) {
        cx.error(&node.origin, "`p99` is less than `median`");
    }
}

object! {
    /// By scale and shape.
    pub struct ScaleShape<T: Quantity> {
        /// Pareto: the least value; Weibull: its scale.
        scale: T,
        /// How heavy the tail is.
        shape: f64,
    }
    check check_shape;
}

fn check_shape<T: Quantity>(value: &ScaleShape<T>, node: &Node, cx: &mut Errors) {
    positive_shape(value.shape, node, cx);
    if value.scale.amount() == 0 {
        cx.error(&node.origin, "`scale` must be more than 0");
    }
}

fn positive_shape(shape: f64, node: &Node, cx: &mut Errors) {
    if shape <= 0.0 {
        let origin = node.get("shape").map_or(&node.origin, |shape| &shape.origin);
        cx.within("shape", |cx| cx.error(origin, "must be more than 0 (got 0)"));
    }
}

object! {
    /// Gamma.
    pub struct Gamma<T: Quantity> {
        /// Its shape.
        shape: f64,
        /// Its mean.
        mean: T,
    }
    check check_gamma;
}

fn check_gamma<T: Quantity>(value: &Gamma<T>, node: &Node, cx: &mut Errors) {
    positive_shape(value.shape, node, cx);
}

object! {
    /// One of several.
    pub struct Part<T: Quantity> {
        /// How often, against the others.
        weight: f64,
        /// Which.
        of: Box<DistSpec<T>>,
    }
}

object! {
    /// By quantiles, linear between them.
    pub struct Quantiles<T: Quantity> {
        /// `[fraction, value]` from 0 to 1.
        points: Option<Vec<QuantilePoint<T>>>,
        /// A CSV file of the same, relative to the scenario.
        file: Option<String>,
    }
    exactly_one ["points", "file"];
    check check_quantiles;
}

fn check_quantiles<T: Quantity>(value: &Quantiles<T>, node: &Node, cx: &mut Errors) {
    if let Some(points) = &value.points
        && let Err(message) = check_points(points)
    {
        cx.error(&node.origin, message);
    }
}

/// Whether points are a quantile function: from 0 to 1, and never falling.
pub fn check_points<T: Quantity>(points: &[QuantilePoint<T>]) -> Result<(), String> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Err("no points".into());
    };
    if first.at.0 != 0.0 || last.at.0 != 1.0 || points.len() < 2 {
        return Err(format!("the points must go from 0 to 1 (got {} to {})", first.at.0, last.at.0));
    }
    match points.windows(2).position(|pair| pair[0].at >= pair[1].at || pair[0].value > pair[1].value) {
        Some(at) => Err(format!("the points must rise (point {} does not)", at + 1)),
        None => Ok(()),
    }
}

/// A point of a quantile function: `[0.99, "20ms"]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantilePoint<T> {
    /// Which quantile.
    pub at: Fraction,
    /// Its value.
    pub value: T,
}

impl<T: Quantity> Decode for QuantilePoint<T> {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match &node.value {
            Value::List(pair) if pair.len() == 2 => {
                let at = cx.within("0", |cx| Fraction::decode(&pair[0], cx));
                let value = cx.within("1", |cx| T::decode(&pair[1], cx));
                at.zip(value).map(|(at, value)| QuantilePoint { at, value })
            }
            _ => {
                wrong(node, cx, "not a point", "[fraction, value]");
                None
            }
        }
    }
    fn schema(defs: &mut Definitions) -> serde_json::Value {
        let items = serde_json::json!([Fraction::schema(defs), T::schema(defs)]);
        serde_json::json!({ "type": "array", "prefixItems": items, "minItems": 2, "maxItems": 2 })
    }
}

object! {
    /// A file, named relative to the scenario.
    pub struct FileRef {
        /// Its name.
        file: String,
    }
}

object! {
    /// Another, and so much more.
    pub struct Shifted<T: Quantity> {
        /// How much more.
        by: T,
        /// Than which.
        of: Box<DistSpec<T>>,
    }
}

object! {
    /// Another, so many times.
    pub struct Scaled<T: Quantity> {
        /// How many times.
        by: f64,
        /// Which.
        of: Box<DistSpec<T>>,
    }
}

object! {
    /// A published fit.
    pub struct Published {
        /// Which.
        fit: Fit,
    }
}

words! {
    /// The environments of the paper on probabilistically bounded staleness.
    pub enum Fit {
        /// LinkedIn, SSDs.
        LnkdSsd = "lnkd_ssd",
        /// LinkedIn, spinning disks.
        LnkdDisk = "lnkd_disk",
        /// Yammer's Riak, the fit that agrees with its table.
        Ymmr = "ymmr",
        /// Yammer's Riak, the numbers as printed.
        YmmrAsPrinted = "ymmr_as_printed",
    }
}

words! {
    /// What a message is, for delays that differ by it.
    pub enum Leg {
        /// From the client to the node it contacts.
        ClientRequest = "client_request",
        /// Back to the client.
        ClientResponse = "client_response",
        /// From the contacted node to the coordinator, and back.
        Forward = "forward",
        /// From the coordinator to a replica.
        WriteRequest = "write_request",
        /// Its ack.
        WriteAck = "write_ack",
        /// From the coordinator to a replica.
        ReadRequest = "read_request",
        /// Its answer.
        ReadResponse = "read_response",
        /// A write to a stale replica.
        ReadRepair = "read_repair",
        /// A hint for its owner.
        Hint = "hint",
        /// Trees and keys compared.
        AntiEntropy = "anti_entropy",
        /// A range that changes hands.
        Transfer = "transfer",
        /// News of the members.
        Gossip = "gossip",
        /// Whether a node is there.
        Probe = "probe",
    }
}
