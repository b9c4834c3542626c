//! The control service: everything that is no request. Probes and names, the watch and the reload, the admin
//! interface, all on one thread.

use crate::admin::Admin;
use crate::reload::{Cause, Reloader, watched};
use crate::status::Desk;
use crate::watch::Watch;
use async_trait::async_trait;
use nearside_core::Verdict;
use nearside_health::{Resolver, Scheduler};
use nearside_proxy::live::Live;
use nearside_proxy::prober::EdgeProber;
use nearside_telemetry::field;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::Service;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

/// How long names may take at the start before the PoP is ready without them: the resolver's own patience.
const NAMES: Duration = Duration::from_secs(10);
/// How long the first verdicts are waited for.
const FIRST_VERDICTS: Duration = Duration::from_secs(5);

/// What the service works with.
pub(crate) struct Control {
    /// What the status is read from.
    pub(crate) desk: Desk,
    /// What makes the next generation.
    pub(crate) reloader: Reloader,
    /// The admin sockets.
    pub(crate) admin: Admin,
    /// Who resolves names.
    pub(crate) resolver: Arc<dyn Resolver>,
    /// Called once every backend has a verdict, or a while has passed.
    pub(crate) settled: Option<Settled>,
}

/// What is to be done once the first verdicts are there.
pub(crate) type Settled = Box<dyn FnOnce(&Live) + Send + Sync>;

#[async_trait]
impl Service for Control {
    async fn start_service(
        &mut self,
        _fds: Option<ListenFds>,
        _shutdown: ShutdownWatch,
        _listeners_per_fd: usize,
    ) {
        let seed = self.desk.edge.next();
        let prober = Arc::new(EdgeProber::new(Arc::clone(&self.desk.edge)));
        let scheduler = Scheduler::new(prober, Arc::clone(&self.resolver), seed);
        let settled = self.settled.take();
        let desk = &self.desk;
        let (ready, settle) = (become_ready(desk), settle(desk, settled));
        let (follow, serve) = (follow(desk, &self.reloader, scheduler), self.admin.serve(desk.clone()));
        // None of them ends before the process does; the admin interface may fail to begin.
        let (.., served) = tokio::join!(ready, settle, follow, serve);
        if let Err(cause) = served {
            error!({ field::CAUSE } = %cause, "no admin interface");
        }
    }

    fn name(&self) -> &'static str {
        "control"
    }

    fn threads(&self) -> Option<usize> {
        Some(1)
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        // None of its sockets is handed to a successor.
        Some(Vec::new())
    }
}

/// Follows the files, and reloads when they change or when SIGHUP asks.
async fn follow(desk: &Desk, reloader: &Reloader, mut scheduler: Scheduler) {
    let live = desk.edge.live.load_full();
    scheduler.follow(&live.evidence);
    desk.follow(&live);
    let mut watch = Watch::new().map_err(|cause| unwatched(&cause)).ok();
    let mut hangups = signal(SignalKind::hangup()).ok();
    let mut cause = Cause::Unseen;
    loop {
        let before = desk.edge.live.load_full();
        arm(watch.as_mut(), reloader, &before);
        if let Some(next) = reloader.pass(&desk.edge, &desk.story, cause).await {
            scheduler.follow(&next.evidence);
            desk.follow(&next);
            if arm(watch.as_mut(), reloader, &next) {
                // The new generation reads from folders that nobody watched while it was built.
                cause = Cause::Unseen;
                continue;
            }
        }
        tokio::select! {
            () = changed(watch.as_ref()) => {}
            () = hangup(hangups.as_mut()) => info!("reload asked for"),
        }
        cause = Cause::Asked;
    }
}

fn arm(watch: Option<&mut Watch>, reloader: &Reloader, live: &Live) -> bool {
    let paths = watched(&reloader.file, &live.generation);
    let followed = watch.map(|watch| watch.follow(&paths));
    followed.is_some_and(|followed| followed.map_err(|cause| unwatched(&cause)).unwrap_or(false))
}

fn unwatched(cause: &dyn std::error::Error) {
    warn!(
        { field::CAUSE } = %cause,
        "changes of files are not seen; raise fs.inotify.max_user_watches, or send SIGHUP to reload"
    );
}

async fn changed(watch: Option<&Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

async fn hangup(signals: Option<&mut Signal>) {
    match signals {
        Some(signals) => drop(signals.recv().await),
        None => std::future::pending().await,
    }
}

/// The PoP is ready once every name of its first generation was asked for.
async fn become_ready(desk: &Desk) {
    let evidence = Arc::clone(&desk.edge.live.load_full().evidence);
    // Names that take longer are no reason to turn clients away from those that are known.
    let in_time = timeout(NAMES, evidence.resolved()).await.is_ok();
    desk.story.resolved();
    info!(in_time, "ready");
}

async fn settle(desk: &Desk, settled: Option<Settled>) {
    let Some(settled) = settled else { return };
    let live = desk.edge.live.load_full();
    let known = async {
        while live.evidence.snapshot().iter().any(|backend| backend.verdict == Verdict::Unknown.name()) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    // A backend without a verdict by then has a story of its own.
    drop(timeout(FIRST_VERDICTS, known).await);
    settled(&live);
}
