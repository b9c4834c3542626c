//! Reading what was written: whole lines, in the order of their time.

use super::daily::{day, days};
use super::entry::stamp;
use serde_json::Value;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The longest line that is read; a longer one is none of ours.
const LONGEST: u64 = 16 << 20;

/// From when to when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    /// The first moment, where there is one.
    pub since: Option<SystemTime>,
    /// The last moment, where there is one.
    pub until: Option<SystemTime>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Page {
    /// The lines, in the order of their time.
    pub lines: Vec<Value>,
    /// Lines that nobody can read: what a crash has torn, or somebody's hand.
    pub unreadable: u64,
    /// How many files there were to read.
    pub files: usize,
}

/// Reads the lines of `folder` in `span`.
///
/// # Errors
/// The folder, or a file in it, cannot be read.
pub fn pages(folder: &Path, span: Span) -> io::Result<Page> {
    // Entries stand in the file of their own time, so that whole days can be left out.
    let first = span.since.map(day).unwrap_or_default();
    let last = span.until.map(day);
    let (since, until) =
        (span.since.map(stamp), span.until.map(|until| stamp(until + Duration::from_millis(1))));
    let mut page = Page::default();
    for (day, path) in days(folder)? {
        if day < first || last.as_ref().is_some_and(|last| day > *last) {
            continue;
        }
        page.files += 1;
        read(&path, &mut page, |time| {
            since.as_deref().is_none_or(|since| time >= since)
                && until.as_deref().is_none_or(|until| time < until)
        })?;
    }
    // Two processes may have written in turn, and some changes are known a moment after they came.
    page.lines.sort_by(|one, other| time_of(one).cmp(time_of(other)));
    Ok(page)
}

fn read(path: &Path, page: &mut Page, wanted: impl Fn(&str) -> bool) -> io::Result<()> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        page.unreadable += 1;
        return Ok(());
    }
    let mut file = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        // What is longer falls into pieces, none of which can be read.
        if file.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let whole = line.last() == Some(&b'\n');
        let value = serde_json::from_slice::<Value>(&line).ok().filter(|_| whole);
        match value.filter(|value| !time_of(value).is_empty()) {
            Some(value) if wanted(time_of(&value)) => page.lines.push(value),
            Some(_) => {}
            None => page.unreadable += 1,
        }
    }
}

fn time_of(line: &Value) -> &str {
    line.get("time").and_then(Value::as_str).unwrap_or_default()
}
