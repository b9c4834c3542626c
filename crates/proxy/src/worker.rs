//! A worker: one thread with a runtime of its own, and all that its connections share.

use crate::live::Edge;
use crate::pool::{Pools, Reserves};
use crate::service::Presences;
use crate::stock::Stock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// What all workers share.
    pub edge: Arc<Edge>,
    starvations: AtomicU64,
}

impl Worker {
    /// The worker with this number. All workers are given the same `reserves`.
    #[must_use]
    pub fn new(id: usize, edge: Arc<Edge>, reserves: Arc<Reserves>) -> Self {
        Self {
            id,
            stock: Arc::default(),
            pools: Pools::new(reserves),
            presences: Arc::default(),
            edge,
            starvations: AtomicU64::new(0),
        }
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
