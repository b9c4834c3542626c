//! What is asked of one try's answer: whether the client gets it, with which edits, and whether a request that hangs
//! goes elsewhere.

use super::ending::Ending;
use super::pump::{Judge, Leave};
use super::repeat::{self, Cause, Situation, Then};
use crate::claims;
use crate::headers;
use crate::request::Visit;
use nearside_core::generation::{Generation, Pool};
use nearside_core::route::Route;
use nearside_core::{BackendId, Choice, Failure, Plan, Reason, Tried};
use nearside_health::InFlight;
use nearside_http::{Edits, RequestHead, ResponseHead};
use std::time::Duration;

/// A request that found the budget of repeats spent asks again after this long: repeats take milliseconds.
const BUDGET_SPENT: Duration = Duration::from_millis(10);
/// One that found no other candidate asks again after this long: that changes with probes.
pub(super) const NOBODY_ELSE: Duration = Duration::from_millis(100);

/// How many that are in doubt themselves are passed over for one that is not.
const PASSED_OVER: u32 = 4;

/// Judges the answer to one try.
pub(super) struct Answers<'j, 'a> {
    pub(super) edits: &'j mut Edits,
    pub(super) visit: &'j mut Visit<'a>,
    pub(super) route: &'j Route,
    pub(super) pool: &'j Pool,
    pub(super) backend: BackendId,
    pub(super) tried: &'j Tried,
    pub(super) idempotent: bool,
    pub(super) repeats: u32,
    /// The repeat that this try ends in.
    pub(super) granted: Option<Granted>,
}

/// A repeat that is possible: where it goes, and its place in the budget.
pub(super) struct Granted {
    pub(super) plan: Plan,
    pub(super) place: InFlight,
}

impl Answers<'_, '_> {
    fn may(&self, cause: Cause, replayable: bool) -> bool {
        let now = Situation {
            retry: &self.pool.retry,
            idempotent: self.idempotent,
            repeats: self.repeats,
            replayable,
        };
        repeat::after(cause, &now) == Then::Elsewhere
    }

    /// Another backend that is not silent itself: a tier may have fallen silent as one, and be marked down one by one.
    fn surely(&mut self, request: &RequestHead) -> Option<Plan> {
        let (mut tried, mut failed) = (*self.tried, self.backend);
        for _ in 0..PASSED_OVER {
            let plan = other(self.visit, request, (self.pool, &tried), failed, Failure::Sent)?;
            if !self.visit.live.evidence.is_doubted(plan.backend) {
                return Some(plan);
            }
            note(&mut tried, &self.visit.live.generation, self.pool, failed, Failure::Sent);
            failed = plan.backend;
        }
        None
    }
}

impl Judge for Answers<'_, '_> {
    fn repeats(&mut self, request: &RequestHead, status: u16, replayable: bool) -> bool {
        if !self.may(Cause::Status(status), replayable) {
            return false;
        }
        // Before the answer is let go, so that the client gets it where there is nothing better.
        let plan = other(self.visit, request, (self.pool, self.tried), self.backend, Failure::Sent);
        self.granted =
            plan.and_then(|plan| Some(Granted { plan, place: self.visit.budget(&self.pool.retry)? }));
        self.granted.is_some()
    }

    fn leaves(&mut self, request: &RequestHead, replayable: bool) -> Leave {
        if !self.may(Cause::Hung, replayable) {
            return Leave::Never;
        }
        let Some(plan) = self.surely(request) else { return Leave::Later(NOBODY_ELSE) };
        let Some(place) = self.visit.budget(&self.pool.retry) else { return Leave::Later(BUDGET_SPENT) };
        self.granted = Some(Granted { plan, place });
        Leave::Now
    }

    fn edits(&mut self, head: &ResponseHead) -> &Edits {
        self.visit.note_status(head.status());
        headers::to_client(self.edits, self.visit, Some(&self.route.to_client));
        if self.pool.affinity.is_some() {
            claims::keep(self.edits, self.visit, head, (self.pool, self.backend));
        }
        self.edits
    }

    fn informational(&mut self) -> &Edits {
        self.edits.clear();
        self.edits
    }

    fn grants(&mut self, asked: &RequestHead) -> &Edits {
        self.visit.note_status(101);
        headers::to_client(self.edits, self.visit, Some(&self.route.to_client));
        headers::from_tunnel(self.edits, asked);
        self.edits
    }

    fn ending(&self) -> Ending {
        Ending::of(self.visit, self.backend)
    }
}

/// Where the request would go if `failed` failed it now; nowhere if only backends that are down are left.
pub(super) fn other(
    visit: &mut Visit<'_>,
    request: &RequestHead,
    (pool, tried): (&Pool, &Tried),
    failed: BackendId,
    how: Failure,
) -> Option<Plan> {
    let mut tried = *tried;
    note(&mut tried, &visit.live.generation, pool, failed, how);
    match visit.decide(request, &tried) {
        Choice::Forward(plan) => Some(plan).filter(|plan| plan.reason != Reason::WonFailOpen),
        Choice::Answer(_) | Choice::Refuse(..) => None,
    }
}

/// Notes a try that failed. What was sent stays in its region where the pool says so.
pub(super) fn note(tried: &mut Tried, generation: &Generation, pool: &Pool, failed: BackendId, how: Failure) {
    tried.note(generation, failed, how);
    if how == Failure::Sent
        && !pool.retry.cross_region
        && let Some(backend) = generation.backend(failed)
    {
        tried.keep_to(backend.region);
    }
}
