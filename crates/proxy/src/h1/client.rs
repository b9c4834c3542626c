//! A client's connection: one request after the other out of it, their answers into it.
//!
//! A client that has sent a whole request and then ends its direction of a plain connection has finished sending,
//! no more: it still gets its answer (HAProxy's default, without `abortonclose`). One that closes TLS, or whose
//! socket fails, is gone.

use super::body::{Fault, Inbound, Outbound};
use super::conn::{Conn, Mark};
use crate::io::Io;
use crate::page::Page;
use crate::service::{Leave, Presence};
use crate::side::{Client, ClientError, Fill, Length, Sink, Source};
use crate::stock::Stock;
use nearside_http::{
    Body, Edits, Fields, Gate, Limits, Method, Persist, Progress, Refusal, RequestHead, ResponseHead,
};
use nearside_http::{Version, request, status};
use std::io;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};

/// A request body of which no more than this is left is read to its end after the answer, so that the connection
/// can be kept.
pub(super) const READ_OUT: usize = 64 * 1024;

/// The head of no request.
static NONE: LazyLock<RequestHead> = LazyLock::new(RequestHead::new);

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// How far the answer to the request at hand has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Waiting,
    Started,
    Whole,
    Cut,
}

/// What came instead of an answerable request, or one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Arrival {
    /// A request; its body may still be on the way.
    Request,
    /// The end of the connection.
    End,
    /// A head that is not taken.
    Refused(Refusal),
}

/// The client's side of the exchanges on one connection.
#[derive(Debug)]
pub struct Downstream {
    conn: Conn,
    presence: Presence,
    gate: Gate,
    /// Lent by the worker while a request is under way.
    head: Option<Box<RequestHead>>,
    body: Inbound,
    answer: Outbound,
    /// Where the answer begins.
    begins: Mark,
    stage: Stage,
    /// Whether another request may follow on this connection.
    keeps: bool,
    /// Whether the client waits for 100 before it sends the body.
    expects: bool,
    /// Whether a 100 has yet to leave.
    urges: bool,
    /// Whether the client has ended its direction.
    finished: bool,
    /// Whether the answer at hand ends by an orderly close, which has not come yet.
    ends_by_close: bool,
    /// Whether it is a tunnel now.
    tunnel: bool,
}

impl Downstream {
    pub(super) fn new(io: Io, stock: Arc<Stock>, presence: Presence) -> Self {
        Self {
            conn: Conn::new(io, stock),
            presence,
            gate: Gate::default(),
            head: None,
            body: Inbound::NONE,
            answer: Outbound::Nothing,
            begins: Mark::default(),
            stage: Stage::Waiting,
            keeps: true,
            expects: false,
            urges: false,
            finished: false,
            ends_by_close: false,
            tunnel: false,
        }
    }

    /// Waits for the next request.
    pub(super) fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Arrival> {
        loop {
            let input = self.conn.input();
            if !input.is_empty() {
                let head = self.head.get_or_insert_with(|| self.conn.stock().lend_request());
                match request::parse_with(&mut self.gate, input, &Limits::default(), head) {
                    Ok(Progress::Complete { head_len }) => {
                        self.begin(head_len);
                        return Poll::Ready(Arrival::Request);
                    }
                    Ok(Progress::Partial) => {}
                    Err(refusal) => return Poll::Ready(Arrival::Refused(refusal)),
                }
            }
            match ready!(self.conn.poll_read(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(Arrival::End),
                Ok(_) => {}
            }
        }
    }

    fn begin(&mut self, head_len: usize) {
        self.conn.consume(head_len);
        let body = self.asked().body();
        self.expects = self.asked().expects_continue() && self.conn.input().is_empty();
        self.body = Inbound::begin(body, &mut self.conn);
        self.answer = Outbound::Nothing;
        self.stage = Stage::Waiting;
        self.keeps = self.asked().keep_alive();
        self.urges = false;
    }

    /// Whether a request has begun to arrive.
    pub(super) fn has_begun(&self) -> bool {
        !self.conn.input().is_empty()
    }

    /// Whether the socket holds bytes that were not read.
    pub(super) fn has_spoken(&self) -> bool {
        self.conn.is_spoken_to()
    }

    /// Ready once the service closes.
    pub(super) fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.presence.poll_leave(Leave::AtOnce, cx)
    }

