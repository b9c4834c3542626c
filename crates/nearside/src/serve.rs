//! Serving: the wiring of a PoP, from its file to its end.

use crate::admin::Listening;
use crate::chronicle::Process;
use crate::control::{Control, Opening, Settled};
use crate::gates;
use crate::handover::{Family, Met, Predecessor, Program, Succession};
use crate::make::Maker;
use crate::past::History;
use crate::reload::{First, Reloader, warn_of};
use crate::signals::Signals;
use crate::status::Desk;
use crate::story::Story;
use crate::{admin, export, machine, scrape, state};
use anyhow::Context;
use arc_swap::ArcSwap;
use nearside_config::{Report, Source};
use nearside_core::Now;
use nearside_health::{Clock, Memory, Registry, SystemResolver};
use nearside_proxy::dial::{self, Dial};
use nearside_proxy::live::{Edge, Live, Pop};
use nearside_proxy::service::{BindError, EdgeService, Phase, Shutdown, Strain};
use nearside_telemetry::journal::Journal;
use nearside_telemetry::{AccessLog, Metrics, Sink, field};
use pingora_core::server::configuration::ServerConf;
use pingora_core::server::{RunArgs, Server};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::watch;
use tracing::{info, warn};

/// What a PoP is made of.
pub(crate) struct Plan {
    /// The file.
    pub(crate) file: PathBuf,
    /// Where keys, the local authority and the admin socket are.
    pub(crate) state: PathBuf,
    /// Its name and place.
    pub(crate) pop: Pop,
    /// Worker threads; by default one per core.
    pub(crate) workers: Option<NonZeroUsize>,
    /// How backends are reached.
    pub(crate) dial: Arc<dyn Dial>,
    /// Where the access log goes.
    pub(crate) sink: Box<dyn Write + Send>,
    /// What is to be done once the first verdicts are there.
    pub(crate) settled: Option<Settled>,
    /// What an upgrade starts, where there can be one.
    pub(crate) program: Option<Program>,
    /// Whom this process takes over from.
    pub(crate) predecessor: Option<(Arc<Predecessor>, Met)>,
}

/// How serving ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// After everything in flight, or at the deadline.
    Orderly,
    /// It did not begin, for this reason.
    Refused(String),
    /// Early: a second signal asked for it, or the workers could not begin.
    Cut,
}

/// Serves until a signal ends it, or until a successor has taken over and what was in flight has ended.
///
/// # Errors
/// Something is in the way of beginning.
pub(crate) fn serve(mut plan: Plan) -> anyhow::Result<End> {
    state::make(&plan.state)?;
    let (predecessor, met) = plan.predecessor.take().unzip();
    let inherited = Inherited::of(met);
    let shutdown = Shutdown::default();
    let reloader = reloader(&plan, &shutdown)?;
    reloader.maker.registry.recall(inherited.memories);
    reloader.maker.registry.recall_marks(inherited.marks);
    let First { live, warnings, source, kept } = match reloader.first(inherited.generation)? {
        Ok(first) => first,
        Err(report) => return Ok(Process::refused(&reloader.journal, report.to_string())),
    };
    let admin_address = live.generation.observe.admin;
    let story = Arc::new(Story::new(std::path::absolute(&plan.file).unwrap_or(plan.file), &warnings));
    story.keep(live.generation.stamp.number, kept);
    let edge = edge(live, &reloader.maker.metrics, plan.pop, (plan.dial, plan.sink))?;
    let mut service = EdgeService::new(Arc::clone(&edge), plan.workers, shutdown.clone());
    if let Err(error) = service.bind(inherited.sockets) {
        return Ok(unbound(&edge, &source, &error));
    }
    let listening = admin::bind(&plan.state, admin_address, inherited.admin)?;
    let process = Process::begin(&edge, inherited.pid, &plan.state, Arc::clone(&reloader.journal));
    let admin = admin::Admin::new(listening.share().context("cannot share the admin socket")?);
    let resolver = Arc::new(SystemResolver::new().context("cannot make a resolver of names")?);
    let desk = Desk {
        edge: Arc::clone(&edge),
        story: Arc::clone(&story),
        history: Arc::new(History::recall(&plan.state)),
        journal: Arc::clone(&reloader.journal),
        shutdown: shutdown.clone(),
        predecessor: predecessor.clone(),
        state: plan.state.as_path().into(),
    };
    announce(&edge, &warnings);
    let is_first = predecessor.is_none();
    let family = Arc::new(Family::new(plan.state.clone(), inherited.is_kept));
    let succession = Arc::new(Succession {
        program: plan.program,
        sockets: service.sockets(),
        admin: listening,
        family: Arc::clone(&family),
        heir: tokio::sync::Mutex::default(),
    });
    let before = predecessor.clone();
    let opening = predecessor.map(|predecessor| Opening::new(predecessor, &mut service));
    let pulse = service.pulse();
    let (answered, has_answered) = watch::channel(false);
    let (settled, heirs) = (plan.settled, Arc::clone(&succession));
    let control = Control { desk, reloader, admin, resolver, settled, succession, opening, pulse, answered };
    let signals = Signals::new(shutdown.clone(), Arc::clone(&family), has_answered);
    let end = run(service, control, &shutdown, signals);
    close(&edge);
    process.ended(end == End::Orderly);
    info!(orderly = end == End::Orderly, "ended");
    if !shutdown.is_handed_over() {
        // Who never came to answer there leaves it to the predecessor.
        if is_first || story.is_ready() {
            admin::remove(&plan.state);
        }
        return Ok(end);
    }
    Ok(if stay(heirs, before, &family)? { end } else { End::Cut })
}

