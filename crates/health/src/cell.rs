//! What is known of one backend. Reading is lock-free; what is rare is written under one lock.

mod distance;
mod fault;
mod memory;

pub use fault::Fault;
pub use memory::Memory;

use crate::change::{By, Standing};
use crate::count::{Count, InFlight};
use crate::mark::Mark;
use crate::pace::Pace;
use crate::rtt::Rtt;
use nearside_core::policy::Failback;
use nearside_core::{BackendKey, Now, State, Verdict};
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// The longest ejection that doubling reaches.
const LONGEST_EJECTION: Duration = Duration::from_mins(5);
/// Being well for this long after an ejection takes one doubling back.
const FORGIVEN_AFTER: Duration = Duration::from_mins(1);
/// What a ramp begins with, in thousandths.
const RAMP_BEGINS: u64 = 50;

/// No request hangs on it, as far as is known.
const NONE: u8 = 0;
/// A request hangs on it; no other backend answers, or nobody was asked.
const DOUBTED: u8 = 1;
/// A request hangs on it while others answer.
const SUSPECTED: u8 = 2;

/// One backend's evidence, kept under its key over generations.
#[derive(Debug)]
pub struct Cell {
    key: BackendKey,
    verdict: AtomicU8,
    ejected_until: AtomicU64,
    held_until: AtomicU64,
    ramped_until: AtomicU64,
    rtt_micros: AtomicU32,
    rtt_at: AtomicU64,
    rtt_lasts: AtomicU64,
    errors: AtomicU32,
    heard_at: AtomicU64,
    pub(crate) pace: Pace,
    doubt: AtomicU8,
    trusted_until: AtomicU64,
    /// Wakes the one who probes it: requests hang.
    pub(crate) asked_for: Notify,
    /// Wakes the requests that hang on it: it was marked down.
    fell: Arc<Notify>,
    in_flight: Arc<Count>,
    connections: Arc<Count>,
    mark: Arc<Mark>,
    story: Mutex<Story>,
}

/// What only the judges and `status` read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    /// Since when the standing holds.
    pub(crate) since: Now,
    /// Who says so.
    pub(crate) by: By,
    /// On what evidence.
    pub(crate) evidence: Box<str>,
    /// The last failure.
    pub(crate) last_error: Option<(Now, Box<str>)>,
    /// Probes failed in a row.
    pub(crate) fails: u32,
    /// Probes passed in a row.
    pub(crate) successes: u32,
    /// Doublings that the next ejection gets.
    pub(crate) ejections: u32,
    /// The round trip.
    pub(crate) rtt: Rtt,
    pub(crate) trips: crate::trips::Trips,
    /// All probes that passed.
    pub(crate) probes_passed: u64,
    /// All probes that failed.
    pub(crate) probes_failed: u64,
    /// All faults of requests.
    pub(crate) faults: u64,
    ejection_ends: Now,
}

/// What one more probe result means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Counted {
    /// The verdict stands.
    Confirms,
    /// It speaks against the verdict.
    Surprises,
    /// It turns the verdict.
    Turns,
}

impl Cell {
    pub(crate) fn new(key: BackendKey, now: Now) -> Self {
        Self {
            key,
            verdict: AtomicU8::new(code(Verdict::Unknown)),
            ejected_until: AtomicU64::new(0),
            held_until: AtomicU64::new(0),
            ramped_until: AtomicU64::new(0),
            rtt_micros: AtomicU32::new(0),
            rtt_at: AtomicU64::new(0),
            rtt_lasts: AtomicU64::new(u64::MAX),
            errors: AtomicU32::new(0),
            heard_at: AtomicU64::new(0),
            pace: Pace::default(),
            doubt: AtomicU8::new(NONE),
            trusted_until: AtomicU64::new(0),
            asked_for: Notify::new(),
            fell: Arc::default(),
            in_flight: Arc::default(),
            connections: Arc::default(),
            mark: Arc::default(),
            story: Mutex::new(Story { since: now, ..Story::default() }),
        }
    }

    /// Its identity.
    #[must_use]
    pub fn key(&self) -> &BackendKey {
        &self.key
    }

