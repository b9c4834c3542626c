//! The smoke of each target: the corpus and a fixed number of mutations; or, with `NEARSIDE_FUZZ_SECONDS`, other ones for so
//! long. `cargo xtask fuzz` calls it, too.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it tried"
)]

use nearside_fuzz::smoke::{self, Bound};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn try_all(name: &str) {
    let target = nearside_fuzz::find(name).expect("a target");
    let seconds = std::env::var("NEARSIDE_FUZZ_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().expect("NEARSIDE_FUZZ_SECONDS is a number"));
    let bound = seconds.map_or(Bound::Count(target.count), |seconds| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
        Bound::Time(Duration::from_secs(seconds), since.as_secs())
    });
    println!("{name}: {} inputs, {bound:?}", smoke::run(target, bound));
}

/// A test for each target, named after the rule that it shows.
macro_rules! targets {
    ($($target:ident: $rule:ident;)*) => {
        $(
            mod $target {
                #[test]
                fn $rule() {
                    super::try_all(stringify!($target));
                }
            }
        )*

        #[test]
        fn every_target_has_its_smoke() {
            let names: Vec<&str> = nearside_fuzz::TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($target)),*]);
        }
    };
}

targets! {
    head: what_passes_is_forwarded_as_one_request;
    chunks: a_body_is_read_alike_in_any_pieces;
    blocks: fields_are_read_as_they_are_written;
    path: what_passes_has_one_reading;
    routes: a_file_is_loaded_or_reported;
    introduction: it_is_read_or_the_connection_ends;
    pin: it_is_ours_or_not_believed;
    hello: it_is_answered_or_the_connection_ends;
    frames: they_become_whole_requests_or_none;
}
