//! Frames of a recorded status.

use super::super::look::Look;
use super::super::scrape::{Routes, Totals};
use super::super::view::Key;
use super::*;
use crate::past::Sample;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};
use std::time::Duration;

fn status(rtt: f64) -> Value {
    let traffic = |requests: u64, share: Option<f64>, reasons: Value, left_out: Value| json!({ "window_s": 60.0, "requests": requests, "failed": 0, "share": share, "reasons": reasons, "left_out": left_out });
    json!({
        "pop": { "name": "fra1", "place": "DE" }, "generation": "7-9f3a1c02", "phase": "serving", "ready": true,
        "uptime_s": 3700, "now": 1_000_000, "last_reload": null, "warnings": [{}],
        "drains": [{ "target": "virginia", "kind": "region", "state": "draining", "reason": "CHG-4412", "by": "ann",
            "until": null, "since": 940_000, "grace_left_s": 240, "in_flight": 3 }],
        "regions": [
            { "name": "frankfurt", "state": "active", "backends": 2, "usable": 1, "in_flight": 4, "offered_rps": 90,
              "capacity_rps": 1000, "traffic": traffic(5400, Some(0.9), json!({ "won.latency": 5400 }), json!([])) },
            { "name": "virginia", "state": "draining", "backends": 1, "usable": 1, "in_flight": 3, "offered_rps": null,
              "capacity_rps": null, "traffic": traffic(0, Some(0.0), json!({}), json!([{ "pool": "web", "reason": "excluded.drained" }])) },
        ],
        "backends": [
            { "key": "web/fra-a", "region": "frankfurt", "priority": 1, "standing": "healthy", "by": "probe", "since": 0,
              "rtt_ms": rtt, "rtt_by": "measured", "rtt_age_ms": 10, "rtt_spread_ms": 0.2, "in_flight": 4, "share": 1.0 },
            { "key": "web/fra-b", "region": "frankfurt", "priority": 1, "standing": "unhealthy", "by": "probe", "since": 990_000,
              "rtt_ms": null, "in_flight": 0, "share": 0.0, "evidence": "3 failed in a row (HEAD /), the last: status 503" },
            { "key": "web/iad-a", "region": "virginia", "priority": 2, "standing": "healthy", "by": "probe", "since": 0,
              "rtt_ms": 90.0, "rtt_by": "distance", "in_flight": 3, "share": 0.0 },
        ],
    })
}

fn picture() -> Picture {
    let routes = |requests: f64| {
        let of = |part: f64| Totals {
            requests: requests * part,
            failed: requests * part / 100.0,
            seconds: requests * part / 50.0,
            bytes_out: requests * part * 1024.0,
        };
        Routes::from([("api".to_owned(), of(1.0)), ("www".to_owned(), of(9.0))])
    };
    let entry = json!({
        "time": "2026-11-21T14:03:00.123Z", "kind": "health", "event": "fell", "subject": "web/fra-b",
        "from": "healthy", "to": "unhealthy", "by": "probe", "reason": "3 failed in a row",
    });
    let stretch = |requests: u64| -> Sample {
        let told = json!({ "window_s": 10.0, "regions": { "frankfurt": { "requests": requests }, "virginia": { "requests": 80 } } });
        serde_json::from_value(told).unwrap()
    };
    let mut picture = Picture::default();
    for second in 0..10_u32 {
        picture.add(Look {
            at: Duration::from_secs(u64::from(second)),
            status: status(20.0 + f64::from(second * 10)),
            routes: routes(f64::from(second) * 10.0),
            journal: vec![entry.clone()],
            history: Some(vec![stretch(100), stretch(400), stretch(800)]),
        });
    }
    picture
}

fn drawn(picture: &Picture, view: &mut View, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|it| frame(it, picture, view)).unwrap();
    crate::command::top::text_of(terminal.backend())
}

/// `RECORD=1` writes it anew.
fn check(name: &str, found: &str) {
    let path = format!("{}/src/command/top/draw/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("RECORD").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(&path).unwrap_or_default(), "{name}");
}

#[test]
fn the_overview_tells_all() {
    check("overview", &drawn(&picture(), &mut View::default(), (150, 34)));
}

#[test]
fn a_single_frame_has_every_row_and_no_keys() {
    let picture = picture();
    let text = drawn(&picture, &mut View::still(), whole(&picture));
    check("once", &text);
    for told in
        ["won.latency 5400", "excluded.drained", "CHG-4412", "status 503", "api", "web/fra-b", "14:03:00Z"]
    {
        assert!(text.contains(told), "{told} is missing in\n{text}");
    }
    assert!(!text.contains("quit"));
}

#[test]
fn what_is_old_is_said_to_be() {
    let mut picture = picture();
    picture.see(Ok(None));
    let text = drawn(&picture, &mut View::default(), (100, 30));
    assert!(text.contains("what follows is OLD: no nearside runs there any more"), "{text}");
}

#[test]
fn a_list_is_scrolled_to_its_last_row_and_no_farther() {
    let (picture, mut view) = (picture(), View::default());
    view.press(Key::Show(Tab::Backends));
    view.press(Key::End);
    let text = drawn(&picture, &mut view, (150, HEAD + 1 + AROUND + 2 + 1));
    assert!(text.contains("web/iad-a") && !text.contains("web/fra-a") && text.contains("2-3 of 3"), "{text}");
    assert_eq!(view.backends.from, 1);
    view.press(Key::Scroll(-1));
    let text = drawn(&picture, &mut view, (150, HEAD + 1 + AROUND + 2 + 1));
    assert!(text.contains("web/fra-a") && text.contains("1-2 of 3"), "{text}");
}

#[test]
fn any_size_can_be_drawn() {
    let picture = picture();
    for width in [0, 1, 2, 5, 20, 79, 500] {
        for height in 0..40 {
            for tab in Tab::ALL {
                let mut view = View { tab, ..View::default() };
                drawn(&picture, &mut view, (width, height));
            }
        }
    }
}

#[test]
fn what_matters_most_has_its_lines_first() {
    let wants = [Want { least: 5, most: 5 }, Want { least: 6, most: 20 }, Want { least: 5, most: 13 }];
    for (space, expected) in [
        (0, [0, 0, 0]),
        (3, [0, 0, 0]),
        (4, [4, 0, 0]),
        (5, [5, 0, 0]),
        (8, [5, 0, 0]),
        (11, [5, 6, 0]),
        (16, [5, 6, 5]),
        (20, [5, 10, 5]),
        (40, [5, 20, 13]),
    ] {
        assert_eq!(heights(space, &wants), expected, "{space}");
    }
}
