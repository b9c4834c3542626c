//! Marks: since when the operator's marks hold, kept over generations.
//!
//! A decision has to know whether grace runs in the very moment in which a generation goes live, so that this is worked out
//! with its view.

use nearside_core::Now;
use nearside_core::generation::{Backend, Drain, Generation};
use std::collections::HashMap;
use std::sync::Arc;

/// The marks of a generation, by the name of the region or the key of the backend.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    since: Arc<HashMap<Arc<str>, Since>>,
    /// Whether a generation was seen.
    begun: bool,
}

/// Since when a mark holds.
#[derive(Clone, Copy, Debug)]
struct Since {
    at: Now,
    /// Whether it was seen to come. Nobody knows how old the marks of a process's first generation are, so sessions have no
    /// grace there: a restart must not begin it again.
    seen: bool,
}

impl Marks {
    /// Takes over what a predecessor has seen.
    pub(crate) fn recall(&mut self, since: HashMap<Arc<str>, Now>) {
        let each = since.into_iter().map(|(name, at)| (name, Since { at, seen: true }));
        self.since = Arc::new(each.collect());
    }

    /// Notes the marks of `generation`: new ones begin at `now`, and those that are gone are forgotten.
    pub(crate) fn follow(&mut self, generation: &Generation, now: Now) {
        let fresh = Since { at: now, seen: std::mem::replace(&mut self.begun, true) };
        let regions = generation.regions.iter().filter(|region| region.drain.is_some());
        let backends = generation.backends.iter().filter(|backend| backend.drain.is_some());
        let names = regions.map(|region| &*region.name).chain(backends.map(|backend| backend.key.as_str()));
        let since = |name: &str| self.since.get(name).copied().unwrap_or(fresh);
        self.since = Arc::new(names.map(|name| (name.into(), since(name))).collect());
    }

    /// Since when `name` is marked, if it is.
    pub(crate) fn since(&self, name: &str) -> Option<Now> {
        self.since.get(name).map(|since| since.at)
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, Now)> {
        self.since.iter().map(|(name, since)| (&**name, since.at))
    }

    /// When the grace of the mark on `name` ends for sessions, if it is marked.
    pub(crate) fn grace_of(&self, name: &str, drain: &Drain) -> Option<Now> {
        let since = self.since.get(name)?;
        Some(if since.seen { since.at.plus(drain.grace) } else { Now::default() })
    }

    /// When the first grace of the marks of `backend` ends for sessions; `None` where it has no mark.
    pub(crate) fn grace_ends(&self, generation: &Generation, backend: &Backend) -> Option<Now> {
        let region = generation.region(backend.region);
        let region = region.and_then(|region| self.grace_of(&region.name, region.drain.as_ref()?));
        let own = backend.drain.as_ref().and_then(|drain| self.grace_of(backend.key.as_str(), drain));
        region.into_iter().chain(own).min()
    }
}
