//! A connection to a backend with one request on it at a time.
//!
//! A backend is not trusted: what breaks the rules is [`BackendError::Protocol`], what ends early is
//! [`BackendError::Reset`], and a connection is used again only when nobody can be in doubt about where the next
//! answer starts.

use super::body::{Fault, Inbound, Outbound};
use super::conn::Conn;
use crate::io::Io;
use crate::side::{Backend, BackendError, Fill, Head, Length, Sink, Source};
use crate::stock::Stock;
use crate::websocket;
use crate::worker::Worker;
use nearside_http::response;
use nearside_http::{
    Body, Edits, Fields, Gate, Limits, Method, Persist, Progress, RequestHead, ResponseHead, Upgrade,
};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// How many 1xx answers to one request are taken.
pub(crate) const INTERIM: u32 = 16;

/// How far the request has left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sent {
    Part,
    Finished,
    Whole,
}

/// The backend's side of an exchange.
#[derive(Debug)]
pub struct Upstream {
    conn: Conn,
    gate: Gate,
    method: Method,
    request: Outbound,
    sent: Sent,
    head: Box<ResponseHead>,
    answered: bool,
    interim: u32,
    body: Inbound,
    /// Whether another request may follow once the answer has ended.
    keeps: bool,
    /// What a 101 has to prove itself with, where one was asked for.
    expected: Option<String>,
    /// Whether it is a tunnel now.
    tunnel: bool,
}

impl Upstream {
    /// An HTTP/1.1 connection, new or kept, without a request on it.
    #[must_use]
    pub fn new(io: Io, worker: &Worker) -> Self {
        Self::with_stock(io, Arc::clone(&worker.stock))
    }

    pub(super) fn with_stock(io: Io, stock: Arc<Stock>) -> Self {
        let head = stock.lend_head();
        Self {
            conn: Conn::new(io, stock),
            gate: Gate::default(),
            method: Method::Other,
            request: Outbound::Nothing,
            sent: Sent::Part,
            head,
            answered: false,
            interim: 0,
            body: Inbound::NONE,
            keeps: false,
            expected: None,
            tunnel: false,
        }
    }

    /// Whether the exchange ended so that another one may follow on this connection: the request had left whole
    /// before its answer began, the answer ended where it said, nothing follows it, and neither side said close.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        self.keeps && self.body.is_end() && self.conn.is_quiet()
    }

    /// The connection without its buffers, where it is reusable.
    #[must_use]
    pub fn into_idle(self: Box<Self>) -> Option<Io> {
        if !self.is_reusable() {
            return None;
        }
        // Out of its box in parts: as a whole it would be copied first.
        let Self { conn, head, .. } = *self;
        conn.stock().give_back_head(head);
        conn.into_io()
    }

    /// Judges a head that has arrived; `None` for one that nobody waits for.
    fn judge(&mut self) -> Result<Option<Head>, BackendError> {
        let status = self.head.status();
        if self.head.is_interim() {
            self.interim += 1;
            if self.interim > INTERIM {
                return Err(BackendError::Protocol);
            }
            // The client's own 100 is sent by the client's side.
            return Ok((status != 100).then_some(Head::Informational));
        }
        if status == 101 {
            return self.switch().map(Some);
        }
        self.answered = true;
        self.keeps = self.head.keep_alive() && self.sent == Sent::Whole;
        self.body = Inbound::begin(self.head.body(), &mut self.conn);
        Ok(Some(Head::Final(match self.head.body() {
            Body::None => Length::None,
            Body::Length(length) => Length::Known(length),
            Body::Chunked | Body::UntilClose => Length::Unknown,
        })))
    }
}

impl Upstream {
    /// Takes a 101 that was asked for, after the request had left whole, and that proves that its key was read.
    fn switch(&mut self) -> Result<Head, BackendError> {
        let asked = self.expected.as_deref().filter(|_| self.sent == Sent::Whole);
        let granted = asked.is_some_and(|expected| {
            self.head.upgrade() == Upgrade::WebSocket && websocket::proves(&self.head, expected)
        });
        if !granted {
            return Err(BackendError::Protocol);
        }
        self.tunnel = true;
        self.answered = true;
        self.keeps = false;
        self.sent = Sent::Part;
        self.request = Outbound::UntilClose;
        self.body = Inbound::begin(Body::UntilClose, &mut self.conn);
        Ok(Head::Final(Length::Tunnel))
    }
}

impl Source for Upstream {
    type Error = BackendError;

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<Fill, BackendError>> {
        let filled = ready!(self.body.poll_fill(&mut self.conn, cx));
        Poll::Ready(filled.map_err(|fault| {
            self.keeps = false;
            match fault {
                Fault::Cut => BackendError::Reset,
                Fault::Malformed(_) => BackendError::Protocol,
            }
        }))
    }

    fn data(&self) -> &[u8] {
        self.body.data(&self.conn)
    }

    fn consume(&mut self, count: usize) {
        self.body.consume(&mut self.conn, count);
    }

    fn is_end(&self) -> bool {
        self.answered && self.body.is_end()
    }

    fn trailers(&mut self) -> Option<&Fields> {
        self.body.trailers(self.head.fields())
    }
}

impl Sink for Upstream {
    type Error = BackendError;

    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, BackendError>> {
        self.request.poll_write(&mut self.conn, cx, data).map_err(|_failed| BackendError::Reset)
    }

    fn finish(&mut self, trailers: Option<&Fields>) {
        if self.request.finish(&mut self.conn, trailers) {
            self.sent = Sent::Finished;
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BackendError>> {
        let mut flushed = ready!(self.conn.poll_flush(cx));
        if flushed.is_ok() && self.sent == Sent::Finished {
            if self.tunnel {
                flushed = ready!(self.conn.poll_shutdown(cx));
            }
            self.sent = Sent::Whole;
        }
        Poll::Ready(flushed.map_err(|_failed| BackendError::Reset))
    }
}

impl Backend for Upstream {
    fn request(&mut self, head: &RequestHead, edits: &Edits, length: Length) {
        let (body, outbound) = match length {
            Length::None | Length::Tunnel => (Body::None, Outbound::Nothing),
            Length::Known(length) => (Body::Length(length), Outbound::Known(length)),
            Length::Unknown => (Body::Chunked, Outbound::Chunked),
        };
        let persist = if length == Length::Tunnel { Persist::Upgrade } else { Persist::Keep };
        head.write(edits, body, persist, self.conn.output());
        self.expected = (length == Length::Tunnel).then(|| websocket::expected(head, edits)).flatten();
        self.method = head.method();
        self.request = outbound;
        self.sent = Sent::Part;
        self.gate.reset();
        self.answered = false;
        self.interim = 0;
        self.body = Inbound::NONE;
        self.keeps = false;
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, BackendError>> {
        loop {
            let input = self.conn.input();
            if !input.is_empty() {
                let limits = Limits::default();
                match response::parse_with(&mut self.gate, input, &limits, self.method, &mut self.head) {
                    Ok(Progress::Complete { head_len }) => {
                        self.conn.consume(head_len);
                        match self.judge() {
                            Ok(None) => continue,
                            Ok(Some(head)) => return Poll::Ready(Ok(head)),
                            Err(error) => return Poll::Ready(Err(error)),
                        }
                    }
                    Ok(Progress::Partial) => {}
                    Err(_) => return Poll::Ready(Err(BackendError::Protocol)),
                }
            }
            match ready!(self.conn.poll_read(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(BackendError::Reset)),
                Ok(_) => {}
            }
        }
    }

    fn head(&self) -> &ResponseHead {
        &self.head
    }
}
