//! Exemplars: of each bucket of a histogram a request that fell into it and whose trace was sent.

use super::TraceId;
use crate::counts::BUCKETS;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last request of each bucket. Nobody waits: of two that come at one time the second is not kept.
#[derive(Debug, Default)]
pub(crate) struct Exemplars {
    buckets: OnceLock<Box<[Cell; BUCKETS]>>,
}

/// A request that is an example of its bucket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Exemplar {
    pub(crate) trace: TraceId,
    pub(crate) took: Duration,
    pub(crate) at: SystemTime,
}

/// Four words that are read as one: `turn` is odd while they are written, and another number afterwards.
#[derive(Debug, Default)]
struct Cell {
    turn: AtomicU64,
    words: [AtomicU64; 4],
}

impl Exemplars {
    /// Keeps `exemplar` as the example of `bucket`.
    pub(crate) fn keep(&self, bucket: usize, exemplar: &Exemplar) {
        if let Some(cell) = self.buckets.get_or_init(Box::default).get(bucket) {
            cell.write(exemplar);
        }
    }

    /// The example of each bucket that has one.
    pub(crate) fn all(&self) -> impl Iterator<Item = (usize, Exemplar)> {
        let buckets = self.buckets.get().into_iter().flat_map(|buckets| buckets.iter().enumerate());
        buckets.filter_map(|(bucket, cell)| Some((bucket, cell.read()?)))
    }
}

impl Cell {
    fn write(&self, exemplar: &Exemplar) {
        let turn = self.turn.load(Ordering::Relaxed);
        let taken = turn.is_multiple_of(2)
            && self.turn.compare_exchange(turn, turn + 1, Ordering::Acquire, Ordering::Relaxed).is_ok();
        if !taken {
            return;
        }
        // No word is written before `turn` is seen to be odd.
        std::sync::atomic::fence(Ordering::Release);
        for (word, value) in self.words.iter().zip(exemplar.words()) {
            word.store(value, Ordering::Relaxed);
        }
        self.turn.store(turn + 2, Ordering::Release);
    }

    fn read(&self) -> Option<Exemplar> {
        let turn = self.turn.load(Ordering::Acquire);
        let words =
            [0, 1, 2, 3].map(|index| self.words.get(index).map_or(0, |word| word.load(Ordering::Relaxed)));
        std::sync::atomic::fence(Ordering::Acquire);
        let is_whole = turn.is_multiple_of(2) && self.turn.load(Ordering::Relaxed) == turn;
        // One that is being written now is an example at the next scrape.
        (turn > 0 && is_whole).then(|| Exemplar::of(words))
    }
}

impl Exemplar {
    fn words(&self) -> [u64; 4] {
        let [high, low] = self.trace.halves();
        let at = self.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let short = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        [high, low, short(self.took), short(at)]
    }

    fn of([high, low, took, at]: [u64; 4]) -> Self {
        Self {
            trace: TraceId(u128::from(high) << 64 | u128::from(low)),
            took: Duration::from_micros(took),
            at: UNIX_EPOCH + Duration::from_micros(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exemplar(number: u64) -> Exemplar {
        let time = Duration::from_micros(number);
        Exemplar {
            trace: TraceId(u128::from(number) << 64 | u128::from(number)),
            took: time,
            at: UNIX_EPOCH + time,
        }
    }

    #[test]
    fn the_last_one_of_a_bucket_is_kept() {
        let exemplars = Exemplars::default();
        assert_eq!(exemplars.all().next(), None);
        exemplars.keep(3, &exemplar(1));
        exemplars.keep(3, &exemplar(2));
        exemplars.keep(BUCKETS, &exemplar(3));
        assert_eq!(exemplars.all().collect::<Vec<_>>(), [(3, exemplar(2))]);
    }

    #[test]
    fn what_is_read_while_others_write_is_one_of_theirs() {
        let exemplars = Exemplars::default();
        std::thread::scope(|scope| {
            for thread in 0..3_u64 {
                let exemplars = &exemplars;
                scope.spawn(move || {
                    (0..20_000).for_each(|step| exemplars.keep(0, &exemplar(step * 3 + thread)))
                });
            }
            for _ in 0..20_000 {
                let Some((_, read)) = exemplars.all().next() else { continue };
                let number = u64::try_from(read.took.as_micros()).unwrap();
                assert_eq!(read, exemplar(number));
            }
        });
    }
}
