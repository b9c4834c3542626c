//! The status: what this PoP knows and does now, as one document.

mod provenance;

use crate::handover::{Predecessor, Rest};
use crate::machine;
use crate::past::History;
use crate::share::{self, Examples};
use crate::story::{Outcome, Story};
use nearside_core::generation::{Drain, Generation, ListenerKind, PinnedSessions};
use nearside_core::place::Place;
use nearside_core::{Now, PoolId, RegionId};
use nearside_health::BackendStatus;
use nearside_proxy::live::{Edge, Live};
use nearside_proxy::service::{Phase, Shutdown};
use nearside_telemetry::journal::Journal;
use provenance::Provenance;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// All that the status is read from.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    /// What is live.
    pub(crate) edge: Arc<Edge>,
    /// What the process has seen.
    pub(crate) story: Arc<Story>,
    /// What has passed of late.
    pub(crate) history: Arc<History>,
    /// Where changes are written down.
    pub(crate) journal: Arc<Journal>,
    /// How far its end has come.
    pub(crate) shutdown: Shutdown,
    /// The process before this one, which may still have something in flight.
    pub(crate) predecessor: Option<Arc<Predecessor>>,
    /// Where the past is kept.
    pub(crate) state: Arc<Path>,
}

impl Desk {
    /// Whether balancers may send clients here; if not, why.
    pub(crate) fn ready(&self) -> Result<(), &'static str> {
        match (self.shutdown.phase(), self.story.is_ready()) {
            (Phase::Running, true) if self.edge.strain.is_felt() => Err("overloaded"),
            (Phase::Running, true) => Ok(()),
            (Phase::Starting | Phase::Running, _) => {
                Err("the backends' names, first verdicts and first connections are waited for")
            }
            (Phase::Draining | Phase::Closing | Phase::Ended, _) => Err("shutting down"),
        }
    }

    /// What is in flight by backend, here and in the processes before this one.
    pub(crate) fn rest(&self) -> Rest {
        let backends = self.backends(&self.edge.live.load_full()).into_iter();
        let busy = backends.filter(|backend| backend.in_flight > 0);
        Rest { in_flight: busy.map(|backend| (backend.key, backend.in_flight)).collect() }
    }

    /// The backends, with what the process before this one still has in flight there: it is this PoP's too.
    pub(crate) fn backends(&self, live: &Live) -> Vec<BackendStatus> {
        let mut backends = live.evidence.snapshot();
        if let Some(rest) = self.predecessor.as_ref().and_then(|before| before.left()) {
            for backend in &mut backends {
                backend.in_flight += rest.in_flight.get(&backend.key).copied().unwrap_or(0);
            }
        }
        backends
    }

    /// What the service manager shows.
    pub(crate) fn headline(&self) -> String {
        let live = self.edge.live.load_full();
        let backends = live.evidence.snapshot();
        let usable = backends.iter().filter(|backend| backend.usable).count();
        let refused = self.story.read().1.get("outcome") == Some(&Outcome::Refused.name().into());
        let doubt = if refused { "; the last reload was refused" } else { "" };
        format!("generation {}, {usable} of {} backends usable{doubt}", live.prepared.stamp, backends.len())
    }

    /// The whole status.
    pub(crate) fn read(&self) -> Value {
        let live = self.edge.live.load_full();
        let (generation, backends) = (&live.generation, self.backends(&live));
        let (warnings, last_reload) = self.story.read();
        let examples = Examples::of(generation);
        let place = self.edge.pop.place.as_ref().map(|place| place.country.to_string());
        let phase = match self.shutdown.phase() {
            Phase::Starting => "starting",
            Phase::Running => "serving",
            Phase::Draining => "draining",
            Phase::Closing | Phase::Ended => "closing",
        };
        json!({
            "pop": { "name": &*self.edge.pop.name, "place": place, "at": at(self.edge.pop.place.as_ref()) },
            "pops": generation.fleet.pops,
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
            "machine": machine::advice(),
            "predecessor": self.predecessor.as_ref().and_then(|before| before.left()),
            "shutdown": {
                "handed_over": self.shutdown.is_handed_over(),
                "delay_s": generation.shutdown.delay.as_secs_f64(),
                "deadline_s": generation.shutdown.deadline.as_secs_f64(),
            },
            "listeners": self.listeners(&live),
            "certificates": certificates(&live),
            "token": live.pass.is_some(),
            "authority": live.certificates.authority_file().map(|file| file.display().to_string()),
            "drains": drains(&live, &backends),
            "regions": regions(&live, &backends, &Provenance::of(&live, &examples, &self.history)),
            "pools": pools(&live),
            "backends": self.told(&live, &examples, &backends),
        })
    }

    fn listeners(&self, live: &Live) -> Vec<Value> {
        let each = live.generation.listeners.iter();
        each.map(|listener| {
            let kind = match listener.kind {
                ListenerKind::Tls { .. } => "tls",
                ListenerKind::Plain => "plain",
                ListenerKind::RedirectHttps { .. } => "redirect",
            };
            let open = self.edge.metrics.listener(listener.bind).open();
            json!({ "bind": listener.bind.to_string(), "kind": kind, "connections": open })
        })
        .collect()
    }

    /// The backends with their share of the next requests, and how many of their connections no request uses.
    fn told(&self, live: &Live, examples: &Examples, backends: &[BackendStatus]) -> Vec<Value> {
        let shares =
            share::of((&live.generation, examples), &*live.evidence, live.evidence.now(), share::USUAL);
        let each = backends.iter().zip(&live.generation.backends).zip(shares);
        each.map(|((backend, declared), share)| {
            let mut value = serde_json::to_value(backend).unwrap_or_default();
            if let Some(fields) = value.as_object_mut() {
                fields.insert("share".to_owned(), json!(share));
                let idle = self.edge.reserves.idle(&declared.key);
                fields.insert("idle_connections".to_owned(), json!(idle));
            }
            value
        })
        .collect()
    }
}

