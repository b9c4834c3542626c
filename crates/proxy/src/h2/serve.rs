//! The life of a client's HTTP/2 connection: a task that reads and writes frames, and one for each of its streams.
//!
//! The connection's task owns the streams' tasks in this sense: each of them ends soon after its stream does, the
//! end of the connection ends all streams, and the connection is left only when the last of them has ended.

use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::h2::block::{HEADER_LIST, STREAM_WINDOW, STREAMS};
use crate::h2::client::Stream;
use crate::h2::hub::{CONNECTION_WINDOW, Hub, State};
use crate::h2::inbound::{Arrival, FAREWELL, Inbound};
use crate::h2::refusal;
use crate::h2::wire::Wire;
use crate::headers::Reference;
use crate::io::{Io, Readable};
use crate::page::Page;
use crate::refused;
use crate::request;
use crate::service::{Leave, Presence};
use crate::stock::Stock;
use crate::worker::Worker;
use nearside_core::Reason;
use nearside_http::h2::{
    Code, HEAD, Head, PREFACE, WIDEST, WINDOW, goaway, head, kind, ping, setting, window,
};
use nearside_telemetry::Protocol;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWrite;

/// When so much waits to be sent, no more is read: the client has to read first.
const HELD: usize = 96 * 1024;

/// How long a connection that closes waits for the client to do its part.
const LINGER: Duration = Duration::from_secs(5);

/// How much of what comes meanwhile is read and forgotten.
const LINGER_BYTES: usize = 1 << 20;

/// How long the first bytes are waited for when no pool says so.
const FIRST: Duration = Duration::from_secs(10);

/// How long a connection may be without streams when no pool says so.
const IDLE: Duration = Duration::from_secs(60);

/// How long a connection without streams keeps room for some.
const MOMENT: Duration = Duration::from_secs(1);

