//! The stock of one worker: read and write buffers, lent while bytes are there, and heads, lent for an exchange.
//!
//! An idle connection holds no buffer; what it had serves the next busy one.

use nearside_http::{RequestHead, ResponseHead};
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The least capacity of a lent buffer.
pub const BUFFER: usize = 8 * 1024;

/// The capacity of a huge buffer, for a body that fills every smaller one. What is taken from a socket at once costs one wake-up of
/// who sends it, and of who reads it here.
pub const HUGE: usize = 512 * 1024;

/// How many huge buffers are lent at once: slow clients of large answers hold no more than these, 16 MiB for each worker.
const HUGE_LENT: usize = 32;

/// How many huge buffers are kept for later: the pages of a new one are first touched one by one.
const HUGE_KEPT: usize = 4;

/// The most that is kept for later; beyond it memory goes back to the allocator.
const KEPT: usize = 128;

/// A buffer that grew beyond this is not kept.
const LARGEST_KEPT: usize = 2 * BUFFER;

/// A head that was larger than this is not kept.
const LARGEST_HEAD: usize = 4 * 1024;

/// Buffers to lend.
#[derive(Debug)]
pub struct Stock {
    shelf: Mutex<Shelf>,
    /// Leave to have huge buffers.
    huge: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Shelf {
    free: Vec<Vec<u8>>,
    huge: Vec<Vec<u8>>,
    made: u64,
    #[expect(clippy::vec_box, reason = "a head goes from the shelf to an exchange and back as one word")]
    heads: Vec<Box<ResponseHead>>,
    #[expect(clippy::vec_box, reason = "as the others")]
    requests: Vec<Box<RequestHead>>,
}

/// How a stock stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StockCount {
    /// Buffers that wait to be lent.
    pub free: usize,
    /// Buffers that were ever allocated.
    pub made: u64,
}

impl Default for Stock {
    fn default() -> Self {
        Self { shelf: Mutex::default(), huge: Arc::new(Semaphore::new(HUGE_LENT)) }
    }
}

impl Stock {
    /// An empty buffer with room for at least [`BUFFER`] bytes.
    #[must_use]
    pub fn lend(&self) -> Vec<u8> {
        let mut shelf = self.shelf();
        if let Some(buffer) = shelf.free.pop() {
            return buffer;
        }
        shelf.made += 1;
        drop(shelf);
        Vec::with_capacity(BUFFER)
    }

    /// An empty buffer with room for [`HUGE`] bytes, unless too many are lent, with the leave to have it.
    pub(crate) fn lend_huge(&self) -> Option<(Vec<u8>, OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.huge).try_acquire_owned().ok()?;
        let kept = self.shelf().huge.pop();
        Some((kept.unwrap_or_else(|| Vec::with_capacity(HUGE)), permit))
    }

    /// Takes a buffer back, whatever is in it. One that has grown large is let go.
    pub fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        match buffer.capacity() {
            BUFFER..=LARGEST_KEPT => keep(&mut self.shelf().free, buffer, KEPT),
            HUGE => keep(&mut self.shelf().huge, buffer, HUGE_KEPT),
            _ => {}
        }
    }

    /// Room for the head of an answer.
    #[must_use]
    pub fn lend_head(&self) -> Box<ResponseHead> {
        self.shelf().heads.pop().unwrap_or_default()
    }

    /// Takes a head back, whatever is in it.
    pub fn give_back_head(&self, mut head: Box<ResponseHead>) {
        let small = head.fields().buffer().len() <= LARGEST_HEAD;
        head.clear();
        if small {
            keep(&mut self.shelf().heads, head, KEPT);
        }
    }

    /// Room for the head of a request.
    #[must_use]
    pub fn lend_request(&self) -> Box<RequestHead> {
        self.shelf().requests.pop().unwrap_or_default()
    }

    /// Takes the head of a request back, whatever is in it.
    pub fn give_back_request(&self, mut head: Box<RequestHead>) {
        let small = head.fields().buffer().len() <= LARGEST_HEAD;
        head.clear();
        if small {
            keep(&mut self.shelf().requests, head, KEPT);
        }
    }

    /// How the stock stands.
    #[must_use]
    pub fn count(&self) -> StockCount {
        let shelf = self.shelf();
        StockCount { free: shelf.free.len(), made: shelf.made }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock()
    }
}

/// Puts one more on a shelf, unless `most` are there.
fn keep<T>(kept: &mut Vec<T>, one: T, most: usize) {
    if kept.len() < most {
        kept.push(one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_given_back_is_lent_again_empty() {
        let stock = Stock::default();
        let mut buffer = stock.lend();
        buffer.extend_from_slice(b"left over");
        stock.give_back(buffer);
        let again = stock.lend();
        assert!(again.is_empty() && again.capacity() >= BUFFER);
        assert_eq!(stock.count(), StockCount { free: 0, made: 1 });
    }

    #[test]
    fn a_head_given_back_is_lent_again_empty_and_a_large_one_is_let_go() {
        let stock = Stock::default();
        let read = |path: &str| {
            let mut head = stock.lend_request();
            let text = format!("GET /{path} HTTP/1.1\r\nhost: a\r\ncookie: secret\r\n\r\n");
            nearside_http::request::parse(text.as_bytes(), &nearside_http::Limits::default(), &mut head)
                .unwrap();
            stock.give_back_request(head);
            stock.shelf().requests.len()
        };
        assert_eq!(read("a"), 1);
        let again = stock.lend_request();
        assert!(again.fields().is_empty() && again.path().is_empty() && again.host().is_empty());
        stock.give_back_request(again);
        assert_eq!(read(&"a".repeat(LARGEST_HEAD)), 0);
    }

    #[test]
    fn no_more_than_the_bound_is_kept() {
        let stock = Stock::default();
        let lent: Vec<_> = (0..KEPT + 5).map(|_| stock.lend()).collect();
        lent.into_iter().for_each(|buffer| stock.give_back(buffer));
        assert_eq!(stock.count(), StockCount { free: KEPT, made: (KEPT + 5) as u64 });
    }

    #[test]
    fn so_many_huge_buffers_are_lent_and_some_are_kept() {
        let stock = Stock::default();
        let mut lent: Vec<_> = std::iter::from_fn(|| stock.lend_huge()).collect();
        assert_eq!(lent.len(), HUGE_LENT);
        drop(lent.pop());
        let (buffer, permit) = stock.lend_huge().expect("one was dropped");
        assert!(buffer.capacity() >= HUGE && stock.lend_huge().is_none());
        lent.push((buffer, permit));
        lent.into_iter().for_each(|(buffer, _)| stock.give_back(buffer));
        assert_eq!(stock.shelf().huge.len(), HUGE_KEPT);
        assert_eq!(stock.count().free, 0);
    }

    #[test]
    fn a_buffer_that_grew_large_is_let_go() {
        let stock = Stock::default();
        stock.give_back(Vec::with_capacity(64 * 1024));
        assert_eq!(stock.count().free, 0);
    }
}
