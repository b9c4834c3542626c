//! Wire: a client's connection as bytes, read into a buffer that is held only while bytes are in it, written out of the outbox.

use crate::deadline::Deadline;
use crate::h2::outbox::Outbox;
use crate::inbox::Inbox;
use crate::io::Readable;
use crate::stock::Stock;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWrite;

/// How long a client may take nothing of what waits.
const STALL: Duration = Duration::from_secs(30);

/// The bytes of one connection.
#[derive(Debug)]
pub(super) struct Wire<T> {
    io: T,
    stock: Arc<Stock>,
    inbox: Inbox,
    /// Whether `io` may hold bytes that it has taken and not sent.
    unflushed: bool,
    stall: Deadline,
    /// How many bytes had been sent when the client was waited for first.
    stalled_at: Option<u64>,
}

impl<T: Readable + AsyncWrite + Unpin> Wire<T> {
    pub(super) fn new(io: T, stock: Arc<Stock>) -> Self {
        Self {
            io,
            stock,
            inbox: Inbox::default(),
            unflushed: false,
            stall: Deadline::default(),
            stalled_at: None,
        }
    }

    /// What lends the buffers.
    pub(super) fn stock(&self) -> &Arc<Stock> {
        &self.stock
    }

    /// What was read and not consumed.
    pub(super) fn input(&self) -> &[u8] {
        self.inbox.unread()
    }

    /// Takes `count` bytes off the input.
    pub(super) fn consume(&mut self, count: usize) {
        self.inbox.consume(count);
    }

    /// Reads more input, behind what is there; 0 is the end of the stream.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.inbox.poll_read(&mut self.io, &self.stock, cx)
    }

    /// Sends what waits.
    ///
    /// # Errors
    /// The client takes no more, or has not taken a byte for [`STALL`]. Nothing else bounds how long it may let what its
    /// windows allowed lie here.
    pub(super) fn poll_send(&mut self, outbox: &mut Outbox, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(sent) = self.poll_empty(outbox, cx) {
            self.stalled_at = None;
            return Poll::Ready(sent);
        }
        if self.stalled_at != Some(outbox.gone()) {
            self.stalled_at = Some(outbox.gone());
            self.stall.set(Some(STALL));
        }
        ready!(self.stall.poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_empty(&mut self, outbox: &mut Outbox, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let waiting @ [_, ..] = outbox.waiting() {
            self.unflushed = true;
            match ready!(Pin::new(&mut self.io).poll_write(cx, waiting))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => outbox.advance(count),
            }
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what waits and ends our direction.
    pub(super) fn poll_shutdown(
        &mut self,
        outbox: &mut Outbox,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(outbox, cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    /// Reads and forgets what comes; ready at the end, or once `budget` is used up.
    pub(super) fn poll_forget(&mut self, cx: &mut Context<'_>, budget: &mut usize) -> Poll<()> {
        while *budget > 0 {
            self.consume(self.input().len());
            match ready!(self.poll_read(cx)) {
                Ok(count @ 1..) => *budget = budget.saturating_sub(count),
                Ok(0) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}
