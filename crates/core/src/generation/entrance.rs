//! The entrance: listeners, whom they believe, and their certificates.

use super::Cidr;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Where clients connect.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listener {
    /// The address.
    pub bind: SocketAddr,
    /// What is done there.
    pub kind: ListenerKind,
    /// Where the client's address is read.
    pub client_ip: ClientIp,
}

impl Listener {
    /// A listener that believes the sockets' own addresses.
    #[must_use]
    pub fn new(bind: SocketAddr, kind: ListenerKind) -> Self {
        Self { bind, kind, client_ip: ClientIp::default() }
    }
}

/// Where the client's address is read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClientIp {
    /// Who says it.
    pub from: ClientIpFrom,
    /// In which field, where it is a field.
    pub header: ClientIpHeader,
    /// The hops that are believed.
    pub trusted: Box<[Cidr]>,
}

impl ClientIp {
    /// Whether what `address` says is believed.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.holds(address))
    }
}

/// Who says the client's address.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ClientIpFrom {
    /// The connection.
    #[default]
    Socket,
    /// Trusted hops, in a field of the request.
    Header,
    /// Trusted hops, by the PROXY protocol.
    ProxyProtocol,
}

/// The field in which trusted hops say the client's address.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ClientIpHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
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

/// What is taken of clients at most, whatever the route; 0 is no limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Connections of one address that are open at one time.
    pub connections_per_address: u32,
    /// Those of them whose TLS handshake is in progress.
    pub handshakes_per_address: u32,
    /// How long what has arrived may wait for its worker before new requests are refused.
    pub queue_delay: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_per_address: 2000,
            handshakes_per_address: 200,
            queue_delay: Duration::from_millis(500),
        }
    }
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
