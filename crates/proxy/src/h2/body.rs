//! The two directions of the body of a backend's stream: what arrives is lent out and its window opened again as it is
//! taken; what leaves is cut into frames as the backend's window allows.

use crate::side::{Fill, Length};
use ::h2::{Reason, RecvStream, SendStream};
use bytes::{Buf, Bytes};
use http::HeaderMap;
use std::task::{Context, Poll, ready};

/// The most that one DATA frame carries: the least `SETTINGS_MAX_FRAME_SIZE`, so that a piece is one frame.
const PIECE: usize = 16 * 1024;

/// The body that arrives on a stream.
#[derive(Debug)]
pub(super) struct Inbound {
    stream: RecvStream,
    chunk: Bytes,
    /// How much of the chunk was taken and not yet given back to the window.
    owed: usize,
    trailers: Option<HeaderMap>,
    ended: bool,
}

impl Inbound {
    pub(super) fn new(stream: RecvStream) -> Self {
        let ended = stream.is_end_stream();
        Self { stream, chunk: Bytes::new(), owed: 0, trailers: None, ended }
    }

    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<Fill, ::h2::Error>> {
        while self.chunk.is_empty() {
            if self.ended {
                return Poll::Ready(Ok(Fill::End));
            }
            match ready!(self.stream.poll_data(cx)) {
                Some(chunk) => self.chunk = chunk?,
                None => {
                    self.trailers = ready!(self.stream.poll_trailers(cx))?;
                    self.ended = true;
                }
            }
        }
        Poll::Ready(Ok(Fill::Data))
    }

    pub(super) fn data(&self) -> &[u8] {
        &self.chunk
    }

    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.chunk.len());
        self.chunk.advance(count);
        self.owed += count;
        if self.chunk.is_empty() {
            // Let go of the read buffer that the chunk was cut from.
            self.chunk = Bytes::new();
            // It only fails for more than what came, and then there is nothing to give back.
            drop(self.stream.flow_control().release_capacity(std::mem::take(&mut self.owed)));
        }
    }

    pub(super) fn is_end(&self) -> bool {
        self.chunk.is_empty() && (self.ended || self.stream.is_end_stream())
    }

    /// The trailers, once.
    pub(super) fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }
}

/// The peer takes no more of the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stopped;

/// The body that leaves on a stream.
#[derive(Debug)]
pub(super) enum Outbound {
    /// The head said that there is none; what is written all the same is dropped, as the body of an answer to HEAD
    /// is.
    Nothing(SendStream<Bytes>),
    /// It is under way.
    Open(Open),
    /// It has ended.
    Ended,
    /// There was no stream any more to begin it on.
    Stopped,
}

/// A body under way.
#[derive(Debug)]
pub(super) struct Open {
    stream: SendStream<Bytes>,
    /// The last piece, which waits until it is known whether the body ends with it.
    held: Bytes,
    /// How much is still due, where the head said how long the body is.
    left: Option<u64>,
}

impl Outbound {
    /// The body after a head that did not end the stream.
    pub(super) fn new(stream: SendStream<Bytes>, length: Length) -> Self {
        let left = match length {
            Length::Known(length) => Some(length),
            Length::None | Length::Unknown | Length::Tunnel => None,
        };
        Self::Open(Open { stream, held: Bytes::new(), left })
    }

    /// Begins the body of a tunnel that was granted, of whose head it was not known whether one follows.
    pub(super) fn open(&mut self) {
        *self = match std::mem::replace(self, Self::Stopped) {
            Self::Nothing(stream) => Self::new(stream, Length::Tunnel),
            other => other,
        };
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, Stopped>> {
        match self {
            Self::Nothing(_) => Poll::Ready(Ok(data.len())),
            Self::Open(open) => open.poll_write(cx, data),
            Self::Ended | Self::Stopped => Poll::Ready(Err(Stopped)),
        }
    }

    /// Sends what is held, without an end.
    pub(super) fn push(&mut self) {
        if let Self::Open(open) = self {
            open.push();
        }
    }

    /// Ends the body; one that is shorter than its head said is cut.
    pub(super) fn finish(&mut self, trailers: Option<HeaderMap>) {
        match std::mem::replace(self, Self::Stopped) {
            Self::Open(mut open) => {
                if open.left.is_some_and(|left| left > 0) {
                    return open.stream.send_reset(Reason::INTERNAL_ERROR);
                }
                if let Some(trailers) = trailers {
                    open.push();
                    drop(open.stream.send_trailers(trailers));
                } else {
                    open.send(true);
                }
                *self = Self::Ended;
            }
            other => *self = other,
        }
    }
}

impl Open {
    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, Stopped>> {
        self.push();
        let due = self.left.and_then(|left| usize::try_from(left).ok()).unwrap_or(PIECE);
        let wanted = data.len().min(PIECE).min(due);
        if wanted == 0 && !data.is_empty() {
            return Poll::Ready(Err(Stopped));
        }
        self.stream.reserve_capacity(wanted);
        let mut room = self.stream.capacity();
        if room == 0 && wanted > 0 {
            room = match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(room)) => room,
                Some(Err(_)) | None => return Poll::Ready(Err(Stopped)),
            };
        }
        let piece = data.get(..wanted.min(room)).unwrap_or(data);
        self.held = Bytes::copy_from_slice(piece);
        self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
        Poll::Ready(Ok(piece.len()))
    }

    fn push(&mut self) {
        if !self.held.is_empty() {
            self.send(false);
        }
    }

    /// Hands the held piece over. A stream that was reset takes none; that is found out where it is waited for.
    fn send(&mut self, end: bool) {
        drop(self.stream.send_data(std::mem::take(&mut self.held), end));
    }
}
