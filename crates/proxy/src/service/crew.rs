//! The worker threads, from the first to the last moment.

use super::accept;
use super::crowd::Crowd;
use super::pulse::Heart;
use super::shutdown::{Leave, Phase, Shutdown};
use super::strain;
use super::{Pulse, Sockets};
use crate::live::Edge;
use crate::pool;
use crate::worker::Worker;
use nearside_core::generation::{ClientIp, Listener, ListenerKind};
use nearside_telemetry::ListenerCells;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

/// How long a process that ends waits for clients that have all their answers, and only have to go: most are told
/// within a round trip, and nothing that ends well waits for one that never goes.
const PATIENCE: Duration = Duration::from_millis(300);

/// How long the streams that are open at the deadline have to end in their protocols' way: more than a tunnel takes
/// for its last frames, so that each leaves its record.
const PARTING: Duration = Duration::from_secs(3);

/// A listener with its socket.
#[derive(Debug)]
pub(super) struct Door {
    /// Its place in the generation.
    pub(super) listener: usize,
    pub(super) kind: ListenerKind,
    pub(super) client_ip: ClientIp,
    /// As the file names it.
    pub(super) address: SocketAddr,
    pub(super) socket: TcpListener,
    pub(super) cells: Arc<ListenerCells>,
    pub(super) crowd: Arc<Crowd>,
}

impl Door {
    /// One for each listener.
    pub(super) fn all(edge: &Edge, listeners: &[Listener], sockets: Vec<TcpListener>) -> Vec<Self> {
        let pairs = listeners.iter().zip(sockets).enumerate();
        let crowd = Arc::<Crowd>::default();
        let door = |(listener, (entry, socket)): (usize, (&Listener, TcpListener))| Self {
            listener,
            kind: entry.kind.clone(),
            client_ip: entry.client_ip.clone(),
            address: entry.bind,
            socket,
            cells: edge.metrics.listener(entry.bind),
            crowd: Arc::clone(&crowd),
        };
        pairs.map(door).collect()
    }

    /// The same socket for another worker.
    fn share(&self) -> io::Result<Self> {
        let (kind, client_ip) = (self.kind.clone(), self.client_ip.clone());
        let (socket, cells) = (self.socket.try_clone()?, Arc::clone(&self.cells));
        let crowd = Arc::clone(&self.crowd);
        Ok(Self { listener: self.listener, kind, client_ip, address: self.address, socket, cells, crowd })
    }
}

/// The workers at work.
#[derive(Debug)]
pub(super) struct Crew {
    edge: Arc<Edge>,
    shutdown: Shutdown,
    pulse: Pulse,
    sockets: Sockets,
    /// Whether the workers accept.
    opening: watch::Sender<bool>,
    ends: Vec<oneshot::Receiver<()>>,
}

impl Crew {
    /// A crew without workers. `sockets` are let go when it closes.
    pub(super) fn new(edge: &Arc<Edge>, shutdown: &Shutdown, pulse: &Pulse, sockets: &Sockets) -> Self {
        let (shutdown, pulse) = (shutdown.clone(), pulse.clone());
        let (edge, sockets, opening) = (Arc::clone(edge), sockets.clone(), watch::Sender::default());
        Self { edge, shutdown, pulse, sockets, opening, ends: Vec::new() }
    }

    /// Starts the workers. They make connections ready; clients come in once it is opened, and never where it is dropped
    /// before that.
    pub(super) fn start(mut self, doors: Vec<Door>, workers: NonZeroUsize) -> io::Result<Self> {
        for id in 1..workers.get() {
            let doors = doors.iter().map(Door::share).collect::<io::Result<_>>()?;
            self.hire(id, doors)?;
        }
        // The last one takes the sockets themselves: once all workers close, nobody listens.
        self.hire(0, doors)?;
        Ok(self)
    }

    /// Lets the workers accept.
    pub(super) fn open(&self) {
        self.opening.send_replace(true);
        self.shutdown.advance(Phase::Running);
    }

    fn hire(&mut self, id: usize, doors: Vec<Door>) -> io::Result<()> {
        let worker = Arc::new(Worker::new(id, Arc::clone(&self.edge)));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (end, ended) = oneshot::channel();
        let (shutdown, heart) = (self.shutdown.clone(), Arc::new(self.pulse.join()));
        let opened = self.opening.subscribe();
        let life = move || {
            work(&runtime, &worker, (doors, opened), &shutdown, &heart);
            // What has not ended by now is cut.
            runtime.shutdown_background();
            heart.rest();
            drop(end);
        };
        std::thread::Builder::new().name(format!("worker-{id}")).spawn(life)?;
        self.ends.push(ended);
        Ok(())
    }

    /// Goes through the phases once the end has begun, and returns when the last worker has ended.
    pub(super) async fn finish(self) {
        self.shutdown.reached(Phase::Draining).await;
        let delay = self.edge.live.load().generation.shutdown.delay;
        // Ended early where somebody moves on by hand.
        drop(tokio::time::timeout(delay, self.shutdown.reached(Phase::Closing)).await);
        self.sockets.close();
        self.shutdown.advance(Phase::Closing);
        for end in self.ends {
            // Nothing is ever sent: the channel closes with its thread.
            drop(end.await);
        }
        self.shutdown.advance(Phase::Ended);
    }
}

/// A worker's life.
fn work(
    runtime: &Runtime,
    worker: &Arc<Worker>,
    (doors, mut opened): (Vec<Door>, watch::Receiver<bool>),
    shutdown: &Shutdown,
    heart: &Arc<Heart>,
) {
    runtime.block_on(async {
        let beating = Arc::clone(heart);
        let pulse = tokio::spawn(async move { beating.beat().await });
        let keeping = tokio::spawn(pool::keep(Arc::clone(worker)));
        let watching = tokio::spawn(strain::watch(Arc::clone(worker)));
        // An error means that it never will be.
        if opened.wait_for(|opened| *opened).await.is_ok() {
            serve(worker, doors, shutdown).await;
        }
        keeping.abort();
        watching.abort();
        worker.strain(false);
        pulse.abort();
        worker.pools.close();
    });
}

/// From the first client to the last.
async fn serve(worker: &Arc<Worker>, doors: Vec<Door>, shutdown: &Shutdown) {
    let mut tasks = JoinSet::new();
    for door in doors {
        tasks.spawn(accept::run(Arc::clone(worker), door, shutdown.clone()));
    }
    shutdown.reached(Phase::Draining).await;
    worker.presences.leave(Leave::AfterAnswer);
    while tasks.join_next().await.is_some() {}
    shutdown.reached(Phase::Closing).await;
    worker.pools.rest();
    part(worker, shutdown).await;
}

/// Parts from the clients, until the deadline. Who has another process to go to is left to go there by himself.
async fn part(worker: &Worker, shutdown: &Shutdown) {
    let deadline = worker.edge.live.load().generation.shutdown.deadline;
    worker.presences.leave(if shutdown.is_handed_over() { Leave::Goaway } else { Leave::AtOnce });
    if tokio::time::timeout(deadline, worker.presences.empty(PATIENCE)).await.is_err() {
        // A connection that is idle by now is closed. Streams that take longer to end are cut with the runtime.
        worker.presences.leave(Leave::AtOnce);
        worker.end_streams();
        drop(tokio::time::timeout(PARTING, worker.presences.empty(PATIENCE)).await);
    }
}