/// How long the answer to our SETTINGS is waited for.
const SETTLE: Duration = Duration::from_secs(30);

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
    /// Before the head nobody knows which pool it will be, so the most patient one counts.
    fn waits(&self) -> Waits {
        let live = self.worker.edge.live.load();
        let pools = &live.generation.pools;
        Waits {
            preface: pools.iter().map(|pool| pool.timeouts.client_header).max().unwrap_or(FIRST),
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
    T: Readable + AsyncWrite + Send + Unpin + 'static,
{
    let waits = service.waits();
    let mut deadline = Deadline::default();
    deadline.set(Some(waits.preface));
    let hub = Hub::new(Arc::clone(&stock));
    greet(&mut hub.lock());
    let (wire, inbound) = (Wire::new(io, stock), Inbound::default());
    // What is large is boxed, so that the task stays small.
    let mut served = Box::new(Served { hub, wire, inbound, service, waits, deadline, rest: Rest::Busy });
    if poll_fn(|cx| served.poll_begin(&mut presence, cx)).await {
        served.deadline.set(Some(SETTLE));
        poll_fn(|cx| served.poll_turn(&mut presence, cx)).await;
        // Streams that are still open learn of the end from this.
        served.hub.lock().end_all();
        poll_fn(|cx| served.poll_left(cx)).await;
    }
    presence.parts(true);
    served.deadline.set(Some(LINGER));
    let (mut shut, mut budget) = (false, LINGER_BYTES);
    poll_fn(|cx| served.poll_linger(&mut shut, &mut budget, cx)).await;
}

/// Our first words: SETTINGS, and a window that is wider than the first one.
fn greet(state: &mut State) {
    // SETTINGS_MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_HEADER_LIST_SIZE and ENABLE_CONNECT_PROTOCOL.
    let ours = [(0x3, STREAMS), (0x4, STREAM_WINDOW), (0x6, HEADER_LIST), (0x8, 1)];
    let out = state.outbox.end(HEAD + 6 * ours.len() + HEAD + 4);
    head(Head { length: 6 * 4, kind: kind::SETTINGS, flags: 0, stream: 0 }, out);
    for (name, value) in ours {
        setting(name, value, out);
    }
    window(0, CONNECTION_WINDOW - WINDOW, out);
}

/// What a connection without streams waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Rest {
    /// There are streams.
    Busy,
    /// There was one a moment ago, so that the room of streams is kept for the next.
    Pausing,
    /// The next stream, until the deadline.
    Idle,
    /// GOAWAY was sent; the last streams end.
    Closing,
    /// GOAWAY was sent and no stream is left: the client has until the deadline to go.
    Leaving,
}

struct Served<S, T> {
    hub: Arc<Hub>,
    wire: Wire<T>,
    inbound: Inbound,
    service: Arc<S>,
    waits: Waits,
    deadline: Deadline,
    rest: Rest,
}

impl<S, T> Served<S, T>
where
    S: Service,
    T: Readable + AsyncWrite + Send + Unpin + 'static,
{
    /// Exchanges the first bytes with the client; whether it speaks HTTP/2.
    fn poll_begin(&mut self, presence: &mut Presence, cx: &mut Context<'_>) -> Poll<bool> {
        if let Poll::Ready(Err(_)) = self.wire.poll_send(&mut self.hub.lock().outbox, cx) {
            return Poll::Ready(false);
        }
        loop {
            let input = self.wire.input();
            let common = input.len().min(PREFACE.len());
            if input.get(..common) != PREFACE.get(..common) {
                goaway(0, Code::Protocol, self.hub.lock().outbox.end(HEAD + 8));
                return Poll::Ready(false);
            }
            if common == PREFACE.len() {
                self.wire.consume(common);
                return Poll::Ready(true);
            }
            match self.wire.poll_read(cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(false),
                Poll::Pending => break,
            }
        }
        if presence.poll_leave(Leave::AtOnce, cx).is_ready() {
            return Poll::Ready(false);
        }
        self.deadline.poll(cx).map(|()| false)
    }

    /// Does all that can be done without waiting; ready at the end of the connection.
    fn poll_turn(&mut self, presence: &mut Presence, cx: &mut Context<'_>) -> Poll<()> {
        let hub = Arc::clone(&self.hub);
        loop {
            hub.lock().attend(cx);
            let heard = self.poll_hear(&hub, cx);
            let mut state = hub.lock();
            let ended = match heard {
                Poll::Ready(ended) => Poll::Ready(ended),
                Poll::Pending => {
                    let leaves = self.is_closing() || presence.poll_leave(Leave::Goaway, cx).is_ready();
                    self.poll_rest(&mut state, leaves, cx)
                }
            };
            if let Poll::Ready(ended) = ended {
                if let Err(code) = ended {
                    goaway(state.slots.taken(), code, state.outbox.end(HEAD + 8));
                }
                return Poll::Ready(());
            }
            let held = state.outbox.len() >= HELD;
            let sent = self.wire.poll_send(&mut state.outbox, cx);
            if let Poll::Ready(Err(_)) = sent {
                return Poll::Ready(());
            }
            if sent.is_ready() && state.named && state.slots.held() == 0 {
                return Poll::Ready(());
            }
            state.dismiss();
            if !(held && sent.is_ready()) {
                presence.parts(self.rest == Rest::Leaving);
                return Poll::Pending;
            }
        }
    }

    /// Reads and takes all frames that have come, as long as there is room for what they ask for. Ready at the end of what the
    /// client sends, or with what is wrong with it.
    fn poll_hear(&mut self, hub: &Arc<Hub>, cx: &mut Context<'_>) -> Poll<Result<(), Code>> {
        loop {
            let mut state = hub.lock();
            while state.outbox.len() < HELD {
                match self.take_frame(hub, &mut state) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(code) => return Poll::Ready(Err(code)),
                }
            }
            if state.outbox.len() >= HELD {
                return Poll::Pending;
            }
            drop(state);
            match ready!(self.wire.poll_read(cx)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Takes the next frame, if it has come whole.
    fn take_frame(&mut self, hub: &Arc<Hub>, state: &mut State) -> Result<bool, Code> {
        let Some((bytes, rest)) = self.wire.input().split_first_chunk() else { return Ok(false) };
        let frame = Head::read(bytes);
        self.inbound.look(frame)?;
        let length = frame.length as usize;
        let Some(payload) = rest.get(..length) else { return Ok(false) };
        let arrival = self.inbound.take(state, frame, payload)?;
        self.wire.consume(HEAD + length);
        if let Some(arrival) = arrival {
            self.begin(hub, arrival);
        }
        Ok(true)
    }

    /// Ends a connection that has waited long enough without streams, in two steps: told to close, the client may still have
    /// sent a request; the last stream is named when it has heard.
    fn poll_rest(&mut self, state: &mut State, leaves: bool, cx: &mut Context<'_>) -> Poll<Result<(), Code>> {
        let is_empty = state.slots.held() == 0;
        if leaves && !self.is_closing() {
            self.close(state);
        }
        if !state.named && (self.inbound.arrived || self.inbound.leaving && is_empty) {
            state.named = true;
            goaway(state.slots.taken(), Code::None, state.outbox.end(HEAD + 8));
        }
        match self.rest {
            Rest::Busy if is_empty => {
                self.rest = Rest::Pausing;
                self.deadline.set(Some(MOMENT.min(self.waits.idle)));
            }
            Rest::Closing if is_empty => {
                self.rest = Rest::Leaving;
                self.deadline.set(Some(LINGER));
            }
            Rest::Busy if !self.inbound.settled => {
                ready!(self.deadline.poll(cx));
                return Poll::Ready(Err(Code::SettingsTimeout));
            }
            Rest::Busy | Rest::Closing => return Poll::Pending,
            Rest::Pausing | Rest::Idle | Rest::Leaving => {}
        }
        ready!(self.deadline.poll(cx));
        match self.rest {
            Rest::Closing | Rest::Leaving => return Poll::Ready(Ok(())),
            Rest::Pausing => {
                self.rest = Rest::Idle;
                self.deadline.set(Some(self.waits.idle.saturating_sub(MOMENT)));
                state.rest();
            }
            Rest::Busy | Rest::Idle => self.close(state),
        }
        self.poll_rest(state, false, cx)
    }

    fn is_closing(&self) -> bool {
        matches!(self.rest, Rest::Closing | Rest::Leaving)
    }

    fn close(&mut self, state: &mut State) {
        self.rest = Rest::Closing;
        self.inbound.asked = true;
        let out = state.outbox.end(2 * HEAD + 16);
        goaway(WIDEST, Code::None, out);
        ping(0, FAREWELL, out);
    }

    fn begin(&mut self, hub: &Arc<Hub>, arrival: Arrival) {
        let (opened, refusal) = match arrival {
            Arrival::Request(opened) => (opened, None),
            Arrival::Refused(opened, refusal) => (opened, Some(refusal)),
            Arrival::Malformed => {
                self.service.refuse(None);
                return;
            }
        };
        match self.rest {
            Rest::Pausing | Rest::Idle => {
                self.rest = Rest::Busy;
                self.deadline.set(Some(SETTLE));
            }
            // It had left the client before GOAWAY reached it.
            Rest::Leaving => self.rest = Rest::Closing,
            Rest::Busy | Rest::Closing => {}
        }
        let (service, hub) = (Arc::clone(&self.service), Arc::clone(hub));
        let stock = Arc::clone(self.wire.stock());
        let mut stream = Stream::new(hub, opened);
        // Boxed, since a task is moved about before it begins.
        tokio::spawn(Box::pin(async move {
            match refusal {
                None => service.serve(&mut stream, &mut Deadline::default()).await,
                Some(refusal) => {
                    let (page, reference) = service.refuse(Some(refusal.status()));
                    Box::pin(refusal::answer(&mut stream, &page, reference.as_bytes())).await;
                }
            }
            stock.give_back_request(stream.into_head());
        }));
    }

    /// Ready when the last stream's task has ended.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.hub.lock();
        state.attend(cx);
        state.dismiss();
        if state.slots.held() == 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Ends our direction and reads on for a moment: closing with unread bytes would reset the connection, and with it
    /// a GOAWAY that is still on its way.
    fn poll_linger(&mut self, shut: &mut bool, budget: &mut usize, cx: &mut Context<'_>) -> Poll<()> {
        if !*shut {
            match self.wire.poll_shutdown(&mut self.hub.lock().outbox, cx) {
                Poll::Ready(Ok(())) => *shut = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return self.deadline.poll(cx),
            }
        }
        match self.wire.poll_forget(cx, budget) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => self.deadline.poll(cx),
        }
    }
}
