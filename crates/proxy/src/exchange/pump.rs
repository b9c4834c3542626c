//! Carries one try's bodies both ways at once: the request's up, the answer's down.
//!
//! Both directions are state machines that one task polls in turn, so neither waits for the other and nothing
//! is locked or split. Who cannot write does not read: that is the back-pressure.

mod pace;
mod wait;

use super::ending::{Cause, Ending};
use super::frames::{Frames, Kind};
use super::stream::{ends_in_trailers, is_events, is_grpc};
use crate::deadline::Deadline;
use crate::exchange::replay::Replay;
use crate::exchange::vigil::Vigil;
use crate::side::{Backend, BackendError, Client, ClientError, Fill, Head, Length};
use nearside_core::policy::Timeouts;
use nearside_http::{Edits, RequestHead, ResponseHead, Version};
use pace::Pace;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;
pub(super) use wait::Wait;

/// Why a try ended without a whole answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// The client's side did.
    Client(ClientError),
    /// The backend's side did.
    Backend(BackendError),
    /// A deadline passed while this was waited for.
    Late(Wait),
    /// The request's own time is over, and the backend was not out of line.
    Over,
    /// The answer's status is one that the pool repeats, and a repeat is possible.
    Status(u16),
    /// The backend is silent and was marked down, and a repeat is possible.
    Hung,
    /// The answer would tell the client that it has its tunnel, and there is none.
    NoTunnel,
    /// It was ended from here.
    Ended(Cause),
}

/// Whether a request that hangs on a backend that is down goes elsewhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Leave {
    /// At once.
    Now,
    /// It cannot yet: it goes on waiting, and asks again after this long.
    Later(Duration),
    /// It may not be repeated.
    Never,
}

/// What is asked about an answer before the client gets it.
pub(super) trait Judge {
    /// Whether the answer is dropped and the request repeated.
    fn repeats(&mut self, request: &RequestHead, status: u16, replayable: bool) -> bool;
    /// Whether the request leaves a backend that is silent and down.
    fn leaves(&mut self, request: &RequestHead, replayable: bool) -> Leave;
    /// The edits of the final head.
    fn edits(&mut self, head: &ResponseHead) -> &Edits;
    /// The edits of a 1xx head.
    fn informational(&mut self) -> &Edits;
    /// The edits of the head that grants the tunnel for which `asked` asks.
    fn grants(&mut self, asked: &RequestHead) -> &Edits;
    /// What may end the try from here.
    fn ending(&self) -> Ending;
}

