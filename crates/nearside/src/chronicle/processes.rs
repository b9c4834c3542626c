//! Processes: started, taken over, told to end, ended; and those that ended without a word.

use crate::serve::End;
use nearside_proxy::live::Edge;
use nearside_telemetry::journal::{self, Entry, JOURNAL, Journal, Kind, Span, pages};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How far back the end of the process before this one is looked for.
const LATELY: Duration = Duration::from_hours(48);

/// What a process says of itself at its beginning and at its end.
#[derive(Debug)]
pub(crate) struct Process(Arc<Journal>);

impl Process {
    /// Notes that this process begins to serve `edge`, after `predecessor` where it takes over from one; and, where the
    /// one before it has not said that it ended, that too.
    pub(crate) fn begin(edge: &Edge, predecessor: Option<u32>, state: &Path, journal: Arc<Journal>) -> Self {
        if predecessor.is_none()
            && let Some(entry) = silent(state)
        {
            journal.write(&entry);
        }
        let mut entry = entry(if predecessor.is_some() { "took_over" } else { "started" });
        entry.to = Some(edge.live.load().prepared.stamp.to_string());
        entry.reason = match predecessor {
            Some(before) => format!("process {before} has handed over its sockets and what it knew"),
            None => format!("PoP {} begins", edge.pop.name),
        };
        entry.figure("predecessor", predecessor);
        entry.figure("pop", &*edge.pop.name);
        journal.write(&entry);
        Self(journal)
    }

    /// Notes that it has ended, and closes the journal.
    pub(crate) fn ended(&self, orderly: bool) {
        let mut entry = entry("stopped");
        entry.reason = match orderly {
            true => "all that was in flight has ended, or its time was over",
            false => "it was cut short",
        }
        .to_owned();
        self.0.write(&entry);
        self.0.close();
    }

    /// Notes that a process with this file did not begin.
    pub(crate) fn refused(journal: &Journal, report: String) -> End {
        let mut entry = entry("refused");
        entry.reason.clone_from(&report);
        journal.write(&entry);
        End::Refused(report)
    }
}

/// An entry of this process.
pub(super) fn entry(event: &'static str) -> Entry {
    let mut entry = Entry::now(Kind::Process, event, format!("process {}", std::process::id()));
    entry.figure("pid", std::process::id());
    entry.figure("version", env!("CARGO_PKG_VERSION"));
    entry
}

/// The entry on a process that ended without a word, if the last one did.
fn silent(state: &Path) -> Option<Entry> {
    let since = SystemTime::now().checked_sub(LATELY);
    // What cannot be read is told when somebody asks for it.
    let page = pages(&state.join(JOURNAL), Span { since, until: None }).ok()?;
    let last =
        page.lines.iter().rfind(|line| line["kind"] == Kind::Process.name() && line["event"] != "refused")?;
    if last["event"] == "stopped" {
        return None;
    }
    let seen = page.lines.last()?["time"].as_str()?.to_owned();
    let mut entry = Entry::now(Kind::Process, "lost", last["subject"].as_str()?);
    entry.time = SystemTime::now();
    entry.reason =
        "it has ended without a word: it crashed, or was killed, or the machine went down".to_owned();
    entry.figure("last_entry_at", seen.as_str());
    entry.figure("pid", last.pointer("/evidence/pid").cloned());
    let quiet = journal::moment(&seen).and_then(|seen| entry.time.duration_since(seen).ok());
    entry.figure("quiet_for_s", quiet.map(|quiet| quiet.as_secs()));
    Some(entry)
}
