//! Meters: how many a second there were of late, counted without a lock.

use nearside_core::Now;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seconds that are kept: this one and the one before are read, and who is late finds its own still there.
const SLOTS: usize = 4;
/// Counts take the lower half of a slot, and the second that they belong to the upper.
const COUNT: u64 = (1 << 32) - 1;

/// Counts by second.
#[derive(Debug, Default)]
pub(crate) struct Meter([AtomicU64; SLOTS]);

impl Meter {
    /// Counts one at `now`.
    pub(crate) fn count(&self, now: Now) {
        let second = now.as_millis() / 1000;
        let Some(slot) = self.slot(second) else { return };
        let mut seen = slot.load(Ordering::Relaxed);
        loop {
            let held = seen >> 32;
            if held == second & COUNT {
                slot.fetch_add(1, Ordering::Relaxed);
                return;
            }
            // Whoever comes seconds late finds a later second in its place, and is not counted.
            if held > second & COUNT {
                return;
            }
            match slot.compare_exchange_weak(seen, second << 32 | 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(found) => seen = found,
            }
        }
    }

    /// How many there were in the second up to `now`: this second's, and of the one before what still belongs to it.
    pub(crate) fn rate(&self, now: Now) -> u64 {
        let (second, gone) = (now.as_millis() / 1000, now.as_millis() % 1000);
        let before = second.checked_sub(1).map_or(0, |before| self.of(before));
        self.of(second) + before * (1000 - gone) / 1000
    }

    fn of(&self, second: u64) -> u64 {
        let held = self.slot(second).map_or(0, |slot| slot.load(Ordering::Relaxed));
        if held >> 32 == second & COUNT { held & COUNT } else { 0 }
    }

    fn slot(&self, second: u64) -> Option<&AtomicU64> {
        self.0.get(usize::try_from(second % SLOTS as u64).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_700_000_000_000;

    fn at(millis: u64) -> Now {
        Now::from_millis(START + millis)
    }

    #[test]
    fn a_steady_stream_has_its_rate_at_any_moment() {
        let meter = Meter::default();
        for millis in (0..5000).step_by(5) {
            meter.count(at(millis));
            if millis >= 1000 {
                assert!(
                    (198..=202).contains(&meter.rate(at(millis))),
                    "{} at {millis}",
                    meter.rate(at(millis))
                );
            }
        }
    }

    #[test]
    fn what_is_over_is_forgotten_within_two_seconds() {
        let meter = Meter::default();
        (0..100).for_each(|_| meter.count(at(500)));
        assert_eq!(meter.rate(at(900)), 100);
        assert_eq!(meter.rate(at(1500)), 50);
        assert_eq!(meter.rate(at(2000)), 0);
        assert_eq!(meter.rate(at(4500)), 0, "another second stands in the same slot");
        meter.count(at(4500));
        assert_eq!(meter.rate(at(4500)), 1);
        meter.count(at(500));
        assert_eq!(meter.rate(at(4500)), 1, "who is four seconds late is not counted");
    }

    #[test]
    fn all_who_count_at_once_are_counted() {
        let meter = Meter::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..4000).for_each(|number| meter.count(at(number / 1000 * 1000))));
            }
        });
        assert_eq!(meter.rate(at(3999)), 4000 + 4);
    }
}