/// What was carried.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Carried {
    /// Bytes of request body.
    pub(super) up: u64,
    /// Bytes of answer body.
    pub(super) down: u64,
    /// When the answer's head came.
    pub(super) head_at: Option<Instant>,
    /// Whether the request went out whole.
    pub(super) request_whole: bool,
    /// Whether a tunnel was granted, which is to be carried from here on.
    pub(super) tunnel: bool,
    /// Where the messages of an answer of gRPC end, to a client whose protocol has trailers.
    pub(super) messages: Option<Frames>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Up {
    /// What an earlier try had taken is sent again, from this byte on.
    Replay(usize),
    /// The client's body is sent.
    Body,
    /// The last bytes leave.
    Flush,
    /// All of it has left.
    Done,
    /// The backend takes no more; it may still answer.
    Stopped(BackendError),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Down {
    Head,
    Body,
    Flush,
    Tunnel,
}

/// One try under way.
pub(super) struct Pump<'a, 'v, C, B, J> {
    pub(super) client: &'a mut C,
    pub(super) backend: &'a mut B,
    pub(super) judge: &'a mut J,
    pub(super) replay: &'a mut Replay,
    pub(super) vigil: &'a mut Vigil<'v>,
    pub(super) deadline: &'a mut Deadline,
    pub(super) timeouts: &'a Timeouts,
    /// When the request came.
    pub(super) since: Instant,
    /// When the try begins, for its first wait.
    pub(super) begins: Option<Instant>,
    /// When the request as a whole has to have ended.
    pub(super) until: Option<Instant>,
    /// The most bytes of request body.
    pub(super) body_limit: Option<u64>,
    /// Whether the request asks for a tunnel.
    pub(super) asks_tunnel: bool,
    pub(super) carried: Carried,
}

/// What one call of the pump has found out.
struct Turn {
    up: Up,
    down: Down,
    /// What a direction waits for, and since when it may: `None` after progress.
    deadline_set_for: Option<(Wait, Duration)>,
    /// When that is over.
    ends: Option<Instant>,
    /// The client's pace, up and down.
    paces: [Pace; 2],
    /// When the client is too slow.
    slow: Option<Instant>,
    /// Bytes of answer body that have left.
    passed: u64,
    progress: bool,
    /// Whether anything was waited for yet.
    waited: bool,
    /// Whether a body is a stream, which says something when there is something to say.
    is_stream: bool,
    /// What may end the try from here, once it has lived for a moment.
    ending: Option<Ending>,
}

impl<C: Client, B: Backend, J: Judge> Pump<'_, '_, C, B, J> {
    /// Runs the try to its end, or until it is a tunnel.
    pub(super) async fn run(&mut self) -> Result<(), Broken> {
        let up = if self.replay.is_empty() { Up::Body } else { Up::Replay(0) };
        let mut turn = Turn {
            up,
            down: Down::Head,
            deadline_set_for: None,
            ends: None,
            paces: [Pace::new(self.timeouts); 2],
            slow: None,
            passed: 0,
            progress: true,
            waited: false,
            is_stream: is_grpc(self.client.head().fields()),
            ending: None,
        };
        let ended = poll_fn(|cx| self.poll(&mut turn, cx)).await;
        self.carried.request_whole = turn.up == Up::Done;
        ended
    }

    fn poll(&mut self, turn: &mut Turn, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let up_waits = match self.poll_up(turn, cx) {
            Poll::Ready(Err(broken)) => return Poll::Ready(Err(broken)),
            Poll::Ready(Ok(())) => None,
            Poll::Pending => Some(self.up_waits_for(turn.up)),
        };
        if let Poll::Ready(ended) = self.poll_down(turn, cx) {
            return Poll::Ready(ended);
        }
        // A client that has sent everything is only heard of again when it goes. Most answers come before that would be
        // asked twice, so the first wait does without it: a timer ends that one within a second at the latest.
        let waited = std::mem::replace(&mut turn.waited, true);
        if waited && up_waits.is_none() && self.client.is_end() && self.client.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Broken::Client(ClientError::Gone)));
        }
        let passed = self.carried.down.saturating_sub(self.client.owed());
        turn.progress |= std::mem::replace(&mut turn.passed, passed) != passed;
        let (wait, allowed) = self.allowed(turn, up_waits);
        if turn.progress || turn.deadline_set_for != Some((wait, allowed)) {
            turn.deadline_set_for = Some((wait, allowed));
            turn.progress = false;
            let now = self.begins.take().unwrap_or_else(Instant::now);
            if turn.down == Down::Head && up_waits.is_none() {
                self.vigil.begin(now);
            }
            let at = now + allowed;
            turn.ends = Some(self.until.map_or(at, |until| until.min(at)));
            turn.slow = self.slow(turn, up_waits, now);
        }
        self.poll_time(turn, wait, cx).map(Err)
    }

    /// Carries the request's body; ready once there is nothing left to do.
    fn poll_up(&mut self, turn: &mut Turn, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        loop {
            let moved = match turn.up {
                Up::Replay(from) => self.poll_replay(from, cx),
                Up::Body => match ready!(self.poll_body(cx)) {
                    Ok(moved) => Poll::Ready(moved),
                    Err(broken) => return Poll::Ready(Err(broken)),
                },
                Up::Flush => self.backend.poll_flush(cx).map_ok(|()| Up::Done),
                Up::Done | Up::Stopped(_) => return Poll::Ready(Ok(())),
            };
            // A backend that takes no more may have answered already: that is found out on the way down.
            turn.up = match ready!(moved) {
                Ok(next) => next,
                Err(error) => Up::Stopped(error),
            };
            turn.progress = true;
        }
    }

    fn poll_replay(&mut self, from: usize, cx: &mut Context<'_>) -> Poll<Result<Up, BackendError>> {
        let rest = self.replay.bytes().get(from..).unwrap_or(&[]);
        if rest.is_empty() {
            return Poll::Ready(Ok(Up::Body));
        }
        self.backend.poll_write(cx, rest).map_ok(|count| Up::Replay(from + count))
    }

    /// Moves one piece of the client's body.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Result<Up, BackendError>, Broken>> {
        if self.client.data().is_empty() {
            let fill = if self.client.is_end() {
                Fill::End
            } else {
                match self.client.poll_fill(cx) {
                    Poll::Ready(Ok(fill)) => fill,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Client(error))),
                    Poll::Pending => {
                        // What has been taken so far need not wait for the rest.
                        return match self.backend.poll_flush(cx) {
                            Poll::Ready(Err(error)) => Poll::Ready(Ok(Err(error))),
                            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
                        };
                    }
                }
            };
            if fill == Fill::End {
                self.backend.finish(self.client.trailers());
                return Poll::Ready(Ok(Ok(Up::Flush)));
            }
        }
        let written = ready!(self.backend.poll_write(cx, self.client.data()));
        Poll::Ready(match written {
            Ok(count) => {
                self.replay.keep(self.client.data().get(..count).unwrap_or(&[]));
                self.client.consume(count);
                self.carried.up += count as u64;
                if self.body_limit.is_some_and(|limit| self.carried.up > limit) {
                    Err(Broken::Client(ClientError::TooLarge))
                } else {
                    Ok(Ok(Up::Body))
                }
            }
            Err(error) => Ok(Err(error)),
        })
    }

    /// Carries the answer; ready once the client has all of it.
    fn poll_down(&mut self, turn: &mut Turn, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        loop {
            let next = match turn.down {
                Down::Head => ready!(self.poll_head(turn, cx)),
                Down::Body => ready!(self.poll_answer_body(cx)),
                Down::Flush => {
                    return self.client.poll_flush(cx).map_err(Broken::Client);
                }
                Down::Tunnel => return Poll::Ready(Ok(())),
            };
            turn.progress = true;
            match next {
                Ok(next) => turn.down = next,
                Err(broken) => return Poll::Ready(Err(broken)),
            }
        }
    }

    fn poll_head(&mut self, turn: &mut Turn, cx: &mut Context<'_>) -> Poll<Result<Down, Broken>> {
        let head = match ready!(self.backend.poll_head(cx)) {
            Ok(head) => head,
            Err(error) => {
                // What stopped the upload says more than the silence after it.
                let cause = if let Up::Stopped(first) = turn.up { first } else { error };
                return Poll::Ready(Err(Broken::Backend(cause)));
            }
        };
        Poll::Ready(match head {
            Head::Informational => {
                let status = self.backend.head().status();
                if status != 100 && status != 101 {
                    self.client.informational(self.backend.head(), self.judge.informational());
                    if let Poll::Ready(Err(error)) = self.client.poll_flush(cx) {
                        return Poll::Ready(Err(Broken::Client(error)));
                    }
                }
                Ok(Down::Head)
            }
            Head::Final(length) => {
                let now = Instant::now();
                self.carried.head_at = Some(now);
                self.vigil.answered(now);
                self.start_answer(length, turn)
            }
        })
    }

    fn start_answer(&mut self, length: Length, turn: &mut Turn) -> Result<Down, Broken> {
        let head = self.backend.head();
        let status = head.status();
        if self.judge.repeats(self.client.head(), status, self.replay.is_whole()) {
            return Err(Broken::Status(status));
        }
        self.replay.close();
        if length == Length::Tunnel {
            self.carried.tunnel = true;
            self.client.answer(head, self.judge.grants(self.client.head()), length);
            return Ok(Down::Tunnel);
        }
        // In HTTP/2 any success grants a tunnel, and this one does not.
        if self.asks_tunnel && self.client.head().version() == Version::Http2 && status / 100 == 2 {
            return Err(Broken::NoTunnel);
        }
        turn.is_stream = is_grpc(head.fields()) || is_events(head.fields());
        let trails = length == Length::Unknown && self.client.head().version() == Version::Http2;
        if trails && ends_in_trailers(head.fields()) {
            self.carried.messages = Some(Frames::new(Kind::Grpc));
        }
        self.client.answer(head, self.judge.edits(head), length);
        Ok(Down::Body)
    }

    fn poll_answer_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Down, Broken>> {
        if self.backend.data().is_empty() {
            let fill = if self.backend.is_end() {
                Fill::End
            } else {
                match self.backend.poll_fill(cx) {
                    Poll::Ready(Ok(fill)) => fill,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Backend(error))),
                    Poll::Pending => {
                        return match self.client.poll_flush(cx) {
                            Poll::Ready(Err(error)) => Poll::Ready(Err(Broken::Client(error))),
                            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
                        };
                    }
                }
            };
            if fill == Fill::End {
                self.client.finish(self.backend.trailers());
                return Poll::Ready(Ok(Down::Flush));
            }
        }
        match ready!(self.client.poll_write(cx, self.backend.data())) {
            Ok(count) => {
                if let Some(messages) = &mut self.carried.messages {
                    messages.pass(self.backend.data().get(..count).unwrap_or(&[]));
                }
                self.backend.consume(count);
                self.carried.down += count as u64;
                Poll::Ready(Ok(Down::Body))
            }
            Err(error) => Poll::Ready(Err(Broken::Client(error))),
        }
    }
}
