//! Proof that law holds: every state of the world is put to the function that serves traffic.
//!
//! For each route with a residency class: every place that its rules can tell apart, every region up, lost or drained,
//! every pin, every home value, and after each answer the repeat that follows when that backend fails. What comes out is
//! the number of states, or the first one in which a request leaves its class.

pub(crate) mod places;
mod world;

pub use world::{AT_ONCE, World};

use nearside_core::generation::Region;
use nearside_core::host::Pattern;
use nearside_core::method::Methods;
use nearside_core::residency::Residency;
use nearside_core::route::{Action, PathPattern, Route};
use nearside_core::table::Table;
use nearside_core::{
    Choice, ClassId, Facts, Failure, FullTrace, Generation, Input, Now, Pin, Place, PoolId, Reason, RegionId,
    RouteId, Target, Tried,
};
use places::Client;
use std::net::SocketAddr;
use world::{Fate, worlds};

/// What was proved of one route.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proof {
    /// The route.
    pub route: RouteId,
    /// Its classes.
    pub classes: Vec<ClassId>,
    /// The states that were walked.
    pub states: u64,
    /// Whether the regions were so many that no more than [`AT_ONCE`] at a time were lost or drained.
    pub bounded: bool,
}

/// A state in which a request leaves its class.
#[derive(Clone, Debug)]
pub struct Hole {
    /// The route.
    pub route: RouteId,
    /// The class that is left.
    pub class: ClassId,
    /// Where the client is.
    pub place: Place,
    /// Its address.
    pub client: SocketAddr,
    /// The value that names its home.
    pub home: Option<Box<str>>,
    /// The regions that are lost.
    pub lost: Vec<RegionId>,
    /// The regions that are marked drained.
    pub drained: Vec<RegionId>,
    /// Where the session is pinned.
    pub pin: Option<Target>,
    /// Where the request went.
    pub went: RegionId,
    /// Every step of the decision.
    pub trace: FullTrace,
}

/// A class that is not served after the loss of as many regions as it has to survive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dark {
    /// The route.
    pub route: RouteId,
    /// The class.
    pub class: ClassId,
    /// The regions whose loss it does not survive.
    pub lost: Vec<RegionId>,
}

/// What decides: [`nearside_core::decide()`], or in tests one with a hole in it.
pub type Decide<'d> = dyn Fn(&Input<'_, World<'_>>, &mut FullTrace) -> Choice + 'd;

/// Proves that no request leaves its residency class: a proof for each route that has one.
///
/// # Errors
/// The first hole.
pub fn prove(generation: &Generation) -> Result<Vec<Proof>, Box<Hole>> {
    prove_with(generation, &|input, trace| nearside_core::decide(input, trace))
}

/// The same of another decider.
///
/// # Errors
/// The first hole.
pub fn prove_with(generation: &Generation, decide: &Decide<'_>) -> Result<Vec<Proof>, Box<Hole>> {
    let mut alone = without_routes(generation);
    lawful(generation).map(|(id, route, pool)| Walk { id, route, pool, decide }.walk(&mut alone)).collect()
}

/// The routes for which a loss of as many regions as their class has to survive leaves nothing well, each with the
/// first such loss.
#[must_use]
pub fn dark(generation: &Generation) -> Vec<Dark> {
    let decide: &Decide<'_> = &|input, trace| nearside_core::decide(input, trace);
    let mut alone = without_routes(generation);
    lawful(generation)
        .filter_map(|(id, route, pool)| Walk { id, route, pool, decide }.dark(&mut alone))
        .collect()
}

/// A generation of its own, in which one route after the other stands alone, under changing marks. Field by field,
/// because the routes may be a hundred thousand.
fn without_routes(generation: &Generation) -> Generation {
    Generation {
        fleet: generation.fleet.clone(),
        regions: generation.regions.clone(),
        pools: generation.pools.clone(),
        backends: generation.backends.clone(),
        classes: generation.classes.clone(),
        ..Generation::default()
    }
}

fn lawful(generation: &Generation) -> impl Iterator<Item = (RouteId, &Route, PoolId)> {
    let routes = generation.routes.routes().iter().enumerate();
    routes.filter_map(|(index, route)| match route.action {
        Action::Forward(pool) if route.residency != Residency::None => {
            Some((RouteId::new(index), route, pool))
        }
        Action::Forward(_) | Action::Answer(_) => None,
    })
}

/// The walk over the states of one route.
struct Walk<'a> {
    id: RouteId,
    route: &'a Route,
    pool: PoolId,
    decide: &'a Decide<'a>,
}

