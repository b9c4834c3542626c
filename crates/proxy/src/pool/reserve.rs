//! What the workers share of one backend: the gate, where each of them keeps its connections, and what is made ahead of
//! requests, which counts for the whole PoP.

use super::gate::Gate;
use super::idle::Idle;
use super::key::Key;
use super::slot::{Shared, Slot};
use super::warm;
use super::warmth::Warmth;
use crate::live::Live;
use nearside_core::policy::Connections;
use nearside_core::random::Random;
use nearside_core::{BackendId, BackendKey};
use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// One backend over all workers and generations.
#[derive(Debug)]
pub(super) struct Reserve {
    pub(super) gate: Arc<Gate<Idle>>,
    slots: Mutex<Vec<Weak<Slot>>>,
    warmth: Mutex<Warmth>,
}

/// A connection that is being made ready; it counts until this is dropped.
#[derive(Debug)]
pub(super) struct Making {
    reserve: Arc<Reserve>,
    /// How much earlier than others it is to be closed.
    pub(super) early: Duration,
}

impl Drop for Making {
    fn drop(&mut self) {
        self.reserve.warmth().end();
    }
}

impl Reserve {
    /// Lets the other workers find `slot`.
    pub(super) fn enlist(&self, slot: &Arc<Slot>) {
        let mut slots = self.slots();
        slots.retain(|slot| slot.strong_count() > 0);
        slots.push(Arc::downgrade(slot));
    }

    /// Closes one connection that no worker uses; whether there was one.
    pub(super) fn spare(&self) -> bool {
        self.all().iter().any(|slot| slot.spare())
    }

    /// A connection of another worker that has room for a stream, and is spoken to just as `asking` would.
    pub(super) fn borrow(&self, asking: &Slot) -> Option<Shared> {
        self.alike(&asking.key).iter().find_map(|slot| slot.shared(None))
    }

    /// An idle connection of another worker that is spoken to just as `asking` would: one that it can spare, or `any`.
    pub(super) fn take(&self, asking: &Slot, any: bool) -> Option<Idle> {
        let now = Instant::now();
        self.alike(&asking.key).iter().find_map(|slot| slot.give_away(now, any))
    }

    /// What is to be made now for `slot`, so that as many as `rules` say are ready: no more than `most`. `own`: the worker
    /// wants one for itself.
    pub(super) fn claim(
        self: &Arc<Self>,
        slot: &Slot,
        rules: &Connections,
        (own, most): (bool, usize),
    ) -> Vec<Making> {
        let now = Instant::now();
        // Held until all is claimed, so that no two workers make the same.
        let mut warmth = self.warmth();
        if warmth.rests(now) {
            return Vec::new();
        }
        let missing = self.missing(&slot.key, rules, now).saturating_sub(warmth.making());
        let count = usize::try_from(missing.max(u32::from(own))).unwrap_or(usize::MAX);
        let making = (0..count.min(most)).map(|_| {
            warmth.begin();
            Making { reserve: Arc::clone(self), early: warmth.early(rules.keepalive) }
        });
        making.collect()
    }

    /// Whether nothing is missing, or nothing can be done about it now.
    fn is_ready(&self, key: &Key, rules: &Connections) -> bool {
        let now = Instant::now();
        self.warmth().rests(now) || self.missing(key, rules, now) == 0
    }

    /// How many connections are missing that are ready, those included that are being made.
    fn missing(&self, key: &Key, rules: &Connections, now: Instant) -> u32 {
        let slots = self.alike(key);
        let seen: Vec<_> = slots.iter().map(|slot| slot.readiness(now, rules)).collect();
        if seen.iter().any(|one| one.shared) {
            return 0;
        }
        let alone = !key.may_share() || seen.iter().any(|one| one.alone);
        let wanted = if alone { rules.prewarm } else { rules.prewarm.min(1) };
        let idle: u32 = seen.iter().map(|one| one.idle).sum();
        wanted.min(rules.max).saturating_sub(idle)
    }