    /// Counts a request in until the guard is dropped, unless `limit` are in flight.
    #[must_use]
    pub fn begin(&self, limit: Option<u32>) -> Option<InFlight> {
        match limit {
            None => Some(self.in_flight.enter()),
            Some(limit) => self.in_flight.try_enter(limit),
        }
    }

    /// Notified when it is marked down or ejected: requests that hang on it may go elsewhere.
    #[must_use]
    pub fn fell(&self) -> &Arc<Notify> {
        &self.fell
    }

    /// Connections of all workers: a dial enters it under the pool's limit and keeps the place while the
    /// connection is open.
    #[must_use]
    pub fn connections(&self) -> &Arc<Count> {
        &self.connections
    }

    /// The operator's mark on it.
    pub(crate) fn mark(&self) -> &Arc<Mark> {
        &self.mark
    }

    /// Notes that a request went well: errors in a row end here.
    pub fn succeeded(&self) {
        // A plain load keeps the cache line shared in the usual case.
        if self.errors.load(Ordering::Relaxed) != 0 {
            self.errors.store(0, Ordering::Relaxed);
        }
    }

    /// Notes that an answer began at `now`, after `waited`. Whether it was suspected until now.
    pub(crate) fn heard(&self, waited: Option<Duration>, now: Now) -> bool {
        // Rough, so that answers in a burst write nothing.
        if self.heard_at.load(Ordering::Relaxed).saturating_add(8) < now.as_millis() {
            self.heard_at.store(now.as_millis(), Ordering::Relaxed);
        }
        if let Some(waited) = waited {
            self.pace.observe(waited);
        }
        self.doubt.load(Ordering::Relaxed) != NONE && self.believe()
    }

    /// When an answer to a request began last.
    pub(crate) fn heard_at(&self) -> Now {
        Now::from_millis(self.heard_at.load(Ordering::Relaxed))
    }

    /// Whether it answered a probe so lately that requests that hang are about themselves.
    pub(crate) fn is_trusted(&self, now: Now) -> bool {
        now.as_millis() < self.trusted_until.load(Ordering::Relaxed)
    }

    /// Believes it until `until`, whatever hangs. Whether it was suspected until now.
    pub(crate) fn trust(&self, until: Now) -> bool {
        self.trusted_until.store(until.as_millis(), Ordering::Relaxed);
        self.believe()
    }

    /// Ends all doubt; whether it was suspected.
    fn believe(&self) -> bool {
        self.doubt.swap(NONE, Ordering::Relaxed) == SUSPECTED
    }

    /// Notes that a request hangs on it, and nobody knows yet whether that is its own doing.
    pub(crate) fn doubt(&self) {
        self.doubt.fetch_max(DOUBTED, Ordering::Relaxed);
    }

    /// Suspects it; whether that is new.
    pub(crate) fn suspect(&self) -> bool {
        self.doubt.swap(SUSPECTED, Ordering::Relaxed) != SUSPECTED
    }

    pub(crate) fn is_doubted(&self) -> bool {
        self.doubt.load(Ordering::Relaxed) != NONE
    }

    pub(crate) fn is_suspected(&self) -> bool {
        self.doubt.load(Ordering::Relaxed) == SUSPECTED
    }

    /// The state at `now`, without lock or allocation. The round trip is the measured one, unless that was too long
    /// ago.
    #[must_use]
    pub fn state(&self, now: Now) -> State {
        let verdict = self.verdict();
        let held_until = self.held_until.load(Ordering::Relaxed);
        State {
            verdict,
            ejected: now.as_millis() < self.ejected_until.load(Ordering::Relaxed),
            suspected: self.is_suspected() && verdict != Verdict::Unhealthy,
            in_grace: false,
            held: verdict == Verdict::Healthy && now.as_millis() < held_until,
            ramp: ramp(held_until, self.ramped_until.load(Ordering::Relaxed), now),
            rtt_micros: self.fresh_rtt(now),
            in_flight: self.in_flight.now(),
        }
    }

    /// Whether decisions may use it at `now`.
    pub(crate) fn usable(&self, now: Now) -> bool {
        let state = self.state(now);
        state.verdict != Verdict::Unhealthy && !state.ejected && !state.held
    }

    pub(crate) fn standing(&self, now: Now) -> Standing {
        Standing::of(&self.state(now))
    }

