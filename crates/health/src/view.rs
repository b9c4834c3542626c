//! The view: the evidence as one generation indexes it.

use crate::cell::{Cell, Memory};
use crate::change::Change;
use crate::clock::Clock;
use crate::count::{Count, InFlight};
use crate::mark::Mark;
use crate::marks::Marks;
use crate::meter::Meter;
use crate::name::Name;
use crate::pool::{Place, PoolCell};
use nearside_core::candidates::Set;
use nearside_core::generation::Drain;
use nearside_core::{BackendId, Evidence, Generation, Now, PoolId, RegionId, RouteId, State};
use std::cell::Cell as Once;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Instant;

/// The evidence of one generation's backends, by their ids. Reading it takes no lock and allocates nothing.
#[derive(Debug)]
pub struct View {
    pub(crate) generation: Arc<Generation>,
    pub(crate) entries: Box<[Entry]>,
    pub(crate) pools: Box<[Arc<PoolCell>]>,
    pub(crate) routes: Box<[Arc<Count>]>,
    pub(crate) regions: Box<[Arc<Mark>]>,
    /// What each region is offered, where the capacity of any is declared.
    pub(crate) meters: Box<[(RegionId, Arc<Meter>)]>,
    pub(crate) marks: Marks,
    pub(crate) clock: Clock,
    pub(crate) changes: broadcast::Sender<Change>,
}

/// One backend.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) cell: Arc<Cell>,
    pub(crate) name: Arc<Name>,
    /// The round trip by distance, in microseconds.
    pub(crate) estimate: Option<u32>,
    /// When its mark's grace ends, where it is marked.
    pub(crate) grace_ends: Option<Now>,
}

impl Entry {
    /// The round trip while no measured one stands: by distance, or, where the region's place is not known, as it was last.
    pub(crate) fn guess(&self) -> Option<u32> {
        self.estimate.or_else(|| self.cell.last_rtt())
    }
}

impl View {
    /// The generation that this indexes.
    #[must_use]
    pub fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    /// The time by the registry's clock.
    #[must_use]
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// The time at that moment.
    #[must_use]
    pub fn at(&self, moment: Instant) -> Now {
        self.clock.at(moment)
    }

    /// Every change from now on, of later generations' backends too.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// What is known of `backend`.
    #[must_use]
    pub fn cell(&self, backend: BackendId) -> Option<&Arc<Cell>> {
        self.entries.get(backend.index()).map(|entry| &entry.cell)
    }

    /// A place at `backend` for a request, unless its `max_in_flight` are taken.
    #[must_use]
    pub fn enter(&self, backend: BackendId) -> Option<Place> {
        let declared = self.generation.backend(backend)?;
        let limit = declared.max_in_flight;
        Place::at(self.cell(backend)?, limit, limit.and_then(|_| self.pool(declared.pool)))
    }

    /// The counters of `pool`.
    #[must_use]
    pub fn pool(&self, pool: PoolId) -> Option<&Arc<PoolCell>> {
        self.pools.get(pool.index())
    }

    /// The addresses of `backend` as last resolved, IPv6 and IPv4 in turn; none before the first answer, nor
    /// of a Unix socket.
    #[must_use]
    pub fn addresses(&self, backend: BackendId) -> Arc<[SocketAddr]> {
        self.entries.get(backend.index()).map_or_else(Arc::default, |entry| entry.name.addresses())
    }

    /// Counts a request of `route` in until the guard is dropped, unless `limit` are in flight.
    #[must_use]
    pub fn enter_route(&self, route: RouteId, limit: Option<u32>) -> Option<InFlight> {
        self.routes.get(route.index())?.try_enter(limit.unwrap_or(u32::MAX))
    }

    /// Counts a request that began at `moment` for the regions that it was offered to, where the capacity of any region
    /// is declared. A repeat is part of its request.
    pub fn offer(&self, regions: &Set, moment: Instant) {
        for (id, meter) in &self.meters {
            if regions.holds(id.index()) {
                meter.count(self.at(moment));
            }
        }
    }

    /// Requests a second that this PoP has for `region` of late, those included that spill over; `None` where no
    /// region's capacity is declared, and nothing is counted.
    #[must_use]
    pub fn rate(&self, region: RegionId) -> Option<u64> {
        let own = self.meters.iter().find(|(id, _)| *id == region);
        own.map(|(_, meter)| meter.rate(self.now()))
    }

