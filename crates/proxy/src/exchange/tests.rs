//! What becomes of requests whose tries fail, over real sockets: who gets them next, and what their clients are told.

use crate::connection::Connection;
use crate::h1;
use crate::io::{Io, Wire};
use crate::pool::fixture::World;
use crate::service::Presences;
use crate::worker::Worker;
use async_trait::async_trait;
use nearside_core::generation::Region;
use nearside_core::policy::{Balance, RetryWhen, Share};
use nearside_core::{BackendId, Evidence, Generation, PoolId, RegionId};
use nearside_health::{Answer, Outcome, Prober, Resolver, Scheduler, Target, Unresolved};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// What a backend does with requests.
#[derive(Clone)]
enum Does {
    /// Answers with these bytes.
    Says(String),
    /// The same, once there is a permit for it.
    Waits(Arc<Semaphore>, String),
    /// Closes the connection.
    Closes,
}

/// A backend, and the methods of the requests that reached it.
struct Backend {
    address: SocketAddr,
    reached: Arc<Mutex<Vec<String>>>,
}

fn answer(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} Some\r\nx-from: {body}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

impl Backend {
    async fn new(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let reached: Arc<Mutex<Vec<String>>> = Arc::default();
        let ledger = Arc::clone(&reached);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&ledger), does.clone()));
            }
        });
        Self { address, reached }
    }

    async fn says(status: u16, body: &str) -> Self {
        Self::new(Does::Says(answer(status, body))).await
    }

    /// One that answers as many requests as it is given permits for.
    async fn waits(body: &str) -> (Self, Arc<Semaphore>) {
        let go = Arc::new(Semaphore::new(0));
        (Self::new(Does::Waits(Arc::clone(&go), answer(200, body))).await, go)
    }

    fn reached(&self) -> Vec<String> {
        self.reached.lock().unwrap().clone()
    }

    /// Waits until so many requests have reached it.
    async fn has(&self, count: usize) {
        let wait = async {
            while self.reached().len() < count {
                tokio::task::yield_now().await;
            }
        };
        patiently(wait).await;
    }
}

async fn serve(stream: TcpStream, ledger: Arc<Mutex<Vec<String>>>, does: Does) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut head, mut line) = (String::new(), String::new());
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            head.push_str(&line);
        }
        ledger.lock().unwrap().push(head.split(' ').next().unwrap().to_owned());
        let text = match &does {
            Does::Closes => return,
            Does::Says(text) => text,
            Does::Waits(go, text) => {
                go.acquire().await.unwrap().forget();
                text
            }
        };
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A failure in place of a test that hangs.
async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("nothing came for 20 s")
}

/// An edge before backends that stand in a tier each, in this order, so that a test knows who is next.
struct Site {
    world: World,
    worker: Arc<Worker>,
}

impl Site {
    fn new(backends: &[&Backend], change: impl FnOnce(&mut Generation)) -> Self {
        let addresses: Vec<_> = backends.iter().map(|backend| backend.address).collect();
        let world = World::new(&addresses, |generation| {
            for (tier, backend) in (1..).zip(generation.backends.edit().iter_mut()) {
                backend.priority = tier;
            }
            let probe = &mut generation.pools[0].probe;
            (probe.fall, probe.fast_interval) = (1, Duration::from_millis(10));
            change(generation);
        });
        let worker = world.worker(0);
        Self { world, worker }
    }

