//! Turns a checked document into a generation. It cannot fail: names resolve, because the check saw to it.

mod entrance;
mod policy;
mod routes;

use crate::check::Checked;
use crate::document::{self, Document};
use crate::source::Source;
use foldhash::{HashMap, HashMapExt};
use nearside_core::generation::{CertificateSource, Drain, Fleet, ListenerKind, Region};
use nearside_core::place::{Place, Position};
use nearside_core::table::Table;
use nearside_core::{BackendId, BackendKey, Generation, PoolId, RegionId};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Compiles a checked file. The generation's stamp has the hash of the file's text, and the number 0.
#[must_use]
pub fn compile(checked: Checked) -> (Generation, Source) {
    let stamp = checked.stamp();
    let Checked { document, source, .. } = checked;
    let mut pools = Pools::new(&document);
    for (name, pool) in &document.pools.0.0 {
        pools.add(&name.0, pool);
    }
    let routes = routes::compile(&document, &mut pools);
    let generation = Generation {
        stamp,
        fleet: Fleet { name: (&*document.fleet.name.0).into(), key_file: document.fleet.key_file.clone() },
        regions: document.regions.0.iter().map(|(name, declared)| region(&name.0, declared)).collect(),
        pools: pools.pools.into(),
        backends: pools.backends.into(),
        routes: Table::new(routes),
        listeners: document.listeners.0.iter().map(entrance::listener).collect(),
        tls: entrance::tls(&document.tls),
        shutdown: entrance::shutdown(&document.shutdown),
        observe: entrance::observe(&document.observe),
        checks: entrance::checks(&document.checks),
    };
    (generation, source)
}

/// Makes every path of a file in `generation` relative to `base`, where it is relative.
pub fn rebase(generation: &mut Generation, base: &Path) {
    let within = |path: &mut PathBuf| *path = base.join(&*path);
    generation.fleet.key_file.iter_mut().for_each(within);
    for listener in &mut generation.listeners {
        if let ListenerKind::Tls { client_ca: Some(path), .. } = &mut listener.kind {
            within(path);
        }
    }
    for pool in &mut generation.pools {
        pool.tls.ca.iter_mut().for_each(within);
        if let Some((cert, key)) = &mut pool.tls.client {
            within(cert);
            within(key);
        }
    }
    for source in &mut generation.tls.certificates {
        match source {
            CertificateSource::Pattern(path) => within(path),
            CertificateSource::Pair { cert, key, .. } => {
                within(cert);
                within(key);
            }
        }
    }
}

/// The pools and backends as they get their ids.
struct Pools<'a> {
    regions: HashMap<&'a str, RegionId>,
    ids: HashMap<Box<str>, PoolId>,
    pools: Vec<nearside_core::generation::Pool>,
    backends: Vec<nearside_core::generation::Backend>,
}

impl<'a> Pools<'a> {
    fn new(document: &'a Document) -> Self {
        let names = document.regions.0.iter().map(|(name, _)| &*name.0);
        let regions = names.enumerate().map(|(index, name)| (name, RegionId::new(index))).collect();
        Self { regions, ids: HashMap::new(), pools: Vec::new(), backends: Vec::new() }
    }

    fn add(&mut self, name: &str, pool: &document::Pool) -> PoolId {
        let id = PoolId::new(self.pools.len());
        let first = BackendId::new(self.backends.len());
        for backend in &pool.backends.0 {
            // The check refused references to regions that are not declared.
            if let Some(region) = self.regions.get(&*backend.region.0) {
                self.backends.push(compile_backend(name, backend, id, *region));
            }
        }
        let len = self.backends.len() - first.index();
        self.pools.push(policy::pool(name, pool, first, len));
        self.ids.insert(name.into(), id);
        id
    }
}

fn compile_backend(
    pool_name: &str,
    backend: &document::Backend,
    pool: PoolId,
    region: RegionId,
) -> nearside_core::generation::Backend {
    let name: Arc<str> = (*backend.name()).into();
    nearside_core::generation::Backend {
        key: BackendKey::new(pool_name, &name),
        name,
        endpoint: backend.url.endpoint.clone(),
        pool,
        region,
        priority: u8::try_from(backend.priority.0).unwrap_or(u8::MAX),
        weight: u16::try_from(backend.weight.0).unwrap_or(u16::MAX),
        max_in_flight: backend.max_in_flight.map(|limit| limit.0),
        drain: backend.drain.as_ref().map(drain),
    }
}

fn region(name: &str, region: &document::Region) -> Region {
    Region {
        name: name.into(),
        place: region.place.as_ref().map(place),
        drain: region.drain.as_ref().map(drain),
    }
}

fn place(place: &document::Place) -> Place {
    let declared = place.lat.zip(place.lon).and_then(|(lat, lon)| Position::new(lat.0, lon.0));
    Place {
        country: place.country,
        state: place.state.as_ref().map(|state| state.0.clone()),
        position: declared.or_else(|| place.country.position()),
    }
}

fn drain(document::Drain(mark): &document::Drain) -> Drain {
    Drain {
        reason: mark.reason.0.clone(),
        by: mark.by.as_ref().map(|by| by.0.clone()),
        until: mark.until.as_ref().map(|until| until.0.clone()),
        grace: mark.grace.0,
        pinned_sessions: mark.pinned_sessions,
    }
}
