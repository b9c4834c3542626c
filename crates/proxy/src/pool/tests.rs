//! What a worker's pools do with real connections.

use super::fixture::{OK, Sample, World, first};
use super::*;
use crate::prober::{ask, head};
use nearside_core::policy::{Probe, Protocol, ProxyProtocol};
use std::net::SocketAddr;
use tokio::sync::Semaphore;

/// To the only backend, for a client that all tests share.
pub(super) fn errand(afresh: bool) -> Errand {
    Errand { backend: first(), now: Instant::now(), afresh, tunnel: false, parties: client(1) }
}

/// The connection of a client at this port.
pub(super) fn client(port: u16) -> Parties {
    let [client, local] = [port, 443].map(|port| ([127, 0, 0, 1], port).into());
    Parties { client, local }
}

/// A connection of `worker` to the only backend.
pub(super) async fn checkout(world: &World, worker: &Arc<Worker>) -> Result<Checkout, ConnectError> {
    worker.pools.checkout(worker, &world.live(), errand(false)).await
}

/// Carries a whole exchange.
pub(super) async fn exchange(world: &World, checkout: &mut Checkout) {
    let live = world.live();
    let request = head(&Probe::default(), live.generation.backend(first()).unwrap()).unwrap();
    ask(&mut checkout.conn, &request, &Probe::default()).await.unwrap();
}

pub(super) fn give_back(world: &World, worker: &Arc<Worker>, checkout: Checkout) {
    worker.pools.give_back(worker, &world.live(), (first(), Instant::now()), checkout.conn);
}