    /// Notes that nothing more is to be done than to wait for the client to go.
    pub(super) fn part(&mut self) {
        self.presence.parts(true);
    }

    /// Whether the client has been given a whole answer.
    pub(super) fn is_whole(&self) -> bool {
        self.stage == Stage::Whole
    }

    /// Whether the answer left it open that another request follows.
    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    /// Whether nothing of the request is left to be read, and nothing of the answer to be sent.
    pub(super) fn is_read_out(&self) -> bool {
        self.body.is_end() && self.conn.owed() == 0
    }

    /// Lets go of what only a request needs.
    pub(super) fn rest(&mut self) {
        self.body = Inbound::NONE;
        self.give_back_head();
    }

    fn give_back_head(&mut self) {
        if let Some(head) = self.head.take() {
            self.conn.stock().give_back_request(head);
        }
    }

    /// The head of the request at hand.
    fn asked(&self) -> &RequestHead {
        self.head.as_deref().unwrap_or_else(|| &NONE)
    }

    /// Answers a head that is not taken. The connection ends after it.
    pub(super) fn refuse(&mut self, page: &Page, reference: &[u8]) {
        let (head, edits) = page.refusal(reference);
        let out = self.conn.output();
        head.write(&edits, Body::Length(page.body.len() as u64), Persist::Close, out);
        out.extend_from_slice(page.body.as_bytes());
        self.stage = Stage::Cut;
    }

    /// Ends our direction of the connection.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = ready!(self.conn.poll_shutdown(cx));
        // All of the answer has left, so this close is its lawful end.
        self.ends_by_close &= shut.is_err();
        Poll::Ready(shut)
    }

    /// Whether nothing more is to be expected from the client, so that closing cannot harm the answer.
    pub(super) fn is_silent(&self) -> bool {
        let said_last = self.finished || !self.asked().keep_alive();
        said_last && self.body.is_end() && self.conn.input().is_empty() && self.stage == Stage::Whole
    }

    /// Reads on and forgets it; 0 at the end.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let waiting = self.conn.input().len();
        self.conn.consume(waiting);
        let read = ready!(self.conn.poll_read(cx)).unwrap_or(0);
        self.conn.consume(read);
        Poll::Ready(read)
    }

    /// Whether the rest of the request body is sure to be read, so that the next request can be told from it.
    fn reads_out(&self) -> bool {
        !self.expects && self.body.left().is_some_and(|left| left <= READ_OUT as u64)
    }

    /// The framing of an answer to the request at hand, and what is written of the body.
    fn frame(&self, status: u16, length: Length) -> (Body, Outbound) {
        let bodiless = self.asked().method() == Method::Head || status::is_bodiless(status);
        match length {
            Length::Known(length) if bodiless => (Body::Length(length), Outbound::Nothing),
            Length::None | Length::Unknown if bodiless => (Body::None, Outbound::Nothing),
            Length::None => (Body::Length(0), Outbound::Nothing),
            Length::Known(length) => (Body::Length(length), Outbound::Known(length)),
            Length::Unknown if self.asked().version() == Version::Http10 => {
                (Body::UntilClose, Outbound::UntilClose)
            }
            Length::Unknown => (Body::Chunked, Outbound::Chunked),
            Length::Tunnel => (Body::None, Outbound::UntilClose),
        }
    }

    /// Says yes to a tunnel: what has come behind the request is its first bytes.
    fn switch(&mut self, head: &ResponseHead, edits: &Edits) {
        head.write(edits, Body::None, Persist::Upgrade, self.conn.output());
        self.tunnel = true;
        self.keeps = false;
        self.answer = Outbound::UntilClose;
        self.body = Inbound::begin(Body::UntilClose, &mut self.conn);
        self.ends_by_close = true;
        self.stage = Stage::Started;
    }
}

