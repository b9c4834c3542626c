//! The signals that end the process: the first begins an orderly end, a second one cuts it short.

use async_trait::async_trait;
use nearside_proxy::service::{Phase, Shutdown};
use pingora_core::server::{ShutdownSignal, ShutdownSignalWatch};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

/// Waits for SIGTERM and SIGINT.
pub(crate) struct Signals {
    shutdown: Shutdown,
    told: Arc<AtomicU32>,
}

impl Signals {
    /// The signals that move `shutdown`.
    pub(crate) fn new(shutdown: Shutdown) -> Self {
        Self { shutdown, told: Arc::default() }
    }

    /// How many signals have come.
    pub(crate) fn told(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.told)
    }

    fn count(&self) {
        self.told.fetch_add(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl ShutdownSignalWatch for Signals {
    /// Returns when all is done or nothing more is to be waited for: pingora's own way to end sleeps for a fixed time
    /// and then cuts what is in flight, so it is always told to be quick.
    async fn recv(&self) -> ShutdownSignal {
        let kinds = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        let (Ok(mut term), Ok(mut int)) = kinds else {
            error!("signals cannot be received");
            return ShutdownSignal::FastShutdown;
        };
        tokio::select! {
            () = either(&mut term, &mut int) => self.count(),
            () = self.shutdown.reached(Phase::Ended) => return ShutdownSignal::FastShutdown,
        }
        info!("ending: readiness fails, what is in flight may end");
        self.shutdown.begin();
        tokio::select! {
            () = either(&mut term, &mut int) => {
                self.count();
                warn!("ending at once: told twice");
            }
            () = self.shutdown.reached(Phase::Ended) => {}
        }
        ShutdownSignal::FastShutdown
    }
}

async fn either(term: &mut Signal, int: &mut Signal) {
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
