//! The stages that forbid: limits, residency, drain, health, what has been tried.

use crate::candidates::{Candidate, Candidates};
use crate::decide::Input;
use crate::evidence::{Evidence, Verdict};
use crate::generation::{Generation, PinnedSessions, Pool};
use crate::id::RouteId;
use crate::pin::Pin;
use crate::policy::AllDown;
use crate::reason::Reason;
use crate::residency::Law;
use crate::route::Route;
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
    match law {
        Law::Silent => all,
        Law::Only(regions) => all.without(trace, |candidate| {
            (!regions.holds(candidate.backend.region.index())).then_some(Reason::ExcludedResidency)
        }),
        Law::Nowhere => all.without(trace, |_| Some(Reason::ExcludedResidency)),
    }
}

/// What the operator has marked. A session that is pinned there may stay while grace runs, where the mark says so.
pub(crate) fn drained<'a, T: Trace>(
    left: Candidates<'a>,
    generation: &Generation,
    pin: Option<Pin>,
    trace: &mut T,
) -> Candidates<'a> {
    trace.step(Step::Drain);
    let stays = |candidate: &Candidate<'a>| {
        let pinned = pin.and_then(|pin| pin.first).is_some_and(|first| first.means(candidate));
        let mut marks = generation.drains_of(candidate.backend);
        pinned
            && candidate.state.in_grace
            && marks.all(|mark| mark.pinned_sessions == PinnedSessions::HonourUntilGrace)
    };
    left.without(trace, |candidate| {
        let marked = generation.drains_of(candidate.backend).next().is_some();
        (marked && !stays(candidate)).then_some(Reason::ExcludedDrained)
    })
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
    pool: &Pool,
    tried: &Tried,
    trace: &mut T,
) -> Option<Usable<'a>> {
    trace.step(Step::Health);
    // A weight of 0 is the operator's word, not health: it is never taken back.
    let weighted =
        allowed.without(trace, |candidate| (candidate.backend.weight == 0).then_some(Reason::LostWeight));
    let up = weighted.without(trace, down);
    let first = pool.first.index();
    let fresh = |candidate: &Candidate<'_>| is_fresh(candidate, tried, first);
    if up.iter().any(|candidate| fresh(&candidate)) {
        let better = |other: &Candidate<'_>| !other.state.suspected && fresh(other);
        let suspected = up.iter().any(|candidate| candidate.state.suspected);
        let left = if suspected && up.iter().any(|other| better(&other)) {
            up.without(trace, |candidate| candidate.state.suspected.then_some(Reason::ExcludedEjected))
        } else {
            up
        };
        return Some(Usable { left, fail_open: false });
    }
    let nothing = !weighted.iter().any(|candidate| fresh(&candidate));
    if pool.select.all_down == AllDown::Refuse || nothing {
        return (!up.is_empty()).then_some(Usable { left: up, fail_open: false });
    }
    for candidate in weighted.iter().filter(|candidate| down(candidate).is_some()) {
        trace.readmitted(candidate.id);
    }
    Some(Usable { left: weighted, fail_open: true })
}

/// Whether this request may still try it.
fn is_fresh(candidate: &Candidate<'_>, tried: &Tried, first: usize) -> bool {
    !tried.backend(candidate.id.index() - first) && tried.allows(candidate.backend.region)
}

fn down(candidate: &Candidate<'_>) -> Option<Reason> {
    let state = candidate.state;
    if state.verdict == Verdict::Unhealthy {
        Some(Reason::ExcludedUnhealthy)
    } else if state.ejected {
        Some(Reason::ExcludedEjected)
    } else {
        state.held.then_some(Reason::ExcludedHold)
    }
}

/// What has failed this request. After a connect failure its region is avoided; where no other is left, its tier.
pub(crate) fn tried<'a, E: Evidence, T: Trace>(
    usable: Candidates<'a>,
    pool: &Pool,
    input: &Input<'_, E>,
    trace: &mut T,
) -> Candidates<'a> {
    trace.step(Step::Tried);
    let tried: &Tried = input.tried;
    if tried.is_empty() {
        return usable;
    }
    let first = pool.first.index();
    let fresh = usable
        .without(trace, |candidate| (!is_fresh(candidate, tried, first)).then_some(Reason::ExcludedTried));
    let elsewhere = |candidate: &Candidate<'_>| !tried.region(candidate.backend.region.index());
    if fresh.iter().any(|candidate| elsewhere(&candidate)) {
        return fresh.preferring(trace, Reason::ExcludedTried, elsewhere);
    }
    fresh.preferring(trace, Reason::ExcludedTried, |candidate| !tried.tier(candidate.backend.priority))
}
