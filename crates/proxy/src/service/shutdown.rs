//! How the service ends: its phase, and the presence of each connection in it.

use super::crowd::Guest;
use nearside_telemetry::Open;
use parking_lot::{Mutex, MutexGuard};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How far the service has come.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// Nothing is accepted yet.
    #[default]
    Starting,
    /// Serving.
    Running,
    /// Readiness fails, so that balancers turn away; connections are still accepted, and h1 answers are the last ones
    /// on theirs.
    Draining,
    /// Nothing is accepted any more; connections close as soon as they are idle.
    Closing,
    /// All connections have ended, or the deadline has passed.
    Ended,
}

/// The phase of the service, shared by all who ask or move it. Phases only go forward.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<Progress>);

#[derive(Debug, Default)]
struct Progress {
    phase: watch::Sender<Phase>,
    /// Where a successor accepts now.
    succeeded: OnceLock<Box<[SocketAddr]>>,
}

impl Shutdown {
    /// The phase now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.phase.borrow()
    }

    /// Begins the end: the service goes through the delay and the deadline of its generation by itself.
    pub fn begin(&self) {
        self.advance(Phase::Draining);
    }

    /// Leaves new connections to a successor, which accepts on these addresses by now, and ends what is in flight.
    ///
    /// No client is turned away: a kept connection that is idle is closed after its next answer, not before.
    pub fn hand_over(&self, addresses: Vec<SocketAddr>) {
        // Handed over once: a second successor would be the first one's.
        if self.0.succeeded.set(addresses.into()).is_ok() {
            self.advance(Phase::Closing);
        }
    }

    /// Whether a successor serves.
    #[must_use]
    pub fn is_handed_over(&self) -> bool {
        self.0.succeeded.get().is_some()
    }

    /// Whether a successor accepts on `address`, so that who waits there is its client.
    pub(super) fn is_left(&self, address: SocketAddr) -> bool {
        self.0.succeeded.get().is_some_and(|addresses| addresses.contains(&address))
    }

    /// Waits until the service has reached `phase`.
    pub async fn reached(&self, phase: Phase) {
        let mut phases = self.0.phase.subscribe();
        // An error means that nobody can move the phase; `self` can.
        let reached = phases.wait_for(|now| *now >= phase).await;
        drop(reached);
    }

    /// Moves on to `phase`, never back.
    pub(super) fn advance(&self, phase: Phase) {
        self.0.phase.send_if_modified(|now| {
            let forward = phase > *now;
            *now = phase.max(*now);
            forward
        });
    }
}

/// What is asked of the connections, from the least to the most.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Leave {
    /// Nothing.
    #[default]
    Stay,
    /// Each h1 answer is the last one on its connection: the one way to part from an h1 client without a race.
    AfterAnswer,
    /// h2 connections send GOAWAY too.
    Goaway,
    /// Idle h1 connections close too.
    AtOnce,
}

/// The connections of one worker: counted, and told when to leave.
#[derive(Debug, Default)]
pub struct Presences {
    list: Mutex<List>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct List {
    leave: Leave,
    count: usize,
    /// Those among them that only wait for their client to go.
    parting: usize,
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
        Presence { of: Arc::clone(self), slot, parts: false, counted: None, guest: None }
    }

    /// How many connections there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.list().count
    }

    /// Tells every connection, and every later one, to leave in this way, unless more was asked already.
    pub fn leave(&self, leave: Leave) {
        let mut list = self.list();
        list.leave = list.leave.max(leave);
        let wakers: Vec<Waker> = list.wakers.iter_mut().filter_map(Option::take).collect();
        drop(list);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Tells every connection, and every later one, to close once it is idle.
    pub fn close(&self) {
        self.leave(Leave::AtOnce);
    }

    /// Waits until the last connection has ended; those that only wait for their client to go are given `patience`
    /// after the others.
    pub async fn empty(&self, patience: Duration) {
        loop {
            self.until(|list| list.count == list.parting).await;
            let back = self.until(|list| list.count == 0 || list.count > list.parting);
            if tokio::time::timeout(patience, back).await.is_err() || self.count() == 0 {
                return;
            }
        }
    }

    async fn until(&self, is_so: impl Fn(&List) -> bool) {
        while !is_so(&self.list()) {
            self.changed.notified().await;
        }
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock()
    }
}