impl Source for Downstream {
    type Error = ClientError;

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<Fill, ClientError>> {
        if self.expects && self.stage == Stage::Waiting {
            self.expects = false;
            self.urges = true;
            self.conn.output().extend_from_slice(CONTINUE);
        }
        if self.urges {
            match self.conn.poll_flush(cx) {
                Poll::Ready(Ok(())) => self.urges = false,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(ClientError::Gone)),
                Poll::Pending => {}
            }
        }
        self.body.poll_fill(&mut self.conn, cx).map_err(|fault| match fault {
            Fault::Cut => ClientError::Gone,
            Fault::Malformed(refusal) => ClientError::Malformed(refusal),
        })
    }

    fn data(&self) -> &[u8] {
        self.body.data(&self.conn)
    }

    fn consume(&mut self, count: usize) {
        self.body.consume(&mut self.conn, count);
    }

    fn is_end(&self) -> bool {
        self.body.is_end()
    }

    fn trailers(&mut self) -> Option<&Fields> {
        self.body.trailers(self.head.as_deref().unwrap_or_else(|| &NONE).fields())
    }
}

impl Sink for Downstream {
    type Error = ClientError;

    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, ClientError>> {
        self.answer.poll_write(&mut self.conn, cx, data).map_err(|_failed| ClientError::Gone)
    }

    fn finish(&mut self, trailers: Option<&Fields>) {
        let whole = self.answer.finish(&mut self.conn, trailers);
        if self.stage == Stage::Started {
            self.stage = if whole { Stage::Whole } else { Stage::Cut };
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        ready!(self.conn.poll_flush(cx)).map_err(|_failed| ClientError::Gone)?;
        if self.tunnel && self.ends_by_close && self.stage == Stage::Whole {
            return self.poll_shutdown(cx).map_err(|_failed| ClientError::Gone);
        }
        Poll::Ready(Ok(()))
    }

    fn owed(&self) -> u64 {
        self.conn.owed() as u64
    }
}

impl Client for Downstream {
    fn head(&self) -> &RequestHead {
        self.asked()
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // What the client has sent ahead stays where it is, and the watch ends with it: the buffer is bounded. A tunnel
        // whose direction has ended is told of nothing more.
        if self.finished || self.tunnel || !self.conn.input().is_empty() {
            return Poll::Pending;
        }
        match ready!(self.conn.poll_read(cx)) {
            Ok(0) if self.body.is_end() && matches!(self.conn.io(), Io::Plain(_)) => {
                self.finished = true;
                Poll::Pending
            }
            Ok(0) | Err(_) => Poll::Ready(()),
            Ok(_) => {
                self.body.look(&mut self.conn);
                Poll::Pending
            }
        }
    }

    fn informational(&mut self, head: &ResponseHead, edits: &Edits) {
        if self.asked().version() == Version::Http11 && self.stage == Stage::Waiting {
            head.write(edits, Body::None, Persist::Keep, self.conn.output());
        }
    }

    fn answer(&mut self, head: &ResponseHead, edits: &Edits, length: Length) {
        if length == Length::Tunnel {
            return self.switch(head, edits);
        }
        let (body, outbound) = self.frame(head.status(), length);
        self.keeps =
            self.keeps && body != Body::UntilClose && self.reads_out() && !self.presence.is_closing();
        let persist = match (self.keeps, self.asked().version()) {
            (false, _) => Persist::Close,
            (true, Version::Http10) => Persist::KeepAlive,
            (true, _) => Persist::Keep,
        };
        self.begins = self.conn.mark();
        head.write(edits, body, persist, self.conn.output());
        self.answer = outbound;
        self.ends_by_close = body == Body::UntilClose;
        self.stage = Stage::Started;
    }

    fn is_answered(&self) -> bool {
        self.stage != Stage::Waiting
    }

    fn retract(&mut self) -> bool {
        let retracted = self.stage == Stage::Started && !self.tunnel && self.conn.take_back(self.begins);
        if retracted {
            self.answer = Outbound::Nothing;
            self.stage = Stage::Waiting;
            self.ends_by_close = false;
            self.keeps = self.asked().keep_alive();
        }
        retracted
    }

    fn abort(&mut self) {
        if self.conn.owed() > 0 {
            // A client that has not taken this has not taken what the system holds for it either; nobody keeps that for it.
            self.conn.reset_on_close();
        }
        self.stage = Stage::Cut;
    }
}

impl Drop for Downstream {
    fn drop(&mut self) {
        self.give_back_head();
        if self.ends_by_close {
            // An orderly close would make what was sent so far look whole.
            self.conn.reset_on_close();
        }
    }
}
