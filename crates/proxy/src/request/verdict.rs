//! Verdict: what is done with a request.

use crate::page::Page;
use nearside_core::{Plan, Reason};
use nearside_health::InFlight;

/// What is done with a request once it was judged.
pub(super) enum Verdict {
    /// It is answered here, for this reason if it is not served. Boxed, as most requests are forwarded.
    Page(Box<Page>, Option<Reason>),
    /// It goes to a backend, and has its place among the route's requests in flight.
    Forward(Plan, Option<InFlight>),
}

impl Verdict {
    pub(super) fn page(page: Page, reason: Option<Reason>) -> Self {
        Self::Page(Box::new(page), reason)
    }
}
