//! One entry of the journal.

use serde::Serialize;
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// What kind of thing has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What is thought of a backend.
    Health,
    /// A backend was removed on live evidence, or is back.
    Ejection,
    /// The operator's mark, and how far it has come.
    Drain,
    /// Who serves a pool.
    Failover,
    /// The file.
    Generation,
    /// A certificate.
    Certificate,
    /// The process.
    Process,
    /// The journal itself.
    Journal,
}

impl Kind {
    /// Every kind, in the order of the list.
    pub const ALL: &'static [Self] = &[
        Self::Health,
        Self::Ejection,
        Self::Drain,
        Self::Failover,
        Self::Generation,
        Self::Certificate,
        Self::Process,
        Self::Journal,
    ];

    /// The name in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Ejection => "ejection",
            Self::Drain => "drain",
            Self::Failover => "failover",
            Self::Generation => "generation",
            Self::Certificate => "certificate",
            Self::Process => "process",
            Self::Journal => "journal",
        }
    }
}

/// One change.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When.
    pub time: SystemTime,
    /// What kind of thing.
    pub kind: Kind,
    /// What happened to it, as one word.
    pub event: &'static str,
    /// Which one: a backend's key, a region, a pool, a file.
    pub subject: String,
    /// The region that it is in, where it is in one.
    pub region: Option<String>,
    /// How it was.
    pub from: Option<String>,
    /// How it is.
    pub to: Option<String>,
    /// Who says so.
    pub by: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// The figures behind it.
    pub evidence: Map<String, Value>,
}

impl Entry {
    /// An entry of this moment that says no more than this.
    #[must_use]
    pub fn now(kind: Kind, event: &'static str, subject: impl Into<String>) -> Self {
        Self {
            time: SystemTime::now(),
            kind,
            event,
            subject: subject.into(),
            region: None,
            from: None,
            to: None,
            by: None,
            reason: String::new(),
            evidence: Map::new(),
        }
    }

    /// Adds a figure to the evidence; one that is null is left out.
    pub fn figure(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        if !value.is_null() {
            self.evidence.insert(name.to_owned(), value);
        }
    }

    /// It as a line of JSON, its end included.
    pub(crate) fn line(&self) -> Vec<u8> {
        let mut fields = Map::new();
        let mut text = |name: &str, value: Option<&str>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                fields.insert(name.to_owned(), value.into());
            }
        };
        text("time", Some(&stamp(self.time)));
        text("kind", Some(self.kind.name()));
        text("event", Some(self.event));
        text("subject", Some(&self.subject));
        text("region", self.region.as_deref());
        text("from", self.from.as_deref());
        text("to", self.to.as_deref());
        text("by", self.by.as_deref());
        text("reason", Some(&self.reason));
        if !self.evidence.is_empty() {
            fields.insert("evidence".to_owned(), Value::Object(self.evidence.clone()));
        }
        let mut line = Value::Object(fields).to_string().into_bytes();
        line.push(b'\n');
        line
    }
}

/// A moment as RFC 3339 in UTC, to the millisecond: in the order of the text is the order in time.
#[must_use]
pub fn stamp(time: SystemTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from(time).format(format).unwrap_or_default()
}

/// The moment that an RFC 3339 text names.
#[must_use]
pub fn moment(text: &str) -> Option<SystemTime> {
    let nanos = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
    UNIX_EPOCH.checked_add(Duration::from_nanos(u64::try_from(nanos).ok()?))
}
