//! What is ready before requests come, at backends that count.

use super::*;
use crate::pool::fixture::{OK, Sample, World, first, mark};
use crate::pool::tests::{checkout, client, errand, exchange, give_back, over_tls, round};
use crate::pool::{Errand, Kept};
use nearside_core::Generation;
use nearside_core::policy::{Protocol, ProxyProtocol};
use nearside_health::Fault;
use tokio::sync::Semaphore;

/// Closes what is over, as in another second.
async fn sweep(warmer: &Warmer) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
    let live = warmer.worker.edge.live.load_full();
    warmer.worker.pools.sweep(&live);
}

/// The same, and then looks at everything and waits until what is missing was made.
async fn second(warmer: &mut Warmer) {
    sweep(warmer).await;
    warmer.look(Of::All);
    warmer.finish().await;
}

/// A worker that has made ready what is to be.
async fn warm(world: &World, id: usize) -> Warmer {
    let mut warmer = Warmer::new(world.worker(id));
    warmer.look(Of::All);
    warmer.finish().await;
    warmer
}

fn idle(warmer: &Warmer) -> usize {
    warmer.worker.pools.kept().iter().map(|kept| kept.idle).sum()
}

fn shared(warmer: &Warmer) -> usize {
    warmer.worker.pools.kept().iter().map(|kept| kept.shared).sum()
}

fn speaking(protocol: Protocol) -> impl FnOnce(&mut Generation) {
    move |generation| generation.pools[0].connections.protocol = protocol
}

fn plenty() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(1000))
}

#[tokio::test]
async fn as_many_as_the_pool_says_are_ready_and_what_is_used_is_made_up_for() {
    let backend = Sample::h1(OK).await;
    let world = World::new(&[backend.address], |_| {});
    assert!(!world.edge.reserves.are_ready(&world.live()), "no worker has looked yet");
    let mut warmer = warm(&world, 0).await;
    assert!(world.edge.reserves.are_ready(&world.live()));
    backend.has_accepted(4).await;
    let worker = Arc::clone(&warmer.worker);
    let mut taken = checkout(&world, &worker).await.unwrap();
    assert!(taken.reused, "it waited for a request");
    exchange(&world, &mut taken).await;
    backend.has_accepted(4).await;
    second(&mut warmer).await;
    backend.has_accepted(5).await;
    give_back(&world, &worker, taken);
    assert_eq!((idle(&warmer), world.edge.reserves.idle(&key(&world))), (5, 5));
    second(&mut warmer).await;
    backend.has_accepted(5).await;
}

fn key(world: &World) -> BackendKey {
    world.live().generation.backend(first()).unwrap().key.clone()
}

#[tokio::test]
async fn what_is_ready_is_so_for_every_worker() {
    let backend = Sample::h1(OK).await;
    let world = World::new(&[backend.address], |_| {});
    let one = warm(&world, 0).await;
    let mut other = warm(&world, 1).await;
    assert_eq!((idle(&one), idle(&other)), (4, 0), "four are enough for all of them");
    for left in [3, 2, 1, 0] {
        let taken = checkout(&world, &other.worker).await.unwrap();
        assert!(taken.reused);
        assert_eq!(idle(&one), left);
        drop(taken);
    }
    backend.has_accepted(4).await;
    second(&mut other).await;
    assert_eq!(idle(&other), 4, "whoever looks first makes what is missing");
}

#[tokio::test]
async fn a_connection_that_has_moved_to_another_worker_outlives_its_first_one() {
    let ours = World::new(&[], |_| {});
    for backend in [Sample::h1(OK).await, Sample::tls(&ours).await] {
        let world = over_tls(&backend, &ours);
        world.swap(|generation| {
            generation.pools[0].connections.protocol = Protocol::H1;
            generation.backends.edit()[0].endpoint.tls = !backend.is_clear();
        });
        let world = Arc::new(world);
        let elsewhere = Arc::clone(&world);
        let first = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let warmer = runtime.block_on(warm(&elsewhere, 0));
            (runtime, warmer)
        });
        while !first.is_finished() {
            tokio::task::yield_now().await;
        }
        let (runtime, warmer) = first.join().unwrap();
        let worker = world.worker(1);
        let mut taken = checkout(&world, &worker).await.unwrap();
        assert!(taken.reused);
        runtime.shutdown_background();
        exchange(&world, &mut taken).await;
        give_back(&world, &worker, taken);
        assert!(round(&world, &worker).await);
        backend.has_accepted(4).await;
        drop(warmer);
    }
}

