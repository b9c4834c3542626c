//! What clients send over HTTP/2, section by section of RFC 9113, as frames made by hand.
//!
//! A case begins after SETTINGS were exchanged. Whatever breaks the rules in it bears the path `/hostile`, of which the
//! backend may see nothing; or no more than a part, where the head of the request was lawful.

mod backends;
mod bodies;
mod compression;
mod ends;
mod fields;
mod floods;
mod frames;
mod line;
mod memory;
mod patience;
mod settings;
mod states;
mod windows;

use crate::setting::{Stage, stage};
use nearside_tests::client::HOST;
use nearside_tests::frames::{Frame, Raw, code, flag, get, headers, kind, line};
use nearside_tests::raw::{self, Heard};
use nearside_tests::wire::{Fault, find};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A connection to the edge, and the port by which the backend knows it.
pub(crate) struct Client {
    pub(crate) raw: Raw<TlsStream<TcpStream>>,
    pub(crate) port: u16,
}

impl Client {
    /// One on which nothing has been said yet.
    pub(crate) async fn silent(stage: &Stage) -> Self {
        Self::at(stage, stage.edge.https).await
    }

    async fn at(stage: &Stage, address: SocketAddr) -> Self {
        let stream = raw::connect(address);
        let port = stream.local_addr().unwrap().port();
        stream.set_nonblocking(true).unwrap();
        let tls = TlsConnector::from(stage.edge.authority.trusting(&[b"h2"]));
        let name = ServerName::try_from(HOST).unwrap();
        let stream = tls.connect(name, TcpStream::from_std(stream).unwrap()).await.unwrap();
        Self { raw: Raw::new(stream), port }
    }

    /// One on which SETTINGS were exchanged, its own with these values.
    pub(crate) async fn begun(stage: &Stage, values: &[(u16, u32)]) -> Self {
        let mut client = Self::silent(stage).await;
        client.raw.begin(values).await.unwrap();
        client
    }

    /// The next frame of this stream, or of the connection where that ends.
    pub(crate) async fn of(&mut self, stream: u32) -> Option<Frame> {
        loop {
            let frame = self.raw.next().await?;
            let is_told = matches!(frame.kind, kind::HEADERS | kind::DATA | kind::RESET);
            if frame.kind == kind::GOAWAY && frame.code() != code::NO_ERROR
                || is_told && frame.stream == stream
            {
                return Some(frame);
            }
        }
    }

    /// Asks for `path` on a stream of this number, and is answered 200.
    pub(crate) async fn asks(&mut self, stream: u32, path: &str) -> Result<(), String> {
        self.raw.send(&get(stream, path)).await.map_err(|error| error.to_string())?;
        self.gets(stream).await
    }

    /// Is answered 200 on this stream.
    pub(crate) async fn gets(&mut self, stream: u32) -> Result<(), String> {
        match self.of(stream).await {
            Some(frame) if frame.kind == kind::HEADERS && is_fine(&frame) => Ok(()),
            other => Err(format!("not answered with 200 on stream {stream}: {other:?}")),
        }
    }
}

/// Whether an answer is 200, also where the table of the connection knows its status already.
fn is_fine(frame: &Frame) -> bool {
    matches!(frame.status(), None | Some(200))
}

/// What frames are sent, and what has to come of them.
pub(crate) struct Case {
    name: &'static str,
    send: fn() -> Vec<u8>,
    judged: Judged,
    /// On a connection of its own: a request on stream 1 that is answered and arrives whole.
    neighbour: fn() -> Vec<u8>,
}

