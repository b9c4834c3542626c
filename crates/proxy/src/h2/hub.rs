//! Hub: what a connection's task and the tasks of its streams share: the windows, the streams, and what waits to be sent.
//!
//! A stream writes its frames into the outbox and wakes the connection's task, which sends them when all streams that are ready
//! have written theirs. Who finds no room queues, and is called when there is some: one piece each, in turn.

use crate::h2::limits::Limits;
use crate::h2::outbox::{FULL, Outbox};
use crate::h2::slots::{Answer, Over, Slots};
use crate::h2::window::Window;
use crate::stock::Stock;
use nearside_http::Refusal;
use nearside_http::h2::{Code, HEAD, WINDOW, reset, window};
use nearside_http::hpack::Encoder;
use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Waker};

/// What a client may send for all streams together before it was taken.
pub(super) const CONNECTION_WINDOW: u32 = 4 << 20;

/// A buffer for a body that grew beyond this is let go once it is empty.
const LARGE: usize = 64 * 1024;

/// What is shared.
pub(super) struct Hub(Mutex<State>);

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

/// The same, to be looked at and changed.
pub(super) struct State {
    pub(super) stock: Arc<Stock>,
    pub(super) outbox: Outbox,
    pub(super) encoder: Encoder,
    pub(super) slots: Slots,
    pub(super) limits: Limits,
    /// What the client may still send.
    pub(super) window: Window,
    /// How much the client takes yet of all streams, and of one that begins.
    pub(super) room: i64,
    pub(super) first_room: i64,
    /// The streams that wait for room that all of them share.
    pub(super) queue: VecDeque<usize>,
    /// How many were called out of it and have not written their piece.
    pub(super) called: usize,
    /// Why the client has to go, if it has to.
    pub(super) fault: Option<Code>,
    /// Whether GOAWAY has named the last stream that is served.
    pub(super) named: bool,
    task: Option<Waker>,
    /// Whether the connection's task will look anyway.
    woken: bool,
    over: bool,
}

impl Hub {
    pub(super) fn new(stock: Arc<Stock>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            outbox: Outbox::new(Arc::clone(&stock)),
            stock,
            encoder: Encoder::default(),
            slots: Slots::default(),
            limits: Limits::new(),
            window: Window::new(CONNECTION_WINDOW),
            room: WINDOW.into(),
            first_room: WINDOW.into(),
            queue: VecDeque::new(),
            called: 0,
            fault: None,
            named: false,
            task: None,
            woken: false,
            over: false,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

impl State {
    /// Begins a turn of the connection's task, which is not woken in it.
    pub(super) fn attend(&mut self, cx: &Context<'_>) {
        self.woken = true;
        match &mut self.task {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.task = Some(cx.waker().clone()),
        }
    }

    /// Ends the turn: what happens from now on wakes the task again. Those in the queue are called for whom there is room.
    pub(super) fn dismiss(&mut self) {
        self.woken = false;
        self.call();
    }

    /// Has the connection's task look.
    pub(super) fn touch(&mut self) {
        if !std::mem::replace(&mut self.woken, true)
            && let Some(task) = &self.task
        {
            task.wake_by_ref();
        }
    }

    fn call(&mut self) {
        let (mut planned, mut room, mut called) = (self.outbox.len(), self.room, false);
        while planned < FULL
            && room > 0
            && let Some(at) = self.queue.pop_front()
        {
            if let Some(slot) = self.slots.get(at)
                && let Some(count) = slot.queued.take()
            {
                self.called += usize::from(!std::mem::replace(&mut slot.called, true));
                slot.wake();
                called = true;
                planned += HEAD + count;
                room -= i64::try_from(count).unwrap_or(i64::MAX);
            }
        }
        // After these the next ones are called, even if these have nothing to say any more.
        if called && !self.queue.is_empty() {
            self.touch();
        }
    }

    /// Opens the windows through which so much of a body came that was taken: that of its stream, while more may come.
    pub(super) fn take(&mut self, at: Option<usize>, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if let Some(slot) = at.and_then(|at| self.slots.get(at))
            && !slot.ended
            && slot.over.is_none()
            && let Some(more) = slot.window.take(count)
        {
            window(slot.id, more, self.outbox.end(HEAD + 4));
            self.touch();
        }
        if let Some(more) = self.window.take(count) {
            window(0, more, self.outbox.end(HEAD + 4));
            self.touch();
        }
    }

    /// Resets a stream, if it has not ended.
    pub(super) fn reset(&mut self, at: usize, code: Code, over: Over) {
        if let Some(slot) = self.slots.get(at)
            && !slot.is_closed()
        {
            reset(slot.id, code, self.outbox.end(HEAD + 4));
            self.end(at, over);
            self.touch();
        }
    }

    /// Resets a stream of which the client broke the rules.
    pub(super) fn blame(&mut self, at: usize, code: Code, refusal: Refusal) {
        self.reset(at, code, Over::Malformed(refusal));
        self.note_fault();
    }

    /// Notes that a stream was reset for what the client did.
    pub(super) fn note_fault(&mut self) {
        if !self.limits.allow_fault() {
            self.fault = self.fault.or(Some(Code::Calm));
        }
    }

    /// Ends a stream for this reason. What the client had sent before it went may still be fetched; what it sent against the
    /// rules, or in vain, is taken.
    pub(super) fn end(&mut self, at: usize, over: Over) {
        let Some(slot) = self.slots.get(at) else { return };
        slot.over = slot.over.or(Some(over));
        self.called -= usize::from(std::mem::take(&mut slot.called));
        slot.wake();
        if over == Over::Gone {
            return self.slots.close(at, false);
        }
        let inbox = std::mem::take(&mut slot.inbox);
        self.slots.close(at, true);
        self.take(None, inbox.len());
        self.give_back(inbox);
    }

    /// Notes that a side of the stream has ended.
    pub(super) fn settle(&mut self, at: usize) {
        if self.slots.get(at).is_some_and(|slot| slot.is_closed()) {
            self.slots.close(at, false);
        }
    }

    /// Ends all streams with the connection.
    pub(super) fn end_all(&mut self) {
        self.over = true;
        for slot in self.slots.each_open() {
            slot.over = Some(Over::Gone);
            slot.wake();
        }
    }

    /// Lets go of a stream whose task has ended: what the client still has to say is not wanted (RFC 9113, 8.1), and an answer
    /// that is not whole is cut.
    pub(super) fn leave(&mut self, at: usize, unread: usize) {
        if !self.over {
            let is_whole = self.slots.get(at).is_some_and(|slot| slot.answer == Answer::Whole);
            let code = if is_whole { Code::None } else { Code::Cancel };
            self.reset(at, code, Over::Reset);
        }
        if let Some(slot) = self.slots.get(at) {
            self.called -= usize::from(std::mem::take(&mut slot.called));
            slot.queued = None;
            let inbox = std::mem::take(&mut slot.inbox);
            self.take(None, unread + inbox.len());
            self.give_back(inbox);
        }
        self.slots.release(at);
        self.touch();
    }

    /// Lets go of what a connection without streams does not need.
    pub(super) fn rest(&mut self) {
        self.outbox.rest();
        self.slots.rest();
        self.queue = VecDeque::new();
    }

    /// Gives a buffer for a body back.
    pub(super) fn give_back(&self, buffer: Vec<u8>) {
        if buffer.capacity() > 0 {
            self.stock.give_back(buffer);
        }
    }
}

/// Empties a buffer for a body, to be filled again.
pub(super) fn empty(buffer: &mut Vec<u8>) {
    if buffer.capacity() > LARGE {
        *buffer = Vec::new();
    }
    buffer.clear();
}
