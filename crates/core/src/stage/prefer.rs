//! The stages that prefer: home, affinity, canary, capacity, geo, priority, latency.

use crate::candidates::{Candidate, Candidates, Set};
use crate::decide::Input;
use crate::evidence::{Evidence, Verdict};
use crate::generation::Pool;
use crate::id::PoolId;
use crate::random::Random;
use crate::reason::Reason;
use crate::route::Route;
use crate::stage::choose;
use crate::trace::{Step, Trace};

/// What the stages leave.
pub(crate) struct Preferred<'a> {
    /// Equals.
    pub(crate) left: Candidates<'a>,
    /// Why these, where a stage decided something: the last one that did.
    pub(crate) reason: Option<Reason>,
    /// The region that would have had the request but for its capacity, and those after it that would have had it then.
    pub(crate) offered: Set,
}

/// Narrows `fresh` down to equals.
///
/// `allowed` is what stood before health was asked: a better place in it that is gone makes this a failover.
///
/// # Errors
/// The request has no known home, and its route refuses such.
pub(crate) fn all<'a, E: Evidence, T: Trace>(
    (fresh, allowed): (Candidates<'a>, Candidates<'a>),
    (route, (pool_id, pool)): (&Route, (PoolId, &Pool)),
    input: &Input<'_, E>,
    random: &mut Random,
    trace: &mut T,
) -> Result<Preferred<'a>, Reason> {
    let mut race = Race { left: fresh, wished: allowed, reason: None, missed: false };
    home(&mut race, route, input, trace)?;
    affinity(&mut race, input, trace);
    // The cohort of a canary has no key yet.
    trace.step(Step::Canary);
    let before = race.left;
    let spilling = spilling(before, input, random);
    race.left = capacity(before, spilling, trace);
    let roomy = race.left;
    geo(&mut race, route, input, trace);
    let tier = priority(race.left, race.wished, pool, random, trace);
    let near = latency(tier, pool, trace);
    let mut offered = Set::default();
    if roomy.len() < before.len() {
        offered = offered_to((before, roomy), (route, (pool_id, pool)), input, random);
    }
    let best = |set: &Candidates<'_>| set.iter().map(|candidate| candidate.backend.priority).min();
    let reason = if best(&tier) > best(&race.wished) || race.missed {
        let spilled = best(&tier) > best(&before) && roomy.len() < before.len();
        Some(if spilled { Reason::WonSpillover } else { Reason::WonFailover })
    } else if !offered.is_empty() {
        Some(Reason::WonSpillover)
    } else if near.len() < tier.len() {
        Some(Reason::WonLatency)
    } else if tier.len() < race.left.len() {
        Some(Reason::WonPriority)
    } else {
        race.reason
    };
    Ok(Preferred { left: near, reason, offered })
}

/// Candidates on their way through the preferences, beside those that would be left if nothing were down.
struct Race<'a> {
    left: Candidates<'a>,
    wished: Candidates<'a>,
    reason: Option<Reason>,
    /// Whether a preference was lost because what it prefers is down or has failed the request.
    missed: bool,
}

impl<'a> Race<'a> {
    /// Keeps what `keep` wants, where something is left of it; whether there is.
    fn keep<T: Trace>(
        &mut self,
        trace: &mut T,
        (lost, won): (Reason, Reason),
        keep: impl Fn(&Candidate<'a>) -> bool,
    ) -> bool {
        let found = self.left.iter().any(|candidate| keep(&candidate));
        let wished = self.wished.iter().any(|candidate| keep(&candidate));
        if found {
            let before = self.left.len();
            self.left = self.left.preferring(trace, lost, &keep);
            if self.left.len() < before {
                self.reason = Some(won);
            }
        }
        if wished {
            self.wished = self.wished.preferring(&mut (), lost, &keep);
            self.missed |= !found;
        }
        found
    }
}

/// The region where the user's data lives, while it is usable.
fn home<E: Evidence, T: Trace>(
    race: &mut Race<'_>,
    route: &Route,
    input: &Input<'_, E>,
    trace: &mut T,
) -> Result<(), Reason> {
    trace.step(Step::Home);
    let Some(home) = &route.home else { return Ok(()) };
    match input.facts.home.and_then(|value| home.region(value)) {
        Some(region) => {
            race.keep(trace, (Reason::LostHome, Reason::WonHome), |c| c.backend.region == region);
            Ok(())
        }
        None if home.refuse_unknown => {
            race.left = race.left.without(trace, |_| Some(Reason::LostHome));
            Err(Reason::RefusedHome)
        }
        None => Ok(()),
    }
}

/// Where the session is pinned, or its named backup.
fn affinity<E: Evidence, T: Trace>(race: &mut Race<'_>, input: &Input<'_, E>, trace: &mut T) {
    trace.step(Step::Affinity);
    let Some(pin) = input.facts.pin else { return };
    let lost = Reason::LostAffinity;
    let stays = pin.first.is_some_and(|first| {
        let before = race.missed;
        let stays = race.keep(trace, (lost, Reason::WonAffinity), |candidate| first.means(candidate));
        // Its own word tells of a pin that could not be kept.
        race.missed = before;
        stays
    });
    if let Some(second) = pin.second.filter(|_| !stays)
        && race.left.iter().any(|candidate| second.means(&candidate))
    {
        race.left = race.left.preferring(trace, lost, |candidate| second.means(candidate));
        race.wished = race.left;
        race.reason = Some(Reason::WonAffinityBackup);
    }
}

/// The regions that let this request spill over: one that has more requests than its share of capacity keeps one with
/// probability share/offered.
fn spilling<E: Evidence>(fresh: Candidates<'_>, input: &Input<'_, E>, random: &mut Random) -> Set {
    let (mut seen, mut spilling) = (Set::default(), Set::default());
    for candidate in fresh.iter() {
        let id = candidate.backend.region;
        let Some(capacity) = input.generation.region(id).and_then(|region| region.capacity) else { continue };
        if seen.holds(id.index()) {
            continue;
        }
        seen.insert(id.index());
        let share = capacity / u64::from(input.generation.fleet.pops.max(1));
        let offered = input.evidence.offered(id, input.now);
        if offered > share && random.below(offered) >= share {
            spilling.insert(id.index());
        }
    }
    spilling
}

/// What is full: a backend at its `max_in_flight`, and a region that lets the request spill over. When all are full,
/// all are kept, and the proxy lets the request wait for a place or refuses it.
fn capacity<'a, T: Trace>(fresh: Candidates<'a>, spilling: Set, trace: &mut T) -> Candidates<'a> {
    trace.step(Step::Capacity);
    fresh.preferring(trace, Reason::ExcludedCapacity, |candidate| {
        let limit = candidate.backend.max_in_flight;
        limit.is_none_or(|limit| candidate.state.in_flight < limit)
            && !spilling.holds(candidate.backend.region.index())
    })
}

