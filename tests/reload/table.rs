//! A table of all countries that is replaced beside traffic: nothing fails, and what it costs is told.

use crate::made;
use nearside_core::generation::Cidr;
use nearside_core::place::Country;
use nearside_tests::edge::Setting;
use nearside_tests::load::{Load, Outcome};
use nearside_tests::{Process, QUICK, eventually};
use std::time::{Duration, Instant};

/// So many networks /24, far from each other, make a table of 9 MB.
const NETWORKS: u32 = 165_000;
const RELOADS: u32 = 3;

fn table(epoch: u32) -> Vec<u8> {
    let countries: Vec<Country> = Country::all().collect();
    let scattered = |number: u32| (number.wrapping_mul(0x9e37_79b1) & !255).to_be_bytes();
    let network = |number| Cidr { address: scattered(number).into(), prefix: 24 };
    let rows: Vec<_> = (0..NETWORKS)
        .zip(countries.iter().cycle())
        .map(|(number, country)| (network(number), country.as_str()))
        .collect();
    made::countries(epoch, &rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_nine_megabytes_is_replaced_beside_traffic() {
    let mut setting = Setting::new();
    setting.client_ip("{ from: header, trusted: [\"127.0.0.0/8\"] }");
    let path = setting.folder().join("countries.mmdb");
    let mut tables = (1..=RELOADS + 1).map(table).collect::<Vec<_>>().into_iter();
    let first = tables.next().unwrap();
    assert!(first.len() > 9_000_000, "{} bytes", first.len());
    made::put(&path, &first);
    let backend = Process::start(setting.folder(), "fra-a", "frankfurt").await;
    let text = format!(
        "{QUICK}geo: {{ tables: [countries.mmdb] }}\npools:\n  web:\n    backends:\n\
         \x20     - {{ id: fra-a, url: \"http://{}\", region: frankfurt }}\n\
         routes:\n  - {{ host: www.example.com, pool: web, geo: [{{ continent: EU, to: [frankfurt] }}] }}\n",
        backend.address
    );
    let edge = setting.run(&text).await;
    let load = Load::start(&edge, 100);
    load.more(200).await;
    let mut spans = Vec::new();
    for table in tables {
        let (before, began) = (edge.generation(), Instant::now());
        made::put(&path, &table);
        eventually("the next table", async || (edge.generation() > before).then_some(())).await;
        spans.push(began..Instant::now());
        load.more(100).await;
    }
    let outcomes = load.end().await;
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.is_fine()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let beside = |outcome: &&Outcome| spans.iter().any(|span| outcome.was_under_way(span));
    let (with, without): (Vec<&Outcome>, Vec<&Outcome>) = outcomes.iter().partition(beside);
    assert!(!with.is_empty() && spans.len() == RELOADS as usize);
    let (with_median, without_median) = (median(&with), median(&without));
    println!("{} requests, none failed; a reload took", outcomes.len());
    spans.iter().for_each(|span| println!("  {} ms", (span.end - span.start).as_millis()));
    println!(
        "median of {} requests beside a reload {with_median:?}, of {} others {without_median:?}: ratio {:.2}",
        with.len(),
        without.len(),
        with_median.as_secs_f64() / without_median.as_secs_f64()
    );
}

fn median(outcomes: &[&Outcome]) -> Duration {
    let mut times: Vec<Duration> = outcomes.iter().map(|outcome| outcome.took()).collect();
    times.sort_unstable();
    times[times.len() / 2]
}
