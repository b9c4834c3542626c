//! From a socket to a served connection: accept, TLS, protocol.

use super::crew::Door;
use super::crowd::Crowd;
use super::introduction;
use super::shutdown::{Phase, Presence, Shutdown};
use super::{strain, tuning};
use crate::connection::{Connection, Places};
use crate::io::{Io, Wire};
use crate::room::Room;
use crate::secured::Secured;
use crate::worker::Worker;
use crate::{h1, h2};
use nearside_core::Host;
use nearside_core::generation::{ClientIp, ClientIpFrom, Generation, ListenerKind};
use nearside_telemetry::TlsVersion;
use nearside_tls::UNRECOGNIZED_NAME;
use rustls::ProtocolVersion;
use rustls::server::Acceptor;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::LazyConfigAcceptor;

/// How long nothing is accepted after descriptors or memory ran out.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a TLS handshake may take where no pool says otherwise.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Accepts until the service closes.
pub(super) async fn run(worker: Arc<Worker>, door: Door, shutdown: Shutdown) {
    let Door { listener, kind, client_ip, address, socket, cells, crowd } = door;
    let socket = match TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => return tracing::error!(error = &error as &dyn std::error::Error, "cannot accept"),
    };
    let hall = Hall { worker, listener, kind, client_ip, cells, crowd };
    let mut closing = pin!(shutdown.reached(Phase::Closing));
    let room = Room::of_this_process();
    let mut starved = false;
    loop {
        while hall.worker.is_strained() && shutdown.phase() < Phase::Closing {
            // The other workers accept from the same socket.
            tokio::time::sleep(strain::TICK).await;
        }
        let accepted = poll_fn(|cx| {
            if closing.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            socket.poll_accept(cx).map(Some)
        });
        match accepted.await {
            None => break,
            Some(Ok((stream, peer))) => {
                starved = false;
                let last = room.is_reached_by(&stream);
                hall.admit(stream, peer);
                while last && room.is_full(&socket) && shutdown.phase() < Phase::Closing {
                    hall.worker.starved();
                    tokio::time::sleep(PAUSE).await;
                }
            }
            Some(Err(cause)) if is_starved(&cause) => {
                hall.worker.starved();
                if !starved {
                    tracing::warn!(error = &cause as &dyn std::error::Error, "cannot accept for now");
                }
                starved = true;
                tokio::time::sleep(PAUSE).await;
            }
            // The client went away before it was accepted.
            Some(Err(_)) => {}
        }
    }
    if shutdown.is_left(address) {
        return;
    }
    // Clients that the kernel has let in already are served once more.
    poll_fn(|cx| {
        while let Poll::Ready(Ok((stream, peer))) = socket.poll_accept(cx) {
            hall.admit(stream, peer);
        }
        Poll::Ready(())
    })
    .await;
}

/// Whether accepting failed for want of something that will be free again.
fn is_starved(cause: &io::Error) -> bool {
    let starved = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    cause.raw_os_error().is_some_and(|code| starved.contains(&code))
}

/// Where connections of one listener come in.
struct Hall {
    worker: Arc<Worker>,
    listener: usize,
    kind: ListenerKind,
    client_ip: ClientIp,
    cells: Arc<nearside_telemetry::ListenerCells>,
    crowd: Arc<Crowd>,
}

impl Hall {
    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let mut presence = self.worker.presences.enter().counted(self.cells.opened());
        let Ok(local) = stream.local_addr() else { return };
        let peer = canonical(peer);
        let connection = Connection {
            peer,
            client: peer,
            address: peer.ip().to_string().into(),
            local: canonical(local),
            listener: self.listener,
            cells: Arc::clone(&self.cells),
            places: Places::default(),
            tls: None,
            sni: None,
        };
        let worker = Arc::clone(&self.worker);
        let trusted = self.client_ip.trusts(peer.ip());
        // One that speaks for many has no limit of its own.
        if !trusted && !invite(&worker, &self.crowd, &connection, &mut presence) {
            return;
        }
        if self.client_ip.from == ClientIpFrom::ProxyProtocol {
            let (kind, crowd) = (self.kind.clone(), trusted.then(|| Arc::clone(&self.crowd)));
            drop(tokio::spawn(introduced(worker, connection, stream, (presence, kind, crowd))));
        } else {
            welcome(worker, connection, stream, (presence, &self.kind));
        }
    }
}

/// Counts the connection as one of its client's, if it may be one more; whether it may.
fn invite(worker: &Worker, crowd: &Arc<Crowd>, connection: &Connection, presence: &mut Presence) -> bool {
    let limit = worker.edge.live.load().generation.limits.connections_per_address;
    match Crowd::enter(crowd, connection.client.ip(), limit) {
        Some(guest) => presence.invite(guest),
        None => {
            connection.cells.refused();
            return false;
        }
    }
    true
}

