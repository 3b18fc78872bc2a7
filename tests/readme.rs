//! The README keeps its word: its scenarios are valid, its output is what the program prints, its links lead somewhere.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "tests read the pages, start the program, and say what they rewrote"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use dynamo_sim::scenario::build::run_config;
use dynamo_sim::scenario::load;
use dynamo_sim::scenario::source::Memory;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(name)).expect("the page is there")
}

/// The text between a fence of this language and its end.
fn fenced(page: &str, language: &str) -> Vec<String> {
    let fence = format!("\n```{language}\n");
    page.split(fence.as_str())
        .skip(1)
        .map(|rest| rest.split("\n```").next().expect("a fence ends").to_string())
        .collect()
}

#[test]
fn every_example_of_the_readme_makes_a_run() {
    let examples = fenced(&page("README.md"), "json");
    assert_eq!(examples.len(), 5, "the format is shown in five steps");
    for text in examples {
        let loaded = load(&Memory::new("README.json", &text), &[]).unwrap_or_else(|errors| panic!("{text}\n{errors}"));
        for setting in &loaded.settings {
            let built = run_config(&setting.spec, 1, &loaded.files);
            assert!(built.is_ok(), "{text}\n{:?}", built.err());
        }
    }
}

#[test]
fn the_readme_shows_what_the_program_prints() {
    const MARK: &str = "<!-- quickstart";
    let readme = page("README.md");
    let out = tempfile::tempdir().expect("a folder for results");
    let run = Command::new(env!("CARGO_BIN_EXE_dynamo-sim"))
        .args(["run", "scenarios/quickstart.json", "--out"])
        .arg(out.path())
        .current_dir(ROOT)
        .output()
        .expect("the program starts");
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    let printed = String::from_utf8(run.stdout).expect("it prints text");
    let shown = printed.replace(out.path().to_str().expect("a path is text"), "results/quickstart/run-1");
    let marked = readme.find(MARK).expect("the output has its mark");
    let begin = marked + readme[marked..].find("```text\n").expect("a fence follows the mark") + "```text\n".len();
    let end = begin + readme[begin..].find("```").expect("the fence ends");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text = format!("{}{shown}{}", &readme[..begin], &readme[end..]);
        std::fs::write(Path::new(ROOT).join("README.md"), text).expect("the page is written");
        eprintln!("rewrote the output in README.md");
        return;
    }
    assert_eq!(&readme[begin..end], shown, "rewrite it: UPDATE_GOLDEN=1 cargo test --test readme");
}

/// Whether lines are those shown. `…` alone stands for lines left out, at the end of a line for the rest of it.
fn shows(shown: &[&str], printed: &[&str]) -> bool {
    let Some((&first, rest)) = shown.split_first() else { return printed.is_empty() };
    if first.trim() == "…" {
        return (0..=printed.len()).any(|left_out| shows(rest, &printed[left_out..]));
    }
    let is_first = |line: &str| first.strip_suffix('…').map_or(line == first, |begin| line.starts_with(begin));
    printed.split_first().is_some_and(|(line, others)| is_first(line.trim_end()) && shows(rest, others))
}

#[test]
fn a_failing_seed_becomes_five_lines_as_the_readme_shows() {
    let readme = page("README.md");
    let marked = readme.split("<!-- shop").nth(1).expect("the scenario has its mark");
    let folder = tempfile::tempdir().expect("a folder to work in");
    std::fs::write(folder.path().join("shop.json"), &fenced(marked, "jsonc")[0]).expect("the scenario is written");
    let sessions = fenced(marked, "console").join("\n");
    let commands: Vec<&str> = sessions.split("$ ").skip(1).collect();
    assert_eq!(commands.len(), 6, "check, trace, shrink, what came of it, run, and a cure");
    for session in commands {
        let (command, shown) = session.split_once('\n').unwrap_or((session, ""));
        let mut words = command.split(' ');
        let program = match words.next() {
            Some("dynamo-sim") => env!("CARGO_BIN_EXE_dynamo-sim"),
            Some(other) => other,
            None => unreachable!("a text has a first word"),
        };
        let run = Command::new(program).args(words).current_dir(folder.path()).output().expect("the program starts");
        let printed = String::from_utf8(run.stdout).expect("it prints text");
        let shown: Vec<&str> = shown.trim_end().lines().collect();
        let lines: Vec<&str> = printed.trim_end().lines().collect();
        assert!(shows(&shown, &lines), "{command} prints\n{printed}");
    }
}

