//! Files of lines, one a day, that are kept for a while.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::macros::format_description;

const ENDING: &str = ".jsonl";

/// Appends lines to the file of their day.
#[derive(Debug)]
pub(super) struct Daily {
    folder: PathBuf,
    /// Bytes of all files together at most.
    most: u64,
    /// The day of the file, and the file.
    open: Option<(String, File)>,
    /// Whether the last line may have no end.
    torn: bool,
}

impl Daily {
    pub(super) fn new(folder: PathBuf, most: u64) -> Self {
        Self { folder, most, open: None, torn: false }
    }

    /// Appends `line`, which has its end, to the file of the day of `time`; a new day forgets days before `keep`.
    pub(super) fn append(&mut self, time: SystemTime, line: &[u8], keep: Duration) -> io::Result<()> {
        let day = day(time);
        if self.open.as_ref().is_none_or(|(open, _)| *open != day) {
            make(&self.folder)?;
            self.forget(time, keep)?;
            let (file, torn) = begin(&self.folder.join(format!("{day}{ENDING}")))?;
            (self.open, self.torn) = (Some((day, file)), torn);
        }
        let Some((_, file)) = &mut self.open else { return Ok(()) };
        // In one write: another process may append to the same file.
        let written =
            if self.torn { file.write_all(&[b"\n".as_slice(), line].concat()) } else { file.write_all(line) };
        self.torn = written.is_err();
        if written.is_err() {
            // The folder may have been taken away; the next line looks again.
            self.open = None;
        }
        written
    }

    /// Removes the days that are over, and the oldest while all together are too large.
    fn forget(&self, time: SystemTime, keep: Duration) -> io::Result<()> {
        let first = time.checked_sub(keep).map(day).unwrap_or_default();
        let mut known = days(&self.folder)?;
        let mut sizes: Vec<u64> = known.iter().map(|(_, path)| size(path)).collect();
        while let Some((oldest, path)) = known.first() {
            let too_large = known.len() > 1 && sizes.iter().sum::<u64>() > self.most;
            if *oldest >= first && !too_large {
                break;
            }
            fs::remove_file(path)?;
            known.remove(0);
            sizes.remove(0);
        }
        Ok(())
    }
}

/// The days that have a file in `folder`, in order; none where there is no folder.
///
/// # Errors
/// The folder cannot be read.
pub fn days(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let each = match fs::read_dir(folder) {
        Ok(each) => each,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(cause),
    };
    let mut days = Vec::new();
    for entry in each {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(day) = name.and_then(|name| name.strip_suffix(ENDING)) {
            days.push((day.to_owned(), path));
        }
    }
    days.sort_unstable();
    Ok(days)
}

/// The day of `time`, in UTC.
pub(super) fn day(time: SystemTime) -> String {
    let format = format_description!("[year]-[month]-[day]");
    OffsetDateTime::from(time).format(format).unwrap_or_default()
}

/// Makes a folder for its owner alone, where it is not there.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Removes the files of `folder` that were not used for `keep`, and those that were not used for longest while all
/// together are too large; but never `used`.
pub(super) fn forget(folder: &Path, keep: Duration, most: u64, used: &Path) -> io::Result<()> {
    let first = SystemTime::now().checked_sub(keep).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let data = entry.metadata()?;
        files.push((data.modified()?, data.len(), entry.path()));
    }
    files.sort_unstable();
    let mut all: u64 = files.iter().map(|(_, size, _)| size).sum();
    for (time, size, path) in files {
        if path != used && (time < first || all > most) {
            fs::remove_file(path)?;
            all -= size;
        }
    }
    Ok(())
}

/// Opens a file to append to, and says whether its last line has no end.
fn begin(path: &Path) -> io::Result<(File, bool)> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok((file, false));
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok((file, last != *b"\n"))
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |data| data.len())
}
