//! The history: what has passed in each stretch of ten seconds, for the last hours.

use nearside_core::Reason;
use nearside_health::BackendStatus;
use nearside_proxy::live::Live;
use nearside_telemetry::Ended;
use nearside_telemetry::journal::{EVIDENCE, Span, pages};
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How long a stretch is.
pub(crate) const STRETCH: Duration = Duration::from_secs(10);
/// How far back is remembered.
const LATELY: Duration = Duration::from_hours(6);
/// Stretches in that time.
const MOST: usize = 2160;
/// Where requests are counted that reached no backend.
pub(crate) const NOWHERE: &str = "-";

/// What has passed in a stretch.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Sample {
    /// When it ended, as RFC 3339.
    #[serde(default)]
    pub(crate) time: String,
    /// How long it was.
    pub(crate) window_s: f64,
    /// By region.
    pub(crate) regions: BTreeMap<String, Flow>,
}

/// What a region had of it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Flow {
    /// Requests that ended.
    pub(crate) requests: u64,
    /// Those among them that failed or were answered with 5xx.
    #[serde(default)]
    pub(crate) failed: u64,
    /// Requests in flight at the end.
    #[serde(default)]
    pub(crate) in_flight: u32,
    /// Its backends that were usable then, and all.
    #[serde(default)]
    pub(crate) usable: usize,
    #[serde(default)]
    pub(crate) backends: usize,
    /// Why requests went there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) reasons: BTreeMap<String, u64>,
}

/// The last stretches.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<VecDeque<Sample>>);

impl History {
    /// The history that the state folder remembers.
    pub(crate) fn recall(state: &Path) -> Self {
        let since = SystemTime::now().checked_sub(LATELY);
        // What cannot be read is told when somebody asks the past.
        let page = pages(&state.join(EVIDENCE), Span { since, until: None }).unwrap_or_default();
        let sample = |line: &serde_json::Value| {
            let sample: Sample = serde_json::from_value(line.get("sample")?.clone()).ok()?;
            Some(Sample { time: line.get("time")?.as_str()?.to_owned(), ..sample })
        };
        let samples = page.lines.iter().filter_map(sample);
        let skipped = samples.clone().count().saturating_sub(MOST);
        Self(Mutex::new(samples.skip(skipped).collect()))
    }

    /// Remembers a stretch.
    pub(crate) fn push(&self, sample: Sample) {
        let mut samples = self.samples();
        if samples.len() >= MOST {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Sample> {
        self.samples().iter().cloned().collect()
    }

    /// The last minute as one, as far as it is known.
    pub(crate) fn minute(&self) -> Sample {
        let samples = self.samples();
        let mut whole = Sample::default();
        for sample in samples.iter().rev() {
            if whole.window_s + sample.window_s > 65.0 {
                break;
            }
            whole.window_s += sample.window_s;
            for (region, flow) in &sample.regions {
                let sum = whole.regions.entry(region.clone()).or_default();
                sum.requests += flow.requests;
                sum.failed += flow.failed;
                for (reason, count) in &flow.reasons {
                    *sum.reasons.entry(reason.clone()).or_default() += count;
                }
            }
        }
        whole
    }

    fn samples(&self) -> MutexGuard<'_, VecDeque<Sample>> {
        self.0.lock()
    }
}

impl Sample {
    /// What has passed from one count of all that has ended to the `next`.
    pub(crate) fn between(
        before: &HashMap<Ended, u64>,
        next: &HashMap<Ended, u64>,
        window: Duration,
    ) -> Self {
        let mut sample = Self { window_s: window.as_secs_f64(), ..Self::default() };
        for (ended, count) in next {
            // A route that came back after a reload begins anew.
            let new = count.saturating_sub(before.get(ended).copied().unwrap_or(0));
            if new == 0 {
                continue;
            }
            let region = ended.region.as_deref().unwrap_or(NOWHERE);
            let flow = sample.regions.entry(region.to_owned()).or_default();
            flow.requests += new;
            let is_failure = ended.reason.is_some_and(|reason| reason.name().starts_with("failed."));
            if is_failure || ended.class == 5 {
                flow.failed += new;
            }
            *flow.reasons.entry(ended.reason.map_or(NOWHERE, Reason::name).to_owned()).or_default() += new;
        }
        sample
    }

    /// Adds how the regions are at its end.
    pub(crate) fn with(mut self, live: &Live, backends: &[BackendStatus]) -> Self {
        for region in &live.generation.regions {
            let own = || backends.iter().filter(|backend| backend.region == *region.name);
            let flow = self.regions.entry(region.name.to_string()).or_default();
            flow.in_flight = own().map(|backend| backend.in_flight).sum();
            flow.backends = own().count();
            flow.usable = own().filter(|backend| backend.usable).count();
        }
        self
    }

    /// Whether no request ended in it.
    pub(crate) fn is_idle(&self) -> bool {
        self.regions.values().all(|flow| flow.requests == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(region: &str, reason: Reason, class: u8) -> Ended {
        Ended { region: Some(region.into()), reason: Some(reason), class }
    }

    #[test]
    fn a_stretch_has_what_is_new_by_region_and_reason() {
        let before = HashMap::from([
            (ended("fra", Reason::WonPriority, 2), 10),
            (ended("fra", Reason::WonOnly, 2), 7),
        ]);
        let next = HashMap::from([
            (ended("fra", Reason::WonPriority, 2), 14),
            (ended("fra", Reason::WonOnly, 2), 3),
            (ended("iad", Reason::FailedReset, 5), 2),
        ]);
        let sample = Sample::between(&before, &next, STRETCH);
        let (fra, iad) = (&sample.regions["fra"], &sample.regions["iad"]);
        assert_eq!((fra.requests, fra.failed, fra.reasons.len()), (4, 0, 1));
        assert_eq!((iad.requests, iad.failed, iad.reasons["failed.reset"]), (2, 2, 2));
    }

    #[test]
    fn a_minute_is_six_stretches() {
        let history = History::default();
        let flow = |requests| Flow { requests, ..Flow::default() };
        for number in 1..=8 {
            let regions = BTreeMap::from([("fra".to_owned(), flow(number))]);
            history.push(Sample { window_s: 10.0, regions, ..Sample::default() });
        }
        let minute = history.minute();
        assert_eq!((minute.window_s, minute.regions["fra"].requests), (60.0, 3 + 4 + 5 + 6 + 7 + 8));
        assert_eq!(history.all().len(), 8);
    }
}
