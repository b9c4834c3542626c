//! Carries a tunnel: bytes both ways, each direction until its own end.
//!
//! Nothing is gathered: what a side has sent is offered to the other before more is read, and while nothing comes no
//! buffer is held. The frames are followed, by their lengths alone, so that a tunnel that has to end here is closed
//! between two of them, as RFC 6455 has it.

use super::ending::{Cause, Ending};
use super::frames::{Frames, Kind};
use crate::deadline::Deadline;
use crate::side::{Backend, BackendError, Client, Fill, Sink, Source};
use crate::websocket::{self, Towards};
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How long both sides have for their last frames, and for closing after them.
const PARTING: Duration = Duration::from_secs(2);

/// A tunnel under way.
pub(super) struct Tunnel<'a, C, B> {
    client: &'a mut C,
    backend: &'a mut B,
    deadline: &'a mut Deadline,
    idle: Duration,
    ending: Ending,
    up: Way,
    down: Way,
    closing: Option<Cause>,
    parting: bool,
}

/// How a tunnel ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Over {
    /// Both sides have ended it.
    Ended,
    /// It was closed here.
    Closed(Cause),
    /// The client went away in the middle.
    ClientGone,
    /// The backend did.
    Backend(BackendError),
}

/// What was carried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    pub(super) over: Over,
    /// Bytes from the client.
    pub(super) up: u64,
    /// Bytes from the backend.
    pub(super) down: u64,
}

impl<'a, C: Client, B: Backend> Tunnel<'a, C, B> {
    /// A tunnel that was granted just now. It ends when nothing has come for `idle`.
    pub(super) fn new(
        client: &'a mut C,
        backend: &'a mut B,
        deadline: &'a mut Deadline,
        idle: Duration,
        ending: Ending,
    ) -> Self {
        let (up, down) = (Way::new(Towards::Backend), Way::new(Towards::Client));
        Self { client, backend, deadline, idle, ending, up, down, closing: None, parting: false }
    }

    /// Carries it to its end.
    pub(super) async fn run(mut self) -> Passed {
        self.deadline.set(Some(self.idle));
        let over = poll_fn(|cx| self.poll(cx)).await;
        Passed { over, up: self.up.carried, down: self.down.carried }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        loop {
            let up = self.up.poll(self.client, self.backend, cx);
            let down = self.down.poll(self.backend, self.client, cx);
            if let Poll::Ready(Err(_gone)) = up {
                return Poll::Ready(self.broken(Over::ClientGone));
            }
            if let Poll::Ready(Err(error)) = down {
                return Poll::Ready(self.broken(Over::Backend(error)));
            }
            if up.is_ready() && down.is_ready() {
                let over = if self.down.refused { Over::ClientGone } else { Over::Ended };
                return Poll::Ready(self.broken(over));
            }
            // A client that was told Close may go at once; the backend has its moment all the same.
            if self.closing.is_none() && up.is_ready() && self.client.poll_gone(cx).is_ready() {
                return Poll::Ready(self.broken(Over::ClientGone));
            }
            if self.closing.is_none()
                && let Poll::Ready(cause) = self.ending.poll(cx)
            {
                self.close(cause);
                continue;
            }
            self.watch();
            ready!(self.deadline.poll(cx));
            match self.closing {
                Some(cause) => return Poll::Ready(Over::Closed(cause)),
                None if self.parting => return Poll::Ready(Over::Ended),
                None => self.close(Cause::Idle),
            }
        }
    }

    /// Moves the deadline. After a Close both ways there is nothing left but to close the connection.
    fn watch(&mut self) {
        let moved = std::mem::take(&mut self.up.moved) | std::mem::take(&mut self.down.moved);
        if self.closing.is_some() || self.parting {
            return;
        }
        if self.is_farewelled() {
            self.parting = true;
            self.deadline.set(Some(PARTING));
        } else if moved {
            self.deadline.set(Some(self.idle));
        }
    }

    fn is_farewelled(&self) -> bool {
        self.up.frames.is_closed() && self.down.frames.is_closed()
    }

    /// Begins to close it from here.
    fn close(&mut self, cause: Cause) {
        self.closing = Some(cause);
        self.deadline.set(Some(PARTING));
        self.up.stop();
        self.down.stop();
    }

    /// How it ended that a side broke or both have ended: after both have said Close, or while it was closed here, a
    /// break is as good as an end.
    fn broken(&self, over: Over) -> Over {
        match self.closing {
            Some(cause) => Over::Closed(cause),
            None if self.is_farewelled() => Over::Ended,
            None => over,
        }
    }
}

/// One direction.
struct Way {
    towards: Towards,
    frames: Frames,
    stage: Stage,
    carried: u64,
    /// Whether anything has moved since the last look.
    moved: bool,
    /// Whether the far side took no more before the near one had ended.
    refused: bool,
}

