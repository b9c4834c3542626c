//! The story of the process: since when it serves, whether it is ready, and how the last reload ended.

use nearside_config::Report;
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Notify;

/// What `status` tells that is neither in the generation nor in the evidence.
#[derive(Debug)]
pub(crate) struct Story {
    /// The file that is followed.
    pub(crate) file: PathBuf,
    began: Instant,
    ready: AtomicBool,
    told: Mutex<Told>,
    changed: Notify,
    /// The names under which the latest generations are kept, by number.
    kept: Mutex<VecDeque<(u64, [String; 2])>>,
}

/// Generations whose names are remembered: the live one, and one that it is about to give way to.
const KEPT: usize = 4;

#[derive(Debug)]
struct Told {
    warnings: Value,
    last_reload: Value,
}

/// How a reload ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// Another generation serves.
    Swapped,
    /// The files say what they said.
    Unchanged,
    /// The old generation stays.
    Refused,
}

impl Outcome {
    /// Its name in the status.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Swapped => "swapped",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
        }
    }
}

impl Story {
    /// The story of a process that begins now with a file that has these warnings.
    pub(crate) fn new(file: PathBuf, warnings: &Report) -> Self {
        let told = Told { warnings: problems(warnings), last_reload: Value::Null };
        Self {
            file,
            began: Instant::now(),
            ready: AtomicBool::new(false),
            told: Mutex::new(told),
            changed: Notify::new(),
            kept: Mutex::default(),
        }
    }

    /// Notes a reload: what it found as text for people and as a report, where there was something to read.
    pub(crate) fn reloaded(&self, outcome: Outcome, text: Option<&str>, report: Option<&Report>) {
        let mut told = self.told();
        if let (Outcome::Swapped, Some(warnings)) = (outcome, report) {
            told.warnings = problems(warnings);
        }
        told.last_reload = json!({
            "at": now(),
            "outcome": outcome.name(),
            "message": text,
            "report": report.filter(|_| outcome == Outcome::Refused).map(Report::to_json),
        });
        drop(told);
        self.changed.notify_one();
    }

    /// Notes the names under which the generation with this number is kept; none where it could not be.
    pub(crate) fn keep(&self, number: u64, names: Option<[String; 2]>) {
        let mut kept = self.kept.lock();
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.extend(names.map(|names| (number, names)));
    }

    /// The names under which the generation with this number is kept, the whole one first.
    pub(crate) fn kept(&self, number: u64) -> Option<[String; 2]> {
        let kept = self.kept.lock();
        kept.iter().find(|(known, _)| *known == number).map(|(_, names)| names.clone())
    }

    /// Waits for the next reload, for the one who writes down what has changed.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Every name of the first generation has been asked for, and its backends have their first verdicts, or have
    /// taken too long.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Notes that it is so.
    pub(crate) fn ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// Seconds since the process began.
    pub(crate) fn uptime(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    /// The live file's warnings, and the last reload or null.
    pub(crate) fn read(&self) -> (Value, Value) {
        let told = self.told();
        (told.warnings.clone(), told.last_reload.clone())
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock()
    }
}

fn problems(report: &Report) -> Value {
    report.to_json().get("problems").cloned().unwrap_or_else(|| json!([]))
}

fn now() -> String {
    OffsetDateTime::now_utc().truncate_to_second().format(&Rfc3339).unwrap_or_default()
}
