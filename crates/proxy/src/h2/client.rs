//! A client's stream: its request's body comes in, its answer goes out.

use crate::h2::hub::{Hub, State, empty};
use crate::h2::inbound::Opened;
use crate::h2::sending::Stopped;
use crate::h2::slots::{Answer, Over};
use crate::side::{Client, ClientError, Fill, Length, Sink, Source};
use nearside_http::h2::Code;
use nearside_http::{Edits, Fields, Method, RequestHead, ResponseHead, Upgrade};
use parking_lot::MutexGuard;
use std::sync::Arc;
use std::task::{Context, Poll};

/// When so much of a large chunk was consumed the windows are opened again.
const STEP: usize = 32 * 1024;

/// The client's side of one exchange on an HTTP/2 connection.
#[derive(Debug)]
pub struct Stream {
    head: Box<RequestHead>,
    handle: Handle,
    /// Whether the body has ended with what is in the handle's chunk.
    ended: bool,
    trailers: Option<Box<Fields>>,
    body: Body,
    /// Whether the client waits for 100 before it sends the body.
    expects: bool,
    /// Whether what the client sends is left alone: it asks for a tunnel that is not granted yet.
    held: bool,
}

/// What is written of the answer's body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Body {
    /// The answer was not begun.
    Awaited,
    /// Nothing: the head said that there is none. What is written all the same is dropped, as the body of an answer to HEAD is.
    Nothing,
    /// What comes, of which so much is due where the head said how long the body is.
    Open(Option<u64>),
    /// It has ended.
    Ended,
}

/// A hold on the stream's slot. What the client has sent is fetched out of it a chunk at a time.
#[derive(Debug)]
struct Handle {
    hub: Arc<Hub>,
    at: usize,
    chunk: Vec<u8>,
    /// How much of the chunk was consumed, and of that, for how much the windows were opened again.
    consumed: usize,
    opened: usize,
}

impl Handle {
    fn data(&self) -> &[u8] {
        self.chunk.get(self.consumed..).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.hub.lock()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let chunk = std::mem::take(&mut self.chunk);
        let mut state = self.lock();
        state.leave(self.at, chunk.len() - self.opened);
        state.give_back(chunk);
    }
}

impl Stream {
    /// The stream that was opened just now.
    pub(super) fn new(hub: Arc<Hub>, opened: Opened) -> Self {
        let Opened { at, head, end } = opened;
        Self {
            expects: head.expects_continue(),
            held: head.upgrade() == Upgrade::WebSocket,
            head,
            handle: Handle { hub, at, chunk: Vec::new(), consumed: 0, opened: 0 },
            ended: end,
            trailers: None,
            body: Body::Awaited,
        }
    }

    /// Ends it; the head, to be given back.
    pub(super) fn into_head(self) -> Box<RequestHead> {
        self.head
    }

    fn reset(&mut self, code: Code) {
        self.body = Body::Ended;
        self.handle.lock().reset(self.handle.at, code, Over::Reset);
    }

    /// Writes a head, under this status and with this length.
    fn write(&self, (head, edits): (&ResponseHead, &Edits), told: (u16, Option<u64>), end: bool) {
        self.handle
            .lock()
            .write_block(self.handle.at, end, |encoder, out| head.pack(edits, told, encoder, out));
    }
}

impl Source for Stream {
    type Error = ClientError;

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<Fill, ClientError>> {
        if !self.handle.data().is_empty() && !self.held {
            return Poll::Ready(Ok(Fill::Data));
        }
        if self.held || self.ended {
            return Poll::Ready(Ok(Fill::End));
        }
        let Handle { hub, at, chunk, .. } = &mut self.handle;
        let mut state = hub.lock();
        let Some(slot) = state.slots.get(*at) else { return Poll::Ready(Err(ClientError::Gone)) };
        let filled = !slot.inbox.is_empty();
        match slot.over {
            Some(Over::Malformed(refusal)) => return Poll::Ready(Err(ClientError::Malformed(refusal))),
            Some(Over::Reset) => return Poll::Ready(Err(ClientError::Gone)),
            Some(Over::Gone) if !filled => return Poll::Ready(Err(ClientError::Gone)),
            Some(Over::Gone) | None => {}
        }
        std::mem::swap(chunk, &mut slot.inbox);
        if slot.ended && slot.refused.is_none() {
            self.ended = true;
            self.trailers = slot.trailers.take();
        }
        match slot.refused {
            _ if filled => Poll::Ready(Ok(Fill::Data)),
            _ if self.ended => Poll::Ready(Ok(Fill::End)),
            Some(refusal) => Poll::Ready(Err(ClientError::Malformed(refusal))),
            None => {
                slot.wait(cx);
                if std::mem::take(&mut self.expects) && self.body == Body::Awaited {
                    state.write_block(*at, false, |encoder, out| {
                        encoder.begin(out);
                        encoder.status(100, out);
                    });
                }
                Poll::Pending
            }
        }
    }