/// Serves a connection from a load balancer as the client's whom its header names. Any other peer is what it is, and
/// one that begins with such a header all the same is sent away.
async fn introduced(
    worker: Arc<Worker>,
    mut connection: Connection,
    mut stream: TcpStream,
    (mut presence, kind, trusted): (Presence, ListenerKind, Option<Arc<Crowd>>),
) {
    let limit = handshake_limit(&worker.edge.live.load().generation);
    let believed = if let Some(crowd) = trusted {
        match tokio::time::timeout(limit, introduction::read(&mut stream)).await {
            Ok(Ok(told)) => {
                let client = told.map_or(connection.peer, canonical);
                (connection.client, connection.address) = (client, client.ip().to_string().into());
                if told.is_some() && !invite(&worker, &crowd, &connection, &mut presence) {
                    return;
                }
                true
            }
            Ok(Err(_)) | Err(_) => false,
        }
    } else {
        matches!(tokio::time::timeout(limit, introduction::is_claimed(&stream)).await, Ok(false))
    };
    if believed {
        welcome(worker, connection, stream, (presence, &kind));
    } else {
        connection.cells.unbelieved();
    }
}

/// Serves a connection whose client is known, in a task that ends with the connection, which the presence counts.
fn welcome(
    worker: Arc<Worker>,
    mut connection: Connection,
    stream: TcpStream,
    (presence, kind): (Presence, &ListenerKind),
) {
    match *kind {
        ListenerKind::Plain | ListenerKind::RedirectHttps { .. } => {
            let io = Io::Plain(Wire::Tcp(stream));
            drop(tokio::spawn(h1::serve(worker, connection, io, presence)));
        }
        ListenerKind::Tls { h1: offers_h1, .. } => {
            let cells = Arc::clone(&connection.cells);
            let limit = worker.edge.live.load().generation.limits.handshakes_per_address;
            let handshake = presence.guest().map(|guest| guest.handshake(limit));
            if matches!(handshake, Some(None)) {
                return cells.refused();
            }
            drop(tokio::spawn(async move {
                let limit = handshake_limit(&worker.edge.live.load().generation);
                let secured = tokio::time::timeout(limit, secure(&worker, &mut connection, stream)).await;
                drop(handshake);
                match secured {
                    Ok(Some(io)) => serve(worker, connection, io, presence, offers_h1),
                    Ok(None) | Err(_) => cells.handshake_failed(),
                }
            }));
        }
    }
}

/// Serves the connection in a task of its own, which holds nothing of the handshake.
fn serve(worker: Arc<Worker>, connection: Connection, io: Io, presence: Presence, offers_h1: bool) {
    if io.alpn() == Some(b"h2") {
        tuning::share(&io);
        drop(tokio::spawn(h2::serve(worker, connection, io, presence)));
    } else if offers_h1 {
        drop(tokio::spawn(h1::serve(worker, connection, io, presence)));
    }
}

/// The TLS handshake, with the certificate that the hello asks for.
async fn secure(worker: &Worker, connection: &mut Connection, stream: TcpStream) -> Option<Io> {
    let mut hello = LazyConfigAcceptor::new(Acceptor::default(), Wire::Tcp(stream));
    let mut start = (&mut hello).await.ok()?;
    let config = {
        let live = worker.edge.live.load_full();
        let hello = start.client_hello();
        connection.sni = hello.server_name().and_then(Host::parse);
        // A name that is no host's could not be held against the hosts of requests.
        let named = connection.sni.is_some() || hello.server_name().is_none();
        live.certificates.config_for(&hello, connection.listener).filter(|_| named)
    };
    let Some(config) = config else {
        // Told why; whether the client listens is its business.
        drop(start.io.write_all(&UNRECOGNIZED_NAME).await);
        return None;
    };
    let secured = start.into_stream(config).await.ok()?;
    connection.tls = Some(match secured.get_ref().1.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => TlsVersion::V12,
        _ => TlsVersion::V13,
    });
    Some(Io::Tls(Box::new(Secured::new(secured))))
}

/// The longest that any pool waits for a head: before the head it is unknown which one it will be.
fn handshake_limit(generation: &Generation) -> Duration {
    generation.pools.iter().map(|pool| pool.timeouts.client_header).max().unwrap_or(HANDSHAKE)
}

/// An IPv4 client of an IPv6 socket is an IPv4 client.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_descriptors_is_told_from_a_client_that_left() {
        assert!(is_starved(&io::Error::from_raw_os_error(libc::EMFILE)));
        assert!(!is_starved(&io::Error::from_raw_os_error(libc::ECONNABORTED)));
    }

    #[test]
    fn an_ipv4_client_of_an_ipv6_socket_is_an_ipv4_client() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(canonical(address("[::ffff:192.0.2.1]:5")), address("192.0.2.1:5"));
        assert_eq!(canonical(address("[2001:db8::1]:5")), address("[2001:db8::1]:5"));
    }
}
