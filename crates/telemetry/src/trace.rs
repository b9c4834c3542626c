//! Traces: what a request leaves for a collector, and where that waits until it is sent.
//!
//! Handing a trace over never waits for the collector. What does not fit is dropped and counted.

mod exemplar;
mod message;
mod spans;

pub(crate) use exemplar::{Exemplar, Exemplars};
pub use message::Answer;
pub use spans::{Sender, encode};

use crate::record::Record;
use nearside_core::place::Country;
use nearside_core::{BackendId, Reason};
use parking_lot::{Mutex, MutexGuard};
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long the first trace of a batch waits for others.
const PAUSE: Duration = Duration::from_secs(1);
/// Traces after which nobody waits for others any more: a message of some hundred kilobytes.
const ENOUGH: usize = 512;

/// A trace's id, as in `traceparent`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct TraceId(pub u128);

impl TraceId {
    /// Its first and its last 64 bits.
    #[must_use]
    pub fn halves(self) -> [u64; 2] {
        let (high, low) = (self.0 >> 64, self.0 & u128::from(u64::MAX));
        [high, low].map(|half| u64::try_from(half).unwrap_or(0))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What one request leaves.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The request. Its span is of the trace that it names.
    pub record: Record<'static>,
    /// The span's id.
    pub span: u64,
    /// The caller's span, where there is one.
    pub parent: Option<u64>,
    /// Whether it was to be sent from the beginning, and backends were told so; if not, it is sent for how it ended.
    pub was_chosen: bool,
    /// The port that it came in at.
    pub port: u16,
    /// The country that it came from.
    pub country: Country,
    /// Its tries, in their order.
    pub tries: Vec<Try>,
}

/// One try at a backend.
#[derive(Clone, Copy, Debug)]
pub struct Try {
    /// The span's id, which the backend was told.
    pub span: u64,
    /// The backend.
    pub backend: BackendId,
    /// Why this one.
    pub reason: Reason,
    /// When it began, from the request's beginning.
    pub after: Duration,
    /// How long it took.
    pub took: Duration,
    /// What its connection took to make; `None` for a kept one, or where none was made.
    pub connect: Option<Duration>,
    /// The backend's status, where it gave one.
    pub status: Option<u16>,
    /// How it failed, if it did.
    pub failed: Option<Reason>,
}

impl Trace {
    /// How many spans it comes to.
    #[must_use]
    pub fn spans(&self) -> u64 {
        1 + self.tries.len() as u64
    }
}

/// What became of spans.
#[derive(Debug, Default)]
pub struct SpanCounts {
    counts: [AtomicU64; Fate::ALL.len()],
}

/// What became of a span.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// The collector took it.
    Sent,
    /// Too many were waiting.
    QueueFull,
    /// The collector does not want it.
    Refused,
    /// The collector could not be reached for too long, or the process ended.
    Unsent,
}

impl Fate {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 4] = [Self::Sent, Self::QueueFull, Self::Refused, Self::Unsent];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::QueueFull => "queue_full",
            Self::Refused => "refused",
            Self::Unsent => "unsent",
        }
    }
}

impl SpanCounts {
    /// Counts so many.
    pub fn add(&self, fate: Fate, spans: u64) {
        if let Some(count) = self.counts.get(fate as usize) {
            count.fetch_add(spans, Ordering::Relaxed);
        }
    }

    /// How many there were.
    #[must_use]
    pub fn read(&self, fate: Fate) -> u64 {
        self.counts.get(fate as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

/// Traces on their way. What becomes of none of them waits again, as the first.
#[derive(Debug)]
pub struct Batch<'a> {
    home: &'a Traces,
    traces: Vec<Trace>,
}

impl Batch<'_> {
    /// The traces.
    #[must_use]
    pub fn traces(&self) -> &[Trace] {
        &self.traces
    }

    /// How many spans they come to.
    #[must_use]
    pub fn spans(&self) -> u64 {
        self.traces.iter().map(Trace::spans).sum()
    }

    /// Counts what has become of them.
    pub fn end(mut self, fate: Fate) {
        self.home.counts.add(fate, self.spans());
        self.traces.clear();
    }

    /// The same, where so many spans were not taken.
    pub fn taken_but(mut self, refused: u64) {
        let refused = refused.min(self.spans());
        self.home.counts.add(Fate::Refused, refused);
        self.home.counts.add(Fate::Sent, self.spans() - refused);
        self.traces.clear();
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if !self.traces.is_empty() {
            let mut waiting = self.home.waiting();
            self.traces.append(&mut waiting);
            mem::swap(&mut *waiting, &mut self.traces);
            drop(waiting);
            self.home.first.notify_one();
            self.traces.clear();
        }
    }
}

/// The traces that wait to be sent.
#[derive(Debug, Default)]
pub struct Traces {
    waiting: Mutex<Vec<Trace>>,
    first: Notify,
    enough: Notify,
    counts: SpanCounts,
}

impl Traces {
    /// Hands `trace` over, where no more than `most` wait. Never waits for the collector.
    pub fn push(&self, trace: Trace, most: usize) {
        let mut waiting = self.waiting();
        let before = waiting.len();
        if before >= most {
            drop(waiting);
            self.counts.add(Fate::QueueFull, trace.spans());
            return;
        }
        waiting.push(trace);
        drop(waiting);
        if before == 0 {
            self.first.notify_one();
        }
        if before + 1 == ENOUGH.min(most) {
            self.enough.notify_one();
        }
    }

    /// Waits until there are traces, and then for a while for others.
    pub async fn gathered(&self) {
        while self.waiting().is_empty() {
            self.first.notified().await;
        }
        if self.waiting().len() < ENOUGH {
            // A permit that is left from before only makes a batch smaller.
            drop(timeout(PAUSE, self.enough.notified()).await);
        }
    }

    /// The traces that have waited longest, no more than make a message.
    #[must_use]
    pub fn take(&self) -> Batch<'_> {
        let mut waiting = self.waiting();
        let traces = if waiting.len() <= ENOUGH {
            mem::take(&mut *waiting)
        } else {
            waiting.drain(..ENOUGH).collect()
        };
        Batch { home: self, traces }
    }

    /// What became of them.
    #[must_use]
    pub fn counts(&self) -> &SpanCounts {
        &self.counts
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Trace>> {
        self.waiting.lock()
    }
}
