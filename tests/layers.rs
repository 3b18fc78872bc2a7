//! A module imports only from its own layer and from layers below. The rule keeps the protocol free of the
//! world and the world free of the protocol; see the picture in `src/lib.rs`.

use std::fs;
use std::path::{Path, PathBuf};

/// Layers from the top down. Modules of one line may import each other, except where [`STRANGERS`] says no.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["report"],
    &["scenario"],
    &["check", "measure"],
    &["cluster"],
    &["workload", "history"],
    &["node", "network"],
    &["version", "ring", "store"],
    &["kernel"],
];

/// Neighbours that must not know each other.
const STRANGERS: &[(&str, &str)] = &[("node", "network"), ("network", "node")];

fn layer(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&module))
        .unwrap_or_else(|| panic!("{module} has no layer; give it one here"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    // clippy bans `read_dir` in the library because its order is unspecified; here the result is sorted.
    #[allow(clippy::disallowed_methods)]
    let entries = fs::read_dir(folder).unwrap();
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Modules of this crate that a line names: `crate::kernel::time` names `kernel`, `crate::{node, ring}` both.
fn named(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or("");
    let mut names = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let list = match rest.strip_prefix('{') {
            Some(braced) => {
                let mut depth = 1;
                let end = braced.find(|c: char| {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    depth == 0
                });
                top_level(&braced[..end.unwrap_or(braced.len())])
            }
            None => vec![rest],
        };
        for item in list {
            let name: String = item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            names.push(name);
        }
    }
    names
}

/// Splits at commas that are in no inner braces.
fn top_level(list: &str) -> Vec<&str> {
    let (mut items, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&list[start..]);
    items
}

#[test]
fn modules_import_from_their_own_layer_and_below() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for file in files {
        let inner = file.strip_prefix(&root).unwrap();
        let module = inner.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        if matches!(module, "lib" | "main") {
            continue;
        }
        let own = layer(module);
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for name in named(line) {
                // Macros and items of the root itself are no modules.
                let Some(other) = LAYERS.iter().position(|layer| layer.contains(&name.as_str())) else { continue };
                looked_at += 1;
                if other < own || STRANGERS.contains(&(module, name.as_str())) {
                    wrong.push(format!(
                        "src/{}:{}: `{module}` imports `{name}`: {}",
                        inner.display(),
                        number + 1,
                        line.trim()
                    ));
                }
            }
        }
    }
    assert!(looked_at > 100, "the test reads imports: {looked_at} found");
    assert!(wrong.is_empty(), "imports against the layers:\n{}", wrong.join("\n"));
}

#[test]
fn every_way_to_write_an_import_is_read() {
    assert_eq!(named("use crate::kernel::time::SimTime;"), ["kernel"]);
    assert_eq!(named("use crate::{network, node::{Node, Stats}, ring};"), ["network", "node", "ring"]);
    assert_eq!(named("    let x = crate::version::order(a, crate::store::Table::new());"), ["version", "store"]);
    assert!(named("// crate::cli is not imported here").is_empty());
}
