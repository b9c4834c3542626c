//! Backends that are told by the PROXY protocol for whom a connection is: what exactly they are told, and that no
//! connection carries two clients' requests.

use nearside_tests::edge::Setting;
use nearside_tests::{Edge, QUICK, client, tool};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The header's bytes of each connection, with the targets of the requests that came after it.
type Connections = Arc<Mutex<Vec<(Vec<u8>, Vec<String>)>>>;

/// A backend that writes down the very bytes with which connections begin, and answers over HTTP/1.1.
struct Recorder {
    address: SocketAddr,
    connections: Connections,
}

impl Recorder {
    async fn start(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let recorder = Self { address: listener.local_addr().unwrap(), connections: Arc::default() };
        let connections = Arc::clone(&recorder.connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, tls.clone(), Arc::clone(&connections)));
            }
        });
        recorder
    }

    /// The header and the targets of each connection that was made for a client.
    fn of_clients(&self) -> Vec<(Vec<u8>, Vec<String>)> {
        let connections = self.connections.lock().unwrap();
        let probed = |targets: &[String]| targets.iter().all(|target| target == "/healthz");
        connections.iter().filter(|(_, targets)| !probed(targets)).cloned().collect()
    }

    /// The distinct headers of connections on which only probes came.
    fn of_probes(&self) -> Vec<Vec<u8>> {
        let connections = self.connections.lock().unwrap();
        let probed =
            connections.iter().filter(|(_, targets)| targets.iter().any(|target| target == "/healthz"));
        let mut headers: Vec<_> = probed.map(|(header, _)| header.clone()).collect();
        headers.sort();
        headers.dedup();
        headers
    }
}

async fn serve(mut stream: TcpStream, tls: Option<TlsAcceptor>, connections: Connections) -> Option<()> {
    let header = header(&mut stream).await?;
    let index = {
        let mut connections = connections.lock().unwrap();
        connections.push((header, Vec::new()));
        connections.len() - 1
    };
    match tls {
        None => answer(stream, index, &connections).await,
        Some(tls) => answer(tls.accept(stream).await.ok()?, index, &connections).await,
    }
}

/// Reads to the header's end and not a byte further.
async fn header(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = vec![stream.read_u8().await.ok()?];
    let binary = bytes == b"\r";
    loop {
        let whole = if binary {
            let length = bytes.get(14..16).map(|two| usize::from(u16::from_be_bytes([two[0], two[1]])));
            length.is_some_and(|length| bytes.len() == 16 + length)
        } else {
            bytes.ends_with(b"\r\n")
        };
        if whole {
            return Some(bytes);
        }
        bytes.push(stream.read_u8().await.ok()?);
    }
}

async fn answer<S>(mut stream: S, index: usize, connections: &Connections) -> Option<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut head = Vec::new();
    loop {
        head.push(stream.read_u8().await.ok()?);
        if head.ends_with(b"\r\n\r\n") {
            let target = String::from_utf8_lossy(&head).split(' ').nth(1)?.to_owned();
            connections.lock().unwrap()[index].1.push(target);
            head.clear();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.ok()?;
            stream.flush().await.ok()?;
        }
    }
}

/// What the specification says that the header of a connection from `client` to `local` is.
fn expected(version: &str, client: SocketAddr, local: SocketAddr) -> Vec<u8> {
    if version == "v1" {
        let family = if client.is_ipv4() { "TCP4" } else { "TCP6" };
        let (from, to) = ((client.ip(), client.port()), (local.ip(), local.port()));
        return format!("PROXY {family} {} {} {} {}\r\n", from.0, to.0, from.1, to.1).into_bytes();
    }
    let octets = |address: SocketAddr| match address {
        SocketAddr::V4(four) => four.ip().octets().to_vec(),
        SocketAddr::V6(six) => six.ip().octets().to_vec(),
    };
    let family = if client.is_ipv4() { [0x11, 0, 12] } else { [0x21, 0, 36] };
    let ports = [client.port().to_be_bytes(), local.port().to_be_bytes()].concat();
    [b"\r\n\r\n\0\r\nQUIT\n\x21", &family[..], &octets(client), &octets(local), &ports].concat()
}

