//! Values that hold values: lists, maps, optional fields, mechanisms, and limits that may be absent.

use serde_json::{Value as Json, json};

use super::decode::{Decode, Definitions, wrong};
use super::errors::{Errors, suggestion};
use super::json::{Node, Value};
use crate::kernel::time::Span;

impl<T: Decode> Decode for Option<T> {
    const KEEPS_NULL: bool = true;

    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match node.value {
            Value::Null => Some(None),
            _ => T::decode(node, cx).map(Some),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn schema(defs: &mut Definitions) -> Json {
        T::schema(defs)
    }
}

impl<T: Decode> Decode for Box<T> {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        T::decode(node, cx).map(Box::new)
    }

    fn schema(defs: &mut Definitions) -> Json {
        T::schema(defs)
    }
}

/// Any value, understood later: a point of a sweep.
impl Decode for Node {
    const KEEPS_NULL: bool = true;

    fn decode(node: &Node, _: &mut Errors) -> Option<Self> {
        Some(node.clone())
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({})
    }
}

/// How a member of a list is called in a path: by its name if it has one, else by its number.
pub fn member_name(number: usize, node: &Node) -> String {
    match node.get("name").and_then(Node::as_text) {
        Some(name) if !name.is_empty() && !name.contains('.') => name.to_string(),
        _ => number.to_string(),
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        let Value::List(list) = &node.value else {
            wrong(node, cx, "not a list", "a list in brackets");
            return None;
        };
        let mut complete = true;
        let mut values = Vec::with_capacity(list.len());
        for (number, item) in list.iter().enumerate() {
            // `null` means "as if left out", also for a step.
            if item.value == Value::Null && !T::KEEPS_NULL {
                continue;
            }
            match cx.within(&member_name(number, item), |cx| T::decode(item, cx)) {
                Some(value) => values.push(value),
                None => complete = false,
            }
        }
        complete.then_some(values)
    }

    fn schema(defs: &mut Definitions) -> Json {
        json!({ "type": "array", "items": T::schema(defs) })
    }
}

/// An object whose field names are free, in the order of the file.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Map<T>(pub Vec<(String, T)>);

impl<T> Map<T> {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().map(|(name, _)| name.as_str())
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Decode> Decode for Map<T> {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            wrong(node, cx, "not an object", "an object in braces");
            return None;
        };
        let mut complete = true;
        let mut values: Vec<(String, T)> = Vec::with_capacity(entries.len());
        let mut known = std::collections::BTreeSet::new();
        for entry in entries {
            if entry.node.value == Value::Null && !T::KEEPS_NULL {
                continue;
            }
            if !known.insert(entry.name.as_str()) {
                cx.within(&entry.name, |cx| cx.error(&entry.origin, "this field is given twice"));
                complete = false;
            }
            match cx.within(&entry.name, |cx| T::decode(&entry.node, cx)) {
                Some(value) => values.push((entry.name.clone(), value)),
                None => complete = false,
            }
        }
        complete.then_some(Map(values))
    }

    fn schema(defs: &mut Definitions) -> Json {
        json!({ "type": "object", "additionalProperties": T::schema(defs) })
    }
}

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// A list.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// The values.
    pub fn as_slice(&self) -> &[T] {
        match self {
            OneOrMany::One(value) => std::slice::from_ref(value),
            OneOrMany::Many(values) => values,
        }
    }
}

impl<T: Decode> Decode for OneOrMany<T> {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match node.value {
            Value::List(_) => Vec::decode(node, cx).map(OneOrMany::Many),
            _ => T::decode(node, cx).map(OneOrMany::One),
        }
    }

    fn schema(defs: &mut Definitions) -> Json {
        let one = T::schema(defs);
        json!({ "oneOf": [one, { "type": "array", "items": one }] })
    }
}

/// A mechanism: `"off"`, or its fields; `"on"` is all their defaults.
#[derive(Clone, Debug, PartialEq)]
pub enum Mechanism<T> {
    /// It does not exist in this run.
    Off,
    /// It works like this.
    On(T),
}

impl<T> Mechanism<T> {
    /// Its fields, unless it is off.
    pub fn as_on(&self) -> Option<&T> {
        match self {
            Mechanism::Off => None,
            Mechanism::On(fields) => Some(fields),
        }
    }
}

impl<T: Decode> Decode for Mechanism<T> {
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
        match &node.value {
            Value::Map(_) => T::decode(node, cx).map(Mechanism::On),
            Value::Text(text) if text == "off" => Some(Mechanism::Off),
            Value::Text(text) if text == "on" => {
                T::decode(&Node::empty_map(node.origin.clone()), cx).map(Mechanism::On)
            }
            _ => {
                wrong(node, cx, "not a mechanism", "\"on\", \"off\" or an object of its fields");
                None
            }
        }
    }

    fn schema(defs: &mut Definitions) -> Json {
        json!({ "oneOf": [{ "enum": ["on", "off"] }, T::schema(defs)] })
    }
}

macro_rules! or_word {
    ($(#[doc = $doc:literal])+ $name:ident $(<$g:ident>)? ($inner:ty), $word:literal) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $name $(<$g>)? (
            /// The limit; `None` if there is none.
            pub Option<$inner>,
        );

        impl $(<$g: Decode>)? Decode for $name $(<$g>)? {
            fn decode(node: &Node, cx: &mut Errors) -> Option<Self> {
                match node.as_text() {
                    Some($word) => Some($name(None)),
                    Some(text) if super::errors::nearest(text, [$word]).is_some() => {
                        cx.error(&node.origin, format!("unknown value (got {text:?}){}", suggestion(text, [$word])));
                        None
                    }
                    _ => <$inner as Decode>::decode(node, cx).map(|value| $name(Some(value))),
                }
            }

            fn schema(defs: &mut Definitions) -> Json {
                json!({ "oneOf": [{ "const": $word }, <$inner as Decode>::schema(defs)] })
            }
        }
    };
}

or_word! {
    /// A count, size or throughput, or `"unlimited"`.
    OrUnlimited<T>(T), "unlimited"
}
or_word! {
    /// A duration, or `"never"`.
    OrNever(Span), "never"
}
or_word! {
    /// A duration, or `"forever"`.
    OrForever(Span), "forever"
}
