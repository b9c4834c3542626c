//! `routes.yaml`: any text is loaded or reported, in bounded time; what loads, loads again from its effective form; and an
//! edit of the mark leaves a file that loads.

use nearside_config::edit::{self, Mark, Target};
use nearside_config::{check, decode, effective, load, parse};
use nearside_core::Generation;
use nearside_core::generation::Stamp;
use std::time::{Duration, Instant};

pub(super) const WORDS: &[&[u8]] = &[
    b"\n  - ",
    b"\n    ",
    b": ",
    b"{ ",
    b" }",
    b"[",
    b"]",
    b"&a ",
    b"*a",
    b"<<: *a",
    b"!!str ",
    b"? ",
    b"|\n",
    b"drain: \"x\"",
    b"priority: 2",
    b"weight: 1001",
    b"9999999999999999999",
    b"-1",
    b"1e309",
    b"~",
    b"NO",
    b"0.0.0.0/0",
    b"\xef\xbb\xbf",
    b"---\n",
];

/// No file that one can write by hand takes longer, in any build and on any machine.
const LONG: Duration = Duration::from_secs(20);

pub(super) fn attack(bytes: &[u8]) {
    let began = Instant::now();
    if let Ok(text) = decode(bytes) {
        loaded(text);
        edited(text);
    }
    assert!(began.elapsed() < LONG, "it took {:?}", began.elapsed());
}

fn loaded(text: &str) {
    match load(text) {
        Err(report) => assert!(!report.to_string().is_empty(), "refused without a word"),
        Ok((generation, _, _)) => {
            let checked = check(parse(text).expect("it has just loaded")).expect("it has just loaded");
            let shown = effective(&checked);
            let (again, _, _) = load(&shown).unwrap_or_else(|report| panic!("{report}\n{shown}"));
            assert_eq!(told(again), told(generation), "the effective file says something else:\n{shown}");
        }
    }
}

/// All that a generation says, but for its number and hash.
fn told(mut generation: Generation) -> String {
    generation.stamp = Stamp::default();
    format!("{generation:?}")
}

fn edited(text: &str) {
    let loads = load(text).is_ok();
    if let Ok(marked) = edit::drain(text, Target::parse("frankfurt"), Mark::from("a \"test\": #1")) {
        assert!(!loads || load(&marked).is_ok(), "the mark broke it:\n{marked}");
        if let Ok(cleared) = edit::undrain(&marked, Target::parse("frankfurt")) {
            assert!(!loads || load(&cleared).is_ok(), "the end of the mark broke it:\n{cleared}");
        }
    }
}
