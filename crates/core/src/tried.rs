//! What has been tried for one request.

use crate::candidates::Set;
use crate::generation::Generation;
use crate::id::{BackendId, RegionId};

/// How a try ended, as far as the next decision cares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// No connection could be made: nothing was sent.
    Connect,
    /// Something was sent, and no whole answer came back.
    Sent,
}

/// The backends that have failed one request. They are not tried again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    backends: Set,
    regions: Set,
    tiers: Set,
    count: u16,
    kept_to: Option<RegionId>,
}

impl Tried {
    /// Notes that `backend` has failed. After a connect failure its region and its tier are avoided too,
    /// as long as there is another.
    pub fn note(&mut self, generation: &Generation, id: BackendId, failure: Failure) {
        self.count = self.count.saturating_add(1);
        let Some(backend) = generation.backend(id) else { return };
        let Some(pool) = generation.pool(backend.pool) else { return };
        self.backends.insert(id.index() - pool.first.index());
        if failure == Failure::Connect {
            self.regions.insert(backend.region.index());
            self.tiers.insert(usize::from(backend.priority));
        }
    }

    /// Keeps every further try to `region`: something was sent there, and a repeat may not leave it.
    pub fn keep_to(&mut self, region: RegionId) {
        self.kept_to = Some(region);
    }

    /// Whether a further try may go to `region`.
    #[must_use]
    pub fn allows(&self, region: RegionId) -> bool {
        self.kept_to.is_none_or(|kept| kept == region)
    }

    /// How many tries have failed.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.count
    }

    /// Whether the pool's backend at `index` has failed.
    #[must_use]
    pub fn backend(&self, index: usize) -> bool {
        self.backends.holds(index)
    }

    /// Whether a connect failed in the region at `index`.
    #[must_use]
    pub fn region(&self, index: usize) -> bool {
        self.regions.holds(index)
    }

    /// Whether a connect failed in this tier.
    #[must_use]
    pub fn tier(&self, priority: u8) -> bool {
        self.tiers.holds(usize::from(priority))
    }

    /// Whether nothing has been tried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}
