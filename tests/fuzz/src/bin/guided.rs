//! libFuzzer over one target, whose name stands in `NEARSIDE_FUZZ_TARGET`. `cargo xtask fuzz TARGET --minutes N` builds and
//! starts it.
#![no_main]
#![allow(
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "it fails by panicking; the macro makes public items"
)]

use libfuzzer_sys::fuzz_target;
use nearside_fuzz::{Target, find, smoke};
use std::sync::LazyLock;

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("NEARSIDE_FUZZ_TARGET").expect("NEARSIDE_FUZZ_TARGET names the target");
    find(&name).unwrap_or_else(|| panic!("no such target: {name}"))
});

fuzz_target!(|bytes: &[u8]| {
    (TARGET.attack)(bytes);
    smoke::check();
});
