//! How the service ends: its phase, and the presence of each connection in it.

use nearside_telemetry::Open;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::sync::{Notify, watch};

/// How far the end has come.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// Serving.
    #[default]
    Running,
    /// Readiness fails, so that balancers turn away; connections are still accepted.
    Draining,
    /// Nothing is accepted any more; connections close as soon as they are idle.
    Closing,
    /// All connections have ended, or the deadline has passed.
    Ended,
}

/// The phase of the service, shared by all who ask or move it. Phases only go forward.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<watch::Sender<Phase>>);

impl Default for Shutdown {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Running)))
    }
}

impl Shutdown {
    /// The phase now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Begins the end: the service goes through the delay and the deadline of its generation by itself.
    pub fn begin(&self) {
        self.advance(Phase::Draining);
    }

    /// Waits until the service has reached `phase`.
    pub async fn reached(&self, phase: Phase) {
        let mut phases = self.0.subscribe();
        // An error means that nobody can move the phase; `self` can.
        let reached = phases.wait_for(|now| *now >= phase).await;
        drop(reached);
    }

    /// Moves on to `phase`, never back.
    pub(super) fn advance(&self, phase: Phase) {
        self.0.send_if_modified(|now| {
            let forward = phase > *now;
            *now = phase.max(*now);
            forward
        });
    }
}

/// The connections of one worker: counted, and told when to close.
#[derive(Debug, Default)]
pub struct Presences {
    list: Mutex<List>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct List {
    closing: bool,
    count: usize,
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Presences {
    /// A new connection's presence.
    #[must_use]
    pub fn enter(self: &Arc<Self>) -> Presence {
        let mut list = self.list();
        let slot = list.free.pop().unwrap_or_else(|| {
            list.wakers.push(None);
            list.wakers.len() - 1
        });
        list.count += 1;
        Presence { of: Arc::clone(self), slot, counted: None }
    }

    /// How many connections there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.list().count
    }

    /// Tells every connection, and every later one, to close once it is idle.
    pub fn close(&self) {
        let mut list = self.list();
        list.closing = true;
        let wakers: Vec<Waker> = list.wakers.iter_mut().filter_map(Option::take).collect();
        drop(list);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits until the last connection has ended.
    pub async fn empty(&self) {
        while self.count() > 0 {
            self.emptied.notified().await;
        }
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's presence: it is counted while this lives.
#[derive(Debug)]
pub struct Presence {
    of: Arc<Presences>,
    slot: usize,
    counted: Option<Open>,
}

impl Presence {
    /// Also counts the connection as one of its listener's.
    #[must_use]
    pub(super) fn counted(self, open: Open) -> Self {
        let mut presence = self;
        presence.counted = Some(open);
        presence
    }

    /// Whether the connection is to close once it is idle: h1 answers with `connection: close` from then on, h2
    /// sends GOAWAY.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.of.list().closing
    }

    /// Ready once the connection is to close; until then the task is woken when that comes.
    pub fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut list = self.of.list();
        if list.closing {
            return Poll::Ready(());
        }
        if let Some(waker) = list.wakers.get_mut(self.slot) {
            match waker {
                Some(waker) => waker.clone_from(cx.waker()),
                None => *waker = Some(cx.waker().clone()),
            }
        }
        Poll::Pending
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut list = self.of.list();
        let waker = list.wakers.get_mut(self.slot).and_then(Option::take);
        list.free.push(self.slot);
        list.count -= 1;
        let last = list.count == 0;
        drop(list);
        drop((waker, self.counted.take()));
        if last {
            self.of.emptied.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test]
    async fn every_connection_is_told_once_the_service_closes() {
        let presences = Arc::new(Presences::default());
        let mut early = presences.enter();
        let waiting = tokio::spawn(async move {
            poll_fn(|cx| early.poll_closing(cx)).await;
            early.is_closing()
        });
        tokio::task::yield_now().await;
        assert_eq!(presences.count(), 1);
        presences.close();
        presences.empty().await;
        assert!(waiting.await.unwrap());
        assert!(presences.enter().is_closing());
    }

    #[tokio::test]
    async fn phases_only_go_forward() {
        let shutdown = Shutdown::default();
        shutdown.advance(Phase::Closing);
        shutdown.begin();
        assert_eq!(shutdown.phase(), Phase::Closing);
        shutdown.reached(Phase::Draining).await;
    }

    #[test]
    fn a_slot_is_used_again() {
        let presences = Arc::new(Presences::default());
        drop(presences.enter());
        let kept = presences.enter();
        assert_eq!(kept.slot, 0);
        assert_eq!(presences.list().wakers.len(), 1);
    }
}