    /// A client that has said this.
    async fn client(&self, text: &str) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        let local = stream.local_addr().unwrap();
        let connection = Connection {
            peer,
            client: peer,
            address: peer.ip().to_string().into(),
            local,
            listener: 1,
            cells: Arc::default(),
            places: crate::connection::Places::default(),
            tls: None,
            sni: None,
        };
        let presence = Arc::new(Presences::default()).enter();
        tokio::spawn(h1::serve(Arc::clone(&self.worker), connection, Io::Plain(Wire::Tcp(stream)), presence));
        client.write_all(text.as_bytes()).await.unwrap();
        client
    }

    /// The whole answer to a request.
    async fn ask(&self, method: &str) -> String {
        let body = if method == "POST" { "content-length: 2\r\n\r\nhi" } else { "\r\n" };
        let head = format!("{method} /x HTTP/1.1\r\nhost: www.example.com\r\nconnection: close\r\n{body}");
        let mut client = self.client(&head).await;
        let mut text = String::new();
        patiently(client.read_to_string(&mut text)).await.unwrap();
        text
    }

    /// The answer's status and body.
    async fn told(&self, method: &str) -> (u16, String) {
        let text = self.ask(method).await;
        let status = text.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {text:?}"));
        (status.parse().unwrap(), text.split("\r\n\r\n").nth(1).unwrap().to_owned())
    }

    /// Has these marked down by their probes.
    async fn mark_down(&self, down: &'static [usize]) {
        let evidence = Arc::clone(&self.world.live().evidence);
        let mut scheduler = Scheduler::new(Arc::new(Probes(down)), Arc::new(Probes(down)), 1);
        scheduler.follow(&evidence);
        let all_down = || down.iter().all(|index| evidence.is_down(BackendId::new(*index)));
        patiently(async {
            while !all_down() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        scheduler.shutdown().await;
    }

    fn faults(&self, index: usize) -> u64 {
        self.world.live().evidence.snapshot()[index].faults
    }
}

/// Probes that fail at these backends, and say nothing of others.
struct Probes(&'static [usize]);

#[async_trait]
impl Prober for Probes {
    async fn probe(&self, target: &Target) -> Outcome {
        if !self.0.contains(&target.id.index()) {
            std::future::pending::<()>().await;
        }
        Outcome::Failed("as the test says".to_owned())
    }
}

#[async_trait]
impl Resolver for Probes {
    async fn resolve(&self, host: &str) -> Result<Answer, Unresolved> {
        Err(Unresolved { host: host.into(), why: "addresses need no resolver".into() })
    }
}

/// A request on its way, which outlives the test's look at it.
fn going(site: &Arc<Site>, method: &'static str) -> JoinHandle<(u16, String)> {
    let site = Arc::clone(site);
    tokio::spawn(async move { site.told(method).await })
}

fn said(status: u16, body: &str) -> (u16, String) {
    (status, body.to_owned())
}

fn on_500(generation: &mut Generation) {
    generation.pools[0].retry.when = RetryWhen { statuses: Box::new([500]), ..RetryWhen::default() };
}

#[tokio::test]
async fn an_answer_with_a_listed_status_is_replaced_by_another_backends() {
    let (sick, well) = (Backend::says(500, "sick").await, Backend::says(200, "well").await);
    let site = Site::new(&[&sick, &well], on_500);
    assert_eq!(site.told("GET").await, said(200, "well"));
    assert_eq!(site.told("POST").await, said(500, "sick"));
    assert_eq!((sick.reached(), well.reached()), (vec!["GET".into(), "POST".into()], vec!["GET".into()]));
}

#[tokio::test]
async fn a_repeat_never_moves_the_turn() {
    let (sick, well) = (Backend::says(500, "sick").await, Backend::says(200, "well").await);
    let site = Site::new(&[&sick, &well], |generation| {
        on_500(generation);
        generation.pools[0].select.balance = Balance::RoundRobin;
        generation.backends.edit().iter_mut().for_each(|backend| backend.priority = 1);
    });
    assert_eq!(site.told("GET").await, said(200, "well"));
    assert_eq!((sick.reached().len(), well.reached().len()), (1, 1));
    assert_eq!(site.world.live().evidence.turn(PoolId::new(0)), 1);
}

#[tokio::test]
async fn where_no_repeat_is_possible_the_client_gets_the_answer_that_came() {
    type Change = fn(&mut Generation);
    let cases: [(&str, Change); 4] = [
        ("not listed", |generation| generation.pools[0].retry.when = RetryWhen::default()),
        ("no repeat allowed", |generation| generation.pools[0].retry.max = 0),
        ("the budget is spent", |generation| {
            (generation.pools[0].retry.budget_min, generation.pools[0].retry.budget_share) =
                (0, Share::default());
        }),
        ("the other is drained", |generation| {
            generation.regions = vec![
                Region::new("frankfurt"),
                Region { drain: Some(crate::pool::fixture::mark()), ..Region::new("virginia") },
            ]
            .into();
            generation.backends.edit()[1].region = RegionId::new(1);
        }),
    ];
    for (case, change) in cases {
        let (sick, well) = (Backend::says(500, "sick").await, Backend::says(200, "well").await);
        let site = Site::new(&[&sick, &well], |generation| {
            on_500(generation);
            change(generation);
        });
        let text = site.ask("GET").await;
        assert!(text.starts_with("HTTP/1.1 500 ") && text.ends_with("\r\n\r\nsick"), "{case}: {text}");
        assert!(text.contains("x-from: sick\r\n"), "{case}: {text}");
        assert!(well.reached().is_empty(), "{case}");
    }
    let (sick, down) = (Backend::says(500, "sick").await, Backend::says(200, "down").await);
    let site = Site::new(&[&sick, &down], on_500);
    site.mark_down(&[1]).await;
    assert_eq!(site.told("GET").await, said(500, "sick"), "the other is down");
    let both = [Backend::says(500, "one").await, Backend::says(500, "two").await];
    let site = Site::new(&[&both[0], &both[1]], on_500);
    assert_eq!(site.told("GET").await, said(500, "two"), "nobody is left");
}

#[tokio::test]
async fn an_answer_that_is_late_is_given_up_and_repeated_where_the_pool_says_so() {
    for (listed, method, expected) in [(true, "GET", 200), (true, "POST", 504), (false, "GET", 504)] {
        let (silent, _go) = Backend::waits("late").await;
        let well = Backend::says(200, "well").await;
        let site = Site::new(&[&silent, &well], |generation| {
            generation.pools[0].timeouts.response = Duration::from_millis(50);
            generation.pools[0].retry.when.timeout = listed;
        });
        assert_eq!(site.told(method).await.0, expected, "{listed} {method}");
        assert_eq!(site.faults(0), 1);
    }
}

#[tokio::test]
async fn the_time_of_the_request_as_a_whole_accuses_no_backend_that_had_little_of_it() {
    let (silent, _go) = Backend::waits("late").await;
    let site = Site::new(&[&silent], |generation| {
        generation.pools[0].timeouts.request = Some(Duration::from_millis(50));
    });
    assert_eq!(site.told("GET").await.0, 504);
    assert_eq!(site.faults(0), 0);
}

#[tokio::test]
async fn a_repeat_stays_in_its_region_where_the_pool_says_so() {
    for (cross, expected) in [(true, said(200, "iad-a")), (false, said(200, "fra-b"))] {
        let sick = Backend::new(Does::Closes).await;
        let (away, near) = (Backend::says(200, "iad-a").await, Backend::says(200, "fra-b").await);
        let site = Site::new(&[&sick, &away, &near], |generation| {
            let region = Region::new;
            generation.regions = Box::new([region("frankfurt"), region("virginia")]);
            generation.backends.edit()[1].region = RegionId::new(1);
            generation.pools[0].retry.cross_region = cross;
        });
        assert_eq!(site.told("GET").await, expected);
    }
    let (sick, away) = (Backend::new(Does::Closes).await, Backend::says(200, "iad-a").await);
    let site = Site::new(&[&sick, &away], |generation| {
        let region = Region::new;
        generation.regions = Box::new([region("frankfurt"), region("virginia")]);
        generation.backends.edit()[1].region = RegionId::new(1);
        generation.pools[0].retry.cross_region = false;
    });
    assert_eq!((site.told("GET").await.0, away.reached().len()), (502, 0));
}

#[tokio::test]
async fn repeats_are_no_more_than_max_and_the_budget() {
    for (max, budget, expected) in [(1, 10, 502), (2, 10, 200), (2, 0, 502)] {
        let sick = [Backend::new(Does::Closes).await, Backend::new(Does::Closes).await];
        let well = Backend::says(200, "well").await;
        let site = Site::new(&[&sick[0], &sick[1], &well], |generation| {
            let retry = &mut generation.pools[0].retry;
            (retry.max, retry.budget_min) = (max, budget);
        });
        assert_eq!(site.told("GET").await.0, expected, "{max} {budget}");
    }
}

#[tokio::test]
async fn a_full_backend_is_waited_for_by_so_many_and_for_so_long() {
    let (slow, go) = Backend::waits("well").await;
    let site = Arc::new(Site::new(&[&slow], |generation| {
        generation.backends.edit()[0].max_in_flight = Some(1);
        generation.pools[0].connections.max_pending = 1;
    }));
    let first = going(&site, "GET");
    slow.has(1).await;
    let second = going(&site, "POST");
    let pool = Arc::clone(site.world.live().evidence.pool(PoolId::new(0)).unwrap());
    patiently(async {
        while pool.waiting() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let refused = site.ask("GET").await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("\r\nretry-after: "), "{refused}");
    assert!(refused.contains("refused.overload"), "{refused}");
    go.add_permits(2);
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (said(200, "well"), said(200, "well")));
    assert_eq!(slow.reached(), ["GET", "POST"]);

    let (slow, _go) = Backend::waits("well").await;
    let site = Arc::new(Site::new(&[&slow], |generation| {
        generation.backends.edit()[0].max_in_flight = Some(1);
        generation.pools[0].timeouts.connect = Duration::from_millis(50);
    }));
    let _first = going(&site, "GET");
    slow.has(1).await;
    let refused = site.ask("GET").await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("\r\nretry-after: "), "{refused}");
    assert_eq!(site.faults(0), 0, "being full is no fault");
}

#[tokio::test]
async fn connections_are_waited_for_by_so_many_and_for_so_long() {
    for (pending, within) in [(0, 2000), (9, 50)] {
        let (slow, _go) = Backend::waits("well").await;
        let site = Arc::new(Site::new(&[&slow], |generation| {
            let pool = &mut generation.pools[0];
            (pool.connections.max, pool.connections.max_pending) = (1, pending);
            pool.timeouts.connect = Duration::from_millis(within);
        }));
        let _first = going(&site, "GET");
        slow.has(1).await;
        let refused = site.ask("GET").await;
        assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("\r\nretry-after: "), "{refused}");
        assert_eq!(site.faults(0), 0, "our own limit is no fault");
    }
}

