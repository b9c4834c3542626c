//! What ends a stream from here, although both its sides would go on.

use crate::request::Visit;
use nearside_core::{BackendId, Reason};
use nearside_health::Mark;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::watch;

/// Why a stream is ended from here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cause {
    /// Nothing has come for as long as the pool allows.
    Idle,
    /// The grace of a mark on its backend or region has ended.
    Drained,
    /// The process ends, and its deadline has passed.
    Shutdown,
}

impl Cause {
    /// The reason that log and metrics give for an answer that had begun.
    pub(super) fn reason(self) -> Reason {
        match self {
            Self::Drained => Reason::ExcludedDrained,
            Self::Idle | Self::Shutdown => Reason::FailedTimeout,
        }
    }

    /// The reason for a request that was not answered yet.
    pub(super) fn refusal(self) -> Reason {
        match self {
            Self::Drained => Reason::RefusedDrained,
            Self::Idle | Self::Shutdown => Reason::FailedTimeout,
        }
    }

    /// What a gRPC client is told.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Drained => "the backend is drained",
            Self::Idle => "the stream was idle",
            Self::Shutdown => "the server shuts down",
        }
    }
}

/// Waits for what ends a stream to a backend, other than its idleness.
pub(super) struct Ending(Pin<Box<dyn Future<Output = Cause> + Send>>);

impl Ending {
    /// What ends a stream of `visit` to `backend`. Of a generation that is live no longer it is the backend and the
    /// region of then that count.
    pub(super) fn of(visit: &Visit<'_>, backend: BackendId) -> Self {
        let marks = visit.live.evidence.marks(backend).unwrap_or_default();
        Self(Box::pin(first(marks, visit.worker.curfew())))
    }

    /// Ready once the stream has to end; to be asked again until then.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Cause> {
        self.0.as_mut().poll(cx)
    }
}

async fn first([region, own]: [Arc<Mark>; 2], mut curfew: watch::Receiver<bool>) -> Cause {
    let curfew = async {
        // An error means that the worker has gone, and everything with it.
        drop(curfew.wait_for(|ends| *ends).await);
    };
    tokio::select! {
        () = region.outlived() => Cause::Drained,
        () = own.outlived() => Cause::Drained,
        () = curfew => Cause::Shutdown,
    }
}
