//! Connections stand ready at every backend: a failover takes one that is there. Judged by a road to each backend that counts
//! the connections on it and what they carry.

use nearside_sample::{Handle, Options, Protocol, Tls, start};
use nearside_tests::edge::Setting;
use nearside_tests::{Edge, client, eventually};
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Kinds of backends, the protocol that their pool speaks, and how many connections stand ready at each.
const KINDS: [(&str, &str, usize); 4] =
    [("h1", "auto", 4), ("h1s", "auto", 4), ("h2c", "h2c", 1), ("h2", "auto", 1)];

/// The bytes that clients of a road have sent, connection by connection.
type Carried = Arc<Mutex<Vec<Arc<AtomicUsize>>>>;

/// The only way to a backend.
struct Road {
    address: SocketAddr,
    to: SocketAddr,
    carried: Carried,
    traffic: Option<JoinSet<()>>,
}

impl Road {
    async fn to(to: SocketAddr) -> Self {
        let mut road =
            Self { address: ([127, 0, 0, 1], 0).into(), to, carried: Carried::default(), traffic: None };
        road.open().await;
        road
    }

    /// Opens it where it is, once more after it was cut.
    async fn open(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let (to, carried) = (self.to, Arc::clone(&self.carried));
        let mut traffic = JoinSet::new();
        traffic.spawn(async move {
            let mut travellers = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let count = Arc::<AtomicUsize>::default();
                carried.lock().unwrap().push(Arc::clone(&count));
                travellers.spawn(async move { drop(travel(stream, to, &count).await) });
            }
        });
        self.traffic = Some(traffic);
    }

    /// Closes all that is on it, and lets nobody in: what is left of a backend that was killed.
    fn cut(&mut self) {
        drop(self.traffic.take());
    }

    /// What each connection has carried so far.
    fn carried(&self) -> Vec<usize> {
        self.carried.lock().unwrap().iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }

    fn dials(&self) -> usize {
        self.carried().len()
    }
}

async fn travel(stream: TcpStream, to: SocketAddr, count: &AtomicUsize) -> io::Result<()> {
    let (mut near, mut out) = stream.into_split();
    let (mut back, mut far) = TcpStream::connect(to).await?.into_split();
    let there = async {
        let mut piece = vec![0; 16 * 1024];
        loop {
            let read = near.read(&mut piece).await?;
            if read == 0 {
                return far.shutdown().await;
            }
            count.fetch_add(read, Ordering::Relaxed);
            far.write_all(&piece[..read]).await?;
        }
    };
    tokio::try_join!(there, tokio::io::copy(&mut back, &mut out))?;
    Ok(())
}

async fn backend(setting: &Setting, kind: &str, name: &str, region: &str) -> Handle {
    let mut options = Options::new(name, region);
    options.protocols = vec![match kind {
        "h2c" => Protocol::H2c,
        "h2" => Protocol::H2,
        _ => Protocol::H1,
    }];
    if matches!(kind, "h1s" | "h2") {
        let (certificate, key) = setting.authority.sign(&["backend.test"]);
        options.tls = Some(Tls { certificate, key, client_ca: None });
    }
    start(options).await.unwrap()
}

/// A pool of `kind` with a first tier and a standby, both behind roads. Probes go another way, so that they are not counted.
fn file((kind, spoken): (&str, &str), roads: [&Road; 2], health: SocketAddr, more: &str) -> String {
    let (scheme, tls) = match kind {
        "h1s" | "h2" => ("https", "    tls: { sni: backend.test, ca: ca.pem }\n"),
        _ => ("http", ""),
    };
    let [first, standby] = roads.map(|road| format!("{scheme}://{}", road.address));
    format!(
        "version: 1\nfleet: {{ name: nearside-test }}\nregions: {{ frankfurt: {{}}, virginia: {{}} }}\ndefaults:\n  \
         probe: {{ protocol: http, port: {}, interval: 500ms, fast_interval: 100ms, timeout: 400ms, fall: 2, rise: 1, path: /healthz }}\n  \
         failback: {{ hold: 1h, ramp: 0s }}\n{more}\
         pools:\n  web:\n    connections: {{ protocol: {spoken} }}\n{tls}    backends:\n\
         \x20     - {{ id: fra-a, url: \"{first}\", region: frankfurt }}\n\
         \x20     - {{ id: iad-a, url: \"{standby}\", region: virginia, priority: 2 }}\n\
         routes:\n  - {{ host: www.example.com, pool: web }}\n",
        health.port()
    )
}

