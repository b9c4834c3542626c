//! The vigil of a try: what is made of a backend that stays silent, or crawls, for longer than its like.
//!
//! It costs a try that is answered in time two assignments. Only a request that has waited for a while looks at the
//! clock, says what it sees, and has itself woken when its backend is marked down.

use nearside_core::BackendId;
use nearside_health::{LEAST, View};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Instant;

/// What a look finds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    /// No connection yet.
    Connecting,
    /// No head of an answer yet.
    Silent,
    /// An answer that has hardly begun and is waited for.
    Crawling,
    /// Nothing to say against the backend.
    Busy,
}

/// The vigil over one try.
#[derive(Debug)]
pub(super) struct Vigil<'v> {
    evidence: &'v View,
    backend: BackendId,
    since: Option<Instant>,
    next: Option<Instant>,
    noted: bool,
    /// Boxed, because hardly any try needs it.
    fell: Option<Pin<Box<OwnedNotified>>>,
}

impl<'v> Vigil<'v> {
    /// Over a try at `backend`; the clock does not run yet.
    pub(super) fn new(evidence: &'v View, backend: BackendId) -> Self {
        Self { evidence, backend, since: None, next: None, noted: false, fell: None }
    }

    /// The backend has all that it needs, and nothing holds it up but itself.
    pub(super) fn begin(&mut self, now: Instant) {
        if self.since.is_none() {
            self.since = Some(now);
            self.next = Some(now + LEAST);
        }
    }

    /// When to look.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Looks again `after` from `now`, at a backend that is down.
    pub(super) fn again(&mut self, now: Instant, after: Duration) {
        self.next = Some(now + after);
    }

    /// Looks no more.
    pub(super) fn end(&mut self) {
        self.next = None;
        self.fell = None;
    }

    /// Whether the backend was out of line.
    pub(super) fn noted(&self) -> bool {
        self.noted
    }

    /// The final head has come.
    pub(super) fn answered(&mut self, at: Instant) {
        let waited = self.since.map(|since| at.saturating_duration_since(since)).filter(|_| !self.noted);
        self.evidence.answered(self.backend, waited, at);
        self.fell = None;
    }

    /// Ready when the backend was marked down: look at once.
    pub(super) fn poll_fell(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(fell) = &mut self.fell else { return Poll::Pending };
        let poll = fell.as_mut().poll(cx);
        if poll.is_ready() {
            self.fell = None;
        }
        poll
    }

    /// Says what is seen of the backend, once it is out of line. Whether the request should leave if it can: the
    /// backend is silent and marked down.
    pub(super) fn look(&mut self, now: Instant, seen: Seen) -> bool {
        let Some(since) = self.since else { return false };
        self.next = None;
        if seen == Seen::Busy {
            self.end();
            return false;
        }
        if !self.noted {
            let (waited, allowed) = (now - since, self.evidence.out_of_line(self.backend));
            if waited < allowed {
                self.next = Some(since + allowed);
            } else {
                self.note(seen, since, waited);
            }
        }
        if seen == Seen::Crawling {
            return false;
        }
        // Listens before it asks, so that no fall is missed.
        if self.fell.is_none()
            && let Some(cell) = self.evidence.cell(self.backend)
        {
            let mut fell = Box::pin(Arc::clone(cell.fell()).notified_owned());
            fell.as_mut().enable();
            self.fell = Some(fell);
        }
        self.evidence.is_down(self.backend)
    }

    fn note(&mut self, seen: Seen, since: Instant, waited: Duration) {
        self.noted = true;
        // A connection may be waited for because all are in use, which is no one's pace.
        if seen != Seen::Connecting {
            self.evidence.late(self.backend, waited);
        }
        if seen != Seen::Crawling {
            self.evidence.hangs(self.backend, since);
        }
    }
}
