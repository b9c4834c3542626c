//! Probes: how a backend is asked whether it is well, over a connection made as requests' are.

use crate::dial::{self, Destination, Dialled};
use crate::io::Io;
use crate::live::{Edge, Live};
use crate::pool::speaks_h2;
use crate::side::{Backend, Fill, Head, Length};
use crate::worker::Worker;
use crate::{h1, h2};
use async_trait::async_trait;
use nearside_core::generation::{self, Pool};
use nearside_core::policy::{Probe, ProbeProtocol};
use nearside_core::{BackendId, Generation};
use nearside_health::{Outcome, Prober, Target};
use nearside_http::{Edits, Limits, Progress, RequestHead, request};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::fmt::Write;
use std::future::poll_fn;
use std::sync::Arc;
use tokio::time::Instant;

/// How much of a body is searched for the expected text.
const SEARCHED: usize = 64 * 1024;

/// Probes with this edge's dialler and the TLS of what is live: swap first, then let the scheduler follow.
#[derive(Debug)]
pub struct EdgeProber {
    /// Only probes' connections belong to it, and no thread.
    worker: Arc<Worker>,
}

impl EdgeProber {
    /// The prober of `edge`.
    #[must_use]
    pub fn new(edge: Arc<Edge>) -> Self {
        Self { worker: Arc::new(Worker::new(usize::MAX, edge, Arc::default())) }
    }

    async fn run(&self, target: &Target) -> Result<Outcome, String> {
        let (Some(backend), Some((_, pool))) = (target.backend(), target.pool()) else {
            return Err("the backend is gone".to_owned());
        };
        let tls = self.tls(target, backend, &pool.probe)?;
        let encrypted = tls.is_some();
        let region = target.generation.region(backend.region);
        let to = Destination {
            addresses: &target.addresses,
            region: region.map_or("", |region| &region.name),
            tls,
        };
        let deadline = Instant::now() + pool.probe.timeout;
        let dialled = dial::dial(&*self.worker.edge.dial, &to, deadline).await;
        let Dialled { io, round_trip, .. } = dialled.map_err(|error| said(&error))?;
        if pool.probe.protocol == ProbeProtocol::Tcp {
            return Ok(Outcome::Passed { rtt: round_trip, status: None });
        }
        let head = head(&pool.probe, backend)?;
        let protocol = pool.connections.protocol;
        let status = match speaks_h2(protocol, encrypted, io.alpn()) {
            None => return Err("it does not speak the pool's protocol".to_owned()),
            Some(true) => self.ask_h2(io, &head, &pool.probe).await?,
            Some(false) => {
                let mut upstream = h1::Upstream::new(io, &self.worker);
                ask(&mut upstream, &head, &pool.probe).await?
            }
        };
        Ok(Outcome::Passed { rtt: round_trip, status: Some(status) })
    }

    async fn ask_h2(&self, io: Io, head: &RequestHead, probe: &Probe) -> Result<u16, String> {
        let connection = h2::connect(io, &self.worker).await.map_err(|error| said(&error))?;
        let mut upstream = connection.open().await.map_err(|error| said(&error))?;
        ask(&mut upstream, head, probe).await
    }

    /// The TLS of the probe, if it has any.
    fn tls(
        &self,
        target: &Target,
        backend: &generation::Backend,
        probe: &Probe,
    ) -> Result<Option<(Arc<ClientConfig>, ServerName<'static>)>, String> {
        let encrypted = match probe.protocol {
            ProbeProtocol::Auto => backend.endpoint.tls,
            ProbeProtocol::Https => true,
            ProbeProtocol::Http | ProbeProtocol::Tcp => false,
        };
        if !encrypted {
            return Ok(None);
        }
        let live = self.worker.edge.live.load_full();
        let id = same(&live, target).ok_or("the backend is not live")?;
        let pool = live.generation.backend(id).map(|backend| backend.pool);
        let client = pool.and_then(|pool| live.backend_tls.pool(pool));
        let client = client.ok_or("the pool has no TLS, and its probe asks for it")?;
        let name = match live.backend_tls.server_name(id) {
            Some(name) => name.clone(),
            None => server_name(&live.generation, backend)?,
        };
        Ok(Some((Arc::clone(&client.config), name)))
    }
}

