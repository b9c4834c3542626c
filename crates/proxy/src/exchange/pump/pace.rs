//! Pace: whether a client that is waited for sends or takes as many bytes as it has to.
//!
//! The client has time in hand. Waiting for it takes of that, each byte adds to it, up to as long as a body may pause;
//! when none is left it is too slow. So a pause is forgiven to who was quick before, and a trickle to nobody.

use nearside_core::policy::Timeouts;
use std::time::Duration;
use tokio::time::Instant;

/// One direction of a client's body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    rate: u64,
    most: Duration,
    left: Duration,
    bytes: u64,
    /// Since when the client is waited for, if it is.
    waits: Option<Instant>,
}

impl Pace {
    /// The pace of a body that begins now.
    pub(super) fn new(timeouts: &Timeouts) -> Self {
        let (rate, most) = (timeouts.body_rate, timeouts.body_idle.max(timeouts.body_grace));
        Self { rate, most, left: timeouts.body_grace, bytes: 0, waits: None }
    }

    /// Notes how many bytes have passed by now, and whether more are waited for. When the client will be too slow, if
    /// nothing comes until then.
    pub(super) fn note(&mut self, now: Instant, bytes: u64, waits: bool) -> Option<Instant> {
        if self.rate == 0 {
            return None;
        }
        if let Some(since) = std::mem::replace(&mut self.waits, waits.then_some(now)) {
            self.left = self.left.saturating_sub(now.saturating_duration_since(since));
        }
        let passed = bytes.saturating_sub(self.bytes);
        if passed > 0 {
            self.bytes = bytes;
            let earned = u128::from(passed) * 1_000_000_000 / u128::from(self.rate);
            let earned = Duration::from_nanos(u64::try_from(earned).unwrap_or(u64::MAX));
            self.left = self.left.saturating_add(earned).min(self.most);
        }
        waits.then(|| now + self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeouts() -> Timeouts {
        Timeouts { body_rate: 100, body_grace: Duration::from_secs(10), ..Timeouts::default() }
    }

    /// Seconds until a client is too slow that was waited for all the time and brought these bytes at these seconds.
    fn ends(timeouts: &Timeouts, brought: &[(u64, u64)]) -> Option<u64> {
        let start = Instant::now();
        let mut pace = Pace::new(timeouts);
        let mut ends = pace.note(start, 0, true);
        let mut sum = 0;
        for (second, bytes) in brought {
            let now = start + Duration::from_secs(*second);
            assert!(ends.is_none_or(|ends| now < ends), "too slow before second {second}");
            sum += bytes;
            ends = pace.note(now, sum, true);
        }
        ends.map(|ends| (ends - start).as_secs())
    }

    #[test]
    fn who_brings_nothing_has_the_grace() {
        assert_eq!(ends(&timeouts(), &[]), Some(10));
        assert_eq!(ends(&Timeouts { body_rate: 0, ..timeouts() }, &[]), None);
    }

    #[test]
    fn a_trickle_is_too_slow_however_often_it_comes() {
        assert_eq!(ends(&timeouts(), &[(3, 1), (6, 1), (9, 1)]), Some(10));
        assert_eq!(ends(&timeouts(), &[(9, 50)]), Some(10));
        assert_eq!(ends(&timeouts(), &[(5, 500), (9, 400)]), Some(19));
    }

    #[test]
    fn who_was_quick_may_pause_as_long_as_a_body_may_and_no_longer() {
        assert_eq!(ends(&timeouts(), &[(1, 1_000_000)]), Some(31));
        assert_eq!(ends(&timeouts(), &[(1, 1_000_000), (30, 1)]), Some(31));
    }

    #[test]
    fn time_in_which_nobody_waits_for_it_is_not_its_own() {
        let start = Instant::now();
        let mut pace = Pace::new(&timeouts());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(pace.note(start, 0, true), Some(at(10)));
        assert_eq!(pace.note(at(5), 0, false), None);
        assert_eq!(pace.note(at(100), 0, true), Some(at(105)));
    }
}
