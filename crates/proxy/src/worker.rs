//! A worker: one thread with a runtime of its own, and all that its connections share.

use crate::live::Edge;
use crate::pool::Pools;
use crate::service::Presences;
use crate::stock::Stock;
use std::sync::Arc;

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
}

impl Worker {
    /// The worker with this number.
    #[must_use]
    pub fn new(id: usize, edge: Arc<Edge>) -> Self {
        Self { id, stock: Arc::default(), pools: Pools::default(), presences: Arc::default(), edge }
    }
}
