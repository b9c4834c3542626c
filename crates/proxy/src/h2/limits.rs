//! What a client may spend on frames that cost it little and us much.
//!
//! Whoever exhausts a budget has to go, and so has who makes us reset one stream after the other by breaking rules.

use crate::h2::budget::{Allowance, Budget, Cheap};
use nearside_http::h2::kind;
use tokio::time::Instant;

/// DATA that carries nothing and ends nothing.
const EMPTY: Allowance = Allowance { burst: 100, per_second: 1 };
/// Streams beyond those that were offered: a client may open some before it has read how many there may be.
const REFUSED: Allowance = Allowance { burst: 1_000, per_second: 100 };
/// Streams that we reset because they break rules, for as long as the connection lives.
const FAULTS: u32 = 256;

/// Counts the frames of one client.
#[derive(Debug)]
pub(super) struct Limits {
    cheap: Cheap,
    empty: Budget,
    refused: Budget,
    faults: u32,
}

impl Limits {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            cheap: Cheap::new(now),
            empty: Budget::new(EMPTY, now),
            refused: Budget::new(REFUSED, now),
            faults: 0,
        }
    }

    /// Whether the client may send a frame of this kind.
    pub(super) fn allow(&mut self, kind: u8) -> bool {
        if kind == kind::HEADERS {
            self.cheap.opened();
        }
        self.cheap.allow(kind)
    }

    /// Whether it may send DATA that says nothing.
    pub(super) fn allow_empty(&mut self) -> bool {
        self.empty.spend(1)
    }

    /// Whether it may open a stream beyond those that were offered.
    pub(super) fn allow_refused(&mut self) -> bool {
        self.refused.spend(1)
    }

    /// Whether it may break the rules of one more stream.
    pub(super) fn allow_fault(&mut self) -> bool {
        self.faults += 1;
        self.faults <= FAULTS
    }

    /// Notes a piece of data that it is sent.
    pub(super) fn sent(&mut self) {
        self.cheap.sent();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn most(kind: u8) -> u32 {
        let mut limits = Limits::new();
        (0..100_000).find(|_| !limits.allow(kind)).unwrap_or(u32::MAX)
    }

    #[tokio::test(start_paused = true)]
    async fn each_cheap_kind_of_frame_has_its_burst() {
        assert_eq!(most(kind::SETTINGS), 100);
        assert_eq!(most(kind::PING), 4_000);
        assert_eq!(most(kind::RESET), 200);
        assert_eq!(most(kind::PRIORITY), 1_000);
        assert_eq!(most(kind::GOAWAY), 1_000);
        assert_eq!(most(0x77), 1_000);
        assert_eq!(most(kind::WINDOW), 10_000);
        assert_eq!(most(kind::HEADERS), u32::MAX);
        let mut limits = Limits::new();
        assert_eq!((0..1_000).find(|_| !limits.allow_empty()), Some(100));
        assert_eq!((0..10_000).find(|_| !limits.allow_refused()), Some(1_000));
        assert_eq!((0..1_000).find(|_| !limits.allow_fault()), Some(256));
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_slowly_may_come_for_ever() {
        let mut limits = Limits::new();
        for _ in 0..1_000 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!((0..10).all(|_| limits.allow(kind::RESET)));
            assert!(limits.allow(kind::SETTINGS) && limits.allow_empty());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_stream_reset_is_a_flood_and_one_in_four_is_not() {
        let mut hostile = Limits::new();
        let cut = (0..1_000).find(|_| !(hostile.allow(kind::HEADERS) && hostile.allow(kind::RESET)));
        assert_eq!(cut, Some(266));
        let mut lawful = Limits::new();
        for _ in 0..10_000 {
            assert!((0..4).all(|_| lawful.allow(kind::HEADERS)) && lawful.allow(kind::RESET));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn data_that_we_send_pays_for_the_windows_that_it_needs() {
        let mut limits = Limits::new();
        for _ in 0..100_000 {
            limits.sent();
            assert!(limits.allow(kind::WINDOW) && limits.allow(kind::WINDOW) && limits.allow(kind::PING));
        }
    }
}
