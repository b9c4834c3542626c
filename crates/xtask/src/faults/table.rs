//! The table of a run: a row for each fault and proxy.

use super::figures::{FIGURES, Figure};
use crate::peers;
use serde_json::Value;

const HEAD: &str = "| fault | proxy | GET + POST failed | in flight | twice | stale | times (ms) | verdict |
|---|---|---:|---:|---:|---:|---|---|
";

/// The whole table, fault by fault; nearside's verdicts are against its figures, which stand in the row.
pub(super) fn markdown(accounts: &[Value]) -> String {
    let mut text = HEAD.to_owned();
    for account in accounts {
        text.push_str(&line(account));
        text.push('\n');
    }
    text
}

/// One row.
pub(super) fn line(account: &Value) -> String {
    let word = |name: &str| account.get(name).and_then(Value::as_str).unwrap_or_default();
    let figure = Figure::of(word("fault"));
    let title = figure.map_or("", |figure| figure.title);
    let proxy = word("proxy");
    for (key, what) in [("skipped", "SKIPPED"), ("broken", "BROKEN")] {
        if let Some(why) = account.get(key).and_then(Value::as_str) {
            let why = why.lines().next().unwrap_or_default();
            return format!("| {title} | {proxy} | | | | | | {what}: {why} |");
        }
    }
    let count = |name: &str| account.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (get, post) = (count("get_failed"), count("post_failed"));
    let (in_flight, twice, stale) = (count("post_in_flight"), count("twice"), count("stale"));
    let (times, verdict) = (times(account), verdict(account));
    format!("| {title} | {proxy} | {get} + {post} | {in_flight} | {twice} | {stale} | {times} | {verdict} |")
}

fn times(account: &Value) -> String {
    let times = account.get("times_ms").and_then(Value::as_object).into_iter().flatten();
    let told = times.map(|(name, time)| format!("{name} {:.0}", time.as_f64().unwrap_or_default()));
    told.collect::<Vec<_>>().join(", ")
}

fn verdict(account: &Value) -> String {
    let is = |name: &str| account.get(name).and_then(Value::as_str).unwrap_or_default();
    let Some(figure) = Figure::of(is("fault")) else { return String::new() };
    if is("proxy") != peers::NEARSIDE {
        let wrong = account.get("wrong").and_then(Value::as_array).into_iter().flatten();
        return wrong.filter_map(Value::as_str).collect::<Vec<_>>().join("; ");
    }
    let missed = figure.missed(account);
    let told = figure.told();
    if missed.is_empty() {
        format!("reached ({told})")
    } else {
        format!("MISSED ({told}): {}", missed.join("; "))
    }
}

/// What a person who looks for the cause wants to see: the first failures, and what broke a scene.
pub(super) fn details(account: &Value) -> Vec<String> {
    let list = account.get("failures").and_then(Value::as_array).into_iter().flatten();
    let mut details: Vec<String> = list.filter_map(Value::as_str).map(str::to_owned).collect();
    let broken = account.get("broken").and_then(Value::as_str).unwrap_or_default();
    details.extend(broken.lines().skip(1).map(str::to_owned));
    details
}

/// What nearside missed, a line for each fault; a scene that broke shows nothing, and so misses too.
pub(super) fn missed(accounts: &[Value]) -> Vec<String> {
    let ours = accounts.iter().filter(|account| {
        account.get("proxy").and_then(Value::as_str) == Some(peers::NEARSIDE)
            && account.get("skipped").is_none()
    });
    let told = ours.filter_map(|account| {
        let fault = account.get("fault").and_then(Value::as_str)?;
        let figure = FIGURES.iter().find(|figure| figure.fault == fault)?;
        let missed = match account.get("broken").and_then(Value::as_str) {
            Some(why) => vec![why.to_owned()],
            None => figure.missed(account),
        };
        (!missed.is_empty()).then(|| format!("{}: {}", figure.title, missed.join("; ")))
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn killed(proxy: &str, get_failed: u64) -> Value {
        json!({
            "proxy": proxy, "fault": "kill-tier", "get_failed": get_failed, "post_failed": 0, "post_in_flight": 1,
            "twice": 0, "stale": 0, "times_ms": { "failover": 12.3 }, "wrong": [], "failures": ["GET load-9: cut"],
        })
    }

    #[test]
    fn only_nearside_is_measured_by_its_figures() {
        let accounts = [killed("nearside", 1), killed("nginx", 1)];
        assert_eq!(missed(&accounts), ["kill a tier: get_failed 1 > 0"]);
        assert_eq!(line(&accounts[1]), "| kill a tier | nginx | 1 + 0 | 1 | 0 | 0 | failover 12 |  |");
        assert!(line(&killed("nearside", 0)).ends_with("| reached (0+0, failover 20 ms) |"));
        assert_eq!(details(&accounts[0]), ["GET load-9: cut"]);
    }

    #[test]
    fn a_scene_that_broke_is_missed_and_a_skipped_one_is_told() {
        let broken = json!({ "proxy": "nearside", "fault": "drip", "broken": "it ended:\nwhy" });
        let skipped = json!({ "proxy": "nearside", "fault": "name-server", "skipped": "no root" });
        assert_eq!(missed(&[broken, skipped.clone()]), ["drip: it ended:\nwhy"]);
        assert!(line(&skipped).contains("SKIPPED: no root"));
    }
}
