//! The control service: everything that is no request. Probes and names, the watch and the reload, the admin
//! interface, all on one thread.

use crate::admin::Admin;
use crate::chronicle;
use crate::export;
use crate::handover::{Predecessor, Succession};
use crate::reload::{Cause, Reloader, watched};
use crate::status::Desk;
use crate::systemd;
use crate::watch::Watch;
use async_trait::async_trait;
use nearside_core::Verdict;
use nearside_health::{Resolver, Scheduler};
use nearside_proxy::live::Live;
use nearside_proxy::prober::EdgeProber;
use nearside_proxy::service::{EdgeService, Phase, Pulse};
use nearside_telemetry::field;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::Service;
use rustix::process::Signal;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal as Receiver, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{error, info, warn};

/// How long names may take at the start before the PoP is ready without them: the resolver's own patience.
const NAMES: Duration = Duration::from_secs(10);
/// How long the first verdicts are waited for, and the first connections.
const FIRST_LOOK: Duration = Duration::from_secs(5);

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
    /// How this process hands over.
    pub(crate) succession: Arc<Succession>,
    /// How it takes over.
    pub(crate) opening: Option<Opening>,
    /// Whether the workers live.
    pub(crate) pulse: Pulse,
    /// Told once everybody who asked at the admin sockets has an answer, after a hand-over.
    pub(crate) answered: watch::Sender<bool>,
}

/// What is to be done once the PoP is ready.
pub(crate) type Settled = Box<dyn FnOnce(&Live) + Send + Sync>;

/// The moment when a process that takes over begins to accept.
pub(crate) struct Opening {
    predecessor: Arc<Predecessor>,
    open: oneshot::Sender<()>,
}

impl Opening {
    /// Keeps `service` closed until this process is ready.
    pub(crate) fn new(predecessor: Arc<Predecessor>, service: &mut EdgeService) -> Self {
        let (open, opening) = oneshot::channel();
        service.open_on(opening);
        Self { predecessor, open }
    }
}

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
        let (desk, succession) = (&self.desk, &self.succession);
        // Until then the predecessor answers at the admin sockets.
        let (ours, turn) = watch::channel(self.opening.is_none());
        let begin = begin(desk, (self.settled.take(), self.opening.take()), ours);
        let serve = async {
            let served = serve(&mut self.admin, desk, succession, turn).await;
            self.answered.send_replace(true);
            served
        };
        let follow = follow(desk, &self.reloader, scheduler, succession);
        let manage = manage(desk, &self.pulse, succession);
        let chronicle = chronicle::follow(desk, &self.reloader.journal);
        let rotate = rotate(desk, succession);
        let export = export::run(&desk.edge);
        // None of them ends before the process does; the admin interface may fail to begin.
        let ((), served, (), (), (), (), ()) =
            tokio::join!(begin, serve, follow, manage, chronicle, rotate, export);
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
        // Nothing is handed over by pingora.
        Some(Vec::new())
    }
}

/// Makes the PoP ready, and lets it begin where it has waited for that.
async fn begin(
    desk: &Desk,
    (settled, opening): (Option<Settled>, Option<Opening>),
    ours: watch::Sender<bool>,
) {
    match opening {
        None => become_ready(desk).await,
        Some(opening) => {
            if !take_over(desk, opening).await {
                return;
            }
        }
    }
    desk.shutdown.reached(Phase::Running).await;
    ours.send_replace(true);
    desk.story.ready();
    info!("ready");
    systemd::ready(&desk.headline());
    if let Some(settled) = settled {
        settled(&desk.edge.live.load_full());
    }
}

/// Makes the PoP ready, and begins to accept where the predecessor agrees; whether this process serves then. If not,
/// it ends.
async fn take_over(desk: &Desk, Opening { predecessor, open }: Opening) -> bool {
    tokio::select! {
        () = become_ready(desk) => {}
        () = Arc::clone(&predecessor).stirs() => {
            warn!("the predecessor has ended, and this process with it: nobody has let it begin");
            return false;
        }
    }
    let asks = Arc::clone(&predecessor);
    let agrees = spawn_blocking(move || asks.agrees()).await;
    // Without a word the service stays closed, and ends with `open`.
    if !agrees.unwrap_or(false) {
        return false;
    }
    let begins = open.send(()).is_ok();
    if begins {
        desk.shutdown.reached(Phase::Running).await;
    }
    // A service that cannot begin has let go of its end.
    if !begins || desk.shutdown.phase() != Phase::Running {
        predecessor.fail("the workers cannot begin, or the process was told to end; its log says more");
        return false;
    }
    let live = desk.edge.live.load_full();
    let listeners = live.generation.listeners.iter().map(|listener| listener.bind).collect();
    let stamp = live.prepared.stamp.to_string();
    let tells = Arc::clone(&predecessor);
    // A panic there leaves a predecessor that hears nothing, and so makes an end of this process.
    drop(spawn_blocking(move || tells.succeed(stamp, listeners)).await);
    // Ends with the predecessor, or with this process: a thread of its own holds nothing up.
    std::thread::spawn(move || predecessor.hear_out());
    true
}

