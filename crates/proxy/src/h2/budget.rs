//! Budget: how much of something cheap a peer may do at once, and how much of it grows back.

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
