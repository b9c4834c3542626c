//! What a large file costs to load: from its text to the generation that is swapped in.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]

use divan::{Bencher, black_box};
use nearside_benches::text;

fn main() {
    divan::main();
}

#[divan::bench(args = [100, 10_000])]
fn loads_hosts(bencher: Bencher<'_, '_>, hosts: usize) {
    let text = text(hosts, 1, 4).unwrap();
    bencher.bench_local(|| nearside_config::load(black_box(&text)).unwrap());
}
