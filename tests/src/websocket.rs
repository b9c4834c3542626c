//! WebSockets that we did not write: tungstenite's, as clients and as echoing backends, over HTTP/1.1 and over
//! extended CONNECT (RFC 8441) of the `h2` crate.

use crate::Edge;
use crate::client::{Door, HOST, connect};
use crate::duplex::{Duplex, Stream};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Request, Response, StatusCode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error, Message};

/// A WebSocket, whatever carries it.
pub type Socket = WebSocketStream<Box<dyn Duplex>>;

/// What an echoing backend speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Speaks {
    /// HTTP/1.1 alone.
    H1,
    /// HTTP/2 alone, with extended CONNECT.
    H2,
    /// HTTP/2 alone, without it.
    H2WithoutConnect,
    /// As ALPN chooses: HTTP/2 without extended CONNECT, or HTTP/1.1.
    Either,
}

/// A backend whose WebSockets say back what they hear. By path: `/close/CODE` closes with this code instead,
/// `/cut` drops the connection, `/ping` pings first, `/protocol` takes the first subprotocol that is offered.
pub struct Echo {
    /// Where it listens.
    pub address: SocketAddr,
    notes: Notes,
    task: AbortHandle,
}

type Notes = Arc<Mutex<Vec<String>>>;

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Echo {
    /// Starts it; with TLS where a certificate and its key are given.
    pub async fn start(speaks: Speaks, tls: Option<(String, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let acceptor = tls.map(|(certificate, key)| acceptor(speaks, &certificate, &key));
        let notes = Notes::default();
        let own = Arc::clone(&notes);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, acceptor.clone(), speaks, Arc::clone(&own)));
            }
        });
        Self { address, notes, task: task.abort_handle() }
    }

    /// How its WebSockets have ended, and which protocol carried them.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().expect("no test panics while it notes").clone()
    }
}

fn acceptor(speaks: Speaks, certificate: &str, key: &str) -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<_, _>>();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let mut config = config.with_single_cert(chain.expect("PEM"), key).expect("they belong together");
    let protocols: &[&[u8]] = match speaks {
        Speaks::H1 => &[b"http/1.1"],
        Speaks::H2 | Speaks::H2WithoutConnect => &[b"h2"],
        Speaks::Either => &[b"h2", b"http/1.1"],
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, speaks: Speaks, notes: Notes) {
    stream.set_nodelay(true).expect("it is open");
    let (stream, h2): (Box<dyn Duplex>, bool) = match tls {
        None => (Box::new(stream), matches!(speaks, Speaks::H2 | Speaks::H2WithoutConnect)),
        Some(tls) => {
            let Ok(stream) = tls.accept(stream).await else { return };
            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            (Box::new(stream), h2)
        }
    };
    if h2 { serve_h2(stream, speaks == Speaks::H2, notes).await } else { serve_h1(stream, notes).await }
}

/// What the echo has to know of a handshake.
struct Asked {
    path: String,
    protocol: Option<String>,
}

impl Asked {
    fn of<T>(request: &Request<T>) -> Self {
        let path = request.uri().path().to_owned();
        let offered = request.headers().get("sec-websocket-protocol");
        let first = offered.and_then(|value| value.to_str().ok()?.split(',').next());
        let protocol = first.filter(|_| path == "/protocol").map(|name| name.trim().to_owned());
        Self { path, protocol }
    }
}

async fn serve_h1(stream: Box<dyn Duplex>, notes: Notes) {
    let mut asked = None;
    #[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
    let callback = |request: &server::Request, mut response: server::Response| {
        let now = Asked::of(request);
        if let Some(protocol) = &now.protocol {
            response.headers_mut().insert("sec-websocket-protocol", protocol.parse().expect("a token"));
        }
        asked = Some(now);
        Ok(response)
    };
    let socket = tokio_tungstenite::accept_hdr_async(stream, callback).await;
    if let (Ok(socket), Some(asked)) = (socket, asked) {
        echo(socket, &asked.path, "h1", &notes).await;
    }
}

async fn serve_h2(stream: Box<dyn Duplex>, connect: bool, notes: Notes) {
    let mut builder = h2::server::Builder::new();
    if connect {
        builder.enable_connect_protocol();
    }
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    let mut streams = JoinSet::new();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let notes = Arc::clone(&notes);
        streams.spawn(async move {
            let asked = Asked::of(&request);
            let mut answer = Response::new(());
            let protocol = request.extensions().get::<h2::ext::Protocol>().map(|name| name.as_str());
            if protocol != Some("websocket") || request.headers().contains_key("sec-websocket-key") {
                *answer.status_mut() = StatusCode::BAD_REQUEST;
                drop(respond.send_response(answer, true));
                return;
            }
            if let Some(protocol) = &asked.protocol {
                answer.headers_mut().insert("sec-websocket-protocol", protocol.parse().expect("a token"));
            }
            let Ok(send) = respond.send_response(answer, false) else { return };
            let stream: Box<dyn Duplex> = Box::new(Stream::new(send, request.into_body()));
            let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
            echo(socket, &asked.path, "h2", &notes).await;
        });
    }
    // The streams' tasks end by themselves once the connection has gone.
    streams.join_all().await;
}

async fn echo(mut socket: Socket, path: &str, over: &str, notes: &Notes) {
    let ended = said_back(&mut socket, path).await;
    notes.lock().expect("no test panics while it notes").push(format!("{over} {path}: {ended}"));
}

