//! One immutable set of what a request reads: regions, pools, backends, routes, listeners.

use crate::id::{BackendId, BackendKey, PoolId, RegionId};
use crate::place::Place;
use crate::policy::{
    BackendTls, Connections, Failback, HostHeader, Passive, Probe, Retry, Select, Share, Timeouts,
};
use crate::table::Table;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
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
    pub backends: Box<[Backend]>,
    /// By host, path and method.
    pub routes: Table,
    /// Where clients connect.
    pub listeners: Box<[Listener]>,
    /// Certificates and versions.
    pub tls: Tls,
    /// How the process ends.
    pub shutdown: Shutdown,
    /// How it is watched.
    pub observe: Observe,
    /// What is checked at load.
    pub checks: Checks,
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
        self.region(backend.region).and_then(|region| region.drain.as_ref()).or(backend.drain.as_ref())
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
}

/// A unit of failure, capacity, jurisdiction and drain.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// Its name.
    pub name: Arc<str>,
    /// Where it stands.
    pub place: Option<Place>,
    /// The operator's mark.
    pub drain: Option<Drain>,
}

/// The operator's mark on a region or a backend.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Drain {
    /// Why.
    pub reason: Box<str>,
    /// Who.
    pub by: Option<Box<str>>,
    /// A reminder, as RFC 3339 text; it ends nothing.
    pub until: Option<Box<str>>,
    /// How long pinned sessions and open streams may go on.
    pub grace: Duration,
    /// What happens to pinned sessions.
    pub pinned_sessions: PinnedSessions,
}

/// What happens to pinned sessions of a drained region.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PinnedSessions {
    /// They move at once.
    #[default]
    Move,
    /// They stay until grace ends.
    HonourUntilGrace,
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

/// One addressable target.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    /// Its identity over generations.
    pub key: BackendKey,
    /// Its id in the file, or its url.
    pub name: Arc<str>,
    /// Where it is.
    pub endpoint: Endpoint,
    /// Its pool.
    pub pool: PoolId,
    /// Its region.
    pub region: RegionId,
    /// Its tier; 1 is first.
    pub priority: u8,
    /// Its share inside what is left; 0 is no new traffic.
    pub weight: u16,
    /// Requests at one time, as this PoP counts them.
    pub max_in_flight: Option<u32>,
    /// The operator's mark.
    pub drain: Option<Drain>,
}

/// Where a backend listens.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Endpoint {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// A host name in lower case, an IP address without brackets, or the path of a Unix socket, which alone begins
    /// with a slash.
    pub host: Box<str>,
    /// Its port; 0 for a Unix socket.
    pub port: u16,
}

impl Endpoint {
    /// The Unix socket at `path`, which begins with a slash.
    #[must_use]
    pub fn unix(path: &str) -> Self {
        Self { tls: false, host: path.into(), port: 0 }
    }

    /// The path, where it is a Unix socket.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.host.starts_with('/').then(|| Path::new(&*self.host))
    }

    /// The `Host` for it: without the port where that is the scheme's own. A Unix socket is `localhost`.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.socket().is_some() {
            return "localhost".to_owned();
        }
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_string() };
        let default_port = if self.tls { 443 } else { 80 };
        if self.port == default_port { host } else { format!("{host}:{}", self.port) }
    }
}

/// Its url.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.socket() {
            Some(path) => write!(f, "unix:{}", path.display()),
            None => write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority()),
        }
    }
}

/// Where clients connect.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listener {
    /// The address.
    pub bind: SocketAddr,
    /// What is done there.
    pub kind: ListenerKind,
}

/// What a listener does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ListenerKind {
    /// Serves routes over TLS.
    Tls {
        /// Offers HTTP/2.
        h2: bool,
        /// Offers HTTP/1.1.
        h1: bool,
        /// A PEM file of the authorities that sign clients; `None` asks for no certificate.
        client_ca: Option<PathBuf>,
    },
    /// Serves routes without TLS.
    Plain,
    /// Sends everything of known hosts to the first TLS listener.
    RedirectHttps {
        /// The redirect's status.
        status: u16,
    },
}

/// Certificates and versions.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tls {
    /// TLS 1.3 only.
    pub tls13_only: bool,
    /// Where certificates are.
    pub certificates: Box<[CertificateSource]>,
    /// Whether a local authority signs for hosts without a certificate.
    pub self_signed: bool,
}

/// Where certificates are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CertificateSource {
    /// Every PEM file that matches; each holds its chain and its key, or stands beside a `.key` file.
    Pattern(PathBuf),
    /// One pair.
    Pair {
        /// The chain, as a PEM file.
        cert: PathBuf,
        /// The key, as a PEM file.
        key: PathBuf,
        /// The hosts that it serves; empty: the names that it certifies.
        hosts: Box<[Box<str>]>,
        /// Whether it also answers clients that name no host.
        default: bool,
    },
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
    /// Peers that may ask for a decision trace.
    pub debug_from: Box<[Cidr]>,
}

/// A network in CIDR notation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cidr {
    /// The network's address.
    pub address: std::net::IpAddr,
    /// Leading bits that count.
    pub prefix: u8,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_a_host_and_a_url() {
        let check = |endpoint: &Endpoint, authority: &str, url: &str| {
            assert_eq!((endpoint.authority().as_str(), endpoint.to_string().as_str()), (authority, url));
        };
        let tcp = |tls, host: &str, port| Endpoint { tls, host: host.into(), port };
        check(&tcp(true, "a.example", 443), "a.example", "https://a.example");
        check(&tcp(false, "2001:db8::1", 8080), "[2001:db8::1]:8080", "http://[2001:db8::1]:8080");
        check(&Endpoint::unix("/run/app.sock"), "localhost", "unix:/run/app.sock");
        assert_eq!(tcp(true, "a.example", 443).socket(), None);
    }
}
