//! The life of a client's HTTP/2 connection: a task that reads and writes frames, and one for each of its streams.
//!
//! The connection's task owns the streams' tasks in this sense: each of them ends soon after its stream does, the
//! end of the connection ends all streams, and the connection is left only when the last of them has ended.

use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::h2::client::Stream;
use crate::h2::cork::Cork;
use crate::h2::shim::Peer;
use crate::headers::Reference;
use crate::io::Io;
use crate::page::Page;
use crate::refused;
use crate::request;
use crate::service::{Leave, Presence};
use crate::stock::Stock;
use crate::worker::Worker;
use ::h2::RecvStream;
use ::h2::server::{Builder, SendResponse};
use bytes::Bytes;
use http::Request;
use nearside_core::Reason;
use nearside_telemetry::Protocol;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

/// How many streams a client may have open.
const STREAMS: u32 = 128;

/// What a client may send on one stream before it was taken.
const STREAM_WINDOW: u32 = 1 << 20;

/// The same for all streams together.
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Bytes of a request's head, each field counted with 32 more.
const HEADER_LIST: u32 = 64 * 1024;

/// Bytes of one stream's answer that wait for the connection's task.
const SEND_BUFFER: usize = 64 * 1024;

/// How many streams a client may make us reset by breaking rules, for as long as the connection lives: the `h2` crate's,
/// and as many of ours.
const FAULTS: usize = 256;

/// How many streams may be reset by the client before we have looked at them, and wait for that.
const UNSEEN_RESETS: usize = 32;

/// How long a connection that closes waits for the client to do its part.
const LINGER: Duration = Duration::from_secs(5);

/// How much of what comes meanwhile is read and forgotten.
const LINGER_BYTES: usize = 1 << 20;

/// How long the first bytes are waited for when no pool says so.
const PREFACE: Duration = Duration::from_secs(10);

/// How long a connection may be without streams when no pool says so.
const IDLE: Duration = Duration::from_secs(60);

/// How long clients are waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    /// For the first bytes of HTTP/2.
    pub(super) preface: Duration,
    /// While there is no stream.
    pub(super) idle: Duration,
}

/// What is done with a connection's streams.
pub(super) trait Service: Send + Sync + 'static {
    /// The scheme of the connection.
    fn scheme(&self) -> &str;

    /// What heads are lent by.
    fn stock(&self) -> &Stock;

    /// How long clients are waited for.
    fn waits(&self) -> Waits;

    /// Answers one stream.
    fn serve(&self, stream: &mut Stream, deadline: &mut Deadline) -> impl Future<Output = ()> + Send;

    /// Notes a head that is not taken; the page for it if it gets one, and its ref.
    fn refuse(&self, status: Option<u16>) -> (Page, Reference);
}

/// Serves a client's connection to its end.
pub async fn serve(worker: Arc<Worker>, connection: Connection, io: Io, presence: Presence) {
    let stock = Arc::clone(&worker.stock);
    let requests = Arc::new(Requests { worker, connection });
    run(Arc::clone(&requests), io, stock, presence).await;
    requests.worker.pools.left(requests.connection.parties());
}

struct Requests {
    worker: Arc<Worker>,
    connection: Connection,
}

impl Service for Requests {
    fn scheme(&self) -> &str {
        if self.connection.tls.is_some() { "https" } else { "http" }
    }

    fn stock(&self) -> &Stock {
        &self.worker.stock
    }

    /// Before the head nobody knows which pool it will be, so the most patient one counts.
    fn waits(&self) -> Waits {
        let live = self.worker.edge.live.load();
        let pools = &live.generation.pools;
        Waits {
            preface: pools.iter().map(|pool| pool.timeouts.client_header).max().unwrap_or(PREFACE),
            idle: pools.iter().map(|pool| pool.timeouts.client_idle).max().unwrap_or(IDLE),
        }
    }

    async fn serve(&self, stream: &mut Stream, deadline: &mut Deadline) {
        request::serve(&self.worker, &self.connection, stream, deadline).await;
    }

