//! Where the requests of one generation are counted: by id, with nothing to look up.

use crate::counts::{Counts, Times};
use crate::record::Record;
use crate::trace::{Exemplar, Exemplars};
use nearside_core::{BackendId, Reason, RegionId};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Counters of a route, kept over generations by its id in the file.
#[derive(Debug, Default)]
pub(crate) struct RouteCells {
    touched: OnceLock<Box<Touched>>,
}

/// What a route has once a request has been there; of a hundred thousand routes many never have one.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// By region, reason and class: see [`key`].
    pub(crate) requests: Counts,
    pub(crate) total: Times,
    /// Examples of its buckets.
    pub(crate) exemplars: Exemplars,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
}

impl RouteCells {
    pub(crate) fn touched(&self) -> Option<&Touched> {
        self.touched.get().map(|touched| &**touched)
    }
}

/// Counters of a backend, kept over generations by its key.
#[derive(Debug, Default)]
pub(crate) struct BackendCells {
    /// By what failed, plus one; 0 is success.
    pub(crate) tries: Counts,
    pub(crate) first_byte: Times,
}

/// The handles of one generation.
#[derive(Debug)]
pub struct Cells {
    pub(crate) routes: Box<[Arc<RouteCells>]>,
    /// Requests that no route matches.
    pub(crate) no_route: Arc<RouteCells>,
    pub(crate) backends: Box<[Arc<BackendCells>]>,
    /// By [`RegionId`]: the number under which the region's name is known for the process's life.
    pub(crate) regions: Box<[u16]>,
    pub(crate) decisions: Arc<Decisions>,
}

/// How often each reason was given.
#[derive(Debug)]
pub(crate) struct Decisions(pub(crate) Box<[AtomicU64]>);

impl Default for Decisions {
    fn default() -> Self {
        Self(Reason::ALL.iter().map(|_| AtomicU64::new(0)).collect())
    }
}

impl Cells {
    /// Counts a request at its end.
    pub fn record(&self, record: &Record<'_>) {
        let own = record.route.and_then(|id| self.routes.get(id.index()));
        let route = own.unwrap_or(&self.no_route).touched.get_or_init(Box::default);
        let backend = record.backend.and_then(|id| record.generation.backend(id));
        let region = backend.map_or(NO_REGION, |backend| self.region(backend.region));
        route.requests.add(key(region, record.reason, record.status));
        route.total.add(record.total);
        route.bytes_in.fetch_add(record.bytes_in, Ordering::Relaxed);
        route.bytes_out.fetch_add(record.bytes_out, Ordering::Relaxed);
        let backend = record.backend.and_then(|id| self.backends.get(id.index()));
        if let (Some(backend), Some(first_byte)) = (backend, record.first_byte) {
            backend.first_byte.add(first_byte);
        }
    }

    /// Makes a request that was counted, and whose trace is sent, the example of its bucket.
    pub fn exemplify(&self, record: &Record<'_>) {
        let own = record.route.and_then(|id| self.routes.get(id.index()));
        if let Some(route) = own.unwrap_or(&self.no_route).touched() {
            let exemplar =
                Exemplar { trace: record.trace, took: record.total, at: record.time + record.total };
            route.exemplars.keep(Times::bucket(record.total), &exemplar);
        }
    }

    /// Counts one try at `backend`: how it failed, or that it did not.
    pub fn tried(&self, backend: BackendId, failed: Option<Reason>) {
        if let Some(cells) = self.backends.get(backend.index()) {
            cells.tries.add(failed.map_or(0, |reason| reason as u32 + 1));
        }
    }

    /// Counts a reason that a decision gave.
    pub fn decided(&self, reason: Reason) {
        if let Some(count) = self.decisions.0.get(reason as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn region(&self, id: RegionId) -> u16 {
        self.regions.get(id.index()).copied().unwrap_or(NO_REGION)
    }
}

/// Requests that reached no backend.
pub(crate) const NO_REGION: u16 = u16::MAX;

/// Requests that their route answers.
const NO_REASON: u32 = 255;

/// Region, reason and class of status as one number.
fn key(region: u16, reason: Option<Reason>, status: Option<u16>) -> u32 {
    let reason = reason.map_or(NO_REASON, |reason| reason as u32);
    let class = status.map_or(0, |status| u32::from(status / 100).min(7));
    u32::from(region) << 16 | reason << 8 | class
}

/// The parts of a [`key`].
pub(crate) fn parts(key: u32) -> (u16, Option<Reason>, u8) {
    let [high, low, reason, class] = key.to_be_bytes();
    (u16::from_be_bytes([high, low]), Reason::ALL.get(usize::from(reason)).copied(), class)
}

/// The connections of a listener.
#[derive(Debug, Default)]
pub struct ListenerCells {
    pub(crate) open: AtomicI64,
    pub(crate) accepted: AtomicU64,
    pub(crate) handshakes_failed: AtomicU64,
    pub(crate) unbelieved: AtomicU64,
    pub(crate) refused: AtomicU64,
}

impl ListenerCells {
    /// Counts a connection, open until the value is dropped.
    #[must_use]
    pub fn opened(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }

    /// Connections that are open.
    #[must_use]
    pub fn open(&self) -> i64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Counts a TLS handshake that came to nothing.
    pub fn handshake_failed(&self) {
        self.handshakes_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection that was closed as it came, since its client's address has as many as it may.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a client's address that was said by someone who is not believed.
    pub fn unbelieved(&self) {
        self.unbelieved.fetch_add(1, Ordering::Relaxed);
    }
}

/// An open connection, counted.
#[derive(Debug)]
pub struct Open(Arc<ListenerCells>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
