//! Slow peers, and too many of them: what is waited for, how long, and how much is held for it meanwhile.

mod bodies;
mod crowds;
mod heads;
mod overload;

use nearside_tests::edge::Setting;
use nearside_tests::raw::{Backend, Client};
use nearside_tests::{Edge, QUICK};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

/// An edge that waits for nobody for long.
struct Hasty {
    edge: &'static Edge,
    plain: SocketAddr,
    backend: Backend,
}

/// How many connections of one address it takes, and how many handshakes at one time.
const CONNECTIONS: usize = 20;
const HANDSHAKES: usize = 5;

fn hasty() -> &'static Hasty {
    static HASTY: OnceLock<Hasty> = OnceLock::new();
    HASTY.get_or_init(|| std::thread::spawn(set_up).join().unwrap())
}

fn set_up() -> Hasty {
    let backend = Backend::start();
    let mut setting = Setting::new();
    let plain = setting.listen_plain();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let edge = runtime.block_on(setting.run_for_good(&file(&backend)));
    Hasty { edge, plain, backend }
}

fn file(backend: &Backend) -> String {
    let quick = QUICK.replace("path: /healthz", "protocol: tcp");
    format!(
        "{quick}  timeouts: {{ client_header: 2s, client_idle: 3s, body_idle: 4s, body_rate: 1000, body_grace: 2s, response: 3s }}
pools:
  raw:
    connections: {{ proxy_protocol: v1 }}
    backends: [{{ id: raw, url: \"http://{}\", region: frankfurt }}]
routes: [{{ host: www.example.com, pool: raw }}]
limits: {{ connections_per_address: {CONNECTIONS}, handshakes_per_address: {HANDSHAKES} }}
",
        backend.address
    )
}

/// Sends this piece by piece, with a pause before each, until the edge has something to say or has ended the connection;
/// how many pieces were sent.
fn trickle(client: &mut Client, pieces: impl Iterator<Item = Vec<u8>>) -> usize {
    let mut sent = 0;
    for piece in pieces {
        client.stream().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        match client.stream().peek(&mut [0]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Ok(_) | Err(_) => break,
        }
        client.send(&piece);
        sent += 1;
    }
    client.stream().set_read_timeout(Some(nearside_tests::raw::PATIENCE)).unwrap();
    sent
}

/// The bytes of it one by one.
fn bytes(text: &str) -> impl Iterator<Item = Vec<u8>> {
    text.as_bytes().iter().map(|byte| vec![*byte])
}

const GET: &str = "GET /a HTTP/1.1\r\nHost: www.example.com\r\n\r\n";

/// A lawful request is answered.
fn passes() {
    let mut client = Client::to(hasty().plain);
    client.send(GET.as_bytes());
    assert_eq!(client.answer("GET").unwrap().status(), 200);
}
