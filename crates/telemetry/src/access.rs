//! The access log: one line per request, through a bounded queue to a thread that writes.
//!
//! A line is made by who has the request: a record that went to another processor would cost both more than its line does.

mod sink;

pub use sink::Sink;

use crate::lines::Lines;
use crate::record::Record;
use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::mem;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tracing::{error, warn};

/// Bytes of lines that wait at most: some ten thousand lines, and some tenths of a second of a busy machine.
const QUEUE: usize = 4 << 20;
/// How long the first line of a batch waits for others. To wake a thread per line would cost more than the line.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes for which nobody waits any longer, and how much room is kept for the next ones.
const BATCH: usize = 256 << 10;
/// How long a sink may take for the last lines.
const LAST: Duration = Duration::from_secs(3);

thread_local! {
    static PEN: RefCell<Pen> = RefCell::default();
}

/// What a thread makes lines with.
#[derive(Default)]
struct Pen {
    lines: Lines,
    line: Vec<u8>,
}

/// Writes one line per record. No request ever waits for it: what does not fit the queue is counted.
pub struct AccessLog {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    end: Condvar,
    dropped: Arc<AtomicU64>,
}

#[derive(Default)]
struct Queue {
    /// Whole lines.
    text: Vec<u8>,
    closed: bool,
    /// What is to be done once all that is queued was written.
    turn: Option<Turn>,
    /// Whether the thread has ended.
    ended: bool,
}

/// Another sink.
enum Turn {
    /// The file at this path, or the stream.
    To(Option<PathBuf>),
    /// The same path once more.
    Anew,
}

impl AccessLog {
    /// Writes to `sink`, a stream. Lines that are lost are counted in `dropped`, which [`crate::Metrics::lines_dropped`]
    /// gives.
    ///
    /// # Errors
    /// The writing thread cannot be started.
    pub fn start(sink: impl Write + Send + 'static, dropped: Arc<AtomicU64>) -> io::Result<Self> {
        Self::begin(Sink::stream(sink), dropped)
    }

    /// Writes to `sink`, as [`AccessLog::start`] does.
    ///
    /// # Errors
    /// The writing thread cannot be started.
    pub fn begin(mut sink: Sink, dropped: Arc<AtomicU64>) -> io::Result<Self> {
        let queue = Mutex::default();
        let shared = Arc::new(Shared { queue, wake: Condvar::new(), end: Condvar::new(), dropped });
        let own = Arc::clone(&shared);
        let write = move || own.write_all(&mut sink);
        let writer = thread::Builder::new().name("access-log".to_owned()).spawn(write)?;
        Ok(Self { shared, writer: Mutex::new(Some(writer)) })
    }

    /// Makes the line of `record` and hands it over. Never waits for the sink.
    pub fn write(&self, record: &Record<'_>) {
        PEN.with_borrow_mut(|pen| {
            pen.line.clear();
            pen.lines.append(record, &mut pen.line);
            self.push(&pen.line);
        });
    }

    fn push(&self, line: &[u8]) {
        let mut queue = self.shared.lock();
        let before = queue.text.len();
        let after = before + line.len();
        if after > QUEUE || queue.closed {
            drop(queue);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.text.extend_from_slice(line);
        drop(queue);
        if before == 0 || (before < BATCH && after >= BATCH) {
            self.shared.wake.notify_one();
        }
    }

    /// What comes after what is queued goes to the file at `path`, or to the stream.
    pub fn turn(&self, path: Option<PathBuf>) {
        self.shared.lock().turn = Some(Turn::To(path));
        self.shared.wake.notify_one();
    }

    /// What comes after what is queued goes to the same path, opened anew: the file was moved away.
    pub fn reopen(&self) {
        self.shared.lock().turn.get_or_insert(Turn::Anew);
        self.shared.wake.notify_one();
    }

    /// Writes what is queued and ends the thread; records that come later are dropped and counted. A sink that stands
    /// still is not waited for without end.
    pub fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_one();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(writer) = writer else { return };
        let runs = |queue: &mut Queue| !queue.ended;
        let waited = self.shared.end.wait_timeout_while(self.shared.lock(), LAST, runs);
        let (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let ended = queue.ended;
        drop(queue);
        if ended {
            // A sink that panicked has lost its lines; there is nobody left to tell.
            drop(writer.join());
        } else {
            warn!("the access log's sink stands still: what is queued is lost");
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").field("dropped", &self.shared.dropped).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self, sink: &mut Sink) {
        let ended = Ended(self);
        let mut batch = Vec::new();
        loop {
            let (closed, turn) = self.take(&mut batch);
            let lost = sink.lines(&batch);
            self.dropped.fetch_add(lost, Ordering::Relaxed);
            batch.clear();
            batch.shrink_to(BATCH);
            let turned = match turn {
                Some(Turn::To(path)) => sink.turn(path.as_deref()),
                Some(Turn::Anew) => sink.reopen(),
                None => Ok(()),
            };
            if let Err(cause) = turned {
                error!(%cause, "the access log cannot be opened; it goes where it went");
            }
            if closed {
                drop(ended);
                return;
            }
        }
    }

    /// Swaps the queue's lines for the empty `batch`, when the first has waited a while or there are enough, or at
    /// once where the sink is to be another. Says whether the log is closed.
    fn take(&self, batch: &mut Vec<u8>) -> (bool, Option<Turn>) {
        let rests = |queue: &Queue| !queue.closed && queue.turn.is_none();
        let idle = |queue: &mut Queue| queue.text.is_empty() && rests(queue);
        let calm = |queue: &mut Queue| queue.text.len() < BATCH && rests(queue);
        let queue = self.wake.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        let gathered = self.wake.wait_timeout_while(queue, PAUSE, calm);
        let (mut queue, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        mem::swap(&mut queue.text, batch);
        (queue.closed, queue.turn.take())
    }
}

/// Says that the thread has ended, however that came about.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.end.notify_all();
    }
}
