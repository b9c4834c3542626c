//! Whose fault it is that a try broke: what a client did wrong or gave up counts against no backend.

use super::End;
use super::pump::{Broken, Wait};
use super::repeat::Cause;
use crate::side::{BackendError, Client, ClientError};
use nearside_core::Reason;
use nearside_health::Fault;

/// Who broke a try.
pub(super) enum Blame {
    /// The client, or nobody: the request's own time is over, or it was ended from here.
    Client(Reason),
    /// The backend.
    Backend(Cause, Fault, Reason),
}

/// Who broke this one. `stale`: on a kept connection, before anything of an answer.
pub(super) fn blame(broken: &Broken, stale: bool) -> Blame {
    match broken {
        Broken::Client(ClientError::Gone) => Blame::Client(Reason::FailedClientGone),
        Broken::Client(ClientError::Malformed(_)) => Blame::Client(Reason::RefusedMalformed),
        Broken::Client(ClientError::TooLarge) => Blame::Client(Reason::RefusedTooLarge),
        Broken::Late(Wait::Client) => Blame::Client(Reason::RefusedTimeout),
        // Whether there is a WebSocket at a path is no question of health.
        Broken::NoTunnel => Blame::Client(Reason::FailedProtocol),
        Broken::Ended(cause) => Blame::Client(cause.refusal()),
        Broken::Over => Blame::Client(Reason::FailedTimeout),
        Broken::Late(Wait::Backend) => Blame::Backend(Cause::Timeout, Fault::Timeout, Reason::FailedTimeout),
        Broken::Hung => Blame::Backend(Cause::Hung, Fault::Timeout, Reason::FailedTimeout),
        Broken::Status(status) => {
            Blame::Backend(Cause::Status(*status), Fault::Status(*status), Reason::FailedReset)
        }
        Broken::Backend(error) => {
            let (cause, fault) = match error {
                BackendError::Unseen => (Cause::Unseen, Fault::Reset),
                BackendError::Reset if stale => (Cause::StaleReset, Fault::Reset),
                BackendError::Reset => (Cause::Reset, Fault::Reset),
                BackendError::Protocol => (Cause::Reset, Fault::Protocol),
            };
            Blame::Backend(cause, fault, error.reason())
        }
    }
}

/// How a request ends for which nothing more is done.
pub(super) fn unfinished<C: Client>(client: &C, reason: Reason) -> End {
    if client.is_answered() { End::Cut(reason) } else { End::Unanswered(reason) }
}