/// What has to come of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Judged {
    /// The connection ends with one of these codes.
    Connection(&'static [u32]),
    /// The connection ends with this code; the backend had got a part.
    CutConnection(&'static [u32]),
    /// Stream 1 is reset with one of these codes, and the connection goes on.
    Stream(&'static [u32]),
    /// The same; the backend had got a part.
    CutStream(&'static [u32]),
    /// Stream 1 gets an answer with this status, and the connection goes on.
    Answered(u16),
}

/// Cases, each a test of its own name.
macro_rules! cases {
    ($($(#[doc = $doc:literal])* $name:ident { send: $send:expr, judged: $judged:expr, neighbour: $neighbour:expr $(,)? })*) => {
        $(#[tokio::test]
        $(#[doc = $doc])*
        async fn $name() {
            let case = $crate::h2::case(stringify!($name), || $send, $judged, || $neighbour);
            case.hold().await;
        })*
    };
}
pub(crate) use cases;

/// A case.
pub(crate) fn case(
    name: &'static str,
    send: fn() -> Vec<u8>,
    judged: Judged,
    neighbour: fn() -> Vec<u8>,
) -> Case {
    Case { name, send, judged, neighbour }
}

impl Case {
    /// Sends it, and its neighbour after it.
    pub(crate) async fn hold(&self) {
        let stage = stage();
        if let Err(what) = self.judge(stage).await {
            panic!("{}: {what}", self.name);
        }
        if let Err(what) = passes(stage, &(self.neighbour)()).await {
            panic!("the neighbour of {}: {what}", self.name);
        }
    }

    async fn judge(&self, stage: &Stage) -> Result<(), String> {
        let mut client = Client::begun(stage, &[]).await;
        // An edge that closes in the middle is found out by what it said.
        drop(client.raw.send(&(self.send)()).await);
        let may_begin = match self.judged {
            Judged::Connection(codes) => ended(&mut client, codes).await.map(|()| false)?,
            Judged::CutConnection(codes) => ended(&mut client, codes).await.map(|()| true)?,
            Judged::Stream(codes) => reset(&mut client, codes).await.map(|()| false)?,
            Judged::CutStream(codes) => reset(&mut client, codes).await.map(|()| true)?,
            Judged::Answered(status) => answered(&mut client, status).await.map(|()| false)?,
        };
        let port = client.port;
        drop(client);
        stage.backend.all(port).iter().try_for_each(|heard| unharmed(heard, may_begin))
    }
}

/// The connection says that it ends, and why, and ends.
pub(crate) async fn ended(client: &mut Client, codes: &[u32]) -> Result<(), String> {
    let mut farewell = None;
    while let Some(frame) = client.raw.next().await {
        if frame.kind == kind::GOAWAY {
            farewell = Some(frame.code());
        }
    }
    match farewell {
        Some(code) if codes.contains(&code) => Ok(()),
        other => Err(format!("ended with {other:?} instead of {codes:?}")),
    }
}

async fn reset(client: &mut Client, codes: &[u32]) -> Result<(), String> {
    loop {
        match client.of(1).await {
            Some(frame) if frame.kind == kind::RESET && codes.contains(&frame.code()) => break,
            // What had come before it broke the rules may have been answered.
            Some(frame) if frame.kind == kind::HEADERS && is_fine(&frame) || frame.kind == kind::DATA => {}
            other => return Err(format!("not reset with one of {codes:?}: {other:?}")),
        }
    }
    client.asks(101, "/after").await
}

async fn answered(client: &mut Client, status: u16) -> Result<(), String> {
    match client.of(1).await {
        Some(frame) if frame.kind == kind::HEADERS && frame.status() == Some(status) => {}
        other => return Err(format!("not answered with {status}: {other:?}")),
    }
    client.asks(101, "/after").await
}

/// Nothing hostile came to the backend; or where it may have begun to come, no backend can take it for whole.
fn unharmed(heard: &Heard, may_begin: bool) -> Result<(), String> {
    let text = || heard.bytes.escape_ascii().to_string();
    match find(&heard.bytes, b"/hostile") {
        None => heard.requests().map(drop).map_err(|fault| format!("{fault:?}: {}", text())),
        Some(_) if may_begin && heard.requests() == Err(Fault::Partial) => Ok(()),
        Some(_) => Err(format!("it reached the backend: {}", text())),
    }
}

async fn passes(stage: &Stage, bytes: &[u8]) -> Result<(), String> {
    let mut client = Client::begun(stage, &[]).await;
    client.raw.send(bytes).await.map_err(|error| error.to_string())?;
    client.gets(1).await?;
    let port = client.port;
    drop(client);
    let heard = stage.backend.all(port);
    let requests: Vec<_> = heard.iter().map(Heard::requests).collect();
    let whole = requests.iter().filter_map(|requests| requests.as_ref().ok()).map(Vec::len).sum::<usize>();
    if whole > 0 && requests.iter().all(Result::is_ok) {
        Ok(())
    } else {
        Err(format!("arrived as {heard:?}"))
    }
}

/// A hostile request without a body, with these fields behind its pseudo-headers.
fn hostile(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(flag::END_STREAM, 1, &[&line("GET", "/hostile")[..], fields].concat())
}

/// The head of a hostile upload with these fields.
fn upload(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(0, 1, &[&line("POST", "/hostile")[..], fields].concat())
}

/// A lawful request without a body, with these fields.
fn lawful(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(flag::END_STREAM, 1, &[&line("GET", "/lawful")[..], fields].concat())
}

/// The head of a lawful upload with these fields.
fn post(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(0, 1, &[&line("POST", "/lawful")[..], fields].concat())
}
