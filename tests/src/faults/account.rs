//! The account of a fault: what clients saw, judged by the backends' ledgers.

use super::Fault;
use crate::backend::Process;
use crate::load::Outcome;
use nearside_sample::repeated_ids;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, Instant};

/// What became of a load in a fault.
#[derive(Clone, Debug)]
pub struct Account {
    /// Who was put to the test.
    pub proxy: &'static str,
    /// The fault.
    pub fault: Fault,
    /// How many requests were sent.
    pub requests: usize,
    /// GETs without a whole answer of status 200.
    pub get_failed: usize,
    /// POSTs without one, but for those in the next count.
    pub post_failed: usize,
    /// POSTs that failed and were on a backend, or on their way, when that was killed.
    pub post_in_flight: usize,
    /// Those of `post_failed` that had not been on a faulty backend.
    pub post_elsewhere: usize,
    /// POSTs that arrived more than once.
    pub twice: usize,
    /// Answers by an older configuration, or by a drained backend, after a newer configuration was seen.
    pub stale: usize,
    /// What took how long.
    pub times: BTreeMap<&'static str, Duration>,
    /// What should not have been, in words.
    pub wrong: Vec<String>,
    /// The first failures, in words.
    pub failures: Vec<String>,
}

/// When a fault began, and whom it struck.
pub struct Moment<'a> {
    /// When.
    pub at: Instant,
    /// The backends that are faulty, or drained, from then on.
    pub faulty: &'a [&'a Process],
    /// When some of them were killed: what was under way then is lost by nobody's fault.
    pub kills: &'a [Range<Instant>],
}

impl Moment<'_> {
    /// Nobody is faulty.
    pub(super) fn nobody(at: Instant) -> Self {
        Self { at, faulty: &[], kills: &[] }
    }
}

/// How many failures are told.
const TOLD: usize = 8;
/// So many requests in a row that went elsewhere show that a faulty backend was left; fewer may be chance.
const CONVINCING: usize = 25;

pub(super) fn draw(
    proxy: &'static str,
    fault: Fault,
    outcomes: &[Outcome],
    backends: &[Process],
    moment: &Moment<'_>,
) -> Account {
    let there = ids(moment.faulty);
    let arrivals: Vec<_> = backends.iter().flat_map(Process::requests).collect();
    let posts = arrivals.iter().filter(|arrival| arrival.method == "POST");
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.is_fine()).collect();
    let (post, get): (Vec<&Outcome>, Vec<&Outcome>) = failed.iter().partition(|outcome| outcome.post);
    let was_there = |outcome: &&&Outcome| there.contains(&outcome.id);
    let under_way = |outcome: &Outcome| moment.kills.iter().any(|span| outcome.was_under_way(span));
    let excused = |outcome: &&&Outcome| !moment.kills.is_empty() && was_there(outcome) || under_way(outcome);
    let (in_flight, lost): (Vec<&Outcome>, Vec<&Outcome>) = post.iter().partition(excused);
    Account {
        proxy,
        fault,
        requests: outcomes.len(),
        get_failed: get.len(),
        post_failed: lost.len(),
        post_in_flight: in_flight.len(),
        post_elsewhere: lost.iter().filter(|outcome| !was_there(outcome)).count(),
        twice: repeated_ids(posts).len(),
        stale: stale(outcomes),
        times: times(outcomes, &there, moment),
        wrong: Vec::new(),
        failures: failed.iter().take(TOLD).map(|outcome| told(outcome, moment.at)).collect(),
    }
}

fn ids(backends: &[&Process]) -> BTreeSet<String> {
    backends.iter().flat_map(|process| process.requests()).filter_map(|arrival| arrival.id).collect()
}

