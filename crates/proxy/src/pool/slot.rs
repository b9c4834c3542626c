//! One worker's connections to one backend.

use super::ConnectError;
use super::idle::{Idle, Lease, Stack};
use super::key::Key;
use super::reserve::Reserve;
use crate::h2;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The idle connections, the shared ones, and the dial under way.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: Arc<Key>,
    pub(super) reserve: Arc<Reserve>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stack: Stack,
    shared: Vec<Shared>,
    dialling: Option<watch::Receiver<()>>,
    failed: Option<(Instant, ConnectError)>,
    /// ALPN has chosen HTTP/1.1, so that no dial is waited for.
    alone: bool,
    /// The generation that named it is gone: nothing is kept any more.
    retired: bool,
}

/// An HTTP/2 connection, which many requests share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) connection: h2::Connection,
    pub(super) address: Option<SocketAddr>,
    pub(super) lease: Arc<Lease>,
    /// When it was made.
    pub(super) made: Instant,
    /// Since when no stream was seen on it.
    pub(super) quiet: Option<Instant>,
}

/// What a request does that needs a new connection.
#[derive(Debug)]
pub(super) enum Turn<'a> {
    /// It dials. Others wait for it, where the connection may be shared, until this is dropped.
    Dial(Option<Dialling<'a>>),
    /// Another dials; this ends when it has done.
    Wait(watch::Receiver<()>),
}

/// A dial that others wait for.
#[derive(Debug)]
pub(super) struct Dialling<'a> {
    slot: &'a Slot,
    _done: watch::Sender<()>,
}

impl Drop for Dialling<'_> {
    fn drop(&mut self) {
        self.slot.state().dialling = None;
    }
}

impl Slot {
    pub(super) fn new(key: Key, reserve: Arc<Reserve>) -> Arc<Self> {
        let slot = Arc::new(Self { key: Arc::new(key), reserve, state: Mutex::default() });
        slot.reserve.enlist(&slot);
        slot
    }

    /// An idle connection.
    pub(super) fn idle(&self, now: Instant) -> Option<Idle> {
        self.state().stack.take(now)
    }

    /// A shared connection with room for a stream, made at `since` or later where that is asked.
    pub(super) fn shared(&self, since: Option<Instant>) -> Option<Shared> {
        let mut state = self.state();
        // The newest first, so that older ones run empty.
        let mut newest = state.shared.iter_mut().rev();
        let found = newest
            .find(|shared| since.is_none_or(|since| shared.made >= since) && shared.connection.has_room())?;
        found.quiet = None;
        Some(found.clone())
    }

    /// A shared connection on which a stream will be free sooner or later.
    pub(super) fn busy(&self) -> Option<Shared> {
        self.state().shared.iter().rev().find(|shared| shared.connection.is_usable()).cloned()
    }

    /// Keeps a connection for later, or passes it on to who waits.
    pub(super) fn keep(&self, worker: usize, idle: Idle) {
        let now = idle.since;
        let mut state = self.state();
        if state.retired || idle.keepalive.is_zero() {
            drop(state);
            return drop(idle);
        }
        if self.reserve.gate.is_waited_for() {
            drop(state);
            // Where nobody of this worker waits it is closed, and its permit goes to who does.
            return drop(self.reserve.gate.hand_over(worker, idle));
        }
        state.stack.push(idle, now);
    }

    /// Lets others use a new connection.
    pub(super) fn share(&self, shared: Shared) {
        let mut state = self.state();
        state.alone = false;
        if !state.retired {
            state.shared.push(shared);
        }
    }

    /// Notes that connections are not shared here.
    pub(super) fn stand_alone(&self) {
        self.state().alone = true;
    }

    /// Whose turn it is to dial.
    pub(super) fn turn(&self) -> Turn<'_> {
        let mut state = self.state();
        if !self.key.may_share() || state.alone {
            return Turn::Dial(None);
        }
        if let Some(waiting) = &state.dialling {
            return Turn::Wait(waiting.clone());
        }
        let (done, waiting) = watch::channel(());
        state.dialling = Some(waiting);
        Turn::Dial(Some(Dialling { slot: self, _done: done }))
    }

    /// Notes that a dial has failed.
    pub(super) fn fail(&self, error: &ConnectError) {
        self.state().failed = Some((Instant::now(), error.clone()));
    }

    /// How a dial has failed since `start`, if one has.
    pub(super) fn failure_since(&self, start: Instant) -> Option<ConnectError> {
        self.state().failed.as_ref().filter(|(at, _)| *at >= start).map(|(_, error)| error.clone())
    }

    /// Closes one connection that is not in use; whether there was one.
    pub(super) fn spare(&self) -> bool {
        let mut state = self.state();
        let idle = state.stack.take_oldest();
        let quiet = |shared: &Shared| shared.connection.streams() == 0;
        let shared = match &idle {
            Some(_) => None,
            None => state.shared.iter().position(quiet).map(|at| state.shared.remove(at)),
        };
        drop(state);
        idle.is_some() || shared.is_some()
    }

    /// Closes what has died, and what has been quiet for `keepalive`. The least round trip that what is left has seen of late.
    pub(super) fn sweep(&self, now: Instant, keepalive: Duration) -> Option<Duration> {
        let mut state = self.state();
        let dead = state.stack.sweep(now);
        let mut over = Vec::new();
        let shared = std::mem::take(&mut state.shared);
        for mut one in shared {
            if one.connection.streams() > 0 {
                one.quiet = None;
            }
            let quiet = *one.quiet.get_or_insert(now);
            let ended = !one.connection.is_usable();
            let old = one.connection.streams() == 0 && now.saturating_duration_since(quiet) >= keepalive;
            if ended || old { over.push(one) } else { state.shared.push(one) }
        }
        let asked = state.shared.iter().filter_map(|shared| shared.connection.round_trip());
        let round_trip = asked.chain(state.stack.round_trip()).min();
        drop(state);
        drop((dead, over));
        round_trip
    }

    /// Closes all that is not in use, now and later.
    pub(super) fn retire(&self) {
        let mut state = self.state();
        state.retired = true;
        let closed = (state.stack.clear(), std::mem::take(&mut state.shared));
        drop(state);
        drop(closed);
    }

    /// How many connections are kept: idle ones, and shared ones.
    pub(super) fn kept(&self) -> (usize, usize) {
        let state = self.state();
        (state.stack.len(), state.shared.len())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
