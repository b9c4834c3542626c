//! The entrance and the process: listeners, certificates, shutdown, observation, checks.

use crate::document::tracing::Tracing;
use crate::node::{Kind, Node};
use crate::reader::Reader;
use crate::report::Finding;
use crate::scalar::answer::RedirectStatus;
use crate::scalar::quantity::{Pause, Percent, Time};
use crate::scalar::{Int, words};
use crate::shape::{Form, Scalar, Shape, Some1, document};
use nearside_core::generation::{Cidr, ClientIpFrom, ClientIpHeader, Gate, LogFormat};
use nearside_core::host::Pattern;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

document! {
    entry
    /// A listener: TLS, plain, or one that redirects to HTTPS.
    Listener {
        /// Its address and port. `[::]` takes IPv4 too.
        bind: SocketAddr,
        /// Whether it speaks TLS.
        tls: bool = false,
        /// What TLS clients are offered.
        protocols: Some1<TlsProtocol> = vec![TlsProtocol::H2, TlsProtocol::Http11].into(),
        /// A PEM file of the authorities that sign clients. By default no client is asked for a certificate.
        client_ca: Option<PathBuf> = None,
        /// Where the client's address is read.
        client_ip: ClientIp = ClientIp::default(),
        /// Redirects everything of known hosts to the first TLS listener, with this status.
        redirect_https: Option<RedirectStatus> = None,
    }
}

document! {
    settings
    /// Where the client's address is read.
    ClientIp {
        /// `socket` is the connection's own; `header` is what `trusted` hops say in the header; `proxy_protocol` is what they say before the connection begins, in version 1 or 2, and they have to.
        from: ClientIpFrom = ClientIpFrom::Socket,
        /// The header, which is read from the right and believed as far as hops are trusted.
        header: ClientIpHeader = ClientIpHeader::XForwardedFor,
        /// The hops that are believed.
        trusted: Vec<Cidr> = Vec::new(),
    }
}

words!(ClientIpFrom {
    "socket" => ClientIpFrom::Socket,
    "header" => ClientIpFrom::Header,
    "proxy_protocol" => ClientIpFrom::ProxyProtocol,
});
words!(ClientIpHeader {
    "x-forwarded-for" => ClientIpHeader::XForwardedFor,
    "forwarded" => ClientIpHeader::Forwarded,
});

/// What TLS clients are offered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TlsProtocol {
    H2,
    Http11,
}

words!(TlsProtocol { "h2" => TlsProtocol::H2, "http/1.1" => TlsProtocol::Http11 });

impl Listener {
    /// The listeners of a file that names none: HTTPS, and a redirect to it.
    pub(crate) fn usual() -> Some1<Self> {
        let protocols = vec![TlsProtocol::H2, TlsProtocol::Http11].into();
        let on = |port| SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
        let https = Self {
            bind: on(443),
            tls: true,
            protocols,
            client_ca: None,
            client_ip: ClientIp::default(),
            redirect_https: None,
        };
        let http =
            Self { bind: on(80), tls: false, redirect_https: Some(RedirectStatus(308)), ..https.clone() };
        vec![https, http].into()
    }
}

document! {
    settings
    /// What is taken of clients at most.
    ClientLimits {
        /// The connections of one client address, for IPv6 of one /64, that are open at one time; more are closed as they come. 0 is no limit. Peers that `client_ip.trusted` lists have none.
        connections_per_address: Int<0, 10_000_000> = Int(2000),
        /// Those of them whose TLS handshake is in progress.
        handshakes_per_address: Int<0, 10_000_000> = Int(200),
        /// How long what has arrived may wait for its worker thread. While everything has waited longer for a second, and the thread itself has run for an eighth of it at least, new requests are answered with 503 and `/readyz` fails. 0s is no limit.
        queue_delay: Pause = Pause::millis(500),
    }
}

document! {
    settings
    /// Certificates towards clients, and the versions of TLS.
    Tls {
        /// `modern` is TLS 1.3 and 1.2 with AEAD and forward secrecy; `tls13` is 1.3 alone.
        profile: Profile = Profile::Modern,
        /// Where certificates are: a pattern of PEM files, or one pair.
        certificates: Vec<CertificateEntry> = Vec::new(),
        /// Whether a local authority in the state folder signs for every host without a certificate. For development.
        self_signed: bool = false,
    }
}

/// The versions of TLS.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Profile {
    Modern,
    Tls13,
}

words!(Profile { "modern" => Profile::Modern, "tls13" => Profile::Tls13 });

document! {
    entry
    /// One certificate with its key.
    Pair {
        /// The certificate and its chain, as a PEM file.
        cert: PathBuf,
        /// Its key, as a PEM file.
        key: PathBuf,
        /// The hosts that it serves. By default the names that it certifies.
        hosts: Vec<Pattern> = Vec::new(),
        /// Whether it also answers clients that name no host; else they are refused.
        default: bool = false,
    }
}