/// - `failover`: until the first answer by a backend that is not faulty;
/// - `left`: until the first answer to a request after the last that was on a faulty backend, or failed;
/// - `slowest GET`: the longest that any GET took.
fn times(
    outcomes: &[Outcome],
    there: &BTreeSet<String>,
    moment: &Moment<'_>,
) -> BTreeMap<&'static str, Duration> {
    let mut times = BTreeMap::new();
    let after = || outcomes.iter().filter(|outcome| outcome.began >= moment.at);
    let is_faulty = |name: &String| moment.faulty.iter().any(|process| process.name == *name);
    let elsewhere = |outcome: &&Outcome| outcome.is_fine() && !outcome.backend.iter().any(is_faulty);
    if let Some(first) = after().filter(elsewhere).map(|outcome| outcome.ended).min() {
        times.insert("failover", first - moment.at);
    }
    let touched = |outcome: &&Outcome| !outcome.is_fine() || there.contains(&outcome.id);
    let last = after().filter(touched).map(|outcome| outcome.number).max();
    let left = || after().filter(|outcome| last.is_none_or(|last| outcome.number > last));
    if let Some(first) = left().map(|outcome| outcome.ended).min().filter(|_| left().count() >= CONVINCING) {
        times.insert("left", first - moment.at);
    }
    if let Some(slowest) = outcomes.iter().filter(|outcome| !outcome.post).map(Outcome::took).max() {
        times.insert("slowest GET", slowest);
    }
    times
}

/// Answers by an older configuration than one that was seen before their request was sent.
pub(super) fn stale(outcomes: &[Outcome]) -> usize {
    let mut seen: Vec<(Instant, u64)> =
        outcomes.iter().filter_map(|outcome| Some((outcome.ended, outcome.config?))).collect();
    seen.sort_unstable();
    // From here on the newest of all up to a time.
    let mut newest = 0;
    for (_, number) in &mut seen {
        newest = newest.max(*number);
        *number = newest;
    }
    let is_stale = |outcome: &&Outcome| {
        let before = seen.partition_point(|(ended, _)| *ended < outcome.began);
        let newest = before.checked_sub(1).and_then(|last| seen.get(last)).map(|(_, newest)| *newest);
        outcome.config.is_some_and(|number| newest.is_some_and(|newest| number < newest))
    };
    outcomes.iter().filter(is_stale).count()
}

pub(super) fn told(outcome: &Outcome, at: Instant) -> String {
    let method = if outcome.post { "POST" } else { "GET" };
    let when = if outcome.began >= at {
        format!("{} ms after", (outcome.began - at).as_millis())
    } else {
        format!("{} ms before", (at - outcome.began).as_millis())
    };
    let what = match (&outcome.error, outcome.status) {
        (Some(error), _) => error.chars().take(300).collect(),
        (None, status) => format!("status {}", status.unwrap_or_default()),
    };
    let by = outcome.backend.as_deref().unwrap_or("nobody");
    format!("{method} {} sent {when}, {} ms: {what} (by {by})", outcome.id, outcome.took().as_millis())
}

impl Account {
    /// Notes what should not have been.
    pub(super) fn must(&mut self, is_so: bool, otherwise: impl Into<String>) {
        if !is_so {
            self.wrong.push(otherwise.into());
        }
    }

    /// As JSON, times in milliseconds.
    #[must_use]
    pub fn record(&self) -> Value {
        let millis = |time: &Duration| (time.as_secs_f64() * 10_000.0).round() / 10.0;
        let times: serde_json::Map<_, _> =
            self.times.iter().map(|(name, time)| ((*name).to_owned(), json!(millis(time)))).collect();
        json!({
            "proxy": self.proxy,
            "fault": self.fault.name(),
            "requests": self.requests,
            "get_failed": self.get_failed,
            "post_failed": self.post_failed,
            "post_in_flight": self.post_in_flight,
            "post_elsewhere": self.post_elsewhere,
            "twice": self.twice,
            "stale": self.stale,
            "times_ms": times,
            "wrong": self.wrong,
            "failures": self.failures,
        })
    }
}
