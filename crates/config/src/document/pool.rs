//! Pools and their backends.

use crate::document::policy::{
    Auto, Connections, Defaults, Failback, Passive, Policy, Probe, Retry, Select, Timeouts,
};
use crate::document::region::Drain;
use crate::document::session::Affinity;
use crate::node::Node;
use crate::reader::Reader;
use crate::scalar::address::Url;
use crate::scalar::http::{Authority, ServerName};
use crate::scalar::{Int, Name};
use crate::shape::{Form, Names, Scalar, Shape, Some1, Word, WordOr, document};
use std::path::PathBuf;

document! {
    entry
    /// A pool. It inherits `defaults` key by key.
    Pool {
        /// The backends; at most 256.
        backends: Some1<Backend>,
        /// The `Host` that backends see: the client's, the one of the backend's url, or this one.
        host_header: HostHeader = HostHeader::Preserve,
        /// TLS towards the backends.
        tls: BackendTls = BackendTls::default(),
        /// Where sessions stay. By default each request goes where it is best.
        affinity: Option<Affinity> = None,
        /// Overrides `defaults.probe`.
        probe: Probe = Probe::default(),
        /// Overrides `defaults.passive`.
        passive: Passive = Passive::default(),
        /// Overrides `defaults.select`.
        select: Select = Select::default(),
        /// Overrides `defaults.failback`.
        failback: Failback = Failback::default(),
        /// Overrides `defaults.retry`.
        retry: Retry = Retry::default(),
        /// Overrides `defaults.timeouts`.
        timeouts: Timeouts = Timeouts::default(),
        /// Overrides `defaults.connections`.
        connections: Connections = Connections::default(),
        /// Overrides `defaults.loop_limit`.
        loop_limit: Int<1, 255> = Int(4),
    }
}

impl Pool {
    /// A pool of `backends` that overrides nothing.
    pub(crate) fn inherit(backends: Vec<Backend>, defaults: &Defaults) -> Self {
        let Policy { probe, passive, select, failback, retry, timeouts, connections, loop_limit } =
            defaults.0.clone();
        let (host_header, tls) = (HostHeader::Preserve, BackendTls::default());
        let backends = backends.into();
        Self {
            backends,
            host_header,
            tls,
            affinity: None,
            probe,
            passive,
            select,
            failback,
            retry,
            timeouts,
            connections,
            loop_limit,
        }
    }
}

/// The pools by name; each inherits the defaults that were read before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pools(pub(crate) Names<Name, Pool>);

impl Shape for Pools {
    fn form() -> Form {
        Names::<Name, Pool>::form()
    }

    fn read<'a>(reader: &mut Reader<'a>, node: &'a Node, _base: Option<&Self>) -> Option<Self> {
        let base = Pool::inherit(Vec::new(), &reader.defaults);
        Names::read_over(reader, node, Some(&base)).map(Self)
    }

    fn write(&self) -> serde_yaml::Value {
        self.0.write()
    }
}

document! {
    entry
    /// A backend.
    Backend {
        /// Its name in logs, metrics and commands. By default its url.
        id: Option<Name> = None,
        /// Where it listens: `http://host[:port]`, `https://host[:port]`, or `unix:/path` for a Unix socket, without TLS and with `localhost` as its own `Host`.
        url: Url,
        /// Its region.
        region: Name,
        /// Its tier; 1 is first, ties are allowed.
        priority: Int<1, 255> = Int(1),
        /// Its share inside what is left; 0 is no new traffic, still probed.
        weight: Int<0, 1000> = Int(50),
        /// The requests at one time from this PoP; more are spilled over. By default there is no limit.
        max_in_flight: Option<Int<1, { u32::MAX }>> = None,
        /// The operator's mark: the backend gets no new request. A text is the reason.
        drain: Option<Drain> = None,
    }
}

/// The `Host` that backends see.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum HostHeader {
    Preserve,
    Backend,
    Literal(Authority),
}

impl Scalar for HostHeader {
    fn what() -> String {
        "`preserve`, `backend` or a host".to_owned()
    }

    fn parse(text: &str) -> Result<Self, crate::report::Finding> {
        match text {
            "preserve" => Ok(Self::Preserve),
            "backend" => Ok(Self::Backend),
            _ => Authority::parse(text).map(Self::Literal),
        }
    }

    fn write(&self) -> serde_yaml::Value {
        match self {
            Self::Preserve => "preserve".into(),
            Self::Backend => "backend".into(),
            Self::Literal(host) => Scalar::write(host),
        }
    }
}

/// `system`: the authorities that the machine trusts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct System;

impl Word for System {
    const WORD: &'static str = "system";
}

document! {
    settings
    /// TLS towards backends.
    BackendTls {
        /// The name that is asked for and verified; `auto` is the url's host.
        sni: WordOr<Auto, ServerName> = WordOr::word(),
        /// Whether the backend's certificate is verified.
        verify: bool = true,
        /// The authorities: the machine's, or a PEM file.
        ca: WordOr<System, PathBuf> = WordOr::word(),
        /// Our certificate, as a PEM file, for backends that ask for one.
        client_cert: Option<PathBuf> = None,
        /// Its key, as a PEM file.
        client_key: Option<PathBuf> = None,
    }
}

impl Backend {
    /// Its id, or its url where it has none.
    pub(crate) fn name(&self) -> &str {
        self.id.as_ref().map_or(&*self.url.text, |id| &id.0)
    }
}
