//! An edge in this process, so that what fails in it is seen, and coverage is: its engine whole, behind real sockets.

use arc_swap::ArcSwap;
use nearside_core::{Generation, Now};
use nearside_health::{Clock, Registry};
use nearside_proxy::claims::{Beliefs, SEAL};
use nearside_proxy::connection::{Connection, Places};
use nearside_proxy::dial::{Direct, Memory};
use nearside_proxy::io::{Io, Wire};
use nearside_proxy::live::{Edge, Live, Pop, Prepared};
use nearside_proxy::service::{self, Running};
use nearside_proxy::worker::Worker;
use nearside_telemetry::{AccessLog, Metrics};
use nearside_tests::raw::Backend;
use nearside_tls::{ClientTable, Homes, Keys, Wanted};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

/// How long anything may take before the edge hangs. Its own deadlines are far shorter.
const HANG: Duration = Duration::from_secs(30);

/// The edge, and what it stands on.
pub(crate) struct Site {
    /// What is sent to backends arrives here.
    pub(crate) backend: Backend,
    /// TLS, and a listener that expects the PROXY protocol, in this order.
    running: Running,
    edge: Arc<Edge>,
    worker: Arc<Worker>,
    runtime: Runtime,
    _state: TempDir,
}

/// The site, which the first who asks sets up. It lives as long as the process.
pub(crate) fn site() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(Site::open)
}