/// One connection's presence: it is counted while this lives.
#[derive(Debug)]
pub struct Presence {
    of: Arc<Presences>,
    slot: usize,
    parts: bool,
    counted: Option<Open>,
    guest: Option<Guest>,
}

impl Presence {
    /// Also counts the connection as one of its listener's.
    #[must_use]
    pub(super) fn counted(self, open: Open) -> Self {
        let mut presence = self;
        presence.counted = Some(open);
        presence
    }

    /// Also counts the connection as one of its client's.
    pub(super) fn invite(&mut self, guest: Guest) {
        self.guest = Some(guest);
    }

    /// As whose connection it is counted, if it is.
    pub(super) fn guest(&self) -> Option<&Guest> {
        self.guest.as_ref()
    }

    /// Notes whether nothing more is to be done than to wait for the client to go.
    pub fn parts(&mut self, parts: bool) {
        if parts == self.parts {
            return;
        }
        self.parts = parts;
        let mut list = self.of.list();
        if parts {
            list.parting += 1;
        } else {
            list.parting -= 1;
        }
        drop(list);
        self.of.changed.notify_one();
    }

    /// Whether the next answer is the last one: h1 says `connection: close` from then on.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.of.list().leave >= Leave::AfterAnswer
    }

    /// Ready once `leave` is asked for; until then the task is woken when more is asked.
    pub fn poll_leave(&mut self, leave: Leave, cx: &mut Context<'_>) -> Poll<()> {
        let mut list = self.of.list();
        if list.leave >= leave {
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
        list.parting -= usize::from(self.parts);
        let last = list.count == list.parting;
        drop(list);
        drop((waker, self.counted.take(), self.guest.take()));
        if last {
            self.of.changed.notify_one();
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
            poll_fn(|cx| early.poll_leave(Leave::AtOnce, cx)).await;
            early.is_closing()
        });
        tokio::task::yield_now().await;
        assert_eq!(presences.count(), 1);
        // Less than it waits for wakes it, and is not enough.
        presences.leave(Leave::Goaway);
        tokio::task::yield_now().await;
        assert_eq!(presences.count(), 1);
        presences.close();
        presences.leave(Leave::AfterAnswer);
        presences.empty(Duration::ZERO).await;
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
    fn what_is_left_to_a_successor_is_left_to_the_first() {
        let shutdown = Shutdown::default();
        let [one, other] = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        shutdown.hand_over(vec![one]);
        shutdown.hand_over(vec![other]);
        assert_eq!((shutdown.is_left(one), shutdown.is_left(other)), (true, false));
        assert_eq!((shutdown.phase(), shutdown.is_handed_over()), (Phase::Closing, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_waits_for_its_client_to_go_is_not_waited_for_long() {
        let presences = Arc::new(Presences::default());
        let (busy, mut silent) = (presences.enter(), presences.enter());
        silent.parts(true);
        let patience = Duration::from_millis(300);
        let ending = tokio::time::timeout(Duration::from_secs(60), presences.empty(patience));
        assert!(ending.await.is_err(), "the busy one was not waited for");
        drop(busy);
        let began = tokio::time::Instant::now();
        presences.empty(patience).await;
        assert_eq!(began.elapsed(), patience);
        // Its client had sent a request before it learnt of the end.
        silent.parts(false);
        let ending = tokio::time::timeout(Duration::from_secs(60), presences.empty(patience));
        assert!(ending.await.is_err(), "what came back was not waited for");
        drop(silent);
        presences.empty(patience).await;
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
