//! How long a backend takes to answer, and whether its last answers were out of line: a few integers, written
//! with each answer without a lock.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What is out of line takes at least this long, however quick the others are: shorter stalls are the network's.
pub const LEAST: Duration = Duration::from_millis(300);
/// ... and at least so many times what the others take.
const TIMES: u32 = 3;
/// How many of the last 16 answers are late where a backend is slow ...
const SLOW: u32 = 12;
/// ... and at most where it is prompt.
const PROMPT: u32 = 4;

/// The pace of one backend.
///
/// `usual` follows the time within which nine of ten answers begin: each later one lifts it by nine parts, each
/// earlier one lowers it by one, so it rests where one in ten is later. Neither an outlier nor a share of slow
/// routes moves what counts as out of line beyond what such requests make usual.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    usual: AtomicU32,
    late: AtomicU32,
}

impl Pace {
    /// Notes that an answer began after `waited`.
    pub(crate) fn observe(&self, waited: Duration) {
        let micros = u32::try_from(waited.as_micros()).unwrap_or(u32::MAX).max(1);
        let usual = self.usual.load(Ordering::Relaxed);
        let next = match usual {
            0 => micros,
            _ if micros > usual => usual.saturating_add((usual / 64).max(1).saturating_mul(9)),
            _ => usual - usual / 64,
        };
        self.usual.store(next, Ordering::Relaxed);
    }

    /// Notes that an answer was in line.
    pub(crate) fn in_line(&self) {
        // A plain load keeps the cache line shared in the usual case.
        let late = self.late.load(Ordering::Relaxed);
        if late != 0 {
            self.late.store((late << 1) & 0xFFFF, Ordering::Relaxed);
        }
    }

    /// Notes that an answer was out of line. Two that come at once may count as one.
    pub(crate) fn out_of_line(&self) {
        self.late.store((self.late.load(Ordering::Relaxed) << 1 | 1) & 0xFFFF, Ordering::Relaxed);
    }

    /// Forgets which answers were late.
    pub(crate) fn forget(&self) {
        self.late.store(0, Ordering::Relaxed);
    }

    /// How many of the last 16 answers were late.
    pub(crate) fn late(&self) -> u32 {
        self.late.load(Ordering::Relaxed).count_ones()
    }

    /// Whether it is far too slow.
    pub(crate) fn is_slow(&self) -> bool {
        self.late() >= SLOW
    }

    /// Whether nearly all of its last answers were in line.
    pub(crate) fn is_prompt(&self) -> bool {
        self.late() <= PROMPT
    }

    /// The time within which nine of ten answers begin; `None` before the first.
    pub(crate) fn usual(&self) -> Option<Duration> {
        let micros = self.usual.load(Ordering::Relaxed);
        (micros != 0).then(|| Duration::from_micros(micros.into()))
    }
}

/// What is out of line among backends of which these are usual: by their median, so that one of them that is slow
/// itself hides no other.
pub(crate) fn out_of_line(mut usual: Vec<Duration>) -> Duration {
    usual.sort_unstable();
    let median = usual.get(usual.len().saturating_sub(1) / 2).copied().unwrap_or_default();
    median.saturating_mul(TIMES).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_core::random::Random;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// What is usual where so many of a hundred answers take 400 ms and the others 5 ms.
    fn usual(slow: u64) -> u128 {
        let (pace, mut random) = (Pace::default(), Random::new(7));
        for _ in 0..3000 {
            pace.observe(millis(if random.below(100) < slow { 400 } else { 5 }));
        }
        pace.usual().unwrap().as_millis()
    }

    #[test]
    fn what_is_usual_leaves_out_one_in_ten() {
        assert!(usual(0) <= 5);
        assert!(usual(4) < 20, "{}", usual(4));
        assert!(usual(30) > 300, "{}", usual(30));
    }

    #[test]
    fn what_is_out_of_line_is_several_times_the_median_and_has_a_floor() {
        assert_eq!(out_of_line(vec![]), LEAST);
        assert_eq!(out_of_line(vec![millis(2)]), LEAST);
        assert_eq!(out_of_line(vec![millis(9000), millis(200)]), millis(600));
        assert_eq!(out_of_line(vec![millis(9000), millis(200), millis(300)]), millis(900));
    }

    #[test]
    fn a_backend_is_slow_when_most_of_its_last_answers_are_late() {
        let pace = Pace::default();
        (0..11).for_each(|_| pace.out_of_line());
        assert!(!pace.is_slow() && !pace.is_prompt());
        pace.in_line();
        pace.out_of_line();
        assert!(pace.is_slow());
        (0..12).for_each(|_| pace.in_line());
        assert!(pace.is_prompt());
    }
}
