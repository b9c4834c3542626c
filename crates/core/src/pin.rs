//! Pins: the region or backend that a session stays at, and its backup.

use crate::generation::{Backend, Generation, Pool};
use crate::id::{BackendId, RegionId};
use crate::policy::Level;
use crate::random::mix;

/// Where a session is pinned. The proxy has verified it; the names in it are those of this generation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pin {
    /// Where it stays.
    pub first: Option<Target>,
    /// Where it goes when that cannot be used.
    pub second: Option<Target>,
}

/// A region, or one backend.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// Any backend of this region.
    Region(RegionId),
    /// This backend.
    Backend(BackendId),
}

impl Pin {
    /// The pin of a new session `session` that was served by `backend`. Its backup depends on nothing but the file
    /// and the session, so that every PoP fails the session over to the same place.
    #[must_use]
    pub fn new(generation: &Generation, pool: &Pool, backend: BackendId, session: u64) -> Self {
        let Some(affinity) = &pool.affinity else { return Self { first: None, second: None } };
        let target = |id: BackendId, backend: &Backend| match affinity.level {
            Level::Region => Target::Region(backend.region),
            Level::Backend => Target::Backend(id),
        };
        let here = generation.backend(backend);
        let first = here.map(|here| target(backend, here));
        let second = here.filter(|_| affinity.backup).and_then(|here| {
            let others = generation.backends_of(pool).iter().enumerate();
            let others = others.map(|(index, other)| (BackendId::new(pool.first.index() + index), other));
            let fits = |other: &Backend| other.weight > 0 && generation.drain_of(other).is_none();
            let others = others.filter(|(id, other)| fits(other) && Some(target(*id, other)) != first);
            let rank = |(_, other): &(BackendId, &Backend)| {
                let name = match affinity.level {
                    Level::Region => generation.region(other.region).map_or(0, |region| region.salt),
                    Level::Backend => other.salt,
                };
                (other.region != here.region, other.priority, mix(session ^ name))
            };
            others.min_by_key(rank).map(|(id, other)| target(id, other))
        });
        Self { first, second }
    }
}
