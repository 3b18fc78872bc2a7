//! `list`: what scenarios there are, with one line about each.

use std::path::Path;

use super::BAD_INPUT;
use super::out::{print_data, say};
use crate::node::marks::Mark;
use crate::report::run_dir::sorted_entries;
use crate::scenario;
use crate::scenario::source::Disk;

/// Prints a line for each rare state that runs count.
pub(super) fn marks() -> u8 {
    let width = Mark::ALL.iter().map(|mark| mark.name().len()).max().unwrap_or(0);
    let lines = Mark::ALL.iter().map(|mark| format!("{:width$}  {}\n", mark.name(), mark.about()));
    print_data(lines.collect::<String>().as_bytes())
}

/// Prints a line for each scenario of a directory.
pub(super) fn list(directory: &str) -> u8 {
    let names = match sorted_entries(Path::new(directory)) {
        Ok(names) => names,
        Err(error) => {
            say(&format!("{directory}: {error}"));
            return BAD_INPUT;
        }
    };
    let mut lines = Vec::new();
    for name in names {
        let Some(stem) = name.strip_suffix(".json").or_else(|| name.strip_suffix(".jsonc")) else { continue };
        let path = Path::new(directory).join(&name);
        let loaded = Disk::open(&path.to_string_lossy()).map(|source| scenario::load(&source, &[]));
        let about = match loaded {
            Ok(Ok(loaded)) => loaded.about,
            Ok(Err(_)) | Err(_) => "(has errors: `dynamo-sim validate` names them)".to_string(),
        };
        lines.push((stem.to_string(), about));
    }
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let text: String =
        lines.iter().map(|(name, about)| format!("{name:width$}  {about}").trim_end().to_string() + "\n").collect();
    print_data(text.as_bytes())
}
