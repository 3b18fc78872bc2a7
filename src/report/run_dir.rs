//! A directory of results: refused before the simulation if it cannot be written, filled file by file.
//!
//! A file appears under its name only when it is whole: it is written under another name, forced to disk and renamed.
//! The manifest comes last and names all others.

use std::fmt;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json, json};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Why results could not be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputError {
    /// Which file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for OutputError {}

const MANIFEST: &str = "manifest.json";

/// A directory that may be written.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
    written: Vec<(String, u128)>,
    /// Files of earlier results, the manifest first. They stay until the first new one is whole: a run that is
    /// stopped takes nothing away.
    earlier: Vec<String>,
}

/// What a directory must be before results go there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum May {
    /// Empty, or hold earlier results of the same scenario.
    Begin,
    /// Whatever it holds, it may be overwritten.
    Overwrite,
}

impl RunDir {
    /// Makes the directory if it is missing and makes sure that it can be written. One that holds anything but
    /// earlier results of the same scenario is refused, unless it may be overwritten.
    ///
    /// # Errors
    /// If it is a file, cannot be made or written, or holds something else.
    pub fn prepare(path: &Path, scenario_hash: &str, may: May) -> Result<RunDir, OutputError> {
        let fail = |reason: String| OutputError { path: path.to_path_buf(), reason };
        let system = |error: std::io::Error| fail(error.to_string());
        if path.exists() && !path.is_dir() {
            return Err(fail("is a file, and a directory is needed".into()));
        }
        fs::create_dir_all(path).map_err(system)?;
        let entries = sorted_entries(path).map_err(system)?;
        let names: Vec<String> = entries.into_iter().filter(|name| !name.ends_with(".partial")).collect();
        let manifest = fs::read(path.join(MANIFEST)).ok().and_then(|bytes| serde_json::from_slice::<Json>(&bytes).ok());
        let is_same = manifest.as_ref().is_some_and(|manifest| manifest["scenario_hash"] == scenario_hash);
        if !names.is_empty() && !is_same && may == May::Begin {
            return Err(fail("holds other results; --force overwrites them".into()));
        }
        let probe = path.join("writable.partial");
        fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)).map_err(system)?;
        // What the earlier manifest names would be stale beside the new files.
        let old = manifest.as_ref().and_then(|manifest| manifest["files"].as_object());
        let old = old.into_iter().flat_map(|files| files.keys()).filter(|name| !name.contains(['/', '\\'])).cloned();
        let earlier = manifest.is_some().then(|| MANIFEST.to_string()).into_iter().chain(old).collect();
        Ok(RunDir { path: path.to_path_buf(), written: Vec::new(), earlier })
    }

    /// Takes away what earlier results are there.
    fn clear(&mut self) -> Result<(), OutputError> {
        for name in std::mem::take(&mut self.earlier) {
            self.remove(&name)?;
        }
        Ok(())
    }

    /// Takes away a file, if it is there.
    ///
    /// # Errors
    /// What the operating system says, and of which file.
    pub fn remove(&self, name: &str) -> Result<(), OutputError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(OutputError { path, reason: error.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one file, whole or not at all.
    ///
    /// # Errors
    /// What the operating system says, and of which file.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), OutputError> {
        self.clear()?;
        write_new(&self.path.join(name), bytes)?;
        self.written.push((name.to_string(), xxh3_128(bytes)));
        Ok(())
    }

    /// Begins a file that is written piece by piece while a run goes on. It appears when it is [kept](RunDir::keep).
    ///
    /// # Errors
    /// As [`RunDir::write`].
    pub fn begin(&self, name: &str) -> Result<Partial, OutputError> {
        let partial = self.path.join(format!("{name}.partial"));
        match fs::File::create(&partial) {
            Ok(file) => Ok(Partial { file: BufWriter::new(file), hash: Xxh3::new() }),
            Err(error) => Err(OutputError { path: partial, reason: error.to_string() }),
        }
    }

    /// The file is whole, or writing it has failed: then nothing of it stays.
    ///
    /// # Errors
    /// As [`RunDir::write`].
    pub fn keep(&mut self, name: &str, written: std::io::Result<Partial>) -> Result<(), OutputError> {
        if written.is_ok() {
            self.clear()?;
        }
        let path = self.path.join(name);
        let partial = self.path.join(format!("{name}.partial"));
        let kept = written.and_then(|written| {
            let hash = written.hash.digest128();
            let file = written.file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.sync_all()?;
            fs::rename(&partial, &path).map(|()| hash)
        });
        let hash = kept.map_err(|error| {
            let _ = fs::remove_file(&partial);
            OutputError { path: path.clone(), reason: error.to_string() }
        })?;
        self.written.push((name.to_string(), hash));
        Ok(())
    }

    /// Writes the manifest: what was run, by what, and the hashes of all files written.
    ///
    /// # Errors
    /// As [`RunDir::write`].
    pub fn finish(&mut self, manifest: &Manifest<'_>) -> Result<(), OutputError> {
        self.written.sort();
        let files: Map<String, Json> =
            self.written.iter().map(|(name, hash)| (name.clone(), json!(format!("{hash:032x}")))).collect();
        let mut json = json!({ "scenario_hash": manifest.scenario_hash, "program": program() });
        if !manifest.set.is_empty() {
            json["set"] = manifest.set.iter().map(|(path, value)| (path.clone(), json!(value))).collect();
        }
        if let Some((number, of)) = manifest.shard {
            json["shard"] = json!([number, of]);
        }
        json["seeds"] = json!(manifest.seeds);
        json["digests"] = json!(manifest.digests);
        json["files"] = Json::Object(files);
        self.write(MANIFEST, pretty(&json).as_bytes())
    }
}

