//! Outbox: frames that wait to be sent, those of all streams in one buffer.
//!
//! The tasks of all streams that are ready run before their connection's task does, so that one encryption and one send
//! carry all their answers. While nothing waits no buffer is held.

use crate::stock::{BUFFER, Stock};
use nearside_http::h2::flag;
use std::sync::Arc;

/// When this much waits no stream adds to it.
pub(super) const FULL: usize = 48 * 1024;

/// The room of a buffer that has to hold more than a lent one.
const CAPACITY: usize = 64 * 1024;

/// Where the flags stand in a frame.
const FLAGS: usize = 4;

/// What waits.
#[derive(Debug)]
pub(super) struct Outbox {
    stock: Arc<Stock>,
    bytes: Vec<u8>,
    /// Of these, how many were sent.
    sent: usize,
    /// How many had been sent before the first of them.
    before: u64,
}

/// Where a frame begins, among all bytes that were ever written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Mark(u64);

impl Outbox {
    pub(super) fn new(stock: Arc<Stock>) -> Self {
        Self { stock, bytes: Vec::new(), sent: 0, before: 0 }
    }

    /// What waits.
    pub(super) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// How much waits.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// How many bytes have been sent in all.
    pub(super) fn gone(&self) -> u64 {
        self.before + self.sent as u64
    }

    /// The end of it, to write a frame to; with room for so many bytes.
    pub(super) fn end(&mut self, room: usize) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = self.stock.lend();
        }
        if self.bytes.capacity() - self.bytes.len() < room {
            self.bytes.copy_within(self.sent.., 0);
            self.bytes.truncate(self.len());
            self.before += std::mem::take(&mut self.sent) as u64;
            // The next ones need room, too.
            self.bytes.reserve(room.max(CAPACITY.saturating_sub(self.bytes.len())));
        }
        &mut self.bytes
    }

    /// Where the next frame will begin.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.before + self.bytes.len() as u64)
    }

    /// Makes the frame that begins here the last of its stream; whether it still waits.
    pub(super) fn end_stream(&mut self, mark: Mark) -> bool {
        let at = mark.0.checked_sub(self.before).and_then(|at| usize::try_from(at).ok());
        let flags = at.filter(|at| *at >= self.sent).and_then(|at| self.bytes.get_mut(at + FLAGS));
        flags.map(|flags| *flags |= flag::END_STREAM).is_some()
    }

    /// Notes how many bytes were sent. A buffer that is empty is given back, unless it is large and was needed.
    pub(super) fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.bytes.len() {
            let was_needed = self.bytes.len() > BUFFER;
            self.before += self.bytes.len() as u64;
            self.bytes.clear();
            self.sent = 0;
            if !was_needed {
                self.rest();
            }
        }
    }

    /// Gives the buffer back, if nothing waits.
    pub(super) fn rest(&mut self) {
        if self.bytes.is_empty() && self.bytes.capacity() > 0 {
            self.stock.give_back(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_http::h2::{Head, head, kind};

    #[test]
    fn the_last_frame_of_a_stream_is_found_while_it_waits() {
        let mut outbox = Outbox::new(Arc::default());
        let put = |outbox: &mut Outbox, stream| {
            let mark = outbox.mark();
            head(Head { length: 0, kind: kind::DATA, flags: 0, stream }, outbox.end(9));
            mark
        };
        let marks = [1, 3, 5].map(|stream| put(&mut outbox, stream));
        outbox.advance(10);
        assert!(!outbox.end_stream(marks[0]) && !outbox.end_stream(marks[1]) && outbox.end_stream(marks[2]));
        assert_eq!(outbox.waiting()[8..][..9], [0, 0, 0, 0, flag::END_STREAM, 0, 0, 0, 5]);
        outbox.advance(17);
        assert!(outbox.len() == 0 && !outbox.end_stream(marks[2]) && !outbox.end_stream(outbox.mark()));
        let later = put(&mut outbox, 7);
        assert!(outbox.end_stream(later));
    }

    #[test]
    fn a_buffer_is_held_while_bytes_wait_and_a_large_one_while_it_is_needed() {
        let stock = Arc::<Stock>::default();
        let mut outbox = Outbox::new(Arc::clone(&stock));
        outbox.end(10).extend_from_slice(b"small");
        outbox.advance(5);
        assert_eq!(stock.count().free, 1);
        outbox.end(40_000).extend_from_slice(&[0; 40_000]);
        outbox.advance(40_000);
        assert!(outbox.bytes.capacity() >= CAPACITY);
        outbox.end(10).extend_from_slice(b"small");
        outbox.advance(5);
        assert_eq!(outbox.bytes.capacity(), 0);
    }
}