#[tokio::test]
async fn what_hangs_on_a_backend_that_is_marked_down_goes_elsewhere_if_that_is_safe() {
    let (hung, go) = Backend::waits("late").await;
    let well = Backend::says(200, "well").await;
    let site = Arc::new(Site::new(&[&hung, &well], |_| {}));
    let (get, post) = (going(&site, "GET"), going(&site, "POST"));
    hung.has(2).await;
    site.mark_down(&[0]).await;
    assert_eq!(patiently(get).await.unwrap(), said(200, "well"));
    // One for the GET, whose connection the backend does not know to be closed.
    go.add_permits(2);
    assert_eq!(patiently(post).await.unwrap(), said(200, "late"), "a POST waits for its answer");
    assert_eq!(well.reached(), ["GET"]);
}

#[tokio::test]
async fn what_leaves_a_backend_does_not_go_to_another_that_is_silent() {
    let ((hung, _go), well) = (Backend::waits("late").await, Backend::says(200, "well").await);
    let silent = Backend::says(200, "silent").await;
    let site = Arc::new(Site::new(&[&hung, &silent, &well], |_| {}));
    let get = going(&site, "GET");
    hung.has(1).await;
    site.world.live().evidence.hangs(BackendId::new(1), tokio::time::Instant::now());
    site.mark_down(&[0]).await;
    assert_eq!(patiently(get).await.unwrap(), said(200, "well"));
    assert!(silent.reached().is_empty());
}

