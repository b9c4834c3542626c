//! Keeping connections ready: what one worker does besides its requests. It closes what is over, and makes what is missing
//! before a request wants it.

use super::connect::{Ahead, Want};
use super::key::Key;
use super::reserve::Making;
use super::slot::Slot;
use super::{ConnectError, is_told};
use crate::live::{Edge, Live};
use crate::room::Room;
use crate::worker::Worker;
use nearside_core::policy::Connections;
use nearside_core::{BackendId, BackendKey, Evidence, Verdict};
use nearside_health::{Change, Standing};
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, sleep, timeout};

/// The most connections that a worker makes ahead at one time, so that requests have their turn.
const AT_ONCE: usize = 128;

/// How long a generation waits for connections to the backends that come back with it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Keeps the worker's connections, until it is cancelled.
pub(crate) async fn keep(worker: Arc<Worker>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut changes = worker.edge.live.load().evidence.changes();
    let mut coming = worker.edge.reserves.coming();
    let mut warmer = Warmer::new(worker);
    loop {
        tokio::select! {
            _ = seconds.tick() => {
                let live = warmer.worker.edge.live.load_full();
                warmer.worker.pools.sweep(&live);
                warmer.look(Of::All);
            }
            risen = risen(&mut changes) => warmer.look(Of::Risen(&risen)),
            Ok(()) = coming.changed() => {
                warmer.coming = Weak::clone(&coming.borrow_and_update());
                warmer.look(Of::Coming);
            }
            Some(made) = warmer.dials.join_next() => {
                // A dial that panicked has said so, and the next second looks again.
                if let Ok(key) = made {
                    warmer.look(Of::Made(&key));
                }
                if warmer.left {
                    warmer.look(Of::All);
                }
            }
        }
    }
}