#[tokio::test]
async fn what_a_worker_has_used_just_now_is_left_to_it() {
    let backend = Sample::h1(OK).await;
    let world = World::new(&[backend.address], |_| {});
    let (one, other) = (world.worker(0), world.worker(1));
    round(&world, &one).await;
    assert!(!round(&world, &other).await);
    backend.has_accepted(2).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    let taken = checkout(&world, &one).await.unwrap();
    assert!(checkout(&world, &one).await.unwrap().reused, "the other has no use for its own of late");
    drop(taken);
    backend.has_accepted(2).await;
}

#[tokio::test]
async fn of_http2_one_connection_is_enough_until_its_streams_run_short() {
    let backend = Sample::h2c(4, plenty()).await;
    let world = World::new(&[backend.address], speaking(Protocol::H2c));
    let mut warmer = warm(&world, 0).await;
    let worker = Arc::clone(&warmer.worker);
    // After the first exchange the backend's limit is known.
    assert!(round(&world, &worker).await);
    let mut taken = Vec::new();
    for _ in 0..3 {
        taken.push(checkout(&world, &worker).await.unwrap());
        second(&mut warmer).await;
    }
    backend.has_accepted(1).await;
    taken.push(checkout(&world, &worker).await.unwrap());
    second(&mut warmer).await;
    backend.has_accepted(2).await;
    assert_eq!(shared(&warmer), 2);
}

#[tokio::test]
async fn alpn_tells_whether_one_is_enough() {
    for (h2, accepted) in [(true, 1), (false, 4)] {
        let ours = World::new(&[], |generation| {
            let client_ca = None;
            let kind = nearside_core::generation::ListenerKind::Tls { h2, h1: true, client_ca };
            generation.listeners[0].kind = kind;
        });
        let backend = Sample::tls(&ours).await;
        let world = over_tls(&backend, &ours);
        let mut warmer = warm(&world, 0).await;
        backend.has_accepted(accepted).await;
        second(&mut warmer).await;
        assert!(world.edge.reserves.are_ready(&world.live()));
        backend.has_accepted(accepted).await;
    }
}

#[tokio::test]
async fn a_worker_borrows_a_stream_and_is_given_a_connection_of_its_own() {
    let backend = Sample::h2c(100, plenty()).await;
    let world = World::new(&[backend.address], speaking(Protocol::H2c));
    let one = warm(&world, 0).await;
    let mut other = warm(&world, 1).await;
    assert!(round(&world, &other.worker).await, "the other worker's connection has room");
    assert_eq!((shared(&one), shared(&other)), (1, 0));
    second(&mut other).await;
    assert_eq!((shared(&one), shared(&other)), (1, 1));
    assert!(round(&world, &other.worker).await);
    second(&mut other).await;
    backend.has_accepted(2).await;
}

#[tokio::test]
async fn they_are_renewed_before_they_are_over() {
    for protocol in [Protocol::H1, Protocol::H2c] {
        let backend = match protocol {
            Protocol::H1 => Sample::h1(OK).await,
            _ => Sample::h2c(100, plenty()).await,
        };
        let world = World::new(&[backend.address], |generation| {
            generation.pools[0].connections.protocol = protocol;
            generation.pools[0].connections.keepalive = Duration::from_secs(12);
        });
        let mut warmer = warm(&world, 0).await;
        let least = if protocol == Protocol::H1 { 4 } else { 1 };
        for second in 0..30 {
            sweep(&warmer).await;
            let ready = idle(&warmer) + shared(&warmer);
            assert!((least..=2 * least).contains(&ready), "{ready} in second {second}, {protocol:?}");
            warmer.look(Of::All);
            warmer.finish().await;
            assert!(world.edge.reserves.are_ready(&world.live()));
        }
        assert!(backend.accepted() >= 3 * least, "{} in 30 s, {protocol:?}", backend.accepted());
    }
}

