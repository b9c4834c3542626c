//! The file of a table, read whole: what happens to it later does not matter.

use crate::error::Error;
use data_encoding::HEXLOWER_PERMISSIVE;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A SHA-256.
pub(crate) type Digest = [u8; 32];

/// A table of every city, with names in eight languages, has a seventh of this.
pub(crate) const LIMIT: u64 = 1 << 30;

/// What tells one state of a file from another without reading it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Stamp {
    inode: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    sum: Option<Digest>,
}

impl Stamp {
    /// The state of the file at `path`, and of the sum beside it.
    pub(crate) fn of(path: &Path) -> Result<Self, Error> {
        let read = |cause| Error::Read { path: path.to_owned(), cause };
        let metadata = fs::metadata(path).map_err(read)?;
        if !metadata.is_file() {
            return Err(read(io::Error::other("it is no regular file")));
        }
        Ok(Self::new(&metadata, expected_sum(path)?))
    }

    fn new(metadata: &Metadata, sum: Option<Digest>) -> Self {
        Self {
            inode: (metadata.dev(), metadata.ino()),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            sum,
        }
    }
}

/// The bytes of the file at `path`, which is in the state `stamp` before and after, and their SHA-256.
pub(crate) fn read(path: &Path, stamp: &Stamp) -> Result<(Vec<u8>, Digest), Error> {
    let failed = |cause| Error::Read { path: path.to_owned(), cause };
    if stamp.length > LIMIT {
        return Err(Error::TooLarge { path: path.to_owned(), bytes: stamp.length, limit: LIMIT });
    }
    let mut file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::with_capacity(usize::try_from(stamp.length).unwrap_or_default());
    // A byte more than announced shows that the file grows.
    file.by_ref().take(stamp.length + 1).read_to_end(&mut bytes).map_err(failed)?;
    let after = Stamp::new(&file.metadata().map_err(failed)?, stamp.sum);
    if after != *stamp || u64::try_from(bytes.len()) != Ok(stamp.length) {
        return Err(Error::Changed { path: path.to_owned() });
    }
    let digest = Digest::from(Sha256::digest(&bytes));
    if stamp.sum.is_some_and(|sum| sum != digest) {
        return Err(Error::Sum { path: path.to_owned(), sum: sum_path(path) });
    }
    Ok((bytes, digest))
}

/// Where the sum of the table at `path` may stand: beside it, in the form of `sha256sum`.
#[must_use]
pub fn sum_path(path: &Path) -> PathBuf {
    path.with_added_extension("sha256")
}

/// The sum in `FILE.sha256`, as `sha256sum` writes it; `None` where there is no such file.
fn expected_sum(path: &Path) -> Result<Option<Digest>, Error> {
    let sum = sum_path(path);
    match fs::read_to_string(&sum) {
        Ok(text) => match text.split_whitespace().next().and_then(sum_of) {
            Some(known) => Ok(Some(known)),
            None => Err(Error::Sum { path: path.to_owned(), sum }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::Read { path: sum, cause }),
    }
}

fn sum_of(digits: &str) -> Option<Digest> {
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_while_it_is_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.mmdb");
        fs::write(&path, "first").unwrap();
        let stamp = Stamp::of(&path).unwrap();
        let (bytes, digest) = read(&path, &stamp).unwrap();
        assert_eq!((bytes.as_slice(), digest), (b"first".as_slice(), Sha256::digest(b"first").into()));
        for next in ["longer than first", "1", "first"] {
            fs::write(folder.path().join("new"), next).unwrap();
            fs::rename(folder.path().join("new"), &path).unwrap();
            assert!(matches!(read(&path, &stamp), Err(Error::Changed { .. })), "{next}");
        }
    }

    #[test]
    fn a_sum_is_sixty_four_digits() {
        assert_eq!(sum_of(&"0f".repeat(32)), Some([15; 32]));
        assert_eq!(sum_of(&"0F".repeat(32)), Some([15; 32]));
        for wrong in ["", "0f", &"0f".repeat(33), &"0g".repeat(32), &"0".repeat(63)] {
            assert_eq!(sum_of(wrong), None, "{wrong}");
        }
    }
}
