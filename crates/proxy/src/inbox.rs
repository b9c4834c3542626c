//! Inbox: what was read of a client's or a backend's stream and not consumed, in a buffer that the worker lends only while
//! bytes are in it.

use crate::io::Readable;
use crate::stock::{BUFFER, Stock};
use std::io;
use std::mem;
use std::task::{Context, Poll};

/// What is read at once when more arrives than a lent buffer holds.
const LARGE: usize = 64 * 1024;

/// The reading side of one byte stream.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    buffer: Vec<u8>,
    /// How many of its bytes were consumed.
    taken: usize,
    /// Whether the last read found more than a lent buffer holds.
    large: bool,
}

impl Inbox {
    /// What was read and not consumed.
    pub(crate) fn unread(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    /// Takes `count` bytes off it.
    pub(crate) fn consume(&mut self, count: usize) {
        self.taken += count;
        if self.taken >= self.buffer.len() {
            self.buffer.clear();
            self.taken = 0;
        }
    }

    /// Reads more out of `io`, behind what is there; 0 is the end of the stream. No buffer is lent before there is something to
    /// read, and it goes back to the stock when nothing came and nothing is in it.
    pub(crate) fn poll_read<T: Readable>(
        &mut self,
        io: &mut T,
        stock: &Stock,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.buffer.is_empty() && io.poll_readable(cx)?.is_pending() {
            self.give_back(stock);
            return Poll::Pending;
        }
        self.make_room(stock);
        let room = self.buffer.capacity() - self.buffer.len();
        let read = io.poll_fill(cx, &mut self.buffer);
        match &read {
            Poll::Ready(Ok(count)) if *count >= room => self.large = true,
            Poll::Ready(Ok(count)) if *count < BUFFER => self.large = false,
            _ => {}
        }
        if self.buffer.is_empty() {
            self.give_back(stock);
        }
        read
    }

    fn give_back(&mut self, stock: &Stock) {
        if self.buffer.capacity() > 0 {
            stock.give_back(mem::take(&mut self.buffer));
        }
    }

    fn make_room(&mut self, stock: &Stock) {
        if self.buffer.is_empty() {
            if self.large && self.buffer.capacity() < LARGE {
                stock.give_back(mem::replace(&mut self.buffer, Vec::with_capacity(LARGE)));
            } else if self.buffer.capacity() == 0 {
                self.buffer = stock.lend();
            }
        } else if self.buffer.capacity() == self.buffer.len() {
            if self.taken > 0 {
                self.buffer.copy_within(self.taken.., 0);
                self.buffer.truncate(self.buffer.len() - self.taken);
                self.taken = 0;
            } else {
                self.buffer.reserve(self.buffer.len().max(BUFFER));
            }
        }
    }

    /// The buffer, whatever is in it.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}
