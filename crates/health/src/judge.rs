//! The judge: turns what was counted into verdicts and ejections, pool by pool.

use crate::cell::{Cell, Fault};
use crate::change::{By, Change, Standing};
use crate::floor::Tier;
use crate::view::View;
use nearside_core::generation::{Backend, Pool};
use nearside_core::{BackendId, Now, Verdict};
use std::sync::Arc;

impl View {
    /// Notes that a request to `backend` went well, and whether its answer was in line ([`View::out_of_line`]).
    pub fn succeeded(&self, backend: BackendId, in_line: bool) {
        if let Some(cell) = self.cell(backend) {
            cell.succeeded();
            if in_line {
                cell.pace.in_line();
            }
        }
    }

    /// Notes that `backend` failed a request. After the pool's `consecutive_errors` in a row it is ejected, as
    /// far as its tier can spare it. Statuses below 500 are answers, not faults.
    pub fn failed(&self, backend: BackendId, fault: Fault) {
        if matches!(fault, Fault::Status(..500)) {
            return;
        }
        let Some(cell) = self.cell(backend) else { return };
        let now = self.now();
        let in_a_row = cell.fault(fault, now);
        let Some(pool) = self.pool_of(backend) else { return };
        // The count is not reset by an ejection: when it ends, one more error ejects again, one success clears it.
        if pool.passive.consecutive_errors > 0 && in_a_row >= pool.passive.consecutive_errors {
            let spared = |tier: &Tier| tier.may_lose_one(pool.passive.max_ejected);
            let why = format!("{in_a_row} errors in a row, the last: {fault}");
            self.eject(backend, By::Requests, spared, &why);
        }
    }

    /// Takes over the verdict of `backend`'s probes.
    pub(crate) fn turned(&self, backend: BackendId, to: Verdict, evidence: &str) {
        let (Some(cell), Some(pool)) = (self.cell(backend), self.pool_of(backend)) else { return };
        let now = self.now();
        let before = cell.standing(now);
        self.judging(backend, || {
            cell.turn(to, &pool.failback, now);
            self.tell(cell, before, By::Probe, evidence);
            self.relieve(pool, now);
        });
    }

    /// Tells of an ejection that has run out.
    pub(crate) fn look_again(&self, backend: BackendId) {
        let Some(cell) = self.cell(backend) else { return };
        let now = self.now();
        if cell.verdict() != Verdict::Unhealthy && cell.ejection_ran_out(now) {
            self.tell(cell, Standing::Ejected, By::Requests, "the ejection has run out");
        }
    }

    /// Ends what holds back the last usable backends of any pool: a drain may have taken the others.
    pub(crate) fn relieve_all(&self) {
        let now = self.now();
        for pool in &self.generation.pools {
            self.judging(pool.first, || self.relieve(pool, now));
        }
    }

    /// Ejects `id`, unless it is out already or its tier cannot spare it.
    pub(crate) fn eject(&self, id: BackendId, by: By, spared: impl Fn(&Tier) -> bool, why: &str) {
        let (Some(cell), Some(pool)) = (self.cell(id), self.pool_of(id)) else { return };
        let now = self.now();
        self.judging(id, || {
            let before = cell.standing(now);
            let out = matches!(before, Standing::Ejected | Standing::Unhealthy);
            if out || !self.tier_of(id, pool, now).is_some_and(|tier| spared(&tier)) {
                return;
            }
            let until = cell.eject(pool.passive.eject_for, now);
            self.tell(cell, before, by, &format!("{why}; for {} s", until.since(now).as_secs()));
        });
    }

    /// Ejection and hold prefer something better. When nothing better is left in the pool, they end.
    fn relieve(&self, pool: &Pool, now: Now) {
        if self.eligible(pool).any(|(_, _, cell)| cell.usable(now)) {
            return;
        }
        for (_, _, cell) in self.eligible(pool).filter(|(_, _, cell)| cell.verdict() != Verdict::Unhealthy) {
            if cell.release(now) {
                self.tell(cell, Standing::Ejected, By::Requests, "nothing else in its pool is usable");
            }
        }
    }

    /// What the tier of `id` looks like to an ejection; `None` for a backend that gets no traffic anyway.
    fn tier_of(&self, id: BackendId, pool: &Pool, now: Now) -> Option<Tier> {
        let priority = self.generation.backend(id)?.priority;
        let mut tier = Tier::default();
        let mut eligible = false;
        for (other, backend, cell) in self.eligible(pool) {
            let usable = cell.usable(now);
            if backend.priority > priority {
                tier.later_usable |= usable;
            } else if backend.priority == priority {
                eligible |= other == id;
                tier.len += 1;
                tier.ejected += usize::from(cell.state(now).ejected);
                tier.usable_besides += usize::from(usable && other != id);
            }
        }
        eligible.then_some(tier)
    }

    /// The pool's backends that may get traffic at all.
    pub(crate) fn eligible<'a>(
        &'a self,
        pool: &Pool,
    ) -> impl Iterator<Item = (BackendId, &'a Backend, &'a Arc<Cell>)> + use<'a> {
        let first = pool.first.index();
        let ids = (first..first + pool.len).map(BackendId::new);
        let known = ids.filter_map(|id| Some((id, self.generation.backend(id)?, self.cell(id)?)));
        known.filter(|(_, backend, _)| backend.weight > 0 && self.generation.drain_of(backend).is_none())
    }

    pub(crate) fn pool_of(&self, id: BackendId) -> Option<&Pool> {
        self.generation.pool(self.generation.backend(id)?.pool)
    }

    fn judging(&self, id: BackendId, judge: impl FnOnce()) {
        let pool = self.generation.backend(id).and_then(|backend| self.pool(backend.pool));
        let guard = pool.map(|pool| pool.judge());
        judge();
        drop(guard);
    }

    pub(crate) fn tell(&self, cell: &Cell, from: Standing, by: By, evidence: &str) {
        let at = self.now();
        let (key, to) = (cell.key().clone(), cell.standing(at));
        tracing::info!(
            backend = key.as_str(),
            from = from.name(),
            to = to.name(),
            by = by.name(),
            evidence,
            "backend changed"
        );
        let figures = cell.figures();
        // A verdict that turns under an ejection changes nothing of how the backend stands, nor who says so.
        if from != to {
            let mut story = cell.story();
            (story.since, story.by, story.evidence) = (at, by, evidence.into());
        }
        // Nobody has to listen.
        drop(self.changes.send(Change { key, from, to, by, evidence: evidence.into(), at, figures }));
    }
}

#[cfg(test)]
mod tests;
