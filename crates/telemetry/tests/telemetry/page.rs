//! The metrics page: that it is OpenMetrics, what it counts, and who can put words on it.

use crate::scene::{generation, record};
use nearside_core::{BackendId, Reason, Verdict};
use nearside_telemetry::{Asked, BackendSample, Metrics, Record, Reload, Samples};
use std::collections::HashSet;
use std::time::Duration;

/// Reads a page by the rules of OpenMetrics 1.0 that a scraper trips over; gives its samples.
fn samples(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut families = HashSet::new();
    let mut family = (String::new(), String::new());
    let body = page.strip_suffix("# EOF\n").unwrap();
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(families.insert(name.to_owned()), "{name} is declared twice");
            family = (name.to_owned(), kind.to_owned());
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap();
        let (name, labels) = series.split_once('{').map_or((series, ""), |(name, rest)| (name, rest));
        let suffixes: &[&str] = match family.1.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_sum", "_count"],
            other => panic!("unexpected type {other}"),
        };
        assert!(
            suffixes.iter().any(|suffix| name == format!("{}{suffix}", family.0)),
            "{name} stands in the family {}",
            family.0
        );
        assert!(labels.is_empty() || labels.ends_with("\"}"), "{line}");
        assert!(name.starts_with("nearside_"), "{line}");
        found.push(line.to_owned());
    }
    let series: HashSet<&str> = found.iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(series.len(), found.len(), "a series stands there twice");
    found
}

fn check(metrics: &Metrics, expected: &[&str]) {
    let found = samples(&metrics.render());
    for line in expected {
        assert!(found.iter().any(|found| found == line), "{line} is not in {found:#?}");
    }
}

fn sample(name: &str, verdict: Verdict) -> BackendSample {
    BackendSample {
        pool: "web".into(),
        backend: name.into(),
        region: "frankfurt".into(),
        verdict,
        ejected: true,
        in_flight: 3,
        connections: 6,
        idle: 4,
        rtt_micros: Some(20_500),
        trips: (0.041, 2, vec![(0.02, 0), (0.035, 2), (f64::INFINITY, 0)]),
        probes_ok: 7,
        probes_failed: 2,
    }
}

#[test]
fn a_request_is_counted_by_route_region_reason_and_class() {
    let metrics = Metrics::new();
    let generation = generation(118, &["www"], &["frankfurt", "dublin"]);
    let cells = metrics.cells(&generation);
    let first = record(&generation);
    let second = Record { backend: Some(BackendId::new(1)), status: Some(502), ..first.clone() };
    let none = Record {
        route: None,
        backend: None,
        reason: Some(Reason::NoRouteHost),
        status: Some(404),
        ..first.clone()
    };
    let gone =
        Record { backend: None, reason: Some(Reason::FailedClientGone), status: None, ..first.clone() };
    let declared = Record { backend: None, reason: None, status: Some(308), ..first.clone() };
    cells.record(&declared);
    [&first, &first, &second, &none, &gone].into_iter().for_each(|record| cells.record(record));
    check(
        &metrics,
        &[
            r#"nearside_requests_total{route="www",region="frankfurt",reason="won.latency",status_class="2xx"} 2"#,
            r#"nearside_requests_total{route="www",region="dublin",reason="won.latency",status_class="5xx"} 1"#,
            r#"nearside_requests_total{route="-",region="-",reason="no_route.host",status_class="4xx"} 1"#,
            r#"nearside_requests_total{route="www",region="-",reason="failed.client_gone",status_class="none"} 1"#,
            r#"nearside_requests_total{route="www",region="-",reason="-",status_class="3xx"} 1"#,
            r#"nearside_body_bytes_total{route="www",direction="in"} 50"#,
            r#"nearside_body_bytes_total{route="www",direction="out"} 10000"#,
            r#"nearside_request_duration_seconds_count{route="www"} 5"#,
            r#"nearside_request_duration_seconds_bucket{le="0.001",route="www"} 0"#,
            r#"nearside_request_duration_seconds_bucket{le="0.0025",route="www"} 5"#,
            r#"nearside_request_duration_seconds_bucket{le="+Inf",route="www"} 5"#,
            r#"nearside_first_byte_seconds_count{pool="web",backend="frankfurt-a",region="frankfurt"} 2"#,
        ],
    );
}

