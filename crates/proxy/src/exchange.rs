//! Drives one request and its answer, whatever the protocol on either side: decide, connect, carry, and when a try
//! fails before the client has seen anything, decide again.

mod answers;
mod blame;
mod ending;
mod entry;
mod frames;
mod pump;
mod repeat;
mod replay;
mod stream;
mod tunnel;
mod vigil;

use crate::boxed::boxed;
use crate::deadline::Deadline;
use crate::headers;
use crate::live::Live;
use crate::pool::{Checkout, Conn, ConnectError, Errand};
use crate::request::Visit;
use crate::side::{Backend, Client};
use crate::worker::Both;
use answers::{Answers, Granted, other};
use blame::{Blame, blame, unfinished};
use nearside_core::generation::Pool;
use nearside_core::route::Route;
use nearside_core::{BackendId, Choice, Failure, Plan, Reason, Tried};
use nearside_health::{Fault, InFlight};
use nearside_http::{RequestHead, Upgrade};
use pump::{Broken, Carried, Pump};
use repeat::{Cause, Situation, Then};
use replay::Replay;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use tokio::time::Instant;
use vigil::{Seen, Vigil};

/// How a request that was forwarded ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// The client has the whole answer.
    Answered,
    /// Nothing was answered yet: this is why.
    Unanswered(Reason),
    /// The answer had begun and cannot be finished.
    Cut(Reason),
    /// A stream was ended from here, in its protocol's way.
    Closed(Reason),
}

/// What a failed try leads to.
enum Next {
    /// The same backend again, on a connection of its own.
    Afresh,
    /// Another decision.
    Decide,
    /// The decision that was made already.
    Go(Plan),
    /// The end.
    Stop(End),
}

/// One request on its way through its tries.
struct Journey<'v, 'a> {
    visit: &'v mut Visit<'a>,
    /// The visit's own.
    live: &'v Live,
    pool: &'v Pool,
    route: &'v Route,
    /// Where it goes now.
    plan: Plan,
    tried: Tried,
    replay: Replay,
    repeats: u32,
    /// The place of the repeat under way in the pool's budget.
    budget: Option<InFlight>,
    idempotent: bool,
    /// Whether the request asks for a tunnel, and its route lets it.
    asks_tunnel: bool,
    until: Option<Instant>,
    /// When it last waited for something, so that no try asks what time it is before it waits itself.
    now: Instant,
    edits: Box<Both>,
}

/// Forwards the request by `plan`, and by further plans as tries fail.
pub(crate) async fn forward<C: Client>(
    visit: &mut Visit<'_>,
    client: &mut C,
    plan: Plan,
    deadline: &mut Deadline,
) -> End {
    let live = Arc::clone(&visit.live);
    let generation = &live.generation;
    let (Some(pool), Some(route)) = (generation.pool(plan.pool), generation.routes.route(plan.route)) else {
        return End::Unanswered(Reason::RefusedAllDown);
    };
    let method = client.head().method_text();
    let idempotent = pool.retry.methods.iter().any(|repeated| &**repeated == method);
    let in_pool = live.evidence.pool(plan.pool).map(|pool| pool.begin());
    let worker = Arc::clone(visit.worker);
    let mut journey = Journey {
        until: pool.timeouts.request.map(|after| visit.started + after),
        now: visit.started,
        visit,
        live: &live,
        pool,
        route,
        plan,
        tried: Tried::default(),
        replay: Replay::new(pool.retry.body_buffer),
        repeats: 0,
        budget: None,
        idempotent,
        asks_tunnel: route.websocket && client.head().upgrade() == Upgrade::WebSocket,
        edits: worker.lend_edits(),
    };
    let end = journey.travel(client, deadline).await;
    worker.return_edits(journey.edits);
    drop(in_pool);
    end
}

impl Journey<'_, '_> {
    async fn travel<C: Client>(&mut self, client: &mut C, deadline: &mut Deadline) -> End {
        let mut afresh = false;
        loop {
            let place = match self.enter(client.head()).await {
                Ok(place) => place,
                Err(reason) => return End::Unanswered(reason),
            };
            self.visit.go(self.plan);
            let next = self.try_once(client, self.plan.backend, afresh, deadline).await;
            drop(place);
            afresh = false;
            match next {
                Next::Stop(end) => return end,
                Next::Afresh => afresh = true,
                Next::Go(next) => self.plan = next,
                Next::Decide => {
                    let failed = self.visit.last_failure;
                    match self.visit.decide(client.head(), &self.tried) {
                        Choice::Forward(next) => self.plan = next,
                        // What failed last tells the client more than that nothing is left.
                        _ => return End::Unanswered(failed.unwrap_or(Reason::RefusedAllDown)),
                    }
                }
            }
            self.now = Instant::now();
        }
    }

