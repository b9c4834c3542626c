//! What the service does with real clients on real sockets.

use super::*;
use crate::congestion::{self, chosen};
use crate::pool::fixture::{OK, Sample, World};
use nearside_core::generation::ListenerKind;
use pingora_core::services::Service;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use socket2::SockRef;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: www.example.com\r\n\r\n";

const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// A world with a TLS and a plain listener, served.
fn serve(world: &World) -> Running {
    start(&world.edge, &world.live().generation.listeners, TWO).unwrap()
}

fn world(backend: &Sample, change: impl FnOnce(&mut nearside_core::Generation)) -> World {
    World::new(&[backend.address], |generation| {
        let plain = Listener::new(SocketAddr::from(([127, 0, 0, 1], 0)), ListenerKind::Plain);
        generation.listeners = generation.listeners.iter().cloned().chain([plain]).collect();
        change(generation);
    })
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

async fn get(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    stream.write_all(GET).await.unwrap();
    stream.flush().await.unwrap();
    read_head(stream).await
}

async fn secure(
    world: &World,
    to: SocketAddr,
    name: &'static str,
    alpn: &[u8],
) -> io::Result<client::TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(world.authority()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(to).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name).unwrap(), stream).await
}

#[tokio::test]
async fn requests_travel_from_every_kind_of_listener_to_the_backend() {
    let backend = Sample::h1(OK).await;
    let world = world(&backend, |_| {});
    let mut running = serve(&world);
    let [tls, plain] = running.addresses() else { panic!() };
    let mut client = TcpStream::connect(plain).await.unwrap();
    assert!(get(&mut client).await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(get(&mut client).await.starts_with("HTTP/1.1 200 OK\r\n"));
    let mut client = secure(&world, *tls, "www.example.com", b"http/1.1").await.unwrap();
    assert!(get(&mut client).await.starts_with("HTTP/1.1 200 OK\r\n"));
    let client = secure(&world, *tls, "www.example.com", b"h2").await.unwrap();
    let (requests, connection) = ::h2::client::handshake(client).await.unwrap();
    let driving = tokio::spawn(connection);
    let request = http::Request::get("https://www.example.com/").body(()).unwrap();
    let (answer, _) = requests.ready().await.unwrap().send_request(request, true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
    running.shutdown().await;
    drop(driving.await);
}

#[tokio::test]
async fn a_name_without_a_certificate_is_refused_in_the_handshake() {
    let backend = Sample::h1(OK).await;
    let world = world(&backend, |_| {});
    let running = serve(&world);
    let refused = secure(&world, running.addresses()[0], "other.example", b"http/1.1").await;
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("UnrecognisedName"), "{text}");
}

#[tokio::test]
async fn a_client_that_says_nothing_is_not_waited_for() {
    let backend = Sample::h1(OK).await;
    let world = world(&backend, |generation| {
        generation.pools[0].timeouts.client_header = Duration::from_millis(50);
    });
    let running = serve(&world);
    for address in running.addresses() {
        let mut silent = TcpStream::connect(address).await.unwrap();
        assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn at_the_end_idle_connections_close_and_nobody_listens() {
    let backend = Sample::h1(OK).await;
    let world = world(&backend, |_| {});
    let mut running = serve(&world);
    let plain = running.addresses()[1];
    let mut idle = TcpStream::connect(plain).await.unwrap();
    get(&mut idle).await;
    let start = Instant::now();
    running.shutdown().await;
    assert!(start.elapsed() < Duration::from_secs(4), "the deadline was waited for");
    assert_eq!(running.phases().phase(), Phase::Ended);
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(TcpStream::connect(plain).await.is_err());
}

#[tokio::test]
async fn what_is_in_flight_at_the_end_is_answered_and_its_connection_closed() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let backend = Sample::h2c(10, Arc::clone(&gate)).await;
    let world = world(&backend, |generation| {
        generation.pools[0].connections.protocol = nearside_core::policy::Protocol::H2c;
        // The only connection is the request's.
        generation.pools[0].connections.prewarm = 0;
    });
    let mut running = serve(&world);
    let mut client = TcpStream::connect(running.addresses()[1]).await.unwrap();
    client.write_all(GET).await.unwrap();
    backend.has_open(1).await;
    let phases = running.phases().clone();
    let ending = tokio::spawn(async move { running.shutdown().await });
    phases.reached(Phase::Closing).await;
    gate.add_permits(1);
    let head = read_head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
    drop(client);
    ending.await.unwrap();
}

#[tokio::test]
async fn what_has_no_answer_at_the_deadline_gets_one_that_says_so() {
    let backend = Sample::silent().await;
    let world = world(&backend, |generation| {
        generation.shutdown.deadline = Duration::from_millis(50);
        // The only connection is the request's.
        generation.pools[0].connections.prewarm = 0;
    });
    let mut running = serve(&world);
    let mut client = TcpStream::connect(running.addresses()[1]).await.unwrap();
    client.write_all(GET).await.unwrap();
    backend.has_open(1).await;
    running.shutdown().await;
    let head = read_head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 504 ") && head.contains("connection: close"), "{head}");
}

/// A service of its own on a plain listener, whose socket was bound before.
struct Handed {
    address: SocketAddr,
    /// The predecessor's own hold on the socket.
    socket: TcpListener,
    service: EdgeService,
    stop: tokio::sync::watch::Sender<bool>,
    told: tokio::sync::watch::Receiver<bool>,
}

fn handed(world: &World) -> Handed {
    let address = world.live().generation.listeners[0].bind;
    let socket = TcpListener::bind(address).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut service = EdgeService::new(Arc::clone(&world.edge), Some(TWO), Shutdown::default());
    service.bind(vec![(address, socket.try_clone().unwrap())]).unwrap();
    let (stop, told) = tokio::sync::watch::channel(false);
    Handed { address, socket, service, stop, told }
}

/// A world with one plain listener on a port that was free just now.
fn plain_world(backend: &Sample) -> World {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    World::new(&[backend.address], |generation| {
        generation.listeners = Box::new([Listener::new(free, ListenerKind::Plain)]);
    })
}

#[tokio::test]
async fn a_socket_that_a_predecessor_hands_over_is_served_once_the_service_opens() {
    let backend = Sample::h1(OK).await;
    let Handed { address, socket, mut service, stop, told } = handed(&plain_world(&backend));
    drop(socket);
    let (open, opening) = oneshot::channel();
    service.open_on(opening);
    let (shared, pulse) = (service.sockets(), service.pulse());
    assert_eq!(shared.share().unwrap()[0].0, address);
    let phases = service.shutdown.clone();
    let serving = tokio::spawn(async move { service.start_service(None, told, 1).await });
    // The kernel lets the client in, and nobody takes it up.
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(GET).await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(phases.phase(), Phase::Starting);
    open.send(()).unwrap();
    assert!(read_head(&mut client).await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(phases.phase(), Phase::Running);
    assert!(pulse.beats(Duration::from_secs(20)).await);
    stop.send(true).unwrap();
    serving.await.unwrap();
    assert!(pulse.beats(Duration::ZERO).await, "who has ended in order is not asked");
    assert!(shared.share().unwrap().is_empty());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn who_is_left_to_a_successor_is_not_turned_away() {
    let backend = Sample::h1(OK).await;
    let Handed { address, socket, mut service, stop: _stop, told } = handed(&plain_world(&backend));
    let phases = service.shutdown.clone();
    let serving = tokio::spawn(async move { service.start_service(None, told, 1).await });
    let (mut kept, mut idle) =
        (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
    get(&mut kept).await;
    get(&mut idle).await;
    phases.hand_over(vec![address]);
    // The kept connection is served once more, and told to go.
    let last = get(&mut kept).await;
    assert!(last.starts_with("HTTP/1.1 200 OK\r\n") && last.contains("connection: close"), "{last}");
    assert_eq!(kept.read(&mut [0; 1]).await.unwrap(), 0);
    // Who connects now waits for the successor.
    let newcomer = TcpStream::connect(address).await.unwrap();
    let (_, from) = tokio::net::TcpListener::from_std(socket).unwrap().accept().await.unwrap();
    assert_eq!(from, newcomer.local_addr().unwrap());
    assert!(!serving.is_finished(), "the idle connection was cut");
    drop(idle);
    serving.await.unwrap();
}

#[tokio::test]
async fn during_the_delay_connections_are_accepted_and_answers_say_that_they_are_the_last() {
    let backend = Sample::h1(OK).await;
    let world = world(&backend, |generation| generation.shutdown.delay = Duration::from_secs(3600));
    let mut running = serve(&world);
    let plain = running.addresses()[1];
    let mut idle = TcpStream::connect(plain).await.unwrap();
    assert!(!get(&mut idle).await.contains("connection: close"));
    let phases = running.phases().clone();
    let ending = tokio::spawn(async move { running.shutdown().await });
    phases.reached(Phase::Draining).await;
    let mut late = TcpStream::connect(plain).await.unwrap();
    // The workers are told a moment after the phase has changed.
    while !get(&mut late).await.contains("connection: close") {}
    assert!(get(&mut idle).await.contains("connection: close"), "it was closed before its answer");
    assert_eq!(phases.phase(), Phase::Draining);
    phases.advance(Phase::Closing);
    ending.await.unwrap();
}

#[tokio::test]
async fn an_address_in_use_is_found_before_serving_begins() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let world = World::new(&[], |generation| {
        generation.listeners = Box::new([Listener::new(address, ListenerKind::Plain)]);
    });
    let mut service = EdgeService::new(Arc::clone(&world.edge), None, Shutdown::default());
    assert_eq!(service.bind(Vec::new()).unwrap_err().address, address);
}

/// The other end of a client's connection, among the sockets of this process.
fn other_end(client: &TcpStream) -> OwnedFd {
    let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let numbers = std::fs::read_dir("/proc/self/fd").unwrap();
    let numbers = numbers.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let mut sockets = numbers.filter_map(|number| pidfd_getfd(&own, number, PidfdGetfdFlags::empty()).ok());
    let from = client.local_addr().unwrap();
    let is_other =
        |socket: &OwnedFd| SockRef::from(socket).peer_addr().is_ok_and(|peer| peer.as_socket() == Some(from));
    sockets.find(is_other).unwrap()
}

#[tokio::test]
async fn clients_are_sent_to_without_delay_by_bbr_and_no_stream_waits_behind_much_of_another() {
    let backend = Sample::h1(OK).await;
    let world = world(&backend, |_| {});
    let running = serve(&world);
    let [tls, plain] = running.addresses() else { panic!() };
    let mut h1 = TcpStream::connect(plain).await.unwrap();
    get(&mut h1).await;
    let h2 = secure(&world, *tls, "www.example.com", b"h2").await.unwrap();
    let other = other_end(h2.get_ref().0);
    let (requests, connection) = ::h2::client::handshake(h2).await.unwrap();
    drop(tokio::spawn(connection));
    let request = http::Request::get("https://www.example.com/").body(()).unwrap();
    let (answer, _) = requests.ready().await.unwrap().send_request(request, true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);

    // Where the kernel has it, and lets us choose it.
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    let before = chosen(&(&own).into());
    let expected = congestion::choose(&(&own).into()).map_or(before, |()| "bbr".to_owned());
    for (socket, unsent) in [(other_end(&h1), 0), (other, tuning::UNSENT)] {
        let socket = SockRef::from(&socket);
        assert!(socket.tcp_nodelay().unwrap());
        assert_eq!(chosen(&socket), expected);
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), unsent);
    }
}
