//! A smoothed round trip that neither outliers nor noise move.

use nearside_core::Now;
use std::cmp::Ordering;
use std::time::Duration;

/// The least of so many samples is averaged ...
const LEAST_OF: usize = 6;
/// ... and the newest least has this part of the average.
const NEWEST: u64 = 3;
/// What is told stays while the average is within a twentieth of it, or a millisecond ...
const BAND: u32 = 20;
const LEAST_BAND: u32 = 1000;
/// ... unless so many samples in a row lie on the same side of it.
const LASTING: u8 = 16;
/// What kept connections say counts only so long after the sample before: there may be many of them.
const APART: Duration = Duration::from_secs(1);
/// What was not measured for this long ...
const LASTS: Duration = Duration::from_mins(10);
/// ... nor for so many intervals of the probe is no longer held to be so.
const LASTS_INTERVALS: u32 = 3;

/// For how long a round trip stands without being measured anew, where it is probed each `interval`.
pub(crate) fn lasts(interval: Duration) -> Duration {
    LASTS.max(interval.saturating_mul(LASTS_INTERVALS))
}

/// The smoothed round trip of one backend.
///
/// What lengthens a round trip is never the path: queues do, a busy machine, a lost SYN. So each sample stands for the least
/// of the last six, and an average gives the newest of these a third: another path is believed within ten probes. Decisions are told a value that stays while the average is near it: of two regions nearly equally far, the
/// nearer one stays the nearer one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rtt {
    /// The newest first.
    recent: [Option<u32>; LEAST_OF],
    smooth: Option<u32>,
    told: Option<u32>,
    /// Mean deviation of the samples (RFC 6298, 2.3).
    spread: u32,
    /// How many samples in a row lay above what is told, or below it, by the sign.
    side: i8,
    at: Now,
}

impl Rtt {
    /// Takes a sample and returns the microseconds that decisions are told, at least 1. After a silence longer than `lasts`
    /// it begins anew: what was known then says nothing of now.
    pub(crate) fn observe(&mut self, sample: Duration, now: Now, lasts: Duration) -> u32 {
        if now.since(self.at) > lasts {
            *self = Self::default();
        }
        let micros = u32::try_from(sample.as_micros()).unwrap_or(u32::MAX).max(1);
        self.recent.rotate_right(1);
        if let Some(newest) = self.recent.first_mut() {
            *newest = Some(micros);
        }
        self.at = now;
        let least = self.recent.iter().flatten().fold(micros, |least, sample| least.min(*sample));
        let next = match self.smooth {
            Some(smooth) if self.recent.iter().all(Option::is_some) => mean(smooth, least, NEWEST),
            _ => least,
        };
        if self.smooth.is_some() {
            self.spread = mean(self.spread, next.abs_diff(micros), NEWEST);
        }
        self.smooth = Some(next);
        self.tell(next)
    }

    /// What is to be taken as a sample of a kept connection that has seen `least`: one that renews what is known, or lowers
    /// it.
    ///
    /// It never raises it. A backend that acknowledges a request along with its answer makes a kept connection's round trips
    /// longer by the time that it thinks, which is no part of the path. A longer path is seen by handshakes.
    pub(crate) fn of_kept(&self, least: Duration, now: Now, lasts: Duration) -> Option<Duration> {
        let age = now.since(self.at);
        let Some((smooth, told)) = self.smooth.zip(self.told).filter(|_| age <= lasts) else {
            return Some(least);
        };
        let known = Duration::from_micros(u64::from(smooth));
        let limit = Duration::from_micros(u64::from(told.saturating_add(band(told))));
        (age >= APART && least <= limit).then_some(least.min(known))
    }

