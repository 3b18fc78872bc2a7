//! From tree to typed values, and from types to the JSON Schema, by one declaration per type.
//!
//! `object!` declares an object with its fields, `choice!` one of several named forms with the name
//! outside, `words!` one of several texts. Each declaration gives the Rust type, the decoding that
//! collects every error, and the schema. Defaults are written as they would stand in a file.

use serde_json::{Map as JsonMap, Value as Json, json};

use super::errors::{Errors, suggestion};
use super::json::{Entry, Node, Origin, Value};

/// A type that a scenario can spell.
pub trait Decode: Sized {
    /// Whether `null` is a value of its own (inside lists and maps) rather than "left out".
    const KEEPS_NULL: bool = false;

    /// The value that `node` spells. What is wrong goes to `cx`; then there is no value.
    fn decode(node: &Node, cx: &mut Errors) -> Option<Self>;

    /// The value of a field that is left out and has no default; `None` if the field is required.
    fn absent() -> Option<Self> {
        None
    }

    /// The JSON Schema (draft 2020-12) of the values that decode.
    fn schema(defs: &mut Definitions) -> Json;
}

/// The named types of the schema.
#[derive(Default)]
pub struct Definitions {
    map: std::collections::BTreeMap<String, Json>,
}

impl Definitions {
    /// A reference to the type `name`, described by `make` when it is first met.
    pub fn define(&mut self, name: &str, make: impl FnOnce(&mut Definitions) -> Json) -> Json {
        if !self.map.contains_key(name) {
            // A type may contain itself, so its name is known before its description is.
            self.map.insert(name.to_string(), Json::Null);
            let schema = make(self);
            self.map.insert(name.to_string(), schema);
        }
        json!({ "$ref": format!("#/$defs/{name}") })
    }

    /// All of them, as the value of `$defs`.
    pub fn into_json(self) -> Json {
        Json::Object(self.map.into_iter().collect())
    }
}

/// `got X, allowed Y`, the middle of most messages.
pub fn wrong(node: &Node, cx: &mut Errors, what: &str, allowed: &str) {
    cx.error(&node.origin, format!("{what} (got {}, allowed {allowed})", node.brief()));
}

/// The fields of an object while it is decoded.
pub struct Fields<'a> {
    entries: &'a [Entry],
    origin: &'a Origin,
}

impl<'a> Fields<'a> {
    /// Opens an object, complaining of fields that are unknown or given twice.
    pub fn open(node: &'a Node, names: &[&str], cx: &mut Errors) -> Option<Fields<'a>> {
        let Value::Map(entries) = &node.value else {
            wrong(node, cx, "not an object", "an object in braces");
            return None;
        };
        let mut seen = vec![false; names.len()];
        for entry in entries {
            let Some(known) = names.iter().position(|name| *name == entry.name) else {
                // The nearest name of millions of unknown fields is not worth looking for.
                let hint = if cx.is_full() { String::new() } else { suggestion(&entry.name, names.iter().copied()) };
                cx.within(&entry.name, |cx| cx.error(&entry.origin, format!("unknown field{hint}")));
                continue;
            };
            if std::mem::replace(&mut seen[known], true) {
                cx.within(&entry.name, |cx| cx.error(&entry.origin, "this field is given twice"));
            }
        }
        Some(Fields { entries, origin: &node.origin })
    }

    fn find(&self, name: &str) -> Option<&'a Node> {
        let entry = self.entries.iter().find(|entry| entry.name == name)?;
        (entry.node.value != Value::Null).then_some(&entry.node)
    }

    /// The field's value, or its default, or nothing with an error.
    pub fn get<T: Decode>(&self, name: &str, default: Option<&Json>, cx: &mut Errors) -> Option<T> {
        match (self.find(name), default) {
            (Some(node), _) => cx.within(name, |cx| T::decode(node, cx)),
            (None, Some(default)) => cx.within(name, |cx| T::decode(&Node::from_json(default, &Origin::Nowhere), cx)),
            (None, None) => {
                let absent = T::absent();
                if absent.is_none() {
                    cx.error(self.origin, format!("field `{name}` is missing"));
                }
                absent
            }
        }
    }