/// How far a direction has come.
enum Stage {
    /// Bytes pass.
    Open,
    /// What was begun passes, and then a Close of ours.
    Stopping,
    /// The Close leaves, from this byte on.
    Closing(Vec<u8>, usize),
    /// The last bytes leave; then either nothing, or the near side is heard out until it has closed too.
    Ending { hear_out: bool },
    /// What comes is read and forgotten: to close with bytes unread could take from the near side its own Close.
    HearingOut,
    /// Nothing passes any more.
    Done,
}

impl Way {
    fn new(towards: Towards) -> Self {
        let frames = Frames::new(Kind::WebSocket);
        Self { towards, frames, stage: Stage::Open, carried: 0, moved: false, refused: false }
    }

    fn stop(&mut self) {
        if let Stage::Open = self.stage {
            self.stage = Stage::Stopping;
        }
    }

    /// Carries what can be carried; ready once nothing more will pass.
    fn poll<S: Source, D: Sink>(
        &mut self,
        source: &mut S,
        sink: &mut D,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), S::Error>> {
        loop {
            let next = match &mut self.stage {
                Stage::Open => ready!(self.poll_pass(source, sink, cx))?,
                Stage::Stopping if self.frames.is_between() => {
                    // A side that has said Close itself is told nothing twice.
                    let close = if self.frames.is_closed() {
                        Vec::new()
                    } else {
                        websocket::going_away(self.towards)
                    };
                    Stage::Closing(close, 0)
                }
                Stage::Stopping => ready!(self.poll_pass(source, sink, cx))?,
                Stage::Closing(close, from) => match close.get(*from..) {
                    Some(rest @ [_, ..]) => match ready!(sink.poll_write(cx, rest)) {
                        Ok(count) => {
                            *from += count;
                            continue;
                        }
                        Err(_taken_no_more) => Stage::HearingOut,
                    },
                    _ => {
                        sink.finish(None);
                        Stage::Ending { hear_out: true }
                    }
                },
                Stage::Ending { hear_out } => {
                    let hear_out = *hear_out;
                    match ready!(sink.poll_flush(cx)) {
                        _ if hear_out => Stage::HearingOut,
                        Ok(()) | Err(_) => Stage::Done,
                    }
                }
                Stage::HearingOut => {
                    ready!(poll_hear_out(source, cx));
                    Stage::Done
                }
                Stage::Done => return Poll::Ready(Ok(())),
            };
            self.stage = next;
            self.moved = true;
        }
    }

    /// Passes bytes on; ready with the next stage.
    fn poll_pass<S: Source, D: Sink>(
        &mut self,
        source: &mut S,
        sink: &mut D,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Stage, S::Error>> {
        loop {
            if source.data().is_empty() {
                let filled = if source.is_end() { Poll::Ready(Ok(Fill::End)) } else { source.poll_fill(cx) };
                match filled {
                    Poll::Ready(Ok(Fill::Data)) => {}
                    // After its Close a side may end as it likes.
                    Poll::Ready(Err(error)) if !self.frames.is_closed() => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok(Fill::End) | Err(_)) => {
                        sink.finish(None);
                        return Poll::Ready(Ok(Stage::Ending { hear_out: false }));
                    }
                    Poll::Pending => match sink.poll_flush(cx) {
                        Poll::Ready(Err(_)) => return Poll::Ready(Ok(self.refuse())),
                        Poll::Ready(Ok(())) | Poll::Pending => return Poll::Pending,
                    },
                }
            }
            let data = source.data();
            let allowed = match self.stage {
                Stage::Stopping => self.frames.rest(data),
                _ => data.len(),
            };
            match ready!(sink.poll_write(cx, data.get(..allowed).unwrap_or(data))) {
                Ok(count) => {
                    self.frames.pass(data.get(..count).unwrap_or(data));
                    self.carried += count as u64;
                    self.moved = true;
                    source.consume(count);
                }
                Err(_) => return Poll::Ready(Ok(self.refuse())),
            }
            if matches!(self.stage, Stage::Stopping) && self.frames.is_between() {
                return Poll::Ready(Ok(Stage::Stopping));
            }
        }
    }

    /// The far side takes no more. What it has still to say, and how it ended, is found out in the other direction.
    fn refuse(&mut self) -> Stage {
        self.refused = true;
        Stage::Done
    }
}

/// Reads what comes and forgets it, until the side has ended; how does not matter any more.
fn poll_hear_out<S: Source>(source: &mut S, cx: &mut Context<'_>) -> Poll<()> {
    loop {
        if source.data().is_empty() && !source.is_end() {
            match ready!(source.poll_fill(cx)) {
                Ok(Fill::Data) => {}
                Ok(Fill::End) | Err(_) => return Poll::Ready(()),
            }
        }
        if source.data().is_empty() {
            return Poll::Ready(());
        }
        source.consume(source.data().len());
    }
}
