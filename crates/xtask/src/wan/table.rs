//! The tables of a run, and what has to be reached.

use super::limit::{self, LONG, Path};
use serde_json::Value;

const KB: u64 = 1_000;
const MB: u64 = 1_000_000;

/// One table.
pub(super) struct Table {
    pub(super) name: &'static str,
    title: &'static str,
    kept: bool,
    /// Whether the bytes go up; the answer's first byte is the end then.
    up: bool,
    pub(super) sizes: &'static [u64],
}

const ALL: &[u64] = &[KB, 100 * KB, MB, 10 * MB];
const FAILOVER: &str = "failover";

/// All of them, in their order.
#[rustfmt::skip]
pub(super) const TABLES: &[Table] = &[
    Table { name: "down", title: "Down, over a new connection of the client", kept: false, up: false, sizes: ALL },
    Table { name: "down-kept", title: "Down, over a kept connection of the client", kept: true, up: false, sizes: ALL },
    Table { name: "up", title: "Up, over a new connection of the client", kept: false, up: true, sizes: ALL },
    Table { name: "up-kept", title: "Up, over a kept connection of the client", kept: true, up: true, sizes: ALL },
    Table { name: "idle", title: "Down, after the connections to the backend were idle for 3 s", kept: false, up: false, sizes: &[100 * KB, MB] },
    Table { name: "idle-up", title: "Up, after the connections to the backend were idle for 3 s", kept: false, up: true, sizes: &[100 * KB, MB] },
    Table { name: "loss", title: "Down, with 0.5 % of packets lost on the client's line", kept: false, up: false, sizes: &[100 * KB, MB, 10 * MB] },
    Table { name: FAILOVER, title: "Failover: the first request of 1 KB after the backend of the first tier was killed, over a kept connection of the client", kept: true, up: false, sizes: &[KB] },
];

/// A figure of ours that has a target: table, row, size, and how often the limit it may take to the first and to the last
/// byte.
const TARGETS: &[(&str, &str, u64, f64, f64)] = &[
    ("down", "nearside", MB, 1.03, 1.05),
    ("down", "nearside", KB, 1.03, 1.03),
    ("idle", "nearside, backend on BBR", MB, 1.03, 1.05),
];

/// A failover costs at most one extra round trip to a backend, and as much more as a first byte may.
const FAILOVER_AT_MOST: f64 = LONG * 1.03;

/// All tables that were measured.
pub(super) fn markdown(tables: &[&Table], accounts: &[Value], rounds: usize) -> String {
    let mut text = format!(
        "{}. Medians of {rounds}, ms to the first / to the last byte; in brackets the limit.\n",
        system()
    );
    for table in tables {
        let own: Vec<&Value> =
            accounts.iter().filter(|account| word(account, "table") == table.name).collect();
        text.push_str(&format!("\n### {}\n\n", table.title));
        text.push_str(&if table.name == FAILOVER { failover(&own) } else { table.rows(&own) });
    }
    text
}

/// One account as it comes, for whoever waits.
pub(super) fn line(account: &Value) -> String {
    if let Some(why) = account.get("skipped").and_then(Value::as_str) {
        return format!("SKIPPED: {why}");
    }
    let size = account.get("size").and_then(Value::as_u64).map(named).unwrap_or_default();
    let (table, row) = (word(account, "table"), word(account, "row"));
    let figures = ["before", "cold", "later", "at once", "first", "last"].iter().filter_map(|name| {
        let median = median(account, name)?;
        Some(format!("{name} {median:.0}"))
    });
    format!("{table:9} {row:26} {size:>6}  {}", figures.collect::<Vec<_>>().join(", "))
}

/// What is missed of the targets, a line for each.
pub(super) fn missed(accounts: &[Value]) -> Vec<String> {
    let mut missed = Vec::new();
    for account in accounts {
        let (table, row) = (word(account, "table"), word(account, "row"));
        if let (Some(before), Some(after)) = (median(account, "before"), median(account, "later"))
            && after - before > FAILOVER_AT_MOST
        {
            missed.push(format!("failover: {:.0} ms more, at most {FAILOVER_AT_MOST:.0}", after - before));
        }
        let size = account.get("size").and_then(Value::as_u64).unwrap_or_default();
        for (_, _, _, first, last) in
            TARGETS.iter().filter(|(a, b, c, ..)| (*a, *b, *c) == (table, row, size))
        {
            let (least_first, least_last) = limit::limit(path(row), false, bytes(size));
            for (name, most) in [("first", first * least_first), ("last", last * least_last)] {
                if let Some(is) = median(account, name).filter(|is| *is > most) {
                    missed.push(format!("{table}, {row}, {}: {name} {is:.0} ms > {most:.0} ms", named(size)));
                }
            }
        }
    }
    missed
}