    /// Checks that of `names` one is given; `at_least_one` makes leaving all out an error.
    pub fn one_of(&self, names: &[&str], at_least_one: bool, cx: &mut Errors) -> Option<()> {
        let given: Vec<&str> = names.iter().copied().filter(|name| self.find(name).is_some()).collect();
        let quoted = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
        match given.len() {
            0 if at_least_one => cx.error(self.origin, format!("one of {} is missing", quoted(names).join(", "))),
            0 | 1 => return Some(()),
            _ => cx.error(self.origin, format!("only one of {} may be given", quoted(&given).join(" and "))),
        }
        None
    }
}

/// Splits a choice into the form's name and its fields; a bare name has none.
pub fn open_choice<'a>(
    node: &'a Node,
    forms: &[&str],
    cx: &mut Errors,
) -> Option<(&'a str, std::borrow::Cow<'a, Node>)> {
    use std::borrow::Cow;
    let (name, origin, fields) = match &node.value {
        Value::Text(name) => (name, &node.origin, Cow::Owned(Node::empty_map(node.origin.clone()))),
        Value::Map(entries) if entries.len() == 1 => {
            let entry = &entries[0];
            let fields = match entry.node.value {
                Value::Null => Cow::Owned(Node::empty_map(entry.node.origin.clone())),
                _ => Cow::Borrowed(&entry.node),
            };
            (&entry.name, &entry.origin, fields)
        }
        Value::Map(entries) if entries.len() > 1 => {
            let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
            cx.error(
                &node.origin,
                format!(
                    "a choice is an object with one field (got {}, allowed one of {})",
                    names.join(" and "),
                    forms.join(", ")
                ),
            );
            return None;
        }
        _ => {
            wrong(node, cx, "not a choice", &format!("one of {}", forms.join(", ")));
            return None;
        }
    };
    if forms.contains(&name.as_str()) {
        return Some((name, fields));
    }
    let hint = suggestion(name, forms.iter().copied());
    cx.error(origin, format!("unknown form {name:?}{hint}"));
    None
}

/// The schema of one field: the type, what it means, and its default.
pub fn field_schema(mut schema: Json, doc: &[&str], default: Option<&Json>) -> Json {
    if let Json::Object(map) = &mut schema {
        map.insert("description".into(), Json::String(doc_text(doc)));
        if let Some(default) = default {
            map.insert("default".into(), default.clone());
        }
    }
    schema
}

