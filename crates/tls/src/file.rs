//! Files as they are read and kept: bounded, and private where they hold a key.

use crate::problem::{Problem, Warning};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

const LARGEST: u64 = 1 << 20;

/// What a file holds, and whether everybody may read it.
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) open_to_others: bool,
}

impl Content {
    /// Reads `path`, which `routes.yaml` names at `key_path`.
    pub(crate) fn read(key_path: &str, path: &Path) -> Result<Self, Problem> {
        read(path).map_err(|cause| Problem::unreadable(key_path, path, &cause))
    }

    /// A warning when others can read the key that the file at `path` holds.
    pub(crate) fn exposure(&self, key_path: &str, path: &Path) -> Option<Warning> {
        let hint = format!("chmod o-r {}", path.display());
        self.open_to_others.then(|| Problem::new(key_path, path, "holds a key that others can read", &hint))
    }
}

fn read(path: &Path) -> io::Result<Content> {
    // Opening a FIFO waits for its other end, so the kind is asked first.
    let kind = fs::metadata(path)?;
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let file = File::open(path)?;
    let open_to_others = file.metadata()?.mode() & 0o004 != 0;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(Content { bytes, open_to_others })
}

/// The content of `name` in the state folder; made by `fresh`, and kept with mode 0600, when it is not there.
///
/// Two processes that start at the same time agree on one content: the first to link its file wins.
pub(crate) fn kept(folder: &Path, name: &str, fresh: impl FnOnce() -> Vec<u8>) -> io::Result<Vec<u8>> {
    let path = folder.join(name);
    match read(&path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
        found => return found.map(|content| content.bytes),
    }
    fs::create_dir_all(folder)?;
    let aside = write_aside(&path, &fresh(), 0o600)?;
    let linked = fs::hard_link(&aside, &path);
    match linked {
        Ok(()) => fs::remove_file(&aside)?,
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => fs::remove_file(&aside)?,
        // Some file systems have no hard links.
        Err(_) => fs::rename(&aside, &path)?,
    }
    read(&path).map(|content| content.bytes)
}

/// Puts `bytes` at `path` as a whole, whatever stood there.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    fs::rename(write_aside(path, bytes, mode)?, path)
}

fn write_aside(path: &Path, bytes: &[u8], mode: u32) -> io::Result<std::path::PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let own = format!(".{name}.{}.{:?}", std::process::id(), std::thread::current().id());
    let aside = path.with_file_name(own);
    match fs::remove_file(&aside) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_start_at_once_keep_one_content() {
        let folder = tempfile::tempdir().unwrap();
        let contents: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let folder = folder.path();
            let start = move |own| kept(folder, "key", || vec![own; 32]).unwrap();
            let tasks: Vec<_> = (0..8_u8).map(|own| scope.spawn(move || start(own))).collect();
            tasks.into_iter().map(|task| task.join().unwrap()).collect()
        });
        assert!(contents.iter().all(|content| *content == contents[0] && content.len() == 32));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        replace(&path, b"one", 0o644).unwrap();
        replace(&path, b"two", 0o600).unwrap();
        let content = read(&path).unwrap();
        assert_eq!((content.bytes.as_slice(), content.open_to_others), (b"two".as_slice(), false));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
