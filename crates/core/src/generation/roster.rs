//! Rosters: the backends of each pool as sets, worked out once, so that a decision does not ask them one by one.

use super::{Backend, Generation};
use crate::candidates::{MAX_BACKENDS, Set};
use crate::id::{BackendId, PoolId, RegionId};
use crate::pin::Target;
use std::ops::{Deref, DerefMut};

/// All backends of a generation, by [`BackendId`], with the roster of each pool. Those of one pool stand together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Backends {
    list: Box<[Backend]>,
    /// By [`PoolId`].
    rosters: Box<[Roster]>,
}

/// The backends of one pool, by their places in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Roster {
    first: usize,
    /// All of them.
    pub(crate) all: Set,
    /// Those that bear a mark of their own.
    pub(crate) marked: Set,
    /// Those that get nothing new, by their weight.
    pub(crate) weightless: Set,
    /// Those with a `max_in_flight`, and how many that is.
    pub(crate) limits: Vec<(usize, u32)>,
    /// The weight of each.
    pub(crate) weights: Vec<u16>,
    /// Those of each region, the region of the first backend first.
    pub(crate) regions: Vec<(RegionId, Set)>,
    /// Those of each tier, the first tier first.
    pub(crate) tiers: Vec<(u8, Set)>,
}

impl Backends {
    /// The backends, to change them. The rosters follow when the guard is dropped.
    pub fn edit(&mut self) -> Edit<'_> {
        Edit(self)
    }

    /// The roster of `pool`; `None` where it has no backend.
    pub(crate) fn roster(&self, pool: PoolId) -> Option<&Roster> {
        self.rosters.get(pool.index()).filter(|roster| !roster.all.is_empty())
    }

    fn work_out(&mut self) {
        let mut rosters: Vec<Roster> = Vec::new();
        for (id, backend) in self.list.iter().enumerate() {
            let pool = backend.pool.index();
            if rosters.len() <= pool {
                rosters.resize_with(pool + 1, Roster::default);
            }
            if let Some(roster) = rosters.get_mut(pool) {
                roster.add(id, backend);
            }
        }
        for roster in &mut rosters {
            roster.tiers.sort_unstable_by_key(|(tier, _)| *tier);
        }
        self.rosters = rosters.into();
    }
}

impl From<Vec<Backend>> for Backends {
    fn from(list: Vec<Backend>) -> Self {
        let mut backends = Self { list: list.into(), rosters: Box::default() };
        backends.work_out();
        backends
    }
}

impl FromIterator<Backend> for Backends {
    fn from_iter<I: IntoIterator<Item = Backend>>(backends: I) -> Self {
        backends.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'a> IntoIterator for &'a Backends {
    type Item = &'a Backend;
    type IntoIter = std::slice::Iter<'a, Backend>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl Deref for Backends {
    type Target = [Backend];

    fn deref(&self) -> &[Backend] {
        &self.list
    }
}

/// The backends of a generation while they are changed.
#[derive(Debug)]
pub struct Edit<'a>(&'a mut Backends);

impl Deref for Edit<'_> {
    type Target = [Backend];

    fn deref(&self) -> &[Backend] {
        &self.0.list
    }
}

impl DerefMut for Edit<'_> {
    fn deref_mut(&mut self) -> &mut [Backend] {
        &mut self.0.list
    }
}

impl Drop for Edit<'_> {
    fn drop(&mut self) {
        self.0.work_out();
    }
}

impl Roster {
    fn add(&mut self, id: usize, backend: &Backend) {
        if self.all.is_empty() {
            self.first = id;
        }
        let index = id - self.first;
        if index >= MAX_BACKENDS {
            return;
        }
        self.all.insert(index);
        if backend.drain.is_some() {
            self.marked.insert(index);
        }
        if backend.weight == 0 {
            self.weightless.insert(index);
        }
        self.limits.extend(backend.max_in_flight.map(|limit| (index, limit)));
        self.weights.push(backend.weight);
        add_to(&mut self.regions, backend.region, index);
        add_to(&mut self.tiers, backend.priority, index);
    }

    /// The id of the backend at `index`.
    pub(crate) fn id(&self, index: usize) -> BackendId {
        BackendId::new(self.first + index)
    }

    /// The backends of `region`.
    pub(crate) fn region(&self, region: RegionId) -> Set {
        self.regions.iter().find(|(id, _)| *id == region).map_or_else(Set::default, |(_, set)| *set)
    }

    /// The backends of all `regions`.
    pub(crate) fn within(&self, regions: &Set) -> Set {
        let here = self.regions.iter().filter(|(id, _)| regions.holds(id.index()));
        here.fold(Set::default(), |all, (_, set)| all.union(*set))
    }

    /// The backends for which a mark holds, their region's or their own.
    pub(crate) fn drained(&self, generation: &Generation) -> Set {
        let marked = |id: &RegionId| generation.region(*id).is_some_and(|region| region.drain.is_some());
        let regions = self.regions.iter().filter(|(id, _)| marked(id));
        regions.fold(self.marked, |all, (_, set)| all.union(*set))
    }

    /// The backends that `target` means.
    pub(crate) fn meant(&self, target: Target) -> Set {
        match target {
            Target::Region(region) => self.region(region),
            Target::Backend(id) => {
                let index = id.index().checked_sub(self.first);
                index.map_or_else(Set::default, Set::of).intersection(self.all)
            }
        }
    }
}

/// Adds `index` to the set that stands under `key`.
fn add_to<K: PartialEq>(sets: &mut Vec<(K, Set)>, key: K, index: usize) {
    if let Some((_, set)) = sets.iter_mut().find(|(known, _)| *known == key) {
        set.insert(index);
    } else {
        sets.push((key, Set::of(index)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::Endpoint;

    fn backend(pool: usize, name: &str, region: usize) -> Backend {
        Backend::new((PoolId::new(pool), "any"), name, Endpoint::unix("/x"), RegionId::new(region))
    }

    fn members(set: Set) -> Vec<usize> {
        set.iter().collect()
    }

    #[test]
    fn a_roster_knows_the_regions_and_tiers_of_its_own_pool() {
        let mut backends: Backends =
            vec![backend(0, "a", 0), backend(1, "b", 1), backend(1, "c", 0), backend(1, "d", 1)].into();
        backends.edit()[2].priority = 0;
        let roster = backends.roster(PoolId::new(1)).unwrap();
        assert_eq!(members(roster.region(RegionId::new(1))), [0, 2]);
        assert_eq!(members(roster.meant(Target::Backend(BackendId::new(2)))), [1]);
        assert_eq!(members(roster.meant(Target::Backend(BackendId::new(0)))), [], "of another pool");
        assert_eq!(roster.tiers.iter().map(|(tier, _)| *tier).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(roster.id(0), BackendId::new(1));
        assert!(backends.roster(PoolId::new(2)).is_none());
    }

    #[test]
    fn a_roster_follows_every_edit() {
        let mut backends: Backends = vec![backend(0, "a", 0), backend(0, "b", 0)].into();
        backends.edit().iter_mut().for_each(|backend| backend.weight = 0);
        backends.edit()[1].region = RegionId::new(3);
        let roster = backends.roster(PoolId::new(0)).unwrap();
        assert_eq!(members(roster.weightless), [0, 1]);
        assert_eq!(members(roster.region(RegionId::new(3))), [1]);
    }
}
