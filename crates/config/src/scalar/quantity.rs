//! Quantities with a unit: durations, sizes, shares, dates.

use crate::node::{Kind, quoted};
use crate::report::Finding;
use crate::rule;
use crate::shape::Scalar;
use serde_json::{Value as Json, json};
use std::time::Duration;

const TIMES: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1000),
    ("B", 1),
];
/// More than any region has.
const RATE_MOST: u64 = 1_000_000_000;
const YEAR_MS: u64 = 365 * 24 * 3_600_000;

/// A duration of `MIN` milliseconds or more, at most a year.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span<const MIN: u64>(pub(crate) Duration);

/// A duration that may be zero.
pub(crate) type Pause = Span<0>;
/// A duration that is not zero.
pub(crate) type Time = Span<1>;

impl<const MIN: u64> Span<MIN> {
    pub(crate) fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    pub(crate) fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }
}

impl<const MIN: u64> Scalar for Span<MIN> {
    fn what() -> String {
        "a duration such as `5s`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let hint = "write a whole number and a unit: 500ms, 5s, 5m, 1h, 30d";
        let unreadable =
            || Finding::new(rule::DURATION, format!("{} is no duration", quoted(text))).hint(hint);
        let (number, unit) = split(text).ok_or_else(unreadable)?;
        let (_, factor) = TIMES.iter().find(|(name, _)| *name == unit).ok_or_else(unreadable)?;
        let millis = number.saturating_mul(*factor);
        if (MIN..=YEAR_MS).contains(&millis) {
            return Ok(Self(Duration::from_millis(millis)));
        }
        let least = if millis == 0 { "it is more than 0ms" } else { "it is at most 365d" };
        Err(Finding::new(rule::DURATION, format!("{text} is out of range: {least}")))
    }

    fn write(&self) -> serde_yaml::Value {
        duration(self.0).into()
    }

    fn json() -> Json {
        json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" })
    }

    fn hint(found: Kind, text: &str) -> Option<String> {
        (found == Kind::Number).then(|| format!("write a unit: {text}s or {text}ms"))
    }
}

/// A duration as the file writes it.
pub(crate) fn duration(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let fits = |(_, factor): &&(&str, u64)| millis != 0 && millis.is_multiple_of(*factor);
    match TIMES.iter().rev().find(fits) {
        Some((unit, factor)) => format!("{}{unit}", millis / factor),
        None => "0s".to_owned(),
    }
}

/// Reads a duration as the file has it, such as `5m`: for the command line.
///
/// # Errors
/// It is none; how one is written.
pub fn read_duration(text: &str) -> Result<Duration, String> {
    Pause::parse(text).map(|pause| pause.0).map_err(|finding| finding.in_words())
}

/// Reads a date as the file has it, such as `2026-11-30`: for the command line.
///
/// # Errors
/// It is none; how one is written.
pub fn read_date(text: &str) -> Result<String, String> {
    Date::parse(text).map(|date| date.0.into()).map_err(|finding| finding.in_words())
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size<const MAX: u64>(pub(crate) u64);

impl<const MAX: u64> Scalar for Size<MAX> {
    const KINDS: &'static [Kind] = &[Kind::Text, Kind::Number];

    fn what() -> String {
        "a size such as `64KiB`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let unreadable = || {
            let finding = Finding::new(rule::BYTES, format!("{} is no size", quoted(text)));
            finding.hint("write bytes, or a unit: 500B, 64KiB, 10MB, 1GiB")
        };
        let (number, unit) = split(text).ok_or_else(unreadable)?;
        let factor = match unit {
            "" => 1,
            _ => SIZES.iter().find(|(name, _)| *name == unit).ok_or_else(unreadable)?.1,
        };
        let bytes = number.saturating_mul(factor);
        if bytes > MAX {
            let most = size(MAX);
            return Err(Finding::new(rule::BYTES, format!("{text} is out of range: it is at most {most}")));
        }
        Ok(Self(bytes))
    }

    fn write(&self) -> serde_yaml::Value {
        size(self.0).into()
    }

    fn json() -> Json {
        json!({ "type": ["string", "integer"], "pattern": "^[0-9]+(B|KB|KiB|MB|MiB|GB|GiB)$", "minimum": 0 })
    }
}

/// A size as the file writes it.
fn size(bytes: u64) -> String {
    let fits = |(_, factor): &&(&str, u64)| bytes != 0 && bytes.is_multiple_of(*factor);
    let (unit, factor) = SIZES.iter().find(fits).unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / factor)
}

/// Requests a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate(pub(crate) u64);

impl Scalar for Rate {
    fn what() -> String {
        "a rate such as `40000 rps`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        match split(text) {
            Some((rate @ 1..=RATE_MOST, "rps")) => Ok(Self(rate)),
            Some((_, "rps")) => {
                let message = format!("{text} is out of range: it is from 1 to {RATE_MOST} rps");
                Err(Finding::new(rule::RATE, message))
            }
            _ => {
                let finding = Finding::new(rule::RATE, format!("{} is no rate", quoted(text)));
                Err(finding.hint("write requests a second: 40000 rps"))
            }
        }
    }

    fn write(&self) -> serde_yaml::Value {
        format!("{} rps", self.0).into()
    }

    fn json() -> Json {
        json!({ "type": "string", "pattern": "^[0-9]+ ?rps$" })
    }

    fn hint(found: Kind, text: &str) -> Option<String> {
        (found == Kind::Number).then(|| format!("write {text} rps"))
    }
}

/// A share of at most `MAX` hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Percent<const MAX: u16>(pub(crate) u16);