#[tokio::test]
async fn the_limit_holds_for_them_and_who_waits_is_served_first() {
    let backend = Sample::h1(OK).await;
    let world = World::new(&[backend.address], |generation| generation.pools[0].connections.max = 2);
    let mut warmer = warm(&world, 0).await;
    backend.has_accepted(2).await;
    assert!(world.edge.reserves.are_ready(&world.live()));
    let worker = Arc::clone(&warmer.worker);
    let held = [checkout(&world, &worker).await.unwrap(), checkout(&world, &worker).await.unwrap()];
    second(&mut warmer).await;
    backend.has_accepted(2).await;
    drop(held);
    second(&mut warmer).await;
    second(&mut warmer).await;
    backend.has_accepted(4).await;
    backend.has_open(2).await;
}

#[tokio::test]
async fn a_backend_that_cannot_be_reached_is_tried_less_and_less_and_at_once_when_it_is_marked_up() {
    let (ours, theirs) = (World::new(&[], |_| {}), World::new(&[], |_| {}));
    // Each try ends in the handshake, where the backend has counted it.
    let backend = Sample::tls(&theirs).await;
    let world = over_tls(&backend, &ours);
    let mut warmer = warm(&world, 0).await;
    backend.has_accepted(1).await;
    assert!(world.edge.reserves.are_ready(&world.live()), "nobody has to wait for what cannot be had");
    for _ in 0..14 {
        second(&mut warmer).await;
    }
    // At 0, 1, 3 and 7 s, a little earlier or later.
    let tried = backend.accepted();
    assert!((3..=6).contains(&tried), "{tried} tries in 15 s");
    warmer.look(Of::Risen(&key(&world)));
    warmer.finish().await;
    backend.has_accepted(tried + 1).await;
}

