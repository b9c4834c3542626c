//! The signals that end the process: the first begins an orderly end, a second one cuts it short.

use crate::handover::Family;
use async_trait::async_trait;
use nearside_proxy::service::{Phase, Shutdown};
use pingora_core::server::{ShutdownSignal, ShutdownSignalWatch};
use rustix::process::Signal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::signal::unix::{Signal as Receiver, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{error, info, warn};

/// How long whoever asked for an upgrade may take to read the answer.
const ANSWER: Duration = Duration::from_secs(1);

/// Waits for SIGTERM and SIGINT.
pub(crate) struct Signals {
    shutdown: Shutdown,
    family: Arc<Family>,
    told: Arc<AtomicU32>,
    answered: watch::Receiver<bool>,
}

impl Signals {
    /// The signals that move `shutdown`; after a hand-over the end waits until it is `answered`.
    pub(crate) fn new(shutdown: Shutdown, family: Arc<Family>, answered: watch::Receiver<bool>) -> Self {
        Self { shutdown, family, told: Arc::default(), answered }
    }

    /// How many signals have come.
    pub(crate) fn told(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.told)
    }

    /// Waits for the end of all that is in flight; a hand-over is in flight until its answer has been read.
    async fn ended(&self) {
        self.shutdown.reached(Phase::Ended).await;
        if self.shutdown.is_handed_over() {
            let mut answered = self.answered.clone();
            // A client that does not read is not waited for; nor is a service that is gone.
            drop(timeout(ANSWER, answered.wait_for(|answered| *answered)).await);
        }
    }

    /// Notes a signal. Where a successor serves, it is meant for that one too.
    async fn take(&self, signal: Signal) {
        self.told.fetch_add(1, Ordering::Relaxed);
        if self.shutdown.is_handed_over() {
            let family = Arc::clone(&self.family);
            // It asks the successor who serves, which may take a moment. A panic there is no news for anybody here.
            drop(tokio::task::spawn_blocking(move || family.pass(signal)).await);
        }
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
            signal = either(&mut term, &mut int) => self.take(signal).await,
            () = self.ended() => return ShutdownSignal::FastShutdown,
        }
        info!("ending: readiness fails, what is in flight may end");
        self.shutdown.begin();
        tokio::select! {
            signal = either(&mut term, &mut int) => {
                self.take(signal).await;
                warn!("ending at once: told twice");
            }
            () = self.ended() => {}
        }
        ShutdownSignal::FastShutdown
    }
}

async fn either(term: &mut Receiver, int: &mut Receiver) -> Signal {
    tokio::select! {
        _ = term.recv() => Signal::TERM,
        _ = int.recv() => Signal::INT,
    }
}