/// Echoes to the end; how it ended.
async fn said_back(socket: &mut Socket, path: &str) -> String {
    if path == "/ping"
        && let Err(error) = socket.send(Message::Ping("are you there".into())).await
    {
        return error.to_string();
    }
    while let Some(message) = socket.next().await {
        let message = match message {
            Ok(Message::Close(frame)) => {
                let code = frame.map_or_else(|| "without a code".to_owned(), |frame| code(&frame));
                // The reply leaves while the end is waited for.
                while let Some(Ok(_)) = socket.next().await {}
                drop(socket.get_mut().shutdown().await);
                return format!("closed {code}");
            }
            // Tungstenite answers pings by itself.
            Ok(Message::Ping(_)) => continue,
            Ok(Message::Pong(payload)) if path == "/ping" => Message::Binary(payload),
            Ok(message) => message,
            Err(error) => return error.to_string(),
        };
        if path == "/cut" {
            return "cut".to_owned();
        }
        if let Some(code) = path.strip_prefix("/close/").and_then(|code| code.parse::<u16>().ok()) {
            let frame = CloseFrame { code: code.into(), reason: "as asked".into() };
            if let Err(error) = socket.close(Some(frame)).await {
                return error.to_string();
            }
            continue;
        }
        if let Err(error) = socket.send(message).await {
            return error.to_string();
        }
    }
    "ended".to_owned()
}

/// Code and reason of a Close.
#[must_use]
pub fn code(frame: &CloseFrame) -> String {
    format!("{} {}", u16::from(frame.code), frame.reason).trim_end().to_owned()
}

/// A handshake's answer without a WebSocket: its status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused(pub u16);

/// Opens a WebSocket through the edge, over HTTP/2 where `h2`; with the answer's fields.
///
/// # Errors
/// The status of an answer that grants none.
pub async fn open_with(
    edge: &Edge,
    h2: bool,
    path: &str,
    fields: &[(&'static str, &'static str)],
) -> Result<(Socket, Response<()>), Refused> {
    let door = edge.door();
    if h2 { open_h2(&door, path, fields).await } else { open_h1(&door, path, fields).await }
}

/// The same without fields.
///
/// # Errors
/// The status of an answer that grants none.
pub async fn open(edge: &Edge, h2: bool, path: &str) -> Result<Socket, Refused> {
    open_with(edge, h2, path, &[]).await.map(|(socket, _)| socket)
}

/// The same at any door, over HTTP/1.1.
///
/// # Errors
/// The status of an answer that grants none.
pub async fn open_at(door: &Door, path: &str) -> Result<Socket, Refused> {
    open_h1(door, path, &[]).await.map(|(socket, _)| socket)
}

async fn open_h1(
    door: &Door,
    path: &str,
    fields: &[(&'static str, &'static str)],
) -> Result<(Socket, Response<()>), Refused> {
    let config = Arc::new(door.tls(&[b"http/1.1"]));
    let stream: Box<dyn Duplex> = Box::new(connect(config, door.https, HOST).await.expect("it listens"));
    let mut request = Request::builder()
        .uri(format!("wss://{HOST}{path}"))
        .header("host", HOST)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    match tokio_tungstenite::client_async(request.body(()).expect("a request"), stream).await {
        Ok((socket, answer)) => Ok((socket, answer.map(|_| ()))),
        Err(Error::Http(answer)) => Err(Refused(answer.status().as_u16())),
        Err(error) => panic!("the handshake broke: {error}"),
    }
}

async fn open_h2(
    door: &Door,
    path: &str,
    fields: &[(&'static str, &'static str)],
) -> Result<(Socket, Response<()>), Refused> {
    let config = Arc::new(door.tls(&[b"h2"]));
    let stream = connect(config, door.https, HOST).await.expect("it listens");
    let (requests, connection) = h2::client::handshake(stream).await.expect("it speaks HTTP/2");
    tokio::spawn(connection);
    let mut requests = requests.ready().await.expect("there is room");
    crate::eventually("extended CONNECT in the edge's SETTINGS", async || {
        requests.is_extended_connect_protocol_enabled().then_some(())
    })
    .await;
    let mut request = Request::builder()
        .method("CONNECT")
        .uri(format!("https://{HOST}{path}"))
        .header("sec-websocket-version", "13")
        .extension(h2::ext::Protocol::from_static("websocket"));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let sent = requests.send_request(request.body(()).expect("a request"), false);
    let (answer, send) = sent.expect("there is room");
    let (head, receive) = answer.await.expect("an answer").into_parts();
    if head.status != StatusCode::OK {
        return Err(Refused(head.status.as_u16()));
    }
    let stream: Box<dyn Duplex> = Box::new(Stream::new(send, receive));
    let socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    Ok((socket, Response::from_parts(head, ())))
}

/// The next message, without waiting for ever.
pub async fn next(socket: &mut Socket) -> Result<Message, Error> {
    let next = tokio::time::timeout(std::time::Duration::from_secs(20), socket.next()).await;
    next.expect("nothing came for 20 s").unwrap_or(Err(Error::ConnectionClosed))
}

/// Reads to the end; how it ended: with which Close, or which error.
pub async fn ending(socket: &mut Socket) -> String {
    let mut ended = "without a close".to_owned();
    loop {
        match next(socket).await {
            Ok(Message::Close(Some(frame))) => ended = format!("closed {}", code(&frame)),
            Ok(Message::Close(None)) => ended = "closed without a code".to_owned(),
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return ended,
            Err(error) => return format!("{ended}, {error}"),
        }
    }
}