/// Takes a connection, uses it and gives it back; whether it was used before.
pub(super) async fn round(world: &World, worker: &Arc<Worker>) -> bool {
    let mut taken = checkout(world, worker).await.unwrap();
    exchange(world, &mut taken).await;
    let reused = taken.reused;
    give_back(world, worker, taken);
    reused
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_whole_exchange_and_not_after_half_a_one() {
    let backend = Sample::h1(OK).await;
    let world = World::new(&[backend.address], |_| {});
    let worker = world.worker(0);
    assert!(!round(&world, &worker).await);
    assert!(round(&world, &worker).await);
    backend.has_accepted(1).await;
    let taken = checkout(&world, &worker).await.unwrap();
    drop(taken);
    assert!(!round(&world, &worker).await);
    backend.has_accepted(2).await;
    assert_eq!(world.live().evidence.cell(first()).unwrap().connections().now(), 1);
}

#[tokio::test]
async fn a_fresh_connection_is_made_where_one_is_asked_for() {
    let backend = Sample::h1(OK).await;
    let world = World::new(&[backend.address], |_| {});
    let worker = world.worker(0);
    round(&world, &worker).await;
    let fresh = worker.pools.checkout(&worker, &world.live(), errand(true)).await.unwrap();
    assert!(!fresh.reused);
    assert_eq!(fresh.conn.address(), Some(backend.address));
    backend.has_accepted(2).await;
}

#[tokio::test]
async fn a_handshake_tells_the_backends_round_trip() {
    let backend = Sample::h1(OK).await;
    let world = World::new(&[backend.address], |_| {});
    round(&world, &world.worker(0)).await;
    let cell = Arc::clone(world.live().evidence.cell(first()).unwrap());
    assert!(cell.state(world.live().evidence.now()).rtt_micros.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_tells_that_the_path_has_become_shorter() {
    let gate = Arc::new(Semaphore::new(1000));
    for (protocol, backend) in
        [(Protocol::H1, Sample::h1(OK).await), (Protocol::H2c, Sample::h2c(100, Arc::clone(&gate)).await)]
    {
        let world =
            World::new(&[backend.address], |generation| generation.pools[0].connections.protocol = protocol);
        let (live, worker) = (world.live(), world.worker(0));
        let cell = live.evidence.cell(first()).unwrap();
        let told = || cell.state(live.evidence.now()).rtt_micros.unwrap();
        round(&world, &worker).await;
        for _ in 0..20 {
            cell.observe_rtt(Duration::from_millis(80), live.evidence.now());
        }
        assert!(told() > 70_000);
        // A busy machine may make the first few unlike each other.
        for _ in 0..200 {
            round(&world, &worker).await;
            tokio::time::advance(Duration::from_secs(1)).await;
            worker.pools.sweep(&live);
            if told() < 20_000 {
                break;
            }
        }
        assert!(told() < 20_000, "{protocol:?}: {}", told());
        backend.has_accepted(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_a_second_before_the_backend_would() {
    let backend = Sample::h1("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nkeep-alive: timeout=5\r\n\r\n").await;
    let world = World::new(&[backend.address], |_| {});
    let worker = world.worker(0);
    round(&world, &worker).await;
    tokio::time::advance(Duration::from_millis(3900)).await;
    worker.pools.sweep(&world.live());
    let key = world.live().generation.backend(first()).unwrap().key.clone();
    assert_eq!(worker.pools.kept(), vec![Kept { backend: key, idle: 1, shared: 0 }]);
    tokio::time::advance(Duration::from_millis(200)).await;
    worker.pools.sweep(&world.live());
    assert_eq!(worker.pools.kept(), vec![]);
    backend.has_open(0).await;
}

#[tokio::test]
async fn beyond_max_a_request_waits_for_a_connection_and_beyond_max_pending_it_is_refused() {
    let backend = Sample::h1(OK).await;
    let world = World::new(&[backend.address], |generation| {
        let connections = &mut generation.pools[0].connections;
        (connections.max, connections.max_pending) = (1, 1);
    });
    let worker = world.worker(0);
    let mut only = checkout(&world, &worker).await.unwrap();
    let waiting = {
        let (live, worker) = (world.live(), Arc::clone(&worker));
        tokio::spawn(async move { worker.pools.checkout(&worker, &live, errand(false)).await })
    };
    tokio::task::yield_now().await;
    assert!(matches!(checkout(&world, &worker).await, Err(ConnectError::Overloaded)));
    exchange(&world, &mut only).await;
    give_back(&world, &worker, only);
    assert!(waiting.await.unwrap().unwrap().reused);
    backend.has_accepted(1).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_a_connection_may_take() {
    let backend = Sample::h1(OK).await;
    let world = World::new(&[backend.address], |generation| generation.pools[0].connections.max = 1);
    let worker = world.worker(0);
    let _only = checkout(&world, &worker).await.unwrap();
    let start = Instant::now();
    assert!(matches!(checkout(&world, &worker).await, Err(ConnectError::Overloaded)));
    assert_eq!(start.elapsed().as_secs(), 2);
}

#[tokio::test]
async fn at_the_limit_an_idle_connection_of_another_worker_is_taken_or_makes_room() {
    let backend = Sample::h1(OK).await;
    let world = World::new(&[backend.address], |generation| {
        let connections = &mut generation.pools[0].connections;
        (connections.max, connections.prewarm) = (1, 0);
    });
    let (one, other) = (world.worker(0), world.worker(1));
    round(&world, &one).await;
    assert!(round(&world, &other).await);
    backend.has_accepted(1).await;
    let fresh = one.pools.checkout(&one, &world.live(), errand(true)).await.unwrap();
    assert!(!fresh.reused);
    backend.has_accepted(2).await;
    backend.has_open(1).await;
}

#[tokio::test]
async fn a_connection_whose_key_is_gone_is_closed_and_one_whose_key_stays_is_kept() {
    let backend = Sample::h1(OK).await;
    let world = World::new(&[backend.address], |_| {});
    let worker = world.worker(0);
    round(&world, &worker).await;
    world.swap(|generation| generation.backends.edit()[0].weight = 1);
    assert!(round(&world, &worker).await);
    world.swap(|generation| generation.pools[0].connections.protocol = Protocol::H1);
    assert!(!round(&world, &worker).await);
    backend.has_open(1).await;
}

#[tokio::test]
async fn a_request_of_the_generation_before_leaves_nothing_that_does_not_fit_the_next() {
    let backend = Sample::h1(OK).await;
    let world = World::new(&[backend.address], |_| {});
    let worker = world.worker(0);
    let before = world.live();
    let mut old = worker.pools.checkout(&worker, &before, errand(false)).await.unwrap();
    world.swap(|generation| generation.pools[0].connections.protocol = Protocol::H1);
    round(&world, &worker).await;
    let older = worker.pools.checkout(&worker, &before, errand(false)).await.unwrap();
    assert!(!older.reused);
    exchange(&world, &mut old).await;
    worker.pools.give_back(&worker, &before, (first(), Instant::now()), old.conn);
    drop(older);
    backend.has_open(1).await;
    assert!(round(&world, &worker).await);
}

#[tokio::test]
async fn concurrent_requests_share_one_dial_and_one_connection_over_h2() {
    let backend = Sample::h2c(100, Arc::new(Semaphore::new(1000))).await;
    let world =
        World::new(&[backend.address], |generation| generation.pools[0].connections.protocol = Protocol::H2c);
    let worker = world.worker(0);
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (live, worker) = (world.live(), Arc::clone(&worker));
        all.spawn(async move { worker.pools.checkout(&worker, &live, errand(false)).await.unwrap() });
    }
    let mut taken = all.join_all().await;
    assert!(taken.iter().all(|checkout| checkout.conn.is_h2()));
    for checkout in &mut taken {
        exchange(&world, checkout).await;
    }
    backend.has_accepted(1).await;
}

#[tokio::test]
async fn a_second_h2_connection_is_made_when_the_streams_of_the_first_are_used_up() {
    let gate = Arc::new(Semaphore::new(1));
    let backend = Sample::h2c(1, Arc::clone(&gate)).await;
    let world =
        World::new(&[backend.address], |generation| generation.pools[0].connections.protocol = Protocol::H2c);
    let worker = world.worker(0);
    // After the first exchange the backend's limit is known.
    round(&world, &worker).await;
    let one = checkout(&world, &worker).await.unwrap();
    let two = checkout(&world, &worker).await.unwrap();
    assert!(one.reused && !two.reused);
    backend.has_accepted(2).await;
}

#[tokio::test]
async fn requests_that_wait_for_a_dial_share_its_failure() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let world = World::new(&[closed], |generation| generation.pools[0].connections.protocol = Protocol::H2c);
    let worker = world.worker(0);
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let (live, worker) = (world.live(), Arc::clone(&worker));
        all.spawn(async move { worker.pools.checkout(&worker, &live, errand(false)).await.map(drop) });
    }
    let failures = all.join_all().await;
    assert!(failures.iter().all(|failure| matches!(failure, Err(ConnectError::Refused(_)))));
}

/// A world whose only backend speaks TLS with certificates of `ours`, verified against its authority.
pub(super) fn over_tls(backend: &Sample, ours: &World) -> World {
    World::new(&[backend.address], |generation| {
        generation.backends.edit()[0].endpoint.tls = true;
        generation.pools[0].tls.sni = Some("localhost".into());
        generation.pools[0].tls.ca = Some(ours.authority());
    })
}

#[tokio::test]
async fn alpn_chooses_the_protocol_and_another_name_is_another_connection() {
    let ours = World::new(&[], |_| {});
    let backend = Sample::tls(&ours).await;
    let world = over_tls(&backend, &ours);
    let worker = world.worker(0);
    assert!(!round(&world, &worker).await);
    assert!(checkout(&world, &worker).await.unwrap().conn.is_h2());
    assert!(round(&world, &worker).await);
    world.swap(|generation| generation.pools[0].tls.sni = Some("www.example.com".into()));
    assert!(!round(&world, &worker).await);
    world.swap(|generation| generation.pools[0].connections.protocol = Protocol::H1);
    let taken = checkout(&world, &worker).await.unwrap();
    assert!(!taken.reused && !taken.conn.is_h2());
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_a_connect_failure() {
    let (ours, theirs) = (World::new(&[], |_| {}), World::new(&[], |_| {}));
    let backend = Sample::tls(&theirs).await;
    let world = over_tls(&backend, &ours);
    let failed = checkout(&world, &world.worker(0)).await;
    assert!(matches!(failed, Err(ConnectError::Tls(_))), "{failed:?}");
}

/// A backend's connection for the client at `port`, used once; whether it was used before.
async fn round_of(world: &World, worker: &Arc<Worker>, port: u16) -> bool {
    let errand = Errand { parties: client(port), ..errand(false) };
    let mut taken = worker.pools.checkout(worker, &world.live(), errand).await.unwrap();
    exchange(world, &mut taken).await;
    let reused = taken.reused;
    give_back(world, worker, taken);
    reused
}

#[tokio::test]
async fn a_connection_that_was_announced_for_one_client_is_used_by_no_other() {
    let gate = Arc::new(Semaphore::new(100));
    for (protocol, backend) in
        [(Protocol::H1, Sample::told(OK).await), (Protocol::H2c, Sample::told_h2c(gate).await)]
    {
        let world = World::new(&[backend.address], |generation| {
            generation.pools[0].connections.protocol = protocol;
            generation.pools[0].connections.proxy_protocol = Some(ProxyProtocol::V1);
        });
        let worker = world.worker(0);
        assert!(!round_of(&world, &worker, 1).await);
        assert!(!round_of(&world, &worker, 2).await);
        assert!(round_of(&world, &worker, 1).await);
        assert!(round_of(&world, &worker, 2).await);
        let later = world.swap(|generation| generation.backends.edit()[0].weight = 7);
        worker.pools.sweep(&later);
        assert!(round_of(&world, &worker, 1).await, "a change of weight is no change of connections");
        backend.has_accepted(2).await;
        worker.pools.left(client(1));
        backend.has_open(1).await;
        assert!(!round_of(&world, &worker, 1).await);
        let gone = world.swap(|generation| generation.pools[0].connections.proxy_protocol = None);
        worker.pools.sweep(&gone);
        worker.pools.close();
        backend.has_open(0).await;
    }
}

#[tokio::test]
async fn a_client_makes_room_where_others_keep_idle_connections() {
    let backend = Sample::told(OK).await;
    let world = World::new(&[backend.address], |generation| {
        generation.pools[0].connections.proxy_protocol = Some(ProxyProtocol::V2);
        generation.pools[0].connections.max = 1;
    });
    let worker = world.worker(0);
    assert!(!round_of(&world, &worker, 1).await);
    assert!(!round_of(&world, &worker, 2).await);
    backend.has_open(1).await;
}

/// Two answers to the question where a name is, and then the second again and again.
struct Moving(std::sync::Mutex<Vec<Vec<std::net::IpAddr>>>);

#[async_trait::async_trait]
impl nearside_health::Resolver for Moving {
    async fn resolve(&self, _host: &str) -> Result<nearside_health::Answer, nearside_health::Unresolved> {
        let mut answers = self.0.lock().unwrap();
        let addresses = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Ok(nearside_health::Answer { addresses, ttl: Duration::from_secs(30) })
    }
}

#[tokio::test]
async fn of_a_names_addresses_the_one_that_answers_is_used_and_a_new_answer_is_followed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.3:0").await.unwrap();
    let live = listener.local_addr().unwrap();
    let [dead, moved] =
        ["127.0.0.2", "127.0.0.4"].map(|ip| SocketAddr::new(ip.parse().unwrap(), live.port()));
    let world = World::new(&[live], |generation| {
        generation.backends.edit()[0].endpoint.host = "app.test".into();
        generation.pools[0].probe.interval = Duration::from_secs(3600);
    });
    let resolver = Arc::new(Moving(vec![vec![dead.ip(), live.ip()], vec![dead.ip(), moved.ip()]].into()));
    let prober = Arc::new(crate::prober::EdgeProber::new(Arc::clone(&world.edge)));
    let mut scheduler = nearside_health::Scheduler::new(prober, resolver, 1);
    scheduler.follow(&world.live().evidence);
    world.live().evidence.resolved().await;
    let worker = world.worker(0);
    let to = |checkout: Result<Checkout, ConnectError>| checkout.unwrap().conn.address().unwrap();
    assert_eq!(to(checkout(&world, &worker).await), live);
    let mut order = [dead, live];
    world.edge.memory.order(&mut order);
    assert_eq!(order, [live, dead], "the dead one is tried last from now on");
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(31)).await;
    tokio::time::resume();
    let _listener = tokio::net::TcpListener::bind(moved).await.unwrap();
    assert_eq!(to(checkout(&world, &worker).await), moved);
}