/// Lets connections be made to the backends that get requests again with `next`, as after a drain, and waits for them, or
/// for a while. To be called before `next` goes live.
pub async fn revive(edge: &Edge, next: &Arc<Live>) {
    let before = edge.live.load_full();
    let ids: HashMap<_, _> = keyed(&before);
    let revived: Vec<_> = keyed(next)
        .into_iter()
        .filter(|(key, id)| {
            let same = ids.get(key).filter(|before_id| Key::of(&before, **before_id) == Key::of(next, *id));
            same.is_some_and(|before_id| rules(&before, *before_id).is_none() && rules(next, *id).is_some())
        })
        .map(|(_, id)| id)
        .collect();
    if revived.is_empty() {
        return;
    }
    edge.reserves.announce(next);
    let ready = async {
        while !revived.iter().all(|id| edge.reserves.is_ready(next, *id)) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = timeout(PATIENCE, ready).await.is_ok();
    tracing::info!(backends = revived.len(), in_time, "connections made to backends that come back");
}

fn keyed(live: &Live) -> HashMap<&BackendKey, BackendId> {
    let backends = live.generation.backends.iter().enumerate();
    backends.map(|(index, backend)| (&backend.key, BackendId::new(index))).collect()
}

/// The next backend that is marked up.
async fn risen(changes: &mut Receiver<Change>) -> BackendKey {
    loop {
        match changes.recv().await {
            Ok(change) if change.to == Standing::Healthy => return change.key,
            // What was missed is seen when everything is looked at.
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// The rules by which connections to the backend are made ready; `None` where none are: to one that gets no requests, that
/// is known to be unwell, whose name has no address yet, or that has to be told for whom a connection is.
pub(super) fn rules(live: &Live, id: BackendId) -> Option<&Connections> {
    let backend = live.generation.backend(id)?;
    let rules = &live.generation.pool(backend.pool)?.connections;
    let wanted = rules.prewarm > 0 && !rules.keepalive.is_zero() && !is_told(live, id);
    let served = backend.weight > 0 && live.generation.drain_of(backend).is_none();
    if !wanted || !served {
        return None;
    }
    let state = live.evidence.state(id, live.evidence.now());
    let unwell = state.verdict == Verdict::Unhealthy || state.ejected || state.suspected;
    let known = backend.endpoint.socket().is_some() || !live.evidence.addresses(id).is_empty();
    (!unwell && known).then_some(rules)
}

/// Which backends are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of<'a> {
    /// All that no other worker has looked at of late.
    All,
    /// All, since another generation is about to come.
    Coming,
    /// One that was just marked up.
    Risen(&'a BackendKey),
    /// One for which a connection was just made, or could not be.
    Made(&'a BackendKey),
}

impl Of<'_> {
    fn holds(self, key: &BackendKey) -> bool {
        match self {
            Self::All | Self::Coming => true,
            Self::Risen(one) | Self::Made(one) => one == key,
        }
    }
}

/// What makes connections ahead on one worker.
#[derive(Debug)]
pub(super) struct Warmer {
    worker: Arc<Worker>,
    room: Room,
    dials: JoinSet<BackendKey>,
    /// The generation that goes live next, or has.
    coming: Weak<Live>,
    /// Whether some were not looked at for want of a turn.
    left: bool,
}

impl Warmer {
    pub(super) fn new(worker: Arc<Worker>) -> Self {
        Self {
            worker,
            room: Room::of_this_process(),
            dials: JoinSet::new(),
            coming: Weak::new(),
            left: false,
        }
    }

    /// Looks what is missing, and begins to make it.
    pub(super) fn look(&mut self, of: Of<'_>) {
        if self.worker.is_strained() {
            // It has more to do than it can, and nobody has asked for these.
            return;
        }
        let live = self.worker.edge.live.load_full();
        let Some(mut slots) = self.worker.pools.to_warm(&live) else { return };
        let next = self.coming.upgrade();
        let next = next.filter(|next| next.generation.stamp.number > live.generation.stamp.number);
        if let Some(next) = &next {
            // What stays as it is finds its connections under the ids that are to come.
            let ids = keyed(next);
            slots.retain_mut(|(id, slot)| {
                let later = ids.get(&slot.key.backend).copied();
                let same = later.filter(|later| Key::of(next, *later).as_ref() == Some(&*slot.key));
                same.is_some_and(|same| {
                    *id = same;
                    true
                })
            });
        }
        let live = next.unwrap_or(live);
        // Each worker begins elsewhere, so that they share what there is to do at the start.
        let begin = self.worker.id % slots.len().max(1);
        let (before, after) = slots.split_at(begin);
        if matches!(of, Of::All) {
            self.left = false;
        }
        for (id, slot) in after.iter().chain(before) {
            if !of.holds(&slot.key.backend) {
                continue;
            }
            if self.dials.len() >= AT_ONCE {
                self.left = true;
                return;
            }
            self.look_at(&live, *id, slot, of);
        }
    }

    fn look_at(&mut self, live: &Arc<Live>, id: BackendId, slot: &Arc<Slot>, of: Of<'_>) {
        let rules = rules(live, id);
        if rules.is_none() || matches!(of, Of::Risen(_)) {
            // Its probes tell when there is a point in it again.
            slot.reserve.warmth().forgive();
        }
        let Some(rules) = rules else { return };
        let own = slot.wants_own();
        if matches!(of, Of::All) && !own && !slot.reserve.warmth().is_due(Instant::now()) {
            return;
        }
        let most = AT_ONCE.saturating_sub(self.dials.len());
        for making in slot.reserve.claim(slot, rules, (own, most)) {
            let (worker, live) = (Arc::clone(&self.worker), Arc::clone(live));
            self.dials.spawn(make(worker, live, (id, Arc::clone(slot)), making, self.room));
        }
    }

    /// Waits until nothing is being made, and nothing more is missing because of what was made.
    #[cfg(test)]
    pub(super) async fn finish(&mut self) {
        while let Some(made) = self.dials.join_next().await {
            self.look(Of::Made(&made.unwrap()));
        }
    }
}

/// Makes one connection.
async fn make(
    worker: Arc<Worker>,
    live: Arc<Live>,
    (id, slot): (BackendId, Arc<Slot>),
    making: Making,
    room: Room,
) -> BackendKey {
    let made = ahead(&worker, &live, (id, &slot), (making.early, room)).await;
    let mut warmth = slot.reserve.warmth();
    match made {
        Ok(true) => {}
        Ok(false) => warmth.wait(Instant::now()),
        Err(error) => {
            warmth.failed(Instant::now());
            let error = &error as &dyn std::error::Error;
            tracing::debug!(backend = slot.key.backend.as_str(), error, "no connection made ahead");
        }
    }
    drop(warmth);
    drop(making);
    slot.key.backend.clone()
}

/// Whether there was room for it.
async fn ahead(
    worker: &Arc<Worker>,
    live: &Live,
    (id, slot): (BackendId, &Arc<Slot>),
    (early, room): (Duration, Room),
) -> Result<bool, ConnectError> {
    let backend = live.generation.backend(id).ok_or(ConnectError::NoAddress)?;
    let pool = live.generation.pool(backend.pool).ok_or(ConnectError::NoAddress)?;
    let want = Want { worker, live, backend, id, slot: Arc::clone(slot) };
    let ahead = Ahead { rules: &pool.connections, within: pool.timeouts.connect, early, room };
    want.prepare(&ahead).await
}

#[cfg(test)]
mod tests;
