//! Certificates: loaded, changed, gone, about to expire, expired.

use nearside_proxy::live::Live;
use nearside_telemetry::journal::{Entry, Kind, stamp};
use nearside_tls::{Held, Identity};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Days before its end at which a certificate is told of.
const DAYS: [u64; 4] = [14, 7, 3, 1];
const DAY: Duration = Duration::from_hours(24);

/// The certificates that were seen, by their files.
#[derive(Default)]
pub(super) struct Certificates {
    known: BTreeMap<PathBuf, Seen>,
    /// Which table they come from, and whether there was one.
    table: Option<Identity>,
    begun: bool,
}

struct Seen {
    identity: Identity,
    ends: SystemTime,
    /// What was said of its end: the fewest days, or 0 once it is over.
    told: Option<u64>,
}

impl Certificates {
    /// What has become of them.
    pub(super) fn look(&mut self, live: &Live, now: SystemTime) -> Vec<Entry> {
        let identity = live.certificates.identity();
        let mut entries = Vec::new();
        if self.table != Some(identity) {
            self.table = Some(identity);
            self.follow(live.certificates.held(), &mut entries);
            self.begun = true;
        }
        let each = self.known.iter_mut();
        entries.extend(each.filter_map(|(file, seen)| seen.look(&file.display().to_string(), now)));
        entries
    }

    fn follow(&mut self, held: &[Held], entries: &mut Vec<Entry>) {
        let mut before = std::mem::take(&mut self.known);
        for one in held {
            let ends = UNIX_EPOCH + Duration::from_secs(u64::try_from(one.not_after).unwrap_or(0));
            let known = before.remove(&one.file);
            let (event, told) = match &known {
                Some(seen) if seen.identity == one.identity => (None, seen.told),
                Some(_) => (Some("changed"), None),
                None => (Some("loaded"), None),
            };
            if let Some(event) = event {
                let mut entry = Entry::now(Kind::Certificate, event, one.file.display().to_string());
                entry.from = known.as_ref().map(|seen| print(seen.identity));
                entry.to = Some(print(one.identity));
                entry.reason = format!("for {}, until {}", hosts(&one.hosts), stamp(ends));
                entry.figure("hosts", one.hosts.iter().map(|host| host.to_string()).collect::<Vec<_>>());
                entry.figure("expires", stamp(ends));
                entries.push(entry);
            }
            self.known.insert(one.file.clone(), Seen { identity: one.identity, ends, told });
        }
        for (file, seen) in before {
            let mut entry = Entry::now(Kind::Certificate, "gone", file.display().to_string());
            entry.from = Some(print(seen.identity));
            entry.reason = "the file, or its name in tls.certificates, is gone".to_owned();
            entries.push(entry);
        }
    }
}

impl Seen {
    fn look(&mut self, file: &str, now: SystemTime) -> Option<Entry> {
        let left = self.ends.duration_since(now).unwrap_or_default();
        let step = match left {
            Duration::ZERO => 0,
            _ => DAYS
                .into_iter()
                .filter(|days| left <= DAY * u32::try_from(*days).unwrap_or(u32::MAX))
                .min()?,
        };
        if self.told.is_some_and(|told| told <= step) {
            return None;
        }
        self.told = Some(step);
        let mut entry =
            Entry::now(Kind::Certificate, if step == 0 { "expired" } else { "expires_soon" }, file);
        entry.reason = match step {
            0 => format!("it has expired at {}; clients refuse it", stamp(self.ends)),
            _ => format!("it expires at {}", stamp(self.ends)),
        };
        entry.figure("expires", stamp(self.ends));
        entry.figure("left_s", left.as_secs());
        Some(entry)
    }
}

/// The beginning of a certificate's fingerprint.
fn print(identity: Identity) -> String {
    identity.as_bytes().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// The first of them by name.
fn hosts(hosts: &[Box<str>]) -> String {
    let named = hosts.iter().take(3).map(|host| &**host).collect::<Vec<_>>().join(", ");
    match hosts.len().saturating_sub(3) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(left: Duration, told: Option<u64>, expected: Option<&str>) {
        let now = UNIX_EPOCH + DAY * 1000;
        let mut seen = Seen { identity: Identity::of(["x"]), ends: now + left, told };
        assert_eq!(seen.look("x.pem", now).map(|entry| entry.event), expected, "{left:?}, {told:?}");
        assert!(seen.look("x.pem", now).is_none(), "it is said once");
    }

    #[test]
    fn an_end_is_told_of_at_each_step_once() {
        check(DAY * 15, None, None);
        check(DAY * 14, None, Some("expires_soon"));
        check(DAY * 8, Some(14), None);
        check(DAY * 7, Some(14), Some("expires_soon"));
        check(DAY / 2, Some(3), Some("expires_soon"));
        check(DAY / 2, Some(1), None);
        check(Duration::ZERO, Some(1), Some("expired"));
        check(Duration::ZERO, None, Some("expired"));
    }
}
