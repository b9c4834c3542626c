//! The mark that is to be written: what is asked for, over what stands there already.

use crate::scalar::quantity;
use nearside_core::generation::{Drain, PinnedSessions};
use std::time::Duration;

/// How long a mark without `grace` lets streams go on.
const GRACE: Duration = Duration::from_secs(300);

/// What a mark is to say. What is not asked for stays as the mark that is there has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark<'a> {
    /// Why.
    pub reason: &'a str,
    /// Who.
    pub by: Option<&'a str>,
    /// Who writes it, where nobody says who: a mark that is there already is not signed anew for it.
    pub writer: Option<&'a str>,
    /// A reminder of when it should be over.
    pub until: Option<&'a str>,
    /// How long streams may go on.
    pub grace: Option<Duration>,
}

impl<'a> From<&'a str> for Mark<'a> {
    /// A text is the reason, as in the file.
    fn from(reason: &'a str) -> Self {
        Self { reason, ..Self::default() }
    }
}

impl Mark<'_> {
    /// Whether `there` says all of it.
    pub(super) fn is_said_by(&self, there: &Drain) -> bool {
        self.reason == &*there.reason
            && self.by.is_none_or(|by| there.by.as_deref() == Some(by))
            && self.until.is_none_or(|until| there.until.as_deref() == Some(until))
            && self.grace.is_none_or(|grace| there.grace == grace)
    }

    /// The mark over the one that is there.
    pub(super) fn over(&self, there: Option<&Drain>) -> Drain {
        let kept = |read: fn(&Drain) -> Option<Box<str>>| there.and_then(read);
        Drain {
            reason: self.reason.into(),
            by: self.by.or(self.writer).map(Into::into),
            until: self.until.map(Into::into).or_else(|| kept(|drain| drain.until.clone())),
            grace: self.grace.or(there.map(|drain| drain.grace)).unwrap_or(GRACE),
            pinned_sessions: there.map_or(PinnedSessions::Move, |drain| drain.pinned_sessions),
        }
    }
}

/// The fields of a mark that says more than its reason, as a mapping in one line; `None` when the reason is all.
pub(super) fn mapping(drain: &Drain) -> Option<String> {
    let mut fields = Vec::new();
    let mut field = |name: &str, value: String| fields.push(format!("{name}: {value}"));
    if let Some(by) = &drain.by {
        field("by", quoted(by));
    }
    if let Some(until) = &drain.until {
        field("until", quoted(until));
    }
    if drain.grace != GRACE {
        field("grace", quantity::duration(drain.grace));
    }
    if drain.pinned_sessions == PinnedSessions::HonourUntilGrace {
        field("pinned_sessions", "honour_until_grace".to_owned());
    }
    (!fields.is_empty()).then(|| format!("{{ reason: {}, {} }}", quoted(&drain.reason), fields.join(", ")))
}

/// A text in double quotes: what JSON writes, YAML reads.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
