//! A backend of HTTP/2 whose answers never end by themselves.

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::interval;

/// How often an answer goes on: seldom enough that a client of the `h2` crate, which bounds small frames that nobody
/// reads, can leave it alone for some seconds.
const PACE: Duration = Duration::from_millis(250);

/// One that goes on, piece after piece, by path: `/grpc` and `/web` (gRPC-Web) in whole messages, `/half` with half
/// a message at the end, `/events` in server-sent events, `/bytes` in bytes without a meaning. `/upload` reads and answers at the end.
pub struct Streams {
    /// Where it listens.
    pub address: SocketAddr,
    task: AbortHandle,
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Streams {
    /// Starts it.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream));
            }
        });
        Self { address, task: task.abort_handle() }
    }
}

async fn serve(stream: TcpStream) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let mut streams = JoinSet::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        // An error is the edge's doing, which is what the tests look at.
        streams.spawn(async move { drop(answer(request, respond).await) });
    }
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let path = request.uri().path().to_owned();
    let mut head = Response::new(());
    let (kind, first, then): (_, &[u8], Option<&[u8]>) = match path.as_str() {
        "/grpc" => ("application/grpc", b"\0\0\0\0\x05hello", Some(b"\0\0\0\0\x05again")),
        "/web" => ("application/grpc-web+proto", b"\0\0\0\0\x05hello", Some(b"\0\0\0\0\x05again")),
        "/half" => ("application/grpc+proto", b"\0\0\0\0\x05hel", None),
        "/events" => ("text/event-stream; charset=utf-8", b"data: hello\n\n", Some(b"data: again\n\n")),
        "/bytes" => ("application/octet-stream", b"hello", Some(b"again")),
        _ => {
            let mut body = request.into_body();
            while let Some(chunk) = body.data().await {
                body.flow_control().release_capacity(chunk?.len())?;
            }
            respond.send_response(head, true)?;
            return Ok(());
        }
    };
    head.headers_mut().insert("content-type", kind.parse().expect("a type"));
    let mut body = respond.send_response(head, false)?;
    send(&mut body, first).await?;
    let mut pace = interval(PACE);
    loop {
        pace.tick().await;
        match then {
            Some(piece) => send(&mut body, piece).await?,
            None => return Err(std::future::poll_fn(|cx| body.poll_reset(cx)).await?.into()),
        }
    }
}

async fn send(body: &mut SendStream<Bytes>, piece: &[u8]) -> Result<(), h2::Error> {
    body.reserve_capacity(piece.len());
    let room = std::future::poll_fn(|cx| body.poll_capacity(cx)).await;
    room.unwrap_or(Err(Reason::CANCEL.into()))?;
    body.send_data(Bytes::copy_from_slice(piece), false)
}
