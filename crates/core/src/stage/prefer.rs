//! The stages that prefer: home, affinity, canary, capacity, geo, priority, latency.

use crate::candidates::{Candidate, Candidates};
use crate::evidence::Verdict;
use crate::generation::Pool;
use crate::random::Random;
use crate::reason::Reason;
use crate::trace::{Step, Trace};

/// Narrows `fresh` down to equals; with the reason that the last stage which decided something gives.
///
/// `allowed` is what stood before health was asked: a better tier in it that is gone makes this a failover.
pub(crate) fn all<'a, T: Trace>(
    fresh: Candidates<'a>,
    allowed: Candidates<'a>,
    pool: &Pool,
    random: &mut Random,
    trace: &mut T,
) -> (Candidates<'a>, Option<Reason>) {
    // Home, affinity, canary and geo have no keys yet and pass everything on.
    for step in [Step::Home, Step::Affinity, Step::Canary] {
        trace.step(step);
    }
    let roomy = capacity(fresh, trace);
    trace.step(Step::Geo);
    let tier = priority(roomy, allowed, pool, random, trace);
    let near = latency(tier, pool, trace);
    let reason = reason(&[fresh, roomy, tier, near], allowed);
    (near, reason)
}

fn reason(narrowed: &[Candidates<'_>; 4], allowed: Candidates<'_>) -> Option<Reason> {
    let [fresh, roomy, tier, near] = narrowed;
    let best = |set: &Candidates<'_>| set.iter().map(|candidate| candidate.backend.priority).min();
    if best(tier) > best(&allowed) {
        let spilled = best(tier) > best(fresh) && roomy.len() < fresh.len();
        return Some(if spilled { Reason::WonSpillover } else { Reason::WonFailover });
    }
    if near.len() < tier.len() {
        Some(Reason::WonLatency)
    } else if tier.len() < roomy.len() {
        Some(Reason::WonPriority)
    } else {
        None
    }
}

/// What is full: a backend at its `max_in_flight`. When all are, all are kept, and the proxy lets the request
/// wait for a place or refuses it.
fn capacity<'a, T: Trace>(fresh: Candidates<'a>, trace: &mut T) -> Candidates<'a> {
    trace.step(Step::Capacity);
    let roomy = |candidate: &Candidate<'_>| {
        candidate.backend.max_in_flight.is_none_or(|limit| candidate.state.in_flight < limit)
    };
    fresh.preferring(trace, Reason::ExcludedCapacity, roomy)
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
