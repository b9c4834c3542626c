//! The ordered steps of one decision, with every rejected candidate and its reason.

use crate::id::BackendId;
use crate::reason::Reason;

/// The steps of a decision, in their order (SPEC, section 2).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Step {
    /// Which route?
    Route,
    /// Limits and fixed answers.
    Access,
    /// Which jurisdictions may handle it?
    Residency,
    /// What is marked drained?
    Drain,
    /// What is down?
    Health,
    /// What has failed this request?
    Tried,
    /// Where does the user's data live?
    Home,
    /// Where is the request pinned?
    Affinity,
    /// Which cohort?
    Canary,
    /// What is full?
    Capacity,
    /// What does the place prefer?
    Geo,
    /// Which tier?
    Priority,
    /// What is near?
    Latency,
    /// Which of the equals?
    Weight,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 14] = [
        Self::Route,
        Self::Access,
        Self::Residency,
        Self::Drain,
        Self::Health,
        Self::Tried,
        Self::Home,
        Self::Affinity,
        Self::Canary,
        Self::Capacity,
        Self::Geo,
        Self::Priority,
        Self::Latency,
        Self::Weight,
    ];

    /// The step in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Access => "access",
            Self::Residency => "residency",
            Self::Drain => "drain",
            Self::Health => "health",
            Self::Tried => "tried",
            Self::Home => "home",
            Self::Affinity => "affinity",
            Self::Canary => "canary",
            Self::Capacity => "capacity",
            Self::Geo => "geo",
            Self::Priority => "priority",
            Self::Latency => "latency",
            Self::Weight => "weight",
        }
    }
}

/// What a decision tells while it is made. `()` hears nothing and costs nothing.
pub trait Trace {
    /// A step begins.
    fn step(&mut self, _step: Step) {}
    /// A candidate is out of the running.
    fn dropped(&mut self, _backend: BackendId, _reason: Reason) {}
    /// Candidates are out of the running, all for one reason.
    fn all_dropped(&mut self, backends: impl Iterator<Item = BackendId>, reason: Reason) {
        backends.for_each(|backend| self.dropped(backend, reason));
    }
    /// What the health step dropped is taken back: everything is down.
    fn readmitted(&mut self, _backend: BackendId) {}
    /// A candidate was chosen.
    fn chosen(&mut self, _backend: BackendId, _reason: Reason) {}
    /// The request is not forwarded.
    fn refused(&mut self, _reason: Reason) {}
}

impl Trace for () {
    // Not even asks who they are.
    fn all_dropped(&mut self, _backends: impl Iterator<Item = BackendId>, _reason: Reason) {}
}

/// One thing that a decision said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// A step began.
    Step(Step),
    /// A candidate was dropped.
    Dropped(BackendId, Reason),
    /// A dropped candidate was taken back.
    Readmitted(BackendId),
    /// A candidate was chosen.
    Chosen(BackendId, Reason),
    /// The request was not forwarded.
    Refused(Reason),
}

/// Everything that a decision said, in order.
#[derive(Clone, Debug, Default)]
pub struct FullTrace {
    events: Vec<Event>,
}

impl FullTrace {
    /// What was said, in order.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Why `backend` was dropped in the end, and at which step; `None` when it was not.
    #[must_use]
    pub fn dropped(&self, backend: BackendId) -> Option<(Step, Reason)> {
        let mut step = Step::Route;
        let mut found = None;
        for event in &self.events {
            match *event {
                Event::Step(begun) => step = begun,
                Event::Dropped(id, reason) if id == backend => found = Some((step, reason)),
                Event::Readmitted(id) if id == backend => found = None,
                Event::Dropped(..) | Event::Readmitted(_) | Event::Chosen(..) | Event::Refused(_) => {}
            }
        }
        found
    }
}

impl Trace for FullTrace {
    fn step(&mut self, step: Step) {
        self.events.push(Event::Step(step));
    }

    fn dropped(&mut self, backend: BackendId, reason: Reason) {
        self.events.push(Event::Dropped(backend, reason));
    }

    fn readmitted(&mut self, backend: BackendId) {
        self.events.push(Event::Readmitted(backend));
    }

    fn chosen(&mut self, backend: BackendId, reason: Reason) {
        self.events.push(Event::Chosen(backend, reason));
    }

    fn refused(&mut self, reason: Reason) {
        self.events.push(Event::Refused(reason));
    }
}