impl<const MAX: u16> Scalar for Percent<MAX> {
    fn what() -> String {
        format!("a percentage from `0%` to `{}%`", MAX / 100)
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let fail =
            |message: String| Finding::new(rule::PERCENT, message).hint(format!("write {}", Self::what()));
        let unreadable = || fail(format!("{} is no percentage", quoted(text)));
        let number = text.strip_suffix('%').ok_or_else(unreadable)?.trim_end();
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 2 {
            return Err(unreadable());
        }
        let hundredths: u32 = format!("{part:0<2}").parse().unwrap_or(0);
        let points =
            whole.parse::<u32>().ok().and_then(|whole| whole.checked_mul(100)?.checked_add(hundredths));
        match points.and_then(|points| u16::try_from(points).ok()) {
            Some(points) if points <= MAX => Ok(Self(points)),
            _ => Err(fail(format!("{text} is out of range"))),
        }
    }

    fn write(&self) -> serde_yaml::Value {
        let (whole, part) = (self.0 / 100, self.0 % 100);
        if part == 0 { format!("{whole}%").into() } else { format!("{whole}.{part:02}%").into() }
    }

    fn json() -> Json {
        json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,2})?%$" })
    }

    fn hint(found: Kind, text: &str) -> Option<String> {
        (found == Kind::Number).then(|| format!("write {text}%"))
    }
}

/// A date, or a date and time (RFC 3339).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Date(pub(crate) Box<str>);

impl Scalar for Date {
    fn what() -> String {
        "a date such as `2026-11-30` or `2026-11-30T18:00:00Z`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let (date, time) = match text.split_once(['T', 't']) {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        if !day(date) || !time.is_none_or(clock) {
            let finding = Finding::new(rule::DATE, format!("{} is no date", quoted(text)));
            return Err(finding.hint("write 2026-11-30 or 2026-11-30T18:00:00Z"));
        }
        Ok(Self(text.into()))
    }

    fn write(&self) -> serde_yaml::Value {
        (*self.0).into()
    }
}

/// The leading digits as a number, and what follows.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

/// Numbers of exactly these widths, parted by `by`.
fn fields<const N: usize>(text: &str, by: char, widths: [usize; N]) -> Option<[u32; N]> {
    let mut parts = text.split(by);
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        let digits = part.len() == width && part.bytes().all(|b| b.is_ascii_digit());
        *number = if digits { part.parse().ok()? } else { return None };
    }
    parts.next().is_none().then_some(numbers)
}

fn day(text: &str) -> bool {
    let Some([year, month, day]) = fields(text, '-', [4, 2, 2]) else { return false };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

fn clock(text: &str) -> bool {
    let (time, zone) = match text.strip_suffix(['Z', 'z']) {
        Some(time) => (time, "00:00"),
        None => match text.rsplit_once(['+', '-']) {
            Some(parts) => parts,
            None => return false,
        },
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let in_zone = fields(zone, ':', [2, 2]).is_some_and(|[hour, minute]| hour < 24 && minute < 60);
    let in_day = fields(time, ':', [2, 2, 2]).is_some_and(|[h, m, s]| h < 24 && m < 60 && s <= 60);
    in_zone && in_day && !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Scalar>(text: &str, expected: Option<&str>) {
        let written = T::parse(text).ok().map(|value| value.write());
        assert_eq!(written.as_ref().and_then(serde_yaml::Value::as_str), expected, "{text}");
    }

    #[test]
    fn a_duration_has_a_unit_and_is_written_in_the_largest_that_fits() {
        check::<Time>("500ms", Some("500ms"));
        check::<Time>("60s", Some("1m"));
        check::<Time>("90s", Some("90s"));
        check::<Time>("24h", Some("1d"));
        check::<Pause>("0ms", Some("0s"));
        for text in ["0s", "5", "s", "", "-1s", "1.5s", "1w", "99999999999999999999s", "9000h", "5S"] {
            check::<Time>(text, None);
        }
    }

    #[test]
    fn a_size_is_bytes_or_has_a_unit() {
        check::<Size<{ u64::MAX }>>("65536", Some("64KiB"));
        check::<Size<{ u64::MAX }>>("10 MB", Some("10MB"));
        check::<Size<{ u64::MAX }>>("1025", Some("1025B"));
        check::<Size<{ u64::MAX }>>("0", Some("0B"));
        check::<Size<1024>>("1KiB", Some("1KiB"));
        check::<Size<1024>>("1025", None);
        check::<Size<1024>>("1kb", None);
    }

    #[test]
    fn a_share_is_exact_to_a_hundredth_of_a_percent() {
        check::<Percent<10_000>>("10%", Some("10%"));
        check::<Percent<10_000>>("0.5 %", Some("0.50%"));
        check::<Percent<10_000>>("100%", Some("100%"));
        for text in ["101%", "10", "0.125%", "%", "-1%", ".5%", "99999999999%"] {
            check::<Percent<10_000>>(text, None);
        }
    }

    #[test]
    fn a_rate_is_in_requests_a_second() {
        check::<Rate>("40000 rps", Some("40000 rps"));
        check::<Rate>("1rps", Some("1 rps"));
        for text in
            ["0 rps", "40000", "rps", "1.5 rps", "40 rpm", "9999999999 rps", "99999999999999999999 rps"]
        {
            check::<Rate>(text, None);
        }
    }

    #[test]
    fn a_date_is_in_the_calendar() {
        for text in ["2026-11-30", "2024-02-29", "2026-11-30T18:00:00Z", "2026-11-30T18:00:00.5+01:00"] {
            check::<Date>(text, Some(text));
        }
        for text in ["2026-02-29", "2026-13-01", "30.11.2026", "2026-11-30T25:00:00Z", "2026-11-30T18:00:00"]
        {
            check::<Date>(text, None);
        }
    }
}