/// Where a place is on a map: latitude and longitude, where they are known.
fn at(place: Option<&Place>) -> Option<[f64; 2]> {
    let position = place?.position?;
    Some([position.lat(), position.lon()])
}

/// The certificates that clients are served with.
fn certificates(live: &Live) -> Vec<Value> {
    let each = live.certificates.held().iter().map(|held| {
        json!({ "file": held.file.display().to_string(), "hosts": held.hosts, "expires": held.not_after })
    });
    each.collect()
}

/// Every mark, and how far it has come.
fn drains(live: &Live, backends: &[BackendStatus]) -> Vec<Value> {
    let now = live.evidence.now();
    marked(&live.generation)
        .map(|Marked { name, kind, drain }| {
            let own = backends.iter().filter(|backend| backend.key == name || backend.region == name);
            let in_flight: u32 = own.map(|backend| backend.in_flight).sum();
            let since = live.evidence.marked_since(&name);
            let ends = live.evidence.grace_ends(&name, drain);
            json!({
                "target": name,
                "kind": kind,
                "state": state(Some(drain), in_flight, ends, now),
                "reason": &*drain.reason,
                "by": drain.by.as_deref(),
                "until": drain.until.as_deref(),
                "since": since.map(Now::as_millis),
                "grace_left_s": ends.map(|end| end.since(now).as_secs()),
                "in_flight": in_flight,
            })
        })
        .collect()
}

fn regions(live: &Live, backends: &[BackendStatus], provenance: &Provenance) -> Vec<Value> {
    let now = live.evidence.now();
    let each = live.generation.regions.iter().enumerate();
    each.map(|(index, region)| {
        let own = || backends.iter().filter(|backend| backend.region == *region.name);
        let in_flight: u32 = own().map(|backend| backend.in_flight).sum();
        let since = live.evidence.marked_since(&region.name);
        let ends = region.drain.as_ref().and_then(|drain| live.evidence.grace_ends(&region.name, drain));
        json!({
            "name": &*region.name,
            "place": region.place.as_ref().map(|place| place.country.to_string()),
            "at": at(region.place.as_ref()),
            "state": state(region.drain.as_ref(), in_flight, ends, now),
            "drain": region.drain.as_ref().map(mark),
            "marked_since": since.map(Now::as_millis),
            "in_flight": in_flight,
            "offered_rps": live.evidence.rate(RegionId::new(index)),
            "capacity_rps": region.capacity,
            "backends": own().count(),
            "usable": own().filter(|backend| backend.usable).count(),
            "traffic": provenance.region(&region.name),
        })
    })
    .collect()
}

/// What the operator has marked.
pub(crate) struct Marked<'a> {
    /// The region's name, or the backend's key.
    pub(crate) name: String,
    /// Which of both it is.
    pub(crate) kind: &'static str,
    /// The mark.
    pub(crate) drain: &'a Drain,
}

/// Everything that is marked.
pub(crate) fn marked(generation: &Generation) -> impl Iterator<Item = Marked<'_>> {
    let regions = generation.regions.iter().filter_map(|region| {
        let drain = region.drain.as_ref()?;
        Some(Marked { name: region.name.to_string(), kind: "region", drain })
    });
    let backends = generation.backends.iter().filter_map(|backend| {
        let drain = backend.drain.as_ref()?;
        Some(Marked { name: backend.key.to_string(), kind: "backend", drain })
    });
    regions.chain(backends)
}

/// What is marked drains while requests are in flight there, and while its grace may still send it pinned ones.
pub(crate) fn state(
    drain: Option<&Drain>,
    in_flight: u32,
    grace_ends: Option<Now>,
    now: Now,
) -> &'static str {
    let Some(drain) = drain else { return "active" };
    let grace_runs =
        drain.pinned_sessions == PinnedSessions::HonourUntilGrace && grace_ends.is_none_or(|end| now < end);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn check(pinned_sessions: PinnedSessions, in_flight: u32, minutes: u64, expected: &str) {
        let grace = Duration::from_secs(300);
        let drain = Drain { reason: "x".into(), by: None, until: None, grace, pinned_sessions };
        let (ends, now) = (Now::from_millis(0).plus(grace), Now::from_millis(minutes * 60_000));
        assert_eq!(state(Some(&drain), in_flight, Some(ends), now), expected);
    }

    #[test]
    fn a_marked_region_is_drained_when_nothing_is_in_flight_and_nothing_more_can_come() {
        check(PinnedSessions::Move, 0, 0, "drained");
        check(PinnedSessions::Move, 1, 9, "draining");
        check(PinnedSessions::HonourUntilGrace, 0, 4, "draining");
        check(PinnedSessions::HonourUntilGrace, 0, 5, "drained");
    }
}
