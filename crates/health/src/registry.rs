//! The registry: all evidence of this PoP, under keys that outlive generations.

use crate::cell::{Cell, Memory};
use crate::change::Change;
use crate::clock::Clock;
use crate::count::Count;
use crate::mark::Mark;
use crate::marks::Marks;
use crate::meter::Meter;
use crate::name::Name;
use crate::pool::PoolCell;
use crate::view::{Entry, View};
use nearside_core::generation::{Backend, Generation, Region};
use nearside_core::place::Position;
use nearside_core::{BackendKey, Now, RegionId};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Changes that a slow listener may lag behind before it misses some.
const CHANGES: usize = 1024;

/// All evidence of this PoP.
#[derive(Debug)]
pub struct Registry {
    clock: Clock,
    changes: broadcast::Sender<Change>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    cells: HashMap<BackendKey, Arc<Cell>>,
    names: HashMap<(Box<str>, u16), Arc<Name>>,
    pools: HashMap<Arc<str>, Arc<PoolCell>>,
    routes: HashMap<Arc<str>, Arc<Count>>,
    meters: HashMap<Arc<str>, Arc<Meter>>,
    marks: Marks,
    /// What a predecessor knew, until the first view has taken it up.
    memories: HashMap<String, Memory>,
    regions: HashMap<Arc<str>, Arc<Mark>>,
}

impl Registry {
    /// A registry that knows nothing yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, changes: broadcast::Sender::new(CHANGES), kept: Mutex::default() }
    }

    /// The time by this registry's clock: the one to decide with.
    #[must_use]
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// Every change from now on.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Takes up what a predecessor knew; to be called before the first view.
    pub fn recall(&self, memories: Vec<Memory>) {
        let mut kept = self.kept.lock();
        kept.memories = memories.into_iter().map(|memory| (memory.key.clone(), memory)).collect();
    }

    /// Takes up since when a predecessor has seen marks, by the name of the region or the key of the backend; to be
    /// called before the first view. The grace of a mark that nobody has seen begin is over.
    pub fn recall_marks(&self, since: HashMap<Arc<str>, Now>) {
        self.kept.lock().marks.recall(since);
    }

    /// The evidence as `generation` indexes it. `pop` is where this PoP stands: it estimates the round trips
    /// that are not measured yet.
    ///
    /// What is known under the same key is taken over; what no view uses any more is forgotten.
    #[must_use]
    pub fn view(&self, generation: &Arc<Generation>, pop: Option<Position>) -> View {
        let mut guard = self.kept.lock();
        let kept = &mut *guard;
        let now = self.now();
        kept.marks.follow(generation, now);
        let entry = |kept: &mut Kept, backend: &Backend| {
            let memory = kept.memories.remove(backend.key.as_str());
            let new_cell = || {
                let cell = Cell::new(backend.key.clone(), now);
                memory.iter().for_each(|memory| cell.recall(memory));
                cell
            };
            let place = (backend.endpoint.host.clone(), backend.endpoint.port);
            let entry = Entry {
                cell: shared(&mut kept.cells, &backend.key, new_cell),
                name: shared(&mut kept.names, &place, || Name::new(&backend.endpoint)),
                estimate: estimate(generation, backend, pop),
                grace_ends: kept.marks.grace_ends(generation, backend),
            };
            memory.iter().for_each(|memory| entry.name.recall(&memory.addresses));
            if let Some(pool) = generation.pool(backend.pool) {
                entry.cell.probed_each(pool.probe.interval);
            }
            entry
        };
        let entries = generation.backends.iter().map(|backend| entry(kept, backend)).collect();
        let pools =
            generation.pools.iter().map(|pool| shared(&mut kept.pools, &pool.name, PoolCell::default));
        let pools = pools.collect();
        let routes = generation.routes.routes().iter();
        let routes = routes.map(|route| shared(&mut kept.routes, &route.id, Count::default)).collect();
        let regions = generation.regions.iter();
        let regions = regions.map(|region| shared(&mut kept.regions, &region.name, Mark::default)).collect();
        // Where one region's load counts, that of the others does too: it may come to it.
        let counts = generation.regions.iter().any(|region| region.capacity.is_some());
        let counted = generation.regions.iter().enumerate().filter(|_| counts);
        let meter = |(index, region): (usize, &Region)| {
            (RegionId::new(index), shared(&mut kept.meters, &region.name, Meter::default))
        };
        let meters = counted.map(meter).collect();
        kept.memories.clear();
        kept.forget();
        let (clock, changes, marks) = (self.clock, self.changes.clone(), kept.marks.clone());
        let generation = Arc::clone(generation);
        View { generation, entries, pools, routes, regions, meters, marks, clock, changes }
    }
}

impl Kept {
    fn forget(&mut self) {
        self.cells.retain(|_, value| Arc::strong_count(value) > 1);
        self.names.retain(|_, value| Arc::strong_count(value) > 1);
        self.pools.retain(|_, value| Arc::strong_count(value) > 1);
        self.routes.retain(|_, value| Arc::strong_count(value) > 1);
        self.regions.retain(|_, value| Arc::strong_count(value) > 1);
        self.meters.retain(|_, value| Arc::strong_count(value) > 1);
    }
}

fn shared<K: Clone + Eq + Hash, V>(map: &mut HashMap<K, Arc<V>>, key: &K, new: impl FnOnce() -> V) -> Arc<V> {
    if let Some(value) = map.get(key) {
        return Arc::clone(value);
    }
    let value = Arc::new(new());
    map.insert(key.clone(), Arc::clone(&value));
    value
}

/// The round trip in microseconds by distance.
fn estimate(generation: &Generation, backend: &Backend, pop: Option<Position>) -> Option<u32> {
    let region = generation.region(backend.region)?;
    Some(pop?.round_trip_micros(region.place.as_ref()?.position?))
}