#[test]
fn tries_and_decisions_are_counted_by_reason() {
    let metrics = Metrics::new();
    let cells = metrics.cells(&generation(1, &["www"], &["frankfurt"]));
    cells.tried(BackendId::new(0), Some(Reason::FailedConnect));
    cells.tried(BackendId::new(0), None);
    cells.tried(BackendId::new(0), None);
    cells.decided(Reason::WonFailover);
    check(
        &metrics,
        &[
            r#"nearside_tries_total{pool="web",backend="frankfurt-a",region="frankfurt",result="failed.connect"} 1"#,
            r#"nearside_tries_total{pool="web",backend="frankfurt-a",region="frankfurt",result="ok"} 2"#,
            r#"nearside_decisions_total{reason="won.failover"} 1"#,
        ],
    );
}

#[test]
fn the_process_tells_of_its_generation_reloads_and_connections() {
    let metrics = Metrics::new();
    drop(metrics.cells(&generation(118, &["www"], &["frankfurt", "dublin!"])));
    for result in [Reload::Swapped, Reload::Refused, Reload::Refused] {
        metrics.reloaded(result);
    }
    let listener = metrics.listener("127.0.0.1:443".parse().unwrap());
    let kept = listener.opened();
    drop(listener.opened());
    listener.handshake_failed();
    listener.refused();
    check(
        &metrics,
        &[
            r#"nearside_generation_info{generation="118-9f3a1c02"} 1"#,
            "nearside_generation_number 118",
            r#"nearside_region_drained{region="frankfurt"} 0"#,
            r#"nearside_region_drained{region="dublin"} 1"#,
            r#"nearside_reloads_total{result="swapped"} 1"#,
            r#"nearside_reloads_total{result="unchanged"} 0"#,
            r#"nearside_reloads_total{result="refused"} 2"#,
            r#"nearside_connections_open{listener="127.0.0.1:443"} 1"#,
            r#"nearside_connections_total{listener="127.0.0.1:443"} 2"#,
            r#"nearside_handshakes_failed_total{listener="127.0.0.1:443"} 1"#,
            r#"nearside_connections_refused_total{listener="127.0.0.1:443"} 1"#,
            "nearside_log_lines_dropped_total 0",
        ],
    );
    drop(kept);
    check(&metrics, &[r#"nearside_connections_open{listener="127.0.0.1:443"} 0"#]);
}

#[test]
fn backends_are_sampled_at_each_scrape() {
    let metrics = Metrics::new();
    metrics.sample(|| Samples { backends: vec![sample("fra-a", Verdict::Unhealthy)], ..Samples::default() });
    let labels = r#"pool="web",backend="fra-a",region="frankfurt""#;
    let expected = [
        format!(r#"nearside_backend_verdict{{{labels},verdict="healthy"}} 0"#),
        format!(r#"nearside_backend_verdict{{{labels},verdict="unhealthy"}} 1"#),
        format!("nearside_backend_ejected{{{labels}}} 1"),
        format!("nearside_backend_in_flight{{{labels}}} 3"),
        format!(r#"nearside_backend_connections{{{labels},state="idle"}} 4"#),
        format!(r#"nearside_backend_connections{{{labels},state="busy"}} 2"#),
        format!("nearside_backend_rtt_seconds{{{labels}}} 0.0205"),
        format!("nearside_backend_round_trip_seconds_sum{{{labels}}} 0.041"),
        format!("nearside_backend_round_trip_seconds_count{{{labels}}} 2"),
        format!(r#"nearside_backend_round_trip_seconds_bucket{{le="0.035",{labels}}} 2"#),
        format!(r#"nearside_backend_round_trip_seconds_bucket{{le="+Inf",{labels}}} 2"#),
        format!(r#"nearside_probes_total{{{labels},result="ok"}} 7"#),
        format!(r#"nearside_probes_total{{{labels},result="failed"}} 2"#),
    ];
    check(&metrics, &expected.each_ref().map(String::as_str));
    metrics.sample(|| Samples { backends: vec![sample("fra-b", Verdict::Healthy)], ..Samples::default() });
    assert!(!metrics.render().contains("fra-a"));
}

#[test]
fn a_traced_request_is_the_example_of_its_bucket_and_of_its_route() {
    let metrics = Metrics::new();
    let generation = generation(1, &["www", "api"], &["frankfurt"]);
    let cells = metrics.cells(&generation);
    let www = record(&generation);
    let api = Record { route: Some(nearside_core::RouteId::new(1)), ..record(&generation) };
    for record in [&www, &api] {
        cells.record(record);
    }
    let plain = metrics.render();
    assert!(!plain.contains(" # {"), "{plain}");
    cells.exemplify(&www);
    let page = metrics.render();
    let examples: Vec<&str> = page.lines().filter(|line| line.contains(" # {")).collect();
    let trace = r#" # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 0.0015 1790000000.124"#;
    assert_eq!(
        examples,
        [format!(r#"nearside_request_duration_seconds_bucket{{le="0.0025",route="www"}} 1{trace}"#)]
    );
    assert_eq!(page.replace(trace, ""), plain);
}

#[test]
fn an_empty_page_is_a_page() {
    assert!(!samples(&Metrics::new().render()).is_empty());
}

#[test]
fn counters_go_on_over_reloads_and_forget_what_is_gone() {
    let metrics = Metrics::new();
    let first = generation(1, &["www", "old"], &["frankfurt", "dublin"]);
    let before = metrics.cells(&first);
    before.record(&record(&first));
    // Other order, other ids: the names are the same.
    let second = generation(2, &["new", "www"], &["dublin", "frankfurt"]);
    let after = metrics.cells(&second);
    let mut same = record(&second);
    same.route = Some(nearside_core::RouteId::new(1));
    same.backend = Some(BackendId::new(1));
    after.record(&same);
    // A request of the old generation that ends after the swap.
    before.record(&record(&first));
    check(
        &metrics,
        &[
            r#"nearside_requests_total{route="www",region="frankfurt",reason="won.latency",status_class="2xx"} 3"#,
        ],
    );
    before.record(&Record { route: Some(nearside_core::RouteId::new(1)), ..record(&first) });
    assert!(metrics.render().contains(r#"route="old""#));
    drop(before);
    drop(metrics.cells(&generation(3, &["www"], &["frankfurt"])));
    assert!(!metrics.render().contains(r#"route="old""#));
    drop(after);
}

#[test]
fn nothing_that_a_client_sends_becomes_a_label() {
    let metrics = Metrics::new();
    let generation = generation(1, &["www"], &["frankfurt"]);
    let cells = metrics.cells(&generation);
    cells.record(&record(&generation));
    let names = |page: &str| -> HashSet<String> {
        samples(page).iter().map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    };
    let before = names(&metrics.render());
    for count in 0..500_u32 {
        let mint = format!("minted-{count}");
        let mut hostile = record(&generation);
        hostile.asked = Asked::new(&mint, mint.as_bytes(), mint.as_bytes(), mint.as_bytes());
        hostile.client = std::net::Ipv4Addr::from_bits(count).into();
        hostile.total = Duration::from_micros(u64::from(count) * 10_000_000);
        cells.record(&hostile);
    }
    let page = metrics.render();
    assert_eq!(names(&page), before);
    assert!(!page.contains("minted"));
}

#[test]
fn statuses_out_of_range_have_a_class_and_no_panic() {
    let metrics = Metrics::new();
    let generation = generation(1, &["www"], &["frankfurt"]);
    let cells = metrics.cells(&generation);
    for status in [0, 99, 100, 599, 999, u16::MAX] {
        cells.record(&Record { status: Some(status), ..record(&generation) });
    }
    let total: u64 = samples(&metrics.render())
        .iter()
        .filter(|line| line.starts_with("nearside_requests_total"))
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
        .sum();
    assert_eq!(total, 6);
}
