//! A proxy under measurement, and how each kind of it is started.

mod envoy;
mod haproxy;
mod nearside;
mod nginx;
mod pingora;

use super::meter::Meter;
use super::setup::Setup;
use crate::server::{Server, wait_for};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a proxy is to know: the same for all of them.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Hosts `h0.example`, `h1.example`, … beside `localhost`.
    pub(super) hosts: usize,
    /// Regions whose backends all stand for the same origin; only nearside knows of regions.
    pub(super) regions: usize,
    /// Pools of ten backends each, at which nobody listens, among which the hosts are shared out; only nearside knows these.
    pub(super) pools: usize,
    /// Whether every request is written into a log; only nearside does.
    pub(super) is_logged: bool,
    /// What `/marker` answers, to see when a configuration is in force.
    pub(super) marker: u32,
}

impl Shape {
    /// One host, one backend.
    pub(super) const USUAL: Self = Self { hosts: 0, regions: 1, pools: 0, is_logged: false, marker: 1 };
}

/// How a kind of proxy is configured and told of a change.
struct Kind {
    name: &'static str,
    /// Its plaintext port; the one for TLS is the next.
    port: u16,
    /// Writes the configuration.
    configure: fn(&Setup, Ports, Shape) -> Result<()>,
    /// The command that runs it.
    command: fn(&Path, &Setup) -> Command,
    /// The signal at which it reads its configuration again, if there is one.
    reload: Option<&'static str>,
    /// The argument that makes it more than one process, and what keeps it one where that is the default.
    many: &'static str,
    alone: &'static [&'static str],
}

const KINDS: &[Kind] = &[
    Kind {
        name: "nginx",
        port: 19_280,
        configure: nginx::configure,
        command: nginx::command,
        reload: Some("HUP"),
        many: "",
        alone: &["-g", "master_process off;"],
    },
    Kind {
        name: "haproxy",
        port: 19_380,
        configure: haproxy::configure,
        command: haproxy::command,
        reload: Some("USR2"),
        many: "-W",
        alone: &["-db"],
    },
    Kind {
        name: "envoy",
        port: 19_480,
        configure: envoy::configure,
        command: envoy::command,
        reload: None,
        many: "",
        alone: &[],
    },
    Kind {
        name: "pingora",
        port: 19_580,
        configure: pingora::configure,
        command: pingora::command,
        reload: None,
        many: "",
        alone: &[],
    },
    Kind {
        name: "nearside",
        port: 19_680,
        configure: nearside::configure,
        command: nearside::command,
        reload: Some("HUP"),
        many: "",
        alone: &[],
    },
];

/// Where a proxy listens.
#[derive(Clone, Copy)]
struct Ports {
    plain: u16,
    tls: u16,
}

/// A running proxy.
pub(super) struct Proxy {
    pub(super) name: &'static str,
    kind: &'static Kind,
    server: Server,
}

impl Proxy {
    /// Configures and starts a proxy, and waits until it listens; `None` for a name that is none of ours.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn start(
        (name, program): (&str, &Path),
        setup: &Setup,
        shape: Shape,
        meter: &Meter,
    ) -> Result<Option<Self>> {
        let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else { return Ok(None) };
        (kind.configure)(setup, kind.ports(), shape)?;
        let mut command = meter.prepare((kind.command)(program, setup), kind.many, kind.alone);
        let server = Server::start(&mut command)?;
        let Ports { plain, tls } = kind.ports();
        wait_for(plain)?;
        wait_for(tls)?;
        Ok(Some(Self { name: kind.name, kind, server }))
    }

    /// Where a client finds `path`.
    pub(super) fn url(&self, tls: bool, path: &str) -> String {
        let scheme = if tls { "https" } else { "http" };
        format!("{scheme}://localhost:{}{path}", self.port(tls))
    }

    /// Address and port.
    pub(super) fn address(&self, tls: bool) -> String {
        format!("127.0.0.1:{}", self.port(tls))
    }

    pub(super) fn port(&self, tls: bool) -> u16 {
        let Ports { plain, tls: encrypted } = self.kind.ports();
        if tls { encrypted } else { plain }
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// Gives the proxy another configuration while it runs; `false` where it has no signal for that.
    ///
    /// # Errors
    /// When the file cannot be written or the process is gone.
    pub(super) fn reload(&self, setup: &Setup, shape: Shape) -> Result<bool> {
        let Some(signal) = self.kind.reload else { return Ok(false) };
        (self.kind.configure)(setup, self.kind.ports(), shape)?;
        self.server.signal(signal)?;
        Ok(true)
    }
}

impl Kind {
    fn ports(&self) -> Ports {
        Ports { plain: self.port, tls: self.port + 1 }
    }
}

/// The name as it stands in a table; `None` for one that is none of ours.
pub(super) fn name(told: &str) -> Option<&'static str> {
    KINDS.iter().map(|kind| kind.name).find(|name| *name == told)
}

/// The smallest proxy that pingora's own engine makes.
///
/// # Errors
/// When it cannot be built.
pub(super) fn pingora(root: &Path, target: &Path) -> Result<PathBuf> {
    pingora::build(root, target)
}

/// Our own program, and what measures.
///
/// # Errors
/// When it cannot be built.
pub(super) fn nearside(root: &Path, target: &Path, is_profiled: bool) -> Result<PathBuf> {
    nearside::build(root, target, is_profiled)
}
