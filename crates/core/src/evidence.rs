//! What this PoP knows of its backends at one moment.

use crate::id::{BackendId, PoolId, RegionId, RouteId};
use crate::time::Now;

/// This PoP's opinion of a backend.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Verdict {
    /// Its probes succeed.
    Healthy,
    /// Its probes fail.
    Unhealthy,
    /// No verdict has been reached yet: usable, last in its tier.
    #[default]
    Unknown,
}

impl Verdict {
    /// The verdict in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }
}

/// One backend's state, read once per decision so that one decision sees one state.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct State {
    /// What its probes say.
    pub verdict: Verdict,
    /// Removed on live evidence.
    pub ejected: bool,
    /// Requests hang on it while others answer: avoided while anything else is usable.
    pub suspected: bool,
    /// Recovered, and held back until it has been well for a while.
    pub held: bool,
    /// How much of its weight it takes after a recovery, in thousandths; `None` is all of it.
    pub ramp: Option<u16>,
    /// Its mark, or its region's, is so new that grace still runs.
    pub in_grace: bool,
    /// Round trip from this PoP in microseconds: measured, or estimated by distance; `None` when neither is known.
    pub rtt_micros: Option<u32>,
    /// Requests it is answering now, as this PoP counts them.
    pub in_flight: u32,
}

/// Where a decision reads what is known of the backends.
pub trait Evidence {
    /// The state of `backend` at `now`.
    fn state(&self, backend: BackendId, now: Now) -> State;

    /// Whose turn it is in `pool`: a number that moves by one for each request that is not a repeat.
    fn turn(&self, pool: PoolId) -> u64;

    /// Requests a second that this PoP has for `region` of late, those included that spill over.
    fn offered(&self, region: RegionId, now: Now) -> u64;

    /// Requests in flight on `route`.
    fn route_in_flight(&self, route: RouteId) -> u32;
}
