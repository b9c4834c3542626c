//! What serves each pool, now and after a region is gone.

use nearside_core::generation::Pool;
use nearside_core::host::{Host, Pattern};
use nearside_core::policy::{Balance, Share};
use nearside_core::route::Route;
use nearside_core::table::Table;
use nearside_core::{
    BackendId, Choice, Evidence, Facts, Generation, Input, Now, PoolId, Reason, RegionId, RouteId, State,
    Tried, Verdict, decide,
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Requests asked per pool. The turns fall evenly over the weights, so that a share is right to the percent.
const ASKED: u32 = 512;

/// What serves one pool.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Serving {
    /// The pool.
    pub pool: PoolId,
    /// Who takes which part, in declared order; empty when nothing healthy may serve it.
    pub parts: Vec<Part>,
}

/// A backend's part of a pool's requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Part {
    /// The backend.
    pub backend: BackendId,
    /// Its share, right to about a percent.
    pub share: Share,
}

/// What is left when a region is lost.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Loss {
    /// The region.
    pub region: RegionId,
    /// What then serves each pool, by [`PoolId`].
    pub pools: Vec<Serving>,
}

/// What serves each pool while everything is well, by [`PoolId`]. Seen over all PoPs: every region is equally
/// near.
#[must_use]
pub fn serving(generation: &Generation) -> Vec<Serving> {
    Asked::of(generation).all()
}

/// For each region, what serves each pool when all of its backends are down.
#[must_use]
pub fn region_loss(generation: &Generation) -> Vec<Loss> {
    let asked = Asked::of(generation);
    let whole = asked.all();
    let regions = (0..generation.regions.len()).map(RegionId::new);
    let loss = |region| {
        // Only pools with a backend there are asked again.
        let after = |serving: &Serving| {
            let touched = asked.touches(serving.pool, region);
            if touched { asked.serving(serving.pool, Some(region)) } else { serving.clone() }
        };
        Loss { region, pools: whole.iter().map(after).collect() }
    };
    regions.map(loss).collect()
}

/// A generation that can be asked pool by pool: one route for each, by host.
struct Asked {
    generation: Generation,
    hosts: Vec<Option<Host>>,
}

impl Asked {
    fn of(generation: &Generation) -> Self {
        let hosts: Vec<Option<Host>> =
            (0..generation.pools.len()).map(|index| Host::parse(&format!("pool-{index}"))).collect();
        let route = |(index, host): (usize, &Option<Host>)| Some(route(host.as_ref()?, PoolId::new(index)));
        let routes = Table::new(hosts.iter().enumerate().filter_map(route).collect());
        let mut pools = generation.pools.clone();
        for pool in &mut pools {
            // In the mean two choices with equal load take as much as turns do; turns take fewer questions.
            pool.select.balance = Balance::RoundRobin;
        }
        // Field by field, because the routes may be a hundred thousand.
        let generation = Generation {
            stamp: generation.stamp,
            fleet: generation.fleet.clone(),
            regions: generation.regions.clone(),
            pools,
            backends: generation.backends.clone(),
            classes: generation.classes.clone(),
            routes,
            ..Generation::default()
        };
        Self { generation, hosts }
    }

    fn all(&self) -> Vec<Serving> {
        self.pools().map(|pool| self.serving(pool, None)).collect()
    }

    fn pools(&self) -> impl Iterator<Item = PoolId> + use<> {
        (0..self.generation.pools.len()).map(PoolId::new)
    }

    fn touches(&self, pool: PoolId, region: RegionId) -> bool {
        let backends = |pool: &Pool| self.generation.backends_of(pool).iter().any(|one| one.region == region);
        self.generation.pool(pool).is_some_and(backends)
    }

    fn serving(&self, pool: PoolId, lost: Option<RegionId>) -> Serving {
        let mut counts: Vec<(BackendId, u32)> = Vec::new();
        for turn in 0..ASKED {
            let Some(backend) = self.decide(pool, lost, u64::from(turn)) else { continue };
            match counts.iter_mut().find(|(known, _)| *known == backend) {
                Some((_, count)) => *count += 1,
                None => counts.push((backend, 1)),
            }
        }
        counts.sort_unstable();
        let share =
            |count: u32| Share::from_points(u16::try_from(count * 10_000 / ASKED).unwrap_or(u16::MAX));
        let parts =
            counts.into_iter().map(|(backend, count)| Part { backend, share: share(count) }).collect();
        Serving { pool, parts }
    }

