//! The stage that chooses one of the equals: weight x ramp x load.

use crate::candidates::{Candidate, Candidates};
use crate::generation::Pool;
use crate::policy::Balance;
use crate::random::Random;
use crate::reason::Reason;
use crate::trace::{Step, Trace};

/// Chooses one; with [`Reason::WonWeight`] when there was a choice. `None` when nothing is left.
pub(crate) fn one<'a, T: Trace>(
    left: Candidates<'a>,
    turn: u64,
    pool: &Pool,
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
        Balance::RoundRobin => at(left, in_turn(turn, total)),
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

/// The one with less in flight for its weight; the first of equals.
fn less_loaded<'a>(one: Candidate<'a>, other: Candidate<'a>) -> Candidate<'a> {
    let load = |this: &Candidate<'_>, that: &Candidate<'_>| u64::from(this.state.in_flight) * weight(that);
    if load(&other, &one) < load(&one, &other) { other } else { one }
}
