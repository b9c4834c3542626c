//! A worker: one thread with a runtime of its own, and all that its connections share.

use crate::live::Edge;
use crate::pool::Pools;
use crate::service::Presences;
use crate::stock::Stock;
use crate::trace;
use nearside_core::hex;
use nearside_http::Edits;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::watch;

/// How many edits wait for the next request at most.
const KEPT_EDITS: usize = 64;

/// The edits of one request.
#[derive(Debug, Default)]
pub(crate) struct Both {
    /// Of its head.
    pub(crate) to_backend: Edits,
    /// Of its answer's.
    pub(crate) to_client: Edits,
}

/// What the connections of one thread share. Its locks are short and never contended but by a look from outside.
#[derive(Debug)]
pub struct Worker {
    /// Its number, from 0.
    pub id: usize,
    /// Buffers.
    pub stock: Arc<Stock>,
    /// Connections to backends.
    pub pools: Pools,
    /// The connections of clients.
    pub presences: Arc<Presences>,
    /// Edits of heads, used again and again.
    #[expect(clippy::vec_box, reason = "they go from the shelf to a request and back as one word")]
    edits: Mutex<Vec<Box<Both>>>,
    /// What all workers share.
    pub edge: Arc<Edge>,
    /// The first half of the traces that begin here, as text.
    pub(crate) trace: [u8; 16],
    curfew: watch::Sender<bool>,
    starvations: AtomicU64,
    strained: AtomicBool,
}

impl Worker {
    /// The worker with this number.
    #[must_use]
    pub fn new(id: usize, edge: Arc<Edge>) -> Self {
        let reserves = Arc::clone(&edge.reserves);
        let [trace, _] = trace::begun(0, edge.salt).halves();
        Self {
            trace: hex::digits(trace),
            id,
            stock: Arc::default(),
            pools: Pools::new(reserves),
            presences: Arc::default(),
            edits: Mutex::default(),
            edge,
            curfew: watch::Sender::default(),
            starvations: AtomicU64::new(0),
            strained: AtomicBool::new(false),
        }
    }

    /// Edits for a request's head and for its answer's.
    pub(crate) fn lend_edits(&self) -> Box<Both> {
        self.edits.lock().pop().unwrap_or_default()
    }

    /// Takes edits back for the next request.
    pub(crate) fn return_edits(&self, edits: Box<Both>) {
        let mut shelf = self.edits.lock();
        if shelf.len() < KEPT_EDITS {
            shelf.push(edits);
        }
    }

    /// Ends every stream that is still open, in its protocol's way.
    pub(crate) fn end_streams(&self) {
        self.curfew.send_replace(true);
    }

    /// What a stream waits for that has to end with the process.
    pub(crate) fn curfew(&self) -> watch::Receiver<bool> {
        self.curfew.subscribe()
    }

    /// Notes whether it is given more than it can do.
    pub(crate) fn strain(&self, is: bool) {
        if self.strained.swap(is, Ordering::Relaxed) != is {
            self.edge.strain.count(is);
        }
    }

    /// Whether it is given more than it can do, so that new requests are refused.
    #[must_use]
    pub fn is_strained(&self) -> bool {
        self.strained.load(Ordering::Relaxed)
    }

    /// Notes that nothing could be accepted, for want of descriptors or memory.
    pub(crate) fn starved(&self) {
        self.starvations.fetch_add(1, Ordering::Relaxed);
    }

    /// How often nothing could be accepted, for want of descriptors or memory.
    #[must_use]
    pub fn starvations(&self) -> u64 {
        self.starvations.load(Ordering::Relaxed)
    }
}
