//! Drives one request and its answer, whatever the protocol on either side: decide, connect, carry, and when a try
//! fails before the client has seen anything, decide again.

mod pump;
mod repeat;
mod replay;

use crate::deadline::Deadline;
use crate::headers;
use crate::pool::{Checkout, ConnectError, Errand};
use crate::request::Visit;
use crate::side::{Backend, BackendError, Client, ClientError, Length};
use nearside_core::generation::Pool;
use nearside_core::route::Route;
use nearside_core::{BackendId, Choice, Failure, Plan, Reason, Tried};
use nearside_health::{Fault, InFlight};
use nearside_http::{Body, Edits, ResponseHead};
use pump::{Broken, Carried, Judge, Pump, Wait};
use repeat::{Cause, Situation, Then};
use replay::Replay;
use std::time::Duration;
use tokio::time::Instant;

/// How a request that was forwarded ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// The client has the whole answer.
    Answered,
    /// Nothing was answered yet: this is why.
    Unanswered(Reason),
    /// The answer had begun and cannot be finished.
    Cut(Reason),
}

/// What a failed try leads to.
enum Next {
    /// The same backend again, on a connection of its own.
    Afresh,
    /// Another decision.
    Decide,
    /// The end.
    Stop(End),
}

/// One request on its way through its tries.
struct Journey<'v, 'a> {
    visit: &'v mut Visit<'a>,
    pool: &'v Pool,
    route: &'v Route,
    tried: Tried,
    replay: Replay,
    repeats: u32,
    /// Holds the place of the repeat under way in the pool's budget.
    repeat: Option<InFlight>,
    idempotent: bool,
    until: Option<Instant>,
    to_backend: Edits,
    to_client: Edits,
}

/// Forwards the request by `plan`, and by further plans as tries fail.
pub(crate) async fn forward<C: Client>(
    visit: &mut Visit<'_>,
    client: &mut C,
    plan: Plan,
    deadline: &mut Deadline,
) -> End {
    let live = std::sync::Arc::clone(&visit.live);
    let generation = &live.generation;
    let (Some(pool), Some(route)) = (generation.pool(plan.pool), generation.routes.route(plan.route)) else {
        return End::Unanswered(Reason::RefusedAllDown);
    };
    let method = client.head().method_text();
    let idempotent = pool.retry.methods.iter().any(|repeated| &**repeated == method);
    let in_pool = live.evidence.pool(plan.pool).map(|pool| pool.begin());
    let worker = std::sync::Arc::clone(visit.worker);
    let [to_backend, to_client] = worker.lend_edits();
    let mut journey = Journey {
        until: pool.timeouts.request.map(|after| visit.started + after),
        visit,
        pool,
        route,
        tried: Tried::default(),
        replay: Replay::new(pool.retry.body_buffer),
        repeats: 0,
        repeat: None,
        idempotent,
        to_backend,
        to_client,
    };
    let end = journey.travel(client, plan, deadline).await;
    worker.return_edits([journey.to_backend, journey.to_client]);
    drop(in_pool);
    end
}

impl Journey<'_, '_> {
    async fn travel<C: Client>(&mut self, client: &mut C, mut plan: Plan, deadline: &mut Deadline) -> End {
        let mut afresh = false;
        loop {
            self.visit.go(plan);
            let next = self.try_once(client, plan.backend, afresh, deadline).await;
            afresh = match next {
                Next::Stop(end) => return end,
                Next::Afresh => true,
                Next::Decide => {
                    let failed = self.visit.last_failure;
                    match self.visit.decide(client.head(), &self.tried) {
                        Choice::Forward(next) if self.may_go(plan, next) => plan = next,
                        // What failed last tells the client more than that nothing is left.
                        _ => return End::Unanswered(failed.unwrap_or(Reason::RefusedAllDown)),
                    }
                    false
                }
            };
        }
    }

    /// A repeat stays in its region where the pool says so; a connect failure is no repeat.
    fn may_go(&self, from: Plan, to: Plan) -> bool {
        self.repeats == 0 || self.pool.retry.cross_region || from.region == to.region
    }

