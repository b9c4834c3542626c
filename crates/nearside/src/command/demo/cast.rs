//! The cast: sample backends as child processes, which end with the demo however that ends.

use anyhow::{Context, bail};
use nearside_core::Generation;
use nearside_core::generation::Backend;
use std::env;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// The sample backends that run.
#[derive(Debug)]
pub(super) struct Cast(Vec<(Part, Child)>);

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Its key, `pool/name`.
    pub(super) key: String,
    /// Its region.
    pub(super) region: String,
    /// Its process.
    pub(super) pid: u32,
}

impl Cast {
    /// Starts one for each backend of the file that is to be on this machine.
    ///
    /// # Errors
    /// A port is taken, or a process cannot be started.
    pub(super) fn start(generation: &Generation) -> anyhow::Result<Self> {
        let program = env::current_exe().context("cannot find this program")?;
        let mut wanted: Vec<(SocketAddr, &Backend)> = Vec::new();
        for backend in &generation.backends {
            let Some(address) = address(backend) else { continue };
            if !wanted.iter().any(|(known, _)| *known == address) {
                wanted.push((address, backend));
            }
        }
        if wanted.is_empty() {
            bail!("no backend of the file is at http://127.0.0.1:PORT, so the demo has none to play");
        }
        for (address, backend) in &wanted {
            // Bound for a moment, so that a taken port is told before anything runs.
            TcpListener::bind(address).with_context(|| {
                let port = address.port();
                format!(
                    "cannot play {} at {address}: `ss -ltnp 'sport = :{port}'` names who listens there; end it, or \
                     change the url in the file",
                    backend.key
                )
            })?;
        }
        let mut cast = Self(Vec::new());
        for (address, backend) in wanted {
            let region =
                generation.region(backend.region).map_or_else(String::new, |region| region.name.to_string());
            let child = Command::new(&program)
                .args([
                    "sample",
                    "--bind",
                    &address.to_string(),
                    "--name",
                    &backend.name,
                    "--region",
                    &region,
                ])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                // Ctrl-C is for the demo, which lets what is in flight end before it ends its backends.
                .process_group(0)
                .spawn()
                .with_context(|| format!("cannot start {} for {}", program.display(), backend.key))?;
            cast.0.push((Part { key: backend.key.to_string(), region, pid: child.id() }, child));
        }
        Ok(cast)
    }

    /// Who plays what.
    pub(super) fn parts(&self) -> Vec<Part> {
        self.0.iter().map(|(part, _)| part.clone()).collect()
    }
}

impl Drop for Cast {
    fn drop(&mut self) {
        for (_, child) in &mut self.0 {
            // One that was killed by hand is gone already.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Where a backend is, when that is here and in clear.
fn address(backend: &Backend) -> Option<SocketAddr> {
    let ip: IpAddr = match &*backend.endpoint.host {
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        host => host.parse().ok()?,
    };
    (ip.is_loopback() && !backend.endpoint.tls).then_some(SocketAddr::new(ip, backend.endpoint.port))
}
