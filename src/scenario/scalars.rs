//! The small values of a scenario and their grammars: durations, rates, sizes, fractions, names …
//!
//! Durations, sizes and positions are exact: decimal arithmetic on whole numbers, never `f64`.

use serde_json::{Value as Json, json};

use super::decimal::{Decimal, Inexact};
use super::decode::{Decode, Definitions, wrong};
use super::errors::{Errors, nearest};
use super::json::{Node, Value};
use crate::kernel::time::Span;

const DURATION_UNITS: &[(&str, u128)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];
const SIZE_UNITS: &[(&str, u128)] = &[
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];
const DURATION: &str = "a decimal and a unit ns us ms s min h d, like \"5ms\"";
const RATE: &str = "a decimal, / and a unit us ms s min h d, like \"2000/s\"";
const SIZE: &str = "a decimal and a unit B kB MB GB KiB MiB GiB, like \"4kB\"";
const THROUGHPUT: &str = "a size a second, like \"10MB/s\"";

fn unit<'a>(units: &'a [(&'a str, u128)], name: &str) -> Option<u128> {
    units.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// The duration that a text spells, in whole nanoseconds, or why it spells none.
pub fn parse_duration(text: &str) -> Result<Span, String> {
    let not = |what: &str| format!("{what} (got {text:?}, allowed {DURATION})");
    let Some((number, name)) = Decimal::split(text) else {
        let what = if text.starts_with('-') { "a duration has no sign" } else { "not a duration" };
        return Err(not(what));
    };
    let amount = text.strip_suffix(name).unwrap_or(text);
    let Some(unit) = unit(DURATION_UNITS, name) else {
        return Err(match name {
            "" => not("a duration needs a unit"),
            "m" => format!("`m` is not a unit (got {text:?}) – `{amount}ms` or `{amount}min`?"),
            "y" | "w" => not("no such unit of time"),
            _ => match nearest(name, DURATION_UNITS.iter().map(|(known, _)| *known)) {
                Some(near) => format!("{}; did you mean `{amount}{near}`?", not("no such unit of time")),
                None => not("no such unit of time"),
            },
        });
    };
    match number.times(unit) {
        Ok(ns) if ns <= u128::from(Span::MAX.0) => Ok(Span(ns as u64)),
        Ok(_) | Err(Inexact::TooMany) => Err(format!("too long (got {text:?}, allowed at most 292 years)")),
        Err(Inexact::Fraction) => Err(format!("not a whole number of nanoseconds (got {text:?})")),
    }
}

fn parse_bytes(text: &str, allowed: &str) -> Result<u64, String> {
    let not = |what: &str| format!("{what} (got {text:?}, allowed {allowed})");
    let Some((number, name)) = Decimal::split(text) else { return Err(not("not a size")) };
    let Some(unit) = unit(SIZE_UNITS, name) else {
        let what = if name.is_empty() { "a size needs a unit" } else { "no such unit of size" };
        return Err(match nearest(name, SIZE_UNITS.iter().map(|(known, _)| *known)) {
            Some(near) if !name.is_empty() => format!("{}; did you mean `{near}`?", not(what)),
            _ => not(what),
        });
    };
    match number.times(unit) {
        Ok(bytes) => u64::try_from(bytes).map_err(|_| format!("too large (got {text:?}, allowed below 2^64 B)")),
        Err(Inexact::TooMany) => Err(format!("too large (got {text:?}, allowed below 2^64 B)")),
        Err(Inexact::Fraction) => Err(format!("not a whole number of bytes (got {text:?})")),
    }
}

/// Decodes a text by `parse`, or complains with `what` and `allowed`.
fn from_text<T>(node: &Node, cx: &mut Errors, what: &str, allowed: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
    let Value::Text(text) = &node.value else {
        wrong(node, cx, what, allowed);
        return None;
    };
    parse(text).map_err(|message| cx.error(&node.origin, message)).ok()
}

impl Decode for Span {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        if let Value::Number(_) = node.value {
            wrong(node, cx, "a duration needs a unit", DURATION);
            return None;
        }
        from_text(node, cx, "not a duration", DURATION, parse_duration)
    }
    fn schema(defs: &mut Definitions) -> Json {
        defs.define("Duration", |_| {
            json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(ns|us|ms|s|min|h|d)$", "description": "A duration: decimal and unit, a whole number of nanoseconds." })
        })
    }
}

/// A duration that may have a minus sign, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedSpan(pub i64);

impl Decode for SignedSpan {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match node.as_text().and_then(|text| text.strip_prefix('-')) {
            Some(rest) => from_text(node, cx, "", "", |_| parse_duration(rest).map(|span| SignedSpan(-(span.0 as i64)))),
            None => Span::decode(node, cx).map(|span| SignedSpan(span.0 as i64)),
        }
    }
    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?(ns|us|ms|s|min|h|d)$" })
    }
}