    async fn try_once<C: Client>(
        &mut self,
        client: &mut C,
        id: BackendId,
        afresh: bool,
        deadline: &mut Deadline,
    ) -> Next {
        let live = std::sync::Arc::clone(&self.visit.live);
        let Some(cell) = live.evidence.cell(id) else {
            return Next::Stop(End::Unanswered(Reason::RefusedAllDown));
        };
        let limit = live.generation.backend(id).and_then(|backend| backend.max_in_flight);
        if limit.is_some_and(|limit| cell.state(live.evidence.now()).in_flight >= limit) {
            return Next::Stop(End::Unanswered(Reason::RefusedOverload));
        }
        let in_flight = cell.begin();
        let checkout = match self.connect(id, afresh).await {
            Ok(checkout) => checkout,
            Err(next) => return next,
        };
        let next = self.carry(client, id, checkout, deadline).await;
        drop(in_flight);
        next
    }

    async fn connect(&mut self, id: BackendId, afresh: bool) -> Result<Checkout, Next> {
        let worker = self.visit.worker;
        let errand = Errand { backend: id, afresh, parties: self.visit.connection.parties() };
        let checkout = worker.pools.checkout(worker, &self.visit.live, errand);
        let outcome = match self.until {
            None => checkout.await,
            Some(until) => match tokio::time::timeout_at(until, checkout).await {
                Ok(outcome) => outcome,
                Err(_elapsed) => return Err(Next::Stop(End::Unanswered(Reason::FailedTimeout))),
            },
        };
        outcome.map_err(|error| match &error {
            ConnectError::Overloaded => Next::Stop(End::Unanswered(Reason::RefusedOverload)),
            ConnectError::NoAddress
            | ConnectError::Refused(_)
            | ConnectError::Timeout
            | ConnectError::Tls(_)
            | ConnectError::Protocol => {
                tracing::debug!(error = &error as &dyn std::error::Error, "connect failed");
                self.visit.live.evidence.failed(id, Fault::Connect);
                self.tried.note(&self.visit.live.generation, id, Failure::Connect);
                self.visit.last_failure = Some(Reason::FailedConnect);
                if self.pool.retry.when.connect {
                    Next::Decide
                } else {
                    Next::Stop(End::Unanswered(Reason::FailedConnect))
                }
            }
        })
    }

    async fn carry<C: Client>(
        &mut self,
        client: &mut C,
        id: BackendId,
        checkout: Checkout,
        deadline: &mut Deadline,
    ) -> Next {
        let Checkout { mut conn, reused, connect, .. } = checkout;
        self.visit.note_connect((!reused).then_some(connect));
        headers::to_backend(&mut self.to_backend, self.visit, client.head(), (self.pool, self.route, id));
        conn.request(client.head(), &self.to_backend, length(client.head().body()));
        let mut judge = Answers {
            edits: &mut self.to_client,
            visit: self.visit,
            route: self.route,
            pool: self.pool,
            idempotent: self.idempotent,
            repeats: self.repeats,
            granted: None,
        };
        let mut pump = Pump {
            client,
            backend: &mut conn,
            judge: &mut judge,
            replay: &mut self.replay,
            deadline,
            timeouts: &self.pool.timeouts,
            until: self.until,
            body_limit: self.route.limits.body,
            carried: Carried::default(),
        };
        let ended = pump.run().await;
        let carried = pump.carried;
        let granted = judge.granted.take();
        self.visit.note_carried(carried.up, carried.down, carried.head_at);
        match ended {
            Ok(()) => {
                self.judge_status(id, conn.head().status());
                let visit = &*self.visit;
                visit.worker.pools.give_back(visit.worker, &visit.live, id, conn);
                Next::Stop(End::Answered)
            }
            Err(broken) => {
                let stale = reused && carried.head_at.is_none();
                drop(conn);
                self.repeat = granted.or(self.repeat.take());
                self.after(client, id, &broken, stale)
            }
        }
    }

    fn judge_status(&self, id: BackendId, status: u16) {
        let evidence = &self.visit.live.evidence;
        // 501 and 505 are about the request.
        if status >= 500 && status != 501 && status != 505 {
            evidence.failed(id, Fault::Status(status));
        } else {
            evidence.succeeded(id);
        }
    }

