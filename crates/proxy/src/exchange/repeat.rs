//! Whether a failed try is repeated (SPEC, section 4).

use nearside_core::policy::Retry;

/// How a try failed before an answer reached the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cause {
    /// The backend has said that it never looked at the request.
    Unseen,
    /// A kept connection closed before the first byte of an answer: the backend may have closed it while the
    /// request was on its way.
    StaleReset,
    /// A connection closed, or the answer broke the rules.
    Reset,
    /// No answer in time.
    Timeout,
    /// No answer yet, and the backend was marked down: as good as a connection that closed.
    Hung,
    /// An answer with this status.
    Status(u16),
}

/// What is done about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Then {
    /// The same again, on a connection of its own.
    Afresh,
    /// The next candidate.
    Elsewhere,
    /// Nothing: the client is told.
    GiveUp,
}

/// What counts for the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation<'a> {
    pub(super) retry: &'a Retry,
    /// Whether the pool repeats the request's method.
    pub(super) idempotent: bool,
    /// Repeats so far that counted.
    pub(super) repeats: u32,
    /// Whether the body can be sent again.
    pub(super) replayable: bool,
}

/// Decides what follows a failed try, before the budget is asked. No POST ever arrives twice: what the backend may
/// have seen is repeated for idempotent methods only.
pub(super) fn after(cause: Cause, now: &Situation<'_>) -> Then {
    let retry = now.retry;
    if !now.replayable {
        return Then::GiveUp;
    }
    let idempotent = now.idempotent;
    let listed = match cause {
        Cause::Unseen => return Then::Elsewhere,
        Cause::StaleReset if idempotent => return Then::Afresh,
        Cause::StaleReset | Cause::Reset | Cause::Hung => retry.when.reset,
        Cause::Timeout => retry.when.timeout,
        Cause::Status(status) => retry.when.statuses.contains(&status),
    };
    if listed && idempotent && now.repeats < retry.max { Then::Elsewhere } else { Then::GiveUp }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_core::policy::RetryWhen;

    fn check(cause: Cause, method: &str, repeats: u32, replayable: bool, expected: Then) {
        let when = RetryWhen { connect: true, reset: true, timeout: false, statuses: Box::new([503]) };
        let retry = Retry { when, ..Retry::default() };
        let now = Situation { retry: &retry, idempotent: method != "POST", repeats, replayable };
        assert_eq!(after(cause, &now), expected, "{cause:?} {method} {repeats} {replayable}");
    }

    #[test]
    fn what_was_never_seen_is_repeated_for_any_method_and_any_number_of_times() {
        check(Cause::Unseen, "POST", 9, true, Then::Elsewhere);
        check(Cause::Unseen, "POST", 0, false, Then::GiveUp);
    }

    #[test]
    fn what_may_have_been_seen_is_repeated_for_idempotent_methods_within_the_bound() {
        check(Cause::Reset, "GET", 0, true, Then::Elsewhere);
        check(Cause::Reset, "GET", 1, true, Then::GiveUp);
        check(Cause::Reset, "POST", 0, true, Then::GiveUp);
        check(Cause::Reset, "PUT", 0, false, Then::GiveUp);
        check(Cause::Status(503), "GET", 0, true, Then::Elsewhere);
        check(Cause::Status(500), "GET", 0, true, Then::GiveUp);
        check(Cause::Timeout, "GET", 0, true, Then::GiveUp);
        check(Cause::Hung, "GET", 0, true, Then::Elsewhere);
        check(Cause::Hung, "POST", 0, true, Then::GiveUp);
    }

    #[test]
    fn a_stale_connection_costs_an_idempotent_request_nothing_and_a_post_is_not_risked() {
        check(Cause::StaleReset, "GET", 1, true, Then::Afresh);
        check(Cause::StaleReset, "POST", 0, true, Then::GiveUp);
    }
}
