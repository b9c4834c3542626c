//! What is counted and measured, for Prometheus. Every label is a word of `routes.yaml` or of ours; no client
//! mints one.

use crate::cells::{BackendCells, Cells, Decisions, ListenerCells, NO_REGION, RouteCells, parts};
use crate::exposition::{Exposition, exemplified};
use crate::trace::{Exemplar, Traces};
use nearside_core::{BackendKey, Generation, Reason, Verdict};
use parking_lot::{Mutex, MutexGuard};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// All counters of the process.
#[derive(Debug)]
pub struct Metrics {
    book: Arc<Book>,
    registry: Registry,
    /// One page at a time: its examples are put where their buckets stand.
    page: Mutex<()>,
}

/// How a reload ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reload {
    /// Another generation serves.
    Swapped,
    /// The files say what they said.
    Unchanged,
    /// The old generation stays.
    Refused,
}

/// What a client says and is not believed: it has no effect but to be counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Disbelieved {
    /// An affinity cookie that the fleet has not signed.
    AffinityForged,
    /// One whose time is over.
    AffinityExpired,
    /// One of another pool.
    AffinityForeign,
    /// A home that no key of the route has signed.
    HomeForged,
    /// One that is no longer good, or not yet.
    HomeExpired,
}

impl Disbelieved {
    /// What is claimed and why it is not believed, in the enum's order.
    pub(crate) const LABELS: [(&str, &str); 5] = [
        ("affinity", "forged"),
        ("affinity", "expired"),
        ("affinity", "foreign"),
        ("home", "forged"),
        ("home", "expired"),
    ];

    /// What is claimed, and why it is not believed.
    #[must_use]
    pub fn label(self) -> (&'static str, &'static str) {
        Self::LABELS.get(self as usize).copied().unwrap_or_default()
    }
}

/// How a request ended.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Ended {
    /// The region of the backend that answered, or was tried last.
    pub region: Option<Arc<str>>,
    /// Why it went there, or was not served.
    pub reason: Option<Reason>,
    /// The first digit of the answer's status; 0 where the client got none.
    pub class: u8,
}

/// What is known of a backend at the moment of a scrape.
#[derive(Clone, Debug)]
pub struct BackendSample {
    /// Its pool's name.
    pub pool: Arc<str>,
    /// Its id, or its url.
    pub backend: Arc<str>,
    /// Its region's name.
    pub region: Arc<str>,
    /// What its probes say.
    pub verdict: Verdict,
    /// Removed on live evidence.
    pub ejected: bool,
    /// Requests that it is answering.
    pub in_flight: u32,
    /// Connections to it that are open.
    pub connections: u32,
    /// Those among them that no request uses.
    pub idle: u32,
    /// Round trip in microseconds.
    pub rtt_micros: Option<u32>,
    /// The round trips that were measured: the sum in seconds, the count, and the buckets.
    pub trips: (f64, u64, Vec<(f64, u64)>),
    /// Probes that succeeded.
    pub probes_ok: u64,
    /// Probes that failed.
    pub probes_failed: u64,
}

/// What is known of a region at the moment of a scrape.
#[derive(Clone, Debug)]
pub struct RegionSample {
    /// Its name.
    pub region: Arc<str>,
    /// Requests that it is answering for this PoP.
    pub in_flight: u32,
    /// Its backends that may get requests.
    pub usable: u64,
    /// Requests a second that it would get, where they are counted.
    pub offered: Option<u64>,
    /// This PoP's share of the capacity that is declared.
    pub capacity: Option<u64>,
}

/// Everything that is asked for at each scrape.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// The backends.
    pub backends: Vec<BackendSample>,
    /// The regions.
    pub regions: Vec<RegionSample>,
    /// The certificates' files, and when each expires, in seconds since the Unix epoch.
    pub certificates: Vec<(Box<str>, i64)>,
}

type Sampler = Box<dyn Fn() -> Samples + Send + Sync>;

/// What the counters are known by. Only a reload and a scrape lock it.
#[derive(Default)]
pub(crate) struct Book {
    names: Mutex<Names>,
    pub(crate) no_route: Arc<RouteCells>,
    pub(crate) decisions: Arc<Decisions>,
    pub(crate) reloads: [AtomicU64; 3],
    pub(crate) disbelieved: [AtomicU64; Disbelieved::LABELS.len()],
    pub(crate) lines_dropped: Arc<AtomicU64>,
    pub(crate) journal_lost: Arc<AtomicU64>,
    pub(crate) traces: Traces,
    /// The examples of the page that is being made, each with the number of its bucket's line.
    pub(crate) exemplars: Mutex<Vec<(usize, Exemplar)>>,
    pub(crate) sampler: Mutex<Option<Sampler>>,
}

#[derive(Default)]
pub(crate) struct Names {
    pub(crate) routes: HashMap<Arc<str>, Arc<RouteCells>>,
    pub(crate) backends: HashMap<BackendKey, (BackendName, Arc<BackendCells>)>,
    /// Every region that was ever declared; its place is its number in counters.
    pub(crate) regions: Vec<Arc<str>>,
    pub(crate) listeners: BTreeMap<SocketAddr, Arc<ListenerCells>>,
    /// The live generation's stamp, and which of its regions are marked drained.
    pub(crate) stamp: String,
    pub(crate) number: u64,
    pub(crate) drained: Vec<(Arc<str>, bool)>,
    /// The regions and backends that are marked.
    pub(crate) marked: Vec<(&'static str, Box<str>)>,
}

/// A backend's labels.
#[derive(Clone, Debug)]
pub(crate) struct BackendName {
    pub(crate) pool: Arc<str>,
    pub(crate) backend: Arc<str>,
    pub(crate) region: Arc<str>,
}

impl Book {
    pub(crate) fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock()
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let book: Arc<Book> = Arc::default();
        let mut registry = Registry::with_prefix("nearside");
        registry.register_collector(Box::new(Exposition(Arc::clone(&book))));
        Self { book, registry, page: Mutex::default() }
    }
}

