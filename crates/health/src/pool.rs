//! What is counted per pool.

use crate::cell::Cell;
use crate::count::{Count, InFlight};
use nearside_core::policy::Retry;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// The counters of one pool, kept under its name over generations.
#[derive(Debug, Default)]
pub struct PoolCell {
    turn: AtomicU64,
    in_flight: Arc<Count>,
    repeats: Arc<Count>,
    waiting: Arc<Count>,
    freed: Notify,
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

    /// Counts a request in that waits for a place at one of its backends until the guard is dropped, unless `most`
    /// wait already.
    #[must_use]
    pub fn wait(&self, most: u32) -> Option<InFlight> {
        self.waiting.try_enter(most)
    }

    /// Requests that wait for a place.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.waiting.now()
    }

    /// Notified when a place has become free while someone waits for one.
    #[must_use]
    pub fn freed(&self) -> &Notify {
        &self.freed
    }

    /// Requests in flight.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.now()
    }

    /// One at a time judges what a pool may lose, so that two failures in the same moment cannot both eject
    /// the last.
    pub(crate) fn judge(&self) -> MutexGuard<'_, ()> {
        self.judging.lock()
    }
}

/// A request's place at a backend: among its requests in flight, which may be limited.
#[derive(Debug)]
#[must_use = "dropping it gives the place back"]
pub struct Place {
    /// Dropped before those who wait are told.
    in_flight: Option<InFlight>,
    /// Where others may wait for it.
    pool: Option<Arc<PoolCell>>,
}

impl Place {
    /// A place at `cell`, unless `limit` requests have one.
    pub(crate) fn at(cell: &Cell, limit: Option<u32>, pool: Option<&Arc<PoolCell>>) -> Option<Self> {
        let in_flight = cell.begin(limit)?;
        let pool = limit.and_then(|_| pool.cloned());
        Some(Self { in_flight: Some(in_flight), pool })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.in_flight = None;
        if let Some(pool) = self.pool.as_ref().filter(|pool| pool.waiting.now() > 0) {
            pool.freed.notify_one();
        }
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