/// Whose request it would have been but for capacity.
///
/// Chooses as if nothing were full, then without what that would have chosen and is full, and so on: each region that is
/// left behind counts the request as one that it was offered, so that what it keeps is its share of all of them.
fn offered_to<E: Evidence>(
    (before, roomy): (Candidates<'_>, Candidates<'_>),
    (route, pool): (&Route, (PoolId, &Pool)),
    input: &Input<'_, E>,
    random: &Random,
) -> Set {
    let (mut offered, mut left) = (Set::default(), before);
    loop {
        let (mut race, mut random) =
            (Race { left, wished: left, reason: None, missed: false }, random.clone());
        geo(&mut race, route, input, &mut ());
        let tier = priority(race.left, left, pool.1, &mut random, &mut ());
        let near = latency(tier, pool.1, &mut ());
        let chosen = choose::one(near, pool, input, &mut random, &mut ());
        let Some((full, _)) = chosen.filter(|(chosen, _)| !roomy.holds(chosen)) else { return offered };
        let region = full.backend.region;
        left = left.without(&mut (), |candidate| {
            let full = candidate.backend.region == region && !roomy.holds(candidate);
            full.then_some(Reason::ExcludedCapacity)
        });
        if !left.iter().any(|candidate| candidate.backend.region == region) {
            offered.insert(region.index());
        }
    }
}

/// The first of the place's regions that is usable.
fn geo<E: Evidence, T: Trace>(race: &mut Race<'_>, route: &Route, input: &Input<'_, E>, trace: &mut T) {
    trace.step(Step::Geo);
    let facts = input.facts;
    let Some(entries) = route.geo.find(&facts.place, facts.client.ip().to_canonical()) else { return };
    for regions in entries {
        let kept = race.keep(trace, (Reason::LostGeo, Reason::WonGeo), |candidate| {
            regions.holds(candidate.backend.region.index())
        });
        if kept {
            return;
        }
    }
}

/// The lowest tier. With `failover_below` set, a tier whose healthy weight share is below it keeps a request
/// only with probability share/threshold and else hands it on.
fn priority<'a, T: Trace>(
    roomy: Candidates<'a>,
    allowed: Candidates<'a>,
    pool: &Pool,
    random: &mut Random,
    trace: &mut T,
) -> Candidates<'a> {
    trace.step(Step::Priority);
    let mut left = roomy;
    while let Some(lowest) = left.iter().map(|candidate| candidate.backend.priority).min() {
        let in_tier = |candidate: &Candidate<'_>| candidate.backend.priority == lowest;
        let later = left.iter().any(|candidate| !in_tier(&candidate));
        if later && hands_on(&left, &allowed, lowest, pool, random) {
            left = left.without(trace, |candidate| in_tier(candidate).then_some(Reason::LostPriority));
            continue;
        }
        let tier = left.preferring(trace, Reason::LostPriority, in_tier);
        return tier.preferring(trace, Reason::LostPriority, |c| c.state.verdict != Verdict::Unknown);
    }
    left
}

fn hands_on(
    left: &Candidates<'_>,
    allowed: &Candidates<'_>,
    tier: u8,
    pool: &Pool,
    random: &mut Random,
) -> bool {
    let weight = |set: &Candidates<'_>| -> u64 {
        set.iter().filter(|c| c.backend.priority == tier).map(|c| u64::from(c.backend.weight)).sum()
    };
    let threshold = u64::from(pool.select.failover_below.points());
    let (up, whole) = (weight(left) * 10_000, weight(allowed));
    // up/whole < threshold, without division: the tier keeps the request with probability up/(whole*threshold).
    up < whole * threshold && random.below(whole * threshold) >= up
}

/// What is near: within the fastest plus the tolerance. Where no round trip is known, the region declared
/// first; a known one beats an unknown one.
fn latency<'a, T: Trace>(tier: Candidates<'a>, pool: &Pool, trace: &mut T) -> Candidates<'a> {
    trace.step(Step::Latency);
    let fastest = tier.iter().filter_map(|candidate| candidate.state.rtt_micros).min();
    let Some(fastest) = fastest else {
        let first = tier.first().map(|candidate| candidate.backend.region);
        return tier.preferring(trace, Reason::LostLatency, |c| Some(c.backend.region) == first);
    };
    let tolerance = u32::try_from(pool.select.latency_tolerance.as_micros()).unwrap_or(u32::MAX);
    let limit = fastest.saturating_add(tolerance);
    tier.preferring(trace, Reason::LostLatency, |c| c.state.rtt_micros.is_some_and(|rtt| rtt <= limit))
}
