//! The stages that forbid: limits, residency, drain, health, what has been tried.

use crate::candidates::{Candidates, Set};
use crate::decide::Input;
use crate::evidence::Evidence;
use crate::generation::{Drain, Generation, PinnedSessions, Pool};
use crate::id::RouteId;
use crate::pin::Pin;
use crate::policy::AllDown;
use crate::reason::Reason;
use crate::residency::Law;
use crate::route::Route;
use crate::seen::Seen;
use crate::trace::{Step, Trace};
use crate::tried::Tried;

/// The limit of `route` that the request breaks.
pub(crate) fn limits<E: Evidence>(route: &Route, id: RouteId, input: &Input<'_, E>) -> Option<Reason> {
    let (limits, facts) = (&route.limits, input.facts);
    let large = facts.url_bytes > limits.url
        || facts.header_bytes > limits.headers
        || limits.body.zip(facts.body_bytes).is_some_and(|(limit, bytes)| bytes > limit);
    // A repeat is already counted among the requests in flight.
    let full = input.tried.is_empty()
        && limits.concurrency.is_some_and(|limit| input.evidence.route_in_flight(id) >= limit);
    if large { Some(Reason::RefusedTooLarge) } else { full.then_some(Reason::RefusedLimit) }
}

/// What law leaves of all candidates.
pub(crate) fn residency<'a, T: Trace>(all: Candidates<'a>, law: Law, trace: &mut T) -> Candidates<'a> {
    trace.step(Step::Residency);
    let lawful = match law {
        Law::Silent => return all,
        Law::Only(regions) => all.roster().within(&regions),
        Law::Nowhere => Set::default(),
    };
    all.only(trace, lawful, Reason::ExcludedResidency)
}

/// What the operator has marked. A session that is pinned there may stay while grace runs, where the mark says so.
pub(crate) fn drained<'a, T: Trace>(
    left: Candidates<'a>,
    seen: &Seen<'_>,
    (generation, pin): (&Generation, Option<Pin>),
    trace: &mut T,
) -> Candidates<'a> {
    trace.step(Step::Drain);
    let roster = left.roster();
    let marked = roster.drained(generation);
    let pinned = pin.and_then(|pin| pin.first).map_or_else(Set::default, |first| roster.meant(first));
    let mut staying = marked.intersection(pinned).intersection(seen.in_grace);
    staying.retain(|index| {
        let honours = |mark: &Drain| mark.pinned_sessions == PinnedSessions::HonourUntilGrace;
        let backend = generation.backend(roster.id(index));
        backend.is_some_and(|backend| generation.drains_of(backend).all(honours))
    });
    left.without(trace, marked.minus(staying), Reason::ExcludedDrained)
}

/// What the health stage leaves.
pub(crate) struct Usable<'a> {
    /// The candidates.
    pub(crate) left: Candidates<'a>,
    /// Whether everything was down and is tried anyway.
    pub(crate) fail_open: bool,
}

/// What is down. When that is everything, or all that is not down has failed this request, `all_down: try_all`
/// gives back what this stage took, never what stood before it; `None` when nothing may be tried. What is only
/// suspected goes as long as something else stays.
pub(crate) fn unhealthy<'a, T: Trace>(
    allowed: Candidates<'a>,
    seen: &Seen<'_>,
    (pool, tried): (&Pool, &Tried),
    trace: &mut T,
) -> Option<Usable<'a>> {
    trace.step(Step::Health);
    // A weight of 0 is the operator's word, not health: it is never taken back.
    let roster = allowed.roster();
    let weighted = allowed.without(trace, roster.weightless, Reason::LostWeight);
    let up = weighted
        .without(trace, seen.unhealthy, Reason::ExcludedUnhealthy)
        .without(trace, seen.ejected, Reason::ExcludedEjected)
        .without(trace, seen.held, Reason::ExcludedHold);
    let fresh = tried.fresh(roster);
    if up.meets(fresh) {
        let better = up.meets(fresh.minus(seen.suspected));
        let left = if better { up.without(trace, seen.suspected, Reason::ExcludedEjected) } else { up };
        return Some(Usable { left, fail_open: false });
    }
    if pool.select.all_down == AllDown::Refuse || !weighted.meets(fresh) {
        return (!up.is_empty()).then_some(Usable { left: up, fail_open: false });
    }
    for index in weighted.left().minus(up.left()).iter() {
        trace.readmitted(roster.id(index));
    }
    Some(Usable { left: weighted, fail_open: true })
}

/// What has failed this request. After a connect failure its region is avoided; where no other is left, its tier.
pub(crate) fn tried<'a, T: Trace>(usable: Candidates<'a>, tried: &Tried, trace: &mut T) -> Candidates<'a> {
    trace.step(Step::Tried);
    if tried.is_empty() {
        return usable;
    }
    let (roster, reason) = (usable.roster(), Reason::ExcludedTried);
    let fresh = usable.only(trace, tried.fresh(roster), reason);
    let elsewhere = tried.elsewhere(roster);
    let wanted = if fresh.meets(elsewhere) { elsewhere } else { tried.other_tiers(roster) };
    fresh.preferring(trace, wanted, reason)
}
