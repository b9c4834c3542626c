//! `nearside status`: what the running PoP knows.

use crate::args::StatusArgs;
use crate::told::{list, text_or_dash};
use crate::{Done, client, out, state};
use comfy_table::{Cell, Color};
use serde_json::Value;
use std::io::{IsTerminal, Write};
use std::thread::sleep;
use std::time::Duration;

/// How long a look lasts.
const LOOK: Duration = Duration::from_secs(1);
/// Puts the cursor at the top of the terminal and clears all of it.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Asks the PoP with this state folder, and prints its regions, pools and backends.
pub(crate) fn run(args: &StatusArgs) -> anyhow::Result<Done> {
    let folder = state::folder(args.state.state_dir.as_deref())?;
    let clears = args.watch && !args.json && std::io::stdout().is_terminal();
    loop {
        let Some(status) = client::status(&folder)? else {
            out::error(&client::nobody(&folder));
            return Ok(Done::Refused);
        };
        let said = match (args.json, args.watch) {
            // A document a line, for whoever reads line by line.
            (true, true) => format!("{status}\n"),
            (true, false) => format!("{status:#}\n"),
            (false, _) => draw(&status),
        };
        let clear = if clears { CLEAR } else { "" };
        let mut terminal = std::io::stdout();
        // A reader that has gone has seen enough.
        let told = write!(terminal, "{clear}{said}").and_then(|()| terminal.flush());
        if !args.watch || told.is_err() {
            return Ok(Done::Fine);
        }
        sleep(LOOK);
    }
}

fn draw(status: &Value) -> String {
    let now = status["now"].as_u64().unwrap_or(0);
    let mut text = head(status);
    for table in [regions(status, now), pools(status), backends(status, now)] {
        text.push_str(&format!("\n{table}"));
    }
    let warnings = list(status, "warnings").map(|warning| {
        let (line, said) = (&warning["line"], text_or_dash(warning, "message"));
        format!("warning: {said} ({}, line {line})\n", text_or_dash(warning, "path"))
    });
    let advice = list(status, "machine");
    let advice = advice.map(|advice| format!("machine: {}\n", advice.as_str().unwrap_or_default()));
    let notes: String = warnings.chain(advice).collect();
    if !notes.is_empty() {
        text.push_str(&format!("\n{notes}"));
    }
    text
}

fn head(status: &Value) -> String {
    let mut text = format!(
        "PoP {}, generation {}, {}, {}, up for {}\n",
        text_or_dash(&status["pop"], "name"),
        text_or_dash(status, "generation"),
        text_or_dash(status, "phase"),
        if status["ready"] == true { "ready" } else { "not ready" },
        ago(status["uptime_s"].as_u64().unwrap_or(0)),
    );
    let reload = &status["last_reload"];
    match reload["outcome"].as_str() {
        None => {}
        Some("refused") => {
            let said = text_or_dash(reload, "message");
            text.push_str(&format!(
                "The last reload was REFUSED at {}; generation {} stays:\n",
                text_or_dash(reload, "at"),
                text_or_dash(status, "generation")
            ));
            for line in said.lines() {
                text.push_str(&format!("    {line}\n"));
            }
        }
        Some(outcome) => {
            text.push_str(&format!("The last reload at {}: {outcome}\n", text_or_dash(reload, "at")));
        }
    }
    text
}

fn regions(status: &Value, now: u64) -> String {
    let mut table = out::table(&["region", "place", "state", "usable", "in flight", "share", "why", "mark"]);
    for region in list(status, "regions") {
        let state = text_or_dash(region, "state");
        let color = (state != "active").then_some(Color::Yellow);
        let traffic = &region["traffic"];
        let mark =
            region.pointer("/drain/reason").and_then(Value::as_str).map_or_else(String::new, |reason| {
                let since = region["marked_since"].as_u64().map_or_else(String::new, |since| {
                    format!(", {} ago", ago(now.saturating_sub(since) / 1000))
                });
                format!("{reason:?}{since}")
            });
        table.add_row([
            plain(&text_or_dash(region, "name")),
            plain(&text_or_dash(region, "place")),
            tinted(&state, color),
            plain(&format!("{} of {}", region["usable"], region["backends"])),
            plain(&region["in_flight"].to_string()),
            plain(&share(traffic["share"].as_f64())),
            plain(&why(traffic)),
            plain(&mark),
        ]);
    }
    out::draw(&mut table)
}

