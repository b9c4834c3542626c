//! The service: binds the listeners, runs the workers, ends them in an orderly way.
//!
//! Each worker thread has a runtime of its own and accepts for itself, all from the same sockets. This is a service
//! of pingora's server, which hands over listening sockets between a process and its successor; [`start`] runs the
//! same without one.

mod accept;
mod bind;
mod crew;
mod room;
mod shutdown;

#[cfg(test)]
mod tests;

pub use bind::{BindError, bind_all};
pub use shutdown::{Phase, Presence, Presences, Shutdown};

use crate::inherited;
use crate::live::Edge;
use async_trait::async_trait;
use crew::{Crew, Door};
use nearside_core::generation::Listener;
use pingora_core::server::{ListenFds, ShutdownWatch};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;
use std::sync::Arc;
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
    sockets: Vec<TcpListener>,
    workers: NonZeroUsize,
    shutdown: Shutdown,
}

impl EdgeService {
    /// The service of `edge`, on the listeners of its generation, with so many workers: by default one per core.
    #[must_use]
    pub fn new(edge: Arc<Edge>, workers: Option<NonZeroUsize>, shutdown: Shutdown) -> Self {
        let listeners = edge.live.load().generation.listeners.clone();
        let workers = workers.unwrap_or_else(cores);
        Self { edge, listeners, sockets: Vec::new(), workers, shutdown }
    }

    /// Binds every listener now, so that what is wrong is known before the server runs. Not to be called where a
    /// predecessor hands its sockets over.
    ///
    /// # Errors
    /// The first address that cannot be listened on.
    pub fn bind(&mut self) -> Result<(), BindError> {
        self.sockets = bind_all(&self.listeners)?;
        Ok(())
    }

    /// The sockets: bound before, handed over, or bound now. What is bound here is listed for a successor.
    fn take_sockets(&mut self, fds: Option<&ListenFds>) -> Result<Vec<TcpListener>, BindError> {
        let mut bound = std::mem::take(&mut self.sockets).into_iter();
        let mut sockets = Vec::new();
        for listener in &self.listeners {
            let name = listener.bind.to_string();
            let handed = fds.and_then(|fds| fds.lock().get(&name).copied());
            let socket = match (bound.next(), handed) {
                (Some(socket), _) => socket,
                (None, Some(fd)) => {
                    inherited::listener(fd).map_err(|cause| BindError { address: listener.bind, cause })?
                }
                (None, None) => bind::bind(listener.bind)?,
            };
            if let Some(fds) = fds {
                fds.lock().add(name, socket.as_raw_fd());
            }
            sockets.push(socket);
        }
        Ok(sockets)
    }

    fn crew(&mut self, fds: Option<&ListenFds>) -> Result<Crew, StartError> {
        let sockets = self.take_sockets(fds)?;
        let doors = Door::all(&self.edge, &self.listeners, sockets);
        Crew::start(&self.edge, doors, self.workers, &self.shutdown).map_err(StartError::Worker)
    }
}

#[async_trait]
impl pingora_core::services::Service for EdgeService {
    async fn start_service(
        &mut self,
        fds: Option<ListenFds>,
        mut shutdown: ShutdownWatch,
        _listeners_per_fd: usize,
    ) {
        let crew = match self.crew(fds.as_ref()) {
            Ok(crew) => crew,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "not serving");
                self.shutdown.advance(Phase::Ended);
                return;
            }
        };
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
        Some(self.listeners.iter().map(|listener| listener.bind.to_string()).collect())
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
    let addresses = sockets.iter().map(TcpListener::local_addr).collect::<io::Result<_>>();
    let addresses = addresses.map_err(StartError::Worker)?;
    let doors = Door::all(edge, listeners, sockets);
    let crew = Crew::start(edge, doors, workers, &shutdown).map_err(StartError::Worker)?;
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