    fn refuse(&self, status: Option<u16>) -> (Page, Reference) {
        let reason = match status {
            Some(414 | 431) => Reason::RefusedTooLarge,
            _ => Reason::RefusedMalformed,
        };
        refused::refuse(&self.worker, &self.connection, Protocol::Http2, status, reason)
    }
}

/// Runs the connection.
pub(super) async fn run<S, T>(service: Arc<S>, io: T, stock: Arc<Stock>, mut presence: Presence)
where
    S: Service,
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let cork = Cork::new(io, stock, Peer::Client);
    if let Some(mut served) = Box::pin(begin(service, &cork, &mut presence)).await {
        poll_fn(|cx| served.poll_turn(&cork, &mut presence, cx)).await;
        let streams = Arc::clone(&served.streams);
        // Streams that are still open learn of the end from this.
        drop(served);
        streams.ended().await;
    }
    presence.parts(true);
    linger(&cork).await;
}

type Framed<T> = ::h2::server::Connection<Cork<T>, Bytes>;

/// Exchanges the first bytes with the client. What is large is boxed, so that the task stays small.
async fn begin<S, T>(service: Arc<S>, cork: &Cork<T>, presence: &mut Presence) -> Option<Box<Served<S, T>>>
where
    S: Service,
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let waits = service.waits();
    let mut deadline = Deadline::default();
    deadline.set(Some(waits.preface));
    let connection = handshake(cork, presence, &mut deadline).await?;
    Some(Box::new(Served { connection, service, waits, streams: Arc::default(), deadline, rest: Rest::Busy }))
}

async fn handshake<T>(cork: &Cork<T>, presence: &mut Presence, deadline: &mut Deadline) -> Option<Framed<T>>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let handshake = Builder::new()
        .max_concurrent_streams(STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADER_LIST)
        .max_send_buffer_size(SEND_BUFFER)
        .max_local_error_reset_streams(Some(FAULTS))
        .max_pending_accept_reset_streams(UNSEEN_RESETS)
        .enable_connect_protocol()
        .handshake::<_, Bytes>(cork.clone());
    let mut handshake = pin!(handshake);
    poll_fn(|cx| {
        if let Poll::Ready(connection) = handshake.as_mut().poll(cx) {
            return Poll::Ready(connection.ok());
        }
        let broken = matches!(cork.poll_drain(cx), Poll::Ready(Err(_))) || cork.fault().is_some();
        if broken || presence.poll_leave(Leave::AtOnce, cx).is_ready() || deadline.poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await
}

/// What a connection without streams waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Rest {
    /// There are streams.
    Busy,
    /// The next stream, until the deadline.
    Idle,
    /// GOAWAY was sent; the last streams end.
    Closing,
    /// GOAWAY was sent and no stream is left: the client has until the deadline to go.
    Leaving,
}

struct Served<S, T> {
    connection: Framed<T>,
    service: Arc<S>,
    waits: Waits,
    streams: Arc<Streams>,
    deadline: Deadline,
    rest: Rest,
}