    /// What follows a try that broke.
    fn after<C: Client>(&mut self, client: &mut C, id: BackendId, broken: &Broken, stale: bool) -> Next {
        let (cause, fault, reason) = match blame(broken, stale) {
            Blame::Client(reason) => return Next::Stop(unfinished(client, reason)),
            Blame::Backend(cause, fault, reason) => (cause, fault, reason),
        };
        // A connection that was closed while it was idle says nothing against the backend.
        if cause != Cause::StaleReset && cause != Cause::Unseen {
            self.visit.live.evidence.failed(id, fault);
        }
        self.visit.last_failure = Some(reason);
        if client.is_answered() {
            return Next::Stop(End::Cut(reason));
        }
        let now = Situation {
            retry: &self.pool.retry,
            idempotent: self.idempotent,
            repeats: self.repeats,
            replayable: self.replay.is_whole(),
        };
        let then = repeat::after(cause, &now);
        if then == Then::GiveUp || self.until.is_some_and(|until| Instant::now() >= until) {
            return Next::Stop(End::Unanswered(reason));
        }
        if then == Then::Afresh {
            return Next::Afresh;
        }
        self.tried.note(&self.visit.live.generation, id, Failure::Sent);
        if cause != Cause::Unseen {
            self.repeats += 1;
            if !matches!(cause, Cause::Status(_)) {
                self.repeat = self.visit.budget(&self.pool.retry);
            }
            if self.repeat.is_none() {
                return Next::Stop(End::Unanswered(reason));
            }
        }
        Next::Decide
    }
}

enum Blame {
    Client(Reason),
    Backend(Cause, Fault, Reason),
}

fn blame(broken: &Broken, stale: bool) -> Blame {
    match broken {
        Broken::Client(ClientError::Gone) => Blame::Client(Reason::FailedClientGone),
        Broken::Client(ClientError::Malformed(_)) => Blame::Client(Reason::RefusedMalformed),
        Broken::Client(ClientError::TooLarge) => Blame::Client(Reason::RefusedTooLarge),
        Broken::Late(Wait::Client) => Blame::Client(Reason::RefusedTimeout),
        Broken::Late(Wait::Backend) => Blame::Backend(Cause::Timeout, Fault::Timeout, Reason::FailedTimeout),
        Broken::Status(status) => {
            Blame::Backend(Cause::Status(*status), Fault::Status(*status), Reason::FailedReset)
        }
        Broken::Backend(error) => {
            let (cause, fault) = match error {
                BackendError::Unseen => (Cause::Unseen, Fault::Reset),
                BackendError::Reset if stale => (Cause::StaleReset, Fault::Reset),
                BackendError::Reset => (Cause::Reset, Fault::Reset),
                BackendError::Protocol => (Cause::Reset, Fault::Protocol),
            };
            Blame::Backend(cause, fault, error.reason())
        }
    }
}

fn unfinished<C: Client>(client: &C, reason: Reason) -> End {
    if client.is_answered() { End::Cut(reason) } else { End::Unanswered(reason) }
}

fn length(body: Body) -> Length {
    match body {
        Body::None => Length::None,
        Body::Length(bytes) => Length::Known(bytes),
        _ => Length::Unknown,
    }
}

/// Looks at each head of an answer before the client gets it.
struct Answers<'j, 'a> {
    edits: &'j mut Edits,
    visit: &'j mut Visit<'a>,
    route: &'j Route,
    pool: &'j Pool,
    idempotent: bool,
    repeats: u32,
    /// The place in the budget that a repeat for a status has got.
    granted: Option<InFlight>,
}

impl Judge for Answers<'_, '_> {
    fn repeats(&mut self, status: u16, replayable: bool) -> bool {
        let retry = &self.pool.retry;
        let now = Situation { retry, idempotent: self.idempotent, repeats: self.repeats, replayable };
        if repeat::after(Cause::Status(status), &now) != Then::Elsewhere {
            return false;
        }
        self.granted = self.visit.budget(retry);
        self.granted.is_some()
    }

    fn edits(&mut self, head: &ResponseHead) -> &Edits {
        self.visit.note_status(head.status());
        headers::to_client(self.edits, self.visit, Some(&self.route.to_client));
        self.edits
    }

    fn informational(&mut self) -> &Edits {
        self.edits.clear();
        self.edits
    }
}

/// The longest that a client may take to take an answer of our own.
pub(crate) const OWN_ANSWER: Duration = Duration::from_secs(30);