#[async_trait]
impl Prober for EdgeProber {
    async fn probe(&self, target: &Target) -> Outcome {
        self.run(target).await.unwrap_or_else(Outcome::Failed)
    }
}

/// The target's backend in what is live, which may be a generation ahead of its schedule.
fn same(live: &Live, target: &Target) -> Option<BackendId> {
    if Arc::ptr_eq(&live.generation, &target.generation) {
        return Some(target.id);
    }
    let key = &target.backend()?.key;
    live.generation.backends.iter().position(|backend| backend.key == *key).map(BackendId::new)
}

/// The name to verify where the url names no TLS and the probe does.
fn server_name(
    generation: &Generation,
    backend: &generation::Backend,
) -> Result<ServerName<'static>, String> {
    let pool: Option<&Pool> = generation.pool(backend.pool);
    let named = pool.and_then(|pool| pool.tls.sni.as_deref()).unwrap_or(&backend.endpoint.host);
    ServerName::try_from(named.to_owned())
        .map_err(|_| format!("{named:?} is no name that a certificate can have"))
}

/// The probe's request.
fn head(probe: &Probe, backend: &generation::Backend) -> Result<RequestHead, String> {
    let host = probe.host.as_deref().map_or_else(|| backend.endpoint.authority(), str::to_owned);
    let mut text = format!("{} {} HTTP/1.1\r\nhost: {host}\r\n", probe.method, probe.path);
    for (name, value) in &probe.headers {
        push(&mut text, name, value);
    }
    push(&mut text, "x-nearside-probe", "1");
    text.push_str("\r\n");
    let mut head = RequestHead::new();
    match request::parse(text.as_bytes(), &Limits::default(), &mut head) {
        Ok(Progress::Complete { .. }) => Ok(head),
        Ok(Progress::Partial) => Err("the probe's request has no end".to_owned()),
        Err(refusal) => Err(format!("the probe's request is malformed: {refusal}")),
    }
}

fn push(text: &mut String, name: &str, value: &str) {
    // Writing to a string cannot fail.
    drop(write!(text, "{name}: {value}\r\n"));
}

/// Asks, and judges the answer by what the probe expects.
async fn ask<B: Backend>(backend: &mut B, head: &RequestHead, probe: &Probe) -> Result<u16, String> {
    backend.request(head, &Edits::new(), Length::None);
    backend.finish(None);
    poll_fn(|cx| backend.poll_flush(cx)).await.map_err(|error| said(&error))?;
    while poll_fn(|cx| backend.poll_head(cx)).await.map_err(|error| said(&error))? == Head::Informational {}
    let status = backend.head().status();
    if !probe.expect.iter().any(|range| range.contains(&status)) {
        return Err(format!("status {status}"));
    }
    if let Some(expected) = &probe.expect_body
        && !holds(backend, expected.as_bytes()).await?
    {
        return Err(format!("status {status}, and the body does not hold {expected:?}"));
    }
    Ok(status)
}

/// Whether the body's beginning holds `expected`.
async fn holds<B: Backend>(backend: &mut B, expected: &[u8]) -> Result<bool, String> {
    let mut body = Vec::new();
    while body.len() < SEARCHED {
        if poll_fn(|cx| backend.poll_fill(cx)).await.map_err(|error| said(&error))? == Fill::End {
            break;
        }
        // A text may lie across two pieces: the search begins where it could.
        let from = body.len().saturating_sub(expected.len());
        body.extend_from_slice(backend.data());
        backend.consume(backend.data().len());
        let new = body.get(from..).unwrap_or_default();
        if new.windows(expected.len().max(1)).any(|window| window == expected) {
            return Ok(true);
        }
    }
    Ok(expected.is_empty())
}

/// An error with its causes, for people.
fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        drop(write!(text, ": {next}"));
        cause = next.source();
    }
    text
}
