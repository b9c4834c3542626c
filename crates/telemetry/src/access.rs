//! The access log: one line per request, through a bounded queue to a thread that writes.

use crate::line::Lines;
use crate::record::Record;
use std::fmt;
use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Records that wait at most; about 2 MB, and some tenths of a second of a busy machine.
const QUEUE: usize = 8192;
/// How long the first line of a batch waits for others. To wake a thread per line would cost more than the line.
const PAUSE: Duration = Duration::from_millis(50);
const BUFFER: usize = 64 * 1024;

/// Writes one JSON line per record. No request ever waits for it: what does not fit the queue is counted.
pub struct AccessLog {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    capacity: usize,
    dropped: Arc<AtomicU64>,
}

#[derive(Default)]
struct Queue {
    records: Vec<Record>,
    closed: bool,
}

impl AccessLog {
    /// Writes to `sink`. Lines that are lost are counted in `dropped`, which [`crate::Metrics::lines_dropped`]
    /// gives.
    ///
    /// # Errors
    /// The writing thread cannot be started.
    pub fn start(sink: impl Write + Send + 'static, dropped: Arc<AtomicU64>) -> io::Result<Self> {
        Self::with_capacity(sink, dropped, QUEUE)
    }

    fn with_capacity(
        mut sink: impl Write + Send + 'static,
        dropped: Arc<AtomicU64>,
        capacity: usize,
    ) -> io::Result<Self> {
        let shared = Shared { queue: Mutex::default(), wake: Condvar::new(), capacity, dropped };
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

    /// Writes what is queued and ends the thread; records that come later are dropped and counted.
    pub fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_one();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A sink that panicked has lost its lines; there is nobody left to tell.
            drop(writer.join());
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

    fn write_all(&self, sink: &mut dyn Write) {
        let mut batch = Vec::new();
        let mut out = Vec::with_capacity(BUFFER);
        let mut lines = Lines::default();
        loop {
            let closed = self.take(&mut batch);
            for record in batch.drain(..) {
                lines.append(&record, &mut out);
                if out.len() >= BUFFER - BUFFER / 8 {
                    self.send(sink, &mut out);
                }
            }
            self.send(sink, &mut out);
            if closed {
                return;
            }
        }
    }

    /// Swaps the queue's records for the empty `batch`, when the first has waited a while or half the queue is
    /// full. Says whether the log is closed.
    fn take(&self, batch: &mut Vec<Record>) -> bool {
        let idle = |queue: &mut Queue| queue.records.is_empty() && !queue.closed;
        let calm = |queue: &mut Queue| queue.records.len() <= self.capacity / 2 && !queue.closed;
        let queue = self.wake.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        let gathered = self.wake.wait_timeout_while(queue, PAUSE, calm);
        let (mut queue, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        mem::swap(&mut queue.records, batch);
        queue.closed
    }

    fn send(&self, sink: &mut dyn Write, out: &mut Vec<u8>) {
        if out.is_empty() {
            return;
        }
        if sink.write_all(out).and_then(|()| sink.flush()).is_err() {
            let lines = out.iter().filter(|byte| **byte == b'\n').count();
            self.dropped.fetch_add(lines as u64, Ordering::Relaxed);
        }
        out.clear();
    }
}
