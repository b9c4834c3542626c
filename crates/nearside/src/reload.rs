//! The reload: the file through the gates, then the swap. Whatever fails leaves what runs as it is.

use crate::chronicle::{self, Changes};
use crate::file;
use crate::gates::{self, Around, Passed};
use crate::make::{self, Maker};
use crate::past::Kept;
use crate::story::{Outcome, Story};
use nearside_config::{Report, Severity, Source};
use nearside_core::{Generation, PoolId};
use nearside_proxy::live::{Edge, Live};
use nearside_proxy::pool;
use nearside_proxy::service::Shutdown;
use nearside_telemetry::journal::{Entry, Journal};
use nearside_telemetry::{Reload, Sink, field};
use nearside_tls::{ClientTable, Clock, Pass};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tracing::{error, info, warn};

/// Makes the next generation of a file.
#[derive(Clone, Debug)]
pub(crate) struct Reloader {
    /// The file.
    pub(crate) file: PathBuf,
    /// Where keys are kept.
    pub(crate) state: PathBuf,
    /// What makes a generation.
    pub(crate) maker: Maker,
    /// Where it is written down.
    pub(crate) journal: Arc<Journal>,
    /// Once this process has handed over, its listeners are another one's matter.
    pub(crate) shutdown: Shutdown,
}

/// The first generation of a process.
#[derive(Debug)]
pub(crate) struct First {
    /// What will be live.
    pub(crate) live: Live,
    /// What is doubtful about its file.
    pub(crate) warnings: Report,
    /// The way from a key's path to its line.
    pub(crate) source: Source,
    /// The names under which it is kept.
    pub(crate) kept: Option<[String; 2]>,
}

/// Why a file is looked at again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cause {
    /// Something changed, or somebody asked.
    Asked,
    /// Something may have changed before anybody watched. When it had not, nothing is said.
    Unseen,
}

/// What a look at the file came to.
enum Look {
    Next(Box<Next>),
    Same,
    Refused(String, Option<Report>),
}

/// A generation that will be live.
struct Next {
    live: Arc<Live>,
    /// The file's tree, which takes a while to be let go.
    source: Source,
    warnings: Report,
    changes: Changes,
    kept: Option<[String; 2]>,
}

impl Reloader {
    /// Reads the file and makes the first generation of this process, after the one with `number`.
    ///
    /// # Errors
    /// The outer one, when the file cannot be read; the inner one is the report.
    pub(crate) fn first(&self, number: u64) -> anyhow::Result<Result<First, Report>> {
        let passed = match self.gated(None)? {
            Ok(passed) => passed,
            Err(report) => return Ok(Err(report)),
        };
        let (warnings, source) = (passed.warnings.clone(), passed.source.clone());
        let kept = self.keep(&passed);
        Ok(Ok(First { live: self.maker.next(passed, number), warnings, source, kept }))
    }

    /// Looks at the file, and swaps what is live where it has changed for something that passes the gates.
    pub(crate) async fn pass(&self, edge: &Arc<Edge>, story: &Story, cause: Cause) -> Option<Arc<Live>> {
        let (reloader, live, began) = (self.clone(), edge.live.load_full(), Instant::now());
        // Reading and building take a while; probes and the admin interface go on meanwhile.
        let looked = tokio::task::spawn_blocking(move || reloader.look(&live)).await;
        let look =
            looked.unwrap_or_else(|error| Look::Refused(format!("the reload broke off: {error}"), None));
        let mut source = None;
        if let Look::Next(next) = &look {
            pool::revive(edge, &next.live).await;
            source = Some(next.source.clone());
        }
        let live = self.conclude(look, edge, story, (cause, began));
        if let Some(source) = source {
            // Who waits for the swap need not wait for this, nor who is served by this thread.
            tokio::task::spawn_blocking(move || drop(source));
        }
        live
    }

    fn look(&self, live: &Live) -> Look {
        let passed = match self.gated(Some(live)) {
            Err(error) => return Look::Refused(format!("{error:#}"), None),
            Ok(Err(report)) => return Look::Refused(report.to_string(), Some(report)),
            Ok(Ok(passed)) => passed,
        };
        if make::hash(&passed) == live.generation.stamp.hash && is_same_here(&passed, live) {
            return Look::Same;
        }
        let fixed = gates::fixed(&live.generation, &passed.generation, &passed.source);
        if let Some(report) = fixed.filter(|_| !self.shutdown.is_handed_over()) {
            return Look::Refused(report.to_string(), Some(report));
        }
        if let Some(path) = new_log(&live.generation, &passed.generation)
            && let Err(cause) = Sink::probe(path)
        {
            return Look::Refused(format!("cannot write the access log {}: {cause}", path.display()), None);
        }
        let (warnings, source) = (passed.warnings.clone(), passed.source.clone());
        let changes = Changes::between(&live.generation, &passed.generation);
        let kept = self.keep(&passed);
        let live = Arc::new(self.maker.next(passed, live.generation.stamp.number));
        Look::Next(Box::new(Next { live, source, warnings, changes, kept }))
    }

