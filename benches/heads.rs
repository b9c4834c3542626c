//! Reading and writing a usual request head.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]

use divan::{Bencher, black_box};
use nearside_benches::HEAD;
use nearside_http::{Body, Edits, Known, Limits, Persist, RequestHead, request};

#[global_allocator]
static ALLOCATIONS: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench]
fn parses_a_head(bencher: Bencher<'_, '_>) {
    let (mut head, limits) = (RequestHead::new(), Limits::default());
    bencher.bench_local(|| request::parse(black_box(HEAD), &limits, &mut head).unwrap());
}

#[divan::bench]
fn writes_a_head_with_edits(bencher: Bencher<'_, '_>) {
    let mut head = RequestHead::new();
    request::parse(HEAD, &Limits::default(), &mut head).unwrap();
    let (mut edits, mut out) = (Edits::new(), Vec::with_capacity(4096));
    bencher.bench_local(|| {
        edits.clear();
        edits.set(Known::XForwardedFor, b"192.0.2.1");
        edits.append(Known::Via, b"1.1 nearside");
        out.clear();
        head.write(&edits, Body::None, Persist::Keep, &mut out);
        out.len()
    });
}
