//! The clock: wall time that never steps back.

use nearside_core::Now;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Reads the wall clock once and counts on from there, so that a correction of the system's time ends no
/// ejection early. Under tokio's paused time it stands still with it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Now,
    origin: Instant,
}

impl Clock {
    /// A clock that agrees with the system's at this moment.
    #[must_use]
    pub fn start() -> Self {
        let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self::starting_at(Now::default().plus(epoch))
    }

    /// A clock that says `now` at this moment.
    #[must_use]
    pub fn starting_at(now: Now) -> Self {
        Self { began: now, origin: Instant::now() }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Now {
        self.at(Instant::now())
    }

    /// The time at that moment.
    #[must_use]
    pub fn at(&self, moment: Instant) -> Now {
        self.began.plus(moment.saturating_duration_since(self.origin))
    }
}
