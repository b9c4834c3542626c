//! The options of a sample backend.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Who the backend is and what it speaks.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub bind: SocketAddr,
    /// What it calls itself.
    pub name: String,
    /// Where it says to be.
    pub region: String,
    /// Its certificate; without one it speaks in clear.
    pub tls: Option<Tls>,
    /// What it speaks: over TLS the first that the client knows too, in clear what the connection's first bytes tell.
    pub protocols: Vec<Protocol>,
    /// A file of JSON lines for the ledger, appended to; it outlives the process, however that ends.
    pub ledger: Option<PathBuf>,
    /// How long it thinks before every answer but that of `/healthz`.
    pub delay: Duration,
}

impl Options {
    /// A backend on a free port of this machine that speaks everything, in clear, without delay.
    pub fn new(name: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            bind: (Ipv4Addr::LOCALHOST, 0).into(),
            name: name.into(),
            region: region.into(),
            tls: None,
            protocols: vec![Protocol::H2, Protocol::H1, Protocol::H2c],
            ledger: None,
            delay: Duration::ZERO,
        }
    }
}

/// A certificate and its key, as text in PEM.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate, and those that vouch for it.
    pub certificate: String,
    /// Its private key.
    pub key: String,
    /// Who signs the certificates of clients; where set, clients without one are turned away.
    pub client_ca: Option<String>,
}

/// What a backend speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// HTTP/1.1, over TLS or in clear.
    H1,
    /// HTTP/2 over TLS.
    H2,
    /// HTTP/2 in clear, with prior knowledge.
    H2c,
}
