//! What a peer may spend on frames that cost it little and us much, where the `h2` crate sets no limit.
//!
//! The crate itself bounds CONTINUATION frames (5 beyond a block's first), empty DATA (100), tiny DATA, resets of
//! streams that we never looked at, and streams that a peer makes us reset. Left to us are resets of streams that
//! we took up, SETTINGS, PING, PRIORITY and frames of unknown kinds, WINDOW_UPDATE, and the HEADERS of a backend,
//! which may send 1xx answers without end. Each has a budget that useful work and time fill again; whoever
//! exhausts one has to go. So has a peer whose first frame is not SETTINGS, or whose frame is of a size that its kind
//! cannot have: of the first the crate takes no notice, and the second it calls by another name than the law does.

use crate::h2::frames::{Frames, Head, kind};
use ::h2::Reason;
use tokio::time::Instant;

/// Who is at the other end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Peer {
    /// A client: it opens the streams.
    Client,
    /// A backend: we open them.
    Backend,
}

/// How much may come at once, and how much grows back each second.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    burst: u32,
    per_second: u32,
}

/// A reset costs four, and an opened stream earns one: a client that cancels less than a quarter of its requests is
/// never cut, however fast it is.
const RESET_COST: u32 = 4;
const RESETS: Allowance = Allowance { burst: 200 * RESET_COST, per_second: 10 * RESET_COST };
const SETTINGS: Allowance = Allowance { burst: 100, per_second: 1 };
/// gRPC measures the path with a PING for each round trip in which data moves, so data sent earns some back.
const PINGS: Allowance = Allowance { burst: 4_000, per_second: 1_000 };
/// PRIORITY, and what the peer knows and we do not, such as `PRIORITY_UPDATE`: browsers send a few for each stream.
const OTHERS: Allowance = Allowance { burst: 1_000, per_second: 100 };
const OTHERS_PER_STREAM: u32 = 8;
/// A lawful peer opens the windows of stream and connection at most once for each piece of data.
const WINDOWS: Allowance = Allowance { burst: 10_000, per_second: 1_000 };
const WINDOWS_PER_DATA: u32 = 4;
/// The heads that a backend sends for a request: 1xx ones, the final one, trailers.
const HEADS: Allowance = Allowance { burst: 1_000, per_second: 10 };
const HEADS_PER_STREAM: u32 = 32;

/// What is left of an allowance.
#[derive(Debug)]
struct Budget {
    allowance: Allowance,
    left: u32,
    filled: Instant,
}

impl Budget {
    fn new(allowance: Allowance, now: Instant) -> Self {
        Self { allowance, left: allowance.burst, filled: now }
    }

    /// Takes `cost`, after a look at the clock when nothing is left otherwise. Says whether there was enough.
    fn spend(&mut self, cost: u32) -> bool {
        if self.left < cost {
            let now = Instant::now();
            let grown =
                now.duration_since(self.filled).as_millis() * u128::from(self.allowance.per_second) / 1000;
            if grown > 0 {
                self.filled = now;
                self.earn(u32::try_from(grown).unwrap_or(u32::MAX));
            }
        }
        let enough = self.left >= cost;
        self.left = self.left.saturating_sub(cost);
        enough
    }

    fn earn(&mut self, gain: u32) {
        self.left = self.left.saturating_add(gain).min(self.allowance.burst);
    }
}

/// Counts the frames of one connection in both directions.
#[derive(Debug)]
pub(super) struct Shim {
    peer: Peer,
    incoming: Frames,
    outgoing: Frames,
    resets: Budget,
    settings: Budget,
    pings: Budget,
    others: Budget,
    windows: Budget,
    heads: Budget,
    opened: u32,
    begun: bool,
    goaway: bool,
    fault: Option<Reason>,
}

impl Shim {
    /// A fresh connection with `peer`.
    pub(super) fn new(peer: Peer) -> Self {
        let now = Instant::now();
        let (incoming, outgoing) = match peer {
            Peer::Client => (Frames::of_client(), Frames::of_server()),
            Peer::Backend => (Frames::of_server(), Frames::of_client()),
        };
        Self {
            peer,
            incoming,
            outgoing,
            resets: Budget::new(RESETS, now),
            settings: Budget::new(SETTINGS, now),
            pings: Budget::new(PINGS, now),
            others: Budget::new(OTHERS, now),
            windows: Budget::new(WINDOWS, now),
            heads: Budget::new(HEADS, now),
            opened: 0,
            begun: false,
            goaway: false,
            fault: None,
        }
    }

    /// Looks at what came. Says whether the peer is still within the law and its budgets.
    pub(super) fn came(&mut self, bytes: &[u8]) -> bool {
        let mut incoming = std::mem::take(&mut self.incoming);
        incoming.scan(bytes, |head| self.fault = self.fault.or_else(|| self.judge(head)));
        self.incoming = incoming;
        self.fault.is_none()
    }

