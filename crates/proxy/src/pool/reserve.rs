//! What the workers share of one backend: the gate, and where each of them keeps its connections.

use super::gate::Gate;
use super::idle::Idle;
use super::slot::{Shared, Slot};
use nearside_core::BackendKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// One backend over all workers and generations.
#[derive(Debug)]
pub(super) struct Reserve {
    pub(super) gate: Arc<Gate<Idle>>,
    slots: Mutex<Vec<Weak<Slot>>>,
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
        // Taken out first: closing gives a permit back, and that is no business of these locks.
        let slots: Vec<_> = self.slots().iter().filter_map(Weak::upgrade).collect();
        slots.iter().any(|slot| slot.spare())
    }

    /// A connection of another worker that has room for a stream, and is spoken to just as `asking` would.
    pub(super) fn borrow(&self, asking: &Slot) -> Option<Shared> {
        let slots: Vec<_> = self.slots().iter().filter_map(Weak::upgrade).collect();
        slots.iter().filter(|slot| *slot.key == *asking.key).find_map(|slot| slot.shared(None))
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Weak<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reserves of all backends; one for all workers.
#[derive(Debug, Default)]
pub struct Reserves {
    by_key: Mutex<HashMap<BackendKey, Weak<Reserve>>>,
}

impl Reserves {
    pub(super) fn of(&self, backend: &BackendKey) -> Arc<Reserve> {
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reserve) = by_key.get(backend).and_then(Weak::upgrade) {
            return reserve;
        }
        by_key.retain(|_, reserve| reserve.strong_count() > 0);
        let reserve = Arc::new(Reserve { gate: Arc::new(Gate::new()), slots: Mutex::default() });
        by_key.insert(backend.clone(), Arc::downgrade(&reserve));
        reserve
    }
}
