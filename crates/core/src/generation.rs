//! One immutable set of what a request reads: regions, pools, backends, routes, listeners.

mod backend;
mod entrance;
mod network;
mod region;
mod roster;
mod tracing;

pub use backend::{Backend, Endpoint};
pub use entrance::{
    CertificateSource, ClientIp, ClientIpFrom, ClientIpHeader, Limits, Listener, ListenerKind, Tls,
};
pub use network::Cidr;
pub use region::{Drain, Geo, PinnedSessions, Region};
pub(crate) use roster::Roster;
pub use roster::{Backends, Edit};
pub use tracing::Tracing;

use crate::id::{BackendId, ClassId, PoolId, RegionId};
use crate::policy::{
    Affinity, BackendTls, Connections, Failback, HostHeader, Passive, Probe, Retry, Select, Share, Timeouts,
};
use crate::residency::Class;
use crate::table::Table;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything that `routes.yaml` says, compiled.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Its number and content hash.
    pub stamp: Stamp,
    /// What all PoPs share.
    pub fleet: Fleet,
    /// By [`RegionId`].
    pub regions: Box<[Region]>,
    /// By [`PoolId`].
    pub pools: Box<[Pool]>,
    /// By [`BackendId`]; those of one pool stand together.
    pub backends: Backends,
    /// What is known of where addresses are.
    pub geo: Geo,
    /// The residency classes, by [`ClassId`].
    pub classes: Box<[Class]>,
    /// By host, path and method.
    pub routes: Table,
    /// Where clients connect.
    pub listeners: Box<[Listener]>,
    /// What is taken of clients at most.
    pub limits: Limits,
    /// Certificates and versions.
    pub tls: Tls,
    /// How the process ends.
    pub shutdown: Shutdown,
    /// How it is watched.
    pub observe: Observe,
    /// What is checked at load.
    pub checks: Checks,
}

/// Nothing but what a file that says nothing of it gets (SPEC, section 6).
impl Default for Generation {
    fn default() -> Self {
        Self {
            stamp: Stamp::default(),
            fleet: Fleet::new("nearside"),
            regions: Box::default(),
            pools: Box::default(),
            backends: Backends::default(),
            geo: Geo::default(),
            classes: Box::default(),
            routes: Table::default(),
            listeners: Box::default(),
            limits: Limits::default(),
            tls: Tls::default(),
            shutdown: Shutdown { delay: Duration::ZERO, deadline: Duration::from_secs(30) },
            observe: Observe::default(),
            checks: Checks {
                failover_bound_above: Duration::from_secs(30),
                failover_bound: Gate::Warn,
                region_loss_overload: Gate::Warn,
            },
        }
    }
}

impl Generation {
    /// The region with this id.
    #[must_use]
    pub fn region(&self, id: RegionId) -> Option<&Region> {
        self.regions.get(id.index())
    }

    /// The pool with this id.
    #[must_use]
    pub fn pool(&self, id: PoolId) -> Option<&Pool> {
        self.pools.get(id.index())
    }

    /// The residency class with this id.
    #[must_use]
    pub fn class(&self, id: ClassId) -> Option<&Class> {
        self.classes.get(id.index())
    }

    /// The backend with this id.
    #[must_use]
    pub fn backend(&self, id: BackendId) -> Option<&Backend> {
        self.backends.get(id.index())
    }

    /// The backends of `pool`, in declared order.
    #[must_use]
    pub fn backends_of(&self, pool: &Pool) -> &[Backend] {
        let first = pool.first.index();
        self.backends.get(first..first + pool.len).unwrap_or(&[])
    }

    /// The drain mark that holds for `backend`: its region's, or its own.
    #[must_use]
    pub fn drain_of<'a>(&'a self, backend: &'a Backend) -> Option<&'a Drain> {
        self.drains_of(backend).next()
    }

    /// The drain marks that hold for `backend`: its region's, and its own.
    pub fn drains_of<'a>(&'a self, backend: &'a Backend) -> impl Iterator<Item = &'a Drain> {
        let region = self.region(backend.region).and_then(|region| region.drain.as_ref());
        region.into_iter().chain(&backend.drain)
    }
}

/// The name of a generation, comparable over PoPs: `118-9f3a1c02`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Stamp {
    /// Counts this PoP's generations, from 1.
    pub number: u64,
    /// The first 32 bits of the content's SHA-256.
    pub hash: u32,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08x}", self.number, self.hash)
    }
}

/// What all PoPs of a service share.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fleet {
    /// The service's name, also in `CDN-Loop`.
    pub name: Arc<str>,
    /// The file with the fleet's keys.
    pub key_file: Option<PathBuf>,
    /// How many PoPs share a region's capacity.
    pub pops: u32,
}