/// A share in percent, or a dash.
pub(super) fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

/// Why a region has the requests of the last minute that it has; or why it has none.
pub(super) fn why(traffic: &Value) -> String {
    let mut reasons: Vec<(&str, u64)> = traffic["reasons"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(reason, count)| (reason.as_str(), count.as_u64().unwrap_or(0)))
        .collect();
    reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
    if reasons.is_empty() {
        let each = list(traffic, "left_out").take(2);
        let words: Vec<String> = each
            .map(|one| format!("{}: {}", text_or_dash(one, "pool"), text_or_dash(one, "reason")))
            .collect();
        return words.join(", ");
    }
    let words: Vec<String> =
        reasons.iter().take(3).map(|(reason, count)| format!("{reason} {count}")).collect();
    words.join(", ")
}

fn pools(status: &Value) -> String {
    let mut table = out::table(&["pool", "backends", "in flight"]);
    for pool in list(status, "pools") {
        table.add_row([
            plain(&text_or_dash(pool, "name")),
            plain(&pool["backends"].to_string()),
            plain(&pool["in_flight"].to_string()),
        ]);
    }
    out::draw(&mut table)
}

fn backends(status: &Value, now: u64) -> String {
    let titles = [
        "backend",
        "region",
        "prio",
        "weight",
        "verdict",
        "says",
        "since",
        "rtt",
        "in flight",
        "share",
        "note",
    ];
    let mut table = out::table(&titles);
    for backend in list(status, "backends") {
        let standing = text_or_dash(backend, "standing");
        let color = match standing.as_str() {
            "healthy" => Some(Color::Green),
            "unhealthy" | "ejected" => Some(Color::Red),
            "suspected" => Some(Color::Yellow),
            _ => None,
        };
        let since = backend["since"].as_u64().unwrap_or(now);
        table.add_row([
            plain(&text_or_dash(backend, "key")),
            plain(&text_or_dash(backend, "region")),
            plain(&backend["priority"].to_string()),
            plain(&backend["weight"].to_string()),
            tinted(&standing, color),
            plain(&text_or_dash(backend, "by")),
            plain(&ago(now.saturating_sub(since) / 1000)),
            plain(&rtt(backend)),
            plain(&backend["in_flight"].to_string()),
            plain(&share(backend["share"].as_f64())),
            plain(&note(backend, now)),
        ]);
    }
    out::draw(&mut table)
}

/// A round trip, and what it is worth.
pub(super) fn rtt(backend: &Value) -> String {
    let Some(millis) = backend["rtt_ms"].as_f64() else { return "-".to_owned() };
    if backend["rtt_by"] == "distance" {
        return format!("~{millis:.1} ms");
    }
    let spread = backend["rtt_spread_ms"].as_f64().unwrap_or_default();
    // What was not measured for a while is told with its age.
    let age = backend["rtt_age_ms"].as_u64().filter(|age| *age > 60_000);
    let old = age.map_or_else(String::new, |age| format!(", {} ago", ago(age / 1000)));
    let stale = if backend["rtt_by"] == "stale" { ", stale" } else { "" };
    format!("{millis:.1} ms \u{b1}{spread:.1}{old}{stale}")
}

/// What keeps a backend from its requests.
pub(super) fn note(backend: &Value, now: u64) -> String {
    let left = |key: &str| backend[key].as_u64().map(|until| ago(until.saturating_sub(now) / 1000));
    if let Some(reason) = backend["drain"].as_str() {
        return format!("drained: {reason:?}");
    }
    if let Some(left) = left("ejected_until") {
        return format!("ejected for {left} more: {}", text_or_dash(backend, "evidence"));
    }
    if let Some(left) = left("held_until") {
        return format!("held back for {left} more");
    }
    if let Some(error) = backend["name_error"].as_str() {
        return error.to_owned();
    }
    if let Some(ramp) = backend["ramp"].as_u64() {
        return format!("ramping up, at {} % of its weight", ramp / 10);
    }
    match backend["standing"].as_str() {
        Some("unhealthy" | "suspected") => text_or_dash(backend, "evidence"),
        _ => String::new(),
    }
}

