//! What is shown, as rows of cells.

use super::picture::Picture;
use super::spark::spark;
use super::view::View;
use crate::command::journal::cells;
use crate::command::status::{ago, note, rtt, share, why};
use crate::told::{list, text_or_dash};
use ratatui::style::Color;
use serde_json::Value;

/// How wide a sparkline is.
const SPARK: usize = 20;

/// A table, before it is drawn.
#[derive(Debug, Default)]
pub(super) struct Grid {
    /// What it holds.
    pub(super) title: String,
    /// The titles of its columns.
    pub(super) heads: &'static [&'static str],
    /// Its rows.
    pub(super) rows: Vec<Vec<Spot>>,
    /// The row that is shown first.
    pub(super) from: usize,
}

impl Grid {
    /// How wide its columns are.
    pub(super) fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.heads.iter().map(|head| head.len()).collect();
        for row in &self.rows {
            for (width, spot) in widths.iter_mut().zip(row) {
                *width = (*width).max(spot.text.chars().count());
            }
        }
        widths
    }
}

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spot {
    /// What it says.
    pub(super) text: String,
    /// In which colour, where not in the usual one.
    pub(super) color: Option<Color>,
}

fn plain(text: impl Into<String>) -> Spot {
    Spot { text: text.into(), color: None }
}

fn tinted(text: impl Into<String>, color: Option<Color>) -> Spot {
    Spot { text: text.into(), color }
}

/// The regions.
pub(super) fn regions(picture: &Picture) -> Grid {
    let row = |region: &Value| {
        let (name, state, traffic) =
            (text_or_dash(region, "name"), text_or_dash(region, "state"), &region["traffic"]);
        let (usable, all) = (region["usable"].as_u64(), region["backends"].as_u64());
        let health = match (usable, all) {
            (Some(0), Some(1..)) => Some(Color::Red),
            (usable, all) if usable == all => Some(Color::Green),
            _ => Some(Color::Yellow),
        };
        let requests = traffic["requests"].as_f64().zip(traffic["window_s"].as_f64());
        let rate = requests.filter(|(_, window)| *window > 0.0).map(|(requests, window)| requests / window);
        vec![
            plain(name.clone()),
            tinted(&*state, (state != "active").then_some(Color::Yellow)),
            tinted(format!("{} of {}", usable.unwrap_or(0), all.unwrap_or(0)), health),
            plain(rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}/s"))),
            plain(spark(picture.history(Some(&name)), SPARK)),
            plain(share(traffic["share"].as_f64())),
            plain(region["in_flight"].to_string()),
            plain(load(region)),
            plain(why(traffic)),
        ]
    };
    Grid {
        title: "regions: the last minute".to_owned(),
        heads: &["region", "state", "usable", "requests", "", "share", "in flight", "load", "why"],
        rows: list(picture.status(), "regions").map(row).collect(),
        from: 0,
    }
}

/// What a region is offered of what it can carry, where its capacity is declared.
fn load(region: &Value) -> String {
    match (region["offered_rps"].as_f64(), region["capacity_rps"].as_f64()) {
        (Some(offered), Some(capacity)) => format!("{offered:.0} of {capacity:.0}/s"),
        (None, Some(capacity)) => format!("- of {capacity:.0}/s"),
        (_, None) => "-".to_owned(),
    }
}

/// The marks.
pub(super) fn drains(picture: &Picture) -> Grid {
    let now = picture.status()["now"].as_u64().unwrap_or(0);
    let row = |drain: &Value| {
        let since = drain["since"].as_u64().map(|since| ago(now.saturating_sub(since) / 1000));
        let grace = drain["grace_left_s"].as_u64().filter(|left| *left > 0).map(ago);
        vec![
            plain(text_or_dash(drain, "target")),
            tinted(text_or_dash(drain, "state"), Some(Color::Yellow)),
            plain(drain["in_flight"].to_string()),
            plain(since.unwrap_or_else(|| "-".to_owned())),
            plain(grace.unwrap_or_else(|| "-".to_owned())),
            plain(text_or_dash(drain, "until")),
            plain(text_or_dash(drain, "by")),
            plain(text_or_dash(drain, "reason")),
        ]
    };
    Grid {
        title: "drains".to_owned(),
        heads: &["target", "state", "in flight", "since", "grace left", "until", "by", "reason"],
        rows: list(picture.status(), "drains").map(row).collect(),
        from: 0,
    }
}