    pub(crate) fn verdict(&self) -> Verdict {
        match self.verdict.load(Ordering::Acquire) {
            1 => Verdict::Healthy,
            2 => Verdict::Unhealthy,
            _ => Verdict::Unknown,
        }
    }

    pub(crate) fn story(&self) -> MutexGuard<'_, Story> {
        self.story.lock()
    }

    /// Notes a fault; how many there are in a row now.
    pub(crate) fn fault(&self, fault: Fault, now: Now) -> u32 {
        let mut story = self.story();
        story.faults += 1;
        story.last_error = Some((now, fault.to_string().into()));
        self.errors.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Counts a probe result; `threshold` of its kind in a row turn the verdict.
    pub(crate) fn count(&self, passed: bool, threshold: u32) -> Counted {
        let mut story = self.story();
        if passed {
            (story.successes, story.fails) = (story.successes.saturating_add(1), 0);
        } else {
            (story.successes, story.fails) = (0, story.fails.saturating_add(1));
        }
        let turns = match (self.verdict(), passed) {
            (Verdict::Healthy, true) | (Verdict::Unhealthy, false) => return Counted::Confirms,
            // One success is all there is to know of a backend that never failed: waiting for `rise` would
            // only keep it last in its tier.
            (Verdict::Unknown, true) => true,
            (Verdict::Unhealthy, true) => story.successes >= threshold,
            (Verdict::Healthy | Verdict::Unknown, false) => story.fails >= threshold,
        };
        if turns { Counted::Turns } else { Counted::Surprises }
    }

    /// Sets the verdict. After a failure it is held back and ramped.
    pub(crate) fn turn(&self, to: Verdict, failback: &Failback, now: Now) {
        let recovers = self.verdict() == Verdict::Unhealthy && to == Verdict::Healthy;
        if recovers {
            let held = now.plus(failback.hold);
            self.held_until.store(held.as_millis(), Ordering::Relaxed);
            self.ramped_until.store(held.plus(failback.ramp).as_millis(), Ordering::Relaxed);
            // Requests that failed while it was down say nothing of the recovered one.
            self.errors.store(0, Ordering::Relaxed);
        }
        // Released after the hold, so that nobody sees it healthy and not yet held.
        self.verdict.store(code(to), Ordering::Release);
        self.doubt.store(NONE, Ordering::Relaxed);
        if to == Verdict::Unhealthy {
            self.fell.notify_waiters();
        }
    }

    /// Ejects it for `base`, doubled for each ejection that is not forgiven yet; until when.
    pub(crate) fn eject(&self, base: Duration, now: Now) -> Now {
        let mut story = self.story();
        let well = now.since(story.ejection_ends).as_secs() / FORGIVEN_AFTER.as_secs();
        let doublings = story.ejections.saturating_sub(u32::try_from(well).unwrap_or(u32::MAX));
        let length = base.saturating_mul(1 << doublings.min(16)).min(LONGEST_EJECTION.max(base));
        let until = now.plus(length);
        story.ejections = doublings.saturating_add(1);
        story.ejection_ends = until;
        self.ejected_until.store(until.as_millis(), Ordering::Relaxed);
        self.doubt.store(NONE, Ordering::Relaxed);
        // What made it slow is over when it comes back, or shows again.
        self.pace.forget();
        self.fell.notify_waiters();
        until
    }

    /// Ends ejection and hold now, if there is one; whether an ejection ended.
    pub(crate) fn release(&self, now: Now) -> bool {
        let mut story = self.story();
        let held = self.held_until.load(Ordering::Relaxed);
        if held > now.as_millis() {
            let ramp = self.ramped_until.load(Ordering::Relaxed).saturating_sub(held);
            self.held_until.store(now.as_millis(), Ordering::Relaxed);
            self.ramped_until.store(now.as_millis().saturating_add(ramp), Ordering::Relaxed);
        }
        let ejected = self.ejected_until.swap(0, Ordering::Relaxed) > now.as_millis();
        if ejected {
            story.ejection_ends = now;
        }
        ejected
    }

    /// Whether an ejection has run out since the last call.
    pub(crate) fn ejection_ran_out(&self, now: Now) -> bool {
        let until = self.ejected_until.load(Ordering::Relaxed);
        if until == 0 || until > now.as_millis() {
            return false;
        }
        self.ejected_until.compare_exchange(until, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Until when it is ejected and held back, where that lies ahead.
    pub(crate) fn ends(&self, now: Now) -> (Option<Now>, Option<Now>) {
        let ahead = |at: &AtomicU64| {
            let at = at.load(Ordering::Relaxed);
            (at > now.as_millis()).then(|| Now::from_millis(at))
        };
        (ahead(&self.ejected_until), ahead(&self.held_until))
    }
}

fn code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Unknown => 0,
        Verdict::Healthy => 1,
        Verdict::Unhealthy => 2,
    }
}

