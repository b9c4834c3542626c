//! What clients send before and around TLS: hellos, names, protocols, sessions, certificates, records (RFC 8446, 6066, 7301).
//!
//! The edge of these cases has two certificates, listeners that ask clients for theirs, and two seconds for a handshake.

mod clients;
mod hello;
mod names;
mod offers;
mod records;
mod sessions;

use crate::setting::apart;
use nearside_tests::client::HOST;
use nearside_tests::edge::Setting;
use nearside_tests::raw::{self, Backend, Heard, PATIENCE};
use nearside_tests::{Authority, Edge};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};

/// The name of the second certificate.
const OTHER: &str = "other.example.net";

/// The edge, and what stands around it.
struct Stage {
    edge: &'static Edge,
    /// Clients need a certificate of `ours` here.
    closed: SocketAddr,
    /// And one of `theirs` here.
    foreign: SocketAddr,
    ours: Authority,
    theirs: Authority,
    backend: Backend,
}

fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| apart(set_up))
}

async fn set_up() -> Stage {
    let backend = Backend::start();
    let mut setting = Setting::new();
    let [ours, theirs] = ["ours", "theirs"].map(|name| {
        let folder = setting.folder().join(name);
        std::fs::create_dir(&folder).unwrap();
        Authority::new(&folder)
    });
    setting.certify("other.pem", &[OTHER]);
    let closed = setting.listen_as("tls: true, client_ca: ours/ca.pem");
    let foreign = setting.listen_as("tls: true, client_ca: theirs/ca.pem");
    let file = format!(
        "version: 1
fleet: {{ name: nearside-test }}
regions: {{ frankfurt: {{}} }}
defaults:
  probe: {{ interval: 1h }}
  timeouts: {{ client_header: 2s }}
pools:
  raw:
    connections: {{ proxy_protocol: v1 }}
    backends: [{{ id: raw, url: \"http://{}\", region: frankfurt }}]
routes:
  - {{ host: [{HOST}, \"*.shop.example.com\", localhost, {OTHER}], pool: raw }}
",
        backend.address
    );
    let edge = setting.run_for_good(&file).await;
    Stage { edge, closed, foreign, ours, theirs, backend }
}

impl Stage {
    /// What a client trusts, and which protocols it offers.
    fn config(&self, protocols: &[&[u8]]) -> ClientConfig {
        self.edge.door().tls(protocols)
    }
}

/// A client's connection with TLS.
type Secured = StreamOwned<ClientConnection, TcpStream>;

fn dial(address: SocketAddr) -> TcpStream {
    let stream = raw::connect(address);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A handshake that asks for `name`, done to its end.
fn shake(address: SocketAddr, config: impl Into<Arc<ClientConfig>>, name: &str) -> io::Result<Secured> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(config.into(), name).unwrap(), dial(address));
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// Asks for `/` of `host` over HTTP/1.1; the status.
fn ask(stream: &mut Secured, host: &str) -> io::Result<u16> {
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(io::ErrorKind::InvalidData.into())
}

fn port(stream: &TcpStream) -> u16 {
    stream.local_addr().unwrap().port()
}

/// How many whole requests came for a client whose connection has ended; one that is not whole fails the test.
fn arrived(port: u16) -> usize {
    stage().backend.all(port).iter().map(|heard: &Heard| heard.requests().unwrap().len()).sum()
}

/// A lawful client passes, so that what was refused before was not refused to everybody.
fn passes() {
    let stage = stage();
    let mut stream = shake(stage.edge.https, stage.config(&[b"http/1.1"]), HOST).unwrap();
    let port = port(&stream.sock);
    assert_eq!(ask(&mut stream, HOST).unwrap(), 200);
    drop(stream);
    assert_eq!(arrived(port), 1);
}

/// The first message of a client that asks for `name`.
fn hello(config: ClientConfig, name: &str) -> Vec<u8> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut bytes = Vec::new();
    ClientConnection::new(Arc::new(config), name).unwrap().write_tls(&mut bytes).unwrap();
    bytes
}

/// Sends these bytes and no more; the alert that is said in clear before the connection ends, if one is.
fn said(bytes: &[u8]) -> Option<u8> {
    let mut stream = dial(stage().edge.https);
    let port = port(&stream);
    // Whoever is cut off in the middle has its answer all the same.
    drop(stream.write_all(bytes));
    let alert = alert(&mut stream);
    drop(stream);
    assert_eq!(arrived(port), 0);
    alert
}

/// The last alert in clear before the end of the connection.
fn alert(stream: &mut TcpStream) -> Option<u8> {
    let mut got = Vec::new();
    if let Err(error) = stream.read_to_end(&mut got) {
        assert_ne!(error.kind(), io::ErrorKind::WouldBlock, "the connection does not end");
    }
    stream.shutdown(Shutdown::Both).unwrap_or_default();
    let (mut rest, mut alert) = (&got[..], None);
    while let [kind, 3, _, high, low, tail @ ..] = rest {
        let payload = tail.get(..usize::from(u16::from_be_bytes([*high, *low])))?;
        if let (21, [_, code]) = (*kind, payload) {
            alert = Some(*code);
        }
        rest = &tail[payload.len()..];
    }
    alert
}

/// The alerts by their names (RFC 8446, 6).
mod says {
    pub(super) const RECORD_OVERFLOW: u8 = 22;
    pub(super) const HANDSHAKE_FAILURE: u8 = 40;
    pub(super) const DECODE_ERROR: u8 = 50;
    pub(super) const PROTOCOL_VERSION: u8 = 70;
    pub(super) const UNRECOGNIZED_NAME: u8 = 112;
    pub(super) const NO_PROTOCOL: u8 = 120;
}