    async fn try_once<C: Client>(
        &mut self,
        client: &mut C,
        id: BackendId,
        afresh: bool,
        deadline: &mut Deadline,
    ) -> Next {
        // What is dead before the long wait takes no room in it.
        let carrying = {
            match self.reach(client.head(), id, afresh).await {
                Some(Ok(checkout)) => boxed(|| self.carry(client, id, checkout, deadline)),
                Some(Err(error)) => return self.unconnected(id, &error),
                None => return Next::Stop(End::Unanswered(Reason::FailedTimeout)),
            }
        };
        carrying.await
    }

    /// A connection; `None` when the request's own time is over.
    async fn reach(
        &mut self,
        head: &RequestHead,
        id: BackendId,
        afresh: bool,
    ) -> Option<Result<Checkout, ConnectError>> {
        let worker = self.visit.worker;
        let parties = self.visit.connection.parties();
        let errand = Errand { backend: id, now: self.now, afresh, tunnel: self.asks_tunnel, parties };
        let mut checkout = pin!(worker.pools.checkout(worker, self.live, errand));
        if let Poll::Ready(connected) = poll_fn(|cx| Poll::Ready(checkout.as_mut().poll(cx))).await {
            return Some(connected);
        }
        let connected = Box::pin(self.connect(head, id, checkout)).await;
        self.now = Instant::now();
        connected
    }

    /// Waits for a connection; `None` when the request's own time is over. One that hangs on a backend that is marked
    /// down is not waited for while there is another.
    async fn connect(
        &mut self,
        head: &RequestHead,
        id: BackendId,
        mut checkout: Pin<&mut impl Future<Output = Result<Checkout, ConnectError>>>,
    ) -> Option<Result<Checkout, ConnectError>> {
        let (mut vigil, mut deadline) = (Vigil::new(&self.live.evidence, id), Deadline::default());
        vigil.begin(Instant::now());
        poll_fn(|cx| {
            if let Poll::Ready(connected) = checkout.as_mut().poll(cx) {
                return Poll::Ready(Some(connected));
            }
            loop {
                deadline.set_at(vigil.next().into_iter().chain(self.until).min());
                if vigil.poll_fell(cx).is_pending() {
                    ready!(deadline.poll(cx));
                }
                let now = Instant::now();
                if self.until.is_some_and(|until| now >= until) {
                    return Poll::Ready(None);
                }
                if vigil.look(now, Seen::Connecting) {
                    let set = (self.pool, &self.tried);
                    if other(self.visit, head, set, id, Failure::Connect).is_some() {
                        return Poll::Ready(Some(Err(ConnectError::Timeout)));
                    }
                    vigil.again(now, answers::NOBODY_ELSE);
                }
            }
        })
        .await
    }

    /// What follows a connection that could not be made. Nothing was sent, so it is no repeat.
    fn unconnected(&mut self, id: BackendId, error: &ConnectError) -> Next {
        match error {
            ConnectError::Overloaded => return Next::Stop(End::Unanswered(Reason::RefusedOverload)),
            // Whether there are WebSockets is no question of health.
            ConnectError::NoTunnel => return Next::Stop(End::Unanswered(Reason::FailedProtocol)),
            ConnectError::NoAddress
            | ConnectError::Refused(_)
            | ConnectError::Timeout
            | ConnectError::Tls(_)
            | ConnectError::Protocol => {}
        }
        tracing::debug!(error = error as &dyn std::error::Error, "connect failed");
        self.live.evidence.failed(id, Fault::Connect);
        self.note(id, Failure::Connect);
        self.visit.failed(id, Reason::FailedConnect, Fault::Connect);
        if self.pool.retry.when.connect {
            Next::Decide
        } else {
            Next::Stop(End::Unanswered(Reason::FailedConnect))
        }
    }

