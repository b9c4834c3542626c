//! Where an address is, and what a new table costs.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]

use divan::{Bencher, black_box};
use nearside_core::generation::Cidr;
use nearside_core::place::{Country, Place};
use nearside_geo::{Spec, Tables, diff};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::SystemTime;

#[allow(dead_code, clippy::indexing_slicing, reason = "shared with the tests of nearside-geo")]
#[path = "../crates/geo/tests/tables/made.rs"]
mod made;

#[global_allocator]
static ALLOCATIONS: divan::AllocProfiler = divan::AllocProfiler::system();

/// As many networks as a table of all countries has of IPv4.
const NETWORKS: u32 = 360_000;

fn main() {
    divan::main();
}

/// Multiplying by an odd number visits every address once, far from the one before.
fn scattered(number: u32) -> Ipv4Addr {
    number.wrapping_mul(0x9e37_79b1).into()
}

/// A table of networks /24 all over the address space, in turn in each country.
fn table() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("countries.mmdb");
    let countries: Vec<Country> = Country::all().collect();
    let network =
        |number| Cidr { address: (u32::from(scattered(number)) & !255).to_be_bytes().into(), prefix: 24 };
    let rows: Vec<_> = (0..NETWORKS)
        .zip(countries.iter().cycle())
        .map(|(n, country)| (network(n), country.as_str()))
        .collect();
    made::put(&path, &made::countries(1, &rows));
    (folder, path)
}

fn load(files: &[PathBuf], overrides: &[(Cidr, Place)]) -> Tables {
    Tables::load(Spec { files, overrides, canaries: &[] }, None, SystemTime::now()).unwrap()
}

fn asks(bencher: Bencher<'_, '_>, tables: &Tables) {
    let mut number = 0;
    bencher.bench_local(|| {
        number = (number + 1) % NETWORKS;
        tables.place(black_box(IpAddr::V4(scattered(number))))
    });
}

#[divan::bench]
fn finds_a_place_in_a_file(bencher: Bencher<'_, '_>) {
    let (_folder, path) = table();
    asks(bencher, &load(&[path], &[]));
}

#[divan::bench]
fn finds_a_place_in_the_embedded_table(bencher: Bencher<'_, '_>) {
    asks(bencher, &load(&[], &[]));
}

#[divan::bench(args = [10, 10_000])]
fn finds_a_place_beside_overrides(bencher: Bencher<'_, '_>, count: u32) {
    let network = |number| Cidr { address: IpAddr::V4(scattered(number)), prefix: 32 };
    let overrides: Vec<_> = (0..count).map(|number| (network(number), Place::UNKNOWN)).collect();
    asks(bencher, &load(&[], &overrides));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn loads_a_table(bencher: Bencher<'_, '_>) {
    let (_folder, path) = table();
    let files = [path];
    bencher.bench_local(|| load(&files, &[]));
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn compares_two_tables(bencher: Bencher<'_, '_>) {
    let (_folder, path) = table();
    let (old, new) = (load(&[path], &[]), Tables::none());
    bencher.bench_local(|| diff(&old, &new).count());
}
