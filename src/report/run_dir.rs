//! A directory of results: refused before the simulation if it cannot be written, filled file by file.
//!
//! A file appears under its name only when it is whole: it is written under another name, forced to disk and renamed.
//! The manifest comes last and names all others.

use std::fmt;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
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
}

impl RunDir {
    /// Makes the directory if it is missing and makes sure that it can be written. One that holds anything but
    /// earlier results of the same scenario is refused, unless `force` says so.
    ///
    /// # Errors
    /// If it is a file, cannot be made or written, or holds something else.
    pub fn prepare(path: &Path, scenario_hash: &str, force: bool) -> Result<RunDir, OutputError> {
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
        if !names.is_empty() && !is_same && !force {
            return Err(fail("holds other results; --force overwrites them".into()));
        }
        let probe = path.join("writable.partial");
        fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)).map_err(system)?;
        // What the earlier manifest names would be stale beside the new files.
        let old = manifest.as_ref().and_then(|manifest| manifest["files"].as_object());
        for name in old.into_iter().flat_map(|files| files.keys()).filter(|name| !name.contains(['/', '\\'])) {
            match fs::remove_file(path.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(system(error)),
                _ => {}
            }
        }
        Ok(RunDir { path: path.to_path_buf(), written: Vec::new() })
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
    pub fn finish(mut self, scenario_hash: &str, seeds: &[u64], digests: &[String]) -> Result<PathBuf, OutputError> {
        self.written.sort();
        let files: serde_json::Map<String, Json> =
            self.written.iter().map(|(name, hash)| (name.clone(), json!(format!("{hash:032x}")))).collect();
        let manifest = json!({
            "scenario_hash": scenario_hash,
            "program": program(),
            "seeds": seeds,
            "digests": digests,
            "files": files,
        });
        self.write(MANIFEST, pretty(&manifest).as_bytes())?;
        Ok(self.path)
    }
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

    #[test]
    fn files_appear_whole_and_the_manifest_names_them() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("results/run-1");
        let mut run = RunDir::prepare(&path, "abc", false).expect("it can be made");
        run.write("a.csv", b"x\n").expect("it can be written");
        run.finish("abc", &[1], &["ff".into()]).expect("it can be written");
        assert_eq!(sorted_entries(&path).expect("it is there"), ["a.csv", "manifest.json"]);
        let manifest = fs::read_to_string(path.join("manifest.json")).expect("it is there");
        assert!(manifest.contains("\"scenario_hash\": \"abc\"") && manifest.contains("\"a.csv\""), "{manifest}");
    }

    #[test]
    fn other_results_are_refused_without_force() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        RunDir::prepare(path, "abc", false).expect("it is empty").finish("abc", &[1], &[]).expect("it can be written");
        assert!(RunDir::prepare(path, "abc", false).is_ok(), "the same scenario may run again");
        let error = RunDir::prepare(path, "def", false).expect_err("another scenario's results are there");
        assert!(error.reason.contains("--force"), "{error}");
        assert!(RunDir::prepare(path, "def", true).is_ok());
    }

    #[test]
    fn a_file_is_no_directory() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("file");
        fs::write(&path, b"").expect("it can be written");
        assert!(RunDir::prepare(&path, "abc", true).is_err());
        assert!(RunDir::prepare(&path.join("below"), "abc", true).is_err());
    }
}