/// So many in so long: `"0.183/ms"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// How many.
    pub events: f64,
    /// In how long.
    pub per: Span,
}

impl Rate {
    /// How many in a second.
    pub fn per_second(self) -> f64 {
        self.events * 1e9 / self.per.0 as f64
    }
}

/// The rate that a text spells, or why it spells none.
pub fn parse_rate(text: &str) -> Result<Rate, String> {
    let not = |what: &str| format!("{what} (got {text:?}, allowed {RATE})");
    let Some((number, rest)) = Decimal::split(text) else { return Err(not("not a rate")) };
    let Some(name) = rest.strip_prefix('/') else { return Err(not("not a rate")) };
    match unit(DURATION_UNITS, name) {
        Some(per) if name != "ns" => Ok(Rate { events: number.to_f64(), per: Span(per as u64) }),
        _ if name == "m" => Err(format!("`m` is not a unit (got {text:?}) – per `ms` or `min`?")),
        _ => Err(not("no such unit of time")),
    }
}

impl Decode for Rate {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        from_text(node, cx, "not a rate", RATE, parse_rate)
    }
    fn schema(defs: &mut Definitions) -> Json {
        defs.define("Rate", |_| {
            json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?/(us|ms|s|min|h|d)$", "description": "A rate: decimal, slash and unit of time." })
        })
    }
}

/// A size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// The size that a text spells, or why it spells none.
pub fn parse_size(text: &str) -> Result<Size, String> {
    parse_bytes(text, SIZE).map(Size)
}

impl Decode for Size {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        from_text(node, cx, "not a size", SIZE, parse_size)
    }
    fn schema(defs: &mut Definitions) -> Json {
        defs.define("Size", |_| {
            json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(B|kB|MB|GB|KiB|MiB|GiB)$", "description": "A size: number and unit." })
        })
    }
}

/// A throughput in bytes a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Throughput(pub u64);

impl Decode for Throughput {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        from_text(node, cx, "not a throughput", THROUGHPUT, |text| match text.strip_suffix("/s") {
            Some(size) => match parse_bytes(size, THROUGHPUT)? {
                0 => Err(format!("must be more than 0 (got {text:?})")),
                bytes => Ok(Throughput(bytes)),
            },
            None => Err(format!("not a throughput (got {text:?}, allowed {THROUGHPUT})")),
        })
    }
    fn schema(defs: &mut Definitions) -> Json {
        defs.define("Throughput", |_| {
            json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(B|kB|MB|GB|KiB|MiB|GiB)/s$", "description": "A size a second." })
        })
    }
}

/// A number as a float, refusing what is not finite or negative.
fn number(node: &Node, cx: &mut Errors, allowed: &str) -> Option<f64> {
    let Value::Number(text) = &node.value else {
        wrong(node, cx, "not a number", allowed);
        return None;
    };
    match text.parse::<f64>() {
        Ok(value) if !value.is_finite() => {
            cx.error(&node.origin, format!("too large (got {text}, allowed {allowed})"));
            None
        }
        Ok(value) if value.is_sign_negative() => {
            cx.error(&node.origin, format!("no sign is allowed (got {text}, allowed {allowed})"));
            None
        }
        Ok(value) => Some(value),
        Err(_) => {
            wrong(node, cx, "not a number", allowed);
            None
        }
    }
}

/// A number ≥ 0: a factor, a weight.
impl Decode for f64 {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        number(node, cx, "a number ≥ 0")
    }
    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "number", "minimum": 0 })
    }
}

/// A number from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Fraction(pub f64);

impl Decode for Fraction {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        let value = number(node, cx, "0 to 1")?;
        if value > 1.0 {
            let hint = if (2.0..=100.0).contains(&value) { format!(" – did you mean {}?", value / 100.0) } else { String::new() };
            cx.error(&node.origin, format!("not a fraction (got {}, allowed 0 to 1){hint}", node.brief()));
            return None;
        }
        Some(Fraction(value))
    }
    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

fn whole(node: &Node, cx: &mut Errors, max: u64) -> Option<u64> {
    let allowed = if max == u64::MAX { "a whole number 0 … 2^64−1".to_string() } else { format!("a whole number 0 … {max}") };
    let digits = match &node.value {
        Value::Number(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text,
        _ => {
            wrong(node, cx, "not a count", &allowed);
            return None;
        }
    };
    match digits.parse::<u64>() {
        Ok(value) if value <= max => Some(value),
        _ => {
            wrong(node, cx, "too large", &allowed);
            None
        }
    }
}

/// A count.
impl Decode for u32 {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        whole(node, cx, u64::from(u32::MAX)).map(|value| value as u32)
    }
    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })
    }
}

/// A count that may be large.
impl Decode for u64 {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        whole(node, cx, u64::MAX)
    }
    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "integer", "minimum": 0 })
    }
}

/// A seed: a number, or a text `0x…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seed(pub u64);

