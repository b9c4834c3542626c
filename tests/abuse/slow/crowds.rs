//! Crowds: one address has so many connections, and so many handshakes in progress; others have their own.

use super::{CONNECTIONS, GET, HANDSHAKES, hasty};
use nearside_tests::raw::{Client, PATIENCE};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

/// A connection from this address.
fn from(address: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(socket.connect(to)).unwrap().into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Whether a request on it is answered.
fn is_served(stream: &mut TcpStream) -> bool {
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    if stream.write_all(GET.as_bytes()).is_err() {
        return false;
    }
    while !answer.ends_with(b"\r\n\r\nok") {
        match stream.read(&mut piece) {
            Ok(count @ 1..) => answer.extend_from_slice(&piece[..count]),
            _ => return false,
        }
    }
    answer.starts_with(b"HTTP/1.1 200 ")
}

/// Whether it was closed as it came.
fn is_refused(stream: &mut TcpStream) -> bool {
    !matches!(stream.read(&mut [0]), Ok(1..))
}

#[test]
fn one_address_has_so_many_connections() {
    let to = hasty().plain;
    let mut held: Vec<TcpStream> = (0..CONNECTIONS).map(|_| from([127, 0, 0, 5], to)).collect();
    assert!(held.iter_mut().all(is_served));
    assert!(is_refused(&mut from([127, 0, 0, 5], to)), "it has one too many");
    assert!(is_served(&mut from([127, 0, 0, 6], to)), "another address has its own");
    assert!(is_served(&mut held[0]), "who was in stays in");
    held.pop();
    // It is noticed that one has gone.
    let again = (0..1000).any(|_| is_served(&mut from([127, 0, 0, 5], to)));
    assert!(again, "there is room again");
}

#[test]
fn one_address_has_so_many_handshakes_in_progress() {
    let to = hasty().edge.https;
    let mut held: Vec<TcpStream> = (0..HANDSHAKES).map(|_| from([127, 0, 0, 7], to)).collect();
    // They have begun, and say no more.
    held.iter_mut().for_each(|stream| stream.write_all(b"\x16\x03\x01").unwrap());
    assert!(is_refused(&mut from([127, 0, 0, 7], to)), "one too many");
    assert!(shakes(from([127, 0, 0, 8], to)), "another address has its own");
    assert!(is_served(&mut from([127, 0, 0, 7], hasty().plain)), "a connection without a handshake is none");
    // Those that do not end are ended by their deadline.
    assert!(held.iter_mut().all(|stream| !matches!(stream.read(&mut [0; 64]), Ok(64))));
    assert!(shakes(from([127, 0, 0, 7], to)), "there is room again");
}

/// Whether a handshake comes to its end.
fn shakes(mut stream: TcpStream) -> bool {
    let config = hasty().edge.authority.trusting(&[b"http/1.1"]);
    let name = rustls::pki_types::ServerName::try_from("www.example.com").unwrap();
    let mut session = rustls::ClientConnection::new(Arc::clone(&config), name).unwrap();
    while session.is_handshaking() {
        if session.complete_io(&mut stream).is_err() {
            return false;
        }
    }
    true
}

#[test]
fn who_was_refused_is_counted() {
    let to = hasty().plain;
    let held: Vec<TcpStream> = (0..CONNECTIONS).map(|_| from([127, 0, 0, 9], to)).collect();
    assert!(is_refused(&mut from([127, 0, 0, 9], to)));
    let (_, metrics) = hasty().edge.ask("/metrics").unwrap();
    let line = format!("nearside_connections_refused_total{{listener=\"{to}\"}} ");
    let count = metrics.lines().find_map(|metric| metric.strip_prefix(&line)).unwrap();
    assert!(count.parse::<u64>().unwrap() > 0);
    drop(held);
    let mut client = Client::to(to);
    client.send(GET.as_bytes());
    assert_eq!(client.answer("GET").unwrap().status(), 200);
}
