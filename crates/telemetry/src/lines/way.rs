//! The part of a line that says where the request went and what came of it: the same for many requests.

use super::line::Line;
use crate::record::Record;
use nearside_core::{BackendId, Reason, RouteId};

/// The parts of this many ways are kept, each where its figures put it, until another one comes there.
const KEPT: usize = 128;

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
    /// What `write` says of the route, backend, reason, status and tries of `record`, and of nothing else.
    pub(super) fn of(
        &mut self,
        record: &Record<'_>,
        write: impl FnOnce(&Record<'_>, &mut Line<'_>),
    ) -> &[u8] {
        if self.kept.is_empty() {
            self.kept.resize(KEPT, Way::default());
        }
        let &Record { route, backend, reason, status, tries, .. } = record;
        let figures = Figures { route, backend, reason, status, tries };
        let Some(way) = self.kept.get_mut(figures.place()) else { return &[] };
        if way.of != Some(figures) {
            way.of = Some(figures);
            way.text.clear();
            write(record, &mut Line { out: &mut way.text });
        }
        &way.text
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