impl Fleet {
    /// A fleet of one PoP.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), key_file: None, pops: 1 }
    }
}

/// Backends that serve the same thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// Its name.
    pub name: Arc<str>,
    /// Its first backend.
    pub first: BackendId,
    /// How many backends it has.
    pub len: usize,
    /// The `Host` that backends see.
    pub host_header: HostHeader,
    /// TLS towards them.
    pub tls: BackendTls,
    /// Their active check.
    pub probe: Probe,
    /// Their passive check.
    pub passive: Passive,
    /// How one is chosen.
    pub select: Select,
    /// Where sessions stay.
    pub affinity: Option<Affinity>,
    /// How one comes back.
    pub failback: Failback,
    /// What is repeated.
    pub retry: Retry,
    /// Deadlines.
    pub timeouts: Timeouts,
    /// Connections.
    pub connections: Connections,
    /// How often a request may have passed a PoP of this fleet.
    pub loop_limit: u32,
}

/// How the process ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shutdown {
    /// How long it goes on accepting after readiness fails.
    pub delay: Duration,
    /// How long what is in flight may take.
    pub deadline: Duration,
}

/// How it is watched.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Observe {
    /// A TCP address of the admin interface, besides its Unix socket.
    pub admin: Option<SocketAddr>,
    /// The file of the secrets that open it there.
    pub admin_token: Option<PathBuf>,
    /// Peers that may ask for a decision trace.
    pub debug_from: Box<[Cidr]>,
    /// What is written down of requests.
    pub access_log: AccessLog,
    /// What is written down of changes.
    pub journal: Journal,
    /// Where spans go; `None` makes none.
    pub tracing: Option<Tracing>,
}

/// What is written down of changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Journal {
    /// How long the past is kept.
    pub keep: Duration,
}

impl Default for Journal {
    fn default() -> Self {
        Self { keep: Duration::from_hours(30 * 24) }
    }
}

/// What is written down of requests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccessLog {
    /// Of requests in which nothing happened that is always written down.
    pub sample: Share,
    /// How a line is written.
    pub format: LogFormat,
    /// The file; none is standard output.
    pub path: Option<PathBuf>,
    /// What of the client's own words is written down.
    pub words: LogWords,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self {
            sample: Share::from_points(10_000),
            format: LogFormat::Json,
            path: None,
            words: LogWords::default(),
        }
    }
}

/// How a line of the access log is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LogFormat {
    /// JSON, by our own names.
    #[default]
    Json,
    /// JSON, by the names of the Elastic Common Schema.
    Ecs,
    /// The combined format of Apache and nginx.
    Combined,
}

/// What of the client's own words is written down, besides method, host and path.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LogWords {
    /// Queries.
    pub query: bool,
    /// Its cookies.
    pub cookie: bool,
    /// Its credentials.
    pub authorization: bool,
    /// Its user agent, and where it says that it comes from.
    pub agent: bool,
}

impl LogWords {
    /// Whether anything is.
    #[must_use]
    pub fn any(self) -> bool {
        self != Self::default()
    }
}

/// How strictly a load-time gate is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gate {
    /// A problem that refuses the file.
    Error,
    /// A warning.
    Warn,
    /// Nothing.
    Off,
}

/// Load-time gates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Checks {
    /// The longest failover that passes.
    pub failover_bound_above: Duration,
    /// What happens above it.
    pub failover_bound: Gate,
    /// What happens when the loss of a region gives another one more than it can carry.
    pub region_loss_overload: Gate,
}

impl Pool {
    /// A pool that says nothing of its own: the policy of SPEC, section 6.
    #[must_use]
    pub fn new(name: &str, first: BackendId, len: usize) -> Self {
        Self {
            name: name.into(),
            first,
            len,
            host_header: HostHeader::default(),
            tls: BackendTls::default(),
            probe: Probe::default(),
            passive: Passive::default(),
            select: Select::default(),
            affinity: None,
            failback: Failback::default(),
            retry: Retry::default(),
            timeouts: Timeouts::default(),
            connections: Connections::default(),
            loop_limit: 4,
        }
    }

    /// The share of `weight` that a ramp leaves, at least 1 of a weight above 0.
    #[must_use]
    pub fn ramped(weight: u16, ramp: Option<u16>) -> u64 {
        match ramp {
            None => u64::from(weight) * 1000,
            Some(thousandths) => {
                Share::from_points(thousandths.saturating_mul(10)).of(u64::from(weight) * 1000)
            }
        }
    }
}
