//! Numbers and their grammars: factors, fractions, counts, seeds.

use serde_json::{Value as Json, json};

use super::decode::{Decode, Definitions, wrong};
use super::errors::Errors;
use super::json::{Node, Value};

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
            let hint = if (2.0..=100.0).contains(&value) {
                format!(" – did you mean {}?", value / 100.0)
            } else {
                String::new()
            };
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
    let allowed = if max == u64::MAX {
        "a whole number 0 … 2^64−1".to_string()
    } else {
        format!("a whole number 0 … {max}")
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_count_or_a_range() {
        assert_eq!(parse_seeds("1..20").map(|seeds| (seeds.count(), seeds.bounds(7))), Ok((20, (1, 20))));
        assert_eq!(parse_seeds("20").map(|seeds| (seeds.count(), seeds.bounds(7))), Ok((20, (7, 26))));
        assert!(parse_seeds("10..5").is_err() && parse_seeds("0").is_err() && parse_seeds("a..b").is_err());
        assert_eq!(parse_seed("0xff"), Ok(255));
    }
}
