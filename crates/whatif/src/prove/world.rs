//! The states that regions may be in, all together.

use nearside_core::generation::{Drain, PinnedSessions};
use nearside_core::{BackendId, Evidence, Generation, Now, PoolId, RegionId, RouteId, State, Verdict};
use std::time::Duration;

/// What has happened to a region.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// Nothing.
    Up,
    /// All its backends are down.
    Lost,
    /// It is marked drained, and its sessions are honoured while grace runs, which it does.
    Drained,
}

/// Up to so many regions every combination of fates is walked; of more, those in which a few are not up.
const EVERY: usize = 7;
/// How many of many regions may be lost or drained at a time.
pub const AT_ONCE: usize = 3;

/// Every combination of fates of `regions`, by region; and whether it is not quite every one.
pub(super) fn worlds(regions: &[RegionId]) -> (Vec<Vec<Fate>>, bool) {
    let most = regions.iter().map(|region| region.index() + 1).max().unwrap_or(0);
    let bounded = regions.len() > EVERY;
    let allowed = if bounded { AT_ONCE } else { regions.len() };
    let mut worlds = vec![(vec![Fate::Up; most], 0)];
    for region in regions {
        let mut more = Vec::new();
        for (fates, down) in worlds.iter().filter(|(_, down)| *down < allowed) {
            for fate in [Fate::Lost, Fate::Drained] {
                let mut next = fates.clone();
                if let Some(slot) = next.get_mut(region.index()) {
                    *slot = fate;
                }
                more.push((next, down + 1));
            }
        }
        worlds.append(&mut more);
    }
    (worlds.into_iter().map(|(fates, _)| fates).collect(), bounded)
}

/// Every choice of `count` of `regions`, and of all where they are no more.
pub(super) fn losses(regions: &[RegionId], count: usize) -> Vec<Vec<RegionId>> {
    let mut chosen = vec![Vec::new()];
    for region in regions {
        let with = |lost: &Vec<RegionId>| lost.iter().copied().chain([*region]).collect();
        let more: Vec<Vec<RegionId>> = chosen.iter().filter(|lost| lost.len() < count).map(with).collect();
        chosen.extend(more);
    }
    chosen.retain(|lost| lost.len() == count.min(regions.len()));
    chosen
}

/// Marks in `generation` exactly the regions that `fates` says.
pub(super) fn mark(generation: &mut Generation, fates: &[Fate]) {
    for (index, region) in generation.regions.iter_mut().enumerate() {
        let drained = fates.get(index) == Some(&Fate::Drained);
        region.drain = drained.then(|| Drain {
            reason: "what if".into(),
            by: None,
            until: None,
            grace: Duration::from_secs(1),
            pinned_sessions: PinnedSessions::HonourUntilGrace,
        });
    }
}

/// Evidence of a world: the lost regions are down, all others well and equally near.
#[derive(Debug)]
pub struct World<'a> {
    pub(super) generation: &'a Generation,
    pub(super) fates: &'a [Fate],
}

impl World<'_> {
    /// The regions with this fate.
    pub(super) fn regions(&self, fate: Fate) -> Vec<RegionId> {
        let found = self.fates.iter().enumerate().filter(|(_, is)| **is == fate);
        found.map(|(index, _)| RegionId::new(index)).collect()
    }
}

impl Evidence for World<'_> {
    fn state(&self, backend: BackendId, _now: Now) -> State {
        let region = self.generation.backend(backend).map_or(0, |backend| backend.region.index());
        let lost = self.fates.get(region) == Some(&Fate::Lost);
        let verdict = if lost { Verdict::Unhealthy } else { Verdict::Healthy };
        State { verdict, in_grace: true, rtt_micros: Some(1), ..State::default() }
    }

    fn turn(&self, _pool: PoolId) -> u64 {
        0
    }

    fn offered(&self, _region: RegionId, _now: Now) -> u64 {
        0
    }

    fn route_in_flight(&self, _route: RouteId) -> u32 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<RegionId> {
        (0..count).map(RegionId::new).collect()
    }

    #[test]
    fn every_combination_of_fates_is_there_once() {
        let (all, bounded) = worlds(&ids(4));
        assert_eq!((all.len(), bounded), (81, false));
        let different: std::collections::BTreeSet<String> =
            all.iter().map(|fates| format!("{fates:?}")).collect();
        assert_eq!(different.len(), 81);
        // Of ten: one with none, 10 x 2 with one, 45 x 4 with two, 120 x 8 with three.
        let (some, bounded) = worlds(&ids(10));
        assert_eq!((some.len(), bounded), (1 + 20 + 180 + 960, true));
    }

    #[test]
    fn losses_are_the_ways_to_choose() {
        assert_eq!(losses(&ids(3), 0), [Vec::<RegionId>::new()]);
        assert_eq!(losses(&ids(5), 2).len(), 10);
        assert_eq!(losses(&ids(2), 3).len(), 1);
    }
}
