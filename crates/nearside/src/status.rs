//! The status: what this PoP knows and does now, as one document.

use crate::share;
use crate::story::Story;
use nearside_core::generation::{Drain, PinnedSessions, Region};
use nearside_core::{Now, PoolId};
use nearside_health::BackendStatus;
use nearside_proxy::live::{Edge, Live};
use nearside_proxy::service::{Phase, Shutdown};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// All that the status is read from.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    /// What is live.
    pub(crate) edge: Arc<Edge>,
    /// What the process has seen.
    pub(crate) story: Arc<Story>,
    /// How far its end has come.
    pub(crate) shutdown: Shutdown,
    /// Since when each region is marked.
    pub(crate) marks: Arc<Mutex<HashMap<Arc<str>, Now>>>,
}

impl Desk {
    /// Whether balancers may send clients here; if not, why.
    pub(crate) fn ready(&self) -> Result<(), &'static str> {
        match (self.shutdown.phase(), self.story.is_resolved()) {
            (Phase::Running, true) => Ok(()),
            (Phase::Running, false) => Err("not every backend's name has been asked for yet"),
            (Phase::Draining | Phase::Closing | Phase::Ended, _) => Err("shutting down"),
        }
    }

    /// Notes which regions are marked drained from now on.
    pub(crate) fn follow(&self, live: &Live) {
        let now = live.evidence.now();
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let marked = live.generation.regions.iter().filter(|region| region.drain.is_some());
        let next = marked.map(|region| {
            let since = marks.get(&region.name).copied().unwrap_or(now);
            (Arc::clone(&region.name), since)
        });
        *marks = next.collect();
    }

    /// The whole status.
    pub(crate) fn read(&self) -> Value {
        let live = self.edge.live.load_full();
        let (generation, backends) = (&live.generation, live.evidence.snapshot());
        let (warnings, last_reload) = self.story.read();
        let place = self.edge.pop.place.as_ref().map(|place| place.country.to_string());
        let phase = match self.shutdown.phase() {
            Phase::Running => "serving",
            Phase::Draining => "draining",
            Phase::Closing | Phase::Ended => "closing",
        };
        json!({
            "pop": { "name": &*self.edge.pop.name, "place": place },
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "file": self.story.file.display().to_string(),
            "generation": &*live.prepared.stamp,
            "phase": phase,
            "ready": self.ready().is_ok(),
            "uptime_s": self.story.uptime(),
            "now": live.evidence.now().as_millis(),
            "last_reload": last_reload,
            "warnings": warnings,
            "listeners": generation.listeners.iter().map(|listener| listener.bind.to_string()).collect::<Vec<_>>(),
            "authority": live.certificates.authority_file().map(|file| file.display().to_string()),
            "regions": self.regions(&live, &backends),
            "pools": pools(&live),
            "backends": told(&live, &backends),
        })
    }

    fn regions(&self, live: &Live, backends: &[BackendStatus]) -> Vec<Value> {
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = live.evidence.now();
        let each = live.generation.regions.iter();
        each.map(|region| {
            let own = || backends.iter().filter(|backend| backend.region == *region.name);
            let in_flight: u32 = own().map(|backend| backend.in_flight).sum();
            let since = marks.get(&region.name).copied();
            json!({
                "name": &*region.name,
                "place": region.place.as_ref().map(|place| place.country.to_string()),
                "state": state(region, in_flight, since, now),
                "drain": region.drain.as_ref().map(mark),
                "marked_since": since.map(Now::as_millis),
                "in_flight": in_flight,
                "backends": own().count(),
                "usable": own().filter(|backend| backend.usable).count(),
            })
        })
        .collect()
    }
}

/// A marked region drains while requests are in flight there, and while its grace may still send it pinned ones.
fn state(region: &Region, in_flight: u32, since: Option<Now>, now: Now) -> &'static str {
    let Some(drain) = &region.drain else { return "active" };
    let grace_runs = drain.pinned_sessions == PinnedSessions::HonourUntilGrace
        && since.is_none_or(|since| now.since(since) < drain.grace);
    if in_flight > 0 || grace_runs { "draining" } else { "drained" }
}

fn mark(drain: &Drain) -> Value {
    json!({
        "reason": &*drain.reason,
        "by": drain.by.as_deref(),
        "until": drain.until.as_deref(),
        "grace_s": drain.grace.as_secs(),
    })
}

fn pools(live: &Live) -> Vec<Value> {
    let each = live.generation.pools.iter().enumerate();
    each.map(|(index, pool)| {
        let cell = live.evidence.pool(PoolId::new(index));
        json!({
            "name": &*pool.name,
            "backends": pool.len,
            "in_flight": cell.map_or(0, |cell| cell.in_flight()),
        })
    })
    .collect()
}

/// The backends with their share of the next requests.
fn told(live: &Live, backends: &[BackendStatus]) -> Vec<Value> {
    let shares = share::of(&live.generation, &*live.evidence, live.evidence.now());
    let each = backends.iter().zip(shares);
    each.map(|(backend, share)| {
        let mut value = serde_json::to_value(backend).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.insert("share".to_owned(), json!(share));
        }
        value
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn check(pinned_sessions: PinnedSessions, in_flight: u32, minutes: u64, expected: &str) {
        let grace = Duration::from_secs(300);
        let drain = Drain { reason: "x".into(), by: None, until: None, grace, pinned_sessions };
        let region = Region { name: "a".into(), place: None, drain: Some(drain) };
        let (since, now) = (Now::from_millis(0), Now::from_millis(minutes * 60_000));
        assert_eq!(state(&region, in_flight, Some(since), now), expected);
    }

    #[test]
    fn a_marked_region_is_drained_when_nothing_is_in_flight_and_nothing_more_can_come() {
        check(PinnedSessions::Move, 0, 0, "drained");
        check(PinnedSessions::Move, 1, 9, "draining");
        check(PinnedSessions::HonourUntilGrace, 0, 4, "draining");
        check(PinnedSessions::HonourUntilGrace, 0, 5, "drained");
    }
}