    fn tell(&mut self, next: u32) -> u32 {
        let Some(told) = self.told else {
            self.told = Some(next);
            return next;
        };
        self.side = match next.cmp(&told) {
            Ordering::Greater => self.side.max(0).saturating_add(1),
            Ordering::Less => self.side.min(0).saturating_sub(1),
            Ordering::Equal => 0,
        };
        let within = next.abs_diff(told) <= band(told);
        if within && self.side.unsigned_abs() < LASTING {
            return told;
        }
        (self.told, self.side) = (Some(next), 0);
        next
    }

    /// The round trip as it was known at `at`, from one good sample on.
    pub(crate) fn recalled(micros: u32, at: Now) -> Self {
        let known = Some(micros);
        let mut recent = [None; LEAST_OF];
        recent[0] = known;
        Self { recent, smooth: known, told: known, at, ..Self::default() }
    }

    /// The smoothed microseconds.
    pub(crate) fn smooth(&self) -> Option<u32> {
        self.smooth
    }

    /// How far samples lie from it in the mean, in microseconds.
    pub(crate) fn spread(&self) -> u32 {
        self.spread
    }

    /// When the last sample was taken.
    pub(crate) fn at(&self) -> Now {
        self.at
    }
}

/// How far the smoothed value may lie from what is told.
fn band(told: u32) -> u32 {
    (told / BAND).max(LEAST_BAND)
}

