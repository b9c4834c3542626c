//! What is remembered of a backend from one process to its successor.

use super::{Cell, Ordering, code};
use crate::change::{By, Figures};
use crate::rtt::Rtt;
use nearside_core::{Now, Verdict};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// One backend as a process leaves it to its successor. Times are milliseconds since the Unix epoch.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Memory {
    /// Its identity, `pool/name`.
    pub(crate) key: String,
    /// Its addresses as last resolved.
    pub(crate) addresses: Vec<SocketAddr>,
    verdict: u8,
    since: u64,
    by: By,
    evidence: String,
    last_error: Option<(u64, String)>,
    ejected_until: u64,
    held_until: u64,
    ramped_until: u64,
    ejections: u32,
    ejection_ends: u64,
    rtt: Option<(u32, u64)>,
}

impl Cell {
    /// What was counted until now.
    pub(crate) fn figures(&self) -> Figures {
        let story = self.story();
        Figures {
            since: story.since,
            fails: story.fails,
            successes: story.successes,
            faults: story.faults,
            in_flight: self.in_flight.now(),
            last_error: story.last_error.clone(),
        }
    }

    pub(crate) fn memory(&self, addresses: Vec<SocketAddr>) -> Memory {
        let story = self.story();
        let read = |value: &std::sync::atomic::AtomicU64| value.load(Ordering::Relaxed);
        Memory {
            key: self.key.to_string(),
            addresses,
            verdict: code(self.verdict()),
            since: story.since.as_millis(),
            by: story.by,
            evidence: story.evidence.to_string(),
            last_error: story.last_error.as_ref().map(|(at, text)| (at.as_millis(), text.to_string())),
            ejected_until: read(&self.ejected_until),
            held_until: read(&self.held_until),
            ramped_until: read(&self.ramped_until),
            ejections: story.ejections,
            ejection_ends: story.ejection_ends.as_millis(),
            rtt: story.rtt.smooth().map(|micros| (micros, story.rtt.at().as_millis())),
        }
    }

    /// Knows what is in `memory` from now on. To be called before anybody reads it.
    pub(crate) fn recall(&self, memory: &Memory) {
        let mut story = self.story();
        (story.since, story.by) = (Now::from_millis(memory.since), memory.by);
        story.evidence = memory.evidence.as_str().into();
        let last_error = memory.last_error.as_ref();
        story.last_error = last_error.map(|(at, text)| (Now::from_millis(*at), text.as_str().into()));
        (story.ejections, story.ejection_ends) = (memory.ejections, Now::from_millis(memory.ejection_ends));
        if let Some((micros, at)) = memory.rtt {
            story.rtt = Rtt::recalled(micros, Now::from_millis(at));
            self.rtt_at.store(at, Ordering::Relaxed);
            self.rtt_micros.store(micros, Ordering::Relaxed);
        }
        drop(story);
        self.ejected_until.store(memory.ejected_until, Ordering::Relaxed);
        self.held_until.store(memory.held_until, Ordering::Relaxed);
        self.ramped_until.store(memory.ramped_until, Ordering::Relaxed);
        // A number that a later version may send stands for a verdict that this one does not know.
        let verdict = if memory.verdict <= code(Verdict::Unhealthy) { memory.verdict } else { 0 };
        self.verdict.store(verdict, Ordering::Release);
    }
}