/// A client's connection over HTTP/1.1, which asks for one target after the other.
struct Visitor {
    stream: tokio_rustls::client::TlsStream<TcpStream>,
}

impl Visitor {
    async fn new(edge: &Edge, to: SocketAddr) -> Self {
        let config = edge.authority.trusting(&[b"http/1.1"]);
        Self { stream: client::connect(config, to, client::HOST).await.unwrap() }
    }

    fn address(&self) -> SocketAddr {
        self.stream.get_ref().0.local_addr().unwrap()
    }

    /// The status and the body.
    async fn get(&mut self, target: &str) -> (String, String) {
        let request = format!("GET {target} HTTP/1.1\r\nhost: {}\r\n\r\n", client::HOST);
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head.push(char::from(self.stream.read_u8().await.unwrap()));
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        self.stream.read_exact(&mut body).await.unwrap();
        (head.split(' ').nth(1).unwrap().to_owned(), String::from_utf8(body).unwrap())
    }
}

/// The part of a file for a pool and its route.
struct Part<'a> {
    name: &'a str,
    url: String,
    version: &'a str,
    protocol: &'a str,
}

fn file(parts: &[Part<'_>]) -> String {
    let mut text = format!("{QUICK}pools:\n");
    for Part { name, url, version, protocol } in parts {
        write!(
            text,
            "  {name}:\n    tls: {{ sni: backend.test, ca: ca.pem }}\n    \
             connections: {{ protocol: {protocol}, proxy_protocol: {version} }}\n    \
             backends: [{{ url: \"{url}\", region: frankfurt }}]\n"
        )
        .unwrap();
    }
    text.push_str("routes:\n");
    for Part { name, .. } in parts {
        writeln!(text, "  - {{ host: {}, path: /{name}/*, pool: {name} }}", client::HOST).unwrap();
    }
    text
}

fn acceptor(setting: &Setting) -> TlsAcceptor {
    use rustls::pki_types::pem::PemObject;
    let (certificate, key) = setting.authority.sign(&["backend.test"]);
    let chain = vec![rustls::pki_types::CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

#[tokio::test]
async fn each_connection_begins_with_its_clients_addresses_and_carries_no_other_client() {
    let mut setting = Setting::new();
    let six = setting.listen(([0, 0, 0, 0, 0, 0, 0, 1], nearside_tests::port()).into());
    let tls = acceptor(&setting);
    let recorders = [
        ("v1", "http", Recorder::start(None).await),
        ("v2", "http", Recorder::start(None).await),
        ("v1", "https", Recorder::start(Some(tls.clone())).await),
        ("v2", "https", Recorder::start(Some(tls)).await),
    ];
    let names: Vec<String> =
        recorders.iter().map(|(version, scheme, _)| format!("{version}{scheme}")).collect();
    let parts = recorders.iter().zip(&names).map(|((version, scheme, recorder), name)| Part {
        name,
        url: format!("{scheme}://{}", recorder.address),
        version,
        protocol: "auto",
    });
    let edge = setting.run(&file(&parts.collect::<Vec<_>>())).await;
    for ((version, _, recorder), name) in recorders.iter().zip(&names) {
        let mut visitors = Vec::new();
        for to in [edge.https, edge.https, six, six] {
            visitors.push((Visitor::new(&edge, to).await, to));
        }
        for round in 0..3 {
            for (number, (visitor, _)) in visitors.iter_mut().enumerate() {
                let (status, _) = visitor.get(&format!("/{name}/{number}?{round}")).await;
                assert_eq!(status, "200", "{name}");
            }
        }
        let seen = recorder.of_clients();
        assert_eq!(seen.len(), visitors.len(), "a kept connection is used again: {seen:?}");
        for (number, (visitor, to)) in visitors.iter().enumerate() {
            let targets: Vec<_> = (0..3).map(|round| format!("/{name}/{number}?{round}")).collect();
            let header = expected(version, visitor.address(), *to);
            assert!(seen.contains(&(header, targets)), "{name} {number}: {seen:?}");
        }
        let own: &[u8] =
            if *version == "v1" { b"PROXY UNKNOWN\r\n" } else { b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0" };
        nearside_tests::eventually("a probe", async || (recorder.of_probes() == [own]).then_some(())).await;
    }
}

/// An HAProxy under test.
pub(crate) struct Haproxy(Child);

impl Haproxy {
    /// Starts it with `text` as its file; `None`, said loudly, where it is missing.
    pub(crate) fn start(setting: &Setting, text: &str) -> Option<Self> {
        let file = setting.folder().join("haproxy.cfg");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new("haproxy");
        tool::spawn(command.arg("-db").arg("-f").arg(file).stdout(Stdio::null())).map(Self)
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// HAProxy's file: on each of the ports it expects the header, and answers with what it was told.
fn haproxy([clear, h2c, tls, h1]: [u16; 4], pair: &Path) -> String {
    format!(
        "defaults\n  mode http\n  timeout client 30s\n  timeout server 30s\n  timeout connect 5s\n\
         frontend all\n  bind 127.0.0.1:{clear} accept-proxy\n  bind 127.0.0.1:{h2c} accept-proxy proto h2\n  \
         bind 127.0.0.1:{tls} accept-proxy ssl crt {pair} alpn h2,http/1.1\n  \
         bind 127.0.0.1:{h1} accept-proxy ssl crt {pair}\n  http-request return status 200 content-type text/plain \
         lf-string \"%[src]:%[src_port] %[dst]:%[dst_port] %HV\"\n",
        pair = pair.display()
    )
}

#[tokio::test]
async fn haproxy_understands_what_it_is_told() {
    let setting = Setting::new();
    let (certificate, key) = setting.authority.sign(&["backend.test"]);
    let pair = setting.folder().join("backend.pem");
    std::fs::write(&pair, certificate + &key).unwrap();
    let ports = [(); 4].map(|()| nearside_tests::port());
    let [clear, h2c, tls, h1] = ports;
    let text = haproxy(ports, &pair);
    let Some(_haproxy) = Haproxy::start(&setting, &text) else { return };
    for port in ports {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        nearside_tests::eventually("haproxy", async || TcpStream::connect(address).await.ok()).await;
    }
    let kinds = [
        ("http", "auto", clear, "1.1"),
        ("http", "h2c", h2c, "2.0"),
        ("https", "auto", tls, "2.0"),
        ("https", "auto", h1, "1.1"),
    ];
    let mut cases = Vec::new();
    for version in ["v1", "v2"] {
        for (scheme, protocol, port, spoken) in kinds {
            cases.push((
                format!("{version}-{port}"),
                version,
                format!("{scheme}://127.0.0.1:{port}"),
                protocol,
                spoken,
            ));
        }
    }
    let parts = cases.iter().map(|(name, version, url, protocol, _)| Part {
        name,
        url: url.clone(),
        version,
        protocol,
    });
    let edge = setting.run(&file(&parts.collect::<Vec<_>>())).await;
    for (name, _, _, _, spoken) in &cases {
        let mut visitors = [Visitor::new(&edge, edge.https).await, Visitor::new(&edge, edge.https).await];
        for _ in 0..2 {
            for visitor in &mut visitors {
                let told = format!("{} {} HTTP/{spoken}", visitor.address(), edge.https);
                let said = visitor.get(&format!("/{name}/")).await;
                assert_eq!(said, ("200".to_owned(), told), "{name}");
            }
        }
        streams_share_where_clients_do_not(&edge, name).await;
    }
}

/// Streams of one client share a connection; another client's do not.
async fn streams_share_where_clients_do_not(edge: &Edge, name: &str) {
    let mut ends = Vec::new();
    for client in [client::reqwest(edge, true), client::reqwest(edge, true)] {
        let asked = (0..20).map(|_| client.get(client::url(edge, &format!("/{name}/"))).send());
        let mut from = Vec::new();
        for answer in futures_util::future::join_all(asked).await {
            let text = answer.unwrap().error_for_status().unwrap().text().await.unwrap();
            from.push(text.split(' ').next().unwrap().to_owned());
        }
        from.dedup();
        ends.push(from);
    }
    assert!(ends[0].len() == 1 && ends[1].len() == 1 && ends[0] != ends[1], "{name}: {ends:?}");
}
