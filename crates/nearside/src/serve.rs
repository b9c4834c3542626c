//! Serving: the wiring of a PoP, from its file to its end.

use crate::control::{Control, Settled};
use crate::gates;
use crate::make::Maker;
use crate::reload::{First, Reloader, warn_of};
use crate::signals::Signals;
use crate::status::Desk;
use crate::story::Story;
use crate::{admin, out, state};
use anyhow::Context;
use arc_swap::ArcSwap;
use nearside_core::{BackendId, Evidence};
use nearside_health::{Clock, Registry, SystemResolver};
use nearside_proxy::dial::{Dial, Memory};
use nearside_proxy::live::{Edge, Live, Pop};
use nearside_proxy::service::{EdgeService, Phase, Shutdown};
use nearside_telemetry::{AccessLog, BackendSample, Metrics, field};
use pingora_core::server::configuration::ServerConf;
use pingora_core::server::{RunArgs, Server};
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use tracing::info;

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
}

/// How serving ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// After everything in flight, or at the deadline.
    Orderly,
    /// It did not begin; what is to be said was said.
    Refused,
    /// Early: a second signal asked for it, or the workers could not begin.
    Cut,
}

/// Serves until a signal ends it.
///
/// # Errors
/// Something is in the way of beginning.
pub(crate) fn serve(plan: Plan) -> anyhow::Result<End> {
    state::make(&plan.state)?;
    let reloader = reloader(&plan);
    let first = match reloader.first()? {
        Ok(first) => first,
        Err(report) => {
            out::error(&report.to_string());
            return Ok(End::Refused);
        }
    };
    let First { live, warnings, source } = first;
    let admin_address = live.generation.observe.admin;
    let story = Arc::new(Story::new(std::path::absolute(&plan.file).unwrap_or(plan.file), &warnings));
    let edge = Arc::new(Edge {
        live: ArcSwap::from_pointee(live),
        pop: plan.pop,
        dial: plan.dial,
        memory: Memory::default(),
        access: AccessLog::start(plan.sink, reloader.maker.metrics.lines_dropped())
            .context("cannot start the access log's thread")?,
        metrics: Arc::clone(&reloader.maker.metrics),
        salt: RandomState::new().hash_one(std::process::id()),
        serial: AtomicU64::new(0),
    });
    sample(&edge);
    let shutdown = Shutdown::default();
    let mut service = EdgeService::new(Arc::clone(&edge), plan.workers, shutdown.clone());
    if let Err(error) = service.bind() {
        let listeners = &edge.live.load_full().generation.listeners;
        let index = listeners.iter().position(|listener| listener.bind == error.address).unwrap_or(0);
        out::error(&gates::unbound(&source, index, &error).to_string());
        return Ok(End::Refused);
    }
    let (admin, _file) = admin::bind(&plan.state, admin_address)?;
    let resolver = Arc::new(SystemResolver::new().context("cannot make a resolver of names")?);
    let desk = Desk { edge: Arc::clone(&edge), story, shutdown: shutdown.clone(), marks: Arc::default() };
    announce(&edge);
    warn_of(&warnings);
    let control = Control { desk, reloader, admin, resolver, settled: plan.settled };
    let end = run(service, control, &shutdown);
    edge.access.close();
    info!(orderly = end == End::Orderly, "ended");
    Ok(end)
}

fn reloader(plan: &Plan) -> Reloader {
    let maker = Maker {
        pop: plan.pop.clone(),
        registry: Arc::new(Registry::new(Clock::start())),
        metrics: Arc::new(Metrics::new()),
    };
    Reloader { file: plan.file.clone(), state: plan.state.clone(), maker }
}

/// Lets every scrape see the backends as they are.
fn sample(edge: &Arc<Edge>) {
    let weak: Weak<Edge> = Arc::downgrade(edge);
    let samples = move || weak.upgrade().map_or_else(Vec::new, |edge| samples(&edge.live.load_full()));
    edge.metrics.sample_backends(samples);
}

fn samples(live: &Live) -> Vec<BackendSample> {
    let (generation, now) = (&live.generation, live.evidence.now());
    let each = live.evidence.snapshot().into_iter().zip(&generation.backends).enumerate();
    each.map(|(index, (status, backend))| {
        let state = live.evidence.state(BackendId::new(index), now);
        BackendSample {
            pool: generation.pool(backend.pool).map(|pool| Arc::clone(&pool.name)).unwrap_or_default(),
            backend: Arc::clone(&backend.name),
            region: generation
                .region(backend.region)
                .map(|region| Arc::clone(&region.name))
                .unwrap_or_default(),
            verdict: state.verdict,
            ejected: state.ejected,
            in_flight: state.in_flight,
            rtt_micros: state.rtt_micros,
            probes_ok: status.probes_passed,
            probes_failed: status.probes_failed,
        }
    })
    .collect()
}

fn announce(edge: &Edge) {
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
}

/// Runs both services under pingora's server, which owns their threads.
fn run(service: EdgeService, control: Control, shutdown: &Shutdown) -> End {
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
    let signals = Signals::new(shutdown.clone());
    let told = signals.told();
    server.run(RunArgs { shutdown_signal: Box::new(signals) });
    let whole = shutdown.phase() == Phase::Ended && told.load(std::sync::atomic::Ordering::Relaxed) == 1;
    if whole { End::Orderly } else { End::Cut }
}
