//! A connection with its buffers, which are lent by the worker only while bytes are in them.

use super::low_water::LowWater;
use crate::inbox::Inbox;
use crate::io::Io;
use crate::stock::Stock;
use std::io::{self, IoSlice};
use std::mem::{self, MaybeUninit};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWrite;

/// Output that has gathered to this much is sent before more is taken, and a piece of this size is not copied.
const ENOUGH: usize = 16 * 1024;

/// Reads and writes one byte stream.
#[derive(Debug)]
pub(super) struct Conn {
    io: Io,
    stock: Arc<Stock>,
    inbox: Inbox,
    low_water: LowWater,
    /// What is to be sent; of it, `sent` bytes were.
    outbox: Vec<u8>,
    sent: usize,
    /// How many bytes have left in all.
    left: u64,
}

/// A place in the output.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    left: u64,
    waiting: usize,
}

impl Conn {
    pub(super) fn new(io: Io, stock: Arc<Stock>) -> Self {
        let (inbox, low_water) = (Inbox::default(), LowWater::default());
        Self { io, stock, inbox, low_water, outbox: Vec::new(), sent: 0, left: 0 }
    }

    pub(super) fn stock(&self) -> &Stock {
        &self.stock
    }

    pub(super) fn io(&self) -> &Io {
        &self.io
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
        self.low_water.lift(&self.io);
        self.inbox.poll_read(&mut self.io, &self.stock, cx)
    }

    /// As [`Conn::poll_read`], of a body of which so many bytes are still to come: of one that comes fast, much at once.
    pub(super) fn poll_read_body(&mut self, left: u64, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let read = self.inbox.poll_read(&mut self.io, &self.stock, cx);
        match &read {
            Poll::Ready(Ok(count)) => {
                self.low_water.read(&self.io, *count, left.saturating_sub(*count as u64))
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.low_water.wait(&self.io, cx),
        }
        read
    }

    /// Whether the socket holds bytes that were not read: asked of the kernel, since the reactor may not know yet.
    pub(super) fn is_spoken_to(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        self.io.socket().peek(&mut byte).is_ok_and(|count| count > 0)
    }

    /// The end of what is to be sent, to write a head or a piece to.
    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        if self.outbox.capacity() == 0 {
            self.outbox = self.stock.lend();
        }
        &mut self.outbox
    }

    /// Ready when a further piece may be gathered.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outbox.len() < ENOUGH { Poll::Ready(Ok(())) } else { self.poll_drain(cx) }
    }

    /// Takes some of `data`: gathered behind what waits to be sent, or, where it is large and nothing waits or both can be sent by
    /// one call, written as it lies.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if data.len() >= ENOUGH && self.io.is_write_vectored() {
            return self.poll_send_with(cx, data);
        }
        ready!(self.poll_room(cx))?;
        if self.outbox.is_empty() && data.len() >= ENOUGH {
            let count = ready!(Pin::new(&mut self.io).poll_write(cx, data))?;
            self.left += count as u64;
            return Poll::Ready(Ok(count));
        }
        let count = data.len().min(ENOUGH.saturating_sub(self.outbox.len()));
        self.output().extend_from_slice(data.get(..count).unwrap_or(data));
        Poll::Ready(Ok(count))
    }

    /// Sends what was gathered, and some of `data` behind it.
    fn poll_send_with(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let waiting = self.outbox.get(self.sent..).unwrap_or_default();
            let pieces = [IoSlice::new(waiting), IoSlice::new(data)];
            let pieces = if waiting.is_empty() { pieces.get(1..).unwrap_or_default() } else { &pieces };
            let count = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, pieces))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.left += count as u64;
            let Some(taken) = count.checked_sub(waiting.len()) else {
                self.sent += count;
                continue;
            };
            self.sent = 0;
            self.outbox.clear();
            if taken > 0 {
                return Poll::Ready(Ok(taken));
            }
        }
    }

    /// Sends what was gathered, and what TLS has gathered of it; the buffer goes back.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        if self.outbox.capacity() > 0 {
            self.stock.give_back(mem::take(&mut self.outbox));
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest @ [_, ..]) = self.outbox.get(self.sent..) {
            match ready!(Pin::new(&mut self.io).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => {
                    self.sent += count;
                    self.left += count as u64;
                }
            }
        }
        self.sent = 0;
        self.outbox.clear();
        Poll::Ready(Ok(()))
    }

    /// How many bytes wait to be sent.
    pub(super) fn owed(&self) -> usize {
        self.outbox.len().saturating_sub(self.sent)
    }

    /// Where the output stands: what is written from now on can be taken back as long as nothing of it has left.
    pub(super) fn mark(&self) -> Mark {
        Mark { left: self.left, waiting: self.outbox.len() }
    }

    /// Takes back what was written since `mark`; whether nothing had left.
    pub(super) fn take_back(&mut self, mark: Mark) -> bool {
        let kept = self.left == mark.left;
        if kept {
            self.outbox.truncate(mark.waiting);
        }
        kept
    }

    /// Whether nothing waits to be consumed or to be sent.
    pub(super) fn is_quiet(&self) -> bool {
        self.input().is_empty() && self.outbox.is_empty()
    }

    /// Ends our direction of the stream.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    /// Makes the close that follows a reset, so that the peer cannot take it for an orderly end.
    pub(super) fn reset_on_close(&mut self) {
        // A socket that is closed already needs no reset.
        drop(self.io.socket().set_linger(Some(Duration::ZERO)));
    }

    /// The stream, where no byte is left in either direction.
    pub(super) fn into_io(self) -> Option<Io> {
        if !self.is_quiet() {
            return None;
        }
        for buffer in [self.inbox.into_buffer(), self.outbox] {
            if buffer.capacity() > 0 {
                self.stock.give_back(buffer);
            }
        }
        Some(self.io)
    }
}
