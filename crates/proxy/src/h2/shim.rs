//! What a backend may spend on frames that cost it little and us much, where the `h2` crate sets no limit.
//!
//! The crate itself bounds CONTINUATION frames (5 beyond a block's first), empty DATA (100) and tiny DATA. Left to us are
//! resets, SETTINGS, PING, frames of unknown kinds, WINDOW_UPDATE, and HEADERS: a backend may send 1xx answers without end. Each
//! has a budget that useful work and time fill again; whoever exhausts one has to go. So has a backend whose first frame is
//! not SETTINGS, of which the crate takes no notice, or whose frame is of a size that its kind cannot have.

use crate::h2::budget::{Allowance, Budget, Cheap};
use crate::h2::frames::Frames;
use nearside_http::h2::{Head, kind};
use tokio::time::Instant;

/// The heads that a backend sends for a request: 1xx ones, the final one, trailers.
const HEADS: Allowance = Allowance { burst: 1_000, per_second: 10 };
const HEADS_PER_STREAM: u32 = 32;

/// Counts the frames of one connection in both directions.
#[derive(Debug)]
pub(super) struct Shim {
    incoming: Frames,
    outgoing: Frames,
    cheap: Cheap,
    heads: Budget,
    opened: u32,
    begun: bool,
    goaway: bool,
    broken: bool,
}

impl Shim {
    /// A fresh connection.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            incoming: Frames::default(),
            outgoing: Frames::of_client(),
            cheap: Cheap::new(now),
            heads: Budget::new(HEADS, now),
            opened: 0,
            begun: false,
            goaway: false,
            broken: false,
        }
    }

    /// Looks at what came. Says whether the backend is still within the law and its budgets.
    pub(super) fn came(&mut self, bytes: &[u8]) -> bool {
        let mut incoming = std::mem::take(&mut self.incoming);
        incoming.scan(bytes, |head| self.broken |= !self.allow(head));
        self.incoming = incoming;
        !self.broken
    }

    /// Looks at what goes.
    pub(super) fn goes(&mut self, bytes: &[u8]) {
        let mut outgoing = std::mem::take(&mut self.outgoing);
        outgoing.scan(bytes, |head| match head.kind {
            kind::DATA => self.cheap.sent(),
            kind::HEADERS => {
                self.opened = self.opened.max(head.stream);
                self.heads.earn(HEADS_PER_STREAM);
                self.cheap.opened();
            }
            _ => {}
        });
        self.outgoing = outgoing;
    }

    /// Whether the backend has to go.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether the backend has said that it takes no further streams.
    pub(super) fn is_going_away(&self) -> bool {
        self.goaway
    }

    /// Whether the backend's first SETTINGS have come whole.
    pub(super) fn is_settled(&self) -> bool {
        self.incoming.has_passed_first()
    }

    /// The last stream that we opened, 0 for none.
    pub(super) fn opened(&self) -> u32 {
        self.opened
    }

    fn allow(&mut self, head: Head) -> bool {
        let is_first = !std::mem::replace(&mut self.begun, true);
        (!is_first || head.kind == kind::SETTINGS) && head.is_sized() && self.count(head)
    }

    fn count(&mut self, head: Head) -> bool {
        self.goaway |= head.kind == kind::GOAWAY;
        match head.kind {
            kind::HEADERS => self.heads.spend(1),
            kind => self.cheap.allow(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// A frame of this kind with the payload that it has to have.
    fn frame(kind: u8) -> Vec<u8> {
        let length = match kind {
            kind::PRIORITY => 5,
            kind::RESET | kind::WINDOW => 4,
            kind::PING | kind::GOAWAY => 8,
            _ => 0,
        };
        let mut bytes = vec![0, 0, length, kind, 0, 0, 0, 0, 1];
        bytes.resize(9 + usize::from(length), 0);
        bytes
    }

    fn backend() -> Shim {
        let mut shim = Shim::new();
        assert!(shim.came(&frame(kind::SETTINGS)));
        shim
    }

    fn most(kind: u8) -> u32 {
        let mut shim = backend();
        (0..100_000).find(|_| !shim.came(&frame(kind))).unwrap_or(u32::MAX)
    }

    #[tokio::test(start_paused = true)]
    async fn each_cheap_kind_of_frame_has_its_burst() {
        assert_eq!(most(kind::SETTINGS), 99);
        assert_eq!(most(kind::PING), 4_000);
        assert_eq!(most(kind::RESET), 200);
        assert_eq!(most(kind::PRIORITY), 1_000);
        assert_eq!(most(0x77), 1_000);
        assert_eq!(most(kind::WINDOW), 10_000);
        assert_eq!(most(kind::HEADERS), 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_not_forgiven() {
        let mut shim = backend();
        assert!((0..100).any(|_| !shim.came(&frame(kind::SETTINGS))));
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert!(!shim.came(&frame(kind::DATA)) && shim.is_broken());
    }

    #[tokio::test(start_paused = true)]
    async fn a_backend_has_heads_for_each_request_and_its_farewell_is_noticed() {
        let mut shim = backend();
        shim.goes(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        for _ in 0..1_000 {
            shim.goes(&[0, 0, 0, kind::HEADERS, 0, 0, 0, 0, 9]);
            assert!((0..20).all(|_| shim.came(&frame(kind::HEADERS))));
        }
        assert_eq!(shim.opened(), 9);
        assert!(!shim.is_going_away() && shim.came(&frame(kind::GOAWAY)) && shim.is_going_away());
    }

    #[tokio::test]
    async fn a_backend_begins_with_settings_and_its_frames_have_their_sizes() {
        assert!(!Shim::new().came(&frame(kind::PING)));
        let mut odd = backend();
        assert!(!odd.came(&[0, 0, 7, kind::PING, 0, 0, 0, 0, 0]) && odd.is_broken());
    }
}
