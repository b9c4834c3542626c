//! Strain: whether a worker is given more than it can do, told by how long what has arrived waits for it.
//!
//! A timer on the worker's own runtime waits in the same queue as all else there. A moment's wait means nothing, and is
//! what a burst looks like; a wait that never gets short again is a queue that only grows. Nor does a wait mean anything
//! while the worker hardly runs: then others have the processor, or the machine was stopped, and to refuse requests would
//! relieve nobody.

use crate::worker::Worker;
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How often it is looked.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// How long the wait has to be too long without a break.
const STANDING: Duration = Duration::from_secs(1);

/// The least part of that time, as its divisor, in which the worker has to have run itself.
const AT_WORK: u32 = 8;

/// How many workers are under strain.
#[derive(Debug, Default)]
pub struct Strain(AtomicUsize);

impl Strain {
    /// Whether some worker is.
    #[must_use]
    pub fn is_felt(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Counts one more worker, or one less.
    pub(crate) fn count(&self, more: bool) {
        if more {
            self.0.fetch_add(1, Ordering::Relaxed);
        } else {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Looks after `worker`, on its thread, until it is cancelled.
pub(super) async fn watch(worker: Arc<Worker>) {
    let mut queue = Queue::default();
    loop {
        let due = Instant::now() + TICK;
        sleep_until(due).await;
        let (now, limit) = (Instant::now(), worker.edge.live.load().generation.limits.queue_delay);
        worker.strain(queue.is_standing(due, now, limit, has_run));
    }
}

/// How long this thread has run since it began.
fn has_run() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// What was seen of a worker's queue.
#[derive(Debug, Default)]
struct Queue {
    /// When the first of the looks was that all came too late up to now, and how long the thread had run then.
    first: Option<(Instant, Duration)>,
}

impl Queue {
    /// Notes that what was due at `due` had its turn at `now`; whether all has waited too long for too long.
    fn is_standing(
        &mut self,
        due: Instant,
        now: Instant,
        limit: Duration,
        has_run: impl FnOnce() -> Duration,
    ) -> bool {
        if limit.is_zero() || now.saturating_duration_since(due) <= limit {
            self.first = None;
            return false;
        }
        let ran = has_run();
        let (since, ran_before) = *self.first.get_or_insert((now, ran));
        let stood = now.saturating_duration_since(since);
        stood >= STANDING && ran.saturating_sub(ran_before) >= stood / AT_WORK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(500);

    /// What is said of waits that follow each other, in milliseconds, of a worker that runs in one of `idle` of them.
    fn check(waits: &[u64], idle: u32, limit: Duration, expected: &[bool]) {
        let (mut queue, mut now, mut ran) = (Queue::default(), Instant::now(), Duration::ZERO);
        let said = waits.iter().map(|wait| {
            let (due, wait) = (now + TICK, Duration::from_millis(*wait));
            (now, ran) = (due + wait, ran + wait / idle);
            queue.is_standing(due, now, limit, || ran)
        });
        assert_eq!(said.collect::<Vec<_>>(), expected, "{waits:?}");
    }

    #[test]
    fn only_a_wait_that_stays_long_counts_and_a_short_one_ends_it() {
        check(&[0, 500, 501, 0, 501, 501], 1, LIMIT, &[false; 6]);
        check(&[600, 600, 600, 100, 600, 600], 1, LIMIT, &[false, false, true, false, false, false]);
        check(&[600, 1000, 600, 0], 1, LIMIT, &[false, true, true, false]);
        check(&[9000; 2], 1, Duration::ZERO, &[false; 2]);
    }

    #[test]
    fn a_worker_that_was_stopped_or_that_others_kept_from_running_is_not_to_blame() {
        check(&[9000, 0], 1, LIMIT, &[false; 2]);
        check(&[600, 600, 600], 6, LIMIT, &[false, false, true]);
        check(&[600, 600, 600, 600], 12, LIMIT, &[false; 4]);
    }
}
