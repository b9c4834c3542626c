//! A change of what is known of a backend, for the log and the journal.

use nearside_core::{BackendKey, Now, State, Verdict};
use serde::{Deserialize, Serialize};

/// Who says so.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Nobody has asked yet.
    #[default]
    Initial,
    /// Its probes.
    Probe,
    /// Live requests, by their errors.
    Requests,
    /// Live requests, by hanging while others are answered.
    Suspicion,
    /// Live requests, by answers far slower than its tier's.
    Latency,
    /// The operator's mark.
    Operator,
}

impl By {
    /// The name in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Probe => "probe",
            Self::Requests => "requests",
            Self::Suspicion => "suspicion",
            Self::Latency => "latency",
            Self::Operator => "operator",
        }
    }
}

/// How a backend stands: its verdict, suspected, or ejected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// No verdict yet.
    Unknown,
    /// Its probes succeed.
    Healthy,
    /// Its probes fail.
    Unhealthy,
    /// Requests hang on it: avoided until it answers, or its probes say more.
    Suspected,
    /// Removed on live evidence.
    Ejected,
}

impl Standing {
    /// The standing of a backend in `state`.
    #[must_use]
    pub fn of(state: &State) -> Self {
        match state.verdict {
            Verdict::Unhealthy => Self::Unhealthy,
            Verdict::Healthy | Verdict::Unknown if state.ejected => Self::Ejected,
            Verdict::Healthy | Verdict::Unknown if state.suspected => Self::Suspected,
            Verdict::Healthy => Self::Healthy,
            Verdict::Unknown => Self::Unknown,
        }
    }

    /// The name in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Suspected => "suspected",
            Self::Ejected => "ejected",
        }
    }
}

/// One change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// Which backend, as `pool/name`.
    pub key: BackendKey,
    /// How it stood.
    pub from: Standing,
    /// How it stands.
    pub to: Standing,
    /// Who says so.
    pub by: By,
    /// On what evidence.
    pub evidence: Box<str>,
    /// When.
    pub at: Now,
    /// What was counted until then.
    pub figures: Figures,
}

/// What was counted of a backend until it changed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Figures {
    /// Since when it had stood as before.
    pub since: Now,
    /// Probes that failed in a row.
    pub fails: u32,
    /// Probes that passed in a row.
    pub successes: u32,
    /// All faults of requests.
    pub faults: u64,
    /// Requests that it was answering.
    pub in_flight: u32,
    /// Its last failure, and when that was.
    pub last_error: Option<(Now, Box<str>)>,
}
