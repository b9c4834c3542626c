//! What is counted per pool.

use crate::count::{Count, InFlight};
use nearside_core::policy::Retry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counters of one pool, kept under its name over generations.
#[derive(Debug, Default)]
pub struct PoolCell {
    turn: AtomicU64,
    in_flight: Arc<Count>,
    repeats: Arc<Count>,
    judging: Mutex<()>,
}

impl PoolCell {
    /// Whose turn it is.
    #[must_use]
    pub fn turn(&self) -> u64 {
        self.turn.load(Ordering::Relaxed)
    }

    /// Takes a turn: no two requests take the same.
    #[must_use]
    pub fn take_turn(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a request in until the guard is dropped; its repeats are part of it.
    pub fn begin(&self) -> InFlight {
        self.in_flight.enter()
    }

    /// Counts a repeat in, unless the budget of `retry` is spent: a share of the requests in flight, but at
    /// least its minimum.
    #[must_use]
    pub fn repeat(&self, retry: &Retry) -> Option<InFlight> {
        let share = retry.budget_share.of(u64::from(self.in_flight.now()));
        self.repeats.try_enter(u32::try_from(share).unwrap_or(u32::MAX).max(retry.budget_min))
    }

    /// Requests in flight.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.now()
    }

    /// One at a time judges what a pool may lose, so that two failures in the same moment cannot both eject
    /// the last.
    pub(crate) fn judge(&self) -> MutexGuard<'_, ()> {
        self.judging.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_stay_within_the_share_and_have_a_minimum() {
        let retry = Retry { budget_min: 2, ..Retry::default() };
        let pool = PoolCell::default();
        let allowed = |pool: &PoolCell| std::iter::from_fn(|| pool.repeat(&retry)).collect::<Vec<_>>().len();
        assert_eq!(allowed(&pool), 2);
        let requests: Vec<_> = (0..20).map(|_| pool.begin()).collect();
        assert_eq!(allowed(&pool), 4);
        drop(requests);
        assert_eq!((allowed(&pool), pool.in_flight()), (2, 0));
    }
}