/// Answers at the admin sockets once it is this process's turn.
async fn serve(
    admin: &mut Admin,
    desk: &Desk,
    succession: &Arc<Succession>,
    mut turn: watch::Receiver<bool>,
) -> io::Result<()> {
    // An error means that its turn will not come.
    if turn.wait_for(|ours| *ours).await.is_err() {
        return Ok(());
    }
    admin.serve(desk, succession).await
}

/// Tells the service manager and a successor what they want to know.
async fn manage(desk: &Desk, pulse: &Pulse, succession: &Succession) {
    let stop = async {
        desk.shutdown.reached(Phase::Draining).await;
        if !desk.shutdown.is_handed_over() {
            let shutdown = desk.edge.live.load().generation.shutdown;
            systemd::stopping(shutdown.delay + shutdown.deadline + Duration::from_secs(5));
        }
    };
    tokio::join!(stop, systemd::live(pulse, &desk.shutdown), succession.report(desk));
}

/// Opens the access log anew whenever SIGUSR1 says that its file was moved away.
async fn rotate(desk: &Desk, succession: &Succession) {
    let mut asked = signal(SignalKind::user_defined1()).ok();
    loop {
        heard(asked.as_mut()).await;
        info!("the access log is opened anew");
        desk.edge.access.reopen();
        if desk.shutdown.is_handed_over() {
            succession.family.pass(Signal::USR1);
        }
    }
}

/// Follows the files, and reloads when they change or when SIGHUP asks.
async fn follow(desk: &Desk, reloader: &Reloader, mut scheduler: Scheduler, succession: &Succession) {
    let live = desk.edge.live.load_full();
    scheduler.follow(&live.evidence);
    live.evidence.follow_marks();
    let mut watch = Watch::new().map_err(|cause| unwatched(&cause)).ok();
    let mut hangups = signal(SignalKind::hangup()).ok();
    let mut cause = Cause::Unseen;
    loop {
        let before = desk.edge.live.load_full();
        arm(watch.as_mut(), reloader, &before);
        // Before the PoP is ready, and once another one is, there is nobody to tell of reloads.
        let is_told = cause == Cause::Asked && desk.ready().is_ok();
        if is_told {
            systemd::reloading();
        }
        let next = reloader.pass(&desk.edge, &desk.story, cause).await;
        if is_told {
            systemd::ready(&desk.headline());
        }
        if let Some(next) = next {
            scheduler.follow(&next.evidence);
            next.evidence.follow_marks();
            if arm(watch.as_mut(), reloader, &next) {
                // The new generation reads from folders that nobody watched while it was built.
                cause = Cause::Unseen;
                continue;
            }
        }
        tokio::select! {
            () = changed(watch.as_ref()) => {}
            () = heard(hangups.as_mut()) => {
                info!("reload asked for");
                if desk.shutdown.is_handed_over() {
                    succession.family.pass(Signal::HUP);
                }
            }
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

/// Waits for the signal.
async fn heard(signals: Option<&mut Receiver>) {
    match signals {
        Some(signals) => drop(signals.recv().await),
        None => std::future::pending().await,
    }
}

/// The PoP can serve once every name of its first generation was asked for, its backends have their verdicts, and those
/// that are well have the connections that are kept ready.
async fn become_ready(desk: &Desk) {
    let evidence = Arc::clone(&desk.edge.live.load_full().evidence);
    // Names that take longer are no reason to turn clients away from those that are known.
    let names_in_time = timeout(NAMES, evidence.resolved()).await.is_ok();
    let deadline = Instant::now() + FIRST_LOOK;
    let known = async {
        while evidence.snapshot().iter().any(|backend| backend.verdict == Verdict::Unknown.name()) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    // A backend without a verdict by then has a story of its own.
    let verdicts_in_time = timeout_at(deadline, known).await.is_ok();
    let warm = async {
        while !desk.edge.reserves.are_ready(&desk.edge.live.load_full()) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let connections_in_time = timeout_at(deadline, warm).await.is_ok();
    info!(names_in_time, verdicts_in_time, connections_in_time, "backends looked at");
}