#[tokio::test]
async fn a_backend_that_closes_them_soon_is_given_few() {
    let backend = Sample::closing().await;
    let world = World::new(&[backend.address], |generation| generation.pools[0].connections.prewarm = 1);
    let mut warmer = warm(&world, 0).await;
    for _ in 0..30 {
        second(&mut warmer).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    assert!(backend.accepted() <= 8, "{} in 30 s", backend.accepted());
}

#[tokio::test]
async fn none_are_kept_while_descriptors_are_short() {
    let backend = Sample::h1(OK).await;
    let world = World::new(&[backend.address], |_| {});
    let mut warmer = Warmer { room: Room::none(), ..Warmer::new(world.worker(0)) };
    warmer.look(Of::All);
    warmer.finish().await;
    backend.has_open(0).await;
    assert_eq!((idle(&warmer), world.edge.reserves.are_ready(&world.live())), (0, true));
    second(&mut warmer).await;
    warmer.room = Room::of_this_process();
    second(&mut warmer).await;
    second(&mut warmer).await;
    backend.has_open(4).await;
}

#[tokio::test]
async fn none_are_made_by_a_worker_that_has_too_much_to_do() {
    let backend = Sample::h1(OK).await;
    let world = World::new(&[backend.address], |_| {});
    let mut warmer = Warmer::new(world.worker(0));
    warmer.worker.strain(true);
    second(&mut warmer).await;
    assert_eq!(backend.accepted(), 0);
    warmer.worker.strain(false);
    second(&mut warmer).await;
    backend.has_accepted(4).await;
}

#[tokio::test]
async fn none_are_made_where_no_request_may_go() {
    let changes: [fn(&mut Generation); 6] = [
        |generation| generation.pools[0].connections.prewarm = 0,
        |generation| generation.pools[0].connections.keepalive = Duration::ZERO,
        |generation| generation.pools[0].connections.proxy_protocol = Some(ProxyProtocol::V1),
        |generation| generation.regions[0].drain = Some(mark()),
        |generation| generation.backends.edit()[0].drain = Some(mark()),
        |generation| generation.backends.edit()[0].weight = 0,
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let backend = Sample::h1(OK).await;
        let world = World::new(&[backend.address], change);
        let warmer = warm(&world, 0).await;
        assert_eq!(warmer.worker.pools.kept(), Vec::<Kept>::new(), "case {index}");
        assert!(world.edge.reserves.are_ready(&world.live()), "case {index}");
        assert_eq!(backend.accepted(), 0, "case {index}");
    }
}

#[tokio::test]
async fn none_are_made_to_a_backend_that_is_ejected_and_they_are_when_it_is_back() {
    let [bad, good] = [Sample::h1(OK).await, Sample::h1(OK).await];
    let world = World::new(&[bad.address, good.address], |_| {});
    let live = world.live();
    (0..5).for_each(|_| live.evidence.failed(first(), Fault::Reset));
    let mut warmer = warm(&world, 0).await;
    good.has_accepted(4).await;
    assert_eq!(bad.accepted(), 0);
    for _ in 0..11 {
        second(&mut warmer).await;
    }
    bad.has_accepted(4).await;
}

#[tokio::test]
async fn a_drained_backend_is_left_and_one_that_is_taken_back_is_made_ready() {
    let backend = Sample::h1(OK).await;
    let world = World::new(&[backend.address], |_| {});
    let mut warmer = warm(&world, 0).await;
    let worker = Arc::clone(&warmer.worker);
    world.swap(|generation| generation.regions[0].drain = Some(mark()));
    drop(checkout(&world, &worker).await.unwrap());
    second(&mut warmer).await;
    backend.has_accepted(4).await;
    world.swap(|generation| generation.regions[0].drain = None);
    second(&mut warmer).await;
    backend.has_accepted(5).await;
}

#[tokio::test]
async fn before_a_drain_ends_connections_are_there() {
    let ours = World::new(&[], |generation| {
        let kind = nearside_core::generation::ListenerKind::Tls { h2: false, h1: true, client_ca: None };
        generation.listeners[0].kind = kind;
    });
    let backend = Sample::tls(&ours).await;
    let world = over_tls(&backend, &ours);
    world.swap(|generation| generation.regions[0].drain = Some(mark()));
    let keeping = tokio::spawn(keep(world.worker(0)));
    // The worker has begun to look after its pools.
    while world.edge.reserves.find(&key(&world)).is_none() {
        tokio::task::yield_now().await;
    }
    let next = world.next(|generation| generation.regions[0].drain = None);
    revive(&world.edge, &next).await;
    // One that tells how many are wanted, and the others.
    assert_eq!((world.edge.reserves.idle(&key(&world)), backend.accepted()), (4, 4));
    world.edge.live.store(next);
    assert!(checkout(&world, &world.worker(1)).await.unwrap().reused);
    keeping.abort();
}

#[tokio::test]
async fn a_new_connection_resumes_a_session_that_another_worker_began() {
    let ours = World::new(&[], |_| {});
    let backend = Sample::tls(&ours).await;
    let world = over_tls(&backend, &ours);
    world.swap(|generation| {
        generation.pools[0].connections.protocol = Protocol::H1;
        generation.pools[0].connections.prewarm = 1;
    });
    let mut warmer = warm(&world, 0).await;
    backend.has_accepted(1).await;
    // Tickets come after the handshake, and are read when the connection is looked at.
    while backend.resumed() == 0 {
        second(&mut warmer).await;
        let other = world.worker(1);
        let errand = Errand { parties: client(9), ..errand(true) };
        let mut fresh = other.pools.checkout(&other, &world.live(), errand).await.unwrap();
        exchange(&world, &mut fresh).await;
        assert!(backend.accepted() < 50, "no session is ever resumed");
    }
}
