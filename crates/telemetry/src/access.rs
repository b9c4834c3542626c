//! The access log: one line per request, through a bounded queue to a thread that writes.

mod sink;

pub use sink::Sink;

use crate::line::Lines;
use crate::record::Record;
use std::fmt;
use std::io::{self, Write};
use std::mem;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tracing::{error, warn};

/// Records that wait at most; about 2 MB, and some tenths of a second of a busy machine.
const QUEUE: usize = 8192;
/// How long the first line of a batch waits for others. To wake a thread per line would cost more than the line.
const PAUSE: Duration = Duration::from_millis(50);
const BUFFER: usize = 64 * 1024;
/// How long a sink may take for the last lines.
const LAST: Duration = Duration::from_secs(3);

/// Writes one line per record. No request ever waits for it: what does not fit the queue is counted.
pub struct AccessLog {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    end: Condvar,
    capacity: usize,
    dropped: Arc<AtomicU64>,
}

#[derive(Default)]
struct Queue {
    records: Vec<Record>,
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
        let (queue, capacity) = (Mutex::default(), QUEUE);
        let shared = Shared { queue, wake: Condvar::new(), end: Condvar::new(), capacity, dropped };
        let shared = Arc::new(shared);
        let own = Arc::clone(&shared);
        let write = move || own.write_all(&mut sink);
        let writer = thread::Builder::new().name("access-log".to_owned()).spawn(write)?;
        Ok(Self { shared, writer: Mutex::new(Some(writer)) })
    }

    /// Hands `record` over. Never waits for the sink.
    pub fn write(&self, record: Record) {
        let mut queue = self.shared.lock();
        let waiting = queue.records.len();
        if waiting >= self.shared.capacity || queue.closed {
            drop(queue);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.records.push(record);
        drop(queue);
        if waiting == 0 || waiting == self.shared.capacity / 2 {
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
        let mut out = Vec::with_capacity(BUFFER);
        let mut lines = Lines::default();
        loop {
            let (closed, turn) = self.take(&mut batch);
            for record in batch.drain(..) {
                lines.append(&record, &mut out);
                if out.len() >= BUFFER - BUFFER / 8 {
                    self.send(sink, &mut out);
                }
            }
            self.send(sink, &mut out);
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

    /// Swaps the queue's records for the empty `batch`, when the first has waited a while or half the queue is
    /// full, or at once where the sink is to be another. Says whether the log is closed.
    fn take(&self, batch: &mut Vec<Record>) -> (bool, Option<Turn>) {
        let rests = |queue: &Queue| !queue.closed && queue.turn.is_none();
        let idle = |queue: &mut Queue| queue.records.is_empty() && rests(queue);
        let calm = |queue: &mut Queue| queue.records.len() <= self.capacity / 2 && rests(queue);
        let queue = self.wake.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        let gathered = self.wake.wait_timeout_while(queue, PAUSE, calm);
        let (mut queue, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        mem::swap(&mut queue.records, batch);
        (queue.closed, queue.turn.take())
    }

    fn send(&self, sink: &mut Sink, out: &mut Vec<u8>) {
        let lost = sink.lines(out);
        if lost > 0 {
            self.dropped.fetch_add(lost, Ordering::Relaxed);
        }
        out.clear();
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
