//! The stages that prefer: home, affinity, canary, capacity, geo, priority, latency.

use crate::candidates::{Candidates, Set};
use crate::decide::{Case, Input};
use crate::evidence::Evidence;
use crate::random::Random;
use crate::reason::Reason;
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

/// What the stages are called, in their order. A pool of one backend goes through them by name only: none can prefer another.
const STEPS: [Step; 7] =
    [Step::Home, Step::Affinity, Step::Canary, Step::Capacity, Step::Geo, Step::Priority, Step::Latency];

/// Narrows `fresh` down to equals.
///
/// `allowed` is what stood before health was asked: a better place in it that is gone makes this a failover.
///
/// # Errors
/// The request has no known home, and its route refuses such.
pub(crate) fn all<'a, E: Evidence, T: Trace>(
    (fresh, allowed): (Candidates<'a>, Candidates<'a>),
    case: &Case<'_, E>,
    random: &mut Random,
    trace: &mut T,
) -> Result<Preferred<'a>, Reason> {
    if fresh.is_lone() && case.route.home.is_none() && case.input.facts.pin.is_none() {
        STEPS.into_iter().for_each(|step| trace.step(step));
        return Ok(Preferred { left: fresh, reason: None, offered: Set::default() });
    }
    let mut race = Race { left: fresh, wished: allowed, reason: None, missed: false };
    home(&mut race, case, trace)?;
    affinity(&mut race, case, trace);
    // The cohort of a canary has no key yet.
    trace.step(Step::Canary);
    let before = race.left;
    let spilling = spilling(before, case.input, random);
    race.left = capacity(before, (case, spilling), trace);
    let roomy = race.left;
    geo(&mut race, case, trace);
    let tier = priority((race.left, race.wished), case, random, trace);
    let near = latency(tier, case, trace);
    let mut offered = Set::default();
    if roomy.left() != before.left() {
        offered = offered_to((before, roomy), case, random);
    }
    let reason = if tier.tier() > race.wished.tier() || race.missed {
        let spilled = tier.tier() > before.tier() && roomy.left() != before.left();
        Some(if spilled { Reason::WonSpillover } else { Reason::WonFailover })
    } else if !offered.is_empty() {
        Some(Reason::WonSpillover)
    } else if near.left() != tier.left() {
        Some(Reason::WonLatency)
    } else if tier.left() != race.left.left() {
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

impl Race<'_> {
    /// Keeps what is `wanted`, where something is left of it; whether there is.
    fn keep<T: Trace>(&mut self, trace: &mut T, wanted: Set, (lost, won): (Reason, Reason)) -> bool {
        let before = self.left.left();
        let found = before.meets(wanted);
        self.left = self.left.preferring(trace, wanted, lost);
        if self.left.left() != before {
            self.reason = Some(won);
        }
        self.missed |= !found && self.wished.meets(wanted);
        self.wished = self.wished.preferring(&mut (), wanted, lost);
        found
    }
}

/// The region where the user's data lives, while it is usable.
fn home<E: Evidence, T: Trace>(race: &mut Race<'_>, case: &Case<'_, E>, trace: &mut T) -> Result<(), Reason> {
    trace.step(Step::Home);
    let Some(home) = &case.route.home else { return Ok(()) };
    match case.input.facts.home.and_then(|value| home.region(value)) {
        Some(region) => {
            let there = race.left.roster().region(region);
            race.keep(trace, there, (Reason::LostHome, Reason::WonHome));
            Ok(())
        }
        None if home.refuse_unknown => {
            race.left = race.left.only(trace, Set::default(), Reason::LostHome);
            Err(Reason::RefusedHome)
        }
        None => Ok(()),
    }
}

/// Where the session is pinned, or its named backup.
fn affinity<E: Evidence, T: Trace>(race: &mut Race<'_>, case: &Case<'_, E>, trace: &mut T) {
    trace.step(Step::Affinity);
    let Some(pin) = case.input.facts.pin else { return };
    let roster = race.left.roster();
    let stays = pin.first.is_some_and(|first| {
        let before = race.missed;
        let stays = race.keep(trace, roster.meant(first), (Reason::LostAffinity, Reason::WonAffinity));
        // Its own word tells of a pin that could not be kept.
        race.missed = before;
        stays
    });
    let second = pin.second.filter(|_| !stays).map(|second| roster.meant(second));
    if let Some(second) = second.filter(|second| race.left.meets(*second)) {
        race.left = race.left.only(trace, second, Reason::LostAffinity);
        race.wished = race.left;
        race.reason = Some(Reason::WonAffinityBackup);
    }
}

/// The regions that let this request spill over: one that has more requests than its share of capacity keeps one with
/// probability share/offered.
fn spilling<E: Evidence>(fresh: Candidates<'_>, input: &Input<'_, E>, random: &mut Random) -> Set {
    let mut spilling = Set::default();
    for (id, here) in &fresh.roster().regions {
        let capacity = input.generation.region(*id).and_then(|region| region.capacity);
        let Some(capacity) = capacity.filter(|_| fresh.meets(*here)) else { continue };
        let share = capacity / u64::from(input.generation.fleet.pops.max(1));
        let offered = input.evidence.offered(*id, input.now);
        if offered > share && random.below(offered) >= share {
            spilling.insert(id.index());
        }
    }
    spilling
}