impl Table {
    fn rows(&self, accounts: &[&Value]) -> String {
        let heads: String = self.sizes.iter().map(|size| format!(" {} |", named(*size))).collect();
        let mut text = format!("| |{heads}\n|---|{}\n", "---:|".repeat(self.sizes.len()));
        let mut names: Vec<&str> = accounts.iter().map(|account| word(account, "row")).collect();
        names.dedup();
        for name in names {
            text.push_str(&format!("| {name} |"));
            for size in self.sizes {
                let is = |account: &&&Value| {
                    word(account, "row") == name && account.get("size").and_then(Value::as_u64) == Some(*size)
                };
                text.push_str(
                    &accounts
                        .iter()
                        .find(is)
                        .map(|account| self.cell(account, name, *size))
                        .unwrap_or_default(),
                );
                text.push_str(" |");
            }
            text.push('\n');
        }
        text
    }

    fn cell(&self, account: &Value, row: &str, size: u64) -> String {
        let (least_first, least_last) = limit::limit(path(row), self.kept, bytes(size));
        match (median(account, "first"), median(account, "last")) {
            (_, Some(last)) if self.up => format!(" {last:.0} ({least_last:.0})"),
            (Some(first), Some(last)) => {
                format!(" {first:.0} / {last:.0} ({least_first:.0} / {least_last:.0})")
            }
            _ => String::new(),
        }
    }
}

fn failover(accounts: &[&Value]) -> String {
    const ROWS: [(&str, &str); 3] = [
        ("to a cold tier", "cold"),
        ("to a warm tier", "later"),
        ("to a warm tier, by a request that was sent before the PoP could know", "at once"),
    ];
    let mut text = "| failover | before | first request after | more |\n|---|---:|---:|---:|\n".to_owned();
    for account in accounts {
        let Some(before) = median(account, "before") else { continue };
        for (title, name) in ROWS {
            if let Some(after) = median(account, name) {
                text.push_str(&format!("| {title} | {before:.0} | {after:.0} | {:.0} |\n", after - before));
            }
        }
    }
    text
}

fn path(row: &str) -> Path {
    if row.starts_with("direct") {
        Path::Direct
    } else if row.starts_with("cold") {
        Path::Cold
    } else {
        Path::Warm
    }
}

fn named(size: u64) -> String {
    if size < MB { format!("{} KB", size / KB) } else { format!("{} MB", size / MB) }
}

fn word<'a>(account: &'a Value, name: &str) -> &'a str {
    account.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn times(account: &Value, name: &str) -> Vec<f64> {
    account.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_f64).collect()
}

fn median(account: &Value, name: &str) -> Option<f64> {
    middle(&times(account, name))
}

fn middle(times: &[f64]) -> Option<f64> {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}

fn bytes(size: u64) -> f64 {
    u32::try_from(size).map_or(f64::MAX, f64::from)
}

/// The system, of whose TCP most of it is.
fn system() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {}", release.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn down(first: f64, last: f64) -> Value {
        json!({ "table": "down", "row": "nearside", "size": MB, "first": [first, 1.0, 900.0], "last": [last] })
    }

    #[test]
    fn a_row_has_medians_beside_limits() {
        let tables = [&TABLES[0]];
        let text = markdown(&tables, &[down(212.4, 341.0)], 3);
        assert!(text.contains("| | 1 KB | 100 KB | 1 MB | 10 MB |\n"), "{text}");
        assert!(text.contains("| nearside | | | 212 / 341 (210 / 334) | |\n"), "{text}");
        assert_eq!(
            line(&down(212.4, 341.0)),
            "down      nearside                     1 MB  first 212, last 341"
        );
    }

    #[test]
    fn what_is_beyond_a_target_is_missed() {
        assert_eq!(missed(&[down(216.0, 350.0)]), [""; 0]);
        assert_eq!(
            missed(&[down(217.0, 352.0)]),
            ["down, nearside, 1 MB: first 217 ms > 216 ms", "down, nearside, 1 MB: last 352 ms > 350 ms"]
        );
        let fail = |later: f64| json!({ "table": "failover", "before": [171.0, 172.0], "cold": [900.0], "later": [later] });
        assert_eq!(missed(&[fail(326.0)]), [""; 0]);
        assert_eq!(missed(&[fail(327.0)]), ["failover: 155 ms more, at most 154"]);
        let rows = "| to a cold tier | 172 | 900 | 728 |\n| to a warm tier | 172 | 320 | 148 |\n";
        assert!(failover(&[&fail(320.0)]).ends_with(rows));
    }
}
