//! A small edge for the tests: one pool, real backends, everything that a worker needs.

use crate::claims::Beliefs;
use crate::dial::{Direct, Memory};
use crate::live::{Edge, Live, Pop, Prepared};
use crate::worker::Worker;
use arc_swap::ArcSwap;
use nearside_core::generation::{
    Backend, Drain, Endpoint, Fleet, Generation, Listener, ListenerKind, PinnedSessions, Pool, Region,
    Shutdown, Stamp, Tls,
};
use nearside_core::host::Pattern;
use nearside_core::route::Route;
use nearside_core::table::Table;
use nearside_core::{BackendId, Now, PoolId, RegionId};
use nearside_health::Registry;
use nearside_telemetry::{AccessLog, Metrics};
use nearside_tls::{ClientTable, Homes, Keys, Wanted};
use proxy_header::{ParseConfig, ProxyHeader};
use rustls::{HandshakeKind, ServerConfig};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::LazyConfigAcceptor;

const SECOND: Duration = Duration::from_secs(1);

/// The only backend's id.
pub(crate) fn first() -> BackendId {
    BackendId::new(0)
}

/// An edge, and what it stands on.
pub(crate) struct World {
    pub(crate) edge: Arc<Edge>,
    registry: Registry,
    state: TempDir,
}

impl World {
    /// An edge before backends at these addresses, with changes to its generation.
    pub(crate) fn new(backends: &[SocketAddr], change: impl FnOnce(&mut Generation)) -> Self {
        let state = tempfile::tempdir().unwrap();
        let registry =
            Registry::new(nearside_health::Clock::starting_at(Now::from_millis(1_700_000_000_000)));
        let metrics = Arc::new(Metrics::new());
        let mut generation = generation(backends);
        change(&mut generation);
        let live = live(generation, &registry, &metrics, &state, None);
        let edge = Arc::new(Edge {
            live: ArcSwap::from_pointee(live),
            pop: Pop { name: "test1".into(), place: None },
            dial: Arc::new(Direct),
            memory: Memory::default(),
            reserves: Arc::default(),
            strain: crate::service::Strain::default(),
            access: AccessLog::start(std::io::sink(), Arc::default()).unwrap(),
            metrics,
            salt: 7,
            serial: AtomicU64::new(0),
        });
        Self { edge, registry, state }
    }

    /// What is live.
    pub(crate) fn live(&self) -> Arc<Live> {
        self.edge.live.load_full()
    }

    /// Makes the next generation of the one that is live, and lets it live.
    pub(crate) fn swap(&self, change: impl FnOnce(&mut Generation)) -> Arc<Live> {
        self.edge.live.store(self.next(change));
        self.live()
    }

    /// Makes the next generation of the one that is live.
    pub(crate) fn next(&self, change: impl FnOnce(&mut Generation)) -> Arc<Live> {
        let before = self.live();
        let mut generation = (*before.generation).clone();
        generation.stamp.number += 1;
        change(&mut generation);
        let tls = Some(&*before.backend_tls);
        let next = live(generation, &self.registry, &self.edge.metrics, &self.state, tls);
        Arc::new(next)
    }

    /// A worker of this edge.
    pub(crate) fn worker(&self, id: usize) -> Arc<Worker> {
        Arc::new(Worker::new(id, Arc::clone(&self.edge)))
    }

    /// The certificate of the authority that signs for every host of this edge.
    pub(crate) fn authority(&self) -> PathBuf {
        self.live().certificates.authority_file().unwrap().to_owned()
    }
}

/// The operator's mark.
pub(crate) fn mark() -> Drain {
    let pinned_sessions = PinnedSessions::Move;
    Drain { reason: "test".into(), by: None, until: None, grace: SECOND, pinned_sessions }
}

