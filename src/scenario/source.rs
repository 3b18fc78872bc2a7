//! Where a scenario's text and the files it names come from.
//!
//! A run never reads a file: the text is handed in, and files that it names are asked for here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::json::MAX_BYTES;

/// Gives the files that a scenario names.
pub trait Source: Sync {
    /// How messages speak of the scenario: the file's name, or `<stdin>`.
    fn name(&self) -> &str;
    /// The scenario's text.
    fn text(&self) -> &str;
    /// Whether comments and trailing commas are allowed in it.
    fn comments(&self) -> bool {
        self.name().ends_with(".jsonc")
    }
    /// The name of the experiment unless the scenario has one: the file's stem.
    fn stem(&self) -> &str {
        let name = self.name().rsplit(['/', '\\']).next().unwrap_or("");
        let stem = name.strip_suffix(".jsonc").or_else(|| name.strip_suffix(".json")).unwrap_or(name);
        if stem.starts_with(|c: char| c.is_ascii_alphabetic()) { stem } else { "scenario" }
    }
    /// The bytes of a file that the scenario names, relative to itself.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn file(&self, name: &str) -> Result<Vec<u8>, String>;
}

/// A scenario in memory, with the files it names.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// How messages speak of it.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Files by name.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Memory {
    /// A scenario that names no files.
    pub fn new(name: &str, text: &str) -> Memory {
        Memory { name: name.into(), text: text.into(), files: BTreeMap::new() }
    }
}

impl Source for Memory {
    fn name(&self) -> &str {
        &self.name
    }
    fn text(&self) -> &str {
        &self.text
    }
    fn file(&self, name: &str) -> Result<Vec<u8>, String> {
        self.files.get(name).cloned().ok_or_else(|| "no such file".to_string())
    }
}

/// A text that was made from a scenario, with the files of that one.
#[derive(Clone, Copy)]
pub struct Edited<'a> {
    /// How messages speak of it.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
    /// The scenario it was made from.
    pub of: &'a dyn Source,
}

impl Source for Edited<'_> {
    fn name(&self) -> &str {
        self.name
    }
    fn text(&self) -> &str {
        self.text
    }
    fn file(&self, name: &str) -> Result<Vec<u8>, String> {
        self.of.file(name)
    }
}

/// A scenario on disk.
#[derive(Clone, Debug)]
pub struct Disk {
    name: String,
    text: String,
    directory: PathBuf,
}

impl Disk {
    /// Reads a scenario; `-` is standard input.
    ///
    /// # Errors
    /// `path: reason`, in the words of the operating system.
    pub fn open(path: &str) -> Result<Disk, String> {
        use std::io::Read;
        let (bytes, name, directory) = if path == "-" {
            let mut bytes = Vec::new();
            let stdin = std::io::stdin().lock();
            stdin.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| format!("<stdin>: {error}"))?;
            (bytes, "<stdin>".to_string(), PathBuf::from("."))
        } else {
            let bytes = read_limited(Path::new(path)).map_err(|reason| format!("{path}: {reason}"))?;
            (bytes, path.to_string(), Path::new(path).parent().unwrap_or(Path::new(".")).to_path_buf())
        };
        let text = String::from_utf8(bytes)
            .map_err(|error| format!("{name}: not UTF-8 at byte {}", error.utf8_error().valid_up_to()))?;
        Ok(Disk { name, text, directory })
    }
}

/// The bytes of a file of at most [`MAX_BYTES`].
fn read_limited(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let meta = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if meta.is_dir() {
        return Err("is a directory".into());
    }
    if meta.len() > MAX_BYTES as u64 {
        return Err(format!("file is {} MB, limit {} MiB", meta.len() / 1_000_000, MAX_BYTES >> 20));
    }
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("file is more than {} MiB", MAX_BYTES >> 20));
    }
    Ok(bytes)
}

impl Source for Disk {
    fn name(&self) -> &str {
        &self.name
    }
    fn text(&self) -> &str {
        &self.text
    }
    fn file(&self, name: &str) -> Result<Vec<u8>, String> {
        read_limited(&self.directory.join(name))
    }
}
