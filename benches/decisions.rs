//! `decide` and the route table, at the size of a large service.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]

use divan::{Bencher, black_box};
use nearside_benches::{Mixed, generation, lawful};
use nearside_core::place::{Country, Place};
use nearside_core::{Facts, FullTrace, Generation, Input, Now, Tried, decide};

#[global_allocator]
static ALLOCATIONS: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

fn facts() -> Facts<'static> {
    Facts {
        url_bytes: 20,
        header_bytes: 500,
        body_bytes: Some(0),
        ..Facts::new("h9000.example.com", "/p3/items/42", "GET", "192.0.2.1:4000".parse().unwrap())
    }
}

fn input<'a>(generation: &'a Generation, facts: &'a Facts<'a>, tried: &'a Tried) -> Input<'a, Mixed> {
    Input { facts, tried, generation, evidence: &Mixed, now: Now::from_millis(0), seed: 7 }
}

#[divan::bench(args = [1, 3, 100])]
fn decides_over_backends(bencher: Bencher<'_, '_>, backends: usize) {
    let (generation, facts, tried) = (generation(10_000, 4, backends).unwrap(), facts(), Tried::default());
    bencher.bench_local(|| decide(black_box(&input(&generation, &facts, &tried)), &mut ()));
}

#[divan::bench(args = [3, 100])]
fn decides_with_law_and_place(bencher: Bencher<'_, '_>, backends: usize) {
    let (generation, tried) = (lawful(10_000, 4, backends).unwrap(), Tried::default());
    let facts = Facts { place: Place::of(Country::parse("DE").unwrap()), ..facts() };
    bencher.bench_local(|| decide(black_box(&input(&generation, &facts, &tried)), &mut ()));
}

#[divan::bench]
fn decides_with_a_full_trace(bencher: Bencher<'_, '_>) {
    let (generation, facts, tried) = (generation(10_000, 4, 3).unwrap(), facts(), Tried::default());
    bencher.bench_local(|| {
        let mut trace = FullTrace::default();
        decide(black_box(&input(&generation, &facts, &tried)), &mut trace);
        trace
    });
}

#[divan::bench(args = [(1, 4), (10_000, 10)])]
fn finds_a_route(bencher: Bencher<'_, '_>, (hosts, paths): (usize, usize)) {
    let generation = generation(hosts, paths, 3).unwrap();
    let host = format!("h{}.example.com", hosts - 1);
    bencher.bench_local(|| generation.routes.find(black_box(&host), black_box("/p3/items/42"), "GET"));
}

#[divan::bench(args = [10_000, 100_000], sample_count = 5)]
fn loads_a_file_of_hosts(hosts: usize) -> Generation {
    generation(hosts, 1, 3).unwrap()
}