/// What `/status` says of a backend.
fn told(edge: &Edge, key: &str) -> Value {
    let status = edge.status();
    status["backends"].as_array().unwrap().iter().find(|backend| backend["key"] == key).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_request_after_a_kill_finds_a_connection_at_the_standby() {
    for (kind, spoken, ready) in KINDS {
        let setting = Setting::new();
        let health = backend(&setting, "h1", "health", "frankfurt").await;
        let first = backend(&setting, kind, "fra-a", "frankfurt").await;
        let standby = backend(&setting, kind, "iad-a", "virginia").await;
        let mut roads = [Road::to(first.addr()).await, Road::to(standby.addr()).await];
        let edge = setting.run(&file((kind, spoken), roads.each_ref(), health.addr(), "")).await;
        // Ready is ready: nothing has to be waited for, in any tier.
        assert_eq!(roads.each_ref().map(Road::dials), [ready; 2], "{kind}");
        for key in ["web/fra-a", "web/iad-a"] {
            assert_eq!(told(&edge, key)["idle_connections"], ready, "{kind}");
        }
        let region = async || client::ask(&edge, "/", &[]).await.headers()["x-sample-region"].clone();
        assert_eq!(region().await, "frankfurt");
        roads[0].cut();
        let before = roads[1].carried();
        assert_eq!(region().await, "virginia");
        let after = roads[1].carried();
        let grown = before.iter().zip(&after).filter(|(before, after)| after > before).count();
        assert_eq!(
            (before.len(), grown),
            (ready, 1),
            "{kind}: the request went by one of those: {before:?}, {after:?}"
        );
        let records =
            eventually("two records", async || Some(edge.records()).filter(|all| all.len() == 2)).await;
        for record in records {
            assert_eq!(record.get("connect_us"), None, "{kind}: no dial was waited for: {record}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_down_is_let_be_and_made_ready_once_it_is_up() {
    let setting = Setting::new();
    let health = backend(&setting, "h1", "health", "frankfurt").await;
    let first = backend(&setting, "h1", "fra-a", "frankfurt").await;
    let mut roads = [Road::to(first.addr()).await, Road::to(first.addr()).await];
    let edge = setting.run(&file(("h1", "auto"), roads.each_ref(), health.addr(), "")).await;
    health.set_health(503);
    edge.knows("web/fra-a", "unhealthy").await;
    roads[0].cut();
    eventually("its connections are gone", async || {
        (told(&edge, "web/fra-a")["idle_connections"] == 0).then_some(())
    })
    .await;
    roads[0].open().await;
    let probes = || told(&edge, "web/fra-a")["probes_failed"].as_u64().unwrap();
    let then = probes();
    eventually("some more probes", async || (probes() >= then + 4).then_some(())).await;
    assert_eq!(roads[0].dials(), 4, "nothing is dialled that is known to be down");
    health.set_health(200);
    edge.knows("web/fra-a", "healthy").await;
    eventually("it is ready", async || (told(&edge, "web/fra-a")["idle_connections"] == 4).then_some(()))
        .await;
    assert_eq!((roads[0].dials(), first.ledger().arrivals().len()), (8, 0), "before any request");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_ready_where_the_file_says_so_or_a_region_is_drained() {
    let setting = Setting::new();
    let health = backend(&setting, "h1", "health", "frankfurt").await;
    let first = backend(&setting, "h1", "fra-a", "frankfurt").await;
    let roads = [Road::to(first.addr()).await, Road::to(first.addr()).await];
    let text = file(("h1", "auto"), roads.each_ref(), health.addr(), "");
    let edge = setting.run(&text.replace("virginia: {}", "virginia: { drain: \"a test\" }")).await;
    assert_eq!(roads.each_ref().map(Road::dials), [4, 0]);
    edge.rewrite(|text| text.replace("{ drain: \"a test\" }", "{}"));
    eventually("the next generation", async || (edge.generation() == 2).then_some(())).await;
    assert_eq!((roads[1].dials(), told(&edge, "web/iad-a")["idle_connections"].as_u64()), (4, Some(4)));
    drop(edge);

    let setting = Setting::new();
    let roads = [Road::to(first.addr()).await, Road::to(first.addr()).await];
    let text = file(("h1", "auto"), roads.each_ref(), health.addr(), "  connections: { prewarm: 0 }\n");
    let edge = setting.run(&text).await;
    assert_eq!(client::ask(&edge, "/", &[]).await.status(), 200);
    assert_eq!(roads.each_ref().map(Road::dials), [1, 0]);
}
