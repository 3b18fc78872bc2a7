//! Paths into a scenario: `cluster.replication.r`, `script.p1.put.w`, `cluster.ring.*.per_node`.
//!
//! A sweep and `--set` change the tree before it is understood, so that an error in such a value
//! names the axis or the option instead of a line. A path knows names of fields and of members of
//! lists; whether a field exists is for the typed reading to say.

use serde_json::Value as Json;

use super::containers::member_name;
use super::errors::suggestion;
use super::json::{Entry, Node, Origin, Value};

/// The value at a path, or the nearest value above it: where an error about the path belongs.
pub fn nearest_place<'a>(tree: &'a Node, path: &str) -> &'a Origin {
    let mut node = tree;
    let mut origin = &tree.origin;
    for step in path.split('.').filter(|step| !step.is_empty()) {
        match child(node, step) {
            Some(next) => node = next,
            None => break,
        }
        origin = &node.origin;
    }
    origin
}

/// The value at a path.
pub fn get<'a>(tree: &'a Node, path: &str) -> Option<&'a Node> {
    path.split('.').try_fold(tree, child)
}

fn child<'a>(node: &'a Node, step: &str) -> Option<&'a Node> {
    match &node.value {
        Value::Map(entries) if step == "*" && entries.len() == 1 => Some(&entries[0].node),
        Value::Map(entries) => entries.iter().find(|entry| entry.name == step).map(|entry| &entry.node),
        Value::List(list) => list.get(member(list, step)?),
        _ => None,
    }
}

/// The member of a list by its name, or by its number from 0.
fn member(list: &[Node], step: &str) -> Option<usize> {
    let named = |node: &Node| node.as_text() == Some(step) || node.get("name").and_then(Node::as_text) == Some(step);
    let number = || step.parse().ok().filter(|number| *number < list.len());
    list.iter().position(named).or_else(number)
}

/// Sets the value at a path; `null` takes it out. `schema` tells what a field is that was left out.
///
/// # Errors
/// The sentence that says which step of the path leads nowhere.
pub fn set(tree: &mut Node, path: &str, value: Node, schema: &Json) -> Result<(), String> {
    let steps: Vec<&str> = path.split('.').collect();
    if steps.iter().any(|step| step.is_empty()) {
        return Err(format!("not a path: {path:?} (allowed field names with dots, like cluster.replication.r)"));
    }
    let mut node = tree;
    for (at, step) in steps.iter().enumerate() {
        let above = steps[..at].join(".");
        let origin = value.origin.clone();
        open_up(node, step, &above, &origin, schema, &steps[..at])?;
        let last = at + 1 == steps.len();
        node = match &mut node.value {
            Value::Map(entries) => {
                if *step == "*" && entries.len() != 1 {
                    return Err(format!("`{above}` has no single form for `*`"));
                }
                let position = entries.iter().position(|entry| *step == "*" || entry.name == *step);
                let position = position.unwrap_or_else(|| {
                    let node = Node::new(Value::Null, origin.clone());
                    entries.push(Entry { name: step.to_string(), origin: origin.clone(), node });
                    entries.len() - 1
                });
                if last {
                    entries[position].origin = origin;
                }
                &mut entries[position].node
            }
            Value::List(list) => {
                let Some(position) = member(list, step) else {
                    let names: Vec<String> = list.iter().enumerate().map(|(at, node)| list_name(at, node)).collect();
                    let hint = suggestion(step, names.iter().map(String::as_str));
                    return Err(format!("`{above}` has no member {step:?}{hint}"));
                };
                &mut list[position]
            }
            _ => unreachable!("a value that was opened up has fields or members"),
        };
    }
    *node = value;
    Ok(())
}

fn list_name(number: usize, node: &Node) -> String {
    node.as_text().map_or_else(|| member_name(number, node), str::to_string)
}

/// Makes a value that has fields of one that stands for them: a bare name, `"on"`, or nothing.
fn open_up(
    node: &mut Node,
    step: &str,
    above: &str,
    origin: &Origin,
    schema: &Json,
    steps: &[&str],
) -> Result<(), String> {
    if node.value == Value::Null {
        let default = default_at(schema, steps);
        match default {
            // `*` means the form that is there, and a form that is there by default is there.
            Some(default) if step == "*" => *node = Node::from_json(default, origin),
            Some(Json::String(text)) if text == "off" => *node = Node::new(Value::Text("off".into()), origin.clone()),
            _ if step == "*" => return Err(format!("`{above}` is not given, so `*` stands for no form")),
            _ => *node = Node::empty_map(origin.clone()),
        }
    }
    let Value::Text(text) = &node.value else {
        return match node.value {
            Value::Map(_) | Value::List(_) => Ok(()),
            _ => Err(format!("`{above}` is {}, which has no fields", node.brief())),
        };
    };
    let text = text.clone();
    let origin = node.origin.clone();
    let fields = Node::empty_map(origin.clone());
    let is_node = steps.len() == 3 && steps[..2] == ["cluster", "nodes"];
    node.value = match text.as_str() {
        "off" => return Err(format!("`{above}` is \"off\" – set it to \"on\" or to an object first")),
        "on" => Value::Map(Vec::new()),
        _ if is_node => {
            let name = Node::new(Value::Text(text), origin.clone());
            Value::Map(vec![Entry { name: "name".into(), origin, node: name }])
        }
        form if step == "*" || step == form => Value::Map(vec![Entry { name: text, origin, node: fields }]),
        form => return Err(format!("`{above}` is {form:?}, which has no field {step:?}")),
    };
    Ok(())
}

