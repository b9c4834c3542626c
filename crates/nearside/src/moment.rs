//! A moment as people write it: `2026-11-21T14:03:00Z`, `2026-11-21 14:03`, `14:03`, `10m ago`.

use nearside_telemetry::journal::{moment, stamp};
use std::time::{Duration, SystemTime};
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time};

/// Reads a moment, in UTC where it does not say otherwise. A time of day is the last one that was.
///
/// # Errors
/// It is none; how one is written.
pub(crate) fn read(text: &str) -> Result<SystemTime, String> {
    read_at(text.trim(), SystemTime::now()).ok_or_else(|| {
        "write a time in UTC, such as 14:03, 2026-11-21T14:03:00Z or 2026-11-21, or how long ago, such as `10m ago`"
            .to_owned()
    })
}

/// A moment for people, to the second.
pub(crate) fn to_second(time: SystemTime) -> String {
    let text = stamp(time);
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

fn read_at(text: &str, now: SystemTime) -> Option<SystemTime> {
    if text == "now" {
        return Some(now);
    }
    let length = text.strip_suffix("ago").map_or(text, str::trim_end);
    if let Ok(length) = nearside_config::read_duration(length) {
        return now.checked_sub(length);
    }
    if let Some(time) = time_of_day(text) {
        let today = OffsetDateTime::from(now);
        let moment = SystemTime::from(today.replace_time(time));
        let day = Duration::from_hours(24);
        return if moment > now { moment.checked_sub(day) } else { Some(moment) };
    }
    moment(text).or_else(|| {
        let (day, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
        let day = Date::parse(day, format_description!("[year]-[month]-[day]")).ok()?;
        let time = time_of_day(time.trim_end_matches('Z'))?;
        Some(PrimitiveDateTime::new(day, time).assume_utc().into())
    })
}

fn time_of_day(text: &str) -> Option<Time> {
    let minutes = || Time::parse(text, format_description!("[hour]:[minute]")).ok();
    Time::parse(text, format_description!("[hour]:[minute]:[second]")).ok().or_else(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let now = moment("2026-11-21T14:30:00Z").unwrap();
        assert_eq!(read_at(text, now).map(stamp).as_deref(), expected, "{text}");
    }

    #[test]
    fn a_moment_is_written_in_many_ways() {
        check("2026-11-20T23:00:01.5+01:00", Some("2026-11-20T22:00:01.500Z"));
        check("2026-11-20T22:00:01Z", Some("2026-11-20T22:00:01.000Z"));
        check("2026-11-20 22:00", Some("2026-11-20T22:00:00.000Z"));
        check("2026-11-20T22:00Z", Some("2026-11-20T22:00:00.000Z"));
        check("2026-11-20", Some("2026-11-20T00:00:00.000Z"));
        check("14:03", Some("2026-11-21T14:03:00.000Z"));
        check("14:03:07", Some("2026-11-21T14:03:07.000Z"));
        check("23:03", Some("2026-11-20T23:03:00.000Z"));
        check("10m ago", Some("2026-11-21T14:20:00.000Z"));
        check("90s", Some("2026-11-21T14:28:30.000Z"));
        check("1d ago", Some("2026-11-20T14:30:00.000Z"));
        check("now", Some("2026-11-21T14:30:00.000Z"));
    }

    #[test]
    fn what_is_no_moment_says_how_to_write_one() {
        for text in ["", "yesterday", "25:00", "14", "2026-13-01", "ago"] {
            check(text, None);
        }
        assert!(read("soon").unwrap_err().contains("10m ago"));
    }
}
