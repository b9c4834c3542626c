//! The service: binds the listeners, runs the workers, ends them in an orderly way.
//!
//! Each worker thread has a runtime of its own and accepts for itself, all from the same sockets: bound here, or handed
//! over by a predecessor. This is a service of pingora's server; [`start`] runs the same without one.

mod accept;
mod bind;
mod crew;
mod crowd;
mod introduction;
mod pulse;
mod shutdown;
mod sockets;
mod strain;
mod tuning;

#[cfg(test)]
mod tests;

pub use bind::{BindError, bind_all};
pub use crowd::Guest;
pub use pulse::Pulse;
pub use shutdown::{Leave, Phase, Presence, Presences, Shutdown};
pub use sockets::Sockets;
pub use strain::Strain;

use crate::live::Edge;
use async_trait::async_trait;
use crew::{Crew, Door};
use nearside_core::generation::Listener;
use pingora_core::server::{ListenFds, ShutdownWatch};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The service cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A worker's thread or runtime cannot be made.
    #[error("cannot start a worker")]
    Worker(#[source] io::Error),
}

/// The workers as a service of pingora's server.
#[derive(Debug)]
pub struct EdgeService {
    edge: Arc<Edge>,
    listeners: Box<[Listener]>,
    bound: Vec<TcpListener>,
    workers: NonZeroUsize,
    shutdown: Shutdown,
    pulse: Pulse,
    sockets: Sockets,
    opening: Option<oneshot::Receiver<()>>,
}

impl EdgeService {
    /// The service of `edge`, on the listeners of its generation, with so many workers: by default one per core.
    #[must_use]
    pub fn new(edge: Arc<Edge>, workers: Option<NonZeroUsize>, shutdown: Shutdown) -> Self {
        let listeners = edge.live.load().generation.listeners.clone();
        Self {
            edge,
            listeners,
            bound: Vec::new(),
            workers: workers.unwrap_or_else(cores),
            shutdown,
            pulse: Pulse::default(),
            sockets: Sockets::default(),
            opening: None,
        }
    }

    /// Takes each listener's socket out of those that a predecessor hands over, under the address that the file names,
    /// or binds it now, so that what is wrong is known before the server runs. What no listener needs is closed.
    ///
    /// # Errors
    /// The first address that cannot be listened on.
    pub fn bind(&mut self, mut handed: Vec<(SocketAddr, TcpListener)>) -> Result<(), BindError> {
        for listener in &self.listeners {
            let address = listener.bind;
            let socket = match handed.iter().position(|(known, _)| *known == address) {
                Some(index) => handed.swap_remove(index).1,
                None => bind::bind(address)?,
            };
            self.sockets.keep(address, &socket).map_err(|cause| BindError { address, cause })?;
            self.bound.push(socket);
        }
        tuning::tune(&self.bound);
        Ok(())
    }

    /// The sockets, for a successor.
    #[must_use]
    pub fn sockets(&self) -> Sockets {
        self.sockets.clone()
    }

    /// The pulse of the workers.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Accepts nothing until this is sent; its end without a word keeps the service closed.
    pub fn open_on(&mut self, opening: oneshot::Receiver<()>) {
        self.opening = Some(opening);
    }

    fn crew(&mut self) -> Result<Crew, StartError> {
        if self.bound.is_empty() {
            self.bind(Vec::new())?;
        }
        let doors = Door::all(&self.edge, &self.listeners, std::mem::take(&mut self.bound));
        let crew = Crew::new(&self.edge, &self.shutdown, &self.pulse, &self.sockets);
        crew.start(doors, self.workers).map_err(StartError::Worker)
    }
}

#[async_trait]
impl pingora_core::services::Service for EdgeService {
    async fn start_service(
        &mut self,
        _fds: Option<ListenFds>,
        mut shutdown: ShutdownWatch,
        _listeners_per_fd: usize,
    ) {
        // Connections to backends are made while nobody comes in yet.
        let crew = match self.crew() {
            Ok(crew) => crew,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "not serving");
                self.shutdown.advance(Phase::Ended);
                return;
            }
        };
        if let Some(opening) = self.opening.take() {
            tokio::select! {
                opened = opening => if opened.is_err() {
                    return self.shutdown.advance(Phase::Ended);
                },
                () = self.shutdown.reached(Phase::Draining) => {
                    return self.shutdown.advance(Phase::Ended);
                }
            }
        }
        crew.open();
        let phases = self.shutdown.clone();
        let told = async {
            // An error means that the server is gone, which ends the service too.
            drop(shutdown.wait_for(|told| *told).await);
            phases.begin();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = crew.finish() => {}
            () = told => {}
        }
    }

    fn name(&self) -> &'static str {
        "edge"
    }

    fn threads(&self) -> Option<usize> {
        // The workers have their own.
        Some(1)
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        // pingora's way to hand sockets over is not used: it knows no readiness and no answer from the successor.
        Some(Vec::new())
    }
}

/// Workers that run without pingora's server.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    shutdown: Shutdown,
    finish: JoinHandle<()>,
}

/// Binds `listeners` and serves them with so many workers. To be called within a runtime.
///
/// # Errors
/// An address cannot be listened on, or a thread cannot be made.
pub fn start(edge: &Arc<Edge>, listeners: &[Listener], workers: NonZeroUsize) -> Result<Running, StartError> {
    let shutdown = Shutdown::default();
    let sockets = bind_all(listeners)?;
    tuning::tune(&sockets);
    let addresses = sockets.iter().map(TcpListener::local_addr).collect::<io::Result<_>>();
    let addresses = addresses.map_err(StartError::Worker)?;
    let doors = Door::all(edge, listeners, sockets);
    let crew = Crew::new(edge, &shutdown, &Pulse::default(), &Sockets::default());
    let crew = crew.start(doors, workers).map_err(StartError::Worker)?;
    crew.open();
    Ok(Running { addresses, shutdown, finish: tokio::spawn(crew.finish()) })
}

impl Running {
    /// Where the listeners listen, in their order.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The phase of the service.
    #[must_use]
    pub fn phases(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Ends the service as SIGTERM does, and waits until it has ended.
    pub async fn shutdown(&mut self) {
        self.shutdown.begin();
        // An error is a panic of the supervisor; then the workers are gone too.
        drop((&mut self.finish).await);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The workers close what they accept; nobody waits for them.
        self.shutdown.advance(Phase::Closing);
    }
}

fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}