/// The share that a ramp from `begins` to `ends` leaves at `now`; during the hold before it the first step.
fn ramp(begins: u64, ends: u64, now: Now) -> Option<u16> {
    let now = now.as_millis();
    if now >= ends {
        return None;
    }
    let (gone, whole) = (now.saturating_sub(begins), (ends - begins.min(ends)).max(1));
    let grown = (1000 - RAMP_BEGINS).saturating_mul(gone) / whole;
    u16::try_from(RAMP_BEGINS + grown).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILBACK: Failback = Failback { hold: Duration::from_secs(60), ramp: Duration::from_secs(300) };

    fn cell() -> Cell {
        Cell::new(BackendKey::new("web", "a"), Now::default())
    }

    fn at(seconds: u64) -> Now {
        Now::from_millis(1_000_000 + seconds * 1000)
    }

    #[test]
    fn the_first_verdict_ever_is_neither_held_nor_ramped() {
        let cell = cell();
        assert_eq!(cell.count(true, 2), Counted::Turns);
        cell.turn(Verdict::Healthy, &FAILBACK, at(0));
        assert_eq!(cell.state(at(0)), State { verdict: Verdict::Healthy, ..State::default() });
    }

    #[test]
    fn a_recovery_is_held_and_then_ramped_from_5_percent() {
        let cell = cell();
        cell.turn(Verdict::Unhealthy, &FAILBACK, at(0));
        cell.turn(Verdict::Healthy, &FAILBACK, at(0));
        let seen = |seconds| {
            let state = cell.state(at(seconds));
            (state.held, state.ramp)
        };
        assert_eq!(seen(59), (true, Some(50)));
        assert_eq!(seen(60), (false, Some(50)));
        assert_eq!(seen(210), (false, Some(525)));
        assert_eq!(seen(360), (false, None));
    }

    #[test]
    fn fall_and_rise_count_in_a_row() {
        let cell = cell();
        cell.turn(Verdict::Healthy, &FAILBACK, at(0));
        let fails: Vec<_> = [false, false, true, false, false, false].map(|ok| cell.count(ok, 3)).into();
        use Counted::{Confirms, Surprises, Turns};
        assert_eq!(fails, [Surprises, Surprises, Confirms, Surprises, Surprises, Turns]);
        cell.turn(Verdict::Unhealthy, &FAILBACK, at(0));
        let rises: Vec<_> = [true, false, true, true].map(|ok| cell.count(ok, 2)).into();
        assert_eq!(rises, [Surprises, Confirms, Surprises, Turns]);
    }

    #[test]
    fn ejections_double_up_to_5_minutes_and_are_forgiven_by_the_minute() {
        let cell = cell();
        let base = Duration::from_secs(10);
        let mut now = at(0);
        let mut lengths = Vec::new();
        for _ in 0..7 {
            let until = cell.eject(base, now);
            lengths.push(until.since(now).as_secs());
            now = until;
        }
        assert_eq!(lengths, [10, 20, 40, 80, 160, 300, 300]);
        let later = now.plus(Duration::from_mins(5));
        assert_eq!(cell.eject(base, later).since(later).as_secs(), 40);
        let much_later = later.plus(Duration::from_mins(60));
        assert_eq!(cell.eject(base, much_later).since(much_later).as_secs(), 10);
    }

    #[test]
    fn a_success_ends_a_row_of_errors() {
        let cell = cell();
        assert_eq!(cell.fault(Fault::Reset, at(0)), 1);
        assert_eq!(cell.fault(Fault::Status(503), at(1)), 2);
        cell.succeeded();
        assert_eq!(cell.fault(Fault::Timeout, at(2)), 1);
        assert_eq!(cell.story().last_error.as_ref().map(|(_, text)| &**text), Some("no answer in time"));
    }
}
