//! What a proxy is to serve: the backends in their tiers, the number of the configuration, the operator's mark.

use std::net::{Ipv4Addr, SocketAddr};

/// A configuration as every proxy can express it in its own language.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The backends, tier by tier.
    pub backends: Vec<Spec>,
    /// Where `/echo` goes: WebSockets are said back there.
    pub echo: SocketAddr,
    /// Every answer that passes bears it as `x-config`.
    pub number: u64,
    /// Whether the first region is marked.
    pub drained: bool,
    /// Where names are resolved, if backends have names.
    pub name_server: Option<Ipv4Addr>,
    /// Whether a backend that has recovered is soon used as before, and an idle connection soon closed. Nearside's alone.
    pub brisk: bool,
}

/// One backend.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// 1 is first.
    pub tier: u8,
    /// Where it is: an address or a name.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Setup {
    /// The next configuration: the same with another number.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { number: self.number + 1, ..self.clone() }
    }

    /// The next configuration, with the first region marked or not.
    #[must_use]
    pub fn marked(&self, drained: bool) -> Self {
        Self { drained, ..self.next() }
    }

    /// Whether this backend is not to be used.
    #[must_use]
    pub fn is_drained(&self, spec: &Spec) -> bool {
        self.drained && spec.tier == 1
    }
}
