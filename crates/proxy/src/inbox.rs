//! Inbox: what was read of a client's or a backend's stream and not consumed, in a buffer that the worker lends only while
//! bytes are in it.

use crate::io::Readable;
use crate::stock::{BUFFER, HUGE, Stock};
use std::io;
use std::mem;
use std::task::{Context, Poll};
use tokio::sync::OwnedSemaphorePermit;

/// What is read at once when more arrives than a lent buffer holds.
const LARGE: usize = 64 * 1024;

/// The reading side of one byte stream.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    buffer: Vec<u8>,
    /// How many of its bytes were consumed.
    taken: usize,
    /// What is read next.
    amount: Amount,
    /// Leave to have a buffer of [`HUGE`] bytes.
    permit: Option<OwnedSemaphorePermit>,
}

/// How much is read at once, by what the last read has found.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
enum Amount {
    /// What a lent buffer holds.
    #[default]
    Usual,
    /// [`LARGE`].
    Large,
    /// [`HUGE`], where the worker has leave for another one.
    Huge,
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
        if let Poll::Ready(Ok(count)) = &read {
            self.amount = match *count {
                count if count >= room && room >= LARGE => Amount::Huge,
                count if count >= room => self.amount.max(Amount::Large),
                count if count < BUFFER => Amount::Usual,
                count if count < LARGE => self.amount.min(Amount::Large),
                _ => self.amount,
            };
        }
        if self.buffer.is_empty() {
            self.give_back(stock);
        }
        read
    }

    fn give_back(&mut self, stock: &Stock) {
        if self.buffer.capacity() > 0 {
            stock.give_back(mem::take(&mut self.buffer));
            self.permit = None;
        }
    }

    fn make_room(&mut self, stock: &Stock) {
        if self.buffer.is_empty() {
            self.exchange(stock);
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

    /// Sees to it that the buffer, in which nothing is, is of the next amount.
    fn exchange(&mut self, stock: &Stock) {
        let capacity = self.buffer.capacity();
        let huge = (self.amount == Amount::Huge && capacity < HUGE).then(|| stock.lend_huge()).flatten();
        let buffer = match huge {
            Some((buffer, permit)) => {
                self.permit = Some(permit);
                buffer
            }
            None if self.amount >= Amount::Large && capacity < LARGE => Vec::with_capacity(LARGE),
            None if capacity == 0 => stock.lend(),
            None => return,
        };
        stock.give_back(mem::replace(&mut self.buffer, buffer));
    }

    /// The buffer, whatever is in it.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    /// What each read brings, until nothing is left.
    async fn reads(inbox: &mut Inbox, io: &mut DuplexStream, stock: &Stock) -> Vec<usize> {
        let mut counts = Vec::new();
        loop {
            let read = poll_fn(|cx| Poll::Ready(inbox.poll_read(io, stock, cx))).await;
            let Poll::Ready(count) = read else { return counts };
            counts.push(count.unwrap());
            inbox.consume(inbox.unread().len());
        }
    }

    #[tokio::test]
    async fn what_fills_a_buffer_is_read_into_a_larger_one() {
        let (mut near, mut far) = duplex(2 * HUGE);
        let (mut inbox, stock) = (Inbox::default(), Stock::default());
        far.write_all(&vec![0; BUFFER + LARGE + HUGE + 9]).await.unwrap();
        assert_eq!(reads(&mut inbox, &mut near, &stock).await, [BUFFER, LARGE, HUGE, 9]);
        assert!(inbox.buffer.capacity() == 0 && inbox.permit.is_none(), "idle, it holds nothing");
        far.write_all(&vec![0; LARGE]).await.unwrap();
        assert_eq!(reads(&mut inbox, &mut near, &stock).await, [BUFFER, LARGE - BUFFER]);
    }

    #[tokio::test]
    async fn where_no_huge_buffer_is_left_large_ones_do() {
        let (mut near, mut far) = duplex(2 * HUGE);
        let (mut inbox, stock) = (Inbox::default(), Stock::default());
        let lent: Vec<_> = std::iter::from_fn(|| stock.lend_huge()).collect();
        far.write_all(&vec![0; BUFFER + 3 * LARGE]).await.unwrap();
        assert_eq!(reads(&mut inbox, &mut near, &stock).await, [BUFFER, LARGE, LARGE, LARGE]);
        drop(lent);
    }
}