/// The seed that a text spells: decimal, or `0x` and hexadecimal digits.
pub fn parse_seed(text: &str) -> Result<u64, String> {
    let is = |digits: &str, radix: u32| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    let value = match text.strip_prefix("0x") {
        Some(digits) if is(digits, 16) => u64::from_str_radix(digits, 16).ok(),
        None if is(text, 10) => text.parse().ok(),
        _ => None,
    };
    value.ok_or_else(|| format!("not a seed (got {text:?}, allowed a whole number 0 … 2^64−1)"))
}

impl Decode for Seed {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        let text = match &node.value {
            Value::Number(text) | Value::Text(text) => text,
            _ => {
                wrong(node, cx, "not a seed", "a whole number 0 … 2^64−1");
                return None;
            }
        };
        parse_seed(text).map(Seed).map_err(|message| cx.error(&node.origin, message)).ok()
    }
    fn schema(_: &mut Definitions) -> Json {
        json!({ "oneOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": "^0x[0-9a-fA-F]+$" }] })
    }
}

/// Which seeds: the first so many from the scenario's seed on, or a range with both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeds {
    /// So many, from `seed` on.
    Count(u64),
    /// From the first to the last, both included.
    Range(u64, u64),
}

impl Seeds {
    /// First and last seed, `base` being the scenario's.
    pub fn bounds(self, base: u64) -> (u64, u64) {
        match self {
            Seeds::Count(count) => (base, base.saturating_add(count.saturating_sub(1))),
            Seeds::Range(first, last) => (first, last),
        }
    }

    /// How many seeds.
    pub fn count(self) -> u64 {
        match self {
            Seeds::Count(count) => count,
            Seeds::Range(first, last) => (last - first).saturating_add(1),
        }
    }
}

/// The seeds that a text spells: a count, or `first..last`.
pub fn parse_seeds(text: &str) -> Result<Seeds, String> {
    let Some((first, last)) = text.split_once("..") else {
        return match parse_seed(text)? {
            0 => Err("at least one seed is needed (got 0)".into()),
            count => Ok(Seeds::Count(count)),
        };
    };
    let (first, last) = (parse_seed(first)?, parse_seed(last)?);
    if first > last {
        return Err(format!("the range is reversed (got {text:?}) – did you mean \"{last}..{first}\"?"));
    }
    Ok(Seeds::Range(first, last))
}

impl Decode for Seeds {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        let text = match &node.value {
            Value::Number(text) | Value::Text(text) => text,
            _ => {
                wrong(node, cx, "not seeds", "a count, or a range like \"1..20\"");
                return None;
            }
        };
        parse_seeds(text).map_err(|message| cx.error(&node.origin, message)).ok()
    }
    fn schema(_: &mut Definitions) -> Json {
        json!({ "oneOf": [{ "type": "integer", "minimum": 1 }, { "type": "string", "pattern": "^[0-9]+\\.\\.[0-9]+$" }] })
    }
}

/// A place on the ring of 2^128 positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u128);

/// The position that a text spells: degrees, rounded down to a position, or 32 hexadecimal digits.
pub fn parse_position(text: &str) -> Result<Position, String> {
    let not = || format!("not a position (got {text:?}, allowed a decimal in [0, 360) and deg, or 0x and 32 hex digits)");
    if let Some(hex) = text.strip_prefix("0x") {
        let exact = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        return if exact { u128::from_str_radix(hex, 16).map(Position).map_err(|_| not()) } else { Err(not()) };
    }
    let (number, unit) = Decimal::split(text).ok_or_else(not)?;
    let divisor = 10u128.checked_pow(number.scale).and_then(|power| power.checked_mul(360)).ok_or_else(not)?;
    if unit != "deg" || number.digits >= divisor {
        return Err(not());
    }
    // floor(digits · 2^128 / divisor), one bit at a time: the quotient has 128 bits because
    // digits < divisor, and the remainder is doubled without overflow while it is below 2^127.
    if divisor > 1 << 126 {
        return Err(not());
    }
    let (mut remainder, mut position) = (number.digits, 0u128);
    for _ in 0..128 {
        remainder <<= 1;
        position <<= 1;
        if remainder >= divisor {
            remainder -= divisor;
            position |= 1;
        }
    }
    Ok(Position(position))
}

impl Decode for Position {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        from_text(node, cx, "not a position", "degrees like \"95deg\", or 0x and 32 hex digits", parse_position)
    }
    fn schema(defs: &mut Definitions) -> Json {
        defs.define("Position", |_| {
            json!({ "type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?deg|0x[0-9a-fA-F]{32})$", "description": "A place on the ring." })
        })
    }
}

impl Decode for bool {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match node.value {
            Value::Bool(value) => Some(value),
            _ => {
                wrong(node, cx, "not a bool", "true or false, without quotes");
                None
            }
        }
    }
    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "boolean" })
    }
}

impl Decode for String {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            _ => {
                wrong(node, cx, "not a text", "a text in quotes");
                None
            }
        }
    }
    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string" })
    }
}
