//! Names, and selectors of nodes and clients by name.

use std::fmt;
use std::ops::Deref;

use serde_json::{Value as Json, json};

use super::decode::{Decode, Definitions, wrong};
use super::errors::Errors;
use super::json::{Node, Value};

/// A letter, then letters, digits, `_`, `-`; at most 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(pub String);

impl Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name that a text is, or why it is none.
pub fn parse_name(text: &str) -> Result<Name, String> {
    let valid = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        && text.len() <= 64;
    if valid {
        return Ok(Name(text.to_string()));
    }
    let shown: String = text.chars().take(80).collect();
    Err(format!("not a name (got {shown:?}, allowed a letter, then letters, digits, _ and -, at most 64)"))
}

impl Decode for Name {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        let Value::Text(text) = &node.value else {
            wrong(node, cx, "not a name", "a text in quotes");
            return None;
        };
        parse_name(text).map_err(|message| cx.error(&node.origin, message)).ok()
    }
    fn schema(defs: &mut Definitions) -> Json {
        defs.define(
            "Name",
            |_| json!({ "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$", "description": "A name." }),
        )
    }
}

/// Which nodes or clients: the union of what its parts select.
#[derive(Clone, Debug, PartialEq)]
pub struct Selector(pub Vec<Select>);

/// A part of a selector.
#[derive(Clone, Debug, PartialEq)]
pub enum Select {
    /// `n3`: the node of that name.
    Node(Name),
    /// `all`: every node, spares included.
    All,
    /// `rack:r1`: the nodes there; in cuts and links also the clients.
    Rack(Name),
    /// `region:east`: the nodes there; in cuts and links also the clients.
    Region(Name),
    /// `replicas:K`: the first N of the preference list of the key at the start.
    Replicas(String),
    /// `client:alice`: a group of clients or a scripted client.
    Client(Name),
    /// `clients`: all of them.
    Clients,
    /// `2 of rack:r1`: so many of these, drawn from the seed.
    Some(u32, Box<Select>),
}

/// The part of a selector that a text spells, or why it spells none.
pub fn parse_select(text: &str) -> Result<Select, String> {
    let named = |rest: &str| parse_name(rest).map_err(|message| format!("{message} in the selector {text:?}"));
    if let Some((count, of)) = text.split_once(" of ") {
        let count = count.trim().parse::<u32>().ok().filter(|count| *count > 0);
        let Some(count) = count else {
            return Err(format!(
                "not a selector (got {text:?}, allowed a count ≥ 1 before `of`, like \"2 of rack:r1\")"
            ));
        };
        return Ok(Select::Some(count, Box::new(parse_select(of.trim())?)));
    }
    Ok(match text.split_once(':') {
        Some(("rack", rest)) => Select::Rack(named(rest)?),
        Some(("region", rest)) => Select::Region(named(rest)?),
        Some(("client", rest)) => Select::Client(named(rest)?),
        Some(("replicas", rest)) if !rest.is_empty() => Select::Replicas(rest.to_string()),
        Some((kind, _)) => {
            let hint = super::errors::suggestion(kind, ["rack", "region", "replicas", "client"]);
            return Err(format!("not a selector (got {text:?}){hint}"));
        }
        None => match text {
            "all" => Select::All,
            "clients" => Select::Clients,
            name => Select::Node(named(name)?),
        },
    })
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Select::Node(name) => write!(f, "{name}"),
            Select::All => write!(f, "all"),
            Select::Rack(name) => write!(f, "rack:{name}"),
            Select::Region(name) => write!(f, "region:{name}"),
            Select::Replicas(key) => write!(f, "replicas:{key}"),
            Select::Client(name) => write!(f, "client:{name}"),
            Select::Clients => write!(f, "clients"),
            Select::Some(count, of) => write!(f, "{count} of {of}"),
        }
    }
}

impl Decode for Selector {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        let items: Vec<&Node> = match &node.value {
            Value::Text(_) => vec![node],
            Value::List(list) => list.iter().collect(),
            _ => {
                wrong(node, cx, "not a selector", "a text like \"n3\" or \"rack:r1\", or a list of such");
                return None;
            }
        };
        let mut parts = Some(Vec::with_capacity(items.len()));
        for item in items {
            let part = match &item.value {
                Value::Text(text) => parse_select(text).map_err(|message| cx.error(&item.origin, message)).ok(),
                _ => {
                    wrong(item, cx, "not a selector", "a text like \"n3\" or \"rack:r1\"");
                    None
                }
            };
            parts = parts.zip(part).map(|(mut parts, part)| {
                parts.push(part);
                parts
            });
        }
        parts.map(Selector)
    }
    fn schema(defs: &mut Definitions) -> Json {
        defs.define("Selector", |_| {
            json!({ "description": "Which nodes or clients, or a list of such.",
                "oneOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
        })
    }
}
