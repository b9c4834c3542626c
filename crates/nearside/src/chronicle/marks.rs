//! The operator's marks: begun, emptied, out of time, ended.

use super::wall;
use crate::status;
use nearside_core::Now;
use nearside_core::generation::{Drain, Generation};
use nearside_health::BackendStatus;
use nearside_proxy::live::Live;
use nearside_telemetry::journal::{Entry, Kind, stamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long before the end of a drain's grace it is looked at once more.
const BEFORE: Duration = Duration::from_millis(20);

/// The marks that were seen, by the region or the backend's key.
#[derive(Default)]
pub(super) struct Marks {
    known: BTreeMap<String, Mark>,
    /// Whether the marks of a generation were looked at.
    begun: bool,
}

/// How far one has come.
struct Mark {
    kind: &'static str,
    region: Option<String>,
    drain: Drain,
    since: Now,
    /// What was in flight at the last look.
    in_flight: u32,
    emptied: bool,
    timed_out: bool,
}

impl Marks {
    /// How long it is until one has to be looked at, where that is soon.
    pub(super) fn due(&self, now: Now) -> Option<Duration> {
        let waiting = self.known.values().filter(|mark| !mark.emptied && !mark.timed_out);
        let due = |mark: &Mark| mark.ends().since(now).checked_sub(BEFORE).filter(|due| !due.is_zero());
        waiting.filter_map(due).min()
    }

    /// What has become of them.
    pub(super) fn look(
        &mut self,
        live: &Live,
        is_new: bool,
        backends: impl FnOnce() -> Vec<BackendStatus>,
    ) -> Vec<Entry> {
        let mut entries = Vec::new();
        let now = live.evidence.now();
        if is_new || !self.begun {
            self.follow(live, now, &mut entries);
            self.begun = true;
        }
        if self.known.values().all(|mark| mark.emptied) {
            return entries;
        }
        let backends = backends();
        for (name, mark) in &mut self.known {
            let own = backends.iter().filter(|backend| backend.key == *name || backend.region == *name);
            let in_flight = own.map(|backend| backend.in_flight).sum();
            entries.extend(mark.look(name, in_flight, now));
        }
        entries
    }

    /// Takes up the marks of the generation that is live.
    fn follow(&mut self, live: &Live, now: Now, entries: &mut Vec<Entry>) {
        let mut before = std::mem::take(&mut self.known);
        for status::Marked { name, kind, drain } in status::marked(&live.generation) {
            let mark = match before.remove(&name) {
                Some(mark) => Mark { drain: drain.clone(), ..mark },
                None => {
                    let since = live.evidence.marked_since(&name).unwrap_or(now);
                    let region = region_of(&live.generation, &name);
                    let drain = drain.clone();
                    let mark =
                        Mark { kind, region, drain, since, in_flight: 0, emptied: false, timed_out: false };
                    entries.push(mark.begun(&name, self.begun, now));
                    mark
                }
            };
            self.known.insert(name, mark);
        }
        entries.extend(before.into_iter().map(|(name, mark)| mark.ended(&name, now)));
    }
}

impl Mark {
    fn ends(&self) -> Now {
        self.since.plus(self.drain.grace)
    }

    fn look(&mut self, name: &str, in_flight: u32, now: Now) -> Vec<Entry> {
        let mut entries = Vec::new();
        let left = in_flight.max(self.in_flight);
        if !self.timed_out && !self.emptied && left > 0 && now >= self.ends() {
            self.timed_out = true;
            let mut entry = self.entry("timed_out", name, now);
            entry.reason = format!("{left} in flight at the end of its grace, which are ended");
            entry.figure("in_flight", left);
            entries.push(entry);
        }
        self.in_flight = in_flight;
        if !self.emptied && status::state(Some(&self.drain), in_flight, Some(self.ends()), now) == "drained" {
            self.emptied = true;
            let mut entry = self.entry("emptied", name, now);
            entry.reason = "nothing is in flight there any more".to_owned();
            (entry.from, entry.to) = (Some("draining".to_owned()), Some("drained".to_owned()));
            entries.push(entry);
        }
        entries
    }

    fn begun(&self, name: &str, is_seen: bool, now: Now) -> Entry {
        let mut entry = self.entry(if is_seen { "begun" } else { "found" }, name, now);
        entry.reason = self.drain.reason.to_string();
        (entry.from, entry.to) = (Some("active".to_owned()), Some("draining".to_owned()));
        if !is_seen {
            entry.from = None;
            entry.figure("note", "it stood in the file when the process began");
        }
        entry
    }

    fn ended(&self, name: &str, now: Now) -> Entry {
        let mut entry = self.entry("ended", name, now);
        entry.reason = format!("the mark is taken off: {}", self.drain.reason);
        let was = if self.emptied { "drained" } else { "draining" };
        (entry.from, entry.to) = (Some(was.to_owned()), Some("active".to_owned()));
        entry
    }

    fn entry(&self, event: &'static str, name: &str, now: Now) -> Entry {
        let mut entry = Entry::now(Kind::Drain, event, name);
        entry.region.clone_from(&self.region);
        entry.by = Some(self.drain.by.as_deref().unwrap_or("operator").to_owned());
        entry.figure("kind", self.kind);
        entry.figure("drain", &*self.drain.reason);
        entry.figure("grace_s", self.drain.grace.as_secs());
        entry.figure("until", self.drain.until.as_deref());
        entry.figure("since", stamp(wall(self.since, now)));
        entry.figure("lasted_s", now.since(self.since).as_secs());
        entry
    }
}

/// The region that has this name, or that the backend of this key is in.
fn region_of(generation: &Generation, name: &str) -> Option<String> {
    let backend = generation.backends.iter().find(|backend| backend.key.as_str() == name);
    match backend {
        Some(backend) => generation.region(backend.region).map(|region| region.name.to_string()),
        None => Some(name.to_owned()),
    }
}