/// What is full: a backend at its `max_in_flight`, and a region that lets the request spill over. When all are full,
/// all are kept, and the proxy lets the request wait for a place or refuses it.
fn capacity<'a, E, T: Trace>(
    fresh: Candidates<'a>,
    (case, spilling): (&Case<'_, E>, Set),
    trace: &mut T,
) -> Candidates<'a> {
    trace.step(Step::Capacity);
    let mut full = case.seen.full;
    if !spilling.is_empty() {
        full = full.union(fresh.roster().within(&spilling));
    }
    fresh.preferring(trace, fresh.left().minus(full), Reason::ExcludedCapacity)
}

/// Whose request it would have been but for capacity.
///
/// Chooses as if nothing were full, then without what that would have chosen and is full, and so on: each region that is
/// left behind counts the request as one that it was offered, so that what it keeps is its share of all of them.
fn offered_to<E: Evidence>(
    (before, roomy): (Candidates<'_>, Candidates<'_>),
    case: &Case<'_, E>,
    random: &Random,
) -> Set {
    let (mut offered, mut left) = (Set::default(), before);
    loop {
        let (mut race, mut random) =
            (Race { left, wished: left, reason: None, missed: false }, random.clone());
        geo(&mut race, case, &mut ());
        let tier = priority((race.left, left), case, &mut random, &mut ());
        let near = latency(tier, case, &mut ());
        let chosen = choose::one(near, case, &mut random, &mut ());
        let Some((full, _)) = chosen.filter(|(chosen, _)| !chosen.meets(roomy.left())) else {
            return offered;
        };
        let Some((region, here)) = full.region() else { return offered };
        left = left.without(&mut (), here.minus(roomy.left()), Reason::ExcludedCapacity);
        if !left.meets(here) {
            offered.insert(region.index());
        }
    }
}

/// The first of the place's regions that is usable.
fn geo<E: Evidence, T: Trace>(race: &mut Race<'_>, case: &Case<'_, E>, trace: &mut T) {
    trace.step(Step::Geo);
    let facts = case.input.facts;
    let Some(entries) = case.route.geo.find(&facts.place, facts.client.ip().to_canonical()) else { return };
    let roster = race.left.roster();
    for regions in entries {
        if race.keep(trace, roster.within(regions), (Reason::LostGeo, Reason::WonGeo)) {
            return;
        }
    }
}

/// The lowest tier. With `failover_below` set, a tier whose healthy weight share is below it keeps a request
/// only with probability share/threshold and else hands it on.
fn priority<'a, E, T: Trace>(
    (roomy, allowed): (Candidates<'a>, Candidates<'a>),
    case: &Case<'_, E>,
    random: &mut Random,
    trace: &mut T,
) -> Candidates<'a> {
    trace.step(Step::Priority);
    let (mut left, reason) = (roomy, Reason::LostPriority);
    for (_, tier) in &roomy.roster().tiers {
        let here = left.left().intersection(*tier);
        if here.is_empty() {
            continue;
        }
        let is_last = here == left.left();
        let whole = allowed.left().intersection(*tier);
        if !is_last && hands_on((here, whole), (case, &roomy.roster().weights), random) {
            left = left.without(trace, here, reason);
            continue;
        }
        let tier = left.only(trace, here, reason);
        return tier.preferring(trace, here.minus(case.seen.unknown), reason);
    }
    left
}

/// Whether a tier of which those of `up` are left of the `whole` hands the request on.
fn hands_on<E>(
    (up, whole): (Set, Set),
    (case, weights): (&Case<'_, E>, &[u16]),
    random: &mut Random,
) -> bool {
    let threshold = u64::from(case.pool.select.failover_below.points());
    if threshold == 0 {
        return false;
    }
    let weight = |set: Set| -> u64 {
        set.iter().filter_map(|index| weights.get(index)).map(|it| u64::from(*it)).sum()
    };
    let (up, whole) = (weight(up) * 10_000, weight(whole));
    // up/whole < threshold, without division: the tier keeps the request with probability up/(whole*threshold).
    up < whole * threshold && random.below(whole * threshold) >= up
}

/// What is near: within the fastest plus the tolerance. Where no round trip is known, the region declared
/// first; a known one beats an unknown one.
fn latency<'a, E, T: Trace>(tier: Candidates<'a>, case: &Case<'_, E>, trace: &mut T) -> Candidates<'a> {
    trace.step(Step::Latency);
    let seen = case.seen;
    let mut near = tier.left().intersection(seen.timed);
    let trips = near.iter().map(|index| seen.rtt_micros(index));
    let (fastest, slowest) = trips.fold((u32::MAX, 0), |(low, high), trip| (trip.min(low), trip.max(high)));
    if near.is_empty() {
        near = tier.region().map_or_else(Set::default, |(_, here)| here);
    } else {
        let tolerance = u32::try_from(case.pool.select.latency_tolerance.as_micros()).unwrap_or(u32::MAX);
        let limit = fastest.saturating_add(tolerance);
        if slowest > limit {
            near.retain(|index| seen.rtt_micros(index) <= limit);
        }
    }
    tier.preferring(trace, near, Reason::LostLatency)
}