/// As GitHub and rustdoc make them of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn links_lead_somewhere() {
    let docs = std::fs::read_dir(Path::new(ROOT).join("docs")).expect("the pages are there");
    let docs = docs.map(|entry| format!("docs/{}", entry.expect("an entry").file_name().display()));
    let mut pages: Vec<String> = std::iter::once("README.md".to_string()).chain(docs).collect();
    pages.sort();
    assert!(pages.len() > 5, "{pages:?}");
    for name in pages {
        let name = name.as_str();
        let text = page(name);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") {
                continue;
            }
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let folder = Path::new(ROOT).join(name).parent().expect("a page lies in a folder").to_path_buf();
            let target = if file.is_empty() { Path::new(ROOT).join(name) } else { folder.join(file) };
            assert!(target.exists(), "{name} links to {link}");
            if !fragment.is_empty() {
                let text = std::fs::read_to_string(&target).expect("the page is readable");
                let known = text.lines().filter_map(|line| line.strip_prefix('#'));
                let is_known = known.map(|line| anchor(line.trim_start_matches('#'))).any(|known| known == fragment);
                assert!(is_known, "{name} links to {link}, and there is no such heading");
            }
        }
    }
}

fn scenarios() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(Path::new(ROOT).join("scenarios")).expect("the examples are there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
}

#[test]
fn the_reference_names_every_example_and_every_example_says_what_it_shows() {
    let reference = page("docs/scenarios.md");
    for file in scenarios() {
        let stem = file.file_stem().expect("a file has a name").to_str().expect("a name is text");
        let known = reference.contains(&format!("`{stem}`"));
        let counterexample = stem.starts_with("ce-");
        assert!(known || counterexample, "docs/scenarios.md sorts {stem} by what it shows");
        let value: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&file).expect("it is readable")).expect("it is JSON");
        let about = value["about"].as_str().unwrap_or("");
        assert!(!about.is_empty() && !about.contains('\n'), "{stem} has one line about it");
        assert!(about.chars().count() <= 160, "{stem}: the line about it is short: {}", about.chars().count());
    }
}

/// Every field and every word that the schema knows.
fn vocabulary(schema: &serde_json::Value, words: &mut std::collections::BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(object) => {
            let fields = object.get("properties").and_then(|properties| properties.as_object());
            words.extend(fields.into_iter().flat_map(|fields| fields.keys().cloned()));
            let allowed = object.get("enum").and_then(|allowed| allowed.as_array());
            words.extend(allowed.into_iter().flatten().filter_map(|word| word.as_str()).map(String::from));
            object.values().for_each(|value| vocabulary(value, words));
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| vocabulary(value, words)),
        _ => {}
    }
}

#[test]
fn the_reference_has_every_field_and_every_word_of_the_format() {
    let reference = page("docs/scenarios.md");
    let mut words = std::collections::BTreeSet::new();
    vocabulary(&dynamo_sim::scenario::schema(), &mut words);
    assert!(words.len() > 200, "the schema has a vocabulary: {}", words.len());
    let known: std::collections::BTreeSet<&str> =
        reference.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$').collect();
    let missing: Vec<&String> = words.iter().filter(|word| !known.contains(word.as_str())).collect();
    assert!(missing.is_empty(), "docs/scenarios.md does not say what these are: {missing:?}");
}