/// Where certificates are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CertificateEntry {
    Pattern(PathBuf),
    Pair(Pair),
}

impl Shape for CertificateEntry {
    fn form() -> Form {
        Form::Either(vec![PathBuf::form(), Pair::form()])
    }

    fn read<'a>(reader: &mut Reader<'a>, node: &'a Node, _base: Option<&Self>) -> Option<Self> {
        match node.kind() {
            Kind::Map => Pair::read(reader, node, None).map(Self::Pair),
            Kind::Text => PathBuf::read(reader, node, None).map(Self::Pattern),
            Kind::Null | Kind::Bool | Kind::Number | Kind::List => {
                reader.wrong_type(node, "a pattern such as `certs/*.pem`, or a mapping", None);
                None
            }
        }
    }

    fn write(&self) -> serde_yaml::Value {
        match self {
            Self::Pattern(path) => Shape::write(path),
            Self::Pair(pair) => pair.write(),
        }
    }
}

document! {
    settings
    /// How the process ends.
    Shutdown {
        /// How long it goes on accepting after readiness fails.
        delay: Pause = Pause::secs(0),
        /// How long what is in flight may take.
        deadline: Pause = Pause::secs(30),
    }
}

document! {
    settings
    /// How the process is watched.
    Observe {
        /// A TCP address for the admin page and Prometheus, besides the Unix socket in the state folder.
        admin: Option<SocketAddr> = None,
        /// A file with what those who ask at the TCP address have to know, one secret a line in hex or base64, at least 32 bytes each; any of them opens. An address that other machines can reach needs one, and is served over TLS.
        admin_token: Option<PathBuf> = None,
        /// The peers that may ask for `X-Nearside-Explain`.
        debug_from: Vec<Cidr> = Vec::new(),
        /// The access log.
        access_log: AccessLog = AccessLog::default(),
        /// The journal: what has changed, and when, and why.
        journal: Journal = Journal::default(),
        /// Tracing. By default there is none; `traceparent` is continued or begun in any case.
        tracing: Option<Tracing> = None,
    }
}

document! {
    settings
    /// The journal: health, drain, failover, generation and certificate changes, in the state folder.
    Journal {
        /// How long it is kept, and with it the evidence and the generations that `explain --at` asks.
        keep: Time = Time::secs(30 * 24 * 3600),
    }
}

document! {
    settings
    /// The access log: a line for each request.
    AccessLog {
        /// How a line is written: JSON by our own names, JSON by those of the Elastic Common Schema, or the combined format of Apache and nginx.
        format: LogFormat = LogFormat::Json,
        /// A file, or `stdout`. SIGUSR1 opens it anew.
        path: LogPath = LogPath::Stdout,
        /// The share of requests that is written down. Errors, refusals, failovers and repeats always are.
        sample: Percent<10_000> = Percent(10_000),
        /// What is never written down: the client's cookies, its credentials, and the queries of paths and referrers.
        redact: Vec<Redacted> = vec![Redacted::Cookie, Redacted::Authorization, Redacted::Query],
    }
}

words!(LogFormat {
    "json" => LogFormat::Json,
    "ecs" => LogFormat::Ecs,
    "combined" => LogFormat::Combined,
});

/// What can be left out of the access log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Redacted {
    Cookie,
    Authorization,
    Query,
}

words!(Redacted {
    "cookie" => Redacted::Cookie,
    "authorization" => Redacted::Authorization,
    "query" => Redacted::Query,
});

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LogPath {
    Stdout,
    File(PathBuf),
}

impl Scalar for LogPath {
    fn what() -> String {
        "`stdout`, or the path of a file".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        if text == "stdout" { Ok(Self::Stdout) } else { PathBuf::parse(text).map(Self::File) }
    }

    fn write(&self) -> serde_yaml::Value {
        match self {
            Self::Stdout => "stdout".into(),
            Self::File(path) => Shape::write(path),
        }
    }
}

document! {
    settings
    /// What is checked when the file is loaded.
    Checks {
        /// The worst-case failover time, computed from the file.
        failover_bound: FailoverBound = FailoverBound::default(),
        /// What it is when the loss of a region gives another one more than its `capacity`, while every region that serves carries its own.
        region_loss_overload: Gate = Gate::Warn,
    }
}

document! {
    settings
    /// The worst-case failover time.
    FailoverBound {
        /// The longest that passes.
        above: Time = Time::secs(30),
        /// What a longer one is.
        then: Gate = Gate::Warn,
    }
}

words!(Gate { "error" => Gate::Error, "warn" => Gate::Warn, "off" => Gate::Off });
