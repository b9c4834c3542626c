//! The gate before a backend: so many connections of all workers, and a queue of those that wait for one.

use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A waiter of another worker that has waited this much longer goes before one's own.
const FAIRNESS: Duration = Duration::from_millis(100);

/// Counts the connections to one backend. `T` is a connection that is passed on instead of a permit.
#[derive(Debug)]
pub(super) struct Gate<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    open: u32,
    limit: u32,
    waiters: VecDeque<Waiter<T>>,
}

#[derive(Debug)]
struct Waiter<T> {
    worker: usize,
    since: Instant,
    to: oneshot::Sender<Grant<T>>,
}

/// What a waiter gets.
#[derive(Debug)]
pub(super) enum Grant<T> {
    /// The right to make a connection.
    Permit(Permit<T>),
    /// A connection that another request of the same worker has done with.
    Handed(T),
}

/// A place in the queue.
pub(super) type Place<T> = oneshot::Receiver<Grant<T>>;

/// One connection's right to exist; given back, or passed on, when it is dropped.
#[derive(Debug)]
pub(super) struct Permit<T> {
    gate: Option<Arc<Gate<T>>>,
}

impl<T> Gate<T> {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { open: 0, limit: u32::MAX, waiters: VecDeque::new() }) }
    }

    /// A permit, when fewer than `limit` are out and nobody waits for one.
    pub(super) fn try_enter(self: &Arc<Self>, limit: u32) -> Option<Permit<T>> {
        let mut state = self.state();
        state.limit = limit;
        let free = state.open < limit && state.waiters.is_empty();
        state.open += u32::from(free);
        free.then(|| Permit { gate: Some(Arc::clone(self)) })
    }

    /// Whether `limit` are out, or somebody waits for one.
    pub(super) fn is_full(&self, limit: u32) -> bool {
        let state = self.state();
        state.open >= limit || !state.waiters.is_empty()
    }

    /// A place in the queue for `worker`, when fewer than `max` wait. A permit that became free in between is
    /// granted at once.
    pub(super) fn queue(self: &Arc<Self>, worker: usize, max: u32) -> Option<Place<T>> {
        let (to, place) = oneshot::channel();
        let mut state = self.state();
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        if state.waiters.len() >= max {
            state.waiters.retain(|waiter| !waiter.to.is_closed());
        }
        if state.waiters.len() >= max {
            return None;
        }
        state.waiters.push_back(Waiter { worker, since: Instant::now(), to });
        let free = state.open < state.limit;
        state.open += u32::from(free);
        drop(state);
        if free {
            // Goes to the first in the queue, who may be another.
            drop(Permit { gate: Some(Arc::clone(self)) });
        }
        Some(place)
    }

    /// Whether `worker` should pass a connection on rather than keep it.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.state().waiters.is_empty()
    }

    /// Passes `connection` to a waiter of `worker`; gives it back where none waits there, or where another worker
    /// has waited much longer. Then it is to be closed, so that its permit moves on.
    pub(super) fn hand_over(&self, worker: usize, mut connection: T) -> Result<(), T> {
        loop {
            let mut state = self.state();
            while state.waiters.pop_front_if(|first| first.to.is_closed()).is_some() {}
            let first = state.waiters.front().map(|waiter| waiter.since);
            let mine = state.waiters.iter().position(|waiter| waiter.worker == worker);
            let Some((first, mine)) = first.zip(mine) else { return Err(connection) };
            let fair = state.waiters.get(mine).is_some_and(|waiter| waiter.since - first <= FAIRNESS);
            let Some(waiter) = fair.then(|| state.waiters.remove(mine)).flatten() else {
                return Err(connection);
            };
            drop(state);
            match waiter.to.send(Grant::Handed(connection)) {
                Err(Grant::Handed(back)) => connection = back,
                Ok(()) | Err(Grant::Permit(_)) => return Ok(()),
            }
        }
    }

    /// Connections that exist, or are being made.
    #[cfg(test)]
    pub(super) fn open(&self) -> u32 {
        self.state().open
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock()
    }
}

impl<T> Drop for Permit<T> {
    fn drop(&mut self) {
        let Some(gate) = self.gate.take() else { return };
        loop {
            let mut state = gate.state();
            // A limit that was lowered is reached by not passing on.
            let next = if state.open <= state.limit { state.waiters.pop_front() } else { None };
            let Some(waiter) = next else {
                state.open -= 1;
                return;
            };
            drop(state);
            let permit = Self { gate: Some(Arc::clone(&gate)) };
            match waiter.to.send(Grant::Permit(permit)) {
                Err(Grant::Permit(mut back)) => back.gate = None,
                Ok(()) | Err(Grant::Handed(_)) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Arc<Gate<&'static str>> {
        Arc::new(Gate::new())
    }

    #[tokio::test]
    async fn beyond_the_limit_one_waits_and_beyond_the_queue_one_is_refused() {
        let gate = gate();
        let (one, two) = (gate.try_enter(2).unwrap(), gate.try_enter(2).unwrap());
        assert!(gate.try_enter(2).is_none());
        let place = gate.queue(0, 1).unwrap();
        assert!(gate.queue(0, 1).is_none());
        drop(one);
        assert!(matches!(place.await, Ok(Grant::Permit(_))));
        assert_eq!(gate.open(), 1);
        drop(two);
        assert_eq!(gate.open(), 0);
    }

    #[tokio::test]
    async fn who_gave_up_is_passed_over() {
        let gate = gate();
        let permit = gate.try_enter(1).unwrap();
        let gone = gate.queue(0, 2).unwrap();
        let patient = gate.queue(0, 2).unwrap();
        drop(gone);
        assert!(gate.queue(0, 2).is_some());
        drop(permit);
        let granted = patient.await;
        assert!(matches!(granted, Ok(Grant::Permit(_))));
        assert!(gate.try_enter(1).is_none());
        drop(granted);
        assert_eq!(gate.open(), 0);
    }

    #[tokio::test]
    async fn a_permit_that_became_free_before_one_queued_is_granted() {
        let gate = gate();
        drop(gate.try_enter(1).unwrap());
        let place = gate.queue(0, 1).unwrap();
        assert!(matches!(place.await, Ok(Grant::Permit(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_goes_to_a_waiter_of_its_worker_unless_another_has_waited_much_longer() {
        let gate = gate();
        let _permit = gate.try_enter(1).unwrap();
        assert_eq!(gate.hand_over(0, "a"), Err("a"));
        let foreign = gate.queue(1, 9).unwrap();
        assert_eq!(gate.hand_over(0, "b"), Err("b"));
        let soon = gate.queue(0, 9).unwrap();
        assert_eq!(gate.hand_over(0, "c"), Ok(()));
        assert!(matches!(soon.await, Ok(Grant::Handed("c"))));
        tokio::time::advance(FAIRNESS * 2).await;
        let _late = gate.queue(0, 9).unwrap();
        assert_eq!(gate.hand_over(0, "d"), Err("d"));
        drop(foreign);
        assert!(gate.is_waited_for());
        assert_eq!(gate.hand_over(0, "e"), Ok(()));
    }
}