/// Stays as long as the processes before this one have something in flight, of which it tells the successor, and as long as the
/// successors serve where it stands for them. Whether those ended well.
fn stay(
    succession: Arc<Succession>,
    before: Option<Arc<Predecessor>>,
    family: &Family,
) -> anyhow::Result<bool> {
    if let Some(before) = before {
        succession.relay(&before);
    }
    // With it the way to the successor, which takes its end for that of this process.
    drop(succession);
    Ok(!family.stays() || family.keep().context("cannot wait for the successor")?)
}

/// Hands over what was not written or sent yet.
fn close(edge: &Arc<Edge>) {
    edge.access.close();
    export::flush(edge);
}

/// A listener cannot be bound.
fn unbound(edge: &Edge, source: &Source, error: &BindError) -> End {
    let listeners = &edge.live.load().generation.listeners;
    let index = listeners.iter().position(|listener| listener.bind == error.address).unwrap_or(0);
    End::Refused(gates::unbound(source, index, error).to_string())
}

/// What a process begins with: nothing, or what its predecessor leaves.
#[derive(Default)]
struct Inherited {
    pid: Option<u32>,
    generation: u64,
    sockets: Vec<(SocketAddr, TcpListener)>,
    admin: Option<Listening>,
    memories: Vec<Memory>,
    marks: HashMap<Arc<str>, Now>,
    is_kept: bool,
}

impl Inherited {
    fn of(met: Option<Met>) -> Self {
        let Some(Met { legacy, sockets, admin }) = met else { return Self::default() };
        info!(pid = legacy.pid, "taking over");
        Self {
            pid: Some(legacy.pid),
            generation: legacy.generation,
            sockets,
            admin: Some(admin),
            memories: legacy.memories,
            marks: legacy
                .marks
                .into_iter()
                .map(|(name, since)| (name.into(), Now::from_millis(since)))
                .collect(),
            is_kept: legacy.is_kept,
        }
    }
}

fn edge(
    live: Live,
    metrics: &Arc<Metrics>,
    pop: Pop,
    (dial, sink): (Arc<dyn Dial>, Box<dyn Write + Send>),
) -> anyhow::Result<Arc<Edge>> {
    let mut sink = Sink::stream(sink);
    if let Some(path) = &live.generation.observe.access_log.path {
        sink.turn(Some(path)).with_context(|| format!("cannot write the access log {}", path.display()))?;
    }
    let access =
        AccessLog::begin(sink, metrics.lines_dropped()).context("cannot start the access log's thread")?;
    let edge = Arc::new(Edge {
        live: ArcSwap::from_pointee(live),
        pop,
        dial,
        memory: dial::Memory::default(),
        reserves: Arc::default(),
        strain: Strain::default(),
        access,
        metrics: Arc::clone(metrics),
        salt: RandomState::new().hash_one(std::process::id()),
        serial: AtomicU64::new(0),
    });
    scrape::sample(&edge);
    Ok(edge)
}

fn reloader(plan: &Plan, shutdown: &Shutdown) -> anyhow::Result<Reloader> {
    let maker = Maker {
        pop: plan.pop.clone(),
        registry: Arc::new(Registry::new(Clock::start())),
        metrics: Arc::new(Metrics::new()),
    };
    let keep = nearside_core::generation::Journal::default().keep;
    let journal = Journal::start(&plan.state, keep, maker.metrics.journal_lost());
    let journal = Arc::new(journal.context("cannot start the journal's thread")?);
    let (file, state) = (plan.file.clone(), plan.state.clone());
    Ok(Reloader { file, state, maker, journal, shutdown: shutdown.clone() })
}

fn announce(edge: &Edge, warnings: &Report) {
    let live = edge.live.load_full();
    for listener in &live.generation.listeners {
        info!({ field::LISTENER } = %listener.bind, "listening");
    }
    info!(
        { field::GENERATION } = &*live.prepared.stamp,
        pop = &*edge.pop.name,
        routes = live.generation.routes.routes().len(),
        backends = live.generation.backends.len(),
        "serving"
    );
    for advice in machine::advice() {
        warn!({ field::CAUSE } = advice, "slow setting of this machine");
    }
    warn_of(warnings);
}

/// Runs both services under pingora's server, which owns their threads.
fn run(service: EdgeService, control: Control, shutdown: &Shutdown, signals: Signals) -> End {
    // One runtime of one thread for each service: the workers have their own.
    let configuration = ServerConf {
        threads: 1,
        work_stealing: false,
        grace_period_seconds: Some(0),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, configuration);
    server.bootstrap();
    server.add_service(service);
    server.add_service(control);
    let told = signals.told();
    server.run(RunArgs { shutdown_signal: Box::new(signals) });
    // One signal asks for the end; who has handed over ends by himself.
    let signals = told.load(std::sync::atomic::Ordering::Relaxed);
    let asked = signals == 1 || signals == 0 && shutdown.is_handed_over();
    if asked && shutdown.phase() == Phase::Ended { End::Orderly } else { End::Cut }
}