fn live(
    generation: Generation,
    registry: &Registry,
    metrics: &Metrics,
    state: &TempDir,
    tls: Option<&ClientTable>,
) -> Live {
    let clock = nearside_tls::Clock::system();
    let (keys, _) = Keys::load(None, state.path(), clock.clone()).unwrap();
    let (certificates, _) = nearside_tls::Table::load(&Wanted::of(&generation), &keys, state.path()).unwrap();
    let (backend_tls, _) = ClientTable::load(&generation, &clock, tls).unwrap();
    let (homes, _) = Homes::load(&generation).unwrap();
    let beliefs = Beliefs::new(&generation, keys.seal(crate::claims::SEAL), homes);
    let generation = Arc::new(generation);
    Live {
        geo: Arc::new(nearside_geo::Tables::none()),
        certificates: Arc::new(certificates),
        backend_tls: Arc::new(backend_tls),
        evidence: Arc::new(registry.view(&generation, None)),
        cells: Arc::new(metrics.cells(&generation)),
        beliefs,
        pass: None,
        prepared: Prepared::new(&generation, "test1"),
        generation,
    }
}

/// A backend of the tests, which counts what reaches it.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    resumed: Arc<AtomicUsize>,
    heads: Heads,
    is_clear: bool,
}

/// The heads of the HTTP/1 requests that reached a backend.
type Heads = Arc<Mutex<Vec<String>>>;

impl Sample {
    /// Answers every HTTP/1 request with `answer`.
    pub(crate) async fn h1(answer: &'static str) -> Self {
        let heads = Heads::default();
        let kept = Arc::clone(&heads);
        let serve = move |stream| h1(stream, answer, Arc::clone(&kept));
        Self { heads, ..Self::serve(serve).await }
    }

    /// The heads of the HTTP/1 requests that reached it, where no header of the PROXY protocol comes first.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Answers every HTTP/1 request after a PROXY protocol header.
    pub(crate) async fn told(answer: &'static str) -> Self {
        Self::serve(move |stream| async move { h1(told(stream).await?, answer, Heads::default()).await })
            .await
    }

    /// Serves HTTP/2 without TLS after a PROXY protocol header.
    pub(crate) async fn told_h2c(gate: Arc<tokio::sync::Semaphore>) -> Self {
        Self::serve(move |stream| {
            let gate = Arc::clone(&gate);
            async move { h2(told(stream).await?, 100, gate).await }
        })
        .await
    }

    /// Serves HTTP/2 without TLS, with so many streams at a time. Answers come when `gate` has a permit for each.
    pub(crate) async fn h2c(streams: u32, gate: Arc<tokio::sync::Semaphore>) -> Self {
        Self::serve(move |stream| h2(stream, streams, Arc::clone(&gate))).await
    }

    /// Serves over TLS, with the certificates of `world`: HTTP/2 where ALPN chose it.
    pub(crate) async fn tls(world: &World) -> Self {
        Self::tls_saying(world, OK).await
    }

    /// The same, with this answer to every HTTP/1 request.
    pub(crate) async fn tls_saying(world: &World, answer: &'static str) -> Self {
        let (live, heads, resumed) = (world.live(), Heads::default(), Arc::<AtomicUsize>::default());
        let (kept, count) = (Arc::clone(&heads), Arc::clone(&resumed));
        let served = Self::serve(move |stream| {
            let (live, heads, resumed) = (Arc::clone(&live), Arc::clone(&kept), Arc::clone(&count));
            async move {
                let hello = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
                let config: Arc<ServerConfig> =
                    live.certificates.config_for(&hello.client_hello(), 0).unwrap();
                let stream = hello.into_stream(config).await?;
                let is_resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
                resumed.fetch_add(usize::from(is_resumed), Ordering::Relaxed);
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    h2(stream, 100, Arc::new(tokio::sync::Semaphore::new(1000))).await
                } else {
                    h1(stream, answer, heads).await
                }
            }
        });
        Self { heads, resumed, is_clear: false, ..served.await }
    }

    /// Accepts, and closes.
    pub(crate) async fn closing() -> Self {
        Self::serve(|_| async { Ok(()) }).await
    }

    /// Accepts, and says nothing.
    pub(crate) async fn silent() -> Self {
        Self::serve(|stream| async move {
            std::future::pending::<()>().await;
            drop(stream);
            Ok(())
        })
        .await
    }

    async fn serve<F, S>(serve: S) -> Self
    where
        S: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, open, resumed) = (Arc::default(), Arc::default(), Arc::default());
        let heads = Heads::default();
        let sample = Self { address, accepted, open, resumed, heads, is_clear: true };
        let counts = sample.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counts.accepted.fetch_add(1, Ordering::Relaxed);
                counts.open.fetch_add(1, Ordering::Relaxed);
                let (open, served) = (Arc::clone(&counts.open), serve(stream));
                tokio::spawn(async move {
                    drop(served.await);
                    open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        sample
    }

    /// Whether it speaks without TLS.
    pub(crate) fn is_clear(&self) -> bool {
        self.is_clear
    }

    /// How many connections it has accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many of its handshakes have resumed a session.
    pub(crate) fn resumed(&self) -> usize {
        self.resumed.load(Ordering::Relaxed)
    }

    /// Waits until it has accepted so many connections.
    pub(crate) async fn has_accepted(&self, count: usize) {
        eventually("accepted", count, &self.accepted).await;
    }

    /// Waits until so many connections are open.
    pub(crate) async fn has_open(&self, count: usize) {
        eventually("open", count, &self.open).await;
    }
}