fn plain(text: &str) -> Cell {
    Cell::new(text)
}

fn tinted(text: &str, color: Option<Color>) -> Cell {
    match color {
        Some(color) => Cell::new(text).fg(color),
        None => Cell::new(text),
    }
}

/// A time in its two greatest units.
pub(super) fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_time_has_its_two_greatest_units() {
        for (seconds, expected) in
            [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3660, "1 h 1 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(ago(seconds), expected);
        }
    }

    #[test]
    fn a_share_is_told_with_its_reasons_and_nothing_with_its_cause() {
        let reasons = json!({ "reasons": { "won.failover": 3, "won.priority": 97 }, "left_out": [] });
        assert_eq!(why(&reasons), "won.priority 97, won.failover 3");
        let none = json!({ "reasons": {}, "left_out": [{ "pool": "web", "reason": "excluded.unhealthy" }] });
        assert_eq!(why(&none), "web: excluded.unhealthy");
        assert_eq!((share(Some(0.256)), share(None)), ("26 %".to_owned(), "-".to_owned()));
    }

    #[test]
    fn whatever_is_told_last_ends_its_line() {
        let quiet = draw(&json!({}));
        assert!(quiet.ends_with('\n') && !quiet.ends_with("\n\n"), "{quiet}");
        let warnings = json!([{ "line": 3, "path": "routes", "message": "doubtful" }]);
        let told = draw(&json!({ "warnings": warnings, "machine": ["slow"] }));
        assert_eq!(told, format!("{quiet}\nwarning: doubtful (routes, line 3)\nmachine: slow\n"));
    }

    #[test]
    fn a_round_trip_is_told_with_what_it_is_worth() {
        let check = |by: &str, age: Option<u64>, expected: &str| {
            let fields = json!({ "rtt_ms": 20.04, "rtt_by": by, "rtt_age_ms": age, "rtt_spread_ms": 0.3 });
            assert_eq!(rtt(&fields), expected);
        };
        check("measured", Some(900), "20.0 ms \u{b1}0.3");
        check("measured", Some(150_000), "20.0 ms \u{b1}0.3, 2 min 30 s ago");
        check("stale", Some(900_000), "20.0 ms \u{b1}0.3, 15 min 0 s ago, stale");
        check("distance", None, "~20.0 ms");
        check("distance", Some(900_000), "~20.0 ms");
        assert_eq!(rtt(&json!({ "rtt_ms": null })), "-");
    }

    #[test]
    fn what_keeps_a_backend_from_its_requests_is_said() {
        let check = |fields: Value, expected: &str| assert_eq!(note(&fields, 1_000), expected, "{fields}");
        check(json!({ "verdict": "healthy" }), "");
        let evidence = "3 failed in a row (HEAD /), the last: status 503";
        check(json!({ "standing": "unhealthy", "evidence": evidence }), evidence);
        check(json!({ "standing": "suspected", "evidence": "no answer" }), "no answer");
        check(
            json!({ "ejected_until": 9_000, "evidence": "5 errors in a row" }),
            "ejected for 8 s more: 5 errors in a row",
        );
        check(
            json!({ "verdict": "healthy", "last_error": "status 503", "held_until": 61_000 }),
            "held back for 1 min 0 s more",
        );
        check(json!({ "drain": "disk swap", "ejected_until": 9_000 }), "drained: \"disk swap\"");
    }

    #[test]
    fn a_refused_reload_is_shown_with_its_report() {
        let status = json!({
            "pop": { "name": "fra1" }, "generation": "3-00000000", "phase": "serving", "ready": true, "uptime_s": 5,
            "last_reload": { "at": "t", "outcome": "refused", "message": "routes.yaml:1:1: error: no\n1 error, 0 warnings" },
        });
        let text = draw(&status);
        assert!(
            text.contains("REFUSED at t; generation 3-00000000 stays:\n    routes.yaml:1:1: error: no\n"),
            "{text}"
        );
    }
}
