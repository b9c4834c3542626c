//! The part of a line that says where the request went and what came of it: the same for many requests.

use super::line::Line;
use crate::record::Record;
use nearside_core::{BackendId, Reason, RouteId};

/// The parts of this many ways are kept, each where its figures put it, until another one comes there.
const KEPT: usize = 128;

/// The names of a way's parts in a line, each with what stands around it.
pub(super) struct Keys {
    /// The end of what stands before the way.
    pub(super) before: &'static [u8],
    pub(super) status: &'static [u8],
    pub(super) reason: &'static [u8],
    pub(super) route: &'static [u8],
    pub(super) pool: &'static [u8],
    pub(super) region: &'static [u8],
    pub(super) backend: &'static [u8],
    pub(super) tries: &'static [u8],
    /// The name of what stands behind it.
    pub(super) behind: &'static [u8],
}

/// The ways that requests of one generation took last, written out.
#[derive(Debug, Default)]
pub(super) struct Ways {
    kept: Vec<Way>,
}

#[derive(Clone, Debug, Default)]
struct Way {
    of: Option<Figures>,
    text: Vec<u8>,
}

/// What decides the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Figures {
    route: Option<RouteId>,
    backend: Option<BackendId>,
    reason: Option<Reason>,
    status: Option<u16>,
    tries: u32,
}

impl Ways {
    /// The way of `record`, by the names that all records of its generation have.
    pub(super) fn of(&mut self, record: &Record<'_>, keys: &Keys) -> &[u8] {
        if self.kept.is_empty() {
            self.kept.resize(KEPT, Way::default());
        }
        let &Record { route, backend, reason, status, tries, .. } = record;
        let figures = Figures { route, backend, reason, status, tries };
        let Some(way) = self.kept.get_mut(figures.place()) else { return &[] };
        if way.of != Some(figures) {
            way.of = Some(figures);
            way.text.clear();
            keys.write(record, &mut Line { out: &mut way.text });
        }
        &way.text
    }
}

impl Keys {
    /// Of `record` nothing may be told but what its [`Figures`] decide.
    fn write(&self, record: &Record<'_>, line: &mut Line<'_>) {
        line.raw(self.before);
        if let Some(status) = record.status {
            line.raw(self.status);
            line.number(u64::from(status));
        }
        line.optional(self.reason, record.reason.map(Reason::name));
        let names = record.names();
        line.optional(self.route, names.route);
        line.optional(self.pool, names.pool);
        line.optional(self.region, names.region);
        line.optional(self.backend, names.backend);
        line.raw(self.tries);
        line.number(u64::from(record.tries));
        line.raw(self.behind);
    }
}

impl Figures {
    fn place(&self) -> usize {
        let route = self.route.map_or(0, RouteId::index);
        let backend = self.backend.map_or(0, BackendId::index);
        let status = self.status.map_or(0, usize::from);
        route.wrapping_mul(7).wrapping_add(backend).wrapping_mul(11).wrapping_add(status) % KEPT
    }
}