impl Walk<'_> {
    fn walk(&self, generation: &mut Generation) -> Result<Proof, Box<Hole>> {
        generation.routes = self.alone();
        let clients = places::clients(self.route);
        let regions = self.regions(generation);
        let pins: Vec<Option<Target>> =
            std::iter::once(None).chain(regions.iter().map(|region| Some(Target::Region(*region)))).collect();
        let (worlds, bounded) = worlds(&regions);
        let mut states = 0;
        for fates in &worlds {
            world::mark(generation, fates);
            for client in &clients {
                for pin in &pins {
                    states += self.chain(&World { generation, fates }, client, *pin)?;
                }
            }
        }
        Ok(Proof { route: self.id, classes: classes(self.route), states, bounded })
    }

    /// The route, serving everything.
    fn alone(&self) -> Table {
        let hosts = [Pattern::Any].into();
        let path = PathPattern::Prefix("".into());
        Table::new(vec![Route { hosts, path, methods: Methods::Any, ..self.route.clone() }])
    }

    /// The regions that the pool's backends stand in.
    fn regions(&self, generation: &Generation) -> Vec<RegionId> {
        let backends = generation.pool(self.pool).map(|pool| generation.backends_of(pool));
        let mut regions: Vec<RegionId> = backends.unwrap_or_default().iter().map(|one| one.region).collect();
        regions.sort_unstable();
        regions.dedup();
        regions
    }

    /// Decides for `client`, and again after each failure until nothing is left; how many states that were.
    fn chain(&self, world: &World<'_>, client: &Client, pin: Option<Target>) -> Result<u64, Box<Hole>> {
        let (mut tried, mut states) = (Tried::default(), 0);
        loop {
            states += 1;
            let mut trace = FullTrace::default();
            let Choice::Forward(plan) = self.ask(world, client, (pin, &tried), &mut trace) else {
                return Ok(states);
            };
            if let Some(class) = self.left_by(world.generation, client, plan.region) {
                return Err(Box::new(Hole {
                    route: self.id,
                    class,
                    place: client.place,
                    client: client.address,
                    home: client.home.clone(),
                    lost: world.regions(Fate::Lost),
                    drained: world.regions(Fate::Drained),
                    pin,
                    went: plan.region,
                    trace,
                }));
            }
            // One that was tried is never chosen again, or the walk would not end.
            if usize::from(tried.count()) > world.generation.backends.len() {
                return Ok(states);
            }
            tried.note(world.generation, plan.backend, Failure::Sent);
        }
    }

    fn ask(
        &self,
        world: &World<'_>,
        client: &Client,
        (pin, tried): (Option<Target>, &Tried),
        trace: &mut FullTrace,
    ) -> Choice {
        let facts = Facts {
            place: client.place,
            home: client.home.as_deref(),
            pin: pin.map(|first| Pin { first: Some(first), second: None }),
            ..Facts::new("host.invalid", "/", "GET", client.address)
        };
        let (generation, now) = (world.generation, Now::default());
        (self.decide)(&Input { facts: &facts, tried, generation, evidence: world, now, seed: 1 }, trace)
    }

    /// The class of `client` that `region` is outside of, found from the names in the file alone.
    fn left_by(&self, generation: &Generation, client: &Client, region: RegionId) -> Option<ClassId> {
        let region = generation.region(region);
        let inside = |class: &ClassId| {
            let class = generation.class(*class);
            class.zip(region).is_some_and(|(class, region)| is_inside(region, &class.allow))
        };
        client.classes(generation, self.route).into_iter().find(|class| !inside(class))
    }

    fn dark(&self, generation: &mut Generation) -> Option<Dark> {
        generation.routes = self.alone();
        let clients = places::clients(self.route);
        let regions = self.regions(generation);
        let none = Tried::default();
        for client in clients.iter().filter(|client| !client.is_refused(generation, self.route)) {
            for class in client.classes(generation, self.route) {
                let survive = generation.class(class).map_or(0, |class| usize::from(class.survive));
                let served = |lost: &Vec<RegionId>| {
                    let fate = |id| if lost.contains(&RegionId::new(id)) { Fate::Lost } else { Fate::Up };
                    let fates: Vec<Fate> = (0..generation.regions.len()).map(fate).collect();
                    let world = World { generation, fates: &fates };
                    let choice = self.ask(&world, client, (None, &none), &mut FullTrace::default());
                    matches!(choice, Choice::Forward(plan) if plan.reason != Reason::WonFailOpen)
                };
                if let Some(lost) = world::losses(&regions, survive).into_iter().find(|lost| !served(lost)) {
                    return Some(Dark { route: self.id, class, lost });
                }
            }
        }
        None
    }
}

fn is_inside(region: &Region, allow: &[std::sync::Arc<str>]) -> bool {
    region.jurisdictions.iter().any(|has| allow.contains(has))
}

fn classes(route: &Route) -> Vec<ClassId> {
    let mut classes: Vec<ClassId> = match &route.residency {
        Residency::None => Vec::new(),
        Residency::Always(class) => vec![*class],
        Residency::Chosen { by_area, by_home } => {
            by_area.iter().map(|(_, class)| *class).chain(by_home.iter().map(|(_, class)| *class)).collect()
        }
    };
    classes.sort_unstable();
    classes.dedup();
    classes
}
