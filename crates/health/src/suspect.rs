//! Suspicion: what requests that hang, or crawl, say of a backend before its probes do.

use crate::cell::Cell;
use crate::change::{By, Standing};
use crate::floor::Tier;
use crate::pace;
use crate::view::View;
use nearside_core::BackendId;
use std::time::Duration;
use tokio::time::Instant;

/// An answer that is older than this does not say that a backend answers now.
const LATELY: Duration = Duration::from_secs(1);

impl View {
    /// Notes that `backend` began an answer at `at`, `waited` after the request had left; `None` for one that was
    /// out of line and is noted already.
    pub fn answered(&self, backend: BackendId, waited: Option<Duration>, at: Instant) {
        let Some(cell) = self.cell(backend) else { return };
        if cell.heard(waited, self.clock.at(at)) {
            self.tell(cell, Standing::Suspected, By::Requests, "it answers a request");
        }
    }

    /// How long an answer of `backend` takes when it is out of line: several times what the others of its tier take,
    /// and at least [`LEAST`](crate::LEAST). Where it is alone, its own past says what is usual.
    #[must_use]
    pub fn out_of_line(&self, backend: BackendId) -> Duration {
        let Some(tier) = self.mates(backend) else { return pace::LEAST };
        let mut usual: Vec<_> = tier.iter().filter_map(|mate| mate.pace.usual()).collect();
        if usual.is_empty() {
            usual.extend(self.cell(backend).and_then(|cell| cell.pace.usual()));
        }
        pace::out_of_line(usual)
    }

    /// Whether decisions avoid `backend` altogether now: requests that hang on it may go elsewhere.
    #[must_use]
    pub fn is_down(&self, backend: BackendId) -> bool {
        self.cell(backend)
            .is_some_and(|cell| matches!(cell.standing(self.now()), Standing::Unhealthy | Standing::Ejected))
    }

    /// Whether requests hang on `backend` of which nobody knows yet whose doing it is: what leaves another that hangs
    /// does not go there.
    #[must_use]
    pub fn is_doubted(&self, backend: BackendId) -> bool {
        self.cell(backend).is_some_and(|cell| cell.is_doubted())
    }

    /// Notes that a request waits for `backend` since `since`, which is out of line, and goes on waiting. If nothing was
    /// heard of it in that time it is probed at once, and suspected where others answer.
    pub fn hangs(&self, backend: BackendId, since: Instant) {
        let (Some(cell), Some(pool)) = (self.cell(backend), self.pool_of(backend)) else { return };
        let (since, now) = (self.clock.at(since), self.now());
        let answers = cell.heard_at().plus(Duration::from_millis(10)) >= since;
        let known = matches!(cell.standing(now), Standing::Unhealthy | Standing::Ejected);
        if answers || known || cell.is_trusted(now) {
            return;
        }
        cell.doubt();
        cell.asked_for.notify_one();
        // Of late, so that what answered before all fell silent at once accuses nobody.
        let lately = since.plus(now.since(since) / 2);
        let mut others = self.eligible(pool).filter(|(id, _, other)| *id != backend && other.usable(now));
        if others.any(|(_, _, other)| !other.is_suspected() && other.heard_at() >= lately) {
            let before = cell.standing(now);
            if cell.suspect() {
                let waited = now.since(since).as_millis();
                let evidence = format!("no answer to a request for {waited} ms, while others answer");
                self.tell(cell, before, By::Suspicion, &evidence);
            }
        }
    }

    /// Notes that an answer of `backend` is out of line: not there, or hardly begun, `waited` after the request had
    /// left. The one whose answers are late while most of its tier is prompt is ejected, as far as its tier can spare
    /// it; a later tier is no reason to leave this one, which serves.
    pub fn late(&self, backend: BackendId, waited: Duration) {
        let (Some(cell), Some(pool)) = (self.cell(backend), self.pool_of(backend)) else { return };
        cell.pace.observe(waited);
        cell.pace.out_of_line();
        if !cell.pace.is_slow() || !self.is_alone_in_it(backend) {
            return;
        }
        let spared =
            |tier: &Tier| Tier { later_usable: false, ..*tier }.may_lose_one(pool.passive.max_ejected);
        let (late, least) = (cell.pace.late(), waited.as_millis());
        let why = format!("{late} of its last 16 answers were late, the last by {least} ms or more");
        self.eject(backend, By::Latency, spared, &why);
    }

    /// Takes over what a probe that was asked for by suspicion found: `backend` answers.
    pub(crate) fn refuted(&self, backend: BackendId) {
        let (Some(cell), Some(pool)) = (self.cell(backend), self.pool_of(backend)) else { return };
        if cell.trust(self.now().plus(pool.probe.interval)) {
            self.tell(cell, Standing::Suspected, By::Probe, "it answers a probe");
        }
    }

    /// Whether most of its tier answers promptly, and lately.
    fn is_alone_in_it(&self, id: BackendId) -> bool {
        let now = self.now();
        let mates = self.mates(id).unwrap_or_default();
        let mates: Vec<_> = mates.into_iter().filter(|mate| mate.usable(now)).collect();
        let prompt = |mate: &&&Cell| mate.pace.is_prompt() && now.since(mate.heard_at()) <= LATELY;
        mates.iter().filter(prompt).count() * 2 > mates.len()
    }

    /// The others of its tier.
    fn mates(&self, id: BackendId) -> Option<Vec<&Cell>> {
        let (priority, pool) = (self.generation.backend(id)?.priority, self.pool_of(id)?);
        let mates = self.eligible(pool).filter(|(other, mate, _)| *other != id && mate.priority == priority);
        Some(mates.map(|(_, _, cell)| &**cell).collect())
    }
}

#[cfg(test)]
mod tests;
