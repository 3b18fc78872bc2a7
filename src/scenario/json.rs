//! Text to tree: JSON with the place of every value.
//!
//! A `.json` file is strict JSON; a `.jsonc` file may have comments and trailing commas. The tree
//! knows nothing of what a scenario is.

use std::fmt;
use std::sync::Arc;

use jsonc_parser::ast;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::errors::Errors;

/// The longest text that is read, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// The deepest nesting that is read.
pub const MAX_DEPTH: usize = 128;

/// Where a value was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the file: line and column from 1, and its bytes.
    File {
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1.
        column: u32,
        /// First byte.
        start: u32,
        /// The byte after the last.
        end: u32,
    },
    /// In a point of a sweep: `axis "w", point "three"`.
    Point {
        /// The axis by name.
        axis: Arc<str>,
        /// The point by its value or label.
        point: Arc<str>,
    },
    /// On the command line: `--set path`.
    Command(Arc<str>),
    /// Nowhere: a default, or the file as a whole.
    Nowhere,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { line, column, .. } => write!(f, ":{line}:{column}"),
            Origin::Point { axis, point } => write!(f, ": axis {axis:?}, point {point}"),
            Origin::Command(path) => write!(f, ": --set {path}"),
            Origin::Nowhere => Ok(()),
        }
    }
}

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it was said.
    pub origin: Origin,
}

/// A JSON value. Numbers stay text, so that none is rounded before it is understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`: as if left out.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it was written.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// An object, its fields in the order of the file.
    Map(Vec<Entry>),
}

/// A field of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The field's name.
    pub name: String,
    /// Where the name stands.
    pub origin: Origin,
    /// Its value.
    pub node: Node,
}

impl Node {
    /// A value at a place.
    pub fn new(value: Value, origin: Origin) -> Node {
        Node { value, origin }
    }

    /// An object without fields.
    pub fn empty_map(origin: Origin) -> Node {
        Node::new(Value::Map(Vec::new()), origin)
    }

    /// The field of an object.
    pub fn get(&self, name: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.name == name).map(|entry| &entry.node),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as it could be written in a file, shortened for a message.
    pub fn brief(&self) -> String {
        const LENGTH: usize = 60;
        let text = match &self.value {
            Value::List(list) if list.is_empty() => "[]".into(),
            Value::List(list) => format!("a list of {}", list.len()),
            Value::Map(entries) if entries.is_empty() => "{}".into(),
            Value::Map(_) => "an object".into(),
            _ => self.to_json().to_string(),
        };
        match text.char_indices().nth(LENGTH) {
            Some((at, _)) => format!("{}…", &text[..at]),
            None => text,
        }
    }

    /// The value in the words of `serde_json`; a number that it cannot hold becomes a text.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.clone())),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(list) => Json::Array(list.iter().map(Node::to_json).collect()),
            Value::Map(entries) => {
                Json::Object(entries.iter().map(|entry| (entry.name.clone(), entry.node.to_json())).collect())
            }
        }
    }

    /// The same value with every place in it replaced.
    pub fn moved_to(&self, origin: &Origin) -> Node {
        let value = match &self.value {
            Value::List(list) => Value::List(list.iter().map(|node| node.moved_to(origin)).collect()),
            Value::Map(entries) => Value::Map(
                entries
                    .iter()
                    .map(|entry| Entry {
                        name: entry.name.clone(),
                        origin: origin.clone(),
                        node: entry.node.moved_to(origin),
                    })
                    .collect(),
            ),
            other => other.clone(),
        };
        Node::new(value, origin.clone())
    }

    /// A tree from a value that was not in a file: a default, or a `--set`.
    pub fn from_json(json: &serde_json::Value, origin: &Origin) -> Node {
        use serde_json::Value as Json;
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => Value::Number(number.to_string()),
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(list) => Value::List(list.iter().map(|item| Node::from_json(item, origin)).collect()),
            Json::Object(map) => Value::Map(
                map.iter()
                    .map(|(name, item)| Entry {
                        name: name.clone(),
                        origin: origin.clone(),
                        node: Node::from_json(item, origin),
                    })
                    .collect(),
            ),
        };
        Node::new(value, origin.clone())
    }
}

