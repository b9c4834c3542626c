//! A smoothed round trip that one outlier does not move.

use nearside_core::Now;
use std::time::Duration;

/// The smoothed round trip of one backend.
///
/// Each sample passes a median of the last three, which drops a lone outlier (a lost SYN costs a second), and
/// then an average that gives the newest a quarter, so that a new path is believed within some ten probes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rtt {
    recent: [Option<u32>; 3],
    smooth: Option<u32>,
    at: Now,
}

impl Rtt {
    /// Takes a sample and returns the smoothed microseconds, at least 1.
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
        self.smooth = Some(next);
        next
    }

    /// The round trip as it was known at `at`, from one good sample on.
    pub(crate) fn recalled(micros: u32, at: Now) -> Self {
        Self { recent: [None, None, Some(micros)], smooth: Some(micros), at }
    }

    /// The smoothed microseconds.
    pub(crate) fn smooth(&self) -> Option<u32> {
        self.smooth
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
        assert!(after(&samples) > 74_000, "{}", after(&samples));
    }
}