#[tokio::test]
async fn all_that_hangs_gets_away_however_small_the_budget() {
    let (hung, _go) = Backend::waits("late").await;
    let well = Backend::says(200, "well").await;
    let site = Arc::new(Site::new(&[&hung, &well], |generation| {
        let retry = &mut generation.pools[0].retry;
        (retry.budget_min, retry.budget_share) = (1, Share::default());
    }));
    let gets: Vec<_> = (0..20).map(|_| going(&site, "GET")).collect();
    hung.has(20).await;
    site.mark_down(&[0]).await;
    for get in gets {
        assert_eq!(patiently(get).await.unwrap(), said(200, "well"));
    }
}

#[tokio::test]
async fn what_hangs_stays_where_it_is_while_there_is_nothing_better() {
    let (hung, _go) = Backend::waits("late").await;
    let down = Backend::says(200, "well").await;
    let site = Arc::new(Site::new(&[&hung, &down], |generation| {
        // Long enough for the request to look around.
        generation.pools[0].timeouts.response = Duration::from_millis(900);
    }));
    let get = going(&site, "GET");
    hung.has(1).await;
    site.mark_down(&[0, 1]).await;
    assert_eq!(patiently(get).await.unwrap().0, 504);
    assert!(down.reached().is_empty(), "it is down as well");
}