/// Reads a text into a tree; what is wrong goes to `errors`, and then there is no tree.
///
/// `comments` allows comments and trailing commas (`.jsonc`).
pub fn parse(text: &str, comments: bool, errors: &mut Errors) -> Option<Node> {
    if text.len() > MAX_BYTES {
        let mb = text.len() / 1_000_000;
        errors.error(&Origin::Nowhere, format!("the file is {mb} MB, the limit is {} MiB", MAX_BYTES >> 20));
        return None;
    }
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let places = Places::new(text, text.len() - body.len());
    let options = ParseOptions {
        allow_comments: comments,
        allow_trailing_commas: comments,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    match parse_to_ast(body, &CollectOptions::default(), &options) {
        Ok(result) => match result.value {
            Some(value) => Reader { places, errors }.node(value, 0),
            None => {
                errors.error(&Origin::Nowhere, "empty scenario");
                None
            }
        },
        Err(error) => {
            let range = error.range();
            // Only a comment and nothing else is an empty scenario too, in either kind of file.
            if matches!(error.kind(), ParseErrorKind::CommentsNotAllowed) && only_comments(body) {
                errors.error(&Origin::Nowhere, "empty scenario");
                return None;
            }
            let message = complaint(error.kind(), body, range.start);
            errors.error(&places.origin(range.start, range.end), message);
            None
        }
    }
}

fn complaint(kind: &ParseErrorKind, body: &str, start: usize) -> String {
    let is_word = |c: &char| c.is_alphanumeric() || *c == '_' || *c == '-';
    let word: String = body.get(start..).unwrap_or("").chars().take_while(is_word).take(20).collect();
    match kind {
        ParseErrorKind::CommentsNotAllowed => "comments are not allowed in .json – name the file .jsonc".into(),
        ParseErrorKind::TrailingCommasNotAllowed => {
            "a trailing comma is not allowed in .json – name the file .jsonc, or take the comma out".into()
        }
        ParseErrorKind::NestingDepthExceeded => format!("nested deeper than {MAX_DEPTH} levels"),
        ParseErrorKind::UnexpectedWord | ParseErrorKind::UnexpectedToken if !word.is_empty() => {
            format!("not JSON: unknown word `{word}` (allowed: a text in quotes, a number, true, false, null)")
        }
        ParseErrorKind::UnterminatedObject => "not JSON: this object never ends".into(),
        ParseErrorKind::UnterminatedArray => "not JSON: this list never ends".into(),
        other => {
            let text = other.to_string();
            let mut chars = text.chars();
            let first = chars.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
            format!("not JSON: {first}{}", chars.as_str().trim_end_matches('.'))
        }
    }
}

/// Whether nothing but comments and blanks is there.
fn only_comments(text: &str) -> bool {
    let options = ParseOptions::default();
    matches!(parse_to_ast(text, &CollectOptions::default(), &options), Ok(result) if result.value.is_none())
}

/// Bytes to lines and columns.
struct Places {
    line_starts: Vec<usize>,
    text: Arc<str>,
    shift: usize,
}

impl Places {
    fn new(text: &str, shift: usize) -> Places {
        let mut line_starts = vec![0];
        line_starts.extend(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1));
        Places { line_starts, text: text.into(), shift }
    }

    fn origin(&self, start: usize, end: usize) -> Origin {
        let start = (start + self.shift).min(self.text.len());
        let end = (end + self.shift).clamp(start, self.text.len());
        let line = self.line_starts.partition_point(|at| *at <= start) - 1;
        // Columns count characters, and a line may be megabytes long: then bytes are good enough.
        let before = &self.text.as_bytes()[self.line_starts[line]..start];
        let column =
            if before.len() > 4096 { before.len() } else { before.iter().filter(|byte| **byte & 0xc0 != 0x80).count() };
        Origin::File { line: line as u32 + 1, column: column as u32 + 1, start: start as u32, end: end as u32 }
    }
}

struct Reader<'a> {
    places: Places,
    errors: &'a mut Errors,
}

