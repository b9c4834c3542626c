//! What `nearside status` says of a backend.

use crate::change::By;
use crate::view::{Entry, View};
use nearside_core::Now;
use nearside_core::generation::Backend;
use serde::Serialize;

/// Everything that is known of one backend. Times are milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BackendStatus {
    /// Its identity, `pool/name`.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its pool.
    pub pool: String,
    /// Its region.
    pub region: String,
    /// Its tier.
    pub priority: u8,
    /// Its weight.
    pub weight: u16,
    /// Why it is drained, where it is.
    pub drain: Option<String>,
    /// Whether a decision may send it requests now, drain and weight included.
    pub usable: bool,
    /// Its verdict.
    pub verdict: &'static str,
    /// Its standing: the verdict, `suspected` or `ejected`.
    pub standing: &'static str,
    /// Who says so: its probes, live requests by their errors, suspicion, latency, or the operator's mark.
    pub by: By,
    /// On what evidence.
    pub evidence: String,
    /// Since when the standing holds.
    pub since: u64,
    /// Its last failure.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<u64>,
    /// Until when it is ejected.
    pub ejected_until: Option<u64>,
    /// Until when it is held back after a recovery.
    pub held_until: Option<u64>,
    /// The share of its weight that it takes after a recovery, in thousandths.
    pub ramp: Option<u16>,
    /// Its round trip in milliseconds, as decisions are told it.
    pub rtt_ms: Option<f64>,
    /// How that is known: `measured`, by `distance`, or `stale`: measured too long ago, and the distance is not known.
    pub rtt_by: Option<&'static str>,
    /// Milliseconds since one was measured, whether it still stands or not.
    pub rtt_age_ms: Option<u64>,
    /// How far measured round trips lie from their average in the mean.
    pub rtt_spread_ms: Option<f64>,
    /// Requests that it is answering.
    pub in_flight: u32,
    /// Open connections.
    pub connections: u32,
    /// Its addresses; a Unix socket's path.
    pub addresses: Vec<String>,
    /// Why its name was not resolved the last time.
    pub name_error: Option<String>,
    /// Probes that passed.
    pub probes_passed: u64,
    /// Probes that failed.
    pub probes_failed: u64,
    /// Faults of requests.
    pub faults: u64,
}

impl View {
    /// The status of every backend, in declared order.
    #[must_use]
    pub fn snapshot(&self) -> Vec<BackendStatus> {
        let now = self.now();
        let each = self.generation.backends.iter().zip(&self.entries);
        each.map(|(backend, entry)| self.status(backend, entry, now)).collect()
    }

    fn status(&self, backend: &Backend, entry: &Entry, now: Now) -> BackendStatus {
        let cell = &entry.cell;
        let (measured, story) = (cell.state(now), cell.story().clone());
        let (ejected_until, held_until) = cell.ends(now);
        let drain = self.generation.drain_of(backend);
        let rtt = measured.rtt_micros.or_else(|| entry.guess());
        let by = match (measured.rtt_micros, entry.estimate) {
            (Some(_), _) => "measured",
            (None, Some(_)) => "distance",
            (None, None) => "stale",
        };
        let was_measured = story.rtt.smooth();
        let text = |name: Option<&str>| name.unwrap_or_default().to_owned();
        BackendStatus {
            key: cell.key().to_string(),
            name: backend.name.to_string(),
            pool: text(self.generation.pool(backend.pool).map(|pool| &*pool.name)),
            region: text(self.generation.region(backend.region).map(|region| &*region.name)),
            priority: backend.priority,
            weight: backend.weight,
            drain: drain.map(|drain| drain.reason.to_string()),
            usable: drain.is_none() && backend.weight > 0 && cell.usable(now),
            verdict: measured.verdict.name(),
            standing: cell.standing(now).name(),
            by: if drain.is_some() { By::Operator } else { story.by },
            evidence: drain
                .map_or_else(|| story.evidence.to_string(), |drain| format!("drained: {}", drain.reason)),
            since: story.since.as_millis(),
            last_error: story.last_error.as_ref().map(|(_, text)| text.to_string()),
            last_error_at: story.last_error.as_ref().map(|(at, _)| at.as_millis()),
            ejected_until: ejected_until.map(Now::as_millis),
            held_until: held_until.map(Now::as_millis).filter(|_| measured.held),
            ramp: measured.ramp,
            rtt_ms: rtt.map(|micros| f64::from(micros) / 1000.0),
            rtt_by: rtt.map(|_| by),
            rtt_age_ms: was_measured.map(|_| now.as_millis().saturating_sub(story.rtt.at().as_millis())),
            rtt_spread_ms: was_measured.map(|_| f64::from(story.rtt.spread()) / 1000.0),
            in_flight: measured.in_flight,
            connections: cell.connections().now(),
            addresses: entry.name.shown(),
            name_error: entry.name.error(),
            probes_passed: story.probes_passed,
            probes_failed: story.probes_failed,
            faults: story.faults,
        }
    }
}
