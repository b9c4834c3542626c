//! Graces: until when a marked backend may still get the requests of sessions that are pinned there.
//!
//! A decision has to know this in the very moment in which a generation goes live, so that it is worked out before.

use nearside_core::Now;
use nearside_core::generation::{Backend, Drain, Generation};
use std::collections::HashMap;
use std::sync::Arc;

/// Since when there are marks, by the name of the region or the key of the backend.
#[derive(Debug, Default)]
pub(crate) struct Graces {
    since: HashMap<Arc<str>, Now>,
    /// Whether a generation was seen. Nobody knows how old the marks of a process's first one are, so their grace is
    /// over: a restart must not begin it again.
    begun: bool,
}

impl Graces {
    /// Takes over what a predecessor has seen.
    pub(crate) fn recall(&mut self, since: HashMap<Arc<str>, Now>) {
        self.since = since;
    }

    /// Notes the marks of `generation`: new ones begin at `now`, and those that are gone are forgotten.
    pub(crate) fn follow(&mut self, generation: &Generation, now: Now) {
        let fresh = if std::mem::replace(&mut self.begun, true) { now } else { Now::default() };
        let regions = generation.regions.iter().filter(|region| region.drain.is_some());
        let backends = generation.backends.iter().filter(|backend| backend.drain.is_some());
        let names = regions.map(|region| &*region.name).chain(backends.map(|backend| backend.key.as_str()));
        let since = |name: &str| self.since.get(name).copied().unwrap_or(fresh);
        self.since = names.map(|name| (name.into(), since(name))).collect();
    }

    /// When the first grace of the marks of `backend` ends; `None` where it has no mark.
    pub(crate) fn end(&self, generation: &Generation, backend: &Backend) -> Option<Now> {
        let end = |name: &str, drain: &Drain| Some(self.since.get(name)?.plus(drain.grace));
        let region = generation.region(backend.region);
        let region = region.and_then(|region| end(&region.name, region.drain.as_ref()?));
        let own = backend.drain.as_ref().and_then(|drain| end(backend.key.as_str(), drain));
        region.into_iter().chain(own).min()
    }
}
