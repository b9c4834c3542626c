//! A connection to a backend with a request on it, whichever protocol it speaks.

use super::idle::Lease;
use super::slot::Slot;
use crate::side::{Backend, BackendError, Fill, Head, Length, Sink, Source};
use crate::{h1, h2};
use nearside_http::{Edits, Fields, RequestHead, ResponseHead};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A connection that one request has for itself, or its stream of a shared one. Dropping it closes it.
#[derive(Debug)]
pub struct Conn {
    pub(super) kind: Kind,
    pub(super) link: Link,
}

/// What it speaks.
#[derive(Debug)]
pub(super) enum Kind {
    /// Boxed, as the other: it changes hands often on its way to an exchange and back.
    H1(Box<h1::Upstream>),
    H2(Box<h2::Upstream>),
}

/// Where it belongs.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) slot: Arc<Slot>,
    pub(super) address: Option<SocketAddr>,
    pub(super) lease: Arc<Lease>,
}

impl Conn {
    /// The address at its other end; none of a Unix socket.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.link.address
    }

    /// Whether it speaks HTTP/2.
    #[must_use]
    pub fn is_h2(&self) -> bool {
        matches!(self.kind, Kind::H2(_))
    }
}

macro_rules! either {
    ($conn:expr, $inner:ident => $call:expr) => {
        match $conn {
            Kind::H1($inner) => $call,
            Kind::H2($inner) => $call,
        }
    };
}

impl Source for Conn {
    type Error = BackendError;

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<Fill, BackendError>> {
        either!(&mut self.kind, inner => inner.poll_fill(cx))
    }

    fn data(&self) -> &[u8] {
        either!(&self.kind, inner => inner.data())
    }

    fn consume(&mut self, count: usize) {
        either!(&mut self.kind, inner => inner.consume(count));
    }

    fn is_end(&self) -> bool {
        either!(&self.kind, inner => inner.is_end())
    }

    fn trailers(&mut self) -> Option<&Fields> {
        either!(&mut self.kind, inner => inner.trailers())
    }
}

impl Sink for Conn {
    type Error = BackendError;

    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, BackendError>> {
        either!(&mut self.kind, inner => inner.poll_write(cx, data))
    }

    fn finish(&mut self, trailers: Option<&Fields>) {
        either!(&mut self.kind, inner => inner.finish(trailers));
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BackendError>> {
        either!(&mut self.kind, inner => inner.poll_flush(cx))
    }
}

impl Backend for Conn {
    fn request(&mut self, head: &RequestHead, edits: &Edits, length: Length) {
        either!(&mut self.kind, inner => inner.request(head, edits, length));
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, BackendError>> {
        either!(&mut self.kind, inner => inner.poll_head(cx))
    }

    fn head(&self) -> &ResponseHead {
        either!(&self.kind, inner => inner.head())
    }
}
