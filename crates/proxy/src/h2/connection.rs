//! A connection to a backend that carries many streams: how it is opened, and who may use it.

use crate::h2::cork::{Cork, Glimpse};
use crate::h2::upstream::Upstream;
use crate::io::Io;
use crate::side::BackendError;
use crate::stock::Stock;
use crate::worker::Worker;
use ::h2::client::{Builder, SendRequest};
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;

/// What a backend may send on one stream before it was taken: enough for 800 Mbit/s over 80 ms.
const STREAM_WINDOW: u32 = 8 << 20;

/// The same for all streams together. It holds several stream windows, so that one client that does not read leaves
/// room to the others.
const CONNECTION_WINDOW: u32 = 32 << 20;

/// Bytes of an answer's head, each field counted with 32 more.
const HEADER_LIST: u32 = 64 * 1024;

/// Bytes of one stream's request that wait for the connection's task.
const SEND_BUFFER: usize = 64 * 1024;

/// A handle of a connection to a backend. The connection lives while there are handles or streams.
#[derive(Clone, Debug)]
pub struct Connection(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    requests: Mutex<SendRequest<Bytes>>,
    state: Arc<State>,
    glimpse: Glimpse,
    tls: bool,
}

/// What the handles, the streams and the connection's task know of each other.
#[derive(Debug, Default)]
pub(super) struct State {
    streams: AtomicUsize,
    over: AtomicBool,
    settled: AtomicBool,
    waiting: AtomicUsize,
    room: Notify,
    sent: Arc<AtomicU32>,
}

impl State {
    /// Whether the backend cannot have seen anything of this stream.
    pub(super) fn is_unseen(&self, stream: u32) -> bool {
        stream > self.sent.load(Ordering::Relaxed)
    }

    /// Waits until the backend's SETTINGS have come, or the connection takes no further streams.
    pub(super) async fn settled(&self) {
        let is_known = || self.settled.load(Ordering::Relaxed) || self.over.load(Ordering::Relaxed);
        while !is_known() {
            let mut told = std::pin::pin!(self.room.notified());
            // Before another look, so that what happens in between is not missed.
            told.as_mut().enable();
            if !is_known() {
                told.await;
            }
        }
    }

    fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.room.notify_waiters();
    }
}

/// One of the streams that the backend allows at a time.
#[derive(Debug)]
pub(super) struct Slot {
    state: Arc<State>,
}

impl Slot {
    pub(super) fn state(&self) -> &State {
        &self.state
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.state.streams.fetch_sub(1, Ordering::Relaxed);
        if self.state.waiting.load(Ordering::Relaxed) > 0 {
            self.state.room.notify_one();
        }
    }
}

/// Begins HTTP/2 on `io`, by prior knowledge or after ALPN chose it. The backend's SETTINGS are not waited for.
///
/// # Errors
/// The connection has ended already.
pub async fn connect(io: Io, worker: &Arc<Worker>) -> Result<Connection, BackendError> {
    let tls = matches!(io, Io::Tls(_));
    begin(io, Arc::clone(&worker.stock), tls).await
}

pub(super) async fn begin(io: Io, stock: Arc<Stock>, tls: bool) -> Result<Connection, BackendError> {
    let cork = Cork::new(io, stock);
    let glimpse = cork.glimpse();
    let handshake = Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADER_LIST)
        .max_send_buffer_size(SEND_BUFFER)
        .handshake::<_, Bytes>(cork.clone());
    let (requests, connection) = Box::pin(handshake).await.map_err(|_ended| BackendError::Reset)?;
    let state = Arc::new(State { sent: cork.sent(), ..State::default() });
    tokio::spawn(run(Box::pin(connection), cork, Arc::clone(&state)));
    Ok(Connection(Arc::new(Shared { requests: Mutex::new(requests), state, glimpse, tls })))
}

/// The connection's task: ends when the connection has ended, or when nobody is left who could use it.
async fn run(
    mut connection: Pin<Box<::h2::client::Connection<Cork<Io>>>>,
    cork: Cork<Io>,
    state: Arc<State>,
) {
    poll_fn(|cx| poll_turn(&mut connection, &cork, &state, cx)).await;
    state.end();
    // The streams that were still open learn of the end from this.
    drop(connection);
}

fn poll_turn(
    connection: &mut Pin<Box<::h2::client::Connection<Cork<Io>>>>,
    cork: &Cork<Io>,
    state: &State,
    cx: &mut Context<'_>,
) -> Poll<()> {
    loop {
        let ended = connection.as_mut().poll(cx).is_ready() || cork.is_broken();
        if ended {
            return Poll::Ready(());
        }
        if cork.is_going_away() && !state.over.load(Ordering::Relaxed) {
            state.end();
        }
        if !state.settled.load(Ordering::Relaxed) && cork.is_settled() {
            state.settled.store(true, Ordering::Relaxed);
            state.room.notify_waiters();
        }
        // The backend's SETTINGS may have made room.
        if state.waiting.load(Ordering::Relaxed) > 0
            && state.streams.load(Ordering::Relaxed) < connection.max_concurrent_send_streams()
        {
            state.room.notify_one();
        }
        match cork.poll_drain(cx) {
            Poll::Ready(Ok(true)) => {}
            Poll::Ready(Ok(false)) | Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => return Poll::Ready(()),
        }
    }
}

impl Connection {
    /// Whether it takes further streams, sooner or later.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.0.state.over.load(Ordering::Relaxed)
    }

    /// How many streams are in use.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.0.state.streams.load(Ordering::Relaxed)
    }

    /// The least round trip that it has seen of late.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.0.glimpse.round_trip()
    }

    /// How many streams the backend allows at a time; a guess until its SETTINGS have come.
    #[must_use]
    pub fn most_streams(&self) -> usize {
        self.requests().current_max_send_streams()
    }

    /// Whether [`Connection::open`] returns at once.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.is_usable() && self.streams() < self.most_streams()
    }

    /// Opens a stream, as soon as the backend allows one more.
    ///
    /// # Errors
    /// [`BackendError::Unseen`]: the connection takes no further streams.
    pub async fn open(&self) -> Result<Upstream, BackendError> {
        let state = &self.0.state;
        while !self.has_room() {
            if !self.is_usable() {
                return Err(BackendError::Unseen);
            }
            let _waiting = Waiting::new(state);
            let mut room = std::pin::pin!(state.room.notified());
            // Before another look, so that what happens in between is not missed.
            room.as_mut().enable();
            if self.is_usable() && !self.has_room() {
                room.await;
            }
        }
        state.streams.fetch_add(1, Ordering::Relaxed);
        let slot = Slot { state: Arc::clone(state) };
        Ok(Upstream::new(self.requests().clone(), slot, self.0.tls))
    }

    fn requests(&self) -> MutexGuard<'_, SendRequest<Bytes>> {
        self.0.requests.lock()
    }
}

/// Somebody waits for room.
struct Waiting<'a>(&'a State);

impl<'a> Waiting<'a> {
    fn new(state: &'a State) -> Self {
        state.waiting.fetch_add(1, Ordering::Relaxed);
        Self(state)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
