//! `nearside journal`: what has changed, and when, and why. It reads the state folder, whether a PoP runs there or not.

use crate::args::JournalArgs;
use crate::told::{text, text_or_dash};
use crate::{Done, out, state};
use anyhow::Context;
use nearside_telemetry::journal::{JOURNAL, Page, Span, pages};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

/// How often a journal that is followed is looked at, and how late an entry may come.
const LOOK: Duration = Duration::from_millis(500);
const LATE: Duration = Duration::from_secs(60);

/// Prints the entries that are asked for.
pub(crate) fn run(args: &JournalArgs) -> anyhow::Result<Done> {
    let folder = state::folder(args.state.state_dir.as_deref())?.join(JOURNAL);
    let mut page = read(&folder, Span { since: args.since, until: args.until })?;
    page.lines.retain(|entry| args.wants(entry));
    if args.follow {
        return Ok(follow(args, &folder, &page));
    }
    if args.json {
        out::json(&json!({
            "folder": folder.display().to_string(),
            "unreadable": page.unreadable,
            "entries": page.lines,
        }));
        return Ok(Done::Fine);
    }
    out::error(&source(&folder, &page));
    out::text(&draw(&page.lines));
    Ok(Done::Fine)
}

fn read(folder: &Path, span: Span) -> anyhow::Result<Page> {
    pages(folder, span).with_context(|| {
        format!("cannot read the journal {}; it belongs to nearside's user", folder.display())
    })
}

/// Where this comes from, and what is amiss with it.
fn source(folder: &Path, page: &Page) -> String {
    let days = if page.files == 1 { "day" } else { "days" };
    let entries = if page.lines.len() == 1 { "entry" } else { "entries" };
    let mut text = format!("{}: {} {entries} from {} {days}", folder.display(), page.lines.len(), page.files);
    if page.files == 0 {
        text.push_str("; no nearside has written there in that time; name its folder with --state-dir");
    }
    if page.unreadable > 0 {
        text.push_str(&format!("; {} lines are unreadable (torn by a crash?) and left out", page.unreadable));
    }
    text
}

/// Prints what is there, and then what comes, until nobody reads any more.
fn follow(args: &JournalArgs, folder: &Path, first: &Page) -> Done {
    let mut seen: HashSet<String> = HashSet::new();
    let mut entries = first.lines.clone();
    loop {
        for entry in &entries {
            let line = entry.to_string();
            if seen.contains(&line) {
                continue;
            }
            let said = if args.json { format!("{line}\n") } else { line_of(entry) };
            seen.insert(line);
            let mut terminal = std::io::stdout();
            if terminal.write_all(said.as_bytes()).and_then(|()| terminal.flush()).is_err() {
                return Done::Fine;
            }
        }
        sleep(LOOK);
        let since = SystemTime::now().checked_sub(LATE).max(args.since);
        // A folder that is away for a moment comes back, or somebody ends this.
        entries = pages(folder, Span { since, until: None }).map(|page| page.lines).unwrap_or_default();
        entries.retain(|entry| args.wants(entry));
        // What is too old to come once more need not be remembered.
        if seen.len() > entries.len() + 10_000 {
            seen = entries.iter().map(Value::to_string).collect();
        }
    }
}

impl JournalArgs {
    fn wants(&self, entry: &Value) -> bool {
        let is = |names: &[String], value: &Value| {
            names.is_empty() || names.iter().any(|name| value == name.as_str())
        };
        let subject = text(entry, "subject");
        let backend =
            |name: &String| subject == *name || subject.split_once('/').is_some_and(|(_, id)| id == name);
        is(&self.kind, &entry["kind"])
            && (self.region.is_empty() || is(&self.region, &entry["region"]) || self.names_region(entry))
            && (self.backend.is_empty() || self.backend.iter().any(backend))
    }

    /// Whether a failover is from or to a region that is asked for.
    fn names_region(&self, entry: &Value) -> bool {
        let words = format!("{} {}", text(entry, "from"), text(entry, "to"));
        entry["kind"] == "failover"
            && words.split([' ', ',']).any(|word| self.region.iter().any(|region| region == word))
    }
}

fn draw(entries: &[Value]) -> String {
    let mut table = out::table(&["time", "kind", "event", "subject", "change", "says", "why"]);
    for entry in entries {
        table.add_row(cells(entry));
    }
    out::draw(&mut table)
}

/// A line of a table that nobody knows the end of.
fn line_of(entry: &Value) -> String {
    let [time, kind, event, subject, change, says, why] = cells(entry);
    format!("{time}  {kind:<11} {event:<12} {subject}  {change}  {says}  {why}\n")
}

/// What is shown of an entry: time, kind, event, subject, change, who says so, why.
pub(super) fn cells(entry: &Value) -> [String; 7] {
    let change = match (entry["from"].as_str(), entry["to"].as_str()) {
        (Some(from), Some(to)) if from == to => String::new(),
        (Some(from), Some(to)) => format!("{from} -> {to}"),
        (Some(from), None) => format!("{from} ->"),
        (None, Some(to)) => format!("-> {to}"),
        (None, None) => String::new(),
    };
    let why = text(entry, "reason");
    // A report has lines of its own; `--json` has all of them.
    let why = why.lines().next().unwrap_or_default().to_owned();
    let time = text(entry, "time");
    [
        time.split_once('.').map_or(time.clone(), |(seconds, _)| format!("{seconds}Z")),
        text_or_dash(entry, "kind"),
        text_or_dash(entry, "event"),
        text_or_dash(entry, "subject"),
        change,
        text(entry, "by"),
        why,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::StateArgs;

    fn args(kind: &[&str], region: &[&str], backend: &[&str]) -> JournalArgs {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        JournalArgs {
            since: None,
            until: None,
            kind: owned(kind),
            region: owned(region),
            backend: owned(backend),
            follow: false,
            json: false,
            state: StateArgs { state_dir: None },
        }
    }

    fn entry() -> Value {
        json!({
            "time": "2026-11-21T14:03:00.123Z", "kind": "health", "event": "fell", "subject": "web/fra-a",
            "region": "frankfurt", "from": "healthy", "to": "unhealthy", "by": "probe",
            "reason": "3 failed in a row\nmore",
        })
    }

    #[test]
    fn an_entry_is_a_row() {
        assert_eq!(
            cells(&entry()),
            [
                "2026-11-21T14:03:00Z",
                "health",
                "fell",
                "web/fra-a",
                "healthy -> unhealthy",
                "probe",
                "3 failed in a row"
            ]
        );
    }

    #[test]
    fn entries_are_chosen_by_kind_region_and_backend() {
        let check =
            |args: JournalArgs, expected: bool| assert_eq!(args.wants(&entry()), expected, "{args:?}");
        check(args(&[], &[], &[]), true);
        check(args(&["health", "drain"], &["frankfurt"], &["fra-a"]), true);
        check(args(&["drain"], &[], &[]), false);
        check(args(&[], &["dublin"], &[]), false);
        check(args(&[], &[], &["web/fra-a"]), true);
        check(args(&[], &[], &["fra-b"]), false);
        let failover = json!({ "kind": "failover", "subject": "web", "from": "tier 1: dublin, frankfurt", "to": "nobody" });
        assert!(args(&[], &["frankfurt"], &[]).wants(&failover));
        assert!(!args(&[], &["virginia"], &[]).wants(&failover));
    }
}
