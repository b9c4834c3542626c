//! Budget: how much of something cheap a peer may do at once, and how much of it grows back.

use nearside_http::h2::kind;
use tokio::time::Instant;

/// How much may come at once, and how much grows back each second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) burst: u32,
    pub(super) per_second: u32,
}

/// What is left of an allowance.
#[derive(Debug)]
pub(super) struct Budget {
    allowance: Allowance,
    left: u32,
    filled: Instant,
}

impl Budget {
    pub(super) fn new(allowance: Allowance, now: Instant) -> Self {
        Self { allowance, left: allowance.burst, filled: now }
    }

    /// Takes `cost`, after a look at the clock when nothing is left otherwise. Says whether there was enough.
    pub(super) fn spend(&mut self, cost: u32) -> bool {
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

    pub(super) fn earn(&mut self, gain: u32) {
        self.left = self.left.saturating_add(gain).min(self.allowance.burst);
    }
}

/// What either side of a connection may send of the frames that cost it little and us much, whatever else is asked of it. Each
/// kind has a budget of its own, which useful work and time fill again.
#[derive(Debug)]
pub(super) struct Cheap {
    resets: Budget,
    settings: Budget,
    pings: Budget,
    others: Budget,
    windows: Budget,
}

/// A reset costs four, and an opened stream earns one: who cancels less than a quarter of its streams is never cut,
/// however fast it is.
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

impl Cheap {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            resets: Budget::new(RESETS, now),
            settings: Budget::new(SETTINGS, now),
            pings: Budget::new(PINGS, now),
            others: Budget::new(OTHERS, now),
            windows: Budget::new(WINDOWS, now),
        }
    }

    /// Whether a frame of this kind may come. Those of heads and bodies may, for all that is known here.
    pub(super) fn allow(&mut self, kind: u8) -> bool {
        match kind {
            kind::DATA | kind::HEADERS | kind::CONTINUATION => true,
            kind::RESET => self.resets.spend(RESET_COST),
            kind::SETTINGS => self.settings.spend(1),
            kind::PING => self.pings.spend(1),
            kind::WINDOW => self.windows.spend(1),
            _ => self.others.spend(1),
        }
    }

    /// Notes that a stream was opened.
    pub(super) fn opened(&mut self) {
        self.resets.earn(1);
        self.others.earn(OTHERS_PER_STREAM);
    }

    /// Notes a piece of data that we have sent.
    pub(super) fn sent(&mut self) {
        self.windows.earn(WINDOWS_PER_DATA);
        self.pings.earn(1);
    }
}
