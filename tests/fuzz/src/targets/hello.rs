//! What comes where a client hello belongs: it is answered in TLS, or the connection ends, and the next client is served.

use crate::edge::{send, site};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

pub(super) const WORDS: &[&[u8]] = &[
    b"\x16\x03\x01",
    b"\x16\x03\x03\x00\x05",
    b"\x14\x03\x03\x00\x01\x01",
    b"\x15\x03\x03\x00\x02\x02\x28",
    b"\x17\x03\x03",
    b"\x03\x03",
    b"\x00\x00\x00\x14\x00\x12\x00\x00\x0fwww.example.com",
    b"\x00\x10\x00\x0e\x00\x0c\x02h2\x08http/1.1",
    b"\x00\x2b\x00\x03\x02\x03\x04",
    b"\x00\x29",
    b"\x00\x33",
    b"\xff\xff",
    b"GET / HTTP/1.1\r\n\r\n",
];

/// Inputs between two clients that mean well.
const BETWEEN: usize = 50;

pub(super) fn attack(bytes: &[u8]) {
    let (answer, _) = send(site().tls(), bytes);
    let mut rest = answer.as_slice();
    while let [kind, major, _, high, low, tail @ ..] = rest {
        assert!(matches!(kind, 20..=23) && *major == 3, "no record of TLS: {}", answer.escape_ascii());
        let length = usize::from(*high) << 8 | usize::from(*low);
        rest = tail.get(length..).unwrap_or_else(|| panic!("a record is cut: {}", answer.escape_ascii()));
    }
    assert!(rest.is_empty(), "a record is cut: {}", answer.escape_ascii());
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    if COUNT.fetch_add(1, Ordering::Relaxed).is_multiple_of(BETWEEN) {
        served();
    }
}

/// A client that means well is served.
fn served() {
    static CONFIG: OnceLock<Arc<rustls::ClientConfig>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let door = nearside_tests::client::Door { https: site().tls(), authority: site().authority() };
        Arc::new(door.tls(&[b"http/1.1"]))
    });
    let name = "answer.example.com".try_into().expect("a name");
    let mut client = rustls::ClientConnection::new(Arc::clone(config), name).expect("a client");
    let mut socket = std::net::TcpStream::connect(site().tls()).expect("it listens");
    let mut stream = rustls::Stream::new(&mut client, &mut socket);
    let request = b"GET / HTTP/1.1\r\nhost: answer.example.com\r\nconnection: close\r\n\r\n";
    std::io::Write::write_all(&mut stream, request).expect("it reads");
    let mut answer = [0; 12];
    std::io::Read::read_exact(&mut stream, &mut answer).expect("it answers");
    assert_eq!(&answer, b"HTTP/1.1 200");
}
