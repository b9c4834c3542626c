//! The file of a table, read whole: what happens to it later does not matter.

use crate::error::Error;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A table of every city, with names in eight languages, has a seventh of this.
pub(crate) const LIMIT: u64 = 1 << 30;

/// What tells one state of a file from another without reading it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Stamp {
    inode: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    sum: Option<[u8; 32]>,
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

    fn new(metadata: &Metadata, sum: Option<[u8; 32]>) -> Self {
        Self {
            inode: (metadata.dev(), metadata.ino()),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            sum,
        }
    }
}

/// The bytes of the file at `path`, which is in the state `stamp` before and after.
pub(crate) fn read(path: &Path, stamp: &Stamp) -> Result<Vec<u8>, Error> {
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
    match stamp.sum {
        Some(sum) if sum != <[u8; 32]>::from(Sha256::digest(&bytes)) => {
            Err(Error::Sum { path: path.to_owned(), sum: sum_path(path) })
        }
        _ => Ok(bytes),
    }
}

fn sum_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".sha256");
    name.into()
}

/// The sum in `FILE.sha256`, as `sha256sum` writes it; `None` where there is no such file.
fn expected_sum(path: &Path) -> Result<Option<[u8; 32]>, Error> {
    let sum = sum_path(path);
    match fs::read_to_string(&sum) {
        Ok(text) => match text.split_whitespace().next().and_then(digest) {
            Some(digest) => Ok(Some(digest)),
            None => Err(Error::Sum { path: path.to_owned(), sum }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::Read { path: sum, cause }),
    }
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let nibble = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(nibble(high)? << 4 | nibble(low)?),
        _ => None,
    });
    pairs.collect::<Option<Vec<u8>>>()?.try_into().ok()
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
        assert_eq!(read(&path, &stamp).unwrap(), b"first");
        for next in ["longer than first", "1", "first"] {
            fs::write(folder.path().join("new"), next).unwrap();
            fs::rename(folder.path().join("new"), &path).unwrap();
            assert!(matches!(read(&path, &stamp), Err(Error::Changed { .. })), "{next}");
        }
    }

    #[test]
    fn a_sum_is_sixty_four_digits() {
        assert_eq!(digest(&"0f".repeat(32)), Some([15; 32]));
        assert_eq!(digest(&"0F".repeat(32)), Some([15; 32]));
        for wrong in ["", "0f", &"0f".repeat(33), &"0g".repeat(32), &"0".repeat(63)] {
            assert_eq!(digest(wrong), None, "{wrong}");
        }
    }
}