impl<S, T> Served<S, T>
where
    S: Service,
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    /// Does all that can be done without waiting; ready at the end of the connection.
    fn poll_turn(&mut self, cork: &Cork<T>, presence: &mut Presence, cx: &mut Context<'_>) -> Poll<()> {
        let mut cut = false;
        loop {
            while let Poll::Ready(accepted) = self.connection.poll_accept(cx) {
                match accepted {
                    Some(Ok((request, respond))) => self.begin(request, respond),
                    Some(Err(_)) | None => return Poll::Ready(()),
                }
            }
            if let Some(fault) = cork.fault().or_else(|| self.streams.fault()).filter(|_| !cut) {
                cut = true;
                self.connection.abrupt_shutdown(fault);
                continue;
            }
            if !self.is_closing() && presence.poll_leave(Leave::Goaway, cx).is_ready() {
                self.close();
                continue;
            }
            match cork.poll_drain(cx) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(false)) | Poll::Pending => match self.poll_rest(cx) {
                    Poll::Ready(true) => {}
                    Poll::Ready(false) => return Poll::Ready(()),
                    Poll::Pending => {
                        presence.parts(self.rest == Rest::Leaving);
                        return Poll::Pending;
                    }
                },
            }
        }
    }

    /// Ready when a connection without streams has waited long enough: with `true` when it was told to close just
    /// now, with `false` when it had been.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let is_empty = self.streams.count() == 0;
        match self.rest {
            Rest::Busy if is_empty => {
                self.rest = Rest::Idle;
                self.deadline.set(Some(self.waits.idle));
            }
            Rest::Closing if is_empty => {
                self.rest = Rest::Leaving;
                self.deadline.set(Some(LINGER));
            }
            Rest::Busy | Rest::Closing => return Poll::Pending,
            Rest::Idle | Rest::Leaving => {}
        }
        if self.deadline.poll(cx).is_pending() {
            return Poll::Pending;
        }
        if self.is_closing() {
            return Poll::Ready(false);
        }
        self.close();
        Poll::Ready(true)
    }

    fn is_closing(&self) -> bool {
        matches!(self.rest, Rest::Closing | Rest::Leaving)
    }

    fn close(&mut self) {
        self.rest = Rest::Closing;
        self.connection.graceful_shutdown();
    }

    fn begin(&mut self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        if self.rest == Rest::Idle {
            self.rest = Rest::Busy;
        } else if self.rest == Rest::Leaving {
            // It had left the client before GOAWAY reached it.
            self.rest = Rest::Closing;
        }
        let guard = Streams::enter(&self.streams);
        let service = Arc::clone(&self.service);
        // Boxed, since a task is moved about before it begins.
        tokio::spawn(Box::pin(async move {
            match Stream::begin(request, respond, service.scheme(), service.stock().lend_request()) {
                Ok(mut stream) => {
                    service.serve(&mut stream, &mut Deadline::default()).await;
                    service.stock().give_back_request(stream.into_head());
                }
                Err(refused) => {
                    let status = refused.status();
                    let (page, reference) = service.refuse(status);
                    if status.is_some() {
                        refused.answer(page, reference.as_bytes());
                    } else {
                        guard.0.malformed.fetch_add(1, Ordering::Relaxed);
                        refused.reset();
                    }
                }
            }
            drop(guard);
        }));
    }
}

/// How many tasks of streams there are.
#[derive(Debug, Default)]
struct Streams {
    count: AtomicUsize,
    /// How many were reset for a head that breaks the rules.
    malformed: AtomicUsize,
    changed: Notify,
}

/// One of them.
struct Guard(Arc<Streams>);

impl Streams {
    fn enter(streams: &Arc<Self>) -> Guard {
        streams.count.fetch_add(1, Ordering::Relaxed);
        Guard(Arc::clone(streams))
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Why the client has to go, if it has to.
    fn fault(&self) -> Option<::h2::Reason> {
        (self.malformed.load(Ordering::Relaxed) > FAULTS).then_some(::h2::Reason::ENHANCE_YOUR_CALM)
    }

    /// Waits until there is none.
    async fn ended(&self) {
        while self.count() > 0 {
            self.changed.notified().await;
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.changed.notify_one();
        }
    }
}

/// Ends our direction and reads on for a moment: closing with unread bytes would reset the connection, and with it
/// a GOAWAY that is still on its way.
async fn linger<T: AsyncRead + AsyncWrite + Unpin>(cork: &Cork<T>) {
    let mut deadline = Deadline::default();
    deadline.set(Some(LINGER));
    let mut end = cork.clone();
    let (mut shut, mut budget) = (false, LINGER_BYTES);
    poll_fn(|cx| {
        if !shut {
            match Pin::new(&mut end).poll_shutdown(cx) {
                Poll::Ready(Ok(())) => shut = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return deadline.poll(cx),
            }
        }
        match cork.poll_forget(cx, &mut budget) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => deadline.poll(cx),
        }
    })
    .await;
}