    /// How many connections no request uses.
    fn idle(&self) -> usize {
        self.all().iter().map(|slot| slot.idle_now()).sum()
    }

    pub(super) fn warmth(&self) -> MutexGuard<'_, Warmth> {
        self.warmth.lock()
    }

    fn alike(&self, key: &Key) -> Vec<Arc<Slot>> {
        let mut slots = self.all();
        slots.retain(|slot| *slot.key == *key);
        slots
    }

    /// Taken out first: closing a connection gives a permit back, and that is no business of this lock.
    fn all(&self) -> Vec<Arc<Slot>> {
        self.slots().iter().filter_map(Weak::upgrade).collect()
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Weak<Slot>>> {
        self.slots.lock()
    }
}

/// The reserves of all backends; one for all workers.
#[derive(Debug)]
pub struct Reserves {
    by_key: Mutex<HashMap<BackendKey, Weak<Reserve>>>,
    /// Differs from process to process, so that PoPs do not keep time with each other.
    seed: RandomState,
    coming: watch::Sender<Weak<Live>>,
    /// Whether it was told that descriptors are short.
    told: AtomicBool,
}

impl Default for Reserves {
    fn default() -> Self {
        let (by_key, coming) = (Mutex::default(), watch::Sender::default());
        Self { by_key, seed: RandomState::new(), coming, told: AtomicBool::new(false) }
    }
}

impl Reserves {
    /// Whether every backend of `live` that connections are made ready for has them, or they could not be made. Backends
    /// that no worker knows yet have none.
    #[must_use]
    pub fn are_ready(&self, live: &Live) -> bool {
        (0..live.generation.backends.len()).map(BackendId::new).all(|id| self.is_ready(live, id))
    }

    /// The same of one backend.
    pub(super) fn is_ready(&self, live: &Live, id: BackendId) -> bool {
        let Some((rules, key)) = warm::rules(live, id).zip(Key::of(live, id)) else { return true };
        self.find(&key.backend).is_some_and(|reserve| reserve.is_ready(&key, rules))
    }

    /// Says, once, that nothing is made ahead for want of descriptors.
    pub(super) fn tell_of_shortage(&self) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "half of the descriptors are taken: no connections are made ready while it is so; raise LimitNOFILE, \
                 or lower connections.prewarm"
            );
        }
    }

    /// Tells the workers which generation is about to go live.
    pub(super) fn announce(&self, next: &Arc<Live>) {
        self.coming.send_replace(Arc::downgrade(next));
    }

    /// The generations that are about to go live.
    pub(super) fn coming(&self) -> watch::Receiver<Weak<Live>> {
        self.coming.subscribe()
    }

    /// How many connections to `backend` no request uses now.
    #[must_use]
    pub fn idle(&self, backend: &BackendKey) -> usize {
        self.find(backend).map_or(0, |reserve| reserve.idle())
    }

    pub(super) fn of(&self, backend: &BackendKey) -> Arc<Reserve> {
        let mut by_key = self.by_key();
        if let Some(reserve) = by_key.get(backend).and_then(Weak::upgrade) {
            return reserve;
        }
        by_key.retain(|_, reserve| reserve.strong_count() > 0);
        let random = Random::new(self.seed.hash_one(backend.as_str()));
        let warmth = Mutex::new(Warmth::new(random));
        let reserve = Arc::new(Reserve { gate: Arc::new(Gate::new()), slots: Mutex::default(), warmth });
        by_key.insert(backend.clone(), Arc::downgrade(&reserve));
        reserve
    }

    pub(super) fn find(&self, backend: &BackendKey) -> Option<Arc<Reserve>> {
        self.by_key().get(backend).and_then(Weak::upgrade)
    }

    fn by_key(&self) -> MutexGuard<'_, HashMap<BackendKey, Weak<Reserve>>> {
        self.by_key.lock()
    }
}