    /// Who takes one request; `None` when nobody who is well may.
    fn decide(&self, pool: PoolId, lost: Option<RegionId>, turn: u64) -> Option<BackendId> {
        let host = self.hosts.get(pool.index())?.as_ref()?;
        let client = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let facts = Facts::new(host.as_str(), "/", "GET", client);
        let evidence = Assumed { generation: &self.generation, lost, turn };
        let (generation, tried) = (&self.generation, &Tried::default());
        let now = Now::default();
        let input = Input { facts: &facts, tried, generation, evidence: &evidence, now, seed: turn };
        match decide(&input, &mut ()) {
            Choice::Forward(plan) => (plan.reason != Reason::WonFailOpen).then_some(plan.backend),
            Choice::Answer(_) | Choice::Refuse(..) => None,
        }
    }
}

/// All backends are well and equally near, but for the lost region's.
struct Assumed<'a> {
    generation: &'a Generation,
    lost: Option<RegionId>,
    turn: u64,
}

impl Evidence for Assumed<'_> {
    fn state(&self, backend: BackendId, _now: Now) -> State {
        let region = self.generation.backend(backend).map(|backend| backend.region);
        let lost = self.lost.is_some() && region == self.lost;
        let verdict = if lost { Verdict::Unhealthy } else { Verdict::Healthy };
        State { verdict, rtt_micros: Some(1), ..State::default() }
    }

    fn turn(&self, _pool: PoolId) -> u64 {
        self.turn
    }

    fn offered(&self, _region: RegionId, _now: Now) -> u64 {
        0
    }

    fn route_in_flight(&self, _route: RouteId) -> u32 {
        0
    }
}

fn route(host: &Host, pool: PoolId) -> Route {
    Route::new(host.as_str(), Pattern::Exact(host.clone()), pool)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::generation;

    /// `pool: backend percent …; …`
    fn shown(generation: &Generation, all: &[Serving]) -> String {
        let part = |part: &Part| {
            let name = &generation.backend(part.backend).unwrap().name;
            format!("{name} {:.0}", part.share.fraction() * 100.0)
        };
        let pool = |serving: &Serving| {
            let parts: Vec<String> = serving.parts.iter().map(part).collect();
            if parts.is_empty() { "nothing".to_owned() } else { parts.join(" ") }
        };
        all.iter().map(pool).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn weights_share_the_first_tier_over_its_regions() {
        let generation = generation(&["a@x*30 b@y*10 c@z/2", "d@x"]);
        assert_eq!(shown(&generation, &serving(&generation)), "a 75 b 25; d 100");
    }

    #[test]
    fn a_lost_region_leaves_the_rest_of_its_tier_then_the_next() {
        let generation = generation(&["a@x b@y c@z/2", "d@x e@z/2", "f@x"]);
        let table: Vec<String> = region_loss(&generation)
            .iter()
            .map(|loss| {
                let name = &generation.region(loss.region).unwrap().name;
                format!("{name}: {}", shown(&generation, &loss.pools))
            })
            .collect();
        assert_eq!(
            table,
            ["x: b 100; e 100; nothing", "y: a 100; d 100; f 100", "z: a 50 b 50; d 100; f 100"]
        );
    }

    #[test]
    fn failing_open_is_not_serving() {
        let all_in_x = generation(&["a@x b@x/2"]);
        assert_eq!(shown(&all_in_x, &region_loss(&all_in_x)[0].pools), "nothing");
    }

    #[test]
    fn a_drained_region_is_carried_by_what_is_not_drained_itself() {
        let mut generation = generation(&["a@x b@y! c@z/2", "d@x"]);
        assert_eq!(shown(&generation, &serving(&generation)), "a 100; d 100");
        assert!(
            crate::mark(&mut generation, "x", "what if") && !crate::mark(&mut generation, "w", "what if")
        );
        assert_eq!(shown(&generation, &serving(&generation)), "c 100; nothing");
    }

    #[test]
    fn a_thinned_tier_hands_on_what_its_policy_says() {
        let mut generation = generation(&["a@x b@y c@z/2"]);
        generation.pools[0].select.failover_below = Share::from_points(8000);
        let after = region_loss(&generation).remove(0).pools.remove(0);
        let share =
            |index| after.parts.iter().find(|part| part.backend == BackendId::new(index)).unwrap().share;
        // Half of the tier is left: it keeps 50/80 and hands 30/80 to the next.
        assert!((share(1).fraction() - 0.625).abs() < 0.05, "{after:?}");
        assert!((share(2).fraction() - 0.375).abs() < 0.05, "{after:?}");
    }
}
