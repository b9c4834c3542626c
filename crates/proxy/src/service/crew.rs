//! The worker threads, from the first to the last moment.

use super::accept;
use super::shutdown::{Phase, Shutdown};
use crate::live::Edge;
use crate::pool::Reserves;
use crate::worker::Worker;
use nearside_core::generation::{Listener, ListenerKind};
use nearside_telemetry::ListenerCells;
use std::io;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// A listener with its socket.
#[derive(Debug)]
pub(super) struct Door {
    /// Its place in the generation.
    pub(super) listener: usize,
    pub(super) kind: ListenerKind,
    pub(super) socket: TcpListener,
    pub(super) cells: Arc<ListenerCells>,
}

impl Door {
    /// One for each listener.
    pub(super) fn all(edge: &Edge, listeners: &[Listener], sockets: Vec<TcpListener>) -> Vec<Self> {
        let pairs = listeners.iter().zip(sockets).enumerate();
        let door = |(listener, (entry, socket)): (usize, (&Listener, TcpListener))| Self {
            listener,
            kind: entry.kind.clone(),
            socket,
            cells: edge.metrics.listener(entry.bind),
        };
        pairs.map(door).collect()
    }

    /// The same socket for another worker.
    fn share(&self) -> io::Result<Self> {
        let (kind, cells) = (self.kind.clone(), Arc::clone(&self.cells));
        Ok(Self { listener: self.listener, kind, socket: self.socket.try_clone()?, cells })
    }
}

/// The workers at work.
#[derive(Debug)]
pub(super) struct Crew {
    edge: Arc<Edge>,
    shutdown: Shutdown,
    ends: Vec<oneshot::Receiver<()>>,
}

impl Crew {
    /// Starts the workers.
    pub(super) fn start(
        edge: &Arc<Edge>,
        doors: Vec<Door>,
        workers: NonZeroUsize,
        shutdown: &Shutdown,
    ) -> io::Result<Self> {
        let reserves = Arc::new(Reserves::default());
        let mut crew = Self { edge: Arc::clone(edge), shutdown: shutdown.clone(), ends: Vec::new() };
        for id in 1..workers.get() {
            let doors = doors.iter().map(Door::share).collect::<io::Result<_>>()?;
            crew.hire(id, doors, &reserves)?;
        }
        // The last one takes the sockets themselves: once all workers close, nobody listens.
        crew.hire(0, doors, &reserves)?;
        Ok(crew)
    }

    fn hire(&mut self, id: usize, doors: Vec<Door>, reserves: &Arc<Reserves>) -> io::Result<()> {
        let worker = Arc::new(Worker::new(id, Arc::clone(&self.edge), Arc::clone(reserves)));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (end, ended) = oneshot::channel();
        let shutdown = self.shutdown.clone();
        let life = move || {
            work(&runtime, &worker, doors, &shutdown);
            // What has not ended by now is cut.
            runtime.shutdown_background();
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
        self.shutdown.advance(Phase::Closing);
        for end in self.ends {
            // Nothing is ever sent: the channel closes with its thread.
            drop(end.await);
        }
        self.shutdown.advance(Phase::Ended);
    }
}

/// A worker's life.
fn work(runtime: &Runtime, worker: &Arc<Worker>, doors: Vec<Door>, shutdown: &Shutdown) {
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for door in doors {
            tasks.spawn(accept::run(Arc::clone(worker), door, shutdown.clone()));
        }
        let sweeping = tokio::spawn(sweep(Arc::clone(worker)));
        while tasks.join_next().await.is_some() {}
        shutdown.reached(Phase::Closing).await;
        worker.presences.close();
        let deadline = worker.edge.live.load().generation.shutdown.deadline;
        // Those that take longer are cut with the runtime.
        drop(tokio::time::timeout(deadline, worker.presences.empty()).await);
        sweeping.abort();
        worker.pools.close();
    });
}

/// Closes idle connections to backends whose time has come.
async fn sweep(worker: Arc<Worker>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        let live = worker.edge.live.load_full();
        worker.pools.sweep(&live);
    }
}
