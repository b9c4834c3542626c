//! Probes: how a backend is asked whether it is well, over a connection made as requests' are.

use crate::dial::{self, Destination, Dialled, Peer, Preamble};
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
use nearside_http::{Edits, Known, Limits, Progress, RequestHead, request};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
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
        Self { worker: Arc::new(Worker::new(usize::MAX, edge)) }
    }

    async fn run(&self, target: &Target) -> Result<Outcome, String> {
        let (Some(backend), Some((_, pool))) = (target.backend(), target.pool()) else {
            return Err("the backend is gone".to_owned());
        };
        let tls = self.tls(target, backend, &pool.probe)?;
        let encrypted = tls.is_some();
        let region = target.generation.region(backend.region);
        let to = Destination {
            peer: match backend.endpoint.socket() {
                Some(path) => Peer::Unix(path),
                None => Peer::Inet(&target.addresses),
            },
            region: region.map_or("", |region| &region.name),
            preamble: preamble(pool),
            tls,
        };
        let deadline = Instant::now() + pool.probe.timeout;
        let dialled = dial::dial(self.worker.edge.dialler(), &to, deadline).await;
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
        let client = live.backend_tls.backend(id);
        let client = client.or_else(|| pool.and_then(|pool| live.backend_tls.pool(pool)));
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

/// What a probe's connection begins with. A port of the probe's own speaks for itself, as in other proxies.
fn preamble(pool: &Pool) -> Option<Preamble> {
    let version = pool.connections.proxy_protocol.filter(|_| pool.probe.port.is_none())?;
    Some(Preamble { version, parties: None })
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
        .map_err(|_invalid| format!("{named:?} is no name that a certificate can have"))
}

/// The probe's request.
pub(crate) fn head(probe: &Probe, backend: &generation::Backend) -> Result<RequestHead, String> {
    let host = probe.host.as_deref().map_or_else(|| backend.endpoint.authority(), str::to_owned);
    let mut text = format!("{} {} HTTP/1.1\r\nhost: {host}\r\n", probe.method, probe.path);
    for (name, value) in &probe.headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    let mut head = RequestHead::new();
    match request::parse(text.as_bytes(), &Limits::default(), &mut head) {
        Ok(Progress::Complete { .. }) => Ok(head),
        Ok(Progress::Partial) => Err("the probe's request has no end".to_owned()),
        Err(refusal) => Err(format!("the probe's request is malformed: {refusal}")),
    }
}

/// Asks, and judges the answer by what the probe expects.
pub(crate) async fn ask<B: Backend>(
    backend: &mut B,
    head: &RequestHead,
    probe: &Probe,
) -> Result<u16, String> {
    // A head's own fields of our name never pass on, so this one is set.
    let mut edits = Edits::new();
    edits.set(Known::XNearsideProbe, b"1");
    backend.request(head, &edits, Length::None);
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
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::fixture::{OK, Sample, World, first};
    use nearside_core::policy::{Protocol, ProxyProtocol};
    use std::net::SocketAddr;
    use std::time::Duration;

    /// Probes the only backend at `address` and holds the deadline, as the scheduler does.
    async fn outcome(
        address: SocketAddr,
        change: impl FnOnce(&mut Generation),
    ) -> Result<Option<u16>, String> {
        let world = World::new(&[address], change);
        outcome_of(&world, address).await
    }

    async fn outcome_of(world: &World, address: SocketAddr) -> Result<Option<u16>, String> {
        let live = world.live();
        let target =
            Target { generation: Arc::clone(&live.generation), id: first(), addresses: Arc::new([address]) };
        let prober = EdgeProber::new(Arc::clone(&world.edge));
        let probed = tokio::time::timeout(Duration::from_secs(2), prober.probe(&target)).await;
        match probed.map_err(|_elapsed| "no answer".to_owned())? {
            Outcome::Passed { rtt, status } => {
                assert!(rtt > Duration::ZERO);
                Ok(status)
            }
            Outcome::Failed(text) => Err(text),
        }
    }

    fn failed(text: &str) -> Result<Option<u16>, String> {
        Err(text.to_owned())
    }

    #[tokio::test]
    async fn an_expected_status_passes_and_another_fails() {
        let well = Sample::h1(OK).await;
        let ill = Sample::h1("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(outcome(well.address, |_| {}).await, Ok(Some(200)));
        assert_eq!(outcome(ill.address, |_| {}).await, failed("status 500"));
        let expect = |generation: &mut Generation| generation.pools[0].probe.expect = Box::new([500..=500]);
        assert_eq!(outcome(ill.address, expect).await, Ok(Some(500)));
    }

    #[tokio::test]
    async fn a_refusal_says_so() {
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let text = outcome(closed, |_| {}).await.unwrap_err();
        assert!(text.contains("Connection refused"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_fails_by_the_deadline_but_is_enough_for_a_tcp_probe() {
        let silent = Sample::silent().await;
        assert_eq!(outcome(silent.address, |_| {}).await, failed("no answer"));
        let tcp = |generation: &mut Generation| generation.pools[0].probe.protocol = ProbeProtocol::Tcp;
        assert_eq!(outcome(silent.address, tcp).await, Ok(None));
    }

    #[tokio::test]
    async fn the_body_is_searched_where_a_text_is_expected() {
        let backend = Sample::h1("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nall is well\n").await;
        let expecting = |text: &'static str| {
            move |generation: &mut Generation| {
                generation.pools[0].probe.method = "GET".into();
                generation.pools[0].probe.expect_body = Some(text.into());
            }
        };
        assert_eq!(outcome(backend.address, expecting("is well")).await, Ok(Some(200)));
        let text = outcome(backend.address, expecting("is ill")).await.unwrap_err();
        assert_eq!(text, "status 200, and the body does not hold \"is ill\"");
    }

    #[tokio::test]
    async fn a_probe_is_what_the_file_says_with_tls_and_without() {
        const ANSWER: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 9\r\n\r\nready: no";
        let ours = World::new(&[], |_| {});
        for encrypted in [false, true] {
            let backend =
                if encrypted { Sample::tls_saying(&ours, ANSWER).await } else { Sample::h1(ANSWER).await };
            let as_declared = |generation: &mut Generation| {
                generation.backends.edit()[0].endpoint.tls = encrypted;
                let pool = &mut generation.pools[0];
                (pool.tls.sni, pool.tls.ca) = (Some("localhost".into()), Some(ours.authority()));
                pool.connections.protocol = Protocol::H1;
                let probe = &mut pool.probe;
                (probe.method, probe.path) = ("GET".into(), "/ready?deep=1".into());
                probe.host = Some("probe.example".into());
                probe.headers = Box::new([("x-key".into(), "abc".into())]);
                probe.expect = Box::new([200..=299, 401..=401]);
                probe.expect_body = Some("ready".into());
            };
            assert_eq!(outcome(backend.address, as_declared).await, Ok(Some(401)));
            let heads = backend.heads();
            let [head] = heads.as_slice() else { panic!("one probe: {heads:?}") };
            assert!(head.starts_with("GET /ready?deep=1 HTTP/1.1\r\n"), "{head}");
            for field in ["host: probe.example", "x-key: abc", "x-nearside-probe: 1"] {
                let found = head.lines().any(|line| line.eq_ignore_ascii_case(field));
                assert!(found, "{field} in {head}");
            }
            let stricter = |generation: &mut Generation| {
                as_declared(generation);
                generation.pools[0].probe.expect = Box::new([200..=299]);
            };
            assert_eq!(outcome(backend.address, stricter).await, failed("status 401"));
        }
    }

    #[tokio::test]
    async fn an_h2_backend_is_probed_over_h2_and_a_tls_one_over_tls() {
        let h2c = Sample::h2c(10, Arc::new(tokio::sync::Semaphore::new(10))).await;
        let by_h2c = |generation: &mut Generation| generation.pools[0].connections.protocol = Protocol::H2c;
        assert_eq!(outcome(h2c.address, by_h2c).await, Ok(Some(200)));

        let ours = World::new(&[], |_| {});
        let tls = Sample::tls(&ours).await;
        let by_tls = |generation: &mut Generation| {
            generation.backends.edit()[0].endpoint.tls = true;
            generation.pools[0].tls.sni = Some("localhost".into());
            generation.pools[0].tls.ca = Some(ours.authority());
        };
        assert_eq!(outcome(tls.address, by_tls).await, Ok(Some(200)));
        let unverified = |generation: &mut Generation| {
            by_tls(generation);
            generation.pools[0].tls.sni = Some("other.example".into());
        };
        let text = outcome(tls.address, unverified).await.unwrap_err();
        assert!(text.contains("TLS"), "{text}");
    }

    #[tokio::test]
    async fn a_backend_that_wants_to_be_told_learns_that_a_probe_is_our_own() {
        let backend = Sample::told(OK).await;
        for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
            let told = |generation: &mut Generation| {
                generation.pools[0].connections.proxy_protocol = Some(version);
            };
            assert_eq!(outcome(backend.address, told).await, Ok(Some(200)));
        }
        let port_of_its_own = Sample::h1(OK).await;
        let told = |generation: &mut Generation| {
            generation.pools[0].connections.proxy_protocol = Some(ProxyProtocol::V2);
            generation.pools[0].probe.port = Some(port_of_its_own.address.port());
        };
        assert_eq!(outcome(port_of_its_own.address, told).await, Ok(Some(200)));
    }

    #[test]
    fn a_probe_has_its_host_and_the_fields_that_the_file_declares() {
        let world = World::new(&["127.0.0.1:8080".parse().unwrap()], |generation| {
            generation.pools[0].probe.headers = Box::new([("x-key".into(), "abc".into())]);
        });
        let live = world.live();
        let backend = live.generation.backend(first()).unwrap();
        let head = head(&live.generation.pools[0].probe, backend).unwrap();
        assert_eq!(
            (head.method_text(), head.target(), head.authority().as_str()),
            ("HEAD", "/", "127.0.0.1:8080")
        );
        assert_eq!(head.fields().get_name("x-key"), Some(b"abc".as_slice()));
    }
}
