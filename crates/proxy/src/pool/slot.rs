//! One worker's connections to one backend.

use super::ConnectError;
use super::idle::{Idle, Lease, SPURNED, Stack};
use super::key::Key;
use super::reserve::Reserve;
use crate::h2;
use nearside_core::policy::Connections;
use parking_lot::{Mutex, MutexGuard};
use std::net::SocketAddr;
use std::sync::Arc;
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
    /// A request has gone by a connection that another worker shares, for want of an own one.
    borrows: bool,
}

/// What waits for requests here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Readiness {
    /// Whether a shared connection has streams to spare.
    pub(super) shared: bool,
    /// How many idle connections there are, as far as the pool's rules want to know.
    pub(super) idle: u32,
    /// Whether ALPN has chosen HTTP/1.1.
    pub(super) alone: bool,
}

/// What a sweep has found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Swept {
    /// The least round trip that what is left has seen of late.
    pub(super) round_trip: Option<Duration>,
    /// Whether the backend has closed a connection soon that was made ready for it.
    pub(super) spurned: bool,
}

/// A connection is renewed so long before it is over; sooner where that is more than a quarter of its time.
const NOTICE: Duration = Duration::from_secs(3);

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
    /// Whether it has carried a request, and was not only made ready for one.
    pub(super) used: bool,
}

impl Shared {
    /// Whether it has streams to spare, and is not about to be closed.
    fn is_ready(&self, until: Instant, keepalive: Duration) -> bool {
        let (streams, most) = (self.connection.streams(), self.connection.most_streams());
        let lasts = self.quiet.is_none_or(|quiet| quiet + keepalive > until);
        // A quarter of the streams is kept free; where there are few, one.
        self.connection.has_room() && streams <= most - most.div_ceil(4) && lasts
    }
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
        (found.quiet, found.used) = (None, true);
        Some(found.clone())
    }

    /// An idle connection for another worker: one that can be spared here, or `any`.
    pub(super) fn give_away(&self, now: Instant, any: bool) -> Option<Idle> {
        self.state().stack.take_for_other(now, any)
    }

    /// Notes that a request has gone by a connection of another worker.
    pub(super) fn borrowed(&self) {
        self.state().borrows = true;
    }

    /// Whether requests have gone by a connection of another worker since this was asked last, and there is still none
    /// here that they could have taken.
    pub(super) fn wants_own(&self) -> bool {
        let mut state = self.state();
        std::mem::take(&mut state.borrows) && !state.shared.iter().any(|shared| shared.connection.has_room())
    }

    /// What is ready for requests, and stays so for as long as it takes to make more.
    pub(super) fn readiness(&self, now: Instant, rules: &Connections) -> Readiness {
        let state = self.state();
        let until = now + NOTICE.min(rules.keepalive / 4);
        Readiness {
            shared: state.shared.iter().any(|shared| shared.is_ready(until, rules.keepalive)),
            idle: state.stack.lasting(until, rules.prewarm),
            alone: state.alone,
        }
    }

    /// How many connections no request uses now.
    pub(super) fn idle_now(&self) -> usize {
        let state = self.state();
        let quiet = state.shared.iter().filter(|shared| shared.connection.streams() == 0);
        state.stack.len() + quiet.count()
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

    /// Closes what has died, and what has been quiet for `keepalive`.
    pub(super) fn sweep(&self, now: Instant, keepalive: Duration) -> Swept {
        let mut state = self.state();
        let mut swept = state.stack.sweep(now);
        let mut over = Vec::new();
        let shared = std::mem::take(&mut state.shared);
        for mut one in shared {
            if one.connection.streams() > 0 {
                one.quiet = None;
            }
            let quiet = *one.quiet.get_or_insert(now);
            let ended = !one.connection.is_usable();
            let old = one.connection.streams() == 0 && now.saturating_duration_since(quiet) >= keepalive;
            swept.spurned |= ended && !one.used && now < one.made + SPURNED;
            if ended || old { over.push(one) } else { state.shared.push(one) }
        }
        let of_stack = state.stack.round_trip();
        let asked = state.shared.iter().filter_map(|shared| shared.connection.round_trip());
        let round_trip = asked.chain(of_stack).min();
        drop(state);
        drop((swept.dead, over));
        Swept { round_trip, spurned: swept.spurned }
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
        self.state.lock()
    }
}
