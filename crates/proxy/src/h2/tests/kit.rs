//! Sockets, frames and streams for the tests.

use crate::h2::Stream;
use crate::h2::serve::run;
use crate::h2::tests::site::Site;
use crate::io::Readable;
use crate::service::Presences;
use crate::side::{Fill, Length, Sink, Source};
use ::h2::client::SendRequest;
use bytes::{Buf, Bytes, BytesMut};
use http::Request;
use nearside_http::h2::kind;
use nearside_http::{Edits, Limits, RequestHead, ResponseHead, request};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(super) const END_STREAM: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
pub(super) const ACK: u8 = 0x1;

pub(super) async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let (near, far) = (near.unwrap(), far.unwrap().0);
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    (near, far)
}

/// Counts the writes that reach the socket.
pub(super) struct Counting {
    pub(super) io: TcpStream,
    pub(super) writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl Readable for Counting {}

impl Readable for DuplexStream {}

impl AsyncWrite for Counting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// An edge that serves one connection.
pub(super) struct Edge {
    pub(super) site: Arc<Site>,
    pub(super) presences: Arc<Presences>,
    pub(super) writes: Arc<AtomicUsize>,
    pub(super) task: JoinHandle<()>,
}

pub(super) async fn edge() -> (TcpStream, Edge) {
    let (client, io) = pair().await;
    let (site, presences, writes) = (Arc::<Site>::default(), Arc::<Presences>::default(), Arc::default());
    let io = Counting { io, writes: Arc::clone(&writes) };
    let task = tokio::spawn(run(Arc::clone(&site), io, Arc::default(), presences.enter()));
    (client, Edge { site, presences, writes, task })
}

/// The edge and a client of the `h2` crate.
pub(super) async fn client() -> (SendRequest<Bytes>, Edge) {
    let (io, edge) = edge().await;
    let (requests, connection) = ::h2::client::handshake(io).await.unwrap();
    tokio::spawn(connection);
    (requests, edge)
}

pub(super) fn get(path: &str) -> Request<()> {
    Request::builder().uri(format!("http://www.example.com{path}")).body(()).unwrap()
}

pub(super) fn post(path: &str) -> Request<()> {
    Request::builder().method("POST").uri(format!("http://www.example.com{path}")).body(()).unwrap()
}

/// Reads a body to its end.
pub(super) async fn body_of(mut body: ::h2::RecvStream) -> Result<Vec<u8>, ::h2::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Sends a body as fast as the windows allow.
pub(super) async fn send_all(body: &mut ::h2::SendStream<Bytes>, mut data: Bytes) -> Result<(), ::h2::Error> {
    while data.has_remaining() {
        body.reserve_capacity(data.len());
        let room = poll_fn(|cx| body.poll_capacity(cx)).await.unwrap()?;
        body.send_data(data.split_to(room.min(data.len())), false)?;
    }
    body.send_data(Bytes::new(), true)
}

/// Writes all of `data` to a sink and flushes it.
pub(super) async fn write<S: Sink + Unpin>(sink: &mut S, mut data: &[u8]) -> Result<(), S::Error> {
    while !data.is_empty() {
        let count = poll_fn(|cx| sink.poll_write(cx, data)).await?;
        data = &data[count..];
    }
    poll_fn(|cx| sink.poll_flush(cx)).await
}

/// Reads a source to its end.
pub(super) async fn read<S: Source + Unpin>(source: &mut S) -> Result<Vec<u8>, S::Error> {
    let mut bytes = Vec::new();
    while poll_fn(|cx| source.poll_fill(cx)).await? == Fill::Data {
        bytes.extend_from_slice(source.data());
        source.consume(source.data().len());
    }
    Ok(bytes)
}

pub(super) fn begin(stream: &mut Stream, status: u16, length: Length) {
    use crate::side::Client;
    let mut head = ResponseHead::new();
    head.begin(status, stream.head().method());
    stream.answer(&head, &Edits::new(), length);
}

/// The request of an HTTP/1 head.
pub(super) fn request(text: &str) -> RequestHead {
    let mut head = RequestHead::new();
    request::parse(text.replace('\n', "\r\n").as_bytes(), &Limits::default(), &mut head).unwrap();
    head
}

/// A frame on the wire.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Bytes,
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A literal field without indexing.
pub(super) fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

/// The HEADERS of a request for this path.
pub(super) fn headers(flags: u8, stream: u32, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let method = if flags & END_STREAM == 0 { "POST" } else { "GET" };
    let pseudo =
        [(":method", method), (":scheme", "http"), (":authority", "www.example.com"), (":path", path)];
    let block: Vec<u8> = pseudo.iter().chain(fields).flat_map(|(name, value)| field(name, value)).collect();
    frame(kind::HEADERS, flags | END_HEADERS, stream, &block)
}

/// A peer that speaks frames.
pub(super) struct Raw {
    pub(super) io: TcpStream,
    buffer: BytesMut,
}

impl Raw {
    pub(super) fn new(io: TcpStream) -> Self {
        Self { io, buffer: BytesMut::new() }
    }

    /// A client that has exchanged SETTINGS with its edge.
    pub(super) async fn client() -> (Self, Edge) {
        let (io, edge) = edge().await;
        let mut raw = Self::new(io);
        raw.send(&[PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat()).await;
        raw.settle().await;
        (raw, edge)
    }

    /// A backend that has exchanged SETTINGS, in which its own were `settings`.
    pub(super) async fn backend(io: TcpStream, settings: &[u8]) -> Self {
        let mut raw = Self::new(io);
        let mut preface = [0; 24];
        raw.io.read_exact(&mut preface).await.unwrap();
        assert_eq!(preface, PREFACE);
        raw.send(&frame(kind::SETTINGS, 0, 0, settings)).await;
        raw.settle().await;
        raw
    }

    async fn settle(&mut self) {
        let (mut theirs, mut ours) = (false, false);
        while !(theirs && ours) {
            let frame = self.until(kind::SETTINGS).await;
            theirs |= frame.flags & ACK == 0;
            ours |= frame.flags & ACK != 0;
        }
        self.send(&frame(kind::SETTINGS, ACK, 0, &[])).await;
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
    }

    /// The next frame; `None` at the end of the connection.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let [a, b, c, kind, flags, s, t, u, v, rest @ ..] = &self.buffer[..] {
                let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
                if rest.len() >= length {
                    let (kind, flags, stream) = (*kind, *flags, u32::from_be_bytes([*s, *t, *u, *v]));
                    self.buffer.advance(9);
                    return Some(Frame {
                        kind,
                        flags,
                        stream,
                        payload: self.buffer.split_to(length).freeze(),
                    });
                }
            }
            match self.io.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next frame of this kind; others are passed over.
    pub(super) async fn until(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await.expect("the connection ended early");
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// The error code of the next GOAWAY or RST_STREAM.
    pub(super) async fn code(&mut self, kind: u8) -> ::h2::Reason {
        let frame = self.until(kind).await;
        let code =
            frame.payload[frame.payload.len().min(4 * usize::from(kind == kind::GOAWAY))..][..4].try_into();
        u32::from_be_bytes(code.unwrap()).into()
    }
}
