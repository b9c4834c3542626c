//! The two sides of an exchange, as traits: what a client's request is read from and answered to, and what a
//! backend's connection carries.
//!
//! Data is lent, not handed over: a source fills itself ([`Source::poll_fill`]), shows what it has
//! ([`Source::data`]) and is told how much was taken ([`Source::consume`]); a sink takes what it has room for
//! ([`Sink::poll_write`]). That is all there is to back-pressure: who is not polled reads nothing.

use nearside_core::Reason;
use nearside_http::{Edits, Fields, Refusal, RequestHead, ResponseHead};
use std::task::{Context, Poll};

/// What a source has after it was filled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fill {
    /// [`Source::data`] is not empty.
    Data,
    /// The body has ended, whole; [`Source::trailers`] has its trailers.
    End,
}

/// Why a client's side of an exchange ended early.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client closed the connection or reset the stream.
    #[error("the client went away")]
    Gone,
    /// The client broke the protocol's rules.
    #[error("the request is malformed: {0}")]
    Malformed(Refusal),
    /// More body than the route allows.
    #[error("the request body is too large")]
    TooLarge,
}

/// Why a backend's side of an exchange ended early.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BackendError {
    /// The connection closed or the stream was reset.
    #[error("the backend closed the connection")]
    Reset,
    /// The backend said that it has not looked at the request: h2 REFUSED_STREAM, or a stream above the last
    /// one of GOAWAY. Repeating is safe for any method.
    #[error("the backend refused the stream unseen")]
    Unseen,
    /// The answer breaks the protocol's rules.
    #[error("the backend's answer is malformed")]
    Protocol,
}

impl BackendError {
    /// The reason that log and metrics give.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Reset | Self::Unseen => Reason::FailedReset,
            Self::Protocol => Reason::FailedProtocol,
        }
    }
}

/// How long a body is, as its head announces it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Length {
    /// There is none.
    None,
    /// This many bytes, which may be 0.
    Known(u64),
    /// It ends when it ends: chunked, an h2 stream, or until close.
    Unknown,
    /// There is none: the request asks to make a tunnel of the connection or stream, and the answer grants it. From a
    /// granting answer on both sides carry bytes as they are, and each direction ends by itself.
    Tunnel,
}

/// Something that a body is read from.
pub trait Source {
    /// What ends it early.
    type Error;

    /// Makes [`Source::data`] non-empty, or finds the end. Does nothing while data is left.
    ///
    /// # Errors
    /// The body will not arrive whole.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<Fill, Self::Error>>;

    /// The body's bytes that have arrived and were not consumed. May be non-empty before the first
    /// [`Source::poll_fill`].
    fn data(&self) -> &[u8];

    /// Takes `count` bytes off the front of [`Source::data`].
    fn consume(&mut self, count: usize);

    /// Whether the body has ended and nothing of it is left to consume: known without waiting.
    fn is_end(&self) -> bool;

    /// The trailers, after the end; lawful ones only.
    fn trailers(&mut self) -> Option<&Fields>;
}

/// Something that a body is written to. Bytes are taken at once and leave with [`Sink::poll_flush`] or when
/// enough have gathered.
pub trait Sink {
    /// What ends it early.
    type Error;

    /// Takes some of `data`, in the framing that the head announced; `Pending` when there is no room.
    ///
    /// # Errors
    /// The peer takes no more.
    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, Self::Error>>;

    /// Ends the body, with trailers where there are some and the protocol has a place for them. Called once after
    /// each head, also after [`Length::None`] and after bodies whose length was known, where there is nothing
    /// left to say. In a tunnel it ends this direction, and no other.
    fn finish(&mut self, trailers: Option<&Fields>);

    /// Sends what has been taken.
    ///
    /// # Errors
    /// The peer takes no more.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>>;

    /// How many bytes have been taken and not left, as far as that is known here.
    fn owed(&self) -> u64 {
        0
    }
}

/// The client's side of one exchange: the source of the request's body and the sink of the answer's.
pub trait Client: Source<Error = ClientError> + Sink<Error = ClientError> {
    /// The request. `Expect: 100-continue` is answered by the implementation: when the body is first asked for
    /// (`poll_fill`) and no final head was started, it sends 100 Continue.
    fn head(&self) -> &RequestHead;

    /// Ready when the client has gone; asked while the exchange waits for the backend and the body was read.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Passes a 1xx answer on (never 100, never 101), where the client's protocol version has them.
    fn informational(&mut self, head: &ResponseHead, edits: &Edits);

    /// Starts the final answer: `head` with `edits` applied, hop-by-hop fields and framing left out and our
    /// framing put in. `length` is the body's; [`Length::None`] for answers without one (HEAD, 204, 304: the
    /// head's own `content-length` is then kept). [`Length::Tunnel`] says yes in the client's protocol, whatever the
    /// head's status; what the client sends from then on is the source's. Nothing is flushed.
    fn answer(&mut self, head: &ResponseHead, edits: &Edits, length: Length);

    /// Whether a final answer was started.
    fn is_answered(&self) -> bool;

    /// Takes a final answer back of which nothing has left yet; whether it could. Then another may be started.
    fn retract(&mut self) -> bool {
        false
    }

    /// Ends the answer early although nobody failed, as visibly as [`Client::abort`] does: with CANCEL (h2).
    fn cancel(&mut self) {
        self.abort();
    }

    /// Cuts the answer so that the client sees that it is not whole: closes the connection (h1) or resets the
    /// stream (h2).
    fn abort(&mut self);
}

/// What [`Backend::poll_head`] found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Head {
    /// A 1xx answer; [`Backend::head`] has it until the next `poll_head`.
    Informational,
    /// The final answer's head, with the length of the body that follows; [`Length::Tunnel`] only where one was asked
    /// for, and granted by the protocol's rules.
    Final(Length),
}

/// The backend's side of one try: the sink of the request's body and the source of the answer's.
pub trait Backend: Source<Error = BackendError> + Sink<Error = BackendError> {
    /// Starts the request: `head` with `edits` applied, hop-by-hop fields and framing left out and the right
    /// framing put in. [`Length::Tunnel`] asks for a tunnel in the backend's protocol; until it is granted there is
    /// nothing more to send. Nothing is flushed.
    fn request(&mut self, head: &RequestHead, edits: &Edits, length: Length);

    /// Waits for the next head: 1xx ones first, then the final one.
    ///
    /// # Errors
    /// No (whole, lawful) head arrives.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, BackendError>>;

    /// The head that `poll_head` found last.
    fn head(&self) -> &ResponseHead;
}
