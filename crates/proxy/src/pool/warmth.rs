//! Warmth: what is known of one backend's readiness over all workers. What is being made for it, and whether making more
//! would be in vain for now.

use nearside_core::random::Random;
use std::time::Duration;
use tokio::time::Instant;

/// One worker's look in such a time is enough, a little less than all of them take for a round.
const LOOK: Duration = Duration::from_millis(900);

/// How long one rests after a failure; twice as long after each further one, up to the longest rest.
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_mins(1);

/// The state of one backend's readiness.
#[derive(Debug)]
pub(super) struct Warmth {
    making: u32,
    failures: u32,
    rests_until: Option<Instant>,
    looked: Option<Instant>,
    random: Random,
}

impl Warmth {
    pub(super) fn new(random: Random) -> Self {
        Self { making: 0, failures: 0, rests_until: None, looked: None, random }
    }

    /// Whether nobody has looked of late what is missing; who is told so does.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.looked.is_none_or(|at| now >= at + LOOK);
        if due {
            self.looked = Some(now);
        }
        due
    }

    /// Whether making more is of no use before a while has passed.
    pub(super) fn rests(&self, now: Instant) -> bool {
        self.rests_until.is_some_and(|until| now < until)
    }

    /// How many are being made.
    pub(super) fn making(&self) -> u32 {
        self.making
    }

    /// One more is being made.
    pub(super) fn begin(&mut self) {
        self.making += 1;
    }

    /// One less is.
    pub(super) fn end(&mut self) {
        self.making = self.making.saturating_sub(1);
    }

    /// One could not be made, or was not wanted. PoPs that fail at the same time do not come back at the same time.
    pub(super) fn failed(&mut self, now: Instant) {
        if self.rests(now) {
            // One of several that failed together.
            return;
        }
        if self.rests_until.is_none_or(|until| now >= until + LONGEST_REST) {
            self.failures = 0;
        }
        let rest = (REST * (1 << self.failures.min(6))).min(LONGEST_REST);
        self.failures += 1;
        self.rests_until = Some(now + rest - self.part(rest / 4));
    }

    /// There was no room for one.
    pub(super) fn wait(&mut self, now: Instant) {
        self.rests_until = self.rests_until.max(Some(now + REST));
    }

    /// What failed before says nothing any more.
    pub(super) fn forgive(&mut self) {
        (self.failures, self.rests_until) = (0, None);
    }

    /// How much earlier than it might one is closed, so that those made together are not renewed together.
    pub(super) fn early(&mut self, keepalive: Duration) -> Duration {
        self.part(keepalive / 4)
    }

    fn part(&mut self, whole: Duration) -> Duration {
        let micros = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.random.below(micros.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warmth() -> Warmth {
        Warmth::new(Random::new(7))
    }

    #[tokio::test(start_paused = true)]
    async fn after_failures_one_rests_for_longer_and_longer_until_they_are_long_ago() {
        let (mut warmth, mut now) = (warmth(), Instant::now());
        let mut rest = |warmth: &mut Warmth| {
            warmth.failed(now);
            // Others of the same moment change nothing.
            warmth.failed(now);
            let begin = now;
            while warmth.rests(now) {
                now += Duration::from_millis(10);
            }
            now - begin
        };
        for longest in [1, 2, 4, 8, 16, 32, 60, 60] {
            let (longest, rested) = (Duration::from_secs(longest), rest(&mut warmth));
            assert!(rested > longest * 7 / 10 && rested <= longest + Duration::from_millis(10), "{rested:?}");
        }
        let later = now + LONGEST_REST;
        warmth.failed(later);
        assert!(warmth.rests(later) && !warmth.rests(later + REST));
        warmth.forgive();
        assert!(!warmth.rests(later));
    }

    #[tokio::test(start_paused = true)]
    async fn one_look_in_a_while_is_enough() {
        let (mut warmth, now) = (warmth(), Instant::now());
        assert!(warmth.is_due(now));
        assert!(!warmth.is_due(now + LOOK / 2));
        assert!(warmth.is_due(now + LOOK));
    }
}
