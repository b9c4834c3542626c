//! What a probe is asked and what it answers; who sends it is the proxy's business.

use async_trait::async_trait;
use nearside_core::generation::{Backend, Generation, Pool};
use nearside_core::{BackendId, PoolId};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What to probe.
#[derive(Clone, Debug)]
pub struct Target {
    /// The generation that says how.
    pub generation: Arc<Generation>,
    /// Which backend of it.
    pub id: BackendId,
    /// The backend's addresses with the probe's port, IPv6 and IPv4 in turn; empty only for a Unix socket.
    pub addresses: Arc<[SocketAddr]>,
}

impl Target {
    /// The backend.
    #[must_use]
    pub fn backend(&self) -> Option<&Backend> {
        self.generation.backend(self.id)
    }

    /// Its pool, with probe settings, TLS and protocol.
    #[must_use]
    pub fn pool(&self) -> Option<(PoolId, &Pool)> {
        let id = self.backend()?.pool;
        Some((id, self.generation.pool(id)?))
    }
}

/// How a probe ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// As expected.
    Passed {
        /// The TCP handshake's round trip.
        rtt: Duration,
        /// The status of an HTTP probe.
        status: Option<u16>,
    },
    /// Otherwise; the text says how, for people.
    Failed(String),
}

/// Sends probes.
#[async_trait]
pub trait Prober: Send + Sync {
    /// Probes `target` once, with its pool's probe settings. The deadline is held by the caller, who drops the
    /// future.
    async fn probe(&self, target: &Target) -> Outcome;
}
