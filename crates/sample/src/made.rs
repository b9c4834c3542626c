//! Answers' bodies that are made on the way: a pattern, lines with waits, trailers.

use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use sha2::{Digest, Sha256};
use tokio::time::{Sleep, sleep};

use crate::body::BoxError;

/// The pattern's length before it begins again: a prime, so that a chunk lost or doubled changes what follows.
const PERIOD: usize = 65_521;
const CHUNK: usize = 16 * 1024;
const BEFORE_CUT: Duration = Duration::from_millis(20);

/// The bytes of the fixed pattern from an offset on, at most 16 KiB of them.
pub fn pattern(offset: u64, length: u64) -> Bytes {
    static BLOCK: OnceLock<Bytes> = OnceLock::new();
    let block = BLOCK.get_or_init(|| {
        let byte = |index: usize| {
            let [low, high, ..] = (index % PERIOD).to_le_bytes();
            low.wrapping_mul(31) ^ high
        };
        (0..PERIOD + CHUNK).map(byte).collect::<Vec<u8>>().into()
    });
    let start = usize::try_from(offset % PERIOD as u64).unwrap_or_default();
    let length = usize::try_from(length).unwrap_or(CHUNK).min(CHUNK);
    block.slice(start..start + length)
}

/// The SHA-256 of the first `length` bytes of the pattern, in hexadecimal digits: what `/bytes/N` must amount to.
pub fn pattern_digest(length: u64) -> String {
    let (mut digest, mut offset) = (Sha256::new(), 0);
    while offset < length {
        let chunk = pattern(offset, length - offset);
        digest.update(&chunk);
        offset += chunk.len() as u64;
    }
    format!("{:x}", digest.finalize())
}

/// The line of `/drip` with this number, from 0.
pub fn drip_line(number: u64) -> String {
    format!("drip {number}\n")
}

/// A stretch of the pattern, to its end or to where the connection is cut.
pub(crate) struct Pattern {
    offset: u64,
    length: u64,
    ends: Ends,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Pattern {
    pub(crate) fn new(length: u64, ends: Ends) -> Self {
        Self { offset: 0, length, ends, wait: None }
    }
}

/// How a stretch of the pattern ends.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Ends {
    /// Where it said beforehand.
    AsTold,
    /// Well, but without having said where.
    Untold,
    /// Half way to where it said.
    Cut,
}

impl HttpBody for Pattern {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.offset < self.length {
            let chunk = pattern(self.offset, self.length - self.offset);
            self.offset += chunk.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        if self.ends != Ends::Cut {
            return Poll::Ready(None);
        }
        // The server drops what it has not sent when a body fails, so what came before gets the time to leave.
        let wait = self.wait.get_or_insert_with(|| Box::pin(sleep(BEFORE_CUT)));
        ready!(wait.as_mut().poll(cx));
        Poll::Ready(Some(Err("cut, as the path asks".into())))
    }

    fn size_hint(&self) -> SizeHint {
        match self.ends {
            Ends::AsTold => SizeHint::with_exact(self.length - self.offset),
            Ends::Untold => SizeHint::default(),
            Ends::Cut => SizeHint::with_exact((self.length - self.offset) * 2 + 1),
        }
    }
}

/// Bytes and then trailers; their length is not told, because an answer with a length has no room for trailers.
pub(crate) struct Trailed {
    pub(crate) bytes: Option<Bytes>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl HttpBody for Trailed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = self.bytes.take().map(Frame::data);
        Poll::Ready(frame.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }
}

/// Lines with a wait before each but the first.
pub(crate) struct Drip {
    next: u64,
    count: u64,
    gap: Duration,
    wait: Pin<Box<Sleep>>,
}

impl Drip {
    pub(crate) fn new(count: u64, gap: Duration) -> Self {
        Self { next: 0, count, gap, wait: Box::pin(sleep(Duration::ZERO)) }
    }
}

impl HttpBody for Drip {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.next == self.count {
            return Poll::Ready(None);
        }
        ready!(self.wait.as_mut().poll(cx));
        let line = drip_line(self.next);
        self.next += 1;
        self.wait = Box::pin(sleep(self.gap));
        Poll::Ready(Some(Ok(Frame::data(line.into()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[test]
    fn the_pattern_is_the_same_however_it_is_cut() {
        let whole: Vec<u8> = (0..20).flat_map(|index| pattern(index * 10_000, 10_000)).collect();
        let pieces: Vec<u8> = (0..200).flat_map(|index| pattern(index * 1_000, 1_000)).collect();
        assert_eq!(whole, pieces);
        assert_eq!(pattern_digest(200_000), format!("{:x}", Sha256::digest(&whole)));
    }

    #[test]
    fn a_lost_chunk_changes_the_pattern() {
        assert_ne!(pattern(0, 1_000), pattern(16_384, 1_000));
        assert_ne!(pattern(0, 1_000), pattern(65_536, 1_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_drip_waits_between_its_lines() {
        let begun = tokio::time::Instant::now();
        let text = Drip::new(3, Duration::from_secs(2)).collect().await.unwrap().to_bytes();
        assert_eq!(text, "drip 0\ndrip 1\ndrip 2\n");
        assert_eq!(begun.elapsed().as_secs(), 4);
    }
}