impl Reader<'_> {
    fn node(&mut self, value: ast::Value<'_>, depth: usize) -> Option<Node> {
        let range = match &value {
            ast::Value::StringLit(lit) => lit.range,
            ast::Value::NumberLit(lit) => lit.range,
            ast::Value::BooleanLit(lit) => lit.range,
            ast::Value::Object(object) => object.range,
            ast::Value::Array(array) => array.range,
            ast::Value::NullKeyword(lit) => lit.range,
        };
        let origin = self.places.origin(range.start, range.end);
        if depth >= MAX_DEPTH {
            self.errors.error(&origin, format!("nested deeper than {MAX_DEPTH} levels"));
            return None;
        }
        let value = match value {
            ast::Value::StringLit(lit) => Value::Text(lit.value.into_owned()),
            ast::Value::NumberLit(lit) => Value::Number(lit.value.to_string()),
            ast::Value::BooleanLit(lit) => Value::Bool(lit.value),
            ast::Value::NullKeyword(_) => Value::Null,
            ast::Value::Array(array) => {
                let mut list = Vec::with_capacity(array.elements.len());
                for element in array.elements {
                    list.push(self.node(element, depth + 1)?);
                }
                Value::List(list)
            }
            ast::Value::Object(object) => {
                let mut entries: Vec<Entry> = Vec::with_capacity(object.properties.len());
                for property in object.properties {
                    let range = jsonc_parser::common::Ranged::range(&property.name);
                    let origin = self.places.origin(range.start, range.end);
                    let name = property.name.into_string();
                    let node = self.node(property.value, depth + 1)?;
                    entries.push(Entry { name, origin, node });
                }
                Value::Map(entries)
            }
        };
        Some(Node::new(value, origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(text: &str, comments: bool) -> String {
        let mut errors = Errors::new("f", text);
        assert!(parse(text, comments, &mut errors).is_none(), "{text:?} should not parse");
        errors.to_string()
    }

    #[test]
    fn every_value_knows_its_place() {
        let text = "{\n  \"ä\": [1, \"x\"]\n}";
        let mut errors = Errors::new("f", text);
        let tree = parse(text, false, &mut errors).expect("it is JSON");
        let Value::List(list) = &tree.get("ä").expect("the field is there").value else { panic!("a list") };
        assert_eq!(list[1].origin.to_string(), ":2:12");
    }

    #[test]
    fn a_text_without_a_value_is_an_empty_scenario() {
        for text in ["", "  \n", "\u{feff}", "// nothing\n", "/* a */ // b"] {
            assert!(error_of(text, true).contains("empty scenario"), "{text:?}");
            assert!(error_of(text, false).contains("empty scenario"), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        assert_eq!(error_of("{ // x\n}", false), "f:1:3: comments are not allowed in .json – name the file .jsonc\n");
        assert!(error_of("{\"a\": 1,}", false).contains("f:1:8: a trailing comma is not allowed"));
        assert_eq!(error_of("[{} {}]", false), "f:1:4: not JSON: expected comma\n");
        assert!(error_of("{\"a\": yes}", false).contains("unknown word `yes`"));
        assert!(error_of("{\"a\": NaN}", false).contains("f:1:7"));
        assert!(error_of("{\"a\": 1", false).contains("this object never ends"));
        assert!(error_of("{} {}", false).contains("f:1:4"));
    }

    #[test]
    fn comments_and_trailing_commas_are_fine_in_jsonc() {
        let text = "{ // x\n \"a\": [{} /* , */, {},], }";
        assert!(parse(text, true, &mut Errors::new("f", text)).is_some());
    }

    #[test]
    fn deep_nesting_is_refused_without_a_deep_stack() {
        for deep in ["[".repeat(100_000), "{\"a\":".repeat(100_000), format!("{}{}", "[".repeat(200), "]".repeat(200))]
        {
            assert!(error_of(&deep, false).contains("nested deeper than 128 levels"), "depth is limited");
        }
        let allowed = format!("{}{}", "[".repeat(128), "]".repeat(128));
        assert!(parse(&allowed, false, &mut Errors::new("f", &allowed)).is_some());
    }
}
