//! The stage that chooses one of the equals: weight x ramp x load.

use crate::candidates::{Candidate, Candidates};
use crate::decide::Input;
use crate::evidence::Evidence;
use crate::generation::Pool;
use crate::id::PoolId;
use crate::policy::Balance;
use crate::random::{Random, mix};
use crate::reason::Reason;
use crate::trace::{Step, Trace};

/// Chooses one; with [`Reason::WonWeight`] when there was a choice. `None` when nothing is left.
pub(crate) fn one<'a, E: Evidence, T: Trace>(
    left: Candidates<'a>,
    (id, pool): (PoolId, &Pool),
    input: &Input<'_, E>,
    random: &mut Random,
    trace: &mut T,
) -> Option<(Candidate<'a>, Option<Reason>)> {
    trace.step(Step::Weight);
    let first = left.first()?;
    if left.len() == 1 {
        return Some((first, None));
    }
    let total: u64 = left.iter().map(|candidate| weight(&candidate)).sum();
    let chosen = match pool.select.balance {
        Balance::RoundRobin => at(left, in_turn(input.evidence.turn(id), total)),
        Balance::Hash(_) => by_hash(left, input.facts.hash),
        Balance::P2c => {
            let (one, other) = (at(left, random.below(total)), at(left, random.below(total)));
            one.zip(other).map(|(one, other)| less_loaded(one, other))
        }
    }?;
    for candidate in left.iter().filter(|candidate| candidate.id != chosen.id) {
        trace.dropped(candidate.id, Reason::LostWeight);
    }
    Some((chosen, Some(Reason::WonWeight)))
}

fn weight(candidate: &Candidate<'_>) -> u64 {
    Pool::ramped(candidate.backend.weight, candidate.state.ramp).max(1)
}

/// The candidate on whose stretch of the weights laid end to end `point` lies.
fn at(left: Candidates<'_>, mut point: u64) -> Option<Candidate<'_>> {
    left.iter().find(|candidate| {
        let weight = weight(candidate);
        let here = point < weight;
        point = point.saturating_sub(weight);
        here
    })
}

/// A point for each turn such that any run of turns is spread evenly: multiples of the golden ratio
/// (Knuth, TAOCP 3, 6.4).
fn in_turn(turn: u64, total: u64) -> u64 {
    let spread = u128::from(turn.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    u64::try_from((spread * u128::from(total)) >> 64).unwrap_or(0)
}

/// Weighted rendezvous hashing: each candidate draws from `hash` and its own name, and the highest draw wins. One that
/// comes or goes moves only the requests that it wins or loses.
fn by_hash(left: Candidates<'_>, hash: u64) -> Option<Candidate<'_>> {
    let score = |candidate: &Candidate<'_>| {
        // 53 bits, as many as a float holds; above 0, so that the logarithm is finite.
        let drawn = (mix(hash ^ candidate.backend.salt) >> 11) | 1;
        let uniform = float(drawn) / float(1 << 53);
        float(weight(candidate)) / -uniform.ln()
    };
    left.iter().max_by(|one, other| score(one).total_cmp(&score(other)))
}

/// Exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "every caller stays below 2^53")]
fn float(number: u64) -> f64 {
    number as f64
}

/// The one with less in flight for its weight; the first of equals.
fn less_loaded<'a>(one: Candidate<'a>, other: Candidate<'a>) -> Candidate<'a> {
    let load = |this: &Candidate<'_>, that: &Candidate<'_>| u64::from(this.state.in_flight) * weight(that);
    if load(&other, &one) < load(&one, &other) { other } else { one }
}