async fn eventually(what: &str, count: usize, counter: &AtomicUsize) {
    let start = std::time::Instant::now();
    while counter.load(Ordering::Relaxed) != count {
        assert!(start.elapsed() < SECOND * 5, "{} {what}, not {count}", counter.load(Ordering::Relaxed));
        tokio::task::yield_now().await;
    }
}

/// Takes the PROXY protocol's header off.
async fn told(mut stream: TcpStream) -> std::io::Result<TcpStream> {
    let mut begun = Vec::new();
    loop {
        begun.push(stream.read_u8().await?);
        match ProxyHeader::parse(&begun, ParseConfig::default()) {
            Ok(_) => return Ok(stream),
            Err(proxy_header::Error::BufferTooShort) => {}
            Err(error) => return Err(std::io::Error::other(error)),
        }
    }
}

/// An answer without a body that keeps the connection.
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

async fn h1<T: AsyncRead + AsyncWrite + Unpin>(
    mut stream: T,
    answer: &'static str,
    heads: Heads,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    loop {
        let byte = stream.read_u8().await?;
        head.push(byte);
        if head.ends_with(b"\r\n\r\n") {
            heads.lock().unwrap().push(String::from_utf8(std::mem::take(&mut head)).unwrap());
            stream.write_all(answer.as_bytes()).await?;
            stream.flush().await?;
        }
    }
}

async fn h2<T>(stream: T, streams: u32, gate: Arc<tokio::sync::Semaphore>) -> std::io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let handshake =
        ::h2::server::Builder::new().max_concurrent_streams(streams).handshake::<_, bytes::Bytes>(stream);
    let mut connection = handshake.await.map_err(std::io::Error::other)?;
    while let Some(request) = connection.accept().await {
        let (_, mut respond) = request.map_err(std::io::Error::other)?;
        let gate = Arc::clone(&gate);
        tokio::spawn(async move {
            gate.acquire().await.unwrap().forget();
            drop(respond.send_response(http::Response::new(()), true));
        });
    }
    Ok(())
}

fn generation(backends: &[SocketAddr]) -> Generation {
    let backend = |address: &SocketAddr| {
        let endpoint = Endpoint { tls: false, host: address.ip().to_string().into(), port: address.port() };
        Backend::new((PoolId::new(0), "web"), &address.to_string(), endpoint, RegionId::new(0))
    };
    Generation {
        stamp: Stamp { number: 1, hash: 0 },
        fleet: Fleet::new("test"),
        regions: Box::new([Region::new("frankfurt")]),
        pools: Box::new([Pool::new("web", first(), backends.len())]),
        backends: backends.iter().map(backend).collect(),
        routes: Table::new(vec![route()]),
        listeners: Box::new([Listener::new(
            SocketAddr::from(([127, 0, 0, 1], 0)),
            ListenerKind::Tls { h2: true, h1: true, client_ca: None },
        )]),
        tls: Tls { self_signed: true, ..Tls::default() },
        shutdown: Shutdown { delay: Duration::ZERO, deadline: SECOND * 5 },
        ..Generation::default()
    }
}

fn route() -> Route {
    let hosts = ["www.example.com", "localhost"].iter().map(|host| Pattern::parse(host).unwrap());
    Route { hosts: hosts.collect(), ..Route::new("www", Pattern::Any, PoolId::new(0)) }
}
