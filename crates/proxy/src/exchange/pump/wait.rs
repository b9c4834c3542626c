//! What a try waits for, and for how long: its deadlines, the vigil over its backend, and what ends it from here.

use super::{Broken, Down, Judge, Leave, Pump, Turn, Up};
use crate::exchange::ending::Cause;
use crate::exchange::vigil::Seen;
use crate::side::{Backend, Client};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// An answer whose body has brought less than this crawls, if it is late besides: a path that is only long brings a
/// first window of TCP at once.
const CRAWLS: u64 = 14_000;

/// How long a request lives before it is asked what may end it from here. Most never are.
const MOMENT: Duration = Duration::from_secs(1);

/// Whom an exchange waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::exchange) enum Wait {
    /// The client, to send or to take.
    Client,
    /// The backend, to send or to take.
    Backend,
}

impl<C: Client, B: Backend, J: Judge> Pump<'_, '_, C, B, J> {
    /// Waits until `turn` is too late or is ended from here, and looks after the backend on the way there.
    pub(super) fn poll_time(&mut self, turn: &mut Turn, wait: Wait, cx: &mut Context<'_>) -> Poll<Broken> {
        loop {
            if let Some(ending) = &mut turn.ending
                && let Poll::Ready(cause) = ending.poll(cx)
            {
                return Poll::Ready(Broken::Ended(cause));
            }
            let asks = turn.ending.is_none().then(|| self.since + MOMENT);
            let next = self.vigil.next();
            self.deadline.set_at([turn.ends, turn.slow, next, asks].into_iter().flatten().min());
            let fell = self.vigil.poll_fell(cx).is_ready();
            if !fell {
                ready!(self.deadline.poll(cx));
            }
            let now = Instant::now();
            if turn.slow.is_some_and(|slow| now >= slow) {
                return Poll::Ready(Broken::Late(Wait::Client));
            }
            if turn.ends.is_some_and(|ends| now >= ends) {
                // Cut short by the time of the request as a whole, it may have had little of its own.
                let own = self.until.is_none_or(|until| now < until) || self.vigil.noted();
                return Poll::Ready(match wait {
                    Wait::Backend if !own => Broken::Over,
                    // A stream may have nothing more to say.
                    Wait::Backend if turn.is_stream && turn.down == Down::Body => Broken::Ended(Cause::Idle),
                    Wait::Backend | Wait::Client => Broken::Late(wait),
                });
            }
            if asks.is_some_and(|asks| now >= asks) {
                turn.ending = Some(self.judge.ending());
            }
            let looks = fell || next.is_some_and(|next| now >= next);
            if looks && self.vigil.look(now, self.seen(turn, wait)) {
                match self.judge.leaves(self.client.head(), self.replay.is_whole()) {
                    Leave::Now => return Poll::Ready(Broken::Hung),
                    Leave::Later(after) => self.vigil.again(now, after),
                    Leave::Never => self.vigil.end(),
                }
            }
        }
    }

    fn seen(&self, turn: &Turn, wait: Wait) -> Seen {
        match turn.down {
            Down::Head => Seen::Silent,
            Down::Body if turn.is_stream => Seen::Busy,
            Down::Body if wait == Wait::Backend && self.carried.down < CRAWLS => Seen::Crawling,
            Down::Body | Down::Flush | Down::Tunnel => Seen::Busy,
        }
    }

    /// Whom the exchange waits for now, and how long it may. A client that pauses its upload is nobody's fault but
    /// its own, so the backend's clock runs only once the request has gone out.
    pub(super) fn allowed(&self, turn: &Turn, up_waits: Option<Wait>) -> (Wait, Duration) {
        let idle = if turn.is_stream { self.timeouts.stream_idle } else { self.timeouts.body_idle };
        match (turn.down, up_waits) {
            (Down::Head, None) => (Wait::Backend, self.timeouts.response),
            (Down::Head, Some(wait)) => (wait, idle),
            (Down::Flush | Down::Tunnel, _) => (Wait::Client, self.timeouts.body_idle),
            (Down::Body, _) => {
                let wait = if self.backend.data().is_empty() { Wait::Backend } else { Wait::Client };
                (wait, idle)
            }
        }
    }

    /// When the client is too slow, if nothing comes of it until then. Once an answer has begun, the rest of the request is
    /// the client's business.
    pub(super) fn slow(&self, turn: &mut Turn, up_waits: Option<Wait>, now: Instant) -> Option<Instant> {
        if turn.is_stream {
            return None;
        }
        let sends = turn.down == Down::Head && up_waits == Some(Wait::Client);
        let takes = match turn.down {
            Down::Body => !self.backend.data().is_empty(),
            Down::Flush => true,
            Down::Head | Down::Tunnel => false,
        };
        let [up, down] = &mut turn.paces;
        let ends = [up.note(now, self.carried.up, sends), down.note(now, turn.passed, takes)];
        ends.into_iter().flatten().min()
    }

    pub(super) fn up_waits_for(&self, up: Up) -> Wait {
        match up {
            Up::Body if self.client.data().is_empty() => Wait::Client,
            Up::Replay(_) | Up::Body | Up::Flush | Up::Done | Up::Stopped(_) => Wait::Backend,
        }
    }
}