    fn data(&self) -> &[u8] {
        if self.held { &[] } else { self.handle.data() }
    }

    fn consume(&mut self, count: usize) {
        let Handle { hub, at, chunk, consumed, opened } = &mut self.handle;
        *consumed = chunk.len().min(*consumed + count);
        let is_empty = *consumed == chunk.len();
        if *consumed > *opened && (is_empty || *consumed - *opened >= STEP) {
            hub.lock().take(Some(*at), *consumed - *opened);
            *opened = *consumed;
        }
        if is_empty {
            (*consumed, *opened) = (0, 0);
            empty(chunk);
        }
    }

    fn is_end(&self) -> bool {
        self.held || self.ended && self.handle.data().is_empty()
    }

    fn trailers(&mut self) -> Option<&Fields> {
        self.trailers.as_deref()
    }
}

impl Sink for Stream {
    type Error = ClientError;

    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, ClientError>> {
        let due = match &mut self.body {
            Body::Nothing => return Poll::Ready(Ok(data.len())),
            Body::Awaited | Body::Ended => return Poll::Ready(Err(ClientError::Gone)),
            Body::Open(due) => due,
        };
        let most = due.and_then(|due| usize::try_from(due).ok()).unwrap_or(usize::MAX);
        let data = data.get(..most).unwrap_or(data);
        if data.is_empty() {
            let is_due = most > 0;
            return Poll::Ready(if is_due { Ok(0) } else { Err(ClientError::Gone) });
        }
        self.handle.lock().poll_data(self.handle.at, data, cx).map(|taken| match taken {
            Ok(count) => {
                *due = due.map(|due| due.saturating_sub(count as u64));
                Ok(count)
            }
            Err(Stopped) => Err(ClientError::Gone),
        })
    }

    fn finish(&mut self, trailers: Option<&Fields>) {
        match self.body {
            Body::Open(Some(1..)) => self.reset(Code::Internal),
            Body::Open(_) => {
                self.body = Body::Ended;
                self.handle.lock().finish(self.handle.at, trailers);
            }
            Body::Awaited | Body::Nothing | Body::Ended => {}
        }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        // The connection's task sends what was written.
        Poll::Ready(Ok(()))
    }
}

impl Client for Stream {
    fn head(&self) -> &RequestHead {
        &self.head
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.handle.lock();
        match state.slots.get(self.handle.at) {
            Some(slot) if slot.over.is_none() => {
                slot.wait(cx);
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    fn informational(&mut self, head: &ResponseHead, edits: &Edits) {
        if self.body == Body::Awaited {
            self.write((head, edits), (head.status(), None), false);
        }
    }

    fn answer(&mut self, head: &ResponseHead, edits: &Edits, length: Length) {
        if self.body != Body::Awaited {
            return;
        }
        let is_tunnel = length == Length::Tunnel;
        let bodiless = matches!(length, Length::None | Length::Known(0))
            || !is_tunnel && (self.head.method() == Method::Head || matches!(head.status(), 204 | 304));
        let (due, told) = match length {
            Length::None => (None, head.announced_length()),
            Length::Known(length) => (Some(length), Some(length)),
            Length::Unknown | Length::Tunnel => (None, None),
        };
        // A tunnel is granted by success, whatever the backend's protocol says.
        let status = if is_tunnel { 200 } else { head.status() };
        self.held &= !is_tunnel;
        self.body = if bodiless { Body::Nothing } else { Body::Open(due) };
        let mut state = self.handle.lock();
        if let Some(slot) = state.slots.get(self.handle.at) {
            slot.answer = Answer::Begun;
        }
        state.write_block(self.handle.at, bodiless, |encoder, out| {
            head.pack(edits, (status, told), encoder, out);
        });
    }

    fn is_answered(&self) -> bool {
        self.body != Body::Awaited
    }

    fn cancel(&mut self) {
        self.reset(Code::Cancel);
    }

    fn abort(&mut self) {
        self.reset(Code::Internal);
    }
}
