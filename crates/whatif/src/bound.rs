//! The longest time that a failure stays undetected.

use nearside_core::generation::Pool;
use nearside_core::policy::Share;
use std::time::Duration;

/// The longest time from a backend's failure to its verdict, by how it fails.
///
/// Requests need not wait for it: one whose connection is refused goes on to the next backend at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bound {
    /// It answers nothing at all.
    pub silent: Duration,
    /// It refuses at once.
    pub refusing: Duration,
}

/// The bound of a pool's probes (SPEC, section 4): I(1+j) until the next probe, which is the first to fail, and
/// n-1 more at the fast interval F(1+j); a silent backend stretches each by the timeout T.
#[must_use]
pub fn failover_bound(pool: &Pool) -> Bound {
    let probe = &pool.probe;
    let (first, fast) = (at_most(probe.interval, probe.jitter), at_most(probe.fast_interval, probe.jitter));
    let more = probe.fall.saturating_sub(1);
    let bound = |timeout: Duration| {
        let between = fast.max(timeout).saturating_mul(more);
        first.saturating_add(between).saturating_add(timeout)
    };
    Bound { silent: bound(probe.timeout), refusing: bound(Duration::ZERO) }
}

fn at_most(interval: Duration, jitter: Share) -> Duration {
    let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
    interval.saturating_add(Duration::from_micros(jitter.of(micros)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::generation;

    fn bound(edit: impl Fn(&mut Pool)) -> (u128, u128) {
        let mut pool = generation(&["a@x"]).pools[0].clone();
        edit(&mut pool);
        let bound = failover_bound(&pool);
        (bound.silent.as_millis(), bound.refusing.as_millis())
    }

    #[test]
    fn the_defaults_give_11_5_seconds_silent_and_7_7_refusing() {
        assert_eq!(bound(|_| {}), (11_500, 7_700));
    }

    #[test]
    fn with_fall_1_only_the_next_probe_counts() {
        assert_eq!(bound(|pool| pool.probe.fall = 1), (7_500, 5_500));
    }

    #[test]
    fn a_timeout_below_the_fast_interval_does_not_stretch_it() {
        let half = Duration::from_millis(500);
        assert_eq!(bound(|pool| pool.probe.timeout = half), (8_200, 7_700));
    }
}