/// The default that the schema gives the field at a path.
fn default_at<'a>(schema: &'a Json, steps: &[&str]) -> Option<&'a Json> {
    let mut here = schema;
    for (at, step) in steps.iter().enumerate() {
        let field = field_of(schema, here, step, 0)?;
        if at + 1 == steps.len() {
            return field.get("default");
        }
        here = field;
    }
    None
}

fn field_of<'a>(root: &'a Json, here: &'a Json, step: &str, depth: u32) -> Option<&'a Json> {
    if depth > 8 {
        return None;
    }
    if let Some(name) = here.get("$ref").and_then(Json::as_str).and_then(|name| name.strip_prefix("#/$defs/")) {
        return field_of(root, root.get("$defs")?.get(name)?, step, depth + 1);
    }
    let property = here.get("properties").and_then(|properties| properties.get(step));
    let case = || here.get("oneOf")?.as_array()?.iter().find_map(|case| field_of(root, case, step, depth + 1));
    let member = || here.get("items");
    property.or_else(case).or_else(member)
}

#[cfg(test)]
mod tests {
    use super::super::errors::Errors;
    use super::super::json::parse;
    use super::*;

    fn tree(text: &str) -> Node {
        parse(text, false, &mut Errors::default()).expect("the text is JSON")
    }

    fn after(text: &str, path: &str, value: &str) -> Result<String, String> {
        let mut changed = tree(text);
        set(&mut changed, path, tree(value), &super::super::schema())?;
        Ok(changed.to_json().to_string())
    }

    #[test]
    fn a_path_sets_the_whole_value_and_makes_what_is_missing() {
        let set = after(r#"{"cluster":{"nodes":5}}"#, "cluster.replication.r", "1");
        assert_eq!(set.as_deref(), Ok(r#"{"cluster":{"nodes":5,"replication":{"r":1}}}"#));
        let set = after(r#"{"script":[{"name":"p1","put":{}},{}]}"#, "script.p1.put.w", "3");
        assert_eq!(set.as_deref(), Ok(r#"{"script":[{"name":"p1","put":{"w":3}},{}]}"#));
        let set = after(r#"{"script":[{},{"expect":{}}]}"#, "script.1", "null");
        assert_eq!(set.as_deref(), Ok(r#"{"script":[{},null]}"#));
    }

    #[test]
    fn names_that_stand_for_objects_open_up() {
        let ring = |ring: &str, path: &str| after(&format!(r#"{{"cluster":{{"ring":{ring}}}}}"#), path, "8");
        let expected = Ok(r#"{"cluster":{"ring":{"random_tokens":{"per_node":8}}}}"#.to_string());
        assert_eq!(ring(r#""random_tokens""#, "cluster.ring.*.per_node"), expected);
        assert_eq!(ring(r#"{"random_tokens":{}}"#, "cluster.ring.*.per_node"), expected);
        assert_eq!(ring(r#""random_tokens""#, "cluster.ring.random_tokens.per_node"), expected);
        assert!(ring(r#""modulo""#, "cluster.ring.random_tokens.per_node").is_err());
        let set = after("{}", "cluster.ring.*.per_node", "8");
        assert_eq!(set.as_deref(), Ok(r#"{"cluster":{"ring":{"equal_partitions":{"per_node":8}}}}"#));
        let set = after(r#"{"cluster":{"hints":"on"}}"#, "cluster.hints.ttl", "\"1s\"");
        assert_eq!(set.as_deref(), Ok(r#"{"cluster":{"hints":{"ttl":"1s"}}}"#));
        let set = after(r#"{"cluster":{"nodes":["A"]}}"#, "cluster.nodes.A.capacity", "2");
        assert_eq!(set.as_deref(), Ok(r#"{"cluster":{"nodes":[{"name":"A","capacity":2}]}}"#));
    }

    #[test]
    fn a_path_that_leads_nowhere_says_where_it_ends() {
        let off = after(r#"{"cluster":{"hints":"off"}}"#, "cluster.hints.ttl", "1");
        assert_eq!(off, Err("`cluster.hints` is \"off\" – set it to \"on\" or to an object first".into()));
        assert!(after("{}", "cluster.storage.cache.count", "1").is_err(), "off by default is off");
        let none = after(r#"{"script":[{"name":"p1"}]}"#, "script.p2.at", "1");
        assert_eq!(none, Err("`script` has no member \"p2\"; did you mean `p1`?".into()));
        assert!(after(r#"{"cluster":{"nodes":5}}"#, "cluster.nodes.x", "1").is_err());
        assert!(after("{}", "a..b", "1").is_err());
    }

    #[test]
    fn a_place_is_found_by_path_or_above_it() {
        let tree = tree("{\"script\": [\n{\"name\": \"p1\",\n\"put\": {}}]}");
        assert_eq!(nearest_place(&tree, "script.p1.put.w").to_string(), ":3:8");
        assert_eq!(nearest_place(&tree, "script.0").to_string(), ":2:1");
    }
}