/// The backends.
pub(super) fn backends(picture: &Picture, view: &View) -> Grid {
    let status = picture.status();
    let now = status["now"].as_u64().unwrap_or(0);
    let mut all: Vec<&Value> = list(status, "backends").collect();
    let order = view.backends.backends(&mut all);
    let row = |backend: &&Value| {
        let standing = text_or_dash(backend, "standing");
        let color = match standing.as_str() {
            "healthy" => Some(Color::Green),
            "unhealthy" | "ejected" => Some(Color::Red),
            "suspected" => Some(Color::Yellow),
            _ => None,
        };
        let key = text_or_dash(backend, "key");
        let since = backend["since"].as_u64().unwrap_or(now);
        vec![
            plain(key.clone()),
            plain(text_or_dash(backend, "region")),
            plain(backend["priority"].to_string()),
            tinted(standing, color),
            plain(text_or_dash(backend, "by")),
            plain(ago(now.saturating_sub(since) / 1000)),
            plain(rtt(backend)),
            plain(spark(picture.round_trips(&key), SPARK)),
            plain(backend["in_flight"].to_string()),
            plain(share(backend["share"].as_f64())),
            plain(note(backend, now)),
        ]
    };
    Grid {
        title: format!("backends {order}"),
        heads: &[
            "backend",
            "region",
            "prio",
            "verdict",
            "says",
            "since",
            "rtt",
            "",
            "in flight",
            "share",
            "note",
        ],
        rows: all.iter().map(row).collect(),
        from: view.backends.from,
    }
}

/// The routes that have had requests.
pub(super) fn routes(picture: &Picture, view: &View) -> Grid {
    let mut all = picture.routes();
    let order = view.routes.routes(&mut all);
    let rows = all.iter().map(|route| {
        vec![
            plain(route.route.clone()),
            plain(format!("{:.1}/s", route.requests)),
            tinted(format!("{:.1}/s", route.failed), (route.failed > 0.0).then_some(Color::Red)),
            plain(route.took_ms.map_or_else(|| "-".to_owned(), |took| format!("{took:.1} ms"))),
            plain(format!("{}/s", bytes(route.bytes_out))),
            plain(format!("{:.0}", route.total)),
        ]
    });
    Grid {
        title: format!("routes {order}: the last ten seconds"),
        heads: &["route", "requests", "failed", "takes", "out", "total"],
        rows: rows.collect(),
        from: view.routes.from,
    }
}

/// The journal.
pub(super) fn journal(picture: &Picture, view: &View) -> Grid {
    let mut entries: Vec<&Value> = picture.journal().iter().rev().collect();
    let order = view.journal.entries(&mut entries);
    let row = |entry: &&Value| {
        let [time, kind, event, subject, change, says, why] = cells(entry);
        [time, kind, event, subject, change, says, why].map(plain).into()
    };
    Grid {
        title: format!("journal: {order}"),
        heads: &["time", "kind", "event", "subject", "change", "says", "why"],
        rows: entries.iter().map(row).collect(),
        from: view.journal.from,
    }
}

fn bytes(count: f64) -> String {
    let mut rest = count;
    for unit in ["B", "KiB", "MiB"] {
        if rest < 1024.0 {
            return format!("{rest:.0} {unit}");
        }
        rest /= 1024.0;
    }
    format!("{rest:.1} GiB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sizes_have_the_unit_that_they_fill() {
        for (count, expected) in
            [(0.0, "0 B"), (1023.0, "1023 B"), (2048.0, "2 KiB"), (5e6, "5 MiB"), (3.3e9, "3.1 GiB")]
        {
            assert_eq!(bytes(count), expected);
        }
    }

    #[test]
    fn the_load_of_a_region_is_told_where_its_capacity_is_known() {
        let check = |offered: Option<u64>, capacity: Option<u64>, expected: &str| {
            assert_eq!(load(&json!({ "offered_rps": offered, "capacity_rps": capacity })), expected);
        };
        check(Some(30), Some(100), "30 of 100/s");
        check(None, Some(100), "- of 100/s");
        check(Some(30), None, "-");
    }
}
