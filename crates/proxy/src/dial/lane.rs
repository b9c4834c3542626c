//! One direction of a connection at a distance: what goes in comes out later, in order, and so does its end.

use crate::deadline::Deadline;
use bytes::{Buf, Bytes};
use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::time::Instant;

/// The most bytes under way; who sends more waits. At 100 ms this is 80 Mbit/s.
const ROOM: usize = 1024 * 1024;

/// Bytes under way.
#[derive(Debug)]
pub(super) struct Lane {
    delay: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<(Instant, Bytes)>,
    held: usize,
    end: Option<(Instant, Option<io::ErrorKind>)>,
    closed: bool,
    puller: Option<Waker>,
    pusher: Option<Waker>,
}

impl Lane {
    /// A lane on which everything takes `delay`.
    pub(super) fn new(delay: Duration) -> Self {
        Self { delay, state: Mutex::default() }
    }

    /// Sends some of `data`.
    pub(super) fn poll_push(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        if state.closed || state.end.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let Some(piece) = data.get(..data.len().min(ROOM - state.held)).filter(|piece| !piece.is_empty())
        else {
            state.pusher = Some(cx.waker().clone());
            return Poll::Pending;
        };
        state.held += piece.len();
        state.pieces.push_back((Instant::now() + self.delay, Bytes::copy_from_slice(piece)));
        wake(state.puller.take(), state);
        Poll::Ready(Ok(piece.len()))
    }

    /// Sends the end: of the stream, or of the connection with an error.
    pub(super) fn end(&self, error: Option<io::ErrorKind>) {
        let mut state = self.state();
        if state.end.is_none() {
            state.end = Some((Instant::now() + self.delay, error));
        }
        wake(state.puller.take(), state);
    }

    /// Takes no more from the sender, who is told.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        wake(state.pusher.take(), state);
    }

    /// Takes out what has arrived; nothing is the end. `timer` is the receiver's own.
    pub(super) fn poll_pull(
        &self,
        cx: &mut Context<'_>,
        timer: &mut Deadline,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state();
        let Some(due) = state.pieces.front().map(|piece| piece.0).or(state.end.map(|end| end.0)) else {
            state.puller = Some(cx.waker().clone());
            return Poll::Pending;
        };
        timer.set_at(Some(due));
        ready!(timer.poll(cx));
        let now = Instant::now();
        if state.pieces.is_empty() {
            let error = state.end.and_then(|end| end.1);
            return Poll::Ready(error.map_or(Ok(()), |kind| Err(kind.into())));
        }
        while buf.remaining() > 0
            && let Some((due, piece)) = state.pieces.front_mut()
            && *due <= now
        {
            let count = piece.len().min(buf.remaining());
            buf.put_slice(piece.get(..count).unwrap_or_default());
            piece.advance(count);
            let emptied = piece.is_empty();
            state.held -= count;
            if emptied {
                state.pieces.pop_front();
            }
        }
        wake(state.pusher.take(), state);
        Poll::Ready(Ok(()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// Wakes after the lock was let go.
fn wake(waker: Option<Waker>, state: MutexGuard<'_, State>) {
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}
