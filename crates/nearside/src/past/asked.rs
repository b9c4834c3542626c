//! The past, asked: what was known at a moment, and what was live then.

use super::kept::{self, Again};
use super::snapshot::Line;
use anyhow::{Context, bail};
use nearside_core::generation::Stamp;
use nearside_core::{Generation, Now};
use nearside_telemetry::journal::{EVIDENCE, Span, days, moment, pages, stamp};
use nearside_whatif::Given;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A snapshot speaks for this long: a process that lives writes one a minute.
const SPEAKS: Duration = Duration::from_secs(150);
/// How far back a whole snapshot is at most: one is written each hour, and more.
const WHOLE: Duration = Duration::from_hours(3);

/// What a moment of the past is made of.
pub(crate) struct Asked {
    /// What was live, and what is not as it was.
    pub(crate) again: Again,
    /// What was known.
    pub(crate) evidence: Given,
    /// When, for the decision.
    pub(crate) now: Now,
    at: SystemTime,
    seen: SystemTime,
    line: Line,
}

impl Asked {
    /// What was known at `at`, out of the state folder.
    ///
    /// # Errors
    /// Nothing was written down then, or it is not kept any more; what there is instead.
    pub(crate) fn of(state: &Path, at: SystemTime) -> anyhow::Result<Self> {
        let folder = state.join(EVIDENCE);
        if at > SystemTime::now() {
            bail!("{} lies ahead; `explain` without --at says what would happen", stamp(at));
        }
        let cannot =
            || format!("cannot read the evidence in {}; it belongs to nearside's user", folder.display());
        let span = Span { since: at.checked_sub(WHOLE), until: Some(at) };
        let page = pages(&folder, span).with_context(cannot)?;
        let lines = page.lines.into_iter().filter_map(|line| serde_json::from_value::<Line>(line).ok());
        let found = lines.fold(None, |known: Option<Line>, next| match known {
            Some(known) => Some(known.then(next)),
            None => next.whole.then_some(next),
        });
        let seen = found.as_ref().and_then(|line| moment(&line.time));
        let (Some(line), Some(seen)) = (found, seen) else { bail!(nothing(&folder, at)) };
        if at.duration_since(seen).is_ok_and(|age| age > SPEAKS) {
            bail!(nothing(&folder, at));
        }
        let mut again = kept::again(state, &line.text)?;
        if let Some(stamp) = read_stamp(&line.generation) {
            again.generation.stamp = stamp;
        }
        if page.unreadable > 0 {
            let lines = page.unreadable;
            again.notes.push(format!(
                "{lines} lines of evidence around that time are unreadable (torn by a crash?)"
            ));
        }
        let evidence = known(&again.generation, &line);
        let millis = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let now = Now::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        Ok(Self { again, evidence, now, at, seen, line })
    }

    /// The PoP's name.
    pub(crate) fn pop(&self) -> &str {
        &self.line.pop
    }

    /// What the answer stands on.
    pub(crate) fn tell(&self) -> Value {
        let age = self.at.duration_since(self.seen).unwrap_or_default();
        let whys = self
            .line
            .backends
            .iter()
            .filter_map(|(key, seen)| Some((key.clone(), json!(seen.why.as_ref()?))));
        json!({
            "at": stamp(self.at),
            "evidence_of": self.line.time,
            "evidence_age_s": age.as_secs_f64(),
            "generation": self.line.generation,
            "kept_as": self.line.text,
            "pid": self.line.pid,
            "notes": self.again.notes,
            "backends": serde_json::Map::from_iter(whys),
        })
    }
}

/// Why nothing can be said of `at`, and of when something can.
fn nothing(folder: &Path, at: SystemTime) -> String {
    let known = days(folder).unwrap_or_default();
    let lines = |span| pages(folder, span).map(|page| page.lines).unwrap_or_default();
    let time = |line: Option<&Value>| line.and_then(|line| line["time"].as_str()).map(str::to_owned);
    let near = Duration::from_hours(24);
    let before = lines(Span { since: at.checked_sub(near), until: Some(at) });
    let after = lines(Span { since: Some(at), until: at.checked_add(near) });
    let mut text = format!(
        "nothing is known of {}: no nearside wrote its evidence to {} then",
        stamp(at),
        folder.display()
    );
    match (time(before.last()), time(after.first()), known.as_slice()) {
        (Some(before), Some(after), _) => {
            text.push_str(&format!("; it did until {before}, and from {after} on"))
        }
        (Some(before), None, _) => text.push_str(&format!("; it did until {before}")),
        (None, Some(after), _) => text.push_str(&format!("; it did from {after} on")),
        (None, None, [(first, _), .., (last, _)]) => {
            text.push_str(&format!("; there are days from {first} to {last}"))
        }
        (None, None, [(day, _)]) => text.push_str(&format!("; there is {day} alone")),
        (None, None, []) => text.push_str("; is it the right --state-dir?"),
    }
    text
}

/// `118-9f3a1c02`, read back.
fn read_stamp(text: &str) -> Option<Stamp> {
    let (number, hash) = text.split_once('-')?;
    Some(Stamp { number: number.parse().ok()?, hash: u32::from_str_radix(hash, 16).ok()? })
}

/// The evidence of then.
fn known(generation: &Generation, line: &Line) -> Given {
    let states = generation.backends.iter().map(|backend| {
        line.backends.get(backend.key.as_str()).map(super::snapshot::Seen::state).unwrap_or_default()
    });
    let offered =
        generation.regions.iter().map(|region| line.offered.get(&*region.name).copied().unwrap_or(0));
    Given { states: states.collect(), offered: offered.collect(), turn: 0 }
}
