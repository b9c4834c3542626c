//! The stage that chooses one of the equals: weight x ramp x load.

use crate::candidates::{Candidates, MAX_BACKENDS, Set};
use crate::decide::Case;
use crate::evidence::Evidence;
use crate::policy::Balance;
use crate::random::{Random, mix};
use crate::reason::Reason;
use crate::seen::Seen;
use crate::trace::{Step, Trace};
use arrayvec::ArrayVec;

/// Leaves one; with [`Reason::WonWeight`] when there was a choice. `None` when nothing is left.
pub(crate) fn one<'a, E: Evidence, T: Trace>(
    left: Candidates<'a>,
    case: &Case<'_, E>,
    random: &mut Random,
    trace: &mut T,
) -> Option<(Candidates<'a>, Option<Reason>)> {
    trace.step(Step::Weight);
    let (set, seen) = (left.left(), case.seen);
    if set == Set::of(set.first()?) {
        return Some((left, None));
    }
    let chosen = match case.pool.select.balance {
        Balance::RoundRobin => {
            let weights = Weights::of(set, seen);
            weights.at(in_turn(case.input.evidence.turn(case.pool_id), weights.total()))
        }
        Balance::Hash(_) => by_hash((set, case), case.input.facts.hash),
        Balance::P2c => {
            let weights = Weights::of(set, seen);
            let (one, other) = (random.below(weights.total()), random.below(weights.total()));
            weights.at(one).zip(weights.at(other)).map(|(one, other)| less_loaded(seen, one, other))
        }
    }?;
    Some((left.only(trace, Set::of(chosen), Reason::LostWeight), Some(Reason::WonWeight)))
}

/// Weights laid end to end, worked out once for every point that is looked for.
struct Weights(ArrayVec<Stretch, MAX_BACKENDS>);

/// The stretch of the one at `index`: from the end of that before to `end`.
#[derive(Clone, Copy)]
struct Stretch {
    index: usize,
    end: u64,
}

impl Weights {
    /// Those of `set` as they are now.
    fn of(set: Set, seen: &Seen<'_>) -> Self {
        let mut stretches = ArrayVec::new();
        set.iter().fold(0, |start, index| {
            let end = start + seen.weight(index);
            stretches.push(Stretch { index, end });
            end
        });
        Self(stretches)
    }

    fn total(&self) -> u64 {
        self.0.last().map_or(0, |last| last.end)
    }

    /// The one on whose stretch `point` lies.
    fn at(&self, point: u64) -> Option<usize> {
        let place = self.0.partition_point(|stretch| stretch.end <= point);
        self.0.get(place).map(|stretch| stretch.index)
    }
}

/// A point for each turn such that any run of turns is spread evenly: multiples of the golden ratio
/// (Knuth, TAOCP 3, 6.4).
fn in_turn(turn: u64, total: u64) -> u64 {
    let spread = u128::from(turn.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    u64::try_from((spread * u128::from(total)) >> 64).unwrap_or(0)
}

/// Weighted rendezvous hashing: each candidate draws from `hash` and its own name, and the highest draw wins. One that
/// comes or goes moves only the requests that it wins or loses.
fn by_hash<E>((set, case): (Set, &Case<'_, E>), hash: u64) -> Option<usize> {
    let backends = case.input.generation.backends_of(case.pool);
    let score = |index: &usize| {
        let salt = backends.get(*index).map_or(0, |backend| backend.salt);
        // 53 bits, as many as a float holds; above 0, so that the logarithm is finite.
        let drawn = (mix(hash ^ salt) >> 11) | 1;
        let uniform = float(drawn) / float(1 << 53);
        float(case.seen.weight(*index)) / -uniform.ln()
    };
    set.iter().max_by(|one, other| score(one).total_cmp(&score(other)))
}

/// Exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "every caller stays below 2^53")]
fn float(number: u64) -> f64 {
    number as f64
}

/// The one with less in flight for its weight; the first of equals.
fn less_loaded(seen: &Seen<'_>, one: usize, other: usize) -> usize {
    let load = |this, that| u64::from(seen.in_flight(this)) * seen.weight(that);
    if load(other, one) < load(one, other) { other } else { one }
}
