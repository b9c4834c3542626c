//! What has been tried for one request.

use crate::candidates::Set;
use crate::generation::{Generation, Roster};
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

    /// Those of `roster` that this request may still try.
    pub(crate) fn fresh(&self, roster: &Roster) -> Set {
        let kept = self.kept_to.map_or(roster.all, |region| roster.region(region));
        kept.minus(self.backends)
    }

    /// Those of `roster` in whose region no connect has failed.
    pub(crate) fn elsewhere(&self, roster: &Roster) -> Set {
        roster.all.minus(roster.within(&self.regions))
    }

    /// Those of `roster` in whose tier no connect has failed.
    pub(crate) fn other_tiers(&self, roster: &Roster) -> Set {
        let others = roster.tiers.iter().filter(|(tier, _)| !self.tiers.holds(usize::from(*tier)));
        others.fold(Set::default(), |all, (_, tier)| all.union(*tier))
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

    /// Whether nothing has been tried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}