    fn note(&mut self, id: BackendId, failure: Failure) {
        answers::note(&mut self.tried, &self.live.generation, self.pool, id, failure);
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
        let (head, place) = (client.head(), (self.pool, self.route, id));
        headers::to_backend(&mut self.edits.to_backend, self.visit, head, place);
        let length = self.length(head);
        conn.request(head, &self.edits.to_backend, length);
        let mut vigil = Vigil::new(&self.live.evidence, id);
        let since = self.visit.started;
        let mut judge = Answers {
            edits: &mut self.edits.to_client,
            visit: self.visit,
            route: self.route,
            pool: self.pool,
            backend: id,
            tried: &self.tried,
            idempotent: self.idempotent,
            repeats: self.repeats,
            granted: None,
        };
        let mut pump = Pump {
            client,
            backend: &mut conn,
            judge: &mut judge,
            replay: &mut self.replay,
            vigil: &mut vigil,
            deadline,
            timeouts: &self.pool.timeouts,
            since,
            begins: Some(self.now),
            until: self.until,
            body_limit: self.route.limits.body,
            asks_tunnel: self.asks_tunnel,
            carried: Carried::default(),
        };
        let ended = pump.run().await;
        let carried = pump.carried;
        let granted = judge.granted.take();
        self.visit.note_carried(carried.up, carried.down, carried.head_at);
        match ended {
            Ok(()) => {
                self.judge_status(id, conn.head().status(), !vigil.noted());
                if carried.tunnel {
                    // Boxed, as all that few requests need, so that the many others do not carry its state.
                    return Box::pin(self.carry_tunnel(client, id, conn, deadline)).await;
                }
                self.keep(id, conn);
                Next::Stop(End::Answered)
            }
            Err(Broken::Ended(cause)) => Next::Stop(self.end(client, id, cause, &carried)),
            Err(broken) => {
                let stale = reused && carried.head_at.is_none();
                drop(conn);
                match granted {
                    Some(granted) => self.repeat(id, &broken, granted),
                    None => self.after(client, id, &broken, stale),
                }
            }
        }
    }

    /// Gives the connection back after a whole exchange, and notes when that was.
    fn keep(&mut self, id: BackendId, conn: Conn) {
        let visit = &mut *self.visit;
        let ended = *visit.ended.insert(Instant::now());
        visit.worker.pools.give_back(visit.worker, &visit.live, (id, ended), conn);
    }

    fn judge_status(&self, id: BackendId, status: u16, in_line: bool) {
        let evidence = &self.live.evidence;
        self.live.cells.tried(id, None);
        // 501 and 505 are about the request.
        if status >= 500 && status != 501 && status != 505 {
            evidence.failed(id, Fault::Status(status));
        } else {
            evidence.succeeded(id, in_line);
        }
    }

    /// Goes where the try's judge has found a place for the repeat.
    fn repeat(&mut self, id: BackendId, broken: &Broken, granted: Granted) -> Next {
        if let Blame::Backend(_, fault, reason) = blame(broken, false) {
            self.live.evidence.failed(id, fault);
            self.visit.failed(id, reason, fault);
        }
        self.note(id, Failure::Sent);
        self.repeats += 1;
        self.budget = Some(granted.place);
        Next::Go(granted.plan)
    }

    /// What follows a try that broke.
    fn after<C: Client>(&mut self, client: &mut C, id: BackendId, broken: &Broken, stale: bool) -> Next {
        let (cause, fault, reason) = match blame(broken, stale) {
            Blame::Client(reason) => return Next::Stop(unfinished(client, reason)),
            Blame::Backend(cause, fault, reason) => (cause, fault, reason),
        };
        // A connection that was closed while it was idle says nothing against the backend.
        if cause != Cause::StaleReset && cause != Cause::Unseen {
            self.live.evidence.failed(id, fault);
        }
        self.visit.failed(id, reason, fault);
        // What has not left yet can still become a 502.
        if client.is_answered() && !client.retract() {
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
        self.note(id, Failure::Sent);
        if cause != Cause::Unseen {
            self.repeats += 1;
            self.budget = self.visit.budget(&self.pool.retry);
            if self.budget.is_none() {
                return Next::Stop(End::Unanswered(reason));
            }
        }
        Next::Decide
    }
}

#[cfg(test)]
mod tests;