/// The average in which `newest` has one part of `parts`.
fn mean(average: u32, newest: u32, parts: u64) -> u32 {
    let sum = u64::from(average) * (parts - 1) + u64::from(newest);
    u32::try_from(sum / parts).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_core::random::Random;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Now {
        Now::from_millis(1_700_000_000_000 + seconds * 1000)
    }

    /// Takes samples in milliseconds, one each second, and returns what is told in the end.
    fn take(rtt: &mut Rtt, samples: &[u64], start: u64) -> u32 {
        let sample = |(ms, second): (&u64, u64)| rtt.observe(Duration::from_millis(*ms), at(second), LASTS);
        samples.iter().zip(start..).map(sample).last().unwrap()
    }

    fn after(samples: &[u64]) -> u32 {
        take(&mut Rtt::default(), samples, 0)
    }

    #[test]
    fn one_outlier_moves_nothing() {
        assert_eq!(after(&[20, 20, 20, 1000]), 20_000);
        assert_eq!(after(&[1000, 20, 20]), 20_000);
        assert_eq!(after(&[20, 1000, 20]), 20_000);
    }

    #[test]
    fn a_new_path_is_believed_within_ten_samples() {
        let mut samples = vec![20; 5];
        samples.extend([80; 10]);
        assert!(after(&samples) > 72_000, "{}", after(&samples));
    }

    /// How often what is told changes.
    fn moves(samples: impl Iterator<Item = u64>) -> usize {
        let mut rtt = Rtt::default();
        let told: Vec<u32> =
            samples.map(|micros| rtt.observe(Duration::from_micros(micros), at(0), LASTS)).collect();
        told.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    #[test]
    fn noise_moves_nothing_that_is_told() {
        let noise = |count: u64| {
            (0..count)
                .map(|number| 20_000 + [0, 900, 300, 1500, 0, 600][usize::try_from(number % 6).unwrap()])
        };
        assert!(moves(noise(600)) <= 2, "{}", moves(noise(600)));
        assert!(moves((0..600).map(|number| 90_000 + number % 7 * 600)) <= 2);
    }

    #[test]
    fn of_two_regions_a_millisecond_apart_the_nearer_one_stays_nearer() {
        let (mut by_told, mut by_sample, mut nearer_by_told) = (0, 0, 0);
        for seed in 0..20 {
            let (mut random, [mut near, mut far]) = (Random::new(seed), [Rtt::default(); 2]);
            let mut last = None;
            for _ in 0..600 {
                // Queues on the way: none for half of the samples, up to 4 ms for the others.
                let [a, b] = [20_000, 21_000]
                    .map(|base| Duration::from_micros(base + random.below(2) * random.below(4000)));
                let now = (near.observe(a, at(0), LASTS) < far.observe(b, at(0), LASTS), a < b);
                if let Some((told, sample)) = last.replace(now) {
                    by_told += u32::from(told != now.0);
                    by_sample += u32::from(sample != now.1);
                }
                nearer_by_told += u32::from(now.0);
            }
        }
        assert!(by_sample > 3000, "the noise is no noise: {by_sample}");
        assert!(by_told < 20, "more than one change in 600 samples: {by_told}");
        assert!(nearer_by_told > 11_000, "{nearer_by_told} of 12,000");
    }

    #[test]
    fn a_small_change_that_lasts_is_told() {
        let mut samples = vec![20_000; 20];
        samples.extend([20_600; 30]);
        let mut rtt = Rtt::default();
        let last =
            samples.iter().map(|micros| rtt.observe(Duration::from_micros(*micros), at(0), LASTS)).last();
        assert!(last.unwrap() > 20_500, "{last:?}");
        assert!(rtt.spread() < 100, "{}", rtt.spread());
    }

    #[test]
    fn after_a_long_silence_the_past_says_nothing() {
        let mut rtt = Rtt::default();
        take(&mut rtt, &[20; 5], 0);
        assert_eq!(take(&mut rtt, &[80], 600), 20_000, "one may be an outlier");
        let mut rtt = Rtt::default();
        take(&mut rtt, &[20; 5], 0);
        assert_eq!(take(&mut rtt, &[80], 605), 80_000);
        assert_eq!(rtt.spread(), 0);
        assert_eq!(lasts(Duration::from_secs(5)), LASTS);
        assert_eq!(lasts(LASTS), LASTS * 3, "what is probed rarely is known for longer");
    }

    /// What is taken of a kept connection that has seen so many milliseconds, after five samples of 20.
    fn of_kept(ms: u64, after: u64) -> Option<u128> {
        let mut rtt = Rtt::default();
        take(&mut rtt, &[20; 5], 0);
        rtt.of_kept(Duration::from_millis(ms), at(4 + after), LASTS).map(|sample| sample.as_millis())
    }

    #[test]
    fn a_kept_connection_renews_and_lowers_and_never_raises() {
        assert_eq!(of_kept(5, 1), Some(5));
        assert_eq!(of_kept(21, 1), Some(20));
        assert_eq!(of_kept(22, 1), None);
        assert_eq!(of_kept(5, 0), None, "many of them are no more than one");
        assert_eq!(of_kept(80, 601), Some(80), "of what is not known any more it may say all");
        assert_eq!(
            Rtt::default().of_kept(Duration::from_millis(7), at(0), LASTS),
            Some(Duration::from_millis(7))
        );
    }

    proptest! {
        #[test]
        fn what_is_told_lies_among_what_was_measured(
            samples in prop::collection::vec((1_u64..500_000, 0_u64..700), 1..60)
        ) {
            let (mut rtt, mut second, mut low, mut high) = (Rtt::default(), 0, u64::MAX, 0);
            for (micros, pause) in samples {
                second += pause;
                (low, high) = (low.min(micros), high.max(micros));
                let told = rtt.observe(Duration::from_micros(micros), at(second), LASTS);
                prop_assert!((low..=high).contains(&u64::from(told)), "{told} of {low} to {high}");
            }
        }

        #[test]
        fn kept_connections_never_lengthen_what_a_handshake_has_measured(
            first in 1_u64..500_000, samples in prop::collection::vec((1_u64..500_000, 1_u64..9), 1..60)
        ) {
            let (mut rtt, mut second) = (Rtt::default(), 0);
            let mut told = rtt.observe(Duration::from_micros(first), at(second), LASTS);
            for (micros, pause) in samples {
                second += pause;
                let taken = rtt.of_kept(Duration::from_micros(micros), at(second), LASTS);
                let next = taken.map_or(told, |sample| rtt.observe(sample, at(second), LASTS));
                prop_assert!(next <= told, "{told} became {next} by {micros}");
                told = next;
            }
        }
    }
}