impl Metrics {
    /// No counter has counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The handles for `generation`, which from now on is the live one. Routes and backends of its predecessor
    /// go on counting where they were; those that are gone are forgotten once nobody holds their handles.
    #[must_use]
    pub fn cells(&self, generation: &Generation) -> Cells {
        let mut names = self.book.names();
        let names = &mut *names;
        let routes: Box<[_]> =
            generation.routes.routes().iter().map(|route| names.route(&route.id)).collect();
        let backends = generation.backends.iter().map(|backend| names.backend(generation, backend)).collect();
        let regions = generation.regions.iter().map(|region| names.region(&region.name)).collect();
        names.routes.retain(|_, cells| Arc::strong_count(cells) > 1);
        names.backends.retain(|_, (_, cells)| Arc::strong_count(cells) > 1);
        names.stamp = generation.stamp.to_string();
        names.number = generation.stamp.number;
        let drained =
            |region: &nearside_core::generation::Region| (Arc::clone(&region.name), region.drain.is_some());
        names.drained = generation.regions.iter().map(drained).collect();
        let regions_marked = generation.regions.iter().filter(|region| region.drain.is_some());
        let backends_marked = generation.backends.iter().filter(|backend| backend.drain.is_some());
        let regions_marked = regions_marked.map(|region| ("region", Box::from(&*region.name)));
        let backends_marked = backends_marked.map(|backend| ("backend", Box::from(backend.key.as_str())));
        names.marked = regions_marked.chain(backends_marked).collect();
        let (no_route, decisions) = (Arc::clone(&self.book.no_route), Arc::clone(&self.book.decisions));
        Cells { routes, no_route, backends, regions, decisions }
    }

    /// The counters of the listener at `bind`.
    #[must_use]
    pub fn listener(&self, bind: SocketAddr) -> Arc<ListenerCells> {
        Arc::clone(self.book.names().listeners.entry(bind).or_default())
    }

    /// Counts a reload.
    pub fn reloaded(&self, result: Reload) {
        let [swapped, unchanged, refused] = &self.book.reloads;
        let count = match result {
            Reload::Swapped => swapped,
            Reload::Unchanged => unchanged,
            Reload::Refused => refused,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what a client has said in vain.
    pub fn disbelieved(&self, what: Disbelieved) {
        if let Some(count) = self.book.disbelieved.get(what as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Asks `sampler` at each scrape.
    pub fn sample(&self, sampler: impl Fn() -> Samples + Send + Sync + 'static) {
        *self.book.sampler.lock() = Some(Box::new(sampler));
    }

    /// Where [`crate::AccessLog`] counts the lines that are lost.
    #[must_use]
    pub fn lines_dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.book.lines_dropped)
    }

    /// Where [`crate::journal::Journal`] counts what is lost.
    #[must_use]
    pub fn journal_lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.book.journal_lost)
    }

    /// The traces that wait to be sent; what becomes of them is counted.
    #[must_use]
    pub fn traces(&self) -> &Traces {
        &self.book.traces
    }

    /// The requests that have ended, by region (none where no backend was reached), reason and class of status. A
    /// route that is gone takes its own with it.
    #[must_use]
    pub fn traffic(&self) -> HashMap<Ended, u64> {
        let names = self.book.names();
        let routes = names.routes.values().map(|cells| &**cells).chain([&*self.book.no_route]);
        let mut all = HashMap::new();
        for (key, count) in routes.filter_map(|cells| cells.touched()).flat_map(|cells| cells.requests.iter())
        {
            let (region, reason, class) = parts(key);
            let region =
                names.regions.get(usize::from(region)).filter(|_| region != NO_REGION).map(Arc::clone);
            *all.entry(Ended { region, reason, class }).or_default() += count;
        }
        all
    }

    /// Everything in the OpenMetrics text format: `application/openmetrics-text; version=1.0.0; charset=utf-8`.
    #[must_use]
    pub fn render(&self) -> String {
        let page = self.page.lock();
        let mut text = String::new();
        // Writing into a string does not fail; half a page would be worse than none.
        if text::encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        let mut exemplars = self.book.exemplars.lock();
        let text = exemplified(text, &std::mem::take(&mut *exemplars));
        drop(page);
        text
    }
}

impl Names {
    fn route(&mut self, id: &Arc<str>) -> Arc<RouteCells> {
        Arc::clone(self.routes.entry(Arc::clone(id)).or_default())
    }

    fn backend(
        &mut self,
        generation: &Generation,
        backend: &nearside_core::generation::Backend,
    ) -> Arc<BackendCells> {
        let name = BackendName {
            pool: generation.pool(backend.pool).map(|pool| Arc::clone(&pool.name)).unwrap_or_default(),
            backend: Arc::clone(&backend.name),
            region: generation
                .region(backend.region)
                .map(|region| Arc::clone(&region.name))
                .unwrap_or_default(),
        };
        let (known, cells) =
            self.backends.entry(backend.key.clone()).or_insert_with(|| (name.clone(), Arc::default()));
        *known = name;
        Arc::clone(cells)
    }

    fn region(&mut self, name: &Arc<str>) -> u16 {
        let known = self.regions.iter().position(|known| known == name).unwrap_or_else(|| {
            self.regions.push(Arc::clone(name));
            self.regions.len() - 1
        });
        u16::try_from(known).unwrap_or(u16::MAX)
    }
}
