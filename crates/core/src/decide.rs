//! One decision, as a pure function: match, forbid, prefer, choose.

use crate::candidates::{Candidates, Set};
use crate::evidence::Evidence;
use crate::facts::Facts;
use crate::generation::{Generation, Pool};
use crate::id::{BackendId, PoolId, RegionId, RouteId};
use crate::random::Random;
use crate::reason::Reason;
use crate::residency::Law;
use crate::route::{Action, Route};
use crate::seen::Seen;
use crate::stage::{choose, forbid, prefer};
use crate::time::Now;
use crate::trace::{Step, Trace};
use crate::tried::Tried;

/// All that a decision depends on. Equal inputs give equal decisions, traced or not.
#[derive(Debug)]
pub struct Input<'a, E> {
    /// The request.
    pub facts: &'a Facts<'a>,
    /// What has failed it so far.
    pub tried: &'a Tried,
    /// What the file says.
    pub generation: &'a Generation,
    /// What this PoP knows.
    pub evidence: &'a E,
    /// When.
    pub now: Now,
    /// Chance, as a value.
    pub seed: u64,
}

/// What happens to the request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Choice {
    /// It goes to a backend.
    Forward(Plan),
    /// The route answers it here.
    Answer(RouteId),
    /// It is not served; the route, where one was found.
    Refuse(Reason, Option<RouteId>),
}

/// Where a request goes, and why there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Plan {
    /// Its route.
    pub route: RouteId,
    /// Its pool.
    pub pool: PoolId,
    /// Its backend.
    pub backend: BackendId,
    /// The backend's region.
    pub region: RegionId,
    /// The regions that it was offered to: its own, and those that would have had it but for their capacity.
    pub offered: Set,
    /// Why this one won.
    pub reason: Reason,
}

/// Decides what happens to a request (SPEC, section 2). Allocates nothing unless the trace does.
pub fn decide<E: Evidence, T: Trace>(input: &Input<'_, E>, trace: &mut T) -> Choice {
    let facts = input.facts;
    trace.step(Step::Route);
    let id = match input.generation.routes.find(facts.host, facts.path, facts.method) {
        Ok(id) => id,
        Err(reason) => return refuse(trace, reason, None),
    };
    let Some(route) = input.generation.routes.route(id) else {
        return refuse(trace, Reason::NoRoutePath, None);
    };
    trace.step(Step::Access);
    if let Some(reason) = forbid::limits(route, id, input) {
        return refuse(trace, reason, Some(id));
    }
    match &route.action {
        Action::Answer(_) => Choice::Answer(id),
        Action::Forward(pool) => forward(input, trace, (id, *pool), route),
    }
}

fn forward<E: Evidence, T: Trace>(
    input: &Input<'_, E>,
    trace: &mut T,
    (route_id, pool_id): (RouteId, PoolId),
    route: &Route,
) -> Choice {
    let generation = input.generation;
    let Some((pool, roster)) = generation.pool(pool_id).zip(generation.backends.roster(pool_id)) else {
        return refuse(trace, Reason::RefusedAllDown, Some(route_id));
    };
    let law = Law::of(route, generation, input.facts);
    let lawful = forbid::residency(Candidates::all(roster), law, trace);
    if lawful.is_empty() {
        return refuse(trace, Reason::RefusedResidency, Some(route_id));
    }
    let mut seen = Seen::nothing(roster);
    seen.read(input, lawful.left());
    let allowed = forbid::drained(lawful, &seen, (generation, input.facts.pin), trace);
    if allowed.is_empty() {
        let reason = if law == Law::Silent { Reason::RefusedDrained } else { Reason::RefusedResidency };
        return refuse(trace, reason, Some(route_id));
    }
    let Some(usable) = forbid::unhealthy(allowed, &seen, (pool, input.tried), trace) else {
        return refuse(trace, Reason::RefusedAllDown, Some(route_id));
    };
    let fresh = forbid::tried(usable.left, input.tried, trace);
    let mut random = Random::new(input.seed);
    let case = Case { input, route, pool_id, pool, seen: &seen };
    let preferred = match prefer::all((fresh, allowed), &case, &mut random, trace) {
        Ok(preferred) => preferred,
        Err(reason) => return refuse(trace, reason, Some(route_id)),
    };
    let chosen = choose::one(preferred.left, &case, &mut random, trace);
    let chosen = chosen.and_then(|(left, drawn)| Some((left.left().first()?, left.region()?.0, drawn)));
    let Some((index, region, drawn)) = chosen else {
        return refuse(trace, Reason::RefusedAllDown, Some(route_id));
    };
    let reason = match drawn.or(preferred.reason) {
        _ if usable.fail_open => Reason::WonFailOpen,
        reason => reason.unwrap_or(Reason::WonOnly),
    };
    let id = roster.id(index);
    trace.chosen(id, reason);
    let mut offered = preferred.offered;
    offered.insert(region.index());
    Choice::Forward(Plan { route: route_id, pool: pool_id, backend: id, region, offered, reason })
}

/// What the stages after the forbidding ones are about.
pub(crate) struct Case<'a, E> {
    pub(crate) input: &'a Input<'a, E>,
    pub(crate) route: &'a Route,
    pub(crate) pool_id: PoolId,
    pub(crate) pool: &'a Pool,
    pub(crate) seen: &'a Seen<'a>,
}

fn refuse<T: Trace>(trace: &mut T, reason: Reason, route: Option<RouteId>) -> Choice {
    trace.refused(reason);
    Choice::Refuse(reason, route)
}