    /// What a successor is to know of the backends.
    #[must_use]
    pub fn memories(&self) -> Vec<Memory> {
        let each = self.entries.iter();
        each.map(|entry| entry.cell.memory(entry.name.addresses().to_vec())).collect()
    }

    /// Since when the region of this name, or the backend of this key, is marked, if it is.
    #[must_use]
    pub fn marked_since(&self, name: &str) -> Option<Now> {
        self.marks.since(name)
    }

    /// When the grace of `drain` ends for sessions, the mark on the region of this name or the backend of this key. Where
    /// it was there when the process began that is over.
    #[must_use]
    pub fn grace_ends(&self, name: &str, drain: &Drain) -> Option<Now> {
        self.marks.grace_of(name, drain)
    }

    /// Since when each region (by its name) and each backend (by its key) is marked that is.
    pub fn marked(&self) -> impl Iterator<Item = (&str, Now)> {
        self.marks.all()
    }

    /// Lets the generation's marks hold, and no others, from now on: to be called when it goes live.
    pub fn follow_marks(&self) {
        let now = self.now();
        let age = |name: &str| self.marks.since(name).map_or(Duration::ZERO, |since| now.since(since));
        for (region, mark) in self.generation.regions.iter().zip(&self.regions) {
            mark.follow(region.drain.as_ref().map(|drain| (drain.grace, age(&region.name))));
        }
        for (backend, entry) in self.generation.backends.iter().zip(&self.entries) {
            let age = || age(backend.key.as_str());
            entry.cell.mark().follow(backend.drain.as_ref().map(|drain| (drain.grace, age())));
        }
    }

    /// The marks that can end what `backend` serves: its region's, and its own.
    #[must_use]
    pub fn marks(&self, backend: BackendId) -> Option<[Arc<Mark>; 2]> {
        let region = self.generation.backend(backend)?.region;
        Some([self.regions.get(region.index())?, self.cell(backend)?.mark()].map(Arc::clone))
    }

    /// Waits until every name has been asked for once, with or without an answer.
    pub async fn resolved(&self) {
        for entry in &self.entries {
            entry.name.asked().await;
        }
    }
}

impl Evidence for View {
    fn state(&self, backend: BackendId, now: Now) -> State {
        let Some(entry) = self.entries.get(backend.index()) else { return State::default() };
        let state = entry.cell.state(now);
        let in_grace = entry.grace_ends.is_some_and(|end| now < end);
        let rtt_micros = state.rtt_micros.or_else(|| entry.guess());
        State { rtt_micros, in_grace, ..state }
    }

    fn turn(&self, pool: PoolId) -> u64 {
        self.pool(pool).map_or(0, |pool| pool.turn())
    }

    fn offered(&self, region: RegionId, now: Now) -> u64 {
        let own = self.meters.iter().find(|(id, _)| *id == region);
        own.map_or(0, |(_, meter)| meter.rate(now))
    }

    fn route_in_flight(&self, route: RouteId) -> u32 {
        self.routes.get(route.index()).map_or(0, |count| count.now())
    }
}

/// The evidence for one request: its first decision takes a turn, its repeats and its trace see the same one.
#[derive(Debug)]
pub struct ForRequest<'a> {
    view: &'a View,
    turn: Once<Option<u64>>,
}

impl<'a> ForRequest<'a> {
    /// The evidence for a request that took `turn` earlier, if it did.
    #[must_use]
    pub fn new(view: &'a View, turn: Option<u64>) -> Self {
        Self { view, turn: Once::new(turn) }
    }

    /// The turn that the request has taken: give it to its next decision.
    #[must_use]
    pub fn turn_taken(&self) -> Option<u64> {
        self.turn.get()
    }
}

impl Evidence for ForRequest<'_> {
    fn state(&self, backend: BackendId, now: Now) -> State {
        self.view.state(backend, now)
    }

    fn turn(&self, pool: PoolId) -> u64 {
        let turn = self.turn.get().unwrap_or_else(|| self.view.pool(pool).map_or(0, |pool| pool.take_turn()));
        self.turn.set(Some(turn));
        turn
    }

    fn offered(&self, region: RegionId, now: Now) -> u64 {
        self.view.offered(region, now)
    }

    fn route_in_flight(&self, route: RouteId) -> u32 {
        self.view.route_in_flight(route)
    }
}

#[cfg(test)]
mod tests;
