//! Strain: whether a worker is given more than it can do, told by how long what has arrived waits for it.
//!
//! A timer on the worker's own runtime waits in the same queue as all else there. A moment's wait means nothing, and is
//! what a burst looks like; a wait that never gets short again is a queue that only grows.

use crate::worker::Worker;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How often it is looked.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// How long the wait has to be too long without a break.
const STANDING: Duration = Duration::from_secs(1);

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

/// Looks after `worker` until it is cancelled.
pub(super) async fn watch(worker: Arc<Worker>) {
    let mut queue = Queue::default();
    loop {
        let due = Instant::now() + TICK;
        sleep_until(due).await;
        let (now, limit) = (Instant::now(), worker.edge.live.load().generation.limits.queue_delay);
        worker.strain(queue.is_standing(due, now, limit));
    }
}

/// What was seen of a worker's queue.
#[derive(Debug, Default)]
struct Queue {
    /// Since when all waits were too long.
    long_since: Option<Instant>,
}

impl Queue {
    /// Notes that what was due at `due` had its turn at `now`; whether all has waited too long for too long.
    fn is_standing(&mut self, due: Instant, now: Instant, limit: Duration) -> bool {
        if limit.is_zero() || now.saturating_duration_since(due) <= limit {
            self.long_since = None;
            return false;
        }
        let since = *self.long_since.get_or_insert(due);
        now.saturating_duration_since(since) >= STANDING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(500);

    /// What is said of waits that follow each other, in milliseconds.
    fn check(waits: &[u64], limit: Duration, expected: &[bool]) {
        let (mut queue, mut now) = (Queue::default(), Instant::now());
        let said = waits.iter().map(|wait| {
            let due = now + TICK;
            now = due + Duration::from_millis(*wait);
            queue.is_standing(due, now, limit)
        });
        assert_eq!(said.collect::<Vec<_>>(), expected, "{waits:?}");
    }

    #[test]
    fn only_a_wait_that_stays_long_counts_and_a_short_one_ends_it() {
        check(&[0, 500, 501, 0, 501], LIMIT, &[false; 5]);
        check(&[600, 600, 600, 100, 600], LIMIT, &[false, true, true, false, false]);
        check(&[1500, 0], LIMIT, &[true, false]);
        check(&[9000], Duration::ZERO, &[false]);
    }
}
