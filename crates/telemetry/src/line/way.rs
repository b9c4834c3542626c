//! The part of a line that says where the request went: names of the generation, the same for many requests.

use super::Line;
use crate::record::Record;
use nearside_core::generation::Stamp;
use nearside_core::{BackendId, RouteId};

/// The parts of this many ways are kept, each where its ids put it, until another one comes there.
const KEPT: usize = 64;

/// The names of a way's parts in a line, each with what stands around it.
pub(super) struct Keys {
    pub(super) route: &'static [u8],
    pub(super) pool: &'static [u8],
    pub(super) region: &'static [u8],
    pub(super) backend: &'static [u8],
}

/// The ways that requests of one generation took last, written out.
#[derive(Debug, Default)]
pub(super) struct Ways {
    stamp: Stamp,
    kept: Vec<Way>,
}

#[derive(Clone, Debug, Default)]
struct Way {
    of: Option<(Option<RouteId>, Option<BackendId>)>,
    text: Vec<u8>,
}

impl Ways {
    /// Appends what `record` has of route, pool, region and backend.
    pub(super) fn append(&mut self, record: &Record<'_>, keys: &Keys, out: &mut Vec<u8>) {
        if self.stamp != record.generation.stamp || self.kept.is_empty() {
            self.stamp = record.generation.stamp;
            self.kept.clear();
            self.kept.resize(KEPT, Way::default());
        }
        let own = Some((record.route, record.backend));
        let route = record.route.map_or(0, RouteId::index);
        let backend = record.backend.map_or(0, BackendId::index);
        let place = route.wrapping_mul(7).wrapping_add(backend) % KEPT;
        let Some(way) = self.kept.get_mut(place) else { return };
        if way.of != own {
            way.of = own;
            way.text.clear();
            let names = record.names();
            let mut line = Line { out: &mut way.text };
            line.optional(keys.route, names.route);
            line.optional(keys.pool, names.pool);
            line.optional(keys.region, names.region);
            line.optional(keys.backend, names.backend);
        }
        out.extend_from_slice(&way.text);
    }
}