/// The lines of a doc comment as one text.
pub fn doc_text(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// The schema of an object.
pub fn object_schema(doc: &[&str], properties: JsonMap<String, Json>, required: Vec<&str>, groups: Vec<Json>) -> Json {
    let mut schema = json!({
        "type": "object", "description": doc_text(doc), "additionalProperties": false, "properties": properties,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if !groups.is_empty() {
        schema["allOf"] = Json::Array(groups);
    }
    schema
}

/// The schema of a group of fields of which one is given.
pub fn group_schema(names: &[&str], at_least_one: bool) -> Json {
    let mut cases: Vec<Json> = names.iter().map(|name| json!({ "required": [name] })).collect();
    if !at_least_one {
        let any = cases.clone();
        cases.push(json!({ "not": { "anyOf": any } }));
    }
    json!({ "oneOf": cases })
}

/// The name of a field in a file: its own, unless that is a word of Rust.
macro_rules! field_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $json:literal) => {
        $json
    };
}

macro_rules! default_value {
    () => {
        None
    };
    ($default:tt) => {
        Some(serde_json::json!($default))
    };
}

/// Declares an object: fields with meaning, type and default as in a file, then groups of which one
/// is given, then a check of the whole.
macro_rules! object {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident $(<$g:ident: $bound:ident>)? {
            $( $(#[doc = $field_doc:literal])+ $field:ident $($json:literal)? : $ty:ty $(= $default:tt)? , )*
        }
        $(exactly_one [$($exact:literal),+];)*
        $(at_most_one [$($most:literal),+];)*
        $(check $check:path;)?
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name $(<$g: $bound>)? {
            $( $(#[doc = $field_doc])+ pub $field: $ty, )*
        }

        impl $(<$g: $bound>)? $crate::scenario::decode::Decode for $name $(<$g>)? {
            fn decode(node: &$crate::scenario::json::Node, cx: &mut $crate::scenario::errors::Errors) -> Option<Self> {
                use $crate::scenario::decode::*;
                const NAMES: &[&str] = &[$(field_name!($field $($json)?)),*];
                #[allow(unused_variables, reason = "an object may have no fields")]
                let fields = Fields::open(node, NAMES, cx)?;
                #[allow(unused_mut, reason = "an object may have no groups")]
                let mut groups = Some(());
                $( groups = groups.and(fields.one_of(&[$($exact),+], true, cx)); )*
                $( groups = groups.and(fields.one_of(&[$($most),+], false, cx)); )*
                $( let $field = fields.get::<$ty>(
                    field_name!($field $($json)?), (default_value!($($default)?) as Option<serde_json::Value>).as_ref(), cx); )*
                groups?;
                let value = $name { $( $field: $field?, )* };
                $( $check(&value, node, cx); )?
                Some(value)
            }

            fn schema(defs: &mut $crate::scenario::decode::Definitions) -> serde_json::Value {
                use $crate::scenario::decode::*;
                #[allow(unused_mut, reason = "only a generic type has a suffix")]
                let mut title = String::from(stringify!($name));
                $( title.push_str(<$g as $bound>::TITLE); )?
                #[allow(unused_variables, unused_mut, reason = "an object may have no fields or groups")]
                defs.define(&title, |defs| {
                    let mut properties = serde_json::Map::new();
                    let mut required: Vec<&str> = Vec::new();
                    $({
                        let name = field_name!($field $($json)?);
                        let default: Option<serde_json::Value> = default_value!($($default)?);
                        if default.is_none() && <$ty as Decode>::absent().is_none() {
                            required.push(name);
                        }
                        properties.insert(name.into(), field_schema(<$ty as Decode>::schema(defs), &[$($field_doc),+], default.as_ref()));
                    })*
                    let groups: Vec<serde_json::Value> = vec![
                        $( group_schema(&[$($exact),+], true), )*
                        $( group_schema(&[$($most),+], false), )*
                    ];
                    object_schema(&[$($doc),+], properties, required, groups)
                })
            }
        }
    };
}

/// Declares a choice: one of several named forms, the name outside. A form without fields has no
/// type; `plain` is what a value is that is neither an object nor a form's name.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])+
        pub enum $name:ident $(<$g:ident: $bound:ident>)? {
            $( plain $plain_doc:literal => $plain:ident($plain_ty:ty), )?
            $( $(#[doc = $form_doc:literal])+ $form:ident => $variant:ident $(($ty:ty))? , )*
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name $(<$g: $bound>)? {
            $( #[doc = $plain_doc] $plain($plain_ty), )?
            $( $(#[doc = $form_doc])+ $variant $(($ty))?, )*
        }

        impl $(<$g: $bound>)? $crate::scenario::decode::Decode for $name $(<$g>)? {
            fn decode(node: &$crate::scenario::json::Node, cx: &mut $crate::scenario::errors::Errors) -> Option<Self> {
                use $crate::scenario::decode::*;
                const FORMS: &[&str] = &[$(stringify!($form)),*];
                $(
                    if is_plain(node, FORMS) {
                        return Some($name::$plain(<$plain_ty as Decode>::decode(node, cx)?));
                    }
                )?
                let (form, fields) = open_choice(node, FORMS, cx)?;
                $(
                    if form == stringify!($form) {
                        return choice!(@decode $name $variant $(($ty))?, form, fields, cx);
                    }
                )*
                unreachable!("the form is one of the declared ones")
            }

            fn schema(defs: &mut $crate::scenario::decode::Definitions) -> serde_json::Value {
                use $crate::scenario::decode::*;
                #[allow(unused_mut, reason = "only a generic type has a suffix")]
                let mut title = String::from(stringify!($name));
                $( title.push_str(<$g as $bound>::TITLE); )?
                defs.define(&title, |defs| {
                    let mut cases: Vec<serde_json::Value> = Vec::new();
                    let mut bare: Vec<&str> = Vec::new();
                    $( cases.push(field_schema(<$plain_ty as Decode>::schema(defs), &[$plain_doc], None)); )?
                    $({
                        let (schema, is_bare) = choice!(@schema $(($ty))?, defs);
                        if is_bare {
                            bare.push(stringify!($form));
                        }
                        cases.push(form_schema(stringify!($form), schema, &[$($form_doc),+]));
                    })*
                    choice_schema(&[$($doc),+], cases, bare)
                })
            }
        }
    };
    (@decode $name:ident $variant:ident($ty:ty), $form:ident, $fields:ident, $cx:ident) => {
        Some($name::$variant($cx.within($form, |cx| <$ty as $crate::scenario::decode::Decode>::decode(&$fields, cx))?))
    };
    (@decode $name:ident $variant:ident, $form:ident, $fields:ident, $cx:ident) => {{
        $cx.within($form, |cx| $crate::scenario::decode::Fields::open(&$fields, &[], cx).map(|_| ()))?;
        Some($name::$variant)
    }};
    (@schema ($ty:ty), $defs:ident) => {{
        let schema = <$ty as $crate::scenario::decode::Decode>::schema($defs);
        // A form may stand as its bare name when an empty object is one of its values.
        let empty = $crate::scenario::json::Node::empty_map($crate::scenario::json::Origin::Nowhere);
        let mut nothing = $crate::scenario::errors::Errors::default();
        let is_bare = <$ty as $crate::scenario::decode::Decode>::decode(&empty, &mut nothing).is_some() && nothing.is_empty();
        (schema, is_bare)
    }};
    (@schema, $defs:ident) => {
        (serde_json::json!({ "type": "object", "additionalProperties": false, "properties": {} }), true)
    };
}

/// Whether a value is written without a form: a text that is no form's name, or a number.
pub fn is_plain(node: &Node, forms: &[&str]) -> bool {
    match &node.value {
        // A word near a form's name is a misspelt form; anything that begins like a number is plain.
        Value::Text(text) => !forms.contains(&text.as_str()) && !text.starts_with(|c: char| c.is_ascii_alphabetic()),
        Value::Map(_) => false,
        _ => true,
    }
}

/// The schema of one form of a choice.
pub fn form_schema(name: &str, schema: Json, doc: &[&str]) -> Json {
    json!({
        "type": "object", "description": doc_text(doc), "additionalProperties": false,
        "properties": { name: schema }, "required": [name],
    })
}

/// The schema of a choice; `bare` are the forms that may stand as their name alone.
pub fn choice_schema(doc: &[&str], mut cases: Vec<Json>, bare: Vec<&str>) -> Json {
    if !bare.is_empty() {
        cases.push(json!({ "enum": bare }));
    }
    json!({ "description": doc_text(doc), "oneOf": cases })
}

/// Declares a choice among texts.
macro_rules! words {
    (
        $(#[doc = $doc:literal])+
        pub enum $name:ident { $( $(#[doc = $word_doc:literal])+ $variant:ident = $word:literal, )+ }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $( $(#[doc = $word_doc])+ $variant, )+ }

        impl $name {
            /// All of them, in the order of the format's reference.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word in a file.
            pub const fn word(self) -> &'static str {
                match self { $( $name::$variant => $word, )+ }
            }

            /// The value of a word.
            pub fn from_word(word: &str) -> Option<$name> {
                match word { $( $word => Some($name::$variant), )+ _ => None }
            }
        }

        impl $crate::scenario::decode::Decode for $name {
            fn decode(node: &$crate::scenario::json::Node, cx: &mut $crate::scenario::errors::Errors) -> Option<Self> {
                $crate::scenario::decode::decode_word(node, &[$($word),+], cx).and_then($name::from_word)
            }
            fn schema(_: &mut $crate::scenario::decode::Definitions) -> serde_json::Value {
                serde_json::json!({ "enum": [$($word),+] })
            }
        }
    };
}
pub(crate) use {choice, default_value, field_name, object, words};

/// One of several texts.
pub fn decode_word<'a>(node: &'a Node, words: &[&str], cx: &mut Errors) -> Option<&'a str> {
    let allowed = words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
    match &node.value {
        Value::Text(text) if words.contains(&text.as_str()) => Some(text),
        Value::Text(text) => {
            let hint = match super::errors::nearest(text, words.iter().copied()) {
                Some(near) => format!("; did you mean {near:?}?"),
                None => String::new(),
            };
            cx.error(&node.origin, format!("unknown value (got {text:?}, allowed {allowed}){hint}"));
            None
        }
        _ => {
            wrong(node, cx, "not a text", &allowed);
            None
        }
    }
}
