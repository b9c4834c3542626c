//! A scene: what the marks of a generation and the state of its backends are supposed to be.

use nearside_core::generation::{Backend, Drain, PinnedSessions};
use nearside_core::place::{Place, Position};
use nearside_core::{BackendId, Generation, RegionId, State, Verdict};
use std::time::Duration;

/// A world to ask about.
#[derive(Clone, Debug)]
pub struct Scene<'g> {
    /// The marks.
    pub generation: &'g Generation,
    /// The backends, by [`BackendId`].
    pub states: Vec<State>,
    /// Where clients come in.
    pub entrance: Entrance,
}

/// Where clients come in, and so what is near.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Entrance {
    /// At a PoP where they are: the distance from there tells what is near. Where that or a region's place is not known,
    /// all are equally near.
    AtTheirPlace,
    /// At one PoP, which stands there.
    At(Position),
    /// At one PoP that has measured the round trips: those of the states.
    Measured,
}

impl<'g> Scene<'g> {
    /// All backends are well.
    #[must_use]
    pub fn well(generation: &'g Generation, entrance: Entrance) -> Self {
        let state = State { verdict: Verdict::Healthy, rtt_micros: Some(1), ..State::default() };
        Self { generation, states: vec![state; generation.backends.len()], entrance }
    }

    /// The same with all backends of these regions down.
    #[must_use]
    pub fn losing(&self, lost: &[RegionId]) -> Self {
        let mut next = self.clone();
        for (state, backend) in next.states.iter_mut().zip(&self.generation.backends) {
            if lost.contains(&backend.region) {
                *state = State { verdict: Verdict::Unhealthy, ..*state };
            }
        }
        next
    }

    /// Whether new requests may go to `region` at all.
    pub(crate) fn is_open(&self, region: RegionId) -> bool {
        let mut own = self.generation.backends.iter().zip(&self.states);
        own.any(|(backend, state)| {
            let is_well = state.verdict != Verdict::Unhealthy && !state.ejected;
            backend.region == region && is_well && self.generation.drain_of(backend).is_none()
        })
    }

    /// The backends as a client at `place` finds them.
    pub(crate) fn states_at(&self, place: &Place) -> Vec<State> {
        let from = match self.entrance {
            Entrance::AtTheirPlace => place.position,
            Entrance::At(position) => Some(position),
            Entrance::Measured => return self.states.clone(),
        };
        let trip = |backend: &Backend| {
            let region = self.generation.region(backend.region)?;
            Some(from?.round_trip_micros(region.place.as_ref()?.position?))
        };
        let trips: Vec<Option<u32>> = self.generation.backends.iter().map(trip).collect();
        // A region whose place nobody has declared is no farther for that.
        let known = trips.iter().all(Option::is_some);
        let near = |(state, trip): (&State, &Option<u32>)| State {
            rtt_micros: if known { *trip } else { Some(1) },
            ..*state
        };
        self.states.iter().zip(&trips).map(near).collect()
    }
}

/// Marks the region, or else the backend, of this name or key drained in `generation`; whether there is one.
pub fn mark(generation: &mut Generation, name: &str, reason: &str) -> bool {
    let drain = Drain {
        reason: reason.into(),
        by: None,
        until: None,
        grace: Duration::ZERO,
        pinned_sessions: PinnedSessions::Move,
    };
    if let Some(region) = generation.regions.iter_mut().find(|region| &*region.name == name) {
        region.drain = Some(drain);
        return true;
    }
    let named = |backend: &&mut Backend| &*backend.name == name || backend.key.as_str() == name;
    let mut backends = generation.backends.edit();
    let backend = backends.iter_mut().find(named);
    backend.map(|backend| backend.drain = Some(drain)).is_some()
}

/// Where a backend stands.
pub(crate) fn region_of(generation: &Generation, backend: BackendId) -> Option<RegionId> {
    generation.backend(backend).map(|backend| backend.region)
}
