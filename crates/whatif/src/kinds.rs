//! Kinds of routes: those that a decision cannot tell apart, asked as one.

use nearside_core::host::{Host, Pattern};
use nearside_core::method::Methods;
use nearside_core::policy::Balance;
use nearside_core::route::{Action, Limits, PathPattern, Route};
use nearside_core::table::Table;
use nearside_core::{Generation, PoolId, RouteId};
use std::collections::BTreeMap;

/// Capacities and rates are asked in thousandths, so that small ones are not rounded away.
pub(crate) const THOUSANDTHS: u64 = 1000;

/// The kinds of routes that forward.
#[derive(Clone, Debug)]
pub(crate) struct Kinds(pub(crate) Vec<Kind>);

/// Routes with the same pool, law, preference and homes.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// The routes, in their order.
    pub(crate) routes: Vec<RouteId>,
    /// The host that asks for it.
    pub(crate) host: Host,
    /// The first of them, serving everything of that host.
    pub(crate) route: Route,
}

impl Kinds {
    pub(crate) fn of(generation: &Generation) -> Self {
        let mut kinds: Vec<Kind> = Vec::new();
        let mut by_pool: BTreeMap<PoolId, Vec<usize>> = BTreeMap::new();
        for (index, route) in generation.routes.routes().iter().enumerate() {
            let Action::Forward(pool) = route.action else { continue };
            let own = by_pool.entry(pool).or_default();
            let alike = |kind: &&usize| kinds.get(**kind).is_some_and(|kind| is_alike(&kind.route, route));
            if let Some(kind) = own.iter().find(alike).copied().and_then(|kind| kinds.get_mut(kind)) {
                kind.routes.push(RouteId::new(index));
                continue;
            }
            let Some(host) = Host::parse(&format!("kind-{}", kinds.len())) else { continue };
            own.push(kinds.len());
            let route = Route {
                hosts: [Pattern::Exact(host.clone())].into(),
                path: PathPattern::Prefix("".into()),
                methods: Methods::Any,
                limits: Limits { concurrency: None, ..route.limits },
                ..route.clone()
            };
            kinds.push(Kind { routes: vec![RouteId::new(index)], host, route });
        }
        Self(kinds)
    }

    pub(crate) fn routes(&self) -> impl Iterator<Item = &Route> {
        self.0.iter().map(|kind| &kind.route)
    }

    /// `generation` with one route for each kind, as all PoPs together see it.
    pub(crate) fn asked(&self, generation: &Generation) -> Generation {
        let mut pools = generation.pools.clone();
        for pool in &mut pools {
            // In the mean two choices with equal load take as much as turns do; turns take fewer questions.
            pool.select.balance = Balance::RoundRobin;
        }
        let mut regions = generation.regions.clone();
        for region in &mut regions {
            region.capacity = region.capacity.map(|capacity| capacity.saturating_mul(THOUSANDTHS));
        }
        let mut fleet = generation.fleet.clone();
        fleet.pops = 1;
        // Field by field, because the routes may be a hundred thousand.
        Generation {
            fleet,
            regions,
            pools,
            backends: generation.backends.clone(),
            classes: generation.classes.clone(),
            routes: Table::new(self.routes().cloned().collect()),
            ..Generation::default()
        }
    }
}

fn is_alike(one: &Route, other: &Route) -> bool {
    one.action == other.action
        && one.residency == other.residency
        && one.geo == other.geo
        && one.home == other.home
}
