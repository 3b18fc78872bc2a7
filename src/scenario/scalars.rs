//! Values with units and their grammars: durations, rates, sizes, throughputs, positions.
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
fn from_text<T>(
    node: &Node,
    cx: &mut Errors,
    what: &str,
    allowed: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
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
            Some(rest) => {
                from_text(node, cx, "", "", |_| parse_duration(rest).map(|span| SignedSpan(-(span.0 as i64))))
            }
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

/// A place on the ring of 2^128 positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u128);

/// The position that a text spells: degrees, rounded down to a position, or 32 hexadecimal digits.
pub fn parse_position(text: &str) -> Result<Position, String> {
    let not =
        || format!("not a position (got {text:?}, allowed a decimal in [0, 360) and deg, or 0x and 32 hex digits)");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact() {
        assert_eq!(parse_duration("2302.6us"), Ok(Span(2_302_600)));
        assert_eq!(parse_duration("0.1s"), Ok(Span::from_ms(100)));
        assert_eq!(parse_duration("106751d").map(|span| span.0), Ok(106_751 * 86_400_000_000_000));
        // The last nanosecond that fits, and the one after it.
        assert_eq!(parse_duration("9223372036854775807ns"), Ok(Span::MAX));
        assert!(parse_duration("9223372036854775808ns").is_err());
        assert_eq!(parse_duration("9223372036.854775807s"), Ok(Span::MAX));
        // Through a float this would be 9007199254740992.
        assert_eq!(parse_duration("9007199254740.993us"), Ok(Span(9_007_199_254_740_993)));
    }

    #[test]
    fn what_is_no_duration_says_what_might_be_meant() {
        assert_eq!(parse_duration("5m"), Err("`m` is not a unit (got \"5m\") – `5ms` or `5min`?".into()));
        assert!(parse_duration("5sec").is_err() && parse_duration("5 ms").is_err() && parse_duration("1e3s").is_err());
        assert!(parse_duration("5mins").expect_err("no unit").ends_with("did you mean `5min`?"));
        assert!(parse_duration("300y").is_err() && parse_duration("").is_err() && parse_duration("ms").is_err());
    }

    #[test]
    fn sizes_rates_and_positions_are_read() {
        assert_eq!((parse_size("1.5kB"), parse_size("2MiB")), (Ok(Size(1_500)), Ok(Size(2 << 20))));
        assert!(parse_size("1.5B").is_err() && parse_size("4kb").expect_err("b").contains("did you mean `kB`?"));
        assert_eq!(parse_rate("0.183/ms").map(|rate| (rate.events, rate.per)), Ok((0.183, Span::from_ms(1))));
        assert!(parse_rate("5/m").is_err() && parse_rate("5").is_err());
        assert_eq!(parse_position("90deg"), Ok(Position(1 << 126)));
        assert_eq!(parse_position("180.0deg"), Ok(Position(1 << 127)));
        assert_eq!(parse_position("0x0000000000000000000000000000000f"), Ok(Position(15)));
        assert!(
            parse_position("360deg").is_err() && parse_position("0x0f").is_err() && parse_position("-1deg").is_err()
        );
    }
}