/// What a manifest says, besides the files.
#[derive(Clone, Debug, Default)]
pub struct Manifest<'a> {
    /// Hash of the scenario and of what was set, as 32 hexadecimal digits.
    pub scenario_hash: &'a str,
    /// What the command line has set: path and value.
    pub set: &'a [(String, String)],
    /// Number of the shard from 1, and of how many.
    pub shard: Option<(u32, u32)>,
    /// All seeds, in order.
    pub seeds: &'a [u64],
    /// The names of the runs, in order.
    pub digests: &'a [String],
}

/// A file that is not whole yet.
pub struct Partial {
    file: BufWriter<fs::File>,
    hash: Xxh3,
}

impl Write for Partial {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Writes one file under another name and renames it: it is there whole or not at all.
///
/// # Errors
/// What the operating system says, and of which file.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), OutputError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let write = || {
        let mut file = fs::File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write().map_err(|error: std::io::Error| {
        // A half-written file must not stay; that it cannot be removed either says nothing new.
        let _ = fs::remove_file(&partial);
        OutputError { path: path.to_path_buf(), reason: error.to_string() }
    })
}

/// The program and its version.
pub fn program() -> String {
    format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
}

/// JSON as files hold it: two spaces, and a line's end at the end.
pub fn pretty(json: &Json) -> String {
    let mut text = serde_json::to_string_pretty(json).expect("a JSON value has a text");
    text.push('\n');
    text
}

/// Names of what a directory holds, sorted: the operating system gives them in no order.
///
/// # Errors
/// What the operating system says.
#[expect(clippy::disallowed_methods, reason = "here the order is made")]
pub fn sorted_entries(path: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scenario_hash: &str) -> Manifest<'_> {
        Manifest { scenario_hash, seeds: &[1], ..Manifest::default() }
    }

    #[test]
    fn earlier_results_stay_until_new_ones_are_there() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        let mut run = RunDir::prepare(path, "abc", May::Begin).expect("it can be made");
        run.write("a.csv", b"x\n").expect("it can be written");
        run.finish(&of("abc")).expect("it can be written");
        let mut again = RunDir::prepare(path, "abc", May::Begin).expect("the same scenario may run again");
        assert_eq!(sorted_entries(path).expect("it is there"), ["a.csv", "manifest.json"], "nothing is new yet");
        again.write("b.csv", b"x\n").expect("it can be written");
        assert_eq!(sorted_entries(path).expect("it is there"), ["b.csv"], "old and new are never mixed");
    }

    #[test]
    fn files_appear_whole_and_the_manifest_names_them() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("results/run-1");
        let mut run = RunDir::prepare(&path, "abc", May::Begin).expect("it can be made");
        run.write("a.csv", b"x\n").expect("it can be written");
        run.finish(&of("abc")).expect("it can be written");
        assert_eq!(sorted_entries(&path).expect("it is there"), ["a.csv", "manifest.json"]);
        let manifest = fs::read_to_string(path.join("manifest.json")).expect("it is there");
        assert!(manifest.contains("\"scenario_hash\": \"abc\"") && manifest.contains("\"a.csv\""), "{manifest}");
    }

    #[test]
    fn other_results_are_refused_without_force() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        RunDir::prepare(path, "abc", May::Begin).expect("it is empty").finish(&of("abc")).expect("it can be written");
        assert!(RunDir::prepare(path, "abc", May::Begin).is_ok(), "the same scenario may run again");
        let error = RunDir::prepare(path, "def", May::Begin).expect_err("another scenario's results are there");
        assert!(error.reason.contains("--force"), "{error}");
        assert!(RunDir::prepare(path, "def", May::Overwrite).is_ok());
    }

    #[test]
    fn a_file_is_no_directory() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("file");
        fs::write(&path, b"").expect("it can be written");
        assert!(RunDir::prepare(&path, "abc", May::Overwrite).is_err());
        assert!(RunDir::prepare(&path.join("below"), "abc", May::Overwrite).is_err());
    }
}