    fn gated(&self, live: Option<&Live>) -> anyhow::Result<Result<Passed, Report>> {
        let loaded = match file::load(&self.file)? {
            Ok(loaded) => loaded,
            Err(report) => return Ok(Err(report)),
        };
        let around = Around {
            state: &self.state,
            clock: &Clock::system(),
            now: time::OffsetDateTime::now_utc().unix_timestamp(),
            previous: live.map(|live| &*live.backend_tls),
            tables: live.map(|live| &*live.geo),
        };
        Ok(gates::pass(loaded, &around))
    }

    /// Keeps what a generation is made from, so that the past can be asked; the names.
    fn keep(&self, passed: &Passed) -> Option<[String; 2]> {
        let kept = Kept::of(passed, &self.file).and_then(|kept| kept.store(&self.journal));
        kept.inspect_err(|cause| warn!({ field::CAUSE } = %cause, "this generation is not kept")).ok()
    }

    /// Writes down what became of the file, unless that is another process's matter by now.
    fn note(&self, entry: &Entry) {
        if !self.shutdown.is_handed_over() {
            self.journal.write(entry);
        }
    }

    fn conclude(
        &self,
        look: Look,
        edge: &Edge,
        story: &Story,
        (cause, began): (Cause, Instant),
    ) -> Option<Arc<Live>> {
        let metrics = &self.maker.metrics;
        match look {
            Look::Same if cause == Cause::Unseen => None,
            Look::Same => {
                metrics.reloaded(Reload::Unchanged);
                story.reloaded(Outcome::Unchanged, None, None);
                info!("files unchanged");
                None
            }
            Look::Refused(text, report) => {
                metrics.reloaded(Reload::Refused);
                error!({ field::CAUSE } = %text, "reload refused, the running generation stays");
                let running = edge.live.load_full();
                self.note(&chronicle::refused(&running.generation, &self.file, &text, report.as_ref()));
                story.reloaded(Outcome::Refused, Some(&text), report.as_ref());
                None
            }
            Look::Next(next) => {
                let Next { live, warnings, changes, kept, .. } = *next;
                story.keep(live.generation.stamp.number, kept);
                let before = edge.live.swap(Arc::clone(&live));
                let path = |live: &Live| live.generation.observe.access_log.path.clone();
                if path(&before) != path(&live) {
                    edge.access.turn(path(&live));
                }
                let mut entry =
                    chronicle::swapped(&before.generation, &live.generation, &changes, began.elapsed());
                let text = |live: &Live| story.kept(live.generation.stamp.number).map(|[_, text]| text);
                entry.figure("text_before", text(&before));
                entry.figure("text", text(&live));
                self.note(&entry);
                metrics.reloaded(Reload::Swapped);
                info!(
                    { field::GENERATION } = &*live.prepared.stamp,
                    routes = live.generation.routes.routes().len(),
                    backends = live.generation.backends.len(),
                    took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                    "generation swapped"
                );
                warn_of(&warnings);
                story.reloaded(Outcome::Swapped, None, Some(&warnings));
                Some(live)
            }
        }
    }
}

/// The file that the access log goes to in `next`, where it is another one.
fn new_log<'a>(before: &Generation, next: &'a Generation) -> Option<&'a Path> {
    let path = next.observe.access_log.path.as_deref();
    path.filter(|_| before.observe.access_log.path != next.observe.access_log.path)
}

/// Whether backends are dialled as before, and the admin interface opens as before; what that depends on may differ from
/// PoP to PoP, so that it is no part of a generation's hash.
fn is_same_here(passed: &Passed, live: &Live) -> bool {
    let opens = |pass: &Option<Pass>| pass.as_ref().map(Pass::identity);
    let pools = (0..passed.generation.pools.len()).map(PoolId::new);
    let identity = |table: &ClientTable, pool| table.pool(pool).map(|client| client.identity);
    opens(&passed.pass) == opens(&live.pass)
        && pools
            .into_iter()
            .all(|pool| identity(&passed.backend_tls, pool) == identity(&live.backend_tls, pool))
}

/// Logs what is doubtful about a file that is taken.
pub(crate) fn warn_of(report: &Report) {
    for problem in report.problems().iter().filter(|problem| problem.severity == Severity::Warning) {
        warn!({ field::CAUSE } = %problem, rule = problem.rule, "doubtful file");
    }
}

/// The files and folders whose change makes another generation.
pub(crate) fn watched(file: &Path, generation: &Generation) -> Vec<PathBuf> {
    let mut paths = nearside_tls::watched(generation);
    paths.push(file.to_owned());
    for table in &generation.geo.tables {
        paths.push(table.clone());
        paths.push(nearside_geo::sum_path(table));
    }
    paths
}
