//! Round trips as they were measured, counted by how long they took.

use std::time::Duration;

/// Upper bounds of the buckets, in microseconds: from the same building to the other side of the earth.
const BOUNDS: [u64; 15] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 35_000, 50_000, 75_000, 100_000, 150_000, 200_000,
    300_000, 1_000_000,
];

/// How often which round trip was measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trips {
    counts: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

impl Trips {
    /// Counts one.
    pub(crate) fn add(&mut self, trip: Duration) {
        let micros = u64::try_from(trip.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
            self.sum = self.sum.saturating_add(trip);
        }
    }

    /// The sum in seconds, the count, and each bucket's bound in seconds with its own count.
    #[must_use]
    pub fn read(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let bounds = BOUNDS.iter().map(|micros| Duration::from_micros(*micros).as_secs_f64());
        let buckets = bounds.chain([f64::INFINITY]).zip(self.counts).collect();
        (self.sum.as_secs_f64(), self.counts.iter().sum(), buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_falls_into_the_bucket_that_it_does_not_exceed() {
        let mut trips = Trips::default();
        for micros in [250, 251, 90_000, 5_000_000] {
            trips.add(Duration::from_micros(micros));
        }
        let (sum, count, buckets) = trips.read();
        assert!((sum - 5.090_501).abs() < 1e-9);
        assert_eq!(count, 4);
        assert_eq!((buckets[0], buckets[1], buckets[15]), ((0.00025, 1), (0.0005, 1), (f64::INFINITY, 1)));
        assert_eq!(buckets[10], (0.1, 1));
    }
}
