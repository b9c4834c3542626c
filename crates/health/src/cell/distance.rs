//! How far a backend is: what is noted of it, and for how long that stands.

use super::{Cell, Story};
use crate::rtt;
use crate::trips::Trips;
use nearside_core::Now;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Cell {
    /// Notes the round trip of a TCP handshake.
    pub fn observe_rtt(&self, sample: Duration, now: Now) {
        let lasts = self.rtt_lasts();
        self.note_rtt(&mut self.story(), sample, now, lasts);
    }

    /// Notes the least round trip that a kept connection has seen, as far as that renews what is known or lowers it.
    pub fn observe_kept_rtt(&self, least: Duration, now: Now) {
        let (lasts, mut story) = (self.rtt_lasts(), self.story());
        if let Some(sample) = story.rtt.of_kept(least, now, lasts) {
            self.note_rtt(&mut story, sample, now, lasts);
        }
    }

    /// The round trips that were measured since the process began.
    #[must_use]
    pub fn trips(&self) -> Trips {
        self.story().trips
    }

    fn note_rtt(&self, story: &mut Story, sample: Duration, now: Now, lasts: Duration) {
        let micros = story.rtt.observe(sample, now, lasts);
        story.trips.add(sample);
        self.rtt_at.store(now.as_millis(), Ordering::Relaxed);
        self.rtt_micros.store(micros, Ordering::Relaxed);
    }

    /// Lets a measured round trip stand for as long as becomes one that is probed each `interval`.
    pub(crate) fn probed_each(&self, interval: Duration) {
        let lasts = u64::try_from(rtt::lasts(interval).as_millis()).unwrap_or(u64::MAX);
        self.rtt_lasts.store(lasts, Ordering::Relaxed);
    }

    fn rtt_lasts(&self) -> Duration {
        Duration::from_millis(self.rtt_lasts.load(Ordering::Relaxed))
    }

    /// The round trip that was measured last, in microseconds, however long ago.
    pub(crate) fn last_rtt(&self) -> Option<u32> {
        let micros = self.rtt_micros.load(Ordering::Relaxed);
        (micros != 0).then_some(micros)
    }

    /// The measured round trip, unless that was too long ago.
    pub(super) fn fresh_rtt(&self, now: Now) -> Option<u32> {
        let at = self.rtt_at.load(Ordering::Relaxed);
        let age = now.as_millis().saturating_sub(at);
        self.last_rtt().filter(|_| age <= self.rtt_lasts.load(Ordering::Relaxed))
    }
}
