//! What `--effective` prints is the same file: it loads to an equal generation, and prints as itself.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

use nearside_config::{check, compile, effective, load, parse};
use nearside_core::Generation;
use nearside_core::generation::{Pool, Stamp};
use std::fs;
use std::path::PathBuf;

fn print(text: &str) -> String {
    effective(&parse(text).and_then(check).unwrap_or_else(|report| panic!("{report}")))
}

/// The generation as text, without its stamp: that is the hash of the file as it was written.
fn generation(text: &str) -> String {
    let (mut generation, ..) = load(text).unwrap_or_else(|report| panic!("{report}\n{text}"));
    generation.stamp = Stamp::default();
    format!("{generation:?}")
}

fn good_files() -> Vec<PathBuf> {
    let top = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let neighbours = fs::read_dir(top.join("tests/configs/bad")).unwrap().map(|entry| entry.unwrap().path());
    let good = fs::read_dir(top.join("tests/configs/good")).unwrap().map(|entry| entry.unwrap().path());
    let neighbours = neighbours.filter(|path| path.to_string_lossy().ends_with(".ok.yaml"));
    neighbours.chain(good).chain([top.join("routes.yaml")]).collect()
}

#[test]
fn what_is_printed_loads_to_an_equal_generation_and_prints_as_itself() {
    let files = good_files();
    assert!(files.len() > 40);
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let printed = print(&text);
        assert_eq!(generation(&printed), generation(&text), "{}", path.display());
        assert_eq!(print(&printed), printed, "{}", path.display());
    }
}

#[test]
fn every_default_is_filled_in() {
    let printed = print(include_str!("../../../tests/configs/good/small.yaml"));
    for line in [
        "  name: nearside",
        "      weight: 50",
        "      stream_idle: 5m",
        "      failover_below: 0%",
        "- bind: '[::]:443'",
    ] {
        assert!(printed.lines().any(|found| found == line), "{line}\n{printed}");
    }
}

#[test]
fn a_pool_without_a_word_of_its_own_has_the_policy_of_core() {
    let (generation, ..) = load(include_str!("../../../tests/configs/good/small.yaml")).unwrap();
    let pool = &generation.pools[0];
    assert_eq!(*pool, Pool::new(&pool.name, pool.first, pool.len));
}

#[test]
fn a_pool_inherits_key_by_key() {
    let text = "version: 1
regions: { a: {} }
defaults: { probe: { interval: 9s, timeout: 3s }, retry: { max: 2 } }
pools: { web: { backends: [{ url: \"http://10.0.0.1\", region: a }], probe: { timeout: 4s } } }
routes: [{ host: a.example, pool: web }, { host: b.example, backends: [{ url: \"http://10.0.0.2\", region: a }] }]
listeners: [{ bind: \"127.0.0.1:0\" }]
";
    let (generation, ..) = load(text).unwrap();
    let told = |generation: &Generation, index: usize| {
        let pool = &generation.pools[index];
        (pool.name.to_string(), pool.probe.interval.as_secs(), pool.probe.timeout.as_secs(), pool.retry.max)
    };
    assert_eq!(told(&generation, 0), ("web".to_owned(), 9, 4, 2));
    assert_eq!(told(&generation, 1), ("b.example/*".to_owned(), 9, 3, 2));
}

#[test]
fn a_generation_bears_the_hash_of_its_text() {
    let text = include_str!("../../../tests/configs/good/small.yaml");
    let stamp = |text: &str| compile(parse(text).and_then(check).unwrap()).0.stamp;
    assert_eq!(stamp(text), stamp(text));
    assert_ne!(stamp(text), stamp(&text.replace("virginia", "oregon")));
}

#[test]
fn a_word_in_another_form_is_the_word() {
    let file = |host: &str, sni: &str| {
        format!(
            "version: 1\nregions: {{ a: {{}}, b: {{}} }}\npools:\n  web:\n    host_header: {host}\n    tls: {{ sni: {sni} }}\n    \
             backends: [{{ url: \"https://a.example\", region: a }}, {{ url: \"https://b.example\", region: b }}]\n\
             routes: [{{ host: www.example.com, pool: web }}]\ntls: {{ self_signed: true }}\n"
        )
    };
    for (host, sni) in [("Backend", "auTo"), ("PRESERVE", "auto."), ("a.Example", "B.example")] {
        let text = file(host, sni);
        assert_eq!(generation(&print(&text)), generation(&text), "{host}, {sni}");
    }
    assert_eq!(generation(&file("backend", "AUTO.")), generation(&file("backend", "auto")));
}
