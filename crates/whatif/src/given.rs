//! Evidence that is given and stays: of a scene that is supposed, or of a moment that is over.

use nearside_core::{BackendId, Evidence, Now, PoolId, RegionId, RouteId, State};

/// What a decision is to take for known.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Each backend's state, in the generation's order; one that is missing is as one that nothing is known of.
    pub states: Vec<State>,
    /// What each region is offered, in the generation's order; none where it is missing.
    pub offered: Vec<u64>,
    /// Whose turn it is, in every pool.
    pub turn: u64,
}

impl Evidence for Given {
    fn state(&self, backend: BackendId, _now: Now) -> State {
        self.states.get(backend.index()).copied().unwrap_or_default()
    }

    fn turn(&self, _pool: PoolId) -> u64 {
        self.turn
    }

    fn offered(&self, region: RegionId, _now: Now) -> u64 {
        self.offered.get(region.index()).copied().unwrap_or(0)
    }

    fn route_in_flight(&self, _route: RouteId) -> u32 {
        0
    }
}
