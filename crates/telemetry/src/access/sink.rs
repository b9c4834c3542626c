//! Where the lines of the access log go.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where the lines go: a stream, or the file at a path, which can be opened anew.
pub struct Sink {
    stream: Box<dyn Write + Send>,
    file: Option<(PathBuf, File)>,
    /// Whether the last line has no end.
    torn: bool,
}

impl Sink {
    /// Goes to `stream`.
    #[must_use]
    pub fn stream(stream: impl Write + Send + 'static) -> Self {
        Self { stream: Box::new(stream), file: None, torn: false }
    }

    /// Goes to the file at `path` from now on, or back to the stream. Where it cannot be opened all stays as it is.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn turn(&mut self, path: Option<&Path>) -> io::Result<()> {
        self.file = match path {
            Some(path) => Some((path.to_owned(), open(path)?)),
            None => None,
        };
        self.torn = false;
        Ok(())
    }

    /// Opens its file anew, wherever the old one went.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        match self.file.as_ref().map(|(path, _)| path.clone()) {
            Some(path) => self.turn(Some(&path)),
            None => Ok(()),
        }
    }

    /// Whether the file at `path` can be written to.
    ///
    /// # Errors
    /// It cannot.
    pub fn probe(path: &Path) -> io::Result<()> {
        open(path).map(drop)
    }

    /// Writes whole lines; how many were lost.
    pub(super) fn lines(&mut self, lines: &[u8]) -> u64 {
        let torn = std::mem::take(&mut self.torn);
        let out: &mut dyn Write = match &mut self.file {
            Some((_, file)) => file,
            None => &mut self.stream,
        };
        // What could not be ended the last time takes no other line with it.
        if torn && out.write_all(b"\n").is_err() {
            self.torn = true;
            return count(lines);
        }
        let mut rest = lines;
        while !rest.is_empty() {
            match out.write(rest) {
                Ok(0) => break,
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let written = lines.len() - rest.len();
        self.torn = written > 0 && lines.get(written - 1) != Some(&b'\n');
        if rest.is_empty() && out.flush().is_err() {
            return count(lines);
        }
        count(rest)
    }
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Opens the file to append to. Where it is a pipe, nobody waits for who should read it: neither here nor later.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(libc::O_NONBLOCK).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Takes so many bytes, and no more until it is told otherwise.
    #[derive(Clone, Default)]
    struct Full(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut held = self.0.lock().unwrap();
            let room = held.1.min(bytes.len());
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            held.1 -= room;
            held.0.extend_from_slice(&bytes[..room]);
            Ok(room)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_a_full_disk_has_cut_takes_no_other_with_it() {
        let full = Full::default();
        let mut sink = Sink::stream(full.clone());
        full.0.lock().unwrap().1 = 6;
        assert_eq!(sink.lines(b"one\ntwo\nthree\n"), 2);
        assert_eq!(sink.lines(b"four\n"), 1);
        full.0.lock().unwrap().1 = 100;
        assert_eq!(sink.lines(b"five\n"), 0);
        assert_eq!(full.0.lock().unwrap().0, b"one\ntw\nfive\n");
    }

    #[test]
    fn a_file_that_cannot_be_opened_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let mut sink = Sink::stream(io::sink());
        sink.turn(Some(&path)).unwrap();
        sink.lines(b"one\n");
        assert!(sink.turn(Some(&folder.path().join("none/access.log"))).is_err());
        std::fs::rename(&path, folder.path().join("old")).unwrap();
        sink.lines(b"two\n");
        sink.reopen().unwrap();
        sink.lines(b"three\n");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!((read("old").as_str(), read("access.log").as_str()), ("one\ntwo\n", "three\n"));
    }
}
