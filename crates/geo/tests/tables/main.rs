//! Tables from their files: what is read, what is refused, what stays.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod damage;
mod edition;
mod made;
mod moves;
mod places;

use made::cidr;
use nearside_core::place::Place;
use nearside_geo::{Error, Spec, Tables};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file of MaxMind's.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000)
}

fn load(files: &[PathBuf]) -> Result<Tables, Vec<Error>> {
    Tables::load(Spec { files, ..Spec::default() }, None, now())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// `US-WA (NA)`, `- (EU)`: country or subdivision, and continent.
fn told(place: Place) -> String {
    let continent = place.continent.map_or("-", |continent| continent.as_str());
    match place.state {
        Some(state) => format!("{state} ({continent})"),
        None => format!("{} ({continent})", place.country),
    }
}

/// Numbers that are the same in every run.
fn numbers(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    }
}
