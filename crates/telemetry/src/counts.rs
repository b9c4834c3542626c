//! Counters by a small key, and histograms, that are counted into without waiting.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts by key. Few keys are ever used in one place, so they stand in a list that only grows: finding one is
/// a step or two, and adding one holds up nobody.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    first: OnceLock<Box<Count>>,
}

#[derive(Debug)]
struct Count {
    key: u32,
    count: AtomicU64,
    next: OnceLock<Box<Self>>,
}

impl Counts {
    pub(crate) fn add(&self, key: u32) {
        let mut place = &self.first;
        loop {
            // Of two that append at the same time one finds the other's key here, and goes on.
            let found = place
                .get_or_init(|| Box::new(Count { key, count: AtomicU64::new(0), next: OnceLock::new() }));
            if found.key == key {
                found.count.fetch_add(1, Ordering::Relaxed);
                return;
            }
            place = &found.next;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u64)> {
        let counts = std::iter::successors(self.first.get(), |count| count.next.get());
        counts.map(|count| (count.key, count.count.load(Ordering::Relaxed)))
    }
}

/// Upper bounds of a histogram's buckets, in microseconds.
const BOUNDS: [u64; 16] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// How many buckets there are.
pub(crate) const BUCKETS: usize = BOUNDS.len() + 1;

/// How often which time was taken.
#[derive(Debug, Default)]
pub(crate) struct Times {
    buckets: [AtomicU64; BUCKETS],
    sum_micros: AtomicU64,
}

impl Times {
    pub(crate) fn add(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = Self::bucket(time);
        if let Some(count) = self.buckets.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
            self.sum_micros.fetch_add(micros, Ordering::Relaxed);
        }
    }

    /// The number of the bucket that a time falls into.
    pub(crate) fn bucket(time: Duration) -> usize {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        BOUNDS.partition_point(|bound| *bound < micros)
    }

    /// The sum in seconds, the count, and each bucket's bound in seconds with its own count.
    pub(crate) fn read(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let bounds = BOUNDS.iter().map(|micros| Duration::from_micros(*micros).as_secs_f64());
        let counts = self.buckets.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.chain([f64::INFINITY]).zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = Duration::from_micros(self.sum_micros.load(Ordering::Relaxed)).as_secs_f64();
        (sum, count, buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_many_threads_add_up() {
        let counts = Counts::default();
        std::thread::scope(|scope| {
            for thread in 0..4_u32 {
                let counts = &counts;
                scope.spawn(move || (0..1000).for_each(|step| counts.add((step + thread) % 8)));
            }
        });
        let mut all: Vec<_> = counts.iter().collect();
        all.sort_unstable();
        assert_eq!(all, (0..8).map(|key| (key, 500)).collect::<Vec<_>>());
    }

    #[test]
    fn a_time_falls_into_the_bucket_that_it_does_not_exceed() {
        let times = Times::default();
        for micros in [1, 500, 501, 70_000_000] {
            times.add(Duration::from_micros(micros));
        }
        let (sum, count, buckets) = times.read();
        assert!((sum - 70.001_002).abs() < 1e-9);
        assert_eq!(count, 4);
        assert_eq!((buckets[0], buckets[1], buckets[16]), ((0.0005, 2), (0.001, 1), (f64::INFINITY, 1)));
    }
}
