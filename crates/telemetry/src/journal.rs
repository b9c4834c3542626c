//! The journal: what has changed, and when, and why; with what else of the past is kept beside it.
//!
//! Everything is written by one thread behind a bounded queue, so that nobody waits for a disk. What cannot be
//! written is counted, told once in the log, and never the end of anything.

mod daily;
mod entry;
mod page;

pub use daily::days;
pub use entry::{Entry, Kind, moment, stamp};
pub use page::{Page, Span, pages};

use daily::Daily;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};
use tracing::{error, info};

/// Lines that wait for the disk at most.
const QUEUE: usize = 4096;
/// The most that one kind of file may take of the disk, however long it is to be kept.
const MOST: u64 = 512 << 20;

/// Entries that are remembered, and for how long before the process began.
const RECENT: usize = 1000;
const LATELY: Duration = Duration::from_hours(24);

/// Where the entries are, in the state folder.
pub const JOURNAL: &str = "journal";
/// Where the evidence is kept from time to time.
pub const EVIDENCE: &str = "evidence";
/// Where the texts of generations are kept.
pub const GENERATIONS: &str = "generations";

/// Writes the past down.
pub struct Journal {
    queue: SyncSender<Job>,
    keep_millis: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
    /// The latest entries, with their times: for who asks the process.
    recent: Mutex<VecDeque<(String, String)>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

enum Job {
    /// A line of the journal.
    Entry(SystemTime, Vec<u8>),
    /// A line of evidence.
    Evidence(SystemTime, Vec<u8>),
    /// A file that is written whole, where it is not there yet.
    File(PathBuf, Vec<u8>),
    /// A file that is in use still.
    Touch(PathBuf),
    Close,
}

impl Journal {
    /// Writes below the state folder `state`, and keeps what it writes for `keep`. What is lost counts in `lost`.
    ///
    /// # Errors
    /// The writing thread cannot be started.
    pub fn start(state: &Path, keep: Duration, lost: Arc<AtomicU64>) -> io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let keep_millis = Arc::new(AtomicU64::new(millis(keep)));
        let mut desk = Desk {
            state: state.to_owned(),
            entries: Daily::new(state.join(JOURNAL), MOST),
            evidence: Daily::new(state.join(EVIDENCE), MOST),
            keep_millis: Arc::clone(&keep_millis),
            lost: Arc::clone(&lost),
            failed: 0,
        };
        let write = move || desk.work(&jobs);
        let writer = thread::Builder::new().name("journal".to_owned()).spawn(write)?;
        let this =
            Self { queue, keep_millis, lost, recent: Mutex::default(), writer: Mutex::new(Some(writer)) };
        // What cannot be read is told when somebody asks the folder.
        let since = SystemTime::now().checked_sub(LATELY);
        let page = pages(&state.join(JOURNAL), Span { since, until: None }).unwrap_or_default();
        for line in page.lines {
            let time = line.get("time").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
            this.remember(time, line.to_string());
        }
        Ok(this)
    }

    /// Keeps what is written for so long from now on.
    pub fn keep(&self, keep: Duration) {
        self.keep_millis.store(millis(keep), Ordering::Relaxed);
    }

    /// Writes `entry` down. Never waits.
    pub fn write(&self, entry: &Entry) {
        let line = entry.line();
        self.remember(stamp(entry.time), String::from_utf8_lossy(&line).trim_end().to_owned());
        self.hand_over(Job::Entry(entry.time, line));
    }

    fn remember(&self, time: String, line: String) {
        let mut recent = self.recent.lock();
        if recent.len() >= RECENT {
            recent.pop_front();
        }
        recent.push_back((time, line));
    }

    /// Writes a line of evidence down. Never waits.
    pub fn evidence(&self, time: SystemTime, line: Vec<u8>) {
        self.hand_over(Job::Evidence(time, line));
    }

    /// Keeps `content` under this name among the generations, unless it is there. Never waits.
    pub fn store(&self, name: &str, content: Vec<u8>) {
        self.hand_over(Job::File(Path::new(GENERATIONS).join(name), content));
    }

    /// Says that what is kept under this name is in use still. Never waits.
    pub fn touch(&self, name: &str) {
        self.hand_over(Job::Touch(Path::new(GENERATIONS).join(name)));
    }

    /// The latest entries, as lines of JSON, from `since` on.
    #[must_use]
    pub fn recent(&self, since: Option<SystemTime>) -> Vec<String> {
        let since = since.map(stamp).unwrap_or_default();
        let recent = self.recent.lock();
        recent.iter().filter(|(time, _)| *time >= since).map(|(_, line)| line.clone()).collect()
    }

    /// Writes what is queued, and ends the thread.
    pub fn close(&self) {
        let writer = self.writer.lock().take();
        if let Some(writer) = writer {
            // Where the thread has ended already, there is nobody to tell, and nothing to wait for.
            drop(self.queue.send(Job::Close));
            drop(writer.join());
        }
    }

    fn hand_over(&self, job: Job) {
        if self.queue.try_send(job).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("lost", &self.lost).finish_non_exhaustive()
    }
}

/// What the thread works with.
struct Desk {
    state: PathBuf,
    entries: Daily,
    evidence: Daily,
    keep_millis: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
    /// What could not be written since the last that could.
    failed: u64,
}

impl Desk {
    fn work(&mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            let keep = Duration::from_millis(self.keep_millis.load(Ordering::Relaxed));
            let done = match job {
                Job::Entry(time, line) => self.entries.append(time, &line, keep),
                Job::Evidence(time, line) => self.evidence.append(time, &line, keep),
                Job::File(path, content) => self.file(&path, &content, keep),
                Job::Touch(path) => self.touch(&path),
                Job::Close => return,
            };
            self.conclude(done);
        }
    }

    fn conclude(&mut self, done: io::Result<()>) {
        match done {
            Ok(()) if self.failed == 0 => {}
            Ok(()) => {
                info!(lost = self.failed, "the journal can be written again");
                let mut entry = Entry::now(Kind::Journal, "lost", "journal");
                entry.reason = format!("{} lines could not be written", self.failed);
                entry.figure("lines", self.failed);
                self.failed = 0;
                let keep = Duration::from_millis(self.keep_millis.load(Ordering::Relaxed));
                if self.entries.append(entry.time, &entry.line(), keep).is_err() {
                    self.failed = 1;
                }
            }
            Err(cause) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                if self.failed == 0 {
                    error!(folder = %self.state.display(), %cause, "the journal cannot be written; what is lost is counted");
                }
                self.failed += 1;
            }
        }
    }

    fn touch(&self, path: &Path) -> io::Result<()> {
        File::options().append(true).open(self.state.join(path))?.set_modified(SystemTime::now())
    }

    /// Writes a file beside its name first, so that nobody finds half of it, and forgets those whose time is over.
    fn file(&self, path: &Path, content: &[u8], keep: Duration) -> io::Result<()> {
        let path = self.state.join(path);
        let folder = path.parent().unwrap_or(&self.state);
        daily::make(folder)?;
        if path.is_file() {
            // It is in use again, and as old as its last use.
            return self.touch(&path);
        }
        let fresh = path.with_extension(format!("{}.new", std::process::id()));
        let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh);
        let written = written.and_then(|mut file| file.write_all(content));
        if let Err(cause) = written.and_then(|()| fs::rename(&fresh, &path)) {
            drop(fs::remove_file(&fresh));
            return Err(cause);
        }
        daily::forget(folder, keep, MOST, &path)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
