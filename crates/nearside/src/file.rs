//! The file: `routes.yaml` as it is found on disk.

use crate::out;
use anyhow::{Context, bail};
use nearside_config::{Problem, Report, Source};
use nearside_core::Generation;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A file that config has no objection to.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What it says; paths in it are relative to its folder no more.
    pub(crate) generation: Generation,
    /// The way from a key's path to its line.
    pub(crate) source: Source,
    /// What is doubtful about it.
    pub(crate) warnings: Vec<Problem>,
}

/// Reads and compiles the file at `path`: what is wrong with its content is a report.
///
/// # Errors
/// There is nothing to report on: the file cannot be read.
pub(crate) fn load(path: &Path) -> anyhow::Result<Result<Loaded, Report>> {
    let bytes = read(path)?;
    Ok(compile(path, &bytes))
}

/// The same for a command that needs a sound file: what is wrong with it is told, and there is `None`.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn load_or_tell(path: &Path) -> anyhow::Result<Option<Loaded>> {
    let loaded = load(path)?;
    Ok(loaded.inspect_err(|report| out::error(&report.to_string())).ok())
}

/// The text of the file at `path`.
///
/// # Errors
/// It cannot be read, or is no text.
pub(crate) fn text(path: &Path) -> anyhow::Result<String> {
    String::from_utf8(read(path)?).with_context(|| format!("{} is not UTF-8", path.display()))
}

fn compile(path: &Path, bytes: &[u8]) -> Result<Loaded, Report> {
    let name = path.display().to_string();
    let named = |report: Report| report.named(&name);
    let text = nearside_config::decode(bytes).map_err(named)?;
    let folder = folder(path);
    let (generation, source, warnings) = nearside_config::load_at(text, &folder).map_err(named)?;
    Ok(Loaded { generation, source: source.named(&name), warnings })
}

/// The folder that paths in the file are relative to: where the file is named, not where a link leads, so that a
/// mounted set of files that is swapped as a whole stays one set.
fn folder(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.parent().map(Path::to_owned).unwrap_or_default()
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let name = path.display();
    // Opening a FIFO waits for its other end, so the kind is asked first.
    let kind = fs::metadata(path).map_err(|cause| explained(path, cause))?;
    if kind.is_dir() {
        bail!("{name} is a directory; name the file in it, as in `{}`", path.join("routes.yaml").display());
    }
    if !kind.is_file() {
        bail!("{name} is no regular file; name a file");
    }
    let most = u64::try_from(nearside_config::MAX_BYTES).unwrap_or(u64::MAX);
    if kind.len() > most {
        let mebibytes = (kind.len() >> 20, most >> 20);
        bail!(
            "{name} has {} MiB, and {} MiB is the most that is read; is it the right file?",
            mebibytes.0,
            mebibytes.1
        );
    }
    let file = File::open(path).map_err(|cause| explained(path, cause))?;
    let mut bytes = Vec::with_capacity(usize::try_from(kind.len()).unwrap_or(0));
    file.take(most + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
    Ok(bytes)
}

fn explained(path: &Path, cause: io::Error) -> anyhow::Error {
    let name = path.display();
    match cause.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!(
            "{name} does not exist; name the file as the last argument, or write one (README.md shows a small one)"
        ),
        io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!(
                "{name} cannot be read: permission denied; let nearside's user read it and its folder"
            )
        }
        _ => anyhow::Error::new(cause).context(format!("cannot read {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "version: 1\nfleet: { key_file: secrets/fleet.key }\nregions: { a: {} }\nroutes:\n  - host: h.example\n    \
                        backends: [{ url: \"http://127.0.0.1:1\", region: a }]\nlisteners:\n  - { bind: \"127.0.0.1:2\" }\n";

    fn said(path: &Path) -> String {
        match load(path) {
            Err(error) => format!("{error:#}"),
            Ok(Err(report)) => report.to_string(),
            Ok(Ok(_)) => "fine".to_owned(),
        }
    }

    #[test]
    fn what_is_no_file_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let missing = said(&folder.path().join("routes.yaml"));
        assert!(missing.contains("routes.yaml does not exist; name the file"), "{missing}");
        let directory = said(folder.path());
        assert!(directory.contains("is a directory; name the file in it"), "{directory}");
        let device = said(Path::new("/dev/null"));
        assert!(device.contains("is no regular file"), "{device}");
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routes.yaml");
        File::create(&path).unwrap().set_len(100 << 20).unwrap();
        let told = said(&path);
        assert!(told.contains("has 100 MiB, and 16 MiB is the most"), "{told}");
    }

    #[test]
    fn what_is_no_text_is_reported_under_the_files_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routes.yaml");
        for (bytes, expected) in [(&b"version: 1\n\xff"[..], "UTF-8"), (b"version: 1\n\0", "NUL")] {
            fs::write(&path, bytes).unwrap();
            let told = said(&path);
            assert!(told.starts_with(&path.display().to_string()) && told.contains(expected), "{told}");
        }
    }

    #[test]
    fn paths_are_relative_to_the_folder_that_the_file_is_named_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routes.yaml");
        fs::write(&path, GOOD).unwrap();
        let loaded = load(&path).unwrap().unwrap();
        assert_eq!(loaded.generation.fleet.key_file, Some(folder.path().join("secrets/fleet.key")));
    }
}
