//! Turns a checked document into a generation. It cannot fail: names resolve, because the check saw to it.

mod entrance;
mod law;
mod policy;
mod routes;

use crate::check::Checked;
use crate::document::{self, Document};
use crate::source::Source;
use foldhash::{HashMap, HashMapExt};
use nearside_core::generation::{CertificateSource, Drain, Fleet, ListenerKind, Region};
use nearside_core::home::HomeKey;
use nearside_core::place::{Place, Position, cloud};
use nearside_core::table::Table;
use nearside_core::{BackendId, Generation, PoolId, RegionId};
use std::path::{Path, PathBuf};

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
        fleet: Fleet {
            key_file: document.fleet.key_file.clone(),
            pops: document.fleet.pops.0,
            ..Fleet::new(&document.fleet.name.0)
        },
        regions: document.regions.0.iter().map(|(name, declared)| region(&name.0, declared)).collect(),
        geo: law::geo(&document.geo),
        classes: law::classes(&document),
        pools: pools.pools.into(),
        backends: pools.backends.into(),
        routes: Table::new(routes),
        listeners: document.listeners.0.iter().map(entrance::listener).collect(),
        limits: entrance::limits(&document.limits),
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
    generation.geo.tables.iter_mut().for_each(within);
    generation.observe.admin_token.iter_mut().for_each(within);
    generation.observe.access_log.path.iter_mut().for_each(within);
    if let Some(tracing) = &mut generation.observe.tracing {
        tracing.headers_file.iter_mut().for_each(within);
        tracing.ca.iter_mut().for_each(within);
    }
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
    for home in generation.routes.homes_mut() {
        match &mut home.verify {
            Some(HomeKey::Hmac(path) | HomeKey::Public(path)) => within(path),
            None => {}
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
    let endpoint = backend.url.endpoint.clone();
    nearside_core::generation::Backend {
        priority: u8::try_from(backend.priority.0).unwrap_or(u8::MAX),
        weight: u16::try_from(backend.weight.0).unwrap_or(u16::MAX),
        max_in_flight: backend.max_in_flight.map(|limit| limit.0),
        drain: backend.drain.as_ref().map(drain),
        ..nearside_core::generation::Backend::new((pool, pool_name), backend.name(), endpoint, region)
    }
}

fn region(name: &str, region: &document::Region) -> Region {
    let declared = region.place.as_ref().map(place);
    Region {
        place: declared.or_else(|| region.cloud.and_then(|name| cloud(name.0))),
        jurisdictions: region.jurisdictions.iter().map(|name| (&*name.0).into()).collect(),
        capacity: region.capacity.map(|rate| rate.0),
        drain: region.drain.as_ref().map(drain),
        ..Region::new(name)
    }
}

fn place(place: &document::Place) -> Place {
    let declared = place.lat.zip(place.lon).and_then(|(lat, lon)| Position::new(lat.0, lon.0));
    let whole = Place::of(place.country);
    Place { state: place.state, position: declared.or(whole.position), ..whole }
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