#[tokio::test]
async fn a_connection_that_hangs_on_a_backend_that_is_marked_down_is_not_waited_for() {
    // Accepts, and never answers the handshake.
    let (hung, _go) = Backend::waits("late").await;
    let well = Backend::says(200, "well").await;
    let site = Arc::new(Site::new(&[&hung, &well], |generation| {
        generation.backends.edit()[0].endpoint.tls = true;
        generation.pools[0].tls.insecure = true;
        generation.pools[0].timeouts.connect = Duration::from_secs(60);
    }));
    let post = going(&site, "POST");
    let connections = Arc::clone(site.world.live().evidence.cell(BackendId::new(0)).unwrap().connections());
    patiently(async {
        while connections.now() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    site.mark_down(&[0]).await;
    assert_eq!(patiently(post).await.unwrap(), said(200, "well"), "nothing was sent: any method");
}

#[tokio::test]
async fn a_client_that_pauses_or_goes_away_is_no_fault_of_the_backend() {
    let (slow, _go) = Backend::waits("well").await;
    let site = Site::new(&[&slow], |generation| {
        generation.pools[0].timeouts.body_idle = Duration::from_millis(50);
    });
    let head = "POST /x HTTP/1.1\r\nhost: www.example.com\r\ncontent-length: 100\r\n\r\n";
    let mut pausing = site.client(&format!("{head}half")).await;
    let mut status = [0; 13];
    patiently(pausing.read_exact(&mut status)).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 408 ");
    let leaving = site.client(&format!("{head}half")).await;
    slow.has(2).await;
    drop(leaving);
    let waiting = site.client("GET /x HTTP/1.1\r\nhost: www.example.com\r\n\r\n").await;
    slow.has(3).await;
    // With a reset: a client that only closes its sending side still listens.
    waiting.set_zero_linger().unwrap();
    drop(waiting);
    let in_flight = || site.world.live().evidence.snapshot()[0].in_flight;
    patiently(async {
        while in_flight() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(site.faults(0), 0);
}

/// Begins an answer of this type, and says no more.
fn begun(kind: &str) -> Does {
    Does::Says(format!("HTTP/1.1 200 x\r\ncontent-type: {kind}\r\ncontent-length: 99\r\n\r\nhi"))
}

#[tokio::test]
async fn an_answer_that_falls_silent_is_a_fault_and_a_stream_that_does_has_its_own_time_and_is_none() {
    let (soon, late) = (Duration::from_millis(50), Duration::from_mins(1));
    for (kind, body_idle, stream_idle, faults) in [
        ("text/plain", soon, late, 1),
        ("text/event-stream; charset=utf-8", late, soon, 0),
        ("application/grpc+proto", late, soon, 0),
    ] {
        let backend = Backend::new(begun(kind)).await;
        let site = Site::new(&[&backend], |generation| {
            let timeouts = &mut generation.pools[0].timeouts;
            (timeouts.body_idle, timeouts.stream_idle) = (body_idle, stream_idle);
        });
        assert!(site.ask("GET").await.ends_with("\r\n\r\nhi"), "{kind}");
        assert_eq!(site.faults(0), faults, "{kind}");
    }
}

#[tokio::test]
async fn a_stream_that_says_little_is_not_slow_as_an_answer_that_crawls_is() {
    let crawling = Backend::new(begun("text/plain")).await;
    let events = Backend::new(begun("text/event-stream")).await;
    let well = Backend::says(200, "well").await;
    let site = Site::new(&[&crawling, &events, &well], |generation| {
        generation.backends.edit().iter_mut().for_each(|backend| backend.priority = 1);
    });
    let live = site.world.live();
    for index in 0..3 {
        // All are equally near, or only the first that answers would be asked again.
        let cell = live.evidence.cell(BackendId::new(index)).unwrap();
        cell.observe_rtt(Duration::from_micros(10), live.evidence.now());
    }
    let mut open = Vec::new();
    for _ in 0..200 {
        open.push(site.client("GET /x HTTP/1.1\r\nhost: www.example.com\r\n\r\n").await);
    }
    // If both were late, neither would be left: most of its tier has to be prompt.
    patiently(async {
        while !live.evidence.is_down(BackendId::new(0)) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!live.evidence.is_down(BackendId::new(1)));
}
