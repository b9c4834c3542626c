//! A smoothed round trip that one outlier does not move.

use nearside_core::Now;
use std::cmp::Ordering;
use std::time::Duration;

/// What is told stays while the smoothed value is within a twentieth of it, or a millisecond ...
const BAND: u32 = 20;
const LEAST_BAND: u32 = 1000;
/// ... unless so many samples in a row lie on the same side of it.
const LASTING: u8 = 8;

/// The smoothed round trip of one backend.
///
/// Each sample passes a median of the last three, which drops a lone outlier (a lost SYN costs a second), and
/// then an average that gives the newest a quarter, so that a new path is believed within some ten probes. Decisions are
/// told a value that noise does not move: of two regions nearly equally far, the nearer one stays the nearer one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rtt {
    recent: [Option<u32>; 3],
    smooth: Option<u32>,
    told: Option<u32>,
    /// Mean deviation of the samples (RFC 6298, 2.3).
    spread: u32,
    /// How many samples in a row lay above what is told, or below it, by the sign.
    side: i8,
    at: Now,
}

impl Rtt {
    /// Takes a sample and returns the microseconds that decisions are told, at least 1.
    pub(crate) fn observe(&mut self, sample: Duration, now: Now) -> u32 {
        let micros = u32::try_from(sample.as_micros()).unwrap_or(u32::MAX).max(1);
        let [_, older, old] = self.recent;
        self.recent = [older, old, Some(micros)];
        self.at = now;
        let typical = match (older, old) {
            (Some(older), Some(old)) => median(older, old, micros),
            // Of two, the shorter: what lengthens a round trip is never the path.
            (None, Some(old)) => old.min(micros),
            (_, None) => micros,
        };
        let next = match self.smooth {
            Some(smooth) if old.is_some() && older.is_some() => {
                u32::try_from((u64::from(smooth) * 3 + u64::from(typical)) / 4).unwrap_or(u32::MAX)
            }
            _ => typical,
        };
        let apart = next.abs_diff(micros);
        self.spread = match self.smooth {
            Some(_) => u32::try_from((u64::from(self.spread) * 3 + u64::from(apart)) / 4).unwrap_or(u32::MAX),
            None => 0,
        };
        self.smooth = Some(next);
        self.tell(next)
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
        let within = next.abs_diff(told) <= (told / BAND).max(LEAST_BAND);
        if within && self.side.unsigned_abs() < LASTING {
            return told;
        }
        (self.told, self.side) = (Some(next), 0);
        next
    }

    /// The round trip as it was known at `at`, from one good sample on.
    pub(crate) fn recalled(micros: u32, at: Now) -> Self {
        let known = Some(micros);
        Self { recent: [None, None, known], smooth: known, told: known, at, ..Self::default() }
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

fn median(a: u32, b: u32, c: u32) -> u32 {
    a.max(b).min(a.min(b).max(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(samples: &[u64]) -> u32 {
        let mut rtt = Rtt::default();
        samples.iter().map(|ms| rtt.observe(Duration::from_millis(*ms), Now::default())).last().unwrap()
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
            samples.map(|micros| rtt.observe(Duration::from_micros(micros), Now::default())).collect();
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
    fn a_small_change_that_lasts_is_told() {
        let mut samples = vec![20_000; 20];
        samples.extend([20_600; 20]);
        let mut rtt = Rtt::default();
        let last =
            samples.iter().map(|micros| rtt.observe(Duration::from_micros(*micros), Now::default())).last();
        assert!(last.unwrap() > 20_500, "{last:?}");
        assert!(rtt.spread() < 100, "{}", rtt.spread());
    }
}