fn file(backend: &Backend) -> String {
    format!(
        "version: 1
regions: {{ frankfurt: {{}} }}
defaults:
  timeouts: {{ connect: 2s, response: 5s, client_idle: 5s, client_header: 5s, body_idle: 5s }}
  connections: {{ proxy_protocol: v1 }}
pools:
  raw:
    affinity: {{ cookie: {{ name: pin }} }}
    backends: [{{ id: raw, url: \"http://{}\", region: frankfurt }}]
routes:
  - {{ host: [www.example.com, \"*.shop.example.com\"], pool: raw }}
  - {{ host: answer.example.com, answer: {{ status: 200, body: \"so it is\" }} }}
listeners:
  - {{ bind: \"127.0.0.1:0\", tls: true }}
  - {{ bind: \"127.0.0.1:0\", tls: false, client_ip: {{ from: proxy_protocol, trusted: [\"127.0.0.0/8\"] }} }}
tls: {{ self_signed: true }}
",
        backend.address
    )
}

impl Site {
    fn open() -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let backend = Backend::start();
        let (generation, ..) =
            nearside_config::load(&file(&backend)).unwrap_or_else(|report| panic!("{report}"));
        let state = tempfile::tempdir().unwrap();
        let metrics = Arc::new(Metrics::new());
        let listeners = generation.listeners.clone();
        let edge = Arc::new(Edge {
            live: ArcSwap::from_pointee(live(generation, &metrics, &state)),
            pop: Pop { name: "fuzz1".into(), place: None },
            dial: Arc::new(Direct),
            memory: Memory::default(),
            reserves: Arc::default(),
            strain: service::Strain::default(),
            access: AccessLog::start(std::io::sink(), Arc::default()).unwrap(),
            metrics,
            salt: 7,
            serial: AtomicU64::new(0),
        });
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let running = {
            let _within = runtime.enter();
            service::start(&edge, &listeners, NonZeroUsize::MIN).unwrap()
        };
        let worker = Arc::new(Worker::new(1, Arc::clone(&edge)));
        Self { backend, running, edge, worker, runtime, _state: state }
    }

    /// Where TLS is spoken.
    pub(crate) fn tls(&self) -> SocketAddr {
        self.running.addresses()[0]
    }

    /// Where the PROXY protocol comes first.
    pub(crate) fn introduced(&self) -> SocketAddr {
        self.running.addresses()[1]
    }

    /// What the fleet's key has sealed for pins.
    pub(crate) fn seal(&self) -> nearside_tls::Seal {
        self.edge.live.load().certificates.seal(SEAL)
    }

    /// The authority that signs for every host here, as PEM.
    pub(crate) fn authority(&self) -> String {
        let live = self.edge.live.load();
        std::fs::read_to_string(live.certificates.authority_file().expect("it signs itself"))
            .expect("own folder")
    }

    /// Serves a connection of HTTP/2 without TLS that brings these bytes and then ends: what was answered, and the port
    /// by which the backend knows the client.
    pub(crate) fn frames(&self, bytes: &[u8]) -> (Vec<u8>, u16) {
        static PORTS: AtomicU64 = AtomicU64::new(0);
        // Below those that the system gives out to the clients of other targets.
        let port = u16::try_from(1_024 + PORTS.fetch_add(1, Ordering::Relaxed) % 30_000).unwrap();
        let all = async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (near, far) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
            let (mut near, far) = (near.unwrap(), far.unwrap().0);
            let connection = self.connection(port, address);
            let io = Io::Plain(Wire::Tcp(far));
            let presence = self.worker.presences.enter();
            let served =
                tokio::spawn(nearside_proxy::h2::serve(Arc::clone(&self.worker), connection, io, presence));
            // Who has had enough of us need not read it all.
            drop(near.write_all(bytes).await);
            drop(near.shutdown().await);
            let mut answer = Vec::new();
            drop(near.read_to_end(&mut answer).await);
            served.await.expect("it does not panic");
            answer
        };
        let answer = self.runtime.block_on(async { tokio::time::timeout(HANG, all).await });
        (answer.expect("a connection that hangs"), port)
    }

    fn connection(&self, port: u16, local: SocketAddr) -> Connection {
        let client = SocketAddr::from(([127, 0, 0, 1], port));
        Connection {
            peer: client,
            client,
            address: client.ip().to_string().into(),
            local,
            listener: 0,
            cells: self.edge.metrics.listener(local),
            places: Places::default(),
            tls: None,
            sni: None,
        }
    }
}

fn live(generation: Generation, metrics: &Metrics, state: &TempDir) -> Live {
    let clock = nearside_tls::Clock::system();
    // The same in every process, so that pins in the corpus are ours.
    let key = state.path().join("fleet.key");
    std::fs::write(&key, "ab".repeat(32)).unwrap();
    let (keys, _) = Keys::load(Some(&key), state.path(), clock.clone()).unwrap();
    let (certificates, _) = nearside_tls::Table::load(&Wanted::of(&generation), &keys, state.path()).unwrap();
    let (backend_tls, _) = ClientTable::load(&generation, &clock, None).unwrap();
    let (homes, _) = Homes::load(&generation).unwrap();
    let beliefs = Beliefs::new(&generation, certificates.seal(SEAL), homes);
    let generation = Arc::new(generation);
    let registry = Registry::new(Clock::starting_at(Now::from_millis(1_790_000_000_000)));
    Live {
        geo: Arc::new(nearside_geo::Tables::none()),
        certificates: Arc::new(certificates),
        backend_tls: Arc::new(backend_tls),
        evidence: Arc::new(registry.view(&generation, None)),
        cells: Arc::new(metrics.cells(&generation)),
        beliefs,
        pass: None,
        prepared: Prepared::new(&generation, "fuzz1"),
        generation,
    }
}

/// Sends all of it, ends our direction, and reads to the end.
pub(crate) fn send(to: SocketAddr, bytes: &[u8]) -> (Vec<u8>, u16) {
    let mut stream = TcpStream::connect(to).expect("it listens");
    let port = stream.local_addr().expect("a socket").port();
    stream.set_read_timeout(Some(HANG)).expect("a socket");
    // Who has had enough of us need not read it all.
    drop(stream.write_all(bytes));
    drop(stream.shutdown(Shutdown::Write));
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "a connection that hangs");
    }
    (answer, port)
}