    /// Looks at what goes.
    pub(super) fn goes(&mut self, bytes: &[u8]) {
        let mut outgoing = std::mem::take(&mut self.outgoing);
        outgoing.scan(bytes, |head| match head.kind {
            kind::DATA => {
                self.windows.earn(WINDOWS_PER_DATA);
                self.pings.earn(1);
            }
            kind::HEADERS if self.peer == Peer::Backend => {
                self.opened = self.opened.max(head.stream);
                self.heads.earn(HEADS_PER_STREAM);
                self.resets.earn(1);
                self.others.earn(OTHERS_PER_STREAM);
            }
            _ => {}
        });
        self.outgoing = outgoing;
    }

    /// Why the peer has to go, if it has to.
    pub(super) fn fault(&self) -> Option<Reason> {
        self.fault
    }

    /// Whether the peer has said that it takes no further streams.
    pub(super) fn is_going_away(&self) -> bool {
        self.goaway
    }

    /// Whether the peer's first SETTINGS have come whole.
    pub(super) fn is_settled(&self) -> bool {
        self.incoming.has_passed_first()
    }

    /// The last stream that we opened, 0 for none.
    pub(super) fn opened(&self) -> u32 {
        self.opened
    }

    fn judge(&mut self, head: Head) -> Option<Reason> {
        if !std::mem::replace(&mut self.begun, true) && head.kind != kind::SETTINGS {
            Some(Reason::PROTOCOL_ERROR)
        } else if !head.is_sized() {
            Some(Reason::FRAME_SIZE_ERROR)
        } else {
            (!self.count(head)).then_some(Reason::ENHANCE_YOUR_CALM)
        }
    }

    fn count(&mut self, head: Head) -> bool {
        match head.kind {
            kind::DATA | kind::CONTINUATION => true,
            kind::HEADERS if self.peer == Peer::Client => {
                self.resets.earn(1);
                self.others.earn(OTHERS_PER_STREAM);
                true
            }
            kind::HEADERS => self.heads.spend(1),
            kind::RESET => self.resets.spend(RESET_COST),
            kind::SETTINGS => self.settings.spend(1),
            kind::PING => self.pings.spend(1),
            kind::WINDOW => self.windows.spend(1),
            kind::GOAWAY => {
                self.goaway = true;
                self.others.spend(1)
            }
            _ => self.others.spend(1),
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

    fn client() -> Shim {
        let mut shim = Shim::new(Peer::Client);
        assert!(shim.came(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") && shim.came(&frame(kind::SETTINGS)));
        shim
    }

    fn backend() -> Shim {
        let mut shim = Shim::new(Peer::Backend);
        assert!(shim.came(&frame(kind::SETTINGS)));
        shim
    }

    fn most(shim: &mut Shim, kind: u8) -> u32 {
        (0..100_000).find(|_| !shim.came(&frame(kind))).unwrap_or(u32::MAX)
    }

    #[tokio::test(start_paused = true)]
    async fn each_cheap_kind_of_frame_has_its_burst() {
        assert_eq!(most(&mut client(), kind::SETTINGS), 99);
        assert_eq!(most(&mut client(), kind::PING), 4_000);
        assert_eq!(most(&mut client(), kind::RESET), 200);
        assert_eq!(most(&mut client(), kind::PRIORITY), 1_000);
        assert_eq!(most(&mut client(), 0x77), 1_000);
        assert_eq!(most(&mut client(), kind::WINDOW), 10_000);
        assert_eq!(most(&mut client(), kind::HEADERS), u32::MAX);
        assert_eq!(most(&mut backend(), kind::HEADERS), 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_not_forgiven() {
        let mut shim = client();
        most(&mut shim, kind::SETTINGS);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert!(!shim.came(&frame(kind::DATA)) && shim.fault() == Some(Reason::ENHANCE_YOUR_CALM));
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_slowly_may_come_for_ever() {
        let mut shim = client();
        for _ in 0..1_000 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!((0..10).all(|_| shim.came(&frame(kind::RESET))));
            assert!(shim.came(&frame(kind::SETTINGS)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_stream_reset_is_a_flood_and_one_in_four_is_not() {
        let mut hostile = client();
        let cut =
            (0..1_000).find(|_| !(hostile.came(&frame(kind::HEADERS)) && hostile.came(&frame(kind::RESET))));
        assert_eq!(cut, Some(266));
        let mut lawful = client();
        for _ in 0..10_000 {
            assert!((0..4).all(|_| lawful.came(&frame(kind::HEADERS))) && lawful.came(&frame(kind::RESET)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn data_that_we_send_pays_for_the_windows_that_it_needs() {
        let mut shim = client();
        for _ in 0..100_000 {
            shim.goes(&frame(kind::DATA));
            assert!(
                shim.came(&frame(kind::WINDOW))
                    && shim.came(&frame(kind::WINDOW))
                    && shim.came(&frame(kind::PING))
            );
        }
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
    async fn a_peer_begins_with_settings_and_its_frames_have_their_sizes() {
        let mut early = Shim::new(Peer::Backend);
        assert!(!early.came(&frame(kind::PING)) && early.fault() == Some(Reason::PROTOCOL_ERROR));
        let mut odd = client();
        assert!(!odd.came(&[0, 0, 7, kind::PING, 0, 0, 0, 0, 0]));
        assert_eq!(odd.fault(), Some(Reason::FRAME_SIZE_ERROR));
    }
}
