//! A pool's policy, as a request and a probe read it: defaults filled in, nothing left to parse.

mod defaults;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// A share in hundredths of a percent: 10000 is the whole.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Share(u16);

impl Share {
    /// `points` hundredths of a percent, at most the whole.
    #[must_use]
    pub fn from_points(points: u16) -> Self {
        Self(points.min(10_000))
    }

    /// Hundredths of a percent.
    #[must_use]
    pub fn points(self) -> u16 {
        self.0
    }

    /// The share as a number from 0 to 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }

    /// This share of `whole`, rounded down.
    #[must_use]
    pub fn of(self, whole: u64) -> u64 {
        u64::try_from(u128::from(whole) * u128::from(self.0) / 10_000).unwrap_or(u64::MAX)
    }
}

/// The active check of a backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// What the probe speaks.
    pub protocol: ProbeProtocol,
    /// Method of an HTTP probe.
    pub method: Box<str>,
    /// Path of an HTTP probe.
    pub path: Box<str>,
    /// `Host` of an HTTP probe; `None` is the backend's own.
    pub host: Option<Box<str>>,
    /// Port to probe; `None` is the backend's own.
    pub port: Option<u16>,
    /// Further fields of an HTTP probe.
    pub headers: Box<[(Box<str>, Box<str>)]>,
    /// Statuses that mean healthy.
    pub expect: Box<[RangeInclusive<u16>]>,
    /// A text that a healthy answer's body holds.
    pub expect_body: Option<Box<str>>,
    /// From one probe to the next.
    pub interval: Duration,
    /// The same from the first surprise until the verdict.
    pub fast_interval: Duration,
    /// When a probe without an answer has failed.
    pub timeout: Duration,
    /// How far an interval is varied, either way.
    pub jitter: Share,
    /// Consecutive failures that make it unhealthy.
    pub fall: u32,
    /// Consecutive successes that make it healthy.
    pub rise: u32,
}

/// What a probe speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProbeProtocol {
    /// As the backend's url says, with the pool's connection protocol.
    Auto,
    /// HTTP without TLS.
    Http,
    /// HTTP over TLS.
    Https,
    /// A TCP handshake only.
    Tcp,
}

/// Removal on live evidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Passive {
    /// Errors in a row that eject.
    pub consecutive_errors: u32,
    /// How long the first ejection lasts; each further one doubles it, up to 5 minutes.
    pub eject_for: Duration,
    /// The most of a tier that may be ejected at one time.
    pub max_ejected: Share,
}

/// How one of several usable backends is chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// Backends within the fastest plus this count as equally near.
    pub latency_tolerance: Duration,
    /// How equals share.
    pub balance: Balance,
    /// Below this healthy weight share a tier hands requests to the next.
    pub failover_below: Share,
    /// What happens when nothing is up.
    pub all_down: AllDown,
}

/// How equals share.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Balance {
    /// Two weighted random choices; the one with less in flight wins (Mitzenmacher 2001).
    P2c,
    /// In turn, by weight.
    RoundRobin,
    /// Requests that are alike in this go to the same one, by weight; when one comes or goes, no others move
    /// (rendezvous hashing: Thaler and Ravishankar 1998).
    Hash(HashKey),
}

/// In what requests are alike.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HashKey {
    /// The client's address.
    Client,
    /// The path.
    Path,
    /// This field, in lower case.
    Header(Box<str>),
    /// This cookie.
    Cookie(Box<str>),
}

/// Where sessions stay.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Affinity {
    /// The name of the cookie that says so.
    pub cookie: Box<str>,
    /// How long it lasts; `None` is as long as the browser's session.
    pub ttl: Option<Duration>,
    /// What a session stays at.
    pub level: Level,
    /// Whether the cookie also names where the session goes when it cannot stay.
    pub backup: bool,
}

/// What a session stays at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// A region.
    Region,
    /// One backend.
    Backend,
}

/// What happens when every backend is down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AllDown {
    /// Try one anyway (fail open).
    TryAll,
    /// Answer 503.
    Refuse,
}

/// How a recovered backend comes back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failback {
    /// It is held back this long.
    pub hold: Duration,
    /// Then its weight grows from 5 % to the whole over this time.
    pub ramp: Duration,
}

/// Which failed tries are repeated. A connect failure is no repeat: nothing was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Repeats of one request at most.
    pub max: u32,
    /// What is repeated, besides connect failures.
    pub when: RetryWhen,
    /// The idempotent methods that are repeated.
    pub methods: Box<[Box<str>]>,
    /// Repeats may be this share of the requests in flight ...
    pub budget_share: Share,
    /// ... and at least this many.
    pub budget_min: u32,
    /// Whether a repeat may go to another region.
    pub cross_region: bool,
    /// Bytes of request body kept for a repeat.
    pub body_buffer: usize,
}

/// What is repeated; nothing by [`Default`].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RetryWhen {
    /// A connection that could not be made.
    pub connect: bool,
    /// A connection that closed before the answer began.
    pub reset: bool,
    /// An answer that did not begin in time.
    pub timeout: bool,
    /// These statuses.
    pub statuses: Box<[u16]>,
}

/// Deadlines; `None` is no deadline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timeouts {
    /// To connect, TLS included.
    pub connect: Duration,
    /// From the request's end to the answer's head.
    pub response: Duration,
    /// For the whole request, all tries included.
    pub request: Option<Duration>,
    /// Between two pieces of a body, either way.
    pub body_idle: Duration,
    /// The same on streams: WebSocket, server-sent events, gRPC.
    pub stream_idle: Duration,
    /// Between two requests of a client connection.
    pub client_idle: Duration,
    /// For the whole head of a request.
    pub client_header: Duration,
    /// The least bytes of body that a client sends or takes in a second while it is waited for; 0 is no least.
    pub body_rate: u64,
    /// How long a client may be waited for before that counts.
    pub body_grace: Duration,
}

/// Connections to one backend from this PoP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Connections {
    /// What is spoken on them.
    pub protocol: Protocol,
    /// How long an idle one is kept, unless the backend asks for less.
    pub keepalive: Duration,
    /// The most connections.
    pub max: u32,
    /// The most requests that wait for one.
    pub max_pending: u32,
    /// How many are kept ready for requests that are still to come.
    pub prewarm: u32,
    /// The version of the PROXY protocol's header that each begins with. Such a connection carries the requests of
    /// one client connection only.
    pub proxy_protocol: Option<ProxyProtocol>,
}

/// A version of the PROXY protocol.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ProxyProtocol {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// What is spoken to a backend.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// What ALPN finds; HTTP/1.1 without TLS.
    Auto,
    /// HTTP/1.1.
    H1,
    /// HTTP/2 over TLS.
    H2,
    /// HTTP/2 without TLS, by prior knowledge.
    H2c,
}

/// The `Host` that backends see.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum HostHeader {
    /// The client's.
    #[default]
    Preserve,
    /// The backend's own, from its url.
    Backend,
    /// This text.
    Literal(Box<str>),
}

/// TLS towards backends.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BackendTls {
    /// The name asked for and verified; `None` is the url's host.
    pub sni: Option<Box<str>>,
    /// Whether the certificate is not verified.
    pub insecure: bool,
    /// A PEM file of the authorities; `None` is the system's.
    pub ca: Option<PathBuf>,
    /// Our certificate chain and key, as PEM files.
    pub client: Option<(PathBuf, PathBuf)>,
}
