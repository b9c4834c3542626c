//! A request's place at its backend, where no more than so many are let in at once.

use super::Journey;
use nearside_core::{Choice, Reason};
use nearside_health::Place;
use nearside_http::RequestHead;
use std::pin::pin;
use tokio::time::{Instant, timeout_at};

impl Journey<'_, '_> {
    /// The request's place at the backend of its plan. Where that is full, as all others were that the decision could
    /// choose from, it waits until a place at one of them is free: among no more than may wait, and no longer than
    /// for a connection.
    pub(super) async fn enter(&mut self, head: &RequestHead) -> Result<Place, Reason> {
        match self.live.evidence.enter(self.plan.backend) {
            Some(place) => Ok(place),
            None => Box::pin(self.enter_later(head)).await,
        }
    }

    async fn enter_later(&mut self, head: &RequestHead) -> Result<Place, Reason> {
        let live = self.live;
        let pool = live.evidence.pool(self.plan.pool).ok_or(Reason::RefusedOverload)?;
        let waiting = pool.wait(self.pool.connections.max_pending).ok_or(Reason::RefusedOverload)?;
        let within = Instant::now() + self.pool.timeouts.connect;
        let within = self.until.map_or(within, |until| until.min(within));
        loop {
            let mut freed = pin!(pool.freed().notified());
            freed.as_mut().enable();
            match self.visit.decide(head, &self.tried) {
                Choice::Forward(next) => self.plan = next,
                Choice::Answer(_) | Choice::Refuse(..) => return Err(Reason::RefusedAllDown),
            }
            if let Some(place) = live.evidence.enter(self.plan.backend) {
                drop(waiting);
                self.now = Instant::now();
                return Ok(place);
            }
            if timeout_at(within, freed).await.is_err() {
                return Err(Reason::RefusedOverload);
            }
        }
    }
}
