//! JSON as scenario files hold it: whatever fits on a line stands on one, a step a line.

use serde_json::Value as Json;

/// Columns of a line.
const WIDTH: usize = 120;

/// The text of a scenario, with a line's end at its end.
pub fn text(tree: &Json) -> String {
    let mut text = String::new();
    match tree.as_object() {
        Some(fields) => {
            text.push_str("{\n");
            for (number, (name, value)) in fields.iter().enumerate() {
                let name = format!("  {}: ", Json::from(name.as_str()));
                text.push_str(&name);
                write(&mut text, value, 2, name.chars().count() + 1);
                text.push_str(if number + 1 < fields.len() { ",\n" } else { "\n" });
            }
            text.push('}');
        }
        None => text.push_str(&inline(tree)),
    }
    text.push('\n');
    text
}

/// A value on one line.
fn inline(value: &Json) -> String {
    match value {
        Json::Array(list) => format!("[{}]", list.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Json::Object(fields) if fields.is_empty() => "{}".into(),
        Json::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{}: {}", Json::from(name.as_str()), inline(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Writes a value that begins at this column, and whose further lines begin at `indent` or beyond.
fn write(text: &mut String, value: &Json, indent: usize, column: usize) {
    let one_line = inline(value);
    let objects = |list: &[Json]| !list.is_empty() && list.iter().all(Json::is_object);
    let fits = column + one_line.chars().count() < WIDTH;
    let inner = " ".repeat(indent + 2);
    match value {
        Json::Array(list) if objects(list) && (list.len() > 1 || !fits) => {
            text.push_str("[\n");
            for (number, item) in list.iter().enumerate() {
                text.push_str(&inner);
                write(text, item, indent + 2, indent + 2);
                text.push_str(if number + 1 < list.len() { ",\n" } else { "\n" });
            }
            text.push_str(&format!("{}]", " ".repeat(indent)));
        }
        _ if fits => text.push_str(&one_line),
        Json::Array(list) => {
            let items: Vec<(String, &Json)> = list.iter().map(|item| (String::new(), item)).collect();
            fill(text, "[", &items, "]", indent, column);
        }
        Json::Object(fields) => {
            let items: Vec<(String, &Json)> =
                fields.iter().map(|(name, value)| (format!("{}: ", Json::from(name.as_str())), value)).collect();
            fill(text, "{ ", &items, " }", indent, column);
        }
        _ => text.push_str(&one_line),
    }
}

/// As many items on a line as fit.
fn fill(text: &mut String, open: &str, items: &[(String, &Json)], close: &str, indent: usize, column: usize) {
    text.push_str(open);
    let mut at = column + open.len();
    for (number, (name, value)) in items.iter().enumerate() {
        let width = name.chars().count() + inline(value).chars().count() + 2;
        if number > 0 {
            text.push(',');
            if at + 1 + width > WIDTH {
                text.push_str(&format!("\n{}", " ".repeat(indent + 2)));
                at = indent + 2;
            } else {
                text.push(' ');
                at += 1;
            }
        }
        text.push_str(name);
        write(text, value, indent + 2, at + name.chars().count());
        at += width;
    }
    text.push_str(close);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_step_stands_on_a_line_and_a_long_one_on_several() {
        let long = "x".repeat(70);
        let tree = json!({
            "version": 1,
            "cluster": { "nodes": ["A", "B"], "hints": "off" },
            "script": [
                { "at": "1s", "crash": { "nodes": "A" } },
                { "at": "2s", "client": "ann", "put": { "key": "K", "value": long }, "draws": "session 1#2" },
            ],
        });
        let lines = text(&tree);
        let expected = format!(
            r#"{{
  "version": 1,
  "cluster": {{ "nodes": ["A", "B"], "hints": "off" }},
  "script": [
    {{ "at": "1s", "crash": {{ "nodes": "A" }} }},
    {{ "at": "2s", "client": "ann",
      "put": {{ "key": "K", "value": "{long}" }},
      "draws": "session 1#2" }}
  ]
}}
"#
        );
        assert_eq!(lines, expected);
        assert_eq!(serde_json::from_str::<Json>(&lines).expect("it is JSON"), tree);
        assert!(lines.lines().all(|line| line.chars().count() <= WIDTH), "{lines}");
    }
}
