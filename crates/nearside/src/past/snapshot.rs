//! Snapshots: the evidence of one moment as a line, whole or as what is new since the line before.

use super::history::Sample;
use nearside_core::{State, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A line.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Line {
    /// When, as RFC 3339.
    pub(crate) time: String,
    /// Which PoP wrote it.
    pub(crate) pop: String,
    /// Which process of it.
    pub(crate) pid: u32,
    /// The generation that was live.
    pub(crate) generation: String,
    /// The name under which that is kept.
    pub(crate) text: String,
    /// Whether it has all backends; else those that are new or changed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) whole: bool,
    /// The backends, by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) backends: BTreeMap<String, Seen>,
    /// Requests a second that each region was offered, where that is counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) offered: BTreeMap<String, u64>,
    /// What has passed since the sample before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sample: Option<Sample>,
}

/// One backend as it was.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Seen {
    /// What its probes say.
    pub(crate) verdict: String,
    #[serde(default, skip_serializing_if = "is_false")]
    ejected: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    suspected: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    held: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    in_grace: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ramp: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rtt_us: Option<u32>,
    #[serde(default)]
    in_flight: u32,
    /// Who says so, since when and on which evidence, where it is not simply well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Seen {
    /// A backend in this state.
    pub(crate) fn of(state: &State, why: Option<String>) -> Self {
        Self {
            verdict: state.verdict.name().to_owned(),
            ejected: state.ejected,
            suspected: state.suspected,
            held: state.held,
            in_grace: state.in_grace,
            ramp: state.ramp,
            rtt_us: state.rtt_micros,
            in_flight: state.in_flight,
            why,
        }
    }

    /// Its state.
    pub(crate) fn state(&self) -> State {
        State {
            verdict: match self.verdict.as_str() {
                "healthy" => Verdict::Healthy,
                "unhealthy" => Verdict::Unhealthy,
                _ => Verdict::Unknown,
            },
            ejected: self.ejected,
            suspected: self.suspected,
            held: self.held,
            in_grace: self.in_grace,
            ramp: self.ramp,
            rtt_micros: self.rtt_us,
            in_flight: self.in_flight,
        }
    }

    /// Whether `next` is worth a line: it is another state, or a round trip that may move requests.
    pub(crate) fn differs(&self, next: &Self) -> bool {
        let rtt = match (self.rtt_us, next.rtt_us) {
            (Some(one), Some(other)) => one.abs_diff(other) > 100 + one / 50,
            (one, other) => one != other,
        };
        let same =
            Self { rtt_us: self.rtt_us, in_flight: self.in_flight, why: self.why.clone(), ..next.clone() };
        rtt || same != *self
    }
}

impl Line {
    /// This one, with what `next` says on top.
    pub(crate) fn then(mut self, next: Self) -> Self {
        if next.whole || next.generation != self.generation || next.pid != self.pid {
            return next;
        }
        self.backends.extend(next.backends);
        Self { backends: self.backends, whole: self.whole, ..next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(rtt_micros: u32, in_flight: u32) -> Seen {
        let state =
            State { rtt_micros: Some(rtt_micros), in_flight, verdict: Verdict::Healthy, ..State::default() };
        Seen::of(&state, None)
    }

    #[test]
    fn a_state_is_written_and_read_back() {
        let state = State {
            verdict: Verdict::Unhealthy,
            ejected: true,
            suspected: false,
            held: true,
            ramp: Some(70),
            in_grace: true,
            rtt_micros: Some(12),
            in_flight: 3,
        };
        let text = serde_json::to_string(&Seen::of(&state, Some("x".to_owned()))).unwrap();
        let back: Seen = serde_json::from_str(&text).unwrap();
        assert_eq!((back.state(), back.why.as_deref()), (state, Some("x")));
        assert_eq!(serde_json::from_str::<Seen>("{\"verdict\":\"healthy\"}").unwrap().state().in_flight, 0);
    }

    #[test]
    fn noise_is_no_change() {
        assert!(!seen(10_000, 1).differs(&seen(10_200, 7)));
        assert!(seen(10_000, 1).differs(&seen(10_400, 1)));
        assert!(seen(10_000, 1).differs(&Seen { held: true, ..seen(10_000, 1) }));
        assert!(seen(10_000, 1).differs(&Seen { rtt_us: None, ..seen(10_000, 1) }));
    }

    #[test]
    fn a_part_adds_to_what_is_known_and_a_whole_takes_its_place() {
        let line = |time: &str, whole, names: &[&str]| Line {
            time: time.to_owned(),
            whole,
            backends: names.iter().map(|name| ((*name).to_owned(), seen(1, 1))).collect(),
            ..Line::default()
        };
        let both = line("1", true, &["a", "b"]).then(line("2", false, &["c"]));
        assert_eq!((both.backends.len(), both.time.as_str()), (3, "2"));
        assert_eq!(both.then(line("3", true, &["a"])).backends.len(), 1);
    }
}
